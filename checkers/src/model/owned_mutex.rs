//! A lock that belongs to the process that acquired it.

use crate::history::Value;

use super::{Call, Model};

/// A lock that only its holder releases. It may be reentrant: its holder acquires it again, and it is free after as many releases.
/// It may be fenced: `acquire` answers a number that is greater than those of all earlier holders, and the same for a holder who
/// acquires it again. After Jepsen's models for Hazelcast's `FencedLock`; the holder is the process, not the client that a value names.
///
/// A token that nobody saw (`info`, or nil) is taken for the least that it can be: any later token that is legal after a greater one
/// is legal after this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnedMutex {
    /// How often its holder may hold it at once: 1 for a lock that is not reentrant.
    pub depth: u32,
    /// Whether `acquire` answers a token.
    pub fenced: bool,
}

impl OwnedMutex {
    /// Only the holder releases.
    pub const OWNER: OwnedMutex = OwnedMutex { depth: 1, fenced: false };
    /// The holder may acquire it any number of times.
    pub const REENTRANT: OwnedMutex = OwnedMutex { depth: u32::MAX, fenced: false };
    /// With tokens.
    pub const FENCED: OwnedMutex = OwnedMutex { depth: 1, fenced: true };
    /// With tokens, any number of times.
    pub const REENTRANT_FENCED: OwnedMutex = OwnedMutex { depth: u32::MAX, fenced: true };
}

/// Who holds a lock, and the tokens so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    /// The holder, and how often it holds it.
    holder: Option<(u32, u32)>,
    /// The greatest token so far, or the least that it can be; none while it can be any number.
    token: Option<i64>,
    /// Whether the token of this hold was seen.
    seen: bool,
}

impl Model for OwnedMutex {
    type State = Held;

    fn initial(&self) -> Held {
        Held { holder: None, token: None, seen: true }
    }

    fn step(&self, state: &Held, call: Call<'_>) -> Option<Held> {
        let mut next = state.clone();
        let token = match call.result {
            Some(Value::Int(token)) if self.fenced => Some(*token),
            _ => None,
        };
        match (call.function, state.holder) {
            ("acquire", None) => {
                next.holder = Some((call.process, 1));
                next.seen = token.is_some() || !self.fenced;
                next.token = match (token, state.token) {
                    (Some(token), last) if last.is_none_or(|last| token > last) => Some(token),
                    (Some(_), _) => return None,
                    (None, Some(last)) if self.fenced => Some(last.checked_add(1)?),
                    (None, last) => last,
                };
            }
            ("acquire", Some((holder, times))) if holder == call.process && times < self.depth => {
                next.holder = Some((holder, times + 1));
                if let Some(token) = token {
                    let fits = match state.token {
                        Some(same) if state.seen => token == same,
                        Some(least) => token >= least,
                        None => true,
                    };
                    if !fits {
                        return None;
                    }
                    (next.token, next.seen) = (Some(token), true);
                }
            }
            ("release", Some((holder, times))) if holder == call.process => {
                next.holder = (times > 1).then_some((holder, times - 1));
                next.seen |= times == 1;
            }
            _ => return None,
        }
        Some(next)
    }

    fn describe(&self, state: &Self::State) -> String {
        let holder = match state.holder {
            Some((process, 1)) => format!("held by process {process}"),
            Some((process, times)) => format!("held {times} times by process {process}"),
            None => "free".to_owned(),
        };
        match state.token {
            Some(token) if state.seen => format!("{holder}, last token {token}"),
            Some(token) => format!("{holder}, last token {token} or higher"),
            None => holder,
        }
    }

    fn refuses(&self, call: Call<'_>) -> Option<String> {
        match (call.function, call.result) {
            ("acquire", Some(result)) if self.fenced && !matches!(result, Value::Int(_) | Value::Nil) => {
                Some(format!("expected a token, a whole number, as its result, found {}", result.kind()))
            }
            ("acquire" | "release", _) => None,
            _ => Some("expected acquire or release".to_owned()),
        }
    }

    fn distinguishes_processes(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn legal(model: OwnedMutex, calls: &[(u32, &str, Option<i64>)]) -> bool {
        let mut state = model.initial();
        calls.iter().all(|&(process, function, token)| {
            let result = token.map(Value::Int);
            let next = model.step(&state, Call { process, function, argument: &Value::Nil, result: result.as_ref() });
            next.inspect(|next| state = next.clone()).is_some()
        })
    }

    #[test]
    fn only_the_holder_releases() {
        assert!(legal(OwnedMutex::OWNER, &[(1, "acquire", None), (1, "release", None), (2, "acquire", None)]));
        assert!(!legal(OwnedMutex::OWNER, &[(1, "acquire", None), (2, "release", None)]));
        assert!(!legal(OwnedMutex::OWNER, &[(1, "acquire", None), (1, "acquire", None)]));
    }

    #[test]
    fn a_reentrant_lock_is_free_after_as_many_releases() {
        let twice = [(1, "acquire", None), (1, "acquire", None), (1, "release", None)];
        assert!(legal(OwnedMutex::REENTRANT, &twice));
        assert!(!legal(OwnedMutex::REENTRANT, &[&twice[..], &[(2, "acquire", None)]].concat()));
        assert!(legal(OwnedMutex::REENTRANT, &[&twice[..], &[(1, "release", None), (2, "acquire", None)]].concat()));
    }

    #[test]
    fn tokens_grow_also_past_one_that_nobody_saw() {
        let unseen = [(1, "acquire", Some(4)), (1, "release", None), (2, "acquire", None), (2, "release", None)];
        assert!(!legal(OwnedMutex::FENCED, &[&unseen[..], &[(1, "acquire", Some(5))]].concat()));
        assert!(legal(OwnedMutex::FENCED, &[&unseen[..], &[(1, "acquire", Some(6))]].concat()));
    }

    #[test]
    fn a_hold_has_one_token() {
        let first = [(1, "acquire", Some(4)), (1, "release", None), (2, "acquire", None), (2, "acquire", Some(7))];
        assert!(legal(OwnedMutex::REENTRANT_FENCED, &[&first[..], &[(2, "acquire", Some(7))]].concat()));
        assert!(!legal(OwnedMutex::REENTRANT_FENCED, &[&first[..], &[(2, "acquire", Some(8))]].concat()));
    }
}
