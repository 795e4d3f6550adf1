//! A plan: everything that a run depends on, as data.
//!
//! It is drawn from a seed ([`crate::scenario`]), written to `plan.json`, edited, shrunk; a run is a pure function of it. What it holds
//! of a workload is JSON: whoever runs it knows the workload.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use shakedown_systems::door::{ModeInfo, SystemInfo};
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

pub use crate::faults::FaultKind;
use crate::faults::{CLIENTS, Group};

/// The schema of a [`Plan`].
pub const PLAN_SCHEMA: &str = "shakedown/plan/2";

/// Everything that a run depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`PLAN_SCHEMA`].
    pub schema: String,
    /// The name of its run: `raft-kv-log-kv-1`. It tells plans of different options apart.
    #[serde(default)]
    pub name: String,
    /// The version that drew it.
    #[serde(default)]
    pub version: String,
    /// A hash of everything else, as it was drawn: by it, an edited plan is known.
    #[serde(default)]
    pub hash: String,
    /// The system under test.
    pub system: String,
    /// Its mode.
    pub mode: String,
    /// The defect planted in it, if one is.
    pub defect: Option<String>,
    /// What its clients do.
    pub workload: String,
    /// The workload's parameters.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub parameters: Json,
    /// From which all chance of the run itself is derived: latencies, election timeouts, torn writes.
    pub seed: u64,
    /// The names of the nodes.
    pub nodes: Vec<String>,
    /// How long a message takes: at least and at most, in milliseconds.
    pub latency_ms: [u64; 2],
    /// How long a disk takes to sync: at least and at most, in milliseconds.
    pub sync_ms: [u64; 2],
    /// When clients invoke nothing new, at the latest.
    pub stop_ms: u64,
    /// How long the cluster may take to answer again after healing.
    pub recovery_ms: u64,
    /// How long it is left alone before the last look.
    pub quiet_ms: u64,
    /// The nodes that are healed in the end: all, or a majority. What befalls the others lasts.
    pub healed: Vec<String>,
    /// The faults, in any order.
    pub faults: Vec<Fault>,
    /// What each client does.
    pub clients: Vec<ClientPlan>,
}

/// What a client does, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientPlan {
    /// Its operations.
    pub operations: Vec<Step>,
}

/// An operation of a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// How long the client rests before it, in milliseconds.
    pub after_ms: u64,
    /// What it does, as its workload plans it.
    #[serde(rename = "do")]
    pub operation: Json,
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Its number, by which reports name it. It stays when others are removed.
    pub id: u32,
    /// From which its own chance is derived.
    pub seed: u64,
    /// When it begins.
    pub begins: Moment,
    /// How long it lasts, in milliseconds. A crash lasts no time: the process begins again at once.
    pub lasts_ms: u64,
    /// What goes wrong.
    pub fault: FaultKind,
}

/// How long a fault lasts that is to last for those who are not healed: longer than any run.
pub const LASTING_MS: u64 = 3_600_000;

/// When a fault begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Moment {
    /// At a time.
    At {
        /// Milliseconds since the beginning.
        at_ms: u64,
    },
    /// After something happened: it still bites when everything else has moved.
    On {
        /// The event, as nodes emit it: `elected`.
        on: String,
        /// The node that must emit it; any if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
        /// The first time, the second, …
        nth: u32,
        /// Milliseconds after it.
        plus_ms: u64,
    },
}

/// Why a plan cannot be run.
#[derive(Error)]
pub enum PlanError {
    /// It could not be read.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not JSON, or not a plan.
    #[error("{file}:{line}:{column}: {problem}")]
    Malformed {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What was found, and what was expected.
        problem: String,
    },
    /// It says something that makes no sense.
    #[error("{place}: {problem}")]
    Nonsense {
        /// Where in the plan: `faults[2].fault`.
        place: String,
        /// What is wrong.
        problem: String,
    },
}

