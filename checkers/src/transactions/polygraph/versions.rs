//! Who wrote each key, and whose write each read may show: all that a level has to put into an order.
//!
//! ```text
//!   key x   writers   T1 T4 T7        (a list: T1 T4 in the order that reads show, T7 unread behind them)
//!   reads   T5 of x   T4              one source: what every history has whose writes differ
//!           T6 of x   T1, T7          values that repeat: it chooses one of them
//! ```
//!
//! Only what a transaction leaves behind, and what it reads from outside, counts. Of what ended `info` all is here that a read may show:
//! nothing comes after such a transaction but who reads from it, so that it can stand at the end of any order, where nobody notices it.

use crate::History;
use crate::transactions::list_append::rows_of_writes;
use crate::transactions::micro::{self, MicroOperations};
use crate::transactions::{NONE, Workload};

/// The version that was there before the first write.
pub(in crate::transactions) const INITIAL: u32 = NONE;

/// The versions of all keys, and the reads of all transactions.
#[derive(Clone, Debug, Default)]
pub(in crate::transactions) struct Versions {
    /// How many transactions there are.
    pub rows: u32,
    pub keys: Vec<Key>,
    reads: Vec<Read>,
    first_read: Vec<u32>,
    candidates: Vec<u32>,
    writes: Vec<u32>,
    first_write: Vec<u32>,
}

/// The writers of one key.
#[derive(Clone, Debug, Default)]
pub(in crate::transactions) struct Key {
    /// Rows, in the order of the history.
    pub writers: Vec<u32>,
    /// By writer, its place among those whose order is known; [`NONE`] behind all of them, in an order that is not known. Empty if no order is known.
    pub ranks: Vec<u32>,
}

/// A transaction reads a key from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transactions) struct Read {
    pub row: u32,
    pub key: u32,
    /// Whether several wrote what it shows, so that no dependency is known, even where only one of them can be its source.
    pub is_repeated: bool,
    begin: u32,
    end: u32,
}

/// The writers of a list, in the order that reads show; a transaction stands where its last append does.
pub(in crate::transactions) type KnownOrder = Vec<u32>;

impl Key {
    /// The place of a row among the writers.
    pub fn place(&self, row: u32) -> Option<usize> {
        self.writers.binary_search(&row).ok()
    }

    /// Whether one writer is known to come before another; nothing if their order is open.
    pub fn before(&self, one: usize, other: usize) -> Option<bool> {
        match (self.ranks.get(one)?, self.ranks.get(other)?) {
            (&NONE, &NONE) => None,
            (one, other) => Some(one < other),
        }
    }

    /// The writers whose order among each other is open.
    pub fn open(&self) -> Vec<u32> {
        (0..self.writers.len() as u32)
            .filter(|&at| self.ranks.get(at as usize).is_none_or(|rank| *rank == NONE))
            .collect()
    }
}

impl Versions {
    /// Those of a history in which every read from outside shows a write that was committed and final.
    pub fn of(
        history: &History,
        micro: &MicroOperations<'_>,
        workload: Workload,
        happened: &[bool],
        known: &[KnownOrder],
    ) -> Versions {
        let rows_of = rows_of_writes(micro);
        let rows = history.len() as u32;
        let mut all = Versions { rows, keys: vec![Key::default(); micro.key_bound()], ..Versions::default() };
        for row in 0..rows {
            all.first_read.push(all.reads.len() as u32);
            all.first_write.push(all.writes.len() as u32);
            if !happened[row as usize] {
                continue;
            }
            for at in micro.of(row) {
                let key = micro.key[at];
                if micro.kind[at] == micro::Kind::Write {
                    if micro.is_final(at as u32) {
                        all.keys[key as usize].writers.push(row);
                        all.writes.push(key);
                    }
                    continue;
                }
                if micro.previous[at] != NONE && !(micro.repeats() && is_read_again(micro, at)) {
                    continue;
                }
                let begin = all.candidates.len() as u32;
                let mut is_repeated = false;
                match workload {
                    Workload::RwRegister => {
                        let sources = micro.writers_of_repeated(key, micro.value[at]);
                        let unique = micro.writer(key, micro.value[at]);
                        let writes =
                            sources.unwrap_or(unique.as_slice()).iter().filter(|&&write| micro.is_final(write));
                        let others = writes.map(|&write| rows_of[write as usize]);
                        let others = others.filter(|&other| other != row && happened[other as usize]);
                        all.candidates.extend(others.chain((micro.value[at] == NIL).then_some(INITIAL)));
                        is_repeated = sources.is_some() || micro.value[at] == NIL && unique.is_some();
                    }
                    Workload::ListAppend => {
                        let last = micro.lists[micro.value[at] as usize].last();
                        let element = last.and_then(|last| micro.elements.find_item(last));
                        let writer = element.and_then(|element| micro.writer(key, element.0));
                        all.candidates.push(writer.map_or(INITIAL, |write| rows_of[write as usize]));
                    }
                }
                all.reads.push(Read { row, key, is_repeated, begin, end: all.candidates.len() as u32 });
            }
            let first = all.first_write[row as usize] as usize;
            all.writes[first..].sort_unstable();
        }
        all.first_read.push(all.reads.len() as u32);
        all.first_write.push(all.writes.len() as u32);
        // Of lists: a transaction that appended several times stands where it did last.
        for (key, known) in all.keys.iter_mut().zip(known) {
            let mut ranks = vec![NONE; key.writers.len()];
            for (rank, row) in (0..).zip(known) {
                if let Ok(place) = key.writers.binary_search(row) {
                    ranks[place] = rank;
                }
            }
            key.ranks = ranks;
        }
        all
    }

