//! What can be wrong with a history that comes from outside, and where.

use std::fmt;

use thiserror::Error;

/// Where in a file: both from 1; the column counts bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The byte within the line.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Why a history could not be read. Shown as `file:line:column: what was found, and what was expected`.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file could not be opened, or its text does not even begin.
    #[error("{file}: {source}")]
    Io {
        /// The file, or `-`.
        file: String,
        /// What the operating system or the decompressor says.
        source: std::io::Error,
    },
    /// The source or its compression broke in the middle of the text, as a file does that was cut while it was copied.
    #[error(
        "{file}:{place}: found the end of what can be read after {bytes} bytes of text: {source}; \
         expected the rest of the history (is the file cut short or damaged?)"
    )]
    BrokenOff {
        /// The file, or `-`.
        file: String,
        /// Where the text ends.
        place: Place,
        /// How many bytes of text came before, decompressed.
        bytes: u64,
        /// What the operating system or the decompressor says.
        source: std::io::Error,
    },
    /// The text is not what it should be.
    #[error("{file}:{place}: {problem}")]
    Malformed {
        /// The file, or `-`.
        file: String,
        /// Where.
        place: Place,
        /// What was found, and what was expected.
        problem: String,
    },
    /// The history is larger than the caller allows: see [`ReadOptions`](super::ReadOptions).
    #[error(
        "{file}:{place}: {what} ran out after {events} events in {bytes} bytes of text: \
         {}", what.what_helps()
    )]
    OverBudget {
        /// The file, or `-`.
        file: String,
        /// Which limit was passed.
        what: Limit,
        /// How many events were read until then.
        events: u64,
        /// How many bytes of text were read until then, decompressed.
        bytes: u64,
        /// Where reading stopped.
        place: Place,
    },
}

/// A limit on what reading may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The memory that the history takes.
    Memory {
        /// The most that it may take, in bytes.
        allowed: u64,
    },
    /// The time at which reading must be done.
    Time,
}

impl Limit {
    fn what_helps(self) -> &'static str {
        match self {
            Limit::Memory { .. } => "allow more memory, or check the events before this line by themselves",
            Limit::Time => "allow more time, or check the events before this line by themselves",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Memory { allowed } if *allowed < 10 << 20 => write!(f, "the allowed memory of {allowed} bytes"),
            Limit::Memory { allowed } => write!(f, "the allowed memory of {} MiB", allowed >> 20),
            Limit::Time => f.write_str("the allowed time"),
        }
    }
}
