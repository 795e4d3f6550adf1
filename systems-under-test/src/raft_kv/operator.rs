//! An operator of the store: moves leadership, changes the members, takes snapshots.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::door::{Address, Client, Command, Failure};
use crate::raft::NodeId;

use super::PORT;
use super::client::ATTEMPT;
use super::message::{Ask, Packet, Told};

/// How long it asks for one thing before it gives up.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it waits before it asks again.
const PAUSE: Duration = Duration::from_millis(25);

/// What an operator can ask for.
pub const COMMANDS: &[&str] = &["transfer", "snapshot", "remove", "add", "reconfigure"];

/// Asks until it is so.
pub async fn operate(client: Client, command: Command) -> Result<(), Failure> {
    let numbers = |names: &[String]| -> BTreeSet<NodeId> {
        let place = |name: &String| client.cluster.iter().position(|known| **known == **name);
        names.iter().filter_map(place).map(|place| place as NodeId).collect()
    };
    let nodes = numbers(&command.nodes);
    let first = *nodes.first().ok_or("no node is named")?;
    let (ask, mut node) = match command.name {
        "transfer" => (Ask::Transfer(first), first),
        "snapshot" => (Ask::Snapshot, first),
        "remove" => (Ask::Remove(first), first),
        "add" => (Ask::Add(first), first),
        "reconfigure" => (Ask::Voters(nodes), first),
        other => return Err(format!("there is no {other}").into()),
    };
    let socket = client.bind(0)?;
    let until = client.clock.now() + PATIENCE;
    let mut number = 0;
    while client.clock.now() < until {
        number += 1;
        let to = Address { host: Arc::clone(&client.cluster[node as usize]), port: PORT };
        socket.send(&to, &Packet::Ask(number, ask.clone()).encode());
        let told = async {
            loop {
                if let Some(Packet::Told(answered, told)) = Packet::decode(&socket.receive().await.1)
                    && answered == number
                {
                    return told;
                }
            }
        };
        let told = tokio::select! {
            biased;
            told = told => Some(told),
            () = client.clock.sleep(ATTEMPT) => None,
        };
        let another = (node + 1) % client.cluster.len() as NodeId;
        match told {
            Some(Told::Done) => return Ok(()),
            Some(Told::Refused) => return Err("it was refused".into()),
            Some(Told::Redirect(Some(leader))) => node = leader,
            // A snapshot is taken by the node that is asked.
            Some(Told::Redirect(None)) | None if ask != Ask::Snapshot => {
                client.clock.sleep(PAUSE).await;
                node = another;
            }
            Some(Told::NotYet | Told::Redirect(None)) | None => client.clock.sleep(PAUSE).await,
        }
    }
    Err("it was not done in time".into())
}
