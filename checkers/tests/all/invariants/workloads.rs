//! Which invariant a history is for, and what does not fit.

use shakedown_checkers::Value;
use shakedown_checkers::invariants::{self, Invariant, Options};

use super::histories::{list, number, sequence};

#[test]
fn the_workload_is_guessed_where_only_one_fits() {
    let add = ("add", number(1), number(1));
    let guessed = |ops: &[(&'static str, Value, Value)]| Invariant::guess(&sequence(ops));
    assert_eq!(guessed(&[add.clone(), ("read", Value::Nil, list([number(1)]))]), Some(Invariant::SetFull));
    assert_eq!(guessed(&[add.clone(), ("read", Value::Nil, number(1))]), Some(Invariant::Counter));
    assert_eq!(guessed(&[add]), None, "a set or a counter");
    assert_eq!(guessed(&[("generate", Value::Nil, number(1))]), Some(Invariant::UniqueIds));
    assert_eq!(guessed(&[("drain", Value::Nil, list([]))]), Some(Invariant::Queue));
    assert_eq!(guessed(&[("transfer", Value::Nil, Value::Nil)]), Some(Invariant::Bank));
    assert_eq!(guessed(&[("read", Value::Nil, number(1)), ("write", number(1), number(1))]), None);
    assert_eq!(guessed(&[("read", Value::Nil, Value::Nil)]), None);
    assert_eq!(
        guessed(&[("read", Value::Nil, list([list([Value::text("r"), number(0), number(1)])]))]),
        Some(Invariant::LongFork)
    );
    assert_eq!(guessed(&[]), None);
}

#[test]
fn names_lead_back_to_their_invariants() {
    for invariant in Invariant::ALL {
        assert_eq!(Invariant::from_name(invariant.name()), Some(invariant));
        assert!(!invariant.summary().is_empty());
    }
    assert_eq!(Invariant::from_name("total-queue"), Some(Invariant::Queue));
}

#[test]
fn what_does_not_fit_is_told_with_its_place() {
    let history = sequence(&[("add", number(1), number(1)), ("read", Value::Nil, Value::Bool(true))]);
    let misfit = invariants::check(&history, Invariant::Counter, &Options::default()).expect_err("true is no number");
    let expected = "operation 2 (read) does not fit counter: expected a whole number as its result, found true";
    assert_eq!(misfit.to_string(), expected);
}

#[test]
fn what_was_asked_and_never_answered_is_not_called_valid() {
    let judged = |function, invariant, argument: Value| {
        let history = sequence(&[(function, argument, Value::Nil)]);
        invariants::check(&history, invariant, &Options::default()).expect("it fits").word()
    };
    for (function, invariant) in [
        ("transfer", Invariant::Bank),
        ("add", Invariant::Set),
        ("add", Invariant::SetFull),
        ("read", Invariant::Counter),
        ("read", Invariant::LongFork),
        ("generate", Invariant::UniqueIds),
        ("increment", Invariant::Monotonic),
    ] {
        let argument = if function == "add" { number(1) } else { Value::Nil };
        assert_eq!(judged(function, invariant, argument), "unknown", "{}", invariant.name());
    }
    for (function, invariant) in
        [("add", Invariant::Counter), ("enqueue", Invariant::Queue), ("write", Invariant::Staleness)]
    {
        assert_eq!(judged(function, invariant, number(1)), "valid", "{}: nobody asked", invariant.name());
    }
    for invariant in Invariant::ALL {
        let empty = invariants::check(&sequence(&[]), invariant, &Options::default()).expect("it fits");
        assert_eq!(empty.word(), "valid", "{}", invariant.name());
    }
}

#[test]
fn long_forks_are_known_although_a_register_would_read_and_write_too() {
    let part = |kind: &str, key, value| list([Value::text(kind), number(key), value]);
    let read = ("read", list([part("r", 0, Value::Nil)]), list([part("r", 0, number(1))]));
    let write = |parts: Vec<Value>| ("write", list(parts.clone()), list(parts));
    let guessed = |ops: &[(&'static str, Value, Value)]| Invariant::guess_before_models(&sequence(ops));
    let one = write(vec![part("w", 0, number(1))]);
    assert_eq!(guessed(&[one.clone(), read.clone()]), Some(Invariant::LongFork));
    assert_eq!(guessed(&[write(vec![part("w", 0, number(1)), part("w", 1, number(1))]), read.clone()]), None);
    assert_eq!(guessed(&[one.clone(), one, read.clone()]), None, "no key may be written twice");
    assert_eq!(guessed(&[("txn", read.1, read.2)]), None, "transactions have levels");
    assert_eq!(guessed(&[("write", number(1), number(1)), ("read", Value::Nil, number(1))]), None, "a register");
    assert_eq!(guessed(&[]), None);
}
