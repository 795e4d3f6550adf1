//! Registers, and what the operations of a history do to them. A lock is a register too, which is free or held: `acquire` is a `cas` from
//! free to held, `release` one back.

use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use crate::History;
use crate::history::{EventPosition, NEVER, Operation, OperationId, Outcome, Value, ValueId};
use crate::model::{DoesNotFit, ModelName};

use super::automaton::{Automaton, Call, Class, Effect, State};
use super::object::Object;

/// What registers hold at first, in every register: state 0.
pub(super) const INITIAL: State = 0;

/// The operations of a history as operations on registers.
pub(super) struct Registers<'a> {
    history: &'a History,
    read: Option<ValueId>,
    cas: Option<ValueId>,
    acquire: Option<ValueId>,
    release: Option<ValueId>,
    initial: u32,
    /// For locks: the other value.
    held: u32,
    /// Whether a read of nil is one whose value was not recorded.
    unrecorded: bool,
    /// For each value of the history that is the argument of a `cas`: what it expects and leaves.
    pairs: FxHashMap<ValueId, (u32, u32)>,
    /// Values that stand only inside arguments of `cas`, or are the initial one: they are numbered after the history's own.
    more: IndexSet<Value, FxBuildHasher>,
}

impl<'a> Registers<'a> {
    /// Sorts the operations out.
    ///
    /// # Errors
    /// The first operation that is none of registers, or not of this model.
    pub fn compile(
        history: &'a History,
        model: ModelName,
        initial: Option<&Value>,
    ) -> Result<Registers<'a>, DoesNotFit> {
        let function = |name| Some(name).filter(|name| model.functions().contains(name));
        let function = |name| history.id_of(&Value::text(function(name)?));
        let mut registers = Registers {
            history,
            read: function("read"),
            cas: function("cas"),
            acquire: function("acquire"),
            release: function("release"),
            initial: 0,
            held: 0,
            unrecorded: false,
            pairs: FxHashMap::default(),
            more: IndexSet::default(),
        };
        let write = function("write");
        registers.initial = initial.map_or(ValueId::NIL.0, |value| registers.number_of(value));
        if model == ModelName::Mutex {
            registers.initial = registers.number_of(&Value::text("free"));
            registers.held = registers.number_of(&Value::text("held"));
        }
        let mut writes_nil = false;
        for operation in history.operations() {
            let function = Some(operation.function_id());
            if [registers.read, registers.acquire, registers.release].contains(&function) {
            } else if function == write {
                writes_nil |= operation.argument_id() == ValueId::NIL;
            } else if function == registers.cas {
                let (_, new) = registers.pair(operation)?;
                writes_nil |= new == ValueId::NIL.0;
            } else {
                let problem = format!("expected one of {}", model.functions().join(", "));
                return Err(does_not_fit(operation, model, problem));
            }
        }
        registers.unrecorded = registers.initial != ValueId::NIL.0 && !writes_nil;
        Ok(registers)
    }

    fn pair(&mut self, operation: Operation<'a>) -> Result<(u32, u32), DoesNotFit> {
        if let Some(&pair) = self.pairs.get(&operation.argument_id()) {
            return Ok(pair);
        }
        let Some((expected, new)) = operation.argument().as_pair() else {
            let found = operation.argument().kind();
            let problem = format!("expected [expected new] as its argument, found {found}");
            return Err(does_not_fit(operation, ModelName::CasRegister, problem));
        };
        let pair = (self.number_of(expected), self.number_of(new));
        self.pairs.insert(operation.argument_id(), pair);
        Ok(pair)
    }

    fn number_of(&mut self, value: &Value) -> u32 {
        match self.history.id_of(value) {
            Some(id) => id.0,
            None => (self.history.values().len() + self.more.insert_full(value.clone()).0) as u32,
        }
    }

    fn value(&self, number: u32) -> &Value {
        match (number as usize).checked_sub(self.history.values().len()) {
            None => self.history.value(ValueId(number)),
            Some(at) => &self.more[at],
        }
    }

    /// How many reads are not judged, as their values were not recorded.
    pub fn unrecorded_reads(&self) -> usize {
        let unrecorded = |operation: &Operation<'_>| {
            Some(operation.function_id()) == self.read
                && operation.outcome() == Outcome::Ok
                && operation.result_id() == ValueId::NIL
        };
        if self.unrecorded { self.history.operations().filter(unrecorded).count() } else { 0 }
    }

    /// One register, with all operations that happened, and those that may have and that somebody noticed.
    pub fn register(&self, object: &Object) -> Register<'_> {
        let mut numbering = Numbering::new(self, object.operations.len());
        let mut accesses = Vec::with_capacity(object.operations.len());
        for &id in &object.operations {
            let operation = self.history.operation(id);
            let must = match operation.outcome() {
                Outcome::Ok => true,
                Outcome::Info => false,
                Outcome::Fail => continue,
            };
            let function = Some(operation.function_id());
            let effect = if function == self.read {
                let result = operation.result_id();
                if !must || (self.unrecorded && result == ValueId::NIL) {
                    continue;
                }
                Effect::Read(numbering.state_of(result.0))
            } else if function == self.cas {
                let (expected, new) = self.pairs[&operation.argument_id()];
                let (expected, new) = (numbering.state_of(expected), numbering.state_of(new));
                if expected == new {
                    if !must {
                        continue;
                    }
                    Effect::Read(expected)
                } else {
                    Effect::Cas(expected, new)
                }
            } else if function == self.acquire {
                Effect::Cas(numbering.state_of(self.initial), numbering.state_of(self.held))
            } else if function == self.release {
                Effect::Cas(numbering.state_of(self.held), numbering.state_of(self.initial))
            } else {
                Effect::Write(numbering.state_of(operation.argument_id().0))
            };
            let completed = if must { operation.completed() } else { NEVER };
            accesses.push(Access { operation: id, effect, invoked: operation.invoked(), completed, must });
        }
        let mut register = Register { registers: self, values: numbering.values, accesses };
        if register.accesses.iter().any(|access| !access.must) {
            let noticed = noticed(register.accesses.iter().map(|access| (access.effect, access.must)));
            register.accesses.retain(|access| access.must || leaves_one_of(access.effect, &noticed));
        }
        register
    }

    /// What the operations on an object do, those that are known to have failed too.
    pub fn writers_of<'s>(&'s self, object: &'s Object, value: u32) -> impl Iterator<Item = Operation<'a>> + 's {
        object.operations.iter().map(|&id| self.history.operation(id)).filter(move |operation| {
            let function = Some(operation.function_id());
            if function == self.read {
                false
            } else if function == self.cas {
                let (expected, new) = self.pairs[&operation.argument_id()];
                new == value && expected != new
            } else if function == self.acquire || function == self.release {
                value == if function == self.acquire { self.held } else { self.initial }
            } else {
                operation.argument_id().0 == value
            }
        })
    }
}

