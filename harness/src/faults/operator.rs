//! What an operator does, at a bad moment.

use super::*;

/// One family for each command, as they differ in the name only.
macro_rules! commands {
    ($($family:ident, $name:literal, $doc:literal;)*) => {$(
        #[doc = $doc]
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $family {
            /// Which node it is about.
            pub node: String,
        }

        impl Family for $family {
            const NAME: &'static str = $name;
            const SUMMARY: &'static str = $doc;
            const GROUP: Group = Group::Cluster;
            const IS_INSTANT: bool = true;

            fn draw(draw: &mut Draw<'_>) -> $family {
                $family { node: draw.one_node().pop().unwrap_or_default() }
            }

            fn groups(&self) -> Vec<&[String]> {
                vec![std::slice::from_ref(&self.node)]
            }

            fn targets(&self, cluster: &Cluster) -> Vec<Host> {
                cluster.hosts(std::slice::from_ref(&self.node))
            }

            fn begin(&self, _: &Cluster) -> Effect {
                Effect::Operate { command: $name, nodes: vec![self.node.clone()], undo: None }
            }

            fn describe(&self, _: &Cluster) -> String {
                self.node.clone()
            }
        }
    )*};
}

commands! {
    Transfer, "transfer", "an operator asks for leadership to go to a node";
    Snapshot, "snapshot", "an operator asks a node for a snapshot";
    Compact, "compact", "an operator asks a node to compact what it keeps";
}

/// A node is a member no more; when the fault ends, it is one again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remove {
    /// Which, by its name or role.
    pub nodes: Vec<String>,
}

impl Family for Remove {
    const NAME: &'static str = "remove";
    const SUMMARY: &'static str =
        "an operator takes a node out of the cluster, and lets it in again when the fault ends";
    const GROUP: Group = Group::Cluster;
    const LEAST_NODES: usize = 2;

    fn draw(draw: &mut Draw<'_>) -> Remove {
        Remove { nodes: if draw.way(1, 4) == 0 { vec![draw.role()] } else { draw.one_node() } }
    }

    fn groups(&self) -> Vec<&[String]> {
        vec![&self.nodes]
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        cluster.hosts(&self.nodes)
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        let nodes: Vec<String> = cluster.hosts(&self.nodes).into_iter().map(|host| cluster.name(host)).collect();
        Effect::Operate { command: "remove", nodes: nodes.clone(), undo: Some(("add", nodes)) }
    }

    fn describe(&self, cluster: &Cluster) -> String {
        cluster.list(&self.nodes)
    }
}

/// Other members, all at once; when the fault ends, all nodes are members again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconfigure {
    /// Who is a member.
    pub members: Vec<String>,
}

impl Family for Reconfigure {
    const NAME: &'static str = "reconfigure";
    const SUMMARY: &'static str =
        "an operator says who the members are, several changes at once; all nodes are again when the fault ends";
    const GROUP: Group = Group::Cluster;
    const LEAST_NODES: usize = 3;

    fn draw(draw: &mut Draw<'_>) -> Reconfigure {
        let mut members = draw.shuffled();
        members.truncate(draw.chance.random_range(1..members.len().max(2)));
        Reconfigure { members }
    }

    fn groups(&self) -> Vec<&[String]> {
        vec![&self.members]
    }

    fn check(&self, _: &[String]) -> Result<(), String> {
        if self.members.is_empty() { Err("nobody would be a member".to_owned()) } else { Ok(()) }
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        cluster.hosts(&self.members)
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        let undo = Some(("reconfigure", cluster.nodes.clone()));
        Effect::Operate { command: "reconfigure", nodes: self.members.clone(), undo }
    }

    fn describe(&self, cluster: &Cluster) -> String {
        cluster.list(&self.members)
    }
}
