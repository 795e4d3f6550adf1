//! The definition of linearizability and nothing else: every order of a small history, tried one by one, against specifications that
//! share no line with the crate's own.
//!
//! A history here is a list of [`Op`]s over small numbers; [`generate`](generate::generate) makes them by the million, from a seed.

#![allow(dead_code, unused_imports, reason = "every test that includes this module uses a part of it")]

mod generate;
mod sequential;

use rustc_hash::FxHashSet;
use shakedown_checkers::history::{Event, EventType, HistoryBuilder, NEVER, Process};
use shakedown_checkers::{History, ModelName, Outcome, Value};

pub use generate::{Shape, generate, long};
pub use sequential::{PERMITS, State, initial, successors};

/// An operation. What the numbers mean depends on the model: see `value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    pub process: u32,
    pub function: &'static str,
    pub key: i64,
    pub argument: Vec<i64>,
    /// What was answered, where it ended `ok`.
    pub answer: Vec<i64>,
    pub outcome: Outcome,
    /// When it began and ended, as positions among all events. An operation that never ended has [`NEVER`].
    pub invoked: u32,
    pub completed: u32,
}

/// Whether some order is legal, key by key.
pub fn is_linearizable(model: ModelName, ops: &[Op]) -> bool {
    let mut keys: Vec<i64> = ops.iter().map(|op| op.key).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter().all(|key| {
        let object: Vec<&Op> = ops.iter().filter(|op| op.key == key && op.outcome != Outcome::Fail).collect();
        has_order(model, &object, 0, &initial(model), &mut FxHashSet::default())
    })
}

/// Whether the operations that are not `placed` yet can follow, in some order that keeps real time. Those of unknown outcome may be
/// left out.
fn has_order(model: ModelName, ops: &[&Op], placed: u32, state: &State, visited: &mut FxHashSet<(u32, State)>) -> bool {
    let is_placed = |at: usize| placed >> at & 1 == 1;
    let closes = |op: &Op| if op.outcome == Outcome::Ok { op.completed } else { NEVER };
    if (0..ops.len()).all(|at| is_placed(at) || ops[at].outcome == Outcome::Info) {
        return true;
    }
    if !visited.insert((placed, state.clone())) {
        return false;
    }
    for (at, op) in ops.iter().enumerate().filter(|(at, _)| !is_placed(*at)) {
        let waits = (0..ops.len()).any(|other| !is_placed(other) && closes(ops[other]) < op.invoked);
        if waits {
            continue;
        }
        for next in successors(model, state, op) {
            if has_order(model, ops, placed | 1 << at, &next, visited) {
                return true;
            }
        }
    }
    false
}

/// The same history as the crate sees it. The n-th operation here, in the order of invocations, is its operation n.
pub fn history(model: ModelName, ops: &[Op], keyed: bool) -> History {
    let mut events: Vec<(u32, usize, bool)> = Vec::new();
    for (at, op) in ops.iter().enumerate() {
        events.push((op.invoked, at, true));
        if op.completed != NEVER {
            events.push((op.completed, at, false));
        }
    }
    events.sort_unstable();
    let mut builder = HistoryBuilder::new();
    for (position, at, begins) in events {
        let op = &ops[at];
        let (event_type, value) = match op.outcome {
            _ if begins => (EventType::Invoke, value(model, op.function, &op.argument, false)),
            Outcome::Ok => (EventType::Ok, value(model, op.function, &op.answer, true)),
            Outcome::Fail => (EventType::Fail, value(model, op.function, &op.argument, false)),
            Outcome::Info => (EventType::Info, value(model, op.function, &op.argument, false)),
        };
        let event = Event {
            index: Some(u64::from(position)),
            time: Some(u64::from(position) * 1_000_000),
            process: Process::Client(op.process),
            event_type,
            function: op.function.to_owned(),
            key: keyed.then_some(Value::Int(op.key)),
            value,
            error: None,
        };
        builder.push(event).expect("the generator keeps the rules");
    }
    builder.finish()
}

/// Numbers as the value of an operation.
fn value(model: ModelName, function: &str, numbers: &[i64], answered: bool) -> Value {
    let ints = |numbers: &[i64]| Value::List(numbers.iter().copied().map(Value::Int).collect());
    match (model, function) {
        (ModelName::StringKv, "get") if !answered => Value::Nil,
        (ModelName::StringKv, _) => Value::text(&numbers.iter().map(i64::to_string).collect::<String>()),
        (ModelName::MultiRegister, _) => Value::List(
            numbers
                .chunks(3)
                .map(|step| {
                    let name = Value::text(if step[0] == 0 { "read" } else { "write" });
                    let shown = if step[0] == 0 && !answered { Value::Nil } else { Value::Int(step[2]) };
                    Value::List(Box::new([name, Value::Int(step[1]), shown]))
                })
                .collect(),
        ),
        (ModelName::Set, "read") if answered => ints(numbers),
        (ModelName::Set, "contains") if answered => Value::Bool(numbers == [1]),
        (ModelName::Set, "add" | "remove") if answered && !numbers.is_empty() => Value::Bool(numbers == [1]),
        (_, "cas") => ints(numbers),
        _ => match numbers {
            [] => Value::Nil,
            [one] => Value::Int(*one),
            more => ints(more),
        },
    }
}
