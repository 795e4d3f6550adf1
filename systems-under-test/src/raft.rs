//! Consensus, as a pure state machine: leader election, log replication, commitment. What the log holds is its user's business.
//!
//! ```text
//!   this file      what a node is; terms (paper §5.1)
//!   election       who leads: votes, pre-votes, leases of votes (§5.2, §5.4.1; thesis §4.2.3, §6.2, §9.6)
//!   replication    the log: consistency check, conflicts, commitment (§5.3, §5.4.2)
//!   reads          reads that do not go through the log (thesis §6.4)
//!   log, message   what is kept, and what is said
//! ```
//!
//! After Ongaro & Ousterhout, "In search of an understandable consensus algorithm" (2014), whose figure 2 the rules come from, and
//! Ongaro's thesis (2014) where a section is named. There is no clock, socket, disk or chance in here: the driver passes the
//! time and a random number in, and takes out what to send and what to write. What is written must be durable before what
//! is sent leaves the node (thesis §3.8); then the driver reports it with [`Raft::synced`].

use std::collections::BTreeSet;
use std::time::Duration;

mod election;
mod log;
mod message;
mod reads;
mod replication;

pub use log::Log;
pub use message::{Body, Entry, Index, Message, NodeId, Term};

/// A bug that can be planted in consensus. One flag, one branch each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A vote is given without asking whose log is newer.
    VoteIgnoresLog,
    /// A candidate counts replies, not voters.
    VotesCountedTwice,
    /// A follower commits up to the end of its log instead of what was verified.
    CommitPastVerified,
}

/// The least time without a leader after which a follower stands for election; the most is twice that.
pub const ELECTION_TIMEOUT: Duration = Duration::from_millis(150);
/// How often a leader shows that it is there, and a candidate asks again.
pub const HEARTBEAT: Duration = Duration::from_millis(30);
/// A leader that has not heard from a majority for this long steps down (thesis §6.2).
pub const QUORUM_TIMEOUT: Duration = Duration::from_millis(400);

/// What a restart must find again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HardState {
    /// The latest term that the node has seen.
    pub term: Term,
    /// Whom it voted for in that term.
    pub vote: Option<NodeId>,
}

/// What a step asks the driver to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<C> {
    /// Write the term and the vote.
    WriteState(HardState),
    /// Cut the log from here on.
    WriteTruncation(Index),
    /// Put an entry behind the log.
    WriteEntry(Entry<C>),
    /// Send a message, after all that was written is durable.
    Send(NodeId, Message<C>),
    /// Tell the observers, and in which term it happened.
    Tell(Term, Event),
}

/// Something worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The node became a follower.
    Follows,
    /// The node stands for election.
    Stands,
    /// The node stands again, for nobody won.
    StandsAgain,
    /// The node leads. The end of its log at that moment, which must hold all that is committed.
    Leads(Index),
    /// The node gave up leading.
    StepsDown,
    /// Entries that were in the log are there no more: from where, and how many.
    Truncates(Index, usize),
    /// A planted defect changed what happens.
    DefectBit,
}

/// What a node is, in its term.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Role {
    Follower {
        leader: Option<NodeId>,
    },
    Candidate {
        /// It only asks yet whether it would be voted for: its term is as it was.
        asking: bool,
        /// It stood before, and nobody won.
        again: bool,
        voters: BTreeSet<NodeId>,
        replies: usize,
        ask_again: Duration,
    },
    Leader {
        /// By node; the leader's own is not used.
        progress: Vec<Progress>,
        heartbeat: Duration,
        round: u64,
    },
}

/// What a leader knows of a follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    /// The next place to send.
    next: Index,
    /// The logs agree up to here.
    matched: Index,
    /// The place where they agree is known; until then only empty messages look for it.
    replicating: bool,
    /// Entries are under way up to here.
    in_flight: Option<Index>,
    /// The latest round that it answered.
    round: u64,
    /// When it answered last.
    heard: Duration,
}

