//! A key-value store over TCP, a line of JSON each way. Its bug: it answers a write before the disk has it for certain, so that
//! a power loss takes acknowledged writes away. `cargo run -p shakedown --example tcp_store`
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use shakedown::kv::Operation;
use shakedown::net::{TcpListener, TcpStream};
use shakedown::prelude::*;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

/// The store.
pub struct TcpStore {
    /// Whether the bug is mended.
    pub syncs: bool,
}

impl System for TcpStore {
    type Client = StoreClient;

    fn node(&self, node: Node) -> impl Future<Output = Result<(), Failure>> + 'static {
        let syncs = self.syncs;
        async move {
            // What the log holds is what the store holds. The last line may be torn.
            let mut values = BTreeMap::new();
            let log = node.disk.read("log").unwrap_or_default();
            let whole = log.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            for line in log[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let (key, value): (u32, i64) = serde_json::from_slice(line)?;
                values.insert(key, value);
            }
            if whole < log.len() {
                node.disk.truncate("log", whole as u64)?;
            }
            let values = Arc::new(Mutex::new(values));
            let listener = TcpListener::bind(("0.0.0.0", 7000)).await?;
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(serve(stream, node.clone(), Arc::clone(&values), syncs));
            }
        }
    }

    fn client(&self, client: Client) -> StoreClient {
        StoreClient { client, stream: None }
    }
}

async fn serve(stream: TcpStream, node: Node, values: Arc<Mutex<BTreeMap<u32, i64>>>, syncs: bool) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(operation) = serde_json::from_str(&line) else { return };
        let answer = perform(operation, &node, &mut values.lock().expect("nobody panics while holding it"));
        // Reads wait too: what they saw must not be lost after they were answered.
        if syncs && node.disk.read("log").is_ok() {
            let durable = async { node.disk.sync("log").await.is_ok() && node.disk.sync_directory().await.is_ok() };
            if !durable.await {
                return;
            }
        }
        let text = serde_json::to_string(&answer).expect("it has a JSON form");
        if write.write_all(format!("{text}\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

fn perform(operation: Operation, node: &Node, values: &mut BTreeMap<u32, i64>) -> Result<Option<i64>, String> {
    let (key, value) = match operation {
        Operation::Read { key } => return Ok(values.get(&key).copied()),
        Operation::Cas { key, expected, .. } if values.get(&key).copied() != expected => {
            return Err("it holds another value".to_owned());
        }
        Operation::Write { key, value } | Operation::Cas { key, new: value, .. } => (key, value),
    };
    let record = format!("{}\n", serde_json::json!([key, value]));
    node.disk.append("log", record.as_bytes()).map_err(|error| error.to_string())?;
    values.insert(key, value);
    Ok(None)
}

/// Keeps one connection, and opens another when it breaks.
pub struct StoreClient {
    client: Client,
    stream: Option<BufReader<TcpStream>>,
}

impl StoreClient {
    async fn ask(&mut self, operation: &Operation) -> std::io::Result<Result<Option<i64>, String>> {
        if self.stream.is_none() {
            self.stream = Some(BufReader::new(TcpStream::connect((&*self.client.cluster[0], 7000)).await?));
        }
        let stream = self.stream.as_mut().expect("it was just made");
        stream.write_all(format!("{}\n", serde_json::to_string(operation)?).as_bytes()).await?;
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Invoke<Kv> for StoreClient {
    async fn invoke(&mut self, operation: &Operation) -> Outcome<Option<i64>> {
        let answer = tokio::time::timeout(Duration::from_millis(500), self.ask(operation)).await;
        match answer {
            Ok(Ok(Ok(value))) => return Outcome::Ok(value),
            Ok(Ok(Err(why))) => return Outcome::Fail(why),
            _ => self.stream = None,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        Outcome::Info("no answer".to_owned())
    }
}

/// Runs it as it is.
pub fn main() {
    shakedown::test(TcpStore { syncs: false }).nodes(1).workload(Kv::default()).claim(Linearizable).run();
}
