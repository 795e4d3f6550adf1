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
//! *Method:* just-in-time linearization (Lowe, "Testing for linearizability", 2017; after Wing & Gong 1993), depth first:
//! see `search.rs`. A violation is cut down to the fewest operations that prove it: see `explain.rs`.
//!
//! *Cost:* deciding linearizability is NP-complete (Gibbons & Korach 1997). The search is linear where few operations
//! overlap, and exponential in the number of overlapping writes at worst; a [`Budget`] bounds it.

mod automaton;
mod elements;
mod empties;
mod explain;
mod fifo_queue;
mod grow_only_set;
mod object;
mod phrases;
mod range_tree;
mod search;
mod sentence;
mod set_elements;
mod slots;
mod special;
mod stack;
mod unordered_queue;

use crate::History;
use crate::history::{Operation, Outcome, Value};
use crate::model::{
    Counter, DoesNotFit, FifoQueue, Model, ModelName, MultiRegister, Mutex, OwnedMutex, Set, Stack, StringKv,
    UnorderedQueue,
};
use crate::verdict::{Anomaly, Budget, Undecided, Verdict};

use automaton::{Automaton, Memoised, Registers};
use object::Object;
use search::Found;
use special::Decision;

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
        ModelName::Register | ModelName::CasRegister | ModelName::Kv => {
            let objects = object::split(history, |operation| operation.key_id());
            let mut registers = Registers::compile(history, model, initial)?;
            Ok(check_objects(history, &objects, &mut registers, budget))
        }
        ModelName::StringKv => check_keys_with(history, &StringKv, budget),
        ModelName::Mutex => check_keys_with(history, &Mutex, budget),
        ModelName::OwnerMutex => check_keys_with(history, &OwnedMutex::OWNER, budget),
        ModelName::ReentrantMutex => check_keys_with(history, &OwnedMutex::REENTRANT, budget),
        ModelName::FencedMutex => check_keys_with(history, &OwnedMutex::FENCED, budget),
        ModelName::ReentrantFencedMutex => check_keys_with(history, &OwnedMutex::REENTRANT_FENCED, budget),
        ModelName::FifoQueue => check_container(history, model, &FifoQueue, budget),
        ModelName::UnorderedQueue => check_container(history, model, &UnorderedQueue, budget),
        ModelName::Stack => check_container(history, model, &Stack, budget),
        ModelName::Set => check_container(history, model, &Set, budget),
        ModelName::Counter => check_keys_with(history, &Counter, budget),
        ModelName::MultiRegister => check_with(history, &MultiRegister { initial: initial.cloned() }, budget),
    }
}

/// How many reads [`check`] does not judge, as it takes their values for not recorded: those that returned nil although registers held
/// something at first and nobody wrote nil.
pub fn unrecorded_reads(history: &History, model: ModelName, initial: Option<&Value>) -> usize {
    let registers = matches!(model, ModelName::Register | ModelName::CasRegister | ModelName::Kv);
    if !registers || initial.is_none_or(|initial| *initial == Value::Nil) || automaton::writes_nil(history) {
        return 0;
    }
    let unrecorded = |operation: &Operation<'_>| {
        operation.function() == "read" && operation.outcome() == Outcome::Ok && *operation.result() == Value::Nil
    };
    history.operations().filter(unrecorded).count()
}

/// Decides whether a history of one object is linearizable under any [`Model`].
///
/// # Errors
/// If the model refuses an operation.
pub fn check_with<M: Model>(history: &History, model: &M, budget: Budget) -> Result<Verdict, DoesNotFit> {
    let objects = object::split(history, |_| None);
    let mut automaton = Memoised::compile(history, model)?;
    Ok(check_objects(history, &objects, &mut automaton, budget))
}

/// The same for a history of many objects, one for each key.
///
/// # Errors
/// If the model refuses an operation.
pub fn check_keys_with<M: Model>(history: &History, model: &M, budget: Budget) -> Result<Verdict, DoesNotFit> {
    let objects = object::split(history, |operation| operation.key_id());
    let mut automaton = Memoised::compile(history, model)?;
    Ok(check_objects(history, &objects, &mut automaton, budget))
}

/// The same for containers: where values do not repeat, special methods decide without a search. A set falls into its elements.
fn check_container<M: Model>(
    history: &History,
    name: ModelName,
    model: &M,
    budget: Budget,
) -> Result<Verdict, DoesNotFit> {
    if let Some(problem) = DoesNotFit::first(history, model) {
        return Err(problem);
    }
    let mut anomalies: Vec<Anomaly> = Vec::new();
    let mut rest: Vec<Object> = Vec::new();
    for object in object::split(history, |operation| operation.key_id()) {
        match special::decide(history, name, &object.operations) {
            Some(Decision::Legal) => {}
            Some(Decision::Illegal { operations, name, sentence }) => {
                anomalies.push(special::anomaly(history, operations, name, sentence));
            }
            None if name == ModelName::Set => rest.extend(set_elements::split(history, object)),
            None => rest.push(object),
        }
    }
    let searched = match rest.is_empty() {
        true => Verdict::Valid,
        false => check_objects(history, &rest, &mut Memoised::compile(history, model)?, budget),
    };
    Ok(match searched {
        Verdict::Invalid(more) => Verdict::Invalid([anomalies, more].concat()),
        _ if !anomalies.is_empty() => Verdict::Invalid(anomalies),
        searched => searched,
    })
}

/// Checks object by object. One broken object is enough to be invalid, whatever became of the others.
fn check_objects(history: &History, objects: &[Object], automaton: &mut dyn Automaton, budget: Budget) -> Verdict {
    let mut anomalies: Vec<Anomaly> = Vec::new();
    let mut undecided: Option<Undecided> = None;
    for object in objects {
        let calls = object.calls(history, automaton);
        match search::search(&calls, automaton, budget.configurations) {
            Found::Order => {}
            Found::NoOrder { deepest } => anomalies.push(explain::explain(history, object, &calls, deepest, automaton)),
            Found::GaveUp { deepest } => {
                undecided.get_or_insert_with(|| Undecided { reason: gave_up(history, object, deepest, budget) });
            }
        }
    }
    match undecided {
        _ if !anomalies.is_empty() => Verdict::Invalid(anomalies),
        Some(undecided) => Verdict::Unknown(undecided),
        None => Verdict::Valid,
    }
}

fn gave_up(history: &History, object: &Object, deepest: u32, budget: Budget) -> String {
    let key = object.key.map(|key| format!(" on key {}", history.value(key))).unwrap_or_default();
    format!(
        "the search{key} was given up after {} configurations; the events before number {deepest} of {} can be ordered. \
         A shorter history, fewer concurrent clients or fewer operations of unknown outcome would help",
        budget.configurations,
        history.event_count()
    )
}
