//! The page of a run: `report.html`, one file that asks nothing of the network.
//!
//! ```text
//!   RunRecord ──► verdict     the first line
//!   anomalies ──► witness ──► picture     the operations that prove it, as plain SVG
//!   history   ──► evidence    what shows that a pass could have failed
//!                 timeline    the columns that the script draws
//!   trace     ──► roles, log
//!   plan      ──► plan
//! ```
//!
//! The first screen is plain HTML before any script. Nothing here decides, and nothing is left out unsaid: what a page
//! has no room for, it names with the file that has it. The same run gives the same bytes, so neither the machine's time
//! nor its paths are on the page.

mod evidence;
mod lanes;
mod log;
mod picture;
mod plan;
pub(crate) mod policy;
mod roles;
pub(crate) mod text;
mod timeline;
pub(crate) mod verdict;
pub(crate) mod witness;

use askama::Template;
use shakedown_checkers::History;

use crate::record::{AnomalyRecord, RunRecord, Word};
use crate::trace::TraceLine;
use evidence::{FunctionRow, KindRow, ReachRow};
use log::LogRow;
use text::{anomaly_words, counted, grouped, seconds, shortened, visible};
use timeline::Sources;
use witness::{FaultRow, Proof, Witness};

/// Everything a page shows.
#[derive(Clone, Copy, Debug)]
pub struct RunPage<'a> {
    /// What is known of the run.
    pub record: &'a RunRecord,
    /// What its clients saw.
    pub history: &'a History,
    /// What its nodes said, in the order of time.
    pub trace: &'a [TraceLine],
    /// What was to be done.
    pub plan: &'a serde_json::Value,
}

/// More operations of a witness than this are not in the table.
const TABLE: usize = 40;
/// How many lines of the trace stand on the first screen beside a moment.
const LAST_WORDS: usize = 7;

#[derive(Template)]
#[template(path = "report.html")]
struct Report {
    policy: String,
    style: &'static str,
    script: &'static str,
    run: String,
    word: &'static str,
    class: &'static str,
    line: String,
    sentence: String,
    picture: String,
    proofs: Vec<Proof>,
    proofs_left_out: usize,
    notes: Vec<String>,
    during: Option<Vec<FaultRow>>,
    moment: Option<String>,
    last_words: Vec<LogRow>,
    has_witness: bool,
    orders: Vec<OrderRow>,
    why: Vec<String>,
    evidence: Option<Evidence>,
    facts: Vec<Fact>,
    replay: String,
    claims: Vec<Claim>,
    fingerprint: Vec<String>,
    others: Vec<Other>,
    summary: String,
    operations: usize,
    faults: Vec<FaultRow>,
    plan: String,
    plan_left_out: String,
    log: Vec<LogRow>,
    log_total: String,
    log_left_out: Option<String>,
    payload: String,
}

/// What shows that a run could have failed.
struct Evidence {
    functions: Vec<FunctionRow>,
    pairs: String,
    same_object: String,
    keyed: bool,
    kinds: Vec<KindRow>,
    reach: Vec<ReachRow>,
    never_reached: usize,
    sent: String,
    delivered: String,
    lost: String,
}

/// A legal order of the witness, and an operation that cannot be next.
struct OrderRow {
    taken: Vec<String>,
    refused: String,
    why: String,
}

struct Fact {
    name: &'static str,
    value: String,
    code: bool,
}

struct Claim {
    claim: String,
    class: &'static str,
    verdict: &'static str,
}

struct Other {
    name: String,
    breaks: String,
    claimed: bool,
    sentence: String,
    indices: Vec<u64>,
    more: usize,
}

/// `report.html` as text. The same input gives the same bytes.
pub fn render(page: &RunPage<'_>) -> String {
    report(page).render().expect("writing to memory does not fail")
}

