//! Keys of independent objects, as Jepsen's `independent` writes them: `[key value]` where another history has the
//! value.
//!
//! EDN does not show the difference: `:f :cas, :value [1 2]` may be a cas from 1 to 2, or one on key 1. So it is decided
//! once for each history:
//!
//! - Only where clients do nothing but read, write, cas, and add to or remove from sets and counters, without naming keys,
//!   may a pair be a key and a value.
//! - There it is one if the invocations of reads have pairs that end in nil, `:f :read, :value [7 nil]`. Every
//!   invocation and every `:ok` must then have a pair; in other completions, what is no pair stays as it is.
//!   Where clients also add, a value that is no pair leaves all pairs whole: Jepsen's set-full reads `[0 1 2 …]`, all that is in one set.
//! - Where the invocations of reads have other values, as `nil`, no pair is taken apart.
//! - A history with both kinds of reads is refused.
//!
//! An event may name its key in any history: by `:key 7`, or by a tag on the value, `#jepsen.independent/tuple [7 nil]`
//! or `#clojure.lang.MapEntry [7 nil]`.

use super::build::{BrokenRule, ClientEvent};
use super::packed::Item;
use super::{EventType, History, NO_KEY, Operation, Place};

/// Looks at the events of a history in order, to tell what its pairs are.
#[derive(Default)]
pub(super) struct IndependentKeys {
    pairs: Pairs,
    /// The first event that cannot be in a history whose pairs are keys and values.
    misfit: Option<(Place, String)>,
    /// Whether there is something that is not done to registers.
    does_more: bool,
}

/// What the pairs of a history are, as far as its events tell.
#[derive(Clone, Copy, Default, PartialEq)]
enum Pairs {
    /// There was no read yet.
    #[default]
    Unknown,
    /// Reads of `[key nil]`: keys and values, if nobody does anything but what is [`KEYED`].
    Tuples,
    /// Reads without a key: values.
    Values,
    /// Something that is not [`KEYED`], or that names its key: values, whatever reads look like.
    Other,
}

const OF_REGISTERS: [&str; 3] = ["read", "write", "cas"];

/// What is done to objects that are read: registers, sets and counters.
const KEYED: [&str; 8] = ["read", "write", "cas", "add", "remove", "contains", "increment", "decrement"];

impl Pairs {
    /// What one event of a client tells.
    fn of(event: &ClientEvent, value: Item<'_>, function: &str) -> Pairs {
        if event.key.is_some() || !KEYED.contains(&function) {
            return Pairs::Other;
        }
        match function {
            "read" if event.event_type == EventType::Invoke => match value.as_pair() {
                Some((_, Item::Nil)) => Pairs::Tuples,
                Some(_) => Pairs::Unknown,
                None => Pairs::Values,
            },
            _ => Pairs::Unknown,
        }
    }
}

impl IndependentKeys {
    /// Takes note of an event and its value before they become part of the history; `open` is the operation that its process has open.
    ///
    /// # Errors
    /// Where it shows that the history is refused.
    pub fn note(
        &mut self,
        event: &ClientEvent,
        value: Item<'_>,
        function: &str,
        open: Option<Operation<'_>>,
        place: impl Fn() -> Place,
    ) -> Result<(), (Place, String)> {
        if self.pairs == Pairs::Other {
            return Ok(());
        }
        self.does_more |= !OF_REGISTERS.contains(&function);
        self.pairs = match (self.pairs, Pairs::of(event, value, function)) {
            (_, Pairs::Other) => Pairs::Other,
            (known, Pairs::Unknown) => known,
            (Pairs::Values, Pairs::Tuples) | (Pairs::Tuples, Pairs::Values) => {
                let problem = "found a read with a key where others have none, or without where they have: \
                               expected `[key nil]` in all reads or in none";
                return Err((place(), problem.to_owned()));
            }
            (_, told) => told,
        };
        if matches!(self.pairs, Pairs::Unknown | Pairs::Tuples)
            && self.misfit.is_none()
            && let Some(problem) = misfit(event, value, function, open)
        {
            self.misfit = Some((place(), problem));
        }
        Ok(())
    }

    /// The first event that must not be in the history, if its pairs are keys and values as far as one can tell.
    pub fn misfit(&self) -> Option<(Place, String)> {
        self.misfit.clone().filter(|_| self.pairs == Pairs::Tuples && !self.does_more)
    }

    /// Takes the pairs of the whole history apart, if they are keys and values.
    pub fn take_apart(&self, history: &mut History) {
        if self.pairs != Pairs::Tuples || self.misfit.is_some() {
            return;
        }
        let History { key, argument, result, values, .. } = history;
        for (row, key) in key.iter_mut().enumerate() {
            for column in [&mut *argument, result] {
                if let Some((first, second)) = values.item(column[row]).as_pair() {
                    let (first, second) = (first.to_value(), second.to_value());
                    let id = values.intern(first);
                    if *key == NO_KEY {
                        *key = id;
                    }
                    column[row] = values.intern(second);
                }
            }
        }
    }
}

/// Why an event cannot be in a history whose pairs are keys and values, if it cannot.
fn misfit(event: &ClientEvent, value: Item<'_>, function: &str, open: Option<Operation<'_>>) -> Option<String> {
    let Some((key, _)) = value.as_pair() else {
        return matches!(event.event_type, EventType::Invoke | EventType::Ok).then(|| {
            let kind = value.to_value().kind();
            format!("found a {function} of {kind} in a history of independent keys: expected `[key value]`")
        });
    };
    let open = open.filter(|_| event.event_type != EventType::Invoke)?;
    let (opened_key, _) = open.history().item(open.argument_id()).as_pair()?;
    let rule = || BrokenRule::OtherKey {
        process: open.process(),
        function: function.to_owned(),
        key: key.to_value(),
        opened_key: opened_key.to_value(),
    };
    (key != opened_key).then(|| rule().to_string())
}
