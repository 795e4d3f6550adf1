//! What may be claimed of a system: a level of the lattice, or a rule that has a name of its own.

use std::fmt;

use crate::levels::Level;

/// A promise. A run is held against the promises of its system, and against nothing else.
///
/// ```
/// use shakedown_checkers::{Claim, Level, Rule};
///
/// const EXCLUSION: Rule = Rule { name: "mutual-exclusion", summary: "no two clients hold a lock at once" };
/// assert!(Claim::Level(Level::Linearizable).covers(Claim::Level(Level::Sequential)));
/// assert!(!Claim::Rule(EXCLUSION).covers(Claim::Level(Level::Sequential)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// A level of the lattice.
    Level(Level),
    /// A rule.
    Rule(Rule),
}

/// A property that is no level: mutual exclusion, a constant total, no lost element.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name, as reports show it: `mutual-exclusion`. Rules of one name are one rule.
    pub name: &'static str,
    /// What it says, in one line.
    pub summary: &'static str,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Rule) -> bool {
        self.name == other.name
    }
}

impl Eq for Rule {}

impl Claim {
    /// Its name: `linearizable`.
    pub fn name(self) -> &'static str {
        match self {
            Claim::Level(level) => level.name(),
            Claim::Rule(rule) => rule.name,
        }
    }

    /// The level, if it is one.
    pub fn level(self) -> Option<Level> {
        match self {
            Claim::Level(level) => Some(level),
            Claim::Rule(_) => None,
        }
    }

    /// Whether whoever promises this is refuted where the other is broken: a level promises all weaker ones, a rule itself.
    pub fn covers(self, broken: Claim) -> bool {
        match (self, broken) {
            (Claim::Level(level), Claim::Level(broken)) => level.implies(broken),
            (Claim::Rule(rule), Claim::Rule(broken)) => rule == broken,
            _ => false,
        }
    }
}

impl From<Level> for Claim {
    fn from(level: Level) -> Claim {
        Claim::Level(level)
    }
}

impl From<Rule> for Claim {
    fn from(rule: Rule) -> Claim {
        Claim::Rule(rule)
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
