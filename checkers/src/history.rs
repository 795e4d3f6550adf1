//! A history: what every client asked for, when, and what it was told.
//!
//! ```text
//!   file ──read──► HistoryBuilder ──► History (columns of integers) ──► checkers
//!                                        │
//!                                        └──write──► JSON Lines in Jepsen's names
//! ```
//!
//! ```text
//!   source ─compression─► text ─pieces─► pieces ─json, edn, …─► batches ─assemble─► HistoryBuilder
//!                                        (many threads at once)   (in turns)
//! ```
//!
//! Inside, a history is a table of operations in the order of their invocations. Every column is a vector of small
//! integers; functions, keys and values are interned, so that a checker never compares strings or JSON. Lists are held
//! as bytes and read in place ([`Item`]): only who asks for a [`Value`] has one built.
//!
//! Order is the order of events, never time: simulated clocks tick in whole milliseconds and tie, recorded ones run
//! backwards.

mod accesses;
mod assemble;
mod batch;
mod build;
mod chosen;
mod compression;
mod edn;
mod error;
mod independent;
mod interner;
mod json;
mod log;
mod merge;
mod notation;
mod origin;
mod packed;
mod pieces;
mod read;
mod reorder;
mod turns;
mod value;
mod write;

pub use build::{BrokenRule, Event, EventType, HistoryBuilder, Process};
pub use error::{Limit, Place, ReadError};
pub use interner::Interner;
pub use origin::ReadOptions;
pub use packed::{Item, Items, List};
pub use read::{Format, read, read_file, read_file_with, read_with};
pub use value::Value;
pub use write::write_json_lines;

/// A row of the history: the n-th operation to be invoked, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub u32);

impl OperationId {
    /// The row as an index into a column.
    pub fn row(self) -> usize {
        self.0 as usize
    }
}

/// An interned [`Value`] of one history: equal values have equal ids, and ids mean nothing outside their history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub u32);

impl ValueId {
    /// [`Value::Nil`], in every history.
    pub const NIL: ValueId = ValueId(0);
}

/// The position of an event among all events of a history, from 0: the only order there is.
pub type EventPosition = u32;

/// The position of a completion that never came: after every event.
pub const NEVER: EventPosition = EventPosition::MAX;

/// How an operation ended, as far as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It happened, and this is its result.
    Ok,
    /// It certainly did not happen.
    Fail,
    /// Nobody knows whether it happened, or will happen yet: its completion is `info`, or is missing.
    Info,
}

/// One operation, borrowed from its history.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    history: &'a History,
    id: OperationId,
}

/// Operations of many processes on shared objects. See the [module](self) for what it looks like inside.
#[derive(Clone, Debug, Default)]
pub struct History {
    process: Vec<u32>,
    function: Vec<ValueId>,
    /// [`NO_KEY`] where the operation names none.
    key: Vec<ValueId>,
    argument: Vec<ValueId>,
    result: Vec<ValueId>,
    outcome: Vec<Outcome>,
    invoked: Vec<EventPosition>,
    completed: Vec<EventPosition>,
    /// [`NO_TIME`] where the source says none.
    invoked_at: Vec<u64>,
    /// [`NO_TIME`] where the source says none.
    completed_at: Vec<u64>,
    index: Vec<u64>,
    errors: Vec<(OperationId, ValueId)>,
    nemesis: Vec<NemesisEvent>,
    events: u32,
    /// Whether there was no invocation, and each completion became an operation.
    completions_alone: bool,
    values: Interner,
}

/// No key: no value has this id.
const NO_KEY: ValueId = ValueId(u32::MAX);

/// No time. A source that says this time, 584 years after its beginning, is taken for a nanosecond earlier.
const NO_TIME: u64 = u64::MAX;

/// An event that no client caused: a fault that began or ended, or a note. It has a place in the order of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NemesisEvent {
    /// Its place in the order of events.
    pub position: EventPosition,
    /// When, in nanoseconds, if the source says.
    pub time: Option<u64>,
    /// Who, where the file has a name instead of a number: `nemesis`.
    pub process: String,
    /// `info` for nearly all of them.
    pub event_type: EventType,
    /// What: `start-partition`, `kill`.
    pub function: String,
    /// The details: the nodes, the grudges.
    pub value: Value,
}

impl History {
    /// How many operations there are, completed or not.
    pub fn len(&self) -> usize {
        self.process.len()
    }

    /// Whether no client ever invoked anything.
    pub fn is_empty(&self) -> bool {
        self.process.is_empty()
    }

    /// How many events there are: invocations, completions and those of the nemesis.
    pub fn event_count(&self) -> u32 {
        self.events
    }

