//! The page of a campaign: `index.html`, beside the directories of its runs.
//!
//! Runs that failed come first, and states that no run reached come first among the states: both are what a campaign is
//! read for. Same records, same bytes.

use std::collections::BTreeMap;

use askama::Template;

use crate::page::policy;
use crate::page::text::{anomaly_words, clipped, counted, grouped, shortened, visible};
use crate::page::verdict::{failing, subject};
use crate::record::{RunRecord, VerdictWord};

#[derive(Template)]
#[template(path = "index.html")]
struct Index {
    policy: String,
    style: &'static str,
    script: &'static str,
    headline: String,
    class: &'static str,
    counts: Vec<Count>,
    failures: Vec<Failure>,
    runs: Vec<Run>,
    reach: Vec<Reach>,
    never_reached: usize,
    version: &'static str,
    command: String,
    options: String,
}

/// What makes a campaign again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Again {
    /// The command that was typed.
    pub command: String,
    /// What of it all runs have in common, to be typed after system, mode and workload: ` --nodes 3`.
    pub options: String,
}

struct Count {
    name: &'static str,
    value: String,
    class: &'static str,
}

/// Runs that failed alike.
struct Failure {
    system: String,
    mode: String,
    defect: String,
    breaks: String,
    anomaly: String,
    runs: String,
    first: String,
    kept: bool,
    seed: u64,
}

struct Run {
    class: &'static str,
    verdict: &'static str,
    run: String,
    kept: bool,
    subject: String,
    defect: String,
    seed: u64,
    said: String,
    operations: [String; 3],
    faults: usize,
    simulated: String,
}

struct Reach {
    mark: String,
    runs: String,
    total: String,
    never: bool,
}

/// `index.html` as text, for runs whose reports are at `RUN/report.html` beside it.
pub fn render_index(runs: &[RunRecord], again: &Again) -> String {
    let mut ordered: Vec<&RunRecord> = runs.iter().collect();
    ordered.sort_by(|a, b| order(a).cmp(&order(b)));
    let reach = reach(runs);
    let failed = runs.iter().filter(|run| run.verdict == VerdictWord::Invalid).count();
    let undecided = runs.iter().filter(|run| run.verdict == VerdictWord::Unknown).count();
    let index = Index {
        policy: policy::content_security_policy(policy::STYLE, policy::INDEX_SCRIPT),
        style: policy::STYLE,
        script: policy::INDEX_SCRIPT,
        headline: headline(runs.len(), failed, undecided),
        class: match (failed, undecided) {
            (0, 0) => "valid",
            (0, _) => "unknown",
            _ => "invalid",
        },
        counts: counts(runs, failed, undecided),
        failures: failures(&ordered),
        runs: ordered.iter().map(|run| row(run)).collect(),
        never_reached: reach.iter().filter(|row| row.never).count(),
        reach,
        version: env!("CARGO_PKG_VERSION"),
        command: visible(&again.command),
        options: visible(&again.options),
    };
    index.render().expect("writing to memory does not fail")
}

fn order(run: &RunRecord) -> impl Ord + '_ {
    let worst_first = match run.verdict {
        VerdictWord::Invalid => 0,
        VerdictWord::Unknown => 1,
        VerdictWord::Valid => 2,
    };
    (worst_first, &run.system, &run.mode, &run.workload, &run.defect, run.seed, &run.run)
}

fn headline(runs: usize, failed: usize, undecided: usize) -> String {
    let of = counted(runs as u64, "run");
    match (runs, failed, undecided) {
        (0, ..) => "No runs".to_owned(),
        (_, 0, 0) => format!("{of}, and every claim held"),
        (_, 0, undecided) => format!("{of}, {} undecided", grouped(undecided as u64)),
        (_, failed, 0) => format!("{of}, {} failed", grouped(failed as u64)),
        (_, failed, undecided) => {
            format!("{of}, {} failed, {} undecided", grouped(failed as u64), grouped(undecided as u64))
        }
    }
}

