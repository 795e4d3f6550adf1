//! Causal consistency and its neighbours where values repeat and outcomes are unknown, against the definitions: on small random histories of
//! `read`, `write` and `cas`, all choices of whom each read saw are tried, and all orders.
//!
//! `SHAKEDOWN_HISTORIES=100000` tries so many; without it a few thousand.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use shakedown_checkers::causal;
use shakedown_checkers::history::{Event, EventType, HistoryBuilder, Process};
use shakedown_checkers::{Budget, History, Level, ModelName, Value, Verdict, linearizability};

/// One operation. Value 0 is nil, which is there at first.
#[derive(Clone, Copy, Debug)]
struct Op {
    process: usize,
    outcome: EventType,
    key: usize,
    reads: Option<i64>,
    writes: Option<i64>,
}

/// Up to 7 operations of up to 3 processes, of values that repeat.
fn generate(seed: u64) -> Vec<Op> {
    let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut draw = |below: usize| (chance.next_u64() % below as u64) as usize;
    let (processes, keys, values, length) = (1 + draw(3), 1 + draw(2), 2 + draw(3), 2 + draw(6));
    let certain = draw(3) == 0;
    let mut state = [0_i64; 2];
    (0..length)
        .map(|_| {
            let (process, key) = (draw(processes), draw(keys));
            let outcome = match draw(6) {
                0 if !certain => EventType::Fail,
                1 | 2 if !certain => EventType::Info,
                _ => EventType::Ok,
            };
            let mut any = || draw(values) as i64;
            let (seen, fresh) = (any(), any());
            let (reads, writes) = match draw(5) {
                0 | 1 => (None, Some(fresh)),
                2 => (Some(if draw(2) == 0 { state[key] } else { seen }), Some(fresh)),
                _ => (Some(if draw(3) > 0 { state[key] } else { seen }), None),
            };
            if let Some(value) = writes
                && outcome != EventType::Fail
                && draw(4) > 0
            {
                state[key] = value;
            }
            Op { process, outcome, key, reads, writes }
        })
        .collect()
}

fn value(number: i64) -> Value {
    if number == 0 { Value::Nil } else { Value::Int(number) }
}

fn history(ops: &[Op]) -> History {
    let mut builder = HistoryBuilder::new();
    for op in ops {
        let (function, asked, answered) = match (op.reads, op.writes) {
            (Some(old), Some(new)) => {
                let pair = Value::List(Box::new([value(old), value(new)]));
                ("cas", pair.clone(), pair)
            }
            (None, Some(new)) => ("write", value(new), value(new)),
            (old, None) => ("read", Value::Nil, value(old.unwrap_or_default())),
        };
        for (event_type, value) in [(EventType::Invoke, asked), (op.outcome, answered)] {
            let event = Event {
                index: None,
                time: None,
                process: Process::Client(op.process as u32),
                event_type,
                function: function.to_owned(),
                key: Some(Value::Int(op.key as i64)),
                value,
                error: None,
            };
            builder.push(event).expect("one at a time");
        }
    }
    builder.finish()
}

/// A set of operations, as bits.
type Set = u16;

/// What happened once each read has its writer.
struct World<'a> {
    ops: &'a [Op],
    happened: Set,
    /// What each reads: nothing that counts, the initial value, or what another wrote.
    source: &'a [Option<Option<usize>>],
    /// What a process did before each. Nothing comes after what is of unknown outcome.
    process: Vec<Set>,
    causal: Vec<Set>,
}

