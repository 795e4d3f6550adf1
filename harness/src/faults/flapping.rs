//! A link that comes and goes.

use super::*;

/// Nodes of different sides hear each other and do not, in turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flapping {
    /// One side; all other nodes are the other.
    pub nodes: Vec<String>,
    /// How long each lasts, in milliseconds.
    pub each_ms: u64,
}

impl Family for Flapping {
    const NAME: &'static str = "flapping";
    const SUMMARY: &'static str = "some nodes are cut off from the others and heard again, in turn";
    const GROUP: Group = Group::Network;
    const LEAST_NODES: usize = 2;

    fn draw(draw: &mut Draw<'_>) -> Flapping {
        let nodes = if draw.way(1, 2) == 0 { vec![draw.role()] } else { draw.minority() };
        Flapping { nodes, each_ms: draw.one_of_ms(&[10, 40, 120, 300]) }
    }

    fn groups(&self) -> Vec<&[String]> {
        vec![&self.nodes]
    }

    fn check(&self, _: &[String]) -> Result<(), String> {
        between("each_ms", self.each_ms, 1, 60_000)
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        cluster.hosts(&self.nodes)
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        let side = cluster.bits(&self.nodes);
        let mut rows = cluster.rows();
        for (from, row) in rows.iter_mut().enumerate().take(cluster.nodes.len()) {
            let is_apart = |to: &usize| (side >> from ^ side >> to) & 1 == 1;
            (0..cluster.nodes.len()).filter(is_apart).for_each(|to| *row |= 1 << to);
        }
        Effect::Network(LinkRule::Flap { rows, each_ms: self.each_ms })
    }

    fn describe(&self, cluster: &Cluster) -> String {
        format!("{} | the others, every {} ms", cluster.list(&self.nodes), self.each_ms)
    }
}
