//! Writing a history as JSON Lines, in Jepsen's names and always in the same order of fields.

use std::io::{self, Write};

use super::json::{self, KEY_NESTING};
use super::{EventPosition, EventType, History, NEVER, NemesisEvent, Operation, OperationId, Outcome, Value};

/// Writes all events in their order, one JSON object a line:
///
/// ```text
/// {"index":0,"time":134364,"process":0,"type":"invoke","f":"read","key":7,"value":null}
/// ```
///
/// `time`, `key` and `error` are left out where the history has none. Invocations carry the index of their operation,
/// other events their position, or nothing where the index of an operation is another number than its position. Where the source had completions alone, so has what is written. Operations that never completed have no completion line. Reading the lines gives the
/// same history; one whose positions have gaps ([`History::restricted_to`]) comes back with the gaps closed.
///
/// A JSON object has text for keys. So a key of a [`Value::Map`] that is not text is written as the JSON of that key,
/// and so is text that would be taken for such JSON: `{"0":10}` is EDN's `{0 10}`, `{"\"0\"":10}` its `{"0" 10}`.
///
/// Cost: linear in the bytes written, apart from sorting the completions, which stand nearly sorted already. Lines are
/// gathered into pieces of 64 KiB; `out` needs no buffer of its own, and is not flushed.
///
/// # Errors
/// Those of `out`.
pub fn write_json_lines(history: &History, out: &mut impl Write) -> io::Result<()> {
    let mut completions: Vec<(EventPosition, OperationId)> = (history.operations())
        .filter(|operation| operation.completed() != NEVER)
        .map(|operation| (operation.completed(), operation.id()))
        .collect();
    completions.sort_unstable();

    // Side by side, other numbers and positions would tell another order than that of the lines.
    let is_numbered = history.operations().all(|operation| operation.index() == u64::from(operation.invoked()));
    // Where each operation is its completion and nothing else, no invocation is written.
    let invocations = if history.has_real_time() { history.len() } else { 0 };
    let mut invocations = history.operations().take(invocations).peekable();
    let mut completions = completions.into_iter().peekable();
    let mut nemesis = history.nemesis().iter().peekable();
    let mut lines = Vec::with_capacity(PIECE + PIECE / 4);
    loop {
        let invocation = invocations.peek().map_or(NEVER, |operation| operation.invoked());
        let completion = completions.peek().map_or(NEVER, |(position, _)| *position);
        let fault = nemesis.peek().map_or(NEVER, |event| event.position);
        let next = invocation.min(completion).min(fault);
        if next == NEVER {
            break;
        }
        if next == invocation {
            invocations.next().into_iter().try_for_each(|operation| write_invocation(operation, &mut lines))?;
        } else if next == completion {
            let completed = completions.next().map(|(_, id)| history.operation(id));
            completed.into_iter().try_for_each(|operation| write_completion(operation, is_numbered, &mut lines))?;
        } else {
            nemesis.next().into_iter().try_for_each(|event| write_nemesis(event, is_numbered, &mut lines))?;
        }
        if lines.len() >= PIECE {
            out.write_all(&lines)?;
            lines.clear();
        }
    }
    out.write_all(&lines)
}

const PIECE: usize = 64 << 10;

fn write_invocation(operation: Operation<'_>, out: &mut Vec<u8>) -> io::Result<()> {
    write_head(Some(operation.index()), operation.invoked_at(), out)?;
    write_number(operation.process(), out)?;
    write_what(EventType::Invoke, operation.function(), out)?;
    write_key(operation.key(), out)?;
    out.extend_from_slice(b",\"value\":");
    write_value(operation.argument(), out)?;
    out.extend_from_slice(b"}\n");
    Ok(())
}

fn write_completion(operation: Operation<'_>, is_numbered: bool, out: &mut Vec<u8>) -> io::Result<()> {
    let event_type = match operation.outcome() {
        Outcome::Ok => EventType::Ok,
        Outcome::Fail => EventType::Fail,
        Outcome::Info => EventType::Info,
    };
    let has_invocation = operation.history().has_real_time();
    let position = is_numbered.then_some(u64::from(operation.completed()));
    write_head(if has_invocation { position } else { Some(operation.index()) }, operation.completed_at(), out)?;
    write_number(operation.process(), out)?;
    write_what(event_type, operation.function(), out)?;
    write_key(operation.key(), out)?;
    out.extend_from_slice(b",\"value\":");
    write_value(operation.result(), out)?;
    if let Some(error) = operation.error() {
        out.extend_from_slice(b",\"error\":");
        write_value(error, out)?;
    }
    out.extend_from_slice(b"}\n");
    Ok(())
}

fn write_nemesis(event: &NemesisEvent, is_numbered: bool, out: &mut Vec<u8>) -> io::Result<()> {
    write_head(is_numbered.then_some(u64::from(event.position)), event.time, out)?;
    write_text(&event.process, out)?;
    write_what(event.event_type, &event.function, out)?;
    out.extend_from_slice(b",\"value\":");
    write_value(&event.value, out)?;
    out.extend_from_slice(b"}\n");
    Ok(())
}

fn write_head(index: Option<u64>, time: Option<u64>, out: &mut Vec<u8>) -> io::Result<()> {
    out.extend_from_slice(b"{");
    for (name, number) in [("index", index), ("time", time)] {
        if let Some(number) = number {
            write_text(name, out)?;
            out.extend_from_slice(b":");
            write_number(number, out)?;
            out.extend_from_slice(b",");
        }
    }
    out.extend_from_slice(b"\"process\":");
    Ok(())
}

