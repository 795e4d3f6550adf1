//! Whether a way leads from one node to another, for all pairs at once.
//!
//! ```text
//!   nodes in an order that keeps all edges, each put behind another one that leads to it: chains
//!
//!   chain 0   a ──► d ──► e        row of e: how many nodes of each chain lead to it     [2, 1]
//!   chain 1   b ──► c              row of e, in bits: which of a, b, c, d, e do           11011
//! ```
//!
//! A node all of whose edges lead to nodes from which none comes is in no chain: nothing could be put behind it. Its edges are all the ways from it.
//!
//! *Why:* whoever leads to a node of a chain is led to by all that are before it in its own. Where sessions or real time put nodes into an order, there are about as many chains as
//! clients (Jagadish, "A compression technique to materialize transitive closure", TODS 1990). Without such an order there are too many, and a row is a bit
//! for each node before it.
//!
//! An edge that is added to chains costs the nodes to which something new leads.
//!
//! *Cost:* a row is read once for each edge: of 10,000 transactions some 10 ms and 6 MB in bits; of 100,000 of 10 clients in real time 60 ms and 30 MB in chains.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use crate::transactions::NONE;
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
    rows: Rows,
    /// By node, where its edges lead; those that were added later apart.
    out: Adjacency,
    added: FxHashMap<u32, Vec<u32>>,
}

enum Rows {
    Chains(Chains),
    Bits(Bits),
}

impl Reach {
    /// That of some edges, given an order of all nodes that keeps them.
    pub fn of(order: &[u32], edges: &[(u32, u32)], allowance: &Allowance) -> Result<Reach, Failure> {
        let into = Adjacency::into(order.len(), edges);
        let out = Adjacency::out(order.len(), edges);
        let leads_on: Vec<bool> = (0..order.len() as u32)
            .map(|node| out.of_node(node).iter().any(|&next| !out.of_node(next).is_empty()))
            .collect();
        let mut place = vec![0; order.len()];
        for (at, &node) in (0..).zip(order) {
            place[node as usize] = at;
        }
        let most = Bits::bytes(order.len()).min(allowance.bytes());
        let rows = match Chains::of(order, &into, &leads_on, most, allowance)? {
            Some(chains) => Rows::Chains(chains),
            None if Bits::bytes(order.len()) > allowance.bytes() => {
                return Err(Failure::Memory(allowance.bytes()));
            }
            None => Rows::Bits(Bits::of(order, &place, &into, allowance)?),
        };
        Ok(Reach { place, rows, out, added: FxHashMap::default() })
    }

    /// Adds edges. Whether that was done: not if to begin anew costs less, nor if there is a cycle then.
    pub fn add(&mut self, edges: &[(u32, u32)]) -> bool {
        if edges.len() > self.place.len() / FEW {
            return false;
        }
        for &(from, to) in edges {
            if self.leads(to, from) {
                return false;
            }
            let Rows::Chains(chains) = &mut self.rows else { return false };
            if !chains.holds(from) {
                return false;
            }
            self.added.entry(from).or_default().push(to);
            let mut left = vec![(from, to)];
            while let Some((from, to)) = left.pop() {
                if chains.hand_on(from, to) {
                    let added = self.added.get(&to).map_or(&[][..], Vec::as_slice);
                    left.extend(self.out.of_node(to).iter().chain(added).map(|&next| (to, next)));
                }
            }
        }
        true
    }

    /// Whether a way leads from one node to another, or both are one.
    pub fn leads(&self, from: u32, to: u32) -> bool {
        match &self.rows {
            Rows::Chains(chains) if chains.holds(from) => chains.leads(from, to),
            Rows::Chains(_) => from == to || self.out.of_node(from).contains(&to),
            Rows::Bits(bits) => bits.leads(self.place[from as usize] as usize, self.place[to as usize] as usize),
        }
    }
}

/// Why ways are not told.
pub(super) enum Failure {
    Late,
    /// More bytes are needed than these, which there are.
    Memory(u64),
}

impl From<Late> for Failure {
    fn from(_: Late) -> Failure {
        Failure::Late
    }
}

