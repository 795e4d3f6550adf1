//! What a run leaves behind, looked at as its reader does. One binary, so that it is linked once.

#![allow(clippy::unwrap_used, reason = "what is missing from a page fails its test")]

mod edges;
#[path = "../fixtures/mod.rs"]
mod fixtures;
mod page;
mod schema;
