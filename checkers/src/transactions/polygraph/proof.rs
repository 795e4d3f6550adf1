//! Why there is no order, in sentences that a person can check by hand.
//!
//! ```text
//!   a cycle                T2 ──wr──► T9 ──rw──► T7 ──wr──► T2
//!   with a forced order    T4 wrote x before T7, for T9 read T7's x, and T4 came before T9
//!   where none is forced   if T4 came before T7: this cycle; if T7 came before T4: that one
//! ```

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, VecDeque};

use rustc_hash::FxHashMap;

use crate::history::OperationId;
use crate::transactions::NONE;
use crate::transactions::dependencies::{Dependency, Graph, Kind};
use crate::transactions::{components, explain};
use crate::verdict::{Anomaly, Edge};

use super::saturation::{Ambiguous, Because, Contradiction, Excluded, Reason, Saturation, Way};
use super::shape::Layout;
use super::versions::INITIAL;

/// So many forced orders are followed to what they follow from.
const FOLLOWED: usize = 200;

/// A contradiction in a saturated problem.
pub(super) struct Proof<'p, 's> {
    saturation: &'p Saturation<'s>,
    /// Round the cycle: numbers of edges.
    cycle: Vec<u32>,
    contradiction: &'p Contradiction,
}

/// One transaction came before another.
#[derive(Clone, Copy, Debug)]
struct Step {
    from: u32,
    to: u32,
    reason: Reason,
    kind: Kind,
}

impl<'p, 's> Proof<'p, 's> {
    /// The shortest cycle that is found soon, where the contradiction is one.
    pub fn of(saturation: &'p Saturation<'s>, contradiction: &'p Contradiction) -> Proof<'p, 's> {
        let mut cycle = match contradiction {
            Contradiction::Cycle => shortest_cycle(saturation),
            _ => Vec::new(),
        };
        // A step that leads over instants or fans is whole where it begins with its transaction.
        let is_row = |edge: &u32| row(saturation, saturation.edges[*edge as usize].0).is_some();
        if let Some(begin) = cycle.iter().position(is_row) {
            cycle.rotate_left(begin);
        }
        Proof { saturation, cycle, contradiction }
    }

    /// The transactions that it is about, those from whose reads orders were inferred included. Sorted.
    pub fn rows(&self) -> Vec<u32> {
        let mut following = Following { proof: self, rows: BTreeSet::new(), followed: BTreeSet::new(), left: FOLLOWED };
        following.edges(&self.cycle);
        match self.contradiction {
            Contradiction::Cycle => {}
            Contradiction::NoSource(read) => following.ambiguous(read),
            Contradiction::Seen { read, source, by, way } => {
                following.rows.insert(self.saturation.problem.versions.reads()[*read as usize].row);
                following.rows.extend([*source, *by].iter().filter(|row| **row != INITIAL));
                following.way(*way);
                let key = self.saturation.problem.versions.reads()[*read as usize].key;
                following.order_between(key, *source, *by);
            }
        }
        following.rows.into_iter().collect()
    }

    fn steps(&self, edges: &[u32]) -> Vec<Step> {
        let saturation = self.saturation;
        let problem = saturation.problem;
        let kind = |reason: Reason| match reason {
            Reason::Known(at) => problem.known[at as usize].kind,
            Reason::Forced { reader: NONE, .. } => Kind::WriteWrite,
            Reason::Forced { .. } | Reason::Overwritten { .. } => Kind::ReadWrite,
            Reason::Source(_) => Kind::WriteRead,
            Reason::Within => Kind::Onward,
        };
        let mut steps: Vec<Step> = Vec::new();
        let mut open: Option<(u32, Reason)> = None;
        for &edge in edges {
            let ((from, to), reason) = (saturation.edges[edge as usize], saturation.reasons[edge as usize]);
            if reason == Reason::Within {
                continue;
            }
            if let Some(from) = row(saturation, from) {
                open = Some((from, reason));
            }
            if let (Some((from, reason)), Some(to)) = (open, row(saturation, to)) {
                steps.push(Step { from, to, reason, kind: kind(reason) });
                open = None;
            }
        }
        steps
    }

