//! **Conflict-driven search** for an assignment under which the edges that it brings make no cycle.
//!
//! ```text
//!   variable   T1 before T2, or after it          literal   brings edges, which must make no cycle with all others
//!   conflict   a cycle: its literals cannot all be true     learnt from it: a clause that keeps the search from all that fails alike
//! ```
//!
//! *Method:* unit propagation with two watched literals, clauses learnt at the first unique implication point, activities of variables, restarts (Marques-Silva &
//! Sakallah 1999; Eén & Sörensson 2003), with acyclicity as the theory (Bayless et al., "SAT modulo monotonic theories", AAAI 2015). The
//! nodes are kept in an order that all edges follow (Pearce & Kelly 2006); an edge against it costs the nodes between its ends, and
//! taking it back costs nothing. Of the two values of a variable, the one whose edge follows that order is tried first.
//!
//! *Cost:* exponential at worst; bounded by a number of steps, each a node or a clause that is looked at.

use std::collections::{BinaryHeap, VecDeque};

use crate::transactions::NONE;
use crate::transactions::allowance::{Allowance, Late};

use super::reach::Adjacency;

/// A variable is true, or it is false.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Literal(u32);

impl Literal {
    pub fn of(variable: u32, is_true: bool) -> Literal {
        Literal(2 * variable + u32::from(!is_true))
    }

    pub fn variable(self) -> u32 {
        self.0 / 2
    }
}

impl std::ops::Not for Literal {
    type Output = Literal;

    fn not(self) -> Literal {
        Literal(self.0 ^ 1)
    }
}

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// All variables have values, and no cycle is left.
    Found,
    /// No values will do.
    None,
    GaveUp(String),
}

/// A clause whose literals cannot all be false; its number, or none.
type ClauseId = u32;

/// An edge that is no literal's.
const KNOWN: Literal = Literal(NONE);

pub(super) struct Solver {
    out: Adjacency,
    into: Adjacency,
    /// By node: edges of literals that are true.
    out_now: Vec<Vec<(u32, Literal)>>,
    into_now: Vec<Vec<(u32, Literal)>>,
    place: Vec<u32>,
    /// By literal: its edges.
    edges: Vec<Vec<(u32, u32)>>,
    clauses: Vec<Vec<Literal>>,
    watching: Vec<Vec<ClauseId>>,
    /// By variable.
    value: Vec<Option<bool>>,
    level: Vec<u32>,
    reason: Vec<ClauseId>,
    activity: Vec<f64>,
    prefers: Vec<Option<bool>>,
    trail: Vec<Literal>,
    /// By place on the trail, how many edges there were before it.
    edges_before: Vec<u32>,
    levels: Vec<usize>,
    added: Vec<(u32, u32)>,
    next: usize,
    heap: BinaryHeap<Candidate>,
    increment: f64,
    is_broken: bool,
    conflicts: u64,
    steps: u64,
    /// How many literals the clauses hold.
    learnt: u64,
    seen: Vec<u32>,
    parent: Vec<(u32, Literal)>,
    round: u32,
    /// By variable, in which conflict it was met last.
    is_in: Vec<u64>,
    /// All literals of conflicts so far: what a proof that there is nothing needs is among them.
    pub blamed: Vec<bool>,
}

#[derive(Clone, Copy, PartialEq)]
struct Candidate {
    activity: f64,
    variable: u32,
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Candidate) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Candidate) -> std::cmp::Ordering {
        self.activity.total_cmp(&other.activity).then(other.variable.cmp(&self.variable))
    }
}

