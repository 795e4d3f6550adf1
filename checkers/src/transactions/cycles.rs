//! The shortest cycle of each kind that Adya's levels forbid.
//!
//! ```text
//!   G0                 ww only                      G-single-item        one rw
//!   G1c                ww, and a wr at least        G-nonadjacent-item   several rw, never two in a row
//!   …-process          and a process edge           G2-item              two rw in a row somewhere
//!   …-realtime         and a realtime edge          (without predicates every rw is between items)
//! ```
//!
//! *Method:* for each set of edges that a kind may use, the components of those edges alone (a kind without a component is certainly not
//! there), and inside them a search (`search.rs`) for the shortest. *Cost:* linear where nothing is found to be cyclic.

use crate::History;
use crate::levels::Level;

use super::NONE;
use super::allowance::Allowance;
use super::components::components;
use super::dependencies::{Dependency, Graph, Kind};
use super::micro::{self, MicroOperations};
use super::order;
use super::search::{Rule, Shape, Writing, shortest};

/// A cycle with its name.
pub(super) struct Cycle {
    pub name: &'static str,
    /// Each from the end of the one before; between transactions alone.
    pub steps: Vec<Dependency>,
}

pub(super) const fn rule(name: &'static str, begins: Kind, shape: Shape, required: Option<Kind>) -> Rule {
    Rule { name, begins, shape, required }
}

/// For orders of time (none, process, real time): the edges allowed, and the kinds among them.
#[rustfmt::skip]
const RULES: [(&[Kind], &[Rule]); 9] = {
    use Kind::{Process as P, ReadWrite as Rw, RealTime as T, WriteRead as Wr, WriteWrite as Ww};
    use Shape::{Adjacent, Nonadjacent, Plain};
    [
        (&[Ww], &[rule("G0", Ww, Plain, None)]),
        (&[Ww, Wr], &[rule("G1c", Wr, Plain, None)]),
        (&[Ww, Wr, Rw], &[rule("G-single-item", Rw, Plain, None), rule("G-nonadjacent-item", Rw, Nonadjacent, None), rule("G2-item", Rw, Adjacent, None)]),
        (&[Ww, P], &[rule("G0-process", P, Plain, None)]),
        (&[Ww, Wr, P], &[rule("G1c-process", Wr, Plain, Some(P))]),
        (&[Ww, Wr, Rw, P], &[rule("G-single-item-process", Rw, Plain, Some(P)), rule("G-nonadjacent-item-process", Rw, Nonadjacent, Some(P)), rule("G2-item-process", Rw, Adjacent, Some(P))]),
        (&[Ww, T], &[rule("G0-realtime", T, Plain, None)]),
        (&[Ww, Wr, T], &[rule("G1c-realtime", Wr, Plain, Some(T))]),
        (&[Ww, Wr, Rw, T], &[rule("G-single-item-realtime", Rw, Plain, Some(T)), rule("G-nonadjacent-item-realtime", Rw, Nonadjacent, Some(T)), rule("G2-item-realtime", Rw, Adjacent, Some(T))]),
    ]
};

/// The part of a history's dependencies and orders of time in which all cycles are.
pub(super) struct Cyclic {
    inside: Inside,
    /// By transaction: the nodes below their number.
    writing: Vec<Writing>,
}

/// Nothing if there is no cycle, or if to look for one takes more than is allowed. The edges of dependency lead among `nodes`.
pub(super) fn cyclic(
    history: &History,
    micro: &MicroOperations<'_>,
    dependencies: &[Dependency],
    happened: &[bool],
    nodes: u32,
    allowance: &mut Allowance,
) -> Option<Cyclic> {
    // An edge in a list and in a graph; an instant each for the end and the session of a transaction.
    let bytes = 9 * dependencies.len() + (2 * 3 * (16 + 9) + 5 * 12) * history.len();
    if !allowance.may_begin("the search for cycles", bytes, &[Level::ReadUncommitted]) {
        return None;
    }
    let (times, nodes) = order::real_time(history, happened, nodes);
    // Real time holds the order of each process.
    if history.has_real_time() && components(&Graph::new(nodes as usize, &[dependencies, &times])).is_empty() {
        return None;
    }
    let (sessions, nodes) = order::process(history, happened, nodes);
    let graph = Graph::new(nodes as usize, &[dependencies, &times, &sessions]);
    let parts = components(&graph);
    if parts.is_empty() {
        return None;
    }
    let writes = |row| micro.of(row).any(|at| micro.kind[at] == micro::Kind::Write);
    let writing = |row| if writes(row) { Writing::Something } else { Writing::Nothing };
    Some(Cyclic { inside: within(&graph, &parts), writing: (0..micro.rows()).map(writing).collect() })
}

