//! AC1 to AC5 against their definitions, on traces of two transactions.

use std::collections::BTreeSet;

use shakedown_checkers::invariants::atomic_commitment::{Doubt, Entry, Event, check};

use super::histories::{Chance, histories};

/// Mostly as a protocol would go, with something wrong now and then. Number 9 is a coordinator that never votes.
fn trace(chance: &mut Chance) -> Vec<Entry> {
    let participants = 1 + chance.below(3) as u32;
    let all_yes = chance.one_in(2);
    let mut trace = Vec::new();
    let mut at = 0;
    if chance.one_in(6) {
        trace.push(Entry { at, event: Event::Failed });
    }
    for transaction in 0..1 + chance.below(2) as u64 {
        let mut events = Vec::new();
        if !chance.one_in(8) {
            events.push(Event::Began { transaction, participants: (1..=participants).collect() });
        }
        let mut yes_so_far = true;
        for participant in 1..=participants {
            let yes = all_yes || chance.one_in(2);
            yes_so_far &= yes;
            events.push(Event::Voted { transaction, participant, yes });
            if chance.one_in(20) {
                events.push(Event::Voted { transaction, participant, yes: !yes });
            }
        }
        for participant in [9].into_iter().chain(1..=participants) {
            for _ in 0..1 + usize::from(chance.one_in(8)) {
                let commit = yes_so_far != chance.one_in(10);
                events.push(Event::Decided { transaction, participant, commit });
            }
        }
        events.retain(|_| !chance.one_in(12));
        if !events.is_empty() && chance.one_in(4) {
            let (from, to) = (chance.below(events.len()), chance.below(events.len()));
            events.swap(from, to);
        }
        if chance.one_in(3) {
            events.insert(chance.below(events.len() + 1), Event::Failed);
        }
        if chance.one_in(3) {
            events.insert(chance.below(events.len() + 1), Event::Healed);
        }
        for event in events {
            at += chance.below(3) as u64;
            trace.push(Entry { at, event });
        }
    }
    if chance.one_in(3) {
        trace.push(Entry { at, event: Event::Healed });
    }
    trace
}

/// The places of all votes, and of all decisions, of a transaction: who, and whether yes or commit.
type Words = Vec<(usize, u32, bool)>;

fn words(trace: &[Entry], wanted: u64) -> (BTreeSet<u32>, Words, Words) {
    let mut found = (BTreeSet::new(), Vec::new(), Vec::new());
    for (place, entry) in trace.iter().enumerate() {
        match &entry.event {
            Event::Began { transaction, participants } if *transaction == wanted => found.0.extend(participants),
            Event::Voted { transaction, participant, yes } if *transaction == wanted => {
                found.0.insert(*participant);
                found.1.push((place, *participant, *yes));
            }
            Event::Decided { transaction, participant, commit } if *transaction == wanted => {
                found.2.push((place, *participant, *commit));
            }
            _ => {}
        }
    }
    found
}

/// Whether something is failing just after a place.
fn is_failing(trace: &[Entry], place: usize) -> bool {
    let last = trace[..=place].iter().rfind(|entry| matches!(entry.event, Event::Failed | Event::Healed));
    last.is_some_and(|entry| entry.event == Event::Failed)
}

fn definition(trace: &[Entry], transaction: u64) -> BTreeSet<&'static str> {
    let (participants, votes, decisions) = words(trace, transaction);
    let of = |entry: &Entry| match &entry.event {
        Event::Began { transaction, .. } | Event::Voted { transaction, .. } | Event::Decided { transaction, .. } => {
            Some(*transaction)
        }
        _ => None,
    };
    let first = trace.iter().position(|entry| of(entry) == Some(transaction)).unwrap_or(0);
    let differ = |same: bool| {
        decisions.iter().any(|one| decisions.iter().any(|other| one.2 != other.2 && (one.1 == other.1) == same))
    };
    let voted_yes = |who: u32, by: usize| {
        let mine = || votes.iter().filter(|(_, voter, _)| *voter == who);
        mine().all(|(.., yes)| *yes) && mine().any(|(place, ..)| *place < by)
    };
    let all_yes = |by: usize| participants.iter().all(|who| voted_yes(*who, by));
    let fails = |from: usize, to: usize| (from..=to).any(|place| is_failing(trace, place));
    let end = trace.len();
    let undecided = participants.iter().any(|who| decisions.iter().all(|(_, decider, _)| decider != who));
    [
        ("AC1", differ(false)),
        ("AC2", differ(true)),
        ("AC3", decisions.iter().any(|(place, _, commit)| *commit && !all_yes(*place))),
        (
            "AC4",
            !participants.is_empty()
                && decisions.iter().any(|(place, _, commit)| !commit && all_yes(end) && !fails(first, *place)),
        ),
        ("AC5", undecided && !is_failing(trace, end - 1)),
    ]
    .into_iter()
    .filter(|(_, broken)| *broken)
    .map(|(rule, _)| rule)
    .collect()
}

