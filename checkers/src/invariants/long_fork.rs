//! **Long fork**: no two reads see two writes in opposite orders.
//!
//! ```text
//!   p0  ├─ write x=1 ─┤            p2  ├─ read x=1 y=nil ─┤
//!   p1  ├─ write y=1 ─┤            p3  ├─ read x=nil y=1 ─┤      forbidden: which of x and y came first?
//! ```
//!
//! *When to ask for it rather than for its neighbours:* it is what parallel snapshot isolation allows and snapshot isolation does not. It needs no
//! real time, and keys that are written once each.
//!
//! *Method:* each read says "x before y" of every key x that it saw written and y that it did not. Two reads that say the opposite are
//! a fork. Reads that saw the same are judged once, so that in a history without a fork a group of g keys has
//! at most g + 1 different ones. *Source:* `jepsen.tests.long-fork`; here groups of keys may overlap. *Cost:* linear in what is read.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::History;
use crate::history::{Operation, Outcome, Value};

use super::Findings;
use super::objects::{anomaly, ended, others};

pub(super) fn judge(history: &History) -> Findings {
    let mut findings = Findings::default();
    let mut keys: FxHashMap<&Value, u32> = FxHashMap::default();
    let mut snapshots: FxHashSet<Vec<(u32, bool)>> = FxHashSet::default();
    let mut before: FxHashMap<(u32, u32), Operation<'_>> = FxHashMap::default();
    let mut forks = Vec::new();
    for read in history.operations().filter(|operation| operation.outcome() == Outcome::Ok) {
        let mut snapshot: Vec<(u32, bool)> = Vec::new();
        for (key, value) in parts(read.result()).filter(|(kind, ..)| is_read(kind)).map(|(_, key, value)| (key, value))
        {
            let next = keys.len() as u32;
            snapshot.push((*keys.entry(key).or_insert(next), *value != Value::Nil));
        }
        if snapshot.is_empty() {
            continue;
        }
        findings.count("reads", 1);
        snapshot.sort_unstable();
        snapshot.dedup();
        if snapshots.contains(&snapshot) {
            continue;
        }
        let (seen, missed): (Vec<(u32, bool)>, _) = snapshot.iter().copied().partition(|(_, seen)| *seen);
        let pairs = seen.iter().flat_map(|(x, _)| missed.iter().map(move |(y, _)| (*x, *y)));
        let mut fork = None;
        for (x, y) in pairs {
            before.entry((x, y)).or_insert(read);
            fork = fork.or_else(|| before.get(&(y, x)).map(|other| (*other, read, x, y)));
        }
        forks.extend(fork);
        snapshots.insert(snapshot);
    }
    findings.count("snapshots", snapshots.len());
    findings.count("forks", forks.len());
    if let Some((other, read, x, y)) = forks.first().copied() {
        let named = |wanted: u32| keys.iter().find(|(_, at)| **at == wanted).map_or(&Value::Nil, |(key, _)| *key);
        let (x, y) = (named(x), named(y));
        let sentence = format!(
            "process {} saw the write to key {x} {} but not the one to key {y}, and process {} saw the one to {y} {} but not the one to {x}{}",
            read.process(),
            ended(read),
            other.process(),
            ended(other),
            others(forks.len(), "snapshot"),
        );
        let mut fork = anomaly("long-fork", [other, read], sentence);
        let writes = history.operations().filter(|operation| {
            operation.outcome() != Outcome::Fail
                && parts(operation.argument()).any(|(kind, key, _)| is_write(kind) && (key == x || key == y))
        });
        fork.sources = writes.map(Operation::id).collect();
        findings.anomalies.push(fork);
    }
    findings
}

/// The micro-operations of a transaction: what each does, to which key, with which value.
fn parts(transaction: &Value) -> impl Iterator<Item = (&Value, &Value, &Value)> {
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
    let mut written: FxHashSet<&Value> = FxHashSet::default();
    let mut values: FxHashMap<&Value, &Value> = FxHashMap::default();
    for operation in history.operations() {
        let writes = parts(operation.argument()).filter(|(kind, ..)| is_write(kind));
        let reads = parts(operation.result()).filter(|(kind, ..)| is_read(kind));
        for (_, key, value) in writes.filter(|_| operation.outcome() != Outcome::Fail) {
            let another = values.insert(key, value).is_some_and(|known| known != value);
            if !written.insert(key) || another {
                return Some((operation, format!("expected one value for each key, but key {key} has several")));
            }
        }
        for (_, key, value) in reads.filter(|(.., value)| operation.outcome() == Outcome::Ok && **value != Value::Nil) {
            if *values.entry(key).or_insert(value) != value {
                return Some((operation, format!("expected one value for each key, but key {key} has several")));
            }
        }
    }
    None
}
