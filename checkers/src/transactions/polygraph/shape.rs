//! What each level makes of dependencies: a graph that has no cycle exactly when the level holds, for some order of the writers of each key.
//!
//! ```text
//!   serializable   T ──wr, ww, rw, time──► T'              one node a transaction
//!   snapshot       C ──wr, ww, time──► S'   S ──rw──► C'   a begin S and a commit C, S ──► C: two rw in a row make no cycle
//!   prefix         C ──wr──► S'   C ──ww──► C'   S ──rw──► C'
//!   PSI            T ──wr, ww──► T', and no way from a writer to a reader of what it wrote over
//!   causal         V ──wr──► V'   A ──wr, ww──► A'   V ──► A   the same, of ways between what is seen, V, alone
//!   read atomic    T ──wr, ww──► T', and what wrote over a read is none of what its transaction read from
//! ```
//!
//! *Why:* in abstract executions (Cerone, Bernardi & Gotsman, CONCUR 2015) a transaction reads the last write among those that it sees. To see all that came
//! before is serializable; to see all that is before something that is seen, or that writes the same key, is snapshot isolation, so that it breaks exactly by a cycle of
//! `(wr ∪ ww ∪ time);rw?` (Cerone & Gotsman, JACM 2018); without the same key it is prefix consistency. Begin and commit as nodes are those of Viper
//! (EuroSys 2023). Parallel snapshot isolation forbids exactly the cycles of wr and ww with one rw at most. Update serializability
//! (Adya's PL-3U) is serializable for those that write, and with any one that only reads.

use crate::levels::Level;
use crate::transactions::dependencies::{Dependency, Kind};

/// Which orders of time a level keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transactions) enum Time {
    None,
    Sessions,
    Real,
}

/// What a reader before a writer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transactions) enum Overwritten {
    /// An edge.
    Edge,
    /// An edge for those that write; for others, that no way leads from the writer to the reader.
    EdgeOfWriters,
    /// That no way leads from the writer to the reader.
    NoWay,
    /// Nothing.
    Nothing,
}

/// What the nodes of a transaction are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transactions) enum Layout {
    One,
    /// Its begin and its commit.
    Snapshot,
    /// What is seen of it, and its place in the order.
    Seen,
}

/// Which updates may not be lost, beyond what the graph says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transactions) enum Updates {
    Any,
    /// Nobody writes a key between the read and the write of it by one transaction.
    OfTheKey,
    /// Nobody who writes what a transaction writes did so unseen by it: it reads nothing that those wrote over.
    OfAllKeys,
    /// Nobody reads what was written over by whom it read from.
    OfWhatIsSeen,
    /// Nobody reads what was written over by whom it had read from before.
    OfWhatWasSeen,
}

/// See the [module](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transactions) struct Shape {
    pub layout: Layout,
    /// Whether any order of writers will do that keeps all that is forced.
    pub is_free: bool,
    /// Whether of two writers of a key the earlier one commits before the later one begins.
    pub writers_exclude: bool,
    pub overwritten: Overwritten,
    pub updates: Updates,
    pub time: Time,
}

