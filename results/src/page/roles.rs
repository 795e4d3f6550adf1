//! What each node believed to be, and when, from the events of the trace.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde_json::Value as Json;

use super::text::visible;
use crate::record::RunRecord;
use crate::trace::TraceLine;

/// What a node was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State<'a> {
    /// It ran, and never spoke of roles.
    Up,
    /// It had a role that one node at a time has: `leader`, `primary`.
    Holds(&'a str),
    /// It had a role that it does not have for long: `candidate`.
    Passes(&'a str),
    /// It had the role that most nodes have most of the time: `follower`.
    Usual(&'a str),
    /// Its process stood still.
    Still,
    /// Its process was dead.
    Down,
}

impl State<'_> {
    /// The word that the page shows.
    pub fn word(self) -> String {
        match self {
            State::Up => "up".to_owned(),
            State::Holds(role) | State::Passes(role) | State::Usual(role) => visible(role),
            State::Still => "paused".to_owned(),
            State::Down => "down".to_owned(),
        }
    }

    /// What the page paints it as.
    pub fn class(self) -> &'static str {
        match self {
            State::Up => "up",
            State::Holds(_) => "leader",
            State::Passes(_) => "candidate",
            State::Usual(_) => "follower",
            State::Still | State::Down => "down",
        }
    }
}

/// A stretch of time in which a node was one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band<'a> {
    /// From, in simulated nanoseconds.
    pub from: u64,
    /// To, in simulated nanoseconds.
    pub to: u64,
    /// What it was.
    pub state: State<'a>,
    /// In which epoch: the name of that (`term`), and its number.
    pub epoch: Option<Epoch>,
}

/// `term 3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// `term`, or `epoch`.
    pub name: &'static str,
    /// Its number.
    pub number: u64,
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.number)
    }
}

impl Epoch {
    fn of(line: &TraceLine) -> Option<Epoch> {
        let named = |name| line.fields.get(name).and_then(Json::as_u64).map(|number| Epoch { name, number });
        ["term", "epoch"].into_iter().find_map(named)
    }
}

/// The bands of each node of the record, in order, up to `end`.
pub fn bands<'a>(record: &'a RunRecord, trace: &'a [TraceLine], end: u64) -> Vec<(&'a str, Vec<Band<'a>>)> {
    let rows: HashMap<&str, usize> = record.nodes.iter().enumerate().map(|(row, node)| (node.as_str(), row)).collect();
    let mut bands: Vec<Vec<Band<'a>>> = vec![Vec::new(); record.nodes.len()];
    // What each node was before it stood still.
    let mut before: Vec<(State<'a>, Option<Epoch>)> = vec![(State::Up, None); record.nodes.len()];
    for line in trace {
        let Some(&row) = rows.get(line.node.as_str()) else { continue };
        let (state, epoch) = match (line.event.as_str(), line.fields.get("role").and_then(Json::as_str)) {
            ("started", _) => (State::Up, None),
            ("stopped", _) => (State::Down, None),
            ("role", Some(role)) if record.roles.iter().any(|held| held == role) => {
                (State::Holds(role), Epoch::of(line))
            }
            ("role", Some(role)) => (State::Passes(role), Epoch::of(line)),
            ("paused", _) => (State::Still, None),
            ("resumed", _) if bands[row].last().is_some_and(|last| last.state == State::Still) => before[row],
            _ => continue,
        };
        let bands = &mut bands[row];
        if let (State::Still, Some(last)) = (state, bands.last())
            && last.state != State::Still
        {
            before[row] = (last.state, last.epoch);
        }
        if let Some(last) = bands.last_mut() {
            if last.state == state && last.epoch == epoch {
                continue;
            }
            last.to = line.time;
            if last.from == last.to {
                bands.pop();
            }
        }
        bands.push(Band { from: line.time, to: end.max(line.time), state, epoch });
    }
    let usual = usual(&bands);
    for band in bands.iter_mut().flatten() {
        if let State::Passes(role) = band.state
            && usual == Some(role)
        {
            band.state = State::Usual(role);
        }
    }
    record.nodes.iter().map(String::as_str).zip(bands).collect()
}

/// The role that nodes have for the longest time, of those that several may have.
fn usual<'a>(bands: &[Vec<Band<'a>>]) -> Option<&'a str> {
    let mut times: BTreeMap<&'a str, u64> = BTreeMap::new();
    for band in bands.iter().flatten() {
        if let State::Passes(role) = band.state {
            *times.entry(role).or_default() += band.to - band.from;
        }
    }
    times.into_iter().max_by_key(|(_, time)| *time).map(|(role, _)| role)
}

/// Who answered an operation, and what it believed to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The node.
    pub node: &'a str,
    /// Its role, if it has any.
    pub role: Option<&'a str>,
    /// The epoch of its role.
    pub epoch: Option<Epoch>,
}

impl Answer<'_> {
    /// `n1, leader of term 2`.
    pub fn words(&self) -> String {
        let node = visible(self.node);
        match (self.role, self.epoch) {
            (Some(role), Some(epoch)) => format!("{node}, {} of {epoch}", visible(role)),
            (Some(role), None) => format!("{node}, {}", visible(role)),
            (None, Some(epoch)) => format!("{node}, in {epoch}"),
            (None, None) => node,
        }
    }
}

/// The answers of the trace, by the index of the operation; the last one of each.
pub fn answers(trace: &[TraceLine]) -> HashMap<u64, Answer<'_>> {
    trace
        .iter()
        .filter(|line| line.event == "answered")
        .filter_map(|line| {
            let operation = line.fields.get("operation")?.as_u64()?;
            let role = line.fields.get("role").and_then(Json::as_str);
            Some((operation, Answer { node: &line.node, role, epoch: Epoch::of(line) }))
        })
        .collect()
}
