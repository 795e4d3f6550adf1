//! Sets that are read once, and all the time.

use std::collections::BTreeSet;

use shakedown_checkers::Value;
use shakedown_checkers::invariants::set_full::{self, Fate};
use shakedown_checkers::invariants::{Invariant, Options};

use super::definition::{agrees_with_the_definition, collect};
use super::histories::{Chance, Op, histories, history, intervals, items, list, number};

/// Adds of 0 to 3, and reads that show most of what was added before, and now and then something else.
pub fn fill(chance: &mut Chance, ops: &mut [Op]) {
    for at in 0..ops.len() {
        if chance.one_in(2) {
            ops[at].function = "add";
            ops[at].argument = number(chance.below(4));
            ops[at].result = ops[at].argument.clone();
            continue;
        }
        let added: BTreeSet<Value> =
            ops[..at].iter().filter(|op| op.function == "add").map(|op| op.argument.clone()).collect();
        let mut shown: Vec<Value> = added.into_iter().filter(|_| !chance.one_in(6)).collect();
        if chance.one_in(20) {
            shown.push(number(chance.below(5)));
        }
        ops[at].function = "read";
        ops[at].result = list(shown);
    }
}

fn unexpected(ops: &[Op], read: &Op) -> bool {
    let explained = |element: &Value| {
        ops.iter().any(|add| {
            add.function == "add" && add.may_have_happened() && add.argument == *element && add.invoked < read.completed
        })
    };
    items(&read.result).iter().any(|element| !explained(element))
}

#[test]
fn sets_read_once_are_as_defined() {
    agrees_with_the_definition(Invariant::Set, &[Options::default()], fill, |ops, _| {
        let Some(last) = ops.iter().rfind(|op| op.is("read")) else { return BTreeSet::new() };
        let before = |add: &&Op| add.is("add") && add.completed < last.invoked;
        collect([
            ("lost-element", ops.iter().filter(before).any(|add| !items(&last.result).contains(&add.argument))),
            ("unexpected-element", unexpected(ops, last)),
        ])
    });
}

#[test]
fn sets_read_all_the_time_are_as_defined() {
    let options = [Options::default(), Options { linearizable: true, ..Options::default() }];
    agrees_with_the_definition(Invariant::SetFull, &options, fill, |ops, options| {
        let reads: Vec<&Op> = ops.iter().filter(|op| op.is("read")).collect();
        let twice = |read: &&Op| items(&read.result).iter().collect::<BTreeSet<_>>().len() < items(&read.result).len();
        let lost = |element: &Value| fate(ops, element) == Some(false);
        let stale = |element: &Value| fate(ops, element) == Some(true);
        let elements = (0..4).map(number).collect::<Vec<_>>();
        collect([
            ("lost-element", elements.iter().any(lost)),
            ("stale-element", options.linearizable && elements.iter().any(stale)),
            ("duplicated-element", reads.iter().copied().any(|read| twice(&read))),
            ("unexpected-element", reads.iter().any(|read| unexpected(ops, read))),
        ])
    });
}

/// Of an element that somebody missed although it was there: whether somebody who began later than all of these found it.
fn fate(ops: &[Op], element: &Value) -> Option<bool> {
    let shows = |op: &Op| op.is("read") && items(&op.result).contains(element);
    if !ops.iter().any(|op| op.function == "add" && op.argument == *element) {
        return None;
    }
    let knows = |op: &&Op| (op.is("add") && op.argument == *element) || shows(op);
    let missed = ops.iter().filter(|op| op.is("read") && !shows(op));
    let mut missed = missed.filter(|read| ops.iter().filter(knows).any(|op| op.completed < read.invoked));
    let last = missed.next_back()?;
    Some(ops.iter().any(|later| later.invoked > last.invoked && shows(later)))
}

#[test]
fn fates_and_their_times_are_as_defined() {
    for seed in 0..histories() {
        let mut chance = Chance::of(seed);
        let mut ops = intervals(&mut chance);
        fill(&mut chance, &mut ops);
        let history = history(&ops);
        let told = set_full::elements(&history).expect("it is a set");
        let mut expected: Vec<(Value, Fate, Option<u64>)> = Vec::new();
        for element in ops.iter().filter(|op| op.function == "add").map(|op| &op.argument) {
            if expected.iter().any(|(known, ..)| known == element) {
                continue;
            }
            let adds = ops.iter().filter(|op| op.function == "add" && op.argument == *element);
            let shows = |op: &Op| op.is("read") && items(&op.result).contains(element);
            if adds.clone().all(|add| !add.may_have_happened()) && !ops.iter().any(shows) {
                continue;
            }
            let known =
                adds.filter(|add| add.happened()).chain(ops.iter().filter(|op| shows(op))).map(|op| op.completed).min();
            let later = |op: &&Op| op.is("read") && Some(op.invoked) > known && known.is_some();
            let missed = ops.iter().filter(later).rfind(|op| !shows(op));
            let shown = ops.iter().rfind(|op| shows(op));
            let since = |event: u32| known.map(|known| 10 * u64::from(event.saturating_sub(known)));
            let (fate, after) = match fate(&ops, element) {
                Some(true) => (Fate::Stale, missed.and_then(|read| since(read.invoked))),
                Some(false) => (Fate::Lost, since(shown.map_or(0, |read| read.completed))),
                None if shown.is_some() => (Fate::Stable, None),
                None => (Fate::NeverRead, None),
            };
            expected.push((element.clone(), fate, after));
        }
        let told: Vec<_> = told.into_iter().map(|told| (told.element.clone(), told.fate, told.after)).collect();
        assert_eq!(told, expected, "seed {seed}: {ops:#?}");
    }
}
