//! **Registers**: a read shows one version, so the order of versions is known only where something tells it.
//!
//! ```text
//!   nil  ──► every other version        (a register begins as nil)
//!   r 1, w 2 in one transaction         1 ──► 2   with wfr_keys
//!   w 1, then w 2 in one session        1 ──► 2   with sequential_keys
//!   w 1 ended before r 2 began          1 ──► 2   with linearizable_keys
//!                                       a circle of versions: cyclic-versions, and nothing more is taken from that key
//! ```
//!
//! From "1 comes before 2" follows: the writer of 1 before the writer of 2 (ww), and the readers of 1 before it too (rw).
//!
//! A value that nobody wrote is a `garbage-read`. Which write of a value that was written several times a read shows, nobody knows here: such
//! a read makes no dependency. [`polygraph`](super::polygraph) lets it choose.
//!
//! *Source:* Kingsbury & Alvaro (VLDB 2020), section 5. *Cost:* linear, with `linearizable_keys` times the clients that touch a key at once.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::History;
use crate::history::{NEVER, OperationId, Outcome, ValueId};

use super::allowance::{Allowance, Late};
use super::components::components;
use super::dependencies::{Dependency, Graph, Kind};
use super::fans::Fans;
use super::list_append::{index, lost_updates, outcome, rows_of_writes};
use super::micro::{self, MicroOperations};
use super::{Found, Inferred, NONE, Options, happened};

/// The id of nil among the elements.
const NIL: u32 = 0;

pub(super) fn infer(
    history: &History,
    micro: &MicroOperations<'_>,
    options: &Options,
    allowance: &Allowance,
) -> Inferred {
    let writer = rows_of_writes(micro);
    let reads = (0..micro.kind.len()).filter(|&at| micro.kind[at] == micro::Kind::Read);
    let read_writes = reads.flat_map(|at| {
        let repeated = micro.writers_of_repeated(micro.key[at], micro.value[at]).unwrap_or_default();
        repeated.iter().copied().chain(micro.writer(micro.key[at], micro.value[at]))
    });
    let happened = happened(history, read_writes.map(|write| writer[write as usize]));
    let nil_is_written = (0..micro.key_bound() as u32).map(|key| micro.writer(key, NIL).is_some()).collect();
    let mut registers = Registers {
        history,
        micro,
        row: writer,
        happened,
        nil_is_written,
        versions: Vec::new(),
        writers_of_repeated: Vec::new(),
        found: Found::default(),
        dependencies: Vec::with_capacity(micro.kind.len()),
        nodes: history.len() as u32,
    };
    let is_whole = registers.infer(options, allowance).is_ok();
    let Registers { found, dependencies, happened, nodes, .. } = registers;
    Inferred { anomalies: found.0, dependencies, happened, nodes, orders: Some(Vec::new()), is_whole }
}

/// A value of a key.
struct Version {
    key: u32,
    element: u32,
    /// Whoever wrote it and took effect.
    writer: u32,
    /// Transactions that read it from outside.
    readers: Vec<u32>,
}

struct Registers<'a, 'h> {
    history: &'h History,
    micro: &'a MicroOperations<'h>,
    /// By micro-operation.
    row: Vec<u32>,
    happened: Vec<bool>,
    /// By key, whether somebody wrote nil: then nil tells neither the beginning nor whose write it is.
    nil_is_written: Vec<bool>,
    /// Those that were read, or finally written by a transaction that happened.
    versions: Vec<Version>,
    /// Keys and rows.
    writers_of_repeated: Vec<(u32, u32)>,
    found: Found,
    dependencies: Vec<Dependency>,
    nodes: u32,
}

/// The first version comes before the second one, of the same key.
type Edge = (u32, u32);

impl Registers<'_, '_> {
    fn infer(&mut self, options: &Options, allowance: &Allowance) -> Result<(), Late> {
        self.number_versions();
        for at in (0..self.micro.kind.len()).filter(|&at| self.micro.kind[at] == micro::Kind::Read) {
            self.judge_read(at);
        }
        self.garbage();
        self.lost_updates();
        allowance.go_on(0)?;
        let mut edges = Vec::new();
        if options.wfr_keys {
            self.writes_follow_reads(&mut edges);
        }
        if options.sequential_keys {
            self.sequential(&mut edges);
        }
        if options.linearizable_keys && self.history.has_real_time() {
            self.linearizable(&mut edges, allowance)?;
        }
        edges.sort_unstable();
        edges.dedup();
        let cyclic = self.cyclic_keys(&edges);
        self.depend(&edges, &cyclic);
        allowance.go_on(0)
    }

