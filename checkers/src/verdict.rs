//! What a checker answers.

use crate::history::OperationId;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// As the literature names it: `stale-read`.
    pub name: &'static str,
    /// The proof: with these operations no order is legal, whichever of the other operations happened or not, and without any one of
    /// them some order is (unless the search for it was too long: then it may hold more than it needs). In the order of their
    /// invocations.
    pub proof: Vec<OperationId>,
    /// Operations that are no part of the proof but of the picture: where a value that the proof observes came from.
    pub sources: Vec<OperationId>,
    /// One sentence that an engineer understands.
    pub sentence: String,
    /// Why no order is legal: one sentence a step.
    pub why: Vec<String>,
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

/// How much a search may cost. Counted in configurations, not seconds, so that the verdict of a run is the same on every
/// machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How many configurations (a prefix of the history, a set of open operations, a state) a search may remember. One
    /// takes 16 to 64 bytes; a second visits some millions.
    pub configurations: u64,
}

impl Default for Budget {
    /// 5 million configurations: some hundred megabytes and some seconds at the most. Valid histories of 100,000 operations need
    /// fewer than a tenth of that.
    fn default() -> Budget {
        Budget { configurations: 5_000_000 }
    }
}
