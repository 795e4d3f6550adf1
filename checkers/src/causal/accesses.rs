//! What each operation **reads and writes**, in small integers.
//!
//! ```text
//!   write x 1                       x := 1
//!   cas x [1 2]                     x → 1, x := 2
//!   txn [[w x 1] [r x 1] [w x 2]]   x := 1 for the moment, x → 1 of its own, x := 2
//! ```
//!
//! *Cost:* linear, however large a transaction is.

use super::limits::{Limits, Over};
use super::sessions::NONE;
use crate::History;
use crate::history::{Interner, Operation, Outcome, Value, ValueId};
use crate::model::DoesNotFit;

/// One read or write of an operation.
#[derive(Clone, Copy)]
pub(super) struct Access {
    /// A dense number.
    pub key: u32,
    pub value: u32,
    pub kind: Kind,
}

/// What an access does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It reads what others wrote.
    Read,
    /// It reads what its own operation wrote: this value, if it is right.
    Own { value: u32 },
    /// It writes what its operation leaves in the key.
    Write,
    /// It writes what its operation itself writes over.
    Momentary,
}

/// The accesses of all operations, row by row.
pub(super) struct Accesses {
    starts: Vec<u32>,
    all: Vec<Access>,
    /// The names of the keys.
    pub keys: Vec<Option<Value>>,
    /// How many ids of values there are.
    pub values: usize,
    pub nil: u32,
    interner: Option<Interner>,
    /// Whether there are transactions.
    pub transactions: bool,
}

impl Accesses {
    pub fn of(history: &History, limits: &Limits) -> Result<Result<Accesses, Over>, DoesNotFit> {
        let transactions = history.operations().any(|operation| operation.function() == "txn");
        let nested = transactions || history.operations().any(|operation| operation.function() == "cas");
        // Values inside of others have no id of the history.
        let mut interner = nested.then(Interner::default);
        let mut accesses = Accesses {
            starts: Vec::with_capacity(history.len() + 1),
            all: Vec::with_capacity(history.len()),
            keys: Vec::new(),
            values: 0,
            nil: 0,
            interner: None,
            transactions,
        };
        let mut key_of: Vec<u32> = Vec::new();
        let mut unkeyed = NONE;
        let mut pace = limits.begin("going through the operations", history.len());
        let mut last = Last::default();
        accesses.starts.push(0);
        for operation in history.operations() {
            if let Err(over) = pace.step() {
                return Ok(Err(over));
            }
            let mut key = |id: Option<ValueId>, keys: &mut Vec<Option<Value>>, value: &dyn Fn() -> Value| {
                let place = match id {
                    None => &mut unkeyed,
                    Some(id) => {
                        if key_of.len() <= id.0 as usize {
                            key_of.resize(id.0 as usize + 1, NONE);
                        }
                        &mut key_of[id.0 as usize]
                    }
                };
                if *place == NONE {
                    *place = keys.len() as u32;
                    keys.push(id.map(|_| value()));
                }
                *place
            };
            if let (None, "read" | "write") = (&interner, operation.function()) {
                let key = key(operation.key_id(), &mut accesses.keys, &|| operation.key().cloned().unwrap_or_default());
                let writes = operation.function() == "write";
                let value = if writes { operation.argument_id() } else { operation.result_id() }.0;
                accesses.all.push(Access { key, value, kind: if writes { Kind::Write } else { Kind::Read } });
                accesses.starts.push(accesses.all.len() as u32);
                continue;
            }
            let all = micro_operations(operation).map_err(|problem| DoesNotFit {
                index: operation.index(),
                function: operation.function().to_owned(),
                model: "rw-register".to_owned(),
                problem,
            })?;
            let interner = interner.get_or_insert_default();
            for (writes, name, value) in all {
                let id = name.map(|name| interner.intern(name.clone()));
                let key = key(id, &mut accesses.keys, &|| name.cloned().unwrap_or_default());
                let value = interner.intern(value.clone()).0;
                let kind = last.access(operation.id().0, accesses.all.len(), key, value, writes);
                if let Some(over) = kind.1 {
                    accesses.all[over].kind = Kind::Momentary;
                }
                accesses.all.push(Access { key, value, kind: kind.0 });
            }
            accesses.starts.push(accesses.all.len() as u32);
        }
        accesses.values = interner.as_ref().map_or(history.values().len(), Interner::len);
        accesses.nil = ValueId::NIL.0;
        accesses.interner = interner;
        Ok(Ok(accesses))
    }

