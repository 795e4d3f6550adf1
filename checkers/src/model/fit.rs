//! From the operations of a history to the model that they are for.

use rustc_hash::FxHashMap;
use thiserror::Error;

use crate::History;
use crate::history::{Operation, Outcome, Value, ValueId};

use super::ModelName;

/// No model knows all the functions of a history.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoModel {
    /// There is nothing to guess from.
    #[error("there is no operation to guess a model from")]
    Empty,
    /// Some functions are known to no model that knows the others.
    #[error(
        "no model knows the function{} {} beside the others; nearest: {} knows {}",
        if .unknown.len() == 1 { "" } else { "s" },
        listed(.unknown),
        .nearest.name(),
        .nearest.functions().join(", ")
    )]
    Unknown {
        /// What the nearest model does not know, sorted.
        unknown: Vec<String>,
        /// The model that knows the most operations.
        nearest: ModelName,
    },
    /// The reads of a set give lists, those of a counter numbers: these give both.
    #[error("reads answered lists as of a set, and numbers as of a counter: a model has to be named")]
    Both,
}

/// Names, of more than eight the first six.
fn listed(names: &[String]) -> String {
    let quoted = |name: &String| format!("`{name}`");
    match names.len() {
        0..=8 => names.iter().map(quoted).collect::<Vec<_>>().join(", "),
        many => format!("{} and {} more", names[..6].iter().map(quoted).collect::<Vec<_>>().join(", "), many - 6),
    }
}

/// The candidates for a history without keys, the plainest first.
const PLAIN: [ModelName; 10] = [
    ModelName::Register,
    ModelName::CasRegister,
    ModelName::Mutex,
    ModelName::StringKv,
    ModelName::MultiRegister,
    ModelName::FifoQueue,
    ModelName::Stack,
    ModelName::PriorityQueue,
    ModelName::Set,
    ModelName::Counter,
];

/// The candidates for a history with keys.
const KEYED: [ModelName; 8] = [
    ModelName::Kv,
    ModelName::StringKv,
    ModelName::Mutex,
    ModelName::FifoQueue,
    ModelName::Stack,
    ModelName::PriorityQueue,
    ModelName::Set,
    ModelName::Counter,
];

pub(super) fn fit(history: &History) -> Result<ModelName, NoModel> {
    if history.is_empty() {
        return Err(NoModel::Empty);
    }
    // By their interned names first: a history has few functions, and may have millions of operations.
    let mut counts: FxHashMap<ValueId, usize> = FxHashMap::default();
    let mut keyed = false;
    for operation in history.operations() {
        keyed |= operation.key_id().is_some();
        *counts.entry(operation.function_id()).or_default() += 1;
    }
    let name = |id: ValueId| match history.value(id) {
        Value::Text(name) => &**name,
        _ => "",
    };
    let counted: Vec<(&str, usize)> = counts.into_iter().map(|(id, count)| (name(id), count)).collect();
    let candidates: &[ModelName] = if keyed { &KEYED } else { &PLAIN };
    let known = |model: ModelName, function: &str| model.functions().contains(&function);
    let fits = |model: &ModelName| counted.iter().all(|(function, _)| known(*model, function));
    match candidates.iter().copied().find(fits) {
        Some(ModelName::Mutex) if answers(history, "acquire").any(|token| matches!(token, Value::Int(_))) => {
            Ok(ModelName::FencedMutex)
        }
        Some(ModelName::Set) if fits(&ModelName::Counter) => set_or_counter(history),
        Some(model) => Ok(model),
        None => {
            let judged = |model: &ModelName| -> usize {
                counted.iter().filter(|(function, _)| known(*model, function)).map(|(_, count)| count).sum()
            };
            // Of equals the first: `max_by_key` gives the last.
            let nearest = candidates.iter().copied().rev().max_by_key(judged).unwrap_or(ModelName::Register);
            let mut unknown: Vec<String> = counted
                .iter()
                .filter(|(function, _)| !known(nearest, function))
                .map(|(function, _)| (*function).to_owned())
                .collect();
            unknown.sort_unstable();
            Err(NoModel::Unknown { unknown, nearest })
        }
    }
}

/// Both have `add` and `read`.
fn set_or_counter(history: &History) -> Result<ModelName, NoModel> {
    let lists = answers(history, "read").any(|answer| matches!(answer, Value::List(_) | Value::Map(_)));
    let numbers = answers(history, "read").any(|answer| matches!(answer, Value::Int(_)));
    match (lists, numbers) {
        (true, true) => Err(NoModel::Both),
        (_, false) => Ok(ModelName::Set),
        (false, true) => Ok(ModelName::Counter),
    }
}

fn answers<'a>(history: &'a History, function: &'a str) -> impl Iterator<Item = &'a Value> {
    let answered =
        move |operation: &Operation<'_>| operation.outcome() == Outcome::Ok && operation.function() == function;
    history.operations().filter(answered).map(Operation::result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::read;

    fn fitted(operations: &[(&str, &str)]) -> Result<ModelName, NoModel> {
        let line = |(function, value): &(&str, &str)| {
            ["invoke", "ok"]
                .map(|kind| format!(r#"{{"process":0,"type":"{kind}","f":"{function}","value":{value}}}"#))
                .join("\n")
        };
        let text: Vec<String> = operations.iter().map(line).collect();
        fit(&read("test", text.join("\n").as_bytes()).expect("it is a history"))
    }

    #[test]
    fn functions_tell_the_model() {
        assert_eq!(fitted(&[("enqueue", "1"), ("dequeue", "1")]), Ok(ModelName::FifoQueue));
        assert_eq!(fitted(&[("push", "1"), ("pop", "null")]), Ok(ModelName::Stack));
        assert_eq!(fitted(&[("insert", "3"), ("delete-min", "3")]), Ok(ModelName::PriorityQueue));
        assert_eq!(fitted(&[("acquire", "null"), ("release", "null")]), Ok(ModelName::Mutex));
        assert_eq!(fitted(&[("increment", "null"), ("read", "1")]), Ok(ModelName::Counter));
        assert_eq!(fitted(&[("remove", "1"), ("contains", "true")]), Ok(ModelName::Set));
        assert_eq!(fitted(&[("read", "null")]), Ok(ModelName::Register));
    }

    #[test]
    fn answers_tell_what_functions_do_not() {
        assert_eq!(fitted(&[("add", "1"), ("read", "[1]")]), Ok(ModelName::Set));
        assert_eq!(fitted(&[("add", "1"), ("read", "1")]), Ok(ModelName::Counter));
        assert_eq!(fitted(&[("add", "1"), ("read", "1"), ("read", "[1]")]), Err(NoModel::Both));
        assert_eq!(fitted(&[("acquire", "7"), ("release", "null")]), Ok(ModelName::FencedMutex));
    }

    #[test]
    fn what_no_model_knows_is_named_beside_the_nearest_model() {
        let missing = fitted(&[("read", "1"), ("write", "1"), ("foo", "1")]).expect_err("nobody knows foo");
        assert_eq!(
            missing.to_string(),
            "no model knows the function `foo` beside the others; nearest: register knows read, write"
        );
        assert_eq!(fit(&History::default()), Err(NoModel::Empty));
    }
}
