//! **Unordered queues** whose values repeat, with empty answers: at an empty answer, every value has been taken as often as it was put in.
//!
//! ```text
//!   p0  ──[ put 4 ]───────────────────────────────────────
//!   p1  ─────────────[ take → 4 ───────────────────── ]───      an empty answer in the middle needs the take of 4 to have
//!   p2  ─────────────────────[ take → empty ]─────────────      happened, and then another put for each other take of 4
//! ```
//!
//! Walk the events. Nothing is done before it must be: a put takes effect when it completes, or when a take of its value completes that finds
//! none; a take when it completes. An empty answer is *placed* at a moment at which all that is in can be taken by takes that are open.
//! A configuration is what took effect of what is open, what is in, and how many operations of unknown outcome were used.
//! These rules keep the tree thin, and lose no order:
//! * **Equals in turn.** Of open puts, or takes, of one value, the one that completes first takes effect first, those of unknown outcome
//!   last. Two that are open at a moment can be exchanged in any order.
//! * **Nothing in.** Where nothing is in, every open empty answer is placed: it costs nothing.
//! * **Before a put.** Else an empty answer is placed just before a put completes, or when the empty answer does. In between only more takes
//!   begin that could take what is in, and those that complete would be the first to take it.
//! * **All at once.** Where one empty answer is placed, all that are open are.
//!
//! *Source:* ours, proven against the definition. *Cost:* O(n log n) where no empty answer has a choice, as without any; each put that
//! completes within an empty answer may double the configurations, but few have takes at hand for all that is in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::History;
use crate::history::{EventPosition, NEVER, OperationId, Outcome, ValueId};
use crate::linearizability::Spent;
use crate::verdict::Budget;

use super::pairing::Paired;
use super::shorten::{Kind, kind};

/// The operations of an unordered queue, as they stand at an event: what was open then has an unknown outcome.
pub(super) struct Bag {
    operations: Vec<Known>,
    events: Vec<Event>,
    /// When puts, and takes, of each value began that may not have happened.
    optional_puts: FxHashMap<ValueId, Vec<EventPosition>>,
    optional_takes: FxHashMap<ValueId, Vec<EventPosition>>,
    /// When takes of whatever there was began that may not have happened.
    unknown: Vec<EventPosition>,
}

#[derive(Clone, Copy)]
struct Known {
    kind: Kind,
    completed: EventPosition,
}

#[derive(Clone, Copy)]
struct Event {
    position: EventPosition,
    operation: u32,
    opens: bool,
}

/// Everything before an event is done, and of the operations that are open there, these took effect.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
struct Configuration {
    event: usize,
    done: BTreeSet<u32>,
    /// How often each value is in that is.
    held: BTreeMap<ValueId, u32>,
    /// How many optional operations were used, by value.
    puts: BTreeMap<ValueId, u32>,
    takes: BTreeMap<ValueId, u32>,
    unknown: u32,
}

impl Configuration {
    fn elements(&self) -> usize {
        self.done.len() + self.held.len() + self.puts.len() + self.takes.len()
    }
}

impl Bag {
    /// These operations, up to an event. Those that are not bound may have happened or not.
    pub fn of(
        history: &History,
        operations: &[OperationId],
        until: EventPosition,
        is_bound: impl Fn(OperationId) -> bool,
    ) -> Bag {
        let mut bag = Bag {
            operations: Vec::new(),
            events: Vec::new(),
            optional_puts: FxHashMap::default(),
            optional_takes: FxHashMap::default(),
            unknown: Vec::new(),
        };
        for &id in operations {
            let operation = history.operation(id);
            if operation.outcome() == Outcome::Fail || operation.invoked() >= until {
                continue;
            }
            let (position, completed) = (operation.invoked(), operation.completed());
            let is_known = operation.outcome() == Outcome::Ok && completed <= until && is_bound(id);
            let kind = kind(history, id);
            match kind {
                _ if is_known => {
                    let operation = bag.operations.len() as u32;
                    bag.operations.push(Known { kind, completed });
                    bag.events.push(Event { position, operation, opens: true });
                    bag.events.push(Event { position: completed, operation, opens: false });
                }
                Kind::Put(value) => bag.optional_puts.entry(value).or_default().push(position),
                Kind::Take(value) if completed <= until => bag.optional_takes.entry(value).or_default().push(position),
                // What was open at the end may have taken anything, or nothing.
                Kind::Take(_) | Kind::Unknown => bag.unknown.push(position),
                Kind::Empty if completed <= until => {}
                Kind::Empty => bag.unknown.push(position),
            }
        }
        bag.events.sort_unstable_by_key(|event| event.position);
        bag
    }

    /// Looks for an order.
    pub fn search(&self, budget: &Budget) -> Paired {
        let search = Search { bag: self, event: 0, open: BTreeSet::new(), visited: FxHashSet::default(), held: 0 };
        search.run(budget)
    }
}

struct Search<'a> {
    bag: &'a Bag,
    /// The operations that are open before this event, by their completions.
    event: usize,
    open: BTreeSet<(EventPosition, u32)>,
    visited: FxHashSet<Configuration>,
    /// How many numbers the visited configurations hold.
    held: usize,
}

