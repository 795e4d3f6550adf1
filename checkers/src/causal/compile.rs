//! From a history to [`Sessions`]: which write each read shows, and what is broken already by that.
//!
//! ```text
//!   read, write, cas, txn ──accesses──► who wrote what ──► each read: the initial value, one writer,
//!                                                          nobody (ThinAirRead), one that failed (aborted-read, G1a),
//!                                                          a write that its transaction wrote over (G1b), several: not judged
//! ```
//!
//! `fail` operations did not happen. `info` ones did if something read what they wrote; what they read is unknown, and nothing is after
//! them only because their process went on. Reads of a transaction's own writes must show the last of them (internal). *Cost:* linear.

use rustc_hash::{FxHashMap, FxHashSet};

use super::accesses::{Access, Accesses, Kind};
use super::limits::{Limits, Over};
use super::sessions::{Draft, NONE, Node, Read, Sessions};
use crate::History;
use crate::history::{Operation, OperationId, Outcome, Value};
use crate::model::DoesNotFit;
use crate::verdict::Anomaly;

/// A history as the methods see it.
pub(super) struct Compiled {
    pub sessions: Sessions,
    /// Reads that no order can explain.
    pub direct: Vec<Anomaly>,
    /// Why some reads were not judged.
    pub ambiguous: Option<String>,
    /// The keys by their names in [`Sessions::key_name`].
    pub keys: Vec<Option<Value>>,
}

/// So many anomalies of reads are told.
const TOLD: usize = 16;

/// Who wrote a value to a key: rows of the history.
#[derive(Clone, Copy)]
struct Written {
    row: u32,
    failed: bool,
    /// Whether it wrote over it itself.
    momentary: bool,
    /// Another row that may have written the same.
    twice: u32,
}

pub(super) fn compile(
    history: &History,
    initial: &Value,
    limits: &Limits,
) -> Result<Result<Compiled, Over>, DoesNotFit> {
    let accesses = match Accesses::of(history, limits)? {
        Ok(accesses) => accesses,
        Err(over) => return Ok(Err(over)),
    };
    let writers = Writers::of(history, &accesses);
    let reading = Reading { history, initial, accesses: &accesses, writers: &writers };
    Ok(reading.compile(limits))
}

/// Who wrote each value. Most values are written to one key: those are found by their id alone.
struct Writers {
    first: Vec<(u32, Written)>,
    others: FxHashMap<(u32, u32), Written>,
}

impl Writers {
    fn of(history: &History, accesses: &Accesses) -> Writers {
        let nobody = (NONE, Written { row: NONE, failed: true, momentary: false, twice: NONE });
        let mut writers = Writers { first: vec![nobody; accesses.values], others: FxHashMap::default() };
        for operation in history.operations() {
            let row = operation.id().0;
            let failed = operation.outcome() == Outcome::Fail;
            for access in accesses.row(row).iter() {
                let momentary = match access.kind {
                    Kind::Write => false,
                    Kind::Momentary => true,
                    _ => continue,
                };
                let fresh = Written { row, failed, momentary, twice: NONE };
                let first = &mut writers.first[access.value as usize];
                if first.0 == NONE {
                    *first = (access.key, fresh);
                    continue;
                }
                let known = if first.0 == access.key {
                    &mut first.1
                } else {
                    writers.others.entry((access.key, access.value)).or_insert(fresh)
                };
                if known.row == row {
                    known.momentary &= momentary;
                } else if known.failed && !failed {
                    *known = fresh;
                } else if !failed && known.twice == NONE {
                    known.twice = row;
                }
            }
        }
        writers
    }

    fn of_value(&self, key: u32, value: u32) -> Option<Written> {
        let (first, written) = self.first[value as usize];
        if first == key { Some(written) } else { self.others.get(&(key, value)).copied() }
    }
}

/// What a read turned out to show.
enum Shown {
    Row(u32),
    Initial,
    /// Nothing that can be judged.
    Nothing,
}

struct Reading<'a> {
    history: &'a History,
    initial: &'a Value,
    accesses: &'a Accesses,
    writers: &'a Writers,
}

