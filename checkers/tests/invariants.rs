//! Every invariant against its definition, on many small histories.
//!
//! `SHAKEDOWN_HISTORIES` tells how many histories a test tries; a failure prints the seed and the history. Each definition is
//! the sentence that opens the checker, written down without regard to cost, and gives the names of what is wrong.

use std::collections::BTreeSet;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use shakedown_checkers::history::{Event, EventType, HistoryBuilder, NEVER, Process};
use shakedown_checkers::invariants::{self, Invariant, Options, staleness};
use shakedown_checkers::{History, Outcome, Value};

fn histories() -> u64 {
    std::env::var("SHAKEDOWN_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(5_000)
}

struct Chance(Xoshiro256PlusPlus);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

#[derive(Clone, Debug)]
struct Op {
    process: u32,
    invoked: u32,
    /// When it ended; `NEVER` if no event says so.
    completed: u32,
    outcome: Outcome,
    function: &'static str,
    argument: Value,
    result: Value,
}

impl Op {
    fn happened(&self) -> bool {
        self.outcome == Outcome::Ok
    }

    fn may_have_happened(&self) -> bool {
        self.outcome != Outcome::Fail
    }

    fn is(&self, function: &str) -> bool {
        self.happened() && self.function == function
    }
}

/// Operations of three processes that overlap at random: what they do is filled in later.
fn intervals(chance: &mut Chance) -> Vec<Op> {
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
            let (function, argument, result) = ("", Value::Nil, Value::Nil);
            let outcome = Outcome::Info;
            ops.push(Op { process, invoked: position, completed: NEVER, outcome, function, argument, result });
        } else {
            continue;
        }
        position += 1;
    }
    ops
}

fn history(ops: &[Op]) -> History {
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
            key: None,
            value: value.clone(),
            error: None,
        };
        assert_eq!(builder.push(event), Ok(position));
    }
    builder.finish()
}

fn names(history: &History, invariant: Invariant, options: &Options) -> BTreeSet<&'static str> {
    let verdict = invariants::check(history, invariant, options).expect("the generator fits the invariant");
    verdict.anomalies().iter().map(|anomaly| anomaly.name).collect()
}

/// Judges many histories, and holds what was found, and each proof, against the definition.
fn agrees_with_the_definition(
    invariant: Invariant,
    options: &[Options],
    mut fill: impl FnMut(&mut Chance, &mut [Op]),
    definition: impl Fn(&[Op], &Options) -> BTreeSet<&'static str>,
) {
    let mut seen: BTreeSet<&'static str> = BTreeSet::new();
    let mut invalid = 0;
    for seed in 0..histories() {
        let mut chance = Chance(Xoshiro256PlusPlus::seed_from_u64(seed));
        let mut ops = intervals(&mut chance);
        fill(&mut chance, &mut ops);
        let options = &options[seed as usize % options.len()];
        let history = history(&ops);
        let verdict = invariants::check(&history, invariant, options).expect("the generator fits the invariant");
        let found: BTreeSet<&str> = verdict.anomalies().iter().map(|anomaly| anomaly.name).collect();
        let told = || format!("seed {seed}, {options:?}: {verdict:?}\n{ops:#?}");
        assert_eq!(found, definition(&ops, options), "{}", told());
        invalid += u64::from(!found.is_empty());
        for anomaly in verdict.anomalies() {
            assert!(!anomaly.sentence.is_empty());
            let shown = anomaly.operations();
            let alone = history.restricted_to(|id| shown.contains(&id));
            let name = anomaly.name;
            assert!(
                names(&alone, invariant, options).contains(name),
                "{name}: it is not all that shows it: {}",
                told()
            );
            for needless in &anomaly.proof {
                // How the same element came out for others may show too that the queue was empty.
                let op = &ops[needless.row()];
                if name == "lost-element" && (op.is("drain") || op.is("dequeue")) {
                    continue;
                }
                let less = history.restricted_to(|id| shown.contains(&id) && id != *needless);
                let enough = names(&less, invariant, options).contains(name);
                assert!(!enough, "{name} is shown without {needless:?}: {}", told());
            }
        }
        seen.extend(found);
    }
    let share = 100 * invalid / histories();
    eprintln!("{}: {share} % of {} invalid; seen {seen:?}", invariant.name(), histories());
    assert!((5..=95).contains(&share), "{share} % of the histories of {} are invalid", invariant.name());
}

