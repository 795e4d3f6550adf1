//! How often must a register enter a set of values? Counting what the search would find out by trying everything.
//!
//! ```text
//!   [cas 3→1 ?          [cas 2→1 ?                         three reads of 1 with other values between them, and two
//!      [→1]  [→5]  [→1]  [→6]  [→1]                        cas that leave 1: not linearizable, whatever happened
//! ```
//!
//! Let S be a set of values. Where the register certainly held a value outside of S, and later one in S, some operation took it into S in
//! between: a write of a value in S, or a `cas` from outside of it. Each operation does so once at most. So the moments at which S
//! was entered must be given operations of their own, each of which was open at its moment; if that cannot be done, no order is legal.
//! All sets are tried where the values are few; else single values, and all but one (how often that one is left).
//!
//! *Why it is right:* real time orders what was observed, so the entries are at least as many as they are counted here. Whether operations
//! can be given to them is a matching between intervals that are sorted alike, which is found by giving each entry the open
//! operation that closes first (Glover 1967). It is a bound, no decision: operations can be many enough and still not make a walk.
//!
//! *Cost:* O(n log n) for each set; at most [`WORK`] operations are looked at, about.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::history::{EventPosition, NEVER};

use super::automaton::{Automaton, Call, Effect, State};

/// All sets together look at about so many operations: some tenths of a second.
const WORK: usize = 1 << 24;

/// A completion by which the calls, sorted by invocation, have no legal order from any of these states on, because there are too few that
/// could have taken a register into some set of values. `None` says nothing.
pub(super) fn impossible_by<A: Automaton + ?Sized>(
    calls: &[Call],
    from: &[State],
    automaton: &A,
) -> Option<EventPosition> {
    let effects: Vec<(&Call, Effect)> =
        calls.iter().map(|call| Some((call, automaton.effect(call.class)?))).collect::<Option<_>>()?;
    effects.iter().find(|(_, effect)| matches!(effect, Effect::Cas(..)))?;
    let mut values: Vec<State> =
        effects.iter().filter(|(call, _)| call.must).filter_map(|(_, effect)| effect.needs()).collect();
    values.sort_unstable();
    values.dedup();
    // Of values that nobody was certainly shown, it does not matter in which set they are: they are in none.
    let rank = |value: State| values.binary_search(&value).ok();
    let count = values.len();
    let mut earliest = None;
    let mut count_for = |is_in: &dyn Fn(State) -> bool| {
        let until = earliest.unwrap_or(NEVER);
        let found = too_few_entries(&effects, from, until, is_in);
        earliest = found.or(earliest);
    };
    if count < 16 && calls.len() << count <= WORK {
        for set in 1..1u32 << count {
            count_for(&|value| rank(value).is_some_and(|rank| set >> rank & 1 == 1));
        }
    } else {
        for &one in values.iter().take(WORK / calls.len() / 2) {
            count_for(&|value| value == one);
            count_for(&|value| value != one);
        }
    }
    earliest
}

/// A register certainly was inside or outside of a set, at some moment while an operation was open.
#[derive(Clone, Copy)]
struct Observed {
    invoked: u64,
    completed: u64,
    inside: bool,
    /// Whether it was outside right after.
    leaves: bool,
}

/// The completion of the first observation from inside the set before which nobody is left who could have entered it.
fn too_few_entries(
    effects: &[(&Call, Effect)],
    from: &[State],
    until: EventPosition,
    is_in: &dyn Fn(State) -> bool,
) -> Option<EventPosition> {
    // One later than the events, so that 0 is before all of them.
    let later = |event: EventPosition| u64::from(event) + 1;
    let mut observed = Vec::new();
    let mut entrances = Vec::new();
    for &(call, effect) in effects {
        let (from, to) = (effect.needs().map(is_in), effect.writes().map(is_in));
        let (invoked, completed) = (later(call.invoked), later(call.closed));
        if to == Some(true) && from != Some(true) {
            entrances.push((invoked, completed));
        } else if call.must && call.closed < until {
            let inside = from.or(to) == Some(true);
            observed.push(Observed { invoked, completed, inside, leaves: inside && to == Some(false) });
        }
    }
    observed.sort_unstable_by_key(|observed| observed.completed);
    let mut entrances = entrances.into_iter().peekable();
    let mut open: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
    let starts_inside = from.iter().any(|&state| is_in(state));
    let is_known = from.iter().all(|&state| is_in(state) == starts_inside);
    // Where the register was by the last observation that counted, and since when; and all that saw it outside from then on.
    let mut inside = is_known.then_some(starts_inside);
    let mut since = 0;
    let mut outside: Vec<Observed> = Vec::new();
    for this in observed {
        if this.invoked <= since && since > 0 {
            continue;
        }
        if !this.inside && inside != Some(true) {
            outside.push(this);
        }
        if inside == Some(this.inside) && !this.leaves {
            continue;
        }
        if inside == Some(false) && this.inside {
            let before = outside.drain(..).filter(|outside| outside.completed < this.invoked);
            let from = before.map(|outside| outside.invoked).max().unwrap_or(0);
            while let Some((_, closed)) = entrances.next_if(|&(invoked, _)| invoked < this.completed) {
                open.push(Reverse(closed));
            }
            while open.peek().is_some_and(|&Reverse(closed)| closed < from) {
                open.pop();
            }
            if open.pop().is_none() {
                return Some((this.completed - 1) as EventPosition);
            }
        }
        inside = Some(this.inside && !this.leaves);
        since = this.completed;
        if inside == Some(false) && outside.is_empty() {
            outside.push(this);
        }
    }
    None
}
