//! Small random histories from a seed.
//!
//! Each operation takes effect on an atomic object at one instant between its invocation and its completion, so that the history is
//! linearizable; then, in three of four histories, a few answers or operations are changed.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use shakedown_checkers::history::NEVER;
use shakedown_checkers::{ModelName, Outcome};

use super::{Op, State, initial, successors};

/// What kind of history is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub model: ModelName,
    /// At most so many operations.
    pub operations: u64,
    pub processes: u64,
    pub keys: u64,
    /// Whether every value is put in at most once.
    pub distinct: bool,
    /// In how many of 16 operations nobody learns the outcome.
    pub unknown: u64,
    /// Functions that are left out.
    pub without: &'static [&'static str],
}

impl Shape {
    /// Eight operations of three processes on one object, values that repeat.
    pub fn of(model: ModelName) -> Shape {
        Shape { model, operations: 8, processes: 3, keys: 1, distinct: false, unknown: 2, without: &[] }
    }
}

struct Chance(Xoshiro256PlusPlus);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}

/// The history of this seed.
pub fn generate(shape: Shape, seed: u64) -> Vec<Op> {
    let mut chance = Chance(Xoshiro256PlusPlus::seed_from_u64(seed));
    let operations = 2 + chance.below(shape.operations - 1);
    // Some processes are quick and some slow: else nearly everything overlaps.
    let patience = 1 + chance.below(4);
    let mut ops = simulate(shape, operations, patience, &mut chance);
    if chance.below(4) > 0 {
        // Some change nothing: not every operation answers.
        for _ in 0..=chance.below(5) {
            spoil(shape, &mut ops, &mut chance);
        }
    }
    ops
}

/// A linearizable history of exactly so many operations, in which every process is busy all the time.
pub fn long(shape: Shape, seed: u64) -> Vec<Op> {
    simulate(shape, shape.operations, 1, &mut Chance(Xoshiro256PlusPlus::seed_from_u64(seed)))
}

/// From so many operations on, a container is empty now and then, and a set is rarely read.
const LONG: u64 = 100;

fn simulate(shape: Shape, operations: u64, patience: u64, chance: &mut Chance) -> Vec<Op> {
    let mut states: Vec<State> = vec![initial(shape.model); shape.keys as usize];
    // For each process its number, what it has open, and whether that took effect.
    let mut open: Vec<(u32, Option<(usize, bool)>)> =
        (0..shape.processes as u32).map(|number| (number, None)).collect();
    let mut ops: Vec<Op> = Vec::new();
    let (mut position, mut fresh) = (0, 0);
    let mut last = 0;
    while (ops.len() as u64) < operations || open.iter().any(|(_, open)| open.is_some()) {
        let mut at = chance.below(shape.processes) as usize;
        if chance.below(patience) > 0 {
            at = last;
        }
        last = at;
        match open[at].1 {
            None if ops.len() as u64 >= operations => last = chance.below(shape.processes) as usize,
            None => {
                let (function, argument) = invocation(shape, chance, &mut fresh);
                ops.push(Op {
                    process: open[at].0,
                    function,
                    key: chance.below(shape.keys) as i64,
                    argument,
                    answer: Vec::new(),
                    outcome: Outcome::Ok,
                    invoked: position,
                    completed: NEVER,
                });
                position += 1;
                open[at].1 = Some((ops.len() - 1, false));
            }
            Some((op, false)) => {
                take_effect(shape, &mut ops[op], &mut states, chance);
                open[at].1 = Some((op, true));
            }
            Some((op, true)) => {
                let op = &mut ops[op];
                op.completed = position;
                position += 1;
                open[at].1 = None;
                if op.outcome == Outcome::Info && chance.below(2) == 0 {
                    open[at].0 += shape.processes as u32;
                }
                if op.outcome == Outcome::Info && chance.below(4) == 0 {
                    op.completed = NEVER;
                    open[at].0 += shape.processes as u32;
                }
            }
        }
    }
    ops
}