    /// The name of the cycle, and its story; `original` are the transactions as the whole history has them.
    pub fn tell(&self, teller: &explain::Teller<'_, '_>, original: &[u32]) -> Anomaly {
        let mut telling = Telling { proof: self, teller, original, told: FxHashMap::default(), why: Vec::new() };
        match self.contradiction {
            Contradiction::Cycle => telling.cycle(),
            Contradiction::NoSource(read) => telling.no_source(read),
            Contradiction::Seen { read, source, by, way } => telling.seen(*read, *source, *by, *way),
        }
    }

    /// A shortest way by the first so many edges.
    fn path(&self, way: Way) -> Vec<u32> {
        let edges = &self.saturation.edges[..way.by as usize];
        let mut out: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for (at, (from, _)) in (0..).zip(edges) {
            out.entry(*from).or_default().push(at);
        }
        let mut by: FxHashMap<u32, u32> = FxHashMap::from_iter([(way.from, NONE)]);
        let mut queue = VecDeque::from([way.from]);
        while let Some(node) = queue.pop_front() {
            if node == way.to {
                break;
            }
            for &edge in out.get(&node).map_or(&[][..], Vec::as_slice) {
                let to = edges[edge as usize].1;
                if let Entry::Vacant(place) = by.entry(to) {
                    place.insert(edge);
                    queue.push_back(to);
                }
            }
        }
        let (mut path, mut node) = (Vec::new(), way.to);
        while let Some(&edge) = by.get(&node).filter(|edge| **edge != NONE) {
            path.push(edge);
            node = edges[edge as usize].0;
        }
        path.reverse();
        path
    }
}

/// The transaction of a node, where it is of one.
fn row(saturation: &Saturation<'_>, node: u32) -> Option<u32> {
    let problem = saturation.problem;
    match node {
        node if node >= problem.shape.nodes(problem.versions.rows) => None,
        node if problem.shape.layout != Layout::One => Some(node / 2),
        node => Some(node),
    }
}

/// Nodes from which the search for a short cycle begins.
const BEGINS: usize = 400;

fn shortest_cycle(saturation: &Saturation<'_>) -> Vec<u32> {
    let edges: Vec<Dependency> = (0..)
        .zip(&saturation.edges)
        .map(|(key, &(from, to))| Dependency { from, to, kind: Kind::Onward, key })
        .collect();
    let graph = Graph::new(saturation.nodes(), &[&edges]);
    let mut parts = components::components(&graph);
    parts.sort_by_key(Vec::len);
    let Some(part) = parts.first() else {
        let own = edges.iter().find(|edge| edge.from == edge.to);
        return own.map(|edge| edge.key).into_iter().collect();
    };
    let inside: FxHashMap<u32, u32> = part.iter().map(|&node| (node, NONE)).collect();
    let mut best: Vec<u32> = Vec::new();
    for &begin in part.iter().take(BEGINS) {
        let mut by = inside.clone();
        let mut queue = VecDeque::from([(begin, 0)]);
        'search: while let Some((node, far)) = queue.pop_front() {
            if !best.is_empty() && far + 1 >= best.len() {
                break;
            }
            for edge in graph.edges(node) {
                let to = graph.to(edge);
                let Some(known) = by.get_mut(&to).filter(|known| **known == NONE) else { continue };
                *known = graph.key(edge);
                if to == begin {
                    best.clear();
                    let mut node = begin;
                    loop {
                        let edge = by[&node];
                        best.push(edge);
                        node = saturation.edges[edge as usize].0;
                        if node == begin {
                            break;
                        }
                    }
                    best.reverse();
                    break 'search;
                }
                queue.push_back((to, far + 1));
            }
        }
    }
    best
}

/// From edges to all that they follow from.
struct Following<'f, 'p, 's> {
    proof: &'f Proof<'p, 's>,
    rows: BTreeSet<u32>,
    followed: BTreeSet<u32>,
    left: usize,
}

