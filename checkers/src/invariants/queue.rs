//! **Queue, as a whole**: what goes in comes out, once, whatever the order.
//!
//! ```text
//!   p0  ├─ enqueue 1 ─┤
//!   p1                  ├─ dequeue → 2 ─┤                       unexpected: nobody put 2 in
//!   p2                                    ├─ drain → [] ─┤      lost: 1 was in, and the queue is empty
//! ```
//!
//! *When to ask for it rather than for linearizability:* of queues that promise no order, or deliver at least once
//! ([`duplicates`](super::Options::duplicates)), and of runs that end with `drain`, which takes out all there is.
//!
//! *Method:* multisets. An element that was acknowledged is lost if it never came out, although somebody who began later found the queue empty (by `drain`, or a dequeue of
//! nil or `empty`); a dequeue whose outcome is unknown may have taken any one element, such a drain, or one that answered nil, all of them. An element is
//! unexpected if it came out before anybody began to put it in, and duplicated if by some time it had come out more often than it may have
//! gone in by then.
//! What nobody found missing is left in the queue. *Source:* `jepsen.checker/total-queue`, which counts what is left
//! and what a crashed dequeue took as lost. *Cost:* n log n.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::History;
use crate::history::{Operation, Outcome, Value};

use super::objects::{Object, anomaly, ended, objects, others};
use super::{Findings, Options};

pub(super) fn judge(history: &History, options: &Options) -> Findings {
    let mut findings = Findings::default();
    for object in objects(history) {
        judge_object(&object, options, &mut findings);
    }
    findings
}

/// How one element went in and came out.
#[derive(Default)]
struct Passage<'a> {
    acknowledged: Vec<Operation<'a>>,
    /// Everything that may have put it in, by its beginning.
    possible: Vec<Operation<'a>>,
    /// Everything that certainly took it out.
    out: Vec<Operation<'a>>,
}