fn number(value: usize) -> Value {
    Value::Int(value as i64)
}

fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

fn list(values: impl IntoIterator<Item = Value>) -> Value {
    Value::List(values.into_iter().collect())
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::List(items) => items,
        _ => &[],
    }
}

fn collect<'a>(rules: impl IntoIterator<Item = (&'a str, bool)>) -> BTreeSet<&'a str> {
    rules.into_iter().filter(|(_, broken)| *broken).map(|(name, _)| name).collect()
}

#[test]
fn bank_totals_are_as_defined() {
    let accounts = Some(vec![number(0), number(1)]);
    let options = [
        Options::default(),
        Options { total: Some(10), ..Options::default() },
        Options { negative_balances: true, accounts, ..Options::default() },
    ];
    let fill = |chance: &mut Chance, ops: &mut [Op]| {
        for op in ops {
            op.function = if chance.one_in(3) { "transfer" } else { "read" };
            let first = chance.below(4) as i64 * 5 - 3 * i64::from(chance.one_in(9));
            let second = 10 - first + i64::from(chance.one_in(9));
            let mut balances = vec![(number(0), Value::Int(first)), (number(1), Value::Int(second))];
            match chance.below(20) {
                0 => balances[1].1 = Value::Nil,
                1 => drop(balances.pop()),
                2 => balances.push((number(2), number(0))),
                _ => {}
            }
            if op.function == "read" {
                op.result = Value::Map(balances.into_boxed_slice());
            }
        }
    };
    agrees_with_the_definition(Invariant::Bank, &options, fill, |ops, options| {
        let reads: Vec<Vec<(Value, Option<i64>)>> = ops
            .iter()
            .filter(|op| op.is("read"))
            .map(|op| match &op.result {
                Value::Map(entries) => entries.iter().map(|(name, value)| (name.clone(), int(value))).collect(),
                _ => Vec::new(),
            })
            .collect();
        let whole = reads.iter().filter(|read| read.iter().all(|(_, balance)| balance.is_some()));
        let totals: Vec<i64> = whole.map(|read| read.iter().filter_map(|(_, balance)| *balance).sum()).collect();
        let expected = options.accounts.clone();
        let shows = |read: &[(Value, Option<i64>)], account: &Value| read.iter().any(|(name, _)| name == account);
        collect([
            ("nil-balance", reads.iter().flatten().any(|(_, balance)| balance.is_none())),
            (
                "negative-value",
                !options.negative_balances && reads.iter().flatten().any(|(_, b)| b.is_some_and(|b| b < 0)),
            ),
            ("wrong-total", totals.iter().any(|total| *total != options.total.unwrap_or(totals[0]))),
            (
                "missing-account",
                expected.iter().flatten().any(|account| reads.iter().any(|read| !shows(read, account))),
            ),
            (
                "unexpected-account",
                expected.is_some_and(|expected| reads.iter().flatten().any(|(name, _)| !expected.contains(name))),
            ),
        ])
    });
}

/// Adds of 0 to 3, and reads that show most of what was added before, and now and then something else.
fn fill_set(chance: &mut Chance, ops: &mut [Op]) {
    for at in 0..ops.len() {
        if chance.one_in(2) {
            ops[at].function = "add";
            ops[at].argument = number(chance.below(4));
            ops[at].result = ops[at].argument.clone();
            continue;
        }
        let added: BTreeSet<Value> =
            ops[..at].iter().filter(|op| op.function == "add").map(|op| op.argument.clone()).collect();
        let mut shown: Vec<Value> = added.into_iter().filter(|_| !chance.one_in(6)).collect();
        if chance.one_in(20) {
            shown.push(number(chance.below(5)));
        }
        ops[at].function = "read";
        ops[at].result = list(shown);
    }
}

