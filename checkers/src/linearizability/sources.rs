//! Which write can a read have seen? Telling equal values apart where time does.
//!
//! ```text
//!   [ write 4 ]          [ write 4 ]                 a read of 4 that begins after `write 5` has ended cannot have
//!                [write 5]       [ read → 4 ]        seen the first write of 4: that one was written over
//! ```
//!
//! A write `w` is no source of a read `r` of the same value if `w` begins after `r` ended, or if some operation that
//! certainly wrote came wholly between them: it began after `w` had ended, and ended before `r` began. All others are candidates.
//!
//! Writes that are candidates of one read, directly or over several reads, keep one state; all others get states of their own. Every
//! legal order of the operations is legal with the new states too, as each read has its source among its candidates, and the
//! other way round, as equal states stand for equal values. What is gained: most values of long histories are then written once,
//! which is what [zones](super::zones) need, and what thins out the [search](super::search).
//!
//! *Cost:* O(n log n): each write is united with others, and found to be written over, once.

use crate::history::EventPosition;

use super::automaton::{Effect, State};
use super::registers::{Access, INITIAL};

/// What time tells about the sources of reads.
pub(super) enum Sources {
    /// Accesses with states of which each stands for one value, and the old state behind each.
    Separated { accesses: Vec<Access>, states: Vec<State> },
    /// An access that has no source, and the one that certainly wrote over all that could have been.
    None { access: usize, over: Option<usize> },
}

/// Separates equal values of different origin. Accesses are sorted by invocation; `states` is how many states they name.
pub(super) fn separate(accesses: &[Access], states: usize) -> Sources {
    let mut writers = Writers::of(accesses, states);
    let killers = killers(accesses);
    let mut sources = vec![NONE; accesses.len()];
    for (at, access) in accesses.iter().enumerate() {
        let Some(value) = access.effect.needs() else { continue };
        match writers.unite_candidates(value, access.completed, killers[at]) {
            Some(source) => sources[at] = source,
            None if writers.has_none(value) || !access.must => {}
            None => return Sources::None { access: at, over: killers[at].map(|(_, killer)| killer as usize) },
        }
    }
    writers.rename(accesses, &sources, states)
}

const NONE: u32 = u32::MAX;

/// For each access: the certain write that was invoked last of those that completed before the access was invoked.
fn killers(accesses: &[Access]) -> Vec<Option<(EventPosition, u32)>> {
    let mut certain: Vec<(EventPosition, u32)> = accesses
        .iter()
        .enumerate()
        .filter(|(_, access)| access.must && access.effect.writes().is_some())
        .map(|(at, access)| (access.completed, at as u32))
        .collect();
    certain.sort_unstable();
    let mut certain = certain.into_iter().peekable();
    let mut latest: Option<(EventPosition, u32)> = None;
    let mut killers = Vec::with_capacity(accesses.len());
    for access in accesses {
        while let Some((_, at)) = certain.next_if(|&(completed, _)| completed < access.invoked) {
            latest = latest.max(Some((accesses[at as usize].invoked, at)));
        }
        killers.push(latest);
    }
    killers
}

/// All writes, by value and then by invocation; the initial contents are one, before all others.
struct Writers {
    /// Where the writes of each value begin.
    begins: Vec<u32>,
    /// One later than the events of each write; 0 for the initial contents.
    invoked: Vec<u64>,
    completed: Vec<u64>,
    /// A forest: writes with one root are one source.
    parent: Vec<u32>,
    /// For each write, a place from which down to look for one that is not written over yet: one later than itself, or than an earlier one.
    alive: Vec<u32>,
    /// For each value, the place up to which all writes that were not written over are one source.
    united: Vec<u32>,
    /// The place of each access among the writes.
    place: Vec<u32>,
}

