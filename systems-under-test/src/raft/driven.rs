//! What tests of all sections drive a node with.

use std::time::Duration;

use super::*;

/// Long after the beginning.
pub const NOW: Duration = Duration::from_secs(1);

/// A node of this crate's tests: what its log holds does not matter.
pub type Node = Raft<()>;

/// An entry of a term.
pub fn entry(term: Term) -> Entry<()> {
    Entry { term, command: None }
}

/// A node of three, in a term, with these terms in its log.
pub fn node(me: NodeId, term: Term, terms: &[Term], bug: Option<Bug>) -> Node {
    let log = Log::of(terms.iter().map(|&term| entry(term)).collect());
    Raft::new(me, 3, HardState { term, vote: None }, log, bug, Duration::ZERO, 0)
}

/// Tells a node something; what it does then.
pub fn say(raft: &mut Node, from: NodeId, term: Term, body: Body<()>) -> Vec<Output<()>> {
    let mut out = Vec::new();
    raft.receive(from, Message { term, body }, NOW, 0, &mut out);
    out
}

/// Entries of these terms behind a place.
pub fn append(previous: (Index, Term), entries: &[Term], commit: Index) -> Body<()> {
    let entries = entries.iter().map(|&term| entry(term)).collect();
    Body::Append { previous_index: previous.0, previous_term: previous.1, entries, commit, round: 1 }
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
    let mut raft = node(0, 4, terms, None);
    raft.tick(NOW, 0, &mut Vec::new());
    say(&mut raft, 1, 4, Body::PreVote { proposed: 5, granted: true });
    say(&mut raft, 1, 5, Body::Vote { granted: true });
    assert!(raft.leads());
    raft
}