impl<'a> World<'a> {
    fn of(ops: &'a [Op], happened: Set, source: &'a [Option<Option<usize>>]) -> World<'a> {
        let before = |at: usize| {
            (0..at).filter(move |&other| ops[other].process == ops[at].process && ops[other].outcome == EventType::Ok)
        };
        let process: Vec<Set> = (0..ops.len()).map(|at| before(at).fold(0, |bits, other| bits | 1 << other)).collect();
        let mut causal = process.clone();
        for at in 0..ops.len() {
            if let Some(Some(by)) = source[at] {
                causal[at] |= 1 << by;
            }
        }
        for via in 0..ops.len() {
            for at in 0..ops.len() {
                if causal[at] >> via & 1 == 1 {
                    causal[at] |= causal[via];
                }
            }
        }
        World { ops, happened, source, process, causal }
    }

    fn has(&self, at: usize) -> bool {
        self.happened >> at & 1 == 1
    }

    fn all(&self) -> impl Iterator<Item = usize> {
        (0..self.ops.len()).filter(|&at| self.has(at))
    }

    fn writes(&self) -> Set {
        self.all().filter(|&at| self.ops[at].writes.is_some()).fold(0, |bits, at| bits | 1 << at)
    }

    /// What each process did that counts as its own; what is of unknown outcome, behind what its process had done before, by itself.
    fn views(&self) -> Vec<Set> {
        let of = |process: usize| {
            let own = |at: &usize| self.ops[*at].process == process && self.ops[*at].outcome == EventType::Ok;
            self.all().filter(own).fold(0, |bits, at| bits | 1 << at)
        };
        let uncertain = self.all().filter(|&at| self.ops[at].outcome != EventType::Ok);
        (0..3).map(of).chain(uncertain.map(|at| self.process[at] | 1 << at)).collect()
    }

    /// Whether those `inside` can be put into an order that holds `before`, in which those `judged` read what they did.
    fn has_order(&self, inside: Set, judged: Set, before: &[Set], placed: Set, last: [Option<usize>; 2]) -> bool {
        if placed == inside {
            return true;
        }
        (0..self.ops.len()).filter(|&at| (inside & !placed) >> at & 1 == 1).any(|at| {
            let op = self.ops[at];
            let is_legal = self.source[at].is_none_or(|source| source == last[op.key]);
            if before[at] & inside & !placed != 0 || judged >> at & 1 == 1 && !is_legal {
                return false;
            }
            let mut last = last;
            if op.writes.is_some() {
                last[op.key] = Some(at);
            }
            self.has_order(inside, judged, before, placed | 1 << at, last)
        })
    }

    fn orders(&self, inside: Set, judged: Set, before: &[Set]) -> bool {
        self.has_order(inside, judged, before, 0, [None; 2])
    }

    fn is_cyclic(&self) -> bool {
        self.all().any(|at| self.causal[at] >> at & 1 == 1)
    }

    /// Whether some order of all writes that holds `before`, and `legal`, is there.
    fn some_order_of_writes(&self, before: &[Set], legal: &dyn Fn(&[usize]) -> bool, order: &mut Vec<usize>) -> bool {
        let writes = self.writes();
        if order.len() == writes.count_ones() as usize {
            return legal(order);
        }
        let placed: Set = order.iter().fold(0, |bits, &at| bits | 1 << at);
        (0..self.ops.len()).filter(|&at| (writes & !placed) >> at & 1 == 1).any(|at| {
            if before[at] & writes & !placed != 0 {
                return false;
            }
            order.push(at);
            let found = self.some_order_of_writes(before, legal, order);
            order.pop();
            found
        })
    }

    /// Whether a read shows the last of some writes.
    fn shows_last(&self, order: &[usize], at: usize, known: Set) -> bool {
        let Some(source) = self.source[at] else { return true };
        let known = known | source.map_or(0, |by| 1 << by);
        let mut seen = order.iter().rev().filter(|&&w| known >> w & 1 == 1 && self.ops[w].key == self.ops[at].key);
        seen.next().copied() == source
    }

    fn source_of(&self, at: usize) -> Option<usize> {
        self.source[at].flatten()
    }

    /// What a read must know of, for a guarantee, in the view of a process.
    fn must_know(&self, level: Level, view: Set, read: usize) -> Set {
        let earlier = (0..self.ops.len()).filter(|&at| view & self.process[read] & 1 << at != 0);
        match level {
            Level::ReadYourWrites => self.process[read] & self.writes(),
            Level::MonotonicReads => earlier.filter_map(|at| self.source_of(at)).fold(0, |bits, by| bits | 1 << by),
            _ => {
                let seen = earlier.chain([read]).filter_map(|at| self.source_of(at));
                seen.fold(0, |bits, top| bits | self.process[top]) & self.writes()
            }
        }
    }

    /// Read your writes, monotonic reads, monotonic writes, as `guarantees.rs` defines them.
    fn keeps(&self, level: Level) -> bool {
        self.views().into_iter().all(|view| {
            let mut before = self.process.clone();
            for at in self.all().filter(|at| view >> at & 1 == 1) {
                for read in (0..self.ops.len()).filter(|&read| view & (self.process[at] | 1 << at) & 1 << read != 0) {
                    before[at] |= self.source_of(read).map_or(0, |by| 1 << by);
                }
            }
            let legal = |order: &[usize]| {
                (0..self.ops.len())
                    .filter(|&read| view >> read & 1 == 1)
                    .all(|read| self.shows_last(order, read, self.must_know(level, view, read)))
            };
            // A process that reads what it writes only later reads what is not there.
            let from_its_future = |read: usize| {
                self.source_of(read)
                    .is_some_and(|by| by == read || view & 1 << by != 0 && self.process[by] >> read & 1 == 1)
            };
            !(0..self.ops.len()).any(|read| view >> read & 1 == 1 && from_its_future(read))
                && self.some_order_of_writes(&before, &legal, &mut Vec::new())
        })
    }

    /// Who sees a write sees also what its writer had read before, judged by causal order.
    fn follows(&self) -> bool {
        !self.is_cyclic()
            && self.views().into_iter().all(|view| {
                let in_view = |at: &usize| view >> *at & 1 == 1;
                self.all().filter(in_view).filter(|&read| self.source[read].is_some()).all(|read| {
                    let seen = self.all().filter(in_view).filter(|&at| at == read || self.process[read] >> at & 1 == 1);
                    let tops: Vec<usize> = seen.filter_map(|at| self.source_of(at)).collect();
                    let had_read = |top: usize, w: usize| {
                        self.all().any(|at| self.process[top] >> at & 1 == 1 && self.source_of(at) == Some(w))
                    };
                    self.all().all(|w| {
                        let is_other = self.ops[w].key == self.ops[read].key && self.source_of(read) != Some(w);
                        let is_older = self.source_of(read).is_none_or(|source| self.causal[w] >> source & 1 == 1);
                        !(self.ops[w].writes.is_some()
                            && is_other
                            && is_older
                            && tops.iter().any(|&top| had_read(top, w)))
                    })
                })
            })
    }

    fn holds(&self, level: Level) -> bool {
        match level {
            Level::Sequential => self.orders(self.happened, self.happened, &self.process),
            Level::Pram => self.views().into_iter().all(|view| self.orders(view | self.writes(), view, &self.process)),
            Level::Causal | Level::CausalMemory if self.is_cyclic() => false,
            Level::Causal => self.all().all(|at| self.orders(self.causal[at] | 1 << at, 1 << at, &self.causal)),
            Level::CausalMemory => {
                self.all().all(|at| self.orders(self.causal[at] | 1 << at, self.process[at] | 1 << at, &self.causal))
            }
            Level::CausalConvergence => {
                let legal = |order: &[usize]| self.all().all(|at| self.shows_last(order, at, self.causal[at]));
                !self.is_cyclic() && self.some_order_of_writes(&self.causal, &legal, &mut Vec::new())
            }
            Level::WritesFollowReads => self.follows(),
            _ => self.keeps(level),
        }
    }
}

