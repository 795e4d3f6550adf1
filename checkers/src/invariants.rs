//! **Invariants**: rules of one workload that hold at every moment, judged without searching for an order of the operations.
//!
//! ```text
//!   history ──► fits? ──► objects (one a key) ──► bank, set, counter, queue … ──► Report: verdict, figures
//!
//!   trace of a protocol ──► atomic_commitment::check, saga::check ──► rules that it breaks
//! ```
//!
//! *When to ask for one rather than for linearizability:* when the workload was made for it (money moves, but its sum stays), when the
//! history is too long or holds too many unknown outcomes for a search, or when the system promises no more.
//!
//! Each checker is one file that opens with what it forbids. All are linear or nearly so, and judge each key by itself. Of each kind
//! of violation in an object one is shown, with the fewest operations, and the others are counted.
//!
//! What is in the result of an `info` operation counts for nothing; that it may have happened, counts. A `fail` operation did not happen.

pub mod atomic_commitment;
mod bank;
mod counter;
mod long_fork;
mod monotonic;
mod objects;
mod queue;
pub mod saga;
mod set;
pub mod set_full;
pub mod staleness;
mod unique_ids;

use thiserror::Error;

use crate::History;
use crate::history::{Operation, Value};
use crate::verdict::{Anomaly, Undecided, Verdict};

use staleness::Distribution;

/// A rule that histories can be held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Invariant {
    /// The sum of all balances is the same in every snapshot.
    Bank,
    /// What was added is in the last read.
    Set,
    /// What was added stays visible, element by element.
    SetFull,
    /// Reads lie between what must and what may have been added.
    Counter,
    /// What goes in comes out, once.
    Queue,
    /// No two reads see two writes in opposite orders.
    LongFork,
    /// No id is given twice.
    UniqueIds,
    /// What is read of a key never shrinks.
    Monotonic,
    /// Reads are at most so many versions, or so long, behind.
    Staleness,
}

/// What a checker may be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Counter: the value at first; without it 0. Staleness: what registers hold at first, beside nil.
    pub initial: Option<i64>,
    /// Bank: what all accounts hold together; without it, what most reads say.
    pub total: Option<i64>,
    /// Bank: the accounts that every read must show; without it, those that most reads show.
    pub accounts: Option<Vec<Value>>,
    /// Bank: whether an account may be overdrawn.
    pub negative_balances: bool,
    /// Set-full: whether an element must be visible as soon as its add has ended. Monotonic: whether reads of different processes are
    /// held against each other, in real time. Without it, set-full forbids only what stays invisible, and monotonic judges within processes.
    pub linearizable: bool,
    /// Queue: whether an element may come out more often than it went in, as where delivery is at least once.
    pub duplicates: bool,
    /// Staleness: the most versions that a read may be behind.
    pub max_versions: Option<u64>,
    /// Staleness: the most nanoseconds for which what is read may have been overwritten.
    pub max_nanoseconds: Option<u64>,
}

/// A verdict with what was counted on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The answer.
    pub verdict: Verdict,
    /// Counts by name, in a fixed order: `lost`, `recovered`. Those that end in `-ns` are nanoseconds; those with `-p50`, `-p90`, `-p99` and
    /// `-max` are a distribution.
    pub figures: Vec<(&'static str, u64)>,
}

/// A history is not one of the workload that an invariant is about.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("operation {index} ({function}) does not fit {}: {problem}", .invariant.name())]
pub struct DoesNotFit {
    /// What was asked for.
    pub invariant: Invariant,
    /// The index of the first operation that does not fit.
    pub index: u64,
    /// Its function.
    pub function: String,
    /// What was expected, and found.
    pub problem: String,
}

/// Decides whether an invariant holds.
///
/// # Errors
/// The first operation that is none of this workload.
pub fn check(history: &History, invariant: Invariant, options: &Options) -> Result<Verdict, DoesNotFit> {
    judge(history, invariant, options).map(|report| report.verdict)
}

