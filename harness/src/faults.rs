//! What can go wrong: a file a family, each with its data, how it is drawn, how it is checked, what it does, and its words.
//!
//! ```text
//!   Scenario ──draw──► FaultKind ──plan.json──► check ──► nemesis ──begin──► Effect: a rule of the network, processes that stop
//! ```
//!
//! The list at the end of this file is the only one: a kind that is not in it does not exist, and one whose file lacks a part does not
//! compile.

mod delay;
mod loss;
mod one_way;
mod partition;
mod process;
mod ring;

use std::collections::BTreeMap;

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use crate::simulation::ground::Host;

pub use delay::Delay;
pub use loss::Loss;
pub use one_way::OneWay;
pub use partition::Partition;
pub use process::{Crash, Kill, PowerLoss};
pub use ring::Ring;

/// A kind of fault.
trait Family: Clone + PartialEq + std::fmt::Debug {
    /// The name on the command line and in plans.
    const NAME: &'static str;
    /// One line about it.
    const SUMMARY: &'static str;
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

/// What a fault does when it begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// It is a rule about messages, as long as it lasts.
    Network(LinkRule),
    /// Processes die; they begin again when it ends.
    Stop {
        /// Whose.
        nodes: Vec<Host>,
        /// Whether their disks forget what was not synced.
        power: bool,
    },
}

/// A rule about messages.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkRule {
    /// Who is not heard by whom: a row of bits for each sender.
    Cut(Vec<u64>),
    /// How likely each message is lost.
    Loss(f64),
    /// How much later each comes at the most, in milliseconds.
    Delay(u64),
}

/// From what faults are drawn.
pub struct Draw<'a> {
    nodes: &'a [String],
    roles: &'a [&'a str],
    chance: &'a mut Xoshiro256PlusPlus,
}

impl<'a> Draw<'a> {
    /// For these nodes, of which one at a time may have each of these roles.
    pub fn new(nodes: &'a [String], roles: &'a [&'a str], chance: &'a mut Xoshiro256PlusPlus) -> Draw<'a> {
        Draw { nodes, roles, chance }
    }

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

/// One of the names that a system gives; of a single one nothing is drawn.
pub fn one_of(names: &[&str], chance: &mut Xoshiro256PlusPlus) -> String {
    match names {
        [one] => (*one).to_owned(),
        names => (*names.choose(chance).unwrap_or(&"")).to_owned(),
    }
}

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
        self.nodes.contains(name) || self.holders.contains_key(name)
    }

    /// The nodes behind the names of nodes and roles. A role that nobody holds is nobody.
    pub fn hosts(&self, names: &[String]) -> Vec<Host> {
        let host = |name: &String| {
            let node = self.nodes.iter().position(|node| node == name);
            node.or_else(|| self.holders.get(name).map(|(_, holder)| *holder))
        };
        let mut hosts: Vec<Host> = names.iter().filter_map(host).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
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

families! { Partition OneWay Ring Crash Kill PowerLoss Loss Delay }
