//! Transactions over ten keys, strict-serializable, from their columns to the verdict.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use shakedown_checkers::history::read;
use shakedown_checkers::transactions::{Options, Workload, analyse};
use shakedown_checkers::{Budget, History};

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
    group.finish();
}

criterion_group!(benches, transactions);
criterion_main!(benches);
