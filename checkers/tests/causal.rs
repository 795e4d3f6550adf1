//! Causal consistency and its neighbours against their definitions: on small random histories, all orders are tried.
//!
//! `SHAKEDOWN_HISTORIES=100000` tries so many; without it a few thousand.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use shakedown_checkers::causal;
use shakedown_checkers::history::{Event, EventType, HistoryBuilder, Process};
use shakedown_checkers::{Budget, History, Level, ModelName, OperationId, Value, Verdict, linearizability};

/// One operation: who, whether it writes, the key, and the value (0: the initial one).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Op {
    process: usize,
    writes: bool,
    key: usize,
    value: i64,
}

fn histories() -> u64 {
    std::env::var("SHAKEDOWN_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(4_000)
}

/// Up to 8 operations of up to 4 processes on 2 keys. Reads show what some replica may hold, and now and then anything that is written.
fn generate(seed: u64) -> Vec<Op> {
    let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut draw = |below: u64| (chance.next_u64() % below) as usize;
    let processes = 2 + draw(3);
    let keys = 1 + draw(2);
    let length = 3 + draw(6);
    let wild = draw(3);
    let mut ops: Vec<Op> = Vec::new();
    let mut fresh = 0;
    for _ in 0..length {
        let (process, key, writes) = (draw(processes as u64), draw(keys as u64), draw(5) < 2);
        if writes {
            fresh += 1;
        }
        ops.push(Op { process, writes, key, value: if writes { fresh } else { 0 } });
    }
    for at in 0..length {
        if ops[at].writes {
            continue;
        }
        let horizon = if draw(8) < wild { length } else { at };
        let written: Vec<i64> =
            ops[..horizon].iter().filter(|op| op.writes && op.key == ops[at].key).map(|op| op.value).collect();
        let pick = draw(written.len() as u64 + 1);
        // The newest more often than not.
        let pick = if draw(4) < 2 { written.len() } else { pick };
        ops[at].value = pick.checked_sub(1).map_or(0, |pick| written[pick]);
    }
    ops
}

fn event(process: usize, event_type: EventType, function: &str, key: Option<i64>, value: Value) -> Event {
    Event {
        index: None,
        time: None,
        process: Process::Client(process as u32),
        event_type,
        function: function.to_owned(),
        key: key.map(Value::Int),
        value,
        error: None,
    }
}

/// One after the other: in real time too.
fn history(ops: &[Op]) -> History {
    let mut builder = HistoryBuilder::new();
    for op in ops {
        let (function, value) = (if op.writes { "write" } else { "read" }, value(op.value));
        let asked = if op.writes { value.clone() } else { Value::Nil };
        for (kind, value) in [(EventType::Invoke, asked), (EventType::Ok, value)] {
            builder.push(event(op.process, kind, function, Some(op.key as i64), value)).expect("one at a time");
        }
    }
    builder.finish()
}

fn value(number: i64) -> Value {
    if number == 0 { Value::Nil } else { Value::Int(number) }
}

fn word(history: &History, level: Level) -> &'static str {
    causal::check(history, level, None, Budget::default()).expect("these are registers").word()
}

/// A relation on at most 16 operations: for each what comes before it, as bits.
type Before = Vec<u16>;

fn process_order(ops: &[Op]) -> Before {
    let before = |at: usize| (0..at).filter(move |&other| ops[other].process == ops[at].process);
    (0..ops.len()).map(|at| before(at).fold(0, |bits, other| bits | 1 << other)).collect()
}

/// Every reads-from closed with process order; `None` if that has a cycle.
fn causal_order(ops: &[Op]) -> Option<Before> {
    let mut before = process_order(ops);
    for (at, op) in ops.iter().enumerate().filter(|(_, op)| !op.writes && op.value != 0) {
        before[at] |= 1 << ops.iter().position(|other| other.writes && other.value == op.value)?;
    }
    close(&mut before);
    before.iter().enumerate().all(|(at, bits)| bits >> at & 1 == 0).then_some(before)
}

fn close(before: &mut Before) {
    for via in 0..before.len() {
        for at in 0..before.len() {
            if before[at] >> via & 1 == 1 {
                before[at] |= before[via];
            }
        }
    }
}

