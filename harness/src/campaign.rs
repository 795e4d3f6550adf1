//! Many runs: on all cores, in an order that does not depend on how many there are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use shakedown_results::directory::{self, Run, WriteError};
use shakedown_results::{AnomalyRecord, ExplanationRecord, RunRecord, Word};

use crate::catalogue::{Judged, Pairing};
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
    /// Set from outside to end early: what is finished stays.
    pub interrupted: &'a AtomicBool,
}

/// How many failing runs of one cause are kept with all their files.
const KEPT_PER_CAUSE: usize = 3;

impl Campaign<'_> {
    /// Does the jobs. `finished` gets each record, in the order of the jobs.
    ///
    /// # Errors
    /// If a run cannot be written.
    pub fn run(&self, jobs: &[Job<'_>], mut finished: impl FnMut(&RunRecord)) -> Result<Vec<RunRecord>, WriteError> {
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
        results: mpsc::Receiver<(usize, Judged)>,
        finished: &mut impl FnMut(&RunRecord),
    ) -> Result<Vec<RunRecord>, WriteError> {
        let mut waiting: BTreeMap<usize, Judged> = BTreeMap::new();
        let mut records = Vec::new();
        let mut causes: BTreeMap<String, usize> = BTreeMap::new();
        let mut failures = 0;
        for (at, judged) in results {
            waiting.insert(at, judged);
            while let Some(judged) = waiting.remove(&records.len()) {
                let job = &jobs[records.len()];
                let failed = judged.record.verdict != Word::Valid;
                let kept = causes.entry(cause(&judged.record)).or_default();
                let keep = job.keep || failed && *kept < KEPT_PER_CAUSE;
                *kept += usize::from(failed);
                let record = self.keep(job, judged, keep)?;
                finished(&record);
                failures += usize::from(record.verdict == Word::Invalid);
                records.push(record);
                if self.stop_after.is_some_and(|enough| failures >= enough) {
                    return Ok(records);
                }
            }
        }
        // Interrupted: what lies behind a gap is finished too.
        for (at, judged) in waiting {
            let failed = judged.record.verdict != Word::Valid;
            let record = self.keep(&jobs[at], judged, failed)?;
            finished(&record);
            records.push(record);
        }
        Ok(records)
    }

    fn one(&self, job: &Job<'_>) -> Judged {
        let begun = Instant::now();
        let mut judged = run(job);
        judged.record.seconds = begun.elapsed().as_secs_f64();
        if self.verify_determinism {
            let again = run(job);
            if again.record.events_hash != judged.record.events_hash {
                judged.record.verdict = Word::Invalid;
                judged.record.anomalies.insert(0, differs(&judged, &again));
            }
        }
        judged
    }

    fn keep(&self, job: &Job<'_>, mut judged: Judged, keep: bool) -> Result<RunRecord, WriteError> {
        if let Some(out) = self.out.filter(|_| keep) {
            let path = out.join(&judged.record.run);
            judged.record.replay = format!("shakedown replay {}", path.display());
            judged.record.directory = Some(path.display().to_string());
            let plan = job.pairing.plan_text(job.scenario, job.seed);
            judged.record.plan_hash = plan_hash(&plan);
            write(out, &judged, &plan)?;
        }
        Ok(judged.record)
    }
}

/// Runs a job. Scenarios are held against their systems before a campaign begins.
fn run(job: &Job<'_>) -> Judged {
    job.pairing.run(job.scenario, job.seed).expect("a plan that was drawn makes sense")
}

/// A hash of a plan's text.
pub fn plan_hash(plan: &str) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(plan.as_bytes()))
}

/// Writes a run's directory.
///
/// # Errors
/// If it cannot be written.
pub fn write(out: &Path, judged: &Judged, plan: &str) -> Result<PathBuf, WriteError> {
    let run = Run { record: &judged.record, history: &judged.happened.history, trace: &judged.trace(), plan };
    directory::write(out, &run)
}

/// What groups failing runs: where, and what.
pub fn cause(record: &RunRecord) -> String {
    let first = record.anomalies.first().map_or("undecided", |anomaly| anomaly.name.as_str());
    let defect = record.defect.as_deref().unwrap_or("");
    format!("{}/{}/{}/{defect}: {first}", record.system, record.mode, record.workload)
}

fn differs(one: &Judged, other: &Judged) -> AnomalyRecord {
    let traces = one.happened.trace.iter().zip(&other.happened.trace);
    let first = traces.into_iter().find(|(one, other)| one != other).map(|(one, _)| one.time);
    AnomalyRecord {
        name: "nondeterminism".to_owned(),
        breaks: "determinism".to_owned(),
        claimed: true,
        operations: Vec::new(),
        sources: Vec::new(),
        sentence: format!(
            "the same plan gave two different runs ({} and {})",
            one.record.events_hash, other.record.events_hash
        ),
        why: Vec::new(),
        at: first,
        explanation: ExplanationRecord::default(),
    }
}
