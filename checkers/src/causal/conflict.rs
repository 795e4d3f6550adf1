//! **Causal consistency** (CC) and **causal convergence** (CCv): every process sees causes before effects; under convergence all
//! agree, beyond that, on one order of the writes.
//!
//! ```text
//!   p0  ─[ x := 1 ]──[ x := 2 ]──[ y := 1 ]─
//!   p1  ────────────────────────────[ y → 1 ]──[ x → 1 ]─     not CC: 2 was written over 1 before the cause of what was read
//!
//!   p0  ─[ x := 1 ]──[ x → 2 ]──[ x → 1 ]─
//!   p1  ─[ x := 2 ]──[ x → 1 ]──[ x → 2 ]─                    CC, not CCv: no order of the two writes satisfies both
//! ```
//!
//! *Method:* the bad patterns of Bouajjani, Enea, Guerraoui & Hamza (POPL 2017). co is process order and reads-from, closed. A write w'
//! of a key *conflicts before* w when some read of w has w' in its past; CCv holds when co with those edges has no cycle, CC when no
//! w' with w co w' co r exists. For each read and session only the newest writer in the read's past counts, and only if it is not in
//! the past of w anyway; that is found by binary search in vector clocks. CC is looked into only where CCv has a cycle: each of its
//! patterns is one. The initial value is written before everything.
//!
//! *Cost:* O(n · k) for n operations of k sessions, with a logarithm where a session writes a key often.

use rustc_hash::{FxHashMap, FxHashSet};

use super::clocks::{self, Stopped};
use super::found::{self, Found, Inference, Step, Why};
use super::order::{Edges, Relation};
use super::sessions::{NONE, Node, Sessions};

/// So many violations of one kind are looked at, to find one that is short.
const CANDIDATES: usize = 64;

/// The patterns of CC that are there, or with `convergence` those of CCv.
pub(super) fn check(sessions: &Sessions, bytes: u64, convergence: bool) -> Result<Vec<Found>, Stopped> {
    let conflicts = match Conflicts::of(sessions, bytes) {
        Ok(conflicts) => conflicts,
        Err(Stopped::Cycle(cycle)) => return Ok(vec![cyclic_co(sessions, &cycle)]),
        Err(over) => return Err(over),
    };
    let mut found = Vec::new();
    let causal = Relation::causal(sessions);
    let initial =
        conflicts.initial.iter().map(|&at| found::initial_read(sessions, "WriteCOInitRead", &causal, &[], at));
    found.extend(initial.min_by_key(|found| found.nodes().len()));
    let edges = Edges::into_nodes(sessions.len(), &conflicts.pairs);
    let Err(cycle) = causal.with(&edges).walk(sessions.by_invocation.iter().copied(), |_| {}) else { return Ok(found) };
    found.extend(overwritten(sessions, &conflicts.pairs, bytes)?);
    if found.is_empty() {
        match convergence {
            true => found.push(cyclic_cf(sessions, &edges, &cycle, bytes)?),
            false => found.extend(within_a_transaction(sessions, bytes)?),
        }
    }
    Ok(found)
}

/// A transaction must read from one order of the writes, which no other transaction need share: a cycle of co and the conflicts that
/// its own reads make. Looked into only where CCv has a cycle, and as often as [`MOST_VISITS`] lets it.
fn within_a_transaction(sessions: &Sessions, bytes: u64) -> Result<Option<Found>, Stopped> {
    let mut conflicts: Vec<Inference> = Vec::new();
    each(sessions, bytes, |from, to, reader, key| {
        if to != NONE && sessions.reads(reader).len() > 1 {
            conflicts.push(Inference { from, to, key, reader });
        }
    })?;
    let mut visits = 0_u64;
    for own in conflicts.chunk_by(|one, other| one.reader == other.reader) {
        if own.iter().all(|conflict| conflict.to == own[0].to) {
            continue;
        }
        visits += sessions.len() as u64;
        if visits > MOST_VISITS {
            return Err(Stopped::TooManyTransactions);
        }
        let pairs: Vec<(Node, Node)> = own.iter().map(|conflict| (conflict.from, conflict.to)).collect();
        let edges = Edges::into_nodes(sessions.len(), &pairs);
        let relation = Relation::causal(sessions).with(&edges);
        if let Err(cycle) = relation.walk([own[0].reader], |_| {}) {
            let path = found::shortened(&relation, &cycle);
            let cycle = found::steps(sessions, &path, own);
            let before = |step: &Step| match step.why {
                Why::Conflict { reader, .. } => found::causal_path(sessions, step.from, reader),
                _ => None,
            };
            let support = cycle.iter().filter_map(before).flatten().collect();
            return Ok(Some(Found { name: "CyclicCF", cycle, support, beside: Vec::new() }));
        }
    }
    Ok(None)
}

