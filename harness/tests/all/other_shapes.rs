//! Systems of other shapes than a replicated register: two nodes without a leader that serve transactions, with a claim and a model of
//! their own; a lock whose claim is a rule.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use shakedown::checkers::model::{Call, Model};
use shakedown::checkers::transactions::Workload as Transactions;
use shakedown::checkers::{Subject, Value};
use shakedown::door::Socket;
use shakedown::prelude::*;
use shakedown_results::VerdictWord;

// ---- Two shards, list-append ------------------------------------------------------------------------------------------------

/// One step of a transaction: an append of a value, or a read.
type Step = (u32, Option<i64>);

/// Transactions of three steps over four lists.
#[derive(Clone)]
struct Lists;

const LISTS: u32 = 4;
/// Each list is only ever added to, and each read shows all of it: judged list by list.
const ONLY_GROWS: Rule = Rule { name: "only-grows", summary: "what was read of a list stays at its beginning" };

impl Workload for Lists {
    type Planned = Vec<Step>;
    type Operation = Vec<Step>;
    type Value = Vec<Vec<i64>>;
    type Memory = ();

    fn name(&self) -> &'static str {
        "lists"
    }

    fn setup(&self) -> Vec<Vec<Step>> {
        (0..LISTS).map(|list| vec![(list, Some(0))]).collect()
    }

    fn plan(&self, client: u32, clients: u32, operations: usize, chance: &mut impl Rng) -> Vec<Vec<Step>> {
        let mut fresh = i64::from(client) + 1;
        let mut transaction = || {
            // All its lists are of one shard.
            let shard = chance.random_range(0..2);
            let mut step = || {
                fresh += i64::from(clients);
                (shard + 2 * chance.random_range(0..LISTS / 2), chance.random_bool(0.5).then_some(fresh))
            };
            (0..3).map(|_| step()).collect()
        };
        (0..operations).map(|_| transaction()).collect()
    }

    /// Both nodes must answer.
    fn probe(&self, client: u32, attempt: u32) -> Vec<Vec<Step>> {
        let value = 1_000_000 * (i64::from(attempt) + 1) + i64::from(client);
        (0..2).map(|list| vec![(list, Some(value))]).collect()
    }

    fn last_look(&self, _: u32, _: u32, _: &[String]) -> Vec<Look<Vec<Step>>> {
        let all_of = |shard| Look { operation: vec![(shard, None), (shard + 2, None)], at: None };
        vec![all_of(0), all_of(1)]
    }

    fn resolve(planned: &Vec<Step>, (): &()) -> Vec<Step> {
        planned.clone()
    }

    fn invocation(operation: &Vec<Step>) -> Invocation {
        let unread = vec![None; operation.len()];
        Invocation { function: "txn", key: None, value: steps(operation, &unread) }
    }

    fn completion(operation: &Vec<Step>, read: &Vec<Vec<i64>>) -> Value {
        steps(operation, &read.iter().map(Some).collect::<Vec<_>>())
    }

    fn checks(&self) -> Vec<Check> {
        vec![Check::Levels(Subject::Transactions(Transactions::ListAppend)), Check::model(ONLY_GROWS, Growing)]
    }

    fn figures(&self, history: &shakedown::checkers::History) -> Vec<(&'static str, u64)> {
        vec![("transactions", history.len() as u64)]
    }
}

/// As Elle writes them: `[["append", 1, 7], ["r", 2, [3, 4]]]`.
fn steps(operation: &[Step], read: &[Option<&Vec<i64>>]) -> Value {
    let list = |values: &Vec<i64>| Value::List(values.iter().copied().map(Value::Int).collect());
    let step = |(&(list_id, append), read): (&Step, &Option<&Vec<i64>>)| {
        let (function, value) = match append {
            Some(value) => ("append", Value::Int(value)),
            None => ("r", read.map_or(Value::Nil, list)),
        };
        Value::List([Value::text(function), Value::Int(i64::from(list_id)), value].into())
    };
    Value::List(operation.iter().zip(read).map(step).collect())
}

/// All lists as one object: the longest that was read of each so far.
struct Growing;

impl Model for Growing {
    type State = BTreeMap<Value, Vec<Value>>;

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    fn step(&self, state: &Self::State, call: Call<'_>) -> Option<Self::State> {
        let mut state = state.clone();
        let Some(Value::List(steps)) = call.result else { return Some(state) };
        for step in steps {
            let Value::List(step) = step else { return None };
            let [_, list, Value::List(read)] = &**step else { continue };
            let known = state.entry(list.clone()).or_default();
            if !read.starts_with(known) {
                return None;
            }
            *known = read.to_vec();
        }
        Some(state)
    }
}

/// Even lists live on the first node, odd ones on the second; each does one transaction at a time.
struct Shards {
    forgets_last: bool,
}

#[derive(Serialize, Deserialize)]
struct Asked {
    number: u64,
    steps: Vec<Step>,
}

impl System for Shards {
    type Client = ShardClient;

