//! What a simulation is made of: hosts, what becomes of a message, and how a process ends.

/// A host: a node by its place in the plan, or the host of the clients, which comes after the nodes.
pub type Host = usize;

/// Whoever speaks while no host is on stage.
pub const NOBODY: Host = usize::MAX;

/// What happens to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It takes this much longer, in milliseconds.
    Late(u64),
    /// It never arrives; which fault took it.
    Lost(u32),
}

/// What else happens to a datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    /// It comes a second time, so many milliseconds after the first.
    pub copy_after: Option<u64>,
    /// One of its bits is another one: which, by chance.
    pub altered_by: Option<u64>,
}

/// The faults that are going on, as the network asks about them.
pub trait LinkRules {
    /// What becomes of the n-th message from one host to another. A pure function of the faults that are going on and these
    /// numbers, so that no message changes the fate of another.
    fn fate(&mut self, from: Host, to: Host, number: u64) -> Fate;

    /// What else becomes of it, if it is a datagram.
    fn extra(&mut self, from: Host, to: Host, number: u64) -> Extra;

    /// Whether messages of a stream from one host to another have to wait.
    fn holds(&mut self, from: Host, to: Host) -> bool;

    /// Whether a host's process is down.
    fn is_down(&self, host: Host) -> bool;
}

/// A process that ended though nobody stopped it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessExit {
    /// Simulated nanoseconds.
    pub time: u64,
    /// Whose.
    pub host: Host,
    /// How.
    pub how: Exit,
    /// What it said, and where.
    pub message: String,
}

/// How a process ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It panicked.
    Panic,
    /// Its future came to an end, with an error or without.
    Failure,
}

impl Exit {
    /// As findings are named.
    pub fn name(self) -> &'static str {
        match self {
            Exit::Panic => "panic",
            Exit::Failure => "failure",
        }
    }
}
