//! What a reader of histories may rely on: all that is written comes back, nothing that comes from outside panics, and
//! every error says where.

#![allow(clippy::unwrap_used, reason = "clippy knows only functions with #[test] as tests")]

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use shakedown_checkers::history::{
    Event, EventType, HistoryBuilder, NEVER, Process, ReadError, read, read_file, write_json_lines,
};
use shakedown_checkers::{History, Value};

proptest! {
    #[test]
    fn a_written_history_reads_as_the_same_history(history in a_history()) {
        let mut lines = Vec::new();
        write_json_lines(&history, &mut lines).unwrap();
        let again = read("h", &lines[..]).unwrap();
        prop_assert_eq!(contents(&again), contents(&history));
        let mut lines_again = Vec::new();
        write_json_lines(&again, &mut lines_again).unwrap();
        prop_assert_eq!(lines_again, lines);
    }

    #[test]
    fn lines_an_array_and_edn_hold_the_same_history(events in some_events()) {
        let lines = read("h", json_lines(&events).as_bytes()).unwrap();
        let array = read("h", json_array(&events).as_bytes()).unwrap();
        let edn = read("h", edn_vector(&events).as_bytes()).unwrap();
        prop_assert_eq!(contents(&array), contents(&lines));
        prop_assert_eq!(contents(&edn), contents(&lines));
    }

    #[test]
    fn garbage_is_refused_with_its_place(
        head in prop::sample::select(HEADS),
        bytes in garbage(),
    ) {
        assert_tells_the_place(&[head, &bytes].concat())?;
    }

    #[test]
    fn a_soup_of_tokens_is_read_or_refused_with_its_place(
        head in prop::sample::select(HEADS),
        tokens in vec(prop::sample::select(TOKENS), 0..40),
    ) {
        assert_tells_the_place(&[head, tokens.concat().as_bytes()].concat())?;
    }

    #[test]
    fn a_damaged_file_is_read_or_refused_with_its_place(
        events in some_events(),
        damages in vec((any::<prop::sample::Index>(), a_damage()), 1..4),
    ) {
        for write in [json_lines, json_array, edn_vector, edn_lines, log_lines] {
            let mut bytes = write(&events).into_bytes();
            for (at, damage) in &damages {
                damage.apply(&mut bytes, at);
            }
            assert_tells_the_place(&bytes)?;
        }
    }

    #[test]
    fn a_damaged_compressed_file_never_panics(
        events in some_events(),
        damages in vec((any::<prop::sample::Index>(), a_damage()), 1..4),
    ) {
        let text = json_lines(&events);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        for mut bytes in [gzip.finish().unwrap(), compress_to_vec(text.as_bytes(), CompressionLevel::Fastest)] {
            for (at, damage) in &damages {
                damage.apply(&mut bytes, at);
            }
            assert_tells_the_place(&bytes)?;
        }
    }
}

/// The histories that Jepsen, Knossos, Elle and Porcupine users recorded, where the folder with them is at hand.
#[test]
fn the_recorded_corpora_are_read_without_error() {
    let Some(corpora) = corpora() else { return };
    let mut files = Vec::new();
    for folder in ["causal", "elle", "elle-cli", "etcd", "generated", "knossos", "kv"] {
        files_under(&corpora.join(folder), &mut files);
    }
    assert!(files.len() > 200, "found only {} files in {}", files.len(), corpora.display());
    for file in files {
        let history = read_file(&file).unwrap_or_else(|error| panic!("{error}"));
        assert!(!history.is_empty() || history.nemesis().len() > 1, "{} is empty", file.display());
        assert_reads_back(&history, &file.display().to_string());
    }
}

/// Each line of this file holds a history of its own.
#[test]
fn the_histories_of_elles_own_tests_are_read_but_for_two_whose_process_does_many_things_at_once() {
    let Some(corpora) = corpora() else { return };
    let text = std::fs::read_to_string(corpora.join("elle-unit/elle-unit-corpus.jsonl")).unwrap();
    let (mut alone, mut refused) = (0, 0);
    for line in text.lines() {
        let test: serde_json::Value = serde_json::from_str(line).unwrap();
        let name = test["test"].as_str().unwrap();
        match read(name, test["history"].to_string().as_bytes()) {
            Ok(history) => {
                alone += usize::from(!history.has_real_time());
                assert_reads_back(&history, name);
            }
            Err(error) => {
                refused += 1;
                assert!(
                    error.to_string().contains("process 0 invokes txn while its txn (event 0) is still open"),
                    "{error}"
                );
            }
        }
    }
    assert!(alone > 40, "only {alone} histories of completions alone");
    assert_eq!(refused, 2);
}

fn corpora() -> Option<PathBuf> {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora");
    if !corpora.is_dir() {
        eprintln!("skipped: there is no folder {}", corpora.display());
        return None;
    }
    Some(corpora)
}

