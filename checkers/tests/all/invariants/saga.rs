//! Sagas against all that they may do.

use std::collections::BTreeSet;

use shakedown_checkers::invariants::saga::{Entry, Event, check};

use super::histories::{Chance, histories};

/// Two sagas of up to three steps, mostly as they should be.
fn trace(chance: &mut Chance) -> Vec<Entry> {
    let mut sagas: Vec<Vec<Event>> = Vec::new();
    for _ in 0..1 + chance.below(2) {
        let steps = chance.below(4);
        let done = if chance.one_in(2) { steps } else { chance.below(steps + 1) };
        let mut events = Vec::new();
        events.extend(Some(Event::Began(steps)).filter(|_| !chance.one_in(6)));
        events.extend((0..done).map(Event::Done));
        if done == steps && !chance.one_in(3) {
            events.push(Event::Completed);
        } else {
            events.extend((0..done).rev().map(Event::Compensated));
            events.push(Event::Aborted);
        }
        match chance.below(5) {
            0 => drop(events.remove(chance.below(events.len()))),
            1 => {
                let (from, to) = (chance.below(events.len()), chance.below(events.len()));
                events.swap(from, to);
            }
            2 => events.insert(chance.below(events.len() + 1), events[chance.below(events.len())]),
            _ => {}
        }
        sagas.push(events);
    }
    let mut trace = Vec::new();
    let mut at = 0;
    while sagas.iter().any(|events| !events.is_empty()) {
        let saga = chance.below(sagas.len());
        at += chance.below(3) as u64;
        if !sagas[saga].is_empty() {
            trace.push(Entry { at, saga: saga as u64, event: sagas[saga].remove(0) });
        }
    }
    trace
}

/// All that a saga of so many steps may do, without its beginning.
fn right(steps: usize) -> Vec<Vec<Event>> {
    let done = |upto: usize| (0..upto).map(Event::Done);
    let aborted =
        (0..=steps).map(|upto| done(upto).chain(done(upto).rev().map(undone)).chain([Event::Aborted]).collect());
    aborted.chain([done(steps).chain([Event::Completed]).collect()]).collect()
}

fn undone(event: Event) -> Event {
    match event {
        Event::Done(step) => Event::Compensated(step),
        other => other,
    }
}

/// The place of the first event after which nothing can make it right again, or the end.
fn first_wrong(events: &[(usize, Event)]) -> Option<Result<usize, &'static str>> {
    let began = events.iter().find_map(|(_, event)| match event {
        Event::Began(steps) => Some(*steps),
        _ => None,
    });
    let mut told: Vec<Event> = Vec::new();
    let mut known = None;
    for (place, event) in events {
        let over = matches!(told.last(), Some(Event::Completed | Event::Aborted));
        if let Event::Began(steps) = event {
            known = Some(*steps);
            if over || Some(*steps) != began {
                return Some(Ok(*place));
            }
            continue;
        }
        told.push(*event);
        // Before it says how many steps it has, it may have any number.
        let possible: Vec<Vec<Event>> = match known {
            Some(steps) => right(steps),
            None => (0..6).flat_map(right).collect(),
        };
        if !possible.iter().any(|right| right.starts_with(&told)) {
            return Some(Ok(*place));
        }
    }
    let ended = matches!(told.last(), Some(Event::Completed | Event::Aborted));
    (!ended).then_some(Err("unfinished"))
}

#[test]
fn sagas_are_right_or_wrong_from_some_event_on_as_defined() {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut invalid = 0;
    for seed in 0..histories() {
        let trace = trace(&mut Chance::of(seed));
        let found = check(&trace);
        let told = || format!("seed {seed}: {found:?}\n{trace:#?}");
        let (mut visible, mut taken_back) = (Vec::new(), Vec::new());
        for saga in 0..2 {
            let mine = trace.iter().enumerate().filter(|(_, entry)| entry.saga == saga);
            let events: Vec<(usize, Event)> = mine.map(|(place, entry)| (place, entry.event)).collect();
            if events.is_empty() {
                continue;
            }
            let breach = found.breaches.iter().find(|b| b.sentence.starts_with(&format!("saga {saga}: ")));
            let wrong = first_wrong(&events);
            match (wrong, breach) {
                (None, None) => {}
                (Some(Ok(place)), Some(breach)) => {
                    assert!(breach.rule != "unfinished" && breach.entries.contains(&place), "{place}, {}", told());
                }
                (Some(Err(rule)), Some(breach)) => assert_eq!(rule, breach.rule, "{}", told()),
                _ => panic!("saga {saga}: {wrong:?}, {}", told()),
            }
            let until = match wrong {
                Some(Ok(place)) => place,
                _ => trace.len(),
            };
            let at =
                |wanted: Event| events.iter().find(|(_, event)| *event == wanted).map(|(place, _)| trace[*place].at);
            for (place, event) in events.iter().filter(|(place, _)| *place < until) {
                if let Event::Compensated(step) = event {
                    taken_back.extend(at(Event::Done(*step)).map(|done| trace[*place].at - done));
                }
            }
            let ended = events.iter().find(|(_, event)| matches!(event, Event::Completed | Event::Aborted));
            let end = match (wrong, ended) {
                (_, Some((place, _))) if *place < until => Some(trace[*place].at),
                (None | Some(Err(_)), _) => trace.last().map(|entry| entry.at),
                _ => None,
            };
            let first = events.iter().find(|(place, event)| *place < until && *event == Event::Done(0));
            visible.extend(end.zip(first).map(|(end, (place, _))| end - trace[*place].at));
        }
        visible.sort_unstable();
        taken_back.sort_unstable();
        assert_eq!(found.partly_visible.samples(), visible, "{}", told());
        assert_eq!(found.taken_back_after.samples(), taken_back, "{}", told());
        seen.extend(found.breaches.iter().map(|breach| breach.rule));
        invalid += u64::from(!found.breaches.is_empty());
    }
    let share = 100 * invalid / histories();
    eprintln!("sagas: {share} % of {} invalid; seen {seen:?}", histories());
    assert!(seen.len() >= 10, "{seen:?}");
    assert!((5..=95).contains(&share), "{share} %");
}
