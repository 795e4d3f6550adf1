//! A lock that nobody holds twice.

use super::{Call, Model};

/// A lock: `acquire` when it is free, `release` when it is held. It does not ask who releases it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mutex;

impl Model for Mutex {
    type State = bool;

    fn initial(&self) -> bool {
        false
    }

    fn step(&self, held: &bool, call: Call<'_>) -> Option<bool> {
        match call.function {
            "acquire" if !held => Some(true),
            "release" if *held => Some(false),
            _ => None,
        }
    }

    fn refuses(&self, call: Call<'_>) -> Option<String> {
        (!matches!(call.function, "acquire" | "release")).then(|| "expected acquire or release".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Value;

    #[test]
    fn a_held_lock_is_not_acquired_and_a_free_one_not_released() {
        let call = |function| Call { process: 0, function, argument: &Value::Nil, result: None };
        assert_eq!(Mutex.step(&false, call("acquire")), Some(true));
        assert_eq!(Mutex.step(&true, call("acquire")), None);
        assert_eq!(Mutex.step(&true, call("release")), Some(false));
        assert_eq!(Mutex.step(&false, call("release")), None);
    }
}
