//! **Staleness**: how far reads are behind, in versions and in time.
//!
//! ```text
//!   p0  ├─ write 1 ─┤ ├─ write 2 ─┤ ├─ write 3 ─┤
//!   p1                                             ├─ read → 1 ─┤      two versions behind, since write 2 ended
//! ```
//!
//! *When to ask for it rather than for linearizability:* of caches, followers and quorums that are stale by design: the question is how
//! much. A bound on it makes it an invariant.
//!
//! *Method:* the versions of registers are the writes, whose values are distinct. A write is newer than the one that was read if it began after that one had
//! certainly taken effect: after it was acknowledged, or somebody had read it. A read is as many versions behind as newer
//! writes were acknowledged before it began; behind for as long as the first of these was. Both are the least that can be: concurrent writes have no order.
//! *Source:* k-atomicity and Δ-atomicity (Golab, Li & Shah 2011) give the names; this counts real time only. *Cost:* n log n.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::History;
use crate::history::{EventPosition, NEVER, Operation, Outcome, Value, ValueId};

use super::objects::{Object, anomaly, began, ended, objects};
use super::{DoesNotFit, Findings, Invariant, Options};

/// How far the reads of a history are behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staleness {
    /// Versions, one number for each read that was measured.
    pub versions: Distribution,
    /// Nanoseconds since what was read was overwritten, for each read that was measured and has times.
    pub nanoseconds: Distribution,
    /// How many reads returned what nobody wrote, and could not be measured.
    pub unwritten: usize,
}

/// Numbers in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution(Vec<u64>);

impl Distribution {
    pub(super) fn of(mut samples: Vec<u64>) -> Distribution {
        samples.sort_unstable();
        Distribution(samples)
    }

    /// All of them, the least first.
    pub fn samples(&self) -> &[u64] {
        &self.0
    }

    /// The least number that so many hundredths of all do not exceed; `None` if there is none at all.
    pub fn percentile(&self, percent: usize) -> Option<u64> {
        let rank = (self.0.len() * percent.min(100)).div_ceil(100);
        self.0.get(rank.saturating_sub(1)).copied()
    }

    /// The greatest.
    pub fn greatest(&self) -> Option<u64> {
        self.0.last().copied()
    }
}

/// Measures the reads of a history of registers.
///
/// # Errors
/// An operation that is no read and no write, or a value that is written twice to one key.
pub fn measure(history: &History) -> Result<Staleness, DoesNotFit> {
    match super::misfit(history, Invariant::Staleness) {
        Some(misfit) => Err(misfit),
        None => Ok(objects(history).iter().fold(Measures::default(), |all, object| all.with(object)).staleness()),
    }
}

pub(super) fn judge(history: &History, options: &Options) -> Findings {
    let mut findings = Findings::default();
    let initial = options.initial.and_then(|initial| history.id_of(&Value::Int(initial)));
    let mut all = Measures { initial, ..Measures::default() };
    for object in objects(history) {
        let from = all.reads.len();
        all = all.with(&object);
        let mine = &all.reads[from..];
        let most = |of: fn(&Measured<'_>) -> u64, bound: Option<u64>| {
            let over = |read: &&Measured<'_>| bound.is_some_and(|bound| of(read) > bound);
            mine.iter().rev().filter(over).max_by_key(|read| of(read))
        };
        let by_versions = most(|read| read.versions, options.max_versions);
        let by_time = most(|read| read.nanoseconds.unwrap_or(0), options.max_nanoseconds);
        if let (Some(worst), Some(bound)) = (by_versions, options.max_versions) {
            tell(&object, worst, bound, &mut findings);
        }
        // One read may be over both bounds; it is told once.
        let again = |read: &Measured<'_>| by_versions.is_some_and(|worst| worst.read.id() == read.read.id());
        if let Some(worst) = by_time.filter(|worst| !again(worst)) {
            tell(&object, worst, 0, &mut findings);
        }
    }
    let staleness = all.staleness();
    let stale = staleness.versions.samples().iter().filter(|versions| **versions > 0).count();
    findings.judged += staleness.versions.samples().len();
    findings.count("reads", staleness.versions.samples().len());
    findings.count("stale", stale);
    findings.count("unwritten", staleness.unwritten);
    findings.tell(["versions-p50", "versions-p90", "versions-p99", "versions-max"], &staleness.versions);
    findings.tell(["time-p50-ns", "time-p90-ns", "time-p99-ns", "time-max-ns"], &staleness.nanoseconds);
    findings
}

#[derive(Default)]
struct Measures<'a> {
    /// What registers hold at first, beside nil.
    initial: Option<ValueId>,
    reads: Vec<Measured<'a>>,
    unwritten: usize,
}

/// A read, and how far it is behind.
struct Measured<'a> {
    read: Operation<'a>,
    versions: u64,
    /// `None` if the source has no times.
    nanoseconds: Option<u64>,
    /// The write that it read; `None` for the initial value.
    source: Option<Operation<'a>>,
    /// When that write had certainly taken effect, and what says so; `None` for before everything.
    settled: Option<(EventPosition, Operation<'a>)>,
}

impl Measured<'_> {
    /// Whether a write is newer than what was read, and ended before the read began.
    fn is_behind(&self, write: Operation<'_>) -> bool {
        is_certain(write)
            && self.settled.is_none_or(|(settled, _)| settled < write.invoked())
            && write.completed() < self.read.invoked()
    }
}

fn is_certain(operation: Operation<'_>) -> bool {
    operation.outcome() == Outcome::Ok && operation.function() == "write"
}

