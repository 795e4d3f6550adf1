//! A node of the store, still pure: consensus, the state machine behind it, and the clients that wait.

use std::collections::BTreeMap;

use crate::door::Address;
use crate::raft::{self, Change, Index, NodeId, Payload, Raft, Refusal, Start, Term, Time};

use super::defects::Bug;
use super::machine::Machine;
use super::message::{Answer, Ask, Command, Message, Operation, Reply, Request, Told};
use super::{Reads, Settings};

/// A snapshot is taken after so many entries.
const SNAPSHOT_AFTER: Index = 128;
/// A node that has so many requests waiting refuses more.
const WAITING: usize = 256;

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
    /// An entry was applied: where, its term, a digest of the log up to there, and the key that it changed, with a digest of its value.
    Applied(Index, Term, u32, Option<(u32, i64)>),
    /// The state of a snapshot took the place of this node's.
    Restored(Index),
    /// A read was answered from this node's own state: key, a digest of its value, and the last entry applied.
    ReadLocally(u32, Option<i64>, Index),
    /// A retry was answered from its session.
    AnsweredFromSession,
    /// Sessions ended.
    SessionsExpired(usize),
    /// A read waited for its leader to be confirmed, which lost its office instead.
    ReadLostItsLeader,
    /// A snapshot was taken.
    SnapshotTaken(Index),
    /// A request was refused, for too many wait.
    Refused,
    /// A planted defect changed what happens.
    DefectBit,
}

/// Who waits for an entry; also when this node leads no more, for it may be committed all the same.
struct Waiting {
    /// The term in which it was proposed.
    term: Term,
    client: Address,
    request: Request,
}

/// A node.
pub struct Server {
    raft: Raft<Command>,
    machine: Machine,
    applied: Index,
    me: NodeId,
    settings: Settings,
    bug: Option<Bug>,
    /// By place.
    waiting: BTreeMap<Index, Waiting>,
    /// Reads that consensus was asked about, by their numbers.
    asked: BTreeMap<u64, (Address, Request)>,
    /// The number of the last.
    reads: u64,
    /// Reads that can be answered when an entry is applied.
    ready: Vec<(Index, Address, Request)>,
}

impl Server {
    /// A node that begins with what it found on its disk.
    pub fn new(
        start: Start<Command>,
        settings: Settings,
        bug: Option<Bug>,
        time: Time,
        out: &mut Vec<Output>,
    ) -> Server {
        let me = start.me;
        let mut server = Server {
            raft: Raft::new(start, time),
            machine: Machine::new(settings.without_sessions, bug),
            applied: 0,
            me,
            settings,
            bug,
            waiting: BTreeMap::new(),
            asked: BTreeMap::new(),
            reads: 0,
            ready: Vec::new(),
        };
        server.restore(out);
        server
    }

    /// The node's part in consensus.
    pub fn raft(&self) -> &Raft<Command> {
        &self.raft
    }

    /// A message from another node.
    pub fn message(&mut self, from: NodeId, message: Message, time: Time, out: &mut Vec<Output>) {
        self.with_raft(out, |raft, out| raft.receive(from, message, time, out));
    }

    /// A request from a client.
    pub fn request(&mut self, from: Address, request: Request, time: Time, out: &mut Vec<Output>) {
        if let Operation::Read { .. } = request.operation {
            match self.settings.reads {
                Reads::Log => {}
                Reads::Lease if !self.raft.leads() => return self.redirect(from, &request, out),
                Reads::Index | Reads::Lease => return self.read_by_index(from, request, out),
                Reads::Leader if !self.raft.leads() => return self.redirect(from, &request, out),
                Reads::Leader | Reads::Follower => return self.read_locally(from, request, out),
            }
        }
        if self.waiting.len() >= WAITING {
            out.push(Output::Tell(Event::Refused));
            return self.reply(from, &request, Answer::Refused, out);
        }
        let Request { session, sequence, ref operation, .. } = request;
        let at = time.wall.as_millis() as u64;
        let command = Command { session, sequence, operation: operation.clone(), at };
        let mut place = None;
        self.with_raft(out, |raft, out| place = raft.propose(command, out));
        match place {
            Some(place) => {
                self.waiting.insert(place, Waiting { term: self.raft.term(), client: from, request });
            }
            None => self.redirect(from, &request, out),
        }
    }

