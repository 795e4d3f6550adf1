//! What must hold inside the store at every moment (figure 3 of the paper), checked over what all nodes say.

use std::collections::BTreeMap;

use shakedown_checkers::{Claim, Rule};

use crate::door::{Invariant, Observation, Violation};

/// **Election safety:** at most one leader in a term.
#[derive(Default)]
pub struct ElectionSafety {
    leaders: BTreeMap<u64, String>,
}

impl Invariant for ElectionSafety {
    fn name(&self) -> &'static str {
        "election-safety"
    }

    fn observe(&mut self, seen: &dyn Observation) -> Result<(), Violation> {
        let Some(term) = leads(seen) else { return Ok(()) };
        let first = self.leaders.entry(term).or_insert_with(|| seen.node().to_owned());
        if first == seen.node() {
            return Ok(());
        }
        Err(Violation(format!("{first} and {} both led in term {term}", seen.node())))
    }
}

/// **Leader completeness:** a leader has all that was committed in earlier terms. Seen here: its log is not shorter. A leader whose votes
/// were so late that a newer one led before it is passed over: what that one committed, it need not have.
#[derive(Default)]
pub struct LeaderCompleteness {
    committed: u64,
    newest: u64,
}

impl Invariant for LeaderCompleteness {
    fn name(&self) -> &'static str {
        "leader-completeness"
    }

    fn observe(&mut self, seen: &dyn Observation) -> Result<(), Violation> {
        if let ("applied", Some(index)) = (seen.event(), seen.number("index")) {
            self.committed = self.committed.max(index);
        }
        let newest = self.newest;
        if let Some(term) = leads(seen) {
            self.newest = newest.max(term);
        }
        match (leads(seen), seen.number("end")) {
            (Some(term), Some(end)) if term > newest && end < self.committed => Err(Violation(format!(
                "{} leads in term {term} with a log that ends at {end}, although {} was committed: a commit is lost",
                seen.node(),
                self.committed
            ))),
            _ => Ok(()),
        }
    }
}

/// **State machine safety:** no two nodes apply different entries at the same place. With it, logs match as far as they are
/// committed.
#[derive(Default)]
pub struct StateMachineSafety {
    applied: BTreeMap<u64, (u64, u64, String)>,
}

impl Invariant for StateMachineSafety {
    fn name(&self) -> &'static str {
        "state-machine-safety"
    }

    fn observe(&mut self, seen: &dyn Observation) -> Result<(), Violation> {
        let ("applied", Some(index), Some(term), Some(digest)) =
            (seen.event(), seen.number("index"), seen.number("term"), seen.number("digest"))
        else {
            return Ok(());
        };
        let first = self.applied.entry(index).or_insert_with(|| (term, digest, seen.node().to_owned()));
        if (first.0, first.1) == (term, digest) {
            return Ok(());
        }
        Err(Violation(format!(
            "{} applied an entry of term {} at place {index}, and {} another one of term {term}",
            first.2,
            first.0,
            seen.node()
        )))
    }
}

/// What the modes promise whose nodes answer from their own state.
pub const PREFIX_READS: Rule =
    Rule { name: "prefix-reads", summary: "every read shows what the committed log leaves after some entry" };

/// **Prefix reads:** what a node answers from its own state is what the committed log leaves after some entry.
#[derive(Default)]
pub struct PrefixReads {
    applied: u64,
    judged: u64,
    /// By key: the places at which it changed, and to what.
    changes: BTreeMap<u64, Vec<(u64, u64)>>,
}

impl Invariant for PrefixReads {
    fn name(&self) -> &'static str {
        PREFIX_READS.name
    }

    fn claim(&self) -> Option<Claim> {
        Some(Claim::Rule(PREFIX_READS))
    }

    fn judged(&self) -> u64 {
        self.judged
    }

    fn observe(&mut self, seen: &dyn Observation) -> Result<(), Violation> {
        let Some(index) = seen.number("index") else { return Ok(()) };
        match (seen.event(), seen.number("key"), seen.number("value")) {
            ("applied", key, value) if index == self.applied + 1 => {
                self.applied = index;
                if let (Some(key), Some(value)) = (key, value) {
                    self.changes.entry(key).or_default().push((index, value));
                }
                Ok(())
            }
            ("read-locally", Some(key), value) => {
                self.judged += 1;
                let changes = self.changes.get(&key).map_or(&[][..], Vec::as_slice);
                let then = changes[..changes.partition_point(|(at, _)| *at <= index)].last().map(|(_, value)| *value);
                if index <= self.applied && then == value {
                    return Ok(());
                }
                let shown = |value: Option<u64>| value.map_or("nothing".to_owned(), |value| value.to_string());
                Err(Violation(format!(
                    "{} answered {} for key {key} after place {index} of the log, where it holds {}",
                    seen.node(),
                    shown(value),
                    shown(then)
                )))
            }
            _ => Ok(()),
        }
    }
}

fn leads(seen: &dyn Observation) -> Option<u64> {
    (seen.event() == "role" && seen.text("role") == Some("leader")).then(|| seen.number("term"))?
}