fn unexpected(ops: &[Op], read: &Op) -> bool {
    let explained = |element: &Value| {
        ops.iter().any(|add| {
            add.function == "add" && add.may_have_happened() && add.argument == *element && add.invoked < read.completed
        })
    };
    items(&read.result).iter().any(|element| !explained(element))
}

#[test]
fn sets_read_once_are_as_defined() {
    agrees_with_the_definition(Invariant::Set, &[Options::default()], fill_set, |ops, _| {
        let Some(last) = ops.iter().rfind(|op| op.is("read")) else { return BTreeSet::new() };
        let before = |add: &&Op| add.is("add") && add.completed < last.invoked;
        collect([
            ("lost-element", ops.iter().filter(before).any(|add| !items(&last.result).contains(&add.argument))),
            ("unexpected-element", unexpected(ops, last)),
        ])
    });
}

#[test]
fn sets_read_all_the_time_are_as_defined() {
    let options = [Options::default(), Options { linearizable: true, ..Options::default() }];
    agrees_with_the_definition(Invariant::SetFull, &options, fill_set, |ops, options| {
        let reads: Vec<&Op> = ops.iter().filter(|op| op.is("read")).collect();
        let twice = |read: &&Op| items(&read.result).iter().collect::<BTreeSet<_>>().len() < items(&read.result).len();
        let lost = |element: &Value| fate(ops, element) == Some(false);
        let stale = |element: &Value| fate(ops, element) == Some(true);
        let elements = (0..4).map(number).collect::<Vec<_>>();
        collect([
            ("lost-element", elements.iter().any(lost)),
            ("stale-element", options.linearizable && elements.iter().any(stale)),
            ("duplicated-element", reads.iter().copied().any(|read| twice(&read))),
            ("unexpected-element", reads.iter().any(|read| unexpected(ops, read))),
        ])
    });
}

/// Of an element that somebody missed although it was there: whether somebody who began later than all of these found it.
fn fate(ops: &[Op], element: &Value) -> Option<bool> {
    let shows = |op: &Op| op.is("read") && items(&op.result).contains(element);
    if !ops.iter().any(|op| op.function == "add" && op.argument == *element) {
        return None;
    }
    let knows = |op: &&Op| (op.is("add") && op.argument == *element) || shows(op);
    let missed = ops.iter().filter(|op| op.is("read") && !shows(op));
    let mut missed = missed.filter(|read| ops.iter().filter(knows).any(|op| op.completed < read.invoked));
    let last = missed.next_back()?;
    Some(ops.iter().any(|later| later.invoked > last.invoked && shows(later)))
}

#[test]
fn counters_stay_within_bounds_as_defined() {
    let fill = |chance: &mut Chance, ops: &mut [Op]| {
        let mut sum = 0;
        for op in ops {
            op.function = ["add", "add", "increment", "decrement", "read", "read", "read"][chance.below(7)];
            match op.function {
                "add" => op.argument = Value::Int(chance.below(6) as i64 - 2),
                "read" => op.result = Value::Int(sum + chance.below(3) as i64 - 1),
                _ => {}
            }
            if op.happened() {
                sum += change(op);
            }
        }
    };
    let options = [Options::default()];
    agrees_with_the_definition(Invariant::Counter, &options, fill, |ops, _| {
        let certain = |read: &Op, op: &&Op| op.happened() && op.completed < read.invoked;
        let possible = |read: &Op, op: &&Op| op.may_have_happened() && op.invoked < read.completed;
        let sum = |which: &dyn Fn(&&Op) -> bool, sign: i64| -> i64 {
            ops.iter().filter(which).map(change).filter(|amount| amount * sign > 0).sum()
        };
        let reads: Vec<&Op> = ops.iter().filter(|op| op.is("read")).collect();
        let value = |read: &Op| int(&read.result).expect("reads answer numbers");
        let low = |read: &&Op| value(read) < sum(&|op| certain(read, op), 1) + sum(&|op| possible(read, op), -1);
        let high = |read: &&Op| value(read) > sum(&|op| possible(read, op), 1) + sum(&|op| certain(read, op), -1);
        collect([
            ("counter-too-low", reads.iter().copied().any(|read| low(&read))),
            ("counter-too-high", reads.iter().copied().any(|read| high(&read))),
        ])
    });
}

