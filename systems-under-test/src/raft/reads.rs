//! Reads that do not go through the log (thesis §6.4): by a round of heartbeats, or by a lease.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Body, Bug, Command, ELECTION_TIMEOUT, Event, HEARTBEAT, Index, NodeId, Output, Raft, Role, Time};

/// How far the rates of two clocks may be apart: what a lease can stand, as a part of one.
pub const DRIFT_BOUND: f64 = 0.1;

/// How long a lease lasts from the sending of the round that a majority answered (thesis §6.4.1): on the slowest clock no longer than those that
/// answered keep from voting, on the fastest.
fn lease_length() -> Duration {
    ELECTION_TIMEOUT.mul_f64((1.0 - DRIFT_BOUND) / (1.0 + DRIFT_BOUND))
}

/// A leader's rounds of heartbeats, and the reads that wait for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reads {
    /// The latest round.
    round: u64,
    /// When each round that is not confirmed yet was sent.
    sent: VecDeque<(u64, Time)>,
    /// When the latest confirmed round was sent, and when that was confirmed.
    confirmed: Option<(Time, Time)>,
    /// The timer's ticks since then.
    ticks: u32,
    /// Reads that came since the last round began.
    arrived: Vec<Read>,
    /// Reads that wait for a round: which, and how far the log was committed when they came.
    unconfirmed: Vec<(u64, Index, Read)>,
}

/// A read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Read {
    /// Of which follower; `None` for one of the leader's own.
    from: Option<NodeId>,
    id: u64,
}

impl Reads {
    /// The latest round.
    pub fn round(&self) -> u64 {
        self.round
    }
}

impl<C: Command> Raft<C> {
    /// Whether an entry of its own term is committed: only then a leader knows how far the log is committed (thesis §6.4).
    pub fn has_committed_in_its_term(&self) -> bool {
        self.log.term_at(self.commit) == Some(self.state.term)
    }

    /// A read of this node's. [`Raft::decided_reads`] tells when, and after which entry, it can be answered. A leader notes how far the log
    /// is committed and makes sure that it still leads; a follower asks its leader.
    pub fn read(&mut self, id: u64, out: &mut Vec<Output<C>>) {
        match &mut self.role {
            Role::Leader { reads, .. } => reads.arrived.push(Read { from: None, id }),
            Role::Follower { leader: Some(leader) } => {
                let leader = *leader;
                self.forwarded.insert(id);
                self.send(leader, Body::AskReadIndex { id }, out);
            }
            Role::Follower { leader: None } | Role::Candidate { .. } => self.decided.push((id, None)),
        }
    }

    /// A follower's read.
    pub(super) fn read_for(&mut self, follower: NodeId, id: u64) {
        if let Role::Leader { reads, .. } = &mut self.role {
            reads.arrived.push(Read { from: Some(follower), id });
        }
    }

    /// The reads that are decided since it was asked last: each with the entry after which it can be answered, or with nothing if another
    /// node must be asked.
    pub fn decided_reads(&mut self) -> Vec<(u64, Option<Index>)> {
        std::mem::take(&mut self.decided)
    }

    /// Begins and ends what reads wait for. Called once after each batch of inputs. Reads that come before the leader has committed in its
    /// own term wait for that.
    pub fn advance_reads(&mut self, out: &mut Vec<Output<C>>) {
        let (commit, lease, mut knows) = (self.commit, self.has_lease(), self.has_committed_in_its_term());
        let Role::Leader { reads, .. } = &mut self.role else { return };
        if reads.arrived.is_empty() && reads.unconfirmed.is_empty() {
            return;
        }
        if !knows && !reads.arrived.is_empty() && self.bug == Some(Bug::ReadBeforeOwnCommit) {
            out.push(Output::Tell(self.state.term, Event::DefectBit));
            knows = true;
        }
        if knows && !reads.arrived.is_empty() {
            let arrived = std::mem::take(&mut reads.arrived);
            if lease {
                if !self.lease_runs(None) {
                    out.push(Output::Tell(self.state.term, Event::DefectBit));
                }
                arrived.into_iter().for_each(|read| self.decide(read, commit, out));
            } else if self.bug == Some(Bug::ReadWithoutQuorum) {
                out.push(Output::Tell(self.state.term, Event::DefectBit));
                arrived.into_iter().for_each(|read| self.decide(read, commit, out));
            } else {
                let round = if self.bug == Some(Bug::StaleRoundConfirms) {
                    out.push(Output::Tell(self.state.term, Event::DefectBit));
                    reads.round
                } else {
                    self.begin_round(out)
                };
                let Role::Leader { reads, .. } = &mut self.role else { return };
                reads.unconfirmed.extend(arrived.into_iter().map(|read| (round, commit, read)));
            }
        }
        self.answer_confirmed_reads(out);
    }

