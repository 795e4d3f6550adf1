//! What saturation leaves open, as variables: which of two writers came first, and whose write a read shows.
//!
//! ```text
//!   T1 before T2      ww T1 → T2, and rw from each reader of T1's version to T2
//!   T5 read from T1   wr T1 → T5, and where T1 is before T2: rw T5 → T2
//! ```

use rustc_hash::FxHashMap;

use crate::transactions::allowance::{Allowance, Late};
use crate::transactions::dependencies::{Dependency, Kind};

use super::proof::Proof;
use super::reach::{Reach, sorted};
use super::saturation::{End, Pair, Problem, Saturation};
use super::shape::{Overwritten, Updates};
use super::solver::{Ending, Literal, Solver};
use super::versions::INITIAL;

/// Of two writers of a key, whether the one is first.
#[derive(Clone, Copy, Debug)]
enum Earlier {
    Known(bool),
    If(Literal),
}

/// So many ways that must not be are learnt from at once.
const AT_ONCE: usize = 64;

/// The open choices of a problem.
pub(super) struct Choices<'a, 's> {
    saturation: &'a Saturation<'s>,
    reach: &'a Reach,
    solver: Solver,
    /// By two rows, the first one lower: the variable that is true where it comes first.
    pairs: FxHashMap<(u32, u32), u32>,
    /// By read that chooses: its first variable.
    sources: FxHashMap<u32, u32>,
}

impl<'a, 's> Choices<'a, 's> {
    /// Those that are open after saturation, whose `reach` this is.
    pub fn of(saturation: &'a Saturation<'s>, reach: &'a Reach) -> Choices<'a, 's> {
        let solver = Solver::new(&sorted(saturation.nodes(), &saturation.edges), &saturation.edges);
        let mut choices =
            Choices { saturation, reach, solver, pairs: FxHashMap::default(), sources: FxHashMap::default() };
        let is_free = saturation.problem.shape.is_free;
        for &pair in saturation.open.iter().filter(|_| !is_free) {
            choices.add_pair(pair);
        }
        for at in 0..saturation.ambiguous.len() {
            choices.add_read(at);
        }
        if !is_free {
            choices.add_updates();
        }
        choices
    }

    /// Searches for an order of all.
    pub fn decide(&mut self, allowance: &Allowance) -> Ending {
        let (saturation, pairs, sources) = (self.saturation, &self.pairs, &self.sources);
        let (reach, known) = (self.reach, &saturation.edges);
        let is_checked =
            matches!(saturation.problem.shape.overwritten, Overwritten::NoWay | Overwritten::EdgeOfWriters);
        self.solver.solve(allowance, |solver| {
            if !is_checked && !saturation.problem.shape.is_free {
                return Ok(Vec::new());
            }
            let check = Check { saturation, pairs, sources, reach };
            if saturation.problem.shape.is_free {
                return check.sources_that_do_not_fit(solver, allowance);
            }
            check.ways_that_must_not_be(solver, known, allowance)
        })
    }

