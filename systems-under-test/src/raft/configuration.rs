//! Who is in the cluster, and how that changes (thesis §4.1 to §4.3).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Bug, Event, Index, Life, NodeId, Output, Payload, Raft, Role};
use crate::raft::Command;

/// A learner has caught up when it lacks no more entries than this (thesis §4.2.1).
const CAUGHT_UP: Index = 8;

/// The members of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Whose votes and copies count.
    pub voters: BTreeSet<NodeId>,
    /// Whose counted before, while both must agree (joint consensus, thesis §4.3); else empty.
    pub outgoing: BTreeSet<NodeId>,
    /// Who receives the log, and counts for nothing until it has caught up (thesis §4.2.1).
    pub learners: BTreeSet<NodeId>,
    /// Who the voters are to be, once those that are new have caught up.
    pub goal: Option<BTreeSet<NodeId>>,
    /// The machines behind the names, where they are not the first.
    pub lives: BTreeMap<NodeId, Life>,
}

/// What is asked of a leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A node comes in: as a learner first.
    Add(NodeId),
    /// A node goes.
    Remove(NodeId),
    /// These are the voters, all at once: by joint consensus.
    Voters(BTreeSet<NodeId>),
}

/// Why a change does not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The node does not lead.
    NotLeader,
    /// Another change, or a transfer of leadership, is not over.
    Busy,
    /// Nobody would be left, or nobody that could lead.
    Nobody,
}

impl Configuration {
    /// The first nodes of a cluster, as many as that, all with a vote.
    pub fn of(nodes: u8) -> Configuration {
        Configuration { voters: (0..nodes).collect(), ..Configuration::default() }
    }

    /// Whether two majorities are asked.
    pub fn is_joint(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether the node's vote counts.
    pub fn is_voter(&self, node: NodeId) -> bool {
        self.voters.contains(&node) || self.outgoing.contains(&node)
    }

    /// Whether the node receives the log.
    pub fn is_member(&self, node: NodeId) -> bool {
        self.is_voter(node) || self.learners.contains(&node)
    }

    /// All that receive the log, in order.
    pub fn members(&self) -> BTreeSet<NodeId> {
        self.voters.iter().chain(&self.outgoing).chain(&self.learners).copied().collect()
    }

    /// The machine behind a name.
    pub fn life(&self, node: NodeId) -> Life {
        self.lives.get(&node).copied().unwrap_or(0)
    }

    /// Whether these are a majority of the voters; of both sets of voters, while there are two.
    pub fn is_quorum(&self, node: impl Fn(NodeId) -> bool) -> bool {
        let majority =
            |set: &BTreeSet<NodeId>| set.is_empty() || set.iter().filter(|voter| node(**voter)).count() > set.len() / 2;
        majority(&self.voters) && majority(&self.outgoing)
    }

    /// The most that a majority has reached; of both sets of voters, while there are two.
    pub fn reached_by_quorum(&self, of: impl Fn(NodeId) -> u64) -> u64 {
        let by = |set: &BTreeSet<NodeId>| {
            let mut reached: Vec<u64> = set.iter().map(|voter| of(*voter)).collect();
            reached.sort_unstable();
            reached.get((reached.len().max(1) - 1) / 2).copied()
        };
        by(&self.voters).into_iter().chain(by(&self.outgoing)).min().unwrap_or(0)
    }

    fn without(&self, node: NodeId) -> Configuration {
        let mut smaller = self.clone();
        smaller.voters.remove(&node);
        smaller.learners.remove(&node);
        smaller
    }
}

impl<C: Command> Raft<C> {
    /// Who is in the cluster, as the node's log has it: an entry counts from the moment it is there (thesis §4.1).
    pub fn configuration(&self) -> &Configuration {
        &self.configurations.last().expect("there is always one").1
    }

    /// Where that entry is.
    pub fn configuration_index(&self) -> Index {
        self.configurations.last().expect("there is always one").0
    }

