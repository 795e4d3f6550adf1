//! A run from its setup to its last look, and what is said of it.

use std::collections::BTreeMap;

use rand::Rng;
use shakedown::catalogue::{JudgedRun, pair_of};
use shakedown::checkers::{Subject, Undecided, Value, Verdict};
use shakedown::kv::{Operation, Planned};
use shakedown::prelude::*;
use shakedown_results::VerdictWord;

/// Registers that must be written before anybody reads them.
#[derive(Clone)]
struct Prepared {
    kv: Kv,
    checks: Vec<Check>,
}

impl Workload for Prepared {
    type Planned = Planned;
    type Operation = Operation;
    type Value = Option<i64>;
    type Memory = <Kv as Workload>::Memory;

    fn name(&self) -> &'static str {
        "prepared"
    }
    fn setup(&self) -> Vec<Planned> {
        (0..4).map(|key| Planned::Write { key, value: -1 }).collect()
    }
    fn plan(&self, client: u32, clients: u32, operations: usize, chance: &mut impl Rng) -> Vec<Planned> {
        self.kv.plan(client, clients, operations, chance)
    }
    fn probe(&self, client: u32, attempt: u32) -> Vec<Planned> {
        self.kv.probe(client, attempt)
    }
    fn last_look(&self, client: u32, clients: u32, nodes: &[String]) -> Vec<Look<Planned>> {
        self.kv.last_look(client, clients, nodes)
    }
    fn resolve(planned: &Planned, memory: &Self::Memory) -> Operation {
        Kv::resolve(planned, memory)
    }
    fn invocation(operation: &Operation) -> Invocation {
        Kv::invocation(operation)
    }
    fn completion(operation: &Operation, value: &Option<i64>) -> Value {
        Kv::completion(operation, value)
    }
    fn checks(&self) -> Vec<Check> {
        self.checks.clone()
    }
    fn figures(&self, history: &shakedown::checkers::History) -> Vec<(&'static str, u64)> {
        vec![("events", history.len() as u64)]
    }
}

/// A store of one node in memory; a deaf one answers nothing.
struct Memory {
    deaf: bool,
}

impl System for Memory {
    type Client = MemoryClient;

    fn node(&self, node: Node) -> impl Future<Output = Result<(), Failure>> + 'static {
        let deaf = self.deaf;
        async move {
            let socket = node.bind(7000)?;
            let mut values = BTreeMap::new();
            loop {
                let (from, bytes) = socket.receive().await;
                let answer: Result<Option<i64>, ()> = match serde_json::from_slice(&bytes)? {
                    Operation::Read { key } => Ok(values.get(&key).copied()),
                    Operation::Cas { key, expected, .. } if values.get(&key).copied() != expected => Err(()),
                    Operation::Write { key, value } | Operation::Cas { key, new: value, .. } => {
                        Ok(values.insert(key, value).and(None))
                    }
                };
                if !deaf {
                    socket.send(&from, &serde_json::to_vec(&answer)?);
                }
            }
        }
    }

    fn client(&self, client: Client) -> MemoryClient {
        MemoryClient(client)
    }
}

struct MemoryClient(Client);

impl Invoke<Prepared> for MemoryClient {
    async fn invoke(&mut self, operation: &Operation) -> Outcome<Option<i64>> {
        let Ok(socket) = self.0.bind(0) else { return Outcome::Fail("no port is free".to_owned()) };
        let to = Address { host: self.0.cluster[0].clone(), port: 7000 };
        socket.send(&to, &serde_json::to_vec(operation).expect("it has a JSON form"));
        match tokio::time::timeout(Duration::from_millis(60), socket.receive()).await {
            Ok((_, bytes)) => match serde_json::from_slice(&bytes).expect("nodes speak JSON") {
                Ok::<Option<i64>, ()>(value) => Outcome::Ok(value),
                Err(()) => Outcome::Fail("it holds another value".to_owned()),
            },
            Err(_) => Outcome::Info("no answer".to_owned()),
        }
    }
}

const RULE: Rule = Rule { name: "said-to-hold", summary: "what its judge says" };

fn judged(deaf: bool, claims: &[Claim], checks: Vec<Check>) -> JudgedRun {
    let pairing = pair_of(Memory { deaf }, claims, Prepared { kv: Kv::default().with_keys(4), checks });
    let scenario = Scenario {
        nodes: Some(2),
        clients: 3,
        operations: Some(30),
        stop_ms: 1_500,
        faults: Some(Vec::new()),
        ..Scenario::new("memory", "only")
    };
    pairing.run(pairing.draw(&scenario, 3).expect("it makes sense")).expect("it makes sense")
}

fn levels() -> Check {
    Check::Levels(Subject::Objects(shakedown::checkers::ModelName::Kv))
}

#[test]
fn one_client_sets_up_before_all_others_begin_and_all_look_at_every_node_in_the_end() {
    let judged = judged(false, &[Claim::Level(Linearizable)], vec![levels()]);
    assert_eq!(judged.record.verdict, VerdictWord::Valid, "{:?}", judged.record.anomalies.first());
    let operations: Vec<_> = judged.execution.history.operations().collect();
    let of_setup = operations.iter().take(4);
    assert!(of_setup.clone().all(|operation| operation.process() == 0 && operation.function() == "write"));
    let prepared = of_setup.filter_map(|operation| operation.completed_at()).max();
    assert!(operations[4..].iter().all(|operation| operation.invoked_at() >= prepared));
    let quiet = judged.execution.quiet.expect("it came that far");
    // Three clients, of which two take a node each and the third shares one: all four keys each.
    assert_eq!(operations.iter().filter(|operation| operation.invoked() >= quiet).count(), 3 * 4);
    assert_eq!(judged.record.figures["events"], judged.execution.history.len() as u64);
}

#[test]
fn a_setup_that_never_succeeds_is_a_finding_and_the_end() {
    let judged = judged(true, &[], vec![levels()]);
    let names: Vec<&str> = judged.record.anomalies.iter().map(|anomaly| anomaly.name.as_str()).collect();
    assert_eq!(names, ["no-setup"]);
    assert_eq!(judged.record.verdict, VerdictWord::Invalid);
}

#[test]
fn a_claim_is_as_good_as_the_worst_that_is_known_of_it() {
    let says = |verdict: Verdict| Check::claim(RULE, move |_, _| verdict.clone());
    let unknown = || Verdict::Unknown(Undecided { reason: "it was too dark".to_owned() });
    let claims = [Claim::Rule(RULE)];
    for (checks, expected, reason) in [
        (vec![says(Verdict::Valid)], VerdictWord::Valid, None),
        (vec![says(Verdict::Valid), says(unknown())], VerdictWord::Unknown, Some("it was too dark")),
        (vec![says(unknown()), says(Verdict::Invalid(Vec::new()))], VerdictWord::Invalid, None),
        (vec![levels()], VerdictWord::Unknown, Some("nothing happened that the claim `said-to-hold` is about")),
    ] {
        let record = judged(false, &claims, checks).record;
        assert_eq!((record.claims[0].verdict, record.undecided.as_deref()), (expected, reason));
    }
}

#[test]
fn a_history_that_does_not_fit_what_judges_it_is_undecided_and_says_why() {
    let subject = Subject::Transactions(shakedown::checkers::transactions::Workload::ListAppend);
    let record = judged(false, &[Claim::Level(StrictSerializable)], vec![Check::Levels(subject)]).record;
    assert_eq!(record.verdict, VerdictWord::Unknown);
    assert!(record.undecided.as_ref().is_some_and(|reason| reason.contains("write")), "{:?}", record.undecided);
}