/// Whether the operations `inside` can be put into an order that holds `before`, in which each of `judged` reads what it read.
fn has_order(ops: &[Op], inside: u16, judged: u16, before: &Before, placed: u16, state: [i64; 2]) -> bool {
    if placed == inside {
        return true;
    }
    (0..ops.len()).filter(|&at| (inside & !placed) >> at & 1 == 1).any(|at| {
        let op = ops[at];
        if before[at] & inside & !placed != 0 || judged >> at & 1 == 1 && !op.writes && state[op.key] != op.value {
            return false;
        }
        let mut state = state;
        if op.writes {
            state[op.key] = op.value;
        }
        has_order(ops, inside, judged, before, placed | 1 << at, state)
    })
}

fn all(ops: &[Op]) -> u16 {
    ((1_u32 << ops.len()) - 1) as u16
}

/// Causal order is any order that holds process order and has the property; reads-from is the least of use, as every read must have its
/// write in its past.
fn is_causal(ops: &[Op]) -> bool {
    let Some(before) = causal_order(ops) else { return false };
    (0..ops.len()).all(|at| has_order(ops, before[at] | 1 << at, 1 << at, &before, 0, [0; 2]))
}

fn is_causal_memory(ops: &[Op]) -> bool {
    let Some(before) = causal_order(ops) else { return false };
    let own = process_order(ops);
    (0..ops.len()).all(|at| has_order(ops, before[at] | 1 << at, own[at] | 1 << at, &before, 0, [0; 2]))
}

fn is_pram(ops: &[Op]) -> bool {
    let before = process_order(ops);
    (0..4).all(|process| {
        let mine = ops.iter().enumerate().filter(|(_, op)| op.process == process);
        let judged = mine.fold(0, |bits, (at, _)| bits | 1 << at);
        let writes = ops.iter().enumerate().filter(|(_, op)| op.writes).fold(0, |bits, (at, _)| bits | 1 << at);
        has_order(ops, judged | writes, judged, &before, 0, [0; 2])
    })
}

fn is_sequential(ops: &[Op]) -> bool {
    has_order(ops, all(ops), all(ops), &process_order(ops), 0, [0; 2])
}

/// All orders of all writes that hold causal order; each read must show the last write of its key in its past.
fn is_convergent(ops: &[Op]) -> bool {
    fn orders(ops: &[Op], before: &Before, order: &mut Vec<usize>) -> bool {
        let writes = ops.iter().filter(|op| op.writes).count();
        if order.len() == writes {
            return (0..ops.len()).filter(|&at| !ops[at].writes).all(|at| {
                let last = order.iter().rev().find(|&&w| ops[w].key == ops[at].key && before[at] >> w & 1 == 1);
                last.map_or(0, |&w| ops[w].value) == ops[at].value
            });
        }
        (0..ops.len()).any(|at| {
            let free = ops[at].writes && !order.contains(&at);
            if !free || (0..ops.len()).any(|w| ops[w].writes && before[at] >> w & 1 == 1 && !order.contains(&w)) {
                return false;
            }
            order.push(at);
            let found = orders(ops, before, order);
            order.pop();
            found
        })
    }
    causal_order(ops).is_some_and(|before| orders(ops, &before, &mut Vec::new()))
}

/// The session guarantees as `guarantees.rs` words them, read by read and write by write. What shows its own process's future is no
/// business of theirs.
fn keeps(ops: &[Op], level: Level) -> bool {
    let own = process_order(ops);
    let writer = |at: usize| ops.iter().position(|op| op.writes && op.value == ops[at].value && ops[at].value != 0);
    let before = |one: usize, other: usize| own[other] >> one & 1 == 1;
    let reads: Vec<usize> = (0..ops.len()).filter(|&at| !ops[at].writes).collect();
    let causal = causal_order(ops);
    if level == Level::WritesFollowReads && causal.is_none() {
        return false;
    }
    reads.iter().all(|&read| {
        (0..ops.len()).filter(|&w| ops[w].writes && ops[w].key == ops[read].key && Some(w) != writer(read)).all(|w| {
            let seen = |w: usize| {
                reads.iter().any(|&r| (r == read || before(r, read)) && writer(r) == Some(w) && !before(r, w))
            };
            let must = match level {
                Level::ReadYourWrites => before(w, read),
                Level::MonotonicReads => seen(w),
                Level::MonotonicWrites => (0..ops.len()).any(|top| before(w, top) && seen(top)),
                _ => {
                    (0..ops.len()).any(|top| seen(top) && reads.iter().any(|&r| before(r, top) && writer(r) == Some(w)))
                }
            };
            // Whether what was read is known to be older.
            let older = match writer(read) {
                None => true,
                Some(source) => match (level, &causal) {
                    (Level::WritesFollowReads, Some(causal)) => causal[w] >> source & 1 == 1,
                    (Level::ReadYourWrites, _) => {
                        before(source, w)
                            || ops[source].process != ops[w].process
                                && reads.iter().any(|&r| before(r, w) && before(r, read) && writer(r) == Some(source))
                    }
                    _ => before(source, w),
                },
            };
            !(must && older)
        })
    })
}

