//! What serde_json found wrong, in our words: what was found, and what was expected.

use super::super::notation::Problem;

/// The problem at a byte of a text; `end` is what the text ends with: `the end of the line`.
pub(super) fn problem(error: &serde_json::Error, text: &str, at: usize, end: &str) -> Problem {
    Problem::new(at, sentence(&without_place(error), text.get(at..).unwrap_or_default(), end))
}

/// What serde_json says, without the place that it appends: our errors have it in front.
fn without_place(error: &serde_json::Error) -> String {
    let mut sentence = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    if sentence.ends_with(&place) {
        sentence.truncate(sentence.len() - place.len());
    }
    sentence
}

/// `rest` is the text from the problem on.
fn sentence(said: &str, rest: &str, end: &str) -> String {
    // From the visitors of values: `invalid type: map, expected f: the name of a function`.
    if let Some((found, expected)) = said.strip_prefix("invalid ").and_then(|said| {
        let (_, said) = said.split_once(": ")?;
        said.split_once(", expected ")
    }) {
        let found = match found {
            "map" => "an object",
            "sequence" => "a list",
            other => other,
        };
        return format!("found {found}: expected {expected}");
    }
    let found = match rest.chars().next() {
        Some(char) if !char.is_control() => format!("`{char}`"),
        Some(char) => format!("`{}`", char.escape_default()),
        None => end.to_owned(),
    };
    let expected = match said {
        "EOF while parsing a list" => {
            return format!("found {end} inside a list: expected `,` and another item, or `]`");
        }
        "EOF while parsing an object" => {
            return format!("found {end} inside an object: expected the rest of it, up to `}}`");
        }
        "EOF while parsing a string" => return format!("found {end} inside text: expected `\"` behind it"),
        "EOF while parsing a value" => return format!("found {end}: expected a value"),
        "expected value" => "a value: a number, text in double quotes, true, false, null, `[` or `{`",
        "expected ident" => "the rest of true, false or null",
        "expected `:`" => "`:` behind the name of a field",
        "expected `,` or `}`" => "`,` and another field, or `}`",
        "expected `,` or `]`" => "`,` and another item, or `]`",
        "key must be a string" => "the name of a field in double quotes",
        "invalid number" => "a number, such as 7, -7 or 1.5",
        "trailing comma" => "another field or item behind the comma",
        "trailing characters" => "nothing behind the event, and each event on a line of its own",
        "invalid escape" => "an escape of JSON: \\n, \\t, \\r, \\b, \\f, \\\", \\/, \\\\ or \\u with four digits",
        "number out of range" => {
            return "found a number that is too large: expected one that fits into 64 bits".to_owned();
        }
        other if other.starts_with("control character") => {
            "no control character inside text, but its escape, such as \\n"
        }
        other if other.contains("hex escape") || other.contains("unicode code point") => {
            "a character as \\u with four digits, or as two such that are a surrogate pair"
        }
        other => return other.to_owned(),
    };
    format!("found {found}: expected {expected}")
}

#[cfg(test)]
mod tests {
    use super::super::super::read;

    #[test]
    fn what_serde_json_finds_is_told_in_our_words() {
        for (json, error) in [
            (r#"{"f":x}"#, "h:1:6: found `x`: expected a value: a number, text in double quotes"),
            (r#"{"f":nil}"#, "h:1:7: found `i`: expected the rest of true, false or null"),
            (r#"{"f" 7}"#, "h:1:6: found `7`: expected `:` behind the name of a field"),
            (r#"{"f":"r" "g":7}"#, "h:1:10: found `\"`: expected `,` and another field, or `}`"),
            (r#"{"value":[1 2]}"#, "h:1:13: found `2`: expected `,` and another item, or `]`"),
            (r#"{"f":"r",7:7}"#, "h:1:10: found `7`: expected the name of a field in double quotes"),
            (r#"{"value":-}"#, "h:1:11: found `}`: expected a number, such as 7, -7 or 1.5"),
            (r#"{"value":1.}"#, "h:1:12: found `}`: expected a number, such as 7, -7 or 1.5"),
            (r#"{"f":"r",}"#, "h:1:10: found `}`: expected another field or item behind the comma"),
            (r#"{"value":"\q"}"#, "h:1:12: found `q`: expected an escape of JSON"),
            (r#"{"value":"\ud800"}"#, "h:1:17: found `\"`: expected a character as \\u with four digits"),
            ("{\"value\":\"a\tb\"}", "h:1:12: found `\\t`: expected no control character inside text"),
            (r#"{"value":1e999}"#, "h:1:14: found a number that is too large: expected one that fits into 64 bits"),
            (r#"{"process":{}}"#, "h:1:13: found an object: expected process: a whole number from 0"),
            (r#"{"process":0,"type":"invoke","f":"r"} 7"#, "h:1:39: found `7`: expected nothing behind the event"),
            (r#"{"value":["#, "h:1:10: found the end of the line inside a list: expected `,` and another item, or `]`"),
            (r#"{"value":"x"#, "h:1:11: found the end of the line inside text: expected `\"` behind it"),
            (r#"[{"value":"x"#, "h:1:12: found the end of the text inside text: expected `\"` behind it"),
        ] {
            let found = read("h", json.as_bytes()).unwrap_err().to_string();
            assert!(found.starts_with(error), "{json} gave {found}");
        }
    }
}
