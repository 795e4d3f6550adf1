//! Consensus, as a pure state machine: leader election, log replication, commitment, membership, snapshots. What the log holds is its
//! user's business.
//!
//! ```text
//!   this file      what a node is; terms (paper §5.1)
//!   election       who leads: votes, pre-votes, leases of votes (§5.2, §5.4.1; thesis §4.2.3, §6.2, §9.6)
//!   replication    the log: consistency check, conflicts, commitment (§5.3, §5.4.2)
//!   progress       what a leader knows of each follower, and how much it sends ahead (thesis §10.2)
//!   snapshot       the log made short, and followers that need what is gone (thesis §5.1)
//!   configuration  who is in the cluster, one change at a time or by joint consensus (thesis §4.1 to §4.3)
//!   transfer       a leader hands over (thesis §3.10)
//!   reads          reads that do not go through the log, by rounds or by a lease (thesis §6.4)
//!   log, message   what is kept, and what is said
//!   output, bug    what a step asks for and tells; what can be planted
//! ```
//!
//! After Ongaro & Ousterhout, "In search of an understandable consensus algorithm" (2014), whose figure 2 the rules come from, and
//! Ongaro's thesis (2014) where a section is named. There is no clock, socket or disk in here: the driver passes the time in, and takes
//! out what to send and what to write. What is written must be durable before what is sent leaves the node (thesis §3.8); then the
//! driver reports it with [`Raft::synced`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::Serialize;

mod bug;
mod configuration;
mod election;
mod log;
mod message;
mod output;
mod progress;
mod reads;
mod replication;
mod snapshot;
mod transfer;

pub use bug::Bug;
pub use configuration::{Change, Configuration, Refusal};
pub use log::{Log, Place};
pub use message::{Body, Entry, Index, Life, Message, NodeId, Payload, Snapshot, SnapshotHead, Term};
pub use output::{Event, Output};
pub use reads::DRIFT_BOUND;

use progress::Progress;
use reads::Reads;
use snapshot::Incoming;
use transfer::Transfer;

/// The least time without a leader after which a follower stands for election; the most is twice that.
pub const ELECTION_TIMEOUT: Duration = Duration::from_millis(150);
/// How often a leader shows that it is there, and a candidate asks again.
pub const HEARTBEAT: Duration = Duration::from_millis(30);
/// A leader that has not heard from a majority for this long steps down (thesis §6.2).
pub const QUORUM_TIMEOUT: Duration = Duration::from_millis(400);

/// What a log can hold.
pub trait Command: Clone + Serialize {}

impl<C: Clone + Serialize> Command for C {}

/// What a restart must find again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HardState {
    /// The latest term that the node has seen.
    pub term: Term,
    /// Whom it voted for in that term.
    pub vote: Option<NodeId>,
    /// Which machine of its name this is.
    pub life: Life,
}

/// The time of a step, on the node's machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// By the clock that nobody sets.
    pub now: Duration,
    /// By the one that shows the time of day.
    pub wall: Duration,
}

/// What a node begins with.
#[derive(Clone, Debug)]
pub struct Start<C> {
    /// The node.
    pub me: NodeId,
    /// How many nodes the cluster began with.
    pub nodes: u8,
    /// Term, vote and life, as they were on the disk.
    pub state: HardState,
    /// The latest snapshot.
    pub snapshot: Option<Snapshot>,
    /// The log.
    pub log: Log<C>,
    /// Its disk is empty although its name is known: it must ask to be let in, and until then takes no part.
    pub is_joining: bool,
    /// Leaders answer reads by lease.
    pub lease: bool,
    /// A planted bug.
    pub bug: Option<Bug>,
    /// Where its chance begins.
    pub seed: u64,
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
        /// A leader wanted this election.
        transfer: bool,
        voters: BTreeSet<NodeId>,
        replies: usize,
        ask_again: Duration,
    },
    Leader {
        /// Of all members but itself.
        progress: BTreeMap<NodeId, Progress>,
        heartbeat: Duration,
        reads: Reads,
        transfer: Option<Transfer>,
        /// It has told somebody to take over once: that may come late.
        has_handed_over: bool,
    },
}

