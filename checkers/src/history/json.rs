//! Histories in JSON: an object an event, one a line or all in an array.
//!
//! serde_json calls the visitors below with each token, and they fill an [`Event`]: no tree of JSON values between.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::read::{LONGEST, Lines, Origin};
use super::value::NESTING;
use super::write::write_nested;
use super::{Event, EventType, History, HistoryBuilder, Process, ReadError, Value};

/// Reads a history with one object a line; blank lines are nothing.
pub(super) fn read_lines(origin: Origin<'_>, text: impl BufRead) -> Result<History, ReadError> {
    let mut history = HistoryBuilder::new();
    let mut lines = Lines::new(origin, text);
    while let Some((number, line)) = lines.next()? {
        let line = line.trim_end();
        let blank = line.len() - line.trim_start().len();
        if blank == line.len() {
            continue;
        }
        let event = parse(line, AnEvent).map_err(|error| origin.malformed(number, error.column(), sentence(&error)))?;
        history.push(event).map_err(|rule| origin.malformed(number, blank + 1, rule))?;
    }
    Ok(history.finish())
}

/// Reads a history that is one array of objects, as a stream.
pub(super) fn read_array(origin: Origin<'_>, text: impl BufRead) -> Result<History, ReadError> {
    let meter = Meter::default();
    let metered = BufReader::with_capacity(64 << 10, Metered { text, meter: &meter });
    let mut json = serde_json::Deserializer::from_reader(metered);
    let mut history = HistoryBuilder::new();
    let events = Events { history: &mut history, meter: &meter };
    match json.deserialize_seq(events).and_then(|()| json.end()) {
        Ok(()) => Ok(history.finish()),
        Err(_) if meter.since_event.get() > LONGEST => {
            let problem = "found an event of more than 256 MiB: expected a shorter one";
            Err(origin.malformed(1 + meter.newlines.get(), meter.since_newline.get(), problem))
        }
        Err(error) if error.is_io() => Err(origin.io(error.into())),
        Err(error) => Err(origin.malformed(error.line(), error.column(), sentence(&error))),
    }
}

/// How deep keys of maps may hold maps whose keys hold maps. Text within text is escaped again at each level, so that
/// its length doubles.
pub(super) const KEY_NESTING: usize = 4;

/// The value that a key of a JSON object stands for: what it says when it is itself JSON as we write it (`"0"` is the
/// number 0, `"[1,2]"` a list), and otherwise the text that it is. `keys` is how many more keys may lie within keys.
pub(super) fn key_of(text: &str, keys: usize) -> Value {
    fn inner(text: &str, keys: usize) -> Option<Value> {
        match text.as_bytes() {
            [b'-' | b'0'..=b'9' | b'"' | b'[' | b'{', ..] | b"null" | b"true" | b"false" if keys > 0 => {
                let value = parse(text, AValue { depth: NESTING, keys: keys - 1 }).ok()?;
                let mut written = Vec::with_capacity(text.len());
                write_nested(&value, keys - 1, &mut written).ok()?;
                (written == text.as_bytes()).then_some(value)
            }
            _ => None,
        }
    }
    inner(text, keys).unwrap_or_else(|| Value::text(text))
}

fn parse<'de, S: DeserializeSeed<'de>>(text: &'de str, seed: S) -> Result<S::Value, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = seed.deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

/// What serde_json says, without the place that it appends: our errors have it in front.
fn sentence(error: &serde_json::Error) -> String {
    let mut sentence = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    if sentence.ends_with(&place) {
        sentence.truncate(sentence.len() - place.len());
    }
    sentence
}

/// Stops a stream of which one event fills [`LONGEST`] bytes, so that memory stays bounded.
struct Metered<'a, R> {
    text: R,
    meter: &'a Meter,
}

/// How much was read, in bytes and lines.
#[derive(Default)]
struct Meter {
    since_event: Cell<usize>,
    since_newline: Cell<usize>,
    newlines: Cell<usize>,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(buffer)?;
        let Meter { since_event, since_newline, newlines } = self.meter;
        since_event.set(since_event.get() + read);
        match buffer[..read].iter().rposition(|&byte| byte == b'\n') {
            Some(last) => since_newline.set(read - last - 1),
            None => since_newline.set(since_newline.get() + read),
        }
        newlines.set(newlines.get() + buffer[..read].iter().filter(|&&byte| byte == b'\n').count());
        if since_event.get() > LONGEST { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(read) }
    }
}

/// The array of events: pushes each as it comes.
struct Events<'a> {
    history: &'a mut HistoryBuilder,
    meter: &'a Meter,
}

impl<'de> Visitor<'de> for Events<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut events: A) -> Result<(), A::Error> {
        while let Some(event) = events.next_element_seed(AnEvent)? {
            self.history.push(event).map_err(A::Error::custom)?;
            self.meter.since_event.set(0);
        }
        Ok(())
    }
}

struct AnEvent;

