//! What `shakedown check` answers about a file: for people, and for machines.

use std::path::Path;

use serde::Serialize;
use shakedown_checkers::{Anomaly, Fingerprint, History, Level, Undecided, Verdict};
use shakedown_results::{ExplanationRecord, RuledOut};

use super::question::{FINGERPRINT, Question};
use crate::cli::{Status, Trouble, report};
use crate::judge;

/// So many anomalies are told in full.
const SHOWN: usize = 3;

pub(super) struct Answer {
    file: String,
    /// Empty, if reading it took too much memory or time.
    pub history: History,
    model: Option<&'static str>,
    consistency: &'static str,
    guessed: Option<&'static str>,
    pub verdict: Verdict,
    pub ruled_out: Vec<Level>,
    pub strongest: Vec<Level>,
    /// Of a fingerprint: the levels just above what held.
    ruled_out_by: Vec<RuledOut>,
    /// Of a fingerprint.
    open: Vec<(Level, Undecided)>,
    /// Reads whose values count as not recorded.
    pub unrecorded: usize,
    /// Of an invariant.
    pub figures: Vec<(&'static str, u64)>,
    pub seconds: f64,
}

impl Answer {
    pub fn of(
        file: &Path,
        question: &Question,
        history: History,
        model: &'static str,
        consistency: &'static str,
    ) -> Answer {
        Answer {
            file: file.display().to_string(),
            history,
            model: Some(model),
            consistency,
            guessed: question.guessed(),
            verdict: Verdict::Valid,
            ruled_out: Vec::new(),
            strongest: Vec::new(),
            ruled_out_by: Vec::new(),
            open: Vec::new(),
            unrecorded: 0,
            figures: Vec::new(),
            seconds: 0.0,
        }
    }

    /// Nothing was decided, for this reason.
    pub fn undecided(file: &Path, question: &Question, history: History, reason: String) -> Answer {
        let answer = Answer::of(file, question, history, "", question.consistency());
        Answer { model: question.model(), verdict: Verdict::Unknown(Undecided { reason }), ..answer }
    }

    /// The verdict on one level, of which nothing else follows than what the lattice says.
    pub fn rank(&mut self, level: Level, verdict: Verdict) {
        let mut known = Fingerprint::default();
        known.add(level, verdict.clone());
        self.ruled_out = known.ruled_out();
        self.strongest = known.strongest();
        self.verdict = verdict;
    }

    /// A whole fingerprint: valid if nothing is broken.
    pub fn take(&mut self, fingerprint: Fingerprint) {
        let mut anomalies: Vec<Anomaly> = Vec::new();
        for (_, anomaly) in fingerprint.just_above() {
            if !anomalies.contains(anomaly) {
                anomalies.push(anomaly.clone());
            }
        }
        self.ruled_out_by = judge::ruled_out_by(&fingerprint, &self.history);
        self.ruled_out = fingerprint.ruled_out();
        self.strongest = fingerprint.strongest();
        self.open = fingerprint.undecided().map(|(level, undecided)| (level, undecided.clone())).collect();
        self.verdict = match self.open.first() {
            _ if !anomalies.is_empty() => Verdict::Invalid(anomalies),
            Some((level, Undecided { reason })) => {
                Verdict::Unknown(Undecided { reason: format!("{}: {reason}", level.name()) })
            }
            None => Verdict::Valid,
        };
    }

    pub fn status(&self) -> Status {
        match self.verdict {
            Verdict::Valid => Status::Held,
            Verdict::Invalid(_) => Status::Broken,
            Verdict::Unknown(_) => Status::Undecided,
        }
    }

    pub fn json(&self) -> Result<String, Trouble> {
        let names = |levels: &[Level]| levels.iter().map(|level| level.name()).collect();
        let anomalies = self.verdict.anomalies();
        let line = Line {
            schema: "shakedown/verdict/1",
            file: &self.file,
            model: self.model,
            consistency: self.consistency,
            verdict: self.verdict.word(),
            operations: self.history.len(),
            seconds: self.seconds,
            anomalies: anomalies.iter().map(|a| AnomalyLine::of(a, self.consistency, &self.history)).collect(),
            ruled_out: names(&self.ruled_out),
            strongest: names(&self.strongest),
            undecided: match &self.verdict {
                Verdict::Unknown(undecided) => Some(&undecided.reason),
                _ => None,
            },
            unrecorded_reads: self.unrecorded,
            guessed: self.guessed.is_some(),
            ruled_out_by: &self.ruled_out_by,
            figures: self.figures.iter().map(|(name, count)| ((*name).to_owned(), (*count).into())).collect(),
        };
        Ok(serde_json::to_string(&line)?)
    }

