//! What nodes, clients and operators say to each other, one packet a datagram.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::raft::{self, Index, NodeId, Term};

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Value {
    /// A number.
    Int(i64),
    /// Numbers, in order.
    List(Vec<i64>),
}

impl Value {
    /// What tells values apart, as a number.
    pub fn digest(&self) -> i64 {
        match self {
            Value::Int(value) => *value,
            Value::List(_) => {
                let mut hasher = crc32fast::Hasher::new();
                self.hash(&mut hasher);
                Hasher::finish(&hasher) as i64
            }
        }
    }
}

/// What a client wants done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// The value under a key.
    Read {
        /// The key.
        key: u32,
    },
    /// Sets the value under a key.
    Write {
        /// The key.
        key: u32,
        /// The new value.
        value: Value,
    },
    /// Sets the value under a key if it is what is expected.
    Cas {
        /// The key.
        key: u32,
        /// What the key must hold; `None` for nothing.
        expected: Option<Value>,
        /// The new value.
        new: Value,
    },
    /// Puts a number behind the list under a key.
    Append {
        /// The key.
        key: u32,
        /// The number.
        element: i64,
    },
    /// Begins a session (thesis §6.3).
    OpenSession,
}

/// What an entry does to the state machine: a client's operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Whose.
    pub session: u64,
    /// Which of that session's; a retry has the same number (thesis §6.3).
    pub sequence: u64,
    /// What.
    pub operation: Operation,
    /// The time of day at the leader, in milliseconds: sessions expire by it, at the same entry on all nodes.
    pub at: u64,
}

/// An entry of the store's log.
pub type Entry = raft::Entry<Command>;

/// What one node of the store says to another.
pub type Message = raft::Message<Command>;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The client's session; for [`Operation::OpenSession`], a number that nobody else uses.
    pub session: u64,
    /// The number of the operation within the session; the same in a retry.
    pub sequence: u64,
    /// What.
    pub operation: Operation,
    /// A node that answers from its own state must have applied this entry.
    pub at_least: Index,
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
    /// The last entry that it has applied.
    pub index: Index,
    /// The answer.
    pub answer: Answer,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It was done; a read gives the value.
    Done(Option<Value>),
    /// A session has begun: its number.
    Session(u64),
    /// The session is not known, or no more. What was asked was not done now; an earlier attempt may have been.
    NoSession,
    /// A compare-and-set found something else, and did nothing.
    Mismatch,
    /// Ask somebody else; who, if it is known. Whether the operation will be done is not.
    Redirect(Option<NodeId>),
    /// This attempt was not taken up: too much is waiting. An earlier one may have been.
    Refused,
}

/// What an operator asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// Leadership goes to a node.
    Transfer(NodeId),
    /// The node that is asked takes a snapshot.
    Snapshot,
    /// A node is a voter.
    Add(NodeId),
    /// A node is no member.
    Remove(NodeId),
    /// These are the voters.
    Voters(BTreeSet<NodeId>),
}

/// What an operator is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told {
    /// It is so.
    Done,
    /// It is not so yet: ask again.
    NotYet,
    /// Ask somebody else; who, if it is known.
    Redirect(Option<NodeId>),
    /// It will not be done.
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
    /// From an operator: a number, and what is asked.
    Ask(u64, Ask),
    /// To an operator: the number, and what it is told.
    Told(u64, Told),
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
