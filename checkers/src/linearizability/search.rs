//! Just-in-time linearization, depth first.
//!
//! Walk the events in order. An operation that is invoked is *open*. Nothing need be decided until an operation closes
//! that has not taken effect yet: only then it, perhaps after others that are open, must take effect now. One that is
//! optional may also let its time pass.
//!
//! ```text
//!   events    [w1   [r→2   [w2    w2]        r→2]       w1]
//!   effect                                    ▲ w2, r→2   ▲ nothing: w1 counts as written just before w2
//! ```
//!
//! A configuration is (event, which open operations have taken effect, which need not any more, state): a few machine words. Each is
//! visited once, and none after one that was *freer* (`passed.rs`).
//!
//! These rules keep the tree thin, and lose no order:
//! * **Observers first.** An operation that only observes takes effect as soon as it is legal. In any order in which it comes later it can be
//!   moved forward to here, for it changes nothing.
//! * **Absorbed writes.** When a write takes effect, every other open write can be put just before it, where nobody sees it. So these are
//!   *absorbed*: they may still take effect until they close, but need not.
//! * **No idle writes.** A write takes effect when it must, or when an open operation needs its value. In any order in which it comes
//!   earlier, nobody sees its value before; it can be moved back until somebody does, or until it closes, or is absorbed. Where its value is
//!   there already, it takes effect only if it absorbs something, itself perhaps.
//! * **Equals in turn.** Of open operations that do the same, the one that closes first goes first. In any order that uses another, the
//!   two can be exchanged, for that one is still open where this one stood. (Were it not absorbed, while this one is: then the exchange
//!   absorbs it.)
//! * **Values that cannot come back.** A value is not written over while an operation that must see it is still to be invoked, and nothing is
//!   left that could bring it back: its only source has taken effect, as the register holds it, or all its writers have closed.
//!
//! A search that has come to [`COUNTED`] configurations counts whether there can be an order at all, and then at some
//! configurations whether one can follow (`entries.rs`).
//!
//! Of strings that grow, a put begins anew, and absorbs what is open as a write does. All states that are the beginning of no string that was shown
//! are one, *unseen*:
//! * **Nothing unseen in advance.** An operation that leads to it takes effect when it must, and not if it is absorbed. In any order in which it
//!   comes earlier, or at all, nobody is shown anything until the next put: it can be moved back until it closes or just before that, and
//!   the state that is there without it allows all that this one does.
//! * **No way back.** A string is not changed to one that cannot grow to what a get must show, while no put is left that could come before.
//!
//! Of other objects nothing is known but what their operations do in each state: for these, observers go first and equals in
//! turn.

use std::time::Instant;

use crate::history::EventPosition;
use crate::verdict::Budget;

use super::automaton::{Automaton, Call, Effect, Growth, State};
use super::entries::{self, Pending};
use super::passed::Passed;
use super::slots::Slots;
use super::timeline::{Cursor, Member, Timeline};

/// What the search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A legal order.
    Order,
    /// There is none, already for the events up to and with this completion.
    NoOrder { deepest: EventPosition },
    /// The budget ran out. The events before `deepest` have a legal order.
    GaveUp { deepest: EventPosition, spent: Spent },
}

/// Which part of a budget ran out, and how much of it there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spent {
    Configurations(u64),
    Bytes(u64),
    Time,
}

/// The end of a search.
pub(super) struct Searched {
    pub found: Found,
    /// How many configurations it cost.
    pub visited: u64,
    /// Of the order that was found: the positions of the calls that took effect because something was decided, not only because they were
    /// legal, in turn.
    pub decided: Vec<u32>,
}

/// Looks for a legal order of the calls of one object, which are sorted by invocation, from any of these states on.
pub(super) fn search<A: Automaton + ?Sized>(
    calls: &[Call],
    from: &[State],
    automaton: &mut A,
    budget: &Budget,
) -> Searched {
    let timeline = Timeline::of(calls, from, automaton);
    match timeline.slots {
        0..=64 => Search::<u64, A>::new(&timeline, automaton, budget).run(from),
        65..=256 => Search::<[u64; 4], A>::new(&timeline, automaton, budget).run(from),
        _ => Search::<Box<[u64]>, A>::new(&timeline, automaton, budget).run(from),
    }
}

/// After so many configurations, and as many as there are events, it pays to count. In tests that is at once, and only a little is looked at.
const COUNTED: usize = if cfg!(test) { 1 } else { 500 };

/// So many events ahead is looked for what is needed next.
const AHEAD: usize = 64;

