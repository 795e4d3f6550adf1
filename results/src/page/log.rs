//! The lines of the trace that a page has room for.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::text;
use super::witness::Witness;
use crate::trace::TraceLine;

/// How many lines of the trace a page holds.
pub const LINES: usize = 500;

/// A line of the trace.
pub struct LogRow {
    /// `1.204`.
    pub time: String,
    /// `n1`.
    pub node: String,
    /// `role`.
    pub event: String,
    /// `role=leader term=3`.
    pub fields: String,
    /// The letter of the operation of the witness that it tells of, or a sign for the moment itself.
    pub mark: Option<String>,
}

impl LogRow {
    fn of(line: &TraceLine, mark: Option<String>) -> LogRow {
        LogRow {
            time: text::seconds(line.time),
            node: text::clipped(&line.node, 40),
            event: text::clipped(&line.event, 60),
            fields: text::shortened(&text::fields(&line.fields), 300),
            mark,
        }
    }
}

/// At most [`LINES`] lines: those around a witness, else the first. Gives the place of the first in the trace.
pub fn around(trace: &[TraceLine], witness: Option<&Witness>) -> (usize, Vec<LogRow>) {
    let Some(witness) = witness else {
        return (0, trace.iter().take(LINES).map(|line| LogRow::of(line, None)).collect());
    };
    let begins = trace.partition_point(|line| line.time < witness.from);
    let ends = trace.partition_point(|line| line.time <= witness.to).max(begins);
    // Where there is not room for all of it, its end tells more than its beginning.
    let first = match LINES.checked_sub(ends - begins) {
        Some(spare) => begins.saturating_sub(spare / 2),
        None => (ends + LINES / 10).saturating_sub(LINES),
    };
    let first = first.min(trace.len().saturating_sub(LINES));
    let letters: HashMap<u64, &str> = witness.proofs.iter().map(|proof| (proof.index, proof.letter.as_str())).collect();
    let mark = |line: &TraceLine| match line.fields.get("operation").and_then(Json::as_u64) {
        Some(operation) => letters.get(&operation).map(|&letter| letter.to_owned()),
        None => (witness.proofs.is_empty() && witness.at == Some(line.time)).then(|| "!".to_owned()),
    };
    (first, trace.iter().skip(first).take(LINES).map(|line| LogRow::of(line, mark(line))).collect())
}

/// The last `count` lines up to a moment.
pub fn before(trace: &[TraceLine], moment: u64, count: usize) -> Vec<LogRow> {
    let last = trace.partition_point(|line| line.time <= moment);
    trace[last.saturating_sub(count)..last].iter().map(|line| LogRow::of(line, None)).collect()
}
