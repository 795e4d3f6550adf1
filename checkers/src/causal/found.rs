//! What a method **found**: the pattern's name, and the steps that show it.

use rustc_hash::{FxHashMap, FxHashSet};

use super::limits::Limits;
use super::order::{Reason, Relation};
use super::sessions::{NONE, Node, Sessions};

/// Why something comes before something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Why {
    /// The same process did both.
    Process,
    /// The second read what the first wrote to the key.
    Reads { key: u32 },
    /// Both wrote the key, and `reader` read the second although the first was in its past.
    Conflict { key: u32, reader: Node },
    /// The first read of the key what the second overwrote.
    Overwrites { key: u32 },
    /// The first read `older` of the key ([`NONE`]: the initial value), which was written before what the second wrote.
    Older { key: u32, older: Node },
}

/// One thing before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Step {
    pub from: Node,
    pub to: Node,
    pub why: Why,
}

/// A pattern that is there.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub name: &'static str,
    /// Each step leads on from the one before, and the last to the first.
    pub cycle: Vec<Step>,
    /// Why inferred steps hold.
    pub support: Vec<Step>,
    /// Operations without which the steps would prove nothing.
    pub beside: Vec<Node>,
}

impl Found {
    /// A cycle and what it rests on; where that would take too long to say, all that happened.
    pub fn resting_on(name: &'static str, cycle: Vec<Step>, support: Option<Vec<Step>>, sessions: &Sessions) -> Found {
        let beside = if support.is_some() { Vec::new() } else { (0..sessions.len() as Node).collect() };
        Found { name, cycle, support: support.unwrap_or_default(), beside }
    }

    /// All nodes of it, sorted.
    pub fn nodes(&self) -> Vec<Node> {
        let steps = self.cycle.iter().chain(&self.support);
        let beside = |step: &Step| match step.why {
            Why::Conflict { reader, .. } => reader,
            Why::Older { older, .. } if older != NONE => older,
            _ => step.from,
        };
        let mut nodes: Vec<Node> = steps.flat_map(|step| [step.from, step.to, beside(step)]).collect();
        nodes.extend_from_slice(&self.beside);
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }
}

/// `from` must be before `to`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inference {
    pub from: Node,
    pub to: Node,
    pub why: Why,
}

/// The first inference of each step.
#[derive(Default)]
pub(super) struct Inferences<'a> {
    all: &'a [Inference],
    first: FxHashMap<(Node, Node), usize>,
}

impl<'a> Inferences<'a> {
    pub fn of(all: &'a [Inference]) -> Inferences<'a> {
        let mut first = FxHashMap::default();
        for (at, inference) in all.iter().enumerate() {
            first.entry((inference.from, inference.to)).or_insert(at);
        }
        Inferences { all, first }
    }

    /// What inferred steps rest on, and what these rest on, and so on. `known` tells how many of the inferences were known when one was
    /// made, and `path` the way from one node to another over those. `None` if it would take too long.
    pub fn support(
        &self,
        cycle: &[Step],
        limits: &Limits,
        known: impl Fn(usize) -> usize,
        path: impl Fn(&[Inference], Node, Node) -> Vec<Step>,
    ) -> Option<Vec<Step>> {
        let mut support: Vec<Step> = Vec::new();
        let mut open = cycle.to_vec();
        let mut seen = FxHashSet::default();
        while let Some(step) = open.pop() {
            let (from, to) = match step.why {
                Why::Conflict { reader, .. } => (step.from, reader),
                Why::Older { older, .. } if older != NONE => (older, step.to),
                _ => continue,
            };
            if !seen.insert((step.from, step.to)) {
                continue;
            }
            if seen.len() > MOST_EXPLAINED || limits.late() {
                return None;
            }
            let at = self.first[&(step.from, step.to)];
            let steps = path(&self.all[..known(at)], from, to);
            support.extend(&steps);
            open.extend(steps);
        }
        Some(support)
    }
}

/// So many inferences are explained: each costs a search for the way that it rests on.
const MOST_EXPLAINED: usize = 2_000;

/// The steps of a path over process order and reads-from.
pub(super) fn causal_path(sessions: &Sessions, from: Node, to: Node) -> Option<Vec<Step>> {
    if from == to {
        return Some(Vec::new());
    }
    Some(steps(sessions, &Relation::causal(sessions).path(from, to)?, &Inferences::default()))
}

/// The steps of a path. Inferred ones are explained by the first inference that gives them.
pub(super) fn steps(sessions: &Sessions, path: &[(Node, Node, Reason)], inferences: &Inferences<'_>) -> Vec<Step> {
    let why = |from: Node, to: Node, reason| match reason {
        Reason::Process => Why::Process,
        Reason::Reads => {
            let read = sessions.reads(to).iter().find(|read| read.source == from);
            Why::Reads { key: read.expect("a path keeps to the reads").key }
        }
        Reason::Inferred => inferences.all[inferences.first[&(from, to)]].why,
    };
    path.iter().map(|&(from, to, reason)| Step { from, to, why: why(from, to, reason) }).collect()
}

/// A cycle, cut short: the shortest through one of its nodes.
pub(super) fn shortened(relation: &Relation<'_>, cycle: &[Node], limits: &Limits) -> Vec<(Node, Node, Reason)> {
    let mut shortest: Option<Vec<(Node, Node, Reason)>> = None;
    for &node in cycle.iter().take(64) {
        if shortest.is_some() && limits.late() {
            break;
        }
        let path = relation.path(node, node);
        shortest = [shortest, path].into_iter().flatten().min_by_key(Vec::len);
    }
    shortest.expect("a node of a cycle comes before itself")
}

/// A read of the initial value although a write of the key came before it.
pub(super) fn initial_read(
    sessions: &Sessions,
    name: &'static str,
    relation: &Relation<'_>,
    inferences: &Inferences<'_>,
    (writer, reader, key): (Node, Node, u32),
) -> Found {
    let path = relation.path(writer, reader).expect("the writer is in the past of the read");
    let mut cycle = steps(sessions, &path, inferences);
    cycle.push(Step { from: reader, to: writer, why: Why::Overwrites { key } });
    Found { name, cycle, support: Vec::new(), beside: Vec::new() }
}
