//! What `shakedown check` answers about a file: for people, and for machines.

use serde::Serialize;
use shakedown_checkers::{Anomaly, Answer, Consistency, History, Level, Undecided, Verdict};
use shakedown_results::{ExplanationRecord, RuledOut, terminal};

use crate::cli::{CliError, Status};
use crate::judge;

/// So many anomalies are told in full.
const SHOWN: usize = 3;

pub(super) struct Told {
    pub file: String,
    /// Empty, if reading it took too much memory or time.
    pub history: History,
    pub model: Option<&'static str>,
    pub consistency: Consistency,
    pub guessed: Option<&'static str>,
    pub answer: Answer,
    pub seconds: f64,
}

impl Told {
    pub fn status(&self) -> Status {
        match self.answer.verdict() {
            Verdict::Valid => Status::Held,
            Verdict::Invalid(_) => Status::Broken,
            Verdict::Unknown(_) => Status::Undecided,
        }
    }

    fn is_fingerprint(&self) -> bool {
        self.consistency == Consistency::Fingerprint
    }

    /// Of a fingerprint: the levels just above what held.
    fn ruled_out_by(&self) -> Vec<RuledOut> {
        if self.is_fingerprint() { judge::ruled_out_by(self.answer.fingerprint(), &self.history) } else { Vec::new() }
    }

    pub fn json(&self) -> Result<String, CliError> {
        let names = |levels: &[Level]| levels.iter().map(|level| level.name()).collect();
        let (verdict, fingerprint) = (self.answer.verdict(), self.answer.fingerprint());
        let consistency = self.consistency.name();
        let line = Line {
            schema: "shakedown/verdict/1",
            file: &self.file,
            model: self.model,
            consistency,
            verdict: verdict.word(),
            operations: self.history.len(),
            seconds: self.seconds,
            anomalies: verdict.anomalies().iter().map(|a| AnomalyLine::of(a, consistency, &self.history)).collect(),
            ruled_out: names(&fingerprint.ruled_out()),
            strongest: names(&fingerprint.strongest()),
            undecided: match verdict {
                Verdict::Unknown(undecided) => Some(&undecided.reason),
                _ => None,
            },
            unrecorded_reads: self.answer.unrecorded_reads(),
            guessed: self.guessed.is_some(),
            ruled_out_by: &self.ruled_out_by(),
            figures: self.answer.figures().iter().map(|(name, count)| ((*name).to_owned(), (*count).into())).collect(),
        };
        Ok(serde_json::to_string(&line)?)
    }

    pub fn text(&self) -> String {
        let verdict = self.answer.verdict();
        let mut lines = vec![format!("{}: {}", self.file, verdict.word())];
        if let (Some(guessed), Some(model)) = (self.guessed, self.model) {
            lines.push(format!("  checked as {model}, {} ({guessed})", self.consistency.name()));
        }
        if self.history.is_empty() && *verdict == Verdict::Valid {
            lines.push("  it holds no operation".to_owned());
        }
        let reads = self.answer.unrecorded_reads();
        if reads > 0 {
            lines.push(format!(
                "  {reads} reads returned nil, which no register held: their values count as not recorded, and were not judged"
            ));
        }
        let told = self.answer.figures().iter().map(|(name, count)| match name.strip_suffix("-ns") {
            Some(name) => format!("{name} {:.3} s", *count as f64 / 1e9),
            None => format!("{name} {count}"),
        });
        let told: Vec<String> = told.collect();
        if !told.is_empty() {
            lines.push(terminal::wrapped(&told.join(", ")));
        }
        let anomalies = verdict.anomalies();
        let strongest = self.answer.fingerprint().strongest();
        if self.is_fingerprint() {
            self.tell_fingerprint(&mut lines);
        } else if let Verdict::Unknown(undecided) = verdict {
            lines.push(terminal::wrapped(&undecided.reason));
        }
        lines.extend(anomalies.iter().take(SHOWN).map(|anomaly| terminal::anomaly(&self.history, anomaly)));
        if anomalies.len() > SHOWN {
            lines.push(format!("  and {} more: --format json has all", anomalies.len() - SHOWN));
        }
        if !self.is_fingerprint() && !anomalies.is_empty() && !strongest.is_empty() {
            lines.push(terminal::wrapped(&format!("known to hold: {}", names_of(&strongest))));
        }
        lines.join("\n")
    }

    fn tell_fingerprint(&self, lines: &mut Vec<String>) {
        let fingerprint = self.answer.fingerprint();
        let strongest = fingerprint.strongest();
        let held = if strongest.is_empty() { "nothing".to_owned() } else { names_of(&strongest) };
        lines.push(terminal::wrapped(&format!("strongest that held: {held}")));
        let above: Vec<String> = self.ruled_out_by().iter().map(terminal::ruled_out).collect();
        if !above.is_empty() {
            lines.push(terminal::wrapped(&format!("broken just above: {}", above.join(", "))));
        }
        for (level, Undecided { reason }) in fingerprint.undecided() {
            lines.push(terminal::wrapped(&format!("{}: not decided: {reason}", level.name())));
        }
    }
}

fn names_of(levels: &[Level]) -> String {
    let names: Vec<&str> = levels.iter().map(|level| level.name()).collect();
    names.join(", ")
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
