//! A node of the store, still pure: consensus, the state machine behind it, and the clients that wait.

use std::collections::BTreeMap;
use std::time::Duration;

use shakedown_workloads::kv::Operation;

use crate::door::Address;
use crate::raft::{self, HardState, Index, Log, NodeId, Raft, Term};

use super::ReadMode;
use super::defects::Bug;
use super::machine::Machine;
use super::message::{Answer, Command, Entry, Message, Reply, Request};

/// What a step asks the driver to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// What consensus asks for.
    Raft(raft::Output<Command>),
    /// Tell a client, after all that was written is durable.
    Reply(Address, Reply),
    /// Tell the observers.
    Tell(Event),
}

/// Something worth telling, beyond what [`raft::Event`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An entry was applied: where, its term, a digest of what it holds, and the key that it changed.
    Applied(Index, Term, u32, Option<(u32, i64)>),
    /// A read was answered from this node's own state: key, value, and the last entry applied.
    ReadLocally(u32, Option<i64>, Index),
    /// A retry was answered from its session.
    AnsweredFromSession,
    /// A read waited for its leader to be confirmed, which lost its office instead.
    ReadLostItsLeader,
    /// A planted defect changed what happens.
    DefectBit,
}

/// A node.
pub struct Server {
    raft: Raft<Command>,
    machine: Machine,
    applied: Index,
    me: NodeId,
    reads: ReadMode,
    bug: Option<Bug>,
    /// Who waits for an entry: where, and the term in which it was proposed.
    waiting: BTreeMap<Index, (Term, Address, Request)>,
    /// Reads that wait for a round of heartbeats: the round, the place that must be applied, and who asks.
    unconfirmed: Vec<(u64, Index, Address, Request)>,
    /// Reads that came since the last round began.
    arrived: Vec<(Index, Address, Request)>,
}

impl Server {
    /// A node that begins with what it found on its disk.
    pub fn new(
        (me, nodes): (NodeId, u8),
        reads: ReadMode,
        bug: Option<Bug>,
        (state, log): (HardState, Log<Command>),
        now: Duration,
        chance: u64,
    ) -> Server {
        Server {
            raft: Raft::new(me, nodes, state, log, bug.and_then(Bug::in_raft), now, chance),
            machine: Machine::new(bug == Some(Bug::NoClientSessions)),
            applied: 0,
            me,
            reads,
            bug,
            waiting: BTreeMap::new(),
            unconfirmed: Vec::new(),
            arrived: Vec::new(),
        }
    }

    /// The node's part in consensus.
    pub fn raft(&self) -> &Raft<Command> {
        &self.raft
    }

    /// A message from another node.
    pub fn message(&mut self, from: NodeId, message: Message, now: Duration, chance: u64, out: &mut Vec<Output>) {
        self.with_raft(out, |raft, out| raft.receive(from, message, now, chance, out));
    }

    /// A request from a client.
    pub fn request(&mut self, from: Address, request: Request, out: &mut Vec<Output>) {
        if let Operation::Read { key } = request.operation {
            match self.reads {
                ReadMode::Log => {}
                ReadMode::Index => return self.read_by_index(from, request, out),
                ReadMode::Leader if self.raft.leads() => return self.read_locally(from, &request, key, out),
                ReadMode::Leader => return self.redirect(from, &request, out),
                ReadMode::Follower => return self.read_locally(from, &request, key, out),
            }
        }
        let command = Command { session: request.session, sequence: request.sequence, operation: request.operation };
        let mut place = None;
        self.with_raft(out, |raft, out| place = raft.propose(command, out));
        match place {
            Some(place) => {
                self.waiting.insert(place, (self.raft.term(), from, request));
            }
            None => self.redirect(from, &request, out),
        }
    }

