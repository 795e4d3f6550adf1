//! **Queues**, first in, first out, whose values repeat: the i-th element that is taken is the i-th that was put in.
//!
//! ```text
//!   puts   [ 1 ]  [ 2 ]  [ 1 ]  [ 3 ] ...        a front in the puts and a front in the takes move on together,
//!   takes      [→1]   [→2]   [→1]     ...        one put and one take of the same value at a time
//! ```
//!
//! The contents of the queue need not be known. A history without empty answers has an order exactly when its puts can be ordered, and
//! its takes, both in real time and with the same values, so that no take among the first n completed before one of the first n puts
//! began. (A cycle among these orders goes from a put to a take and back; all but the one forbidden here contradict an order of puts or
//! takes in real time.) An empty answer is a cut: equally many puts and takes before it, everything else after it.
//!
//! So a configuration is what was put and taken so far: for puts, takes and empty answers, the first in the order of completions that
//! is left, and which of those open at that moment are done. These rules keep the tree thin, and lose no order:
//! * **Equals in turn.** Of puts, or takes, of one value that could come next, the one that closes first does. The two could be exchanged
//!   in any order that uses the other. While an empty answer is left, a take stands for another only if it also began no later.
//! * **Empty answers first.** An empty answer is placed at the first cut at which it is possible.
//! * A put of unknown outcome is used only for a take that is known, and a take of unknown outcome only for a put that is known: two that
//!   may not have happened can be left out together.
//!
//! *Source:* the graph of frontiers is after Lee & Mathur (PLDI 2026, fptlin); just-in-time and memoised, depth first, it is ours, proven
//! against the definition.
//!
//! *Cost:* one configuration an element where the fronts decide; with k clients at most n·4^k of them, whatever the queue holds.

use std::time::Instant;

use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use crate::History;
use crate::history::{EventPosition, NEVER, OperationId, Outcome, Value, ValueId};
use crate::linearizability::Spent;
use crate::linearizability::slots::Slots;
use crate::verdict::Budget;

/// Whether there is an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paired {
    Order,
    /// None, already for what was invoked before this completion; before it there is one.
    NoOrder {
        until: EventPosition,
    },
    GaveUp {
        reached: EventPosition,
        spent: Spent,
    },
}

/// The operations of a queue by what they do, as they stand at an event: what was open then has an unknown outcome.
pub(super) struct Queue {
    puts: Side,
    takes: Side,
    empties: Side,
    /// Takes of unknown outcome: when they began.
    unknown: Vec<EventPosition>,
    /// Puts of unknown outcome, by value: when they began.
    optional: FxHashMap<ValueId, Optional>,
}

/// The puts of one value whose outcome is unknown.
struct Optional {
    /// The place of their count in the counts of a configuration.
    place: usize,
    begun: Vec<EventPosition>,
}

#[derive(Clone, Copy)]
struct Timed {
    value: ValueId,
    invoked: EventPosition,
    completed: EventPosition,
    slot: u32,
}

/// Operations of one kind, in the order of their completions.
#[derive(Default)]
struct Side {
    all: Vec<Timed>,
    /// Of each, the others that are open when it completes: a stretch of `open`.
    starts: Vec<u32>,
    open: Vec<u32>,
    slots: usize,
}

impl Side {
    fn of(mut all: Vec<Timed>) -> Side {
        all.sort_unstable_by_key(|operation| operation.completed);
        let mut by_invocation: Vec<u32> = (0..all.len() as u32).collect();
        by_invocation.sort_unstable_by_key(|&at| all[at as usize].invoked);
        let mut next = by_invocation.into_iter().peekable();
        let mut side = Side { starts: vec![0], ..Side::default() };
        let (mut active, mut free): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        for at in 0..all.len() as u32 {
            let completed = all[at as usize].completed;
            while let Some(begun) = next.next_if(|&other| all[other as usize].invoked < completed) {
                all[begun as usize].slot = free.pop().unwrap_or_else(|| {
                    side.slots += 1;
                    side.slots as u32 - 1
                });
                active.push(begun);
            }
            active.retain(|&other| other != at);
            free.push(all[at as usize].slot);
            side.open.extend(&active);
            side.starts.push(side.open.len() as u32);
        }
        side.all = all;
        side
    }

    /// When the first of what is left completes.
    fn closes(&self, front: u32) -> EventPosition {
        self.all.get(front as usize).map_or(NEVER, |operation| operation.completed)
    }

    /// What could come next, as far as its own kind goes.
    fn next<'s, S: Slots>(&'s self, front: &'s Front<S>) -> impl Iterator<Item = u32> + 's {
        let at = front.first as usize;
        let open = match self.all.get(at) {
            Some(_) => &self.open[self.starts[at] as usize..self.starts[at + 1] as usize],
            None => &[],
        };
        let first = (at < self.all.len()).then_some(front.first);
        first.into_iter().chain(open.iter().copied().filter(|&at| !front.done.has(self.all[at as usize].slot)))
    }

