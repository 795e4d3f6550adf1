//! What a user meets: the command line, the built-in systems, systems of others. One binary, so that it is linked once.

mod campaign;
mod command_line;
mod determinism;
mod examples;
mod faults;
mod other_shapes;
mod raft_kv;
mod runs;
mod strangers;
