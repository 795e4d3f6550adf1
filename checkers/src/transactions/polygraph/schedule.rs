//! **One order of all transactions**, put together as it is needed, without a search: a proof that they are serializable, or read snapshots.
//!
//! ```text
//!   T4 has to commit now; it read x from T2          first T2 commits, unless it has
//!   T4 writes over y, which T3 has yet to read       first T3 begins
//!   T4 writes z, as T5 does, which has begun         first T5 commits
//!   T4 waits for T3, T3 for T4                       no order is found, which proves nothing
//! ```
//!
//! *Method:* transactions commit in the order in which they ended, each at the last moment, and before it whatever it waits for. The versions that keys
//! hold are followed, so that every read is held against the definition. For serializability a transaction begins and commits at once. Which of two writes
//! goes first that nobody compared is a guess: where the history has real time, the one whose version was seen, or written, for the first time before the
//! other one's was for the last time (as for zones, see `linearizability/zones.rs`). When that was at the latest and at the earliest also follows from whom a transaction
//! read from, and from who read from it.
//!
//! *Cost:* linear in the reads and writes, and O(w log w) to sort the w writes of a key.

use rustc_hash::FxHashMap;

use crate::History;
use crate::history::{NEVER, OperationId, Outcome};
use crate::transactions::NONE;
use crate::transactions::allowance::{Allowance, Late};

use super::shape::Time;
use super::versions::{INITIAL, Versions};

/// Whether transactions begin and commit at once, or read a snapshot first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transactions) enum Kind {
    Serial,
    Snapshot,
}

