//! A stack: last in, first out.

use std::hash::{Hash, Hasher};
use std::rc::Rc;

use crate::history::Value;

use super::fifo_queue::{is_empty_answer, refuses_container};
use super::{Call, Model};

/// A stack: `push v` puts an element on top, `pop` takes the one on top and answers it, or nil (or `empty`) where there is none.
/// A `pop` of unknown outcome took the top, if there was one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stack;

/// The elements of a stack. Stacks with the same elements below share them, so that a push costs the same whatever is there already.
#[derive(Clone, Debug, Default)]
pub struct Pile(Option<Rc<Cell>>);

#[derive(Debug)]
struct Cell {
    top: Value,
    below: Pile,
    /// Of this element and of all below.
    hash: u64,
}

impl Pile {
    fn with(&self, top: &Value) -> Pile {
        let mut hasher = rustc_hash::FxHasher::default();
        self.hash(&mut hasher);
        top.hash(&mut hasher);
        Pile(Some(Rc::new(Cell { top: top.clone(), below: self.clone(), hash: hasher.finish() })))
    }

    /// The elements from the top down.
    fn elements(&self) -> impl Iterator<Item = &Value> {
        let mut next = self;
        std::iter::from_fn(move || {
            let cell = next.0.as_deref()?;
            next = &cell.below;
            Some(&cell.top)
        })
    }
}

impl PartialEq for Pile {
    fn eq(&self, other: &Pile) -> bool {
        let (mut one, mut other) = (self, other);
        loop {
            match (&one.0, &other.0) {
                (None, None) => return true,
                (Some(here), Some(there)) if Rc::ptr_eq(here, there) => return true,
                (Some(here), Some(there)) if here.hash == there.hash && here.top == there.top => {
                    (one, other) = (&here.below, &there.below);
                }
                _ => return false,
            }
        }
    }
}

impl Eq for Pile {}

impl Hash for Pile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.as_ref().map_or(0, |cell| cell.hash));
    }
}

/// One by one: a pile that drops what is below it, and so on, would need as many calls as it has elements.
impl Drop for Pile {
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(mut cell) = next.and_then(Rc::into_inner) {
            next = cell.below.0.take();
        }
    }
}

impl Model for Stack {
    type State = Pile;

    fn initial(&self) -> Pile {
        Pile::default()
    }

    fn step(&self, state: &Pile, call: Call<'_>) -> Option<Pile> {
        match (call.function, call.result, &state.0) {
            ("push", _, _) => Some(state.with(call.argument)),
            ("pop", None, None) => Some(Pile::default()),
            ("pop", None, Some(cell)) => Some(cell.below.clone()),
            ("pop", Some(answer), None) => is_empty_answer(answer).then(Pile::default),
            ("pop", Some(answer), Some(cell)) => (*answer == cell.top).then(|| cell.below.clone()),
            _ => None,
        }
    }

    fn describe(&self, state: &Pile) -> String {
        let mut elements: Vec<Value> = state.elements().cloned().collect();
        elements.reverse();
        Value::List(elements.into_boxed_slice()).to_string()
    }

    fn heap_bytes(&self, _state: &Pile) -> usize {
        // Its top element: what is below belongs to another state. An `Rc` counts twice.
        size_of::<Cell>() + 2 * size_of::<usize>()
    }

    fn refuses(&self, call: Call<'_>) -> Option<String> {
        refuses_container(call, "push", "pop")
    }

    fn observes(&self, call: Call<'_>) -> bool {
        call.function == "pop" && call.result.is_some_and(is_empty_answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn piles_are_equal_by_their_elements_and_fall_apart_without_deep_calls() {
        let pile = |count: i64| (0..count).fold(Pile::default(), |pile, element| pile.with(&Value::Int(element)));
        assert_eq!(pile(1_000_000), pile(1_000_000));
        assert_ne!(pile(999), pile(1_000));
        assert_eq!(Stack.describe(&pile(3)), "[0 1 2]");
    }
}
