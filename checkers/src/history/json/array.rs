//! One JSON array of objects, an event each.

use serde::de::{DeserializeSeed, IgnoredAny};

use super::super::batch::{Batch, BatchedEvent};
use super::super::notation::{Notation, Problem, Progress, Stop};
use super::event::AnEvent;
use super::{plain, problem};

/// One JSON array of objects. serde_json reads each object, and what is between them is read here.
pub(in super::super) struct JsonArray;

/// What stands before the text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) enum State {
    Nothing,
    Opening,
    Event,
    Comma,
    Closing,
}

impl Notation for JsonArray {
    type State = State;

    const UNIT: &'static str = "an event";

    fn beginning(&self) -> State {
        State::Nothing
    }

    fn read(&self, text: &str, mut state: State, more: bool, batch: &mut Batch) -> Progress<State> {
        let mut at = 0;
        loop {
            let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
            at += text.as_bytes()[at..].iter().take_while(|byte| blank(byte)).count();
            let Some(&byte) = text.as_bytes().get(at) else { break };
            let next = match (state, byte) {
                (State::Nothing, b'[') => Ok((at + 1, State::Opening)),
                (State::Opening | State::Event, b']') => Ok((at + 1, State::Closing)),
                (State::Event, b',') => Ok((at + 1, State::Comma)),
                (State::Opening | State::Comma, _) => event(text, at, batch).map(|(event, end)| {
                    batch.events.push(event);
                    (end, State::Event)
                }),
                (State::Nothing | State::Event | State::Closing, _) => {
                    let found = text[at..].chars().next().unwrap_or_default();
                    let problem = Problem::new(at, format_args!("found `{found}`: expected {}", expected(state)));
                    Err(Stop { problem, seen: at })
                }
            };
            match next {
                Ok((end, behind)) => (at, state) = (end, behind),
                Err(stop) => return Progress { consumed: at, state, stopped: Some(stop) },
            }
        }
        let stopped = (!more && state != State::Closing).then(|| {
            let sentence = format_args!("found the end of the text: expected {}", expected(state)).to_string();
            Stop { problem: Problem::new(at, sentence), seen: at }
        });
        Progress { consumed: at, state, stopped }
    }
}

fn expected(state: State) -> &'static str {
    match state {
        State::Nothing => "`[` and then events",
        State::Opening => "an event or `]`",
        State::Event => "`,` and another event, or `]` after the last",
        State::Comma => "an event: an object with process, type and f",
        State::Closing => "nothing after the end of the array",
    }
}

/// The event that begins at a byte of the text, and where it ends.
fn event(text: &str, at: usize, batch: &mut Batch) -> Result<(BatchedEvent, usize), Stop> {
    let rest = &text[at..];
    if let Some((event, end)) = plain::event(rest, at as u32, batch) {
        return Ok((event, at + end));
    }
    let mut json = serde_json::Deserializer::from_str(rest);
    match (AnEvent { batch, at: at as u32 }).deserialize(&mut json) {
        Ok(event) => Ok((event, at + json.into_iter::<IgnoredAny>().byte_offset())),
        Err(error) => {
            let within = offset_of(rest, error.line(), error.column());
            let problem = problem(&error, rest, within, "the end of the text").behind(at);
            let seen = if error.is_eof() { text.len() } else { problem.at };
            Err(Stop { problem, seen })
        }
    }
}

/// The byte at a line and a column, both from 1.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (start + column.saturating_sub(1)).min(text.len())
}
