//! A container's history as its elements, where no element is put in twice.
//!
//! ```text
//!   put   ──[ put 4 ]─────────────────────────
//!   take  ────────────────────[ take → 4 ]────
//!                    ╰───────╯                     4 was certainly in
//! ```
//!
//! Three things are absurd whatever the container: an element that nobody put in, one that was taken before anybody began to put it in,
//! and one that was taken twice (Henzinger, Sezgin & Vafeiadis, "Aspect-oriented linearizability proofs", 2013: VFresh and VRepet).
//! Of puts whose outcome is unknown, those whose element was taken have happened; the others are left out, for nobody is helped by an
//! element that nobody takes.
//!
//! *Cost:* O(n).

use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::History;
use crate::history::{EventPosition, NEVER, OperationId, Outcome, Value, ValueId};

use super::Violation;
use super::phrases::{began, ended, place};

/// What a container's operations are called.
pub(super) struct Words {
    pub container: &'static str,
    pub put: &'static str,
    pub take: &'static str,
    pub putting: &'static str,
    pub taken: &'static str,
    pub never_put: &'static str,
    pub taken_before_put: &'static str,
}

pub(super) const QUEUE: Words = Words {
    container: "queue",
    put: "enqueue",
    take: "dequeue",
    putting: "enqueueing",
    taken: "dequeued",
    never_put: "never-enqueued",
    taken_before_put: "dequeued-before-enqueued",
};

pub(super) const STACK: Words = Words {
    container: "stack",
    put: "push",
    take: "pop",
    putting: "pushing",
    taken: "popped",
    never_put: "never-pushed",
    taken_before_put: "popped-before-pushed",
};

/// An element: put in once, taken out at most once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    pub value: ValueId,
    pub put: OperationId,
    pub take: Option<OperationId>,
    pub put_invoked: EventPosition,
    /// [`NEVER`] if its outcome is unknown.
    pub put_completed: EventPosition,
    /// [`NEVER`] if nobody is known to have taken it.
    pub take_invoked: EventPosition,
    pub take_completed: EventPosition,
}

impl Element {
    /// The events between which it certainly was in, if there are any: between any two neighbours of them.
    pub fn certainly_in(&self) -> Option<Range<EventPosition>> {
        (self.put_completed < self.take_invoked).then_some(self.put_completed..self.take_invoked)
    }

    /// Whether nobody is known to have taken it.
    pub fn stays(&self) -> bool {
        self.take.is_none()
    }

    pub fn operations(&self) -> Vec<OperationId> {
        std::iter::once(self.put).chain(self.take).collect()
    }
}

/// Everything that happened to a container.
#[derive(Debug, Default)]
pub(super) struct Elements {
    /// In the order in which their puts were invoked.
    pub elements: Vec<Element>,
    /// Takes that found nothing.
    pub empties: Vec<OperationId>,
    /// Takes of unknown outcome, in the order of their invocations: any of them may have taken something.
    pub unknown: Vec<OperationId>,
}

/// Sorts the operations into elements; `None` if some element may have been put in twice. If one of the three absurdities is there, it
/// gives that instead.
pub(super) fn collect(
    history: &History,
    operations: &[OperationId],
    words: &Words,
) -> Option<Result<Elements, Violation>> {
    let named = |name: &str| history.id_of(&Value::text(name));
    let (put, take, empty) = (named(words.put), named(words.take), named("empty"));
    let mut found = Elements::default();
    let mut by_value: FxHashMap<ValueId, u32> = FxHashMap::default();
    by_value.reserve(operations.len() / 2);
    let mut takes: Vec<OperationId> = Vec::with_capacity(operations.len() / 2);
    for &id in operations {
        let operation = history.operation(id);
        let function = Some(operation.function_id());
        match operation.outcome() {
            Outcome::Fail => {}
            outcome if function == put => {
                let value = operation.argument_id();
                if by_value.insert(value, found.elements.len() as u32).is_some() {
                    return None;
                }
                found.elements.push(Element {
                    value,
                    put: id,
                    take: None,
                    put_invoked: operation.invoked(),
                    put_completed: if outcome == Outcome::Ok { operation.completed() } else { NEVER },
                    take_invoked: NEVER,
                    take_completed: NEVER,
                });
            }
            _ if function != take => return None,
            Outcome::Info => found.unknown.push(id),
            Outcome::Ok if operation.result_id() == ValueId::NIL || Some(operation.result_id()) == empty => {
                found.empties.push(id);
            }
            Outcome::Ok => takes.push(id),
        }
    }
    for id in takes {
        let operation = history.operation(id);
        let Some(&at) = by_value.get(&operation.result_id()) else {
            return Some(Err(never_put(history, operations, id, words)));
        };
        let element = &mut found.elements[at as usize];
        if element.put_invoked > operation.completed() {
            return Some(Err(taken_before_put(history, element, id, words)));
        }
        if let Some(first) = element.take {
            return Some(Err(taken_twice(history, element, first, id, words)));
        }
        element.take = Some(id);
        element.take_invoked = operation.invoked();
        element.take_completed = operation.completed();
    }
    found.elements.retain(|element| element.put_completed != NEVER || !element.stays());
    Some(Ok(found))
}

fn never_put(history: &History, operations: &[OperationId], take: OperationId, words: &Words) -> Violation {
    let take = history.operation(take);
    let value = take.result_id();
    let put = history.id_of(&Value::text(words.put));
    let failed = operations
        .iter()
        .map(|&id| history.operation(id))
        .find(|operation| Some(operation.function_id()) == put && operation.argument_id() == value);
    let why = match failed {
        Some(failed) => format!("the only {} of it, by process {}, failed", words.put, failed.process()),
        None => format!("there was no {} of it", words.put),
    };
    let sentence = format!(
        "process {} {} {} from {} {}, although {why}",
        take.process(),
        words.taken,
        take.result(),
        place(words.container, take),
        ended(take)
    );
    Violation { units: vec![vec![take.id()]], name: words.never_put, sentence }
}

fn taken_before_put(history: &History, element: &Element, take: OperationId, words: &Words) -> Violation {
    let (put, take) = (history.operation(element.put), history.operation(take));
    let sentence = format!(
        "process {} {} {} from {} {}, although the only {} of it, by process {}, began only {}",
        take.process(),
        words.taken,
        take.result(),
        place(words.container, take),
        ended(take),
        words.put,
        put.process(),
        began(put)
    );
    Violation { units: vec![vec![put.id(), take.id()]], name: words.taken_before_put, sentence }
}

fn taken_twice(
    history: &History,
    element: &Element,
    first: OperationId,
    second: OperationId,
    words: &Words,
) -> Violation {
    let (first, second) = (history.operation(first), history.operation(second));
    let sentence = format!(
        "process {} {} {} from {} {}, and process {} {} it again {}, although there was only one {} of it",
        first.process(),
        words.taken,
        first.result(),
        place(words.container, first),
        ended(first),
        second.process(),
        words.taken,
        ended(second),
        words.put
    );
    Violation { units: vec![vec![element.put, first.id(), second.id()]], name: "duplicated-element", sentence }
}
