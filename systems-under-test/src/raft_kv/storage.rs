//! What a node keeps on its disk: a log of records, in segments, each record with its length and a checksum.
//!
//! ```text
//!   wal-00000001   [length crc record] [length crc record] …
//!   wal-00000002   [length crc record] [leng            ◄── torn: the power failed while this was written
//! ```
//!
//! A record that is cut short or damaged at the very end of the last segment was never durable: nobody relied on it, and it is
//! cut off. Damage anywhere else is corruption, and the node refuses to begin (Alagappan et al., FAST 2018).

use std::io;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::door::Disk;
use crate::raft::{HardState, Index, Log, NodeId, Term};

use super::defects::Bug;
use super::message::{Command, Entry};

/// A segment is closed when it is longer than this, in bytes.
const SEGMENT: u64 = 4 * 1024;

/// One thing that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// The term and the vote.
    State(Term, Option<NodeId>),
    /// The log is cut from here on.
    Truncate(Index),
    /// An entry behind the end of the log.
    Entry(Entry),
}

/// Why a node cannot begin with what is on its disk.
#[derive(Debug, Error)]
pub enum Corruption {
    /// A damaged record that is not at the end.
    #[error("{segment} is damaged at byte {at}, and more records follow: refusing to begin with a hole in the log")]
    Hole {
        /// The file.
        segment: String,
        /// Where in it.
        at: u64,
    },
    /// The disk itself.
    #[error("the disk failed: {0}")]
    Disk(#[from] io::Error),
}

/// What was found at the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Term and vote.
    pub state: HardState,
    /// The log.
    pub log: Log<Command>,
    /// How many bytes of a torn record were at the end.
    pub torn: u64,
}

/// A node's records on its disk.
pub struct Storage {
    disk: Disk,
    bug: Option<Bug>,
    /// The number of the segment that is written to.
    segment: u32,
    /// Its length.
    length: u64,
    dirty: bool,
}

impl Storage {
    /// Reads what is there.
    ///
    /// # Errors
    /// If the disk refuses, or its content is damaged elsewhere than at the end.
    pub async fn open(disk: Disk, bug: Option<Bug>) -> Result<(Storage, Found), Corruption> {
        let mut found = Found::default();
        let mut entries: Vec<Entry> = Vec::new();
        let segments: Vec<String> = disk.list().into_iter().filter(|name| name.starts_with("wal-")).collect();
        let mut storage = Storage { disk: disk.clone(), bug, segment: 0, length: 0, dirty: false };
        for (at, segment) in segments.iter().enumerate() {
            let bytes = disk.read(segment)?;
            let (records, whole) = decode(&bytes);
            for record in records {
                match record {
                    Record::State(term, vote) => found.state = HardState { term, vote },
                    Record::Truncate(index) => entries.truncate(index.saturating_sub(1) as usize),
                    Record::Entry(entry) => entries.push(entry),
                }
            }
            storage.segment = number(segment);
            storage.length = bytes.len() as u64;
            if whole < storage.length {
                let last = at + 1 == segments.len();
                if bug == Some(Bug::AppendAfterTorn) {
                    // Wrong: what is appended behind the torn record will never be read.
                    found.torn = storage.length - whole;
                    continue;
                }
                if !last || is_followed(&bytes[whole as usize..]) {
                    return Err(Corruption::Hole { segment: segment.clone(), at: whole });
                }
                found.torn = storage.length - whole;
                disk.truncate(segment, whole)?;
                disk.sync(segment).await?;
                storage.length = whole;
            }
        }
        // What is relied on from here must be durable, not merely read: a process that was killed may have left it unsynced.
        match segments.last() {
            None => storage.roll().await?,
            Some(last) => {
                disk.sync(last).await?;
                if bug != Some(Bug::NoDirectorySync) {
                    disk.sync_directory().await?;
                }
            }
        }
        found.log = Log::of(entries);
        Ok((storage, found))
    }