fn write_what(event_type: EventType, function: &str, out: &mut Vec<u8>) -> io::Result<()> {
    out.extend_from_slice(b",\"type\":\"");
    out.extend_from_slice(event_type.name().as_bytes());
    out.extend_from_slice(b"\",\"f\":");
    write_text(function, out)
}

fn write_key(key: Option<&Value>, out: &mut Vec<u8>) -> io::Result<()> {
    if let Some(key) = key {
        out.extend_from_slice(b",\"key\":");
        write_value(key, out)?;
    }
    Ok(())
}

fn write_value(value: &Value, out: &mut Vec<u8>) -> io::Result<()> {
    write_nested(value, KEY_NESTING, out)
}

/// A value as JSON, which may still be inside `keys` keys of maps: see [`json::key_of`], whose inverse this is.
pub(super) fn write_nested(value: &Value, keys: usize, out: &mut Vec<u8>) -> io::Result<()> {
    match value {
        Value::Nil => out.extend_from_slice(b"null"),
        Value::Bool(truth) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
        Value::Int(number) => write_number(number, out)?,
        Value::Decimal(number) if reads_back(number) => out.extend_from_slice(number.as_bytes()),
        Value::Decimal(text) | Value::Text(text) => write_text(text, out)?,
        Value::List(items) => {
            out.push(b'[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                write_nested(item, keys, out)?;
            }
            out.push(b']');
        }
        Value::Map(entries) => {
            out.push(b'{');
            for (n, (key, value)) in entries.iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                write_map_key(key, keys, out)?;
                out.push(b':');
                write_nested(value, keys, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn write_map_key(key: &Value, keys: usize, out: &mut Vec<u8>) -> io::Result<()> {
    if let Value::Text(text) = key
        && json::key_of(text, keys) == *key
    {
        return write_text(text, out);
    }
    let mut inner = Vec::new();
    write_nested(key, keys.saturating_sub(1), &mut inner)?;
    write_text(&String::from_utf8_lossy(&inner), out)
}

fn write_number(number: impl serde::Serialize, out: &mut Vec<u8>) -> io::Result<()> {
    Ok(serde_json::to_writer(out, &number)?)
}

fn write_text(text: &str, out: &mut Vec<u8>) -> io::Result<()> {
    Ok(serde_json::to_writer(out, text)?)
}

/// Whether a reader of JSON takes the number for the same one: not `NaN`, not `1/2`, not `1.50`.
fn reads_back(number: &str) -> bool {
    let read = serde_json::from_str(number).ok().and_then(Value::decimal);
    read.is_some_and(|read| matches!(read, Value::Decimal(read) if *read == *number))
}

#[cfg(test)]
mod tests {
    use super::super::{OperationId, read};
    use super::*;

    fn written(history: &History) -> String {
        let mut out = Vec::new();
        write_json_lines(history, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    const LINES: &str = r#"{"index":0,"time":134364,"process":0,"type":"invoke","f":"read","key":7,"value":null}
{"index":1,"process":1,"type":"invoke","f":"txn","value":[["append","x",1],["r",{"0":1.5},true]]}
{"index":2,"time":3,"process":"nemesis","type":"info","f":"kill","value":["n1"]}
{"index":3,"time":763774,"process":0,"type":"fail","f":"read","key":7,"value":3,"error":["no",null]}
"#;

    #[test]
    fn fields_stand_in_their_order_and_absent_ones_are_left_out() {
        assert_eq!(written(&read("h", LINES.as_bytes()).unwrap()), LINES);
    }

    #[test]
    fn a_restricted_history_keeps_the_numbers_of_its_events() {
        let history = read("h", LINES.as_bytes()).unwrap().restricted_to(|id| id == OperationId(0));
        let expected: Vec<_> = LINES.lines().collect();
        let completion = expected[3].replace(",\"error\":[\"no\",null]", "");
        assert_eq!(written(&history), format!("{}\n{completion}\n", expected[0]));
    }

    #[test]
    fn keys_of_maps_that_are_not_text_can_be_told_from_text() {
        let edn = r#"{:process 0 :type :invoke :f :f :value {0 1, "0" 2, nil 3, [1 "x"] 4, {:a 1} 5, "1.50" 6}}"#;
        let history = read("h", edn.as_bytes()).unwrap();
        let lines = written(&history);
        assert!(
            lines.contains(r#""value":{"null":3,"0":1,"\"0\"":2,"1.50":6,"[1,\"x\"]":4,"{\"a\":1}":5}"#),
            "{lines}"
        );
        let again = read("h", lines.as_bytes()).unwrap();
        assert_eq!(again.operation(OperationId(0)).argument(), history.operation(OperationId(0)).argument());
    }

    #[test]
    fn what_json_has_no_number_for_is_written_as_text() {
        for (number, json) in [("1.5", "1.5"), ("NaN", "\"NaN\""), ("1/2", "\"1/2\""), ("1.50", "\"1.50\"")] {
            let mut out = Vec::new();
            write_value(&Value::Decimal(number.into()), &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), json);
        }
    }

    #[test]
    fn a_long_history_is_written_whole() {
        let lines: String = (0..20_000)
            .map(|n| format!("{{\"index\":{n},\"process\":{n},\"type\":\"invoke\",\"f\":\"read\",\"value\":null}}\n"))
            .collect();
        assert_eq!(written(&read("h", lines.as_bytes()).unwrap()), lines);
    }
}