impl Solver {
    /// A search among nodes in an order that keeps the edges that are there anyway.
    pub fn new(order: &[u32], edges: &[(u32, u32)]) -> Solver {
        let nodes = order.len();
        let mut place = vec![0; nodes];
        (0..).zip(order).for_each(|(at, &node)| place[node as usize] = at);
        Solver {
            out: Adjacency::out(nodes, edges),
            into: Adjacency::into(nodes, edges),
            out_now: vec![Vec::new(); nodes],
            into_now: vec![Vec::new(); nodes],
            place,
            edges: Vec::new(),
            clauses: Vec::new(),
            watching: Vec::new(),
            value: Vec::new(),
            level: Vec::new(),
            reason: Vec::new(),
            activity: Vec::new(),
            prefers: Vec::new(),
            trail: Vec::new(),
            edges_before: Vec::new(),
            levels: Vec::new(),
            added: Vec::new(),
            next: 0,
            heap: BinaryHeap::new(),
            increment: 1.0,
            is_broken: false,
            conflicts: 0,
            steps: 0,
            learnt: 0,
            is_in: Vec::new(),
            seen: vec![0; nodes],
            parent: vec![(NONE, KNOWN); nodes],
            round: 0,
            blamed: Vec::new(),
        }
    }

    /// Another variable. One that prefers a value has it first; the others follow the order of the nodes.
    pub fn variable(&mut self, prefers: Option<bool>) -> u32 {
        let variable = self.value.len() as u32;
        self.value.push(None);
        self.level.push(0);
        self.reason.push(NONE);
        self.activity.push(0.0);
        self.prefers.push(prefers);
        self.edges.extend([Vec::new(), Vec::new()]);
        self.watching.extend([Vec::new(), Vec::new()]);
        self.blamed.push(false);
        self.heap.push(Candidate { activity: 0.0, variable });
        variable
    }

    pub fn variables(&self) -> u32 {
        self.value.len() as u32
    }

    /// An edge that is there where a literal is true.
    pub fn edge(&mut self, literal: Literal, from: u32, to: u32) {
        self.edges[literal.0 as usize].push((from, to));
    }

    pub fn edges_of(&self, literal: Literal) -> &[(u32, u32)] {
        &self.edges[literal.0 as usize]
    }

    /// One of these is true. Before the search begins.
    pub fn clause(&mut self, literals: &[Literal]) {
        let mut literals = literals.to_vec();
        literals.sort_unstable();
        literals.dedup();
        if literals.windows(2).any(|pair| pair[0] == !pair[1]) {
            return;
        }
        match literals[..] {
            [] => self.is_broken = true,
            [only] => match self.of(only) {
                Some(true) => {}
                Some(false) => self.is_broken = true,
                None => self.assign(only, NONE),
            },
            _ => {
                self.watch(literals);
            }
        }
    }

    fn watch(&mut self, literals: Vec<Literal>) -> ClauseId {
        let id = self.clauses.len() as ClauseId;
        self.watching[literals[0].0 as usize].push(id);
        self.watching[literals[1].0 as usize].push(id);
        self.learnt += literals.len() as u64;
        self.clauses.push(literals);
        id
    }

    /// The value of a literal, if it has one.
    pub fn of(&self, literal: Literal) -> Option<bool> {
        self.value[literal.variable() as usize].map(|value| value == (literal.0.is_multiple_of(2)))
    }

    fn assign(&mut self, literal: Literal, reason: ClauseId) {
        let variable = literal.variable() as usize;
        self.value[variable] = Some(literal.0.is_multiple_of(2));
        self.level[variable] = self.levels.len() as u32;
        self.reason[variable] = reason;
        self.trail.push(literal);
    }

