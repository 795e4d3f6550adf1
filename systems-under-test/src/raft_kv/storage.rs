//! What a node keeps on its disk: a log of records, in segments, each record with its length and a checksum; and snapshots.
//!
//! ```text
//!   wal-00000001   [length crc record] [length crc record] …
//!   wal-00000002   [length crc record] [leng            ◄── torn: the power failed while this was written
//!   ok-00000002    how much of the segment was synced   ◄── tells what was torn from what has rotted since
//!   snap-00000300  the state after entry 300
//! ```
//!
//! A record that is cut short or damaged at the very end of the last segment, and that was never synced, was never relied on: it is cut off.
//! Damage anywhere else is corruption (Alagappan et al., FAST 2018): the node then gives up all that it has, and asks to be let in anew.

use std::io;

use thiserror::Error;

use crate::door::Disk;
use crate::raft::{HardState, Index, Log, Place, Snapshot, SnapshotHead, Term};

use super::defects::Bug;
use super::message::{Command, Entry};

mod record;

pub use record::Record;
use record::{decode, encode, encode_snapshot, first, is_followed};

/// A segment is closed when it is longer than this, in bytes.
const SEGMENT: u64 = 4 * 1024;
/// A file that says that all others are given up.
const GIVEN_UP: &str = "given-up";

/// Why a node cannot begin with what is on its disk.
#[derive(Debug, Error)]
pub enum Corruption {
    /// Something damaged that was relied on.
    #[error("{file} is damaged at byte {at}, where it was relied on")]
    Hole {
        /// The file.
        file: String,
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
    /// Term, vote and life; nothing if this machine never took part.
    pub state: Option<HardState>,
    /// The latest snapshot.
    pub snapshot: Option<Snapshot>,
    /// The log.
    pub log: Log<Command>,
    /// How many bytes of a torn record were at the end.
    pub torn: u64,
}

/// A node's records on its disk.
pub struct Storage {
    disk: Disk,
    bug: Option<Bug>,
    /// Each with the place of the log behind which it begins; the last is written to.
    segments: Vec<(u32, Index)>,
    /// The length of the last.
    length: u64,
    dirty: bool,
    state: Option<HardState>,
    /// The end of the log, as the records have it.
    end: Index,
}

/// The records of all segments, put together.
#[derive(Default)]
struct Records {
    state: Option<HardState>,
    /// The place before the first entry.
    base: Index,
    entries: Vec<Entry>,
    heads: Vec<SnapshotHead>,
}

impl Records {
    fn end(&self) -> Index {
        self.base + self.entries.len() as Index
    }

    /// Cuts the log from a place on; that may be before the first segment that is left.
    fn truncate(&mut self, index: Index) {
        let end = index.saturating_sub(1);
        self.base = self.base.min(end);
        self.entries.truncate((end - self.base) as usize);
    }

