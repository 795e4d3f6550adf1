//! Models as the search sees them: states and operations are integers.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::History;
use crate::history::{OperationId, Outcome, Value, ValueId};
use crate::model::{Call as ModelCall, DoesNotFit, Model, ModelName};

use super::object::Call;

/// A state, as an integer.
pub(super) type State = u32;

/// The class of an operation of which nothing is known: it neither shows nor changes anything.
pub(super) const NOTHING: u32 = u32::MAX;

/// A sequential specification over integers.
pub(super) trait Automaton {
    /// The state before the first operation.
    fn initial(&self) -> State;
    /// What an operation does, as a number; [`NOTHING`] for a read without a value.
    fn class(&self, operation: OperationId) -> u32;
    /// The state after an operation of this class, or `None` where it is not legal.
    fn step(&mut self, state: State, class: u32) -> Option<State>;
    /// Whether operations of this class never change a state, wherever they are legal.
    fn observes(&self, class: u32) -> bool;
    /// The calls without those optional ones that nobody could have noticed, whether they happened or not.
    fn without_unnoticed(&self, calls: Vec<Call>) -> Vec<Call>;
    /// What an operation of this class does to a register, if it does.
    fn effect(&self, _class: u32) -> Option<Effect> {
        None
    }
    /// A state in words.
    fn describe(&self, history: &History, state: State) -> String;
}

/// What an operation does to a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Effect {
    /// The register holds this.
    Read(ValueId),
    /// It holds this from now on.
    Write(ValueId),
    /// It held the first, and holds the second from now on.
    Cas(ValueId, ValueId),
}

impl Effect {
    /// The value that it leaves, if it writes one.
    pub fn writes(self) -> Option<ValueId> {
        match self {
            Effect::Read(_) => None,
            Effect::Write(value) | Effect::Cas(_, value) => Some(value),
        }
    }

    /// The value that it needs, if it needs one.
    pub fn needs(self) -> Option<ValueId> {
        match self {
            Effect::Write(_) => None,
            Effect::Read(value) | Effect::Cas(value, _) => Some(value),
        }
    }
}

/// Registers: the state is the value. Nothing is looked up.
pub(super) struct Registers {
    initial: ValueId,
    classes: Vec<u32>,
    effects: Vec<Effect>,
    /// Values that stand only inside arguments of `cas`, or are the initial one: their ids follow the history's own.
    more: indexmap::IndexSet<Value, rustc_hash::FxBuildHasher>,
}

impl Registers {
    /// The operations of a history as effects on registers.
    pub fn compile(history: &History, model: ModelName, initial: Option<&Value>) -> Result<Registers, DoesNotFit> {
        let mut registers =
            Registers { initial: ValueId::NIL, classes: Vec::new(), effects: Vec::new(), more: Default::default() };
        registers.initial = initial.map_or(ValueId::NIL, |value| registers.id_of(history, value));
        let unrecorded = registers.initial != ValueId::NIL && !writes_nil(history);
        let mut numbers: FxHashMap<Effect, u32> = FxHashMap::default();
        let mut pairs: FxHashMap<ValueId, (ValueId, ValueId)> = FxHashMap::default();
        for operation in history.operations() {
            let refuse = |problem: String| DoesNotFit {
                index: operation.index(),
                function: operation.function().to_owned(),
                model: model.name().to_owned(),
                problem,
            };
            let effect = match operation.function() {
                "read"
                    if operation.outcome() == Outcome::Ok && !(unrecorded && operation.result_id() == ValueId::NIL) =>
                {
                    Effect::Read(operation.result_id())
                }
                "read" => {
                    registers.classes.push(NOTHING);
                    continue;
                }
                "write" => Effect::Write(operation.argument_id()),
                "cas" if model != ModelName::Register => {
                    let pair = match pairs.get(&operation.argument_id()) {
                        Some(&pair) => pair,
                        None => {
                            let (expected, new) = operation.argument().as_pair().ok_or_else(|| {
                                let found = operation.argument().kind();
                                refuse(format!("expected [expected new] as its argument, found {found}"))
                            })?;
                            let pair = (registers.id_of(history, expected), registers.id_of(history, new));
                            pairs.insert(operation.argument_id(), pair);
                            pair
                        }
                    };
                    Effect::Cas(pair.0, pair.1)
                }
                _ => return Err(refuse(format!("expected one of {}", model.functions().join(", ")))),
            };
            let effects = &mut registers.effects;
            registers.classes.push(*numbers.entry(effect).or_insert_with(|| {
                effects.push(effect);
                effects.len() as u32 - 1
            }));
        }
        Ok(registers)
    }

    fn id_of(&mut self, history: &History, value: &Value) -> ValueId {
        history.id_of(value).unwrap_or_else(|| {
            let (at, _) = self.more.insert_full(value.clone());
            ValueId((history.values().len() + at) as u32)
        })
    }
}