    /// Searches. Whenever all variables have values, `check` says which literals cannot all be true; nothing, if the values will do.
    pub fn solve(
        &mut self,
        allowance: &Allowance,
        mut check: impl FnMut(&mut Solver) -> Result<Vec<Vec<Literal>>, Late>,
    ) -> Ending {
        let mut restarts = 1;
        let mut until_restart = luby(restarts) * 64;
        if self.is_broken {
            return Ending::None;
        }
        loop {
            let conflict = match self.propagate() {
                Some(conflict) => conflict,
                None => match self.next_variable() {
                    Some(variable) => {
                        let literal = self.preferred(variable);
                        self.levels.push(self.trail.len());
                        self.assign(literal, NONE);
                        continue;
                    }
                    None => {
                        let Ok(wrong) = check(self) else {
                            return Ending::GaveUp("time ran out while an order was held against all reads".to_owned());
                        };
                        if wrong.is_empty() {
                            return Ending::Found;
                        }
                        let mut clauses: Vec<Vec<Literal>> =
                            wrong.into_iter().map(|together| together.into_iter().map(|one| !one).collect()).collect();
                        let last = clauses.pop().unwrap_or_default();
                        for clause in clauses {
                            self.add_false(clause);
                        }
                        last
                    }
                },
            };
            conflict.iter().for_each(|literal| self.blamed[literal.variable() as usize] = true);
            if !self.learn(conflict) {
                return Ending::None;
            }
            let conflicts = self.conflicts;
            if allowance.is_late() {
                return Ending::GaveUp(format!("time ran out after {conflicts} orders had failed: expected more time"));
            }
            if self.steps > allowance.visits {
                return Ending::GaveUp(format!("{conflicts} orders had failed: expected a larger budget"));
            }
            if 4 * self.learnt > allowance.bytes() {
                return Ending::GaveUp(format!("what {conflicts} failures taught takes too much memory"));
            }
            until_restart -= 1;
            if until_restart == 0 {
                restarts += 1;
                until_restart = luby(restarts) * 64;
                self.back_to(0);
            }
        }
    }

    /// Adds a clause all of whose literals are false now, to be looked at when some are no more.
    fn add_false(&mut self, mut clause: Vec<Literal>) {
        clause.sort_by_key(|literal| std::cmp::Reverse(self.level[literal.variable() as usize]));
        if clause.len() >= 2 {
            self.watch(clause);
        }
    }

    fn next_variable(&mut self) -> Option<u32> {
        while let Some(Candidate { variable, activity }) = self.heap.pop() {
            if self.value[variable as usize].is_none() && activity == self.activity[variable as usize] {
                return Some(variable);
            }
        }
        None
    }

    fn preferred(&self, variable: u32) -> Literal {
        let follows = |literal: Literal| {
            let first = self.edges_of(literal).first();
            first.is_none_or(|&(from, to)| self.place[from as usize] < self.place[to as usize])
        };
        let literal = Literal::of(variable, true);
        match self.prefers[variable as usize] {
            Some(value) => Literal::of(variable, value),
            None if follows(literal) => literal,
            None => !literal,
        }
    }

    /// Follows what is true to all that it implies; a clause that is false then.
    fn propagate(&mut self) -> Option<Vec<Literal>> {
        while self.next < self.trail.len() {
            let literal = self.trail[self.next];
            self.edges_before.push(self.added.len() as u32);
            self.next += 1;
            for at in 0..self.edges[literal.0 as usize].len() {
                let (from, to) = self.edges[literal.0 as usize][at];
                if let Some(cycle) = self.insert(from, to, literal) {
                    return Some(cycle.into_iter().map(|literal| !literal).collect());
                }
            }
            let falsified = !literal;
            let mut watching = std::mem::take(&mut self.watching[falsified.0 as usize]);
            let mut kept = 0;
            let mut conflict = None;
            for at in 0..watching.len() {
                let id = watching[at];
                self.steps += 1;
                if conflict.is_some() {
                    watching[kept] = id;
                    kept += 1;
                    continue;
                }
                let mut clause = std::mem::take(&mut self.clauses[id as usize]);
                if clause[0] == falsified {
                    clause.swap(0, 1);
                }
                let is_true = |literal: Literal| self.of(literal) == Some(true);
                if !is_true(clause[0])
                    && let Some(other) = (2..clause.len()).find(|&at| self.of(clause[at]) != Some(false))
                {
                    clause.swap(1, other);
                    self.watching[clause[1].0 as usize].push(id);
                    self.clauses[id as usize] = clause;
                    continue;
                }
                watching[kept] = id;
                kept += 1;
                match self.of(clause[0]) {
                    Some(true) => {}
                    Some(false) => conflict = Some(clause.clone()),
                    None => self.assign(clause[0], id),
                }
                self.clauses[id as usize] = clause;
            }
            watching.truncate(kept);
            self.watching[falsified.0 as usize] = watching;
            if conflict.is_some() {
                return conflict;
            }
        }
        None
    }

