//! Any [`Model`] as an automaton: its states are interned as they come up, and each step is taken once.

use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::History;
use crate::history::{NEVER, Outcome};
use crate::model::{Call as ModelCall, DoesNotFit, Model};

use super::automaton::{Automaton, Call, Class, State};
use super::object::Object;

/// The operations of a history as calls of a model.
pub(super) struct Modelled<'a, M: Model> {
    model: &'a M,
    classes: Vec<Class>,
    calls: Vec<ModelCall<'a>>,
}

impl<'a, M: Model> Modelled<'a, M> {
    /// Interns the calls, so that equal ones are one class.
    ///
    /// # Errors
    /// The first operation that the model refuses.
    pub fn compile(history: &'a History, model: &'a M) -> Result<Modelled<'a, M>, DoesNotFit> {
        let mut calls: IndexSet<ModelCall<'a>, FxBuildHasher> = IndexSet::default();
        let mut classes = Vec::with_capacity(history.len());
        for operation in history.operations() {
            let call = ModelCall::of(operation);
            if let Some(problem) = model.refuses(call) {
                return Err(DoesNotFit {
                    index: operation.index(),
                    function: operation.function().to_owned(),
                    model: std::any::type_name::<M>().rsplit("::").next().unwrap_or_default().to_owned(),
                    problem,
                });
            }
            classes.push(calls.insert_full(call).0 as Class);
        }
        Ok(Modelled { model, classes, calls: calls.into_iter().collect() })
    }

    /// What has to be placed in an order: all that happened, and all that may have.
    pub fn calls_of(&self, history: &History, object: &Object) -> Vec<Call> {
        let operations = object.operations.iter().map(|&id| history.operation(id));
        operations
            .filter(|operation| operation.outcome() != Outcome::Fail)
            .map(|operation| {
                let must = operation.outcome() == Outcome::Ok;
                Call {
                    operation: operation.id(),
                    class: self.classes[operation.id().row()],
                    invoked: operation.invoked(),
                    closed: if must { operation.completed() } else { NEVER },
                    must,
                }
            })
            .collect()
    }

    /// An automaton for one object.
    pub fn automaton(&self) -> Memoised<'_, M> {
        let mut states = IndexSet::default();
        states.insert(self.model.initial());
        Memoised { modelled: self, states, steps: FxHashMap::default() }
    }
}

/// See the [module](self).
pub(super) struct Memoised<'a, M: Model> {
    modelled: &'a Modelled<'a, M>,
    states: IndexSet<M::State, FxBuildHasher>,
    steps: FxHashMap<(State, Class), Option<State>>,
}

impl<M: Model> Automaton for Memoised<'_, M> {
    fn initial(&self) -> State {
        0
    }

    fn step(&mut self, state: State, class: Class) -> Option<State> {
        if let Some(&next) = self.steps.get(&(state, class)) {
            return next;
        }
        let next = self.modelled.model.step(&self.states[state as usize], self.modelled.calls[class as usize]);
        let next = next.map(|next| self.states.insert_full(next).0 as State);
        self.steps.insert((state, class), next);
        next
    }

    fn describe(&self, state: State) -> String {
        format!("{:?}", self.states[state as usize])
    }
}
