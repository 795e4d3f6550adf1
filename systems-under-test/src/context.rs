//! Everything that a node or a client may touch.
//!
//! A process in a run must not read the machine's clock, chance, disk or network: it would not repeat. It gets these here. What
//! stands behind them is the simulation's business ([`Backend`] and [`Files`]).

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use rand_xoshiro::Xoshiro256PlusPlus;

/// A future that stays on its thread.
pub type Local<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// What one process of a node may touch. It is made anew at each start; only the disk outlives the process.
#[derive(Clone)]
pub struct Node {
    /// Its name: `n1`.
    pub name: Rc<str>,
    /// All nodes of the cluster, this one included, in order.
    pub cluster: Rc<[Rc<str>]>,
    /// Its clock.
    pub clock: Clock,
    /// Its disk.
    pub disk: Disk,
    /// Its own stream of chance.
    pub rng: Rc<RefCell<Xoshiro256PlusPlus>>,
    backend: Rc<dyn Backend>,
}

impl Node {
    /// A node's context. Only a simulation makes these.
    pub fn new(
        name: Rc<str>,
        cluster: Rc<[Rc<str>]>,
        clock: Clock,
        disk: Disk,
        rng: Xoshiro256PlusPlus,
        backend: Rc<dyn Backend>,
    ) -> Node {
        Node { name, cluster, clock, disk, rng: Rc::new(RefCell::new(rng)), backend }
    }

    /// The other nodes of the cluster.
    pub fn peers(&self) -> impl Iterator<Item = &Rc<str>> {
        self.cluster.iter().filter(|name| **name != self.name)
    }

    /// Takes a port for datagrams.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn bind(&self, port: u16) -> io::Result<Socket> {
        self.backend.bind(port).await
    }

    /// Runs a task beside the node's own, until it ends or the process dies.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.backend.spawn(Box::pin(task));
    }
}

/// What a client may touch.
#[derive(Clone)]
pub struct Client {
    /// Its number, from 0.
    pub number: u32,
    /// The nodes of the cluster, in order.
    pub cluster: Rc<[Rc<str>]>,
    /// Its clock.
    pub clock: Clock,
    /// Its own stream of chance.
    pub rng: Rc<RefCell<Xoshiro256PlusPlus>>,
    backend: Rc<dyn Backend>,
}

impl Client {
    /// A client's context. Only a simulation makes these.
    pub fn new(
        number: u32,
        cluster: Rc<[Rc<str>]>,
        clock: Clock,
        rng: Xoshiro256PlusPlus,
        backend: Rc<dyn Backend>,
    ) -> Client {
        Client { number, cluster, clock, rng: Rc::new(RefCell::new(rng)), backend }
    }

    /// Takes a port for datagrams; 0 for any.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn bind(&self, port: u16) -> io::Result<Socket> {
        self.backend.bind(port).await
    }
}

/// What stands behind a [`Node`] or [`Client`].
pub trait Backend {
    /// Takes a port.
    fn bind(&self, port: u16) -> Local<'_, io::Result<Socket>>;
    /// Runs a task until the process dies.
    fn spawn(&self, task: Local<'static, ()>);
}

/// Where a datagram comes from or goes to: a host's name and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The host: a node's name, or that of the host of the clients.
    pub host: Rc<str>,
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
pub trait Datagrams {
    /// Sends one.
    fn send(&self, to: &Address, bytes: &[u8]);
    /// Waits for one.
    fn readable(&self) -> Local<'_, ()>;
    /// Takes one.
    fn try_receive(&self) -> Option<(Address, Vec<u8>)>;
}

/// A clock that may be wrong: it has an offset, and may run fast or slow.
#[derive(Clone)]
pub struct Clock {
    elapsed: fn() -> Duration,
    offset: Rc<Cell<i64>>,
    rate: Rc<Cell<f64>>,
}

impl Clock {
    /// A right clock, over the time since the simulation began.
    pub fn new(elapsed: fn() -> Duration) -> Clock {
        Clock { elapsed, offset: Rc::new(Cell::new(0)), rate: Rc::new(Cell::new(1.0)) }
    }

    /// The time that this clock shows, since the simulation began.
    pub fn now(&self) -> Duration {
        let nanoseconds = (self.elapsed)().as_nanos() as f64 * self.rate.get();
        if self.offset.get() == 0 && self.rate.get() == 1.0 {
            return (self.elapsed)();
        }
        Duration::from_nanos((nanoseconds as i64).saturating_add(self.offset.get()).max(0) as u64)
    }

    /// Waits until this much time has passed on this clock.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration.div_f64(self.rate.get())).await;
    }

    /// Sets how far the clock is ahead, in nanoseconds.
    pub fn set_offset(&self, nanoseconds: i64) {
        self.offset.set(nanoseconds);
    }

    /// Sets how fast the clock runs: 1 is right.
    ///
    /// # Panics
    /// If the rate is not above zero.
    pub fn set_rate(&self, rate: f64) {
        assert!(rate > 0.0, "a clock runs forward");
        self.rate.set(rate);
    }
}

/// A disk. What was written is there after the process dies; what was not synced is lost when the power fails.
///
/// As in POSIX, a file's content and its name are made durable separately: [`Disk::sync`] for the one,
/// [`Disk::sync_directory`] for the other.
#[derive(Clone)]
pub struct Disk(Rc<dyn Files>);

impl Disk {
    /// A disk over a backend's files.
    pub fn new(files: Rc<dyn Files>) -> Disk {
        Disk(files)
    }

    /// The names of all files, sorted.
    pub fn list(&self) -> Vec<String> {
        self.0.list()
    }

    /// All bytes of a file.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.0.read(name)
    }

    /// Appends to a file, which is made if it is not there.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.0.append(name, bytes)
    }

    /// Cuts a file to a length in bytes.
    ///
    /// # Errors
    /// If there is no such file, or it is shorter.
    pub fn truncate(&self, name: &str, length: u64) -> io::Result<()> {
        self.0.truncate(name, length)
    }

    /// Takes a file away.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    /// Waits until all that was written to a file is durable.
    ///
    /// # Errors
    /// If there is no such file, or the disk refuses; then nobody knows what is durable.
    pub async fn sync(&self, name: &str) -> io::Result<()> {
        self.0.sync(name).await
    }

    /// Waits until the names of all files are durable.
    ///
    /// # Errors
    /// If the disk refuses.
    pub async fn sync_directory(&self) -> io::Result<()> {
        self.0.sync_directory().await
    }
}

/// What stands behind a [`Disk`].
pub trait Files {
    /// See [`Disk::list`].
    fn list(&self) -> Vec<String>;
    /// See [`Disk::read`].
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// See [`Disk::append`].
    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// See [`Disk::truncate`].
    fn truncate(&self, name: &str, length: u64) -> io::Result<()>;
    /// See [`Disk::remove`].
    fn remove(&self, name: &str) -> io::Result<()>;
    /// See [`Disk::sync`].
    fn sync<'a>(&'a self, name: &'a str) -> Local<'a, io::Result<()>>;
    /// See [`Disk::sync_directory`].
    fn sync_directory(&self) -> Local<'_, io::Result<()>>;
}