fn counts(runs: &[RunRecord], failed: usize, undecided: usize) -> Vec<Count> {
    let operations: usize = runs.iter().map(|run| run.operations.ok + run.operations.fail + run.operations.info).sum();
    let faults: usize = runs.iter().map(|run| run.faults).sum();
    let simulated: f64 = runs.iter().map(|run| run.simulated_seconds).sum();
    let held = runs.len() - failed - undecided;
    let count = |name, value: usize, class| Count { name, value: grouped(value as u64), class };
    vec![
        count("failed", failed, if failed > 0 { "invalid" } else { "" }),
        count("undecided", undecided, if undecided > 0 { "unknown" } else { "" }),
        count("held", held, if held > 0 { "valid" } else { "" }),
        count("operations", operations, ""),
        count("faults", faults, ""),
        Count { name: "simulated seconds", value: grouped(simulated.round() as u64), class: "" },
    ]
}

fn failures(ordered: &[&RunRecord]) -> Vec<Failure> {
    let mut alike: BTreeMap<(&str, &str, &str, &str, &str), Vec<&RunRecord>> = BTreeMap::new();
    for run in ordered.iter().filter(|run| run.verdict == VerdictWord::Invalid) {
        let (breaks, anomaly) = failing(run).map_or(("", ""), |anomaly| (&anomaly.breaks, &anomaly.name));
        let defect = run.defect.as_deref().unwrap_or_default();
        alike.entry((&run.system, &run.mode, defect, breaks, anomaly)).or_default().push(run);
    }
    let mut failures: Vec<(usize, Failure)> = alike
        .into_iter()
        .map(|((system, mode, defect, breaks, anomaly), runs)| {
            let failure = Failure {
                system: visible(system),
                mode: visible(mode),
                defect: visible(defect),
                breaks: visible(breaks),
                anomaly: anomaly_words(anomaly),
                runs: grouped(runs.len() as u64),
                first: runs[0].run.clone(),
                kept: runs[0].directory.is_some(),
                seed: runs[0].seed,
            };
            (runs.len(), failure)
        })
        .collect();
    failures.sort_by_key(|(runs, _)| std::cmp::Reverse(*runs));
    failures.into_iter().map(|(_, failure)| failure).collect()
}

fn row(run: &RunRecord) -> Run {
    let outcomes = run.operations;
    let allowed = run.anomalies.iter().filter(|anomaly| !anomaly.claimed).count();
    Run {
        class: run.verdict.as_str(),
        verdict: match run.verdict {
            VerdictWord::Invalid => "✗ invalid",
            VerdictWord::Unknown => "? unknown",
            VerdictWord::Valid => "✓ valid",
        },
        run: run.run.clone(),
        kept: run.directory.is_some(),
        subject: format!("{}, {}", subject(run), clipped(&run.workload, 40)),
        defect: run.defect.as_deref().map(visible).unwrap_or_default(),
        seed: run.seed,
        said: match (failing(run), &run.undecided) {
            (Some(anomaly), _) => shortened(&anomaly.sentence, 240),
            (None, Some(reason)) => shortened(reason, 240),
            (None, None) if allowed > 0 => {
                format!("{} observed, not claimed", counted(allowed as u64, "anomaly").replace("anomalys", "anomalies"))
            }
            (None, None) => String::new(),
        },
        operations: [outcomes.ok, outcomes.fail, outcomes.info].map(|count| grouped(count as u64)),
        faults: run.faults,
        simulated: format!("{:.3}", run.simulated_seconds),
    }
}

/// Each state: in how many runs it was reached, and how often. Never reached first, then the rarest.
fn reach(runs: &[RunRecord]) -> Vec<Reach> {
    let mut marks: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (mark, &count) in runs.iter().flat_map(|run| &run.reach) {
        let (reached, total) = marks.entry(mark).or_default();
        *reached += u64::from(count > 0);
        *total += count;
    }
    let mut marks: Vec<(&str, (u64, u64))> = marks.into_iter().collect();
    marks.sort_by_key(|(_, (reached, _))| *reached);
    marks
        .into_iter()
        .map(|(mark, (reached, total))| Reach {
            mark: visible(mark),
            runs: grouped(reached),
            total: grouped(total),
            never: total == 0,
        })
        .collect()
}
