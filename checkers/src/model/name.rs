//! The models that have a name.

use crate::History;

use super::NoModel;

/// The models that have a name. Where a history has keys, each key is an object of its own, but for
/// [`MultiRegister`](ModelName::MultiRegister).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelName {
    /// A register with `read` and `write`.
    Register,
    /// A register with `read`, `write` and `cas`, whose argument is `[expected new]`.
    CasRegister,
    /// Registers with `read`, `write` and `cas`, one for each key.
    Kv,
    /// Strings with `get`, `put` and `append`, one for each key, empty at first.
    StringKv,
    /// Several registers, read and written together by `txn`.
    MultiRegister,
    /// A lock with `acquire` and `release`, whoever releases it.
    Mutex,
    /// A lock that only the process that holds it may release.
    OwnerMutex,
    /// The same, and its holder may acquire it again: it is free after as many releases.
    ReentrantMutex,
    /// An owner mutex whose `acquire` answers a token, greater than every token before.
    FencedMutex,
    /// A reentrant mutex with tokens: acquiring it again answers the same token.
    ReentrantFencedMutex,
    /// Permits with `acquire` and `release`, whoever releases them.
    Semaphore,
    /// A queue, first in, first out, with `enqueue` and `dequeue`.
    FifoQueue,
    /// A queue that gives its elements in any order.
    UnorderedQueue,
    /// A stack with `push` and `pop`.
    Stack,
    /// A queue with `insert`, whose `delete-min` takes the least element, and `delete-max` the greatest.
    PriorityQueue,
    /// A set with `add`, `remove`, `contains` and `read`.
    Set,
    /// A counter with `add`, `increment`, `decrement` and `read`.
    Counter,
}

impl ModelName {
    /// All of them, in the order in which they are listed.
    pub const ALL: [ModelName; 17] = [
        ModelName::Register,
        ModelName::CasRegister,
        ModelName::Kv,
        ModelName::StringKv,
        ModelName::MultiRegister,
        ModelName::Mutex,
        ModelName::OwnerMutex,
        ModelName::ReentrantMutex,
        ModelName::FencedMutex,
        ModelName::ReentrantFencedMutex,
        ModelName::Semaphore,
        ModelName::FifoQueue,
        ModelName::UnorderedQueue,
        ModelName::Stack,
        ModelName::PriorityQueue,
        ModelName::Set,
        ModelName::Counter,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            ModelName::Register => "register",
            ModelName::CasRegister => "cas-register",
            ModelName::Kv => "kv",
            ModelName::StringKv => "string-kv",
            ModelName::MultiRegister => "multi-register",
            ModelName::Mutex => "mutex",
            ModelName::OwnerMutex => "owner-mutex",
            ModelName::ReentrantMutex => "reentrant-mutex",
            ModelName::FencedMutex => "fenced-mutex",
            ModelName::ReentrantFencedMutex => "reentrant-fenced-mutex",
            ModelName::Semaphore => "semaphore",
            ModelName::FifoQueue => "fifo-queue",
            ModelName::UnorderedQueue => "unordered-queue",
            ModelName::Stack => "stack",
            ModelName::PriorityQueue => "priority-queue",
            ModelName::Set => "set",
            ModelName::Counter => "counter",
        }
    }

    /// One line about it.
    pub fn summary(self) -> &'static str {
        match self {
            ModelName::Register => "one register: read, write",
            ModelName::CasRegister => "one register: read, write, cas [expected new]",
            ModelName::Kv => "a register for each key: read, write, cas",
            ModelName::StringKv => "a string for each key, empty at first: get, put, append",
            ModelName::MultiRegister => "several registers in one object: txn [[read x 1] [write y 2]]",
            ModelName::Mutex => "a lock: acquire, release",
            ModelName::OwnerMutex => "a lock that only its holder releases: acquire, release",
            ModelName::ReentrantMutex => "a lock that its holder may acquire again: acquire, release",
            ModelName::FencedMutex => "a lock of one holder whose acquire answers a growing token: acquire, release",
            ModelName::ReentrantFencedMutex => "a reentrant lock, one token for each hold: acquire, release",
            ModelName::Semaphore => "permits, as many as --initial says, or 1: acquire n, release n (nil: one)",
            ModelName::FifoQueue => "a queue, first in, first out: enqueue, dequeue (nil: it was empty)",
            ModelName::UnorderedQueue => "a queue in any order: enqueue, dequeue (nil: it was empty)",
            ModelName::Stack => "a stack: push, pop (nil: it was empty)",
            ModelName::PriorityQueue => "a queue of numbers: insert, delete-min, delete-max (nil: it was empty)",
            ModelName::Set => "a set: add, remove, contains (true or false), read (all elements)",
            ModelName::Counter => "a counter: add, increment, decrement (nil: by one), read",
        }
    }

    /// The model with this name; `queue` is short for `fifo-queue`.
    pub fn from_name(name: &str) -> Option<ModelName> {
        if name == "queue" {
            return Some(ModelName::FifoQueue);
        }
        ModelName::ALL.into_iter().find(|model| model.name() == name)
    }

    /// The functions that the model knows.
    pub fn functions(self) -> &'static [&'static str] {
        match self {
            ModelName::Register => &["read", "write"],
            ModelName::CasRegister | ModelName::Kv => &["read", "write", "cas"],
            ModelName::StringKv => &["get", "put", "append"],
            ModelName::MultiRegister => &["txn", "read", "write"],
            ModelName::Mutex
            | ModelName::OwnerMutex
            | ModelName::ReentrantMutex
            | ModelName::FencedMutex
            | ModelName::ReentrantFencedMutex
            | ModelName::Semaphore => &["acquire", "release"],
            ModelName::FifoQueue | ModelName::UnorderedQueue => &["enqueue", "dequeue"],
            ModelName::Stack => &["push", "pop"],
            ModelName::PriorityQueue => &["insert", "delete-min", "delete-max"],
            ModelName::Set => &["add", "remove", "contains", "read"],
            ModelName::Counter => &["add", "increment", "decrement", "read"],
        }
    }

    /// Whether it is one of registers that are read, written and compared, one by one.
    pub fn is_register(self) -> bool {
        matches!(self, ModelName::Register | ModelName::CasRegister | ModelName::Kv)
    }

    /// The model that fits the operations of a history, if one does: [`fit`](ModelName::fit) also says why none does.
    pub fn guess(history: &History) -> Option<ModelName> {
        ModelName::fit(history).ok()
    }

    /// The model that fits the operations of a history: by their functions, and where several models know these, by the shape of
    /// what was answered.
    ///
    /// # Errors
    /// What no model knows, and which model comes nearest.
    pub fn fit(history: &History) -> Result<ModelName, NoModel> {
        super::fit::fit(history)
    }
}