    fn number_versions(&mut self) {
        let micro = self.micro;
        let mut ids: FxHashMap<u64, u32> = FxHashMap::default();
        for at in 0..micro.kind.len() {
            let row = self.row[at];
            let is_read = micro.kind[at] == micro::Kind::Read;
            if !(self.happened[row as usize]
                && (if is_read { micro.previous[at] == NONE } else { micro.is_final(at as u32) }))
            {
                continue;
            }
            let (key, element) = (micro.key[at], micro.value[at]);
            if micro.is_repeated(key, element) {
                if !is_read {
                    self.writers_of_repeated.push((key, row));
                }
                continue;
            }
            let name = u64::from(key) << 32 | u64::from(element);
            let versions = &mut self.versions;
            let id = *ids.entry(name).or_insert_with(|| {
                versions.push(Version { key, element, writer: NONE, readers: Vec::new() });
                versions.len() as u32 - 1
            });
            let version = &mut self.versions[id as usize];
            if is_read {
                version.readers.push(row);
            } else {
                version.writer = row;
            }
        }
    }

    fn judge_read(&mut self, at: usize) {
        let (history, micro) = (self.history, self.micro);
        let (key, element, row) = (micro.key[at], micro.value[at], self.row[at]);
        let told = |what: &str| {
            let (one, name) = (index(history, row), micro.key_value(key));
            format!("transaction #{one} read {} from key {name}, {what}", micro.elements.get(ValueId(element)))
        };
        let before = micro.previous[at];
        if before != NONE && micro.value[before as usize] != element {
            self.found.add("internal", &[row], || told("which is not what it had read or written before"));
        }
        // Nil may always be what was there at first.
        let Some(write) = micro.writer(key, element).filter(|_| element != NIL) else { return };
        if let Some(writes) = micro.writers_of_repeated(key, element) {
            return self.judge_repeated(at, writes);
        }
        let writer = self.row[write as usize];
        if writer == row {
            if write as usize > at {
                self.found.add("future-read", &[row], || told("which it wrote only later"));
            }
            return;
        }
        let other = index(history, writer);
        if outcome(history, writer) == Outcome::Fail {
            self.found
                .add("G1a", &[row, writer], || told(&format!("which transaction #{other} wrote, which had failed")));
            return;
        }
        // What was read was no version: the reader depends on nothing that others saw.
        if !micro.is_final(write) {
            self.found
                .add("G1b", &[row, writer], || told(&format!("which transaction #{other} wrote and then wrote over")));
        }
        if micro.is_final(write) {
            self.dependencies.push(Dependency { from: writer, to: row, kind: Kind::WriteRead, key });
        }
    }

    /// A read of what several may have written, if none of them can be it.
    fn judge_repeated(&mut self, at: usize, writes: &[u32]) {
        let (history, micro) = (self.history, self.micro);
        let (key, element, row) = (micro.key[at], micro.value[at], self.row[at]);
        let is_own = |write: &u32| self.row[*write as usize] == row && (*write as usize) < at;
        let others = || writes.iter().filter(|write| self.row[**write as usize] != row);
        if writes.iter().any(is_own) || others().any(|write| micro.is_final(*write)) {
            return;
        }
        let (one, name) = (index(history, row), micro.key_value(key));
        let value = micro.elements.get(ValueId(element));
        match others().next() {
            Some(&write) => {
                let writer = self.row[write as usize];
                self.found.add("G1b", &[row, writer], || {
                    format!("transaction #{one} read {value} from key {name}, which everybody who wrote it wrote over")
                });
            }
            None => self.found.add("future-read", &[row], || {
                format!("transaction #{one} read {value} from key {name}, which it wrote only later")
            }),
        }
    }

