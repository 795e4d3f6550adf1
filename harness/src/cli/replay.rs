//! `shakedown replay`.

use std::path::{Path, PathBuf};

use serde_json::json;
use shakedown_checkers::history::write_json_lines;
use shakedown_results::directory::{self, write_trace};
use shakedown_results::{RunRecord, VerdictWord};

use crate::campaign;
use crate::catalogue::{JudgedRun, pairings};
use crate::plan::Plan;

use super::{CliError, ReplayArguments, Status, print, unknown};

pub(super) fn replay(arguments: &ReplayArguments, json: bool) -> Result<Status, CliError> {
    let file = find(arguments)?;
    let plan = Plan::read(&file)?;
    let pairings = pairings();
    let mut systems: Vec<&str> = pairings.iter().map(|pairing| pairing.system().name.as_str()).collect();
    systems.dedup();
    let place = |CliError(trouble)| CliError(format!("{}: {trouble}", file.display()));
    let mut served = pairings.iter().filter(|pairing| pairing.system().name == plan.system).peekable();
    if served.peek().is_none() {
        return Err(place(unknown("system", &plan.system, &systems)));
    }
    let workloads: Vec<&str> = served.clone().map(|pairing| pairing.workload()).collect();
    let Some(pairing) = served.find(|pairing| pairing.workload() == plan.workload) else {
        return Err(place(unknown("workload", &plan.workload, &workloads)));
    };
    let is_edited = plan.is_edited();
    let mut judged = pairing.run(plan).map_err(|error| place(error.into()))?;

    // A recorded run stays as it is. A plan that is not its own any more makes a run of another name.
    let own = file.parent().filter(|folder| !is_edited && folder.join("history.jsonl").is_file());
    let (verdict, differs) = match own {
        Some(folder) => (recorded_verdict(folder)?, compare(folder, &judged)?),
        None => (None, None),
    };
    let folder = own.map_or_else(|| arguments.out.join(&judged.record.run), Path::to_owned);
    judged.settle(&folder, campaign::replay(&folder));
    if own.is_none() {
        let _root = directory::prepare(&arguments.out)?;
        judged.write(&arguments.out)?;
    }

    let status = match judged.record.verdict {
        _ if differs.is_some() => Status::Differs,
        VerdictWord::Valid => Status::Held,
        VerdictWord::Invalid => Status::Broken,
        VerdictWord::Unknown => Status::Undecided,
    };
    if json {
        let identical = own.map(|_| differs.is_none());
        let record = serde_json::to_value(&judged.record)?;
        print(json!({"schema": "shakedown/replay/1", "identical": identical, "run": record}));
        return Ok(status);
    }
    if judged.record.verdict == VerdictWord::Valid {
        print(format_args!("{}: valid", judged.record.run));
        print(format_args!("  report   {}/report.html", folder.display()));
    } else {
        print(judged.block(super::program()));
    }
    for fault in judged.record.applied_faults.iter().filter(|fault| fault.began.is_none()) {
        print(format_args!(
            "fault {} ({} {}) never began: what it waits for did not happen",
            fault.id, fault.kind, fault.description
        ));
    }
    if let Some(was) = verdict.filter(|was| *was != judged.record.verdict) {
        print(format_args!("the verdict was {} when it was recorded: it is judged anew", was.as_str()));
    }
    match (own, differs) {
        (_, Some(place)) => print(format_args!("replayed: DIFFERS from the recorded run, first at {place}")),
        (Some(_), None) => print(format_args!(
            "replayed: history and trace are the same, byte for byte (events hash {})",
            judged.record.events_hash
        )),
        (None, None) => print("replayed a plan of which there is no recorded run: nothing to compare with"),
    }
    Ok(status)
}

/// What was found when a run was recorded. It is not needed to compare: a file that is broken is told of, and no more.
fn recorded_verdict(folder: &Path) -> Result<Option<VerdictWord>, CliError> {
    let path = folder.join("verdict.json");
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|error| CliError(format!("{}: {error}", path.display())))?,
    };
    match serde_json::from_slice::<RunRecord>(&bytes) {
        Ok(record) => Ok(Some(record.verdict)),
        Err(error) => {
            anstream::eprintln!("warning: {} is broken and not compared: {error}", path.display());
            Ok(None)
        }
    }
}

/// The plan behind what was typed.
fn find(arguments: &ReplayArguments) -> Result<PathBuf, CliError> {
    let typed = &arguments.run;
    let candidates = [
        typed.clone(),
        typed.join("plan.json"),
        arguments.out.join(typed),
        arguments.out.join(typed).join("plan.json"),
    ];
    candidates.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        CliError(format!(
            "there is no run {}: expected a run's directory, its name under {}, or a plan.json",
            typed.display(),
            arguments.out.display()
        ))
    })
}

/// The first line at which the run is not what was recorded.
fn compare(folder: &Path, judged: &JudgedRun) -> Result<Option<String>, CliError> {
    let (mut history, mut trace) = (Vec::new(), Vec::new());
    write_json_lines(&judged.execution.history, &mut history)?;
    write_trace(&judged.trace(), &mut trace)?;
    for (name, now) in [("history.jsonl", history), ("trace.jsonl", trace)] {
        let path = folder.join(name);
        let then = std::fs::read(&path).map_err(|error| {
            CliError(format!("{}: {error}; to run the plan by itself, replay a copy of its plan.json", path.display()))
        })?;
        if then != now {
            let lines = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
            let (then, now) = (lines(&then), lines(&now));
            let line = then.iter().zip(&now).take_while(|(then, now)| then == now).count() + 1;
            return Ok(Some(format!("{name} line {line}")));
        }
    }
    Ok(None)
}
