//! What is known of a run when it is over: `verdict.json`, and the line that `run --format json` prints.
//!
//! The fields are described in `results/SCHEMA.md`. A schema only gains fields; a change of meaning is a new number.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The schema of [`RunRecord`].
pub const RUN_SCHEMA: &str = "shakedown/run/1";

/// The mode of a system that has no others: nobody needs to be told of it.
pub const ONLY_MODE: &str = "only";

/// A verdict, as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerdictWord {
    /// It holds.
    Valid,
    /// Undecided: a budget ran out, or nothing was there to judge.
    Unknown,
    /// It is broken.
    Invalid,
}

impl VerdictWord {
    /// The word in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            VerdictWord::Valid => "valid",
            VerdictWord::Unknown => "unknown",
            VerdictWord::Invalid => "invalid",
        }
    }
}

/// One run, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`RUN_SCHEMA`].
    pub schema: String,
    /// The name of the run, which is that of its directory: `raft-kv-log-kv-1`.
    pub run: String,
    /// The system under test.
    pub system: String,
    /// The mode that it ran in.
    pub mode: String,
    /// What its clients did.
    pub workload: String,
    /// The seed of its plan.
    pub seed: u64,
    /// The defect that was planted, if one was.
    pub defect: Option<String>,
    /// `invalid` if a claim is broken, a node panicked, an invariant broke or the cluster did not recover.
    pub verdict: VerdictWord,
    /// What the mode promises, each judged.
    pub claims: Vec<ClaimRecord>,
    /// The strongest guarantees that the history still satisfies, of those that were tested.
    pub fingerprint: Vec<String>,
    /// For each guarantee just above the fingerprint: what ruled it out.
    #[serde(default)]
    pub ruled_out_by: Vec<RuledOut>,
    /// Everything that was seen to be wrong, whether the mode claims otherwise or not; the most telling first.
    pub anomalies: Vec<AnomalyRecord>,
    /// How the operations ended.
    pub operations: Outcomes,
    /// How many faults were planned.
    pub faults: usize,
    /// Whether the cluster answered again after healing.
    pub recovered: bool,
    /// How long the run lasted in its own time.
    pub simulated_seconds: f64,
    /// How long it took, checking included.
    pub seconds: f64,
    /// The version that ran it.
    #[serde(default)]
    pub version: String,
    /// The hash of the plan that was run: with it, an edited plan is told from a run that does not repeat.
    pub plan_hash: String,
    /// A hash of everything that happened, in order: equal for equal plans.
    pub events_hash: String,
    /// Where the run's files are, if they were kept.
    pub directory: Option<String>,
    /// Why the verdict is `unknown`, if it is.
    pub undecided: Option<String>,
    /// The command that repeats the run.
    pub replay: String,
    /// The nodes, in order.
    pub nodes: Vec<String>,
    /// The roles that one node at a time has: `leader`.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Each fault of the plan: what was planned and what it did.
    pub applied_faults: Vec<FaultRecord>,
    /// When the run passed from one phase to the next.
    pub phases: Phases,
    /// How often each interesting state was reached.
    pub reach: BTreeMap<String, u64>,
    /// What the network did with the messages.
    pub messages: Messages,
    /// What else was counted, by name. What ends in `-ns` is in nanoseconds.
    #[serde(default)]
    pub figures: BTreeMap<String, u64>,
}

/// A claim, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClaimRecord {
    /// The guarantee: `linearizable`.
    pub claim: String,
    /// Whether it held.
    pub verdict: VerdictWord,
}

/// A guarantee that did not hold, and what showed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuledOut {
    /// The guarantee: `sequential`.
    pub level: String,
    /// The anomaly, as the literature names it: `CyclicHB`.
    pub anomaly: String,
    /// The anomaly in one sentence.
    pub sentence: String,
    /// The operations that prove it, by the index of their invocations.
    pub operations: Vec<u64>,
}

