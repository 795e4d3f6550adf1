//! What each node believed to be, and when, from the events of the trace.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::text::visible;
use crate::record::RunRecord;
use crate::trace::TraceLine;

/// What a node was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It ran, and never spoke of roles.
    Up,
    /// It followed, or took any role that is not one of the others.
    Follower,
    /// It asked for votes.
    Candidate,
    /// It believed to lead.
    Leader,
    /// Its process was dead.
    Down,
}

impl State {
    /// The word that the page shows.
    pub fn word(self) -> &'static str {
        match self {
            State::Up => "up",
            State::Follower => "follower",
            State::Candidate => "candidate",
            State::Leader => "leader",
            State::Down => "down",
        }
    }
}

/// A stretch of time in which a node was one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// From, in simulated nanoseconds.
    pub from: u64,
    /// To, in simulated nanoseconds.
    pub to: u64,
    /// What it was.
    pub state: State,
    /// The term of its role.
    pub term: Option<u64>,
}

/// The bands of each node of the record, in order, up to `end`.
pub fn bands<'a>(record: &'a RunRecord, trace: &[TraceLine], end: u64) -> Vec<(&'a str, Vec<Band>)> {
    let rows: HashMap<&str, usize> = record.nodes.iter().enumerate().map(|(row, node)| (node.as_str(), row)).collect();
    let mut bands: Vec<Vec<Band>> = vec![Vec::new(); record.nodes.len()];
    for line in trace {
        let Some(&row) = rows.get(line.node.as_str()) else { continue };
        let (state, term) = match line.event.as_str() {
            "started" => (State::Up, None),
            "stopped" => (State::Down, None),
            "role" => (role(line), line.fields.get("term").and_then(Json::as_u64)),
            _ => continue,
        };
        let bands = &mut bands[row];
        if let Some(last) = bands.last_mut() {
            if last.state == state && last.term == term {
                continue;
            }
            last.to = line.time;
            if last.from == last.to {
                bands.pop();
            }
        }
        bands.push(Band { from: line.time, to: end.max(line.time), state, term });
    }
    record.nodes.iter().map(String::as_str).zip(bands).collect()
}

fn role(line: &TraceLine) -> State {
    match line.fields.get("role").and_then(Json::as_str) {
        Some("leader") => State::Leader,
        Some("candidate") => State::Candidate,
        _ => State::Follower,
    }
}

/// Who answered an operation, and what it believed to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The node.
    pub node: &'a str,
    /// Its role, if it has any.
    pub role: Option<&'a str>,
    /// The term of its role.
    pub term: Option<u64>,
}

impl Answer<'_> {
    /// `n1, leader of term 2`.
    pub fn words(&self) -> String {
        let node = visible(self.node);
        match (self.role, self.term) {
            (Some(role), Some(term)) => format!("{node}, {} of term {term}", visible(role)),
            (Some(role), None) => format!("{node}, {}", visible(role)),
            (None, Some(term)) => format!("{node}, in term {term}"),
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
            let term = line.fields.get("term").and_then(Json::as_u64);
            Some((operation, Answer { node: &line.node, role, term }))
        })
        .collect()
}
