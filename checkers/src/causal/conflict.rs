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

use super::clocks;
use super::conflicts::{Conflict, each};
use super::found::{self, Found, Inference, Inferences, Step, Why};
use super::limits::{Limits, Over};
use super::one_transaction;
use super::order::{Edges, Relation};
use super::sessions::{NONE, Node, Sessions};
use super::stopped::Stopped;

/// So many violations of one kind are looked at, to find one that is short.
const CANDIDATES: usize = 64;

/// Adds the patterns of CC that are there, or with `convergence` those of CCv.
pub(super) fn check(
    sessions: &Sessions,
    limits: &Limits,
    convergence: bool,
    found: &mut Vec<Found>,
) -> Result<(), Over> {
    let Conflicts { initial, pairs } = match Conflicts::of(sessions, limits) {
        Ok(conflicts) => conflicts,
        Err(stopped) => {
            found.push(cyclic_co(sessions, stopped, limits)?);
            return Ok(());
        }
    };
    let causal = Relation::causal(sessions);
    let initial =
        initial.iter().map(|&at| found::initial_read(sessions, "WriteCOInitRead", &causal, &Inferences::default(), at));
    found.extend(initial.min_by_key(|found| found.nodes().len()));
    let edges = Edges::into_nodes(sessions.len(), &pairs);
    let mut pace = limits.begin("looking for a cycle of causes and conflicts", sessions.len());
    let cycle = match causal.with(&edges).walk(sessions.by_invocation.iter().copied(), |_| pace.step()) {
        Ok(()) => return Ok(()),
        Err(Stopped::Cycle(cycle)) => cycle,
        Err(Stopped::Over(over)) => return Err(over),
    };
    let more = overwritten(sessions, &pairs, limits).and_then(|more| match more {
        None if !found.is_empty() => Ok(None),
        None if convergence => Ok(Some(cyclic_cf(sessions, &edges, &cycle, limits)?)),
        None => one_transaction::check(sessions, &edges, limits),
        more => Ok(more),
    });
    match more {
        Ok(more) => found.extend(more),
        Err(stopped) => found.push(cyclic_co(sessions, stopped, limits)?),
    }
    Ok(())
}

/// The cycle of causal order that stopped a walk. To look for one takes no clocks, and so no memory to speak of.
pub(super) fn cyclic_co(sessions: &Sessions, stopped: Stopped, limits: &Limits) -> Result<Found, Over> {
    let causal = Relation::causal(sessions);
    let cycle = match stopped {
        Stopped::Cycle(cycle) => cycle,
        Stopped::Over(over) if limits.late() => return Err(over),
        Stopped::Over(over) => match causal.walk(sessions.by_invocation.iter().copied(), |_| Ok(())) {
            Err(Stopped::Cycle(cycle)) => cycle,
            _ => return Err(over),
        },
    };
    let path = found::shortened(&causal, &cycle, limits);
    Ok(Found {
        name: "CyclicCO",
        cycle: found::steps(sessions, &path, &Inferences::default()),
        support: Vec::new(),
        beside: Vec::new(),
    })
}

/// What must be ordered beyond causality.
struct Conflicts {
    /// Some reads of the initial value with a writer in their past: (writer, reader, key).
    initial: Vec<(Node, Node, u32)>,
    /// Writers w' and w: w' is not in the past of w, but in that of a read of w.
    pairs: Vec<(Node, Node)>,
}

impl Conflicts {
    fn of(sessions: &Sessions, limits: &Limits) -> Result<Conflicts, Stopped> {
        let mut initial = Vec::new();
        let mut pairs: Vec<(Node, Node)> = Vec::new();
        let mut compact_at = 1 << 20;
        let pace = limits.begin("collecting what must be ordered beyond causality", sessions.len());
        each(sessions, limits, |writer, source, reader, key| {
            if source == NONE {
                if initial.len() < CANDIDATES {
                    initial.push((writer, reader, key));
                }
                return Ok(());
            }
            pairs.push((writer, source));
            if pairs.len() >= compact_at {
                newest_of_each_session(sessions, &mut pairs);
                compact_at = (2 * pairs.len()).max(1 << 20);
                pace.afford((compact_at * size_of::<(Node, Node)>()) as u64)?;
            }
            Ok(())
        })?;
        newest_of_each_session(sessions, &mut pairs);
        Ok(Conflicts { initial, pairs })
    }
}

/// Of the edges from one session to one node the newest implies the others.
fn newest_of_each_session(sessions: &Sessions, pairs: &mut Vec<(Node, Node)>) {
    pairs.sort_unstable_by_key(|&(writer, source)| u64::from(source) << 32 | u64::from(!writer));
    pairs.dedup_by(|(writer, source), (kept, of)| source == of && sessions.session(*writer) == sessions.session(*kept));
}

