//! The driver of a node: takes datagrams and time to the [`Server`], and what it answers to the disk and the network.

use std::sync::Arc;
use std::time::Duration;

use crate::door::{Address, Failure, Node, Socket};
use crate::raft::{self, Index, NodeId, Term};

use super::defects::Bug;
use super::message::Packet;
use super::server::{Event, Output, Server};
use super::storage::{Record, Storage};
use super::{PORT, ReadMode};

/// How long entries stay unsynced under the defect that acknowledges them at once.
const LAZY_SYNC: Duration = Duration::from_millis(250);

/// Serves until the process dies.
pub async fn serve(node: Node, reads: ReadMode, bug: Option<Bug>) -> Result<(), Failure> {
    let socket = node.bind(PORT)?;
    let (storage, found) = Storage::open(node.disk.clone(), bug).await?;
    if found.torn > 0 {
        tracing::info!(event = "torn-record-found", bytes = found.torn);
    }
    let entries = found.log.last_index();
    if entries > 0 || found.state.term > 0 {
        tracing::info!(event = "recovered-from-disk", entries, term = found.state.term);
    }
    let me = node.cluster.iter().position(|name| *name == node.name).ok_or("the node is not in its cluster")?;
    let identity = (me as NodeId, node.cluster.len() as u8);
    let chance = node.chance.next_u64();
    let server = Server::new(identity, reads, bug, (found.state, found.log), node.clock.now(), chance);
    let peers = node.cluster.iter().map(|host| Address { host: Arc::clone(host), port: PORT }).collect();
    Driver { node, socket, storage, server, peers, bug, lazy_sync: None }.run().await
}

struct Driver {
    node: Node,
    socket: Socket,
    storage: Storage,
    server: Server,
    peers: Vec<Address>,
    bug: Option<Bug>,
    /// When to sync what was acknowledged without.
    lazy_sync: Option<Duration>,
}

impl Driver {
    /// Takes all that has come, lets the server decide, makes its records durable, and only then sends what relies on them
    /// (thesis §3.8). What comes meanwhile is the next batch.
    async fn run(mut self) -> Result<(), Failure> {
        loop {
            let mut out = Vec::new();
            while let Some((from, bytes)) = self.socket.try_receive() {
                self.take(from, &bytes, &mut out);
            }
            let now = self.node.clock.now();
            if now >= self.server.raft().deadline() {
                let chance = self.chance();
                self.server.tick(now, chance, &mut out);
            }
            self.server.settle(&mut out);
            while !out.is_empty() {
                let durable = self.carry_out(out).await?;
                out = Vec::new();
                if let Some(index) = durable {
                    self.server.synced(index, &mut out);
                }
            }
            self.wait().await?;
        }
    }

    fn take(&mut self, from: Address, bytes: &[u8], out: &mut Vec<Output>) {
        match Packet::decode(bytes) {
            Some(Packet::Node(message)) => {
                let Some(peer) = self.peers.iter().position(|peer| peer.host == from.host) else { return };
                let chance = self.chance();
                self.server.message(peer as NodeId, message, self.node.clock.now(), chance, out);
            }
            Some(Packet::Request(request)) => self.server.request(from, request, out),
            Some(Packet::Reply(_)) | None => {}
        }
    }

    /// Writes, syncs, then sends. Tells up to where the log is durable, if anything was written.
    async fn carry_out(&mut self, out: Vec<Output>) -> Result<Option<Index>, Failure> {
        let mut records = Vec::new();
        for output in &out {
            match output {
                Output::Raft(raft::Output::WriteState(state)) => records.push(Record::State(state.term, state.vote)),
                Output::Raft(raft::Output::WriteTruncation(index)) => records.push(Record::Truncate(*index)),
                Output::Raft(raft::Output::WriteEntry(entry)) => records.push(Record::Entry(entry.clone())),
                Output::Raft(raft::Output::Tell(term, event)) => tell_raft(*term, *event),
                Output::Tell(event) => tell(*event),
                Output::Raft(raft::Output::Send(..)) | Output::Reply(..) => {}
            }
        }
        let end = self.server.raft().log().last_index();
        let wrote = !records.is_empty();
        self.storage.write(&records).await?;
        if self.bug == Some(Bug::AckBeforeSync) {
            if wrote {
                tracing::info!(event = "defect-bit");
                self.lazy_sync.get_or_insert(self.node.clock.now() + LAZY_SYNC);
            }
        } else {
            self.storage.sync().await?;
        }
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
        let now = self.node.clock.now();
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

    fn chance(&self) -> u64 {
        self.node.chance.next_u64()
    }
}

fn tell_raft(term: Term, event: raft::Event) {
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
        raft::Event::Truncates(from, count) => tracing::info!(event = "log-truncated", from, count),
        raft::Event::DefectBit => tracing::info!(event = "defect-bit"),
    }
}

fn tell(event: Event) {
    match event {
        Event::Applied(index, term, digest, None) => tracing::info!(event = "applied", index, term, digest),
        Event::Applied(index, term, digest, Some((key, value))) => {
            tracing::info!(event = "applied", index, term, digest, key, value);
        }
        Event::ReadLocally(key, Some(value), index) => tracing::info!(event = "read-locally", key, value, index),
        Event::ReadLocally(key, None, index) => tracing::info!(event = "read-locally", key, index),
        Event::AnsweredFromSession => tracing::info!(event = "retry-answered-from-session"),
        Event::ReadLostItsLeader => tracing::info!(event = "read-lost-its-leader"),
        Event::DefectBit => tracing::info!(event = "defect-bit"),
    }
}
