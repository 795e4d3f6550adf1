//! **Monotonic counters**: what is read of a key never shrinks.
//!
//! ```text
//!   p0  ├─ read → 2 ─┤
//!   p0                  ├─ read → 1 ─┤      forbidden: it went back
//!   p1                  ├─ read → 1 ─┤      forbidden too, if asked to be linearizable
//! ```
//!
//! *When to ask for it rather than for its neighbours:* of clocks, sequences and counters that only grow; it needs no knowledge of who changed them.
//! Gaps are no matter here; for what the sum should be, see [counter](super::Invariant::Counter).
//!
//! *Method:* an operation is held against the greatest value that was answered before it began: to the same process, or to anybody. What an
//! increment without an argument answers counts as read. *Source:* Jepsen's `monotonic` workloads, and "monotonic-key" of Elle, in which the
//! versions of a key are its values. *Cost:* linear within processes, n log n across them.

use rustc_hash::FxHashMap;

use crate::History;
use crate::history::{EventPosition, Operation, Outcome, Value};

use super::objects::{Object, anomaly, began, ended, objects, others};
use super::{Findings, Options};

pub(super) fn judge(history: &History, options: &Options) -> Findings {
    let mut findings = Findings::default();
    for object in objects(history) {
        let answers: Vec<(Operation<'_>, i64)> =
            object.operations.iter().filter_map(|operation| Some((*operation, answer(*operation)?))).collect();
        findings.count("answers", answers.len());
        tell(&object, "non-monotonic-session", &within_processes(&answers), &mut findings);
        if options.linearizable {
            tell(&object, "non-monotonic", &across_processes(&answers), &mut findings);
        }
    }
    findings
}

/// An answer, and a greater one that came before.
type Shrunk<'a> = ((Operation<'a>, i64), (Operation<'a>, i64));

fn within_processes<'a>(answers: &[(Operation<'a>, i64)]) -> Vec<Shrunk<'a>> {
    let mut greatest: FxHashMap<u32, (Operation<'a>, i64)> = FxHashMap::default();
    let mut shrunk = Vec::new();
    for &(operation, value) in answers {
        let known = greatest.entry(operation.process()).or_insert((operation, value));
        if known.1 > value {
            shrunk.push(((operation, value), *known));
        } else {
            *known = (operation, value);
        }
    }
    shrunk
}

fn across_processes<'a>(answers: &[(Operation<'a>, i64)]) -> Vec<Shrunk<'a>> {
    let mut ends: Vec<(EventPosition, (Operation<'a>, i64))> =
        answers.iter().map(|answer| (answer.0.completed(), *answer)).collect();
    ends.sort_unstable_by_key(|(end, _)| *end);
    // The greatest of all that ended up to here.
    for at in 1..ends.len() {
        if ends[at - 1].1.1 > ends[at].1.1 {
            ends[at].1 = ends[at - 1].1;
        }
    }
    let before = |operation: Operation<'_>| {
        let count = ends.partition_point(|(end, _)| *end < operation.invoked());
        count.checked_sub(1).map(|last| ends[last].1)
    };
    let judged = answers.iter().filter_map(|answer| Some((*answer, before(answer.0)?)));
    // Within a process it is told under another name.
    judged.filter(|(now, then)| then.1 > now.1 && then.0.process() != now.0.process()).collect()
}

fn tell(object: &Object<'_>, name: &'static str, shrunk: &[Shrunk<'_>], findings: &mut Findings) {
    findings.count(name, shrunk.len());
    if let Some(((now, value), (then, greater))) = shrunk.first() {
        let sentence = format!(
            "process {} was answered {value}{} {}, although process {} had been answered {greater} {}{}",
            now.process(),
            object.name(),
            began(*now),
            then.process(),
            ended(*then),
            others(shrunk.len(), "answer"),
        );
        findings.anomalies.push(anomaly(name, [*then, *now], sentence));
    }
}

/// The value that an operation observed, if it did.
fn answer(operation: Operation<'_>) -> Option<i64> {
    let observes = match operation.function() {
        "read" => true,
        "inc" | "increment" => *operation.argument() == Value::Nil,
        _ => false,
    };
    match operation.result() {
        Value::Int(value) if observes && operation.outcome() == Outcome::Ok => Some(*value),
        _ => None,
    }
}

pub(super) fn refuses(operation: Operation<'_>) -> Option<String> {
    let judged = operation.function() == "read" && operation.outcome() == Outcome::Ok;
    (judged && !matches!(operation.result(), Value::Int(_) | Value::Nil))
        .then(|| format!("expected a whole number as its result, found {}", operation.result()))
}
