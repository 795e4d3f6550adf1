//! Every fault: it bites, it ends, it stacks with every other, and the same plan gives the same bytes.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use shakedown::catalogue::{JudgedRun, Pairing, pair_of, pairings};
use shakedown::faults::{ClockDrift, ClockFreeze, ClockJump, Draw, FaultKind};
use shakedown::kv::Operation;
use shakedown::plan::{Fault, Moment, Plan};
use shakedown::prelude::*;
use shakedown_results::{FaultRecord, VerdictWord};

use crate::examples::tcp_store::TcpStore;

fn raft_kv() -> Box<dyn Pairing> {
    pairings().into_iter().find(|pairing| pairing.workload() == "kv").expect("it is listed")
}

/// The kinds that raft-kv meets and endures.
fn kinds() -> Vec<&'static str> {
    let mut kinds = FaultKind::ordinary();
    kinds.retain(|kind| !["stall", "compact"].contains(kind));
    kinds.push("corrupt");
    kinds
}

/// A short run of three nodes without any fault yet.
fn quiet(pairing: &dyn Pairing, mode: &str, nodes: u32) -> Plan {
    let scenario = Scenario {
        nodes: Some(nodes),
        clients: 4,
        operations: Some(60),
        stop_ms: 1_500,
        faults: Some(Vec::new()),
        ..Scenario::new(&pairing.system().name, mode)
    };
    pairing.draw(&scenario, 5).expect("it makes sense")
}

fn fault(id: u32, kind: &str, nodes: &[String], roles: &[&str], at_ms: u64, lasts_ms: u64) -> Fault {
    let mut chance = Xoshiro256PlusPlus::seed_from_u64(u64::from(id) * 100 + kind.len() as u64);
    let lasts_ms = if FaultKind::is_instant(kind) { 0 } else { lasts_ms };
    let fault =
        FaultKind::draw(kind, Draw { nodes, frail: &nodes[..1], roles, drift_bound: None, chance: &mut chance })
            .expect("it is listed");
    Fault { id, seed: u64::from(id) + 7, begins: Moment::At { at_ms }, lasts_ms, fault }
}

fn run(pairing: &dyn Pairing, mut plan: Plan, faults: Vec<Fault>) -> JudgedRun {
    plan.faults = faults;
    pairing.run(plan).expect("it makes sense")
}

fn bit(record: &FaultRecord) -> bool {
    record.effects.values().any(|&count| count > 0)
}

#[test]
fn each_fault_bites_and_ends_and_raft_kv_keeps_its_claims() {
    let raft_kv = raft_kv();
    for kind in kinds() {
        let mut felt = 0;
        for seed in 0..6 {
            let scenario = Scenario {
                faults: Some(vec![kind]),
                operations: Some(80),
                stop_ms: 2_500,
                heal_all: true,
                ..Scenario::new("raft-kv", if seed % 2 == 0 { "log" } else { "read-index" })
            };
            let judged = raft_kv.run(raft_kv.draw(&scenario, seed).expect("it makes sense")).expect("it makes sense");
            let record = &judged.record;
            assert_eq!(record.verdict, VerdictWord::Valid, "{kind}: {:?}", record.anomalies.first());
            assert!(record.applied_faults.iter().all(|fault| fault.began.is_some() == fault.ended.is_some()), "{kind}");
            felt += record.applied_faults.iter().filter(|fault| fault.was_felt()).count();
        }
        assert!(felt >= 2, "{kind} was felt {felt} times");
    }
}

#[test]
fn any_two_faults_overlap_and_each_ends_by_itself() {
    let raft_kv = raft_kv();
    let plan = quiet(&*raft_kv, "log", 3);
    let (kinds, nodes) = (kinds(), plan.nodes.clone());
    let mut bites: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, one) in kinds.iter().enumerate() {
        for other in &kinds[at..] {
            let faults =
                vec![fault(0, one, &nodes, &["leader"], 300, 500), fault(1, other, &nodes, &["leader"], 500, 500)];
            let judged = run(&*raft_kv, plan.clone(), faults);
            let record = &judged.record;
            assert_eq!(record.verdict, VerdictWord::Valid, "{one} and {other}: {:?}", record.anomalies.first());
            for (kind, fault) in [one, other].into_iter().zip(&record.applied_faults) {
                assert!(fault.began.is_some() && fault.ended.is_some(), "{one} and {other}: {fault:?}");
                *bites.entry(kind).or_default() += usize::from(bit(fault));
            }
        }
    }
    for kind in kinds {
        assert!(bites[kind] > 8, "{kind} bit {} times", bites[kind]);
    }
}

