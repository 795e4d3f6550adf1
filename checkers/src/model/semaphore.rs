//! Permits that are taken and given back.

use crate::history::Value;

use super::{Call, Model};

/// A semaphore: `acquire n` takes permits where so many are left, `release n` gives as many back, whoever took them; one, where `n` is
/// nil. More cannot be given back than were taken. With one permit, it is a [`Mutex`](super::Mutex).
#[derive(Clone, Copy, Debug)]
pub struct Semaphore {
    /// How many permits there are; `None` if what was said of it is no number.
    permits: Option<i64>,
}

impl Semaphore {
    /// A semaphore with so many permits at first, which are all there are; with one where none is given.
    pub fn of(permits: Option<&Value>) -> Semaphore {
        let permits = match permits {
            None | Some(Value::Nil) => Some(1),
            Some(Value::Int(permits)) => Some(*permits).filter(|permits| *permits >= 0),
            Some(_) => None,
        };
        Semaphore { permits }
    }
}

impl Model for Semaphore {
    /// The permits that are left.
    type State = i64;

    fn initial(&self) -> i64 {
        self.permits.unwrap_or(0)
    }

    fn step(&self, left: &i64, call: Call<'_>) -> Option<i64> {
        let permits = match call.argument {
            Value::Int(permits) => *permits,
            _ => 1,
        };
        match call.function {
            "acquire" => left.checked_sub(permits).filter(|left| *left >= 0),
            "release" => left.checked_add(permits).filter(|left| *left <= self.initial()),
            _ => None,
        }
    }

    fn describe(&self, left: &i64) -> String {
        format!("{left} of {} permits left", self.initial())
    }

    fn refuses(&self, call: Call<'_>) -> Option<String> {
        match (call.function, call.argument) {
            _ if self.permits.is_none() => {
                Some("expected a number of permits as what there is at first, 0 or more".to_owned())
            }
            ("acquire" | "release", Value::Nil) => None,
            ("acquire" | "release", Value::Int(permits)) if *permits > 0 => None,
            ("acquire" | "release", other) => {
                Some(format!("expected a number of permits, 1 or more, or nil as its argument, found {other}"))
            }
            _ => Some("expected acquire or release".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_permits_are_taken_than_are_left_nor_given_back_than_were_taken() {
        let semaphore = Semaphore::of(Some(&Value::Int(3)));
        let step = |left: i64, function, permits: Option<i64>| {
            let argument = permits.map_or(Value::Nil, Value::Int);
            semaphore.step(&left, Call { process: 0, function, argument: &argument, result: None })
        };
        assert_eq!(step(3, "acquire", Some(2)), Some(1));
        assert_eq!(step(1, "acquire", Some(2)), None);
        assert_eq!(step(1, "acquire", None), Some(0));
        assert_eq!(step(1, "release", Some(2)), Some(3));
        assert_eq!(step(2, "release", Some(2)), None);
    }
}