fn change(op: &Op) -> i64 {
    match op.function {
        "add" => int(&op.argument).expect("adds have amounts"),
        "increment" => 1,
        "decrement" => -1,
        _ => 0,
    }
}

#[test]
fn queues_lose_and_repeat_as_defined() {
    let fill = |chance: &mut Chance, ops: &mut [Op]| {
        let mut inside: Vec<Value> = Vec::new();
        for op in ops {
            op.function = ["enqueue", "enqueue", "dequeue", "dequeue", "drain"][chance.below(5)];
            match op.function {
                "enqueue" => {
                    op.argument = number(chance.below(4));
                    inside.extend(Some(op.argument.clone()).filter(|_| op.may_have_happened() && !chance.one_in(10)));
                }
                "dequeue" if op.happened() => op.result = inside.pop().unwrap_or_default(),
                "drain" if op.happened() => op.result = list(inside.drain(..)),
                _ => {}
            }
            if op.is("dequeue") && chance.one_in(12) {
                op.result = number(chance.below(5));
            }
        }
    };
    let options = [Options::default(), Options { duplicates: true, ..Options::default() }];
    agrees_with_the_definition(Invariant::Queue, &options, fill, |ops, options| {
        let last_empty =
            ops.iter().rfind(|op| op.is("drain") || (op.is("dequeue") && op.result == Value::Nil)).map(|op| op.invoked);
        let (mut lost, mut duplicated, mut unexpected) = (0, false, false);
        for element in (0..5).map(number) {
            let puts = |op: &&Op| op.function == "enqueue" && op.argument == element;
            let mut out: Vec<u32> = Vec::new();
            for op in ops {
                let times = match op.function {
                    "dequeue" if op.happened() => usize::from(op.result == element),
                    "drain" if op.happened() => items(&op.result).iter().filter(|item| **item == element).count(),
                    _ => 0,
                };
                out.extend(std::iter::repeat_n(op.completed, times));
            }
            let certain = ops.iter().filter(puts).filter(|op| op.happened() && Some(op.completed) < last_empty).count();
            lost += certain.saturating_sub(out.len());
            // At no time may more have come out than may have gone in.
            let into =
                |time: u32| ops.iter().filter(puts).filter(|op| op.may_have_happened() && op.invoked < time).count();
            let by = |time: u32| out.iter().filter(|end| **end <= time).count();
            let early = out.iter().any(|time| into(*time) == 0);
            unexpected |= early;
            duplicated |= !early && out.iter().any(|time| by(*time) > into(*time));
        }
        let crashed = |function| ops.iter().filter(|op| op.function == function && op.outcome == Outcome::Info).count();
        collect([
            ("lost-element", crashed("drain") == 0 && lost > crashed("dequeue")),
            ("duplicated-element", duplicated && !options.duplicates),
            ("unexpected-element", unexpected),
        ])
    });
}

