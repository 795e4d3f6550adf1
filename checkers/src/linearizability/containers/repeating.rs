//! Queues whose values repeat, and why they have no order.
//!
//! For queues that are first in, first out, most of the history is not needed to show that its end has no order:
//!
//! ```text
//!   puts    [1] [2]  [1]  [3] [2]  │ [1]  [3 [2] ] [3]       the first five puts had completed when any other began, and
//!   takes   [→1]  [→2] [→1] [→3] [→2] │ [→1] [→2]  [→2]      so had the first five takes: they belong together
//! ```
//!
//! An element that is put in as the n-th is taken as the n-th, and without the elements before the n-th the queue is linearizable still. Time
//! tells which number an operation can have at least and at most. What certainly is before the n-th is left out; what may be, may have
//! happened or not.

use crate::History;
use crate::history::{EventPosition, NEVER, OperationId, Outcome};
use crate::linearizability::Automaton;
use crate::linearizability::Finding;
use crate::linearizability::case::Case;
use crate::linearizability::explain::{Suspects, Suspicion};
use crate::linearizability::memoised::Modelled;
use crate::linearizability::object::Object;
use crate::linearizability::search::{Found, search};
use crate::model::{Model, ModelName};
use crate::verdict::{Anomaly, Budget};

use super::balance::Bag;
use super::counting;
use super::elements::QUEUE;
use super::pairing::{Paired, Queue};
use super::shorten::{Decide, Kind, Part, Shortened, kind, shorten};
use super::{Decision, phrases};

/// With at most so many operations, the general search tells more of them.
const FEW: usize = 48;

/// How many configurations that may cost.
const TRIAL: u64 = 50_000;

/// Judges a queue; `name` tells whether it keeps the order of its elements.
pub(super) fn judge<M: Model + Sync>(
    history: &History,
    object: &Object,
    name: ModelName,
    modelled: &Modelled<'_, M>,
    budget: &Budget,
) -> Finding {
    let is_fifo = name == ModelName::FifoQueue;
    let decide = |part: &Part<'_>, budget: &Budget| {
        let is_bound = |id| part.is_bound(id);
        match is_fifo {
            true => Queue::of(history, part.operations, part.until, is_bound).search(budget),
            false => Bag::of(history, part.operations, part.until, is_bound).search(budget),
        }
    };
    let all = &object.operations;
    // Counting finds some violations at once, but where values are few its proofs are long.
    let counted = counting::violation(history, all, &QUEUE);
    let proves_with = |counted: &Option<Decision>, fewer: usize| match counted {
        Some(Decision::Illegal { operations, .. }) => operations.len() <= fewer,
        _ => false,
    };
    let illegal = |decision| Finding::of(history, decision);
    if proves_with(&counted, if is_fifo { FEW } else { usize::MAX }) {
        return counted.map_or(Finding::Legal, illegal);
    }
    let most = if counted.is_some() { TRIAL + all.len() as u64 } else { u64::MAX };
    let limited = Budget { configurations: budget.configurations.min(most), ..*budget };
    match (decide(&Part { operations: all, until: NEVER, bound: all }, &limited), counted) {
        (Paired::NoOrder { until }, counted) => {
            let windows = |operations: &[OperationId]| match is_fifo {
                true => windows(history, operations, until),
                false => Vec::new(),
            };
            let shortened = shorten(history, all, until, &decide as &Decide<'_>, windows, budget);
            if proves_with(&counted, shortened.proof.len()) {
                return counted.map_or(Finding::Legal, illegal);
            }
            Finding::Illegal(vec![explain(history, object, modelled, budget, until, &shortened)])
        }
        (_, Some(counted)) => illegal(counted),
        (Paired::Order, None) => Finding::Legal,
        (Paired::GaveUp { reached, spent }, None) => Finding::Undecided { deepest: reached, spent },
    }
}

/// How many of the last takes a window holds: four times more in each.
const SMALLEST: usize = 8;

/// The last elements that were taken of a queue that is first in, first out: the operations that may have to do with them, and those
/// that certainly do.
fn windows(
    history: &History,
    operations: &[OperationId],
    until: EventPosition,
) -> Vec<(Vec<OperationId>, Vec<OperationId>)> {
    let of = |is_put: bool| -> Vec<OperationId> {
        let is_meant = |&id: &OperationId| match kind(history, id) {
            Kind::Put(_) => is_put,
            Kind::Take(_) | Kind::Unknown => !is_put,
            Kind::Empty => !is_put && history.operation(id).completed() > until,
        };
        operations.iter().copied().filter(is_meant).collect()
    };
    let (puts, takes) = (numbers(history, &of(true), until), numbers(history, &of(false), until));
    let known = takes.iter().filter(|take| take.most < usize::MAX).count();
    let mut windows = Vec::new();
    let mut width = SMALLEST;
    while width < known {
        let first = known - width;
        let begins = |number: &&Number| number.most >= first;
        let mut kept: Vec<&Number> = takes.iter().filter(begins).collect();
        kept.extend(puts.iter().filter(begins).filter(|put| put.least < takes.len()));
        kept.sort_unstable_by_key(|number| number.operation);
        let bound = kept.iter().filter(|number| number.least >= first && number.most < usize::MAX);
        windows.push((kept.iter().map(|number| number.operation).collect(), bound.map(|n| n.operation).collect()));
        width *= 4;
    }
    windows
}