fn assert_reads_back(history: &History, name: &str) {
    let mut lines = Vec::new();
    write_json_lines(history, &mut lines).unwrap();
    let again = read("again", &lines[..]).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(contents(&again), contents(history), "{name}");
}

fn files_under(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_under(&path, files) } else { files.push(path) }
    }
}

fn assert_tells_the_place(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Err(ReadError::Malformed { place, problem, .. }) = read("h", bytes) {
        prop_assert!(place.line >= 1 && place.column >= 1, "{} at {}", problem, place);
        prop_assert!(place.line <= 1 + bytes.len() && !problem.is_empty());
    }
    Ok(())
}

fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let syntax = "[\\[\\]{}()#_:;\\\\\",0-9a-z \n\t\\-+./]{0,200}".prop_map(String::into_bytes);
    prop_oneof![vec(any::<u8>(), 0..200), syntax]
}

/// Beginnings that lead into each reader.
const HEADS: &[&[u8]] = &[
    b"",
    b"{\"",
    b"{\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"value\":",
    b"[{\"",
    b"[{\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"value\":",
    b"{:",
    b"[{:process 0, :type :invoke, :f :read, :value ",
    b"[[",
    b";",
    b"#",
    b"INFO  jepsen.util - 0\t:invoke\t:read\t",
    b"INFO ",
    b"w(7,1,0,0)\n",
    b"r(7,1,0,0)\nw(",
    b"w 7 1\n-----\n",
    b"r 7 1\n=====\nr 7 ",
    b"\x1f\x8b\x08",
    b"\x28\xb5\x2f\xfd",
];

/// What the formats are made of.
const TOKENS: &[&str] = &[
    " ",
    "\n",
    ",",
    ":",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "#{",
    "#_",
    "^",
    "#tag ",
    "#:a",
    "##Inf",
    ";",
    "\"",
    "\\",
    "\\u00e9",
    "\\newline ",
    "1",
    "-0",
    "0x1F ",
    "017 ",
    "16rFF ",
    "12N ",
    "1.5M ",
    "1/2 ",
    "1e400 ",
    "99999999999999999999 ",
    "nil ",
    "null",
    "true",
    ":process 1 ",
    ":type :ok ",
    ":type :invoke ",
    ":f :read ",
    ":value [7 nil] ",
    ":key x ",
    ":error :no ",
    "\"process\":2",
    "\"type\":\"ok\"",
    "\"f\":\"txn\"",
    "\"value\":",
    "[[\"r\",1,null]]",
    "[[:append 1 2]]",
    "}\n{:process 0 ",
    "}\n{\"process\":0,",
    "\nINFO  jepsen.util - 0\t:ok\t:read\t",
    "\nr(7,1,1,1)\n",
    "\nw(7,0,1,2)\n",
    "\nw(7,2,1,-1)\n",
    "\nw 7 0\n",
    "\n-----\n",
    "\n=====\n",
    "é",
    "\u{2003}",
    "\0",
];

#[derive(Clone, Debug)]
enum Damage {
    Replace(u8),
    Insert(Vec<u8>),
    Delete(usize),
    Cut,
}

fn a_damage() -> impl Strategy<Value = Damage> {
    let inserted = prop::sample::select(
        &["[", "]", "{", "}", "\"", "\\", "#", "#_", ":", ";", "\n", " - ", "-", "9", "\u{2003}"][..],
    );
    prop_oneof![
        any::<u8>().prop_map(Damage::Replace),
        inserted.prop_map(|text| Damage::Insert(text.as_bytes().to_vec())),
        (1..20_usize).prop_map(Damage::Delete),
        Just(Damage::Cut),
    ]
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>, at: &prop::sample::Index) {
        if bytes.is_empty() {
            return;
        }
        let at = at.index(bytes.len());
        match self {
            Damage::Replace(byte) => bytes[at] = *byte,
            Damage::Insert(text) => drop(bytes.splice(at..at, text.iter().copied())),
            Damage::Delete(length) => drop(bytes.drain(at..bytes.len().min(at + length))),
            Damage::Cut => bytes.truncate(at),
        }
    }
}

/// All that a history holds, apart from the numbers of its values.
fn contents(history: &History) -> Vec<String> {
    let operations = history.operations().map(|operation| {
        let completed = if operation.completed() == NEVER { None } else { Some(operation.completed()) };
        let numbers = (operation.index(), operation.process(), operation.invoked(), completed);
        let times = (operation.invoked_at(), operation.completed_at());
        let values = (operation.key(), operation.argument(), operation.result(), operation.error());
        format!("{numbers:?} {times:?} {:?} {:?} {values:?}", operation.function(), operation.outcome())
    });
    operations.chain(history.nemesis().iter().map(|event| format!("{event:?}"))).collect()
}

fn a_history() -> impl Strategy<Value = History> {
    some_events().prop_map(|events| {
        let mut history = HistoryBuilder::new();
        for event in events {
            history.push(event).unwrap();
        }
        history.finish()
    })
}

