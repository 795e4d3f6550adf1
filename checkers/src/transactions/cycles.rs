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
//! there), and inside them a breadth-first search from each node with an edge that the kind must have, over pairs of a node and what of
//! the kind's rule is fulfilled. A search looks no deeper than the shortest cycle known. *Cost:* linear where nothing is found to be
//! cyclic; else bounded by [`VISITS`] edges a kind, so that in a huge component the cycle named may not be the shortest.
//!
//! A closed walk that comes twice through a transaction is no cycle. Where the shortest walk of the nonadjacent kind is such, one
//! of its parts is a cycle of another kind that rules out as much.

use std::collections::VecDeque;

use crate::History;

use super::NONE;
use super::components::components;
use super::dependencies::{Dependency, Graph, Kind};
use super::order;

/// A cycle with its name.
pub(super) struct Cycle {
    pub name: &'static str,
    /// Each from the end of the one before; between transactions alone.
    pub steps: Vec<Dependency>,
}

/// So many edges are looked at for a kind until one cycle of it is known, and a tenth of that for a shorter one.
const VISITS: u64 = 20_000_000;

/// A rule for closed walks.
#[derive(Clone, Copy)]
struct Rule {
    name: &'static str,
    /// The walk begins with such an edge.
    begins: Kind,
    anti: Anti,
    /// It has one of these too.
    required: Option<Kind>,
}

/// How rw edges may lie after the first edge of the walk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Anti {
    /// There are none.
    None,
    /// There are some, and none of them touches another, round the cycle.
    Nonadjacent,
    /// The second edge is one, and any may follow.
    Adjacent,
}

const fn rule(name: &'static str, begins: Kind, anti: Anti, required: Option<Kind>) -> Rule {
    Rule { name, begins, anti, required }
}

/// For orders of time (none, process, real time): the edges allowed, and the kinds among them.
#[rustfmt::skip]
const RULES: [(&[Kind], &[Rule]); 9] = {
    use Anti::{Adjacent, None as No, Nonadjacent};
    use Kind::{Onward, Process as P, ReadWrite as Rw, RealTime as T, WriteRead as Wr, WriteWrite as Ww};
    [
        (&[Ww], &[rule("G0", Ww, No, None)]),
        (&[Ww, Wr], &[rule("G1c", Wr, No, None)]),
        (&[Ww, Wr, Rw], &[rule("G-single-item", Rw, No, None), rule("G-nonadjacent-item", Rw, Nonadjacent, None), rule("G2-item", Rw, Adjacent, None)]),
        (&[Ww, P, Onward], &[rule("G0-process", P, No, None)]),
        (&[Ww, Wr, P, Onward], &[rule("G1c-process", Wr, No, Some(P))]),
        (&[Ww, Wr, Rw, P, Onward], &[rule("G-single-item-process", Rw, No, Some(P)), rule("G-nonadjacent-item-process", Rw, Nonadjacent, Some(P)), rule("G2-item-process", Rw, Adjacent, Some(P))]),
        (&[Ww, T, Onward], &[rule("G0-realtime", T, No, None)]),
        (&[Ww, Wr, T, Onward], &[rule("G1c-realtime", Wr, No, Some(T))]),
        (&[Ww, Wr, Rw, T, Onward], &[rule("G-single-item-realtime", Rw, No, Some(T)), rule("G-nonadjacent-item-realtime", Rw, Nonadjacent, Some(T)), rule("G2-item-realtime", Rw, Adjacent, Some(T))]),
    ]
};

