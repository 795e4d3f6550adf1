//! **Unique ids**: no two clients are ever given the same id.
//!
//! ```text
//!   p0  ├─ generate → 7 ─┤
//!   p1                        ├─ generate → 7 ─┤      forbidden: 7 was given before
//! ```
//!
//! *When to ask for it:* of generators of ids, tokens and offsets, whatever their order.
//!
//! *Method:* what `generate` answered is put into a table. Where the history has keys, ids are unique within a key.
//! *Source:* `jepsen.checker/unique-ids`. *Cost:* linear.

use rustc_hash::FxHashMap;

use crate::History;
use crate::history::{Operation, ValueId};

use super::Findings;
use super::objects::{anomaly, ended, objects, others};

pub(super) fn judge(history: &History) -> Findings {
    let mut findings = Findings::default();
    for object in objects(history) {
        let mut givers: FxHashMap<ValueId, Operation<'_>> = FxHashMap::default();
        let mut twice = Vec::new();
        for given in object.completed("generate").filter(|given| given.result_id() != ValueId::NIL) {
            findings.judged += 1;
            findings.count("ids", 1);
            if let Some(before) = givers.get(&given.result_id()) {
                twice.push((*before, given));
            } else {
                givers.insert(given.result_id(), given);
            }
        }
        findings.count("duplicated", twice.len());
        if let Some((before, again)) = twice.first() {
            let sentence = format!(
                "process {} was given the id {}{} {}, and process {} {}{}",
                before.process(),
                before.result(),
                object.name(),
                ended(*before),
                again.process(),
                ended(*again),
                others(twice.len(), "answer"),
            );
            findings.anomalies.push(anomaly("duplicate-id", [*before, *again], sentence));
        }
    }
    findings
}
