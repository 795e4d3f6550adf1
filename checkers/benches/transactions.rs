//! Transactions, from their columns to the verdict: lists over ten keys, strict-serializable, and registers whose version order nobody saw.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use shakedown_checkers::history::read;
use shakedown_checkers::transactions::{Options, Workload, analyse, check};
use shakedown_checkers::{Budget, History, Level};

/// Ten clients in turn, each with a transaction of an append and a read; keys change after 32 appends.
fn history(transactions: usize) -> History {
    let mut lists: Vec<Vec<usize>> = vec![Vec::new(); transactions];
    let mut text = String::new();
    for n in 0..transactions {
        let (to, from) = (n / 320 * 10 + n % 10, n / 320 * 10 + (7 * n) % 10);
        lists[to].push(n);
        let process = n % 10;
        let value = format!("[[\"append\",{to},{n}],[\"r\",{from},{:?}]]", lists[from]);
        for kind in ["invoke", "ok"] {
            let written =
                writeln!(text, "{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"txn\",\"value\":{value}}}");
            written.expect("a string takes all");
        }
    }
    read("bench", text.as_bytes()).expect("it is well-formed")
}

/// Fifty sessions in turn, each with transactions of reads and writes of a thousand keys, all at once.
fn registers(transactions: usize) -> History {
    let mut values = vec![0; 1_000];
    let mut text = String::new();
    for n in 0..transactions {
        let accesses: Vec<String> = (0..10)
            .map(|at| {
                let key = (n * 7_919 + at * 104_729) % values.len();
                if (n + at) % 2 == 0 {
                    let read = values[key];
                    return if read == 0 { format!("[\"r\",{key},null]") } else { format!("[\"r\",{key},{read}]") };
                }
                values[key] = 10 * n + at + 1;
                format!("[\"w\",{key},{}]", values[key])
            })
            .collect();
        let (session, accesses) = (n % 50, accesses.join(","));
        let written = writeln!(text, "{{\"process\":{session},\"type\":\"ok\",\"f\":\"txn\",\"value\":[{accesses}]}}");
        written.expect("a string takes all");
    }
    read("bench", text.as_bytes()).expect("it is well-formed")
}

fn transactions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("transactions");
    group.sample_size(10);
    for (name, count) in [("list-append-10k-c10", 10_000), ("list-append-100k-c10", 100_000)] {
        let history = history(count);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                analyse(black_box(&history), Workload::ListAppend, &Options::default(), &Budget::default())
                    .expect("it fits")
            });
        });
    }
    let history = registers(10_000);
    for level in [Level::ReadAtomic, Level::SnapshotIsolation, Level::Serializable] {
        group.bench_function(format!("rw-register-10k-s50-{}", level.name()), |bencher| {
            bencher.iter(|| {
                let options = Options::default();
                let verdict = check(black_box(&history), Workload::RwRegister, level, &options, &Budget::default());
                assert_eq!(verdict.expect("it fits").word(), "valid");
            });
        });
    }
    group.finish();
}

criterion_group!(benches, transactions);
criterion_main!(benches);