/// Events that keep the rules: of each client an invocation, then its completion, then the next invocation.
fn some_events() -> impl Strategy<Value = Vec<Event>> {
    vec(an_event(), 1..30).prop_map(|mut events| {
        let mut open: HashMap<u32, (String, Option<Value>)> = HashMap::new();
        let has_index = events[0].index.is_some();
        for (position, event) in events.iter_mut().enumerate() {
            // Where all have one, it is the order.
            event.index = has_index.then_some(position as u64);
            let Process::Client(process) = event.process else {
                (event.key, event.error) = (None, None);
                continue;
            };
            if let Some((function, key)) = open.remove(&process) {
                if event.event_type == EventType::Invoke {
                    event.event_type = EventType::Ok;
                }
                (event.function, event.key) = (function, key);
            } else {
                (event.event_type, event.error) = (EventType::Invoke, None);
                open.insert(process, (event.function.clone(), event.key.clone()));
            }
        }
        events
    })
}

fn an_event() -> impl Strategy<Value = Event> {
    let process = prop_oneof![
        8 => (0..4_u32).prop_map(Process::Client),
        1 => Just(Process::Client(u32::MAX)),
        1 => Just(Process::Named("nemesis".to_owned())),
    ];
    let event_type = prop::sample::select(&[EventType::Invoke, EventType::Ok, EventType::Fail, EventType::Info][..]);
    let function = prop_oneof![Just("write".to_owned()), Just("txn".to_owned()), "[a-z-]{1,8}|\"ä\n"]
        .prop_filter("whose pairs would be taken apart", |function| function != "read");
    (
        (option::of(..=i64::MAX as u64), option::of(..=i64::MAX as u64)),
        (process, event_type, function),
        (option::of(a_value()), a_value(), option::of(a_value())),
    )
        .prop_map(|((index, time), (process, event_type, function), (key, value, error))| Event {
            index,
            time,
            process,
            event_type,
            function,
            key,
            value,
            error,
        })
}

fn a_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        ".{0,6}",
        "-?[0-9]{1,3}(\\.[0-9]{1,2})?",
        prop::sample::select(
            &["null", "true", "\"x\"", "[1]", "[1", "{}", "{\"a\":1}", "\"\\\"\\\"\"", "-0", "1e5"][..]
        )
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (0..9_i64).prop_map(Value::Int),
        (-5000..5000_i32).prop_map(|eighths| Value::Decimal(format!("{:?}", f64::from(eighths) / 8.0).into())),
        text.prop_map(|text| Value::text(&text)),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let map = vec((inner.clone(), inner.clone()), 0..4)
            .prop_map(|entries| Value::Map(entries.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect()));
        prop_oneof![vec(inner, 0..4).prop_map(|items| Value::List(items.into())), map]
    })
}

fn json_lines(events: &[Event]) -> String {
    let mut history = HistoryBuilder::new();
    for event in events {
        history.push(event.clone()).unwrap();
    }
    let mut lines = Vec::new();
    write_json_lines(&history.finish(), &mut lines).unwrap();
    String::from_utf8(lines).unwrap()
}

fn json_array(events: &[Event]) -> String {
    format!("[\n{}\n]", json_lines(events).trim_end().replace('\n', ",\n"))
}

fn edn_vector(events: &[Event]) -> String {
    format!("[{}]", edn_lines(events))
}

fn edn_lines(events: &[Event]) -> String {
    events.iter().map(edn_event).collect::<Vec<_>>().join("\n")
}

fn edn_event(event: &Event) -> String {
    let mut fields = vec![
        format!(
            ":process {}",
            match &event.process {
                Process::Client(number) => number.to_string(),
                Process::Named(name) => format!(":{name}"),
            }
        ),
        format!(":type :{}", event.event_type.name()),
        format!(":f {}", edn_value(&Value::text(&event.function))),
        format!(":value {}", edn_value(&event.value)),
    ];
    fields.extend(event.index.map(|index| format!(":index {index}")));
    fields.extend(event.time.map(|time| format!(":time {time}")));
    fields.extend(event.key.as_ref().map(|key| format!(":key {}", edn_value(key))));
    fields.extend(event.error.as_ref().map(|error| format!(":error {}", edn_value(error))));
    format!("{{{}}}", fields.join(", "))
}

fn log_lines(events: &[Event]) -> String {
    let line = |event: &Event| {
        let process = match &event.process {
            Process::Client(number) => number.to_string(),
            Process::Named(name) => format!(":{name}"),
        };
        let columns =
            [process, format!(":{}", event.event_type.name()), format!(":{}", event.function), edn_value(&event.value)];
        format!("INFO  jepsen.util - {}\n", columns.join("\t"))
    };
    events.iter().map(line).collect()
}

fn edn_value(value: &Value) -> String {
    match value {
        Value::Nil => "nil".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Decimal(number) => number.to_string(),
        Value::Text(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        Value::List(items) => format!("[{}]", items.iter().map(edn_value).collect::<Vec<_>>().join(" ")),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{} {}", edn_value(key), edn_value(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}
