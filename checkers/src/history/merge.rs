//! The pieces of a text become a history, one after the other.
//!
//! A piece that begins between two events was read already; its events are added. Where the pieces before left something
//! over, or brackets and commas are not what the reader of the piece guessed, it is read again behind what was left over.

use std::time::Instant;

use memchr::{memchr_iter, memrchr};

use super::assemble::Assembly;
use super::batch::Batch;
use super::notation::{Notation, Problem, Progress, Stop};
use super::origin::{Origin, ReadOptions};
use super::pieces::{Behind, Piece};
use super::{History, Limit, Place, ReadError};

/// The longest line, and the longest event in other formats, in bytes.
pub(super) const LONGEST: usize = if cfg!(test) { 1 << 20 } else { 32 << 20 };

/// The history so far, and where in the text it ends.
pub(super) struct Merge<'a, N: Notation> {
    notation: &'a N,
    origin: Origin<'a>,
    options: &'a ReadOptions,
    /// The piece that comes next.
    turn: u64,
    /// The state behind the text that is merged.
    state: N::State,
    /// The text behind that.
    left_over: Vec<u8>,
    /// How much of what is left over was read in vain.
    tried: usize,
    /// The line ends in the text that is merged, and the bytes behind the last.
    lines: usize,
    column: usize,
    /// The bytes of all pieces so far.
    bytes: u64,
    assembly: Assembly,
    ended: Option<Result<(), ReadError>>,
}

impl<'a, N: Notation> Merge<'a, N> {
    pub fn new(notation: &'a N, origin: Origin<'a>, options: &'a ReadOptions, assembly: Assembly) -> Self {
        Merge {
            notation,
            origin,
            options,
            turn: 0,
            state: notation.beginning(),
            left_over: Vec::new(),
            tried: 0,
            lines: 0,
            column: 0,
            bytes: 0,
            assembly,
            ended: None,
        }
    }

    /// The number of the piece that comes next.
    pub fn turn(&self) -> u64 {
        self.turn
    }

    /// The state behind the text that is merged.
    pub fn state(&self) -> N::State {
        self.state
    }

    /// Whether the text is merged to its end, or to what is wrong with it.
    pub fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Takes no more pieces.
    pub fn give_up(&mut self) {
        self.ended = Some(Ok(()));
    }

    /// Whether the next piece begins with an event, in this state.
    pub fn is_between_events(&self, state: N::State) -> bool {
        self.left_over.is_empty() && self.state == state
    }

    /// Merges the next piece.
    /// It may have been read already, into the batch, on the guess that it begins in some state.
    pub fn take_turn(
        &mut self,
        piece: Piece,
        bytes: &[u8],
        reading: Option<(N::State, Reading<N::State>)>,
        batch: &mut Batch,
    ) {
        self.turn += 1;
        self.bytes += bytes.len() as u64;
        let merged = match reading.filter(|(guess, _)| self.is_between_events(*guess)) {
            Some((_, reading)) => self.merge(bytes, reading, batch),
            None => self.read_again(bytes, !matches!(piece.behind, Behind::Nothing), batch),
        };
        self.ended = match (merged.and_then(|()| self.within_limits()), piece.behind) {
            (Err(error), _) => Some(Err(error)),
            (Ok(()), Behind::More) => None,
            (Ok(()), Behind::Nothing) => Some(Ok(())),
            (Ok(()), Behind::Broken(source)) => {
                let place = self.place(&self.left_over, self.left_over.len());
                Some(Err(self.origin.broken_off(place, self.bytes, source)))
            }
        };
    }

    /// Reads a piece behind what the pieces before left over.
    fn read_again(&mut self, bytes: &[u8], more: bool, batch: &mut Batch) -> Result<(), ReadError> {
        let mut text = std::mem::take(&mut self.left_over);
        text.extend_from_slice(bytes);
        // Text that holds no whole event is not read again before there is twice as much of it.
        if more && text.len() < 2 * self.tried && text.len() <= LONGEST {
            self.left_over = text;
            return Ok(());
        }
        let reading = Reading::of(self.notation, &text, self.state, more, batch);
        self.merge(&text, reading, batch)
    }