/// The same, with what was counted.
///
/// # Errors
/// The first operation that is none of this workload.
pub fn judge(history: &History, invariant: Invariant, options: &Options) -> Result<Report, DoesNotFit> {
    if let Some(misfit) = misfit(history, invariant) {
        return Err(misfit);
    }
    if invariant.needs_real_time(options) && !history.has_real_time() {
        let reason = "the history has completions alone: without invocations nobody knows what ended before what began";
        return Ok(Report { verdict: Verdict::Unknown(Undecided { reason: reason.to_owned() }), figures: Vec::new() });
    }
    let findings = match invariant {
        Invariant::Bank => bank::judge(history, options),
        Invariant::Set => set::judge(history),
        Invariant::SetFull => set_full::judge(history, options),
        Invariant::Counter => counter::judge(history, options),
        Invariant::Queue => queue::judge(history, options),
        Invariant::LongFork => long_fork::judge(history),
        Invariant::UniqueIds => unique_ids::judge(history),
        Invariant::Monotonic => monotonic::judge(history, options),
        Invariant::Staleness => staleness::judge(history, options),
    };
    let asked = |operation: Operation<'_>| invariant.judges().contains(&operation.function());
    let unanswered = || {
        let functions = invariant.judges().join(" or ");
        format!("no {functions} ended ok with an answer: nothing could be judged")
    };
    let verdict = match findings {
        Findings { anomalies, .. } if !anomalies.is_empty() => Verdict::Invalid(anomalies),
        Findings { undecided: Some(reason), .. } => Verdict::Unknown(Undecided { reason }),
        Findings { judged: 0, .. } if history.operations().any(asked) => {
            Verdict::Unknown(Undecided { reason: unanswered() })
        }
        _ => Verdict::Valid,
    };
    Ok(Report { verdict, figures: findings.figures })
}

/// What a checker hands back.
#[derive(Default)]
struct Findings {
    anomalies: Vec<Anomaly>,
    /// Why `valid` would say too much, if nothing is wrong.
    undecided: Option<String>,
    /// How many answers were held against the rule: if none was, `valid` would say too much.
    judged: usize,
    figures: Vec<(&'static str, u64)>,
}

impl Findings {
    /// Adds to a figure.
    fn count(&mut self, name: &'static str, more: usize) {
        match self.figures.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += more as u64,
            None => self.figures.push((name, more as u64)),
        }
    }

    /// Raises a figure, if it is less.
    fn at_least(&mut self, name: &'static str, value: u64) {
        match self.figures.iter_mut().find(|(known, _)| *known == name) {
            Some((_, most)) => *most = value.max(*most),
            None => self.figures.push((name, value)),
        }
    }

    /// Tells a distribution by its hundredths, if it has any samples; the names belong to them.
    fn tell(&mut self, names: [&'static str; 4], distribution: &Distribution) {
        let told = names.into_iter().zip([50, 90, 99, 100]);
        self.figures.extend(told.filter_map(|(name, percent)| Some((name, distribution.percentile(percent)?))));
    }
}

impl Invariant {
    /// All that there are.
    pub const ALL: [Invariant; 9] = [
        Invariant::Bank,
        Invariant::Set,
        Invariant::SetFull,
        Invariant::Counter,
        Invariant::Queue,
        Invariant::LongFork,
        Invariant::UniqueIds,
        Invariant::Monotonic,
        Invariant::Staleness,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Invariant::Bank => "bank",
            Invariant::Set => "set",
            Invariant::SetFull => "set-full",
            Invariant::Counter => "counter",
            Invariant::Queue => "queue",
            Invariant::LongFork => "long-fork",
            Invariant::UniqueIds => "unique-ids",
            Invariant::Monotonic => "monotonic",
            Invariant::Staleness => "staleness",
        }
    }