fn report(page: &RunPage<'_>) -> Report {
    let RunPage { record, history, trace, plan } = *page;
    let end = end(page);
    let answers = roles::answers(trace);
    let bands = roles::bands(record, trace, end);
    let failing = verdict::failing(record);
    // The witness of the first screen is number 1, for `#w=1`; the others follow as the record has them.
    let ordered = failing
        .into_iter()
        .chain(record.anomalies.iter().filter(|anomaly| !failing.is_some_and(|first| std::ptr::eq(first, *anomaly))));
    let witnesses: Vec<Witness> = ordered.filter_map(|anomaly| Witness::of(anomaly, history, &answers)).collect();
    let shown = failing.and_then(|anomaly| Witness::of(anomaly, history, &answers));
    let picture = match &shown {
        Some(witness) => {
            let zones = failing.map_or(&[][..], |anomaly| &anomaly.explanation.zones);
            picture::of_witness(record, witness, zones, &bands, end)
        }
        None => picture::of_run(record, history, &bands, end),
    };
    let stretch = witnesses.first().map(|witness| (witness.from, witness.to));
    let (log_first, log) = log::around(trace, witnesses.first());
    let payload = timeline::payload(&Sources {
        record,
        history,
        answers: &answers,
        bands: &bands,
        witnesses: &witnesses,
        at_witness: shown.is_some(),
        end,
    });
    let (plan, plan_left_out) = plan::shown(plan);
    let (word, line) = verdict::line(record);
    let mut notes = Vec::new();
    let mut during = None;
    let mut last_words = Vec::new();
    let mut moment = None;
    let mut proofs = Vec::new();
    let orders = failing.map(|anomaly| orders(anomaly, shown.as_ref())).unwrap_or_default();
    if let Some(witness) = shown {
        during = Some(witness.faults(&record.applied_faults).into_iter().map(FaultRow::from).collect());
        if let Some(at) = witness.at.filter(|_| witness.proofs.is_empty()) {
            last_words = log::before(trace, at, LAST_WORDS);
            moment = Some(seconds(at));
        }
        if !witness.missing.is_empty() {
            notes.push(format!(
                "not in the history: {}",
                witness.missing.iter().map(|index| format!("#{index}")).collect::<Vec<_>>().join(", ")
            ));
        }
        proofs = witness.proofs;
    }
    let proofs_left_out = proofs.len().saturating_sub(TABLE);
    proofs.truncate(TABLE);
    Report {
        policy: policy::content_security_policy(policy::STYLE, policy::REPORT_SCRIPT),
        style: policy::STYLE,
        script: policy::REPORT_SCRIPT,
        run: visible(&record.run),
        word,
        class: record.verdict.as_str(),
        line,
        sentence: sentence(record, failing),
        picture,
        proofs,
        proofs_left_out,
        notes,
        during,
        moment,
        last_words,
        has_witness: witnesses.iter().any(|witness| !witness.proofs.is_empty()),
        orders,
        why: failing.map(|anomaly| anomaly.why.iter().map(|line| shortened(line, 1_000)).collect()).unwrap_or_default(),
        evidence: failing.is_none().then(|| gather(record, history)),
        facts: facts(record, history, trace.len(), end),
        replay: visible(&record.replay),
        claims: claims(record),
        fingerprint: record.fingerprint.iter().map(|level| visible(level)).collect(),
        others: others(record, failing),
        summary: summary(record, history, stretch.filter(|_| record.verdict == Word::Invalid), end),
        operations: history.len(),
        faults: record.applied_faults.iter().map(FaultRow::from).collect(),
        plan,
        plan_left_out: plan_left_out.join(" and "),
        log_left_out: (log.len() < trace.len())
            .then(|| format!("lines {} to {}", grouped(log_first as u64 + 1), grouped((log_first + log.len()) as u64))),
        log,
        log_total: counted(trace.len() as u64, "line"),
        payload,
    }
}

/// The last moment that anything on the page belongs to.
fn end(page: &RunPage<'_>) -> u64 {
    let operations =
        page.history.operations().filter_map(|operation| operation.completed_at().max(operation.invoked_at())).max();
    let trace = page.trace.last().map(|line| line.time);
    page.record.phases.ended.max(operations.unwrap_or(0)).max(trace.unwrap_or(0))
}

fn sentence(record: &RunRecord, failing: Option<&AnomalyRecord>) -> String {
    match (failing, record.verdict) {
        (Some(anomaly), _) => shortened(&anomaly.sentence, 1_000),
        (None, Word::Unknown) => match &record.undecided {
            Some(reason) => shortened(reason, 1_000),
            None => "Nothing says why.".to_owned(),
        },
        (None, Word::Valid) => match record.anomalies.len() {
            0 => "Nothing wrong was seen. Below is what shows that it could have been.".to_owned(),
            seen => format!(
                "{} seen, of guarantees that the mode does not claim. Below is what shows that a claim could have been broken.",
                if seen == 1 { "1 anomaly was".to_owned() } else { format!("{} anomalies were", grouped(seen as u64)) }
            ),
        },
        (None, Word::Invalid) => String::new(),
    }
}

