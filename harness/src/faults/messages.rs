//! What befalls single messages, beside loss and delay.

use super::*;

/// All messages from and to these nodes take longer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowLink {
    /// Whose.
    pub nodes: Vec<String>,
    /// By how much, in milliseconds.
    pub by_ms: u64,
}

impl Family for SlowLink {
    const NAME: &'static str = "slow-link";
    const SUMMARY: &'static str = "all messages from and to some nodes take longer";
    const GROUP: Group = Group::Network;

    fn draw(draw: &mut Draw<'_>) -> SlowLink {
        SlowLink { nodes: draw.minority(), by_ms: draw.one_of_ms(&[5, 20, 60, 150]) }
    }

    fn groups(&self) -> Vec<&[String]> {
        vec![&self.nodes]
    }

    fn check(&self, _: &[String]) -> Result<(), String> {
        between("by_ms", self.by_ms, 0, 60_000)
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        cluster.hosts(&self.nodes)
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        let _ = cluster;
        Effect::Network(LinkRule::Slow { hosts: cluster.bits(&self.nodes), by_ms: self.by_ms })
    }

    fn describe(&self, cluster: &Cluster) -> String {
        let _ = cluster;
        format!("{}, {} ms more", cluster.list(&self.nodes), self.by_ms)
    }
}

/// Some messages are overtaken by others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reorder {
    /// How likely each is: from 0 to 1.
    pub probability: f64,
    /// How much later they come at the most, in milliseconds.
    pub at_most_ms: u64,
}

impl Family for Reorder {
    const NAME: &'static str = "reorder";
    const SUMMARY: &'static str = "some messages are late by so much that others overtake them";
    const GROUP: Group = Group::Network;

    fn draw(draw: &mut Draw<'_>) -> Reorder {
        Reorder { probability: draw.percent(5, 50), at_most_ms: draw.one_of_ms(&[10, 40, 200]) }
    }

    fn groups(&self) -> Vec<&[String]> {
        Vec::new()
    }

    fn check(&self, _: &[String]) -> Result<(), String> {
        probability(self.probability).and_then(|()| between("at_most_ms", self.at_most_ms, 1, 60_000))
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        (0..cluster.nodes.len()).collect()
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        let _ = cluster;
        Effect::Network(LinkRule::Reorder { probability: self.probability, at_most_ms: self.at_most_ms })
    }

    fn describe(&self, cluster: &Cluster) -> String {
        let _ = cluster;
        format!("{:.0} % of all messages, up to {} ms late", self.probability * 100.0, self.at_most_ms)
    }
}

/// Datagrams come twice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duplicate {
    /// How likely each does: from 0 to 1.
    pub probability: f64,
}

impl Family for Duplicate {
    const NAME: &'static str = "duplicate";
    const SUMMARY: &'static str =
        "datagrams come twice, the second time later; parts of streams do not, as TCP sees to it";
    const GROUP: Group = Group::Network;

    fn draw(draw: &mut Draw<'_>) -> Duplicate {
        Duplicate { probability: draw.percent(2, 50) }
    }

    fn groups(&self) -> Vec<&[String]> {
        Vec::new()
    }

    fn check(&self, _: &[String]) -> Result<(), String> {
        probability(self.probability)
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        (0..cluster.nodes.len()).collect()
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        let _ = cluster;
        Effect::Network(LinkRule::Duplicate(self.probability))
    }

    fn describe(&self, cluster: &Cluster) -> String {
        let _ = cluster;
        format!("{:.0} % of all datagrams", self.probability * 100.0)
    }
}

/// A bit of some datagrams is another one when they come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corrupt {
    /// How likely that is: from 0 to 1.
    pub probability: f64,
}

impl Family for Corrupt {
    const NAME: &'static str = "corrupt";
    const SUMMARY: &'static str = "a bit of a datagram is another one when it comes, unseen by any checksum below";
    const GROUP: Group = Group::Network;
    const IS_BEYOND_MOST: bool = true;

    fn draw(draw: &mut Draw<'_>) -> Corrupt {
        Corrupt { probability: draw.percent(1, 20) }
    }

    fn groups(&self) -> Vec<&[String]> {
        Vec::new()
    }

    fn check(&self, _: &[String]) -> Result<(), String> {
        probability(self.probability)
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        (0..cluster.nodes.len()).collect()
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        let _ = cluster;
        Effect::Network(LinkRule::Corrupt(self.probability))
    }

    fn describe(&self, cluster: &Cluster) -> String {
        let _ = cluster;
        format!("{:.0} % of all datagrams", self.probability * 100.0)
    }
}

/// Parts of streams from and to these nodes wait until the fault ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stall {
    /// Whose.
    pub nodes: Vec<String>,
}

impl Family for Stall {
    const NAME: &'static str = "stall";
    const SUMMARY: &'static str =
        "streams from and to some nodes stand still and lose nothing; connections are not reset";
    const GROUP: Group = Group::Network;

    fn draw(draw: &mut Draw<'_>) -> Stall {
        Stall { nodes: draw.minority() }
    }

    fn groups(&self) -> Vec<&[String]> {
        vec![&self.nodes]
    }

    fn check(&self, _: &[String]) -> Result<(), String> {
        Ok(())
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        cluster.hosts(&self.nodes)
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        let _ = cluster;
        Effect::Network(LinkRule::Stall(cluster.bits(&self.nodes)))
    }

    fn describe(&self, cluster: &Cluster) -> String {
        let _ = cluster;
        cluster.list(&self.nodes)
    }
}
