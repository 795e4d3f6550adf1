//! What **every order of all operations** must hold, as far as that can be inferred without a choice.
//!
//! ```text
//!   w' before r      ⇒  w' before w        w and w' wrote a key, and r read w
//!   w  before w'     ⇒  r  before w'
//! ```
//!
//! *Method:* process order and reads-from, and these two rules until nothing is new (the saturation of Gibbons & Korach 1997, in vector
//! clocks). Each sweep goes through the operations in an order that holds what is known: of each session only the newest writer in the past
//! of a read, and the last reader of what it wrote before, count. What the last sweep learnt nothing about is not looked into again. What is
//! implied already is no edge. A cycle shows that there is no order.
//!
//! *Cost:* O(n · k · r) for n operations of k sessions and r sweeps, in practice a few; memory for one clock an operation.

use super::clocks::join;
use super::conflicts::newest;
use super::found::{self, Found, Inference, Inferences, Why};
use super::limits::{Limits, Over};
use super::order::{Edges, Relation};
use super::sessions::{NONE, Node, Sessions};
use super::stopped::Stopped;
use crate::history::EventPosition;

/// What is known of every order.
pub(super) struct Saturated {
    pub edges: Edges,
    /// Of each node, for each session, up to where it must come before; the node itself is included.
    pasts: Vec<Node>,
    width: usize,
    pub readers: Readers,
    /// When each node was over at the latest, if the order in which operations ended were to count: when it ended, or anything that must
    /// come after it.
    pub due: Vec<EventPosition>,
}

impl Saturated {
    /// Nothing inferred.
    #[cfg(test)]
    pub fn nothing(sessions: &Sessions) -> Saturated {
        Saturated {
            edges: Edges::into_nodes(sessions.len(), &[]),
            pasts: Vec::new(),
            width: sessions.count(),
            readers: Readers::of(sessions),
            due: sessions.ended.clone(),
        }
    }

    pub fn past(&self, node: Node) -> &[Node] {
        &self.pasts[node as usize * self.width..][..self.width]
    }
}

/// Who reads each version last: for each write, and the initial value of each key, the last reader of each session.
pub(super) struct Readers {
    starts: Vec<u32>,
    nodes: Vec<Node>,
    write_slots: usize,
}

impl Readers {
    fn of(sessions: &Sessions) -> Readers {
        let write_slots = sessions.write_slots();
        let mut pairs: Vec<(u32, Node)> = Vec::new();
        for node in 0..sessions.len() as Node {
            pairs.extend(sessions.reads(node).iter().map(|read| (slot(sessions, read.key, read.source), node)));
        }
        // Of one version and one session, the last comes first.
        pairs.sort_unstable_by_key(|&(slot, node)| (slot, !node));
        pairs.dedup_by(|(slot, node), (kept_slot, kept)| {
            slot == kept_slot && sessions.session(*node) == sessions.session(*kept)
        });
        let mut starts = vec![0_u32; write_slots + sessions.keys() + 1];
        pairs.iter().for_each(|&(slot, _)| starts[slot as usize + 1] += 1);
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        Readers { starts, nodes: pairs.into_iter().map(|(_, node)| node).collect(), write_slots }
    }

    /// The last readers of what a node left in a key ([`NONE`]: of the initial value).
    pub fn of_version(&self, sessions: &Sessions, key: u32, source: Node) -> &[Node] {
        let slot = slot(sessions, key, source) as usize;
        debug_assert!(slot < self.write_slots + sessions.keys());
        &self.nodes[self.starts[slot] as usize..self.starts[slot + 1] as usize]
    }
}

/// A number for each version: the writes, then the initial values.
fn slot(sessions: &Sessions, key: u32, source: Node) -> u32 {
    match source {
        NONE => (sessions.write_slots() + key as usize) as u32,
        source => sessions.write_slot(source, key) as u32,
    }
}

/// All that can be inferred, or the cycle that it comes to.
pub(super) fn saturate(sessions: &Sessions, limits: &Limits) -> Result<Result<Saturated, Found>, Over> {
    let width = sessions.count();
    let mut saturation = Saturation {
        sessions,
        width,
        readers: Readers::of(sessions),
        inferences: Vec::new(),
        pasts: Vec::new(),
        grown: vec![true; sessions.len()],
        scratch: Vec::new(),
    };
    let cells = sessions.len() * width;
    let pace = limits.begin("inferring what every order must hold", sessions.len());
    pace.afford((cells * size_of::<Node>()) as u64)?;
    saturation.pasts.resize(cells, 0);
    let mut order: Vec<Node> = Vec::with_capacity(sessions.len());
    loop {
        let known = saturation.inferences.len();
        let pairs: Vec<(Node, Node)> = saturation.inferences.iter().map(|known| (known.from, known.to)).collect();
        let edges = Edges::into_nodes(sessions.len(), &pairs);
        let relation = Relation::causal(sessions).with(&edges);
        let mut pace = limits.begin("inferring what every order must hold", sessions.len());
        order.clear();
        let swept = relation.walk(sessions.by_invocation.iter().copied(), |node| {
            pace.step()?;
            saturation.visit(node, &relation);
            order.push(node);
            pace.afford((cells * size_of::<Node>() + saturation.inferences.len() * size_of::<Inference>()) as u64)
        });
        match swept {
            Err(Stopped::Over(over)) => return Err(over),
            Err(Stopped::Cycle(cycle)) => {
                let path = found::shortened(&relation, &cycle, limits);
                return Ok(Err(saturation.found(&path, limits)));
            }
            Ok(()) if saturation.inferences.len() > known => {}
            Ok(()) => {
                let mut due = sessions.ended.clone();
                for &node in order.iter().rev() {
                    for (before, _) in relation.edges_into(node) {
                        due[before as usize] = due[before as usize].min(due[node as usize]);
                    }
                }
                let Saturation { pasts, readers, .. } = saturation;
                return Ok(Ok(Saturated { edges, pasts, width, readers, due }));
            }
        }
    }
}

