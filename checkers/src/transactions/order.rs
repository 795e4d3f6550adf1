//! The orders of time between transactions, in as many edges as there are transactions, whatever the number of clients.
//!
//! ```text
//!   p0 ──T1──┐     ┌──T3──     T1 ──realtime──► ● ──onward──► T3
//!   p1 ─────T2─────┼──────     (● is the instant at which T1 ended; instants lead onward to later ones,
//!                  ●            and to the transactions that begin after them)
//! ```
//!
//! A path from a transaction through instants to another is one realtime edge. The usual transitive reduction needs an edge for each pair of
//! concurrent neighbours, which is clients times as many. Process order is kept in the same way, an instant for each transaction.

use crate::History;
use crate::history::{NEVER, OperationId, Outcome};

use super::NONE;
use super::dependencies::{Dependency, Kind};

/// The edges of real time among the transactions that happened, and how many nodes there are with the instants.
pub(super) fn real_time(history: &History, happened: &[bool], mut nodes: u32) -> (Vec<Dependency>, u32) {
    if !history.has_real_time() {
        return (Vec::new(), nodes);
    }
    let mut at = vec![NONE; history.event_count() as usize];
    for operation in history.operations().filter(|operation| happened[operation.id().row()]) {
        at[operation.invoked() as usize] = operation.id().0;
        // What ended `info` may take effect later.
        if operation.outcome() == Outcome::Ok && operation.completed() != NEVER {
            at[operation.completed() as usize] = operation.id().0;
        }
    }
    let mut edges = Vec::with_capacity(3 * history.len());
    let mut instant = None;
    // Whether nothing has begun since the instant: then what ends now ends at the same one.
    let mut is_fresh = false;
    for (position, row) in at.into_iter().enumerate().filter(|(_, row)| *row != NONE) {
        if history.operation(OperationId(row)).invoked() as usize == position {
            if let Some(instant) = instant {
                edges.push(onward(instant, row));
            }
            is_fresh = false;
            continue;
        }
        let now = match instant {
            Some(instant) if is_fresh => instant,
            earlier => {
                if let Some(earlier) = earlier {
                    edges.push(onward(earlier, nodes));
                }
                nodes += 1;
                nodes - 1
            }
        };
        edges.push(Dependency { from: row, to: now, kind: Kind::RealTime, key: NONE });
        (instant, is_fresh) = (Some(now), true);
    }
    (edges, nodes)
}

/// The edges of each process's order among the transactions that happened, and how many nodes there are with their instants.
pub(super) fn process(history: &History, happened: &[bool], mut nodes: u32) -> (Vec<Dependency>, u32) {
    let mut by_process: Vec<(u32, u32)> = Vec::with_capacity(history.len());
    by_process.extend(history.operations().filter(|o| happened[o.id().row()]).map(|o| (o.process(), o.id().0)));
    by_process.sort_unstable();
    let mut edges = Vec::with_capacity(3 * by_process.len());
    for rows in by_process.chunk_by(|one, two| one.0 == two.0) {
        let mut instant = None;
        for (at, &(_, row)) in rows.iter().enumerate() {
            if let Some(instant) = instant {
                edges.push(onward(instant, row));
            }
            // What ended `info` may take effect later than what its process did next.
            if at + 1 == rows.len() || history.operation(OperationId(row)).outcome() != Outcome::Ok {
                continue;
            }
            if let Some(instant) = instant {
                edges.push(onward(instant, nodes));
            }
            edges.push(Dependency { from: row, to: nodes, kind: Kind::Process, key: NONE });
            instant = Some(nodes);
            nodes += 1;
        }
    }
    (edges, nodes)
}

fn onward(from: u32, to: u32) -> Dependency {
    Dependency { from, to, kind: Kind::Onward, key: NONE }
}
