//! What can go wrong: a file a family, each with its data, how it is drawn, how it is checked, what it does, and its words.
//!
//! ```text
//!   Scenario ──draw──► FaultKind ──plan.json──► check ──► nemesis ──begin──► Effect: a rule of the network, processes that stop
//! ```
//!
//! The list at the end of this file is the only one: a kind that is not in it does not exist, and one whose file lacks a part does not
//! compile.

mod clients;
mod clock;
mod delay;
mod disk;
mod flapping;
mod loss;
mod messages;
mod one_way;
mod operator;
mod partition;
mod pause;
mod process;
mod ring;

use std::collections::BTreeMap;

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use crate::simulation::ground::Host;

pub use clients::Churn;
pub use clock::{ClockDrift, ClockFreeze, ClockJump, ClockStrobe};
pub use delay::Delay;
pub use disk::{DiskFull, FailingSync, LostEntry, LyingSync, Misread, Rot, SlowSync};
pub use flapping::Flapping;
pub use loss::Loss;
pub use messages::{Corrupt, Duplicate, Reorder, SlowLink, Stall};
pub use one_way::OneWay;
pub use operator::{Compact, Reconfigure, Remove, Snapshot, Transfer};
pub use partition::Partition;
pub use pause::{Pause, SlowNode};
pub use process::{Crash, CrashLoop, Kill, PowerLoss, RollingRestart, Wipe};
pub use ring::{Bridge, Ring};

/// What a fault befalls. `--faults network,clock` takes all of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Messages and streams.
    Network,
    /// Processes.
    Process,
    /// Disks.
    Disk,
    /// Clocks.
    Clock,
    /// Clients.
    Clients,
    /// What an operator does to the whole.
    Cluster,
}

impl Group {
    /// All groups, by name.
    pub const ALL: [(&'static str, Group); 6] = [
        ("network", Group::Network),
        ("process", Group::Process),
        ("disk", Group::Disk),
        ("clock", Group::Clock),
        ("clients", Group::Clients),
        ("cluster", Group::Cluster),
    ];
}

/// A kind of fault.
trait Family: Clone + PartialEq + std::fmt::Debug {
    /// The name on the command line and in plans.
    const NAME: &'static str;
    /// One line about it, and about what it does not model.
    const SUMMARY: &'static str;
    /// What it befalls.
    const GROUP: Group;
    /// Whether few systems promise anything under it: it is drawn only for those that say so.
    const IS_BEYOND_MOST: bool = false;
    /// Fewer nodes would not notice it.
    const LEAST_NODES: usize = 1;
    /// Whether it is over as soon as it has begun.
    const IS_INSTANT: bool = false;

