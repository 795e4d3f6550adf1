//! Every model against the definition, on many small histories.
//!
//! `SHAKEDOWN_HISTORIES` tells how many histories a test tries; a failure prints the seed and the history.

use crate::definition;

use definition::{Op, PERMITS, Shape, generate, history, is_linearizable, long};
use shakedown_checkers::{Budget, ModelName, Outcome, Value, Verdict, linearizability};

fn histories() -> u64 {
    std::env::var("SHAKEDOWN_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(20_000)
}

fn check(shape: Shape, ops: &[Op]) -> Verdict {
    let history = history(shape.model, ops, shape.keys > 1);
    let permits = (shape.model == ModelName::Semaphore).then_some(Value::Int(PERMITS));
    linearizability::check(&history, shape.model, permits.as_ref(), Budget::default())
        .expect("the generator fits the model")
}

/// Judges many histories of these shapes, and holds each verdict, and each proof, against the definition.
fn agrees_with_the_definition(shapes: &[Shape]) {
    let (mut valid, mut invalid) = (0, 0);
    for seed in 0..histories() {
        let shape = shapes[seed as usize % shapes.len()];
        let ops = generate(shape, seed);
        let verdict = check(shape, &ops);
        let expected = is_linearizable(shape.model, &ops);
        let told = || format!("seed {seed} of {shape:?}: {verdict:?}\n{ops:#?}");
        assert_eq!(verdict.word(), if expected { "valid" } else { "invalid" }, "{}", told());
        *if expected { &mut valid } else { &mut invalid } += 1;
        for anomaly in verdict.anomalies() {
            let shown = |at: usize| anomaly.proof.iter().any(|id| id.row() == at);
            let alone: Vec<Op> =
                ops.iter().enumerate().filter(|(at, _)| shown(*at)).map(|(_, op)| op.clone()).collect();
            assert!(!is_linearizable(shape.model, &alone), "what is shown is legal by itself: {}", told());
            assert!(!anomaly.sentence.is_empty());
        }
    }
    let share = 100 * invalid / (valid + invalid);
    eprintln!("{:?}: {valid} valid, {invalid} invalid", shapes[0].model);
    assert!((12..=88).contains(&share), "{share} % of the histories of {:?} are invalid", shapes[0].model);
}

/// The usual mixtures: few and many processes, several objects, no unknown outcomes and many.
fn mixtures(model: ModelName) -> Vec<Shape> {
    let shape = Shape::of(model);
    vec![
        shape,
        Shape { processes: 4, operations: 9, ..shape },
        Shape { keys: 2, operations: 10, ..shape },
        Shape { unknown: 0, operations: 10, ..shape },
        Shape { unknown: 6, operations: 7, ..shape },
    ]
}

/// The same, half of them with values that do not repeat.
fn distinct_mixtures(model: ModelName) -> Vec<Shape> {
    let shapes = mixtures(model);
    let distinct = shapes.iter().map(|shape| Shape { distinct: true, ..*shape });
    distinct.chain(shapes.iter().copied()).collect()
}

#[test]
fn a_register_is_judged_as_the_definition_does() {
    agrees_with_the_definition(&[mixtures(ModelName::Register)[0], mixtures(ModelName::Register)[3]]);
}

#[test]
fn a_cas_register_is_judged_as_the_definition_does() {
    agrees_with_the_definition(&distinct_mixtures(ModelName::CasRegister));
}

#[test]
fn registers_with_keys_are_judged_as_the_definition_does() {
    agrees_with_the_definition(&distinct_mixtures(ModelName::Kv));
}

#[test]
fn a_string_is_judged_as_the_definition_does() {
    agrees_with_the_definition(&distinct_mixtures(ModelName::StringKv));
}

#[test]
fn registers_of_one_object_are_judged_as_the_definition_does() {
    let one_object = mixtures(ModelName::MultiRegister).into_iter().filter(|shape| shape.keys == 1);
    agrees_with_the_definition(&one_object.collect::<Vec<_>>());
}

#[test]
fn a_mutex_is_judged_as_the_definition_does() {
    agrees_with_the_definition(&mixtures(ModelName::Mutex));
}

#[test]
fn an_owner_mutex_is_judged_as_the_definition_does() {
    agrees_with_the_definition(&mixtures(ModelName::OwnerMutex));
}

#[test]
fn a_reentrant_mutex_is_judged_as_the_definition_does() {
    agrees_with_the_definition(&mixtures(ModelName::ReentrantMutex));
}

#[test]
fn a_fenced_mutex_is_judged_as_the_definition_does() {
    agrees_with_the_definition(&mixtures(ModelName::FencedMutex));
}

#[test]
fn a_reentrant_fenced_mutex_is_judged_as_the_definition_does() {
    agrees_with_the_definition(&mixtures(ModelName::ReentrantFencedMutex));
}

#[test]
fn a_fifo_queue_is_judged_as_the_definition_does() {
    agrees_with_the_definition(&distinct_mixtures(ModelName::FifoQueue));
}

#[test]
fn an_unordered_queue_is_judged_as_the_definition_does() {
    agrees_with_the_definition(&distinct_mixtures(ModelName::UnorderedQueue));
}

#[test]
fn a_stack_is_judged_as_the_definition_does() {
    agrees_with_the_definition(&distinct_mixtures(ModelName::Stack));
}

#[test]
fn a_priority_queue_is_judged_as_the_definition_does() {
    let mut shapes = distinct_mixtures(ModelName::PriorityQueue);
    let one_end: [&'static [&'static str]; 2] = [&["delete-max"], &["delete-min"]];
    for without in one_end {
        shapes.extend(distinct_mixtures(ModelName::PriorityQueue).iter().map(|shape| Shape { without, ..*shape }));
    }
    agrees_with_the_definition(&shapes);
}

