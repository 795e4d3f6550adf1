//! **Values that repeat**, counted: whatever the container, no value is taken more often than it was put in.
//!
//! ```text
//!   p0  ──[ put 4 ]──────────────[ put 4 ]─────
//!   p1  ────────────[ take → 4 ]───────────────      not linearizable: two takes of 4 had completed when
//!   p2  ────────────[ take → 4 ]───────────────      only one put of 4 had begun
//! ```
//!
//! *Method:* a put counts from when it begins, unknown outcomes too, and a take when it completes. Nothing else can be
//! wrong with an unordered queue that never answered that it was empty: each put can take effect when it begins, each take when it completes.
//!
//! *Source:* the definition. *Cost:* O(n log n), as puts and takes are sorted by when they count.

use rustc_hash::FxHashMap;

use crate::History;
use crate::history::{EventPosition, OperationId, Outcome, Value, ValueId};

use super::Decision;
use super::elements::Words;
use super::phrases::{ended, place};

/// Of the values that were taken more often than they were put in by some moment, the one with the fewest operations by then.
pub(super) fn violation(history: &History, operations: &[OperationId], words: &Words) -> Option<Decision> {
    let (put, empty) = (history.id_of(&Value::text(words.put)), history.id_of(&Value::text("empty")));
    // When puts begin and takes complete.
    let mut moments: Vec<(EventPosition, ValueId, bool, OperationId)> = Vec::with_capacity(operations.len());
    for operation in operations.iter().map(|&id| history.operation(id)) {
        if operation.outcome() == Outcome::Fail {
            continue;
        }
        if Some(operation.function_id()) == put {
            moments.push((operation.invoked(), operation.argument_id(), true, operation.id()));
        } else if operation.outcome() == Outcome::Ok
            && operation.result_id() != ValueId::NIL
            && Some(operation.result_id()) != empty
        {
            moments.push((operation.completed(), operation.result_id(), false, operation.id()));
        }
    }
    moments.sort_unstable_by_key(|moment| moment.0);
    // Puts and takes so far; the place of the first take too many.
    let mut counts: FxHashMap<ValueId, (usize, usize)> = FxHashMap::default();
    let mut fewest: Option<(usize, usize, ValueId)> = None;
    for (at, &(_, value, is_put, _)) in moments.iter().enumerate() {
        let (puts, takes) = counts.entry(value).or_default();
        *(if is_put { &mut *puts } else { &mut *takes }) += 1;
        let operations = *puts + *takes;
        if takes > puts && fewest.is_none_or(|(least, ..)| operations < least) {
            fewest = Some((operations, at, value));
        }
    }
    let (count, last, value) = fewest?;
    let mut proof: Vec<OperationId> =
        moments[..=last].iter().filter(|moment| moment.1 == value).map(|moment| moment.3).collect();
    proof.sort_unstable();
    let (take, takes) = (history.operation(moments[last].3), count / 2 + 1);
    let times = |count: usize| match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    };
    let sentence = format!(
        "{value} was {taken} from {place} {takes} by process {process}'s {take} {ended}, although {the_put} it had begun {puts} by then",
        value = history.value(value),
        taken = words.taken,
        place = place(words.container, take),
        takes = times(takes),
        process = take.process(),
        take = words.take,
        ended = ended(take),
        the_put = words.putting,
        puts = if takes == 1 { "not even once".to_owned() } else { format!("only {}", times(takes - 1)) },
    );
    let name = if takes == 1 { words.never_put } else { "duplicated-element" };
    Some(Decision::Illegal { operations: proof, name, sentence })
}
