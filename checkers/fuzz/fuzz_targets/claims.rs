//! What every reader claims of any bytes.

use shakedown_checkers::History;
use shakedown_checkers::history::{ReadError, ReadOptions, read_with, write_json_lines};

/// Reads the bytes behind `head`, which leads into one reader.
pub fn check(head: &[u8], bytes: &[u8]) {
    let text = [head, bytes].concat();
    let options = ReadOptions { threads: 1, ..ReadOptions::default() };
    match read_with("fuzz", &text[..], &options) {
        Err(ReadError::Malformed { place, problem, .. }) => {
            assert!(place.line >= 1 && place.column >= 1 && !problem.is_empty());
        }
        Err(_) => {}
        Ok(history) => {
            let lines = written(&history);
            let again = read_with("again", &lines[..], &options).expect("what was written can be read");
            assert_eq!(
                String::from_utf8_lossy(&written(&again)),
                String::from_utf8_lossy(&lines),
                "what was read is what was written"
            );
        }
    }
}

fn written(history: &History) -> Vec<u8> {
    let mut lines = Vec::new();
    write_json_lines(history, &mut lines).expect("memory takes all that is written");
    if lines.is_empty() {
        lines.extend_from_slice(b"[]");
    }
    lines
}