#[test]
fn a_semaphore_is_judged_as_the_definition_does() {
    agrees_with_the_definition(&mixtures(ModelName::Semaphore));
}

#[test]
fn a_set_is_judged_as_the_definition_does() {
    let mut shapes = distinct_mixtures(ModelName::Set);
    shapes.extend(distinct_mixtures(ModelName::Set).iter().map(|shape| Shape { without: &["read"], ..*shape }));
    let grows = distinct_mixtures(ModelName::Set);
    shapes.extend(grows.iter().map(|shape| Shape { without: &["remove", "contains"], ..*shape }));
    agrees_with_the_definition(&shapes);
}

#[test]
fn a_counter_is_judged_as_the_definition_does() {
    agrees_with_the_definition(&mixtures(ModelName::Counter));
}

/// Holds what is left of a valid history after a change against what it was, for every other seed of a container.
fn keeps_valid_histories_valid(change: impl Fn(&mut Vec<Op>, i64)) {
    for model in [ModelName::FifoQueue, ModelName::UnorderedQueue, ModelName::Stack] {
        let shape = Shape { distinct: true, operations: 14, processes: 5, ..Shape::of(model) };
        let mut valid = 0;
        for seed in 0..histories() / 10 {
            let mut ops = generate(shape, seed);
            if check(shape, &ops) == Verdict::Valid {
                valid += 1;
                change(&mut ops, 1 + seed as i64 % 8);
                assert_eq!(check(shape, &ops), Verdict::Valid, "seed {seed} of {shape:?}\n{ops:#?}");
            }
        }
        assert!(valid > histories() / 100);
    }
}

#[test]
fn leaving_out_an_element_keeps_a_valid_history_valid() {
    // A take of unknown outcome stays: it may have taken any other.
    let of = |op: &Op, element| op.argument == [element] || (op.outcome == Outcome::Ok && op.answer == [element]);
    keeps_valid_histories_valid(|ops, element| ops.retain(|op| !of(op, element)));
}

#[test]
fn leaving_out_an_empty_answer_keeps_a_valid_history_valid() {
    keeps_valid_histories_valid(|ops, _| {
        let is_empty = |op: &Op| op.outcome == Outcome::Ok && op.argument.is_empty() && op.answer.is_empty();
        if let Some(at) = ops.iter().position(is_empty) {
            ops.remove(at);
        }
    });
}

