//! Histories in EDN, as Jepsen writes them: a vector or list of maps, or one map after another.
//!
//! The text is walked form by form, and clojure-reader reads each form. It knows the place of its own errors; every
//! other problem is told at the beginning of the event that has it.
//!
//! Keywords and symbols become text without their colon, characters and ratios become text too, and a tagged value
//! (`#jepsen.history.Op{…}`, `#inst "…"`) is the value behind its tag.
//!
//! # Independent keys
//! Jepsen's `independent` puts `[key value]` where another history has the value, and EDN does not show the difference:
//! `:f :cas, :value [1 2]` may be a cas from 1 to 2, or one on key 1. So [`Keys`] decides once for each history:
//!
//! - Only where clients do nothing but read, write and cas, without naming keys, may a pair be a key and a value.
//! - There it is one if the invocations of reads have pairs that end in nil, `:f :read, :value [7 nil]`. Every
//!   invocation and every `:ok` must then have a pair; in other completions, what is no pair stays as it is.
//! - Where the invocations of reads have other values, as `nil`, no pair is taken apart.
//! - A history with both kinds of reads is refused.
//!
//! An event may name its key in any history: by `:key 7`, or by a tag on the value, `#jepsen.independent/tuple [7 nil]`
//! or `#clojure.lang.MapEntry [7 nil]`.

use std::io::BufRead;

use clojure_reader::edn::{self, Edn};
use clojure_reader::error::{Code, Error};

use super::json::KEY_NESTING;
use super::read::{Lines, Origin};
use super::value::NESTING;
use super::{Event, EventType, History, HistoryBuilder, Process, ReadError, Value};

/// Reads a history from EDN.
pub(super) fn read(origin: Origin<'_>, source: impl BufRead) -> Result<History, ReadError> {
    let mut text = String::new();
    let mut lines = Lines::new(origin, source);
    while let Some((_, line)) = lines.next()? {
        text.push_str(line);
    }
    let mut forms = Forms::new(&text);
    let mut history = Keys::new(origin);
    let mut places = Places::new(&text);
    loop {
        let (at, form) = match forms.next() {
            Ok(Some(found)) => found,
            Ok(None) => return history.finish(),
            Err((at, problem)) => {
                let (line, column) = places.of(at);
                return Err(origin.malformed(line, column, problem));
            }
        };
        let (line, column) = places.of(at);
        let event = event(&form).map_err(|problem| origin.malformed(line, column, problem))?;
        history.push(event, (line, column))?;
    }
}

/// A problem and the byte at which it lies.
pub(super) type Problem = (usize, String);

/// One form at the beginning of `text`, and what follows it.
pub(super) fn read_form(text: &str) -> Result<(Edn<'_>, &str), Problem> {
    if let Some(at) = too_deep(text) {
        return Err((at, format!("found a value nested more than {NESTING} deep: expected a flatter one")));
    }
    edn::read(text).map_err(|error| {
        let at = error.ptr.unwrap_or(0);
        (at, sentence(&error, at == text.len()))
    })
}

/// A value of a history.
pub(super) fn value(form: &Edn<'_>) -> Result<Value, String> {
    nested(form, KEY_NESTING)
}

/// The forms of a history one after the other: those of the vector or list around them, or of the text itself.
struct Forms<'a> {
    text: &'a str,
    at: usize,
    around: Around,
    begun: bool,
}

enum Around {
    Nothing,
    Open { at: usize, closer: char },
    Closed,
}

impl<'a> Forms<'a> {
    fn new(text: &'a str) -> Self {
        Forms { text, at: 0, around: Around::Nothing, begun: false }
    }