    /// The configuration in force at a place of the log.
    pub(super) fn configuration_at(&self, index: Index) -> Configuration {
        let before = |(at, _): &&(Index, Configuration)| *at <= index;
        let in_force = self.configurations.iter().rev().find(before).or(self.configurations.first());
        in_force.expect("there is always one").1.clone()
    }

    /// Begins a change; one at a time (thesis §4.1), and only when the leader has committed in its own term (correction of 2015). What is
    /// so already is done.
    ///
    /// # Errors
    /// If it cannot begin now.
    pub fn change(&mut self, change: &Change, out: &mut Vec<Output<C>>) -> Result<(), Refusal> {
        if !self.leads() {
            return Err(Refusal::NotLeader);
        }
        let current = self.configuration();
        let next = match change {
            Change::Add(node) if current.is_member(*node) => return Ok(()),
            Change::Add(node) => {
                let mut larger = current.clone();
                larger.learners.insert(*node);
                larger
            }
            Change::Remove(node) if !current.is_member(*node) => return Ok(()),
            Change::Remove(node) => current.without(*node),
            Change::Voters(voters) if *voters == current.voters && current.learners.is_empty() => return Ok(()),
            Change::Voters(voters) => {
                let new = voters.difference(&current.voters).copied();
                let mut wider = current.clone();
                wider.learners = new.collect();
                wider.goal = Some(voters.clone());
                wider
            }
        };
        if next.voters.is_empty() || next.goal.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(Refusal::Nobody);
        }
        self.begin_change(next, out)
    }

    /// A machine with an empty disk asks to be in. The one that had its name is taken out first: what that one voted and held is gone.
    pub(super) fn admit(&mut self, node: NodeId, life: Life, out: &mut Vec<Output<C>>) {
        let current = self.configuration();
        if !self.leads() || current.is_member(node) && current.life(node) == life {
            return;
        }
        let next = if current.is_member(node) {
            current.without(node)
        } else {
            let mut larger = current.clone();
            larger.learners.insert(node);
            larger.lives.insert(node, life);
            larger
        };
        if !next.voters.is_empty() {
            // It asks again.
            _ = self.begin_change(next, out);
        }
    }

    fn begin_change(&mut self, next: Configuration, out: &mut Vec<Output<C>>) -> Result<(), Refusal> {
        let Role::Leader { transfer, .. } = &self.role else { return Err(Refusal::NotLeader) };
        if transfer.is_some() || self.configuration_index() > self.commit || self.configuration().is_joint() {
            return Err(Refusal::Busy);
        }
        if !self.has_committed_in_its_term() {
            if self.bug != Some(Bug::ChangeBeforeNoop) {
                return Err(Refusal::Busy);
            }
            out.push(Output::Tell(self.state.term, Event::DefectBit));
        }
        self.append_configuration(next, out);
        Ok(())
    }

    fn append_configuration(&mut self, next: Configuration, out: &mut Vec<Output<C>>) {
        let index = self.append(Payload::Configuration(next), out);
        let event = if self.configuration().is_joint() {
            Event::JointConfiguration(index)
        } else {
            Event::Configuration(index)
        };
        out.push(Output::Tell(self.state.term, event));
        self.follow_configuration();
    }

    /// What a leader does when an entry that changes the cluster is committed, and when a learner has caught up.
    pub(super) fn advance_configuration(&mut self, out: &mut Vec<Output<C>>) {
        let Role::Leader { progress, transfer, .. } = &self.role else { return };
        let current = self.configuration();
        if self.configuration_index() > self.commit || !self.has_committed_in_its_term() || transfer.is_some() {
            return;
        }
        let end = self.log.last_index();
        let caught_up = |node: &NodeId| {
            current.voters.contains(node)
                || progress.get(node).is_some_and(|it| it.matched > 0 && it.matched + CAUGHT_UP >= end)
        };
        let mut next = current.clone();
        if current.is_joint() {
            next.outgoing.clear();
        } else if let Some(goal) = &current.goal {
            if !goal.iter().all(caught_up) {
                return;
            }
            (next.voters, next.outgoing, next.goal) = (goal.clone(), current.voters.clone(), None);
            next.learners.clear();
        } else if let Some(learner) = current.learners.iter().copied().find(caught_up) {
            next.learners.remove(&learner);
            next.voters.insert(learner);
            out.push(Output::Tell(self.state.term, Event::LearnerPromoted(learner)));
        } else {
            return;
        }
        self.append_configuration(next, out);
    }

