//! **Read committed**, **monotonic atomic view** and **read atomic**: how much of another transaction a transaction sees.
//!
//! ```text
//!   t1  [ x := 1, y := 1 ]
//!   t2  [ x := 2, y := 2 ]
//!   t3  [ y → 2, x → 1 ]       read committed, not monotonic atomic view if t1 came before t2: after y = 2, x = 1 is gone
//!   t4  [ x → 1, y → 2 ]       monotonic atomic view, not read atomic if so: half of t2 is missing (a fractured read)
//! ```
//!
//! Read committed is Adya's PL-2: nothing aborted (G1a), nothing intermediate (G1b), no circle of reads (G1c); writes may always be
//! ordered so that G0 is not there. Read atomic is that of Bailis et al. (2014), without the order of sessions: see `conflict.rs` for
//! that. Transactions that read from t2 and, of a key that t2 wrote, from t1 put t2 before t1; some order must satisfy all of them.
//!
//! *Method:* those edges with reads-from, and a search for a cycle, as in AWDIT (PLDI 2025). *Cost:* for each two transactions of which
//! one read from the other, the smaller of what the one read and what the other wrote: O(n^1.5) at worst.

use super::found::{self, Found, Inference, Step, Why};
use super::order::{Edges, Relation};
use super::sessions::{NONE, Node, Read, Sessions};

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isolation {
    ReadCommitted,
    MonotonicAtomicView,
    ReadAtomic,
}

/// The pattern that is there.
pub(super) fn check(sessions: &Sessions, isolation: Isolation) -> Option<Found> {
    let name = match isolation {
        Isolation::ReadCommitted => "G1c",
        Isolation::MonotonicAtomicView => "non-monotonic-read",
        Isolation::ReadAtomic => "fractured-read",
    };
    let mut inferences = Vec::new();
    if isolation != Isolation::ReadCommitted {
        let mut by_key = Vec::new();
        for reader in 0..sessions.len() as Node {
            if sessions.reads(reader).len() > 1
                && let Some(found) = infer(sessions, reader, isolation, &mut by_key, &mut inferences)
            {
                return Some(found);
            }
        }
    }
    let pairs: Vec<(Node, Node)> = inferences.iter().map(|inference| (inference.from, inference.to)).collect();
    let edges = Edges::into_nodes(sessions.len(), &pairs);
    let reads = Relation { process: false, ..Relation::causal(sessions) };
    let relation = reads.with(&edges);
    let cycle = relation.walk(sessions.by_invocation.iter().copied(), |_| {}).err()?;
    let path = found::shortened(&relation, &cycle);
    let cycle = found::steps(sessions, &path, &inferences);
    let mut support = Vec::new();
    for step in &cycle {
        if let Why::Conflict { reader, .. } = step.why {
            support.push(from_to(sessions, step.from, reader));
        }
    }
    let inferred = !support.is_empty();
    Some(Found { name: if inferred { name } else { "G1c" }, cycle, support, beside: Vec::new() })
}

fn from_to(sessions: &Sessions, from: Node, reader: Node) -> Step {
    let read = sessions.reads(reader).iter().find(|read| read.source == from).expect("it read from there");
    Step { from, to: reader, why: Why::Reads { key: read.key } }
}

/// What a transaction's reads say of the order of those that it read from; or a read of the initial value although it read from a writer.
fn infer(
    sessions: &Sessions,
    reader: Node,
    isolation: Isolation,
    by_key: &mut Vec<(u32, usize)>,
    inferences: &mut Vec<Inference>,
) -> Option<Found> {
    let reads = sessions.reads(reader);
    by_key.clear();
    by_key.extend(reads.iter().enumerate().map(|(at, read)| (read.key, at)));
    by_key.sort_unstable();
    let mut initial = None;
    for (first, Read { source: seen, .. }) in reads.iter().enumerate() {
        if *seen == NONE || reads[..first].iter().rev().take(64).any(|read| read.source == *seen) {
            continue;
        }
        let mut tell = |at: usize| {
            let Read { key, source } = reads[at];
            if source == *seen || isolation == Isolation::MonotonicAtomicView && at < first {
                return;
            }
            match source {
                NONE => initial = initial.or(Some((*seen, key))),
                source => inferences.push(Inference { from: *seen, to: source, key, reader }),
            }
        };
        let writes = sessions.writes(*seen);
        if writes.len() <= reads.len() {
            for &key in writes {
                let from = by_key.partition_point(|&(other, _)| other < key);
                by_key[from..].iter().take_while(|&&(other, _)| other == key).for_each(|&(_, at)| tell(at));
            }
        } else {
            let wrote = |key| sessions.writers_in(key, sessions.session(*seen)).binary_search(seen).is_ok();
            (0..reads.len()).filter(|&at| wrote(reads[at].key)).for_each(tell);
        }
    }
    let (writer, key) = initial?;
    let back = Step { from: reader, to: writer, why: Why::Overwrites { key } };
    let name = if isolation == Isolation::ReadAtomic { "fractured-read" } else { "non-monotonic-read" };
    Some(Found { name, cycle: vec![from_to(sessions, writer, reader), back], support: Vec::new(), beside: Vec::new() })
}
