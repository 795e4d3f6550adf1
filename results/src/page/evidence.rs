//! What shows that a run could have failed: a pass proves nothing where nothing happened.

use std::collections::BTreeMap;

use shakedown_checkers::history::NEVER;
use shakedown_checkers::{History, ValueId};

use super::text;
use crate::record::{FaultRecord, RunRecord};

/// The operations of one function, by outcome.
pub struct FunctionRow {
    /// `read`.
    pub function: String,
    /// How many ended `ok`, `fail` and `info`.
    pub outcomes: [String; 3],
    /// Whether none ended `ok`: then nothing is known of this function.
    pub untested: bool,
}

/// The operations of a history by function, in the order of the functions' names.
pub fn functions(history: &History) -> Vec<FunctionRow> {
    let mut counts: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
    for operation in history.operations() {
        counts.entry(operation.function()).or_default()[operation.outcome() as usize] += 1;
    }
    counts
        .into_iter()
        .map(|(function, outcomes)| FunctionRow {
            function: text::clipped(function, 40),
            outcomes: outcomes.map(text::grouped),
            untested: outcomes[0] == 0,
        })
        .collect()
}

/// How many pairs of operations were open at the same time: in all, and of the same object. An `info` counts until its
/// client gave up.
pub fn overlapping_pairs(history: &History) -> (u64, u64) {
    let mut events: Vec<(u32, bool, Option<ValueId>)> = Vec::with_capacity(2 * history.len());
    for operation in history.operations() {
        events.push((operation.invoked(), true, operation.key_id()));
        if operation.completed() != NEVER {
            events.push((operation.completed(), false, operation.key_id()));
        }
    }
    events.sort_unstable_by_key(|(position, ..)| *position);
    let mut open = 0_u64;
    let mut open_on: BTreeMap<Option<ValueId>, u64> = BTreeMap::new();
    let (mut pairs, mut same_object) = (0, 0);
    for (_, begins, key) in events {
        let on_key = open_on.entry(key).or_default();
        if begins {
            pairs += open;
            same_object += *on_key;
            open += 1;
            *on_key += 1;
        } else {
            open -= 1;
            *on_key -= 1;
        }
    }
    (pairs, same_object)
}

/// The faults of one kind.
pub struct KindRow {
    /// `partition`.
    pub kind: String,
    /// How many were planned.
    pub planned: usize,
    /// How many began.
    pub applied: usize,
    /// How many did something that was counted while an operation was going on.
    pub felt: usize,
    /// What they did, together.
    pub effects: String,
}

/// The faults by kind.
pub fn kinds(faults: &[FaultRecord]) -> Vec<KindRow> {
    let mut kinds: BTreeMap<&str, Vec<&FaultRecord>> = BTreeMap::new();
    for fault in faults {
        kinds.entry(&fault.kind).or_default().push(fault);
    }
    kinds
        .into_iter()
        .map(|(kind, faults)| {
            let mut effects: BTreeMap<String, u64> = BTreeMap::new();
            for (effect, count) in faults.iter().flat_map(|fault| &fault.effects) {
                *effects.entry(effect.clone()).or_default() += count;
            }
            KindRow {
                kind: text::visible(kind),
                planned: faults.len(),
                applied: faults.iter().filter(|fault| fault.began.is_some()).count(),
                felt: faults.iter().filter(|fault| fault.was_felt()).count(),
                effects: text::effects(&effects),
            }
        })
        .collect()
}

/// An interesting state, and how often it was reached.
pub struct ReachRow {
    /// Its name.
    pub mark: String,
    /// How often.
    pub count: String,
    /// Whether it never was.
    pub never: bool,
}

/// The reach of a run: what was never reached comes first.
pub fn reach(record: &RunRecord) -> Vec<ReachRow> {
    let mut rows: Vec<ReachRow> = record
        .reach
        .iter()
        .map(|(mark, &count)| ReachRow { mark: text::visible(mark), count: text::grouped(count), never: count == 0 })
        .collect();
    rows.sort_by_key(|row| !row.never);
    rows
}
