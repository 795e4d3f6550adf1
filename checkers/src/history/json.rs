//! Histories in JSON: an object an event, one a line or all in an array.

mod array;
mod event;
mod lines;
mod plain;
mod value;

pub(super) use array::JsonArray;
pub(super) use lines::{JsonLines, each_line};
pub(super) use value::{KEY_NESTING, key_of};

/// What serde_json says, without the place that it appends: our errors have it in front.
fn sentence(error: &serde_json::Error) -> String {
    let mut sentence = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    if sentence.ends_with(&place) {
        sentence.truncate(sentence.len() - place.len());
    }
    sentence
}

#[cfg(test)]
mod tests;
