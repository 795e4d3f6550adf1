//! A proof in words.

use crate::History;
use crate::history::{Operation, OperationId, Outcome, Value};
use crate::verdict::Anomaly;

use super::automaton::{Automaton, Effect};
use super::case::Case;

/// Names the anomaly and says it in a sentence.
pub(super) fn describe<A: Automaton + ?Sized>(
    case: &Case<'_, A>,
    proof: Vec<OperationId>,
    sources: Vec<OperationId>,
) -> Anomaly {
    let words = Words { case };
    let operations: Vec<Operation<'_>> = proof.iter().map(|&id| case.history.operation(id)).collect();
    let effects: Vec<Option<Effect>> = proof.iter().map(|&id| case.effect(id)).collect();
    let known = match (operations.as_slice(), effects.as_slice()) {
        ([only], [Some(effect)]) => words.one(*only, *effect),
        ([first, second], [Some(one), Some(other)]) => words.two((*first, *one), (*second, *other)),
        ([first, second, third], [Some(one), Some(other), Some(last)]) => {
            words.three((*first, *one), (*second, *other), (*third, *last))
        }
        _ => None,
    };
    let (name, sentence) = known.unwrap_or_else(|| words.any(&operations));
    let mut why = words.order(&operations[..operations.len().min(TOLD)]);
    why.extend(words.origins(&sources));
    Anomaly { name, proof, sources, sentence, why, ..Anomaly::default() }
}

/// When a value must, or could, have been there.
pub(super) fn of_zone(
    history: &History,
    value: &str,
    forward: bool,
    first_to_end: Option<OperationId>,
    last_to_begin: Option<OperationId>,
) -> String {
    let moment = |time: Option<u64>, position: u32| match time {
        Some(nanoseconds) => format!("{:.3} s", nanoseconds as f64 / 1e9),
        None => format!("event {position}"),
    };
    let ended = first_to_end.map(|id| history.operation(id)).filter(|operation| operation.outcome() == Outcome::Ok);
    let ended = ended.map(|operation| {
        format!("{} (#{} had ended)", moment(operation.completed_at(), operation.completed()), operation.index())
    });
    let began = last_to_begin.map(|id| history.operation(id)).map(|operation| {
        format!("{} (#{} began)", moment(operation.invoked_at(), operation.invoked()), operation.index())
    });
    let began = began.unwrap_or_else(|| "the beginning".to_owned());
    match (forward, ended) {
        (true, None) => format!("{value} must have been there all the time from the beginning to {began}"),
        (true, Some(ended)) => format!("{value} must have been there all the time from {ended} to {began}"),
        (false, None) => format!("{value} must have been there at some time after {began}"),
        (false, Some(ended)) => format!("{value} must have been there at some time from {began} to {ended}"),
    }
}

/// Of so many operations of a proof it is told when they were.
pub(super) const TOLD: usize = 40;

struct Words<'a, 'c, A: ?Sized> {
    case: &'a Case<'c, A>,
}

impl<A: Automaton + ?Sized> Words<'_, '_, A> {
    /// A single operation that is impossible by itself.
    fn one(&self, operation: Operation<'_>, effect: Effect) -> Option<(&'static str, String)> {
        let value = effect.needs()?;
        let shown = self.case.automaton.describe(value);
        let did = self.did(operation);
        let writers: Vec<Operation<'_>> =
            (self.case.writers)(value).into_iter().map(|id| self.case.operation(id)).collect();
        let real = |writer: &&Operation<'_>| writer.outcome() != Outcome::Fail;
        if writers.is_empty() {
            let why =
                if shown == "nil" { "it was never empty".to_owned() } else { format!("nobody ever wrote {shown}") };
            return Some(("garbage-read", format!("{did}, although {why}")));
        }
        let Some(writer) = writers.iter().find(real) else {
            let told =
                format!("{did}, although the only write of {shown}, by process {}, failed", writers[0].process());
            return Some(("aborted-read", told));
        };
        if writers.iter().filter(real).all(|writer| writer.function() == "cas")
            && writer.invoked() < operation.completed()
        {
            let told = format!("{did}, although {shown} could only have come, by cas, from what came from it");
            return Some(("circular-values", told));
        }
        (writer.invoked() > operation.completed()).then(|| {
            let began = self.at(writer.invoked_at(), writer.invoked());
            let told = format!(
                "{did}, although the first write of {shown}, by process {}, began only {began}",
                writer.process()
            );
            ("future-read", told)
        })
    }

