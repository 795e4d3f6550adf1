//! **Atomic visibility** of registers: who sees one write of a transaction sees the others too.
//!
//! ```text
//!   T2: w x 1, w y 1        T: r x → 1, r y → 0     T saw T2, and yet reads y from T1: then T2 came before T1.
//!   T1: w y 0                                       If T1 must also come before T2, T saw a half of T2: fractured-read.
//! ```
//!
//! *Method:* of each transaction T that reads something from T2, and y from T1, where T2 wrote y too: T2 before T1. If T1 is the beginning, nothing
//! can come before it. Otherwise the dependencies and these edges must have no cycle. If only what T read *after* it saw T2 counts, a
//! cycle is a `non-monotonic-read`, and breaks monotonic atomic view already.
//!
//! *Source:* Biswas & Enea (OOPSLA 2019), read committed and read atomic, without the order of sessions, as Bailis et al. (VLDB 2014)
//! define the latter. *Cost:* for each transaction the writes of those that it read from.

use crate::History;
use crate::verdict::Anomaly;

use super::dependencies::{Dependency, Kind};
use super::explain::Teller;
use super::list_append::{index, rows_of_writes};
use super::micro::{self, MicroOperations};
use super::{Found, NONE, cycles};

pub(super) fn find(
    history: &History,
    micro: &MicroOperations<'_>,
    dependencies: &[Dependency],
    teller: &Teller<'_, '_>,
) -> Vec<Anomaly> {
    let rows = rows_of_writes(micro);
    let mut found = Found::default();
    // What came before what: with the reads in their order, and without.
    let (mut ordered, mut other) = (Vec::new(), Vec::new());
    // By key: who read it last, at which micro-operation, from whom.
    let mut read_by = vec![(NONE, 0_usize, NONE); micro.key_bound()];
    // By row: for whom it was looked at.
    let mut looked_at = vec![NONE; history.len()];
    for row in 0..micro.rows() {
        let is_outer = |at: &usize| micro.kind[*at] == micro::Kind::Read && micro.previous[*at] == NONE;
        let source = |at: usize| micro.writer(micro.key[at], micro.value[at]).map(|write| rows[write as usize]);
        for at in micro.of(row).filter(is_outer) {
            read_by[micro.key[at] as usize] = (row, at, source(at).unwrap_or(NONE));
        }
        for seen in micro.of(row).filter(is_outer) {
            let Some(writer) = source(seen).filter(|&writer| writer != row && looked_at[writer as usize] != row) else {
                continue;
            };
            looked_at[writer as usize] = row;
            for write in micro.of(writer).filter(|&at| micro.is_final(at as u32)) {
                let key = micro.key[write];
                let (reader, at, from) = read_by[key as usize];
                if reader != row || from == writer || from == row {
                    continue;
                }
                if from == NONE {
                    if micro.value[at] == 0 {
                        let name = if at > seen { "non-monotonic-read" } else { "fractured-read" };
                        found.add(name, &[row, writer], || {
                            let (one, two, key) = (index(history, row), index(history, writer), micro.key_value(key));
                            format!("transaction #{one} saw a write of #{two}, and yet read nil from key {key}, which #{two} wrote too")
                        });
                    }
                    continue;
                }
                let edge = Dependency { from: writer, to: from, kind: Kind::Seen, key };
                if at > seen { ordered.push(edge) } else { other.push(edge) }
            }
        }
    }
    let mut anomalies = found.0;
    // Sessions and real time have no part in this; nor have reads that were overwritten.
    let is_version = |edge: &&Dependency| matches!(edge.kind, Kind::WriteRead | Kind::WriteWrite);
    let versions: Vec<Dependency> = dependencies.iter().filter(is_version).copied().collect();
    let monotonic = cycles::seen("non-monotonic-read", history.len(), &versions, &ordered);
    let is_monotonic = monotonic.is_none();
    anomalies.extend(monotonic.map(|cycle| teller.cycle(&cycle)));
    if is_monotonic && !other.is_empty() {
        ordered.append(&mut other);
        let fractured = cycles::seen("fractured-read", history.len(), &versions, &ordered);
        anomalies.extend(fractured.map(|cycle| teller.cycle(&cycle)));
    }
    anomalies
}
