//! What the special methods say of operations: who did what, and when.

use crate::History;
use crate::history::{EventPosition, NEVER, Operation, OperationId, Outcome};
use crate::linearizability::sentence::TOLD;

/// `at 1.204 s`, or `at event 17` where the source has no times.
pub(super) fn at(time: Option<u64>, position: EventPosition) -> String {
    match time {
        Some(nanoseconds) => format!("at {:.3} s", nanoseconds as f64 / 1e9),
        None => format!("at event {position}"),
    }
}

/// When an operation began.
pub(super) fn began(operation: Operation<'_>) -> String {
    at(operation.invoked_at(), operation.invoked())
}

/// When an operation completed.
pub(super) fn ended(operation: Operation<'_>) -> String {
    at(operation.completed_at(), operation.completed())
}

/// `queue`, or `queue 7` where there are several.
pub(super) fn place(container: &str, operation: Operation<'_>) -> String {
    match operation.key() {
        Some(key) => format!("{container} {key}"),
        None => container.to_owned(),
    }
}

/// `1`, `1 and 2`, `1, 2 and 3`; of more than eight the first six.
pub(super) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] if items.len() <= 8 => format!("{} and {last}", first.join(", ")),
        _ => format!("{} and {} more", items[..6].join(", "), items.len() - 6),
    }
}

/// What each operation did and when, and what came before it.
pub(super) fn why(history: &History, operations: &[OperationId]) -> Vec<String> {
    let operations: Vec<Operation<'_>> = operations.iter().take(TOLD).map(|&id| history.operation(id)).collect();
    let mut lines: Vec<String> = operations.iter().copied().map(line).collect();
    for (n, later) in operations.iter().enumerate() {
        let closed =
            |operation: &&Operation<'_>| operation.outcome() == Outcome::Ok && operation.completed() < later.invoked();
        // The nearest before is enough: the rest follows.
        if let Some(earlier) = operations[..n].iter().filter(closed).max_by_key(|earlier| earlier.completed()) {
            lines.push(format!("#{} completed before #{} began, so it comes first", earlier.index(), later.index()));
        }
    }
    lines
}

fn line(operation: Operation<'_>) -> String {
    let argument = match operation.argument_id() {
        crate::ValueId::NIL => String::new(),
        _ => format!(" {}", operation.argument()),
    };
    let answer = match operation.outcome() {
        Outcome::Ok if operation.result_id() != operation.argument_id() => format!(", answered {}", operation.result()),
        Outcome::Ok => String::new(),
        Outcome::Fail => ", failed".to_owned(),
        Outcome::Info => ", of unknown outcome".to_owned(),
    };
    let end = if operation.completed() == NEVER { String::new() } else { format!(", ended {}", ended(operation)) };
    format!(
        "#{}: process {}: {}{argument}{answer}; began {}{end}",
        operation.index(),
        operation.process(),
        operation.function(),
        began(operation)
    )
}