/// From then on, some configurations are counted, with so many events that follow, and looking at about so many operations.
const COUNTED_AHEAD: usize = if cfg!(test) { 5 } else { 64 };
const COUNTED_EACH: usize = 1 << 15;

/// For so many configurations at most none is counted.
const LONGEST_PAUSE: usize = if cfg!(test) { 1 } else { 1023 };

/// An operation on a register that has not taken effect yet.
fn pending(member: &Member, invoked: EventPosition) -> Option<Pending> {
    let &Member { effect, closed, must, .. } = member;
    effect.map(|effect| Pending { effect, invoked, closed, must })
}

/// A configuration at which an operation closes; the choices that are left of it are on the stack of choices.
struct Frame<S> {
    event: u32,
    taken: S,
    absorbed: S,
    state: State,
    /// Where its choices begin in the stack of choices.
    choices: usize,
    /// The choice that was taken last.
    chosen: u32,
}

/// Who takes effect, and the state after it.
#[derive(Clone, Copy)]
struct Choice {
    member: u32,
    next: State,
}

/// The choice by which the operation that closes lets its time pass.
const PASSES: u32 = u32::MAX;

struct Search<'a, S, A: ?Sized> {
    timeline: &'a Timeline,
    automaton: &'a mut A,
    budget: &'a Budget,
    cursor: Cursor<'a, S>,
    passed: Passed<S>,
    frames: Vec<Frame<S>>,
    /// The choices of all frames, those of the last one on top, the best on top of them.
    choices: Vec<Choice>,
    enablers: Vec<Choice>,
    /// The last completion for which a value had to stay, or a string could not be changed.
    blamed: EventPosition,
    /// For each lane of equals, in this branching: the open call that goes first.
    first_of_lane: Vec<(u32, u32)>,
    /// For each state, the last branching in which somebody needed it.
    wanted: Vec<u32>,
    branching: u32,
    /// After how many configurations counting begins: a search that finds its way has mostly ended by then.
    counts_from: usize,
    /// From how many configurations on one is counted again, and how long the last pause was.
    counts_next: usize,
    count_pause: usize,
}

impl<'a, S: Slots, A: Automaton + ?Sized> Search<'a, S, A> {
    fn new(timeline: &'a Timeline, automaton: &'a mut A, budget: &'a Budget) -> Self {
        let counts_from = if cfg!(test) { COUNTED } else { timeline.events.len().max(COUNTED) };
        Search {
            timeline,
            automaton,
            budget,
            cursor: Cursor::new(timeline),
            passed: Passed::default(),
            frames: Vec::new(),
            choices: Vec::new(),
            enablers: Vec::new(),
            blamed: 0,
            first_of_lane: vec![(0, 0); timeline.classes * 2],
            wanted: Vec::new(),
            branching: 0,
            counts_from,
            counts_next: counts_from + 1,
            count_pause: 0,
        }
    }

    fn run(mut self, from: &[State]) -> Searched {
        let mut deepest = 0;
        let mut found = None;
        for &state in from {
            self.cursor.back_to(0);
            found = self.descend(state, &mut deepest, from);
            if found.is_some() {
                break;
            }
        }
        Searched {
            found: found.unwrap_or(Found::NoOrder { deepest: deepest.max(self.blamed) }),
            visited: self.passed.len() as u64,
            decided: self.frames.iter().map(|frame| frame.chosen).filter(|&chosen| chosen != PASSES).collect(),
        }
    }

    /// Searches from one state on: `None` if no order begins there.
    fn descend(&mut self, mut state: State, deepest: &mut EventPosition, from: &[State]) -> Option<Found> {
        let mut taken = S::empty(self.timeline.slots);
        let mut absorbed = S::empty(self.timeline.slots);
        loop {
            self.walk(&mut taken, &mut absorbed, state);
            let Some(&event) = self.timeline.events.get(self.cursor.event) else {
                return Some(Found::Order);
            };
            *deepest = event.position.max(*deepest);
            let here = self.cursor.event as u32;
            if self.passed.insert(here, state, &taken, &absorbed, &self.cursor) {
                if let Some(spent) = self.spent() {
                    return Some(Found::GaveUp { deepest: *deepest, spent });
                }
                if self.passed.len() == self.counts_from
                    && let Some(deepest) = self.counted_from_the_beginning(from)
                {
                    return Some(Found::NoOrder { deepest });
                }
                if !self.is_counted_out(&taken, &absorbed, state) {
                    self.branch(taken, absorbed, state);
                }
            }
            let choice = self.next_choice()?;
            let frame = self.frames.last_mut().expect("a choice has its frame");
            frame.chosen = choice.member;
            (taken, absorbed) = (frame.taken.clone(), frame.absorbed.clone());
            self.cursor.back_to(frame.event as usize);
            let changed = choice.next != frame.state;
            state = choice.next;
            if choice.member == PASSES {
                let slot = self.timeline.members[self.timeline.events[self.cursor.event].member as usize].slot;
                absorbed.remove(slot);
                self.cursor.forward();
                continue;
            }
            let member = &self.timeline.members[choice.member as usize];
            taken.insert(member.slot);
            if member.begins_anew() {
                absorbed.insert_all(&self.cursor.writes);
            }
            if changed {
                self.observe(&mut taken, state);
            }
        }
    }