/// Something that was seen to be wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnomalyRecord {
    /// As the literature names it: `stale-read`; or `panic`, `no-recovery`, or the name of a broken invariant.
    pub name: String,
    /// The guarantee that it breaks: `linearizable`.
    pub breaks: String,
    /// Whether the mode claims that guarantee (then the run fails), or only was observed without it (then it does not).
    pub claimed: bool,
    /// The operations that prove it, and where what they saw came from, by the index of their invocations; empty where it is not
    /// about operations.
    pub operations: Vec<u64>,
    /// Those of them that are no part of the proof: where a value that it observes came from.
    #[serde(default)]
    pub sources: Vec<u64>,
    /// One sentence.
    pub sentence: String,
    /// Why no order of the operations is legal: one sentence a step. May be empty.
    pub why: Vec<String>,
    /// When it was over, in simulated nanoseconds.
    pub at: Option<u64>,
    /// Why no order is legal, as data.
    #[serde(flatten)]
    pub explanation: ExplanationRecord,
}

/// Why no order is legal. Operations are named by the index of their invocations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExplanationRecord {
    /// For a cycle or a pattern: what must come before what, in the order in which it is told.
    pub edges: Vec<EdgeRecord>,
    /// The two stretches of time that collide, if it is so: two values that must have been in one register.
    pub zones: Vec<ZoneRecord>,
    /// The longest legal orders of the operations of the proof, and why none goes on.
    pub orders: Vec<OrderRecord>,
    /// The position of the completion up to which the whole history has no legal order, if that is known.
    pub impossible_by: Option<u32>,
    /// Whether to look for fewer operations took too long: the proof may then hold more than it needs.
    pub unreduced: bool,
}

/// One operation must come before another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeRecord {
    /// What comes first.
    pub from: u64,
    /// What comes after it.
    pub to: u64,
    /// Which dependency it is: `ww`, `wr`, `rw`, `process`, `realtime`.
    pub kind: String,
    /// Why, in one sentence.
    pub reason: String,
}

/// When a value must, or could, have been there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZoneRecord {
    /// The value.
    pub value: String,
    /// Whether it was there all the time, or all its operations fit into one instant of it.
    pub forward: bool,
    /// Where it begins, in simulated nanoseconds, if it has a beginning and the history has times.
    pub from: Option<u64>,
    /// Where it ends.
    pub to: Option<u64>,
    /// The same in words.
    pub sentence: String,
    /// The operations whose ends make the stretch.
    pub operations: Vec<u64>,
}

/// A legal order that cannot go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderRecord {
    /// Its operations.
    pub taken: Vec<u64>,
    /// The state after them.
    pub state: String,
    /// What would be next in time, and why it is not legal.
    pub refused: Vec<RefusalRecord>,
}

/// An operation that is not legal in a state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefusalRecord {
    /// The operation.
    pub operation: u64,
    /// Why it is not legal.
    pub why: String,
}

/// How many operations ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// They happened.
    pub ok: usize,
    /// They did not.
    pub fail: usize,
    /// Nobody knows.
    pub info: usize,
}

/// A fault: what was planned, and what it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultRecord {
    /// Its number in the plan.
    pub id: u32,
    /// Its kind: `partition`, `kill`, `power-loss`, `loss`, `delay`.
    pub kind: String,
    /// In words: `n1 n2 | n3 n4 n5`.
    pub description: String,
    /// The nodes that it is aimed at.
    pub targets: Vec<String>,
    /// When it began, in simulated nanoseconds; absent if the moment that it waited for never came.
    pub began: Option<u64>,
    /// When it ended.
    pub ended: Option<u64>,
    /// What it did: messages dropped or delayed, processes killed, bytes lost.
    pub effects: BTreeMap<String, u64>,
    /// How many operations were going on while it was: a fault that met none was not felt.
    #[serde(default)]
    pub operations: u64,
}

impl FaultRecord {
    /// Whether it did something, and somebody was there to feel it.
    pub fn was_felt(&self) -> bool {
        self.operations > 0 && self.effects.values().any(|&count| count > 0)
    }
}

/// The phases of a run, in simulated nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// Faults were lifted.
    pub healed: u64,
    /// The cluster answered again, if it did.
    pub recovered: Option<u64>,
    /// The end.
    pub ended: u64,
}

/// What the network did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    /// Sent, by nodes and clients.
    pub sent: u64,
    /// Delivered.
    pub delivered: u64,
    /// Lost: to a partition, to loss, or because the receiver was down.
    pub lost: u64,
}
