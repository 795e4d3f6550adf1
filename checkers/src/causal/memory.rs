//! **Causal memory** (CM) and **PRAM**: each process sees all writes in one order of its own, which never changes in hindsight. Under
//! causal memory that order keeps to causality, under PRAM only to the order in which each process wrote.
//!
//! ```text
//!   p0  ─[ x := 1 ]──[ y := 1 ]─────────────
//!   p1  ─[ x := 2 ]──[ y := 2 ]──[ y → 1 ]──[ x → 2 ]─     neither: p1 put y := 1, and so x := 1, after its own writes,
//!                                                          but then x was 1
//! ```
//!
//! *When to ask for it rather than for its neighbours:* causal consistency lets a process change its mind about the order of concurrent
//! writes, causal convergence makes all processes agree on it.
//!
//! *Method:* happened-before of each process (Bouajjani et al., POPL 2017): the least order that holds the base order and, whenever w'
//! comes before a read of w by this process, w' before w. Broken by a cycle (CyclicHB), or by a read of the initial value after a
//! write (WriteHBInitRead). Sweeps of vector clocks add what the last sweep implied until nothing is new.
//!
//! *Cost:* O(k · n · (k + r)) for n operations of k sessions and r sweeps, in practice a few; memory for one clock an operation.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::clocks::join;
use super::conflicts::newest;
use super::found::{self, Found, Inference, Inferences, Step, Why};
use super::limits::{Limits, Over};
use super::order::{Edges, Reason, Relation};
use super::sessions::{NONE, Node, Sessions};
use super::stopped::Stopped;

/// What the order of a process keeps to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// Process order and everybody's reads.
    Causal,
    /// Process order and what the process itself read. A `cas` of unknown outcome belongs to it, behind what it had done before.
    Pram,
}

/// The first process without an order, and why. Processes are judged on several cores, as far as the memory lasts.
pub(super) fn check(sessions: &Sessions, limits: &Limits, base: Base) -> Result<Option<Found>, Over> {
    let judged: Vec<usize> = (0..sessions.count())
        .filter(|&session| sessions.nodes(session).any(|node| !sessions.reads(node).is_empty()))
        .collect();
    let clocks = (sessions.len() * sessions.count() * size_of::<Node>()) as u64;
    let fit = limits.bytes.checked_div(clocks).unwrap_or(1).max(1);
    let threads = if sessions.len() < WORTH_THREADS { 1 } else { limits.threads.min(judged.len()).min(fit as usize) };
    // The place of the first process that is not well, and what ails it: the same however many threads there are.
    let first: Mutex<(usize, Result<Option<Found>, Over>)> = Mutex::new((usize::MAX, Ok(None)));
    let next = AtomicUsize::new(0);
    let judge = || {
        while let Some(&session) = judged.get(next.fetch_add(1, Ordering::Relaxed)) {
            if first.lock().expect("no thread panics while it notes what it found").0 < session {
                return;
            }
            let outcome = View { sessions, session, base }.check(limits);
            if !matches!(outcome, Ok(None)) {
                let mut first = first.lock().expect("no thread panics while it notes what it found");
                if session < first.0 {
                    *first = (session, outcome);
                }
            }
        }
    };
    match threads {
        0 | 1 => judge(),
        more => std::thread::scope(|scope| (0..more).for_each(|_| _ = scope.spawn(judge))),
    }
    first.into_inner().expect("no thread panicked").1
}

/// Fewer operations are judged faster than threads are begun.
const WORTH_THREADS: usize = 2_000;

struct View<'a> {
    sessions: &'a Sessions,
    session: usize,
    base: Base,
}

