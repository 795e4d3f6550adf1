//! **Stacks**, last in, first out, where no element is put in twice: what is above is popped before what is below.
//!
//! ```text
//!   p0  ──[ push 4 ]──────────────────────────────────────
//!   p1  ─────────────[ push 5 ]───────────────────────────      not linearizable: 5 was on top of 4
//!   p2  ────────────────────────[ pop → 4 ]───────────────
//!   p3  ────────────────────────────────────[ pop → 5 ]───
//! ```
//!
//! *Method:* decrease and conquer. An element was *certainly in* after its push completed and before its pop began; one that never certainly was
//! can be pushed and popped at one instant, and is left out.
//! 1. At an instant at which no element was certainly in, the stack may as well be empty: the history falls apart into what was before and
//!    what was after (see `empties.rs` for why), and so into *components*, in each of which something certainly was in all the time.
//! 2. In a component something lay at the bottom from its beginning to its end. It can be any element whose push began before
//!    anything of the component completed, and whose pop completed after everything of it had begun: if another one lay there, this one can be
//!    put below it. If there is no such element, no order is legal. If there is, it is left out, and the rest falls apart further.
//!
//! Each step asks for a bottom in a stretch of the elements, sorted by when they certainly were in. The later a component begins, the
//! more pushes began before it: an element becomes *ready* once, by its push, and then the latest pop of a ready one decides.
//!
//! A `pop` of unknown outcome may have taken any element. If the history has an order without these, or has none even if each could take
//! everything, that decides. Otherwise the method does not apply.
//!
//! *Source:* Lee & Mathur, "Efficient decrease-and-conquer linearizability monitoring", 2025; Abdulla, Grahn, Jonsson, Krishna & Trinh,
//! "Efficient linearizability monitoring", 2025 (bottoms are their extreme values). Both only know complete histories.
//!
//! *Cost:* O(n log n).

use crate::History;
use crate::history::{EventPosition, NEVER, OperationId};

use super::elements::{Element, Elements, STACK, collect};
use super::empties::{self, Takers, cover};
use super::phrases::{began, ended, list, place};
use super::range_tree::RangeTree;
use super::{Decision, Violation, cut};

/// Decides about a stack; `None` if some element may have been put in twice, or if it depends on what pops of unknown outcome took.
pub(super) fn decide(history: &History, operations: &[OperationId]) -> Option<Decision> {
    let mut elements = match collect(history, operations, &STACK)? {
        Ok(elements) => elements,
        Err(violation) => return Some(cut(violation, &[], |_| None)),
    };
    let Some(strict) = violation(history, &elements) else { return Some(Decision::Legal) };
    let mut context = std::mem::take(&mut elements.unknown);
    let Some(&earliest) = context.first() else { return Some(cut(strict, &[], |fewer| find(history, fewer, false))) };
    if !elements.elements.iter().any(Element::stays) {
        // They can only have found the stack empty, or not have happened.
        context.clear();
        return Some(cut(strict, &context, |fewer| find(history, fewer, false)));
    }
    elements.unknown = vec![earliest];
    let generous = generous(history, &mut elements)?;
    Some(cut(generous, &[earliest], |fewer| find(history, fewer, true)))
}

/// A violation by these operations alone, if they have one.
fn find(history: &History, operations: &[OperationId], is_generous: bool) -> Option<Violation> {
    let mut elements = match collect(history, operations, &STACK)? {
        Ok(elements) => elements,
        Err(violation) => return Some(violation),
    };
    if is_generous { generous(history, &mut elements) } else { violation(history, &elements) }
}

/// A violation that there is although the earliest pop of unknown outcome may take every element that stays.
fn generous(history: &History, elements: &mut Elements) -> Option<Violation> {
    if let Some(&pop) = elements.unknown.first() {
        let invoked = history.operation(pop).invoked();
        for element in elements.elements.iter_mut().filter(|element| element.stays()) {
            element.take_invoked = invoked;
        }
    }
    let takers = Takers::none();
    if let Some(empty) = empties::false_empty(history, elements, &takers) {
        return Some(empties::violation(history, elements, &takers, empty, &STACK));
    }
    bottomless(&elements.elements).map(|component| lifo_violation(history, &component))
}

/// A violation that there is if no pop of unknown outcome happened.
fn violation(history: &History, elements: &Elements) -> Option<Violation> {
    let takers = Takers::none();
    if let Some(empty) = empties::false_empty(history, elements, &takers) {
        return Some(empties::violation(history, elements, &takers, empty, &STACK));
    }
    bottomless(&elements.elements).map(|component| lifo_violation(history, &component))
}

