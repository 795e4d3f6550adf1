//! Everything that has a name on the command line, each list in one place.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shakedown_checkers::Claim;
use shakedown_checkers::levels::Level;
use shakedown_results::directory::{self, Run, WriteError};
use shakedown_results::{RunRecord, TraceLine, terminal};
use shakedown_systems::RaftKv;
use shakedown_systems::door::{Family, ModeInfo, System, SystemInfo};
use shakedown_workloads::{Append, Invoke, Kv, Set, Workload};

use crate::judge;
use crate::plan::{Plan, PlanError, nonsense};
use crate::runner::{self, Execution, host_name};
use crate::scenario::Scenario;
use crate::simulation::stage::FieldValue;

/// The systems, each with the workloads that it serves. A new one is a line here.
pub fn pairings() -> Vec<Box<dyn Pairing>> {
    // Whether an order of sessions explains stale reads can always be told where each value is written once, and not always elsewhere: a
    // mode whose claim would stay undecided is not offered.
    let decided = |mode: &ModeInfo| !mode.claims.contains(&Claim::Level(Level::Sequential));
    vec![
        pair::<RaftKv, _>(Kv::default()),
        pair_in::<RaftKv, _>(Kv::register(), decided),
        pair_in::<RaftKv, _>(Append::default(), decided),
        pair_in::<RaftKv, _>(Set, decided),
    ]
}

/// A system and a workload that it serves.
pub trait Pairing: Send + Sync {
    /// What is told of the system.
    fn system(&self) -> &SystemInfo;
    /// The workload's name.
    fn workload(&self) -> &'static str;
    /// One line about it.
    fn workload_summary(&self) -> &'static str;
    /// The plan that a seed draws.
    ///
    /// # Errors
    /// If the scenario makes no sense for this system.
    fn draw(&self, scenario: &Scenario, seed: u64) -> Result<Plan, PlanError>;
    /// Runs and judges a plan.
    ///
    /// # Errors
    /// If the plan makes no sense for this system and workload.
    fn run(&self, plan: Plan) -> Result<JudgedRun, PlanError>;
}

/// A run with its judgement.
pub struct JudgedRun {
    /// What was run.
    pub plan: Plan,
    /// What was found.
    pub record: RunRecord,
    /// What happened.
    pub execution: Execution,
}

impl JudgedRun {
    /// What a person reads of a run that failed. `program` is how this program is called.
    pub fn block(&self, program: &str) -> String {
        terminal::failure(&self.record, Some((&self.execution.history, &self.trace())), program)
    }

    /// Says where the run is kept, and how it is repeated.
    pub fn settle(&mut self, folder: &Path, replay: String) {
        self.record.replay = replay;
        self.record.directory = Some(folder.display().to_string());
    }

    /// Writes the run's directory.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, out: &Path) -> Result<PathBuf, WriteError> {
        let JudgedRun { plan, record, execution } = self;
        let plan = plan_text(plan);
        directory::write(out, &Run { record, history: &execution.history, trace: &self.trace(), plan: &plan })
    }

    /// What nodes and clients said, as the trace's file holds it.
    pub fn trace(&self) -> Vec<TraceLine> {
        let line = |said: &runner::TraceEvent| {
            let mut node = host_name(&self.record.nodes, said.host).to_owned();
            let mut fields = serde_json::Map::new();
            for (name, datum) in &said.fields {
                let value = match datum {
                    FieldValue::Number(number) => (*number).into(),
                    FieldValue::Negative(number) => (*number).into(),
                    FieldValue::Truth(truth) => (*truth).into(),
                    // A client tells of a node: it is the node's line.
                    FieldValue::Text(text) if *name == "node" => {
                        node.clone_from(text);
                        continue;
                    }
                    FieldValue::Text(text) => text.as_str().into(),
                };
                fields.insert((*name).to_owned(), value);
            }
            TraceLine { time: said.time, node, event: said.event.to_owned(), fields }
        };
        self.execution.trace.iter().map(line).collect()
    }
}

/// Where a system comes from, once mode and defect are known.
trait Source: Send + Sync + 'static {
    type System: System;

    fn build(&self, mode: &str, defect: Option<&str>) -> Self::System;
}