    /// Keeps what a leader knows of its followers to those that there are.
    pub(super) fn follow_configuration(&mut self) {
        let members = self.configuration().members();
        let fresh = super::Progress::unknown(self.log.last_index() + 1, self.time.now);
        let me = self.me;
        let Role::Leader { progress, .. } = &mut self.role else { return };
        progress.retain(|node, _| members.contains(node));
        for node in members.into_iter().filter(|node| *node != me) {
            progress.entry(node).or_insert_with(|| fresh.clone());
        }
    }

    /// Whether a leader is no voter any more, and has committed that: then it leads no longer (thesis §4.2.2).
    pub(super) fn has_removed_itself(&self) -> bool {
        let current = self.configuration();
        self.leads() && !current.is_voter(self.me) && self.configuration_index() <= self.commit
    }
}

#[cfg(test)]
mod tests {
    use super::super::driven::*;
    use super::super::{Body, Entry};
    use super::*;

    fn set(nodes: &[NodeId]) -> BTreeSet<NodeId> {
        nodes.iter().copied().collect()
    }

    /// A leader of three that has committed in its term.
    fn leader() -> Node {
        let mut raft = elected(&[]);
        commit(&mut raft);
        raft
    }

    /// All that the log holds is on every member's disk.
    fn commit(raft: &mut Node) {
        let end = raft.log().last_index();
        raft.synced(end, &mut Vec::new());
        for node in raft.configuration().members() {
            if node != raft.me {
                let life = raft.configuration().life(node);
                say(raft, node, 5, Body::Matched { index: end, round: 0, life });
            }
        }
    }

    #[test]
    fn thesis_4_1_majorities_of_one_set_and_of_two() {
        let mut configuration = Configuration::of(3);
        assert!(configuration.is_quorum(|node| node < 2) && !configuration.is_quorum(|node| node == 2));
        assert_eq!(configuration.reached_by_quorum(|node| u64::from(node) * 10), 10);
        configuration.outgoing = set(&[2, 3, 4, 5]);
        assert!(!configuration.is_quorum(|node| node < 3) && configuration.is_quorum(|node| node != 0 && node < 5));
        assert_eq!(configuration.reached_by_quorum(|node| u64::from(node) * 10), 10);
        assert_eq!(configuration.reached_by_quorum(|node| u64::from(5 - node)), 1);
    }

    #[test]
    fn thesis_4_1_one_change_at_a_time_and_none_before_the_terms_first_commit() {
        let mut raft = elected(&[]);
        assert_eq!(raft.change(&Change::Remove(2), &mut Vec::new()), Err(Refusal::Busy));
        commit(&mut raft);
        assert_eq!(raft.change(&Change::Remove(2), &mut Vec::new()), Ok(()));
        assert_eq!(raft.configuration().voters, set(&[0, 1]));
        assert_eq!(raft.change(&Change::Remove(1), &mut Vec::new()), Err(Refusal::Busy));
        let mut wrong = elected_with(&[], Some(Bug::ChangeBeforeNoop));
        assert_eq!(wrong.change(&Change::Remove(2), &mut Vec::new()), Ok(()));
    }

