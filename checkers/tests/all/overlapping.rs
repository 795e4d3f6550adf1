//! Registers whose operations overlap a lot, 18 to 60 operations of 6 to 10 processes, against a search without any cleverness.
//!
//! Brute force over all orders ends where the sharp rules of the crate's methods begin: a write that is absorbed, a value that cannot
//! come back, equal values of different origin need more than a dozen operations to go wrong. `SHAKEDOWN_HISTORIES` tells how many
//! histories a test tries; a failure prints the seed and the history.

use crate::definition;
use crate::registers;

use definition::{Op, history};
use registers::{Chance, Judgement, Mixture, judge, simulate, spoil};
use shakedown_checkers::{Anomaly, Budget, ModelName, Verdict, linearizability};

/// How many configurations the plain search may have at once.
const MOST: usize = 100_000;

fn histories() -> u64 {
    std::env::var("SHAKEDOWN_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(1_500)
}

fn check(ops: &[Op]) -> Verdict {
    let history = history(ModelName::CasRegister, ops, false);
    linearizability::check(&history, ModelName::CasRegister, None, Budget::default()).expect("the generator fits")
}

/// How many histories came out how.
#[derive(Default, Debug)]
struct Counts {
    valid: u64,
    invalid: u64,
    /// Of the invalid ones: those whose `impossible_by` is not the earliest completion that it could be.
    late: u64,
    /// The plain search had too many configurations.
    skipped: u64,
    /// Proofs whose operations were each shown to be needed.
    proofs: u64,
}

fn agrees_with_the_plain_search(mixtures: &[Mixture]) {
    let mut counts = Counts::default();
    for seed in 0..histories() {
        let mixture = mixtures[seed as usize % mixtures.len()];
        let mut chance = Chance::of(seed);
        let operations = chance.of_range(mixture.operations / 2..mixture.operations + 1);
        let skewed = chance.percent(50);
        let mut ops = simulate(Mixture { operations, skewed, ..mixture }, &mut chance);
        if chance.percent(80) {
            let changes = 1 + chance.below(12);
            spoil(&mut ops, changes, &mut chance);
        }
        let verdict = check(&ops);
        let told = || format!("seed {seed} of {mixture:?}: {verdict:?}\n{}", drawn(&ops));
        match judge(&ops, |_| true, MOST) {
            Judgement::TooMany => counts.skipped += 1,
            Judgement::Legal => {
                counts.valid += 1;
                assert_eq!(verdict.word(), "valid", "{}", told());
            }
            Judgement::ImpossibleBy(position) => {
                counts.invalid += 1;
                assert_eq!(verdict.word(), "invalid", "{}", told());
                let anomaly = &verdict.anomalies()[0];
                assert!(anomaly.impossible_by.is_none_or(|by| by >= position), "by {position}: {}", told());
                counts.late += u64::from(anomaly.impossible_by.is_some_and(|by| by > position));
                if counts.invalid.is_multiple_of(4) {
                    counts.proofs += u64::from(proves(&ops, anomaly, told));
                }
            }
        }
    }
    eprintln!("{mixtures:?}: {counts:?}");
    let share = 100 * counts.invalid / (counts.valid + counts.invalid);
    assert!((15..=85).contains(&share), "{share} % are invalid");
    assert!(counts.skipped < histories() / 10, "{counts:?}");
}

/// Whether the proof could be examined; then it proves what it says, and needs all that it names.
fn proves(ops: &[Op], anomaly: &Anomaly, told: impl Fn() -> String) -> bool {
    let in_proof = |at: usize| anomaly.proof.iter().any(|id| id.row() == at);
    match judge(ops, in_proof, MOST) {
        Judgement::TooMany => return false,
        Judgement::Legal => panic!("it does not prove it: {}", told()),
        Judgement::ImpossibleBy(_) => {}
    }
    anomaly.proof.iter().all(|spared| match judge(ops, |at| in_proof(at) && at != spared.row(), MOST) {
        Judgement::TooMany => false,
        Judgement::Legal => true,
        Judgement::ImpossibleBy(_) => panic!("{spared:?} is not needed: {}", told()),
    })
}

/// A history for people: one operation a line.
fn drawn(ops: &[Op]) -> String {
    let line = |(at, op): (usize, &Op)| {
        let Op { process, function, argument, answer, outcome, invoked, completed, .. } = op;
        format!("#{at} p{process} {function} {argument:?} → {answer:?} {outcome:?} [{invoked}, {completed}]\n")
    };
    ops.iter().enumerate().map(line).collect()
}

const BASE: Mixture = Mixture { operations: 60, fail: 3, ..Mixture::of(60, 8) };

#[test]
fn values_that_do_not_repeat() {
    agrees_with_the_plain_search(&[
        Mixture { processes: 10, writes: 40, ..BASE },
        Mixture { processes: 8, writes: 30, cas: 30, ..BASE },
        Mixture { processes: 6, writes: 30, cas: 20, info: 10, operations: 56, ..BASE },
        Mixture { processes: 6, writes: 40, cas: 20, info: 30, operations: 44, ..BASE },
        Mixture { processes: 6, writes: 15, cas: 55, info: 20, operations: 44, ..BASE },
    ]);
}

#[test]
fn few_values() {
    agrees_with_the_plain_search(&[
        Mixture { values: Some(2), processes: 9, writes: 40, ..BASE },
        Mixture { values: Some(3), processes: 10, writes: 30, ..BASE },
        Mixture { values: Some(4), processes: 8, writes: 60, ..BASE },
        Mixture { values: Some(6), processes: 10, writes: 50, ..BASE },
        Mixture { values: Some(12), processes: 8, writes: 50, ..BASE },
    ]);
}

#[test]
fn few_values_and_compare_and_set() {
    agrees_with_the_plain_search(&[
        Mixture { values: Some(2), processes: 8, writes: 30, cas: 30, ..BASE },
        Mixture { values: Some(3), processes: 8, writes: 30, cas: 30, ..BASE },
        Mixture { values: Some(4), processes: 10, writes: 20, cas: 50, ..BASE },
        Mixture { values: Some(5), processes: 8, writes: 10, cas: 60, ..BASE },
        Mixture { values: Some(20), processes: 8, writes: 30, cas: 30, ..BASE },
    ]);
}

#[test]
fn few_values_and_unknown_outcomes() {
    agrees_with_the_plain_search(&[
        Mixture { values: Some(2), processes: 6, writes: 40, info: 20, operations: 50, ..BASE },
        Mixture { values: Some(3), processes: 7, writes: 30, info: 30, operations: 50, ..BASE },
        Mixture { values: Some(4), processes: 6, writes: 50, info: 10, operations: 56, ..BASE },
        Mixture { values: Some(6), processes: 6, writes: 40, info: 40, operations: 44, ..BASE },
    ]);
}

#[test]
fn few_values_and_everything() {
    agrees_with_the_plain_search(&[
        Mixture { values: Some(2), processes: 6, writes: 30, cas: 20, info: 15, operations: 48, ..BASE },
        Mixture { values: Some(3), processes: 6, writes: 30, cas: 30, info: 20, operations: 44, ..BASE },
        Mixture { values: Some(4), processes: 6, writes: 10, cas: 60, info: 20, operations: 44, ..BASE },
        Mixture { values: Some(5), processes: 6, writes: 20, cas: 40, info: 40, operations: 36, ..BASE },
        Mixture { values: Some(15), processes: 6, writes: 30, cas: 30, info: 25, operations: 44, ..BASE },
    ]);
}
