//! The configurations that a search has been at, so that none is visited after one that was at least as free.
//!
//! One configuration is *as free* as another of the same event and state if every order from the other on gives one from this on:
//! * what only observes, and has been seen to be right in the other, has been so in this;
//! * operations that must take effect, and cannot be absorbed, have taken effect in both or in neither;
//! * optional operations that have taken effect in this have done so in the other: the order of the other just does not use them;
//! * each write, or change of a string, is *absorbed* in this, so that it may still take effect or not, or stands as it does in the other.
//!
//! So an order from the other on, without what has taken effect there already, is one from this on that has no more steps. The shortest order
//! from any configuration that was passed over could be begun from one that was visited: nothing is lost.
//!
//! *Cost:* one look at each configuration of the same event, state and bound operations: mostly none or a few.

use rustc_hash::FxHashMap;

use super::automaton::State;
use super::slots::Slots;
use super::timeline::Cursor;

/// Sets of configurations.
pub(super) struct Passed<S> {
    /// The latest configuration of an event, a state, and the bound operations that have taken effect.
    latest: FxHashMap<(u32, State, S), u32>,
    all: Vec<Open<S>>,
}

/// What distinguishes configurations of one event, state and bound operations.
struct Open<S> {
    taken: S,
    /// Without what is taken.
    absorbed: S,
    /// The one before it.
    before: u32,
}

const NONE: u32 = u32::MAX;

impl<S: Slots> Default for Passed<S> {
    fn default() -> Self {
        Passed { latest: FxHashMap::default(), all: Vec::new() }
    }
}

impl<S: Slots> Passed<S> {
    /// How many configurations were visited.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Notes a configuration at the event where the cursor is. False if one as free was noted before.
    pub fn insert(&mut self, event: u32, state: State, taken: &S, absorbed: &S, cursor: &Cursor<'_, S>) -> bool {
        let mut bound = taken.clone();
        let mut free = absorbed.clone();
        for (at, word) in bound.words_mut().iter_mut().enumerate() {
            free.words_mut()[at] &= !*word;
            *word &= cursor.bound.words()[at];
        }
        let latest = self.latest.entry((event, state, bound)).or_insert(NONE);
        let mut at = *latest;
        while let Some(passed) = self.all.get(at as usize) {
            if is_as_free(passed, taken, &free, cursor) {
                return false;
            }
            at = passed.before;
        }
        self.all.push(Open { taken: taken.clone(), absorbed: free, before: *latest });
        *latest = self.all.len() as u32 - 1;
        true
    }

    /// How much memory it takes, if each set keeps so many bytes outside of itself, for two sets.
    pub fn bytes(&self, outside: usize) -> usize {
        // What is full doubles, and holds the old beside the new for a while.
        let grown = |is_full: bool, capacity: usize| if is_full { 3 * capacity } else { capacity };
        let (length, capacity) = (self.latest.len(), self.latest.capacity());
        let latest = grown(length * 8 > capacity * 7, capacity) * (size_of::<((u32, State, S), u32)>() + 1);
        let all = grown(self.all.len() == self.all.capacity(), self.all.capacity()) * size_of::<Open<S>>();
        latest + all + self.all.len() * outside + length * outside / 2
    }
}

fn is_as_free<S: Slots>(passed: &Open<S>, taken: &S, absorbed: &S, cursor: &Cursor<'_, S>) -> bool {
    let words = passed.taken.words().iter().zip(passed.absorbed.words()).zip(taken.words()).zip(absorbed.words());
    words.enumerate().all(|(at, (((&one_taken, &one_absorbed), &taken), &absorbed))| {
        let (observers, writes) = (cursor.observers.words()[at], cursor.writes.words()[at]);
        let others = cursor.movers.words()[at] & !writes;
        let unseen = taken & !one_taken & observers;
        let used = one_taken & !taken & others;
        let bound = ((one_taken ^ taken) | (one_absorbed ^ absorbed)) & !one_absorbed & writes;
        unseen | used | bound == 0
    })
}