/// A node's part in consensus.
#[derive(Clone, Debug)]
pub struct Raft<C> {
    me: NodeId,
    state: HardState,
    log: Log<C>,
    snapshot: Option<Snapshot>,
    /// Those that the log holds, each with its place, behind the one that was in force before.
    configurations: Vec<(Index, Configuration)>,
    role: Role,
    commit: Index,
    synced: Index,
    /// When it will stand for election, unless it hears from a leader.
    election: Duration,
    /// When it last heard from a leader, or began.
    leader_heard: Option<Duration>,
    is_joining: bool,
    /// A snapshot that is coming in.
    incoming: Option<Incoming>,
    /// Reads of this node that a leader was asked about, by their numbers.
    forwarded: BTreeSet<u64>,
    /// Reads that are decided: up to where to wait, or that somebody else must be asked.
    decided: Vec<(u64, Option<Index>)>,
    lease: bool,
    time: Time,
    chance: Xoshiro256PlusPlus,
    bug: Option<Bug>,
}

impl<C: Command> Raft<C> {
    /// A node that begins with what it found on its disk.
    pub fn new(start: Start<C>, time: Time) -> Raft<C> {
        let Start { me, nodes, state, snapshot, log, is_joining, lease, bug, seed } = start;
        let base = match &snapshot {
            Some(snapshot) => (snapshot.index, snapshot.configuration.clone()),
            None => (0, Configuration::of(nodes)),
        };
        let begun = state.term > 0;
        let commit = base.0;
        let mut configurations = vec![base];
        for index in log.base().index.max(commit) + 1..=log.last_index() {
            if let Some(Entry { payload: Payload::Configuration(configuration), .. }) = log.get(index) {
                configurations.push((index, configuration.clone()));
            }
        }
        let mut raft = Raft {
            me,
            state,
            synced: log.last_index(),
            log,
            snapshot,
            configurations,
            role: Role::Follower { leader: None },
            commit,
            election: Duration::ZERO,
            // Before it began, it may have promised a leader not to vote for a while: leases rely on that (thesis §6.4.1).
            leader_heard: (begun && lease).then_some(time.now),
            is_joining,
            incoming: None,
            forwarded: BTreeSet::new(),
            decided: Vec::new(),
            lease,
            time,
            chance: Xoshiro256PlusPlus::seed_from_u64(seed),
            bug,
        };
        raft.reset_election_timer();
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

    /// The latest snapshot.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()
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
    pub fn tick(&mut self, time: Time, out: &mut Vec<Output<C>>) {
        self.time = time;
        match &mut self.role {
            Role::Leader { heartbeat, .. } if time.now >= *heartbeat => {
                *heartbeat = time.now + HEARTBEAT;
                if !self.hears_a_majority(QUORUM_TIMEOUT) {
                    return self.step_down(out);
                }
                self.give_up_transfer(out);
                self.begin_heartbeat_round(out);
            }
            Role::Follower { .. } | Role::Candidate { .. } if time.now >= self.election => {
                if self.is_joining {
                    self.reset_election_timer();
                    self.ask_to_join(out);
                } else if self.configuration().is_voter(self.me) {
                    self.start_pre_vote(out);
                } else {
                    self.reset_election_timer();
                }
            }
            Role::Candidate { ask_again, .. } if time.now >= *ask_again => {
                *ask_again = time.now + HEARTBEAT;
                self.request_votes(out);
            }
            _ => {}
        }
    }

    /// A message from another node.
    pub fn receive(&mut self, from: NodeId, message: Message<C>, time: Time, out: &mut Vec<Output<C>>) {
        self.time = time;
        if self.is_joining && !self.is_let_in_by(&message.body, out) {
            return;
        }
        if message.term > self.state.term && !self.accept_term(from, &message, out) {
            return;
        }
        let is_current = message.term == self.state.term;
        match message.body {
            Body::AskPreVote { proposed, last_index, last_term } => {
                self.answer_pre_vote_request(from, proposed, (last_term, last_index), out);
            }
            Body::PreVote { proposed, granted } if granted && proposed == self.state.term + 1 => {
                self.count_pre_vote(from, out);
            }
            Body::RequestVote { last_index, last_term, .. } => {
                self.answer_vote_request(from, is_current, (last_term, last_index), out);
            }
            Body::Vote { granted } if is_current && granted => self.count_vote(from, out),
            Body::PreVote { .. } | Body::Vote { .. } => {}
            Body::Append { life, .. } | Body::InstallSnapshot { life, .. } if life != self.state.life => {}
            Body::Append { .. } | Body::InstallSnapshot { .. } if !is_current => {
                // The answer's term deposes the sender.
                let first = self.log.last_index() + 1;
                self.send(from, Body::Conflict { term: None, first, round: 0, life: self.state.life }, out);
            }
            Body::Append { previous_index, previous_term, entries, commit, round, .. } => {
                if self.hear_leader(from, out) {
                    let body = self.append_entries((previous_index, previous_term), entries, commit, round, out);
                    self.send(from, body, out);
                }
            }
            Body::InstallSnapshot { head, offset, piece, last, round, .. } => {
                if self.hear_leader(from, out) {
                    let body = self.take_piece(head, offset, piece, last, round, out);
                    self.send(from, body, out);
                }
            }
            Body::Matched { index, round, life } if is_current => self.append_accepted(from, index, round, life, out),
            Body::Conflict { term, first, round, life } if is_current => {
                self.append_rejected(from, (term, first), round, life, out);
            }
            Body::SnapshotWants { index, offset, round, life } if is_current => {
                self.send_next_piece(from, (index, offset), round, life, out);
            }
            Body::Matched { .. } | Body::Conflict { .. } | Body::SnapshotWants { .. } => {}
            Body::TimeoutNow if is_current => self.take_over(out),
            Body::TimeoutNow => {}
            Body::Join { life } => self.admit(from, life, out),
            Body::AskReadIndex { id } => self.read_for(from, id),
            Body::ReadIndex { id, index } => {
                if self.forwarded.remove(&id) {
                    self.decided.push((id, Some(index)));
                }
            }
        }
    }

    /// A message has a newer term. It is taken on, unless the message calls for an election that nobody needs.
    fn accept_term(&mut self, from: NodeId, message: &Message<C>, out: &mut Vec<Output<C>>) -> bool {
        // A node that hears from its leader takes no part in an election: it was called by one that was cut off or is no member any more
        // (thesis §4.2.3). Unless its leader wants it.
        let calls = matches!(
            message.body,
            Body::RequestVote { transfer: false, .. } | Body::AskPreVote { .. } | Body::Join { .. }
        );
        if calls && self.has_live_leader() {
            if !self.configuration().is_voter(from) {
                out.push(Output::Tell(self.state.term, Event::RemovedNodeCampaigns(from)));
            }
            return false;
        }
        let is_pre_vote = matches!(message.body, Body::AskPreVote { .. } | Body::PreVote { .. });
        if is_pre_vote && self.bug == Some(Bug::PrevoteTermStuck) {
            out.push(Output::Tell(self.state.term, Event::DefectBit));
            return true;
        }
        if self.leads() {
            self.tell_what_is_left(out);
            out.push(Output::Tell(self.state.term, Event::StepsDown));
        }
        let leads = matches!(message.body, Body::Append { .. } | Body::InstallSnapshot { .. });
        self.become_follower(message.term, leads.then_some(from), out);
        true
    }

    /// A leader of this term is there. Tells whether it can be followed.
    fn hear_leader(&mut self, leader: NodeId, out: &mut Vec<Output<C>>) -> bool {
        if self.leads() {
            out.push(Output::Tell(self.state.term, Event::TwoLeaders(leader)));
            return false;
        }
        self.leader_heard = Some(self.time.now);
        match &mut self.role {
            Role::Follower { leader: known } => *known = Some(leader),
            _ => self.become_follower(self.state.term, Some(leader), out),
        }
        self.reset_election_timer();
        true
    }

    fn step_down(&mut self, out: &mut Vec<Output<C>>) {
        self.tell_what_is_left(out);
        out.push(Output::Tell(self.state.term, Event::StepsDown));
        self.become_follower(self.state.term, None, out);
    }

    /// Takes another term, or steps back within its own.
    fn become_follower(&mut self, term: Term, leader: Option<NodeId>, out: &mut Vec<Output<C>>) {
        let led = !matches!(self.role, Role::Follower { .. });
        if term > self.state.term {
            (self.state.term, self.state.vote) = (term, None);
            self.persist_state(out);
        } else if self.bug == Some(Bug::VoteClearedOnStepDown) && self.state.vote.is_some() {
            out.push(Output::Tell(self.state.term, Event::DefectBit));
            self.state.vote = None;
        }
        self.abandon_reads();
        self.incoming = None;
        self.role = Role::Follower { leader };
        if led {
            self.reset_election_timer();
        }
        out.push(Output::Tell(self.state.term, Event::Follows));
    }

    fn persist_state(&self, out: &mut Vec<Output<C>>) {
        let mut state = self.state;
        if self.bug == Some(Bug::VoteNotPersisted) && state.vote.is_some() {
            out.push(Output::Tell(self.state.term, Event::DefectBit));
            state.vote = None;
        }
        out.push(Output::WriteState(state));
    }

    /// What a leader that loses its office had begun.
    fn tell_what_is_left(&self, out: &mut Vec<Output<C>>) {
        if self.has_lease() {
            out.push(Output::Tell(self.state.term, Event::DeposedInsideLease));
        }
        if self.configuration_index() > self.commit {
            out.push(Output::Tell(self.state.term, Event::ChangeLeftOpen));
        }
    }

    fn send(&self, to: NodeId, body: Body<C>, out: &mut Vec<Output<C>>) {
        out.push(Output::Send(to, Message { term: self.state.term, body }));
    }

    /// Whether a message lets this node in, whose disk was empty.
    fn is_let_in_by(&mut self, body: &Body<C>, out: &mut Vec<Output<C>>) -> bool {
        let (Body::Append { life, .. } | Body::InstallSnapshot { life, .. }) = body else { return false };
        if *life != self.state.life {
            return false;
        }
        self.is_joining = false;
        self.persist_state(out);
        out.push(Output::Tell(self.state.term, Event::Joined));
        true
    }

    fn ask_to_join(&mut self, out: &mut Vec<Output<C>>) {
        let life = self.state.life;
        for peer in self.configuration().members().into_iter().filter(|peer| *peer != self.me) {
            self.send(peer, Body::Join { life }, out);
        }
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
    fn section_5_2_two_leaders_of_one_term_are_told_and_neither_follows() {
        let mut raft = elected(&[]);
        let out = say(&mut raft, 2, 5, append((0, 0), &[], 0));
        assert!(out.contains(&Output::Tell(5, Event::TwoLeaders(2))) && raft.leads());
    }

    #[test]
    fn a_node_with_an_empty_disk_takes_no_part_until_it_is_let_in() {
        let start =
            Start { is_joining: true, state: HardState { life: 77, ..HardState::default() }, ..start(0, 0, &[]) };
        let mut raft = Raft::new(start, Time::default());
        assert_eq!(say(&mut raft, 1, 5, Body::RequestVote { last_index: 9, last_term: 4, transfer: false }), []);
        assert_eq!(say(&mut raft, 1, 5, append((0, 0), &[1], 0)), []);
        let mut out = Vec::new();
        raft.tick(at(NOW), &mut out);
        assert!(
            out.iter().all(|output| matches!(output, Output::Send(_, Message { body: Body::Join { life: 77 }, .. })))
        );
        assert_eq!(out.len(), 2);
        let let_in = Body::Append {
            previous_index: 0,
            previous_term: 0,
            entries: vec![entry(1)],
            commit: 0,
            round: 1,
            life: 77,
        };
        let out = say(&mut raft, 1, 5, let_in);
        assert!(matches!(out[0], Output::WriteState(HardState { life: 77, .. })));
        assert_eq!(answer(&out), Some(&Body::Matched { index: 1, round: 1, life: 77 }));
    }
}
