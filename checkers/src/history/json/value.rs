//! Values in JSON. An object's keys are text, but stand for other values where they are JSON as we write it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::super::Value;
use super::super::value::NESTING;
use super::super::write::write_nested;

/// How deep keys of maps may hold maps whose keys hold maps. Text within text is escaped again at each level, so that
/// its length doubles.
pub(in super::super) const KEY_NESTING: usize = 4;

/// The value that a key of a JSON object stands for: what it says when it is itself JSON as we write it (`"0"` is the
/// number 0, `"[1,2]"` a list), and otherwise the text that it is. `keys` is how many more keys may lie within keys.
pub(in super::super) fn key_of(text: &str, keys: usize) -> Value {
    fn inner(text: &str, keys: usize) -> Option<Value> {
        match text.as_bytes() {
            [b'-' | b'0'..=b'9' | b'"' | b'[' | b'{', ..] | b"null" | b"true" | b"false" if keys > 0 => {
                let mut json = serde_json::Deserializer::from_str(text);
                let value = AValue { depth: NESTING, keys: keys - 1 }.deserialize(&mut json).ok()?;
                json.end().ok()?;
                let mut written = Vec::with_capacity(text.len());
                write_nested(&value, keys - 1, &mut written).ok()?;
                (written == text.as_bytes()).then_some(value)
            }
            _ => None,
        }
    }
    inner(text, keys).unwrap_or_else(|| Value::text(text))
}

/// A value that may still nest `depth` deep, with keys of maps within keys of maps `keys` deep.
#[derive(Clone, Copy)]
pub(super) struct AValue {
    depth: usize,
    keys: usize,
}

impl AValue {
    pub(super) fn new() -> AValue {
        AValue { depth: NESTING, keys: KEY_NESTING }
    }

    fn inner<E: serde::de::Error>(self) -> Result<AValue, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(AValue { depth, ..self }),
            None => {
                Err(E::custom(format_args!("found a value nested more than {NESTING} deep: expected a flatter one")))
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for AValue {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number)
            .map(Value::Int)
            .map_err(|_| E::custom(format_args!("found {number}: expected a number that fits into 64 bits")))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        Value::decimal(number)
            .ok_or_else(|| E::custom(format_args!("found {number}: expected a number that fits into 64 bits")))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::text(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text.into_boxed_str()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::List(list.into_boxed_slice()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut map = Vec::new();
        while let Some(key) = entries.next_key_seed(AKey(self.keys))? {
            map.push((key, entries.next_value_seed(inner)?));
        }
        Value::map(map).map_err(|key| A::Error::custom(format_args!("found the key {key} twice: expected it once")))
    }
}

struct AKey(usize);

impl<'de> DeserializeSeed<'de> for AKey {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for AKey {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(key_of(text, self.0))
    }
}
