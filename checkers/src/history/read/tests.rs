//! What the way from a source to a history must hold, whatever the format.

use std::io::{Cursor, Write};

use flate2::Compression as Level;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use std::time::Instant;

use super::super::Limit;
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
        ("w(7,1,0,0)", Some(Format::NumberedAccesses)),
        ("r 7 1", Some(Format::RuledAccesses)),
        ("w x 1", None),
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
fn broken_compression_tells_where_the_text_so_far_ends() {
    let text: String = (0..5000).map(|n| EVENT.replace('0', &(n * n).to_string())).collect();
    let whole = gzip(&text);
    let (place, bytes) = match read("h", &whole[..whole.len() * 3 / 4]) {
        Err(ReadError::BrokenOff { place, bytes, .. }) => (place, bytes),
        other => panic!("a cut file gave {other:?}"),
    };
    let before = &text[..bytes as usize];
    assert_eq!(place.line, 1 + before.matches('\n').count());
    assert_eq!(place.column, 1 + before.len() - before.rfind('\n').map_or(0, |newline| newline + 1));
    assert!(matches!(read("h", &whole[..6]), Err(ReadError::Io { .. })));
}

#[test]
fn a_zstd_file_that_is_cut_is_said_to_be() {
    let whole = zstd(&EVENT.repeat(100));
    for length in [6, whole.len() / 2, whole.len() - 5] {
        let error = error_of(&whole[..length]);
        assert!(error.contains("the zstd file ends in the middle of a frame"), "{error}");
    }
}

#[test]
fn damaged_headers_are_told_with_the_file_and_the_byte() {
    let (gzip, zstd) = (gzip(EVENT), zstd(EVENT));
    let cut = error_of(&gzip[..6]);
    assert!(cut.starts_with("h: the gzip file ends after 6 bytes, in the middle of a member"), "{cut}");
    let damaged = error_of([&gzip[..2], &[7], &gzip[3..]].concat());
    assert!(damaged.starts_with("h: the gzip file is damaged in the ") && damaged.contains("header"), "{damaged}");
    let second = error_of([&gzip[..], &gzip[..7]].concat());
    assert!(second.contains(&format!("ends after {} bytes", gzip.len() + 7)), "{second}");
    let cut = error_of(&zstd[..5]);
    assert!(cut.starts_with("h: the zstd file ends in the middle of a frame, after "), "{cut}");
    let damaged = error_of([&zstd[..4], &[0xff; 40]].concat());
    assert!(damaged.starts_with("h: the zstd file is damaged in the "), "{damaged}");
}

#[test]
fn an_error_before_the_break_comes_first() {
    let whole = gzip(&(EVENT.repeat(2) + &EVENT.replace('0', "1").repeat(1000)));
    assert!(error_of(&whole[..whole.len() - 9]).starts_with("h:2:1: process 0 invokes read while"));
}

#[test]
fn utf_16_is_named() {
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        for text in [EVENT.to_owned(), format!("\u{feff}{EVENT}")] {
            let bytes: Vec<u8> = text.encode_utf16().flat_map(order).collect();
            assert!(error_of(bytes).starts_with("h:1:1: found UTF-16: expected UTF-8 text"));
        }
    }
}

#[test]
fn lines_that_end_in_carriage_returns_alone_are_refused_with_the_reason() {
    assert!(error_of(EVENT.replace('\n', "\r").repeat(2)).contains("found a second event behind a carriage return"));
    let log = "INFO  jepsen.util - 0\t:invoke\t:read\tnil\r".repeat(2);
    assert!(error_of(log).contains("found a second event on the line: expected line feeds"));
    assert_eq!(read("h", EVENT.replace('\n', "\r\n").as_bytes()).unwrap().len(), 1);
}

#[test]
fn a_limit_that_is_passed_tells_how_far_reading_came() {
    let text: String = (0..5000).map(|n| EVENT.replace('0', &n.to_string())).collect();
    let options = ReadOptions { max_bytes: Some(100_000), ..ReadOptions::default() };
    let error = read_in_pieces("h", text.as_bytes(), &options, 4096).unwrap_err();
    let ReadError::OverBudget { what: Limit::Memory { allowed: 100_000 }, events, bytes, .. } = error else {
        panic!("{error}");
    };
    assert!((100..5000).contains(&events) && (4096..text.len() as u64).contains(&bytes), "{error}");
    assert!(error.to_string().contains("the allowed memory of 100000 bytes ran out after"), "{error}");
    let options = ReadOptions { deadline: Some(Instant::now()), ..ReadOptions::default() };
    let late = read_with("h", text.as_bytes(), &options).unwrap_err();
    assert!(late.to_string().contains("the allowed time ran out after"), "{late}");
}

#[test]
fn files_of_another_kind_are_refused_with_what_was_found() {
    assert!(error_of(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").starts_with("h:1:1: found `\\x89PNG`: expected a history"));
    assert!(
        error_of(EVENT.replace("read", "r\0"))
            .starts_with("h:1:36: found `\\u{0}`: expected no control character inside text")
    );
    assert!(error_of("{:process 0 \0}").starts_with("h:1:13: found `\\u{0}`: expected a form of EDN"));
    assert!(error_of("INFO  jepsen.util - 0 :invoke :read \0").starts_with("h:1:37: found `\\u{0}`"));
    let directory = read_file(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_err();
    assert!(matches!(directory, ReadError::Io { .. }) && directory.to_string().contains("checkers: "));
}

#[test]
fn invalid_utf_8_is_refused_at_its_byte() {
    assert_eq!(
        error_of([EVENT.as_bytes(), b"{\"f\":\"\xff\"}"].concat()),
        "h:2:7: found the byte 0xff: expected UTF-8 text"
    );
    assert_eq!(
        error_of(b"INFO  jepsen.util - 0\t:invoke\t:read\t\"\xc3\""),
        "h:1:38: found the byte 0xc3: expected UTF-8 text"
    );
    assert_eq!(error_of(b"[{\"f\":\n\"\xed\xa0\x80\"}]"), "h:2:2: found the byte 0xed: expected UTF-8 text");
    assert_eq!(error_of(b"{:process 0\n:f \"\xc3\x28\"}"), "h:2:5: found the byte 0xc3: expected UTF-8 text");
}

#[test]
fn a_line_beyond_the_limit_is_refused() {
    let endless = Cursor::new(b"\n{\"f\":\"".to_vec()).chain(io::repeat(b'x'));
    assert!(read("h", endless).unwrap_err().to_string().contains("found a line of more than 1 MiB"));
}

#[test]
fn a_missing_file_is_named() {
    assert!(read_file(Path::new("no/such/file")).unwrap_err().to_string().starts_with("no/such/file: "));
}
