//! Messages are late, and overtake each other.

use super::*;

/// Messages take longer, each by itself, and overtake each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// How much longer at the most, in milliseconds.
    pub at_most_ms: u64,
}

impl Family for Delay {
    const NAME: &'static str = "delay";
    const SUMMARY: &'static str = "messages are late and overtake each other";
    const GROUP: Group = Group::Network;

    fn draw(draw: &mut Draw<'_>) -> Delay {
        Delay { at_most_ms: *[10, 40, 120, 300].choose(draw.chance).unwrap_or(&40) }
    }

    fn groups(&self) -> Vec<&[String]> {
        Vec::new()
    }

    fn check(&self, _: &[String]) -> Result<(), String> {
        match self.at_most_ms {
            0..=60_000 => Ok(()),
            found => Err(format!("found at_most_ms {found}, expected at most 60000")),
        }
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        (0..cluster.nodes.len()).collect()
    }

    fn begin(&self, _: &Cluster) -> Effect {
        Effect::Network(LinkRule::Delay(self.at_most_ms))
    }

    fn describe(&self, _: &Cluster) -> String {
        format!("up to {} ms more", self.at_most_ms)
    }
}