#[test]
fn the_rules_are_as_defined() {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut invalid = 0;
    for seed in 0..histories() {
        let trace = trace(&mut Chance::of(seed));
        let found = check(&trace);
        let told = || format!("seed {seed}: {found:?}\n{trace:#?}");
        for transaction in 0..2 {
            let mine = found
                .breaches
                .iter()
                .filter(|breach| breach.sentence.starts_with(&format!("transaction {transaction}: ")));
            let rules: Vec<&str> = mine.map(|breach| breach.rule).collect();
            let set: BTreeSet<&str> = rules.iter().copied().collect();
            assert_eq!(set.len(), rules.len(), "{}", told());
            let expected = if trace.is_empty() { BTreeSet::new() } else { definition(&trace, transaction) };
            assert_eq!(set, expected, "transaction {transaction}, {}", told());
        }
        for breach in &found.breaches {
            assert!(breach.entries.is_sorted_by(|one, next| one < next), "{}", told());
            assert!(breach.entries.iter().all(|place| *place < trace.len()), "{}", told());
            // Two decisions that differ do so whatever else happened.
            if ["AC1", "AC2"].contains(&breach.rule) {
                let alone: Vec<Entry> = breach.entries.iter().map(|place| trace[*place].clone()).collect();
                assert!(check(&alone).breaches.iter().any(|other| other.rule == breach.rule), "{}", told());
            }
            seen.insert(breach.rule);
        }
        invalid += u64::from(!found.breaches.is_empty());
    }
    let share = 100 * invalid / histories();
    eprintln!("atomic commitment: {share} % of {} invalid; seen {seen:?}", histories());
    assert_eq!(seen.len(), 5, "{seen:?}");
    assert!((5..=95).contains(&share), "{share} %");
}

#[test]
fn who_voted_yes_is_blocked_until_it_decides() {
    for seed in 0..histories() {
        let trace = trace(&mut Chance::of(seed));
        let end = trace.last().map_or(0, |entry| entry.at);
        let mut expected = Vec::new();
        let mut decided = [0, 0];
        for transaction in 0..2 {
            let (participants, votes, decisions) = words(&trace, transaction);
            if let Some((.., commit)) = decisions.first() {
                decided[usize::from(!commit)] += 1;
            }
            for who in participants {
                let mut mine = votes.iter().filter(|(_, voter, _)| *voter == who);
                let Some((yes, ..)) = mine.clone().next().filter(|_| mine.all(|(.., yes)| *yes)) else { continue };
                let decision = decisions.iter().find(|(_, decider, _)| *decider == who);
                let to = decision.map_or(end, |(place, ..)| trace[*place].at);
                expected.push((transaction, who, trace[*yes].at, to, decision.is_none()));
            }
        }
        let found = check(&trace);
        let doubts: Vec<_> =
            found.doubts.iter().map(|d| (d.transaction, d.participant, d.from, d.to, d.open)).collect();
        assert_eq!((doubts, found.decided), (expected.clone(), decided), "seed {seed}: {trace:#?}");
        let longest = expected.iter().map(|(.., from, to, _)| to.saturating_sub(*from)).max();
        assert_eq!(found.blocked().greatest(), longest);
        assert_eq!(found.longest_doubt().map(|doubt| doubt.nanoseconds()), longest);
    }
}

