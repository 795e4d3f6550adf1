//! **Causal consistency and its neighbours**, on registers: who saw what in which order, without any clock.
//!
//! ```text
//!   linearizable ─► sequential ─┬─► causal-convergence ─┬─► causal ─► writes-follow-reads, read-your-writes
//!                               │         └─────────────│────────────► monotonic-reads, monotonic-writes
//!                               └─► causal-memory ──────┴─► pram ────► read-your-writes, monotonic-reads, monotonic-writes
//! ```
//!
//! Operations are `read` and `write` with a key, `cas`, or `txn` of `["r" key value]` and `["w" key value]`, which is seen as a whole.
//! Order is that of each process; real time plays no part.
//!
//! *What counts:* `ok` operations; `info` ones whose writes were read; `fail` ones did not happen. A `cas` of unknown outcome that
//! happened saw the value that it expected. The initial value is written before everything. Where a value that was read was written
//! several times, the history satisfies a level if it does for some choice of a writer for each such read.
//!
//! Read `sessions.rs` first, `compile.rs` and `choices.rs` for whom each read saw, then `conflict.rs` (causal, causal-convergence), `memory.rs` (causal-memory, pram), `guarantees.rs` and
//! `follows.rs` (session guarantees), `saturation.rs`, `schedule.rs`, `sequential.rs`; `explain.rs` cuts what they find down to the fewest
//! operations. What a check may cost is looked at in all of them (`limits.rs`).

mod accesses;
mod choices;
mod clocks;
mod compile;
mod conflict;
mod conflicts;
mod explain;
mod follows;
mod found;
mod guarantees;
mod happened;
mod limits;
mod memory;
mod one_transaction;
mod order;
mod saturation;
mod schedule;
mod sequential;
mod sessions;
mod stopped;
mod writers;

use crate::History;
use crate::history::{OperationId, Value};
use crate::levels::Level;
use crate::linearizability;
use crate::model::{DoesNotFit, ModelName};
use crate::transactions::{self, Options, Workload};
use crate::verdict::{Anomaly, Budget, Undecided, Verdict};

use choices::Choosing;
use compile::Compiled;
use explain::Explaining;
use found::Found;
use guarantees::Guarantee;
use happened::Happened;
use limits::{Limits, Over};
use memory::Base;
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

/// Adds the patterns that are there and break a level.
fn find(level: Level, sessions: &Sessions, limits: &Limits, found: &mut Vec<Found>) -> Result<(), Over> {
    let guarantee = |guarantee| guarantees::check(sessions, guarantee, limits);
    match level {
        Level::ReadYourWrites => found.extend(guarantee(Guarantee::ReadYourWrites)?),
        Level::MonotonicReads => found.extend(guarantee(Guarantee::MonotonicReads)?),
        Level::MonotonicWrites => found.extend(guarantee(Guarantee::MonotonicWrites)?),
        Level::WritesFollowReads => found.extend(guarantee(Guarantee::WritesFollowReads)?),
        Level::Pram => found.extend(memory::check(sessions, limits, Base::Pram)?),
        Level::CausalConvergence => conflict::check(sessions, limits, true, found)?,
        Level::Sequential => sequential::check(sessions, limits, found)?,
        _ => {
            conflict::check(sessions, limits, false, found)?;
            if level == Level::CausalMemory && found.is_empty() {
                found.extend(memory::check(sessions, limits, Base::Causal)?);
            }
        }
    }
    Ok(())
}

/// Decides whether a history satisfies one of the levels [decided here](DECIDED); `unknown` for others. `initial` is what registers hold at first.
///
/// Reads of nil are not judged where `initial` is something else and nobody wrote nil: their values were not recorded.
///
/// # Errors
/// If an operation is none of a register, or of a transaction on registers.
pub fn check(history: &History, level: Level, initial: Option<&Value>, budget: Budget) -> Result<Verdict, DoesNotFit> {
    Ok(Case::of(history, initial, budget)?.check(level))
}

/// A history of which several levels are asked: it is compiled once.
pub struct Case<'h> {
    history: &'h History,
    /// Nothing, and why, if the budget ran out over it.
    compiled: Result<Compiled, Undecided>,
    initial: Option<Value>,
    budget: Budget,
}