fn does_not_fit(operation: Operation<'_>, model: ModelName, problem: String) -> DoesNotFit {
    DoesNotFit {
        index: operation.index(),
        function: operation.function().to_owned(),
        model: model.name().to_owned(),
        problem,
    }
}

/// Numbers the values of one register from 0, the initial one, on.
struct Numbering {
    places: Places,
    values: Vec<u32>,
}

/// A table where it pays, else a map.
enum Places {
    Table(Vec<State>),
    Map(FxHashMap<u32, State>),
}

impl Numbering {
    fn new(registers: &Registers<'_>, operations: usize) -> Numbering {
        let all = registers.history.values().len() + registers.more.len();
        let places = match operations >= all / 8 {
            true => Places::Table(vec![State::MAX; all]),
            false => Places::Map(FxHashMap::default()),
        };
        let mut numbering = Numbering { places, values: Vec::new() };
        numbering.state_of(registers.initial);
        numbering
    }

    fn state_of(&mut self, value: u32) -> State {
        let place = match &mut self.places {
            Places::Table(table) => &mut table[value as usize],
            Places::Map(map) => map.entry(value).or_insert(State::MAX),
        };
        if *place == State::MAX {
            *place = self.values.len() as State;
            self.values.push(value);
        }
        *place
    }
}

/// One operation on a register. `info` operations that nobody noticed are none, nor are reads of which nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    pub operation: OperationId,
    pub effect: Effect,
    pub invoked: EventPosition,
    /// [`NEVER`], if it is not known to have happened.
    pub completed: EventPosition,
    /// Whether it is known to have happened.
    pub must: bool,
}

/// One register. Its states are the values that it may hold.
pub(super) struct Register<'a> {
    registers: &'a Registers<'a>,
    /// The value behind each state.
    pub values: Vec<u32>,
    pub accesses: Vec<Access>,
}

/// The values that matter, given what each operation does and whether it must happen. A value is noticed if an operation that
/// must happen needs it, or an optional `cas` needs it that leaves a noticed value. After an optional operation that leaves an unnoticed
/// value only a write can come, which could as well have come without it.
fn noticed(effects: impl Iterator<Item = (Effect, bool)> + Clone) -> FxHashSet<State> {
    let needed = effects.clone().filter(|(_, must)| *must).filter_map(|(effect, _)| effect.needs()).collect();
    origins(needed, effects.filter(|(_, must)| !must).map(|(effect, _)| effect))
}

/// These values, and all that `cas` replaced by one of them, directly or over others.
fn origins(mut values: FxHashSet<State>, effects: impl Iterator<Item = Effect>) -> FxHashSet<State> {
    let mut replaced: FxHashMap<State, Vec<State>> = FxHashMap::default();
    for effect in effects {
        if let Effect::Cas(expected, new) = effect {
            replaced.entry(new).or_default().push(expected);
        }
    }
    let mut fresh: Vec<State> = replaced.keys().copied().filter(|new| values.contains(new)).collect();
    while let Some(new) = fresh.pop() {
        for expected in replaced.remove(&new).unwrap_or_default() {
            if values.insert(expected) {
                fresh.push(expected);
            }
        }
    }
    values
}