    /// Adds an edge; if that closes a cycle, the literals of it.
    fn insert(&mut self, from: u32, to: u32, literal: Literal) -> Option<Vec<Literal>> {
        if from == to {
            return Some(vec![literal]);
        }
        let (low, high) = (self.place[to as usize], self.place[from as usize]);
        if low < high {
            let forward = match self.look(to, from, high) {
                Ok(forward) => forward,
                Err(mut cycle) => {
                    cycle.push(literal);
                    return Some(cycle);
                }
            };
            let backward = self.look_back(from, low);
            self.reorder(backward, forward);
        }
        self.out_now[from as usize].push((to, literal));
        self.into_now[to as usize].push((from, literal));
        self.added.push((from, to));
        None
    }

    /// The nodes that a way leads to, up to a place; or the literals of a way to the goal.
    fn look(&mut self, begin: u32, goal: u32, high: u32) -> Result<Vec<u32>, Vec<Literal>> {
        self.round += 1;
        self.seen[begin as usize] = self.round;
        self.parent[begin as usize] = (NONE, KNOWN);
        let mut queue = VecDeque::from([begin]);
        let mut reached = Vec::new();
        while let Some(node) = queue.pop_front() {
            reached.push(node);
            self.steps += 1;
            let known = self.out.of_node(node).iter().map(|&to| (to, KNOWN));
            for (to, literal) in known.chain(self.out_now[node as usize].iter().copied()) {
                if self.place[to as usize] > high || self.seen[to as usize] == self.round {
                    continue;
                }
                self.seen[to as usize] = self.round;
                self.parent[to as usize] = (node, literal);
                if to == goal {
                    return Err(self.literals_to(goal));
                }
                queue.push_back(to);
            }
        }
        Ok(reached)
    }

    fn literals_to(&self, goal: u32) -> Vec<Literal> {
        let (mut literals, mut node) = (Vec::new(), goal);
        while self.parent[node as usize].0 != NONE {
            let (before, literal) = self.parent[node as usize];
            if literal != KNOWN && !literals.contains(&literal) {
                literals.push(literal);
            }
            node = before;
        }
        literals
    }

    /// The literals of a shortest way between two nodes, if there is one.
    pub fn way(&mut self, from: u32, to: u32) -> Option<Vec<Literal>> {
        if from == to {
            return Some(Vec::new());
        }
        self.look(from, to, self.place[to as usize]).err()
    }

    fn look_back(&mut self, begin: u32, low: u32) -> Vec<u32> {
        self.round += 1;
        self.seen[begin as usize] = self.round;
        let mut reached = vec![begin];
        let mut at = 0;
        while at < reached.len() {
            let node = reached[at];
            at += 1;
            self.steps += 1;
            let known = self.into.of_node(node).iter().copied();
            for from in known.chain(self.into_now[node as usize].iter().map(|(from, _)| *from)) {
                if self.place[from as usize] >= low && self.seen[from as usize] != self.round {
                    self.seen[from as usize] = self.round;
                    reached.push(from);
                }
            }
        }
        reached
    }

    /// Puts what comes before an edge before what comes after it, on the places that they have.
    fn reorder(&mut self, mut before: Vec<u32>, mut after: Vec<u32>) {
        before.sort_unstable_by_key(|&node| self.place[node as usize]);
        after.sort_unstable_by_key(|&node| self.place[node as usize]);
        let nodes = [before, after].concat();
        let mut places: Vec<u32> = nodes.iter().map(|&node| self.place[node as usize]).collect();
        places.sort_unstable();
        for (node, place) in nodes.into_iter().zip(places) {
            self.place[node as usize] = place;
        }
    }

    /// All edges that are there now.
    pub fn edges_now(&self, known: &[(u32, u32)]) -> Vec<(u32, u32)> {
        known.iter().chain(&self.added).copied().collect()
    }

    /// The nodes in an order that keeps all edges that are there now.
    pub fn order(&self) -> Vec<u32> {
        let mut order = vec![0; self.place.len()];
        (0..).zip(&self.place).for_each(|(node, &place)| order[place as usize] = node);
        order
    }

