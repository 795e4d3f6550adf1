//! Who leads (paper §5.2, §5.4.1; thesis §4.2.3, §6.2, §9.6).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::RngExt;

use super::{
    Body, Bug, Command, ELECTION_TIMEOUT, Event, HEARTBEAT, Index, NodeId, Output, Payload, Raft, Reads, Role, Term,
};

impl<C: Command> Raft<C> {
    /// Asks whether a majority would vote for it. A node that is cut off asks in vain, and disturbs nobody: neither its term nor
    /// anybody's vote has changed (thesis §9.6).
    pub(super) fn start_pre_vote(&mut self, out: &mut Vec<Output<C>>) {
        let again = matches!(self.role, Role::Candidate { asking: false, .. } | Role::Candidate { again: true, .. });
        self.become_candidate(true, again, false);
        if self.configuration().is_quorum(|node| node == self.me) {
            return self.start_election(again, false, out);
        }
        self.request_votes(out);
    }

    pub(super) fn count_pre_vote(&mut self, voter: NodeId, out: &mut Vec<Output<C>>) {
        let Role::Candidate { asking: true, again, voters, .. } = &mut self.role else { return };
        voters.insert(voter);
        let (again, voters) = (*again, voters.clone());
        if self.configuration().is_quorum(|node| voters.contains(&node)) {
            self.start_election(again, false, out);
        }
    }

    pub(super) fn start_election(&mut self, again: bool, transfer: bool, out: &mut Vec<Output<C>>) {
        (self.state.term, self.state.vote) = (self.state.term + 1, Some(self.me));
        self.persist_state(out);
        self.become_candidate(false, again, transfer);
        out.push(Output::Tell(self.state.term, if again { Event::StandsAgain } else { Event::Stands }));
        self.request_votes(out);
        if self.configuration().is_quorum(|node| node == self.me) {
            self.become_leader(out);
        }
    }

    fn become_candidate(&mut self, asking: bool, again: bool, transfer: bool) {
        self.abandon_reads();
        let (voters, ask_again) = (BTreeSet::from([self.me]), self.time.now + HEARTBEAT);
        self.role = Role::Candidate { asking, again, transfer, voters, replies: 1, ask_again };
        self.reset_election_timer();
    }

    pub(super) fn request_votes(&mut self, out: &mut Vec<Output<C>>) {
        let Role::Candidate { asking, voters, transfer, .. } = &self.role else { return };
        let (last_index, last_term) = (self.log.last_index(), self.log.last_term());
        let body = match asking {
            true => Body::AskPreVote { proposed: self.state.term + 1, last_index, last_term },
            false => Body::RequestVote { last_index, last_term, transfer: *transfer },
        };
        let configuration = self.configuration();
        let asked = configuration.members().into_iter().filter(|peer| configuration.is_voter(*peer));
        for peer in asked.filter(|peer| !voters.contains(peer)) {
            self.send(peer, body.clone(), out);
        }
    }

    pub(super) fn answer_pre_vote_request(
        &mut self,
        candidate: NodeId,
        proposed: Term,
        its_end: (Term, Index),
        out: &mut Vec<Output<C>>,
    ) {
        let granted = proposed > self.state.term && self.would_vote_for(its_end, out) && !self.has_live_leader();
        self.send(candidate, Body::PreVote { proposed, granted }, out);
    }

    pub(super) fn answer_vote_request(
        &mut self,
        candidate: NodeId,
        is_current: bool,
        its_end: (Term, Index),
        out: &mut Vec<Output<C>>,
    ) {
        let free = self.state.vote.is_none_or(|vote| vote == candidate);
        let granted = is_current && free && self.would_vote_for(its_end, out);
        if granted {
            if self.state.vote.is_none() {
                self.state.vote = Some(candidate);
                self.persist_state(out);
            }
            self.reset_election_timer();
        }
        self.send(candidate, Body::Vote { granted }, out);
    }

    /// Whether a candidate's log is at least as new as this node's (§5.4.1). Whether this node has a vote it need not know: the candidate's
    /// configuration may be newer than its own (thesis §4.1).
    fn would_vote_for(&self, (term, index): (Term, Index), out: &mut Vec<Output<C>>) -> bool {
        let mine = (self.log.last_term(), self.log.last_index());
        let right = (term, index) >= mine;
        let answer = match self.bug {
            Some(Bug::VoteIgnoresLog) => true,
            Some(Bug::LastIndexOnly) => index >= mine.1,
            Some(Bug::LearnerRefusesVote) => right && self.configuration().is_voter(self.me),
            _ => right,
        };
        if answer != right {
            out.push(Output::Tell(self.state.term, Event::DefectBit));
        }
        answer
    }

