//! The simulated cluster: hosts, network, disks, clocks, and who said what.
//!
//! ```text
//!   Engine (turmoil)   steps the hosts a millisecond at a time; every link is held
//!      │ messages
//!      ▼
//!   Fabric             numbers each message and gives it its fate: a function of seed, sender, receiver, number, faults
//!
//!   mailboxes            datagrams between send and receive; streams are turmoil's
//!
//!   ground             what all of them speak of: hosts, fates, exits
//!   stage              what a future needs to run as part of a node: whose it is, what it says, what becomes of its panics
//!   disk               files that forget what was not synced
//! ```

pub mod disk;
pub mod engine;
pub mod fabric;
pub mod ground;
pub mod mailboxes;
pub mod stage;