/// The shortest cycle of each kind.
pub(super) fn find(history: &History, dependencies: &[Dependency], happened: &[bool]) -> Vec<Cycle> {
    let (times, nodes) = order::real_time(history, happened);
    // Real time holds the order of each process.
    if history.has_real_time() && components(&Graph::new(nodes as usize, &[dependencies, &times])).is_empty() {
        return Vec::new();
    }
    let (sessions, nodes) = order::process(history, happened, nodes);
    let graph = Graph::new(nodes as usize, &[dependencies, &times, &sessions]);
    let inside = within(&graph, &components(&graph));
    drop(graph);
    let transactions = history.len() as u32;
    let mut cycles = Vec::new();
    for (allowed, rules) in RULES {
        let mask = allowed.iter().fold(0, |mask, kind| mask | kind.bit());
        let may = |edge: &&Dependency| edge.kind.bit() & mask != 0;
        let edges: Vec<Dependency> = inside.edges.iter().filter(may).copied().collect();
        let graph = Graph::new(inside.nodes.len(), &[&edges]);
        let mut parts = components(&graph);
        if parts.is_empty() {
            continue;
        }
        parts.sort_by_key(Vec::len);
        let part = within(&graph, &parts);
        let graph = Graph::new(part.nodes.len(), &[&part.edges]);
        let original = |node: u32| inside.nodes[part.nodes[node as usize] as usize];
        for rule in rules {
            let mut search = Search::new(&graph, *rule);
            for start in 0..graph.nodes() as u32 {
                if original(start) < transactions && !search.from(start) {
                    break;
                }
            }
            if let Some(walk) = search.best {
                let steps = walk.into_iter().map(|step| Dependency {
                    from: original(step.from),
                    to: original(step.to),
                    ..step
                });
                cycles.push(Cycle { name: rule.name, steps: steps.collect() });
            }
        }
    }
    cycles
}

/// The shortest cycle with a [`Kind::Seen`] among edges between transactions.
pub(super) fn seen(name: &'static str, rows: usize, dependencies: &[Dependency], seen: &[Dependency]) -> Option<Cycle> {
    let graph = Graph::new(rows, &[dependencies, seen]);
    let part = within(&graph, &components(&graph));
    let graph = Graph::new(part.nodes.len(), &[&part.edges]);
    let mut search = Search::new(&graph, rule(name, Kind::Seen, Anti::None, None));
    for start in 0..graph.nodes() as u32 {
        if !search.from(start) {
            break;
        }
    }
    let original = |node: u32| part.nodes[node as usize];
    let steps =
        search.best?.into_iter().map(|step| Dependency { from: original(step.from), to: original(step.to), ..step });
    Some(Cycle { name, steps: steps.collect() })
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

/// What of a rule a walk has fulfilled.
type State = u8;
const SECOND: State = 1;
const LAST_IS_RW: State = 2;
const HAS_REQUIRED: State = 4;
const STATES: usize = 8;

struct Search<'a> {
    graph: &'a Graph,
    rule: Rule,
    /// By node and state: in which round it was reached, how far from the start, and by which edge from which place.
    reached: Vec<(u32, u32)>,
    by: Vec<(u32, u32)>,
    round: u32,
    visits: u64,
    best: Option<Vec<Dependency>>,
}

