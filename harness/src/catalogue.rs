//! Everything that has a name on the command line, each list in one place.

use shakedown_results::{RunRecord, TraceLine};
use shakedown_systems::{Defect, Mode, RaftKv, System};
use shakedown_workloads::{Invoke, Kv, Workload};

use crate::judge;
use crate::plan::{Plan, PlanError};
use crate::runner::{self, Happened, host_name};
use crate::scenario::Scenario;
use crate::simulation::stage::Datum;

/// The systems, each with the workloads that it serves. A new one is a line here.
pub fn pairings() -> Vec<Box<dyn Pairing>> {
    vec![pair::<RaftKv, _>(Kv::default()), pair::<RaftKv, _>(Kv::register())]
}

/// A system and a workload that it serves.
pub trait Pairing: Send + Sync {
    /// The system's name.
    fn system(&self) -> &'static str;
    /// One line about it.
    fn system_summary(&self) -> &'static str;
    /// The workload's name.
    fn workload(&self) -> &'static str;
    /// One line about it.
    fn workload_summary(&self) -> &'static str;
    /// The system's modes.
    fn modes(&self) -> &'static [Mode];
    /// Its planted defects.
    fn defects(&self) -> &'static [Defect];
    /// What its runs should reach.
    fn marks(&self) -> &'static [(&'static str, &'static str)];
    /// Draws a plan from a seed, runs and judges it.
    fn run(&self, scenario: &Scenario, seed: u64) -> Judged;
    /// The plan that a seed draws, as its file holds it.
    fn plan_text(&self, scenario: &Scenario, seed: u64) -> String;
    /// Runs and judges a plan.
    ///
    /// # Errors
    /// If the plan makes no sense for this system and workload.
    fn run_plan(&self, plan: Plan<serde_json::Value>) -> Result<Judged, PlanError>;
}

/// A run with its judgement.
pub struct Judged {
    /// What was found.
    pub record: RunRecord,
    /// What happened.
    pub happened: Happened,
}

impl Judged {
    /// What nodes and clients said, as the trace's file holds it.
    pub fn trace(&self) -> Vec<TraceLine> {
        let line = |said: &runner::Said| {
            let mut node = host_name(&self.record.nodes, said.host).to_owned();
            let mut fields = serde_json::Map::new();
            for (name, datum) in &said.fields {
                let value = match datum {
                    Datum::Number(number) => (*number).into(),
                    Datum::Negative(number) => (*number).into(),
                    Datum::Truth(truth) => (*truth).into(),
                    // A client tells of a node: it is the node's line.
                    Datum::Text(text) if *name == "node" => {
                        node.clone_from(text);
                        continue;
                    }
                    Datum::Text(text) => text.as_str().into(),
                };
                fields.insert((*name).to_owned(), value);
            }
            TraceLine { time: said.time, node, event: said.event.to_owned(), fields }
        };
        self.happened.trace.iter().map(line).collect()
    }
}

/// The mode of a system with this name.
pub fn mode<'a>(modes: &'a [Mode], name: &str) -> Option<&'a Mode> {
    modes.iter().find(|mode| mode.name == name)
}

struct Pair<S, W> {
    workload: W,
    system: std::marker::PhantomData<fn() -> S>,
}

/// A system with a workload that it serves.
pub fn pair<S, W>(workload: W) -> Box<dyn Pairing>
where
    S: System,
    W: Workload + Send + Sync,
    S::Client: Invoke<W>,
{
    Box::new(Pair::<S, W> { workload, system: std::marker::PhantomData })
}

