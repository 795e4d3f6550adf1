//! Which line of the timeline each process is drawn on.
//!
//! After an `info`, a client goes on under a new number: in Jepsen's way its own plus the number of clients. Both belong
//! on one line. The number of clients is not in a history, so it is taken to be the largest number of processes that
//! were ever alive at once.

use std::collections::BTreeMap;

use shakedown_checkers::history::NEVER;
use shakedown_checkers::{History, Outcome};

/// From here on, a client that came later shares a line with one that had left before.
const MANY: usize = 40;

/// The processes of one line, in the order in which they lived.
pub type Lane = Vec<u32>;

struct Life {
    process: u32,
    begins: u32,
    ends: u32,
    gone: bool,
}

/// The lanes of a history, by their lowest process.
pub fn lanes(history: &History) -> Vec<Lane> {
    let lives = lives(history);
    let clients = most_at_once(&lives).max(1);
    let mut lanes: Vec<Vec<&Life>> = Vec::new();
    for life in &lives {
        let free: Vec<usize> =
            (0..lanes.len()).filter(|&lane| lanes[lane].last().is_none_or(|last| last.ends < life.begins)).collect();
        let last = |lane: usize| lanes[lane].last();
        let chosen = free
            .iter()
            .copied()
            .find(|&lane| last(lane).is_some_and(|last| last.gone && last.process % clients == life.process % clients))
            .or_else(|| free.iter().copied().find(|&lane| last(lane).is_some_and(|last| last.gone)))
            .or(free.first().copied().filter(|_| lanes.len() >= MANY));
        match chosen {
            Some(lane) => lanes[lane].push(life),
            None => lanes.push(vec![life]),
        }
    }
    let mut lanes: Vec<Lane> =
        lanes.into_iter().map(|lives| lives.into_iter().map(|life| life.process).collect()).collect();
    lanes.sort_by_key(|processes: &Lane| processes.iter().min().copied());
    lanes
}

/// Of each process: its first and last event, and whether it left without an answer. In the order of the first events.
fn lives(history: &History) -> Vec<Life> {
    let mut by_process: BTreeMap<u32, Life> = BTreeMap::new();
    for operation in history.operations() {
        let (process, begins) = (operation.process(), operation.invoked());
        let ends = if operation.completed() == NEVER { begins } else { operation.completed() };
        let life = by_process.entry(process).or_insert(Life { process, begins, ends, gone: false });
        life.ends = life.ends.max(ends);
        life.gone = operation.outcome() == Outcome::Info;
    }
    let mut lives: Vec<Life> = by_process.into_values().collect();
    lives.sort_by_key(|life| life.begins);
    lives
}

fn most_at_once(lives: &[Life]) -> u32 {
    let mut ends: Vec<u32> = lives.iter().map(|life| life.ends).collect();
    ends.sort_unstable();
    let (mut ended, mut most) = (0, 0);
    for (begun, life) in lives.iter().enumerate() {
        while ends.get(ended).is_some_and(|&end| end < life.begins) {
            ended += 1;
        }
        most = most.max(begun + 1 - ended);
    }
    u32::try_from(most).unwrap_or(u32::MAX)
}
