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
//! initial one or that of a write that did not fail and began before. Fewer than two reads of a key prove nothing. Where a write of a key
//! ended only after that event, its reads count from there on; where nobody knows how a later one ended, nothing is quiet. *Cost:* linear.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::History;
use crate::history::{EventPosition, Operation, OperationId, Outcome, Value, ValueId};
use crate::verdict::{Anomaly, Undecided, Verdict};

/// The event from which on no fault began or ended: what [`check`] takes, if the history tells what the nemesis did. It is 0 if there were
/// no faults.
pub fn after_faults(history: &History) -> EventPosition {
    history.nemesis().last().map_or(0, |fault| fault.position.saturating_add(1))
}

/// Decides whether the reads invoked at or after `quiet` agree, key by key. `unknown` if there are fewer than two of some key.
///
/// Knows what `read` (also called `get`), `write` and `cas` do; where a key is changed by other functions, its reads must agree, whatever they answer.
/// `initial` is what each key holds at first, beside nil.
pub fn check(history: &History, initial: Option<&Value>, quiet: EventPosition) -> Verdict {
    let mut places: FxHashMap<Option<ValueId>, usize> = FxHashMap::default();
    let mut objects: Vec<Object<'_>> = Vec::new();
    for operation in history.operations() {
        let at = *places.entry(operation.key_id()).or_insert_with(|| {
            objects.push(Object { key: operation.key_id(), quiet, ..Object::default() });
            objects.len() - 1
        });
        objects[at].note(operation, quiet);
    }
    let mut anomalies = Vec::new();
    let mut undecided = None;
    for object in &mut objects {
        let quiet = object.quiet;
        object.reads.retain(|read| read.invoked() >= quiet);
        let place = object.key.map_or("the object".to_owned(), |key| format!("key {}", history.value(key)));
        match object.judge(history, initial, &place) {
            Err(reason) => undecided = undecided.or(Some(reason)),
            Ok(anomaly) => anomalies.extend(anomaly),
        }
    }
    if !anomalies.is_empty() {
        return Verdict::Invalid(anomalies);
    }
    if objects.iter().all(|object| object.reads.is_empty()) {
        undecided = Some("nothing was read after healing".to_owned());
    }
    undecided.map_or(Verdict::Valid, |reason| Verdict::Unknown(Undecided { reason }))
}

/// What happened to one key.
#[derive(Default)]
struct Object<'a> {
    key: Option<ValueId>,
    /// From which event on nobody writes.
    quiet: EventPosition,
    /// A write of unknown outcome that began after healing.
    uncertain: Option<Operation<'a>>,
    /// What writes of unknown outcome that began before may still write; nothing is known of what strange ones do.
    loose: Vec<Option<ValueId>>,
    /// Those invoked when all was healed.
    reads: Vec<Operation<'a>>,
    /// What may have been written, and when the first such write began.
    written: FxHashMap<ValueId, EventPosition>,
    /// Whether functions changed it of which this file does not know what they do.
    is_strange: bool,
}

impl<'a> Object<'a> {
    fn note(&mut self, operation: Operation<'a>, healed: EventPosition) {
        if matches!(operation.function(), "read" | "get") {
            if operation.outcome() == Outcome::Ok && operation.invoked() >= healed {
                self.reads.push(operation);
            }
            return;
        }
        match operation.outcome() {
            Outcome::Fail => return,
            Outcome::Ok => self.quiet = self.quiet.max(operation.completed()),
            Outcome::Info if operation.invoked() >= healed => self.uncertain = self.uncertain.or(Some(operation)),
            Outcome::Info => {}
        }
        let is_loose = operation.outcome() == Outcome::Info;
        let new = match (operation.function(), operation.argument().as_pair()) {
            ("write", _) => Some(operation.argument_id()),
            // What nobody read and nobody else wrote has no id of its own, and cannot be answered.
            ("cas", Some((_, new))) => operation.history().id_of(new),
            _ => {
                self.is_strange = true;
                None
            }
        };
        if is_loose && (new.is_some() || self.is_strange) {
            self.loose.push(new);
        }
        if let Some(new) = new {
            self.written.entry(new).or_insert(operation.invoked());
        }
    }