    fn pass<S: Slots>(&self, front: &mut Front<S>, at: u32) {
        if at != front.first {
            front.done.insert(self.all[at as usize].slot);
            return;
        }
        front.first += 1;
        while let Some(next) = self.all.get(front.first as usize).filter(|next| front.done.has(next.slot)) {
            front.done.remove(next.slot);
            front.first += 1;
        }
    }

    fn bytes(&self) -> u64 {
        (self.all.capacity() * size_of::<Timed>() + (self.starts.capacity() + self.open.capacity()) * 4) as u64
    }
}

/// How far the operations of one kind are done: all that complete before the first that is left, and some of those open then.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Front<S> {
    first: u32,
    done: S,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Configuration<S> {
    puts: Front<S>,
    takes: Front<S>,
    empties: Front<S>,
    /// How many takes of unknown outcome are used.
    unknown: u32,
    /// How many puts of unknown outcome are used, by value: a name for these counts.
    optional: u32,
}

/// A configuration, and when the last take began that is done: it follows from the configuration.
#[derive(Clone)]
struct Visit<S> {
    configuration: Configuration<S>,
    begun: EventPosition,
}

impl Queue {
    /// These operations, up to an event. Those that are not bound may have happened or not; a take of them may have taken anything.
    pub fn of(
        history: &History,
        operations: &[OperationId],
        until: EventPosition,
        is_bound: impl Fn(OperationId) -> bool,
    ) -> Queue {
        let named = |name: &str| history.id_of(&Value::text(name));
        let (enqueue, empty) = (named("enqueue"), named("empty"));
        let (mut puts, mut takes, mut empties, mut unknown) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut optional: FxHashMap<ValueId, Optional> = FxHashMap::default();
        for operation in operations.iter().map(|&id| history.operation(id)) {
            if operation.outcome() == Outcome::Fail || operation.invoked() >= until {
                continue;
            }
            let is_known = operation.outcome() == Outcome::Ok && operation.completed() <= until;
            let is_bound = is_bound(operation.id());
            let is_put = Some(operation.function_id()) == enqueue;
            let value = if is_put { operation.argument_id() } else { operation.result_id() };
            let timed = Timed { value, invoked: operation.invoked(), completed: operation.completed(), slot: 0 };
            match (is_put, is_known) {
                (true, true) if is_bound => puts.push(timed),
                (true, _) => {
                    let place = optional.len();
                    let optional = optional.entry(value).or_insert(Optional { place, begun: Vec::new() });
                    optional.begun.push(timed.invoked);
                }
                (false, false) => unknown.push(timed.invoked),
                (false, true) if value == ValueId::NIL || Some(value) == empty => {
                    if is_bound {
                        empties.push(timed);
                    }
                }
                (false, true) if is_bound => takes.push(timed),
                (false, true) => unknown.push(timed.invoked),
            }
        }
        Queue { puts: Side::of(puts), takes: Side::of(takes), empties: Side::of(empties), unknown, optional }
    }

    /// Looks for an order.
    pub fn search(&self, budget: &Budget) -> Paired {
        match self.puts.slots.max(self.takes.slots).max(self.empties.slots) {
            0..=64 => Search::<u64>::new(self, budget).run(),
            65..=256 => Search::<[u64; 4]>::new(self, budget).run(),
            _ => Search::<Box<[u64]>>::new(self, budget).run(),
        }
    }
}

struct Search<'a, S> {
    queue: &'a Queue,
    budget: &'a Budget,
    visited: FxHashSet<Configuration<S>>,
    /// What is left to visit, the best last.
    left: Vec<Visit<S>>,
    counts: IndexSet<Box<[u32]>, FxBuildHasher>,
    reached: EventPosition,
}

