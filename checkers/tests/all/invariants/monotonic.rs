//! What never shrinks.

use shakedown_checkers::invariants::{Invariant, Options};

use super::definition::{agrees_with_the_definition, collect};
use super::histories::{Chance, Op, int, number};

/// What the operations of a small history do.
pub fn fill(chance: &mut Chance, ops: &mut [Op]) {
    let mut value = 0;
    for op in ops {
        op.function = ["read", "read", "increment"][chance.below(3)];
        value += usize::from(op.function == "increment");
        op.result = number(value.saturating_sub(chance.below(8) / 6));
    }
}

#[test]
fn counters_never_shrink_as_defined() {
    let options = [Options::default(), Options { linearizable: true, ..Options::default() }];
    agrees_with_the_definition(Invariant::Monotonic, &options, fill, |ops, options| {
        let answers: Vec<&Op> = ops.iter().filter(|op| op.happened()).collect();
        let shrinks = |same: bool| {
            let before = |now: &Op, then: &Op| then.completed < now.invoked && (then.process == now.process) == same;
            let greater =
                |now: &Op| answers.iter().any(|then| before(now, then) && int(&then.result) > int(&now.result));
            answers.iter().any(|now| greater(now))
        };
        let session = shrinks(true);
        collect([("non-monotonic-session", session), ("non-monotonic", options.linearizable && shrinks(false))])
    });
}
