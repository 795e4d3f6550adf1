//! Registers of which no value is written twice, in one sweep (Gibbons & Korach 1997, "Testing shared memories"; zones: Golab, Li &
//! Shah 2011), extended to compare-and-set.
//!
//! A value and all that shows it make a *block*: its write, its reads, and, where a `cas` replaced it, that `cas` and the block of the
//! new value, which follows without a gap. A block has an inner order: writes and `cas` as they hang together, reads in between. In any legal
//! order the operations of a block stand together, for no value comes back.
//!
//! ```text
//!   write 1  [------]                               first completion ▼    ▼ last invocation
//!   read 1        [-----------]                     forward zone:    [────]  the value was there all this time
//!   read 1                  [---]
//!
//!   write 2      [---------]                        last invocation ▼   ▼ first completion
//!   read 2         [-----------]                    backward zone:  [───]   all can be put at one instant in it
//! ```
//!
//! The operations are linearizable exactly when
//! 1. each value that is shown was written, and replaced at most once;
//! 2. inside each block, nothing completes before something is invoked that its inner order puts first;
//! 3. no two forward zones overlap, and no backward zone lies wholly inside a forward one.
//!
//! *That these suffice:* put each operation of a forward block at the latest invocation of what comes before it in the block, itself included,
//! but not before the zone begins; by 2 none is then late. Forward blocks do not meet, and each backward block finds an instant outside of
//! them, at which its operations follow each other in their inner order.
//!
//! The initial value has a write that completed before everything. An `info` write that somebody saw completes never; it is still the only
//! source of its value. Where some values are written twice, the blocks of the others must keep the rules all the same.
//!
//! *Cost:* O(n), and sorting the forward zones, which nearly are.

use rustc_hash::FxHashSet;

use crate::history::NEVER;

use super::automaton::{Effect, State};
use super::registers::{Access, INITIAL};

/// What zones say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Zones {
    /// Some order is legal.
    Legal,
    /// None is.
    Illegal(Clash),
    /// Some values are written more than once, and the others are no contradiction.
    Undecided,
}

/// Operations that cannot all have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clash {
    /// Accesses that prove it, if they happened.
    pub suspects: Vec<u32>,
    /// The states that have to do with it.
    pub states: Vec<State>,
    /// The two zones, if it is they that collide.
    pub zones: Option<[Zone; 2]>,
}

/// When a block must, or could, have been there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Zone {
    /// The first value of the block.
    pub root: State,
    /// The access that completed first, and its completion, one later than its event; 0 and nobody for the initial contents.
    pub completed: (u32, u32),
    /// The access that was invoked last, and its invocation, one later than its event.
    pub invoked: (u32, u32),
}

impl Zone {
    /// Whether the value was there from the first completion to the last invocation.
    pub fn is_forward(&self) -> bool {
        self.completed.0 < self.invoked.0
    }
}

const NOBODY: u32 = u32::MAX;

/// One later than an event, so that 0 is before everything.
fn after(event: u32) -> u32 {
    event.saturating_add(1)
}

/// Judges accesses, sorted by invocation, which name the states below `states`.
pub(super) fn judge(accesses: &[Access], states: usize) -> Zones {
    let values = Values::of(accesses, states);
    if let Some(clash) = values.clash() {
        return Zones::Illegal(clash);
    }
    let blocks = match values.blocks() {
        Ok(blocks) => blocks,
        Err(clash) => return Zones::Illegal(clash),
    };
    match collision(blocks.forward, &blocks.backward) {
        Some([one, other]) => Zones::Illegal(values.collided(one, other)),
        None if values.repeated => Zones::Undecided,
        None => Zones::Legal,
    }
}

/// What is done with a value.
#[derive(Clone, Copy)]
struct Use {
    writer: u32,
    writers: u32,
    /// The `cas` that replaced it.
    replaced_by: u32,
    /// The read that completed first, and the one that was invoked last.
    first_read: u32,
    last_read: u32,
}

struct Values<'a> {
    accesses: &'a [Access],
    uses: Vec<Use>,
    /// Two `cas` that replaced the same value, which was there once.
    replaced_twice: Option<(u32, u32)>,
    repeated: bool,
}

