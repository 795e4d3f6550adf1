//! How the values of a history become integers.
//!
//! Most histories write whole numbers counted from 0 or so. Those are found by their number in a plain table; all other
//! values go through a hash table of ids. Each value is held once, in a vector by id; lists and maps as bytes
//! ([`packed`](super::packed)), of which a [`Value`] is built when somebody first asks for it.

use std::hash::BuildHasher;
use std::sync::OnceLock;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxBuildHasher;

use super::packed::{Item, pack};
use super::{Value, ValueId};

/// Gives equal values equal ids, in the order in which they first came; [`ValueId::NIL`] is always nil.
///
/// Cost: an array access for whole numbers that lie close together, and else the hashing of the value.
#[derive(Clone, Debug)]
pub struct Interner {
    values: Vec<Held>,
    /// The bytes of all lists and maps.
    packed: Vec<u8>,
    /// The ids of small whole numbers, at their number; [`ABSENT`] where the number has none here.
    dense: Vec<u32>,
    /// All other values.
    others: HashTable<Other>,
    /// How many whole numbers are among the others: with none, a number that `dense` does not know is new.
    sparse_numbers: usize,
    /// What the values hold beside their place in the vector, in bytes.
    heap: usize,
}

/// A value by its id.
#[derive(Clone, Debug)]
enum Held {
    /// What is no list and no map.
    Plain(Value),
    /// Where its bytes begin and how many they are, and the value, once it was asked for.
    Packed { at: usize, length: u32, built: OnceLock<Box<Value>> },
}

/// A value behind the hash table: its id, and its hash, as values may be long.
#[derive(Clone, Copy, Debug)]
struct Other {
    id: u32,
    hash: u32,
}

const ABSENT: u32 = u32::MAX;

impl Default for Interner {
    fn default() -> Interner {
        let mut interner = Interner {
            values: Vec::new(),
            packed: Vec::new(),
            dense: Vec::new(),
            others: HashTable::new(),
            sparse_numbers: 0,
            heap: 0,
        };
        interner.intern(Value::Nil);
        interner
    }
}

impl Interner {
    /// The id of a value, which is new if the value is.
    ///
    /// # Panics
    /// At more than 2^32 - 2 distinct values.
    #[inline]
    pub fn intern(&mut self, value: Value) -> ValueId {
        match value {
            Value::Nil if !self.values.is_empty() => ValueId::NIL,
            Value::Int(number) if self.reaches(number) => self.intern_dense(number as usize),
            Value::List(_) | Value::Map(_) => {
                let bytes = bytes_of(&value);
                self.intern_packed(&bytes, hash_of_packed(&bytes))
            }
            other => self.intern_other(other),
        }
    }

    /// The id of a value, which is new if the value is: as [`Interner::intern`] of [`Item::to_value`], but built only
    /// where it is new and text.
    ///
    /// # Panics
    /// At more than 2^32 - 2 distinct values.
    pub fn intern_item(&mut self, item: Item<'_>) -> ValueId {
        match item {
            Item::Nil => ValueId::NIL,
            Item::Int(number) if self.reaches(number) => self.intern_dense(number as usize),
            other => self.intern(other.to_value()),
        }
    }

    /// The value behind an id. Of a list or a map, the first call builds it.
    ///
    /// # Panics
    /// If the id is of another interner.
    pub fn get(&self, id: ValueId) -> &Value {
        match &self.values[id.0 as usize] {
            Held::Plain(value) => value,
            Held::Packed { built, .. } => built.get_or_init(|| Box::new(self.item(id).to_value())),
        }
    }

