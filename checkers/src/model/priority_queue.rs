//! A queue that gives its least element, or its greatest.

use crate::history::Value;

use super::{Call, Model, is_empty_answer};

/// A priority queue of whole numbers: `insert p` puts one in, `delete-min` takes the least out and answers it, `delete-max` the greatest, or
/// nil (or `empty`) where there is none. A number may be in several times. A `delete-min` or `delete-max` of unknown outcome took such an
/// element, if there was one.
///
/// Elements that carry more than their priority are not told apart by it: give each a number of its own, in the order of the priorities.
#[derive(Clone, Copy, Debug, Default)]
pub struct PriorityQueue;

impl Model for PriorityQueue {
    /// The elements, sorted.
    type State = Vec<i64>;

    fn initial(&self) -> Vec<i64> {
        Vec::new()
    }

    fn step(&self, state: &Vec<i64>, call: Call<'_>) -> Option<Vec<i64>> {
        let (taken, rest) = match (call.function, state.as_slice()) {
            ("insert", elements) => {
                let &Value::Int(element) = call.argument else { return None };
                let (before, after) = elements.split_at(elements.partition_point(|other| *other < element));
                return Some([before, &[element], after].concat());
            }
            ("delete-min", [least, rest @ ..]) => (least, rest),
            ("delete-max", [rest @ .., greatest]) => (greatest, rest),
            ("delete-min" | "delete-max", []) => return call.result.is_none_or(is_empty_answer).then(Vec::new),
            _ => return None,
        };
        call.result.is_none_or(|answer| *answer == Value::Int(*taken)).then(|| rest.to_vec())
    }

    fn heap_bytes(&self, state: &Vec<i64>) -> usize {
        size_of_val(state.as_slice())
    }

    fn refuses(&self, call: Call<'_>) -> Option<String> {
        match (call.function, call.argument, call.result) {
            ("insert", Value::Int(_), _) => None,
            ("insert", other, _) => {
                Some(format!("expected a whole number, its priority, as its argument, found {}", other.kind()))
            }
            ("delete-min" | "delete-max", _, Some(answer))
                if !is_empty_answer(answer) && !matches!(answer, Value::Int(_)) =>
            {
                Some(format!("expected a whole number or nil as its result, found {}", answer.kind()))
            }
            ("delete-min" | "delete-max", ..) => None,
            _ => Some("expected insert, delete-min or delete-max".to_owned()),
        }
    }

    fn observes(&self, call: Call<'_>) -> bool {
        call.function != "insert" && call.result.is_some_and(is_empty_answer)
    }
}