#[test]
fn a_plan_with_faults_of_every_kind_gives_the_same_bytes_and_another_fault_changes_no_draw() {
    let raft_kv = raft_kv();
    let plan = quiet(&*raft_kv, "read-index", 3);
    let faults: Vec<Fault> = (0..)
        .zip(kinds())
        .map(|(id, kind)| fault(id, kind, &plan.nodes, &["leader"], 200 + 40 * u64::from(id), 120))
        .collect();
    let hash = |faults: &[Fault]| run(&*raft_kv, plan.clone(), faults.to_vec()).record.events_hash;
    assert_eq!(hash(&faults), hash(&faults));
    assert_ne!(hash(&faults), hash(&faults[1..]));
    // What one draws does not depend on which others there are.
    let scenario = Scenario::new("raft-kv", "log");
    let drawn = raft_kv.draw(&scenario, 11).expect("it makes sense").faults;
    let again = raft_kv.draw(&Scenario { clients: 3, ..scenario }, 11).expect("it makes sense").faults;
    assert_eq!(drawn, again);
}

/// Writes each value down, and answers reads from its disk. It endures everything, as it promises nothing.
struct Diary;

impl System for Diary {
    type Client = DiaryClient;

    #[expect(clippy::manual_async_fn, reason = "an async function would borrow the system")]
    fn node(&self, node: Node) -> impl Future<Output = Result<(), Failure>> + 'static {
        async move {
            let socket = node.bind(7000)?;
            loop {
                let (from, bytes) = socket.receive().await;
                let operation: Operation = serde_json::from_slice(&bytes)?;
                if let Operation::Write { value, .. } = operation
                    && node.disk.append("diary", &value.to_le_bytes()).is_ok()
                    && node.disk.sync("diary").await.is_ok()
                {
                    let _ = node.disk.sync_directory().await;
                }
                let kept = node.disk.read("diary").unwrap_or_default().len();
                socket.send(&from, &kept.to_le_bytes());
            }
        }
    }

    fn client(&self, client: Client) -> DiaryClient {
        DiaryClient(client)
    }

    fn operator(&self) -> &'static [&'static str] {
        &["compact"]
    }

    #[expect(clippy::manual_async_fn, reason = "an async function would borrow the system")]
    fn operate(&self, client: Client, command: Command) -> impl Future<Output = Result<(), Failure>> + 'static {
        async move {
            let socket = client.bind(0)?;
            let host =
                client.cluster.iter().find(|node| ***node == *command.nodes[0]).ok_or("there is no such node")?;
            let read = serde_json::to_vec(&Operation::Read { key: 0 })?;
            socket.send(&Address { host: host.clone(), port: 7000 }, &read);
            socket.receive().await;
            Ok(())
        }
    }

    fn endures(&self) -> &'static [&'static str] {
        &["lying-sync", "misread", "rot", "lost-entry", "wipe"]
    }
}

struct DiaryClient(Client);

impl Invoke<Kv> for DiaryClient {
    async fn invoke(&mut self, operation: &Operation) -> Outcome<Option<i64>> {
        let Ok(socket) = self.0.bind(0) else { return Outcome::Fail("no port is free".to_owned()) };
        let home = Address { host: self.0.home().clone(), port: 7000 };
        socket.send(&home, &serde_json::to_vec(operation).expect("it has a JSON form"));
        match (tokio::time::timeout(Duration::from_millis(100), socket.receive()).await, operation) {
            (Ok(_), Operation::Read { .. }) => Outcome::Ok(None),
            (Ok(_), _) => Outcome::Fail("it is not told".to_owned()),
            (Err(_), _) => Outcome::Info("no answer".to_owned()),
        }
    }
}

#[test]
fn faults_beyond_most_systems_bite_those_that_endure_them_and_are_refused_to_others() {
    let diary = pair_of(Diary, &[], Kv::default());
    let plan = quiet(&*diary, "only", 1);
    for kind in ["lying-sync", "misread", "rot", "lost-entry", "wipe"] {
        let judged = run(&*diary, plan.clone(), vec![fault(0, kind, &plan.nodes, &[], 500, 400)]);
        assert!(bit(&judged.record.applied_faults[0]), "{kind}: {:?}", judged.record.applied_faults);
    }
    let raft_kv = raft_kv();
    let mut refused = quiet(&*raft_kv, "log", 3);
    refused.faults = vec![fault(0, "lying-sync", &refused.nodes, &[], 500, 400)];
    let error = raft_kv.run(refused).err().expect("it promises nothing").to_string();
    assert!(error.contains("raft-kv promises nothing under lying-sync in mode log"), "{error}");
}

#[test]
fn an_operator_is_asked_for_what_it_offers_and_for_nothing_else() {
    let diary = pair_of(Diary, &[], Kv::default());
    let plan = quiet(&*diary, "only", 1);
    let judged = run(&*diary, plan.clone(), vec![fault(0, "compact", &plan.nodes, &[], 500, 0)]);
    assert_eq!(judged.record.applied_faults[0].effects["commands done"], 1);
    assert!(judged.execution.trace.iter().any(|said| said.event == "operated"));
    let mut refused = plan;
    refused.faults = vec![fault(0, "transfer", &refused.nodes, &[], 500, 0)];
    let error = diary.run(refused).err().expect("it does not offer that").to_string();
    assert!(error.contains("diary offers no operator that could do transfer"), "{error}");
}

