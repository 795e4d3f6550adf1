//! From "no order is legal" to the fewest operations that prove it.
//!
//! Taking an operation *away* proves nothing: without the write of 5, every read of 5 is absurd. So operations are not taken
//! away but *set free*: a free operation may take effect in its time, or not at all, and need not answer what it answered if
//! it only observed. If no order is legal although all but a few operations are free, then those few prove the violation,
//! whatever the others did. What remains is 1-minimal: with any one more set free, some order is legal.
//!
//! A trial costs as much as the calls that it looks at, so most look at a *window*: the latest calls before the violation, from any
//! state that what lies before them could have left.

use std::time::Instant;

use rustc_hash::FxHashSet;

use crate::history::{EventPosition, NEVER, OperationId, Outcome};
use crate::verdict::{Anomaly, Budget};

use super::automaton::{Automaton, Call, Effect, State};
use super::case::Case;
use super::search::{Found, Searched, search};
use super::{orders, sentence};

/// How many configurations one trial may cost. A trial that costs more counts as "could not be set free".
const TRIAL: u64 = 50_000;

/// How many configurations all trials may cost.
const TRIALS: u64 = 2_000_000;

/// How many calls a trial over the whole history may have.
const WHOLE: usize = 200_000;

/// Calls that prove it, as far as is known before any trial.
pub(super) enum Suspects {
    /// The first of these that proves it; if a trial does not tell in time, the last, or else all that is invoked before a completion.
    These { suspicions: Vec<Suspicion>, until: EventPosition },
    /// All calls that are invoked before this completion.
    UpTo(EventPosition),
}

/// Operations that may prove it, whatever others do. Only calls in `among`, which is sorted, have to do with it.
pub(super) struct Suspicion {
    pub suspects: Vec<OperationId>,
    pub among: Vec<OperationId>,
    /// Whether they prove it by what the method knows, so that a trial can only show that fewer are enough.
    pub certain: bool,
}

impl<A: Automaton + ?Sized> Case<'_, A> {
    /// Explains why there is no legal order.
    pub fn explain(mut self, suspects: Suspects) -> Anomaly {
        // Those of the search that found no order.
        self.automaton.forget();
        let impossible_by = match &suspects {
            Suspects::UpTo(event) => Some(*event),
            Suspects::These { .. } => None,
        };
        let (mut proof, reduced) = self.proof(suspects);
        proof.sort_unstable();
        let sources = self.sources(&proof);
        let orders = orders::longest(&mut self, &proof, &sources);
        Anomaly { orders, impossible_by, unreduced: !reduced, ..sentence::describe(&self, proof, sources) }
    }

    /// The operations, and whether it is known that none of them can be spared.
    fn proof(&mut self, suspects: Suspects) -> (Vec<OperationId>, bool) {
        let mut trials = Trials::new(self.automaton, self.budget);
        let end = match suspects {
            Suspects::These { suspicions, until } => {
                let initial = [trials.automaton.initial()];
                let mut certain = None;
                for Suspicion { mut suspects, among, certain: is_certain } in suspicions {
                    suspects.sort_unstable();
                    let among = |call: &&Call| among.binary_search(&call.operation).is_ok();
                    let calls: Vec<Call> = self.calls.iter().filter(among).copied().collect();
                    let is_bound = |call: &Call| call.must && suspects.binary_search(&call.operation).is_ok();
                    let bound: Vec<usize> = (0..calls.len()).filter(|&at| is_bound(&calls[at])).collect();
                    if trials.no_order(&calls, &bound, &initial) {
                        let bound = trials.reduce(&calls, bound, &initial);
                        return (bound.into_iter().map(|at| calls[at].operation).collect(), !trials.gave_up);
                    }
                    certain = is_certain.then_some(suspects);
                }
                if let Some(certain) = certain {
                    return (certain, false);
                }
                trials = Trials::new(self.automaton, self.budget);
                until
            }
            Suspects::UpTo(event) => event,
        };
        let calls = up_to(self.calls, end);
        let bound = trials.in_a_window(&calls).unwrap_or_else(|| {
            let all = (0..calls.len()).filter(|&at| calls[at].must).collect();
            let initial = [trials.automaton.initial()];
            trials.reduce(&calls, all, &initial)
        });
        let bound = trials.without_needless(&calls, bound);
        (bound.into_iter().map(|at| calls[at].operation).collect(), !trials.gave_up && calls.len() <= WHOLE)
    }

    /// For each value that the proof observes and does not write: the latest write of it that the observer could have seen.
    ///
    /// Of other objects than registers: operations that lead from the beginning to all of the proof but its last one.
    fn sources(&mut self, proof: &[OperationId]) -> Vec<OperationId> {
        if proof.len() > orders::OPERATIONS {
            return Vec::new();
        }
        if proof.iter().all(|&id| self.effect(id).is_none()) {
            let mut trials = Trials::new(self.automaton, self.budget);
            let mut helpers = trials.helpers(self.calls, proof);
            helpers.sort_unstable();
            return helpers;
        }
        let mut sources = Vec::new();
        for &observer in proof {
            let Some(value) = self.effect(observer).and_then(Effect::needs) else { continue };
            let mut writers = (self.writers)(value);
            if writers.iter().any(|id| self.operation(*id).outcome() != Outcome::Fail) {
                writers.retain(|id| self.operation(*id).outcome() != Outcome::Fail);
            }
            if proof.iter().any(|id| writers.contains(id)) || value == self.automaton.initial() {
                continue;
            }
            let seen_by = self.operation(observer).completed();
            let source = writers.iter().rev().find(|id| self.operation(**id).invoked() < seen_by);
            sources.extend(source.or(writers.first()));
        }
        sources.sort_unstable();
        sources.dedup();
        sources
    }
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