impl<'a> Values<'a> {
    fn of(accesses: &'a [Access], states: usize) -> Values<'a> {
        let unused = Use { writer: NOBODY, writers: 0, replaced_by: NOBODY, first_read: NOBODY, last_read: NOBODY };
        let mut uses = vec![unused; states];
        uses[INITIAL as usize].writers = 1;
        for (at, access) in accesses.iter().enumerate() {
            if let Some(value) = access.effect.writes() {
                let written = &mut uses[value as usize];
                written.writer = at as u32;
                written.writers += 1;
            }
        }
        let certain = certain(accesses, &uses);
        let mut again = Vec::new();
        for (at, access) in accesses.iter().enumerate() {
            match access.effect {
                Effect::Write(_) => {}
                Effect::Read(value) => {
                    let read = &mut uses[value as usize];
                    if read.first_read == NOBODY || access.completed < accesses[read.first_read as usize].completed {
                        read.first_read = at as u32;
                    }
                    read.last_read = at as u32;
                }
                Effect::Cas(expected, _) if certain(at) => match &mut uses[expected as usize].replaced_by {
                    first if *first == NOBODY => *first = at as u32,
                    first => again.push((expected, *first, at as u32)),
                },
                Effect::Cas(..) => {}
            }
        }
        let repeated = uses.iter().any(|value| value.writers > 1);
        let once = |&&(value, ..): &&(State, u32, u32)| uses[value as usize].writers <= 1;
        let replaced_twice = again.iter().find(once).map(|&(_, first, second)| (first, second));
        Values { accesses, uses, replaced_twice, repeated }
    }

    fn access(&self, at: u32) -> &Access {
        &self.accesses[at as usize]
    }

    /// What is wrong with single values.
    fn clash(&self) -> Option<Clash> {
        let unwritten =
            |value: &&Use| value.writers == 0 && (value.first_read != NOBODY || value.replaced_by != NOBODY);
        let shown = self.uses.iter().filter(unwritten).map(|value| value.first_read.min(value.replaced_by));
        if let Some(first) = shown.min_by_key(|&at| self.access(at).completed) {
            return Some(self.clash_of(&[first]));
        }
        self.replaced_twice.map(|(first, second)| self.clash_of(&[first, second]))
    }

    fn clash_of(&self, suspects: &[u32]) -> Clash {
        let effects = suspects.iter().map(|&suspect| self.access(suspect).effect);
        let states = effects.flat_map(|effect| [effect.writes(), effect.needs()]).flatten().collect();
        Clash { suspects: suspects.to_vec(), states, zones: None }
    }

    fn collided(&self, one: Zone, other: Zone) -> Clash {
        let mut suspects = vec![one.completed.1, one.invoked.1, other.completed.1, other.invoked.1];
        suspects.retain(|&at| at != NOBODY);
        suspects.sort_unstable();
        suspects.dedup();
        let mut states = self.chain(one.root);
        states.extend(self.chain(other.root));
        Clash { suspects, states, zones: Some([one, other]) }
    }

    /// The values of a block.
    fn chain(&self, root: State) -> Vec<State> {
        let mut chain = vec![root];
        let mut value = root;
        while let Some(next) = self.next(value) {
            chain.push(next);
            value = next;
        }
        chain
    }

    /// The value that replaced this one, unless that was written elsewhere too.
    fn next(&self, value: State) -> Option<State> {
        let replaced_by = self.uses[value as usize].replaced_by;
        let next = (replaced_by != NOBODY).then(|| self.access(replaced_by).effect.writes()).flatten()?;
        (self.uses[next as usize].writers == 1).then_some(next)
    }

    /// The zones of all blocks; or what is wrong inside one.
    fn blocks(&self) -> Result<Blocks, Clash> {
        let mut blocks = Blocks { forward: Vec::new(), backward: Vec::new() };
        let mut seen = vec![false; self.uses.len()];
        for (root, value) in self.uses.iter().enumerate() {
            let root = root as State;
            let from = if value.writer == NOBODY { None } else { self.access(value.writer).effect.needs() };
            let hangs = |from: State| {
                let from = self.uses[from as usize];
                from.writers == 1 && from.replaced_by == value.writer
            };
            if value.writers != 1 || !from.is_none_or(hangs) {
                // What hangs on a value that is written twice, or on a `cas` that may not have happened, is left out.
                self.follow(root, &mut seen);
                continue;
            }
            if from.is_some() {
                continue;
            }
            if let Some(zone) = self.zone(root, &mut seen)? {
                if zone.is_forward() { blocks.forward.push(zone) } else { blocks.backward.push(zone) }
            }
        }
        match seen.iter().position(|seen| !seen) {
            None => Ok(blocks),
            Some(circular) => Err(self.circle(circular as State)),
        }
    }

    fn follow(&self, root: State, seen: &mut [bool]) {
        seen[root as usize] = true;
        let mut value = root;
        while let Some(next) = self.next(value).filter(|&next| !seen[next as usize]) {
            seen[next as usize] = true;
            value = next;
        }
    }

    /// Each of these values came from the one before it, and the first from the last.
    fn circle(&self, mut value: State) -> Clash {
        let from = |value: State| self.access(self.uses[value as usize].writer).effect.needs().unwrap_or(value);
        // As many steps back as there are values end inside the circle.
        for _ in 0..self.uses.len() {
            value = from(value);
        }
        let mut states = vec![value];
        while from(states[states.len() - 1]) != value {
            states.push(from(states[states.len() - 1]));
        }
        let suspects = states.iter().map(|&state| self.uses[state as usize].writer).collect();
        Clash { suspects, states, zones: None }
    }

    /// The zone of the block that begins with a value, if anything is there to make one.
    fn zone(&self, root: State, seen: &mut [bool]) -> Result<Option<Zone>, Clash> {
        let initial = root == INITIAL;
        let mut zone =
            Zone { root, completed: if initial { (0, NOBODY) } else { (NEVER, NOBODY) }, invoked: (0, NOBODY) };
        let mut value = root;
        let mut mover = if initial { NOBODY } else { self.uses[root as usize].writer };
        loop {
            seen[value as usize] = true;
            if mover != NOBODY {
                self.in_order(&zone, mover)?;
                zone.include(self.access(mover), mover);
            }
            let Use { first_read, last_read, replaced_by, writers, .. } = self.uses[value as usize];
            if writers > 1 {
                break;
            }
            if first_read != NOBODY {
                self.in_order(&zone, first_read)?;
                zone.include(self.access(first_read), first_read);
                zone.include(self.access(last_read), last_read);
            }
            if replaced_by == NOBODY {
                break;
            }
            mover = replaced_by;
            match self.access(mover).effect {
                Effect::Cas(_, new) => value = new,
                Effect::Read(_) | Effect::Write(_) => unreachable!("only a cas replaces"),
            }
        }
        Ok((zone.invoked.1 != NOBODY).then_some(zone))
    }

    /// Whether an access can come after all of the block so far.
    fn in_order(&self, so_far: &Zone, at: u32) -> Result<(), Clash> {
        if so_far.invoked.1 == NOBODY || after(self.access(at).completed) > so_far.invoked.0 {
            return Ok(());
        }
        Err(self.clash_of(&[so_far.invoked.1, at]))
    }
}

impl Zone {
    fn include(&mut self, access: &Access, at: u32) {
        self.completed = self.completed.min((after(access.completed), at));
        self.invoked = self.invoked.max((after(access.invoked), at));
    }
}

struct Blocks {
    forward: Vec<Zone>,
    backward: Vec<Zone>,
}

/// Tells which accesses certainly happened: those that are known to have, and the only sources of values that such operations needed.
fn certain<'a>(accesses: &'a [Access], uses: &[Use]) -> impl Fn(usize) -> bool + use<'a> {
    let mut sources = FxHashSet::default();
    if accesses.iter().any(|access| !access.must) {
        let mut needed: Vec<State> =
            accesses.iter().filter(|access| access.must).filter_map(|access| access.effect.needs()).collect();
        while let Some(value) = needed.pop() {
            let Use { writer, writers, .. } = uses[value as usize];
            if writers == 1 && writer != NOBODY && !accesses[writer as usize].must && sources.insert(writer) {
                needed.extend(accesses[writer as usize].effect.needs());
            }
        }
    }
    move |at| accesses[at].must || sources.contains(&(at as u32))
}