/// Of the pairs those of which the second is in the past of the first: (writer, source).
fn overwriting(
    sessions: &Sessions,
    pairs: &[(Node, Node)],
    limits: &Limits,
) -> Result<FxHashSet<(Node, Node)>, Stopped> {
    let turned: Vec<(Node, Node)> = pairs.iter().map(|&(writer, source)| (source, writer)).collect();
    let by_writer = Edges::into_nodes(sessions.len(), &turned);
    let mut over: FxHashSet<(Node, Node)> = FxHashSet::default();
    clocks::walk(sessions, limits, |writer, clock, _| {
        let sources = by_writer.before(writer).iter().filter(|&&source| source < clock[sessions.session(source)]);
        over.extend(sources.map(|&source| (writer, source)));
        Ok(())
    })?;
    Ok(over)
}

/// WriteCORead: the one that is shown by the fewest operations.
fn overwritten(sessions: &Sessions, pairs: &[(Node, Node)], limits: &Limits) -> Result<Option<Found>, Stopped> {
    let over = overwriting(sessions, pairs, limits)?;
    if over.is_empty() {
        return Ok(None);
    }
    let mut shown = Vec::new();
    each(sessions, limits, |writer, source, reader, key| {
        if shown.len() < CANDIDATES && over.contains(&(writer, source)) {
            shown.push(Conflict { from: writer, to: source, key, reader });
        }
        Ok(())
    })?;
    let found = shown.iter().filter_map(|shown| {
        let mut cycle = found::causal_path(sessions, shown.from, shown.reader)?;
        let support = found::causal_path(sessions, shown.to, shown.from)?;
        cycle.push(Step { from: shown.reader, to: shown.from, why: Why::Overwrites { key: shown.key } });
        Some(Found { name: "WriteCORead", cycle, support, beside: vec![shown.to] })
    });
    Ok(found.min_by_key(|found| found.nodes().len()))
}

/// All reads that show WriteCORead or WriteCOInitRead: the reader, the key, and what was read.
pub(super) fn broken_reads(sessions: &Sessions, limits: &Limits) -> Result<Vec<(Node, u32, Node)>, Stopped> {
    let conflicts = Conflicts::of(sessions, limits)?;
    let edges = Edges::into_nodes(sessions.len(), &conflicts.pairs);
    let mut pace = limits.begin("looking for a cycle of causes and conflicts", sessions.len());
    let relation = Relation::causal(sessions).with(&edges);
    let ordered = match relation.walk(sessions.by_invocation.iter().copied(), |_| pace.step()) {
        Err(Stopped::Over(over)) => return Err(over.into()),
        ordered => ordered.is_ok(),
    };
    if conflicts.initial.is_empty() && ordered {
        return Ok(Vec::new());
    }
    let over = overwriting(sessions, &conflicts.pairs, limits)?;
    let mut broken = Vec::new();
    each(sessions, limits, |writer, source, reader, key| {
        let broke = source == NONE || over.contains(&(writer, source));
        if broke && broken.last() != Some(&(reader, key, source)) {
            broken.push((reader, key, source));
        }
        Ok(())
    })?;
    Ok(broken)
}

/// The shortest cycle through a conflict of the cycle that was found.
fn cyclic_cf(sessions: &Sessions, edges: &Edges, cycle: &[Node], limits: &Limits) -> Result<Found, Stopped> {
    let relation = Relation::causal(sessions).with(edges);
    let path = found::shortened(&relation, cycle, limits);
    let mut why: FxHashMap<(Node, Node), Conflict> = FxHashMap::default();
    let wanted: FxHashSet<(Node, Node)> = path.iter().map(|&(from, to, _)| (from, to)).collect();
    each(sessions, limits, |from, to, reader, key| {
        if wanted.contains(&(from, to)) {
            why.entry((from, to)).or_insert(Conflict { from, to, key, reader });
        }
        Ok(())
    })?;
    let mut conflicts: Vec<Conflict> = why.into_values().collect();
    conflicts.sort_unstable_by_key(|conflict| (conflict.from, conflict.to));
    let inferences: Vec<Inference> = conflicts.iter().map(|conflict| conflict.inference()).collect();
    let support = conflicts.iter().filter_map(|why| found::causal_path(sessions, why.from, why.reader)).flatten();
    Ok(Found {
        name: "CyclicCF",
        support: support.collect(),
        cycle: found::steps(sessions, &path, &Inferences::of(&inferences)),
        beside: Vec::new(),
    })
}
