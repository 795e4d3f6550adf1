//! What `shakedown check` is asked, and what it asks of each history.

use std::path::Path;

use clap::Args;
use shakedown_checkers::check::{DoesNotFit, Unclear};
use shakedown_checkers::invariants::{self, Invariant};
use shakedown_checkers::transactions::{self, Workload};
use shakedown_checkers::{Budget, Consistency, History, Level, ModelName, Subject, Value, check};

use super::told::Told;
use crate::cli::{CheckArguments, CliError, unknown};

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
pub(super) struct Question {
    subject: Option<Subject>,
    consistency: Option<Consistency>,
    initial: Option<Value>,
    transactions: transactions::Options,
    invariants: invariants::Options,
}

impl Question {
    pub fn of(arguments: &CheckArguments) -> Result<Question, CliError> {
        let consistency = arguments.consistency.as_deref().map(consistency).transpose()?;
        let subject = arguments.model.as_deref().map(|name| subject(name, consistency)).transpose()?;
        let told = &arguments.invariants;
        let question = Question {
            subject,
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
        if let Some(subject) = subject {
            question.about(subject, true).check().map_err(|error| misfit(&error))?;
        }
        Ok(question)
    }

    /// What was not asked and had to be guessed, in words.
    pub fn guessed(&self) -> Option<&'static str> {
        match (self.subject, self.consistency) {
            (None, _) => Some("guessed from the operations"),
            (_, None) => Some("the consistency is guessed"),
            _ => None,
        }
    }

    /// The model's name, if it was asked for.
    pub fn model(&self) -> Option<&'static str> {
        self.subject.map(Subject::name)
    }

    /// What was asked for; where nothing was, what is most likely meant.
    pub fn consistency(&self) -> Consistency {
        let usual = self.subject.map_or(Consistency::Level(Level::Linearizable), |subject| subject.usual(true));
        self.consistency.unwrap_or(usual)
    }

    /// The whole of it, of a history about this.
    fn about(&self, subject: Subject, has_real_time: bool) -> check::Question {
        check::Question {
            initial: self.initial.clone(),
            transactions: self.transactions,
            invariants: self.invariants.clone(),
            ..check::Question::new(subject, self.consistency.unwrap_or(subject.usual(has_real_time)))
        }
    }

    /// Holds a history against it.
    pub fn answer(&self, file: &Path, history: History, budget: Budget) -> Result<Told, CliError> {
        let name = file.display();
        let trouble = |CliError(error)| CliError(format!("{name}: {error}"));
        let guessed = || Subject::guess(&history, self.consistency).map_err(|error| trouble(unclear(&error)));
        let subject = self.subject.map_or_else(guessed, Ok)?;
        let question = self.about(subject, history.has_real_time());
        let answer = check::check(&history, &question, &budget).map_err(|error| trouble(misfit(&error)))?;
        Ok(Told {
            file: name.to_string(),
            history,
            model: Some(subject.name()),
            consistency: question.consistency,
            guessed: self.guessed(),
            answer,
            seconds: 0.0,
        })
    }
}

fn misfit(error: &DoesNotFit) -> CliError {
    CliError(match error {
        DoesNotFit::NotDecided(subject, consistency) => {
            let (name, found) = (subject.name(), consistency.name());
            format!("{found} is not decided of {name}: expected --consistency {}", subject.decided())
        }
        DoesNotFit::Initial(workload) => {
            format!("--initial: registers and lists of {} are empty at first: expected none", workload.name())
        }
        error => error.to_string(),
    })
}

fn unclear(error: &Unclear) -> CliError {
    CliError(match error {
        Unclear::Invariant => {
            let names: Vec<&str> = Invariant::ALL.iter().map(|invariant| invariant.name()).collect();
            format!("{error}: expected --model {}", names.join(", "))
        }
        Unclear::Transactions => format!("{error}: expected --model list-append or rw-register"),
        Unclear::Objects(_) => error.to_string(),
    })
}

fn consistency(name: &str) -> Result<Consistency, CliError> {
    Consistency::from_name(name).ok_or_else(|| unknown("consistency", name, &Consistency::names()))
}

/// What a model's name stands for, which what is asked of it may decide: a set is an object, and has an invariant.
fn subject(name: &str, consistency: Option<Consistency>) -> Result<Subject, CliError> {
    let workload = || Workload::from_name(name).map(Subject::Transactions);
    let objects = || ModelName::from_name(name).map(Subject::Objects);
    let invariant = || Invariant::from_name(name).map(Subject::Invariant);
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