    fn term_at(&self, index: Index) -> Option<Term> {
        self.entries.get(index.checked_sub(self.base + 1)? as usize).map(|entry| entry.term)
    }
}

impl Storage {
    /// Reads what is there.
    ///
    /// # Errors
    /// If the disk refuses, or something is damaged that was relied on.
    pub async fn open(disk: Disk, bug: Option<Bug>) -> Result<(Storage, Found), Corruption> {
        if disk.list().iter().any(|name| name == GIVEN_UP) {
            Storage::give_up(&disk).await?;
        }
        let mut storage =
            Storage { disk: disk.clone(), bug, segments: Vec::new(), length: 0, dirty: false, state: None, end: 0 };
        let names: Vec<String> = disk.list().into_iter().filter(|name| name.starts_with("wal-")).collect();
        let mut found = Found::default();
        let mut all = Records::default();
        for (nth, name) in names.iter().enumerate() {
            let bytes = disk.read(name)?;
            let (records, whole) = decode(&bytes);
            storage.take(name, records, &mut all)?;
            storage.length = bytes.len() as u64;
            let vouched = storage.vouched(name);
            if whole < storage.length.max(vouched) {
                if bug == Some(Bug::AppendAfterTorn) {
                    // Wrong: what is appended behind the torn record will never be read.
                    tracing::info!(event = "defect-bit");
                    found.torn = storage.length - whole;
                    continue;
                }
                let is_last = nth + 1 == names.len();
                let was_relied_on = !is_last || is_followed(&bytes[whole as usize..]) || whole < vouched;
                if was_relied_on && bug == Some(Bug::RotCutAsTorn) {
                    tracing::info!(event = "defect-bit");
                } else if was_relied_on {
                    return Err(Corruption::Hole { file: name.clone(), at: whole });
                }
                found.torn = storage.length - whole;
                disk.truncate(name, whole)?;
                disk.sync(name).await?;
                storage.length = whole;
            }
        }
        // A segment that was synced, and is gone.
        let last = storage.current();
        let notes = disk.list().into_iter().filter_map(|name| name.strip_prefix("ok-")?.parse::<u32>().ok());
        if let Some(missing) = notes.filter(|segment| *segment > last).min() {
            return Err(Corruption::Hole { file: segment_name(missing), at: 0 });
        }
        found.snapshot = storage.newest_snapshot(&all.heads)?;
        (storage.state, found.state, storage.end) = (all.state, all.state, all.end());
        found.log = storage.log_behind(found.snapshot.as_ref(), all, &names)?;
        // What is relied on from here must be durable, not merely read: a process that was killed may have left it unsynced.
        match names.last() {
            None => storage.roll().await?,
            Some(_) => {
                storage.dirty = true;
                storage.sync().await?;
                if bug != Some(Bug::NoDirectorySync) {
                    disk.sync_directory().await?;
                }
            }
        }
        Ok((storage, found))
    }

    /// Gives up all that is on the disk, so that nothing of it is ever taken for the whole.
    ///
    /// # Errors
    /// If the disk refuses.
    pub async fn give_up(disk: &Disk) -> io::Result<()> {
        disk.append(GIVEN_UP, &[1])?;
        disk.sync(GIVEN_UP).await?;
        disk.sync_directory().await?;
        for name in disk.list().into_iter().filter(|name| name != GIVEN_UP) {
            disk.remove(&name)?;
        }
        disk.sync_directory().await?;
        disk.remove(GIVEN_UP)?;
        disk.sync_directory().await
    }

    fn take(&mut self, name: &str, records: Vec<Record>, all: &mut Records) -> Result<(), Corruption> {
        let is_first = self.segments.is_empty();
        let tolerates_gaps = matches!(
            self.bug,
            Some(Bug::AppendAfterTorn | Bug::RotCutAsTorn | Bug::NoDirectorySync | Bug::SyncErrorRetried)
        );
        self.segments.push((number(name), all.end()));
        for record in records {
            match record {
                Record::State(term, vote, life) => all.state = Some(HardState { term, vote, life }),
                Record::Truncate(index) => all.truncate(index),
                Record::Entry(entry) => all.entries.push(entry),
                Record::Segment(index) if is_first => (all.base, self.segments[0].1) = (index, index),
                // Segments follow each other without a gap, else one is missing.
                Record::Segment(index) if index != all.end() && !tolerates_gaps => {
                    return Err(Corruption::Hole { file: name.to_owned(), at: 0 });
                }
                Record::Segment(_) => {}
                Record::Restart(index) => (all.base, all.entries) = (index, Vec::new()),
                Record::Snapshot(head) => all.heads.push(head),
            }
        }
        Ok(())
    }

