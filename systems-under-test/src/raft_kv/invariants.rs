//! What must hold inside the store at every moment (figure 3 of the paper), checked over what all nodes say.

use std::collections::{BTreeMap, BTreeSet};

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

/// **Leader append-only:** a leader never overwrites or deletes entries of its log.
#[derive(Default)]
pub struct LeaderAppendOnly {
    leaders: BTreeSet<String>,
}

impl Invariant for LeaderAppendOnly {
    fn name(&self) -> &'static str {
        "leader-append-only"
    }

    fn observe(&mut self, seen: &dyn Observation) -> Result<(), Violation> {
        match seen.event() {
            "role" if seen.text("role") == Some("leader") => _ = self.leaders.insert(seen.node().to_owned()),
            "role" | "stopped" => _ = self.leaders.remove(seen.node()),
            "log-truncated" if self.leaders.contains(seen.node()) => {
                let from = seen.number("from").unwrap_or(0);
                return Err(Violation(format!("{} leads, and cut its log from place {from} on", seen.node())));
            }
            _ => {}
        }
        Ok(())
    }
}

/// **Log matching:** if two logs hold an entry of the same place and term, they agree in all entries up to it. What is told of each entry
/// is a digest of the log up to it: equal digests are equal logs.
#[derive(Default)]
pub struct LogMatching {
    /// By place: the terms of entries there, each with the digest of the log, and who told it first.
    logs: Vec<Vec<(u64, u64, String)>>,
}

impl Invariant for LogMatching {
    fn name(&self) -> &'static str {
        "log-matching"
    }

    fn observe(&mut self, seen: &dyn Observation) -> Result<(), Violation> {
        let ("appended", Some(index), Some(term), Some(chain)) =
            (seen.event(), seen.number("index"), seen.number("term"), seen.number("chain"))
        else {
            return Ok(());
        };
        let at = index as usize;
        if self.logs.len() <= at {
            self.logs.resize_with(at + 1, Vec::new);
        }
        let Some((_, known, first)) = self.logs[at].iter().find(|(of, ..)| *of == term) else {
            self.logs[at].push((term, chain, seen.node().to_owned()));
            return Ok(());
        };
        if *known == chain {
            return Ok(());
        }
        Err(Violation(format!(
            "the logs of {first} and {} hold an entry of term {term} at place {index}, and differ before it",
            seen.node()
        )))
    }
}

// A client is answered when an entry is applied: that what was applied once is in every later leader's log, and nothing else in its place, is
// what all modes promise that sync before they acknowledge.
pub use shakedown_workloads::set::WRITES_KEPT;

/// **Leader completeness:** a leader's log holds all that was committed in earlier terms. A leader whose votes were so late that a newer one
/// led before it is passed over: what that one committed, it need not have.
#[derive(Default)]
pub struct LeaderCompleteness {
    /// The last place that is known to be committed, and the digest of the log up to there.
    committed: (u64, u64),
    newest: u64,
    judged: u64,
    /// By node: the digests of its log, from a place on.
    logs: BTreeMap<String, (u64, Vec<u64>)>,
}

impl LeaderCompleteness {
    /// The log of a node is cut, and ends here.
    fn cut(&mut self, node: &str, end: u64) {
        if let Some((first, log)) = self.logs.get_mut(node) {
            log.truncate((end + 1).saturating_sub(*first) as usize);
        }
    }
}

impl Invariant for LeaderCompleteness {
    fn name(&self) -> &'static str {
        "leader-completeness"
    }

    fn claim(&self) -> Option<Claim> {
        Some(Claim::Rule(WRITES_KEPT))
    }

    fn judged(&self) -> u64 {
        self.judged
    }

    fn observe(&mut self, seen: &dyn Observation) -> Result<(), Violation> {
        let node = seen.node();
        match (seen.event(), seen.number("index"), seen.number("chain")) {
            ("applied", Some(index), Some(chain)) if index > self.committed.0 => self.committed = (index, chain),
            ("appended", Some(index), Some(chain)) => {
                // What follows on nothing that is known begins anew.
                match self.logs.get_mut(node) {
                    Some((first, log)) if (*first..=*first + log.len() as u64).contains(&index) => {
                        log.truncate((index - *first) as usize);
                        log.push(chain);
                    }
                    Some(log) => *log = (index, vec![chain]),
                    None => _ = self.logs.insert(node.to_owned(), (index, vec![chain])),
                }
            }
            // What follows the snapshot may stay.
            ("snapshot-installed", Some(index), Some(chain))
                if self.logs.get(node).is_none_or(|(first, log)| *first + log.len() as u64 <= index) =>
            {
                self.logs.insert(node.to_owned(), (index, vec![chain]));
            }
            ("log-truncated", ..) => self.cut(node, seen.number("from").unwrap_or(1) - 1),
            ("recovered-from-disk", ..) => self.cut(node, seen.number("entries").unwrap_or(0)),
            ("corruption-found", ..) => _ = self.logs.remove(node),
            _ => {}
        }
        let Some(term) = leads(seen) else { return Ok(()) };
        let is_late = term <= self.newest;
        self.judged += 1;
        self.newest = self.newest.max(term);
        let (index, chain) = self.committed;
        let (Some(end), false, true) = (seen.number("end"), is_late, index > 0) else { return Ok(()) };
        if end < index {
            return Err(Violation(format!(
                "{node} leads in term {term} with a log that ends at {end}, although {index} was committed: a commit is lost"
            )));
        }
        let held = self.logs.get(node).and_then(|(first, log)| log.get(index.checked_sub(*first)? as usize));
        match held {
            Some(held) if *held != chain => Err(Violation(format!(
                "{node} leads in term {term}, and its log differs from what was committed, at or before place {index}"
            ))),
            _ => Ok(()),
        }
    }
}

/// **State machine safety:** no two nodes apply different entries at the same place; and none cuts off what it knows to be committed.
#[derive(Default)]
pub struct StateMachineSafety {
    /// By place: the entry's term, the digest of the log up to it, and who applied it first.
    applied: Vec<Option<(u64, u64, String)>>,
}

impl Invariant for StateMachineSafety {
    fn name(&self) -> &'static str {
        "state-machine-safety"
    }

    fn claim(&self) -> Option<Claim> {
        Some(Claim::Rule(WRITES_KEPT))
    }

    fn judged(&self) -> u64 {
        self.applied.len() as u64
    }

    fn observe(&mut self, seen: &dyn Observation) -> Result<(), Violation> {
        if let ("log-truncated", Some(from), Some(commit)) = (seen.event(), seen.number("from"), seen.number("commit"))
        {
            if from > commit {
                return Ok(());
            }
            let node = seen.node();
            return Err(Violation(format!("{node} cut off its log from place {from} on, committed up to {commit}")));
        }
        let ("applied", Some(index), Some(term), Some(chain)) =
            (seen.event(), seen.number("index"), seen.number("term"), seen.number("chain"))
        else {
            return Ok(());
        };
        let at = index as usize;
        if self.applied.len() <= at {
            self.applied.resize(at + 1, None);
        }
        let first = self.applied[at].get_or_insert_with(|| (term, chain, seen.node().to_owned()));
        if (first.0, first.1) == (term, chain) {
            return Ok(());
        }
        let (of, _, node) = first;
        Err(Violation(format!(
            "{node} applied an entry of term {of} at place {index}, and {} one of term {term} after another log",
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