/// Trials whether some calls are enough, as long as there is something left to spend on them. Calls are named by position.
struct Trials<'a, A: ?Sized> {
    automaton: &'a mut A,
    left: u64,
    budget: &'a Budget,
    /// Whether some trial since the last success did not tell.
    gave_up: bool,
}

impl<'a, A: Automaton + ?Sized> Trials<'a, A> {
    fn new(automaton: &'a mut A, budget: &'a Budget) -> Self {
        Trials { automaton, left: TRIALS, budget, gave_up: false }
    }

    /// Whether no order is legal with only these calls bound, from any of these states.
    fn no_order(&mut self, calls: &[Call], bound: &[usize], from: &[State]) -> bool {
        let mut freed = calls.to_vec();
        let mut bound = bound.iter().peekable();
        for (at, call) in freed.iter_mut().enumerate() {
            if bound.next_if(|&&next| next == at).is_none() {
                call.must = false;
            }
        }
        let freed = self.automaton.without_unnoticed(freed);
        matches!(self.search(&freed, from).found, Found::NoOrder { .. })
    }

    fn search(&mut self, calls: &[Call], from: &[State]) -> Searched {
        // What the trials before remember is worth less than the room that it takes.
        if self.budget.bytes.is_some_and(|bytes| self.automaton.bytes() > bytes / 2) {
            self.automaton.forget();
        }
        let budget = Budget { configurations: TRIAL.min(self.left), ..*self.budget };
        let searched = search(calls, from, self.automaton, &budget);
        // To walk through sixteen calls costs about as much as to remember a configuration.
        self.left -= (searched.visited + calls.len() as u64 / 16).min(self.left);
        if self.budget.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            self.left = 0;
        }
        match searched.found {
            Found::Order => {}
            // A success begins the last round of trials anew.
            Found::NoOrder { .. } => self.gave_up = false,
            Found::GaveUp { .. } => self.gave_up = true,
        }
        self.gave_up |= self.left == 0;
        searched
    }

    /// The fewest free calls with whose help all of a proof but its last call can be ordered. Nothing, if that takes too long.
    fn helpers(&mut self, calls: &[Call], proof: &[OperationId]) -> Vec<OperationId> {
        let of_proof = |call: &&Call| proof.contains(&call.operation);
        let Some(last) = calls.iter().filter(of_proof).max_by_key(|call| call.closed).map(|call| call.operation) else {
            return Vec::new();
        };
        let mut freed = up_to(calls, calls.iter().filter(of_proof).map(|call| call.closed).max().unwrap_or(NEVER));
        freed.retain(|call| call.operation != last);
        freed.iter_mut().for_each(|call| call.must &= proof.contains(&call.operation));
        let initial = [self.automaton.initial()];
        let mut freed = self.automaton.without_unnoticed(freed);
        let searched = self.search(&freed, &initial);
        if searched.found != Found::Order {
            return Vec::new();
        }
        let decided: Vec<OperationId> = searched.decided.iter().map(|&at| freed[at as usize].operation).collect();
        freed.retain(|call| call.must || decided.contains(&call.operation));
        let optional: Vec<OperationId> = freed.iter().filter(|call| !call.must).map(|call| call.operation).collect();
        for helper in optional {
            let fewer: Vec<Call> = freed.iter().copied().filter(|call| call.operation != helper).collect();
            if self.search(&fewer, &initial).found == Found::Order {
                freed = fewer;
            }
        }
        freed.iter().filter(|call| !call.must).map(|call| call.operation).collect()
    }

    /// The latest calls that are enough, four times more at each trial, and then the fewest of them.
    fn in_a_window(&mut self, calls: &[Call]) -> Option<Vec<usize>> {
        let mut by_closing: Vec<usize> = (0..calls.len()).filter(|&at| calls[at].must).collect();
        by_closing.sort_by_key(|&at| calls[at].closed);
        let mut latest = 8;
        loop {
            let mut bound = by_closing[by_closing.len() - latest.min(by_closing.len())..].to_vec();
            bound.sort_unstable();
            let (window, places, from) = self.window(calls, &bound);
            let inside: Vec<usize> = (0..window.len()).filter(|&at| bound.binary_search(&places[at]).is_ok()).collect();
            if self.no_order(&window, &inside, &from) {
                let fewest = self.reduce(&window, inside, &from);
                return Some(fewest.into_iter().map(|at| places[at]).collect());
            }
            if latest >= by_closing.len() || self.left == 0 {
                return None;
            }
            latest *= 4;
        }
    }

    /// The calls that are still open when the first of the bound ones is invoked, or are invoked later; their places; and the states that
    /// all others could have left. Only registers tell those: for others, the window is everything.
    fn window(&self, calls: &[Call], bound: &[usize]) -> (Vec<Call>, Vec<usize>, Vec<State>) {
        let begin = bound.iter().map(|&at| calls[at].invoked).min().unwrap_or(0);
        let is_register = calls.first().is_some_and(|call| self.automaton.effect(call.class).is_some());
        let inside = |call: &Call| !is_register || call.closed >= begin;
        let places: Vec<usize> = (0..calls.len()).filter(|&at| inside(&calls[at])).collect();
        let mut from: Vec<State> = vec![self.automaton.initial()];
        if is_register {
            let effect = |call: &Call| self.automaton.effect(call.class);
            let needed: FxHashSet<State> =
                places.iter().filter_map(|&at| effect(&calls[at]).and_then(Effect::needs)).collect();
            let before = calls.iter().take_while(|call| call.invoked < begin).filter(|call| call.closed < begin);
            // Values that nobody in the window needs are all alike: one stands for them.
            let mut alike = false;
            let mut seen = FxHashSet::default();
            let tells = |value: &State| match needed.contains(value) {
                true => seen.insert(*value),
                false => !std::mem::replace(&mut alike, true),
            };
            from.extend(before.filter_map(|call| effect(call).and_then(Effect::writes)).filter(tells));
        }
        (places.iter().map(|&at| calls[at]).collect(), places, from)
    }

    /// Delta debugging (Zeller & Hildebrandt 2002): leaves out halves, quarters, …, from the oldest on.
    fn reduce(&mut self, calls: &[Call], mut bound: Vec<usize>, from: &[State]) -> Vec<usize> {
        let mut chunk = bound.len().div_ceil(2).max(1);
        loop {
            let before = bound.len();
            let mut at = 0;
            while at < bound.len() && self.left > 0 {
                let to = (at + chunk).min(bound.len());
                let fewer = [&bound[..at], &bound[to..]].concat();
                if self.no_order(calls, &fewer, from) {
                    bound = fewer;
                } else {
                    at = to;
                }
            }
            if (chunk == 1 && bound.len() == before) || self.left == 0 {
                return bound;
            }
            chunk = (chunk / 2).max(1);
        }
    }

    /// Leaves out what the whole history shows to be needless, though the window did not.
    fn without_needless(&mut self, calls: &[Call], mut bound: Vec<usize>) -> Vec<usize> {
        if calls.len() > WHOLE {
            return bound;
        }
        let initial = [self.automaton.initial()];
        let mut at = 0;
        while at < bound.len() && self.left > 0 {
            let fewer = [&bound[..at], &bound[at + 1..]].concat();
            if self.no_order(calls, &fewer, &initial) {
                bound = fewer;
                at = 0;
            } else {
                at += 1;
            }
        }
        bound
    }
}
