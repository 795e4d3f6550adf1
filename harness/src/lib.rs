//! Shakedown runs a distributed system inside a simulated network, breaks that network, the machines and the disks on a schedule
//! drawn from a seed, records what every client saw, and decides which guarantees really held.
//!
//! ```text
//!   seed ──scenario──► Plan ──runner──► Execution ──judge──► RunRecord ──► results/runs/NAME/
//!                       ▲       │
//!            plan.json ─┘       ├── simulation   hosts, network, disks, who said what
//!                               ├── nemesis      begins and ends each fault of the plan
//!                               └── clients      invoke the operations of the plan, record what they are told
//! ```
//!
//! A run is a pure function of its plan: the same plan gives the same history and the same trace, byte for byte.
//!
//! Whoever has a service of their own begins with [`test`](fn@test), which has an example, and [`prelude`]; whoever wants to know how it
//! works reads [`plan`], [`runner`], [`nemesis`] and [`simulation`], in that order.

pub mod catalogue;
pub mod faults;
pub mod plan;
pub mod prelude;
pub mod scenario;
mod test;

#[doc(hidden)]
pub mod campaign;
#[doc(hidden)]
pub mod chance;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod clients;
#[doc(hidden)]
pub mod determinism;
#[doc(hidden)]
pub mod judge;
#[doc(hidden)]
pub mod nemesis;
#[doc(hidden)]
pub mod runner;
#[doc(hidden)]
pub mod simulation;

pub use shakedown_checkers::{self as checkers, Claim, Level, Rule};
pub use shakedown_systems::door::{
    self, Client, Defect, Family, Invariant, Mode, Node, Observation, System, Violation,
};
pub use shakedown_workloads::{Check, Invoke, Kv, Outcome, Workload, kv};
pub use test::{Summary, Test, TestFailure, test};
/// TCP inside the simulation: what a service uses in place of `tokio::net`.
pub use turmoil::net;
pub use {serde_json, tokio, tracing};
