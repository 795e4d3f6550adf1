//! How one node reaches another: a request over TCP, and its answer.
use std::io::Result;

use openraft::BasicNode;
use openraft::error::{InstallSnapshotError, NetworkError, RPCError, RaftError};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse};
use openraft::raft::{VoteRequest, VoteResponse};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use shakedown::kv::Operation;
use shakedown::net::TcpStream;
use shakedown::tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Types;

type Called<T, E = RaftError<u64>> = std::result::Result<T, RPCError<u64, BasicNode, E>>;

/// What a node may be asked.
#[derive(Serialize, Deserialize)]
pub enum Request {
    /// By its leader.
    Append(AppendEntriesRequest<Types>),
    /// By a candidate.
    Vote(VoteRequest<u64>),
    /// By a client.
    Do(Operation),
}

/// Asks a node over a connection of its own.
pub async fn call<T: DeserializeOwned>(node: &str, request: &Request) -> Result<T> {
    let mut stream = TcpStream::connect((node, 7000)).await?;
    stream.write_all(&serde_json::to_vec(request)?).await?;
    stream.shutdown().await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(serde_json::from_slice(&answer)?)
}

/// A node as others reach it.
pub struct Peer(String);

impl Peer {
    async fn call<T: DeserializeOwned, E: std::error::Error>(&self, request: Request) -> Called<T, E> {
        call(&self.0, &request).await.map_err(|error| RPCError::Network(NetworkError::new(&error)))
    }
}

impl RaftNetwork<Types> for Peer {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        _: RPCOption,
    ) -> Called<AppendEntriesResponse<u64>> {
        self.call(Request::Append(rpc)).await
    }
    async fn vote(&mut self, rpc: VoteRequest<u64>, _: RPCOption) -> Called<VoteResponse<u64>> {
        self.call(Request::Vote(rpc)).await
    }
    async fn install_snapshot(
        &mut self,
        _: InstallSnapshotRequest<Types>,
        _: RPCOption,
    ) -> Called<InstallSnapshotResponse<u64>, RaftError<u64, InstallSnapshotError>> {
        unreachable!("there are no snapshots")
    }
}

/// All nodes.
pub struct Peers;

impl RaftNetworkFactory<Types> for Peers {
    type Network = Peer;
    async fn new_client(&mut self, _: u64, node: &BasicNode) -> Peer {
        Peer(node.addr.clone())
    }
}
