//! What a leader knows of each follower, and how much it sends ahead (thesis §10.2).
//!
//! A follower is probed with empty messages until the place where the logs agree is known; then entries flow, several messages ahead of
//! the answers, but no more than a window; one that needs what is compacted gets a snapshot, piece by piece.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Index, SnapshotHead};

/// The most entries in one message.
pub(super) const BATCH: usize = 64;
/// The most messages with entries that are under way to one follower.
pub(super) const WINDOW: usize = 4;

/// What a leader knows of a follower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// The next place to send.
    pub next: Index,
    /// The logs agree up to here.
    pub matched: Index,
    /// How it is spoken to.
    pub flow: Flow,
    /// The latest round that it answered.
    pub round: u64,
    /// When it answered last.
    pub heard: Duration,
}

/// How a leader speaks to a follower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// One empty message at a time looks for the place where the logs agree.
    Probe,
    /// Entries flow. The last place of each message that is not answered yet.
    Replicate(VecDeque<Index>),
    /// A snapshot is on its way: which, and the offset of the piece that was sent last.
    Snapshot(SnapshotHead, u64),
}

impl Progress {
    /// Of a follower that has not answered yet.
    pub fn unknown(next: Index, now: Duration) -> Progress {
        Progress { next, matched: 0, flow: Flow::Probe, round: 0, heard: now }
    }

    /// It answered, in this round.
    pub fn heard(&mut self, round: u64, now: Duration) {
        self.heard = now;
        self.round = self.round.max(round);
    }

    /// The logs agree up to a place.
    pub fn matches(&mut self, index: Index) {
        self.matched = self.matched.max(index);
        self.next = self.next.max(self.matched + 1);
        match &mut self.flow {
            Flow::Probe => self.replicate(),
            Flow::Replicate(in_flight) => in_flight.retain(|end| *end > self.matched),
            Flow::Snapshot(head, _) if self.matched >= head.index => self.replicate(),
            Flow::Snapshot(..) => {}
        }
    }

    fn replicate(&mut self) {
        self.next = self.matched + 1;
        self.flow = Flow::Replicate(VecDeque::new());
    }

    /// The logs do not agree before a place: looks for an earlier one. An old answer changes nothing; tells whether this one did.
    pub fn probes(&mut self, from: Index) -> bool {
        let from = from.max(self.matched + 1);
        if from >= self.next || matches!(self.flow, Flow::Snapshot(..)) {
            return false;
        }
        (self.next, self.flow) = (from, Flow::Probe);
        true
    }

    /// Whether another message with entries may go.
    pub fn has_room(&self) -> bool {
        matches!(&self.flow, Flow::Replicate(in_flight) if in_flight.len() < WINDOW)
    }

    /// Entries up to a place are under way.
    pub fn sent(&mut self, end: Index) {
        self.next = end + 1;
        if let Flow::Replicate(in_flight) = &mut self.flow {
            in_flight.push_back(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thesis_10_2_entries_flow_ahead_of_the_answers_but_no_more_than_a_window() {
        let mut it = Progress::unknown(5, Duration::ZERO);
        assert!(!it.has_room(), "it is not known yet where the logs agree");
        it.matches(4);
        for end in 5..5 + WINDOW as Index {
            assert!(it.has_room());
            it.sent(end);
        }
        assert!(!it.has_room());
        it.matches(6);
        assert!(it.has_room());
        assert_eq!(it.next, 5 + WINDOW as Index);
    }

    #[test]
    fn a_lost_message_is_told_by_the_next_and_old_answers_change_nothing() {
        let mut it = Progress::unknown(5, Duration::ZERO);
        it.matches(4);
        it.sent(8);
        it.sent(12);
        assert!(it.probes(5));
        assert_eq!((it.next, &it.flow), (5, &Flow::Probe));
        assert!(!it.probes(9));
        it.matches(12);
        assert!(!it.probes(5), "what is known to match is not looked for again");
    }
}
