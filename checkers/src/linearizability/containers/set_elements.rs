//! A set without reads of the whole is as many objects as it has elements: what happens to one is nothing to the others.

use rustc_hash::FxHashMap;

use crate::History;
use crate::history::{Operation, Outcome, ValueId};

use crate::linearizability::object::Object;

/// One object for each element, or the set as it is if some read answered all elements.
pub(super) fn split(history: &History, set: &Object) -> Vec<Object> {
    let answered = |operation: &Operation<'_>| {
        operation.function() == "read" && operation.outcome() == Outcome::Ok && operation.result_id() != ValueId::NIL
    };
    if set.operations.iter().any(|&id| answered(&history.operation(id))) {
        return vec![set.clone()];
    }
    let mut elements: Vec<Object> = Vec::new();
    let mut by_value: FxHashMap<ValueId, usize> = FxHashMap::default();
    for &id in &set.operations {
        let operation = history.operation(id);
        // A read of which nothing is known is no operation on an element.
        if operation.function() == "read" {
            continue;
        }
        let at = *by_value.entry(operation.argument_id()).or_insert_with(|| {
            elements.push(Object { key: set.key, operations: Vec::new() });
            elements.len() - 1
        });
        elements[at].operations.push(id);
    }
    elements
}
