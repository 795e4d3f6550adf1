//! Histories as old versions of Jepsen logged them, a line an event:
//!
//! ```text
//! INFO  jepsen.util - 0  :invoke  :cas  [1 2]
//! INFO  jepsen.util - 0  :info  :cas  :timed-out
//! INFO [2016-03-01 12:00:00,000] jepsen worker 1 - jepsen.util 1  :fail  :write  3  :not-leader
//! 2021-02-20 15:30:27,700{GMT}  INFO  [jepsen worker 0] jepsen.util: 0  :invoke  :read  nil
//! ```
//!
//! The columns are process, type, function and value, set apart by tabs or spaces; the value is EDN. A client's keyword
//! where the value of a `:fail` or `:info` would be, and a fifth column behind one, says what went wrong.
//!
//! A log whose lines begin with a date is a whole one, in which other lines stand between: what `jepsen.util` does not say
//! of a process is no event, and is skipped. Without dates, every line is an event.

use super::EventType;
use super::batch::{Batch, BatchedEvent, BatchedValue, Names, Who};
use super::edn::Forms;
use super::json::each_line;
use super::notation::{Notation, Problem, Progress};
use super::value::Value;

/// Log lines; blank lines are nothing.
pub(super) struct LogLines {
    /// Whether other lines may stand between events, instead of being refused.
    pub whole: bool,
}

impl Notation for LogLines {
    type State = ();

    const UNIT: &'static str = "a line";

    fn beginning(&self) {}

    fn read(&self, text: &str, (): (), more: bool, batch: &mut Batch) -> Progress<()> {
        each_line(text, more, |line, at| {
            let event = self.event(line, at, batch)?;
            batch.events.extend(event);
            Ok(())
        })
    }
}

/// Whether text begins with a date, as a whole log does: `2021-02-20 15:30:27,474{GMT}`.
pub(super) fn is_dated(text: &[u8]) -> bool {
    matches!(text, [a, b, c, d, b'-', ..] if [a, b, c, d].iter().all(|digit| digit.is_ascii_digit()))
}

impl LogLines {
    /// The event that a line is, or nothing where a whole log says something else.
    fn event(&self, line: &str, line_at: usize, batch: &mut Batch) -> Result<Option<BatchedEvent>, Problem> {
        let columns = if self.whole {
            let said = line.split_once("jepsen.util: ").map(|(_, said)| said);
            let Some(said) = said.filter(|said| is_process(column(said).0)) else { return Ok(None) };
            columns(said, &mut batch.names)
        } else {
            let mut dashes = line.match_indices(" - ");
            dashes.find_map(|(at, dash)| columns(&line[at + dash.len()..], &mut batch.names))
        };
        let Some(columns) = columns else {
            let sentence = "found a line that is no event: expected `INFO  jepsen.util - PROCESS :TYPE :F VALUE`";
            return Err(Problem::new(0, sentence));
        };
        event(columns, line, line_at, batch).map(Some)
    }
}

fn event(columns: Columns<'_>, line: &str, line_at: usize, batch: &mut Batch) -> Result<BatchedEvent, Problem> {
    let Columns { who, event_type, function, value: text } = columns;
    let mut event = BatchedEvent {
        at: line_at as u32,
        index: None,
        time: None,
        who,
        event_type,
        function: batch.names.id_of(function),
        key: None,
        value: BatchedValue::Plain(Value::Nil),
        error: None,
    };
    if text.is_empty() {
        return Ok(event);
    }
    let mut forms = Forms::new(text);
    let (value, is_keyword) = forms.value_or_keyword().map_err(|problem| problem.behind(line.len() - text.len()))?;
    let may_have_error = matches!(event_type, EventType::Fail | EventType::Info);
    let rest = text[forms.at()..].trim_start();
    if !rest.is_empty() {
        if !may_have_error || rest.starts_with("INFO") {
            let sentence = match rest.starts_with("INFO") {
                true => "found a second event on the line: expected line feeds (LF) or CR LF between lines".to_owned(),
                false => format!("found `{rest}` behind the value: expected the end of the line"),
            };
            return Err(Problem::new(line.len() - rest.len(), sentence));
        }
        (event.value, event.error) = (batch.lists.take(value), Some(Box::new(error(rest))));
    } else if may_have_error && is_keyword && matches!(who, Who::Client(_)) {
        event.error = Some(Box::new(value));
    } else {
        event.value = batch.lists.take(value);
    }
    Ok(event)
}

struct Columns<'a> {
    who: Who,
    event_type: EventType,
    function: &'a str,
    /// The rest of the line.
    value: &'a str,
}

/// Whether a column names a process: by its number, or as `:nemesis`.
fn is_process(column: &str) -> bool {
    column.strip_prefix(':').is_some_and(|name| !name.is_empty()) || column.parse::<u32>().is_ok()
}

