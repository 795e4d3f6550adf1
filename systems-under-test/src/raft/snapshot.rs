//! The log made short, and followers that need what is gone (thesis §5.1).

use super::progress::Flow;
use super::{Body, Bug, Command, Event, Index, Life, Log, NodeId, Output, Place, Raft, Role, Snapshot, SnapshotHead};

/// How many bytes of a snapshot go into one message.
const PIECE: usize = 256;
/// How many entries before a snapshot stay in the log, so that a follower that is a little slow needs none.
const KEPT: Index = 32;

/// A snapshot that is coming in: its pieces so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Incoming {
    head: SnapshotHead,
    state: Vec<u8>,
}

impl<C: Command> Raft<C> {
    /// Takes a snapshot: this is the state after an entry that is committed. The log before it goes, but for a little.
    pub fn compact(&mut self, index: Index, state: Vec<u8>, out: &mut Vec<Output<C>>) {
        let (Some(term), Some(chain)) = (self.log.term_at(index), self.log.chain_at(index)) else { return };
        if index > self.commit || self.snapshot.as_ref().is_some_and(|taken| taken.index >= index) {
            return;
        }
        let snapshot = Snapshot { index, term, chain, configuration: self.configuration_at(index), state };
        self.log.compact(index.saturating_sub(KEPT).max(self.log.base().index));
        self.forget_configurations_before(index);
        out.push(Output::WriteSnapshot(snapshot.clone(), Some(self.log.base().index)));
        self.snapshot = Some(snapshot);
    }

    fn forget_configurations_before(&mut self, index: Index) {
        let in_force = self.configurations.iter().rposition(|(at, _)| *at <= index).unwrap_or(0);
        self.configurations.drain(..in_force);
    }

    // The leader's side.

    /// Sends the first piece of the latest snapshot.
    pub(super) fn begin_snapshot(&mut self, peer: NodeId, out: &mut Vec<Output<C>>) {
        let Some(head) = self.snapshot.as_ref().map(Snapshot::head) else { return };
        let Role::Leader { progress, .. } = &mut self.role else { return };
        let Some(it) = progress.get_mut(&peer) else { return };
        it.flow = Flow::Snapshot(head, 0);
        out.push(Output::Tell(self.state.term, Event::SnapshotSent(peer)));
        self.send_piece(peer, out);
    }

    /// Sends the piece that the follower wants; from the start, if a newer snapshot was taken meanwhile.
    pub(super) fn send_piece(&mut self, peer: NodeId, out: &mut Vec<Output<C>>) {
        let (life, Some(snapshot)) = (self.configuration().life(peer), &self.snapshot) else { return };
        let Role::Leader { progress, reads, .. } = &mut self.role else { return };
        let Some(Flow::Snapshot(head, offset)) = progress.get_mut(&peer).map(|it| &mut it.flow) else { return };
        if head.index != snapshot.index {
            (*head, *offset) = (snapshot.head(), 0);
        }
        let from = (*offset as usize).min(snapshot.state.len());
        let to = (from + PIECE).min(snapshot.state.len());
        let body = Body::InstallSnapshot {
            head: head.clone(),
            offset: from as u64,
            piece: snapshot.state[from..to].to_vec(),
            last: to == snapshot.state.len(),
            round: reads.round(),
            life,
        };
        self.send(peer, body, out);
    }

    pub(super) fn send_next_piece(
        &mut self,
        peer: NodeId,
        (index, wanted): (Index, u64),
        round: u64,
        life: Life,
        out: &mut Vec<Output<C>>,
    ) {
        let Some(it) = self.answering(peer, round, life) else { return };
        match &mut it.flow {
            Flow::Snapshot(head, offset) if head.index == index && *offset != wanted => *offset = wanted,
            _ => return,
        }
        self.send_piece(peer, out);
    }

    // The follower's side.

    /// Takes a piece, and the snapshot when it is whole.
    pub(super) fn take_piece(
        &mut self,
        head: SnapshotHead,
        offset: u64,
        piece: Vec<u8>,
        last: bool,
        round: u64,
        out: &mut Vec<Output<C>>,
    ) -> Body<C> {
        let life = self.state.life;
        let (index, committed) = (head.index, self.commit);
        if index <= committed && self.bug != Some(Bug::SnapshotCutsTail) {
            out.push(Output::Tell(self.state.term, Event::SnapshotStale));
            return Body::Matched { index: committed, round, life };
        }
        if offset == 0 && self.incoming.as_ref().is_none_or(|incoming| incoming.head != head) {
            self.incoming = Some(Incoming { head: head.clone(), state: Vec::new() });
        }
        let Some(incoming) = self.incoming.as_mut().filter(|incoming| incoming.head == head) else {
            return Body::SnapshotWants { index, offset: 0, round, life };
        };
        if offset != incoming.state.len() as u64 {
            return Body::SnapshotWants { index, offset: incoming.state.len() as u64, round, life };
        }
        incoming.state.extend(piece);
        if !last {
            return Body::SnapshotWants { index, offset: incoming.state.len() as u64, round, life };
        }
        if let Some(Incoming { head, state }) = self.incoming.take() {
            self.install(head.with(state), out);
        }
        Body::Matched { index, round, life }
    }

