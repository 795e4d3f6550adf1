//! Side by side with the crate `adya`, which does what Elle does: wherever the two differ, a rule says why, and on small histories the
//! definitions say who is right.
//!
//! `SHAKEDOWN_HISTORIES` tells how many histories a test tries.

use crate::definitions;
use crate::generate;

use std::collections::BTreeMap;

use adya::{Opts, Valid};
use generate::{Txn, generate, text};
use shakedown_checkers::history::read;
use shakedown_checkers::levels::{Level, weakest_ruled_out};
use shakedown_checkers::transactions::{Analysis, Options, Workload, analyse};
use shakedown_checkers::{Budget, Outcome};

/// The levels that both know and that are decided here by definition.
fn levels() -> Vec<Level> {
    let known = adya::model::all_models();
    definitions::LEVELS.into_iter().filter(|level| level.is_transactional() && known.contains(level.name())).collect()
}

/// Names that neither Elle nor adya finds: shapes of cycles, and half-seen transactions.
const OURS: [&str; 9] = [
    "causality-violation",
    "causality-violation-process",
    "long-fork",
    "non-prefix-read",
    "G-cursor",
    "G-update",
    "fractured-update",
    "fractured-read",
    "non-monotonic-read",
];

/// Why the two differ about a level: a rule, or nothing.
fn why(txns: &[Txn], level: Level, ours: &Analysis, theirs: &adya::Report) -> Option<&'static str> {
    let breaks = |name: &str| weakest_ruled_out(name).iter().any(|weak| level.implies(*weak));
    let names: Vec<&str> = ours.anomalies.iter().map(|anomaly| anomaly.name).filter(|name| breaks(name)).collect();
    let reads = |value: &i64| {
        let ok = txns.iter().filter(|txn| txn.outcome == Outcome::Ok);
        ok.flat_map(|txn| &txn.micro).any(|micro| micro.seen.contains(value))
    };
    let has_info = txns.iter().any(|txn| txn.outcome == Outcome::Info);
    let has_seen_info = txns
        .iter()
        .filter(|txn| txn.outcome == Outcome::Info)
        .any(|txn| txn.micro.iter().filter_map(|micro| micro.written).any(|value| reads(&value)));
    match (names.is_empty(), theirs.valid) {
        (_, Valid::Unknown) if theirs.anomaly_types.iter().all(|name| name == "empty-transaction-graph") => {
            Some("adya gives no verdict where no transaction depends on another")
        }
        (false, Valid::True) if names.iter().all(|name| OURS.contains(name)) => {
            Some("we are stricter: a shape that Elle has no name for")
        }
        (false, Valid::True) if level == Level::ParallelSnapshotIsolation && names.contains(&"G-single-item") => {
            Some("we are stricter: PSI forbids what PL-2+ does (Cerone & Gotsman, PODC 2016)")
        }
        (false, Valid::True) if ours.anomalies.iter().any(|anomaly| anomaly.name == "internal") => Some(
            "adya errs: of two reads of a key in one transaction that differ, only the first is a dependency to it",
        ),
        (false, Valid::True) if has_seen_info => {
            Some("adya errs: of registers it leaves out what ended info, though it was read")
        }
        (true, Valid::False) if has_info => {
            Some("adya errs: it takes what ended info to have happened, though nobody read it")
        }
        _ => None,
    }
}

fn differ_only_by_rule(workload: Workload, largest: usize, histories: u64, begin: u64) {
    let theirs_name = match workload {
        Workload::ListAppend => adya::Workload::ListAppend,
        Workload::RwRegister => adya::Workload::RwRegister,
    };
    let is_small = largest <= 6;
    let (mut agreed, mut rules) = ([0_u64; 2], BTreeMap::<&str, u64>::new());
    for seed in begin..begin + histories {
        let txns = generate(workload, seed, largest);
        let text = text(workload, &txns);
        let history = read("test", text.as_bytes()).expect("it is well-formed");
        let ours = analyse(&history, workload, &Options::default(), &Budget::default()).expect("it fits");
        let theirs = adya::History::from_json(&text).expect("it is well-formed");
        let truths = if is_small { definitions::levels(workload, &txns) } else { BTreeMap::new() };
        for level in levels() {
            let options = Opts { models: vec![level.name().to_owned()], ..Opts::default() };
            let report = adya::check(&theirs, theirs_name, &options);
            let is_out = ours.ruled_out.contains(&level);
            let agree = match report.valid {
                Valid::True => !is_out,
                Valid::False => is_out,
                Valid::Unknown => false,
            };
            if agree {
                agreed[usize::from(is_out)] += 1;
                continue;
            }
            let say = || {
                let names: Vec<&str> = ours.anomalies.iter().map(|anomaly| anomaly.name).collect();
                let (them, their_names) = (report.valid, &report.anomaly_types);
                format!("seed {seed}, {level:?}: we find {names:?}, adya {them:?} {their_names:?}\n{text}")
            };
            let decided = is_out && report.valid == Valid::True;
            let inferred = "adya infers only the orders of versions that it can point at; ours has none left";
            let rule = why(&txns, level, &ours, &report).or(decided.then_some(inferred));
            assert!(rule.is_some(), "no rule says why: {}", say());
            if let Some(holds) = truths.get(&level) {
                assert!(*holds != is_out || report.valid == Valid::Unknown, "adya is right: {}", say());
            }
            *rules.entry(rule.unwrap_or_default()).or_default() += 1;
        }
    }
    eprintln!(
        "{workload:?}, up to {largest} transactions, {histories} histories: agreed on valid and invalid {agreed:?}"
    );
    rules.iter().for_each(|(rule, count)| eprintln!("  {count:8} {rule}"));
    assert!(agreed.iter().all(|&count| count > histories), "{agreed:?}");
}

fn both(workload: Workload) {
    let histories = std::env::var("SHAKEDOWN_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(2_000);
    differ_only_by_rule(workload, 6, histories, 0);
    differ_only_by_rule(workload, 40, histories / 10, 1 << 32);
}

#[test]
fn on_lists_adya_differs_only_where_a_rule_says_why() {
    both(Workload::ListAppend);
}

#[test]
fn on_registers_adya_differs_only_where_a_rule_says_why() {
    both(Workload::RwRegister);
}
