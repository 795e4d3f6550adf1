//! **Set, in full**: what was added becomes visible, and stays so.
//!
//! ```text
//!   p0  ├─ add 1 ─┤
//!   p1              ├─ read → {} ─┤                      stale: forbidden if asked to be linearizable
//!   p1                               ├─ read → {1} ─┤
//!   p2                                                 ├─ read → {} ─┤      lost: always forbidden
//! ```
//!
//! *When to ask for it rather than for its neighbour:* where reads come all the time; for each element it tells when it became visible.
//!
//! *Method:* an element is known once an add of it was acknowledged, or a read that showed it ended. Of the reads that began after
//! that, the last to begin decides: if it misses the element, it is lost. If only earlier ones did, it was stale. An element that
//! nobody looked for later was never read. Elements that a read lists twice are duplicated. Reads are gone through backwards, and an element leaves the
//! list of those to look for at the first read without it, so that a read costs no more than what it shows.
//! *Source:* `jepsen.checker/set-full`; by the order of events, not by time. *Cost:* linear in the elements of all reads.

use rustc_hash::FxHashMap;

use crate::History;
use crate::history::{EventPosition, Operation, Value};
use crate::model::set::elements;
use crate::verdict::Anomaly;

use super::objects::{Object, anomaly, began, ended, objects, others};
use super::set::{Adds, adds, may_be_seen, unexpected_element};
use super::{Findings, Options};

pub(super) fn judge(history: &History, options: &Options) -> Findings {
    let mut findings = Findings::default();
    let mut latencies = Vec::new();
    for object in objects(history) {
        judge_object(&object, options, &mut findings, &mut latencies);
    }
    latencies.sort_unstable();
    if let Some(longest) = latencies.last() {
        findings.figures.push(("invisible-median-ns", latencies[latencies.len() / 2]));
        findings.figures.push(("invisible-max-ns", *longest));
    }
    findings
}

/// What the reads say of one element.
#[derive(Clone, Copy, Default)]
struct Seen<'a> {
    /// The first to end of all that prove that it was there: with the end.
    known: Option<(EventPosition, Operation<'a>)>,
    /// The last read to begin that showed it.
    present: Option<Operation<'a>>,
    /// The last read to begin that did not.
    absent: Option<Operation<'a>>,
}

/// How an element ended.
enum Fate<'a> {
    Stable,
    NeverRead,
    /// What proved it, and the read that missed it.
    Lost(Operation<'a>, Operation<'a>),
    /// The same, and the later read that showed it.
    Stale(Operation<'a>, Operation<'a>, Operation<'a>),
}

impl<'a> Seen<'a> {
    fn fate(self) -> Fate<'a> {
        let Some((known, proof)) = self.known else { return Fate::NeverRead };
        match (self.present, self.absent.filter(|absent| known < absent.invoked())) {
            (Some(present), Some(absent)) if present.invoked() > absent.invoked() => {
                Fate::Stale(proof, absent, present)
            }
            (_, Some(absent)) => Fate::Lost(proof, absent),
            (Some(_), None) => Fate::Stable,
            (None, None) => Fate::NeverRead,
        }
    }
}

