//! What a run leaves behind, looked at as its reader does. One binary, so that it is linked once.

mod edges;
#[path = "../fixtures/mod.rs"]
mod fixtures;
mod page;
mod schema;
