//! What a verdict on a queue, a stack, a set or a counter costs. Sizes stand in the names: `q100k-c30` is one queue, 100,000 operations,
//! 30 clients. The histories are linearizable, and their elements distinct.

#[path = "../tests/definition/mod.rs"]
mod definition;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use definition::{Shape, history, long};
use shakedown_checkers::{Budget, History, ModelName, linearizability};

fn linearizable(model: ModelName, operations: u64, processes: u64, unknown: u64) -> History {
    let without: &[&str] = if model == ModelName::Set { &["remove", "contains"] } else { &[] };
    let shape = Shape { operations, processes, unknown, distinct: true, without, ..Shape::of(model) };
    history(model, &long(shape, 1), false)
}

fn checking(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("objects");
    group.sample_size(10);
    let models = [
        ("q", ModelName::FifoQueue),
        ("bag", ModelName::UnorderedQueue),
        ("stack", ModelName::Stack),
        ("set", ModelName::Set),
    ];
    let sizes = [("10k", 10_000), ("100k", 100_000), ("1M", 1_000_000)];
    for (letter, model) in models {
        // A set's reads answer all of it: a hundred times the elements in ten times the operations.
        let largest = if model == ModelName::Set { 2 } else { 3 };
        for (size, operations) in sizes.into_iter().take(largest) {
            for clients in [10, 30] {
                let history = linearizable(model, operations, clients, 0);
                group.throughput(Throughput::Elements(operations));
                group.bench_function(BenchmarkId::from_parameter(format!("{letter}{size}-c{clients}")), |bencher| {
                    bencher.iter(|| {
                        let verdict = linearizability::check(&history, model, None, Budget::default());
                        assert_eq!(black_box(verdict.expect("it fits").word()), "valid");
                    });
                });
            }
        }
    }
    let unknown = linearizable(ModelName::FifoQueue, 100_000, 30, 1);
    group.bench_function("q100k-c30-unknown", |bencher| {
        bencher.iter(|| {
            let verdict = linearizability::check(&unknown, ModelName::FifoQueue, None, Budget::default());
            assert_eq!(black_box(verdict.expect("it fits").word()), "valid");
        });
    });
    // Values that repeat: queues of three values, and strings whose pieces begin with each other.
    for (name, model, operations) in
        [("q10k-c5-repeating", ModelName::FifoQueue, 10_000), ("string2k-c5-repeating", ModelName::StringKv, 2_000)]
    {
        let shape = Shape { operations, processes: 5, unknown: 0, ..Shape::of(model) };
        let history = history(model, &long(shape, 1), false);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let verdict = linearizability::check(&history, model, None, Budget::default());
                assert_eq!(black_box(verdict.expect("it fits").word()), "valid");
            });
        });
    }
    group.finish();
}

criterion_group!(benches, checking);
criterion_main!(benches);