const GUARANTEES: [Level; 4] =
    [Level::ReadYourWrites, Level::MonotonicReads, Level::MonotonicWrites, Level::WritesFollowReads];

#[test]
fn every_level_is_decided_as_its_definition_does_and_each_implies_what_it_should() {
    let mut reached = std::collections::BTreeMap::<(&str, bool), u64>::new();
    for seed in 0..histories() {
        let ops = generate(seed);
        let history = history(&ops);
        let expected = [
            (Level::Causal, is_causal(&ops)),
            (Level::CausalConvergence, is_convergent(&ops)),
            (Level::CausalMemory, is_causal_memory(&ops)),
            (Level::Pram, is_pram(&ops)),
            (Level::Sequential, is_sequential(&ops)),
        ];
        let guarantees = GUARANTEES.map(|level| (level, keeps(&ops, level)));
        let mut held = Vec::new();
        for (level, holds) in expected.into_iter().chain(guarantees) {
            let got = word(&history, level);
            assert_eq!(got, if holds { "valid" } else { "invalid" }, "{} of seed {seed}: {ops:#?}", level.name());
            *reached.entry((level.name(), holds)).or_default() += 1;
            held.push((level, holds));
        }
        for (strong, _) in held.iter().filter(|(_, holds)| *holds) {
            let broken = held.iter().find(|(weak, holds)| !holds && strong.implies(*weak));
            assert_eq!(broken, None, "{} holds in seed {seed}: {ops:#?}", strong.name());
        }
        let linearizable = linearizability::check(&history, ModelName::Kv, None, Budget::default());
        if linearizable == Ok(Verdict::Valid) {
            assert_eq!(word(&history, Level::Sequential), "valid", "linearizable, seed {seed}: {ops:#?}");
        }
    }
    println!("{reached:#?}");
    for level in causal::DECIDED {
        for holds in [true, false] {
            assert!(reached.contains_key(&(level.name(), holds)), "no history where {} is {holds}", level.name());
        }
    }
}

#[test]
fn every_operation_of_a_proof_is_needed_and_the_proof_alone_is_broken() {
    for seed in 0..histories() / 8 {
        let ops = generate(seed);
        let whole = history(&ops);
        for level in causal::DECIDED {
            let verdict = causal::check(&whole, level, None, Budget::default()).expect("these are registers");
            for anomaly in verdict.anomalies().iter().filter(|anomaly| anomaly.name != "ThinAirRead") {
                let proof = &anomaly.proof;
                let alone = whole.restricted_to(|id| proof.contains(&id));
                assert_eq!(word(&alone, level), "invalid", "{} of seed {seed}: {anomaly:#?}", level.name());
                for left_out in proof {
                    // A read whose write is left out shows nothing.
                    let silent = |id: &OperationId| {
                        let read = whole.operation(*id);
                        let written = whole.operation(*left_out);
                        read.function() == "read"
                            && written.function() == "write"
                            && read.result_id() == written.argument_id()
                    };
                    let fewer = whole.restricted_to(|id| proof.contains(&id) && id != *left_out && !silent(&id));
                    assert_eq!(
                        word(&fewer, level),
                        "valid",
                        "{}, {left_out:?}, seed {seed}: {anomaly:#?}",
                        level.name()
                    );
                }
            }
        }
    }
}

