//! **Set, in full**: what was added becomes visible, and stays so.
//!
//! ```text
//!   p0  ├─ add 1 ─┤
//!   p1              ├─ read → {} ─┤                      stale: forbidden if asked to be linearizable
//!   p1                               ├─ read → {1} ─┤
//!   p2                                                 ├─ read → {} ─┤      lost: always forbidden
//! ```
//!
//! *When to ask for it rather than for its neighbour:* where reads come all the time; for each element it tells what became of it.
//!
//! *Method:* an element is known once an add of it was acknowledged, or a read that showed it ended. Of the reads that began after
//! that, the last to begin decides: if it misses the element, it is lost. If only earlier ones did, it was stale. An element that
//! nobody looked for later was never read. Elements that a read lists twice are duplicated. Reads are gone through backwards, and an element leaves the
//! list of those to look for at the first read without it, so that a read costs no more than what it shows.
//! *Source:* `jepsen.checker/set-full`; by the order of events, not by time. Beside it, an element that nobody can have added is unexpected, and one
//! whose adds all failed is none. *Cost:* linear in the elements of all reads.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::History;
use crate::history::{EventPosition, NEVER, Operation, Value};
use crate::model::set::elements as shown_by;
use crate::verdict::Anomaly;

use super::objects::{Object, anomaly, began, ended, objects, others, others_by_name};
use super::set::{Adds, adds, may_be_seen, unexpected_element};
use super::staleness::Distribution;
use super::{DoesNotFit, Findings, Invariant, Options};

/// What became of one element that may have been added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// The set that it was added to, where there is more than one.
    pub key: Option<&'a Value>,
    /// It.
    pub element: &'a Value,
    /// How it ended.
    pub fate: Fate,
    /// In nanoseconds from the time at which it was known to be there: if stale, how long it still stayed invisible, at the least; if lost, how long it
    /// stayed visible, at the least. `None` otherwise, and where the source has no times.
    pub after: Option<u64>,
}

/// How an element ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Every read that had to show it did.
    Stable,
    /// A read missed it although it was there, and a later one showed it.
    Stale,
    /// The last read missed it although it had been there.
    Lost,
    /// Nobody read later than it was known to be there.
    NeverRead,
}

/// The fate of every element, set by set, in the order of their first adds.
///
/// # Errors
/// An operation that is no add and no read of a set.
pub fn elements(history: &History) -> Result<Vec<Element<'_>>, DoesNotFit> {
    if let Some(misfit) = super::misfit(history, Invariant::SetFull) {
        return Err(misfit);
    }
    let mut all = Vec::new();
    for object in objects(history) {
        let key = object.operations.first().and_then(|operation| operation.key());
        let looked = Looked::at(&object);
        all.extend(looked.traces().map(|trace| {
            let (fate, after) = (trace.fate(), trace.after());
            Element { key, element: trace.adds.element, fate, after }
        }));
    }
    Ok(all)
}

pub(super) fn judge(history: &History, options: &Options) -> Findings {
    let mut findings = Findings::default();
    let (mut stale, mut lost) = (Vec::new(), Vec::new());
    for object in objects(history) {
        let looked = Looked::at(&object);
        tell(&object, &looked, options, &mut findings);
        for trace in looked.traces() {
            match trace.fate() {
                Fate::Stale => stale.extend(trace.after()),
                Fate::Lost => lost.extend(trace.after()),
                Fate::Stable | Fate::NeverRead => {}
            }
        }
    }
    let names = ["stale-for-p50-ns", "stale-for-p90-ns", "stale-for-p99-ns", "stale-for-max-ns"];
    findings.tell(names, &Distribution::of(stale));
    let names = ["lost-after-p50-ns", "lost-after-p90-ns", "lost-after-p99-ns", "lost-after-max-ns"];
    findings.tell(names, &Distribution::of(lost));
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

/// An element, with what the reads say of it.
#[derive(Clone, Copy)]
struct Trace<'a, 'b> {
    adds: &'b Adds<'a>,
    seen: Seen<'a>,
}

impl<'a> Trace<'a, '_> {
    /// What proves that it was there, and the last read that missed it after that.
    fn missed(self) -> Option<(Operation<'a>, Operation<'a>)> {
        let (known, proof) = self.seen.known?;
        Some((proof, self.seen.absent.filter(|absent| known < absent.invoked())?))
    }

    fn fate(self) -> Fate {
        match (self.seen.present, self.missed()) {
            (Some(present), Some((_, absent))) if present.invoked() > absent.invoked() => Fate::Stale,
            (_, Some(_)) => Fate::Lost,
            (Some(_), None) => Fate::Stable,
            (None, None) => Fate::NeverRead,
        }
    }

    fn after(self) -> Option<u64> {
        let (known, absent) = self.missed()?;
        let until = match (self.fate(), self.seen.present) {
            (Fate::Stale, _) => absent.invoked_at(),
            (_, Some(present)) => present.completed_at(),
            (_, None) => known.completed_at(),
        };
        Some(until?.saturating_sub(known.completed_at()?))
    }

    /// An add where one proves that it was there before the read that missed it; otherwise a read.
    fn plainest(self, known: Operation<'a>, absent: Operation<'a>) -> Operation<'a> {
        self.adds.acknowledged.filter(|add| add.completed() < absent.invoked()).unwrap_or(known)
    }
}

