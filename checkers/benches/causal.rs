//! What a verdict on causal consistency costs, from the history in memory. Sizes stand in the names: `100k-s10` is 100,000 operations of
//! 10 sessions on 1,000 keys.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use shakedown_checkers::causal;
use shakedown_checkers::history::{Event, EventType, HistoryBuilder, Process};
use shakedown_checkers::{Budget, History, Level, Value};

/// A history of a store that is one log, of which each session has read up to somewhere: sequentially consistent.
fn history(operations: usize, sessions: usize, keys: usize) -> History {
    let mut chance = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut draw = |below: usize| (chance.next_u64() % below as u64) as usize;
    let mut log: Vec<(usize, i64)> = Vec::new();
    let mut states = vec![vec![0_i64; keys]; sessions];
    let mut seen = vec![0; sessions];
    let mut builder = HistoryBuilder::new();
    for at in 0..operations {
        let (session, key, writes) = (draw(sessions), draw(keys), draw(2) == 0);
        if writes {
            log.push((key, at as i64 + 1));
        }
        if writes || draw(20) == 0 {
            for &(key, value) in &log[seen[session]..] {
                states[session][key] = value;
            }
            seen[session] = log.len();
        }
        let shown = match states[session][key] {
            0 => Value::Nil,
            number => Value::Int(number),
        };
        let function = if writes { "write" } else { "read" };
        let asked = if writes { shown.clone() } else { Value::Nil };
        for (event_type, value) in [(EventType::Invoke, asked), (EventType::Ok, shown)] {
            let event = Event {
                index: None,
                time: None,
                process: Process::Client(session as u32),
                event_type,
                function: function.to_owned(),
                key: Some(Value::Int(key as i64)),
                value,
                error: None,
            };
            builder.push(event).expect("one at a time");
        }
    }
    builder.finish()
}

fn checking(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("causal");
    group.sample_size(10);
    for (name, operations, sessions, keys) in
        [("100k-s10", 100_000, 10, 1_000), ("100k-s100", 100_000, 100, 1_000), ("100k-hot-s50", 100_000, 50, 10)]
    {
        let history = history(operations, sessions, keys);
        group.throughput(Throughput::Elements(operations as u64));
        for level in [Level::Causal, Level::CausalConvergence, Level::MonotonicReads] {
            group.bench_with_input(BenchmarkId::new(level.name(), name), &history, |bencher, history| {
                bencher.iter(|| causal::check(black_box(history), level, None, Budget::default()));
            });
        }
    }
    let sequential = history(100_000, 50, 1_000);
    group.bench_with_input(BenchmarkId::new("sequential", "100k-s50"), &sequential, |bencher, history| {
        bencher.iter(|| causal::check(black_box(history), Level::Sequential, None, Budget::default()));
    });
    let history = history(10_000, 10, 1_000);
    for level in [Level::CausalMemory, Level::Pram, Level::Sequential] {
        group.bench_with_input(BenchmarkId::new(level.name(), "10k-s10"), &history, |bencher, history| {
            bencher.iter(|| causal::check(black_box(history), level, None, Budget::default()));
        });
    }
}

criterion_group!(benches, checking);
criterion_main!(benches);
