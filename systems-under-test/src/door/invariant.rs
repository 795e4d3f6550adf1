//! What must hold inside a system at every moment.

use std::fmt;

use shakedown_checkers::Claim;

/// Something that a node or a client said through `tracing`, as an invariant sees it.
pub trait Observation {
    /// Which node; `clients` for a client.
    fn node(&self) -> &str;
    /// The value of the field `event`: what happened.
    fn event(&self) -> &str;
    /// A field with a whole number.
    fn number(&self, field: &str) -> Option<u64>;
    /// A field with text.
    fn text(&self, field: &str) -> Option<&str>;
}

/// A property of a system that is checked at every event.
pub trait Invariant {
    /// Its name in the literature.
    fn name(&self) -> &'static str;

    /// The claim that it judges, if it does; an invariant without one must hold in every mode.
    fn claim(&self) -> Option<Claim> {
        None
    }

    /// How much it has judged: a claim of which nothing was judged is not held, but undecided.
    fn judged(&self) -> u64 {
        0
    }

    /// Takes note of an event.
    ///
    /// # Errors
    /// What the event breaks.
    fn observe(&mut self, observation: &dyn Observation) -> Result<(), Violation>;
}

/// A broken invariant, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
