//! The door through which a system goes into Shakedown, and the systems that are built in.
//!
//! ```text
//!   System::node(Node)        one call for each start of a node's process: it serves until it dies
//!   System::client(Client)    one for each client, which then implements Invoke for the workloads that it serves
//!          │
//!          ▼
//!   Node { clock, disk, rng, net, spawn }   everything that a node may touch: its own clock, disk, chance and network
//! ```
//!
//! The built-in systems use this door and no other. Each is a folder: a pure state machine with a thin driver around it that
//! talks to the [`context::Node`]. Read [`system`] first, then [`raft_kv`].

pub mod context;
pub mod raft_kv;
pub mod system;

pub use context::{Client, Node};
pub use raft_kv::RaftKv;
pub use system::{Defect, Invariant, Mode, Observation, System, Violation};
