//! What a run proves: each claim judged, and all that was seen to be wrong.
//!
//! A run fails when something that its mode claims is broken, when a node panics, when an invariant that belongs to no claim
//! breaks, or when the cluster does not recover. What else a weak mode shows is told, and allowed.

use shakedown_checkers::history::EventPosition;
use shakedown_checkers::verdict::{Edge, PartialOrder, Zone};
use shakedown_checkers::{
    Anomaly, Budget, Claim, Consistency, Fingerprint, History, Level, Operation, OperationId, Question, Undecided,
    Verdict, check,
};
use shakedown_results::{
    AnomalyRecord, ClaimRecord, EdgeRecord, ExplanationRecord, FaultRecord, OrderRecord, Outcomes, RUN_SCHEMA,
    RefusalRecord, RuledOut, RunRecord, VerdictWord, ZoneRecord,
};
use shakedown_systems::door::ModeInfo;
use shakedown_workloads::{Check, Workload};

use crate::plan::Plan;
use crate::runner::{Execution, Finding};

/// The budget of a run's search: deterministic, and far beyond what valid histories of this size need.
const BUDGET: Budget = Budget::of_configurations(3_000_000);

/// Judges a run.
pub fn judge<W: Workload>(plan: &Plan, mode: &ModeInfo, workload: &W, execution: &Execution) -> RunRecord {
    let history = &execution.history;
    let judged = Judgement::of(&workload.checks(), execution);
    let is_claimed = |broken: Claim| mode.claims.iter().any(|claim| claim.covers(broken));
    let mut anomalies: Vec<AnomalyRecord> = execution.findings.iter().map(|finding| found(finding, mode)).collect();
    for (level, broken) in broken(&judged.fingerprint, mode) {
        let claimed = mode.claims.contains(&Claim::Level(level));
        anomalies.extend(broken.iter().map(|anomaly| proved(anomaly, level.name(), claimed, history)));
    }
    for (claim, verdict) in &judged.claims {
        let claimed = is_claimed(*claim);
        anomalies.extend(verdict.anomalies().iter().map(|anomaly| proved(anomaly, claim.name(), claimed, history)));
    }
    // What came first is nearest to the cause.
    anomalies.sort_by_key(|anomaly| (!anomaly.claimed, anomaly.at, anomaly.operations.len()));
    let verdicts: Vec<(Claim, Verdict)> =
        mode.claims.iter().map(|claim| (*claim, judged.verdict(*claim, execution))).collect();
    let record = |(claim, verdict): &(Claim, Verdict)| ClaimRecord {
        claim: claim.name().to_owned(),
        verdict: match verdict {
            Verdict::Valid => VerdictWord::Valid,
            Verdict::Invalid(_) => VerdictWord::Invalid,
            Verdict::Unknown(_) => VerdictWord::Unknown,
        },
    };
    let mut claims: Vec<ClaimRecord> = verdicts.iter().map(record).collect();
    let [ok, fail, info] = history.outcomes();
    let mut undecided = verdicts.iter().find_map(|(_, verdict)| match verdict {
        Verdict::Unknown(undecided) => Some(undecided.reason.clone()),
        _ => None,
    });
    let mut verdict = claims.iter().map(|claim| claim.verdict).max().unwrap_or(VerdictWord::Valid);
    if ok == 0 && verdict == VerdictWord::Valid {
        verdict = VerdictWord::Unknown;
        claims.iter_mut().for_each(|claim| claim.verdict = VerdictWord::Unknown);
        undecided = Some("no operation succeeded: there was nothing to judge".to_owned());
    }
    if anomalies.iter().any(|anomaly| anomaly.claimed) {
        verdict = VerdictWord::Invalid;
    }
    let (run, plan_hash) = plan.name_and_hash();
    RunRecord {
        schema: RUN_SCHEMA.to_owned(),
        replay: format!("shakedown replay {run}"),
        run,
        system: plan.system.clone(),
        mode: plan.mode.clone(),
        workload: plan.workload.clone(),
        seed: plan.seed,
        defect: plan.defect.clone(),
        verdict,
        claims,
        fingerprint: judged.fingerprint.strongest().into_iter().map(|level| level.name().to_owned()).collect(),
        ruled_out_by: ruled_out_by(&judged.fingerprint, history),
        anomalies,
        operations: Outcomes { ok, fail, info },
        faults: plan.faults.len(),
        recovered: execution.phases.recovered.is_some(),
        simulated_seconds: execution.phases.ended as f64 / 1e9,
        seconds: 0.0,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        plan_hash,
        events_hash: format!("{:016x}", execution.hash),
        directory: None,
        undecided,
        nodes: plan.nodes.clone(),
        roles: mode.roles.iter().map(|role| (*role).to_owned()).collect(),
        applied_faults: execution.faults.iter().map(|fault| met(fault, history)).collect(),
        phases: execution.phases,
        reach: mode
            .marks
            .iter()
            .map(|(mark, _)| ((*mark).to_owned(), execution.reach.get(mark).copied().unwrap_or(0)))
            .collect(),
        messages: execution.messages,
        figures: judged
            .figures
            .iter()
            .chain(&workload.figures(history))
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect(),
    }
}