/// Whether an order of the transactions that happened is found that explains what they read and keeps an order of time.
pub(in crate::transactions) fn is_found(
    history: &History,
    versions: &Versions,
    happened: &[bool],
    (kind, time): (Kind, Time),
    allowance: &Allowance,
) -> Result<bool, Late> {
    let mut schedule = Schedule::new(history, versions, happened, kind, time);
    let mut due: Vec<u32> = (0..versions.rows).filter(|&row| happened[row as usize]).collect();
    // What ended `info` may take effect last of all.
    due.sort_by_key(|&row| schedule.ended(row));
    for (step, &row) in due.iter().enumerate() {
        allowance.go_on(step)?;
        if !schedule.run(row, schedule.ended(row)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What a transaction is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Begin,
    Commit,
}

/// By transaction.
#[derive(Clone, Copy, Default)]
struct State {
    begun: bool,
    committed: bool,
    /// It waits for something else, to begin, and to commit.
    waits: [bool; 2],
}

struct Schedule<'a> {
    history: &'a History,
    versions: &'a Versions,
    kind: Kind,
    time: Time,
    state: Vec<State>,
    /// By key: who wrote it last, and who writes it and has begun.
    current: Vec<u32>,
    in_flight: Vec<u32>,
    /// By version, then by key for those at first: who reads it, for those whose source is certain, and how many of them have begun.
    readers: Vec<u32>,
    first_reader: Vec<u32>,
    gone: Vec<u32>,
    /// By read: the number of the version it shows; [`NONE`] if that is not certain.
    slots: Vec<u32>,
    /// By version: when it was seen, or written, at the latest for the first time, and at the earliest for the last time.
    seen: Vec<(u32, u32)>,
    /// By key: its writers by when their versions were first seen, and how many of the first have committed.
    by_end: Vec<Vec<(u32, u32)>>,
    gone_by_end: Vec<u32>,
    /// By row, sorted: whoever must commit before it, as somebody read from both, and a key that both wrote from the one.
    forced: Vec<(u32, u32)>,
    /// By row: the transaction before it in its session; empty where that does not matter.
    before: Vec<u32>,
    stack: Vec<(u32, Goal)>,
}

impl<'a> Schedule<'a> {
    fn new(history: &'a History, versions: &'a Versions, happened: &[bool], kind: Kind, time: Time) -> Schedule<'a> {
        let slots = versions.slots() + versions.keys.len();
        let mut schedule = Schedule {
            history,
            versions,
            kind,
            time,
            state: vec![State::default(); versions.rows as usize],
            current: vec![INITIAL; versions.keys.len()],
            in_flight: vec![NONE; versions.keys.len()],
            readers: Vec::new(),
            first_reader: vec![0; slots + 1],
            gone: vec![0; slots],
            slots: Vec::with_capacity(versions.reads().len()),
            seen: Vec::new(),
            by_end: Vec::new(),
            gone_by_end: Vec::new(),
            forced: forced(versions),
            before: Vec::new(),
            stack: Vec::new(),
        };
        for read in versions.reads() {
            let slot = versions.source(read).map_or(NONE, |source| number(versions, source, read.key) as u32);
            schedule.slots.push(slot);
            if slot != NONE {
                schedule.first_reader[slot as usize + 1] += 1;
            }
        }
        for slot in 0..slots {
            schedule.first_reader[slot + 1] += schedule.first_reader[slot];
        }
        let mut next = schedule.first_reader.clone();
        schedule.readers = vec![NONE; next[slots] as usize];
        for (read, &slot) in versions.reads().iter().zip(&schedule.slots).filter(|(_, slot)| **slot != NONE) {
            schedule.readers[next[slot as usize] as usize] = read.row;
            next[slot as usize] += 1;
        }
        if time == Time::Real {
            schedule.look_at_time(happened);
        }
        if time == Time::Sessions {
            schedule.before = sessions(history, happened);
        }
        schedule
    }

    /// When each transaction took effect at the earliest and at the latest, and the versions of each key by that.
    fn look_at_time(&mut self, happened: &[bool]) {
        let versions = self.versions;
        let rows = 0..versions.rows;
        let mut earliest: Vec<u32> = rows.clone().map(|row| self.begun(row)).collect();
        let mut latest: Vec<u32> = rows.clone().map(|row| self.ended(row)).collect();
        let mut by_begin: Vec<u32> = rows.clone().filter(|&row| happened[row as usize]).collect();
        by_begin.sort_unstable_by_key(|&row| earliest[row as usize]);
        let mut by_end: Vec<u32> = by_begin.clone();
        by_end.sort_unstable_by_key(|&row| std::cmp::Reverse(latest[row as usize]));
        self.seen = vec![(NONE, 0); versions.slots()];
        self.by_end = vec![Vec::new(); versions.keys.len()];
        self.gone_by_end = vec![0; versions.keys.len()];
        for round in 0..ROUNDS {
            let sources = |row: u32| versions.reads_of(row).iter().filter_map(|read| versions.source(read));
            for &row in &by_begin {
                let sources = sources(row).filter(|source| *source != INITIAL).map(|source| earliest[source as usize]);
                earliest[row as usize] = sources.fold(earliest[row as usize], u32::max);
            }
            for &row in &by_end {
                for source in sources(row).filter(|source| *source != INITIAL) {
                    latest[source as usize] = latest[source as usize].min(latest[row as usize]);
                }
            }
            for (key, of_key) in (0..).zip(&versions.keys) {
                let mut ordered = std::mem::take(&mut self.by_end[key as usize]);
                ordered.clear();
                for &row in &of_key.writers {
                    let Some(slot) = versions.slot(row, key) else { continue };
                    let around = self.readers_of(slot).iter().chain([&row]);
                    let seen = around.fold((NONE, 0), |(first, last), &row| {
                        (first.min(latest[row as usize]), last.max(earliest[row as usize]))
                    });
                    self.seen[slot] = seen;
                    ordered.push((seen.0, row));
                }
                ordered.sort_unstable();
                if round + 1 < ROUNDS {
                    for pair in ordered.windows(2) {
                        let (first, second) = (pair[0].1, pair[1].1);
                        let slots = versions.slot(first, key).zip(versions.slot(second, key));
                        let is_first = |&(slot, next): &(usize, usize)| self.seen[slot].0 < self.seen[next].1;
                        let Some((slot, _)) = slots.filter(is_first) else { continue };
                        for &row in self.readers_of(slot).iter().chain([&first]).filter(|row| **row != second) {
                            latest[row as usize] = latest[row as usize].min(latest[second as usize]);
                            earliest[second as usize] = earliest[second as usize].max(earliest[row as usize]);
                        }
                    }
                }
                self.by_end[key as usize] = ordered;
            }
        }
    }

    fn begun(&self, row: u32) -> u32 {
        self.history.operation(OperationId(row)).invoked()
    }

    /// By when it must have committed.
    fn ended(&self, row: u32) -> u32 {
        let operation = self.history.operation(OperationId(row));
        if operation.outcome() == Outcome::Ok { operation.completed() } else { NEVER }
    }

    fn readers_of(&self, slot: usize) -> &[u32] {
        &self.readers[self.first_reader[slot] as usize..self.first_reader[slot + 1] as usize]
    }

    fn is_done(&self, row: u32, goal: Goal) -> bool {
        let state = self.state[row as usize];
        match goal {
            Goal::Begin => state.begun,
            Goal::Commit => state.committed,
        }
    }

    /// Lets a transaction commit, and before it whatever it waits for. Whether that was possible.
    fn run(&mut self, row: u32, now: u32) -> bool {
        self.stack.clear();
        self.stack.push((row, Goal::Commit));
        while let Some(&(row, goal)) = self.stack.last() {
            if self.is_done(row, goal) {
                self.stack.pop();
                continue;
            }
            if self.time == Time::Real && self.begun(row) > now {
                return false;
            }
            match self.waits_for(row, goal) {
                Ok(None) => {
                    self.go(row, goal);
                    self.stack.pop();
                }
                Ok(Some((other, other_goal))) if !self.state[other as usize].waits[other_goal as usize] => {
                    self.state[row as usize].waits[goal as usize] = true;
                    self.stack.push((other, other_goal));
                }
                _ => return false,
            }
        }
        true
    }

    /// What has to go first; an error if a read can never be satisfied any more.
    fn waits_for(&mut self, row: u32, goal: Goal) -> Result<Option<(u32, Goal)>, ()> {
        let is_serial = self.kind == Kind::Serial;
        let is_begun = self.state[row as usize].begun;
        if goal == Goal::Commit && !is_serial && !is_begun {
            return Ok(Some((row, Goal::Begin)));
        }
        if goal == Goal::Commit || is_serial {
            let begin = self.forced.partition_point(|&(later, _)| later < row);
            let forced = self.forced[begin..].iter().take_while(|(later, _)| *later == row);
            if let Some(&(_, other)) = forced.into_iter().find(|(_, other)| !self.state[*other as usize].committed) {
                return Ok(Some((other, Goal::Commit)));
            }
            let reader_goal = if is_serial { Goal::Commit } else { Goal::Begin };
            for &key in self.versions.writes_of(row) {
                if let Some(reader) = self.has_yet_to_read(row, key) {
                    return Ok(Some((reader, reader_goal)));
                }
                if let Some(other) = self.is_due_before(row, key) {
                    return Ok(Some((other, Goal::Commit)));
                }
            }
        }
        // Last, since what it reads must still be there when it begins.
        Ok(if is_begun { None } else { self.begin_waits_for(row)?.map(|other| (other, Goal::Commit)) })
    }

    fn begin_waits_for(&self, row: u32) -> Result<Option<u32>, ()> {
        let before = self.before.get(row as usize).copied().unwrap_or(NONE);
        if before != NONE && !self.state[before as usize].committed {
            return Ok(Some(before));
        }
        let versions = self.versions;
        for read in versions.reads_of(row) {
            let candidates = versions.candidates(read);
            if candidates.contains(&self.current[read.key as usize]) {
                continue;
            }
            let is_left = |source: &u32| *source != INITIAL && !self.state[*source as usize].committed;
            return candidates.iter().copied().find(is_left).map(Some).ok_or(());
        }
        let in_flight = versions.writes_of(row).iter().map(|&key| self.in_flight[key as usize]);
        Ok(in_flight.into_iter().find(|other| *other != NONE && *other != row))
    }

    /// A reader of what a transaction writes over that has not begun.
    fn has_yet_to_read(&mut self, row: u32, key: u32) -> Option<u32> {
        let slot = number(self.versions, self.current[key as usize], key);
        let (begin, mut end) = (self.first_reader[slot] as usize, self.first_reader[slot + 1] as usize);
        let mut at = begin + self.gone[slot] as usize;
        while at < end {
            let reader = self.readers[at];
            if self.state[reader as usize].begun {
                at += 1;
            } else if reader == row {
                // It may be its own last reader.
                end -= 1;
                self.readers.swap(at, end);
            } else {
                break;
            }
        }
        self.gone[slot] = (at - begin) as u32;
        (at < end).then(|| self.readers[at])
    }

    /// A writer of a key whose version had been seen, or written, before that of another was seen, or begun, last.
    fn is_due_before(&mut self, row: u32, key: u32) -> Option<u32> {
        let by_end = self.by_end.get(key as usize)?;
        let first = &mut self.gone_by_end[key as usize];
        while by_end.get(*first as usize).is_some_and(|&(_, row)| self.state[row as usize].committed) {
            *first += 1;
        }
        let last_seen = self.seen[self.versions.slot(row, key)?].1;
        let left = by_end[*first as usize..].iter().take_while(|(end, _)| *end < last_seen);
        left.map(|&(_, other)| other).find(|&other| other != row && !self.state[other as usize].committed)
    }

    fn go(&mut self, row: u32, goal: Goal) {
        let is_serial = self.kind == Kind::Serial;
        let is_commit = goal == Goal::Commit || is_serial;
        self.state[row as usize].begun = true;
        self.state[row as usize].committed |= is_commit;
        for &key in self.versions.writes_of(row) {
            if is_commit {
                self.current[key as usize] = row;
            }
            self.in_flight[key as usize] = if is_commit { NONE } else { row };
        }
    }
}

