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

/// How long a checksum is, in bytes.
const CHECKSUM: usize = 4;

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
    /// The packet as bytes, behind its checksum.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; CHECKSUM];
        bytes = postcard::to_extend(self, bytes).expect("every packet has an encoding");
        let checksum = crc32fast::hash(&bytes[CHECKSUM..]);
        bytes[..CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The packet in some bytes, or `None` if they are none, or not as they were sent.
    pub fn decode(bytes: &[u8]) -> Option<Packet> {
        let (checksum, body) = bytes.split_at_checked(CHECKSUM)?;
        if crc32fast::hash(body).to_le_bytes() != checksum {
            return None;
        }
        postcard::from_bytes(body).ok()
    }
}
