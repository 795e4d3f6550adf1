//! Reading a history from a file or a stream: which compression, which format, and then that format's reader.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::{History, Place, ReadError, edn, json, log};

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
}

/// Reads the history in a file; `-` is standard input. See [`read`].
///
/// # Errors
/// As [`read`], and when the file cannot be opened.
pub fn read_file(path: &Path) -> Result<History, ReadError> {
    if path == Path::new("-") {
        return read("-", io::stdin().lock());
    }
    let name = path.display().to_string();
    let file = File::open(path).map_err(|source| ReadError::Io { file: name.clone(), source })?;
    read(&name, file)
}

/// Reads a history in any [`Format`], plain or compressed by gzip or zstd; all of that is told from its first bytes.
/// `name` stands for the source in errors.
///
/// JSON and log lines are read as a stream: memory holds the history and one event. EDN's text is held whole.
///
/// # Errors
/// [`ReadError::Io`] when the source or its compression is broken. [`ReadError::Malformed`], with its place, for text
/// of no known format, for what the format does not allow, for invalid UTF-8, for a line or an event of more than 256
/// MiB, for values nested more than 100 deep, and for an event that breaks a rule of histories: see
/// [`BrokenRule`](super::BrokenRule). What stands in fields that histories do not have is not looked at.
pub fn read(name: &str, source: impl Read) -> Result<History, ReadError> {
    let origin = Origin { file: name };
    let mut text = decompressed(source).map_err(|error| origin.io(error))?;
    let mut head = Vec::new();
    read_head(&mut text, &mut head).map_err(|error| origin.io(error))?;
    if head.starts_with(BYTE_ORDER_MARK) {
        head.drain(..BYTE_ORDER_MARK.len());
    }
    let Some(format) = format_of(&head) else {
        return Err(origin.unknown_format(&head));
    };
    let text = Cursor::new(head).chain(text);
    match format {
        Format::JsonLines => json::read_lines(origin, text),
        Format::JsonArray => json::read_array(origin, text),
        Format::Edn => edn::read(origin, text),
        Format::LogLines => log::read(origin, text),
    }
}

/// The longest line, and the longest event of a JSON array, in bytes.
pub(super) const LONGEST: usize = if cfg!(test) { 1 << 20 } else { 256 << 20 };

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How many bytes of blank space may stand before a history.
const BLANK_HEAD: usize = 64 << 10;

const EXPECTED: &str = "expected a history: JSON Lines (`{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}`), a JSON \
     array of such objects, EDN maps (`{:process 0, :type :invoke, :f :read}`) or log lines \
     (`INFO  jepsen.util - 0 :invoke :read nil`)";

/// Reads up to the third byte that is not blank (the sixth, as a byte order mark may stand before): enough to tell the
/// format.
fn read_head(text: &mut impl BufRead, head: &mut Vec<u8>) -> io::Result<()> {
    let mut significant = 0;
    while significant < 6 && head.len() < BLANK_HEAD {
        let more = text.fill_buf()?;
        if more.is_empty() {
            break;
        }
        significant += more.iter().filter(|byte| !byte.is_ascii_whitespace()).count();
        head.extend_from_slice(more);
        let read = more.len();
        text.consume(read);
    }
    Ok(())
}

/// A format shows in its first three bytes that are not blank.
fn format_of(head: &[u8]) -> Option<Format> {
    let mut significant = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
    let mut next = || significant.next().unwrap_or(b' ');
    match [next(), next(), next()] {
        [b'{', b'"' | b'}', _] => Some(Format::JsonLines),
        [b'[', b']', _] | [b'[', b'{', b'"' | b'}'] => Some(Format::JsonArray),
        [b'{' | b'[' | b'(' | b'#' | b';', ..] => Some(Format::Edn),
        [b'I', b'N', b'F'] => Some(Format::LogLines),
        _ => None,
    }
}

/// Where text comes from, to say it in errors.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    file: &'a str,
}

