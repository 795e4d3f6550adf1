//! **One order of all operations**, put together without a search.
//!
//! ```text
//!   ready:   all that comes before it is done          a read goes at once, as what it read is kept until it has gone
//!   free:    all have read what it would write over    of the writes that are free, the one that is due first goes
//! ```
//!
//! *Method:* what [saturation](super::saturation) inferred is kept to. When a write is due is a guess from real time, which proves nothing; two
//! guesses are tried. One is right where operations took effect in the order in which they ended, the other where the history is
//! linearizable. If neither is, before a write goes it is asked what must be done before its readers have gone, and before those have gone whom that
//! waits for, and so on: another write of the same key among these must go first. An order that all this comes to is held against the
//! definition once more; that none was found proves nothing.
//!
//! *Cost:* O(n log n), and O(k) for each read of each write.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use super::clocks::join;
use super::limits::{Limits, Over};
use super::order::Relation;
use super::saturation::Saturated;
use super::sessions::{NONE, Node, Sessions};
use crate::history::EventPosition;

/// An order of all operations, if one is found.
pub(super) fn order(sessions: &Sessions, saturated: &Saturated, limits: &Limits) -> Result<Option<Vec<Node>>, Over> {
    let instants = instants(sessions);
    // To look ahead costs more than all the rest, and where a guess is right there is no need.
    for (due, looks_ahead) in [(&saturated.due, false), (&instants, false), (&saturated.due, true), (&instants, true)] {
        let order = attempt(sessions, saturated, due, looks_ahead, limits)?;
        if order.is_some() {
            return Ok(order);
        }
    }
    Ok(None)
}

/// For each write an instant at which it takes effect if the history is linearizable: the time between the first end and the last begin of
/// what wrote and read its value (a zone, see `linearizability/zones.rs`), whichever is first.
fn instants(sessions: &Sessions) -> Vec<EventPosition> {
    let mut zones: Vec<(EventPosition, EventPosition)> = vec![(EventPosition::MAX, 0); sessions.write_slots()];
    let mut include = |slot: usize, node: Node| {
        let (ended, begun) = &mut zones[slot];
        *ended = (*ended).min(sessions.ended[node as usize]);
        *begun = (*begun).max(sessions.begun[node as usize]);
    };
    for node in 0..sessions.len() as Node {
        sessions.writes(node).iter().for_each(|&key| include(sessions.write_slot(node, key), node));
        for read in sessions.reads(node).iter().filter(|read| read.source != NONE) {
            include(sessions.write_slot(read.source, read.key), node);
        }
    }
    let instant = |node: Node| {
        let zones = sessions.writes(node).iter().map(|&key| zones[sessions.write_slot(node, key)]);
        zones.map(|(ended, begun)| ended.min(begun)).min().unwrap_or(0)
    };
    (0..sessions.len() as Node).map(instant).collect()
}

fn attempt(
    sessions: &Sessions,
    saturated: &Saturated,
    due: &[EventPosition],
    looks_ahead: bool,
    limits: &Limits,
) -> Result<Option<Vec<Node>>, Over> {
    let mut schedule = Schedule::new(sessions, saturated, due);
    let mut pace = limits.begin("putting operations into an order", sessions.len());
    for session in 0..sessions.count() {
        let first = sessions.starts[session];
        if first < sessions.starts[session + 1] && schedule.waits_for[first as usize] == 0 {
            schedule.ready(first);
        }
    }
    loop {
        while let Some(node) = schedule.reads.pop() {
            pace.step()?;
            schedule.go(node);
        }
        let Some(Reverse((_, node))) = schedule.writes.pop() else { break };
        if let Some((key, own)) = schedule.blocked_on(node) {
            let blocked = schedule.blocked.entry(key).or_default();
            blocked.nodes.push(node);
            blocked.own = blocked.own.max(own);
            continue;
        }
        match if looks_ahead { schedule.must_go_first(node) } else { None } {
            Some(other) => schedule.put_off.entry(other).or_default().push(node),
            None => {
                pace.step()?;
                schedule.go(node);
            }
        }
    }
    let order = schedule.order;
    Ok(Some(order).filter(|order| is_legal(sessions, order)))
}

/// Whether an order keeps to that of each process and explains every read.
pub(super) fn is_legal(sessions: &Sessions, order: &[Node]) -> bool {
    let mut holds = vec![NONE; sessions.keys()];
    let mut done = vec![false; sessions.len()];
    order.iter().all(|&node| {
        let before = sessions.before(node);
        let fits = !done[node as usize]
            && (before == NONE || done[before as usize])
            && sessions.reads(node).iter().all(|read| holds[read.key as usize] == read.source);
        done[node as usize] = true;
        sessions.writes(node).iter().for_each(|&key| holds[key as usize] = node);
        fits
    }) && order.len() == sessions.len()
}

struct Schedule<'a> {
    sessions: &'a Sessions,
    saturated: &'a Saturated,
    due: &'a [EventPosition],
    after: Vec<Node>,
    after_starts: Vec<u32>,
    /// How many that come before a node are still to go.
    waits_for: Vec<u32>,
    /// How far each session has come.
    next: Vec<Node>,
    holds: Vec<Node>,
    /// Of what each key holds, how many reads are still to go.
    left: Vec<u32>,
    reads_of: Vec<u32>,
    reads: Vec<Node>,
    /// By when they are due.
    writes: BinaryHeap<Reverse<(EventPosition, Node)>>,
    /// Ready writes, by a key of which what it holds is still to be read.
    blocked: FxHashMap<u32, Blocked>,
    /// Ready writes, by another that must go first.
    put_off: FxHashMap<Node, Vec<Node>>,
    order: Vec<Node>,
    /// What must be done, as a clock, and how far it was gone through.
    must: Vec<Node>,
    through: Vec<Node>,
}

