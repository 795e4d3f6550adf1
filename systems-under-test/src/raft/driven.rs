//! What tests of all sections drive a node with.

use std::time::Duration;

use super::*;

/// Long after the beginning.
pub const NOW: Duration = Duration::from_secs(1);

/// A node of this crate's tests: what its log holds does not matter.
pub type Node = Raft<()>;

/// A time on a clock that is right.
pub fn at(now: Duration) -> Time {
    Time { now, wall: now }
}

/// An entry of a term.
pub fn entry(term: Term) -> Entry<()> {
    Entry { term, payload: Payload::Nothing }
}

/// What a node of three begins with, in a term, with these terms in its log.
pub fn start(me: NodeId, term: Term, terms: &[Term]) -> Start<()> {
    Start {
        me,
        nodes: 3,
        state: HardState { term, ..HardState::default() },
        snapshot: None,
        log: Log::of(terms.iter().map(|&term| entry(term)).collect()),
        is_joining: false,
        lease: false,
        bug: None,
        seed: 0,
    }
}

/// A node of three, in a term, with these terms in its log.
pub fn node(me: NodeId, term: Term, terms: &[Term], bug: Option<Bug>) -> Node {
    Raft::new(Start { bug, ..start(me, term, terms) }, Time::default())
}

/// Tells a node something; what it does then.
pub fn say(raft: &mut Node, from: NodeId, term: Term, body: Body<()>) -> Vec<Output<()>> {
    let mut out = Vec::new();
    raft.receive(from, Message { term, body }, at(NOW), &mut out);
    out
}

/// Entries of these terms behind a place.
pub fn append(previous: (Index, Term), entries: &[Term], commit: Index) -> Body<()> {
    let entries = entries.iter().map(|&term| entry(term)).collect();
    Body::Append { previous_index: previous.0, previous_term: previous.1, entries, commit, round: 1, life: 0 }
}

/// The logs agree up to a place.
pub fn matched(index: Index, round: u64) -> Body<()> {
    Body::Matched { index, round: round.max(1), life: 0 }
}

/// The last thing that is sent.
pub fn answer(out: &[Output<()>]) -> Option<&Body<()>> {
    out.iter().rev().find_map(|output| match output {
        Output::Send(_, message) => Some(&message.body),
        _ => None,
    })
}

/// The first node, elected in term 5.
pub fn elected(terms: &[Term]) -> Node {
    elected_with(terms, None)
}

/// The first node with a bug, elected in term 5.
pub fn elected_with(terms: &[Term], bug: Option<Bug>) -> Node {
    let mut raft = node(0, 4, terms, bug);
    elect(&mut raft);
    raft
}

/// Lets the first node be elected in term 5.
pub fn elect(raft: &mut Node) {
    raft.tick(at(NOW), &mut Vec::new());
    say(raft, 1, 4, Body::PreVote { proposed: 5, granted: true });
    say(raft, 1, 5, Body::Vote { granted: true });
    assert!(raft.leads());
}
