//! The operations of a history as **sessions**: for each process what it did, in its order, with the write that each read shows.
//!
//! ```text
//!   session 0   node 0 ─── node 1 ─── node 2        a node is an operation that happened: its reads, then its writes
//!   session 1   node 3 ─── node 4                   nodes are numbered session by session, so that the past of a node in
//!                  reads ▲ node 1                   a session is everything below one number
//! ```
//!
//! Columns of small integers, filled once by `compile.rs`; `restricted_to` cuts a few operations out for explanations.

use rustc_hash::FxHashMap;

use crate::history::{EventPosition, OperationId};

/// The number of an operation among those that happened, session by session.
pub(super) type Node = u32;

/// In place of a node: none, or for a read the initial value.
pub(super) const NONE: Node = u32::MAX;

/// What one read shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// A dense number.
    pub key: u32,
    /// Who wrote it: [`NONE`] for the initial value.
    pub source: Node,
}

/// The writers of one key in one session: a slice of [`Sessions::writers`] that begins here and ends where the next begins.
#[derive(Clone, Copy, Debug)]
struct Group {
    session: u32,
    start: u32,
}

/// What happened, session by session.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    session_of: Vec<u32>,
    /// The first node of each session, and the number of nodes at the end.
    pub starts: Vec<Node>,
    /// What a session comes after, if it is an operation of unknown outcome whose process went on without it.
    pub forks: Vec<Node>,
    pub operation: Vec<OperationId>,
    /// When each was invoked, and when it was known to be over. They order nothing, but tell what to try first.
    pub begun: Vec<EventPosition>,
    pub ended: Vec<EventPosition>,
    /// Nodes in the order of their invocations.
    pub by_invocation: Vec<Node>,
    read_starts: Vec<u32>,
    reads: Vec<Read>,
    write_starts: Vec<u32>,
    writes: Vec<u32>,
    group_starts: Vec<u32>,
    groups: Vec<Group>,
    writers: Vec<Node>,
    /// What each key was called by who built this.
    key_names: Vec<u32>,
}

/// What one node does: a row to build [`Sessions`] from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draft<'a> {
    pub operation: OperationId,
    pub begun: EventPosition,
    pub ended: EventPosition,
    pub reads: &'a [Read],
    pub writes: &'a [u32],
}

