//! What a client gets.

use std::io;
use std::sync::Arc;

use super::{Backend, Chance, Clock, Socket};

/// What a client may touch.
#[derive(Clone)]
pub struct Client {
    /// Its number, from 0.
    pub number: u32,
    /// Which of its sessions this is, from 0: a client that was replaced knows nothing of what its predecessor did.
    pub session: u32,
    /// The nodes of the cluster, in order.
    pub cluster: Arc<[Arc<str>]>,
    /// Its clock.
    pub clock: Clock,
    /// Its own stream of chance.
    pub chance: Chance,
    backend: Arc<dyn Backend>,
}

impl Client {
    /// A client's context. Only a simulation makes these.
    pub fn new(
        number: u32,
        session: u32,
        cluster: Arc<[Arc<str>]>,
        clock: Clock,
        chance: Chance,
        backend: Arc<dyn Backend>,
    ) -> Client {
        Client { number, session, cluster, clock, chance, backend }
    }

    /// The node that is this client's own, if nodes are dealt out in turn.
    pub fn home(&self) -> &Arc<str> {
        &self.cluster[self.number as usize % self.cluster.len()]
    }

    /// Takes a port for datagrams; 0 for any.
    ///
    /// # Errors
    /// If the port is taken.
    pub fn bind(&self, port: u16) -> io::Result<Socket> {
        self.backend.bind(port)
    }
}