    fn node(&self, node: Node) -> impl Future<Output = Result<(), Failure>> + 'static {
        let forgets_last = self.forgets_last;
        async move {
            let socket = node.bind(7000)?;
            let mut lists: BTreeMap<u32, Vec<i64>> = match node.disk.read("lists") {
                Ok(bytes) => bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).try_fold(
                    BTreeMap::new(),
                    |mut lists: BTreeMap<u32, Vec<i64>>, line| {
                        let (list, value): (u32, i64) = serde_json::from_slice(line)?;
                        lists.entry(list).or_default().push(value);
                        Ok::<_, Failure>(lists)
                    },
                )?,
                Err(_) => BTreeMap::new(),
            };
            if forgets_last {
                for list in lists.values_mut() {
                    list.pop();
                }
            }
            loop {
                let (from, bytes) = socket.receive().await;
                let Asked { number, steps } = serde_json::from_slice(&bytes)?;
                let mut answer = Vec::new();
                for (list, append) in steps {
                    let values = lists.entry(list).or_default();
                    if let Some(value) = append {
                        node.disk.append("lists", format!("{}\n", serde_json::json!([list, value])).as_bytes())?;
                        values.push(value);
                    }
                    answer.push(values.clone());
                }
                socket.send(&from, &serde_json::to_vec(&(number, answer))?);
            }
        }
    }

    fn client(&self, client: Client) -> ShardClient {
        ShardClient { socket: client.bind(0).expect("a port is free"), client, number: 0 }
    }
}

struct ShardClient {
    client: Client,
    socket: Socket,
    number: u64,
}

impl Invoke<Lists> for ShardClient {
    async fn invoke(&mut self, operation: &Vec<Step>) -> Outcome<Vec<Vec<i64>>> {
        self.number += 1;
        let asked = Asked { number: self.number, steps: operation.clone() };
        let shard = operation.first().map_or(0, |(list, _)| *list as usize % self.client.cluster.len());
        let to = Address { host: Arc::clone(&self.client.cluster[shard]), port: 7000 };
        self.socket.send(&to, &serde_json::to_vec(&asked).expect("it has a JSON form"));
        let answered = async {
            loop {
                let (_, bytes) = self.socket.receive().await;
                let (number, read): (u64, Vec<Vec<i64>>) = serde_json::from_slice(&bytes).expect("nodes speak JSON");
                if number == self.number {
                    return read;
                }
            }
        };
        match tokio::time::timeout(Duration::from_millis(100), answered).await {
            Ok(read) => Outcome::Ok(read),
            Err(_) => Outcome::Info("a shard does not answer".to_owned()),
        }
    }
}

#[test]
fn two_nodes_without_a_leader_hold_what_they_claim_of_transactions() {
    let out = tempfile::tempdir().expect("there is room");
    let shards = |forgets_last| {
        let test =
            test(Shards { forgets_last }).nodes(2).workload(Lists).out(out.path()).faults(&["kill", "loss", "one-way"]);
        test.claim(StrictSerializable).claim(ONLY_GROWS).time(Duration::from_secs(2)).operations(100)
    };
    let summary = shards(false).seeds(0..12).verify_determinism().check().expect("it holds");
    assert!(summary.runs.iter().all(|run| run.figures["transactions"] > 100 && run.recovered));
    let targets = summary.runs.iter().flat_map(|run| &run.applied_faults).filter(|fault| fault.began.is_some());
    assert!(targets.count() > 6, "of a system that has no leader, no fault waits for one");
    let failure = shards(true).check().expect_err("it forgets").to_string();
    assert!(failure.contains("is broken"), "{failure}");
}

#[test]
fn a_claim_of_ones_own_is_refuted_by_ones_own_model() {
    let out = tempfile::tempdir().expect("there is room");
    let test =
        test(Shards { forgets_last: true }).nodes(2).workload(Lists).out(out.path()).claim(ONLY_GROWS).operations(60);
    let failure = test.faults(&["kill", "crash"]).check().expect_err("it forgets").to_string();
    assert!(failure.contains("only-grows is broken"), "{failure}");
}

// ---- A lock -----------------------------------------------------------------------------------------------------------------

/// Clients take a lock and give it back.
#[derive(Clone)]
struct Locking;

const MUTUAL_EXCLUSION: Rule = Rule { name: "mutual-exclusion", summary: "no two clients hold the lock at once" };

/// What a client plans: to take it, or to give it back if it has it; in the end only the latter.
#[derive(Clone, Serialize, Deserialize)]
enum Planned {
    Turn,
    Rest,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Wish {
    Acquire,
    Release,
    Look,
}

/// One holder at a time; looking is always allowed.
struct Exclusive;

impl Model for Exclusive {
    type State = Option<u32>;

    fn initial(&self) -> Option<u32> {
        None
    }

