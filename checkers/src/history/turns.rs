//! Reading a text with many threads, as if it were one.
//!
//! ```text
//!   source ──take──► piece 7 ──read──► batch ──┐            take:  one thread at a time, in turn
//!          ──take──► piece 8 ──read──► batch ──┴─merge──►   read:  all at once
//!                                                           merge: one thread at a time, in the same turn
//! ```
//!
//! Each thread takes the next piece of the source, reads it on the guess that it begins between two events, waits for
//! its turn, and merges the events into the history. Where the guess was wrong (an event runs over the end of a piece,
//! or brackets and commas are not what they seemed), whoever has the turn reads the piece again, behind what the pieces
//! before left over. So the history, and the error if there is one, are those of reading piece after piece.
//!
//! Memory holds one piece and its events a thread, and what is left over: no more than
//! [`LONGEST`](super::merge::LONGEST).

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::assemble::Assembly;
use super::batch::Batch;
use super::merge::{Merge, Reading};
use super::notation::Notation;
use super::origin::{Origin, ReadOptions};
use super::pieces::{Behind, Piece, Pieces};
use super::{History, ReadError};

/// Reads a text in some notation.
pub(super) fn read<N: Notation>(
    notation: &N,
    origin: Origin<'_>,
    pieces: Pieces<impl Read + Send>,
    assembly: Assembly,
    options: &ReadOptions,
) -> Result<History, ReadError> {
    let mut pieces = pieces;
    let beginning = notation.beginning();
    let mut merge = Merge::new(notation, origin, options, assembly);
    // A small text is one piece, and not worth a thread. A long one shows by its first piece how the others begin.
    let mut hand = Hand::default();
    if let Some(piece) = hand.take(&mut pieces) {
        hand.read(notation, beginning, &piece);
        hand.merge(&mut merge, piece);
    }
    if options.threads <= 1 {
        while !merge.has_ended()
            && let Some(piece) = hand.take(&mut pieces)
        {
            if merge.is_between_events(merge.state()) {
                hand.read(notation, merge.state(), &piece);
            }
            hand.merge(&mut merge, piece);
        }
    } else if !merge.has_ended() {
        let turns = Turns {
            guess: merge.state(),
            guessing: AtomicBool::new(true),
            pieces: Mutex::new(pieces),
            merge: Mutex::new(merge),
            passed: Condvar::new(),
        };
        thread::scope(|scope| {
            for _ in 1..options.threads {
                scope.spawn(|| turns.work(notation, Hand::default()));
            }
            turns.work(notation, hand);
        });
        merge = turns.merge.into_inner().unwrap_or_else(PoisonError::into_inner);
    }
    merge.finish()
}

/// What the threads share.
struct Turns<'a, N: Notation, R> {
    /// The state that pieces are thought to begin in.
    guess: N::State,
    /// Whether guessing is worth it: not where the pieces before left something over.
    guessing: AtomicBool,
    pieces: Mutex<Pieces<R>>,
    merge: Mutex<Merge<'a, N>>,
    /// Told whenever a turn has passed.
    passed: Condvar,
}

impl<N: Notation, R: Read + Send> Turns<'_, N, R> {
    /// Reads pieces until there are no more.
    fn work(&self, notation: &N, mut hand: Hand<N::State>) {
        let _wake = WakeOthers(self);
        loop {
            let Some(piece) = hand.take(&mut *lock(&self.pieces)) else { return };
            hand.reading = None;
            if self.guessing.load(Ordering::Relaxed) {
                hand.read(notation, self.guess, &piece);
            }
            let mut merge = lock(&self.merge);
            while merge.turn() != piece.number && !merge.has_ended() {
                merge = self.passed.wait(merge).unwrap_or_else(PoisonError::into_inner);
            }
            if merge.has_ended() {
                return;
            }
            hand.merge(&mut merge, piece);
            self.guessing.store(merge.is_between_events(self.guess), Ordering::Relaxed);
            drop(merge);
            self.passed.notify_all();
        }
    }
}

/// The panic of another thread must not keep this one from the end: that thread's panic is the one to be seen.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When a thread panics, the others must not wait for its turn.
struct WakeOthers<'t, 'a, N: Notation, R>(&'t Turns<'a, N, R>);

impl<N: Notation, R> Drop for WakeOthers<'_, '_, N, R> {
    fn drop(&mut self) {
        if thread::panicking() {
            lock(&self.0.merge).give_up();
            self.0.passed.notify_all();
        }
    }
}

/// What one thread works with.
struct Hand<S> {
    bytes: Vec<u8>,
    batch: Batch,
    /// How reading the bytes went, and the state in which they were thought to begin.
    reading: Option<(S, Reading<S>)>,
}

impl<S> Default for Hand<S> {
    fn default() -> Self {
        Hand { bytes: Vec::new(), batch: Batch::default(), reading: None }
    }
}

impl<S: Copy> Hand<S> {
    fn take(&mut self, pieces: &mut Pieces<impl Read>) -> Option<Piece> {
        pieces.next(&mut self.bytes)
    }

    fn read<N: Notation<State = S>>(&mut self, notation: &N, guess: S, piece: &Piece) {
        let more = !matches!(piece.behind, Behind::Nothing);
        self.reading = Some((guess, Reading::of(notation, &self.bytes, guess, more, &mut self.batch)));
    }

