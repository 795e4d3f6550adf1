//! `shakedown check --consistency invariant`: histories held against the rule of their workload.

use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use shakedown_checkers::history::{ReadError, ReadOptions, read_file_with};
use shakedown_checkers::invariants::{self, Invariant, Options, Report};
use shakedown_checkers::{History, ModelName, Undecided, Verdict};

use super::{AnomalyLine, Line, SHOWN, Status, Trouble, graver, half_the_machine, in_order};
use crate::cli::{CheckArguments, print, report, unknown};

const INVARIANT: &str = "invariant";

/// What forbids long forks, and is known by a name of its own.
const PARALLEL_SNAPSHOT_ISOLATION: &str = "parallel-snapshot-isolation";

/// What invariants may be told.
#[derive(Args)]
pub(in crate::cli) struct InvariantArguments {
    /// Bank: what all accounts hold together [default: what most reads say]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    total: Option<i64>,
    /// Bank: accounts may be overdrawn
    #[arg(long)]
    negative_balances: bool,
    /// Set-full: elements must be visible at once; monotonic: in real time, not only within processes
    #[arg(long)]
    linearizable: bool,
    /// Queue: elements may come out more often than they went in
    #[arg(long)]
    duplicates: bool,
    /// Staleness: how many versions a read may be behind
    #[arg(long, value_name = "N")]
    max_versions: Option<u64>,
    /// Staleness: for how many milliseconds what is read may have been overwritten
    #[arg(long, value_name = "MS")]
    max_staleness: Option<u64>,
}

/// What is asked of each file.
pub(super) struct Asking {
    invariant: Option<Invariant>,
    consistency: &'static str,
    guessed: Option<&'static str>,
    options: Options,
    /// Bytes, for one file.
    memory: u64,
    /// For one file.
    threads: usize,
    seconds: Duration,
}

/// What is asked, if it is an invariant: by the consistency, or by a model that is known for nothing else.
pub(super) fn asked(arguments: &CheckArguments) -> Result<Option<Asking>, Trouble> {
    let invariant = arguments.model.as_deref().and_then(Invariant::from_name);
    let only_invariant = invariant.is_some() && arguments.model.as_deref().and_then(ModelName::from_name).is_none();
    let consistency = match (arguments.consistency.as_deref(), invariant) {
        (Some(INVARIANT), _) => INVARIANT,
        (Some(PARALLEL_SNAPSHOT_ISOLATION), Some(Invariant::LongFork)) => PARALLEL_SNAPSHOT_ISOLATION,
        (None, Some(_)) if only_invariant => INVARIANT,
        (Some(other), Some(invariant)) if only_invariant => {
            let name = invariant.name();
            return Err(Trouble(format!("{name} is an invariant: expected --consistency {INVARIANT}, found {other}")));
        }
        _ => return Ok(None),
    };
    if let (Some(name), None) = (&arguments.model, invariant) {
        let names: Vec<&str> = Invariant::ALL.iter().map(|invariant| invariant.name()).collect();
        return Err(unknown(INVARIANT, name, &names));
    }
    let guessed = match (invariant, &arguments.consistency) {
        (None, _) => Some("guessed from the operations"),
        (_, None) => Some("the consistency is guessed"),
        _ => None,
    };
    Asking::new(arguments, invariant, consistency, guessed).map(Some)
}

/// What is asked where nothing was: an invariant, should the operations fit no model.
pub(super) fn instead(arguments: &CheckArguments) -> Result<Option<Asking>, Trouble> {
    match (&arguments.model, &arguments.consistency) {
        (None, None) => Asking::new(arguments, None, INVARIANT, Some("guessed from the operations")).map(Some),
        _ => Ok(None),
    }
}

