//! An object without a legal order, as explanations look at it.

use super::automaton::{Automaton, Call, Effect, State};
use crate::History;
use crate::history::{Operation, OperationId, ValueId};
use crate::verdict::Budget;

/// An object without a legal order.
pub(super) struct Case<'a, A: ?Sized> {
    pub history: &'a History,
    pub key: Option<ValueId>,
    /// Sorted by invocation.
    pub calls: &'a [Call],
    pub automaton: &'a mut A,
    /// All operations that write a value, if the object is a register; those that failed too.
    pub writers: &'a dyn Fn(State) -> Vec<OperationId>,
    /// When to stop looking for fewer operations, and how much memory that may take.
    pub budget: &'a Budget,
}

impl<A: Automaton + ?Sized> Case<'_, A> {
    /// What an operation does to a register, if the object is one.
    pub fn effect(&self, id: OperationId) -> Option<Effect> {
        let at = self.calls.binary_search_by_key(&id, |call| call.operation).ok()?;
        self.automaton.effect(self.calls[at].class)
    }

    /// An operation of the history.
    pub fn operation(&self, id: OperationId) -> Operation<'_> {
        self.history.operation(id)
    }
}