fn invocation(shape: Shape, chance: &mut Chance, fresh: &mut i64) -> (&'static str, Vec<i64>) {
    let functions: Vec<&'static str> =
        shape.model.functions().iter().copied().filter(|function| !shape.without.contains(function)).collect();
    let function = match shape.model {
        ModelName::MultiRegister => "txn",
        // Containers that are full more often than empty.
        ModelName::FifoQueue | ModelName::UnorderedQueue | ModelName::Stack => {
            let puts = if shape.operations < LONG { 5 } else { 4 + chance.below(2) };
            functions[usize::from(chance.below(9) >= puts)]
        }
        ModelName::PriorityQueue if chance.below(9) < 4 + u64::from(shape.operations < LONG) => "insert",
        ModelName::PriorityQueue => functions[1 + chance.below(functions.len() as u64 - 1) as usize],
        ModelName::Set if shape.operations >= LONG && chance.below(500) > 0 => "add",
        _ => functions[chance.below(functions.len() as u64) as usize],
    };
    let mut value = |chance: &mut Chance| {
        *fresh += 1;
        match shape.model {
            // Priorities do not come in their order.
            ModelName::PriorityQueue if shape.distinct => *fresh * 7_919 % 10_007,
            _ if shape.distinct => *fresh,
            // Some begin with another, or are made of others.
            ModelName::StringKv => [1, 2, 12, 21, 11][chance.below(5) as usize],
            _ => chance.below(3) as i64,
        }
    };
    let argument = match (shape.model, function) {
        (ModelName::Semaphore, _) => vec![vec![], vec![1], vec![2]].swap_remove(chance.below(3) as usize),
        (_, "read" | "get" | "dequeue" | "pop" | "delete-min" | "delete-max" | "acquire" | "release") => vec![],
        (_, "cas") => vec![value(chance), value(chance)],
        (ModelName::MultiRegister, _) => (0..=chance.below(2))
            .flat_map(|_| [chance.below(2) as i64, chance.below(2) as i64, chance.below(3) as i64])
            .collect(),
        (ModelName::Counter, _) if chance.below(2) == 0 => vec![],
        (ModelName::Set, "remove" | "contains") if shape.distinct => vec![1 + chance.below(1 + *fresh as u64) as i64],
        (ModelName::Set, _) => vec![if shape.distinct { value(chance) } else { chance.below(3) as i64 }],
        _ => vec![value(chance)],
    };
    (function, argument)
}

/// Takes effect, and decides how it ends.
fn take_effect(shape: Shape, op: &mut Op, states: &mut [State], chance: &mut Chance) {
    let state = &mut states[op.key as usize];
    if shape.operations >= LONG && shape.distinct {
        return take_effect_in_place(shape, op, state, chance);
    }
    op.outcome = Outcome::Info;
    let next = if shape.model == ModelName::FencedMutex || shape.model == ModelName::ReentrantFencedMutex {
        token(shape.model, state, op, chance)
    } else {
        let mut next = successors(shape.model, state, op);
        (!next.is_empty()).then(|| next.swap_remove(chance.below(next.len() as u64) as usize))
    };
    let Some(next) = next else {
        op.outcome = Outcome::Fail;
        return;
    };
    op.answer = answer(shape, op, state, &next, chance);
    match chance.below(16) {
        unknown if unknown < shape.unknown => {
            if chance.below(2) == 0 {
                *state = next;
            }
        }
        15 => op.outcome = Outcome::Fail,
        _ => {
            op.outcome = Outcome::Ok;
            *state = next;
        }
    }
}

/// The same for a container in a long history, without a copy of its state. The elements are distinct.
fn take_effect_in_place(shape: Shape, op: &mut Op, state: &mut State, chance: &mut Chance) {
    op.outcome = if chance.below(16) < shape.unknown { Outcome::Info } else { Outcome::Ok };
    if op.outcome == Outcome::Info && chance.below(2) == 0 {
        return;
    }
    match op.function {
        "enqueue" | "push" | "add" | "insert" => state.push(op.argument[0]),
        "read" => op.answer = state.clone(),
        "pop" => op.answer.extend(state.pop()),
        "delete-min" => {
            let least = (0..state.len()).min_by_key(|at| state[*at]);
            op.answer.extend(least.map(|at| state.swap_remove(at)));
        }
        "dequeue" if state.is_empty() => {}
        "dequeue" if shape.model == ModelName::FifoQueue => op.answer.push(state.remove(0)),
        "dequeue" => op.answer.push(state.swap_remove(chance.below(state.len() as u64) as usize)),
        other => panic!("{other} is no operation of a container"),
    }
}

/// A lock with tokens: the next one is a little greater.
fn token(model: ModelName, state: &State, op: &mut Op, chance: &mut Chance) -> Option<State> {
    op.outcome = Outcome::Ok;
    op.answer = match op.function {
        "acquire" if state[0] == -1 => vec![state[2].max(0) + 1 + chance.below(2) as i64],
        "acquire" => vec![state[3]],
        _ => vec![],
    };
    let next = successors(model, state, op).pop();
    op.outcome = Outcome::Info;
    next
}