/// Whether nil is among the values that the registers may come to hold.
pub(super) fn writes_nil(history: &History) -> bool {
    history.operations().any(|operation| match (operation.function(), operation.argument().as_pair()) {
        ("write", _) => operation.argument_id() == ValueId::NIL,
        ("cas", Some((_, new))) => *new == Value::Nil,
        _ => false,
    })
}

impl Automaton for Registers {
    fn initial(&self) -> State {
        self.initial.0
    }

    fn class(&self, operation: OperationId) -> u32 {
        self.classes[operation.row()]
    }

    fn step(&mut self, state: State, class: u32) -> Option<State> {
        match self.effects[class as usize] {
            Effect::Read(value) => (state == value.0).then_some(state),
            Effect::Write(value) => Some(value.0),
            Effect::Cas(expected, new) => (state == expected.0).then_some(new.0),
        }
    }

    fn observes(&self, class: u32) -> bool {
        match self.effects[class as usize] {
            Effect::Read(_) => true,
            Effect::Write(_) => false,
            Effect::Cas(expected, new) => expected == new,
        }
    }

    /// A value is noticed if an operation that must happen needs it, or an optional `cas` needs it that leaves a noticed
    /// value. After an optional operation that leaves an unnoticed value only a write can come, which could as well
    /// have come without it. An optional `cas` that leaves what it found changes nothing.
    fn without_unnoticed(&self, calls: Vec<Call>) -> Vec<Call> {
        let effect = |call: &Call| self.effects[call.class as usize];
        let mut noticed: FxHashSet<ValueId> = FxHashSet::default();
        noticed.extend(calls.iter().filter(|call| call.must).filter_map(|call| effect(call).needs()));
        loop {
            let before = noticed.len();
            for call in calls.iter().filter(|call| !call.must && call.class != NOTHING) {
                if let Effect::Cas(expected, new) = effect(call)
                    && noticed.contains(&new)
                {
                    noticed.insert(expected);
                }
            }
            if noticed.len() == before {
                break;
            }
        }
        let matters = |call: &Call| {
            call.must
                || (call.class != NOTHING
                    && !self.observes(call.class)
                    && effect(call).writes().is_some_and(|value| noticed.contains(&value)))
        };
        calls.into_iter().filter(matters).collect()
    }

    fn effect(&self, class: u32) -> Option<Effect> {
        self.effects.get(class as usize).copied()
    }

    fn describe(&self, history: &History, state: State) -> String {
        match (state as usize).checked_sub(history.values().len()) {
            None => history.value(ValueId(state)).to_string(),
            Some(at) => self.more[at].to_string(),
        }
    }
}

/// Any [`Model`]: its states are interned as they come up, and each step is taken once.
pub(super) struct Memoised<'a, M: Model> {
    model: &'a M,
    classes: Vec<u32>,
    calls: Vec<ModelCall<'a>>,
    states: indexmap::IndexSet<M::State, rustc_hash::FxBuildHasher>,
    steps: FxHashMap<(State, u32), Option<State>>,
}

impl<'a, M: Model> Memoised<'a, M> {
    /// The operations of a history as calls of the model.
    pub fn compile(history: &'a History, model: &'a M) -> Result<Memoised<'a, M>, DoesNotFit> {
        if let Some(problem) = DoesNotFit::first(history, model) {
            return Err(problem);
        }
        let mut numbers: FxHashMap<ModelCall<'a>, u32> = FxHashMap::default();
        let mut calls = Vec::new();
        let mut classes = Vec::with_capacity(history.len());
        for operation in history.operations() {
            let call = ModelCall::of(operation, model);
            classes.push(*numbers.entry(call).or_insert_with(|| {
                calls.push(call);
                calls.len() as u32 - 1
            }));
        }
        let mut states = indexmap::IndexSet::default();
        states.insert(model.initial());
        Ok(Memoised { model, classes, calls, states, steps: FxHashMap::default() })
    }
}

impl<M: Model> Automaton for Memoised<'_, M> {
    fn initial(&self) -> State {
        0
    }

    fn class(&self, operation: OperationId) -> u32 {
        self.classes[operation.row()]
    }

    fn step(&mut self, state: State, class: u32) -> Option<State> {
        if let Some(&next) = self.steps.get(&(state, class)) {
            return next;
        }
        let next = self.model.step(&self.states[state as usize], self.calls[class as usize]);
        let next = next.map(|next| self.states.insert_full(next).0 as State);
        self.steps.insert((state, class), next);
        next
    }

    /// What the model says; by itself it says nothing of a stranger's operations.
    fn observes(&self, class: u32) -> bool {
        self.model.observes(self.calls[class as usize])
    }

    /// Who only observes is not noticed.
    fn without_unnoticed(&self, calls: Vec<Call>) -> Vec<Call> {
        calls.into_iter().filter(|call| call.must || !self.observes(call.class)).collect()
    }

    fn describe(&self, _history: &History, state: State) -> String {
        format!("{:?}", self.states[state as usize])
    }
}
