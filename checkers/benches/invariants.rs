//! What the rules of workloads cost, on histories in memory: a million operations, a tenth of that where each reads a hundred elements or
//! twenty keys. `right` histories break nothing; the others are wrong, or right, in the way that costs most.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use shakedown_checkers::Value;
use shakedown_checkers::invariants::atomic_commitment::{self, Event};
use shakedown_checkers::invariants::{self, Invariant, Options, saga};

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/all/invariants/histories.rs"]
mod histories;

use histories::{Chance, list, number, sequence};

const OPERATIONS: usize = 1_000_000;

/// Function, argument, result: one after another.
type Operations = Vec<(&'static str, Value, Value)>;

/// A right history of so many operations, as hard as the workload makes it.
fn long(invariant: Invariant) -> Operations {
    let nil = Value::Nil;
    let each = |of: &dyn Fn(usize) -> (&'static str, Value, Value)| (0..OPERATIONS).map(of).collect();
    match invariant {
        Invariant::Bank => each(&|n| {
            let moved = |account: usize| (number(account), Value::Int(if account == n % 10 { 10 } else { 0 }));
            ("read", nil.clone(), Value::Map((0..10).map(moved).collect()))
        }),
        Invariant::Set => {
            let mut ops: Vec<_> = (1..OPERATIONS).map(|n| ("add", number(n), nil.clone())).collect();
            ops.push(("read", nil.clone(), list((1..OPERATIONS).map(number))));
            ops
        }
        // 1,000 elements, and reads that show most of them.
        Invariant::SetFull => (0..OPERATIONS / 10)
            .map(|n| match n < 100 {
                true => ("add", number(n), nil.clone()),
                false => ("read", nil.clone(), list((0..100).map(number))),
            })
            .collect(),
        Invariant::Counter => each(&|n| match n % 2 {
            0 => ("add", number(1), nil.clone()),
            _ => ("read", nil.clone(), number(n / 2 + 1)),
        }),
        Invariant::Queue => each(&|n| match n % 2 {
            0 => ("enqueue", number(n / 2 % 7), nil.clone()),
            _ => ("dequeue", nil.clone(), number(n / 2 % 7)),
        }),
        // Overlapping groups of 20 keys among 2,000, each read as far as the writes came.
        Invariant::LongFork => (0..OPERATIONS / 10)
            .map(|n| {
                let keys = (0..20).map(|nth| (n * 7 + nth * 13) % 2_000);
                let upto = n % 2_000;
                let part = |key| list([Value::text("r"), number(key), if key < upto { number(1) } else { Value::Nil }]);
                ("read", nil.clone(), list(keys.map(part)))
            })
            .collect(),
        Invariant::UniqueIds => each(&|n| ("generate", nil.clone(), number(n))),
        Invariant::Monotonic => each(&|n| ("read", nil.clone(), number(n / 3))),
        Invariant::Staleness => each(&|n| match n % 2 {
            0 => ("write", number(n), number(n)),
            _ => ("read", nil.clone(), number((n / 2 * 2).saturating_sub(2 * (n % 9)))),
        }),
    }
}

/// Histories that are wrong, or right, in the way that costs the most.
fn hard() -> Vec<(&'static str, Invariant, Operations)> {
    let part =
        |key: usize, seen: bool| list([Value::text("r"), number(key), if seen { number(1) } else { Value::Nil }]);
    let mut chance = Chance::of(1);
    let read = |parts: Vec<Value>| ("read", Value::Nil, list(parts));
    let random =
        (0..100_000).map(|_| read((0..20).map(|_| chance.below(2_000)).map(|key| part(key, key % 2 == 0)).collect()));
    let random: Vec<_> = random.collect();
    let mut chance = Chance::of(2);
    let forked = (0..100_000).map(|_| read((0..20).map(|_| part(chance.below(2_000), chance.one_in(2))).collect()));
    // Each read sees one key and misses the next: a single cycle through all.
    let ring = (0..50_000).map(|n| read(vec![part(n, true), part((n + 1) % 50_000, false)]));
    let wide = (0..2_000).map(|n| read((0..2_000).map(|key| part(key, key < n)).collect()));
    let lost = (0..500_000).map(|n| ("enqueue", number(n), Value::Nil)).chain([("drain", Value::Nil, list([]))]);
    let twice = (0..1_000_000)
        .map(|n| if n == 0 { ("enqueue", number(1), Value::Nil) } else { ("dequeue", Value::Nil, number(1)) });
    let strange = (0..100_000).map(|n| ("read", Value::Nil, list((0..100).map(|nth| number(nth + n % 7)))));
    let low = (0..1_000_000)
        .map(|n| if n % 2 == 0 { ("add", number(1), Value::Nil) } else { ("read", Value::Nil, number(0)) });
    let old = (0..1_000_000)
        .map(|n| if n % 2 == 0 { ("write", number(n), Value::Nil) } else { ("read", Value::Nil, number(0)) });
    vec![
        ("two kinds of keys", Invariant::LongFork, random),
        ("forks everywhere", Invariant::LongFork, forked.collect()),
        ("one long cycle", Invariant::LongFork, ring.collect()),
        ("2,000 keys in each read", Invariant::LongFork, wide.collect()),
        ("all lost", Invariant::Queue, lost.collect()),
        ("one element again and again", Invariant::Queue, twice.collect()),
        ("strangers in each read", Invariant::SetFull, strange.collect()),
        ("all too low", Invariant::Counter, low.collect()),
        ("all stale", Invariant::Staleness, old.collect()),
    ]
}

fn judged(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("invariants");
    group.sample_size(10);
    let right = Invariant::ALL.map(|invariant| ("right", invariant, long(invariant)));
    for (what, invariant, ops) in right.into_iter().chain(hard()) {
        let options = Options { linearizable: true, ..Options::default() };
        let bounded = Options { max_versions: Some(0), ..options.clone() };
        let options = if what == "right" { options } else { bounded };
        let history = sequence(&ops);
        group.throughput(Throughput::Elements(history.len() as u64));
        group.bench_function(BenchmarkId::new(invariant.name(), what), |bencher| {
            bencher.iter(|| black_box(invariants::judge(&history, invariant, &options)));
        });
    }
    group.finish();
}

fn traced(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("traces");
    group.sample_size(10).throughput(Throughput::Elements(OPERATIONS as u64));
    let decided = |at: u64, transaction| {
        let event = Event::Decided { transaction, participant: (at % 3) as u32, commit: true };
        atomic_commitment::Entry { at, event }
    };
    for (what, transactions) in [("one transaction", 1), ("100,000 transactions", 100_000)] {
        let trace: Vec<_> = (0..OPERATIONS as u64).map(|at| decided(at, at % transactions)).collect();
        group.bench_function(BenchmarkId::new("atomic commitment", what), |bencher| {
            bencher.iter(|| black_box(atomic_commitment::check(&trace)));
        });
    }
    let done = |step| saga::Entry { at: step as u64, saga: 0, event: saga::Event::Done(step) };
    let steps: Vec<_> = (0..OPERATIONS).map(done).collect();
    group.bench_function("saga", |bencher| bencher.iter(|| black_box(saga::check(&steps))));
    group.finish();
}

criterion_group!(benches, judged, traced);
criterion_main!(benches);