impl Origin<'_> {
    pub(super) fn malformed(self, line: usize, column: usize, problem: impl fmt::Display) -> ReadError {
        let place = Place { line: line.max(1), column: column.max(1) };
        ReadError::Malformed { file: self.file.to_owned(), place, problem: problem.to_string() }
    }

    pub(super) fn io(self, source: io::Error) -> ReadError {
        ReadError::Io { file: self.file.to_owned(), source }
    }

    fn unknown_format(self, head: &[u8]) -> ReadError {
        let Some(at) = head.iter().position(|byte| !byte.is_ascii_whitespace()) else {
            let found = if head.len() < BLANK_HEAD { "nothing" } else { "nothing but 64 KiB of blank space" };
            return self.malformed(1, 1, format_args!("found {found}: {EXPECTED}"));
        };
        let line_start = head[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        let line = 1 + head[..at].iter().filter(|&&byte| byte == b'\n').count();
        let end = head[at..].iter().position(u8::is_ascii_whitespace).map_or(head.len(), |length| at + length);
        let found = &head[at..end.min(at + 20)];
        let found = format_args!("found `{}`: {EXPECTED}", found.escape_ascii()).to_string();
        self.malformed(line, 1 + at - line_start, found)
    }
}

/// Lines of UTF-8, none longer than [`LONGEST`], numbered from 1.
pub(super) struct Lines<'a, R> {
    origin: Origin<'a>,
    text: R,
    line: Vec<u8>,
    number: usize,
}

impl<'a, R: BufRead> Lines<'a, R> {
    pub(super) fn new(origin: Origin<'a>, text: R) -> Self {
        Lines { origin, text, line: Vec::new(), number: 0 }
    }

    /// The next line with its number; its end, `\n` or `\r\n`, is part of it.
    pub(super) fn next(&mut self) -> Result<Option<(usize, &str)>, ReadError> {
        self.line.clear();
        let mut limited = (&mut self.text).take(LONGEST as u64 + 1);
        let length = limited.read_until(b'\n', &mut self.line).map_err(|error| self.origin.io(error))?;
        if length == 0 {
            return Ok(None);
        }
        self.number += 1;
        if length > LONGEST {
            let problem = "found a line of more than 256 MiB: expected a shorter one";
            return Err(self.origin.malformed(self.number, LONGEST, problem));
        }
        match std::str::from_utf8(&self.line) {
            Ok(line) => Ok(Some((self.number, line))),
            Err(error) => {
                let at = error.valid_up_to();
                let problem = format_args!("found the byte 0x{:02x}: expected UTF-8 text", self.line[at]).to_string();
                Err(self.origin.malformed(self.number, at + 1, problem))
            }
        }
    }
}

/// The text inside a source, which may be compressed; its first four bytes say how.
fn decompressed<'s>(mut source: impl Read + 's) -> io::Result<Box<dyn BufRead + 's>> {
    let mut magic = Vec::with_capacity(4);
    source.by_ref().take(4).read_to_end(&mut magic)?;
    let kind = Compression::of(&magic);
    let source = BufReader::with_capacity(BUFFER, Cursor::new(magic).chain(source));
    Ok(match kind {
        Compression::None => Box::new(source),
        Compression::Gzip => Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(source))),
        Compression::Zstd => Box::new(BufReader::with_capacity(BUFFER, ZstdFrames::new(source))),
    })
}

const BUFFER: usize = 64 << 10;

enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    fn of(magic: &[u8]) -> Compression {
        match magic {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Compression::Zstd,
            _ => Compression::None,
        }
    }
}

/// All frames of a zstd file: tools that compress in parallel write many, and ruzstd decodes one at a time.
struct ZstdFrames<R> {
    source: R,
    decoder: FrameDecoder,
}

impl<R: BufRead> ZstdFrames<R> {
    fn new(source: R) -> Self {
        ZstdFrames { source, decoder: FrameDecoder::new() }
    }

    /// Begins the next frame with content, if there is one.
    fn begin_frame(&mut self) -> io::Result<bool> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let length = u64::from(length);
                    if io::copy(&mut (&mut self.source).take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }

