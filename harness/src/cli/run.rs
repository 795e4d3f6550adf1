//! `shakedown run`.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use shakedown_results::index::{self, Again};
use shakedown_results::{RunRecord, VerdictWord, directory, terminal};
use shakedown_systems::door::{ModeInfo, SystemInfo};

use crate::campaign::{self, Campaign, Job, cause};
use crate::catalogue::{Pairing, pairings};
use crate::faults::Group;
use crate::plan::{FaultKind, refusal};
use crate::scenario::Scenario;

use super::{CliError, Keep, RunArguments, ScenarioArguments, Status, print, unknown};

/// Set by Ctrl-C.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

pub(super) fn run(arguments: &RunArguments, json: bool) -> Result<Status, CliError> {
    let begun = Instant::now();
    let pairings = pairings();
    let wanted = wanted(&arguments.what, &pairings)?;
    let seeds = seeds(arguments)?;
    // Seed by seed, so that a campaign that is cut short has seen something of everything.
    let first = *seeds.start();
    let jobs: Vec<Job<'_>> = seeds
        .flat_map(|seed| {
            wanted.iter().map(move |(pairing, scenario)| {
                let keep = arguments.keep == Keep::All || arguments.keep == Keep::Failing && seed == first;
                Job { pairing: *pairing, scenario, seed, keep }
            })
        })
        .collect();
    let out = (arguments.keep != Keep::None).then_some(arguments.out.as_path());
    let _root = out.map(directory::prepare).transpose()?;
    // A second handler cannot be set where one is already: then its owner decides what an interrupt means.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let campaign = Campaign {
        out,
        threads: arguments.jobs.map_or(cores, |jobs| jobs as usize),
        verify_determinism: arguments.verify_determinism,
        stop_after: arguments.stop_after.or(arguments.what.defect.as_ref().map(|_| 3)),
        replay: &campaign::replay,
        interrupted: &INTERRUPTED,
    };
    let mut progress = Progress::new(jobs.len(), json);
    let mut shown: BTreeMap<String, usize> = BTreeMap::new();
    let mut unwritten = 0;
    let records = campaign.run(&jobs, |judged, error| {
        let record = &judged.record;
        progress.finished(record);
        if json {
            if let Ok(line) = serde_json::to_string(record) {
                print(line);
            }
        } else if record.verdict != VerdictWord::Valid {
            let shown = shown.entry(cause(record)).or_default();
            *shown += 1;
            if *shown <= SHOWN_PER_CAUSE {
                progress.aside(|| print(judged.block(super::program())));
            }
        }
        if let Some(error) = error {
            unwritten += 1;
            progress.aside(|| anstream::eprintln!("error: {} is not kept: {error}", record.run));
        }
    });
    progress.end();
    let mut out = out;
    if let Some(folder) = out {
        let options = wanted.first().map(|(_, scenario)| scenario.arguments()).unwrap_or_default();
        let page = index::render_index(&records, &Again { command: command(), options });
        if let Err(error) = directory::write_file(folder, "index.html", &page) {
            unwritten += 1;
            out = None;
            anstream::eprintln!("error: {error}");
        }
    }
    if arguments.verify_determinism && !json {
        let differ =
            records.iter().filter(|record| record.anomalies.iter().any(|a| a.name == "nondeterminism")).count();
        print(format_args!("determinism: {} run twice, {differ} differ\n", counted(records.len(), "plan")));
    }
    let status = sum_up(&records, jobs.len(), begun.elapsed(), out, json)?;
    let status = if unwritten > 0 && status == Status::Held { Status::Bad } else { status };
    if let (Some(defect), Status::Held, false) = (&arguments.what.defect, status, json) {
        print(format_args!("the defect {defect} was not found in {}", counted(records.len(), "run")));
    }
    Ok(status)
}

/// So many failing runs of one cause are told.
const SHOWN_PER_CAUSE: usize = 1;

/// What was typed, to be typed again.
fn command() -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    let quoted = |argument: String| match argument.is_empty() || !argument.chars().all(plain) {
        true => format!("'{}'", argument.replace('\'', "'\\''")),
        false => argument,
    };
    let arguments = std::env::args_os().skip(1).map(|argument| quoted(argument.to_string_lossy().into_owned()));
    [super::program().to_owned()].into_iter().chain(arguments).collect::<Vec<_>>().join(" ")
}