/// A node's part in consensus.
#[derive(Clone, Debug)]
pub struct Raft<C> {
    me: NodeId,
    nodes: u8,
    state: HardState,
    log: Log<C>,
    role: Role,
    commit: Index,
    synced: Index,
    /// When it will stand for election, unless it hears from a leader.
    election: Duration,
    /// When it last heard from a leader.
    leader_heard: Option<Duration>,
    bug: Option<Bug>,
}

impl<C: Clone> Raft<C> {
    /// A node that begins with what it found on its disk.
    pub fn new(
        me: NodeId,
        nodes: u8,
        state: HardState,
        log: Log<C>,
        bug: Option<Bug>,
        now: Duration,
        chance: u64,
    ) -> Raft<C> {
        let synced = log.last_index();
        let mut raft = Raft {
            me,
            nodes,
            state,
            log,
            role: Role::Follower { leader: None },
            commit: 0,
            synced,
            election: Duration::ZERO,
            leader_heard: None,
            bug,
        };
        raft.reset_election_timer(now, chance);
        raft
    }

    /// The node's term.
    pub fn term(&self) -> Term {
        self.state.term
    }

    /// Its log.
    pub fn log(&self) -> &Log<C> {
        &self.log
    }

    /// How far it knows the log to be committed.
    pub fn commit(&self) -> Index {
        self.commit
    }

    /// Whether it believes that it leads.
    pub fn leads(&self) -> bool {
        matches!(self.role, Role::Leader { .. })
    }

    /// Whom it believes to lead.
    pub fn leader(&self) -> Option<NodeId> {
        match self.role {
            Role::Follower { leader } => leader,
            Role::Candidate { .. } => None,
            Role::Leader { .. } => Some(self.me),
        }
    }

