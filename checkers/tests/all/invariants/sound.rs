//! Histories of right objects are never accused: each operation takes effect at one instant between its beginning and its end, one of
//! unknown outcome at any later time or never, one that failed never.

use shakedown_checkers::invariants::{self, Invariant, Options};
use shakedown_checkers::{Outcome, Value};

use super::histories::{Chance, Op, histories, history, intervals, list, number};

/// The operations that take effect, in the order in which they do.
fn in_order(chance: &mut Chance, ops: &[Op]) -> Vec<usize> {
    let mut instants: Vec<(f64, usize)> = Vec::new();
    for (at, op) in ops.iter().enumerate() {
        let until = match op.outcome {
            Outcome::Ok => f64::from(op.completed),
            Outcome::Info if chance.one_in(2) => f64::from(op.invoked) + 20.0,
            Outcome::Info | Outcome::Fail => continue,
        };
        let share = (1 + chance.below(1_000)) as f64 / 1_002.0;
        instants.push((f64::from(op.invoked) + share * (until - f64::from(op.invoked)), at));
    }
    instants.sort_by(|one, other| one.0.total_cmp(&other.0));
    instants.into_iter().map(|(_, at)| at).collect()
}

/// Something that does operations one after another, and answers.
trait Server {
    /// What a client asks for.
    fn ask(&self, chance: &mut Chance, nth: usize) -> (&'static str, Value);
    fn answer(&mut self, function: &str, argument: &Value, chance: &mut Chance) -> Value;
}

struct Bank([i64; 3]);

impl Server for Bank {
    fn ask(&self, chance: &mut Chance, _: usize) -> (&'static str, Value) {
        let moved = list([number(chance.below(3)), number(chance.below(3)), number(chance.below(8))]);
        if chance.one_in(2) { ("transfer", moved) } else { ("read", Value::Nil) }
    }

    fn answer(&mut self, function: &str, argument: &Value, _: &mut Chance) -> Value {
        if let ("transfer", Value::List(moved)) = (function, argument)
            && let [Value::Int(from), Value::Int(to), Value::Int(amount)] = **moved
            && self.0[from as usize] >= amount
        {
            self.0[from as usize] -= amount;
            self.0[to as usize] += amount;
        }
        list(self.0.map(Value::Int))
    }
}

#[derive(Default)]
struct Set(std::collections::BTreeSet<Value>);

impl Server for Set {
    fn ask(&self, chance: &mut Chance, _: usize) -> (&'static str, Value) {
        if chance.one_in(2) { ("add", number(chance.below(4))) } else { ("read", Value::Nil) }
    }

    fn answer(&mut self, function: &str, argument: &Value, _: &mut Chance) -> Value {
        if function == "add" {
            self.0.insert(argument.clone());
        }
        list(self.0.iter().cloned())
    }
}

/// A counter, which gives ids, too.
struct Counter {
    value: i64,
    functions: &'static [&'static str],
}

impl Server for Counter {
    fn ask(&self, chance: &mut Chance, _: usize) -> (&'static str, Value) {
        let function = self.functions[chance.below(self.functions.len())];
        (function, if function == "add" { Value::Int(chance.below(7) as i64 - 3) } else { Value::Nil })
    }

    fn answer(&mut self, function: &str, argument: &Value, _: &mut Chance) -> Value {
        self.value += match (function, argument) {
            ("add", Value::Int(amount)) => *amount,
            ("increment" | "generate", _) => 1,
            ("decrement", _) => -1,
            _ => 0,
        };
        Value::Int(self.value)
    }
}

#[derive(Default)]
struct Queue(Vec<Value>);

impl Server for Queue {
    fn ask(&self, chance: &mut Chance, _: usize) -> (&'static str, Value) {
        match chance.below(7) {
            0..3 => ("enqueue", number(chance.below(4))),
            3..6 => ("dequeue", Value::Nil),
            _ => ("drain", Value::Nil),
        }
    }

