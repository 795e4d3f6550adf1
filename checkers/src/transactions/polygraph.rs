//! **Registers whose version order nobody saw**: decided, by putting the writers of each key into an order.
//!
//! ```text
//!   known      sessions, real time, reads-from, the beginning before everything
//!   forced     of two writers of a key, in either order the edges that it brings; one that closes a cycle is out       saturation.rs
//!   chosen     what remains: a search that learns from each cycle                                                     choices.rs, solver.rs
//!   told       the transactions of a contradiction, cut down until each is needed                                    known.rs, proof.rs, alternatives.rs
//! ```
//!
//! A level holds exactly when some order of the writers of each key, and some source for each read, leaves the graph of that level ([`shape`]) without a
//! cycle. So `valid` means that an order was found, and `invalid` that there is none. Most histories of stores that are right need no more than one order that is put
//! together as it goes ([`schedule`]); most others end in what is forced.
//!
//! *Sources:* polygraphs are Papadimitriou's (JACM 1979); deciding is NP-complete. Cobra (OSDI 2020), PolySI (VLDB 2023), Viper (EuroSys 2023).

mod alternatives;
mod choices;
mod known;
mod proof;
mod reach;
mod saturation;
pub(super) mod schedule;
pub(super) mod shape;
mod solver;
pub(super) mod versions;

use crate::History;
use crate::history::OperationId;
use crate::verdict::Anomaly;

use super::allowance::Allowance;
use super::dependencies::Dependency;
use super::explain::Teller;

use choices::Choices;
use known::Few;
use proof::Proof;
use saturation::{Contradiction, End, Problem, Saturation};
use shape::Shape;
use solver::Ending;
use versions::{INITIAL, Versions};

/// What was found out about a level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Valid,
    Invalid(Box<Anomaly>),
    Unknown(String),
}

/// The transactions of a history, and what is known of them before a level is asked for.
pub(super) struct Case<'a, 'h> {
    pub history: &'h History,
    pub versions: &'a Versions,
    pub writes: &'a [bool],
    /// All that is known, time included, among transactions, the nodes of fans, and the instants from `instants` on.
    pub known: &'a [Dependency],
    pub instants: u32,
    pub nodes: u32,
    /// What is promised of the order of versions.
    pub promised: &'a [Dependency],
    pub teller: &'a Teller<'a, 'h>,
}

/// How a problem ended.
enum Ended {
    Order,
    Contradiction(Contradiction),
    /// No choice leaves an order; the transactions that the search met with.
    NoChoice(Vec<u32>),
    Over(String),
}

impl<'a> Case<'a, '_> {
    fn problem(&self, shape: Shape) -> Problem<'a> {
        Problem {
            shape,
            versions: self.versions,
            writes: self.writes,
            known: self.known,
            instants: self.instants,
            nodes: self.nodes,
        }
    }
}

/// Whether an order of a level is found; that none is says nothing.
pub(super) fn is_found(case: &Case<'_, '_>, shape: Shape, allowance: &Allowance) -> bool {
    matches!(end(&mut Saturation::of(&case.problem(shape)), allowance), Ended::Order)
}

/// Decides a level, by its shape.
pub(super) fn decide(case: &Case<'_, '_>, shape: Shape, allowance: &Allowance) -> Decision {
    let problem = case.problem(shape);
    let mut saturation = Saturation::of(&problem);
    match end(&mut saturation, allowance) {
        Ended::Order => Decision::Valid,
        Ended::Over(reason) => Decision::Unknown(reason),
        Ended::Contradiction(contradiction) => {
            let rows = Proof::of(&saturation, &contradiction).rows();
            drop(saturation);
            Decision::Invalid(Box::new(told(case, shape, rows, allowance)))
        }
        Ended::NoChoice(rows) => {
            drop(saturation);
            Decision::Invalid(Box::new(told(case, shape, rows, allowance)))
        }
    }
}

fn end(saturation: &mut Saturation<'_>, allowance: &Allowance) -> Ended {
    match saturation.run(allowance) {
        End::Over(reason) => return Ended::Over(reason),
        End::Contradiction(contradiction) => return Ended::Contradiction(contradiction),
        End::Fixpoint => {}
    }
    let Some(reach) = saturation.reach.take() else { return Ended::Over("nothing was inferred".to_owned()) };
    let mut choices = Choices::of(saturation, &reach);
    match choices.decide(allowance) {
        Ending::Found => Ended::Order,
        Ending::None => Ended::NoChoice(choices.blamed()),
        Ending::GaveUp(reason) => Ended::Over(reason),
    }
}

/// More transactions than this are not cut down.
const MOST: usize = 300;

/// Tells a contradiction among some transactions, or as few of them as make one.
fn told(case: &Case<'_, '_>, shape: Shape, mut rows: Vec<u32>, allowance: &Allowance) -> Anomaly {
    let mut few = Few::of(case.history, case.versions, &rows, case.promised, shape.time);
    while !is_contradictory(&few, shape, allowance) {
        // What they read, and who read that, is needed, too.
        let more = with_neighbours(case.versions, &rows);
        if more.len() == rows.len() || more.len() > MOST || allowance.is_late() {
            return unreduced(rows);
        }
        rows = more;
        few = Few::of(case.history, case.versions, &rows, case.promised, shape.time);
    }
    if few.rows.len() > MOST {
        return unreduced(rows);
    }
    let mut is_whole = true;
    let mut at = few.rows.len();
    while at > 0 {
        at -= 1;
        if allowance.is_late() {
            is_whole = false;
            break;
        }
        let less = few.without(at);
        if is_contradictory(&less, shape, allowance) {
            few = less;
        }
    }
    let problem = few.problem(shape);
    let mut saturation = Saturation::of(&problem);
    let anomaly = match end(&mut saturation, allowance) {
        Ended::Contradiction(contradiction) => Proof::of(&saturation, &contradiction).tell(case.teller, &few.rows),
        _ => alternatives::told(&problem, case.teller, &few.rows, allowance),
    };
    Anomaly { unreduced: anomaly.unreduced || !is_whole, ..anomaly }
}

/// Some transactions, those from which they read, and those that read from them. Sorted.
fn with_neighbours(versions: &Versions, rows: &[u32]) -> Vec<u32> {
    let is_there = |row: &u32| rows.binary_search(row).is_ok();
    let mut all = rows.to_vec();
    for read in versions.reads() {
        let sources = versions.candidates(read);
        if is_there(&read.row) || sources.iter().any(is_there) {
            all.push(read.row);
            all.extend(sources.iter().filter(|source| **source != INITIAL));
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

fn is_contradictory(few: &Few, shape: Shape, allowance: &Allowance) -> bool {
    let problem = few.problem(shape);
    matches!(end(&mut Saturation::of(&problem), allowance), Ended::Contradiction(_) | Ended::NoChoice(_))
}

fn unreduced(rows: Vec<u32>) -> Anomaly {
    Anomaly {
        name: NO_ORDER,
        sentence: format!("no order of the writes of each key explains what {} transactions read", rows.len()),
        proof: rows.into_iter().map(OperationId).collect(),
        unreduced: true,
        ..Anomaly::default()
    }
}

/// What is wrong where it has no name of its own.
const NO_ORDER: &str = "no-version-order";