/// Whether a level holds for some choice of whom those saw that happened.
fn some_choice(ops: &[Op], level: Level, happened: Set, source: &mut Vec<Option<Option<usize>>>) -> bool {
    let next = (0..ops.len()).find(|&at| happened >> at & 1 == 1 && ops[at].reads.is_some() && source[at].is_none());
    let Some(at) = next else { return World::of(ops, happened, source).holds(level) };
    let shown = ops[at].reads.expect("it reads");
    let writer = |other: &usize| {
        *other != at
            && ops[*other].key == ops[at].key
            && ops[*other].writes == Some(shown)
            && ops[*other].outcome != EventType::Fail
    };
    let writers = (0..ops.len()).filter(writer).map(Some);
    let candidates: Vec<Option<usize>> = writers.chain((shown == 0).then_some(None)).collect();
    let found = candidates.into_iter().any(|by| {
        source[at] = Some(by);
        some_choice(ops, level, happened | by.map_or(0, |by| 1 << by), source)
    });
    source[at] = None;
    found
}

fn expected(ops: &[Op], level: Level) -> bool {
    let certain = |at: &usize| ops[*at].outcome == EventType::Ok;
    let happened = (0..ops.len()).filter(certain).fold(0, |bits, at| bits | 1 << at);
    some_choice(ops, level, happened, &mut vec![None; ops.len()])
}

fn verdict(history: &History, level: Level) -> Verdict {
    causal::check(history, level, None, Budget::default()).expect("these are registers")
}

fn histories() -> u64 {
    std::env::var("SHAKEDOWN_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(6_000)
}

#[test]
fn whom_reads_of_repeated_values_saw_is_chosen_as_the_definitions_do() {
    let mut reached = std::collections::BTreeMap::<(&str, bool), u64>::new();
    for seed in 0..histories() {
        let ops = generate(seed);
        let history = history(&ops);
        let held = causal::DECIDED.map(|level| (level, expected(&ops, level)));
        for (level, holds) in held {
            let got = verdict(&history, level);
            let word = if holds { "valid" } else { "invalid" };
            assert_eq!(got.word(), word, "{} of seed {seed}: {ops:#?} {got:#?}", level.name());
            *reached.entry((level.name(), holds)).or_default() += 1;
        }
        for (strong, _) in held.iter().filter(|(_, holds)| *holds) {
            let broken = held.iter().find(|(weak, holds)| !holds && strong.implies(*weak));
            assert_eq!(broken, None, "{} holds in seed {seed}: {ops:#?}", strong.name());
        }
        if linearizability::check(&history, ModelName::Kv, None, Budget::default()) == Ok(Verdict::Valid) {
            assert_eq!(verdict(&history, Level::Sequential), Verdict::Valid, "linearizable, seed {seed}: {ops:#?}");
        }
    }
    println!("{reached:#?}");
    assert_eq!(reached.len(), 2 * causal::DECIDED.len(), "each level held and was broken");
}

#[test]
fn the_operations_of_a_proof_alone_are_broken_whatever_the_others_did() {
    for seed in 0..histories() / 4 {
        let ops = generate(seed);
        let whole = history(&ops);
        for level in causal::DECIDED {
            for anomaly in verdict(&whole, level).anomalies() {
                let shown = |at: usize| {
                    let by = anomaly.proof.iter().chain(&anomaly.sources);
                    by.into_iter().any(|id| id.0 as usize == at)
                };
                // What the proof leaves out did not happen: who only reads it is not of the proof.
                let alone: Vec<Op> = (0..ops.len()).filter(|&at| shown(at)).map(|at| ops[at]).collect();
                assert!(!expected(&alone, level), "{} of seed {seed}: {ops:#?} {anomaly:#?}", level.name());
                assert!(!anomaly.unreduced, "{} of seed {seed}: {ops:#?} {anomaly:#?}", level.name());
            }
        }
    }
}
