//! What a system under test is: nodes, clients, modes with what each claims, and defects planted on purpose.

use std::error::Error;
use std::fmt;
use std::future::Future;

use shakedown_checkers::Level;

use crate::context::{Client, Node};

/// A way to run a system, with what it promises when run so. A mode is judged by its claims only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// The name on the command line.
    pub name: &'static str,
    /// One line about it.
    pub summary: &'static str,
    /// What it promises: levels of the lattice.
    pub claims: &'static [Level],
}

/// A bug that real systems had, planted on purpose; off unless asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defect {
    /// The name on the command line.
    pub name: &'static str,
    /// What is wrong.
    pub wrong: &'static str,
    /// Where the bug was real.
    pub source: &'static str,
    /// The mode that executes the wrong branch.
    pub mode: &'static str,
    /// From 1 (most seeds show it) to 5 (a rare interleaving).
    pub difficulty: u8,
}

/// Why a node's process ended by itself.
pub type Failure = Box<dyn Error>;

/// A distributed system.
pub trait System: Sized + 'static {
    /// What talks to it.
    type Client: 'static;

    /// The name on the command line.
    const NAME: &'static str;

    /// One line about it.
    const SUMMARY: &'static str;

    /// Its modes; the first is the one it runs in unless told otherwise.
    const MODES: &'static [Mode];

    /// Its planted defects.
    const DEFECTS: &'static [Defect] = &[];

    /// What it may emit that shows that a run went where it should, each with what it means: counted in every campaign.
    const MARKS: &'static [(&'static str, &'static str)] = &[];

    /// The system in one of its [`Self::MODES`], with one of its [`Self::DEFECTS`] or none.
    fn new(mode: &'static Mode, defect: Option<&'static Defect>) -> Self;

    /// The process of a node, begun anew after each crash. It serves until it is dropped.
    fn node(&self, node: Node) -> impl Future<Output = Result<(), Failure>> + 'static;

    /// A client of the system.
    fn client(&self, client: Client) -> Self::Client;

    /// What must hold inside the system at every moment. Each observes the whole run.
    fn invariants(&self) -> Vec<Box<dyn Invariant>> {
        Vec::new()
    }
}

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

    /// The claim of which it is a part, if it is; an invariant without one must hold in every mode.
    fn claim(&self) -> Option<Level> {
        None
    }

    /// How much it has judged: a claim of which nothing was judged is not held, but undecided.
    fn judged(&self) -> u64 {
        0
    }

    /// Takes note of an event, and tells what it breaks.
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
