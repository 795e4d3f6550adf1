//! The **consistency levels**, what each promises, which stronger one promises it too, and which anomaly rules it out.
//!
//! ```text
//!                        strict-serializable ─────────────────────────────► linearizable
//!             ┌──────────────────┴────────┐                                     │
//!   strong-snapshot-isolation   strong-session-serializable ────────────────► sequential
//!             └─────────┬─────────────────┤                                ┌────┴─────┐
//!     strong-session-snapshot-isolation   │       ┌───── causal-convergence       causal-memory
//!             │         └─────────────────┼───────┤              └────┬───────────┘   │
//!             │                     serializable  │                 causal           pram
//!             │         ┌───────────┬─────┘       │             ┌─────┴────┐  ┌───────┘
//!       snapshot-isolation     update-    repeatable-read       │  the four session
//!      ┌──────────┼──────┐  serializable          │             │      guarantees
//!  parallel-SI  prefix  forward-consistent-view   │             │
//!    │    └───┬───┘              │                │             │
//!    │  causal-cerone     consistent-view         │             │
//!  update-    │             │         └───────────┤             │
//!  atomic     │        monotonic-view       cursor-stability    │
//!    └── read-atomic ─ monotonic-atomic-view ─┘                 │
//!                             └─────── read-committed ──────────┘
//!                                     read-uncommitted
//! ```
//!
//! The picture shows the main lines; the table below has all of them.
//!
//! *Sources:* Adya, "Weak Consistency" (1999), for the levels PL-1 to PL-3 and the anomalies G0 to G2; Cerone, Bernardi & Gotsman
//! (CONCUR 2015) for read atomic to serializable as axioms; Bailis et al. (VLDB 2014) for read atomic and monotonic atomic view; Daudjee &
//! Salem (VLDB 2006) for strong-session levels; Terry et al. (1994) for the session guarantees; Bouajjani et al. (POPL 2017) for
//! the three causal levels; Herlihy & Wing (1990). Names and lattice of the transactional ones are those of Elle.

/// A promise that a system makes about what its clients can observe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "Level::summary says what each is")]
pub enum Level {
    ReadUncommitted,
    ReadCommitted,
    MonotonicView,
    MonotonicSnapshotRead,
    CursorStability,
    ConsistentView,
    ForwardConsistentView,
    MonotonicAtomicView,
    RepeatableRead,
    ReadAtomic,
    UpdateAtomic,
    CausalCerone,
    Prefix,
    ParallelSnapshotIsolation,
    SnapshotIsolation,
    UpdateSerializable,
    Serializable,
    StrongSessionReadUncommitted,
    StrongSessionReadCommitted,
    StrongSessionSnapshotIsolation,
    StrongSessionSerializable,
    StrongReadUncommitted,
    StrongReadCommitted,
    StrongSnapshotIsolation,
    StrictSerializable,
    Eventual,
    ReadYourWrites,
    MonotonicReads,
    MonotonicWrites,
    WritesFollowReads,
    Pram,
    Causal,
    CausalConvergence,
    CausalMemory,
    Sequential,
    Linearizable,
}

use Level::*;