    /// When [`Raft::tick`] wants to be called, at the latest.
    pub fn deadline(&self) -> Duration {
        match &self.role {
            Role::Follower { .. } => self.election,
            Role::Candidate { ask_again, .. } => self.election.min(*ask_again),
            Role::Leader { heartbeat, .. } => *heartbeat,
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration, chance: u64, out: &mut Vec<Output<C>>) {
        let (me, majority) = (self.me as usize, self.majority());
        match &mut self.role {
            Role::Leader { progress, heartbeat, .. } if now >= *heartbeat => {
                *heartbeat = now + HEARTBEAT;
                let silent = |peer: &Progress| now.saturating_sub(peer.heard) >= QUORUM_TIMEOUT;
                let heard = progress.iter().enumerate().filter(|(at, peer)| *at != me && !silent(peer)).count();
                if heard + 1 < majority {
                    out.push(Output::Tell(self.state.term, Event::StepsDown));
                    self.become_follower(self.state.term, None, now, chance, out);
                    return;
                }
                progress.iter_mut().for_each(|peer| peer.in_flight = None);
                self.broadcast(out, Raft::append_to);
            }
            Role::Follower { .. } | Role::Candidate { .. } if now >= self.election => {
                self.start_pre_vote(now, chance, out)
            }
            Role::Candidate { ask_again, .. } if now >= *ask_again => {
                *ask_again = now + HEARTBEAT;
                self.request_votes(out);
            }
            _ => {}
        }
    }

    /// A message from another node.
    pub fn receive(&mut self, from: NodeId, message: Message<C>, now: Duration, chance: u64, out: &mut Vec<Output<C>>) {
        if message.term > self.state.term {
            // A node that hears from its leader takes no part in an election: it was called by one that was cut off
            // (thesis §4.2.3).
            let calls = matches!(message.body, Body::RequestVote { .. } | Body::AskPreVote { .. });
            if calls && self.has_live_leader(now) {
                return;
            }
            if self.leads() {
                out.push(Output::Tell(self.state.term, Event::StepsDown));
            }
            let leader = matches!(message.body, Body::Append { .. }).then_some(from);
            self.become_follower(message.term, leader, now, chance, out);
        }
        match message.body {
            Body::AskPreVote { proposed, last_index, last_term } => {
                let newer = (last_term, last_index) >= (self.log.last_term(), self.log.last_index())
                    || self.bug == Some(Bug::VoteIgnoresLog);
                let granted = proposed > self.state.term && newer && !self.has_live_leader(now);
                self.send(from, Body::PreVote { proposed, granted }, out);
            }
            Body::PreVote { proposed, granted } if granted && proposed == self.state.term + 1 => {
                self.count_pre_vote(from, now, chance, out);
            }
            Body::PreVote { .. } => {}
            Body::RequestVote { last_index, last_term } => {
                self.answer_vote_request(from, message.term, (last_term, last_index), now, chance, out);
            }
            Body::Vote { granted } if message.term == self.state.term && granted => self.count_vote(from, now, out),
            Body::Vote { .. } => {}
            Body::Append { .. } if message.term < self.state.term => {
                // The answer's term deposes the sender.
                self.send(from, Body::Conflict { term: None, first: self.log.last_index() + 1, round: 0 }, out);
            }
            Body::Append { previous_index, previous_term, entries, commit, round } => {
                assert!(!self.leads(), "there are two leaders in term {}", self.state.term);
                self.leader_heard = Some(now);
                match &mut self.role {
                    Role::Follower { leader } => *leader = Some(from),
                    _ => self.become_follower(self.state.term, Some(from), now, chance, out),
                }
                self.reset_election_timer(now, chance);
                let body = self.append_entries(previous_index, previous_term, entries, commit, round, out);
                self.send(from, body, out);
            }
            Body::Matched { index, round } if message.term == self.state.term => {
                self.append_accepted(from, index, round, now, out);
            }
            Body::Conflict { term, first, round } if message.term == self.state.term => {
                self.append_rejected(from, term, first, round, now, out);
            }
            Body::Matched { .. } | Body::Conflict { .. } => {}
        }
    }

    /// Takes another term, or steps back within its own.
    fn become_follower(
        &mut self,
        term: Term,
        leader: Option<NodeId>,
        now: Duration,
        chance: u64,
        out: &mut Vec<Output<C>>,
    ) {
        let led = !matches!(self.role, Role::Follower { .. });
        if term > self.state.term {
            self.state = HardState { term, vote: None };
            out.push(Output::WriteState(self.state));
        }
        self.role = Role::Follower { leader };
        if led {
            self.reset_election_timer(now, chance);
        }
        out.push(Output::Tell(self.state.term, Event::Follows));
    }

    fn send(&self, to: NodeId, body: Body<C>, out: &mut Vec<Output<C>>) {
        out.push(Output::Send(to, Message { term: self.state.term, body }));
    }

    fn majority(&self) -> usize {
        self.nodes as usize / 2 + 1
    }
}

#[cfg(test)]
mod driven;

#[cfg(test)]
mod tests {
    use super::driven::*;
    use super::*;

    #[test]
    fn section_5_1_a_newer_term_makes_a_follower_of_anybody_and_an_older_one_is_answered_with_the_newer() {
        let mut raft = elected(&[]);
        let out = say(&mut raft, 2, 3, append((0, 0), &[], 0));
        assert!(matches!(out.last(), Some(Output::Send(2, Message { term: 5, body: Body::Conflict { .. } }))));
        assert!(raft.leads());
        say(&mut raft, 2, 7, append((0, 0), &[], 0));
        assert_eq!((raft.leads(), raft.term(), raft.leader()), (false, 7, Some(2)));
    }

    #[test]
    #[should_panic(expected = "there are two leaders in term 5")]
    fn section_5_2_two_leaders_of_one_term_are_a_bug_that_is_told() {
        say(&mut elected(&[]), 2, 5, append((0, 0), &[], 0));
    }
}