struct Saturation<'a> {
    sessions: &'a Sessions,
    width: usize,
    readers: Readers,
    /// Each rests on the ones before it.
    inferences: Vec<Inference>,
    pasts: Vec<Node>,
    /// Whether something was inferred about what is before a node since that was last looked into.
    grown: Vec<bool>,
    scratch: Vec<Node>,
}

impl Saturation<'_> {
    fn visit(&mut self, node: Node, relation: &Relation<'_>) {
        let (sessions, width) = (self.sessions, self.width);
        // What an earlier sweep knew of it holds still; at first there is nothing.
        let mut past = std::mem::take(&mut self.scratch);
        past.clear();
        past.extend_from_slice(self.past(node));
        join(&mut past, &sessions.starts[..width]);
        for (before, _) in relation.edges_into(node) {
            join(&mut past, self.past(before));
        }
        let home = sessions.session(node);
        past[home] = past[home].max(node + 1);
        if past == self.past(node) && !self.grown[node as usize] {
            self.scratch = past;
            return;
        }
        self.grown[node as usize] = false;
        for &key in sessions.writes(node) {
            self.after_what_read_older(node, key, &mut past);
        }
        self.pasts[node as usize * width..][..width].copy_from_slice(&past);
        for read in sessions.reads(node).iter().filter(|read| read.source != NONE) {
            for (session, writers) in sessions.writers(read.key) {
                let end = if session == home { node } else { past[session] };
                let Some(writer) = newest(writers, self.past(read.source)[session], end) else { continue };
                self.infer(writer, read.source, Why::Conflict { key: read.key, reader: node });
            }
        }
        self.scratch = past;
    }

    /// Who read a version that a write came after came before that write.
    fn after_what_read_older(&mut self, node: Node, key: u32, past: &mut [Node]) {
        let sessions = self.sessions;
        let home = sessions.session(node);
        let mut is_first = false;
        for (session, writers) in sessions.writers(key) {
            is_first |= session == home && writers[0] == node;
            let end = if session == home { node } else { past[session] };
            if let Some(older) = newest(writers, 0, end) {
                self.before(older, node, key, past);
            }
        }
        if is_first {
            self.before(NONE, node, key, past);
        }
    }

    fn before(&mut self, older: Node, node: Node, key: u32, past: &mut [Node]) {
        let sessions = self.sessions;
        let count = self.readers.of_version(sessions, key, older).len();
        for nth in 0..count {
            let reader = self.readers.of_version(sessions, key, older)[nth];
            if reader != node && reader >= past[sessions.session(reader)] {
                join(past, self.past(reader));
                let at = sessions.session(reader);
                past[at] = past[at].max(reader + 1);
                self.grown[node as usize] = true;
                let why = Why::Older { key, older };
                self.inferences.push(Inference { from: reader, to: node, why });
            }
        }
    }

    fn infer(&mut self, from: Node, to: Node, why: Why) {
        self.inferences.push(Inference { from, to, why });
        self.grown[to as usize] = true;
        let (from, to, width) = (from as usize * self.width, to as usize * self.width, self.width);
        for at in 0..width {
            self.pasts[to + at] = self.pasts[to + at].max(self.pasts[from + at]);
        }
    }

    fn past(&self, node: Node) -> &[Node] {
        &self.pasts[node as usize * self.width..][..self.width]
    }

    /// A cycle with all that it rests on.
    fn found(&self, path: &[(Node, Node, super::order::Reason)], limits: &Limits) -> Found {
        let known = Inferences::of(&self.inferences);
        let cycle = found::steps(self.sessions, path, &known);
        let support = known.support(
            &cycle,
            limits,
            |at| at,
            |before, from, to| {
                let pairs: Vec<(Node, Node)> = before.iter().map(|known| (known.from, known.to)).collect();
                let edges = Edges::into_nodes(self.sessions.len(), &pairs);
                let path = Relation::causal(self.sessions).with(&edges).path(from, to).expect("so it was inferred");
                found::steps(self.sessions, &path, &known)
            },
        );
        Found::resting_on("no-sequential-order", cycle, support, self.sessions)
    }
}