/// Two forward zones that overlap, or a forward one and a backward one inside it. Of those that collide with the first of them, the last
/// one: it is nearest to the operation that shows it.
fn collision(mut forward: Vec<Zone>, backward: &[Zone]) -> Option<[Zone; 2]> {
    // Nearly sorted already, which the stable sort makes use of.
    forward.sort_by_key(|zone| zone.completed.0);
    let overlapping = forward.windows(2).find(|pair| pair[1].completed.0 < pair[0].invoked.0).map(|pair| pair[0]);
    let around = overlapping.or_else(|| {
        let around = |inside: &Zone| {
            let before = forward.partition_point(|zone| zone.completed.0 < inside.invoked.0);
            forward[..before].last().copied().filter(|around| inside.completed.0 < around.invoked.0)
        };
        backward.iter().find_map(around)
    })?;
    let inside = |zone: &&Zone| around.completed.0 < zone.invoked.0 && zone.completed.0 < around.invoked.0;
    let starts = forward.partition_point(|zone| zone.completed.0 < around.invoked.0);
    let last_forward = forward[..starts].last().filter(|zone| zone.completed.0 > around.completed.0);
    let last_backward = backward.iter().filter(inside).max_by_key(|zone| zone.completed.0);
    let other = last_forward.into_iter().chain(last_backward).max_by_key(|zone| zone.completed.0)?;
    Some([around, *other])
}
