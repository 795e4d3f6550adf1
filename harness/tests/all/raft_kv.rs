//! The store under faults: it holds in every mode what that mode claims, shows what the mode gives up, and its planted defects
//! are found.

use std::collections::BTreeMap;

use shakedown::catalogue::{JudgedRun, Pairing, pairings};
use shakedown::scenario::Scenario;
use shakedown_results::Word;

fn kv() -> Box<dyn Pairing> {
    pairings().into_iter().find(|pairing| pairing.workload() == "kv").expect("it is listed")
}

fn drawn(scenario: &Scenario, seed: u64) -> JudgedRun {
    let kv = kv();
    kv.run(kv.draw(scenario, seed).expect("it makes sense")).expect("it makes sense")
}

fn run(mode: &str, defect: Option<&str>, seed: u64) -> JudgedRun {
    let scenario = Scenario { defect: defect.map(str::to_owned), ..Scenario::new("raft-kv", mode) };
    drawn(&scenario, seed)
}

#[test]
fn every_mode_holds_what_it_claims() {
    let mut reach: BTreeMap<String, u64> = BTreeMap::new();
    for mode in &kv().system().modes {
        for seed in 0..8 {
            let judged = run(&mode.name, None, seed);
            assert_eq!(
                judged.record.verdict,
                Word::Valid,
                "{} {:?}",
                judged.record.run,
                judged.record.anomalies.first()
            );
            assert!(judged.record.recovered);
            assert!(judged.record.operations.ok > 1_000, "{:?}", judged.record.operations);
            judged.record.reach.into_iter().for_each(|(mark, times)| *reach.entry(mark).or_default() += times);
        }
    }
    for mark in
        ["elected", "log-truncated", "recovered-from-disk", "retry-answered-from-session", "leader-stepped-down"]
    {
        assert!(reach[mark] > 0, "{mark} was never reached: {reach:?}");
    }
}

#[test]
fn local_reads_are_stale_and_that_is_allowed() {
    let stale = |mode: &str, seeds: std::ops::Range<u64>| {
        seeds
            .filter(|seed| {
                run(mode, None, *seed).record.anomalies.iter().any(|a| !a.claimed && a.breaks == "linearizable")
            })
            .count()
    };
    assert_eq!(stale("follower-local", 0..4), 4, "reads of any node are stale without any fault");
    assert!(stale("leader-local", 0..30) > 0, "reads of a deposed leader are stale");
}

/// The first seeds that find each defect, as `shakedown run --defect NAME` measured them; their twins without it must pass.
#[test]
fn planted_defects_are_found_and_their_twins_pass() {
    let found_at = [
        ("no-client-sessions", "log", 5, "linearizable"),
        ("maybe-reported-as-fail", "log", 18, "linearizable"),
        ("ack-before-sync", "log", 1, "linearizable"),
        ("read-without-quorum", "read-index", 6, "linearizable"),
        ("vote-ignores-log", "log", 11, "leader-completeness"),
        ("votes-counted-twice", "log", 20, "election-safety"),
        ("read-before-own-commit", "read-index", 6, "linearizable"),
        ("commit-past-verified", "log", 3, "state-machine-safety"),
        ("no-directory-sync", "log", 1, "linearizable"),
        ("append-after-torn", "log", 167, "state-machine-safety"),
    ];
    assert_eq!(found_at.len(), kv().system().defects.len());
    for (defect, mode, seed, breaks) in found_at {
        let mut scenario = Scenario { defect: Some(defect.to_owned()), ..Scenario::new("raft-kv", mode) };
        if defect == "votes-counted-twice" {
            // Two candidates of one term, and a vote that arrives twice: elections under loss and delay.
            scenario.nodes = 5;
            scenario.faults = vec!["loss", "delay", "crash"];
            scenario.operations = Some(60);
            scenario.stop_ms = 4_000;
        }
        let record = drawn(&scenario, seed).record;
        let broken: Vec<&str> = record.anomalies.iter().map(|anomaly| anomaly.breaks.as_str()).collect();
        assert!(broken.contains(&breaks), "{defect} at seed {seed} broke {broken:?}");
        assert_eq!(record.verdict, Word::Invalid);
        scenario.defect = None;
        let twin = drawn(&scenario, seed).record;
        assert_eq!(twin.verdict, Word::Valid, "the twin of {defect} at seed {seed}");
    }
}
