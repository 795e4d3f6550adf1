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
//! in one way at most, and each piece names its operation. Where a piece comes again, or is empty, all that completed before that can still be
//! found to be illegal.
//!
//! *Method:* all that is shown after one `put`, or after none, is a *chain*: its gets must be beginnings of the longest. An operation that a chain
//! shows happened, in its place. Those that no get shows can only stand where nobody reads before the next `put`: that is between the
//! blocks of operations that chains make, as a write of a value of its own does. So a string is linearizable exactly when the register of its
//! versions is, which [zones](super::super::zones) decide. `info` operations that nobody saw can be left out.
//!
//! *A proof* binds few operations: gets that are not bound showed nothing, and other operations that are not bound may have happened or not.
//!
//! *Cost:* O(n log n), and the bytes of all strings, which are compared with the longest of their chain.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::History;
use crate::history::{EventPosition, NEVER, Operation, OperationId, Outcome, Value};
use crate::linearizability::automaton::{Effect, State};
use crate::linearizability::registers::{Access, INITIAL};
use crate::linearizability::zones::{self, Zones};

use super::phrases::{at, began, ended, place};
use super::{Decision, Violation, cut};

/// Decides about the operations of one string, if its pieces tell themselves apart.
pub(super) fn decide(history: &History, operations: &[OperationId]) -> Option<Decision> {
    let string = GrowingString::of(history, operations)?;
    let Some(clash) = string.clash(&|_| true) else {
        return (string.until == NEVER).then_some(Decision::Legal);
    };
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
    /// Whether it is known to have happened.
    must: bool,
}

/// The operations of one string. They are named by their places.
struct GrowingString<'a> {
    history: &'a History,
    operations: &'a [OperationId],
    /// Later events are not looked at: from there on, pieces do not tell themselves apart.
    until: EventPosition,
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
        let mut until = NEVER;
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
            if deed != Deed::Get && (text.is_empty() || pieces.contains_key(text)) {
                until = operation.invoked();
                break;
            }
            if deed != Deed::Get {
                pieces.insert(text, requests.len() as u32);
            }
            requests.push(Request { operation, deed, text, must: operation.outcome() == Outcome::Ok });
        }
        // What has not completed by then may have happened or not.
        requests.iter_mut().for_each(|request| request.must &= request.operation.completed() < until);
        let mut sorted: Vec<&[u8]> = pieces.keys().copied().collect();
        sorted.sort_unstable();
        // Whatever stands between a piece and one that begins with it begins with it too.
        if sorted.windows(2).any(|pair| pair[1].starts_with(pair[0])) {
            return None;
        }
        let mut lengths: Vec<usize> = sorted.iter().map(|piece| piece.len()).collect();
        lengths.sort_unstable();
        lengths.dedup();
        Some(GrowingString { history, operations, until, requests, pieces, lengths })
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
            let must = request.must && bound(place);
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
            if request.deed == Deed::Get && request.must && bound(at as u32) && !request.text.is_empty() {
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
                let told = format!("{got}, although nobody had brought what follows after {from} bytes: {beginning:?}");
                ("garbage-read", told)
            }
        }
    }

    fn out_of_order(&self, bound: &[OperationId]) -> (&'static str, String) {
        let of_deed = |is_get: bool| {
            let is_such = move |at: &u32| (self.requests[*at as usize].deed == Deed::Get) == is_get;
            (0..self.requests.len() as u32).filter(is_such)
        };
        let request = |at: u32| &self.requests[at as usize];
        let is_bound = |at: &u32| request(*at).must && bound.binary_search(&request(*at).operation.id()).is_ok();
        let gets: Vec<u32> = of_deed(true).filter(is_bound).collect();
        for &get in &gets {
            let shown: FxHashSet<u32> = self.pieces_from(get, 0).flatten().map(|(piece, _)| piece).collect();
            let (began_at, ended_at) = (request(get).operation.invoked(), request(get).operation.completed());
            if let Some(late) =
                shown.iter().copied().filter(|&piece| request(piece).operation.invoked() > ended_at).min()
            {
                let told = format!(
                    "{}, although {}, which it shows, began only {}",
                    self.got(get),
                    self.brought(late),
                    began(request(late).operation)
                );
                return ("future-read", told);
            }
            let earlier = gets.iter().copied().find(|&earlier| {
                let (earlier, text) = (request(earlier), request(get).text);
                earlier.operation.completed() < began_at
                    && earlier.text.len() > text.len()
                    && earlier.text.starts_with(text)
            });
            if let Some(earlier) = earlier {
                return ("stale-read", format!("{}, although before that {}", self.got(get), self.got(earlier)));
            }
            let hidden = of_deed(false)
                .filter(is_bound)
                .find(|piece| request(*piece).operation.completed() < began_at && !shown.contains(piece));
            if let Some(hidden) = hidden {
                let told = format!(
                    "{}, although {}, which it does not show, had ended {}",
                    self.got(get),
                    self.brought(hidden),
                    ended(request(hidden).operation)
                );
                return ("stale-read", told);
            }
        }
        let last = gets.into_iter().max_by_key(|&get| request(get).operation.completed());
        let last = last.map(|get| self.got(get)).unwrap_or_default();
        let operations = bound.len();
        ("nonlinearizable", format!("no order of {operations} operations is legal; the last get to complete: {last}"))
    }

    /// `the append of abc by process 3`.
    fn brought(&self, piece: u32) -> String {
        let operation = self.requests[piece as usize].operation;
        format!("the {} of {} by process {}", operation.function(), operation.argument(), operation.process())
    }

    /// `process 3 got "…abc" from key 7 at 1.204 s`.
    fn got(&self, get: u32) -> String {
        let Request { operation, text, .. } = self.requests[get as usize];
        let tail = String::from_utf8_lossy(&text[text.len().saturating_sub(TOLD)..]);
        let begins = if text.len() > TOLD { "…" } else { "" };
        let when = at(operation.completed_at(), operation.completed());
        format!("process {} got {begins}{tail:?} from {} {when}", operation.process(), place("string", operation))
    }
}
