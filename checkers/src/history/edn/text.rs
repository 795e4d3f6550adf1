//! Characters and the escapes of strings, as Clojure writes them.

use std::borrow::Cow;

use memchr::memchr2;

use super::super::notation::Problem;

/// The string behind an opening quote, and where its closing quote is in `text`; `None` if there is none.
///
/// # Errors
/// At the escape that does not exist.
pub(super) fn string(text: &str) -> Result<Option<(Cow<'_, str>, usize)>, Problem> {
    let mut unescaped = String::new();
    let mut at = 0;
    loop {
        let Some(length) = memchr2(b'"', b'\\', &text.as_bytes()[at..]) else { return Ok(None) };
        let plain = &text[at..at + length];
        at += length;
        if text.as_bytes()[at] == b'"' {
            let whole = if unescaped.is_empty() { Cow::Borrowed(plain) } else { Cow::Owned(unescaped + plain) };
            return Ok(Some((whole, at)));
        }
        unescaped.push_str(plain);
        let Some((char, length)) = escape(&text[at..]).map_err(|problem| problem.behind(at))? else {
            return Ok(None);
        };
        unescaped.push(char);
        at += length;
    }
}

/// The character that the escape at the beginning of `text` says, and how long it is; `None` if the text ends in it.
fn escape(text: &str) -> Result<Option<(char, usize)>, Problem> {
    let unknown = || {
        let sentence = "found an unknown escape in a string: expected `\\t`, `\\r`, `\\n`, `\\b`, `\\f`, `\\\\`, \
                        `\\\"`, `\\u00e9` or `\\351`";
        Problem::new(0, sentence)
    };
    let bytes = text.as_bytes();
    let Some(&kind) = bytes.get(1) else { return Ok(None) };
    let char = match kind {
        b't' => '\t',
        b'r' => '\r',
        b'n' => '\n',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'\\' | b'"' => char::from(kind),
        b'u' => return utf_16_escape(text).map_err(|()| unknown()),
        b'0'..=b'7' => {
            let digits = bytes[1..].iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
            return octal(&text[1..=digits]).map(|char| Some((char, 1 + digits))).ok_or_else(unknown);
        }
        _ => return Err(unknown()),
    };
    Ok(Some((char, 2)))
}

/// `\u00e9`, or two of them for one character beyond the first 2^16.
fn utf_16_escape(text: &str) -> Result<Option<(char, usize)>, ()> {
    let Some(first) = text.as_bytes().get(2..6) else { return Ok(None) };
    let first = unit(first).ok_or(())?;
    if let Some(char) = char::from_u32(first.into()) {
        return Ok(Some((char, 6)));
    }
    let Some(second) = text.as_bytes().get(6..12) else { return Ok(None) };
    let second = second.strip_prefix(b"\\u").and_then(unit).ok_or(())?;
    let mut chars = char::decode_utf16([first, second]);
    match (chars.next(), chars.next()) {
        (Some(Ok(char)), None) => Ok(Some((char, 12))),
        _ => Err(()),
    }
}

fn unit(digits: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}

fn octal(digits: &str) -> Option<char> {
    let number = u32::from_str_radix(digits, 8).ok().filter(|&number| number <= 0o377)?;
    char::from_u32(number)
}

/// The character that stands behind a backslash as `token`.
pub(super) fn character(token: &str) -> Result<char, String> {
    let mut chars = token.chars();
    if let (Some(char), None) = (chars.next(), chars.next()) {
        return Ok(char);
    }
    let named = match token {
        "newline" => Some('\n'),
        "space" => Some(' '),
        "tab" => Some('\t'),
        "return" => Some('\r'),
        "formfeed" => Some('\u{c}'),
        "backspace" => Some('\u{8}'),
        _ => match token.split_at_checked(1) {
            Some(("u", digits)) if digits.len() == 4 => {
                unit(digits.as_bytes()).and_then(|unit| char::from_u32(unit.into()))
            }
            Some(("o", digits)) if digits.len() <= 3 => octal(digits),
            _ => None,
        },
    };
    named.ok_or_else(|| {
        format!(
            "found the unknown character `\\{token}`: expected one as `\\a`, `\\newline`, `\\space`, `\\tab`, \
             `\\return`, `\\formfeed`, `\\backspace`, `\\u00e9` or `\\o351`"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_at_their_quote_and_every_escape_is_read() {
        for (text, string_read, quote) in [
            (r#"abc" 1"#, "abc", 3),
            (r#"""#, "", 0),
            (r#"a\n\t\r\b\f\\""#, "a\n\t\r\u{8}\u{c}\\", 13),
            (r#"\u00e9\uD83D\uDE00\351\0x""#, "é😀é\0x", 25),
        ] {
            let (read, at) = string(text).unwrap().unwrap();
            assert_eq!((&*read, at), (string_read, quote), "{text}");
        }
        assert!(matches!(string("plain\"").unwrap(), Some((Cow::Borrowed("plain"), 5))));
    }

    #[test]
    fn strings_without_their_end_are_not_yet_wrong() {
        for text in ["", "abc", "abc\\", "\\u00", "\\uD83D\\uDE"] {
            assert_eq!(string(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn unknown_escapes_are_told_at_their_backslash() {
        for text in ["ab\\q\"", "ab\\u00g0\"", "ab\\uDE00\\uD83D\"", "ab\\uD83Dxxxxxxx\"", "ab\\400\"", "ab\\u+0e9\""] {
            assert_eq!(string(text).unwrap_err().at, 2, "{text}");
        }
    }

    #[test]
    fn characters_are_named_numbered_or_stand_for_themselves() {
        for (token, char) in [
            ("a", 'a'),
            ("é", 'é'),
            ("u", 'u'),
            ("newline", '\n'),
            ("space", ' '),
            ("tab", '\t'),
            ("return", '\r'),
            ("formfeed", '\u{c}'),
            ("backspace", '\u{8}'),
            ("u00e9", 'é'),
            ("o101", 'A'),
        ] {
            assert_eq!(character(token), Ok(char), "{token}");
        }
        for token in ["newlin", "u00e", "uD800", "o400", "o8", "ab"] {
            assert!(character(token).is_err(), "{token}");
        }
    }
}