fn judge_object<'a>(object: &Object<'a>, options: &Options, findings: &mut Findings, latencies: &mut Vec<u64>) {
    let name = object.name();
    let (adds, places) = adds(object);
    let mut seen: Vec<Seen<'a>> = adds
        .iter()
        .map(|adds| Seen { known: adds.acknowledged.map(|add| (add.completed(), add)), ..Seen::default() })
        .collect();
    let reads: Vec<(Operation<'a>, Vec<&Value>)> =
        object.completed("read").filter_map(|read| Some((read, elements(read.result())?))).collect();
    if reads.is_empty() && !adds.is_empty() {
        findings.undecided = Some(format!("no read{name} succeeded: nobody knows what is in the set"));
    }
    let mut unexpected: Vec<(&Value, Operation<'a>)> = Vec::new();
    let mut twice: Vec<(&Value, Operation<'a>)> = Vec::new();
    // For each element the read that showed it last, of those gone through.
    let mut marked: Vec<usize> = vec![usize::MAX; adds.len()];
    let mut wanted: Vec<usize> = (0..adds.len()).collect();
    let mut strangers: FxHashMap<&Value, usize> = FxHashMap::default();
    for (number, (read, shown)) in reads.iter().enumerate().rev() {
        for &element in shown {
            let Some(&at) = places.get(element) else {
                if strangers.insert(element, number) == Some(number) {
                    twice.push((element, *read));
                }
                unexpected.push((element, *read));
                continue;
            };
            if marked[at] == number {
                twice.push((element, *read));
                continue;
            }
            marked[at] = number;
            if !may_be_seen(element, &adds, &places, *read) {
                unexpected.push((element, *read));
            }
            let seen = &mut seen[at];
            seen.present = seen.present.or(Some(*read));
            if seen.known.is_none_or(|(known, _)| read.completed() < known) {
                seen.known = Some((read.completed(), *read));
            }
        }
        wanted.retain(|&at| {
            if marked[at] != number {
                seen[at].absent = Some(*read);
            }
            marked[at] == number
        });
    }
    let mut fates = Fates::default();
    for (adds, seen) in adds.iter().zip(&seen) {
        fates.note(adds, *seen, latencies);
    }
    fates.tell(&name, options, findings);
    // The reads were gone through backwards: the first of each kind is the last found.
    findings.count("duplicated", twice.len());
    if let Some((element, read)) = twice.last() {
        let (process, ended) = (read.process(), ended(*read));
        let rest = others(twice.len(), "element of a read");
        let sentence = format!("process {process} found {element} twice in the set{name} {ended}{rest}");
        findings.anomalies.push(anomaly("duplicated-element", [*read], sentence));
    }
    let all: std::collections::BTreeSet<&Value> = unexpected.iter().map(|(element, _)| *element).collect();
    findings.count("unexpected", all.len());
    if let Some((element, read)) = unexpected.last() {
        let named = places.contains_key(element);
        findings.anomalies.push(unexpected_element(element, *read, &name, all.len(), named));
    }
}

/// The fates of the elements of one object.
#[derive(Default)]
struct Fates<'a> {
    stable: usize,
    never_read: usize,
    lost: Vec<(&'a Adds<'a>, [Operation<'a>; 2])>,
    stale: Vec<(&'a Adds<'a>, [Operation<'a>; 3])>,
}

impl<'a> Fates<'a> {
    fn note(&mut self, adds: &'a Adds<'a>, seen: Seen<'a>, latencies: &mut Vec<u64>) {
        match seen.fate() {
            Fate::Stable => self.stable += 1,
            Fate::NeverRead => self.never_read += 1,
            Fate::Lost(known, absent) => self.lost.push((adds, [plainest(adds, known, absent), absent])),
            Fate::Stale(known, absent, present) => {
                // A read answered without it at some time after it began: so long at the least it stayed invisible.
                let invisible = absent.invoked_at().zip(known.completed_at());
                latencies.extend(invisible.map(|(absent, known)| absent.saturating_sub(known)));
                self.stable += 1;
                self.stale.push((adds, [plainest(adds, known, absent), absent, present]));
            }
        }
    }

    fn tell(&self, name: &str, options: &Options, findings: &mut Findings) {
        findings.count("elements", self.stable + self.never_read + self.lost.len());
        findings.count("stable", self.stable);
        findings.count("stale", self.stale.len());
        findings.count("never-read", self.never_read);
        findings.count("lost", self.lost.len());
        if let Some((adds, [known, absent])) = self.lost.first() {
            let sentence = format!(
                "{}, but process {} did not find it {}, and nobody who looked later did{}",
                was_there(adds.element, *known, name),
                absent.process(),
                began(*absent),
                others(self.lost.len(), "element"),
            );
            findings.anomalies.push(with_source(anomaly("lost-element", [*known, *absent], sentence), adds, *known));
        }
        if options.linearizable
            && let Some((adds, [known, absent, present])) = self.stale.first()
        {
            let sentence = format!(
                "{}, but process {} did not find it {}; process {} did {}{}",
                was_there(adds.element, *known, name),
                absent.process(),
                began(*absent),
                present.process(),
                began(*present),
                others(self.stale.len(), "element"),
            );
            findings.anomalies.push(with_source(
                anomaly("stale-element", [*known, *absent, *present], sentence),
                adds,
                *known,
            ));
        }
    }
}

/// What proves that an element was there before a read began: an add where one does.
fn plainest<'a>(adds: &Adds<'a>, known: Operation<'a>, absent: Operation<'a>) -> Operation<'a> {
    adds.acknowledged.filter(|add| add.completed() < absent.invoked()).unwrap_or(known)
}

/// Where a read proves that an element was there, its add is part of the picture.
fn with_source(mut anomaly: Anomaly, adds: &Adds<'_>, known: Operation<'_>) -> Anomaly {
    if known.function() == "read" {
        anomaly.sources = vec![adds.first.id()];
    }
    anomaly
}

fn was_there(element: &Value, known: Operation<'_>, name: &str) -> String {
    let how = if known.function() == "add" { "had added" } else { "had found" };
    format!("process {} {how} {element} in the set{name} {}", known.process(), ended(known))
}