    fn garbage(&mut self) {
        let micro = self.micro;
        let is_garbage = |at: &usize| {
            micro.kind[*at] == micro::Kind::Read
                && micro.value[*at] != NIL
                && micro.writer(micro.key[*at], micro.value[*at]).is_none()
        };
        for at in (0..micro.kind.len()).filter(is_garbage) {
            let (key, element, row) = (micro.key[at], micro.value[at], self.row[at]);
            let one = index(self.history, row);
            self.found.add("garbage-read", &[row], || {
                let (value, name) = (micro.elements.get(ValueId(element)), micro.key_value(key));
                format!("transaction #{one} read {value} from key {name}, though nobody wrote it")
            });
        }
    }

    /// For each micro-operation that shows a version from outside or leaves one: the version.
    fn shown(&self) -> Vec<u32> {
        let mut shown = vec![NONE; self.micro.kind.len()];
        let ids = self.versions.iter().enumerate();
        let ids: FxHashMap<(u32, u32), u32> = ids.map(|(id, v)| ((v.key, v.element), id as u32)).collect();
        for (at, shown) in shown.iter_mut().enumerate() {
            let micro = self.micro;
            let is_read = micro.kind[at] == micro::Kind::Read;
            if self.happened[self.row[at] as usize]
                && (if is_read { micro.previous[at] == NONE } else { micro.is_final(at as u32) })
            {
                *shown = ids.get(&(micro.key[at], micro.value[at])).copied().unwrap_or(NONE);
            }
        }
        shown
    }

    fn writes_follow_reads(&self, edges: &mut Vec<Edge>) {
        let shown = self.shown();
        for (_, _, first, last) in self.touches(&shown) {
            if first != last {
                edges.push((first, last));
            }
        }
    }

    /// By key and row: the first version that a transaction shows of a key and the last one.
    fn touches(&self, shown: &[u32]) -> Vec<(u32, u32, u32, u32)> {
        let mut touches: Vec<(u32, u32, u32, u32)> = Vec::new();
        let of = shown.iter().enumerate().filter(|(_, version)| **version != NONE);
        let mut all: Vec<(u32, u32, u32)> = of.map(|(at, _)| (self.micro.key[at], self.row[at], at as u32)).collect();
        all.sort_unstable();
        for (key, row, at) in all {
            let version = shown[at as usize];
            match touches.last_mut() {
                Some(last) if (last.0, last.1) == (key, row) => last.3 = version,
                _ => touches.push((key, row, version, version)),
            }
        }
        touches
    }

    fn sequential(&self, edges: &mut Vec<Edge>) {
        let process = |row: u32| self.history.operation(OperationId(row)).process();
        let mut touches = self.touches(&self.shown());
        touches.sort_by_key(|&(key, row, _, _)| (key, process(row), row));
        for pair in touches.windows(2) {
            let (one, two) = (pair[0], pair[1]);
            if one.0 == two.0 && process(one.1) == process(two.1) && one.3 != two.2 {
                edges.push((one.3, two.2));
            }
        }
    }

    /// Among what touches a key, in the order of real time, without what follows from others.
    fn linearizable(&self, edges: &mut Vec<Edge>, allowance: &Allowance) -> Result<(), Late> {
        let touches = self.touches(&self.shown());
        for touches in touches.chunk_by(|one, two| one.0 == two.0) {
            let mut events: Vec<(u32, bool, usize)> = Vec::new();
            for (at, touch) in touches.iter().enumerate() {
                let operation = self.history.operation(OperationId(touch.1));
                events.push((operation.invoked(), true, at));
                if operation.outcome() == Outcome::Ok && operation.completed() != NEVER {
                    events.push((operation.completed(), false, at));
                }
            }
            events.sort_unstable();
            // What ended last, and when: everything else ended before one of these began.
            let mut newest: VecDeque<(u32, usize)> = VecDeque::new();
            let mut latest_begin = 0;
            for (step, (position, begins, at)) in events.into_iter().enumerate() {
                allowance.go_on(step)?;
                if begins {
                    let followed = newest.iter().map(|&(_, earlier)| (touches[earlier].3, touches[at].2));
                    edges.extend(followed.filter(|(one, two)| one != two));
                    continue;
                }
                latest_begin = latest_begin.max(self.history.operation(OperationId(touches[at].1)).invoked());
                while newest.front().is_some_and(|(ended, _)| *ended < latest_begin) {
                    newest.pop_front();
                }
                newest.push_back((position, at));
            }
        }
        Ok(())
    }

