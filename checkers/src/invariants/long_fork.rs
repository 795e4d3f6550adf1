//! **Long fork**: there is one order of all writes, and every read sees the beginning of it.
//!
//! ```text
//!   p0  ├─ write x=1 ─┤            p2  ├─ read x=1 y=nil ─┤
//!   p1  ├─ write y=1 ─┤            p3  ├─ read x=nil y=1 ─┤      forbidden: which of x and y came first?
//! ```
//!
//! *When to ask for it rather than for its neighbours:* it is what parallel snapshot isolation allows and snapshot isolation does not. It needs no
//! real time, and keys that are written once each.
//!
//! *Method:* a read comes after the writes that it saw, and before those that it did not: keys and reads are a graph, and a fork is a cycle
//! in it. Where keys are read in groups, a cycle is two reads; where groups overlap, it may take more. Reads that saw the same are one.
//! Keys and reads that lie on no cycle are taken away until none is left, or a shortest cycle is looked for among the rest.
//! *Source:* `jepsen.tests.long-fork`, which compares the reads of a group two by two. *Cost:* linear in what is read.

use std::collections::VecDeque;

use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use crate::History;
use crate::history::{Operation, Outcome, Value, ValueId};

use super::Findings;
use super::objects::{Object, anomaly, ended, objects};

/// A different set of keys seen and missed, with the first read that had it.
struct Snapshot<'a> {
    read: Operation<'a>,
    /// Each key that it read, by number, and whether the read saw its write.
    keys: Box<[(u32, bool)]>,
}

pub(super) fn judge(history: &History) -> Findings {
    let mut findings = Findings::default();
    for object in objects(history) {
        judge_object(&object, &mut findings);
    }
    findings
}

fn judge_object(object: &Object<'_>, findings: &mut Findings) {
    let mut numbers: FxHashMap<&Value, u32> = FxHashMap::default();
    let mut names: Vec<&Value> = Vec::new();
    let mut snapshots: IndexMap<Box<[(u32, bool)]>, Operation<'_>, FxBuildHasher> = IndexMap::default();
    let (mut reads, mut early, mut late) = (0, 0, 0);
    for read in object.operations.iter().copied().filter(|operation| operation.outcome() == Outcome::Ok) {
        let mut keys: Vec<(u32, bool)> = Vec::new();
        for (_, key, value) in parts(read.result()).filter(|(kind, ..)| is_read(kind)) {
            let number = *numbers.entry(key).or_insert_with(|| {
                names.push(key);
                names.len() as u32 - 1
            });
            keys.push((number, *value != Value::Nil));
        }
        if keys.is_empty() {
            continue;
        }
        reads += 1;
        early += usize::from(keys.iter().all(|(_, seen)| !seen));
        late += usize::from(keys.iter().all(|(_, seen)| *seen));
        keys.sort_unstable();
        keys.dedup();
        snapshots.entry(keys.into_boxed_slice()).or_insert(read);
    }
    let snapshots: Vec<Snapshot<'_>> = snapshots.into_iter().map(|(keys, read)| Snapshot { read, keys }).collect();
    findings.judged += reads;
    findings.count("reads", reads);
    findings.count("early-reads", early);
    findings.count("late-reads", late);
    findings.count("snapshots", snapshots.len());
    let forked = on_cycles(&snapshots, names.len());
    findings.count("forked", forked.len());
    if !forked.is_empty() {
        findings.anomalies.push(fork(object, &snapshots, &forked, &names));
    }
}

/// The snapshots from which keys and snapshots lead on without an end, forwards and backwards: all on cycles, and what is between cycles.
fn on_cycles(snapshots: &[Snapshot<'_>], keys: usize) -> Vec<usize> {
    let mut alive = vec![true; snapshots.len()];
    for forwards in [true, false] {
        let mut of_key: Vec<Vec<u32>> = vec![Vec::new(); keys];
        let mut before_key = vec![0u32; keys];
        let mut before_snapshot = vec![0u32; snapshots.len()];
        for (at, snapshot) in snapshots.iter().enumerate().filter(|(at, _)| alive[*at]) {
            for &(key, seen) in &*snapshot.keys {
                if seen == forwards {
                    before_snapshot[at] += 1;
                    of_key[key as usize].push(at as u32);
                } else {
                    before_key[key as usize] += 1;
                }
            }
        }
        let mut free_keys: Vec<usize> = (0..keys).filter(|key| before_key[*key] == 0).collect();
        let mut free: Vec<usize> = (0..snapshots.len()).filter(|at| alive[*at] && before_snapshot[*at] == 0).collect();
        loop {
            if let Some(at) = free.pop() {
                alive[at] = false;
                for &(key, _) in snapshots[at].keys.iter().filter(|(_, seen)| *seen != forwards) {
                    before_key[key as usize] -= 1;
                    free_keys.extend(Some(key as usize).filter(|key| before_key[*key] == 0));
                }
            } else if let Some(key) = free_keys.pop() {
                for at in std::mem::take(&mut of_key[key]).into_iter().map(|at| at as usize) {
                    before_snapshot[at] -= 1;
                    free.extend(Some(at).filter(|at| before_snapshot[*at] == 0));
                }
            } else {
                break;
            }
        }
    }
    (0..snapshots.len()).filter(|at| alive[*at]).collect()
}

/// How many snapshots a search for a short cycle starts at. Any cycle is a proof; a shorter one is easier to read.
const STARTS: usize = 64;

/// How many reads of a cycle a sentence tells.
const TOLD: usize = 8;

/// The longest cycle of which the shortest part is looked for.
const LONGEST: usize = 1_000;

/// Some snapshots, and who of them saw each key.
struct Graph<'a> {
    snapshots: &'a [Snapshot<'a>],
    among: &'a [usize],
    seen_by: Vec<Vec<u32>>,
}

