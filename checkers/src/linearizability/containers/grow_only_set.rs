//! **Sets that only grow**: elements are added, and a `read` answers all of them.
//!
//! ```text
//!   p0  ──[ add 4 ]──────────────────────────────
//!   p1  ──────────────[ add 5 ]──────────────────      not linearizable: 4 was in before 5
//!   p2  ───────────────────[ read → {5} ]────────
//! ```
//!
//! *Method:* an element comes before the reads that have it and after those that have it not. So any two reads must be comparable: one has all
//! that the other has. Then everything falls into *layers*: the elements of the smallest read, the reads that answered just these, the elements
//! of the next larger read, … , the elements that no read has. An order is legal exactly when it goes layer by layer; and there is one
//! exactly when nothing completed before something of an earlier layer began. An element that is added several times is in from the first of
//! these that takes effect: it is as if it were added once, between the first invocation and the first completion.
//!
//! *Source:* the argument above; compare the set of Lee & Mathur, "Efficient decrease-and-conquer linearizability monitoring", 2025, which
//! has no reads of the whole.
//!
//! *Cost:* O(n + m log m) for n operations and m reads, and the sum of what the reads answered.

use rustc_hash::FxHashMap;

use crate::History;
use crate::history::{EventPosition, NEVER, Operation, OperationId, Outcome, Value, ValueId};
use crate::model::set::elements;

use crate::model::set::truth;
use crate::model::{Call, Set};

use super::phrases::{began, ended, place};
use super::{Decision, Violation, cut};

/// An element, as if it were added once.
struct Element {
    value: ValueId,
    first_invoked: OperationId,
    invoked: EventPosition,
    first_completed: OperationId,
    completed: EventPosition,
    /// The group of the first read that has it.
    group: u32,
    /// The last read that had it, by its number.
    stamp: u32,
}

const NO_READ: u32 = u32::MAX;

/// Decides about a set; `None` if something else than `add` and `read` was done, or an `add` answered whether it changed anything.
pub(super) fn decide(history: &History, operations: &[OperationId]) -> Option<Decision> {
    let named = |name: &str| history.id_of(&Value::text(name));
    let (add, read) = (named("add"), named("read"));
    let mut reads: Vec<(Vec<&Value>, OperationId)> = Vec::new();
    let mut set = GrowOnlySet { history, elements: Vec::new(), by_value: FxHashMap::default() };
    for operation in operations.iter().map(|&id| history.operation(id)) {
        let function = Some(operation.function_id());
        match operation.outcome() {
            Outcome::Fail => {}
            _ if function == add && !says_nothing(operation) => return None,
            _ if function == add => set.add(operation),
            _ if function != read => return None,
            Outcome::Ok if operation.result_id() != ValueId::NIL => {
                reads.push((elements(operation.result())?, operation.id()));
            }
            _ => {}
        }
    }
    Some(match set.violation(&mut reads, operations) {
        None => Decision::Legal,
        Some(violation) => cut(violation, &[], |_| None),
    })
}

fn says_nothing(operation: Operation<'_>) -> bool {
    truth(Call::of(operation, &Set)).is_none()
}

struct GrowOnlySet<'a> {
    history: &'a History,
    elements: Vec<Element>,
    by_value: FxHashMap<ValueId, u32>,
}

