//! Takes that found a container empty, although it cannot have been.
//!
//! ```text
//!   4 certainly in      ├────────────┤
//!   5 certainly in                 ├───────────┤
//!   take → empty            [               ]        false: there is no instant at which neither was in
//! ```
//!
//! *Method:* let t be an instant at which no element was certainly in. Then every element can be wholly before t, or wholly after it, and
//! those before do not disturb those after. So where the elements by themselves have a legal order that stays legal when some elements
//! are left out, a take that found nothing can stand at t, and each such take is judged by itself (the violation VWit of Henzinger, Sezgin
//! & Vafeiadis 2013).
//!
//! An element that stays may have been taken by a take of unknown outcome. Each of these takes one element, after its own
//! invocation; so at t, k elements that had been put in need k such takes that had begun by then. In a queue some elements must be gone by a
//! deadline of their own, because a later one was taken. By Hall's theorem there are enough takes exactly when for every instant they
//! outnumber the elements that must be gone by then: a stretch of a row of numbers is lowered for each element, and the least is asked for.
//!
//! *Cost:* O(n log n).

use crate::History;
use crate::history::{EventPosition, NEVER, OperationId};

use super::Violation;
use super::elements::{Element, Elements, Words};
use super::phrases::{began, ended, list, place};
use super::range_tree::RangeTree;

/// Elements that stay, and takes of unknown outcome that may have taken them.
pub(super) struct Takers {
    /// The invocations of the takes, ascending.
    invoked: Vec<EventPosition>,
    /// For each element that stays, when its put completed, and the event before which it must be gone; sorted.
    stays: Vec<(EventPosition, EventPosition)>,
    /// Events at which the balance changes, from 0 on.
    steps: Vec<EventPosition>,
    /// For each step: how many takes begin before it, less the elements that must be gone by it.
    balance: Vec<i32>,
    /// Whether elements that stay are left to the takes: else each is in as long as its times say.
    counts: bool,
}

impl Takers {
    /// `deadline` tells before which event an element that stays must be gone, [`NEVER`] if it need not.
    pub fn new(history: &History, elements: &Elements, deadline: impl Fn(usize) -> EventPosition) -> Takers {
        let invoked: Vec<EventPosition> = elements.unknown.iter().map(|&id| history.operation(id).invoked()).collect();
        let mut stays: Vec<(EventPosition, EventPosition)> = elements
            .elements
            .iter()
            .enumerate()
            .filter(|(_, element)| element.stays())
            .map(|(at, element)| (element.put_completed, deadline(at)))
            .collect();
        stays.sort_unstable();
        let mut deadlines: Vec<EventPosition> = stays.iter().map(|(_, by)| *by).filter(|by| *by != NEVER).collect();
        deadlines.sort_unstable();
        let mut steps: Vec<EventPosition> = invoked.iter().map(|invoked| invoked + 1).collect();
        steps.extend(&deadlines);
        steps.push(0);
        steps.sort_unstable();
        steps.dedup();
        let balance = steps.iter().map(|step| {
            let begun = invoked.partition_point(|invoked| invoked < step);
            begun as i32 - deadlines.partition_point(|by| by <= step) as i32
        });
        let balance = balance.collect();
        Takers { invoked, stays, steps, balance, counts: true }
    }

    /// Takes that need not be counted: every element is in as long as its times say.
    pub fn none() -> Takers {
        Takers { invoked: Vec::new(), stays: Vec::new(), steps: vec![0], balance: vec![0], counts: false }
    }

    /// The first event before which more elements must be gone than takes have begun.
    pub fn too_few(&self) -> Option<EventPosition> {
        self.balance.iter().position(|balance| *balance < 0).map(|at| self.steps[at])
    }

    /// How many takes have begun before an event.
    pub fn begun_before(&self, event: EventPosition) -> usize {
        self.invoked.partition_point(|invoked| *invoked < event)
    }

    /// The stretches of events between which not all elements that stay can be gone.
    fn blocks(&self) -> Vec<(EventPosition, i32)> {
        let Some(&(first, _)) = self.stays.first() else { return Vec::new() };
        if self.invoked.is_empty() {
            return vec![(first, 1)];
        }
        let mut tree = RangeTree::new(&self.balance);
        let mut at: Vec<EventPosition> = self.stays.iter().map(|(put, _)| *put).collect();
        at.extend(self.steps.iter().skip(1).map(|step| step - 1));
        at.sort_unstable();
        at.dedup();
        let mut put = self.stays.iter().peekable();
        let mut blocks = Vec::new();
        let mut blocked = false;
        for event in at {
            while let Some((_, deadline)) = put.next_if(|(put, _)| *put <= event) {
                let until = self.steps.partition_point(|step| step < deadline);
                tree.add(0, until, -1);
            }
            let from = self.steps.partition_point(|step| *step <= event + 1) - 1;
            let now = tree.first_at_most(-1, from, self.steps.len()).is_some();
            if now != blocked {
                blocks.push((event, if now { 1 } else { -1 }));
                blocked = now;
            }
        }
        blocks
    }
}