/// What all reads of one set show.
struct Looked<'a> {
    adds: Vec<Adds<'a>>,
    seen: Vec<Seen<'a>>,
    reads: usize,
    /// How often a read showed an element once more, and the first time.
    twice: (usize, Option<(&'a Value, Operation<'a>)>),
    /// What nobody can have added, and the first time that it was seen; with whether an add names it.
    unexpected: (FxHashSet<&'a Value>, Option<(&'a Value, Operation<'a>, bool)>),
}

impl<'a> Looked<'a> {
    fn at(object: &Object<'a>) -> Looked<'a> {
        let (adds, places) = adds(object);
        let known = |adds: &Adds<'a>| adds.acknowledged.map(|add| (add.completed(), add));
        let seen = adds.iter().map(|adds| Seen { known: known(adds), ..Seen::default() }).collect();
        let mut looked = Looked { adds, seen, reads: 0, twice: (0, None), unexpected: Default::default() };
        let reads: Vec<Operation<'a>> = object.completed("read").filter(|read| *read.result() != Value::Nil).collect();
        looked.reads = reads.len();
        // For each element the read that showed it last, of those gone through.
        let mut marked: Vec<usize> = vec![usize::MAX; looked.adds.len()];
        let mut wanted: Vec<usize> = (0..looked.adds.len()).collect();
        let mut strangers: FxHashMap<&Value, usize> = FxHashMap::default();
        for (number, read) in reads.into_iter().enumerate().rev() {
            for element in shown_by(read.result()).into_iter().flatten() {
                let place = places.get(element).copied();
                let before = match place {
                    Some(at) => std::mem::replace(&mut marked[at], number),
                    None => strangers.insert(element, number).unwrap_or(usize::MAX),
                };
                if before == number {
                    looked.twice = (looked.twice.0 + 1, Some((element, read)));
                    continue;
                }
                if !may_be_seen(element, &looked.adds, &places, read) {
                    looked.unexpected.0.insert(element);
                    looked.unexpected.1 = Some((element, read, place.is_some()));
                }
                let Some(seen) = place.map(|at| &mut looked.seen[at]) else { continue };
                seen.present = seen.present.or(Some(read));
                if seen.known.is_none_or(|(known, _)| read.completed() < known) {
                    seen.known = Some((read.completed(), read));
                }
            }
            wanted.retain(|&at| {
                if marked[at] != number {
                    looked.seen[at].absent = Some(read);
                }
                marked[at] == number
            });
        }
        looked
    }

    /// All elements but those whose adds failed, and that nobody saw.
    fn traces(&self) -> impl Iterator<Item = Trace<'a, '_>> {
        let all = self.adds.iter().zip(&self.seen).map(|(adds, seen)| Trace { adds, seen: *seen });
        all.filter(|trace| trace.adds.possible < NEVER || trace.seen.present.is_some())
    }
}

fn tell<'a>(object: &Object<'a>, looked: &Looked<'a>, options: &Options, findings: &mut Findings) {
    let name = object.name();
    findings.judged += looked.reads;
    if looked.reads == 0 && !looked.adds.is_empty() {
        findings.undecided = Some(format!("no read{name} succeeded: nobody knows what is in the set"));
    }
    let of = |wanted: Fate| looked.traces().filter(move |trace| trace.fate() == wanted);
    let (stable, stale, lost) = (of(Fate::Stable).count(), of(Fate::Stale).count(), of(Fate::Lost).count());
    findings.count("elements", looked.traces().count());
    findings.count("stable", stable);
    findings.count("stale", stale);
    findings.count("never-read", of(Fate::NeverRead).count());
    findings.count("lost", lost);
    let acknowledged = looked.adds.iter().any(|adds| adds.acknowledged.is_some());
    if looked.reads > 0 && acknowledged && stable + stale + lost == 0 {
        findings.undecided = Some(format!("no read{name} began after an element was added"));
    }
    if let Some((trace, (known, absent))) = of(Fate::Lost).find_map(|trace| Some((trace, trace.missed()?))) {
        let known = trace.plainest(known, absent);
        let sentence = format!(
            "{}, but process {} did not find it {}, and nobody who looked later did{}",
            was_there(trace.adds.element, known, &name),
            absent.process(),
            began(absent),
            others_by_name(lost, "element", of(Fate::Lost).map(|trace| trace.adds.element)),
        );
        findings.anomalies.push(with_source(anomaly("lost-element", [known, absent], sentence), trace.adds, known));
    }
    let first = of(Fate::Stale).find_map(|trace| Some((trace, trace.missed()?, trace.seen.present?)));
    if let (Some((trace, (known, absent), present)), true) = (first, options.linearizable) {
        let known = trace.plainest(known, absent);
        let sentence = format!(
            "{}, but process {} did not find it {}; process {} did {}{}",
            was_there(trace.adds.element, known, &name),
            absent.process(),
            began(absent),
            present.process(),
            began(present),
            others_by_name(stale, "element", of(Fate::Stale).map(|trace| trace.adds.element)),
        );
        let stale = anomaly("stale-element", [known, absent, present], sentence);
        findings.anomalies.push(with_source(stale, trace.adds, known));
    }
    let (twice, first) = looked.twice;
    findings.count("duplicated", twice);
    if let Some((element, read)) = first {
        let (process, ended) = (read.process(), ended(read));
        let rest = others(twice, "element of a read");
        let sentence = format!("process {process} found {element} twice in the set{name} {ended}{rest}");
        findings.anomalies.push(anomaly("duplicated-element", [read], sentence));
    }
    let (all, first) = &looked.unexpected;
    findings.count("unexpected", all.len());
    if let Some((element, read, named)) = *first {
        findings.anomalies.push(unexpected_element(element, read, &name, all.len(), named));
    }
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
