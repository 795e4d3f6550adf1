//! Why a container whose values repeat has no order: the fewest operations that prove it, as far as trials tell.
//!
//! What was invoked after the completion by which there is no order has nothing to do with it. Then values are left out, with everything that
//! was done with them: a container that is linearizable stays so without some of its values. Then single operations are set *free*, so
//! that they may have happened or not, as long as there still is no order. What is left bound proves it.

use crate::History;
use crate::history::{EventPosition, OperationId, Outcome, ValueId};
use crate::model::is_empty_answer;
use crate::verdict::Budget;

use super::pairing::Paired;

/// How many operations and configurations all trials may look at, about: a tenth of a second.
const TRIALS: usize = 500_000;

/// How many configurations one trial may cost beside one for each operation.
const TRIAL: u64 = 5_000;

/// What an operation does to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Put(ValueId),
    Take(ValueId),
    /// A take that found nothing.
    Empty,
    /// A take of which nobody learned what it took.
    Unknown,
}

/// What an operation on a queue does.
pub(super) fn kind(history: &History, id: OperationId) -> Kind {
    let operation = history.operation(id);
    match operation.outcome() {
        _ if operation.function() == "enqueue" => Kind::Put(operation.argument_id()),
        Outcome::Ok if is_empty_answer(operation.result()) => Kind::Empty,
        Outcome::Ok => Kind::Take(operation.result_id()),
        _ => Kind::Unknown,
    }
}

/// Decides about operations up to a completion, of which some are bound.
pub(super) type Decide<'a> = dyn Fn(&Part<'_>, &Budget) -> Paired + 'a;

/// A part of a history: all others of its operations are left out.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub operations: &'a [OperationId],
    /// What is not complete by then has an unknown outcome.
    pub until: EventPosition,
    /// Sorted: all others may have happened or not.
    pub bound: &'a [OperationId],
}

impl Part<'_> {
    pub fn is_bound(&self, id: OperationId) -> bool {
        self.bound.binary_search(&id).is_ok()
    }
}

/// What proves that there is no order.
pub(super) struct Shortened {
    /// Nothing else has to do with it.
    pub operations: Vec<OperationId>,
    /// Those of them that prove it, whether the others happened or not.
    pub proof: Vec<OperationId>,
    /// Whether it is known that none of them can be set free.
    pub is_reduced: bool,
}

struct Trials<'a> {
    decide: &'a Decide<'a>,
    budget: &'a Budget,
    looked_at: usize,
    /// Whether some trial did not tell.
    gave_up: bool,
}

impl Trials<'_> {
    fn has_none(&mut self, part: &Part<'_>) -> bool {
        let configurations = self.budget.configurations.min(TRIAL + part.operations.len() as u64);
        let found = if self.looked_at > TRIALS {
            None
        } else {
            Some((self.decide)(part, &Budget { configurations, ..*self.budget }))
        };
        self.looked_at += part.operations.len() + 500;
        if matches!(found, Some(Paired::GaveUp { .. })) {
            self.looked_at += TRIAL as usize;
        }
        self.gave_up |= !matches!(found, Some(Paired::Order | Paired::NoOrder { .. }));
        matches!(found, Some(Paired::NoOrder { .. }))
    }
}

/// Shortens the operations of a container that have no order up to a completion. `windows` gives parts of the operations up to then with
/// those of them that are bound, the smallest first; what has no order in one of them has none at all.
pub(super) fn shorten(
    history: &History,
    all: &[OperationId],
    until: EventPosition,
    decide: &Decide<'_>,
    windows: impl Fn(&[OperationId]) -> Vec<(Vec<OperationId>, Vec<OperationId>)>,
    budget: &Budget,
) -> Shortened {
    let mut trials = Trials { decide, budget, looked_at: 0, gave_up: false };
    let mut operations: Vec<OperationId> = all.to_vec();
    operations.retain(|&id| {
        let operation = history.operation(id);
        operation.outcome() != Outcome::Fail && operation.invoked() < until
    });
    let mut bound: Vec<OperationId> = operations.clone();
    bound.retain(|&id| history.operation(id).outcome() == Outcome::Ok && history.operation(id).completed() <= until);
    for (window, inside) in windows(&operations) {
        if trials.has_none(&Part { operations: &window, until, bound: &inside }) {
            (operations, bound) = (window, inside);
            break;
        }
    }
    let value = |id: OperationId| match kind(history, id) {
        Kind::Put(value) | Kind::Take(value) => Some(value),
        Kind::Empty | Kind::Unknown => None,
    };
    let mut values: Vec<ValueId> = operations.iter().filter_map(|&id| value(id)).collect();
    values.sort_unstable_by_key(|value| value.0);
    values.dedup();
    let of_values = |operations: &[OperationId], values: &[ValueId]| -> Vec<OperationId> {
        let kept = |value: ValueId| values.binary_search_by_key(&value.0, |kept| kept.0).is_ok();
        operations.iter().copied().filter(|&id| value(id).is_none_or(kept)).collect()
    };
    let values = fewest(values, |fewer| {
        let (operations, bound) = (of_values(&operations, fewer), of_values(&bound, fewer));
        trials.has_none(&Part { operations: &operations, until, bound: &bound })
    });
    (operations, bound) = (of_values(&operations, &values), of_values(&bound, &values));
    trials.gave_up = false;
    let proof = fewest(bound, |fewer| trials.has_none(&Part { operations: &operations, until, bound: fewer }));
    Shortened { operations, proof, is_reduced: !trials.gave_up }
}

/// Delta debugging (Zeller & Hildebrandt 2002): leaves out halves, quarters, …, single items, as long as the rest is enough.
fn fewest<T: Clone>(mut items: Vec<T>, mut is_enough: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut chunk = items.len().div_ceil(2).max(1);
    loop {
        let before = items.len();
        let mut at = 0;
        while at < items.len() {
            let to = (at + chunk).min(items.len());
            let fewer = [&items[..at], &items[to..]].concat();
            if is_enough(&fewer) {
                items = fewer;
            } else {
                at = to;
            }
        }
        if chunk == 1 && items.len() == before {
            return items;
        }
        chunk = (chunk / 2).max(1);
    }
}
