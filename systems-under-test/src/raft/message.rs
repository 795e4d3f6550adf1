//! What a log holds, and what nodes say to each other.

use serde::{Deserialize, Serialize};

use super::Configuration;

/// A node, by its place in the cluster, from 0.
pub type NodeId = u8;

/// A leader's period of office. 0 is before the first.
pub type Term = u64;

/// A place in the log, from 1. 0 is before the first.
pub type Index = u64;

/// What tells a machine from the one that had its name before: 0 for the first, then drawn by whoever begins with an empty disk. What
/// is said to or by an earlier machine of a name counts for nothing.
pub type Life = u64;

/// What a log holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<C> {
    /// The term of the leader that took it up.
    pub term: Term,
    /// What it does.
    pub payload: Payload<C>,
}

/// What an entry does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payload<C> {
    /// Nothing: a leader begins its term with this, so that it can commit what came before (thesis §6.4).
    Nothing,
    /// Something to the state machine.
    Command(C),
    /// It changes who is in the cluster, from the moment it is in a log (thesis §4.1).
    Configuration(Configuration),
}

/// The state after an entry, in place of the log up to there (thesis §5.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The last entry that it holds.
    pub index: Index,
    /// That entry's term.
    pub term: Term,
    /// The digest of the log up to there.
    pub chain: u32,
    /// Who was in the cluster then.
    pub configuration: Configuration,
    /// The state, as the log's user writes it.
    pub state: Vec<u8>,
}

/// What one node says to another (figure 2 of the paper).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message<C> {
    /// The sender's term.
    pub term: Term,
    /// What it says.
    pub body: Body<C>,
}

/// The body of a [`Message`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body<C> {
    /// A node asks whether it would be voted for, before it calls for an election (thesis §9.6).
    AskPreVote {
        /// The term in which it would stand.
        proposed: Term,
        /// The end of its log.
        last_index: Index,
        /// The term of the entry there.
        last_term: Term,
    },
    /// The answer.
    PreVote {
        /// The term that was proposed.
        proposed: Term,
        /// Whether it is a yes.
        granted: bool,
    },
    /// A candidate asks for a vote.
    RequestVote {
        /// The end of its log.
        last_index: Index,
        /// The term of the entry there.
        last_term: Term,
        /// The leader itself wanted this election (thesis §4.2.3).
        transfer: bool,
    },
    /// The answer.
    Vote {
        /// Whether it is a yes.
        granted: bool,
    },
    /// A leader's heartbeat, with or without entries.
    Append {
        /// The place before the entries.
        previous_index: Index,
        /// The term of the entry there.
        previous_term: Term,
        /// What comes behind it.
        entries: Vec<Entry<C>>,
        /// How far the leader has committed.
        commit: Index,
        /// Which round of heartbeats this belongs to.
        round: u64,
        /// Which machine it is for.
        life: Life,
    },
    /// The answer: the logs agree up to here.
    Matched {
        /// The last place at which they are known to agree.
        index: Index,
        /// The round of the heartbeat that is answered.
        round: u64,
        /// The machine that says so.
        life: Life,
    },
    /// The answer: the logs do not agree before the entries (§5.3, the fast way back).
    Conflict {
        /// The term of the follower's entry at that place, if it has one.
        term: Option<Term>,
        /// The follower's first entry of that term; or the place behind its log.
        first: Index,
        /// The round of the heartbeat that is answered.
        round: u64,
        /// The machine that says so.
        life: Life,
    },
    /// A piece of a snapshot, for a follower that needs entries which the leader no longer has (thesis §5.1).
    InstallSnapshot {
        /// All of the snapshot but its state, to tell snapshots apart.
        head: SnapshotHead,
        /// Where in the state this piece belongs, in bytes.
        offset: u64,
        /// The piece.
        piece: Vec<u8>,
        /// Nothing follows.
        last: bool,
        /// Which round of heartbeats this belongs to.
        round: u64,
        /// Which machine it is for.
        life: Life,
    },
    /// The answer: the next piece is wanted.
    SnapshotWants {
        /// Which snapshot.
        index: Index,
        /// Where the next piece begins.
        offset: u64,
        /// The round of the piece that is answered.
        round: u64,
        /// The machine that says so.
        life: Life,
    },
    /// A leader hands over: stand for election at once (thesis §3.10).
    TimeoutNow,
    /// A machine with an empty disk wants to be in the cluster under a name that another had.
    Join {
        /// What tells it from that other.
        life: Life,
    },
    /// A follower asks how far the log is committed, for a read of its own (thesis §6.4).
    AskReadIndex {
        /// The follower's number for it.
        id: u64,
    },
    /// The answer.
    ReadIndex {
        /// The follower's number for it.
        id: u64,
        /// How far the log was committed when it asked.
        index: Index,
    },
}

/// All of a [`Snapshot`] but its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotHead {
    /// The last entry that it holds.
    pub index: Index,
    /// That entry's term.
    pub term: Term,
    /// The digest of the log up to there.
    pub chain: u32,
    /// Who was in the cluster then.
    pub configuration: Configuration,
}

impl Snapshot {
    /// All of it but the state.
    pub fn head(&self) -> SnapshotHead {
        let Snapshot { index, term, chain, configuration, .. } = self;
        SnapshotHead { index: *index, term: *term, chain: *chain, configuration: configuration.clone() }
    }
}

impl SnapshotHead {
    /// The snapshot with this state.
    pub fn with(self, state: Vec<u8>) -> Snapshot {
        let SnapshotHead { index, term, chain, configuration } = self;
        Snapshot { index, term, chain, configuration, state }
    }
}