    /// Writes records behind the others. They are durable after the next [`Storage::sync`].
    ///
    /// # Errors
    /// If the disk refuses.
    pub async fn write(&mut self, records: &[Record]) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        if self.length > SEGMENT {
            self.sync().await?;
            self.roll().await?;
        }
        let bytes = encode(records);
        self.disk.append(&name(self.segment), &bytes)?;
        self.length += bytes.len() as u64;
        self.dirty = true;
        Ok(())
    }

    /// Waits until all that was written is durable.
    ///
    /// # Errors
    /// If the disk refuses.
    pub async fn sync(&mut self) -> io::Result<()> {
        if self.dirty {
            self.disk.sync(&name(self.segment)).await?;
            self.dirty = false;
        }
        Ok(())
    }

    /// Begins a segment. Its name is made durable too, else the power takes the whole segment, synced as it may be.
    async fn roll(&mut self) -> io::Result<()> {
        self.segment += 1;
        self.length = 0;
        self.disk.append(&name(self.segment), &[])?;
        if self.bug == Some(Bug::NoDirectorySync) {
            return Ok(());
        }
        self.disk.sync_directory().await
    }
}

fn name(segment: u32) -> String {
    format!("wal-{segment:08}")
}

fn number(name: &str) -> u32 {
    name.trim_start_matches("wal-").parse().unwrap_or(0)
}

fn encode(records: &[Record]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in records {
        let body = postcard::to_stdvec(record).expect("every record has an encoding");
        bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
        bytes.extend_from_slice(&body);
    }
    bytes
}

/// The record at the beginning of some bytes, and how long it is with its head.
fn first(bytes: &[u8]) -> Option<(Record, usize)> {
    let (head, rest) = bytes.split_at_checked(8)?;
    let length = u32::from_le_bytes(head[..4].try_into().ok()?) as usize;
    let checksum = u32::from_le_bytes(head[4..].try_into().ok()?);
    let body = rest.get(..length).filter(|_| length > 0)?;
    if crc32fast::hash(body) != checksum {
        return None;
    }
    Some((postcard::from_bytes(body).ok()?, 8 + length))
}

/// The records of a segment up to the first that is torn or damaged, and how many bytes those are.
fn decode(bytes: &[u8]) -> (Vec<Record>, u64) {
    let mut records = Vec::new();
    let mut at = 0;
    while let Some((record, length)) = first(&bytes[at..]) {
        records.push(record);
        at += length;
    }
    (records, at as u64)
}

/// Whether a whole record begins anywhere behind a damaged one: then it is not the end that is torn.
fn is_followed(damaged: &[u8]) -> bool {
    (1..damaged.len()).any(|at| first(&damaged[at..]).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn records(terms: &[u64]) -> Vec<Record> {
        terms
            .iter()
            .map(|&term| match term % 3 {
                0 => Record::State(term, Some((term % 5) as u8)),
                1 => Record::Truncate(term),
                _ => Record::Entry(Entry { term, command: None }),
            })
            .collect()
    }

    proptest! {
        #[test]
        fn a_torn_end_costs_only_the_torn_record(terms in prop::collection::vec(0..1000u64, 1..20), cut in 0..400usize) {
            let written = records(&terms);
            let whole = encode(&written);
            let kept = &whole[..whole.len().saturating_sub(cut)];
            let (read, bytes) = decode(kept);
            prop_assert_eq!(&written[..read.len()], &read[..]);
            prop_assert_eq!(bytes, encode(&read).len() as u64);
            prop_assert!(!is_followed(&kept[bytes as usize..]));
        }

        #[test]
        fn a_flipped_byte_before_the_end_is_no_torn_end(terms in prop::collection::vec(0..1000u64, 2..20), at: prop::sample::Index) {
            let written = records(&terms);
            let mut bytes = encode(&written);
            let before_the_last = bytes.len() - encode(&written[written.len() - 1..]).len();
            let at = at.index(before_the_last);
            bytes[at] ^= 0x5a;
            let (read, whole) = decode(&bytes);
            prop_assert!(read.len() < written.len());
            prop_assert!(is_followed(&bytes[whole as usize..]));
        }
    }
}