    /// Keys whose versions go round, with nil before all others.
    fn cyclic_keys(&mut self, edges: &[Edge]) -> Vec<bool> {
        let mut cyclic = vec![false; self.micro.key_bound()];
        if edges.is_empty() {
            return cyclic;
        }
        let dependency = |(from, to): Edge| Dependency { from, to, kind: Kind::WriteWrite, key: NONE };
        let mut all: Vec<Dependency> = edges.iter().copied().map(dependency).collect();
        let initial = self.initial();
        for (id, version) in self.versions.iter().enumerate().filter(|(_, version)| version.element != NIL) {
            if initial[version.key as usize] != NONE {
                all.push(dependency((initial[version.key as usize], id as u32)));
            }
        }
        for component in components(&Graph::new(self.versions.len(), &[&all])) {
            let key = self.versions[component[0] as usize].key;
            cyclic[key as usize] = true;
            let name = self.micro.key_value(key);
            let mut rows: Vec<u32> = Vec::new();
            for &id in component.iter().take(8) {
                let version = &self.versions[id as usize];
                rows.extend(Some(version.writer).filter(|row| *row != NONE));
                rows.extend(version.readers.iter().take(2));
            }
            let values = component.iter().take(8).map(|&id| ValueId(self.versions[id as usize].element));
            let values: Vec<String> = values.map(|id| self.micro.elements.get(id).to_string()).collect();
            self.found.add("cyclic-versions", &rows, || {
                format!("the versions {} of key {name} each came before each other", values.join(", "))
            });
        }
        cyclic
    }

    /// By key, the version with which it began; [`NONE`] if it is not known.
    fn initial(&self) -> Vec<u32> {
        let mut initial = vec![NONE; self.micro.key_bound()];
        for (id, version) in (0..).zip(&self.versions) {
            if version.element == NIL && !self.nil_is_written[version.key as usize] {
                initial[version.key as usize] = id;
            }
        }
        initial
    }

    /// From the order of versions to the order of transactions.
    fn depend(&mut self, edges: &[Edge], cyclic: &[bool]) {
        let initial = self.initial();
        let versions = &mut self.versions;
        // By version, the writers of what follows it.
        let mut followers: Vec<Vec<u32>> = vec![Vec::new(); versions.len()];
        let written = |version: &&Version| version.element != NIL && version.writer != NONE;
        for version in versions.iter().filter(written) {
            let nil = initial[version.key as usize];
            if nil != NONE {
                followers[nil as usize].push(version.writer);
            }
        }
        for &(key, writer) in &self.writers_of_repeated {
            let nil = initial[key as usize];
            if nil != NONE {
                followers[nil as usize].push(writer);
            }
        }
        for &(one, two) in edges {
            let writer = versions[two as usize].writer;
            if writer != NONE {
                followers[one as usize].push(writer);
            }
        }
        for (version, followers) in versions.iter_mut().zip(&mut followers) {
            let key = version.key;
            if cyclic[key as usize] || followers.is_empty() {
                continue;
            }
            followers.sort_unstable();
            followers.dedup();
            let from = version.writer;
            if from != NONE && version.element != NIL {
                let others = followers.iter().filter(|to| **to != from);
                let ww = |&to| Dependency { from, to, kind: Kind::WriteWrite, key };
                self.dependencies.extend(others.map(ww));
            }
            version.readers.dedup();
            let mut fans = Fans { edges: &mut self.dependencies, nodes: &mut self.nodes };
            fans.add(&version.readers, followers, key);
        }
    }

    /// Transactions that read the same version of a key and then each wrote to it.
    fn lost_updates(&mut self) {
        let micro = self.micro;
        let mut updates = Vec::new();
        for at in (0..micro.kind.len()).filter(|&at| micro.kind[at] == micro::Kind::Write && micro.is_final(at as u32))
        {
            let mut first = at as u32;
            while micro.previous[first as usize] != NONE {
                first = micro.previous[first as usize];
            }
            let (key, element) = (micro.key[at], micro.value[first as usize]);
            let is_ambiguous = element == NIL && self.nil_is_written[key as usize] || micro.is_repeated(key, element);
            let is_read = micro.kind[first as usize] == micro::Kind::Read && !is_ambiguous;
            if is_read && outcome(self.history, self.row[at]) == Outcome::Ok {
                updates.push((micro.key[at], micro.value[first as usize], self.row[at]));
            }
        }
        lost_updates(self.history, micro, updates, &mut self.found);
    }
}
