//! Consensus, as a pure state machine: leader election, log replication, commitment.
//!
//! After Ongaro & Ousterhout, "In search of an understandable consensus algorithm" (2014), whose figure 2 the rules come from, and
//! Ongaro's thesis (2014) where a section is named. There is no clock, socket, disk or chance in here: the driver passes the
//! time and a random number in, and takes out what to send and what to write. What is written must be durable before what
//! is sent leaves the node (thesis §3.8); then the driver reports it with [`Raft::synced`].

use std::collections::BTreeSet;
use std::time::Duration;

use super::defects::Bug;
use super::log::Log;
use super::message::{Body, Command, Entry, Index, Message, NodeId, Term};

/// The least time without a leader after which a follower stands for election; the most is twice that.
pub const ELECTION_TIMEOUT: Duration = Duration::from_millis(150);
/// How often a leader shows that it is there, and a candidate asks again.
pub const HEARTBEAT: Duration = Duration::from_millis(30);
/// A leader that has not heard from a majority for this long steps down (thesis §6.2).
pub const QUORUM_TIMEOUT: Duration = Duration::from_millis(400);
/// The most entries in one message.
const BATCH: usize = 64;

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
pub enum Output {
    /// Write the term and the vote.
    WriteState(HardState),
    /// Cut the log from here on.
    WriteTruncation(Index),
    /// Put an entry behind the log.
    WriteEntry(Entry),
    /// Send a message, after all that was written is durable.
    Send(NodeId, Message),
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
    under_way: Option<Index>,
    /// The latest round that it answered.
    round: u64,
    /// When it answered last.
    heard: Duration,
}

/// A node's part in consensus.
#[derive(Clone, Debug)]
pub struct Raft {
    me: NodeId,
    nodes: u8,
    state: HardState,
    log: Log,
    role: Role,
    commit: Index,
    synced: Index,
    /// When it will stand for election, unless it hears from a leader.
    election: Duration,
    /// When it last heard from a leader.
    leader_heard: Option<Duration>,
    bug: Option<Bug>,
}

impl Raft {
    /// A node that begins with what it found on its disk.
    pub fn new(
        me: NodeId,
        nodes: u8,
        state: HardState,
        log: Log,
        bug: Option<Bug>,
        now: Duration,
        chance: u64,
    ) -> Raft {
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
        raft.rest(now, chance);
        raft
    }

    /// The node's term.
    pub fn term(&self) -> Term {
        self.state.term
    }