    /// Adds what was read of a text.
    fn merge(&mut self, text: &[u8], reading: Reading<N::State>, batch: &mut Batch) -> Result<(), ReadError> {
        let Reading { progress, lines, column } = reading;
        let start = (self.lines, self.column);
        let added = self.assembly.add(batch, |at| place_behind(start, text, at));
        added.map_err(|(place, problem)| self.origin.malformed(place, problem))?;
        if let Some(Stop { problem, .. }) = progress.stopped {
            return Err(self.origin.malformed(self.place(text, problem.at), problem.sentence));
        }
        let left_over = &text[progress.consumed..];
        if left_over.len() > LONGEST {
            let problem = format!("found {} of more than {} MiB: expected a shorter one", N::UNIT, LONGEST >> 20);
            return Err(self.origin.malformed(self.place(text, progress.consumed), problem));
        }
        self.left_over.extend_from_slice(left_over);
        self.tried = left_over.len();
        self.state = progress.state;
        self.column = if lines == 0 { self.column + column } else { column };
        self.lines += lines;
        Ok(())
    }

    /// The place of a byte of a text that begins where the merged one ends.
    fn place(&self, text: &[u8], at: usize) -> Place {
        place_behind((self.lines, self.column), text, at)
    }

    fn within_limits(&self) -> Result<(), ReadError> {
        let allowed = self.options.max_bytes.filter(|&allowed| self.assembly.bytes() as u64 > allowed);
        let memory = allowed.map(|allowed| Limit::Memory { allowed });
        let late = self.options.deadline.is_some_and(|deadline| Instant::now() > deadline);
        match memory.or(late.then_some(Limit::Time)) {
            None => Ok(()),
            Some(what) => {
                let place = self.place(&[], 0);
                Err(self.origin.over_budget(what, self.assembly.events(), self.bytes, place))
            }
        }
    }

    /// The history of the whole text.
    pub fn finish(self) -> Result<History, ReadError> {
        self.ended.unwrap_or(Ok(()))?;
        self.assembly.finish().map_err(|(place, problem)| self.origin.malformed(place, problem))
    }
}

/// The place of a byte of a text, before which there are so many line ends and so many bytes on the same line.
fn place_behind((lines, column): (usize, usize), text: &[u8], at: usize) -> Place {
    let before = &text[..at.min(text.len())];
    match memrchr(b'\n', before) {
        None => Place { line: lines + 1, column: column + at + 1 },
        Some(newline) => Place { line: lines + 1 + memchr_iter(b'\n', before).count(), column: at - newline },
    }
}

/// How reading a piece went.
pub(super) struct Reading<S> {
    progress: Progress<S>,
    /// The line ends in what was read, and the bytes behind the last.
    lines: usize,
    column: usize,
}

impl<S: Copy> Reading<S> {
    /// Reads the events at the beginning of `bytes` into an empty batch.
    pub fn of<N: Notation<State = S>>(
        notation: &N,
        bytes: &[u8],
        state: S,
        more: bool,
        batch: &mut Batch,
    ) -> Reading<S> {
        batch.clear();
        let (text, damage) = valid_text(bytes, more);
        let mut progress = notation.read(text, state, more || damage.is_some(), batch);
        match (&progress.stopped, damage) {
            (Some(stop), damage) if stop.is_final(text.len()) || (!more && damage.is_none()) => {}
            (_, Some(problem)) => progress.stopped = Some(Stop { problem, seen: 0 }),
            (Some(_), None) => progress.stopped = None,
            (None, None) => {}
        }
        let read = &bytes[..progress.consumed];
        let lines = memchr_iter(b'\n', read).count();
        Reading { progress, lines, column: memrchr(b'\n', read).map_or(read.len(), |newline| read.len() - newline - 1) }
    }
}

/// The text at the beginning of `bytes`, and what is wrong with the byte behind it. With `more`, the last character may
/// be incomplete.
fn valid_text(bytes: &[u8], more: bool) -> (&str, Option<Problem>) {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return (text, None),
        Err(error) => error,
    };
    let (valid, rest) = bytes.split_at(error.valid_up_to());
    let text = std::str::from_utf8(valid).unwrap_or_default();
    if error.error_len().is_none() && more {
        return (text, None);
    }
    (text, Some(Problem::new(valid.len(), format_args!("found the byte 0x{:02x}: expected UTF-8 text", rest[0]))))
}