impl<'a> Search<'a> {
    fn new(graph: &'a Graph, rule: Rule) -> Search<'a> {
        let places = graph.nodes() * STATES;
        let (reached, by) = (vec![(0, 0); places], vec![(NONE, NONE); places]);
        Search { graph, rule, reached, by, round: 0, visits: 0, best: None }
    }

    /// Looks for a cycle through a node that is shorter than the best. Whether to go on with other nodes.
    fn from(&mut self, start: u32) -> bool {
        let graph = self.graph;
        let mut shortest = self.best.as_ref().map_or(u32::MAX, |best| best.len() as u32);
        if shortest <= 2 {
            return false;
        }
        self.round += 1;
        let mut queue = VecDeque::new();
        for edge in graph.edges(start).filter(|&edge| graph.kind(edge) == self.rule.begins) {
            let mut state = if self.rule.required == Some(self.rule.begins) { HAS_REQUIRED } else { 0 };
            if self.rule.begins == Kind::ReadWrite {
                state |= LAST_IS_RW;
            }
            let place = graph.to(edge) as usize * STATES + state as usize;
            if self.reached[place].0 != self.round {
                self.reached[place] = (self.round, 1);
                self.by[place] = (edge, NONE);
                queue.push_back((place as u32, 1));
            }
        }
        let limit = |known: bool| if known { VISITS / 10 } else { VISITS };
        while let Some((place, far)) = queue.pop_front() {
            if self.reached[place as usize] != (self.round, far) || far >= shortest {
                continue;
            }
            let (node, state) = (place / STATES as u32, (place % STATES as u32) as State);
            if node == start {
                if self.accepts(state)
                    && let Some(steps) = self.walk(start, place)
                {
                    shortest = steps.len() as u32;
                    self.best = Some(steps);
                }
                continue;
            }
            for edge in graph.edges(node) {
                self.visits += 1;
                let kind = graph.kind(edge);
                let Some(next) = self.step(state, kind) else { continue };
                let to = graph.to(edge) as usize * STATES + next as usize;
                let length = far + u32::from(kind != Kind::Onward);
                if self.reached[to].0 == self.round && self.reached[to].1 <= length {
                    continue;
                }
                self.reached[to] = (self.round, length);
                self.by[to] = (edge, place);
                if kind == Kind::Onward {
                    queue.push_front((to as u32, length));
                } else {
                    queue.push_back((to as u32, length));
                }
            }
            if self.visits > limit(self.best.is_some()) {
                return false;
            }
        }
        true
    }

    fn step(&self, state: State, kind: Kind) -> Option<State> {
        if kind == Kind::Onward {
            return Some(state);
        }
        let state = if self.rule.required == Some(kind) { state | HAS_REQUIRED } else { state };
        match (self.rule.anti, kind) {
            (Anti::None, Kind::ReadWrite) => None,
            (Anti::None, _) => Some(state),
            (Anti::Nonadjacent, Kind::ReadWrite) if state & LAST_IS_RW != 0 => None,
            (Anti::Nonadjacent, Kind::ReadWrite) => Some(state | LAST_IS_RW | SECOND),
            (Anti::Nonadjacent, _) => Some(state & !LAST_IS_RW),
            (Anti::Adjacent, Kind::ReadWrite) => Some(state | SECOND),
            (Anti::Adjacent, _) if state & SECOND == 0 => None,
            (Anti::Adjacent, _) => Some(state),
        }
    }

    fn accepts(&self, state: State) -> bool {
        let has_required = self.rule.required.is_none() || state & HAS_REQUIRED != 0;
        has_required
            && match self.rule.anti {
                Anti::None => true,
                Anti::Nonadjacent => state & SECOND != 0 && state & LAST_IS_RW == 0,
                Anti::Adjacent => state & SECOND != 0,
            }
    }

    /// The walk that ends at a place, without the instants between; nothing if it comes through a node twice.
    fn walk(&self, start: u32, end: u32) -> Option<Vec<Dependency>> {
        let mut edges = Vec::new();
        let mut place = end;
        while place != NONE {
            let (edge, from) = self.by[place as usize];
            let node = if from == NONE { start } else { from / STATES as u32 };
            edges.push((node, edge));
            place = from;
        }
        edges.reverse();
        let mut steps: Vec<Dependency> = Vec::new();
        for (from, edge) in edges {
            let (to, kind) = (self.graph.to(edge), self.graph.kind(edge));
            match steps.last_mut() {
                Some(last) if kind == Kind::Onward => last.to = to,
                _ => steps.push(Dependency { from, to, kind, key: self.graph.key(edge) }),
            }
        }
        let mut nodes: Vec<u32> = steps.iter().map(|step| step.from).collect();
        nodes.sort_unstable();
        nodes.windows(2).all(|pair| pair[0] != pair[1]).then_some(steps)
    }
}