    /// Called once after each batch of inputs: begins what the batch asked for, and answers what it decided.
    pub fn settle(&mut self, out: &mut Vec<Output>) {
        self.with_raft(out, Raft::replicate);
        self.begin_reads(out);
        self.apply(out);
        self.answer_reads(out);
        if !self.raft.leads() {
            self.abandon(out);
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration, chance: u64, out: &mut Vec<Output>) {
        self.with_raft(out, |raft, out| raft.tick(now, chance, out));
    }

    /// All that was written up to now is durable, up to this place of the log.
    pub fn synced(&mut self, index: Index, out: &mut Vec<Output>) {
        self.raft.synced(index);
        self.settle(out);
    }

    fn with_raft(
        &mut self,
        out: &mut Vec<Output>,
        step: impl FnOnce(&mut Raft<Command>, &mut Vec<raft::Output<Command>>),
    ) {
        let mut from_raft = Vec::new();
        step(&mut self.raft, &mut from_raft);
        out.extend(from_raft.into_iter().map(Output::Raft));
    }

    fn apply(&mut self, out: &mut Vec<Output>) {
        while self.applied < self.raft.commit() {
            let index = self.applied + 1;
            let Some(entry) = self.raft.log().get(index) else { break };
            let (term, digest) = (entry.term, digest(entry));
            // What a leader begins its term with changes nothing.
            let applied = entry.command.as_ref().map(|command| self.machine.apply(command)).unwrap_or_default();
            self.applied = index;
            if applied.repeated {
                out.push(Output::Tell(Event::AnsweredFromSession));
            }
            out.push(Output::Tell(Event::Applied(index, term, digest, applied.change)));
            let Some((proposed_in, client, request)) = self.waiting.remove(&index) else { continue };
            match applied.answer {
                Some(answer) if proposed_in == term => self.reply(client, &request, answer, out),
                _ => self.redirect(client, &request, out),
            }
        }
    }

    /// The node leads no more: who waits must ask elsewhere. What they asked for may be done all the same.
    fn abandon(&mut self, out: &mut Vec<Output>) {
        for (_, (_, client, request)) in std::mem::take(&mut self.waiting) {
            if self.bug == Some(Bug::MaybeReportedAsFail) {
                out.push(Output::Tell(Event::DefectBit));
                self.reply(client, &request, Answer::Refused, out);
            } else {
                self.redirect(client, &request, out);
            }
        }
        for (_, client, request) in std::mem::take(&mut self.arrived) {
            self.redirect(client, &request, out);
        }
        for (_, _, client, request) in std::mem::take(&mut self.unconfirmed) {
            out.push(Output::Tell(Event::ReadLostItsLeader));
            self.redirect(client, &request, out);
        }
    }

    // Reads that do not go through the log (thesis §6.4).

    /// A leader notes how far it has committed, makes sure that it still led when the read came, and answers when it has
    /// applied that much. It does not know how far the log is committed before it has committed in its own term.
    fn read_by_index(&mut self, from: Address, request: Request, out: &mut Vec<Output>) {
        if !self.raft.leads() {
            return self.redirect(from, &request, out);
        }
        let mut knows = self.raft.has_committed_in_its_term();
        if !knows && self.bug == Some(Bug::ReadBeforeOwnCommit) {
            out.push(Output::Tell(Event::DefectBit));
            knows = true;
        }
        if !knows {
            return self.redirect(from, &request, out);
        }
        if let (Some(Bug::ReadWithoutQuorum), Operation::Read { key }) = (self.bug, request.operation) {
            out.push(Output::Tell(Event::DefectBit));
            return self.reply(from, &request, Answer::Done(self.machine.read(key)), out);
        }
        self.arrived.push((self.raft.commit(), from, request));
    }

    fn begin_reads(&mut self, out: &mut Vec<Output>) {
        if self.arrived.is_empty() {
            return;
        }
        let mut round = None;
        self.with_raft(out, |raft, out| round = raft.begin_round(out));
        if let Some(round) = round {
            let arrived = std::mem::take(&mut self.arrived);
            self.unconfirmed
                .extend(arrived.into_iter().map(|(index, client, request)| (round, index, client, request)));
        }
    }

    fn answer_reads(&mut self, out: &mut Vec<Output>) {
        let Some(confirmed) = self.raft.confirmed_round() else { return };
        let applied = self.applied;
        let ready = |(round, index, ..): &mut (u64, Index, Address, Request)| *round <= confirmed && *index <= applied;
        let ready: Vec<_> = self.unconfirmed.extract_if(.., ready).collect();
        for (_, _, client, request) in ready {
            if let Operation::Read { key } = request.operation {
                self.reply(client, &request, Answer::Done(self.machine.read(key)), out);
            }
        }
    }

    fn read_locally(&self, from: Address, request: &Request, key: u32, out: &mut Vec<Output>) {
        let value = self.machine.read(key);
        out.push(Output::Tell(Event::ReadLocally(key, value, self.applied)));
        self.reply(from, request, Answer::Done(value), out);
    }

    fn redirect(&self, to: Address, request: &Request, out: &mut Vec<Output>) {
        self.reply(to, request, Answer::Redirect(self.raft.leader().filter(|leader| *leader != self.me)), out);
    }

    fn reply(&self, to: Address, request: &Request, answer: Answer, out: &mut Vec<Output>) {
        let reply = Reply {
            session: request.session,
            sequence: request.sequence,
            node: self.me,
            term: self.raft.term(),
            leads: self.raft.leads(),
            answer,
        };
        out.push(Output::Reply(to, reply));
    }
}

/// What tells entries apart.
fn digest(entry: &Entry) -> u32 {
    let bytes = postcard::to_stdvec(entry).expect("every entry has an encoding");
    crc32fast::hash(&bytes)
}
