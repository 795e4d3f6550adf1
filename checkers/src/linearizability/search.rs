//! Just-in-time linearization, depth first.
//!
//! Walk the events in order. An operation that is invoked is *open*. Nothing need be decided until an operation closes
//! that has not taken effect yet: only then it, perhaps after others that are open, must take effect now. One that is
//! optional may also let its time pass.
//!
//! ```text
//!   events    [w1   [r→2   [w2    w2]        r→2]       w1]
//!   effect                     ▲ w2 (or w1, w2)  r→2 is in already     w1: now at the latest
//! ```
//!
//! A configuration is (event, which open operations have taken effect, state): a few machine words. Each is visited once.
//!
//! Three rules keep the tree thin, and lose no order:
//! * An operation that only observes takes effect as soon as it is legal. In any order in which it comes later it can be
//!   moved forward to here, for it changes nothing.
//! * Of optional operations that never close and do the same, the one that was invoked first goes first. In any order that
//!   uses a later one instead, the two can be exchanged.
//! * A value is not written over while an operation that must see it is still to be invoked, and nothing is left that could
//!   bring it back: its only source has taken effect, as the register holds it, or all its writers have closed.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::history::{EventPosition, NEVER};

use super::automaton::{Automaton, Effect, State};
use super::object::Call;
use super::slots::Slots;

/// What the search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A legal order.
    Order,
    /// There is none, already for the events up to and with this completion.
    NoOrder { deepest: EventPosition },
    /// The budget ran out. The events before `deepest` have a legal order.
    GaveUp { deepest: EventPosition },
}

/// Looks for a legal order of the calls of one object, which are sorted by invocation.
pub(super) fn search<A: Automaton + ?Sized>(calls: &[Call], automaton: &mut A, budget: u64) -> Found {
    let timeline = match Timeline::of(calls, automaton) {
        Ok(timeline) => timeline,
        Err(deepest) => return Found::GaveUp { deepest },
    };
    match timeline.slots {
        0..=64 => Search::<u64, A>::run(&timeline, automaton, budget),
        65..=256 => Search::<[u64; 4], A>::run(&timeline, automaton, budget),
        _ => Search::<Box<[u64]>, A>::run(&timeline, automaton, budget),
    }
}

/// The events of one object, with what is open at each: the same for every order.
struct Timeline {
    events: Vec<Step>,
    members: Vec<Member>,
    /// Observers and movers that are open when a call closes.
    open: Vec<u32>,
    /// Optional movers that never close, in the order of their invocations.
    endless: Vec<u32>,
    /// For registers: what becomes of each value.
    worth: FxHashMap<State, Worth>,
    slots: usize,
}

/// Who still needs a value, and who could still write it.
#[derive(Clone, Copy, Default)]
struct Worth {
    /// When the last operation is invoked that must see it, and when that closes.
    needed: EventPosition,
    needed_by: EventPosition,
    /// How many could write it; being the initial value counts as one.
    writers: u32,
    /// When the last of them closes.
    written: EventPosition,
}

/// A call, with its place in the sets.
struct Member {
    class: u32,
    slot: u32,
    observes: bool,
    /// The call that goes before this one, as both are endless and do the same.
    twin: Option<u32>,
}

struct Step {
    position: EventPosition,
    member: u32,
    kind: StepKind,
}

enum StepKind {
    Opens,
    /// A call has taken effect by now, if it must or ever will. Ranges of `open`: observers and movers; and how many endless
    /// calls there are yet.
    Closes {
        must: bool,
        observers: (u32, u32),
        movers: (u32, u32),
        endless: u32,
    },
}

/// The most places in [`Timeline::open`]: 200 MB. Only histories in which thousands of operations are open at once need more.
const MOST_OPEN: usize = 50_000_000;