/// Each system, mode and workload that is asked for, with what is wanted of its runs.
pub(super) fn wanted<'a>(
    arguments: &ScenarioArguments,
    pairings: &'a [Box<dyn Pairing>],
) -> Result<Vec<(&'a dyn Pairing, Scenario)>, CliError> {
    if let Some(system) = &arguments.system
        && pairings.iter().all(|pairing| pairing.system().name != *system)
    {
        let mut names: Vec<&str> = pairings.iter().map(|pairing| pairing.system().name.as_str()).collect();
        names.dedup();
        return Err(unknown("system", system, &names));
    }
    let stop_ms = milliseconds(&arguments.time)?;
    let mut wanted: Vec<(&dyn Pairing, Scenario)> = Vec::new();
    let mut modes = Vec::new();
    let mut workloads = Vec::new();
    let mut defects = Vec::new();
    for pairing in pairings {
        if arguments.system.as_ref().is_some_and(|system| *system != pairing.system().name) {
            continue;
        }
        workloads.push(pairing.workload());
        let system = pairing.system();
        modes.extend(system.modes.iter().map(|mode| mode.name.as_str()));
        defects.extend(system.defects.iter().map(|defect| defect.name));
        if arguments.workload.as_ref().is_some_and(|workload| workload != pairing.workload()) {
            continue;
        }
        let defect = arguments.defect.as_ref().map(|name| system.defects.iter().find(|d| d.name == name));
        let Some(defect) = defect.map_or(Some(None), |found| found.map(Some)) else { continue };
        if let (Some(defect), Some(mode)) = (defect, &arguments.mode)
            && defect.mode != mode
            && system.modes.iter().any(|known| known.name == *mode)
        {
            let (name, right) = (defect.name, defect.mode);
            return Err(CliError(format!(
                "mode {mode} never executes the defect {name}; expected --mode {right}, or none"
            )));
        }
        for mode in &system.modes {
            let asked = arguments.mode.as_deref().or(defect.map(|defect| defect.mode));
            if asked.is_some_and(|asked| asked != mode.name) {
                continue;
            }
            let scenario = Scenario {
                defect: arguments.defect.clone(),
                nodes: arguments.nodes,
                clients: arguments.clients,
                operations: arguments.operations.map(|operations| operations as usize),
                stop_ms,
                faults: faults(&arguments.faults, system, mode)?,
                heal_all: arguments.heal_all,
                ..Scenario::new(&system.name, &mode.name)
            };
            wanted.push((&**pairing, scenario));
        }
    }
    if !wanted.is_empty() {
        return Ok(wanted);
    }
    modes.sort_unstable();
    modes.dedup();
    defects.sort_unstable();
    defects.dedup();
    let missing = [
        ("workload", &arguments.workload, workloads),
        ("defect", &arguments.defect, defects),
        ("mode", &arguments.mode, modes),
    ];
    for (what, asked, known) in missing {
        if let Some(asked) = asked
            && !known.contains(&asked.as_str())
        {
            return Err(unknown(what, asked, &known));
        }
    }
    Err(CliError("nothing to run: no system serves all that was asked for".to_owned()))
}

/// The kinds of faults of a list, for a mode. Of a group, those that the mode endures; who names a kind is told if it does not.
fn faults(list: &str, system: &SystemInfo, mode: &ModeInfo) -> Result<Option<Vec<&'static str>>, CliError> {
    match list {
        "all" => return Ok(None),
        "none" => return Ok(Some(Vec::new())),
        _ => {}
    }
    let mut kinds: Vec<&'static str> = Vec::new();
    for name in list.split(',').map(str::trim) {
        if let Some((_, group)) = Group::ALL.iter().find(|(known, _)| *known == name) {
            let of_group = FaultKind::GROUPS.iter().filter(|(_, of)| of == group).map(|(kind, _)| *kind);
            kinds.extend(of_group.filter(|kind| refusal(kind, system, mode).is_none()));
            continue;
        }
        let known: Vec<&'static str> = FaultKind::ALL.iter().map(|(name, _)| *name).collect();
        let kind = known.iter().copied().find(|known| *known == name).ok_or_else(|| unknown("fault", name, &known))?;
        if let Some(problem) = refusal(kind, system, mode) {
            return Err(CliError(format!("--faults {name}: {problem}")));
        }
        kinds.push(kind);
    }
    // In the order in which they are listed, each once.
    Ok(Some(FaultKind::GROUPS.iter().map(|(kind, _)| *kind).filter(|kind| kinds.contains(kind)).collect()))
}

fn seeds(arguments: &RunArguments) -> Result<RangeInclusive<u64>, CliError> {
    let bad = |text: &str| {
        CliError(format!("--seeds {text:?}: expected A..B with A below B, at most a million seeds, for example 0..100"))
    };
    match (&arguments.seed, &arguments.seeds) {
        (Some(seed), _) => Ok(*seed..=*seed),
        (None, Some(text)) => {
            let (from, to) = text.split_once("..").ok_or_else(|| bad(text))?;
            let (from, to): (u64, u64) = (from.parse().map_err(|_| bad(text))?, to.parse().map_err(|_| bad(text))?);
            let last = to.checked_sub(1).filter(|last| *last >= from).ok_or_else(|| bad(text))?;
            if last - from > MOST_SEEDS { Err(bad(text)) } else { Ok(from..=last) }
        }
        (None, None) if arguments.what.defect.is_some() => Ok(0..=199),
        (None, None) => Ok(0..=11),
    }
}

