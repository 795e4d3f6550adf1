//! What nodes and clients say to each other, one packet a datagram.

use serde::{Deserialize, Serialize};
use shakedown_workloads::kv::Operation;

use crate::raft::{self, NodeId, Term};

/// What an entry does to the state machine: a client's operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Whose.
    pub session: u64,
    /// Which of that client's; a retry has the same number (thesis §6.3).
    pub sequence: u64,
    /// What.
    pub operation: Operation,
}

/// An entry of the store's log.
pub type Entry = raft::Entry<Command>;

/// What one node of the store says to another.
pub type Message = raft::Message<Command>;

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
