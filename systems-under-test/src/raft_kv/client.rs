//! A client: finds the leader, retries, and says `info` when it does not know.

use std::sync::Arc;
use std::time::Duration;

use shakedown_workloads::{Invoke, Kv, Outcome, kv::Operation};

use crate::door::{self, Address, Socket};
use crate::raft::NodeId;

use super::message::{Answer, Packet, Reply, Request};
use super::{PORT, ReadMode};

/// How long to wait for one node's answer.
pub const ATTEMPT: Duration = Duration::from_millis(120);
/// How long to wait before asking again while nobody leads.
const PAUSE: Duration = Duration::from_millis(20);
/// How long an operation may take, retries included.
pub const PATIENCE: Duration = Duration::from_millis(900);

/// A client of the store. It asks the node that it takes for the leader; in the mode in which any node answers reads, it reads
/// from a node of its own.
pub struct RaftKvClient {
    context: door::Client,
    reads: ReadMode,
    socket: Option<Socket>,
    sequence: u64,
    leader: NodeId,
    home: NodeId,
}

impl RaftKvClient {
    /// A client that has not asked anybody yet.
    pub fn new(context: door::Client, reads: ReadMode) -> RaftKvClient {
        let home = (context.number as usize % context.cluster.len()) as NodeId;
        RaftKvClient { context, reads, socket: None, sequence: 0, leader: home, home }
    }

    async fn perform(&mut self, operation: Operation) -> Outcome<Option<i64>> {
        self.sequence += 1;
        let request = Request { session: self.session(), sequence: self.sequence, operation };
        let local = self.reads == ReadMode::Follower && matches!(operation, Operation::Read { .. });
        let until = self.context.clock.now() + PATIENCE;
        while self.context.clock.now() < until {
            let node = if local { self.home } else { self.leader };
            let Some(reply) = self.attempt(node, &request).await else {
                self.try_another(local);
                continue;
            };
            match reply.answer {
                Answer::Done(value) => {
                    self.note(&reply);
                    return Outcome::Ok(value);
                }
                Answer::Mismatch => {
                    self.note(&reply);
                    return Outcome::Fail("it held another value".to_owned());
                }
                Answer::Refused => {
                    self.note(&reply);
                    return Outcome::Fail("the leader was deposed".to_owned());
                }
                Answer::Redirect(Some(leader)) if leader != node => self.leader = leader,
                Answer::Redirect(_) => {
                    self.context.clock.sleep(PAUSE).await;
                    self.try_another(local);
                }
            }
        }
        Outcome::Info("timeout".to_owned())
    }

    /// No two clients have the same, nor have two sessions of one client.
    fn session(&self) -> u64 {
        u64::from(self.context.session) << 32 | (u64::from(self.context.number) + 1)
    }

    /// Asks one node, and waits for its answer to this request; older answers are passed over.
    async fn attempt(&mut self, node: NodeId, request: &Request) -> Option<Reply> {
        if self.socket.is_none() {
            self.socket = self.context.bind(0).ok();
        }
        let socket = self.socket.as_ref()?;
        let to = Address { host: Arc::clone(&self.context.cluster[node as usize]), port: PORT };
        socket.send(&to, &Packet::Request(request.clone()).encode());
        let answered = async {
            loop {
                let (_, bytes) = socket.receive().await;
                // A redirection by a node that was asked earlier says nothing of this one.
                if let Some(Packet::Reply(reply)) = Packet::decode(&bytes)
                    && (reply.session, reply.sequence) == (request.session, request.sequence)
                    && (reply.node == node || !matches!(reply.answer, Answer::Redirect(_)))
                {
                    return reply;
                }
            }
        };
        tokio::select! {
            biased;
            reply = answered => Some(reply),
            () = self.context.clock.sleep(ATTEMPT) => None,
        }
    }

    fn try_another(&mut self, local: bool) {
        let nodes = self.context.cluster.len() as u64;
        let node = if local { &mut self.home } else { &mut self.leader };
        let step = 1 + self.context.chance.next_u64() % (nodes.max(2) - 1);
        *node = ((u64::from(*node) + step) % nodes) as NodeId;
    }

    fn note(&self, reply: &Reply) {
        let node = &*self.context.cluster[reply.node as usize];
        let role = if reply.leads { "leader" } else { "follower" };
        tracing::info!(event = "answered", node, role, term = reply.term);
    }
}

impl Invoke<Kv> for RaftKvClient {
    async fn invoke(&mut self, operation: &Operation) -> Outcome<Option<i64>> {
        self.perform(*operation).await
    }

    async fn invoke_at(&mut self, node: &str, operation: &Operation) -> Outcome<Option<i64>> {
        if let Some(node) = self.context.cluster.iter().position(|known| **known == *node) {
            self.home = node as NodeId;
        }
        self.perform(*operation).await
    }
}
