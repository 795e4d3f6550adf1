//! **Atomic visibility**: who sees one write of a transaction sees the others too.
//!
//! ```text
//!   T2: w x 1, w y 1        T: r x → 1, r y → 0     T saw T2, and yet reads y from T1: then T2 came before T1.
//!   T1: w y 0                                       If T1 must also come before T2, T saw a half of T2: fractured-read.
//! ```
//!
//! *Method:* of each transaction T that reads something from T2, and y from T1, where T2 wrote y too: T2 before T1. If T1 is the beginning, nothing
//! can come before it. Otherwise the dependencies and these edges must have no cycle. If only what T read *after* it saw T2 counts, a
//! cycle is a `non-monotonic-read`, and breaks monotonic atomic view already. Complete as far as the order of versions is known: any
//! order that holds these edges is one of read atomic.
//!
//! *Source:* Biswas & Enea (OOPSLA 2019), read committed and read atomic, without the order of sessions, as Bailis et al. (VLDB 2014)
//! define the latter. *Cost:* for each transaction and each one that it read from, the writes of the latter or the reads of the former,
//! whichever are fewer.

use rustc_hash::FxHashSet;

use crate::History;
use crate::levels::weakest_ruled_out;
use crate::verdict::Anomaly;

use super::allowance::{Allowance, Late};
use super::cycles::{self, Cycle};
use super::dependencies::{Dependency, Kind};
use super::explain::Teller;
use super::list_append::{index, rows_of_writes};
use super::micro::{self, MicroOperations};
use super::{Found, NONE, Workload};

/// Whose write a read from outside shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Beginning,
    /// That of this row.
    Row(u32),
    /// Nobody's for certain.
    Unknown,
}

pub(super) fn find(
    history: &History,
    micro: &MicroOperations<'_>,
    dependencies: &[Dependency],
    teller: &Teller<'_, '_>,
    allowance: &mut Allowance,
) -> Vec<Anomaly> {
    let weakest = weakest_ruled_out("non-monotonic-read");
    if !allowance.may_begin("the search for fractured reads", 40 * micro.kind.len(), weakest) {
        return Vec::new();
    }
    let mut reads = Reads {
        history,
        micro,
        workload: teller.workload,
        rows: rows_of_writes(micro),
        is_outer: vec![false; micro.kind.len()],
        read_by: vec![(NONE, 0, Source::Unknown); micro.key_bound()],
        looked_at: vec![NONE; history.len()],
        writes_of_large: FxHashSet::default(),
        found: Found::default(),
        ordered: Vec::new(),
        other: Vec::new(),
    };
    let is_whole = reads.all(allowance).is_ok();
    let (mut ordered, mut other) = (std::mem::take(&mut reads.ordered), std::mem::take(&mut reads.other));
    let mut anomalies = std::mem::take(&mut reads.found.0);
    if !is_whole {
        allowance.skip(weakest, "time ran out in the search for fractured reads".to_owned());
        return anomalies;
    }
    if ordered.is_empty() && other.is_empty() {
        return anomalies;
    }
    // Sessions and real time have no part in this; nor have reads that were overwritten.
    let is_version = |edge: &&Dependency| matches!(edge.kind, Kind::WriteRead | Kind::WriteWrite);
    let versions: Vec<Dependency> = dependencies.iter().filter(is_version).copied().collect();
    let monotonic = cycles::seen("non-monotonic-read", history.len(), &versions, &ordered, allowance);
    let is_monotonic = monotonic.is_none();
    let told = |cycle: Cycle| teller.cycle_seen(&cycle, |step| reads.reader_of(step));
    anomalies.extend(monotonic.map(told));
    if is_monotonic && !other.is_empty() {
        ordered.append(&mut other);
        let fractured = cycles::seen("fractured-read", history.len(), &versions, &ordered, allowance);
        anomalies.extend(fractured.map(told));
    }
    anomalies
}

/// Of so many reads of one key by one transaction each is compared: of more only the last ones, which keeps a transaction that reads a key
/// thousands of times, and is shown something else each time, from costing the square of that.
const READS_OF_A_KEY: usize = 16;

/// Transactions of more writes than this are looked up in, not gone through.
const LARGE: usize = 16;

struct Reads<'a, 'h> {
    history: &'h History,
    micro: &'a MicroOperations<'h>,
    workload: Workload,
    rows: Vec<u32>,
    /// By micro-operation: whether it reads what its transaction has not written.
    is_outer: Vec<bool>,
    /// By key: who read it last, at which micro-operation, from whom.
    read_by: Vec<(u32, usize, Source)>,
    /// By row: for whom it was looked at.
    looked_at: Vec<u32>,
    /// The row and the key of each last write to a key, of large transactions.
    writes_of_large: FxHashSet<(u32, u32)>,
    found: Found,
    /// What came before what, by reads in their order, and by others.
    ordered: Vec<Dependency>,
    other: Vec<Dependency>,
}

