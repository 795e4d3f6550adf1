//! The events of one object, and what is open at each: the same for every order.

use crate::history::{EventPosition, NEVER};

use super::automaton::{Automaton, Call, Class, Effect, Growth, State};
use super::slots::Slots;

/// A call, with its place in the sets.
pub(super) struct Member {
    pub class: Class,
    pub slot: u32,
    pub closed: EventPosition,
    pub must: bool,
    /// Whether it never changes a state.
    pub observes: bool,
    pub effect: Option<Effect>,
    pub growth: Option<Growth>,
}

impl Member {
    /// Whether it may take effect in any state, and what it leaves does not depend on it.
    pub fn is_write(&self) -> bool {
        matches!(self.effect, Some(Effect::Write(_)))
    }

    /// Whether nobody sees what was there before, once it has taken effect.
    pub fn begins_anew(&self) -> bool {
        self.is_write() || self.growth == Some(Growth::Anew)
    }

    /// Whether it can be put just before an operation that begins anew, and is then not seen by anybody. Optional ones that change a string
    /// need not be put anywhere.
    fn is_absorbable(&self) -> bool {
        self.is_write() || (self.growth.is_some() && self.must)
    }
}

/// A call opens or closes.
#[derive(Clone, Copy)]
pub(super) struct Event {
    pub position: EventPosition,
    pub member: u32,
    pub opens: bool,
}

/// Who still needs a value, and who could still write it.
#[derive(Clone, Copy, Default)]
struct Worth {
    /// When the last operation is invoked that must see it, and when that closes.
    needed: EventPosition,
    needed_by: EventPosition,
    /// When the last operation is invoked that could make use of it.
    used: EventPosition,
    /// How many could write it; being an initial value counts as one.
    writers: u32,
    /// When the last of them closes.
    written: EventPosition,
}

/// See the [module](self).
pub(super) struct Timeline {
    pub events: Vec<Event>,
    pub members: Vec<Member>,
    /// How many calls are open at once, at most.
    pub slots: usize,
    /// How many classes there are.
    pub classes: usize,
    /// For registers: what becomes of each value.
    worth: Vec<Worth>,
}

impl Timeline {
    /// The timeline of these calls, which are sorted by invocation, from any of these states.
    pub fn of<A: Automaton + ?Sized>(calls: &[Call], from: &[State], automaton: &A) -> Timeline {
        let mut closings: Vec<(EventPosition, u32)> = calls
            .iter()
            .enumerate()
            .filter(|(_, call)| call.closed != NEVER)
            .map(|(at, call)| (call.closed, at as u32))
            .collect();
        closings.sort();
        let mut timeline = Timeline {
            events: Vec::with_capacity(calls.len() + closings.len()),
            members: Vec::with_capacity(calls.len()),
            slots: 0,
            classes: calls.iter().map(|call| call.class as usize + 1).max().unwrap_or(0),
            worth: Vec::new(),
        };
        for &state in from {
            timeline.worth_of(state).writers += 1;
        }
        let mut closings = closings.into_iter().peekable();
        let mut free: Vec<u32> = Vec::new();
        for (at, call) in calls.iter().enumerate() {
            while let Some((position, member)) = closings.next_if(|&(position, _)| position < call.invoked) {
                free.push(timeline.members[member as usize].slot);
                timeline.events.push(Event { position, member, opens: false });
            }
            let slot = free.pop().unwrap_or_else(|| {
                timeline.slots += 1;
                timeline.slots as u32 - 1
            });
            let effect = automaton.effect(call.class);
            timeline.weigh(call, effect);
            timeline.members.push(Member {
                class: call.class,
                slot,
                closed: call.closed,
                must: call.must,
                observes: automaton.observes(call.class),
                effect,
                growth: automaton.growth(call.class),
            });
            timeline.events.push(Event { position: call.invoked, member: at as u32, opens: true });
        }
        let closing = |(position, member)| Event { position, member, opens: false };
        timeline.events.extend(closings.map(closing));
        timeline
    }

    fn worth_of(&mut self, value: State) -> &mut Worth {
        let at = value as usize;
        if at >= self.worth.len() {
            self.worth.resize(at + 1, Worth::default());
        }
        &mut self.worth[at]
    }

    fn weigh(&mut self, call: &Call, effect: Option<Effect>) {
        if let Some(value) = effect.and_then(Effect::needs) {
            let worth = self.worth_of(value);
            worth.used = call.invoked;
            if call.must {
                (worth.needed, worth.needed_by) = (worth.needed, worth.needed_by).max((call.invoked, call.closed));
            }
        }
        if let Some(value) = effect.and_then(Effect::writes) {
            let worth = self.worth_of(value);
            worth.writers += 1;
            worth.written = worth.written.max(call.closed);
        }
    }

    /// If no legal order writes over this value now: the completion for which it must stay.
    pub fn must_stay(&self, value: State, now: EventPosition) -> Option<EventPosition> {
        let worth = self.worth.get(value as usize)?;
        (worth.needed > now && (worth.writers <= 1 || worth.written < now)).then_some(worth.needed_by)
    }

    /// Whether an operation that is invoked later could make use of this value.
    pub fn is_used_after(&self, value: State, now: EventPosition) -> bool {
        self.worth.get(value as usize).is_some_and(|worth| worth.used > now)
    }

    /// How many bytes this takes.
    pub fn bytes(&self) -> u64 {
        let events = self.events.capacity() * size_of::<Event>();
        let members = self.members.capacity() * size_of::<Member>();
        (events + members + self.worth.capacity() * size_of::<Worth>()) as u64
    }
}

/// A place among the events, which can go forward and back, and what is open there.
pub(super) struct Cursor<'t, S> {
    timeline: &'t Timeline,
    /// The next event.
    pub event: usize,
    /// The open calls that only observe.
    pub observers: S,
    /// The other open calls.
    pub movers: S,
    /// Those of the movers that others can absorb: writes, and what changes a string.
    pub writes: S,
    /// Those of the movers that are no writes and must take effect.
    pub bound: S,
    member_at: Vec<u32>,
}

impl<'t, S: Slots> Cursor<'t, S> {
    pub fn new(timeline: &'t Timeline) -> Cursor<'t, S> {
        let empty = S::empty(timeline.slots);
        Cursor {
            timeline,
            event: 0,
            observers: empty.clone(),
            movers: empty.clone(),
            writes: empty.clone(),
            bound: empty,
            member_at: vec![0; timeline.slots],
        }
    }

    /// The open call in a slot.
    pub fn member(&self, slot: u32) -> (u32, &'t Member) {
        let at = self.member_at[slot as usize];
        (at, &self.timeline.members[at as usize])
    }

    /// Passes the next event.
    pub fn forward(&mut self) {
        let event = self.timeline.events[self.event];
        self.event += 1;
        self.set(event.member, event.opens);
    }

    /// Goes back to an event that was passed.
    pub fn back_to(&mut self, event: usize) {
        while self.event > event {
            self.event -= 1;
            let event = self.timeline.events[self.event];
            self.set(event.member, !event.opens);
        }
    }

    fn set(&mut self, at: u32, open: bool) {
        let member = &self.timeline.members[at as usize];
        let slot = member.slot;
        let kind = if member.observes { &mut self.observers } else { &mut self.movers };
        if open {
            kind.insert(slot);
            self.member_at[slot as usize] = at;
            if member.is_absorbable() {
                self.writes.insert(slot);
            } else if member.must && !member.observes {
                self.bound.insert(slot);
            }
        } else {
            kind.remove(slot);
            self.writes.remove(slot);
            self.bound.remove(slot);
        }
    }
}
