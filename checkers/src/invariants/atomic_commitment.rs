//! **Atomic commitment**: the rules AC1 to AC5, held against the trace of a protocol.
//!
//! ```text
//!   n1  vote yes ────────── commit ──────              AC1: two decisions
//!   n2  vote no  ── abort ───────────────              AC3: commit, although n2 voted no
//!   n3  vote yes ── (in doubt, its locks held) ──      AC5: undecided, although all is healed
//! ```
//!
//! *When to ask for it rather than for what clients see:* it names the participant that broke the protocol, before any read shows half a
//! transaction.
//!
//! *Method:* one pass over the trace for each rule of a transaction.
//! - AC1: all participants that decide, decide alike, also those that crash later.
//! - AC2: nobody reverses a decision.
//! - AC3: nobody commits unless all voted yes before.
//! - AC4: if all voted yes and nothing failed before a decision, that decision is commit.
//! - AC5: if everything is healed and nothing fails after, everybody has decided at the end of the trace.
//!
//! *Source:* Bernstein, Hadzilacos & Goodman 1987, chapter 7. *Cost:* linear.

use std::collections::BTreeMap;

use super::staleness::Distribution;

/// Something that happened, in the order of the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, in nanoseconds.
    pub at: u64,
    /// What.
    pub event: Event,
}

/// What an atomic commitment is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A transaction begins, with these participants.
    Began {
        /// Which.
        transaction: u64,
        /// Everybody whose vote counts.
        participants: Vec<u32>,
    },
    /// A participant votes.
    Voted {
        /// On which.
        transaction: u64,
        /// Who.
        participant: u32,
        /// Whether it would commit.
        yes: bool,
    },
    /// A participant decides.
    Decided {
        /// On which.
        transaction: u64,
        /// Who.
        participant: u32,
        /// Whether it commits.
        commit: bool,
    },
    /// Something fails: a crash, a lost message, a time-out that ran out.
    Failed,
    /// All failures are repaired.
    Healed,
}

/// A rule that a trace breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Its name: `AC1`; of sagas `skipped-step`.
    pub rule: &'static str,
    /// The places of the entries of the trace that show it, in ascending order.
    pub entries: Vec<usize>,
    /// One sentence that an engineer understands.
    pub sentence: String,
}

/// What a trace shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commitments {
    /// The rules that it breaks; none if it is right.
    pub breaches: Vec<Breach>,
    /// For each yes vote, for how many nanoseconds its participant did not know the decision, and held its locks: up to the end of the trace if it
    /// never learned it.
    pub in_doubt: Distribution,
}

/// Holds a trace against the rules, transaction by transaction.
pub fn check(trace: &[Entry]) -> Commitments {
    let mut transactions: BTreeMap<u64, Transaction> = BTreeMap::new();
    let mut failures = Vec::new();
    let mut healed = None;
    for (place, entry) in trace.iter().enumerate() {
        match &entry.event {
            Event::Began { transaction, participants } => {
                let begun = transactions.entry(*transaction).or_default();
                begun.began = Some(place);
                begun.participants.extend(participants.iter().map(|who| (*who, Participant::default())));
            }
            Event::Voted { transaction, participant, yes } => {
                let voter = transactions.entry(*transaction).or_default().participants.entry(*participant).or_default();
                voter.vote.get_or_insert((place, *yes));
            }
            Event::Decided { transaction, participant, commit } => {
                let decider =
                    transactions.entry(*transaction).or_default().participants.entry(*participant).or_default();
                decider.decisions.push((place, *commit));
            }
            Event::Failed => {
                failures.push(place);
                healed = None;
            }
            Event::Healed => healed = Some(place),
        }
    }
    let end = trace.last().map_or(0, |entry| entry.at);
    let mut commitments = Commitments::default();
    let mut in_doubt = Vec::new();
    for (name, transaction) in &transactions {
        let mut breaches = vec![
            transaction.alike(),
            transaction.reversed(),
            transaction.unjustified(),
            transaction.aborted_for_nothing(failures.first().copied()),
        ];
        if failures.is_empty() || healed.is_some() {
            breaches.push(transaction.undecided(healed));
        }
        let named = |breach: Breach| Breach { sentence: format!("transaction {name}: {}", breach.sentence), ..breach };
        commitments.breaches.extend(breaches.into_iter().flatten().map(named));
        for participant in transaction.participants.values() {
            if let Some((voted, true)) = participant.vote {
                let decided = participant.decisions.first().map_or(end, |(place, _)| trace[*place].at);
                in_doubt.push(decided.saturating_sub(trace[voted].at));
            }
        }
    }
    commitments.in_doubt = Distribution::of(in_doubt);
    commitments
}

#[derive(Default)]
struct Transaction {
    began: Option<usize>,
    participants: BTreeMap<u32, Participant>,
}

