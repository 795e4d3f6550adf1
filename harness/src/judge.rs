//! What a run proves: each claim judged, and all that was seen to be wrong.
//!
//! A run fails when something that its mode claims is broken, when a node panics, when an invariant that belongs to no claim
//! breaks, or when the cluster does not recover. What else a weak mode shows is told, and allowed.

use shakedown_checkers::history::EventPosition;
use shakedown_checkers::verdict::{Edge, PartialOrder, Zone};
use shakedown_checkers::{
    Anomaly, Budget, Claim, Consistency, Fingerprint, History, Level, ModelName, OperationId, Question, Subject,
    Verdict, check,
};
use shakedown_results::{
    AnomalyRecord, ClaimRecord, EdgeRecord, ExplanationRecord, OrderRecord, Outcomes, RUN_SCHEMA, RefusalRecord,
    RuledOut, RunRecord, Word, ZoneRecord,
};
use shakedown_systems::door::ModeInfo;

use crate::plan::Plan;
use crate::runner::{Finding, Happened};

/// The budget of a run's search: deterministic, and far beyond what valid histories of this size need.
const BUDGET: Budget = Budget::of_configurations(3_000_000);

/// Judges a run.
pub fn judge<O>(plan: &Plan<O>, mode: &ModeInfo, model: ModelName, happened: &Happened) -> RunRecord {
    let fingerprint = fingerprint(model, happened);
    let is_claimed = |broken: Claim| mode.claims.iter().any(|claim| claim.covers(broken));
    let mut anomalies: Vec<AnomalyRecord> = happened.findings.iter().map(|finding| found(finding, mode)).collect();
    for (level, broken) in broken(&fingerprint, mode) {
        let claimed = mode.claims.contains(&Claim::Level(level));
        anomalies.extend(broken.iter().map(|anomaly| proved(anomaly, level.name(), claimed, &happened.history)));
    }
    // What came first is nearest to the cause.
    anomalies.sort_by_key(|anomaly| (!anomaly.claimed, anomaly.at, anomaly.operations.len()));
    let mut claims: Vec<ClaimRecord> = mode
        .claims
        .iter()
        .map(|claim| ClaimRecord {
            claim: claim.name().to_owned(),
            verdict: match claim {
                Claim::Level(level) if fingerprint.is_ruled_out(*level) => Word::Invalid,
                Claim::Level(level) if fingerprint.holds(*level) => Word::Valid,
                Claim::Level(_) => Word::Unknown,
                Claim::Rule(_) if happened.findings.iter().any(|f| f.claim == Some(*claim)) => Word::Invalid,
                Claim::Rule(_) if happened.judged_inside.contains(claim) => Word::Valid,
                Claim::Rule(_) => Word::Unknown,
            },
        })
        .collect();
    let [ok, fail, info] = happened.history.outcomes();
    let mut open = fingerprint.undecided().filter(|(level, _)| is_claimed(Claim::Level(*level)));
    let mut undecided = open.next().map(|(_, undecided)| undecided.reason.clone()).or_else(|| {
        let open = claims.iter().find(|claim| claim.verdict == Word::Unknown)?;
        Some(format!("nothing happened that the claim `{}` is about", open.claim))
    });
    let mut verdict = claims.iter().map(|claim| claim.verdict).max().unwrap_or(Word::Valid);
    if ok == 0 && verdict == Word::Valid {
        verdict = Word::Unknown;
        claims.iter_mut().for_each(|claim| claim.verdict = Word::Unknown);
        undecided = Some("no operation succeeded: there was nothing to judge".to_owned());
    }
    if anomalies.iter().any(|anomaly| anomaly.claimed) {
        verdict = Word::Invalid;
    }
    let run = name(plan);
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
        fingerprint: fingerprint.strongest().into_iter().map(|level| level.name().to_owned()).collect(),
        ruled_out_by: ruled_out_by(&fingerprint, &happened.history),
        anomalies,
        operations: Outcomes { ok, fail, info },
        faults: plan.faults.len(),
        recovered: happened.phases.recovered.is_some(),
        simulated_seconds: happened.phases.ended as f64 / 1e9,
        seconds: 0.0,
        plan_hash: String::new(),
        events_hash: format!("{:016x}", happened.hash),
        directory: None,
        undecided,
        nodes: plan.nodes.clone(),
        applied_faults: happened.faults.clone(),
        phases: happened.phases,
        reach: mode
            .marks
            .iter()
            .map(|(mark, _)| ((*mark).to_owned(), happened.reach.get(mark).copied().unwrap_or(0)))
            .collect(),
        messages: happened.messages,
    }
}

/// The name of the run of a plan: `raft-kv-log-kv-1`.
pub fn name<O>(plan: &Plan<O>) -> String {
    let defect = plan.defect.as_ref().map(|defect| format!("-{defect}")).unwrap_or_default();
    format!("{}-{}-{}-{}{defect}", plan.system, plan.mode, plan.workload, plan.seed)
}

/// How strong the history of a run is, with what was read in the end.
fn fingerprint(model: ModelName, happened: &Happened) -> Fingerprint {
    let subject = Subject::Objects(model);
    let question = Question { quiet: happened.quiet, ..Question::new(subject, Consistency::Fingerprint) };
    let answer = check(&happened.history, &question, &BUDGET).expect("a workload's operations fit its own model");
    answer.into_fingerprint()
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
