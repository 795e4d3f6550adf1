//! The four **session guarantees** (Terry et al. 1994), each by itself.
//!
//! ```text
//!   read your writes     p  ─[ x := 1 ]──[ x := 2 ]──[ x → 1 ]─             one's own write is missing
//!   monotonic reads      p  ─[ x → 2 ]──[ x → 1 ]─                          what was seen is gone    (one process wrote 1, then 2)
//!   monotonic writes     p  ─[ y → 1 ]──[ x → 1 ]─                          another's earlier write is missing (x := 1, x := 2, y := 1)
//!   writes follow reads  p  ─[ y → 1 ]──[ x → 1 ]─                          what the writer of y had read, x = 2, is missing
//! ```
//!
//! Each is judged existentially: a read is broken only if no order of the writes explains it, given what nobody can deny of that order.
//! For the first three that is: each process wrote in its own order, and what a process had read before it wrote came before that write
//! as far as it itself is concerned. For writes follow reads it is causal order, as that guarantee is what makes it. So causal
//! consistency implies all four, and PRAM the first three.
//!
//! *Method:* one pass over each session that remembers the newest that it saw of every other; the fourth has `follows.rs` to itself.
//! *Cost:* O(n · k).

use rustc_hash::FxHashMap;

use super::conflict::newest;
use super::follows;
use super::found::{Found, Step, Why};
use super::limits::{Limits, Over, Pace};
use super::sessions::{NONE, Node, Read, Sessions};

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guarantee {
    ReadYourWrites,
    MonotonicReads,
    MonotonicWrites,
    WritesFollowReads,
}

/// The first read that breaks a guarantee.
pub(super) fn check(sessions: &Sessions, guarantee: Guarantee, limits: &Limits) -> Result<Option<Found>, Over> {
    if guarantee == Guarantee::WritesFollowReads {
        return follows::check(sessions, limits);
    }
    let mut pace = limits.begin("going through what each session saw", sessions.len());
    let mut view = View {
        sessions,
        guarantee,
        seen: FxHashMap::default(),
        newest: vec![None; sessions.count()],
        first_read: FxHashMap::default(),
    };
    for session in 0..sessions.count() {
        if let Some(found) = view.first_broken(session, &mut pace)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// What one process saw up to now.
struct View<'a> {
    sessions: &'a Sessions,
    guarantee: Guarantee,
    /// Of a key, by the session that wrote: the newest write that was read, and where.
    seen: FxHashMap<u32, Vec<(usize, Node, Node)>>,
    /// Of each session the newest write that was read, of any key, and where.
    newest: Vec<Option<(Node, Node)>>,
    /// Where each write was read first.
    first_read: FxHashMap<Node, Node>,
}

impl View<'_> {
    fn first_broken(&mut self, session: usize, pace: &mut Pace<'_>) -> Result<Option<Found>, Over> {
        self.seen.clear();
        self.newest.fill(None);
        self.first_read.clear();
        for node in self.sessions.nodes(session) {
            pace.step()?;
            for &read in self.sessions.reads(node) {
                self.see(session, node, read);
                let found = match self.guarantee {
                    Guarantee::ReadYourWrites => self.own(session, node, read),
                    Guarantee::MonotonicReads => self.gone(node, read),
                    _ => self.missing(node, read),
                };
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }

    fn see(&mut self, session: usize, node: Node, read: Read) {
        if read.source == NONE {
            return;
        }
        let from = self.sessions.session(read.source);
        if from == session && read.source >= node {
            return;
        }
        match self.guarantee {
            Guarantee::ReadYourWrites => _ = self.first_read.entry(read.source).or_insert(node),
            Guarantee::MonotonicReads => {
                let seen = self.seen.entry(read.key).or_default();
                match seen.iter_mut().find(|(session, ..)| *session == from) {
                    Some(known) if known.1 < read.source => *known = (from, read.source, node),
                    Some(_) => {}
                    None => seen.push((from, read.source, node)),
                }
            }
            _ => {
                let known = &mut self.newest[from];
                if known.is_none_or(|(newest, _)| newest < read.source) {
                    *known = Some((read.source, node));
                }
            }
        }
    }

    /// An own write that is missing.
    fn own(&self, session: usize, node: Node, read: Read) -> Option<Found> {
        let writers = self.sessions.writers_in(read.key, session);
        let own = newest(writers, 0, node)?;
        let broken = match read.source {
            NONE => true,
            source if self.sessions.session(source) == session => source < own,
            source => self.first_read.get(&source).is_some_and(|&first| first < own),
        };
        if !broken {
            return None;
        }
        let mut support = Vec::new();
        if read.source != NONE && self.sessions.session(read.source) != session {
            let first = self.first_read[&read.source];
            support.push(Step { from: read.source, to: first, why: Why::Reads { key: read.key } });
            support.push(Step { from: first, to: own, why: Why::Process });
        }
        let cycle = vec![Step { from: own, to: node, why: Why::Process }];
        Some(self.found("read-your-writes", cycle, support, own, node, read))
    }

    /// What was seen and is gone.
    fn gone(&self, node: Node, read: Read) -> Option<Found> {
        let seen = self.seen.get(&read.key)?;
        let (_, newer, reader) = *match read.source {
            NONE => seen.first()?,
            source => {
                let from = self.sessions.session(source);
                seen.iter().find(|&&(session, newest, _)| session == from && newest > source)?
            }
        };
        let mut cycle = vec![Step { from: newer, to: reader, why: Why::Reads { key: read.key } }];
        // A transaction may read a key twice.
        if reader != node {
            cycle.push(Step { from: reader, to: node, why: Why::Process });
        }
        Some(self.found("monotonic-reads", cycle, Vec::new(), newer, node, read))
    }

    /// A write before one that was seen.
    fn missing(&self, node: Node, read: Read) -> Option<Found> {
        let between = |session: usize, writers: &[Node]| {
            let (top, reader) = self.newest[session]?;
            let next =
                writers[writers.partition_point(|&writer| read.source != NONE && writer <= read.source)..].first();
            let next = *next.filter(|&&next| next < top)?;
            Some((next, top, reader))
        };
        let (over, top, reader) = match read.source {
            NONE => self.sessions.writers(read.key).find_map(|(session, writers)| between(session, writers))?,
            source => {
                let session = self.sessions.session(source);
                between(session, self.sessions.writers_in(read.key, session))?
            }
        };
        let via = self.sessions.reads(reader).iter().find(|read| read.source == top).map_or(read.key, |read| read.key);
        let mut cycle = vec![
            Step { from: over, to: top, why: Why::Process },
            Step { from: top, to: reader, why: Why::Reads { key: via } },
        ];
        if reader != node {
            cycle.push(Step { from: reader, to: node, why: Why::Process });
        }
        Some(self.found("monotonic-writes", cycle, Vec::new(), over, node, read))
    }

    fn found(
        &self,
        name: &'static str,
        mut cycle: Vec<Step>,
        mut support: Vec<Step>,
        writer: Node,
        node: Node,
        read: Read,
    ) -> Found {
        cycle.push(Step { from: node, to: writer, why: Why::Overwrites { key: read.key } });
        let mut beside = Vec::new();
        if read.source != NONE {
            beside.push(read.source);
            if self.sessions.session(read.source) == self.sessions.session(writer) {
                support.push(Step { from: read.source, to: writer, why: Why::Process });
            }
        }
        Found { name, cycle, support, beside }
    }
}
