//! Shakedown runs a distributed system inside a simulated network, breaks that network, the machines and the disks on a schedule
//! drawn from a seed, records what every client saw, and decides which guarantees really held.
//!
//! ```text
//!   seed ──scenario──► Plan ──runner──► Happened ──judge──► RunRecord ──► results/runs/NAME/
//!                       ▲       │
//!            plan.json ─┘       ├── simulation   hosts, network, disks, who said what
//!                               ├── nemesis      begins and ends each fault of the plan
//!                               └── clients      invoke the operations of the plan, record what they are told
//! ```
//!
//! A run is a pure function of its plan: the same plan gives the same history and the same trace, byte for byte. Read
//! [`plan`], [`runner`], [`nemesis`] and [`simulation`], in that order. A system goes in through [`System`]; how, says
//! CONTRIBUTING.md.

pub mod campaign;
pub mod catalogue;
pub mod chance;
pub mod cli;
pub mod clients;
pub mod judge;
pub mod nemesis;
pub mod plan;
pub mod runner;
pub mod scenario;
pub mod simulation;

pub use shakedown_checkers::{self as checkers, Claim, Level, Rule};
pub use shakedown_systems::door::{
    self, Client, Defect, Family, Invariant, Mode, Node, Observation, System, Violation,
};
pub use shakedown_workloads::{Invoke, Kv, Outcome, Workload, kv};
