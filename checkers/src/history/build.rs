//! How events become a history, and the rules that they must keep.

use rustc_hash::FxHashMap;
use thiserror::Error;

use super::{EventPosition, History, NEVER, NemesisEvent, OperationId, Outcome, Value, ValueId};

/// One line of a history, whatever the format that it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The number that the source gives the event, if it does.
    pub index: Option<u64>,
    /// Nanoseconds since some beginning, if the source says.
    pub time: Option<u64>,
    /// Who.
    pub process: Process,
    /// Whether something began, or how it ended.
    pub event_type: EventType,
    /// What was asked for.
    pub function: String,
    /// The object, where there are several.
    pub key: Option<Value>,
    /// The argument of an invocation; the result of a completion.
    pub value: Value,
    /// Why an operation did not end `ok`, if the source says.
    pub error: Option<Value>,
}

/// Who an event belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Process {
    /// A logical client.
    Client(u32),
    /// Anything with a name: the nemesis.
    Named(String),
}

impl Process {
    /// The process with this name; `None` for digits, which are a number that somebody wrote as text.
    pub(super) fn named(name: &str) -> Option<Process> {
        let digits = name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        (!digits).then(|| Process::Named(name.to_owned()))
    }
}

/// The type of an event, in Jepsen's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    /// An operation begins.
    Invoke,
    /// It happened.
    Ok,
    /// It did not happen.
    Fail,
    /// Nobody knows.
    Info,
}

impl EventType {
    /// The word for it in every format.
    pub fn name(self) -> &'static str {
        match self {
            EventType::Invoke => "invoke",
            EventType::Ok => "ok",
            EventType::Fail => "fail",
            EventType::Info => "info",
        }
    }

    /// The type with this name.
    pub fn from_name(name: &str) -> Option<EventType> {
        [EventType::Invoke, EventType::Ok, EventType::Fail, EventType::Info].into_iter().find(|t| t.name() == name)
    }
}

/// A rule of histories that an event breaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BrokenRule {
    /// A process does one thing at a time.
    #[error(
        "process {process} invokes {function} while its {open} (event {opened}) is still open: \
         expected the completion of that operation first"
    )]
    StillOpen {
        /// The process.
        process: u32,
        /// What it invokes now.
        function: String,
        /// What it has not completed.
        open: String,
        /// The event at which it began that.
        opened: EventPosition,
    },
    /// What completes must have begun.
    #[error("process {process} completes {function}, but has nothing open: expected its invocation before")]
    NothingOpen {
        /// The process.
        process: u32,
        /// What it completes.
        function: String,
    },
    /// What completes must be what began.
    #[error("process {process} completes {function}, but what it has open is {open} (event {opened})")]
    OtherFunction {
        /// The process.
        process: u32,
        /// What it completes.
        function: String,
        /// What it had begun.
        open: String,
        /// The event at which it began that.
        opened: EventPosition,
    },
    /// An operation stays with its object.
    #[error("process {process} completes {function} on key {key}, but had invoked it on key {opened_key}")]
    OtherKey {
        /// The process.
        process: u32,
        /// The function.
        function: String,
        /// The key of the completion.
        key: Value,
        /// The key of the invocation.
        opened_key: Value,
    },
    /// Positions are 32 bits.
    #[error("more than 4,294,967,294 events: expected a shorter history")]
    TooLong,
}

/// Takes events in their order and gives the [`History`] that they make.
#[derive(Debug, Default)]
pub struct HistoryBuilder {
    history: History,
    open: FxHashMap<u32, OperationId>,
    functions: FxHashMap<String, ValueId>,
}

impl HistoryBuilder {
    /// An empty history.
    pub fn new() -> HistoryBuilder {
        HistoryBuilder::default()
    }

    /// Adds the next event, and gives its position.
    ///
    /// # Errors
    /// The rule that the event breaks; the history is then as it was before.
    pub fn push(&mut self, event: Event) -> Result<EventPosition, BrokenRule> {
        let position = self.history.events;
        if position == NEVER - 1 {
            return Err(BrokenRule::TooLong);
        }
        match event.process {
            Process::Named(process) => self.history.nemesis.push(NemesisEvent {
                position,
                time: event.time,
                process,
                event_type: event.event_type,
                function: event.function,
                value: event.value,
            }),
            Process::Client(process) if event.event_type == EventType::Invoke => self.invoke(process, event)?,
            Process::Client(process) => self.complete(process, event)?,
        }
        self.history.events += 1;
        Ok(position)
    }

    /// The position that the next event will have.
    pub fn next_position(&self) -> EventPosition {
        self.history.events
    }

    /// The history so far. What is still open may or may not have happened.
    pub fn finish(mut self) -> History {
        self.history.errors.sort_unstable_by_key(|(id, _)| *id);
        self.history
    }

    fn invoke(&mut self, process: u32, event: Event) -> Result<(), BrokenRule> {
        if let Some(&id) = self.open.get(&process) {
            let open = self.history.operation(id);
            return Err(BrokenRule::StillOpen {
                process,
                function: event.function,
                open: open.function().to_owned(),
                opened: open.invoked(),
            });
        }
        let function = match self.functions.get(&event.function) {
            Some(&id) => id,
            None => {
                let id = self.history.values.intern(Value::text(&event.function));
                self.functions.insert(event.function, id);
                id
            }
        };
        let history = &mut self.history;
        let id = OperationId(history.process.len() as u32);
        history.process.push(process);
        history.function.push(function);
        history.key.push(event.key.map(|key| history.values.intern(key)));
        history.argument.push(history.values.intern(event.value));
        history.result.push(ValueId::NIL);
        history.outcome.push(Outcome::Info);
        history.invoked.push(history.events);
        history.completed.push(NEVER);
        history.invoked_at.push(event.time);
        history.completed_at.push(None);
        history.index.push(event.index.unwrap_or(u64::from(history.events)));
        self.open.insert(process, id);
        Ok(())
    }

    fn complete(&mut self, process: u32, event: Event) -> Result<(), BrokenRule> {
        let Some(&id) = self.open.get(&process) else {
            return Err(BrokenRule::NothingOpen { process, function: event.function });
        };
        let open = self.history.operation(id);
        if open.function() != event.function {
            return Err(BrokenRule::OtherFunction {
                process,
                function: event.function,
                open: open.function().to_owned(),
                opened: open.invoked(),
            });
        }
        if let (Some(key), Some(opened_key)) = (&event.key, open.key())
            && key != opened_key
        {
            return Err(BrokenRule::OtherKey {
                process,
                function: event.function,
                key: key.clone(),
                opened_key: opened_key.clone(),
            });
        }
        self.open.remove(&process);
        let history = &mut self.history;
        let row = id.row();
        history.result[row] = history.values.intern(event.value);
        history.outcome[row] = match event.event_type {
            EventType::Ok => Outcome::Ok,
            EventType::Fail => Outcome::Fail,
            EventType::Info | EventType::Invoke => Outcome::Info,
        };
        history.completed[row] = history.events;
        history.completed_at[row] = event.time;
        if let Some(error) = event.error {
            history.errors.push((id, history.values.intern(error)));
        }
        Ok(())
    }
}
