//! The driver of a node: takes datagrams and time to the [`Server`], and what it answers to the disk and the network.

use std::sync::Arc;
use std::time::Duration;

use crate::door::{Address, Failure, Node, Socket};
use crate::raft::{self, HardState, Index, NodeId, Start, Term, Time};

use super::defects::Bug;
use super::message::Packet;
use super::server::{Event, Output, Server};
use super::storage::{Corruption, Record, Storage};
use super::{PORT, Reads, Settings};

/// How long entries stay unsynced where they are acknowledged at once.
const LAZY_SYNC: Duration = Duration::from_millis(250);

/// Serves until the process dies.
pub async fn serve(node: Node, settings: Settings, bug: Option<Bug>) -> Result<(), Failure> {
    let socket = node.bind(PORT)?;
    let (mut storage, found) = match Storage::open(node.disk.clone(), bug).await {
        Err(corruption @ Corruption::Hole { .. }) => {
            tracing::warn!(event = "corruption-found", why = %corruption);
            Storage::give_up(&node.disk).await?;
            Storage::open(node.disk.clone(), bug).await?
        }
        opened => opened?,
    };
    if found.torn > 0 {
        tracing::info!(event = "torn-record-found", bytes = found.torn);
    }
    // Who begins again with nothing has forgotten what it promised, until it is let in.
    let mut is_joining = found.state.is_none() && node.start > 1;
    if is_joining && bug == Some(Bug::AmnesiacVotes) {
        tracing::info!(event = "defect-bit");
        is_joining = false;
    }
    let state = match found.state {
        Some(state) => state,
        None if is_joining => HardState { life: node.chance.next_u64().max(1), ..HardState::default() },
        None => {
            // The first machine of its name: it must never be taken for one that has lost its disk.
            storage.write(&[Record::State(0, None, 0)]).await?;
            storage.sync().await?;
            HardState::default()
        }
    };
    let end = found.log.last_index();
    if end > 0 || state.term > 0 {
        tracing::info!(event = "recovered-from-disk", entries = end, term = state.term, base = found.log.base().index);
    }
    let start = Start {
        me: node.number() as NodeId,
        nodes: node.cluster.len() as u8,
        state,
        snapshot: found.snapshot,
        log: found.log,
        is_joining,
        lease: settings.reads == Reads::Lease,
        bug: bug.and_then(Bug::in_raft),
        seed: node.chance.next_u64(),
    };
    let mut out = Vec::new();
    let server = Server::new(start, settings, bug, time_of(&node), &mut out);
    let peers = node.cluster.iter().map(|host| Address { host: Arc::clone(host), port: PORT }).collect();
    let lazy = settings.lazy_sync || bug == Some(Bug::AckBeforeSync);
    Driver { node, socket, storage, server, peers, lazy, bug, lazy_sync: None }.run(out).await
}

fn time_of(node: &Node) -> Time {
    Time { now: node.clock.monotonic(), wall: node.clock.now() }
}

struct Driver {
    node: Node,
    socket: Socket,
    storage: Storage,
    server: Server,
    peers: Vec<Address>,
    /// Entries are acknowledged before they are synced.
    lazy: bool,
    bug: Option<Bug>,
    /// When to sync what was acknowledged without.
    lazy_sync: Option<Duration>,
}

impl Driver {
    /// Takes all that has come, lets the server decide, makes its records durable, and only then sends what relies on them
    /// (thesis §3.8). What comes meanwhile is the next batch.
    async fn run(mut self, mut out: Vec<Output>) -> Result<(), Failure> {
        loop {
            while let Some((from, bytes)) = self.socket.try_receive() {
                self.take(from, &bytes, &mut out);
            }
            let time = time_of(&self.node);
            if time.now >= self.server.raft().deadline() {
                self.server.tick(time, &mut out);
            }
            self.server.settle(time, &mut out);
            while !out.is_empty() {
                let durable = self.carry_out(std::mem::take(&mut out)).await?;
                if let Some(index) = durable {
                    self.server.synced(index, time_of(&self.node), &mut out);
                }
            }
            self.wait().await?;
        }
    }

    fn take(&mut self, from: Address, bytes: &[u8], out: &mut Vec<Output>) {
        let time = time_of(&self.node);
        match Packet::decode(bytes) {
            Some(Packet::Node(message)) => {
                let Some(peer) = self.peers.iter().position(|peer| peer.host == from.host) else { return };
                self.server.message(peer as NodeId, message, time, out);
            }
            Some(Packet::Request(request)) => self.server.request(from, request, time, out),
            Some(Packet::Ask(number, ask)) => {
                let told = self.server.operate(&ask, out);
                self.socket.send(&from, &Packet::Told(number, told).encode());
            }
            Some(Packet::Reply(_) | Packet::Told(..)) | None => {}
        }
    }