/// What the checks of a workload say of a history.
#[derive(Default)]
struct Judgement {
    fingerprint: Fingerprint,
    /// Why there is no fingerprint, where there should be one.
    misfit: Option<String>,
    claims: Vec<(Claim, Verdict)>,
    figures: Vec<(&'static str, u64)>,
}

impl Judgement {
    fn of(checks: &[Check], execution: &Execution) -> Judgement {
        let mut judged = Judgement::default();
        for one in checks {
            match one {
                Check::Claim(claim, judge) => judged.claims.push((*claim, judge(&execution.history, &BUDGET))),
                Check::Levels(subject) => {
                    let question = Question::new(*subject, Consistency::Fingerprint);
                    match check(&execution.history, &Question { quiet: execution.quiet, ..question }, &BUDGET) {
                        Ok(answer) => {
                            judged.figures.extend(answer.figures());
                            judged.fingerprint.extend(answer.into_fingerprint());
                        }
                        Err(error) => judged.misfit = Some(error.to_string()),
                    }
                }
            }
        }
        judged
    }

    /// What is known of a claim: by the judges of that claim, by the levels, and by what the system saw inside. The worst of it stands.
    fn verdict(&self, claim: Claim, execution: &Execution) -> Verdict {
        let mut known: Vec<Verdict> =
            self.claims.iter().filter(|(judged, _)| *judged == claim).map(|(_, verdict)| verdict.clone()).collect();
        if let Claim::Level(level) = claim {
            let print = &self.fingerprint;
            let was_looked_at = print.verdict(level).is_some() || print.holds(level) || print.is_ruled_out(level);
            if was_looked_at || known.is_empty() && self.misfit.is_none() {
                known.push(print.judged(level));
            }
        }
        if execution.findings.iter().any(|finding| finding.claim == Some(claim)) {
            known.push(Verdict::Invalid(Vec::new()));
        } else if execution.judged_inside.contains(&claim) {
            known.push(Verdict::Valid);
        }
        let rank = |verdict: &Verdict| match verdict {
            Verdict::Valid => 0,
            Verdict::Unknown(_) => 1,
            Verdict::Invalid(_) => 2,
        };
        let nothing = || {
            let reason = match &self.misfit {
                Some(misfit) => misfit.clone(),
                None => format!("nothing happened that the claim `{claim}` is about"),
            };
            Verdict::Unknown(Undecided { reason })
        };
        known.into_iter().max_by_key(rank).unwrap_or_else(nothing)
    }
}

/// A fault, with how many operations were going on while it was.
fn met(fault: &FaultRecord, history: &History) -> FaultRecord {
    let operations = fault.began.map_or(0, |began| {
        let is_met = |operation: &Operation<'_>| {
            let begins_in_time = operation.invoked_at() <= Some(fault.ended.unwrap_or(u64::MAX));
            begins_in_time && operation.completed_at().is_none_or(|completed| completed >= began)
        };
        history.operations().filter(is_met).count() as u64
    });
    FaultRecord { operations, ..fault.clone() }
}