fn judge_object<'a>(object: &Object<'a>, options: &Options, findings: &mut Findings) {
    let name = object.name();
    let passages = passages(object);
    let empty = object.operations.iter().rfind(|operation| found_empty(**operation)).copied();
    let how_many = |is: &dyn Fn(Operation<'_>) -> bool| object.operations.iter().filter(|o| is(**o)).count();
    findings.judged += how_many(&|o| matches!(o.function(), "dequeue" | "drain") && o.outcome() == Outcome::Ok);

    let (mut lost, mut duplicated, mut unexpected) = (Vec::new(), Vec::new(), Vec::new());
    let (mut left, mut recovered) = (0, 0);
    for (element, passage) in &passages {
        // What is missing is counted among all acknowledged, and can only be those who ended before the queue was found empty.
        let missing = passage.acknowledged.len().saturating_sub(passage.out.len());
        let seen_missing = empty.map_or(0, |empty| {
            let before = passage.acknowledged.iter().filter(|enqueue| enqueue.completed() < empty.invoked()).count();
            before.saturating_sub(passage.out.len())
        });
        if seen_missing > 0 {
            let earliest = passage.earliest();
            lost.extend((0..seen_missing).map(|nth| (*element, earliest[passage.out.len() + nth])));
        }
        left += missing - seen_missing;
        recovered += passage.out.len().min(passage.possible.len()).saturating_sub(passage.acknowledged.len());
        match passage.too_many() {
            Some((out, 0)) => unexpected.push((*element, out)),
            Some((out, may)) => duplicated.push((*element, passage, out, may)),
            None => {}
        }
    }
    let taken = how_many(&|o| o.function() == "dequeue" && o.outcome() == Outcome::Info);
    let excused = how_many(&took_unknown) > 0 || lost.len() <= taken;
    findings.count("enqueued", passages.iter().map(|(_, passage)| passage.possible.len()).sum());
    findings.count("dequeued", passages.iter().map(|(_, passage)| passage.out.len()).sum());
    findings.count("recovered", recovered);
    findings.count("left", left);
    findings.count("lost", if excused { 0 } else { lost.len() - taken });
    findings.count("perhaps-taken", if excused { lost.len() } else { taken });
    findings.count("duplicated", duplicated.len());
    findings.count("unexpected", unexpected.len());

    if let (false, Some(empty), Some((element, enqueue))) = (excused, empty, lost.first()) {
        let (proof, came_out) = proof_of_loss(&passages, &lost[..=taken]);
        let excuse = match taken {
            0 => String::new(),
            _ => format!(", and the {taken} dequeues with unknown outcomes cannot have taken all {}", lost.len()),
        };
        let sentence = format!(
            "process {} had enqueued {element}{name} {}, and it never came out, although process {} found the queue empty {}{excuse}{}",
            enqueue.process(),
            ended(*enqueue),
            empty.process(),
            ended(empty),
            others(lost.len() - taken, "element"),
        );
        let mut loss = anomaly("lost-element", proof.into_iter().chain([empty]), sentence);
        let excuses = object.operations.iter().filter(|o| o.function() == "dequeue" && o.outcome() == Outcome::Info);
        loss.sources = excuses.copied().chain(came_out).map(Operation::id).collect();
        findings.anomalies.push(loss);
    }
    if let (false, Some((element, passage, out, may))) = (options.duplicates, duplicated.first()) {
        let sentence = format!(
            "process {} took {element} out of the queue{name} {}, and by then it had come out more often than it may have gone in, which \
             was {may} times{}",
            out.process(),
            ended(*out),
            others(duplicated.len(), "element"),
        );
        let mut duplicate = anomaly("duplicated-element", passage.fewest(element, *out, *may), sentence);
        duplicate.sources = passage.possible[..*may].iter().map(|into| into.id()).collect();
        findings.anomalies.push(duplicate);
    }
    if let Some((element, out)) = unexpected.first() {
        let never = passages.iter().all(|(known, passage)| known != element || passage.possible.is_empty());
        let why = if never { "nobody ever put it in" } else { "nobody had begun to put it in by then" };
        let (process, ended, rest) = (out.process(), ended(*out), others(unexpected.len(), "element"));
        let sentence = format!("process {process} took {element} out of the queue{name} {ended}, but {why}{rest}");
        findings.anomalies.push(anomaly("unexpected-element", [*out], sentence));
    }
}

impl<'a> Passage<'a> {
    /// What was acknowledged, by its end.
    fn earliest(&self) -> Vec<Operation<'a>> {
        let mut acknowledged = self.acknowledged.clone();
        acknowledged.sort_unstable_by_key(|enqueue| enqueue.completed());
        acknowledged
    }

    /// The first by which more had come out than may have gone in, and how much that was.
    fn too_many(&self) -> Option<(Operation<'a>, usize)> {
        self.out.iter().enumerate().find_map(|(before, out)| {
            let may = self.possible.partition_point(|into| into.invoked() < out.completed());
            (before >= may).then_some((*out, may))
        })
    }

    /// The fewest up to `out`, and with it, that took the element out more than `may` times. One drain may have done so several times.
    fn fewest(&self, element: &Value, out: Operation<'a>, may: usize) -> Vec<Operation<'a>> {
        let times = |out: &Operation<'a>| drained(*out).iter().filter(|item| *item == element).count().max(1);
        let mut earlier: Vec<Operation<'a>> =
            self.out.iter().copied().take_while(|other| other.completed() < out.completed()).collect();
        earlier.dedup_by_key(|out| out.id());
        earlier.sort_by_key(|out| std::cmp::Reverse(times(out)));
        let mut taken = times(&out);
        let mut fewest = vec![out];
        for other in earlier {
            if taken > may {
                break;
            }
            taken += times(&other);
            fewest.push(other);
        }
        fewest
    }
}

/// All elements, in the order of their first operations.
fn passages<'a>(object: &Object<'a>) -> Vec<(&'a Value, Passage<'a>)> {
    let mut places: FxHashMap<&Value, usize> = FxHashMap::default();
    let mut passages: Vec<(&Value, Passage<'_>)> = Vec::new();
    let mut of = |element: &'a Value, note: &dyn Fn(&mut Passage<'a>)| {
        let at = *places.entry(element).or_insert_with(|| {
            passages.push((element, Passage::default()));
            passages.len() - 1
        });
        note(&mut passages[at].1);
    };
    for &operation in &object.operations {
        match (operation.function(), operation.outcome()) {
            ("enqueue", Outcome::Ok) => of(operation.argument(), &|passage| {
                passage.acknowledged.push(operation);
                passage.possible.push(operation);
            }),
            ("enqueue", Outcome::Info) => of(operation.argument(), &|passage| passage.possible.push(operation)),
            ("dequeue", Outcome::Ok) if !is_empty_answer(operation.result()) => {
                of(operation.result(), &|passage| passage.out.push(operation));
            }
            ("drain", Outcome::Ok) => {
                for element in drained(operation) {
                    of(element, &|passage| passage.out.push(operation));
                }
            }
            _ => {}
        }
    }
    for (_, passage) in &mut passages {
        passage.out.sort_by_key(|out| out.completed());
    }
    passages
}

