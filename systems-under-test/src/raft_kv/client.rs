//! A client: begins a session, finds the leader, retries, and says `info` when it does not know.

use std::sync::Arc;
use std::time::Duration;

use shakedown_workloads::{Append, Invoke, Kv, Outcome, Set, append, kv, set};

use crate::door::{self, Address, Socket};
use crate::raft::{Index, NodeId};

use super::message::{Answer, Operation, Packet, Reply, Request, Value};
use super::{PORT, Reads, Settings};

/// How long to wait for one node's answer.
pub const ATTEMPT: Duration = Duration::from_millis(120);
/// How long to wait before asking again while nobody leads.
const PAUSE: Duration = Duration::from_millis(20);
/// How long an operation may take, retries included.
pub const PATIENCE: Duration = Duration::from_millis(900);

/// A client of the store. It asks the node that it takes for the leader; where any node answers reads, it reads from one of its own.
pub struct RaftKvClient {
    context: door::Client,
    settings: Settings,
    socket: Option<Socket>,
    session: Option<u64>,
    /// How many sessions it has asked for.
    sessions: u64,
    sequence: u64,
    leader: NodeId,
    home: NodeId,
    /// The last entry that it has seen the effect of.
    seen: Index,
}

/// How asking ended.
enum Asked {
    /// A node answered, on an attempt after so many others.
    Answered(Answer, u32),
    /// Nobody did in time.
    Nothing,
}

impl RaftKvClient {
    /// A client that has not asked anybody yet.
    pub fn new(context: door::Client, settings: Settings) -> RaftKvClient {
        let home = (context.number as usize % context.cluster.len()) as NodeId;
        RaftKvClient {
            context,
            settings,
            socket: None,
            session: None,
            sessions: 0,
            sequence: 0,
            leader: home,
            home,
            seen: 0,
        }
    }

    /// Does an operation.
    pub(super) async fn perform(&mut self, operation: Operation) -> Outcome<Option<Value>> {
        let until = self.context.clock.now() + PATIENCE;
        let is_read = matches!(operation, Operation::Read { .. });
        // A read that does not go through the log needs no session.
        let needs_session = !self.settings.without_sessions && (!is_read || self.settings.reads == Reads::Log);
        loop {
            if needs_session && self.session.is_none() && !self.open_session(until).await {
                return Outcome::Fail("no session began in time".to_owned());
            }
            self.sequence += 1;
            let session = self.session.unwrap_or_else(|| self.own_number());
            let request =
                Request { session, sequence: self.sequence, operation: operation.clone(), at_least: self.seen };
            let local = is_read && self.reads_at_home();
            match self.ask(&request, local, until).await {
                Asked::Answered(Answer::Done(value), _) => return Outcome::Ok(value),
                // Without sessions, it may be its own earlier attempt that it met.
                Asked::Answered(Answer::Mismatch, 1..) if self.settings.without_sessions => {
                    return Outcome::Info("an earlier attempt may have been done".to_owned());
                }
                Asked::Answered(Answer::Mismatch, _) => return Outcome::Fail("it held another value".to_owned()),
                Asked::Answered(Answer::Refused, 0) => return Outcome::Fail("too many requests wait".to_owned()),
                Asked::Answered(Answer::NoSession, earlier) => {
                    self.session = None;
                    if earlier > 0 && !is_read {
                        return Outcome::Info("its session has ended".to_owned());
                    }
                    // It was asked once only, and not done: once more, in a new session.
                }
                Asked::Answered(Answer::Refused, _) if is_read => {
                    return Outcome::Fail("too many requests wait".to_owned());
                }
                Asked::Answered(..) => return Outcome::Info("an earlier attempt may have been done".to_owned()),
                Asked::Nothing => return Outcome::Info("timeout".to_owned()),
            }
        }
    }

    /// Any node answers reads; where leaders are asked about them, every other client reads from one of its own.
    fn reads_at_home(&self) -> bool {
        match self.settings.reads {
            Reads::Follower => true,
            Reads::Index => self.context.number % 2 == 1,
            Reads::Log | Reads::Lease | Reads::Leader => false,
        }
    }