impl<'a> Measures<'a> {
    fn with(mut self, object: &Object<'a>) -> Measures<'a> {
        let writes: FxHashMap<ValueId, Operation<'a>> = object
            .operations
            .iter()
            .filter(|operation| operation.function() == "write" && operation.outcome() != Outcome::Fail)
            .map(|write| (write.argument_id(), *write))
            .collect();
        let mut settled: FxHashMap<ValueId, (EventPosition, Operation<'a>)> = FxHashMap::default();
        for write in writes.values().filter(|write| is_certain(**write)) {
            settled.insert(write.argument_id(), (write.completed(), *write));
        }
        for read in object.completed("read") {
            let known = settled.entry(read.result_id()).or_insert((NEVER, read));
            if read.completed() < known.0 {
                *known = (read.completed(), read);
            }
        }
        // By their beginnings: what is newer than a write is a tail of them.
        let certain: Vec<Operation<'a>> = object.operations.iter().copied().filter(|o| is_certain(*o)).collect();
        let mut first_end: Vec<Operation<'a>> = certain.clone();
        for at in (1..certain.len()).rev() {
            if first_end[at].completed() < first_end[at - 1].completed() {
                first_end[at - 1] = first_end[at];
            }
        }
        let mut by_end: Vec<usize> = (0..certain.len()).collect();
        by_end.sort_unstable_by_key(|&at| certain[at].completed());
        let mut ended = Tails::of(certain.len());
        let mut by_end = by_end.into_iter().peekable();
        for read in object.completed("read") {
            while let Some(at) = by_end.next_if(|&at| certain[at].completed() < read.invoked()) {
                ended.add(at);
            }
            let source = writes.get(&read.result_id()).copied();
            let holds_at_first = [Some(ValueId::NIL), self.initial].contains(&Some(read.result_id()));
            let initial = source.is_none() && holds_at_first;
            if source.is_none() && !initial {
                self.unwritten += 1;
                continue;
            }
            let settled = settled.get(&read.result_id()).copied().filter(|_| !initial);
            let newer = settled.map_or(0, |(end, _)| certain.partition_point(|write| write.invoked() < end));
            let versions = ended.count_from(newer);
            let since = first_end.get(newer).filter(|_| versions > 0);
            let nanoseconds = match since {
                Some(first) => read.invoked_at().zip(first.completed_at()).map(|(now, then)| now.saturating_sub(then)),
                None => read.invoked_at().map(|_| 0),
            };
            self.reads.push(Measured { read, versions, nanoseconds, source, settled });
        }
        self
    }

    fn staleness(&self) -> Staleness {
        Staleness {
            versions: Distribution::of(self.reads.iter().map(|read| read.versions).collect()),
            nanoseconds: Distribution::of(self.reads.iter().filter_map(|read| read.nanoseconds).collect()),
            unwritten: self.unwritten,
        }
    }
}

/// Shows a read that is more than so many versions behind, with the first that made it so.
fn tell(object: &Object<'_>, worst: &Measured<'_>, versions: u64, findings: &mut Findings) {
    let mut newer: Vec<Operation<'_>> =
        object.operations.iter().copied().filter(|operation| worst.is_behind(*operation)).collect();
    newer.sort_unstable_by_key(|write| write.completed());
    newer.truncate(usize::try_from(versions).unwrap_or(usize::MAX).saturating_add(1));
    let Some(first) = newer.first().copied() else { return };
    let read = worst.read;
    let plural = if worst.versions == 1 { "" } else { "s" };
    let time = worst.nanoseconds.map_or_else(String::new, |time| format!(" and {:.3} s", time as f64 / 1e9));
    let sentence = format!(
        "process {} read {}{} {}, {} version{plural}{time} behind: process {} had completed the first newer write, of {}, {}",
        read.process(),
        read.result(),
        object.name(),
        began(read),
        worst.versions,
        first.process(),
        first.argument(),
        ended(first),
    );
    // A read that shows that the write had taken effect is needed only where its acknowledgement does not.
    let acknowledged =
        worst.source.filter(|source| source.outcome() == Outcome::Ok).map_or(NEVER, Operation::completed);
    let needed = newer.iter().any(|write| write.invoked() < acknowledged);
    let settled = worst.settled.filter(|_| needed).map(|(_, operation)| operation);
    let proof = newer.into_iter().chain([read]).chain(worst.source).chain(settled);
    findings.anomalies.push(anomaly("stale-read", proof, sentence));
}

/// Counts how many of the places from one on are taken (a Fenwick tree).
struct Tails(Vec<u64>);

impl Tails {
    fn of(places: usize) -> Tails {
        Tails(vec![0; places + 1])
    }

    fn add(&mut self, place: usize) {
        let mut at = place + 1;
        while at > 0 {
            self.0[at] += 1;
            at &= at - 1;
        }
    }

    fn count_from(&self, place: usize) -> u64 {
        let mut at = place + 1;
        let mut count = 0;
        while at < self.0.len() {
            count += self.0[at];
            at += at & at.wrapping_neg();
        }
        count
    }
}

/// A write whose value stands in another write of its key, if there is one.
pub(super) fn written_twice(history: &History) -> Option<(Operation<'_>, String)> {
    let mut written: FxHashSet<(Option<ValueId>, ValueId)> = FxHashSet::default();
    let mut writes = history.operations().filter(|o| o.function() == "write" && o.outcome() != Outcome::Fail);
    writes.find_map(|write| {
        if write.argument_id() == ValueId::NIL {
            return Some((write, "expected a value, found nil, which is what registers hold at first".to_owned()));
        }
        let new = written.insert((write.key_id(), write.argument_id()));
        (!new).then(|| (write, format!("expected values that are written once each, found {} again", write.argument())))
    })
}
