//! **Eventual convergence**: when everything is healed and quiet, all replicas answer alike, and what they answer was written.
//!
//! ```text
//!   … faults …  │ healed, quiet │  n1: read x → 5    n2: read x → 5    n3: read x → 4      not converged
//! ```
//!
//! *When to ask for it rather than for its neighbours:* it is the weakest promise of a replicated store, and says nothing of
//! what is read before the quiet.
//!
//! *Method:* of the reads that were invoked after a given event, those of one key must agree, and their value must be the
//! initial one or that of a write that did not fail. Fewer than two reads of a key prove nothing. *Cost:* linear.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::History;
use crate::history::{EventPosition, Operation, OperationId, Outcome, Value, ValueId};
use crate::verdict::{Anomaly, Undecided, Verdict};

/// Decides whether the reads invoked at or after `quiet` agree, key by key. `unknown` if there are none.
///
/// Knows `read`, `write` and `cas`; other functions are no business of it.
pub fn check(history: &History, quiet: EventPosition) -> Verdict {
    let mut finals: FxHashMap<Option<ValueId>, Vec<Operation<'_>>> = FxHashMap::default();
    let mut keys = Vec::new();
    let last_reads = |operation: &Operation<'_>| {
        operation.function() == "read" && operation.outcome() == Outcome::Ok && operation.invoked() >= quiet
    };
    for read in history.operations().filter(last_reads) {
        let reads = finals.entry(read.key_id()).or_default();
        if reads.is_empty() {
            keys.push(read.key_id());
        }
        reads.push(read);
    }
    if keys.is_empty() {
        return Verdict::Unknown(Undecided { reason: "nothing was read after healing".to_owned() });
    }
    let mut touched: Vec<Option<ValueId>> = history.operations().map(Operation::key_id).collect();
    touched.sort_unstable();
    touched.dedup();
    let alone = touched.into_iter().find(|key| finals.get(key).is_none_or(|reads| reads.len() < 2));
    let written = written(history);
    let mut anomalies = Vec::new();
    for key in keys {
        let reads = &finals[&key];
        let first = reads[0];
        let place = key.map(|key| format!("key {}", history.value(key))).unwrap_or("the object".to_owned());
        if let Some(other) = reads.iter().find(|read| read.result_id() != first.result_id()) {
            anomalies.push(anomaly(
                "divergence",
                &[first, *other],
                format!(
                    "after healing, process {} read {} from {place} and process {} read {}",
                    first.process(),
                    first.result(),
                    other.process(),
                    other.result()
                ),
            ));
        } else if *first.result() != Value::Nil && !written.contains(&(key, first.result().clone())) {
            anomalies.push(anomaly(
                "garbage-read",
                &[first],
                format!("after healing, {place} holds {}, which nobody wrote", first.result()),
            ));
        }
    }
    match alone {
        _ if !anomalies.is_empty() => Verdict::Invalid(anomalies),
        Some(key) => {
            let key = key.map(|key| format!("key {}", history.value(key))).unwrap_or("the object".to_owned());
            Verdict::Unknown(Undecided { reason: format!("fewer than two reads of {key} succeeded after healing") })
        }
        None => Verdict::Valid,
    }
}

/// What each key may hold in the end.
fn written(history: &History) -> FxHashSet<(Option<ValueId>, Value)> {
    let mut written = FxHashSet::default();
    for operation in history.operations().filter(|operation| operation.outcome() != Outcome::Fail) {
        match (operation.function(), operation.argument().as_pair()) {
            ("write", _) => written.insert((operation.key_id(), operation.argument().clone())),
            ("cas", Some((_, new))) => written.insert((operation.key_id(), new.clone())),
            _ => false,
        };
    }
    written
}

fn anomaly(name: &'static str, operations: &[Operation<'_>], sentence: String) -> Anomaly {
    let mut proof: Vec<OperationId> = operations.iter().map(|operation| operation.id()).collect();
    proof.sort_unstable();
    Anomaly { name, proof, sentence, ..Anomaly::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::read;

    /// A write of 1, then two last reads with these values.
    fn judge(first: &str, second: &str) -> Verdict {
        let line = |process: u32, kind: &str, f: &str, value: &str| {
            format!("{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"{f}\",\"key\":7,\"value\":{value}}}\n")
        };
        let mut text = line(0, "invoke", "write", "1") + &line(0, "ok", "write", "1");
        for (process, value) in [(1, first), (2, second)] {
            text += &line(process, "invoke", "read", "null");
            let kind = if value == "info" { "info" } else { "ok" };
            text += &line(process, kind, "read", if value == "info" { "null" } else { value });
        }
        check(&read("test", text.as_bytes()).unwrap(), 2)
    }

    #[test]
    fn last_reads_agree_on_something_that_was_written_or_are_told_apart() {
        assert_eq!(judge("1", "1"), Verdict::Valid);
        assert_eq!(judge("1", "null").anomalies()[0].name, "divergence");
        assert_eq!(judge("9", "9").anomalies()[0].name, "garbage-read");
    }

    #[test]
    fn a_single_last_read_proves_nothing() {
        assert_eq!(judge("1", "info").word(), "unknown");
    }
}