    async fn open_session(&mut self, until: Duration) -> bool {
        self.sessions += 1;
        let request = Request {
            session: self.sessions << 48 | self.own_number(),
            sequence: 0,
            operation: Operation::OpenSession,
            at_least: 0,
        };
        self.sequence = 0;
        match self.ask(&request, false, until).await {
            Asked::Answered(Answer::Session(session), _) => self.session = Some(session),
            _ => self.session = None,
        }
        self.session.is_some()
    }

    /// No two clients have the same, nor has a client that took another's place.
    fn own_number(&self) -> u64 {
        u64::from(self.context.session) << 32 | (u64::from(self.context.number) + 1)
    }

    /// Asks one node after another, until one has an answer.
    async fn ask(&mut self, request: &Request, local: bool, until: Duration) -> Asked {
        let mut earlier = 0;
        while self.context.clock.now() < until {
            let node = if local { self.home } else { self.leader };
            let Some(reply) = self.attempt(node, request).await else {
                self.try_another(local);
                earlier += 1;
                continue;
            };
            match reply.answer {
                Answer::Redirect(Some(leader)) if leader != node && !local => self.leader = leader,
                Answer::Redirect(_) => {
                    self.context.clock.sleep(PAUSE).await;
                    self.try_another(local);
                }
                answer => {
                    let node = &*self.context.cluster[reply.node as usize];
                    let role = if reply.leads { "leader" } else { "follower" };
                    tracing::info!(event = "answered", node, role, term = reply.term);
                    self.seen = self.seen.max(reply.index);
                    return Asked::Answered(answer, earlier);
                }
            }
            earlier += 1;
        }
        Asked::Nothing
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

    /// From now on, it reads from this node where any node answers reads.
    pub(super) fn settle_at(&mut self, node: &str) {
        if let Some(node) = self.context.cluster.iter().position(|known| **known == *node) {
            self.home = node as NodeId;
        }
    }
}

/// The same outcome, of another value.
fn map<A, B>(outcome: Outcome<A>, value: impl FnOnce(A) -> B) -> Outcome<B> {
    match outcome {
        Outcome::Ok(ok) => Outcome::Ok(value(ok)),
        Outcome::Fail(why) => Outcome::Fail(why),
        Outcome::Info(why) => Outcome::Info(why),
    }
}

/// What a list holds; nothing is an empty one.
fn elements(value: Option<Value>) -> Vec<i64> {
    match value {
        Some(Value::List(elements)) => elements,
        Some(Value::Int(_)) | None => Vec::new(),
    }
}

/// A client serves a workload by way of the store's own operations.
macro_rules! serves {
    ($workload:ty, $operation:ty => $value:ty, $own:expr, $result:expr) => {
        impl Invoke<$workload> for RaftKvClient {
            async fn invoke(&mut self, operation: &$operation) -> Outcome<$value> {
                let own: fn(&$operation) -> Operation = $own;
                map(self.perform(own(operation)).await, $result)
            }

            async fn invoke_at(&mut self, node: &str, operation: &$operation) -> Outcome<$value> {
                self.settle_at(node);
                Invoke::<$workload>::invoke(self, operation).await
            }
        }
    };
}

serves!(
    Kv,
    kv::Operation => Option<i64>,
    |operation| match *operation {
        kv::Operation::Read { key } => Operation::Read { key },
        kv::Operation::Write { key, value } => Operation::Write { key, value: Value::Int(value) },
        kv::Operation::Cas { key, expected, new } => {
            Operation::Cas { key, expected: expected.map(Value::Int), new: Value::Int(new) }
        }
    },
    |value| match value {
        Some(Value::Int(value)) => Some(value),
        Some(Value::List(_)) | None => None,
    }
);

serves!(
    Append,
    append::Operation => Vec<i64>,
    |operation| match *operation {
        append::Operation::Get { key } => Operation::Read { key },
        append::Operation::Append { key, piece } => Operation::Append { key, element: piece },
    },
    elements
);

serves!(
    Set,
    set::Operation => Vec<i64>,
    |operation| match *operation {
        set::Operation::Read => Operation::Read { key: 0 },
        set::Operation::Add { element } => Operation::Append { key: 0, element },
    },
    elements
);