/// Of two whom somebody read from, both of which wrote a key that was read from the one: the one, and the other, which came before it.
fn forced(versions: &Versions) -> Vec<(u32, u32)> {
    let mut forced = Vec::new();
    for row in 0..versions.rows {
        let reads = versions.reads_of(row);
        let certain = |source: Option<u32>| source.filter(|source| *source != INITIAL);
        for seen in reads.iter().filter(|_| (2..=MANY).contains(&reads.len())) {
            let Some(other) = certain(versions.source(seen)) else { continue };
            for read in reads {
                let Some(source) = certain(versions.source(read)) else { continue };
                if source != other && versions.slot(other, read.key).is_some() {
                    forced.push((source, other));
                }
            }
        }
    }
    forced.sort_unstable();
    forced.dedup();
    forced
}

/// Transactions of more reads than this are not asked what they force.
const MANY: usize = 64;

/// So often what is known of the time of one transaction is handed on to others.
const ROUNDS: usize = 3;

/// The number of a version, those at first behind all others.
fn number(versions: &Versions, writer: u32, key: u32) -> usize {
    let written = if writer == INITIAL { None } else { versions.slot(writer, key) };
    written.unwrap_or(versions.slots() + key as usize)
}

/// By row: the transaction before it in its process that is known to have ended.
fn sessions(history: &History, happened: &[bool]) -> Vec<u32> {
    let mut before = vec![NONE; history.len()];
    let mut last: FxHashMap<u32, u32> = FxHashMap::default();
    for operation in history.operations().filter(|operation| happened[operation.id().row()]) {
        let row = operation.id().0;
        before[row as usize] = last.get(&operation.process()).copied().unwrap_or(NONE);
        if operation.outcome() == Outcome::Ok {
            last.insert(operation.process(), row);
        }
    }
    before
}
