//! A checker against a definition.

use std::collections::BTreeSet;

use shakedown_checkers::History;
use shakedown_checkers::invariants::{self, Invariant, Options};

use super::histories::{Chance, Op, histories, history, intervals};

/// What is wrong with a history, by name.
pub fn names(history: &History, invariant: Invariant, options: &Options) -> BTreeSet<&'static str> {
    let verdict = invariants::check(history, invariant, options).expect("the generator fits the invariant");
    verdict.anomalies().iter().map(|anomaly| anomaly.name).collect()
}

/// Judges many histories, and holds what was found, and each proof, against the definition.
pub fn agrees_with_the_definition(
    invariant: Invariant,
    options: &[Options],
    mut fill: impl FnMut(&mut Chance, &mut [Op]),
    definition: impl Fn(&[Op], &Options) -> BTreeSet<&'static str>,
) {
    let mut seen: BTreeSet<&'static str> = BTreeSet::new();
    let mut invalid = 0;
    for seed in 0..histories() {
        let mut chance = Chance::of(seed);
        let mut ops = intervals(&mut chance);
        fill(&mut chance, &mut ops);
        let options = &options[seed as usize % options.len()];
        let history = history(&ops);
        let verdict = invariants::check(&history, invariant, options).expect("the generator fits the invariant");
        let found: BTreeSet<&str> = verdict.anomalies().iter().map(|anomaly| anomaly.name).collect();
        let told = || format!("seed {seed}, {options:?}: {verdict:?}\n{ops:#?}");
        assert_eq!(found, definition(&ops, options), "{}", told());
        invalid += u64::from(!found.is_empty());
        for anomaly in verdict.anomalies() {
            assert!(!anomaly.sentence.is_empty());
            let shown = anomaly.operations();
            let alone = history.restricted_to(|id| shown.contains(&id));
            let name = anomaly.name;
            assert!(
                names(&alone, invariant, options).contains(name),
                "{name}: it is not all that shows it: {}",
                told()
            );
            for needless in &anomaly.proof {
                // How the same element came out for others may show too that the queue was empty.
                let op = &ops[needless.row()];
                if name == "lost-element" && (op.is("drain") || op.is("dequeue")) {
                    continue;
                }
                let less = history.restricted_to(|id| shown.contains(&id) && id != *needless);
                let enough = names(&less, invariant, options).contains(name);
                assert!(!enough, "{name} is shown without {needless:?}: {}", told());
            }
        }
        seen.extend(found);
    }
    let share = 100 * invalid / histories();
    eprintln!("{}: {share} % of {} invalid; seen {seen:?}", invariant.name(), histories());
    assert!((5..=95).contains(&share), "{share} % of the histories of {} are invalid", invariant.name());
}

/// The names of the rules that are broken.
pub fn collect<'a>(rules: impl IntoIterator<Item = (&'a str, bool)>) -> BTreeSet<&'a str> {
    rules.into_iter().filter(|(_, broken)| *broken).map(|(name, _)| name).collect()
}
