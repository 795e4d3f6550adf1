//! The text inside a source that may be compressed by gzip or zstd: its first four bytes say.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// The text of a source.
///
/// # Errors
/// When the source cannot be read. What is wrong with its compression shows when the text is read.
pub(super) fn decompressed<'s>(mut source: impl Read + Send + 's) -> io::Result<Box<dyn Read + Send + 's>> {
    let mut magic = Vec::with_capacity(4);
    source.by_ref().take(4).read_to_end(&mut magic)?;
    let kind = Compression::of(&magic);
    let source = Cursor::new(magic).chain(source);
    let buffered = |source| Counted { source: BufReader::with_capacity(BUFFER, source), bytes: 0 };
    Ok(match kind {
        Compression::None => Box::new(source),
        Compression::Gzip => Box::new(GzipMembers(MultiGzDecoder::new(buffered(source)))),
        Compression::Zstd => Box::new(ZstdFrames::new(buffered(source))),
    })
}

const BUFFER: usize = 128 << 10;

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

/// A source that counts what is taken from it.
struct Counted<R> {
    source: R,
    bytes: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.source.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.source.consume(bytes);
    }
}

/// All members of a gzip file.
struct GzipMembers<R>(MultiGzDecoder<Counted<R>>);

impl<R: BufRead> Read for GzipMembers<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| {
            let bytes = self.0.get_ref().bytes;
            let said = match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    format!("the gzip file ends after {bytes} bytes, in the middle of a member")
                }
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                    format!("the gzip file is damaged in the {bytes} bytes so far: {error}")
                }
                _ => return error,
            };
            io::Error::new(error.kind(), said)
        })
    }
}

/// All frames of a zstd file: tools that compress in parallel write many, and ruzstd decodes one at a time.
struct ZstdFrames<R> {
    source: Counted<R>,
    decoder: FrameDecoder,
}

impl<R: BufRead> ZstdFrames<R> {
    fn new(source: Counted<R>) -> Self {
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
                        return Err(cut(self.source.bytes));
                    }
                }
                Err(error) => return Err(broken(error, self.source.bytes)),
            }
        }
    }

    fn verify_checksum(&self) -> io::Result<()> {
        match (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum()) {
            (Some(expected), Some(found)) if expected != found => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "the checksum of the zstd frame before byte {} is {expected:08x}, but its content has {found:08x}",
                    self.source.bytes
                ),
            )),
            _ => Ok(()),
        }
    }
}

fn cut(bytes: u64) -> io::Error {
    let said = format!("the zstd file ends in the middle of a frame, after {bytes} bytes");
    io::Error::new(io::ErrorKind::UnexpectedEof, said)
}

/// What ruzstd says after so many bytes of the file, as an error of a source.
fn broken(error: FrameDecoderError, bytes: u64) -> io::Error {
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(inner) = cause {
        if inner.downcast_ref::<io::Error>().is_some_and(|inner| inner.kind() == io::ErrorKind::UnexpectedEof) {
            return cut(bytes);
        }
        cause = inner.source();
    }
    io::Error::new(io::ErrorKind::InvalidData, format!("the zstd file is damaged in the {bytes} bytes so far: {error}"))
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
                self.decoder.decode_blocks(&mut self.source, one).map_err(|error| broken(error, self.source.bytes))?;
                continue;
            }
            self.verify_checksum()?;
            if !self.begin_frame()? {
                return Ok(0);
            }
        }
    }
}
