//! Changes of a history of registers that must not change its verdict, or must change it in a known way.
//!
//! `SHAKEDOWN_HISTORIES` tells how many histories a test tries; a failure prints the seed.

use crate::definition;
use crate::registers;

use definition::Op;
use registers::{Chance, Mixture, Simulation, simulate, spoil};
use shakedown_checkers::history::{Event, EventType, HistoryBuilder, NEVER, Process};
use shakedown_checkers::{Budget, History, ModelName, OperationId, Outcome, Value, Verdict, linearizability};

fn histories() -> u64 {
    std::env::var("SHAKEDOWN_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(400)
}

/// Distinct values, few values, compare-and-sets, unknown outcomes, several keys.
const MIXTURES: [Mixture; 5] = [
    Mixture { cas: 20, writes: 30, ..Mixture::of(60, 8) },
    Mixture { values: Some(4), writes: 40, fail: 3, ..Mixture::of(80, 8) },
    Mixture { values: Some(5), cas: 30, writes: 20, info: 5, ..Mixture::of(80, 6) },
    Mixture { cas: 20, writes: 30, info: 10, keys: 3, ..Mixture::of(120, 8) },
    Mixture { values: Some(4), cas: 30, writes: 30, keys: 4, fail: 3, ..Mixture::of(150, 8) },
];

fn int(number: i64) -> Value {
    Value::Int(number)
}

/// The history with other names for processes, keys and values.
fn renamed(
    ops: &[Op],
    process: impl Fn(u32) -> u32,
    key: impl Fn(i64) -> Value,
    value: impl Fn(i64) -> Value,
) -> History {
    let mut events: Vec<(u32, &Op, bool)> = ops.iter().map(|op| (op.invoked, op, true)).collect();
    events.extend(ops.iter().filter(|op| op.completed != NEVER).map(|op| (op.completed, op, false)));
    events.sort_unstable_by_key(|(position, ..)| *position);
    let mut builder = HistoryBuilder::new();
    for (_, op, begins) in events {
        let event_type = match op.outcome {
            _ if begins => EventType::Invoke,
            Outcome::Ok => EventType::Ok,
            Outcome::Fail => EventType::Fail,
            Outcome::Info => EventType::Info,
        };
        let numbers = if event_type == EventType::Ok { &op.answer } else { &op.argument };
        let shown = match numbers[..] {
            [] => Value::Nil,
            [one] => value(one),
            [expected, new, ..] => Value::pair(value(expected), value(new)),
        };
        let event = Event {
            index: None,
            time: None,
            process: Process::Client(process(op.process)),
            event_type,
            function: op.function.to_owned(),
            key: Some(key(op.key)),
            value: shown,
            error: None,
        };
        builder.push(event).expect("the generator keeps the rules");
    }
    builder.finish()
}

fn judged(history: &History) -> Verdict {
    linearizability::check(history, ModelName::Kv, None, Budget::default()).expect("the generator fits")
}

fn check(ops: &[Op]) -> Verdict {
    judged(&renamed(ops, |process| process, int, int))
}

/// What a verdict says, apart from names.
fn gist(verdict: &Verdict) -> (&'static str, Vec<(&'static str, Vec<OperationId>)>) {
    (verdict.word(), verdict.anomalies().iter().map(|anomaly| (anomaly.name, anomaly.proof.clone())).collect())
}

/// Many histories, two in three of them spoiled, each with its seed and the chance that is left.
fn each(mut test: impl FnMut(u64, Mixture, Vec<Op>, &mut Chance)) {
    for seed in 0..histories() {
        let mixture = MIXTURES[seed as usize % MIXTURES.len()];
        let mut chance = Chance::of(seed);
        let skewed = chance.percent(50);
        let mut ops = simulate(Mixture { skewed, ..mixture }, &mut chance);
        if chance.percent(66) {
            let changes = 1 + chance.below(8);
            spoil(&mut ops, changes, &mut chance);
        }
        test(seed, mixture, ops, &mut chance);
    }
}