/// The first take that found nothing although there is no instant at which it could.
pub(super) fn false_empty(history: &History, elements: &Elements, takers: &Takers) -> Option<OperationId> {
    if elements.empties.is_empty() {
        return None;
    }
    let mut changes = takers.blocks();
    for element in elements.elements.iter().filter(|element| !(takers.counts && element.stays())) {
        if let Some(span) = element.certainly_in() {
            changes.extend([(span.start, 1), (span.end, -1)]);
        }
    }
    // At the same event, what begins comes before what ends: there is nothing between them.
    changes.sort_unstable_by_key(|(event, change)| (*event, -change));
    // Stretches without a free instant, sorted.
    let mut stretches: Vec<(EventPosition, EventPosition)> = Vec::new();
    let mut depth = 0;
    for (event, change) in changes {
        if depth == 0 {
            stretches.push((event, NEVER));
        }
        depth += change;
        if depth == 0
            && let Some(last) = stretches.last_mut()
        {
            last.1 = event;
        }
    }
    elements.empties.iter().copied().find(|&id| {
        let empty = history.operation(id);
        let after = stretches.partition_point(|(from, _)| *from <= empty.invoked());
        after > 0 && stretches[after - 1].1 >= empty.completed()
    })
}

/// The fewest elements one of which certainly was in at every instant from one event to another: greedily, from the left, the one that
/// reaches farthest. `None` if they leave a gap.
pub(super) fn cover<'a>(
    elements: impl Iterator<Item = &'a Element>,
    from: EventPosition,
    to: EventPosition,
) -> Option<Vec<&'a Element>> {
    let mut spans: Vec<(EventPosition, EventPosition, &Element)> = elements
        .filter_map(|element| element.certainly_in().map(|span| (span.start, span.end, element)))
        .filter(|(start, end, _)| *start < to && *end > from)
        .collect();
    spans.sort_unstable_by_key(|(start, ..)| *start);
    let mut chain = Vec::new();
    let mut reached = from;
    let mut rest = spans.into_iter().peekable();
    while reached < to {
        let mut best: Option<(EventPosition, &Element)> = None;
        while let Some((_, end, element)) = rest.next_if(|(start, ..)| *start <= reached) {
            if best.is_none_or(|(farthest, _)| end > farthest) {
                best = Some((end, element));
            }
        }
        let (end, element) = best.filter(|(end, _)| *end > reached)?;
        chain.push(element);
        reached = end;
    }
    Some(chain)
}

/// How it is known that an element was in.
pub(super) fn was_in(history: &History, element: &Element, words: &Words) -> String {
    let put = history.operation(element.put);
    let until = match element.take.map(|take| history.operation(take)) {
        Some(until) => {
            format!("nobody began to {} before process {} did so {}", words.take, until.process(), began(until))
        }
        None => format!("nobody is known to have {}", words.taken),
    };
    format!(
        "{}, which process {} had completed {} {}, {until}",
        put.argument(),
        put.process(),
        words.putting,
        ended(put)
    )
}

/// A take that found nothing, with the elements that prevent it.
pub(super) fn violation(
    history: &History,
    elements: &Elements,
    takers: &Takers,
    empty: OperationId,
    words: &Words,
) -> Violation {
    let take = history.operation(empty);
    let found = format!("process {} found {} empty {}", take.process(), place(words.container, take), ended(take));
    let (from, to) = (take.invoked(), take.completed());
    let begun = takers.begun_before(to);
    let chain = cover(elements.elements.iter().filter(|element| begun == 0 || !element.stays()), from, to);
    let (inside, sentence) = match &chain {
        Some(chain) => {
            let elements: Vec<String> = chain.iter().take(3).map(|element| was_in(history, element, words)).collect();
            let more =
                if chain.len() > 3 { format!("; and so on with {} more", chain.len() - 3) } else { String::new() };
            let sentence = format!(
                "{found}, although it never was since that {} began: {}{more}",
                words.take,
                elements.join("; ")
            );
            (chain.clone(), sentence)
        }
        None => {
            let stay: Vec<String> = elements
                .elements
                .iter()
                .filter(|element| element.stays())
                .map(|element| history.value(element.value).to_string())
                .collect();
            let sentence = format!(
                "{found}, although it cannot have been: nobody is known to have {} {}, and of the {} operations of unknown \
                 outcome only {begun} had begun by then",
                words.taken,
                list(&stay),
                words.take,
            );
            (elements.elements.iter().collect(), sentence)
        }
    };
    let units = std::iter::once(vec![empty]).chain(inside.into_iter().map(Element::operations)).collect();
    Violation { units, name: "false-empty", sentence }
}
