//! The events of a piece of text, before they are part of a history.
//!
//! Many threads read pieces of one text, and only one at a time adds to the history. So an event stands here as small
//! as it can be: its names are numbers of a table that all events of the piece share, and it knows its place as an
//! offset into the piece.

use rustc_hash::FxHashMap;

use super::interner::hash_of_packed;
use super::packed::{Item, pack};
use super::{EventType, Value};

/// The events of a piece of text, in order.
#[derive(Default)]
pub(super) struct Batch {
    pub events: Vec<BatchedEvent>,
    pub names: Names,
    pub lists: Lists,
}

/// An event as its text says it.
pub(super) struct BatchedEvent {
    /// The byte of the piece at which the event begins, for errors.
    pub at: u32,
    pub event_type: EventType,
    pub who: Who,
    pub function: Name,
    pub index: Option<u64>,
    pub time: Option<u64>,
    pub key: Option<Value>,
    pub value: BatchedValue,
    pub error: Option<Box<Value>>,
}

/// A value as a batch holds it.
#[derive(Debug)]
pub(super) enum BatchedValue {
    /// What is no list and no map.
    Plain(Value),
    /// Where its bytes lie among the [`Lists`] of its batch, and their hash.
    Packed { begin: u32, end: u32, hash: u32 },
}

/// The bytes of the lists and maps in a batch.
#[derive(Default)]
pub(super) struct Lists {
    /// Whoever wrote to its end without a [`BatchedValue`] cuts that off again.
    pub bytes: Vec<u8>,
}

impl Lists {
    /// Takes a value into the batch.
    pub fn take(&mut self, value: Value) -> BatchedValue {
        match value {
            Value::List(_) | Value::Map(_) => {
                let begin = self.bytes.len();
                pack(&value, &mut self.bytes);
                self.packed_since(begin)
            }
            plain => BatchedValue::Plain(plain),
        }
    }

    /// The list or map whose bytes were written last, from a place on.
    pub fn packed_since(&self, begin: usize) -> BatchedValue {
        let hash = hash_of_packed(&self.bytes[begin..]);
        let place = |at: usize| u32::try_from(at).expect("a piece of text packs into less than 4 GiB");
        BatchedValue::Packed { begin: place(begin), end: place(self.bytes.len()), hash }
    }

    /// The bytes of a packed value.
    pub fn of(&self, begin: u32, end: u32) -> &[u8] {
        &self.bytes[begin as usize..end as usize]
    }

    /// A value, read in place.
    pub fn item<'a>(&'a self, value: &'a BatchedValue) -> Item<'a> {
        match value {
            BatchedValue::Plain(value) => Item::of_plain(value).expect("lists and maps are packed"),
            BatchedValue::Packed { begin, end, .. } => Item::of_packed(self.of(*begin, *end)),
        }
    }
}

/// Who an event belongs to, as its text says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// A logical client.
    Client(u32),
    /// Anything with a name.
    Named(Name),
    /// The text does not say.
    Unsaid,
}

impl Who {
    /// The process with this name; `None` for digits, which are a number that somebody wrote as text.
    pub fn named(name: &str, names: &mut Names) -> Option<Who> {
        let digits = name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        (!digits).then(|| Who::Named(names.id_of(name)))
    }
}

/// A name in the [`Names`] of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name(pub u32);

/// The names of functions and processes in a batch, each once. There are few of them nearly always.
#[derive(Default)]
pub(super) struct Names {
    names: Vec<Box<str>>,
    /// Where those behind the first [`FEW`] are.
    many: FxHashMap<Box<str>, u32>,
}

/// So many names are compared one by one.
const FEW: usize = 8;

impl Names {
    pub fn id_of(&mut self, name: &str) -> Name {
        let few = self.names.iter().take(FEW).position(|known| **known == *name);
        if let Some(known) = few.map(|at| at as u32).or_else(|| self.many.get(name).copied()) {
            return Name(known);
        }
        let id = u32::try_from(self.names.len()).expect("a piece of text is shorter than 4 GiB");
        self.names.push(name.into());
        if self.names.len() > FEW {
            self.many.insert(name.into(), id);
        }
        Name(id)
    }

    pub fn get(&self, name: Name) -> &str {
        &self.names[name.0 as usize]
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn clear(&mut self) {
        self.names.clear();
        self.many.clear();
    }
}

impl Batch {
    pub fn clear(&mut self) {
        self.events.clear();
        self.names.clear();
        self.lists.bytes.clear();
    }
}

/// What an event without a function does, if its value shows it: a list of micro-operations, `[["append", 7, 1] ["r", 8
/// nil]]`, is a transaction.
pub(super) fn function_of(value: Item<'_>) -> Option<&'static str> {
    let is_micro_operation = |item: Item<'_>| match item {
        Item::List(parts) => matches!(parts.len(), 2 | 3) && matches!(parts.iter().next(), Some(Item::Text(_))),
        _ => false,
    };
    match value {
        Item::List(items) if items.iter().all(is_micro_operation) => Some("txn"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_have_equal_numbers_however_many_there_are() {
        let mut names = Names::default();
        for round in 0..2 {
            for n in 0..50 {
                assert_eq!(names.id_of(&format!("f{n}")), Name(n), "in round {round}");
            }
        }
        assert_eq!((names.get(Name(3)), names.get(Name(40)), names.len()), ("f3", "f40", 50));
    }
}
