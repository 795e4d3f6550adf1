//! Systems that are not built in go through the same door, and what goes wrong in them is a finding.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use shakedown::catalogue::{JudgedRun, Pairing, pair_of};
use shakedown::kv::Operation;
use shakedown::scenario::Scenario;
use shakedown::{Claim, Client, Invoke, Kv, Level, Node, Outcome, System};
use shakedown_results::VerdictWord;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use turmoil::net::{TcpListener, TcpStream};

type Failure = Box<dyn std::error::Error>;

const CLAIMS: &[Claim] = &[Claim::Level(Level::Linearizable)];

/// One node that keeps everything in memory, over TCP as any tokio service would.
struct Forgetful;

impl System for Forgetful {
    type Client = TcpClient;
    fn node(&self, node: Node) -> impl Future<Output = Result<(), Failure>> + 'static {
        serve(node)
    }

    fn client(&self, client: Client) -> TcpClient {
        TcpClient { client, stream: None }
    }
}

async fn serve(node: Node) -> Result<(), Failure> {
    let listener = TcpListener::bind(("0.0.0.0", 80)).await?;
    let values: Rc<RefCell<BTreeMap<u32, i64>>> = Rc::default();
    loop {
        let (stream, _) = listener.accept().await?;
        let values = Rc::clone(&values);
        node.spawn(async move {
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let operation: Operation = serde_json::from_str(&line).expect("clients speak JSON");
                let answer = perform(&mut values.borrow_mut(), operation);
                let answer = format!("{}\n", serde_json::to_string(&answer).expect("it has a JSON form"));
                if write.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
    }
}

fn perform(values: &mut BTreeMap<u32, i64>, operation: Operation) -> Result<Option<i64>, ()> {
    match operation {
        Operation::Read { key } => Ok(values.get(&key).copied()),
        Operation::Write { key, value } => Ok(values.insert(key, value)),
        Operation::Cas { key, expected, new } if values.get(&key).copied() == expected => Ok(values.insert(key, new)),
        Operation::Cas { .. } => Err(()),
    }
}

struct TcpClient {
    client: Client,
    stream: Option<BufReader<TcpStream>>,
}

impl TcpClient {
    async fn ask(&mut self, operation: &Operation) -> std::io::Result<Result<Option<i64>, ()>> {
        if self.stream.is_none() {
            let stream = TcpStream::connect((&*self.client.cluster[0], 80)).await?;
            self.stream = Some(BufReader::new(stream));
        }
        let stream = self.stream.as_mut().expect("it was just made");
        let question = format!("{}\n", serde_json::to_string(operation)?);
        stream.write_all(question.as_bytes()).await?;
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Invoke<Kv> for TcpClient {
    async fn invoke(&mut self, operation: &Operation) -> Outcome<Option<i64>> {
        match tokio::time::timeout(Duration::from_secs(1), self.ask(operation)).await {
            Ok(Ok(Ok(value))) => Outcome::Ok(value),
            Ok(Ok(Err(()))) => Outcome::Fail("it held another value".to_owned()),
            Ok(Err(error)) => {
                self.stream = None;
                tokio::time::sleep(Duration::from_millis(20)).await;
                Outcome::Info(error.to_string())
            }
            Err(_) => {
                self.stream = None;
                Outcome::Info("timeout".to_owned())
            }
        }
    }
}

fn run(pairing: &dyn Pairing, faults: &[&'static str], seed: u64) -> JudgedRun {
    let scenario = Scenario {
        nodes: Some(1),
        clients: 4,
        operations: Some(80),
        stop_ms: 2_500,
        faults: Some(faults.to_vec()),
        ..Scenario::new(&pairing.system().name, "only")
    };
    pairing.run(pairing.draw(&scenario, seed).expect("it makes sense")).expect("it makes sense")
}

#[test]
fn a_tokio_service_over_tcp_is_linearizable_while_only_the_network_is_bad() {
    let pairing = pair_of(Forgetful, CLAIMS, Kv::default());
    for seed in 0..5 {
        let judged = run(&*pairing, &["loss", "delay"], seed);
        assert_eq!(judged.record.verdict, VerdictWord::Valid, "{:?}", judged.record.anomalies.first());
        assert!(judged.record.operations.ok > 100, "{:?}", judged.record.operations);
    }
}

#[test]
fn a_store_without_a_disk_is_caught_when_its_process_dies() {
    let pairing = pair_of(Forgetful, CLAIMS, Kv::default());
    let caught = (0..6).map(|seed| run(&*pairing, &["kill"], seed)).filter(|judged| {
        judged.record.verdict == VerdictWord::Invalid
            && judged.record.anomalies.iter().any(|anomaly| anomaly.breaks == "linearizable" && anomaly.claimed)
    });
    assert!(caught.count() >= 3);
}

/// A node that panics at its third request, and a client that does not mind.
struct Fragile;

impl System for Fragile {
    type Client = Ping;
    fn node(&self, node: Node) -> impl Future<Output = Result<(), Failure>> + 'static {
        panic_at_the_third(node)
    }

    fn client(&self, client: Client) -> Ping {
        Ping(client)
    }
}

async fn panic_at_the_third(node: Node) -> Result<(), Failure> {
    let socket = node.bind(9)?;
    for nth in 1.. {
        let (from, _) = socket.receive().await;
        // In a task of its own, as services do: it must not get lost there.
        node.spawn(async move { assert!(nth < 3, "the third request is one too many") });
        socket.send(&from, b"pong");
    }
    Ok(())
}

struct Ping(Client);

impl Invoke<Kv> for Ping {
    async fn invoke(&mut self, operation: &Operation) -> Outcome<Option<i64>> {
        let Ok(socket) = self.0.bind(0) else { return Outcome::Fail("no port".to_owned()) };
        let to = shakedown::door::Address { host: Arc::clone(&self.0.cluster[0]), port: 9 };
        socket.send(&to, b"ping");
        match (tokio::time::timeout(Duration::from_millis(100), socket.receive()).await, operation) {
            (Ok(_), Operation::Read { .. }) => Outcome::Ok(None),
            (Ok(_), _) => Outcome::Fail("it keeps nothing".to_owned()),
            (Err(_), _) => Outcome::Info("timeout".to_owned()),
        }
    }
}

#[test]
fn a_panic_in_a_node_is_a_finding_with_its_place_and_not_the_end_of_the_harness() {
    let pairing = pair_of(Fragile, CLAIMS, Kv::default());
    let judged = run(&*pairing, &[], 1);
    let panic = judged.record.anomalies.iter().find(|anomaly| anomaly.name == "panic").expect("it panicked");
    assert_eq!(judged.record.verdict, VerdictWord::Invalid);
    assert!(
        panic.sentence.starts_with("n1 panicked: the third request is one too many (strangers.rs:"),
        "{}",
        panic.sentence
    );
    assert!(judged.execution.history.len() > 10);
}

/// A node whose process ends.
struct Quitter;

impl System for Quitter {
    type Client = Ping;
    fn node(&self, _: Node) -> impl Future<Output = Result<(), Failure>> + 'static {
        std::future::ready(Err("there is nothing to serve".into()))
    }

    fn client(&self, client: Client) -> Ping {
        Ping(client)
    }
}

#[test]
fn a_process_that_gives_up_and_a_cluster_that_never_answers_are_findings() {
    let judged = run(&*pair_of(Quitter, CLAIMS, Kv::default()), &[], 1);
    let names: Vec<&str> = judged.record.anomalies.iter().map(|anomaly| anomaly.name.as_str()).collect();
    assert!(names.contains(&"failure") && names.contains(&"no-recovery"), "{names:?}");
    assert!(!judged.record.recovered);
}

/// The same store as a web service would be written: a task of tokio's for each half of each connection.
struct Spawning {
    /// The request at which a task panics, if one does.
    panics_at: Option<u64>,
}

/// Says when it is dropped, as a guard of a service may.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        tracing::info!(event = "guard-dropped");
    }
}

impl System for Spawning {
    type Client = TcpClient;
    fn node(&self, _: Node) -> impl Future<Output = Result<(), Failure>> + 'static {
        let panics_at = self.panics_at;
        async move {
            let listener = TcpListener::bind(("0.0.0.0", 80)).await?;
            let values: Arc<Mutex<BTreeMap<u32, i64>>> = Arc::default();
            let requests = Arc::new(AtomicU64::new(0));
            loop {
                let (stream, _) = listener.accept().await?;
                let (values, requests) = (Arc::clone(&values), Arc::clone(&requests));
                let (read, mut write) = stream.into_split();
                let (send, mut answers) = tokio::sync::mpsc::channel::<String>(8);
                tokio::spawn(async move {
                    let _guard = Guard;
                    let mut lines = BufReader::new(read).lines();
                    while let Ok(Some(line)) = lines.next_line().await {
                        let nth = requests.fetch_add(1, Ordering::Relaxed);
                        assert!(Some(nth) != panics_at, "request {nth} is one too many");
                        tracing::info!(event = "asked", nth);
                        let operation: Operation = serde_json::from_str(&line).expect("clients speak JSON");
                        let answer = perform(&mut values.lock().expect("nobody panicked"), operation);
                        if send.send(serde_json::to_string(&answer).expect("it has a JSON form")).await.is_err() {
                            return;
                        }
                    }
                });
                tokio::spawn(async move {
                    while let Some(answer) = answers.recv().await {
                        if write.write_all(format!("{answer}\n").as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        }
    }

    fn client(&self, client: Client) -> TcpClient {
        TcpClient { client, stream: None }
    }
}

/// tokio numbers the tasks of the whole process: whoever spawned before must not matter.
fn spawn_elsewhere(tasks: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("there is room");
    runtime.block_on(async {
        for _ in 0..tasks {
            tokio::spawn(async {});
        }
    });
}

#[test]
fn a_service_that_spawns_its_tasks_repeats_whatever_was_spawned_before() {
    let mut resets = 0;
    for seed in 0..12 {
        // A panic drops the tasks too, in the midst of a step.
        let panics_at = (seed % 4 == 3).then_some(60);
        let pairing = pair_of(Spawning { panics_at }, CLAIMS, Kv::default());
        let scenario = Scenario {
            nodes: Some(1),
            clients: 8,
            operations: Some(60),
            stop_ms: 2_000,
            faults: Some(vec!["kill", "crash", "crash-loop", "loss", "delay"]),
            ..Scenario::new("spawning", "only")
        };
        let plan = pairing.draw(&scenario, seed).expect("it makes sense");
        let one = pairing.run(plan.clone()).expect("it makes sense");
        for odd in [1, 3, 6] {
            spawn_elsewhere(odd);
            let again = pairing.run(plan.clone()).expect("it makes sense");
            let first = one.execution.trace.iter().zip(&again.execution.trace).find(|(one, again)| one != again);
            assert_eq!(one.record.events_hash, again.record.events_hash, "seed {seed}: {first:?}");
        }
        resets += one.execution.trace.iter().filter(|said| said.event == "guard-dropped").count();
    }
    assert!(resets > 20, "processes died while streams were open: {resets}");
}

#[test]
fn what_a_spawned_task_says_is_its_nodes_even_while_it_is_dropped() {
    let pairing = pair_of(Spawning { panics_at: None }, CLAIMS, Kv::default());
    let judged = run(&*pairing, &["kill"], 1);
    let trace = judged.trace();
    for event in ["asked", "guard-dropped"] {
        assert!(trace.iter().any(|line| line.event == event), "nobody says {event}");
        assert!(trace.iter().filter(|line| line.event == event).all(|line| line.node == "n1"), "{event}");
    }
}

#[test]
fn a_panic_in_a_spawned_task_is_its_nodes_and_the_run_goes_on() {
    let pairing = pair_of(Spawning { panics_at: Some(40) }, CLAIMS, Kv::default());
    let judged = run(&*pairing, &[], 1);
    let panic = judged.record.anomalies.iter().find(|anomaly| anomaly.name == "panic").expect("it panicked");
    assert!(panic.sentence.starts_with("n1 panicked: request 40 is one too many (strangers.rs:"), "{}", panic.sentence);
    assert!(judged.record.recovered, "it is started again when all is healed");
}
