//! Random histories of a few operations, and what definitions say of them.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use shakedown_checkers::history::{Event, EventType, HistoryBuilder, NEVER, Process};
use shakedown_checkers::{History, Outcome, Value};

/// How many histories a test tries.
pub fn histories() -> u64 {
    std::env::var("SHAKEDOWN_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(5_000)
}

pub struct Chance(Xoshiro256PlusPlus);

impl Chance {
    pub fn of(seed: u64) -> Chance {
        Chance(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
    }

    pub fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

#[derive(Clone, Debug)]
pub struct Op {
    pub key: Option<Value>,
    pub process: u32,
    pub invoked: u32,
    /// When it ended; `NEVER` if no event says so.
    pub completed: u32,
    pub outcome: Outcome,
    pub function: &'static str,
    pub argument: Value,
    pub result: Value,
}

impl Op {
    pub fn happened(&self) -> bool {
        self.outcome == Outcome::Ok
    }

    pub fn may_have_happened(&self) -> bool {
        self.outcome != Outcome::Fail
    }

    pub fn is(&self, function: &str) -> bool {
        self.happened() && self.function == function
    }
}

/// Operations of three processes that overlap at random: what they do is filled in later.
pub fn intervals(chance: &mut Chance) -> Vec<Op> {
    let count = 2 + chance.below(7);
    let mut open: Vec<(u32, Option<usize>)> = (0..3).map(|number| (number, None)).collect();
    let mut ops: Vec<Op> = Vec::new();
    let mut position = 0;
    let patience = 1 + chance.below(4);
    let mut at = 0;
    while ops.len() < count || open.iter().any(|(_, open)| open.is_some()) {
        if chance.one_in(patience) || (ops.len() == count && open[at].1.is_none()) {
            at = chance.below(open.len());
        }
        let (process, busy) = open[at];
        if let Some(op) = busy {
            ops[op].outcome = match chance.below(10) {
                0 => Outcome::Info,
                1 => Outcome::Fail,
                _ => Outcome::Ok,
            };
            if ops[op].outcome == Outcome::Info {
                open[at] = (process + 3, None);
                if chance.one_in(2) {
                    continue;
                }
            }
            ops[op].completed = position;
            open[at].1 = None;
        } else if ops.len() < count {
            open[at].1 = Some(ops.len());
            let (key, function, argument, result) = (None, "", Value::Nil, Value::Nil);
            let outcome = Outcome::Info;
            ops.push(Op { key, process, invoked: position, completed: NEVER, outcome, function, argument, result });
        } else {
            continue;
        }
        position += 1;
    }
    ops
}

pub fn history(ops: &[Op]) -> History {
    let mut events: Vec<(u32, &Op, EventType)> = ops.iter().map(|op| (op.invoked, op, EventType::Invoke)).collect();
    events.extend(ops.iter().filter(|op| op.completed < NEVER).map(|op| {
        let ended = match op.outcome {
            Outcome::Ok => EventType::Ok,
            Outcome::Fail => EventType::Fail,
            Outcome::Info => EventType::Info,
        };
        (op.completed, op, ended)
    }));
    events.sort_by_key(|(position, ..)| *position);
    let mut builder = HistoryBuilder::new();
    for (position, op, event_type) in events {
        let value = if event_type == EventType::Ok { &op.result } else { &op.argument };
        let event = Event {
            index: None,
            time: Some(u64::from(position) * 10),
            process: Process::Client(op.process),
            event_type,
            function: op.function.to_owned(),
            key: op.key.clone(),
            value: value.clone(),
            error: None,
        };
        assert_eq!(builder.push(event), Ok(position));
    }
    builder.finish()
}

/// A history of one process after another: function, argument, result.
pub fn sequence(ops: &[(&'static str, Value, Value)]) -> History {
    let ops: Vec<Op> = ops
        .iter()
        .enumerate()
        .map(|(at, (function, argument, result))| Op {
            key: None,
            process: at as u32,
            invoked: 2 * at as u32,
            completed: 2 * at as u32 + 1,
            outcome: Outcome::Ok,
            function,
            argument: argument.clone(),
            result: result.clone(),
        })
        .collect();
    history(&ops)
}

pub fn number(value: usize) -> Value {
    Value::Int(value as i64)
}

pub fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

pub fn list(values: impl IntoIterator<Item = Value>) -> Value {
    Value::List(values.into_iter().collect())
}

pub fn items(value: &Value) -> &[Value] {
    match value {
        Value::List(items) => items,
        _ => &[],
    }
}
