//! The log (paper §5.3, §5.4.2).

use std::time::Duration;

use super::{Body, Bug, Entry, Event, Index, NodeId, Output, Raft, Role, Term};

/// The most entries in one message.
const BATCH: usize = 64;

impl<C: Clone> Raft<C> {
    /// Takes a command up into the log, if this node leads; tells where.
    pub fn propose(&mut self, command: C, out: &mut Vec<Output<C>>) -> Option<Index> {
        if !self.leads() {
            return None;
        }
        Some(self.append(Some(command), out))
    }

    /// Sends what has been proposed to those that wait for it.
    pub fn replicate(&mut self, out: &mut Vec<Output<C>>) {
        if self.leads() {
            self.broadcast(out, Raft::send_entries);
        }
    }

    /// All that was written up to now is durable, up to this place of the log.
    pub fn synced(&mut self, index: Index) {
        self.synced = index.min(self.log.last_index());
        self.advance_commit();
    }

    // The follower's side.

    pub(super) fn append_entries(
        &mut self,
        previous_index: Index,
        previous_term: Term,
        entries: Vec<Entry<C>>,
        commit: Index,
        round: u64,
        out: &mut Vec<Output<C>>,
    ) -> Body<C> {
        match self.log.term_at(previous_index) {
            None => return Body::Conflict { term: None, first: self.log.last_index() + 1, round },
            Some(term) if term != previous_term => {
                return Body::Conflict { term: Some(term), first: self.log.first_of_term_at(previous_index), round };
            }
            Some(_) => {}
        }
        let verified = previous_index + entries.len() as Index;
        for (place, entry) in (previous_index + 1..).zip(entries) {
            match self.log.term_at(place) {
                Some(term) if term == entry.term => continue,
                Some(_) => {
                    assert!(place > self.commit, "entry {place} of the log is committed, and would be cut off");
                    self.truncate(place, out);
                }
                None => {}
            }
            out.push(Output::WriteEntry(entry.clone()));
            self.log.push(entry);
        }
        let mut known = commit.min(verified);
        if self.bug == Some(Bug::CommitPastVerified) {
            let end = commit.min(self.log.last_index());
            if end > known.max(self.commit) {
                out.push(Output::Tell(self.state.term, Event::DefectBit));
            }
            known = end;
        }
        self.commit = self.commit.max(known);
        Body::Matched { index: verified, round }
    }

    pub(super) fn truncate(&mut self, from: Index, out: &mut Vec<Output<C>>) {
        let count = self.log.truncate_from(from);
        self.synced = self.synced.min(self.log.last_index());
        out.push(Output::WriteTruncation(from));
        out.push(Output::Tell(self.state.term, Event::Truncates(from, count)));
    }

    // The leader's side.

    pub(super) fn append(&mut self, command: Option<C>, out: &mut Vec<Output<C>>) -> Index {
        let entry = Entry { term: self.state.term, command };
        out.push(Output::WriteEntry(entry.clone()));
        self.log.push(entry)
    }

    pub(super) fn broadcast(&mut self, out: &mut Vec<Output<C>>, send: fn(&mut Raft<C>, NodeId, &mut Vec<Output<C>>)) {
        let me = self.me;
        for peer in (0..self.nodes).filter(|peer| *peer != me) {
            send(self, peer, out);
        }
    }

    /// Entries if the place where they belong is known, else a message that looks for it.
    pub(super) fn append_to(&mut self, peer: NodeId, out: &mut Vec<Output<C>>) {
        let Role::Leader { progress, .. } = &self.role else { return };
        let it = progress[peer as usize];
        if it.replicating && it.next <= self.log.last_index() {
            self.send_entries(peer, out);
        } else {
            self.send_heartbeat(peer, out);
        }
    }

    pub(super) fn send_entries(&mut self, peer: NodeId, out: &mut Vec<Output<C>>) {
        let Role::Leader { progress, round, .. } = &mut self.role else { return };
        let it = &mut progress[peer as usize];
        if !it.replicating || it.in_flight.is_some() || it.next > self.log.last_index() {
            return;
        }
        let entries = self.log.from(it.next, BATCH).to_vec();
        it.in_flight = Some(it.next + entries.len() as Index - 1);
        let (next, round) = (it.next, *round);
        self.send_append(peer, next, entries, round, out);
    }

    pub(super) fn send_heartbeat(&mut self, peer: NodeId, out: &mut Vec<Output<C>>) {
        let Role::Leader { progress, round, .. } = &self.role else { return };
        let (next, round) = (progress[peer as usize].next, *round);
        self.send_append(peer, next, Vec::new(), round, out);
    }

    pub(super) fn send_append(
        &self,
        peer: NodeId,
        next: Index,
        entries: Vec<Entry<C>>,
        round: u64,
        out: &mut Vec<Output<C>>,
    ) {
        let previous_index = next - 1;
        let previous_term = self.log.term_at(previous_index).expect("a leader sends only what follows on its own log");
        let body = Body::Append { previous_index, previous_term, entries, commit: self.commit, round };
        self.send(peer, body, out);
    }