/// How far the operations of an anomaly can be ordered, and what each order breaks at.
fn orders(anomaly: &AnomalyRecord, witness: Option<&Witness>) -> Vec<OrderRow> {
    let letter = |index: &u64| {
        let proof = witness.and_then(|witness| witness.proofs.iter().find(|proof| proof.index == *index));
        proof.map_or_else(|| format!("#{index}"), |proof| proof.letter.clone())
    };
    let rows = anomaly.explanation.orders.iter().flat_map(|order| {
        order.refused.iter().map(|refusal| OrderRow {
            taken: order.taken.iter().map(letter).collect(),
            refused: letter(&refusal.operation),
            why: shortened(&refusal.why, 300),
        })
    });
    rows.collect()
}

fn gather(record: &RunRecord, history: &History) -> Evidence {
    let (pairs, same_object) = evidence::overlapping_pairs(history);
    let reach = evidence::reach(record);
    Evidence {
        functions: evidence::functions(history),
        pairs: grouped(pairs),
        same_object: grouped(same_object),
        keyed: history.operations().any(|operation| operation.key_id().is_some()),
        kinds: evidence::kinds(&record.applied_faults),
        never_reached: reach.iter().filter(|row| row.never).count(),
        reach,
        sent: grouped(record.messages.sent),
        delivered: grouped(record.messages.delivered),
        lost: grouped(record.messages.lost),
    }
}

fn facts(record: &RunRecord, history: &History, lines: usize, end: u64) -> Vec<Fact> {
    let outcomes = record.operations;
    let mut facts = vec![
        Fact { name: "seed", value: record.seed.to_string(), code: true },
        Fact { name: "events", value: visible(&record.events_hash), code: true },
        Fact { name: "workload", value: visible(&record.workload), code: false },
    ];
    if let Some(defect) = &record.defect {
        facts.push(Fact { name: "defect", value: format!("{} (planted)", visible(defect)), code: false });
    }
    facts.push(Fact {
        name: "size",
        value: format!(
            "{}: {} ok, {} fail, {} info",
            counted(history.len() as u64, "operation"),
            grouped(outcomes.ok as u64),
            grouped(outcomes.fail as u64),
            grouped(outcomes.info as u64)
        ),
        code: false,
    });
    facts.push(Fact {
        name: "",
        value: format!(
            "{} s, {}, {}, {} of trace",
            seconds(end),
            counted(record.nodes.len() as u64, "node"),
            counted(record.faults as u64, "fault"),
            counted(lines as u64, "line")
        ),
        code: false,
    });
    let after = match record.phases.recovered {
        Some(recovered) => format!("{} s after healing", seconds(recovered.saturating_sub(record.phases.healed))),
        None if record.recovered => "yes".to_owned(),
        None => "no".to_owned(),
    };
    facts.push(Fact { name: "recovered", value: after, code: false });
    facts
}

fn claims(record: &RunRecord) -> Vec<Claim> {
    record
        .claims
        .iter()
        .map(|claim| Claim {
            claim: visible(&claim.claim),
            class: claim.verdict.as_str(),
            verdict: match claim.verdict {
                Word::Valid => "✓ held",
                Word::Unknown => "? undecided",
                Word::Invalid => "✗ broken",
            },
        })
        .collect()
}

fn others(record: &RunRecord, failing: Option<&AnomalyRecord>) -> Vec<Other> {
    const INDICES: usize = 6;
    record
        .anomalies
        .iter()
        .filter(|anomaly| !failing.is_some_and(|first| std::ptr::eq(first, *anomaly)))
        .map(|anomaly| Other {
            name: anomaly_words(&anomaly.name),
            breaks: visible(&anomaly.breaks),
            claimed: anomaly.claimed,
            sentence: shortened(&anomaly.sentence, 400),
            indices: anomaly.operations.iter().copied().take(INDICES).collect(),
            more: anomaly.operations.len().saturating_sub(INDICES),
        })
        .collect()
}

/// What the timeline shows, in one sentence, for who does not see it.
fn summary(record: &RunRecord, history: &History, stretch: Option<(u64, u64)>, end: u64) -> String {
    let [ok, fail, info] = history.outcomes();
    let mut words = format!(
        "Timeline of {} over {} s: {} ok, {} fail, {} info; {}, {}.",
        counted(history.len() as u64, "operation"),
        seconds(end),
        grouped(ok as u64),
        grouped(fail as u64),
        grouped(info as u64),
        counted(record.nodes.len() as u64, "node"),
        counted(record.applied_faults.len() as u64, "fault"),
    );
    if let Some((from, to)) = stretch {
        words.push_str(&format!(" What went wrong lies between {} and {} s.", seconds(from), seconds(to)));
    }
    words
}
