//! `shakedown check --consistency causal` and its neighbours: the levels that [`causal`] decides.

use std::path::Path;
use std::time::{Duration, Instant};

use shakedown_checkers::causal;
use shakedown_checkers::history::{ReadError, ReadOptions, read_file_with};
use shakedown_checkers::{Budget, History, Level, Undecided, Verdict};

use super::{AnomalyLine, Files, Line, SHOWN, graver, in_order, initial};
use crate::cli::{CheckArguments, Status, Trouble, print, unknown};

/// The models whose histories these levels are about.
const MODELS: [&str; 4] = ["kv", "register", "cas-register", "rw-register"];

/// The level that is asked for, if it is one of these.
pub(super) fn level(arguments: &CheckArguments) -> Option<Level> {
    let level = Level::from_name(arguments.consistency.as_deref()?).filter(|level| causal::DECIDED.contains(level))?;
    // Lists know their own order of versions: they are judged elsewhere.
    (arguments.model.as_deref() != Some("list-append")).then_some(level)
}

pub(super) fn check(arguments: &CheckArguments, level: Level, json: bool) -> Result<Status, Trouble> {
    if let Some(model) = arguments.model.as_deref().filter(|model| !MODELS.contains(model)) {
        return Err(unknown("model", model, &MODELS));
    }
    let files = Files::of(arguments);
    let seconds = Duration::try_from_secs_f64(arguments.max_seconds)
        .map_err(|error| Trouble(format!("--max-seconds {}: {error}", arguments.max_seconds)))?;
    let mut worst = Status::Held;
    in_order(
        &arguments.files,
        files.at_once,
        |file| match one(arguments, level, &files, seconds, file) {
            Ok(checked) => {
                let status = checked.status();
                (
                    if json {
                        serde_json::to_string(&checked.line()).map_err(Trouble::from)
                    } else {
                        Ok(checked.text())
                    },
                    status,
                )
            }
            Err(trouble) => (Err(trouble), Status::Bad),
        },
        |(told, status)| {
            match told {
                Ok(text) => print(text),
                Err(Trouble(trouble)) => anstream::eprintln!("error: {trouble}"),
            }
            worst = graver(worst, status);
        },
    );
    Ok(worst)
}

struct Checked<'a> {
    file: String,
    model: &'a str,
    level: Level,
    history: History,
    verdict: Verdict,
    seconds: f64,
}

fn one<'a>(
    arguments: &'a CheckArguments,
    level: Level,
    files: &Files,
    seconds: Duration,
    file: &Path,
) -> Result<Checked<'a>, Trouble> {
    let begun = Instant::now();
    let deadline = begun.checked_add(seconds);
    let half = Some(files.memory / 2);
    let name = file.display().to_string();
    let options = ReadOptions { threads: files.threads, max_bytes: half, deadline };
    let (history, verdict) = match read_file_with(file, &options) {
        Ok(history) => {
            let budget = Budget { configurations: u64::MAX, bytes: half, deadline, threads: Some(files.threads) };
            let first = arguments.initial.as_deref().map(initial);
            let verdict = causal::check(&history, level, first.as_ref(), budget)
                .map_err(|error| Trouble(format!("{name}: {error}")))?;
            (history, verdict)
        }
        Err(over @ ReadError::OverBudget { .. }) => {
            (History::default(), Verdict::Unknown(Undecided { reason: over.to_string() }))
        }
        Err(error) => return Err(error.into()),
    };
    let transactions = history.operations().any(|operation| operation.function() == "txn");
    let model = arguments.model.as_deref().unwrap_or(if transactions { "rw-register" } else { "kv" });
    Ok(Checked { file: name, model, level, history, verdict, seconds: begun.elapsed().as_secs_f64() })
}

impl Checked<'_> {
    fn status(&self) -> Status {
        match self.verdict {
            Verdict::Valid => Status::Held,
            Verdict::Invalid(_) => Status::Broken,
            Verdict::Unknown(_) => Status::Undecided,
        }
    }

    fn line(&self) -> Line<'_> {
        let ruled_out = match self.verdict {
            Verdict::Invalid(_) => {
                let above = Level::ALL.into_iter().filter(|level| level.implies(self.level));
                above.map(Level::name).collect()
            }
            _ => Vec::new(),
        };
        let anomalies = self.verdict.anomalies().iter().map(|a| AnomalyLine::of(a, self.level.name(), &self.history));
        Line {
            schema: "shakedown/verdict/1",
            file: &self.file,
            model: Some(self.model),
            consistency: self.level.name(),
            verdict: self.verdict.word(),
            operations: self.history.len(),
            seconds: self.seconds,
            anomalies: anomalies.collect(),
            ruled_out,
            strongest: if self.verdict == Verdict::Valid { vec![self.level.name()] } else { Vec::new() },
            undecided: match &self.verdict {
                Verdict::Unknown(undecided) => Some(&undecided.reason),
                _ => None,
            },
            unrecorded_reads: 0,
            guessed: false,
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![format!("{}: {}", self.file, self.verdict.word())];
        if self.history.is_empty() && self.verdict == Verdict::Valid {
            lines.push("  it holds no operation".to_owned());
        }
        if let Verdict::Unknown(undecided) = &self.verdict {
            lines.push(crate::cli::report::wrapped(&undecided.reason));
        }
        let anomalies = self.verdict.anomalies();
        for anomaly in anomalies.iter().take(SHOWN) {
            lines.push(crate::cli::report::anomaly(&self.history, anomaly));
            lines.extend(anomaly.why.iter().map(|why| crate::cli::report::wrapped(why)));
        }
        if anomalies.len() > SHOWN {
            lines.push(format!("  and {} more: --format json has all", anomalies.len() - SHOWN));
        }
        lines.join("\n")
    }
}
