//! How times, numbers and other people's words are written on a page.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json};
use shakedown_checkers::{Operation, Outcome, Value};

/// Simulated nanoseconds as seconds with three decimals: the simulation ticks in milliseconds.
pub fn seconds(nanoseconds: u64) -> String {
    format!("{}.{:03}", nanoseconds / 1_000_000_000, nanoseconds / 1_000_000 % 1_000)
}

/// `12,345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 fault`, `2 faults`.
pub fn counted(number: u64, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {one}{plural}", grouped(number))
}

/// What a reader must see of text that is not ours: control characters as their pictures, and characters that turn the
/// direction of what follows as their code, because they could make a page say what it does not say.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\0'..='\u{1f}' => {
                shown.push(char::from_u32(0x2400 + character as u32).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            '\u{7f}' => shown.push('\u{2421}'),
            '\u{80}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}' => {
                // Between marks, so that the code stays whole beside words that run from right to left.
                let _ = write!(shown, "\u{200e}<{:04X}>\u{200e}", character as u32);
            }
            _ => shown.push(character),
        }
    }
    shown
}

/// [`visible`] text of at most `limit` characters; what is left out is counted.
pub fn shortened(text: &str, limit: usize) -> String {
    let total = text.chars().count();
    if total <= limit {
        return visible(text);
    }
    let kept: String = text.chars().take(limit).collect();
    format!("{}… ({} characters in all)", visible(&kept), grouped(total as u64))
}

/// [`visible`] text of at most `limit` characters, for where there is no room to say more.
pub fn clipped(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return visible(text);
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    format!("{}…", visible(&kept))
}

/// `stale-read` as `stale read`; names that the literature writes with capitals (`G-single`) stay.
pub fn anomaly_words(name: &str) -> String {
    if name.starts_with(|first: char| first.is_ascii_uppercase()) {
        visible(name)
    } else {
        visible(&name.replace('-', " "))
    }
}

/// An operation in a few words: `write 7=5`, `read 7=4`, `cas 7=[1 2]`, `lock`.
///
/// The value is the argument, or what came back where nothing was handed in. `timeline.js` says it in the same way.
pub fn operation_words(operation: Operation<'_>) -> String {
    let ok = operation.outcome() == Outcome::Ok;
    let (argument, result) = (operation.argument(), operation.result());
    let mut words = operation.function().to_owned();
    if let Some(key) = operation.key() {
        let _ = write!(words, " {key}");
    }
    let sign = if operation.key().is_some() { '=' } else { ' ' };
    match (argument, result) {
        (Value::Nil, Value::Nil) if !ok || operation.function() != "read" => {}
        (Value::Nil, _) if !ok => {}
        (Value::Nil, result) => {
            let _ = write!(words, "{sign}{result}");
        }
        (Value::List(asked), Value::List(answered)) if ok && asked.len() == answered.len() => {
            let _ = write!(words, "{sign}{result}");
        }
        (argument, result) => {
            let _ = write!(words, "{sign}{argument}");
            if ok && *result != Value::Nil && result != argument {
                let _ = write!(words, " → {result}");
            }
        }
    }
    words
}

/// The word of an outcome.
pub fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::Fail => "fail",
        Outcome::Info => "info",
    }
}

/// The fields of an event of the trace: `role=leader term=3`.
pub fn fields(fields: &Map<String, Json>) -> String {
    let mut words = String::new();
    for (name, value) in fields {
        if !words.is_empty() {
            words.push(' ');
        }
        match value {
            Json::String(text) => {
                let _ = write!(words, "{name}={text}");
            }
            value => {
                let _ = write!(words, "{name}={value}");
            }
        }
    }
    words
}

/// `dropped 34, delayed 3`, with the effects that came to nothing left out.
pub fn effects<'a>(effects: impl IntoIterator<Item = (&'a String, &'a u64)>) -> String {
    let felt: Vec<String> = effects
        .into_iter()
        .filter(|(_, count)| **count > 0)
        .map(|(effect, count)| format!("{} {}", visible(&effect.replace('_', " ")), grouped(*count)))
        .collect();
    felt.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_numbers_are_read_at_a_glance() {
        assert_eq!(seconds(1_204_000_000), "1.204");
        assert_eq!(seconds(0), "0.000");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(12), "12");
        assert_eq!(counted(1, "fault"), "1 fault");
    }

    #[test]
    fn characters_that_nobody_sees_are_shown() {
        assert_eq!(visible("a\u{0}b\u{202e}c\n"), "a␀b\u{200e}<202E>\u{200e}c␊");
        assert_eq!(shortened(&"x".repeat(10_000), 3), "xxx… (10,000 characters in all)");
    }

    #[test]
    fn names_of_the_literature_keep_their_hyphens() {
        assert_eq!(anomaly_words("stale-read"), "stale read");
        assert_eq!(anomaly_words("G-single"), "G-single");
    }
}