    /// A completion by which counting shows that there is no order from any of these states on.
    fn counted_from_the_beginning(&self, from: &[State]) -> Option<EventPosition> {
        let opens = self.timeline.events.iter().filter(|event| event.opens);
        let pending = opens.map(|event| pending(&self.timeline.members[event.member as usize], event.position));
        entries::impossible_by(pending.collect::<Option<_>>()?, from, entries::WORK)
    }

    /// Whether counting shows that nothing follows here. As long as that shows nothing, it is tried more and more seldom.
    fn is_counted_out(&mut self, taken: &S, absorbed: &S, state: State) -> bool {
        if self.passed.len() < self.counts_next {
            return false;
        }
        let cursor = &self.cursor;
        let events = &self.timeline.events[cursor.event..];
        // What closes later may have seen what begins later.
        let end = events.get(COUNTED_AHEAD).map_or(EventPosition::MAX, |event| event.position);
        let open = cursor.observers.without(taken).chain(cursor.movers.without(taken)).map(|slot| {
            let open = pending(cursor.member(slot).1, 0)?;
            Some(Pending { must: open.must && !absorbed.has(slot), ..open })
        });
        let coming = events.iter().take(COUNTED_AHEAD).filter(|event| event.opens);
        let coming = coming.map(|event| pending(&self.timeline.members[event.member as usize], event.position));
        let all =
            open.chain(coming).map(|pending| pending.map(|it| Pending { must: it.must && it.closed < end, ..it }));
        let Some(pending) = all.collect::<Option<Vec<Pending>>>() else { return false };
        let impossible_by = entries::impossible_by(pending, &[state], COUNTED_EACH);
        self.blamed = self.blamed.max(impossible_by.unwrap_or(0));
        self.count_pause = if impossible_by.is_some() { 0 } else { (2 * self.count_pause + 1).min(LONGEST_PAUSE) };
        self.counts_next = self.passed.len() + self.count_pause;
        impossible_by.is_some()
    }

    /// Takes the best choice that is left, of the latest frame that has one, which is then the last.
    fn next_choice(&mut self) -> Option<Choice> {
        while self.frames.last().is_some_and(|frame| self.choices.len() == frame.choices) {
            self.frames.pop();
        }
        if self.frames.is_empty() { None } else { self.choices.pop() }
    }

    /// What of the budget has run out, if anything. Looks at the clock now and then.
    fn spent(&self) -> Option<Spent> {
        let visited = self.passed.len() as u64;
        if visited > self.budget.configurations {
            return Some(Spent::Configurations(self.budget.configurations));
        }
        if let Some(limit) = self.budget.bytes.filter(|limit| self.bytes() > *limit) {
            return Some(Spent::Bytes(limit));
        }
        let is_late = || self.budget.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        (visited.is_multiple_of(16) && is_late()).then_some(Spent::Time)
    }

    /// How much memory all of it takes.
    fn bytes(&self) -> u64 {
        // Two sets in each configuration and frame, which wide ones keep outside of it.
        let outside =
            if size_of::<S>() == size_of::<Box<[u64]>>() { size_of_val(self.cursor.movers.words()) * 2 } else { 0 };
        let passed = self.passed.bytes(outside);
        let frames = self.frames.capacity() * size_of::<Frame<S>>() + self.frames.len() * outside;
        let choices = self.choices.capacity() * size_of::<Choice>();
        (passed + frames + choices) as u64 + self.timeline.bytes() + self.automaton.bytes()
    }

    /// Goes on until an operation closes of which something must be decided, or to the end.
    fn walk(&mut self, taken: &mut S, absorbed: &mut S, state: State) {
        while let Some(&event) = self.timeline.events.get(self.cursor.event) {
            let member = &self.timeline.members[event.member as usize];
            if event.opens {
                if member.observes && self.automaton.step(state, member.class).is_some() {
                    taken.insert(member.slot);
                }
                if member.is_write() && !member.must {
                    absorbed.insert(member.slot);
                }
            } else if taken.has(member.slot) {
                taken.remove(member.slot);
                absorbed.remove(member.slot);
            } else if self.passes_unseen(event.position, member, taken, absorbed, state) {
                absorbed.remove(member.slot);
            } else {
                return;
            }
            self.cursor.forward();
        }
    }