#[test]
fn leaving_out_a_read_keeps_a_valid_history_valid() {
    let mut valid = 0;
    each(|seed, mixture, mut ops, chance| {
        if check(&ops) == Verdict::Valid {
            valid += 1;
            ops.retain(|op| op.function != "read" || chance.percent(80));
            assert_eq!(check(&ops), Verdict::Valid, "seed {seed} of {mixture:?}");
        }
    });
    assert!(valid > histories() / 5);
}

#[test]
fn other_names_for_keys_values_and_processes_change_neither_verdict_nor_proof() {
    let mut invalid = 0;
    each(|seed, mixture, ops, _| {
        let before = gist(&check(&ops));
        invalid += u64::from(before.0 == "invalid");
        let text = |number: i64| Value::text(&format!("v{number}"));
        let large = |number: i64| int(i64::MAX - number);
        let negative = |number: i64| int(-1_000_000_007 * (number + 1));
        let others = [
            renamed(&ops, |process| u32::MAX / 2 - process, large, negative),
            renamed(&ops, |process| process * 1_000 + 17, text, large),
            renamed(&ops, |process| process, negative, text),
            renamed(&ops, |process| process ^ 1, int, |number| Value::pair(int(number), text(number))),
        ];
        for (n, other) in others.iter().enumerate() {
            assert_eq!(gist(&judged(other)), before, "other names {n}, seed {seed} of {mixture:?}");
        }
    });
    assert!(invalid > histories() / 8);
}

#[test]
fn the_order_of_two_invocations_or_of_two_completions_does_not_matter() {
    each(|seed, mixture, mut ops, chance| {
        let before = check(&ops).word();
        for _ in 0..ops.len() {
            let mut places: Vec<(u32, usize, bool)> =
                ops.iter().enumerate().map(|(at, op)| (op.invoked, at, true)).collect();
            places.extend(ops.iter().enumerate().map(|(at, op)| (op.completed, at, false)));
            places.retain(|(position, ..)| *position != NEVER);
            places.sort_unstable();
            let here = chance.of_range(0..places.len() - 1);
            let [(first, one, begins), (second, other, begins_too)] = [places[here], places[here + 1]];
            if begins == begins_too {
                let place =
                    |op: &mut Op, position| *(if begins { &mut op.invoked } else { &mut op.completed }) = position;
                place(&mut ops[one], second);
                place(&mut ops[other], first);
            }
        }
        ops.sort_by_key(|op| op.invoked);
        assert_eq!(check(&ops).word(), before, "seed {seed} of {mixture:?}");
    });
}

#[test]
fn a_stale_read_makes_a_long_valid_history_invalid() {
    for seed in 0..histories().div_ceil(40) {
        let mut chance = Chance::of(seed);
        let mixture = Mixture { cas: 20, writes: 30, info: 3, ..Mixture::of(5_000, 10) };
        let mut ops = simulate(mixture, &mut chance);
        assert_eq!(check(&ops), Verdict::Valid, "seed {seed}");
        let ends = |op: &Op| if op.completed == NEVER { op.invoked } else { op.completed };
        let begin = ops.iter().map(ends).max().unwrap_or(0) + 1;
        let writes: Vec<&Op> = ops.iter().filter(|op| op.function == "write" && op.outcome == Outcome::Ok).collect();
        let old = writes[chance.of_range(0..writes.len() / 2)];
        let overwritten = writes.iter().any(|write| write.invoked > old.completed);
        assert!(overwritten, "seed {seed}");
        let answer = old.argument.clone();
        let read = Op { process: 1_000_000, function: "read", argument: vec![], answer, ..old.clone() };
        ops.push(Op { invoked: begin, completed: begin + 1, ..read });
        let verdict = check(&ops);
        assert_eq!(verdict.word(), "invalid", "seed {seed}");
        assert!(verdict.anomalies()[0].proof.contains(&OperationId(ops.len() as u32 - 1)), "seed {seed}");
    }
}

