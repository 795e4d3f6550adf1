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
//! *Method:* one pass over the trace, then one over the events of each transaction for each rule.
//! - AC1: all that decide, decide alike, also those that crash later.
//! - AC2: nobody reverses a decision.
//! - AC3: nobody commits unless all participants voted yes before. Who votes both ways has voted no.
//! - AC4: if all voted yes, and nothing was failing from the beginning of the transaction to a decision, that decision is commit.
//! - AC5: if everything is healed and nothing fails after, every participant has decided at the end of the trace. So give the trace up to a
//!   time at which all should have.
//!
//! Participants are those named when the transaction began, and whoever votes. A coordinator that only decides needs no vote of its own.
//!
//! *Source:* Bernstein, Hadzilacos & Goodman 1987, chapter 7, of executions with one transaction; here AC4 forgives only the failures that a
//! transaction met. *Cost:* n log n in the entries.

use std::collections::{BTreeMap, BTreeSet};

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
    /// A transaction begins, with these participants. Who says so again, as after a restart, may add some.
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
    /// A participant, or a coordinator, decides, or says again what it decided.
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
    /// How many transactions ended in `commit`, and in `abort`, as far as their first decision tells.
    pub decided: [usize; 2],
    /// Every stretch in which a participant had voted yes and did not know the decision, so that it held its locks: by transaction and
    /// participant.
    pub doubts: Vec<Doubt>,
}

/// A participant is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// By which transaction.
    pub transaction: u64,
    /// Who.
    pub participant: u32,
    /// When it voted yes, in nanoseconds.
    pub from: u64,
    /// When it decided, or the end of the trace, in nanoseconds.
    pub to: u64,
    /// Whether it did not decide before the end of the trace.
    pub open: bool,
}

impl Commitments {
    /// For how many nanoseconds participants were blocked, one number for each yes vote.
    pub fn blocked(&self) -> Distribution {
        Distribution::of(self.doubts.iter().map(Doubt::nanoseconds).collect())
    }

    /// The stretch that was the longest; of equals the first.
    pub fn longest_doubt(&self) -> Option<&Doubt> {
        self.doubts.iter().rev().max_by_key(|doubt| doubt.nanoseconds())
    }
}

impl Doubt {
    /// For how long.
    pub fn nanoseconds(&self) -> u64 {
        self.to.saturating_sub(self.from)
    }
}

/// Holds a trace against the rules, transaction by transaction.
pub fn check(trace: &[Entry]) -> Commitments {
    let mut transactions: BTreeMap<u64, Transaction> = BTreeMap::new();
    let mut failures = Failures::default();
    for (place, entry) in trace.iter().enumerate() {
        let new = || Transaction { first: place, ..Transaction::default() };
        match &entry.event {
            Event::Began { transaction, participants } => {
                let begun = transactions.entry(*transaction).or_insert_with(new);
                begun.began.get_or_insert(place);
                for participant in participants {
                    begun.votes.entry(*participant).or_default();
                }
            }
            Event::Voted { transaction, participant, yes } => {
                let votes = transactions.entry(*transaction).or_insert_with(new).votes.entry(*participant).or_default();
                votes[usize::from(*yes)].get_or_insert(place);
            }
            Event::Decided { transaction, participant, commit } => {
                transactions.entry(*transaction).or_insert_with(new).decisions.push(Decision {
                    place,
                    who: *participant,
                    commit: *commit,
                });
            }
            Event::Failed => failures.begin(place),
            Event::Healed => failures.end(place),
        }
    }
    let end = trace.last().map_or(0, |entry| entry.at);
    let mut commitments = Commitments::default();
    for (name, transaction) in &transactions {
        let breaches = [
            transaction.alike(),
            transaction.reversed(),
            transaction.unjustified(),
            transaction.aborted_for_nothing(&failures),
            transaction.undecided(&failures),
        ];
        let named = |breach: Breach| Breach { sentence: format!("transaction {name}: {}", breach.sentence), ..breach };
        commitments.breaches.extend(breaches.into_iter().flatten().map(named));
        if let Some(first) = transaction.decisions.first() {
            commitments.decided[usize::from(!first.commit)] += 1;
        }
        let decided = transaction.first_decisions();
        for (&participant, votes) in &transaction.votes {
            // Who votes no may abort alone, and is never in doubt.
            let [None, Some(voted)] = *votes else { continue };
            let known = decided.get(&participant);
            let to = known.map_or(end, |place| trace[*place].at);
            let doubt = Doubt { transaction: *name, participant, from: trace[voted].at, to, open: known.is_none() };
            commitments.doubts.push(doubt);
        }
    }
    commitments
}

/// When something was failing: from the first failure to the healing of all.
#[derive(Default)]
struct Failures {
    /// The places at which they began, and at which all was healed.
    spans: Vec<(usize, Option<usize>)>,
}

impl Failures {
    fn begin(&mut self, place: usize) {
        if self.spans.last().is_none_or(|(_, healed)| healed.is_some()) {
            self.spans.push((place, None));
        }
    }

    fn end(&mut self, place: usize) {
        if let Some((_, healed)) = self.spans.last_mut() {
            healed.get_or_insert(place);
        }
    }

