//! Every invariant against its definition, on many small histories.
//!
//! `SHAKEDOWN_HISTORIES` tells how many histories a test tries; a failure prints the seed and the history. Each definition is
//! the sentence that opens the checker, written down without regard to cost, and gives the names of what is wrong.

mod atomic_commitment;
mod bank;
mod convergence;
mod counter;
mod definition;
mod histories;
mod keyed;
mod long_fork;
mod monotonic;
mod planted;
mod queue;
mod saga;
mod sets;
mod sound;
mod staleness;
mod unique_ids;
mod workloads;
