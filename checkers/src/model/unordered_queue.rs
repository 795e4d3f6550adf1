//! A queue that promises no order.

use crate::history::Value;

use super::fifo_queue::{is_empty_answer, refuses_container};
use super::{Call, Model};

/// A multiset: `enqueue v` puts an element in, `dequeue` takes any one out and answers it, or nil (or `empty`) where there is none.
///
/// A `dequeue` of unknown outcome took *some* element. Which, is not decided: every element counts how many such dequeues came
/// since it was put in, and so could have taken it.
///
/// ```text
///   enqueue a   dequeue → ?   enqueue b     state: b since 0, a since 1
///   dequeue → nil                           illegal: nobody can have taken b
/// ```
///
/// The queue can be empty exactly when every element can be given a taker of its own: the i-th youngest has to have waited for i of
/// them (Hall's theorem; the takers of a younger element are all takers of an older one, too).
#[derive(Clone, Copy, Debug, Default)]
pub struct UnorderedQueue;

impl Model for UnorderedQueue {
    /// Each element with the number of dequeues of unknown outcome since it was put in, sorted. More of them than there are elements
    /// are no more use: younger elements need takers that came after themselves.
    type State = Vec<(u32, Value)>;

    fn initial(&self) -> Self::State {
        Vec::new()
    }

    fn step(&self, state: &Self::State, call: Call<'_>) -> Option<Self::State> {
        let mut next = state.clone();
        match (call.function, call.result) {
            ("enqueue", _) => next.push((0, call.argument.clone())),
            ("dequeue", None) => next.iter_mut().for_each(|(takers, _)| *takers += 1),
            ("dequeue", Some(answer)) if is_empty_answer(answer) => {
                let taken = state.iter().zip(1..).all(|((takers, _), rank)| *takers >= rank);
                return taken.then(Vec::new);
            }
            // Of equal elements the youngest: the older ones may still have been taken by more.
            ("dequeue", Some(answer)) => {
                next.remove(state.iter().position(|(_, element)| element == answer)?);
            }
            _ => return None,
        }
        let most = next.len() as u32;
        next.iter_mut().for_each(|(takers, _)| *takers = most.min(*takers));
        next.sort_unstable();
        Some(next)
    }

    fn describe(&self, state: &Self::State) -> String {
        Value::List(state.iter().map(|(_, element)| element.clone()).collect()).to_string()
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.iter().map(|(_, element)| size_of::<(u32, Value)>() + element.heap_bytes()).sum()
    }

    fn refuses(&self, call: Call<'_>) -> Option<String> {
        refuses_container(call, "enqueue", "dequeue")
    }
}