#[test]
fn streams_stall_and_lose_nothing_and_a_process_that_stands_still_hears_all_at_once() {
    let store = pair_of(TcpStore { syncs: true }, &[Claim::Level(Linearizable)], Kv::default());
    let plan = quiet(&*store, "only", 1);
    for kind in ["stall", "pause", "slow-node", "slow-link", "clock-jump", "full", "failing-sync"] {
        let judged = run(&*store, plan.clone(), vec![fault(0, kind, &plan.nodes, &[], 400, 300)]);
        assert_eq!(judged.record.verdict, VerdictWord::Valid, "{kind}: {:?}", judged.record.anomalies.first());
        assert!(judged.record.applied_faults[0].was_felt(), "{kind}: {:?}", judged.record.applied_faults);
    }
}

/// A node that says every ten milliseconds what its clock shows.
struct Watch;

struct Idle;

impl System for Watch {
    type Client = Idle;

    #[expect(clippy::manual_async_fn, reason = "an async function would borrow the system")]
    fn node(&self, node: Node) -> impl Future<Output = Result<(), Failure>> + 'static {
        async move {
            loop {
                tokio::time::sleep(Duration::from_millis(10)).await;
                let (shown, run) = (node.clock.now().as_millis() as u64, node.clock.monotonic().as_millis() as u64);
                tracing::info!(event = "clock", shown, run);
            }
        }
    }

    fn client(&self, _: Client) -> Idle {
        Idle
    }
}

impl Invoke<Kv> for Idle {
    async fn invoke(&mut self, _: &Operation) -> Outcome<Option<i64>> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Outcome::Ok(None)
    }
}

#[test]
fn what_would_test_nothing_is_refused() {
    let out = tempfile::tempdir().expect("there is room");
    let test = || test(Watch).workload(Kv::default()).out(out.path()).seeds(0..2);
    let told = |test: shakedown::Test<Watch, Kv>| test.check().expect_err("it tests nothing").to_string();
    assert!(told(test().faults(&["kill", "transfer"])).contains("watch offers no operator that could do transfer"));
    assert!(told(test().faults(&["wipe"])).contains("watch promises nothing under wipe"));
    assert!(told(test().seeds(3..3)).contains("holds none"));
    assert!(told(test().nodes(0)).contains("there must be one"));
    // Clients have no process that could be killed.
    let raft_kv = raft_kv();
    for (kind, cluster) in [("kill", "clients"), ("pause", "clients"), ("clock-jump", "clients"), ("full", "clients")] {
        let mut plan = quiet(&*raft_kv, "log", 3);
        plan.faults = vec![fault(0, kind, &[cluster.to_owned()], &[], 500, 100)];
        let error = raft_kv.run(plan).err().expect("there is nothing to break").to_string();
        assert!(error.contains("there is no node \"clients\""), "{kind}: {error}");
    }
}

#[test]
fn a_wrong_clock_is_right_before_wrong_from_then_on_and_never_runs_back() {
    let watch = pair_of(Watch, &[], Kv::default());
    let plan = quiet(&*watch, "only", 1);
    let node = || plan.nodes.clone();
    // The fault; how wrong the clock is at its end, and afterwards; and the time that nobody sets, in milliseconds.
    let rows = [
        (FaultKind::ClockDrift(ClockDrift { nodes: node(), rate: 0.5 }), -200, -200, -200),
        (FaultKind::ClockDrift(ClockDrift { nodes: node(), rate: 2.0 }), 400, 400, 400),
        (FaultKind::ClockFreeze(ClockFreeze { nodes: node() }), -400, 0, -400),
        (FaultKind::ClockJump(ClockJump { nodes: node(), by_ms: 1_500 }), 1_500, 0, 0),
        (FaultKind::ClockJump(ClockJump { nodes: node(), by_ms: -200 }), -200, 0, 0),
    ];
    for (kind, at_the_end, afterwards, of_run) in rows {
        let fault = Fault { id: 0, seed: 1, begins: Moment::At { at_ms: 500 }, lasts_ms: 400, fault: kind };
        let judged = run(&*watch, plan.clone(), vec![fault.clone()]);
        let mut before = 0;
        for said in judged.execution.trace.iter().filter(|said| said.event == "clock") {
            let time = (said.time / 1_000_000) as i64;
            let field = |name| said.number(name).expect("it says so") as i64;
            let (shown, ran) = (field("shown") - time, field("run") - time);
            assert!(field("run") >= before, "{fault:?}: it ran back at {time} ms");
            before = field("run");
            let near = |found: i64, expected: i64| (found - expected).abs() <= 12;
            match time {
                ..500 => assert!(near(shown, 0) && near(ran, 0), "{fault:?}: {shown} and {ran} at {time} ms"),
                886..900 => assert!(near(shown, at_the_end), "{fault:?}: {shown} at {time} ms"),
                905.. => {
                    assert!(near(shown, afterwards) && near(ran, of_run), "{fault:?}: {shown} and {ran} at {time} ms")
                }
                _ => {}
            }
        }
        assert!(before > 900, "{fault:?}");
    }
}
