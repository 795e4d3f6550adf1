//! **One transaction's reads** under causal consistency: they must all be read from one order of the writes, which no other transaction
//! need share.
//!
//! ```text
//!   p0  ─{ x := 1, y := 1 }─
//!   p1  ─{ x := 2, y := 2 }─
//!   p2  ─[ … saw both … ]──{ x → 1, y → 2 }─     neither order of the two shows both
//! ```
//!
//! *Method:* the conflicts that the reads of one transaction make must have no cycle with causal order. Such a cycle is one of all
//! conflicts too, so only those inside a component of causal order and all conflicts count; what is left asks, of each two of them,
//! whether causality leads from one to the other, which vector clocks answer for many transactions in one walk.
//!
//! *Cost:* the square of the conflicts of each transaction, or one walk, whichever is less.

use super::clocks;
use super::conflicts::{Conflict, each};
use super::found::{self, Found, Inference, Inferences, Step, Why};
use super::limits::Limits;
use super::order::{Edges, Relation};
use super::sessions::{NONE, Node, Sessions};
use super::stopped::Stopped;

/// So many questions are answered in one walk.
const BATCH: usize = 4 << 20;

/// A transaction that no order satisfies. `edges` are all conflicts.
pub(super) fn check(sessions: &Sessions, edges: &Edges, limits: &Limits) -> Result<Option<Found>, Stopped> {
    let components = Relation::causal(sessions).with(edges).components();
    let mut conflicts: Vec<Conflict> = Vec::new();
    each(sessions, limits, |from, to, reader, key| {
        if to != NONE
            && sessions.reads(reader).len() > 1
            && components[from as usize] == components[to as usize]
            && conflicts.last().is_none_or(|last| (last.from, last.to, last.reader) != (from, to, reader))
        {
            conflicts.push(Conflict { from, to, key, reader });
        }
        Ok(())
    })?;
    let mut pace = limits.begin("looking into transactions one by one", conflicts.len());
    pace.afford((conflicts.len() * size_of::<Conflict>()) as u64)?;
    let mut asked: Vec<&[Conflict]> = Vec::new();
    let mut questions = 0;
    for own in conflicts.chunk_by(|one, other| one.reader == other.reader) {
        own.iter().try_for_each(|_| pace.step())?;
        if own.iter().all(|conflict| conflict.to == own[0].to) {
            continue;
        }
        if own.len().saturating_mul(own.len()) > sessions.len() {
            if let Some(found) = look_into(sessions, own, limits)? {
                return Ok(Some(found));
            }
            continue;
        }
        asked.push(own);
        questions += own.len() * own.len();
        if questions >= BATCH {
            if let Some(found) = answer(sessions, &asked, limits)? {
                return Ok(Some(found));
            }
            asked.clear();
            questions = 0;
        }
    }
    answer(sessions, &asked, limits)
}

/// Looks into several transactions at once.
fn answer(sessions: &Sessions, asked: &[&[Conflict]], limits: &Limits) -> Result<Option<Found>, Stopped> {
    // Whether causality leads from where a conflict leads to where another begins: the latter, the former, and where to note it.
    let mut questions: Vec<(Node, Node, u32)> = Vec::new();
    let mut answers = 0;
    for own in asked {
        for from in *own {
            for to in *own {
                questions.push((from.from, to.to, answers));
                answers += 1;
            }
        }
    }
    if questions.is_empty() {
        return Ok(None);
    }
    questions.sort_unstable();
    let mut leads = vec![false; answers as usize];
    let mut is_asked = vec![false; sessions.len()];
    questions.iter().for_each(|&(from, ..)| is_asked[from as usize] = true);
    clocks::walk(sessions, limits, |node, clock, _| {
        if is_asked[node as usize] {
            let begin = questions.partition_point(|&(from, ..)| from < node);
            for &(_, to, at) in questions[begin..].iter().take_while(|(from, ..)| *from == node) {
                leads[at as usize] = to == node || to < clock[sessions.session(to)];
            }
        }
        Ok(())
    })?;
    let mut begin = 0;
    for own in asked {
        let count = own.len();
        let leads = &leads[begin..begin + count * count];
        begin += count * count;
        if is_cyclic(count, |before, after| leads[after * count + before])
            && let Some(found) = look_into(sessions, own, limits)?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Whether a relation on a few things has a cycle.
fn is_cyclic(count: usize, leads: impl Fn(usize, usize) -> bool) -> bool {
    let mut left: Vec<usize> = (0..count).collect();
    loop {
        let before = left.len();
        let kept: Vec<usize> = left.iter().copied().filter(|&at| left.iter().any(|&other| leads(other, at))).collect();
        left = kept;
        if left.len() == before {
            return before > 0;
        }
    }
}

/// The cycle of causal order and the conflicts of one transaction, if there is one.
fn look_into(sessions: &Sessions, own: &[Conflict], limits: &Limits) -> Result<Option<Found>, Stopped> {
    let pairs: Vec<(Node, Node)> = own.iter().map(|conflict| (conflict.from, conflict.to)).collect();
    let edges = Edges::into_nodes(sessions.len(), &pairs);
    let relation = Relation::causal(sessions).with(&edges);
    let mut pace = limits.begin("following the order that one transaction read from", sessions.len());
    let cycle = match relation.walk([own[0].reader], |_| pace.step()) {
        Ok(()) => return Ok(None),
        Err(Stopped::Cycle(cycle)) => cycle,
        Err(over) => return Err(over),
    };
    let path = found::shortened(&relation, &cycle, limits);
    let inferences: Vec<Inference> = own.iter().map(|conflict| conflict.inference()).collect();
    let cycle = found::steps(sessions, &path, &Inferences::of(&inferences));
    let before = |step: &Step| match step.why {
        Why::Conflict { reader, .. } => found::causal_path(sessions, step.from, reader),
        _ => None,
    };
    let support = cycle.iter().filter_map(before).flatten().collect();
    Ok(Some(Found { name: "CyclicCF", cycle, support, beside: Vec::new() }))
}