    fn step(&self, holder: &Option<u32>, call: Call<'_>) -> Option<Option<u32>> {
        match (call.function, holder) {
            ("acquire", None) => Some(Some(call.process)),
            ("release", Some(process)) => (*process == call.process).then_some(None),
            ("look", holder) => Some(*holder),
            _ => None,
        }
    }

    fn distinguishes_processes(&self) -> bool {
        true
    }
}

impl Workload for Locking {
    type Planned = Planned;
    type Operation = Wish;
    type Value = ();
    type Memory = bool;

    fn name(&self) -> &'static str {
        "lock"
    }

    fn plan(&self, _: u32, _: u32, operations: usize, _: &mut impl Rng) -> Vec<Planned> {
        vec![Planned::Turn; operations]
    }

    fn probe(&self, _: u32, _: u32) -> Vec<Planned> {
        vec![Planned::Rest]
    }

    fn resolve(planned: &Planned, holds: &bool) -> Wish {
        match (planned, holds) {
            (_, true) => Wish::Release,
            (Planned::Turn, false) => Wish::Acquire,
            (Planned::Rest, false) => Wish::Look,
        }
    }

    fn remember(holds: &mut bool, wish: &Wish, outcome: &Outcome<()>) {
        match (wish, outcome) {
            (Wish::Acquire, Outcome::Ok(())) => *holds = true,
            (Wish::Release, Outcome::Ok(()) | Outcome::Info(_)) => *holds = false,
            _ => {}
        }
    }

    fn invocation(wish: &Wish) -> Invocation {
        let function = match wish {
            Wish::Acquire => "acquire",
            Wish::Release => "release",
            Wish::Look => "look",
        };
        Invocation { function, key: None, value: Value::Nil }
    }

    fn completion(_: &Wish, (): &()) -> Value {
        Value::Nil
    }

    fn checks(&self) -> Vec<Check> {
        vec![Check::model(MUTUAL_EXCLUSION, Exclusive)]
    }
}

/// One process that remembers in memory who holds the lock.
struct LockService;

impl System for LockService {
    type Client = LockClient;

    #[expect(clippy::manual_async_fn, reason = "an async function would borrow the system")]
    fn node(&self, node: Node) -> impl Future<Output = Result<(), Failure>> + 'static {
        async move {
            let socket = node.bind(7000)?;
            let mut holder: Option<(u32, u64)> = None;
            loop {
                let (from, bytes) = socket.receive().await;
                let (wish, number, hold): (Wish, u64, (u32, u64)) = serde_json::from_slice(&bytes)?;
                let granted = match wish {
                    Wish::Acquire => holder.is_none_or(|held| held == hold),
                    Wish::Release | Wish::Look => true,
                };
                match wish {
                    Wish::Acquire if granted => holder = Some(hold),
                    Wish::Release if holder == Some(hold) => holder = None,
                    _ => {}
                }
                socket.send(&from, &serde_json::to_vec(&(number, granted))?);
            }
        }
    }

    fn client(&self, client: Client) -> LockClient {
        LockClient { socket: client.bind(0).expect("a port is free"), client, number: 0, hold: 0 }
    }
}

struct LockClient {
    client: Client,
    socket: Socket,
    number: u64,
    /// The number of the request by which it holds the lock.
    hold: u64,
}

impl Invoke<Locking> for LockClient {
    async fn invoke(&mut self, wish: &Wish) -> Outcome<()> {
        self.number += 1;
        if *wish == Wish::Acquire {
            self.hold = self.number;
        }
        let request =
            serde_json::to_vec(&(wish, self.number, (self.client.number, self.hold))).expect("it has a JSON form");
        let to = Address { host: self.client.home().clone(), port: 7000 };
        for _ in 0..60 {
            self.socket.send(&to, &request);
            let answer = tokio::time::timeout(Duration::from_millis(50), self.socket.receive()).await;
            let Ok((_, bytes)) = answer else { continue };
            let (number, granted): (u64, bool) = serde_json::from_slice(&bytes).expect("nodes speak JSON");
            if number == self.number {
                return if granted { Outcome::Ok(()) } else { Outcome::Fail("somebody holds it".to_owned()) };
            }
        }
        Outcome::Info("no answer".to_owned())
    }
}

#[test]
fn a_lock_is_judged_by_a_rule() {
    let out = tempfile::tempdir().expect("there is room");
    let lock = || test(LockService).nodes(1).workload(Locking).claim(MUTUAL_EXCLUSION).out(out.path());
    let summary = lock().faults(&["loss", "delay"]).seeds(0..12).verify_determinism().check().expect("it holds");
    for run in &summary.runs {
        assert_eq!(run.claims[0].claim, "mutual-exclusion");
        assert!(run.claims[0].verdict == VerdictWord::Valid && run.operations.ok > 50, "{:?}", run.operations);
        assert!(run.fingerprint.is_empty(), "nothing else is judged of it");
    }
    let failure = lock().faults(&["crash"]).check().expect_err("it forgets who holds it").to_string();
    assert!(failure.contains("lock-service lock seed") && failure.contains("mutual-exclusion is broken"), "{failure}");
}
