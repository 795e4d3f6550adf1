//! Histories in EDN, as Jepsen writes them: a vector or list of maps, or one map after another.
//!
//! ```text
//!   text ──token──► Token ──value──► Value
//!                         └─event──► event
//! ```
//!
//! No tree of forms comes between the text and the events.

mod event;
mod number;
mod text;
mod token;
mod value;

use super::batch::Batch;
use super::notation::{Notation, Problem, Progress, Stop};
use token::{Bracket, Token};
use value::Depth;

pub(super) use value::Forms;

/// A vector or list of maps, or one map after another.
pub(super) struct Edn;

/// What stands around the events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum State {
    /// Nothing is known yet.
    Unknown,
    /// Nothing.
    Bare,
    /// A bracket.
    Within(Bracket),
    /// A bracket that is closed already.
    Behind,
}

impl Notation for Edn {
    type State = State;

    const UNIT: &'static str = "an event";

    fn beginning(&self) -> State {
        State::Unknown
    }

    fn read(&self, text: &str, state: State, more: bool, batch: &mut Batch) -> Progress<State> {
        let mut forms = Forms::new(text);
        let mut progress = Progress { consumed: 0, state, stopped: None };
        loop {
            match forms.step(progress.state, batch) {
                Ok(Some(state)) => (progress.consumed, progress.state) = (forms.at(), state),
                Ok(None) => break,
                Err(problem) => {
                    progress.stopped = Some(Stop { problem, seen: forms.at() });
                    return progress;
                }
            }
        }
        if let State::Within(bracket) = progress.state
            && !more
        {
            let sentence = format!("found the end of the text: expected `{}` after the last event", bracket.closer());
            progress.stopped = Some(Stop { problem: Problem::new(text.len(), sentence), seen: text.len() });
        }
        // A comment or a form that does not count may go on in the text that follows.
        if !more || text[progress.consumed..].trim_start_matches([' ', ',', '\n', '\r', '\t']).is_empty() {
            progress.consumed = text.len();
        }
        progress
    }
}

impl Forms<'_> {
    /// Reads the next event, or bracket around the events, and gives the state behind it; `None` at the end.
    fn step(&mut self, state: State, batch: &mut Batch) -> Result<Option<State>, Problem> {
        let (at, token) = self.first_token(Depth::TOP)?;
        match (state, token) {
            (_, Token::End) => Ok(None),
            (State::Within(bracket), Token::Close(close)) if bracket.closer() == close.closer() => {
                Ok(Some(State::Behind))
            }
            (State::Within(bracket), Token::Close(close)) => {
                let (found, expected) = (close.closer(), bracket.closer());
                let sentence = format!("found `{found}`, which closes nothing here: expected `{expected}`");
                Err(Problem::new(at, sentence))
            }
            (State::Unknown, Token::Open(bracket @ (Bracket::Square | Bracket::Round))) => {
                Ok(Some(State::Within(bracket)))
            }
            (State::Behind, other) => {
                let found = other.kind();
                Err(Problem::new(at, format_args!("found {found} after the end of the history: expected nothing")))
            }
            (State::Unknown | State::Bare | State::Within(_), token) => {
                let event = self.event(at, token, batch)?;
                batch.events.push(event);
                Ok(Some(if state == State::Unknown { State::Bare } else { state }))
            }
        }
    }
}

#[cfg(test)]
mod tests;