    /// Its log.
    pub fn log(&self) -> &Log {
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

    /// Whether an entry of its own term is committed: only then a leader knows how far the log is committed (thesis §6.4).
    pub fn has_committed_in_its_term(&self) -> bool {
        self.log.term_at(self.commit) == Some(self.state.term)
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
    pub fn tick(&mut self, now: Duration, chance: u64, out: &mut Vec<Output>) {
        let (me, majority) = (self.me as usize, self.majority());
        match &mut self.role {
            Role::Leader { progress, heartbeat, .. } if now >= *heartbeat => {
                *heartbeat = now + HEARTBEAT;
                let silent = |peer: &Progress| now.saturating_sub(peer.heard) >= QUORUM_TIMEOUT;
                let heard = progress.iter().enumerate().filter(|(at, peer)| *at != me && !silent(peer)).count();
                if heard + 1 < majority {
                    out.push(Output::Tell(self.state.term, Event::StepsDown));
                    self.follow(self.state.term, None, now, chance, out);
                    return;
                }
                progress.iter_mut().for_each(|peer| peer.under_way = None);
                self.broadcast(out, Raft::append_to);
            }
            Role::Follower { .. } | Role::Candidate { .. } if now >= self.election => self.ask_around(now, chance, out),
            Role::Candidate { ask_again, .. } if now >= *ask_again => {
                *ask_again = now + HEARTBEAT;
                self.ask_for_votes(out);
            }
            _ => {}
        }
    }

    /// Takes a command up into the log, if this node leads; tells where.
    pub fn propose(&mut self, command: Command, out: &mut Vec<Output>) -> Option<Index> {
        if !self.leads() {
            return None;
        }
        Some(self.append(command, out))
    }

    /// Sends what has been proposed to those that wait for it.
    pub fn replicate(&mut self, out: &mut Vec<Output>) {
        if self.leads() {
            self.broadcast(out, Raft::send_entries);
        }
    }

    /// Begins a round of heartbeats, if this node leads: when [`Raft::confirmed_round`] reaches it, nobody else had led when it
    /// began (thesis §6.4).
    pub fn begin_round(&mut self, out: &mut Vec<Output>) -> Option<u64> {
        let Role::Leader { round, .. } = &mut self.role else { return None };
        *round += 1;
        let begun = *round;
        self.broadcast(out, Raft::send_heartbeat);
        Some(begun)
    }

    /// The latest round that a majority has answered.
    pub fn confirmed_round(&self) -> Option<u64> {
        let Role::Leader { progress, round, .. } = &self.role else { return None };
        let mut rounds: Vec<u64> = progress.iter().map(|peer| peer.round).collect();
        rounds[self.me as usize] = *round;
        rounds.sort_unstable();
        Some(rounds[rounds.len() - self.majority()])
    }

    /// All that was written up to now is durable, up to this place of the log.
    pub fn synced(&mut self, index: Index) {
        self.synced = index.min(self.log.last_index());
        self.advance_commit();
    }

    /// A message from another node.
    pub fn receive(&mut self, from: NodeId, message: Message, now: Duration, chance: u64, out: &mut Vec<Output>) {
        if message.term > self.state.term {
            // A node that hears from its leader takes no part in an election: it was called by one that was cut off
            // (thesis §4.2.3).
            let calls = matches!(message.body, Body::RequestVote { .. } | Body::AskPreVote { .. });
            if calls && self.hears_from_leader(now) {
                return;
            }
            if self.leads() {
                out.push(Output::Tell(self.state.term, Event::StepsDown));
            }
            let leader = matches!(message.body, Body::Append { .. }).then_some(from);
            self.follow(message.term, leader, now, chance, out);
        }
        match message.body {
            Body::AskPreVote { proposed, last_index, last_term } => {
                let newer = (last_term, last_index) >= (self.log.last_term(), self.log.last_index())
                    || self.bug == Some(Bug::VoteIgnoresLog);
                let granted = proposed > self.state.term && newer && !self.hears_from_leader(now);
                self.send(from, Body::PreVote { proposed, granted }, out);
            }
            Body::PreVote { proposed, granted } if granted && proposed == self.state.term + 1 => {
                self.count_pre_vote(from, now, chance, out);
            }
            Body::PreVote { .. } => {}
            Body::RequestVote { last_index, last_term } => {
                self.vote(from, message.term, (last_term, last_index), now, chance, out);
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
                    _ => self.follow(self.state.term, Some(from), now, chance, out),
                }
                self.rest(now, chance);
                let body = self.take_up(previous_index, previous_term, entries, commit, round, out);
                self.send(from, body, out);
            }
            Body::Matched { index, round } if message.term == self.state.term => {
                self.matched(from, index, round, now, out);
            }
            Body::Conflict { term, first, round } if message.term == self.state.term => {
                self.back_up(from, term, first, round, now, out);
            }
            Body::Matched { .. } | Body::Conflict { .. } => {}
        }
    }

    // Elections (paper §5.2, §5.4.1).

    /// Asks whether a majority would vote for it. A node that is cut off asks in vain, and disturbs nobody: neither its term nor
    /// anybody's vote has changed (thesis §9.6).
    fn ask_around(&mut self, now: Duration, chance: u64, out: &mut Vec<Output>) {
        let again = matches!(self.role, Role::Candidate { asking: false, .. } | Role::Candidate { again: true, .. });
        self.role = Role::Candidate {
            asking: true,
            again,
            voters: BTreeSet::from([self.me]),
            replies: 1,
            ask_again: now + HEARTBEAT,
        };
        self.rest(now, chance);
        if self.majority() == 1 {
            return self.stand(again, now, chance, out);
        }
        self.ask_for_votes(out);
    }

    fn count_pre_vote(&mut self, voter: NodeId, now: Duration, chance: u64, out: &mut Vec<Output>) {
        let majority = self.majority();
        let Role::Candidate { asking: true, again, voters, .. } = &mut self.role else { return };
        voters.insert(voter);
        if voters.len() >= majority {
            let again = *again;
            self.stand(again, now, chance, out);
        }
    }

    fn stand(&mut self, again: bool, now: Duration, chance: u64, out: &mut Vec<Output>) {
        self.state = HardState { term: self.state.term + 1, vote: Some(self.me) };
        out.push(Output::WriteState(self.state));
        self.role = Role::Candidate {
            asking: false,
            again,
            voters: BTreeSet::from([self.me]),
            replies: 1,
            ask_again: now + HEARTBEAT,
        };
        self.rest(now, chance);
        out.push(Output::Tell(self.state.term, if again { Event::StandsAgain } else { Event::Stands }));
        self.ask_for_votes(out);
        if self.majority() == 1 {
            self.lead(now, out);
        }
    }

    fn ask_for_votes(&mut self, out: &mut Vec<Output>) {
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

    fn vote(
        &mut self,
        candidate: NodeId,
        term: Term,
        its_end: (Term, Index),
        now: Duration,
        chance: u64,
        out: &mut Vec<Output>,
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
            self.rest(now, chance);
        }
        self.send(candidate, Body::Vote { granted }, out);
    }

    fn count_vote(&mut self, voter: NodeId, now: Duration, out: &mut Vec<Output>) {
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
            self.lead(now, out);
        }
    }

