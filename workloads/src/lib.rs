//! What clients do to a system under test.
//!
//! ```text
//!   Workload::plan ──► planned operations ──resolve──► operation ──Invoke::invoke──► Outcome
//!                        (in plan.json)       │                        (the system)      │
//!                                             └── invocation ► history ◄── completion ───┘
//! ```
//!
//! A [`Workload`] says which operations there are, draws them from a seed, and names the guarantees that it can judge. A system
//! serves a workload when its client implements [`Invoke`] for it. Read [`kv`] for an example.

pub mod kv;

use std::future::Future;

use rand::Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shakedown_checkers::{ModelName, Value};

pub use kv::Kv;

/// How an operation ended, as its client knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It happened, and this is its result.
    Ok(T),
    /// It certainly did not happen, and never will.
    Fail(String),
    /// It may have happened, or happen yet.
    Info(String),
}

/// An operation as the history shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// What is asked for.
    pub function: &'static str,
    /// Of which object.
    pub key: Option<Value>,
    /// With what.
    pub value: Value,
}

/// What clients do, and how it is judged.
pub trait Workload: Clone + 'static {
    /// An operation as it stands in a plan. It may leave open what only the run can tell, such as the value seen last.
    type Planned: Clone + Serialize + DeserializeOwned + 'static;
    /// An operation as a client invokes it.
    type Operation: Clone + 'static;
    /// What a client gets back.
    type Value: 'static;
    /// What a client remembers between its operations, to resolve planned ones.
    type Memory: Default + 'static;

    /// The name on the command line.
    fn name(&self) -> &'static str;

    /// One line about it.
    fn summary(&self) -> &'static str;

    /// What one client of several will do. Everything is drawn from `chance`.
    fn plan(&self, client: u32, clients: u32, operations: usize, chance: &mut impl Rng) -> Vec<Self::Planned>;

    /// What a client tries after healing until it succeeds: something that needs the system to be able to write. A later attempt
    /// of the same client differs from an earlier one where equal values would hide a lost write.
    fn probe(&self, client: u32, attempt: u32) -> Self::Planned;

    /// What each client does in the end, when all is healed and quiet: it looks at every object.
    fn last_look(&self) -> Vec<Self::Planned>;

    /// Fills in what the plan left open.
    fn resolve(planned: &Self::Planned, memory: &Self::Memory) -> Self::Operation;

    /// Takes note of a result.
    fn remember(memory: &mut Self::Memory, operation: &Self::Operation, outcome: &Outcome<Self::Value>);

    /// The operation as the history shows it.
    fn invocation(operation: &Self::Operation) -> Invocation;

    /// The value of its `ok` completion.
    fn completion(operation: &Self::Operation, value: &Self::Value) -> Value;

    /// The sequential specification by which linearizability is judged.
    fn model(&self) -> ModelName;
}

/// A client that serves a workload: the one thing a system must offer for it.
pub trait Invoke<W: Workload> {
    /// Does one operation. Retries, redirects and time limits are the client's own business; what it does not know for certain
    /// it must answer with [`Outcome::Info`].
    fn invoke(&mut self, operation: &W::Operation) -> impl Future<Output = Outcome<W::Value>>;
}
