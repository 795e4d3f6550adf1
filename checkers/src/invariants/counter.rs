//! **Counter bounds**: a read lies between what must and what may have been added by then.
//!
//! ```text
//!   p0  ├─ add 1 ─┤
//!   p1              ├─ add 2 ─────────┤
//!   p2                 ├─ read → 4 ─┤       forbidden: 1 must be there and 2 may be, so 1 to 3 is right
//! ```
//!
//! *When to ask for it rather than for linearizability:* in long histories with many unknown outcomes. It judges each read by itself, and does not
//! see that two reads contradict each other, nor that no sum gives a value within the bounds.
//!
//! *Method:* an increment is certain for a read if it was acknowledged before the read began, and possible if it began before the
//! read ended and did not fail. The least value is the start, all certain positive amounts, and all possible negative ones; the greatest the other way round. Sums over the
//! sorted events give both. *Source:* `jepsen.checker/counter`, here with amounts of both signs. *Cost:* n log n.

use crate::History;
use crate::history::{EventPosition, Operation, Outcome, Value};

use super::objects::{Object, anomaly, began, objects, others};
use super::{Findings, Options};

pub(super) fn judge(history: &History, options: &Options) -> Findings {
    let mut findings = Findings::default();
    let initial = i128::from(options.initial.unwrap_or(0));
    for object in objects(history) {
        judge_object(&object, initial, &mut findings);
    }
    findings
}

/// So many operations that pull a counter back are shown beside a proof, or none.
const SHOWN: usize = 64;

fn judge_object(object: &Object<'_>, initial: i128, findings: &mut Findings) {
    let changes: Vec<(Operation<'_>, i128)> =
        object.operations.iter().filter_map(|operation| Some((*operation, amount(*operation)?))).collect();
    let happened = changes.iter().filter(|(change, _)| change.outcome() == Outcome::Ok);
    let certain = Sums::of(happened.map(|(change, amount)| (change.completed(), *amount)).collect());
    let perhaps = changes.iter().filter(|(change, _)| change.outcome() != Outcome::Fail);
    let possible = Sums::of(perhaps.map(|(change, amount)| (change.invoked(), *amount)).collect());

    let (mut low, mut high) = (Vec::new(), Vec::new());
    for read in object.completed("read") {
        let Value::Int(value) = *read.result() else { continue };
        findings.judged += 1;
        findings.count("reads", 1);
        let (must, may) = (certain.before(read.invoked()), possible.before(read.completed()));
        let (least, greatest) = (initial + must.added + may.taken, initial + may.added + must.taken);
        if i128::from(value) < least {
            low.push((read, least, greatest));
        } else if i128::from(value) > greatest {
            high.push((read, least, greatest));
        }
    }
    for (name, wrong, sign) in [("counter-too-low", low, 1), ("counter-too-high", high, -1)] {
        let Some(&(read, least, greatest)) = wrong.first() else { continue };
        let (Value::Int(value), object) = (read.result(), object.name()) else { continue };
        let short = if sign > 0 {
            format!("what was acknowledged before it began makes it at least {least}")
        } else {
            format!("all that may have been added before it ended makes it at most {greatest}")
        };
        let sentence = format!(
            "process {} read {value} from the counter{object} {}, but {short}{}",
            read.process(),
            began(read),
            others(wrong.len(), "read"),
        );
        // Whatever else may have happened can only have pulled it back.
        let back = possible.before(read.completed());
        let pulled = if sign > 0 { back.taken } else { back.added };
        let mut proof = pushing(&changes, read, sign, initial + pulled - i128::from(*value));
        proof.push(read);
        let mut wrong = anomaly(name, proof, sentence);
        let pulls = |(change, amount): &&(Operation<'_>, i128)| {
            change.outcome() != Outcome::Fail && change.invoked() < read.completed() && amount * sign < 0
        };
        if changes.iter().filter(pulls).take(SHOWN + 1).count() <= SHOWN {
            wrong.sources = changes.iter().filter(pulls).map(|(change, _)| change.id()).collect();
        }
        findings.anomalies.push(wrong);
    }
}

/// The fewest acknowledged changes that push the counter past what was read: with `sign` 1 above it, with -1 below. `off` is what it holds without
/// them, less what was read.
fn pushing<'a>(changes: &[(Operation<'a>, i128)], read: Operation<'_>, sign: i128, off: i128) -> Vec<Operation<'a>> {
    let counts = |(change, amount): &&(Operation<'_>, i128)| {
        change.outcome() == Outcome::Ok && change.completed() < read.invoked() && amount * sign > 0
    };
    let mut certain: Vec<&(Operation<'_>, i128)> = changes.iter().filter(counts).collect();
    certain.sort_by_key(|(_, amount)| -amount * sign);
    let mut past = off * sign;
    let mut taken = Vec::new();
    for (change, amount) in certain {
        if past > 0 {
            break;
        }
        past += amount * sign;
        taken.push(*change);
    }
    taken
}

/// What was added and what was taken away by each event, in their order.
struct Sums(Vec<(EventPosition, Sum)>);

#[derive(Clone, Copy, Default)]
struct Sum {
    /// Never negative.
    added: i128,
    /// Never positive.
    taken: i128,
}

impl Sums {
    fn of(mut changes: Vec<(EventPosition, i128)>) -> Sums {
        changes.sort_unstable();
        let mut sum = Sum::default();
        let summed = changes.into_iter().map(|(position, amount)| {
            sum = Sum { added: sum.added + amount.max(0), taken: sum.taken + amount.min(0) };
            (position, sum)
        });
        Sums(summed.collect())
    }

    /// The sums of all that lies before an event.
    fn before(&self, event: EventPosition) -> Sum {
        let count = self.0.partition_point(|(position, _)| *position < event);
        count.checked_sub(1).map_or_else(Sum::default, |last| self.0[last].1)
    }
}

/// By how much an operation changes the counter, if it does.
fn amount(operation: Operation<'_>) -> Option<i128> {
    let sign = match operation.function() {
        "add" | "increment" => 1,
        "decrement" => -1,
        _ => return None,
    };
    match (operation.function(), operation.argument()) {
        (_, Value::Int(amount)) => Some(sign * i128::from(*amount)),
        ("increment" | "decrement", Value::Nil) => Some(sign),
        _ => None,
    }
}

pub(super) fn refuses(operation: Operation<'_>) -> Option<String> {
    match operation.function() {
        "read" => (operation.outcome() == Outcome::Ok && !matches!(operation.result(), Value::Int(_) | Value::Nil))
            .then(|| format!("expected a whole number as its result, found {}", operation.result())),
        _ => amount(operation)
            .is_none()
            .then(|| format!("expected a whole number as its argument, found {}", operation.argument())),
    }
}
