//! Events as nearly all tools write them, read in one pass: the fields of histories and no others, whole numbers, text
//! without escapes, short lists.
//!
//! Anything else is no problem here but left to serde_json, which alone decides what is right and says what is wrong. A
//! property test holds that both read the same.

use super::super::batch::{Batch, BatchedEvent, BatchedValue, Lists, Name, Who, function_of};
use super::super::packed::{Item, OpenList, pack, pack_int, pack_text};
use super::super::{EventType, Value};

/// The event that stands at the beginning of `text`, and where it ends; `None` if it is not plain.
#[inline]
pub(super) fn event(text: &str, at: u32, batch: &mut Batch) -> Option<(BatchedEvent, usize)> {
    let known = batch.lists.bytes.len();
    let event = plain_event(text, at, batch);
    if event.is_none() {
        batch.lists.bytes.truncate(known);
    }
    event
}

fn plain_event(text: &str, at: u32, batch: &mut Batch) -> Option<(BatchedEvent, usize)> {
    let Batch { names, lists, .. } = batch;
    let mut plain = Plain { text, at: 0 };
    plain.expect(b'{')?;
    let mut known: u8 = 0;
    let (mut index, mut time, mut who, mut event_type) = (None, None, Who::Unsaid, None);
    let (mut function, mut key, mut value): (Option<Name>, _, _) = (None, None, BatchedValue::Plain(Value::Nil));
    loop {
        let field = plain.field()?;
        plain.expect(b':')?;
        match field {
            Field::Index => index = Some(plain.counted()?),
            Field::Time => time = Some(plain.counted()?),
            Field::Process => who = Who::Client(u32::try_from(plain.counted()?).ok()?),
            Field::Type => event_type = Some(plain.event_type()?),
            Field::F => function = Some(names.id_of(plain.string()?)),
            Field::Key => {
                let read = plain.value(lists)?;
                key = Some(match read {
                    BatchedValue::Plain(value) => value,
                    packed @ BatchedValue::Packed { .. } => lists.item(&packed).to_value(),
                });
            }
            Field::Value => value = plain.value(lists)?,
        }
        if known & (1 << field as u8) != 0 {
            return None;
        }
        known |= 1 << field as u8;
        match plain.next()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    let function = function.or_else(|| function_of(lists.item(&value)).map(|name| names.id_of(name)))?;
    let event_type = event_type?;
    let event = BatchedEvent { at, event_type, who, function, index, time, key, value, error: None };
    Some((event, plain.at))
}

#[derive(Clone, Copy)]
enum Field {
    Index,
    Time,
    Process,
    Type,
    F,
    Key,
    Value,
}

/// How many lists may lie in each other.
const LISTS: usize = 4;

struct Plain<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Plain<'a> {
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while *bytes.get(self.at)? == b' ' {
            self.at += 1;
        }
        Some(bytes[self.at])
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    /// Goes past a word in quotes, if it stands next.
    fn quoted(&mut self, word_and_quote: &str) -> bool {
        let found = self.text.as_bytes()[self.at..].starts_with(word_and_quote.as_bytes());
        if found {
            self.at += word_and_quote.len();
        }
        found
    }

    fn field(&mut self) -> Option<Field> {
        self.expect(b'"')?;
        let (name, field) = match self.text.as_bytes().get(self.at..self.at + 2)? {
            b"in" => ("index\"", Field::Index),
            b"ti" => ("time\"", Field::Time),
            b"pr" => ("process\"", Field::Process),
            b"ty" => ("type\"", Field::Type),
            b"f\"" => ("f\"", Field::F),
            b"ke" => ("key\"", Field::Key),
            b"va" => ("value\"", Field::Value),
            _ => return None,
        };
        self.quoted(name).then_some(field)
    }

    fn event_type(&mut self) -> Option<EventType> {
        self.expect(b'"')?;
        let types = [
            ("invoke\"", EventType::Invoke),
            ("ok\"", EventType::Ok),
            ("fail\"", EventType::Fail),
            ("info\"", EventType::Info),
        ];
        types.into_iter().find(|(word, _)| self.quoted(word)).map(|(_, event_type)| event_type)
    }

    fn string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let begin = self.at;
        let plain = |byte: &u8| !matches!(byte, b'"' | b'\\' | 0..=0x1f);
        let length = self.text.as_bytes()[begin..].iter().position(|byte| !plain(byte))?;
        self.at = begin + length;
        self.expect(b'"')?;
        Some(&self.text[begin..begin + length])
    }

    /// A whole number from 0, of few enough digits not to be too large.
    fn counted(&mut self) -> Option<u64> {
        self.peek()?;
        let begin = self.at;
        let mut number = 0;
        for byte in self.text.as_bytes()[begin..].iter().take(19) {
            if !byte.is_ascii_digit() {
                break;
            }
            number = number * 10 + u64::from(byte - b'0');
            self.at += 1;
        }
        let digits = &self.text.as_bytes()[begin..self.at];
        let is_number = matches!(digits, [b'0'] | [b'1'..=b'9', ..]) && digits.len() < 19;
        // A fraction, an exponent or more digits may follow.
        let ends = matches!(self.text.as_bytes().get(self.at), Some(b',' | b'}' | b']' | b' '));
        (is_number && ends).then_some(number)
    }

    fn value(&mut self, lists: &mut Lists) -> Option<BatchedValue> {
        if self.peek()? != b'[' {
            return Some(BatchedValue::Plain(match self.scalar()? {
                Item::Int(number) => Value::Int(number),
                Item::Nil => Value::Nil,
                other => other.to_value(),
            }));
        }
        let begin = lists.bytes.len();
        self.pack_list(LISTS - 1, &mut lists.bytes)?;
        Some(lists.packed_since(begin))
    }

    #[inline]
    fn scalar(&mut self) -> Option<Item<'a>> {
        Some(match self.peek()? {
            b'n' => self.word("null", Item::Nil)?,
            b't' => self.word("true", Item::Bool(true))?,
            b'f' => self.word("false", Item::Bool(false))?,
            b'"' => Item::Text(self.string()?),
            b'-' => {
                self.at += 1;
                // There is no whole number -0.
                match (self.text.as_bytes().get(self.at)?, self.counted()?) {
                    (b'1'..=b'9', number) => Item::Int(-i64::try_from(number).ok()?),
                    _ => return None,
                }
            }
            _ => Item::Int(i64::try_from(self.counted()?).ok()?),
        })
    }

    fn word(&mut self, word: &str, value: Item<'a>) -> Option<Item<'a>> {
        self.text.as_bytes()[self.at..].starts_with(word.as_bytes()).then(|| {
            self.at += word.len();
            value
        })
    }

    /// Appends the list that stands next, in which others may lie so deep.
    fn pack_list(&mut self, deep: usize, out: &mut Vec<u8>) -> Option<()> {
        self.at += 1;
        let list = OpenList::begin(out);
        let mut items = 0;
        if self.peek()? == b']' {
            self.at += 1;
            list.end(items, out);
            return Some(());
        }
        loop {
            match self.peek()? {
                b'[' if deep > 0 => self.pack_list(deep - 1, out)?,
                _ => match self.scalar()? {
                    Item::Int(number) => pack_int(number, out),
                    Item::Text(text) => pack_text(text, out),
                    other => pack(&other.to_value(), out),
                },
            }
            items += 1;
            match self.next()? {
                b',' => {}
                b']' => {
                    list.end(items, out);
                    return Some(());
                }
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde::de::DeserializeSeed;

    use super::super::event::AnEvent;
    use super::*;

    proptest! {
        #[test]
        fn what_is_plain_is_what_serde_json_reads(parts in proptest::collection::vec(a_part(), 0..9)) {
            let text = format!("{{{}}}", parts.join(","));
            let (mut batch, mut serde_batch) = (Batch::default(), Batch::default());
            if let Some((event, end)) = event(&text, 7, &mut batch) {
                let mut json = serde_json::Deserializer::from_str(&text);
                let read = AnEvent { batch: &mut serde_batch, at: 7 }.deserialize(&mut json);
                prop_assert!(read.is_ok() && json.end().is_ok() && end == text.len(), "{text}");
                let name = |event: &BatchedEvent, batch: &Batch| batch.names.get(event.function).to_owned();
                let fields = |event: &BatchedEvent, batch: &Batch| format!(
                    "{:?} {:?} {:?} {:?} {:?} {:?} {:?}",
                    event.at, event.event_type, event.who, event.index, event.time, event.key,
                    batch.lists.item(&event.value).to_value()
                );
                let read = read.unwrap();
                prop_assert_eq!(fields(&event, &batch), fields(&read, &serde_batch));
                prop_assert_eq!(name(&event, &batch), name(&read, &serde_batch));
            }
        }
    }

    fn a_part() -> impl Strategy<Value = String> {
        let field = select(&["index", "time", "process", "type", "f", "key", "value", "error", "other"][..]);
        let value = select(
            &[
                "0",
                "7",
                "-0",
                "-3",
                "01",
                "-",
                "1.5",
                "1e3",
                "999999999999999999",
                "9999999999999999999",
                "18446744073709551616",
                "4294967296",
                "null",
                "nul",
                "true",
                "false",
                "\"invoke\"",
                "\"ok\"",
                "\"é\"",
                "\"a\\n\"",
                "\"\n\"",
                "[]",
                "[ ]",
                "[1,]",
                "[1 , -2,null]",
                "[[\"r\",1,null],[\"append\", \"x\" ,2]]",
                "[[[[[1]]]]]",
                "{\"a\":1}",
                "\"",
                "",
                " 4 ",
                "4\t",
                "\t4",
            ][..],
        );
        let usual = select(
            &["\"index\":3", "\"process\":1", "\"type\":\"ok\"", "\"f\":\"read\"", "\"time\": 5", "\"value\":null"][..],
        );
        prop_oneof![
            3 => usual.prop_map(str::to_owned),
            1 => (field, value).prop_map(|(field, value)| format!("\"{field}\":{value}")),
        ]
    }

    #[test]
    fn what_most_tools_write_is_plain() {
        for text in [
            r#"{"index":0,"time":134364,"process":0,"type":"invoke","f":"read","key":7,"value":null}"#,
            r#"{"index": 1, "process": 1, "type": "ok", "f": "txn", "value": [["append", "x", 1], ["r", 8, [1, 2]]]}"#,
            r#"{"process":1,"type":"ok","value":[["append","x",-1]]}"#,
        ] {
            assert_eq!(event(text, 0, &mut Batch::default()).map(|(_, end)| end), Some(text.len()), "{text}");
        }
    }
}
