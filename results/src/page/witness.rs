//! The operations that prove an anomaly, and what was wrong with the cluster meanwhile.

use std::collections::{HashMap, HashSet};

use shakedown_checkers::history::NEVER;
use shakedown_checkers::{History, OperationId, Outcome};

use super::roles::Answer;
use super::text::{clipped, operation_words, outcome_word, seconds, shortened};
use crate::record::{AnomalyRecord, FaultRecord};

/// How far around a moment faults still belong to it: half a second of simulated time.
const AROUND: u64 = 500_000_000;

/// One operation of a witness.
pub struct Proof {
    /// `A`, in the order of the record.
    pub letter: String,
    /// Its row in the history.
    pub id: OperationId,
    /// The index of its invocation.
    pub index: u64,
    /// The process that invoked it.
    pub process: u32,
    /// `write 7=5`.
    pub words: String,
    /// The same, short enough for the picture.
    pub short: String,
    /// When it was invoked.
    pub from: u64,
    /// When its client heard of its end, if it ever did.
    pub to: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
    /// `n1, leader of term 2`.
    pub answered: Option<String>,
    /// Why it did not end `ok`.
    pub error: Option<String>,
}

impl Proof {
    /// `0.871..0.902`.
    pub fn span(&self) -> String {
        match self.to {
            Some(to) => format!("{}..{}", seconds(self.from), seconds(to)),
            None => format!("{}..never", seconds(self.from)),
        }
    }

    /// `ok`.
    pub fn outcome(&self) -> &'static str {
        outcome_word(self.outcome)
    }
}

/// An anomaly with its operations found in the history.
pub struct Witness {
    /// Its operations, in the order of the record.
    pub proofs: Vec<Proof>,
    /// Indices that the record names and the history does not have.
    pub missing: Vec<u64>,
    /// When the first of its operations began, or some time before its moment.
    pub from: u64,
    /// When the last of its operations ended, or some time after its moment.
    pub to: u64,
    /// When it was over.
    pub at: Option<u64>,
}

impl Witness {
    /// Finds the operations of an anomaly. Nothing comes back for an anomaly without operations and without a moment.
    pub fn of(anomaly: &AnomalyRecord, history: &History, answers: &HashMap<u64, Answer<'_>>) -> Option<Witness> {
        let named = named(anomaly);
        let wanted: HashMap<u64, usize> = named.iter().enumerate().map(|(place, &index)| (index, place)).collect();
        let mut found: Vec<(usize, OperationId)> = history
            .operations()
            .filter_map(|operation| wanted.get(&operation.index()).map(|&place| (place, operation.id())))
            .collect();
        found.sort_unstable();
        found.dedup_by_key(|(place, _)| *place);
        let proofs: Vec<Proof> =
            found.into_iter().enumerate().map(|(n, (_, id))| proof(letter(n), id, history, answers)).collect();
        let missing = named.into_iter().filter(|index| proofs.iter().all(|proof| proof.index != *index)).collect();
        let (from, to) = match (proofs.iter().map(|proof| proof.from).min(), anomaly.at) {
            (Some(from), _) => {
                let to = proofs.iter().map(|proof| proof.to.unwrap_or(proof.from)).max().unwrap_or(from);
                (from, to)
            }
            (None, Some(at)) => (at.saturating_sub(AROUND), at + AROUND),
            (None, None) => return None,
        };
        Some(Witness { proofs, missing, from, to, at: anomaly.at })
    }

    /// The faults that were active at some moment of it.
    pub fn faults<'a>(&self, faults: &'a [FaultRecord]) -> Vec<&'a FaultRecord> {
        faults
            .iter()
            .filter(|fault| {
                fault.began.is_some_and(|began| began <= self.to) && fault.ended.is_none_or(|ended| ended >= self.from)
            })
            .collect()
    }
}

/// The operations of an anomaly, each once: its own in the order of the record, then what else its edges name.
fn named(anomaly: &AnomalyRecord) -> Vec<u64> {
    let edges = anomaly.explanation.edges.iter().flat_map(|edge| [edge.from, edge.to]);
    let mut seen = HashSet::new();
    anomaly.operations.iter().copied().chain(edges).filter(|index| seen.insert(*index)).collect()
}

fn proof(letter: String, id: OperationId, history: &History, answers: &HashMap<u64, Answer<'_>>) -> Proof {
    let operation = history.operation(id);
    let words = operation_words(operation);
    Proof {
        letter,
        id,
        index: operation.index(),
        process: operation.process(),
        short: clipped(inside(&words), 48),
        words: shortened(&words, 160),
        from: operation.invoked_at().unwrap_or_default(),
        to: if operation.completed() == NEVER { None } else { operation.completed_at() },
        outcome: operation.outcome(),
        answered: answers.get(&operation.index()).map(Answer::words),
        error: operation.error().map(|error| shortened(&error.to_string(), 160)),
    }
}

/// Of a transaction what it did: the picture has little room.
fn inside(words: &str) -> &str {
    words.strip_prefix("txn [").and_then(|rest| rest.strip_suffix(']')).unwrap_or(words)
}

/// `A` to `Z`, then `AA`.
pub fn letter(mut n: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(b'A' + (n % 26) as u8);
        if n < 26 {
            break;
        }
        n = n / 26 - 1;
    }
    letters.reverse();
    letters.into_iter().map(char::from).collect()
}

/// A row of a table of faults.
pub struct FaultRow {
    /// Its number in the plan.
    pub id: u32,
    /// Its kind.
    pub kind: String,
    /// In words.
    pub description: String,
    /// `0.640..1.400 s`, or that it never began.
    pub span: String,
    /// What it did, or that nothing shows that it did anything.
    pub effects: String,
    /// Whether it did anything.
    pub felt: bool,
}

impl From<&FaultRecord> for FaultRow {
    fn from(fault: &FaultRecord) -> FaultRow {
        let effects = super::text::effects(&fault.effects);
        let did = !effects.is_empty();
        FaultRow {
            id: fault.id,
            kind: clipped(&fault.kind, 40),
            description: shortened(&fault.description, 160),
            span: match (fault.began, fault.ended) {
                (Some(began), Some(ended)) => format!("{}..{}", seconds(began), seconds(ended)),
                (Some(began), None) => format!("{}..end", seconds(began)),
                (None, _) => "never began".to_owned(),
            },
            effects: match (fault.began, did, fault.operations) {
                (_, true, 0) => format!("{effects}; no operation met it"),
                (_, true, operations) => format!("{effects}; met by {}", super::text::counted(operations, "operation")),
                (Some(_), false, _) => "no effect seen".to_owned(),
                (None, false, _) => "–".to_owned(),
            },
            felt: fault.was_felt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::letter;

    #[test]
    fn letters_go_on_after_z() {
        assert_eq!([0, 25, 26, 51, 52, 701, 702].map(letter), ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]);
    }
}
