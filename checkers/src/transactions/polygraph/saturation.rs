//! **What must come before what**, to a fixpoint: the orders of writers that only one way round make no cycle.
//!
//! ```text
//!   T1 w x ─────► T2 r x → T1's       T3 wrote x too, and a way leads from T3 to T2:
//!   T3 w x ··················▲         T3 before T1, or T2 would have seen T3's x
//!   T1 w x ──ways──► T3 w x           T1's readers of x before T3
//! ```
//!
//! *Method:* of two writers of a key, in either order, the edges that this order brings (its ww, and rw from each reader of the earlier one) are held against all
//! ways that there are. If one of them would close a cycle, the other order is forced, and its edges are added. A read whose value several wrote
//! loses those of its sources that cannot be it. Until nothing more follows.
//!
//! *Sources:* Tan et al., "Cobra" (OSDI 2020), and Huang et al., "PolySI" (VLDB 2023), prune in this manner; Liu et al., "Plume" (OOPSLA 2024)
//! and Møldrup & Pavlogiannis, "AWDIT" (PLDI 2025), infer the same where it is polynomial. *Cost:* a round takes one sweep over all ways
//! ([`reach`](super::reach)) and a look at each pair that is open; few rounds are needed.

use crate::transactions::NONE;
use crate::transactions::allowance::{Allowance, Late};
use crate::transactions::dependencies::{Dependency, Kind};

use super::reach::{Failure, Reach, sorted};
use super::shape::{Layout, Overwritten, Shape, Updates};
use super::versions::{INITIAL, Versions};

/// What is asked: which orders of writers, and which sources of reads, leave the graph of a level without a cycle.
pub(in crate::transactions) struct Problem<'a> {
    pub shape: Shape,
    pub versions: &'a Versions,
    /// By row, whether it writes at all.
    pub writes: &'a [bool],
    /// What is known: dependencies and time, among transactions, then nodes of fans, then instants from here on.
    pub known: &'a [Dependency],
    pub instants: u32,
    /// All of these nodes.
    pub nodes: u32,
}

/// A way that there is, from a node to another, by the first so many edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub from: u32,
    pub to: u32,
    pub by: u32,
}

/// Why an edge is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// From the begin to the commit of a transaction.
    Within,
    /// A known dependency.
    Known(u32),
    /// By a forced order: of its writers, or from this reader of the earlier one to the later one.
    Forced { order: u32, reader: u32 },
    /// A read has only this source left.
    Source(u32),
    /// This read shows what was there at first, or what its only source wrote, which this other one wrote over.
    Overwritten { read: u32, by: u32 },
}

/// Of two writers of a key, the one came before the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub key: u32,
    pub first: u32,
    pub second: u32,
    pub because: Because,
}

/// Why two writers can only be in one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Because {
    /// A way leads from the earlier to the later one.
    Way(Way),
    /// A way leads from the earlier one to this reader of the later one.
    Read { reader: u32, way: Way },
    /// The earlier one came before this update of what the later one wrote, which would be lost otherwise.
    Update { update: u32, way: Way },
    /// The later one came after what this update read, and so after the update.
    Behind { way: Way },
    /// It was chosen.
    Assumed,
}

/// A read that may have one of several sources.
#[derive(Clone, Debug)]
pub(super) struct Ambiguous {
    pub read: u32,
    pub candidates: Vec<u32>,
    /// Those that it can no longer have: why.
    pub excluded: Vec<(u32, Excluded)>,
}

/// Why a read cannot show a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excluded {
    /// A way leads from the reader to the writer.
    Later(Way),
    /// This other one wrote over it, and a way leads from that one to the reader.
    Overwritten { by: u32, way: Way },
}

/// Two writers of a key whose order is open, by their places among its writers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub key: u32,
    pub one: u32,
    pub other: u32,
}

/// One of several things that may have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// One writer of a key came before another one.
    Order { key: u32, first: u32, second: u32 },
    /// A read shows what this one wrote.
    Source { read: u32, source: u32 },
}

/// Nobody writes between what an update read and what it wrote: if `unseen` comes before `update`, it comes before `source`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Update {
    pub key: u32,
    pub unseen: u32,
    pub update: u32,
    pub source: u32,
}

/// What contradicts itself.
#[derive(Clone, Debug)]
pub(super) enum Contradiction {
    /// The edges have a cycle.
    Cycle,
    /// None of a read's sources is left.
    NoSource(Ambiguous),
    /// A way leads to a reader from what was written over what it read.
    Seen { read: u32, source: u32, by: u32, way: Way },
}