/// A component in which no element can have been at the bottom: the fewest elements that hold it together.
fn bottomless(elements: &[Element]) -> Option<Vec<&Element>> {
    let mut inside: Vec<&Element> = elements.iter().filter(|element| element.certainly_in().is_some()).collect();
    inside.sort_unstable_by_key(|element| element.put_completed);
    let mut ends: Vec<EventPosition> =
        inside.iter().flat_map(|element| [element.put_completed, element.take_invoked]).collect();
    ends.sort_unstable();
    ends.dedup();
    let place_of = |event: EventPosition| ends.partition_point(|end| *end < event);
    let spans: Vec<(usize, usize)> =
        inside.iter().map(|element| (place_of(element.put_completed), place_of(element.take_invoked))).collect();

    // How many elements certainly were in, between each two neighbours of `ends`.
    let mut depths = vec![0_i32; ends.len() + 1];
    for (from, to) in &spans {
        depths[*from] += 1;
        depths[*to] -= 1;
    }
    let mut depth = 0;
    for change in &mut depths {
        depth += *change;
        *change = depth;
    }
    let mut depths = RangeTree::new(&depths);
    // The least invocation of a push of those that are not ready yet; the latest completion of a pop of those that are.
    let mut waiting = Extremes::new(inside.iter().map(|element| !element.put_invoked).collect());
    let mut ready = Extremes::new(vec![0; inside.len()]);

    let mut components = vec![(0, ends.len())];
    while let Some((mut from, to)) = components.pop() {
        // The stretch may have gaps, where nothing certainly was in: each is a component's end.
        while let Some(gap) = depths.first_at_most(0, from, to) {
            if gap > from {
                break;
            }
            from += 1;
        }
        let end = depths.first_at_most(0, from, to).unwrap_or(to);
        if from >= end {
            continue;
        }
        if end < to {
            components.push((end, to));
        }
        let (begins, ends_at) = (ends[from], ends[end.min(ends.len() - 1)]);
        let first = inside.partition_point(|element| element.put_completed < begins);
        let last = inside.partition_point(|element| element.put_completed < ends_at);
        while let Some((at, invoked)) = waiting.greatest(first, last) {
            if !invoked >= begins {
                break;
            }
            waiting.set(at, 0);
            ready.set(at, inside[at].take_completed);
        }
        match ready.greatest(first, last) {
            Some((at, completed)) if completed >= ends_at => {
                ready.set(at, 0);
                depths.add(spans[at].0, spans[at].1, -1);
                components.push((from, end));
            }
            _ => {
                let left = (first..last).filter(|&at| waiting.get(at) > 0 || ready.get(at) > 0).map(|at| inside[at]);
                return cover(left, begins, ends_at);
            }
        }
    }
    None
}

/// Numbers in a row of which the greatest of a stretch is asked for; 0 stands for none.
struct Extremes {
    leaves: usize,
    greatest: Vec<u32>,
}

impl Extremes {
    fn new(numbers: Vec<u32>) -> Extremes {
        let leaves = numbers.len().next_power_of_two().max(1);
        let mut greatest = vec![0; 2 * leaves];
        greatest[leaves..leaves + numbers.len()].copy_from_slice(&numbers);
        for node in (1..leaves).rev() {
            greatest[node] = greatest[2 * node].max(greatest[2 * node + 1]);
        }
        Extremes { leaves, greatest }
    }

    fn get(&self, at: usize) -> u32 {
        self.greatest[self.leaves + at]
    }

    fn set(&mut self, at: usize, number: u32) {
        let mut node = self.leaves + at;
        self.greatest[node] = number;
        while node > 1 {
            node /= 2;
            self.greatest[node] = self.greatest[2 * node].max(self.greatest[2 * node + 1]);
        }
    }

    /// The greatest from `from` up to, but not with, `to`, and its place.
    fn greatest(&self, from: usize, to: usize) -> Option<(usize, u32)> {
        let (mut low, mut high) = (self.leaves + from, self.leaves + to);
        let mut best = 0;
        while low < high {
            for node in [low].into_iter().filter(|_| low % 2 == 1).chain((high % 2 == 1).then(|| high - 1)) {
                if best == 0 || self.greatest[node] > self.greatest[best] {
                    best = node;
                }
            }
            low = low.div_ceil(2);
            high /= 2;
        }
        if best == 0 || self.greatest[best] == 0 {
            return None;
        }
        while best < self.leaves {
            best = if self.greatest[2 * best] == self.greatest[best] { 2 * best } else { 2 * best + 1 };
        }
        Some((best - self.leaves, self.greatest[best]))
    }
}

/// What holds a component together: each certainly was in when the next one came, and none was below the others all the time.
fn lifo_violation(history: &History, component: &[&Element]) -> Violation {
    let units = component.iter().map(|element| element.operations()).collect();
    let name = if component.last().is_some_and(|element| element.stays() && element.take_invoked == NEVER) {
        "lost-element"
    } else {
        "lifo-violation"
    };
    let sentence = match component {
        [below, above] => {
            let (push, pushed_above) = (history.operation(below.put), history.operation(above.put));
            let pop = history.operation(below.take.unwrap_or(below.put));
            let until = match above.take.map(|take| history.operation(take)) {
                Some(take) => format!(
                    "nobody began to pop {} before process {} did so {}",
                    above_name(history, above),
                    take.process(),
                    began(take)
                ),
                None => format!("nobody is known to have popped {}", above_name(history, above)),
            };
            format!(
                "process {} popped {} from {} {}, although {} was on top of it: process {} had completed pushing {} {}, before process {} \
                 began pushing {} {}, and {until}",
                pop.process(),
                push.argument(),
                place("stack", pop),
                ended(pop),
                pushed_above.argument(),
                push.process(),
                push.argument(),
                ended(push),
                pushed_above.process(),
                pushed_above.argument(),
                began(pushed_above),
            )
        }
        _ => {
            let names: Vec<String> = component.iter().map(|element| history.value(element.value).to_string()).collect();
            let (first, last) = (component.first(), component.last().and_then(|element| element.take));
            let from = first.map(|element| ended(history.operation(element.put))).unwrap_or_default();
            let to = last.map(|take| began(history.operation(take))).unwrap_or_else(|| "at the end".to_owned());
            let place = first.map(|element| place("stack", history.operation(element.put))).unwrap_or_default();
            format!(
                "{place} cannot have been empty from just after {} to {}, as always one of {} was in it, but none of these can have been below \
                 the others all that time: each began to be pushed too late, or was popped too early",
                from.replacen("at ", "", 1),
                to.replacen("at ", "", 1),
                list(&names)
            )
        }
    };
    Violation { units, name, sentence }
}

fn above_name(history: &History, element: &Element) -> String {
    history.value(element.value).to_string()
}
