//! Many readers before many writers, in as many edges as there are of both.
//!
//! ```text
//!   readers of the last version known        ● ──► w1            a reader that is none of the writers enters at the first ●
//!        r ──rw──►  ●                        ▼                   w2, which read too, enters behind itself, and a chain
//!   writers of what must come after it       ● ──► w2            that goes the other way just before itself
//!        w1, w2, w3                          ▼
//!                                            ● ──► w3
//! ```
//!
//! A path through these nodes is told as one rw edge, as with the instants of [`order`](super::order).

use super::NONE;
use super::dependencies::{Dependency, Kind};

/// Where edges go, and how many nodes there are.
pub(super) struct Fans<'a> {
    pub edges: &'a mut Vec<Dependency>,
    pub nodes: &'a mut u32,
}

impl Fans<'_> {
    /// Puts each of some readers before each of some writers but itself. The writers are sorted, and each is there once.
    pub fn add(&mut self, readers: &[u32], writers: &[u32], key: u32) {
        let rw = |from, to| Dependency { from, to, kind: Kind::ReadWrite, key };
        if readers.len() <= 2 || writers.len() <= 4 {
            for &reader in readers {
                self.edges.extend(writers.iter().filter(|&&writer| writer != reader).map(|&to| rw(reader, to)));
            }
            return;
        }
        let count = writers.len() as u32;
        let (down, up) = (*self.nodes, *self.nodes + count);
        *self.nodes += count;
        let onward = |from, to| Dependency { from, to, kind: Kind::Onward, key: NONE };
        for (at, &writer) in (0..).zip(writers) {
            self.edges.push(onward(down + at, writer));
            if at + 1 < count {
                self.edges.push(onward(down + at, down + at + 1));
            }
        }
        let mut has_up = false;
        for &reader in readers {
            let Ok(own) = writers.binary_search(&reader) else {
                self.edges.push(rw(reader, down));
                continue;
            };
            let own = own as u32;
            if own + 1 < count {
                self.edges.push(rw(reader, down + own + 1));
            }
            if own > 0 {
                self.edges.push(rw(reader, up + own - 1));
                has_up = true;
            }
        }
        if has_up {
            *self.nodes += count;
            for (at, &writer) in (0..).zip(writers) {
                self.edges.push(onward(up + at, writer));
                if at > 0 {
                    self.edges.push(onward(up + at, up + at - 1));
                }
            }
        }
    }
}
