//! Transactions on registers against the definitions of their levels: on small random histories, all orders are tried.
//!
//! `SHAKEDOWN_HISTORIES=100000` tries so many; without it a few thousand.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use shakedown_checkers::causal;
use shakedown_checkers::history::{Event, EventType, HistoryBuilder, Process};
use shakedown_checkers::transactions::{self, Options, Workload};
use shakedown_checkers::{Budget, History, Level, Value, Verdict};

/// A transaction: of each read the key and who wrote what it shows; the keys that it then writes.
#[derive(Clone, Debug, Default)]
struct Transaction {
    process: usize,
    reads: Vec<(usize, Option<usize>)>,
    writes: Vec<usize>,
}

fn generate(seed: u64) -> Vec<Transaction> {
    let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut draw = |below: usize| (chance.next_u64() % below as u64) as usize;
    let (count, processes, keys) = (2 + draw(4), 2 + draw(3), 1 + draw(3));
    let wild = draw(4);
    let mut all: Vec<Transaction> =
        (0..count).map(|_| Transaction { process: draw(processes), ..Default::default() }).collect();
    for transaction in &mut all {
        transaction.writes = (0..keys).filter(|_| draw(5) < 2).collect();
    }
    for at in 0..count {
        for _ in 0..draw(4) {
            let key = draw(keys);
            let horizon = if draw(8) < wild { count } else { at };
            let writers: Vec<usize> =
                (0..horizon).filter(|&other| other != at && all[other].writes.contains(&key)).collect();
            let pick = if draw(2) == 0 { writers.len() } else { draw(writers.len() + 1) };
            let shown = pick.checked_sub(1).map(|pick| writers[pick]);
            all[at].reads.push((key, shown));
        }
    }
    all
}

/// Histories that hardly ever come by chance.
fn rare() -> [Vec<Transaction>; 2] {
    let done = |process: usize, reads: &[(usize, Option<usize>)], writes: &[usize]| Transaction {
        process,
        reads: reads.to_vec(),
        writes: writes.to_vec(),
    };
    let [x, y, z] = [0, 1, 2];
    // Causal, no monotonic atomic view: two readers see two transactions that wrote x in different orders.
    let crossed = [done(0, &[], &[x, y]), done(1, &[], &[x, z])];
    let readers = [done(2, &[(z, Some(1)), (x, Some(0))], &[]), done(3, &[(y, Some(0)), (x, Some(1))], &[])];
    // Convergent, no causal memory: z puts the first write of x before the second, and so y before it was missed.
    let writes = [done(0, &[], &[y]), done(0, &[], &[x]), done(0, &[], &[z]), done(1, &[], &[x])];
    let reads = [(x, Some(3)), (y, None), (z, Some(2)), (x, Some(3))].map(|read| done(2, &[read], &[]));
    [[crossed, readers].concat(), [writes, reads].concat()]
}

fn history(all: &[Transaction]) -> History {
    let mut builder = HistoryBuilder::new();
    for (at, transaction) in all.iter().enumerate() {
        let micro = |function: &str, key: usize, by: Option<usize>| {
            let value = by.map_or(Value::Nil, |by| Value::Int(by as i64 + 1));
            Value::List(Box::new([Value::text(function), Value::Int(key as i64), value]))
        };
        let list = |answered: bool| {
            let shown = |&(key, by): &(usize, Option<usize>)| micro("r", key, by.filter(|_| answered));
            let reads = transaction.reads.iter().map(shown);
            Value::List(reads.chain(transaction.writes.iter().map(|&key| micro("w", key, Some(at)))).collect())
        };
        for (event_type, value) in [(EventType::Invoke, list(false)), (EventType::Ok, list(true))] {
            let event = Event {
                index: None,
                time: None,
                process: Process::Client(transaction.process as u32),
                event_type,
                function: "txn".to_owned(),
                key: None,
                value,
                error: None,
            };
            builder.push(event).expect("one at a time");
        }
    }
    builder.finish()
}

type Before = Vec<u16>;

/// Process order, reads-from, or both, closed.
fn before(all: &[Transaction], process: bool, reads: bool) -> Before {
    let mut before = vec![0_u16; all.len()];
    for (at, transaction) in all.iter().enumerate() {
        if process {
            (0..at)
                .filter(|&other| all[other].process == transaction.process)
                .for_each(|other| before[at] |= 1 << other);
        }
        if reads {
            transaction.reads.iter().filter_map(|(_, by)| *by).for_each(|by| before[at] |= 1 << by);
        }
    }
    for via in 0..all.len() {
        for at in 0..all.len() {
            if before[at] >> via & 1 == 1 {
                before[at] |= before[via];
            }
        }
    }
    before
}

/// Whether some order of the transactions `inside` that holds `before` satisfies `legal`.
fn some_order(inside: u16, before: &Before, order: &mut Vec<usize>, legal: &dyn Fn(&[usize]) -> bool) -> bool {
    if order.len() == inside.count_ones() as usize {
        return legal(order);
    }
    let placed = order.iter().fold(0_u16, |bits, &at| bits | 1 << at);
    (0..before.len()).filter(|&at| (inside & !placed) >> at & 1 == 1).any(|at| {
        // With a cycle in `before` nothing is ever free.
        if before[at] & inside & !placed != 0 {
            return false;
        }
        order.push(at);
        let found = some_order(inside, before, order, legal);
        order.pop();
        found
    })
}

