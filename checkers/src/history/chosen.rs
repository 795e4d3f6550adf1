//! Elements that a server chose: `add` of nil, whose completion tells what was added.
//!
//! ```text
//!   ├─ add nil ─┤ ok 5         the same as       ├─ add 5 ─┤ ok 5
//! ```
//!
//! So it is in histories of sets alone, where some read answers a list or a set; `add nil` to a counter adds one. What
//! was added by an `add` of nil that did not end `ok` stays unknown.

use super::{History, Item, Outcome, Value, ValueId};

/// Gives each `add` of nil the element that its completion tells, in a history of sets. *Cost:* linear in the operations.
pub(super) fn tell_elements(history: &mut History) {
    let named = |name| history.id_of(&Value::text(name));
    let (Some(add), Some(read)) = (named("add"), named("read")) else { return };
    let is_ok = |row: usize, function| history.function[row] == function && history.outcome[row] == Outcome::Ok;
    let told = |row: usize| {
        is_ok(row, add)
            && history.argument[row] == ValueId::NIL
            && !matches!(history.item(history.result[row]), Item::Nil | Item::Bool(_))
    };
    let rows: Vec<usize> = (0..history.len()).filter(|&row| told(row)).collect();
    let shows_elements = |row: usize| matches!(history.item(history.result[row]), Item::List(_) | Item::Map(_));
    if !rows.is_empty() && (0..history.len()).any(|row| is_ok(row, read) && shows_elements(row)) {
        rows.into_iter().for_each(|row| history.argument[row] = history.result[row]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{OperationId, read};

    #[test]
    fn a_set_was_added_what_the_completion_tells_and_a_counter_one() {
        let added = |function: &str, answer: &str, read_answer: &str| {
            let event = |kind: &str, function: &str, value: &str| {
                format!("{{:process 0, :type :{kind}, :f :{function}, :value {value}}}")
            };
            let text = [
                event("invoke", function, "nil"),
                event("ok", function, answer),
                event("invoke", "read", "nil"),
                event("ok", "read", read_answer),
            ];
            let history = read("h", text.concat().as_bytes()).unwrap();
            history.operation(OperationId(0)).argument().to_string()
        };
        assert_eq!(added("add", "5", "[5]"), "5");
        assert_eq!(added("add", "5", "#{5}"), "5");
        for [function, answer, read] in [["add", "5", "5"], ["add", "true", "[nil]"], ["push", "5", "[5]"]] {
            assert_eq!(added(function, answer, read), "nil");
        }
    }
}
