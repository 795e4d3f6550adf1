//! What goes in and comes out.

use shakedown_checkers::invariants::{self, Invariant, Options};
use shakedown_checkers::{Outcome, Value};

use super::definition::{agrees_with_the_definition, collect, names};
use super::histories::{Chance, Op, items, list, number, sequence};

/// What the operations of a small history do.
pub fn fill(chance: &mut Chance, ops: &mut [Op]) {
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
        // Nobody wrote down what it took.
        if op.is("drain") && chance.one_in(8) {
            op.result = Value::Nil;
        }
        if op.is("dequeue") && op.result == Value::Nil && chance.one_in(3) {
            op.result = Value::text("empty");
        }
        if op.is("dequeue") && chance.one_in(12) {
            op.result = number(chance.below(5));
        }
    }
}

#[test]
fn queues_lose_and_repeat_as_defined() {
    let options = [Options::default(), Options { duplicates: true, ..Options::default() }];
    agrees_with_the_definition(Invariant::Queue, &options, fill, |ops, options| {
        let is_empty = |op: &Op| [Value::Nil, Value::text("empty")].contains(&op.result);
        let found_empty = |op: &&Op| (op.is("drain") && op.result != Value::Nil) || (op.is("dequeue") && is_empty(op));
        let last_empty = ops.iter().rfind(found_empty).map(|op| op.invoked);
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
        let unrecorded = ops.iter().any(|op| op.is("drain") && op.result == Value::Nil);
        collect([
            ("lost-element", !unrecorded && crashed("drain") == 0 && lost > crashed("dequeue")),
            ("duplicated-element", duplicated && !options.duplicates),
            ("unexpected-element", unexpected),
        ])
    });
}

#[test]
fn a_drain_of_which_nothing_was_recorded_excuses_all_that_is_missing() {
    let put = ("enqueue", number(1), Value::Nil);
    let found =
        |ops: &[_]| names(&sequence(ops), Invariant::Queue, &Options::default()).into_iter().collect::<Vec<_>>();
    assert_eq!(found(&[put.clone(), ("drain", Value::Nil, list([]))]), ["lost-element"]);
    assert!(found(&[put.clone(), ("drain", Value::Nil, Value::Nil)]).is_empty());
    assert!(found(&[put.clone(), ("drain", Value::Nil, Value::Nil), ("drain", Value::Nil, list([]))]).is_empty());
    assert_eq!(found(&[put, ("dequeue", Value::Nil, Value::text("empty"))]), ["lost-element"], "as Knossos says it");
}

#[test]
fn nothing_is_no_element() {
    let history = sequence(&[("enqueue", Value::Nil, Value::Nil)]);
    let misfit = invariants::check(&history, Invariant::Queue, &Options::default()).expect_err("nil stands for none");
    let expected = "operation 0 (enqueue) does not fit queue: expected an element as its argument, found nil, which stands for none";
    assert_eq!(misfit.to_string(), expected);
}
