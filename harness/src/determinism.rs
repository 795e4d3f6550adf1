//! Whether a plan gives the same run again: here, and in another process.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use shakedown_checkers::history::write_json_lines;
use shakedown_results::TraceLine;

use crate::catalogue::{JudgedRun, Pairing, plan_text};
use crate::plan::{Plan, PlanError};

/// What was said and seen in a run, to be held against another of the same plan.
pub struct Recorded {
    trace: Vec<TraceLine>,
    history: Vec<String>,
    /// Of all that happened, where it is known: also of what nobody saw.
    events_hash: Option<String>,
}

impl Recorded {
    /// Of a run that was just done.
    pub fn of(judged: &JudgedRun) -> Recorded {
        let mut history = Vec::new();
        write_json_lines(&judged.execution.history, &mut history).expect("memory takes it");
        let history = String::from_utf8_lossy(&history).lines().map(str::to_owned).collect();
        Recorded { trace: judged.trace(), history, events_hash: Some(judged.record.events_hash.clone()) }
    }

    /// Of a run's directory.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(folder: &Path) -> io::Result<Recorded> {
        let trace = fs::read_to_string(folder.join("trace.jsonl"))?;
        let trace = trace.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let history = fs::read_to_string(folder.join("history.jsonl"))?.lines().map(str::to_owned).collect();
        let verdict: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("verdict.json"))?)?;
        Ok(Recorded { trace, history, events_hash: verdict["events_hash"].as_str().map(str::to_owned) })
    }

    /// The first thing in which another run is not the same, in words.
    pub fn differs_from(&self, other: &Recorded) -> Option<String> {
        if let Some(at) = first_difference(&self.trace, &other.trace) {
            let [one, other] = [&self.trace, &other.trace].map(|trace| said(trace.get(at)));
            return Some(format!("the first event that differs is line {} of the trace: {one}; then {other}", at + 1));
        }
        if let Some(at) = first_difference(&self.history, &other.history) {
            let [one, other] =
                [&self.history, &other.history].map(|lines| lines.get(at).map_or("nothing", String::as_str));
            return Some(format!("the first line of the history that differs is {}: {one}; then {other}", at + 1));
        }
        match (&self.events_hash, &other.events_hash) {
            (Some(one), Some(other)) if one != other => Some(
                "trace and history are the same, but messages took other fates: something was sent in another order, of which \
                 nobody said anything"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

fn first_difference<T: PartialEq>(one: &[T], other: &[T]) -> Option<usize> {
    let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    (same < one.len().max(other.len())).then_some(same)
}

fn said(line: Option<&TraceLine>) -> String {
    let Some(TraceLine { time, node, event, fields }) = line else { return "nothing was said any more".to_owned() };
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let with = if fields.is_empty() { String::new() } else { format!(" ({})", fields.join(", ")) };
    format!("{node} said {event}{with} at {:.3} s", *time as f64 / 1e9)
}

/// What a check of determinism found.
pub struct Diagnosis {
    /// The run that the others are held against.
    pub judged: JudgedRun,
    /// Where and in what another differs from it.
    pub differs: Option<String>,
}

/// Runs a plan twice here, and once in another process.
///
/// `elsewhere` is the command that runs a plan's file in another process and leaves the run below a directory; it gets both.
///
/// # Errors
/// If the plan makes no sense, or the other process leaves no run.
pub fn diagnose(
    pairing: &dyn Pairing,
    plan: Plan,
    elsewhere: impl FnOnce(&Path, &Path) -> io::Result<Command>,
) -> Result<Diagnosis, DiagnosisError> {
    let judged = pairing.run(plan.clone())?;
    let first = Recorded::of(&judged);
    if let Some(differs) = first.differs_from(&Recorded::of(&pairing.run(plan.clone())?)) {
        return Ok(Diagnosis { judged, differs: Some(format!("run twice in one process, {differs}")) });
    }
    let folder = tempfile::tempdir()?;
    let (file, out) = (folder.path().join("plan.json"), folder.path().join("runs"));
    fs::write(&file, plan_text(&plan))?;
    let output = elsewhere(&file, &out)?.stdin(Stdio::null()).output()?;
    let other = Recorded::read(&out.join(&judged.record.run)).map_err(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        io::Error::other(format!("another process left no run: {error}; it said: {}", said.trim()))
    })?;
    let differs = first.differs_from(&other).map(|differs| format!("run in another process, {differs}"));
    Ok(Diagnosis { judged, differs })
}

/// Why nothing could be said.
#[derive(Debug, thiserror::Error)]
pub enum DiagnosisError {
    /// The plan makes no sense.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The other process could not be asked.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Does what another process was asked for: runs the plan, and leaves the run.
///
/// # Errors
/// If it cannot be run, or written.
pub fn run_for_another(pairing: &dyn Pairing, plan: Plan, out: &Path) -> Result<(), DiagnosisError> {
    let judged = pairing.run(plan)?;
    fs::create_dir_all(out)?;
    judged.write(out).map_err(io::Error::other)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(time: u64, event: &str) -> TraceLine {
        TraceLine { time, node: "n2".to_owned(), event: event.to_owned(), fields: serde_json::Map::new() }
    }

    #[test]
    fn the_first_event_that_differs_is_named_with_its_node() {
        let recorded = |events: &[&str]| Recorded {
            trace: events.iter().map(|event| line(1_500_000_000, event)).collect(),
            history: Vec::new(),
            events_hash: None,
        };
        let differs = recorded(&["a", "b", "c"]).differs_from(&recorded(&["a", "x", "c"]));
        assert_eq!(
            differs.as_deref(),
            Some(
                "the first event that differs is line 2 of the trace: n2 said b at 1.500 s; then n2 said x at 1.500 s"
            )
        );
        let shorter = recorded(&["a", "b"]).differs_from(&recorded(&["a"]));
        assert!(shorter.is_some_and(|said| said.contains("nothing was said any more")));
        assert!(recorded(&["a"]).differs_from(&recorded(&["a"])).is_none());
    }
}