impl<'a> Graph<'a> {
    fn of(snapshots: &'a [Snapshot<'a>], among: &'a [usize], keys: usize) -> Graph<'a> {
        let mut seen_by: Vec<Vec<u32>> = vec![Vec::new(); keys];
        for &at in among {
            for &(key, _) in snapshots[at].keys.iter().filter(|(_, seen)| *seen) {
                seen_by[key as usize].push(at as u32);
            }
        }
        Graph { snapshots, among, seen_by }
    }

    /// Where snapshots lead on to: over each key that this one missed, to those that saw it.
    fn after(&self, at: usize) -> impl Iterator<Item = (u32, &[u32])> {
        let missed = self.snapshots[at].keys.iter().filter(|(_, seen)| !seen);
        missed.map(|(key, _)| (*key, self.seen_by[*key as usize].as_slice()))
    }

    /// A snapshot on a cycle: who goes on and on comes back.
    fn on_a_cycle(&self) -> Option<usize> {
        let mut passed: FxHashSet<usize> = FxHashSet::default();
        let mut at = *self.among.first()?;
        while passed.insert(at) {
            at = self.after(at).find_map(|(_, next)| next.first())?.to_owned() as usize;
        }
        Some(at)
    }

    /// The shortest cycle through a snapshot: all on it, each with the key that it saw and the one before it missed.
    fn cycle(&self, start: usize) -> Option<Vec<(usize, u32)>> {
        let mut reached: FxHashMap<usize, (usize, u32)> = FxHashMap::default();
        let mut passed: FxHashSet<u32> = FxHashSet::default();
        let mut queue = VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            for (key, next) in self.after(at) {
                if !passed.insert(key) {
                    continue;
                }
                for next in next.iter().map(|next| *next as usize) {
                    reached.entry(next).or_insert_with(|| {
                        queue.push_back(next);
                        (at, key)
                    });
                }
            }
            if reached.contains_key(&start) {
                break;
            }
        }
        let mut cycle = Vec::new();
        let mut at = start;
        loop {
            let (before, key) = *reached.get(&at)?;
            cycle.push((at, key));
            at = before;
            if at == start {
                cycle.reverse();
                return Some(cycle);
            }
        }
    }

    fn shortest(&self, starts: impl IntoIterator<Item = usize>) -> Vec<(usize, u32)> {
        let mut best: Vec<(usize, u32)> = Vec::new();
        for start in starts {
            if (1..=2).contains(&best.len()) {
                break;
            }
            let cycle = self.cycle(start).unwrap_or_default();
            if best.is_empty() || (1..best.len()).contains(&cycle.len()) {
                best = cycle;
            }
        }
        best
    }
}

