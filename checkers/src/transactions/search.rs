//! Breadth-first search for the shortest closed walk that follows a rule.
//!
//! *Method:* from each node with an edge that the rule begins with, over pairs of a node and what of the rule is fulfilled. A search looks no
//! deeper than the shortest cycle known. *Cost:* bounded by [`Allowance::visits`], so that in a huge component the cycle named may not be
//! the shortest; and if none is known by then, that is said.
//!
//! A closed walk that comes twice through a transaction is no cycle, and is left out. Nothing is lost by that: cut in two where it meets
//! itself, one of its parts is a closed walk that rules out as much. Of the prefix kind, for example, the part that has a wr
//! where the cut is follows the rule; [`shapes`](super::shapes) has the others.

use std::collections::VecDeque;

use super::NONE;
use super::allowance::{Allowance, SHORTER};
use super::dependencies::{Dependency, Graph, Kind};

/// A rule for closed walks.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub name: &'static str,
    /// The walk begins with such an edge.
    pub begins: Kind,
    pub shape: Shape,
    /// It has one of these too.
    pub required: Option<Kind>,
}

/// What may follow the first edge of the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// No rw.
    Plain,
    /// Several rw, and none of them touches another, round the cycle.
    Nonadjacent,
    /// A second rw, and then anything.
    Adjacent,
    /// A rw, and then anything, but each rw right behind a wr; the walk begins with the first wr.
    Prefix,
    /// ww of the key of the first edge, then no ww any more.
    Causal,
    /// Only ww of the key of the first edge.
    Cursor,
    /// Anything, through at most one transaction that only reads.
    Update,
}

impl Shape {
    /// Whether it matters which key the first edge is about.
    fn has_key(self) -> bool {
        matches!(self, Shape::Causal | Shape::Cursor)
    }
}

/// What of a rule a walk has fulfilled.
type State = u8;
/// What must come second is there: the second rw, or what follows the ww of the first key. Of the update kind: one that only reads.
const SECOND: State = 1;
/// The last edge is a rw (nonadjacent) or a wr (prefix).
const LAST: State = 2;
const HAS_REQUIRED: State = 4;
const STATES: usize = 8;

/// Whether a transaction writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    Nothing,
    Something,
}

/// The shortest closed walk found, among nodes of which some are transactions, or nothing if there is none.
pub(super) fn shortest(
    graph: &Graph,
    rule: Rule,
    transaction: impl Fn(u32) -> Option<Writing>,
    allowance: &mut Allowance,
) -> Option<Vec<Dependency>> {
    let places = graph.nodes() * STATES;
    if !allowance.may_begin(
        &format!("the search for {}", rule.name),
        16 * places,
        crate::levels::weakest_ruled_out(rule.name),
    ) {
        return None;
    }
    let (reached, by) = (vec![(0, 0); places], vec![(NONE, NONE); places]);
    let only_reads = match rule.shape {
        Shape::Update => (0..graph.nodes() as u32).map(|node| transaction(node) == Some(Writing::Nothing)).collect(),
        _ => Vec::new(),
    };
    let mut search = Search { graph, rule, key: NONE, only_reads, reached, by, round: 0, visits: 0, best: None };
    for start in (0..graph.nodes() as u32).filter(|&start| transaction(start).is_some()) {
        if !search.from(start, allowance) {
            break;
        }
    }
    if search.best.is_none() && search.is_cut(allowance) {
        allowance.skip_anomaly(rule.name, search.visits);
    }
    search.best
}

struct Search<'a> {
    graph: &'a Graph,
    rule: Rule,
    /// That of the first edge, where it matters.
    key: u32,
    /// By node, where it matters.
    only_reads: Vec<bool>,
    /// By node and state: in which round it was reached, how far from the start, and by which edge from which place.
    reached: Vec<(u32, u32)>,
    by: Vec<(u32, u32)>,
    round: u32,
    visits: u64,
    best: Option<Vec<Dependency>>,
}