/// Which operation of its kind this can be, at least and at most, counted from 0; there is no most where its outcome is unknown.
struct Number {
    operation: OperationId,
    least: usize,
    most: usize,
}

/// The numbers of operations of one kind.
fn numbers(history: &History, operations: &[OperationId], until: EventPosition) -> Vec<Number> {
    let is_known =
        |id: OperationId| history.operation(id).outcome() == Outcome::Ok && history.operation(id).completed() <= until;
    let known = operations.iter().copied().filter(|&id| is_known(id));
    let mut completions: Vec<EventPosition> = known.map(|id| history.operation(id).completed()).collect();
    completions.sort_unstable();
    let invocations: Vec<EventPosition> = operations.iter().map(|&id| history.operation(id).invoked()).collect();
    let number = |&id: &OperationId| {
        let operation = history.operation(id);
        let least = completions.partition_point(|&completed| completed < operation.invoked());
        let begun = invocations.partition_point(|&invoked| invoked < operation.completed());
        Number { operation: id, least, most: if is_known(id) { begun - 1 } else { usize::MAX } }
    };
    operations.iter().map(number).collect()
}

fn explain<M: Model + Sync>(
    history: &History,
    object: &Object,
    modelled: &Modelled<'_, M>,
    budget: &Budget,
    until: EventPosition,
    shortened: &Shortened,
) -> Anomaly {
    let Shortened { operations, proof, is_reduced } = shortened;
    if operations.len() <= FEW
        && let Some(anomaly) = one_by_one(history, object, modelled, budget, until, shortened)
    {
        return anomaly;
    }
    let last = proof.iter().map(|&id| history.operation(id)).find(|operation| operation.completed() == until);
    let last =
        last.map(|last| format!(" up to process {}'s {} {}", last.process(), last.function(), phrases::ended(last)));
    let mut values: Vec<_> = proof.iter().map(|&id| kind(history, id)).collect();
    values.sort_unstable_by_key(|kind| match kind {
        Kind::Put(value) | Kind::Take(value) => value.0,
        Kind::Empty | Kind::Unknown => 0,
    });
    let mut names: Vec<String> = Vec::new();
    for kind in values {
        if let Kind::Put(value) | Kind::Take(value) = kind {
            names.push(history.value(value).to_string());
        }
    }
    names.dedup();
    let sentence = format!(
        "no order of the {} operations on {}{} takes elements as the queue would give them; before that there is one",
        proof.len(),
        if names.is_empty() { "the queue".to_owned() } else { phrases::list(&names) },
        last.unwrap_or_default(),
    );
    let why = phrases::why(history, proof);
    Anomaly {
        name: "nonlinearizable",
        proof: proof.clone(),
        sentence,
        why,
        impossible_by: Some(until),
        unreduced: !is_reduced,
        ..Anomaly::default()
    }
}

/// The same, explained by the general search, if that can tell.
fn one_by_one<M: Model + Sync>(
    history: &History,
    object: &Object,
    modelled: &Modelled<'_, M>,
    budget: &Budget,
    until: EventPosition,
    shortened: &Shortened,
) -> Option<Anomaly> {
    let Shortened { operations, proof, .. } = shortened;
    let calls = modelled.calls_of(history, object);
    let is_among = |id: OperationId| operations.binary_search(&id).is_ok();
    let mut among: Vec<_> = calls.iter().filter(|call| is_among(call.operation)).copied().collect();
    among.iter_mut().for_each(|call| call.must &= proof.binary_search(&call.operation).is_ok());
    let mut automaton = modelled.automaton();
    let trial = Budget { configurations: TRIAL, ..*budget };
    let from = [automaton.initial()];
    if !matches!(search(&among, &from, &mut automaton, &trial).found, Found::NoOrder { .. }) {
        return None;
    }
    let writers = |_| Vec::new();
    let case = Case { history, key: object.key, calls: &among, automaton: &mut automaton, writers: &writers, budget };
    let suspicions = vec![Suspicion { suspects: proof.clone(), among: operations.clone(), certain: true }];
    Some(case.explain(Suspects::These { suspicions, until }))
}