/// As it is told: who unwraps it reads a sentence.
impl fmt::Debug for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Plan {
    /// Reads a plan from a file.
    ///
    /// # Errors
    /// If it cannot be read, or is no plan; with the place.
    pub fn read(path: &Path) -> Result<Plan, PlanError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| PlanError::Io { file: file.clone(), source })?;
        let malformed = |error: serde_json::Error| {
            let problem = error.to_string();
            let problem = problem.split(" at line ").next().unwrap_or_default().to_owned();
            PlanError::Malformed { file: file.clone(), line: error.line(), column: error.column(), problem }
        };
        // Of a plan of another schema, nothing else is to be told.
        let Head { schema } = serde_json::from_str(&text).map_err(malformed)?;
        if schema != PLAN_SCHEMA {
            return Err(nonsense(format!("{file}: schema"), format!("found {schema:?}, expected {PLAN_SCHEMA:?}")));
        }
        serde_json::from_str(&text).map_err(malformed)
    }

    /// The plan as it is now, and from now on known by its hash.
    pub fn sealed(self) -> Plan {
        let hash = self.content_hash();
        Plan { hash, ..self }
    }

    /// A hash of everything but the hash.
    pub fn content_hash(&self) -> String {
        let text = serde_json::to_string(self).expect("a plan has a JSON form");
        let own = serde_json::to_string(&self.hash).expect("text has a JSON form");
        format!("{:016x}", xxh3_64(text.replacen(&format!("\"hash\":{own},"), "", 1).as_bytes()))
    }

    /// Whether it is not as it was drawn.
    pub fn is_edited(&self) -> bool {
        self.hash != self.content_hash()
    }

    /// The name of its run, and the hash of what it holds. An edited plan never takes the original's name.
    pub fn name_and_hash(&self) -> (String, String) {
        let drawn = match self.name.as_str() {
            "" => format!("{}-{}-{}-{}", self.system, self.mode, self.workload, self.seed),
            name => name.to_owned(),
        };
        let hash = self.content_hash();
        (if hash == self.hash { drawn } else { format!("{drawn}-edited-{}", &hash[..8]) }, hash)
    }

    /// The operations of all clients as their workload plans them.
    ///
    /// # Errors
    /// At the first operation that the workload does not know.
    pub fn operations_of<O: serde::de::DeserializeOwned>(&self) -> Result<Vec<Vec<(u64, O)>>, PlanError> {
        let mut clients = Vec::with_capacity(self.clients.len());
        for (c, client) in self.clients.iter().enumerate() {
            let mut operations = Vec::with_capacity(client.operations.len());
            for (n, step) in client.operations.iter().enumerate() {
                let operation = O::deserialize(&step.operation)
                    .map_err(|error| nonsense(format!("clients[{c}].operations[{n}].do"), error.to_string()))?;
                operations.push((step.after_ms, operation));
            }
            clients.push(operations);
        }
        Ok(clients)
    }

    /// Makes sure that the plan makes sense by itself. Whether there is such a system is for others to say.
    ///
    /// # Errors
    /// The first thing that makes none, and where it stands.
    pub fn validate(&self) -> Result<(), PlanError> {
        if self.schema != PLAN_SCHEMA {
            return Err(nonsense("schema", format!("found {:?}, expected {PLAN_SCHEMA:?}", self.schema)));
        }
        if self.nodes.is_empty() || self.nodes.len() > 63 {
            return Err(nonsense("nodes", format!("found {} nodes, expected 1 to 63", self.nodes.len())));
        }
        for (at, name) in self.nodes.iter().enumerate() {
            let reserved = ["clients", "nemesis"].contains(&name.as_str());
            let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if reserved || !plain || self.nodes[..at].contains(name) {
                let expected = "expected a name of letters, digits and hyphens that no other has";
                return Err(nonsense(format!("nodes[{at}]"), format!("found {name:?}, {expected}")));
            }
        }
        if self.clients.is_empty() {
            return Err(nonsense("clients", "expected at least one client".to_owned()));
        }
        for (place, [least, most]) in [("latency_ms", self.latency_ms), ("sync_ms", self.sync_ms)] {
            if least > most || most > 10_000 {
                return Err(nonsense(place, format!("found {least} to {most}, expected an interval up to 10000")));
            }
        }
        for (place, value) in
            [("stop_ms", self.stop_ms), ("recovery_ms", self.recovery_ms), ("quiet_ms", self.quiet_ms)]
        {
            if value > 3_600_000 {
                return Err(nonsense(place, format!("found {value}, expected at most 3600000 (an hour)")));
            }
        }
        // It becomes a directory's.
        if !self.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b)) || self.name.starts_with('.') {
            let expected = "expected letters, digits, hyphens, underscores, dots and plus signs";
            return Err(nonsense("name", format!("found {:?}, {expected}", self.name)));
        }
        self.names("healed", &self.healed)?;
        if self.healed.is_empty() {
            return Err(nonsense("healed", "expected at least one node".to_owned()));
        }
        for (at, fault) in self.faults.iter().enumerate() {
            self.validate_fault(&format!("faults[{at}]"), fault)?;
            if self.faults[..at].iter().any(|other| other.id == fault.id) {
                return Err(nonsense(
                    format!("faults[{at}].id"),
                    format!("{} is the number of another fault", fault.id),
                ));
            }
        }
        Ok(())
    }

    /// Makes sure that this system can run the plan, and gives what is told of it in the plan's mode.
    ///
    /// # Errors
    /// The first thing that the system does not have, with what it has instead.
    pub fn check_system<'s>(&self, system: &'s SystemInfo) -> Result<&'s ModeInfo, PlanError> {
        let missing = |what: &str, name: &str, known: Vec<&str>| {
            nonsense(what, format!("{} has no {what} {name:?}; {}", system.name, offered(name, &known)))
        };
        let mode = system
            .mode(&self.mode)
            .ok_or_else(|| missing("mode", &self.mode, system.modes.iter().map(|mode| mode.name.as_str()).collect()))?;
        if let Some(defect) = &self.defect
            && system.defects.iter().all(|known| known.name != defect)
        {
            return Err(missing("defect", defect, system.defects.iter().map(|defect| defect.name).collect()));
        }
        let healed: Vec<usize> = (0..self.nodes.len()).filter(|at| self.healed.contains(&self.nodes[*at])).collect();
        if !mode.recovery.admits(self.nodes.len(), &healed) {
            let problem = format!("{} need not recover when only {} are healed", system.name, self.healed.join(", "));
            return Err(nonsense("healed", problem));
        }
        for (at, fault) in self.faults.iter().enumerate() {
            if let Some(problem) = refusal(fault.fault.name(), system, mode) {
                return Err(nonsense(format!("faults[{at}].fault"), problem));
            }
            for target in fault.fault.groups().into_iter().flatten() {
                // Clients have neither process, disk nor clock of their own.
                let is_of_network = FaultKind::group(fault.fault.name()) == Some(Group::Network);
                let is_known = target == CLIENTS && is_of_network || mode.roles.contains(&target.as_str());
                if !self.nodes.contains(target) && !is_known {
                    let known: Vec<&str> =
                        self.nodes.iter().map(String::as_str).chain(mode.roles.iter().copied()).collect();
                    let problem = format!("there is no node {target:?}; the nodes are {}", known.join(", "));
                    return Err(nonsense(format!("faults[{at}].fault"), problem));
                }
            }
        }
        Ok(mode)
    }

    fn validate_fault(&self, place: &str, fault: &Fault) -> Result<(), PlanError> {
        if fault.lasts_ms > 3_600_000 {
            let found = fault.lasts_ms;
            return Err(nonsense(format!("{place}.lasts_ms"), format!("found {found}, expected at most 3600000")));
        }
        match &fault.begins {
            Moment::At { at_ms } if *at_ms > 3_600_000 => {
                return Err(nonsense(
                    format!("{place}.begins.at_ms"),
                    format!("found {at_ms}, expected at most 3600000"),
                ));
            }
            Moment::At { .. } => {}
            Moment::On { on, node, nth, plus_ms } => {
                self.names(&format!("{place}.begins.node"), node.as_slice())?;
                if on.is_empty() || *nth == 0 || *plus_ms > 3_600_000 {
                    let expected = "expected `on` with an event, `nth` from 1, `plus_ms` up to 3600000";
                    return Err(nonsense(format!("{place}.begins"), expected.to_owned()));
                }
            }
        }
        let place = format!("{place}.fault");
        fault.fault.check(&self.nodes).map_err(|problem| nonsense(place, problem))
    }

    fn names(&self, place: &str, names: &[String]) -> Result<(), PlanError> {
        for (at, name) in names.iter().enumerate() {
            if !self.nodes.contains(name) {
                let there = self.nodes.join(", ");
                return Err(nonsense(place, format!("there is no node {name:?}; the nodes are {there}")));
            }
            if names[..at].contains(name) {
                return Err(nonsense(place, format!("{name} stands there twice")));
            }
        }
        Ok(())
    }

    /// How many operations clients plan, all together.
    pub fn operations(&self) -> usize {
        self.clients.iter().map(|client| client.operations.len()).sum()
    }
}