#[test]
fn long_forks_are_as_defined() {
    let part = |kind: &str, key: usize, value: Value| list([Value::text(kind), number(key), value]);
    let fill = |chance: &mut Chance, ops: &mut [Op]| {
        let mut written = 0;
        for op in ops {
            if written < 3 && chance.one_in(3) {
                op.function = "write";
                op.argument = list([part("w", written, number(1))]);
                op.result = op.argument.clone();
                written += 1;
                continue;
            }
            op.function = "read";
            let skipped = chance.below(6);
            // Mostly as far as the writes came in their order.
            let upto = chance.below(4);
            let keys = (0..3).filter(|key| *key != skipped).map(|key| {
                let value = if (key < upto) != chance.one_in(8) { number(1) } else { Value::Nil };
                part("r", key, value)
            });
            op.result = list(keys);
        }
    };
    agrees_with_the_definition(Invariant::LongFork, &[Options::default()], fill, |ops, _| {
        let sees = |read: &Op, key: usize| {
            let of = |part: &&Value| items(part)[1] == number(key);
            items(&read.result).iter().find(of).map(|part| items(part)[2] != Value::Nil)
        };
        let reads: Vec<&Op> = ops.iter().filter(|op| op.is("read")).collect();
        let only = |read: &Op, x, y| sees(read, x) == Some(true) && sees(read, y) == Some(false);
        let pairs = (0..3).flat_map(|x| (0..3).map(move |y| (x, y)));
        let forked = |(x, y)| reads.iter().any(|one| only(one, x, y)) && reads.iter().any(|other| only(other, y, x));
        collect([("long-fork", pairs.into_iter().any(forked))])
    });
}

#[test]
fn ids_are_unique_as_defined() {
    let fill = |chance: &mut Chance, ops: &mut [Op]| {
        for op in ops {
            op.function = "generate";
            op.result = number(chance.below(40));
        }
    };
    agrees_with_the_definition(Invariant::UniqueIds, &[Options::default()], fill, |ops, _| {
        let given: Vec<&Value> = ops.iter().filter(|op| op.happened()).map(|op| &op.result).collect();
        collect([("duplicate-id", given.iter().collect::<BTreeSet<_>>().len() < given.len())])
    });
}

#[test]
fn counters_never_shrink_as_defined() {
    let fill = |chance: &mut Chance, ops: &mut [Op]| {
        let mut value = 0;
        for op in ops {
            op.function = ["read", "read", "increment"][chance.below(3)];
            value += usize::from(op.function == "increment");
            op.result = number(value.saturating_sub(chance.below(8) / 6));
        }
    };
    let options = [Options::default(), Options { linearizable: true, ..Options::default() }];
    agrees_with_the_definition(Invariant::Monotonic, &options, fill, |ops, options| {
        let answers: Vec<&Op> = ops.iter().filter(|op| op.happened()).collect();
        let shrinks = |same: bool| {
            let before = |now: &Op, then: &Op| then.completed < now.invoked && (then.process == now.process) == same;
            let greater =
                |now: &Op| answers.iter().any(|then| before(now, then) && int(&then.result) > int(&now.result));
            answers.iter().any(|now| greater(now))
        };
        let session = shrinks(true);
        collect([("non-monotonic-session", session), ("non-monotonic", options.linearizable && shrinks(false))])
    });
}

/// Writes of 0, 1, 2 …, and reads of what was written lately.
fn fill_registers(chance: &mut Chance, ops: &mut [Op]) {
    let mut written = 0;
    for op in ops {
        if chance.one_in(2) {
            op.function = "write";
            op.argument = number(written);
            op.result = op.argument.clone();
            written += 1;
        } else {
            op.function = "read";
            let back = chance.below(4) / 2;
            op.result = if written > back { number(written - 1 - back) } else { Value::Nil };
        }
    }
}