    /// The next form that is not discarded by `#_`, and where it begins.
    fn next(&mut self) -> Result<Option<(usize, Edn<'a>)>, Problem> {
        let mut discards = 0;
        loop {
            self.skip_blank();
            let Some(next) = self.text[self.at..].chars().next() else {
                return match self.around {
                    Around::Open { at, closer } => {
                        Err((at, format!("found a history without its end: expected `{closer}` after its last event")))
                    }
                    _ if discards > 0 => Err((self.at, "found `#_` at the end: expected a form after it".to_owned())),
                    _ => Ok(None),
                };
            };
            match (next, &self.around) {
                (_, Around::Closed) => {
                    return Err((self.at, format!("found `{next}` after the end of the history: expected nothing")));
                }
                (closer, Around::Open { closer: expected, .. }) if closer == *expected && discards == 0 => {
                    self.around = Around::Closed;
                    self.at += 1;
                }
                ('[' | '(', Around::Nothing) if !self.begun && discards == 0 => {
                    self.around = Around::Open { at: self.at, closer: if next == '[' { ']' } else { ')' } };
                    self.at += 1;
                }
                _ if self.text[self.at..].starts_with("#_") => {
                    discards += 1;
                    self.at += 2;
                }
                _ => {
                    let at = self.at;
                    let (form, rest) =
                        read_form(&self.text[at..]).map_err(|(inside, problem)| (at + inside, problem))?;
                    self.at = self.text.len() - rest.len();
                    if discards == 0 {
                        self.begun = true;
                        return Ok(Some((at, form)));
                    }
                    discards -= 1;
                }
            }
        }
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.text[self.at..].trim_start_matches(|c: char| c == ',' || c.is_whitespace());
            self.at = self.text.len() - rest.len();
            if !rest.starts_with(';') {
                return;
            }
            self.at += rest.find(['\n', '\r']).unwrap_or(rest.len());
        }
    }
}

/// Turns offsets into lines and columns, quickly where they rise.
struct Places<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    line_start: usize,
}

impl<'a> Places<'a> {
    fn new(text: &'a str) -> Self {
        Places { text, at: 0, line: 1, line_start: 0 }
    }

    fn of(&mut self, offset: usize) -> (usize, usize) {
        if offset < self.at {
            *self = Places::new(self.text);
        }
        let passed = &self.text.as_bytes()[self.at..offset];
        self.line += passed.iter().filter(|&&byte| byte == b'\n').count();
        if let Some(newline) = passed.iter().rposition(|&byte| byte == b'\n') {
            self.line_start = self.at + newline + 1;
        }
        self.at = offset;
        (self.line, 1 + offset - self.line_start)
    }
}

/// Where the form at the beginning of `text` nests deeper than [`NESTING`], counting its brackets, tags and discards.
/// What is not well-formed here is left to the reader to refuse.
fn too_deep(text: &str) -> Option<usize> {
    // For each open bracket, and the text itself, how many tags and discards wait inside it for their form.
    let mut waiting = vec![0];
    let mut depth: usize = 0;
    let mut at = 0;
    let bytes = text.as_bytes();
    while let Some(&byte) = bytes.get(at) {
        let mut form_ends = false;
        let next = match byte {
            b'(' | b'[' | b'{' => {
                waiting.push(0);
                depth += 1;
                at + 1
            }
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(waiting.pop().unwrap_or(0) + 1);
                form_ends = true;
                at + 1
            }
            b'#' if bytes.get(at + 1) == Some(&b'{') => at + 1,
            b'#' => {
                *waiting.last_mut()? += 1;
                depth += 1;
                if bytes.get(at + 1) == Some(&b'_') { at + 2 } else { token_end(text, at + 1) }
            }
            b';' => bytes[at..].iter().position(|byte| b"\n\r".contains(byte)).map_or(text.len(), |end| at + end),
            b'"' => {
                form_ends = true;
                at + string_length(&text[at..])
            }
            b'\\' => {
                form_ends = true;
                let escaped = text[at + 1..].chars().next().map_or(0, char::len_utf8);
                token_end(text, at + 1 + escaped)
            }
            _ => {
                let end = token_end(text, at);
                form_ends = end > at;
                // A blank, which is as long as its character.
                if form_ends { end } else { at + text[at..].chars().next().map_or(1, char::len_utf8) }
            }
        };
        if depth > NESTING {
            return Some(at);
        }
        at = next;
        if form_ends {
            depth = depth.saturating_sub(std::mem::take(waiting.last_mut()?));
            if waiting.len() == 1 {
                return None;
            }
        }
    }
    None
}

/// Where the symbol, keyword, number or tag that goes on at `from` ends.
fn token_end(text: &str, from: usize) -> usize {
    let bytes = text.as_bytes();
    let ends = |&at: &usize| match bytes[at] {
        b'\t'..=b'\r' | b' ' | b',' | b';' | b'"' | b'(' | b')' | b'[' | b']' | b'{' | b'}' => true,
        0xc0.. => text[at..].starts_with(char::is_whitespace),
        _ => false,
    };
    (from..bytes.len()).find(ends).unwrap_or(bytes.len())
}