    fn verify_checksum(&self) -> io::Result<()> {
        match (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum()) {
            (Some(expected), Some(found)) if expected != found => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the zstd frame's checksum is {expected:08x}, but its content has {found:08x}"),
            )),
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            if !self.decoder.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.source, one).map_err(io::Error::other)?;
                continue;
            }
            self.verify_checksum()?;
            if !self.begin_frame()? {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression as Level;
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    const EVENT: &str = "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}\n";

    fn gzip(text: &str) -> Vec<u8> {
        let mut out = GzEncoder::new(Vec::new(), Level::fast());
        out.write_all(text.as_bytes()).unwrap();
        out.finish().unwrap()
    }

    fn zstd(text: &str) -> Vec<u8> {
        compress_to_vec(text.as_bytes(), CompressionLevel::Fastest)
    }

    fn error_of(text: impl AsRef<[u8]>) -> String {
        read("h", text.as_ref()).unwrap_err().to_string()
    }

    #[test]
    fn each_format_is_told_from_its_first_bytes() {
        for (head, format) in [
            ("{\"index\":0}", Some(Format::JsonLines)),
            ("\n { \"index\":0}", Some(Format::JsonLines)),
            ("[{\"index\":0}]", Some(Format::JsonArray)),
            ("[\n\n  {\n \"index\":0}]", Some(Format::JsonArray)),
            ("[]", Some(Format::JsonArray)),
            ("{:index 0}", Some(Format::Edn)),
            ("[{:index 0}]", Some(Format::Edn)),
            ("({:index 0})", Some(Format::Edn)),
            ("[[:x]]", Some(Format::Edn)),
            ("; recorded\n{:index 0}", Some(Format::Edn)),
            ("[;first\n {:index 0}]", Some(Format::Edn)),
            ("#jepsen.history.Op{:index 0}", Some(Format::Edn)),
            ("INFO  jepsen.util - 0 :invoke :read nil", Some(Format::LogLines)),
            ("index,process", None),
            ("", None),
        ] {
            assert_eq!(format_of(head.as_bytes()), format, "{head}");
        }
    }

    #[test]
    fn an_empty_source_is_refused_with_what_was_expected() {
        for empty in ["", " \n\t\n"] {
            assert!(error_of(empty).starts_with("h:1:1: found nothing: expected a history: JSON Lines ("), "{empty:?}");
        }
    }

    #[test]
    fn text_of_no_known_format_is_refused_at_its_place() {
        assert!(error_of("\n\n  index,process\n1,2").starts_with("h:3:3: found `index,process`: expected a history"));
        assert!(error_of(b"\0\xff\n").starts_with("h:1:1: found `\\x00\\xff`: expected a history"));
        assert!(error_of(vec![b' '; 1 << 20]).contains("64 KiB of blank space"));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_history() {
        assert_eq!(read("h", format!("\u{feff}{EVENT}").as_bytes()).unwrap().len(), 1);
    }

    #[test]
    fn compressed_histories_are_read_whole_even_from_several_members_or_frames() {
        let other = EVENT.replace('0', "1");
        for compress in [gzip, zstd] {
            let parts = [compress(EVENT), compress(&other)].concat();
            assert_eq!(read("h", &parts[..]).unwrap().len(), 2);
        }
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd(EVENT)].concat();
        assert_eq!(read("h", &skippable[..]).unwrap().len(), 1);
    }

    #[test]
    fn broken_compression_is_an_error_of_the_source() {
        let text = EVENT.repeat(100);
        for whole in [gzip(&text), zstd(&text)] {
            let cut = &whole[..whole.len() - 5];
            assert!(matches!(read("h", cut), Err(ReadError::Io { .. } | ReadError::Malformed { .. })));
            assert!(matches!(read("h", &cut[..6]), Err(ReadError::Io { .. })));
        }
    }

    #[test]
    fn invalid_utf_8_is_refused_at_its_byte() {
        assert_eq!(error_of(b"{:process 0\n:f \"\xc3\x28\"}"), "h:2:5: found the byte 0xc3: expected UTF-8 text");
    }

    #[test]
    fn a_line_beyond_the_limit_is_refused() {
        let endless = Cursor::new(b"\n{\"f\":\"".to_vec()).chain(io::repeat(b'x'));
        assert!(read("h", endless).unwrap_err().to_string().contains("found a line of more than 256 MiB"));
    }

    #[test]
    fn a_missing_file_is_named() {
        assert!(read_file(Path::new("no/such/file")).unwrap_err().to_string().starts_with("no/such/file: "));
    }
}
