//! `shakedown check`: histories from anywhere.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use shakedown_checkers::history::read_file;
use shakedown_checkers::{Anomaly, Budget, History, ModelName, Value, Verdict, linearizability};

use super::{CheckArguments, Status, Trouble, print, unknown};

/// The one guarantee that can be asked for yet.
const LINEARIZABLE: &str = "linearizable";

pub(super) fn check(arguments: &CheckArguments, json: bool) -> Result<Status, Trouble> {
    if arguments.consistency != LINEARIZABLE {
        return Err(Trouble(format!(
            "`check` does not decide {:?} yet; expected --consistency {LINEARIZABLE}",
            arguments.consistency
        )));
    }
    let names: Vec<&str> = ModelName::ALL.iter().map(|model| model.name()).collect();
    let model = match &arguments.model {
        None => None,
        Some(name) => Some(ModelName::from_name(name).ok_or_else(|| unknown("model", name, &names))?),
    };
    let initial = arguments.initial.as_deref().map(initial);
    let budget = Budget::of_configurations(arguments.configurations);
    let mut worst = Status::Held;
    for file in &arguments.files {
        let status = match one(file, model, initial.as_ref(), budget) {
            Ok(checked) => {
                if json {
                    print(serde_json::to_string(&checked.line())?);
                } else {
                    checked.tell();
                }
                checked.status()
            }
            Err(Trouble(trouble)) => {
                anstream::eprintln!("error: {trouble}");
                Status::Bad
            }
        };
        worst = graver(worst, status);
    }
    Ok(worst)
}

/// What was unreadable is graver than what is broken, and that than what is undecided.
fn graver(one: Status, other: Status) -> Status {
    let gravity = |status| match status {
        Status::Held => 0,
        Status::Undecided => 1,
        Status::Broken => 2,
        Status::Bad => 3,
    };
    if gravity(other) > gravity(one) { other } else { one }
}

fn initial(text: &str) -> Value {
    match text {
        "nil" | "null" => Value::Nil,
        _ => text.parse().map_or_else(|_| Value::text(text), Value::Int),
    }
}

struct Checked {
    file: String,
    history: History,
    model: ModelName,
    guessed: bool,
    verdict: Verdict,
    unrecorded: usize,
    seconds: f64,
}

fn one(file: &Path, model: Option<ModelName>, initial: Option<&Value>, budget: Budget) -> Result<Checked, Trouble> {
    let begun = Instant::now();
    let history = read_file(file)?;
    let name = file.display().to_string();
    let guessed = model.is_none();
    let model = match model.or_else(|| ModelName::guess(&history)) {
        Some(model) => model,
        None => return Err(no_guess(&name, &history)),
    };
    let verdict = linearizability::check(&history, model, initial, budget)
        .map_err(|error| Trouble(format!("{name}: {error}")))?;
    let unrecorded = linearizability::unrecorded_reads(&history, model, initial);
    let seconds = begun.elapsed().as_secs_f64();
    Ok(Checked { file: name, history, model, guessed, verdict, unrecorded, seconds })
}

fn no_guess(name: &str, history: &History) -> Trouble {
    let mut functions: Vec<&str> = history.operations().map(|operation| operation.function()).collect();
    functions.sort_unstable();
    functions.dedup();
    let models: Vec<String> =
        ModelName::ALL.iter().map(|model| format!("{} ({})", model.name(), model.functions().join(", "))).collect();
    Trouble(format!(
        "{name}: no model fits the operations {}; with --model, one of {} can be asked for",
        functions.join(", "),
        models.join("; ")
    ))
}

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    file: &'a str,
    model: &'static str,
    consistency: &'static str,
    verdict: &'static str,
    operations: usize,
    seconds: f64,
    anomalies: Vec<AnomalyLine<'a>>,
    ruled_out: Vec<&'static str>,
    strongest: Vec<&'static str>,
    undecided: Option<&'a str>,
    unrecorded_reads: usize,
}

#[derive(Serialize)]
struct AnomalyLine<'a> {
    name: &'static str,
    operations: Vec<u64>,
    sentence: &'a str,
    edges: [(); 0],
    why: &'a [String],
}

impl Checked {
    fn status(&self) -> Status {
        match self.verdict {
            Verdict::Valid => Status::Held,
            Verdict::Invalid(_) => Status::Broken,
            Verdict::Unknown(_) => Status::Undecided,
        }
    }

    fn line(&self) -> Line<'_> {
        let on = |wanted: &str| if self.verdict.word() == wanted { vec![LINEARIZABLE] } else { Vec::new() };
        Line {
            schema: "shakedown/verdict/1",
            file: &self.file,
            model: self.model.name(),
            consistency: LINEARIZABLE,
            verdict: self.verdict.word(),
            operations: self.history.len(),
            seconds: self.seconds,
            anomalies: self.verdict.anomalies().iter().map(|anomaly| self.anomaly_line(anomaly)).collect(),
            ruled_out: on("invalid"),
            strongest: on("valid"),
            undecided: match &self.verdict {
                Verdict::Unknown(undecided) => Some(&undecided.reason),
                _ => None,
            },
            unrecorded_reads: self.unrecorded,
        }
    }

    fn anomaly_line<'a>(&self, anomaly: &'a Anomaly) -> AnomalyLine<'a> {
        AnomalyLine {
            name: anomaly.name,
            operations: anomaly.operations().iter().map(|id| self.history.operation(*id).index()).collect(),
            sentence: &anomaly.sentence,
            edges: [],
            why: &anomaly.why,
        }
    }

    fn tell(&self) {
        print(format_args!("{}: {}", self.file, self.verdict.word()));
        if self.guessed {
            print(format_args!("  checked as {}, {LINEARIZABLE} (guessed from the operations)", self.model.name()));
        }
        if self.unrecorded > 0 {
            let reads = self.unrecorded;
            print(format_args!(
                "  {reads} reads returned nil, which no register held: their values count as not recorded, and were not judged"
            ));
        }
        if let Verdict::Unknown(undecided) = &self.verdict {
            print(format_args!("  {}", undecided.reason));
        }
        let anomalies = self.verdict.anomalies();
        for anomaly in anomalies.iter().take(SHOWN) {
            super::report::anomaly(&self.history, anomaly);
            for line in &anomaly.why {
                print(format_args!("    {line}"));
            }
        }
        if anomalies.len() > SHOWN {
            print(format_args!("  and {} more on other keys: --format json has all", anomalies.len() - SHOWN));
        }
    }
}

/// So many anomalies are told in full.
const SHOWN: usize = 3;
