//! **Values that repeat**: a read of a value that several wrote saw one of them, and nobody knows which.
//!
//! ```text
//!   p0  ─[ x := 1 ]──[ x := 2 ]──[ x → 1 ]─      p0's own write was overwritten: so x → 1 saw p1's,
//!   p1  ─[ x := 1 ]──────────────────────────     unless something forbids that, too
//! ```
//!
//! A history satisfies a level if it does so for some choice of a writer for each such read.
//!
//! *Method:* every read chooses the likeliest writer, the newest before it, and the level's own method judges the whole. What it finds is
//! cut down to a few operations, whose choices cannot stand together, whatever the others are: leaving operations out only weakens a
//! history. So the last of these choices is taken back for the reason that the others are. A read whose writers are all ruled out
//! makes of their reasons a new conflict of the choices before it (dynamic backtracking, Ginsberg 1993). Where none are left, no choice
//! holds, and the conflicts are the proof.
//!
//! *Cost:* one judgement of the history for each conflict. In the worst case exponentially many, as deciding this is NP-complete (Gibbons
//! & Korach 1997): each counts as many configurations as it has operations.

use rustc_hash::FxHashMap;

use super::compile::Compiled;
use super::explain::Explaining;
use super::found::Found;
use super::happened::Happened;
use super::limits::{Limits, Over};
use super::sessions::{NONE, Sessions};
use crate::History;
use crate::history::OperationId;
use crate::verdict::Anomaly;

/// The question whether some choice satisfies a level.
pub(super) struct Choosing<'a> {
    pub history: &'a History,
    pub compiled: &'a Compiled,
    /// What the whole may cost, and what each attempt to say it with fewer operations may.
    pub limits: &'a Limits,
    pub small: &'a Limits,
    /// What breaks the level once each read has its writer.
    pub find: &'a Find<'a>,
}

/// What breaks a level, given whose write each read shows.
type Find<'a> = dyn Fn(&Sessions, &Limits) -> Result<Option<Found>, Over> + 'a;

/// A choice: its number, and the row that was chosen ([`NONE`]: the initial value).
type Made = (usize, u32);

/// Choices that cannot stand together, and the operations that show it.
#[derive(Clone, Default)]
struct Conflict {
    /// In the order of their numbers.
    made: Vec<Made>,
    rows: Vec<u32>,
}

impl Conflict {
    fn tidy(mut self) -> Conflict {
        self.made.sort_unstable();
        self.made.dedup();
        self.rows.sort_unstable();
        self.rows.dedup();
        self
    }
}

/// What a judgement found, in words.
struct Told {
    made: Vec<Made>,
    anomaly: Anomaly,
}

/// The conflicts of most refutations are fewer; of others not all are told.
const TOLD: usize = 8;

/// Refutations with more operations are not cut down further.
const MOST_REDUCED: usize = 200;

