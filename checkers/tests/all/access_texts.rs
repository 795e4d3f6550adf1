//! The texts of other testers of weak isolation say the same as our own format: recorded histories, written as such texts, have the
//! verdicts that they had.

#![allow(clippy::unwrap_used, reason = "clippy knows only functions with #[test] as tests")]

use std::fmt::Write;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use shakedown_checkers::causal;
use shakedown_checkers::history::{Item, Operation, Outcome, ValueId, read, read_file};
use shakedown_checkers::transactions::{self, Options, Workload};
use shakedown_checkers::{Budget, History, Level, Verdict};

#[test]
fn recorded_histories_as_text_of_plume_have_the_same_verdicts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora/causal");
    if !folder.is_dir() {
        eprintln!("skipped: there is no folder {}", folder.display());
        return;
    }
    let (mut files, mut verdicts) = (0, 0);
    for part in ["planted", "recorded"] {
        for entry in std::fs::read_dir(folder.join(part)).unwrap() {
            let path = entry.unwrap().path();
            let history = read_file(&path).unwrap();
            let again = read("text", as_numbered_accesses(&history).as_bytes()).unwrap();
            assert!(!again.has_real_time() && again.len() >= history.outcomes()[0]);
            for level in Level::ALL.into_iter().filter(|level| !level.is_about_real_time()) {
                let (Some(was), Some(is)) = (verdict(&history, level), verdict(&again, level)) else { continue };
                assert_eq!(is, was, "{} at {}", path.display(), level.name());
                verdicts += 1;
            }
            files += 1;
        }
    }
    assert!(files >= 38 && verdicts > 300, "only {verdicts} verdicts on {files} files");
}

/// Whether the level holds, if that was decided.
fn verdict(history: &History, level: Level) -> Option<bool> {
    let budget = Budget::default();
    let verdict = if causal::DECIDED.contains(&level) {
        causal::check(history, level, None, budget).ok()?
    } else {
        transactions::check(history, Workload::RwRegister, level, &Options::default(), &budget).ok()?
    };
    match verdict {
        Verdict::Valid => Some(true),
        Verdict::Invalid(_) => Some(false),
        Verdict::Unknown(_) => None,
    }
}

/// `w(KEY,VALUE,SESSION,TRANSACTION)` for each access of a history of whole numbers above 0, without what ended `info`.
fn as_numbered_accesses(history: &History) -> String {
    let mut text = String::new();
    for (number, operation) in history.operations().enumerate().filter(|(_, it)| it.outcome() != Outcome::Info) {
        let failed = operation.outcome() == Outcome::Fail;
        for (word, key, value) in accesses(history, operation) {
            if failed && word == "r" {
                continue;
            }
            let transaction = if failed { "-1".to_owned() } else { number.to_string() };
            let value = if value == Item::Nil { Item::Int(0) } else { value };
            writeln!(text, "{word}({key},{value},{},{transaction})", operation.process()).unwrap();
        }
    }
    text
}

fn accesses<'h>(history: &'h History, operation: Operation<'h>) -> Vec<(&'h str, Item<'h>, Item<'h>)> {
    let ended = if operation.outcome() == Outcome::Ok { operation.result_id() } else { operation.argument_id() };
    let key = |id: Option<ValueId>| history.item(id.unwrap());
    match (operation.function(), history.item(ended)) {
        ("read", value) => vec![("r", key(operation.key_id()), value)],
        ("write", _) => vec![("w", key(operation.key_id()), history.item(operation.argument_id()))],
        ("txn", Item::List(accesses)) => accesses.iter().map(triple).collect(),
        other => panic!("{other:?} is no access"),
    }
}

fn triple(access: Item<'_>) -> (&str, Item<'_>, Item<'_>) {
    let Item::List(parts) = access else { panic!("{access} is no access") };
    match parts.iter().collect::<Vec<_>>()[..] {
        [Item::Text(word), key, value] => (word, key, value),
        _ => panic!("{access} is no access"),
    }
}

/// Transactions of sessions: of each access whether it writes, its key and its value.
type Sessions = Vec<Vec<Vec<(bool, u8, u8)>>>;

proptest! {
    #[test]
    fn both_texts_hold_the_same_transactions(
        sessions in vec(vec(vec((any::<bool>(), 0..4_u8, 1..200_u8), 1..4), 1..4), 1..4),
    ) {
        let (numbered, ruled) = (numbered(&sessions), ruled(&sessions));
        let (numbered, ruled) = (read("h", numbered.as_bytes()).unwrap(), read("h", ruled.as_bytes()).unwrap());
        let contents = |history: &History| {
            let one = |it: Operation<'_>| format!("{} {} {:?} {}", it.process(), it.index(), it.outcome(), it.result());
            history.operations().map(one).collect::<Vec<_>>()
        };
        prop_assert_eq!(contents(&numbered), contents(&ruled));
        prop_assert_eq!(numbered.len(), sessions.iter().map(Vec::len).sum::<usize>());
    }
}

fn word(writes: bool) -> &'static str {
    if writes { "w" } else { "r" }
}

fn numbered(sessions: &Sessions) -> String {
    let (mut text, mut number) = (String::new(), 0);
    for (session, transactions) in sessions.iter().enumerate() {
        for transaction in transactions {
            for &(writes, key, value) in transaction {
                writeln!(text, "{}({key},{value},{session},{number})", word(writes)).unwrap();
            }
            number += 1;
        }
    }
    text
}

fn ruled(sessions: &Sessions) -> String {
    let transaction = |accesses: &Vec<(bool, u8, u8)>| -> String {
        accesses.iter().map(|&(writes, key, value)| format!("{} {key} {value}\n", word(writes))).collect()
    };
    let session = |all: &Vec<Vec<_>>| all.iter().map(transaction).collect::<Vec<_>>().join("-----\n");
    sessions.iter().map(session).collect::<Vec<_>>().join("=====\n")
}
