//! Histories in JSON: an object an event, one a line or all in an array.

mod array;
mod event;
mod lines;
mod plain;
mod problem;
mod value;

pub(super) use array::JsonArray;
pub(super) use lines::{JsonLines, each_line};
pub(super) use value::{KEY_NESTING, key_of};

use problem::problem;

#[cfg(test)]
mod tests;
