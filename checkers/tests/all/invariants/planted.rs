//! One wrong answer in a long history.

use shakedown_checkers::Value;
use shakedown_checkers::invariants::{self, Invariant, Options};

use super::definition::names;
use super::histories::{list, number, sequence};

/// Names of what is found in a long history of this workload, in which one answer was changed.
fn planted(
    invariant: Invariant,
    linearizable: bool,
    mut ops: Vec<(&'static str, Value, Value)>,
    change: (usize, Value),
) -> Vec<&'static str> {
    let options = Options { linearizable, ..Options::default() };
    assert_eq!(invariants::check(&sequence(&ops), invariant, &options).expect("it fits").word(), "valid");
    ops[change.0].2 = change.1;
    names(&sequence(&ops), invariant, &options).into_iter().collect()
}

#[test]
fn one_wrong_answer_among_thousands_is_found_by_its_name() {
    let (nil, count) = (Value::Nil, 2_000);
    let each = |of: &dyn Fn(usize) -> [(&'static str, Value, Value); 2]| (0..count).flat_map(of).collect::<Vec<_>>();
    let accounts = |a: i64, b: i64| Value::Map(Box::new([(number(0), Value::Int(a)), (number(1), Value::Int(b))]));
    let bank = each(&|n| {
        let moved = (n % 10) as i64;
        [("transfer", number(1), number(1)), ("read", nil.clone(), accounts(moved, 10 - moved))]
    });
    assert_eq!(planted(Invariant::Bank, false, bank, (2_001, accounts(5, 6))), ["wrong-total"]);
    let counter = each(&|n| [("add", number(1), number(1)), ("read", nil.clone(), number(n + 1))]);
    assert_eq!(planted(Invariant::Counter, false, counter.clone(), (2_001, number(1_000))), ["counter-too-low"]);
    assert_eq!(planted(Invariant::Counter, false, counter.clone(), (2_001, number(1_002))), ["counter-too-high"]);
    let added = |n: usize| list((0..n.min(50)).map(number));
    let set = each(&|n| [("add", number(n.min(49)), nil.clone()), ("read", nil.clone(), added(n + 1))]);
    assert_eq!(planted(Invariant::SetFull, true, set.clone(), (2_001, added(49))), ["stale-element"]);
    assert_eq!(planted(Invariant::SetFull, false, set.clone(), (3_999, added(49))), ["lost-element"]);
    assert_eq!(planted(Invariant::Set, false, set, (3_999, list((0..51).map(number)))), ["unexpected-element"]);
    let mut queue = each(&|n| [("enqueue", number(n), number(n)), ("dequeue", nil.clone(), number(n))]);
    queue.push(("drain", nil.clone(), list([])));
    assert_eq!(planted(Invariant::Queue, false, queue.clone(), (2_001, nil.clone())), ["lost-element"]);
    let wrong = planted(Invariant::Queue, false, queue, (2_001, number(7)));
    assert_eq!(wrong, ["duplicated-element", "lost-element"]);
    let registers = each(&|n| [("write", number(n), number(n)), ("read", nil.clone(), number(n))]);
    let monotonic = registers.iter().filter(|op| op.0 == "read").cloned().collect();
    assert_eq!(planted(Invariant::Monotonic, true, monotonic, (1_000, number(998))), ["non-monotonic"]);
    let ids = registers.iter().map(|op| ("generate", nil.clone(), list([Value::text(op.0), op.2.clone()]))).collect();
    assert_eq!(
        planted(Invariant::UniqueIds, false, ids, (2_000, list([Value::text("read"), number(7)]))),
        ["duplicate-id"]
    );
}
