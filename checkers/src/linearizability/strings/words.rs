//! Violations of strings in words.

use crate::history::{NEVER, Operation, OperationId, Outcome};
use crate::linearizability::automaton::Effect;
use crate::linearizability::registers::{Access, INITIAL};
use crate::linearizability::sentence::{TOLD, of_zone};
use crate::linearizability::zones::Clash;
use crate::verdict::Anomaly;

use super::GrowingString;
use super::blocks::Violation;
use super::pieces::Pieces;

/// Names the anomaly and says it in a sentence.
pub(super) fn tell(
    string: &GrowingString<'_>,
    pieces: &Pieces<'_>,
    violation: &Violation,
    proof: Vec<OperationId>,
) -> Anomaly {
    let words = Words { string, pieces };
    let (name, sentence, mut sources) = match violation {
        Violation::NoPieces { get } => words.no_pieces(*get),
        Violation::Twice { get, change } => words.twice(*get, *change),
        Violation::Apart { gets } => words.apart(*gets),
        Violation::Clash { accesses, clash } => words.clash(accesses, clash, &proof),
    };
    sources.retain(|id| !proof.contains(id));
    sources.sort_unstable();
    sources.dedup();
    let mut why: Vec<String> = proof.iter().chain(&sources).take(TOLD).map(|&id| words.line(id)).collect();
    if let Violation::Clash { clash: Clash { zones: Some(zones), .. }, accesses } = violation {
        why.extend(zones.iter().map(|zone| words.zone(zone, accesses)));
    }
    Anomaly { name, proof, sources, sentence, why, ..Anomaly::default() }
}

/// A string as people read it: where it is long, only its end, and how long it is.
pub(super) fn quoted(text: &str) -> String {
    let characters = text.chars().count();
    if characters <= LONG {
        return format!("{text:?}");
    }
    let end: String = text.chars().skip(characters - LONG).collect();
    format!("{:?} ({characters} characters)", format!("…{end}"))
}

/// Longer strings are not shown whole.
const LONG: usize = 48;

