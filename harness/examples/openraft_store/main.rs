//! openraft behind a key-value store: its log in memory, its network over TCP. Its bug: a process that dies forgets its log and its
//! vote, which Raft must never do. `cargo run -p shakedown --example openraft_store`
mod memory;
mod network;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

use network::{Peers, Request, call};
use openraft::{BasicNode, Config, Raft, SnapshotPolicy};
use shakedown::kv::Operation;
use shakedown::net::TcpListener;
use shakedown::prelude::*;
use shakedown::tokio::io::{AsyncReadExt, AsyncWriteExt};
use shakedown::{serde_json, tokio};

/// What became of an operation.
pub type Answer = Result<Option<i64>, String>;
openraft::declare_raft_types!(
    /// What openraft is told of it.
    pub Types: D = Operation, R = Answer
);
/// The store.
#[derive(Clone)]
pub struct OpenraftStore;

impl System for OpenraftStore {
    type Client = StoreClient;
    fn node(&self, node: Node) -> impl Future<Output = Result<(), Failure>> + 'static {
        serve(node)
    }
    fn client(&self, client: Client) -> StoreClient {
        StoreClient { leader: client.number as usize % client.cluster.len(), client }
    }
}

async fn serve(node: Node) -> Result<(), Failure> {
    let id = node.number() as u64;
    // openraft draws a timeout between the two from the machine's chance: between these there is but one.
    let least = 300 + 100 * id;
    let config = Config {
        heartbeat_interval: 50,
        election_timeout_min: least,
        election_timeout_max: least + 1,
        snapshot_policy: SnapshotPolicy::Never,
        ..Config::default()
    };
    let memory = memory::Memory::default();
    let raft = Raft::<Types>::new(id, Arc::new(config.validate()?), Peers, memory.clone(), memory.clone()).await?;
    let members = (0..).zip(&*node.cluster).map(|(id, name)| (id, BasicNode::new(name)));
    let _ = raft.initialize(members.collect::<BTreeMap<u64, BasicNode>>()).await;
    let listener = TcpListener::bind(("0.0.0.0", 7000)).await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        let (raft, memory) = (raft.clone(), memory.clone());
        tokio::spawn(async move {
            let mut request = Vec::new();
            stream.read_to_end(&mut request).await?;
            let answer = match serde_json::from_slice(&request)? {
                Request::Append(rpc) => {
                    serde_json::to_vec(&raft.append_entries(rpc).await.map_err(std::io::Error::other)?)?
                }
                Request::Vote(rpc) => serde_json::to_vec(&raft.vote(rpc).await.map_err(std::io::Error::other)?)?,
                Request::Do(operation) => serde_json::to_vec(&perform(&raft, &memory, operation).await)?,
            };
            stream.write_all(&answer).await
        });
    }
}

/// The answer, or whom to ask in place of this node, if that is known.
async fn perform(raft: &Raft<Types>, memory: &memory::Memory, operation: Operation) -> Result<Answer, Option<u64>> {
    if let Operation::Read { key } = operation {
        let checked = raft.ensure_linearizable().await;
        checked.map_err(|error| error.forward_to_leader().and_then(|to| to.leader_id))?;
        return Ok(Ok(memory.with(|inside| inside.values.get(&key).copied())));
    }
    let written = raft.client_write(operation).await;
    written.map(|written| written.data).map_err(|error| error.forward_to_leader().and_then(|to| to.leader_id))
}

/// Asks whom it takes for the leader.
pub struct StoreClient {
    client: Client,
    leader: usize,
}

impl Invoke<Kv> for StoreClient {
    async fn invoke(&mut self, operation: &Operation) -> Outcome<Option<i64>> {
        let until = tokio::time::Instant::now() + Duration::from_millis(900);
        while tokio::time::Instant::now() < until {
            let (node, request) = (self.client.cluster[self.leader].clone(), Request::Do(*operation));
            let asked = tokio::time::timeout_at(until, call::<Result<Answer, Option<u64>>>(&node, &request)).await;
            match asked {
                Ok(Ok(Ok(Ok(value)))) => return Outcome::Ok(value),
                Ok(Ok(Ok(Err(why)))) => return Outcome::Fail(why),
                // Nothing was done: this node does not lead.
                Ok(Ok(Err(Some(leader)))) => self.leader = leader as usize,
                Ok(Ok(Err(None))) => self.leader = (self.leader + 1) % self.client.cluster.len(),
                _ => {
                    self.leader = (self.leader + 1) % self.client.cluster.len();
                    return Outcome::Info("no answer".to_owned());
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Outcome::Fail("nobody leads".to_owned())
    }
}

/// Runs it as it is.
pub fn main() {
    shakedown::test(OpenraftStore).workload(Kv::default()).claim(Linearizable).run();
}
