//! A stack: last in, first out.

use crate::history::Value;

use super::fifo_queue::{is_empty_answer, refuses_container};
use super::{Call, Model};

/// A stack: `push v` puts an element on top, `pop` takes the one on top and answers it, or nil (or `empty`) where there is none.
/// A `pop` of unknown outcome took the top, if there was one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stack;

impl Model for Stack {
    /// The elements, the top one last.
    type State = Vec<Value>;

    fn initial(&self) -> Vec<Value> {
        Vec::new()
    }

    fn step(&self, state: &Vec<Value>, call: Call<'_>) -> Option<Vec<Value>> {
        match (call.function, call.result, state.as_slice()) {
            ("push", _, elements) => Some([elements, std::slice::from_ref(call.argument)].concat()),
            ("pop", None, []) => Some(Vec::new()),
            ("pop", None, [rest @ .., _]) => Some(rest.to_vec()),
            ("pop", Some(answer), []) => is_empty_answer(answer).then(Vec::new),
            ("pop", Some(answer), [rest @ .., top]) => (answer == top).then(|| rest.to_vec()),
            _ => None,
        }
    }

    fn describe(&self, state: &Self::State) -> String {
        Value::List(state.clone().into_boxed_slice()).to_string()
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.capacity() * size_of::<Value>()
    }

    fn refuses(&self, call: Call<'_>) -> Option<String> {
        refuses_container(call, "push", "pop")
    }

    fn observes(&self, call: Call<'_>) -> bool {
        call.function == "pop" && call.result.is_some_and(is_empty_answer)
    }
}
