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
                Effect::Operate { command: $name, node: self.node.clone() }
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
