//! Histories of several objects: each is judged as if there were no other.

use shakedown_checkers::Value;
use shakedown_checkers::invariants::{self, Invariant, Options};

use super::histories::{Chance, Op, histories, history, intervals, number};
use super::{bank, counter, long_fork, monotonic, queue, sets, staleness, unique_ids};

fn fill(invariant: Invariant) -> fn(&mut Chance, &mut [Op]) {
    match invariant {
        Invariant::Bank => bank::fill,
        Invariant::Set | Invariant::SetFull => sets::fill,
        Invariant::Counter => counter::fill,
        Invariant::Queue => queue::fill,
        Invariant::LongFork => long_fork::fill,
        Invariant::UniqueIds => unique_ids::fill,
        Invariant::Monotonic => monotonic::fill,
        Invariant::Staleness => staleness::fill,
    }
}

/// The names of all that is wrong, with the number of operations that prove it; counts that add up; and how it ends.
type Told = (Vec<(&'static str, Vec<u32>)>, Vec<(&'static str, u64)>);

fn told(ops: &[Op], invariant: Invariant, options: &Options) -> Told {
    let history = history(ops);
    let report = invariants::judge(&history, invariant, options).expect("the generator fits the invariant");
    let position = |id: &shakedown_checkers::OperationId| history.operation(*id).invoked();
    let anomalies = report.verdict.anomalies().iter().map(|a| (a.name, a.proof.iter().map(position).collect()));
    let adds_up = |name: &str| !["-p50", "-p90", "-p99", "-max"].iter().any(|end| name.contains(end));
    (anomalies.collect(), report.figures.into_iter().filter(|(name, _)| adds_up(name)).collect())
}

/// The operations of one key, alone: their events, numbered anew.
fn alone(ops: &[Op], key: &Value) -> (Vec<Op>, Vec<u32>) {
    let mut mine: Vec<Op> = ops.iter().filter(|op| op.key.as_ref() == Some(key)).cloned().collect();
    let ends = mine.iter().map(|op| op.completed).filter(|end| *end < u32::MAX);
    let mut events: Vec<u32> = mine.iter().map(|op| op.invoked).chain(ends).collect();
    events.sort_unstable();
    let renamed = |event: u32| events.binary_search(&event).map_or(event, |place| place as u32);
    for op in &mut mine {
        op.key = None;
        (op.invoked, op.completed) = (renamed(op.invoked), renamed(op.completed));
    }
    (mine, events)
}

#[test]
fn keys_are_judged_as_if_they_were_alone() {
    for seed in 0..histories() {
        let mut chance = Chance::of(seed);
        let invariant = Invariant::ALL[chance.below(Invariant::ALL.len())];
        let mut ops = intervals(&mut chance);
        let keys = [number(7), Value::text("b")];
        for op in &mut ops {
            op.key = Some(keys[chance.below(2)].clone());
        }
        let options = Options { linearizable: true, max_versions: Some(0), ..Options::default() };
        let (mut anomalies, mut figures) = (Vec::new(), Vec::<(&str, u64)>::new());
        let order = |key: &&Value| ops.iter().position(|op| op.key.as_ref() == Some(*key));
        let mut used: Vec<Value> = keys.iter().filter(|key| order(key).is_some()).cloned().collect();
        used.sort_by_key(|key| order(&key));
        for key in &used {
            let mut mine: Vec<Op> = ops.iter().filter(|op| op.key.as_ref() == Some(key)).cloned().collect();
            fill(invariant)(&mut chance, &mut mine);
            for op in &mut ops {
                if let Some(filled) = mine.iter().find(|filled| filled.invoked == op.invoked) {
                    *op = filled.clone();
                }
            }
            let (mine, events) = alone(&ops, key);
            let (wrong, counted) = told(&mine, invariant, &options);
            anomalies.extend(wrong.into_iter().map(|(name, proof)| {
                (name, proof.into_iter().map(|event| events[event as usize]).collect::<Vec<u32>>())
            }));
            for (name, count) in counted {
                match figures.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, sum)) => *sum += count,
                    None => figures.push((name, count)),
                }
            }
        }
        let (mut found, mut counts) = told(&ops, invariant, &options);
        // How a time is told, and so which read is the worst, may differ: only versions and names have to agree there.
        if invariant == Invariant::Staleness {
            anomalies.iter_mut().chain(&mut found).for_each(|(_, proof)| proof.clear());
        }
        anomalies.sort();
        found.sort();
        figures.sort_unstable();
        counts.sort_unstable();
        let rules = format!("{}, seed {seed}: {ops:#?}", invariant.name());
        assert_eq!((found, counts), (anomalies, figures), "{rules}");
    }
}

#[test]
fn an_anomaly_of_a_key_names_the_key() {
    for invariant in Invariant::ALL {
        let mut named = 0;
        for seed in 0..300 {
            let mut chance = Chance::of(seed);
            let mut ops = intervals(&mut chance);
            fill(invariant)(&mut chance, &mut ops);
            ops.iter_mut().for_each(|op| op.key = Some(Value::text("accounts-of-ann")));
            let options = Options { linearizable: true, max_versions: Some(0), ..Options::default() };
            let verdict = invariants::check(&history(&ops), invariant, &options).expect("it fits");
            for anomaly in verdict.anomalies() {
                assert!(anomaly.sentence.contains("of key accounts-of-ann"), "{}", anomaly.sentence);
                named += 1;
            }
        }
        assert!(named > 0, "{}", invariant.name());
    }
}
