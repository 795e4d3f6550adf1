//! What must come before what, and why: the edges of a cycle, or of a causal pattern, each with its sentence.
//!
//! The picture draws them as arrows (`picture/arrows.rs`); here they are words. Both carry the number of the edge.

use askama::Template;

use super::text::{clipped, shortened};
use super::witness::Witness;
use crate::record::AnomalyRecord;

/// More edges of one anomaly than this are not on the page.
const MOST: usize = 40;

/// An edge.
pub struct EdgeRow {
    /// From 1, in the order of the record.
    pub number: usize,
    /// The same, apart from the edges of the other witnesses: `1-3`.
    pub mark: String,
    /// What comes first.
    pub from: End,
    /// What comes after it.
    pub to: End,
    /// As the record names it.
    pub kind: String,
    /// How it is drawn.
    pub class: &'static str,
    /// Why.
    pub reason: String,
}

/// One end of an edge.
pub struct End {
    /// The index of its invocation.
    pub index: u64,
    /// Its letter; its number, if the history does not have it.
    pub name: String,
}

/// A kind of edges.
struct KindRow {
    kind: String,
    class: &'static str,
    meaning: &'static str,
}

#[derive(Template)]
#[template(path = "edges.html")]
struct Edges<'a> {
    rows: &'a [EdgeRow],
    kinds: Vec<KindRow>,
    left_out: usize,
}

/// The edges of an anomaly, as far as the page has room for them. `nth` is the number of the witness.
pub fn rows(anomaly: &AnomalyRecord, witness: &Witness, nth: usize) -> Vec<EdgeRow> {
    let end = |index: u64| {
        let proof = witness.proofs.iter().find(|proof| proof.index == index);
        End { index, name: proof.map_or_else(|| format!("#{index}"), |proof| proof.letter.clone()) }
    };
    let edges = anomaly.explanation.edges.iter().take(MOST).enumerate();
    edges
        .map(|(at, edge)| EdgeRow {
            number: at + 1,
            mark: format!("{nth}-{}", at + 1),
            from: end(edge.from),
            to: end(edge.to),
            kind: clipped(&edge.kind, 12),
            class: known(&edge.kind).0,
            reason: shortened(&edge.reason, 600),
        })
        .collect()
}

/// The sentences, and what the kinds mean. Nothing where there is no edge.
pub fn sentences(anomaly: &AnomalyRecord, rows: &[EdgeRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut kinds: Vec<KindRow> = Vec::new();
    for row in rows {
        if kinds.iter().all(|kind| kind.kind != row.kind) {
            let (class, meaning) = known(&row.kind);
            kinds.push(KindRow { kind: row.kind.clone(), class, meaning });
        }
    }
    kinds.retain(|kind| !kind.meaning.is_empty());
    let left_out = anomaly.explanation.edges.len() - rows.len();
    Edges { rows, kinds, left_out }.render().expect("writing to memory does not fail")
}

/// The class of a kind, and what it means.
fn known(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "ww" => ("ww", "the second wrote over what the first wrote"),
        "wr" => ("wr", "the second read what the first wrote"),
        "rw" => ("rw", "the second wrote over what the first read"),
        "process" | "so" => ("process", "the same process did the second later"),
        "realtime" => ("realtime", "the second began after the first had ended"),
        "seen" => ("seen", "a third had seen the first, and read from the second a key that the first wrote too"),
        _ => ("other", ""),
    }
}
