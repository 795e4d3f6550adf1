//! Lists and maps as histories hold them: a few bytes one behind the other, and no allocation for each.
//!
//! ```text
//!   [["append" 7 1] ["r" 8 [1 300]]]
//!
//!   list 2 items, 17 bytes │ list 3, 3 │ append │ 7 │ 1 │ list 3, 8 │ r │ 8 │ list 2, 4 │ 1 │ int, 2 bytes │ 300
//! ```
//!
//! A transaction is a list of lists, and a million of them as trees of [`Value`]s take a gigabyte. Here a small number is one
//! byte, and a list adds three to its items. Equal values have equal bytes, and no value's bytes begin another's: so
//! lists are equal, or one is the beginning of the other, exactly where their bytes are.

use super::Value;

/// A value as it lies in a history, read in place: nothing is allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// Nothing.
    Nil,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number that is not whole, as it was written.
    Decimal(&'a str),
    /// A string, symbol or keyword.
    Text(&'a str),
    /// A list.
    List(List<'a>),
    /// The keys and values of a map in turn, sorted by key.
    Map(List<'a>),
}

impl<'a> Item<'a> {
    /// The two items of a list of two.
    pub fn as_pair(self) -> Option<(Item<'a>, Item<'a>)> {
        match self {
            Item::List(list) if list.len() == 2 => {
                let mut items = list.iter();
                Some((items.next()?, items.next()?))
            }
            _ => None,
        }
    }

    /// The same value by itself, with all that is in it.
    pub fn to_value(self) -> Value {
        match self {
            Item::Nil => Value::Nil,
            Item::Bool(truth) => Value::Bool(truth),
            Item::Int(number) => Value::Int(number),
            Item::Decimal(number) => Value::Decimal(number.into()),
            Item::Text(text) => Value::text(text),
            Item::List(items) => Value::List(items.iter().map(Item::to_value).collect()),
            Item::Map(items) => {
                let mut items = items.iter().map(Item::to_value);
                let mut entries = Vec::with_capacity(items.len() / 2);
                while let (Some(key), Some(value)) = (items.next(), items.next()) {
                    entries.push((key, value));
                }
                Value::Map(entries.into_boxed_slice())
            }
        }
    }

    /// A value that is neither a list nor a map; `None` for those two.
    pub(super) fn of_plain(value: &'a Value) -> Option<Item<'a>> {
        Some(match value {
            Value::Nil => Item::Nil,
            Value::Bool(truth) => Item::Bool(*truth),
            Value::Int(number) => Item::Int(*number),
            Value::Decimal(number) => Item::Decimal(number),
            Value::Text(text) => Item::Text(text),
            Value::List(_) | Value::Map(_) => return None,
        })
    }

    /// The value whose bytes these are.
    pub(super) fn of_packed(mut bytes: &'a [u8]) -> Item<'a> {
        next_item(&mut bytes)
    }
}

impl std::fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_value().fmt(f)
    }
}

/// The items of a list. Comparing two costs as much as comparing their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct List<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> List<'a> {
    /// How many items there are.
    pub fn len(self) -> usize {
        self.count as usize
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.count == 0
    }

    /// The items, in order.
    pub fn iter(self) -> Items<'a> {
        Items { left: self.count, bytes: self.bytes }
    }

    /// The last item. Costs going through all others.
    pub fn last(self) -> Option<Item<'a>> {
        self.iter().last()
    }

    /// Whether the list begins with all items of another one.
    pub fn starts_with(self, other: List<'_>) -> bool {
        self.bytes.starts_with(other.bytes)
    }
}

impl<'a> IntoIterator for List<'a> {
    type Item = Item<'a>;
    type IntoIter = Items<'a>;

    fn into_iter(self) -> Items<'a> {
        self.iter()
    }
}

/// The items of a [`List`] that are left.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    left: u32,
    bytes: &'a [u8],
}