#[test]
fn other_names_for_elements_and_processes_change_nothing() {
    for model in [ModelName::FifoQueue, ModelName::UnorderedQueue, ModelName::Stack, ModelName::ReentrantMutex] {
        for distinct in [false, true] {
            let shape = Shape { distinct, operations: 12, processes: 4, ..Shape::of(model) };
            for seed in 0..histories() / 10 {
                let mut ops = generate(shape, seed);
                let before = check(shape, &ops);
                for op in &mut ops {
                    op.process = 1_000 - op.process;
                    op.argument.iter_mut().chain(&mut op.answer).for_each(|element| *element = 500 - 7 * *element);
                }
                assert_eq!(check(shape, &ops).word(), before.word(), "seed {seed} of {shape:?}\n{ops:#?}");
            }
        }
    }
}

/// A long valid history in which one thing was changed.
fn planted(model: ModelName, change: impl Fn(&mut Vec<Op>, usize) -> bool) -> Vec<(&'static str, usize)> {
    let without: &[&str] = match model {
        ModelName::Set => &["remove", "contains"],
        ModelName::PriorityQueue => &["delete-max"],
        _ => &[],
    };
    let shape = Shape { distinct: true, operations: 10_000, processes: 10, unknown: 0, without, ..Shape::of(model) };
    let mut found = Vec::new();
    for seed in 0..5 {
        let mut ops = long(shape, seed);
        assert_eq!(check(shape, &ops), Verdict::Valid);
        // Another place for each seed, and from there on the first that can be changed.
        let from = 500 + 1_700 * seed as usize;
        assert!((from..ops.len()).chain(0..from).any(|at| change(&mut ops, at)), "there was nothing to change");
        let verdict = check(shape, &ops);
        assert_eq!(verdict.word(), "invalid", "{model:?}, seed {seed}");
        let anomaly = &verdict.anomalies()[0];
        assert!(anomaly.sentence.contains("process"), "{}", anomaly.sentence);
        found.push((anomaly.name, anomaly.proof.len()));
    }
    found
}

fn is_take(op: &Op) -> bool {
    matches!(op.function, "dequeue" | "pop") && op.outcome == Outcome::Ok && !op.answer.is_empty()
}

/// The take of the element that was put in by the operation at this place.
fn taker(ops: &[Op], at: usize) -> Option<usize> {
    matches!(ops[at].function, "enqueue" | "push").then_some(())?;
    ops.iter().position(|op| is_take(op) && op.answer == ops[at].argument)
}

#[test]
fn a_lost_element_is_found_in_a_long_history() {
    // Nobody misses an element of an unordered queue before it should be empty.
    let lose = |ops: &mut Vec<Op>, at: usize, is_bag: bool| {
        let empty = |op: &Op| op.argument.is_empty() && op.answer.is_empty() && op.invoked > ops[at].completed;
        let missed = !is_bag || ops.iter().any(empty);
        missed && taker(ops, at).map(|take| ops.remove(take)).is_some()
    };
    for (name, operations) in planted(ModelName::FifoQueue, |ops, at| lose(ops, at, false)) {
        assert_eq!((name, operations), ("lost-element", 3));
    }
    for model in [ModelName::Stack, ModelName::UnorderedQueue] {
        for (name, operations) in planted(model, |ops, at| lose(ops, at, model == ModelName::UnorderedQueue)) {
            assert!(["lost-element", "false-empty"].contains(&name), "{model:?}: {name}");
            assert!(operations <= 8, "{operations} operations");
        }
    }
    let forget = |ops: &mut Vec<Op>, at: usize| {
        let read = ops[at].function == "read" && ops[at].answer.len() > 100;
        read.then(|| ops[at].answer.remove(50)).is_some()
    };
    for (name, operations) in planted(ModelName::Set, forget) {
        assert!(["lost-element", "stale-read", "long-fork"].contains(&name), "{name}");
        assert!(operations <= 4);
    }
}

#[test]
fn a_duplicated_element_is_found_in_a_long_history() {
    for model in [ModelName::FifoQueue, ModelName::UnorderedQueue, ModelName::Stack] {
        let duplicate = |ops: &mut Vec<Op>, at: usize| {
            let last = ops[..at].iter().rposition(is_take).filter(|_| is_take(&ops[at]));
            last.map(|last| ops[at].answer = ops[last].answer.clone()).is_some()
        };
        assert_eq!(planted(model, duplicate), [("duplicated-element", 3); 5]);
    }
}

