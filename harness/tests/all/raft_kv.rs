//! The store under faults: it holds in every mode what that mode claims, shows what the mode gives up, and its planted defects
//! are found.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use shakedown::campaign::{self, Campaign, Job};
use shakedown::catalogue::{JudgedRun, Pairing, pair, pairings};
use shakedown::faults::{
    ClockDrift, ClockFreeze, ClockJump, Crash, FaultKind, Kill, Partition, Pause, Rot, SlowSync, Transfer, Wipe,
};
use shakedown::plan::{Fault, Moment};
use shakedown::scenario::Scenario;
use shakedown_results::VerdictWord;
use shakedown_systems::RaftKv;
use shakedown_workloads::{Kv, Set};

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
                VerdictWord::Valid,
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

/// What a mode gives up is seen: by ordinary seeds, or under the faults that its claims exclude.
#[test]
fn what_a_mode_does_not_promise_is_seen_to_break() {
    let ordinary = || None;
    type Row = (&'static str, &'static str, Option<Vec<&'static str>>, &'static str, bool, u64);
    let rows: [Row; 8] = [
        ("leader-local", "kv", ordinary(), "linearizable", false, 30),
        ("follower-local", "kv", ordinary(), "read-your-writes", false, 4),
        ("follower-local", "kv", ordinary(), "monotonic-reads", false, 12),
        ("leader-local-session", "kv", Some(vec!["partition", "one-way"]), "linearizable", false, 60),
        ("follower-local-session", "kv", ordinary(), "linearizable", false, 4),
        ("at-least-once", "append", ordinary(), "linearizable", false, 12),
        // Under these, it claims nothing.
        ("lazy-sync", "kv", Some(vec!["power-loss"]), "writes-kept", false, 12),
        ("lazy-sync", "kv", Some(vec!["power-loss"]), "linearizable", true, 12),
    ];
    for (mode, workload, faults, breaks, claimed, within) in rows {
        let pairing = pairings().into_iter().find(|pairing| pairing.workload() == workload).expect("it is listed");
        let scenario = Scenario { faults, ..Scenario::new("raft-kv", mode) };
        let is_seen = |seed| {
            let plan = pairing.draw(&scenario, seed).expect("it makes sense");
            let record = pairing.run(plan).expect("it makes sense").record;
            record.anomalies.iter().any(|anomaly| anomaly.breaks == breaks && anomaly.claimed == claimed)
        };
        assert!((0..within).any(is_seen), "{mode} {workload}: {breaks} was not broken in {within} seeds");
    }
}

/// A plan of three nodes and eight clients with these faults, in any of some seeds.
struct Pinned {
    mode: &'static str,
    defect: Option<&'static str>,
    faults: Vec<Fault>,
}

impl Pinned {
    fn run(&self, defect: Option<&str>, seed: u64) -> VerdictWord {
        let kv = match self.mode {
            // What is lost once is missed for ever.
            "follower-local" => pair::<RaftKv, _>(Set),
            // On two keys, hardly a stale read goes unseen.
            _ => pair::<RaftKv, _>(Kv::default().with_keys(2)),
        };
        let scenario = Scenario {
            defect: defect.map(str::to_owned),
            nodes: Some(3),
            clients: 12,
            stop_ms: 2_000,
            faults: Some(Vec::new()),
            ..Scenario::new("raft-kv", self.mode)
        };
        let mut plan = kv.draw(&scenario, seed).expect("it makes sense");
        plan.faults.clone_from(&self.faults);
        kv.run(plan).expect("it makes sense").record.verdict
    }

    /// Within how many seeds the defect is found; the same seed passes without it.
    fn finds(&self, within: u64) -> Option<u64> {
        let seed = (0..within).find(|seed| self.run(self.defect, *seed) == VerdictWord::Invalid)?;
        assert_eq!(self.run(None, seed), VerdictWord::Valid, "the twin of {:?} at seed {seed}", self.defect);
        Some(seed)
    }
}

fn at(id: u32, at_ms: u64, lasts_ms: u64, fault: FaultKind) -> Fault {
    Fault { id, seed: 1, begins: Moment::At { at_ms }, lasts_ms, fault }
}