impl<'a> Items<'a> {
    /// The items that are left, as a list.
    pub fn rest(&self) -> List<'a> {
        List { count: self.left, bytes: self.bytes }
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        self.left = self.left.checked_sub(1)?;
        Some(next_item(&mut self.bytes))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Items<'_> {}

/// Whole numbers from 0 to below this are a byte by themselves; what lies from there on says what follows.
const SMALL: u8 = 0xc0;

const NIL: u8 = SMALL;
const FALSE: u8 = SMALL + 1;
const TRUE: u8 = SMALL + 2;
/// Whole numbers of 2, 4 and 8 bytes.
const INT_2: u8 = SMALL + 3;
const INT_4: u8 = SMALL + 4;
const INT_8: u8 = SMALL + 5;
/// A byte for the length, then the text.
const TEXT: u8 = SMALL + 6;
/// Four bytes for the length, then the text.
const LONG_TEXT: u8 = SMALL + 7;
const DECIMAL: u8 = SMALL + 8;
/// A byte for the number of items, a byte for their length, then the items.
const LIST: u8 = SMALL + 9;
/// The same with four bytes each.
const LONG_LIST: u8 = SMALL + 10;
const MAP: u8 = SMALL + 11;
/// The words of which transactions are full.
const WORD: u8 = SMALL + 12;
const WORDS: [&str; 3] = ["r", "w", "append"];

/// The item that the bytes begin with, which goes off them. Bytes are what [`pack`] and its kin wrote, whole.
fn next_item<'a>(bytes: &mut &'a [u8]) -> Item<'a> {
    let tag = take::<1>(bytes)[0];
    match tag {
        0..SMALL => Item::Int(i64::from(tag)),
        NIL => Item::Nil,
        FALSE => Item::Bool(false),
        TRUE => Item::Bool(true),
        INT_2 => Item::Int(i64::from(i16::from_le_bytes(take(bytes)))),
        INT_4 => Item::Int(i64::from(i32::from_le_bytes(take(bytes)))),
        INT_8 => Item::Int(i64::from_le_bytes(take(bytes))),
        TEXT => {
            let length = take::<1>(bytes)[0];
            Item::Text(take_text(bytes, length.into()))
        }
        LONG_TEXT => {
            let length = take_u32(bytes);
            Item::Text(take_text(bytes, length))
        }
        DECIMAL => {
            let length = take_u32(bytes);
            Item::Decimal(take_text(bytes, length))
        }
        LIST => {
            let [count, length] = take(bytes);
            Item::List(List { count: count.into(), bytes: take_slice(bytes, length.into()) })
        }
        LONG_LIST | MAP => {
            let (count, length) = (take_u32(bytes), take_u32(bytes));
            let list = List { count, bytes: take_slice(bytes, length) };
            if tag == MAP { Item::Map(list) } else { Item::List(list) }
        }
        _ => Item::Text(WORDS[usize::from(tag - WORD)]),
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (head, rest) = bytes.split_first_chunk().expect("packed values are whole");
    *bytes = rest;
    *head
}

fn take_u32(bytes: &mut &[u8]) -> u32 {
    u32::from_le_bytes(take(bytes))
}

fn take_slice<'a>(bytes: &mut &'a [u8], length: u32) -> &'a [u8] {
    let (head, rest) = bytes.split_at(length as usize);
    *bytes = rest;
    head
}

fn take_text<'a>(bytes: &mut &'a [u8], length: u32) -> &'a str {
    std::str::from_utf8(take_slice(bytes, length)).expect("packed text was text")
}

/// Appends a value.
pub(super) fn pack(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Nil => out.push(NIL),
        Value::Bool(truth) => out.push(if *truth { TRUE } else { FALSE }),
        Value::Int(number) => pack_int(*number, out),
        Value::Decimal(number) => {
            out.push(DECIMAL);
            out.extend_from_slice(&length(number.len()));
            out.extend_from_slice(number.as_bytes());
        }
        Value::Text(text) => pack_text(text, out),
        Value::List(items) => {
            let list = OpenList::begin(out);
            items.iter().for_each(|item| pack(item, out));
            list.end(items.len(), out);
        }
        Value::Map(entries) => {
            let begin = out.len();
            out.extend_from_slice(&[MAP; 9]);
            for (key, value) in entries {
                pack(key, out);
                pack(value, out);
            }
            let bytes = length(out.len() - begin - 9);
            out[begin + 1..begin + 5].copy_from_slice(&length(2 * entries.len()));
            out[begin + 5..begin + 9].copy_from_slice(&bytes);
        }
    }
}

