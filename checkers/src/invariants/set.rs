//! **Set**: the last read has all that was added before it, and nothing else.
//!
//! ```text
//!   p0  ├─ add 1 ─┤
//!   p1             ├─ add 2 ─┤
//!   p2                          ├─ read → {2, 3} ─┤      forbidden: 1 is lost, and nobody added 3
//! ```
//!
//! *When to ask for it rather than for its neighbour:* where a set is read once, at the end, after everything healed. Of reads on
//! the way [set-full](super::Invariant::SetFull) says more.
//!
//! *Method:* an element is lost if an add of it was acknowledged before the last read began, and the read does not show it. It is
//! unexpected if the read shows it although no add of it that may have happened began before the read ended. It is recovered if
//! nobody learned that its add happened, and it is there. *Source:* `jepsen.checker/set`, which takes a failed add for a
//! possible one, and the last read to end for the last; here a failed add did not happen, and the last read is the last to begin.
//! *Cost:* linear.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::History;
use crate::history::{EventPosition, NEVER, Operation, Outcome, Value};
use crate::model::set::{UNKNOWN_ELEMENT, elements};

use super::Findings;
use super::objects::{Object, anomaly, began, ended, objects, others, others_by_name};

pub(super) fn judge(history: &History) -> Findings {
    let mut findings = Findings::default();
    for object in objects(history) {
        judge_object(&object, &mut findings);
    }
    findings
}

/// What is known of the adds of one element.
pub(super) struct Adds<'a> {
    pub element: &'a Value,
    /// The acknowledged one that ended first.
    pub acknowledged: Option<Operation<'a>>,
    /// When the first that may have happened began.
    pub possible: EventPosition,
    /// That one, or else one that failed.
    pub first: Operation<'a>,
}

/// The elements of an object in the order of their first adds, and the place of each.
pub(super) fn adds<'a>(object: &Object<'a>) -> (Vec<Adds<'a>>, FxHashMap<&'a Value, usize>) {
    let mut places = FxHashMap::default();
    let mut adds: Vec<Adds<'a>> = Vec::new();
    for add in object.operations.iter().filter(|operation| operation.function() == "add") {
        let at = *places.entry(add.argument()).or_insert_with(|| {
            adds.push(Adds { element: add.argument(), acknowledged: None, possible: NEVER, first: *add });
            adds.len() - 1
        });
        let known = &mut adds[at];
        if add.outcome() != Outcome::Fail && known.possible == NEVER {
            known.possible = add.invoked();
            known.first = *add;
        }
        if add.outcome() == Outcome::Ok && known.acknowledged.is_none_or(|other| add.completed() < other.completed()) {
            known.acknowledged = Some(*add);
        }
    }
    (adds, places)
}

fn judge_object<'a>(object: &Object<'a>, findings: &mut Findings) {
    let name = object.name();
    let (adds, places) = adds(object);
    findings.count("attempted", adds.len());
    let last = object.completed("read").filter_map(|read| Some((read, elements(read.result())?))).last();
    let Some((read, seen)) = last else {
        if !adds.is_empty() {
            findings.undecided = Some(format!("no read{name} succeeded: nobody knows what is in the set"));
        }
        return;
    };
    findings.judged += 1;
    let seen: FxHashSet<&Value> = seen.into_iter().collect();
    let acknowledged = |adds: &&Adds<'a>| adds.acknowledged.is_some_and(|add| add.completed() < read.invoked());
    let lost: Vec<&Adds<'a>> = adds.iter().filter(acknowledged).filter(|adds| !seen.contains(adds.element)).collect();
    let recovered =
        |adds: &&Adds<'a>| adds.acknowledged.is_none() && adds.possible < NEVER && seen.contains(adds.element);
    findings.count("acknowledged", adds.iter().filter(acknowledged).count());
    findings.count("recovered", adds.iter().filter(recovered).count());
    findings.count("lost", lost.len());
    if let Some((first, add)) = lost.first().and_then(|adds| Some((adds, adds.acknowledged?))) {
        let sentence = format!(
            "process {} was told {} that {} had been added, but the last read{name}, by process {} {}, does not show it{}",
            add.process(),
            ended(add),
            first.element,
            read.process(),
            began(read),
            others_by_name(lost.len(), "element", lost.iter().map(|adds| adds.element)),
        );
        findings.anomalies.push(anomaly("lost-element", [add, read], sentence));
    }
    let mut unexpected: Vec<&Value> =
        seen.into_iter().filter(|element| !may_be_seen(element, &adds, &places, read)).collect();
    unexpected.sort_unstable();
    findings.count("unexpected", unexpected.len());
    if let Some(first) = unexpected.first() {
        findings.anomalies.push(unexpected_element(first, read, &name, unexpected.len(), places.contains_key(*first)));
    }
}

/// Whether an add of the element may have happened before the read ended.
pub(super) fn may_be_seen(
    element: &Value,
    adds: &[Adds<'_>],
    places: &FxHashMap<&Value, usize>,
    read: Operation<'_>,
) -> bool {
    places.get(element).is_some_and(|&at| adds[at].possible < read.completed())
}

/// `all` elements are in reads and cannot be; this is the first.
pub(super) fn unexpected_element(
    element: &Value,
    read: Operation<'_>,
    name: &str,
    all: usize,
    named: bool,
) -> crate::Anomaly {
    let why = if named { "every add of it failed or began later" } else { "nobody ever added it" };
    let sentence = format!(
        "process {} found {element} in the set{name} {}, but {why}{}",
        read.process(),
        ended(read),
        others(all, "element"),
    );
    anomaly("unexpected-element", [read], sentence)
}

pub(super) fn refuses(operation: Operation<'_>) -> Option<String> {
    if operation.function() == "add" && operation.outcome() == Outcome::Info && *operation.argument() == Value::Nil {
        return Some(UNKNOWN_ELEMENT.to_owned());
    }
    let judged = operation.function() == "read" && operation.outcome() == Outcome::Ok;
    let result = operation.result();
    (judged && *result != Value::Nil && elements(result).is_none())
        .then(|| format!("expected a list or a set as its result, found {}", result.kind()))
}
