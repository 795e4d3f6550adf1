//! Processes die, and begin again.

use super::*;

/// The process dies, and begins again at once. What it wrote is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crash {
    /// Whose.
    pub nodes: Vec<String>,
}

/// The process dies, and begins again when the fault ends. What it wrote is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// Whose.
    pub nodes: Vec<String>,
}

/// The power fails, and comes back when the fault ends. What was not synced is lost, and the last write may be torn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerLoss {
    /// Whose.
    pub nodes: Vec<String>,
}

/// The machine is gone, and one with an empty disk and the same name comes when the fault ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wipe {
    /// Whose.
    pub nodes: Vec<String>,
}

/// They differ in how long the process is down, and in what is left of its disk.
macro_rules! stops {
    ($family:ident, $group:ident, $name:literal, $summary:literal, instant: $instant:literal, loss: $loss:ident, beyond: $beyond:literal, of: $victims:ident) => {
        impl Family for $family {
            const NAME: &'static str = $name;
            const SUMMARY: &'static str = $summary;
            const GROUP: Group = Group::$group;
            const IS_INSTANT: bool = $instant;
            const IS_BEYOND_MOST: bool = $beyond;

            fn draw(draw: &mut Draw<'_>) -> $family {
                $family { nodes: draw.$victims() }
            }

            fn groups(&self) -> Vec<&[String]> {
                vec![&self.nodes]
            }

            fn targets(&self, cluster: &Cluster) -> Vec<Host> {
                cluster.hosts(&self.nodes)
            }

            fn begin(&self, cluster: &Cluster) -> Effect {
                Effect::Stop { nodes: cluster.hosts(&self.nodes), loss: DiskLoss::$loss }
            }

            fn describe(&self, cluster: &Cluster) -> String {
                cluster.list(&self.nodes)
            }
        }
    };
}

stops! {
    Crash, Process, "crash", "processes die and begin again at once",
    instant: true, loss: Nothing, beyond: false, of: victims
}
stops! {
    Kill, Process, "kill", "processes die and stay down for a while",
    instant: false, loss: Nothing, beyond: false, of: victims
}
stops! {
    PowerLoss, Disk, "power-loss", "the power fails: what was not synced is lost, the last write may be torn",
    instant: false, loss: Unsynced, beyond: false, of: victims
}
stops! {
    Wipe, Disk, "wipe", "machines are replaced by empty ones of the same names",
    instant: false, loss: Everything, beyond: true, of: frail_node
}

/// One process after the other dies and stays down for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollingRestart {
    /// Whose, in order.
    pub nodes: Vec<String>,
    /// How long each is down, in milliseconds.
    pub each_ms: u64,
}

impl Family for RollingRestart {
    const NAME: &'static str = "rolling-restart";
    const SUMMARY: &'static str = "one process after the other dies and is down for a while, as in a deployment";
    const GROUP: Group = Group::Process;

    fn draw(draw: &mut Draw<'_>) -> RollingRestart {
        RollingRestart { nodes: draw.shuffled(), each_ms: draw.one_of_ms(&[5, 40, 120, 300]) }
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
        let one = |name: &String| cluster.hosts(std::slice::from_ref(name));
        Effect::Rolling { nodes: self.nodes.iter().flat_map(one).collect(), each_ms: self.each_ms }
    }

    fn describe(&self, _: &Cluster) -> String {
        format!("{}, {} ms each", self.nodes.join(", then "), self.each_ms)
    }
}

/// Processes die again and again, soon after they have begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrashLoop {
    /// Whose.
    pub nodes: Vec<String>,
    /// How long they live, in milliseconds.
    pub every_ms: u64,
}

impl Family for CrashLoop {
    const NAME: &'static str = "crash-loop";
    const SUMMARY: &'static str = "processes die again and again, soon after they have begun";
    const GROUP: Group = Group::Process;

    fn draw(draw: &mut Draw<'_>) -> CrashLoop {
        CrashLoop { nodes: draw.victims(), every_ms: draw.one_of_ms(&[1, 2, 5, 20, 80]) }
    }

    fn groups(&self) -> Vec<&[String]> {
        vec![&self.nodes]
    }

    fn check(&self, _: &[String]) -> Result<(), String> {
        between("every_ms", self.every_ms, 1, 60_000)
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        cluster.hosts(&self.nodes)
    }

    fn begin(&self, cluster: &Cluster) -> Effect {
        Effect::Repeat { nodes: cluster.hosts(&self.nodes), every_ms: self.every_ms }
    }

    fn describe(&self, cluster: &Cluster) -> String {
        format!("{} every {} ms", cluster.list(&self.nodes), self.every_ms)
    }
}
