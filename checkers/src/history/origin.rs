//! Where a history comes from, and what reading it may cost.

use std::fmt;
use std::io;
use std::time::Instant;

use super::{Limit, Place, ReadError};

/// What reading may take. The default is all processors, and as much memory and time as it needs.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// How many threads read at once; 1 is the calling thread alone, which is enough for a text of less than 1 MiB.
    pub threads: usize,
    /// How much memory the history may take, in bytes, estimated from its columns and values. Beside it, reading takes
    /// some MiB a thread, and as much as the longest event.
    pub max_bytes: Option<u64>,
    /// When reading must be done. It is looked at after each piece of about 1 MiB.
    pub deadline: Option<Instant>,
}

impl Default for ReadOptions {
    fn default() -> ReadOptions {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        ReadOptions { threads, max_bytes: None, deadline: None }
    }
}

/// Where text comes from, to say it in errors.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    file: &'a str,
}

impl<'a> Origin<'a> {
    pub(super) fn new(file: &'a str) -> Self {
        Origin { file }
    }

    pub(super) fn malformed(self, place: Place, problem: impl fmt::Display) -> ReadError {
        ReadError::Malformed { file: self.file.to_owned(), place, problem: problem.to_string() }
    }

    pub(super) fn broken_off(self, place: Place, bytes: u64, source: io::Error) -> ReadError {
        match bytes {
            0 => self.io(source),
            _ => ReadError::BrokenOff { file: self.file.to_owned(), place, bytes, source },
        }
    }

    pub(super) fn over_budget(self, what: Limit, events: u64, bytes: u64, place: Place) -> ReadError {
        ReadError::OverBudget { file: self.file.to_owned(), what, events, bytes, place }
    }

    pub(super) fn io(self, source: io::Error) -> ReadError {
        ReadError::Io { file: self.file.to_owned(), source }
    }
}