/// The length of the string that `text` begins with, its quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

/// What clojure-reader's codes mean.
fn sentence(error: &Error, at_end: bool) -> String {
    let problem = match &error.code {
        Code::HashMapDuplicateKey => "found a key twice in a map: expected it once",
        Code::SetDuplicateKey => "found an element twice in a set: expected it once",
        Code::InvalidChar => {
            "found an unknown character: expected `\\c`, `\\newline`, `\\return`, `\\space` or `\\tab`"
        }
        Code::InvalidEscape => "found an unknown escape in a string: expected `\\t`, `\\r`, `\\n`, `\\\\` or `\\\"`",
        Code::InvalidKeyword => "found a colon alone: expected a keyword",
        Code::InvalidNumber => "found a number that is not one, or does not fit into 64 bits: expected one that does",
        Code::InvalidRadix(_) => "found a number of unknown radix: expected a radix from 2 to 36",
        Code::InvalidTag => "found `#` without a tag behind it: expected `#tag value`, `#{…}` or `#_`",
        Code::UnexpectedEOF if at_end => "found the end of the text inside a form: expected the rest of the form",
        Code::UnexpectedEOF => "found a key without a value in a map: expected a value after each key",
        Code::UnmatchedDelimiter(closer) => return format!("found `{closer}`, which closes nothing here"),
        code => return format!("found what is not EDN: {code:?}"),
    };
    problem.to_owned()
}

/// The event that a form says.
fn event(form: &Edn<'_>) -> Result<Event, String> {
    let fields = match untagged(form) {
        Edn::Map(fields) => fields,
        other => return Err(format!("found {}: expected a map with :process, :type and :f", kind(other))),
    };
    let (mut index, mut time, mut process, mut event_type) = (None, None, None, None);
    let (mut function, mut key, mut value_form, mut error) = (None, None, None, None);
    for (name, field) in fields {
        match name_of(name) {
            Some("index") => index = number(field, "index")?,
            Some("time") => time = number(field, "time")?,
            Some("process") => process = Some(process_of(field)?),
            Some("type") => event_type = Some(type_of(field)?),
            Some("f") => match name_of(field) {
                Some(name) => function = Some(name.to_owned()),
                None => return Err(format!("found {} as :f: expected a keyword", kind(field))),
            },
            Some("key") => key = Some(value(field)?),
            Some("value") => value_form = Some(field),
            Some("error") => error = Some(value(field)?),
            _ => {}
        }
    }
    let mut held = value_form.map(value).transpose()?.unwrap_or_default();
    if key.is_none() && value_form.is_some_and(is_tagged_tuple) {
        let Some((tuple_key, tuple_value)) = take_pair(&mut held) else {
            return Err(format!("found {} as an independent tuple: expected [key value]", held.kind()));
        };
        (key, held) = (Some(tuple_key), tuple_value);
    }
    let missing = |name| format!("found no {name}: expected a map with :process, :type and :f");
    Ok(Event {
        index,
        time,
        process: process.ok_or_else(|| missing(":process"))?,
        event_type: event_type.ok_or_else(|| missing(":type"))?,
        function: function.ok_or_else(|| missing(":f"))?,
        key,
        value: held,
        error,
    })
}

fn untagged<'f, 'e>(mut form: &'f Edn<'e>) -> &'f Edn<'e> {
    while let Edn::Tagged(_, inner) = form {
        form = inner;
    }
    form
}

fn is_tagged_tuple(form: &Edn<'_>) -> bool {
    matches!(form, Edn::Tagged(tag, _) if matches!(&**tag, "jepsen.independent/tuple" | "clojure.lang.MapEntry"))
}

/// The name that a keyword, symbol or string says.
fn name_of<'f>(form: &'f Edn<'_>) -> Option<&'f str> {
    match form {
        Edn::Key(name) | Edn::Symbol(name) | Edn::Str(name) => Some(name),
        _ => None,
    }
}

