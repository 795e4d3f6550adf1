//! Everybody hears a majority, and no two the same one.

use super::*;

/// Every node hears a majority, but no two the same one: each hears its neighbours on a ring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ring {
    /// The nodes in the order of the ring.
    pub order: Vec<String>,
}

impl Family for Ring {
    const NAME: &'static str = "ring";
    const SUMMARY: &'static str = "every node hears a majority, but no two the same one";
    const GROUP: Group = Group::Network;
    const LEAST_NODES: usize = 3;

    fn draw(draw: &mut Draw<'_>) -> Ring {
        Ring { order: draw.shuffled() }
    }

    fn groups(&self) -> Vec<&[String]> {
        vec![&self.order]
    }

    fn check(&self, nodes: &[String]) -> Result<(), String> {
        let is_whole = self.order.len() == nodes.len() && self.order.iter().all(|name| nodes.contains(name));
        if is_whole { Ok(()) } else { Err("expected every node once on the ring".to_owned()) }
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        cluster.hosts(&self.order)
    }

    /// Each node hears as many neighbours to either side as make a majority with itself. Three nodes make no ring: there, two of
    /// them hear each other only by way of the third.
    fn begin(&self, cluster: &Cluster) -> Effect {
        let host = |name: &String| cluster.nodes.iter().position(|node| node == name);
        let order: Vec<Host> = self.order.iter().filter_map(host).collect();
        let count = order.len();
        let reach = (count / 2).div_ceil(2);
        let mut rows = cluster.rows();
        for (one, &from) in order.iter().enumerate() {
            for (other, &to) in order.iter().enumerate() {
                let apart = one.abs_diff(other);
                if apart.min(count - apart) > reach || count == 3 && apart == 2 {
                    rows[from] |= 1 << to;
                }
            }
        }
        Effect::Network(LinkRule::Cut(rows))
    }

    fn describe(&self, _: &Cluster) -> String {
        self.order.join(" – ")
    }
}

/// Two halves that do not hear each other, and one node that hears both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bridge {
    /// The node that hears all.
    pub bridge: Vec<String>,
    /// The halves.
    pub sides: [Vec<String>; 2],
}

impl Family for Bridge {
    const NAME: &'static str = "bridge";
    const SUMMARY: &'static str = "two halves do not hear each other; one node hears both";
    const GROUP: Group = Group::Network;
    const LEAST_NODES: usize = 3;

    fn draw(draw: &mut Draw<'_>) -> Bridge {
        let mut others = draw.shuffled();
        let bridge = others.split_off(others.len() - 1);
        let half = others.split_off(others.len() / 2);
        Bridge { bridge, sides: [others, half] }
    }

    fn groups(&self) -> Vec<&[String]> {
        vec![&self.bridge, &self.sides[0], &self.sides[1]]
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        cluster.hosts(&self.bridge)
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        let mut rows = cluster.rows();
        let [one, other] = [0, 1].map(|side| cluster.hosts(&self.sides[side]));
        for (&from, &to) in one.iter().flat_map(|from| other.iter().map(move |to| (from, to))) {
            rows[from] |= 1 << to;
            rows[to] |= 1 << from;
        }
        Effect::Network(LinkRule::Cut(rows))
    }

    fn describe(&self, cluster: &Cluster) -> String {
        let [one, other] = [0, 1].map(|side| cluster.list(&self.sides[side]));
        format!("{one} | {} | {other}", cluster.list(&self.bridge))
    }
}
