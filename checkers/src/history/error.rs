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
    /// The file could not be opened or read, or its compression is broken.
    #[error("{file}: {source}")]
    Io {
        /// The file, or `-`.
        file: String,
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
}
