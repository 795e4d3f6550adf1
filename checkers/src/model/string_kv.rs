//! A string that grows.

use crate::history::Value;

use super::{Call, Model};

/// A string, empty at first: `get`, `put`, `append`. One object; the checker splits a history by key.
#[derive(Clone, Copy, Debug, Default)]
pub struct StringKv;

impl Model for StringKv {
    type State = Box<str>;

    fn initial(&self) -> Box<str> {
        "".into()
    }

    fn step(&self, state: &Box<str>, call: Call<'_>) -> Option<Box<str>> {
        match (call.function, call.argument, call.result) {
            ("get", _, None) => Some(state.clone()),
            ("get", _, Some(Value::Text(answer))) => (answer == state).then(|| state.clone()),
            ("get", _, Some(Value::Nil)) => state.is_empty().then(|| state.clone()),
            ("put", Value::Text(text), _) => Some(text.clone()),
            ("append", Value::Text(text), _) => Some([&**state, text].concat().into()),
            _ => None,
        }
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.len()
    }

    fn refuses(&self, call: Call<'_>) -> Option<String> {
        match (call.function, call.argument) {
            ("get", _) => match call.result {
                None | Some(Value::Nil | Value::Text(_)) => None,
                Some(other) => Some(format!("expected text as its result, found {}", other.kind())),
            },
            ("put" | "append", Value::Text(_)) => None,
            ("put" | "append", other) => Some(format!("expected text as its argument, found {}", other.kind())),
            _ => Some("expected get, put or append".to_owned()),
        }
    }

    fn observes(&self, call: Call<'_>) -> bool {
        call.function == "get"
    }
}
