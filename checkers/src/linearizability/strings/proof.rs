//! Few operations on a string that cannot all have been, whatever the others did.

use crate::history::OperationId;
use crate::linearizability::containers::{self, Decision, cut};
use crate::verdict::Anomaly;

use super::blocks::{Blocks, Judged, Violation};
use super::pieces::Pieces;
use super::{GrowingString, words};

/// Cuts a violation down to operations of which none can be spared, and tells it.
pub(super) fn explain(
    string: &GrowingString<'_>,
    pieces: &Pieces<'_>,
    blocks: &Blocks,
    violation: Violation,
) -> Anomaly {
    let find = |bound: &[OperationId]| match Blocks::of(string, pieces, Some(bound)) {
        Judged::Illegal(blocks, violation) => Some(units(blocks.witnesses(string, &violation))),
        Judged::Legal | Judged::Undecided => None,
    };
    let mut suspects = blocks.witnesses(string, &violation);
    suspects.sort_unstable();
    let first = find(&suspects).unwrap_or_else(|| units(everything(string)));
    let Decision::Illegal { operations, .. } = cut(first, &[], find) else {
        unreachable!("what is cut down stays a violation");
    };
    match Blocks::of(string, pieces, Some(&operations)) {
        Judged::Illegal(_, violation) => words::tell(string, pieces, &violation, operations),
        Judged::Legal | Judged::Undecided => words::tell(string, pieces, &violation, operations),
    }
}

fn units(operations: Vec<OperationId>) -> containers::Violation {
    let units = operations.into_iter().map(|id| vec![id]).collect();
    containers::Violation { units, name: "", sentence: String::new() }
}

fn everything(string: &GrowingString<'_>) -> Vec<OperationId> {
    let changes = string.changes.iter().filter(|change| change.must).map(|change| change.operation);
    let mut all: Vec<OperationId> = changes.chain(string.gets.iter().map(|get| get.operation)).collect();
    all.sort_unstable();
    all
}