    /// What is wrong, or why nobody knows.
    fn judge(&self, history: &History, initial: Option<&Value>, place: &str) -> Result<Option<Anomaly>, String> {
        if let Some(write) = self.uncertain {
            let (process, index) = (write.process(), write.index());
            return Err(format!(
                "process {process} changed {place} after healing (operation {index}), and nobody knows when"
            ));
        }
        let values: FxHashSet<ValueId> = self.reads.iter().map(|read| read.result_id()).collect();
        let may_be = |read: &Operation<'_>| {
            let written = self.written.get(&read.result_id()).is_some_and(|began| *began < read.completed());
            self.is_strange || *read.result() == Value::Nil || Some(read.result()) == initial || written
        };
        let told = |read: &Operation<'_>| format!("process {} read {}", read.process(), read.result());
        // What a write of unknown outcome wrote may come at any time.
        let is_firm =
            |read: &&Operation<'_>| self.loose.iter().all(|new| new.is_some_and(|new| new != read.result_id()));
        let mut firm = self.reads.iter().filter(is_firm);
        if let Some(first) = firm.next()
            && let Some(other) = firm.find(|read| read.result_id() != first.result_id())
        {
            let rest =
                if values.len() > 2 { format!("; in all, there were {} answers", values.len()) } else { String::new() };
            let sentence = format!("after healing, {} from {place} and {}{rest}", told(first), told(other));
            return Ok(Some(anomaly("divergence", &[*first, *other], sentence)));
        }
        if values.len() > 1 {
            return Err(format!(
                "answers from {place} differ after healing, and a write of unknown outcome may have come late"
            ));
        }
        if let Some(garbage) = self.reads.iter().find(|read| !may_be(read)) {
            let sentence = format!(
                "after healing, {place} holds {}, which nobody had written",
                history.value(garbage.result_id())
            );
            return Ok(Some(anomaly("garbage-read", &[*garbage], sentence)));
        }
        match self.reads.len() {
            0 | 1 => Err(format!("fewer than two reads of {place} succeeded after healing")),
            _ => Ok(None),
        }
    }
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
        check(&read("test", text.as_bytes()).unwrap(), None, 2)
    }

    #[test]
    fn last_reads_agree_on_something_that_was_written_or_are_told_apart() {
        assert_eq!(judge("1", "1"), Verdict::Valid);
        assert_eq!(judge("1", "null").anomalies()[0].name, "divergence");
        assert_eq!(judge("9", "9").anomalies()[0].name, "garbage-read");
    }

    fn judged(lines: &[(u32, &str, &str, &str)]) -> Verdict {
        let line = |(process, kind, f, value): &(u32, &str, &str, &str)| {
            format!("{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"{f}\",\"value\":{value}}}\n")
        };
        let text: String = lines.iter().map(line).collect();
        check(&read("test", text.as_bytes()).unwrap(), None, 0)
    }

    #[test]
    fn what_was_written_late_or_stood_there_at_first_is_no_divergence() {
        let read = |process, value| [(process, "invoke", "read", "null"), (process, "ok", "read", value)];
        let late = [(0, "invoke", "write", "1"), (0, "info", "write", "1")];
        let lines = [&late[..], &read(1, "null"), &read(2, "1")].concat();
        let line = |(process, kind, f, value): &(u32, &str, &str, &str)| {
            format!("{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"{f}\",\"value\":{value}}}\n")
        };
        let history = |lines: &[(u32, &str, &str, &str)]| read_text(&lines.iter().map(line).collect::<String>());
        assert!(
            matches!(check(&history(&lines), None, 1), Verdict::Unknown(_)),
            "the write may come between the reads"
        );
        let lines = [read(1, "0"), read(2, "0")].concat();
        assert_eq!(check(&history(&lines), Some(&Value::Int(0)), 0), Verdict::Valid);
        assert_eq!(check(&history(&lines), None, 0).anomalies()[0].name, "garbage-read");
    }

    fn read_text(text: &str) -> History {
        read("test", text.as_bytes()).unwrap()
    }

    #[test]
    fn what_other_objects_answer_is_no_garbage() {
        let add = [(0, "invoke", "add", "1"), (0, "ok", "add", "1")];
        let read = |process, value| [(process, "invoke", "read", "null"), (process, "ok", "read", value)];
        assert_eq!(judged(&[add, read(1, "[1]"), read(2, "[1]")].concat()), Verdict::Valid);
        assert_eq!(judged(&[add, read(1, "[1]"), read(2, "[]")].concat()).anomalies()[0].name, "divergence");
    }

    #[test]
    fn reads_count_from_the_last_write_on() {
        let read = |process, value| [(process, "invoke", "read", "null"), (process, "ok", "read", value)];
        let write = |kind| [(0, "invoke", "write", "1"), (0, kind, "write", "1")];
        let early = [read(1, "null"), write("ok"), read(2, "1")].concat();
        assert_eq!(judged(&early).word(), "unknown", "one read is left");
        assert_eq!(judged(&[early, read(1, "1").to_vec()].concat()), Verdict::Valid);
        assert_eq!(judged(&[read(1, "null"), write("info"), read(2, "1")].concat()).word(), "unknown");
        assert_eq!(judged(&[read(1, "1"), read(2, "1"), write("fail")].concat()).anomalies()[0].name, "garbage-read");
    }

    #[test]
    fn faults_end_before_it_is_quiet() {
        let text = "{:process :nemesis, :type :info, :f :heal}\n{:process 0, :type :invoke, :f :read, :value nil}";
        assert_eq!(after_faults(&read("test", text.as_bytes()).unwrap()), 1);
        assert_eq!(after_faults(&History::default()), 0);
    }

    #[test]
    fn a_single_last_read_proves_nothing() {
        assert_eq!(judge("1", "info").word(), "unknown");
    }
}