/// Edges of fewer than one in so many nodes are added; of more, all ways are told anew.
const FEW: usize = 16;

struct Chains {
    /// By node: its chain, and how many of that chain come before it.
    place: Vec<(u32, u32)>,
    /// How many chains there are.
    count: usize,
    /// By node: how many of each chain lead to it, itself included.
    rows: Vec<u32>,
}

impl Chains {
    /// Nothing if they would take more than so many bytes.
    fn of(
        order: &[u32],
        into: &Adjacency,
        leads_on: &[bool],
        bytes: u64,
        allowance: &Allowance,
    ) -> Result<Option<Chains>, Late> {
        let nodes = order.len();
        let mut place = vec![(NONE, 0_u32); nodes];
        // By place in the order: where a row begins, which is as long as there were chains.
        let mut row: Vec<(usize, usize)> = vec![(0, 0); nodes];
        let mut rows: Vec<u32> = Vec::new();
        let mut lengths: Vec<u32> = Vec::new();
        let mut own: Vec<u32> = Vec::new();
        for (at, &node) in order.iter().enumerate() {
            if at.is_multiple_of(256) && allowance.is_late() {
                return Err(Late);
            }
            own.clear();
            own.resize(lengths.len(), 0);
            for &from in into.of_node(node) {
                let (chain, before) = place[from as usize];
                // What is there already has all that is before it.
                if chain == NONE || own[chain as usize] <= before {
                    let (begin, length) = row[from as usize];
                    own.iter_mut().zip(&rows[begin..begin + length]).for_each(|(own, row)| *own = (*own).max(*row));
                }
            }
            if leads_on[node as usize] {
                // Behind the end of a chain that leads here; else it begins one.
                let chain = (0..lengths.len()).find(|&chain| own[chain] == lengths[chain]).unwrap_or_else(|| {
                    lengths.push(0);
                    own.push(0);
                    lengths.len() - 1
                });
                place[node as usize] = (chain as u32, lengths[chain]);
                lengths[chain] += 1;
                own[chain] = lengths[chain];
            }
            row[node as usize] = (rows.len(), own.len());
            rows.extend(&own);
            // The rows as they grow, and then all of one length.
            if (nodes * lengths.len()) as u64 * 12 > bytes {
                return Ok(None);
            }
        }
        let count = lengths.len();
        let mut whole = vec![0; nodes * count];
        for (node, &(begin, length)) in row.iter().enumerate() {
            whole[node * count..node * count + length].copy_from_slice(&rows[begin..begin + length]);
        }
        Ok(Some(Chains { place, count, rows: whole }))
    }

    fn leads(&self, from: u32, to: u32) -> bool {
        let (chain, before) = self.place[from as usize];
        from == to || before < self.rows[to as usize * self.count + chain as usize]
    }

    /// Whether a node is in a chain.
    fn holds(&self, node: u32) -> bool {
        self.place[node as usize].0 != NONE
    }

    /// What leads to one node leads to another. Whether something of that is new.
    fn hand_on(&mut self, from: u32, to: u32) -> bool {
        let (from, to) = (from as usize * self.count, to as usize * self.count);
        let mut is_new = false;
        for chain in 0..self.count {
            let count = self.rows[from + chain];
            if count > self.rows[to + chain] {
                self.rows[to + chain] = count;
                is_new = true;
            }
        }
        is_new
    }
}

/// By places in the order.
struct Bits {
    /// By place, where its row begins.
    begin: Vec<usize>,
    bits: Vec<u64>,
}

impl Bits {
    fn bytes(nodes: usize) -> u64 {
        (nodes as u64 / 64 + 2) * (nodes as u64) * 4 + 16 * nodes as u64
    }

    fn of(order: &[u32], place: &[u32], into: &Adjacency, allowance: &Allowance) -> Result<Bits, Late> {
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
        Ok(Bits { begin, bits })
    }

    fn leads(&self, from: usize, to: usize) -> bool {
        from <= to && self.bits[self.begin[to] + from / 64] >> (from % 64) & 1 == 1
    }
}
