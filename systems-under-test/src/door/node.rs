//! What a process of a node gets.

use std::future::Future;
use std::io;
use std::sync::Arc;

use super::{Chance, Clock, Disk, Local, Socket};

/// What one process of a node may touch. It is made anew at each start; clock and disk are the machine's, and outlive the process.
///
/// All of it may be cloned and sent, as the state of a web service must be.
#[derive(Clone)]
pub struct Node {
    /// Its name: `n1`.
    pub name: Arc<str>,
    /// Which start of its process this is, from 1: as whoever starts it knows.
    pub start: u32,
    /// All nodes of the cluster, this one included, in order.
    pub cluster: Arc<[Arc<str>]>,
    /// The clock of its machine.
    pub clock: Clock,
    /// The disk of its machine.
    pub disk: Disk,
    /// Its own stream of chance.
    pub chance: Chance,
    backend: Arc<dyn Backend>,
}

impl Node {
    /// A node's context. Only a simulation makes these.
    pub fn new(
        (name, start): (Arc<str>, u32),
        cluster: Arc<[Arc<str>]>,
        clock: Clock,
        disk: Disk,
        chance: Chance,
        backend: Arc<dyn Backend>,
    ) -> Node {
        Node { name, start, cluster, clock, disk, chance, backend }
    }

    /// Its place in the cluster, from 0.
    pub fn number(&self) -> usize {
        self.cluster.iter().position(|name| *name == self.name).unwrap_or(0)
    }

    /// The other nodes of the cluster.
    pub fn peers(&self) -> impl Iterator<Item = &Arc<str>> {
        self.cluster.iter().filter(|name| **name != self.name)
    }

    /// Takes a port for datagrams.
    ///
    /// # Errors
    /// If the port is taken.
    pub fn bind(&self, port: u16) -> io::Result<Socket> {
        self.backend.bind(port)
    }

    /// Runs a task beside the node's own, until it ends or the process dies. A panic in it is the node's.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.backend.spawn(Box::pin(task));
    }
}

/// What stands behind a [`Node`] or a [`Client`](super::Client).
pub trait Backend: Send + Sync {
    /// Takes a port; 0 for any.
    ///
    /// # Errors
    /// If the port is taken.
    fn bind(&self, port: u16) -> io::Result<Socket>;
    /// Runs a task until the process dies.
    fn spawn(&self, task: Local<'static, ()>);
}
