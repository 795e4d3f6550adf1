//! The [`door`] through which a system goes into Shakedown, and the systems that are built in.
//!
//! The built-in systems use this door and no other. Each is a folder: a pure state machine with a thin driver around it that
//! talks to its [`door::Node`]. Read [`door`] first, then [`raft`], which is consensus by itself, and [`raft_kv`].

pub mod door;
pub mod raft;
pub mod raft_kv;

pub use raft_kv::RaftKv;
