//! A replicated key-value store over Raft (Ongaro & Ousterhout 2014; Ongaro's thesis 2014).
//!
//! ```text
//!   client ──Request──► node ──► server ──► raft      consensus, which knows nothing of keys (crate::raft)
//!                        │         │    └──► machine  keys, values, sessions
//!                        │         └── who waits for what; reads
//!                        ├──► storage ──► disk        term, vote and log, synced before any answer relies on them
//!                        └──► datagrams to its peers
//! ```
//!
//! [`raft`], `server` and `machine` are pure: a test drives them by hand. `node` is the thin driver. All writes go through the log;
//! the modes differ in how reads are answered.

pub mod client;
pub mod defects;
pub mod invariants;
pub mod machine;
pub mod message;
pub mod node;
pub mod server;
pub mod storage;

use std::future::Future;
use std::time::Duration;

use shakedown_checkers::{Claim, Level};

use crate::door::{Client, Defect, Failure, Family, Invariant, Mode, Node, Recovery, System};

use crate::raft;

use client::RaftKvClient;
use defects::Bug;

/// The port on which nodes listen.
pub const PORT: u16 = 7000;

/// How reads are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadMode {
    /// Through the log, like writes.
    Log,
    /// By the leader, after a round of heartbeats has confirmed it (thesis §6.4).
    Index,
    /// By whoever believes to lead, at once.
    Leader,
    /// By any node, at once.
    Follower,
}

/// The store, in a mode, perhaps with a planted bug.
#[derive(Clone, Copy, Debug)]
pub struct RaftKv {
    reads: ReadMode,
    bug: Option<Bug>,
}

const LINEARIZABLE: &[Claim] = &[Claim::Level(Level::Linearizable)];
const LOCAL_READS: &[Claim] = &[Claim::Rule(invariants::PREFIX_READS), Claim::Level(Level::Eventual)];

impl Family for RaftKv {
    type Mode = ReadMode;
    type Bug = Bug;

    const NAME: &'static str = "raft-kv";
    const SUMMARY: &'static str = "a replicated key-value store over Raft, with sessions and compare-and-set";

    const MODES: &'static [Mode<ReadMode>] = &[
        Mode {
            name: "log",
            summary: "reads go through the log, like writes",
            claims: LINEARIZABLE,
            value: ReadMode::Log,
        },
        Mode {
            name: "read-index",
            summary: "the leader answers reads after a round of heartbeats",
            claims: LINEARIZABLE,
            value: ReadMode::Index,
        },
        Mode {
            name: "leader-local",
            summary: "whoever believes to lead answers reads at once: stale while another leads",
            claims: LOCAL_READS,
            value: ReadMode::Leader,
        },
        Mode {
            name: "follower-local",
            summary: "any node answers reads at once: stale without any fault",
            claims: LOCAL_READS,
            value: ReadMode::Follower,
        },
    ];

    const DEFECTS: &'static [Defect<Bug>] = defects::LIST;

    fn new(mode: ReadMode, bug: Option<Bug>) -> RaftKv {
        RaftKv { reads: mode, bug }
    }
}

impl System for RaftKv {
    type Client = RaftKvClient;

    fn node(&self, node: Node) -> impl Future<Output = Result<(), Failure>> + 'static {
        node::serve(node, self.reads, self.bug)
    }

    fn client(&self, client: Client) -> RaftKvClient {
        RaftKvClient::new(client, self.reads)
    }

    fn name(&self) -> String {
        RaftKv::NAME.to_owned()
    }

    fn roles(&self) -> &'static [&'static str] {
        &["leader"]
    }

    fn moments(&self) -> &'static [&'static str] {
        &["elected", "leader-stepped-down", "log-truncated"]
    }

    fn marks(&self) -> &'static [(&'static str, &'static str)] {
        MARKS
    }

    fn recovery(&self) -> Recovery {
        Recovery::Majority
    }

    fn timeouts(&self) -> &'static [Duration] {
        &[raft::ELECTION_TIMEOUT, raft::QUORUM_TIMEOUT, client::ATTEMPT, client::PATIENCE]
    }

    /// Every datagram has its checksum.
    fn endures(&self) -> &'static [&'static str] {
        &["corrupt"]
    }

    fn never_meets(&self) -> &'static [&'static str] {
        &["stall"]
    }

    fn invariants(&self) -> Vec<Box<dyn Invariant>> {
        vec![
            Box::<invariants::ElectionSafety>::default(),
            Box::<invariants::LeaderCompleteness>::default(),
            Box::<invariants::StateMachineSafety>::default(),
            Box::<invariants::PrefixReads>::default(),
        ]
    }
}

const MARKS: &[(&str, &str)] = &[
    ("elected", "a leader was elected"),
    ("election-repeated", "an election was split or went unanswered, and was repeated"),
    ("leader-stepped-down", "a leader was deposed, or gave up without a majority"),
    ("log-truncated", "a follower cut off entries that conflicted with its leader's"),
    ("recovered-from-disk", "a node began again with what its disk held"),
    ("torn-record-found", "recovery found a record that the power cut short"),
    ("retry-answered-from-session", "a retried operation was answered without being applied again"),
    ("read-lost-its-leader", "a read waited for confirmation when its leader was deposed"),
];
