//! From a history to what was **read of whom**: which write each read shows, and what is broken already by that.
//!
//! ```text
//!   read, write, cas, txn ──accesses──► who wrote what ──► each read: the initial value, one writer,
//!                                                          nobody (ThinAirRead), one that failed (aborted-read, G1a),
//!                                                          a write that its transaction wrote over (G1b),
//!                                                          several: a choice (`choices.rs`)
//! ```
//!
//! `fail` operations did not happen. `info` ones did if something read what they wrote (`happened.rs`); what they read is unknown, but a
//! `cas` that happened saw the value that it expected. Reads of a transaction's own writes must show the last of them (internal).
//! *Cost:* linear.

use rustc_hash::FxHashMap;

use super::accesses::{Access, Accesses, Kind};
use super::happened::{Choice, Happening, Reads};
use super::limits::{Limits, Over};
use super::sessions::{NONE, Read};
use super::writers::{Writers, Written};
use crate::History;
use crate::history::{Operation, OperationId, Outcome, Value};
use crate::model::DoesNotFit;
use crate::verdict::Anomaly;

/// A history as the methods see it.
pub(super) struct Compiled {
    pub happening: Happening,
    /// Reads that no order can explain.
    pub direct: Vec<Anomaly>,
    /// The keys by their names in [`Sessions::key_name`](super::sessions::Sessions::key_name).
    pub keys: Vec<Option<Value>>,
}

/// So many anomalies of reads are told.
const TOLD: usize = 16;

pub(super) fn compile(
    history: &History,
    initial: &Value,
    limits: &Limits,
) -> Result<Result<Compiled, Over>, DoesNotFit> {
    let accesses = match Accesses::of(history, limits)? {
        Ok(accesses) => accesses,
        Err(over) => return Ok(Err(over)),
    };
    let initial = accesses.id_of(history, initial);
    let writers = Writers::of(history, &accesses, initial);
    let reading = Reading { history, initial, accesses: &accesses, writers: &writers };
    let read = match reading.compile(limits) {
        Ok(read) => read,
        Err(over) => return Ok(Err(over)),
    };
    drop(writers);
    let (reads, direct) = read;
    let keys = accesses.keys.clone();
    Ok(Ok(Compiled { happening: Happening::of(history, accesses, reads), direct, keys }))
}

/// What a read turned out to show.
enum Shown {
    Row(u32),
    Initial,
    /// One of those who wrote the value, or what was there at first.
    Several,
    /// Nothing that can be judged.
    Nothing,
}

struct Reading<'a> {
    history: &'a History,
    initial: u32,
    accesses: &'a Accesses,
    writers: &'a Writers,
}

