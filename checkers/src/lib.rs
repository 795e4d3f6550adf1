//! Histories of concurrent operations, and the checkers that decide which consistency guarantees they satisfy.
//!
//! ```text
//!   a file ──history::read──► History ──► check ──► Answer: valid
//!   a run  ──HistoryBuilder──►  (columns    ▲                 invalid, with the operations that prove it
//!                                of integers)                 unknown, with how far it came
//!                                       Question
//! ```
//!
//! Synchronous and pure: no runtime, no network, usable alone from any Rust program. Read [`history`] first, then
//! [`check`](mod@check), and [`linearizability`] of the methods behind it.
//!
//! ```
//! use shakedown_checkers::{Budget, Consistency, Level, ModelName, Question, Subject, check, history};
//!
//! let text = r#"
//! {"process":0,"type":"invoke","f":"write","value":1}
//! {"process":0,"type":"ok","f":"write","value":1}
//! {"process":1,"type":"invoke","f":"read","value":null}
//! {"process":1,"type":"ok","f":"read","value":null}
//! "#;
//! let history = history::read("example", text.as_bytes())?;
//! let question = Question::new(Subject::Objects(ModelName::Register), Consistency::Level(Level::Linearizable));
//! let answer = check(&history, &question, &Budget::default())?;
//! assert_eq!(answer.verdict().anomalies()[0].name, "stale-read");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// The definition that tests hold the methods against is shared with tests/, which name the crate.
#[cfg(test)]
extern crate self as shakedown_checkers;

pub mod causal;
pub mod check;
pub mod claim;
pub mod convergence;
pub mod fingerprint;
pub mod history;
pub mod invariants;
pub mod levels;
pub mod linearizability;
pub mod model;
pub mod transactions;
pub mod verdict;

pub use check::{Answer, Consistency, Question, Subject, check};
pub use claim::{Claim, Rule};
pub use fingerprint::Fingerprint;
pub use history::{History, Operation, OperationId, Outcome, Value, ValueId};
pub use levels::Level;
pub use model::{Model, ModelName};
pub use verdict::{Anomaly, Budget, Edge, Undecided, Verdict};