fn fork(object: &Object<'_>, snapshots: &[Snapshot<'_>], forked: &[usize], names: &[&Value]) -> crate::Anomaly {
    let graph = Graph::of(snapshots, forked, names.len());
    let mut cycle = graph.shortest(graph.on_a_cycle().into_iter().chain(forked.iter().copied().take(STARTS)));
    let is_short = cycle.len() <= LONGEST;
    if is_short {
        // What is shortest through one snapshot may have a shorter way round beside it.
        let among: Vec<usize> = cycle.iter().map(|(at, _)| *at).collect();
        cycle = Graph::of(snapshots, &among, names.len()).shortest(among.iter().copied());
    }
    // It is told from its first read on.
    let first = cycle.iter().enumerate().min_by_key(|(_, (at, _))| *at).map_or(0, |(place, _)| place);
    cycle.rotate_left(first);
    let steps = cycle.iter().enumerate().map(|(place, &(at, saw))| {
        let read = snapshots[at].read;
        let missed = cycle[(place + 1) % cycle.len()].1;
        let (saw, missed) = (names[saw as usize], names[missed as usize]);
        let name = if place == 0 { object.name() } else { String::new() };
        let who = format!("process {} saw the write to key {saw}{name} {}", read.process(), ended(read));
        if cycle.len() == 1 {
            format!("{who} and did not see it")
        } else {
            format!("{who} but not the one to key {missed}")
        }
    });
    let mut sentence = steps.take(TOLD).collect::<Vec<_>>().join(", and ");
    if cycle.len() > TOLD {
        sentence += &format!(", and so on through {} reads and back to the first", cycle.len());
    }
    if forked.len() > cycle.len() {
        sentence += &format!("; in all, {} different snapshots have no common order", forked.len());
    }
    let mut fork = anomaly("long-fork", cycle.iter().map(|(at, _)| snapshots[*at].read), sentence);
    let wanted: Vec<&Value> = cycle.iter().map(|(_, key)| names[*key as usize]).collect();
    let writes = object.operations.iter().copied().filter(|operation| {
        operation.outcome() != Outcome::Fail
            && parts(operation.argument()).any(|(kind, key, _)| is_write(kind) && wanted.contains(&key))
    });
    fork.unreduced = !is_short;
    fork.sources = writes.map(Operation::id).collect();
    fork
}

/// The micro-operations of a transaction: what each does, to which key, with which value.
fn parts(transaction: &Value) -> impl Iterator<Item = (&Value, &Value, &Value)> + Clone {
    let parts: &[Value] = match transaction {
        Value::List(parts) => parts,
        _ => &[],
    };
    parts.iter().filter_map(|part| match part {
        Value::List(part) => match &**part {
            [kind, key, value] => Some((kind, key, value)),
            _ => None,
        },
        _ => None,
    })
}

fn is_read(kind: &Value) -> bool {
    matches!(kind, Value::Text(kind) if matches!(&**kind, "r" | "read"))
}

fn is_write(kind: &Value) -> bool {
    matches!(kind, Value::Text(kind) if matches!(&**kind, "w" | "write"))
}

/// Whether it reads or writes anything by micro-operations.
pub(super) fn is_transaction(operation: Operation<'_>) -> bool {
    parts(operation.argument()).chain(parts(operation.result())).any(|(kind, ..)| is_read(kind) || is_write(kind))
}

/// How many keys it writes.
pub(super) fn writes(operation: Operation<'_>) -> usize {
    parts(operation.argument()).filter(|(kind, ..)| is_write(kind)).count()
}

pub(super) fn refuses(operation: Operation<'_>) -> Option<String> {
    let judged = [Some(operation.argument()), Some(operation.result()).filter(|_| operation.outcome() == Outcome::Ok)];
    for transaction in judged.into_iter().flatten().filter(|transaction| **transaction != Value::Nil) {
        let length = match transaction {
            Value::List(parts) => parts.len(),
            _ => return Some(format!("expected a list of micro-operations, found {}", transaction.kind())),
        };
        let (mut reads, mut writes) = (0, 0);
        for (kind, ..) in parts(transaction) {
            reads += usize::from(is_read(kind));
            writes += usize::from(is_write(kind));
        }
        if reads + writes != length {
            return Some(format!("expected micro-operations [r key value] or [w key value], found {transaction}"));
        }
        if reads > 0 && writes > 0 {
            return Some(format!("expected a transaction that only reads or only writes, found {transaction}"));
        }
    }
    None
}

/// An operation that shows that a key has two versions, which nobody can order.
pub(super) fn two_versions(history: &History) -> Option<(Operation<'_>, String)> {
    let mut written: FxHashMap<(Option<ValueId>, &Value), Operation<'_>> = FxHashMap::default();
    let mut values: FxHashMap<(Option<ValueId>, &Value), &Value> = FxHashMap::default();
    for operation in history.operations() {
        let writes = parts(operation.argument()).filter(|(kind, ..)| is_write(kind));
        let reads = parts(operation.result()).filter(|(kind, ..)| is_read(kind));
        let (happened, ok) = (operation.outcome() != Outcome::Fail, operation.outcome() == Outcome::Ok);
        for (_, key, _) in writes.clone().filter(|_| happened) {
            if let Some(other) = written.insert((operation.key_id(), key), operation) {
                let problem =
                    format!("expected keys that are written once, but operation {} wrote key {key} too", other.index());
                return Some((operation, problem));
            }
        }
        let seen = reads.filter(|(.., value)| ok && **value != Value::Nil);
        for (_, key, value) in writes.filter(|_| happened).chain(seen) {
            let known = *values.entry((operation.key_id(), key)).or_insert(value);
            if known != value {
                return Some((operation, format!("expected one value for key {key}, which is {known}, found {value}")));
            }
        }
    }
    None
}