pub(super) fn pack_int(number: i64, out: &mut Vec<u8>) {
    if (0..i64::from(SMALL)).contains(&number) {
        out.push(number as u8);
    } else if let Ok(number) = i16::try_from(number) {
        out.push(INT_2);
        out.extend_from_slice(&number.to_le_bytes());
    } else if let Ok(number) = i32::try_from(number) {
        out.push(INT_4);
        out.extend_from_slice(&number.to_le_bytes());
    } else {
        out.push(INT_8);
        out.extend_from_slice(&number.to_le_bytes());
    }
}

pub(super) fn pack_text(text: &str, out: &mut Vec<u8>) {
    if let Some(word) = WORDS.iter().position(|word| *word == text) {
        out.push(WORD + word as u8);
        return;
    }
    match u8::try_from(text.len()) {
        Ok(length) => out.extend_from_slice(&[TEXT, length]),
        Err(_) => {
            out.push(LONG_TEXT);
            out.extend_from_slice(&length(text.len()));
        }
    }
    out.extend_from_slice(text.as_bytes());
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).expect("a value is smaller than 4 GiB").to_le_bytes()
}

/// A list whose items are being appended.
#[must_use]
pub(super) struct OpenList(usize);

impl OpenList {
    pub fn begin(out: &mut Vec<u8>) -> OpenList {
        let begin = out.len();
        out.extend_from_slice(&[LIST, 0, 0]);
        OpenList(begin)
    }

    /// The list has so many items.
    pub fn end(self, items: usize, out: &mut Vec<u8>) {
        let OpenList(begin) = self;
        let bytes = out.len() - begin - 3;
        match (u8::try_from(items), u8::try_from(bytes)) {
            (Ok(items), Ok(bytes)) => (out[begin + 1], out[begin + 2]) = (items, bytes),
            _ => {
                // Most lists are short: only those that are not move once more.
                out.extend_from_slice(&[0; 6]);
                out.copy_within(begin + 3..begin + 3 + bytes, begin + 9);
                out[begin] = LONG_LIST;
                out[begin + 1..begin + 5].copy_from_slice(&length(items));
                out[begin + 5..begin + 9].copy_from_slice(&length(bytes));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn packed(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        pack(value, &mut bytes);
        bytes
    }

    fn a_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            any::<bool>().prop_map(Value::Bool),
            prop_oneof![-2..300_i64, -40_000..40_000_i64, any::<i64>()].prop_map(Value::Int),
            prop_oneof!["[a-z]{0,7}", "r|w|append", "é{100,200}"].prop_map(|text| Value::text(&text)),
            any::<f64>().prop_filter_map("too large", Value::decimal),
        ];
        leaf.prop_recursive(4, 600, 300, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..300).prop_map(|items| Value::List(items.into())),
                vec((inner.clone(), inner), 0..4).prop_map(|entries| Value::map(entries).unwrap_or_default()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_packed_is_the_value(value in a_value()) {
            let bytes = packed(&value);
            prop_assert_eq!(Item::of_packed(&bytes).to_value(), value);
        }

        #[test]
        fn a_list_begins_with_another_where_its_bytes_do(
            items in vec(a_value(), 0..5), others in vec(a_value(), 0..5), common in 0..5_usize,
        ) {
            let others = [&items[..common.min(items.len())], &others].concat();
            let (one, two) = (packed(&Value::List(items.clone().into())), packed(&Value::List(others.clone().into())));
            let (Item::List(one), Item::List(two)) = (Item::of_packed(&one), Item::of_packed(&two)) else {
                panic!("lists are lists")
            };
            prop_assert_eq!(two.starts_with(one), others.starts_with(&items));
            prop_assert_eq!(two == one, others == items);
            prop_assert_eq!(one.last().map(Item::to_value), items.last().cloned());
        }
    }
}
