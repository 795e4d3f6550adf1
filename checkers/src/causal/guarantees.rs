//! The four **session guarantees** (Terry et al. 1994), each by itself.
//!
//! ```text
//!   read your writes     p  ─[ x := 1 ]──[ x := 2 ]──[ x → 1 ]─             one's own write is missing
//!   monotonic reads      p  ─[ x → 2 ]──[ x → 1 ]──[ x → 2 ]─               what was seen is gone, whichever write was first
//!   monotonic writes     p  ─[ y → 1 ]──[ x → 1 ]─                          another's earlier write is missing (x := 1, x := 2, y := 1)
//!   writes follow reads  p  ─[ y → 1 ]──[ x → 1 ]─                          what the writer of y had read, x = 2, is missing
//! ```
//!
//! *Definition* of the first three, in views of processes (as Brzeziński, Sobaniec & Wawrzyniak 2004, and Steinke & Nutt 2004, have them):
//! for each process p there is **one order of all writes**, which holds the order in which each process did its own, and what p had
//! read before it wrote before that write, such that each read of p shows the last, in that order, of the write that it read and the writes
//! that it must know:
//!
//! - read your writes: those that p did before it;
//! - monotonic reads: those that p read before it;
//! - monotonic writes: those that some process did before one that p has read by then.
//!
//! PRAM orders p's reads among the writes, too, and each such order is one that all three want. Causal convergence has one such order for
//! all. Causal consistency lets a process change its mind about concurrent writes: so it implies read your writes, but not the
//! next two. Writes follow reads is judged by causal order, which is what that guarantee makes (`follows.rs`).
//!
//! *Method:* every read adds to the order what it must know before what it read. Of the writes of one process the newest implies the
//! others, and of what was read the last. The orders of all processes are laid over each other first: only if that has a cycle, each is looked
//! into by itself. *Cost:* O(n · k).

use rustc_hash::FxHashMap;

use super::conflicts::newest;
use super::follows;
use super::found::{self, Found, Inference, Inferences, Step, Why};
use super::limits::{Limits, Over, Pace};
use super::order::{Edges, Reason, Relation};
use super::sessions::{NONE, Node, Read, Sessions};
use super::stopped::Stopped;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guarantee {
    ReadYourWrites,
    MonotonicReads,
    MonotonicWrites,
    WritesFollowReads,
}

impl Guarantee {
    fn name(self) -> &'static str {
        match self {
            Guarantee::ReadYourWrites => "read-your-writes",
            Guarantee::MonotonicReads => "monotonic-reads",
            Guarantee::MonotonicWrites => "monotonic-writes",
            Guarantee::WritesFollowReads => "writes-follow-reads",
        }
    }
}

/// The first process without an order that a guarantee asks for.
pub(super) fn check(sessions: &Sessions, guarantee: Guarantee, limits: &Limits) -> Result<Option<Found>, Over> {
    if guarantee == Guarantee::WritesFollowReads {
        return follows::check(sessions, limits);
    }
    let mut pace = limits.begin("going through what each session saw", sessions.len());
    let mut view = View::new(sessions, guarantee);
    let mut all: Vec<(Node, Node)> = Vec::new();
    for session in 0..sessions.count() {
        if let Some(found) = view.go_through(session, &mut pace)? {
            return Ok(Some(found));
        }
        all.extend(view.known.iter().map(|known| (known.writer, known.source)));
    }
    let edges = Edges::into_nodes(sessions.len(), &all);
    let mut pace = limits.begin("looking for a cycle in what sessions saw", sessions.len());
    let together = Relation::causal(sessions).with(&edges);
    match together.walk(sessions.by_invocation.iter().copied(), |_| pace.step()) {
        Ok(()) => return Ok(None),
        Err(Stopped::Over(over)) => return Err(over),
        Err(Stopped::Cycle(_)) => {}
    }
    let mut pace = limits.begin("ordering the writes as each session saw them", sessions.len());
    for session in 0..sessions.count() {
        if view.go_through(session, &mut pace)?.is_some() {
            continue;
        }
        let pairs: Vec<(Node, Node)> = view.known.iter().map(|known| (known.writer, known.source)).collect();
        let edges = Edges::into_nodes(sessions.len(), &pairs);
        let relation = Relation { reader: Some(session), ..Relation::causal(sessions) }.with(&edges);
        match relation.walk(sessions.by_invocation.iter().copied(), |_| pace.pause()) {
            Ok(()) => {}
            Err(Stopped::Over(over)) => return Err(over),
            Err(Stopped::Cycle(cycle)) => {
                return Ok(Some(view.cyclic(&found::shortened(&relation, &cycle, limits))));
            }
        }
    }
    Ok(None)
}

/// A read must know of a write, and so that came before what it read.
#[derive(Clone, Copy)]
struct Known {
    writer: Node,
    source: Node,
    reader: Node,
    key: u32,
    /// From the write to the read: what the process read it by, or saw of its process.
    via: [Node; 2],
}

/// What one process saw up to now.
struct View<'a> {
    sessions: &'a Sessions,
    guarantee: Guarantee,
    known: Vec<Known>,
    /// Of each key: what was read last, and where.
    last: FxHashMap<u32, (Node, Node)>,
    /// Of each session: below where its writes must be known, the write that was read, and where.
    below: Vec<Option<(Node, Node, Node)>>,
}

