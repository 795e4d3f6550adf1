//! What nodes and clients say to each other, one packet a datagram.

use serde::{Deserialize, Serialize};
use shakedown_workloads::kv::Operation;

/// A node, by its place in the cluster, from 0.
pub type NodeId = u8;

/// A leader's period of office. 0 is before the first.
pub type Term = u64;

/// A place in the log, from 1. 0 is before the first.
pub type Index = u64;

/// What a log holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The term of the leader that took it up.
    pub term: Term,
    /// What it does.
    pub command: Command,
}

/// What an entry does to the state machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Nothing: a new leader begins its term with it, so that it can commit what came before (thesis §6.4).
    Noop,
    /// A client's operation.
    Client {
        /// Whose.
        session: u64,
        /// Which of that client's; a retry has the same number (thesis §6.3).
        sequence: u64,
        /// What.
        operation: Operation,
    },
}

/// What one node says to another (figure 2 of the paper).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The sender's term.
    pub term: Term,
    /// What it says.
    pub body: Body,
}

/// The body of a [`Message`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
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
        entries: Vec<Entry>,
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

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The client's session.
    pub session: u64,
    /// The number of the operation within the session; the same in a retry.
    pub sequence: u64,
    /// What.
    pub operation: Operation,
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Of the request.
    pub session: u64,
    /// Of the request.
    pub sequence: u64,
    /// Who answers.
    pub node: NodeId,
    /// The term that it believes in.
    pub term: Term,
    /// Whether it believes that it leads.
    pub leads: bool,
    /// The answer.
    pub answer: Answer,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It was done; a read gives the value.
    Done(Option<i64>),
    /// A compare-and-set found something else, and did nothing.
    Mismatch,
    /// Ask somebody else; who, if it is known. Whether the operation will be done is not.
    Redirect(Option<NodeId>),
    /// It was not done, and will not be.
    Refused,
}

/// A datagram.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Packet {
    /// Between nodes.
    Node(Message),
    /// From a client.
    Request(Request),
    /// To a client.
    Reply(Reply),
}

impl Packet {
    /// The packet as bytes.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("every packet has an encoding")
    }

    /// The packet in some bytes, or `None` if they are none.
    pub fn decode(bytes: &[u8]) -> Option<Packet> {
        postcard::from_bytes(bytes).ok()
    }
}