    pub(super) fn count_vote(&mut self, voter: NodeId, out: &mut Vec<Output<C>>) {
        let Role::Candidate { asking: false, voters, replies, .. } = &mut self.role else { return };
        *replies += 1;
        voters.insert(voter);
        let (replies, voters) = (*replies, voters.clone());
        let configuration = self.configuration();
        let mut won = configuration.is_quorum(|node| voters.contains(&node));
        if !won && self.bug == Some(Bug::VotesCountedTwice) && replies > configuration.voters.len() / 2 {
            out.push(Output::Tell(self.state.term, Event::DefectBit));
            won = true;
        }
        if won {
            self.become_leader(out);
        }
    }

    fn become_leader(&mut self, out: &mut Vec<Output<C>>) {
        let end = self.log.last_index();
        self.role = Role::Leader {
            progress: BTreeMap::new(),
            heartbeat: self.time.now + HEARTBEAT,
            reads: Reads::default(),
            transfer: None,
            has_handed_over: false,
        };
        out.push(Output::Tell(self.state.term, Event::Leads(end)));
        self.follow_configuration();
        self.append(Payload::Nothing, out);
        self.begin_heartbeat_round(out);
    }

    /// Whether there is a leader for all that this node knows. A follower has promised it not to vote meanwhile: leases rely on that
    /// (thesis §6.4.1).
    pub(super) fn has_live_leader(&self) -> bool {
        match &self.role {
            Role::Leader { .. } => self.hears_a_majority(ELECTION_TIMEOUT),
            Role::Follower { .. } | Role::Candidate { .. } => {
                self.leader_heard.is_some_and(|heard| self.time.now.saturating_sub(heard) < ELECTION_TIMEOUT)
            }
        }
    }

    /// Whether a leader has heard from a majority within a time.
    pub(super) fn hears_a_majority(&self, within: Duration) -> bool {
        let Role::Leader { progress, .. } = &self.role else { return false };
        self.configuration().is_quorum(|node| match progress.get(&node) {
            Some(it) => self.time.now.saturating_sub(it.heard) < within,
            None => node == self.me,
        })
    }

    /// Draws the time after which it will stand for election.
    pub(super) fn reset_election_timer(&mut self) {
        let spread = ELECTION_TIMEOUT.as_millis() as u64;
        self.election = self.time.now + ELECTION_TIMEOUT + Duration::from_millis(self.chance.random_range(0..spread));
    }
}

#[cfg(test)]
mod tests {
    use super::super::driven::*;
    use super::super::{HardState, Message, QUORUM_TIMEOUT, Start, Time};
    use super::*;

    #[test]
    fn section_5_2_a_node_votes_once_in_a_term_and_writes_it_down_first() {
        let mut raft = node(0, 4, &[], None);
        let ask = Body::RequestVote { last_index: 0, last_term: 0, transfer: false };
        let out = say(&mut raft, 1, 5, ask.clone());
        let written = out.iter().position(|o| *o == Output::WriteState(HardState { term: 5, vote: Some(1), life: 0 }));
        let sent = out.iter().position(|o| matches!(o, Output::Send(..)));
        assert!(written.unwrap() < sent.unwrap());
        assert_eq!(answer(&say(&mut raft, 2, 5, ask.clone())), Some(&Body::Vote { granted: false }));
        assert_eq!(answer(&say(&mut raft, 1, 5, ask)), Some(&Body::Vote { granted: true }));
    }

    #[test]
    fn section_5_2_votes_are_counted_by_voter() {
        for (bug, leads) in [(None, false), (Some(Bug::VotesCountedTwice), true)] {
            let mut raft = Raft::new(Start { nodes: 5, bug, ..start(0, 0, &[]) }, Time::default());
            raft.tick(at(NOW), &mut Vec::new());
            say(&mut raft, 3, 0, Body::PreVote { proposed: 1, granted: true });
            say(&mut raft, 4, 0, Body::PreVote { proposed: 1, granted: true });
            say(&mut raft, 1, 1, Body::Vote { granted: true });
            say(&mut raft, 1, 1, Body::Vote { granted: true });
            assert_eq!(raft.leads(), leads);
        }
    }

    #[test]
    fn section_5_4_1_a_vote_goes_to_the_newer_log_only() {
        let ask = |term, last_index, last_term| (term, Body::RequestVote { last_index, last_term, transfer: false });
        for (asked, granted) in
            [(ask(5, 9, 1), false), (ask(5, 1, 2), false), (ask(5, 2, 2), true), (ask(5, 1, 3), true)]
        {
            let mut raft = node(0, 4, &[1, 2], None);
            let out = say(&mut raft, 1, asked.0, asked.1);
            assert_eq!(answer(&out), Some(&Body::Vote { granted }));
        }
    }