impl Reading<'_> {
    fn compile(&self, limits: &Limits) -> Result<Compiled, Over> {
        let (history, accesses) = (self.history, self.accesses);
        let initial = accesses.id_of(history, self.initial);
        let mut direct = Vec::new();
        let mut ambiguous = None;
        // The reads of each row: the key, and the row that wrote, or NONE.
        let mut reads: Vec<Read> = Vec::new();
        let mut starts = vec![0_u32];
        let mut happened: Vec<bool> = history.operations().map(|o| o.outcome() == Outcome::Ok).collect();
        let updated = self.updated(initial);
        let mut pace = limits.begin("asking which write each read shows", history.len());
        for operation in history.operations() {
            pace.step()?;
            for access in accesses.row(operation.id().0) {
                if operation.outcome() != Outcome::Ok && !updated.contains(&operation.id().0) {
                    break;
                }
                match access.kind {
                    Kind::Write | Kind::Momentary => continue,
                    Kind::Own { value } => {
                        if value != access.value && direct.len() < TOLD {
                            let what = "which is not what it had written last itself";
                            direct.push(self.internal(operation, *access, what));
                        }
                        continue;
                    }
                    Kind::Read => {}
                }
                match self.shown(operation, *access, initial, &mut direct, &mut ambiguous) {
                    Shown::Row(source) => {
                        happened[source as usize] = true;
                        reads.push(Read { key: access.key, source });
                    }
                    Shown::Initial => reads.push(Read { key: access.key, source: NONE }),
                    Shown::Nothing => {}
                }
            }
            starts.push(reads.len() as u32);
        }
        let sessions = self.sessions(&happened, reads, &starts);
        Ok(Compiled { sessions, direct, ambiguous, keys: accesses.keys.clone() })
    }

    /// Rows of `cas` of unknown outcome that somebody read from: they happened, and so had read what they expected.
    fn updated(&self, initial: u32) -> FxHashSet<u32> {
        let history = self.history;
        let is_open = |row: u32| {
            let operation = history.operation(OperationId(row));
            operation.outcome() == Outcome::Info && operation.function() == "cas"
        };
        let mut updated = FxHashSet::default();
        if !history.operations().any(|operation| is_open(operation.id().0)) {
            return updated;
        }
        let mut left: Vec<u32> =
            history.operations().filter(|o| o.outcome() == Outcome::Ok).map(|operation| operation.id().0).collect();
        while let Some(row) = left.pop() {
            for access in self.accesses.row(row).iter().filter(|access| access.kind == Kind::Read) {
                let shown =
                    self.shown(history.operation(OperationId(row)), *access, initial, &mut Vec::new(), &mut None);
                if let Shown::Row(source) = shown
                    && is_open(source)
                    && updated.insert(source)
                {
                    left.push(source);
                }
            }
        }
        updated
    }

    fn shown(
        &self,
        operation: Operation<'_>,
        access: Access,
        initial: u32,
        direct: &mut Vec<Anomaly>,
        ambiguous: &mut Option<String>,
    ) -> Shown {
        let written = self.writers.of_value(access.key, access.value).filter(|written| written.row != NONE);
        let index = |row: u32| self.history.operation(OperationId(row)).index();
        let told = || self.told(operation, access);
        let mut tell = |name, writer: Option<u32>, what: &str| {
            if direct.len() < TOLD {
                let sources = writer.map(OperationId).into_iter().collect();
                let sentence = format!("{}, {what}", told());
                direct.push(Anomaly { name, proof: vec![operation.id()], sources, sentence, ..Anomaly::default() });
            }
            Shown::Nothing
        };
        let Some(written) = written.filter(|written| access.value != initial || !written.failed) else {
            if access.value == initial {
                return Shown::Initial;
            }
            if access.value == self.accesses.nil {
                // Registers held something at first, and nobody wrote nil: what was read was not recorded.
                return Shown::Nothing;
            }
            let failed = written.map(|written| written.row);
            let name = if self.accesses.transactions { "G1a" } else { "aborted-read" };
            return match failed {
                Some(row) => {
                    tell(name, failed, &format!("which only operation {} tried to write, and that failed", index(row)))
                }
                None => tell("ThinAirRead", None, "which nobody wrote"),
            };
        };
        if written.failed {
            let name = if self.accesses.transactions { "G1a" } else { "aborted-read" };
            let what = format!("which only operation {} tried to write, and that failed", index(written.row));
            return tell(name, Some(written.row), &what);
        }
        if written.twice != NONE || access.value == initial {
            ambiguous.get_or_insert_with(|| {
                let one = index(written.row);
                let other = match written.twice {
                    NONE => "it is the initial value too".to_owned(),
                    row => format!("operation {} too", index(row)),
                };
                format!("{}, which operation {one} wrote, and {other}: which of them it read, nobody knows", told())
            });
            return Shown::Nothing;
        }
        if written.row == operation.id().0 {
            if direct.len() < TOLD {
                direct.push(self.internal(operation, access, "which it wrote itself, but only later"));
            }
            return Shown::Nothing;
        }
        if written.momentary {
            let what =
                format!("which operation {} wrote only for the moment: it wrote over it itself", index(written.row));
            return tell("G1b", Some(written.row), &what);
        }
        Shown::Row(written.row)
    }

    fn told(&self, operation: Operation<'_>, access: Access) -> String {
        let value = self.accesses.value(self.history, access.value);
        let place = self.accesses.keys[access.key as usize].as_ref().map(|key| format!(" from key {key}"));
        let place = place.unwrap_or_default();
        format!("process {} read {value}{place} in operation {}", operation.process(), operation.index())
    }

    fn internal(&self, operation: Operation<'_>, access: Access, what: &str) -> Anomaly {
        let sentence = format!("{}, {what}", self.told(operation, access));
        Anomaly { name: "internal", proof: vec![operation.id()], sentence, ..Anomaly::default() }
    }

    /// Gives rows their nodes, session by session.
    fn sessions(&self, happened: &[bool], mut reads: Vec<Read>, starts: &[u32]) -> Sessions {
        let history = self.history;
        // Nothing comes after an operation of unknown outcome, another such one no more than any other.
        let mut last_known: FxHashMap<u32, u32> = FxHashMap::default();
        for operation in history.operations().filter(|operation| happened[operation.id().row()]) {
            last_known.insert(operation.process(), operation.id().0);
        }
        let mut rows: Vec<Vec<u32>> = Vec::new();
        let mut forks: Vec<u32> = Vec::new();
        let mut session_of: FxHashMap<u32, usize> = FxHashMap::default();
        for operation in history.operations().filter(|operation| happened[operation.id().row()]) {
            let row = operation.id().0;
            let goes_on = last_known.get(&operation.process()).is_some_and(|&last| last > row);
            if operation.outcome() == Outcome::Info && goes_on {
                let before = session_of.get(&operation.process()).and_then(|&session| rows[session].last());
                forks.push(before.copied().unwrap_or(NONE));
                rows.push(vec![row]);
                continue;
            }
            let session = *session_of.entry(operation.process()).or_insert_with(|| {
                rows.push(Vec::new());
                forks.push(NONE);
                rows.len() - 1
            });
            rows[session].push(row);
        }
        let mut node_of = vec![NONE; history.len()];
        let mut firsts: Vec<Node> = vec![0];
        let mut next = 0;
        for session in &rows {
            for &row in session {
                node_of[row as usize] = next;
                next += 1;
            }
            firsts.push(next);
        }
        let node = |row: u32| if row == NONE { NONE } else { node_of[row as usize] };
        reads.iter_mut().for_each(|read| read.source = node(read.source));
        let forks = forks.into_iter().map(node).collect();
        let mut written: Vec<u32> = Vec::new();
        let mut write_starts = vec![0_u32];
        for row in 0..history.len() as u32 {
            let from = written.len();
            written.extend(self.accesses.row(row).iter().filter(|access| access.kind == Kind::Write).map(|a| a.key));
            written[from..].sort_unstable();
            write_starts.push(written.len() as u32);
        }
        let drafts = rows.iter().flatten().map(|&row| {
            let row_of = |starts: &[u32]| starts[row as usize] as usize..starts[row as usize + 1] as usize;
            Draft {
                operation: OperationId(row),
                begun: history.operation(OperationId(row)).invoked(),
                ended: history.operation(OperationId(row)).completed(),
                reads: &reads[row_of(starts)],
                writes: &written[row_of(&write_starts)],
            }
        });
        Sessions::build(drafts, firsts, forks, (0..self.accesses.keys.len() as u32).collect())
    }
}
