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
//! *Cost:* O(n log n) for each set. Which sets are tried is bounded by how many operations may be looked at.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::history::EventPosition;

use super::automaton::{Effect, State};

/// An operation that has not taken effect yet.
#[derive(Clone, Copy)]
pub(super) struct Pending {
    pub effect: Effect,
    pub invoked: EventPosition,
    pub closed: EventPosition,
    pub must: bool,
}

/// With at most so many values, all sets of them are tried, if these look at no more than [`WORK`] operations.
const FEW: usize = 12;

/// All sets together look at about so many operations.
pub(super) const WORK: usize = 1 << 22;

/// A completion by which these operations on a register, sorted by invocation, have no legal order from any of these states on, because
/// there are too few that could have taken the register into some set of values. `None` says nothing.
pub(super) fn impossible_by(mut pending: Vec<Pending>, from: &[State], work: usize) -> Option<EventPosition> {
    pending.iter().find(|pending| matches!(pending.effect, Effect::Cas(..)))?;
    let mut values: Vec<State> = from.to_vec();
    values.extend(pending.iter().flat_map(|pending| [pending.effect.needs(), pending.effect.writes()]).flatten());
    values.sort_unstable();
    values.dedup();
    let rank = |value: State| values.partition_point(|&other| other < value) as State;
    for pending in &mut pending {
        pending.effect = match pending.effect {
            Effect::Read(value) => Effect::Read(rank(value)),
            Effect::Write(value) => Effect::Write(rank(value)),
            Effect::Cas(expected, new) => Effect::Cas(rank(expected), rank(new)),
        };
    }
    let from: Vec<State> = from.iter().map(|&state| rank(state)).collect();
    let mut by_closing: Vec<u32> = (0..pending.len() as u32).filter(|&at| pending[at as usize].must).collect();
    by_closing.sort_unstable_by_key(|&at| pending[at as usize].closed);
    let mut register = Counted { pending, by_closing, from, earliest: None };
    let count = values.len() as State;
    if values.len() <= FEW && register.pending.len() << count <= work {
        (1..1u32 << count).for_each(|set| register.count(|value| set >> value & 1 == 1));
    } else {
        for one in (0..count).take(work / register.pending.len() / 2) {
            register.count(|value| value == one);
            register.count(|value| value != one);
        }
    }
    register.earliest
}

/// See the [module](self). Values are numbered without gaps.
struct Counted {
    pending: Vec<Pending>,
    by_closing: Vec<u32>,
    from: Vec<State>,
    /// The earliest completion by which some set was entered too often.
    earliest: Option<EventPosition>,
}

/// An operation by which the register certainly was inside or outside of a set.
#[derive(Clone, Copy)]
struct Observed {
    invoked: u64,
    completed: u64,
}

impl Counted {
    /// Counts the entries into a set.
    fn count(&mut self, is_in: impl Fn(State) -> bool + Copy) {
        // One later than the events, so that 0 is before all of them.
        let later = |event: EventPosition| u64::from(event) + 1;
        let sides = |effect: Effect| (effect.needs().map(is_in), effect.writes().map(is_in));
        let enters = |pending: &&Pending| {
            let (from, to) = sides(pending.effect);
            to == Some(true) && from != Some(true)
        };
        let mut entrances = self.pending.iter().filter(enters).peekable();
        let mut open: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
        let starts_inside = is_in(self.from[0]);
        // Where the register was by the last observation that counted, and since when; and all that saw it outside from then on.
        let mut inside = self.from.iter().all(|&state| is_in(state) == starts_inside).then_some(starts_inside);
        let mut since = 0;
        let mut outside: Vec<Observed> = Vec::new();
        for &at in &self.by_closing {
            let Pending { effect, invoked, closed, .. } = self.pending[at as usize];
            if self.earliest.is_some_and(|earliest| closed >= earliest) {
                return;
            }
            let (from, to) = sides(effect);
            let this = Observed { invoked: later(invoked), completed: later(closed) };
            if this.invoked <= since || (to == Some(true) && from != Some(true)) {
                continue;
            }
            let is_inside = from.or(to) == Some(true);
            let leaves = is_inside && to == Some(false);
            if !is_inside && inside != Some(true) {
                outside.push(this);
            }
            if inside == Some(is_inside) && !leaves {
                continue;
            }
            if inside == Some(false) && is_inside {
                let before = outside.drain(..).filter(|outside| outside.completed < this.invoked);
                let from = before.map(|outside| outside.invoked).max().unwrap_or(0);
                while let Some(entrance) = entrances.next_if(|entrance| later(entrance.invoked) < this.completed) {
                    open.push(Reverse(later(entrance.closed)));
                }
                while open.peek().is_some_and(|&Reverse(closed)| closed < from) {
                    open.pop();
                }
                if open.pop().is_none() {
                    self.earliest = Some(closed);
                    return;
                }
            }
            inside = Some(is_inside && !leaves);
            since = this.completed;
            if inside == Some(false) && outside.is_empty() {
                outside.push(this);
            }
        }
    }
}
