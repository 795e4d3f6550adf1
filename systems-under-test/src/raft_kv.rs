//! A replicated key-value store over Raft (Ongaro & Ousterhout 2014; Ongaro's thesis 2014).
//!
//! ```text
//!   client ──Request──► node ──► server ──► raft      consensus, which knows nothing of keys (crate::raft)
//!                        │         │    └──► machine  values by key, sessions
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
pub mod operator;
pub mod server;
pub mod storage;

use std::future::Future;
use std::time::Duration;

use shakedown_checkers::{Claim, Level};

use crate::door::{Client, Command, Defect, Failure, Family, Invariant, Mode, Node, Recovery, System};

use crate::raft;

use client::RaftKvClient;
use defects::Bug;

/// The port on which nodes listen.
pub const PORT: u16 = 7000;

/// How reads are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Through the log, like writes.
    Log,
    /// By any node, after its leader has been confirmed by a round of heartbeats (thesis §6.4).
    Index,
    /// By a leader, at once while its lease runs (thesis §6.4.1).
    Lease,
    /// By whoever believes to lead, at once.
    Leader,
    /// By any node, at once.
    Follower,
}

/// What tells modes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How reads are answered.
    pub reads: Reads,
    /// Clients tell what they have seen, and nodes wait until they have it too (thesis §6.4.1).
    pub session_index: bool,
    /// What is written is acknowledged before it is synced.
    pub lazy_sync: bool,
    /// Retries are not told from new operations.
    pub without_sessions: bool,
}

impl Settings {
    /// The usual ones.
    pub const fn reading(reads: Reads) -> Settings {
        Settings { reads, session_index: false, lazy_sync: false, without_sessions: false }
    }

    const fn with_session_index(self) -> Settings {
        Settings { session_index: true, ..self }
    }
}

/// The store, in a mode, perhaps with a planted bug.
#[derive(Clone, Copy, Debug)]
pub struct RaftKv {
    settings: Settings,
    bug: Option<Bug>,
}

const LINEARIZABLE: &[Claim] = &[Claim::Level(Level::Linearizable), Claim::Rule(invariants::WRITES_KEPT)];
const LINEARIZABLE_ONLY: &[Claim] = &[Claim::Level(Level::Linearizable)];
const LOCAL_READS: &[Claim] =
    &[Claim::Rule(invariants::PREFIX_READS), Claim::Level(Level::Eventual), Claim::Rule(invariants::WRITES_KEPT)];
const SEQUENTIAL: &[Claim] = &[
    Claim::Level(Level::Sequential),
    Claim::Rule(invariants::PREFIX_READS),
    Claim::Level(Level::Eventual),
    Claim::Rule(invariants::WRITES_KEPT),
];
const KEPT: &[Claim] = &[Claim::Rule(invariants::WRITES_KEPT)];

impl Family for RaftKv {
    type Mode = Settings;
    type Bug = Bug;

    const NAME: &'static str = "raft-kv";
    const SUMMARY: &'static str =
        "a replicated key-value store over Raft, with sessions, snapshots, and members that change";

    const MODES: &'static [Mode<Settings>] = &[
        Mode {
            name: "log",
            summary: "reads go through the log, like writes",
            claims: LINEARIZABLE,
            value: Settings::reading(Reads::Log),
        },
        Mode {
            name: "read-index",
            summary: "any node answers reads, after a round of heartbeats has confirmed its leader",
            claims: LINEARIZABLE,
            value: Settings::reading(Reads::Index),
        },
        Mode {
            name: "lease",
            summary: "the leader answers reads at once while its lease runs: right as long as clocks run nearly alike",
            claims: LINEARIZABLE,
            value: Settings::reading(Reads::Lease),
        },
        Mode {
            name: "leader-local",
            summary: "whoever believes to lead answers reads at once: stale while another leads",
            claims: LOCAL_READS,
            value: Settings::reading(Reads::Leader),
        },
        Mode {
            name: "follower-local",
            summary: "any node answers reads at once: stale without any fault",
            claims: LOCAL_READS,
            value: Settings::reading(Reads::Follower),
        },
        Mode {
            name: "leader-local-session",
            summary: "as leader-local, but no client reads what is older than what it has seen",
            claims: SEQUENTIAL,
            value: Settings::reading(Reads::Leader).with_session_index(),
        },
        Mode {
            name: "follower-local-session",
            summary: "as follower-local, but no client reads what is older than what it has seen",
            claims: SEQUENTIAL,
            value: Settings::reading(Reads::Follower).with_session_index(),
        },
        Mode {
            name: "lazy-sync",
            summary: "writes are acknowledged before they are synced: lost when the power fails",
            claims: LINEARIZABLE_ONLY,
            value: Settings { lazy_sync: true, ..Settings::reading(Reads::Log) },
        },
        Mode {
            name: "at-least-once",
            summary: "no sessions: what a client retries may be done twice",
            claims: KEPT,
            value: Settings { without_sessions: true, ..Settings::reading(Reads::Log) },
        },
    ];

    const DEFECTS: &'static [Defect<Bug>] = defects::LIST;

    fn new(mode: Settings, bug: Option<Bug>) -> RaftKv {
        RaftKv { settings: mode, bug }
    }
}

