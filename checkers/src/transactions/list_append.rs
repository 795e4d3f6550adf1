//! **Lists that grow**: a read shows the whole order in which its elements were appended.
//!
//! ```text
//!   longest read of x   [1 2 3]      ww: writer of 1 → writer of 2 → writer of 3
//!   another read        [1 2]        wr: writer of 2 → reader      rw: reader → writer of 3
//!   another read        [1 3]        is no beginning of the longest: incompatible-order
//!   appended, never read   4         comes after all of them
//! ```
//!
//! *Source:* Kingsbury & Alvaro (VLDB 2020), section 4. *Cost:* linear in the elements of all reads. Each read of the longest
//! list comes before each append that nobody read (`fans.rs`).

use rustc_hash::FxHashMap;

use crate::History;
use crate::history::{Item, List, OperationId, Outcome};

use super::allowance::{Allowance, Late};
use super::dependencies::{Dependency, Kind};
use super::explain::listed;
use super::fans::Fans;
use super::micro::{self, MicroOperations};
use super::{Found, Inferred, KnownOrder, NONE, happened};

/// What is known of a key.
#[derive(Clone, Default)]
struct Key<'h> {
    longest: List<'h>,
    /// A transaction that read it.
    reader: u32,
    /// Reads are not all beginnings of the longest, or it holds an element twice: lengths tell no positions.
    is_flawed: bool,
    /// The writes behind the elements of the longest list, each once; [`NONE`] where nobody wrote.
    order: Vec<u32>,
    /// By position: the next one, from there on, whose writer happened; the length for none.
    next: Vec<u32>,
    /// The first position whose writer failed.
    aborted: usize,
    /// The appends that took effect and that nobody read.
    unread: Vec<u32>,
    /// Transactions that read the whole of the longest list.
    readers: Vec<u32>,
}

pub(super) fn infer(history: &History, micro: &MicroOperations<'_>, allowance: &Allowance) -> Inferred {
    let mut lists = Lists {
        history,
        micro,
        keys: vec![Key::default(); micro.key_bound()],
        writer: rows_of_writes(micro),
        position: vec![NONE; micro.kind.len()],
        happened: Vec::new(),
        found: Found::default(),
        dependencies: Vec::with_capacity(micro.kind.len()),
        nodes: history.len() as u32,
    };
    let is_whole = lists.infer(allowance).is_ok();
    let orders = lists.known_orders();
    let Lists { found, dependencies, happened, nodes, .. } = lists;
    Inferred { anomalies: found.0, dependencies, happened, nodes, orders, is_whole }
}

/// The transaction of each micro-operation.
pub(super) fn rows_of_writes(micro: &MicroOperations<'_>) -> Vec<u32> {
    let mut rows = Vec::with_capacity(micro.kind.len());
    for row in 0..micro.rows() {
        rows.resize(micro.of(row).end, row);
    }
    rows
}

struct Lists<'a, 'h> {
    history: &'h History,
    micro: &'a MicroOperations<'h>,
    keys: Vec<Key<'h>>,
    /// By micro-operation, its row.
    writer: Vec<u32>,
    /// By write, its place in the order of its key.
    position: Vec<u32>,
    happened: Vec<bool>,
    found: Found,
    dependencies: Vec<Dependency>,
    nodes: u32,
}

