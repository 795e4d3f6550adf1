//! **Priority queues**, where no element is put in twice: `delete-min` answers the least element that is in, or finds that none is.
//!
//! ```text
//!   p0  ──[ insert 3 ]─────────────────────────────────
//!   p1  ──[ insert 7 ]──────────────────────────────────
//!   p2  ────────────────[ delete-min → 7 ]──────────────      not linearizable: 3 was in, from before it began
//!   p3  ──────────────────────────────────[ delete-min → 3 ]
//! ```
//!
//! *Method:* an element is *certainly in* from the completion of its `insert` to the invocation of its deletion. The history is linearizable
//! exactly when each deletion, and each empty answer, has an instant at which no smaller element was certainly in, and by which the `insert`
//! of its own had begun.
//!
//! *Why:* such instants are needed. They are enough: from the least element to the greatest, let each deletion take effect at its first such
//! instant, and each `insert` as late as it may, at the latest just before. So an element is in only while it, or a smaller one, was
//! certainly in: what delays its deletion are smaller ones that were certainly in. No greater element is deleted in that time, nor is an
//! answer empty. Deletions at one instant take effect from the least on, then answers are empty, and then what stays is inserted.
//! With `delete-max` alone it is the same the other way round.
//!
//! *Deletions of unknown outcome* need not have happened. Where they must have, they took elements of which no deletion is known: without these
//! elements, what is not linearizable never is. The search decides about the rest.
//!
//! *Source:* ours; Emmi & Enea, "Sound, complete, and tractable linearizability monitoring for concurrent collections", 2018, and Lee & Mathur,
//! "Efficient decrease-and-conquer linearizability monitoring", 2025, who leave out the greatest element first, have the same cost.
//!
//! *Cost:* O(n log n).

use std::collections::BTreeMap;

use crate::History;
use crate::history::{EventPosition, OperationId, Outcome, Value};

use super::elements::{Element, Elements, Words, collect};
use super::empties::{self, Takers, cover, was_in};
use super::phrases::{began, ended, place};
use super::{Decision, Violation, cut};

const LEAST_FIRST: Words = Words {
    container: "priority queue",
    put: "insert",
    take: "delete-min",
    putting: "inserting",
    taken: "deleted",
    never_put: "never-inserted",
    taken_before_put: "deleted-before-inserted",
};

const GREATEST_FIRST: Words = Words { take: "delete-max", ..LEAST_FIRST };

/// Decides about a priority queue; `None` if some element may have been put in twice, if both ends are asked for, or if deletions of unknown
/// outcome matter.
pub(super) fn decide(history: &History, operations: &[OperationId]) -> Option<Decision> {
    let greatest_first = history.id_of(&Value::text(GREATEST_FIRST.take));
    let is_greatest = |id: &OperationId| Some(history.operation(*id).function_id()) == greatest_first;
    let asks = |id: &&OperationId| history.operation(**id).outcome() != Outcome::Fail;
    let words = if operations.iter().filter(asks).any(is_greatest) { &GREATEST_FIRST } else { &LEAST_FIRST };
    let mut elements = match collect(history, operations, words)? {
        Ok(elements) => elements,
        Err(violation) => return Some(cut(violation, &[], |fewer| certain(history, fewer, words))),
    };
    let Some(found) = violation(history, &mut elements, words) else { return Some(Decision::Legal) };
    let context = std::mem::take(&mut elements.unknown);
    let found = if context.is_empty() { found } else { certain(history, operations, words)? };
    Some(cut(found, &context, |fewer| certain(history, fewer, words)))
}

/// A violation that there is whatever deletions of unknown outcome did.
fn certain(history: &History, operations: &[OperationId], words: &Words) -> Option<Violation> {
    let mut elements = match collect(history, operations, words)? {
        Ok(elements) => elements,
        Err(violation) => return Some(violation),
    };
    if !elements.unknown.is_empty() {
        elements.elements.retain(|element| !element.stays());
    }
    violation(history, &mut elements, words)
}

