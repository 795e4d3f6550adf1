//! What readers of both kinds of JSON must hold.

use std::io::{self, Read};

use super::super::value::NESTING;
use super::super::{History, OperationId, Value, read};
use super::*;

fn history(text: &str) -> History {
    read("h", text.as_bytes()).unwrap()
}

fn error_of(text: &str) -> String {
    read("h", text.as_bytes()).unwrap_err().to_string()
}

fn value_of(json: &str) -> Value {
    let text = format!("{{\"process\":0,\"type\":\"invoke\",\"f\":\"f\",\"value\":{json}}}");
    history(&text).operation(OperationId(0)).argument().clone()
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
    let read = history.operation(OperationId(0));
    assert_eq!((read.index(), read.process(), read.function(), read.key()), (10, 3, "read", Some(&Value::Int(7))));
    assert_eq!((read.invoked_at(), read.completed_at()), (Some(134_364), None));
    assert_eq!(read.error(), Some(&Value::pair(text("no"), Value::Int(1))));
    assert_eq!(history.nemesis()[0].function, "kill");
    assert_eq!(history.event_count(), 3);
}

#[test]
fn an_array_holds_the_same_history_as_lines() {
    let lines = "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}\n{\"process\":0,\"type\":\"ok\",\"f\":\"read\"}";
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
        (r#"{"type":"ok","f":"r"}"#, "h:1:1: found no process: expected an event with process, type and f"),
        (r#"{"process":0,"f":"r"}"#, "h:1:21: found no type: expected an event with process, type and f"),
        (r#"{"process":0,"type":"ok"}"#, "h:1:25: found no f: expected an event with process, type and f"),
        (r#"{"process":-1}"#, "h:1:13: found integer `-1`: expected process: a whole number from 0"),
        (r#"{"process":4294967296}"#, "h:1:21: found integer `4294967296`: expected process"),
        (r#"{"process":"0"}"#, "h:1:14: found string \"0\": expected process: a whole number"),
        (r#"{"type":"begin"}"#, "h:1:15: found string \"begin\": expected type: invoke, ok, fail or info"),
        (r#"{"time":-2}"#, "h:1:10: found integer `-2`: expected time: a whole number from 0"),
        (r#"{"f":"r","f":"r"}"#, "h:1:17: found the field f twice: expected it once"),
        (r#"{"value":9223372036854775808}"#, "h:1:28: found 9223372036854775808: expected a number that fits"),
        (r#"{"value":1000000000000000000000}"#, "h:1:31: found 1000000000000000000000: expected a number that fits"),
        (r#"{"value":{"a":1,"a":2}}"#, "h:1:22: found the key a twice: expected it once"),
        (r#"{"value":{"a""#, "h:1:13: found the end of the line inside an object: expected the rest of it"),
        ("{\"process\":0,\n\"f\":\"r\"}", "h:1:13: found the end of the line: expected a value"),
    ] {
        assert!(error_of(json).starts_with(error), "{json} gave {}", error_of(json));
    }
}

#[test]
fn a_broken_rule_is_told_at_its_event() {
    let ok = r#"{"process":0,"type":"ok","f":"read"}"#;
    assert!(error_of(&format!("\n  {ok}\n")).starts_with("h:2:3: process 0 completes read, but has nothing open"));
    let error = error_of(&format!("[\n{ok}]"));
    assert!(error.starts_with("h:2:1: process 0 completes read, but has nothing open"), "{error}");
}

#[test]
fn an_array_must_end_and_nothing_may_follow_it() {
    assert!(error_of("[{}").starts_with("h:1:3: found no type"));
    let event = r#"{"process":0,"type":"invoke","f":"read"}"#;
    assert_eq!(
        error_of(&format!("[{event}")),
        "h:1:42: found the end of the text: expected `,` and another event, or `]` after the last"
    );
    assert_eq!(error_of(&format!("[{event}]\n7")), "h:2:1: found `7`: expected nothing after the end of the array");
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
    assert!(error.contains("found an event of more than 1 MiB"), "{error}");
}
