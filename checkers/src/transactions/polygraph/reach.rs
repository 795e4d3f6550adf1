//! Whether a way leads from one node to another, for all pairs at once: a bit each.
//!
//! ```text
//!   nodes in an order that keeps all edges:   a  b  c  d        row of d: which of a, b, c lead to it
//!                                             row = own bit + the rows of all from which an edge comes
//! ```
//!
//! *Cost:* a row is as long as there are nodes before it, and is read once for each edge: of 10,000 transactions some 10 ms and 6 MB.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::transactions::allowance::{Allowance, Late};

/// Edges by where they lead, and by where they come from.
pub(super) struct Adjacency {
    first: Vec<u32>,
    others: Vec<u32>,
}

impl Adjacency {
    /// The edges out of each node.
    pub fn out(nodes: usize, edges: &[(u32, u32)]) -> Adjacency {
        Adjacency::of(nodes, edges.iter().copied())
    }

    /// The edges into each node, turned round.
    pub fn into(nodes: usize, edges: &[(u32, u32)]) -> Adjacency {
        Adjacency::of(nodes, edges.iter().map(|&(from, to)| (to, from)))
    }

    fn of(nodes: usize, edges: impl Iterator<Item = (u32, u32)> + Clone) -> Adjacency {
        let mut first = vec![0_u32; nodes + 1];
        edges.clone().for_each(|(from, _)| first[from as usize + 1] += 1);
        for node in 0..nodes {
            first[node + 1] += first[node];
        }
        let mut next = first.clone();
        let mut others = vec![0; first[nodes] as usize];
        for (from, to) in edges {
            others[next[from as usize] as usize] = to;
            next[from as usize] += 1;
        }
        Adjacency { first, others }
    }

    pub fn of_node(&self, node: u32) -> &[u32] {
        &self.others[self.first[node as usize] as usize..self.first[node as usize + 1] as usize]
    }
}

/// The nodes in an order that keeps all edges; of those that could be next, the lowest first. Fewer than all, if there is a cycle.
pub(super) fn sorted(nodes: usize, edges: &[(u32, u32)]) -> Vec<u32> {
    let out = Adjacency::out(nodes, edges);
    let mut waits_for = vec![0_u32; nodes];
    edges.iter().for_each(|&(_, to)| waits_for[to as usize] += 1);
    let mut ready: BinaryHeap<Reverse<u32>> =
        (0..nodes as u32).filter(|&node| waits_for[node as usize] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(nodes);
    while let Some(Reverse(node)) = ready.pop() {
        order.push(node);
        for &to in out.of_node(node) {
            waits_for[to as usize] -= 1;
            if waits_for[to as usize] == 0 {
                ready.push(Reverse(to));
            }
        }
    }
    order
}

/// See the [module](self).
pub(super) struct Reach {
    /// By node, its place in the order.
    place: Vec<u32>,
    /// By place, where its row begins.
    begin: Vec<usize>,
    bits: Vec<u64>,
}

impl Reach {
    /// How many bytes that of so many nodes takes.
    pub fn bytes(nodes: usize) -> u64 {
        (nodes as u64 / 64 + 2) * (nodes as u64) * 4 + 16 * nodes as u64
    }

    /// That of some edges, given an order of all nodes that keeps them.
    pub fn of(order: &[u32], edges: &[(u32, u32)], allowance: &Allowance) -> Result<Reach, Late> {
        let into = Adjacency::into(order.len(), edges);
        let mut place = vec![0; order.len()];
        for (at, &node) in (0..).zip(order) {
            place[node as usize] = at;
        }
        let mut begin = Vec::with_capacity(order.len() + 1);
        let mut length = 0;
        for at in 0..order.len() {
            begin.push(length);
            length += at / 64 + 1;
        }
        let mut bits = vec![0_u64; length];
        for (at, &node) in order.iter().enumerate() {
            if at.is_multiple_of(256) && allowance.is_late() {
                return Err(Late);
            }
            let (before, own) = bits.split_at_mut(begin[at]);
            own[at / 64] |= 1 << (at % 64);
            for &from in into.of_node(node) {
                let from = place[from as usize] as usize;
                // What is there already has all that is before it.
                if own[from / 64] >> (from % 64) & 1 == 1 && from != at {
                    continue;
                }
                let row = &before[begin[from]..begin[from] + from / 64 + 1];
                own.iter_mut().zip(row).for_each(|(own, row)| *own |= row);
            }
        }
        Ok(Reach { place, begin, bits })
    }

    /// Whether a way leads from one node to another, or both are one.
    pub fn leads(&self, from: u32, to: u32) -> bool {
        let (from, to) = (self.place[from as usize] as usize, self.place[to as usize] as usize);
        from <= to && self.bits[self.begin[to] + from / 64] >> (from % 64) & 1 == 1
    }

    /// The place of a node in an order that keeps all edges.
    pub fn place(&self, node: u32) -> u32 {
        self.place[node as usize]
    }
}
