//! One JSON object a line.

use memchr::{memchr, memrchr};
use serde::de::DeserializeSeed;

use super::super::batch::{Batch, BatchedEvent};
use super::super::notation::{Notation, Problem, Progress, Stop};
use super::event::AnEvent;
use super::plain;

/// One JSON object a line; blank lines are nothing.
pub(in super::super) struct JsonLines;

impl Notation for JsonLines {
    type State = ();

    const UNIT: &'static str = "a line";

    fn beginning(&self) {}

    fn read(&self, text: &str, (): (), more: bool, batch: &mut Batch) -> Progress<()> {
        each_line(text, more, |line, at| {
            let event = event(line, at, batch)?;
            batch.events.push(event);
            Ok(())
        })
    }
}

/// Calls `read` with each line that is not blank, without its end, and with its place in the text. With `more`, what
/// stands behind the last line end is no line yet.
pub(in super::super) fn each_line(
    text: &str,
    more: bool,
    mut read: impl FnMut(&str, usize) -> Result<(), Problem>,
) -> Progress<()> {
    let whole = if more { memrchr(b'\n', text.as_bytes()).map_or(0, |newline| newline + 1) } else { text.len() };
    let mut at = 0;
    while at < whole {
        let end = memchr(b'\n', &text.as_bytes()[at..whole]).map_or(whole, |length| at + length);
        let line = text[at..end].trim_ascii_end();
        if !line.is_empty()
            && let Err(problem) = read(line, at)
        {
            let stopped = Some(Stop { problem: problem.behind(at), seen: 0 });
            return Progress { consumed: at, state: (), stopped };
        }
        at = (end + 1).min(whole);
    }
    Progress { consumed: whole, state: (), stopped: None }
}

fn event(line: &str, at: usize, batch: &mut Batch) -> Result<BatchedEvent, Problem> {
    let blank = line.len() - line.trim_ascii_start().len();
    let begin = (at + blank) as u32;
    if let Some((event, _)) = plain::event(&line[blank..], begin, batch).filter(|(_, end)| blank + end == line.len()) {
        return Ok(event);
    }
    let mut json = serde_json::Deserializer::from_str(line);
    let event = AnEvent { batch, at: begin }.deserialize(&mut json).map_err(|error| problem(&error, line))?;
    json.end().map_err(|error| {
        let problem = problem(&error, line);
        let read = line.get(..problem.at).unwrap_or_default();
        if read.trim_end_matches([' ', '\t', '\r']).len() < read.len() && read.contains('\r') {
            let sentence = "found a second event behind a carriage return (CR): expected each event on a line of its \
                            own, and line feeds (LF) or CR LF between lines";
            return Problem::new(problem.at, sentence);
        }
        problem
    })?;
    Ok(event)
}

fn problem(error: &serde_json::Error, line: &str) -> Problem {
    super::problem(error, line, error.column().saturating_sub(1), "the end of the line")
}
