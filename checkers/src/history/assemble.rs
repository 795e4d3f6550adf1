//! How the events of a text become a history: each in its turn, and the rules that only the whole text can tell.
//!
//! # Completions alone
//! Some tests of transactions record what happened and nothing else: every event is a completion. If no client event of
//! a text is an invocation, and all of them are `txn`, then each completion is an operation of its own, whose argument
//! and result are its value. Its process did them in the order of the file, and nothing says which of two processes was
//! first: [`History::has_real_time`] is false. In any other history, a completion without its invocation is refused.
//!
//! # Events without a process
//! Where no client event of a text says its process, one process did everything: it must complete each operation before
//! it invokes the next. Completions alone are then of a process each. A text in which some events say it and others do
//! not is refused.

use super::batch::{Batch, BatchedEvent, Name, Names, Who};
use super::build::{BrokenRule, ClientEvent};
use super::independent::IndependentKeys;
use super::{EventType, History, HistoryBuilder, NemesisEvent, Place, ValueId};

/// A history in the making, from the events of a text.
pub(super) struct Assembly {
    history: HistoryBuilder,
    /// For the formats in which pairs may hold keys.
    keys: Option<IndependentKeys>,
    /// Whether a client has invoked anything.
    invoked: bool,
    /// The first completion without an invocation before it, which is an error unless there are only such.
    completed_alone: Option<(Place, String)>,
    /// Whether client events say their process; the first one decides.
    process_said: Option<bool>,
    /// The functions of the batch at hand, interned.
    functions: Vec<Option<ValueId>>,
}

const NO_PROCESS: &str = "found no process: expected an event with process, type and f (only a history of one process, \
     which completes each operation before it invokes the next, may leave it out)";

/// A place and what is wrong there.
type Wrong = (Place, String);

impl Assembly {
    /// A history without events. `pairs_may_hold_keys` is true for the formats of [`IndependentKeys`].
    pub fn new(pairs_may_hold_keys: bool) -> Assembly {
        Assembly {
            history: HistoryBuilder::new(),
            keys: pairs_may_hold_keys.then(IndependentKeys::default),
            invoked: false,
            completed_alone: None,
            process_said: None,
            functions: Vec::new(),
        }
    }

    /// How many events there are so far.
    pub fn events(&self) -> u64 {
        u64::from(self.history.next_position())
    }

    /// How much memory the history takes so far, in bytes.
    pub fn bytes(&self) -> usize {
        self.history.bytes()
    }

    /// Adds the events of a batch, which is empty then. `place` turns their offsets into places.
    pub fn add(&mut self, batch: &mut Batch, place: impl Fn(usize) -> Place) -> Result<(), Wrong> {
        let Batch { events, names } = batch;
        self.functions.clear();
        self.functions.resize(names.len(), None);
        for event in events.drain(..) {
            let at = event.at as usize;
            self.add_event(event, names, || place(at)).map_err(|wrong| self.misfit().unwrap_or(wrong))?;
        }
        names.clear();
        Ok(())
    }

    /// The history of all events.
    pub fn finish(self) -> Result<History, Wrong> {
        if let Some(misfit) = self.misfit() {
            return Err(misfit);
        }
        let mut history = self.history.finish();
        if let Some(keys) = self.keys {
            keys.take_apart(&mut history);
        }
        Ok(history)
    }

    fn misfit(&self) -> Option<Wrong> {
        self.keys.as_ref().and_then(IndependentKeys::misfit)
    }

    fn add_event(&mut self, event: BatchedEvent, names: &Names, place: impl Fn() -> Place) -> Result<(), Wrong> {
        let said = match event.who {
            Who::Named(name) => return self.add_nemesis(event, name, names).map_err(|rule| broken(&place, rule)),
            Who::Client(process) => Some(process),
            Who::Unsaid => None,
        };
        if *self.process_said.get_or_insert(said.is_some()) != said.is_some() {
            let problem = match said {
                Some(_) => "found a process, but the events before have none: expected it in all events or in none",
                None => NO_PROCESS,
            };
            return Err((place(), problem.to_owned()));
        }
        let function = names.get(event.function);
        let alone = self.is_alone(&event, said, function, &place)?;
        // Where nobody says who, completions alone are of a process each, and all other events of one.
        let process = said.unwrap_or(if alone { self.history.next_position() } else { 0 });
        if let Some(keys) = &mut self.keys {
            keys.note(&event, function, self.history.open_operation(process), &place)?;
        }
        let known = &mut self.functions[event.function.0 as usize];
        let event = ClientEvent {
            index: event.index,
            time: event.time,
            process,
            event_type: event.event_type,
            function: *known.get_or_insert_with(|| self.history.function(function)),
            key: event.key,
            value: event.value,
            error: event.error.map(|error| *error),
        };
        let added = if alone { self.history.push_alone(event) } else { self.history.push_client(event) };
        added.map(drop).map_err(|rule| match said {
            Some(_) => broken(&place, rule),
            None => (place(), NO_PROCESS.to_owned()),
        })
    }

    fn add_nemesis(&mut self, event: BatchedEvent, name: Name, names: &Names) -> Result<(), BrokenRule> {
        let event = NemesisEvent {
            position: self.history.next_position(),
            time: event.time,
            process: names.get(name).to_owned(),
            event_type: event.event_type,
            function: names.get(event.function).to_owned(),
            value: event.value,
        };
        self.history.push_nemesis(event).map(drop)
    }

    /// Whether the event is a completion among completions alone, as far as one can tell.
    fn is_alone(
        &mut self,
        event: &BatchedEvent,
        process: Option<u32>,
        function: &str,
        place: impl Fn() -> Place,
    ) -> Result<bool, Wrong> {
        if event.event_type == EventType::Invoke {
            self.invoked = true;
            return self.completed_alone.take().map_or(Ok(false), Err);
        }
        if self.invoked {
            return Ok(false);
        }
        let first = self.completed_alone.get_or_insert_with(|| {
            let rule = |process| BrokenRule::NothingOpen { process, function: function.to_owned() }.to_string();
            (place(), process.map_or_else(|| NO_PROCESS.to_owned(), rule))
        });
        if function == "txn" { Ok(true) } else { Err(first.clone()) }
    }
}

fn broken(place: impl Fn() -> Place, rule: BrokenRule) -> Wrong {
    (place(), rule.to_string())
}
