//! Any [`Model`] as an automaton: its states are interned as they come up, and each step is taken once.

use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::History;
use crate::history::{NEVER, Outcome};
use crate::model::{Call as ModelCall, DoesNotFit, Model};

use super::automaton::{Automaton, Call, Class, State, table_bytes};
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
    /// The first operation that the model refuses, or a history without an order in real time.
    pub fn compile(history: &'a History, model: &'a M) -> Result<Modelled<'a, M>, DoesNotFit> {
        let problem = DoesNotFit::without_real_time(history).or_else(|| DoesNotFit::first(history, model));
        if let Some(problem) = problem {
            return Err(problem);
        }
        let mut calls: IndexSet<ModelCall<'a>, FxBuildHasher> = IndexSet::default();
        let class = |operation| calls.insert_full(ModelCall::of(operation, model)).0 as Class;
        let classes = history.operations().map(class).collect();
        Ok(Modelled { model, classes, calls: calls.into_iter().collect() })
    }

    /// What has to be placed in an order: all that happened, and all that may have and that somebody could have noticed.
    pub fn calls_of(&self, history: &History, object: &Object) -> Vec<Call> {
        let operations = object.operations.iter().map(|&id| history.operation(id));
        operations
            .filter(|operation| match operation.outcome() {
                Outcome::Ok => true,
                Outcome::Info => !self.observes(self.classes[operation.id().row()]),
                Outcome::Fail => false,
            })
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

    /// What the model says; by itself it says nothing of a stranger's operations.
    fn observes(&self, class: Class) -> bool {
        self.model.observes(self.calls[class as usize])
    }

    /// An automaton for one object.
    pub fn automaton(&self) -> Memoised<'_, M> {
        let states = IndexSet::from_iter([self.model.initial()]);
        Memoised { modelled: self, states, steps: FxHashMap::default(), heap: 0 }
    }
}

/// See the [module](self).
pub(super) struct Memoised<'a, M: Model> {
    modelled: &'a Modelled<'a, M>,
    states: IndexSet<M::State, FxBuildHasher>,
    steps: FxHashMap<(State, Class), Option<State>>,
    /// What the states hold beyond their own size.
    heap: u64,
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
        let next = next.map(|next| {
            let (at, is_new) = self.states.insert_full(next);
            if is_new {
                self.heap += (self.modelled.model.heap_bytes(&self.states[at]) + ALLOCATION) as u64;
            }
            at as State
        });
        self.steps.insert((state, class), next);
        next
    }

    fn observes(&self, class: Class) -> bool {
        self.modelled.observes(class)
    }

    /// Who only observes is not noticed.
    fn without_unnoticed(&self, mut calls: Vec<Call>) -> Vec<Call> {
        calls.retain(|call| call.must || !self.observes(call.class));
        calls
    }

    fn forget(&mut self) {
        *self = self.modelled.automaton();
    }

    fn bytes(&self) -> u64 {
        // An index set is a list of entries with their hashes, and a table of places in it.
        let states = table_bytes(self.states.len(), self.states.capacity(), size_of::<M::State>() + 16);
        let step = size_of::<((State, Class), Option<State>)>();
        self.heap + states + table_bytes(self.steps.len(), self.steps.capacity(), step)
    }

    fn describe(&self, state: State) -> String {
        self.modelled.model.describe(&self.states[state as usize])
    }
}

/// What the allocator adds to what a state holds beyond its own size, in bytes.
const ALLOCATION: usize = 16;
