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

use super::clocks::{Stopped, join};
use super::conflict::newest;
use super::found::{self, Found, Inference, Step};
use super::order::{Edges, Reason, Relation};
use super::sessions::{NONE, Node, Sessions};

/// What the order of a process keeps to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// Process order and everybody's reads.
    Causal,
    /// Process order and what the process itself read.
    Pram,
}

/// The first process without an order, and why.
pub(super) fn check(sessions: &Sessions, bytes: u64, base: Base) -> Result<Option<Found>, Stopped> {
    for session in 0..sessions.count() {
        if sessions.nodes(session).any(|node| !sessions.reads(node).is_empty())
            && let Some(found) = (View { sessions, session, base }).check(bytes)?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

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

    fn check(&self, bytes: u64) -> Result<Option<Found>, Stopped> {
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
            let mut over = false;
            let walked = relation.walk([last], |node| {
                over |= (rows.len() * size_of::<Node>()) as u64 > bytes;
                if over {
                    return;
                }
                let start = rows.len();
                rows.extend_from_slice(&sessions.starts[..width]);
                let (done, clock) = rows.split_at_mut(start);
                for (before, _) in relation.edges_into(node) {
                    let row = slot[before as usize] as usize * width;
                    join(clock, &done[row..row + width]);
                }
                clock[sessions.session(node)] = node + 1;
                slot[node as usize] = (start / width) as u32;
            });
            if let Err(cycle) = walked {
                let path = found::shortened(&relation, &cycle);
                return Ok(Some(self.found("CyclicHB", &path, &inferences, &sweeps, None)));
            }
            if over {
                return Err(Stopped::OverBudget);
            }
            let row = |node: Node| &rows[slot[node as usize] as usize * width..][..width];
            let begun = inferences.len();
            for reader in sessions.nodes(self.session) {
                for read in sessions.reads(reader) {
                    let before = if read.source == NONE { &sessions.starts[..width] } else { row(read.source) };
                    for (session, writers) in sessions.writers(read.key) {
                        let end = if session == self.session { reader } else { row(reader)[session] };
                        let Some(writer) = newest(writers, before[session], end) else { continue };
                        if read.source == NONE {
                            let path = relation.path(writer, reader).expect("it is in the past of the read");
                            let over = Step { from: reader, to: writer, why: found::Why::Overwrites { key: read.key } };
                            return Ok(Some(self.found("WriteHBInitRead", &path, &inferences, &sweeps, Some(over))));
                        }
                        inferences.push(Inference { from: writer, to: read.source, key: read.key, reader });
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
    ) -> Found {
        let sessions = self.sessions;
        let mut cycle = found::steps(sessions, path, inferences);
        cycle.extend(closing);
        let mut support: Vec<Step> = Vec::new();
        let mut open = cycle.clone();
        let mut seen = rustc_hash::FxHashSet::default();
        while let Some(step) = open.pop() {
            let found::Why::Conflict { reader, .. } = step.why else { continue };
            if !seen.insert((step.from, step.to)) {
                continue;
            }
            let at = inferences.iter().position(|known| (known.from, known.to) == (step.from, step.to));
            let at = at.expect("a conflict is an inference");
            let before = sweeps.iter().rev().find(|&&begin| begin <= at).copied().unwrap_or(0);
            let known = &inferences[..before];
            let pairs: Vec<(Node, Node)> = known.iter().map(|known| (known.from, known.to)).collect();
            let edges = Edges::into_nodes(sessions.len(), &pairs);
            let path = self.relation().with(&edges).path(step.from, reader).expect("so it was inferred");
            let steps = found::steps(sessions, &path, known);
            support.extend(&steps);
            open.extend(steps);
        }
        Found { name, cycle, support, beside: Vec::new() }
    }
}