/// A level, its name, its promise, and the levels right below it.
type Row = (Level, &'static str, &'static str, &'static [Level]);

#[rustfmt::skip]
const TABLE: [Row; 36] = [
    // Adya's levels of transactions, by the cycles that they forbid.
    (ReadUncommitted, "read-uncommitted", "Writes of two transactions are not interleaved: no cycle of overwriting (PL-1).", &[]),
    (ReadCommitted, "read-committed", "Nobody reads what was aborted or overwritten by its own writer, and information does not flow in a circle (PL-2).", &[ReadUncommitted]),
    (MonotonicView, "monotonic-view", "Once a transaction was seen it stays seen (PL-2L).", &[ReadCommitted]),
    (MonotonicSnapshotRead, "monotonic-snapshot-read", "Each read is of a snapshot, and the snapshots of a transaction only go forward (PL-MSR).", &[ReadCommitted]),
    (CursorStability, "cursor-stability", "What a transaction read and then writes was not written by another in between: no lost update (PL-CS).", &[ReadCommitted]),
    (ConsistentView, "consistent-view", "A transaction sees all or nothing of each other one, and nothing that came after what it missed (PL-2+).", &[MonotonicView, CursorStability]),
    (ForwardConsistentView, "forward-consistent-view", "A consistent view that may reach past the beginning of the transaction (PL-FCV).", &[ConsistentView]),
    (MonotonicAtomicView, "monotonic-atomic-view", "After a transaction has seen one effect of another it sees all of them.", &[ReadCommitted]),
    (RepeatableRead, "repeatable-read", "Serializable as far as single items go: only reads by predicate may be skewed (PL-2.99).", &[CursorStability, MonotonicAtomicView]),
    (ReadAtomic, "read-atomic", "A transaction sees all writes of another or none of them, and its own.", &[MonotonicAtomicView]),
    (UpdateAtomic, "update-atomic", "Read atomic without lost updates.", &[ReadAtomic]),
    (CausalCerone, "causal-cerone", "Transactional causal consistency: read atomic, and what a seen transaction saw is seen too.", &[ReadAtomic]),
    (Prefix, "prefix", "All transactions see prefixes of one order of commits.", &[CausalCerone]),
    (ParallelSnapshotIsolation, "parallel-snapshot-isolation", "Causal, without lost updates; independent transactions may be seen in different orders (long fork).", &[CausalCerone, UpdateAtomic]),
    (SnapshotIsolation, "snapshot-isolation", "Each transaction reads a snapshot, and of two concurrent writers of an item one aborts (PL-SI).", &[ForwardConsistentView, MonotonicSnapshotRead, MonotonicAtomicView, ParallelSnapshotIsolation, Prefix]),
    (UpdateSerializable, "update-serializable", "Transactions that write are serializable; each that only reads fits in, but perhaps not two together (PL-3U).", &[ForwardConsistentView]),
    (Serializable, "serializable", "As if the transactions had run one after the other (PL-3).", &[RepeatableRead, UpdateSerializable, SnapshotIsolation]),
    // The same with the order of each session, or of real time.
    (StrongSessionReadUncommitted, "strong-session-read-uncommitted", "Read uncommitted, in an order that keeps the order of each session.", &[ReadUncommitted]),
    (StrongSessionReadCommitted, "strong-session-read-committed", "Read committed, in an order that keeps the order of each session.", &[ReadCommitted, StrongSessionReadUncommitted]),
    (StrongSessionSnapshotIsolation, "strong-session-snapshot-isolation", "Snapshot isolation; a snapshot holds all that its session did before.", &[SnapshotIsolation, StrongSessionReadCommitted, CausalConvergence]),
    (StrongSessionSerializable, "strong-session-serializable", "Serializable, in an order that keeps the order of each session.", &[Serializable, StrongSessionSnapshotIsolation, Sequential]),
    (StrongReadUncommitted, "strong-read-uncommitted", "Read uncommitted, in an order that keeps real time.", &[StrongSessionReadUncommitted]),
    (StrongReadCommitted, "strong-read-committed", "Read committed, in an order that keeps real time.", &[StrongSessionReadCommitted, StrongReadUncommitted]),
    (StrongSnapshotIsolation, "strong-snapshot-isolation", "Snapshot isolation; a snapshot holds all that was committed before its transaction began.", &[StrongSessionSnapshotIsolation, StrongReadCommitted]),
    (StrictSerializable, "strict-serializable", "Serializable, in an order that keeps real time (PL-SS).", &[StrongSessionSerializable, StrongSnapshotIsolation, Linearizable]),
    // What sessions see: of operations, and of transactions that are seen as a whole.
    (Eventual, "eventual", "When nothing is written any more, all replicas come to answer alike.", &[]),
    (ReadYourWrites, "read-your-writes", "A session sees what it wrote.", &[]),
    (MonotonicReads, "monotonic-reads", "What a session has seen, it does not see undone.", &[]),
    (MonotonicWrites, "monotonic-writes", "The writes of a session are seen in their order.", &[]),
    (WritesFollowReads, "writes-follow-reads", "Who sees a write sees also what its writer had read before.", &[]),
    (Pram, "pram", "Each session sees the writes of every other session in their order, and its own.", &[ReadYourWrites, MonotonicReads, MonotonicWrites]),
    (Causal, "causal", "Who sees an effect sees its causes.", &[ReadYourWrites, WritesFollowReads, ReadCommitted]),
    (CausalConvergence, "causal-convergence", "Causal, and all agree on one order of concurrent writes.", &[Causal, MonotonicReads, MonotonicWrites, CausalCerone]),
    (CausalMemory, "causal-memory", "Causal, and each session sees one order of all writes that never changes.", &[Causal, Pram]),
    (Sequential, "sequential", "As if all operations had run one after the other, each session's in its order.", &[CausalMemory, CausalConvergence, Serializable]),
    (Linearizable, "linearizable", "As if each operation had happened at one instant between its beginning and its end.", &[Sequential, Eventual]),
];

/// Other names under which levels are asked for.
const ALIASES: [(&str, Level); 17] = [
    ("PL-1", ReadUncommitted),
    ("PL-2", ReadCommitted),
    ("PL-2L", MonotonicView),
    ("PL-MSR", MonotonicSnapshotRead),
    ("PL-CS", CursorStability),
    ("PL-2+", ConsistentView),
    ("PL-FCV", ForwardConsistentView),
    ("PL-2.99", RepeatableRead),
    ("PL-SI", SnapshotIsolation),
    ("PL-3U", UpdateSerializable),
    ("PL-3", Serializable),
    ("conflict-serializable", Serializable),
    ("PL-SS", StrictSerializable),
    ("strong-serializable", StrictSerializable),
    ("transactional-causal", CausalCerone),
    ("strong-session-PL-2", StrongSessionReadCommitted),
    ("strong-PL-2", StrongReadCommitted),
];

impl Level {
    /// All of them: those of transactions, the weakest first, then those of single objects.
    pub const ALL: [Level; 36] = {
        let mut all = [ReadUncommitted; 36];
        let mut at = 0;
        while at < all.len() {
            all[at] = TABLE[at].0;
            at += 1;
        }
        all
    };

    /// The name by which it is asked for.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// What it promises, in one sentence.
    pub fn summary(self) -> &'static str {
        self.row().2
    }

    /// The level with this name, or with this other name (`PL-3`, `strong-serializable`).
    pub fn from_name(name: &str) -> Option<Level> {
        let named = Level::ALL.into_iter().find(|level| level.name() == name);
        named.or_else(|| ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, level)| *level))
    }

    /// Whether it is about transactions rather than about operations on single objects.
    pub fn is_transactional(self) -> bool {
        self <= StrictSerializable
    }

    /// Whether it promises something about operations of different sessions that did not overlap in time.
    pub fn is_about_real_time(self) -> bool {
        matches!(
            self,
            StrongReadUncommitted | StrongReadCommitted | StrongSnapshotIsolation | StrictSerializable | Linearizable
        )
    }

    /// Whether whatever satisfies this level satisfies the other one too.
    pub fn implies(self, other: Level) -> bool {
        self == other || self.row().3.iter().any(|below| below.implies(other))
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

/// The weakest levels that an anomaly rules out: where it is found, none of them holds. None for names that no level forbids.
///
/// Beside Adya's and Elle's names there are those of shapes of cycles that break levels with atomic visibility: `transactions/shapes.rs`
/// says why. Causal convergence has one order of all transactions that holds sessions and what was read, so that no cycle of these may be.
/// Where transactions are seen as a whole, sequential is strong-session serializable, and linearizable strict-serializable.
pub fn weakest_ruled_out(anomaly: &str) -> &'static [Level] {
    match anomaly {
        "G0" | "duplicate-elements" | "cyclic-versions" => &[ReadUncommitted],
        "G0-process" => &[StrongSessionReadUncommitted, CausalConvergence],
        "G0-realtime" => &[StrongReadUncommitted, Linearizable],
        "G1a" | "G1b" | "G1c" | "dirty-update" | "incompatible-order" | "future-read" | "garbage-read" => {
            &[ReadCommitted]
        }
        "G1c-process" => &[StrongSessionReadCommitted, CausalConvergence],
        "G1c-realtime" => &[StrongReadCommitted, Linearizable],
        "internal" => &[ReadAtomic],
        // Whichever order the versions have, there is a G-single or a circle of what was read and overwritten.
        "fractured-read" => &[ReadAtomic, ConsistentView, RepeatableRead],
        "non-monotonic-read" => &[MonotonicAtomicView, MonotonicView, MonotonicSnapshotRead],
        "lost-update" | "G-cursor" => &[CursorStability, UpdateAtomic, Sequential],
        "fractured-update" => &[UpdateAtomic, Sequential],
        "G-update" => &[UpdateSerializable, Sequential],
        "causality-violation" => &[CausalCerone],
        "causality-violation-process" => &[CausalConvergence],
        "long-fork" | "non-prefix-read" => &[Prefix],
        "G-single-item" => &[ConsistentView, RepeatableRead, ParallelSnapshotIsolation, Sequential],
        "G-nonadjacent-item" => &[SnapshotIsolation, RepeatableRead, Sequential],
        "G-single-item-process" | "G-nonadjacent-item-process" => &[StrongSessionSnapshotIsolation, Sequential],
        "G-single-item-realtime" | "G-nonadjacent-item-realtime" => &[StrongSnapshotIsolation, Linearizable],
        "G2-item" => &[RepeatableRead, Sequential],
        "G2-item-process" => &[StrongSessionSerializable, Sequential],
        "G2-item-realtime" => &[StrictSerializable, Linearizable],
        _ => &[],
    }
}