impl View<'_> {
    fn relation(&self) -> Relation<'_> {
        let causal = Relation::causal(self.sessions);
        match self.base {
            Base::Causal => causal,
            Base::Pram => Relation { reader: Some(self.session), ..causal },
        }
    }

    fn check(&self, limits: &Limits) -> Result<Option<Found>, Over> {
        let sessions = self.sessions;
        let width = sessions.count();
        let last = sessions.starts[self.session + 1] - 1;
        let mut inferences: Vec<Inference> = Vec::new();
        // Where the inferences of each sweep begin: an inference follows from those of the sweeps before.
        let mut sweeps = vec![0];
        let mut slot = vec![NONE; sessions.len()];
        let mut rows: Vec<Node> = Vec::new();
        loop {
            let pairs: Vec<(Node, Node)> = inferences.iter().map(|inference| (inference.from, inference.to)).collect();
            let edges = Edges::into_nodes(sessions.len(), &pairs);
            let relation = self.relation().with(&edges);
            slot.fill(NONE);
            rows.clear();
            let mut pace = limits.begin("ordering all that one process has seen", sessions.len());
            let walked = relation.walk([last], |node| {
                pace.step()?;
                let start = rows.len();
                pace.afford(((start + width) * size_of::<Node>()) as u64)?;
                rows.extend_from_slice(&sessions.starts[..width]);
                let (done, clock) = rows.split_at_mut(start);
                for (before, _) in relation.edges_into(node) {
                    let row = slot[before as usize] as usize * width;
                    join(clock, &done[row..row + width]);
                }
                clock[sessions.session(node)] = node + 1;
                slot[node as usize] = (start / width) as u32;
                Ok(())
            });
            match walked {
                Ok(()) => {}
                Err(Stopped::Over(over)) => return Err(over),
                Err(Stopped::Cycle(cycle)) => {
                    let path = found::shortened(&relation, &cycle, limits);
                    return Ok(Some(self.found("CyclicHB", &path, &inferences, &sweeps, None, limits)));
                }
            }
            let row = |node: Node| &rows[slot[node as usize] as usize * width..][..width];
            let begun = inferences.len();
            let mut pace = limits.begin("ordering writes as one process read them", sessions.nodes(self.session).len());
            for reader in sessions.view(self.session) {
                pace.step()?;
                for read in sessions.reads(reader) {
                    let before = if read.source == NONE { &sessions.starts[..width] } else { row(read.source) };
                    for (session, writers) in sessions.writers(read.key) {
                        let end = if session == sessions.session(reader) { reader } else { row(reader)[session] };
                        let Some(writer) = newest(writers, before[session], end) else { continue };
                        if read.source == NONE {
                            let path = relation.path(writer, reader).expect("it is in the past of the read");
                            let over = Step { from: reader, to: writer, why: Why::Overwrites { key: read.key } };
                            return Ok(Some(self.found(
                                "WriteHBInitRead",
                                &path,
                                &inferences,
                                &sweeps,
                                Some(over),
                                limits,
                            )));
                        }
                        inferences.push(Inference {
                            from: writer,
                            to: read.source,
                            why: Why::Conflict { key: read.key, reader },
                        });
                    }
                }
            }
            if inferences.len() == begun {
                return Ok(None);
            }
            let mut seen = rustc_hash::FxHashSet::default();
            let mut fresh = inferences.split_off(begun);
            fresh.retain(|inference| seen.insert((inference.from, inference.to)));
            inferences.extend(fresh);
            sweeps.push(begun);
        }
    }

    /// A cycle with all that it rests on.
    fn found(
        &self,
        name: &'static str,
        path: &[(Node, Node, Reason)],
        inferences: &[Inference],
        sweeps: &[usize],
        closing: Option<Step>,
        limits: &Limits,
    ) -> Found {
        let sessions = self.sessions;
        let known = Inferences::of(inferences);
        let mut cycle = found::steps(sessions, path, &known);
        cycle.extend(closing);
        let sweep = |at: usize| sweeps.iter().rev().find(|&&begin| begin <= at).copied().unwrap_or(0);
        let support = known.support(&cycle, limits, sweep, |before, from, to| {
            let pairs: Vec<(Node, Node)> = before.iter().map(|known| (known.from, known.to)).collect();
            let edges = Edges::into_nodes(sessions.len(), &pairs);
            let path = self.relation().with(&edges).path(from, to).expect("so it was inferred");
            found::steps(sessions, &path, &known)
        });
        Found::resting_on(name, cycle, support, sessions)
    }
}
