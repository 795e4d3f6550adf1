//! What `shakedown check` is asked, and what it asks of each history.

use std::path::Path;

use clap::Args;
use shakedown_checkers::fingerprint::{self, Subject};
use shakedown_checkers::invariants::{self, Invariant};
use shakedown_checkers::transactions::{self, Workload};
use shakedown_checkers::{
    Budget, Fingerprint, History, Level, ModelName, Value, Verdict, causal, convergence, linearizability,
};

use super::answer::Answer;
use crate::cli::{CheckArguments, Trouble, unknown};

pub(super) const INVARIANT: &str = "invariant";
pub(super) const FINGERPRINT: &str = "fingerprint";

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

/// What a history is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Subject(Subject),
    Invariant(Invariant),
}

impl About {
    fn objects(model: ModelName) -> About {
        About::Subject(Subject::Objects(model))
    }

    fn transactions(workload: Workload) -> About {
        About::Subject(Subject::Transactions(workload))
    }

    fn name(self) -> &'static str {
        match self {
            About::Subject(Subject::Objects(model)) => model.name(),
            About::Subject(Subject::Transactions(workload)) => workload.name(),
            About::Invariant(invariant) => invariant.name(),
        }
    }

    /// What is asked of it where nothing is.
    fn usual(self, has_real_time: bool) -> Consistency {
        match self {
            About::Subject(Subject::Objects(_)) => Consistency::Level(Level::Linearizable),
            About::Subject(Subject::Transactions(_)) if !has_real_time => {
                Consistency::Level(Level::StrongSessionSerializable)
            }
            About::Subject(Subject::Transactions(_)) => Consistency::Level(Level::StrictSerializable),
            About::Invariant(_) => Consistency::Invariant,
        }
    }

    /// Whether that can be decided of it.
    fn allows(self, consistency: Consistency) -> bool {
        match (self, consistency) {
            (About::Subject(_), Consistency::Fingerprint) | (About::Invariant(_), Consistency::Invariant) => true,
            (About::Subject(Subject::Objects(model)), Consistency::Level(level)) => {
                matches!(level, Level::Linearizable | Level::Eventual)
                    || is_register(model) && causal::DECIDED.contains(&level)
            }
            (About::Subject(Subject::Transactions(workload)), Consistency::Level(level)) => {
                level.is_transactional() || workload == Workload::RwRegister && causal::DECIDED.contains(&level)
            }
            // A long fork is what this level allows: it is asked for under that name too.
            (About::Invariant(invariant), Consistency::Level(level)) => {
                invariant == Invariant::LongFork && level == Level::ParallelSnapshotIsolation
            }
            _ => false,
        }
    }

    /// What can be decided of it, in words.
    fn allowed(self) -> &'static str {
        match self {
            About::Subject(Subject::Objects(model)) if is_register(model) => {
                "linearizable, sequential, one of the causal family or the session guarantees, eventual, or fingerprint"
            }
            About::Subject(Subject::Objects(_)) => "linearizable, eventual or fingerprint",
            About::Subject(Subject::Transactions(Workload::ListAppend)) => {
                "a level of transactions, such as serializable, or fingerprint"
            }
            About::Subject(Subject::Transactions(Workload::RwRegister)) => {
                "a level of transactions, such as serializable, one of the causal family, or fingerprint"
            }
            About::Invariant(_) => INVARIANT,
        }
    }
}

fn is_register(model: ModelName) -> bool {
    matches!(model, ModelName::Register | ModelName::CasRegister | ModelName::Kv)
}

/// What it is held against.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Consistency {
    Level(Level),
    Invariant,
    Fingerprint,
}