/// What a drain took out.
fn drained(operation: Operation<'_>) -> &[Value] {
    match operation.result() {
        Value::List(elements) if operation.function() == "drain" => elements,
        _ => &[],
    }
}

/// Whether this answer of a dequeue says that there was no element, as the models of queues have it.
fn is_empty_answer(answer: &Value) -> bool {
    match answer {
        Value::Nil => true,
        Value::Text(text) => &**text == "empty",
        _ => false,
    }
}

/// Whether it saw that nothing was left.
fn found_empty(operation: Operation<'_>) -> bool {
    let says_so = match operation.function() {
        "drain" => *operation.result() != Value::Nil,
        "dequeue" => is_empty_answer(operation.result()),
        _ => false,
    };
    says_so && operation.outcome() == Outcome::Ok
}

/// Whether it may have taken anything out, and nobody knows what.
fn took_unknown(operation: Operation<'_>) -> bool {
    let unknown = match operation.outcome() {
        Outcome::Ok => *operation.result() == Value::Nil,
        Outcome::Info => true,
        Outcome::Fail => false,
    };
    unknown && operation.function() == "drain"
}

/// The lost ones; where the same element came out for others, also what these put in, and beside all this how they came out.
fn proof_of_loss<'a>(
    passages: &[(&Value, Passage<'a>)],
    lost: &[(&Value, Operation<'a>)],
) -> (Vec<Operation<'a>>, Vec<Operation<'a>>) {
    let mut proof: Vec<Operation<'a>> = lost.iter().map(|(_, enqueue)| *enqueue).collect();
    let mut came_out = Vec::new();
    let wanted: FxHashSet<&Value> = lost.iter().map(|(element, _)| *element).collect();
    let shared = |(element, passage): &&(&Value, Passage<'a>)| !passage.out.is_empty() && wanted.contains(element);
    for (_, passage) in passages.iter().filter(shared) {
        let earliest = passage.earliest();
        proof.extend(&earliest[..passage.out.len().min(earliest.len())]);
        came_out.extend(&passage.out);
    }
    (proof, came_out)
}

pub(super) fn refuses(operation: Operation<'_>) -> Option<String> {
    match (operation.function(), operation.outcome(), operation.result()) {
        ("enqueue", ..) if is_empty_answer(operation.argument()) => {
            Some(format!("expected an element as its argument, found {}, which stands for none", operation.argument()))
        }
        ("drain", Outcome::Ok, Value::List(_) | Value::Nil) => None,
        ("drain", Outcome::Ok, other) => Some(format!("expected a list as its result, found {}", other.kind())),
        _ => None,
    }
}
