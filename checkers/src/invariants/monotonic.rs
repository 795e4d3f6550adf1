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
use crate::history::{Operation, Outcome, Value};

use super::objects::{Object, anomaly, began, ended, objects, others};
use super::{Findings, Options};

pub(super) fn judge(history: &History, options: &Options) -> Findings {
    let mut findings = Findings::default();
    for object in objects(history) {
        let answers: Vec<(Operation<'_>, i64)> =
            object.operations.iter().filter_map(|operation| Some((*operation, answer(*operation)?))).collect();
        findings.judged += answers.len();
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
    let mut ends: Vec<(Operation<'a>, i64)> = answers.to_vec();
    ends.sort_unstable_by_key(|(answered, _)| answered.completed());
    let mut greatest = Greatest::default();
    let prefixes: Vec<Greatest<'a>> = ends.iter().map(|answer| *greatest.with(*answer)).collect();
    let before = |now: Operation<'a>| {
        let count = ends.partition_point(|(answered, _)| answered.completed() < now.invoked());
        prefixes[..count].last()?.of_another(now.process())
    };
    let judged = answers.iter().filter_map(|answer| Some((*answer, before(answer.0)?)));
    judged.filter(|(now, then)| then.1 > now.1).collect()
}

/// The greatest answer so far, and the greatest that another process got.
#[derive(Clone, Copy, Default)]
struct Greatest<'a> {
    first: Option<(Operation<'a>, i64)>,
    other: Option<(Operation<'a>, i64)>,
}

impl<'a> Greatest<'a> {
    fn with(&mut self, answer: (Operation<'a>, i64)) -> &Greatest<'a> {
        let exceeds = |known: Option<(Operation<'a>, i64)>| known.is_none_or(|known| answer.1 > known.1);
        let same = self.first.is_some_and(|(first, _)| first.process() == answer.0.process());
        if exceeds(self.first) {
            if !same {
                self.other = self.first;
            }
            self.first = Some(answer);
        } else if !same && exceeds(self.other) {
            self.other = Some(answer);
        }
        self
    }

    fn of_another(&self, process: u32) -> Option<(Operation<'a>, i64)> {
        self.first.filter(|(first, _)| first.process() != process).or(self.other)
    }
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
