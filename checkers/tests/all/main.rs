//! Every checker against its definition, against its neighbours and against histories of which the answer is known. One binary, so that it
//! is linked once.

mod access_texts;
mod adya;
mod causal;
mod causal_choices;
mod causal_transactions;
#[path = "../definition/mod.rs"]
mod definition;
#[allow(dead_code, reason = "each test needs some of it")]
mod definitions;
#[allow(dead_code, reason = "each test draws some of it")]
mod generate;
mod invariants;
mod lattice;
mod linearizability;
mod metamorphic;
mod objects;
mod overlapping;
mod planted;
mod readers;
mod registers;
mod transactions;