impl<'h> Lists<'_, 'h> {
    fn infer(&mut self, allowance: &Allowance) -> Result<(), Late> {
        self.longest_reads(allowance)?;
        self.orders();
        let observed = self.keys.iter().flat_map(|key| &key.order).filter(|write| **write != NONE);
        self.happened = happened(self.history, observed.map(|&write| self.writer[write as usize]));
        self.positions();
        allowance.go_on(0)?;
        for row in 0..self.micro.rows() {
            allowance.go_on(row as usize)?;
            for at in self.micro.of(row).filter(|&at| self.micro.kind[at] == micro::Kind::Read) {
                self.judge_read(row, at);
            }
        }
        self.overwrites();
        self.lost_updates();
        Ok(())
    }

    /// The order of the writers of each key, where some order is open: of several appends that nobody read.
    fn known_orders(&self) -> Option<Vec<KnownOrder>> {
        let rows = |writes: &[u32]| -> Vec<u32> {
            let rows = writes.iter().filter(|write| **write != NONE).map(|&write| self.writer[write as usize]);
            rows.filter(|&row| self.happened[row as usize]).collect()
        };
        let is_told = |key: &Key<'_>| {
            let unread = rows(&key.unread);
            unread.iter().all(|row| *row == unread[0])
        };
        if self.keys.iter().all(is_told) {
            return None;
        }
        Some(self.keys.iter().map(|key| rows(&key.order)).collect())
    }

    fn longest_reads(&mut self, allowance: &Allowance) -> Result<(), Late> {
        let micro = self.micro;
        for at in (0..micro.kind.len()).filter(|&at| micro.kind[at] == micro::Kind::Read) {
            allowance.go_on(at)?;
            let list = micro.lists[micro.value[at] as usize];
            let key = &mut self.keys[micro.key[at] as usize];
            let (longer, shorter) =
                if list.len() > key.longest.len() { (list, key.longest) } else { (key.longest, list) };
            let fits = longer.starts_with(shorter);
            let row = self.writer[at];
            if !fits {
                key.is_flawed = true;
                let (other, known) = (key.reader, key.longest);
                let name = self.micro.key_value(self.micro.key[at]);
                let (one, two) = (index(self.history, row), index(self.history, other));
                self.found.add("incompatible-order", &[row, other], || {
                    format!(
                        "transaction #{one} read {} from key {name}, and #{two} read {}: neither is the beginning of the other",
                        listed(list),
                        listed(known)
                    )
                });
            }
            let key = &mut self.keys[micro.key[at] as usize];
            if list.len() > key.longest.len() {
                (key.longest, key.reader) = (list, row);
            }
        }
        Ok(())
    }

    /// The writes behind the longest reads.
    fn orders(&mut self) {
        for id in 0..self.keys.len() {
            let longest = self.keys[id].longest;
            let mut order = Vec::with_capacity(longest.len());
            for element in longest {
                let write = self.write_of(id as u32, element);
                if write != NONE {
                    if self.position[write as usize] != NONE {
                        self.keys[id].is_flawed = true;
                        let (reader, writer) = (self.keys[id].reader, self.writer[write as usize]);
                        let (one, name) = (index(self.history, reader), self.micro.key_value(id as u32));
                        self.found.add("duplicate-elements", &[reader, writer], || {
                            format!(
                                "transaction #{one} read {element} twice from key {name}, though it was appended once"
                            )
                        });
                        continue;
                    }
                    self.position[write as usize] = order.len() as u32;
                }
                order.push(write);
            }
            self.follow_own(id as u32, &order);
            self.keys[id].order = order;
        }
    }

    /// What one transaction appended must stand as it appended it.
    fn follow_own(&mut self, id: u32, order: &[u32]) {
        let mut last: FxHashMap<u32, u32> = FxHashMap::default();
        for &write in order.iter().filter(|&&write| write != NONE) {
            let writer = self.writer[write as usize];
            if last.insert(writer, write).is_some_and(|before| before > write) {
                let reader = self.keys[id as usize].reader;
                let (one, two) = (index(self.history, reader), index(self.history, writer));
                let name = self.micro.key_value(id);
                self.found.add("incompatible-order", &[reader, writer], || {
                    format!("transaction #{one} read from key {name} what #{two} appended in another order than it did")
                });
                return;
            }
        }
    }

    /// What follows each position, and what nobody read.
    fn positions(&mut self) {
        for key in &mut self.keys {
            let length = key.order.len();
            key.next = vec![length as u32; length + 1];
            key.aborted = length;
            for at in (0..length).rev() {
                let write = key.order[at];
                let row = if write == NONE { NONE } else { self.writer[write as usize] };
                let is_there = row != NONE && self.happened[row as usize];
                key.next[at] = if is_there { at as u32 } else { key.next[at + 1] };
                if row != NONE && !is_there {
                    key.aborted = at;
                }
            }
        }
        for at in 0..self.position.len() {
            let is_unread = self.micro.kind[at] == micro::Kind::Write && self.position[at] == NONE;
            if is_unread && self.happened[self.writer[at] as usize] {
                self.keys[self.micro.key[at] as usize].unread.push(at as u32);
            }
        }
    }

    fn write_of(&self, key: u32, element: Item<'_>) -> u32 {
        let element = self.micro.elements.find_item(element);
        element.and_then(|element| self.micro.writer(key, element.0)).unwrap_or(NONE)
    }

    /// One read: what is wrong with it, and what came before and after it.
    fn judge_read(&mut self, row: u32, at: usize) {
        let id = self.micro.key[at];
        let list = self.micro.lists[self.micro.value[at] as usize];
        if self.keys[id as usize].is_flawed {
            self.find_duplicates(row, id, list);
        }
        let (history, micro, happened) = (self.history, self.micro, &self.happened);
        let told = |what: &str| {
            let (one, name) = (index(history, row), micro.key_value(id));
            format!("transaction #{one} read {} from key {name}, {what}", listed(list))
        };
        let own = self.disagrees_with_itself(at, list);
        if own == Some(true) {
            self.found
                .add("internal", &[row], || told("which does not follow from what it had read and appended before"));
        }
        let key = &self.keys[id as usize];
        // What stands at the end of the list, and how much of the order it is.
        let (last, length) = match list.last() {
            None => (NONE, 0),
            Some(element) if key.is_flawed => {
                let write = self.write_of(id, element);
                let position = if write == NONE { NONE } else { self.position[write as usize] };
                (write, if position == NONE { usize::MAX } else { position as usize + 1 })
            }
            Some(_) => (key.order[list.len() - 1], list.len()),
        };
        let unwritten = if key.is_flawed {
            list.iter().find(|element| self.write_of(id, *element) == NONE)
        } else {
            key.order[..length].iter().position(|&write| write == NONE).and_then(|at| list.iter().nth(at))
        };
        if let Some(element) = unwritten {
            self.found.add("garbage-read", &[row], || told(&format!("though nobody appended {element}")));
        }
        let failed = if key.is_flawed {
            let writes = list.iter().map(|element| self.write_of(id, element)).filter(|&write| write != NONE);
            writes.map(|write| self.writer[write as usize]).find(|&writer| !happened[writer as usize])
        } else {
            (key.aborted < length).then(|| self.writer[key.order[key.aborted] as usize])
        };
        if let Some(failed) = failed.filter(|&failed| outcome(history, failed) == Outcome::Fail) {
            self.found.add("G1a", &[row, failed], || {
                told(&format!("of which transaction #{} had failed", index(history, failed)))
            });
        }
        if last != NONE {
            let writer = self.writer[last as usize];
            if writer == row {
                if last as usize > at {
                    self.found.add("future-read", &[row], || told("the end of which it appended only later"));
                }
            } else if happened[writer as usize] {
                if !micro.is_final(last) {
                    let writer_index = index(history, writer);
                    self.found.add("G1b", &[row, writer], || {
                        told(&format!(
                            "though transaction #{writer_index} appended more to it after {}",
                            list.last().unwrap_or(Item::Nil)
                        ))
                    });
                }
                self.dependencies.push(Dependency { from: writer, to: row, kind: Kind::WriteRead, key: id });
            }
            if writer == row {
                return;
            }
        }
        if own.is_some() || length == usize::MAX {
            return;
        }
        let key = &self.keys[id as usize];
        let next = key.next[length] as usize;
        if next < key.order.len() {
            let to = self.writer[key.order[next] as usize];
            if to != row {
                self.dependencies.push(Dependency { from: row, to, kind: Kind::ReadWrite, key: id });
            }
            return;
        }
        self.keys[id as usize].readers.push(row);
    }

    /// An element that is twice in a list which is no beginning of the longest: there it was not looked for yet.
    fn find_duplicates(&mut self, row: u32, id: u32, list: List<'_>) {
        if self.keys[id as usize].longest.starts_with(list) {
            return;
        }
        let mut writes: Vec<u32> = list.iter().map(|element| self.write_of(id, element)).collect();
        writes.retain(|&write| write != NONE);
        writes.sort_unstable();
        if let Some(pair) = writes.windows(2).find(|pair| pair[0] == pair[1]) {
            let (one, name) = (index(self.history, row), self.micro.key_value(id));
            self.found.add("duplicate-elements", &[row, self.writer[pair[0] as usize]], || {
                format!(
                    "transaction #{one} read {} from key {name}: an element twice that was appended once",
                    listed(list)
                )
            });
        }
    }

    /// Whether a read contradicts what came before it in its transaction; nothing if nothing was written before.
    fn disagrees_with_itself(&self, at: usize, list: List<'_>) -> Option<bool> {
        let micro = self.micro;
        let mut own = None;
        let mut items: Option<Vec<Item<'_>>> = None;
        // Of the list, so many items were there before what was appended already.
        let mut before = list.len();
        let mut earlier = micro.previous[at];
        while earlier != NONE {
            if micro.kind[earlier as usize] == micro::Kind::Read {
                let known = micro.lists[micro.value[earlier as usize] as usize];
                let is_it = known.len() == before && list.starts_with(known);
                return if is_it { own } else { Some(true) };
            }
            if before == 0 {
                return Some(true);
            }
            before -= 1;
            let last = items.get_or_insert_with(|| list.iter().collect())[before];
            if micro.elements.find_item(last).is_none_or(|element| element.0 != micro.value[earlier as usize]) {
                return Some(true);
            }
            own = Some(false);
            earlier = micro.previous[earlier as usize];
        }
        own
    }

    /// Which append came after which, and what was appended to what had failed.
    fn overwrites(&mut self) {
        for id in 0..self.keys.len() as u32 {
            let key = &self.keys[id as usize];
            let (mut last, mut failed) = (NONE, NONE);
            for &write in key.order.iter().filter(|write| **write != NONE) {
                let row = self.writer[write as usize];
                if !self.happened[row as usize] {
                    failed = row;
                    continue;
                }
                if failed != NONE {
                    let (one, two) = (index(self.history, row), index(self.history, failed));
                    let name = self.micro.key_value(id);
                    self.found.add("dirty-update", &[row, failed], || {
                        format!(
                            "transaction #{one} appended to key {name} after what #{two} appended, which had failed"
                        )
                    });
                }
                if last != NONE && last != row {
                    self.dependencies.push(Dependency { from: last, to: row, kind: Kind::WriteWrite, key: id });
                }
                last = row;
            }
            let mut unread: Vec<u32> = key.unread.iter().map(|&write| self.writer[write as usize]).collect();
            unread.dedup();
            if last != NONE {
                let others = unread.iter().filter(|to| **to != last);
                let ww = |&to| Dependency { from: last, to, kind: Kind::WriteWrite, key: id };
                self.dependencies.extend(others.map(ww));
            }
            let mut fans = Fans { edges: &mut self.dependencies, nodes: &mut self.nodes };
            fans.add(&key.readers, &unread, id);
        }
    }

    /// Transactions that read the same version of a key and then each appended to it.
    fn lost_updates(&mut self) {
        let micro = self.micro;
        let mut updates: Vec<(u32, u32, u32)> = Vec::new();
        for at in (0..micro.kind.len()).filter(|&at| micro.kind[at] == micro::Kind::Write) {
            let before = micro.previous[at];
            if before == NONE
                || micro.kind[before as usize] != micro::Kind::Read
                || outcome(self.history, self.writer[at]) != Outcome::Ok
            {
                continue;
            }
            let mut first = before;
            while micro.previous[first as usize] != NONE && micro.kind[first as usize] == micro::Kind::Read {
                first = micro.previous[first as usize];
            }
            // Behind an earlier append of its own it follows that one.
            if micro.kind[first as usize] != micro::Kind::Read {
                continue;
            }
            let list = micro.lists[micro.value[first as usize] as usize];
            let id = micro.key[at];
            let version = match list.last() {
                None => NONE,
                Some(_) if !self.keys[id as usize].is_flawed => self.keys[id as usize].order[list.len() - 1],
                Some(element) => self.write_of(id, element),
            };
            if version != NONE || list.is_empty() {
                updates.push((id, version, self.writer[at]));
            }
        }
        lost_updates(self.history, micro, updates, &mut self.found);
    }
}

/// Names pairs of transactions that updated the same version of a key.
pub(super) fn lost_updates(
    history: &History,
    micro: &MicroOperations<'_>,
    mut updates: Vec<(u32, u32, u32)>,
    found: &mut Found,
) {
    updates.sort_unstable();
    updates.dedup();
    for pair in updates.windows(2).filter(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1)) {
        let (one, two) = (index(history, pair[0].2), index(history, pair[1].2));
        found.add("lost-update", &[pair[0].2, pair[1].2], || {
            let name = micro.key_value(pair[0].0);
            format!("transactions #{one} and #{two} both read the same version of key {name}, and both wrote to it")
        });
    }
}

pub(super) fn index(history: &History, row: u32) -> u64 {
    history.operation(OperationId(row)).index()
}

pub(super) fn outcome(history: &History, row: u32) -> Outcome {
    history.operation(OperationId(row)).outcome()
}