/// Whether a transaction's reads show the last of those writers in an order that `sees` lets it see, read by read.
fn reads_last(all: &[Transaction], order: &[usize], at: usize, sees: impl Fn(usize, usize) -> bool) -> bool {
    all[at].reads.iter().enumerate().all(|(nth, (key, by))| {
        let last =
            order.iter().rev().find(|&&other| other != at && sees(nth, other) && all[other].writes.contains(key));
        last == by.as_ref()
    })
}

fn holds(all: &[Transaction], level: Level) -> bool {
    let everything = ((1_u32 << all.len()) - 1) as u16;
    let causal = before(all, true, true);
    let cyclic = (0..all.len()).any(|at| causal[at] >> at & 1 == 1);
    let earlier = |order: &[usize], at: usize, other: usize| {
        order.iter().position(|&one| one == other) < order.iter().position(|&one| one == at)
    };
    match level {
        Level::Sequential => some_order(everything, &before(all, true, false), &mut Vec::new(), &|order| {
            (0..all.len()).all(|at| reads_last(all, order, at, |_, other| earlier(order, at, other)))
        }),
        Level::CausalConvergence => some_order(everything, &causal, &mut Vec::new(), &|order| {
            (0..all.len()).all(|at| reads_last(all, order, at, |_, other| causal[at] >> other & 1 == 1))
        }),
        Level::Causal | Level::CausalMemory => {
            !cyclic
                && (0..all.len()).all(|at| {
                    let judged = |one: usize| {
                        one == at || level == Level::CausalMemory && one < at && all[one].process == all[at].process
                    };
                    some_order(causal[at] | 1 << at, &causal, &mut Vec::new(), &|order| {
                        let judged = order.iter().filter(|one| judged(**one));
                        judged
                            .into_iter()
                            .all(|&one| reads_last(all, order, one, |_, other| earlier(order, one, other)))
                    })
                })
        }
        Level::ReadAtomic | Level::MonotonicAtomicView => {
            some_order(everything, &before(all, false, true), &mut Vec::new(), &|order| {
                (0..all.len()).all(|at| {
                    let seen = |nth: usize, other: usize| {
                        let upto = if level == Level::ReadAtomic { all[at].reads.len() } else { nth + 1 };
                        all[at].reads[..upto].iter().any(|(_, by)| *by == Some(other))
                    };
                    reads_last(all, order, at, seen)
                })
            })
        }
        _ => some_order(everything, &before(all, false, true), &mut Vec::new(), &|_| true),
    }
}

/// What sessions see is judged apart from what transactions see of each other.
fn judged(history: &History, level: Level) -> Verdict {
    if causal::DECIDED.contains(&level) {
        return causal::check(history, level, None, Budget::default()).expect("these are transactions");
    }
    transactions::check(history, Workload::RwRegister, level, &Options::default(), &Budget::default())
        .expect("these are transactions")
}

#[test]
fn every_level_of_transactions_is_decided_as_its_definition_does() {
    const LEVELS: [Level; 7] = [
        Level::ReadCommitted,
        Level::MonotonicAtomicView,
        Level::ReadAtomic,
        Level::Causal,
        Level::CausalConvergence,
        Level::CausalMemory,
        Level::Sequential,
    ];
    let histories = std::env::var("SHAKEDOWN_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(4_000);
    let mut reached = std::collections::BTreeMap::<(&str, bool), u64>::new();
    let mut separated = std::collections::BTreeSet::<(Level, Level)>::new();
    for seed in 0..histories {
        let all = rare().into_iter().nth(seed as usize).unwrap_or_else(|| generate(seed));
        let history = history(&all);
        let expected = LEVELS.map(|level| (level, holds(&all, level)));
        for (level, holds) in expected {
            let verdict = judged(&history, level);
            let word = if holds { "valid" } else { "invalid" };
            assert_eq!(verdict.word(), word, "{} of seed {seed}: {all:#?} {verdict:#?}", level.name());
            *reached.entry((level.name(), holds)).or_default() += 1;
        }
        for (strong, _) in expected.iter().filter(|(_, holds)| *holds) {
            let broken = expected.iter().find(|(weak, holds)| !holds && strong.implies(*weak));
            assert_eq!(broken, None, "{} holds in seed {seed}: {all:#?}", strong.name());
            let without = expected.iter().filter(|(_, holds)| !holds);
            separated.extend(without.map(|(weak, _)| (*strong, *weak)));
        }
    }
    for (one, other) in LEVELS.iter().flat_map(|one| LEVELS.iter().map(move |other| (*one, *other))) {
        let (one_name, other_name) = (one.name(), other.name());
        assert_eq!(separated.contains(&(one, other)), !one.implies(other), "{one_name} without {other_name}");
    }
    println!("{reached:#?}");
    assert_eq!(reached.len(), 2 * LEVELS.len(), "each level held and was broken");
}
