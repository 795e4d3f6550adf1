//! Strings that are put and appended to, without a search: each `get` shows the order of all that came before it.
//!
//! ```text
//!   append a [---]    append b [---]    put c [---]    append d [---]
//!                                    get → "ab"                get → "c"
//!
//!   versions     "" ─► a ─► ab      c ─► cd           a register whose values are distinct: appends that somebody saw are
//!                └─ no put ─────┘   └─ since put c    compare-and-set from one version to the next
//! ```
//!
//! *When it applies:* no piece (what a `put` or an `append` brings) is empty or begins with another. Each string then falls into pieces
//! in one way at most, and each piece names its operation.
//!
//! *Method:* all that is shown after one `put`, or after none, is a *chain*: its gets must be beginnings of the longest. An operation that a chain
//! shows happened, in its place. Those that no get shows can only stand where nobody reads before the next `put`: that is between the
//! blocks of operations that chains make, as a write of a value of its own does. So a string is linearizable exactly when the register of its
//! versions is, which [zones](super::super::zones) decide. `info` operations that nobody saw can be left out.
//!
//! *A proof* binds few operations: gets that are not bound showed nothing, and other operations that are not bound may have happened or not.
//!
//! *Cost:* O(n log n), and the bytes of all strings, which are compared with the longest of their chain.

use rustc_hash::FxHashMap;

use crate::History;
use crate::history::{NEVER, Operation, OperationId, Outcome, Value};
use crate::linearizability::automaton::{Effect, State};
use crate::linearizability::registers::{Access, INITIAL};
use crate::linearizability::zones::{self, Zones};

use super::phrases::{at, began, ended, place};
use super::{Decision, Violation, cut};

/// Decides about the operations of one string, if its pieces tell themselves apart.
pub(super) fn decide(history: &History, operations: &[OperationId]) -> Option<Decision> {
    let string = GrowingString::of(history, operations)?;
    let Some(clash) = string.clash(&|_| true) else { return Some(Decision::Legal) };
    let bound =
        |chosen: &[OperationId], at: u32| chosen.binary_search(&string.requests[at as usize].operation.id()).is_ok();
    let find = |chosen: &[OperationId]| {
        let clash = string.clash(&|at| bound(chosen, at))?;
        Some(string.told(&clash, chosen))
    };
    let mut suspects: Vec<OperationId> =
        clash.suspects().iter().map(|&at| string.requests[at as usize].operation.id()).collect();
    suspects.sort_unstable();
    suspects.dedup();
    let violation = find(&suspects).or_else(|| find(operations))?;
    Some(cut(violation, &[], find))
}

/// What an operation does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Get,
    Put,
    Append,
}

/// An operation that happened or may have; gets of which nothing is known are none.
struct Request<'a> {
    operation: Operation<'a>,
    deed: Deed,
    /// What was got, put or appended.
    text: &'a [u8],
}

/// The operations of one string. They are named by their places.
struct GrowingString<'a> {
    history: &'a History,
    operations: &'a [OperationId],
    requests: Vec<Request<'a>>,
    /// Which operation brought each piece.
    pieces: FxHashMap<&'a [u8], u32>,
    /// The lengths of pieces, each once.
    lengths: Vec<usize>,
}

/// Why no order is legal.
enum Clash {
    /// A get shows what nobody brought, from this byte on.
    Garbage { get: u32, from: usize },
    /// A get shows one append twice.
    Twice { get: u32, append: u32 },
    /// Two gets show the same append, or go back to the same put, and go on differently.
    Different { gets: [u32; 2] },
    /// The versions are in order, the operations are not.
    OutOfOrder { suspects: Vec<u32> },
}

impl Clash {
    /// Operations that prove it.
    fn suspects(&self) -> &[u32] {
        match self {
            Clash::Garbage { get, .. } | Clash::Twice { get, .. } => std::slice::from_ref(get),
            Clash::Different { gets } => gets,
            Clash::OutOfOrder { suspects } => suspects,
        }
    }
}

/// No operation: before the first one.
const NOBODY: u32 = u32::MAX;

