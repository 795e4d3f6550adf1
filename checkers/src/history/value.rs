//! Values as histories hold them.

use std::fmt;

/// A value of an operation: an argument, a result, a key.
///
/// Keywords of EDN (`:x`) become text (`x`), so that the same history in EDN and in JSON is the same history.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Value {
    /// Nothing: JSON's `null`, EDN's `nil`.
    #[default]
    Nil,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number that is not whole, as it was written: checkers compare such numbers, they never calculate with them.
    Decimal(Box<str>),
    /// A string, symbol or keyword.
    Text(Box<str>),
    /// A vector or list.
    List(Box<[Value]>),
    /// A map, sorted by key; a set is a map of its elements to themselves.
    Map(Box<[(Value, Value)]>),
}

impl Value {
    /// Text.
    pub fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    /// A pair, as `cas` takes it.
    pub fn pair(first: Value, second: Value) -> Value {
        Value::List(Box::new([first, second]))
    }

    /// A map of these entries, sorted; or the key that stands twice among them.
    pub(super) fn map(mut entries: Vec<(Value, Value)>) -> Result<Value, Value> {
        entries.sort_unstable();
        match entries.windows(2).position(|pair| pair[0].0 == pair[1].0) {
            Some(twice) => Err(entries.swap_remove(twice).0),
            None => Ok(Value::Map(entries.into_boxed_slice())),
        }
    }

    /// A number that is not whole, in the shortest digits that stand for it, whatever the format; `None` from 2^63 on,
    /// where JSON's numbers no longer tell whether they were whole.
    pub(super) fn decimal(number: f64) -> Option<Value> {
        (number.abs() < 9_223_372_036_854_775_808.0).then(|| Value::Decimal(format!("{number:?}").into()))
    }

    /// The two elements of a list of two.
    pub fn as_pair(&self) -> Option<(&Value, &Value)> {
        match self {
            Value::List(items) => match &**items {
                [first, second] => Some((first, second)),
                _ => None,
            },
            _ => None,
        }
    }

    /// What a value holds beside its own place, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Value::Nil | Value::Bool(_) | Value::Int(_) => 0,
            Value::Decimal(text) | Value::Text(text) => ALLOCATION + text.len(),
            Value::List(items) => {
                ALLOCATION + items.iter().map(|item| size_of::<Value>() + item.heap_bytes()).sum::<usize>()
            }
            Value::Map(entries) => {
                let entry =
                    |(key, value): &(Value, Value)| size_of::<(Value, Value)>() + key.heap_bytes() + value.heap_bytes();
                ALLOCATION + entries.iter().map(entry).sum::<usize>()
            }
        }
    }

    /// What kind of value it is, for messages: `a number`.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Bool(_) => "a truth value",
            Value::Int(_) | Value::Decimal(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

/// What an allocator takes for itself beside each piece of memory, about.
const ALLOCATION: usize = 16;

/// How deep the values of a file may nest: any reader of any format stays far from the end of its stack.
pub(super) const NESTING: usize = 100;

/// Whether a person could not tell where the text ends, or that it is text.
fn is_not_plain(text: &str) -> bool {
    text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) || text.parse::<i64>().is_ok()
}

/// As a person reads it: `nil`, `7`, `[1 2]`. Text stands bare where nobody could take it for anything else.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => f.write_str("nil"),
            Value::Bool(truth) => write!(f, "{truth}"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Decimal(number) => f.write_str(number),
            Value::Text(text) if is_not_plain(text) => write!(f, "{text:?}"),
            Value::Text(text) => f.write_str(text),
            Value::List(items) => {
                f.write_str("[")?;
                for (n, item) in items.iter().enumerate() {
                    if n > 0 {
                        f.write_str(" ")?;
                    }
                    write!(f, "{item}")?;
                }
                f.write_str("]")
            }
            Value::Map(entries) => {
                f.write_str("{")?;
                for (n, (key, value)) in entries.iter().enumerate() {
                    if n > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{key} {value}")?;
                }
                f.write_str("}")
            }
        }
    }
}