    /// Puts a snapshot in the place of the log. What follows it in the log stays, if the log holds its last entry (figure 13 of the
    /// paper); else the log is of another history, and goes.
    fn install(&mut self, snapshot: Snapshot, out: &mut Vec<Output<C>>) {
        let Snapshot { index, term, chain, .. } = snapshot;
        let place = Place { index, term, chain };
        let mut agrees = self.log.term_at(index) == Some(term);
        if agrees && index <= self.commit && self.log.last_index() > index {
            // Only the defect comes here: an older snapshot, and entries behind it.
            out.push(Output::Tell(self.state.term, Event::DefectBit));
            agrees = false;
        }
        if !agrees && self.log.last_index() > index && self.bug == Some(Bug::SnapshotKeepsConflict) {
            out.push(Output::Tell(self.state.term, Event::DefectBit));
            agrees = true;
        }
        if agrees {
            self.log.compact(index);
            self.forget_configurations_before(index);
            if self.configurations[0].0 < index {
                self.configurations[0] = (index, snapshot.configuration.clone());
            }
        } else {
            self.log = Log::behind(place);
            self.configurations = vec![(index, snapshot.configuration.clone())];
            self.synced = index;
        }
        self.commit = self.commit.max(index);
        out.push(Output::WriteSnapshot(snapshot.clone(), agrees.then(|| self.log.base().index)));
        out.push(Output::Tell(self.state.term, Event::SnapshotInstalled(index, chain)));
        self.snapshot = Some(snapshot);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Configuration;
    use super::super::driven::*;
    use super::*;

    fn head(index: Index, term: u64) -> SnapshotHead {
        SnapshotHead { index, term, chain: 9, configuration: Configuration::of(3) }
    }

    fn install(index: Index, term: u64) -> Body<()> {
        Body::InstallSnapshot { head: head(index, term), offset: 0, piece: vec![1, 2], last: true, round: 1, life: 0 }
    }

    #[test]
    fn thesis_5_1_the_log_goes_up_to_the_snapshot_but_for_a_little() {
        let mut raft = elected(&[4; 100]);
        raft.synced(101, &mut Vec::new());
        say(&mut raft, 1, 5, matched(101, 0));
        let mut out = Vec::new();
        raft.compact(100, vec![7], &mut out);
        assert_eq!(raft.log().base().index, 100 - KEPT);
        assert!(matches!(&out[..], [Output::WriteSnapshot(snapshot, Some(_))] if snapshot.index == 100));
        raft.compact(102, vec![7], &mut out);
        assert_eq!(out.len(), 1, "what is not committed is not in a snapshot");
    }

    #[test]
    fn thesis_5_1_who_needs_what_is_gone_gets_the_snapshot_piece_by_piece() {
        let mut raft = elected(&[4; 100]);
        raft.synced(101, &mut Vec::new());
        say(&mut raft, 1, 5, matched(101, 0));
        raft.compact(100, vec![7; 2 * PIECE + 1], &mut Vec::new());
        let out = say(&mut raft, 2, 5, Body::Conflict { term: None, first: 3, round: 0, life: 0 });
        let Some(first @ Body::InstallSnapshot { offset: 0, last: false, .. }) = answer(&out) else {
            panic!("{out:?}")
        };
        let mut follower = node(2, 5, &[4, 4], None);
        let mut piece = first.clone();
        for _ in 0..2 {
            let out = say(&mut follower, 0, 5, piece);
            let out = say(&mut raft, 2, 5, answer(&out).unwrap().clone());
            piece = answer(&out).unwrap().clone();
        }
        // A piece that comes again changes nothing: the follower asks for the one that it lacks.
        let again = say(&mut follower, 0, 5, first.clone());
        let lacks = Body::SnapshotWants { index: 100, offset: 2 * PIECE as u64, round: 1, life: 0 };
        assert_eq!(answer(&again), Some(&lacks));
        let out = say(&mut follower, 0, 5, piece);
        assert_eq!(answer(&out), Some(&matched(100, 0)));
        assert_eq!((follower.commit(), follower.log().base().index), (100, 100));
        let out = say(&mut raft, 2, 5, matched(100, 0));
        assert!(matches!(answer(&out), Some(Body::Append { previous_index: 100, .. })), "{out:?}");
    }

    #[test]
    fn figure_13_what_follows_a_snapshot_stays_if_the_log_holds_its_last_entry() {
        for (term, bug, end) in [(4, None, 5), (3, None, 3), (3, Some(Bug::SnapshotKeepsConflict), 5)] {
            let mut raft = node(0, 5, &[4, 4, 4, 4, 4], bug);
            say(&mut raft, 1, 5, install(3, term));
            assert_eq!((raft.log().last_index(), raft.commit()), (end, 3), "{bug:?}");
        }
    }

    #[test]
    fn a_snapshot_older_than_what_is_committed_changes_nothing() {
        for (bug, end) in [(None, 5), (Some(Bug::SnapshotCutsTail), 3)] {
            let mut raft = node(0, 5, &[4, 4, 4, 4, 4], bug);
            say(&mut raft, 1, 5, append((5, 4), &[], 4));
            say(&mut raft, 1, 5, install(3, 4));
            assert_eq!((raft.log().last_index(), raft.commit()), (end, 4), "{bug:?}");
        }
    }
}