    /// What an operator wants. It asks again until it is so.
    pub fn operate(&mut self, ask: &Ask, out: &mut Vec<Output>) -> Told {
        let change = match ask {
            Ask::Snapshot => {
                self.take_snapshot(out);
                return Told::Done;
            }
            Ask::Transfer(to) if self.raft.leader() == Some(*to) => return Told::Done,
            Ask::Transfer(to) => {
                let mut told = Ok(());
                self.with_raft(out, |raft, out| told = raft.transfer(*to, out));
                return self.told(told);
            }
            Ask::Add(node) => Change::Add(*node),
            Ask::Remove(node) => Change::Remove(*node),
            Ask::Voters(voters) => Change::Voters(voters.clone()),
        };
        let configuration = self.raft.configuration();
        let is_so = match &change {
            Change::Add(node) => configuration.voters.contains(node),
            Change::Remove(node) => !configuration.is_member(*node),
            Change::Voters(voters) => configuration.voters == *voters,
        };
        let is_settled = !configuration.is_joint() && self.raft.configuration_index() <= self.raft.commit();
        if is_so && is_settled && self.raft.leads() {
            return Told::Done;
        }
        let mut told = Ok(());
        self.with_raft(out, |raft, out| told = raft.change(&change, out));
        self.told(told)
    }

    fn told(&self, begun: Result<(), Refusal>) -> Told {
        match begun {
            Ok(()) | Err(Refusal::Busy) => Told::NotYet,
            Err(Refusal::NotLeader) => Told::Redirect(self.raft.leader().filter(|leader| *leader != self.me)),
            Err(Refusal::Nobody) => Told::Refused,
        }
    }

