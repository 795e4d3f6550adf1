//! Transactions against the definitions, on many small histories, and planted anomalies by their names.
//!
//! `SHAKEDOWN_HISTORIES` tells how many histories a test tries; a failure prints the seed and the history.

use crate::definitions;
use crate::generate;

use std::collections::{BTreeMap, BTreeSet};

use generate::{Store, Txn, generate, is_told, repeated, run, text};
use shakedown_checkers::history::read;
use shakedown_checkers::levels::Level;
use shakedown_checkers::transactions::{Analysis, DoesNotFit, Options, Workload, analyse, check};
use shakedown_checkers::{Budget, History, Outcome, Verdict};

fn histories() -> u64 {
    std::env::var("SHAKEDOWN_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(5_000)
}

fn history(text: &str) -> History {
    read("test", text.as_bytes()).expect("the history is well-formed")
}

/// Whether the reads of a transaction are what it would see on this store.
fn agrees(workload: Workload, txn: &Txn, store: &mut Store) -> bool {
    let seen = run(workload, &txn.micro, store);
    let told = txn.micro.iter().filter(|micro| micro.written.is_none()).map(|micro| &micro.seen);
    txn.outcome != Outcome::Ok || told.eq(seen.iter())
}

/// Whether a serial order exists; with `real_time`, one that keeps it.
fn is_serializable(workload: Workload, txns: &[Txn], real_time: bool) -> bool {
    fn go(workload: Workload, txns: &[Txn], real_time: bool, done: u32, store: &Store) -> bool {
        let is_done = |at: usize| done & 1 << at != 0;
        if (0..txns.len()).all(|at| is_done(at) || txns[at].outcome != Outcome::Ok) {
            return true;
        }
        (0..txns.len()).filter(|&at| !is_done(at) && txns[at].outcome != Outcome::Fail).any(|at| {
            let before = |other: usize| {
                txns[other].outcome == Outcome::Ok && !is_done(other) && txns[other].completed < txns[at].invoked
            };
            if real_time && (0..txns.len()).any(before) {
                return false;
            }
            let mut store = store.clone();
            agrees(workload, &txns[at], &mut store) && go(workload, txns, real_time, done | 1 << at, &store)
        })
    }
    go(workload, txns, real_time, 0, &Store::default())
}

/// Whether an order of begins and commits exists in which each transaction reads the snapshot of its begin, and no two that overlap write
/// the same key.
fn is_snapshot_isolated(workload: Workload, txns: &[Txn]) -> bool {
    #[derive(Clone)]
    struct At {
        store: Store,
        /// By transaction: 0 not begun, 1 open, 2 committed; and the keys written since its begin by others.
        state: Vec<(u8, u32)>,
    }
    fn go(workload: Workload, txns: &[Txn], at: &At) -> bool {
        if (0..txns.len()).all(|i| at.state[i].0 == 2 || txns[i].outcome != Outcome::Ok && at.state[i].0 == 0) {
            return true;
        }
        (0..txns.len()).filter(|&i| txns[i].outcome != Outcome::Fail && at.state[i].0 < 2).any(|i| {
            let mut next = at.clone();
            let written = txns[i].micro.iter().filter(|m| m.written.is_some()).fold(0, |keys, m| keys | 1 << m.key);
            next.state[i].0 += 1;
            if at.state[i].0 == 0 {
                agrees(workload, &txns[i], &mut at.store.clone()) && go(workload, txns, &next)
            } else {
                if at.state[i].1 & written != 0 {
                    return false;
                }
                run(workload, &txns[i].micro, &mut next.store);
                next.state.iter_mut().filter(|state| state.0 == 1).for_each(|state| state.1 |= written);
                go(workload, txns, &next)
            }
        })
    }
    go(workload, txns, &At { store: Store::default(), state: vec![(0, 0); txns.len()] })
}

/// The same of longer histories, for levels that keep the order of sessions or real time: by a search over what has been done so far, each
/// set of transactions and each store once. It shares nothing with the checkers.
mod search {
    use super::*;

    pub struct Search<'a> {
        pub workload: Workload,
        pub txns: &'a [Txn],
        /// By transaction: those that must be done before.
        before: Vec<Vec<usize>>,
        visited: BTreeSet<(Vec<(u8, u32)>, Store)>,
    }

    impl<'a> Search<'a> {
        pub fn of(workload: Workload, txns: &'a [Txn], real_time: bool) -> Search<'a> {
            let is_before = |one: &Txn, other: &Txn| {
                let is_related = real_time || one.process == other.process;
                is_related && one.outcome == Outcome::Ok && one.completed < other.invoked
            };
            let before = |txn: &Txn| (0..txns.len()).filter(|&other| is_before(&txns[other], txn)).collect();
            let before = txns.iter().map(before).collect();
            Search { workload, txns, before, visited: BTreeSet::new() }
        }

        /// Whether an order of begins and commits is left; each transaction commits as it begins, if that is to be serial.
        pub fn has_order(&mut self, is_serial: bool) -> bool {
            let state = vec![(0, 0); self.txns.len()];
            self.go(is_serial, &state, &Store::default())
        }

        fn go(&mut self, is_serial: bool, state: &[(u8, u32)], store: &Store) -> bool {
            let txns = self.txns;
            let is_over = |at: usize| state[at].0 == 2 || txns[at].outcome != Outcome::Ok && state[at].0 == 0;
            if (0..txns.len()).all(is_over) {
                return true;
            }
            if !self.visited.insert((state.to_vec(), store.clone())) {
                return false;
            }
            (0..txns.len()).any(|at| {
                let (txn, (stage, written_since)) = (&txns[at], state[at]);
                if txn.outcome == Outcome::Fail || stage == 2 {
                    return false;
                }
                let mut next = state.to_vec();
                let mut store = store.clone();
                if stage == 0 {
                    if self.before[at].iter().any(|&before| state[before].0 != 2)
                        || !agrees(self.workload, txn, &mut store.clone())
                    {
                        return false;
                    }
                    next[at] = (1, 0);
                    if !is_serial {
                        return self.go(is_serial, &next, &store);
                    }
                }
                let written = txn.micro.iter().filter(|m| m.written.is_some()).fold(0, |keys, m| keys | 1 << m.key);
                if written_since & written != 0 {
                    return false;
                }
                run(self.workload, &txn.micro, &mut store);
                next[at] = (2, 0);
                next.iter_mut().filter(|state| state.0 == 1).for_each(|state| state.1 |= written);
                self.go(is_serial, &next, &store)
            })
        }
    }
}

#[test]
fn longer_histories_are_judged_as_a_search_over_their_states_does() {
    let mut counts = [[0; 2]; 3];
    let begin: u64 = std::env::var("SHAKEDOWN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let count = histories().div_ceil(10);
    for seed in begin..begin + count {
        let (workload, values) =
            [(Workload::RwRegister, None), (Workload::RwRegister, Some(6)), (Workload::ListAppend, None)]
                [seed as usize % 3];
        // Some end early, so that not all are broken.
        let txns = generate(workload, seed, [8, 12, 18, 30][seed as usize / 3 % 4]);
        let txns = values.map_or_else(|| txns.clone(), |values| repeated(txns.clone(), values));
        let text = text(workload, &txns);
        let analysis = judged(&text, workload);
        let expected = [
            (Level::StrictSerializable, true, true),
            (Level::StrongSessionSerializable, false, true),
            (Level::StrongSnapshotIsolation, true, false),
        ];
        for (at, (level, real_time, is_serial)) in expected.into_iter().enumerate() {
            let holds = search::Search::of(workload, &txns, real_time).has_order(is_serial);
            let word = if holds { "valid" } else { "invalid" };
            assert_eq!(analysis.verdict(level).word(), word, "seed {seed}, {level:?}\n{text}");
            counts[at][usize::from(holds)] += 1;
        }
    }
    eprintln!(
        "strict serializable, strong session serializable, strong snapshot isolation; broken, satisfied: {counts:?}"
    );
    assert!(counts.iter().flatten().all(|times| times * 12 > count), "{counts:?}");
}

/// Levels that do not ask a transaction to agree with itself. Where one does not, what it then depends on is not known.
const WITHOUT_AGREEMENT: [Level; 8] = [
    Level::ReadCommitted,
    Level::CursorStability,
    Level::MonotonicAtomicView,
    Level::ConsistentView,
    Level::RepeatableRead,
    Level::UpdateSerializable,
    Level::StrongSessionReadCommitted,
    Level::StrongReadCommitted,
];

/// Of histories whose values differ, or of whose values there are so many at most.
fn agrees_with_the_definition(workload: Workload, values: Option<i64>) {
    let begin: u64 = std::env::var("SHAKEDOWN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    // By level: broken, satisfied, and of the former not found.
    let mut counts: BTreeMap<Level, [u64; 3]> = BTreeMap::new();
    let mut names: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut told, mut apart) = (0, BTreeSet::new());
    for seed in begin..begin + histories() {
        let txns = generate(workload, seed, 6);
        let txns = values.map_or_else(|| txns.clone(), |values| repeated(txns.clone(), values));
        let text = text(workload, &txns);
        let analysis = judged(&text, workload);
        let is_complete = workload == Workload::ListAppend && is_told(&txns);
        told += u64::from(is_complete);
        let truths = definitions::levels(workload, &txns);
        if seed.is_multiple_of(8) {
            let operational = [
                (Level::SnapshotIsolation, is_snapshot_isolated(workload, &txns)),
                (Level::Serializable, is_serializable(workload, &txns, false)),
                (Level::StrictSerializable, is_serializable(workload, &txns, true)),
            ];
            for (level, holds) in operational {
                assert_eq!(holds, truths[&level], "seed {seed}: two definitions of {level:?}\n{text}");
            }
        }
        let is_internal = analysis.anomalies.iter().any(|anomaly| anomaly.name == "internal");
        for (&level, &holds) in &truths {
            let is_out = analysis.ruled_out.contains(&level);
            let say = || format!("seed {seed}, {level:?}: {:#?}\n{text}", analysis.anomalies);
            assert!(!holds || !is_out, "it holds, by definition: {}", say());
            // What sessions see of single operations is decided elsewhere.
            let is_due = level.is_transactional() && !(is_internal && WITHOUT_AGREEMENT.contains(&level));
            assert!(holds || is_out || !is_due, "it does not hold: {}", say());
            let is_decided = is_internal || !level.is_transactional() || analysis.verdict(level).word() != "unknown";
            assert!(is_decided, "it is not decided: {}", say());
            let count = counts.entry(level).or_default();
            count[usize::from(holds)] += 1;
            count[2] += u64::from(!holds && !is_out);
            for (&weaker, &holds_too) in &truths {
                if holds && !holds_too {
                    apart.insert((level, weaker));
                }
                assert!(!holds || holds_too || !level.implies(weaker), "{level:?} without {weaker:?}\n{text}");
            }
        }
        analysis.anomalies.iter().for_each(|anomaly| *names.entry(anomaly.name).or_default() += 1);
        is_consistent(&analysis, &text);
        let is_told = values.is_some() || analysis.anomalies.iter().all(|anomaly| !anomaly.unreduced);
        assert!(is_told, "seed {seed}: {:#?}\n{text}", analysis.anomalies);
    }
    eprintln!("{workload:?}: {told} of {} wholly told; broken, satisfied, not found:", histories());
    counts.iter().for_each(|(level, count)| eprintln!("  {:34} {count:?}", level.name()));
    eprintln!("  {names:?}");
    for one in definitions::LEVELS {
        let may_imply = |two: &Level| *two != one && !one.implies(*two) && !apart.contains(&(one, *two));
        let more: Vec<&str> = definitions::LEVELS.into_iter().filter(may_imply).map(Level::name).collect();
        if !more.is_empty() {
            eprintln!("  no history tells {} from {}", one.name(), more.join(", "));
        }
    }
    assert!(counts.values().all(|[broken, satisfied, _]| broken.min(satisfied) * 100 > histories()), "{counts:?}");
}

/// Verdicts follow the lattice, and cycles close.
fn is_consistent(analysis: &Analysis, text: &str) {
    for level in Level::ALL.into_iter().filter(|level| level.is_transactional()) {
        let is_out = analysis.ruled_out.contains(&level);
        let verdict = analysis.verdict(level);
        assert_eq!(matches!(verdict, Verdict::Invalid(_)), is_out, "{level:?}\n{text}");
        assert_eq!(verdict == Verdict::Valid, !is_out && !analysis.open.contains(&level), "{level:?}\n{text}");
        for weaker in Level::ALL.into_iter().filter(|weaker| level.implies(*weaker)) {
            assert!(is_out || !analysis.ruled_out.contains(&weaker), "{level:?} stands without {weaker:?}\n{text}");
        }
    }
    for anomaly in &analysis.anomalies {
        assert!(!anomaly.sentence.is_empty(), "{anomaly:#?}\n{text}");
        for (at, edge) in anomaly.edges.iter().enumerate() {
            assert_eq!(edge.to, anomaly.edges[(at + 1) % anomaly.edges.len()].from, "{anomaly:#?}\n{text}");
            assert!(!edge.reason.is_empty());
        }
    }
}

fn judged(text: &str, workload: Workload) -> Analysis {
    analyse(&history(text), workload, &Options::default(), &Budget::default()).expect("the generator fits")
}

#[test]
fn lists_are_judged_as_the_definitions_do() {
    agrees_with_the_definition(Workload::ListAppend, None);
}

#[test]
fn registers_are_judged_as_the_definitions_do() {
    agrees_with_the_definition(Workload::RwRegister, None);
}

#[test]
fn registers_whose_values_repeat_are_judged_as_the_definitions_do() {
    agrees_with_the_definition(Workload::RwRegister, Some(2));
    agrees_with_the_definition(Workload::RwRegister, Some(4));
}

/// Completions alone, each of these transactions by a process of its own.
fn names(workload: Workload, transactions: &[&str]) -> Vec<&'static str> {
    analysis(workload, transactions).anomalies.iter().map(|anomaly| anomaly.name).collect()
}

/// Of completions alone, each of a process of its own: an outcome and a value.
fn analysis(workload: Workload, transactions: &[&str]) -> Analysis {
    let line = |(process, value): (usize, &&str)| {
        let (kind, value) = value.split_once(' ').expect("an outcome and a value");
        format!("{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"txn\",\"value\":{value}}}\n")
    };
    let text: String = transactions.iter().enumerate().map(line).collect();
    analyse(&history(&text), workload, &Options::default(), &Budget::default()).expect("it fits")
}

#[test]
fn planted_anomalies_of_lists_are_found_by_name() {
    let cases: [(&str, &[&str]); 12] = [
        (
            "G0",
            &[
                r#"ok [["append",0,1],["append",1,1]]"#,
                r#"ok [["append",0,2],["append",1,2]]"#,
                r#"ok [["r",0,[1,2]],["r",1,[2,1]]]"#,
            ],
        ),
        ("G1a", &[r#"fail [["append",0,1]]"#, r#"ok [["r",0,[1]]]"#]),
        ("G1b", &[r#"ok [["append",0,1],["append",0,2]]"#, r#"ok [["r",0,[1]]]"#]),
        ("G1c", &[r#"ok [["append",0,1],["r",1,[1]]]"#, r#"ok [["append",1,1],["r",0,[1]]]"#]),
        ("G-single-item", &[r#"ok [["append",0,1],["append",1,1]]"#, r#"ok [["r",0,[1]],["r",1,[]]]"#]),
        (
            "G-nonadjacent-item",
            &[
                r#"ok [["append",0,1]]"#,
                r#"ok [["append",1,1]]"#,
                r#"ok [["r",0,[1]],["r",1,[]]]"#,
                r#"ok [["r",1,[1]],["r",0,[]]]"#,
            ],
        ),
        ("G2-item", &[r#"ok [["append",0,1],["r",1,[]]]"#, r#"ok [["append",1,1],["r",0,[]]]"#]),
        (
            "incompatible-order",
            &[r#"ok [["append",0,1]]"#, r#"ok [["append",0,2]]"#, r#"ok [["r",0,[1]]]"#, r#"ok [["r",0,[2]]]"#],
        ),
        ("incompatible-order", &[r#"ok [["append",0,1],["append",0,2]]"#, r#"ok [["r",0,[2,1]]]"#]),
        ("duplicate-elements", &[r#"ok [["append",0,1]]"#, r#"ok [["r",0,[1,1]]]"#]),
        ("garbage-read", &[r#"ok [["append",0,1]]"#, r#"ok [["r",0,[1,7]]]"#]),
        ("lost-update", &[r#"ok [["r",0,[]],["append",0,1]]"#, r#"ok [["r",0,[]],["append",0,2]]"#]),
    ];
    for (name, transactions) in cases {
        let found = names(Workload::ListAppend, transactions);
        assert!(found.contains(&name), "{name}: {found:?}");
    }
}

#[test]
fn planted_anomalies_of_registers_are_found_by_name() {
    let cases: [(&str, &[&str]); 6] = [
        ("internal", &[r#"ok [["w",0,1],["r",0,2]]"#, r#"ok [["w",0,2]]"#]),
        ("future-read", &[r#"ok [["r",0,1],["w",0,1]]"#]),
        ("garbage-read", &[r#"ok [["r",0,1]]"#]),
        ("fractured-read", &[r#"ok [["w",0,1],["w",1,1]]"#, r#"ok [["r",0,null],["r",1,1]]"#]),
        ("non-monotonic-read", &[r#"ok [["w",0,1],["w",1,1]]"#, r#"ok [["r",0,1],["r",1,null]]"#]),
        ("G1c", &[r#"ok [["w",0,1],["r",1,1]]"#, r#"ok [["w",1,1],["r",0,1]]"#]),
    ];
    for (name, transactions) in cases {
        let found = names(Workload::RwRegister, transactions);
        assert!(found.contains(&name), "{name}: {found:?}");
    }
}

#[test]
fn levels_that_nobody_looks_at_stand_only_with_those_above() {
    let judged = |transactions: &[&str]| analysis(Workload::ListAppend, transactions);
    let fork = judged(&[
        r#"ok [["append",0,1]]"#,
        r#"ok [["append",1,1]]"#,
        r#"ok [["r",0,[1]],["r",1,[]]]"#,
        r#"ok [["r",1,[1]],["r",0,[]]]"#,
    ]);
    assert_eq!(fork.verdict(Level::MonotonicView), Verdict::Valid, "a consistent view stands");
    assert!(matches!(fork.verdict(Level::MonotonicSnapshotRead), Verdict::Unknown(_)), "snapshot isolation fell");
    assert!(!fork.strongest.contains(&Level::MonotonicSnapshotRead), "{:?}", fork.strongest);
    let undone = judged(&[r#"ok [["append",0,1],["append",1,1]]"#, r#"ok [["r",0,[1]],["r",1,[]]]"#]);
    for level in [Level::MonotonicView, Level::MonotonicSnapshotRead, Level::MonotonicAtomicView] {
        assert!(matches!(undone.verdict(level), Verdict::Invalid(_)), "{}", level.name());
    }
}

#[test]
fn what_does_not_fit_is_told() {
    let twice = "{\"process\":0,\"type\":\"ok\",\"f\":\"txn\",\"value\":[[\"w\",0,1]]}\n".repeat(2);
    let judged =
        |text: &str, level| check(&history(text), Workload::RwRegister, level, &Options::default(), &Budget::default());
    assert_eq!(judged(&twice, Level::Serializable), Ok(Verdict::Valid), "a value may be written twice");
    assert!(matches!(judged(&twice, Level::Linearizable), Err(DoesNotFit::OtherLevel(_))));
    let odd = "{\"process\":0,\"type\":\"ok\",\"f\":\"txn\",\"value\":[[\"x\",0,1]]}\n";
    assert!(matches!(judged(odd, Level::Serializable), Err(DoesNotFit::Malformed { .. })));
}

#[test]
fn without_a_budget_what_was_found_stays_and_the_rest_is_unknown() {
    let skew = text(Workload::ListAppend, &generate(Workload::ListAppend, 7, 6));
    let late = Budget { deadline: Some(std::time::Instant::now()), ..Budget::default() };
    let small = Budget { bytes: Some(1), ..Budget::default() };
    for budget in [late, small] {
        let analysis = analyse(&history(&skew), Workload::ListAppend, &Options::default(), &budget).expect("it fits");
        assert!(analysis.undecided.is_some() && analysis.strongest.is_empty(), "{analysis:#?}");
        assert!(matches!(analysis.verdict(Level::ReadUncommitted), Verdict::Unknown(_)));
    }
}

#[test]
fn a_search_that_is_cut_leaves_only_its_levels_open() {
    let text: String =
        [r#"[["append",0,1],["r",1,[]]]"#, r#"[["append",1,1],["r",0,[]]]"#, r#"[["r",0,[1]],["r",1,[1]]]"#]
            .iter()
            .enumerate()
            .map(|(process, value)| {
                format!("{{\"process\":{process},\"type\":\"ok\",\"f\":\"txn\",\"value\":{value}}}\n")
            })
            .collect();
    let none = Budget::of_configurations(0);
    let analysis = analyse(&history(&text), Workload::ListAppend, &Options::default(), &none).expect("it fits");
    assert_eq!(analysis.verdict(Level::ReadCommitted), Verdict::Valid);
    assert!(matches!(analysis.verdict(Level::Serializable), Verdict::Unknown(_)), "{analysis:#?}");
    assert!(!analysis.strongest.iter().any(|level| level.implies(Level::RepeatableRead)));
}

/// A reader of the beginning before many writers, of which the last one tells: no bound may hide it.
#[test]
fn one_of_very_many_unread_appends_closes_a_cycle() {
    let line = |process: usize, value: String| {
        format!("{{\"process\":{process},\"type\":\"ok\",\"f\":\"txn\",\"value\":{value}}}\n")
    };
    for (word, nothing, some) in [("append", "[]", "[1]"), ("w", "null", "1")] {
        let mut text: String = (1..500).map(|n| line(n, format!("[[\"{word}\",0,{n}]]"))).collect();
        text += &line(500, format!("[[\"{word}\",0,500],[\"{word}\",1,1]]"));
        text += &(501..510).map(|n| line(n, format!("[[\"r\",0,{nothing}]]"))).collect::<String>();
        text += &line(510, format!("[[\"r\",1,{some}],[\"r\",0,{nothing}]]"));
        let workload = if word == "w" { Workload::RwRegister } else { Workload::ListAppend };
        let analysis = judged(&text, workload);
        assert!(analysis.anomalies.iter().any(|anomaly| anomaly.name == "G-single-item"), "{analysis:#?}");
        is_consistent(&analysis, &text);
    }
}

#[test]
fn two_transactions_that_see_two_others_the_other_way_round_are_a_long_fork() {
    let fork = [
        r#"ok [["append",0,1]]"#,
        r#"ok [["append",1,1]]"#,
        r#"ok [["r",0,[1]],["r",1,[]]]"#,
        r#"ok [["r",1,[1]],["r",0,[]]]"#,
    ];
    assert!(names(Workload::ListAppend, &fork).contains(&"long-fork"));
    let causal = [r#"ok [["append",0,1]]"#, r#"ok [["r",0,[1]],["append",1,1]]"#, r#"ok [["r",1,[1]],["r",0,[]]]"#];
    assert!(names(Workload::ListAppend, &causal).contains(&"causality-violation"));
}
