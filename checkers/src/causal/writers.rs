//! **Who wrote each value**, and whom a read of it may have seen.
//!
//! ```text
//!   x := 1 (ok)   x := 1 (ok)   x → 1         two candidates
//!   x := 1 (fail)               x → 1         nobody who counts: aborted-read
//!   cas x [0 2] (info)          x → 2         the cas, if somebody may have written 0; else nobody
//! ```
//!
//! An operation that failed wrote nothing. One of unknown outcome may have; but a `cas` among those only if what it expected may have
//! been there: a `cas` whose expected value nobody can have written did not happen, and what only it would have written nobody wrote.
//!
//! *Cost:* linear.

use rustc_hash::{FxHashMap, FxHashSet};

use super::accesses::{Accesses, Kind};
use super::sessions::NONE;
use crate::History;
use crate::history::{OperationId, Outcome};

/// Who wrote a value to a key: a row of the history.
#[derive(Clone, Copy)]
pub(super) struct Written {
    pub row: u32,
    pub failed: bool,
    /// Whether it wrote over it itself.
    pub momentary: bool,
    /// Whether others may have written the same: all are among [`Writers::all_of`].
    pub repeated: bool,
}

/// Who wrote each value. Most values are written to one key: those are found by their id alone.
pub(super) struct Writers {
    first: Vec<(u32, Written)>,
    others: FxHashMap<(u32, u32), Written>,
    /// Of each value that several may have left in a key: those rows.
    repeated: FxHashMap<(u32, u32), Vec<u32>>,
    /// The `cas` of unknown outcome that cannot have happened.
    impossible: FxHashSet<u32>,
}

impl Writers {
    pub fn of(history: &History, accesses: &Accesses, initial: u32) -> Writers {
        let nobody = (NONE, Written { row: NONE, failed: true, momentary: false, repeated: false });
        let mut writers = Writers {
            first: vec![nobody; accesses.values],
            others: FxHashMap::default(),
            repeated: FxHashMap::default(),
            impossible: FxHashSet::default(),
        };
        let mut uncertain = Vec::new();
        for operation in history.operations() {
            let row = operation.id().0;
            let failed = operation.outcome() == Outcome::Fail;
            if operation.outcome() == Outcome::Info && operation.function() == "cas" {
                uncertain.push(row);
            }
            for access in accesses.row(row) {
                let momentary = match access.kind {
                    Kind::Write => false,
                    Kind::Momentary => true,
                    Kind::Read | Kind::Own { .. } => continue,
                };
                let fresh = Written { row, failed, momentary, repeated: false };
                writers.note((access.key, access.value), fresh);
            }
        }
        if !uncertain.is_empty() {
            writers.rule_out(accesses, &uncertain, initial);
        }
        writers
    }

    fn note(&mut self, (key, value): (u32, u32), fresh: Written) {
        let first = &mut self.first[value as usize];
        if first.0 == NONE {
            *first = (key, fresh);
            return;
        }
        let known = if first.0 == key { &mut first.1 } else { self.others.entry((key, value)).or_insert(fresh) };
        if known.row == fresh.row {
            known.momentary &= fresh.momentary;
            return;
        }
        // Who leaves a value in the key comes before who wrote over it itself, and anybody before who failed.
        let rank = |written: &Written| (written.failed, written.momentary);
        match (rank(known), rank(&fresh)) {
            ((false, false), (false, false)) => {
                let all = self.repeated.entry((key, value)).or_insert_with(|| vec![known.row]);
                if all.last() != Some(&fresh.row) {
                    all.push(fresh.row);
                }
                known.repeated = true;
            }
            (old, new) if new < old => *known = fresh,
            _ => {}
        }
    }

    /// Finds out which `cas` of unknown outcome cannot have seen what they expected.
    fn rule_out(&mut self, accesses: &Accesses, uncertain: &[u32], initial: u32) {
        let expected = |row: u32| accesses.row(row).iter().find(|access| access.kind == Kind::Read);
        let mut waiting: FxHashMap<(u32, u32), Vec<u32>> = FxHashMap::default();
        let mut open: Vec<u32> = Vec::new();
        for &row in uncertain {
            let Some(read) = expected(row) else { continue };
            waiting.entry((read.key, read.value)).or_default().push(row);
            open.push(row);
        }
        while let Some(row) = open.pop() {
            let Some(read) = expected(row) else { continue };
            let place = (read.key, read.value);
            if read.value == initial || self.impossible.contains(&row) || self.is_possible(place, row) {
                continue;
            }
            self.impossible.insert(row);
            let written = accesses.row(row).iter().filter(|access| access.kind == Kind::Write);
            open.extend(written.filter_map(|write| waiting.get(&(write.key, write.value))).flatten());
        }
    }

    /// Whether anybody but one row may have left a value in a key.
    fn is_possible(&self, (key, value): (u32, u32), but: u32) -> bool {
        let counts = |row: u32| row != but && !self.impossible.contains(&row);
        match self.of_value(key, value) {
            Some(written) if written.repeated => self.all_of(key, value).iter().any(|&row| counts(row)),
            Some(written) => !written.failed && !written.momentary && counts(written.row),
            None => false,
        }
    }

    /// Who wrote a value to a key first, of those who count most; nobody if there is none.
    pub fn of_value(&self, key: u32, value: u32) -> Option<Written> {
        let (first, written) = self.first[value as usize];
        let found = if first == key { Some(written) } else { self.others.get(&(key, value)).copied() };
        found.filter(|written| written.row != NONE)
    }

    /// All that may have left a value in a key, where it [repeats](Written::repeated), in the order of their invocations.
    pub fn all_of(&self, key: u32, value: u32) -> &[u32] {
        self.repeated.get(&(key, value)).map_or(&[], |rows| rows)
    }

    /// Whether a row is a `cas` of unknown outcome that cannot have happened.
    pub fn is_impossible(&self, row: u32) -> bool {
        !self.impossible.is_empty() && self.impossible.contains(&row)
    }

    /// The row's place in the order of what ended, or else began, for guessing which writer a read saw.
    pub fn moment(history: &History, row: u32) -> u32 {
        let operation = history.operation(OperationId(row));
        if operation.outcome() == Outcome::Ok { operation.completed() } else { operation.invoked() }
    }
}
