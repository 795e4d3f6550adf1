//! `shakedown check`: histories from anywhere.

mod causal;
mod invariant;
mod transactions;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use serde::Serialize;
use shakedown_checkers::history::{ReadError, ReadOptions, read_file_with};
use shakedown_checkers::{Anomaly, Budget, History, ModelName, Undecided, Value, Verdict, linearizability};
use shakedown_results::ExplanationRecord;

use super::{CheckArguments, Status, Trouble, print, unknown};
use crate::judge;

pub(super) use invariant::InvariantArguments;

/// The one guarantee that can be asked for yet.
const LINEARIZABLE: &str = "linearizable";

pub(super) fn check(arguments: &CheckArguments, json: bool) -> Result<Status, Trouble> {
    if let Some(asking) = invariant::asked(arguments)? {
        return Ok(asking.check(arguments, json));
    }
    let transactions = transactions::Asked::by(arguments)?;
    let is_certain = transactions.as_ref().is_some_and(transactions::Asked::is_certain);
    if let Some(level) = causal::level(arguments).filter(|_| !is_certain) {
        return causal::check(arguments, level, json);
    }
    if let Some(consistency) = arguments.consistency.as_deref().filter(|asked| *asked != LINEARIZABLE && !is_certain) {
        return Err(Trouble(format!(
            "`check` does not decide {consistency:?} yet; expected --consistency {LINEARIZABLE}"
        )));
    }
    let names: Vec<&str> = ModelName::ALL.iter().map(|model| model.name()).collect();
    let model = match &arguments.model {
        None => None,
        Some(_) if is_certain => None,
        Some(name) => Some(ModelName::from_name(name).ok_or_else(|| unknown("model", name, &names))?),
    };
    let Files { at_once, memory, threads } = Files::of(arguments);
    let checking = Checking {
        model,
        transactions,
        guessed: match (model, &arguments.consistency) {
            (None, _) => Some("guessed from the operations"),
            (_, None) => Some("the consistency is guessed"),
            _ => None,
        },
        instead: invariant::instead(arguments)?,
        initial: arguments.initial.as_deref().map(initial),
        memory,
        threads,
        seconds: Duration::try_from_secs_f64(arguments.max_seconds)
            .map_err(|error| Trouble(format!("--max-seconds {}: {error}", arguments.max_seconds)))?,
    };
    let mut worst = Status::Held;
    in_order(
        &arguments.files,
        at_once,
        |file| told(&checking, file, json),
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

/// What several files share.
pub(super) struct Files {
    pub at_once: usize,
    /// Bytes, for each of them.
    pub memory: u64,
    /// For each of them.
    pub threads: usize,
}

impl Files {
    pub fn of(arguments: &CheckArguments) -> Files {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let at_once = cores.min(arguments.files.len()).max(1);
        let memory = arguments.max_memory.unwrap_or_else(half_the_machine);
        Files { at_once, memory: memory.as_u64() / at_once as u64, threads: cores / at_once }
    }
}

/// Does something with each file, several at once, and takes the answers in the order of the files.
pub(super) fn in_order<T: Send>(
    files: &[std::path::PathBuf],
    at_once: usize,
    work: impl Fn(&Path) -> T + Sync,
    mut take: impl FnMut(T),
) {
    if at_once == 1 {
        return files.iter().for_each(|file| take(work(file)));
    }
    let next = AtomicUsize::new(0);
    let (answers, answered) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            let answers = answers.clone();
            scope.spawn(|| {
                let answers = answers;
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(at) else { return };
                    if answers.send((at, work(file))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(answers);
        let mut early = BTreeMap::new();
        let mut due = 0;
        for (at, answer) in answered {
            early.insert(at, answer);
            while let Some(answer) = early.remove(&due) {
                take(answer);
                due += 1;
            }
        }
    });
}

/// Half of the memory that this process may use: of the machine, or of the control group that it runs in. Where the system does not
/// tell, 2 GiB.
fn half_the_machine() -> ByteSize {
    let Ok(mut system) = sysinfo::System::new() else { return ByteSize::gib(2) };
    system.refresh_memory();
    let group = system.cgroup_limits().map_or(u64::MAX, |limits| limits.total_memory);
    ByteSize(system.total_memory().min(group) / 2)
}

/// What was unreadable is graver than what is broken, and that than what is undecided.
pub(super) fn graver(one: Status, other: Status) -> Status {
    let gravity = |status| match status {
        Status::Held => 0,
        Status::Undecided => 1,
        Status::Broken => 2,
        Status::Bad => 3,
    };
    if gravity(other) > gravity(one) { other } else { one }
}

/// A value as it is typed: JSON, EDN's nil and keywords, or text.
pub(super) fn initial(text: &str) -> Value {
    fn value(json: serde_json::Value) -> Option<Value> {
        Some(match json {
            serde_json::Value::Null => Value::Nil,
            serde_json::Value::Bool(truth) => Value::Bool(truth),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(whole) => Value::Int(whole),
                None => Value::Decimal(format!("{:?}", number.as_f64()?).into()),
            },
            serde_json::Value::String(text) => Value::text(&text),
            serde_json::Value::Array(items) => Value::List(items.into_iter().map(value).collect::<Option<_>>()?),
            serde_json::Value::Object(_) => return None,
        })
    }
    if text == "nil" {
        return Value::Nil;
    }
    let json = serde_json::from_str(text).ok().and_then(value);
    json.unwrap_or_else(|| Value::text(text.strip_prefix(':').unwrap_or(text)))
}

/// What is asked of each file.
struct Checking {
    model: Option<ModelName>,
    /// Nothing if something else is asked for.
    transactions: Option<transactions::Asked>,
    /// What was not asked for.
    guessed: Option<&'static str>,
    /// What is asked of a file that fits no model.
    instead: Option<invariant::Asking>,
    initial: Option<Value>,
    /// Bytes, for one file.
    memory: u64,
    /// For one file.
    threads: usize,
    seconds: Duration,
}

struct Checked {
    file: String,
    /// Nothing, if reading it took too much memory or time.
    history: History,
    model: Option<ModelName>,
    guessed: Option<&'static str>,
    verdict: Verdict,
    unrecorded: usize,
    seconds: f64,
}

/// The text about one file, and how it ends.
fn told(checking: &Checking, file: &Path, json: bool) -> (Result<String, Trouble>, Status) {
    let text = |checked: &Checked| {
        if json { Ok(serde_json::to_string(&checked.line())?) } else { Ok(checked.text()) }
    };
    match one(checking, file, json) {
        Ok(Told::Object(checked)) => (text(&checked), checked.status()),
        Ok(Told::Transactions(text, status)) => (Ok(text), status),
        Err(trouble) => match checking.instead.as_ref().and_then(|asking| asking.instead(file, json)) {
            Some((text, status)) => (Ok(text), status),
            None => (Err(trouble), Status::Bad),
        },
    }
}

/// What came of one file.
enum Told {
    Object(Box<Checked>),
    Transactions(String, Status),
}

fn one(checking: &Checking, file: &Path, json: bool) -> Result<Told, Trouble> {
    let begun = Instant::now();
    let name = file.display().to_string();
    let deadline = begun.checked_add(checking.seconds);
    let checked = |history, model, verdict, unrecorded| Checked {
        file: name.clone(),
        history,
        model,
        guessed: checking.guessed,
        verdict,
        unrecorded,
        seconds: begun.elapsed().as_secs_f64(),
    };
    let history = match read_file_with(
        file,
        &ReadOptions { threads: checking.threads, max_bytes: Some(checking.memory), deadline },
    ) {
        Ok(history) => history,
        Err(over @ ReadError::OverBudget { .. }) => {
            let unknown = Verdict::Unknown(Undecided { reason: over.to_string() });
            return Ok(Told::Object(Box::new(checked(History::default(), checking.model, unknown, 0))));
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(asked) = &checking.transactions
        && let Some((text, status)) = asked.told(file, &history, begun, json)?
    {
        return Ok(Told::Transactions(text, status));
    }
    let model = match checking.model {
        Some(model) => model,
        // Of a history in which nothing was done, every model says the same.
        None if history.is_empty() => ModelName::Register,
        None => ModelName::fit(&history).map_err(|missing| Trouble(format!("{name}: {missing}")))?,
    };
    let initial = checking.initial.as_ref();
    let rest = checking.memory.saturating_sub(history.bytes() as u64);
    let budget = Budget { configurations: u64::MAX, bytes: Some(rest), deadline, threads: Some(checking.threads) };
    let verdict = linearizability::check(&history, model, initial, budget)
        .map_err(|error| Trouble(format!("{name}: {error}")))?;
    let unrecorded = linearizability::unrecorded_reads(&history, model, initial);
    Ok(Told::Object(Box::new(checked(history, Some(model), verdict, unrecorded))))
}

#[derive(Serialize)]
pub(super) struct Line<'a> {
    pub(super) schema: &'static str,
    pub(super) file: &'a str,
    pub(super) model: Option<&'a str>,
    pub(super) consistency: &'static str,
    pub(super) verdict: &'static str,
    pub(super) operations: usize,
    pub(super) seconds: f64,
    pub(super) anomalies: Vec<AnomalyLine<'a>>,
    pub(super) ruled_out: Vec<&'static str>,
    pub(super) strongest: Vec<&'static str>,
    pub(super) undecided: Option<&'a str>,
    pub(super) unrecorded_reads: usize,
    pub(super) guessed: bool,
}

/// An anomaly for machines: operations by index.
#[derive(Serialize)]
pub(super) struct AnomalyLine<'a> {
    name: &'static str,
    operations: Vec<u64>,
    sentence: &'a str,
    why: &'a [String],
    sources: Vec<u64>,
    #[serde(flatten)]
    explanation: ExplanationRecord,
}

impl<'a> AnomalyLine<'a> {
    pub(super) fn of(anomaly: &'a Anomaly, consistency: &str, history: &History) -> AnomalyLine<'a> {
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
        let anomalies =
            self.verdict.anomalies().iter().map(|anomaly| AnomalyLine::of(anomaly, LINEARIZABLE, &self.history));
        Line {
            schema: "shakedown/verdict/1",
            file: &self.file,
            model: self.model.map(ModelName::name),
            consistency: LINEARIZABLE,
            verdict: self.verdict.word(),
            operations: self.history.len(),
            seconds: self.seconds,
            anomalies: anomalies.collect(),
            ruled_out: on("invalid"),
            strongest: on("valid"),
            undecided: match &self.verdict {
                Verdict::Unknown(undecided) => Some(&undecided.reason),
                _ => None,
            },
            unrecorded_reads: self.unrecorded,
            guessed: self.guessed.is_some(),
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![format!("{}: {}", self.file, self.verdict.word())];
        if let (Some(guessed), Some(model)) = (self.guessed, self.model) {
            lines.push(format!("  checked as {}, {LINEARIZABLE} ({guessed})", model.name()));
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
        if let Verdict::Unknown(undecided) = &self.verdict {
            lines.push(super::report::wrapped(&undecided.reason));
        }
        let anomalies = self.verdict.anomalies();
        lines.extend(anomalies.iter().take(SHOWN).map(|anomaly| super::report::anomaly(&self.history, anomaly)));
        if anomalies.len() > SHOWN {
            lines.push(format!("  and {} more on other keys: --format json has all", anomalies.len() - SHOWN));
        }
        lines.join("\n")
    }
}

/// So many anomalies are told in full.
pub(super) const SHOWN: usize = 3;
