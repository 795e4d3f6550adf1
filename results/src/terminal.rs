//! What a person reads on the terminal, and in the output of a failing test: failures, and the table at the end.
//!
//! All of it is text with the styles of a terminal; who writes it elsewhere strips them.

use std::collections::{BTreeMap, HashSet};

use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, Table, presets};
use shakedown_checkers::{Anomaly, Edge, History, Operation, OperationId, Outcome, Value};

use crate::page::witness::letter as letter_of;
use crate::record::{AnomalyRecord, ONLY_MODE, RuledOut, RunRecord, VerdictWord};
use crate::trace::TraceLine;

const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// A run that failed, in a block. `program` is how this program is called.
pub fn failure(record: &RunRecord, history: Option<(&History, &[TraceLine])>, program: &str) -> String {
    let word = if record.verdict == VerdictWord::Unknown { "UNKNOWN" } else { "FAIL" };
    let what = match record.anomalies.iter().find(|anomaly| anomaly.claimed) {
        Some(anomaly) if record.claims.iter().any(|claim| claim.claim == anomaly.name) => {
            format!("{} is broken", anomaly.name)
        }
        Some(anomaly) if anomaly.breaks == anomaly.name => anomaly.name.clone(),
        Some(anomaly) => format!("{} is broken ({})", anomaly.breaks, anomaly.name),
        None => record.undecided.clone().unwrap_or_else(|| "undecided".to_owned()),
    };
    let defect = record.defect.as_ref().map(|defect| format!(" with {defect}")).unwrap_or_default();
    let RunRecord { system, mode, workload, seed, .. } = record;
    let mode = if mode == ONLY_MODE { String::new() } else { format!("/{mode}") };
    let mut lines = vec![format!("{BAD}{word}{BAD:#} {system}{mode} {workload}{defect} seed {seed}: {what}")];
    if let Some(anomaly) = record.anomalies.iter().find(|anomaly| anomaly.claimed) {
        lines.push(wrapped(&anomaly.sentence));
        let mut told = vec![anomaly];
        // What broke inside came first: then what clients saw of it.
        if anomaly.operations.is_empty()
            && let Some(seen) =
                record.anomalies.iter().find(|anomaly| anomaly.claimed && !anomaly.operations.is_empty())
        {
            lines.push(wrapped(&format!("Seen by clients: {}", seen.sentence)));
            told.push(seen);
        }
        if let Some((history, trace)) = history {
            lines.extend(told.iter().flat_map(|anomaly| witness(history, trace, anomaly)));
        }
        lines.extend(during(record, anomaly, history.map(|(history, _)| history)));
        let others = record.anomalies.iter().filter(|a| a.claimed && !told.contains(a)).map(|a| a.name.as_str());
        let others: Vec<&str> = others.collect();
        if !others.is_empty() {
            lines.push(label("also", &tally(&others)));
        }
    }
    if !record.fingerprint.is_empty() {
        lines.push(label("held", &record.fingerprint.join(", ")));
    }
    let is_new = |level: &&RuledOut| record.claims.iter().all(|claim| claim.claim != level.level);
    let above: Vec<String> = record.ruled_out_by.iter().filter(is_new).map(ruled_out).collect();
    if !above.is_empty() {
        lines.push(label("not", &above.join(", ")));
    }
    lines.push(label("replay", &record.replay.replacen("shakedown", program, 1)));
    if let Some(directory) = &record.directory {
        lines.push(label("report", &format!("{directory}/report.html")));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A level that does not hold, with the anomaly that shows it where that is called otherwise: `sequential (CyclicHB)`.
pub fn ruled_out(out: &RuledOut) -> String {
    if out.level == out.anomaly { out.level.clone() } else { format!("{} ({})", out.level, out.anomaly) }
}

/// An anomaly of a history: its operations, and why no order of them is legal.
pub fn anomaly(history: &History, anomaly: &Anomaly) -> String {
    let sentence = clipped(&anomaly.sentence, 600);
    let mut lines = vec![format!("  {BAD}{}{BAD:#}", anomaly.name), wrapped(&sentence)];
    let shown = anomaly.operations();
    let letter = |id: &OperationId| {
        let at = shown.iter().position(|shown| shown == id);
        at.map_or_else(|| format!("#{}", history.operation(*id).index()), letter_of)
    };
    lines.extend(
        shown
            .iter()
            .take(OPERATIONS)
            .map(|id| operation(&letter(id), history.operation(*id), None, !anomaly.proof.contains(id))),
    );
    if shown.len() > OPERATIONS {
        lines.push(format!("    and {} more: --format json has all operations", shown.len() - OPERATIONS));
    }
    for zone in anomaly.zones.iter().flatten() {
        lines.push(format!("    {}", clipped(&zone.sentence, 160)));
    }
    for order in anomaly.orders.iter().take(ORDERS) {
        let taken: Vec<String> = order.taken.iter().map(letter).collect();
        let taken = if taken.is_empty() { "at first".to_owned() } else { format!("after {}", taken.join(" ")) };
        for (id, why) in &order.refused {
            lines.push(wrapped(&format!("{taken}: not {}, for {}", letter(id), clipped(why, 240))));
        }
    }
    let is_in_sentence = |edge: &Edge| sentence.contains(&edge.reason);
    if !anomaly.edges.is_empty() && anomaly.edges.iter().all(is_in_sentence) {
        let step = |edge: &Edge| format!("{} before {} ({})", letter(&edge.from), letter(&edge.to), edge.kind);
        lines.push(wrapped(&anomaly.edges.iter().map(step).collect::<Vec<_>>().join(", ")));
    } else {
        for edge in &anomaly.edges {
            let (from, to) = (letter(&edge.from), letter(&edge.to));
            lines.push(wrapped(&format!("{from} before {to} ({}): {}", edge.kind, clipped(&edge.reason, 240))));
        }
    }
    let is_told = |why: &String| !anomaly.orders.is_empty() || anomaly.edges.iter().any(|edge| edge.reason == *why);
    lines.extend(anomaly.why.iter().filter(|why| !is_told(why)).map(|why| wrapped(&clipped(why, 240))));
    if anomaly.unreduced {
        lines.push("    to look for fewer operations took too long: fewer may be enough".to_owned());
    }
    if anomaly.orders.len() > ORDERS {
        lines.push(format!("    and {} more orders: --format json has them", anomaly.orders.len() - ORDERS));
    }
    lines.join("\n")
}

/// So many operations, and so many orders, of one anomaly are told: they must fit on a screen.
const OPERATIONS: usize = 12;
const ORDERS: usize = 4;

fn witness(history: &History, trace: &[TraceLine], anomaly: &AnomalyRecord) -> Vec<String> {
    let wanted: HashSet<u64> = anomaly.operations.iter().copied().collect();
    let shown = history.operations().filter(|operation| wanted.contains(&operation.index()));
    let mut lines = Vec::new();
    for (at, shown) in shown.take(OPERATIONS).enumerate() {
        let answered = trace.iter().find(|line| {
            line.event == "answered" && line.fields.get("operation").and_then(|o| o.as_u64()) == Some(shown.index())
        });
        lines.push(operation(&letter_of(at), shown, answered, anomaly.sources.contains(&shown.index())));
    }
    if wanted.len() > OPERATIONS {
        lines.push(format!("    and {} more: the page has all operations", wanted.len() - OPERATIONS));
    }
    lines
}

fn operation(letter: &str, operation: Operation<'_>, answered: Option<&TraceLine>, source: bool) -> String {
    let what = match operation.outcome() {
        Outcome::Ok if operation.function() == "txn" || *operation.argument() == Value::Nil => operation.result(),
        _ => operation.argument(),
    };
    let what = match operation.key() {
        Some(key) => format!("{} {key}={what}", operation.function()),
        None => format!("{} {what}", operation.function()),
    };
    let what = clipped(&what, 40);
    let seconds = |time: Option<u64>| time.map(|time| format!("{:.3}", time as f64 / 1e9));
    let when = match (seconds(operation.invoked_at()), seconds(operation.completed_at())) {
        (Some(from), Some(to)) => format!("{from}..{to} s"),
        (Some(from), None) => format!("{from}.. s"),
        _ => format!("events {}..{}", operation.invoked(), operation.completed()),
    };
    let outcome = match operation.outcome() {
        Outcome::Ok => "ok",
        Outcome::Fail => "fail",
        Outcome::Info => "info",
    };
    let by = answered.map(|line| {
        let field = |name: &str| line.fields.get(name).map(|value| value.to_string().trim_matches('"').to_owned());
        let role = field("role").map(|role| format!(", {role}")).unwrap_or_default();
        let epoch = ["term", "epoch"].into_iter().find_map(|name| Some(format!(" in {name} {}", field(name)?)));
        format!("  by {}{role}{}", line.node, epoch.unwrap_or_default())
    });
    let note = if source { "  (its source)" } else { "" };
    let (index, process) = (format!("#{}", operation.index()), format!("p{}", operation.process()));
    format!("    {letter} {index:<6} {process:<4} {what:<18} {when:<18} {outcome:<4}{}{note}", by.unwrap_or_default())
}

/// The faults that were going on while the operations of the anomaly were; where it has none, in the second before it.
fn during(record: &RunRecord, anomaly: &AnomalyRecord, history: Option<&History>) -> Option<String> {
    let at = anomaly.at?;
    let proof = |operation: &Operation<'_>| anomaly.operations.contains(&operation.index());
    let begun = history.and_then(|history| history.operations().filter(proof).filter_map(|o| o.invoked_at()).min());
    let from = begun.unwrap_or(at.saturating_sub(1_000_000_000));
    let faults: Vec<String> = record
        .applied_faults
        .iter()
        .filter(|fault| fault.began.is_some_and(|began| began <= at))
        .filter(|fault| fault.ended.is_none_or(|ended| ended >= from))
        .map(|fault| {
            let end = fault.ended.map_or("end".to_owned(), |ended| format!("{:.3} s", ended as f64 / 1e9));
            let began = fault.began.unwrap_or(0) as f64 / 1e9;
            format!("{} {}, {began:.3}..{end}", fault.kind, fault.description)
        })
        .collect();
    Some(label("during", if faults.is_empty() { "no fault".to_owned() } else { faults.join("; ") }.as_str()))
}

/// The table of a campaign: a row for each system, mode and workload.
pub fn table(records: &[RunRecord]) -> String {
    let mut rows: Vec<(String, Vec<&RunRecord>)> = Vec::new();
    for record in records {
        let key = format!("{}\0{}\0{}\0{:?}", record.system, record.mode, record.workload, record.defect);
        match rows.iter_mut().find(|(known, _)| *known == key) {
            Some((_, runs)) => runs.push(record),
            None => rows.push((key, vec![record])),
        }
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["system", "mode", "workload", "claims", "seeds", "held", "broken", "undecided", "seen", "reach"]);
    for (_, runs) in rows {
        let first = runs[0];
        let count = |word: VerdictWord| runs.iter().filter(|run| run.verdict == word).count().to_string();
        let claims: Vec<&str> = first.claims.iter().map(|claim| claim.claim.as_str()).collect();
        let reached = |mark: &&String| runs.iter().any(|run| run.reach.get(*mark).is_some_and(|times| *times > 0));
        let reach = format!("{}/{}", first.reach.keys().filter(reached).count(), first.reach.len());
        table.add_row([
            first.system.clone(),
            first.mode.clone(),
            first.workload.clone(),
            claims.join(", "),
            runs.len().to_string(),
            count(VerdictWord::Valid),
            count(VerdictWord::Invalid),
            count(VerdictWord::Unknown),
            seen(&runs),
            reach,
        ]);
    }
    for column in 4..8 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// What runs showed that their mode does not claim to rule out: in how many of them.
fn seen(runs: &[&RunRecord]) -> String {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for run in runs {
        let mut mine: Vec<&str> =
            run.anomalies.iter().filter(|anomaly| !anomaly.claimed).map(|anomaly| anomaly.name.as_str()).collect();
        mine.sort_unstable();
        mine.dedup();
        mine.into_iter().for_each(|name| *names.entry(name).or_default() += 1);
    }
    let names: Vec<String> = names.into_iter().map(|(name, runs)| format!("{name} {runs}")).collect();
    if names.is_empty() { "–".to_owned() } else { names.join(", ") }
}

fn tally(names: &[&str]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    names.iter().for_each(|name| *counts.entry(name).or_default() += 1);
    let counts: Vec<String> = counts
        .into_iter()
        .map(|(name, count)| if count == 1 { name.to_owned() } else { format!("{name} ×{count}") })
        .collect();
    counts.join(", ")
}

fn label(name: &str, text: &str) -> String {
    format!("  {DIM}{name:<8}{DIM:#} {text}")
}

/// So many characters of a text, and a sign that there are more.
fn clipped(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// A sentence in lines of at most 96 columns.
pub fn wrapped(sentence: &str) -> String {
    let mut lines = vec!["   ".to_owned()];
    for word in sentence.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        let word = clipped(word, 90);
        if line.chars().count() > 4 && line.chars().count() + word.chars().count() > 95 {
            lines.push(format!("    {word}"));
        } else {
            line.push(' ');
            line.push_str(&word);
        }
    }
    lines.join("\n")
}
