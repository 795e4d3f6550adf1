//! What openraft asks of whoever keeps its log and its state: here, memory.
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::Cursor;
use std::ops::RangeBounds;
use std::sync::{Arc, Mutex};

use openraft::storage::{LogFlushed, LogState, RaftLogStorage, RaftStateMachine, Snapshot};
use openraft::{BasicNode, Entry, EntryPayload, LogId, RaftLogReader, RaftSnapshotBuilder, SnapshotMeta};
use openraft::{StorageError, StoredMembership, Vote};
use shakedown::kv::Operation;

use super::{Answer, Types};

type Stored<T> = Result<T, StorageError<u64>>;

/// Log and state machine of one process.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Inside>>);

#[derive(Default)]
pub struct Inside {
    vote: Option<Vote<u64>>,
    log: BTreeMap<u64, Entry<Types>>,
    /// The state machine: what each key holds.
    pub values: BTreeMap<u32, i64>,
    applied: Option<LogId<u64>>,
    membership: StoredMembership<u64, BasicNode>,
}

impl Memory {
    /// Looks at what it holds, or changes it.
    pub fn with<T>(&self, act: impl FnOnce(&mut Inside) -> T) -> T {
        act(&mut self.0.lock().expect("nobody panics while holding it"))
    }
}

impl RaftLogReader<Types> for Memory {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + Send>(
        &mut self,
        range: R,
    ) -> Stored<Vec<Entry<Types>>> {
        Ok(self.with(|inside| inside.log.range(range).map(|(_, entry)| entry.clone()).collect()))
    }
}

impl RaftLogStorage<Types> for Memory {
    type LogReader = Memory;
    async fn get_log_state(&mut self) -> Stored<LogState<Types>> {
        let last = self.with(|inside| inside.log.values().next_back().map(|entry| entry.log_id));
        Ok(LogState { last_purged_log_id: None, last_log_id: last })
    }
    async fn get_log_reader(&mut self) -> Memory {
        self.clone()
    }
    async fn save_vote(&mut self, vote: &Vote<u64>) -> Stored<()> {
        self.with(|inside| inside.vote = Some(*vote));
        Ok(())
    }
    async fn read_vote(&mut self) -> Stored<Option<Vote<u64>>> {
        Ok(self.with(|inside| inside.vote))
    }
    async fn append<I: IntoIterator<Item = Entry<Types>> + Send>(
        &mut self,
        entries: I,
        done: LogFlushed<Types>,
    ) -> Stored<()> {
        self.with(|inside| inside.log.extend(entries.into_iter().map(|entry| (entry.log_id.index, entry))));
        done.log_io_completed(Ok(()));
        Ok(())
    }
    async fn truncate(&mut self, from: LogId<u64>) -> Stored<()> {
        self.with(|inside| drop(inside.log.split_off(&from.index)));
        Ok(())
    }
    async fn purge(&mut self, _: LogId<u64>) -> Stored<()> {
        unreachable!("there are no snapshots")
    }
}

impl RaftStateMachine<Types> for Memory {
    type SnapshotBuilder = Memory;
    async fn applied_state(&mut self) -> Stored<(Option<LogId<u64>>, StoredMembership<u64, BasicNode>)> {
        Ok(self.with(|inside| (inside.applied, inside.membership.clone())))
    }
    async fn apply<I: IntoIterator<Item = Entry<Types>> + Send>(&mut self, entries: I) -> Stored<Vec<Answer>> {
        Ok(entries.into_iter().map(|entry| self.with(|inside| inside.apply(entry))).collect())
    }
    async fn get_snapshot_builder(&mut self) -> Memory {
        self.clone()
    }
    async fn begin_receiving_snapshot(&mut self) -> Stored<Box<Cursor<Vec<u8>>>> {
        unreachable!("there are no snapshots")
    }
    async fn install_snapshot(&mut self, _: &SnapshotMeta<u64, BasicNode>, _: Box<Cursor<Vec<u8>>>) -> Stored<()> {
        unreachable!("there are no snapshots")
    }
    async fn get_current_snapshot(&mut self) -> Stored<Option<Snapshot<Types>>> {
        Ok(None)
    }
}

impl RaftSnapshotBuilder<Types> for Memory {
    async fn build_snapshot(&mut self) -> Stored<Snapshot<Types>> {
        unreachable!("there are no snapshots")
    }
}

impl Inside {
    fn apply(&mut self, entry: Entry<Types>) -> Answer {
        self.applied = Some(entry.log_id);
        match entry.payload {
            EntryPayload::Blank | EntryPayload::Normal(Operation::Read { .. }) => {}
            EntryPayload::Membership(members) => self.membership = StoredMembership::new(self.applied, members),
            EntryPayload::Normal(Operation::Cas { key, expected, .. })
                if self.values.get(&key).copied() != expected =>
            {
                return Err("it holds another value".to_owned());
            }
            EntryPayload::Normal(Operation::Write { key, value } | Operation::Cas { key, new: value, .. }) => {
                self.values.insert(key, value);
            }
        }
        Ok(None)
    }
}
