//! The first line of a page: what was claimed, and whether it held.

use super::text::{anomaly_words, clipped, visible};
use crate::record::{AnomalyRecord, ONLY_MODE, RunRecord, VerdictWord};

/// The anomaly that made the run fail: the first that breaks a claim.
pub fn failing(record: &RunRecord) -> Option<&AnomalyRecord> {
    match record.verdict {
        VerdictWord::Invalid => record.anomalies.iter().find(|anomaly| anomaly.claimed).or(record.anomalies.first()),
        VerdictWord::Valid | VerdictWord::Unknown => None,
    }
}

/// `INVALID`, and what follows it: `raft-kv in mode leader-local claims linearizable; it is not (stale read)`.
pub fn line(record: &RunRecord) -> (&'static str, String) {
    let subject = subject(record);
    match record.verdict {
        VerdictWord::Invalid => ("INVALID", broken(record, &subject)),
        VerdictWord::Valid => ("VALID", held(record, &subject)),
        VerdictWord::Unknown => ("UNKNOWN", undecided(record, &subject)),
    }
}

/// `raft-kv in mode log`; of a system that has one mode only, its name.
pub fn subject(record: &RunRecord) -> String {
    match record.mode.as_str() {
        ONLY_MODE => clipped(&record.system, 80),
        mode => format!("{} in mode {}", clipped(&record.system, 40), clipped(mode, 40)),
    }
}

fn broken(record: &RunRecord, subject: &str) -> String {
    let Some(anomaly) = failing(record) else {
        return match record.claims.iter().find(|claim| claim.verdict == VerdictWord::Invalid) {
            Some(claim) => format!("{subject} claims {}; {}", visible(&claim.claim), negation(&claim.claim)),
            None if !record.recovered => format!("{subject} did not recover after the faults were lifted"),
            None => format!("{subject} failed, and nothing says why"),
        };
    };
    let words = anomaly_words(&anomaly.name);
    match anomaly.name.as_str() {
        "panic" => format!("{subject}: a node panicked"),
        "no-recovery" => format!("{subject} did not recover after the faults were lifted"),
        _ if record.claims.iter().any(|claim| claim.claim == anomaly.name) => {
            format!("{subject} claims {}; {}", visible(&anomaly.name), negation(&anomaly.name))
        }
        _ if anomaly.breaks == anomaly.name => format!("{subject} breaks its invariant “{words}”"),
        _ => format!("{subject} claims {}; {} ({words})", visible(&anomaly.breaks), negation(&anomaly.breaks)),
    }
}

fn held(record: &RunRecord, subject: &str) -> String {
    let claims: Vec<String> = record.claims.iter().map(|claim| visible(&claim.claim)).collect();
    match &claims[..] {
        [] => format!("{subject} claims nothing, and nothing broke"),
        [claim] => format!("{subject} claims {claim}; it held"),
        claims => format!("{subject} claims {}; they held", claims.join(", ")),
    }
}

fn undecided(record: &RunRecord, subject: &str) -> String {
    let open: Vec<String> = record
        .claims
        .iter()
        .filter(|claim| claim.verdict == VerdictWord::Unknown)
        .map(|claim| visible(&claim.claim))
        .collect();
    match &open[..] {
        [] => format!("{subject} is undecided"),
        open => format!("{subject} claims {}; undecided", open.join(", ")),
    }
}

/// Guarantees are named by adjectives (`linearizable`) and by nouns (`monotonic-reads`).
fn negation(guarantee: &str) -> &'static str {
    let adjective =
        guarantee.ends_with("serializable") || matches!(guarantee, "linearizable" | "sequential" | "causal");
    if adjective { "it is not" } else { "it does not hold" }
}
