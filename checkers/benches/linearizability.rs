//! What a verdict costs, and what reading a history costs. Sizes stand in the names: `r10k-c10-v5-cas` is one register, 10,000
//! operations, 10 clients, values 0 to 4, three in ten compare-and-sets.

mod register;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use register::history;
use shakedown_checkers::history::{read, write_json_lines};
use shakedown_checkers::{Budget, ModelName, linearizability};

fn checking(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("check");
    group.sample_size(10);
    let histories = [
        ("r1k-c10", history(1_000, 10, None, 0, false), "valid"),
        ("r10k-c10", history(10_000, 10, None, 0, false), "valid"),
        ("r10k-c10-stale", history(10_000, 10, None, 0, true), "invalid"),
        ("r10k-c30", history(10_000, 30, None, 0, false), "valid"),
        ("r10k-c10-v5-cas", history(10_000, 10, Some(5), 3, false), "valid"),
        ("r10k-c30-v5-cas", history(10_000, 30, Some(5), 3, false), "valid"),
        ("r100k-c10", history(100_000, 10, None, 0, false), "valid"),
    ];
    for (name, history, expected) in &histories {
        group.throughput(Throughput::Elements(history.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(name), history, |bencher, history| {
            bencher.iter(|| {
                let verdict = linearizability::check(history, ModelName::CasRegister, None, Budget::default());
                assert_eq!(verdict.expect("it fits").word(), *expected);
            });
        });
    }
    group.finish();
}

fn reading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    group.sample_size(10);
    let mut text = Vec::new();
    write_json_lines(&history(100_000, 10, None, 0, false), &mut text).expect("memory takes it");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("json-lines-100k", |bencher| {
        bencher.iter(|| black_box(read("bench", text.as_slice()).expect("it was just written")));
    });
    group.finish();
}

criterion_group!(benches, checking, reading);
criterion_main!(benches);