/// What the object answers on the way from one state to the next.
fn answer(shape: Shape, op: &Op, state: &State, next: &State, chance: &mut Chance) -> Vec<i64> {
    use ModelName::*;
    match (shape.model, op.function) {
        (Set, "read") | (_, "read" | "get") => state.clone(),
        (FifoQueue, "dequeue") => state.first().copied().into_iter().collect(),
        (PriorityQueue, "delete-min") => state.first().copied().into_iter().collect(),
        (PriorityQueue, "delete-max") => state.last().copied().into_iter().collect(),
        (Stack, "pop") => state.last().copied().into_iter().collect(),
        (UnorderedQueue, "dequeue") => {
            let mut left = next.clone();
            let taken = |element: &i64| match left.iter().position(|other| other == element) {
                Some(at) => {
                    left.remove(at);
                    false
                }
                None => true,
            };
            state.iter().copied().filter(taken).collect()
        }
        (FencedMutex | ReentrantFencedMutex, "acquire") => {
            if chance.below(8) == 0 {
                vec![]
            } else {
                op.answer.clone()
            }
        }
        (Set, "contains") => vec![i64::from(state.contains(&op.argument[0]))],
        (Set, "add" | "remove") if !shape.distinct && chance.below(2) == 0 => vec![i64::from(state != next)],
        (MultiRegister, _) => {
            let mut answer = op.argument.clone();
            let mut registers: Vec<(i64, i64)> = state.chunks(2).map(|pair| (pair[0], pair[1])).collect();
            for step in answer.chunks_mut(3) {
                let known = registers.iter().position(|(register, _)| *register == step[1]);
                match known {
                    Some(at) if step[0] == 1 => registers[at].1 = step[2],
                    Some(at) => step[2] = registers[at].1,
                    None => registers.push((step[1], step[2])),
                }
            }
            answer
        }
        _ => vec![],
    }
}

/// Changes one answer, or exchanges two, or two arguments.
fn spoil(shape: Shape, ops: &mut [Op], chance: &mut Chance) {
    let (one, other) = (chance.below(ops.len() as u64) as usize, chance.below(ops.len() as u64) as usize);
    if ops[one].function == ops[other].function && chance.below(3) > 0 {
        let swapped = if chance.below(2) == 0 && !shape.distinct { (true, false) } else { (false, true) };
        if swapped.0 && shape.model != ModelName::MultiRegister {
            let argument = ops[one].argument.clone();
            ops[one].argument = std::mem::replace(&mut ops[other].argument, argument);
        } else {
            if shape.model == ModelName::MultiRegister && ops[one].answer.len() != ops[other].answer.len() {
                return;
            }
            let answer = ops[one].answer.clone();
            ops[one].answer = std::mem::replace(&mut ops[other].answer, answer);
            if shape.model == ModelName::MultiRegister {
                for op in [one, other] {
                    ops[op].argument = ops[op].answer.clone();
                }
            }
        }
        return;
    }
    let op = &mut ops[one];
    let small = chance.below(4) as i64;
    use ModelName::*;
    match (shape.model, op.function) {
        (Set, "read") => {
            if let Some(at) = op.answer.iter().position(|element| *element == small) {
                op.answer.remove(at);
            } else {
                op.answer.push(small);
                op.answer.sort_unstable();
            }
        }
        (Set, _) if !op.answer.is_empty() => op.answer[0] = 1 - op.answer[0],
        (MultiRegister, _) if op.answer.len() >= 3 && op.answer[0] == 0 => op.answer[2] = small,
        (MultiRegister, _) => {}
        (StringKv, "get") => {
            op.answer.pop();
        }
        (PriorityQueue, "insert") => {}
        (FifoQueue | UnorderedQueue, "dequeue") | (PriorityQueue, _) | (Stack, "pop") if small == 0 => {
            op.answer.clear()
        }
        (PriorityQueue, _) if shape.distinct => op.answer = vec![small * 7_919 % 10_007],
        (PriorityQueue, _) => op.answer = vec![small],
        (FifoQueue | UnorderedQueue, "dequeue") | (Stack, "pop") => op.answer = vec![small],
        (_, "read") | (FencedMutex | ReentrantFencedMutex, "acquire") => op.answer = vec![small],
        // A lock that seems to have been got, or let go.
        (Semaphore | Mutex | OwnerMutex | ReentrantMutex | FencedMutex | ReentrantFencedMutex, _) => {
            if op.outcome == Outcome::Fail {
                op.outcome = Outcome::Ok;
            } else if op.outcome == Outcome::Ok {
                op.outcome = Outcome::Fail;
            }
        }
        _ => {}
    }
}
