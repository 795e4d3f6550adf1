//! What a system under test is.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::{Client, Command, Invariant, Node};

/// Why a node's process ended by itself.
pub type Failure = Box<dyn Error>;

/// A distributed system: what a node does, and what talks to it. Everything else has a default.
///
/// ```
/// use shakedown_systems::door::{Address, Client, Failure, Node, System};
/// use shakedown_workloads::{Invoke, Kv, Outcome, kv::Operation};
///
/// /// Answers every read with nothing.
/// struct Amnesia;
///
/// impl System for Amnesia {
///     type Client = Asker;
///
///     fn node(&self, node: Node) -> impl Future<Output = Result<(), Failure>> + 'static {
///         async move {
///             let socket = node.bind(7000)?;
///             loop {
///                 let (from, _) = socket.receive().await;
///                 socket.send(&from, b"nothing");
///             }
///         }
///     }
///
///     fn client(&self, client: Client) -> Asker {
///         Asker(client)
///     }
/// }
///
/// struct Asker(Client);
///
/// impl Invoke<Kv> for Asker {
///     async fn invoke(&mut self, operation: &Operation) -> Outcome<Option<i64>> {
///         let Ok(socket) = self.0.bind(0) else { return Outcome::Fail("no port is free".to_owned()) };
///         socket.send(&Address { host: self.0.home().clone(), port: 7000 }, format!("{operation:?}").as_bytes());
///         socket.receive().await;
///         Outcome::Ok(None)
///     }
/// }
/// ```
///
/// # Events worth emitting
///
/// What nodes and clients say through `tracing` at level `INFO`, with a field `event`, becomes the run's trace; of what has no such field,
/// warnings and errors do, as `log`. None is needed.
/// These are understood, and make faults aim better and reports tell more:
///
/// | event | said by | what comes of it |
/// | --- | --- | --- |
/// | `tracing::info!(event = "role", role = "leader", term = 3)` | a node whose role changes; `term` (or `epoch`) tells newer holders from older | lanes in the report; faults aim at the holder of a role that [`System::roles`] lists |
/// | `tracing::info!(event = "answered", node = "n2", role = "leader", term = 3)` | a client, for an answer | the report says who answered each operation of a proof |
/// | any name in [`System::moments`] | a node | faults wait for it |
/// | any name in [`System::marks`] | a node | counted for each run: what no run reaches was not tested |
///
/// What a task of `tokio::spawn` says is its node's too, even while the process is being killed.
///
/// # What does not repeat
///
/// A run is a pure function of its plan as long as a system asks nobody else: no `SystemTime::now`, no `rand::rng`, no iteration
/// over a `std` `HashMap`. `tokio::time` is simulated. `shakedown::test(..).verify_determinism()` names the first event that differs.
pub trait System: 'static {
    /// What talks to it.
    type Client: 'static;

    /// The process of a node, begun anew after each crash. It serves until it is dropped; if it ends by itself, that is a finding.
    fn node(&self, node: Node) -> impl Future<Output = Result<(), Failure>> + 'static;

    /// A client of the system.
    fn client(&self, client: Client) -> Self::Client;

    /// Its name in reports; unless told, that of its type: `MyStore` is `my-store`.
    fn name(&self) -> String {
        kebab_case(std::any::type_name::<Self>())
    }

    /// The roles that its nodes report and of which one node at a time is the newest holder: faults are aimed at it. Of a system that
    /// names none, faults are aimed at nodes.
    fn roles(&self) -> &'static [&'static str] {
        &[]
    }

    /// The events after which a fault is worth most.
    fn moments(&self) -> &'static [&'static str] {
        &[]
    }

    /// What it may emit that shows that a run went where it should, each with what it means: counted in every campaign.
    fn marks(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// After which nodes are healed it must answer again.
    fn recovery(&self) -> Recovery {
        Recovery::All
    }

    /// How long it waits for what: faults last about as long, as little tells who waits too short.
    fn timeouts(&self) -> &'static [Duration] {
        &[]
    }

    /// The faults beyond most systems under which it promises what it promises otherwise, by name: of a disk that forgets or lies, of altered
    /// messages. `shakedown list faults` says which those are.
    fn endures(&self) -> &'static [&'static str] {
        &[]
    }

    /// The faults that it cannot meet, by name: a system without streams never stalls.
    fn never_meets(&self) -> &'static [&'static str] {
        &[]
    }

    /// The faults under which it promises nothing: they are not drawn, unless somebody asks for them by name.
    fn excludes(&self) -> &'static [&'static str] {
        &[]
    }

    /// How much the rates of its machines' clocks may differ, as a part of one, if its promises depend on that: no more is drawn, and none
    /// that stands still.
    fn drift_bound(&self) -> Option<f64> {
        None
    }

    /// What an operator can ask of it while it runs, of `transfer` (leadership, to a node), `snapshot`, `compact`, `remove` and `add` (a node, as
    /// a member; the two go together), `reconfigure` (these are the members): the nemesis asks for it as it breaks things.
    fn operator(&self) -> &'static [&'static str] {
        &[]
    }

    /// Does what an operator asks for.
    fn operate(&self, client: Client, command: Command) -> impl Future<Output = Result<(), Failure>> + 'static {
        drop(client);
        std::future::ready(Err(format!("there is no {}", command.name).into()))
    }

    /// What must hold inside the system at every moment. Each observes the whole run.
    fn invariants(&self) -> Vec<Box<dyn Invariant>> {
        Vec::new()
    }
}