/// So many nodes may be visited to look into transactions one by one.
const MOST_VISITS: u64 = 500_000_000;

pub(super) fn cyclic_co(sessions: &Sessions, cycle: &[Node]) -> Found {
    let path = found::shortened(&Relation::causal(sessions), cycle);
    Found { name: "CyclicCO", cycle: found::steps(sessions, &path, &[]), support: Vec::new(), beside: Vec::new() }
}

/// What must be ordered beyond causality.
struct Conflicts {
    /// Some reads of the initial value with a writer in their past: (writer, reader, key).
    initial: Vec<(Node, Node, u32)>,
    /// Writers w' and w: w' is not in the past of w, but in that of a read of w.
    pairs: Vec<(Node, Node)>,
}

impl Conflicts {
    fn of(sessions: &Sessions, bytes: u64) -> Result<Conflicts, Stopped> {
        let mut initial = Vec::new();
        let mut pairs: Vec<(Node, Node)> = Vec::new();
        let mut compact_at = 1 << 20;
        each(sessions, bytes, |writer, source, reader, key| {
            if source == NONE {
                if initial.len() < CANDIDATES {
                    initial.push((writer, reader, key));
                }
                return;
            }
            pairs.push((writer, source));
            if pairs.len() >= compact_at {
                newest_of_each_session(sessions, &mut pairs);
                compact_at = (2 * pairs.len()).max(1 << 20);
            }
        })?;
        newest_of_each_session(sessions, &mut pairs);
        Ok(Conflicts { initial, pairs })
    }
}

/// Tells for each read, and each session, the newest writer of the key in the read's past, unless that is in the past of what was read:
/// writer, source, reader, key.
fn each(sessions: &Sessions, bytes: u64, mut tell: impl FnMut(Node, Node, Node, u32)) -> Result<(), Stopped> {
    clocks::walk(sessions, bytes, |reader, clock, clocks| {
        for read in sessions.reads(reader) {
            let before: &[Node] =
                if read.source == NONE { &sessions.starts[..sessions.count()] } else { clocks.of(read.source) };
            for (session, writers) in sessions.writers(read.key) {
                if clock[session] > before[session]
                    && let Some(writer) = newest(writers, before[session], clock[session])
                {
                    tell(writer, read.source, reader, read.key);
                }
            }
        }
    })
}

/// The last of some nodes below `end`, if it is not below `from`.
pub(super) fn newest(writers: &[Node], from: Node, end: Node) -> Option<Node> {
    let last = *writers.last()?;
    if last < from || writers[0] >= end {
        return None;
    }
    if last < end {
        return Some(last);
    }
    let below = writers.partition_point(|&writer| writer < end);
    Some(writers[below.checked_sub(1)?]).filter(|&writer| writer >= from)
}

/// Of the edges from one session to one node the newest implies the others.
fn newest_of_each_session(sessions: &Sessions, pairs: &mut Vec<(Node, Node)>) {
    pairs.sort_unstable_by_key(|&(writer, source)| u64::from(source) << 32 | u64::from(!writer));
    pairs.dedup_by(|(writer, source), (kept, of)| source == of && sessions.session(*writer) == sessions.session(*kept));
}