/// `:index` or `:time`: nil and Jepsen's -1 say that there is none.
fn number(form: &Edn<'_>, field: &str) -> Result<Option<u64>, String> {
    match form {
        Edn::Nil | Edn::Int(-1) => Ok(None),
        Edn::Int(number) => u64::try_from(*number)
            .map(Some)
            .map_err(|_| format!("found {number} as :{field}: expected a whole number from 0")),
        other => Err(format!("found {} as :{field}: expected a whole number from 0", kind(other))),
    }
}

fn process_of(form: &Edn<'_>) -> Result<Process, String> {
    let process = match form {
        Edn::Int(number) => u32::try_from(*number).ok().map(Process::Client),
        other => name_of(other).and_then(Process::named),
    };
    process.ok_or_else(|| {
        format!("found `{form}` as :process: expected a whole number from 0 to 4294967295, or a name such as :nemesis")
    })
}

fn type_of(form: &Edn<'_>) -> Result<EventType, String> {
    name_of(form)
        .and_then(EventType::from_name)
        .ok_or_else(|| format!("found `{form}` as :type: expected :invoke, :ok, :fail or :info"))
}

/// A value, which may still be inside `keys` keys of maps or sets. [`too_deep`] has limited how deep it nests.
fn nested(form: &Edn<'_>, keys: usize) -> Result<Value, String> {
    let inside_key = || {
        let problem = || format!("found maps or sets inside keys or sets more than {KEY_NESTING} deep: expected fewer");
        keys.checked_sub(1).ok_or_else(problem)
    };
    let twice = |key| format!("found the key {key} twice in a map: expected it once");
    match form {
        Edn::Nil => Ok(Value::Nil),
        Edn::Bool(truth) => Ok(Value::Bool(*truth)),
        Edn::Int(number) => Ok(Value::Int(*number)),
        Edn::Double(number) => Value::decimal(number.into_inner())
            .ok_or_else(|| format!("found the number {number}: expected one that fits into 64 bits")),
        Edn::Key(text) | Edn::Symbol(text) | Edn::Str(text) => Ok(Value::text(text)),
        Edn::Char(char) => Ok(Value::text(char.encode_utf8(&mut [0; 4]))),
        Edn::Rational((numerator, denominator)) => Ok(Value::text(&format!("{numerator}/{denominator}"))),
        Edn::Tagged(_, inner) => nested(inner, keys),
        Edn::Vector(items) | Edn::List(items) => {
            items.iter().map(|item| nested(item, keys)).collect::<Result<_, _>>().map(Value::List)
        }
        Edn::Map(entries) => {
            let keys_inside = inside_key()?;
            let entries = entries.iter().map(|(key, value)| Ok((nested(key, keys_inside)?, nested(value, keys)?)));
            Value::map(entries.collect::<Result<_, String>>()?).map_err(twice)
        }
        Edn::Set(items) => {
            let keys_inside = inside_key()?;
            let items = items.iter().map(|item| nested(item, keys_inside).map(|item| (item.clone(), item)));
            Value::map(items.collect::<Result<_, String>>()?).map_err(twice)
        }
        _ => Err(format!("found `{form}`: expected a value of a history")),
    }
}

/// What a form is, for messages.
fn kind(form: &Edn<'_>) -> &'static str {
    match untagged(form) {
        Edn::Vector(_) => "a vector",
        Edn::List(_) => "a list",
        Edn::Set(_) => "a set",
        Edn::Map(_) => "a map",
        Edn::Key(_) => "a keyword",
        Edn::Symbol(_) => "a symbol",
        Edn::Str(_) => "a string",
        Edn::Char(_) => "a character",
        Edn::Bool(_) => "a truth value",
        Edn::Nil => "nil",
        _ => "a number",
    }
}

/// The two elements of a list of two, which is emptied.
fn take_pair(value: &mut Value) -> Option<(Value, Value)> {
    match value {
        Value::List(items) => match &mut **items {
            [first, second] => Some((std::mem::take(first), std::mem::take(second))),
            _ => None,
        },
        _ => None,
    }
}

/// A history whose pairs may be keys and values: see the [module](self). Its events wait until that is certain, which
/// in most histories is at once; those of independent keys wait until the end.
pub(super) struct Keys<'a> {
    origin: Origin<'a>,
    history: HistoryBuilder,
    pairs: Pairs,
    waiting: Vec<(Event, (usize, usize))>,
}

