//! A key-value store as an axum service. Its bug: between the look at the old value and the write of the new one, `cas` waits for
//! its audit log, and does not hold the lock. `cargo run -p shakedown --example axum_store`
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use shakedown::kv::Operation;
use shakedown::net::{TcpListener, TcpStream};
use shakedown::prelude::*;
use shakedown::serde_json::{self, json};
use shakedown::tokio::io::{AsyncReadExt, AsyncWriteExt};
use shakedown::tokio::{sync::Mutex, time};

#[derive(Clone)]
struct Shop {
    node: Node,
    values: Arc<Mutex<BTreeMap<u32, i64>>>,
    holds_lock: bool,
}

async fn read(State(shop): State<Shop>, Path(key): Path<u32>) -> Json<Option<i64>> {
    Json(shop.values.lock().await.get(&key).copied())
}

async fn write(State(shop): State<Shop>, Path(key): Path<u32>, Json(value): Json<i64>) {
    shop.values.lock().await.insert(key, value);
}

async fn cas(State(shop): State<Shop>, Path(key): Path<u32>, Json(change): Json<(Option<i64>, i64)>) -> StatusCode {
    let (expected, new) = change;
    let values = shop.values.lock().await;
    if values.get(&key).copied() != expected {
        return StatusCode::CONFLICT;
    }
    let held = shop.holds_lock.then_some(values);
    let record = format!("{key} becomes {new}\n");
    if shop.node.disk.append("audit", record.as_bytes()).is_err() || shop.node.disk.sync("audit").await.is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    let mut values = if let Some(values) = held { values } else { shop.values.lock().await };
    values.insert(key, new);
    StatusCode::OK
}

/// The service.
pub struct AxumStore {
    /// Whether the bug is mended.
    pub holds_lock: bool,
}

struct Listener(TcpListener);

impl axum::serve::Listener for Listener {
    type Io = TcpStream;
    type Addr = SocketAddr;
    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        self.0.accept().await.expect("the simulation does not refuse")
    }
    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl System for AxumStore {
    type Client = HttpClient;
    fn node(&self, node: Node) -> impl Future<Output = Result<(), Failure>> + 'static {
        let shop = Shop { node, values: Arc::default(), holds_lock: self.holds_lock };
        let app = Router::new().route("/{key}", get(read).put(write).post(cas)).with_state(shop);
        async { Ok(axum::serve(Listener(TcpListener::bind(("0.0.0.0", 80)).await?), app).await?) }
    }
    fn client(&self, client: Client) -> HttpClient {
        HttpClient(client)
    }
}

/// Plain HTTP, a connection for each request.
pub struct HttpClient(Client);

impl HttpClient {
    async fn ask(&self, method: &str, key: u32, body: serde_json::Value) -> std::io::Result<String> {
        let (home, body) = (&**self.0.home(), body.to_string());
        let mut stream = TcpStream::connect((home, 80)).await?;
        let kind = format!("content-type: application/json\r\ncontent-length: {}", body.len());
        let request = format!("{method} /{key} HTTP/1.1\r\nhost: {home}\r\nconnection: close\r\n{kind}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }
}

impl Invoke<Kv> for HttpClient {
    async fn invoke(&mut self, operation: &Operation) -> Outcome<Option<i64>> {
        let asked = match *operation {
            Operation::Read { key } => self.ask("GET", key, json!(null)),
            Operation::Write { key, value } => self.ask("PUT", key, json!(value)),
            Operation::Cas { key, expected, new } => self.ask("POST", key, json!([expected, new])),
        };
        let Ok(Ok(answer)) = time::timeout(Duration::from_millis(500), asked).await else {
            return Outcome::Info("no answer".to_owned());
        };
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.starts_with("HTTP/1.1 200") => {
                Outcome::Ok(serde_json::from_str(body).unwrap_or(None))
            }
            Some((head, _)) if head.starts_with("HTTP/1.1 409") => Outcome::Fail("it holds another value".to_owned()),
            _ => Outcome::Info("a broken answer".to_owned()),
        }
    }
}

/// Runs it as it is. It keeps its values in memory: no process is killed.
pub fn main() {
    let test = shakedown::test(AxumStore { holds_lock: false }).nodes(1).faults(&["delay", "loss"]);
    test.workload(Kv::default()).claim(Linearizable).run();
}