/// The most seeds of one campaign.
const MOST_SEEDS: u64 = 1_000_000;

fn milliseconds(text: &str) -> Result<u64, CliError> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let factor = match unit {
        "ms" => 1.0,
        "s" => 1_000.0,
        "m" => 60_000.0,
        _ => 0.0,
    };
    match number.parse::<f64>() {
        Ok(number) if (1.0..=3_600_000.0).contains(&(number * factor)) => Ok((number * factor) as u64),
        _ => Err(CliError(format!("--time {text:?}: expected a time up to an hour with its unit: 6s, 1500ms, 2m"))),
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[derive(Serialize)]
struct Summary<'a> {
    schema: &'static str,
    planned: usize,
    runs: usize,
    valid: usize,
    invalid: usize,
    undecided: usize,
    interrupted: bool,
    operations: usize,
    simulated_seconds: f64,
    seconds: f64,
    reach: BTreeMap<&'a str, u64>,
    causes: BTreeMap<String, usize>,
}

fn sum_up(
    records: &[RunRecord],
    planned: usize,
    took: Duration,
    out: Option<&Path>,
    json: bool,
) -> Result<Status, CliError> {
    let count = |word| records.iter().filter(|record| record.verdict == word).count();
    let (valid, invalid, undecided) =
        (count(VerdictWord::Valid), count(VerdictWord::Invalid), count(VerdictWord::Unknown));
    let mut reach: BTreeMap<&str, u64> = BTreeMap::new();
    let mut causes: BTreeMap<String, usize> = BTreeMap::new();
    for record in records {
        record.reach.iter().for_each(|(mark, times)| *reach.entry(mark).or_default() += times);
        if record.verdict != VerdictWord::Valid {
            *causes.entry(cause(record)).or_default() += 1;
        }
    }
    let interrupted = records.len() < planned && INTERRUPTED.load(Ordering::Relaxed);
    let status = match (invalid, undecided) {
        (0, 0) if !interrupted && !records.is_empty() => Status::Held,
        (0, _) => Status::Undecided,
        _ => Status::Broken,
    };
    if json {
        let operations = records.iter().map(|r| r.operations.ok + r.operations.fail + r.operations.info).sum();
        print(serde_json::to_string(&Summary {
            schema: "shakedown/summary/1",
            planned,
            runs: records.len(),
            valid,
            invalid,
            undecided,
            interrupted,
            operations,
            simulated_seconds: records.iter().map(|record| record.simulated_seconds).sum(),
            seconds: took.as_secs_f64(),
            reach,
            causes,
        })?);
        return Ok(status);
    }
    print(terminal::table(records));
    print("");
    let reached: Vec<String> = reach.iter().map(|(mark, times)| format!("{mark} {times}")).collect();
    if !reached.is_empty() {
        print(format_args!("reached  {}", reached.join(", ")));
    }
    if interrupted {
        print(format_args!("interrupted after {} of {planned} runs; what is finished is kept", records.len()));
    }
    let rate = records.len() as f64 / took.as_secs_f64().max(0.001);
    let place = out.map(|out| format!("; {}", out.join("index.html").display())).unwrap_or_default();
    print(format_args!(
        "{}, {invalid} failing ({}), {undecided} undecided, {:.1} s, {rate:.1} runs/s{place}",
        counted(records.len(), "run"),
        counted(causes.len(), "cause"),
        took.as_secs_f64(),
    ));
    Ok(status)
}

/// How far a campaign has come: a bar on a terminal, else a line every ten seconds.
struct Progress {
    bar: ProgressBar,
    plain: bool,
    planned: usize,
    finished: usize,
    failing: usize,
    begun: Instant,
    said: Instant,
}

impl Progress {
    fn new(planned: usize, json: bool) -> Progress {
        let terminal = std::io::stderr().is_terminal() && !json;
        let bar = if terminal { ProgressBar::new(planned as u64) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{pos}/{len} seeds  {msg}  {per_sec}  {eta} left  {wide_bar}") {
            bar.set_style(style);
        }
        let now = Instant::now();
        Progress { bar, plain: !terminal, planned, finished: 0, failing: 0, begun: now, said: now }
    }

    fn finished(&mut self, record: &RunRecord) {
        self.finished += 1;
        self.failing += usize::from(record.verdict == VerdictWord::Invalid);
        self.bar.inc(1);
        self.bar.set_message(format!("{} failing", self.failing));
        if self.plain && self.said.elapsed() > Duration::from_secs(10) {
            self.said = Instant::now();
            let rate = self.finished as f64 / self.begun.elapsed().as_secs_f64();
            anstream::eprintln!("{}/{} seeds  {} failing  {rate:.1}/s", self.finished, self.planned, self.failing);
        }
    }

    fn aside(&self, act: impl FnOnce()) {
        self.bar.suspend(act);
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
