//! From a pattern to an **explanation**: the fewest operations that show it, and each step with its reason.

use super::accesses::micro_operations;
use super::found::{Found, Step, Why};
use super::limits::{Limits, Over};
use super::sessions::{NONE, Node, Sessions};
use crate::History;
use crate::history::{Operation, OperationId, Outcome, Value};
use crate::verdict::{Anomaly, Edge};

/// So many operations are gone through, over all that is tried, to cut a proof down.
const MOST_TRIED: usize = 4_000_000;

pub(super) struct Explaining<'a> {
    pub history: &'a History,
    pub keys: &'a [Option<Value>],
    pub sessions: &'a Sessions,
    pub limits: &'a Limits,
    /// The question that was asked.
    pub find: &'a dyn Fn(&Sessions) -> Result<Option<Found>, Over>,
}

/// The fewest operations that show a pattern.
pub(super) struct Shown {
    pub kept: Vec<Node>,
    /// These alone, and what is found in them; if that is nothing, what was found in the whole.
    alone: Option<Sessions>,
    found: Found,
    reduced: bool,
}

impl Explaining<'_> {
    pub fn explain(&self, found: Found) -> Anomaly {
        self.told(self.reduced(found))
    }

    /// The fewest of the operations of a pattern that show one.
    pub fn reduced(&self, found: Found) -> Shown {
        let mut kept = found.nodes();
        let (mut shown, mut reduced) = (None, true);
        let mut tried = 0;
        let mut attempt = |nodes: &[Node], reduced: &mut bool| {
            tried += nodes.len();
            if tried > MOST_TRIED || self.limits.late() {
                *reduced = false;
                return None;
            }
            let fewer = self.sessions.restricted_to(nodes);
            match (self.find)(&fewer) {
                Ok(found) => found.map(|found| (fewer, found)),
                Err(_) => {
                    *reduced = false;
                    None
                }
            }
        };
        if let Some(alone) = attempt(&kept, &mut reduced) {
            shown = Some(alone);
            // Many at once as long as that is worth it. What was needed before is needed still: fewer operations are no harder to order.
            let mut chunk = if kept.len() > 16 { kept.len() / 2 } else { 1 };
            loop {
                let mut at = 0;
                while at < kept.len() && kept.len() > 1 {
                    let end = (at + chunk).min(kept.len());
                    let fewer = [&kept[..at], &kept[end..]].concat();
                    match attempt(&fewer, &mut reduced) {
                        Some(smaller) => (kept, shown) = (fewer, Some(smaller)),
                        None => at = end,
                    }
                }
                if chunk == 1 {
                    break;
                }
                chunk = (chunk / 2).max(1);
            }
        }
        match shown {
            Some((alone, found)) => Shown { kept, alone: Some(alone), found, reduced },
            // Not so: what was found holds by itself, and is told in full.
            None => Shown { kept, alone: None, found, reduced: false },
        }
    }

    /// What was found, in words.
    pub fn told(&self, shown: Shown) -> Anomaly {
        let Shown { kept, alone, found, reduced } = shown;
        let sessions = alone.as_ref().unwrap_or(self.sessions);
        let telling = Telling { history: self.history, keys: self.keys, sessions, found: &found };
        let mut proof: Vec<OperationId> = kept.iter().map(|&node| self.sessions.operation[node as usize]).collect();
        proof.sort_unstable();
        Anomaly { proof, unreduced: !reduced, ..telling.anomaly() }
    }
}

struct Telling<'a> {
    history: &'a History,
    keys: &'a [Option<Value>],
    sessions: &'a Sessions,
    found: &'a Found,
}

impl<'a> Telling<'a> {
    fn anomaly(&self) -> Anomaly {
        let steps = self.found.cycle.iter().chain(&self.found.support);
        let mut edges: Vec<Edge> = Vec::new();
        for edge in steps.map(|step| self.edge(step)) {
            if !edges.contains(&edge) {
                edges.push(edge);
            }
        }
        let mut why: Vec<String> = edges.iter().map(|edge| edge.reason.clone()).collect();
        why.extend(self.guarantee().map(|name| format!("as causality orders the writes, this breaks {name}")));
        Anomaly { name: self.found.name, sentence: self.sentence(), why, edges, ..Anomaly::default() }
    }