impl Sessions {
    /// Nodes in their order, `starts` and `forks` of the sessions, and a name for each key.
    pub fn build<'a>(
        drafts: impl Iterator<Item = Draft<'a>>,
        starts: Vec<Node>,
        forks: Vec<Node>,
        key_names: Vec<u32>,
    ) -> Sessions {
        let keys = key_names.len();
        let mut built =
            Sessions { starts, forks, read_starts: vec![0], write_starts: vec![0], key_names, ..Sessions::default() };
        for (session, bounds) in built.starts.windows(2).enumerate() {
            built.session_of.extend((bounds[0]..bounds[1]).map(|_| session as u32));
        }
        for draft in drafts {
            built.operation.push(draft.operation);
            built.begun.push(draft.begun);
            built.ended.push(draft.ended);
            built.reads.extend_from_slice(draft.reads);
            built.writes.extend_from_slice(draft.writes);
            built.read_starts.push(built.reads.len() as u32);
            built.write_starts.push(built.writes.len() as u32);
        }
        built.by_invocation = (0..built.operation.len() as u32).collect();
        built.by_invocation.sort_unstable_by_key(|&node| built.operation[node as usize]);
        built.index_writers(keys);
        built
    }

    fn index_writers(&mut self, keys: usize) {
        let mut ends = vec![0_u32; keys + 1];
        for &key in &self.writes {
            ends[key as usize + 1] += 1;
        }
        for key in 0..keys {
            ends[key + 1] += ends[key];
        }
        let starts = ends.clone();
        self.writers = vec![0; self.writes.len()];
        for node in 0..self.len() as Node {
            for at in self.write_starts[node as usize]..self.write_starts[node as usize + 1] {
                let end = &mut ends[self.writes[at as usize] as usize];
                self.writers[*end as usize] = node;
                *end += 1;
            }
        }
        for bounds in starts.windows(2) {
            self.group_starts.push(self.groups.len() as u32);
            let mut last = NONE;
            for at in bounds[0]..bounds[1] {
                let session = self.session_of[self.writers[at as usize] as usize];
                if session != last {
                    self.groups.push(Group { session, start: at });
                    last = session;
                }
            }
        }
        self.group_starts.push(self.groups.len() as u32);
        self.groups.push(Group { session: NONE, start: self.writers.len() as u32 });
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.operation.len()
    }

    /// How many sessions there are.
    pub fn count(&self) -> usize {
        self.forks.len()
    }

    /// How many keys there are.
    pub fn keys(&self) -> usize {
        self.key_names.len()
    }

    /// A number for what a node wrote to a key, below [`write_slots`](Sessions::write_slots).
    pub fn write_slot(&self, node: Node, key: u32) -> usize {
        let at = self.writes(node).binary_search(&key);
        self.write_starts[node as usize] as usize + at.expect("the node wrote the key")
    }

    /// How many writes there are, of all nodes.
    pub fn write_slots(&self) -> usize {
        self.writes.len()
    }

    /// How many reads there are of each [write](Sessions::write_slot), and of the initial value of each key.
    pub fn readers_of_writes(&self) -> (Vec<u32>, Vec<u32>) {
        let (mut of_writes, mut of_initial) = (vec![0; self.write_slots()], vec![0; self.keys()]);
        for read in (0..self.len() as Node).flat_map(|node| self.reads(node)) {
            match read.source {
                NONE => of_initial[read.key as usize] += 1,
                source => of_writes[self.write_slot(source, read.key)] += 1,
            }
        }
        (of_writes, of_initial)
    }

    /// The name that the key was built with.
    pub fn key_name(&self, key: u32) -> u32 {
        self.key_names[key as usize]
    }

    pub fn session(&self, node: Node) -> usize {
        self.session_of[node as usize] as usize
    }

    /// The nodes of a session.
    pub fn nodes(&self, session: usize) -> std::ops::Range<Node> {
        self.starts[session]..self.starts[session + 1]
    }

    /// What a session has done and seen: its nodes, behind those that its process had done before, if it is a fork.
    pub fn view(&self, session: usize) -> impl Iterator<Item = Node> + use<> {
        let before = match self.forks[session] {
            NONE => 0..0,
            fork => self.starts[self.session(fork)]..fork + 1,
        };
        before.chain(self.nodes(session))
    }

    /// Whether a node is one of a session's [view](Sessions::view).
    pub fn is_in_view(&self, node: Node, session: usize) -> bool {
        let fork = self.forks[session];
        self.session(node) == session || fork != NONE && node <= fork && self.session(node) == self.session(fork)
    }

    /// What the process did last before this.
    pub fn before(&self, node: Node) -> Node {
        let session = self.session(node);
        if node > self.starts[session] { node - 1 } else { self.forks[session] }
    }

    /// What a node read of others.
    pub fn reads(&self, node: Node) -> &[Read] {
        &self.reads[self.read_starts[node as usize] as usize..self.read_starts[node as usize + 1] as usize]
    }

    /// The keys that a node leaves written, in rising order.
    pub fn writes(&self, node: Node) -> &[u32] {
        &self.writes[self.write_starts[node as usize] as usize..self.write_starts[node as usize + 1] as usize]
    }

    /// The writers of a key, session by session.
    pub fn writers(&self, key: u32) -> impl Iterator<Item = (usize, &[Node])> {
        let groups =
            &self.groups[self.group_starts[key as usize] as usize..self.group_starts[key as usize + 1] as usize + 1];
        groups
            .windows(2)
            .map(|pair| (pair[0].session as usize, &self.writers[pair[0].start as usize..pair[1].start as usize]))
    }

    /// The writers of a key in one session.
    pub fn writers_in(&self, key: u32, session: usize) -> &[Node] {
        let groups =
            &self.groups[self.group_starts[key as usize] as usize..self.group_starts[key as usize + 1] as usize];
        match groups.binary_search_by_key(&(session as u32), |group| group.session) {
            Ok(at) => {
                let at = self.group_starts[key as usize] as usize + at;
                &self.writers[self.groups[at].start as usize..self.groups[at + 1].start as usize]
            }
            Err(_) => &[],
        }
    }

    /// How often each node is read from, or followed by a session of its own.
    pub fn readers(&self) -> Vec<u32> {
        let mut readers = vec![0; self.len()];
        let sources = self.reads.iter().map(|read| read.source);
        for source in sources.chain(self.forks.iter().copied()).filter(|&source| source != NONE) {
            readers[source as usize] += 1;
        }
        readers
    }

    /// The place among the kept of the nearest of them that the process did up to a node.
    fn nearest(&self, mut node: Node, kept: &[Node]) -> Node {
        while node != NONE {
            let session = self.session(node);
            let below = kept.partition_point(|&other| other <= node);
            match below.checked_sub(1) {
                Some(at) if kept[at] >= self.starts[session] => return at as Node,
                _ => node = self.forks[session],
            }
        }
        NONE
    }

    /// Some of the nodes (in rising order) alone. A read whose source is not among them is no longer judged: so the absence of a write
    /// proves nothing.
    pub fn restricted_to(&self, kept: &[Node]) -> Sessions {
        let new_of: FxHashMap<Node, Node> = kept.iter().zip(0..).map(|(&old, new)| (old, new)).collect();
        let mut keys: FxHashMap<u32, u32> = FxHashMap::default();
        let mut dense = |key: u32| {
            let next = keys.len() as u32;
            *keys.entry(key).or_insert(next)
        };
        let mut rows: Vec<(Vec<Read>, Vec<u32>)> = Vec::new();
        let (mut starts, mut forks, mut last) = (Vec::new(), Vec::new(), NONE);
        for (&old, new) in kept.iter().zip(0..) {
            let session = self.session_of[old as usize];
            if session != last {
                starts.push(new);
                forks.push(self.nearest(self.forks[session as usize], kept));
                last = session;
            }
            let source = |read: &Read| match read.source {
                NONE => Some(NONE),
                source => new_of.get(&source).copied(),
            };
            let reads = self.reads(old).iter().filter_map(|read| Some((read.key, source(read)?)));
            let reads = reads.map(|(key, source)| Read { key: dense(key), source }).collect();
            let mut writes: Vec<u32> = self.writes(old).iter().map(|&key| dense(key)).collect();
            writes.sort_unstable();
            rows.push((reads, writes));
        }
        starts.push(kept.len() as Node);
        let drafts = kept.iter().zip(&rows).map(|(&old, (reads, writes))| Draft {
            operation: self.operation[old as usize],
            begun: self.begun[old as usize],
            ended: self.ended[old as usize],
            reads,
            writes,
        });
        let mut key_names = vec![0; keys.len()];
        for (old, new) in keys {
            key_names[new as usize] = self.key_name(old);
        }
        Sessions::build(drafts, starts, forks, key_names)
    }
}