struct OfFamily<F>(PhantomData<fn() -> F>);

impl<F: Family> Source for OfFamily<F> {
    type System = F;

    fn build(&self, mode: &str, defect: Option<&str>) -> F {
        let mode = F::MODES.iter().find(|known| known.name == mode).unwrap_or(&F::MODES[0]);
        let defect = F::DEFECTS.iter().find(|known| Some(known.info.name) == defect);
        F::new(mode.value, defect.map(|defect| defect.bug))
    }
}

struct Itself<S>(Arc<S>);

impl<S: System + Send + Sync> Source for Itself<S> {
    type System = Arc<S>;

    fn build(&self, _: &str, _: Option<&str>) -> Arc<S> {
        Arc::clone(&self.0)
    }
}

struct Pair<O, W> {
    source: O,
    info: SystemInfo,
    workload: W,
}

/// A family of systems with a workload that it serves.
pub fn pair<F, W>(workload: W) -> Box<dyn Pairing>
where
    F: Family,
    W: Workload + Send + Sync,
    F::Client: Invoke<W>,
{
    pair_in::<F, W>(workload, |_| true)
}

/// The same, in some of its modes.
fn pair_in<F, W>(workload: W, serves: impl Fn(&ModeInfo) -> bool) -> Box<dyn Pairing>
where
    F: Family,
    W: Workload + Send + Sync,
    F::Client: Invoke<W>,
{
    let mut info = SystemInfo::of_family::<F>();
    info.modes.retain(serves);
    Box::new(Pair { source: OfFamily::<F>(PhantomData), info, workload })
}

/// A system that promises these claims, with a workload that it serves.
pub fn pair_of<S, W>(system: S, claims: &[Claim], workload: W) -> Box<dyn Pairing>
where
    S: System + Send + Sync,
    W: Workload + Send + Sync,
    S::Client: Invoke<W>,
{
    let info = SystemInfo::of_system(&system, claims);
    Box::new(Pair { source: Itself(Arc::new(system)), info, workload })
}

impl<O, W> Pairing for Pair<O, W>
where
    O: Source,
    W: Workload + Send + Sync,
    <O::System as System>::Client: Invoke<W>,
{
    fn system(&self) -> &SystemInfo {
        &self.info
    }

    fn workload(&self) -> &'static str {
        self.workload.name()
    }

    fn workload_summary(&self) -> &'static str {
        self.workload.summary()
    }

    fn draw(&self, scenario: &Scenario, seed: u64) -> Result<Plan, PlanError> {
        let plan = scenario.plan(&self.workload, seed, &self.info);
        plan.validate()?;
        plan.check_system(&self.info)?;
        Ok(plan)
    }

    fn run(&self, plan: Plan) -> Result<JudgedRun, PlanError> {
        plan.validate()?;
        for (place, found, expected) in
            [("system", &plan.system, &*self.info.name), ("workload", &plan.workload, self.workload.name())]
        {
            if found != expected {
                return Err(nonsense(place, format!("found {found:?}, expected {expected:?}")));
            }
        }
        let mode = plan.check_system(&self.info)?;
        let workload =
            self.workload.with_parameters(&plan.parameters).map_err(|problem| nonsense("parameters", problem))?;
        let system = self.source.build(&plan.mode, plan.defect.as_deref());
        let execution = runner::run(&plan, &workload, system)?;
        let record = judge::judge(&plan, mode, &workload, &execution);
        Ok(JudgedRun { plan, record, execution })
    }
}

/// A plan as its file holds it: readable, a line for each operation and each fault.
pub fn plan_text(plan: &Plan) -> String {
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
            let drawn = pairing.draw(&scenario, 3).unwrap();
            let text = plan_text(&drawn);
            let plan: Plan = serde_json::from_str(&text).unwrap();
            assert!(plan == drawn && !plan.is_edited());
            assert!(plan_text(&plan) == text, "the text differs");
            assert!(text.lines().count() > plan.operations());
        }
    }

    #[test]
    fn no_two_things_have_the_same_name() {
        let mut names: Vec<String> = Vec::new();
        for pairing in pairings() {
            names.push(format!("{}/{}", pairing.system().name, pairing.workload()));
        }
        let before = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), before);
    }
}
