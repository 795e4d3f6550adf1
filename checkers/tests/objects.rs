//! Every model against the definition, on many small histories.
//!
//! `SHAKEDOWN_HISTORIES` tells how many histories a test tries; a failure prints the seed and the history.

mod definition;

use definition::{Op, Shape, generate, history, is_linearizable};
use shakedown_checkers::{Budget, ModelName, Verdict, linearizability};

fn histories() -> u64 {
    std::env::var("SHAKEDOWN_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(20_000)
}

fn check(shape: Shape, ops: &[Op]) -> Verdict {
    let history = history(shape.model, ops, shape.keys > 1);
    linearizability::check(&history, shape.model, None, Budget::default()).expect("the generator fits the model")
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
    agrees_with_the_definition(&mixtures(ModelName::StringKv));
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