    /// The value behind an id, read in place.
    ///
    /// # Panics
    /// If the id is of another interner.
    pub fn item(&self, id: ValueId) -> Item<'_> {
        match &self.values[id.0 as usize] {
            Held::Plain(value) => Item::of_plain(value).expect("lists and maps are packed"),
            Held::Packed { at, length, .. } => Item::of_packed(&self.packed[*at..at + *length as usize]),
        }
    }

    /// The id of a value, if it is here.
    pub fn find(&self, value: &Value) -> Option<ValueId> {
        if let Value::Int(number) = value {
            let known = usize::try_from(*number).ok().and_then(|number| self.dense.get(number));
            if let Some(&id) = known.filter(|&&id| id != ABSENT) {
                return Some(ValueId(id));
            }
            if self.sparse_numbers == 0 {
                return None;
            }
        }
        match value {
            Value::Nil => Some(ValueId::NIL),
            Value::List(_) | Value::Map(_) => {
                let bytes = bytes_of(value);
                self.find_packed(&bytes, hash_of_packed(&bytes))
            }
            _ => self.find_other(value),
        }
    }

    /// The id of a value, if it is here: as [`Interner::find`] of [`Item::to_value`].
    pub fn find_item(&self, item: Item<'_>) -> Option<ValueId> {
        if let Item::Int(number) = item {
            return self.find(&Value::Int(number));
        }
        self.find(&item.to_value())
    }

    /// How many distinct values there are, nil included.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Never: nil is always here.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How much memory this takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.heap
            + self.packed.len()
            + self.values.len() * size_of::<Held>()
            + self.dense.len() * size_of::<u32>()
            // A control byte beside each.
            + self.others.capacity() * (size_of::<Other>() + 1)
    }

    /// Whether a number belongs into the dense table: no more than a few places of it may stay empty for each value.
    fn reaches(&self, number: i64) -> bool {
        (0..(4 * self.values.len() + 4096) as i64).contains(&number)
    }

    #[inline]
    fn intern_dense(&mut self, number: usize) -> ValueId {
        if number >= self.dense.len() {
            self.dense.resize((number + 1).next_power_of_two(), ABSENT);
        }
        if self.dense[number] == ABSENT {
            let value = Value::Int(number as i64);
            let known = if self.sparse_numbers == 0 { None } else { self.find_other(&value) };
            self.dense[number] = known.unwrap_or_else(|| self.add(value)).0;
        }
        ValueId(self.dense[number])
    }

    fn find_other(&self, value: &Value) -> Option<ValueId> {
        self.find_hashed(hash_of(value), value)
    }

    fn find_hashed(&self, hash: u32, value: &Value) -> Option<ValueId> {
        let is_it = |other: &Other| {
            other.hash == hash && matches!(&self.values[other.id as usize], Held::Plain(held) if held == value)
        };
        self.others.find(spread(hash), is_it).map(|other| ValueId(other.id))
    }

    /// The id of the list or map with these bytes and their [`hash_of_packed`], which is new if it is.
    pub(super) fn intern_packed(&mut self, bytes: &[u8], hash: u32) -> ValueId {
        let Interner { values, packed, others, .. } = self;
        let is_it = |other: &Other| other.hash == hash && values[other.id as usize].has_bytes(bytes, packed);
        match others.entry(spread(hash), is_it, |other| spread(other.hash)) {
            Entry::Occupied(known) => ValueId(known.get().id),
            Entry::Vacant(place) => {
                let id = next_id(values);
                let length = u32::try_from(bytes.len()).expect("a value is smaller than 4 GiB");
                values.push(Held::Packed { at: packed.len(), length, built: OnceLock::new() });
                packed.extend_from_slice(bytes);
                place.insert(Other { id: id.0, hash });
                id
            }
        }
    }

    fn find_packed(&self, bytes: &[u8], hash: u32) -> Option<ValueId> {
        let is_it = |other: &Other| other.hash == hash && self.values[other.id as usize].has_bytes(bytes, &self.packed);
        self.others.find(spread(hash), is_it).map(|other| ValueId(other.id))
    }

    fn intern_other(&mut self, value: Value) -> ValueId {
        // What the dense table once took stays there, though it would not take it now.
        if let Value::Int(_) = value
            && let Some(id) = self.find(&value)
        {
            return id;
        }
        let hash = hash_of(&value);
        if let Some(id) = self.find_hashed(hash, &value) {
            return id;
        }
        self.sparse_numbers += usize::from(matches!(value, Value::Int(_)));
        let id = self.add(value);
        self.others.insert_unique(spread(hash), Other { id: id.0, hash }, |other| spread(other.hash));
        id
    }

    fn add(&mut self, value: Value) -> ValueId {
        let id = next_id(&self.values);
        self.heap += value.heap_bytes();
        self.values.push(Held::Plain(value));
        id
    }
}

impl Held {
    /// Whether it is the list or map with these bytes.
    fn has_bytes(&self, bytes: &[u8], packed: &[u8]) -> bool {
        matches!(*self, Held::Packed { at, length, .. } if packed[at..at + length as usize] == *bytes)
    }
}

/// The id of the value that comes next.
fn next_id(values: &[Held]) -> ValueId {
    let id = u32::try_from(values.len()).ok().filter(|&id| id < ABSENT);
    ValueId(id.expect("a history holds fewer than 2^32 - 1 distinct values"))
}

fn hash_of(value: &Value) -> u32 {
    (FxBuildHasher.hash_one(value) >> 32) as u32
}

fn bytes_of(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    pack(value, &mut bytes);
    bytes
}

/// The hash by which the bytes of a list or map are found.
pub(super) fn hash_of_packed(bytes: &[u8]) -> u32 {
    (FxBuildHasher.hash_one(bytes) >> 32) as u32
}

/// The table looks at the first and at the last bits.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn equal_values_have_equal_ids_and_others_have_others(numbers in vec(a_number(), 0..200)) {
            let mut interner = Interner::default();
            let mut ids = HashMap::new();
            for number in numbers {
                let id = interner.intern(Value::Int(number));
                prop_assert_eq!(*ids.entry(number).or_insert(id), id);
                prop_assert_eq!(interner.get(id), &Value::Int(number));
                prop_assert_eq!(interner.find(&Value::Int(number)), Some(id));
            }
            prop_assert_eq!(interner.len(), ids.len() + 1);
        }
    }

    fn a_number() -> impl Strategy<Value = i64> {
        prop_oneof![-3..50_i64, 4_000..4_800_i64, 5_000..100_000_i64, any::<i64>()]
    }

    #[test]
    fn nil_is_always_the_first_and_ids_rise_in_the_order_of_first_use() {
        let mut interner = Interner::default();
        let values = [Value::Nil, Value::Int(7), Value::text("7"), Value::Int(-1), Value::Int(7), Value::Bool(true)];
        assert_eq!(values.map(|value| interner.intern(value).0), [0, 1, 2, 3, 1, 4]);
        assert_eq!(interner.find(&Value::Int(8)), None);
    }

    #[test]
    fn a_number_that_came_before_the_dense_table_reached_it_keeps_its_id() {
        let mut interner = Interner::default();
        let early = interner.intern(Value::Int(5_000));
        for number in 0..5_000 {
            interner.intern(Value::Int(number));
        }
        assert_eq!(interner.intern(Value::Int(5_000)), early);
        assert_eq!(interner.find(&Value::Int(5_000)), Some(early));
    }
}
