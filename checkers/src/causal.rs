//! **Causal consistency and its neighbours**, on registers: who saw what in which order, without any clock.
//!
//! ```text
//!   linearizable ─► sequential ─┬─► causal-convergence ─┬─► causal ─┬─► writes-follow-reads, and the three below
//!                               └─► causal-memory ──────┤           │
//!                                                       └─► pram ───┴─► read-your-writes, monotonic-reads, monotonic-writes
//! ```
//!
//! Operations are `read` and `write` with a key, `cas`, or `txn` of `["r" key value]` and `["w" key value]`, which is seen as a whole.
//! Order is that of each process; real time plays no part.
//!
//! *What counts:* `ok` operations; `info` ones whose writes were read; `fail` ones did not happen. The initial value is written before
//! everything. Which write a read shows must be known: where a value that was read was written twice, that read is left out, and if
//! nothing else is broken, the verdict is `unknown` and says which two operations it is about. A write that nobody read may repeat.
//!
//! Read `sessions.rs` first, then `conflict.rs` (causal, causal-convergence), `memory.rs` (causal-memory, pram), `guarantees.rs`,
//! `sequential.rs`; `explain.rs` cuts what they find down to the fewest operations.

mod clocks;
mod compile;
mod conflict;
mod explain;
mod found;
mod guarantees;
mod memory;
mod order;
mod sequential;
mod sessions;

use crate::History;
use crate::history::Value;
use crate::levels::Level;
use crate::model::DoesNotFit;
use crate::verdict::{Budget, Undecided, Verdict};

use clocks::Stopped;
use compile::Compiled;
use explain::Explaining;
use found::Found;
use guarantees::Guarantee;
use memory::Base;
use sequential::Searched;
use sessions::Sessions;

/// The levels that are decided here.
pub const DECIDED: [Level; 9] = [
    Level::ReadYourWrites,
    Level::MonotonicReads,
    Level::MonotonicWrites,
    Level::WritesFollowReads,
    Level::Pram,
    Level::Causal,
    Level::CausalConvergence,
    Level::CausalMemory,
    Level::Sequential,
];

/// The patterns that are there and break a level.
fn find(level: Level, sessions: &Sessions, budget: &Budget) -> Result<Vec<Found>, Stop> {
    let bytes = budget.bytes.unwrap_or(u64::MAX);
    let one = |found: Option<Found>| found.into_iter().collect();
    let guarantee = |guarantee| Ok(one(guarantees::check(sessions, guarantee, bytes)?));
    match level {
        Level::ReadYourWrites => guarantee(Guarantee::ReadYourWrites),
        Level::MonotonicReads => guarantee(Guarantee::MonotonicReads),
        Level::MonotonicWrites => guarantee(Guarantee::MonotonicWrites),
        Level::WritesFollowReads => guarantee(Guarantee::WritesFollowReads),
        Level::Pram => Ok(one(memory::check(sessions, bytes, Base::Pram)?)),
        Level::Causal => Ok(conflict::check(sessions, bytes, false)?),
        Level::CausalConvergence => Ok(conflict::check(sessions, bytes, true)?),
        Level::CausalMemory => {
            let found = conflict::check(sessions, bytes, false)?;
            if found.is_empty() { Ok(one(memory::check(sessions, bytes, Base::Causal)?)) } else { Ok(found) }
        }
        Level::Sequential => sequential(sessions, budget, bytes),
        other => Err(Stop(format!("{} is not decided by what sessions see", other.name()))),
    }
}

/// Why a level was not decided.
struct Stop(String);

impl From<Stopped> for Stop {
    fn from(stopped: Stopped) -> Stop {
        match stopped {
            // Every method looks for cycles of causal order before anything else.
            Stopped::Cycle(_) => Stop("causal order has a cycle".to_owned()),
            Stopped::OverBudget => {
                Stop("the vector clocks of so many sessions would take more memory than allowed".to_owned())
            }
            Stopped::TooManyTransactions => Stop(
                "convergence is broken, and too many transactions would have to be looked into one by one to tell whether \
                 causal consistency is"
                    .to_owned(),
            ),
        }
    }
}

fn sequential(sessions: &Sessions, budget: &Budget, bytes: u64) -> Result<Vec<Found>, Stop> {
    let found = conflict::check(sessions, bytes, true)?;
    if !found.is_empty() {
        return Ok(found);
    }
    if let Some(found) = memory::check(sessions, bytes, Base::Causal)? {
        return Ok(vec![found]);
    }
    let edges = conflict::edges(sessions, bytes)?;
    match sequential::search(sessions, &edges, budget.configurations, bytes, budget.deadline) {
        Searched::Order => Ok(Vec::new()),
        Searched::NoOrder(found) => Ok(vec![found]),
        Searched::GaveUp { deepest } => Err(Stop(format!(
            "no order was found within the budget: the longest one holds {deepest} of {} operations; \
             causal convergence and causal memory hold",
            sessions.len()
        ))),
    }
}

/// Decides whether a history satisfies one of the levels [decided here](DECIDED); `unknown` for others. `initial` is what registers hold at first.
///
/// Reads of nil are not judged where `initial` is something else and nobody wrote nil: their values were not recorded.
///
/// # Errors
/// If an operation is none of a register, or of a transaction on registers.
pub fn check(history: &History, level: Level, initial: Option<&Value>, budget: Budget) -> Result<Verdict, DoesNotFit> {
    let compiled = compile::compile(history, initial.unwrap_or(&Value::Nil))?;
    Ok(judge(history, &compiled, level, &budget))
}

/// Decides several levels of one history, which is compiled once.
///
/// # Errors
/// If an operation is none of a register, or of a transaction on registers.
pub fn check_all(
    history: &History,
    levels: &[Level],
    initial: Option<&Value>,
    budget: Budget,
) -> Result<Vec<Verdict>, DoesNotFit> {
    let compiled = compile::compile(history, initial.unwrap_or(&Value::Nil))?;
    Ok(levels.iter().map(|&level| judge(history, &compiled, level, &budget)).collect())
}

/// What a check of the few operations of an explanation may cost.
const SMALL: Budget = Budget::of_configurations(100_000);

fn judge(history: &History, compiled: &Compiled, level: Level, budget: &Budget) -> Verdict {
    let mut anomalies = compiled.direct.clone();
    match find(level, &compiled.sessions, budget) {
        Ok(found) => {
            let find = |sessions: &Sessions| find(level, sessions, &SMALL).ok()?.into_iter().next();
            let explaining = Explaining { history, compiled, find: &find };
            anomalies.extend(found.into_iter().map(|found| explaining.explain(found)));
        }
        Err(Stop(reason)) if anomalies.is_empty() => return Verdict::Unknown(Undecided { reason }),
        Err(_) => {}
    }
    match &compiled.ambiguous {
        _ if !anomalies.is_empty() => Verdict::Invalid(anomalies),
        Some(reason) => Verdict::Unknown(Undecided { reason: reason.clone() }),
        None => Verdict::Valid,
    }
}
