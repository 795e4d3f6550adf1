//! Methods for particular objects that need no search, where the values of a history allow it.
//!
//! ```text
//!   decide ──► Legal
//!          ──► Illegal: few operations that are not linearizable by themselves, a name, a sentence
//!          ──► None: the method does not apply, the search has to decide
//! ```
//!
//! A violation comes in *units*, which only mean something whole: an element with its `put` and its `take`. Units are left out one by
//! one, as long as the rest is still not linearizable.

mod balance;
mod counting;
mod elements;
mod empties;
mod fifo_queue;
mod grow_only_set;
mod pairing;
mod phrases;
mod priority_queue;
mod range_tree;
mod repeating;
mod set_elements;
mod shorten;
mod stack;
mod unordered_queue;

use crate::History;
use crate::history::OperationId;
use crate::model::{Model, ModelName};
use crate::verdict::{Anomaly, Budget};

use elements::STACK;

use super::memoised::Modelled;
use super::object::Object;
use super::{Finding, Judge};

/// Queues, stacks, priority queues or sets: those that no special method decides are searched.
pub(super) struct Containers<'a, M: Model> {
    /// Which of them.
    pub name: ModelName,
    /// The same operations for the search.
    pub modelled: Modelled<'a, M>,
}

impl<M: Model + Sync> Judge for Containers<'_, M> {
    fn judge(&self, history: &History, object: &Object, budget: &Budget) -> Finding {
        match decide(history, self.name, &object.operations) {
            Some(decision) => Finding::of(history, decision),
            None if self.name == ModelName::Set => {
                let elements = set_elements::split(history, object);
                Finding::of_all(elements.iter().map(|element| self.modelled.judge(history, element, budget)))
            }
            None if [ModelName::FifoQueue, ModelName::UnorderedQueue].contains(&self.name) => {
                repeating::judge(history, object, self.name, &self.modelled, budget)
            }
            None => self.modelled.judge(history, object, budget),
        }
    }
}

/// What a special method finds out about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// The object's history is linearizable.
    Legal,
    /// These operations alone have no legal order, whichever takes of unknown outcome happened.
    Illegal {
        /// In the order of their invocations.
        operations: Vec<OperationId>,
        /// What the literature, or an engineer, calls it.
        name: &'static str,
        /// What happened.
        sentence: String,
    },
}

impl Finding {
    fn of(history: &History, decision: Decision) -> Finding {
        match decision {
            Decision::Legal => Finding::Legal,
            Decision::Illegal { operations, name, sentence } => {
                Finding::Illegal(vec![anomaly(history, operations, name, sentence)])
            }
        }
    }
}

/// A violation before it is cut down.
pub(super) struct Violation {
    pub units: Vec<Vec<OperationId>>,
    pub name: &'static str,
    pub sentence: String,
}

/// Decides about the operations of one object, which the model has accepted, if there is a method for the model and these operations.
pub(super) fn decide(history: &History, model: ModelName, operations: &[OperationId]) -> Option<Decision> {
    match model {
        ModelName::FifoQueue => fifo_queue::decide(history, operations),
        ModelName::UnorderedQueue => unordered_queue::decide(history, operations),
        ModelName::Stack => {
            stack::decide(history, operations).or_else(|| counting::violation(history, operations, &STACK))
        }
        ModelName::PriorityQueue => priority_queue::decide(history, operations),
        ModelName::Set => grow_only_set::decide(history, operations),
        _ => None,
    }
}

/// The anomaly to show for a violation.
pub(super) fn anomaly(
    history: &History,
    operations: Vec<OperationId>,
    name: &'static str,
    sentence: String,
) -> Anomaly {
    let why = phrases::why(history, &operations);
    Anomaly { name, proof: operations, sentence, why, ..Anomaly::default() }
}

/// All trials to leave units out look at so many operations. Nearly all violations need fewer than a dozen trials of few operations.
const TRIALS: usize = 4_000_000;

/// Cuts a violation down to units none of which can be left out. `find` judges operations, to which it is given those of `context` too.
pub(super) fn cut(
    violation: Violation,
    context: &[OperationId],
    find: impl Fn(&[OperationId]) -> Option<Violation>,
) -> Decision {
    let judge = |units: &[Vec<OperationId>]| {
        let mut operations: Vec<OperationId> = units.iter().flatten().chain(context).copied().collect();
        operations.sort_unstable();
        operations.dedup();
        (find(&operations), operations.len())
    };
    let Violation { mut units, mut name, mut sentence } = violation;
    let mut trials = 0;
    let mut chunk = units.len().div_ceil(2);
    // Delta debugging (Zeller & Hildebrandt 2002): halves, quarters, …, single units, until none can be left out.
    while units.len() > 1 && trials < TRIALS {
        let before = units.len();
        let mut from = 0;
        while from < units.len() && trials < TRIALS {
            let to = (from + chunk).min(units.len());
            let (found, looked_at) = judge(&[&units[..from], &units[to..]].concat());
            trials += looked_at;
            match found {
                // What is found may itself need fewer.
                Some(found) => {
                    units = found.units;
                    (name, sentence) = (found.name, found.sentence);
                    from = 0;
                }
                None => from = to,
            }
        }
        if chunk == 1 && units.len() == before {
            break;
        }
        chunk = (chunk / 2).max(1).min(units.len().max(1));
    }
    let mut operations = units.concat();
    operations.sort_unstable();
    operations.dedup();
    Decision::Illegal { operations, name, sentence }
}

