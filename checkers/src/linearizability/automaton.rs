//! Models as the search sees them: states and operations are integers.

use crate::history::{EventPosition, OperationId};

/// A state, as an integer.
pub(super) type State = u32;

/// What an operation does, as an integer: operations of one class do the same.
pub(super) type Class = u32;

/// An operation as the search sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub operation: OperationId,
    pub class: Class,
    pub invoked: EventPosition,
    /// The event by which it has taken effect if ever it does; [`NEVER`](crate::history::NEVER) leaves it open to the end.
    pub closed: EventPosition,
    /// Whether it must have taken effect by then.
    pub must: bool,
}

/// A sequential specification of one object, over integers.
pub(super) trait Automaton {
    /// The state before the first operation.
    fn initial(&self) -> State;

    /// The state after an operation of this class, or `None` where it is not legal.
    fn step(&mut self, state: State, class: Class) -> Option<State>;

    /// Whether operations of this class never change a state, wherever they are legal.
    fn observes(&self, _class: Class) -> bool {
        false
    }

    /// What an operation of this class does to a register, if the object is one.
    fn effect(&self, _class: Class) -> Option<Effect> {
        None
    }

    /// What an operation of this class does to a string, if the object is one.
    fn growth(&self, _class: Class) -> Option<Growth> {
        None
    }

    /// Of strings: whether this state stands for all in which no call is legal that only observes, and that only an operation ends that
    /// begins anew.
    fn is_unseen(&self, _state: State) -> bool {
        false
    }

    /// Of strings: whether a call of this class that only observes may become legal without an operation that begins anew.
    fn may_grow_to(&self, _state: State, _class: Class) -> bool {
        true
    }

    /// The calls without those optional ones that nobody could have noticed, whether they happened or not.
    fn without_unnoticed(&self, calls: Vec<Call>) -> Vec<Call> {
        calls
    }

    /// Forgets all states but the initial one, where states are made as they come up.
    fn forget(&mut self) {}

    /// How many bytes the states and steps take that it remembers, also while it makes room for the next ones.
    fn bytes(&self) -> u64 {
        0
    }

    /// A state in words.
    fn describe(&self, state: State) -> String;
}

/// What an operation does to a register. Values are states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Effect {
    /// The register holds this.
    Read(State),
    /// It holds this from now on, whatever it held.
    Write(State),
    /// It held the first, and holds the second, which is another, from now on.
    Cas(State, State),
}

impl Effect {
    /// The value that it leaves, if it writes one.
    pub fn writes(self) -> Option<State> {
        match self {
            Effect::Read(_) => None,
            Effect::Write(value) | Effect::Cas(_, value) => Some(value),
        }
    }

    /// The value that it needs, if it needs one.
    pub fn needs(self) -> Option<State> {
        match self {
            Effect::Write(_) => None,
            Effect::Read(value) | Effect::Cas(value, _) => Some(value),
        }
    }
}

/// What an operation does to a string. Both are legal in every state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    /// It goes on from what is there.
    Further,
    /// It begins anew: what it leaves does not depend on what was there.
    Anew,
}

/// How many bytes a hash table takes, also while it makes room for the next entries: it then holds one of twice the size beside the old one.
pub(super) fn table_bytes(length: usize, capacity: usize, entry: usize) -> u64 {
    // An eighth of the places is left free, and each has a byte of its hash.
    let places = capacity * 8 / 7;
    let tables = if length + SOON >= capacity { 3 } else { 1 };
    (places * (entry + 1) * tables) as u64
}

/// So many entries may be added before memory is looked at again.
const SOON: usize = 64;