    /// The operations, in the order of their invocations.
    pub fn operations(&self) -> impl ExactSizeIterator<Item = Operation<'_>> {
        (0..self.len() as u32).map(|row| self.operation(OperationId(row)))
    }

    /// One operation.
    ///
    /// # Panics
    /// On use, if `id` is not of this history.
    pub fn operation(&self, id: OperationId) -> Operation<'_> {
        Operation { history: self, id }
    }

    /// Whether the events say which operation ended before which other began. They do not where the source recorded
    /// completions alone, as tests of transactions do: then each operation is invoked and completed at the position of
    /// its one event, and those positions order the operations of a process, but never those of two.
    pub fn has_real_time(&self) -> bool {
        !self.completions_alone
    }

    /// What the nemesis did, in order.
    pub fn nemesis(&self) -> &[NemesisEvent] {
        &self.nemesis
    }

    /// The value behind an id of this history. The first call for a list or a map builds it, and the history keeps it.
    pub fn value(&self, id: ValueId) -> &Value {
        self.values.get(id)
    }

    /// The value behind an id of this history, read in place: for those who look into many lists, as transactions are.
    pub fn item(&self, id: ValueId) -> Item<'_> {
        self.values.item(id)
    }

    /// The id of a value, if the history holds it anywhere.
    pub fn id_of(&self, value: &Value) -> Option<ValueId> {
        self.values.find(value)
    }

    /// All values of the history, interned.
    pub fn values(&self) -> &Interner {
        &self.values
    }

    /// How much memory the history takes, in bytes: its columns and its values, about, without what [`History::value`]
    /// builds.
    pub fn bytes(&self) -> usize {
        let operation = 7 * size_of::<u32>() + 3 * size_of::<u64>() + size_of::<Outcome>();
        self.len() * operation
            + self.errors.len() * size_of::<(OperationId, ValueId)>()
            + self.nemesis.len() * size_of::<NemesisEvent>()
            + self.values.bytes()
    }

    /// How many operations ended `ok`, `fail` and `info`.
    pub fn outcomes(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for outcome in &self.outcome {
            counts[*outcome as usize] += 1;
        }
        counts
    }

    /// The history of some of its operations alone, in the same order, without the nemesis: what a reader would get from
    /// a file with only their events. Ids of values stay as they are.
    pub fn restricted_to(&self, mut keep: impl FnMut(OperationId) -> bool) -> History {
        let rows: Vec<usize> = (0..self.len()).filter(|&row| keep(OperationId(row as u32))).collect();
        fn pick<T: Copy>(column: &[T], rows: &[usize]) -> Vec<T> {
            rows.iter().map(|&row| column[row]).collect()
        }
        History {
            process: pick(&self.process, &rows),
            function: pick(&self.function, &rows),
            key: pick(&self.key, &rows),
            argument: pick(&self.argument, &rows),
            result: pick(&self.result, &rows),
            outcome: pick(&self.outcome, &rows),
            invoked: pick(&self.invoked, &rows),
            completed: pick(&self.completed, &rows),
            invoked_at: pick(&self.invoked_at, &rows),
            completed_at: pick(&self.completed_at, &rows),
            index: pick(&self.index, &rows),
            errors: Vec::new(),
            nemesis: Vec::new(),
            events: self.events,
            completions_alone: self.completions_alone,
            values: self.values.clone(),
        }
    }
}

impl<'a> Operation<'a> {
    /// Its row.
    pub fn id(self) -> OperationId {
        self.id
    }

    /// The number by which people find it: the `index` of its invocation in the file, or the position of that event.
    pub fn index(self) -> u64 {
        self.history.index[self.id.row()]
    }

    /// The logical client that invoked it.
    pub fn process(self) -> u32 {
        self.history.process[self.id.row()]
    }

    /// What was asked for: `read`, `write`, `cas`.
    pub fn function(self) -> &'a str {
        match self.history.value(self.history.function[self.id.row()]) {
            Value::Text(name) => name,
            _ => "",
        }
    }

    /// The interned name of the function.
    pub fn function_id(self) -> ValueId {
        self.history.function[self.id.row()]
    }

    /// The object it works on, where there is more than one.
    pub fn key_id(self) -> Option<ValueId> {
        Some(self.history.key[self.id.row()]).filter(|&key| key != NO_KEY)
    }

    /// The object it works on, where there is more than one.
    pub fn key(self) -> Option<&'a Value> {
        self.key_id().map(|key| self.history.value(key))
    }

    /// The value that it was invoked with.
    pub fn argument_id(self) -> ValueId {
        self.history.argument[self.id.row()]
    }

    /// The value that it was invoked with.
    pub fn argument(self) -> &'a Value {
        self.history.value(self.argument_id())
    }

    /// The value of its completion; [`Value::Nil`] where there is none.
    pub fn result_id(self) -> ValueId {
        self.history.result[self.id.row()]
    }

    /// The value of its completion; [`Value::Nil`] where there is none.
    pub fn result(self) -> &'a Value {
        self.history.value(self.result_id())
    }

    /// How it ended.
    pub fn outcome(self) -> Outcome {
        self.history.outcome[self.id.row()]
    }

    /// The position of its invocation; that of its completion where the source has no invocations: see
    /// [`History::has_real_time`].
    pub fn invoked(self) -> EventPosition {
        self.history.invoked[self.id.row()]
    }

    /// The position of its completion event; [`NEVER`] if there is none in the file.
    /// An `info` completion has a position too, though the operation may still take effect after it.
    pub fn completed(self) -> EventPosition {
        self.history.completed[self.id.row()]
    }

    /// When it was invoked, in nanoseconds, if the source says.
    pub fn invoked_at(self) -> Option<u64> {
        Some(self.history.invoked_at[self.id.row()]).filter(|&time| time != NO_TIME)
    }

    /// When it completed, in nanoseconds, if it did and the source says.
    pub fn completed_at(self) -> Option<u64> {
        Some(self.history.completed_at[self.id.row()]).filter(|&time| time != NO_TIME)
    }

    /// Why it did not end `ok`, if the source says.
    pub fn error(self) -> Option<&'a Value> {
        let errors = &self.history.errors;
        let at = errors.binary_search_by_key(&self.id, |(id, _)| *id).ok()?;
        Some(self.history.value(errors[at].1))
    }

    /// The history that it is part of.
    pub fn history(self) -> &'a History {
        self.history
    }
}
