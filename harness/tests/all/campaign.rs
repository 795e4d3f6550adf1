//! Many runs: in order, counted, kept as far as they are worth it, and told when they cannot be kept.

use std::sync::atomic::AtomicBool;

use shakedown::campaign::{self, Campaign, Job};
use shakedown::catalogue::{Pairing, pair_of};
use shakedown::kv::Operation;
use shakedown::prelude::*;
use shakedown_results::{RunRecord, VerdictWord};

/// A node that answers for a while and then gives up, at a time that its seed decides.
struct Mortal;

impl System for Mortal {
    type Client = Asker;

    #[expect(clippy::manual_async_fn, reason = "an async function would borrow the system")]
    fn node(&self, node: Node) -> impl Future<Output = Result<(), Failure>> + 'static {
        async move {
            let socket = node.bind(7000)?;
            for _ in 0..20 + node.chance.next_u64() % 10 {
                let (from, _) = socket.receive().await;
                socket.send(&from, b"so be it");
            }
            Err("that is enough".into())
        }
    }

    fn client(&self, client: Client) -> Asker {
        Asker(client)
    }
}

struct Asker(Client);

impl Invoke<Kv> for Asker {
    async fn invoke(&mut self, operation: &Operation) -> Outcome<Option<i64>> {
        let Ok(socket) = self.0.bind(0) else { return Outcome::Fail("no port is free".to_owned()) };
        socket.send(&Address { host: self.0.home().clone(), port: 7000 }, b"please");
        match (tokio::time::timeout(Duration::from_millis(50), socket.receive()).await, operation) {
            (Ok(_), Operation::Read { .. }) => Outcome::Ok(None),
            (Ok(_), _) => Outcome::Fail("it keeps nothing".to_owned()),
            (Err(_), _) => Outcome::Info("no answer".to_owned()),
        }
    }
}

fn scenario() -> Scenario {
    Scenario {
        nodes: Some(1),
        clients: 2,
        operations: Some(20),
        stop_ms: 900,
        faults: Some(Vec::new()),
        ..Scenario::new("mortal", "only")
    }
}

fn jobs<'a>(pairing: &'a dyn Pairing, scenario: &'a Scenario, seeds: u64) -> Vec<Job<'a>> {
    (0..seeds).map(|seed| Job { pairing, scenario, seed, keep: false }).collect()
}

static NEVER: AtomicBool = AtomicBool::new(false);

fn campaign<'a>(out: Option<&'a std::path::Path>, threads: usize, interrupted: &'a AtomicBool) -> Campaign<'a> {
    Campaign { out, threads, verify_determinism: false, stop_after: None, replay: &campaign::replay, interrupted }
}

fn told(records: &[RunRecord]) -> Vec<(u64, String)> {
    records.iter().map(|record| (record.seed, record.events_hash.clone())).collect()
}

#[test]
fn records_come_in_the_order_of_the_jobs_whatever_the_number_of_threads() {
    let (pairing, scenario) = (pair_of(Mortal, &[], Kv::default()), scenario());
    let jobs = jobs(&*pairing, &scenario, 12);
    let mut finished = Vec::new();
    let one = campaign(None, 1, &NEVER).run(&jobs, |judged, _| finished.push(judged.record.seed));
    assert_eq!(finished, (0..12).collect::<Vec<u64>>());
    assert_eq!(told(&one), told(&campaign(None, 5, &NEVER).run(&jobs, |_, _| {})));
}

#[test]
fn of_one_cause_three_runs_are_kept_and_what_stands_in_the_way_of_one_is_told() {
    let (pairing, scenario) = (pair_of(Mortal, &[], Kv::default()), scenario());
    let jobs = jobs(&*pairing, &scenario, 8);
    let out = tempfile::tempdir().expect("there is room");
    let name = pairing.draw(&scenario, 1).expect("it makes sense").name;
    let mut unwritten = 0;
    let records = campaign(Some(out.path()), 2, &NEVER).run(&jobs, |judged, error| {
        unwritten += usize::from(error.is_some());
        assert!(judged.record.directory.is_none() || error.is_none());
    });
    assert!(records.iter().all(|record| record.verdict == VerdictWord::Invalid), "each gave up");
    assert_eq!(records.iter().filter(|record| record.directory.is_some()).count(), 3);
    assert_eq!(unwritten, 0);
    assert!(out.path().join(&name).join("report.html").is_file());
    // A place that cannot be written to: all are told, and all are done.
    let nowhere = out.path().join(&name).join("report.html");
    let mut unwritten = 0;
    let records = campaign(Some(&nowhere), 2, &NEVER).run(&jobs, |_, error| unwritten += usize::from(error.is_some()));
    assert_eq!((records.len(), unwritten), (8, 3));
    assert!(records.iter().all(|record| record.directory.is_none()));
}

#[test]
fn enough_is_enough_and_who_is_interrupted_stops() {
    let (pairing, scenario) = (pair_of(Mortal, &[], Kv::default()), scenario());
    let jobs = jobs(&*pairing, &scenario, 30);
    let stopped = Campaign { stop_after: Some(2), ..campaign(None, 1, &NEVER) }.run(&jobs, |_, _| {});
    assert_eq!(stopped.len(), 2);
    let interrupted = AtomicBool::new(true);
    assert!(campaign(None, 2, &interrupted).run(&jobs, |_, _| {}).is_empty());
}
