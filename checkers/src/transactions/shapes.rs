//! Cycles whose shape tells more than Adya's name for them: which of the levels with atomic visibility they break.
//!
//! ```text
//!   shape (key of the rw: x)                    name                          what it breaks
//!   rw(x) ww(x)* wr+                            causality-violation           causal-cerone
//!   rw(x) ww(x)* (wr|process)+, a process       causality-violation-process   causal-convergence
//!   each rw right behind a wr; two, or one      long-fork, non-prefix-read    prefix
//!   rw(x) ww(x)+                                G-cursor                      cursor-stability, update-atomic
//!   rw(x) ww(x)* ww(y)+                         fractured-update              update-atomic
//!   any, but only one that does not write       G-update                      update-serializable
//! ```
//!
//! *Why:* in an abstract execution (Cerone, Bernardi & Gotsman, CONCUR 2015) `VIS` is what each transaction sees and `AR` ⊇ `VIS` the one
//! order; what is read of x is the last write of x in `VIS`. To see more only forbids more, so a level holds exactly when its least `VIS`
//! does: wr for read atomic; wr+ for causal, so that whoever reads x and sees, through any number of wr, a later write of x breaks it; all that is in
//! `AR` before something seen, for prefix, so that `AR` ⊇ wr;rw ∪ wr ∪ ww must have no cycle (the theorem of "Algebraic laws for weak
//! consistency", CONCUR 2017, without sessions); wr and ww of each key (no two writers unseen by each other) for update atomic, one
//! step deep. Parallel snapshot isolation is wr and ww in any number: G-single. Read atomic itself is in [`atomic`](super::atomic). G-update is
//! Adya's: the transactions that write are serializable, and so are they with any one that only reads.
//!
//! `causality-violation` is what Bouajjani et al. (POPL 2017) call WriteCORead, or CyclicCF where the order of the two writes is known otherwise
//! than by causality. Each is looked for only while its level stands.

use std::collections::VecDeque;

use crate::levels::{Level, weakest_ruled_out};

use super::NONE;
use super::allowance::Allowance;
use super::cycles::{Cycle, Cyclic, renamed, rule};
use super::dependencies::{Dependency, Graph, Kind};
use super::search::{Rule, Shape};

#[rustfmt::skip]
const RULES: [(&[Kind], Rule); 5] = {
    use Kind::{Process as P, ReadWrite as Rw, WriteRead as Wr, WriteWrite as Ww};
    [
        (&[Ww, Wr, Rw], rule("causality-violation", Rw, Shape::Causal, None)),
        (&[Ww, Wr, Rw, P], rule("causality-violation-process", Rw, Shape::Causal, Some(P))),
        (&[Ww, Wr, Rw], rule("long-fork", Wr, Shape::Prefix, None)),
        (&[Ww, Rw], rule("G-cursor", Rw, Shape::Cursor, None)),
        (&[Ww, Wr, Rw], rule("G-update", Rw, Shape::Update, None)),
    ]
};

/// The shortest cycle of each shape that breaks a level which stands.
pub(super) fn find(cyclic: &Cyclic, ruled_out: &[Level], allowance: &mut Allowance) -> Vec<Cycle> {
    let mut ruled_out = ruled_out.to_vec();
    let mut cycles = Vec::new();
    let stands =
        |name: &str, ruled_out: &[Level]| weakest_ruled_out(name).iter().any(|level| !ruled_out.contains(level));
    for (allowed, rule) in RULES {
        if !stands(rule.name, &ruled_out) {
            continue;
        }
        for mut cycle in cyclic.shortest(allowed, &[rule], allowance) {
            let forks = cycle.steps.iter().filter(|step| step.kind == Kind::ReadWrite).count();
            if rule.shape == Shape::Prefix && forks == 1 {
                cycle.name = "non-prefix-read";
            }
            let weakest = weakest_ruled_out(cycle.name);
            ruled_out.extend(Level::ALL.into_iter().filter(|level| weakest.iter().any(|weak| level.implies(*weak))));
            cycles.push(cycle);
        }
    }
    if stands(FRACTURED, &ruled_out) {
        cycles.extend(fractured_update(cyclic, allowance));
    }
    cycles
}

const FRACTURED: &str = "fractured-update";

/// A place of the search for a fractured update: an edge, and whether the walk has left the key of the first one.
type Place = usize;

/// A cycle `rw(x) ww(x)* ww(y)+`: as the key of the way back matters, the places of this search are edges. *Cost:* for each rw edge at most each
/// ww edge twice; bounded.
fn fractured_update(cyclic: &Cyclic, allowance: &mut Allowance) -> Option<Cycle> {
    let (graph, original) = cyclic.part(&[Kind::WriteWrite, Kind::ReadWrite])?;
    let edges = graph.edges(0).start..graph.edges(graph.nodes() as u32 - 1).end;
    if !allowance.may_begin("the search for fractured updates", 24 * edges.len(), weakest_ruled_out(FRACTURED)) {
        return None;
    }
    let mut reached = vec![NONE; 2 * edges.len()];
    let mut by: Vec<Place> = vec![Place::MAX; 2 * edges.len()];
    let (mut round, mut visits) = (0, 0_u64);
    for start in (0..graph.nodes() as u32).filter(|&node| original[node as usize] < cyclic.transactions()) {
        for first in graph.edges(start).filter(|&edge| graph.kind(edge) == Kind::ReadWrite) {
            round += 1;
            let mut queue = VecDeque::from([2 * first as Place]);
            reached[2 * first as Place] = round;
            by[2 * first as Place] = Place::MAX;
            while let Some(place) = queue.pop_front() {
                let (edge, has_left) = (place as u32 / 2, place % 2 == 1);
                let node = graph.to(edge);
                if node == start {
                    if has_left {
                        let steps = renamed(walk(&graph, start, place, &by), &original);
                        return Some(Cycle { name: FRACTURED, steps });
                    }
                    continue;
                }
                for next in graph.edges(node) {
                    visits += 1;
                    if visits.is_multiple_of(1 << 16) && allowance.is_late() {
                        allowance.skip_anomaly(FRACTURED, visits);
                        return None;
                    }
                    let leaves = match graph.kind(next) {
                        Kind::Onward => has_left,
                        Kind::WriteWrite if has_left && graph.key(next) != graph.key(edge) => continue,
                        Kind::WriteWrite => has_left || graph.key(next) != graph.key(first),
                        _ => continue,
                    };
                    let to = 2 * next as Place + usize::from(leaves);
                    if reached[to] != round {
                        (reached[to], by[to]) = (round, place);
                        queue.push_back(to);
                    }
                }
            }
            if visits > allowance.visits || round.is_multiple_of(1 << 10) && allowance.is_late() {
                allowance.skip_anomaly(FRACTURED, visits);
                return None;
            }
        }
    }
    None
}

fn walk(graph: &Graph, start: u32, end: Place, by: &[Place]) -> Vec<Dependency> {
    let (mut places, mut place) = (Vec::new(), end);
    while place != Place::MAX {
        places.push(place);
        place = by[place];
    }
    let (mut steps, mut from) = (Vec::<Dependency>::new(), start);
    for place in places.into_iter().rev() {
        let edge = place as u32 / 2;
        let (to, kind) = (graph.to(edge), graph.kind(edge));
        match steps.last_mut() {
            Some(last) if kind == Kind::Onward => last.to = to,
            _ => steps.push(Dependency { from, to, kind, key: graph.key(edge) }),
        }
        from = to;
    }
    steps
}
