//! **What happened**, once it is settled whom each read saw: the operations that did, as [`Sessions`].
//!
//! ```text
//!   cas x [0 2] (info) ◄── x → 2            somebody saw its effect: it happened, and so it saw 0, and so …
//! ```
//!
//! Nothing comes after an operation of unknown outcome only because its process went on, another such one no more than any other: where
//! the process goes on, it becomes a session of its own that begins behind what the process had done before.
//!
//! *Cost:* linear.

use rustc_hash::FxHashMap;

use super::accesses::{Accesses, Kind};
use super::sessions::{Draft, NONE, Node, Read, Sessions};
use crate::History;
use crate::history::{Operation, OperationId, Outcome};

/// The reads of all rows.
#[derive(Default)]
pub(super) struct Reads {
    /// Where those of each row begin, and of all the end.
    pub starts: Vec<u32>,
    /// The key, and the row that wrote, or [`NONE`].
    pub all: Vec<Read>,
    /// Those of `all` that may have seen several, in their order.
    pub choices: Vec<Choice>,
    /// What choices are made from, each in the order of time.
    pub lists: Vec<Vec<u32>>,
}

/// A read that may have seen several writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    /// Its place among all reads, and the row that it belongs to.
    pub read: u32,
    pub row: u32,
    /// The list of those who wrote the value.
    pub list: u32,
    /// The first of the list that came later than the read, as far as time tells.
    pub nearest: u32,
    /// Whether it may have seen the initial value, too.
    pub or_initial: bool,
}

impl Choice {
    /// Whom the read may have seen, the likeliest first: the newest before it, those before that, what was there at first, and those
    /// that came later.
    pub fn candidates<'a>(&self, lists: &'a [Vec<u32>]) -> impl Iterator<Item = u32> + use<'a> {
        let (before, after) = lists[self.list as usize].split_at(self.nearest as usize);
        let (row, initial) = (self.row, self.or_initial.then_some(NONE));
        let all = before.iter().rev().copied().chain(initial).chain(after.iter().copied());
        all.filter(move |&writer| writer != row)
    }
}

/// Whom each read saw, and what happened thereby.
pub(super) struct Happening {
    /// What happens if each read saw the likeliest.
    pub happened: Happened,
    reads: Reads,
    /// What builds sessions anew, where there is a choice.
    accesses: Option<Accesses>,
}

/// What happened, and why the uncertain part of it did.
pub(super) struct Happened {
    pub sessions: Sessions,
    /// Of each operation of unknown outcome that happened: a read that saw it, and the row that this belongs to.
    pub because: FxHashMap<u32, (u32, u32)>,
}

impl Happened {
    /// Adds to some rows those by which one knows that they happened.
    pub fn with_reasons(&self, rows: &mut Vec<u32>) {
        let mut at = 0;
        while let Some(row) = rows.get(at) {
            if let Some(&(_, reader)) = self.because.get(row)
                && !rows.contains(&reader)
            {
                rows.push(reader);
            }
            at += 1;
        }
    }
}

impl Happening {
    pub fn of(history: &History, accesses: Accesses, mut reads: Reads) -> Happening {
        if reads.choices.is_empty() {
            let happened = sessions(history, &accesses, &mut reads, None);
            return Happening { happened, reads: Reads::default(), accesses: None };
        }
        let mut copy = Reads { starts: reads.starts.clone(), all: reads.all.clone(), ..Reads::default() };
        let happened = sessions(history, &accesses, &mut copy, None);
        Happening { happened, reads, accesses: Some(accesses) }
    }

    /// The reads that may have seen several.
    pub fn choices(&self) -> &[Choice] {
        &self.reads.choices
    }

    /// Whom a read may have seen.
    pub fn candidates(&self, choice: usize) -> impl Iterator<Item = u32> {
        self.reads.choices[choice].candidates(&self.reads.lists)
    }

    /// The choice that a read is, if it is one.
    pub fn choice_of(&self, read: u32) -> Option<usize> {
        self.reads.choices.binary_search_by_key(&read, |choice| choice.read).ok()
    }

    /// The reads of a row: their places.
    pub fn reads_of(&self, row: u32) -> std::ops::Range<u32> {
        self.reads.starts[row as usize]..self.reads.starts[row as usize + 1]
    }