    /// Called once after each batch of inputs: begins what the batch asked for, and answers what it decided.
    pub fn settle(&mut self, time: Time, out: &mut Vec<Output>) {
        self.with_raft(out, Raft::replicate);
        self.with_raft(out, Raft::advance_reads);
        self.restore(out);
        self.apply(time, out);
        self.answer_reads(out);
        if !self.raft.leads() && self.bug == Some(Bug::MaybeReportedAsFail) {
            for Waiting { client, request, .. } in std::mem::take(&mut self.waiting).into_values() {
                // Wrong: that it failed for good, although it may be committed yet.
                out.push(Output::Tell(Event::DefectBit));
                self.reply(client, &request, Answer::Mismatch, out);
            }
        }
        let taken = self.raft.snapshot().map_or(0, |snapshot| snapshot.index);
        if self.applied >= taken + SNAPSHOT_AFTER {
            self.take_snapshot(out);
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, time: Time, out: &mut Vec<Output>) {
        self.with_raft(out, |raft, out| raft.tick(time, out));
    }

    /// All that was written up to now is durable, up to this place of the log.
    pub fn synced(&mut self, index: Index, time: Time, out: &mut Vec<Output>) {
        self.with_raft(out, |raft, out| raft.synced(index, out));
        self.settle(time, out);
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

    /// Takes the state of a snapshot that is ahead of this node.
    fn restore(&mut self, out: &mut Vec<Output>) {
        let Some(snapshot) = self.raft.snapshot().filter(|snapshot| snapshot.index > self.applied) else { return };
        if self.machine.restore(&snapshot.state) {
            self.applied = snapshot.index;
            out.push(Output::Tell(Event::Restored(self.applied)));
            let behind = self.waiting.split_off(&(self.applied + 1));
            for Waiting { client, request, .. } in std::mem::replace(&mut self.waiting, behind).into_values() {
                self.redirect(client, &request, out);
            }
        }
    }

    fn take_snapshot(&mut self, out: &mut Vec<Output>) {
        let (applied, state) = (self.applied, self.machine.encode());
        let before = out.len();
        self.with_raft(out, |raft, out| raft.compact(applied, state, out));
        if out.len() > before {
            out.insert(before, Output::Tell(Event::SnapshotTaken(applied)));
            if self.bug == Some(Bug::SessionsNotInSnapshot) {
                out.push(Output::Tell(Event::DefectBit));
            }
        }
    }

    fn apply(&mut self, time: Time, out: &mut Vec<Output>) {
        while self.applied < self.raft.commit() {
            let index = self.applied + 1;
            let (Some(entry), Some(chain)) = (self.raft.log().get(index), self.raft.log().chain_at(index)) else {
                break;
            };
            let term = entry.term;
            let applied = match &entry.payload {
                Payload::Command(command) => self.machine.apply(index, command, time.wall.as_millis() as u64),
                Payload::Nothing | Payload::Configuration(_) => Default::default(),
            };
            self.applied = index;
            if applied.repeated {
                out.push(Output::Tell(Event::AnsweredFromSession));
            }
            if applied.defect_bit {
                out.push(Output::Tell(Event::DefectBit));
            }
            if applied.expired > 0 {
                out.push(Output::Tell(Event::SessionsExpired(applied.expired)));
            }
            out.push(Output::Tell(Event::Applied(index, term, chain, applied.change)));
            let Some(Waiting { term: proposed_in, client, request }) = self.waiting.remove(&index) else { continue };
            let is_its_own = proposed_in == term;
            if !is_its_own && self.bug == Some(Bug::SuccessOnTermChange) {
                out.push(Output::Tell(Event::DefectBit));
                self.reply(client, &request, Answer::Done(None), out);
                continue;
            }
            match applied.answer {
                Some(answer) if is_its_own => self.reply(client, &request, answer, out),
                _ => self.redirect(client, &request, out),
            }
        }
    }

    // Reads that do not go through the log.

    fn read_by_index(&mut self, from: Address, request: Request, out: &mut Vec<Output>) {
        if self.raft.leader().is_none() {
            return self.redirect(from, &request, out);
        }
        self.reads += 1;
        let id = self.reads;
        if self.asked.len() >= WAITING {
            // The oldest was given up long ago.
            self.asked.pop_first();
        }
        self.asked.insert(id, (from, request));
        self.with_raft(out, |raft, out| raft.read(id, out));
    }

    fn read_locally(&mut self, from: Address, request: Request, out: &mut Vec<Output>) {
        if self.settings.session_index && request.at_least > self.applied {
            if self.ready.len() >= WAITING {
                self.ready.remove(0);
            }
            return self.ready.push((request.at_least, from, request));
        }
        if let Operation::Read { key } = request.operation {
            let value = self.machine.read(key).cloned();
            let digest = value.as_ref().map(super::message::Value::digest);
            out.push(Output::Tell(Event::ReadLocally(key, digest, self.applied)));
            self.reply(from, &request, Answer::Done(value), out);
        }
    }

    fn answer_reads(&mut self, out: &mut Vec<Output>) {
        for (id, index) in self.raft.decided_reads() {
            let Some((client, request)) = self.asked.remove(&id) else { continue };
            match index {
                Some(index) => self.ready.push((index, client, request)),
                None => {
                    out.push(Output::Tell(Event::ReadLostItsLeader));
                    self.redirect(client, &request, out);
                }
            }
        }
        let applied = self.applied;
        let answered: Vec<_> = self.ready.extract_if(.., |(index, ..)| *index <= applied).collect();
        for (_, client, request) in answered {
            match (self.settings.reads, &request.operation) {
                (Reads::Leader | Reads::Follower, _) => self.read_locally(client, request, out),
                (_, Operation::Read { key }) => {
                    let value = self.machine.read(*key).cloned();
                    self.reply(client, &request, Answer::Done(value), out);
                }
                _ => {}
            }
        }
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
            index: self.applied,
            answer,
        };
        out.push(Output::Reply(to, reply));
    }
}