impl Timeline {
    /// The timeline of these calls; or the event at which it would take too much memory.
    fn of<A: Automaton + ?Sized>(calls: &[Call], automaton: &A) -> Result<Timeline, EventPosition> {
        let mut order: Vec<(EventPosition, u32)> = Vec::with_capacity(calls.len() * 2);
        for (at, call) in calls.iter().enumerate() {
            order.push((call.invoked, at as u32));
            if call.closed != NEVER {
                order.push((call.closed, at as u32));
            }
        }
        order.sort_unstable();

        let mut timeline = Timeline {
            events: Vec::with_capacity(order.len()),
            members: Vec::with_capacity(calls.len()),
            open: Vec::new(),
            endless: Vec::new(),
            worth: FxHashMap::default(),
            slots: 0,
        };
        timeline.worth.entry(automaton.initial()).or_default().writers += 1;
        for call in calls {
            let effect = automaton.effect(call.class);
            if let Some(value) = effect.and_then(Effect::needs).filter(|_| call.must) {
                let worth = timeline.worth.entry(value.0).or_default();
                (worth.needed, worth.needed_by) = (worth.needed, worth.needed_by).max((call.invoked, call.closed));
            }
            if let Some(value) = effect.and_then(Effect::writes) {
                let worth = timeline.worth.entry(value.0).or_default();
                worth.writers += 1;
                worth.written = worth.written.max(call.closed);
            }
            let observes = automaton.observes(call.class);
            timeline.members.push(Member { class: call.class, slot: u32::MAX, observes, twin: None });
        }
        let mut free: Vec<u32> = Vec::new();
        let (mut observers, mut movers): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        let mut last_of_class = FxHashMap::default();
        for (position, at) in order {
            let call = calls[at as usize];
            if position == call.invoked {
                let slot = free.pop().unwrap_or_else(|| {
                    timeline.slots += 1;
                    timeline.slots as u32 - 1
                });
                let member = &mut timeline.members[at as usize];
                member.slot = slot;
                if call.closed == NEVER && !call.must {
                    member.twin = last_of_class.insert(call.class, at);
                    timeline.endless.push(at);
                } else if member.observes {
                    observers.push(at);
                } else {
                    movers.push(at);
                }
                timeline.events.push(Step { position, member: at, kind: StepKind::Opens });
                continue;
            }
            let mut stretch = |members: &[u32]| {
                let from = timeline.open.len() as u32;
                timeline.open.extend_from_slice(members);
                (from, timeline.open.len() as u32)
            };
            let kind = StepKind::Closes {
                must: call.must,
                observers: stretch(&observers),
                movers: stretch(&movers),
                endless: timeline.endless.len() as u32,
            };
            if timeline.open.len() > MOST_OPEN {
                return Err(position);
            }
            observers.retain(|&open| open != at);
            movers.retain(|&open| open != at);
            free.push(timeline.members[at as usize].slot);
            timeline.events.push(Step { position, member: at, kind });
        }
        Ok(timeline)
    }

    /// If no legal order writes over this value now: the completion for which it must stay.
    fn must_stay(&self, value: State, now: EventPosition) -> Option<EventPosition> {
        let worth = self.worth.get(&value)?;
        (worth.needed > now && (worth.writers <= 1 || worth.written < now)).then_some(worth.needed_by)
    }

    fn open(&self, (from, to): (u32, u32)) -> &[u32] {
        &self.open[from as usize..to as usize]
    }
}

/// A configuration at which an operation closes, with the choices that are left.
struct Frame<S> {
    event: u32,
    taken: S,
    state: State,
    /// Where its choices begin in the stack of choices.
    choices: usize,
}

struct Search<'a, S, A: ?Sized> {
    timeline: &'a Timeline,
    automaton: &'a mut A,
    visited: FxHashSet<(u32, State, S)>,
    frames: Vec<Frame<S>>,
    /// The choices of all frames, those of the last one on top, the best on top of them: a member, and the state after it.
    choices: Vec<(u32, State)>,
    /// The last completion for which a value had to stay.
    blamed: EventPosition,
}

impl<'a, S: Slots, A: Automaton + ?Sized> Search<'a, S, A> {
    fn run(timeline: &'a Timeline, automaton: &'a mut A, budget: u64) -> Found {
        let initial = automaton.initial();
        let mut search = Search {
            timeline,
            automaton,
            visited: FxHashSet::default(),
            frames: Vec::new(),
            choices: Vec::new(),
            blamed: 0,
        };
        search.descend(S::empty(timeline.slots), initial, budget)
    }

