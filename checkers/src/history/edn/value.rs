//! Values in EDN, straight from the tokens.
//!
//! Keywords and symbols become text without their colon, characters, ratios and `##Inf` become text too, and a tagged
//! value (`#inst "…"`) is the value behind its tag.

use super::super::Value;
use super::super::batch::{BatchedValue, Lists};
use super::super::json::KEY_NESTING;
use super::super::notation::Problem;
use super::super::packed::{OpenList, pack, pack_int, pack_text};
use super::super::value::NESTING;
use super::number::number;
use super::text::{character, unescaped};
use super::token::{Bracket, Token, Tokens};

/// Reads the forms of a text.
pub(in super::super) struct Forms<'a> {
    pub(super) tokens: Tokens<'a>,
    /// The items of the lists that are not closed yet.
    items: Vec<Value>,
}

/// A token and where it begins.
pub(super) type Placed<'a> = (usize, Token<'a>);

/// How many more forms may lie around and in keys.
#[derive(Clone, Copy)]
pub(super) struct Depth {
    forms: usize,
    keys: usize,
}

impl Depth {
    pub const TOP: Depth = Depth { forms: NESTING, keys: KEY_NESTING };

    /// Inside the form that begins at a byte.
    pub fn inside(self, at: usize) -> Result<Depth, Problem> {
        let forms = self.forms.checked_sub(1).ok_or_else(|| {
            Problem::new(at, format_args!("found a value nested more than {NESTING} deep: expected a flatter one"))
        })?;
        Ok(Depth { forms, ..self })
    }

    /// Inside the keys of the map, or the set, that begins at a byte.
    fn in_keys(self, at: usize) -> Result<Depth, Problem> {
        let keys = self.keys.checked_sub(1).ok_or_else(|| {
            let limit = KEY_NESTING;
            Problem::new(
                at,
                format_args!("found maps or sets inside keys or sets more than {limit} deep: expected fewer"),
            )
        })?;
        Ok(Depth { keys, ..self })
    }
}

impl<'a> Forms<'a> {
    pub(in super::super) fn new(text: &'a str) -> Self {
        Forms { tokens: Tokens::new(text), items: Vec::new() }
    }

    /// How far the text was looked at.
    pub(in super::super) fn at(&self) -> usize {
        self.tokens.at()
    }

    /// The value of the next form, and whether it is a keyword.
    pub(in super::super) fn value_or_keyword(&mut self) -> Result<(Value, bool), Problem> {
        let (at, token) = self.first_token(Depth::TOP)?;
        let is_keyword = matches!(token, Token::Keyword(_));
        Ok((self.value(at, token, Depth::TOP)?, is_keyword))
    }

