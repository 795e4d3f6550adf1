//! The micro-operations of all transactions, as columns of integers.
//!
//! ```text
//!   row:      0                 1
//!   first:    0                 2            3
//!   kind:     append  read      append
//!   key:      0       1         0             an index among the keys, in the order of their first use
//!   value:    4       0         5             an element's id; of a list that was read, its place among `lists`
//!   previous: -       -         -             the micro-operation before it on the same key in the same transaction
//! ```
//!
//! Of a transaction that did not complete, only the writes are here: its reads are unknown.

use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use crate::History;
use crate::history::{Interner, Item, List, Operation, OperationId, Outcome, Value, ValueId};

use super::{DoesNotFit, NONE, Workload};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
}

pub(super) struct MicroOperations<'h> {
    first: Vec<u32>,
    pub kind: Vec<Kind>,
    pub key: Vec<u32>,
    pub value: Vec<u32>,
    /// [`NONE`] for the first on its key.
    pub previous: Vec<u32>,
    /// What was read, as the history holds it.
    pub lists: Vec<List<'h>>,
    pub elements: Interner,
    keys: Interner,
    /// Ids of keys start behind nil's.
    writes: FxHashMap<u64, u32>,
    /// Of what was written to a register more than once, all writes that did not fail.
    repeated: FxHashMap<u64, Vec<u32>>,
    /// The row of each micro-operation that writes, by micro-operation: found by search in `first`.
    is_final: Vec<bool>,
}

