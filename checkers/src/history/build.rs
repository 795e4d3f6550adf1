//! How events become a history, and the rules that they must keep.

use rustc_hash::FxHashMap;
use thiserror::Error;

use super::{
    EventPosition, History, NEVER, NO_KEY, NO_TIME, NemesisEvent, Operation, OperationId, Outcome, Value, ValueId,
};

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
        match name {
            "invoke" => Some(EventType::Invoke),
            "ok" => Some(EventType::Ok),
            "fail" => Some(EventType::Fail),
            "info" => Some(EventType::Info),
            _ => None,
        }
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
    open: OpenOperations,
    functions: FxHashMap<Box<str>, ValueId>,
}

/// An event of a client, whose function, key and value are interned already.
#[derive(Clone, Debug)]
pub(super) struct ClientEvent {
    pub index: Option<u64>,
    pub time: Option<u64>,
    pub process: u32,
    pub event_type: EventType,
    pub function: ValueId,
    pub key: Option<ValueId>,
    pub value: ValueId,
    pub error: Option<Value>,
}

impl HistoryBuilder {
    /// An empty history.
    pub fn new() -> HistoryBuilder {
        HistoryBuilder::default()
    }

    /// Adds the next event, and gives its position.
    ///
    /// # Errors
    /// The rule that the event breaks; the events and operations are then as they were before.
    pub fn push(&mut self, event: Event) -> Result<EventPosition, BrokenRule> {
        let Event { index, time, process, event_type, function, key, value, error } = event;
        match process {
            Process::Named(process) => {
                let position = self.next_position();
                self.push_nemesis(NemesisEvent { position, time, process, event_type, function, value })
            }
            Process::Client(process) => {
                let function = self.function(&function);
                let key = key.map(|key| self.intern(key));
                let value = self.intern(value);
                self.push_client(ClientEvent { index, time, process, event_type, function, key, value, error })
            }
        }
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

    /// The interned name of a function.
    pub(super) fn function(&mut self, name: &str) -> ValueId {
        if let Some(&id) = self.functions.get(name) {
            return id;
        }
        let id = self.history.values.intern(Value::text(name));
        self.functions.insert(name.into(), id);
        id
    }

    /// The id of a value.
    pub(super) fn intern(&mut self, value: Value) -> ValueId {
        self.history.values.intern(value)
    }

    /// The id of a list or map by its bytes and their hash.
    pub(super) fn intern_packed(&mut self, bytes: &[u8], hash: u32) -> ValueId {
        self.history.values.intern_packed(bytes, hash)
    }

    /// What a process has open.
    pub(super) fn open_operation(&self, process: u32) -> Option<Operation<'_>> {
        self.open.of(process).map(|id| self.history.operation(id))
    }

    /// The history so far, while it grows: its errors are not sorted yet.
    pub(super) fn so_far(&self) -> &History {
        &self.history
    }

    /// The values and functions so far, without any event.
    pub(super) fn without_events(self) -> HistoryBuilder {
        let history = History { values: self.history.values, ..History::default() };
        HistoryBuilder { history, functions: self.functions, open: OpenOperations::default() }
    }

