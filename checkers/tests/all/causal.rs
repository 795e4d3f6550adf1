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
fn has_order(ops: &[Op], inside: u16, judged: u16, before: &Before, placed: u16, state: [i64; 3]) -> bool {
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
    (0..ops.len()).all(|at| has_order(ops, before[at] | 1 << at, 1 << at, &before, 0, [0; 3]))
}

fn is_causal_memory(ops: &[Op]) -> bool {
    let Some(before) = causal_order(ops) else { return false };
    let own = process_order(ops);
    (0..ops.len()).all(|at| has_order(ops, before[at] | 1 << at, own[at] | 1 << at, &before, 0, [0; 3]))
}

fn is_pram(ops: &[Op]) -> bool {
    let before = process_order(ops);
    (0..4).all(|process| {
        let mine = ops.iter().enumerate().filter(|(_, op)| op.process == process);
        let judged = mine.fold(0, |bits, (at, _)| bits | 1 << at);
        let writes = ops.iter().enumerate().filter(|(_, op)| op.writes).fold(0, |bits, (at, _)| bits | 1 << at);
        has_order(ops, judged | writes, judged, &before, 0, [0; 3])
    })
}

fn is_sequential(ops: &[Op]) -> bool {
    has_order(ops, all(ops), all(ops), &process_order(ops), 0, [0; 3])
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

/// The session guarantees as `guarantees.rs` defines them.
fn keeps(ops: &[Op], level: Level) -> bool {
    if level == Level::WritesFollowReads { follows(ops) } else { (0..4).all(|process| has_view(ops, process, level)) }
}

fn writer(ops: &[Op], at: usize) -> Option<usize> {
    ops.iter().position(|op| op.writes && !ops[at].writes && op.value == ops[at].value && ops[at].value != 0)
}

/// Whether one order of the writes explains each read of a process by what it must know.
fn has_view(ops: &[Op], process: usize, level: Level) -> bool {
    let own = process_order(ops);
    let mine = |at: &usize| ops[*at].process == process;
    let earlier = |read: usize| (0..read).filter(|at| ops[*at].process == process);
    let must_know = |read: usize| -> Vec<usize> {
        match level {
            Level::ReadYourWrites => earlier(read).filter(|&at| ops[at].writes).collect(),
            Level::MonotonicReads => earlier(read).filter_map(|at| writer(ops, at)).collect(),
            _ => {
                let tops: Vec<usize> = earlier(read).chain([read]).filter_map(|at| writer(ops, at)).collect();
                (0..ops.len()).filter(|&w| ops[w].writes && tops.iter().any(|&top| own[top] >> w & 1 == 1)).collect()
            }
        }
    };
    // Each process wrote in its order, and what this one had read before it wrote came before that.
    let mut before = own.clone();
    for at in (0..ops.len()).filter(mine).filter(|&at| ops[at].writes) {
        earlier(at).filter_map(|read| writer(ops, read)).for_each(|by| before[at] |= 1 << by);
    }
    let reads: Vec<usize> = (0..ops.len()).filter(mine).filter(|&at| !ops[at].writes).collect();
    let legal = |order: &[usize]| {
        reads.iter().all(|&read| {
            let (known, by) = (must_know(read), writer(ops, read));
            let counts = |w: &&usize| ops[**w].key == ops[read].key && (known.contains(w) || by == Some(**w));
            order.iter().rev().find(counts).copied() == by
        })
    };
    orders_of_writes(ops, &before, &mut Vec::new(), &legal)
}

fn orders_of_writes(ops: &[Op], before: &Before, order: &mut Vec<usize>, legal: &dyn Fn(&[usize]) -> bool) -> bool {
    let writes: Vec<usize> = (0..ops.len()).filter(|&at| ops[at].writes).collect();
    if order.len() == writes.len() {
        return legal(order);
    }
    writes.iter().any(|&at| {
        let waits = writes.iter().any(|w| before[at] >> w & 1 == 1 && !order.contains(w));
        if order.contains(&at) || waits {
            return false;
        }
        order.push(at);
        let found = orders_of_writes(ops, before, order, legal);
        order.pop();
        found
    })
}

/// Writes follow reads, read by read, as causal order has it.
fn follows(ops: &[Op]) -> bool {
    let Some(causal) = causal_order(ops) else { return false };
    let own = process_order(ops);
    let before = |one: usize, other: usize| own[other] >> one & 1 == 1;
    let reads: Vec<usize> = (0..ops.len()).filter(|&at| !ops[at].writes).collect();
    reads.iter().all(|&read| {
        let others = (0..ops.len()).filter(|&w| ops[w].writes && ops[w].key == ops[read].key);
        others.filter(|&w| Some(w) != writer(ops, read)).all(|w| {
            let seen =
                |top: usize| reads.iter().any(|&r| (r == read || before(r, read)) && writer(ops, r) == Some(top));
            let had_read = |top: usize| reads.iter().any(|&r| before(r, top) && writer(ops, r) == Some(w));
            let older = writer(ops, read).is_none_or(|source| causal[w] >> source & 1 == 1);
            !(older && (0..ops.len()).any(|top| seen(top) && had_read(top)))
        })
    })
}

const GUARANTEES: [Level; 4] =
    [Level::ReadYourWrites, Level::MonotonicReads, Level::MonotonicWrites, Level::WritesFollowReads];

/// Convergent, and no causal memory: such a history is too long to come by chance. That z is 3 puts x := 2 before x := 4, and so y := 1
/// before y was read.
fn convergent_only() -> Vec<Op> {
    let op = |process, writes, key, value| Op { process, writes, key, value };
    let [x, y, z] = [0, 1, 2];
    let writes = [op(0, true, y, 1), op(0, true, x, 2), op(0, true, z, 3), op(1, true, x, 4)];
    let reads = [op(2, false, x, 4), op(2, false, y, 0), op(2, false, z, 3), op(2, false, x, 4)];
    [writes, reads].concat()
}

/// Causal without monotonic writes: process 2 changes its mind about the order of x := 1 and x := 2, of both of which it knows.
fn two_minds() -> Vec<Op> {
    let op = |process, writes, key, value| Op { process, writes, key, value };
    let [x, y] = [0, 1];
    let writes = [op(0, true, x, 1), op(0, true, y, 3), op(1, true, x, 2), op(1, true, y, 4)];
    let reads = [op(2, false, y, 3), op(2, false, y, 4), op(2, false, x, 1), op(2, false, x, 2)];
    [writes, reads].concat()
}

#[test]
fn every_level_is_decided_as_its_definition_does_and_each_implies_what_it_should_and_nothing_else() {
    let mut reached = std::collections::BTreeMap::<(&str, bool), u64>::new();
    let mut separated = std::collections::BTreeSet::<(Level, Level)>::new();
    for seed in 0..histories() {
        let ops = match seed {
            0 => convergent_only(),
            1 => two_minds(),
            _ => generate(seed),
        };
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
        held.push((Level::Linearizable, linearizable == Ok(Verdict::Valid)));
        let broken = || held.iter().filter(|(_, holds)| !holds);
        let pairs =
            held.iter().filter(|(_, holds)| *holds).flat_map(|(one, _)| broken().map(|(other, _)| (*one, *other)));
        separated.extend(pairs);
    }
    let levels = || causal::DECIDED.into_iter().chain([Level::Linearizable]);
    for (one, other) in levels().flat_map(|one| levels().map(move |other| (one, other))) {
        assert_eq!(
            separated.contains(&(one, other)),
            !one.implies(other),
            "a history with {} without {}",
            one.name(),
            other.name()
        );
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
    // Another one of unknown outcome comes after it no more than any other.
    let both = "0 info write 1 1\n0 info write 2 2\n1 ok read 2 2\n1 ok read 1 0\n1 ok read 1 1";
    assert_eq!(names(both, Level::Causal), [""; 0]);
    assert_eq!(names(both, Level::Sequential), [""; 0]);
}

/// Of a store that is one log, of which each process has read up to somewhere: sequentially consistent, not linearizable.
fn one_log(operations: usize, processes: usize, keys: usize) -> Vec<Op> {
    let mut chance = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut draw = |below: usize| (chance.next_u64() % below as u64) as usize;
    let mut log: Vec<Op> = Vec::new();
    let (mut states, mut seen) = (vec![vec![0; keys]; processes], vec![0; processes]);
    let mut ops = Vec::new();
    for at in 0..operations {
        let (process, key, writes) = (draw(processes), draw(keys), draw(2) == 0);
        if writes {
            log.push(Op { process, writes, key, value: at as i64 + 1 });
        }
        if writes || draw(20) == 0 {
            log[seen[process]..].iter().for_each(|op| states[process][op.key] = op.value);
            seen[process] = log.len();
        }
        ops.push(Op { process, writes, key, value: states[process][key] });
    }
    ops
}

#[test]
fn long_histories_are_sequential_or_proved_not_to_be_by_a_few_operations() {
    for (processes, keys) in [(10, 1_000), (50, 1_000), (50, 10), (4, 1)] {
        let mut ops = one_log(10_000, processes, keys);
        assert_eq!(word(&history(&ops), Level::Sequential), "valid", "{processes} processes, {keys} keys");
        // Two processes write and do not see each other.
        let op = |process, writes, key, value| Op { process, writes, key, value };
        let (x, y) = (keys, keys + 1);
        let crossed = [op(0, true, x, -1), op(1, true, y, -2), op(0, false, y, 0), op(1, false, x, 0)];
        ops.splice(5_000..5_000, crossed);
        let verdict = causal::check(&history(&ops), Level::Sequential, None, Budget::default()).expect("registers");
        let proof = &verdict.anomalies()[0].proof;
        assert_eq!(proof.iter().map(|id| id.0).collect::<Vec<u32>>(), [5_000, 5_001, 5_002, 5_003], "{verdict:#?}");
        assert!(!verdict.anomalies()[0].unreduced);
    }
}

#[test]
fn what_runs_out_is_said_and_what_was_found_before_stays() {
    let long = history(&one_log(2_000, 10, 10));
    let late = Budget { deadline: Some(std::time::Instant::now()), ..Budget::default() };
    let small = Budget { bytes: Some(100), ..Budget::default() };
    for level in causal::DECIDED {
        let reason = |budget| match causal::check(&long, level, None, budget).expect("registers") {
            Verdict::Unknown(undecided) => undecided.reason,
            other => panic!("{} for {}", other.word(), level.name()),
        };
        assert!(reason(late).contains("the time was over while") && reason(late).contains("--max-seconds"));
        let in_constant_space = [Level::ReadYourWrites, Level::MonotonicReads, Level::MonotonicWrites];
        if !in_constant_space.contains(&level) {
            assert!(reason(small).contains("of memory were needed") && reason(small).contains("--max-memory"));
        }
    }
    let thin_air =
        history(&[one_log(2_000, 10, 10), vec![Op { process: 0, writes: false, key: 1, value: -7 }]].concat());
    let verdict = causal::check(&thin_air, Level::Causal, None, small).expect("registers");
    assert_eq!(verdict.anomalies()[0].name, "ThinAirRead");
}

#[test]
fn a_transaction_may_be_very_large() {
    let micro =
        |function: &str, at: i64| Value::List(Box::new([Value::text(function), Value::Int(at), Value::Int(at)]));
    let count = 200_000;
    let writes: Value = Value::List((0..count).flat_map(|at| [micro("w", at), micro("r", at)]).collect());
    let reads: Value = Value::List((0..count).map(|at| micro("r", at)).collect());
    let mut builder = HistoryBuilder::new();
    for (process, list) in [(0, writes), (1, reads)] {
        for kind in [EventType::Invoke, EventType::Ok] {
            builder.push(event(process, kind, "txn", None, list.clone())).expect("one at a time");
        }
    }
    let history = builder.finish();
    for level in causal::DECIDED {
        assert_eq!(word(&history, level), "valid", "{}", level.name());
    }
}

#[test]
fn a_read_of_a_value_that_was_written_twice_saw_whom_it_must_have() {
    for (lines, word) in [
        ("0 ok write 1 1\n1 ok write 1 1\n2 ok read 1 1", "valid"),
        ("0 ok write 1 1\n1 ok write 1 1\n2 ok read 1 0", "valid"),
        ("0 ok write 1 1\n1 fail write 1 1\n2 ok read 1 1", "valid"),
        ("0 ok write 1 1\n1 ok write 1 1\n2 ok read 1 1\n0 ok read 1 0", "invalid"),
        ("0 ok write 1 0\n2 ok read 1 0", "valid"),
        ("0 ok write 1 1\n0 ok write 1 1\n0 ok write 1 2\n0 ok read 1 1", "invalid"),
    ] {
        assert_eq!(word_of(lines, Level::Causal), word, "{lines}");
    }
    let both = "0 ok write 1 1\n0 ok write 1 1\n0 ok write 1 2\n0 ok read 1 1";
    let verdict = causal::check(&written_out(both), Level::Sequential, None, Budget::default()).expect("registers");
    let [anomaly] = verdict.anomalies() else { panic!("{verdict:#?}") };
    assert_eq!(anomaly.proof.len(), 4, "{anomaly:#?}");
    assert!(anomaly.sentence.starts_with("operation #6 read 1 from key 1, which it can have from nobody"));
    assert_eq!(anomaly.why.len(), 2, "{anomaly:#?}");
}

fn word_of(lines: &str, level: Level) -> &'static str {
    word(&written_out(lines), level)
}

#[test]
fn what_a_session_reads_has_one_order_of_the_writes() {
    let changed = "0 ok write 1 1\n1 ok write 1 2\n2 ok read 1 2\n2 ok read 1 1\n2 ok read 1 2";
    assert_eq!(names(changed, Level::MonotonicReads), ["monotonic-reads"]);
    assert_eq!(word_of(changed, Level::Causal), "valid", "it may change its mind about concurrent writes");
    assert_eq!(word_of(changed, Level::ReadYourWrites), "valid");
}
