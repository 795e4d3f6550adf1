//! What every format gives to the one that reads it piece by piece.
//!
//! A text is cut into pieces at any place, though rather at the ends of lines. A [`Notation`] reads the whole events at
//! the beginning of a piece and says how far it came; what it leaves is read again with the piece that follows.

use std::fmt;

use super::batch::Batch;

/// A way to write events down.
pub(super) trait Notation: Sync {
    /// Where the text stands between two events: inside which brackets, behind a comma or not.
    type State: Copy + PartialEq + Send + Sync + fmt::Debug;

    /// What holds one event, for messages: a line, or whatever is around it.
    const UNIT: &'static str;

    /// The state of a text that has not begun.
    fn beginning(&self) -> Self::State;

    /// Reads the whole events at the beginning of `text`, which begins in `state`, into `batch`. With `more`, other text
    /// follows this, so that its end may be anywhere.
    fn read(&self, text: &str, state: Self::State, more: bool, batch: &mut Batch) -> Progress<Self::State>;
}

/// How far reading a piece came.
pub(super) struct Progress<S> {
    /// How much of the text was read, up to the end of an event or further.
    pub consumed: usize,
    /// The state behind that.
    pub state: S,
    /// What stopped it before the end of the text.
    pub stopped: Option<Stop>,
}

/// Why reading did not go on.
#[derive(Debug)]
pub(super) struct Stop {
    /// What is wrong.
    pub problem: Problem,
    /// How far the text was looked at until then. Where that is its end, more text may put things right.
    pub seen: usize,
}

/// What was found and what was expected, and the byte at which it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub at: usize,
    pub sentence: String,
}

impl Problem {
    pub fn new(at: usize, sentence: impl fmt::Display) -> Problem {
        Problem { at, sentence: sentence.to_string() }
    }

    /// The same problem where the text that it lies in begins at `offset`.
    pub fn behind(self, offset: usize) -> Problem {
        Problem { at: self.at + offset, ..self }
    }
}

/// Notations look no further than this behind the place that they say they have seen.
const LOOKAHEAD: usize = 16;

impl Stop {
    /// Whether no text that may follow a text of this length would mend it.
    pub fn is_final(&self, length: usize) -> bool {
        self.seen + LOOKAHEAD < length
    }
}