impl Consistency {
    fn from_name(name: &str) -> Result<Consistency, Trouble> {
        match (name, Level::from_name(name)) {
            (INVARIANT, _) => Ok(Consistency::Invariant),
            (FINGERPRINT, _) => Ok(Consistency::Fingerprint),

            (_, Some(level)) => Ok(Consistency::Level(level)),
            (_, None) => {
                let levels = Level::ALL.iter().map(|level| level.name());
                let names: Vec<&str> = levels.chain([INVARIANT, FINGERPRINT]).collect();
                Err(unknown("consistency", name, &names))
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Consistency::Level(level) => level.name(),
            Consistency::Invariant => INVARIANT,
            Consistency::Fingerprint => FINGERPRINT,
        }
    }
}

/// What is asked of each file.
pub(super) struct Question {
    about: Option<About>,
    consistency: Option<Consistency>,
    initial: Option<Value>,
    transactions: transactions::Options,
    invariants: invariants::Options,
}

impl Question {
    pub fn of(arguments: &CheckArguments) -> Result<Question, Trouble> {
        let consistency = arguments.consistency.as_deref().map(Consistency::from_name).transpose()?;
        let about = arguments.model.as_deref().map(|name| about(name, consistency)).transpose()?;
        let told = &arguments.invariants;
        let question = Question {
            about,
            consistency,
            initial: arguments.initial.as_deref().map(value),
            transactions: transactions::Options {
                linearizable_keys: arguments.linearizable_keys,
                sequential_keys: arguments.sequential_keys,
                wfr_keys: arguments.wfr_keys,
            },
            invariants: invariants::Options {
                initial: arguments.initial.as_deref().and_then(|number| number.parse().ok()),
                total: told.total,
                accounts: None,
                negative_balances: told.negative_balances,
                linearizable: told.linearizable,
                duplicates: told.duplicates,
                max_versions: told.max_versions,
                max_nanoseconds: told.max_staleness.map(|milliseconds| milliseconds.saturating_mul(1_000_000)),
            },
        };
        if let Some(about) = about {
            question.consistency_of(about, true)?;
        }
        Ok(question)
    }

    /// What was not asked and had to be guessed, in words.
    pub fn guessed(&self) -> Option<&'static str> {
        match (self.about, self.consistency) {
            (None, _) => Some("guessed from the operations"),
            (_, None) => Some("the consistency is guessed"),
            _ => None,
        }
    }

    /// The model's name, if it was asked for.
    pub fn model(&self) -> Option<&'static str> {
        self.about.map(About::name)
    }

    /// The name of what was asked for; where nothing was, of what is most likely meant.
    pub fn consistency(&self) -> &'static str {
        let usual = self.about.map_or(Consistency::Level(Level::Linearizable), |about| about.usual(true));
        self.consistency.unwrap_or(usual).name()
    }

    fn consistency_of(&self, about: About, has_real_time: bool) -> Result<Consistency, Trouble> {
        let consistency = self.consistency.unwrap_or(about.usual(has_real_time));
        let is_nil = self.initial.as_ref().is_none_or(|initial| *initial == Value::Nil);
        if let (About::Subject(Subject::Transactions(workload)), false) = (about, is_nil) {
            let name = workload.name();
            return Err(Trouble(format!("--initial: registers and lists of {name} are empty at first: expected none")));
        }
        if about.allows(consistency) {
            return Ok(consistency);
        }
        let (name, found) = (about.name(), consistency.name());
        Err(Trouble(format!("{found} is not decided of {name}: expected --consistency {}", about.allowed())))
    }

    /// Holds a history against it.
    pub fn answer(&self, file: &Path, history: History, budget: Budget) -> Result<Answer, Trouble> {
        let name = file.display();
        let trouble = |error: &dyn std::fmt::Display| Trouble(format!("{name}: {error}"));
        let about = match self.about {
            Some(about) => about,
            None => self.guess(&history).map_err(|error| trouble(&error.0))?,
        };
        let consistency = self.consistency_of(about, history.has_real_time()).map_err(|error| trouble(&error.0))?;
        let initial = self.initial.as_ref();
        let mut answer = Answer::of(file, self, history, about.name(), consistency.name());
        let history = &answer.history;
        match (about, consistency) {
            (About::Invariant(invariant), _) => {
                let report = invariants::judge(history, invariant, &self.invariants).map_err(|e| trouble(&e))?;
                answer.figures = report.figures;
                answer.verdict = report.verdict;
            }
            (About::Subject(subject), Consistency::Fingerprint) => {
                let taken = fingerprint::take(history, subject, initial, &self.transactions, budget);
                answer.take(taken.map_err(|e| trouble(&e))?);
            }
            (About::Subject(Subject::Objects(model)), Consistency::Level(Level::Linearizable)) => {
                let verdict = linearizability::check(history, model, initial, budget).map_err(|e| trouble(&e))?;
                answer.unrecorded = linearizability::unrecorded_reads(history, model, initial);
                answer.rank(Level::Linearizable, verdict);
            }
            (About::Subject(Subject::Objects(_)), Consistency::Level(Level::Eventual)) => {
                answer.rank(Level::Eventual, convergence::check(history, initial, convergence::after_faults(history)));
            }
            (About::Subject(Subject::Transactions(workload)), Consistency::Level(level))
                if level.is_transactional() =>
            {
                let options = &self.transactions;
                let analysis =
                    transactions::analyse_for(history, workload, level, options, &budget).map_err(|e| trouble(&e))?;
                answer.verdict = analysis.verdict(level);
                // Where sessions are all that orders anything, what they saw decides: causal convergence must hold where it is implied.
                let implied = Level::CausalConvergence;
                let is_implied = workload == Workload::RwRegister && level.implies(implied) && !history.has_real_time();
                if is_implied && answer.verdict == Verdict::Valid {
                    let sessions = causal::check(history, implied, initial, budget).map_err(|e| trouble(&e))?;
                    if let Verdict::Invalid(_) = sessions {
                        let mut known = Fingerprint::default();
                        known.add_analysis(history, &analysis);
                        known.add(implied, sessions.clone());
                        answer.ruled_out = known.ruled_out();
                        answer.strongest = known.strongest();
                        answer.verdict = sessions;
                        return Ok(answer);
                    }
                }
                answer.ruled_out = analysis.ruled_out;
                answer.strongest = analysis.strongest;
            }
            (About::Subject(_), Consistency::Level(level)) => {
                let verdict = causal::check(history, level, initial, budget).map_err(|e| trouble(&e))?;
                answer.rank(level, verdict);
            }
            (About::Subject(_), Consistency::Invariant) => unreachable!("it is not allowed"),
        }
        Ok(answer)
    }

    fn guess(&self, history: &History) -> Result<About, Trouble> {
        let transactions = || Workload::guess(history).map(About::transactions);
        let invariant = || Invariant::guess(history).map(About::Invariant);
        match self.consistency {
            Some(Consistency::Invariant) => invariant().ok_or_else(|| {
                let names: Vec<&str> = Invariant::ALL.iter().map(|invariant| invariant.name()).collect();
                Trouble(format!("which invariant it is for is not clear: expected --model {}", names.join(", ")))
            }),
            Some(Consistency::Level(level)) if level.is_transactional() => match transactions() {
                Some(about) => Ok(about),
                None if history.is_empty() => Ok(About::transactions(Workload::ListAppend)),
                None => Err(Trouble(
                    "no transaction appends or writes: expected --model list-append or rw-register".to_owned(),
                )),
            },
            Some(Consistency::Level(level)) if level != Level::Linearizable => Ok(match transactions() {
                Some(about) => about,
                None => About::objects(ModelName::Kv),
            }),
            // Of a history in which nothing was done, every model says the same.
            _ if history.is_empty() => Ok(About::objects(ModelName::Register)),
            Some(Consistency::Level(_)) => transactions().map_or_else(|| objects(history), Ok),
            Some(Consistency::Fingerprint) => transactions().map_or_else(|| objects(history), Ok),
            None => {
                let before = || Invariant::guess_before_models(history).map(About::Invariant);
                let some = transactions().or_else(before).or_else(|| objects(history).ok()).or_else(invariant);
                some.map_or_else(|| objects(history), Ok)
            }
        }
    }
}