/// By how many versions, and for how long, a read is behind; `None` if nobody wrote what it read.
fn behind(ops: &[Op], read: &Op) -> Option<(u64, u64)> {
    let writes = |op: &&Op| op.function == "write" && op.may_have_happened();
    let source = ops.iter().filter(writes).find(|write| write.argument == read.result);
    let settled = match source {
        None if read.result == Value::Nil => None,
        None => return None,
        Some(source) => {
            let acknowledged = Some(source).filter(|source| source.happened());
            let readers = ops.iter().filter(|op| op.is("read") && op.result == read.result);
            acknowledged.into_iter().chain(readers).map(|op| op.completed).min()
        }
    };
    let newer = ops.iter().filter(|op| op.is("write") && Some(op.invoked) > settled && op.completed < read.invoked);
    let ends: Vec<u32> = newer.map(|write| write.completed).collect();
    let since = ends.iter().min().map_or(0, |first| u64::from(read.invoked - first) * 10);
    Some((ends.len() as u64, since))
}

#[test]
fn staleness_is_bounded_as_defined() {
    let options = [
        Options { max_versions: Some(0), ..Options::default() },
        Options { max_versions: Some(1), ..Options::default() },
        Options { max_nanoseconds: Some(30), ..Options::default() },
    ];
    agrees_with_the_definition(Invariant::Staleness, &options, fill_registers, |ops, options| {
        let all: Vec<(u64, u64)> = ops.iter().filter(|op| op.is("read")).filter_map(|read| behind(ops, read)).collect();
        let over = |(versions, time): &(u64, u64)| {
            options.max_versions.is_some_and(|most| *versions > most)
                || options.max_nanoseconds.is_some_and(|most| *time > most)
        };
        collect([("stale-read", all.iter().any(over))])
    });
}

#[test]
fn staleness_is_measured_as_defined() {
    for seed in 0..histories() {
        let mut chance = Chance(Xoshiro256PlusPlus::seed_from_u64(seed));
        let mut ops = intervals(&mut chance);
        fill_registers(&mut chance, &mut ops);
        let reads = ops.iter().filter(|op| op.is("read"));
        let (mut versions, mut times): (Vec<u64>, Vec<u64>) = reads.filter_map(|read| behind(&ops, read)).unzip();
        versions.sort_unstable();
        times.sort_unstable();
        let measured = staleness::measure(&history(&ops)).expect("values are distinct");
        assert_eq!(measured.versions.samples(), versions, "seed {seed}: {ops:#?}");
        assert_eq!(measured.nanoseconds.samples(), times, "seed {seed}: {ops:#?}");
    }
}