impl Writers {
    fn of(accesses: &[Access], states: usize) -> Writers {
        let mut begins = vec![0; states + 1];
        begins[INITIAL as usize + 1] = 1;
        for value in accesses.iter().filter_map(|access| access.effect.writes()) {
            begins[value as usize + 1] += 1;
        }
        for state in 0..states {
            begins[state + 1] += begins[state];
        }
        let mut next = begins.clone();
        let writes = begins[states];
        let (mut invoked, mut completed) = (vec![0; writes as usize], vec![0; writes as usize]);
        next[INITIAL as usize] += 1;
        let mut place = vec![NONE; accesses.len()];
        for (at, access) in accesses.iter().enumerate() {
            let Some(value) = access.effect.writes() else { continue };
            let here = next[value as usize];
            next[value as usize] += 1;
            place[at] = here;
            invoked[here as usize] = u64::from(access.invoked) + 1;
            completed[here as usize] = u64::from(access.completed) + 1;
        }
        let united = begins[..states].to_vec();
        Writers {
            begins,
            invoked,
            completed,
            parent: (0..writes).collect(),
            alive: (1..=writes).collect(),
            united,
            place,
        }
    }

    fn has_none(&self, value: State) -> bool {
        self.begins[value as usize] == self.begins[value as usize + 1]
    }

    /// Makes one source of all writes that an access can have seen, and gives one of them. To be asked in the order of invocations: what
    /// was written over before one access began was so before all later ones.
    fn unite_candidates(
        &mut self,
        value: State,
        seen_by: EventPosition,
        killer: Option<(EventPosition, u32)>,
    ) -> Option<u32> {
        let seen_by = u64::from(seen_by) + 1;
        let alive_at = killer.map_or(0, |(invoked, _)| u64::from(invoked) + 1);
        let (begin, end) = (self.begins[value as usize] as usize, self.begins[value as usize + 1] as usize);
        let seen = begin + self.invoked[begin..end].partition_point(|&invoked| invoked < seen_by);
        let source = self.latest_alive(begin, seen, alive_at)?;
        let united = self.united[value as usize] as usize;
        let mut at = source as usize;
        // One step into what is united already joins the rest to it.
        while at >= united
            && let Some(other) = self.latest_alive(begin, at, alive_at)
        {
            let (one, other_root) = (root(&mut self.parent, source), root(&mut self.parent, other));
            self.parent[other_root as usize] = one;
            at = other as usize;
        }
        self.united[value as usize] = united.max(seen) as u32;
        Some(root(&mut self.parent, source))
    }

    /// The latest write from `begin` up to but not including `end` that is not written over, if there is one.
    fn latest_alive(&mut self, begin: usize, end: usize, alive_at: u64) -> Option<u32> {
        let mut at = end;
        while at > begin {
            let write = at - 1;
            let down = self.alive[write] as usize;
            if down == at {
                if self.completed[write] >= alive_at {
                    return Some(write as u32);
                }
                // Written over for good.
                self.alive[write] = write as u32;
                at = write;
            } else {
                // Halves the way for whoever comes next.
                if down > begin {
                    self.alive[write] = self.alive[down - 1].min(down as u32);
                }
                at = down;
            }
        }
        None
    }

    /// Gives each source a state of its own.
    fn rename(&mut self, accesses: &[Access], sources: &[u32], states: usize) -> Sources {
        let mut state_of = vec![NONE; self.parent.len()];
        // The initial contents are the first write of the first value.
        let first = root(&mut self.parent, 0);
        state_of[first as usize] = INITIAL;
        let mut old = vec![INITIAL];
        // A value that nobody writes keeps one state.
        let mut unwritten = vec![NONE; states];
        let mut renamed = Vec::with_capacity(accesses.len());
        for (at, access) in accesses.iter().enumerate() {
            let mut state = |source: u32, value: State| {
                let place = match source {
                    NONE => &mut unwritten[value as usize],
                    source => &mut state_of[root(&mut self.parent, source) as usize],
                };
                if *place == NONE {
                    *place = old.len() as State;
                    old.push(value);
                }
                *place
            };
            let effect = match access.effect {
                Effect::Read(value) => Effect::Read(state(sources[at], value)),
                Effect::Write(value) => Effect::Write(state(self.place[at], value)),
                Effect::Cas(expected, new) => {
                    let expected = state(sources[at], expected);
                    Effect::Cas(expected, state(self.place[at], new))
                }
            };
            renamed.push(Access { effect, ..*access });
        }
        Sources::Separated { accesses: renamed, states: old }
    }
}

fn root(parent: &mut [u32], mut at: u32) -> u32 {
    while parent[at as usize] != at {
        parent[at as usize] = parent[parent[at as usize] as usize];
        at = parent[at as usize];
    }
    at
}
