//! Histories of registers of any size, from a seed, and a second opinion about them that shares no line with the crate.
//!
//! A history is a list of [`Op`]s as in `definition`, in the order of their invocations, made by an atomic register per key: each
//! operation takes effect at one instant between its invocation and its completion, so that the history is linearizable.

#![allow(dead_code, unused_imports, reason = "every test that includes this module uses a part of it")]

mod configurations;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use shakedown_checkers::Outcome;
use shakedown_checkers::history::NEVER;

use super::definition::Op;

pub use configurations::{Judgement, judge};

/// What kind of history is wanted. Shares are in percent.
#[derive(Clone, Copy, Debug)]
pub struct Mixture {
    pub operations: usize,
    pub processes: usize,
    pub keys: i64,
    /// Values are drawn from so many; `None` if no value is ever used twice.
    pub values: Option<i64>,
    pub writes: u64,
    pub cas: u64,
    /// In how many operations nobody learns the outcome. Half of them happen, some long after their completion.
    pub info: u64,
    /// How many writes fail.
    pub fail: u64,
    /// Whether some processes are slow: many operations of others come and go during one of theirs.
    pub skewed: bool,
}

impl Mixture {
    /// One register, reads and writes, no value twice.
    pub const fn of(operations: usize, processes: usize) -> Mixture {
        Mixture { operations, processes, keys: 1, values: None, writes: 50, cas: 0, info: 0, fail: 0, skewed: false }
    }
}

/// Draws from a seed.
pub struct Chance(Xoshiro256PlusPlus);

impl Chance {
    pub fn of(seed: u64) -> Chance {
        Chance(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    pub fn of_range(&mut self, range: std::ops::Range<usize>) -> usize {
        range.start + self.below(range.len() as u64) as usize
    }

    pub fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }
}

/// What a register holds. Nothing at first.
pub type Contents = Vec<i64>;

/// An operation that a process has begun.
#[derive(Clone, Copy)]
struct Open {
    op: usize,
    took_effect: bool,
}

/// A linearizable history of this mixture.
pub fn simulate(mixture: Mixture, chance: &mut Chance) -> Vec<Op> {
    let mut simulation = Simulation::new(mixture);
    simulation.run(mixture.operations, chance);
    simulation.ops
}

/// Atomic registers and those who use them. Between two runs nothing is open but what nobody learned the outcome of.
pub struct Simulation {
    mixture: Mixture,
    pub registers: Vec<Contents>,
    pub ops: Vec<Op>,
    /// The position of the next event.
    pub position: u32,
    names: Vec<u32>,
    late: Vec<usize>,
    fresh: i64,
}

impl Simulation {
    pub fn new(mixture: Mixture) -> Simulation {
        Simulation {
            mixture,
            registers: vec![Vec::new(); mixture.keys as usize],
            ops: Vec::with_capacity(mixture.operations),
            position: 0,
            names: (0..mixture.processes as u32).collect(),
            late: Vec::new(),
            fresh: 0,
        }
    }

    /// Goes on until there are so many operations, and until all of them ended.
    pub fn run(&mut self, operations: usize, chance: &mut Chance) {
        let mixture = self.mixture;
        let mut open: Vec<Option<Open>> = vec![None; mixture.processes];
        while self.ops.len() < operations || open.iter().any(Option::is_some) {
            if !self.late.is_empty() && chance.percent(5) {
                let op = self.late.swap_remove(chance.of_range(0..self.late.len()));
                self.take_effect(op);
            }
            let quick = if mixture.skewed { 1 + chance.of_range(0..mixture.processes) } else { mixture.processes };
            let at = chance.of_range(0..quick);
            match open[at] {
                None if self.ops.len() >= operations => {}
                None => {
                    self.begin(self.names[at], chance);
                    open[at] = Some(Open { op: self.ops.len() - 1, took_effect: false });
                }
                Some(Open { op, took_effect: false }) => {
                    self.decide(op, chance);
                    open[at] = Some(Open { op, took_effect: true });
                }
                Some(Open { op, took_effect: true }) => {
                    open[at] = None;
                    if self.ops[op].outcome == Outcome::Info {
                        self.names[at] += mixture.processes as u32;
                        if chance.percent(30) {
                            continue;
                        }
                    }
                    self.ops[op].completed = self.position;
                    self.position += 1;
                }
            }
        }
    }