impl<'a, S: Slots> Search<'a, S> {
    fn new(queue: &'a Queue, budget: &'a Budget) -> Search<'a, S> {
        let mut counts = IndexSet::default();
        counts.insert(vec![0; queue.optional.len()].into_boxed_slice());
        Search { queue, budget, visited: FxHashSet::default(), left: Vec::new(), counts, reached: 0 }
    }

    fn run(mut self) -> Paired {
        let front = |side: &Side| Front { first: 0, done: S::empty(side.slots) };
        let Queue { puts, takes, empties, .. } = self.queue;
        let (puts, takes, empties) = (front(puts), front(takes), front(empties));
        let first = Configuration { puts, takes, empties, unknown: 0, optional: 0 };
        self.left.push(Visit { configuration: first, begun: 0 });
        while let Some(mut visit) = self.left.pop() {
            self.place_empties(&mut visit);
            let Configuration { takes, empties, .. } = &visit.configuration;
            let closes = self.queue.takes.closes(takes.first).min(self.queue.empties.closes(empties.first));
            if closes == NEVER {
                return Paired::Order;
            }
            self.reached = self.reached.max(closes);
            if self.visited.contains(&visit.configuration) {
                continue;
            }
            if let Some(spent) = self.spent() {
                return Paired::GaveUp { reached: self.reached, spent };
            }
            self.visited.insert(visit.configuration.clone());
            self.branch(&visit);
        }
        Paired::NoOrder { until: self.reached }
    }

    /// Places every empty answer that is possible at this cut.
    fn place_empties(&self, Visit { configuration, begun }: &mut Visit<S>) {
        let Queue { puts, takes, empties, .. } = self.queue;
        let closes = puts.closes(configuration.puts.first).min(takes.closes(configuration.takes.first));
        if *begun > closes {
            return;
        }
        let possible = |&at: &u32| empties.all[at as usize].invoked < closes;
        loop {
            let next = empties.next(&configuration.empties).find(possible);
            let Some(at) = next else { return };
            empties.pass(&mut configuration.empties, at);
        }
    }

    /// Pushes what may follow, the best last.
    fn branch(&mut self, Visit { configuration, begun }: &Visit<S>) {
        let Queue { puts, takes, empties, unknown, optional } = self.queue;
        let taken_by = takes.closes(configuration.takes.first).min(empties.closes(configuration.empties.first));
        let put_by = taken_by.min(puts.closes(configuration.puts.first));
        let mut next_puts: Vec<u32> = puts.next(&configuration.puts).collect();
        next_puts.retain(|&at| puts.all[at as usize].invoked < put_by);
        first_of_equals(puts, &mut next_puts, |_, _| true);
        let mut next_takes: Vec<u32> = takes.next(&configuration.takes).collect();
        next_takes.retain(|&at| takes.all[at as usize].invoked < taken_by);
        // An empty answer that is left may need a cut before a later take begins.
        let any_will_do = empties.closes(configuration.empties.first) == NEVER;
        first_of_equals(takes, &mut next_takes, |first, other| {
            any_will_do || first.invoked <= other.invoked.max(*begun)
        });

        if let Some(&taker) = unknown.get(configuration.unknown as usize).filter(|&&taker| taker < taken_by) {
            for &at in next_puts.iter().rev() {
                let mut next = Visit { configuration: configuration.clone(), begun: taker.max(*begun) };
                puts.pass(&mut next.configuration.puts, at);
                next.configuration.unknown += 1;
                self.left.push(next);
            }
        }
        for &take in next_takes.iter().rev() {
            let value = takes.all[take as usize].value;
            let begun = takes.all[take as usize].invoked.max(*begun);
            let mut next = Visit { configuration: configuration.clone(), begun };
            takes.pass(&mut next.configuration.takes, take);
            if let Some(&put) = next_puts.iter().find(|&&at| puts.all[at as usize].value == value) {
                puts.pass(&mut next.configuration.puts, put);
                self.left.push(next);
            } else if let Some(optional) = optional.get(&value) {
                let counts = &self.counts[configuration.optional as usize];
                let used = counts[optional.place] as usize;
                if optional.begun.get(used).is_some_and(|&put| put < put_by) {
                    let mut counts = counts.clone();
                    counts[optional.place] += 1;
                    next.configuration.optional = self.counts.insert_full(counts).0 as u32;
                    self.left.push(next);
                }
            }
        }
    }

    /// What of the budget has run out, if anything.
    fn spent(&self) -> Option<Spent> {
        let visited = self.visited.len() as u64;
        if visited > self.budget.configurations {
            return Some(Spent::Configurations(self.budget.configurations));
        }
        let limit = self.budget.bytes.unwrap_or(u64::MAX);
        if self.bytes() > limit {
            return Some(Spent::Bytes(limit));
        }
        let is_late = || self.budget.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        (visited.is_multiple_of(16) && is_late()).then_some(Spent::Time)
    }

    fn bytes(&self) -> u64 {
        let Queue { puts, takes, empties, unknown, .. } = self.queue;
        let wide = size_of::<S>() == size_of::<Box<[u64]>>() && puts.slots.max(takes.slots).max(empties.slots) > 256;
        let outside = if wide { (puts.slots + takes.slots + empties.slots) / 8 + 48 } else { 0 };
        // What is full doubles, and holds the old beside the new for a while.
        let grown = |length: usize, capacity: usize| if length >= capacity { 3 * capacity } else { capacity };
        let visited = grown(self.visited.len(), self.visited.capacity()) * (size_of::<Configuration<S>>() + 2);
        // A branching pushes two visits for each open operation at most.
        let left = grown(self.left.len() + 2 * puts.slots + takes.slots, self.left.capacity()) * size_of::<Visit<S>>();
        let counts = self.counts.capacity() * (self.queue.optional.len() * 4 + 48);
        let held = (self.visited.len() + self.left.len()) * outside + unknown.len() * 4;
        (visited + left + counts + held) as u64 + puts.bytes() + takes.bytes() + empties.bytes()
    }
}

/// Of equal values the one that closes first, in the order of completions, and all that it cannot stand for.
fn first_of_equals(side: &Side, next: &mut Vec<u32>, stands_for: impl Fn(&Timed, &Timed) -> bool) {
    next.sort_unstable();
    let mut kept = 0;
    for at in 0..next.len() {
        let this = &side.all[next[at] as usize];
        let stands = |&other: &u32| {
            let other = &side.all[other as usize];
            other.value == this.value && stands_for(other, this)
        };
        if !next[..kept].iter().any(stands) {
            next[kept] = next[at];
            kept += 1;
        }
    }
    next.truncate(kept);
}