impl<'h> Case<'h> {
    /// Compiles it, as [`check`] does.
    ///
    /// # Errors
    /// If an operation is none of a register, or of a transaction on registers.
    pub fn of(history: &'h History, initial: Option<&Value>, budget: Budget) -> Result<Case<'h>, DoesNotFit> {
        let compiled = compile::compile(history, initial.unwrap_or(&Value::Nil), &Limits::of(&budget))?;
        let compiled = compiled.map_err(|over| Undecided { reason: over.reason() });
        Ok(Case { history, compiled, initial: initial.cloned(), budget })
    }

    /// Decides one level, as [`check`] does.
    pub fn check(&self, level: Level) -> Verdict {
        match &self.compiled {
            Ok(compiled) if level == Level::Sequential => self.sequential(compiled),
            Ok(compiled) => judge(self.history, compiled, level, &self.budget),
            Err(undecided) => Verdict::Unknown(undecided.clone()),
        }
    }

    /// Sequential consistency, by several methods in turn, each of which is quick where another is not: that of sessions, without
    /// much search; where operations took effect between their begin and end, that of linearizability or strict serializability, which
    /// imply it; that of transactions, one for each operation, of which it is the strong-session serializability; and at last a search.
    fn sequential(&self, compiled: &Compiled) -> Verdict {
        let most = self.budget.configurations;
        let budget = |each: u64| {
            let configurations = each.saturating_mul(self.history.len() as u64 + 1).min(most);
            Budget { configurations, ..self.budget }
        };
        let by_sessions = |budget: &Budget| judge(self.history, compiled, Level::Sequential, budget);
        let mut verdict = by_sessions(&budget(FEW));
        for budget in [budget(MANY), self.budget] {
            if !matches!(verdict, Verdict::Unknown(_)) || Limits::of(&budget).late() {
                return verdict;
            }
            let stronger = self.linearizable(&budget).filter(|stronger| *stronger == Verdict::Valid);
            let decided = stronger.or_else(|| self.of_transactions(Level::StrongSessionSerializable, &budget));
            if let Some(decided) = decided.filter(|decided| !matches!(decided, Verdict::Unknown(_))) {
                return decided;
            }
            if budget.configurations == most {
                break;
            }
        }
        if budget(FEW).configurations < most {
            verdict = by_sessions(&self.budget);
        }
        verdict
    }

    /// Linearizability, or strict serializability of transactions, where the history tells of real time.
    fn linearizable(&self, budget: &Budget) -> Option<Verdict> {
        if !self.history.has_real_time() {
            return None;
        }
        let of_objects = linearizability::check(self.history, ModelName::Kv, self.initial.as_ref(), *budget).ok();
        of_objects.or_else(|| self.of_transactions(Level::StrictSerializable, budget))
    }

    /// A level of transactions, as which each operation is taken. Those know of no initial value but nil.
    fn of_transactions(&self, level: Level, budget: &Budget) -> Option<Verdict> {
        let begins_with_nil = self.initial.as_ref().is_none_or(|initial| *initial == Value::Nil);
        let check = || transactions::check(self.history, Workload::RwRegister, level, &Options::default(), budget).ok();
        let mut verdict = begins_with_nil.then(check).flatten()?;
        if let Verdict::Invalid(anomalies) = &mut verdict {
            anomalies.retain(|anomaly| anomaly.name != transactions::NO_DEPENDENCY);
        }
        Some(verdict)
    }
}

/// How many configurations for each operation a method of sequential consistency may take before others are asked: about what a sweep
/// takes, and some seconds' worth.
const FEW: u64 = 2;
const MANY: u64 = 1024;

/// How many configurations each check of the few operations of an explanation may take.
const SMALL: u64 = 20_000;

fn judge(history: &History, compiled: &Compiled, level: Level, budget: &Budget) -> Verdict {
    if !DECIDED.contains(&level) {
        let reason = format!("{} is not decided by what sessions see", level.name());
        return Verdict::Unknown(Undecided { reason });
    }
    let limits = Limits::of(budget);
    let small = Limits::of(&Budget { configurations: budget.configurations.min(SMALL), threads: Some(1), ..*budget });
    let first = |sessions: &Sessions, limits: &Limits| {
        let mut found = Vec::new();
        let ended = find(level, sessions, limits, &mut found);
        match found.is_empty() {
            true => ended.map(|()| None),
            false => Ok(Some(found.swap_remove(0))),
        }
    };
    let mut anomalies = compiled.direct.clone();
    let happening = &compiled.happening;
    let ended = if happening.choices().is_empty() {
        let happened = &happening.happened;
        let mut found = Vec::new();
        let ended = find(level, &happened.sessions, &limits, &mut found);
        let again = |sessions: &Sessions| first(sessions, &small);
        let (sessions, keys) = (&happened.sessions, &compiled.keys[..]);
        let explaining = Explaining { history, keys, sessions, limits: &small, find: &again };
        anomalies.extend(found.into_iter().map(|found| with_reasons(happened, explaining.explain(found))));
        ended
    } else if anomalies.is_empty() {
        let choosing = Choosing { history, compiled, limits: &limits, small: &small, find: &first };
        choosing.refuted().map(|anomaly| anomalies.extend(anomaly))
    } else {
        Ok(())
    };
    match ended {
        _ if !anomalies.is_empty() => Verdict::Invalid(anomalies),
        Err(over) => Verdict::Unknown(Undecided { reason: over.reason() }),
        Ok(()) => Verdict::Valid,
    }
}

/// What happened of unknown outcome is part of a proof only with those by which one knows that.
fn with_reasons(happened: &Happened, mut anomaly: Anomaly) -> Anomaly {
    let mut rows: Vec<u32> = anomaly.proof.iter().map(|id| id.0).collect();
    happened.with_reasons(&mut rows);
    rows.sort_unstable();
    anomaly.proof = rows.into_iter().map(OperationId).collect();
    anomaly
}
