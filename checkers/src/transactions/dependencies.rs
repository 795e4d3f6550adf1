//! Dependencies between transactions, and graphs of them.
//!
//! ```text
//!   ww  T1 wrote a version, T2 the one after it        wr  T1 wrote a version, T2 read it
//!   rw  T1 read a version, T2 wrote the one after it   process, realtime  T1 ended before T2 began
//! ```

/// Which dependency it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    WriteWrite,
    WriteRead,
    ReadWrite,
    Process,
    RealTime,
    /// Somebody saw the one and not the other's overwriting: see [`atomic`](super::atomic).
    Seen,
    /// From one instant to a later one, or to a transaction that begins after it: see [`order`](super::order).
    Onward,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::WriteWrite => "ww",
            Kind::WriteRead => "wr",
            Kind::ReadWrite => "rw",
            Kind::Process => "process",
            Kind::RealTime => "realtime",
            Kind::Seen => "seen",
            Kind::Onward => "onward",
        }
    }

    pub fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// One transaction must come before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Dependency {
    pub from: u32,
    pub to: u32,
    pub kind: Kind,
    /// The key through which; nothing for orders of time.
    pub key: u32,
}

/// Dependencies by where they begin, in columns.
pub(super) struct Graph {
    first: Vec<u32>,
    to: Vec<u32>,
    kind: Vec<Kind>,
    key: Vec<u32>,
}

impl Graph {
    pub fn new(nodes: usize, edges: &[&[Dependency]]) -> Graph {
        let mut first = vec![0_u32; nodes + 1];
        let all = || edges.iter().copied().flatten();
        for edge in all() {
            first[edge.from as usize + 1] += 1;
        }
        for node in 0..nodes {
            first[node + 1] += first[node];
        }
        let count = first[nodes] as usize;
        let mut next = first.clone();
        let (mut to, mut kind, mut key) = (vec![0; count], vec![Kind::Onward; count], vec![0; count]);
        for edge in all() {
            let at = next[edge.from as usize] as usize;
            next[edge.from as usize] += 1;
            (to[at], kind[at], key[at]) = (edge.to, edge.kind, edge.key);
        }
        Graph { first, to, kind, key }
    }

    pub fn nodes(&self) -> usize {
        self.first.len() - 1
    }

    pub fn edges(&self, node: u32) -> std::ops::Range<u32> {
        self.first[node as usize]..self.first[node as usize + 1]
    }

    pub fn to(&self, edge: u32) -> u32 {
        self.to[edge as usize]
    }

    pub fn kind(&self, edge: u32) -> Kind {
        self.kind[edge as usize]
    }

    pub fn key(&self, edge: u32) -> u32 {
        self.key[edge as usize]
    }
}
