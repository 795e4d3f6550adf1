//! Reading a history from a file or a stream: which format it is, and then that format's reader.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::accesses::{Numbered, Ruled};
use super::assemble::{Assembly, Peculiarity};
use super::compression::decompressed;
use super::edn::Edn;
use super::json::{JsonArray, JsonLines};
use super::log::{self, LogLines};
use super::origin::{Origin, ReadOptions};
use super::pieces::Pieces;
use super::{History, Place, ReadError, turns};

/// How a history is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// One JSON object a line, one event each: what Shakedown writes.
    JsonLines,
    /// One JSON array of such objects.
    JsonArray,
    /// Jepsen's EDN: a vector or list of maps, or one map after another.
    Edn,
    /// The lines that old versions of Jepsen logged: `INFO  jepsen.util - 0 :invoke :read nil`.
    LogLines,
    /// The whole log of a test of Jepsen, each line with its date: `2021-02-20 15:30:27,700{GMT}  INFO  [jepsen worker 0]
    /// jepsen.util: 0  :invoke  :read  nil`.
    WholeLog,
    /// A line an access, with session and transaction, as Plume, AWDIT and PolySI write it: `w(7,1,0,0)`.
    NumberedAccesses,
    /// AWDIT's `test` text: `w 7 1`, with a line of `-` between transactions and of `=` between sessions.
    RuledAccesses,
}

/// Reads the history in a file; `-` is standard input. See [`read`].
///
/// # Errors
/// As [`read`], and when the file cannot be opened.
pub fn read_file(path: &Path) -> Result<History, ReadError> {
    read_file_with(path, &ReadOptions::default())
}

/// Reads the history in a file as [`read_file`] does, within limits.
///
/// # Errors
/// As [`read_file`], and [`ReadError::OverBudget`] when a limit is passed.
pub fn read_file_with(path: &Path, options: &ReadOptions) -> Result<History, ReadError> {
    if path == Path::new("-") {
        return read_with("-", io::stdin(), options);
    }
    let name = path.display().to_string();
    let file = File::open(path).map_err(|source| ReadError::Io { file: name.clone(), source })?;
    read_with(&name, file, options)
}

/// Reads a history in any [`Format`], plain or compressed by gzip or zstd; all of that is told from its first bytes.
/// `name` stands for the source in errors.
///
/// The text is read as a stream and by all processors: memory holds the history, and a piece of text for each of them.
/// The result and the error are the same for any number of threads.
///
/// # Errors
/// [`ReadError::Io`] when the source cannot be read at all, and [`ReadError::BrokenOff`] when it or its compression
/// breaks later. [`ReadError::Malformed`], with its place, for text of no known format, for what the format does not
/// allow, for invalid UTF-8, for a line or an event of more than 32 MiB, for values nested more than 100 deep, and for
/// an event that breaks a rule of histories: see [`BrokenRule`](super::BrokenRule). It is the first in the order of the
/// text. What stands in fields that histories do not have must be well-formed, and is not looked at otherwise.
///
/// # Jepsen's liberties
/// These are no errors: times that tie or run backwards; an `ok` whose value differs from that of its invocation; a
/// process that goes on after an `info` (what it left behind stays open for ever); an invocation without completion.
pub fn read(name: &str, source: impl Read + Send) -> Result<History, ReadError> {
    read_with(name, source, &ReadOptions::default())
}

/// Reads a history as [`read`] does, within limits.
///
/// # Errors
/// As [`read`], and [`ReadError::OverBudget`] when a limit is passed.
pub fn read_with(name: &str, source: impl Read + Send, options: &ReadOptions) -> Result<History, ReadError> {
    read_in_pieces(name, source, options, PIECE)
}

/// The size of the pieces that threads read.
const PIECE: usize = 1 << 20;

