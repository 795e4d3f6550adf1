//! A history of strings as one of a register whose values are the strings that were shown.
//!
//! ```text
//!   put a, append b, append c; get → "ab"; put d, append e; get → "de"
//!
//!   a ──b──► ab        write a, cas a ab, read ab
//!   d ──e──► de        write d, cas d de, read de        append c: nobody was shown it, it writes a value of its own
//! ```
//!
//! *Why these are the same:* a put or append that was shown by some string stands at one place of the strings, as each falls into pieces in
//! one way, and each piece comes from one change. So it takes effect exactly where the register holds what stands before it there. A change that is in no
//! string takes effect in any state, and leaves one that nobody was shown, up to the next put, as a write of a value of its own does.
//! Where only some operations are *bound*, others may have happened or not: gets that are not say nothing, changes that are not
//! count where a bound get shows them.

use rustc_hash::FxHashMap;

use crate::history::{NEVER, OperationId};
use crate::linearizability::automaton::{Effect, State};
use crate::linearizability::registers::Access;
use crate::linearizability::zones::{self, Clash, Zones};

use super::GrowingString;
use super::pieces::{Fall, Pieces};

/// What the strings tell.
pub(super) enum Judged {
    Legal,
    Illegal(Blocks, Violation),
    /// Some string falls into pieces in several ways, or a piece may have come from several changes.
    Undecided,
}

/// What cannot be. Gets and changes are named by their places in the lists of the string.
#[derive(Clone, Debug)]
pub(super) enum Violation {
    /// A string falls into no pieces.
    NoPieces { get: u32 },
    /// A string holds twice what was put or appended once.
    Twice { get: u32, change: u32 },
    /// Two strings hold one piece, or begin, alike, and none goes on from the other.
    Apart { gets: [u32; 2] },
    /// Real time forbids it.
    Clash { accesses: Vec<Access>, clash: Clash },
}

/// The strings that were shown, and all their beginnings that end with a piece, as a forest of which each tree is a chain.
pub(super) struct Blocks {
    nodes: Vec<Node>,
    /// For each change: the string that it led to, if that was shown.
    places: Vec<u32>,
}

/// A string.
struct Node {
    /// The string that it goes on from.
    before: u32,
    /// The string that goes on from it.
    next: u32,
    /// The get that was shown it that completed first.
    get: u32,
    /// Some get that was shown it, or one that goes on from it.
    witness: u32,
}

const NONE: u32 = u32::MAX;

/// The empty string, before anything was done to it.
const NOTHING: u32 = 0;

/// For each string that was put first: the longest one that was shown to go on from it, and where its pieces end.
#[derive(Default)]
struct Chain<'a> {
    shown: &'a str,
    ends: Vec<(usize, u32)>,
}

impl Blocks {
    /// Judges the bound operations, or all.
    pub fn of(string: &GrowingString<'_>, pieces: &Pieces<'_>, bound: Option<&[OperationId]>) -> Judged {
        let is_bound = |id: OperationId| bound.is_none_or(|bound| bound.binary_search(&id).is_ok());
        let nothing = Node { before: NONE, next: NONE, get: NONE, witness: NONE };
        let mut blocks = Blocks { nodes: vec![nothing], places: vec![NONE; string.changes.len()] };
        let mut chains: FxHashMap<u32, Chain<'_>> = FxHashMap::default();
        let mut of_shown = vec![NONE; string.shown.len()];
        let mut undecided = false;
        for (at, get) in string.gets.iter().enumerate().filter(|(_, get)| is_bound(get.operation)) {
            let node = &mut of_shown[get.shown as usize];
            if *node == NONE {
                match blocks.place(string.shown[get.shown as usize], at as u32, pieces, &mut chains) {
                    Ok(Some(place)) => *node = place,
                    Ok(None) => {
                        undecided = true;
                        continue;
                    }
                    Err(violation) => return Judged::Illegal(blocks, violation),
                }
            }
            let first = &mut blocks.nodes[*node as usize].get;
            if *first == NONE || get.completed < string.gets[*first as usize].completed {
                *first = at as u32;
            }
        }
        // Gets whose strings are not told apart are not bound: without them a violation is one all the same.
        let (accesses, states) = blocks.accesses(string, &of_shown, is_bound);
        match zones::judge(&accesses, states) {
            Zones::Legal if undecided => Judged::Undecided,
            Zones::Legal => Judged::Legal,
            Zones::Illegal(clash) => Judged::Illegal(blocks, Violation::Clash { accesses, clash }),
            Zones::Undecided => unreachable!("no string is left twice"),
        }
    }

