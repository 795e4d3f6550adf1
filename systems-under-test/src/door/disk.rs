//! A machine's disk.

use std::io;
use std::sync::Arc;

use super::Sent;

/// A disk. What was written is there after the process dies; what was not synced is lost when the power fails.
///
/// As in POSIX, a file's content and its name are made durable separately: [`Disk::sync`] for the one,
/// [`Disk::sync_directory`] for the other.
#[derive(Clone)]
pub struct Disk(Arc<dyn Files>);

impl Disk {
    /// A disk over a backend's files.
    pub fn new(files: Arc<dyn Files>) -> Disk {
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
pub trait Files: Send + Sync {
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
    fn sync<'a>(&'a self, name: &'a str) -> Sent<'a, io::Result<()>>;
    /// See [`Disk::sync_directory`].
    fn sync_directory(&self) -> Sent<'_, io::Result<()>>;
}