/// Whether an operation that may have happened leaves a value that matters.
fn leaves_one_of(effect: Effect, noticed: &FxHashSet<State>) -> bool {
    effect.writes().is_some_and(|value| noticed.contains(&value))
}

impl<'a> Register<'a> {
    /// The same register with more states: `olds` gives the state that each was.
    pub fn with(&self, accesses: Vec<Access>, olds: &[State]) -> Register<'a> {
        let values = olds.iter().map(|&old| self.values[old as usize]).collect();
        Register { registers: self.registers, values, accesses }
    }

    /// The accesses as the search sees them, and the automaton that knows their classes.
    pub fn calls(&self) -> (Vec<Call>, RegisterAutomaton<'_>) {
        let mut effects: IndexSet<Effect, FxBuildHasher> = IndexSet::default();
        let calls = self
            .accesses
            .iter()
            .map(|access| Call {
                operation: access.operation,
                class: effects.insert_full(access.effect).0 as Class,
                invoked: access.invoked,
                closed: access.completed,
                must: access.must,
            })
            .collect();
        (calls, RegisterAutomaton { register: self, effects })
    }

    /// The access of these that was invoked last, if it needs a value, and the last that wrote another before that began.
    pub fn written_over_before(&self, suspects: &[u32]) -> Option<[u32; 2]> {
        let access = |at: u32| self.accesses[at as usize];
        let late = suspects.iter().copied().filter(|&at| at != u32::MAX).max_by_key(|&at| access(at).invoked)?;
        let needs = access(late).effect.needs().filter(|_| access(late).must)?;
        let over = (0..late).filter(|&at| {
            let Access { completed, must, effect, .. } = access(at);
            must && completed < access(late).invoked && effect.writes().is_some_and(|value| value != needs)
        });
        over.max_by_key(|&at| access(at).completed).map(|over| [over, late])
    }

    /// The values that these accesses need or leave.
    pub fn shown_by(&self, accesses: &[u32]) -> Vec<State> {
        let effects = accesses.iter().map(|&at| self.accesses[at as usize].effect);
        effects.flat_map(|effect| [effect.needs(), effect.writes()]).flatten().collect()
    }

    /// The completion by which an access is known to have happened: its own, or that of somebody who saw what it left.
    pub fn certain_by(&self, at: usize) -> EventPosition {
        let access = self.accesses[at];
        if access.must {
            return access.completed;
        }
        let saw = |other: &&Access| other.must && other.effect.needs() == access.effect.writes();
        self.accesses.iter().filter(saw).map(|other| other.completed).min().unwrap_or(NEVER)
    }

    /// The operations that show or leave one of these values, or one that led to them.
    pub fn leading_to(&self, states: &[State]) -> Vec<OperationId> {
        let effects = self.accesses.iter().map(|access| access.effect);
        let values = origins(states.iter().copied().collect(), effects);
        let touches =
            |effect: Effect| [effect.needs(), effect.writes()].into_iter().flatten().any(|v| values.contains(&v));
        self.accesses.iter().filter(|access| touches(access.effect)).map(|access| access.operation).collect()
    }

    /// A state in words.
    pub fn describe(&self, state: State) -> String {
        self.registers.value(self.values[state as usize]).to_string()
    }
}

/// A register as an automaton: the state is the value, and nothing is looked up.
pub(super) struct RegisterAutomaton<'a> {
    register: &'a Register<'a>,
    effects: IndexSet<Effect, FxBuildHasher>,
}

impl Automaton for RegisterAutomaton<'_> {
    fn initial(&self) -> State {
        INITIAL
    }

    fn step(&mut self, state: State, class: Class) -> Option<State> {
        match self.effects[class as usize] {
            Effect::Read(value) => (state == value).then_some(state),
            Effect::Write(value) => Some(value),
            Effect::Cas(expected, new) => (state == expected).then_some(new),
        }
    }

    fn observes(&self, class: Class) -> bool {
        matches!(self.effects[class as usize], Effect::Read(_))
    }

    fn effect(&self, class: Class) -> Option<Effect> {
        Some(self.effects[class as usize])
    }

    fn without_unnoticed(&self, mut calls: Vec<Call>) -> Vec<Call> {
        let effect = |call: &Call| self.effects[call.class as usize];
        let noticed = noticed(calls.iter().map(|call| (effect(call), call.must)));
        calls.retain(|call| call.must || leaves_one_of(effect(call), &noticed));
        calls
    }

    fn describe(&self, state: State) -> String {
        self.register.describe(state)
    }
}
