//! What a verdict costs, and what reading a history costs. Sizes stand in the names: `r10k-c10-v5-cas` is one register, 10,000
//! operations, 10 clients, values 0 to 4, three in ten compare-and-sets.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use shakedown_checkers::history::{Event, EventType, HistoryBuilder, Process, read, write_json_lines};
use shakedown_checkers::{Budget, History, ModelName, Value, linearizability};

/// What a client has begun, and how it ends once it has taken effect.
type Open = (&'static str, Value, Option<(EventType, Value)>);

/// A history that is linearizable by construction: each operation takes effect on an atomic register at one instant between its
/// invocation and its completion. With `stale`, one late read shows a value that was overwritten long before.
fn history(operations: usize, clients: usize, values: Option<i64>, cas: u64, stale: bool) -> History {
    let mut chance = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut builder = HistoryBuilder::new();
    let mut register = Value::Nil;
    let mut older: Vec<Value> = Vec::new();
    let mut open: Vec<Option<Open>> = vec![None; clients];
    let (mut begun, mut fresh, mut planted) = (0, 0, !stale);
    while begun < operations || open.iter().any(Option::is_some) {
        let client = (chance.next_u64() % clients as u64) as usize;
        let mut draw = || {
            fresh += 1;
            values.map_or(fresh, |values| (chance.next_u64() % values as u64) as i64)
        };
        match open[client].take() {
            None if begun == operations => {}
            None => {
                begun += 1;
                let (one, other) = (draw(), draw());
                let (function, argument) = match chance.next_u64() % 10 {
                    0..5 => ("read", Value::Nil),
                    kind if kind < 5 + cas => ("cas", Value::pair(Value::Int(one), Value::Int(other))),
                    _ => ("write", Value::Int(one)),
                };
                push(&mut builder, client, EventType::Invoke, function, argument.clone());
                open[client] = Some((function, argument, None));
            }
            Some((function, argument, None)) => {
                let mut end = (EventType::Ok, argument.clone());
                match (function, argument.as_pair()) {
                    ("read", _) if !planted && begun > operations * 19 / 20 && older.len() > 60 => {
                        end.1 = older[older.len() - 60].clone();
                        planted = true;
                    }
                    ("read", _) => end.1 = register.clone(),
                    ("cas", Some((expected, new))) if register == *expected => register = new.clone(),
                    ("cas", _) => end.0 = EventType::Fail,
                    _ => {
                        older.push(std::mem::replace(&mut register, argument.clone()));
                    }
                }
                open[client] = Some((function, argument, Some(end)));
            }
            Some((function, _, Some((event_type, value)))) => push(&mut builder, client, event_type, function, value),
        }
    }
    builder.finish()
}

fn push(builder: &mut HistoryBuilder, client: usize, event_type: EventType, function: &str, value: Value) {
    let event = Event {
        index: None,
        time: None,
        process: Process::Client(client as u32),
        event_type,
        function: function.to_owned(),
        key: None,
        value,
        error: None,
    };
    builder.push(event).expect("the generator keeps the rules");
}

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
