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
//! *Method:* each object by itself, on all cores, with budgets that grow in rounds. Registers of which each value was written once, or of which time tells equal values apart
//! (`sources.rs`), are decided by zones (`zones.rs`) in one sweep, and so are strings whose appended texts tell where they stand (`strings.rs`). Everything else is searched for an order that is legal: just-in-time
//! linearization (Lowe, "Testing for linearizability", 2017; after Wing & Gong 1993), depth first (`search.rs`). A violation is cut down to
//! the fewest operations that prove it (`explain.rs`), with the orders in which they almost could have been (`orders.rs`).
//!
//! *Cost:* zones are O(n log n). In general, deciding linearizability is NP-complete (Gibbons & Korach 1997): the search is linear where
//! few operations overlap, and exponential in the number of overlapping ones at worst; a [`Budget`] bounds it.

mod automaton;
mod case;
mod containers;
#[cfg(test)]
#[path = "../tests/definition/mod.rs"]
mod definition;
mod entries;
mod explain;
mod memoised;
mod object;
mod one_register;
mod orders;
mod passed;
mod registers;
mod search;
mod sentence;
mod slots;
mod sources;
mod strings;
mod timeline;
mod zones;

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::History;
use crate::history::{EventPosition, Value};
use crate::model::{
    Counter, DoesNotFit, FifoQueue, Model, ModelName, MultiRegister, OwnedMutex, PriorityQueue, Semaphore, Set, Stack,
    UnorderedQueue,
};
use crate::verdict::{Anomaly, Budget, Undecided, Verdict};

use automaton::Automaton;
use case::Case;
use containers::Containers;
use explain::Suspects;
use memoised::Modelled;
use object::Object;
use registers::Registers;
use search::{Found, Spent, search};
use strings::Strings;

/// Decides whether a history is linearizable under a model with a name.
///
/// `initial` is what registers hold at first: nil where it is not given. Where it is given and nobody writes nil, no register ever
/// holds nil; a read that returned nil is then one whose value was not recorded, as in Knossos, and any value satisfies it. Of a semaphore
/// it is the number of permits: 1 where it is not given.
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
        ModelName::PriorityQueue => check_containers(history, model, &PriorityQueue, budget),
        ModelName::Semaphore => check_keys_with(history, &Semaphore::of(initial), budget),
        ModelName::Set => check_containers(history, model, &Set, budget),
        ModelName::Counter => check_keys_with(history, &Counter, budget),
        ModelName::MultiRegister => check_with(history, &MultiRegister { initial: initial.cloned() }, budget),
    }
}

/// How many reads [`check`] does not judge, as it takes their values for not recorded: those that returned nil although registers held
/// something at first and nobody wrote nil.
pub fn unrecorded_reads(history: &History, model: ModelName, initial: Option<&Value>) -> usize {
    if !model.is_register() || initial.is_none_or(|initial| *initial == Value::Nil) {
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

/// In the first round an object may cost so many configurations, in each later one so many times more.
const FIRST_ROUND: u64 = 1 << 13;
const MORE_EACH_ROUND: u64 = 32;

/// At most so many objects are judged at once, each with so small a share of the memory.
const SHARES: u64 = 16;

/// Checks object by object, in rounds: all objects that are left have a small budget before any has a large one, and in each round those
/// with the fewest operations come first. The first object that is found broken ends the check.
///
/// What an object may cost does not depend on how many threads there are, and of the objects that are found broken in a round the first one
/// counts, so that the verdict does not either. An object that needs more than its share of the memory is judged at the end, alone.
///
/// *Cost:* what the rounds before cost an object that needs them all is a thirtieth of the last one.
fn check_objects(history: &History, mut objects: Vec<Object>, judge: &impl Judge, budget: &Budget) -> Verdict {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let most = if history.len() < WORTH_THREADS { 1 } else { budget.threads.unwrap_or_else(cores) };
    let threads = most.clamp(1, SHARES as usize);
    objects.sort_by_key(|object| object.operations.len());
    let mut left: Vec<&Object> = objects.iter().collect();
    let mut alone: Vec<&Object> = Vec::new();
    let mut undecided: Vec<(&Object, EventPosition, Spent)> = Vec::new();
    if left.len() <= 1 {
        std::mem::swap(&mut left, &mut alone);
    }
    let mut configurations = FIRST_ROUND;
    while !left.is_empty() {
        let is_last = configurations >= budget.configurations;
        let bytes = budget.bytes.map(|bytes| bytes / SHARES);
        let small = Budget { configurations: configurations.min(budget.configurations), bytes, ..*budget };
        let findings = until_illegal(&left, threads, |object| judge.judge(history, object, &small));
        let mut again = Vec::new();
        for (object, finding) in left.iter().zip(findings) {
            match finding {
                Finding::Legal => {}
                Finding::Illegal(anomalies) => return Verdict::Invalid(anomalies),
                Finding::Undecided { spent: Spent::Bytes(_), .. } => alone.push(object),
                Finding::Undecided { spent: Spent::Configurations(_), .. } if !is_last => again.push(*object),
                Finding::Undecided { deepest, spent } => undecided.push((object, deepest, spent)),
            }
        }
        left = again;
        configurations = configurations.saturating_mul(MORE_EACH_ROUND);
    }
    for object in alone {
        match judge.judge(history, object, budget) {
            Finding::Legal => {}
            Finding::Illegal(anomalies) => return Verdict::Invalid(anomalies),
            Finding::Undecided { deepest, spent } => undecided.push((object, deepest, spent)),
        }
    }
    match undecided.first() {
        Some((object, deepest, spent)) => {
            let reason = gave_up(history, object, *deepest, *spent, undecided.len() - 1);
            Verdict::Unknown(Undecided { reason })
        }
        None => Verdict::Valid,
    }
}

/// Judges objects in their order, several at once, up to the first that is found broken. The findings are in the order of the objects; those
/// after a broken one may be missing.
fn until_illegal(objects: &[&Object], threads: usize, judge: impl Fn(&Object) -> Finding + Sync) -> Vec<Finding> {
    let next = AtomicUsize::new(0);
    let first_illegal = AtomicUsize::new(usize::MAX);
    // Objects are taken in turn: whatever comes before a broken one is judged to its end.
    let work = || {
        let mut mine = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(object) = objects.get(at).filter(|_| at < first_illegal.load(Ordering::Relaxed)) else {
                return mine;
            };
            let finding = judge(object);
            if matches!(finding, Finding::Illegal(_)) {
                first_illegal.fetch_min(at, Ordering::Relaxed);
            }
            mine.push((at, finding));
        }
    };
    let mut findings = if threads <= 1 || objects.len() <= 1 {
        work()
    } else {
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads.min(objects.len())).map(|_| scope.spawn(work)).collect();
            let joined = workers.into_iter().map(|worker| worker.join().expect("a panic in a judge is a bug"));
            joined.flatten().collect()
        })
    };
    findings.sort_unstable_by_key(|(at, _)| *at);
    findings.into_iter().map(|(_, finding)| finding).collect()
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
                    budget,
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
