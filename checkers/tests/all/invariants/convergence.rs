//! Convergence against its definition.

use std::collections::BTreeSet;

use shakedown_checkers::{Outcome, Value, convergence};

use super::histories::{Chance, Op, histories, history, intervals, number};

fn fill(chance: &mut Chance, ops: &mut [Op]) {
    let writes = chance.below(4);
    let mut last = Value::Nil;
    for (at, op) in ops.iter_mut().enumerate() {
        op.key = Some(number(chance.below(2))).filter(|_| writes > 1);
        if at < writes && !chance.one_in(6) {
            op.function = ["write", "cas"][chance.below(2)];
            let new = number(chance.below(3));
            op.argument = if op.function == "cas" { Value::pair(number(9), new.clone()) } else { new.clone() };
            op.result = op.argument.clone();
            last = new;
        } else {
            op.function = "read";
            op.result = if chance.one_in(5) { number(chance.below(5)) } else { last.clone() };
        }
    }
}

/// Of one key: what is wrong with it, or that nobody knows.
fn definition(ops: &[&Op], quiet: u32) -> Result<Option<&'static str>, ()> {
    let writes = || ops.iter().filter(|op| op.function != "read" && op.may_have_happened());
    if writes().any(|op| op.outcome == Outcome::Info && op.invoked >= quiet) {
        return Err(());
    }
    let quiet = writes().filter(|op| op.happened()).map(|op| op.completed).fold(quiet, u32::max);
    let reads: Vec<&&Op> = ops.iter().filter(|op| op.is("read") && op.invoked >= quiet).collect();
    let value = |op: &Op| op.argument.as_pair().map_or(op.argument.clone(), |(_, new)| new.clone());
    let explained = |read: &Op| {
        read.result == Value::Nil || writes().any(|op| value(op) == read.result && op.invoked < read.completed)
    };
    // What a write of unknown outcome wrote may come at any time.
    let late: BTreeSet<Value> = writes().filter(|op| op.outcome == Outcome::Info).map(|op| value(op)).collect();
    let answers: BTreeSet<&Value> = reads.iter().map(|read| &read.result).collect();
    if answers.len() > 1 {
        let firm = answers.iter().filter(|answer| !late.contains(**answer)).count();
        return if firm > 1 { Ok(Some("divergence")) } else { Err(()) };
    }
    if reads.iter().any(|read| !explained(read)) {
        return Ok(Some("garbage-read"));
    }
    if reads.len() < 2 { Err(()) } else { Ok(None) }
}

#[test]
fn what_is_read_in_the_end_is_judged_as_defined() {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for seed in 0..histories() {
        let mut chance = Chance::of(seed);
        let mut ops = intervals(&mut chance);
        fill(&mut chance, &mut ops);
        let quiet = chance.below(6) as u32;
        let keys: BTreeSet<Option<Value>> = ops.iter().map(|op| op.key.clone()).collect();
        let of = |key| definition(&ops.iter().filter(|op| op.key == key).collect::<Vec<_>>(), quiet);
        let judged: Vec<_> = keys.into_iter().map(of).collect();
        let mut expected: Vec<&str> = judged.iter().filter_map(|one| one.ok().flatten()).collect();
        let verdict = convergence::check(&history(&ops), None, quiet);
        let mut found: Vec<&str> = verdict.anomalies().iter().map(|anomaly| anomaly.name).collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "seed {seed}, quiet from {quiet}: {verdict:?}\n{ops:#?}");
        let unknown = found.is_empty() && judged.iter().any(|one| one.is_err());
        assert_eq!(verdict.word() == "unknown", unknown, "seed {seed}, quiet from {quiet}: {verdict:?}\n{ops:#?}");
        seen.insert(verdict.word());
        seen.extend(found);
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
}