/// What was seen after one put, or after none.
#[derive(Default)]
struct Chain<'a> {
    /// The longest string, and the get that shows it.
    text: &'a [u8],
    shown_by: u32,
    /// Its pieces, and where each ends.
    pieces: Vec<u32>,
    ends: Vec<usize>,
}

/// All that gets show.
struct Versions<'a> {
    /// By the put that each begins with; [`NOBODY`] for none.
    chains: FxHashMap<u32, Chain<'a>>,
    /// For each put or append that somebody saw: the put of its chain, and the piece before it.
    seen: FxHashMap<u32, (u32, u32)>,
    /// For each get: its last piece.
    last: Vec<u32>,
}

impl<'a> GrowingString<'a> {
    fn of(history: &'a History, operations: &'a [OperationId]) -> Option<GrowingString<'a>> {
        let mut requests = Vec::with_capacity(operations.len());
        let mut pieces = FxHashMap::default();
        for &id in operations {
            let operation = history.operation(id);
            let deed = match operation.function() {
                "get" => Deed::Get,
                "put" => Deed::Put,
                _ => Deed::Append,
            };
            let skipped = if deed == Deed::Get {
                operation.outcome() != Outcome::Ok
            } else {
                operation.outcome() == Outcome::Fail
            };
            if skipped {
                continue;
            }
            let text: &[u8] = match if deed == Deed::Get { operation.result() } else { operation.argument() } {
                Value::Text(text) => text.as_bytes(),
                _ => &[],
            };
            if deed != Deed::Get && (text.is_empty() || pieces.insert(text, requests.len() as u32).is_some()) {
                return None;
            }
            requests.push(Request { operation, deed, text });
        }
        let mut sorted: Vec<&[u8]> = pieces.keys().copied().collect();
        sorted.sort_unstable();
        // Whatever stands between a piece and one that begins with it begins with it too.
        if sorted.windows(2).any(|pair| pair[1].starts_with(pair[0])) {
            return None;
        }
        let mut lengths: Vec<usize> = sorted.iter().map(|piece| piece.len()).collect();
        lengths.sort_unstable();
        lengths.dedup();
        Some(GrowingString { history, operations, requests, pieces, lengths })
    }

    /// The piece that a text begins with.
    fn first_piece(&self, text: &[u8]) -> Option<u32> {
        self.lengths.iter().map_while(|&length| text.get(..length)).find_map(|piece| self.pieces.get(piece).copied())
    }

    /// What is wrong if only these operations are bound.
    fn clash(&self, bound: &impl Fn(u32) -> bool) -> Option<Clash> {
        let versions = match self.versions(bound) {
            Ok(versions) => versions,
            Err(clash) => return Some(clash),
        };
        let mut accesses = Vec::with_capacity(self.requests.len());
        let mut places = Vec::with_capacity(self.requests.len());
        for (at, request) in self.requests.iter().enumerate() {
            let place = at as u32;
            let must = bound(place) && request.operation.outcome() == Outcome::Ok;
            let effect = match (request.deed, versions.seen.get(&place)) {
                (Deed::Get, _) if must => Effect::Read(version(versions.last[at])),
                (Deed::Append, Some(&(_, before))) => Effect::Cas(version(before), version(place)),
                (Deed::Put, Some(_)) => Effect::Write(version(place)),
                (Deed::Put | Deed::Append, None) if must => Effect::Write(version(place)),
                _ => continue,
            };
            let completed = if must { request.operation.completed() } else { NEVER };
            let invoked = request.operation.invoked();
            accesses.push(Access { operation: request.operation.id(), effect, invoked, completed, must });
            places.push(place);
        }
        let Zones::Illegal(clash) = zones::judge(&accesses, self.requests.len() + 1) else { return None };
        let mut suspects: Vec<u32> = clash.suspects.iter().filter_map(|&at| places.get(at as usize)).copied().collect();
        // The longest string of a chain shows how all that is in it hangs together.
        let base = |at: u32| match self.requests[at as usize].deed {
            Deed::Get => versions.base_of(versions.last[at as usize]),
            _ => versions.base_of(at),
        };
        let chains: Vec<u32> = suspects
            .iter()
            .map(|&at| base(at))
            .chain(clash.states.iter().map(|&state| versions.base_of(state.checked_sub(1).unwrap_or(NOBODY))))
            .collect();
        suspects.extend(chains.iter().filter_map(|base| versions.chains.get(base)).map(|chain| chain.shown_by));
        Some(Clash::OutOfOrder { suspects })
    }

    /// Takes all bound gets apart.
    fn versions(&self, bound: &impl Fn(u32) -> bool) -> Result<Versions<'a>, Clash> {
        let mut versions = Versions {
            chains: FxHashMap::default(),
            seen: FxHashMap::default(),
            last: vec![NOBODY; self.requests.len()],
        };
        for (at, request) in self.requests.iter().enumerate() {
            if request.deed == Deed::Get && bound(at as u32) && !request.text.is_empty() {
                versions.last[at] = self.last_piece(&mut versions, at as u32, request.text)?;
            }
        }
        Ok(versions)
    }

    /// Finds the place of a string in its chain, which it may make longer, and gives its last piece.
    fn last_piece(&self, versions: &mut Versions<'a>, get: u32, text: &'a [u8]) -> Result<u32, Clash> {
        let first = self.first_piece(text).ok_or(Clash::Garbage { get, from: 0 })?;
        let base = if self.requests[first as usize].deed == Deed::Put { first } else { NOBODY };
        let known = versions.chains.entry(base).or_default();
        if known.text.starts_with(text) {
            return match known.ends.binary_search(&text.len()) {
                Ok(place) => Ok(known.pieces[place]),
                Err(place) => {
                    Err(Clash::Garbage { get, from: place.checked_sub(1).map_or(0, |last| known.ends[last]) })
                }
            };
        }
        if !text.starts_with(known.text) {
            let common = text.iter().zip(known.text).take_while(|(one, other)| one == other).count();
            let same = known.ends.partition_point(|&end| end <= common);
            let from = same.checked_sub(1).map_or(0, |last| known.ends[last]);
            let gets = [get, known.shown_by];
            self.pieces_from(get, from).try_for_each(|piece| piece.map(|_| ()))?;
            return Err(Clash::Different { gets });
        }
        let mut chain = std::mem::take(known);
        for piece in self.pieces_from(get, chain.text.len()) {
            let (piece, end) = piece?;
            if let Some(&(other, _)) = versions.seen.get(&piece) {
                let Some(other) = versions.chains.get(&other).filter(|_| other != base) else {
                    return Err(Clash::Twice { get, append: piece });
                };
                return Err(Clash::Different { gets: [get, other.shown_by] });
            }
            let before = chain.pieces.last().copied().unwrap_or(NOBODY);
            versions.seen.insert(piece, (base, before));
            chain.pieces.push(piece);
            chain.ends.push(end);
        }
        (chain.text, chain.shown_by) = (text, get);
        let last = chain.pieces.last().copied().unwrap_or(NOBODY);
        versions.chains.insert(base, chain);
        Ok(last)
    }

    /// The pieces of a string from a byte on, and where each ends.
    fn pieces_from(&self, get: u32, mut from: usize) -> impl Iterator<Item = Result<(u32, usize), Clash>> {
        let text = self.requests[get as usize].text;
        std::iter::from_fn(move || {
            if from >= text.len() {
                return None;
            }
            let piece = self.first_piece(&text[from..]);
            // A put is always the first.
            let piece = piece.filter(|&piece| from == 0 || self.requests[piece as usize].deed == Deed::Append);
            let Some(piece) = piece else {
                let garbage = Clash::Garbage { get, from };
                from = text.len();
                return Some(Err(garbage));
            };
            from += self.requests[piece as usize].text.len();
            Some(Ok((piece, from)))
        })
    }
}