/// Of the pairs those of which the second is in the past of the first: (writer, source).
fn overwriting(sessions: &Sessions, pairs: &[(Node, Node)], bytes: u64) -> Result<FxHashSet<(Node, Node)>, Stopped> {
    let turned: Vec<(Node, Node)> = pairs.iter().map(|&(writer, source)| (source, writer)).collect();
    let by_writer = Edges::into_nodes(sessions.len(), &turned);
    let mut over: FxHashSet<(Node, Node)> = FxHashSet::default();
    clocks::walk(sessions, bytes, |writer, clock, _| {
        let sources = by_writer.before(writer).iter().filter(|&&source| source < clock[sessions.session(source)]);
        over.extend(sources.map(|&source| (writer, source)));
    })?;
    Ok(over)
}

/// WriteCORead: the one that is shown by the fewest operations.
fn overwritten(sessions: &Sessions, pairs: &[(Node, Node)], bytes: u64) -> Result<Option<Found>, Stopped> {
    let over = overwriting(sessions, pairs, bytes)?;
    if over.is_empty() {
        return Ok(None);
    }
    let mut shown = Vec::new();
    each(sessions, bytes, |writer, source, reader, key| {
        if shown.len() < CANDIDATES && over.contains(&(writer, source)) {
            shown.push(Inference { from: writer, to: source, key, reader });
        }
    })?;
    let found = shown.iter().filter_map(|shown| {
        let mut cycle = found::causal_path(sessions, shown.from, shown.reader)?;
        let support = found::causal_path(sessions, shown.to, shown.from)?;
        cycle.push(Step { from: shown.reader, to: shown.from, why: Why::Overwrites { key: shown.key } });
        Some(Found { name: "WriteCORead", cycle, support, beside: vec![shown.to] })
    });
    Ok(found.min_by_key(|found| found.nodes().len()))
}

/// All reads that show WriteCORead or WriteCOInitRead: (reader, key).
pub(super) fn broken_reads(sessions: &Sessions, bytes: u64) -> Result<Vec<(Node, u32)>, Stopped> {
    let conflicts = Conflicts::of(sessions, bytes)?;
    let edges = Edges::into_nodes(sessions.len(), &conflicts.pairs);
    let ordered = Relation::causal(sessions).with(&edges).walk(sessions.by_invocation.iter().copied(), |_| {});
    if conflicts.initial.is_empty() && ordered.is_ok() {
        return Ok(Vec::new());
    }
    let over = overwriting(sessions, &conflicts.pairs, bytes)?;
    let mut broken = Vec::new();
    each(sessions, bytes, |writer, source, reader, key| {
        if (source == NONE || over.contains(&(writer, source))) && broken.last() != Some(&(reader, key)) {
            broken.push((reader, key));
        }
    })?;
    Ok(broken)
}

/// What must be ordered beyond causality, for the search of an order.
pub(super) fn edges(sessions: &Sessions, bytes: u64) -> Result<Edges, Stopped> {
    Ok(Edges::into_nodes(sessions.len(), &Conflicts::of(sessions, bytes)?.pairs))
}

/// The shortest cycle through a conflict of the cycle that was found.
fn cyclic_cf(sessions: &Sessions, edges: &Edges, cycle: &[Node], bytes: u64) -> Result<Found, Stopped> {
    let relation = Relation::causal(sessions).with(edges);
    let path = found::shortened(&relation, cycle);
    let mut why: FxHashMap<(Node, Node), Inference> = FxHashMap::default();
    let wanted: FxHashSet<(Node, Node)> = path.iter().map(|&(from, to, _)| (from, to)).collect();
    each(sessions, bytes, |from, to, reader, key| {
        if wanted.contains(&(from, to)) {
            why.entry((from, to)).or_insert(Inference { from, to, key, reader });
        }
    })?;
    let inferences: Vec<Inference> = why.into_values().collect();
    let support = inferences.iter().filter_map(|why| found::causal_path(sessions, why.from, why.reader)).flatten();
    Ok(Found {
        name: "CyclicCF",
        support: support.collect(),
        cycle: found::steps(sessions, &path, &inferences),
        beside: Vec::new(),
    })
}
