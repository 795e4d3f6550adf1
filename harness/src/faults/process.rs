//! Processes die, and begin again.

use super::*;

/// The process dies, and begins again at once. What it wrote is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crash {
    /// Whose.
    pub nodes: Vec<String>,
}

/// The process dies, and begins again when the fault ends. What it wrote is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// Whose.
    pub nodes: Vec<String>,
}

/// The power fails, and comes back when the fault ends. What was not synced is lost, and the last write may be torn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerLoss {
    /// Whose.
    pub nodes: Vec<String>,
}

/// The three differ in how long the process is down, and in what is left of its disk.
macro_rules! stops {
    ($family:ident, $name:literal, $summary:literal, instant: $instant:literal, power: $power:literal) => {
        impl Family for $family {
            const NAME: &'static str = $name;
            const SUMMARY: &'static str = $summary;
            const IS_INSTANT: bool = $instant;

            fn draw(draw: &mut Draw<'_>) -> $family {
                $family { nodes: draw.victims() }
            }

            fn groups(&self) -> Vec<&[String]> {
                vec![&self.nodes]
            }

            fn targets(&self, cluster: &Cluster) -> Vec<Host> {
                cluster.hosts(&self.nodes)
            }

            fn begin(&self, cluster: &Cluster) -> Effect {
                Effect::Stop { nodes: cluster.hosts(&self.nodes), power: $power }
            }

            fn describe(&self, cluster: &Cluster) -> String {
                cluster.list(&self.nodes)
            }
        }
    };
}

stops!(Crash, "crash", "processes die and begin again at once", instant: true, power: false);
stops!(Kill, "kill", "processes die and stay down for a while", instant: false, power: false);
stops!(
    PowerLoss, "power-loss", "as kill; what was not synced is lost, the last write may be torn",
    instant: false, power: true
);