impl Versions<'_> {
    /// The put of the chain in which an operation was seen; its own if nobody saw it.
    fn base_of(&self, piece: u32) -> u32 {
        self.seen.get(&piece).map_or(piece, |&(base, _)| base)
    }
}

/// The state of the register after a piece.
fn version(piece: u32) -> State {
    if piece == NOBODY { INITIAL } else { piece + 1 }
}

/// Of a long string so many bytes are told.
const TOLD: usize = 40;

impl GrowingString<'_> {
    /// A violation in words. The operations are those that are bound.
    fn told(&self, clash: &Clash, bound: &[OperationId]) -> Violation {
        let (name, sentence) = match clash {
            Clash::Garbage { get, from } => self.garbage(*get, *from),
            Clash::Twice { get, append } => {
                let append = self.requests[*append as usize].operation;
                let told = format!(
                    "{}, which holds {} twice, although process {} appended it only once",
                    self.got(*get),
                    append.argument(),
                    append.process()
                );
                ("duplicate-elements", told)
            }
            Clash::Different { gets: [get, other] } => {
                let told = format!(
                    "{}, and {}: neither string is the beginning of the other, although both hold what was put or appended once",
                    self.got(*get),
                    self.got(*other)
                );
                ("incompatible-order", told)
            }
            Clash::OutOfOrder { .. } => self.out_of_order(bound),
        };
        Violation { units: bound.iter().map(|&id| vec![id]).collect(), name, sentence }
    }

    fn garbage(&self, get: u32, from: usize) -> (&'static str, String) {
        let rest = &self.requests[get as usize].text[from..];
        let failed = self.operations.iter().map(|&id| self.history.operation(id)).find(|operation| {
            let piece = if let Value::Text(piece) = operation.argument() { piece.as_bytes() } else { &[] };
            operation.outcome() == Outcome::Fail && !piece.is_empty() && rest.starts_with(piece)
        });
        let got = self.got(get);
        match failed {
            Some(failed) => {
                let (function, argument, process) = (failed.function(), failed.argument(), failed.process());
                ("aborted-read", format!("{got}, although the {function} of {argument}, by process {process}, failed"))
            }
            None => {
                let beginning = String::from_utf8_lossy(&rest[..rest.len().min(TOLD)]);
                let told = format!("{got}, although nobody brought what follows after {from} bytes: {beginning:?}");
                ("garbage-read", told)
            }
        }
    }

    fn out_of_order(&self, bound: &[OperationId]) -> (&'static str, String) {
        let is_bound = |request: &&Request<'_>| bound.binary_search(&request.operation.id()).is_ok();
        let gets = || self.requests.iter().filter(|request| request.deed == Deed::Get).filter(is_bound);
        let brought = || self.requests.iter().filter(|request| request.deed != Deed::Get);
        let shows = |get: &Request<'_>, piece: &Request<'_>| {
            get.text.len() >= piece.text.len() && get.text.windows(piece.text.len()).any(|window| window == piece.text)
        };
        for get in gets() {
            let late =
                brought().find(|piece| piece.operation.invoked() > get.operation.completed() && shows(get, piece));
            if let Some(late) = late {
                let told = format!(
                    "{}, although the {} of {}, by process {}, which it shows, began only {}",
                    self.did(get),
                    late.operation.function(),
                    late.operation.argument(),
                    late.operation.process(),
                    began(late.operation)
                );
                return ("future-read", told);
            }
        }
        for get in gets() {
            let hidden = brought().filter(is_bound).find(|piece| {
                piece.operation.outcome() == Outcome::Ok
                    && piece.operation.completed() < get.operation.invoked()
                    && !shows(get, piece)
            });
            if let Some(hidden) = hidden {
                let told = format!(
                    "{} without {}, of which process {} had completed the {} {}",
                    self.did(get),
                    hidden.operation.argument(),
                    hidden.operation.process(),
                    hidden.operation.function(),
                    ended(hidden.operation)
                );
                return ("stale-read", told);
            }
        }
        let operations = bound.len();
        let last = gets().max_by_key(|get| get.operation.completed()).map(|get| self.did(get)).unwrap_or_default();
        ("nonlinearizable", format!("no order of {operations} operations is legal; the last get to complete: {last}"))
    }

    fn got(&self, get: u32) -> String {
        self.did(&self.requests[get as usize])
    }

    /// `process 3 got "…abc" from key 7 at 1.204 s`.
    fn did(&self, get: &Request<'_>) -> String {
        let operation = get.operation;
        let tail = String::from_utf8_lossy(&get.text[get.text.len().saturating_sub(TOLD)..]);
        let begins = if get.text.len() > TOLD { "…" } else { "" };
        let when = at(operation.completed_at(), operation.completed());
        format!("process {} got {begins}{tail:?} from {} {when}", operation.process(), place("string", operation))
    }
}