#[cfg(test)]
mod tests {
    use super::super::definition::{Op, Shape, generate, history, is_linearizable};
    use super::*;
    use crate::Outcome;

    /// Holds the method against the definition, and gives in how many of a hundred histories it decided.
    fn decided(shape: Shape, histories: u64) -> u64 {
        let (mut legal, mut illegal) = (0, 0);
        for seed in 0..histories {
            let ops = generate(shape, seed);
            let history = history(shape.model, &ops, false);
            let operations: Vec<OperationId> = history.operations().map(|operation| operation.id()).collect();
            let Some(decision) = decide(&history, shape.model, &operations) else { continue };
            let told = || format!("seed {seed} of {shape:?}: {decision:?}\n{ops:#?}");
            let is_legal = decision == Decision::Legal;
            assert_eq!(is_legal, is_linearizable(shape.model, &ops), "{}", told());
            *if is_legal { &mut legal } else { &mut illegal } += 1;
            if let Decision::Illegal { operations, .. } = &decision {
                proves(shape, &ops, operations, told);
            }
        }
        assert!(legal > histories / 20 && illegal > histories / 20, "{shape:?}: {legal} legal, {illegal} illegal");
        100 * (legal + illegal) / histories
    }

    /// The operations prove it whatever the takes of unknown outcome took, and no element can be left out.
    fn proves(shape: Shape, ops: &[Op], proof: &[OperationId], told: impl Fn() -> String) {
        let takes = ["dequeue", "pop", "delete-min", "delete-max"];
        let context = |op: &Op| op.outcome == Outcome::Info && takes.contains(&op.function);
        let with_context = |keep: &dyn Fn(usize) -> bool| -> Vec<Op> {
            let kept = ops.iter().enumerate().filter(|(at, op)| keep(*at) || context(op));
            kept.map(|(_, op)| op.clone()).collect()
        };
        let shown = |at: usize| proof.iter().any(|id| id.row() == at);
        assert!(!is_linearizable(shape.model, &with_context(&shown)), "it proves nothing: {}", told());
        if shape.model == ModelName::Set || (shape.model == ModelName::Stack && ops.iter().any(context)) {
            return;
        }
        let element = |op: &Op| if takes.contains(&op.function) { op.answer.clone() } else { op.argument.clone() };
        for id in proof {
            // An empty answer is left out by itself.
            let spared = element(&ops[id.row()]);
            let fewer = |at: usize| shown(at) && at != id.row() && (spared.is_empty() || element(&ops[at]) != spared);
            assert!(is_linearizable(shape.model, &with_context(&fewer)), "{spared:?} is not needed: {}", told());
        }
    }

    fn histories() -> u64 {
        std::env::var("SHAKEDOWN_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(20_000)
    }

    fn distinct(model: ModelName) -> Shape {
        Shape { distinct: true, operations: 10, processes: 4, ..Shape::of(model) }
    }

    #[test]
    fn queues_whose_elements_are_distinct_are_always_decided_as_the_definition_does() {
        for model in [ModelName::FifoQueue, ModelName::UnorderedQueue] {
            for unknown in [0, 2, 6] {
                assert_eq!(decided(Shape { unknown, ..distinct(model) }, histories() / 3), 100);
            }
        }
    }

    #[test]
    fn stacks_whose_elements_are_distinct_are_nearly_always_decided_as_the_definition_does() {
        assert_eq!(decided(Shape { unknown: 0, ..distinct(ModelName::Stack) }, histories() / 3), 100);
        assert!(decided(Shape { unknown: 2, ..distinct(ModelName::Stack) }, histories() / 3) >= 90);
        assert!(decided(Shape { unknown: 6, ..distinct(ModelName::Stack) }, histories() / 3) >= 80);
    }

    #[test]
    fn priority_queues_whose_elements_are_distinct_are_decided_as_the_definition_does() {
        for without in ["delete-min", "delete-max"] {
            let one_end = Shape {
                without: if without == "delete-min" { &["delete-min"] } else { &["delete-max"] },
                ..distinct(ModelName::PriorityQueue)
            };
            assert_eq!(decided(Shape { unknown: 0, ..one_end }, histories() / 3), 100);
            assert!(decided(Shape { unknown: 2, ..one_end }, histories() / 3) >= 80);
            assert!(decided(Shape { unknown: 6, ..one_end }, histories() / 3) >= 60);
        }
    }

    #[test]
    fn sets_that_only_grow_are_always_decided_as_the_definition_does() {
        let grows = Shape { without: &["remove", "contains"], ..distinct(ModelName::Set) };
        for unknown in [0, 2, 6] {
            assert_eq!(decided(Shape { unknown, ..grows }, histories() / 3), 100);
        }
    }
}
