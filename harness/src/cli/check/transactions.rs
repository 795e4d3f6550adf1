//! `shakedown check` of transactions: list-append and rw-register, at every level of isolation.

use std::path::Path;
use std::time::Instant;

use shakedown_checkers::transactions::{self, Analysis, Options, Workload};
use shakedown_checkers::{Budget, History, Level, Verdict};

use super::{AnomalyLine, Line, SHOWN};
use crate::cli::{CheckArguments, Status, Trouble, report};

/// What is asked of transactions.
pub(super) struct Asked {
    workload: Option<Workload>,
    level: Option<Level>,
    options: Options,
}

impl Asked {
    /// Nothing if something else than transactions is asked for.
    pub(super) fn by(arguments: &CheckArguments) -> Result<Option<Asked>, Trouble> {
        let workload = match arguments.model.as_deref() {
            None => None,
            Some(name) => match Workload::from_name(name) {
                None => return Ok(None),
                some => some,
            },
        };
        let level = match arguments.consistency.as_deref() {
            None => None,
            Some(name) => match Level::from_name(name).filter(|level| level.is_transactional()) {
                None => return Ok(None),
                some => some,
            },
        };
        let options = Options {
            linearizable_keys: arguments.linearizable_keys,
            sequential_keys: arguments.sequential_keys,
            wfr_keys: arguments.wfr_keys,
        };
        Ok(Some(Asked { workload, level, options }))
    }

    /// Whether it is for transactions alone, whatever the file holds.
    pub(super) fn is_certain(&self) -> bool {
        self.workload.is_some() || self.level.is_some()
    }

    /// The text about one history, and how it ends; nothing if it is none of transactions, and might be something else.
    pub(super) fn told(
        &self,
        file: &Path,
        history: &History,
        begun: Instant,
        json: bool,
    ) -> Result<Option<(String, Status)>, Trouble> {
        let guess = || Workload::guess(history);
        let name = file.display().to_string();
        let workload = match self.workload.or_else(guess) {
            Some(workload) => workload,
            None if self.is_certain() && history.is_empty() => Workload::ListAppend,
            None if self.is_certain() => {
                return Err(Trouble(format!(
                    "{name}: no transaction appends or writes: expected --model list-append or rw-register"
                )));
            }
            None => return Ok(None),
        };
        let level = self.level.unwrap_or(Level::StrictSerializable);
        let analysis = transactions::analyse(history, workload, &self.options, &Budget::default())
            .map_err(|error| Trouble(format!("{name}: {error}")))?;
        let verdict = analysis.verdict(level);
        let judged = Judged { name, history, workload, level, analysis, verdict, begun };
        let is_guessed = self.workload.is_none() || self.level.is_none();
        let text = if json { judged.line(is_guessed)? } else { judged.text(is_guessed) };
        Ok(Some((text, if judged.verdict == Verdict::Valid { Status::Held } else { Status::Broken })))
    }
}

struct Judged<'a> {
    name: String,
    history: &'a History,
    workload: Workload,
    level: Level,
    analysis: Analysis,
    verdict: Verdict,
    begun: Instant,
}

impl Judged<'_> {
    fn line(&self, guessed: bool) -> Result<String, Trouble> {
        let anomalies =
            self.verdict.anomalies().iter().map(|anomaly| AnomalyLine::of(anomaly, self.level.name(), self.history));
        let names = |levels: &[Level]| levels.iter().map(|level| level.name()).collect();
        Ok(serde_json::to_string(&Line {
            schema: "shakedown/verdict/1",
            file: &self.name,
            model: Some(self.workload.name()),
            consistency: self.level.name(),
            verdict: self.verdict.word(),
            operations: self.history.len(),
            seconds: self.begun.elapsed().as_secs_f64(),
            anomalies: anomalies.collect(),
            ruled_out: names(&self.analysis.ruled_out),
            strongest: names(&self.analysis.strongest),
            undecided: None,
            unrecorded_reads: 0,
            guessed,
        })?)
    }

    fn text(&self, guessed: bool) -> String {
        let mut lines = vec![format!("{}: {}", self.name, self.verdict.word())];
        if guessed {
            let (workload, level) = (self.workload.name(), self.level.name());
            lines.push(format!("  checked as {workload}, {level} (guessed from the operations)"));
        }
        let anomalies = self.verdict.anomalies();
        lines.extend(anomalies.iter().take(SHOWN).map(|anomaly| report::anomaly(self.history, anomaly)));
        if anomalies.len() > SHOWN {
            lines.push(format!("  and {} more anomalies: --format json has all", anomalies.len() - SHOWN));
        }
        if !anomalies.is_empty() {
            let strongest: Vec<&str> = self.analysis.strongest.iter().map(|level| level.name()).collect();
            let left = if strongest.is_empty() { "nothing".to_owned() } else { strongest.join(", ") };
            lines.push(format!("  not ruled out, at the most: {left}"));
        }
        lines.join("\n")
    }
}
