//! The tokens of EDN: what stands between blanks, and where it stands.

use super::super::notation::Problem;
use super::text::string_end;

/// A token. Numbers, characters and escapes are not looked at before somebody asks for their value.
///
/// All that a variant holds is of whole words: tokens are copied word by word then, which is measured to be twice as
/// fast as by odd bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// There is no more text.
    End,
    Nil,
    True,
    False,
    Int(i64),
    /// Any other number, as it is written.
    Number(&'a str),
    /// Without its colon.
    Keyword(&'a str),
    Symbol(&'a str),
    String(&'a str),
    /// A string with escapes, as it is written.
    Escaped(&'a str),
    /// Without its backslash, as it is written.
    Character(&'a str),
    Open(Bracket),
    /// A closing bracket; a set ends as a map does.
    Close(Bracket),
    /// `#tag`: the form behind it is tagged. Without its `#`.
    Tag(&'a str),
    /// `#:name` before a map: the namespace of its keys.
    Namespace(&'a str),
    /// `#_`: the form behind it does not count.
    Discard,
    /// `^`: the form behind it says something about the one behind that.
    Metadata,
}

/// A kind of bracket, as large as a word: see [`Token`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(in super::super) enum Bracket {
    Round,
    Square,
    Curly,
    Set,
}

impl Bracket {
    pub fn closer(self) -> char {
        match self {
            Bracket::Round => ')',
            Bracket::Square => ']',
            Bracket::Curly | Bracket::Set => '}',
        }
    }
}

impl Token<'_> {
    /// What it is or begins, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Token::End => "the end of the text",
            Token::Nil => "nil",
            Token::True | Token::False => "a truth value",
            Token::Int(_) | Token::Number(_) => "a number",
            Token::Keyword(_) => "a keyword",
            Token::Symbol(_) => "a symbol",
            Token::String(_) | Token::Escaped(_) => "a string",
            Token::Character(_) => "a character",
            Token::Open(Bracket::Round) => "a list",
            Token::Open(Bracket::Square) => "a vector",
            Token::Open(Bracket::Curly) | Token::Namespace(_) => "a map",
            Token::Open(Bracket::Set) => "a set",
            Token::Close(_) => "a closing bracket",
            Token::Tag(_) => "a tagged value",
            Token::Discard => "a discarded form",
            Token::Metadata => "metadata",
        }
    }
}

const NO_TAG: &str = "found `#` without a tag behind it: expected `#tag value`, `#{…}` or `#_`";

/// What a byte means for the token that it stands in or behind.
#[derive(Clone, Copy, PartialEq)]
enum Class {
    /// It is part of the token.
    Inside,
    Blank,
    /// It ends the token, and is no blank.
    End,
    /// It begins a character that may be blank.
    Wide,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Inside; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b' ' | b',' | b'\t'..=b'\r' => Class::Blank,
            b';' | b'"' | b'\\' | b'(' | b')' | b'[' | b']' | b'{' | b'}' => Class::End,
            0xc0.. => Class::Wide,
            _ => Class::Inside,
        };
        byte += 1;
    }
    classes
};

/// A number of few digits and nothing else, as nearly all are, and how long it is.
#[inline]
fn digits(text: &[u8]) -> Option<(i64, usize)> {
    let mut number = 0;
    for (length, byte) in text.iter().enumerate() {
        if byte.is_ascii_digit() && length < 18 {
            number = number * 10 + i64::from(byte - b'0');
            continue;
        }
        let is_whole = matches!(CLASSES[usize::from(*byte)], Class::Blank | Class::End);
        return (is_whole && length > 0 && (text[0] != b'0' || length == 1)).then_some((number, length));
    }
    None
}

/// Reads a text token by token.
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub fn new(text: &'a str) -> Self {
        Tokens { text, at: 0 }
    }

    /// Where the next token begins, or the blank before it; after a problem, how far the text was looked at.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Goes back to a place where a token begins.
    pub fn go_back(&mut self, at: usize) {
        self.at = at;
    }

    /// The text from one place to another.
    pub fn text(&self, from: usize, to: usize) -> &'a str {
        &self.text[from..to]
    }

    /// The next token, and where it begins.
    #[inline]
    pub fn next(&mut self) -> Result<(usize, Token<'a>), Problem> {
        self.skip_blank();
        let at = self.at;
        let Some(&byte) = self.text.as_bytes().get(at) else { return Ok((at, Token::End)) };
        let token = match byte {
            b'{' => self.bracket(Token::Open(Bracket::Curly)),
            b'[' => self.bracket(Token::Open(Bracket::Square)),
            b'(' => self.bracket(Token::Open(Bracket::Round)),
            b'}' => self.bracket(Token::Close(Bracket::Curly)),
            b']' => self.bracket(Token::Close(Bracket::Square)),
            b')' => self.bracket(Token::Close(Bracket::Round)),
            b'"' => self.string()?,
            b':' => match self.word(at + 1) {
                "" => return Err(Problem::new(at, "found a colon alone: expected a keyword")),
                name if name.starts_with(':') => {
                    return Err(Problem::new(at, "found `::`: expected a keyword with one colon"));
                }
                name => Token::Keyword(name),
            },
            b'0'..=b'9' => self.number(),
            b'+' | b'-' if self.text.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit) => self.number(),
            b'\\' => self.character()?,
            b'#' => self.dispatch()?,
            b'^' => self.bracket(Token::Metadata),
            b'\'' | b'`' | b'~' | b'@' | 0..=b' ' | 0x7f => {
                let found = char::from(byte).escape_default();
                return Err(Problem::new(at, format_args!("found `{found}`: expected a form of EDN")));
            }
            _ => match self.word(at) {
                "nil" => Token::Nil,
                "true" => Token::True,
                "false" => Token::False,
                name => Token::Symbol(name),
            },
        };
        Ok((at, token))
    }

    fn bracket(&mut self, token: Token<'a>) -> Token<'a> {
        self.at += 1;
        token
    }

    /// Goes on to what is neither blank nor in a comment.
    #[inline]
    fn skip_blank(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            match CLASSES[usize::from(byte)] {
                Class::Blank => self.at += 1,
                Class::Wide => match self.text[self.at..].chars().next().filter(|char| char.is_whitespace()) {
                    Some(blank) => self.at += blank.len_utf8(),
                    None => return,
                },
                Class::End if byte == b';' => {
                    let rest = &bytes[self.at..];
                    self.at += memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
                }
                Class::End | Class::Inside => return,
            }
        }
    }

    /// The text from a byte up to the next blank, bracket, quote or comment, which is gone past.
    #[inline]
    fn word(&mut self, from: usize) -> &'a str {
        let ends = |(at, &byte): (usize, &u8)| match CLASSES[usize::from(byte)] {
            Class::Inside => false,
            Class::Blank | Class::End => true,
            Class::Wide => self.text[from + at..].starts_with(char::is_whitespace),
        };
        let rest = &self.text.as_bytes()[from..];
        let end = from + rest.iter().enumerate().position(ends).unwrap_or(rest.len());
        self.at = end;
        &self.text[from..end]
    }

    fn number(&mut self) -> Token<'a> {
        let at = self.at;
        if let Some((number, length)) = digits(&self.text.as_bytes()[at..]) {
            self.at += length;
            return Token::Int(number);
        }
        Token::Number(self.word(at))
    }

    fn string(&mut self) -> Result<Token<'a>, Problem> {
        let begin = self.at + 1;
        let Some((length, escaped)) = string_end(&self.text.as_bytes()[begin..]) else {
            self.at = self.text.len();
            return Err(Problem::new(self.at, "found the end of the text inside a string: expected `\"`"));
        };
        self.at = begin + length + 1;
        let text = &self.text[begin..begin + length];
        Ok(if escaped { Token::Escaped(text) } else { Token::String(text) })
    }

    fn character(&mut self) -> Result<Token<'a>, Problem> {
        let at = self.at;
        let Some(first) = self.text[at + 1..].chars().next().filter(|char| !char.is_whitespace()) else {
            return Err(Problem::new(at, "found a backslash alone: expected a character, as `\\a` or `\\space`"));
        };
        let begin = at + 1;
        let behind = begin + first.len_utf8();
        self.at = behind;
        if first.is_alphanumeric() {
            self.word(behind);
        }
        Ok(Token::Character(&self.text[begin..self.at]))
    }

    /// What begins with `#`.
    fn dispatch(&mut self) -> Result<Token<'a>, Problem> {
        let at = self.at;
        let sentence = match self.text.as_bytes().get(at + 1) {
            Some(b'{') => {
                self.at += 2;
                return Ok(Token::Open(Bracket::Set));
            }
            Some(b'_') => {
                self.at += 2;
                return Ok(Token::Discard);
            }
            Some(b'^') => {
                self.at += 2;
                return Ok(Token::Metadata);
            }
            Some(b'#') => {
                if matches!(self.word(at + 2), "Inf" | "-Inf" | "NaN") {
                    return Ok(Token::Symbol(&self.text[at..self.at]));
                }
                "found `##` without a number behind it: expected `##Inf`, `##-Inf` or `##NaN`"
            }
            Some(b':') => match self.word(at + 2) {
                name if !name.is_empty() && !name.starts_with(':') && self.text[self.at..].starts_with('{') => {
                    return Ok(Token::Namespace(name));
                }
                _ => "found `#:` without a name and a map behind it: expected `#:name{…}`",
            },
            Some(byte) if byte.is_ascii_alphabetic() || *byte >= 0x80 => match self.word(at + 1) {
                "" => NO_TAG,
                tag => return Ok(Token::Tag(tag)),
            },
            _ => NO_TAG,
        };
        Err(Problem::new(at, sentence))
    }
}