    /// One of its kind.
    fn draw(draw: &mut Draw<'_>) -> Self;

    /// The nodes and roles that it names, in groups in which none may stand twice.
    fn groups(&self) -> Vec<&[String]>;

    /// What makes no sense about it, beside names that there are not.
    fn check(&self, nodes: &[String]) -> Result<(), String> {
        let _ = nodes;
        Ok(())
    }

    /// The nodes that it is aimed at.
    fn targets(&self, cluster: &Cluster) -> Vec<Host>;

    /// What it does when it begins.
    fn begin(&self, cluster: &Cluster) -> Effect;

    /// It in words: `n1 n2 | n3 n4 n5`.
    fn describe(&self, cluster: &Cluster) -> String;
}

/// What a fault does, from when it begins until it ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// It is a rule about messages.
    Network(LinkRule),
    /// Processes are dead.
    Stop {
        /// Whose.
        nodes: Vec<Host>,
        /// What of their disks is lost.
        loss: DiskLoss,
    },
    /// Processes die and begin again, all of these at once, at the beginning and then every so many milliseconds.
    Repeat {
        /// Whose.
        nodes: Vec<Host>,
        /// How long between two deaths.
        every_ms: u64,
    },
    /// One process after the other is dead for so many milliseconds.
    Rolling {
        /// Whose, in order.
        nodes: Vec<Host>,
        /// How long each.
        each_ms: u64,
    },
    /// Nothing of these processes runs.
    Pause {
        /// Whose.
        nodes: Vec<Host>,
        /// If it comes and goes: how long they stand still, and how long they run, in milliseconds.
        rhythm_ms: Option<(u64, u64)>,
    },
    /// Disks do what they should not.
    Disk {
        /// Whose.
        nodes: Vec<Host>,
        /// What they do.
        fault: DiskFault,
    },
    /// Clocks are wrong.
    Clock {
        /// Whose.
        nodes: Vec<Host>,
        /// How.
        fault: ClockFault,
    },
    /// All clients give up their sessions, and begin new ones.
    Churn,
    /// An operator asks for something.
    Operate {
        /// For what.
        command: &'static str,
        /// Which nodes it is about.
        nodes: Vec<String>,
        /// What it asks for when the fault ends, about which nodes.
        undo: Option<(&'static str, Vec<String>)>,
    },
}

/// What of a disk is lost when its machine stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskLoss {
    /// Nothing.
    Nothing,
    /// What was not synced.
    Unsynced,
    /// Everything.
    Everything,
}

/// A rule about messages.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkRule {
    /// Who is not heard by whom: a row of bits for each sender.
    Cut(Vec<u64>),
    /// The same, cut and open in turn, for so many milliseconds each.
    Flap {
        /// Who is not heard by whom.
        rows: Vec<u64>,
        /// How long each lasts.
        each_ms: u64,
    },
    /// How likely each message is lost.
    Loss(f64),
    /// How much later each comes at the most, in milliseconds.
    Delay(u64),
    /// Some come so much later that others overtake them.
    Reorder {
        /// How likely each is one of them.
        probability: f64,
        /// How much later at the most, in milliseconds.
        at_most_ms: u64,
    },
    /// Messages between these and all others come so much later, in milliseconds.
    Slow {
        /// Who is slow to reach, by a bit for each host.
        hosts: u64,
        /// How much.
        by_ms: u64,
    },
    /// How likely each datagram comes twice.
    Duplicate(f64),
    /// How likely a bit of each datagram is another one when it comes.
    Corrupt(f64),
    /// Parts of streams wait, between these and all others; datagrams do not.
    Stall(u64),
}

/// What a disk does that it should not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DiskFault {
    /// Each sync takes so many milliseconds more.
    SlowSync(u64),
    /// How likely each sync fails: nothing is durable then.
    FailingSync(f64),
    /// Syncs are said to be done, and are not.
    LyingSync,
    /// Nothing more can be written.
    Full,
    /// How likely each read shows a bit that is not so.
    Misread(f64),
    /// So many bits of what is kept change, once.
    Rot(u32),
    /// The newest file is gone, once.
    LostEntry,
}

/// How a clock is wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClockFault {
    /// It is so many milliseconds ahead, or behind.
    Jump(i64),
    /// It runs so much faster than it should: 1 is right.
    Drift(f64),
    /// It is ahead and right in turn: by how much, and for how long each, in milliseconds.
    Strobe(i64, u64),
    /// It stands still, and is right afterwards.
    Freeze,
}

/// A number of a plan must lie within bounds.
fn between(name: &str, found: u64, least: u64, most: u64) -> Result<(), String> {
    match (least..=most).contains(&found) {
        true => Ok(()),
        false => Err(format!("found {name} {found}, expected {least} to {most}")),
    }
}

/// A probability of a plan.
fn probability(found: f64) -> Result<(), String> {
    if (0.0..=1.0).contains(&found) { Ok(()) } else { Err(format!("found probability {found}, expected 0 to 1")) }
}

/// From what faults are drawn.
pub struct Draw<'a> {
    /// All nodes.
    pub nodes: &'a [String],
    /// Those whose disks may be damaged beyond what most systems endure: always the same, and fewer than half.
    pub frail: &'a [String],
    /// The roles of which one node at a time may have each.
    pub roles: &'a [&'a str],
    /// How much the rates of clocks may differ, as a part of one, if that is bounded.
    pub drift_bound: Option<f64>,
    /// From what it is drawn.
    pub chance: &'a mut Xoshiro256PlusPlus,
}