    /// The latest snapshot that is whole. One that is not was never relied on: the log that it stands for goes only when it is durable.
    fn newest_snapshot(&self, heads: &[SnapshotHead]) -> Result<Option<Snapshot>, Corruption> {
        let names = self.disk.list().into_iter().filter(|name| name.starts_with("snap-"));
        for name in names.rev() {
            let whole = first::<(Index, Vec<u8>)>(&self.disk.read(&name)?);
            let of = |index| heads.iter().rev().find(|head| head.index == index);
            let Some((head, state)) = whole.and_then(|((index, state), _)| Some((of(index)?, state))) else {
                self.disk.remove(&name)?;
                continue;
            };
            let mut head = head;
            if self.bug == Some(Bug::AppliedIndexApart)
                && let Some(latest) = heads.iter().max_by_key(|head| head.index)
                && latest != head
            {
                tracing::info!(event = "defect-bit");
                head = latest;
            }
            return Ok(Some(head.clone().with(state)));
        }
        Ok(None)
    }

    /// What of the log comes behind the snapshot.
    fn log_behind(
        &mut self,
        snapshot: Option<&Snapshot>,
        mut all: Records,
        names: &[String],
    ) -> Result<Log<Command>, Corruption> {
        let place = snapshot.map_or(Place::default(), |taken| Place {
            index: taken.index,
            term: taken.term,
            chain: taken.chain,
        });
        if all.base > place.index {
            // The snapshot that took the place of the log's beginning is gone.
            let file = names.first().cloned().unwrap_or_default();
            return Err(Corruption::Hole { file, at: 0 });
        }
        let mut log = Log::behind(place);
        if all.base == place.index || all.term_at(place.index) == Some(place.term) {
            for entry in all.entries.drain((place.index - all.base) as usize..) {
                log.push(entry);
            }
        } else {
            // It came from a leader, and the process died before the log was given up.
            self.put(&[Record::Restart(place.index)])?;
        }
        Ok(log)
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
        self.put(records)
    }

    fn put(&mut self, records: &[Record]) -> io::Result<()> {
        let bytes = encode(records);
        self.disk.append(&segment_name(self.current()), &bytes)?;
        self.length += bytes.len() as u64;
        self.dirty = true;
        for record in records {
            match record {
                Record::State(term, vote, life) => {
                    self.state = Some(HardState { term: *term, vote: *vote, life: *life });
                }
                Record::Entry(_) => self.end += 1,
                Record::Truncate(index) => self.end = self.end.min(index.saturating_sub(1)),
                Record::Restart(index) => self.end = *index,
                Record::Segment(_) | Record::Snapshot(_) => {}
            }
        }
        Ok(())
    }

    /// Waits until all that was written is durable.
    ///
    /// # Errors
    /// If the disk refuses: then nobody knows what is durable, and the process must end.
    pub async fn sync(&mut self) -> io::Result<()> {
        if !self.dirty {
            return Ok(());
        }
        let name = segment_name(self.current());
        let mut synced = self.disk.sync(&name).await;
        if synced.is_err() && self.bug == Some(Bug::SyncErrorRetried) {
            tracing::info!(event = "defect-bit");
            while synced.is_err() {
                synced = self.disk.sync(&name).await;
            }
        }
        synced?;
        self.dirty = false;
        self.vouch()
    }

    /// Notes how much of the segment is durable. The note itself is not synced: it helps where only the process dies, or a disk rots.
    fn vouch(&self) -> io::Result<()> {
        let mut note = self.length.to_le_bytes().to_vec();
        note.extend_from_slice(&crc32fast::hash(&note).to_le_bytes());
        self.disk.append(&format!("ok-{:08}", self.current()), &note)
    }

    fn vouched(&self, segment: &str) -> u64 {
        let Ok(notes) = self.disk.read(&segment.replace("wal-", "ok-")) else { return 0 };
        let whole = |note: &&[u8]| note.len() == 12 && crc32fast::hash(&note[..8]).to_le_bytes() == note[8..];
        let length = |note: &[u8]| u64::from_le_bytes(note[..8].try_into().unwrap_or_default());
        notes.chunks(12).filter(whole).map(length).max().unwrap_or(0)
    }