    pub fn row(&self, row: u32) -> &[Access] {
        &self.all[self.starts[row as usize] as usize..self.starts[row as usize + 1] as usize]
    }

    /// The value behind an id.
    pub fn value<'a>(&'a self, history: &'a History, id: u32) -> &'a Value {
        match &self.interner {
            Some(interner) => interner.get(ValueId(id)),
            None => history.value(ValueId(id)),
        }
    }

    /// The id of a value, [`NONE`] if no operation has it.
    pub fn id_of(&self, history: &History, value: &Value) -> u32 {
        let id = match &self.interner {
            Some(interner) => interner.find(value),
            None => history.id_of(value),
        };
        id.map_or(NONE, |id| id.0)
    }
}

/// The last write of each key, by the row that did it.
#[derive(Default)]
struct Last {
    /// The row, its access, and the value.
    of_key: Vec<(u32, usize, u32)>,
}

impl Last {
    /// What kind an access is, and which earlier one it writes over.
    fn access(&mut self, row: u32, at: usize, key: u32, value: u32, writes: bool) -> (Kind, Option<usize>) {
        if self.of_key.len() <= key as usize {
            self.of_key.resize(key as usize + 1, (NONE, 0, NONE));
        }
        let last = &mut self.of_key[key as usize];
        let own = (last.0 == row).then_some(*last);
        match (writes, own) {
            (false, None) => (Kind::Read, None),
            (false, Some((_, _, value))) => (Kind::Own { value }, None),
            (true, own) => {
                *last = (row, at, value);
                (Kind::Write, own.map(|(_, over, _)| over))
            }
        }
    }
}

type Micro<'a> = (bool, Option<&'a Value>, &'a Value);

/// What an operation reads and writes, in its order.
pub(super) fn micro_operations(operation: Operation<'_>) -> Result<Vec<Micro<'_>>, String> {
    let key = operation.key();
    match operation.function() {
        "read" => Ok(vec![(false, key, operation.result())]),
        "write" => Ok(vec![(true, key, operation.argument())]),
        "cas" => match operation.argument().as_pair() {
            Some((old, new)) => Ok(vec![(false, key, old), (true, key, new)]),
            None => Err(format!("expected [old new], found {}", operation.argument())),
        },
        "txn" => {
            let list = if operation.outcome() == Outcome::Ok { operation.result() } else { operation.argument() };
            let items = match list {
                Value::List(items) => &items[..],
                Value::Nil => &[],
                other => return Err(format!("expected a list of [\"r\" or \"w\", key, value], found {other}")),
            };
            items.iter().map(micro_operation).collect()
        }
        _ => Err("expected `read`, `write`, `cas` or `txn`".to_owned()),
    }
}

fn micro_operation(item: &Value) -> Result<Micro<'_>, String> {
    let Value::List(parts) = item else { return Err(format!("expected [\"r\" or \"w\", key, value], found {item}")) };
    match &**parts {
        [Value::Text(function), key, value] => match &**function {
            "r" | "read" => Ok((false, Some(key), value)),
            "w" | "write" => Ok((true, Some(key), value)),
            other => Err(format!("expected `r` or `w`, found {other}")),
        },
        _ => Err(format!("expected [\"r\" or \"w\", key, value], found {item}")),
    }
}