/// A name, a sentence, and what else should be looked at.
type Told = (&'static str, String, Vec<OperationId>);

struct Words<'a, 's> {
    string: &'s GrowingString<'a>,
    pieces: &'s Pieces<'a>,
}

impl<'a> Words<'a, '_> {
    fn operation(&self, id: OperationId) -> Operation<'a> {
        self.string.history.operation(id)
    }

    fn get(&self, at: u32) -> Operation<'a> {
        self.operation(self.string.gets[at as usize].operation)
    }

    fn change(&self, at: u32) -> Operation<'a> {
        self.operation(self.string.changes[at as usize].operation)
    }

    fn no_pieces(&self, at: u32) -> Told {
        let get = self.get(at);
        let shown = self.string.shown[self.string.gets[at as usize].shown as usize];
        let got = self.got(get);
        let failed = self.string.history.operations().find(|operation| {
            let text = super::text_of(operation.argument());
            operation.outcome() == Outcome::Fail
                && operation.key_id() == self.string.key
                && operation.function() != "get"
                && !text.is_empty()
                && shown[self.pieces.known(shown)..].starts_with(text)
        });
        if let Some(failed) = failed {
            let told = format!(
                "{got}, although process {} had failed {} {}, which stands in it",
                failed.process(),
                gerund(failed),
                quoted(super::text_of(failed.argument()))
            );
            return ("aborted-read", told, vec![failed.id()]);
        }
        if let Some((text, bytes)) = self.pieces.cut_off(shown) {
            let told = format!(
                "{got}, which lost its beginning: it starts inside of {}, {bytes} bytes from where that begins",
                quoted(text)
            );
            return ("garbage-read", told, Vec::new());
        }
        let known = self.pieces.known(shown);
        let where_ = match known {
            0 => "from its beginning on".to_owned(),
            known => format!("after its first {known} bytes"),
        };
        let rest = quoted(&shown[known..].chars().take(LONG).collect::<String>());
        (
            "garbage-read",
            format!("{got}, although nothing that was put or appended gives what it is {where_}: {rest}"),
            Vec::new(),
        )
    }

    fn twice(&self, get: u32, change: u32) -> Told {
        let once = self.change(change);
        let told = format!(
            "{}, in which {} stands twice, although it was {} once, by process {}",
            self.got(self.get(get)),
            self.text(once),
            participle(once),
            once.process()
        );
        ("duplicate-elements", told, vec![once.id()])
    }

    fn apart(&self, gets: [u32; 2]) -> Told {
        let [one, other] = gets.map(|at| self.get(at));
        let texts = gets.map(|at| self.string.shown[self.string.gets[at as usize].shown as usize]);
        let same = texts[0].bytes().zip(texts[1].bytes()).take_while(|(one, other)| one == other).count();
        let told = format!(
            "{}, and {}: they differ after {same} bytes, and neither can have come from the other, as what stands in both was put or appended once",
            self.got(one),
            self.got(other),
        );
        ("incompatible-order", told, Vec::new())
    }

    fn clash(&self, accesses: &[Access], clash: &Clash, proof: &[OperationId]) -> Told {
        let suspects: Vec<OperationId> = clash.suspects.iter().map(|&at| accesses[at as usize].operation).collect();
        let is_get = |id: &&OperationId| self.operation(**id).function() == "get";
        let gets: Vec<OperationId> = proof.iter().filter(is_get).copied().collect();
        let changes: Vec<OperationId> = proof.iter().filter(|id| !is_get(id)).copied().collect();
        let known = match (gets.as_slice(), changes.as_slice()) {
            ([get], [] | [_]) if clash.zones.is_none() => self.against_itself(*get, &suspects),
            ([get], [change]) => self.without(*get, *change),
            ([one, other], []) => self.shorter(*one, *other),
            _ => None,
        };
        known.unwrap_or_else(|| self.any(proof, suspects))
    }

    /// A string that shows what had not begun, or an order that real time forbids.
    fn against_itself(&self, get: OperationId, suspects: &[OperationId]) -> Option<Told> {
        let &[first, second] = suspects else { return None };
        let [one, other] = [first, second].map(|id| self.operation(id));
        let (early, late) = if one.completed() < other.invoked() { (one, other) } else { (other, one) };
        let got = self.got(self.operation(get));
        let sources: Vec<OperationId> = suspects.iter().copied().filter(|&id| id != get).collect();
        if early.id() == get {
            let told = format!(
                "{got}, although process {} began {} {} only {}",
                late.process(),
                gerund(late),
                self.text(late),
                at(late.invoked_at(), late.invoked())
            );
            return Some(("future-read", told, sources));
        }
        if late.id() == get {
            return None;
        }
        let told = format!(
            "{got}, in which {} comes before {}, although process {} had completed {} the latter {} before process {} began {} the former {}",
            self.text(late),
            self.text(early),
            early.process(),
            gerund(early),
            at(early.completed_at(), early.completed()),
            late.process(),
            gerund(late),
            at(late.invoked_at(), late.invoked())
        );
        Some(("reordered-append", told, sources))
    }

    /// A string in which something is missing that had been appended, or put.
    fn without(&self, get: OperationId, change: OperationId) -> Option<Told> {
        let [get, change] = [get, change].map(|id| self.operation(id));
        (change.completed() < get.invoked()).then(|| {
            let told = format!(
                "{}, although process {} had completed {} {} {}, and nothing was put after that which it could have come from",
                self.got(get),
                change.process(),
                gerund(change),
                self.text(change),
                at(change.completed_at(), change.completed()),
            );
            ("stale-read", told, Vec::new())
        })
    }

    /// A string after one that goes on from it.
    fn shorter(&self, one: OperationId, other: OperationId) -> Option<Told> {
        let [one, other] = [one, other].map(|id| self.operation(id));
        let (early, late) = if one.completed() < other.invoked() { (one, other) } else { (other, one) };
        let [long, short] = [early, late].map(|get| super::text_of(get.result()));
        (early.completed() < late.invoked() && long.starts_with(short) && long.len() > short.len()).then(|| {
            let told = format!(
                "{}, although process {} had got {}, which goes on from it, {}",
                self.got(late),
                early.process(),
                quoted(long),
                at(early.completed_at(), early.completed()),
            );
            ("stale-read", told, Vec::new())
        })
    }

    fn any(&self, proof: &[OperationId], suspects: Vec<OperationId>) -> Told {
        let operations = proof.iter().map(|&id| self.operation(id));
        let last = operations.max_by_key(|operation| operation.completed());
        let did = last.map(|last| self.did(last)).unwrap_or_default();
        let list: Vec<String> = proof.iter().take(8).map(|&id| format!("#{}", self.operation(id).index())).collect();
        let told = format!(
            "no order of {} operations on {} is legal ({}); the last to complete: {did}",
            proof.len(),
            self.place(),
            list.join(", "),
        );
        ("nonlinearizable", told, suspects)
    }

    /// When a string must, or could, have been there.
    fn zone(&self, zone: &crate::linearizability::zones::Zone, accesses: &[Access]) -> String {
        let operation = |at: u32| accesses.get(at as usize).map(|access| access.operation);
        let value = match accesses.iter().find(|access| access.effect.writes() == Some(zone.root)) {
            _ if zone.root == INITIAL => "the empty string, or what was appended to it,".to_owned(),
            Some(access) if matches!(access.effect, Effect::Write(_)) => {
                format!("{}, or what was appended to it,", self.text(self.operation(access.operation)))
            }
            _ => "the string".to_owned(),
        };
        of_zone(self.string.history, &value, zone.is_forward(), operation(zone.completed.1), operation(zone.invoked.1))
    }

    fn line(&self, id: OperationId) -> String {
        let operation = self.operation(id);
        let end = match operation.outcome() {
            _ if operation.completed() == NEVER => ", and never completed".to_owned(),
            Outcome::Ok => format!(" to {}", moment(operation.completed_at(), operation.completed())),
            Outcome::Info => ", of unknown outcome".to_owned(),
            Outcome::Fail => ", failed".to_owned(),
        };
        let from = moment(operation.invoked_at(), operation.invoked());
        let did = match operation.function() {
            "get" => format!("got {}", quoted(super::text_of(operation.result()))),
            _ => format!("{} {}", participle(operation), self.text(operation)),
        };
        format!("#{}: process {} {did}, from {from}{end}", operation.index(), operation.process())
    }

    /// `process 3 got "…x 4 17 y" (1204 characters) from key 7 at 1.204 s`.
    fn got(&self, get: Operation<'_>) -> String {
        format!(
            "process {} got {} from {} {}",
            get.process(),
            quoted(super::text_of(get.result())),
            self.place(),
            at(get.completed_at(), get.completed())
        )
    }

    fn did(&self, operation: Operation<'_>) -> String {
        if operation.function() == "get" {
            return self.got(operation);
        }
        format!(
            "process {} {} {} {}",
            operation.process(),
            participle(operation),
            self.text(operation),
            at(operation.completed_at(), operation.completed())
        )
    }

    fn text(&self, change: Operation<'_>) -> String {
        quoted(super::text_of(change.argument()))
    }

    fn place(&self) -> String {
        match self.string.key {
            Some(key) => format!("key {}", self.string.history.value(key)),
            None => "the string".to_owned(),
        }
    }
}

fn moment(time: Option<u64>, position: u32) -> String {
    match time {
        Some(nanoseconds) => format!("{:.3} s", nanoseconds as f64 / 1e9),
        None => format!("event {position}"),
    }
}

fn at(time: Option<u64>, position: u32) -> String {
    format!("at {}", moment(time, position))
}

fn gerund(change: Operation<'_>) -> &'static str {
    if change.function() == "put" { "putting" } else { "appending" }
}

fn participle(change: Operation<'_>) -> &'static str {
    if change.function() == "put" { "put" } else { "appended" }
}