    /// The transactions that the search has met with in cycles, whose choices were open.
    pub fn blamed(&self) -> Vec<u32> {
        let blamed = |variable: u32| self.solver.blamed[variable as usize];
        let mut rows: Vec<u32> = Vec::new();
        for (&(one, other), _) in self.pairs.iter().filter(|(_, variable)| blamed(**variable)) {
            rows.extend([one, other]);
        }
        let versions = self.saturation.problem.versions;
        for ambiguous in &self.saturation.ambiguous {
            rows.push(versions.reads()[ambiguous.read as usize].row);
            rows.extend(ambiguous.candidates.iter().filter(|row| **row != INITIAL));
        }
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    fn add_pair(&mut self, pair: Pair) {
        let (one, other) = self.saturation.writer(pair);
        let name = (one.min(other), one.max(other));
        let solver = &mut self.solver;
        let variable = *self.pairs.entry(name).or_insert_with(|| solver.variable(None));
        for (first, second) in [(one, other), (other, one)] {
            let literal = Literal::of(variable, first == name.0);
            self.add_order(literal, pair.key, first, second);
        }
    }

    /// The edges that an order of two writers brings, and nothing implies yet.
    fn add_order(&mut self, literal: Literal, key: u32, first: u32, second: u32) {
        let (saturation, shape) = (self.saturation, self.saturation.problem.shape);
        let (from, to) = (shape.commit(first), shape.overwrites(second));
        if !self.reach.leads(from, to) && !self.solver.edges_of(literal).contains(&(from, to)) {
            self.solver.edge(literal, from, to);
        }
        let to = shape.commit(second);
        for &reader in &saturation.readers[saturation.slot(first, key)] {
            let from = shape.begin(reader);
            if reader != second && saturation.is_edge(reader) && !self.reach.leads(from, to) {
                self.solver.edge(literal, from, to);
            }
        }
    }

    fn earlier(&self, key: u32, one: u32, other: u32) -> Earlier {
        Check { saturation: self.saturation, pairs: &self.pairs, sources: &self.sources, reach: self.reach }
            .earlier(key, one, other)
    }

    fn add_read(&mut self, at: usize) {
        let (saturation, shape) = (self.saturation, self.saturation.problem.shape);
        let (ambiguous, versions) = (&saturation.ambiguous[at], saturation.problem.versions);
        let read = versions.reads()[ambiguous.read as usize];
        let first = self.solver.variables();
        self.sources.insert(ambiguous.read, first);
        for _ in &ambiguous.candidates {
            self.solver.variable(Some(true));
        }
        let literals: Vec<Literal> =
            (0..ambiguous.candidates.len() as u32).map(|at| Literal::of(first + at, true)).collect();
        self.solver.clause(&literals);
        for (at, &one) in literals.iter().enumerate() {
            for &other in &literals[at + 1..] {
                self.solver.clause(&[!one, !other]);
            }
        }
        for (&literal, &source) in literals.iter().zip(&ambiguous.candidates) {
            if source != INITIAL {
                shape.read(source, read.row).for_each(|(from, to)| self.solver.edge(literal, from, to));
            }
            if !saturation.is_edge(read.row) {
                continue;
            }
            for &other in &versions.keys[read.key as usize].writers {
                if other == source || other == read.row {
                    continue;
                }
                let (from, to) = (shape.begin(read.row), shape.commit(other));
                if self.reach.leads(from, to) {
                    continue;
                }
                match self.earlier(read.key, source, other) {
                    Earlier::Known(true) => self.solver.edge(literal, from, to),
                    Earlier::Known(false) => {}
                    Earlier::If(order) => {
                        let both = Literal::of(self.solver.variable(Some(false)), true);
                        self.solver.edge(both, from, to);
                        self.solver.clause(&[!literal, !order, both]);
                    }
                }
            }
        }
    }

    /// An update is not lost: whoever came before it, unseen, came before what it read.
    fn add_updates(&mut self) {
        let saturation = self.saturation;
        let versions = saturation.problem.versions;
        for (at, read) in (0..).zip(versions.reads()) {
            let unseen = saturation.may_be_lost(at);
            let seen = self.may_be_seen(at);
            if unseen.is_empty() && seen.is_empty() {
                continue;
            }
            let sources = match saturation.sources[at as usize] {
                Some(source) => vec![(None, source)],
                None => self.may_show(at).into_iter().map(|(literal, source)| (Some(literal), source)).collect(),
            };
            for (shows, source) in sources {
                let shows: Vec<Literal> = shows.map(|literal| !literal).into_iter().collect();
                for &unseen in unseen.iter().filter(|unseen| **unseen != source) {
                    match self.earlier(read.key, unseen, read.row) {
                        Earlier::Known(false) => {}
                        Earlier::Known(true) => self.add_update(&shows, read.key, unseen, source),
                        Earlier::If(literal) => {
                            self.add_update(&[&shows[..], &[!literal]].concat(), read.key, unseen, source);
                        }
                    }
                }
                for &(literal, seen) in seen.iter().filter(|(_, seen)| *seen != source) {
                    self.add_update(&[&shows[..], &[!literal]].concat(), read.key, seen, source);
                }
            }
        }
    }

    /// Whom a read that chooses may show, each with the literal that says so.
    fn may_show(&self, read: u32) -> Vec<(Literal, u32)> {
        let place = self.saturation.ambiguous.binary_search_by_key(&read, |ambiguous| ambiguous.read);
        let (Ok(place), Some(&first)) = (place, self.sources.get(&read)) else { return Vec::new() };
        let literals = (first..).map(|variable| Literal::of(variable, true));
        literals.zip(self.saturation.ambiguous[place].candidates.iter().copied()).collect()
    }

    /// Writers of what a read shows that its transaction sees where another one of its reads chooses them, if that matters.
    fn may_be_seen(&self, at: u32) -> Vec<(Literal, u32)> {
        let versions = self.saturation.problem.versions;
        if self.saturation.problem.shape.updates != Updates::OfAllKeys || self.sources.is_empty() {
            return Vec::new();
        }
        let read = versions.reads()[at as usize];
        let first = versions.first_read_of(read.row) as u32;
        let others = (first..first + versions.reads_of(read.row).len() as u32).filter(|other| *other != at);
        let seen = others.flat_map(|other| self.may_show(other));
        seen.filter(|(_, seen)| *seen != INITIAL && versions.slot(*seen, read.key).is_some()).collect()
    }

    /// Unless one of these literals is true, one writer of a key came before another.
    fn add_update(&mut self, unless: &[Literal], key: u32, unseen: u32, source: u32) {
        match self.earlier(key, unseen, source) {
            Earlier::Known(true) => {}
            Earlier::Known(false) => self.solver.clause(unless),
            Earlier::If(literal) => self.solver.clause(&[unless, &[literal]].concat()),
        }
    }
}

/// What is held against a whole assignment.
struct Check<'a, 's> {
    saturation: &'a Saturation<'s>,
    pairs: &'a FxHashMap<(u32, u32), u32>,
    sources: &'a FxHashMap<u32, u32>,
    reach: &'a Reach,
}

impl Check<'_, '_> {
    fn earlier(&self, key: u32, one: u32, other: u32) -> Earlier {
        if one == INITIAL || other == INITIAL {
            return Earlier::Known(one == INITIAL);
        }
        let name = (one.min(other), one.max(other));
        if let Some(&variable) = self.pairs.get(&name) {
            return Earlier::If(Literal::of(variable, one == name.0));
        }
        let of_key = &self.saturation.problem.versions.keys[key as usize];
        let known = of_key.place(one).zip(of_key.place(other)).and_then(|(one, other)| of_key.before(one, other));
        let shape = self.saturation.problem.shape;
        Earlier::Known(known.unwrap_or_else(|| self.reach.leads(shape.overwrites(one), shape.commit(other))))
    }