    /// The place of a string that a get was shown, if there is only one.
    fn place<'a>(
        &mut self,
        shown: &'a str,
        get: u32,
        pieces: &Pieces<'_>,
        chains: &mut FxHashMap<u32, Chain<'a>>,
    ) -> Result<Option<u32>, Violation> {
        let (mut node, mut from) = (NOTHING, 0);
        let mut first = NONE;
        if pieces.is_prefix_free() && !shown.is_empty() {
            let Some(begins) = pieces.begins_with(shown) else { return Err(Violation::NoPieces { get }) };
            first = if begins.is_put { begins.text } else { NONE };
            // What has one beginning has it from one place, and need not be looked at again.
            if let Some(chain) = chains.get(&first) {
                let common = if shown.starts_with(chain.shown) {
                    chain.shown.len()
                } else if chain.shown.starts_with(shown) {
                    shown.len()
                } else {
                    0
                };
                let ends = chain.ends.partition_point(|(end, _)| *end <= common);
                if let Some(&(end, last)) = ends.checked_sub(1).map(|last| &chain.ends[last]) {
                    (node, from) = (last, end);
                }
            }
        }
        let found = match pieces.fall(shown, from) {
            Fall::Once(found) => found,
            Fall::Often => return Ok(None),
            Fall::Never => return Err(Violation::NoPieces { get }),
        };
        // All or nothing: what a get that is not placed shows must not tell where others stand.
        if found.iter().any(|(piece, _)| pieces.only(*piece).is_none()) {
            return Ok(None);
        }
        let mut ends = Vec::with_capacity(found.len());
        for (piece, end) in found {
            let change = pieces.only(piece).expect("the piece was looked at above");
            node = self.go_on(if piece.is_put { NONE } else { node }, change, get)?;
            ends.push((end, node));
        }
        if pieces.is_prefix_free() && !shown.is_empty() {
            let chain = chains.entry(first).or_default();
            if from == chain.shown.len() {
                chain.shown = shown;
                chain.ends.extend(ends);
            }
        }
        Ok(Some(node))
    }

    /// The string that a change leads to from another; from none, if it was put.
    fn go_on(&mut self, before: u32, change: u32, get: u32) -> Result<u32, Violation> {
        let place = self.places[change as usize];
        if place == NONE {
            let fresh = self.nodes.len() as u32;
            if before != NONE {
                let next = &mut self.nodes[before as usize].next;
                if *next != NONE {
                    let other = *next as usize;
                    return Err(Violation::Apart { gets: [self.nodes[other].witness, get] });
                }
                *next = fresh;
            }
            self.nodes.push(Node { before, next: NONE, get: NONE, witness: get });
            self.places[change as usize] = fresh;
            return Ok(fresh);
        }
        let node = &self.nodes[place as usize];
        if node.before == before {
            return Ok(place);
        }
        match self.beginnings(before).any(|beginning| beginning == place) {
            true => Err(Violation::Twice { get, change }),
            false => Err(Violation::Apart { gets: [node.witness, get] }),
        }
    }

    /// A string, and all that it goes on from.
    fn beginnings(&self, node: u32) -> impl Iterator<Item = u32> {
        let exists = |node: u32| (node != NONE).then_some(node);
        std::iter::successors(exists(node), move |&node| exists(self.nodes[node as usize].before))
    }

    /// The operations as those of a register, and how many states they name.
    fn accesses(
        &self,
        string: &GrowingString<'_>,
        of_shown: &[u32],
        is_bound: impl Fn(OperationId) -> bool,
    ) -> (Vec<Access>, usize) {
        let mut states = self.nodes.len() as State;
        let mut accesses = Vec::with_capacity(string.changes.len() + string.gets.len());
        let is_placed = |get: &&super::Get| is_bound(get.operation) && of_shown[get.shown as usize] != NONE;
        let mut gets = string.gets.iter().filter(is_placed).peekable();
        let read = |get: &super::Get| Access {
            operation: get.operation,
            effect: Effect::Read(of_shown[get.shown as usize]),
            invoked: get.invoked,
            completed: get.completed,
            must: true,
        };
        for (at, change) in string.changes.iter().enumerate() {
            while let Some(get) = gets.next_if(|get| get.invoked < change.invoked) {
                accesses.push(read(get));
            }
            let must = change.must && is_bound(change.operation);
            let place = self.places[at];
            let effect = match self.nodes.get(place as usize) {
                Some(node) if node.before == NONE => Effect::Write(place),
                Some(node) => Effect::Cas(node.before, place),
                None if must => {
                    states += 1;
                    Effect::Write(states - 1)
                }
                None => continue,
            };
            let &super::Change { operation, invoked, .. } = change;
            let completed = if must { change.completed } else { NEVER };
            accesses.push(Access { operation, effect, invoked, completed, must });
        }
        accesses.extend(gets.map(read));
        (accesses, states as usize)
    }

    /// The longest string that was shown to go on from one that a register held, if it was shown.
    fn longest(&self, state: State) -> Option<&Node> {
        let mut node = self.nodes.get(state as usize)?;
        while node.next != NONE {
            node = &self.nodes[node.next as usize];
        }
        Some(node)
    }

    /// Gets and changes that prove a violation together, if they are bound. What shows where others stand comes first: perhaps it can be
    /// spared.
    pub fn witnesses(&self, string: &GrowingString<'_>, violation: &Violation) -> Vec<OperationId> {
        let get = |at: u32| string.gets.get(at as usize).map(|get| get.operation);
        let mut witnesses: Vec<OperationId> = match violation {
            Violation::NoPieces { get: one } | Violation::Twice { get: one, .. } => get(*one).into_iter().collect(),
            Violation::Apart { gets } => gets.iter().filter_map(|&at| get(at)).collect(),
            Violation::Clash { accesses, clash } => {
                let suspects = clash.suspects.iter().map(|&at| &accesses[at as usize]);
                let states = suspects.clone().flat_map(|access| [access.effect.needs(), access.effect.writes()]);
                let longest = states.flatten().filter_map(|state| get(self.longest(state)?.get));
                longest.chain(suspects.filter(|access| access.must).map(|access| access.operation)).collect()
            }
        };
        let mut seen = rustc_hash::FxHashSet::default();
        witnesses.reverse();
        witnesses.retain(|id| seen.insert(*id));
        witnesses.reverse();
        witnesses
    }
}
