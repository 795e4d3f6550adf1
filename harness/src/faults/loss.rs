//! Messages are lost.

use super::*;

/// Messages are lost, each by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// How likely: from 0 to 1.
    pub probability: f64,
}

impl Family for Loss {
    const NAME: &'static str = "loss";
    const SUMMARY: &'static str = "messages are lost";
    const GROUP: Group = Group::Network;

    fn draw(draw: &mut Draw<'_>) -> Loss {
        Loss { probability: f64::from(draw.chance.random_range(2..=30)) / 100.0 }
    }

    fn groups(&self) -> Vec<&[String]> {
        Vec::new()
    }

    fn check(&self, _: &[String]) -> Result<(), String> {
        let Loss { probability } = self;
        match (0.0..=1.0).contains(probability) {
            true => Ok(()),
            false => Err(format!("found probability {probability}, expected 0 to 1")),
        }
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        (0..cluster.nodes.len()).collect()
    }

    fn begin(&self, _: &Cluster) -> Effect {
        Effect::Network(LinkRule::Loss(self.probability))
    }

    fn describe(&self, _: &Cluster) -> String {
        format!("{:.0} % of all messages", self.probability * 100.0)
    }
}
