//! Clocks that are wrong. A clock is the machine's: it stays wrong when a process begins again, and what it shows and how long it sleeps
//! agree. Time that a service takes from tokio by itself is not touched.

use super::*;

/// A number of milliseconds, ahead or behind.
fn skew(draw: &mut Draw<'_>) -> i64 {
    let size = draw.one_of_ms(&[50, 200, 500, 1_500, 5_000]) as i64;
    if draw.chance.random_bool(0.5) { size } else { -size }
}

/// Clocks are ahead or behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockJump {
    /// Whose.
    pub nodes: Vec<String>,
    /// By how much, in milliseconds.
    pub by_ms: i64,
}

impl Family for ClockJump {
    const NAME: &'static str = "clock-jump";
    const SUMMARY: &'static str = "clocks are ahead or behind, and right again when it ends";
    const GROUP: Group = Group::Clock;

    fn draw(draw: &mut Draw<'_>) -> ClockJump {
        ClockJump { by_ms: skew(draw), nodes: draw.victims() }
    }

    fn groups(&self) -> Vec<&[String]> {
        vec![&self.nodes]
    }

    fn check(&self, _: &[String]) -> Result<(), String> {
        between("by_ms", self.by_ms.unsigned_abs(), 0, 3_600_000)
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        cluster.hosts(&self.nodes)
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        Effect::Clock { nodes: cluster.hosts(&self.nodes), fault: ClockFault::Jump(self.by_ms) }
    }

    fn describe(&self, cluster: &Cluster) -> String {
        format!("{}, {} ms", cluster.list(&self.nodes), self.by_ms)
    }
}

/// Clocks run fast or slow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockDrift {
    /// Whose.
    pub nodes: Vec<String>,
    /// How fast: 1 is right.
    pub rate: f64,
}

impl Family for ClockDrift {
    const NAME: &'static str = "clock-drift";
    const SUMMARY: &'static str = "clocks run fast or slow; what they gained stays when it ends";
    const GROUP: Group = Group::Clock;

    fn draw(draw: &mut Draw<'_>) -> ClockDrift {
        ClockDrift {
            nodes: draw.victims(),
            rate: match draw.drift_bound {
                None => *[0.5, 0.9, 0.99, 1.01, 1.1, 2.0].choose(draw.chance).unwrap_or(&1.1),
                Some(bound) => *[1.0 - bound, 1.0 - bound / 2.0, 1.0 + bound].choose(draw.chance).unwrap_or(&1.0),
            },
        }
    }

    fn groups(&self) -> Vec<&[String]> {
        vec![&self.nodes]
    }

    fn check(&self, _: &[String]) -> Result<(), String> {
        if (0.001..=1_000.0).contains(&self.rate) {
            Ok(())
        } else {
            Err(format!("found rate {}, expected 0.001 to 1000", self.rate))
        }
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        cluster.hosts(&self.nodes)
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        Effect::Clock { nodes: cluster.hosts(&self.nodes), fault: ClockFault::Drift(self.rate) }
    }

    fn describe(&self, cluster: &Cluster) -> String {
        format!("{}, {} times as fast", cluster.list(&self.nodes), self.rate)
    }
}

/// Clocks are ahead and right, in turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockStrobe {
    /// Whose.
    pub nodes: Vec<String>,
    /// By how much, in milliseconds.
    pub by_ms: i64,
    /// How long each lasts, in milliseconds.
    pub each_ms: u64,
}

impl Family for ClockStrobe {
    const NAME: &'static str = "clock-strobe";
    const SUMMARY: &'static str = "clocks jump ahead and back, again and again";
    const GROUP: Group = Group::Clock;

    fn draw(draw: &mut Draw<'_>) -> ClockStrobe {
        ClockStrobe { by_ms: skew(draw), nodes: draw.victims(), each_ms: draw.one_of_ms(&[5, 20, 100]) }
    }

    fn groups(&self) -> Vec<&[String]> {
        vec![&self.nodes]
    }

    fn check(&self, _: &[String]) -> Result<(), String> {
        between("each_ms", self.each_ms, 1, 60_000)
            .and_then(|()| between("by_ms", self.by_ms.unsigned_abs(), 0, 3_600_000))
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        cluster.hosts(&self.nodes)
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        Effect::Clock { nodes: cluster.hosts(&self.nodes), fault: ClockFault::Strobe(self.by_ms, self.each_ms) }
    }

    fn describe(&self, cluster: &Cluster) -> String {
        format!("{}, {} ms every {} ms", cluster.list(&self.nodes), self.by_ms, self.each_ms)
    }
}

/// Clocks stand still.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockFreeze {
    /// Whose.
    pub nodes: Vec<String>,
}

impl Family for ClockFreeze {
    const NAME: &'static str = "clock-freeze";
    const SUMMARY: &'static str = "clocks stand still, and are right again when it ends";
    const GROUP: Group = Group::Clock;

    fn draw(draw: &mut Draw<'_>) -> ClockFreeze {
        ClockFreeze { nodes: draw.victims() }
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
        Effect::Clock { nodes: cluster.hosts(&self.nodes), fault: ClockFault::Freeze }
    }

    fn describe(&self, cluster: &Cluster) -> String {
        cluster.list(&self.nodes)
    }
}