/// What is told of the broken levels: of those that clients know best, of the claims, and of those just above what held.
fn broken<'a>(fingerprint: &'a Fingerprint, mode: &ModeInfo) -> Vec<(Level, Vec<&'a Anomaly>)> {
    let mut told: Vec<(Level, Vec<&Anomaly>)> = Vec::new();
    let claims = mode.claims.iter().filter_map(|claim| claim.level());
    let just_above = fingerprint.just_above();
    for level in [Level::Linearizable, Level::Eventual].into_iter().chain(claims) {
        if told.iter().any(|(other, _)| *other == level) {
            continue;
        }
        let own = fingerprint.verdict(level).map_or(&[][..], Verdict::anomalies);
        let below = just_above.iter().filter(|(below, _)| level.implies(*below)).map(|(_, anomaly)| *anomaly);
        // Where something below it is broken, nobody may have looked further.
        told.push((level, if own.is_empty() { below.collect() } else { own.iter().collect() }));
    }
    for (level, anomaly) in just_above {
        let is_claimed = mode.claims.iter().any(|claim| claim.covers(Claim::Level(level)));
        if !is_claimed && told.iter().all(|(_, others)| !others.contains(&anomaly)) {
            told.push((level, vec![anomaly]));
        }
    }
    told
}

/// The levels just above what held, and what rules them out.
pub fn ruled_out_by(fingerprint: &Fingerprint, history: &History) -> Vec<RuledOut> {
    let of = |(level, anomaly): (Level, &Anomaly)| RuledOut {
        level: level.name().to_owned(),
        anomaly: anomaly.name.to_owned(),
        sentence: anomaly.sentence.clone(),
        operations: anomaly.operations().into_iter().map(|id| history.operation(id).index()).collect(),
    };
    fingerprint.just_above().into_iter().map(of).collect()
}

fn found(finding: &Finding, mode: &ModeInfo) -> AnomalyRecord {
    AnomalyRecord {
        name: finding.name.to_owned(),
        breaks: finding.claim.map_or(finding.name, Claim::name).to_owned(),
        claimed: finding.claim.is_none_or(|broken| mode.claims.iter().any(|claim| claim.covers(broken))),
        operations: Vec::new(),
        sources: Vec::new(),
        sentence: finding.sentence.clone(),
        why: Vec::new(),
        at: Some(finding.at),
        explanation: ExplanationRecord::default(),
    }
}

/// An anomaly of a history as a record has it: operations by index.
pub fn proved(anomaly: &Anomaly, breaks: &str, claimed: bool, history: &History) -> AnomalyRecord {
    let operations = anomaly.operations();
    let index = |id: &OperationId| history.operation(*id).index();
    let edge = |edge: &Edge| EdgeRecord {
        from: index(&edge.from),
        to: index(&edge.to),
        kind: edge.kind.to_owned(),
        reason: edge.reason.clone(),
    };
    let time_of = |event: Option<EventPosition>, zone: &Zone| {
        let operations = zone.operations.iter().map(|id| history.operation(*id));
        let ends = operations.flat_map(|o| [(o.invoked(), o.invoked_at()), (o.completed(), o.completed_at())]);
        ends.into_iter().find(|(position, _)| Some(*position) == event).and_then(|(_, time)| time)
    };
    let zone = |zone: &Zone| ZoneRecord {
        value: zone.value.clone(),
        forward: zone.forward,
        from: time_of(zone.from, zone),
        to: time_of(zone.to, zone),
        sentence: zone.sentence.clone(),
        operations: zone.operations.iter().map(index).collect(),
    };
    let order = |order: &PartialOrder| OrderRecord {
        taken: order.taken.iter().map(index).collect(),
        state: order.state.clone(),
        refused: order
            .refused
            .iter()
            .map(|(id, why)| RefusalRecord { operation: index(id), why: why.clone() })
            .collect(),
    };
    AnomalyRecord {
        name: anomaly.name.to_owned(),
        breaks: breaks.to_owned(),
        claimed,
        operations: operations.iter().map(index).collect(),
        sources: anomaly.sources.iter().map(index).collect(),
        sentence: anomaly.sentence.clone(),
        why: anomaly.why.clone(),
        at: operations.iter().filter_map(|id| history.operation(*id).completed_at()).max(),
        explanation: ExplanationRecord {
            edges: anomaly.edges.iter().map(edge).collect(),
            zones: anomaly.zones.iter().flatten().map(zone).collect(),
            orders: anomaly.orders.iter().map(order).collect(),
            impossible_by: anomaly.impossible_by,
            unreduced: anomaly.unreduced,
        },
    }
}