    fn answer_confirmed_reads(&mut self, out: &mut Vec<Output<C>>) {
        let confirmed = self.confirmed_round();
        let Role::Leader { reads, .. } = &mut self.role else { return };
        let ready: Vec<_> = reads.unconfirmed.extract_if(.., |(round, ..)| *round <= confirmed).collect();
        for (_, index, read) in ready {
            self.decide(read, index, out);
        }
    }

    fn decide(&mut self, read: Read, index: Index, out: &mut Vec<Output<C>>) {
        match read.from {
            None => self.decided.push((read.id, Some(index))),
            Some(follower) => self.send(follower, Body::ReadIndex { id: read.id, index }, out),
        }
    }

    /// The office is lost, or the leader that was asked: whoever waits must ask elsewhere.
    pub(super) fn abandon_reads(&mut self) {
        self.decided.extend(std::mem::take(&mut self.forwarded).into_iter().map(|id| (id, None)));
        let Role::Leader { reads, .. } = &mut self.role else { return };
        let own = |read: &Read| read.from.is_none().then_some((read.id, None));
        self.decided.extend(reads.arrived.iter().filter_map(own));
        self.decided.extend(reads.unconfirmed.iter().filter_map(|(_, _, read)| own(read)));
        (reads.arrived, reads.unconfirmed) = (Vec::new(), Vec::new());
    }

    // Rounds of heartbeats.

    /// A leader's timer has come round.
    pub(super) fn begin_heartbeat_round(&mut self, out: &mut Vec<Output<C>>) {
        if let Role::Leader { reads, .. } = &mut self.role {
            reads.ticks += 1;
        }
        self.begin_round(out);
    }

    /// Begins a round: when a majority has answered it, nobody else had led when it began (thesis §6.4).
    fn begin_round(&mut self, out: &mut Vec<Output<C>>) -> u64 {
        let sent = self.time;
        let Role::Leader { reads, .. } = &mut self.role else { return 0 };
        reads.round += 1;
        let round = reads.round;
        reads.sent.push_back((round, sent));
        self.broadcast(out, Raft::send_heartbeat);
        round
    }

    /// The latest round that a majority has answered.
    pub(super) fn confirmed_round(&self) -> u64 {
        let Role::Leader { progress, reads, .. } = &self.role else { return 0 };
        self.configuration().reached_by_quorum(|node| match progress.get(&node) {
            Some(it) => it.round,
            None => reads.round,
        })
    }

    /// Answers have come: takes note of when the latest confirmed round was sent.
    pub(super) fn extend_lease(&mut self) {
        let (confirmed, now) = (self.confirmed_round(), self.time);
        let Role::Leader { reads, .. } = &mut self.role else { return };
        while let Some((_, sent)) = reads.sent.pop_front_if(|(round, _)| *round <= confirmed) {
            reads.confirmed = Some((sent, now));
            reads.ticks = 0;
        }
    }

    /// Whether the leader's lease runs: nobody else can have been elected yet. It ends for the rest of the term when the leader has told
    /// another node to take over: that may come late.
    pub(super) fn has_lease(&self) -> bool {
        self.lease_runs(self.bug)
    }

    fn lease_runs(&self, bug: Option<Bug>) -> bool {
        let Role::Leader { reads, has_handed_over, .. } = &self.role else { return false };
        let Some((sent, confirmed)) = reads.confirmed.filter(|_| self.lease) else { return false };
        if *has_handed_over && bug != Some(Bug::LeaseSurvivesTransfer) {
            return false;
        }
        let age = match bug {
            Some(Bug::LeaseCountsTicks) => HEARTBEAT * reads.ticks,
            Some(Bug::LeaseOnWallClock) => self.time.wall.saturating_sub(sent.wall),
            Some(Bug::LeaseFromAck) => self.time.now.saturating_sub(confirmed.now),
            _ => self.time.now.saturating_sub(sent.now),
        };
        age < lease_length()
    }
}

#[cfg(test)]
mod tests {
    use super::super::driven::*;
    use super::super::{Raft, Start, Time};
    use super::*;

    fn decided(raft: &mut Node) -> Vec<(u64, Option<Index>)> {
        raft.advance_reads(&mut Vec::new());
        raft.decided_reads()
    }

    /// A leader of three that has committed in its term, and whose followers have answered all its rounds.
    fn leader(lease: bool, bug: Option<Bug>) -> Node {
        let mut raft = Raft::new(Start { lease, bug, ..start(0, 4, &[]) }, Time::default());
        elect(&mut raft);
        raft.synced(1, &mut Vec::new());
        say(&mut raft, 1, 5, matched(1, 0));
        raft
    }

    fn answer_round(raft: &mut Node, now: Duration) {
        let round = raft.confirmed_round() + 1;
        let message = super::super::Message { term: 5, body: Body::Matched { index: 1, round, life: 0 } };
        raft.receive(1, message, at(now), &mut Vec::new());
    }

