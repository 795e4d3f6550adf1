//! Why there is no order where none is forced: the few choices that there are, each with the contradiction that follows from it.
//!
//! ```text
//!   T4 wrote x before T7 ──► a cycle
//!   T7 wrote x before T4 ──► T5 read from T4 ──► another cycle
//!                        └─► T5 read from T6 ──► a read without a source
//! ```
//!
//! *Method:* a choice is one all of whose ways lead to contradictions, by inference alone, or after another choice. Those with the fewest choices are looked
//! for first. *Cost:* a saturation of a few transactions for each way that is tried; bounded.

use crate::history::OperationId;
use crate::transactions::allowance::Allowance;
use crate::transactions::explain::Teller;
use crate::verdict::Anomaly;

use super::proof::Proof;
use super::saturation::{Choice, End, Problem, Saturation};
use super::versions::INITIAL;
use super::{NO_ORDER, unreduced};

/// So many choices are made one after another at most.
const DEEPEST: usize = 4;

/// So many ways are tried at most.
const TRIED: usize = 20_000;

/// No more contradictions than these are told.
const MOST: usize = 8;

/// Tells the contradictions of a problem that has no order; `original` are its transactions as the whole history has them.
pub(super) fn told(problem: &Problem<'_>, teller: &Teller<'_, '_>, original: &[u32], allowance: &Allowance) -> Anomaly {
    let mut looking = Looking { problem, allowance, tried: 0 };
    let Some(all) = (1..=DEEPEST).find_map(|depth| looking.contradictory(&[], depth)) else {
        return unreduced(original.to_vec());
    };
    let name = |row: u32| match row {
        INITIAL => "the beginning".to_owned(),
        row => teller.name(original[row as usize]),
    };
    let assumed = |choice: &Choice| match *choice {
        Choice::Order { key, first, second } => {
            format!("{} wrote key {} before {}", name(first), teller.key(key), name(second))
        }
        Choice::Source { read, source } => {
            let read = problem.versions.reads()[read as usize];
            format!("{} read key {} from {}", name(read.row), teller.key(read.key), name(source))
        }
    };
    let mut conditions = Vec::new();
    let mut names = Vec::new();
    let mut anomaly = Anomaly { proof: original.iter().copied().map(OperationId).collect(), ..Anomaly::default() };
    for choices in &all {
        let (saturation, end) = looking.after(choices);
        let End::Contradiction(contradiction) = end else { return unreduced(original.to_vec()) };
        let found = Proof::of(&saturation, &contradiction).tell(teller, original);
        let condition: Vec<String> = choices.iter().map(assumed).collect();
        let condition = condition.join(", and ");
        anomaly.why.push(format!("if {condition}: {}", found.why.join("; ")));
        conditions.push(condition);
        names.push(found.name);
        if anomaly.edges.is_empty() {
            anomaly.edges = found.edges;
        }
    }
    anomaly.sentence = format!("whether {}: either way they contradict what was read", conditions.join(", or "));
    anomaly.name = if names.iter().all(|name| *name == names[0]) { names[0] } else { NO_ORDER };
    anomaly
}

struct Looking<'a, 'p> {
    problem: &'a Problem<'p>,
    allowance: &'a Allowance,
    tried: usize,
}

impl<'a> Looking<'a, '_> {
    /// What follows from some choices, made one after another.
    fn after(&self, choices: &[Choice]) -> (Saturation<'a>, End) {
        let mut saturation = Saturation::of(self.problem);
        let mut end = saturation.run(self.allowance);
        for &choice in choices {
            if !matches!(end, End::Fixpoint) {
                break;
            }
            end = saturation.assume(choice, self.allowance);
        }
        (saturation, end)
    }

    /// Whether some choices lead to contradictions, after so many more: by which ones each.
    fn contradictory(&mut self, choices: &[Choice], depth: usize) -> Option<Vec<Vec<Choice>>> {
        self.tried += 1;
        if self.tried > TRIED || self.allowance.is_late() {
            return None;
        }
        let (saturation, end) = self.after(choices);
        match end {
            End::Contradiction(_) => return Some(vec![choices.to_vec()]),
            End::Over(_) => return None,
            End::Fixpoint if depth == 0 => return None,
            End::Fixpoint => {}
        }
        open(&saturation).into_iter().find_map(|ways| {
            let mut all: Vec<Vec<Choice>> = Vec::new();
            for way in ways {
                all.extend(self.contradictory(&[choices, &[way]].concat(), depth - 1)?);
                if all.len() > MOST {
                    return None;
                }
            }
            Some(all)
        })
    }
}

/// What is open: all ways of each choice.
fn open(saturation: &Saturation<'_>) -> Vec<Vec<Choice>> {
    let pairs = saturation.open.iter().filter(|_| !saturation.problem.shape.is_free).map(|&pair| {
        let (one, other) = saturation.writer(pair);
        let order = |first, second| Choice::Order { key: pair.key, first, second };
        vec![order(one, other), order(other, one)]
    });
    let reads = saturation.ambiguous.iter().map(|ambiguous| {
        let source = |&source: &u32| Choice::Source { read: ambiguous.read, source };
        ambiguous.candidates.iter().map(source).collect()
    });
    pairs.chain(reads).collect()
}