fn on(id: u32, event: &str, plus_ms: u64, lasts_ms: u64, fault: FaultKind) -> Fault {
    let begins = Moment::On { on: event.to_owned(), node: None, nth: 1, plus_ms };
    Fault { begins, ..at(id, 0, lasts_ms, fault) }
}

fn leader() -> Vec<String> {
    vec!["leader".to_owned()]
}

fn node(name: &str) -> Vec<String> {
    vec![name.to_owned()]
}

/// The leader is cut off from its peers; clients still reach it.
fn isolated() -> FaultKind {
    FaultKind::Partition(Partition { sides: vec![leader()] })
}

/// A lease holds as long as clocks run nearly alike: a leader whose clock runs at a third of its rate serves what is stale (thesis §6.4.1).
#[test]
fn a_lease_is_no_better_than_its_clock() {
    let drift = |rate| Pinned {
        mode: "lease",
        defect: None,
        faults: vec![
            at(0, 600, 900, FaultKind::ClockDrift(ClockDrift { nodes: leader(), rate })),
            at(1, 620, 900, isolated()),
        ],
    };
    assert!((0..20).all(|seed| drift(0.9).run(None, seed) == VerdictWord::Valid));
    assert!((0..20).any(|seed| drift(0.33).run(None, seed) == VerdictWord::Invalid));
}

/// A machine that lost its disk, and dies again before it is let in, has still forgotten what it promised.
#[test]
fn a_machine_that_dies_while_it_asks_to_be_let_in_asks_again() {
    let faults = vec![
        at(0, 600, 100, FaultKind::Wipe(Wipe { nodes: node("n1") })),
        // The machine before it is out, and it is not in yet.
        on(1, "configuration-changed", 20, 0, FaultKind::Crash(Crash { nodes: node("n1") })),
    ];
    let pinned = Pinned { mode: "follower-local", defect: None, faults };
    for seed in 0..12 {
        assert_eq!(pinned.run(None, seed), VerdictWord::Valid, "seed {seed}");
    }
}

/// Defects that need several faults at the right moments, each with a plan that brings these about.
#[test]
fn rare_defects_are_found_by_pinned_plans_and_their_twins_pass() {
    let pause = |lasts_ms| at(0, 600, lasts_ms, FaultKind::Pause(Pause { nodes: leader() }));
    let transfer =
        |id, to: &str| at(id, 600 + 20 * u64::from(id), 0, FaultKind::Transfer(Transfer { node: to.to_owned() }));
    let handed_over =
        || vec![transfer(0, "n1"), transfer(1, "n2"), on(2, "leadership-handed-over", 1, 700, isolated())];
    let rows = [
        (
            "lease-on-wall-clock",
            "lease",
            vec![
                at(0, 600, 900, isolated()),
                at(1, 605, 900, FaultKind::ClockJump(ClockJump { nodes: leader(), by_ms: -500 })),
            ],
        ),
        // Between the note that a snapshot is taken and the state itself, the process dies.
        (
            "applied-index-apart",
            "follower-local",
            vec![
                at(0, 300, 1_600, FaultKind::SlowSync(SlowSync { nodes: node("n1"), by_ms: 20 })),
                Fault {
                    begins: Moment::On {
                        on: "snapshot-taken".to_owned(),
                        node: Some("n1".to_owned()),
                        nth: 2,
                        plus_ms: 6,
                    },
                    ..at(1, 0, 200, FaultKind::Kill(Kill { nodes: node("n1") }))
                },
            ],
        ),
        (
            "session-expiry-local",
            "follower-local",
            vec![at(0, 700, 600, FaultKind::ClockJump(ClockJump { nodes: node("n1"), by_ms: 5_000 }))],
        ),
        // The one node that keeps what the third one missed rots, and the other one that has it dies.
        (
            "rot-cut-as-torn",
            "log",
            vec![
                at(0, 600, 400, FaultKind::Partition(Partition { sides: vec![node("n3")] })),
                at(1, 800, 0, FaultKind::Rot(Rot { nodes: node("n1"), bits: 3 })),
                at(2, 805, 0, FaultKind::Crash(Crash { nodes: node("n1") })),
                at(3, 815, 900, FaultKind::Kill(Kill { nodes: node("n2") })),
            ],
        ),
        ("lease-counts-ticks", "lease", vec![pause(280), at(1, 603, 900, isolated())]),
        ("lease-from-ack", "lease", vec![pause(280), at(1, 603, 900, isolated())]),
        ("lease-survives-transfer", "lease", handed_over()),
        // A leader whose timer stands still begins no round of its own.
        (
            "stale-round-confirms",
            "read-index",
            vec![at(0, 600, 900, FaultKind::ClockFreeze(ClockFreeze { nodes: leader() })), at(1, 620, 900, isolated())],
        ),
    ];
    let mut missing = Vec::new();
    for (defect, mode, faults) in rows {
        let found = Pinned { mode, defect: Some(defect), faults }.finds(80);
        println!("{defect} is found at seed {found:?}");
        missing.extend(found.is_none().then_some(defect));
    }
    assert!(missing.is_empty(), "not found in 80 seeds: {missing:?}");
}