    fn operation(&self, node: Node) -> Operation<'a> {
        self.history.operation(self.sessions.operation[node as usize])
    }

    fn key(&self, key: u32) -> Option<&'a Value> {
        self.keys[self.sessions.key_name(key) as usize].as_ref()
    }

    fn place(&self, key: u32) -> String {
        self.key(key).map_or_else(|| "the register".to_owned(), |key| format!("key {key}"))
    }

    /// What an operation left in a key.
    fn written(&self, node: Node, key: u32) -> String {
        let micro = micro_operations(self.operation(node)).unwrap_or_default();
        let name = self.key(key);
        let last = micro.iter().rev().find(|(writes, of, _)| *writes && *of == name);
        last.map_or_else(|| "something".to_owned(), |(_, _, value)| value.to_string())
    }

    fn who(&self, node: Node) -> String {
        format!("process {} (operation {})", self.operation(node).process(), self.operation(node).index())
    }

    /// Which operation it is and, where that was recorded, when it was there, in seconds.
    fn when(&self, node: Node) -> String {
        let operation = self.operation(node);
        // Simulated clocks tick in milliseconds, recorded ones more often.
        let seconds = |nanoseconds: u64| match nanoseconds % 1_000_000 {
            0 => format!("{:.3}", nanoseconds as f64 / 1e9),
            _ => format!("{:.6}", nanoseconds as f64 / 1e9),
        };
        let invoked = operation.invoked_at().filter(|_| operation.history().has_real_time()).map(seconds);
        let ended = operation.completed_at().filter(|_| operation.outcome() == Outcome::Ok).map(seconds);
        let when = match (invoked, ended) {
            (Some(begun), Some(ended)) if begun != ended => format!(", {begun} to {ended} s"),
            (_, Some(ended)) => format!(", {ended} s"),
            (Some(begun), None) => format!(", from {begun} s"),
            (None, None) => String::new(),
        };
        format!("(operation {}{when})", operation.index())
    }

    fn who_and_when(&self, node: Node) -> String {
        format!("process {} {}", self.operation(node).process(), self.when(node))
    }

    /// What an operation did, if that is one thing.
    fn deed(&self, node: Node) -> String {
        let operation = self.operation(node);
        let process = operation.process();
        let place = |key: Option<&Value>| key.map_or_else(|| "the register".to_owned(), |key| format!("key {key}"));
        match micro_operations(operation).unwrap_or_default()[..] {
            [(true, key, value)] => format!("process {process} writing {value} to {} {}", place(key), self.when(node)),
            [(false, key, value)] => {
                format!("process {process} reading {value} from {} {}", place(key), self.when(node))
            }
            _ => self.who_and_when(node),
        }
    }

    /// What a node read from a key, if it read it once.
    fn read(&self, node: Node, key: u32) -> (Node, String) {
        let read = self.sessions.reads(node).iter().find(|read| read.key == key);
        match read.map_or(NONE, |read| read.source) {
            NONE => (NONE, "the initial value".to_owned()),
            source => (source, self.written(source, key)),
        }
    }

    fn edge(&self, step: &Step) -> Edge {
        let (from, to) = (self.who(step.from), self.who(step.to));
        let (kind, reason) = match step.why {
            Why::Process => {
                let process = self.operation(step.from).process();
                let [first, second] = [step.from, step.to].map(|node| self.operation(node).index());
                ("process", format!("process {process} did operation {first} before operation {second}"))
            }
            Why::Reads { key } => {
                let (place, value) = (self.place(key), self.written(step.from, key));
                ("wr", format!("{to} read {value} from {place}, which {from} wrote"))
            }
            Why::Conflict { key, reader } => {
                let (place, one, two) = (self.place(key), self.written(step.from, key), self.written(step.to, key));
                let reader = self.who(reader);
                (
                    "ww",
                    format!(
                        "{reader} read {two} from {place} although {one} came before that read: so {one} was written before {two}"
                    ),
                )
            }
            Why::Overwrites { key } => {
                let (place, new) = (self.place(key), self.written(step.to, key));
                let (_, old) = self.read(step.from, key);
                ("rw", format!("{from} read {old} from {place}, so it came before {to} wrote {new} over it"))
            }
            Why::Older { key, older } => {
                let (place, new) = (self.place(key), self.written(step.to, key));
                let reason = match older {
                    NONE => format!(
                        "{from} read the initial value from {place}, so it came before {to} wrote {new} over it"
                    ),
                    older => format!(
                        "{from} read {} from {place}, which {} wrote before {to} wrote {new}: so it came before {to}",
                        self.written(older, key),
                        self.who(older)
                    ),
                };
                ("rw", reason)
            }
        };
        let operation = |node: Node| self.sessions.operation[node as usize];
        Edge { from: operation(step.from), to: operation(step.to), kind, reason }
    }

    /// The session guarantee that is broken, if the way from the write that is missing to the read is one of the four.
    fn guarantee(&self) -> Option<&'static str> {
        if !matches!(self.found.name, "WriteCORead" | "WriteCOInitRead") {
            return None;
        }
        let (_, way) = self.found.cycle.split_last()?;
        match *way.iter().map(|step| step.why).collect::<Vec<Why>>() {
            [Why::Process] => Some("read-your-writes"),
            [Why::Reads { .. }, Why::Process] => Some("monotonic-reads"),
            [Why::Process, Why::Reads { .. }] | [Why::Process, Why::Reads { .. }, Why::Process] => {
                Some("monotonic-writes")
            }
            [Why::Reads { .. }, Why::Process, Why::Reads { .. }]
            | [Why::Reads { .. }, Why::Process, Why::Reads { .. }, Why::Process] => Some("writes-follow-reads"),
            _ => None,
        }
    }

    /// Whether all conflicts of the cycle are what one operation read.
    fn is_of_one_reader(&self) -> bool {
        let mut readers: Vec<Node> = self
            .found
            .cycle
            .iter()
            .filter_map(|step| match step.why {
                Why::Conflict { reader, .. } => Some(reader),
                _ => None,
            })
            .collect();
        readers.dedup();
        readers.len() == 1
    }

    fn sentence(&self) -> String {
        let closing = self.found.cycle.iter().find_map(|step| match step.why {
            Why::Overwrites { key } => Some((step.from, step.to, key)),
            _ => None,
        });
        match closing {
            Some((reader, writer, key)) => {
                let (source, old) = self.read(reader, key);
                let (place, new) = (self.place(key), self.written(writer, key));
                let past = match self.found.name {
                    "WriteHBInitRead" => "must have come before",
                    _ => "came before",
                };
                let over = match source {
                    NONE => String::new(),
                    source => format!(", after {old} of {}", self.who_and_when(source)),
                };
                format!(
                    "{} read {old} from {place}, although the write of {new} by {} {past} that read{over}",
                    self.who_and_when(reader),
                    self.who_and_when(writer)
                )
            }
            None => {
                let mut around: Vec<String> = self.found.cycle.iter().map(|step| self.deed(step.from)).collect();
                around.extend(around.first().cloned());
                let reader = self.found.cycle.iter().find_map(|step| match step.why {
                    Why::Conflict { reader, .. } => Some(self.operation(reader)),
                    _ => None,
                });
                let what = match (self.found.name, reader) {
                    ("CyclicCO", _) => {
                        "causes cannot come after their effects, but these go round in a circle".to_owned()
                    }
                    ("CyclicHB" | "read-your-writes" | "monotonic-reads" | "monotonic-writes", Some(reader)) => {
                        format!("no one order of the writes satisfies all that process {} read", reader.process())
                    }
                    ("CyclicCF", Some(reader)) if self.is_of_one_reader() => {
                        format!("no one order of the writes satisfies all that operation {} read", reader.index())
                    }
                    ("CyclicCF", _) => "no one order of the writes satisfies all that was read".to_owned(),
                    _ => "no one order of all operations satisfies what was read".to_owned(),
                };
                if self.found.cycle.is_empty() {
                    return format!("{what}: every order that could be was tried");
                }
                format!("{what}: {}", around.join(" before "))
            }
        }
    }
}
