//! Datagrams between send and receive: what was sent waits for its fate, what is under way for its time, what has arrived for
//! its reader.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shakedown_systems::door::{Address, Datagrams, Sent, Socket};
use tokio::sync::Notify;

use super::fabric::{Due, Fabric};
use super::ground::{Host, LinkRules};

/// As many datagrams wait at a port; what comes then is lost, as in a kernel.
const CAPACITY: usize = 4096;
/// The first of the ports that are dealt out.
const FIRST_FREE_PORT: u16 = 49_152;

/// All ports of all hosts.
pub struct Mailboxes {
    names: Arc<[Arc<str>]>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Sent in this step, in order.
    sent: Vec<Datagram>,
    /// By the step in which it is due, and by the order of sending.
    under_way: BTreeMap<(u64, u64), Datagram>,
    number: u64,
    ports: BTreeMap<(Host, u16), Arc<Port>>,
}

impl State {
    /// Lays a datagram under way, behind all others that are due with it.
    fn lay(&mut self, due: u64, datagram: Datagram) {
        self.under_way.insert((due, self.number), datagram);
        self.number += 1;
    }
}

#[derive(Clone)]
struct Datagram {
    from: (Host, u16),
    to: (Host, u16),
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Port {
    arrived: Mutex<VecDeque<(Address, Vec<u8>)>>,
    ready: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mailboxes {
    /// No port is taken yet on any of these hosts.
    pub fn new(names: Arc<[Arc<str>]>) -> Mailboxes {
        Mailboxes { names, state: Mutex::default() }
    }

    /// Takes a port of a host; 0 for any.
    ///
    /// # Errors
    /// If it is taken.
    pub fn bind(self: &Arc<Self>, host: Host, port: u16) -> io::Result<Socket> {
        let mut state = lock(&self.state);
        let free = |port: &u16| !state.ports.contains_key(&(host, *port));
        let found = if port == 0 { (FIRST_FREE_PORT..=u16::MAX).find(free) } else { Some(port).filter(free) };
        let number = found.ok_or_else(|| io::Error::new(ErrorKind::AddrInUse, format!("port {port} is taken")))?;
        let own = (host, number);
        let port = Arc::clone(state.ports.entry(own).or_default());
        Ok(Socket::new(Box::new(Bound { mailboxes: Arc::clone(self), own, port })))
    }

    /// What a process sent while it was dropped has no order of its own: it gets one.
    pub fn sort_last_words(&self) {
        lock(&self.state)
            .sent
            .sort_by(|one, other| (one.from, one.to, &one.bytes).cmp(&(other.from, other.to, &other.bytes)));
    }

    /// Gives what was sent since the last call its fate, and lays what is due in the next step before its readers.
    pub fn carry(&self, fabric: &mut Fabric, rules: &mut impl LinkRules, step: u64) {
        let mut state = lock(&self.state);
        for mut datagram in std::mem::take(&mut state.sent) {
            let (due, extra) = fabric.take_datagram(rules, datagram.from.0, datagram.to.0, step);
            let Due::At(due) = due else { continue };
            if let Some(after) = extra.copy_after {
                state.lay(due + after, datagram.clone());
            }
            if let (Some(chance), false) = (extra.altered_by, datagram.bytes.is_empty()) {
                let bit = chance % (8 * datagram.bytes.len() as u64);
                datagram.bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
            }
            state.lay(due, datagram);
        }
        while let Some(first) = state.under_way.first_entry().filter(|first| first.key().0 <= step + 1) {
            let Datagram { from, to, bytes } = first.remove();
            fabric.deliver(rules, to.0);
            let Some(port) = state.ports.get(&to) else { continue };
            let mut arrived = lock(&port.arrived);
            if arrived.len() < CAPACITY {
                arrived.push_back((Address { host: Arc::clone(&self.names[from.0]), port: from.1 }, bytes));
                port.ready.notify_one();
            }
        }
    }
}

struct Bound {
    mailboxes: Arc<Mailboxes>,
    own: (Host, u16),
    port: Arc<Port>,
}

impl Drop for Bound {
    fn drop(&mut self) {
        lock(&self.mailboxes.state).ports.remove(&self.own);
    }
}

impl Datagrams for Bound {
    fn send(&self, to: &Address, bytes: &[u8]) {
        if let Some(host) = self.mailboxes.names.iter().position(|name| *name == to.host) {
            let datagram = Datagram { from: self.own, to: (host, to.port), bytes: bytes.to_vec() };
            lock(&self.mailboxes.state).sent.push(datagram);
        }
    }

    fn readable(&self) -> Sent<'_, ()> {
        Box::pin(async {
            while lock(&self.port.arrived).is_empty() {
                self.port.ready.notified().await;
            }
        })
    }

    fn try_receive(&self) -> Option<(Address, Vec<u8>)> {
        lock(&self.port.arrived).pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nemesis::Nemesis;

    #[test]
    fn what_was_sent_arrives_when_it_is_due_and_a_port_is_free_again_when_its_socket_is_gone() {
        let names: Arc<[Arc<str>]> = Arc::from([Arc::from("n1"), Arc::from("n2")]);
        let mailboxes = Arc::new(Mailboxes::new(Arc::clone(&names)));
        let (mut fabric, mut nemesis) = (Fabric::new(1, 3, [2, 2]), Nemesis::new(&["n1".to_owned()], &[]));
        let (one, other) = (mailboxes.bind(0, 0).unwrap(), mailboxes.bind(1, 7).unwrap());
        assert!(mailboxes.bind(1, 7).is_err());
        one.send(&Address { host: Arc::clone(&names[1]), port: 7 }, b"hello");
        mailboxes.carry(&mut fabric, &mut nemesis, 0);
        assert!(other.try_receive().is_none());
        mailboxes.carry(&mut fabric, &mut nemesis, 1);
        let (from, bytes) = other.try_receive().unwrap();
        assert_eq!((&*from.host, from.port, &bytes[..]), ("n1", FIRST_FREE_PORT, &b"hello"[..]));
        drop(other);
        assert!(mailboxes.bind(1, 7).is_ok());
    }
}