    /// Whether something was failing at some time from one place to another.
    fn touch(&self, from: usize, to: usize) -> bool {
        let over = self.spans.partition_point(|(_, healed)| healed.is_some_and(|healed| healed < from));
        self.spans.get(over).is_some_and(|(failed, _)| *failed < to)
    }

    /// Whether something is failing at the end.
    fn last(&self) -> bool {
        self.spans.last().is_some_and(|(_, healed)| healed.is_none())
    }

    /// The place at which everything was healed for good.
    fn healed(&self) -> Option<usize> {
        self.spans.last().and_then(|(_, healed)| *healed)
    }
}

#[derive(Default)]
struct Transaction {
    /// The place of its first event.
    first: usize,
    began: Option<usize>,
    /// Of each participant the places of its first no and its first yes.
    votes: BTreeMap<u32, [Option<usize>; 2]>,
    /// In the order of the trace.
    decisions: Vec<Decision>,
}

#[derive(Clone, Copy)]
struct Decision {
    place: usize,
    who: u32,
    commit: bool,
}

fn word(commit: bool) -> &'static str {
    if commit { "commit" } else { "abort" }
}

impl Transaction {
    /// The place of the first decision of each that decided.
    fn first_decisions(&self) -> BTreeMap<u32, usize> {
        let mut first = BTreeMap::new();
        for decision in &self.decisions {
            first.entry(decision.who).or_insert(decision.place);
        }
        first
    }

    fn alike(&self) -> Option<Breach> {
        // Of each decision the first, and the first of another participant than that: of two decisions of one AC2 tells.
        let mut known: [[Option<Decision>; 2]; 2] = Default::default();
        let (earlier, later) = self.decisions.iter().find_map(|later| {
            let opposite = known[usize::from(!later.commit)].into_iter().flatten().find(|other| other.who != later.who);
            let mine = &mut known[usize::from(later.commit)];
            match mine {
                [None, _] => mine[0] = Some(*later),
                [Some(first), None] if first.who != later.who => mine[1] = Some(*later),
                _ => {}
            }
            Some((opposite?, *later))
        })?;
        let sentence = format!(
            "participant {} decided to {} and participant {} to {}",
            earlier.who,
            word(earlier.commit),
            later.who,
            word(later.commit)
        );
        Some(Breach { rule: "AC1", entries: vec![earlier.place, later.place], sentence })
    }

    fn reversed(&self) -> Option<Breach> {
        let mut first: BTreeMap<u32, Decision> = BTreeMap::new();
        let (before, after) = self.decisions.iter().find_map(|decision| {
            let before = *first.entry(decision.who).or_insert(*decision);
            (before.commit != decision.commit).then_some((before, decision))
        })?;
        let (was, is) = (word(before.commit), word(after.commit));
        let sentence = format!("participant {} decided to {was} and later to {is}", before.who);
        Some(Breach { rule: "AC2", entries: vec![before.place, after.place], sentence })
    }

    fn unjustified(&self) -> Option<Breach> {
        let commit = self.decisions.iter().find(|decision| decision.commit)?;
        let is_right = |votes: &[Option<usize>; 2]| matches!(votes, [None, Some(yes)] if *yes < commit.place);
        let (voter, votes) = self.votes.iter().find(|(_, votes)| !is_right(votes))?;
        let (shows, why) = match *votes {
            [Some(no), _] => (Some(no), "voted no"),
            [None, Some(yes)] => (Some(yes), "voted only after that"),
            [None, None] => (self.began, "never voted"),
        };
        let mut entries: Vec<usize> = shows.into_iter().chain([commit.place]).collect();
        entries.sort_unstable();
        let sentence = format!("participant {} decided to commit, although participant {voter} {why}", commit.who);
        Some(Breach { rule: "AC3", entries, sentence })
    }

    fn aborted_for_nothing(&self, failures: &Failures) -> Option<Breach> {
        let abort = self.decisions.iter().find(|decision| !decision.commit)?;
        if self.votes.is_empty() || failures.touch(self.first, abort.place) {
            return None;
        }
        let mut entries: Vec<usize> = vec![abort.place];
        for votes in self.votes.values() {
            let [None, Some(yes)] = *votes else { return None };
            entries.push(yes);
        }
        entries.sort_unstable();
        let sentence =
            format!("participant {} decided to abort, although all voted yes and nothing had failed", abort.who);
        Some(Breach { rule: "AC4", entries, sentence })
    }

    fn undecided(&self, failures: &Failures) -> Option<Breach> {
        if failures.last() {
            return None;
        }
        let decided: BTreeSet<u32> = self.decisions.iter().map(|decision| decision.who).collect();
        let mut open = self.votes.iter().filter(|(who, _)| !decided.contains(who));
        let (who, votes) = open.next()?;
        let mut entries: Vec<usize> =
            self.began.into_iter().chain(votes.iter().flatten().copied()).chain(failures.healed()).collect();
        entries.sort_unstable();
        let after = if failures.healed().is_some() { "everything was healed" } else { "nothing failed" };
        let rest = match open.count() {
            0 => String::new(),
            more => format!("; nor had {more} more"),
        };
        let sentence = format!("participant {who} had not decided at the end of the trace, although {after}{rest}");
        Some(Breach { rule: "AC5", entries, sentence })
    }
}
