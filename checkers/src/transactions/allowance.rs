//! What an analysis may cost, and what it did not look for when that ran out.

use std::time::Instant;

use crate::levels::{Level, weakest_ruled_out};
use crate::verdict::{Budget, Undecided};

pub(super) struct Allowance {
    /// How many edges may be looked at for one kind of cycle until one is known.
    pub visits: u64,
    bytes: u64,
    deadline: Option<Instant>,
    /// The weakest levels about which something was not looked for, and what and why.
    skipped: Vec<(&'static [Level], String)>,
}

/// A phase was given up.
pub(super) struct Late;

/// For each configuration of a budget so many edges may be looked at.
const EDGES: u64 = 4;

/// But no more than these, some seconds' worth: who sets no bound does not want to wait for ever.
const MOST: u64 = 500_000_000;

/// So many edges are looked at for a shorter cycle than the one known.
pub(super) const SHORTER: u64 = 2_000_000;

impl Allowance {
    pub fn of(budget: &Budget) -> Allowance {
        Allowance {
            visits: budget.configurations.saturating_mul(EDGES).min(MOST),
            bytes: budget.bytes.unwrap_or(u64::MAX),
            deadline: budget.deadline,
            skipped: Vec::new(),
        }
    }

    /// For a trial: one in so many parts of the time that is left, and of what may be looked at.
    pub fn part(&self, parts: u32) -> Allowance {
        let now = Instant::now();
        let deadline = self.deadline.map(|deadline| now + deadline.saturating_duration_since(now) / parts);
        Allowance { visits: self.visits / u64::from(parts), bytes: self.bytes, deadline, skipped: Vec::new() }
    }

    /// So many bytes are held from now on.
    pub fn hold(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes as u64);
    }

    /// For a phase before which so many bytes are held.
    pub fn beside(&self, bytes: usize) -> Allowance {
        let mut rest = self.part(1);
        rest.hold(bytes);
        rest
    }

    /// How many bytes may be held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() > deadline)
    }

    /// For the step of a long loop: looks at the clock now and then.
    pub fn go_on(&self, step: usize) -> Result<(), Late> {
        if step.is_multiple_of(1 << 12) && self.is_late() { Err(Late) } else { Ok(()) }
    }

    /// Whether a phase may begin that holds about so many bytes; if not, it is noted that what it looks for may be there.
    pub fn may_begin(&mut self, phase: &str, bytes: usize, weakest: &'static [Level]) -> bool {
        let reason = if self.is_late() {
            format!("time ran out before {phase}: expected more time")
        } else if bytes as u64 > self.bytes {
            format!("{phase} would hold about {} MB: more than the budget of memory", bytes >> 20)
        } else {
            return true;
        };
        self.skip(weakest, reason);
        false
    }

    /// Notes what was not looked for.
    pub fn skip(&mut self, weakest: &'static [Level], reason: String) {
        self.skipped.push((weakest, reason));
    }

    /// Notes that the search for an anomaly was given up.
    pub fn skip_anomaly(&mut self, name: &'static str, visits: u64) {
        let why = if self.is_late() { "time ran out".to_owned() } else { format!("{visits} edges had been looked at") };
        let reason = format!(
            "the search for {name}, in a component that may hold one, was given up when {why}: expected more time"
        );
        self.skip(weakest_ruled_out(name), reason);
    }

    /// The levels that may fall by what was not looked for, given the weakest of those that did fall; and why nobody knows.
    pub fn open(&self, named: &[Level]) -> (Vec<Level>, Option<Undecided>) {
        let is_open = |level: &Level, weakest: &[Level]| {
            !named.iter().any(|weak| level.implies(*weak)) && weakest.iter().any(|weak| level.implies(*weak))
        };
        let relevant: Vec<&(&[Level], String)> =
            self.skipped.iter().filter(|(weakest, _)| Level::ALL.iter().any(|level| is_open(level, weakest))).collect();
        if relevant.is_empty() {
            return (Vec::new(), None);
        }
        let open = Level::ALL
            .into_iter()
            .filter(|level| relevant.iter().any(|(weakest, _)| is_open(level, weakest)))
            .collect();
        let reasons: Vec<&str> = relevant.iter().map(|(_, reason)| reason.as_str()).collect();
        (open, Some(Undecided { reason: reasons.join("; ") }))
    }
}
