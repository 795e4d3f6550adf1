//! An event in JSON: an object. serde_json calls the visitors below with each token, and no tree of JSON values comes
//! between.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::super::EventType;
use super::super::batch::{Batch, BatchedEvent, Name, Names, Who, function_of};
use super::value::AValue;

/// The event that an object says, which begins at a byte of its piece.
pub(super) struct AnEvent<'b> {
    /// Where its names and lists go.
    pub batch: &'b mut Batch,
    pub at: u32,
}

impl<'de> DeserializeSeed<'de> for AnEvent<'_> {
    type Value = BatchedEvent;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<BatchedEvent, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for AnEvent<'_> {
    type Value = BatchedEvent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event: an object with process, type and f")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<BatchedEvent, A::Error> {
        fn once<T, E: serde::de::Error>(slot: &mut Option<T>, name: &'static str, value: T) -> Result<(), E> {
            match slot.replace(value) {
                None => Ok(()),
                Some(_) => Err(E::custom(format_args!("found the field {name} twice: expected it once"))),
            }
        }
        let (mut index, mut time, mut who, mut event_type) = (None, None, None, None);
        let (mut function, mut key, mut value, mut error) = (None, None, None, None);
        while let Some(field) = fields.next_key_seed(AField)? {
            match field {
                Field::Index => once(&mut index, "index", fields.next_value_seed(ANumber("index"))?)?,
                Field::Time => once(&mut time, "time", fields.next_value_seed(ANumber("time"))?)?,
                Field::Process => once(&mut who, "process", fields.next_value_seed(AProcess(&mut self.batch.names))?)?,
                Field::Type => once(&mut event_type, "type", fields.next_value_seed(AType)?)?,
                Field::F => once(&mut function, "f", fields.next_value_seed(AFunction(&mut self.batch.names))?)?,
                Field::Key => once(&mut key, "key", fields.next_value_seed(AValue::new())?)?,
                Field::Value => once(&mut value, "value", fields.next_value_seed(AValue::new())?)?,
                Field::Error => once(&mut error, "error", Box::new(fields.next_value_seed(AValue::new())?))?,
                Field::Other => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        let missing =
            |name| A::Error::custom(format_args!("found no {name}: expected an event with process, type and f"));
        let Batch { names, lists, .. } = self.batch;
        let value = lists.take(value.unwrap_or_default());
        let function = function.flatten().or_else(|| function_of(lists.item(&value)).map(|name| names.id_of(name)));
        Ok(BatchedEvent {
            at: self.at,
            index: index.flatten(),
            time: time.flatten(),
            who: who.flatten().unwrap_or(Who::Unsaid),
            event_type: event_type.ok_or_else(|| missing("type"))?,
            function: function.ok_or_else(|| missing("f"))?,
            key,
            value,
            error,
        })
    }
}

enum Field {
    Index,
    Time,
    Process,
    Type,
    F,
    Key,
    Value,
    Error,
    Other,
}

struct AField;

impl<'de> DeserializeSeed<'de> for AField {
    type Value = Field;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Field, D::Error> {
        json.deserialize_identifier(self)
    }
}

impl Visitor<'_> for AField {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Field, E> {
        Ok(match name {
            "index" => Field::Index,
            "time" => Field::Time,
            "process" => Field::Process,
            "type" => Field::Type,
            "f" => Field::F,
            "key" => Field::Key,
            "value" => Field::Value,
            "error" => Field::Error,
            _ => Field::Other,
        })
    }
}

/// `index` or `time`: from 0; null and Jepsen's -1 say that there is none.
struct ANumber(&'static str);

impl<'de> DeserializeSeed<'de> for ANumber {
    type Value = Option<u64>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Option<u64>, D::Error> {
        json.deserialize_any(self)
    }
}

impl Visitor<'_> for ANumber {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: a whole number from 0", self.0)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Option<u64>, E> {
        Ok(Some(number))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Option<u64>, E> {
        match number {
            -1 => Ok(None),
            _ => u64::try_from(number)
                .map(Some)
                .map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(number), &self)),
        }
    }

    fn visit_unit<E>(self) -> Result<Option<u64>, E> {
        Ok(None)
    }
}

struct AProcess<'n>(&'n mut Names);

impl<'de> DeserializeSeed<'de> for AProcess<'_> {
    type Value = Option<Who>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Option<Who>, D::Error> {
        json.deserialize_any(self)
    }
}

impl Visitor<'_> for AProcess<'_> {
    type Value = Option<Who>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("process: a whole number from 0 to 4294967295, or a name")
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Option<Who>, E> {
        match u32::try_from(number) {
            Ok(number) => Ok(Some(Who::Client(number))),
            Err(_) => Err(E::invalid_value(serde::de::Unexpected::Unsigned(number), &self)),
        }
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Option<Who>, E> {
        Err(E::invalid_value(serde::de::Unexpected::Signed(number), &self))
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Option<Who>, E> {
        Who::named(name, self.0).map(Some).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(name), &self))
    }

    fn visit_unit<E>(self) -> Result<Option<Who>, E> {
        Ok(None)
    }
}

struct AFunction<'n>(&'n mut Names);

impl<'de> DeserializeSeed<'de> for AFunction<'_> {
    type Value = Option<Name>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Option<Name>, D::Error> {
        json.deserialize_any(self)
    }
}

impl Visitor<'_> for AFunction<'_> {
    type Value = Option<Name>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("f: the name of a function")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<Name>, E> {
        Ok(Some(self.0.id_of(name)))
    }

    fn visit_unit<E>(self) -> Result<Option<Name>, E> {
        Ok(None)
    }
}

struct AType;

impl<'de> DeserializeSeed<'de> for AType {
    type Value = EventType;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<EventType, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for AType {
    type Value = EventType;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("type: invoke, ok, fail or info")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<EventType, E> {
        EventType::from_name(name).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(name), &self))
    }
}