    fn begin(&mut self, process: u32, chance: &mut Chance) {
        let key = chance.below(self.mixture.keys as u64) as i64;
        let register = &self.registers[key as usize];
        let (function, argument) = invocation(self.mixture, register, &mut self.fresh, chance);
        let invoked = self.position;
        self.position += 1;
        let outcome = Outcome::Ok;
        self.ops.push(Op { process, function, key, argument, answer: Vec::new(), outcome, invoked, completed: NEVER });
    }

    /// Whether an operation happens, and who learns of it.
    fn decide(&mut self, op: usize, chance: &mut Chance) {
        let unknown = chance.percent(self.mixture.info);
        if unknown {
            self.ops[op].outcome = Outcome::Info;
        }
        if self.ops[op].function == "write" && !unknown && chance.percent(self.mixture.fail) {
            self.ops[op].outcome = Outcome::Fail;
        } else if !unknown || chance.percent(50) {
            self.take_effect(op);
        } else if chance.percent(50) {
            self.late.push(op);
        }
    }

    fn take_effect(&mut self, op: usize) {
        let op = &mut self.ops[op];
        effect(op, &mut self.registers[op.key as usize]);
    }
}

fn invocation(mixture: Mixture, register: &Contents, fresh: &mut i64, chance: &mut Chance) -> (&'static str, Vec<i64>) {
    let mut draw = |chance: &mut Chance| match mixture.values {
        Some(values) => chance.below(values as u64) as i64,
        None => {
            *fresh += 1;
            *fresh - 1
        }
    };
    let kind = chance.below(100);
    if kind < mixture.writes {
        return ("write", vec![draw(chance)]);
    }
    if kind < mixture.writes + mixture.cas {
        let new = draw(chance);
        // Most expect what is there: else hardly one would succeed where values do not repeat.
        let expected = match register.first() {
            Some(&value) if chance.percent(70) => value,
            _ => draw(chance),
        };
        return ("cas", vec![expected, new]);
    }
    ("read", Vec::new())
}

/// Lets an operation take effect, and answers if its outcome becomes known.
fn effect(op: &mut Op, register: &mut Contents) {
    match op.function {
        "read" if op.outcome == Outcome::Ok => op.answer = register.clone(),
        "read" => {}
        "write" => {
            register.clone_from(&op.argument);
            op.answer.clone_from(&op.argument);
        }
        _ if *register == op.argument[..1] => {
            *register = op.argument[1..].to_vec();
            op.answer.clone_from(&op.argument);
        }
        _ if op.outcome == Outcome::Ok => op.outcome = Outcome::Fail,
        _ => {}
    }
}

/// Changes a few answers, outcomes and moments, so that a fair share of the histories is no longer linearizable, most of them
/// only just.
pub fn spoil(ops: &mut [Op], changes: u64, chance: &mut Chance) {
    for _ in 0..changes {
        let (one, near) = (chance.of_range(0..ops.len()), chance.of_range(0..8));
        let other = (one + near).min(ops.len() - 1);
        match chance.below(6) {
            // Two reads, or two writes, of about the same time change their values.
            0 | 1 if ops[one].function == ops[other].function && ops[one].outcome == ops[other].outcome => {
                let first = ops[one].clone();
                ops[one].argument = std::mem::replace(&mut ops[other].argument, first.argument);
                ops[one].answer = std::mem::replace(&mut ops[other].answer, first.answer);
            }
            2 if ops[one].function == "read" && ops[one].outcome == Outcome::Ok => {
                ops[one].answer = ops[other].argument.last().into_iter().copied().collect();
            }
            3 if ops[one].function != "read" && ops[one].completed != NEVER => {
                ops[one].outcome = if ops[one].outcome == Outcome::Ok { Outcome::Info } else { Outcome::Ok };
                ops[one].answer = ops[one].argument.clone();
            }
            _ => shorten(ops, one, 1 + near),
        }
    }
}

/// Lets an operation end earlier: its completion comes before up to so many invocations of others that it came after.
fn shorten(ops: &mut [Op], which: usize, events: usize) {
    if ops[which].completed == NEVER {
        return;
    }
    let target = ops[which].completed.saturating_sub(events as u32).max(ops[which].invoked + 1);
    let from = ops[which].completed;
    for op in ops.iter_mut() {
        for position in [&mut op.invoked, &mut op.completed] {
            if (target..from).contains(position) {
                *position += 1;
            }
        }
    }
    ops[which].completed = target;
}
