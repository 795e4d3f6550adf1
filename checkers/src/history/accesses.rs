//! Histories of reads and writes in the texts of those who test weak isolation and causal consistency.
//!
//! ```text
//!   Plume, AWDIT, PolySI    w(KEY,VALUE,SESSION,TRANSACTION)     a line an access; consecutive lines with the same session and
//!                           r(KEY,VALUE,SESSION,TRANSACTION)     transaction make one; transaction -1 was aborted
//!
//!   AWDIT, `test`           w KEY VALUE                          a line an access; a line of `-` begins the next transaction,
//!                           -----                                a line of `=` the next session
//!                           r KEY VALUE
//! ```
//!
//! They hold no times, and their order tells nothing about two sessions: each transaction becomes a completion alone, as
//! [`assemble`](super::assemble) has them, with its number as index. An aborted access is a failed transaction by itself.
//!
//! In the first text every key begins as 0, which nobody writes: a read of 0 is one of nil, unless a transaction that was
//! not aborted does write 0 to that key. In the second all that is read must be written.
//!
//! *Sources of the layouts:* `TextHistoryLoader` of Plume's authors (dracoooooo/C4), `formats.rs` of lassemoldrup/AWDIT. There
//! a transaction is known by its number alone, wherever its lines stand; here they must stand together.

mod numbered;
mod ruled;

use super::batch::{Batch, BatchedEvent, Who};
use super::notation::Problem;
use super::packed::{OpenList, pack, pack_int, pack_text};
use super::{EventType, Value};

pub(super) use numbered::Numbered;
pub(super) use ruled::Ruled;

/// One read or write.
struct Access<'a> {
    word: &'static str,
    key: &'a str,
    value: &'a str,
}

/// A transaction whose accesses are being read.
struct OpenTransaction {
    /// The byte at which its first line begins.
    at: usize,
    session: u32,
    number: Option<u64>,
    begin: usize,
    list: OpenList,
    accesses: usize,
}

impl OpenTransaction {
    fn begin(at: usize, session: u32, number: Option<u64>, batch: &mut Batch) -> OpenTransaction {
        let out = &mut batch.lists.bytes;
        OpenTransaction { at, session, number, begin: out.len(), list: OpenList::begin(out), accesses: 0 }
    }

    /// Adds an access, of which a value of `initial` is nil where it was read.
    fn add(&mut self, access: &Access<'_>, initial: Option<&str>, batch: &mut Batch) {
        let out = &mut batch.lists.bytes;
        let list = OpenList::begin(out);
        pack_text(access.word, out);
        pack_digits(access.key, out);
        match access.value {
            value if access.word == READ && Some(value) == initial => pack(&Value::Nil, out),
            value => pack_digits(value, out),
        }
        list.end(3, out);
        self.accesses += 1;
    }

    /// The transaction is whole, and ended so.
    fn end(self, event_type: EventType, batch: &mut Batch) {
        self.list.end(self.accesses, &mut batch.lists.bytes);
        let value = batch.lists.packed_since(self.begin);
        batch.events.push(BatchedEvent {
            at: self.at as u32,
            event_type,
            who: Who::Client(self.session),
            function: batch.names.id_of("txn"),
            index: self.number,
            time: None,
            key: None,
            value,
            error: None,
        });
    }
}

const READ: &str = "r";
const WRITE: &str = "w";

/// A whole number; what is too large for one stays text.
fn pack_digits(digits: &str, out: &mut Vec<u8>) {
    match digits.parse() {
        Ok(number) => pack_int(number, out),
        Err(_) => pack_text(digits, out),
    }
}

/// Goes along a line.
struct Line<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Line<'a> {
    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.text[self.at..].trim_ascii_start().len();
    }

    /// `r` or `w`.
    fn word(&mut self, expected: &str) -> Result<&'static str, Problem> {
        self.skip_blanks();
        let word = match self.text.as_bytes().get(self.at) {
            Some(b'r') => READ,
            Some(b'w') => WRITE,
            _ => return Err(self.problem(expected)),
        };
        self.at += 1;
        Ok(word)
    }

    fn expect(&mut self, byte: u8, expected: &str) -> Result<(), Problem> {
        self.skip_blanks();
        if self.text.as_bytes().get(self.at) != Some(&byte) {
            return Err(self.problem(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// A whole number from 0 as it is written, or -1 where that is allowed.
    fn number(&mut self, or_aborted: bool, expected: &str) -> Result<&'a str, Problem> {
        self.skip_blanks();
        let rest = &self.text[self.at..];
        let sign = usize::from(or_aborted && rest.starts_with('-'));
        let digits = rest[sign..].bytes().take_while(u8::is_ascii_digit).count();
        let number = &rest[..sign + digits];
        if digits == 0 || (sign == 1 && number != ABORTED) {
            return Err(self.problem(expected));
        }
        self.at += number.len();
        Ok(number)
    }

    fn end(&mut self, expected: &str) -> Result<(), Problem> {
        self.skip_blanks();
        if self.at < self.text.len() { Err(self.problem(expected)) } else { Ok(()) }
    }

    fn problem(&self, expected: &str) -> Problem {
        let found: String = self.text[self.at..].chars().take(20).collect();
        let found = if found.is_empty() { "the end of the line".to_owned() } else { format!("`{found}`") };
        Problem::new(self.at, format_args!("found {found}: expected {expected}"))
    }
}

/// The number of a transaction that was aborted.
const ABORTED: &str = "-1";

#[cfg(test)]
mod tests;