#[test]
fn a_quiet_moment_parts_a_history_in_two() {
    let (mut halves, mut broken) = (0, 0);
    for seed in 0..histories() {
        let mut chance = Chance::of(seed);
        let mixture = Mixture { info: 0, keys: 1, ..MIXTURES[1 + seed as usize % 2] };
        let mut first = simulate(mixture, &mut chance);
        // A value that is written once, and by nobody else: whatever follows begins with it.
        let mut second = Simulation::new(mixture);
        let (process, argument, answer) = (1_000_000, vec![777], vec![777]);
        let write =
            Op { process, function: "write", key: 0, argument, answer, outcome: Outcome::Ok, invoked: 0, completed: 1 };
        second.ops.push(write);
        second.position = 2;
        second.registers[0] = vec![777];
        second.run(mixture.operations, &mut chance);
        let mut rest = second.ops.split_off(1);
        for half in [&mut first, &mut rest] {
            let changes = chance.below(4);
            spoil(half, changes, &mut chance);
        }
        second.ops.append(&mut rest);
        let verdicts = [check(&first), check(&second.ops)];
        let end = first.iter().map(|op| op.completed).max().unwrap_or(0) + 1;
        let whole: Vec<Op> = first
            .iter()
            .cloned()
            .chain(second.ops.iter().map(|op| Op {
                invoked: op.invoked + end,
                completed: op.completed + end,
                ..op.clone()
            }))
            .collect();
        let valid = verdicts.iter().all(|verdict| *verdict == Verdict::Valid);
        halves += 1;
        broken += u64::from(!valid);
        let expected = if valid { "valid" } else { "invalid" };
        assert_eq!(check(&whole).word(), expected, "seed {seed} of {mixture:?}");
    }
    assert!((15..=85).contains(&(100 * broken / halves)), "{broken} of {halves} are broken");
}

/// The verdicts on each key alone, with the operations as the whole history names them.
fn key_by_key(history: &History) -> Vec<(&'static str, Vec<OperationId>)> {
    let mut keys: Vec<_> = history.operations().map(|operation| operation.key_id()).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut anomalies = Vec::new();
    for key in keys {
        let of_key = |id: &OperationId| history.operation(*id).key_id() == key;
        let rows: Vec<OperationId> = history.operations().map(|operation| operation.id()).filter(of_key).collect();
        let verdict = judged(&history.restricted_to(|id| of_key(&id)));
        assert_ne!(verdict.word(), "unknown");
        for anomaly in verdict.anomalies() {
            anomalies.push((anomaly.name, anomaly.proof.iter().map(|id| rows[id.row()]).collect()));
        }
    }
    anomalies.sort();
    anomalies
}

fn is_the_conjunction_of_its_keys(history: &History, told: impl Fn() -> String) -> usize {
    let verdict = judged(history);
    let expected = key_by_key(history);
    assert_eq!(verdict.word(), if expected.is_empty() { "valid" } else { "invalid" }, "{}", told());
    // The first key that is found broken ends the check.
    let found = gist(&verdict).1;
    assert!(found.iter().all(|anomaly| expected.contains(anomaly)), "{found:?}, {expected:?}: {}", told());
    expected.len()
}

#[test]
fn the_verdict_on_many_keys_is_that_on_each_of_them() {
    let (mut several, mut none) = (0, 0);
    each(|seed, mixture, ops, _| {
        let history = renamed(&ops, |process| process, int, int);
        match is_the_conjunction_of_its_keys(&history, || format!("seed {seed} of {mixture:?}")) {
            0 => none += 1,
            1 => {}
            _ => several += 1,
        }
    });
    assert!(none > histories() / 5 && several > 0, "{none} without an anomaly, {several} with more than one");
}

#[test]
fn many_threads_judge_many_keys_as_one_does_each() {
    for seed in 0..histories().div_ceil(200) {
        let mut chance = Chance::of(seed);
        let mixture = Mixture { values: Some(6), cas: 20, writes: 30, info: 1, keys: 60, ..Mixture::of(30_000, 12) };
        let mut ops = simulate(mixture, &mut chance);
        spoil(&mut ops, 40, &mut chance);
        let history = renamed(&ops, |process| process, int, int);
        assert!(is_the_conjunction_of_its_keys(&history, || format!("seed {seed}")) > 1, "seed {seed}");
    }
}
