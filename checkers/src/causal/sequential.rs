//! **Sequential consistency** (Lamport 1979): one order of all operations, in which each process keeps its own, explains every read.
//!
//! ```text
//!   p0  ─[ x := 1 ]──[ y → nil ]─
//!   p1  ─[ y := 1 ]──[ x → nil ]─      not sequential: whichever write came first, the other process must see it
//! ```
//!
//! *When to ask for it rather than for its neighbours:* linearizability also keeps to real time; causal memory and causal convergence
//! are what is left when processes need not agree, or not on reads.
//!
//! *Method:* what breaks causal convergence breaks it. What every order must hold is inferred (`saturation.rs`): a cycle is the proof that
//! there is none. Then an order is put together without a search (`schedule.rs`), which nearly always finds one where there is one. Only what
//! is left is searched, over how far each session has come, deepest first. Reads that are legal go at once, as nothing is lost by that. A
//! write waits until all have read what it writes over: so what is left depends on how far the sessions are, and on nothing else, and each
//! such frontier is tried once.
//!
//! *Cost:* O(n · k · r) for n operations of k sessions and r rounds of inference. NP-complete in general (Gibbons & Korach 1997), also where no
//! value repeats: frontiers are counted against the budget.

use rustc_hash::FxHashSet;

use super::conflict;
use super::found::Found;
use super::limits::{Limits, Over};
use super::order::Relation;
use super::saturation::{self, Saturated};
use super::schedule;
use super::sessions::{NONE, Node, Sessions};

/// Adds what shows that there is no order.
pub(super) fn check(sessions: &Sessions, limits: &Limits, found: &mut Vec<Found>) -> Result<(), Over> {
    conflict::check(sessions, limits, true, found)?;
    if !found.is_empty() {
        return Ok(());
    }
    let saturated = match saturation::saturate(sessions, limits)? {
        Ok(saturated) => saturated,
        Err(cycle) => {
            found.push(cycle);
            return Ok(());
        }
    };
    if schedule::order(sessions, &saturated, limits)?.is_some() {
        return Ok(());
    }
    if !search(sessions, &saturated, limits)? {
        let beside = (0..sessions.len() as Node).collect();
        found.push(Found { name: "no-sequential-order", cycle: Vec::new(), support: Vec::new(), beside });
    }
    Ok(())
}

/// Whether there is an order.
fn search(sessions: &Sessions, saturated: &Saturated, limits: &Limits) -> Result<bool, Over> {
    let frontier = (sessions.count() * size_of::<Node>() + 48) as u64;
    let mut pace = limits.begin("searching for an order", sessions.len());
    let mut search = Search::new(sessions, saturated);
    let mut visited: FxHashSet<Box<[Node]>> = FxHashSet::default();
    let mut choices: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut deepest = 0;
    loop {
        search.observe();
        deepest = deepest.max(search.done.len());
        pace.reach(deepest);
        pace.pause()?;
        if search.done.len() == sessions.len() {
            return Ok(true);
        }
        let fresh = visited.insert(search.next.clone().into_boxed_slice());
        pace.afford_configurations(visited.len() as u64)?;
        pace.afford(visited.len() as u64 * frontier)?;
        let mut ready: Vec<usize> = Vec::new();
        if fresh {
            ready.extend((0..sessions.count()).filter(|&session| search.is_ready(session)));
            // The one that is due first is tried first.
            ready.sort_unstable_by_key(|&session| std::cmp::Reverse(saturated.due[search.next[session] as usize]));
        }
        choices.push((search.done.len(), ready));
        loop {
            let Some((depth, ready)) = choices.last_mut() else { return Ok(false) };
            search.undo_to(*depth);
            if let Some(session) = ready.pop() {
                search.take(session);
                break;
            }
            choices.pop();
        }
    }
}

struct Search<'a> {
    sessions: &'a Sessions,
    relation: Relation<'a>,
    /// How far each session has come.
    next: Vec<Node>,
    /// Who wrote what each key holds.
    holds: Vec<Node>,
    /// How many reads of each write, and of the initial value of each key, are still to come.
    left: Vec<u32>,
    left_initial: Vec<u32>,
    /// What was done, and what the keys that it wrote held before.
    done: Vec<(Node, usize)>,
    held: Vec<Node>,
}