/// The problem, and what follows.
pub(super) struct Saturation<'a> {
    pub problem: &'a Problem<'a>,
    pub edges: Vec<(u32, u32)>,
    pub reasons: Vec<Reason>,
    pub orders: Vec<Order>,
    pub open: Vec<Pair>,
    pub ambiguous: Vec<Ambiguous>,
    /// By version, and then by key for those at first: the rows that certainly read it.
    pub readers: Vec<Vec<u32>>,
    pub updates: Vec<Update>,
    /// By read, whose write it shows, where only one is left.
    pub sources: Vec<Option<u32>>,
    /// Reads of which it was chosen whose write they show.
    pub assumed: Vec<u32>,
    /// Of the last round; nothing before the first.
    pub reach: Option<Reach>,
}

/// So many implications about updates are kept at most.
const MOST_UPDATES: usize = 20_000_000;

/// How a saturation ended.
pub(super) enum End {
    Fixpoint,
    Contradiction(Contradiction),
    /// More memory is needed than there is, or more time.
    Over(String),
}

impl From<Late> for End {
    fn from(_: Late) -> End {
        End::Over("time ran out while the order of writes was inferred: expected more time".to_owned())
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> End {
        match failure {
            Failure::Late => Late.into(),
            Failure::Memory(left) => {
                let left = left >> 20;
                End::Over(format!(
                    "to hold all ways between transactions takes more than the {left} MB that are left: expected more memory"
                ))
            }
        }
    }
}

impl<'a> Saturation<'a> {
    pub fn of(problem: &'a Problem<'a>) -> Saturation<'a> {
        let (shape, versions) = (problem.shape, problem.versions);
        let mut all = Saturation {
            problem,
            edges: Vec::with_capacity(problem.known.len() + versions.rows as usize),
            reasons: Vec::with_capacity(problem.known.len() + versions.rows as usize),
            orders: Vec::new(),
            open: Vec::new(),
            ambiguous: Vec::new(),
            readers: vec![Vec::new(); versions.slots() + versions.keys.len()],
            updates: Vec::new(),
            sources: Vec::with_capacity(versions.reads().len()),
            assumed: Vec::new(),
            reach: None,
        };
        if shape.layout != Layout::One {
            (0..versions.rows).for_each(|row| all.add(shape.begin(row), shape.commit(row), Reason::Within));
        }
        for (at, known) in (0..).zip(problem.known) {
            let edge = shape.edge(known, versions.rows, problem.instants, |row| problem.writes[row as usize]);
            if known.kind == Kind::WriteRead {
                shape.read(known.from, known.to).for_each(|(from, to)| all.add(from, to, Reason::Known(at)));
            } else if let Some((from, to)) = edge {
                all.add(from, to, Reason::Known(at));
            }
        }
        for (at, read) in (0..).zip(versions.reads()) {
            let source = versions.source(read).filter(|_| !read.is_repeated);
            all.sources.push(source);
            match source {
                Some(source) => {
                    let slot = all.slot(source, read.key);
                    all.readers[slot].push(read.row);
                }
                None => {
                    let candidates = versions.candidates(read).to_vec();
                    all.ambiguous.push(Ambiguous { read: at, candidates, excluded: Vec::new() });
                }
            }
        }
        all
    }

    /// How many nodes the graph has.
    pub fn nodes(&self) -> usize {
        let (shape, rows) = (self.problem.shape, self.problem.versions.rows);
        (shape.nodes(rows) + self.problem.nodes - rows) as usize
    }

    fn add(&mut self, from: u32, to: u32, reason: Reason) {
        self.edges.push((from, to));
        self.reasons.push(reason);
    }

    /// The number of a version, among all that were written and then all that were there at first.
    pub fn slot(&self, writer: u32, key: u32) -> usize {
        let versions = self.problem.versions;
        let written = if writer == INITIAL { None } else { versions.slot(writer, key) };
        written.unwrap_or(versions.slots() + key as usize)
    }

    pub fn writer(&self, pair: Pair) -> (u32, u32) {
        let writers = &self.problem.versions.keys[pair.key as usize].writers;
        (writers[pair.one as usize], writers[pair.other as usize])
    }

    /// Whether a reader before a writer is an edge.
    pub fn is_edge(&self, reader: u32) -> bool {
        match self.problem.shape.overwritten {
            Overwritten::Edge => true,
            Overwritten::EdgeOfWriters => self.problem.writes[reader as usize],
            Overwritten::NoWay | Overwritten::Nothing => false,
        }
    }

    /// Infers all that follows.
    pub fn run(&mut self, allowance: &Allowance) -> End {
        self.infer(None, allowance)
    }

