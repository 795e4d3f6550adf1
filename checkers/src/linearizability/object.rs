//! One object of a history: the operations that linearizability has to order among themselves.

use rustc_hash::FxHashMap;

use crate::History;
use crate::history::{EventPosition, NEVER, Operation, OperationId, Outcome, ValueId};

use super::automaton::{Automaton, NOTHING};

/// The operations on one object, in the order of their invocations.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub key: Option<ValueId>,
    pub operations: Vec<OperationId>,
}

/// An operation as the search sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub operation: OperationId,
    /// What it does, as a number of the automaton: equal numbers do the same.
    pub class: u32,
    pub invoked: EventPosition,
    /// The event by which it has taken effect if ever it does; [`NEVER`] leaves it open to the end.
    pub closed: EventPosition,
    /// Whether it must have taken effect by then.
    pub must: bool,
}

/// Objects in the order in which they first occur.
pub(super) fn split(history: &History, key: impl Fn(Operation<'_>) -> Option<ValueId>) -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::new();
    let mut by_key: FxHashMap<Option<ValueId>, usize> = FxHashMap::default();
    for operation in history.operations() {
        let key = key(operation);
        let at = *by_key.entry(key).or_insert_with(|| {
            objects.push(Object { key, operations: Vec::new() });
            objects.len() - 1
        });
        objects[at].operations.push(operation.id());
    }
    objects
}

impl Object {
    /// What the search has to place: all that happened, and all that may have and that somebody could have noticed.
    pub fn calls(&self, history: &History, automaton: &dyn Automaton) -> Vec<Call> {
        let calls = self
            .operations
            .iter()
            .map(|&id| history.operation(id))
            .filter(|operation| operation.outcome() != Outcome::Fail)
            .map(|operation| {
                let class = automaton.class(operation.id());
                let must = operation.outcome() == Outcome::Ok && class != NOTHING;
                Call {
                    operation: operation.id(),
                    class,
                    invoked: operation.invoked(),
                    closed: if must { operation.completed() } else { NEVER },
                    must,
                }
            })
            .collect();
        automaton.without_unnoticed(calls)
    }
}
