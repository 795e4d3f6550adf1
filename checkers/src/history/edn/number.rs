//! Numbers as Clojure writes them: `7`, `-0x1F`, `017`, `16rFF`, `12N`, `1.5e3`, `1.50M`, `1/2`.

use super::super::Value;

/// The value of a token that begins as numbers do, or what is wrong with it.
pub(super) fn number(token: &str) -> Result<Value, String> {
    if let Some(number) = small(token.as_bytes()) {
        return Ok(Value::Int(number));
    }
    let (sign, digits) = match token.as_bytes() {
        [b'-', ..] => ("-", &token[1..]),
        [b'+', ..] => ("", &token[1..]),
        _ => ("", token),
    };
    if let Some(digits) = digits.strip_suffix('N').filter(|digits| is_digits(digits)) {
        return whole(token, sign, digits, 10);
    }
    if let Some(hexadecimal) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return whole(token, sign, hexadecimal, 16);
    }
    if is_digits(digits) {
        return match digits.strip_prefix('0') {
            Some(octal) if !octal.is_empty() => whole(token, sign, octal, 8),
            _ => whole(token, sign, digits, 10),
        };
    }
    if let Some((radix, digits)) = digits.split_once(['r', 'R']).filter(|(radix, _)| is_digits(radix)) {
        return match radix.parse() {
            Ok(radix @ 2..=36) => whole(token, sign, digits, radix),
            _ => Err(format!("found the radix {radix}: expected one from 2 to 36")),
        };
    }
    if let Some((numerator, denominator)) = digits.split_once('/') {
        let is_ratio = is_digits(numerator) && is_digits(denominator) && denominator.bytes().any(|digit| digit != b'0');
        return if is_ratio { Ok(Value::text(&format!("{sign}{digits}"))) } else { Err(no_number(token)) };
    }
    decimal(token)
}

/// A whole number of few enough digits: nearly all are.
fn small(token: &[u8]) -> Option<i64> {
    let (negative, digits) = match token {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if !(1..=18).contains(&digits.len()) || (digits[0] == b'0' && digits.len() > 1) {
        return None;
    }
    let mut number = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(digit - b'0');
    }
    Some(if negative { -number } else { number })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn whole(token: &str, sign: &str, digits: &str, radix: u32) -> Result<Value, String> {
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(no_number(token));
    }
    let number = i64::from_str_radix(&format!("{sign}{digits}"), radix);
    number.map(Value::Int).map_err(|_| format!("found the number {token}: expected one that fits into 64 bits"))
}

fn decimal(token: &str) -> Result<Value, String> {
    let exact = token.strip_suffix('M');
    let written = exact.unwrap_or(token);
    let (digits, exponent) = written.split_once(['e', 'E']).unwrap_or((written, "0"));
    let digits = digits.trim_start_matches(['+', '-']);
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if !is_digits(whole) || !fraction.bytes().all(|byte| byte.is_ascii_digit()) || !is_digits(exponent) {
        return Err(no_number(token));
    }
    let number: f64 = written.parse().map_err(|_| no_number(token))?;
    let value = Value::decimal(number)
        .ok_or_else(|| format!("found the number {token}: expected one that fits into 64 bits"))?;
    // An exact number of more digits than a float can tell apart stays as it was written.
    let significant = whole.trim_start_matches('0').len() + fraction.len();
    Ok(if exact.is_some() && significant > 15 { Value::Decimal(written.into()) } else { value })
}

fn no_number(token: &str) -> String {
    format!("found `{token}`: expected a number, as `7`, `0x1F`, `16rFF`, `12N`, `1.5`, `1.5M` or `1/2`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_of_every_radix_are_numbers() {
        for (token, value) in [
            ("0", 0),
            ("-0", 0),
            ("+7", 7),
            ("-12", -12),
            ("999999999999999999", 999_999_999_999_999_999),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("9223372036854775807N", i64::MAX),
            ("12N", 12),
            ("0x1F", 31),
            ("-0X1f", -31),
            ("017", 15),
            ("2r1010", 10),
            ("-16rFF", -255),
            ("36RZ", 35),
        ] {
            assert_eq!(number(token), Ok(Value::Int(value)), "{token}");
        }
    }

    #[test]
    fn numbers_that_are_not_whole_stand_in_their_shortest_digits() {
        for (token, text) in [
            ("1.50", "1.5"),
            ("-1.", "-1.0"),
            ("1e3", "1000.0"),
            ("15E-1", "1.5"),
            ("1.50M", "1.5"),
            ("5M", "5.0"),
            ("0.1234567890123456789M", "0.1234567890123456789"),
        ] {
            assert_eq!(number(token), Ok(Value::Decimal(text.into())), "{token}");
        }
        assert_eq!(number("-1/2"), Ok(Value::text("-1/2")));
    }

    #[test]
    fn what_is_no_number_or_too_long_for_one_is_refused() {
        for token in ["1x", "08", "0x", "0xG", "2r2", "1r0", "37r1", "1/0", "1/", "1.5.2", "1e", "1e+", "--1", "1NM"] {
            assert!(number(token).is_err(), "{token}");
        }
        for token in ["9223372036854775808", "-9223372036854775809", "9223372036854775808N", "1e30", "1e999"] {
            assert!(number(token).is_err_and(|problem| problem.contains("fits into 64 bits")), "{token}");
        }
    }
}
