//! How far the operations of a picture can be ordered, and why not further.

use crate::history::{NEVER, OperationId};
use crate::verdict::PartialOrder;

use super::automaton::{Automaton, Call, Effect, State};
use super::case::Case;

/// At most so many orders are told.
const ORDERS: usize = 8;

/// More operations than this have too many orders to look at them all.
pub(super) const OPERATIONS: usize = 14;

/// At most so many steps are tried.
const STEPS: usize = 50_000;

/// The longest legal orders of a proof, with the help of the sources of its values, which may or may not take effect.
pub(super) fn longest<A: Automaton + ?Sized>(
    case: &mut Case<'_, A>,
    proof: &[OperationId],
    sources: &[OperationId],
) -> Vec<PartialOrder> {
    if proof.len() + sources.len() > OPERATIONS {
        return Vec::new();
    }
    let shown = |call: &&Call| proof.contains(&call.operation) || sources.contains(&call.operation);
    let calls: Vec<Call> =
        case.calls.iter().filter(shown).map(|call| Call { must: proof.contains(&call.operation), ..*call }).collect();
    let mut orders = Orders { calls: &calls, automaton: case.automaton, longest: Vec::new(), most: 0, steps: 0 };
    let initial = orders.automaton.initial();
    orders.extend(&mut Vec::new(), initial);
    let Orders { longest, .. } = orders;
    let order = |(taken, state): (Vec<usize>, State)| PartialOrder {
        taken: taken.iter().map(|&at| calls[at].operation).collect(),
        state: case.automaton.describe(state),
        refused: next_in_time(&calls, &taken)
            .filter(|&at| calls[at].must)
            .map(|at| (calls[at].operation, refusal(case.automaton, state, &calls[at])))
            .collect(),
    };
    longest.into_iter().take(ORDERS).map(order).collect()
}

struct Orders<'a, A: ?Sized> {
    calls: &'a [Call],
    automaton: &'a mut A,
    /// Orders with the most calls of the proof, each set of calls once.
    longest: Vec<(Vec<usize>, State)>,
    most: usize,
    steps: usize,
}

impl<A: Automaton + ?Sized> Orders<'_, A> {
    fn extend(&mut self, taken: &mut Vec<usize>, state: State) {
        self.steps += 1;
        if self.steps > STEPS {
            return;
        }
        self.note(taken, state);
        let next: Vec<usize> = next_in_time(self.calls, taken).collect();
        for at in next {
            if let Some(after) = self.automaton.step(state, self.calls[at].class) {
                taken.push(at);
                self.extend(taken, after);
                taken.pop();
            }
        }
    }

    fn note(&mut self, taken: &[usize], state: State) {
        let of_proof = taken.iter().filter(|&&at| self.calls[at].must).count();
        if of_proof > self.most {
            self.longest.clear();
            self.most = of_proof;
        }
        let ends_in_proof = taken.last().is_none_or(|&at| self.calls[at].must);
        let known = |(other, same): &(Vec<usize>, State)| {
            *same == state && other.len() == taken.len() && taken.iter().all(|at| other.contains(at))
        };
        if of_proof == self.most && ends_in_proof && !self.longest.iter().any(known) {
            self.longest.push((taken.to_vec(), state));
        }
    }
}

/// The calls that could come next, as far as time goes: none of the proof closed before they were invoked, and is still missing, and
/// nothing that came after they closed is in.
fn next_in_time<'a>(calls: &'a [Call], taken: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
    let is_next = |&at: &usize| {
        let call = &calls[at];
        let missing = |(other, before): (usize, &Call)| {
            other != at && before.must && before.closed < call.invoked && !taken.contains(&other)
        };
        let too_late = taken.iter().any(|&other| call.closed != NEVER && call.closed < calls[other].invoked);
        !taken.contains(&at) && !too_late && !calls.iter().enumerate().any(missing)
    };
    (0..calls.len()).filter(is_next)
}

/// Why a call is not legal in a state, or what is wrong after it.
fn refusal<A: Automaton + ?Sized>(automaton: &mut A, state: State, call: &Call) -> String {
    let holds = automaton.describe(state);
    match automaton.effect(call.class) {
        _ if automaton.step(state, call.class).is_some() => "it leads to an order that goes no further".to_owned(),
        Some(Effect::Read(value)) => format!("the value is {holds}, and it read {}", automaton.describe(value)),
        Some(Effect::Cas(expected, _)) => {
            format!("the value is {holds}, and it replaced {}", automaton.describe(expected))
        }
        _ => format!("the state is {holds}, in which it is not possible"),
    }
}
