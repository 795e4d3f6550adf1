//! What readers of both texts must hold.

use super::super::{History, Item, Outcome, read};

fn history(text: &str) -> History {
    read("h", text.as_bytes()).unwrap()
}

fn error_of(text: &str) -> String {
    read("h", text.as_bytes()).unwrap_err().to_string()
}

/// Session, number, outcome and accesses of each transaction.
fn transactions(history: &History) -> Vec<String> {
    assert!(!history.has_real_time());
    let show = |operation: crate::history::Operation<'_>| {
        let Item::List(accesses) = history.item(operation.argument_id()) else { panic!("a transaction is a list") };
        let accesses: Vec<String> = accesses.iter().map(|access| access.to_string()).collect();
        let outcome = if operation.outcome() == Outcome::Ok { "" } else { " failed" };
        format!("s{} t{}{outcome}: {}", operation.process(), operation.index(), accesses.join(" "))
    };
    history.operations().map(show).collect()
}

#[test]
fn consecutive_lines_of_a_session_and_a_number_are_a_transaction() {
    let text =
        "w(7,1,0,0)\nr(8,0,0,0)\n\nr(7,1,3,1)\r\nw(7,2,3,2)\nw(7,9,3,-1)\nw(8,9,3,-1)\nr(18446744073709551615,1,0,3)";
    assert_eq!(
        transactions(&history(text)),
        [
            "s0 t0: [w 7 1] [r 8 nil]",
            "s3 t1: [r 7 1]",
            "s3 t2: [w 7 2]",
            "s3 t3 failed: [w 7 9]",
            "s3 t4 failed: [w 8 9]",
            "s0 t3: [r \"18446744073709551615\" 1]",
        ]
        .map(|line| line.replace('"', ""))
    );
}

#[test]
fn zero_is_the_initial_value_of_keys_to_which_nobody_writes_it() {
    let text = "r(1,0,0,0)\nr(2,0,0,0)\nw(1,0,1,1)\nw(2,0,1,-1)\nr(1,0,1,2)\n";
    assert_eq!(
        transactions(&history(text)),
        ["s0 t0: [r 1 0] [r 2 nil]", "s1 t1: [w 1 0]", "s1 t2 failed: [w 2 0]", "s1 t2: [r 1 0]"]
    );
}

#[test]
fn rules_are_drawn_between_transactions_and_sessions() {
    let text = "w 0 0\nw 1 0\n=====\nw 0 1\n-----\n\nr 0 1\n r 1 0\n=\n-\nw 1 1\n--\nr 1 1";
    assert_eq!(
        transactions(&history(text)),
        ["s0 t0: [w 0 0] [w 1 0]", "s1 t1: [w 0 1]", "s1 t2: [r 0 1] [r 1 0]", "s2 t3: [w 1 1]", "s2 t4: [r 1 1]"]
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, error) in [
        ("w(1,2,0,0)\nx(1,2,0,0)", "h:2:1: found `x(1,2,0,0)`: expected `r(KEY,VALUE,SESSION,TRANSACTION)` or `w("),
        ("w(1,2,0)", "h:1:8: found `)`: expected `r(KEY,VALUE,SESSION,TRANSACTION)`"),
        ("w(1,-2,0,0)", "h:1:5: found `-2,0,0)`: expected `r(KEY"),
        (
            "w(1,2,4294967296,0)",
            "h:1:7: found `4294967296,0)`: expected a session: a whole number from 0 to 4294967295",
        ),
        ("w(1,2,0,-2)", "h:1:9: found `-2)`: expected a transaction: a whole number from 0 that fits"),
        ("w(1,2,0,0) w(1,3,0,0)", "h:1:12: found `w(1,3,0,0)`: expected nothing behind `)`"),
        ("w(1,2,0,0)\nw(1,2,0", "h:2:8: found the end of the line: expected `r(KEY"),
        (
            "w(1,2,0,0)\nr(1,2,1,1)\nw(1,3,0,0)",
            "h:3:1: found transaction 0 of session 0 again: expected all its lines one behind the other",
        ),
        ("w 1 2\nw 1", "h:2:4: found the end of the line: expected `r KEY VALUE`"),
        ("w 1 2\n==-\n", "h:2:1: found `==-`: expected `r KEY VALUE`"),
        ("w 1 2 3", "h:1:7: found `3`: expected the end of the line"),
    ] {
        assert!(error_of(text).starts_with(error), "{text} gave {}", error_of(text));
    }
}