    fn answer(&mut self, function: &str, argument: &Value, chance: &mut Chance) -> Value {
        match function {
            "enqueue" => self.0.push(argument.clone()),
            "drain" => return list(self.0.drain(..)),
            _ if self.0.is_empty() => return [Value::Nil, Value::text("empty")][chance.below(2)].clone(),
            _ => return self.0.swap_remove(chance.below(self.0.len())),
        }
        argument.clone()
    }
}

/// Registers of micro-operations.
#[derive(Default)]
struct Snapshots([bool; 5]);

impl Server for Snapshots {
    fn ask(&self, chance: &mut Chance, nth: usize) -> (&'static str, Value) {
        let part = |kind: &str, key, value| list([Value::text(kind), number(key), value]);
        if nth < self.0.len() && chance.one_in(2) {
            return ("write", list([part("w", nth, number(1))]));
        }
        let keys = (0..self.0.len()).filter(|_| !chance.one_in(3)).collect::<Vec<_>>();
        ("read", list(keys.into_iter().map(|key| part("r", key, Value::Nil))))
    }

    fn answer(&mut self, function: &str, argument: &Value, _: &mut Chance) -> Value {
        let parts = super::histories::items(argument);
        let key = |part: &Value| super::histories::int(&super::histories::items(part)[1]).unwrap_or(0) as usize;
        if function == "write" {
            parts.iter().for_each(|part| self.0[key(part)] = true);
            return argument.clone();
        }
        let seen = |part: &Value| if self.0[key(part)] { number(1) } else { Value::Nil };
        list(parts.iter().map(|part| list([Value::text("r"), number(key(part)), seen(part)])))
    }
}

#[derive(Default)]
struct Register(Value);

impl Server for Register {
    fn ask(&self, chance: &mut Chance, nth: usize) -> (&'static str, Value) {
        if chance.one_in(2) { ("write", number(nth)) } else { ("read", Value::Nil) }
    }

    fn answer(&mut self, function: &str, argument: &Value, _: &mut Chance) -> Value {
        if function == "write" {
            self.0 = argument.clone();
        }
        self.0.clone()
    }
}

fn server(invariant: Invariant) -> Box<dyn Server> {
    let counter = |functions| Box::new(Counter { value: 0, functions });
    match invariant {
        Invariant::Bank => Box::new(Bank([5, 5, 0])),
        Invariant::Set | Invariant::SetFull => Box::<Set>::default(),
        Invariant::Counter => counter(&["add", "increment", "decrement", "read", "read"]),
        Invariant::Monotonic => counter(&["increment", "read"]),
        Invariant::UniqueIds => counter(&["generate"]),
        Invariant::Queue => Box::<Queue>::default(),
        Invariant::LongFork => Box::<Snapshots>::default(),
        Invariant::Staleness => Box::<Register>::default(),
    }
}

#[test]
fn histories_of_right_objects_are_never_accused() {
    let mut valid = [0; Invariant::ALL.len()];
    for seed in 0..histories() {
        let mut chance = Chance::of(seed);
        let which = chance.below(Invariant::ALL.len());
        let invariant = Invariant::ALL[which];
        let mut ops = intervals(&mut chance);
        let mut server = server(invariant);
        for (nth, op) in ops.iter_mut().enumerate() {
            (op.function, op.argument) = server.ask(&mut chance, nth);
        }
        for at in in_order(&mut chance, &ops) {
            let op = &mut ops[at];
            op.result = server.answer(op.function, &op.argument, &mut chance);
        }
        let options =
            Options { linearizable: true, max_versions: Some(0), max_nanoseconds: Some(0), ..Options::default() };
        let verdict = invariants::check(&history(&ops), invariant, &options).expect("it fits");
        assert_eq!(verdict.anomalies(), [], "{}, seed {seed}: {ops:#?}", invariant.name());
        valid[which] += u64::from(verdict.word() == "valid");
    }
    assert!(valid.iter().all(|count| *count * 20 > histories() / 10), "{valid:?} of {}", histories());
}
