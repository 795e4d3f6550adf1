//! An event in EDN: a map, whose fields stand in any order.

use std::borrow::Cow;

use super::super::batch::{Batch, BatchedEvent, BatchedValue, Names, Who, function_of};
use super::super::notation::Problem;
use super::super::{EventType, Value};
use super::number::number;
use super::token::{Bracket, Token};
use super::value::{Depth, Forms, unescape};

/// What the fields of an event may be called.
#[derive(Clone, Copy, PartialEq)]
enum Field {
    Index,
    Time,
    Process,
    Type,
    F,
    Key,
    Value,
    Error,
}

impl Field {
    fn named(name: &str) -> Option<Field> {
        Some(match name {
            "index" => Field::Index,
            "time" => Field::Time,
            "process" => Field::Process,
            "type" => Field::Type,
            "f" => Field::F,
            "key" => Field::Key,
            "value" => Field::Value,
            "error" => Field::Error,
            _ => return None,
        })
    }
}

impl<'a> Forms<'a> {
    /// The event that the form says which begins with a token.
    pub(super) fn event(&mut self, begin: usize, token: Token<'a>, batch: &mut Batch) -> Result<BatchedEvent, Problem> {
        let Batch { names, lists, .. } = batch;
        let mut depth = Depth::TOP;
        let (mut at, mut token) = (begin, token);
        while let Token::Tag(_) = token {
            depth = depth.inside(at)?;
            (at, token) = self.first_token(depth)?;
        }
        if token != Token::Open(Bracket::Curly) {
            let found = token.kind();
            return Err(Problem::new(at, format_args!("found {found}: expected a map with :process, :type and :f")));
        }
        let (mut index, mut time, mut who, mut event_type) = (None, None, None, None);
        let (mut function, mut key, mut value, mut error) = (None, None, None, None);
        let mut tuple = None;
        let mut known: u8 = 0;
        while let Some((key_at, name)) = self.item(Bracket::Curly, depth)? {
            let field = match name {
                Token::Keyword(name) | Token::Symbol(name) | Token::String(name) => Field::named(name),
                _ => {
                    self.skip(key_at, name, depth)?;
                    None
                }
            };
            let (at, token) = self.value_of_key(depth)?;
            let Some(field) = field else {
                self.skip(at, token, depth)?;
                continue;
            };
            if known & (1 << field as u8) != 0 {
                let name = self.tokens.text(key_at, at).trim_end();
                return Err(Problem::new(key_at, format_args!("found {name} twice in an event: expected it once")));
            }
            known |= 1 << field as u8;
            match field {
                Field::Index => index = counted(at, token, ":index")?,
                Field::Time => time = counted(at, token, ":time")?,
                Field::Process | Field::F if token == Token::Nil => {}
                Field::Process => who = Some(self.who(at, token, names)?),
                Field::Type => event_type = Some(self.event_type(at, token)?),
                Field::F => match name_of(at, token)? {
                    Some(name) => function = Some(names.id_of(&name)),
                    None => {
                        let found = token.kind();
                        return Err(Problem::new(at, format_args!("found {found} as :f: expected a keyword")));
                    }
                },
                Field::Key => key = Some(self.value(at, token, depth)?),
                Field::Value => {
                    tuple = matches!(token, Token::Tag(tag) if TUPLES.contains(&tag)).then_some(at);
                    value = Some(self.batched(at, token, depth, lists)?);
                }
                Field::Error => error = Some(Box::new(self.value(at, token, depth)?)),
            }
        }
        let mut value = value.unwrap_or(BatchedValue::Plain(Value::Nil));
        if let Some(at) = tuple.filter(|_| key.is_none()) {
            let Some((tuple_key, tuple_value)) = lists.item(&value).as_pair() else {
                let found = lists.item(&value).to_value().kind();
                let problem = format_args!("found {found} as an independent tuple: expected [key value]").to_string();
                return Err(Problem::new(at, problem));
            };
            let tuple_value = tuple_value.to_value();
            (key, value) = (Some(tuple_key.to_value()), lists.take(tuple_value));
        }
        let missing =
            |name| Problem::new(begin, format_args!("found no {name}: expected a map with :process, :type and :f"));
        Ok(BatchedEvent {
            at: begin as u32,
            index,
            time,
            who: who.unwrap_or(Who::Unsaid),
            event_type: event_type.ok_or_else(|| missing(":type"))?,
            function: function
                .or_else(|| function_of(lists.item(&value)).map(|name| names.id_of(name)))
                .ok_or_else(|| missing(":f"))?,
            key,
            value,
            error,
        })
    }

    fn who(&mut self, at: usize, token: Token<'a>, names: &mut Names) -> Result<Who, Problem> {
        let who = match token {
            Token::Int(number) => u32::try_from(number).ok().map(Who::Client),
            Token::Number(_) => match self.value(at, token, Depth::TOP)? {
                Value::Int(number) => u32::try_from(number).ok().map(Who::Client),
                _ => None,
            },
            _ => name_of(at, token)?.and_then(|name| Who::named(&name, names)),
        };
        who.ok_or_else(|| {
            let found = self.found(at, token);
            Problem::new(
                at,
                format_args!(
                    "found {found} as :process: expected a whole number from 0 to 4294967295, or a name such as :nemesis"
                ),
            )
        })
    }

    fn event_type(&mut self, at: usize, token: Token<'a>) -> Result<EventType, Problem> {
        name_of(at, token)?.as_deref().and_then(EventType::from_name).ok_or_else(|| {
            let found = self.found(at, token);
            Problem::new(at, format_args!("found {found} as :type: expected :invoke, :ok, :fail or :info"))
        })
    }

    /// A token as it is written, or what it is where that may be long.
    fn found(&self, at: usize, token: Token<'a>) -> String {
        match token {
            Token::Int(_) | Token::Number(_) | Token::Keyword(_) | Token::Symbol(_) | Token::String(_)
                if self.at() < at + 50 =>
            {
                format!("`{}`", self.tokens.text(at, self.at()))
            }
            _ => token.kind().to_owned(),
        }
    }
}

const TUPLES: [&str; 2] = ["jepsen.independent/tuple", "clojure.lang.MapEntry"];

/// The name that a keyword, symbol or string says.
fn name_of(at: usize, token: Token<'_>) -> Result<Option<Cow<'_, str>>, Problem> {
    Ok(match token {
        Token::Keyword(name) | Token::Symbol(name) | Token::String(name) => Some(Cow::Borrowed(name)),
        Token::Escaped(name) => Some(Cow::Owned(unescape(at, name)?)),
        _ => None,
    })
}

/// `:index` or `:time`: nil and Jepsen's -1 say that there is none.
fn counted(at: usize, token: Token<'_>, field: &str) -> Result<Option<u64>, Problem> {
    let refused =
        |found: &str| Problem::new(at, format_args!("found {found} as {field}: expected a whole number from 0"));
    let number = match token {
        Token::Nil => return Ok(None),
        Token::Int(number) => number,
        Token::Number(written) => match number(written).map_err(|sentence| Problem::new(at, sentence))? {
            Value::Int(number) => number,
            _ => return Err(refused(written)),
        },
        _ => return Err(refused(token.kind())),
    };
    match u64::try_from(number) {
        Ok(number) => Ok(Some(number)),
        Err(_) if number == -1 => Ok(None),
        Err(_) => Err(refused(&number.to_string())),
    }
}
