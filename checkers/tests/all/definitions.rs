//! What each level means, by trying all executions of a small history.
//!
//! An *abstract execution* (Cerone, Bernardi & Gotsman, CONCUR 2015) is a total order `AR` of the transactions that took effect, and for each
//! the set `VIS` ⊆ `AR` of those that it sees. It explains a history if each transaction agrees with itself (INT), and what it reads from outside is
//! the write of the last one in `VIS` that wrote the key (EXT). A list that was read shows all appends in `AR` up to that one: that is what
//! appending means. The axioms only ask for more to be seen, and EXT for less, so that for each `AR` the least `VIS` decides:
//!
//! ```text
//!   read-atomic   wr                           causal-cerone   (wr)+                   prefix   wr, and all in AR before what is seen
//!   update-atomic wr, same-key writers         PSI             (wr, same-key)+         SI       prefix and update-atomic
//!   serializable  all of AR                    strong-…        session or real time in VIS (with all of AR: in AR)
//! ```
//!
//! Adya's levels are told by their cycles, for each order of versions.

use std::collections::BTreeMap;

use shakedown_checkers::Outcome;
use shakedown_checkers::levels::Level;
use shakedown_checkers::transactions::Workload;

use super::generate::{KEYS, Txn};

/// Those decided here.
pub const LEVELS: [Level; 22] = [
    Level::ReadCommitted,
    Level::CursorStability,
    Level::MonotonicAtomicView,
    Level::ConsistentView,
    Level::RepeatableRead,
    Level::ReadAtomic,
    Level::UpdateAtomic,
    Level::CausalCerone,
    Level::Prefix,
    Level::ParallelSnapshotIsolation,
    Level::SnapshotIsolation,
    Level::UpdateSerializable,
    Level::Serializable,
    Level::StrongSessionReadCommitted,
    Level::StrongSessionSnapshotIsolation,
    Level::StrongSessionSerializable,
    Level::StrongReadCommitted,
    Level::StrongSnapshotIsolation,
    Level::StrictSerializable,
    Level::CausalConvergence,
    Level::Sequential,
    Level::Linearizable,
];

/// A set of transactions.
type Set = u32;

/// What a transaction read from outside: the key, and how many had written it before what was read.
type Read = (usize, usize);

struct Executions<'a> {
    workload: Workload,
    txns: &'a [Txn],
    /// Those that took effect.
    all: Set,
    sessions: Vec<Set>,
    times: Vec<Set>,
    holds: BTreeMap<Level, bool>,
}

#[derive(Clone)]
struct Prefix {
    done: Set,
    /// By transaction: those before it.
    before: Vec<Set>,
    reads: Vec<Vec<Read>>,
    /// Whether each agrees with itself.
    agrees: bool,
    /// By key: who wrote it, and what it then was.
    versions: [Vec<(usize, Vec<i64>)>; KEYS],
}

/// Whether each of [`LEVELS`] holds.
pub fn levels(workload: Workload, txns: &[Txn]) -> BTreeMap<Level, bool> {
    let read: Vec<i64> = {
        let ok = txns.iter().filter(|txn| txn.outcome == Outcome::Ok);
        ok.flat_map(|txn| txn.micro.iter().flat_map(|micro| micro.seen.iter().copied())).collect()
    };
    // One that nobody read may be left out of any execution.
    let is_read = |txn: &Txn| txn.micro.iter().filter_map(|micro| micro.written).any(|value| read.contains(&value));
    let which = |is_it: &dyn Fn(&Txn) -> bool| -> Set {
        (0..txns.len()).filter(|&t| is_it(&txns[t])).fold(0, |all, t| all | 1 << t)
    };
    let (certain, possible) =
        (which(&|txn| txn.outcome == Outcome::Ok), which(&|txn| txn.outcome == Outcome::Info && is_read(txn)));
    let mut holds: BTreeMap<Level, bool> = LEVELS.into_iter().map(|level| (level, false)).collect();
    let mut more = possible;
    loop {
        executions(workload, txns, certain | more, &mut holds);
        if more == 0 {
            return holds;
        }
        more = (more - 1) & possible;
    }
}

/// Which levels some execution satisfies in which those of a set took effect.
fn executions(workload: Workload, txns: &[Txn], all: Set, holds: &mut BTreeMap<Level, bool>) {
    let before = |is_before: &dyn Fn(&Txn, &Txn) -> bool| -> Vec<Set> {
        let ended = |t: &usize| all & 1 << t != 0 && txns[*t].outcome == Outcome::Ok;
        let of = |txn| (0..txns.len()).filter(ended).fold(0, |set, t| set | Set::from(is_before(&txns[t], txn)) << t);
        txns.iter().map(of).collect()
    };
    let mut executions = Executions {
        workload,
        txns,
        all,
        sessions: before(&|one, two| one.process == two.process && one.completed < two.invoked),
        times: before(&|one, two| one.completed < two.invoked),
        holds: std::mem::take(holds),
    };
    let none = Prefix {
        done: 0,
        before: vec![0; txns.len()],
        reads: vec![Vec::new(); txns.len()],
        agrees: true,
        versions: Default::default(),
    };
    executions.go(&none);
    *holds = executions.holds;
}

