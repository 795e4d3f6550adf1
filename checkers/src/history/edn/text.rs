//! Characters and the escapes of strings, as Clojure writes them.

use memchr::memchr2;

use super::super::notation::Problem;

/// Where the closing quote is of the string behind an opening quote, and whether there are escapes before it; `None` if
/// there is none.
pub(super) fn string_end(text: &[u8]) -> Option<(usize, bool)> {
    let mut at = 0;
    let mut escaped = false;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some((at, escaped));
        }
        escaped = true;
        at += 2;
    }
}

/// What a string with escapes says.
///
/// # Errors
/// At the escape that does not exist.
pub(super) fn unescaped(text: &str) -> Result<String, Problem> {
    let mut unescaped = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(length) = text[at..].find('\\') {
        unescaped.push_str(&text[at..at + length]);
        at += length;
        let (char, length) = escape(&text[at..]).ok_or_else(|| Problem::new(at, UNKNOWN_ESCAPE))?;
        unescaped.push(char);
        at += length;
    }
    unescaped.push_str(&text[at..]);
    Ok(unescaped)
}

const UNKNOWN_ESCAPE: &str = "found an unknown escape in a string: expected `\\t`, `\\r`, `\\n`, `\\b`, `\\f`, `\\\\`, \
     `\\\"`, `\\u00e9` or `\\351`";

/// The character that the escape at the beginning of `text` says, and how long it is.
fn escape(text: &str) -> Option<(char, usize)> {
    let bytes = text.as_bytes();
    let kind = *bytes.get(1)?;
    let char = match kind {
        b't' => '\t',
        b'r' => '\r',
        b'n' => '\n',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'\\' | b'"' => char::from(kind),
        b'u' => return utf_16_escape(bytes),
        b'0'..=b'7' => {
            let digits = bytes[1..].iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
            return octal(&text[1..=digits]).map(|char| (char, 1 + digits));
        }
        _ => return None,
    };
    Some((char, 2))
}

/// `\u00e9`, or two of them for one character beyond the first 2^16.
fn utf_16_escape(text: &[u8]) -> Option<(char, usize)> {
    let first = unit(text.get(2..6)?)?;
    if let Some(char) = char::from_u32(first.into()) {
        return Some((char, 6));
    }
    let second = unit(text.get(6..12)?.strip_prefix(b"\\u")?)?;
    let mut chars = char::decode_utf16([first, second]);
    match (chars.next(), chars.next()) {
        (Some(Ok(char)), None) => Some((char, 12)),
        _ => None,
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
    fn strings_end_at_the_first_quote_that_is_not_escaped() {
        for (text, end) in [
            ("abc\" 1\"", Some((3, false))),
            ("\"", Some((0, false))),
            (r#"a\"b\\" "#, Some((6, true))),
            ("", None),
            ("abc", None),
            ("abc\\", None),
            ("abc\\\"", None),
        ] {
            assert_eq!(string_end(text.as_bytes()), end, "{text}");
        }
    }

    #[test]
    fn every_escape_is_read() {
        for (text, read) in
            [(r#"a\n\t\r\b\f\\\""#, "a\n\t\r\u{8}\u{c}\\\""), (r"\u00e9\uD83D\uDE00\351\0xé", "é😀é\0xé")]
        {
            assert_eq!(unescaped(text).as_deref(), Ok(read), "{text}");
        }
    }

    #[test]
    fn unknown_escapes_are_told_at_their_backslash() {
        for text in
            ["ab\\q", "ab\\u00g0", "ab\\uDE00\\uD83D", "ab\\uD83Dxxxxxxx", "ab\\400", "ab\\u+0e9", "ab\\", "ab\\u00"]
        {
            assert_eq!(unescaped(text).map_err(|problem| problem.at), Err(2), "{text}");
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