impl Following<'_, '_, '_> {
    fn edges(&mut self, edges: &[u32]) {
        for step in self.proof.steps(edges) {
            self.rows.extend([step.from, step.to]);
            self.reason(step.reason);
        }
    }

    fn reason(&mut self, reason: Reason) {
        match reason {
            Reason::Within | Reason::Known(_) => {}
            Reason::Forced { order, reader } => {
                self.rows.extend((reader != NONE).then_some(reader));
                self.order(order);
            }
            Reason::Source(read) | Reason::Overwritten { read, .. } => self.read(read),
        }
    }

    fn way(&mut self, way: Way) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        let path = self.proof.path(way);
        self.edges(&path);
    }

    fn order(&mut self, id: u32) {
        if !self.followed.insert(id) {
            return;
        }
        let order = self.proof.saturation.orders[id as usize];
        self.rows.extend([order.first, order.second].iter().filter(|row| **row != INITIAL));
        match order.because {
            Because::Assumed => {}
            Because::Way(way) | Because::Behind { way } => self.way(way),
            Because::Read { reader, way } => {
                self.rows.insert(reader);
                self.way(way);
            }
            Because::Update { update, way } => {
                self.rows.insert(update);
                self.way(way);
            }
        }
    }

    /// Whatever says that one writer came before another.
    fn order_between(&mut self, key: u32, first: u32, second: u32) {
        let saturation = self.proof.saturation;
        let is_it = |order: &super::saturation::Order| (order.key, order.first, order.second) == (key, first, second);
        if let Some(id) = saturation.orders.iter().position(is_it) {
            self.order(id as u32);
        } else if first != INITIAL {
            let shape = saturation.problem.shape;
            let by = saturation.edges.len() as u32;
            self.way(Way { from: shape.overwrites(first), to: shape.commit(second), by });
        }
    }

    /// A read that had several sources once.
    fn read(&mut self, read: u32) {
        let versions = self.proof.saturation.problem.versions;
        self.rows.insert(versions.reads()[read as usize].row);
        let candidates = versions.candidates(&versions.reads()[read as usize]);
        self.rows.extend(candidates.iter().filter(|row| **row != INITIAL));
    }

    fn ambiguous(&mut self, read: &Ambiguous) {
        self.read(read.read);
        for &(source, excluded) in &read.excluded {
            match excluded {
                Excluded::Later(way) => self.way(way),
                Excluded::Overwritten { by, way } => {
                    self.rows.insert(by);
                    self.way(way);
                    let key = self.proof.saturation.problem.versions.reads()[read.read as usize].key;
                    self.order_between(key, source, by);
                }
            }
        }
    }
}

/// From edges to sentences.
struct Telling<'t, 'p, 's, 'e, 'h> {
    proof: &'t Proof<'p, 's>,
    teller: &'t explain::Teller<'e, 'h>,
    original: &'t [u32],
    /// Orders that were told.
    told: FxHashMap<u32, ()>,
    why: Vec<String>,
}