    /// Writes, syncs, then sends. Tells up to where the log is durable, if anything was written.
    async fn carry_out(&mut self, out: Vec<Output>) -> Result<Option<Index>, Failure> {
        let mut records = Vec::new();
        let mut wrote = false;
        let mut must_sync = false;
        for output in &out {
            match output {
                Output::Raft(raft::Output::WriteState(state)) => {
                    records.push(Record::State(state.term, state.vote, state.life));
                    must_sync = true;
                }
                Output::Raft(raft::Output::WriteTruncation(index)) => records.push(Record::Truncate(*index)),
                Output::Raft(raft::Output::WriteEntry(index, chain, entry)) => {
                    records.push(Record::Entry(entry.clone()));
                    tracing::info!(event = "appended", index, term = entry.term, chain);
                }
                Output::Raft(raft::Output::WriteSnapshot(snapshot, base)) => {
                    self.storage.write(&std::mem::take(&mut records)).await?;
                    self.storage.save(snapshot, *base).await?;
                    wrote = true;
                }
                Output::Raft(raft::Output::Tell(term, event)) => self.tell_raft(*term, *event),
                Output::Tell(event) => tell(*event),
                Output::Raft(raft::Output::Send(..)) | Output::Reply(..) => {}
            }
        }
        wrote |= !records.is_empty();
        self.storage.write(&records).await?;
        if self.lazy && !must_sync {
            if wrote {
                if self.bug == Some(Bug::AckBeforeSync) {
                    tracing::info!(event = "defect-bit");
                }
                self.lazy_sync.get_or_insert(self.node.clock.monotonic() + LAZY_SYNC);
            }
        } else {
            self.storage.sync().await?;
        }
        let end = self.server.raft().log().last_index();
        for output in out {
            match output {
                Output::Raft(raft::Output::Send(peer, message)) => {
                    self.socket.send(&self.peers[peer as usize], &Packet::Node(message).encode());
                }
                Output::Reply(client, reply) => self.socket.send(&client, &Packet::Reply(reply).encode()),
                _ => {}
            }
        }
        Ok(wrote.then_some(end))
    }

    /// Until something comes or a deadline is there.
    async fn wait(&mut self) -> Result<(), Failure> {
        let now = self.node.clock.monotonic();
        if self.lazy_sync.is_some_and(|due| now >= due) {
            self.lazy_sync = None;
            self.storage.sync().await?;
        }
        let deadline = self.lazy_sync.unwrap_or(Duration::MAX).min(self.server.raft().deadline());
        tokio::select! {
            biased;
            () = self.socket.readable() => {}
            () = self.node.clock.sleep(deadline.saturating_sub(now)) => {}
        }
        Ok(())
    }

    fn tell_raft(&self, term: Term, event: raft::Event) {
        let name = |node: NodeId| &*self.node.cluster[node as usize];
        match event {
            raft::Event::Follows => tracing::info!(event = "role", role = "follower", term),
            raft::Event::Stands => tracing::info!(event = "role", role = "candidate", term),
            raft::Event::StandsAgain => {
                tracing::info!(event = "role", role = "candidate", term);
                tracing::info!(event = "election-repeated", term);
            }
            raft::Event::Leads(end) => {
                tracing::info!(event = "role", role = "leader", term, end);
                tracing::info!(event = "elected", term);
            }
            raft::Event::StepsDown => tracing::info!(event = "leader-stepped-down", term),
            raft::Event::TwoLeaders(other) => tracing::error!(event = "two-leaders", term, other = name(other)),
            raft::Event::Truncates(from, count, commit) => {
                tracing::info!(event = "log-truncated", from, count, commit);
            }
            raft::Event::ConfigurationTruncated => tracing::info!(event = "configuration-truncated"),
            raft::Event::SnapshotInstalled(index, chain) => {
                tracing::info!(event = "snapshot-installed", index, chain);
            }
            raft::Event::SnapshotStale => tracing::info!(event = "snapshot-stale"),
            raft::Event::SnapshotSent(to) => tracing::info!(event = "snapshot-sent", to = name(to)),
            raft::Event::Configuration(index) => {
                let members = self.server.raft().configuration();
                let named = |set: &std::collections::BTreeSet<NodeId>| {
                    set.iter().map(|node| name(*node)).collect::<Vec<_>>().join(" ")
                };
                let (voters, learners) = (named(&members.voters), named(&members.learners));
                tracing::info!(event = "configuration-changed", index, voters, learners);
            }
            raft::Event::JointConfiguration(index) => tracing::info!(event = "joint-configuration", index),
            raft::Event::LearnerPromoted(node) => tracing::info!(event = "learner-promoted", learner = name(node)),
            raft::Event::LeaderRemoved => tracing::info!(event = "leader-removed", term),
            raft::Event::RemovedNodeCampaigns(node) => {
                tracing::info!(event = "removed-node-campaigns", candidate = name(node));
            }
            raft::Event::Joined => tracing::info!(event = "joined-anew", term),
            raft::Event::HandsOver(to) => tracing::info!(event = "leadership-handed-over", term, to = name(to)),
            raft::Event::TransferFailed => tracing::info!(event = "transfer-failed", term),
            raft::Event::DeposedInsideLease => tracing::info!(event = "deposed-inside-lease", term),
            raft::Event::OlderTermOnMajority => tracing::info!(event = "older-term-on-majority", term),
            raft::Event::ChangeLeftOpen => tracing::info!(event = "change-left-open", term),
            raft::Event::DefectBit => tracing::info!(event = "defect-bit"),
        }
    }
}

fn tell(event: Event) {
    match event {
        Event::Applied(index, term, chain, None) => tracing::info!(event = "applied", index, term, chain),
        Event::Applied(index, term, chain, Some((key, value))) => {
            tracing::info!(event = "applied", index, term, chain, key, value);
        }
        Event::Restored(index) => tracing::info!(event = "restored", index),
        Event::ReadLocally(key, Some(value), index) => tracing::info!(event = "read-locally", key, value, index),
        Event::ReadLocally(key, None, index) => tracing::info!(event = "read-locally", key, index),
        Event::AnsweredFromSession => tracing::info!(event = "retry-answered-from-session"),
        Event::SessionsExpired(count) => tracing::info!(event = "sessions-expired", count),
        Event::ReadLostItsLeader => tracing::info!(event = "read-lost-its-leader"),
        Event::SnapshotTaken(index) => tracing::info!(event = "snapshot-taken", index),
        Event::Refused => tracing::info!(event = "request-refused"),
        Event::DefectBit => tracing::info!(event = "defect-bit"),
    }
}