    pub(super) fn append_accepted(
        &mut self,
        peer: NodeId,
        index: Index,
        round: u64,
        now: Duration,
        out: &mut Vec<Output<C>>,
    ) {
        let Role::Leader { progress, .. } = &mut self.role else { return };
        let it = &mut progress[peer as usize];
        it.heard = now;
        it.round = it.round.max(round);
        it.matched = it.matched.max(index);
        it.next = it.next.max(it.matched + 1);
        it.replicating = true;
        if it.in_flight.is_some_and(|end| end <= it.matched) {
            it.in_flight = None;
        }
        self.advance_commit();
        self.send_entries(peer, out);
    }

    /// Goes back a whole term at a time: to the end of the leader's entries of the follower's term if it has any, else to where
    /// the follower's entries of that term begin.
    pub(super) fn append_rejected(
        &mut self,
        peer: NodeId,
        term: Option<Term>,
        first: Index,
        round: u64,
        now: Duration,
        out: &mut Vec<Output<C>>,
    ) {
        let Role::Leader { progress, .. } = &mut self.role else { return };
        let it = &mut progress[peer as usize];
        it.heard = now;
        it.round = it.round.max(round);
        let behind_term = term.and_then(|term| self.log.last_of_term(term)).map(|last| last + 1);
        let target = behind_term.unwrap_or(first).max(it.matched + 1);
        if target >= it.next {
            return; // An old answer.
        }
        it.next = target;
        it.replicating = false;
        it.in_flight = None;
        self.send_heartbeat(peer, out);
    }

    /// A leader commits what a majority holds durably, if it is of its own term; what came before goes with it (§5.4.2).
    pub(super) fn advance_commit(&mut self) {
        let Role::Leader { progress, .. } = &self.role else { return };
        let mut matched: Vec<Index> = progress.iter().map(|peer| peer.matched).collect();
        matched[self.me as usize] = self.synced;
        matched.sort_unstable();
        let held = matched[matched.len() - self.majority()];
        if held > self.commit && self.log.term_at(held) == Some(self.state.term) {
            self.commit = held;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::driven::*;
    use super::*;
    #[test]
    fn section_5_3_conflicting_entries_are_cut_and_matching_ones_kept() {
        let mut raft = node(0, 4, &[1, 2, 2], None);
        let out = say(&mut raft, 1, 4, append((1, 1), &[2, 4], 1));
        assert_eq!(answer(&out), Some(&Body::Matched { index: 3, round: 1 }));
        assert!(out.contains(&Output::WriteTruncation(3)));
        assert_eq!(raft.log().last_term(), 4);
        // An old append that matches cuts nothing.
        let out = say(&mut raft, 1, 4, append((1, 1), &[2], 1));
        assert_eq!(answer(&out), Some(&Body::Matched { index: 2, round: 1 }));
        assert_eq!(raft.log().last_index(), 3);
    }

    #[test]
    fn section_5_3_a_conflict_is_answered_with_the_whole_term() {
        let mut raft = node(0, 4, &[1, 3, 3, 3], None);
        let out = say(&mut raft, 1, 5, append((4, 4), &[], 0));
        assert_eq!(answer(&out), Some(&Body::Conflict { term: Some(3), first: 2, round: 1 }));
        let out = say(&mut raft, 1, 5, append((9, 4), &[], 0));
        assert_eq!(answer(&out), Some(&Body::Conflict { term: None, first: 5, round: 1 }));
    }

    #[test]
    fn section_5_3_a_leader_goes_back_a_term_at_a_time() {
        let mut raft = elected(&[1, 2, 2, 4]);
        let out = say(&mut raft, 1, 5, Body::Conflict { term: Some(2), first: 2, round: 0 });
        assert!(matches!(answer(&out), Some(Body::Append { previous_index: 3, .. })));
        let mut raft = elected(&[1, 4, 4, 4]);
        let out = say(&mut raft, 1, 5, Body::Conflict { term: Some(3), first: 2, round: 0 });
        assert!(matches!(answer(&out), Some(Body::Append { previous_index: 1, previous_term: 1, .. })));
    }

    #[test]
    fn section_5_3_a_follower_commits_only_what_was_verified() {
        for (bug, commit) in [(None, 1), (Some(Bug::CommitPastVerified), 3)] {
            let mut raft = node(0, 4, &[1, 2, 2], bug);
            say(&mut raft, 1, 4, append((1, 1), &[], 3));
            assert_eq!(raft.commit(), commit);
        }
    }

    #[test]
    fn section_5_4_2_only_entries_of_its_own_term_are_committed_by_counting() {
        let mut raft = elected(&[1, 2]);
        raft.synced(3);
        say(&mut raft, 1, 5, Body::Matched { index: 2, round: 0 });
        assert_eq!(raft.commit(), 0);
        say(&mut raft, 1, 5, Body::Matched { index: 3, round: 0 });
        assert_eq!(raft.commit(), 3);
    }

    #[test]
    fn thesis_10_2_1_what_a_leader_has_not_synced_does_not_count() {
        let mut raft = elected(&[]);
        say(&mut raft, 1, 5, Body::Matched { index: 1, round: 0 });
        assert_eq!(raft.commit(), 0);
        raft.synced(1);
        assert_eq!(raft.commit(), 1);
    }
}
