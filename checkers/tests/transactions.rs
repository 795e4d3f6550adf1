//! Transactions against the definitions, on many small histories, and planted anomalies by their names.
//!
//! `SHAKEDOWN_HISTORIES` tells how many histories a test tries; a failure prints the seed and the history.

use shakedown_checkers::history::read;
use shakedown_checkers::levels::Level;
use shakedown_checkers::transactions::{Analysis, DoesNotFit, Options, Workload, analyse, check};
use shakedown_checkers::{Budget, History, Outcome, Verdict};

fn histories() -> u64 {
    std::env::var("SHAKEDOWN_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(20_000)
}

/// Numbers that look random (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

const KEYS: usize = 2;
type Store = [Vec<i64>; KEYS];

#[derive(Clone, Debug)]
struct Micro {
    key: usize,
    /// Nothing for a read.
    written: Option<i64>,
    /// What a read saw.
    seen: Vec<i64>,
}

#[derive(Clone, Debug)]
struct Txn {
    process: usize,
    invoked: usize,
    completed: usize,
    outcome: Outcome,
    micro: Vec<Micro>,
}

/// Runs a transaction on a store: the reads, and what it leaves.
fn run(workload: Workload, micro: &[Micro], store: &mut Store) -> Vec<Vec<i64>> {
    let mut seen = Vec::new();
    for micro in micro {
        let object = &mut store[micro.key];
        match micro.written {
            Some(value) if workload == Workload::ListAppend => object.push(value),
            Some(value) => *object = vec![value],
            None => seen.push(object.clone()),
        }
    }
    seen
}

/// A history of some processes on a store that is more or less isolated.
fn generate(workload: Workload, seed: u64) -> Vec<Txn> {
    let mut chance = Chance(seed);
    let style = chance.below(4);
    let (processes, count) = (2 + chance.below(2), 3 + chance.below(3));
    let mut store: Store = Default::default();
    let mut past = vec![store.clone()];
    let mut txns: Vec<Txn> = Vec::new();
    // By process: the open transaction, its snapshot, and how far it is.
    let mut open: Vec<Option<(usize, Store, usize)>> = vec![None; processes];
    let mut names: Vec<usize> = (0..processes).collect();
    let (mut event, mut value) = (0, 0);
    while txns.len() < count || open.iter().any(Option::is_some) {
        let p = chance.below(processes);
        let Some((at, mut snapshot, step)) = open[p].take() else {
            if txns.len() < count {
                let micro = (0..1 + chance.below(3)).map(|_| {
                    let written = (chance.below(2) == 0).then(|| {
                        value += 1;
                        value
                    });
                    Micro { key: chance.below(KEYS), written, seen: Vec::new() }
                });
                let micro = micro.collect();
                let snapshot = if style == 3 { past[chance.below(past.len())].clone() } else { store.clone() };
                txns.push(Txn {
                    process: names[p],
                    invoked: event,
                    completed: usize::MAX,
                    outcome: Outcome::Ok,
                    micro,
                });
                open[p] = Some((txns.len() - 1, snapshot, 0));
                event += 1;
            }
            continue;
        };
        let micro = &mut txns[at].micro;
        let steps = if style == 2 { micro.len() } else { 1 };
        if step < steps {
            if style == 2 {
                // Each micro-operation by itself.
                let seen = run(workload, &micro[step..=step], &mut store);
                seen.into_iter().for_each(|seen| micro[step].seen = seen);
            } else {
                let mut seen = if style == 0 {
                    run(workload, micro, &mut store)
                } else {
                    let seen = run(workload, micro, &mut snapshot);
                    run(workload, micro, &mut store);
                    seen
                }
                .into_iter();
                for micro in micro.iter_mut().filter(|micro| micro.written.is_none()) {
                    micro.seen = seen.next().expect("each read saw something");
                }
            }
            past.push(store.clone());
            open[p] = Some((at, snapshot, step + 1));
            continue;
        }
        txns[at].outcome = match chance.below(20) {
            0 => Outcome::Fail,
            1 | 2 => Outcome::Info,
            _ => Outcome::Ok,
        };
        txns[at].completed = event;
        event += 1;
        if txns[at].outcome == Outcome::Info {
            names[p] += processes;
        }
    }
    txns
}

fn text(workload: Workload, txns: &[Txn]) -> String {
    let mut lines = Vec::new();
    for txn in txns {
        let value = |is_known: bool| {
            let micro = txn.micro.iter().map(|micro| match micro.written {
                Some(value) if workload == Workload::ListAppend => format!("[\"append\",{},{value}]", micro.key),
                Some(value) => format!("[\"w\",{},{value}]", micro.key),
                None if !is_known => format!("[\"r\",{},null]", micro.key),
                None if workload == Workload::ListAppend => format!("[\"r\",{},{:?}]", micro.key, micro.seen),
                None => match micro.seen.last() {
                    Some(value) => format!("[\"r\",{},{value}]", micro.key),
                    None => format!("[\"r\",{},null]", micro.key),
                },
            });
            format!("[{}]", micro.collect::<Vec<_>>().join(","))
        };
        let line = |kind: &str, value: String| {
            format!("{{\"process\":{},\"type\":\"{kind}\",\"f\":\"txn\",\"value\":{value}}}\n", txn.process)
        };
        lines.push((txn.invoked, line("invoke", value(false))));
        let (kind, is_known) = match txn.outcome {
            Outcome::Ok => ("ok", true),
            Outcome::Fail => ("fail", false),
            Outcome::Info => ("info", false),
        };
        lines.push((txn.completed, line(kind, value(is_known))));
    }
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
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

/// Whether the reads tell the place of each write: then nothing can be missed.
fn is_told(txns: &[Txn]) -> bool {
    let reads = || txns.iter().filter(|txn| txn.outcome == Outcome::Ok).flat_map(|txn| &txn.micro);
    let writes = txns.iter().filter(|txn| txn.outcome == Outcome::Ok).flat_map(|txn| &txn.micro);
    writes.filter_map(|micro| micro.written).all(|value| reads().any(|micro| micro.seen.contains(&value)))
}

fn agrees_with_the_definition(workload: Workload) {
    let (mut counts, mut told) = ([[0_u64; 2]; 3], 0);
    for seed in 0..histories() {
        let txns = generate(workload, seed);
        let text = text(workload, &txns);
        let analysis =
            analyse(&history(&text), workload, &Options::default(), &Budget::default()).expect("the generator fits");
        let is_complete = workload == Workload::ListAppend && is_told(&txns);
        told += u64::from(is_complete);
        let truths = [
            (Level::SnapshotIsolation, is_snapshot_isolated(workload, &txns)),
            (Level::Serializable, is_serializable(workload, &txns, false)),
            (Level::StrictSerializable, is_serializable(workload, &txns, true)),
        ];
        for (at, (level, holds)) in truths.into_iter().enumerate() {
            let verdict = analysis.verdict(level);
            let say = || format!("seed {seed}, {level:?}: {verdict:#?}\n{text}");
            assert!(!holds || verdict == Verdict::Valid, "it holds, by definition: {}", say());
            assert!(holds || !is_complete || verdict != Verdict::Valid, "it does not hold: {}", say());
            counts[at][usize::from(verdict == Verdict::Valid)] += 1;
        }
        is_consistent(&analysis, &text);
    }
    eprintln!("{workload:?}: invalid and valid at SI, serializable, strict: {counts:?}; {told} wholly told");
    assert!(counts.iter().flatten().all(|&count| count > histories() / 50), "{counts:?}");
}

/// Verdicts follow the lattice, and cycles close.
fn is_consistent(analysis: &Analysis, text: &str) {
    for level in Level::ALL.into_iter().filter(|level| level.is_transactional()) {
        let is_out = analysis.ruled_out.contains(&level);
        assert_eq!(analysis.verdict(level) != Verdict::Valid, is_out, "{level:?}\n{text}");
        for weaker in Level::ALL.into_iter().filter(|weaker| level.implies(*weaker)) {
            assert!(is_out || !analysis.ruled_out.contains(&weaker), "{level:?} stands without {weaker:?}\n{text}");
        }
    }
    for anomaly in &analysis.anomalies {
        for (at, edge) in anomaly.edges.iter().enumerate() {
            assert_eq!(edge.to, anomaly.edges[(at + 1) % anomaly.edges.len()].from, "{anomaly:#?}\n{text}");
            assert!(!edge.reason.is_empty());
        }
    }
}

#[test]
fn lists_are_judged_as_the_definitions_do() {
    agrees_with_the_definition(Workload::ListAppend);
}

#[test]
fn registers_are_never_accused_wrongly() {
    agrees_with_the_definition(Workload::RwRegister);
}

/// Completions alone, each of these transactions by a process of its own.
fn names(workload: Workload, transactions: &[&str]) -> Vec<&'static str> {
    let line = |(process, value): (usize, &&str)| {
        let (kind, value) = value.split_once(' ').expect("an outcome and a value");
        format!("{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"txn\",\"value\":{value}}}\n")
    };
    let text: String = transactions.iter().enumerate().map(line).collect();
    let analysis = analyse(&history(&text), workload, &Options::default(), &Budget::default()).expect("it fits");
    analysis.anomalies.iter().map(|anomaly| anomaly.name).collect()
}

#[test]
fn planted_anomalies_of_lists_are_found_by_name() {
    let cases: [(&str, &[&str]); 11] = [
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
fn what_does_not_fit_is_told() {
    let twice = "{\"process\":0,\"type\":\"ok\",\"f\":\"txn\",\"value\":[[\"w\",0,1]]}\n".repeat(2);
    let judged =
        |text: &str, level| check(&history(text), Workload::RwRegister, level, &Options::default(), &Budget::default());
    assert!(matches!(judged(&twice, Level::Serializable), Err(DoesNotFit::Repeated { .. })));
    assert!(matches!(judged(&twice, Level::Linearizable), Err(DoesNotFit::OtherLevel(_))));
    let odd = "{\"process\":0,\"type\":\"ok\",\"f\":\"txn\",\"value\":[[\"x\",0,1]]}\n";
    assert!(matches!(judged(odd, Level::Serializable), Err(DoesNotFit::Malformed { .. })));
}
