//! **Linearizability** (Herlihy & Wing 1990): every operation seems to happen at one instant between its invocation and its
//! completion. What completed before something else began, happened before it.
//!
//! ```text
//!   p0  ──[ write 1 ]───────────────────────────
//!   p1  ───────────────[ write 2 ]──────────────
//!   p2  ──────────────────────────[ read → 1 ]──      not linearizable: 2 was written over 1 before the read began
//! ```
//!
//! *When to ask for it rather than for its neighbours:* sequential consistency lets `p2` above be late, as long as each
//! process sees its own operations in order; linearizability also holds between processes that talk behind the system's
//! back. It is local: a history is linearizable exactly when each of its objects is, so objects are checked one by one.
//!
//! *What counts:* `ok` operations must be placed. `info` ones may be placed anywhere after their invocation, or never. `fail`
//! ones did not happen.
//!
//! *Method:* each object by itself, on all cores. Registers of which each value was written once, or of which time tells equal values apart
//! (`sources.rs`), are decided by zones (`zones.rs`) in one sweep, and so are strings whose appended texts tell where they stand (`strings.rs`). Everything else is searched for an order that is legal: just-in-time
//! linearization (Lowe, "Testing for linearizability", 2017; after Wing & Gong 1993), depth first (`search.rs`). A violation is cut down to
//! the fewest operations that prove it (`explain.rs`), with the orders in which they almost could have been (`orders.rs`).
//!
//! *Cost:* zones are O(n log n). In general, deciding linearizability is NP-complete (Gibbons & Korach 1997): the search is linear where
//! few operations overlap, and exponential in the number of overlapping ones at worst; a [`Budget`] bounds it.

mod automaton;
mod containers;
mod explain;
mod memoised;
mod object;
mod one_register;
mod orders;
mod registers;
mod search;
mod sentence;
mod slots;
mod sources;
mod strings;
mod timeline;
mod zones;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::History;
use crate::history::{EventPosition, Value};
use crate::model::{
    Counter, DoesNotFit, FifoQueue, Model, ModelName, MultiRegister, OwnedMutex, Set, Stack, UnorderedQueue,
};
use crate::verdict::{Anomaly, Budget, Undecided, Verdict};

use automaton::Automaton;
use containers::Containers;
use explain::{Case, Suspects};
use memoised::Modelled;
use object::Object;
use registers::Registers;
use search::{Found, Spent, search};
use strings::Strings;

/// Decides whether a history is linearizable under a model with a name.
///
/// `initial` is what registers hold at first: nil where it is not given. Where it is given and nobody writes nil, no register ever
/// holds nil; a read that returned nil is then one whose value was not recorded, as in Knossos, and any value satisfies it.
///
/// # Errors
/// If an operation does not fit the model.
pub fn check(
    history: &History,
    model: ModelName,
    initial: Option<&Value>,
    budget: Budget,
) -> Result<Verdict, DoesNotFit> {
    match model {
        ModelName::Register | ModelName::CasRegister | ModelName::Kv | ModelName::Mutex => {
            let registers = Registers::compile(history, model, initial)?;
            Ok(check_objects(history, Object::by_key(history), &registers, &budget))
        }
        ModelName::StringKv => {
            let strings = Strings::compile(history)?;
            Ok(check_objects(history, Object::by_key(history), &strings, &budget))
        }
        ModelName::OwnerMutex => check_keys_with(history, &OwnedMutex::OWNER, budget),
        ModelName::ReentrantMutex => check_keys_with(history, &OwnedMutex::REENTRANT, budget),
        ModelName::FencedMutex => check_keys_with(history, &OwnedMutex::FENCED, budget),
        ModelName::ReentrantFencedMutex => check_keys_with(history, &OwnedMutex::REENTRANT_FENCED, budget),
        ModelName::FifoQueue => check_containers(history, model, &FifoQueue, budget),
        ModelName::UnorderedQueue => check_containers(history, model, &UnorderedQueue, budget),
        ModelName::Stack => check_containers(history, model, &Stack, budget),
        ModelName::Set => check_containers(history, model, &Set, budget),
        ModelName::Counter => check_keys_with(history, &Counter, budget),
        ModelName::MultiRegister => check_with(history, &MultiRegister { initial: initial.cloned() }, budget),
    }
}

/// How many reads [`check`] does not judge, as it takes their values for not recorded: those that returned nil although registers held
/// something at first and nobody wrote nil.
pub fn unrecorded_reads(history: &History, model: ModelName, initial: Option<&Value>) -> usize {
    let registers = matches!(model, ModelName::Register | ModelName::CasRegister | ModelName::Kv);
    if !registers || initial.is_none_or(|initial| *initial == Value::Nil) {
        return 0;
    }
    Registers::compile(history, model, initial).map_or(0, |registers| registers.unrecorded_reads())
}

/// Decides whether a history of one object is linearizable under any [`Model`].
///
/// # Errors
/// If the model refuses an operation.
pub fn check_with<M: Model + Sync>(history: &History, model: &M, budget: Budget) -> Result<Verdict, DoesNotFit> {
    let modelled = Modelled::compile(history, model)?;
    Ok(check_objects(history, Object::whole(history), &modelled, &budget))
}

/// The same for a history of many objects, one for each key.
///
/// # Errors
/// If the model refuses an operation.
pub fn check_keys_with<M: Model + Sync>(history: &History, model: &M, budget: Budget) -> Result<Verdict, DoesNotFit> {
    let modelled = Modelled::compile(history, model)?;
    Ok(check_objects(history, Object::by_key(history), &modelled, &budget))
}

