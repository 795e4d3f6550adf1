//! **Queues**, first in, first out, where no element is put in twice: what was put in earlier is taken earlier.
//!
//! ```text
//!   p0  ──[ enqueue 4 ]─────────────────────────────────────────────
//!   p1  ────────────────[ enqueue 5 ]───────────────────────────────      not linearizable: 4 was ahead of 5
//!   p2  ─────────────────────────────[ dequeue → 5 ]────────────────
//!   p3  ─────────────────────────────────────────────[ dequeue → 4 ]
//! ```
//!
//! *Method:* the queue has an order exactly when, besides what `elements.rs` and `empties.rs` look for, no element b overtook an a: a was put
//! in before anybody began to put b in, and b was taken before anybody began to take a, if ever. For each a, the b that was taken first
//! among those that came later is looked up.
//!
//! An a that nobody is known to have taken may have been taken by a `dequeue` of unknown outcome that began before b was taken. These have no
//! end, so they cannot overtake anybody: only their number matters, see `empties.rs`. Sound and complete.
//!
//! *Source:* Henzinger, Sezgin & Vafeiadis, "Aspect-oriented linearizability proofs", CONCUR 2013 (VOrd); Bouajjani, Emmi, Enea & Hamza,
//! "On reducing linearizability to state reachability", ICALP 2015. The takes of unknown outcome are ours, proven against the definition.
//!
//! *Cost:* O(n log n).

use crate::History;
use crate::history::{NEVER, OperationId};

use super::elements::{Element, Elements, QUEUE, collect};
use super::empties::{self, Takers};
use super::phrases::{began, ended, list, place};
use super::{Decision, Violation, cut};

/// Decides about a queue; `None` if some element may have been put in twice.
pub(super) fn decide(history: &History, operations: &[OperationId]) -> Option<Decision> {
    let (context, violation) = find(history, operations)?;
    Some(match violation {
        None => Decision::Legal,
        Some(violation) => cut(violation, &context, |fewer| find(history, fewer)?.1),
    })
}

/// The takes of unknown outcome, and a violation if there is one.
fn find(history: &History, operations: &[OperationId]) -> Option<(Vec<OperationId>, Option<Violation>)> {
    let elements = match collect(history, operations, &QUEUE)? {
        Ok(elements) => elements,
        Err(violation) => return Some((Vec::new(), Some(violation))),
    };
    let violation = violation(history, &elements);
    Some((elements.unknown, violation))
}

fn violation(history: &History, elements: &Elements) -> Option<Violation> {
    let overtaker = overtakers(&elements.elements);
    let mut deadlines = vec![NEVER; if elements.elements.iter().any(Element::stays) { overtaker.len() } else { 0 }];
    for (at, element) in elements.elements.iter().enumerate() {
        let Some(other) = overtaker[at] else { continue };
        let other = &elements.elements[other as usize];
        if element.stays() {
            deadlines[at] = other.take_completed;
        } else if other.take_completed < element.take_invoked {
            return Some(overtaken(history, element, other));
        }
    }
    let takers = Takers::new(history, elements, |at| deadlines[at]);
    if let Some(event) = takers.too_few() {
        let gone = (0..deadlines.len()).filter(|&at| elements.elements[at].stays() && deadlines[at] <= event);
        let pairs = gone.filter_map(|at| Some((&elements.elements[at], &elements.elements[overtaker[at]? as usize])));
        return Some(lost(history, &pairs.collect::<Vec<_>>(), takers.begun_before(event)));
    }
    let empty = empties::false_empty(history, elements, &takers)?;
    Some(empties::violation(history, elements, &takers, empty, &QUEUE))
}

/// For each element: of those that began to be put in after it had been, the one that was taken first.
fn overtakers(elements: &[Element]) -> Vec<Option<u32>> {
    // The same for all elements from the n-th on.
    let mut first_taken: Vec<Option<u32>> = vec![None; elements.len() + 1];
    for (at, element) in elements.iter().enumerate().rev() {
        let known = first_taken[at + 1];
        let sooner = known.is_none_or(|known| element.take_completed < elements[known as usize].take_completed);
        first_taken[at] = if sooner && !element.stays() { Some(at as u32) } else { known };
    }
    let later = |at: usize, element: &Element| {
        at + elements[at..].partition_point(|other| other.put_invoked <= element.put_completed)
    };
    elements.iter().enumerate().map(|(at, element)| first_taken[later(at, element)]).collect()
}

fn overtaken(history: &History, element: &Element, other: &Element) -> Violation {
    let operation = |id: Option<OperationId>| history.operation(id.unwrap_or(element.put));
    let (put, later) = (history.operation(element.put), history.operation(other.put));
    let (taken, overtaking) = (operation(element.take), operation(other.take));
    let sentence = format!(
        "process {} dequeued {} from {} {}, although {} was ahead of it: process {} had completed enqueueing {} {}, before process {} \
         began enqueueing {} {}, and nobody began to dequeue {} before process {} did so {}",
        overtaking.process(),
        overtaking.result(),
        place("queue", overtaking),
        ended(overtaking),
        put.argument(),
        put.process(),
        put.argument(),
        ended(put),
        later.process(),
        later.argument(),
        began(later),
        put.argument(),
        taken.process(),
        began(taken),
    );
    Violation { units: vec![element.operations(), other.operations()], name: "fifo-violation", sentence }
}

/// Elements that must be gone, each because another one that came later was taken, and the number of takes that could have taken them.
fn lost(history: &History, pairs: &[(&Element, &Element)], takes: usize) -> Violation {
    let mut units: Vec<Vec<OperationId>> = Vec::new();
    for (element, other) in pairs {
        units.extend([element.operations(), other.operations()]);
    }
    units.sort_unstable();
    units.dedup();
    let sentence = match pairs {
        [(element, other), ..] => {
            let (put, later) = (history.operation(element.put), history.operation(other.put));
            let overtaking = history.operation(other.take.unwrap_or(other.put));
            let names: Vec<String> =
                pairs.iter().map(|(element, _)| history.value(element.value).to_string()).collect();
            let rest = match takes {
                0 => String::new(),
                _ => format!(
                    "; of {} nobody is known to have dequeued any, and only {takes} dequeue operations of unknown outcome had begun",
                    list(&names)
                ),
            };
            format!(
                "process {} dequeued {} from {} {}, although {} was ahead of it and never dequeued: process {} had completed \
                 enqueueing {} {}, before process {} began enqueueing {} {}{rest}",
                overtaking.process(),
                overtaking.result(),
                place("queue", overtaking),
                ended(overtaking),
                put.argument(),
                put.process(),
                put.argument(),
                ended(put),
                later.process(),
                later.argument(),
                began(later),
            )
        }
        [] => String::new(),
    };
    Violation { units, name: "lost-element", sentence }
}