    /// What happens if each choice is made like this. With `only`, of those rows alone: a read that may have seen another one is not judged.
    pub fn with(&self, history: &History, chosen: &[u32], only: Option<&[u32]>) -> Happened {
        let accesses = self.accesses.as_ref().expect("there are choices");
        let mut reads = Reads::default();
        let inside = |row: u32| only.is_none_or(|only| row == NONE || only.binary_search(&row).is_ok());
        reads.starts.push(0);
        let mut choices = self.reads.choices.iter().zip(chosen).peekable();
        let mut places: Vec<u32> = Vec::new();
        for row in 0..history.len() as u32 {
            for place in self.reads_of(row) {
                let mut read = self.reads.all[place as usize];
                let mut is_judged = inside(row) && inside(read.source);
                if let Some((choice, &writer)) = choices.next_if(|(choice, _)| choice.read == place) {
                    read.source = writer;
                    is_judged = inside(row) && (only.is_none() || choice.candidates(&self.reads.lists).all(inside));
                }
                if is_judged {
                    reads.all.push(read);
                    places.push(place);
                }
            }
            reads.starts.push(reads.all.len() as u32);
        }
        let mut happened = sessions(history, accesses, &mut reads, only);
        happened.because.values_mut().for_each(|(read, _)| *read = places[*read as usize]);
        happened
    }
}

/// Gives the rows that happened their nodes, session by session. The sources of the reads, which are rows, become nodes.
fn sessions(history: &History, accesses: &Accesses, reads: &mut Reads, only: Option<&[u32]>) -> Happened {
    let is_in = |row: u32| only.is_none_or(|only| only.binary_search(&row).is_ok());
    let certain = |operation: Operation<'_>| operation.outcome() == Outcome::Ok && is_in(operation.id().0);
    let mut happened: Vec<bool> = history.operations().map(certain).collect();
    let mut because: FxHashMap<u32, (u32, u32)> = FxHashMap::default();
    let mut open: Vec<u32> = Vec::new();
    let of_row = |starts: &[u32], row: u32| starts[row as usize] as usize..starts[row as usize + 1] as usize;
    for row in 0..history.len() as u32 {
        if history.operation(OperationId(row)).outcome() != Outcome::Ok || !happened[row as usize] {
            continue;
        }
        open.push(row);
        // What was seen happened, and so did what that saw.
        while let Some(row) = open.pop() {
            for place in of_row(&reads.starts, row) {
                let source = reads.all[place].source;
                if source != NONE && !happened[source as usize] {
                    happened[source as usize] = true;
                    because.insert(source, (place as u32, row));
                    open.push(source);
                }
            }
        }
    }
    let mut last_known: FxHashMap<u32, u32> = FxHashMap::default();
    let mut rows: Vec<Vec<u32>> = Vec::new();
    let mut forks: Vec<u32> = Vec::new();
    let mut session_of: FxHashMap<u32, usize> = FxHashMap::default();
    for operation in history.operations().filter(|operation| happened[operation.id().row()]) {
        last_known.insert(operation.process(), operation.id().0);
    }
    for operation in history.operations().filter(|operation| happened[operation.id().row()]) {
        let row = operation.id().0;
        let goes_on = last_known.get(&operation.process()).is_some_and(|&last| last > row);
        if operation.outcome() == Outcome::Info && goes_on {
            let before = session_of.get(&operation.process()).and_then(|&session| rows[session].last());
            forks.push(before.copied().unwrap_or(NONE));
            rows.push(vec![row]);
            continue;
        }
        let session = *session_of.entry(operation.process()).or_insert_with(|| {
            rows.push(Vec::new());
            forks.push(NONE);
            rows.len() - 1
        });
        rows[session].push(row);
    }
    let mut node_of = vec![NONE; history.len()];
    let mut firsts: Vec<Node> = vec![0];
    let mut next = 0;
    for session in &rows {
        for &row in session {
            node_of[row as usize] = next;
            next += 1;
        }
        firsts.push(next);
    }
    let node = |row: u32| if row == NONE { NONE } else { node_of[row as usize] };
    reads.all.iter_mut().for_each(|read| read.source = node(read.source));
    let forks = forks.into_iter().map(node).collect();
    let mut written: Vec<u32> = Vec::new();
    let mut write_starts = vec![0_u32];
    for row in 0..history.len() as u32 {
        let from = written.len();
        written.extend(accesses.row(row).iter().filter(|access| access.kind == Kind::Write).map(|a| a.key));
        written[from..].sort_unstable();
        write_starts.push(written.len() as u32);
    }
    let drafts = rows.iter().flatten().map(|&row| Draft {
        operation: OperationId(row),
        begun: history.operation(OperationId(row)).invoked(),
        ended: history.operation(OperationId(row)).completed(),
        reads: &reads.all[of_row(&reads.starts, row)],
        writes: &written[of_row(&write_starts, row)],
    });
    let sessions = Sessions::build(drafts, firsts, forks, (0..accesses.keys.len() as u32).collect());
    Happened { sessions, because }
}