impl Shape {
    /// That of a level; nothing for those that are decided otherwise.
    pub fn of(level: Level) -> Option<Shape> {
        let one = Shape {
            layout: Layout::One,
            is_free: false,
            writers_exclude: true,
            overwritten: Overwritten::Edge,
            updates: Updates::Any,
            time: Time::None,
        };
        let snapshot = Shape { layout: Layout::Snapshot, ..one };
        let free = Shape { is_free: true, overwritten: Overwritten::Nothing, ..one };
        Some(match level {
            Level::Serializable | Level::RepeatableRead => one,
            Level::StrongSessionSerializable | Level::Sequential => Shape { time: Time::Sessions, ..one },
            Level::StrictSerializable | Level::Linearizable => Shape { time: Time::Real, ..one },
            Level::SnapshotIsolation => snapshot,
            Level::StrongSessionSnapshotIsolation => Shape { time: Time::Sessions, ..snapshot },
            Level::StrongSnapshotIsolation => Shape { time: Time::Real, ..snapshot },
            Level::Prefix => Shape { writers_exclude: false, ..snapshot },
            Level::ParallelSnapshotIsolation | Level::ConsistentView => {
                Shape { overwritten: Overwritten::NoWay, ..one }
            }
            Level::UpdateSerializable => Shape { overwritten: Overwritten::EdgeOfWriters, ..one },
            Level::CursorStability => Shape { overwritten: Overwritten::Nothing, updates: Updates::OfTheKey, ..one },
            Level::UpdateAtomic => Shape { overwritten: Overwritten::Nothing, updates: Updates::OfAllKeys, ..one },
            Level::CausalCerone => {
                Shape { layout: Layout::Seen, overwritten: Overwritten::NoWay, writers_exclude: false, ..free }
            }
            Level::ReadAtomic => Shape { updates: Updates::OfWhatIsSeen, ..free },
            Level::MonotonicAtomicView => Shape { updates: Updates::OfWhatWasSeen, ..free },
            Level::ReadCommitted => free,
            Level::StrongSessionReadCommitted => Shape { time: Time::Sessions, ..free },
            Level::StrongReadCommitted => Shape { time: Time::Real, ..free },
            _ => return None,
        })
    }

    /// Where a transaction takes in what it sees.
    pub fn begin(self, row: u32) -> u32 {
        if self.layout == Layout::One { row } else { 2 * row }
    }

    /// From where on others see it.
    pub fn shown(self, row: u32) -> u32 {
        if self.layout == Layout::Snapshot { 2 * row + 1 } else { self.begin(row) }
    }

    /// From where on it comes before other writers.
    pub fn commit(self, row: u32) -> u32 {
        if self.layout == Layout::One { row } else { 2 * row + 1 }
    }

    /// Where the later one of two writers of a key is held back.
    pub fn overwrites(self, row: u32) -> u32 {
        if self.writers_exclude { self.begin(row) } else { self.commit(row) }
    }

    /// How many nodes so many transactions have.
    pub fn nodes(self, rows: u32) -> u32 {
        if self.layout == Layout::One { rows } else { 2 * rows }
    }

    /// The edges of a read.
    pub fn read(self, source: u32, reader: u32) -> impl Iterator<Item = (u32, u32)> {
        let ordered = (self.layout == Layout::Seen).then(|| (self.commit(source), self.overwrites(reader)));
        std::iter::once((self.shown(source), self.begin(reader))).chain(ordered)
    }

    /// The edge that a dependency is, of so many transactions, behind which there are the nodes of fans, and then those of
    /// instants, from `instants` on; nothing if it is none.
    pub fn edge(
        self,
        dependency: &Dependency,
        rows: u32,
        instants: u32,
        writes: impl Fn(u32) -> bool,
    ) -> Option<(u32, u32)> {
        let Dependency { from, to, kind, .. } = *dependency;
        let inner = |node: u32| self.nodes(rows) + node - rows;
        let is_inner = |node: u32| node >= rows;
        let node = |node: u32, of: u32| if is_inner(node) { inner(node) } else { of };
        let is_edge = |reader: u32| match self.overwritten {
            Overwritten::Edge => true,
            Overwritten::EdgeOfWriters => writes(reader),
            Overwritten::NoWay | Overwritten::Nothing => false,
        };
        match kind {
            Kind::WriteWrite => Some((self.commit(from), self.overwrites(to))),
            Kind::WriteRead => Some((self.shown(from), self.begin(to))),
            Kind::Process | Kind::RealTime => Some((node(from, self.commit(from)), node(to, self.begin(to)))),
            Kind::ReadWrite => is_edge(from).then(|| (self.begin(from), node(to, self.commit(to)))),
            // From an instant a transaction begins; out of a fan it commits.
            Kind::Onward if from >= instants => Some((inner(from), node(to, self.begin(to)))),
            Kind::Onward if self.overwritten == Overwritten::NoWay || self.overwritten == Overwritten::Nothing => None,
            Kind::Onward => Some((inner(from), node(to, self.commit(to)))),
            Kind::Seen => Some((self.commit(from), self.overwrites(to))),
        }
    }
}