impl Executions<'_> {
    fn go(&mut self, prefix: &Prefix) {
        if prefix.done == self.all {
            self.judge(prefix);
            return;
        }
        let left = self.all & !prefix.done;
        for t in (0..self.txns.len()).filter(|t| left & 1 << t != 0) {
            for next in self.placed(prefix, t) {
                if self.holds.values().all(|holds| *holds) {
                    return;
                }
                self.go(&next);
            }
        }
    }

    /// The order with a transaction more, for each choice of versions that its reads may show; none if one reads what is not there by then.
    fn placed(&self, prefix: &Prefix, t: usize) -> Vec<Prefix> {
        let mut first = prefix.clone();
        first.before[t] = prefix.done;
        first.done |= 1 << t;
        let mut own: [Vec<i64>; KEYS] = Default::default();
        let mut ways: Vec<(Prefix, [Option<usize>; KEYS])> = vec![(first, Default::default())];
        for micro in &self.txns[t].micro {
            let (key, versions) = (micro.key, &prefix.versions[micro.key]);
            if let Some(value) = micro.written {
                own[key].push(value);
                continue;
            }
            if self.txns[t].outcome != Outcome::Ok {
                continue;
            }
            let current = versions.last().map_or(&[][..], |(_, value)| value);
            let with_own = |count: usize| match self.workload {
                Workload::ListAppend => [current, &own[key][..count]].concat(),
                Workload::RwRegister => vec![own[key][count - 1]],
            };
            if let Some(count) = (1..=own[key].len()).rev().find(|&count| with_own(count) == micro.seen) {
                let is_of_lists = self.workload == Workload::ListAppend;
                for (next, read_before) in &mut ways {
                    let is_moved = is_of_lists && read_before[key].is_some_and(|version| version != versions.len());
                    next.agrees &= count == own[key].len() && !is_moved;
                }
                continue;
            }
            let is_shown = |version: &usize| match version {
                0 => micro.seen.is_empty(),
                _ => versions[version - 1].1 == micro.seen,
            };
            let shown: Vec<usize> = (0..=versions.len()).filter(is_shown).collect();
            let chosen = ways.iter().flat_map(|(next, read_before)| {
                shown.iter().map(|&version| {
                    let (mut next, mut read_before) = (next.clone(), *read_before);
                    next.agrees &= own[key].is_empty() && read_before[key].is_none_or(|before| before == version);
                    read_before[key] = Some(version);
                    next.reads[t].push((key, version));
                    (next, read_before)
                })
            });
            ways = chosen.collect();
        }
        let mut all: Vec<Prefix> = ways.into_iter().map(|(next, _)| next).collect();
        all.iter_mut().for_each(|next| self.leave(next, t, &own));
        all
    }

    /// What a transaction leaves written.
    fn leave(&self, next: &mut Prefix, t: usize, own: &[Vec<i64>; KEYS]) {
        for (key, own) in own.iter().enumerate().filter(|(_, own)| !own.is_empty()) {
            let versions = &mut next.versions[key];
            let value = match self.workload {
                Workload::ListAppend => {
                    let current = versions.last().map_or(&[][..], |(_, value)| value);
                    [current, own].concat()
                }
                Workload::RwRegister => own[own.len() - 1..].to_vec(),
            };
            versions.push((t, value));
        }
    }

    fn judge(&mut self, order: &Prefix) {
        let count = self.txns.len();
        let in_order = {
            let mut rows: Vec<usize> = (0..count).filter(|t| self.all & 1 << t != 0).collect();
            rows.sort_by_key(|&t| order.before[t].count_ones());
            rows
        };
        let ones = |set: Set| (0..count).filter(move |t| set & 1 << t != 0);
        let source = |&(key, version): &Read| (version > 0).then(|| order.versions[key][version - 1].0);
        let wr: Vec<Set> =
            order.reads.iter().map(|reads| reads.iter().filter_map(source).fold(0, |set, t| set | 1 << t)).collect();
        let mut same_key = vec![0; count];
        for versions in &order.versions {
            for (at, (t, _)) in versions.iter().enumerate() {
                same_key[*t] |= versions[..at].iter().fold(0, |set, (t, _)| set | 1 << t);
            }
        }
        let or = |one: &[Set], two: &[Set]| -> Vec<Set> { one.iter().zip(two).map(|(one, two)| one | two).collect() };
        let closed = |sees: &[Set], with: &dyn Fn(usize, &[Set]) -> Set| {
            let mut sees = sees.to_vec();
            for &t in &in_order {
                sees[t] |= ones(sees[t]).fold(0, |set, seen| set | with(seen, &sees));
            }
            sees
        };
        let transitive = |sees: &[Set]| closed(sees, &|seen, sees| sees[seen]);
        let prefixes = |sees: &[Set]| closed(sees, &|seen, _| order.before[seen]);
        let misses = |t: usize, sees: Set| {
            order.reads[t].iter().any(|&(key, version)| {
                order.versions[key][version..].iter().any(|(other, _)| *other != t && sees & 1 << other != 0)
            })
        };
        let explains = |sees: &[Set]| in_order.iter().all(|&t| !misses(t, sees[t]));
        let kept = |times: &[Set]| in_order.iter().all(|&t| times[t] & self.all & !order.before[t] == 0);
        let agrees = order.agrees;
        let updates = or(&wr, &same_key);
        let (sessions, times) = (kept(&self.sessions), kept(&self.times));
        let with = |times: &[Set]| explains(&prefixes(&or(&updates, times)));
        let psi = explains(&transitive(&updates));
        let all = explains(&order.before);
        let cursors = in_order.iter().all(|&t| {
            let first =
                |key: usize| self.txns[t].micro.iter().find(|m| m.key == key).is_some_and(|m| m.written.is_none());
            order.reads[t].iter().filter(|(key, _)| first(*key)).all(|&(key, version)| {
                let own = order.versions[key].iter().position(|(other, _)| *other == t);
                own.is_none_or(|own| own == version)
            })
        });
        let monotonic = in_order.iter().all(|&t| {
            let reads = &order.reads[t];
            reads.iter().enumerate().all(|(at, read)| {
                let seen = source(read).map_or(0, |seen| 1 << seen);
                reads[at + 1..].iter().all(|&(key, version)| {
                    order.versions[key][version..].iter().all(|(other, _)| *other == t || seen & 1 << other == 0)
                })
            })
        });
        let mut hold = |level: Level, holds: bool| *self.holds.entry(level).or_default() |= holds;
        hold(Level::ReadCommitted, true);
        hold(Level::CursorStability, cursors);
        hold(Level::MonotonicAtomicView, monotonic);
        hold(Level::ConsistentView, psi);
        hold(Level::RepeatableRead, all);
        hold(Level::ReadAtomic, agrees && explains(&wr));
        hold(Level::UpdateAtomic, agrees && explains(&updates));
        hold(Level::CausalCerone, agrees && explains(&transitive(&wr)));
        hold(Level::Prefix, agrees && explains(&prefixes(&wr)));
        hold(Level::ParallelSnapshotIsolation, agrees && psi);
        hold(Level::SnapshotIsolation, agrees && explains(&prefixes(&updates)));
        hold(Level::UpdateSerializable, self::update_serializable(order, &wr, self.all));
        hold(Level::Serializable, agrees && all);
        hold(Level::StrongSessionReadCommitted, sessions);
        hold(Level::StrongSessionSnapshotIsolation, agrees && sessions && with(&self.sessions));
        hold(Level::StrongSessionSerializable, agrees && sessions && all);
        hold(Level::Sequential, agrees && sessions && all);
        hold(Level::StrongReadCommitted, times);
        hold(Level::StrongSnapshotIsolation, agrees && times && with(&self.times));
        hold(Level::StrictSerializable, agrees && times && all);
        hold(Level::Linearizable, agrees && times && all);
        hold(Level::CausalConvergence, agrees && sessions && explains(&transitive(&or(&wr, &self.sessions))));
    }
}

/// Whether the dependencies among those that write, with any one that only reads, have no cycle.
fn update_serializable(order: &Prefix, wr: &[Set], all: Set) -> bool {
    let count = wr.len();
    let mut after = vec![0; count];
    for (t, sources) in wr.iter().enumerate() {
        (0..count).filter(|source| sources & 1 << source != 0).for_each(|source| after[source] |= 1 << t);
        for &(key, version) in &order.reads[t] {
            order.versions[key][version..].iter().for_each(|(other, _)| after[t] |= 1 << other & !(1 << t));
        }
    }
    let mut writers: Set = 0;
    for versions in &order.versions {
        for (at, (t, _)) in versions.iter().enumerate() {
            writers |= 1 << t;
            versions[at + 1..].iter().for_each(|(other, _)| after[*t] |= 1 << other);
        }
    }
    let is_acyclic = |mut left: Set| {
        while let Some(t) = (0..count).find(|&t| left & 1 << t != 0 && after[t] & left == 0) {
            left &= !(1 << t);
        }
        left == 0
    };
    is_acyclic(writers) && (0..count).filter(|t| all & !writers & 1 << t != 0).all(|t| is_acyclic(writers | 1 << t))
}
