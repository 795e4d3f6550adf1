//! Who leads (paper §5.2, §5.4.1; thesis §4.2.3, §6.2, §9.6).

use std::collections::BTreeSet;
use std::time::Duration;

use super::{
    Body, Bug, ELECTION_TIMEOUT, Event, HEARTBEAT, HardState, Index, Message, NodeId, Output, Progress, Raft, Role,
    Term,
};

impl<C: Clone> Raft<C> {
    /// Asks whether a majority would vote for it. A node that is cut off asks in vain, and disturbs nobody: neither its term nor
    /// anybody's vote has changed (thesis §9.6).
    pub(super) fn start_pre_vote(&mut self, now: Duration, chance: u64, out: &mut Vec<Output<C>>) {
        let again = matches!(self.role, Role::Candidate { asking: false, .. } | Role::Candidate { again: true, .. });
        self.role = Role::Candidate {
            asking: true,
            again,
            voters: BTreeSet::from([self.me]),
            replies: 1,
            ask_again: now + HEARTBEAT,
        };
        self.reset_election_timer(now, chance);
        if self.majority() == 1 {
            return self.start_election(again, now, chance, out);
        }
        self.request_votes(out);
    }

    pub(super) fn count_pre_vote(&mut self, voter: NodeId, now: Duration, chance: u64, out: &mut Vec<Output<C>>) {
        let majority = self.majority();
        let Role::Candidate { asking: true, again, voters, .. } = &mut self.role else { return };
        voters.insert(voter);
        if voters.len() >= majority {
            let again = *again;
            self.start_election(again, now, chance, out);
        }
    }

    pub(super) fn start_election(&mut self, again: bool, now: Duration, chance: u64, out: &mut Vec<Output<C>>) {
        self.state = HardState { term: self.state.term + 1, vote: Some(self.me) };
        out.push(Output::WriteState(self.state));
        self.role = Role::Candidate {
            asking: false,
            again,
            voters: BTreeSet::from([self.me]),
            replies: 1,
            ask_again: now + HEARTBEAT,
        };
        self.reset_election_timer(now, chance);
        out.push(Output::Tell(self.state.term, if again { Event::StandsAgain } else { Event::Stands }));
        self.request_votes(out);
        if self.majority() == 1 {
            self.become_leader(now, out);
        }
    }

    pub(super) fn request_votes(&mut self, out: &mut Vec<Output<C>>) {
        let Role::Candidate { asking, voters, .. } = &self.role else { return };
        let (last_index, last_term) = (self.log.last_index(), self.log.last_term());
        let body = match asking {
            true => Body::AskPreVote { proposed: self.state.term + 1, last_index, last_term },
            false => Body::RequestVote { last_index, last_term },
        };
        for peer in (0..self.nodes).filter(|peer| !voters.contains(peer)) {
            out.push(Output::Send(peer, Message { term: self.state.term, body: body.clone() }));
        }
    }

    pub(super) fn answer_vote_request(
        &mut self,
        candidate: NodeId,
        term: Term,
        its_end: (Term, Index),
        now: Duration,
        chance: u64,
        out: &mut Vec<Output<C>>,
    ) {
        let free = self.state.vote.is_none_or(|vote| vote == candidate);
        let mut newer = its_end >= (self.log.last_term(), self.log.last_index());
        if !newer && free && term == self.state.term && self.bug == Some(Bug::VoteIgnoresLog) {
            out.push(Output::Tell(self.state.term, Event::DefectBit));
            newer = true;
        }
        let granted = term == self.state.term && free && newer;
        if granted {
            if self.state.vote.is_none() {
                self.state.vote = Some(candidate);
                out.push(Output::WriteState(self.state));
            }
            self.reset_election_timer(now, chance);
        }
        self.send(candidate, Body::Vote { granted }, out);
    }

    pub(super) fn count_vote(&mut self, voter: NodeId, now: Duration, out: &mut Vec<Output<C>>) {
        let majority = self.majority();
        let Role::Candidate { asking: false, voters, replies, .. } = &mut self.role else { return };
        *replies += 1;
        voters.insert(voter);
        let mut won = voters.len() >= majority;
        if !won && self.bug == Some(Bug::VotesCountedTwice) && *replies >= majority {
            out.push(Output::Tell(self.state.term, Event::DefectBit));
            won = true;
        }
        if won {
            self.become_leader(now, out);
        }
    }