impl Draw<'_> {
    /// All nodes in any order.
    fn shuffled(&mut self) -> Vec<String> {
        let mut nodes = self.nodes.to_vec();
        nodes.shuffle(self.chance);
        nodes
    }

    /// One of several ways, of which the first ones need a role: of a system that has none, nothing is aimed at one.
    fn way(&mut self, of_roles: u32, all: u32) -> u32 {
        let first = if self.roles.is_empty() { of_roles } else { 0 };
        self.chance.random_range(first..all)
    }

    /// A role; of a single one nothing is drawn.
    fn role(&mut self) -> String {
        one_of(self.roles, self.chance)
    }

    /// A probability, in hundredths.
    fn percent(&mut self, least: u32, most: u32) -> f64 {
        f64::from(self.chance.random_range(least..=most)) / 100.0
    }

    /// One of several numbers of milliseconds.
    fn one_of_ms(&mut self, choices: &[u64]) -> u64 {
        *choices.choose(self.chance).unwrap_or(&0)
    }

    /// One node.
    fn one_node(&mut self) -> Vec<String> {
        let mut nodes = self.shuffled();
        nodes.truncate(1);
        nodes
    }

    /// One of the nodes whose disks may be damaged.
    fn frail_node(&mut self) -> Vec<String> {
        self.frail.choose(self.chance).cloned().into_iter().collect()
    }

    /// Fewer than half of the nodes: what they go through, the others can make up for.
    fn minority(&mut self) -> Vec<String> {
        let mut nodes = self.shuffled();
        nodes.truncate(self.chance.random_range(1..=largest_minority(self.nodes)));
        nodes
    }

    /// The holder of a role, one node, some, or all.
    fn victims(&mut self) -> Vec<String> {
        let shuffled = self.shuffled();
        let some = match self.way(1, 4) {
            0 => return vec![self.role()],
            1 => 1,
            2 => self.chance.random_range(1..=shuffled.len()),
            _ => shuffled.len(),
        };
        shuffled[..some].to_vec()
    }
}

/// How many nodes are fewer than half of these; at least one.
pub fn largest_minority(nodes: &[String]) -> usize {
    (nodes.len().saturating_sub(1) / 2).max(1)
}

/// One of the names that a system gives; of a single one nothing is drawn.
pub fn one_of(names: &[&str], chance: &mut Xoshiro256PlusPlus) -> String {
    match names {
        [one] => (*one).to_owned(),
        names => (*names.choose(chance).unwrap_or(&"")).to_owned(),
    }
}

/// The name of the host of all clients.
pub const CLIENTS: &str = "clients";

/// The nodes, and who has which role at the moment.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    /// The names of all nodes, in order.
    pub nodes: Vec<String>,
    /// By role: its newest holder, and in which epoch. A role of which a holder is not known is held by nobody.
    pub holders: BTreeMap<String, (u64, Host)>,
}

impl Cluster {
    /// Whether a name stands for somebody.
    pub fn knows(&self, name: &String) -> bool {
        name == CLIENTS || self.nodes.contains(name) || self.holders.contains_key(name)
    }

    /// The name of a host.
    pub fn name(&self, host: Host) -> String {
        self.nodes.get(host).map_or(CLIENTS, String::as_str).to_owned()
    }