    /// Infers what follows from a choice, after all that follows without it.
    pub fn assume(&mut self, choice: Choice, allowance: &Allowance) -> End {
        let Some(reach) = self.reach.take() else { return End::Over("nothing was inferred".to_owned()) };
        let before = self.edges.len();
        match choice {
            Choice::Order { key, first, second } => {
                self.put(Order { key, first, second, because: Because::Assumed }, &reach);
            }
            Choice::Source { read, source } => {
                self.ambiguous.retain(|ambiguous| ambiguous.read != read);
                self.assumed.push(read);
                self.resolve(read, source, &reach);
            }
        }
        self.infer(Some((reach, before)), allowance)
    }

    /// With all ways by the first so many edges, if they are told already.
    fn infer(&mut self, mut told: Option<(Reach, usize)>, allowance: &Allowance) -> End {
        loop {
            let is_first = told.is_none();
            let more = told
                .take()
                .and_then(|(mut reach, known): (Reach, usize)| reach.add(&self.edges[known..]).then_some(reach));
            let reach = match more {
                Some(reach) => reach,
                None => match self.all_ways(allowance) {
                    Ok(reach) => reach,
                    Err(end) => return end,
                },
            };
            let before = self.edges.len();
            if let Some(contradiction) = self.exclude_sources(&reach) {
                self.reach = Some(reach);
                return End::Contradiction(contradiction);
            }
            let looked =
                if is_first { self.look_at_all(&reach, allowance) } else { self.look_again(&reach, allowance) };
            if let Err(end) = looked {
                return end;
            }
            self.follow_updates(&reach);
            if self.edges.len() > before {
                told = Some((reach, before));
                continue;
            }
            self.reach = Some(reach);
            let seen = self.seen_overwritten();
            return seen.map_or(End::Fixpoint, End::Contradiction);
        }
    }

    fn all_ways(&self, allowance: &Allowance) -> Result<Reach, End> {
        let order = sorted(self.nodes(), &self.edges);
        if order.len() < self.nodes() {
            return Err(End::Contradiction(Contradiction::Cycle));
        }
        Ok(Reach::of(&order, &self.edges, allowance)?)
    }

    fn look_at_all(&mut self, reach: &Reach, allowance: &Allowance) -> Result<(), End> {
        let versions = self.problem.versions;
        let shape = self.problem.shape;
        let no_order_matters = shape.is_free && shape.overwritten == Overwritten::Nothing;
        for (key, of_key) in (0..).zip(&versions.keys).filter(|_| !no_order_matters) {
            let open = of_key.open();
            for (step, &one) in open.iter().enumerate() {
                allowance.go_on(step)?;
                for &other in &open[step + 1..] {
                    let pair = Pair { key, one, other };
                    if !self.settle(pair, reach) {
                        self.open.push(pair);
                    }
                }
                if self.open.len() as u64 * size_of::<Pair>() as u64 > allowance.bytes() {
                    let count = self.open.len();
                    return Err(End::Over(format!(
                        "{count} pairs of writers have an open order: expected more memory"
                    )));
                }
            }
        }
        self.find_updates();
        if self.updates.len() > MOST_UPDATES {
            return Err(End::Over("too many updates may have been lost to look at them all".to_owned()));
        }
        Ok(())
    }

    fn look_again(&mut self, reach: &Reach, allowance: &Allowance) -> Result<(), End> {
        let mut open = std::mem::take(&mut self.open);
        let mut late = Ok(());
        let mut step = 0;
        open.retain(|&pair| {
            step += 1;
            late = late.and_then(|()| allowance.go_on(step).map_err(|_| ()));
            !self.settle(pair, reach)
        });
        self.open = open;
        late.map_err(|()| Late.into())
    }

    /// Adds the edges of the only order that a pair can have, if it has only one.
    fn settle(&mut self, pair: Pair, reach: &Reach) -> bool {
        let (one, other) = self.writer(pair);
        // Of two orders that are both impossible either one makes a cycle, by which that is found.
        if let Some(because) = self.forces(pair.key, one, other, reach) {
            self.put(Order { key: pair.key, first: one, second: other, because }, reach);
            return true;
        }
        if let Some(because) = self.forces(pair.key, other, one, reach) {
            self.put(Order { key: pair.key, first: other, second: one, because }, reach);
            return true;
        }
        false
    }