impl<S, W> Pair<S, W>
where
    S: System,
    W: Workload,
    S::Client: Invoke<W>,
{
    fn judged(&self, plan: &Plan<W::Planned>) -> Result<Judged, PlanError> {
        plan.validate()?;
        let names = |what: Vec<&'static str>| what.join(", ");
        let mode = mode(S::MODES, &plan.mode).ok_or_else(|| PlanError::Nonsense {
            place: "mode".to_owned(),
            problem: format!(
                "{} has no mode {:?}; its modes are {}",
                S::NAME,
                plan.mode,
                names(S::MODES.iter().map(|mode| mode.name).collect())
            ),
        })?;
        let defect = match &plan.defect {
            None => None,
            Some(name) => {
                Some(S::DEFECTS.iter().find(|defect| defect.name == name).ok_or_else(|| PlanError::Nonsense {
                    place: "defect".to_owned(),
                    problem: format!(
                        "{} has no defect {name:?}; its defects are {}",
                        S::NAME,
                        names(S::DEFECTS.iter().map(|defect| defect.name).collect())
                    ),
                })?)
            }
        };
        let happened = runner::run::<S, W>(plan, &self.workload, mode, defect);
        let record = judge::judge(plan, mode, self.workload.model(), S::MARKS, &happened);
        Ok(Judged { record, happened })
    }
}

impl<S, W> Pairing for Pair<S, W>
where
    S: System,
    W: Workload + Send + Sync,
    S::Client: Invoke<W>,
{
    fn system(&self) -> &'static str {
        S::NAME
    }

    fn system_summary(&self) -> &'static str {
        S::SUMMARY
    }

    fn workload(&self) -> &'static str {
        self.workload.name()
    }

    fn workload_summary(&self) -> &'static str {
        self.workload.summary()
    }

    fn modes(&self) -> &'static [Mode] {
        S::MODES
    }

    fn defects(&self) -> &'static [Defect] {
        S::DEFECTS
    }

    fn marks(&self) -> &'static [(&'static str, &'static str)] {
        S::MARKS
    }

    fn run(&self, scenario: &Scenario, seed: u64) -> Judged {
        self.judged(&scenario.plan(&self.workload, seed)).expect("a plan that was drawn makes sense")
    }

    fn plan_text(&self, scenario: &Scenario, seed: u64) -> String {
        plan_text(&scenario.plan(&self.workload, seed))
    }

    fn run_plan(&self, plan: Plan<serde_json::Value>) -> Result<Judged, PlanError> {
        self.judged(&plan.typed()?)
    }
}

/// A plan as its file holds it: readable, a line for each operation and each fault.
pub fn plan_text<O: serde::Serialize>(plan: &Plan<O>) -> String {
    let text = serde_json::to_string(plan).expect("a plan has a JSON form");
    break_lines(&text)
}

/// Breaks JSON into lines at the outer levels only: what an item holds stays on its line.
fn break_lines(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 5 / 4);
    // For each open bracket: whether its items stand on lines of their own.
    let mut open: Vec<bool> = Vec::new();
    let (mut in_text, mut escaped) = (false, false);
    let new_line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', depth));
    };
    for (at, c) in json.char_indices() {
        if in_text {
            out.push(c);
            in_text = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '"' => {
                in_text = true;
                out.push(c);
            }
            '[' | '{' => {
                let next = json.as_bytes().get(at + 1).copied();
                // The plan itself, its lists of objects, and in them a client's list of operations.
                let wide = open.last().copied().unwrap_or(true)
                    && (open.is_empty() || next == Some(b'{') || json[at..].starts_with("{\"operations\""));
                open.push(wide);
                out.push(c);
                if wide && !matches!(next, Some(b']' | b'}')) {
                    new_line(&mut out, open.len());
                }
            }
            ']' | '}' => {
                let wide = open.pop().unwrap_or(false);
                if wide && !matches!(json.as_bytes()[at - 1], b'[' | b'{') {
                    new_line(&mut out, open.len());
                }
                out.push(c);
            }
            ',' => {
                out.push(c);
                if open.last().copied().unwrap_or(false) {
                    new_line(&mut out, open.len());
                }
            }
            _ => out.push(c),
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_in_lines_is_the_same_plan() {
        let scenario = Scenario::new("raft-kv", "log");
        for pairing in pairings() {
            let text = pairing.plan_text(&scenario, 3);
            let plan: Plan<serde_json::Value> = serde_json::from_str(&text).unwrap();
            assert!(plan_text(&plan) == text, "the text differs");
            assert!(text.lines().count() > plan.operations());
        }
    }

    #[test]
    fn no_two_things_have_the_same_name() {
        let mut names: Vec<String> = Vec::new();
        for pairing in pairings() {
            names.push(format!("{}/{}", pairing.system(), pairing.workload()));
        }
        let before = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), before);
    }
}