impl<'a> Search<'a> {
    fn new(sessions: &'a Sessions, saturated: &'a Saturated) -> Search<'a> {
        let (left, left_initial) = sessions.readers_of_writes();
        Search {
            sessions,
            relation: Relation::causal(sessions).with(&saturated.edges),
            next: sessions.starts[..sessions.count()].to_vec(),
            holds: vec![NONE; sessions.keys()],
            left,
            left_initial,
            done: Vec::new(),
            held: Vec::new(),
        }
    }

    /// How many reads of what a node left in a key are still to come.
    fn waiting(&mut self, key: u32, source: Node) -> &mut u32 {
        match source {
            NONE => &mut self.left_initial[key as usize],
            source => &mut self.left[self.sessions.write_slot(source, key)],
        }
    }

    fn is_ready(&self, session: usize) -> bool {
        let node = self.next[session];
        if node == self.sessions.starts[session + 1] {
            return false;
        }
        let is_done = |before: Node| before < self.next[self.sessions.session(before)];
        let reads = self.sessions.reads(node);
        self.relation.edges_into(node).all(|(before, _)| is_done(before))
            && reads.iter().all(|read| self.holds[read.key as usize] == read.source)
            && self.sessions.writes(node).iter().all(|&key| {
                let holds = self.holds[key as usize];
                let own = reads.iter().filter(|read| read.key == key && read.source == holds).count() as u32;
                own == match holds {
                    NONE => self.left_initial[key as usize],
                    holds => self.left[self.sessions.write_slot(holds, key)],
                }
            })
    }

    fn take(&mut self, session: usize) {
        let node = self.next[session];
        self.done.push((node, self.held.len()));
        for &read in self.sessions.reads(node) {
            *self.waiting(read.key, read.source) -= 1;
        }
        for &key in self.sessions.writes(node) {
            self.held.push(self.holds[key as usize]);
            self.holds[key as usize] = node;
        }
        self.next[session] += 1;
    }

    fn undo_to(&mut self, depth: usize) {
        while self.done.len() > depth {
            let (node, held) = self.done.pop().expect("there are more than wanted");
            for (&key, before) in self.sessions.writes(node).iter().zip(self.held.drain(held..)) {
                self.holds[key as usize] = before;
            }
            for &read in self.sessions.reads(node) {
                *self.waiting(read.key, read.source) += 1;
            }
            self.next[self.sessions.session(node)] = node;
        }
    }

    /// Takes all that only reads and is legal.
    fn observe(&mut self) {
        loop {
            let mut more = false;
            for session in 0..self.sessions.count() {
                while self.is_ready(session) && self.sessions.writes(self.next[session]).is_empty() {
                    self.take(session);
                    more = true;
                }
            }
            if !more {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    use super::super::sessions::{Draft, Read};
    use super::*;
    use crate::Budget;
    use crate::history::OperationId;

    /// Up to 14 operations of up to 4 sessions, some of which read and write at once.
    fn random(seed: u64) -> Sessions {
        let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut draw = |below: usize| (chance.next_u64() % below as u64) as u32;
        let (count, length, keys) = (2 + draw(3), 4 + draw(11), 1 + draw(3));
        let mut starts: Vec<Node> = (1..count).map(|_| draw(length as usize + 1)).chain([0, length]).collect();
        starts.sort_unstable();
        let writes: Vec<Vec<u32>> = (0..length).map(|_| (0..keys).filter(|_| draw(4) == 0).collect()).collect();
        let mut reads: Vec<Vec<Read>> = vec![Vec::new(); length as usize];
        for node in 0..length {
            for key in 0..keys {
                if draw(3) > 0 {
                    continue;
                }
                let writers: Vec<Node> =
                    (0..length).filter(|&other| other != node && writes[other as usize].contains(&key)).collect();
                let pick = draw(writers.len() + 1) as usize;
                reads[node as usize].push(Read { key, source: writers.get(pick).copied().unwrap_or(NONE) });
            }
        }
        let rows = writes.iter().zip(&reads).zip(0..);
        let drafts = rows.map(|((writes, reads), node)| Draft {
            operation: OperationId(node),
            begun: node,
            ended: node,
            reads,
            writes,
        });
        Sessions::build(drafts, starts, vec![NONE; count as usize], (0..keys).collect())
    }

    #[test]
    fn what_is_inferred_and_what_is_put_together_agree_with_a_search_that_knows_neither() {
        let limits = Limits::of(&Budget::default());
        let histories = std::env::var("SHAKEDOWN_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(30_000);
        let [mut cycles, mut put_together, mut searched, mut impossible] = [0; 4];
        for seed in 0..histories {
            let sessions = random(seed);
            let plain = search(&sessions, &Saturated::nothing(&sessions), &limits) == Ok(true);
            let Ok(saturated) = saturation::saturate(&sessions, &limits).expect("it is small") else {
                assert!(!plain, "seed {seed}");
                cycles += 1;
                continue;
            };
            assert_eq!(search(&sessions, &saturated, &limits), Ok(plain), "seed {seed}");
            match schedule::order(&sessions, &saturated, &limits).expect("it is small") {
                Some(order) => {
                    assert!(plain && schedule::is_legal(&sessions, &order), "seed {seed}");
                    put_together += 1;
                }
                None if plain => searched += 1,
                None => impossible += 1,
            }
        }
        println!("cycles {cycles}, put together {put_together}, only searched {searched}, impossible {impossible}");
        assert!(cycles > 0 && put_together > 0);
    }
}