/// A history of one process after another: function, argument, result.
fn sequence(ops: &[(&'static str, Value, Value)]) -> History {
    let ops: Vec<Op> = ops
        .iter()
        .enumerate()
        .map(|(at, (function, argument, result))| Op {
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

#[test]
fn the_workload_is_guessed_where_only_one_fits() {
    let add = ("add", number(1), number(1));
    let guessed = |ops: &[(&'static str, Value, Value)]| Invariant::guess(&sequence(ops));
    assert_eq!(guessed(&[add.clone(), ("read", Value::Nil, list([number(1)]))]), Some(Invariant::SetFull));
    assert_eq!(guessed(&[add.clone(), ("read", Value::Nil, number(1))]), Some(Invariant::Counter));
    assert_eq!(guessed(&[add]), None, "a set or a counter");
    assert_eq!(guessed(&[("generate", Value::Nil, number(1))]), Some(Invariant::UniqueIds));
    assert_eq!(guessed(&[("drain", Value::Nil, list([]))]), Some(Invariant::Queue));
    assert_eq!(guessed(&[("transfer", Value::Nil, Value::Nil)]), Some(Invariant::Bank));
    assert_eq!(guessed(&[("read", Value::Nil, number(1)), ("write", number(1), number(1))]), None);
    assert_eq!(guessed(&[("read", Value::Nil, Value::Nil)]), None);
    assert_eq!(
        guessed(&[("read", Value::Nil, list([list([Value::text("r"), number(0), number(1)])]))]),
        Some(Invariant::LongFork)
    );
    assert_eq!(guessed(&[]), None);
}

#[test]
fn names_lead_back_to_their_invariants() {
    for invariant in Invariant::ALL {
        assert_eq!(Invariant::from_name(invariant.name()), Some(invariant));
        assert!(!invariant.summary().is_empty());
    }
    assert_eq!(Invariant::from_name("total-queue"), Some(Invariant::Queue));
}

#[test]
fn what_does_not_fit_is_told_with_its_place() {
    let history = sequence(&[("add", number(1), number(1)), ("read", Value::Nil, Value::Bool(true))]);
    let misfit = invariants::check(&history, Invariant::Counter, &Options::default()).expect_err("true is no number");
    let expected = "operation 2 (read) does not fit counter: expected a whole number as its result, found true";
    assert_eq!(misfit.to_string(), expected);
}

/// Names of what is found in a long history of this workload, in which one answer was changed.
fn planted(
    invariant: Invariant,
    linearizable: bool,
    mut ops: Vec<(&'static str, Value, Value)>,
    change: (usize, Value),
) -> Vec<&'static str> {
    let options = Options { linearizable, ..Options::default() };
    assert_eq!(invariants::check(&sequence(&ops), invariant, &options).expect("it fits").word(), "valid");
    ops[change.0].2 = change.1;
    names(&sequence(&ops), invariant, &options).into_iter().collect()
}

#[test]
fn one_wrong_answer_among_thousands_is_found_by_its_name() {
    let (nil, count) = (Value::Nil, 2_000);
    let each = |of: &dyn Fn(usize) -> [(&'static str, Value, Value); 2]| (0..count).flat_map(of).collect::<Vec<_>>();
    let accounts = |a: i64, b: i64| Value::Map(Box::new([(number(0), Value::Int(a)), (number(1), Value::Int(b))]));
    let bank = each(&|n| {
        let moved = (n % 10) as i64;
        [("transfer", number(1), number(1)), ("read", nil.clone(), accounts(moved, 10 - moved))]
    });
    assert_eq!(planted(Invariant::Bank, false, bank, (2_001, accounts(5, 6))), ["wrong-total"]);
    let counter = each(&|n| [("add", number(1), number(1)), ("read", nil.clone(), number(n + 1))]);
    assert_eq!(planted(Invariant::Counter, false, counter.clone(), (2_001, number(1_000))), ["counter-too-low"]);
    assert_eq!(planted(Invariant::Counter, false, counter.clone(), (2_001, number(1_002))), ["counter-too-high"]);
    let added = |n: usize| list((0..n.min(50)).map(number));
    let set = each(&|n| [("add", number(n.min(49)), nil.clone()), ("read", nil.clone(), added(n + 1))]);
    assert_eq!(planted(Invariant::SetFull, true, set.clone(), (2_001, added(49))), ["stale-element"]);
    assert_eq!(planted(Invariant::SetFull, false, set.clone(), (3_999, added(49))), ["lost-element"]);
    assert_eq!(planted(Invariant::Set, false, set, (3_999, list((0..51).map(number)))), ["unexpected-element"]);
    let mut queue = each(&|n| [("enqueue", number(n), number(n)), ("dequeue", nil.clone(), number(n))]);
    queue.push(("drain", nil.clone(), list([])));
    assert_eq!(planted(Invariant::Queue, false, queue.clone(), (2_001, nil.clone())), ["lost-element"]);
    let wrong = planted(Invariant::Queue, false, queue, (2_001, number(7)));
    assert_eq!(wrong, ["duplicated-element", "lost-element"]);
    let registers = each(&|n| [("write", number(n), number(n)), ("read", nil.clone(), number(n))]);
    let monotonic = registers.iter().filter(|op| op.0 == "read").cloned().collect();
    assert_eq!(planted(Invariant::Monotonic, true, monotonic, (1_000, number(998))), ["non-monotonic"]);
    let ids = registers.iter().map(|op| ("generate", nil.clone(), list([Value::text(op.0), op.2.clone()]))).collect();
    assert_eq!(
        planted(Invariant::UniqueIds, false, ids, (2_000, list([Value::text("read"), number(7)]))),
        ["duplicate-id"]
    );
}
