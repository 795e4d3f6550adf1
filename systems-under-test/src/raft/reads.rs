//! Reads that do not go through the log (thesis §6.4).

use super::{Output, Raft, Role};

impl<C: Clone> Raft<C> {
    /// Whether an entry of its own term is committed: only then a leader knows how far the log is committed (thesis §6.4).
    pub fn has_committed_in_its_term(&self) -> bool {
        self.log.term_at(self.commit) == Some(self.state.term)
    }

    /// Begins a round of heartbeats, if this node leads: when [`Raft::confirmed_round`] reaches it, nobody else had led when it
    /// began (thesis §6.4).
    pub fn begin_round(&mut self, out: &mut Vec<Output<C>>) -> Option<u64> {
        let Role::Leader { round, .. } = &mut self.role else { return None };
        *round += 1;
        let begun = *round;
        self.broadcast(out, Raft::send_heartbeat);
        Some(begun)
    }

    /// The latest round that a majority has answered.
    pub fn confirmed_round(&self) -> Option<u64> {
        let Role::Leader { progress, round, .. } = &self.role else { return None };
        let mut rounds: Vec<u64> = progress.iter().map(|peer| peer.round).collect();
        rounds[self.me as usize] = *round;
        rounds.sort_unstable();
        Some(rounds[rounds.len() - self.majority()])
    }
}

#[cfg(test)]
mod tests {
    use super::super::Body;
    use super::super::driven::*;
    #[test]
    fn thesis_6_4_a_round_is_confirmed_by_a_majority_that_answered_it() {
        let mut raft = elected(&[]);
        let begun = raft.begin_round(&mut Vec::new()).unwrap();
        assert!(raft.confirmed_round().unwrap() < begun);
        say(&mut raft, 2, 5, Body::Matched { index: 0, round: begun - 1 });
        assert!(raft.confirmed_round().unwrap() < begun);
        say(&mut raft, 2, 5, Body::Matched { index: 0, round: begun });
        assert_eq!(raft.confirmed_round(), Some(begun));
    }
}
