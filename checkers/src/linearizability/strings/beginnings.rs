//! The states of a string, as far as anybody can tell them apart: the beginnings of strings that were shown, and one for all others.
//!
//! ```text
//!   shown: "ab", "ac"      "" ──a──► "a" ──b──► "ab"
//!                                     └───c──► "ac"      everything else: unseen, until the next put
//! ```
//!
//! A string that is no beginning of one that was shown stays so whatever is appended. No get is legal in it, and what a put does never depends on the
//! state. So all such strings are one state.
//!
//! *Cost:* the shown strings are sorted once. A state is the first of them that begins so, and how long the beginning is; a step is a binary
//! search, and nothing is copied.

use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::linearizability::automaton::{Automaton, Call, Class, Growth, State, table_bytes};

use super::{Change, Get, GrowingString};

/// What an operation does.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Deed<'a> {
    Puts(&'a str),
    Appends(&'a str),
    /// It is shown the string at this place of the sorted ones.
    Gets(u32),
}

/// See the [module](self).
pub(super) struct Beginnings<'a> {
    /// In their order.
    shown: Vec<&'a str>,
    deeds: IndexSet<Deed<'a>, FxBuildHasher>,
    states: IndexSet<Beginning, FxBuildHasher>,
    steps: FxHashMap<(State, Class), State>,
}

/// What some of the shown strings, from the first of these to before the last, begin with.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Beginning {
    from: u32,
    to: u32,
    bytes: u32,
}

/// All strings that are the beginning of none that was shown.
const UNSEEN: Beginning = Beginning { from: u32::MAX, to: u32::MAX, bytes: u32::MAX };

/// The state of [`UNSEEN`].
const UNSEEN_STATE: State = 1;

impl<'a> Beginnings<'a> {
    /// The operations as calls, and the automaton that knows them.
    pub fn of(string: &GrowingString<'a>) -> (Vec<Call>, Beginnings<'a>) {
        let mut shown = string.shown.clone();
        shown.sort_unstable();
        let nothing = Beginning { from: 0, to: shown.len() as u32, bytes: 0 };
        let states = IndexSet::from_iter([nothing, UNSEEN]);
        let mut beginnings = Beginnings { shown, deeds: IndexSet::default(), states, steps: FxHashMap::default() };
        let mut calls = Vec::with_capacity(string.changes.len() + string.gets.len());
        for &Change { operation, text, is_put, invoked, completed, must } in &string.changes {
            let deed = if is_put { Deed::Puts(text) } else { Deed::Appends(text) };
            let class = beginnings.deeds.insert_full(deed).0 as Class;
            calls.push(Call { operation, class, invoked, closed: completed, must });
        }
        for &Get { operation, shown, invoked, completed } in &string.gets {
            let place = beginnings.shown.partition_point(|other| *other < string.shown[shown as usize]);
            let class = beginnings.deeds.insert_full(Deed::Gets(place as u32)).0 as Class;
            calls.push(Call { operation, class, invoked, closed: completed, must: true });
        }
        calls.sort_unstable_by_key(|call| call.invoked);
        let calls = beginnings.without_unnoticed(calls);
        (calls, beginnings)
    }

    /// What is there once a text was appended.
    fn go_on(&self, Beginning { from, to, bytes }: Beginning, text: &str) -> Beginning {
        let text = text.as_bytes();
        let rest = |shown: &&'a str| &shown.as_bytes()[bytes as usize..];
        let all = &self.shown[from as usize..to as usize];
        let first = all.partition_point(|shown| rest(shown) < text);
        let last = first + all[first..].partition_point(|shown| rest(shown).starts_with(text));
        if first == last {
            return UNSEEN;
        }
        Beginning { from: from + first as u32, to: from + last as u32, bytes: bytes + text.len() as u32 }
    }

    fn shows(&self, Beginning { from, bytes, .. }: Beginning, shown: u32) -> bool {
        from == shown && self.shown.get(shown as usize).is_some_and(|shown| shown.len() == bytes as usize)
    }
}

impl Automaton for Beginnings<'_> {
    fn initial(&self) -> State {
        0
    }

    fn step(&mut self, state: State, class: Class) -> Option<State> {
        let here = self.states[state as usize];
        let deed = self.deeds[class as usize];
        if let Deed::Gets(shown) = deed {
            return self.shows(here, shown).then_some(state);
        }
        // What is put does not depend on the state.
        let place = (if let Deed::Puts(_) = deed { 0 } else { state }, class);
        if let Some(&next) = self.steps.get(&place) {
            return Some(next);
        }
        let next = match deed {
            Deed::Puts(text) => self.go_on(self.states[0], text),
            Deed::Appends(_) if here == UNSEEN => UNSEEN,
            Deed::Appends(text) => self.go_on(here, text),
            Deed::Gets(_) => here,
        };
        let next = self.states.insert_full(next).0 as State;
        self.steps.insert(place, next);
        Some(next)
    }

    fn observes(&self, class: Class) -> bool {
        matches!(self.deeds[class as usize], Deed::Gets(_))
    }

    fn growth(&self, class: Class) -> Option<Growth> {
        match self.deeds[class as usize] {
            Deed::Puts(_) => Some(Growth::Anew),
            Deed::Appends(_) => Some(Growth::Further),
            Deed::Gets(_) => None,
        }
    }

    fn is_unseen(&self, state: State) -> bool {
        state == UNSEEN_STATE
    }

    fn may_grow_to(&self, state: State, class: Class) -> bool {
        let Beginning { from, to, .. } = self.states[state as usize];
        match self.deeds[class as usize] {
            Deed::Gets(shown) => (from..to).contains(&shown),
            Deed::Puts(_) | Deed::Appends(_) => true,
        }
    }

    /// Gets of which nobody learnt what they were shown, and puts of what nobody was shown: only another put can come after these.
    fn without_unnoticed(&self, mut calls: Vec<Call>) -> Vec<Call> {
        calls.retain(|call| {
            call.must
                || match self.deeds[call.class as usize] {
                    Deed::Gets(_) => false,
                    Deed::Puts(text) => self.go_on(self.states[0], text) != UNSEEN,
                    Deed::Appends(_) => true,
                }
        });
        calls
    }

    fn forget(&mut self) {
        self.states.truncate(UNSEEN_STATE as usize + 1);
        self.states.shrink_to_fit();
        self.steps = FxHashMap::default();
    }

    fn bytes(&self) -> u64 {
        let states = table_bytes(self.states.len(), self.states.capacity(), size_of::<Beginning>() + 16);
        states + table_bytes(self.steps.len(), self.steps.capacity(), size_of::<((State, Class), State)>())
    }

    fn describe(&self, state: State) -> String {
        let Beginning { from, bytes, .. } = self.states[state as usize];
        match self.shown.get(from as usize) {
            Some(shown) => super::words::quoted(&shown[..bytes as usize]),
            None => "a string that nobody was shown".to_owned(),
        }
    }
}