    /// All reads, by row.
    pub fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// The reads of a transaction.
    pub fn reads_of(&self, row: u32) -> &[Read] {
        &self.reads[self.first_read[row as usize] as usize..self.first_read[row as usize + 1] as usize]
    }

    /// The keys that a transaction leaves written, in order.
    pub fn writes_of(&self, row: u32) -> &[u32] {
        &self.writes[self.slots_of(row)]
    }

    /// The numbers of the versions that a transaction writes, among all versions that anybody writes.
    pub fn slots_of(&self, row: u32) -> std::ops::Range<usize> {
        self.first_write[row as usize] as usize..self.first_write[row as usize + 1] as usize
    }

    /// The number of the version of a key that a transaction writes.
    pub fn slot(&self, row: u32, key: u32) -> Option<usize> {
        let place = self.writes_of(row).binary_search(&key).ok()?;
        Some(self.first_write[row as usize] as usize + place)
    }

    /// How many versions there are that anybody wrote.
    pub fn slots(&self) -> usize {
        self.writes.len()
    }

    /// The place of the first read of a transaction among all.
    pub fn first_read_of(&self, row: u32) -> usize {
        self.first_read[row as usize] as usize
    }

    /// Whose write a read may show; [`INITIAL`] for nobody's.
    pub fn candidates(&self, read: &Read) -> &[u32] {
        &self.candidates[read.begin as usize..read.end as usize]
    }

    /// Whose write a read shows, if only one may be it.
    pub fn source(&self, read: &Read) -> Option<u32> {
        match self.candidates(read) {
            [only] => Some(*only),
            _ => None,
        }
    }

    /// The same with each read's source chosen, by its number.
    pub fn with_sources(&self, source: impl Fn(usize) -> u32) -> Versions {
        let candidates = (0..self.reads.len()).map(source).collect();
        let reads =
            (0..).zip(&self.reads).map(|(at, read)| Read { is_repeated: false, begin: at, end: at + 1, ..*read });
        Versions { candidates, reads: reads.collect(), ..self.clone() }
    }

    /// The same of some transactions alone. Reads of what others wrote are left out.
    pub fn restricted_to(&self, keeps: impl Fn(u32) -> bool) -> Versions {
        let mut less = Versions { rows: self.rows, keys: Vec::with_capacity(self.keys.len()), ..Versions::default() };
        for key in &self.keys {
            let kept: Vec<usize> = (0..key.writers.len()).filter(|&at| keeps(key.writers[at])).collect();
            let ranks = if key.ranks.is_empty() { Vec::new() } else { kept.iter().map(|&at| key.ranks[at]).collect() };
            less.keys.push(Key { writers: kept.iter().map(|&at| key.writers[at]).collect(), ranks });
        }
        for row in 0..self.rows {
            less.first_read.push(less.reads.len() as u32);
            less.first_write.push(less.writes.len() as u32);
            if !keeps(row) {
                continue;
            }
            less.writes.extend(self.writes_of(row));
            for read in self.reads_of(row) {
                let candidates = self.candidates(read);
                if candidates.iter().all(|&row| row == INITIAL || keeps(row)) {
                    let begin = less.candidates.len() as u32;
                    less.candidates.extend(candidates);
                    less.reads.push(Read { begin, end: less.candidates.len() as u32, ..*read });
                }
            }
        }
        less.first_read.push(less.reads.len() as u32);
        less.first_write.push(less.writes.len() as u32);
        less
    }
}

impl Versions {
    /// The same with the place of each of these rows, which are sorted and hold all that is there, as its number.
    pub fn renumbered(&self, rows: &[u32]) -> Versions {
        let place = |row: u32| rows.binary_search(&row).map_or(INITIAL, |place| place as u32);
        let mut all = Versions { rows: rows.len() as u32, ..Versions::default() };
        for key in &self.keys {
            let writers = key.writers.iter().map(|&row| place(row)).collect();
            all.keys.push(Key { writers, ranks: key.ranks.clone() });
        }
        for &row in rows {
            all.first_read.push(all.reads.len() as u32);
            all.first_write.push(all.writes.len() as u32);
            all.writes.extend(self.writes_of(row));
            for read in self.reads_of(row) {
                let begin = all.candidates.len() as u32;
                all.candidates.extend(self.candidates(read).iter().map(|&source| place(source)));
                all.reads.push(Read { row: place(row), begin, end: all.candidates.len() as u32, ..*read });
            }
        }
        all.first_read.push(all.reads.len() as u32);
        all.first_write.push(all.writes.len() as u32);
        all
    }
}

/// Whether a read shows from outside what its transaction had read of the key before: where values repeat, perhaps from somebody else.
fn is_read_again(micro: &MicroOperations<'_>, at: usize) -> bool {
    let (mut before, value) = (micro.previous[at], micro.value[at]);
    while before != NONE {
        if micro.kind[before as usize] == micro::Kind::Write || micro.value[before as usize] != value {
            return false;
        }
        before = micro.previous[before as usize];
    }
    true
}

/// The id of nil among the elements.
const NIL: u32 = 0;
