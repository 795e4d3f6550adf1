//! The page of a run: `report.html`, one file that asks nothing of the network.
//!
//! ```text
//!   RunRecord ──► verdict     the first line
//!   anomalies ──► witness ──► picture     the operations that prove it, as plain SVG
//!             ──► cycle ────►             what must come before what: arrows, and a sentence each
//!   history   ──► evidence    what shows that a pass could have failed
//!                 timeline    the columns that the script draws
//!   trace     ──► roles, log
//!   plan      ──► plan
//!   RunRecord ──► aside       replay, facts, claims, what held and what else was seen
//! ```
//!
//! The first screen is plain HTML before any script. Nothing here decides, and nothing is left out unsaid: what a page
//! has no room for, it names with the file that has it. The same run gives the same bytes, so neither the machine's time
//! nor its paths are on the page.

mod aside;
mod cycle;
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

use crate::record::{AnomalyRecord, RunRecord, VerdictWord};
use crate::trace::TraceLine;
use aside::{Above, Claim, Fact, Other};
use evidence::{FunctionRow, KindRow, ReachRow};
use log::LogRow;
use picture::Scene;
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

/// More of the anomalies that are not the cause than this are not drawn.
const DRAWN: usize = 4;
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
    edges: String,
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
    above: Vec<Above>,
    others: Vec<Other>,
    drawn: Vec<Drawn>,
    drawn_left_out: usize,
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

/// An anomaly that is not the cause, drawn because it has edges.
struct Drawn {
    nth: usize,
    name: String,
    breaks: String,
    claimed: bool,
    sentence: String,
    picture: String,
    edges: String,
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
    let (told, witnesses): (Vec<&AnomalyRecord>, Vec<Witness>) =
        ordered.filter_map(|anomaly| Some((anomaly, Witness::of(anomaly, history, &answers)?))).unzip();
    let shown = failing.and_then(|anomaly| Witness::of(anomaly, history, &answers));
    let scene = Scene { record, bands: &bands, end, first: true };
    let (picture, edges) = match (&shown, failing) {
        (Some(witness), Some(anomaly)) => drawing(&scene, anomaly, witness, 1),
        _ => (picture::of_run(&scene, history), String::new()),
    };
    let with_edges = told.iter().zip(&witnesses).enumerate().skip(usize::from(shown.is_some()));
    let mut drawn: Vec<Drawn> = with_edges
        .filter(|(_, (anomaly, _))| !anomaly.explanation.edges.is_empty())
        .map(|(at, (anomaly, witness))| Drawn::of(&scene, anomaly, witness, at + 1))
        .collect();
    let drawn_left_out = drawn.len().saturating_sub(DRAWN);
    drawn.truncate(DRAWN);
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
    let proofs_left_out = proofs.len().saturating_sub(picture::OPERATIONS);
    proofs.truncate(picture::OPERATIONS);
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
        edges,
        proofs,
        proofs_left_out,
        notes,
        during,
        moment,
        last_words,
        has_witness: witnesses.iter().any(|witness| !witness.proofs.is_empty()),
        orders,
        why: failing.map(why).unwrap_or_default(),
        evidence: failing.is_none().then(|| gather(record, history)),
        facts: aside::facts(record, history, trace.len(), end),
        replay: visible(&record.replay),
        claims: aside::claims(record),
        fingerprint: record.fingerprint.iter().map(|level| visible(level)).collect(),
        above: aside::above(record),
        others: aside::others(record, failing),
        drawn,
        drawn_left_out,
        summary: summary(record, history, stretch.filter(|_| record.verdict == VerdictWord::Invalid), end),
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

/// The picture of an anomaly, and its edges in words.
fn drawing(scene: &Scene<'_>, anomaly: &AnomalyRecord, witness: &Witness, nth: usize) -> (String, String) {
    let edges = cycle::rows(anomaly, witness, nth);
    let picture = picture::of_witness(scene, witness, &anomaly.explanation.zones, &edges);
    (picture, cycle::sentences(anomaly, &edges))
}

impl Drawn {
    fn of(scene: &Scene<'_>, anomaly: &AnomalyRecord, witness: &Witness, nth: usize) -> Drawn {
        let (picture, edges) = drawing(&Scene { first: false, ..*scene }, anomaly, witness, nth);
        Drawn {
            nth,
            name: anomaly_words(&anomaly.name),
            breaks: visible(&anomaly.breaks),
            claimed: anomaly.claimed,
            sentence: shortened(&anomaly.sentence, 400),
            picture,
            edges,
        }
    }
}

fn sentence(record: &RunRecord, failing: Option<&AnomalyRecord>) -> String {
    match (failing, record.verdict) {
        // The sentence of a long cycle holds those of all its edges, and they follow.
        (Some(anomaly), _) if anomaly.explanation.edges.len() > 3 => shortened(&anomaly.sentence, 400),
        (Some(anomaly), _) => shortened(&anomaly.sentence, 1_000),
        (None, VerdictWord::Unknown) => match &record.undecided {
            Some(reason) => shortened(reason, 1_000),
            None => "Nothing says why.".to_owned(),
        },
        (None, VerdictWord::Valid) => match record.anomalies.len() {
            0 => "Nothing wrong was seen. Below is what shows that it could have been.".to_owned(),
            seen => format!(
                "{} seen, of guarantees that the mode does not claim. Below is what shows that a claim could have been broken.",
                if seen == 1 { "1 anomaly was".to_owned() } else { format!("{} anomalies were", grouped(seen as u64)) }
            ),
        },
        (None, VerdictWord::Invalid) => String::new(),
    }
}

/// Why no order is legal, but for what stands at an edge already.
fn why(anomaly: &AnomalyRecord) -> Vec<String> {
    let edges = &anomaly.explanation.edges;
    let lines = anomaly.why.iter().filter(|line| edges.iter().all(|edge| edge.reason != **line));
    lines.map(|line| shortened(line, 1_000)).collect()
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