/// The levels that none of these anomalies leaves standing, the weakest first.
pub fn ruled_out<'a>(anomalies: impl IntoIterator<Item = &'a str>) -> Vec<Level> {
    let weakest: Vec<Level> = anomalies.into_iter().flat_map(weakest_ruled_out).copied().collect();
    Level::ALL.into_iter().filter(|level| weakest.iter().any(|broken| level.implies(*broken))).collect()
}

/// Of these levels, those that no other of them implies.
pub fn strongest(remaining: &[Level]) -> Vec<Level> {
    let is_topped = |level: Level| remaining.iter().any(|other| *other != level && other.implies(level));
    remaining.iter().copied().filter(|level| !is_topped(*level)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_found_by_its_name_and_stands_at_its_place() {
        for (at, (level, name, summary, below)) in TABLE.iter().enumerate() {
            assert_eq!(*level as usize, at);
            assert_eq!(Level::from_name(name), Some(*level));
            assert!(summary.ends_with('.'));
            assert!(below.iter().all(|below| !below.implies(*level)), "{name} is in a circle");
        }
    }

    #[test]
    fn an_anomaly_rules_out_what_elle_says_it_does_and_the_theorems_add() {
        let counts = [("G0", 25), ("G1c", 22), ("G1c-process", 6), ("internal", 11), ("lost-update", 13)];
        let more = [("G-single-item", 11), ("G-nonadjacent-item", 7), ("G2-item", 4), ("G2-item-realtime", 1)];
        for (anomaly, count) in counts.into_iter().chain(more) {
            let out = ruled_out([anomaly]);
            assert_eq!(out.iter().filter(|level| level.is_transactional()).count(), count, "{anomaly}: {out:?}");
        }
    }

    #[test]
    fn what_is_left_without_write_skew_is_snapshot_isolation() {
        let out = ruled_out(["G2-item"]);
        let left: Vec<Level> = Level::ALL.into_iter().filter(|l| l.is_transactional() && !out.contains(l)).collect();
        assert_eq!(strongest(&left), [UpdateSerializable, StrongSnapshotIsolation]);
    }
}
