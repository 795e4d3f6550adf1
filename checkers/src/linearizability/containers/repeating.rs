//! A queue, first in, first out, whose values repeat, and why it has no order.
//!
//! An explanation leaves out time first, and then values: the earliest completion by which there is no order is found by bisection, and
//! values are left out, with everything that was done with them, as long as there still is none. A queue that is linearizable stays so
//! without some of its values, so whatever is left proves it. If few operations are left, single ones are tried (`explain.rs`).

use crate::History;
use crate::history::{EventPosition, NEVER, OperationId, Outcome, ValueId};
use crate::linearizability::Automaton;
use crate::linearizability::Finding;
use crate::linearizability::explain::{Case, Suspects, Suspicion};
use crate::linearizability::memoised::Modelled;
use crate::linearizability::object::Object;
use crate::linearizability::search::{Found, search};
use crate::model::{Model, is_empty_answer};
use crate::verdict::{Anomaly, Budget};

use super::pairing::{Paired, Queue};
use super::phrases;

/// With at most so many operations, single ones are left out too.
const FEW: usize = 48;

/// How many configurations one trial may cost.
const TRIAL: u64 = 50_000;

/// How many operations all trials may look at, about: some tenths of a second.
const TRIALS: usize = 2_000_000;

/// Judges a queue.
pub(super) fn judge<M: Model + Sync>(
    history: &History,
    object: &Object,
    modelled: &Modelled<'_, M>,
    budget: &Budget,
) -> Finding {
    match Queue::of(history, &object.operations, NEVER, |_| true).search(budget) {
        Paired::Order => Finding::Legal,
        Paired::GaveUp { reached, spent } => Finding::Undecided { deepest: reached, spent },
        Paired::NoOrder => Finding::Illegal(vec![explain(history, object, modelled, budget)]),
    }
}

fn explain<M: Model + Sync>(
    history: &History,
    object: &Object,
    modelled: &Modelled<'_, M>,
    budget: &Budget,
) -> Anomaly {
    let all = &object.operations;
    let mut looked_at = 0;
    let mut has_none = |until: EventPosition, values: &dyn Fn(ValueId) -> bool, operations: &[OperationId]| {
        looked_at += operations.len();
        let budget = Budget { configurations: budget.configurations.min(TRIAL.max(all.len() as u64)), ..*budget };
        looked_at <= TRIALS && Queue::of(history, operations, until, values).search(&budget) == Paired::NoOrder
    };
    let mut completions: Vec<EventPosition> = all
        .iter()
        .map(|&id| history.operation(id))
        .filter(|operation| operation.outcome() == Outcome::Ok)
        .map(|operation| operation.completed())
        .collect();
    completions.sort_unstable();
    let (mut from, mut to) = (0, completions.len().saturating_sub(1));
    while from < to {
        let middle = (from + to) / 2;
        if has_none(completions[middle], &|_| true, all) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    let until = completions[to];
    let mut operations: Vec<OperationId> = all.clone();
    operations.retain(|&id| {
        let operation = history.operation(id);
        operation.outcome() != Outcome::Fail && operation.invoked() < until
    });
    let mut values: Vec<ValueId> = operations.iter().filter_map(|&id| value(history, id)).collect();
    values.sort_unstable_by_key(|value| value.0);
    values.dedup();
    let mut chunk = values.len().div_ceil(2).max(1);
    loop {
        let before = values.len();
        let mut at = 0;
        while at < values.len() {
            let end = (at + chunk).min(values.len());
            let fewer = [&values[..at], &values[end..]].concat();
            let kept = |value: ValueId| fewer.binary_search_by_key(&value.0, |kept| kept.0).is_ok();
            if has_none(until, &kept, &operations) {
                operations.retain(|&id| value(history, id).is_none_or(kept));
                values = fewer;
            } else {
                at = end;
            }
        }
        if chunk == 1 && values.len() == before {
            break;
        }
        chunk = (chunk / 2).max(1);
    }
    if operations.len() <= FEW
        && let Some(anomaly) = one_by_one(history, object, modelled, budget, &operations, until)
    {
        return anomaly;
    }
    let proof: Vec<OperationId> =
        operations.into_iter().filter(|&id| history.operation(id).outcome() == Outcome::Ok).collect();
    let last = proof.iter().map(|&id| history.operation(id)).find(|operation| operation.completed() == until);
    let last =
        last.map(|last| format!(" up to process {}'s {} {}", last.process(), last.function(), phrases::ended(last)));
    let names: Vec<String> = values.iter().map(|&value| history.value(value).to_string()).collect();
    let sentence = format!(
        "no order of the {} operations on {}{} takes elements in the order in which they were put in; before that there is one",
        proof.len(),
        if names.is_empty() { "the queue".to_owned() } else { phrases::list(&names) },
        last.unwrap_or_default(),
    );
    let why = phrases::why(history, &proof);
    Anomaly {
        name: "nonlinearizable",
        proof,
        sentence,
        why,
        impossible_by: Some(until),
        unreduced: true,
        ..Anomaly::default()
    }
}

/// The value that an operation puts in or takes; none for empty answers and takes of unknown outcome.
fn value(history: &History, id: OperationId) -> Option<ValueId> {
    let operation = history.operation(id);
    let value = match (operation.function(), operation.outcome()) {
        ("enqueue", _) => operation.argument_id(),
        (_, Outcome::Ok) => operation.result_id(),
        _ => return None,
    };
    (!is_empty_answer(history.value(value))).then_some(value)
}

/// The fewest of few operations that prove it, if the general search can tell.
fn one_by_one<M: Model + Sync>(
    history: &History,
    object: &Object,
    modelled: &Modelled<'_, M>,
    budget: &Budget,
    operations: &[OperationId],
    until: EventPosition,
) -> Option<Anomaly> {
    let calls = modelled.calls_of(history, object);
    let among: Vec<_> =
        calls.iter().filter(|call| operations.binary_search(&call.operation).is_ok()).copied().collect();
    let mut automaton = modelled.automaton();
    let trial = Budget { configurations: TRIAL, ..*budget };
    let from = [automaton.initial()];
    if !matches!(search(&among, &from, &mut automaton, &trial).found, Found::NoOrder { .. }) {
        return None;
    }
    let writers = |_| Vec::new();
    let case = Case { history, key: object.key, calls: &among, automaton: &mut automaton, writers: &writers, budget };
    let among = operations.to_vec();
    let suspects = among.clone();
    let suspicions = vec![Suspicion { suspects, among, certain: true }];
    Some(case.explain(Suspects::These { suspicions, until }))
}
