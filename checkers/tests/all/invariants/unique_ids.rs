//! Ids.

use std::collections::BTreeSet;

use shakedown_checkers::Value;
use shakedown_checkers::invariants::{Invariant, Options};

use super::definition::{agrees_with_the_definition, collect};
use super::histories::{Chance, Op, number};

/// What the operations of a small history do.
pub fn fill(chance: &mut Chance, ops: &mut [Op]) {
    for op in ops {
        op.function = "generate";
        op.result = number(chance.below(40));
    }
}

#[test]
fn ids_are_unique_as_defined() {
    agrees_with_the_definition(Invariant::UniqueIds, &[Options::default()], fill, |ops, _| {
        let given: Vec<&Value> = ops.iter().filter(|op| op.happened()).map(|op| &op.result).collect();
        collect([("duplicate-id", given.iter().collect::<BTreeSet<_>>().len() < given.len())])
    });
}