    /// The token that the next form begins with, or a closing bracket, or the end: past what is discarded and what only
    /// says something about a form.
    pub(super) fn first_token(&mut self, depth: Depth) -> Result<Placed<'a>, Problem> {
        let mut metadata = None;
        loop {
            match (self.tokens.next()?, metadata) {
                ((at, Token::Discard), _) => self.skip_next(depth.inside(at)?)?,
                ((at, Token::Metadata), _) => {
                    metadata = Some(at);
                    self.skip_next(depth.inside(at)?)?;
                }
                ((at, token @ (Token::End | Token::Close(_))), Some(_)) => return Err(no_form(at, token)),
                (placed, _) => return Ok(placed),
            }
        }
    }

    /// The value of the form that begins with a token.
    pub(super) fn value(&mut self, at: usize, token: Token<'a>, depth: Depth) -> Result<Value, Problem> {
        Ok(match token {
            Token::Nil => Value::Nil,
            Token::True => Value::Bool(true),
            Token::False => Value::Bool(false),
            Token::Int(number) => Value::Int(number),
            Token::Number(written) => number(written).map_err(|sentence| Problem::new(at, sentence))?,
            Token::Keyword(text) | Token::Symbol(text) => Value::text(text),
            Token::String(text) => Value::text(text),
            Token::Escaped(text) => Value::Text(unescape(at, text)?.into_boxed_str()),
            Token::Character(written) => match character(written) {
                Ok(char) => Value::text(char.encode_utf8(&mut [0; 4])),
                Err(sentence) => return Err(Problem::new(at, sentence)),
            },
            Token::Open(bracket @ (Bracket::Square | Bracket::Round)) => self.list(bracket, depth.inside(at)?)?,
            Token::Open(Bracket::Set) => self.set(at, depth)?,
            Token::Open(Bracket::Curly) => self.map(at, None, depth)?,
            Token::Namespace(name) => match self.tokens.next()? {
                (_, Token::Open(Bracket::Curly)) => self.map(at, Some(name), depth)?,
                (at, other) => return Err(no_form(at, other)),
            },
            Token::Tag(_) => {
                let depth = depth.inside(at)?;
                let (at, token) = self.first_token(depth)?;
                self.value(at, token, depth)?
            }
            Token::End | Token::Close(_) | Token::Discard | Token::Metadata => return Err(no_form(at, token)),
        })
    }

    /// The value of the form that begins with a token, as a batch holds it.
    pub(super) fn batched(
        &mut self,
        at: usize,
        token: Token<'a>,
        depth: Depth,
        lists: &mut Lists,
    ) -> Result<BatchedValue, Problem> {
        let Token::Open(Bracket::Square | Bracket::Round) = token else {
            return Ok(lists.take(self.value(at, token, depth)?));
        };
        let begin = lists.bytes.len();
        self.pack(at, token, depth, &mut lists.bytes)?;
        Ok(lists.packed_since(begin))
    }

    /// Appends the value of the form that begins with a token: as [`Forms::value`], without a tree between.
    fn pack(&mut self, at: usize, token: Token<'a>, depth: Depth, out: &mut Vec<u8>) -> Result<(), Problem> {
        match token {
            Token::Int(number) => pack_int(number, out),
            Token::Keyword(text) | Token::Symbol(text) | Token::String(text) => pack_text(text, out),
            Token::Open(bracket @ (Bracket::Square | Bracket::Round)) => {
                let depth = depth.inside(at)?;
                let list = OpenList::begin(out);
                let mut items = 0;
                while let Some((at, token)) = self.item(bracket, depth)? {
                    self.pack(at, token, depth, out)?;
                    items += 1;
                }
                list.end(items, out);
            }
            _ => pack(&self.value(at, token, depth)?, out),
        }
        Ok(())
    }

    /// Goes past the form that begins with a token; it is well-formed, or a problem.
    pub(super) fn skip(&mut self, at: usize, token: Token<'a>, depth: Depth) -> Result<(), Problem> {
        match token {
            Token::Open(bracket) => {
                let inner = depth.inside(at)?;
                let mut forms = 0;
                loop {
                    match self.item(bracket, inner)? {
                        Some((at, token)) => self.skip(at, token, inner)?,
                        None if bracket == Bracket::Curly && forms % 2 == 1 => {
                            return Err(no_value(self.tokens.at() - 1));
                        }
                        None => return Ok(()),
                    }
                    forms += 1;
                }
            }
            Token::Tag(_) | Token::Namespace(_) => self.skip_next(depth.inside(at)?),
            Token::End | Token::Close(_) | Token::Discard | Token::Metadata => Err(no_form(at, token)),
            Token::Number(_) | Token::Escaped(_) | Token::Character(_) => self.value(at, token, depth).map(drop),
            _ => Ok(()),
        }
    }

    fn skip_next(&mut self, depth: Depth) -> Result<(), Problem> {
        let (at, token) = self.first_token(depth)?;
        self.skip(at, token, depth)
    }

    /// The token that the next form in a bracket begins with; `None` behind its end.
    pub(super) fn item(&mut self, bracket: Bracket, depth: Depth) -> Result<Option<Placed<'a>>, Problem> {
        let (at, token) = self.first_token(depth)?;
        match token {
            Token::Close(close) if close.closer() == bracket.closer() => Ok(None),
            Token::Close(close) => {
                let (found, expected) = (close.closer(), bracket.closer());
                let problem =
                    format_args!("found `{found}`, which closes nothing here: expected `{expected}`").to_string();
                Err(Problem::new(at, problem))
            }
            Token::End => {
                let kind = Token::Open(bracket).kind();
                let problem = format_args!("found the end of the text inside {kind}: expected `{}`", bracket.closer())
                    .to_string();
                Err(Problem::new(at, problem))
            }
            _ => Ok(Some((at, token))),
        }
    }

    fn list(&mut self, bracket: Bracket, depth: Depth) -> Result<Value, Problem> {
        let begin = self.items.len();
        while let Some((at, token)) = self.item(bracket, depth)? {
            let item = self.value(at, token, depth)?;
            self.items.push(item);
        }
        Ok(Value::List(self.items.drain(begin..).collect()))
    }

    fn set(&mut self, at: usize, depth: Depth) -> Result<Value, Problem> {
        let depth = depth.inside(at)?.in_keys(at)?;
        let begin = self.tokens.at();
        let mut items = Vec::new();
        while let Some((at, token)) = self.item(Bracket::Set, depth)? {
            let item = self.value(at, token, depth)?;
            items.push((item.clone(), item));
        }
        Value::map(items).map_err(|twice| {
            let at = self.second(&twice, begin, Bracket::Set, None, depth).unwrap_or(at);
            Problem::new(at, format_args!("found the element {twice} twice in a set: expected it once"))
        })
    }

    fn map(&mut self, at: usize, namespace: Option<&str>, depth: Depth) -> Result<Value, Problem> {
        let values = depth.inside(at)?;
        let keys = values.in_keys(at)?;
        let begin = self.tokens.at();
        let mut entries = Vec::new();
        while let Some((at, token)) = self.item(Bracket::Curly, values)? {
            let key = self.key(at, token, namespace, keys)?;
            let (at, token) = self.value_of_key(values)?;
            entries.push((key, self.value(at, token, values)?));
        }
        Value::map(entries).map_err(|twice| {
            let at = self.second(&twice, begin, Bracket::Curly, namespace, keys).unwrap_or(at);
            Problem::new(at, format_args!("found the key {twice} twice in a map: expected it once"))
        })
    }

    /// The token that the form behind a key of a map begins with.
    pub(super) fn value_of_key(&mut self, depth: Depth) -> Result<Placed<'a>, Problem> {
        let found = self.first_token(depth)?;
        if let (at, Token::Close(Bracket::Curly)) = found { Err(no_value(at)) } else { Ok(found) }
    }

    fn key(&mut self, at: usize, token: Token<'a>, namespace: Option<&str>, depth: Depth) -> Result<Value, Problem> {
        match (namespace, token) {
            (Some(namespace), Token::Keyword(name) | Token::Symbol(name)) => Ok(match name.strip_prefix("_/") {
                Some(name) => Value::text(name),
                None if name.contains('/') => Value::text(name),
                None => Value::text(&format!("{namespace}/{name}")),
            }),
            _ => self.value(at, token, depth),
        }
    }

    /// Where a key stands for the second time, in the map or set whose first form begins at a byte. The text is read
    /// again, as problems are rare.
    fn second(
        &mut self,
        twice: &Value,
        begin: usize,
        bracket: Bracket,
        namespace: Option<&str>,
        depth: Depth,
    ) -> Option<usize> {
        self.tokens.go_back(begin);
        let mut seen = 0;
        while let Some((at, token)) = self.item(bracket, depth).ok()? {
            seen += usize::from(self.key(at, token, namespace, depth).ok()? == *twice);
            if seen == 2 {
                return Some(at);
            }
            if bracket == Bracket::Curly {
                self.skip_next(depth).ok()?;
            }
        }
        None
    }
}

/// What a string with escapes says whose opening quote is at a byte.
pub(super) fn unescape(at: usize, text: &str) -> Result<String, Problem> {
    unescaped(text).map_err(|problem| problem.behind(at + 1))
}

/// There is no form where one must be.
fn no_form(at: usize, token: Token<'_>) -> Problem {
    Problem::new(at, format_args!("found {}: expected a form of EDN", token.kind()))
}

fn no_value(at: usize) -> Problem {
    Problem::new(at, "found a key without a value in a map: expected a value after each key")
}
