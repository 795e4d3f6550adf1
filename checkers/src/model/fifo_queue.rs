//! A queue: first in, first out.

use crate::history::Value;

use super::{Call, Model};

/// A queue: `enqueue v` puts an element at its end, `dequeue` takes the one at its head and answers it, or nil (or `empty`) where
/// there is none. A `dequeue` of unknown outcome took the head, if there was one.
#[derive(Clone, Copy, Debug, Default)]
pub struct FifoQueue;

/// Whether this answer says that there was no element: nil, or Knossos's `empty`.
pub(crate) fn is_empty_answer(answer: &Value) -> bool {
    match answer {
        Value::Nil => true,
        Value::Text(text) => &**text == "empty",
        _ => false,
    }
}

/// Why these are not the operations of a container with `put` and `take`.
pub(super) fn refuses_container(call: Call<'_>, put: &str, take: &str) -> Option<String> {
    match call.function {
        function if function == put && is_empty_answer(call.argument) => {
            Some(format!("expected an element as its argument, found {}, which stands for none", call.argument))
        }
        function if function == put || function == take => None,
        _ => Some(format!("expected {put} or {take}")),
    }
}

impl Model for FifoQueue {
    /// The elements, from the head on.
    type State = Vec<Value>;

    fn initial(&self) -> Vec<Value> {
        Vec::new()
    }

    fn step(&self, state: &Vec<Value>, call: Call<'_>) -> Option<Vec<Value>> {
        match (call.function, call.result, state.as_slice()) {
            ("enqueue", _, elements) => Some([elements, std::slice::from_ref(call.argument)].concat()),
            ("dequeue", None, []) => Some(Vec::new()),
            ("dequeue", None, [_, rest @ ..]) => Some(rest.to_vec()),
            ("dequeue", Some(answer), []) => is_empty_answer(answer).then(Vec::new),
            ("dequeue", Some(answer), [head, rest @ ..]) => (answer == head).then(|| rest.to_vec()),
            _ => None,
        }
    }

    fn describe(&self, state: &Self::State) -> String {
        Value::List(state.clone().into_boxed_slice()).to_string()
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.iter().map(|element| size_of::<Value>() + element.heap_bytes()).sum()
    }

    fn refuses(&self, call: Call<'_>) -> Option<String> {
        refuses_container(call, "enqueue", "dequeue")
    }

    fn observes(&self, call: Call<'_>) -> bool {
        call.function == "dequeue" && call.result.is_some_and(is_empty_answer)
    }
}