    /// Why a writer must come before another one.
    fn forces(&self, key: u32, first: u32, second: u32, reach: &Reach) -> Option<Because> {
        let shape = self.problem.shape;
        let by = self.edges.len() as u32;
        let (from, to) = (shape.overwrites(first), shape.commit(second));
        if reach.leads(from, to) {
            return Some(Because::Way(Way { from, to, by }));
        }
        if shape.overwritten == Overwritten::Nothing {
            return None;
        }
        let from = shape.shown(first);
        let readers = &self.readers[self.slot(second, key)];
        let reader = *readers.iter().find(|&&reader| reader != first && reach.leads(from, shape.begin(reader)))?;
        Some(Because::Read { reader, way: Way { from, to: shape.begin(reader), by } })
    }

    /// Adds the edges of a forced order that nothing implies yet.
    fn put(&mut self, order: Order, reach: &Reach) {
        let shape = self.problem.shape;
        let id = self.orders.len() as u32;
        let before = self.edges.len();
        let (from, to) = (shape.commit(order.first), shape.overwrites(order.second));
        if !reach.leads(from, to) {
            self.add(from, to, Reason::Forced { order: id, reader: NONE });
        }
        let slot = self.slot(order.first, order.key);
        let to = shape.commit(order.second);
        for at in 0..self.readers[slot].len() {
            let reader = self.readers[slot][at];
            if reader != order.second && self.is_edge(reader) && !reach.leads(shape.begin(reader), to) {
                self.add(shape.begin(reader), to, Reason::Forced { order: id, reader });
            }
        }
        if self.edges.len() > before {
            self.orders.push(order);
        }
    }

    /// Takes from reads whose value several wrote the sources that they cannot have; a read that has none left.
    fn exclude_sources(&mut self, reach: &Reach) -> Option<Contradiction> {
        let mut ambiguous = std::mem::take(&mut self.ambiguous);
        let mut contradiction = None;
        ambiguous.retain_mut(|read| {
            if contradiction.is_some() {
                return true;
            }
            let mut excluded = std::mem::take(&mut read.excluded);
            read.candidates.retain(|&source| match self.excludes(read.read, source, reach) {
                Some(why) => {
                    excluded.push((source, why));
                    false
                }
                None => true,
            });
            read.excluded = excluded;
            match read.candidates[..] {
                [] => {
                    contradiction = Some(Contradiction::NoSource(read.clone()));
                    true
                }
                [source] => {
                    self.resolve(read.read, source, reach);
                    false
                }
                _ => true,
            }
        });
        self.ambiguous = ambiguous;
        contradiction
    }

    fn excludes(&self, read: u32, source: u32, reach: &Reach) -> Option<Excluded> {
        let (shape, versions) = (self.problem.shape, self.problem.versions);
        let read = versions.reads()[read as usize];
        let by = self.edges.len() as u32;
        let back = source != INITIAL;
        let back = back.then(|| shape.read(source, read.row).find(|&(from, to)| reach.leads(to, from))).flatten();
        if let Some((from, to)) = back {
            return Some(Excluded::Later(Way { from: to, to: from, by }));
        }
        if shape.overwritten == Overwritten::Nothing {
            return None;
        }
        let to = shape.begin(read.row);
        let is_it = |&&other: &&u32| {
            other != source
                && other != read.row
                && reach.leads(shape.shown(other), to)
                && (source == INITIAL || reach.leads(shape.overwrites(source), shape.commit(other)))
        };
        let other = *versions.keys[read.key as usize].writers.iter().find(is_it)?;
        Some(Excluded::Overwritten { by: other, way: Way { from: shape.shown(other), to, by } })
    }

    /// A read has one source left.
    fn resolve(&mut self, at: u32, source: u32, reach: &Reach) {
        let (shape, versions) = (self.problem.shape, self.problem.versions);
        let read = versions.reads()[at as usize];
        let slot = self.slot(source, read.key);
        self.readers[slot].push(read.row);
        self.sources[at as usize] = Some(source);
        self.find_updates_of(at);
        if source != INITIAL {
            shape.read(source, read.row).for_each(|(from, to)| self.add(from, to, Reason::Source(at)));
        }
        for &other in &versions.keys[read.key as usize].writers {
            if other == source || other == read.row {
                continue;
            }
            let is_later = source == INITIAL || reach.leads(shape.overwrites(source), shape.commit(other));
            let (from, to) = (shape.begin(read.row), shape.commit(other));
            if is_later && self.is_edge(read.row) && !reach.leads(from, to) {
                self.add(from, to, Reason::Overwritten { read: at, by: other });
            }
            // A writer that the reader saw came before what it read; those whose order was settled earlier are not looked at again.
            let way = Way { from: shape.shown(other), to: from, by: self.edges.len() as u32 };
            if !is_later && shape.overwritten != Overwritten::Nothing && reach.leads(way.from, way.to) {
                let because = Because::Read { reader: read.row, way };
                self.put(Order { key: read.key, first: other, second: source, because }, reach);
            }
        }
    }