/// Writes that wait for those who have still to read what they would write over.
#[derive(Default)]
struct Blocked {
    nodes: Vec<Node>,
    /// How often one of them reads that itself, at the most.
    own: u32,
}

impl<'a> Schedule<'a> {
    fn new(sessions: &'a Sessions, saturated: &'a Saturated, due: &'a [EventPosition]) -> Schedule<'a> {
        let relation = Relation::causal(sessions).with(&saturated.edges);
        let mut after_starts = vec![0_u32; sessions.len() + 2];
        let mut waits_for = vec![0_u32; sessions.len()];
        for node in 0..sessions.len() as Node {
            for (before, _) in relation.edges_into(node) {
                waits_for[node as usize] += 1;
                after_starts[before as usize + 2] += 1;
            }
        }
        for at in 2..after_starts.len() {
            after_starts[at] += after_starts[at - 1];
        }
        let mut after = vec![0; after_starts[sessions.len() + 1] as usize];
        for node in 0..sessions.len() as Node {
            for (before, _) in relation.edges_into(node) {
                let at = &mut after_starts[before as usize + 1];
                after[*at as usize] = node;
                *at += 1;
            }
        }
        after_starts.pop();
        let (reads_of, left) = sessions.readers_of_writes();
        Schedule {
            sessions,
            saturated,
            due,
            after,
            after_starts,
            waits_for,
            next: sessions.starts[..sessions.count()].to_vec(),
            holds: vec![NONE; sessions.keys()],
            left,
            reads_of,
            reads: Vec::new(),
            writes: BinaryHeap::new(),
            blocked: FxHashMap::default(),
            put_off: FxHashMap::default(),
            order: Vec::with_capacity(sessions.len()),
            must: Vec::new(),
            through: Vec::new(),
        }
    }

    /// All that comes before a node is done.
    fn ready(&mut self, node: Node) {
        if self.sessions.writes(node).is_empty() {
            self.reads.push(node);
        } else {
            self.writes.push(Reverse((self.due[node as usize], node)));
        }
    }

    /// A key of which others have still to read what this would write over, and how often it reads that itself.
    fn blocked_on(&self, node: Node) -> Option<(u32, u32)> {
        let reads = self.sessions.reads(node);
        let own = |key: u32| {
            let holds = self.holds[key as usize];
            reads.iter().filter(|read| read.key == key && read.source == holds).count() as u32
        };
        let keys = self.sessions.writes(node).iter().filter(|&&key| self.left[key as usize] > 0);
        keys.map(|&key| (key, own(key))).find(|&(key, own)| self.left[key as usize] != own)
    }

    fn go(&mut self, node: Node) {
        let sessions = self.sessions;
        for read in sessions.reads(node) {
            let left = &mut self.left[read.key as usize];
            *left = left.saturating_sub(1);
            let is_free = self.blocked.get(&read.key).is_some_and(|blocked| *left <= blocked.own);
            if is_free && let Some(blocked) = self.blocked.remove(&read.key) {
                blocked.nodes.into_iter().for_each(|node| self.ready(node));
            }
        }
        for &key in sessions.writes(node) {
            self.holds[key as usize] = node;
            self.left[key as usize] = self.reads_of[sessions.write_slot(node, key)];
        }
        self.next[sessions.session(node)] = node + 1;
        self.order.push(node);
        for at in self.after_starts[node as usize]..self.after_starts[node as usize + 1] {
            let after = self.after[at as usize];
            self.waits_for[after as usize] -= 1;
            if self.waits_for[after as usize] == 0 {
                self.ready(after);
            }
        }
        for node in self.put_off.remove(&node).into_iter().flatten() {
            self.ready(node);
        }
    }

    /// Another write of one of the keys that a node writes, without which those who read what it writes can never go.
    fn must_go_first(&mut self, node: Node) -> Option<Node> {
        let sessions = self.sessions;
        let (saturated, keys) = (self.saturated, sessions.writes(node));
        if keys.iter().all(|&key| self.reads_of[sessions.write_slot(node, key)] == 0) {
            return None;
        }
        let mut must = std::mem::take(&mut self.must);
        let mut through = std::mem::take(&mut self.through);
        must.clone_from(&self.next);
        through.clone_from(&self.next);
        for &key in keys {
            saturated
                .readers
                .of_version(sessions, key, node)
                .iter()
                .for_each(|&reader| join(&mut must, saturated.past(reader)));
        }
        let mut first = None;
        'more: while let Some(session) = (0..must.len()).find(|&session| through[session] < must[session]) {
            while through[session] < must[session] {
                let other = through[session];
                through[session] += 1;
                if other == node {
                    continue;
                }
                for &key in sessions.writes(other) {
                    let over = if keys.contains(&key) { node } else { self.holds[key as usize] };
                    let is_reader = sessions.reads(other).iter().any(|read| read.key == key && read.source == over);
                    if over == node && !is_reader {
                        first = Some(other);
                        break 'more;
                    }
                    for &reader in saturated.readers.of_version(sessions, key, over) {
                        if reader != other && reader >= self.next[sessions.session(reader)] {
                            join(&mut must, saturated.past(reader));
                        }
                    }
                }
            }
        }
        (self.must, self.through) = (must, through);
        first
    }
}