    /// Whether the call that closes need not take effect, and nobody will miss it.
    fn passes_unseen(&self, now: EventPosition, member: &Member, taken: &S, absorbed: &S, state: State) -> bool {
        match member.effect {
            _ if member.observes => !member.must,
            Some(Effect::Write(value)) if absorbed.has(member.slot) => {
                let need = |slot| self.cursor.member(slot).1.effect.and_then(Effect::needs);
                let mut needs =
                    self.cursor.observers.without(taken).chain(self.cursor.movers.without(taken)).filter_map(need);
                if value == state {
                    // It could still bring the value back after another, or absorb others.
                    needs.next().is_none() && self.cursor.writes.without(absorbed).all(|slot| taken.has(slot))
                } else {
                    !self.timeline.is_used_after(value, now) && !needs.any(|needed| needed == value)
                }
            }
            _ => false,
        }
    }

    /// Lets every open observer take effect that is legal now.
    fn observe(&mut self, taken: &mut S, state: State) {
        let mut legal = S::empty(self.timeline.slots);
        for slot in self.cursor.observers.without(taken) {
            if self.automaton.step(state, self.cursor.member(slot).1.class).is_some() {
                legal.insert(slot);
            }
        }
        taken.insert_all(&legal);
    }

    /// Pushes what could take effect now, the best last.
    fn branch(&mut self, taken: S, absorbed: S, state: State) {
        self.branching += 1;
        let event = self.timeline.events[self.cursor.event];
        let demanded = &self.timeline.members[event.member as usize];
        let choices = self.choices.len();
        let stays = self.timeline.must_stay(state, event.position);
        let mut blamed = self.blamed.max(stays.unwrap_or(0));

        self.note_wanted(&taken);
        self.note_first_of_lanes(&taken, &absorbed);
        let nothing_to_absorb = self.cursor.writes.without(&absorbed).all(|slot| taken.has(slot));
        let mut enablers = std::mem::take(&mut self.enablers);
        for slot in self.cursor.movers.without(&taken) {
            let (at, member) = self.cursor.member(slot);
            if at == event.member || self.first_of_lane[lane(member, &absorbed)] != (self.branching, at) {
                continue;
            }
            if let Some(Effect::Write(value)) = member.effect
                && (!self.is_wanted(value) || (value == state && nothing_to_absorb))
            {
                continue;
            }
            let Some(next) = self.automaton.step(state, member.class) else { continue };
            if stays.is_some() && next != state {
                continue;
            }
            if member.growth.is_some() {
                let too_late = self.no_way_back(&taken, at, next);
                blamed = blamed.max(too_late.unwrap_or(0));
                if too_late.is_some() || self.automaton.is_unseen(next) {
                    continue;
                }
            }
            let choice = Choice { member: at, next };
            if !demanded.is_write() && self.automaton.step(next, demanded.class).is_some() {
                enablers.push(choice);
            } else {
                self.choices.push(choice);
            }
        }
        // Best last: what must happen anyway, and ends soonest, before what others may still need.
        enablers.sort_by_key(|choice| {
            let member = &self.timeline.members[choice.member as usize];
            (!member.must || member.is_write(), member.closed)
        });
        enablers.reverse();
        self.choices.append(&mut enablers);
        self.enablers = enablers;
        let next = self.automaton.step(state, demanded.class).filter(|&next| next == state || stays.is_none());
        let may_pass = !demanded.must || absorbed.has(demanded.slot);
        let next = next.filter(|&next| match demanded.growth {
            None => true,
            Some(_) if may_pass && self.automaton.is_unseen(next) => false,
            Some(_) => {
                let too_late = self.no_way_back(&taken, event.member, next);
                blamed = blamed.max(too_late.unwrap_or(0));
                too_late.is_none()
            }
        });
        self.blamed = blamed;
        let takes_effect = next.map(|next| Choice { member: event.member, next });
        let passes = may_pass.then_some(Choice { member: PASSES, next: state });
        if takes_effect.is_some_and(|choice| self.is_next_need(&taken, choice.next)) {
            self.choices.extend(passes.into_iter().chain(takes_effect));
        } else {
            self.choices.extend(takes_effect.into_iter().chain(passes));
        }
        self.frames.push(Frame { event: self.cursor.event as u32, taken, absorbed, state, choices, chosen: PASSES });
    }

