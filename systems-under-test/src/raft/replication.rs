//! The log (paper §5.3, §5.4.2).

use super::progress::{BATCH, Flow, Progress};
use super::{Body, Bug, Command, Entry, Event, Index, Life, NodeId, Output, Payload, Raft, Role, Term};

impl<C: Command> Raft<C> {
    /// Takes a command up into the log, if this node leads and is not about to hand over; tells where.
    pub fn propose(&mut self, command: C, out: &mut Vec<Output<C>>) -> Option<Index> {
        if !self.leads() || self.is_handing_over() {
            return None;
        }
        Some(self.append(Payload::Command(command), out))
    }

    /// Sends what has been proposed to those that wait for it.
    pub fn replicate(&mut self, out: &mut Vec<Output<C>>) {
        if self.leads() {
            self.broadcast(out, Raft::send_entries);
        }
    }

    /// All that was written up to now is durable, up to this place of the log.
    pub fn synced(&mut self, index: Index, out: &mut Vec<Output<C>>) {
        self.synced = index.min(self.log.last_index());
        self.advance_commit(out);
    }

    // The follower's side.

    pub(super) fn append_entries(
        &mut self,
        (previous_index, previous_term): (Index, Term),
        mut entries: Vec<Entry<C>>,
        commit: Index,
        round: u64,
        out: &mut Vec<Output<C>>,
    ) -> Body<C> {
        let life = self.state.life;
        let verified = previous_index + entries.len() as Index;
        let mut first = previous_index + 1;
        let base = self.log.base().index;
        if previous_index < base {
            // What was compacted is committed: it matches.
            entries.drain(..((base - previous_index) as usize).min(entries.len()));
            first = base + 1;
        } else {
            match self.log.term_at(previous_index) {
                None => return Body::Conflict { term: None, first: self.log.last_index() + 1, round, life },
                Some(term) if term != previous_term => {
                    let first = self.log.first_of_term_at(previous_index);
                    return Body::Conflict { term: Some(term), first, round, life };
                }
                Some(_) => {}
            }
        }
        let is_heartbeat = entries.is_empty();
        if self.bug == Some(Bug::AppendTruncatesAlways) && !is_heartbeat && self.log.last_index() > verified {
            out.push(Output::Tell(self.state.term, Event::DefectBit));
            self.truncate(verified + 1, out);
        }
        for (place, entry) in (first..).zip(entries) {
            match self.log.term_at(place) {
                Some(term) if term == entry.term => continue,
                Some(_) => self.truncate(place, out),
                None => {}
            }
            self.push(entry, out);
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
        if self.bug == Some(Bug::MatchFromHeartbeat) && is_heartbeat && self.log.last_index() > verified {
            out.push(Output::Tell(self.state.term, Event::DefectBit));
            return Body::Matched { index: self.log.last_index(), round, life };
        }
        Body::Matched { index: verified, round, life }
    }

    fn truncate(&mut self, from: Index, out: &mut Vec<Output<C>>) {
        let count = self.log.truncate_from(from);
        self.synced = self.synced.min(self.log.last_index());
        out.push(Output::WriteTruncation(from));
        out.push(Output::Tell(self.state.term, Event::Truncates(from, count, self.commit)));
        // A change of members that is cut off is in force no more (thesis §4.1).
        if self.configuration_index() < from {
            return;
        }
        out.push(Output::Tell(self.state.term, Event::ConfigurationTruncated));
        if self.bug == Some(Bug::ConfigSurvivesTruncation) {
            out.push(Output::Tell(self.state.term, Event::DefectBit));
            return;
        }
        self.configurations.retain(|(at, _)| *at < from);
    }

    fn push(&mut self, entry: Entry<C>, out: &mut Vec<Output<C>>) -> Index {
        let index = self.log.push(entry.clone());
        if let Payload::Configuration(configuration) = &entry.payload {
            self.configurations.push((index, configuration.clone()));
        }
        let chain = self.log.chain_at(index).unwrap_or_default();
        out.push(Output::WriteEntry(index, chain, entry));
        index
    }

    // The leader's side.

    pub(super) fn append(&mut self, payload: Payload<C>, out: &mut Vec<Output<C>>) -> Index {
        self.push(Entry { term: self.state.term, payload }, out)
    }

    pub(super) fn broadcast(&mut self, out: &mut Vec<Output<C>>, send: fn(&mut Raft<C>, NodeId, &mut Vec<Output<C>>)) {
        let Role::Leader { progress, .. } = &self.role else { return };
        for peer in progress.keys().copied().collect::<Vec<_>>() {
            send(self, peer, out);
        }
    }

    /// Sends as many messages with entries as the follower's window has room for.
    pub(super) fn send_entries(&mut self, peer: NodeId, out: &mut Vec<Output<C>>) {
        loop {
            let Role::Leader { progress, .. } = &mut self.role else { return };
            let Some(it) = progress.get_mut(&peer) else { return };
            if !it.has_room() || it.next > self.log.last_index() {
                return;
            }
            if it.next <= self.log.base().index {
                return self.begin_snapshot(peer, out);
            }
            let (next, entries) = (it.next, self.log.from(it.next, BATCH).to_vec());
            it.sent(next + entries.len() as Index - 1);
            self.send_append(peer, next, entries, out);
        }
    }

    /// Shows a follower that its leader is there: by an empty message that tells whether what was sent before has arrived, or by a piece of
    /// its snapshot.
    pub(super) fn send_heartbeat(&mut self, peer: NodeId, out: &mut Vec<Output<C>>) {
        let Role::Leader { progress, .. } = &self.role else { return };
        match progress.get(&peer) {
            Some(Progress { flow: Flow::Snapshot(..), .. }) => self.send_piece(peer, out),
            Some(it) if it.next <= self.log.base().index => self.begin_snapshot(peer, out),
            Some(it) => self.send_append(peer, it.next, Vec::new(), out),
            None => {}
        }
    }

    fn send_append(&self, peer: NodeId, next: Index, entries: Vec<Entry<C>>, out: &mut Vec<Output<C>>) {
        let Role::Leader { reads, .. } = &self.role else { return };
        let previous_index = next - 1;
        let previous_term = self.log.term_at(previous_index).expect("a leader sends only what follows on its own log");
        let life = self.configuration().life(peer);
        let round = reads.round();
        self.send(peer, Body::Append { previous_index, previous_term, entries, commit: self.commit, round, life }, out);
    }

    /// What a leader knows of a follower that answers; nothing if it is an earlier machine of that name.
    pub(super) fn answering(&mut self, peer: NodeId, round: u64, life: Life) -> Option<&mut Progress> {
        let (now, known) = (self.time.now, self.configuration().life(peer));
        let Role::Leader { progress, .. } = &mut self.role else { return None };
        let it = progress.get_mut(&peer).filter(|_| known == life)?;
        it.heard(round, now);
        Some(it)
    }

    pub(super) fn append_accepted(
        &mut self,
        peer: NodeId,
        index: Index,
        round: u64,
        life: Life,
        out: &mut Vec<Output<C>>,
    ) {
        let Some(it) = self.answering(peer, round, life) else { return };
        it.matches(index);
        self.extend_lease();
        self.advance_commit(out);
        self.send_entries(peer, out);
        self.advance_transfer(out);
    }

    /// Goes back a whole term at a time: to the end of the leader's entries of the follower's term if it has any, else to where
    /// the follower's entries of that term begin.
    pub(super) fn append_rejected(
        &mut self,
        peer: NodeId,
        (term, first): (Option<Term>, Index),
        round: u64,
        life: Life,
        out: &mut Vec<Output<C>>,
    ) {
        let behind_term = term.and_then(|term| self.log.last_of_term(term)).map(|last| last + 1);
        let Some(it) = self.answering(peer, round, life) else { return };
        let moved = it.probes(behind_term.unwrap_or(first));
        self.extend_lease();
        if moved {
            self.send_heartbeat(peer, out);
        }
    }

    /// A leader commits what a majority holds durably, if it is of its own term; what came before goes with it (§5.4.2).
    pub(super) fn advance_commit(&mut self, out: &mut Vec<Output<C>>) {
        let Role::Leader { progress, .. } = &self.role else { return };
        let copies = |node: NodeId| progress.get(&node).map_or(self.synced, |it| it.matched);
        let mut held = self.configuration().reached_by_quorum(copies);
        if self.bug == Some(Bug::RemovedLeaderCountsItself) && !self.configuration().is_voter(self.me) {
            let mut with_itself = self.configuration().clone();
            with_itself.voters.insert(self.me);
            let more = with_itself.reached_by_quorum(copies);
            if more > held.max(self.commit) {
                out.push(Output::Tell(self.state.term, Event::DefectBit));
                held = more;
            }
        }
        let is_own = self.log.term_at(held) == Some(self.state.term);
        if held > self.commit && !is_own {
            out.push(Output::Tell(self.state.term, Event::OlderTermOnMajority));
            if self.bug == Some(Bug::CommitOlderTerm) {
                out.push(Output::Tell(self.state.term, Event::DefectBit));
                self.commit = held;
            }
        }
        if held > self.commit && is_own {
            self.commit = held;
        }
        self.advance_configuration(out);
        if self.has_removed_itself() {
            out.push(Output::Tell(self.state.term, Event::LeaderRemoved));
            self.step_down(out);
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
        assert_eq!(answer(&out), Some(&Body::Matched { index: 3, round: 1, life: 0 }));
        assert!(out.contains(&Output::WriteTruncation(3)));
        assert_eq!(raft.log().last_term(), 4);
        // An old append that matches cuts nothing.
        let out = say(&mut raft, 1, 4, append((1, 1), &[2], 1));
        assert_eq!(answer(&out), Some(&Body::Matched { index: 2, round: 1, life: 0 }));
        assert_eq!(raft.log().last_index(), 3);
    }

    #[test]
    fn section_5_3_a_conflict_is_answered_with_the_whole_term() {
        let mut raft = node(0, 4, &[1, 3, 3, 3], None);
        let out = say(&mut raft, 1, 5, append((4, 4), &[], 0));
        assert_eq!(answer(&out), Some(&Body::Conflict { term: Some(3), first: 2, round: 1, life: 0 }));
        let out = say(&mut raft, 1, 5, append((9, 4), &[], 0));
        assert_eq!(answer(&out), Some(&Body::Conflict { term: None, first: 5, round: 1, life: 0 }));
    }

    #[test]
    fn section_5_3_a_leader_goes_back_a_term_at_a_time() {
        let mut raft = elected(&[1, 2, 2, 4]);
        let out = say(&mut raft, 1, 5, Body::Conflict { term: Some(2), first: 2, round: 0, life: 0 });
        assert!(matches!(answer(&out), Some(Body::Append { previous_index: 3, .. })));
        let mut raft = elected(&[1, 4, 4, 4]);
        let out = say(&mut raft, 1, 5, Body::Conflict { term: Some(3), first: 2, round: 0, life: 0 });
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
        raft.synced(3, &mut Vec::new());
        say(&mut raft, 1, 5, matched(2, 0));
        assert_eq!(raft.commit(), 0);
        say(&mut raft, 1, 5, matched(3, 0));
        assert_eq!(raft.commit(), 3);
    }

    #[test]
    fn thesis_10_2_1_what_a_leader_has_not_synced_does_not_count() {
        let mut raft = elected(&[]);
        say(&mut raft, 1, 5, matched(1, 0));
        assert_eq!(raft.commit(), 0);
        raft.synced(1, &mut Vec::new());
        assert_eq!(raft.commit(), 1);
    }

    #[test]
    fn section_5_3_an_append_that_comes_late_cuts_nothing_that_matches() {
        for (bug, end) in [(None, 3), (Some(Bug::AppendTruncatesAlways), 2)] {
            let mut raft = node(0, 4, &[1, 2, 2], bug);
            say(&mut raft, 1, 4, append((1, 1), &[2], 0));
            assert_eq!(raft.log().last_index(), end, "{bug:?}");
        }
    }

    #[test]
    fn section_5_3_a_heartbeat_vouches_for_no_more_than_it_looked_at() {
        for (bug, index) in [(None, 1), (Some(Bug::MatchFromHeartbeat), 3)] {
            let out = say(&mut node(0, 4, &[1, 2, 2], bug), 1, 4, append((1, 1), &[], 0));
            assert_eq!(answer(&out), Some(&Body::Matched { index, round: 1, life: 0 }), "{bug:?}");
        }
    }

    #[test]
    fn figure_8_copies_of_an_older_term_commit_nothing() {
        for (bug, commit) in [(None, 0), (Some(Bug::CommitOlderTerm), 2)] {
            let mut raft = elected_with(&[1, 2], bug);
            raft.synced(3, &mut Vec::new());
            say(&mut raft, 1, 5, matched(2, 0));
            assert_eq!(raft.commit(), commit, "{bug:?}");
        }
    }

    #[test]
    fn what_was_compacted_matches_whatever_comes_again() {
        let mut raft = node(0, 4, &[1, 2, 2], None);
        say(&mut raft, 1, 4, append((3, 2), &[], 3));
        raft.log.compact(2);
        let out = say(&mut raft, 1, 4, append((0, 0), &[1, 2, 2, 4], 3));
        assert_eq!(answer(&out), Some(&Body::Matched { index: 4, round: 1, life: 0 }));
        assert_eq!((raft.log().last_index(), raft.log().last_term()), (4, 4));
    }
}