/// Two participants; `1+` is a yes of participant 1, `2-` a no, `1c` and `2a` are decisions, `!` a failure, `~` the healing.
fn rules(trace: &str) -> Vec<&'static str> {
    let began = Event::Began { transaction: 1, participants: vec![1, 2] };
    let event = |word: &str| match word {
        "!" => Event::Failed,
        "~" => Event::Healed,
        word => {
            let (who, what) = word.split_at(1);
            let (transaction, participant) = (1, who.parse().expect("participants are digits"));
            match what {
                "+" | "-" => Event::Voted { transaction, participant, yes: what == "+" },
                _ => Event::Decided { transaction, participant, commit: what == "c" },
            }
        }
    };
    let events = [began].into_iter().chain(trace.split_whitespace().map(event));
    let trace: Vec<Entry> = events.enumerate().map(|(at, event)| Entry { at: 10 * at as u64, event }).collect();
    let found = check(&trace);
    assert!(found.breaches.iter().all(|breach| breach.entries.is_sorted() && !breach.sentence.is_empty()));
    found.breaches.into_iter().map(|breach| breach.rule).collect()
}

#[test]
fn each_rule_is_broken_by_its_own_name_and_by_no_other() {
    assert!(rules("1+ 2+ 1c 2c").is_empty());
    assert!(rules("1+ 2- 2a 1a").is_empty());
    assert_eq!(rules("1+ 2+ ! 1c 2a ~"), ["AC1"]);
    assert_eq!(rules("1+ 2- 2a 1a 1c"), ["AC1", "AC2", "AC3"]);
    assert_eq!(rules("1+ 2- 1c 2c"), ["AC3"]);
    assert_eq!(rules("1+ 1c 2+ 2c"), ["AC3"], "the vote came too late");
    assert_eq!(rules("1+ 2+ 1a 2a"), ["AC4"]);
    assert!(rules("1+ 2+ ! 1a 2a").is_empty(), "after a failure everybody may abort");
    assert_eq!(rules("1+ 2+ ! 1c ~"), ["AC5"]);
    assert!(rules("1+ 2+ ! 1c").is_empty(), "nothing is healed: to wait is all that participant 2 can do");
    assert!(rules("1+ 2+ 1c ~ !").is_empty(), "something fails again");
    assert_eq!(rules("! ~ 1+ 2+ 1a 2a"), Vec::<&str>::new(), "it had begun when something failed");
}

fn entries(events: &[Event]) -> Vec<Entry> {
    let timed = |(at, event): (usize, &Event)| Entry { at: 10 * at as u64, event: event.clone() };
    events.iter().enumerate().map(timed).collect()
}

#[test]
fn only_the_failures_that_a_transaction_met_excuse_it() {
    let began = Event::Began { transaction: 1, participants: vec![1] };
    let voted = Event::Voted { transaction: 1, participant: 1, yes: true };
    let aborted = Event::Decided { transaction: 1, participant: 1, commit: false };
    let later = entries(&[Event::Failed, Event::Healed, began, voted, aborted]);
    assert_eq!(check(&later).breaches[0].rule, "AC4");
    assert_eq!(check(&later).decided, [0, 1]);
    let amid = [&later[..1], &later[2..]].concat();
    assert!(check(&amid).breaches.is_empty());
}

#[test]
fn who_only_decides_needs_no_vote_and_a_beginning_that_is_told_twice_forgets_none() {
    let began = Event::Began { transaction: 1, participants: vec![1] };
    let voted = Event::Voted { transaction: 1, participant: 1, yes: true };
    let decided = |participant| Event::Decided { transaction: 1, participant, commit: true };
    let trace = entries(&[began.clone(), voted, began, decided(9), decided(1)]);
    assert!(check(&trace).breaches.is_empty(), "{:?}", check(&trace));
    assert_eq!(check(&entries(&[decided(9)])).breaches, [], "nobody knows who had to vote");
}

#[test]
fn who_votes_both_ways_has_voted_no() {
    assert_eq!(rules("1+ 1- 2+ 1c 2c"), ["AC3"]);
    assert!(rules("1+ 1- 2+ 1a 2a").is_empty());
}

#[test]
fn doubt_lasts_from_a_yes_to_the_decision_or_to_the_end() {
    let voted = |at, participant| Entry { at, event: Event::Voted { transaction: 1, participant, yes: true } };
    let decided = Event::Decided { transaction: 1, participant: 1, commit: true };
    let trace = [voted(10, 1), voted(20, 2), Entry { at: 50, event: decided }, Entry { at: 120, event: Event::Failed }];
    let found = check(&trace);
    assert_eq!(found.blocked().samples(), [40, 100]);
    let longest = Doubt { transaction: 1, participant: 2, from: 20, to: 120, open: true };
    assert_eq!(found.longest_doubt(), Some(&longest));
}
