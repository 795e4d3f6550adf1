//! A replicated key-value store over Raft (Ongaro & Ousterhout 2014; Ongaro's thesis 2014).
//!
//! ```text
//!   client ──Request──► node ──► server ──► raft      consensus: elections, replication, commitment
//!                        │         │    └──► machine  keys, values, sessions
//!                        │         └── who waits for what; reads
//!                        ├──► storage ──► disk        term, vote and log, synced before any answer relies on them
//!                        └──► datagrams to its peers
//! ```
//!
//! `raft`, `server` and `machine` are pure: a test drives them by hand. `node` is the thin driver. All writes go through the log;
//! the modes differ in how reads are answered.

pub mod client;
pub mod defects;
pub mod invariants;
pub mod log;
pub mod machine;
pub mod message;
pub mod node;
pub mod raft;
pub mod server;
pub mod storage;

use std::future::Future;

use crate::context::{Client, Node};
use shakedown_checkers::Level;

use crate::system::{Defect, Failure, Invariant, Mode, System};

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

impl System for RaftKv {
    type Client = RaftKvClient;

    const NAME: &'static str = "raft-kv";
    const SUMMARY: &'static str = "a replicated key-value store over Raft, with sessions and compare-and-set";

    const MODES: &'static [Mode] = &[
        Mode { name: "log", summary: "reads go through the log, like writes", claims: &[Level::Linearizable] },
        Mode {
            name: "read-index",
            summary: "the leader answers reads after a round of heartbeats",
            claims: &[Level::Linearizable],
        },
        Mode {
            name: "leader-local",
            summary: "whoever believes to lead answers reads at once: stale while another leads",
            claims: &[Level::Prefix, Level::Eventual],
        },
        Mode {
            name: "follower-local",
            summary: "any node answers reads at once: stale without any fault",
            claims: &[Level::Prefix, Level::Eventual],
        },
    ];

    const DEFECTS: &'static [Defect] = defects::LIST;

    const MARKS: &'static [(&'static str, &'static str)] = &[
        ("elected", "a leader was elected"),
        ("election-repeated", "an election was split or went unanswered, and was repeated"),
        ("leader-stepped-down", "a leader was deposed, or gave up without a majority"),
        ("log-truncated", "a follower cut off entries that conflicted with its leader's"),
        ("recovered-from-disk", "a node began again with what its disk held"),
        ("torn-record-found", "recovery found a record that the power cut short"),
        ("retry-answered-from-session", "a retried operation was answered without being applied again"),
        ("read-lost-its-leader", "a read waited for confirmation when its leader was deposed"),
    ];

    fn new(mode: &'static Mode, defect: Option<&'static Defect>) -> RaftKv {
        let reads = match mode.name {
            "read-index" => ReadMode::Index,
            "leader-local" => ReadMode::Leader,
            "follower-local" => ReadMode::Follower,
            _ => ReadMode::Log,
        };
        RaftKv { reads, bug: defect.and_then(|defect| Bug::from_name(defect.name)) }
    }

    fn node(&self, node: Node) -> impl Future<Output = Result<(), Failure>> + 'static {
        node::serve(node, self.reads, self.bug)
    }

    fn client(&self, client: Client) -> RaftKvClient {
        RaftKvClient::new(client, self.reads)
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
