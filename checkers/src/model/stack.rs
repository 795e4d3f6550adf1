//! A stack: last in, first out.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use rustc_hash::FxHasher;

use crate::history::Value;

use super::fifo_queue::{is_empty_answer, refuses_container};
use super::{Call, Model};

/// A stack: `push v` puts an element on top, `pop` takes the one on top and answers it, or nil (or `empty`) where there is none.
/// A `pop` of unknown outcome took the top, if there was one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stack;

/// The elements of a stack. Stacks that have their lower elements in common share them, so that to push, to pop and to copy take constant
/// time and memory; so does to compare stacks that grew out of the same ones.
#[derive(Clone, Default)]
pub struct Pile(Option<Rc<Layer>>);

struct Layer {
    top: Value,
    below: Pile,
    /// Of all elements.
    hash: u64,
}

impl Pile {
    fn push(&self, top: &Value) -> Pile {
        let mut hasher = FxHasher::default();
        (top, self).hash(&mut hasher);
        Pile(Some(Rc::new(Layer { top: top.clone(), below: self.clone(), hash: hasher.finish() })))
    }

    /// From the top on.
    fn elements(&self) -> impl Iterator<Item = &Value> {
        std::iter::successors(self.0.as_deref(), |layer| layer.below.0.as_deref()).map(|layer| &layer.top)
    }
}

impl PartialEq for Pile {
    fn eq(&self, other: &Pile) -> bool {
        let (mut one, mut other) = (&self.0, &other.0);
        loop {
            match (one, other) {
                (None, None) => return true,
                (Some(this), Some(that)) if Rc::ptr_eq(this, that) => return true,
                (Some(this), Some(that)) if this.hash == that.hash && this.top == that.top => {
                    (one, other) = (&this.below.0, &that.below.0);
                }
                _ => return false,
            }
        }
    }
}

impl Eq for Pile {}

impl Hash for Pile {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.0.as_ref().map_or(0, |layer| layer.hash));
    }
}

impl fmt::Debug for Pile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.elements()).finish()
    }
}

/// Layer by layer: a tall stack would fill the call stack.
impl Drop for Pile {
    fn drop(&mut self) {
        let mut rest = self.0.take();
        while let Some(mut layer) = rest.and_then(Rc::into_inner) {
            rest = layer.below.0.take();
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
            ("push", ..) => Some(state.push(call.argument)),
            ("pop", None, None) => Some(Pile::default()),
            ("pop", None, Some(layer)) => Some(layer.below.clone()),
            ("pop", Some(answer), None) => is_empty_answer(answer).then(Pile::default),
            ("pop", Some(answer), Some(layer)) => (*answer == layer.top).then(|| layer.below.clone()),
            _ => None,
        }
    }

    fn describe(&self, state: &Pile) -> String {
        let mut elements: Vec<Value> = state.elements().cloned().collect();
        elements.reverse();
        Value::List(elements.into_boxed_slice()).to_string()
    }

    /// Of the top layer: those below belong to other states.
    fn heap_bytes(&self, state: &Pile) -> usize {
        // Two counts of references, and what the allocator adds.
        state.0.as_ref().map_or(0, |layer| size_of::<Layer>() + 32 + layer.top.heap_bytes())
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
    fn stacks_are_equal_by_their_elements_and_tall_ones_are_let_go() {
        let pile = |heights: std::ops::Range<i64>| {
            heights.fold(Pile::default(), |pile, element| pile.push(&Value::Int(element)))
        };
        assert_eq!(pile(0..3), pile(0..3));
        assert_ne!(pile(0..3), pile(0..4));
        assert_ne!(pile(0..3), pile(1..4));
        assert_eq!(Stack.describe(&pile(0..3)), "[0 1 2]");
        assert_eq!(pile(0..1_000_000), pile(0..1_000_000));
    }
}