    /// One line about it.
    pub fn summary(self) -> &'static str {
        match self {
            Invariant::Bank => {
                "the total of all accounts never changes: transfer {from to amount}, read {account balance}"
            }
            Invariant::Set => "the last read has all that was added: add, read",
            Invariant::SetFull => "what was added stays visible, element by element: add, read",
            Invariant::Counter => "reads lie within what may have been added: add, increment, decrement, read",
            Invariant::Queue => "what goes in comes out, once, in any order: enqueue, dequeue, drain",
            Invariant::LongFork => {
                "no two reads see two writes in opposite orders: write [[w k v]], read [[r k v] ...]"
            }
            Invariant::UniqueIds => "no id is given twice: generate",
            Invariant::Monotonic => "what is read of a key never shrinks: read, increment",
            Invariant::Staleness => "how far reads are behind, in versions and in time: read, write of distinct values",
        }
    }

    /// The invariant with this name; `total-queue` is another name of `queue`.
    pub fn from_name(name: &str) -> Option<Invariant> {
        if name == "total-queue" {
            return Some(Invariant::Queue);
        }
        Invariant::ALL.into_iter().find(|invariant| invariant.name() == name)
    }

    /// Whether a history is one of its workload.
    pub fn fits(self, history: &History) -> bool {
        misfit(history, self).is_none()
    }

    /// The invariant that a history is for: the only one that fits and shows itself in some operation. `None` if none or several do.
    ///
    /// Where sets are read it is set-full, which also says what `set` does of a set that is read once. What fits any history of reads
    /// has to be asked for by name: monotonic, staleness.
    pub fn guess(history: &History) -> Option<Invariant> {
        let mut fitting = Invariant::ALL.into_iter().filter(|invariant| {
            invariant.fits(history) && history.operations().any(|operation| invariant.shows_in(operation))
        });
        let only = fitting.next();
        if fitting.next().is_some() { None } else { only }
    }

    /// The invariant that a history is for although a model or a workload of transactions knows its functions, too: ask this before those
    /// guess.
    ///
    /// Banks are read by snapshots, maps of accounts, which nobody wrote. Long forks are read and written by `read` and `write` of micro-operations,
    /// `[[r 3 nil] [r 4 nil]]`, of which each key is written once and alone. To a register such maps and lists would be values. Where the function
    /// is `txn` the levels of transactions say more.
    pub fn guess_before_models(history: &History) -> Option<Invariant> {
        let (mut accounts, mut forks) = (false, false);
        for operation in history.operations() {
            if !matches!(operation.function(), "read" | "write" | "transfer") || long_fork::writes(operation) > 1 {
                return None;
            }
            accounts |= Invariant::Bank.shows_in(operation);
            forks |= long_fork::is_transaction(operation);
        }
        let fits =
            |shows: bool, invariant: Invariant| Some(invariant).filter(|invariant| shows && invariant.fits(history));
        fits(accounts, Invariant::Bank).or_else(|| fits(forks, Invariant::LongFork))
    }

    /// Whether an operation is of this workload rather than of any other.
    fn shows_in(self, operation: Operation<'_>) -> bool {
        let function = operation.function();
        match self {
            Invariant::Bank => function == "transfer" || matches!(operation.result(), Value::Map(_)),
            Invariant::SetFull => function == "add",
            Invariant::Counter => matches!(function, "add" | "increment" | "decrement"),
            Invariant::LongFork => long_fork::is_transaction(operation),
            Invariant::Queue | Invariant::UniqueIds => true,
            Invariant::Set | Invariant::Monotonic | Invariant::Staleness => false,
        }
    }

    fn functions(self) -> &'static [&'static str] {
        match self {
            Invariant::Bank => &["transfer", "read"],
            Invariant::Set | Invariant::SetFull => &["add", "read"],
            Invariant::Counter => &["add", "increment", "decrement", "read"],
            Invariant::Queue => &["enqueue", "dequeue", "drain"],
            Invariant::LongFork => &["read", "write", "txn"],
            Invariant::UniqueIds => &["generate"],
            Invariant::Monotonic => &["read", "add", "inc", "increment"],
            Invariant::Staleness => &["read", "write"],
        }
    }

    /// The functions whose answers are held against the rule. Where somebody asked and nobody was answered, `valid` would say too much.
    fn judges(self) -> &'static [&'static str] {
        match self {
            Invariant::Queue => &["dequeue", "drain"],
            Invariant::UniqueIds => &["generate"],
            Invariant::Monotonic => &["read", "inc", "increment"],
            Invariant::LongFork => &["read", "txn"],
            Invariant::Bank | Invariant::Set | Invariant::SetFull | Invariant::Counter | Invariant::Staleness => {
                &["read"]
            }
        }
    }

    fn needs_real_time(self, options: &Options) -> bool {
        match self {
            Invariant::Bank | Invariant::LongFork | Invariant::UniqueIds => false,
            Invariant::Monotonic => options.linearizable,
            Invariant::Set | Invariant::SetFull | Invariant::Counter | Invariant::Queue | Invariant::Staleness => true,
        }
    }

    /// What is wrong with an operation whose function is known, if anything is.
    fn refuses(self, operation: Operation<'_>) -> Option<String> {
        match self {
            Invariant::Bank => bank::refuses(operation),
            Invariant::Set | Invariant::SetFull => set::refuses(operation),
            Invariant::Counter => counter::refuses(operation),
            Invariant::Queue => queue::refuses(operation),
            Invariant::LongFork => long_fork::refuses(operation),
            Invariant::Monotonic => monotonic::refuses(operation),
            Invariant::UniqueIds | Invariant::Staleness => None,
        }
    }
}

/// The first operation that is none of the workload.
fn misfit(history: &History, invariant: Invariant) -> Option<DoesNotFit> {
    let told = |operation: Operation<'_>, problem| DoesNotFit {
        invariant,
        index: operation.index(),
        function: operation.function().to_owned(),
        problem,
    };
    for operation in history.operations() {
        let functions = invariant.functions();
        if !functions.contains(&operation.function()) {
            return Some(told(operation, format!("expected {}", functions.join(", "))));
        }
        if let Some(problem) = invariant.refuses(operation) {
            return Some(told(operation, problem));
        }
    }
    let twice = match invariant {
        Invariant::LongFork => long_fork::two_versions(history),
        Invariant::Staleness => staleness::written_twice(history),
        _ => None,
    };
    twice.map(|(operation, problem)| told(operation, problem))
}
