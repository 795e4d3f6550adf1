//! Many runs: on all cores, in an order that does not depend on how many there are.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use shakedown_results::directory::WriteError;
use shakedown_results::{AnomalyRecord, ExplanationRecord, RunRecord, VerdictWord};

use crate::catalogue::{JudgedRun, Pairing};
use crate::determinism::Recorded;
use crate::plan::Plan;
use crate::scenario::Scenario;

/// One run that is to be done.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The system and the workload.
    pub pairing: &'a dyn Pairing,
    /// What is wanted of the run.
    pub scenario: &'a Scenario,
    /// Its seed.
    pub seed: u64,
    /// Whether to keep its files even if nothing is wrong.
    pub keep: bool,
}

/// How a campaign is done.
pub struct Campaign<'a> {
    /// Where runs are kept; `None` keeps none.
    pub out: Option<&'a Path>,
    /// How many runs at once.
    pub threads: usize,
    /// Whether each plan is run twice, and compared.
    pub verify_determinism: bool,
    /// After so many failing runs, the rest is left undone.
    pub stop_after: Option<usize>,
    /// The command that runs again what is kept in a directory.
    pub replay: &'a (dyn Fn(&Path) -> String + Sync),
    /// Set from outside to end early: what is finished stays.
    pub interrupted: &'a AtomicBool,
}

/// How many failing runs of one cause are kept with all their files.
const KEPT_PER_CAUSE: usize = 3;

impl Campaign<'_> {
    /// Does the jobs. `finished` gets each run, in the order of the jobs; and why it could not be written, if it could not: a run that
    /// is done is told of, and those after it are done.
    pub fn run(&self, jobs: &[Job<'_>], mut finished: impl FnMut(&JudgedRun, Option<WriteError>)) -> Vec<RunRecord> {
        let next = AtomicUsize::new(0);
        let enough = AtomicBool::new(false);
        // A run that is done keeps its whole trace until it is judged worth keeping: no more of them than needed.
        let (send, receive) = mpsc::sync_channel(2 * self.threads.max(1));
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                let (send, next, enough) = (send.clone(), &next, &enough);
                scope.spawn(move || {
                    while !enough.load(Ordering::Relaxed) && !self.interrupted.load(Ordering::Relaxed) {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(job) = jobs.get(at) else { break };
                        if send.send((at, self.one(job))).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(send);
            let result = self.collect(jobs, receive, &mut finished);
            enough.store(true, Ordering::Relaxed);
            result
        })
    }

    /// Takes results in the order of the jobs, whatever order they come in.
    fn collect(
        &self,
        jobs: &[Job<'_>],
        results: mpsc::Receiver<(usize, JudgedRun)>,
        finished: &mut impl FnMut(&JudgedRun, Option<WriteError>),
    ) -> Vec<RunRecord> {
        let mut waiting: BTreeMap<usize, JudgedRun> = BTreeMap::new();
        let mut records = Vec::new();
        let mut causes: BTreeMap<String, usize> = BTreeMap::new();
        let mut failures = 0;
        for (at, judged) in results {
            waiting.insert(at, judged);
            while let Some(judged) = waiting.remove(&records.len()) {
                let failed = judged.record.verdict != VerdictWord::Valid;
                let kept = causes.entry(cause(&judged.record)).or_default();
                let keep = jobs[records.len()].keep || failed && *kept < KEPT_PER_CAUSE;
                *kept += usize::from(failed);
                let record = self.keep(judged, keep, finished);
                failures += usize::from(record.verdict == VerdictWord::Invalid);
                records.push(record);
                if self.stop_after.is_some_and(|enough| failures >= enough) {
                    return records;
                }
            }
        }
        // Interrupted: what lies behind a gap is finished too.
        for (_, judged) in waiting {
            let failed = judged.record.verdict != VerdictWord::Valid;
            records.push(self.keep(judged, failed, finished));
        }
        records
    }

    fn one(&self, job: &Job<'_>) -> JudgedRun {
        let begun = Instant::now();
        // Scenarios are held against their systems before a campaign begins.
        let plan = job.pairing.draw(job.scenario, job.seed).expect("a plan that is drawn makes sense");
        let run = |plan: Plan| job.pairing.run(plan).expect("a plan that was drawn makes sense");
        let again = self.verify_determinism.then(|| run(plan.clone()));
        let mut judged = run(plan);
        let RunRecord { system, mode, workload, seed, .. } = &judged.record;
        let options = job.scenario.arguments();
        judged.record.replay =
            format!("shakedown run {system} --mode {mode} --workload {workload}{options} --keep all --seed {seed}");
        judged.record.seconds = begun.elapsed().as_secs_f64();
        if let Some(again) = again.filter(|again| again.record.events_hash != judged.record.events_hash) {
            judged.record.verdict = VerdictWord::Invalid;
            judged.record.anomalies.insert(0, differs(&judged, &again));
        }
        judged
    }

    fn keep(
        &self,
        mut judged: JudgedRun,
        keep: bool,
        finished: &mut impl FnMut(&JudgedRun, Option<WriteError>),
    ) -> RunRecord {
        let mut unwritten = None;
        if let Some(out) = self.out.filter(|_| keep) {
            let folder = out.join(&judged.record.run);
            judged.settle(&folder, (self.replay)(&folder));
            unwritten = judged.write(out).err();
            if unwritten.is_some() {
                judged.record.directory = None;
            }
        }
        finished(&judged, unwritten);
        judged.record
    }
}

/// How this program runs again what is kept in a directory.
pub fn replay(folder: &Path) -> String {
    format!("shakedown replay {}", folder.display())
}

/// What groups failing runs: where, and what.
pub fn cause(record: &RunRecord) -> String {
    let first = record.anomalies.first().map_or("undecided", |anomaly| anomaly.name.as_str());
    let defect = record.defect.as_deref().unwrap_or("");
    format!("{}/{}/{}/{defect}: {first}", record.system, record.mode, record.workload)
}

fn differs(one: &JudgedRun, other: &JudgedRun) -> AnomalyRecord {
    let traces = one.execution.trace.iter().zip(&other.execution.trace);
    let first = traces.into_iter().find(|(one, other)| one != other).map(|(one, _)| one.time);
    let how = Recorded::of(one).differs_from(&Recorded::of(other)).unwrap_or_default();
    AnomalyRecord {
        name: "nondeterminism".to_owned(),
        breaks: "determinism".to_owned(),
        claimed: true,
        operations: Vec::new(),
        sources: Vec::new(),
        sentence: format!("the same plan gave two different runs: {how}"),
        why: Vec::new(),
        at: first,
        explanation: ExplanationRecord::default(),
    }
}
