//! What comes **before** what: process order, reads-from and inferred edges, and the walk that keeps to them.

use super::limits::Over;
use super::sessions::{NONE, Node, Sessions};
use super::stopped::Stopped;

/// Why one node comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// The same process did both, in this order.
    Process,
    /// The second read what the first wrote.
    Reads,
    /// It was inferred.
    Inferred,
}

/// Inferred edges, by the node that they lead to.
#[derive(Clone, Debug, Default)]
pub(super) struct Edges {
    starts: Vec<u32>,
    from: Vec<Node>,
}

impl Edges {
    /// Groups pairs `(from, to)` by `to`.
    pub fn into_nodes(nodes: usize, pairs: &[(Node, Node)]) -> Edges {
        let mut starts = vec![0_u32; nodes + 2];
        for &(_, to) in pairs {
            starts[to as usize + 2] += 1;
        }
        for at in 2..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut from = vec![0; pairs.len()];
        for &(before, to) in pairs {
            let at = &mut starts[to as usize + 1];
            from[*at as usize] = before;
            *at += 1;
        }
        starts.pop();
        Edges { starts, from }
    }

    /// What must be before a node.
    pub fn before(&self, node: Node) -> &[Node] {
        &self.from[self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize]
    }
}

/// A relation on nodes: which edges count.
#[derive(Clone, Copy)]
pub(super) struct Relation<'a> {
    pub sessions: &'a Sessions,
    /// Whether the order of processes counts.
    pub process: bool,
    /// Whose reads count: of every session, or of the view of one.
    pub reader: Option<usize>,
    pub inferred: Option<&'a Edges>,
}