/// Why a system is not given a fault of this name in a mode, if it is not.
pub fn refusal(fault: &str, system: &SystemInfo, mode: &ModeInfo) -> Option<String> {
    if FaultKind::group(fault) == Some(Group::Cluster) && !mode.operator.contains(&fault) {
        return Some(format!("{} offers no operator that could do {fault}", system.name));
    }
    if mode.never_meets.contains(&fault) {
        return Some(format!("{} cannot meet {fault}", system.name));
    }
    if FaultKind::is_beyond_most(fault) && !mode.endures.contains(&fault) {
        return Some(format!("{} promises nothing under {fault} in mode {}", system.name, mode.name));
    }
    None
}

/// What tells which schema the rest is of.
#[derive(Deserialize)]
struct Head {
    schema: String,
}

/// The nearest of the names that there are, and all of them.
pub fn offered(name: &str, known: &[&str]) -> String {
    let near = known.iter().map(|known| (strsim::normalized_damerau_levenshtein(name, known), *known));
    match near.max_by(|one, other| one.0.total_cmp(&other.0)) {
        None => "there are none".to_owned(),
        Some((likeness, nearest)) if likeness > 0.4 && known.len() > 1 => {
            format!("nearest: {nearest}; there are {}", known.join(", "))
        }
        Some(_) => format!("there are {}", known.join(", ")),
    }
}

