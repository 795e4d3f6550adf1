//! What each object may do, one operation at a time. All states that may follow: an operation of unknown outcome may have answered
//! anything.

use shakedown_checkers::{ModelName, Outcome};

use super::Op;

/// Everything an object remembers, as numbers.
pub type State = Vec<i64>;

/// Greater than every token of a generated history, and as far below as there may be operations.
const TOKENS: std::ops::Range<i64> = -10..30;

/// How many permits a semaphore has.
pub const PERMITS: i64 = 2;

pub fn initial(model: ModelName) -> State {
    use ModelName::*;
    match model {
        // Holder (-1: nobody), how often, the last token, the token of this hold.
        OwnerMutex | ReentrantMutex | FencedMutex | ReentrantFencedMutex => vec![-1, 0, -100, -100],
        Counter | Mutex => vec![0],
        Semaphore => vec![PERMITS],
        _ => Vec::new(),
    }
}

pub fn successors(model: ModelName, state: &State, op: &Op) -> Vec<State> {
    use ModelName::*;
    let answer = (op.outcome == Outcome::Ok).then_some(op.answer.as_slice());
    let unless = |wrong: bool, next: State| if wrong { vec![] } else { vec![next] };
    match (model, op.function) {
        (Register | CasRegister | Kv, "read") => unless(answer.is_some_and(|answer| answer != state), state.clone()),
        (Register | CasRegister | Kv, "write") => vec![op.argument.clone()],
        (CasRegister | Kv, "cas") => unless(*state != op.argument[..1], op.argument[1..].to_vec()),
        (StringKv, "get") => unless(answer.is_some_and(|answer| answer != state), state.clone()),
        (StringKv, "put") => vec![digits(&op.argument)],
        (StringKv, "append") => vec![[&state[..], &digits(&op.argument)].concat()],
        (MultiRegister, _) => transaction(state, op).into_iter().collect(),
        (Mutex, "acquire") => unless(state[0] == 1, vec![1]),
        (Mutex, "release") => unless(state[0] == 0, vec![0]),
        (Semaphore, function) => {
            let permits = op.argument.first().copied().unwrap_or(1);
            let left = if function == "acquire" { state[0] - permits } else { state[0] + permits };
            unless(!(0..=PERMITS).contains(&left), vec![left])
        }
        (OwnerMutex | ReentrantMutex | FencedMutex | ReentrantFencedMutex, _) => lock(model, state, op),
        (FifoQueue | UnorderedQueue, "enqueue") | (Stack, "push") => vec![[&state[..], &op.argument].concat()],
        (FifoQueue | UnorderedQueue | Stack, _) => {
            let mut next = Vec::new();
            let takes = match model {
                FifoQueue => 0..state.len().min(1),
                Stack => state.len().saturating_sub(1)..state.len(),
                _ => 0..state.len(),
            };
            for at in takes {
                if answer.is_none_or(|answer| answer == [state[at]]) {
                    next.push([&state[..at], &state[at + 1..]].concat());
                }
            }
            if state.is_empty() && answer.is_none_or(<[i64]>::is_empty) {
                next.push(state.clone());
            }
            if model == UnorderedQueue {
                next.iter_mut().for_each(|next| next.sort_unstable());
                next.dedup();
            }
            next
        }
        (PriorityQueue, "insert") => {
            let mut next = [&state[..], &op.argument].concat();
            next.sort_unstable();
            vec![next]
        }
        (PriorityQueue, function) => {
            let at = if function == "delete-min" { 0 } else { state.len().saturating_sub(1) };
            let there = state.get(at).copied();
            let next =
                state.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, element)| *element).collect();
            unless(answer.is_some_and(|answer| answer.first().copied() != there), next)
        }
        (Set, "read") => unless(answer.is_some_and(|answer| answer != state), state.clone()),
        (Set, function) => {
            let there = state.contains(&op.argument[0]);
            let truth = i64::from(if function == "add" { !there } else { there });
            let mut next = state.clone();
            match function {
                "add" if !there => next.push(op.argument[0]),
                "remove" => next.retain(|element| *element != op.argument[0]),
                _ => {}
            }
            next.sort_unstable();
            unless(answer.is_some_and(|answer| !answer.is_empty() && answer != [truth]), next)
        }
        (Counter, "read") => unless(answer.is_some_and(|answer| answer != state), state.clone()),
        (Counter, function) => {
            let amount = op.argument.first().copied().unwrap_or(1);
            vec![vec![if function == "decrement" { state[0] - amount } else { state[0] + amount }]]
        }
        other => panic!("no such operation: {other:?}"),
    }
}

/// A text of numbers as its digits: what is shown does not tell where one number ends.
fn digits(numbers: &[i64]) -> State {
    let text: String = numbers.iter().map(i64::to_string).collect();
    text.bytes().map(|digit| i64::from(digit - b'0')).collect()
}

/// Registers 0, 1, … as pairs; a register that was neither read nor written may hold anything.
fn transaction(state: &State, op: &Op) -> Option<State> {
    let known = op.outcome == Outcome::Ok;
    let mut registers: std::collections::BTreeMap<i64, i64> = state.chunks(2).map(|pair| (pair[0], pair[1])).collect();
    for step in (if known { &op.answer } else { &op.argument }).chunks(3) {
        let (writes, register, value) = (step[0] == 1, step[1], step[2]);
        if writes {
            registers.insert(register, value);
        } else if known && *registers.entry(register).or_insert(value) != value {
            return None;
        }
    }
    Some(registers.into_iter().flat_map(|(register, value)| [register, value]).collect())
}

fn lock(model: ModelName, state: &State, op: &Op) -> Vec<State> {
    let [holder, times, last, own] = state[..] else { panic!("a lock has four numbers") };
    let me = i64::from(op.process);
    let fenced = matches!(model, ModelName::FencedMutex | ModelName::ReentrantFencedMutex);
    let reentrant = matches!(model, ModelName::ReentrantMutex | ModelName::ReentrantFencedMutex);
    let told = op.answer.first().copied().filter(|_| op.outcome == Outcome::Ok && fenced);
    match op.function {
        "acquire" if holder == -1 && !fenced => vec![vec![me, 1, last, own]],
        "acquire" if holder == -1 => TOKENS
            .filter(|token| *token > last && told.is_none_or(|told| told == *token))
            .map(|token| vec![me, 1, token, token])
            .collect(),
        "acquire" if holder == me && reentrant && told.is_none_or(|told| told == own) => {
            vec![vec![me, times + 1, last, own]]
        }
        "release" if holder == me && times > 1 => vec![vec![me, times - 1, last, own]],
        "release" if holder == me => vec![vec![-1, 0, last, -100]],
        _ => vec![],
    }
}