impl<'de> DeserializeSeed<'de> for AnEvent {
    type Value = Event;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Event, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for AnEvent {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event: an object with process, type and f")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Event, A::Error> {
        fn once<T, E: serde::de::Error>(slot: &mut Option<T>, name: &'static str, value: T) -> Result<(), E> {
            match slot.replace(value) {
                None => Ok(()),
                Some(_) => Err(E::custom(format_args!("found the field {name} twice: expected it once"))),
            }
        }
        let (mut index, mut time, mut process, mut event_type) = (None, None, None, None);
        let (mut function, mut key, mut value, mut error) = (None, None, None, None);
        while let Some(field) = fields.next_key_seed(AField)? {
            match field {
                Field::Index => once(&mut index, "index", fields.next_value_seed(ANumber("index"))?)?,
                Field::Time => once(&mut time, "time", fields.next_value_seed(ANumber("time"))?)?,
                Field::Process => once(&mut process, "process", fields.next_value_seed(AProcess)?)?,
                Field::Type => once(&mut event_type, "type", fields.next_value_seed(AType)?)?,
                Field::F => once(&mut function, "f", fields.next_value::<String>()?)?,
                Field::Key => once(&mut key, "key", fields.next_value_seed(AValue::new())?)?,
                Field::Value => once(&mut value, "value", fields.next_value_seed(AValue::new())?)?,
                Field::Error => once(&mut error, "error", fields.next_value_seed(AValue::new())?)?,
                Field::Other => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        let missing =
            |name| A::Error::custom(format_args!("found no {name}: expected an event with process, type and f"));
        Ok(Event {
            index: index.flatten(),
            time: time.flatten(),
            process: process.ok_or_else(|| missing("process"))?,
            event_type: event_type.ok_or_else(|| missing("type"))?,
            function: function.ok_or_else(|| missing("f"))?,
            key,
            value: value.unwrap_or_default(),
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

struct AProcess;

impl<'de> DeserializeSeed<'de> for AProcess {
    type Value = Process;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Process, D::Error> {
        json.deserialize_any(self)
    }
}

impl Visitor<'_> for AProcess {
    type Value = Process;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("process: a whole number from 0 to 4294967295, or a name")
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Process, E> {
        match u32::try_from(number) {
            Ok(number) => Ok(Process::Client(number)),
            Err(_) => Err(E::invalid_value(serde::de::Unexpected::Unsigned(number), &self)),
        }
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Process, E> {
        Err(E::invalid_value(serde::de::Unexpected::Signed(number), &self))
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Process, E> {
        Process::named(name).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(name), &self))
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

/// A value that may still nest `depth` deep, with keys of maps within keys of maps `keys` deep.
#[derive(Clone, Copy)]
struct AValue {
    depth: usize,
    keys: usize,
}

impl AValue {
    fn new() -> AValue {
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

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn history(text: &str) -> History {
        read("h", text.as_bytes()).unwrap()
    }

    fn error_of(text: &str) -> String {
        read("h", text.as_bytes()).unwrap_err().to_string()
    }

    fn value_of(json: &str) -> Value {
        let text = format!("{{\"process\":0,\"type\":\"invoke\",\"f\":\"f\",\"value\":{json}}}");
        history(&text).operation(super::super::OperationId(0)).argument().clone()
    }

    fn text(text: &str) -> Value {
        Value::text(text)
    }

    #[test]
    fn an_operation_has_all_that_its_events_say() {
        let history = history(
            r#"{"index":10,"time":134364,"process":3,"type":"invoke","f":"read","key":7,"value":null,"extra":[{}]}

               {"error":["no",1],"type":"fail","f":"read","process":3,"time":-1,"value":null}
               {"process":"nemesis","type":"info","f":"kill","value":["n1"]}"#,
        );
        let read = history.operation(super::super::OperationId(0));
        assert_eq!((read.index(), read.process(), read.function(), read.key()), (10, 3, "read", Some(&Value::Int(7))));
        assert_eq!((read.invoked_at(), read.completed_at()), (Some(134_364), None));
        assert_eq!(read.error(), Some(&Value::pair(text("no"), Value::Int(1))));
        assert_eq!(history.nemesis()[0].function, "kill");
        assert_eq!(history.event_count(), 3);
    }

    #[test]
    fn an_array_holds_the_same_history_as_lines() {
        let lines =
            "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}\n{\"process\":0,\"type\":\"ok\",\"f\":\"read\"}";
        let array = format!("[{}\n]", lines.replace('\n', ",\n"));
        assert_eq!(history(lines).outcomes(), history(&array).outcomes());
        assert!(history("[]").is_empty());
    }

    #[test]
    fn values_keep_their_kinds() {
        assert_eq!(value_of("null"), Value::Nil);
        assert_eq!(value_of("true"), Value::Bool(true));
        assert_eq!(value_of("-9223372036854775808"), Value::Int(i64::MIN));
        assert_eq!(value_of("1.50"), Value::Decimal("1.5".into()));
        assert_eq!(value_of("\"a\\n\""), text("a\n"));
        assert_eq!(value_of("[1,[]]"), Value::pair(Value::Int(1), Value::List(Box::default())));
        let sorted = [(text("a"), Value::Int(1)), (text("b"), Value::Nil)];
        assert_eq!(value_of(r#"{"b":null,"a":1}"#), Value::Map(sorted.into()));
    }

    #[test]
    fn a_key_that_is_json_is_that_value_and_any_other_is_text() {
        for (key, value) in [
            ("0", Value::Int(0)),
            ("-7", Value::Int(-7)),
            ("null", Value::Nil),
            ("1.5", Value::Decimal("1.5".into())),
            ("[1,\"x\"]", Value::pair(Value::Int(1), text("x"))),
            ("\"0\"", text("0")),
            ("007", text("007")),
            ("1.50", text("1.50")),
            ("[1, 2]", text("[1, 2]")),
            ("nullable", text("nullable")),
            ("x", text("x")),
            ("", text("")),
        ] {
            assert_eq!(key_of(key, KEY_NESTING), value, "{key}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (json, error) in [
            (r#"{"type":"invoke","f":"r"}"#, "h:1:25: found no process: expected an event with process, type and f"),
            (r#"{"process":0,"f":"r"}"#, "h:1:21: found no type: expected an event with process, type and f"),
            (r#"{"process":0,"type":"ok"}"#, "h:1:25: found no f: expected an event with process, type and f"),
            (r#"{"process":-1}"#, "h:1:13: invalid value: integer `-1`, expected process: a whole number from 0"),
            (r#"{"process":4294967296}"#, "h:1:21: invalid value: integer `4294967296`, expected process"),
            (r#"{"process":"0"}"#, "h:1:14: invalid value: string \"0\", expected process: a whole number"),
            (r#"{"type":"begin"}"#, "h:1:15: invalid value: string \"begin\", expected type: invoke, ok, fail or info"),
            (r#"{"time":-2}"#, "h:1:10: invalid value: integer `-2`, expected time: a whole number from 0"),
            (r#"{"f":"r","f":"r"}"#, "h:1:17: found the field f twice: expected it once"),
            (r#"{"value":9223372036854775808}"#, "h:1:28: found 9223372036854775808: expected a number that fits"),
            (
                r#"{"value":1000000000000000000000}"#,
                "h:1:31: found 1000000000000000000000: expected a number that fits",
            ),
            (r#"{"value":{"a":1,"a":2}}"#, "h:1:22: found the key a twice: expected it once"),
            (r#"{"value":{"a""#, "h:1:13: EOF while parsing an object"),
            ("{\"process\":0,\n\"f\":\"r\"}", "h:1:13: EOF while parsing a value"),
        ] {
            assert!(error_of(json).starts_with(error), "{json} gave {}", error_of(json));
        }
    }

    #[test]
    fn a_broken_rule_is_told_at_its_event() {
        let ok = r#"{"process":0,"type":"ok","f":"read"}"#;
        assert!(error_of(&format!("\n  {ok}\n")).starts_with("h:2:3: process 0 completes read, but has nothing open"));
        let error = error_of(&format!("[\n{ok}]"));
        assert!(error.starts_with("h:2:37: process 0 completes read, but has nothing open"), "{error}");
    }

    #[test]
    fn an_array_must_end_and_nothing_may_follow_it() {
        assert!(error_of("[{}").starts_with("h:1:3: found no process"));
        let event = r#"{"process":0,"type":"invoke","f":"read"}"#;
        assert_eq!(error_of(&format!("[{event}")), "h:1:41: EOF while parsing a list");
        assert_eq!(error_of(&format!("[{event}]\n7")), "h:2:1: trailing characters");
    }

    #[test]
    fn deep_nesting_is_an_error_and_never_an_overflow() {
        let event = |value: &str| format!("{{\"process\":0,\"type\":\"invoke\",\"f\":\"f\",\"value\":{value}}}");
        let nested = |depth: usize| event(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
        assert_eq!(history(&nested(NESTING)).len(), 1);
        assert!(error_of(&nested(NESTING + 1)).contains("found a value nested more than 100 deep"));
        for depth in [200, 100_000] {
            let lines = error_of(&nested(depth));
            assert!(lines.contains("nested more than 100 deep"), "{lines}");
            assert!(error_of(&format!("[{}]", nested(depth))).contains("nested more than 100 deep"));
        }
        let ignored = nested(100_000).replace("\"value\"", "\"other\"");
        assert_eq!(history(&ignored).len(), 1);
    }

    #[test]
    fn an_endless_event_of_an_array_is_refused() {
        let endless = io::Cursor::new(b"[\n{\"f\":\"".to_vec()).chain(io::repeat(b'x'));
        let error = read("h", endless).unwrap_err().to_string();
        assert!(error.starts_with("h:2:"), "{error}");
        assert!(error.contains("found an event of more than 256 MiB"), "{error}");
    }
}