    /// How much memory the history takes so far, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.history.bytes()
    }

    /// Adds an event of the nemesis, whose position is the next one.
    pub(super) fn push_nemesis(&mut self, event: NemesisEvent) -> Result<EventPosition, BrokenRule> {
        let position = self.claim_position()?;
        debug_assert_eq!(event.position, position, "the nemesis acts at the next position");
        self.history.nemesis.push(event);
        self.history.events += 1;
        Ok(position)
    }

    /// Adds an event of a client.
    pub(super) fn push_client(&mut self, event: ClientEvent) -> Result<EventPosition, BrokenRule> {
        let position = self.claim_position()?;
        match event.event_type {
            EventType::Invoke => self.invoke(event)?,
            EventType::Ok | EventType::Fail | EventType::Info => self.complete(event)?,
        }
        self.history.events += 1;
        Ok(position)
    }

    /// Adds an operation of which only the completion is known: it has no place in real time.
    pub(super) fn push_alone(&mut self, event: ClientEvent) -> Result<EventPosition, BrokenRule> {
        let position = self.claim_position()?;
        let history = &mut self.history;
        history.completions_alone = true;
        let id = OperationId(history.process.len() as u32);
        history.process.push(event.process);
        history.function.push(event.function);
        history.key.push(event.key.unwrap_or(NO_KEY));
        history.argument.push(event.value);
        history.result.push(event.value);
        history.outcome.push(outcome_of(event.event_type));
        history.invoked.push(position);
        history.completed.push(position);
        history.invoked_at.push(NO_TIME);
        history.completed_at.push(told(event.time));
        history.index.push(event.index.unwrap_or(u64::from(position)));
        if let Some(error) = event.error {
            history.errors.push((id, history.values.intern(error)));
        }
        history.events += 1;
        Ok(position)
    }

    fn claim_position(&self) -> Result<EventPosition, BrokenRule> {
        if self.history.events == NEVER - 1 { Err(BrokenRule::TooLong) } else { Ok(self.history.events) }
    }

    /// The name of a function.
    pub(super) fn name_of(&self, function: ValueId) -> &str {
        match self.history.value(function) {
            Value::Text(name) => name,
            _ => "",
        }
    }

    fn invoke(&mut self, event: ClientEvent) -> Result<(), BrokenRule> {
        let process = event.process;
        if let Some(id) = self.open.of(process) {
            let open = self.history.operation(id);
            return Err(BrokenRule::StillOpen {
                process,
                function: self.name_of(event.function).to_owned(),
                open: open.function().to_owned(),
                opened: open.invoked(),
            });
        }
        let history = &mut self.history;
        let id = OperationId(history.process.len() as u32);
        history.process.push(process);
        history.function.push(event.function);
        history.key.push(event.key.unwrap_or(NO_KEY));
        history.argument.push(event.value);
        history.result.push(ValueId::NIL);
        history.outcome.push(Outcome::Info);
        history.invoked.push(history.events);
        history.completed.push(NEVER);
        history.invoked_at.push(told(event.time));
        history.completed_at.push(NO_TIME);
        history.index.push(event.index.unwrap_or(u64::from(history.events)));
        self.open.begin(process, id);
        Ok(())
    }

    fn complete(&mut self, event: ClientEvent) -> Result<(), BrokenRule> {
        let process = event.process;
        let Some(id) = self.open.of(process) else {
            return Err(BrokenRule::NothingOpen { process, function: self.name_of(event.function).to_owned() });
        };
        let open = self.history.operation(id);
        if open.function_id() != event.function {
            return Err(BrokenRule::OtherFunction {
                process,
                function: self.name_of(event.function).to_owned(),
                open: open.function().to_owned(),
                opened: open.invoked(),
            });
        }
        if let (Some(key), Some(opened_key)) = (event.key, open.key_id())
            && key != opened_key
        {
            return Err(BrokenRule::OtherKey {
                process,
                function: self.name_of(event.function).to_owned(),
                key: self.history.value(key).clone(),
                opened_key: self.history.value(opened_key).clone(),
            });
        }
        self.open.end(process);
        let history = &mut self.history;
        let row = id.row();
        history.result[row] = event.value;
        history.outcome[row] = outcome_of(event.event_type);
        history.completed[row] = history.events;
        history.completed_at[row] = told(event.time);
        if let Some(error) = event.error {
            history.errors.push((id, history.values.intern(error)));
        }
        Ok(())
    }
}

/// How an operation ended that has this completion.
fn outcome_of(completion: EventType) -> Outcome {
    match completion {
        EventType::Ok => Outcome::Ok,
        EventType::Fail => Outcome::Fail,
        EventType::Info | EventType::Invoke => Outcome::Info,
    }
}

/// A time as the columns hold it.
fn told(time: Option<u64>) -> u64 {
    time.map_or(NO_TIME, |time| time.min(NO_TIME - 1))
}

/// What each process has open. Processes are numbered from 0 in most histories, and those stand in a table.
#[derive(Debug, Default)]
struct OpenOperations {
    low: Vec<u32>,
    high: FxHashMap<u32, OperationId>,
}

/// The processes with a place in the table: 4 MB at most.
const LOW: u32 = 1 << 20;

/// No operation has this number: each has an event, and those are fewer.
const NOTHING: u32 = u32::MAX;

impl OpenOperations {
    fn of(&self, process: u32) -> Option<OperationId> {
        if process < LOW {
            self.low.get(process as usize).filter(|&&id| id != NOTHING).map(|&id| OperationId(id))
        } else {
            self.high.get(&process).copied()
        }
    }

    fn begin(&mut self, process: u32, id: OperationId) {
        if process >= LOW {
            self.high.insert(process, id);
            return;
        }
        let place = process as usize;
        if place >= self.low.len() {
            self.low.resize((place + 1).next_power_of_two(), NOTHING);
        }
        self.low[place] = id.0;
    }

    fn end(&mut self, process: u32) {
        if process < LOW {
            self.low[process as usize] = NOTHING;
        } else {
            self.high.remove(&process);
        }
    }
}
