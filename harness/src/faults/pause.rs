//! Processes stand still.

use super::*;

/// Nothing of the process runs, as after SIGSTOP; what came meanwhile comes at once when the fault ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Whose.
    pub nodes: Vec<String>,
}

impl Family for Pause {
    const NAME: &'static str = "pause";
    const SUMMARY: &'static str = "processes stand still, and what came meanwhile comes at once; a task of `tokio::spawn` goes on, but hears nothing";
    const GROUP: Group = Group::Process;

    fn draw(draw: &mut Draw<'_>) -> Pause {
        Pause { nodes: draw.victims() }
    }

    fn groups(&self) -> Vec<&[String]> {
        vec![&self.nodes]
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        cluster.hosts(&self.nodes)
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        Effect::Pause { nodes: cluster.hosts(&self.nodes), rhythm_ms: None }
    }

    fn describe(&self, cluster: &Cluster) -> String {
        cluster.list(&self.nodes)
    }
}

/// The process runs for a moment, and stands still for a longer one, in turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowNode {
    /// Whose.
    pub nodes: Vec<String>,
    /// How long it stands still, in milliseconds; between that it runs for one.
    pub still_ms: u64,
}

impl Family for SlowNode {
    const NAME: &'static str = "slow-node";
    const SUMMARY: &'static str = "processes run for a millisecond and stand still for several, in turn";
    const GROUP: Group = Group::Process;

    fn draw(draw: &mut Draw<'_>) -> SlowNode {
        SlowNode { nodes: draw.victims(), still_ms: draw.one_of_ms(&[2, 5, 10, 25]) }
    }

    fn groups(&self) -> Vec<&[String]> {
        vec![&self.nodes]
    }

    fn check(&self, _: &[String]) -> Result<(), String> {
        between("still_ms", self.still_ms, 1, 60_000)
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        cluster.hosts(&self.nodes)
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        Effect::Pause { nodes: cluster.hosts(&self.nodes), rhythm_ms: Some((self.still_ms, 1)) }
    }

    fn describe(&self, cluster: &Cluster) -> String {
        format!("{}, {} ms of {}", cluster.list(&self.nodes), self.still_ms, self.still_ms + 1)
    }
}