impl<'h> MicroOperations<'h> {
    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        let columns = 3 * size_of::<u32>() + size_of::<Kind>() + size_of::<bool>();
        // A table entry for each of those that write, and an element.
        self.kind.capacity() * columns + self.lists.capacity() * size_of::<List<'h>>() + self.writes.capacity() * 40
    }

    pub fn read(history: &'h History, workload: Workload) -> Result<Self, DoesNotFit> {
        let rows = history.len();
        let mut all = MicroOperations {
            first: Vec::with_capacity(rows + 1),
            kind: Vec::with_capacity(3 * rows),
            key: Vec::with_capacity(3 * rows),
            value: Vec::with_capacity(3 * rows),
            previous: Vec::with_capacity(3 * rows),
            lists: Vec::new(),
            elements: Interner::default(),
            keys: Interner::default(),
            writes: FxHashMap::default(),
            repeated: FxHashMap::default(),
            is_final: Vec::with_capacity(3 * rows),
        };
        all.writes.reserve(2 * rows);
        let mut last_on_key = Vec::new();
        let mut txn = None;
        for operation in history.operations() {
            all.first.push(all.kind.len() as u32);
            if txn != Some(operation.function_id()) {
                let is_single = workload == Workload::RwRegister && matches!(operation.function(), "read" | "write");
                if is_single {
                    all.single(history, operation, &mut last_on_key)?;
                    continue;
                }
                if !matches!(operation.function(), "txn" | "") {
                    let function = operation.function().to_owned();
                    return Err(DoesNotFit::OtherFunction { index: operation.index(), function });
                }
                txn = Some(operation.function_id());
            }
            let is_known = operation.outcome() == Outcome::Ok && operation.result_id() != ValueId::NIL;
            let value = if is_known { operation.result_id() } else { operation.argument_id() };
            let wrong = |found: Item<'_>, expected| DoesNotFit::Malformed {
                index: operation.index(),
                found: found.to_string().chars().take(80).collect(),
                expected,
            };
            let items = match history.item(value) {
                Item::List(items) => items,
                Item::Nil => continue,
                other => return Err(wrong(other, "a list of micro-operations")),
            };
            for item in items {
                let Some((word, key, value)) = parts(item) else { return Err(wrong(item, EXPECTED)) };
                match (word, workload) {
                    ("r", _) if !is_known => {}
                    ("r", Workload::RwRegister) => {
                        let id = all.elements.intern_item(value.unwrap_or(Item::Nil)).0;
                        all.push(Kind::Read, key, id, &mut last_on_key);
                    }
                    ("r", Workload::ListAppend) => {
                        let list = match value {
                            None | Some(Item::Nil) => List::default(),
                            Some(Item::List(list)) => list,
                            _ => return Err(wrong(item, "a list of what was appended, or nil")),
                        };
                        let at = all.lists.len() as u32;
                        all.lists.push(list);
                        all.push(Kind::Read, key, at, &mut last_on_key);
                    }
                    ("append", Workload::ListAppend) | ("w", Workload::RwRegister) => {
                        let Some(value) = value else { return Err(wrong(item, EXPECTED)) };
                        let id = all.elements.intern_item(value).0;
                        let at = all.push(Kind::Write, key, id, &mut last_on_key);
                        all.note_write(history, workload, at)?;
                    }
                    _ => return Err(wrong(item, EXPECTED)),
                }
            }
        }
        all.first.push(all.kind.len() as u32);
        Ok(all)
    }

    /// A plain read or write of a key, which is a transaction by itself.
    fn single(
        &mut self,
        history: &History,
        operation: Operation<'_>,
        last_on_key: &mut Vec<u32>,
    ) -> Result<(), DoesNotFit> {
        let key = operation.key_id().map_or(Item::Nil, |key| history.item(key));
        if operation.function() == "write" {
            let id = self.elements.intern_item(history.item(operation.argument_id())).0;
            let at = self.push(Kind::Write, key, id, last_on_key);
            return self.note_write(history, Workload::RwRegister, at);
        }
        if operation.outcome() == Outcome::Ok {
            let id = self.elements.intern_item(history.item(operation.result_id())).0;
            self.push(Kind::Read, key, id, last_on_key);
        }
        Ok(())
    }

    fn push(&mut self, kind: Kind, key: Item<'_>, value: u32, last_on_key: &mut Vec<u32>) -> u32 {
        let key = self.keys.intern_item(key).0;
        if key as usize >= last_on_key.len() {
            last_on_key.resize(key as usize + 1, NONE);
        }
        let at = self.kind.len() as u32;
        let last = std::mem::replace(&mut last_on_key[key as usize], at);
        let begun = self.first.last().copied().unwrap_or(0);
        self.previous.push(if last != NONE && last >= begun { last } else { NONE });
        self.kind.push(kind);
        self.key.push(key);
        self.value.push(value);
        self.is_final.push(kind == Kind::Write);
        at
    }

    /// Enters a write under its key and value, and finds whether an earlier one of its transaction is not the last of it.
    fn note_write(&mut self, history: &History, workload: Workload, at: u32) -> Result<(), DoesNotFit> {
        let mut earlier = self.previous[at as usize];
        while earlier != NONE {
            if self.kind[earlier as usize] == Kind::Write {
                self.is_final[earlier as usize] = false;
                break;
            }
            earlier = self.previous[earlier as usize];
        }
        let name = name_of(self.key[at as usize], self.value[at as usize]);
        let other = match self.writes.entry(name) {
            Entry::Occupied(other) => *other.get(),
            Entry::Vacant(place) => {
                place.insert(at);
                return Ok(());
            }
        };
        let operation = |at| history.operation(OperationId(self.row_of(at)));
        let (first, second) = (operation(other), operation(at));
        match (first.outcome(), second.outcome()) {
            (_, Outcome::Fail) => {}
            // What failed may have been tried again.
            (Outcome::Fail, _) => {
                self.writes.insert(name, at);
            }
            _ if workload == Workload::RwRegister => {
                self.repeated.entry(name).or_insert_with(|| vec![other]).push(at);
            }
            _ => {
                return Err(DoesNotFit::Repeated {
                    key: self.key_value(self.key[at as usize]).clone(),
                    value: self.elements.get(ValueId(self.value[at as usize])).clone(),
                    first: first.index(),
                    second: second.index(),
                });
            }
        }
        Ok(())
    }

    /// The micro-operations of a transaction.
    pub fn of(&self, row: u32) -> std::ops::Range<usize> {
        self.first[row as usize] as usize..self.first[row as usize + 1] as usize
    }

    /// The transaction of a micro-operation.
    pub fn row_of(&self, at: u32) -> u32 {
        self.first.partition_point(|&first| first <= at) as u32 - 1
    }

    /// How many transactions there are.
    pub fn rows(&self) -> u32 {
        self.first.len() as u32 - 1
    }

    /// Ids of keys are below this.
    pub fn key_bound(&self) -> usize {
        self.keys.len()
    }

    pub fn key_value(&self, key: u32) -> &Value {
        self.keys.get(ValueId(key))
    }

    /// The micro-operation that writes this element to this key; one of them, if there are several.
    pub fn writer(&self, key: u32, element: u32) -> Option<u32> {
        self.writes.get(&name_of(key, element)).copied()
    }

    /// All micro-operations that write this element to this key and did not fail, where there are several.
    pub fn writers_of_repeated(&self, key: u32, element: u32) -> Option<&[u32]> {
        self.repeated.get(&name_of(key, element)).map(Vec::as_slice)
    }

    /// Whether several transactions may have written this element to this key.
    pub fn is_repeated(&self, key: u32, element: u32) -> bool {
        !self.repeated.is_empty() && self.repeated.contains_key(&name_of(key, element))
    }

    /// Whether any value was written to a key more than once.
    pub fn repeats(&self) -> bool {
        !self.repeated.is_empty()
    }

    /// Whether the transaction of this write writes nothing later to its key.
    pub fn is_final(&self, at: u32) -> bool {
        self.is_final[at as usize]
    }
}

/// The word, the key and the value of a micro-operation; no value for `["r", key]`.
fn parts(item: Item<'_>) -> Option<(&str, Item<'_>, Option<Item<'_>>)> {
    let Item::List(parts) = item else { return None };
    let mut items = parts.iter();
    match (parts.len(), items.next(), items.next()) {
        (2 | 3, Some(Item::Text(word)), Some(key)) => Some((word, key, items.next())),
        _ => None,
    }
}

const EXPECTED: &str = "micro-operations of one kind: [\"append\", key, value] and [\"r\", key, list], or [\"w\", key, value] and [\"r\", key, value]";

fn name_of(key: u32, element: u32) -> u64 {
    u64::from(key) << 32 | u64::from(element)
}