impl Search<'_> {
    fn run(mut self, budget: &Budget) -> Paired {
        let mut left = vec![Configuration::default()];
        let mut reached = 0;
        while let Some(configuration) = left.pop() {
            if let Some(spent) = self.spent(budget) {
                return Paired::GaveUp { reached, spent };
            }
            self.go_to(configuration.event);
            if self.follow(configuration, &mut left) {
                return Paired::Order;
            }
            reached = self.bag.events.get(self.event).map_or(NEVER, |event| event.position).max(reached);
        }
        Paired::NoOrder { until: reached }
    }

    /// Goes from event to event, and leaves alternatives. Whether it comes to the end.
    fn follow(&mut self, mut now: Configuration, left: &mut Vec<Configuration>) -> bool {
        while let Some(&event) = self.bag.events.get(now.event) {
            let Known { kind, .. } = self.bag.operations[event.operation as usize];
            if !event.opens && !now.done.remove(&event.operation) {
                let is_possible = match kind {
                    Kind::Empty => self.place_empties(&mut now, event.position),
                    Kind::Take(value) => self.take(&mut now, value, event),
                    Kind::Put(value) => {
                        let mut placed = now.clone();
                        if self.has_empties(&now) && self.place_empties(&mut placed, event.position) {
                            if !self.visit(&now) {
                                return false;
                            }
                            placed.event += 1;
                            placed.done.remove(&event.operation);
                            placed.held.insert(value, 1);
                            left.push(placed);
                        }
                        *now.held.entry(value).or_default() += 1;
                        true
                    }
                    Kind::Unknown => unreachable!("operations of unknown outcome are not known"),
                };
                if !is_possible {
                    return false;
                }
                now.done.remove(&event.operation);
            }
            now.event += 1;
            self.forward();
            if now.held.is_empty() {
                self.note_empties(&mut now);
            }
        }
        true
    }

    /// A take that completes: of what is in, or of the first put that can come.
    fn take(&self, now: &mut Configuration, value: ValueId, event: Event) -> bool {
        if let Some(count) = now.held.get_mut(&value) {
            *count -= 1;
            if *count == 0 {
                now.held.remove(&value);
            }
            return true;
        }
        let is_free = |&&(_, at): &&(EventPosition, u32)| {
            self.bag.operations[at as usize].kind == Kind::Put(value) && !now.done.contains(&at)
        };
        if let Some(&(_, put)) = self.open.iter().find(is_free) {
            now.done.insert(put);
            return true;
        }
        let used = now.puts.get(&value).copied().unwrap_or(0);
        let next = self.bag.optional_puts.get(&value).and_then(|begun| begun.get(used as usize));
        let is_possible = next.is_some_and(|&begun| begun < event.position);
        if is_possible {
            now.puts.insert(value, used + 1);
        }
        is_possible
    }

    fn open_empties(&self, now: &Configuration) -> impl Iterator<Item = u32> {
        let is_empty = |&at: &u32| self.bag.operations[at as usize].kind == Kind::Empty && !now.done.contains(&at);
        self.open.iter().map(|&(_, at)| at).filter(is_empty)
    }

    fn has_empties(&self, now: &Configuration) -> bool {
        self.open_empties(now).next().is_some()
    }

    fn note_empties(&self, now: &mut Configuration) {
        let empties: Vec<u32> = self.open_empties(now).collect();
        now.done.extend(empties);
    }

    /// Takes all that is in, by takes that have begun, and places the empty answers that are open; false if too few have begun.
    fn place_empties(&self, now: &mut Configuration, moment: EventPosition) -> bool {
        let held = std::mem::take(&mut now.held);
        for (value, mut count) in held {
            for &(_, at) in &self.open {
                if count > 0 && self.bag.operations[at as usize].kind == Kind::Take(value) && now.done.insert(at) {
                    count -= 1;
                }
            }
            let begun = |takes: &[EventPosition]| takes.partition_point(|&begun| begun < moment) as u32;
            let optional = self.bag.optional_takes.get(&value).map_or(0, |takes| begun(takes));
            let used = now.takes.get(&value).copied().unwrap_or(0);
            let more = count.min(optional - used);
            if more > 0 {
                now.takes.insert(value, used + more);
            }
            now.unknown += count - more;
            if now.unknown > begun(&self.bag.unknown) {
                return false;
            }
        }
        self.note_empties(now);
        true
    }

    /// Notes a configuration that has a choice; false if it was noted before.
    fn visit(&mut self, now: &Configuration) -> bool {
        let is_new = self.visited.insert(now.clone());
        self.held += if is_new { now.elements() } else { 0 };
        is_new
    }

    fn forward(&mut self) {
        let event = self.bag.events[self.event];
        self.event += 1;
        self.set(event, event.opens);
    }

    fn go_to(&mut self, event: usize) {
        while self.event > event {
            self.event -= 1;
            let event = self.bag.events[self.event];
            self.set(event, !event.opens);
        }
        while self.event < event {
            self.forward();
        }
    }

    fn set(&mut self, event: Event, is_open: bool) {
        let open = (self.bag.operations[event.operation as usize].completed, event.operation);
        if is_open {
            self.open.insert(open);
        } else {
            self.open.remove(&open);
        }
    }

    /// What of the budget has run out, if anything.
    fn spent(&self, budget: &Budget) -> Option<Spent> {
        let visited = self.visited.len();
        if visited as u64 > budget.configurations {
            return Some(Spent::Configurations(budget.configurations));
        }
        // Nodes of the trees are half full at worst.
        let configurations = self.visited.capacity() * 2 * (size_of::<Configuration>() + 1) + self.held * 32;
        let known = self.bag.operations.len() * size_of::<Known>() + self.bag.events.len() * size_of::<Event>();
        let limit = budget.bytes.unwrap_or(u64::MAX);
        if (configurations + known) as u64 > limit {
            return Some(Spent::Bytes(limit));
        }
        budget.deadline.is_some_and(|deadline| Instant::now() >= deadline).then_some(Spent::Time)
    }
}