/// What the pairs of a history are, as far as its events tell.
#[derive(Clone, Copy, PartialEq)]
enum Pairs {
    /// There was no read yet.
    Unknown,
    /// Reads of `[key nil]`: keys and values, if nobody does anything but read, write and cas.
    Tuples,
    /// Reads without a key: values.
    Values,
    /// Something that is not a read, a write or a cas, or that names its key: values, whatever reads look like.
    Other,
}

impl Pairs {
    /// What one event tells.
    fn of(event: &Event) -> Pairs {
        if matches!(event.process, Process::Named(_)) {
            return Pairs::Unknown;
        }
        match &*event.function {
            "read" | "write" | "cas" if event.key.is_some() => Pairs::Other,
            "read" if event.event_type == EventType::Invoke => match event.value.as_pair() {
                Some((_, Value::Nil)) => Pairs::Tuples,
                Some(_) => Pairs::Unknown,
                None => Pairs::Values,
            },
            "read" | "write" | "cas" => Pairs::Unknown,
            _ => Pairs::Other,
        }
    }
}

impl<'a> Keys<'a> {
    pub(super) fn new(origin: Origin<'a>) -> Self {
        Keys { origin, history: HistoryBuilder::new(), pairs: Pairs::Unknown, waiting: Vec::new() }
    }

    /// Takes the next event, which stands at this line and column.
    pub(super) fn push(&mut self, event: Event, at: (usize, usize)) -> Result<(), ReadError> {
        self.pairs = match (self.pairs, Pairs::of(&event)) {
            (Pairs::Other, _) | (_, Pairs::Other) => Pairs::Other,
            (known, Pairs::Unknown) => known,
            (Pairs::Values, Pairs::Tuples) | (Pairs::Tuples, Pairs::Values) => {
                let problem = "found a read with a key where others have none, or without where they have: \
                               expected `[key nil]` in all reads or in none";
                return Err(self.refuse(at, problem));
            }
            (_, told) => told,
        };
        self.waiting.push((event, at));
        match self.pairs {
            Pairs::Unknown | Pairs::Tuples => Ok(()),
            Pairs::Values | Pairs::Other => self.add_waiting(),
        }
    }

    /// The history of all events.
    pub(super) fn finish(mut self) -> Result<History, ReadError> {
        self.add_waiting()?;
        Ok(self.history.finish())
    }

    fn add_waiting(&mut self) -> Result<(), ReadError> {
        let mut waiting = std::mem::take(&mut self.waiting);
        for (mut event, at) in waiting.drain(..) {
            if self.pairs == Pairs::Tuples && matches!(event.process, Process::Client(_)) {
                take_key(&mut event).map_err(|problem| self.refuse(at, problem))?;
            }
            self.history.push(event).map_err(|rule| self.refuse(at, rule))?;
        }
        self.waiting = waiting;
        Ok(())
    }

    fn refuse(&self, (line, column): (usize, usize), problem: impl std::fmt::Display) -> ReadError {
        self.origin.malformed(line, column, problem)
    }
}