    /// Two operations, one of which hides what the other needs.
    fn two(
        &self,
        (first, one): (Operation<'_>, Effect),
        (second, other): (Operation<'_>, Effect),
    ) -> Option<(&'static str, String)> {
        let known = one.writes().or(one.needs());
        if matches!(second.function(), "acquire" | "release") && first.completed() < second.invoked() {
            let between = match second.function() {
                "acquire" => "nobody released it between",
                _ => "nobody acquired it between",
            };
            let earlier = self.at(first.completed_at(), first.completed());
            let told = format!(
                "{}, although process {} had completed {} {earlier} and {between}",
                self.did(second),
                first.process(),
                gerund(first)
            );
            return Some(("mutual-exclusion", told));
        }
        if first.completed() < second.invoked()
            && let (Some(known), Some(needed)) = (known, other.needs())
            && known != needed
        {
            let earlier = self.at(first.completed_at(), first.completed());
            let later = match needed_value(second).as_str() {
                "nil" => format!("nobody emptied {} between", self.place()),
                value => format!("nobody wrote {value} to {} between", self.place()),
            };
            let told = format!(
                "{}, although process {} had completed {} {earlier} and {later}",
                self.did(second),
                first.process(),
                gerund(first),
            );
            return Some(("stale-read", told));
        }
        if let (Effect::Cas(expected, _), Effect::Cas(same, _)) = (one, other)
            && expected == same
            && second.function() == "cas"
        {
            let told = format!(
                "process {} and process {} both replaced {} in {}, and nobody wrote it between",
                first.process(),
                second.process(),
                needed_value(first),
                self.place(),
            );
            return Some(("lost-update", told));
        }
        None
    }

    /// One value, another, and the first again, although nobody wrote it again.
    fn three(
        &self,
        (first, one): (Operation<'_>, Effect),
        (second, other): (Operation<'_>, Effect),
        (third, last): (Operation<'_>, Effect),
    ) -> Option<(&'static str, String)> {
        let before = one.writes().or(one.needs())?;
        let between = other.needs().or(other.writes())?;
        let in_turn = first.completed() < second.invoked() && second.completed() < third.invoked();
        (in_turn && before != between && last.needs() == Some(before)).then(|| {
            let done = |operation: Operation<'_>| {
                let at = self.at(operation.completed_at(), operation.completed());
                format!("process {} had completed {} {at}", operation.process(), gerund(operation))
            };
            let told = format!(
                "{}, although {}, after {}, and nobody wrote {} again",
                self.did(third),
                done(second),
                done(first),
                needed_value(third),
            );
            ("stale-read", told)
        })
    }

    /// Any number of operations.
    fn any(&self, operations: &[Operation<'_>]) -> (&'static str, String) {
        let last = operations.iter().max_by_key(|operation| operation.completed());
        let last = last.map(|operation| self.did(*operation)).unwrap_or_default();
        // Tokens of a lock may be the cause, too.
        let all = |function| {
            operations.iter().all(|operation| operation.function() == function && *operation.result() == Value::Nil)
        };
        if all("acquire") || all("release") {
            let (times, other) = (operations.len(), if all("acquire") { "release" } else { "acquire" });
            let told = format!(
                "{last}, which makes {times} times that somebody did {}: fewer than {} of {other} can have happened between them",
                operations[0].function(),
                times - 1,
            );
            return ("mutual-exclusion", told);
        }
        let mut list: Vec<String> =
            operations.iter().take(8).map(|operation| format!("#{}", operation.index())).collect();
        if operations.len() > list.len() {
            list.push("…".to_owned());
        }
        let told = format!(
            "no order of {} operations on {} is legal ({}); the last to complete: {last}",
            operations.len(),
            self.place(),
            list.join(", ")
        );
        ("nonlinearizable", told)
    }

    /// What real time demands of the operations of the proof.
    fn order(&self, operations: &[Operation<'_>]) -> Vec<String> {
        let mut lines: Vec<String> = operations
            .iter()
            .map(|operation| format!("#{}: {}, {}", operation.index(), self.did_plainly(*operation), span(*operation)))
            .collect();
        for (n, later) in operations.iter().enumerate() {
            // The nearest before is enough: the rest follows.
            let before = operations[..n].iter().filter(|earlier| earlier.completed() < later.invoked());
            if let Some(earlier) = before.max_by_key(|earlier| earlier.completed()) {
                lines.push(format!(
                    "#{} completed before #{} began, so it comes first",
                    earlier.index(),
                    later.index()
                ));
            }
        }
        lines
    }

    /// Where the observed values came from.
    fn origins(&self, sources: &[OperationId]) -> Vec<String> {
        let origin = |&id: &OperationId| {
            let operation = self.case.operation(id);
            let value = match self.case.effect(id).and_then(Effect::writes) {
                Some(value) => self.case.automaton.describe(value),
                None => written_value(operation),
            };
            let end = match operation.outcome() {
                Outcome::Ok => format!("completed {}", self.at(operation.completed_at(), operation.completed())),
                Outcome::Fail => "failed".to_owned(),
                Outcome::Info => "has an unknown outcome".to_owned(),
            };
            format!(
                "the latest write of {value} is #{}, by process {}: it {end}",
                operation.index(),
                operation.process()
            )
        };
        sources.iter().map(origin).collect()
    }

    /// `process 3 read 4 from key 7 at 1.204 s`.
    fn did(&self, operation: Operation<'_>) -> String {
        format!("{} {}", self.did_plainly(operation), self.at(operation.completed_at(), operation.completed()))
    }

    fn did_plainly(&self, operation: Operation<'_>) -> String {
        let process = operation.process();
        let place = self.place();
        match (operation.function(), operation.argument().as_pair()) {
            ("read" | "get", _) => format!("process {process} read {} from {place}", operation.result()),
            ("write" | "put", _) => format!("process {process} wrote {} to {place}", operation.argument()),
            ("cas", Some((expected, new))) => format!("process {process} replaced {expected} by {new} in {place}"),
            ("txn", _) => format!("process {process} did {}", operation.result()),
            ("acquire", _) => format!("process {process} acquired {place}"),
            ("release", _) => format!("process {process} released {place}"),
            (function, _) if *operation.argument() == Value::Nil => {
                format!("process {process} did {function} on {place}")
            }
            (function, _) => format!("process {process} did {function} {} on {place}", operation.argument()),
        }
    }

    fn place(&self) -> String {
        match self.case.key {
            Some(key) => format!("key {}", self.case.history.value(key)),
            None => "the object".to_owned(),
        }
    }

    fn at(&self, time: Option<u64>, position: u32) -> String {
        match time {
            Some(nanoseconds) => format!("at {:.3} s", nanoseconds as f64 / 1e9),
            None => format!("at event {position}"),
        }
    }
}

/// `from 0.871 s to 0.902 s`.
fn span(operation: Operation<'_>) -> String {
    match (operation.invoked_at(), operation.completed_at()) {
        (Some(from), Some(to)) => format!("from {:.3} s to {:.3} s", from as f64 / 1e9, to as f64 / 1e9),
        _ => format!("from event {} to event {}", operation.invoked(), operation.completed()),
    }
}

fn gerund(operation: Operation<'_>) -> String {
    match (operation.function(), operation.argument().as_pair()) {
        ("cas", Some((expected, new))) => format!("replacing {expected} by {new}"),
        ("read" | "get", _) => format!("reading {}", operation.result()),
        ("acquire", _) => "acquiring it".to_owned(),
        ("release", _) => "releasing it".to_owned(),
        _ => format!("writing {}", operation.argument()),
    }
}

fn needed_value(operation: Operation<'_>) -> String {
    match (operation.function(), operation.argument().as_pair()) {
        ("cas", Some((expected, _))) => expected.to_string(),
        _ => operation.result().to_string(),
    }
}

fn written_value(operation: Operation<'_>) -> String {
    match operation.argument().as_pair() {
        Some((_, new)) if operation.function() == "cas" => new.to_string(),
        _ => operation.argument().to_string(),
    }
}
