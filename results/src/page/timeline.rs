//! What the timeline draws, as columns that `payload.js` reads back. These two files alone know how they are written.
//!
//! | column | a number an operation |
//! | --- | --- |
//! | `index`, `start` | difference to the row above; `start` in ticks of `unit` nanoseconds |
//! | `length` | ticks to its completion, -1 if there is none |
//! | `process`, `function`, `key`, `argument`, `result` | as they are; strings by their place in `strings`, 0 for none |
//! | `outcome` | one character: `o`, `f`, `i` |
//!
//! `answered` and `error` have a row only where there is something to say; `answered.row` is a difference too. Everything is one JSON object in a script
//! element that no browser runs, with `<` written as `\u003c`.

use std::collections::HashMap;

use serde::Serialize;
use shakedown_checkers::history::NEVER;
use shakedown_checkers::{History, Outcome, Value, ValueId};

use super::lanes::lanes;
use super::roles::{Answer, Band};
use super::text::{shortened, visible};
use super::witness::Witness;
use crate::record::{FaultRecord, RunRecord};

/// The longest value that the page carries, in characters.
const LONGEST_VALUE: usize = 240;

#[derive(Serialize)]
struct Payload {
    unit: u64,
    end: u64,
    strings: Vec<String>,
    index: Vec<i64>,
    start: Vec<i64>,
    length: Vec<i64>,
    process: Vec<u32>,
    function: Vec<u32>,
    key: Vec<u32>,
    argument: Vec<u32>,
    result: Vec<u32>,
    outcome: String,
    error: Sparse,
    answered: Answered,
    lanes: Vec<Vec<u32>>,
    faults: Vec<FaultBand>,
    nodes: Vec<NodeBands>,
    phases: Vec<(u64, &'static str)>,
    witnesses: Vec<Vec<u32>>,
    moment: Option<u64>,
    /// The first thing to show: the stretch of the witness.
    opens: Option<(u64, u64)>,
}

#[derive(Default, Serialize)]
struct Sparse {
    row: Vec<u32>,
    text: Vec<u32>,
}

#[derive(Default, Serialize)]
struct Answered {
    row: Vec<u32>,
    node: Vec<u32>,
    role: Vec<u32>,
    /// `term 3`, by its place among the strings; 0 for none.
    epoch: Vec<u32>,
}

#[derive(Serialize)]
struct FaultBand {
    kind: String,
    text: String,
    from: u64,
    to: u64,
}

#[derive(Serialize)]
struct NodeBands {
    name: String,
    /// From, to, what it is painted as, what it was, and in which epoch.
    bands: Vec<(u64, u64, &'static str, String, Option<String>)>,
}

/// What the page knows before it writes the payload.
pub struct Sources<'a> {
    /// The run.
    pub record: &'a RunRecord,
    /// Its history.
    pub history: &'a History,
    /// Who answered what.
    pub answers: &'a HashMap<u64, Answer<'a>>,
    /// What the nodes were.
    pub bands: &'a [(&'a str, Vec<Band<'a>>)],
    /// The witnesses, the one on the first screen first.
    pub witnesses: &'a [Witness],
    /// Whether the page opens at the first of them.
    pub at_witness: bool,
    /// The end of the run, in simulated nanoseconds.
    pub end: u64,
}

/// The payload, ready to stand inside a script element.
pub fn payload(sources: &Sources<'_>) -> String {
    let history = sources.history;
    let unit = unit(sources);
    let ticks = |time: u64| time / unit;
    let mut strings = Strings::new(history);
    let mut payload = Payload {
        unit,
        end: ticks(sources.end),
        strings: Vec::new(),
        index: Vec::with_capacity(history.len()),
        start: Vec::with_capacity(history.len()),
        length: Vec::with_capacity(history.len()),
        process: Vec::with_capacity(history.len()),
        function: Vec::with_capacity(history.len()),
        key: Vec::with_capacity(history.len()),
        argument: Vec::with_capacity(history.len()),
        result: Vec::with_capacity(history.len()),
        outcome: String::with_capacity(history.len()),
        error: Sparse::default(),
        answered: Answered::default(),
        lanes: lanes(history),
        faults: faults(&sources.record.applied_faults, sources.end, unit),
        nodes: nodes(sources.bands, unit),
        phases: phases(sources.record, unit),
        witnesses: sources
            .witnesses
            .iter()
            .map(|witness| witness.proofs.iter().map(|proof| proof.id.0).collect())
            .collect(),
        moment: sources
            .witnesses
            .first()
            .filter(|witness| witness.proofs.is_empty())
            .and_then(|witness| witness.at)
            .map(ticks),
        opens: sources
            .witnesses
            .first()
            .filter(|_| sources.at_witness)
            .map(|witness| (ticks(witness.from), ticks(witness.to))),
    };
    let (mut last_index, mut last_start, mut last_answered) = (0_i64, 0_i64, 0_u32);
    for (row, operation) in history.operations().enumerate() {
        let row = row as u32;
        let (index, start) = (operation.index() as i64, ticks(operation.invoked_at().unwrap_or_default()) as i64);
        payload.index.push(index - last_index);
        payload.start.push(start - last_start);
        (last_index, last_start) = (index, start);
        payload.length.push(match operation.completed_at() {
            Some(completed) if operation.completed() != NEVER => ticks(completed) as i64 - start,
            _ => -1,
        });
        payload.process.push(operation.process());
        payload.function.push(strings.value(operation.function_id()));
        payload.key.push(operation.key_id().map_or(0, |key| strings.value(key)));
        payload.argument.push(strings.value(operation.argument_id()));
        payload.result.push(strings.value(operation.result_id()));
        payload.outcome.push(match operation.outcome() {
            Outcome::Ok => 'o',
            Outcome::Fail => 'f',
            Outcome::Info => 'i',
        });
        if let Some(error) = operation.error() {
            payload.error.row.push(row);
            payload.error.text.push(strings.text(error.to_string()));
        }
        if let Some(answer) = sources.answers.get(&operation.index()) {
            payload.answered.row.push(row - last_answered);
            last_answered = row;
            payload.answered.node.push(strings.text(answer.node.to_owned()));
            payload.answered.role.push(answer.role.map_or(0, |role| strings.text(role.to_owned())));
            payload.answered.epoch.push(answer.epoch.map_or(0, |epoch| strings.text(epoch.to_string())));
        }
    }
    payload.strings = strings.shown;
    serde_json::to_string(&payload).expect("columns of numbers and strings are JSON").replace('<', "\\u003c")
}

/// Strings of the page, each once. The first is nothing, or nil.
struct Strings<'a> {
    history: &'a History,
    values: HashMap<ValueId, u32>,
    texts: HashMap<String, u32>,
    shown: Vec<String>,
}