pub(super) fn read_in_pieces(
    name: &str,
    source: impl Read + Send,
    options: &ReadOptions,
    size: usize,
) -> Result<History, ReadError> {
    let origin = Origin::new(name);
    let mut text = decompressed(source).map_err(|error| origin.io(error))?;
    let mut head = Vec::new();
    if let Err(error) = read_head(&mut text, &mut head) {
        if head.is_empty() {
            return Err(origin.io(error));
        }
        text = Box::new(Broken(Some(error)));
    }
    if head.starts_with(BYTE_ORDER_MARK) {
        head.drain(..BYTE_ORDER_MARK.len());
    }
    let Some(format) = format_of(&head) else {
        return Err(unknown_format(origin, &head));
    };
    let pieces = Pieces::new(head, text, size);
    match format {
        Format::JsonLines => {
            turns::read(&JsonLines, origin, pieces, Assembly::new(Peculiarity::PairsMayHoldKeys), options)
        }
        Format::JsonArray => {
            turns::read(&JsonArray, origin, pieces, Assembly::new(Peculiarity::PairsMayHoldKeys), options)
        }
        Format::Edn => turns::read(&Edn, origin, pieces, Assembly::new(Peculiarity::PairsMayHoldKeys), options),
        Format::LogLines | Format::WholeLog => {
            let lines = LogLines { whole: format == Format::WholeLog };
            turns::read(&lines, origin, pieces, Assembly::new(Peculiarity::PairsMayHoldKeys), options)
        }
        Format::NumberedAccesses => {
            turns::read(&Numbered, origin, pieces, Assembly::new(Peculiarity::KeysBeginAsZero), options)
        }
        Format::RuledAccesses => turns::read(&Ruled, origin, pieces, Assembly::new(Peculiarity::None), options),
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How many bytes of blank space may stand before a history.
const BLANK_HEAD: usize = 64 << 10;

const EXPECTED: &str = "expected a history: JSON Lines (`{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}`), a JSON \
     array of such objects, EDN maps (`{:process 0, :type :invoke, :f :read}`), log lines \
     (`INFO  jepsen.util - 0 :invoke :read nil`) or accesses of transactions (`w(KEY,VALUE,SESSION,TRANSACTION)`)";

/// Reads at least up to the third byte that is not blank (the sixth, as a byte order mark may stand before), if there is
/// one: enough to tell the format.
fn read_head(text: &mut impl Read, head: &mut Vec<u8>) -> io::Result<()> {
    let mut significant = 0;
    while significant < 6 && head.len() < BLANK_HEAD {
        let known = head.len();
        if text.by_ref().take(4096).read_to_end(head)? == 0 {
            break;
        }
        significant += head[known..].iter().filter(|byte| !byte.is_ascii_whitespace()).count();
    }
    Ok(())
}

/// A source that broke while its head was read.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(self.0.take().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()))
    }
}

/// A format shows in its first three bytes that are not blank, or in a date.
fn format_of(head: &[u8]) -> Option<Format> {
    if log::is_dated(head.trim_ascii_start()) {
        return Some(Format::WholeLog);
    }
    let mut significant = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
    let mut next = || significant.next().unwrap_or(b' ');
    match [next(), next(), next()] {
        [b'{', b'"' | b'}', _] => Some(Format::JsonLines),
        [b'[', b']', _] | [b'[', b'{', b'"' | b'}'] => Some(Format::JsonArray),
        [b'{' | b'[' | b'(', 0, _] => None,
        [b'{' | b'[' | b'(' | b'#' | b';' | b'^', ..] => Some(Format::Edn),
        [b'I', b'N', b'F'] => Some(Format::LogLines),
        [b'r' | b'w', b'(', _] => Some(Format::NumberedAccesses),
        [b'r' | b'w', b'0'..=b'9', b'0'..=b'9'] => Some(Format::RuledAccesses),
        _ => None,
    }
}

/// Whether this is text of two bytes a character: by its byte order mark, or by its zeros.
fn is_utf_16(head: &[u8]) -> bool {
    matches!(head, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, b'{' | b'[' | b'(', ..] | [b'{' | b'[' | b'(', 0, ..])
}

/// What is said of a text that is in no format.
fn unknown_format(origin: Origin<'_>, head: &[u8]) -> ReadError {
    if is_utf_16(head) {
        let problem = "found UTF-16: expected UTF-8 text (`iconv -f UTF-16 -t UTF-8` makes it from this)";
        return origin.malformed(Place { line: 1, column: 1 }, problem);
    }
    let Some(at) = head.iter().position(|byte| !byte.is_ascii_whitespace()) else {
        let found = if head.len() < BLANK_HEAD { "nothing" } else { "nothing but 64 KiB of blank space" };
        return origin.malformed(Place { line: 1, column: 1 }, format_args!("found {found}: {EXPECTED}"));
    };
    let line_start = head[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    let line = 1 + head[..at].iter().filter(|&&byte| byte == b'\n').count();
    let end = head[at..].iter().position(u8::is_ascii_whitespace).map_or(head.len(), |length| at + length);
    let found = &head[at..end.min(at + 20)];
    let found = format_args!("found `{}`: {EXPECTED}", found.escape_ascii()).to_string();
    origin.malformed(Place { line, column: 1 + at - line_start }, found)
}

#[cfg(test)]
mod tests;