fn take_key(event: &mut Event) -> Result<(), String> {
    if let Some((key, value)) = take_pair(&mut event.value) {
        (event.key, event.value) = (Some(key), value);
    } else if matches!(event.event_type, EventType::Invoke | EventType::Ok) {
        let (function, kind) = (&event.function, event.value.kind());
        return Err(format!("found a {function} of {kind} in a history of independent keys: expected `[key value]`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{OperationId, read};
    use super::*;

    fn history(text: &str) -> History {
        read("h", text.as_bytes()).unwrap()
    }

    fn error_of(text: &str) -> String {
        read("h", text.as_bytes()).unwrap_err().to_string()
    }

    fn value_of(text: &str) -> Result<Value, String> {
        read_form(text).map_err(|(_, problem)| problem).and_then(|(form, _)| value(&form))
    }

    fn text(text: &str) -> Value {
        Value::text(text)
    }

    #[test]
    fn vectors_lists_and_bare_maps_hold_the_same_history() {
        let maps = "{:process 0, :type :invoke, :f :read, :value nil}\n; a comment\n\
                    #jepsen.history.Op{:process 0 :type :ok :f :read :value 3 :other #{1}} #_ {:discarded true}\n\
                    {:process :nemesis, :type :info, :f :kill, :value {:nodes [\"n1\"]}},,";
        for whole in [maps.to_owned(), format!("[{maps}]"), format!("\n; first\n({maps} #_#_ 1 2) ; last")] {
            let history = history(&whole);
            assert_eq!((history.len(), history.event_count()), (1, 3), "{whole}");
            assert_eq!(history.operation(OperationId(0)).result(), &Value::Int(3));
            assert_eq!(history.nemesis()[0].process, "nemesis");
        }
    }

    #[test]
    fn values_become_those_that_json_would_give() {
        assert_eq!(value_of(":a/b"), Ok(text("a/b")));
        assert_eq!(value_of("sym"), Ok(text("sym")));
        assert_eq!(value_of(r#""a\n\"b""#), Ok(text("a\n\"b")));
        assert_eq!(value_of("\\a"), Ok(text("a")));
        assert_eq!(value_of("-9223372036854775808"), Ok(Value::Int(i64::MIN)));
        assert_eq!(value_of("1.50"), Ok(Value::Decimal("1.5".into())));
        assert_eq!(value_of("1/2"), Ok(text("1/2")));
        assert_eq!(value_of("(1 nil)"), Ok(Value::pair(Value::Int(1), Value::Nil)));
        assert_eq!(value_of("#inst \"2016\""), Ok(text("2016")));
        assert_eq!(
            value_of("{:b 1, 0 2}"),
            Ok(Value::Map([(Value::Int(0), Value::Int(2)), (text("b"), Value::Int(1))].into()))
        );
        assert_eq!(value_of("#{2 1}"), Ok(Value::Map([1, 2].map(|n| (Value::Int(n), Value::Int(n))).into())));
    }

    #[test]
    fn keys_stand_in_their_own_field_or_in_a_tagged_tuple() {
        let history = history(
            "{:process 0, :type :invoke, :f :get, :key \"k\", :value [1 nil]}
             {:process 1, :type :invoke, :f :get, :value #jepsen.independent/tuple [7 nil]}
             {:process 2, :type :invoke, :f :get, :value #clojure.lang.MapEntry [7 [1 2]]}
             {:process 3, :type :invoke, :f :cas, :value [1 2]}",
        );
        let keys: Vec<_> = history.operations().map(|operation| operation.key().cloned()).collect();
        assert_eq!(keys, [Some(text("k")), Some(Value::Int(7)), Some(Value::Int(7)), None]);
        assert_eq!(history.operation(OperationId(1)).argument(), &Value::Nil);
    }

    #[test]
    fn a_read_of_a_key_and_nil_makes_all_pairs_of_the_history_keys_and_values() {
        let history = history(
            "{:process 0, :type :invoke, :f :write, :value [7 3]}
             {:process 1, :type :invoke, :f :read, :value [7 nil]}
             {:process 1, :type :ok, :f :read, :value [7 3]}
             {:process 0, :type :info, :f :write, :value :timeout}
             {:process 1, :type :invoke, :f :cas, :value [8 [3 4]]}
             {:process :nemesis, :type :info, :f :cut, :value [1 2]}",
        );
        let seen: Vec<_> = history
            .operations()
            .map(|operation| format!("{} {} {}", operation.key().unwrap(), operation.argument(), operation.result()))
            .collect();
        assert_eq!(seen, ["7 3 timeout", "7 nil 3", "8 [3 4] nil"]);
        assert_eq!(history.nemesis()[0].value.to_string(), "[1 2]");
    }

    #[test]
    fn a_read_of_nil_leaves_all_pairs_whole() {
        let history = history(
            "{:process 0, :type :invoke, :f :cas, :value [1 2]}
             {:process 1, :type :invoke, :f :read, :value nil}
             {:process 1, :type :ok, :f :read, :value [1 nil]}",
        );
        assert!(history.operations().all(|operation| operation.key().is_none()));
    }

    #[test]
    fn where_clients_do_more_than_read_write_and_cas_pairs_stay_whole() {
        let read = "{:process 1, :type :invoke, :f :read, :value [0 nil]}";
        for other in [
            "{:process 0, :type :invoke, :f :add, :value [0 1]}",
            "{:process 0, :type :invoke, :f :write, :key 7, :value [0 1]}",
        ] {
            for text in [format!("{read}\n{other}"), format!("{other}\n{read}")] {
                let history = history(&text);
                assert!(history.operations().all(|operation| operation.argument().as_pair().is_some()), "{text}");
            }
        }
    }

    #[test]
    fn reads_with_and_without_keys_in_one_history_are_refused() {
        let plain = "{:process 0, :type :invoke, :f :read, :value nil}";
        let keyed = "{:process 1, :type :invoke, :f :read, :value [7 nil]}";
        for text in [format!("{plain}\n {keyed}"), format!("{keyed}\n {plain}")] {
            assert!(error_of(&text).starts_with("h:2:2: found a read with a key where others have none"));
        }
        assert_eq!(
            error_of(&format!("{keyed}\n{{:process 1, :type :ok, :f :read, :value 3}}")),
            "h:2:1: found a read of a number in a history of independent keys: expected `[key value]`"
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (edn, error) in [
            ("{:type :ok :f :x}", "h:1:1: found no :process: expected a map with :process, :type and :f"),
            ("[{:process 0 :f :x}]", "h:1:2: found no :type"),
            ("[\n {:process 0 :type :ok}]", "h:2:2: found no :f"),
            ("[[:x]]", "h:1:2: found a vector: expected a map with :process, :type and :f"),
            ("{:process -1}", "h:1:1: found `-1` as :process: expected a whole number from 0 to 4294967295, or a name"),
            ("{:process \"0\"}", "h:1:1: found `\"0\"` as :process"),
            ("{:type :begin}", "h:1:1: found `:begin` as :type: expected :invoke, :ok, :fail or :info"),
            ("{:time 1.5}", "h:1:1: found a number as :time: expected a whole number from 0"),
            ("{:f nil}", "h:1:1: found nil as :f: expected a keyword"),
            ("{:process 0,\n :f}", "h:2:4: found a key without a value in a map"),
            ("{:process 0,\n :process 1}", "h:2:12: found a key twice in a map"),
            ("[{:value 12345678901234567890}", "h:1:10: found a number that is not one, or does not fit into 64 bits"),
            ("[{:value \"\\q\"}", "h:1:12: found an unknown escape in a string"),
            ("[{:process 0", "h:1:13: found the end of the text inside a form"),
            ("\n[{:process 0 :type :invoke :f :x}", "h:2:1: found a history without its end: expected `]`"),
            ("[{:process 0 :type :invoke :f :x}] {}", "h:1:36: found `{` after the end of the history"),
            (
                "[{:process 0 :type :invoke :f :x}\n\n{:process 1 :type :invoke :f :x}",
                "h:1:1: found a history without its end",
            ),
            ("({:process 0 :type :invoke :f :x}]", "h:1:34: found `]`, which closes nothing here"),
            ("{:process 0 :type :invoke :f :x} #_", "h:1:36: found `#_` at the end"),
            ("{:process 0 :type :ok :f :x}", "h:1:1: process 0 completes x, but has nothing open"),
        ] {
            assert!(error_of(edn).starts_with(error), "{edn} gave {}", error_of(edn));
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_never_an_overflow() {
        let nested = |open: &str, depth: usize, close: &str| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        assert!(value_of(&nested("[", NESTING, "]")).is_ok());
        for deep in [
            nested("[", NESTING + 1, "]"),
            nested("(", 1_000_000, ")"),
            nested("{:a ", 1_000_000, "}"),
            nested("#t ", 1_000_000, ""),
            nested("#t\u{2003}", 1_000_000, ""),
            nested("#_ ", 1_000_000, " 1"),
            "[".repeat(1_000_000),
        ] {
            assert!(value_of(&deep).unwrap_err().contains("nested more than 100 deep"), "{}", &deep[..20]);
        }
        assert!(value_of(&nested("#{", 50, "}")).unwrap_err().contains("more than 4 deep"));
        assert!(value_of(&nested("{{", 20, " 1} 1}")).unwrap_err().contains("more than 4 deep"));
    }

    #[test]
    fn brackets_in_strings_characters_and_comments_do_not_nest() {
        let many = "\"[[\\\"[\" \\[ \\( ; [[[ \"\n #t [] a\\ [] #_ {} ".repeat(1000);
        assert_eq!(too_deep(&format!("[{many}]")), None);
    }
}
