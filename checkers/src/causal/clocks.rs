//! **Vector clocks**: for each node and each session, up to where the session is in the node's past.
//!
//! ```text
//!   clock of a node:  [ 3 7 12 … ]     everything below node 3 of the first session, below node 7 of the second, …
//! ```
//!
//! A clock is kept only while something that reads from its node is still to come (AWDIT, PLDI 2025, does the same); a session's own
//! one is carried along. *Cost:* O(reads · sessions) time; memory for the clocks that are alive at once.

use super::limits::{Limits, Over};
use super::order::Relation;
use super::sessions::{NONE, Node, Sessions};
use super::stopped::Stopped;

/// The clocks of those nodes that something still to come reads from; they include the node itself.
pub(super) struct Clocks {
    width: usize,
    rows: Vec<Node>,
    free: Vec<u32>,
    slot: Vec<u32>,
}

impl Clocks {
    fn new(sessions: &Sessions) -> Clocks {
        Clocks { width: sessions.count(), rows: Vec::new(), free: Vec::new(), slot: vec![NONE; sessions.len()] }
    }

    /// The past of a node with the node itself.
    pub fn of(&self, node: Node) -> &[Node] {
        let start = self.slot[node as usize] as usize * self.width;
        &self.rows[start..start + self.width]
    }

    fn keep(&mut self, node: Node, clock: &[Node]) {
        let slot = match self.free.pop() {
            Some(slot) => {
                let start = slot as usize * self.width;
                self.rows[start..start + self.width].copy_from_slice(clock);
                slot
            }
            None => {
                self.rows.extend_from_slice(clock);
                (self.rows.len() / self.width - 1) as u32
            }
        };
        self.slot[node as usize] = slot;
    }

    fn release(&mut self, node: Node) {
        self.free.push(self.slot[node as usize]);
    }
}

/// Takes what is in another past into a clock.
pub(super) fn join(clock: &mut [Node], other: &[Node]) {
    for (mine, theirs) in clock.iter_mut().zip(other) {
        *mine = (*mine).max(*theirs);
    }
}

/// Visits every node in causal order, with its past (itself not included) and the clocks of what it reads.
pub(super) fn walk(
    sessions: &Sessions,
    limits: &Limits,
    mut visit: impl FnMut(Node, &[Node], &Clocks) -> Result<(), Over>,
) -> Result<(), Stopped> {
    let mut clocks = Clocks::new(sessions);
    let mut readers = sessions.readers();
    let mut own: Vec<Vec<Node>> = vec![Vec::new(); sessions.count()];
    let first = &sessions.starts[..sessions.count()];
    let mut alive = 0_u64;
    let mut pace = limits.begin("following causal order", sessions.len());
    Relation::causal(sessions).walk(sessions.by_invocation.iter().copied(), |node| {
        pace.step()?;
        let session = sessions.session(node);
        let mut clock = std::mem::take(&mut own[session]);
        if node == sessions.starts[session] {
            alive += 1;
            pace.afford((alive * clocks.width as u64 + clocks.rows.len() as u64) * size_of::<Node>() as u64)?;
            clock.extend_from_slice(first);
            let fork = sessions.forks[session];
            if fork != NONE {
                join(&mut clock, clocks.of(fork));
                used(&mut readers, &mut clocks, fork);
            }
        }
        let reads = sessions.reads(node);
        for read in reads.iter().filter(|read| read.source != NONE) {
            // What is in the past already has brought its own past along.
            if read.source >= clock[sessions.session(read.source)] {
                join(&mut clock, clocks.of(read.source));
            }
        }
        visit(node, &clock, &clocks)?;
        for read in reads.iter().filter(|read| read.source != NONE) {
            used(&mut readers, &mut clocks, read.source);
        }
        clock[session] = node + 1;
        if readers[node as usize] > 0 {
            clocks.keep(node, &clock);
            pace.afford((alive * clocks.width as u64 + clocks.rows.len() as u64) * size_of::<Node>() as u64)?;
        }
        if node + 1 < sessions.starts[session + 1] {
            own[session] = clock;
        } else {
            alive -= 1;
        }
        Ok(())
    })
}

fn used(readers: &mut [u32], clocks: &mut Clocks, node: Node) {
    readers[node as usize] -= 1;
    if readers[node as usize] == 0 {
        clocks.release(node);
    }
}