impl Reading<'_> {
    fn compile(&self, limits: &Limits) -> Result<(Reads, Vec<Anomaly>), Over> {
        let (history, accesses) = (self.history, self.accesses);
        let mut direct = Vec::new();
        let mut reads = Reads { starts: vec![0], ..Reads::default() };
        let mut list_of: FxHashMap<(u32, u32), u32> = FxHashMap::default();
        let mut pace = limits.begin("asking which write each read shows", history.len());
        for operation in history.operations() {
            pace.step()?;
            let row = operation.id().0;
            let is_known = match operation.outcome() {
                Outcome::Ok => true,
                Outcome::Info => operation.function() == "cas" && !self.writers.is_impossible(row),
                Outcome::Fail => false,
            };
            for access in accesses.row(row).iter().filter(|_| is_known) {
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
                let source = match self.shown(operation, *access, &mut direct) {
                    Shown::Row(source) => source,
                    Shown::Initial => NONE,
                    Shown::Nothing => continue,
                    Shown::Several => {
                        let list = *list_of.entry((access.key, access.value)).or_insert_with(|| {
                            reads.lists.push(self.candidates(*access));
                            reads.lists.len() as u32 - 1
                        });
                        let own = Writers::moment(history, row);
                        let below = |&writer: &u32| Writers::moment(history, writer) < own;
                        let choice = Choice {
                            read: reads.all.len() as u32,
                            row,
                            list,
                            nearest: reads.lists[list as usize].partition_point(below) as u32,
                            or_initial: access.value == self.initial,
                        };
                        let first = choice.candidates(&reads.lists).next().unwrap_or(NONE);
                        reads.choices.push(choice);
                        first
                    }
                };
                reads.all.push(Read { key: access.key, source });
            }
            reads.starts.push(reads.all.len() as u32);
        }
        Ok((reads, direct))
    }

    /// All that may have left in a key what was read, in the order of time.
    fn candidates(&self, access: Access) -> Vec<u32> {
        let mut rows: Vec<u32> = match self.writers.of_value(access.key, access.value) {
            Some(written) if written.repeated => self.writers.all_of(access.key, access.value).to_vec(),
            written => written.map(|written| written.row).into_iter().collect(),
        };
        rows.retain(|&row| !self.writers.is_impossible(row));
        rows.sort_by_key(|&row| Writers::moment(self.history, row));
        rows
    }

    /// How many others may have left in a key what an operation read, and one of them.
    fn count(&self, written: Written, operation: Operation<'_>, access: Access) -> (usize, u32) {
        let counts = |row: u32| row != operation.id().0 && !self.writers.is_impossible(row);
        if !written.repeated {
            return (usize::from(counts(written.row)), written.row);
        }
        let mut all = self.writers.all_of(access.key, access.value).iter().copied().filter(|&row| counts(row));
        match all.next() {
            None => (0, written.row),
            Some(one) => (1 + usize::from(all.next().is_some()), one),
        }
    }

    fn shown(&self, operation: Operation<'_>, access: Access, direct: &mut Vec<Anomaly>) -> Shown {
        let written = self.writers.of_value(access.key, access.value);
        let index = |row: u32| self.history.operation(OperationId(row)).index();
        let told = || self.told(operation, access);
        let mut tell = |name, writers: &[u32], what: &str| {
            if direct.len() < TOLD {
                let sources = writers.iter().copied().map(OperationId).collect();
                let sentence = format!("{}, {what}", told());
                direct.push(Anomaly { name, proof: vec![operation.id()], sources, sentence, ..Anomaly::default() });
            }
            Shown::Nothing
        };
        let aborted = if self.accesses.transactions { "G1a" } else { "aborted-read" };
        let may_be_initial = access.value == self.initial;
        let Some(written) = written.filter(|written| !may_be_initial || !(written.failed || written.momentary)) else {
            if may_be_initial {
                return Shown::Initial;
            }
            if access.value == self.accesses.nil {
                // Registers held something at first, and nobody wrote nil: what was read was not recorded.
                return Shown::Nothing;
            }
            return tell("ThinAirRead", &[], "which nobody wrote");
        };
        if written.failed {
            let what = format!("which only operation {} tried to write, and that failed", index(written.row));
            return tell(aborted, &[written.row], &what);
        }
        let (count, one) = self.count(written, operation, access);
        if count > 1 || count == 1 && may_be_initial {
            return Shown::Several;
        }
        if may_be_initial {
            return Shown::Initial;
        }
        if count == 0 && (written.repeated || self.writers.is_impossible(written.row)) {
            return self.ruled_out(operation, access, direct);
        }
        if count == 0 {
            if direct.len() < TOLD {
                direct.push(self.internal(operation, access, "which it wrote itself, but only later"));
            }
            return Shown::Nothing;
        }
        if written.momentary {
            let what =
                format!("which operation {} wrote only for the moment: it wrote over it itself", index(written.row));
            return tell("G1b", &[written.row], &what);
        }
        Shown::Row(one)
    }

    /// A value that only `cas` of unknown outcome may have written, none of which can have seen what it expected.
    fn ruled_out(&self, operation: Operation<'_>, access: Access, direct: &mut Vec<Anomaly>) -> Shown {
        if direct.len() >= TOLD {
            return Shown::Nothing;
        }
        let index = |row: u32| self.history.operation(OperationId(row)).index();
        let (mut proof, mut why) = (vec![operation.id()], Vec::new());
        let mut open = vec![(access.key, access.value)];
        let mut known = open.clone();
        while let Some((key, value)) = open.pop() {
            let all = self.writers.all_of(key, value);
            let one = self.writers.of_value(key, value).map(|written| written.row);
            let rows: Vec<u32> = if all.is_empty() { one.into_iter().collect() } else { all.to_vec() };
            for row in rows.into_iter().filter(|&row| self.writers.is_impossible(row)) {
                proof.push(OperationId(row));
                let Some(read) = self.accesses.row(row).iter().find(|access| access.kind == Kind::Read) else {
                    continue;
                };
                let expected = self.accesses.value(self.history, read.value);
                let wrote = self.accesses.value(self.history, value);
                let how = match self.writers.of_value(read.key, read.value) {
                    None => "which nobody wrote".to_owned(),
                    Some(by) if by.failed => {
                        format!("which only operation {} tried to write, and that failed", index(by.row))
                    }
                    Some(by) => format!("which only such operations as {} may have written", index(by.row)),
                };
                why.push(format!(
                    "operation {}, whose outcome is unknown, can have written {wrote} only if it had seen {expected}, {how}",
                    index(row)
                ));
                if !known.contains(&(read.key, read.value)) {
                    known.push((read.key, read.value));
                    open.push((read.key, read.value));
                }
            }
        }
        proof.sort_unstable();
        proof.dedup();
        let sentence = format!(
            "{}, which nobody can have written: {}",
            self.told(operation, access),
            why.first().map_or("", |why| why)
        );
        direct.push(Anomaly { name: "ThinAirRead", proof, sentence, why, ..Anomaly::default() });
        Shown::Nothing
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
}
