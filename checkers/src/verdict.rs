//! What a checker answers.

use std::time::Instant;

use crate::history::{EventPosition, OperationId};

/// The answer to "does this history satisfy that guarantee?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Valid,
    /// It does not, and this proves it. Never empty.
    Invalid(Vec<Anomaly>),
    /// Nobody knows: the search was given up.
    Unknown(Undecided),
}

impl Verdict {
    /// The verdict as one word: `valid`, `invalid` or `unknown`.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Valid => "valid",
            Verdict::Invalid(_) => "invalid",
            Verdict::Unknown(_) => "unknown",
        }
    }

    /// What was found, if anything.
    pub fn anomalies(&self) -> &[Anomaly] {
        match self {
            Verdict::Invalid(anomalies) => anomalies,
            Verdict::Valid | Verdict::Unknown(_) => &[],
        }
    }
}

/// A violation, and the operations that prove it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anomaly {
    /// As the literature names it: `stale-read`.
    pub name: &'static str,
    /// The proof: with these operations no order is legal, whichever of the other operations happened or not, and without any one of
    /// them some order is, unless it is [`unreduced`](Anomaly::unreduced). In the order of their invocations. Of containers it holds elements whole: what was put in, and how it was taken out.
    pub proof: Vec<OperationId>,
    /// Whether to look for fewer operations took too long: the proof may then hold more than it needs.
    pub unreduced: bool,
    /// Operations that are no part of the proof but of the picture: where a value that the proof observes came from.
    pub sources: Vec<OperationId>,
    /// One sentence that an engineer understands.
    pub sentence: String,
    /// Why no order is legal: one sentence a step.
    pub why: Vec<String>,
    /// For a cycle: what must come before what, round the cycle, each with its reason.
    pub edges: Vec<Edge>,
    /// For registers, where it is so: the two stretches of time that collide.
    pub zones: Option<[Zone; 2]>,
    /// The longest orders of the operations of the picture that are legal as far as they go, and why none goes on. At most eight.
    pub orders: Vec<PartialOrder>,
    /// A completion up to which, and with which, the whole history has no legal order, if the search came upon one.
    pub impossible_by: Option<EventPosition>,
}

/// One operation must come before another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// What comes first.
    pub from: OperationId,
    /// What comes after it.
    pub to: OperationId,
    /// Which dependency it is: `ww`, `wr`, `rw`, `process`, `realtime`.
    pub kind: &'static str,
    /// Why, in one sentence.
    pub reason: String,
}

/// When a value must have been in a register, or could have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// The value; where `cas` replaced it by others at once, the first of them.
    pub value: String,
    /// Whether the value was there from `from` to `to`, without a gap (a forward zone). Otherwise all its operations can take effect at one
    /// instant between them (a backward zone).
    pub forward: bool,
    /// An event; `None` for before everything.
    pub from: Option<EventPosition>,
    /// An event; `None` for after everything.
    pub to: Option<EventPosition>,
    /// The operations whose events these are, where there are such.
    pub operations: Vec<OperationId>,
    /// All of this in one sentence.
    pub sentence: String,
}

/// A legal order that cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialOrder {
    /// The operations that have taken effect, in their order.
    pub taken: Vec<OperationId>,
    /// The state after them, in words.
    pub state: String,
    /// Each operation that would be next in time, and why it is not legal.
    pub refused: Vec<(OperationId, String)>,
}

impl Anomaly {
    /// Proof and sources, in the order of their invocations.
    pub fn operations(&self) -> Vec<OperationId> {
        let mut all = [self.proof.as_slice(), &self.sources].concat();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// How far a search came before it was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided {
    /// What ran out, how far the search came, and what would help.
    pub reason: String,
}

/// How much a search may cost.
///
/// Configurations and bytes are counted, so that a verdict is the same on every machine. Time is for those who wait: a verdict that ran
/// into it may be another one elsewhere, so the [default](Budget::default) has no bound on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How many configurations (a prefix of the history, a set of open operations, a state) a search may remember. One
    /// takes 25 bytes where at most 64 operations are open at once, and a quarter byte more for each further one; a second visits some
    /// millions.
    pub configurations: u64,
    /// How many bytes all searches that run at once may hold.
    pub bytes: Option<u64>,
    /// When to give up.
    pub deadline: Option<Instant>,
    /// How many objects may be judged at once; without it, as many as there are cores. No verdict depends on it.
    pub threads: Option<usize>,
}

impl Budget {
    /// So many configurations, and as much memory and time as they take.
    pub const fn of_configurations(configurations: u64) -> Budget {
        Budget { configurations, bytes: None, deadline: None, threads: None }
    }
}

impl Default for Budget {
    /// 5 million configurations and 1 GiB: some seconds at the most. Valid histories of 100,000 operations need fewer than a tenth of
    /// that.
    fn default() -> Budget {
        Budget { bytes: Some(1 << 30), ..Budget::of_configurations(5_000_000) }
    }
}