    /// Notes which values open operations need that have not taken effect.
    fn note_wanted(&mut self, taken: &S) {
        for slot in self.cursor.observers.without(taken).chain(self.cursor.movers.without(taken)) {
            let member = self.cursor.member(slot).1;
            if let Some(value) = member.effect.and_then(Effect::needs)
                && (member.must || !member.observes)
            {
                let value = value as usize;
                if self.wanted.len() <= value {
                    self.wanted.resize(value + 1, 0);
                }
                self.wanted[value] = self.branching;
            }
        }
    }

    fn is_wanted(&self, value: State) -> bool {
        self.wanted.get(value as usize) == Some(&self.branching)
    }

    /// If some get must show what a string cannot grow to any more, once a call has changed it to this one, and no put can come before: the
    /// completion of the get.
    fn no_way_back(&self, taken: &S, by: u32, string: State) -> Option<EventPosition> {
        let begins_anew = |slot| {
            let (at, member) = self.cursor.member(slot);
            at != by && member.growth == Some(Growth::Anew)
        };
        if self.cursor.movers.without(taken).any(begins_anew) {
            return None;
        }
        for event in self.timeline.events[self.cursor.event..].iter().take(AHEAD) {
            let member = &self.timeline.members[event.member as usize];
            if event.opens && member.growth == Some(Growth::Anew) {
                return None;
            }
            if event.opens || !member.observes || !member.must {
                continue;
            }
            let has_taken_effect = self.cursor.member(member.slot).0 == event.member && taken.has(member.slot);
            if !has_taken_effect && !self.automaton.may_grow_to(string, member.class) {
                return Some(event.position);
            }
        }
        None
    }

    /// Notes which of equal open operations goes first: the one that closes first, then the one that was invoked first.
    fn note_first_of_lanes(&mut self, taken: &S, absorbed: &S) {
        for slot in self.cursor.movers.without(taken) {
            let (at, member) = self.cursor.member(slot);
            let first = &mut self.first_of_lane[lane(member, absorbed)];
            let closed = |at: u32| (self.timeline.members[at as usize].closed, at);
            if first.0 != self.branching || closed(at) < closed(first.1) {
                *first = (self.branching, at);
            }
        }
    }

    /// Whether the operation that closes next, of those that still need a value, needs this one.
    fn is_next_need(&self, taken: &S, value: State) -> bool {
        let now = self.timeline.events[self.cursor.event].position;
        for event in self.timeline.events[self.cursor.event + 1..].iter().take(AHEAD).filter(|event| !event.opens) {
            let member = &self.timeline.members[event.member as usize];
            let Some(need) = member.effect.and_then(Effect::needs).filter(|_| member.must) else { continue };
            let is_open = self.cursor.member(member.slot).0 == event.member && event.position > now;
            if !(is_open && taken.has(member.slot)) {
                return need == value;
            }
        }
        false
    }
}

/// Equals share a lane; those that may let their time pass have lanes of their own. What changes a string may do so once it is absorbed.
fn lane<S: Slots>(member: &Member, absorbed: &S) -> usize {
    let is_absorbed = member.growth.is_some() && absorbed.has(member.slot);
    let may_pass = (!member.must && member.closed != crate::history::NEVER) || is_absorbed;
    member.class as usize * 2 + usize::from(may_pass)
}

#[cfg(test)]
mod tests {
    use super::super::definition::{Shape, generate, history, is_linearizable};
    use crate::{Budget, ModelName, linearizability};

    #[test]
    fn counting_at_every_configuration_finds_what_the_definition_says() {
        let histories =
            std::env::var("SHAKEDOWN_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(20_000);
        for unknown in [0, 2, 6] {
            let shape = Shape { unknown, operations: 10, processes: 4, ..Shape::of(ModelName::CasRegister) };
            let mut counts = [0; 2];
            for seed in 0..histories / 2 {
                let ops = generate(shape, seed);
                let history = history(shape.model, &ops, false);
                let verdict = linearizability::check(&history, shape.model, None, Budget::default()).expect("it fits");
                let is_legal = is_linearizable(shape.model, &ops);
                assert_eq!(
                    verdict.word(),
                    if is_legal { "valid" } else { "invalid" },
                    "seed {seed}: {verdict:?}\n{ops:#?}"
                );
                counts[usize::from(is_legal)] += 1;
            }
            assert!(counts.iter().all(|count| *count > histories / 40), "{counts:?}");
        }
    }
}
