//! A cycle in sentences that a person can check by hand.

use crate::History;
use crate::history::{List, OperationId, Value, ValueId};
use crate::verdict::{Anomaly, Edge};

use super::cycles::Cycle;
use super::dependencies::{Dependency, Kind};
use super::micro::{self, MicroOperations};
use super::{NONE, Workload};

pub(super) struct Teller<'a, 'h> {
    pub history: &'h History,
    pub micro: &'a MicroOperations<'h>,
    pub workload: Workload,
}

impl Teller<'_, '_> {
    pub fn cycle(&self, cycle: &Cycle) -> Anomaly {
        self.cycle_seen(cycle, |_| NONE)
    }

    /// A cycle in which somebody saw that one transaction came before another: `reader` tells who, of each such step.
    pub fn cycle_seen(&self, cycle: &Cycle, reader: impl Fn(&Dependency) -> u32) -> Anomaly {
        let readers: Vec<u32> = cycle.steps.iter().map(reader).collect();
        let edge = |(step, reader): (&Dependency, &u32)| Edge {
            from: OperationId(step.from),
            to: OperationId(step.to),
            kind: step.kind.name(),
            reason: self.reason(step, *reader),
        };
        let edges: Vec<Edge> = cycle.steps.iter().zip(&readers).map(edge).collect();
        let seers = readers.into_iter().filter(|reader| *reader != NONE).map(OperationId);
        let mut proof: Vec<OperationId> = edges.iter().map(|edge| edge.from).chain(seers).collect();
        proof.sort_unstable();
        proof.dedup();
        let reasons: Vec<&str> = edges.iter().map(|edge| edge.reason.as_str()).collect();
        let first = self.name(cycle.steps[0].from);
        let sentence = format!(
            "no order is left for {} transactions: {}; so {first} came before itself",
            edges.len(),
            reasons.join("; ")
        );
        Anomaly {
            name: cycle.name,
            proof,
            sentence,
            why: edges.iter().map(|edge| edge.reason.clone()).collect(),
            edges,
            ..Anomaly::default()
        }
    }

    /// Why the one transaction came before the other.
    pub fn reason(&self, step: &Dependency, reader: u32) -> String {
        let (from, to) = (self.name(step.from), self.name(step.to));
        let verb = match self.workload {
            Workload::ListAppend => "appended",
            Workload::RwRegister => "wrote",
        };
        let key = || self.micro.key_value(step.key);
        match step.kind {
            Kind::Process => {
                let process = self.history.operation(OperationId(step.from)).process();
                format!("{from} came before {to} in process {process}")
            }
            Kind::RealTime => format!("{from} had completed before {to} began"),
            Kind::WriteWrite => {
                let (earlier, later) = (self.written(step.from, step.key), self.written(step.to, step.key));
                format!("{from} {verb} {earlier} to key {}, and {to} {verb} {later} after it", key())
            }
            Kind::WriteRead => {
                let written = self.written(step.from, step.key);
                let read = self.value_read(step.to, step.key);
                format!("{to} read {read} from key {}, for which {from} {verb} {written}", key())
            }
            Kind::ReadWrite => {
                let read = self.value_read(step.from, step.key);
                let written = self.written(step.to, step.key);
                format!("{from} read {read} from key {}, before {to} {verb} {written}", key())
            }
            Kind::Seen => format!(
                "{} saw {from}, and yet read key {} from {to}, though {from} wrote it too: {from} came before {to}",
                self.name(reader),
                key()
            ),
            Kind::Onward => unreachable!("a walk is told between transactions"),
        }
    }

    pub fn name(&self, row: u32) -> String {
        let operation = self.history.operation(OperationId(row));
        let kind = if operation.function() == "txn" { "transaction" } else { "operation" };
        format!("{kind} #{}", operation.index())
    }

    pub fn key(&self, key: u32) -> &Value {
        self.micro.key_value(key)
    }

    /// What a transaction wrote to a key.
    fn written(&self, row: u32, key: u32) -> String {
        let is_it = |at: &usize| self.micro.key[*at] == key && self.micro.kind[*at] == micro::Kind::Write;
        let values = self.micro.of(row).filter(is_it).map(|at| self.micro.elements.get(ValueId(self.micro.value[at])));
        let values: Vec<String> = values.map(Value::to_string).collect();
        values.join(", ")
    }

    /// What a transaction first read from a key.
    pub fn value_read(&self, row: u32, key: u32) -> String {
        let is_it = |at: &usize| self.micro.key[*at] == key && self.micro.kind[*at] == micro::Kind::Read;
        let Some(at) = self.micro.of(row).find(is_it) else { return "it".to_owned() };
        let value = self.micro.value[at];
        match self.workload {
            Workload::RwRegister => self.micro.elements.get(ValueId(value)).to_string(),
            Workload::ListAppend => listed(self.micro.lists[value as usize]),
        }
    }
}

/// A list, or its end if it is long.
pub(super) fn listed(list: List<'_>) -> String {
    let shown = list.iter().skip(list.len().saturating_sub(8));
    let dots = if shown.len() < list.len() { "… " } else { "" };
    let items: Vec<String> = shown.map(|item| item.to_string()).collect();
    format!("[{dots}{}]", items.join(" "))
}