    pub(super) fn become_leader(&mut self, now: Duration, out: &mut Vec<Output<C>>) {
        let end = self.log.last_index();
        let unknown = Progress { next: end + 1, matched: 0, replicating: false, in_flight: None, round: 0, heard: now };
        self.role = Role::Leader { progress: vec![unknown; self.nodes as usize], heartbeat: now + HEARTBEAT, round: 0 };
        out.push(Output::Tell(self.state.term, Event::Leads(end)));
        self.append(None, out);
        self.broadcast(out, Raft::append_to);
    }

    /// Whether there is a leader for all that this node knows.
    pub(super) fn has_live_leader(&self, now: Duration) -> bool {
        let recent = |heard: Duration| now.saturating_sub(heard) < ELECTION_TIMEOUT;
        match &self.role {
            Role::Leader { progress, .. } => {
                let peers = progress.iter().enumerate().filter(|(at, _)| *at != self.me as usize);
                peers.filter(|(_, peer)| recent(peer.heard)).count() + 1 >= self.majority()
            }
            Role::Follower { leader: Some(_) } => self.leader_heard.is_some_and(recent),
            Role::Follower { leader: None } | Role::Candidate { .. } => false,
        }
    }

    /// Draws the time after which it will stand for election.
    pub(super) fn reset_election_timer(&mut self, now: Duration, chance: u64) {
        let spread = ELECTION_TIMEOUT.as_millis() as u64;
        self.election = now + ELECTION_TIMEOUT + Duration::from_millis(chance % spread);
    }
}

#[cfg(test)]
mod tests {
    use super::super::driven::*;
    use super::super::{Log, QUORUM_TIMEOUT};
    use super::*;
    #[test]
    fn section_5_2_a_node_votes_once_in_a_term_and_writes_it_down_first() {
        let mut raft = node(0, 4, &[], None);
        let ask = Body::RequestVote { last_index: 0, last_term: 0 };
        let out = say(&mut raft, 1, 5, ask.clone());
        let written = out.iter().position(|o| *o == Output::WriteState(HardState { term: 5, vote: Some(1) }));
        let sent = out.iter().position(|o| matches!(o, Output::Send(..)));
        assert!(written.unwrap() < sent.unwrap());
        assert_eq!(answer(&say(&mut raft, 2, 5, ask.clone())), Some(&Body::Vote { granted: false }));
        assert_eq!(answer(&say(&mut raft, 1, 5, ask)), Some(&Body::Vote { granted: true }));
    }

    #[test]
    fn section_5_2_votes_are_counted_by_voter() {
        for (bug, leads) in [(None, false), (Some(Bug::VotesCountedTwice), true)] {
            let mut raft = Raft::new(0, 5, HardState::default(), Log::default(), bug, Duration::ZERO, 0);
            raft.tick(NOW, 0, &mut Vec::new());
            say(&mut raft, 3, 0, Body::PreVote { proposed: 1, granted: true });
            say(&mut raft, 4, 0, Body::PreVote { proposed: 1, granted: true });
            say(&mut raft, 1, 1, Body::Vote { granted: true });
            say(&mut raft, 1, 1, Body::Vote { granted: true });
            assert_eq!(raft.leads(), leads);
        }
    }

    #[test]
    fn section_5_4_1_a_vote_goes_to_the_newer_log_only() {
        let ask = |term, last_index, last_term| (term, Body::RequestVote { last_index, last_term });
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
        assert_eq!(say(&mut raft, 2, 9, Body::RequestVote { last_index: 5, last_term: 5 }), []);
        assert_eq!(raft.term(), 4);
    }

    #[test]
    fn thesis_6_2_a_leader_that_hears_from_no_majority_steps_down() {
        let mut raft = elected(&[]);
        raft.tick(NOW + HEARTBEAT, 0, &mut Vec::new());
        assert!(raft.leads());
        raft.tick(NOW + QUORUM_TIMEOUT, 0, &mut Vec::new());
        assert!(!raft.leads());
    }

    #[test]
    fn thesis_9_6_a_node_that_nobody_answers_asks_for_ever_and_raises_no_term() {
        let mut raft = node(0, 4, &[], None);
        for second in 1..20 {
            let mut out = Vec::new();
            raft.tick(NOW * second, 0, &mut out);
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
        assert_eq!(raft.state, HardState { term: 4, vote: None });
        say(&mut raft, 2, 4, append((2, 2), &[], 0));
        assert_eq!(answer(&say(&mut raft, 1, 4, ask(2, 2))), Some(&Body::PreVote { proposed: 5, granted: false }));
    }
}
