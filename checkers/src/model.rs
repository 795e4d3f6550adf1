//! Sequential specifications: what an object may answer when operations come one at a time.
//!
//! ```text
//!   Model: initial() ──► state ──step(call)──► state ──step(call)──► None: the object would never answer so
//! ```
//!
//! A checker asks for an order of the operations of a history in which every step is legal. [`ModelName`] lists the models that
//! come with the crate; [`Model`] is what to write for an object of your own.

mod counter;
mod fifo_queue;
mod fit;
mod multi_register;
mod mutex;
mod name;
mod owned_mutex;
mod priority_queue;
mod semaphore;
pub(crate) mod set;
mod stack;
mod string_kv;
mod unordered_queue;

use std::fmt::Debug;
use std::hash::Hash;

use thiserror::Error;

use crate::History;
use crate::history::{Operation, Outcome, Value};

pub use counter::Counter;
pub use fifo_queue::FifoQueue;
pub(crate) use fifo_queue::is_empty_answer;
pub use fit::NoModel;
pub use multi_register::MultiRegister;
pub use mutex::Mutex;
pub use name::ModelName;
pub use owned_mutex::OwnedMutex;
pub use priority_queue::PriorityQueue;
pub use semaphore::Semaphore;
pub use set::Set;
pub use stack::{Pile, Stack};
pub use string_kv::StringKv;
pub use unordered_queue::UnorderedQueue;

/// One operation, as a model sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Call<'a> {
    /// Who asks; 0 for everybody where the model does not distinguish them ([`Model::distinguishes_processes`]).
    pub process: u32,
    /// What is asked for.
    pub function: &'a str,
    /// With what.
    pub argument: &'a Value,
    /// What was answered; `None` where nobody knows (`info`), which any answer satisfies.
    pub result: Option<&'a Value>,
}

impl<'a> Call<'a> {
    /// An operation of a history, as this model sees it.
    pub fn of<M: Model + ?Sized>(operation: Operation<'a>, model: &M) -> Call<'a> {
        let result = (operation.outcome() == Outcome::Ok).then(|| operation.result());
        let process = if model.distinguishes_processes() { operation.process() } else { 0 };
        Call { process, function: operation.function(), argument: operation.argument(), result }
    }
}

/// A sequential specification of one object. Two functions are enough:
///
/// ```
/// use shakedown_checkers::model::{Call, Model};
/// use shakedown_checkers::{Budget, Value, history, linearizability};
///
/// /// A cell that keeps the first value that is put into it.
/// struct WriteOnce;
///
/// impl Model for WriteOnce {
///     type State = Value;
///     fn initial(&self) -> Value {
///         Value::Nil
///     }
///     fn step(&self, state: &Value, call: Call<'_>) -> Option<Value> {
///         match call.function {
///             "put" if *state == Value::Nil => Some(call.argument.clone()),
///             "put" => Some(state.clone()),
///             "get" => call.result.is_none_or(|answer| answer == state).then(|| state.clone()),
///             _ => None,
///         }
///     }
/// }
///
/// let text = r#"
/// {"process":0,"type":"invoke","f":"put","value":1}
/// {"process":1,"type":"invoke","f":"put","value":2}
/// {"process":0,"type":"ok","f":"put","value":1}
/// {"process":1,"type":"ok","f":"put","value":2}
/// {"process":0,"type":"invoke","f":"get","value":null}
/// {"process":0,"type":"ok","f":"get","value":2}
/// {"process":1,"type":"invoke","f":"get","value":null}
/// {"process":1,"type":"ok","f":"get","value":1}
/// "#;
/// let history = history::read("cell.jsonl", text.as_bytes())?;
/// let verdict = linearizability::check_with(&history, &WriteOnce, Budget::default())?;
/// assert_eq!(verdict.word(), "invalid");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// **Where the outcome is not known.** An operation with `result: None` may have answered anything, so it leads to every state that
/// some answer leads to. `step` gives one: where there are several, the state holds back what is not decided yet, and decides
/// it when a later answer shows it. [`UnorderedQueue`] does so for an element that somebody may have taken, [`OwnedMutex`] for a
/// token that nobody saw.
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

    /// Whether the call leaves every state as it is in which it is legal. It need not be said, but it makes the search faster.
    fn observes(&self, call: Call<'_>) -> bool {
        let _ = call;
        false
    }

    /// A state in words, for explanations.
    fn describe(&self, state: &Self::State) -> String {
        format!("{state:?}")
    }

    /// How many bytes a state holds beyond its own size: a search that runs out of memory must know.
    fn heap_bytes(&self, state: &Self::State) -> usize {
        let _ = state;
        0
    }

    /// Whether it matters which process asks.
    fn distinguishes_processes(&self) -> bool {
        false
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

impl DoesNotFit {
    /// What is wrong with a history that has no order in real time, where one is asked for.
    pub(crate) fn without_real_time(history: &History) -> Option<DoesNotFit> {
        let first = history.operations().next().filter(|_| !history.has_real_time())?;
        Some(DoesNotFit {
            index: first.index(),
            function: first.function().to_owned(),
            model: "linearizable".to_owned(),
            problem: "the history holds completions without invocations, and so no order in real time".to_owned(),
        })
    }

    /// The first operation of a history that a model refuses.
    pub(crate) fn first<M: Model>(history: &History, model: &M) -> Option<DoesNotFit> {
        history.operations().find_map(|operation| {
            let problem = model.refuses(Call::of(operation, model))?;
            Some(DoesNotFit {
                index: operation.index(),
                function: operation.function().to_owned(),
                model: std::any::type_name::<M>().rsplit("::").next().unwrap_or_default().to_owned(),
                problem,
            })
        })
    }
}