    pub fn text(&self) -> String {
        let mut lines = vec![format!("{}: {}", self.file, self.verdict.word())];
        if let (Some(guessed), Some(model)) = (self.guessed, self.model) {
            lines.push(format!("  checked as {model}, {} ({guessed})", self.consistency));
        }
        if self.history.is_empty() && self.verdict == Verdict::Valid {
            lines.push("  it holds no operation".to_owned());
        }
        if self.unrecorded > 0 {
            let reads = self.unrecorded;
            lines.push(format!(
                "  {reads} reads returned nil, which no register held: their values count as not recorded, and were not judged"
            ));
        }
        let told = self.figures.iter().map(|(name, count)| match name.strip_suffix("-ns") {
            Some(name) => format!("{name} {:.3} s", *count as f64 / 1e9),
            None => format!("{name} {count}"),
        });
        let told: Vec<String> = told.collect();
        if !told.is_empty() {
            lines.push(report::wrapped(&told.join(", ")));
        }
        let anomalies = self.verdict.anomalies();
        if self.consistency == FINGERPRINT {
            self.tell_fingerprint(&mut lines);
        } else if let Verdict::Unknown(undecided) = &self.verdict {
            lines.push(report::wrapped(&undecided.reason));
        }
        lines.extend(anomalies.iter().take(SHOWN).map(|anomaly| report::anomaly(&self.history, anomaly)));
        if anomalies.len() > SHOWN {
            lines.push(format!("  and {} more: --format json has all", anomalies.len() - SHOWN));
        }
        if self.consistency != FINGERPRINT && !anomalies.is_empty() && !self.strongest.is_empty() {
            lines.push(format!("  not ruled out, at the most: {}", self.names_of_strongest()));
        }
        lines.join("\n")
    }

    fn names_of_strongest(&self) -> String {
        let names: Vec<&str> = self.strongest.iter().map(|level| level.name()).collect();
        names.join(", ")
    }

    fn tell_fingerprint(&self, lines: &mut Vec<String>) {
        let held = if self.strongest.is_empty() { "nothing".to_owned() } else { self.names_of_strongest() };
        lines.push(report::wrapped(&format!("strongest that held: {held}")));
        if !self.ruled_out_by.is_empty() {
            let above: Vec<String> = self.ruled_out_by.iter().map(report::ruled_out).collect();
            lines.push(report::wrapped(&format!("broken just above: {}", above.join(", "))));
        }
        for (level, Undecided { reason }) in &self.open {
            lines.push(report::wrapped(&format!("{}: not decided: {reason}", level.name())));
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    file: &'a str,
    model: Option<&'a str>,
    consistency: &'static str,
    verdict: &'static str,
    operations: usize,
    seconds: f64,
    anomalies: Vec<AnomalyLine<'a>>,
    ruled_out: Vec<&'static str>,
    strongest: Vec<&'static str>,
    undecided: Option<&'a str>,
    unrecorded_reads: usize,
    guessed: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    ruled_out_by: &'a [RuledOut],
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    figures: serde_json::Map<String, serde_json::Value>,
}

/// An anomaly for machines: operations by index.
#[derive(Serialize)]
struct AnomalyLine<'a> {
    name: &'static str,
    operations: Vec<u64>,
    sentence: &'a str,
    why: &'a [String],
    sources: Vec<u64>,
    #[serde(flatten)]
    explanation: ExplanationRecord,
}

impl<'a> AnomalyLine<'a> {
    fn of(anomaly: &'a Anomaly, consistency: &str, history: &History) -> AnomalyLine<'a> {
        let proof = judge::proved(anomaly, consistency, true, history);
        AnomalyLine {
            name: anomaly.name,
            operations: proof.operations,
            sentence: &anomaly.sentence,
            why: &anomaly.why,
            sources: proof.sources,
            explanation: proof.explanation,
        }
    }
}
