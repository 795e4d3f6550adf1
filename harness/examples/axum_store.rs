//! A key-value store as an axum service. Its bug: between the look at the old value and the write of the new one, `cas` waits for
//! its audit log, and does not hold the lock. `cargo run -p shakedown --example axum_store`
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{Request, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use shakedown::kv::Operation;
use shakedown::net::{TcpListener, TcpStream};
use shakedown::prelude::*;
use tokio::sync::Mutex;

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

/// A connection for each request.
pub struct HttpClient(Client);

impl HttpClient {
    async fn ask(&self, method: &str, key: u32, body: String) -> Result<(StatusCode, Bytes), Failure> {
        let stream = TcpStream::connect((&**self.0.home(), 80)).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(format!("/{key}")).header("host", &**self.0.home());
        let request = request.header("content-type", "application/json").body(Full::new(Bytes::from(body)))?;
        let answer = sender.send_request(request).await?;
        Ok((answer.status(), answer.into_body().collect().await?.to_bytes()))
    }
}

impl Invoke<Kv> for HttpClient {
    async fn invoke(&mut self, operation: &Operation) -> Outcome<Option<i64>> {
        let asked = match *operation {
            Operation::Read { key } => self.ask("GET", key, String::new()),
            Operation::Write { key, value } => self.ask("PUT", key, value.to_string()),
            Operation::Cas { key, expected, new } => {
                self.ask("POST", key, serde_json::json!([expected, new]).to_string())
            }
        };
        match tokio::time::timeout(Duration::from_millis(500), asked).await {
            Ok(Ok((StatusCode::OK, body))) => Outcome::Ok(serde_json::from_slice(&body).unwrap_or(None)),
            Ok(Ok((StatusCode::CONFLICT, _))) => Outcome::Fail("it holds another value".to_owned()),
            _ => Outcome::Info("no answer".to_owned()),
        }
    }
}

/// Runs it as it is. It keeps nothing on disk but its audit: no process may die, and none is killed.
pub fn main() {
    let test = shakedown::test(AxumStore { holds_lock: false }).nodes(1).faults(&["delay", "loss"]);
    test.workload(Kv::default()).claim(Linearizable).run();
}
