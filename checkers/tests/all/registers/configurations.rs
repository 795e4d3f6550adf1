//! One register, judged event by event with all configurations at once (Lowe, "Testing for linearizability", 2017, section 3): which open
//! operations have taken effect, and what the register holds. No rule makes it quick, so that none can make it wrong.

use rustc_hash::FxHashSet;
use shakedown_checkers::Outcome;
use shakedown_checkers::history::NEVER;

use super::Op;

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    Legal,
    /// The events up to and with the completion at this position have no legal order; those before it have one.
    ImpossibleBy(u32),
    /// There were too many configurations.
    TooMany,
}

/// No value of a history is this.
const NOTHING: i64 = i64::MIN;

/// Judges at most 64 operations on one register. Of those that are not `bound`, nothing is known but when they may have taken effect, if
/// they did.
pub fn judge(ops: &[Op], bound: impl Fn(usize) -> bool, most: usize) -> Judgement {
    assert!(ops.len() <= 64);
    let must: Vec<bool> = (0..ops.len()).map(|at| ops[at].outcome == Outcome::Ok && bound(at)).collect();
    let mut events: Vec<(u32, usize, bool)> = Vec::new();
    for (at, op) in ops.iter().enumerate() {
        if op.outcome == Outcome::Fail || (op.function == "read" && !must[at]) {
            continue;
        }
        events.push((op.invoked, at, true));
        if op.outcome == Outcome::Ok {
            assert_ne!(op.completed, NEVER);
            events.push((op.completed, at, false));
        }
    }
    events.sort_unstable();
    let mut open: u64 = 0;
    let mut configurations: FxHashSet<(u64, i64)> = FxHashSet::from_iter([(0, NOTHING)]);
    for (position, at, begins) in events {
        let closing = 1 << at;
        if begins {
            open |= closing;
            continue;
        }
        let mut next = FxHashSet::default();
        let mut visited = FxHashSet::default();
        let mut fresh: Vec<(u64, i64)> = configurations.into_iter().collect();
        while let Some((taken, value)) = fresh.pop() {
            if taken & closing != 0 {
                next.insert((taken & !closing, value));
                continue;
            }
            if !visited.insert((taken, value)) {
                continue;
            }
            if visited.len() > most {
                return Judgement::TooMany;
            }
            if !must[at] {
                next.insert((taken, value));
            }
            let mut left = open & !taken;
            while left != 0 {
                let candidate = left.trailing_zeros() as usize;
                left &= left - 1;
                if let Some(value) = step(&ops[candidate], value) {
                    fresh.push((taken | 1 << candidate, value));
                }
            }
        }
        open &= !closing;
        configurations = next;
        if configurations.is_empty() {
            return Judgement::ImpossibleBy(position);
        }
    }
    Judgement::Legal
}

fn step(op: &Op, value: i64) -> Option<i64> {
    match op.function {
        "read" => (op.answer.first().copied().unwrap_or(NOTHING) == value).then_some(value),
        "write" => Some(op.argument[0]),
        _ => (op.argument[0] == value).then_some(op.argument[1]),
    }
}
