//! What some send does not reach others.

use super::*;

/// What these nodes send does not reach those; what those send arrives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneWay {
    /// Who is not heard.
    pub from: Vec<String>,
    /// By whom.
    pub to: Vec<String>,
}

impl Family for OneWay {
    const NAME: &'static str = "one-way";
    const SUMMARY: &'static str = "what some nodes send does not reach others; the way back is open";
    const GROUP: Group = Group::Network;
    const LEAST_NODES: usize = 2;

    fn draw(draw: &mut Draw<'_>) -> OneWay {
        let mut from = draw.shuffled();
        let cut = draw.chance.random_range(1..from.len().max(2));
        let to = from.split_off(cut.min(from.len()));
        match draw.way(2, 3) {
            0 => OneWay { from: vec![draw.role()], to: draw.nodes.to_vec() },
            1 => OneWay { from: draw.nodes.to_vec(), to: vec![draw.role()] },
            _ => OneWay { from, to },
        }
    }

    fn groups(&self) -> Vec<&[String]> {
        vec![&self.from, &self.to]
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        cluster.hosts(&self.from)
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        let mut rows = cluster.rows();
        let to = cluster.hosts(&self.to);
        for from in cluster.hosts(&self.from) {
            to.iter().filter(|to| **to != from).for_each(|to| rows[from] |= 1 << to);
        }
        Effect::Network(LinkRule::Cut(rows))
    }

    fn describe(&self, cluster: &Cluster) -> String {
        format!("{} not heard by {}", cluster.list(&self.from), cluster.list(&self.to))
    }
}