impl Search<'_> {
    /// Looks for a cycle through a node that is shorter than the best. Whether to go on with other nodes.
    fn from(&mut self, start: u32, allowance: &Allowance) -> bool {
        let graph = self.graph;
        let begins = graph.edges(start).filter(|&edge| graph.kind(edge) == self.rule.begins);
        if !self.rule.shape.has_key() {
            return self.round(start, &begins.collect::<Vec<_>>(), allowance);
        }
        let mut begins: Vec<u32> = begins.collect();
        begins.sort_by_key(|&edge| graph.key(edge));
        begins.chunk_by(|one, two| graph.key(*one) == graph.key(*two)).all(|begins| {
            self.key = graph.key(begins[0]);
            self.round(start, begins, allowance)
        })
    }

    fn round(&mut self, start: u32, begins: &[u32], allowance: &Allowance) -> bool {
        let graph = self.graph;
        let mut shortest = self.best.as_ref().map_or(u32::MAX, |best| best.len() as u32);
        if shortest <= 2 {
            return false;
        }
        self.round += 1;
        let mut queue = VecDeque::new();
        for &edge in begins {
            let mut state = if self.rule.required == Some(self.rule.begins) { HAS_REQUIRED } else { 0 };
            if matches!(self.rule.shape, Shape::Nonadjacent | Shape::Prefix) {
                state |= LAST;
            }
            if self.rule.shape == Shape::Update {
                if self.only_reads[start as usize] && self.only_reads[graph.to(edge) as usize] {
                    continue;
                }
                state |=
                    SECOND * State::from(self.only_reads[start as usize] || self.only_reads[graph.to(edge) as usize]);
            }
            let place = graph.to(edge) as usize * STATES + state as usize;
            if self.reached[place].0 != self.round {
                self.reached[place] = (self.round, 1);
                self.by[place] = (edge, NONE);
                queue.push_back((place as u32, 1));
            }
        }
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
                if self.visits.is_multiple_of(1 << 16) && allowance.is_late() {
                    self.visits = u64::MAX;
                    return false;
                }
                let kind = graph.kind(edge);
                let Some(next) = self.step(state, edge, start) else { continue };
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
            if self.is_cut(allowance) {
                return false;
            }
        }
        true
    }

    fn is_cut(&self, allowance: &Allowance) -> bool {
        self.visits > if self.best.is_some() { SHORTER.min(allowance.visits) } else { allowance.visits }
    }

    fn step(&self, state: State, edge: u32, start: u32) -> Option<State> {
        let (kind, key, to) = (self.graph.kind(edge), self.graph.key(edge), self.graph.to(edge));
        if self.rule.shape == Shape::Update {
            let is_one_more = to != start && self.only_reads[to as usize];
            return if !is_one_more { Some(state) } else { (state & SECOND == 0).then_some(state | SECOND) };
        }
        if kind == Kind::Onward {
            return Some(state);
        }
        let state = if self.rule.required == Some(kind) { state | HAS_REQUIRED } else { state };
        let is_second = state & SECOND != 0;
        match (self.rule.shape, kind) {
            (Shape::Plain, Kind::ReadWrite) => None,
            (Shape::Plain, _) => Some(state),
            (Shape::Nonadjacent, Kind::ReadWrite) if state & LAST != 0 => None,
            (Shape::Nonadjacent, Kind::ReadWrite) => Some(state | LAST | SECOND),
            (Shape::Nonadjacent, _) => Some(state & !LAST),
            (Shape::Adjacent, Kind::ReadWrite) => Some(state | SECOND),
            (Shape::Adjacent, _) => is_second.then_some(state),
            (Shape::Prefix, Kind::ReadWrite) => (state & LAST != 0).then_some(state & !LAST | SECOND),
            (Shape::Prefix, Kind::WriteRead) => is_second.then_some(state | LAST),
            (Shape::Prefix, _) => is_second.then_some(state & !LAST),
            (Shape::Causal, Kind::WriteWrite) => (!is_second && key == self.key).then_some(state),
            (Shape::Causal, Kind::ReadWrite) => None,
            (Shape::Causal, _) => Some(state | SECOND),
            (Shape::Cursor, Kind::WriteWrite) => (key == self.key).then_some(state),
            (Shape::Cursor, _) => None,
            (Shape::Update, _) => unreachable!("this kind asks about nodes"),
        }
    }

    fn accepts(&self, state: State) -> bool {
        let has_required = self.rule.required.is_none() || state & HAS_REQUIRED != 0;
        let is_second = state & SECOND != 0;
        has_required
            && match self.rule.shape {
                Shape::Plain | Shape::Cursor | Shape::Update => true,
                Shape::Nonadjacent => is_second && state & LAST == 0,
                Shape::Adjacent | Shape::Prefix | Shape::Causal => is_second,
            }
    }

    /// The walk that ends at a place, without the nodes that are no transactions; nothing if it comes through a node twice.
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