    fn back_to(&mut self, level: usize) {
        if self.levels.len() <= level {
            return;
        }
        let length = self.levels[level];
        self.levels.truncate(level);
        if self.next > length {
            let edges = self.edges_before[length] as usize;
            for (from, to) in self.added.drain(edges..).rev() {
                self.out_now[from as usize].pop();
                self.into_now[to as usize].pop();
            }
            self.edges_before.truncate(length);
            self.next = length;
        }
        for literal in self.trail.drain(length..) {
            let variable = literal.variable();
            self.value[variable as usize] = None;
            self.heap.push(Candidate { activity: self.activity[variable as usize], variable });
        }
    }

    /// Learns from a clause that is false, and goes back to where it says something. Whether there is anything left to try.
    fn learn(&mut self, conflict: Vec<Literal>) -> bool {
        let level_of = |solver: &Solver, literal: &Literal| solver.level[literal.variable() as usize];
        let highest = conflict.iter().map(|literal| level_of(self, literal)).max().unwrap_or(0);
        if highest == 0 {
            return false;
        }
        self.back_to(highest as usize);
        self.conflicts += 1;
        let now = self.conflicts;
        self.is_in.resize(self.value.len(), 0);
        let (mut learnt, mut open) = (Vec::new(), 0);
        let mut at = self.trail.len();
        let mut clause = conflict;
        let asserting = loop {
            for literal in &clause {
                let variable = literal.variable();
                if self.is_in[variable as usize] == now || self.level[variable as usize] == 0 {
                    continue;
                }
                self.is_in[variable as usize] = now;
                self.bump(variable);
                if level_of(self, literal) == highest { open += 1 } else { learnt.push(*literal) }
            }
            let literal = loop {
                at -= 1;
                if self.is_in[self.trail[at].variable() as usize] == now {
                    break self.trail[at];
                }
            };
            open -= 1;
            if open == 0 {
                break !literal;
            }
            let reason = self.reason[literal.variable() as usize];
            clause = self.clauses[reason as usize].iter().copied().filter(|other| *other != literal).collect();
        };
        let implied = |literal: &Literal| {
            let reason = self.reason[literal.variable() as usize];
            reason != NONE
                && self.clauses[reason as usize].iter().all(|other| {
                    let variable = other.variable() as usize;
                    other.variable() == literal.variable() || self.is_in[variable] == now || self.level[variable] == 0
                })
        };
        let mut kept: Vec<Literal> = learnt.iter().copied().filter(|literal| !implied(literal)).collect();
        kept.sort_by_key(|literal| std::cmp::Reverse(self.level[literal.variable() as usize]));
        let back = kept.first().map_or(0, |literal| self.level[literal.variable() as usize]);
        self.back_to(back as usize);
        self.increment *= 1.05;
        if kept.is_empty() {
            self.assign(asserting, NONE);
        } else {
            kept.insert(0, asserting);
            let id = self.watch(kept);
            self.assign(asserting, id);
        }
        true
    }

    fn bump(&mut self, variable: u32) {
        self.activity[variable as usize] += self.increment;
        if self.activity[variable as usize] > 1e100 {
            self.activity.iter_mut().for_each(|activity| *activity *= 1e-100);
            self.increment *= 1e-100;
            let free = (0..self.value.len() as u32).filter(|&variable| self.value[variable as usize].is_none());
            self.heap =
                free.map(|variable| Candidate { activity: self.activity[variable as usize], variable }).collect();
        }
        if self.value[variable as usize].is_none() {
            self.heap.push(Candidate { activity: self.activity[variable as usize], variable });
        }
    }
}

/// The sequence 1, 1, 2, 1, 1, 2, 4, … (Luby, Sinclair & Zuckerman 1993).
fn luby(mut at: u64) -> u64 {
    loop {
        let power = (at + 1).next_power_of_two();
        if at + 1 == power {
            return power / 2;
        }
        at -= power / 2 - 1;
    }
}
