//! **Unordered queues**, where no element is put in twice: a `dequeue` answers an element that is in, or finds that none is.
//!
//! ```text
//!   p0  ──[ enqueue 4 ]────────────────────────────────
//!   p1  ────────────────[ dequeue → empty ]────────────      not linearizable: 4 was in, from before it began
//!   p2  ──────────────────────────────────[ dequeue → 4 ]
//! ```
//!
//! *Method:* without empty answers each element is an object of its own (see `elements.rs`); each empty answer is judged by itself (see
//! `empties.rs`). Takes of unknown outcome included, it is sound and complete.
//!
//! *Source:* Henzinger, Sezgin & Vafeiadis, "Aspect-oriented linearizability proofs", CONCUR 2013; Lee & Mathur, "Efficient
//! decrease-and-conquer linearizability monitoring", 2025. The takes of unknown outcome are ours, proven against the definition.
//!
//! *Cost:* O(n log n).

use crate::History;
use crate::history::{NEVER, OperationId};

use super::elements::{QUEUE, collect};
use super::empties::{self, Takers};
use super::{Decision, Violation, cut};

/// Decides about an unordered queue; `None` if some element may have been put in twice.
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
    let takers = Takers::new(history, &elements, |_| NEVER);
    let empty = empties::false_empty(history, &elements, &takers);
    let violation = empty.map(|empty| empties::violation(history, &elements, &takers, empty, &QUEUE));
    Some((elements.unknown, violation))
}