impl<'a> Relation<'a> {
    /// Causal order: process order and reads-from.
    pub fn causal(sessions: &'a Sessions) -> Relation<'a> {
        Relation { sessions, process: true, reader: None, inferred: None }
    }

    pub fn with(self, inferred: &'a Edges) -> Relation<'a> {
        Relation { inferred: Some(inferred), ..self }
    }

    /// The n-th edge into a node: `None` after the last one; an edge from [`NONE`] is none.
    pub fn edge_into(&self, node: Node, nth: usize) -> Option<(Node, Reason)> {
        let Some(mut nth) = nth.checked_sub(1) else {
            return Some((if self.process { self.sessions.before(node) } else { NONE }, Reason::Process));
        };
        if self.reader.is_none_or(|reader| self.sessions.is_in_view(node, reader)) {
            let reads = self.sessions.reads(node);
            if let Some(read) = reads.get(nth) {
                return Some((read.source, Reason::Reads));
            }
            nth -= reads.len();
        }
        self.inferred?.before(node).get(nth).map(|&from| (from, Reason::Inferred))
    }

    /// All edges into a node.
    pub fn edges_into(&self, node: Node) -> impl Iterator<Item = (Node, Reason)> {
        (0..).map_while(move |nth| self.edge_into(node, nth)).filter(|(from, _)| *from != NONE)
    }

    /// Visits `roots` and all that is before them, each node after all that is before it.
    ///
    /// # Errors
    /// A cycle: each node of it is before the next, and the last before the first. What a visit refuses ends the walk.
    pub fn walk(
        &self,
        roots: impl IntoIterator<Item = Node>,
        mut visit: impl FnMut(Node) -> Result<(), Over>,
    ) -> Result<(), Stopped> {
        const NEW: u8 = 0;
        const OPEN: u8 = 1;
        const DONE: u8 = 2;
        let mut state = vec![NEW; self.sessions.len()];
        let mut open: Vec<(Node, usize)> = Vec::new();
        for root in roots {
            if state[root as usize] == NEW {
                state[root as usize] = OPEN;
                open.push((root, 0));
            }
            while let Some((node, nth)) = open.last_mut() {
                let node = *node;
                let Some((from, _)) = self.edge_into(node, *nth) else {
                    state[node as usize] = DONE;
                    visit(node)?;
                    open.pop();
                    continue;
                };
                *nth += 1;
                if from == NONE {
                    continue;
                }
                match state[from as usize] {
                    NEW => {
                        state[from as usize] = OPEN;
                        open.push((from, 0));
                    }
                    OPEN => {
                        let begin =
                            open.iter().rposition(|(node, _)| *node == from).expect("an open node is on the stack");
                        return Err(Stopped::Cycle(open[begin..].iter().rev().map(|(node, _)| *node).collect()));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// A number for each node: the same for two exactly when each comes before the other (Tarjan 1972).
    pub fn components(&self) -> Vec<u32> {
        let nodes = self.sessions.len();
        let mut component = vec![NONE; nodes];
        // When each was come upon, and the earliest that it leads back to.
        let (mut met, mut low) = (vec![NONE; nodes], vec![0_u32; nodes]);
        let (mut open, mut waiting): (Vec<(Node, usize)>, Vec<Node>) = (Vec::new(), Vec::new());
        let (mut time, mut components) = (0, 0);
        for root in 0..nodes as Node {
            if met[root as usize] != NONE {
                continue;
            }
            open.push((root, 0));
            while let Some((node, nth)) = open.last_mut() {
                let at = *node as usize;
                if *nth == 0 {
                    (met[at], low[at]) = (time, time);
                    time += 1;
                    waiting.push(*node);
                }
                if let Some((from, _)) = self.edge_into(*node, *nth) {
                    *nth += 1;
                    if from == NONE || component[from as usize] != NONE {
                        continue;
                    }
                    match met[from as usize] {
                        NONE => open.push((from, 0)),
                        earlier => low[at] = low[at].min(earlier),
                    }
                    continue;
                }
                if low[at] == met[at] {
                    while let Some(member) = waiting.pop() {
                        component[member as usize] = components;
                        if member as usize == at {
                            break;
                        }
                    }
                    components += 1;
                }
                open.pop();
                if let Some(&(under, _)) = open.last() {
                    low[under as usize] = low[under as usize].min(low[at]);
                }
            }
        }
        component
    }

    /// The way from one node to another (from a node to itself: round a cycle) over the fewest edges that are not process order.
    /// What is returned are the edges, in their order.
    ///
    /// Backwards, breadth first; of each session what was reached is all below some node, so that each node is looked at once.
    pub fn path(&self, from: Node, to: Node) -> Option<Vec<(Node, Node, Reason)>> {
        struct Reached {
            top: Node,
            low: Node,
            /// The node that this leads to, how, and whose reach that is in.
            next: Option<(Node, Reason, usize)>,
        }
        let sessions = self.sessions;
        let home = sessions.session(from);
        // Without process order each node stands alone.
        let reaches = |top: Node| top == from || self.process && sessions.session(top) == home && top > from;
        let mut covered: Vec<Node> = sessions.starts[..sessions.count()].to_vec();
        let mut alone = vec![false; if self.process { 0 } else { sessions.len() }];
        let begin = if self.process { covered[sessions.session(to)] } else { to };
        let mut reached = vec![Reached { top: to, low: begin, next: None }];
        covered[sessions.session(to)] = to + 1;
        let mut found = (from != to && reaches(to)).then_some(0);
        let mut at = 0;
        'search: while found.is_none() && at < reached.len() {
            for node in (reached[at].low..=reached[at].top).rev() {
                for (before, reason) in self.edges_into(node) {
                    if reason == Reason::Process && sessions.session(before) == sessions.session(node) {
                        continue;
                    }
                    let low = if self.process { covered[sessions.session(before)] } else { before };
                    let hit = reaches(before);
                    let fresh = if self.process { before >= low } else { !alone[before as usize] };
                    if !hit && !fresh {
                        continue;
                    }
                    reached.push(Reached { top: before, low, next: Some((node, reason, at)) });
                    if hit {
                        found = Some(reached.len() - 1);
                        break 'search;
                    }
                    match self.process {
                        true => covered[sessions.session(before)] = before + 1,
                        false => alone[before as usize] = true,
                    }
                }
            }
            at += 1;
        }
        let mut path = Vec::new();
        let (mut here, mut entry) = (from, found?);
        loop {
            let Reached { top, next, .. } = &reached[entry];
            if here != *top {
                path.push((here, *top, Reason::Process));
            }
            let Some((node, reason, further)) = next else { return Some(path) };
            path.push((*top, *node, *reason));
            (here, entry) = (*node, *further);
        }
    }
}
