//! Disks that do what they should not.

use super::*;

/// Syncs take longer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowSync {
    /// Whose.
    pub nodes: Vec<String>,
    /// By how much, in milliseconds.
    pub by_ms: u64,
}

impl Family for SlowSync {
    const NAME: &'static str = "slow-sync";
    const SUMMARY: &'static str = "syncs take longer";
    const GROUP: Group = Group::Disk;

    fn draw(draw: &mut Draw<'_>) -> SlowSync {
        SlowSync { nodes: draw.victims(), by_ms: draw.one_of_ms(&[5, 20, 100, 400]) }
    }

    fn groups(&self) -> Vec<&[String]> {
        vec![&self.nodes]
    }

    fn check(&self, _: &[String]) -> Result<(), String> {
        between("by_ms", self.by_ms, 1, 60_000)
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        cluster.hosts(&self.nodes)
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        Effect::Disk { nodes: cluster.hosts(&self.nodes), fault: DiskFault::SlowSync(self.by_ms) }
    }

    fn describe(&self, cluster: &Cluster) -> String {
        format!("{}, {} ms more", cluster.list(&self.nodes), self.by_ms)
    }
}

/// Some syncs fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailingSync {
    /// Whose.
    pub nodes: Vec<String>,
    /// How likely each does: from 0 to 1.
    pub probability: f64,
}

impl Family for FailingSync {
    const NAME: &'static str = "failing-sync";
    const SUMMARY: &'static str =
        "syncs fail, and nothing is durable by them; a process that gives up over it is excused";
    const GROUP: Group = Group::Disk;

    fn draw(draw: &mut Draw<'_>) -> FailingSync {
        FailingSync { nodes: draw.minority(), probability: draw.percent(5, 100) }
    }

    fn groups(&self) -> Vec<&[String]> {
        vec![&self.nodes]
    }

    fn check(&self, _: &[String]) -> Result<(), String> {
        probability(self.probability)
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        cluster.hosts(&self.nodes)
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        Effect::Disk { nodes: cluster.hosts(&self.nodes), fault: DiskFault::FailingSync(self.probability) }
    }

    fn describe(&self, cluster: &Cluster) -> String {
        format!("{}, {:.0} % of all syncs", cluster.list(&self.nodes), self.probability * 100.0)
    }
}

/// Syncs are said to be done, and are not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LyingSync {
    /// Whose.
    pub nodes: Vec<String>,
}

impl Family for LyingSync {
    const NAME: &'static str = "lying-sync";
    const SUMMARY: &'static str = "syncs are said to be done and are not; only a power loss shows it";
    const GROUP: Group = Group::Disk;
    const IS_BEYOND_MOST: bool = true;

    fn draw(draw: &mut Draw<'_>) -> LyingSync {
        LyingSync { nodes: draw.victims() }
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
        Effect::Disk { nodes: cluster.hosts(&self.nodes), fault: DiskFault::LyingSync }
    }

    fn describe(&self, cluster: &Cluster) -> String {
        cluster.list(&self.nodes)
    }
}

/// Nothing more can be written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskFull {
    /// Whose.
    pub nodes: Vec<String>,
}

impl Family for DiskFull {
    const NAME: &'static str = "full";
    const SUMMARY: &'static str = "nothing more can be written; a process that gives up over it is excused";
    const GROUP: Group = Group::Disk;

    fn draw(draw: &mut Draw<'_>) -> DiskFull {
        DiskFull { nodes: draw.minority() }
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
        Effect::Disk { nodes: cluster.hosts(&self.nodes), fault: DiskFault::Full }
    }

    fn describe(&self, cluster: &Cluster) -> String {
        cluster.list(&self.nodes)
    }
}

/// Some reads show a bit that is not so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Misread {
    /// Whose.
    pub nodes: Vec<String>,
    /// How likely each does: from 0 to 1.
    pub probability: f64,
}

impl Family for Misread {
    const NAME: &'static str = "misread";
    const SUMMARY: &'static str = "reads show a bit that is not so, and the next read may be right";
    const GROUP: Group = Group::Disk;
    const IS_BEYOND_MOST: bool = true;

    fn draw(draw: &mut Draw<'_>) -> Misread {
        Misread { nodes: draw.frail_node(), probability: draw.percent(10, 100) }
    }

    fn groups(&self) -> Vec<&[String]> {
        vec![&self.nodes]
    }

    fn check(&self, _: &[String]) -> Result<(), String> {
        probability(self.probability)
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        cluster.hosts(&self.nodes)
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        Effect::Disk { nodes: cluster.hosts(&self.nodes), fault: DiskFault::Misread(self.probability) }
    }

    fn describe(&self, cluster: &Cluster) -> String {
        format!("{}, {:.0} % of all reads", cluster.list(&self.nodes), self.probability * 100.0)
    }
}

/// Bits of what is kept change, once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rot {
    /// Whose.
    pub nodes: Vec<String>,
    /// How many.
    pub bits: u32,
}

impl Family for Rot {
    const NAME: &'static str = "rot";
    const SUMMARY: &'static str = "bits of what is kept change, once, and stay so";
    const GROUP: Group = Group::Disk;
    const IS_BEYOND_MOST: bool = true;
    const IS_INSTANT: bool = true;

    fn draw(draw: &mut Draw<'_>) -> Rot {
        Rot { nodes: draw.frail_node(), bits: draw.chance.random_range(1..=3) }
    }

    fn groups(&self) -> Vec<&[String]> {
        vec![&self.nodes]
    }

    fn check(&self, _: &[String]) -> Result<(), String> {
        between("bits", u64::from(self.bits), 1, 1_000)
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        cluster.hosts(&self.nodes)
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        Effect::Disk { nodes: cluster.hosts(&self.nodes), fault: DiskFault::Rot(self.bits) }
    }

    fn describe(&self, cluster: &Cluster) -> String {
        format!("{}, {} bits", cluster.list(&self.nodes), self.bits)
    }
}

/// The newest file is gone, once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LostEntry {
    /// Whose.
    pub nodes: Vec<String>,
}

impl Family for LostEntry {
    const NAME: &'static str = "lost-entry";
    const SUMMARY: &'static str = "the newest file is gone, though its name was synced";
    const GROUP: Group = Group::Disk;
    const IS_BEYOND_MOST: bool = true;
    const IS_INSTANT: bool = true;

    fn draw(draw: &mut Draw<'_>) -> LostEntry {
        LostEntry { nodes: draw.frail_node() }
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
        Effect::Disk { nodes: cluster.hosts(&self.nodes), fault: DiskFault::LostEntry }
    }

    fn describe(&self, cluster: &Cluster) -> String {
        cluster.list(&self.nodes)
    }
}