    /// The nodes behind the names of nodes and roles. A role that nobody holds is nobody.
    pub fn hosts(&self, names: &[String]) -> Vec<Host> {
        let host = |name: &String| {
            let node = self.nodes.iter().position(|node| node == name);
            let node = node.or((name == CLIENTS).then_some(self.nodes.len()));
            node.or_else(|| self.holders.get(name).map(|(_, holder)| *holder))
        };
        let mut hosts: Vec<Host> = names.iter().filter_map(host).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    /// A bit for each of these hosts.
    fn bits(&self, names: &[String]) -> u64 {
        self.hosts(names).into_iter().fold(0, |bits, host| bits | 1 << host)
    }

    /// A row of bits for each node, and for the host of the clients.
    pub fn rows(&self) -> Vec<u64> {
        vec![0; self.nodes.len() + 1]
    }

    /// Names in words: `n2 (leader) n4`, or `all`.
    fn list(&self, names: &[String]) -> String {
        let name = |name: &String| match self.holders.get(name).filter(|_| !self.nodes.contains(name)) {
            Some((_, host)) => format!("{} ({name})", self.nodes[*host]),
            None => name.clone(),
        };
        match names.len() == self.nodes.len() {
            true => "all".to_owned(),
            false => names.iter().map(name).collect::<Vec<_>>().join(" "),
        }
    }
}

/// Makes all that knows every family out of one list of them.
macro_rules! families {
    ($($family:ident)*) => {
        /// What goes wrong.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "kebab-case")]
        #[expect(missing_docs, reason = "each is described where it is defined")]
        pub enum FaultKind {
            $($family($family),)*
        }

        impl FaultKind {
            /// All kinds, by name, with one line about each.
            pub const ALL: &[(&'static str, &'static str)] = &[$(($family::NAME, $family::SUMMARY),)*];

            /// The kind's name.
            pub fn name(&self) -> &'static str {
                match self { $(FaultKind::$family(_) => $family::NAME,)* }
            }

            /// One of this name's kind. Of a name that there is not, none.
            pub fn draw(name: &str, mut draw: Draw<'_>) -> Option<FaultKind> {
                match name {
                    $(name if name == $family::NAME => Some(FaultKind::$family($family::draw(&mut draw))),)*
                    _ => None,
                }
            }

            /// What a fault of each name befalls.
            pub const GROUPS: &[(&'static str, Group)] = &[$(($family::NAME, $family::GROUP),)*];

            /// The kinds under which most systems promise what they promise otherwise, by name.
            pub fn ordinary() -> Vec<&'static str> {
                [$(($family::NAME, $family::IS_BEYOND_MOST),)*]
                    .into_iter()
                    .filter_map(|(name, beyond)| (!beyond).then_some(name))
                    .collect()
            }

            /// Whether few systems promise anything under a fault of this name.
            pub fn is_beyond_most(name: &str) -> bool {
                match name {
                    $(name if name == $family::NAME => $family::IS_BEYOND_MOST,)*
                    _ => false,
                }
            }

            /// What a fault of this name befalls.
            pub fn group(name: &str) -> Option<Group> {
                Self::GROUPS.iter().find(|(known, _)| *known == name).map(|(_, group)| *group)
            }

            /// Whether so many nodes would notice a fault of this name.
            pub fn is_felt_by(name: &str, nodes: usize) -> bool {
                match name {
                    $(name if name == $family::NAME => nodes >= $family::LEAST_NODES,)*
                    _ => false,
                }
            }

            /// Whether a fault of this name is over as soon as it has begun.
            pub fn is_instant(name: &str) -> bool {
                match name {
                    $(name if name == $family::NAME => $family::IS_INSTANT,)*
                    _ => false,
                }
            }

            /// The nodes and roles that it names, in groups in which none may stand twice.
            pub fn groups(&self) -> Vec<&[String]> {
                match self { $(FaultKind::$family(fault) => fault.groups(),)* }
            }

            /// Makes sure that it makes sense.
            ///
            /// # Errors
            /// What does not.
            pub fn check(&self, nodes: &[String]) -> Result<(), String> {
                for group in self.groups() {
                    if let Some(at) = (1..group.len()).find(|at| group[..*at].contains(&group[*at])) {
                        return Err(format!("{} stands there twice", group[at]));
                    }
                }
                match self { $(FaultKind::$family(fault) => fault.check(nodes),)* }
            }

            /// The nodes that it is aimed at.
            pub fn targets(&self, cluster: &Cluster) -> Vec<Host> {
                match self { $(FaultKind::$family(fault) => fault.targets(cluster),)* }
            }

            /// What it does when it begins.
            pub fn begin(&self, cluster: &Cluster) -> Effect {
                match self { $(FaultKind::$family(fault) => fault.begin(cluster),)* }
            }

            /// It in words.
            pub fn describe(&self, cluster: &Cluster) -> String {
                match self { $(FaultKind::$family(fault) => fault.describe(cluster),)* }
            }
        }
    };
}

families! {
    Partition OneWay Ring Bridge Flapping SlowLink Loss Delay Reorder Duplicate Corrupt Stall
    Crash Kill Pause SlowNode RollingRestart CrashLoop
    PowerLoss SlowSync FailingSync LyingSync DiskFull Misread Rot LostEntry Wipe
    ClockJump ClockDrift ClockStrobe ClockFreeze
    Churn
    Transfer Snapshot Compact Remove Reconfigure
}
