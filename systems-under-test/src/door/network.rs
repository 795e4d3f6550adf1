//! Datagrams.

use std::sync::Arc;

use super::Sent;

/// Where a datagram comes from or goes to: a host's name and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The host: a node's name, or that of the host of the clients.
    pub host: Arc<str>,
    /// The port.
    pub port: u16,
}

/// A port for datagrams. Each may be lost, repeated or overtaken; what arrives is what was sent.
pub struct Socket(Box<dyn Datagrams>);

impl Socket {
    /// A socket over a backend's datagrams.
    pub fn new(datagrams: Box<dyn Datagrams>) -> Socket {
        Socket(datagrams)
    }

    /// Sends a datagram. It never waits, and nobody learns what became of it.
    pub fn send(&self, to: &Address, bytes: &[u8]) {
        self.0.send(to, bytes);
    }

    /// Waits until there is something to receive.
    pub async fn readable(&self) {
        self.0.readable().await;
    }

    /// A datagram that has arrived, if one has.
    pub fn try_receive(&self) -> Option<(Address, Vec<u8>)> {
        self.0.try_receive()
    }

    /// Waits for the next datagram.
    pub async fn receive(&self) -> (Address, Vec<u8>) {
        loop {
            if let Some(received) = self.try_receive() {
                return received;
            }
            self.readable().await;
        }
    }
}

/// What stands behind a [`Socket`].
pub trait Datagrams: Send + Sync {
    /// Sends one.
    fn send(&self, to: &Address, bytes: &[u8]);
    /// Waits for one.
    fn readable(&self) -> Sent<'_, ()>;
    /// Takes one.
    fn try_receive(&self) -> Option<(Address, Vec<u8>)>;
}