fn objects(history: &History) -> Result<About, Trouble> {
    ModelName::fit(history).map(About::objects).map_err(|missing| Trouble(missing.to_string()))
}

/// What a model's name stands for, which what is asked of it may decide: a set is an object, and has an invariant.
fn about(name: &str, consistency: Option<Consistency>) -> Result<About, Trouble> {
    let workload = || Workload::from_name(name).map(About::transactions);
    let objects = || ModelName::from_name(name).map(About::objects);
    let invariant = || Invariant::from_name(name).map(About::Invariant);
    let found = match consistency {
        Some(Consistency::Invariant) => invariant().or_else(workload).or_else(objects),
        _ => workload().or_else(objects).or_else(invariant),
    };
    found.ok_or_else(|| {
        let objects = ModelName::ALL.iter().map(|model| model.name());
        let others = Workload::ALL.iter().map(|workload| workload.name());
        let invariants = Invariant::ALL.iter().map(|invariant| invariant.name());
        let mut names: Vec<&str> = Vec::new();
        for name in objects.chain(others).chain(invariants) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        unknown("model", name, &names)
    })
}

/// A value as it is typed: JSON, EDN's nil and keywords, or text.
fn value(text: &str) -> Value {
    fn of(json: serde_json::Value) -> Option<Value> {
        Some(match json {
            serde_json::Value::Null => Value::Nil,
            serde_json::Value::Bool(truth) => Value::Bool(truth),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(whole) => Value::Int(whole),
                None => Value::Decimal(format!("{:?}", number.as_f64()?).into()),
            },
            serde_json::Value::String(text) => Value::text(&text),
            serde_json::Value::Array(items) => Value::List(items.into_iter().map(of).collect::<Option<_>>()?),
            serde_json::Value::Object(_) => return None,
        })
    }
    if text == "nil" {
        return Value::Nil;
    }
    let json = serde_json::from_str(text).ok().and_then(of);
    json.unwrap_or_else(|| Value::text(text.strip_prefix(':').unwrap_or(text)))
}