    /// Whose write a read was chosen to show, with the literal that says so.
    fn chosen(&self, solver: &Solver, read: u32) -> Option<(Option<Literal>, u32)> {
        if let Some(source) = self.saturation.sources[read as usize] {
            return Some((None, source));
        }
        let first = *self.sources.get(&read)?;
        let at = self.saturation.ambiguous.binary_search_by_key(&read, |ambiguous| ambiguous.read).ok()?;
        let literals = (first..).map(|variable| Literal::of(variable, true));
        let mut chosen = literals.zip(&self.saturation.ambiguous[at].candidates);
        let (literal, &source) = chosen.find(|(literal, _)| solver.of(*literal) == Some(true))?;
        Some((Some(literal), source))
    }

    /// Sources of reads that do not fit together, where all else follows from them.
    fn sources_that_do_not_fit(&self, solver: &Solver, allowance: &Allowance) -> Result<Vec<Vec<Literal>>, Late> {
        let problem = self.saturation.problem;
        let chosen: Vec<Option<(Option<Literal>, u32)>> =
            (0..problem.versions.reads().len() as u32).map(|read| self.chosen(solver, read)).collect();
        if chosen.iter().flatten().all(|(literal, _)| literal.is_none()) {
            return Ok(Vec::new());
        }
        let versions = problem.versions.with_sources(|read| chosen[read].map_or(INITIAL, |(_, source)| source));
        let repeated = problem.versions.reads().iter().zip(&chosen).filter(|(read, _)| read.is_repeated);
        let fixed: Vec<Dependency> = repeated
            .filter_map(|(read, chosen)| Some((read, (*chosen)?.1)))
            .filter(|(_, source)| *source != INITIAL)
            .map(|(read, from)| Dependency { from, to: read.row, kind: Kind::WriteRead, key: read.key })
            .collect();
        let known = [problem.known, &fixed].concat();
        let fixed = Problem { versions: &versions, known: &known, ..*problem };
        let mut saturation = Saturation::of(&fixed);
        let contradiction = match saturation.run(allowance) {
            End::Contradiction(contradiction) => contradiction,
            End::Fixpoint => return Ok(Vec::new()),
            End::Over(_) => return Err(Late),
        };
        let rows = Proof::of(&saturation, &contradiction).rows();
        let all = || versions.reads().iter().zip(&chosen).filter_map(|(read, chosen)| Some((read.row, (*chosen)?.0?)));
        let mut wrong: Vec<Literal> =
            all().filter(|(row, _)| rows.binary_search(row).is_ok()).map(|(_, literal)| literal).collect();
        if wrong.is_empty() {
            wrong = all().map(|(_, literal)| literal).collect();
        }
        Ok(vec![wrong])
    }

    /// Ways from a writer to a reader of what it wrote over: the literals of some of them.
    fn ways_that_must_not_be(
        &self,
        solver: &mut Solver,
        known: &[(u32, u32)],
        allowance: &Allowance,
    ) -> Result<Vec<Vec<Literal>>, Late> {
        let (shape, versions) = (self.saturation.problem.shape, self.saturation.problem.versions);
        let reach = Reach::of(&solver.order(), &solver.edges_now(known), allowance).map_err(|_| Late)?;
        let mut wrong = Vec::new();
        for (at, read) in (0..).zip(versions.reads()) {
            if self.saturation.is_edge(read.row) {
                continue;
            }
            let Some((shows, source)) = self.chosen(solver, at) else { continue };
            for &other in &versions.keys[read.key as usize].writers {
                let is_other = other != source && other != read.row;
                if !is_other || !reach.leads(shape.shown(other), shape.begin(read.row)) {
                    continue;
                }
                let order = match self.earlier(read.key, source, other) {
                    Earlier::Known(false) => continue,
                    Earlier::Known(true) => None,
                    Earlier::If(literal) if solver.of(literal) == Some(true) => Some(literal),
                    Earlier::If(_) => continue,
                };
                let Some(mut together) = solver.way(shape.shown(other), shape.begin(read.row)) else { continue };
                together.extend(shows.into_iter().chain(order));
                together.sort_unstable();
                together.dedup();
                wrong.push(together);
                if wrong.len() >= AT_ONCE {
                    return Ok(wrong);
                }
            }
        }
        Ok(wrong)
    }
}