/// A history of completions in a row: `p f key value` on each line.
fn written_out(lines: &str) -> History {
    let mut builder = HistoryBuilder::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let parts: Vec<&str> = line.split_whitespace().collect();
        let [process, kind, function, key, number] = parts[..] else { panic!("expected five words: {line}") };
        let process = process.parse().expect("a number");
        let key = Some(key.parse().expect("a number"));
        let value = value(number.parse().expect("a number"));
        let asked = if function == "write" { value.clone() } else { Value::Nil };
        let ends = match kind {
            "fail" => EventType::Fail,
            "info" => EventType::Info,
            _ => EventType::Ok,
        };
        builder.push(event(process, EventType::Invoke, function, key, asked)).expect("one at a time");
        builder.push(event(process, ends, function, key, value)).expect("it is open");
    }
    builder.finish()
}

fn names(lines: &str, level: Level) -> Vec<&'static str> {
    let verdict = causal::check(&written_out(lines), level, None, Budget::default()).expect("these are registers");
    verdict.anomalies().iter().map(|anomaly| anomaly.name).collect()
}

#[test]
fn patterns_are_found_by_name() {
    assert_eq!(names("0 ok read 1 7", Level::Causal), ["ThinAirRead"]);
    assert_eq!(names("0 fail write 1 7\n1 ok read 1 7", Level::Causal), ["aborted-read"]);
    let circle = "0 ok read 1 2\n0 ok write 2 1\n1 ok read 2 1\n1 ok write 1 2";
    assert_eq!(names(circle, Level::Causal), ["CyclicCO"]);
    assert_eq!(names("0 ok write 1 1\n0 ok read 1 0", Level::Causal), ["WriteCOInitRead"]);
    assert_eq!(names("0 ok write 1 1\n0 ok write 1 2\n0 ok read 1 1", Level::CausalConvergence), ["WriteCORead"]);
    let crossed = "0 ok write 1 1\n1 ok write 1 2\n2 ok read 1 1\n2 ok read 1 2\n3 ok read 1 2\n3 ok read 1 1";
    assert_eq!(names(crossed, Level::Causal), [""; 0]);
    assert_eq!(names(crossed, Level::CausalConvergence), ["CyclicCF"]);
    let flipped = "0 ok write 1 1\n1 ok write 1 2\n2 ok read 1 1\n2 ok read 1 2\n2 ok read 1 1";
    assert_eq!(names(flipped, Level::CausalMemory), ["CyclicHB"]);
    assert_eq!(names(flipped, Level::Sequential), ["CyclicCF"]);
    let hidden = "0 ok write 1 1\n0 ok write 2 2\n1 ok write 2 3\n1 ok read 2 2\n2 ok read 1 0";
    assert_eq!(names(hidden, Level::CausalMemory), [""; 0]);
}

#[test]
fn a_write_of_unknown_outcome_counts_once_it_was_read_but_nothing_comes_after_it() {
    // Process 0 went on without knowing of its write of 1, which may happen later than its write of 2.
    let late = "0 info write 1 1\n0 ok write 2 2\n1 ok read 2 2\n1 ok read 1 0\n1 ok read 1 1";
    assert_eq!(names(late, Level::Causal), [""; 0]);
    assert_eq!(names("0 info write 1 1\n1 ok read 1 1\n1 ok read 1 0", Level::Causal), ["WriteCOInitRead"]);
    assert_eq!(names("0 info write 1 1\n0 ok write 1 2\n1 ok read 1 0", Level::Causal), [""; 0]);
}

#[test]
fn a_value_that_was_written_twice_and_read_is_not_guessed_about() {
    let verdict =
        |lines| causal::check(&written_out(lines), Level::Causal, None, Budget::default()).expect("registers");
    let Verdict::Unknown(undecided) = verdict("0 ok write 1 1\n1 ok write 1 1\n2 ok read 1 1") else {
        panic!("nobody knows which was read")
    };
    assert!(undecided.reason.contains("operation 0") && undecided.reason.contains("operation 2"), "{undecided:?}");
    assert_eq!(verdict("0 ok write 1 1\n1 ok write 1 1\n2 ok read 1 0"), Verdict::Valid);
    assert_eq!(verdict("0 ok write 1 1\n1 fail write 1 1\n2 ok read 1 1"), Verdict::Valid);
    assert_eq!(verdict("0 ok write 1 1\n1 ok write 1 1\n2 ok read 1 1\n0 ok read 1 0").word(), "invalid");
    assert_eq!(verdict("0 ok write 1 0\n2 ok read 1 0").word(), "unknown");
}
