//! One answer, whoever asks: a level asked for alone says what the fingerprint says, and no implication of the lattice contradicts it.
//!
//! Over small random histories, and over the recorded ones of `../shared/corpora` where these are there. `SHAKEDOWN_HISTORIES` tells how many histories a test
//! tries; a failure prints the seed or the file.

use crate::definition;
use crate::generate;

use std::path::{Path, PathBuf};

use definition::Shape;
use generate::{generate, repeated, text};
use shakedown_checkers::history::{self, read_file};
use shakedown_checkers::transactions::Workload;
use shakedown_checkers::{Budget, Consistency, History, Level, ModelName, Question, Subject, Verdict, check};

fn histories() -> u64 {
    std::env::var("SHAKEDOWN_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(1_000)
}

/// Asks for each level alone and for all, and holds the answers against each other. How many levels held, and how many did not.
fn is_one_answer(history: &History, subject: Subject, budget: &Budget, is_decided: bool, told: &str) -> [u64; 2] {
    let ask = |consistency: Consistency| {
        let question = Question::new(subject, consistency);
        check(history, &question, budget).unwrap_or_else(|error| panic!("{error}: {told}"))
    };
    let fingerprint = ask(Consistency::Fingerprint);
    let fingerprint = fingerprint.fingerprint();
    let levels = Level::ALL.into_iter().filter(|level| subject.decides(Consistency::Level(*level)));
    let verdicts: Vec<(Level, Verdict)> =
        levels.map(|level| (level, ask(Consistency::Level(level)).verdict().clone())).collect();
    let mut counts = [0; 2];
    for (level, verdict) in &verdicts {
        let all = fingerprint.judged(*level);
        let is_asked = history.has_real_time() || !level.is_about_real_time();
        let words = (verdict.word(), all.word());
        let contradict =
            |one: &Verdict, other: &Verdict| *one == Verdict::Valid && matches!(other, Verdict::Invalid(_));
        assert!(!contradict(verdict, &all) && !contradict(&all, verdict), "{level:?} {words:?}: {told}");
        if is_asked && is_decided && *level != Level::Eventual {
            assert_eq!(verdict.word(), all.word(), "{level:?}: {verdict:?}, {all:?}: {told}");
        }
        counts[0] += u64::from(*verdict == Verdict::Valid);
        counts[1] += u64::from(matches!(verdict, Verdict::Invalid(_)));
        for (weaker, other) in verdicts.iter().filter(|(weaker, _)| level.implies(*weaker)) {
            assert!(!contradict(verdict, other), "{level:?} holds without {weaker:?}: {other:?}: {told}");
        }
    }
    counts
}

#[test]
fn transactions_have_one_answer() {
    for (workload, values) in [
        (Workload::ListAppend, None),
        (Workload::RwRegister, None),
        (Workload::RwRegister, Some(2)),
        (Workload::RwRegister, Some(4)),
    ] {
        let mut counts = [0; 2];
        for seed in 0..histories() {
            let txns = generate(workload, seed, 6);
            let txns = values.map_or_else(|| txns.clone(), |values| repeated(txns.clone(), values));
            let text = text(workload, &txns);
            let history = history::read("test", text.as_bytes()).expect("the history is well-formed");
            let told = format!("seed {seed}\n{text}");
            let more = is_one_answer(&history, Subject::Transactions(workload), &Budget::default(), true, &told);
            (0..2).for_each(|at| counts[at] += more[at]);
        }
        assert!(counts.iter().all(|count| *count > histories()), "{workload:?}: {counts:?}");
    }
}

#[test]
fn objects_have_one_answer() {
    for model in [ModelName::Register, ModelName::CasRegister, ModelName::Kv] {
        for distinct in [false, true] {
            let shape = Shape { distinct, operations: 8, processes: 4, keys: 2, ..Shape::of(model) };
            let mut counts = [0; 2];
            for seed in 0..histories() {
                let ops = definition::generate(shape, seed);
                let history = definition::history(model, &ops, true);
                let told = format!("seed {seed}: {ops:#?}");
                let more = is_one_answer(&history, Subject::Objects(model), &Budget::default(), true, &told);
                (0..2).for_each(|at| counts[at] += more[at]);
            }
            assert!(counts.iter().all(|count| *count > histories() / 10), "{model:?}: {counts:?}");
        }
    }
}

/// The recorded histories, the smaller ones, whatever they are.
fn recorded() -> Vec<PathBuf> {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora");
    let mut left = vec![corpora];
    let mut files = Vec::new();
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => left.push(path),
                Ok(metadata) if metadata.len() < 40_000 => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    files
}

#[test]
fn recorded_histories_have_one_answer() {
    let mut count = 0;
    // Configurations alone, so that no answer depends on the machine.
    let budget = Budget { bytes: Some(1 << 28), ..Budget::of_configurations(200_000) };
    for file in recorded() {
        let Ok(history) = read_file(&file) else { continue };
        let Ok(subject) = Subject::guess(&history, Some(Consistency::Fingerprint)) else { continue };
        let question = Question::new(subject, Consistency::Fingerprint);
        if check(&history, &question, &budget).is_err() {
            continue;
        }
        is_one_answer(&history, subject, &budget, false, &file.display().to_string());
        count += 1;
    }
    if count == 0 {
        eprintln!("skipped: there are no recorded histories here");
    } else {
        eprintln!("{count} recorded histories");
    }
}