    /// Keeps a snapshot, then lets go of what it takes the place of: the log begins behind this place, or anew behind the snapshot.
    ///
    /// # Errors
    /// If the disk refuses.
    pub async fn save(&mut self, snapshot: &Snapshot, base: Option<Index>) -> io::Result<()> {
        self.write(&[Record::Snapshot(snapshot.head())]).await?;
        self.sync().await?;
        let name = format!("snap-{:08}", snapshot.index);
        if self.disk.list().contains(&name) {
            self.disk.remove(&name)?;
        }
        self.disk.append(&name, &encode_snapshot(snapshot))?;
        self.disk.sync(&name).await?;
        self.disk.sync_directory().await?;
        if base.is_none() {
            self.write(&[Record::Restart(snapshot.index)]).await?;
            self.sync().await?;
        }
        let base = base.unwrap_or(snapshot.index);
        for older in self.disk.list().into_iter().filter(|other| other.starts_with("snap-") && *other < name) {
            self.disk.remove(&older)?;
        }
        // A segment goes when the next one begins no later than the log.
        while self.segments.get(1).is_some_and(|(_, begins)| *begins <= base) {
            let (segment, _) = self.segments.remove(0);
            for name in [segment_name(segment), format!("ok-{segment:08}")] {
                _ = self.disk.remove(&name);
            }
        }
        Ok(())
    }

    /// Begins a segment. Its name is made durable too, else the power takes the whole segment, synced as it may be.
    async fn roll(&mut self) -> io::Result<()> {
        let next = self.segments.last().map_or(1, |(segment, _)| segment + 1);
        self.segments.push((next, self.end));
        self.length = 0;
        let state = self.state.map(|HardState { term, vote, life }| Record::State(term, vote, life));
        let records: Vec<Record> = [Record::Segment(self.end)].into_iter().chain(state).collect();
        self.put(&records)?;
        self.sync().await?;
        if self.bug == Some(Bug::NoDirectorySync) {
            tracing::info!(event = "defect-bit");
            return Ok(());
        }
        self.disk.sync_directory().await
    }

    fn current(&self) -> u32 {
        self.segments.last().map_or(0, |(segment, _)| *segment)
    }
}

fn segment_name(segment: u32) -> String {
    format!("wal-{segment:08}")
}

fn number(name: &str) -> u32 {
    name.trim_start_matches("wal-").parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::door::{Files, Sent};
    use crate::raft::{Configuration, Payload};

    /// A disk that keeps all, at once.
    #[derive(Default)]
    struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

    impl Memory {
        fn of<T>(&self, name: &str, take: impl FnOnce(&mut Vec<u8>) -> T) -> io::Result<T> {
            let mut files = self.0.lock().unwrap();
            files.get_mut(name).map(take).ok_or_else(|| io::ErrorKind::NotFound.into())
        }
    }

    impl Files for Memory {
        fn list(&self) -> Vec<String> {
            self.0.lock().unwrap().keys().cloned().collect()
        }
        fn read(&self, name: &str) -> io::Result<Vec<u8>> {
            self.of(name, |bytes| bytes.clone())
        }
        fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
            self.0.lock().unwrap().entry(name.to_owned()).or_default().extend_from_slice(bytes);
            Ok(())
        }
        fn truncate(&self, name: &str, length: u64) -> io::Result<()> {
            self.of(name, |bytes| bytes.truncate(length as usize))
        }
        fn remove(&self, name: &str) -> io::Result<()> {
            self.of(name, |_| ())?;
            self.0.lock().unwrap().remove(name);
            Ok(())
        }
        fn sync<'a>(&'a self, _: &'a str) -> Sent<'a, io::Result<()>> {
            Box::pin(std::future::ready(Ok(())))
        }
        fn sync_directory(&self) -> Sent<'_, io::Result<()>> {
            Box::pin(std::future::ready(Ok(())))
        }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn entry(term: Term) -> Entry {
        Entry { term, payload: Payload::Nothing }
    }

    /// A snapshot of a log that ends where it does.
    fn snapshot(log: &Log<Command>, index: Index) -> Snapshot {
        let (term, chain) = (log.term_at(index).unwrap(), log.chain_at(index).unwrap());
        Snapshot { index, term, chain, configuration: Configuration::of(3), state: vec![7; 40] }
    }