    fn descend(&mut self, mut taken: S, mut state: State, budget: u64) -> Found {
        let mut event = 0;
        let mut deepest = 0;
        loop {
            event = self.walk(event, &mut taken, state);
            let Some(step) = self.timeline.events.get(event) else { return Found::Order };
            deepest = deepest.max(step.position);
            if self.visited.insert((event as u32, state, taken.clone())) {
                if self.visited.len() as u64 > budget {
                    return Found::GaveUp { deepest };
                }
                self.branch(event, taken.clone(), state);
            }
            let Some((frame, member, next)) = self.next_choice() else {
                return Found::NoOrder { deepest: deepest.max(self.blamed) };
            };
            event = frame.event as usize;
            taken = frame.taken.clone();
            let changed = next != frame.state;
            taken.insert(self.timeline.members[member as usize].slot);
            state = next;
            if changed {
                self.observe(event, &mut taken, state);
            }
        }
    }

    /// Goes on until an operation closes that has not taken effect; gives that event, or the end.
    fn walk(&mut self, mut event: usize, taken: &mut S, state: State) -> usize {
        while let Some(step) = self.timeline.events.get(event) {
            let member = &self.timeline.members[step.member as usize];
            match step.kind {
                StepKind::Opens => {
                    if member.observes && self.automaton.step(state, member.class).is_some() {
                        taken.insert(member.slot);
                    }
                }
                StepKind::Closes { .. } if taken.has(member.slot) => taken.remove(member.slot),
                StepKind::Closes { .. } => break,
            }
            event += 1;
        }
        event
    }

    /// Lets every open observer take effect that is legal now.
    fn observe(&mut self, event: usize, taken: &mut S, state: State) {
        let StepKind::Closes { observers, .. } = self.timeline.events[event].kind else { return };
        for &at in self.timeline.open(observers) {
            let member = &self.timeline.members[at as usize];
            if !taken.has(member.slot) && self.automaton.step(state, member.class).is_some() {
                taken.insert(member.slot);
            }
        }
    }

    /// Pushes what could take effect now: on top the demanded operation, then those after which it is legal.
    fn branch(&mut self, event: usize, taken: S, state: State) {
        let step = &self.timeline.events[event];
        let StepKind::Closes { must, movers, endless, .. } = step.kind else { return };
        let demanded = &self.timeline.members[step.member as usize];
        let choices = self.choices.len();
        let mut enablers = Vec::new();
        let endless = &self.timeline.endless[..endless as usize];
        let stays = self.timeline.must_stay(state, step.position);
        self.blamed = self.blamed.max(stays.unwrap_or(0));
        for &at in endless.iter().chain(self.timeline.open(movers)) {
            let member = &self.timeline.members[at as usize];
            let waits = member.twin.is_some_and(|twin| !taken.has(self.timeline.members[twin as usize].slot));
            if at == step.member || taken.has(member.slot) || waits {
                continue;
            }
            let Some(next) = self.automaton.step(state, member.class) else { continue };
            if stays.is_some() && next != state {
                continue;
            }
            if self.automaton.step(next, demanded.class).is_some() {
                enablers.push((at, next));
            } else {
                self.choices.push((at, next));
            }
        }
        self.choices.append(&mut enablers);
        if let Some(next) = self.automaton.step(state, demanded.class)
            && (next == state || stays.is_none())
        {
            self.choices.push((step.member, next));
        }
        if !must {
            // Its time passes: it counts as taken, and changes nothing.
            self.choices.push((step.member, state));
        }
        self.frames.push(Frame { event: event as u32, taken, state, choices });
    }

    /// Takes the best choice that is left, of the latest frame that has one.
    fn next_choice(&mut self) -> Option<(&Frame<S>, u32, State)> {
        while self.frames.last().is_some_and(|frame| self.choices.len() == frame.choices) {
            self.frames.pop();
        }
        let frame = self.frames.last()?;
        let (member, next) = self.choices.pop()?;
        Some((frame, member, next))
    }
}
