//! Several registers that are read and written together.

use crate::history::Value;

use super::{Call, Model};

/// Registers in one object. An operation is a list of `[read register value]` and `[write register value]`, which happen
/// at one instant, in their order.
///
/// Without an initial value the registers' first contents are not known: the first read of each, before any write,
/// may give anything, and binds it.
#[derive(Clone, Debug, Default)]
pub struct MultiRegister {
    /// What every register holds at first, if that is known.
    pub initial: Option<Value>,
}

impl Model for MultiRegister {
    /// Contents by register, sorted.
    type State = Vec<(Value, Value)>;

    fn initial(&self) -> Self::State {
        Vec::new()
    }

    fn step(&self, state: &Self::State, call: Call<'_>) -> Option<Self::State> {
        let Value::List(steps) = call.result.unwrap_or(call.argument) else { return None };
        let mut state = state.clone();
        for step in steps {
            let (function, register, value) = parts(step)?;
            let at = state.binary_search_by(|(name, _)| name.cmp(register));
            match (function, at) {
                ("r" | "read", _) if call.result.is_none() => {}
                ("r" | "read", Ok(at)) if state[at].1 == *value => {}
                ("r" | "read", Err(at)) if self.initial.as_ref().is_none_or(|initial| initial == value) => {
                    state.insert(at, (register.clone(), value.clone()));
                }
                ("w" | "write", Ok(at)) => state[at].1 = value.clone(),
                ("w" | "write", Err(at)) => state.insert(at, (register.clone(), value.clone())),
                _ => return None,
            }
        }
        Some(state)
    }

    fn describe(&self, state: &Self::State) -> String {
        let registers: Vec<String> = state.iter().map(|(register, value)| format!("{register} = {value}")).collect();
        if registers.is_empty() { "not known yet".to_owned() } else { registers.join(", ") }
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        let pair = |(register, value): &(Value, Value)| {
            size_of::<(Value, Value)>() + register.heap_bytes() + value.heap_bytes()
        };
        state.iter().map(pair).sum()
    }

    fn refuses(&self, call: Call<'_>) -> Option<String> {
        let fits = |value: &Value| match value {
            Value::List(steps) => steps.iter().all(|step| parts(step).is_some()),
            _ => false,
        };
        (!fits(call.argument) || call.result.is_some_and(|result| !fits(result)))
            .then(|| "expected a list of [read register value] and [write register value]".to_owned())
    }
}

fn parts(step: &Value) -> Option<(&str, &Value, &Value)> {
    let Value::List(items) = step else { return None };
    match &**items {
        [Value::Text(function), register, value] if matches!(&**function, "r" | "read" | "w" | "write") => {
            Some((function, register, value))
        }
        _ => None,
    }
}