impl Telling<'_, '_, '_, '_, '_> {
    fn cycle(&mut self) -> Anomaly {
        let steps = self.proof.steps(&self.proof.cycle);
        let edges: Vec<Edge> = steps.iter().map(|step| self.edge(step)).collect();
        let reasons: Vec<&str> = edges.iter().map(|edge| edge.reason.as_str()).collect();
        let first = steps.first().map_or_else(String::new, |step| self.name(step.from));
        let sentence = format!(
            "no order is left for {} transactions: {}; so {first} came before itself",
            edges.len(),
            reasons.join("; ")
        );
        let mut why = std::mem::take(&mut self.why);
        why.extend(edges.iter().map(|edge| edge.reason.clone()));
        let name = name_of(&steps.iter().map(|step| step.kind).collect::<Vec<_>>());
        Anomaly { name, proof: self.proof_rows(), sentence, why, edges, ..Anomaly::default() }
    }

    fn no_source(&mut self, read: &Ambiguous) -> Anomaly {
        let at = self.proof.saturation.problem.versions.reads()[read.read as usize];
        let (reader, key) = (self.name(at.row), self.teller.key(at.key));
        let value = self.teller.value_read(self.original[at.row as usize], at.key);
        let mut reasons = Vec::new();
        for &(source, excluded) in &read.excluded {
            let who = if source == INITIAL { "the beginning".to_owned() } else { self.name(source) };
            reasons.push(match excluded {
                Excluded::Later(way) => {
                    let path = self.told_way(way);
                    format!("not from {who}, which came after it: {path}")
                }
                Excluded::Overwritten { by, way } => {
                    let other = self.name(by);
                    let path = self.told_way(way);
                    format!("not from {who}, for {other} wrote over that before {reader} read: {path}")
                }
            });
        }
        let sentence =
            format!("{reader} read {value} from key {key}, which it can have from nobody: {}", reasons.join("; "));
        let mut why = std::mem::take(&mut self.why);
        why.extend(reasons);
        Anomaly { name: "no-possible-source", proof: self.proof_rows(), sentence, why, ..Anomaly::default() }
    }

    fn seen(&mut self, read: u32, source: u32, by: u32, way: Way) -> Anomaly {
        let at = self.proof.saturation.problem.versions.reads()[read as usize];
        let path = self.proof.path(way);
        let mut steps = self.proof.steps(&path);
        let edge = Step { from: at.row, to: by, reason: Reason::Overwritten { read, by }, kind: Kind::ReadWrite };
        steps.push(edge);
        let edges: Vec<Edge> = steps.iter().map(|step| self.edge(step)).collect();
        let key = self.teller.key(at.key);
        let (reader, writer) = (self.name(at.row), self.name(by));
        let older = match source {
            INITIAL => "what was there at first".to_owned(),
            source => format!("what {} had left there before", self.name(source)),
        };
        let reasons: Vec<&str> = edges.iter().map(|edge| edge.reason.as_str()).collect();
        let sentence = format!(
            "{reader} depends on {writer}, which wrote key {key}, and yet read {older}: {}",
            reasons.join("; ")
        );
        let mut why = std::mem::take(&mut self.why);
        why.extend(edges.iter().map(|edge| edge.reason.clone()));
        let name = name_of(&steps.iter().map(|step| step.kind).collect::<Vec<_>>());
        Anomaly { name, proof: self.proof_rows(), sentence, why, edges, ..Anomaly::default() }
    }

    fn proof_rows(&self) -> Vec<OperationId> {
        self.original.iter().map(|&row| OperationId(row)).collect()
    }

    fn name(&self, row: u32) -> String {
        self.teller.name(self.original[row as usize])
    }

    fn edge(&mut self, step: &Step) -> Edge {
        let reason = self.reason(step);
        Edge {
            from: OperationId(self.original[step.from as usize]),
            to: OperationId(self.original[step.to as usize]),
            kind: step.kind.name(),
            reason,
        }
    }

    fn reason(&mut self, step: &Step) -> String {
        let (from, to) = (self.original[step.from as usize], self.original[step.to as usize]);
        let saturation = self.proof.saturation;
        let of = |kind, key| Dependency { from, to, kind, key };
        match step.reason {
            Reason::Known(at) => {
                let known = saturation.problem.known[at as usize];
                self.teller.reason(&of(known.kind, known.key), NONE)
            }
            Reason::Forced { order: id, reader } => {
                let order = saturation.orders[id as usize];
                self.order(id);
                let kind = if reader == NONE { Kind::WriteWrite } else { Kind::ReadWrite };
                let told = self.teller.reason(&of(kind, order.key), NONE);
                if order.because == Because::Assumed {
                    return format!("{told}, if it did");
                }
                let because = self.because(id);
                if reader == NONE || order.first == INITIAL {
                    format!("{told}, for {because}")
                } else {
                    let (first, second) = (self.name(order.first), self.name(order.second));
                    format!("{told}: {first} wrote it before {second}, for {because}")
                }
            }
            Reason::Source(read) => {
                let key = saturation.problem.versions.reads()[read as usize].key;
                let why = match saturation.assumed.contains(&read) {
                    true => "if that is the one that it read",
                    false => "as no other write of that value can be it",
                };
                format!("{}, {why}", self.teller.reason(&of(Kind::WriteRead, key), NONE))
            }
            Reason::Overwritten { read, .. } => {
                let key = saturation.problem.versions.reads()[read as usize].key;
                self.teller.reason(&of(Kind::ReadWrite, key), NONE)
            }
            Reason::Within => String::new(),
        }
    }

    /// Why an order is the only one, in short: what it follows from is told before.
    fn because(&self, id: u32) -> String {
        let order = self.proof.saturation.orders[id as usize];
        let key = self.teller.key(order.key);
        let name = |row: u32| if row == INITIAL { "the beginning".to_owned() } else { self.name(row) };
        match order.because {
            Because::Assumed => format!("{} was before {}", name(order.first), name(order.second)),
            Because::Way(_) => format!("{} came before {}", name(order.first), name(order.second)),
            Because::Read { reader, way } => {
                let reader = self.name(reader);
                let saw = if self.is_direct(way) { "saw" } else { "came after" };
                format!("{reader} {saw} {} and read what {} wrote to key {key}", name(order.first), name(order.second))
            }
            Because::Update { update, .. } => format!(
                "{} would be lost: {} read key {key} from {} and updated it",
                name(order.first),
                self.name(update),
                name(order.second)
            ),
            Because::Behind { .. } => {
                format!("{} updated what was there before {}", name(order.first), name(order.second))
            }
        }
    }

    /// Whether a way is one dependency.
    fn is_direct(&self, way: Way) -> bool {
        self.proof.steps(&self.proof.path(way)).len() == 1
    }

    /// Tells what a forced order follows from, once.
    fn order(&mut self, id: u32) {
        if self.told.insert(id, ()).is_some() || self.told.len() > FOLLOWED {
            return;
        }
        let order = self.proof.saturation.orders[id as usize];
        let (Because::Way(way) | Because::Read { way, .. } | Because::Update { way, .. } | Because::Behind { way }) =
            order.because
        else {
            return;
        };
        let path = self.told_way(way);
        let name = |row: u32| if row == INITIAL { "the beginning".to_owned() } else { self.name(row) };
        let (first, second) = (name(order.first), name(order.second));
        let key = self.teller.key(order.key);
        let because = self.because(id);
        self.why.push(format!("{first} wrote key {key} before {second}, for {because}: {path}"));
    }

    fn told_way(&mut self, way: Way) -> String {
        let steps = self.proof.steps(&self.proof.path(way));
        let told: Vec<String> = steps.iter().map(|step| self.reason(step)).collect();
        told.join("; ")
    }
}

/// Adya's name for a cycle of these edges.
fn name_of(kinds: &[Kind]) -> &'static str {
    let has = |kind| kinds.contains(&kind);
    let count = kinds.iter().filter(|kind| **kind == Kind::ReadWrite).count();
    let next = |at: usize| kinds[(at + 1) % kinds.len()];
    let adjacent = count > 1 && (0..kinds.len()).any(|at| kinds[at] == Kind::ReadWrite && next(at) == Kind::ReadWrite);
    let names = match count {
        0 if !has(Kind::WriteRead) => ["G0", "G0-process", "G0-realtime"],
        0 => ["G1c", "G1c-process", "G1c-realtime"],
        1 => ["G-single-item", "G-single-item-process", "G-single-item-realtime"],
        _ if !adjacent => ["G-nonadjacent-item", "G-nonadjacent-item-process", "G-nonadjacent-item-realtime"],
        _ => ["G2-item", "G2-item-process", "G2-item-realtime"],
    };
    match () {
        () if has(Kind::RealTime) => names[2],
        () if has(Kind::Process) => names[1],
        () => names[0],
    }
}
