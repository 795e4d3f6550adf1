//! Bounds of counters.

use shakedown_checkers::Value;
use shakedown_checkers::invariants::{self, Invariant, Options};

use super::definition::{agrees_with_the_definition, collect, names};
use super::histories::{Chance, Op, int, sequence};

/// What the operations of a small history do.
pub fn fill(chance: &mut Chance, ops: &mut [Op]) {
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
}

#[test]
fn counters_stay_within_bounds_as_defined() {
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
fn sums_beyond_the_largest_number_do_not_wrap_round() {
    let add = |amount| ("add", Value::Int(amount), Value::Nil);
    let judged = |value| {
        let history = sequence(&[add(i64::MAX), add(i64::MAX), add(2), ("read", Value::Nil, Value::Int(value))]);
        names(&history, Invariant::Counter, &Options::default()).into_iter().collect::<Vec<_>>()
    };
    assert_eq!(judged(0), ["counter-too-low"]);
    assert_eq!(judged(i64::MAX), ["counter-too-low"]);
}

#[test]
fn what_is_in_a_proof_suffices_whatever_the_others_did() {
    let add = |amount| ("add", Value::Int(amount), Value::Nil);
    let history = sequence(&[add(1), add(1), add(1), add(-1), ("read", Value::Nil, Value::Int(0))]);
    let verdict = invariants::check(&history, Invariant::Counter, &Options::default()).expect("it fits");
    let [low] = verdict.anomalies() else { panic!("{verdict:?}") };
    assert_eq!(low.proof.len(), 3, "the third addition may have been taken back: {low:?}");
    assert_eq!(low.sources.len(), 1);
}