/// The columns of an event, if a text is one.
fn columns<'a>(text: &'a str, names: &mut Names) -> Option<Columns<'a>> {
    let text = text.trim_start();
    let text = text.strip_prefix("jepsen.util").map_or(text, str::trim_start);
    let (process, text) = column(text);
    let (event_type, text) = column(text);
    let (function, value) = column(text);
    let who = match process.strip_prefix(':') {
        Some(name) if !name.is_empty() => Who::named(name, names)?,
        _ => Who::Client(process.parse().ok()?),
    };
    let event_type = EventType::from_name(event_type.strip_prefix(':')?)?;
    let function = function.strip_prefix(':').filter(|name| !name.is_empty())?;
    Some(Columns { who, event_type, function, value })
}

/// The first column, and the text from the next one on.
fn column(text: &str) -> (&str, &str) {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// Jepsen logs errors with `str`: most are EDN, and the others are text.
fn error(text: &str) -> Value {
    let mut forms = Forms::new(text);
    let value = forms.value_or_keyword().ok().filter(|_| text[forms.at()..].trim().is_empty());
    value.map_or_else(|| Value::text(text), |(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::super::{History, OperationId, read};
    use super::*;

    fn history(text: &str) -> History {
        read("h", text.as_bytes()).unwrap()
    }

    fn error_of(text: &str) -> String {
        read("h", text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn columns_may_be_set_apart_by_tabs_or_spaces() {
        let history = history(
            "INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\r\n\nINFO  jepsen.util - 1   :invoke :read   nil\n\
             INFO  jepsen.util - 0  :fail   :cas    [1 2]\nINFO  jepsen.util - :nemesis\t:info\t:start\t:all\n",
        );
        assert_eq!((history.len(), history.event_count()), (2, 4));
        assert_eq!(history.operation(OperationId(0)).argument().to_string(), "[1 2]");
        assert_eq!(history.nemesis()[0].value, Value::text("all"));
    }

    #[test]
    fn the_keyword_of_an_operation_that_did_not_end_well_is_its_error() {
        let history = history(
            "INFO  jepsen.util - 0\t:invoke\t:write\t4\nINFO  jepsen.util - 0\t:info\t:write\t:timed-out\n\
             INFO  jepsen.util - 1\t:invoke\t:write\t5\nINFO  jepsen.util - 1\t:fail\t:write\t5\t[:no \"x\"]\n\
             INFO  jepsen.util - 2\t:invoke\t:write\t6\nINFO  jepsen.util - 2\t:fail\t:write\t6\tno route to {host\n",
        );
        let seen: Vec<_> = (history.operations())
            .map(|operation| format!("{} {}", operation.result(), operation.error().unwrap()))
            .collect();
        assert_eq!(seen, ["nil timed-out", "5 [no x]", "6 \"no route to {host\""]);
    }

    #[test]
    fn later_loggers_with_time_and_thread_are_read_too() {
        let line = "INFO [2016-03-01 12:00:00,000] jepsen worker - 1 - jepsen.util 1\t:invoke\t:read\tnil";
        assert_eq!(history(line).operation(OperationId(0)).process(), 1);
    }

    #[test]
    fn a_whole_log_says_other_things_too() {
        let line = |rest: &str| format!("2021-02-20 15:30:27,700{{GMT}}\tINFO\t[jepsen worker 0] {rest}\n");
        let text = [
            line("jepsen.util: :nemesis\t:info\t:start\t:ring\tindeterminate: throw+: {:grudge 1}"),
            line("jepsen.util: 0\t:invoke\t:read\tnil"),
            line("tarantool.db: 10.0.0.1 Stopping - 0 :invoke :read nil"),
            line("jepsen.util: Waiting for 10.0.0.1"),
            "java.lang.RuntimeException: no\n\tat clojure.core\n".to_owned(),
            line("jepsen.util: 0\t:ok\t:read\t{0 100, 7 0}"),
        ];
        let history = history(&text.concat());
        assert_eq!((history.len(), history.event_count()), (1, 3));
        assert_eq!(history.nemesis()[0].value, Value::text("ring"));
        assert_eq!(history.operation(OperationId(0)).result().to_string(), "{0 100, 7 0}");
        assert!(
            error_of(&line("jepsen.util: 0\t:begin\t:read\tnil")).starts_with("h:1:1: found a line that is no event")
        );
    }

    #[test]
    fn every_other_line_is_refused() {
        let first = "INFO  jepsen.util - 0\t:invoke\t:read\tnil\n";
        for other in [
            "INFO  jepsen.core - Running test",
            "INFO  jepsen.util - 0\t:begin\t:read\tnil",
            "INFO  jepsen.util - x\t:ok\t:read\tnil",
            "INFO  jepsen.util - 0\t:ok\tread\tnil",
        ] {
            assert_eq!(
                error_of(&format!("{first}{other}\n")),
                "h:2:1: found a line that is no event: expected `INFO  jepsen.util - PROCESS :TYPE :F VALUE`"
            );
        }
        assert!(error_of(&format!("{first}{first}")).starts_with("h:2:1: process 0 invokes read while its read"));
        assert!(error_of("INFO  jepsen.util - 0\t:invoke\t:read\t[1").starts_with("h:1:39: found the end of the text"));
        assert_eq!(
            error_of("INFO  jepsen.util - 0\t:invoke\t:read\t1 2"),
            "h:1:39: found `2` behind the value: expected the end of the line"
        );
    }
}
