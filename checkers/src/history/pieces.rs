//! A text that is cut into pieces of about equal size, at the ends of lines where it has some.

use std::io::{self, Read};

use memchr::memrchr;

/// The pieces of what a source holds, one after the other.
pub(super) struct Pieces<R> {
    source: R,
    size: usize,
    /// What was read already but belongs into the next piece.
    tail: Vec<u8>,
    number: u64,
    done: bool,
}

/// Which piece it is, and what comes behind it.
pub(super) struct Piece {
    /// From 0.
    pub number: u64,
    pub behind: Behind,
}

/// What comes behind a piece.
pub(super) enum Behind {
    /// More text.
    More,
    /// Nothing: the text is whole.
    Nothing,
    /// Something that cannot be read.
    Broken(io::Error),
}

impl<R: Read> Pieces<R> {
    /// Pieces of `size` bytes or a little more or less, of which the first begins with `head`.
    pub fn new(head: Vec<u8>, source: R, size: usize) -> Self {
        Pieces { source, size, tail: head, number: 0, done: false }
    }

    /// Puts the next piece into `bytes`; `None` behind the last, which may be empty.
    pub fn next(&mut self, bytes: &mut Vec<u8>) -> Option<Piece> {
        if self.done {
            return None;
        }
        bytes.clear();
        bytes.append(&mut self.tail);
        let wanted = self.size.saturating_sub(bytes.len()).max(self.size / 2).max(1);
        bytes.reserve_exact(wanted);
        let behind = match self.source.by_ref().take(wanted as u64).read_to_end(bytes) {
            Ok(read) if read < wanted => Behind::Nothing,
            Ok(_) => Behind::More,
            Err(error) => Behind::Broken(error),
        };
        match behind {
            Behind::More => {
                if let Some(newline) = memrchr(b'\n', bytes) {
                    self.tail.extend_from_slice(&bytes[newline + 1..]);
                    bytes.truncate(newline + 1);
                }
            }
            Behind::Nothing | Behind::Broken(_) => self.done = true,
        }
        let number = self.number;
        self.number += 1;
        Some(Piece { number, behind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str, size: usize) -> Vec<String> {
        let mut pieces = Pieces::new(Vec::new(), text.as_bytes(), size);
        let mut bytes = Vec::new();
        let next = || pieces.next(&mut bytes).map(|_| String::from_utf8(bytes.clone()).unwrap());
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn pieces_end_at_line_ends_and_hold_the_whole_text() {
        assert_eq!(pieces("one\ntwo\nthree\nfour", 6), ["one\n", "two\n", "three\n", "four"]);
        assert_eq!(pieces("one two three", 6), ["one tw", "o thre", "e"]);
        assert_eq!(pieces("", 6), [""]);
        assert_eq!(pieces("abc\nef", 6), ["abc\n", "ef"]);
    }

    #[test]
    fn what_came_before_the_source_broke_is_a_piece() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        }
        let mut bytes = Vec::new();
        let piece = Pieces::new(Vec::new(), b"half a li".chain(Broken), 64).next(&mut bytes);
        assert!(matches!(piece, Some(Piece { number: 0, behind: Behind::Broken(_) })));
        assert_eq!(bytes, b"half a li");
    }
}
