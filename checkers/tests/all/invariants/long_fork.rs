//! Orders of writes.

use shakedown_checkers::Value;
use shakedown_checkers::invariants::{self, Invariant, Options};

use super::definition::{agrees_with_the_definition, collect};
use super::histories::{Chance, Op, items, list, number, sequence};

/// How many keys there are: groups of them overlap, so that a cycle may take three reads.
const KEYS: usize = 4;

fn part(kind: &str, key: usize, value: Value) -> Value {
    list([Value::text(kind), number(key), value])
}

/// What the operations of a small history do.
pub fn fill(chance: &mut Chance, ops: &mut [Op]) {
    let mut written = 0;
    for op in ops {
        if written < KEYS && chance.one_in(4) {
            op.function = "write";
            op.argument = list([part("w", written, number(1))]);
            op.result = op.argument.clone();
            written += 1;
            continue;
        }
        op.function = "read";
        let skipped = [chance.below(6), chance.below(6)];
        // Mostly as far as the writes came in their order.
        let upto = chance.below(KEYS + 1);
        let keys = (0..KEYS).filter(|key| !skipped.contains(key)).map(|key| {
            let value = if (key < upto) != chance.one_in(8) { number(1) } else { Value::Nil };
            part("r", key, value)
        });
        op.result = list(keys);
    }
}

/// All orders of some keys.
fn orders(keys: &[usize]) -> Vec<Vec<usize>> {
    if keys.is_empty() {
        return vec![Vec::new()];
    }
    let first = |first: &usize| {
        let rest: Vec<usize> = keys.iter().copied().filter(|key| key != first).collect();
        orders(&rest).into_iter().map(|rest| [&[*first], &rest[..]].concat()).collect::<Vec<_>>()
    };
    keys.iter().flat_map(first).collect()
}

#[test]
fn long_forks_are_as_defined() {
    let all = orders(&[0, 1, 2, 3]);
    agrees_with_the_definition(Invariant::LongFork, &[Options::default()], fill, |ops, _| {
        let sees = |read: &Op, key: usize| {
            let of = |part: &&Value| items(part)[1] == number(key);
            items(&read.result).iter().find(of).map(|part| items(part)[2] != Value::Nil)
        };
        let is_beginning = |order: &Vec<usize>, read: &Op| {
            let seen: Vec<bool> = order.iter().filter_map(|key| sees(read, *key)).collect();
            seen.is_sorted_by(|one, next| *one || !next)
        };
        let reads: Vec<&Op> = ops.iter().filter(|op| op.is("read")).collect();
        let explains = |order: &Vec<usize>| reads.iter().all(|read| is_beginning(order, read));
        collect([("long-fork", !all.iter().any(explains))])
    });
}

#[test]
fn three_reads_that_fork_only_together_are_told() {
    let read = |seen: usize, missed: usize| {
        ("read", Value::Nil, list([part("r", seen, number(1)), part("r", missed, Value::Nil)]))
    };
    let history = sequence(&[read(0, 1), read(2, 3), read(1, 2), read(2, 0)]);
    let verdict = invariants::check(&history, Invariant::LongFork, &Options::default()).expect("it fits");
    let [fork] = verdict.anomalies() else { panic!("{verdict:?}") };
    assert_eq!(fork.proof.iter().map(|id| id.0).collect::<Vec<_>>(), [0, 2, 3]);
    let sentence = "process 0 saw the write to key 0 at 0.000 s but not the one to key 1, and process 2 saw the write to key 1 at 0.000 s but \
                    not the one to key 2, and process 3 saw the write to key 2 at 0.000 s but not the one to key 0";
    assert_eq!(fork.sentence, sentence);
}
