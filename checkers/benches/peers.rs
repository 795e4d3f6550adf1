//! The crates that do the same, side by side: the same histories in memory, and the check alone.
//!
//! [`porcupine-rs`](https://docs.rs/porcupine-rs) 0.3 follows Porcupine: Wing & Gong's search with Lowe's memory, the history in a linked
//! list, keys apart and each on its own thread. [`todc-utils`](https://docs.rs/todc-utils) 0.1 does the same on vectors. Each gets operations
//! that are ready for it; what it makes of them first is part of its check, as it is of ours. `stateright`'s `LinearizabilityTester` remembers
//! no configuration and copies what is left of the history at each step: it is made for a dozen operations, and is not here.
//!
//! Each history is a group, so that a ratio is read off within one. `100keys-100k-c30` is 100 registers, 100,000 operations, 30 clients;
//! `etcd-170` are twenty histories like those of Jepsen's tests of etcd: 170 operations of 5 clients, values 0 to 4, a third compare-and-sets,
//! one in ten operations of unknown outcome.
//!
//! Left out: `porcupine-rs` on `r10k-c30-v5-cas` and `todc-utils` on `r10k-c10`, for want of an answer within 25 seconds; `todc-utils` on
//! `r10k-c10-v5-cas`, which takes it 12 seconds, and therefore on `r10k-c30-v5-cas`.

#[path = "../tests/definition/mod.rs"]
mod definition;
mod register;
#[path = "../tests/all/registers/mod.rs"]
mod registers;

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use registers::{Chance, Mixture, simulate};
use shakedown_checkers::{Budget, History, ModelName, Operation, Outcome, Value, linearizability};
use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History as Actions};
use todc_utils::specifications::Specification;

/// What an operation did to its register. `None` is nil, of which all registers are full at first.
#[derive(Clone, Copy, Debug)]
enum Effect {
    Read(Option<i64>),
    Write(i64),
    /// What it expects and leaves, and whether it is known to have succeeded.
    Cas(i64, i64, bool),
}

impl Effect {
    fn step(self, state: Option<i64>) -> (bool, Option<i64>) {
        match self {
            Effect::Read(value) => (value == state, state),
            Effect::Write(value) => (true, Some(value)),
            Effect::Cas(expected, new, _) if state == Some(expected) => (true, Some(new)),
            Effect::Cas(_, _, succeeded) => (!succeeded, state),
        }
    }
}

/// An operation that happened, or may have.
#[derive(Clone, Copy, Debug)]
struct Access {
    key: i64,
    effect: Effect,
}

/// The operations that a search must place: neither those that failed nor reads of unknown outcome.
fn accesses(history: &History) -> impl Iterator<Item = (Operation<'_>, Access)> {
    let number = |value: &Value| if let Value::Int(number) = value { Some(*number) } else { None };
    let certain = move |value: &Value| number(value).expect("the generators write integers");
    history.operations().filter_map(move |operation| {
        let known = operation.outcome() == Outcome::Ok;
        let effect = match (operation.function(), operation.argument().as_pair()) {
            _ if operation.outcome() == Outcome::Fail => return None,
            ("read", _) if known => Effect::Read(number(operation.result())),
            ("read", _) => return None,
            ("cas", Some((expected, new))) => Effect::Cas(certain(expected), certain(new), known),
            _ => Effect::Write(certain(operation.argument())),
        };
        Some((operation, Access { key: operation.key().and_then(number).unwrap_or(0), effect }))
    })
}

#[derive(Clone, Debug)]
struct Porcupine;

impl porcupine_rs::Model for Porcupine {
    type State = Option<i64>;
    type Op = Access;
    type Metadata = ();

    fn partition_operations(history: &[porcupine_rs::Operation<Self>]) -> Vec<Vec<porcupine_rs::Operation<Self>>> {
        let mut keys: BTreeMap<i64, Vec<porcupine_rs::Operation<Self>>> = BTreeMap::new();
        for operation in history {
            keys.entry(operation.op.key).or_default().push(operation.clone());
        }
        keys.into_values().collect()
    }

    fn init() -> Option<i64> {
        None
    }

    fn step(state: &Option<i64>, access: &Access) -> (bool, Option<i64>) {
        access.effect.step(*state)
    }
}