impl GrowOnlySet<'_> {
    fn add(&mut self, operation: Operation<'_>) {
        let completed = if operation.outcome() == Outcome::Ok { operation.completed() } else { NEVER };
        let next = self.elements.len() as u32;
        let at = *self.by_value.entry(operation.argument_id()).or_insert(next);
        match self.elements.get_mut(at as usize) {
            None => self.elements.push(Element {
                value: operation.argument_id(),
                first_invoked: operation.id(),
                invoked: operation.invoked(),
                first_completed: operation.id(),
                completed,
                group: NO_READ,
                stamp: NO_READ,
            }),
            Some(element) if completed < element.completed => {
                (element.first_completed, element.completed) = (operation.id(), completed);
            }
            Some(_) => {}
        }
    }

    fn violation(&mut self, reads: &mut [(Vec<&Value>, OperationId)], operations: &[OperationId]) -> Option<Violation> {
        reads.sort_by_key(|(elements, _)| elements.len());
        let mut groups: Vec<Vec<OperationId>> = Vec::new();
        let mut seen = 0;
        for (number, (answer, read)) in reads.iter().enumerate() {
            let mut fresh: Vec<u32> = Vec::new();
            for value in answer {
                let known = self.history.id_of(value).and_then(|id| self.by_value.get(&id).copied());
                let Some(at) = known else { return Some(self.never_added(*read, value, operations)) };
                let element = &mut self.elements[at as usize];
                if element.stamp == number as u32 {
                    return Some(self.twice(*read, at));
                }
                element.stamp = number as u32;
                if element.group == NO_READ {
                    fresh.push(at);
                }
            }
            if answer.len() - fresh.len() < seen {
                return Some(self.incomparable(reads[number - 1].1, *read, number as u32, fresh[0]));
            }
            if !fresh.is_empty() || groups.is_empty() {
                groups.push(Vec::new());
            }
            let group = groups.len() as u32 - 1;
            fresh.iter().for_each(|&at| self.elements[at as usize].group = group);
            seen += fresh.len();
            groups[group as usize].push(*read);
        }
        self.out_of_order(&groups)
    }

    /// Something that completed before something of an earlier layer began.
    fn out_of_order(&self, groups: &[Vec<OperationId>]) -> Option<Violation> {
        let mut by_group: Vec<Vec<u32>> = vec![Vec::new(); groups.len() + 1];
        for (at, element) in self.elements.iter().enumerate() {
            by_group[groups.len().min(element.group as usize)].push(at as u32);
        }
        // What began last in the layers so far: an operation, and the element that it adds if it adds one.
        let mut latest: Option<(EventPosition, OperationId, Option<u32>)> = None;
        for (group, added) in by_group.iter().enumerate() {
            let before = latest;
            for &at in added {
                let element = &self.elements[at as usize];
                if let Some((invoked, operation, adds)) = before
                    && element.completed < invoked
                {
                    return Some(self.added_too_early(element, operation, adds, groups));
                }
                if latest.is_none_or(|(invoked, ..)| element.invoked > invoked) {
                    latest = Some((element.invoked, element.first_invoked, Some(at)));
                }
            }
            let before = latest;
            for &read in groups.get(group).into_iter().flatten() {
                let read = self.history.operation(read);
                if let Some((invoked, operation, adds)) = before
                    && read.completed() < invoked
                {
                    return Some(self.read_too_early(read, operation, adds));
                }
                if latest.is_none_or(|(invoked, ..)| read.invoked() > invoked) {
                    latest = Some((read.invoked(), read.id(), None));
                }
            }
        }
        None
    }

    /// An element was added before something began that it must come after: a read that has it not, or an element that such a read has.
    fn added_too_early(
        &self,
        element: &Element,
        later: OperationId,
        adds: Option<u32>,
        groups: &[Vec<OperationId>],
    ) -> Violation {
        let add = self.history.operation(element.first_completed);
        let later = self.history.operation(later);
        let mut operations = vec![add.id(), later.id()];
        let completed = format!("process {} had completed adding {} {}", add.process(), add.argument(), ended(add));
        let sentence = match adds {
            None => format!(
                "{}, although {completed}, before that read began {}",
                self.misses(later, element),
                began(later)
            ),
            Some(at) => {
                let read = groups[self.elements[at as usize].group as usize][0];
                operations.push(read);
                format!(
                    "{}, although it has {}, and {completed}, before process {} began adding {} {}",
                    self.misses(self.history.operation(read), element),
                    later.argument(),
                    later.process(),
                    later.argument(),
                    began(later)
                )
            }
        };
        let name = if element.group == NO_READ { "lost-element" } else { "stale-read" };
        Violation { units: vec![operations], name, sentence }
    }

    /// A read completed before something began that it must come after: an element that it has, or a read that has less.
    fn read_too_early(&self, read: Operation<'_>, later: OperationId, adds: Option<u32>) -> Violation {
        let later = self.history.operation(later);
        let units = vec![vec![read.id(), later.id()]];
        let place = place("set", read);
        if adds.is_some() {
            let sentence = format!(
                "process {} read {} in {place} {}, although the first add of it, by process {}, began only {}",
                read.process(),
                later.argument(),
                ended(read),
                later.process(),
                began(later)
            );
            return Violation { units, name: "read-before-added", sentence };
        }
        let sentence = format!(
            "process {} read {} elements in {place} {}, although process {} had read {} there {}, before that read began {}, and elements are \
             never removed",
            later.process(),
            count(later),
            ended(later),
            read.process(),
            count(read),
            ended(read),
            began(later)
        );
        Violation { units, name: "stale-read", sentence }
    }

    fn misses(&self, read: Operation<'_>, element: &Element) -> String {
        let value = self.history.value(element.value);
        format!("process {} did not read {value} in {} {}", read.process(), place("set", read), ended(read))
    }

    fn never_added(&self, read: OperationId, value: &Value, operations: &[OperationId]) -> Violation {
        let read = self.history.operation(read);
        let failed = operations
            .iter()
            .map(|&id| self.history.operation(id))
            .find(|operation| operation.function() == "add" && operation.argument() == value);
        let why = match failed {
            Some(add) => format!("the only add of it, by process {}, failed", add.process()),
            None => "nobody ever added it".to_owned(),
        };
        let sentence = format!(
            "process {} read {value} in {} {}, although {why}",
            read.process(),
            place("set", read),
            ended(read)
        );
        Violation { units: vec![vec![read.id()]], name: "never-added", sentence }
    }

    fn twice(&self, read: OperationId, at: u32) -> Violation {
        let (read, element) = (self.history.operation(read), &self.elements[at as usize]);
        let sentence = format!(
            "process {} read {} twice in {} {}, although a set has each element once",
            read.process(),
            self.history.value(element.value),
            place("set", read),
            ended(read)
        );
        Violation { units: vec![vec![element.first_invoked, read.id()]], name: "duplicated-element", sentence }
    }

    /// Two reads each of which has something that the other has not.
    fn incomparable(&self, smaller: OperationId, larger: OperationId, number: u32, only_larger: u32) -> Violation {
        let (smaller, larger) = (self.history.operation(smaller), self.history.operation(larger));
        let only_smaller = self.elements.iter().find(|element| element.group != NO_READ && element.stamp != number);
        let only_larger = &self.elements[only_larger as usize];
        let name_of = |element: &Element| self.history.value(element.value).to_string();
        let sentence = format!(
            "process {} read {} but not {} in {} {}, and process {} read {} but not {} {}: they saw these two added in different orders",
            smaller.process(),
            only_smaller.map(name_of).unwrap_or_default(),
            name_of(only_larger),
            place("set", smaller),
            ended(smaller),
            larger.process(),
            name_of(only_larger),
            only_smaller.map(name_of).unwrap_or_default(),
            ended(larger),
        );
        let adds = only_smaller.into_iter().chain([only_larger]).map(|element| element.first_invoked);
        Violation { units: vec![adds.chain([smaller.id(), larger.id()]).collect()], name: "long-fork", sentence }
    }
}

fn count(read: Operation<'_>) -> usize {
    elements(read.result()).map_or(0, |elements| elements.len())
}
