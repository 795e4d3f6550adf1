//! What a workload is: what clients do, and what judges it.

use std::future::Future;

use rand::Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shakedown_checkers::{History, Value};

use crate::Check;

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

/// A planned operation, and which node is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look<P> {
    /// The operation.
    pub operation: P,
    /// The node; without it, the client chooses.
    pub at: Option<String>,
}

/// What clients do, and how it is judged.
///
/// ```
/// use rand::Rng;
/// use serde::{Deserialize, Serialize};
/// use shakedown_checkers::{ModelName, Subject, Value};
/// use shakedown_workloads::{Check, Invocation, Look, Outcome, Workload};
///
/// /// Clients take tickets; nobody may get one that another has.
/// #[derive(Clone)]
/// struct Tickets;
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Take;
///
/// impl Workload for Tickets {
///     type Planned = Take;
///     type Operation = Take;
///     type Value = i64;
///     type Memory = ();
///
///     fn name(&self) -> &'static str {
///         "tickets"
///     }
///     fn plan(&self, _: u32, _: u32, operations: usize, _: &mut impl Rng) -> Vec<Take> {
///         vec![Take; operations]
///     }
///     fn probe(&self, _: u32, _: u32) -> Vec<Take> {
///         vec![Take]
///     }
///     fn resolve(planned: &Take, (): &()) -> Take {
///         planned.clone()
///     }
///     fn invocation(_: &Take) -> Invocation {
///         Invocation { function: "generate", key: None, value: Value::Nil }
///     }
///     fn completion(_: &Take, ticket: &i64) -> Value {
///         Value::Int(*ticket)
///     }
///     fn checks(&self) -> Vec<Check> {
///         use shakedown_checkers::{Rule, invariants::{Invariant, Options}};
///         const UNIQUE: Rule = Rule { name: "unique-tickets", summary: "no ticket is given twice" };
///         vec![Check::invariant(UNIQUE, Invariant::UniqueIds, Options::default())]
///     }
/// }
/// ```
pub trait Workload: Clone + Send + Sync + 'static {
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
    fn summary(&self) -> &'static str {
        ""
    }

    /// Its parameters as a plan holds them; null if it has none.
    fn parameters(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// The workload with the parameters of a plan.
    ///
    /// # Errors
    /// What is wrong with them.
    fn with_parameters(&self, parameters: &serde_json::Value) -> Result<Self, String> {
        if parameters.is_null() { Ok(self.clone()) } else { Err(format!("{} has no parameters", self.name())) }
    }

    /// What client 0 does before all others begin, and before any fault does: each until it succeeds.
    fn setup(&self) -> Vec<Self::Planned> {
        Vec::new()
    }

    /// What one client of several will do. Everything is drawn from `chance`.
    fn plan(&self, client: u32, clients: u32, operations: usize, chance: &mut impl Rng) -> Vec<Self::Planned>;

    /// What a client tries after healing until all of it succeeds: something that needs the system to be able to write. A later attempt
    /// of the same client differs from an earlier one where equal values would hide a lost write.
    fn probe(&self, client: u32, attempt: u32) -> Vec<Self::Planned>;

    /// What one client of several does in the end, when all is healed and quiet: together they look at every object, where it matters
    /// at each of these nodes.
    fn last_look(&self, client: u32, clients: u32, nodes: &[String]) -> Vec<Look<Self::Planned>> {
        let _ = (client, clients, nodes);
        Vec::new()
    }

    /// Fills in what the plan left open.
    fn resolve(planned: &Self::Planned, memory: &Self::Memory) -> Self::Operation;

    /// Takes note of a result.
    fn remember(memory: &mut Self::Memory, operation: &Self::Operation, outcome: &Outcome<Self::Value>) {
        let _ = (memory, operation, outcome);
    }

    /// The operation as the history shows it.
    fn invocation(operation: &Self::Operation) -> Invocation;

    /// The value of its `ok` completion.
    fn completion(operation: &Self::Operation, value: &Self::Value) -> Value;

    /// What judges it.
    fn checks(&self) -> Vec<Check>;

    /// What is counted of a run beside verdicts, by name: unread messages, the time a transaction was blocked.
    fn figures(&self, history: &History) -> Vec<(&'static str, u64)> {
        let _ = history;
        Vec::new()
    }
}

/// A number that nobody else has: the `nth` one of a client of several. They count from 1.
pub(crate) fn fresh(client: u32, clients: u32, nth: usize) -> i64 {
    nth as i64 * i64::from(clients) + i64::from(client) + 1
}

/// The same for a probe: far from what plans use.
pub(crate) fn fresh_for_probe(client: u32, attempt: u32) -> i64 {
    (i64::from(attempt) + 1) * 1_000_000_000 + i64::from(client)
}

/// The nodes at which one client of several takes its last look: together they look at all.
pub(crate) fn last_looks(client: u32, clients: u32, nodes: &[String]) -> impl Iterator<Item = &String> {
    let takers = (clients as usize).min(nodes.len()).max(1);
    nodes.iter().skip(client as usize % takers).step_by(takers)
}

/// A client that serves a workload: the one thing a system must offer for it.
///
/// ```
/// use std::collections::BTreeMap;
/// use shakedown_workloads::{Invoke, Kv, Outcome, kv::Operation};
///
/// /// A store for one client.
/// struct Alone(BTreeMap<u32, i64>);
///
/// impl Invoke<Kv> for Alone {
///     async fn invoke(&mut self, operation: &Operation) -> Outcome<Option<i64>> {
///         match *operation {
///             Operation::Read { key } => Outcome::Ok(self.0.get(&key).copied()),
///             Operation::Cas { key, expected, .. } if self.0.get(&key).copied() != expected => {
///                 Outcome::Fail("it holds another value".to_owned())
///             }
///             Operation::Write { key, value } | Operation::Cas { key, new: value, .. } => {
///                 self.0.insert(key, value);
///                 Outcome::Ok(None)
///             }
///         }
///     }
/// }
/// ```
pub trait Invoke<W: Workload> {
    /// Does one operation. Retries, redirects and time limits are the client's own business; what it does not know for certain
    /// it must answer with [`Outcome::Info`].
    fn invoke(&mut self, operation: &W::Operation) -> impl Future<Output = Outcome<W::Value>>;

    /// The same, beginning with this node: a last look asks each replica for what it holds.
    fn invoke_at(&mut self, node: &str, operation: &W::Operation) -> impl Future<Output = Outcome<W::Value>> {
        let _ = node;
        self.invoke(operation)
    }
}
