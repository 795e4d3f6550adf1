//! What is known of a few transactions by themselves: the dependencies among them, and time.
//!
//! A proof is cut down by leaving transactions out. What a transaction read from one that is left out is left out too, and what follows
//! from who is left is inferred anew: so each smaller set is a history of its own, and if it has no order, neither has the whole.

use crate::History;
use crate::history::OperationId;
use crate::transactions::dependencies::{Dependency, Kind};
use crate::transactions::{NONE, order};

use super::saturation::Problem;
use super::shape::{Shape, Time};
use super::versions::{INITIAL, Key, Versions};

/// Some transactions of a history, as a history of their own.
pub(super) struct Few {
    pub history: History,
    /// What each transaction was in the whole, in order.
    pub rows: Vec<u32>,
    pub versions: Versions,
    promised: Vec<Dependency>,
    time: Time,
    writes: Vec<bool>,
    known: Vec<Dependency>,
    nodes: u32,
}

impl Few {
    /// Those rows, which are sorted, with what is promised about the order of versions in the whole.
    pub fn of(history: &History, versions: &Versions, rows: &[u32], promised: &[Dependency], time: Time) -> Few {
        let keeps = |row: u32| rows.binary_search(&row).is_ok();
        let place = |row: u32| rows.binary_search(&row).ok().map(|place| place as u32);
        let promised = promised.iter().filter_map(|promised| {
            Some(Dependency { from: place(promised.from)?, to: place(promised.to)?, ..*promised })
        });
        let promised: Vec<Dependency> = promised.collect();
        let versions = versions.restricted_to(keeps).renumbered(rows);
        let history = history.restricted_to(|id: OperationId| keeps(id.0));
        let happened = vec![true; rows.len()];
        let count = rows.len() as u32;
        let (times, nodes) = match time {
            Time::None => (Vec::new(), count),
            Time::Sessions => order::process(&history, &happened, count),
            Time::Real => order::real_time(&history, &happened, count),
        };
        let mut known = among(&versions);
        known.extend(&promised);
        known.extend(times);
        let writes = (0..count).map(|row| !versions.writes_of(row).is_empty()).collect();
        Few { history, rows: rows.to_vec(), versions, promised, time, writes, known, nodes }
    }

    /// All but one of them.
    pub fn without(&self, place: usize) -> Few {
        let kept: Vec<u32> = (0..self.rows.len() as u32).filter(|&at| at as usize != place).collect();
        let less = Few::of(&self.history, &self.versions, &kept, &self.promised, self.time);
        Few { rows: kept.iter().map(|&at| self.rows[at as usize]).collect(), ..less }
    }

    pub fn problem(&self, shape: Shape) -> Problem<'_> {
        Problem {
            shape,
            versions: &self.versions,
            writes: &self.writes,
            known: &self.known,
            instants: self.rows.len() as u32,
            nodes: self.nodes,
        }
    }
}

/// The dependencies that follow from reads with one source, and from known orders of writers.
fn among(versions: &Versions) -> Vec<Dependency> {
    let mut known = Vec::new();
    let edge = |from, to, kind, key| Dependency { from, to, kind, key };
    for read in versions.reads() {
        let Some(source) = versions.source(read).filter(|_| !read.is_repeated) else { continue };
        if source != INITIAL {
            known.push(edge(source, read.row, Kind::WriteRead, read.key));
        }
        let of_key = &versions.keys[read.key as usize];
        let place = if source == INITIAL { None } else { of_key.place(source) };
        for (at, &other) in of_key.writers.iter().enumerate() {
            let is_later = source == INITIAL || place.and_then(|place| of_key.before(place, at)) == Some(true);
            if is_later && other != read.row && other != source {
                known.push(edge(read.row, other, Kind::ReadWrite, read.key));
            }
        }
    }
    for (key, of_key) in (0..).zip(&versions.keys) {
        for (one, other) in ordered(of_key) {
            known.push(edge(of_key.writers[one], of_key.writers[other], Kind::WriteWrite, key));
        }
    }
    known
}

/// All pairs of writers whose order is known, the earlier one first.
fn ordered(of_key: &Key) -> impl Iterator<Item = (usize, usize)> + '_ {
    let all = 0..of_key.writers.len();
    all.clone().flat_map(move |one| all.clone().map(move |other| (one, other))).filter(|&(one, other)| {
        of_key.ranks.get(one).is_some_and(|rank| *rank != NONE) && of_key.before(one, other) == Some(true)
    })
}