    fn lead(&mut self, now: Duration, out: &mut Vec<Output>) {
        let end = self.log.last_index();
        let unknown = Progress { next: end + 1, matched: 0, replicating: false, under_way: None, round: 0, heard: now };
        self.role = Role::Leader { progress: vec![unknown; self.nodes as usize], heartbeat: now + HEARTBEAT, round: 0 };
        out.push(Output::Tell(self.state.term, Event::Leads(end)));
        self.append(Command::Noop, out);
        self.broadcast(out, Raft::append_to);
    }

    fn follow(&mut self, term: Term, leader: Option<NodeId>, now: Duration, chance: u64, out: &mut Vec<Output>) {
        let led = !matches!(self.role, Role::Follower { .. });
        if term > self.state.term {
            self.state = HardState { term, vote: None };
            out.push(Output::WriteState(self.state));
        }
        self.role = Role::Follower { leader };
        if led {
            self.rest(now, chance);
        }
        out.push(Output::Tell(self.state.term, Event::Follows));
    }

    /// Whether there is a leader for all that this node knows.
    fn hears_from_leader(&self, now: Duration) -> bool {
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
    fn rest(&mut self, now: Duration, chance: u64) {
        let spread = ELECTION_TIMEOUT.as_millis() as u64;
        self.election = now + ELECTION_TIMEOUT + Duration::from_millis(chance % spread);
    }

    // Replication, the follower's side (paper §5.3).

    fn take_up(
        &mut self,
        previous_index: Index,
        previous_term: Term,
        entries: Vec<Entry>,
        commit: Index,
        round: u64,
        out: &mut Vec<Output>,
    ) -> Body {
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
                    self.cut(place, out);
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

    fn cut(&mut self, from: Index, out: &mut Vec<Output>) {
        let count = self.log.truncate_from(from);
        self.synced = self.synced.min(self.log.last_index());
        out.push(Output::WriteTruncation(from));
        out.push(Output::Tell(self.state.term, Event::Truncates(from, count)));
    }

    // Replication, the leader's side (paper §5.3, §5.4.2).

    fn append(&mut self, command: Command, out: &mut Vec<Output>) -> Index {
        let entry = Entry { term: self.state.term, command };
        out.push(Output::WriteEntry(entry.clone()));
        self.log.push(entry)
    }

    fn broadcast(&mut self, out: &mut Vec<Output>, send: fn(&mut Raft, NodeId, &mut Vec<Output>)) {
        let me = self.me;
        for peer in (0..self.nodes).filter(|peer| *peer != me) {
            send(self, peer, out);
        }
    }

    /// Entries if the place where they belong is known, else a message that looks for it.
    fn append_to(&mut self, peer: NodeId, out: &mut Vec<Output>) {
        let Role::Leader { progress, .. } = &self.role else { return };
        let it = progress[peer as usize];
        if it.replicating && it.next <= self.log.last_index() {
            self.send_entries(peer, out);
        } else {
            self.send_heartbeat(peer, out);
        }
    }

    fn send_entries(&mut self, peer: NodeId, out: &mut Vec<Output>) {
        let Role::Leader { progress, round, .. } = &mut self.role else { return };
        let it = &mut progress[peer as usize];
        if !it.replicating || it.under_way.is_some() || it.next > self.log.last_index() {
            return;
        }
        let entries = self.log.from(it.next, BATCH).to_vec();
        it.under_way = Some(it.next + entries.len() as Index - 1);
        let (next, round) = (it.next, *round);
        self.send_append(peer, next, entries, round, out);
    }

    fn send_heartbeat(&mut self, peer: NodeId, out: &mut Vec<Output>) {
        let Role::Leader { progress, round, .. } = &self.role else { return };
        let (next, round) = (progress[peer as usize].next, *round);
        self.send_append(peer, next, Vec::new(), round, out);
    }

    fn send_append(&self, peer: NodeId, next: Index, entries: Vec<Entry>, round: u64, out: &mut Vec<Output>) {
        let previous_index = next - 1;
        let previous_term = self.log.term_at(previous_index).expect("a leader sends only what follows on its own log");
        let body = Body::Append { previous_index, previous_term, entries, commit: self.commit, round };
        self.send(peer, body, out);
    }

    fn matched(&mut self, peer: NodeId, index: Index, round: u64, now: Duration, out: &mut Vec<Output>) {
        let Role::Leader { progress, .. } = &mut self.role else { return };
        let it = &mut progress[peer as usize];
        it.heard = now;
        it.round = it.round.max(round);
        it.matched = it.matched.max(index);
        it.next = it.next.max(it.matched + 1);
        it.replicating = true;
        if it.under_way.is_some_and(|end| end <= it.matched) {
            it.under_way = None;
        }
        self.advance_commit();
        self.send_entries(peer, out);
    }

    /// Goes back a whole term at a time: to the end of the leader's entries of the follower's term if it has any, else to where
    /// the follower's entries of that term begin.
    fn back_up(
        &mut self,
        peer: NodeId,
        term: Option<Term>,
        first: Index,
        round: u64,
        now: Duration,
        out: &mut Vec<Output>,
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
        it.under_way = None;
        self.send_heartbeat(peer, out);
    }

    /// A leader commits what a majority holds durably, if it is of its own term; what came before goes with it (§5.4.2).
    fn advance_commit(&mut self) {
        let Role::Leader { progress, .. } = &self.role else { return };
        let mut matched: Vec<Index> = progress.iter().map(|peer| peer.matched).collect();
        matched[self.me as usize] = self.synced;
        matched.sort_unstable();
        let held = matched[matched.len() - self.majority()];
        if held > self.commit && self.log.term_at(held) == Some(self.state.term) {
            self.commit = held;
        }
    }

    fn send(&self, to: NodeId, body: Body, out: &mut Vec<Output>) {
        out.push(Output::Send(to, Message { term: self.state.term, body }));
    }

    fn majority(&self) -> usize {
        self.nodes as usize / 2 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);

    fn entry(term: Term) -> Entry {
        Entry { term, command: Command::Noop }
    }

    fn node(me: NodeId, term: Term, terms: &[Term], bug: Option<Bug>) -> Raft {
        let log = Log::of(terms.iter().map(|&term| entry(term)).collect());
        Raft::new(me, 3, HardState { term, vote: None }, log, bug, Duration::ZERO, 0)
    }

    fn say(raft: &mut Raft, from: NodeId, term: Term, body: Body) -> Vec<Output> {
        let mut out = Vec::new();
        raft.receive(from, Message { term, body }, NOW, 0, &mut out);
        out
    }

    fn append(previous: (Index, Term), entries: &[Term], commit: Index) -> Body {
        let entries = entries.iter().map(|&term| entry(term)).collect();
        Body::Append { previous_index: previous.0, previous_term: previous.1, entries, commit, round: 1 }
    }

    fn answer(out: &[Output]) -> Option<&Body> {
        out.iter().rev().find_map(|output| match output {
            Output::Send(_, message) => Some(&message.body),
            _ => None,
        })
    }

    fn elected(terms: &[Term]) -> Raft {
        let mut raft = node(0, 4, terms, None);
        raft.tick(NOW, 0, &mut Vec::new());
        say(&mut raft, 1, 4, Body::PreVote { proposed: 5, granted: true });
        say(&mut raft, 1, 5, Body::Vote { granted: true });
        assert!(raft.leads());
        raft
    }

    #[test]
    fn a_vote_goes_to_the_newer_log_only() {
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
    fn a_node_votes_once_in_a_term_and_writes_it_down_first() {
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
    fn votes_are_counted_by_voter() {
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
    fn conflicting_entries_are_cut_and_matching_ones_kept() {
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
    fn a_follower_commits_only_what_was_verified() {
        for (bug, commit) in [(None, 1), (Some(Bug::CommitPastVerified), 3)] {
            let mut raft = node(0, 4, &[1, 2, 2], bug);
            say(&mut raft, 1, 4, append((1, 1), &[], 3));
            assert_eq!(raft.commit(), commit);
        }
    }

    #[test]
    fn a_conflict_is_answered_with_the_whole_term() {
        let mut raft = node(0, 4, &[1, 3, 3, 3], None);
        let out = say(&mut raft, 1, 5, append((4, 4), &[], 0));
        assert_eq!(answer(&out), Some(&Body::Conflict { term: Some(3), first: 2, round: 1 }));
        let out = say(&mut raft, 1, 5, append((9, 4), &[], 0));
        assert_eq!(answer(&out), Some(&Body::Conflict { term: None, first: 5, round: 1 }));
    }

    #[test]
    fn a_leader_goes_back_a_term_at_a_time() {
        let mut raft = elected(&[1, 2, 2, 4]);
        let out = say(&mut raft, 1, 5, Body::Conflict { term: Some(2), first: 2, round: 0 });
        assert!(matches!(answer(&out), Some(Body::Append { previous_index: 3, .. })));
        let mut raft = elected(&[1, 4, 4, 4]);
        let out = say(&mut raft, 1, 5, Body::Conflict { term: Some(3), first: 2, round: 0 });
        assert!(matches!(answer(&out), Some(Body::Append { previous_index: 1, previous_term: 1, .. })));
    }

    #[test]
    fn only_entries_of_its_own_term_are_committed_by_counting() {
        let mut raft = elected(&[1, 2]);
        raft.synced(3);
        say(&mut raft, 1, 5, Body::Matched { index: 2, round: 0 });
        assert_eq!(raft.commit(), 0);
        say(&mut raft, 1, 5, Body::Matched { index: 3, round: 0 });
        assert_eq!(raft.commit(), 3);
    }

    #[test]
    fn what_a_leader_has_not_synced_does_not_count() {
        let mut raft = elected(&[]);
        say(&mut raft, 1, 5, Body::Matched { index: 1, round: 0 });
        assert_eq!(raft.commit(), 0);
        raft.synced(1);
        assert_eq!(raft.commit(), 1);
    }

    #[test]
    fn a_round_is_confirmed_by_a_majority_that_answered_it() {
        let mut raft = elected(&[]);
        let begun = raft.begin_round(&mut Vec::new()).unwrap();
        assert!(raft.confirmed_round().unwrap() < begun);
        say(&mut raft, 2, 5, Body::Matched { index: 0, round: begun - 1 });
        assert!(raft.confirmed_round().unwrap() < begun);
        say(&mut raft, 2, 5, Body::Matched { index: 0, round: begun });
        assert_eq!(raft.confirmed_round(), Some(begun));
    }

    #[test]
    fn a_node_that_nobody_answers_asks_for_ever_and_raises_no_term() {
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
    fn a_pre_vote_is_given_to_a_newer_log_while_nobody_leads_and_binds_nobody() {
        let ask = |last_index, last_term| Body::AskPreVote { proposed: 5, last_index, last_term };
        let mut raft = node(0, 4, &[1, 2], None);
        for (asked, granted) in [(ask(9, 1), false), (ask(2, 2), true), (ask(1, 3), true)] {
            assert_eq!(answer(&say(&mut raft, 1, 4, asked)), Some(&Body::PreVote { proposed: 5, granted }));
        }
        assert_eq!(raft.state, HardState { term: 4, vote: None });
        say(&mut raft, 2, 4, append((2, 2), &[], 0));
        assert_eq!(answer(&say(&mut raft, 1, 4, ask(2, 2))), Some(&Body::PreVote { proposed: 5, granted: false }));
    }

    #[test]
    fn a_leader_that_hears_from_no_majority_steps_down() {
        let mut raft = elected(&[]);
        raft.tick(NOW + HEARTBEAT, 0, &mut Vec::new());
        assert!(raft.leads());
        raft.tick(NOW + QUORUM_TIMEOUT, 0, &mut Vec::new());
        assert!(!raft.leads());
    }

    #[test]
    fn a_follower_that_hears_from_its_leader_does_not_follow_a_call_to_elections() {
        let mut raft = node(0, 4, &[], None);
        say(&mut raft, 1, 4, append((0, 0), &[], 0));
        assert_eq!(say(&mut raft, 2, 9, Body::RequestVote { last_index: 5, last_term: 5 }), []);
        assert_eq!(raft.term(), 4);
    }
}