    #[test]
    fn thesis_6_4_a_read_waits_for_a_round_that_began_after_it_came() {
        for (bug, at_once) in
            [(None, false), (Some(Bug::StaleRoundConfirms), true), (Some(Bug::ReadWithoutQuorum), true)]
        {
            let mut raft = leader(false, bug);
            raft.read(7, &mut Vec::new());
            assert_eq!(!decided(&mut raft).is_empty(), at_once, "{bug:?}");
            say(&mut raft, 2, 5, matched(1, 0));
            if !at_once {
                assert_eq!(decided(&mut raft), []);
                answer_round(&mut raft, NOW);
                assert_eq!(decided(&mut raft), [(7, Some(1))]);
            }
        }
    }

    #[test]
    fn thesis_6_4_a_read_waits_for_the_terms_first_commit() {
        for (bug, at_once) in [(None, false), (Some(Bug::ReadBeforeOwnCommit), true)] {
            let mut raft = Raft::new(Start { bug, ..start(0, 4, &[1]) }, Time::default());
            elect(&mut raft);
            raft.read(7, &mut Vec::new());
            raft.advance_reads(&mut Vec::new());
            // Only the defect has begun a round for it.
            say(&mut raft, 1, 5, matched(1, if at_once { 2 } else { 1 }));
            assert_eq!(!decided(&mut raft).is_empty(), at_once, "{bug:?}");
            raft.synced(2, &mut Vec::new());
            say(&mut raft, 1, 5, matched(2, 1));
            if !at_once {
                assert_eq!(decided(&mut raft), []);
                say(&mut raft, 1, 5, matched(2, 2));
                assert_eq!(decided(&mut raft), [(7, Some(2))]);
            }
        }
    }

    #[test]
    fn thesis_6_4_a_follower_asks_its_leader_and_gives_up_with_it() {
        let mut raft = leader(false, None);
        say(&mut raft, 2, 5, Body::AskReadIndex { id: 3 });
        raft.advance_reads(&mut Vec::new());
        let mut out = Vec::new();
        answer_round(&mut raft, NOW);
        raft.advance_reads(&mut out);
        assert_eq!(answer(&out), Some(&Body::ReadIndex { id: 3, index: 1 }));
        let mut follower = node(2, 5, &[], None);
        say(&mut follower, 0, 5, append((0, 0), &[], 0));
        follower.read(3, &mut Vec::new());
        follower.read(4, &mut Vec::new());
        say(&mut follower, 0, 5, Body::ReadIndex { id: 3, index: 1 });
        assert_eq!(follower.decided_reads(), [(3, Some(1))]);
        say(&mut follower, 1, 6, append((0, 0), &[], 0));
        assert_eq!(follower.decided_reads(), [(4, None)]);
    }

    #[test]
    fn thesis_6_4_1_a_lease_counts_from_the_sending_of_the_round_that_was_answered() {
        for (bug, late) in [(None, false), (Some(Bug::LeaseFromAck), true)] {
            let mut raft = leader(true, bug);
            raft.tick(at(NOW + HEARTBEAT), &mut Vec::new());
            answer_round(&mut raft, NOW + HEARTBEAT + Duration::from_millis(50));
            let serves = |raft: &mut Node, now: Duration| {
                raft.time = at(now);
                raft.has_lease()
            };
            assert!(serves(&mut raft, NOW + HEARTBEAT + lease_length() - Duration::from_millis(1)));
            assert_eq!(serves(&mut raft, NOW + HEARTBEAT + lease_length()), late, "{bug:?}");
        }
    }

    #[test]
    fn thesis_6_4_1_a_lease_is_measured_by_a_clock_that_nobody_sets_or_stops() {
        let later = NOW + HEARTBEAT + Duration::from_secs(5);
        for (bug, wall, serves) in [
            (None, NOW, false),
            (Some(Bug::LeaseOnWallClock), NOW + HEARTBEAT, true),
            (Some(Bug::LeaseOnWallClock), later, false),
            (Some(Bug::LeaseCountsTicks), NOW, true),
        ] {
            let mut raft = leader(true, bug);
            raft.tick(at(NOW + HEARTBEAT), &mut Vec::new());
            answer_round(&mut raft, NOW + HEARTBEAT);
            raft.time = Time { now: later, wall };
            assert_eq!(raft.has_lease(), serves, "{bug:?}");
        }
    }

    #[test]
    fn thesis_6_4_1_a_lease_ends_for_good_when_the_leader_hands_over() {
        for (bug, serves) in [(None, false), (Some(Bug::LeaseSurvivesTransfer), true)] {
            let mut raft = leader(true, bug);
            raft.tick(at(NOW + HEARTBEAT), &mut Vec::new());
            answer_round(&mut raft, NOW + HEARTBEAT);
            assert!(raft.has_lease());
            raft.transfer(1, &mut Vec::new()).unwrap();
            assert_eq!(raft.has_lease(), serves, "{bug:?}");
        }
    }
}