impl Choosing<'_> {
    /// Why no choice satisfies the level, if none does.
    pub fn refuted(&self) -> Result<Option<Anomaly>, Over> {
        let mut told = Vec::new();
        let Some(mut rows) = self.solve(None, self.limits, &mut told)? else { return Ok(None) };
        let mut unreduced = rows.len() > MOST_REDUCED;
        if !unreduced {
            let mut at = 0;
            while at < rows.len() {
                let mut fewer = rows.clone();
                fewer.remove(at);
                match self.solve(Some(&fewer), self.small, &mut Vec::new()) {
                    Ok(Some(smaller)) => rows = smaller,
                    Ok(None) => at += 1,
                    Err(_) => (at, unreduced) = (at + 1, true),
                }
            }
            let mut again = Vec::new();
            if matches!(self.solve(Some(&rows), self.limits, &mut again), Ok(Some(_))) {
                told = again;
            }
        }
        Ok(Some(match &told[..] {
            [Told { made, anomaly }] if made.is_empty() => anomaly.clone(),
            _ => self.anomaly(&rows, &told, unreduced),
        }))
    }

    /// The operations that show that no choice satisfies the level, if none does. With `only`, of these alone, which are sorted.
    fn solve(&self, only: Option<&[u32]>, limits: &Limits, told: &mut Vec<Told>) -> Result<Option<Vec<u32>>, Over> {
        let happening = &self.compiled.happening;
        let choices = happening.choices().len();
        let mut chosen: Vec<u32> =
            (0..choices).map(|choice| happening.candidates(choice).next().unwrap_or(NONE)).collect();
        let mut ruled_out: FxHashMap<usize, Vec<(u32, Conflict)>> = FxHashMap::default();
        let mut known: Vec<Conflict> = Vec::new();
        let mut pace = limits.begin("choosing whom reads of repeated values saw", choices);
        let mut configurations = 0;
        loop {
            let stands = |conflict: &&Conflict| conflict.made.iter().all(|&(choice, by)| chosen[choice] == by);
            let (mut conflict, judged) = match known.iter().find(stands) {
                Some(known) => (known.clone(), 1),
                None => match self.judge(&chosen, only, limits, told)? {
                    (None, _) => return Ok(None),
                    (Some(conflict), judged) => {
                        known.push(conflict.clone());
                        (conflict, judged)
                    }
                },
            };
            configurations += judged as u64 + known.len() as u64;
            pace.afford_configurations(configurations)?;
            pace.pause()?;
            // Those that have nothing left until one of the choices before them is another.
            let mut waiting: Vec<usize> = Vec::new();
            loop {
                let Some(last @ (choice, by)) = conflict.made.pop() else {
                    return Ok(Some(conflict.tidy().rows));
                };
                pace.reach(choice);
                for others in ruled_out.values_mut() {
                    others.retain(|(_, reason)| !reason.made.contains(&last));
                }
                let out = ruled_out.entry(choice).or_default();
                out.push((by, conflict));
                let is_free = |by: &u32| out.iter().all(|(other, _)| other != by);
                if let Some(next) = happening.candidates(choice).find(is_free) {
                    chosen[choice] = next;
                    break;
                }
                let mut all = Conflict::default();
                for (by, reason) in out.iter() {
                    all.made.extend(&reason.made);
                    all.rows.extend(&reason.rows);
                    all.rows.extend(Some(*by).filter(|&by| by != NONE));
                }
                all.rows.push(happening.choices()[choice].row);
                conflict = all.tidy();
                waiting.push(choice);
            }
            for choice in waiting {
                let out = ruled_out.get(&choice).map_or(&[][..], |out| out);
                let is_free = |by: &u32| out.iter().all(|(other, _)| other != by);
                if let Some(next) = happening.candidates(choice).find(is_free) {
                    chosen[choice] = next;
                }
            }
        }
    }

    /// What is wrong with these choices, and how many operations were judged.
    fn judge(
        &self,
        chosen: &[u32],
        only: Option<&[u32]>,
        limits: &Limits,
        told: &mut Vec<Told>,
    ) -> Result<(Option<Conflict>, usize), Over> {
        let happened = self.compiled.happening.with(self.history, chosen, only);
        let judged = happened.sessions.len() + 1;
        let Some(found) = (self.find)(&happened.sessions, limits)? else { return Ok((None, judged)) };
        let again = |sessions: &Sessions| (self.find)(sessions, self.small);
        let explaining = Explaining {
            history: self.history,
            keys: &self.compiled.keys,
            sessions: &happened.sessions,
            limits: self.small,
            find: &again,
        };
        let shown = explaining.reduced(found);
        let rows = shown.kept.iter().map(|&node| happened.sessions.operation[node as usize].0).collect();
        let conflict = self.conflict(rows, chosen, only, &happened);
        if told.len() < TOLD {
            let mut anomaly = explaining.told(shown);
            anomaly.proof = conflict.rows.iter().map(|&row| OperationId(row)).collect();
            told.push(Told { made: conflict.made.clone(), anomaly });
        }
        Ok((Some(conflict), judged))
    }

    /// What was chosen for reads of some operations, and for those by which some of them happened.
    fn conflict(&self, rows: Vec<u32>, chosen: &[u32], only: Option<&[u32]>, happened: &Happened) -> Conflict {
        let happening = &self.compiled.happening;
        let kept = rows.clone();
        let mut conflict = Conflict { made: Vec::new(), rows };
        for &row in &kept {
            for read in happening.reads_of(row) {
                let Some(choice) = happening.choice_of(read) else { continue };
                let by = chosen[choice];
                let is_inside = |row: &u32| *row == NONE || only.is_none_or(|only| only.binary_search(row).is_ok());
                let is_judged = only.is_none() || happening.candidates(choice).all(|row| is_inside(&row));
                if is_judged && (by == NONE || kept.contains(&by)) {
                    conflict.made.push((choice, by));
                }
            }
        }
        happened.with_reasons(&mut conflict.rows);
        for row in &conflict.rows {
            let read = happened.because.get(row).and_then(|&(read, _)| happening.choice_of(read));
            conflict.made.extend(read.map(|choice| (choice, chosen[choice])));
        }
        conflict.tidy()
    }

    fn index(&self, row: u32) -> u64 {
        self.history.operation(OperationId(row)).index()
    }

    fn anomaly(&self, rows: &[u32], told: &[Told], unreduced: bool) -> Anomaly {
        let choices = self.compiled.happening.choices();
        let mut of: Vec<usize> = told.iter().flat_map(|told| told.made.iter().map(|&(choice, _)| choice)).collect();
        of.sort_unstable();
        of.dedup();
        let names: Vec<&str> = told.iter().map(|told| told.anomaly.name).collect();
        let name = match told.first() {
            Some(first) if names.iter().all(|name| *name == first.anomaly.name) => first.anomaly.name,
            _ => "no-writer-fits",
        };
        let asked: Vec<String> = of
            .iter()
            .take(TOLD)
            .map(|&choice| {
                let by = self.compiled.happening.candidates(choice).take(TOLD).map(|by| self.written_by(by));
                let by: Vec<String> = by.collect();
                format!("operation {} read what may be {}", self.index(choices[choice].row), by.join(" or "))
            })
            .collect();
        let sentence = format!("whichever write each read saw, none fits: {}", asked.join("; "));
        let why = told.iter().map(|told| {
            let made = told.made.iter().map(|&(choice, by)| {
                format!("operation {} read {}", self.index(choices[choice].row), self.written_by(by))
            });
            let made: Vec<String> = made.collect();
            match made.is_empty() {
                true => told.anomaly.sentence.clone(),
                false => format!("if {}: {}", made.join(", and "), told.anomaly.sentence),
            }
        });
        let proof = rows.iter().map(|&row| OperationId(row)).collect();
        let why = why.collect();
        Anomaly { name, proof, unreduced, sentence, why, ..Anomaly::default() }
    }

    fn written_by(&self, row: u32) -> String {
        match row {
            NONE => "the initial value".to_owned(),
            row => format!("what operation {} wrote", self.index(row)),
        }
    }
}