/// Each defect with the faults that it needs, what it breaks, and within how many seeds it must be found. The same seed must pass
/// without it.
#[test]
fn planted_defects_are_found_and_their_twins_pass() {
    let all = FaultKind::ordinary();
    let rows: [(&str, &str, &[&'static str], &str, u64); 17] = [
        ("no-client-sessions", "log", &all, "linearizable", 40),
        ("maybe-reported-as-fail", "log", &all, "linearizable", 60),
        ("ack-before-sync", "log", &["power-loss"], "writes-kept", 20),
        ("read-without-quorum", "read-index", &["partition", "bridge"], "linearizable", 120),
        ("vote-ignores-log", "log", &["partition", "one-way", "crash"], "writes-kept", 40),
        ("amnesiac-votes", "log", &["wipe", "partition", "kill"], "writes-kept", 800),
        ("votes-counted-twice", "log", &["delay", "crash", "kill"], "election-safety", 400),
        ("read-before-own-commit", "read-index", &["kill", "crash"], "linearizable", 40),
        ("commit-past-verified", "log", &["partition", "one-way", "loss", "crash"], "writes-kept", 40),
        ("no-directory-sync", "log", &["power-loss"], "linearizable", 20),
        ("append-after-torn", "log", &["power-loss"], "writes-kept", 120),
        ("append-truncates-always", "log", &all, "no-recovery", 20),
        ("last-index-only", "log", &["partition", "one-way", "crash", "kill"], "writes-kept", 600),
        ("match-from-heartbeat", "log", &["partition", "one-way", "crash", "kill"], "no-recovery", 60),
        ("snapshot-cuts-tail", "log", &["duplicate", "reorder", "delay", "kill", "partition"], "no-recovery", 900),
        ("sessions-not-in-snapshot", "log", &["kill", "partition", "crash"], "linearizable", 20),
        ("success-on-term-change", "log", &["partition", "one-way"], "linearizable", 20),
    ];
    let kv = kv();
    let mut missing = Vec::new();
    for (defect, mode, faults, breaks, within) in rows {
        let mut scenario = Scenario {
            defect: Some(defect.to_owned()),
            faults: Some(faults.to_vec()),
            stop_ms: 2_500,
            ..Scenario::new("raft-kv", mode)
        };
        if defect == "votes-counted-twice" {
            // Two candidates of one term, and a vote that arrives twice.
            scenario.nodes = Some(5);
        }
        let jobs: Vec<Job<'_>> =
            (0..within).map(|seed| Job { pairing: &*kv, scenario: &scenario, seed, keep: false }).collect();
        let campaign = Campaign {
            out: None,
            threads: 2,
            verify_determinism: false,
            stop_after: Some(1),
            replay: &campaign::replay,
            interrupted: &AtomicBool::new(false),
        };
        let records = campaign.run(&jobs, |_, _| {});
        let found = records.iter().find(|record| record.verdict == VerdictWord::Invalid);
        let Some(found) = found else {
            missing.push(defect);
            continue;
        };
        println!("{defect} is found at seed {}", found.seed);
        let broken: Vec<&str> = found.anomalies.iter().map(|anomaly| anomaly.breaks.as_str()).collect();
        assert!(broken.contains(&breaks), "{defect} at seed {} broke {broken:?}", found.seed);
        scenario.defect = None;
        let twin = drawn(&scenario, found.seed).record;
        assert_eq!(twin.verdict, VerdictWord::Valid, "the twin of {defect} at seed {}", found.seed);
    }
    assert!(missing.is_empty(), "not found: {missing:?}");
}