impl Reads<'_, '_> {
    fn all(&mut self, allowance: &Allowance) -> Result<(), Late> {
        let micro = self.micro;
        for row in (0..micro.rows()).filter(|&row| micro.of(row).len() > LARGE) {
            let last = micro.of(row).filter(|&at| micro.is_final(at as u32));
            self.writes_of_large.extend(last.map(|at| (row, micro.key[at])));
        }
        let mut outer: Vec<usize> = Vec::new();
        for row in 0..micro.rows() {
            allowance.go_on(row as usize)?;
            outer.clear();
            for at in micro.of(row).filter(|&at| micro.kind[at] == micro::Kind::Read) {
                let before = micro.previous[at];
                self.is_outer[at] = before == NONE || self.is_outer[before as usize];
                if self.is_outer[at] {
                    outer.push(at);
                }
            }
            if outer.len() < 2 {
                continue;
            }
            for &at in &outer {
                self.read_by[micro.key[at] as usize] = (row, at, self.source(at));
            }
            for &seen in &outer {
                let Source::Row(writer) = self.source(seen) else { continue };
                if writer == row || self.looked_at[writer as usize] == row {
                    continue;
                }
                self.looked_at[writer as usize] = row;
                let writes = micro.of(writer);
                if writes.len() <= LARGE.max(outer.len()) {
                    for write in writes.filter(|&at| micro.is_final(at as u32)) {
                        self.compare(row, seen, writer, micro.key[write]);
                    }
                } else {
                    for &at in &outer {
                        if self.writes_of_large.contains(&(writer, micro.key[at])) {
                            self.compare(row, seen, writer, micro.key[at]);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Who saw the one transaction, and read the key from the other one.
    fn reader_of(&self, step: &Dependency) -> u32 {
        if step.kind != Kind::Seen {
            return NONE;
        }
        let shows = |at: usize, writer: u32| self.is_outer[at] && self.source(at) == Source::Row(writer);
        let is_it = |&row: &u32| {
            let reads = || self.micro.of(row);
            reads().any(|at| self.micro.key[at] == step.key && shows(at, step.to))
                && reads().any(|at| shows(at, step.from))
        };
        (0..self.micro.rows()).find(is_it).unwrap_or(NONE)
    }

    fn source(&self, at: usize) -> Source {
        let (micro, key) = (self.micro, self.micro.key[at]);
        let writer = |element| micro.writer(key, element).map(|write| self.rows[write as usize]);
        match self.workload {
            Workload::RwRegister if micro.is_repeated(key, micro.value[at]) => Source::Unknown,
            Workload::RwRegister => match (micro.value[at], writer(micro.value[at])) {
                (0, None) => Source::Beginning,
                (0, Some(_)) | (_, None) => Source::Unknown,
                (_, Some(row)) => Source::Row(row),
            },
            Workload::ListAppend => match micro.lists[micro.value[at] as usize].last() {
                None => Source::Beginning,
                Some(last) => micro
                    .elements
                    .find_item(last)
                    .and_then(|element| writer(element.0))
                    .map_or(Source::Unknown, Source::Row),
            },
        }
    }

    /// What follows from a transaction having seen another one, which wrote this key too.
    fn compare(&mut self, row: u32, seen: usize, writer: u32, key: u32) {
        let (reader, mut at, mut from) = self.read_by[key as usize];
        if reader != row {
            return;
        }
        // Whoever reads a key several times may be shown something else each time.
        for _ in 0..READS_OF_A_KEY {
            self.compare_read(row, seen, writer, at, from);
            let before = self.micro.previous[at];
            if before == NONE || !self.is_outer[before as usize] {
                return;
            }
            at = before as usize;
            from = self.source(at);
        }
    }

    fn compare_read(&mut self, row: u32, seen: usize, writer: u32, at: usize, from: Source) {
        let key = self.micro.key[at];
        match from {
            Source::Unknown => {}
            Source::Beginning => {
                let name = if at > seen { "non-monotonic-read" } else { "fractured-read" };
                self.found.add(name, &[row, writer], || {
                    let (one, two) = (index(self.history, row), index(self.history, writer));
                    let key = self.micro.key_value(key);
                    format!("transaction #{one} saw a write of #{two}, and yet read key {key}, which #{two} wrote too, as it was at the beginning")
                });
            }
            Source::Row(from) if from == writer || from == row => {}
            Source::Row(from) => {
                let edge = Dependency { from: writer, to: from, kind: Kind::Seen, key };
                if at > seen { self.ordered.push(edge) } else { self.other.push(edge) }
            }
        }
    }
}
