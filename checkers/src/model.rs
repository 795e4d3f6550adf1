//! Sequential specifications: what an object may answer when operations come one at a time.

mod multi_register;
mod mutex;
mod string_kv;

use std::fmt::Debug;
use std::hash::Hash;

use thiserror::Error;

use crate::history::{Operation, Outcome, Value};

pub use multi_register::MultiRegister;
pub use mutex::Mutex;
pub use string_kv::StringKv;

/// One operation, as a model sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Call<'a> {
    /// What is asked for.
    pub function: &'a str,
    /// With what.
    pub argument: &'a Value,
    /// What was answered; `None` where nobody knows (`info`), which any answer satisfies.
    pub result: Option<&'a Value>,
}

impl<'a> Call<'a> {
    /// An operation of a history.
    pub fn of(operation: Operation<'a>) -> Call<'a> {
        let result = (operation.outcome() == Outcome::Ok).then(|| operation.result());
        Call { function: operation.function(), argument: operation.argument(), result }
    }
}

/// A sequential specification of one object.
///
/// ```
/// use shakedown_checkers::model::{Call, Model};
/// use shakedown_checkers::history::Value;
///
/// /// A counter that only goes up, by one at a time.
/// struct Counter;
///
/// impl Model for Counter {
///     type State = i64;
///     fn initial(&self) -> i64 { 0 }
///     fn step(&self, state: &i64, call: Call<'_>) -> Option<i64> {
///         match call.function {
///             "increment" => Some(state + 1),
///             "read" => call.result.is_none_or(|answer| *answer == Value::Int(*state)).then_some(*state),
///             _ => None,
///         }
///     }
/// }
/// ```
pub trait Model {
    /// Everything that the object remembers.
    type State: Clone + Eq + Hash + Debug;

    /// The state before the first operation.
    fn initial(&self) -> Self::State;

    /// The state after the call, or `None` if the object would never answer so.
    fn step(&self, state: &Self::State, call: Call<'_>) -> Option<Self::State>;

    /// Why the model cannot judge this operation at all, if it cannot.
    fn refuses(&self, call: Call<'_>) -> Option<String> {
        let _ = call;
        None
    }
}

/// The models that have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelName {
    /// A register with `read` and `write`.
    Register,
    /// A register with `read`, `write` and `cas`, whose argument is `[expected new]`.
    CasRegister,
    /// Registers with `read`, `write` and `cas`, one for each key.
    Kv,
    /// Strings with `get`, `put` and `append`, one for each key, empty at first.
    StringKv,
    /// Several registers, read and written together by `txn`.
    MultiRegister,
    /// A lock with `acquire` and `release`.
    Mutex,
}

impl ModelName {
    /// All of them, in the order in which they are listed.
    pub const ALL: [ModelName; 6] = [
        ModelName::Register,
        ModelName::CasRegister,
        ModelName::Kv,
        ModelName::StringKv,
        ModelName::MultiRegister,
        ModelName::Mutex,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            ModelName::Register => "register",
            ModelName::CasRegister => "cas-register",
            ModelName::Kv => "kv",
            ModelName::StringKv => "string-kv",
            ModelName::MultiRegister => "multi-register",
            ModelName::Mutex => "mutex",
        }
    }

    /// One line about it.
    pub fn summary(self) -> &'static str {
        match self {
            ModelName::Register => "one register: read, write",
            ModelName::CasRegister => "one register: read, write, cas [expected new]",
            ModelName::Kv => "a register for each key: read, write, cas",
            ModelName::StringKv => "a string for each key, empty at first: get, put, append",
            ModelName::MultiRegister => "several registers in one object: txn [[read x 1] [write y 2]]",
            ModelName::Mutex => "a lock: acquire, release",
        }
    }

    /// The model with this name.
    pub fn from_name(name: &str) -> Option<ModelName> {
        ModelName::ALL.into_iter().find(|model| model.name() == name)
    }

    /// The functions that the model knows.
    pub fn functions(self) -> &'static [&'static str] {
        match self {
            ModelName::Register => &["read", "write"],
            ModelName::CasRegister | ModelName::Kv => &["read", "write", "cas"],
            ModelName::StringKv => &["get", "put", "append"],
            ModelName::MultiRegister => &["txn", "read", "write"],
            ModelName::Mutex => &["acquire", "release"],
        }
    }

    /// The model that fits the functions of a history, if one does.
    pub fn guess(history: &crate::History) -> Option<ModelName> {
        let mut functions: Vec<&str> = history.operations().map(Operation::function).collect();
        functions.sort_unstable();
        functions.dedup();
        let keyed = history.operations().any(|operation| operation.key().is_some());
        let fits = |model: &ModelName| functions.iter().all(|f| model.functions().contains(f));
        let candidates: &[ModelName] = if keyed {
            &[ModelName::Kv, ModelName::StringKv]
        } else {
            &[
                ModelName::Register,
                ModelName::CasRegister,
                ModelName::Mutex,
                ModelName::StringKv,
                ModelName::MultiRegister,
            ]
        };
        candidates.iter().copied().find(fits)
    }
}

/// A history that a model cannot judge.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("operation #{index} ({function}) does not fit the model {model}: {problem}")]
pub struct DoesNotFit {
    /// The index of the operation.
    pub index: u64,
    /// Its function.
    pub function: String,
    /// The model.
    pub model: String,
    /// What was found, and what was expected.
    pub problem: String,
}
