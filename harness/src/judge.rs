//! What a run proves: each claim judged, and all that was seen to be wrong.
//!
//! A run fails when something that its mode claims is broken, when a node panics, when an invariant that belongs to no claim
//! breaks, or when the cluster does not recover. What else a weak mode shows is told, and allowed.

use shakedown_checkers::history::EventPosition;
use shakedown_checkers::verdict::{Edge, PartialOrder, Zone};
use shakedown_checkers::{Anomaly, Budget, History, ModelName, OperationId, Verdict, convergence, linearizability};
use shakedown_results::{
    AnomalyRecord, ClaimRecord, EdgeRecord, ExplanationRecord, OrderRecord, Outcomes, RUN_SCHEMA, RefusalRecord,
    RunRecord, Word, ZoneRecord,
};
use shakedown_systems::{Claim, Mode};

use crate::plan::Plan;
use crate::runner::{Finding, Happened};

/// The budget of a run's search: deterministic, and far beyond what valid histories of this size need.
const BUDGET: Budget = Budget::of_configurations(3_000_000);

/// Judges a run.
pub fn judge<O>(
    plan: &Plan<O>,
    mode: &Mode,
    model: ModelName,
    marks: &[(&str, &str)],
    happened: &Happened,
) -> RunRecord {
    let judged: Vec<Judged> =
        Claim::ALL.iter().filter_map(|claim| judge_claim(*claim, mode, model, happened)).collect();
    let mut anomalies: Vec<AnomalyRecord> = happened.findings.iter().map(|finding| found(finding, mode)).collect();
    for judged in &judged {
        let claimed = mode.claims.contains(&judged.claim);
        anomalies.extend(
            judged.anomalies.iter().map(|anomaly| proved(anomaly, judged.claim.name(), claimed, &happened.history)),
        );
    }
    // What came first is nearest to the cause.
    anomalies.sort_by_key(|anomaly| (!anomaly.claimed, anomaly.at, anomaly.operations.len()));
    let mut claims: Vec<ClaimRecord> = mode
        .claims
        .iter()
        .map(|claim| ClaimRecord {
            claim: claim.name().to_owned(),
            verdict: judged.iter().find(|judged| judged.claim == *claim).map_or(Word::Unknown, |judged| judged.word),
        })
        .collect();
    let [ok, fail, info] = happened.history.outcomes();
    let mut undecided = judged.iter().find_map(|judged| judged.undecided.clone());
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
        fingerprint: fingerprint(&judged),
        ruled_out_by: Vec::new(),
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
        reach: marks
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

struct Judged {
    claim: Claim,
    word: Word,
    anomalies: Vec<Anomaly>,
    undecided: Option<String>,
}

impl Judged {
    fn by(claim: Claim, verdict: Verdict) -> Judged {
        let (word, anomalies, undecided) = match verdict {
            Verdict::Valid => (Word::Valid, Vec::new(), None),
            Verdict::Invalid(anomalies) => (Word::Invalid, anomalies, None),
            Verdict::Unknown(undecided) => (Word::Unknown, Vec::new(), Some(undecided.reason)),
        };
        Judged { claim, word, anomalies, undecided }
    }
}

/// Judges a claim; `None` if the run shows nothing of it and the mode does not claim it.
fn judge_claim(claim: Claim, mode: &Mode, model: ModelName, happened: &Happened) -> Option<Judged> {
    match claim {
        Claim::Linearizable => {
            let verdict = linearizability::check(&happened.history, model, None, BUDGET)
                .expect("a workload's operations fit its own model");
            Some(Judged::by(claim, verdict))
        }
        // Its proof is inside: the system's own invariants watched every read.
        Claim::Prefix => mode.claims.contains(&claim).then(|| {
            let broken = happened.findings.iter().any(|finding| finding.claim == Some(Claim::Prefix));
            let (word, undecided) = match happened.judged_inside.contains(&claim) {
                _ if broken => (Word::Invalid, None),
                true => (Word::Valid, None),
                false => (Word::Unknown, Some("nothing was read that the claim `prefix` is about".to_owned())),
            };
            Judged { claim, word, anomalies: Vec::new(), undecided }
        }),
        Claim::Eventual => happened.quiet.map(|quiet| Judged::by(claim, convergence::check(&happened.history, quiet))),
    }
}

/// The strongest of what held.
fn fingerprint(judged: &[Judged]) -> Vec<String> {
    let held: Vec<&str> = judged.iter().filter(|j| j.word == Word::Valid).map(|j| j.claim.name()).collect();
    let strongest = if held.contains(&Claim::Linearizable.name()) { &held[..1] } else { &held[..] };
    strongest.iter().map(|name| (*name).to_owned()).collect()
}

fn found(finding: &Finding, mode: &Mode) -> AnomalyRecord {
    AnomalyRecord {
        name: finding.name.to_owned(),
        breaks: finding.claim.map_or(finding.name, Claim::name).to_owned(),
        claimed: finding.claim.is_none_or(|claim| mode.claims.contains(&claim)),
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