/// The same for containers: where values do not repeat, special methods decide without a search.
fn check_containers<M: Model + Sync>(
    history: &History,
    name: ModelName,
    model: &M,
    budget: Budget,
) -> Result<Verdict, DoesNotFit> {
    let modelled = Modelled::compile(history, model)?;
    Ok(check_objects(history, Object::by_key(history), &Containers { name, modelled }, &budget))
}

/// What was found out about one object.
enum Finding {
    Legal,
    Illegal(Vec<Anomaly>),
    Undecided { deepest: EventPosition, spent: Spent },
}

impl Finding {
    /// The finding about an object that falls into parts.
    fn of_all(parts: impl Iterator<Item = Finding>) -> Finding {
        let mut anomalies = Vec::new();
        let mut undecided = None;
        for part in parts {
            match part {
                Finding::Legal => {}
                Finding::Illegal(more) => anomalies.extend(more),
                Finding::Undecided { .. } => undecided = undecided.or(Some(part)),
            }
        }
        if anomalies.is_empty() { undecided.unwrap_or(Finding::Legal) } else { Finding::Illegal(anomalies) }
    }
}

/// Something that judges objects of one kind.
trait Judge: Sync {
    fn judge(&self, history: &History, object: &Object, budget: &Budget) -> Finding;
}

/// Histories with fewer operations are checked faster than threads are begun.
const WORTH_THREADS: usize = 20_000;

/// Checks object by object. One broken object is enough to be invalid, whatever became of the others.
fn check_objects(history: &History, objects: Vec<Object>, judge: &impl Judge, budget: &Budget) -> Verdict {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let most = budget.threads.unwrap_or_else(cores);
    let threads = if history.len() < WORTH_THREADS { 1 } else { most.min(objects.len()) };
    let budget = Budget { bytes: budget.bytes.map(|bytes| bytes / threads.max(1) as u64), ..*budget };
    let findings: Vec<Finding> = if threads <= 1 {
        objects.iter().map(|object| judge.judge(history, object, &budget)).collect()
    } else {
        in_parallel(&objects, threads, |object| judge.judge(history, object, &budget))
    };

    let mut anomalies: Vec<Anomaly> = Vec::new();
    let mut undecided = Vec::new();
    for (object, finding) in objects.iter().zip(findings) {
        match finding {
            Finding::Legal => {}
            Finding::Illegal(more) => anomalies.extend(more),
            Finding::Undecided { deepest, spent } => undecided.push((object, deepest, spent)),
        }
    }
    match undecided.first() {
        _ if !anomalies.is_empty() => Verdict::Invalid(anomalies),
        Some((object, deepest, spent)) => {
            let reason = gave_up(history, object, *deepest, *spent, undecided.len() - 1);
            Verdict::Unknown(Undecided { reason })
        }
        None => Verdict::Valid,
    }
}

/// Does something with each object. Each thread takes the largest one that is left; the answers are in the order of the objects.
fn in_parallel<T: Send>(objects: &[Object], threads: usize, judge: impl Fn(&Object) -> T + Sync) -> Vec<T> {
    let mut by_size: Vec<usize> = (0..objects.len()).collect();
    by_size.sort_by_key(|&at| std::cmp::Reverse(objects[at].operations.len()));
    let next = AtomicUsize::new(0);
    let answers: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(objects.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = Vec::new();
                while let Some(&at) = by_size.get(next.fetch_add(1, Ordering::Relaxed)) {
                    mine.push((at, judge(&objects[at])));
                }
                answers.lock().expect("no thread panics while it adds its answers").extend(mine);
            });
        }
    });
    let mut answers = answers.into_inner().expect("no thread panicked");
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

impl<M: Model + Sync> Judge for Modelled<'_, M> {
    fn judge(&self, history: &History, object: &Object, budget: &Budget) -> Finding {
        let calls = self.calls_of(history, object);
        let mut automaton = self.automaton();
        match search(&calls, &[automaton.initial()], &mut automaton, budget).found {
            Found::Order => Finding::Legal,
            Found::NoOrder { deepest } => {
                let writers = |_| Vec::new();
                let case = Case {
                    history,
                    key: object.key,
                    calls: &calls,
                    automaton: &mut automaton,
                    writers: &writers,
                    deadline: budget.deadline,
                };
                Finding::Illegal(vec![case.explain(Suspects::UpTo(deepest))])
            }
            Found::GaveUp { deepest, spent } => Finding::Undecided { deepest, spent },
        }
    }
}

fn gave_up(history: &History, object: &Object, deepest: EventPosition, spent: Spent, others: usize) -> String {
    let key = object.key.map(|key| format!(" on key {}", history.value(key))).unwrap_or_default();
    let others = match others {
        0 => String::new(),
        1 => " (and on one more)".to_owned(),
        more => format!(" (and on {more} more)"),
    };
    let (what, raise) = match spent {
        Spent::Configurations(most) => (format!("after {most} configurations"), "a larger budget of configurations"),
        Spent::Bytes(most) => (format!("at {} MiB of memory beside the history", most >> 20), "more memory"),
        Spent::Time => ("when its time was over".to_owned(), "more time"),
    };
    let unknown =
        object.operations.iter().filter(|&&id| history.operation(id).outcome() == crate::Outcome::Info).count();
    format!(
        "the search{key}{others} was given up {what}; the events before number {deepest} of {} can be ordered. What would help: {raise}, a shorter history, fewer clients at once, or fewer operations of unknown outcome ({unknown} here)",
        history.event_count()
    )
}