#[derive(Default)]
struct Participant {
    /// Where in the trace, and whether yes. The first counts.
    vote: Option<(usize, bool)>,
    /// Where in the trace, and whether commit.
    decisions: Vec<(usize, bool)>,
}

fn word(commit: bool) -> &'static str {
    if commit { "commit" } else { "abort" }
}

impl Transaction {
    /// All decisions, in the order of the trace.
    fn decisions(&self) -> Vec<(usize, u32, bool)> {
        let each = |(who, participant): (&u32, &Participant)| {
            let who = *who;
            participant.decisions.iter().map(move |(place, commit)| (*place, who, *commit)).collect::<Vec<_>>()
        };
        let mut all: Vec<(usize, u32, bool)> = self.participants.iter().flat_map(each).collect();
        all.sort_unstable();
        all
    }

    fn alike(&self) -> Option<Breach> {
        let all = self.decisions();
        // Of two decisions of one participant AC2 tells.
        let (first, other) = all.iter().enumerate().find_map(|(at, later)| {
            all[..at]
                .iter()
                .find(|earlier| earlier.2 != later.2 && earlier.1 != later.1)
                .map(|earlier| (*earlier, *later))
        })?;
        let sentence = format!(
            "participant {} decided to {} and participant {} to {}",
            first.1,
            word(first.2),
            other.1,
            word(other.2)
        );
        Some(Breach { rule: "AC1", entries: vec![first.0, other.0], sentence })
    }

    fn reversed(&self) -> Option<Breach> {
        self.participants.iter().find_map(|(who, participant)| {
            let (first, commit) = *participant.decisions.first()?;
            let (later, _) = participant.decisions.iter().find(|(_, other)| *other != commit)?;
            let sentence = format!("participant {who} decided to {} and later to {}", word(commit), word(!commit));
            Some(Breach { rule: "AC2", entries: vec![first, *later], sentence })
        })
    }

    fn unjustified(&self) -> Option<Breach> {
        let (commit, who, _) = self.decisions().into_iter().find(|(.., commit)| *commit)?;
        let mut votes = self.participants.iter().map(|(voter, participant)| (voter, participant.vote));
        let (voter, vote) = votes.find(|(_, vote)| !matches!(vote, Some((place, true)) if *place < commit))?;
        let (entries, why) = match vote {
            Some((place, false)) => (vec![place.min(commit), place.max(commit)], "voted no"),
            Some((place, true)) => (vec![commit, place], "voted only after that"),
            None => (self.began.into_iter().chain([commit]).collect(), "never voted"),
        };
        let sentence = format!("participant {who} decided to commit, although participant {voter} {why}");
        Some(Breach { rule: "AC3", entries, sentence })
    }

    fn aborted_for_nothing(&self, failure: Option<usize>) -> Option<Breach> {
        let (abort, who, _) = self.decisions().into_iter().find(|(.., commit)| !*commit)?;
        if failure.is_some_and(|failure| failure < abort) {
            return None;
        }
        let mut entries: Vec<usize> = vec![abort];
        for participant in self.participants.values() {
            match participant.vote {
                Some((place, true)) => entries.push(place),
                _ => return None,
            }
        }
        entries.sort_unstable();
        let sentence = format!("participant {who} decided to abort, although all voted yes and nothing had failed");
        Some(Breach { rule: "AC4", entries, sentence })
    }

    fn undecided(&self, healed: Option<usize>) -> Option<Breach> {
        let (who, participant) = self.participants.iter().find(|(_, participant)| participant.decisions.is_empty())?;
        let vote = participant.vote.map(|(place, _)| place);
        let mut entries: Vec<usize> = self.began.into_iter().chain(vote).chain(healed).collect();
        entries.sort_unstable();
        let after = if healed.is_some() { "everything was healed" } else { "nothing failed" };
        let sentence = format!("participant {who} had not decided at the end of the trace, although {after}");
        Some(Breach { rule: "AC5", entries, sentence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two participants; `1+` is a yes of participant 1, `2-` a no, `1c` and `2a` are decisions, `!` a failure, `~` the healing.
    fn rules(trace: &str) -> Vec<&'static str> {
        let began = Event::Began { transaction: 1, participants: vec![1, 2] };
        let event = |word: &str| match word {
            "!" => Event::Failed,
            "~" => Event::Healed,
            word => {
                let (who, what) = word.split_at(1);
                let (transaction, participant) = (1, who.parse().unwrap());
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
    }

    #[test]
    fn doubt_lasts_from_a_yes_to_the_decision_or_to_the_end() {
        let voted = |at, participant| Entry { at, event: Event::Voted { transaction: 1, participant, yes: true } };
        let decided = Event::Decided { transaction: 1, participant: 1, commit: true };
        let trace =
            [voted(10, 1), voted(20, 2), Entry { at: 50, event: decided }, Entry { at: 120, event: Event::Failed }];
        assert_eq!(check(&trace).in_doubt.samples(), [40, 100]);
    }
}