pub(crate) fn nonsense(place: impl Into<String>, problem: String) -> PlanError {
    PlanError::Nonsense { place: place.into(), problem }
}

#[cfg(test)]
mod tests {
    use shakedown_systems::RaftKv;

    use super::*;
    use crate::scenario::Scenario;

    fn info() -> SystemInfo {
        SystemInfo::of_family::<RaftKv>()
    }

    fn plan() -> Plan {
        let scenario = Scenario { operations: Some(3), clients: 2, ..Scenario::new("raft-kv", "log") };
        scenario.plan(&shakedown_workloads::Kv::default(), 4, &info())
    }

    fn refused(change: impl FnOnce(&mut Plan)) -> String {
        let mut plan = plan();
        change(&mut plan);
        let system = plan.validate().and_then(|()| plan.check_system(&info()).map(|_| ()));
        system.expect_err("it makes no sense").to_string()
    }

    #[test]
    fn an_edited_plan_is_known_and_has_a_name_of_its_own() {
        let mut plan = plan();
        assert!(!plan.is_edited());
        assert_eq!(plan.name_and_hash().0, "raft-kv-log-kv-4-c2-o3");
        plan.clients[1].operations.pop();
        assert!(plan.is_edited());
        let name = plan.name_and_hash().0;
        assert!(name.starts_with("raft-kv-log-kv-4-c2-o3-edited-"), "{name}");
        plan.clients[1].operations.pop();
        assert_ne!(plan.name_and_hash().0, name);
        assert!(!plan.sealed().is_edited());
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_place_and_what_is_near() {
        let cases: [(String, &str); 8] = [
            (refused(|plan| plan.schema = "shakedown/plan/1".to_owned()), "schema: found \"shakedown/plan/1\""),
            (refused(|plan| plan.mode = "logs".to_owned()), "raft-kv has no mode \"logs\"; nearest: log"),
            (refused(|plan| plan.defect = Some("ack-before".to_owned())), "nearest: ack-before-sync"),
            (refused(|plan| plan.nodes[1] = "n1".to_owned()), "nodes[1]: found \"n1\""),
            (refused(|plan| plan.healed = vec!["n1".to_owned()]), "need not recover when only n1"),
            (refused(|plan| plan.latency_ms = [3, 1]), "latency_ms: found 3 to 1"),
            (refused(|plan| plan.name = "../up".to_owned()), "name: found \"../up\""),
            (
                refused(|plan| {
                    let fault = FaultKind::Kill(crate::faults::Kill { nodes: vec!["n9".to_owned()] });
                    plan.faults = vec![Fault { id: 0, seed: 1, begins: Moment::At { at_ms: 1 }, lasts_ms: 1, fault }];
                }),
                "faults[0].fault: there is no node \"n9\"",
            ),
        ];
        for (said, expected) in cases {
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn an_operation_that_the_workload_does_not_know_is_told_with_its_place() {
        let mut plan = plan();
        plan.clients[1].operations[2].operation = serde_json::json!({"f": "fly"});
        let error = plan.operations_of::<shakedown_workloads::kv::Planned>().expect_err("nothing flies");
        assert!(error.to_string().starts_with("clients[1].operations[2].do: unknown variant `fly`"), "{error}");
    }
}
