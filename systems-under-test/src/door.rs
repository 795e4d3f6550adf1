//! The door through which a system goes in. Everything that a system writes is a [`System`]; everything that it gets is a [`Node`]
//! or a [`Client`].
//!
//! ```text
//!   System::node(Node)        one call for each start of a node's process: it serves until it dies
//!   System::client(Client)    one for each client, which then implements Invoke for the workloads that it serves
//!          │
//!          ▼
//!   Node { clock, disk, chance, bind, spawn }   everything that a node may touch; all of it may be sent to other tasks
//! ```
//!
//! A process in a run must not read the machine's clock, chance, disk or network: it would not repeat.

mod chance;
mod client;
mod clock;
mod defect;
mod disk;
mod invariant;
mod mode;
mod network;
mod node;
mod operator;
mod system;

use std::future::Future;
use std::pin::Pin;

pub use chance::Chance;
pub use client::Client;
pub use clock::Clock;
pub use defect::{Defect, DefectInfo};
pub use disk::{Disk, Files};
pub use invariant::{Invariant, Observation, Violation};
pub use mode::{Family, Mode, ModeInfo, SystemInfo};
pub use network::{Address, Datagrams, Socket};
pub use node::{Backend, Node};
pub use operator::Command;
pub use system::{Failure, Recovery, System};

/// A future that stays on its thread.
pub type Local<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A future that may be sent to other tasks.
pub type Sent<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