impl Asking {
    fn new(
        arguments: &CheckArguments,
        invariant: Option<Invariant>,
        consistency: &'static str,
        guessed: Option<&'static str>,
    ) -> Result<Asking, Trouble> {
        let told = &arguments.invariants;
        let initial = match arguments.initial.as_deref() {
            None | Some("nil" | "null") => None,
            Some(number) => number.parse().ok(),
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let at_once = at_once(arguments);
        Ok(Asking {
            invariant,
            consistency,
            guessed,
            options: Options {
                initial,
                total: told.total,
                accounts: None,
                negative_balances: told.negative_balances,
                linearizable: told.linearizable,
                duplicates: told.duplicates,
                max_versions: told.max_versions,
                max_nanoseconds: told.max_staleness.map(|milliseconds| milliseconds.saturating_mul(1_000_000)),
            },
            memory: arguments.max_memory.unwrap_or_else(half_the_machine).as_u64() / at_once as u64,
            threads: cores / at_once,
            seconds: Duration::try_from_secs_f64(arguments.max_seconds)
                .map_err(|error| Trouble(format!("--max-seconds {}: {error}", arguments.max_seconds)))?,
        })
    }

    /// Judges all files, in their order.
    pub fn check(&self, arguments: &CheckArguments, json: bool) -> Status {
        let mut worst = Status::Held;
        in_order(
            &arguments.files,
            at_once(arguments),
            |file| self.one(file).map(|judged| judged.told(self, json)),
            |told| match told {
                Ok((text, status)) => {
                    print(text);
                    worst = graver(worst, status);
                }
                Err(Trouble(trouble)) => {
                    anstream::eprintln!("error: {trouble}");
                    worst = Status::Bad;
                }
            },
        );
        worst
    }

    /// The text about one file and how it ends, if an invariant fits it.
    pub fn instead(&self, file: &Path, json: bool) -> Option<(String, Status)> {
        self.one(file).ok().map(|judged| judged.told(self, json))
    }

    fn one(&self, file: &Path) -> Result<Judged, Trouble> {
        let begun = Instant::now();
        let name = file.display().to_string();
        let judged = |history, invariant, report| Judged {
            file: name.clone(),
            history,
            invariant,
            report,
            seconds: begun.elapsed().as_secs_f64(),
        };
        let limits = ReadOptions {
            threads: self.threads,
            max_bytes: Some(self.memory / 2),
            deadline: begun.checked_add(self.seconds),
        };
        let history = match read_file_with(file, &limits) {
            Ok(history) => history,
            Err(over @ ReadError::OverBudget { .. }) => {
                let verdict = Verdict::Unknown(Undecided { reason: over.to_string() });
                return Ok(judged(History::default(), self.invariant, Report { verdict, figures: Vec::new() }));
            }
            Err(error) => return Err(error.into()),
        };
        let invariant = self.invariant.or_else(|| Invariant::guess(&history)).ok_or_else(|| {
            let names: Vec<&str> = Invariant::ALL.iter().map(|invariant| invariant.name()).collect();
            Trouble(format!("{name}: which invariant it is for is not clear: expected --model {}", names.join(", ")))
        })?;
        let report = invariants::judge(&history, invariant, &self.options)
            .map_err(|misfit| Trouble(format!("{name}: {misfit}")))?;
        Ok(judged(history, Some(invariant), report))
    }
}

/// How many files are judged at once.
fn at_once(arguments: &CheckArguments) -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(arguments.files.len()).max(1)
}

/// A file with its answer.
struct Judged {
    file: String,
    /// Nothing, if reading it took too much memory or time.
    history: History,
    invariant: Option<Invariant>,
    report: Report,
    seconds: f64,
}

#[derive(Serialize)]
struct LineWithFigures<'a> {
    #[serde(flatten)]
    line: Line<'a>,
    figures: serde_json::Map<String, serde_json::Value>,
}

impl Judged {
    fn told(&self, asking: &Asking, json: bool) -> (String, Status) {
        let status = match self.report.verdict {
            Verdict::Valid => Status::Held,
            Verdict::Invalid(_) => Status::Broken,
            Verdict::Unknown(_) => Status::Undecided,
        };
        let text = if json {
            serde_json::to_string(&self.line(asking)).expect("names and numbers are always JSON")
        } else {
            self.text(asking)
        };
        (text, status)
    }

    fn line(&self, asking: &Asking) -> LineWithFigures<'_> {
        let verdict = &self.report.verdict;
        let on = |wanted: &str| if verdict.word() == wanted { vec![asking.consistency] } else { Vec::new() };
        let anomalies =
            verdict.anomalies().iter().map(|anomaly| AnomalyLine::of(anomaly, asking.consistency, &self.history));
        let line = Line {
            schema: "shakedown/verdict/1",
            file: &self.file,
            model: self.invariant.map(Invariant::name),
            consistency: asking.consistency,
            verdict: verdict.word(),
            operations: self.history.len(),
            seconds: self.seconds,
            anomalies: anomalies.collect(),
            ruled_out: on("invalid"),
            strongest: on("valid"),
            undecided: match verdict {
                Verdict::Unknown(undecided) => Some(&undecided.reason),
                _ => None,
            },
            unrecorded_reads: 0,
            guessed: asking.guessed.is_some(),
        };
        let figures = self.report.figures.iter().map(|(name, count)| ((*name).to_owned(), (*count).into()));
        LineWithFigures { line, figures: figures.collect() }
    }

    fn text(&self, asking: &Asking) -> String {
        let verdict = &self.report.verdict;
        let mut lines = vec![format!("{}: {}", self.file, verdict.word())];
        if let (Some(guessed), Some(invariant)) = (asking.guessed, self.invariant) {
            lines.push(format!("  checked as {}, {} ({guessed})", invariant.name(), asking.consistency));
        }
        let told = self.report.figures.iter().map(|(name, count)| match name.strip_suffix("-ns") {
            Some(name) => format!("{name} {:.3} s", *count as f64 / 1e9),
            None => format!("{name} {count}"),
        });
        let told: Vec<String> = told.collect();
        if !told.is_empty() {
            lines.push(report::wrapped(&told.join(", ")));
        }
        if let Verdict::Unknown(undecided) = verdict {
            lines.push(report::wrapped(&undecided.reason));
        }
        let anomalies = verdict.anomalies();
        lines.extend(anomalies.iter().take(SHOWN).map(|anomaly| report::anomaly(&self.history, anomaly)));
        if anomalies.len() > SHOWN {
            lines.push(format!("  and {} more: --format json has all", anomalies.len() - SHOWN));
        }
        lines.join("\n")
    }
}