#[test]
fn elements_out_of_order_are_found_in_a_long_history() {
    // Two elements that were put in and taken one after the other change places.
    for model in [ModelName::FifoQueue, ModelName::Stack] {
        let exchange = |ops: &mut Vec<Op>, at: usize| {
            let Some(take) = taker(ops, at) else { return false };
            for later in at + 1..(at + 200).min(ops.len()) {
                let Some(other) = taker(ops, later).filter(|_| ops[at].completed < ops[later].invoked) else {
                    continue;
                };
                let nested = ops[other].completed < ops[take].invoked && ops[later].completed < ops[other].invoked;
                let in_turn = ops[take].completed < ops[other].invoked;
                if if model == ModelName::Stack { nested } else { in_turn } {
                    let answer = ops[take].answer.clone();
                    ops[take].answer = std::mem::replace(&mut ops[other].answer, answer);
                    return true;
                }
            }
            false
        };
        let name = if model == ModelName::Stack { "lifo-violation" } else { "fifo-violation" };
        for (found, operations) in planted(model, exchange) {
            assert_eq!(found, name);
            assert!(operations <= 8, "{operations} operations");
        }
    }
}

#[test]
fn a_smaller_element_that_was_passed_over_is_found_in_a_long_history() {
    // The answers of two deletions, of which one completed before the other began, change places.
    let exchange = |ops: &mut Vec<Op>, at: usize| {
        let deletes = |op: &Op| op.function == "delete-min" && !op.answer.is_empty();
        let inserted =
            |ops: &[Op], at: usize| ops.iter().position(|op| op.function == "insert" && op.argument == ops[at].answer);
        let later = (at + 1..ops.len()).find(|&later| deletes(&ops[later]) && ops[later].invoked > ops[at].completed);
        let Some(later) = later.filter(|_| deletes(&ops[at])) else { return false };
        let certain = [at, later]
            .iter()
            .all(|&take| inserted(ops, take).is_some_and(|insert| ops[insert].completed < ops[at].invoked));
        if certain && ops[at].answer[0] < ops[later].answer[0] {
            let answer = ops[at].answer.clone();
            ops[at].answer = std::mem::replace(&mut ops[later].answer, answer);
            return true;
        }
        false
    };
    for (name, operations) in planted(ModelName::PriorityQueue, exchange) {
        assert_eq!(name, "priority-violation");
        assert!(operations <= 4, "{operations} operations");
    }
}

#[test]
fn a_false_empty_answer_is_found_in_a_long_history() {
    for model in [ModelName::FifoQueue, ModelName::UnorderedQueue, ModelName::Stack] {
        // A take inside the time in which another element certainly was in finds nothing; the element that it took was never put in.
        let empty = |ops: &mut Vec<Op>, at: usize| {
            if !is_take(&ops[at]) {
                return false;
            }
            let covers = |put: usize| {
                ops[put].completed < ops[at].invoked
                    && taker(ops, put).is_some_and(|take| ops[take].invoked > ops[at].completed)
            };
            if !(0..at).rev().take(300).any(covers) {
                return false;
            }
            let element = std::mem::take(&mut ops[at].answer);
            ops.retain(|op| op.argument != element);
            true
        };
        for (name, operations) in planted(model, empty) {
            assert_eq!(name, "false-empty", "{model:?}");
            assert!((2..=3).contains(&operations), "{operations} operations");
        }
    }
}

#[test]
fn an_element_from_nowhere_is_found_in_a_long_history() {
    for model in [ModelName::FifoQueue, ModelName::UnorderedQueue, ModelName::Stack, ModelName::Set] {
        let appears = |ops: &mut Vec<Op>, at: usize| {
            let answers = is_take(&ops[at]) || ops[at].function == "read";
            answers.then(|| *ops[at].answer.last_mut().expect("it is not empty") = 1_000_000).is_some()
        };
        for (name, operations) in planted(model, appears) {
            assert!(["never-enqueued", "never-pushed", "never-added"].contains(&name), "{name}");
            assert_eq!(operations, 1);
        }
    }
}
