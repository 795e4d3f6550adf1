//! What stands beside the cause: the facts of the run, the claims, what still held and what else was seen.

use shakedown_checkers::History;

use super::text::{anomaly_words, clipped, counted, grouped, seconds, shortened, visible};
use crate::record::{AnomalyRecord, RunRecord, VerdictWord};

/// A name and a value.
pub struct Fact {
    pub name: &'static str,
    pub value: String,
    pub code: bool,
}

/// What the mode promises.
pub struct Claim {
    pub claim: String,
    pub class: &'static str,
    pub verdict: &'static str,
}

/// An anomaly that is not the cause.
pub struct Other {
    pub name: String,
    pub breaks: String,
    pub claimed: bool,
    pub sentence: String,
    pub indices: Vec<u64>,
    pub more: usize,
}

/// A guarantee just above what held.
pub struct Above {
    pub level: String,
    pub anomaly: String,
    pub sentence: String,
    pub index: Option<u64>,
}

pub fn facts(record: &RunRecord, history: &History, lines: usize, end: u64) -> Vec<Fact> {
    let outcomes = record.operations;
    let mut facts = vec![
        Fact { name: "seed", value: record.seed.to_string(), code: true },
        Fact { name: "events", value: visible(&record.events_hash), code: true },
        Fact { name: "workload", value: visible(&record.workload), code: false },
    ];
    if let Some(defect) = &record.defect {
        facts.push(Fact { name: "defect", value: format!("{} (planted)", visible(defect)), code: false });
    }
    facts.push(Fact {
        name: "size",
        value: format!(
            "{}: {} ok, {} fail, {} info",
            counted(history.len() as u64, "operation"),
            grouped(outcomes.ok as u64),
            grouped(outcomes.fail as u64),
            grouped(outcomes.info as u64)
        ),
        code: false,
    });
    facts.push(Fact {
        name: "",
        value: format!(
            "{} s, {}, {}, {} of trace",
            seconds(end),
            counted(record.nodes.len() as u64, "node"),
            counted(record.faults as u64, "fault"),
            counted(lines as u64, "line")
        ),
        code: false,
    });
    let after = match record.phases.recovered {
        Some(recovered) => format!("{} s after healing", seconds(recovered.saturating_sub(record.phases.healed))),
        None if record.recovered => "yes".to_owned(),
        None => "no".to_owned(),
    };
    facts.push(Fact { name: "recovered", value: after, code: false });
    facts
}

pub fn claims(record: &RunRecord) -> Vec<Claim> {
    record
        .claims
        .iter()
        .map(|claim| Claim {
            claim: visible(&claim.claim),
            class: claim.verdict.as_str(),
            verdict: match claim.verdict {
                VerdictWord::Valid => "✓ held",
                VerdictWord::Unknown => "? undecided",
                VerdictWord::Invalid => "✗ broken",
            },
        })
        .collect()
}

/// What ruled out the guarantees just above those that held.
pub fn above(record: &RunRecord) -> Vec<Above> {
    let rows = record.ruled_out_by.iter().map(|ruled| Above {
        level: clipped(&ruled.level, 60),
        anomaly: anomaly_words(&ruled.anomaly),
        sentence: shortened(&ruled.sentence, 400),
        index: ruled.operations.first().copied(),
    });
    rows.collect()
}

pub fn others(record: &RunRecord, failing: Option<&AnomalyRecord>) -> Vec<Other> {
    const INDICES: usize = 6;
    record
        .anomalies
        .iter()
        .filter(|anomaly| !failing.is_some_and(|first| std::ptr::eq(first, *anomaly)))
        .map(|anomaly| Other {
            name: anomaly_words(&anomaly.name),
            breaks: visible(&anomaly.breaks),
            claimed: anomaly.claimed,
            sentence: shortened(&anomaly.sentence, 400),
            indices: anomaly.operations.iter().copied().take(INDICES).collect(),
            more: anomaly.operations.len().saturating_sub(INDICES),
        })
        .collect()
}