impl<'a> View<'a> {
    fn new(sessions: &'a Sessions, guarantee: Guarantee) -> View<'a> {
        let below = vec![None; sessions.count()];
        View { sessions, guarantee, known: Vec::new(), last: FxHashMap::default(), below }
    }

    /// Collects what a process must know; a read of the initial value after what must be known is broken at once.
    fn go_through(&mut self, session: usize, pace: &mut Pace<'_>) -> Result<Option<Found>, Over> {
        self.known.clear();
        self.last.clear();
        self.below.fill(None);
        if self.sessions.nodes(session).all(|node| self.sessions.reads(node).is_empty()) {
            return Ok(None);
        }
        for node in self.sessions.view(session) {
            pace.pause()?;
            for &read in self.sessions.reads(node) {
                let found = match self.guarantee {
                    Guarantee::ReadYourWrites => self.own(session, node, read),
                    Guarantee::MonotonicReads => self.seen(node, read),
                    _ => self.earlier(node, read),
                };
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }

    /// Takes down that a read must know of a write; tells if it read the initial value all the same.
    fn must_know(&mut self, writer: Node, via: [Node; 2], reader: Node, read: Read) -> Option<Found> {
        let known = Known { writer, source: read.source, reader, key: read.key, via };
        if read.source == NONE {
            return Some(self.missed(known, Vec::new()));
        }
        if writer != read.source {
            self.known.push(known);
        }
        None
    }

    /// The newest own write.
    fn own(&mut self, session: usize, node: Node, read: Read) -> Option<Found> {
        let fork = self.sessions.forks[session];
        let own = newest(self.sessions.writers_in(read.key, self.sessions.session(node)), 0, node);
        let before = || {
            let is_own = fork != NONE && self.sessions.session(node) == session;
            let writers = is_own.then(|| self.sessions.writers_in(read.key, self.sessions.session(fork)))?;
            newest(writers, 0, fork + 1)
        };
        let writer = own.or_else(before)?;
        self.must_know(writer, [writer, writer], node, read)
    }

    /// What was read of the key last.
    fn seen(&mut self, node: Node, read: Read) -> Option<Found> {
        let last = match read.source {
            NONE => self.last.get(&read.key).copied(),
            source => self.last.insert(read.key, (source, node)),
        };
        let (writer, reader) = last?;
        self.must_know(writer, [reader, reader], node, read)
    }

    /// What processes had written to the key before what was read of them.
    fn earlier(&mut self, node: Node, read: Read) -> Option<Found> {
        let sessions = self.sessions;
        if read.source != NONE {
            let session = sessions.session(read.source);
            self.reach(session, read.source, (read.source, node));
            if sessions.forks[session] != NONE {
                let fork = sessions.forks[session];
                self.reach(sessions.session(fork), fork + 1, (read.source, node));
            }
        }
        for (session, writers) in sessions.writers(read.key) {
            let Some((below, top, reader)) = self.below[session] else { continue };
            if let Some(writer) = newest(writers, 0, below)
                && let Some(found) = self.must_know(writer, [top, reader], node, read)
            {
                return Some(found);
            }
        }
        None
    }

    fn reach(&mut self, session: usize, end: Node, (top, reader): (Node, Node)) {
        let known = &mut self.below[session];
        if known.is_none_or(|(below, ..)| below < end) {
            *known = Some((end, top, reader));
        }
    }

    /// The steps from a write to the read that must know of it.
    fn way(&self, known: Known) -> Vec<Step> {
        let read_by = |from: Node, to: Node| {
            let read = self.sessions.reads(to).iter().find(|read| read.source == from);
            Step { from, to, why: Why::Reads { key: read.map_or(known.key, |read| read.key) } }
        };
        let process = |from: Node, to: Node| Step { from, to, why: Why::Process };
        let Known { writer, reader, via: [first, second], .. } = known;
        let mut way = Vec::new();
        match self.guarantee {
            Guarantee::ReadYourWrites => way.push(process(writer, reader)),
            Guarantee::MonotonicReads => way.push(read_by(writer, first)),
            _ => way.extend([process(writer, first), read_by(first, second)]),
        }
        // A transaction may read a key twice.
        if way.last().is_some_and(|last| last.to != reader) {
            way.push(process(second, reader));
        }
        way
    }

    /// A read that misses what it must know.
    fn missed(&self, known: Known, support: Vec<Step>) -> Found {
        let mut cycle = self.way(known);
        cycle.push(Step { from: known.reader, to: known.writer, why: Why::Overwrites { key: known.key } });
        let beside = Some(known.source).filter(|&source| source != NONE).into_iter().collect();
        Found { name: self.guarantee.name(), cycle, support, beside }
    }

    /// A cycle of the order that a process wants.
    fn cyclic(&self, path: &[(Node, Node, Reason)]) -> Found {
        let why: FxHashMap<(Node, Node), Known> =
            self.known.iter().rev().map(|known| ((known.writer, known.source), *known)).collect();
        let inferred: Vec<Known> = path
            .iter()
            .filter(|(.., reason)| *reason == Reason::Inferred)
            .map(|(from, to, _)| why[&(*from, *to)])
            .collect();
        let inferences: Vec<Inference> = inferred
            .iter()
            .map(|known| Inference {
                from: known.writer,
                to: known.source,
                why: Why::Conflict { key: known.key, reader: known.reader },
            })
            .collect();
        let mut cycle = found::steps(self.sessions, path, &Inferences::of(&inferences));
        if let &[only] = &inferred[..] {
            // The others lead from what was read to what had to be known.
            cycle.retain(|step| !matches!(step.why, Why::Conflict { .. }));
            return self.missed(only, cycle);
        }
        let support = inferred.iter().flat_map(|known| {
            let mut way = self.way(*known);
            way.push(Step { from: known.source, to: known.reader, why: Why::Reads { key: known.key } });
            way
        });
        Found { name: self.guarantee.name(), cycle, support: support.collect(), beside: Vec::new() }
    }
}