/// From which sets of nodes a system must recover, when they are healed and can reach each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// From all of them together only.
    All,
    /// From any majority.
    Majority,
    /// From any so many.
    AtLeast(usize),
    /// From any set that holds these nodes, by their places in the cluster: a fixed primary.
    With(&'static [usize]),
    /// It may block: how long it does is a figure, no failure.
    Never,
}

impl Recovery {
    /// Whether a system of so many nodes must recover when these are healed, by their places in the cluster.
    pub fn admits(self, nodes: usize, healed: &[usize]) -> bool {
        match self {
            Recovery::All | Recovery::Never => healed.len() == nodes,
            Recovery::Majority => healed.len() > nodes / 2,
            Recovery::AtLeast(least) => healed.len() >= least.min(nodes),
            Recovery::With(needed) => needed.iter().all(|node| healed.contains(node) || *node >= nodes),
        }
    }
}

impl<S: System> System for Arc<S> {
    type Client = S::Client;

    fn node(&self, node: Node) -> impl Future<Output = Result<(), Failure>> + 'static {
        S::node(self, node)
    }

    fn client(&self, client: Client) -> S::Client {
        S::client(self, client)
    }

    fn name(&self) -> String {
        S::name(self)
    }

    fn roles(&self) -> &'static [&'static str] {
        S::roles(self)
    }

    fn moments(&self) -> &'static [&'static str] {
        S::moments(self)
    }

    fn marks(&self) -> &'static [(&'static str, &'static str)] {
        S::marks(self)
    }

    fn recovery(&self) -> Recovery {
        S::recovery(self)
    }

    fn timeouts(&self) -> &'static [Duration] {
        S::timeouts(self)
    }

    fn endures(&self) -> &'static [&'static str] {
        S::endures(self)
    }

    fn never_meets(&self) -> &'static [&'static str] {
        S::never_meets(self)
    }

    fn excludes(&self) -> &'static [&'static str] {
        S::excludes(self)
    }

    fn drift_bound(&self) -> Option<f64> {
        S::drift_bound(self)
    }

    fn operator(&self) -> &'static [&'static str] {
        S::operator(self)
    }

    fn operate(&self, client: Client, command: Command) -> impl Future<Output = Result<(), Failure>> + 'static {
        S::operate(self, client, command)
    }

    fn invariants(&self) -> Vec<Box<dyn Invariant>> {
        S::invariants(self)
    }
}

/// `my_crate::MyStore<u8>` as `my-store`.
fn kebab_case(type_name: &str) -> String {
    let plain = type_name.split('<').next().unwrap_or_default();
    let name = plain.rsplit("::").next().unwrap_or_default();
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.extend(c.to_lowercase().map(|c| if c == '_' { '-' } else { c }));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_named_after_its_type() {
        assert_eq!(kebab_case("shop::MyStore<alloc::vec::Vec<u8>>"), "my-store");
        assert_eq!(kebab_case("Cache"), "cache");
    }

    #[test]
    fn who_must_recover_depends_on_who_is_healed() {
        assert!(Recovery::Majority.admits(5, &[0, 1, 2]) && !Recovery::Majority.admits(4, &[0, 1]));
        assert!(Recovery::With(&[0]).admits(3, &[0, 2]) && !Recovery::With(&[0]).admits(3, &[1, 2]));
        assert!(Recovery::AtLeast(1).admits(2, &[1]) && !Recovery::All.admits(2, &[1]));
    }
}