    #[test]
    fn thesis_4_2_1_who_comes_in_learns_first_and_is_promoted_when_it_has_caught_up() {
        let mut raft = leader();
        raft.change(&Change::Remove(2), &mut Vec::new()).unwrap();
        commit(&mut raft);
        raft.change(&Change::Add(2), &mut Vec::new()).unwrap();
        assert_eq!((&raft.configuration().voters, &raft.configuration().learners), (&set(&[0, 1]), &set(&[2])));
        commit(&mut raft);
        raft.advance_configuration(&mut Vec::new());
        assert_eq!((&raft.configuration().voters, raft.configuration().learners.len()), (&set(&[0, 1, 2]), 0));
    }

    #[test]
    fn thesis_4_2_2_a_leader_that_is_out_does_not_count_itself_and_goes_when_that_is_committed() {
        for (bug, commits) in [(None, false), (Some(Bug::RemovedLeaderCountsItself), true)] {
            let mut raft = elected_with(&[], bug);
            commit(&mut raft);
            raft.change(&Change::Remove(0), &mut Vec::new()).unwrap();
            let end = raft.log().last_index();
            raft.synced(end, &mut Vec::new());
            say(&mut raft, 1, 5, Body::Matched { index: end, round: 0, life: 0 });
            assert_eq!(raft.commit() == end, commits, "{bug:?}");
            say(&mut raft, 2, 5, Body::Matched { index: end, round: 0, life: 0 });
            assert!(!raft.leads());
        }
    }

    #[test]
    fn thesis_4_3_several_change_by_way_of_both_majorities() {
        let mut raft = leader();
        raft.change(&Change::Remove(2), &mut Vec::new()).unwrap();
        commit(&mut raft);
        raft.change(&Change::Voters(set(&[0, 2])), &mut Vec::new()).unwrap();
        assert_eq!((&raft.configuration().voters, &raft.configuration().learners), (&set(&[0, 1]), &set(&[2])));
        commit(&mut raft);
        raft.advance_configuration(&mut Vec::new());
        assert_eq!((&raft.configuration().voters, &raft.configuration().outgoing), (&set(&[0, 2]), &set(&[0, 1])));
        commit(&mut raft);
        raft.advance_configuration(&mut Vec::new());
        assert_eq!((&raft.configuration().voters, raft.configuration().is_joint()), (&set(&[0, 2]), false));
    }

    #[test]
    fn thesis_4_1_a_configuration_that_is_cut_off_is_in_force_no_more() {
        let entry = |term, nodes| Entry { term, payload: Payload::Configuration(Configuration::of(nodes)) };
        for (bug, voters) in [(None, 3), (Some(Bug::ConfigSurvivesTruncation), 2)] {
            let mut raft = node(0, 4, &[1], bug);
            let append = |previous, entries| Body::Append {
                previous_index: previous,
                previous_term: 1,
                entries,
                commit: 0,
                round: 0,
                life: 0,
            };
            say(&mut raft, 1, 4, append(1, vec![entry(4, 2)]));
            assert_eq!(raft.configuration().voters.len(), 2);
            say(&mut raft, 2, 5, append(1, vec![Entry { term: 5, payload: Payload::Nothing }]));
            assert_eq!(raft.configuration().voters.len(), voters);
        }
    }

    #[test]
    fn a_machine_with_an_empty_disk_comes_in_under_the_name_of_the_one_before() {
        let mut raft = leader();
        say(&mut raft, 2, 0, Body::Join { life: 77 });
        assert_eq!(raft.configuration().voters, set(&[0, 1]));
        commit(&mut raft);
        say(&mut raft, 2, 0, Body::Join { life: 77 });
        assert_eq!((raft.configuration().life(2), raft.configuration().learners.contains(&2)), (77, true));
        // What the machine before it has acknowledged counts no more.
        let end = raft.log().last_index();
        say(&mut raft, 2, 5, Body::Matched { index: end, round: 9, life: 0 });
        let Role::Leader { progress, .. } = &raft.role else { panic!("it leads") };
        assert_eq!(progress[&2].matched, 0);
    }
}