    #[test]
    fn thesis_4_2_3_who_hears_from_a_leader_does_not_follow_a_call_to_elections() {
        let mut raft = node(0, 4, &[], None);
        say(&mut raft, 1, 4, append((0, 0), &[], 0));
        assert_eq!(say(&mut raft, 2, 9, Body::RequestVote { last_index: 5, last_term: 5, transfer: false }), []);
        assert_eq!(raft.term(), 4);
    }

    #[test]
    fn thesis_6_2_a_leader_that_hears_from_no_majority_steps_down() {
        let mut raft = elected(&[]);
        raft.tick(at(NOW + HEARTBEAT), &mut Vec::new());
        assert!(raft.leads());
        raft.tick(at(NOW + QUORUM_TIMEOUT), &mut Vec::new());
        assert!(!raft.leads());
    }

    #[test]
    fn thesis_9_6_a_node_that_nobody_answers_asks_for_ever_and_raises_no_term() {
        let mut raft = node(0, 4, &[], None);
        for second in 1..20 {
            let mut out = Vec::new();
            raft.tick(at(NOW * second), &mut out);
            assert!(
                out.iter().all(|output| matches!(
                    output,
                    Output::Send(_, Message { term: 4, body: Body::AskPreVote { .. } })
                ))
            );
        }
        assert_eq!(raft.term(), 4);
    }

    #[test]
    fn thesis_9_6_a_pre_vote_is_given_to_a_newer_log_while_nobody_leads_and_binds_nobody() {
        let ask = |last_index, last_term| Body::AskPreVote { proposed: 5, last_index, last_term };
        let mut raft = node(0, 4, &[1, 2], None);
        for (asked, granted) in [(ask(9, 1), false), (ask(2, 2), true), (ask(1, 3), true)] {
            assert_eq!(answer(&say(&mut raft, 1, 4, asked)), Some(&Body::PreVote { proposed: 5, granted }));
        }
        assert_eq!(raft.state, HardState { term: 4, ..HardState::default() });
        say(&mut raft, 2, 4, append((2, 2), &[], 0));
        assert_eq!(answer(&say(&mut raft, 1, 4, ask(2, 2))), Some(&Body::PreVote { proposed: 5, granted: false }));
    }

    #[test]
    fn section_5_2_a_vote_outlives_the_process_and_stepping_back() {
        let ask = Body::RequestVote { last_index: 0, last_term: 0, transfer: false };
        for (bug, kept) in [(None, Some(1)), (Some(Bug::VoteNotPersisted), None)] {
            let out = say(&mut node(0, 4, &[], bug), 1, 5, ask.clone());
            let written = out.iter().rev().find_map(|output| match output {
                Output::WriteState(state) => Some(state.vote),
                _ => None,
            });
            assert_eq!(written, Some(kept), "{bug:?}");
        }
        for (bug, again) in [(None, false), (Some(Bug::VoteClearedOnStepDown), true)] {
            // A candidate has voted for itself; a leader of its term comes up, and another candidate asks.
            let mut raft = node(0, 4, &[], bug);
            raft.tick(at(NOW), &mut Vec::new());
            say(&mut raft, 1, 4, Body::PreVote { proposed: 5, granted: true });
            say(&mut raft, 1, 5, append((0, 0), &[], 0));
            assert_eq!(answer(&say(&mut raft, 2, 5, ask.clone())), Some(&Body::Vote { granted: again }), "{bug:?}");
        }
    }

    #[test]
    fn section_5_4_1_newer_is_told_by_the_last_term_first() {
        let ask = Body::RequestVote { last_index: 9, last_term: 1, transfer: false };
        for (bug, granted) in [(None, false), (Some(Bug::LastIndexOnly), true), (Some(Bug::VoteIgnoresLog), true)] {
            let out = say(&mut node(0, 4, &[1, 2], bug), 1, 5, ask.clone());
            assert_eq!(answer(&out), Some(&Body::Vote { granted }), "{bug:?}");
        }
    }

    #[test]
    fn thesis_9_6_the_answer_to_a_pre_vote_lifts_a_lower_term() {
        for (bug, term) in [(None, 9), (Some(Bug::PrevoteTermStuck), 4)] {
            let mut raft = node(0, 4, &[], bug);
            raft.tick(at(NOW), &mut Vec::new());
            say(&mut raft, 1, 9, Body::PreVote { proposed: 5, granted: false });
            assert_eq!(raft.term(), term, "{bug:?}");
        }
    }

    #[test]
    fn thesis_4_1_a_node_votes_although_it_has_not_heard_that_it_may() {
        let ask = Body::RequestVote { last_index: 9, last_term: 4, transfer: false };
        for (bug, granted) in [(None, true), (Some(Bug::LearnerRefusesVote), false)] {
            let mut raft = Raft::new(Start { nodes: 0, bug, ..start(2, 4, &[]) }, Time::default());
            assert_eq!(answer(&say(&mut raft, 1, 5, ask.clone())), Some(&Body::Vote { granted }), "{bug:?}");
        }
    }
}