    fn merge<N: Notation<State = S>>(&mut self, merge: &mut Merge<'_, N>, piece: Piece) {
        merge.take_turn(piece, &self.bytes, self.reading.take(), &mut self.batch);
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    use super::super::assemble::Peculiarity;
    use super::super::notation::Progress;
    use super::super::read::read_in_pieces;
    use super::super::write_json_lines;
    use super::*;

    /// What a reader gives, whole.
    fn outcome(text: &[u8], threads: usize, size: usize) -> String {
        let options = ReadOptions { threads, ..ReadOptions::default() };
        match read_in_pieces("h", text, &options, size) {
            Err(error) => error.to_string(),
            Ok(history) => {
                let mut lines = Vec::new();
                write_json_lines(&history, &mut lines).unwrap();
                String::from_utf8(lines).unwrap()
            }
        }
    }

    proptest! {
        #[test]
        fn any_number_of_threads_and_any_size_of_pieces_read_the_same(
            text in a_text(),
            damage in proptest::option::of((any::<Index>(), select(&["\"", "[", "}", "\n", ",", "#_", "\\", "\u{e9}", "\0"][..]))),
            cut in proptest::option::of(any::<Index>()),
            threads in 1..5_usize,
            size in 1..200_usize,
        ) {
            let mut text = text.into_bytes();
            if let Some((at, inserted)) = damage {
                let at = at.index(text.len());
                // Half of an é is no UTF-8.
                text.splice(at..at, inserted.bytes().take(1 + at % 2));
            }
            if let Some(cut) = cut.filter(|_| size % 3 == 0) {
                text.truncate(cut.index(text.len()));
            }
            prop_assert_eq!(outcome(&text, threads, size), outcome(&text, 1, 1 << 20));
        }
    }

    /// A history in some format, on one line or on many, and rarely one that breaks a rule.
    fn a_text() -> impl Strategy<Value = String> {
        let event = (0..4_u32, 0..30_u32, select(&["7", "[7 nil]", "[[:r é nil]]", "\"a\\n;{\"", "{:a #{1}}"][..]));
        (vec(event, 1..40), 0..6_u8, select(&["\n", " ", ",\n", "\n ; é\n", ""][..]), any::<bool>()).prop_map(
            |(events, format, between, pretty)| {
                let mut open = [false; 4];
                let mut text = String::new();
                for (n, (process, rare, value)) in events.into_iter().enumerate() {
                    let kind = if open[process as usize] == (rare > 0) { "ok" } else { "invoke" };
                    open[process as usize] = kind == "invoke";
                    let f = if rare == 1 { "write" } else { "read" };
                    let f = if kind == "ok" || value.starts_with("[[") { "txn" } else { f };
                    let line = format!("{{:process {process}, :type :{kind}, :f :{f}, :value {value}}}");
                    let json = line.replace(" :", " \"").replace("{:", "{\"").replace("nil", "null");
                    let json = json.replace("\"process ", "\"process\":").replace("\"type \"", "\"type\":\"");
                    let json = json.replace("\"f \"", "\"f\":\"").replace("\"value ", "\"value\":");
                    let json = json.replace(&format!("\"{kind},"), &format!("\"{kind}\","));
                    let json = json.replace(&format!("\"{f},"), &format!("\"{f}\",")).replace(value, "[7,\"é\\n\"]");
                    let _ = match format {
                        0 => writeln!(text, "{json}"),
                        1 => writeln!(text, "{}{json}", if text.is_empty() { '[' } else { ',' }),
                        2 => write!(text, "{line}{between}"),
                        4 if rare == 9 => writeln!(text, "w(7,{rare},{process},-1)"),
                        4 if kind == "ok" => writeln!(text, "r(7,{},0,{})", rare % 4, n / 3),
                        4 => writeln!(text, "w(7,{},0,{})", rare % 4, n / 3),
                        5 if rare > 15 => writeln!(text, "r 7 {rare}"),
                        5 => writeln!(text, "w 7 {rare}\n{}", if rare < 3 { "=" } else { "--" }),
                        _ => writeln!(text, "INFO  jepsen.util - {process}\t:{kind}\t:{f}\t{value}"),
                    };
                }
                if pretty && matches!(format, 1 | 2) {
                    text = text.replace(", ", ",\n  ");
                }
                match format {
                    1 => text + "]",
                    2 if pretty => format!("[{text}]"),
                    _ => text,
                }
            },
        )
    }

    #[test]
    fn events_longer_than_pieces_and_lines_between_them_are_read() {
        let long = format!("{{\"process\":1,\"type\":\"invoke\",\"f\":\"x\",\"value\":\"{}\"}}\n", "y".repeat(5000));
        let short: String =
            (2..200).map(|n| format!("{{\"process\":{n},\"type\":\"invoke\",\"f\":\"x\"}}\n")).collect();
        let text = format!("{short}{long}{}", short.replace(":x", ":z").replace(":1", ":2000"));
        let whole = outcome(text.as_bytes(), 1, 1 << 20);
        assert_eq!(outcome(text.as_bytes(), 3, 100), whole);
    }

    #[test]
    fn a_reader_that_panics_does_not_leave_the_others_waiting() {
        struct Panics;
        impl Notation for Panics {
            type State = ();
            const UNIT: &'static str = "a line";
            fn beginning(&self) {}
            fn read(&self, text: &str, (): (), _: bool, _: &mut Batch) -> Progress<()> {
                assert!(!text.contains("panic"), "as it was told to");
                Progress { consumed: text.len(), state: (), stopped: None }
            }
        }
        let text = "fine\n".repeat(20) + "panic\n" + &"fine\n".repeat(200);
        let read = std::panic::catch_unwind(|| {
            let pieces = Pieces::new(Vec::new(), text.as_bytes(), 10);
            let options = ReadOptions { threads: 4, ..ReadOptions::default() };
            read(&Panics, Origin::new("h"), pieces, Assembly::new(Peculiarity::None), &options).map(drop)
        });
        assert!(read.is_err());
    }
}