impl<'a> Strings<'a> {
    fn new(history: &'a History) -> Strings<'a> {
        Strings {
            history,
            values: HashMap::from([(ValueId::NIL, 0)]),
            texts: HashMap::new(),
            shown: vec![String::new()],
        }
    }

    fn value(&mut self, id: ValueId) -> u32 {
        if let Some(&place) = self.values.get(&id) {
            return place;
        }
        let place = match self.history.value(id) {
            Value::Nil => 0,
            value => self.text(value.to_string()),
        };
        self.values.insert(id, place);
        place
    }

    fn text(&mut self, text: String) -> u32 {
        if let Some(&place) = self.texts.get(&text) {
            return place;
        }
        let place = self.shown.len() as u32;
        self.shown.push(shortened(&text, LONGEST_VALUE));
        self.texts.insert(text, place);
        place
    }
}

/// The coarsest of milli-, micro- and nanoseconds that loses nothing of the operations' times.
fn unit(sources: &Sources<'_>) -> u64 {
    let fits = |unit: u64| {
        sources.history.operations().all(|operation| {
            operation.invoked_at().unwrap_or_default().is_multiple_of(unit)
                && operation.completed_at().unwrap_or_default().is_multiple_of(unit)
        })
    };
    [1_000_000, 1_000].into_iter().find(|&unit| fits(unit)).unwrap_or(1)
}

fn faults(faults: &[FaultRecord], end: u64, unit: u64) -> Vec<FaultBand> {
    faults
        .iter()
        .filter_map(|fault| {
            let began = fault.began?;
            Some(FaultBand {
                kind: shortened(&fault.kind, 40),
                text: shortened(&fault.description, LONGEST_VALUE),
                from: began / unit,
                to: fault.ended.unwrap_or(end).max(began) / unit,
            })
        })
        .collect()
}

fn nodes(bands: &[(&str, Vec<Band<'_>>)], unit: u64) -> Vec<NodeBands> {
    bands
        .iter()
        .map(|(name, bands)| NodeBands {
            name: visible(name),
            bands: bands
                .iter()
                .map(|band| {
                    let epoch = band.epoch.map(|epoch| epoch.to_string());
                    (band.from / unit, band.to / unit, band.state.class(), band.state.word(), epoch)
                })
                .collect(),
        })
        .collect()
}

fn phases(record: &RunRecord, unit: u64) -> Vec<(u64, &'static str)> {
    let phases = &record.phases;
    let mut marks = vec![(phases.healed / unit, "healed")];
    marks.extend(phases.recovered.map(|recovered| (recovered / unit, "recovered")));
    marks
}