    /// Which updates would be lost by which orders, as far as sources are known.
    fn find_updates(&mut self) {
        for read in 0..self.sources.len() as u32 {
            self.find_updates_of(read);
            if self.updates.len() > MOST_UPDATES {
                return;
            }
        }
    }

    fn find_updates_of(&mut self, read: u32) {
        let Some(source) = self.sources[read as usize] else { return };
        let (key, update) =
            (self.problem.versions.reads()[read as usize].key, self.problem.versions.reads()[read as usize].row);
        let more = self.may_be_lost(read).into_iter().filter(|unseen| *unseen != source);
        let more: Vec<Update> = more.map(|unseen| Update { key, unseen, update, source }).collect();
        self.updates.extend(more);
    }

    /// Writers of what a read shows of which it matters whether the reader, which updates something, came after them.
    pub fn may_be_lost(&self, at: u32) -> Vec<u32> {
        let versions = self.problem.versions;
        let read = versions.reads()[at as usize];
        let writers = || versions.keys[read.key as usize].writers.iter().copied().filter(|&other| other != read.row);
        let written = versions.writes_of(read.row);
        match self.problem.shape.updates {
            Updates::Any => Vec::new(),
            Updates::OfTheKey if written.contains(&read.key) => writers().collect(),
            Updates::OfTheKey => Vec::new(),
            updates => {
                // What it read from is seen too.
                let first = versions.first_read_of(read.row);
                let count = match updates {
                    Updates::OfWhatWasSeen => at as usize - first,
                    _ => versions.reads_of(read.row).len(),
                };
                let mut seen: Vec<u32> = self.sources[first..first + count].iter().flatten().copied().collect();
                seen.retain(|&other| other != INITIAL && versions.slot(other, read.key).is_some());
                if updates != Updates::OfAllKeys {
                    seen.sort_unstable();
                    seen.dedup();
                    return seen;
                }
                let seen = |other: u32| seen.contains(&other);
                let shares = |other: u32| written.iter().any(|&key| versions.slot(other, key).is_some());
                writers().filter(|&other| shares(other) || seen(other)).collect()
            }
        }
    }

    /// What orders of updates imply.
    fn follow_updates(&mut self, reach: &Reach) {
        let shape = self.problem.shape;
        for at in 0..self.updates.len() {
            let Update { key, unseen, update, source } = self.updates[at];
            let by = self.edges.len() as u32;
            let way = |from: u32, to: u32| Way { from: shape.overwrites(from), to: shape.commit(to), by };
            let leads = |from: u32, to: u32| reach.leads(shape.overwrites(from), shape.commit(to));
            if leads(unseen, update) && (source == INITIAL || !leads(unseen, source)) {
                let because = Because::Update { update, way: way(unseen, update) };
                if source == INITIAL {
                    // Nothing comes before what was there at first: the other order is forced, and makes a cycle.
                    self.put(Order { key, first: update, second: unseen, because }, reach);
                } else {
                    self.put(Order { key, first: unseen, second: source, because }, reach);
                }
            }
            if (source == INITIAL || leads(source, unseen)) && !leads(update, unseen) {
                let from = if source == INITIAL { update } else { source };
                let because = Because::Behind { way: way(from, unseen) };
                self.put(Order { key, first: update, second: unseen, because }, reach);
            }
        }
    }

    /// A reader to which a way leads from what was certainly written over what it read: where that is no edge.
    fn seen_overwritten(&self) -> Option<Contradiction> {
        let (shape, versions) = (self.problem.shape, self.problem.versions);
        let reach = self.reach.as_ref()?;
        if !matches!(shape.overwritten, Overwritten::NoWay | Overwritten::EdgeOfWriters) {
            return None;
        }
        for (at, read) in (0..).zip(versions.reads()) {
            let Some(source) = self.sources[at as usize].filter(|_| !self.is_edge(read.row)) else { continue };
            let key = &versions.keys[read.key as usize];
            let source_place = if source == INITIAL { None } else { key.place(source) };
            for (place, &other) in key.writers.iter().enumerate() {
                if other == source || other == read.row || !reach.leads(shape.shown(other), shape.begin(read.row)) {
                    continue;
                }
                let is_known = source_place.is_none_or(|source| key.before(source, place) == Some(true));
                if is_known || reach.leads(shape.overwrites(source), shape.commit(other)) {
                    let (from, to) = (shape.shown(other), shape.begin(read.row));
                    let way = Way { from, to, by: self.edges.len() as u32 };
                    return Some(Contradiction::Seen { read: at, source, by: other, way });
                }
            }
        }
        None
    }
}