/// A violation if no deletion of unknown outcome happened. Sorts the elements.
fn violation(history: &History, elements: &mut Elements, words: &Words) -> Option<Violation> {
    elements.elements.sort_unstable_by_key(|element| {
        let priority = match history.value(element.value) {
            Value::Int(priority) => *priority,
            _ => 0,
        };
        // The other way round: the least number is the greatest of these.
        if words.take == LEAST_FIRST.take { priority } else { !priority }
    });
    let mut smaller = Covered::default();
    for (at, element) in elements.elements.iter().enumerate() {
        let from = element.take_invoked.max(element.put_invoked);
        if !element.stays() && smaller.first_free(from) >= element.take_completed {
            return Some(out_of_order(history, &elements.elements[..at], element, words));
        }
        if let Some(span) = element.certainly_in() {
            smaller.cover(span.start, span.end);
        }
    }
    let takers = Takers::none();
    let empty = empties::false_empty(history, elements, &takers)?;
    Some(empties::violation(history, elements, &takers, empty, words))
}

/// Events that are covered by stretches, which neither overlap nor touch: where each begins, and the event that ends it.
#[derive(Default)]
struct Covered(BTreeMap<EventPosition, EventPosition>);

impl Covered {
    /// The first event from this one on that no stretch covers.
    fn first_free(&self, from: EventPosition) -> EventPosition {
        self.0.range(..=from).next_back().map_or(from, |(_, &to)| to.max(from))
    }

    /// Covers the events from one up to, but not with, another. Each stretch is merged once: O(log n), amortized.
    fn cover(&mut self, mut from: EventPosition, mut to: EventPosition) {
        while let Some((&start, &end)) = self.0.range(..=to).next_back().filter(|(_, end)| **end >= from) {
            self.0.remove(&start);
            (from, to) = (from.min(start), to.max(end));
        }
        self.0.insert(from, to);
    }
}

/// A deletion of an element, with those that should have gone before it.
fn out_of_order(history: &History, smaller: &[Element], element: &Element, words: &Words) -> Violation {
    let from = element.take_invoked.max(element.put_invoked);
    let before = cover(smaller.iter(), from, element.take_completed).unwrap_or_default();
    let take = history.operation(element.take.unwrap_or(element.put));
    let put = history.operation(element.put);
    let since = if from == element.take_invoked {
        format!("since that {} began", words.take)
    } else {
        format!("since process {} began {} it {}", put.process(), words.putting, began(put))
    };
    let told: Vec<String> = before.iter().take(3).map(|element| was_in(history, element, words)).collect();
    let more = if before.len() > 3 { format!("; and so on with {} more", before.len() - 3) } else { String::new() };
    let sentence = format!(
        "process {} {} {} from {} {}, although a {} element was in ever {since}: {}{more}",
        take.process(),
        words.taken,
        history.value(element.value),
        place(words.container, take),
        ended(take),
        if words.take == LEAST_FIRST.take { "smaller" } else { "greater" },
        told.join("; ")
    );
    let units = std::iter::once(element).chain(before).map(Element::operations).collect();
    Violation { units, name: "priority-violation", sentence }
}

#[cfg(test)]
mod tests {
    use super::Covered;

    #[test]
    fn stretches_that_overlap_or_touch_become_one() {
        let mut covered = Covered::default();
        for (from, to) in [(5, 8), (1, 3), (10, 12), (3, 5), (7, 9)] {
            covered.cover(from, to);
        }
        assert_eq!(covered.0.into_iter().collect::<Vec<_>>(), [(1, 9), (10, 12)]);
        let mut covered = Covered::default();
        covered.cover(2, 4);
        assert_eq!([1, 2, 3, 4, 9].map(|from| covered.first_free(from)), [1, 4, 4, 4, 9]);
    }
}
