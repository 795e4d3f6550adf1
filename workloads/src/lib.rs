//! What clients do to a system under test.
//!
//! ```text
//!   Workload::plan ──► planned operations ──resolve──► operation ──Invoke::invoke──► Outcome
//!                        (in plan.json)       │                        (the system)      │
//!                                             └── invocation ► history ◄── completion ───┘
//!                                                                 │
//!                                                         Workload::checks
//! ```
//!
//! A [`Workload`] says which operations there are, draws them from a seed, and names what judges them. A system serves a workload
//! when its client implements [`Invoke`] for it. Read [`kv`] for an example.

pub mod append;
pub mod kv;
pub mod set;

mod check;
mod workload;

pub use append::Append;
pub use check::{Check, Judge};
pub use kv::Kv;
pub use set::Set;
pub use workload::{Invocation, Invoke, Look, Outcome, Workload};
