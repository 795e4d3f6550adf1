//! What a log holds, and what nodes say to each other.

use serde::{Deserialize, Serialize};

/// A node, by its place in the cluster, from 0.
pub type NodeId = u8;

/// A leader's period of office. 0 is before the first.
pub type Term = u64;

/// A place in the log, from 1. 0 is before the first.
pub type Index = u64;

/// What a log holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<C> {
    /// The term of the leader that took it up.
    pub term: Term,
    /// What it does. A leader begins its term with nothing, so that it can commit what came before (thesis §6.4).
    pub command: Option<C>,
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
    },
    /// The answer: the logs agree up to here.
    Matched {
        /// The last place at which they are known to agree.
        index: Index,
        /// The round of the heartbeat that is answered.
        round: u64,
    },
    /// The answer: the logs do not agree before the entries (§5.3, the fast way back).
    Conflict {
        /// The term of the follower's entry at that place, if it has one.
        term: Option<Term>,
        /// The follower's first entry of that term; or the place behind its log.
        first: Index,
        /// The round of the heartbeat that is answered.
        round: u64,
    },
}
