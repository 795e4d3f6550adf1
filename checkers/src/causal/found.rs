//! What a method **found**: the pattern's name, and the steps that show it.

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
    /// All nodes of it, sorted.
    pub fn nodes(&self) -> Vec<Node> {
        let steps = self.cycle.iter().chain(&self.support);
        let reader = |step: &Step| match step.why {
            Why::Conflict { reader, .. } => reader,
            _ => step.from,
        };
        let mut nodes: Vec<Node> = steps.flat_map(|step| [step.from, step.to, reader(step)]).collect();
        nodes.extend_from_slice(&self.beside);
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }
}

/// `from` must be before `to`, as both wrote `key` and `reader` read `to` although `from` came before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inference {
    pub from: Node,
    pub to: Node,
    pub key: u32,
    pub reader: Node,
}

/// The steps of a path over process order and reads-from.
pub(super) fn causal_path(sessions: &Sessions, from: Node, to: Node) -> Option<Vec<Step>> {
    if from == to {
        return Some(Vec::new());
    }
    Some(steps(sessions, &Relation::causal(sessions).path(from, to)?, &[]))
}

/// The steps of a path. Inferred ones are explained by the first inference that gives them.
pub(super) fn steps(sessions: &Sessions, path: &[(Node, Node, Reason)], inferences: &[Inference]) -> Vec<Step> {
    let why = |from: Node, to: Node, reason| match reason {
        Reason::Process => Why::Process,
        Reason::Reads => {
            let read = sessions.reads(to).iter().find(|read| read.source == from);
            Why::Reads { key: read.expect("a path keeps to the reads").key }
        }
        Reason::Inferred => {
            let known = inferences.iter().find(|inference| inference.from == from && inference.to == to);
            let Inference { key, reader, .. } = known.expect("a path keeps to the inferences");
            Why::Conflict { key: *key, reader: *reader }
        }
    };
    path.iter().map(|&(from, to, reason)| Step { from, to, why: why(from, to, reason) }).collect()
}

/// A cycle, cut short: the shortest through one of its nodes.
pub(super) fn shortened(relation: &Relation<'_>, cycle: &[Node]) -> Vec<(Node, Node, Reason)> {
    let paths = cycle.iter().take(64).filter_map(|&node| relation.path(node, node));
    paths.min_by_key(Vec::len).expect("a node of a cycle comes before itself")
}

/// A read of the initial value although a write of the key came before it.
pub(super) fn initial_read(
    sessions: &Sessions,
    name: &'static str,
    relation: &Relation<'_>,
    inferences: &[Inference],
    (writer, reader, key): (Node, Node, u32),
) -> Found {
    let path = relation.path(writer, reader).expect("the writer is in the past of the read");
    let mut cycle = steps(sessions, &path, inferences);
    cycle.push(Step { from: reader, to: writer, why: Why::Overwrites { key } });
    Found { name, cycle, support: Vec::new(), beside: Vec::new() }
}

/// Whether a node reads the initial value of a key.
pub(super) fn reads_initial(sessions: &Sessions, node: Node, key: u32) -> bool {
    sessions.reads(node).iter().any(|read| read.key == key && read.source == NONE)
}