    /// A node that appended, cut, took snapshots and dropped segments, and what it must find again.
    async fn filled(memory: &Arc<Memory>) -> (Log<Command>, Snapshot) {
        let (mut storage, found) = Storage::open(Disk::new(memory.clone()), None).await.unwrap();
        assert_eq!(found, Found::default());
        let mut log = Log::default();
        let mut taken = None;
        for step in 0..1_200u64 {
            let mut records = vec![Record::Entry(entry(1 + step / 200))];
            log.push(entry(1 + step / 200));
            if step % 190 == 189 {
                let from = log.last_index() - 60;
                log.truncate_from(from);
                records.push(Record::Truncate(from));
            }
            storage.write(&records).await.unwrap();
            storage.sync().await.unwrap();
            if step % 97 == 96 {
                let snapshot = snapshot(&log, log.last_index() - 5);
                log.compact(snapshot.index - 20);
                storage.save(&snapshot, Some(log.base().index)).await.unwrap();
                taken = Some(snapshot);
            }
        }
        storage.write(&[Record::State(9, Some(1), 0)]).await.unwrap();
        storage.sync().await.unwrap();
        (log, taken.unwrap())
    }

    #[test]
    fn thesis_5_1_what_is_left_after_cuts_snapshots_and_dropped_segments_is_found_again() {
        let memory = Arc::new(Memory::default());
        let (mut log, taken) = run(filled(&memory));
        let names = memory.list();
        assert!(names.iter().filter(|name| name.starts_with("wal-")).count() < 4, "{names:?}");
        assert_eq!(names.iter().filter(|name| name.starts_with("snap-")).count(), 1, "{names:?}");
        let (_, found) = run(Storage::open(Disk::new(memory.clone()), None)).unwrap();
        log.compact(taken.index);
        assert_eq!((found.log, found.snapshot), (log, Some(taken)));
        assert_eq!(found.state, Some(HardState { term: 9, vote: Some(1), life: 0 }));
    }

    #[test]
    fn a_machine_that_never_took_part_is_known_by_that_however_often_it_begins() {
        let memory = Arc::new(Memory::default());
        for _ in 0..3 {
            let (_, found) = run(Storage::open(Disk::new(memory.clone()), None)).unwrap();
            assert_eq!(found.state, None);
        }
    }

    #[test]
    fn what_has_rotted_or_is_gone_is_not_taken_for_torn() {
        let clean = Arc::new(Memory::default());
        run(filled(&clean));
        let files = clean.0.lock().unwrap().clone();
        let again = |files: &BTreeMap<String, Vec<u8>>| {
            let memory = Arc::new(Memory(Mutex::new(files.clone())));
            run(Storage::open(Disk::new(memory), None)).map(|(_, found)| found)
        };
        let whole = again(&files).unwrap();
        assert_eq!(whole.torn, 0);
        let relied_on = files.iter().filter(|(name, _)| !name.starts_with("ok-"));
        for (name, bytes) in relied_on {
            for at in (0..bytes.len()).step_by(29).chain([bytes.len() - 1]) {
                let mut rotten = files.clone();
                rotten.get_mut(name).unwrap()[at] ^= 4;
                assert!(matches!(again(&rotten), Err(Corruption::Hole { .. })), "{name} at {at}");
            }
            let mut missing = files.clone();
            missing.remove(name);
            // The oldest segment may hold nothing that the snapshot does not.
            match again(&missing) {
                Ok(found) => assert_eq!(found, whole, "{name} is missing"),
                Err(error) => assert!(matches!(error, Corruption::Hole { .. }), "{name} is missing: {error}"),
            }
        }
        // What was written behind the last sync may be torn.
        let mut torn = files.clone();
        let last = torn.keys().rfind(|name| name.starts_with("wal-")).unwrap().clone();
        torn.get_mut(&last).unwrap().extend([9; 11]);
        assert_eq!(again(&torn).unwrap(), Found { torn: 11, ..whole });
    }
}
