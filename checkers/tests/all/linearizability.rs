//! The checker against the definition: every order of a small history, tried one by one.

use proptest::prelude::*;
use shakedown_checkers::history::{Event, EventType, HistoryBuilder, NEVER, Process};
use shakedown_checkers::{
    Budget, History, ModelName, Operation, OperationId, Outcome, Value, Verdict, linearizability,
};

/// What one process does next: begin something if it is idle, else end what it began.
#[derive(Clone, Debug)]
struct Step {
    process: u32,
    function: u8,
    key: u8,
    value: i64,
    other: i64,
    ending: u8,
    honest: bool,
}

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = (0..4u32, 0..8u8, 0..2u8, 0..3i64, 0..3i64, 0..10u8, prop::bool::weighted(0.8)).prop_map(
        |(process, function, key, value, other, ending, honest)| Step {
            process,
            function,
            key,
            value,
            other,
            ending,
            honest,
        },
    );
    prop::collection::vec(step, 0..most)
}

/// The history of the steps. Honest completions answer what an atomic object would have answered at that moment, so that a
/// fair share of the histories is valid; the others answer anything.
fn history(steps: &[Step], keyed: bool, mutex: bool) -> History {
    let mut builder = HistoryBuilder::new();
    let mut open: [Option<(&'static str, Option<Value>, Value)>; 4] = Default::default();
    let mut names = [0u32, 1, 2, 3];
    let mut state = [Value::Nil, Value::Nil];
    for step in steps {
        let at = step.process as usize;
        let slot = if keyed { usize::from(step.key) } else { 0 };
        match open[at].take() {
            None => {
                let (function, value) = match step.function {
                    0..=2 if mutex => ("acquire", Value::Nil),
                    _ if mutex => ("release", Value::Nil),
                    0..=3 => ("read", Value::Nil),
                    4 | 5 => ("write", Value::Int(step.value)),
                    _ => ("cas", Value::pair(Value::Int(step.value), Value::Int(step.other))),
                };
                let key = keyed.then_some(Value::Int(slot as i64));
                push(&mut builder, names[at], EventType::Invoke, function, key.clone(), value.clone());
                open[at] = Some((function, key, value));
            }
            Some((function, key, value)) => {
                let slot = match key {
                    Some(Value::Int(key)) => key as usize,
                    _ => 0,
                };
                let event_type = match step.ending {
                    0 => EventType::Fail,
                    1 | 2 => EventType::Info,
                    _ => EventType::Ok,
                };
                let mut answer = value.clone();
                if function == "read" && event_type == EventType::Ok {
                    answer = if step.honest { state[slot].clone() } else { Value::Int(step.value) };
                }
                if event_type == EventType::Ok || (event_type == EventType::Info && step.honest) {
                    match (function, value.as_pair()) {
                        ("write", _) => state[slot] = value.clone(),
                        ("cas", Some((expected, new))) if state[slot] == *expected => state[slot] = new.clone(),
                        _ => {}
                    }
                }
                push(&mut builder, names[at], event_type, function, key, answer);
                if event_type == EventType::Info {
                    names[at] += 4;
                }
            }
        }
    }
    builder.finish()
}

fn push(builder: &mut HistoryBuilder, process: u32, event_type: EventType, f: &str, key: Option<Value>, value: Value) {
    let event = Event {
        index: None,
        time: None,
        process: Process::Client(process),
        event_type,
        function: f.to_owned(),
        key,
        value,
        error: None,
    };
    builder.push(event).expect("the generator keeps the rules");
}

/// The definition, and nothing else: some order of all operations that must happen, and of any that may, that keeps real
/// time and is legal.
fn orders(operations: &[(Operation<'_>, bool)], placed: &mut Vec<bool>, state: &Value) -> bool {
    if operations.iter().zip(placed.iter()).all(|((_, must), placed)| *placed || !must) {
        return true;
    }
    let closes = |(operation, must): &(Operation<'_>, bool)| {
        if *must || operation.outcome() == Outcome::Ok { operation.completed() } else { NEVER }
    };
    for at in 0..operations.len() {
        if placed[at] {
            continue;
        }
        let waits = operations
            .iter()
            .zip(placed.iter())
            .any(|(other, placed)| other.1 && !placed && closes(other) < operations[at].0.invoked());
        if waits {
            continue;
        }
        if let Some(next) = step(operations[at].0, operations[at].1, state) {
            placed[at] = true;
            // An operation that is not placed before its end never is: it must not come after what began later.
            let late = operations
                .iter()
                .zip(placed.iter())
                .enumerate()
                .any(|(n, (other, placed))| n != at && *placed && closes(&operations[at]) < other.0.invoked());
            if !late && orders(operations, placed, &next) {
                return true;
            }
            placed[at] = false;
        }
    }
    false
}

fn step(operation: Operation<'_>, must: bool, state: &Value) -> Option<Value> {
    match (operation.function(), operation.argument().as_pair()) {
        ("read", _) => (!must || operation.result() == state).then(|| state.clone()),
        ("write", _) => Some(operation.argument().clone()),
        ("cas", Some((expected, new))) => (state == expected).then(|| new.clone()),
        ("acquire", _) => (*state == Value::Nil).then_some(Value::Bool(true)),
        ("release", _) => (*state != Value::Nil).then_some(Value::Nil),
        _ => None,
    }
}

/// Whether some order is legal, key by key. `bound` tells whether an operation that was `ok` must happen.
fn has_order(history: &History, bound: impl Fn(OperationId) -> bool) -> bool {
    let mut keys: Vec<_> = history.operations().map(|operation| operation.key_id()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter().all(|key| {
        let operations: Vec<(Operation<'_>, bool)> = history
            .operations()
            .filter(|operation| operation.key_id() == key && operation.outcome() != Outcome::Fail)
            .map(|operation| (operation, operation.outcome() == Outcome::Ok && bound(operation.id())))
            .collect();
        let mut placed = vec![false; operations.len()];
        orders(&operations, &mut placed, &Value::Nil)
    })
}

fn check(history: &History, model: ModelName) -> Verdict {
    linearizability::check(history, model, None, Budget::default()).expect("the generator fits the model")
}

fn written(history: &History) -> String {
    let mut lines = Vec::new();
    shakedown_checkers::history::write_json_lines(history, &mut lines).expect("memory takes all");
    String::from_utf8(lines).expect("it is text")
}

fn agrees_with_the_definition(history: &History, model: ModelName) -> Result<(), TestCaseError> {
    let verdict = check(history, model);
    let expected = if has_order(history, |_| true) { "valid" } else { "invalid" };
    prop_assert_eq!(verdict.word(), expected, "{}", written(history));
    for anomaly in verdict.anomalies() {
        let key = history.operation(anomaly.proof[0]).key_id();
        let object = history.restricted_to(|id| history.operation(id).key_id() == key);
        let rows: Vec<OperationId> = history
            .operations()
            .filter(|operation| operation.key_id() == key)
            .map(|operation| operation.id())
            .collect();
        let proves = |id: OperationId| anomaly.proof.contains(&rows[id.row()]);
        prop_assert!(
            !has_order(&object, proves),
            "the proof {:?} does not prove it:\n{}",
            anomaly.proof,
            written(history)
        );
        for spared in &anomaly.proof {
            let fewer = |id: OperationId| proves(id) && rows[id.row()] != *spared;
            prop_assert!(has_order(&object, fewer), "{:?} is not needed in {:?}", spared, anomaly.proof);
        }
        let shown = anomaly.operations();
        let alone = history.restricted_to(|id| shown.contains(&id));
        prop_assert!(!has_order(&alone, |_| true), "what is shown is legal by itself: {:?}", shown);
        prop_assert!(!anomaly.sentence.is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn a_cas_register_is_judged_as_the_definition_does(steps in steps(16)) {
        agrees_with_the_definition(&history(&steps, false, false), ModelName::CasRegister)?;
    }

    #[test]
    fn keys_are_judged_each_by_itself(steps in steps(18)) {
        agrees_with_the_definition(&history(&steps, true, false), ModelName::Kv)?;
    }

    #[test]
    fn a_mutex_is_judged_as_the_definition_does(steps in steps(16)) {
        agrees_with_the_definition(&history(&steps, false, true), ModelName::Mutex)?;
    }

    #[test]
    fn leaving_out_a_read_keeps_a_valid_history_valid(steps in steps(40), which in any::<prop::sample::Index>()) {
        let history = history(&steps, true, false);
        let reads: Vec<_> = history.operations().filter(|o| o.function() == "read").map(|o| o.id()).collect();
        if !reads.is_empty() && check(&history, ModelName::Kv) == Verdict::Valid {
            let left_out = which.get(&reads);
            let fewer = history.restricted_to(|id| id != *left_out);
            prop_assert_eq!(check(&fewer, ModelName::Kv), Verdict::Valid);
        }
    }

    #[test]
    fn a_search_with_too_small_a_budget_does_not_guess(steps in steps(30)) {
        let history = history(&steps, false, false);
        let full = check(&history, ModelName::CasRegister);
        let small = Budget::of_configurations(2);
        let little = linearizability::check(&history, ModelName::CasRegister, None, small).expect("it fits");
        prop_assert!(little.word() == full.word() || little.word() == "unknown");
    }
}

#[test]
fn a_stale_read_is_named_and_told_in_one_sentence() {
    let mut builder = HistoryBuilder::new();
    let mut at = 0;
    for (process, event_type, function, value) in [
        (0, EventType::Invoke, "write", 4),
        (0, EventType::Ok, "write", 4),
        (1, EventType::Invoke, "write", 5),
        (1, EventType::Ok, "write", 5),
        (2, EventType::Invoke, "read", 0),
        (2, EventType::Ok, "read", 4),
    ] {
        at += 100_000_000;
        let value = if event_type == EventType::Invoke && function == "read" { Value::Nil } else { Value::Int(value) };
        let event = Event {
            index: None,
            time: Some(at),
            process: Process::Client(process),
            event_type,
            function: function.to_owned(),
            key: Some(Value::Int(7)),
            value,
            error: None,
        };
        builder.push(event).expect("it keeps the rules");
    }
    let verdict = check(&builder.finish(), ModelName::Kv);
    let anomaly = &verdict.anomalies()[0];
    assert_eq!(anomaly.name, "stale-read");
    assert_eq!(
        anomaly.sentence,
        "process 2 read 4 from key 7 at 0.600 s, although process 1 had completed writing 5 at 0.400 s and nobody wrote 4 \
         to key 7 between"
    );
    assert_eq!(anomaly.proof, [OperationId(1), OperationId(2)]);
    assert_eq!(anomaly.sources, [OperationId(0)]);
}

#[test]
fn a_value_that_stands_only_in_arguments_of_cas_is_still_a_value_of_its_own() {
    let mut builder = HistoryBuilder::new();
    let pair = |a, b| Value::pair(a, b);
    for (process, value) in [(0, pair(Value::Nil, Value::Int(70))), (0, pair(Value::Int(71), Value::Int(72)))] {
        push(&mut builder, process, EventType::Invoke, "cas", None, value.clone());
        push(&mut builder, process, EventType::Ok, "cas", None, value);
    }
    assert_eq!(check(&builder.finish(), ModelName::CasRegister).word(), "invalid");
}
