//! From "no order is legal" to the fewest operations that prove it.
//!
//! Taking an operation *away* proves nothing: without the write of 5, every read of 5 is absurd. So operations are not taken
//! away but *set free*: a free operation may take effect in its time, or not at all, and need not answer what it answered if
//! it only observed. If no order is legal although all but a few operations are free, then those few prove the violation,
//! whatever the others did. What remains is 1-minimal: with any one more set free, some order is legal.

use crate::History;
use crate::history::{EventPosition, NEVER, OperationId};
use crate::verdict::Anomaly;

use super::automaton::Automaton;
use super::object::{Call, Object};
use super::search::{Found, search};
use super::sentence;

/// How much one trial may cost. A trial that costs more counts as "could not be set free".
const TRIAL: u64 = 100_000;

/// Explains why the calls of an object have no legal order, given the completion up to which they have none.
pub(super) fn explain<A: Automaton + ?Sized>(
    history: &History,
    object: &Object,
    calls: &[Call],
    deepest: EventPosition,
    automaton: &mut A,
) -> Anomaly {
    let prefix = up_to(calls, deepest);
    let proof: Vec<OperationId> = minimal(&prefix, automaton).into_iter().map(|at| prefix[at].operation).collect();
    let sources = sources(history, object, &proof, automaton);
    sentence::describe(history, object, proof, sources, automaton)
}

/// The calls as they stand at an event: what has not completed by then may or may not have happened.
fn up_to(calls: &[Call], event: EventPosition) -> Vec<Call> {
    let mut prefix: Vec<Call> = calls.iter().copied().filter(|call| call.invoked < event).collect();
    for call in prefix.iter_mut().filter(|call| call.closed > event) {
        call.closed = NEVER;
        call.must = false;
    }
    prefix
}

/// The positions of a 1-minimal set of calls that have no legal order though all others are free.
///
/// The latest calls that are enough, four times more at each trial: most violations need few, and a trial costs as much as the
/// calls that it binds. Then delta debugging (Zeller & Hildebrandt 2002), in halves, quarters, …, from the oldest on.
fn minimal<A: Automaton + ?Sized>(calls: &[Call], automaton: &mut A) -> Vec<usize> {
    let mut bound: Vec<usize> = (0..calls.len()).filter(|&at| calls[at].must).collect();
    bound.sort_by_key(|&at| calls[at].closed);
    let mut latest = 8;
    while latest < bound.len() {
        let mut fewer = bound[bound.len() - latest..].to_vec();
        fewer.sort_unstable();
        if no_order(calls, &fewer, automaton) {
            bound = fewer;
            break;
        }
        latest *= 4;
    }
    bound.sort_unstable();
    let mut chunk = bound.len().div_ceil(2).max(1);
    loop {
        let before = bound.len();
        let mut from = 0;
        while from < bound.len() {
            let to = (from + chunk).min(bound.len());
            let fewer = [&bound[..from], &bound[to..]].concat();
            if no_order(calls, &fewer, automaton) {
                bound = fewer;
            } else {
                from = to;
            }
        }
        if chunk == 1 && bound.len() == before {
            return bound;
        }
        chunk = (chunk / 2).max(1);
    }
}

/// Whether no order is legal with only these calls bound.
fn no_order<A: Automaton + ?Sized>(calls: &[Call], bound: &[usize], automaton: &mut A) -> bool {
    let mut freed = calls.to_vec();
    let mut bound = bound.iter().peekable();
    for (at, call) in freed.iter_mut().enumerate() {
        if bound.next_if(|&&next| next == at).is_none() {
            call.must = false;
        }
    }
    let freed = automaton.without_unnoticed(freed);
    matches!(search(&freed, automaton, TRIAL), Found::NoOrder { .. })
}

/// For each value that the proof observes and does not write: the latest write of it that the observer could have seen.
fn sources<A: Automaton + ?Sized>(
    history: &History,
    object: &Object,
    proof: &[OperationId],
    automaton: &A,
) -> Vec<OperationId> {
    let effect = |id: OperationId| automaton.effect(automaton.class(id));
    let mut sources = Vec::new();
    for &observer in proof {
        let Some(value) = effect(observer).and_then(|effect| effect.needs()) else { continue };
        let writes = |id: &OperationId| effect(*id).is_some_and(|effect| effect.writes() == Some(value));
        if proof.iter().any(writes) || value.0 == automaton.initial() {
            continue;
        }
        let seen_by = history.operation(observer).completed();
        let source =
            object.operations.iter().rev().find(|id| writes(id) && history.operation(**id).invoked() < seen_by);
        sources.extend(source.or_else(|| object.operations.iter().find(|id| writes(id))));
    }
    sources.sort_unstable();
    sources.dedup();
    sources
}