/// The shortest cycle of each of Adya's kinds.
pub(super) fn find(cyclic: &Cyclic, allowance: &mut Allowance) -> Vec<Cycle> {
    RULES.iter().flat_map(|(allowed, rules)| cyclic.shortest(allowed, rules, allowance)).collect()
}

impl Cyclic {
    /// The shortest cycle of each of some kinds that use the same kinds of edges.
    pub fn shortest(&self, allowed: &[Kind], rules: &[Rule], allowance: &mut Allowance) -> Vec<Cycle> {
        let Some((graph, original)) = self.part(allowed) else { return Vec::new() };
        let transaction = |node: u32| self.writing.get(original[node as usize] as usize).copied();
        let mut cycles = Vec::new();
        for rule in rules {
            if let Some(walk) = shortest(&graph, *rule, transaction, allowance) {
                cycles.push(Cycle { name: rule.name, steps: renamed(walk, &original) });
            }
        }
        cycles
    }

    /// The part in which the cycles of some kinds of edges are, and what its nodes were; nothing if there is none.
    pub fn part(&self, allowed: &[Kind]) -> Option<(Graph, Vec<u32>)> {
        let mask = allowed.iter().fold(Kind::Onward.bit(), |mask, kind| mask | kind.bit());
        let may = |edge: &&Dependency| edge.kind.bit() & mask != 0;
        let edges: Vec<Dependency> = self.inside.edges.iter().filter(may).copied().collect();
        let graph = Graph::new(self.inside.nodes.len(), &[&edges]);
        let mut parts = components(&graph);
        if parts.is_empty() {
            return None;
        }
        parts.sort_by_key(Vec::len);
        let part = within(&graph, &parts);
        let graph = Graph::new(part.nodes.len(), &[&part.edges]);
        Some((graph, part.nodes.iter().map(|&node| self.inside.nodes[node as usize]).collect()))
    }

    pub fn transactions(&self) -> u32 {
        self.writing.len() as u32
    }
}

/// A walk through nodes that were others.
pub(super) fn renamed(walk: Vec<Dependency>, original: &[u32]) -> Vec<Dependency> {
    let name = |node: u32| original[node as usize];
    walk.into_iter().map(|step| Dependency { from: name(step.from), to: name(step.to), ..step }).collect()
}

/// The shortest cycle with a [`Kind::Seen`] among edges between transactions.
pub(super) fn seen(
    name: &'static str,
    rows: usize,
    dependencies: &[Dependency],
    seen: &[Dependency],
    allowance: &mut Allowance,
) -> Option<Cycle> {
    let graph = Graph::new(rows, &[dependencies, seen]);
    let parts = components(&graph);
    if parts.is_empty() {
        return None;
    }
    let part = within(&graph, &parts);
    let graph = Graph::new(part.nodes.len(), &[&part.edges]);
    let walk = shortest(&graph, rule(name, Kind::Seen, Shape::Plain, None), |_| Some(Writing::Something), allowance)?;
    Some(Cycle { name, steps: renamed(walk, &part.nodes) })
}

/// The part of a graph inside some of its components, with nodes numbered anew.
struct Inside {
    /// What each was.
    nodes: Vec<u32>,
    edges: Vec<Dependency>,
}

fn within(graph: &Graph, components: &[Vec<u32>]) -> Inside {
    let mut place = vec![(NONE, NONE); graph.nodes()];
    let mut nodes = Vec::new();
    for (component, members) in components.iter().enumerate() {
        for &node in members {
            place[node as usize] = (component as u32, nodes.len() as u32);
            nodes.push(node);
        }
    }
    let mut edges = Vec::new();
    for &node in &nodes {
        let (component, from) = place[node as usize];
        for edge in graph.edges(node) {
            let (other, to) = place[graph.to(edge) as usize];
            if other == component {
                edges.push(Dependency { from, to, kind: graph.kind(edge), key: graph.key(edge) });
            }
        }
    }
    Inside { nodes, edges }
}
