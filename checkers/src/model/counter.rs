//! A number that is added to.

use crate::history::Value;

use super::{Call, Model};

/// A counter, 0 at first: `add n`, `increment n`, `decrement n`, by one where `n` is nil, and `read`, whose answer of nil was not
/// recorded. What the others answer says nothing. It wraps around at 64 bits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter;

impl Model for Counter {
    type State = i64;

    fn initial(&self) -> i64 {
        0
    }

    fn step(&self, state: &i64, call: Call<'_>) -> Option<i64> {
        let amount = match call.argument {
            Value::Int(amount) => *amount,
            _ => 1,
        };
        match (call.function, call.result) {
            ("add" | "increment", _) => Some(state.wrapping_add(amount)),
            ("decrement", _) => Some(state.wrapping_sub(amount)),
            ("read", None | Some(Value::Nil)) => Some(*state),
            ("read", Some(answer)) => (*answer == Value::Int(*state)).then_some(*state),
            _ => None,
        }
    }

    fn refuses(&self, call: Call<'_>) -> Option<String> {
        let is_number = |value: &Value| matches!(value, Value::Int(_) | Value::Nil);
        match (call.function, call.result) {
            ("add" | "increment" | "decrement", _) if !is_number(call.argument) => {
                Some(format!("expected a whole number as its argument, found {}", call.argument.kind()))
            }
            ("read", Some(answer)) if !is_number(answer) => {
                Some(format!("expected a whole number as its result, found {}", answer.kind()))
            }
            ("add" | "increment" | "decrement" | "read", _) => None,
            _ => Some("expected add, increment, decrement or read".to_owned()),
        }
    }

    fn observes(&self, call: Call<'_>) -> bool {
        call.function == "read"
    }
}
