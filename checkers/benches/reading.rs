//! How fast histories are read: 100,000 operations on 1,000 keys by 30 clients, in each format; and 200,000 transactions on lists.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench")]

use std::fmt::Write as _;
use std::io::Write as _;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use shakedown_checkers::history::{ReadOptions, read_with};
use shakedown_checkers::{Budget, ModelName, linearizability};

const OPERATIONS: u64 = 100_000;
const CLIENTS: usize = 30;

struct Event {
    process: usize,
    completes: bool,
    write: bool,
    key: usize,
    value: Option<u64>,
}

/// Reads and writes of a map that works, each at once when it is invoked.
fn events() -> Vec<Event> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut open: Vec<Option<(bool, usize, Option<u64>)>> = vec![None; CLIENTS];
    let mut map = vec![None; 1000];
    let (mut events, mut written) = (Vec::new(), 0);
    while (events.len() as u64) < 2 * OPERATIONS {
        let process = random.next_u64() as usize % CLIENTS;
        if let Some((write, key, value)) = open[process].take() {
            events.push(Event { process, completes: true, write, key, value });
            continue;
        }
        let (write, key) = (random.next_u64() % 2 == 0, random.next_u64() as usize % map.len());
        if write {
            written += 1;
            map[key] = Some(written);
        }
        open[process] = Some((write, key, map[key]));
        let value = map[key].filter(|_| write);
        events.push(Event { process, completes: false, write, key, value });
    }
    events
}

fn json(position: usize, event: &Event) -> String {
    let value = event.value.map_or("null".to_owned(), |value| value.to_string());
    format!(
        "{{\"index\":{position},\"time\":{},\"process\":{},\"type\":\"{}\",\"f\":\"{}\",\"key\":{},\"value\":{value}}}",
        position * 10_007,
        event.process,
        if event.completes { "ok" } else { "invoke" },
        if event.write { "write" } else { "read" },
        event.key,
    )
}

fn edn(position: usize, event: &Event) -> String {
    let value = event.value.map_or("nil".to_owned(), |value| value.to_string());
    format!(
        "{{:process {}, :type :{}, :f :{}, :value [{} {value}], :index {position}, :time {}}}",
        event.process,
        if event.completes { "ok" } else { "invoke" },
        if event.write { "write" } else { "read" },
        event.key,
        position * 10_007,
    )
}

fn log(event: &Event) -> String {
    let value = event.value.map_or("nil".to_owned(), |value| value.to_string());
    format!(
        "INFO  jepsen.util - {}\t:{}\t:{}\t[{} {value}]",
        event.process,
        if event.completes { "ok" } else { "invoke" },
        if event.write { "write" } else { "read" },
        event.key,
    )
}

fn lines(events: &[Event], mut line: impl FnMut(usize, &Event) -> String) -> String {
    events.iter().enumerate().fold(String::new(), |mut text, (position, event)| {
        writeln!(text, "{}", line(position, event)).unwrap();
        text
    })
}

/// The same accesses as the text of Plume has them, a transaction each.
fn access(position: usize, event: &Event) -> String {
    let word = if event.write { "w" } else { "r" };
    format!("{word}({},{},{},{position})", event.key, event.value.unwrap_or(0), event.process)
}

/// A transaction for each event: a list that grows to 32 elements is appended to and read.
fn transactions(events: &[Event]) -> String {
    let mut lists = vec![Vec::<String>::new(); 1000];
    lines(events, move |position, event| {
        let list = &mut lists[event.key];
        if list.len() == 32 {
            list.clear();
        }
        list.push(position.to_string());
        let (key, list) = (event.key, list.join(","));
        format!(
            "{{\"process\":{},\"type\":\"ok\",\"f\":\"txn\",\"value\":[[\"append\",{key},{position}],[\"r\",{key},[{list}]]]}}",
            event.process
        )
    })
}

fn gzip(text: &str) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

fn reading(criterion: &mut Criterion) {
    let events = events();
    let json_lines = lines(&events, json);
    let edn_lines = lines(&events, edn);
    let texts = [
        ("json-lines", json_lines.clone().into_bytes(), json_lines.len()),
        ("json-array", format!("[{}]", json_lines.trim_end().replace('\n', ",\n")).into_bytes(), json_lines.len()),
        ("edn-lines", edn_lines.clone().into_bytes(), edn_lines.len()),
        ("edn-vector", format!("[{edn_lines}]").into_bytes(), edn_lines.len()),
        ("log-lines", lines(&events, |_, event| log(event)).into_bytes(), lines(&events, |_, event| log(event)).len()),
        ("accesses", lines(&events, access).into_bytes(), lines(&events, access).len()),
        ("transactions-json-lines", transactions(&events).into_bytes(), transactions(&events).len()),
        ("json-lines-gzip", gzip(&json_lines), json_lines.len()),
        ("json-lines-zstd", compress_to_vec(json_lines.as_bytes(), CompressionLevel::Fastest), json_lines.len()),
    ];
    let mut group = criterion.benchmark_group("read-100k-operations");
    group.sample_size(20);
    for (name, text, length) in &texts {
        group.throughput(Throughput::Bytes(*length as u64));
        for threads in [1, 2] {
            let options = ReadOptions { threads, ..ReadOptions::default() };
            group.bench_function(format!("{name}-{threads}-threads"), |bencher| {
                bencher.iter(|| read_with("bench", &text[..], &options).unwrap());
            });
        }
    }
    let history = read_with("bench", json_lines.as_bytes(), &ReadOptions::default()).unwrap();
    group.bench_function("the-check-of-the-same-history", |bencher| {
        bencher.iter(|| linearizability::check(&history, ModelName::Kv, None, Budget::default()));
    });
    group.finish();
}

criterion_group!(benches, reading);
criterion_main!(benches);
