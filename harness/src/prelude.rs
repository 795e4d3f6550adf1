//! All that a test of a system needs: `use shakedown::prelude::*`.

pub use std::future::Future;
pub use std::time::Duration;

pub use shakedown_checkers::Level::{
    Causal, Eventual, Linearizable, ReadCommitted, Sequential, Serializable, SnapshotIsolation, StrictSerializable,
};
pub use shakedown_checkers::{Claim, Level, Rule};
pub use shakedown_systems::door::{
    Address, Client, Command, Failure, Invariant, Node, Observation, Recovery, System, Violation,
};
pub use shakedown_workloads::{Check, Invocation, Invoke, Kv, Look, Outcome, Workload};

pub use crate::scenario::Scenario;
pub use crate::test::{Test, test};
