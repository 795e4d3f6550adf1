//! A leader hands over (thesis §3.10): it takes nothing new up, waits until the other node has all of its log, and tells it to stand for
//! election at once.

use std::time::Duration;

use super::{Body, Command, ELECTION_TIMEOUT, Event, NodeId, Output, Raft, Refusal, Role};

/// Leadership on its way to another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transfer {
    to: NodeId,
    until: Duration,
    is_told: bool,
}

impl<C: Command> Raft<C> {
    /// Hands leadership over to a voter. Who leads already has it.
    ///
    /// # Errors
    /// If this node does not lead, the other has no vote, or a transfer is not over.
    pub fn transfer(&mut self, to: NodeId, out: &mut Vec<Output<C>>) -> Result<(), Refusal> {
        let is_voter = self.configuration().is_voter(to);
        let until = self.time.now + ELECTION_TIMEOUT;
        let Role::Leader { transfer, .. } = &mut self.role else { return Err(Refusal::NotLeader) };
        if to == self.me {
            return Ok(());
        }
        if !is_voter {
            return Err(Refusal::Nobody);
        }
        if transfer.is_some() {
            return Err(Refusal::Busy);
        }
        *transfer = Some(Transfer { to, until, is_told: false });
        self.advance_transfer(out);
        Ok(())
    }

    /// Whether nothing new is taken up.
    pub fn is_handing_over(&self) -> bool {
        matches!(&self.role, Role::Leader { transfer: Some(_), .. })
    }

    /// Tells the other node to take over, once it has all of the log.
    pub(super) fn advance_transfer(&mut self, out: &mut Vec<Output<C>>) {
        let Role::Leader { progress, transfer: Some(transfer), has_handed_over, .. } = &mut self.role else { return };
        let has_all = progress.get(&transfer.to).is_some_and(|it| it.matched == self.log.last_index());
        if transfer.is_told || !has_all {
            return;
        }
        transfer.is_told = true;
        *has_handed_over = true;
        let to = transfer.to;
        out.push(Output::Tell(self.state.term, Event::HandsOver(to)));
        self.send(to, Body::TimeoutNow, out);
    }

    /// Goes on leading if nobody has taken over in time.
    pub(super) fn give_up_transfer(&mut self, out: &mut Vec<Output<C>>) {
        let now = self.time.now;
        let Role::Leader { transfer, .. } = &mut self.role else { return };
        if transfer.take_if(|transfer| now >= transfer.until).is_some() {
            out.push(Output::Tell(self.state.term, Event::TransferFailed));
        }
    }

    /// The leader wants this node to lead.
    pub(super) fn take_over(&mut self, out: &mut Vec<Output<C>>) {
        if !self.leads() && self.configuration().is_voter(self.me) {
            self.start_election(false, true, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::driven::*;
    use super::super::{HEARTBEAT, Message};
    use super::*;

    #[test]
    fn thesis_3_10_who_is_to_lead_is_told_when_it_has_all_of_the_log() {
        let mut raft = elected(&[]);
        let mut out = Vec::new();
        raft.transfer(1, &mut out).unwrap();
        assert_eq!(out, []);
        assert_eq!(raft.propose((), &mut out), None, "nothing new is taken up");
        let end = raft.log().last_index();
        let out = say(&mut raft, 1, 5, matched(end, 0));
        assert!(matches!(answer(&out), Some(Body::TimeoutNow)));
        // Its vote requests count although everybody has a leader.
        let mut next = node(1, 5, &[5], None);
        say(&mut next, 0, 5, append((1, 5), &[], 0));
        let out = say(&mut next, 0, 5, Body::TimeoutNow);
        assert!(matches!(answer(&out), Some(Body::RequestVote { transfer: true, .. })));
        let mut other = node(2, 5, &[5], None);
        say(&mut other, 0, 5, append((1, 5), &[], 0));
        let ask = |transfer| Body::RequestVote { last_index: 1, last_term: 5, transfer };
        assert_eq!(say(&mut other, 1, 6, ask(false)), []);
        assert_eq!(answer(&say(&mut other, 1, 6, ask(true))), Some(&Body::Vote { granted: true }));
    }

    #[test]
    fn thesis_3_10_a_leader_goes_on_if_nobody_takes_over() {
        let mut raft = elected(&[]);
        raft.transfer(1, &mut Vec::new()).unwrap();
        let mut out = Vec::new();
        raft.tick(at(NOW + ELECTION_TIMEOUT + HEARTBEAT), &mut out);
        assert!(out.contains(&Output::Tell(5, Event::TransferFailed)));
        assert!(raft.propose((), &mut out).is_some());
        assert!(!out.iter().any(|output| matches!(output, Output::Send(_, Message { body: Body::TimeoutNow, .. }))));
    }
}