fn for_porcupine(history: &History) -> Vec<porcupine_rs::Operation<Porcupine>> {
    let ends = |operation: Operation<'_>| match operation.outcome() {
        Outcome::Ok => i64::from(operation.completed()),
        _ => i64::MAX,
    };
    accesses(history)
        .map(|(operation, op)| porcupine_rs::Operation {
            client_id: Some(operation.process()),
            call_time: i64::from(operation.invoked()),
            return_time: ends(operation),
            op,
            metadata: None,
        })
        .collect()
}

struct Todc;

impl Specification for Todc {
    type State = Option<i64>;
    type Operation = Effect;

    fn init() -> Option<i64> {
        None
    }

    fn apply(effect: &Effect, state: &Option<i64>) -> (bool, Option<i64>) {
        effect.step(*state)
    }
}

/// One history for each key.
fn for_todc(history: &History) -> Vec<Vec<(usize, Action<Effect>)>> {
    let mut keys: BTreeMap<i64, Vec<(u32, usize, Action<Effect>)>> = BTreeMap::new();
    for (operation, access) in accesses(history) {
        let events = keys.entry(access.key).or_default();
        let ends = if operation.outcome() == Outcome::Ok { operation.completed() } else { u32::MAX };
        // Each operation is a process of its own, as one of unknown outcome never ends.
        let process = events.len() / 2;
        events.push((operation.invoked(), process, Action::Call(access.effect)));
        events.push((ends, process, Action::Response(access.effect)));
    }
    let in_order = |mut events: Vec<(u32, usize, Action<Effect>)>| {
        events.sort_by_key(|(position, ..)| *position);
        events.into_iter().map(|(_, process, action)| (process, action)).collect()
    };
    keys.into_values().map(in_order).collect()
}

/// Which peers take part: those that answer within ten seconds or so.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Peers {
    None,
    Porcupine,
    Both,
}

fn compare(criterion: &mut Criterion, name: &str, histories: &[History], model: ModelName, peers: Peers) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    group.bench_function("shakedown", |bencher| {
        bencher.iter(|| {
            for history in histories {
                let verdict = linearizability::check(black_box(history), model, None, Budget::default());
                assert_eq!(verdict.expect("it fits").word(), "valid");
            }
        });
    });
    if peers >= Peers::Porcupine {
        let ready: Vec<_> = histories.iter().map(for_porcupine).collect();
        group.bench_function("porcupine-rs", |bencher| {
            bencher
                .iter(|| assert!(ready.iter().all(|operations| porcupine_rs::check_operations(black_box(operations)))));
        });
    }
    if peers == Peers::Both {
        let ready: Vec<_> = histories.iter().flat_map(for_todc).collect();
        // It takes its history apart, so it needs a new one each time.
        let make = || ready.iter().map(|actions| Actions::from_actions(actions.clone())).collect::<Vec<_>>();
        group.bench_function("todc-utils", |bencher| {
            bencher.iter_batched(
                make,
                |ready| assert!(ready.into_iter().all(WGLChecker::<Todc>::is_linearizable)),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn peers(criterion: &mut Criterion) {
    let one = |operations, clients, values, cas| [register::history(operations, clients, values, cas, false)];
    let cas = ModelName::CasRegister;
    compare(criterion, "r1k-c10", &one(1_000, 10, None, 0), cas, Peers::Both);
    compare(criterion, "r10k-c10", &one(10_000, 10, None, 0), cas, Peers::Porcupine);
    compare(criterion, "r10k-c10-v5-cas", &one(10_000, 10, Some(5), 3), cas, Peers::Porcupine);
    compare(criterion, "r10k-c30-v5-cas", &one(10_000, 30, Some(5), 3), cas, Peers::None);
    let keyed = Mixture { keys: 100, ..Mixture::of(100_000, 30) };
    let keyed = definition::history(ModelName::Kv, &simulate(keyed, &mut Chance::of(1)), true);
    compare(criterion, "100keys-100k-c30", &[keyed], ModelName::Kv, Peers::Both);
    let etcd = Mixture { values: Some(5), writes: 33, cas: 33, info: 10, ..Mixture::of(170, 5) };
    let etcd: Vec<History> =
        (0..20).map(|seed| definition::history(cas, &simulate(etcd, &mut Chance::of(seed)), false)).collect();
    compare(criterion, "etcd-170", &etcd, cas, Peers::Both);
}

criterion_group!(benches, peers);
criterion_main!(benches);
