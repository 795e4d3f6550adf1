//! Nodes of different sides do not hear each other.

use super::*;

/// Nodes of different sides do not hear each other. Clients reach all. A node on no side hears everybody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// The sides: nodes, or a role for whoever holds it. All others are the other side where there is but one.
    pub sides: Vec<Vec<String>>,
}

impl Family for Partition {
    const NAME: &'static str = "partition";
    const SUMMARY: &'static str = "nodes of different sides do not hear each other: halves, one node, the leader, nodes from all clients; clients have no sides of their own";
    const GROUP: Group = Group::Network;
    const LEAST_NODES: usize = 2;

    /// Halves, one node alone, the holder of a role alone, or some nodes from the clients.
    fn draw(draw: &mut Draw<'_>) -> Partition {
        let shuffled = draw.shuffled();
        let small = match draw.way(2, 5) {
            0 => return Partition { sides: vec![vec![draw.role()]] },
            1 => return Partition { sides: vec![vec![draw.role()], vec![CLIENTS.to_owned()]] },
            2 => return Partition { sides: vec![draw.minority(), vec![CLIENTS.to_owned()]] },
            3 => 1,
            _ => shuffled.len() / 2,
        };
        let (one, other) = shuffled.split_at(small.min(shuffled.len()));
        Partition { sides: vec![one.to_vec(), other.to_vec()] }
    }

    fn groups(&self) -> Vec<&[String]> {
        self.sides.iter().map(Vec::as_slice).collect()
    }

    fn check(&self, _: &[String]) -> Result<(), String> {
        let mut all: Vec<&String> = self.sides.iter().flatten().collect();
        all.sort_unstable();
        match all.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("{} stands on two sides", pair[0])),
            None => Ok(()),
        }
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        cluster.hosts(self.sides.first().map_or(&[], Vec::as_slice))
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        let mut sides: Vec<Vec<Host>> = self.sides.iter().map(|side| cluster.hosts(side)).collect();
        if sides.len() == 1 {
            let rest = (0..cluster.nodes.len()).filter(|host| !sides[0].contains(host)).collect();
            sides.push(rest);
        }
        let mut rows = cluster.rows();
        for (one, side) in sides.iter().enumerate() {
            for (other, far) in sides.iter().enumerate() {
                if one != other {
                    side.iter().for_each(|&from| far.iter().for_each(|&to| rows[from] |= 1 << to));
                }
            }
        }
        Effect::Network(LinkRule::Cut(rows))
    }

    fn describe(&self, cluster: &Cluster) -> String {
        match &self.sides[..] {
            [one] => format!("{} | the others", cluster.list(one)),
            sides => sides.iter().map(|side| cluster.list(side)).collect::<Vec<_>>().join(" | "),
        }
    }
}
