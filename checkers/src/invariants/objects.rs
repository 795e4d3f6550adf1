//! The operations of a history object by object, and what sentences say about them.

use rustc_hash::FxHashMap;

use crate::History;
use crate::history::{Operation, OperationId, Outcome, Value, ValueId};
use crate::verdict::Anomaly;

/// One key, or the one object of a history without keys.
pub(super) struct Object<'a> {
    key: Option<ValueId>,
    history: &'a History,
    /// In the order of their invocations.
    pub operations: Vec<Operation<'a>>,
}

impl<'a> Object<'a> {
    /// For the end of a clause: ` of key 7`, or nothing.
    pub fn name(&self) -> String {
        self.key.map_or_else(String::new, |key| format!(" of key {}", self.history.value(key)))
    }

    /// The operations that certainly happened and have this function.
    pub fn completed(&self, function: &'a str) -> impl Iterator<Item = Operation<'a>> {
        self.operations.iter().copied().filter(move |o| o.outcome() == Outcome::Ok && o.function() == function)
    }
}

/// Every object of a history, in the order in which they were first used.
pub(super) fn objects(history: &History) -> Vec<Object<'_>> {
    let mut places: FxHashMap<Option<ValueId>, usize> = FxHashMap::default();
    let mut objects: Vec<Object<'_>> = Vec::new();
    for operation in history.operations() {
        let key = operation.key_id();
        let at = *places.entry(key).or_insert_with(|| {
            objects.push(Object { key, history, operations: Vec::new() });
            objects.len() - 1
        });
        objects[at].operations.push(operation);
    }
    objects
}

/// An anomaly with this proof.
pub(super) fn anomaly<'a>(
    name: &'static str,
    operations: impl IntoIterator<Item = Operation<'a>>,
    sentence: String,
) -> Anomaly {
    let mut proof: Vec<OperationId> = operations.into_iter().map(Operation::id).collect();
    proof.sort_unstable();
    proof.dedup();
    Anomaly { name, proof, sentence, ..Anomaly::default() }
}

/// When an operation began: `at 1.200 s`, or the event if no time is known.
pub(super) fn began(operation: Operation<'_>) -> String {
    at(operation.invoked_at(), operation.invoked())
}

/// When an operation ended.
pub(super) fn ended(operation: Operation<'_>) -> String {
    at(operation.completed_at(), operation.completed())
}

fn at(time: Option<u64>, event: u32) -> String {
    match time {
        Some(time) => format!("at {:.3} s", time as f64 / 1e9),
        None => format!("at event {event}"),
    }
}

/// For the end of a sentence: how many others there are of what it tells.
pub(super) fn others(all: usize, what: &str) -> String {
    match all {
        0 | 1 => String::new(),
        2 => format!("; the same is true of 1 more {what}"),
        _ => format!("; the same is true of {} more {what}s", all - 1),
    }
}

/// How many of the others a sentence names.
const NAMED: usize = 8;

/// The same, with the names of the first of these; `values` begins with the one that was told.
pub(super) fn others_by_name<'a>(all: usize, what: &str, values: impl Iterator<Item = &'a Value>) -> String {
    let named: Vec<String> = values.skip(1).take(NAMED).map(Value::to_string).collect();
    let more = if all > NAMED + 1 { ", …" } else { "" };
    match all {
        0 | 1 => String::new(),
        _ => format!("{}: {}{more}", others(all, what), named.join(", ")),
    }
}