impl System for RaftKv {
    type Client = RaftKvClient;

    fn node(&self, node: Node) -> impl Future<Output = Result<(), Failure>> + 'static {
        node::serve(node, self.settings, self.bug)
    }

    fn client(&self, client: Client) -> RaftKvClient {
        RaftKvClient::new(client, self.settings)
    }

    fn name(&self) -> String {
        RaftKv::NAME.to_owned()
    }

    fn roles(&self) -> &'static [&'static str] {
        &["leader"]
    }

    fn moments(&self) -> &'static [&'static str] {
        MOMENTS
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

    /// Every datagram has its checksum; a node that has lost or rotten data asks to be let in anew.
    fn endures(&self) -> &'static [&'static str] {
        &["corrupt", "wipe", "rot", "lost-entry", "misread"]
    }

    fn never_meets(&self) -> &'static [&'static str] {
        &["stall"]
    }

    fn excludes(&self) -> &'static [&'static str] {
        match self.settings {
            Settings { lazy_sync: true, .. } => &["power-loss", "failing-sync", "wipe", "rot", "lost-entry", "misread"],
            _ => &[],
        }
    }

    fn drift_bound(&self) -> Option<f64> {
        (self.settings.reads == Reads::Lease).then_some(raft::DRIFT_BOUND)
    }

    fn operator(&self) -> &'static [&'static str] {
        operator::COMMANDS
    }

    fn operate(&self, client: Client, command: Command) -> impl Future<Output = Result<(), Failure>> + 'static {
        operator::operate(client, command)
    }

    fn invariants(&self) -> Vec<Box<dyn Invariant>> {
        vec![
            Box::<invariants::ElectionSafety>::default(),
            Box::<invariants::LeaderAppendOnly>::default(),
            Box::<invariants::LogMatching>::default(),
            Box::<invariants::LeaderCompleteness>::default(),
            Box::<invariants::StateMachineSafety>::default(),
            Box::<invariants::PrefixReads>::default(),
        ]
    }
}

/// After these, a fault is worth most.
const MOMENTS: &[&str] = &[
    "elected",
    "leader-stepped-down",
    "log-truncated",
    "snapshot-taken",
    "snapshot-sent",
    "configuration-changed",
    "learner-promoted",
    "leadership-handed-over",
];

const MARKS: &[(&str, &str)] = &[
    ("elected", "a leader was elected"),
    ("election-repeated", "an election was split or went unanswered, and was repeated"),
    ("leader-stepped-down", "a leader was deposed, or gave up without a majority"),
    ("log-truncated", "a follower cut off entries that conflicted with its leader's"),
    ("older-term-on-majority", "an entry of an older term was on a majority of disks, and not committed for that"),
    ("snapshot-taken", "a node put a snapshot in the place of its log"),
    ("snapshot-installed", "a node took its leader's snapshot in the place of its log"),
    ("snapshot-stale", "a snapshot came that was older than what its receiver had committed"),
    ("configuration-changed", "the cluster had other members"),
    ("joint-configuration", "two majorities were asked at once"),
    ("learner-promoted", "a node that had come in caught up, and got a vote"),
    ("configuration-truncated", "a change of members was cut off a log"),
    ("change-left-open", "a leader lost its office with a change of members uncommitted"),
    ("leader-removed", "a leader went that was no member any more"),
    ("removed-node-campaigns", "a node that was no member any more, and did not know it, called for an election"),
    ("joined-anew", "a node that had lost its disk was let in anew"),
    ("leadership-handed-over", "a leader told another node to take over"),
    ("transfer-failed", "nobody took over in time"),
    ("deposed-inside-lease", "a leader was deposed while its lease ran"),
    ("read-lost-its-leader", "a read waited for confirmation when its leader was deposed"),
    ("retry-answered-from-session", "a retried operation was answered without being applied again"),
    ("sessions-expired", "a session ended that nobody had used"),
    ("request-refused", "a node had too many requests waiting, and refused one"),
    ("recovered-from-disk", "a node began again with what its disk held"),
    ("torn-record-found", "recovery found a record that the power cut short"),
    ("corruption-found", "recovery found something damaged that had been relied on"),
    ("defect-bit", "the planted defect changed what happened"),
];
