//! A set of values.

use std::collections::BTreeSet;

use crate::history::Value;

use super::{Call, Model};

/// A set: `add v` and `remove v`, which leave it as it is if `v` is, or is not, there; `contains v`; `read`, which answers all elements
/// as a list or a set, each once.
///
/// What `contains` answers is `true`, `false`, or a list of the element and one of these. `add` and `remove` may answer in the
/// same way whether they changed anything; any other answer of theirs says nothing. An answer of nil was not recorded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Set;

/// Why an `add` of nil that nobody saw end cannot be judged: where the server chooses elements, it may have added any.
pub(crate) const UNKNOWN_ELEMENT: &str =
    "expected an element: where only completions tell it, an add of unknown outcome may have added any";

/// What an operation on one element answered, if it says anything.
pub(crate) fn truth(call: Call<'_>) -> Option<bool> {
    match call.result? {
        // `add true` that answers `true` repeats its argument.
        answer if answer == call.argument && call.function != "contains" => None,
        Value::Bool(truth) => Some(*truth),
        answer => match answer.as_pair() {
            Some((element, Value::Bool(truth))) if element == call.argument => Some(*truth),
            _ => None,
        },
    }
}

/// The elements that a `read` answered, in its order; `None` if it is no list and no set.
pub(crate) fn elements(answer: &Value) -> Option<Vec<&Value>> {
    match answer {
        Value::List(elements) => Some(elements.iter().collect()),
        Value::Map(entries) if entries.iter().all(|(key, value)| key == value) => {
            Some(entries.iter().map(|(key, _)| key).collect())
        }
        _ => None,
    }
}

impl Model for Set {
    type State = BTreeSet<Value>;

    fn initial(&self) -> Self::State {
        BTreeSet::new()
    }

    fn step(&self, state: &Self::State, call: Call<'_>) -> Option<Self::State> {
        if call.function == "read" {
            let legal = match call.result {
                None | Some(Value::Nil) => true,
                Some(answer) => {
                    let answer = elements(answer)?;
                    answer.len() == state.len() && answer.into_iter().collect::<BTreeSet<_>>() == state.iter().collect()
                }
            };
            return legal.then(|| state.clone());
        }
        let there = state.contains(call.argument);
        let expected = match call.function {
            "add" => !there,
            "remove" | "contains" => there,
            _ => return None,
        };
        if truth(call).is_some_and(|answer| answer != expected) {
            return None;
        }
        let mut next = state.clone();
        match call.function {
            "add" => next.extend((!there).then(|| call.argument.clone())),
            "remove" => _ = next.remove(call.argument),
            _ => {}
        }
        Some(next)
    }

    fn describe(&self, state: &Self::State) -> String {
        Value::List(state.iter().cloned().collect()).to_string()
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.iter().map(|element| 2 * size_of::<Value>() + element.heap_bytes()).sum()
    }

    fn refuses(&self, call: Call<'_>) -> Option<String> {
        match (call.function, call.result) {
            ("read", Some(answer)) if *answer != Value::Nil && elements(answer).is_none() => {
                Some(format!("expected a list or a set as its result, found {}", answer.kind()))
            }
            ("contains", Some(answer)) if *answer != Value::Nil && truth(call).is_none() => {
                Some(format!("expected true, false or [element true] as its result, found {answer}"))
            }
            ("add", None) if *call.argument == Value::Nil => Some(UNKNOWN_ELEMENT.to_owned()),
            ("add" | "remove" | "contains" | "read", _) => None,
            _ => Some("expected add, remove, contains or read".to_owned()),
        }
    }

    fn observes(&self, call: Call<'_>) -> bool {
        matches!(call.function, "read" | "contains")
            || (matches!(call.function, "add" | "remove") && truth(call) == Some(false))
    }
}
