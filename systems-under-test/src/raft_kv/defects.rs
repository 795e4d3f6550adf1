//! The bugs that can be planted. One flag, one branch each.

use crate::door::{Defect, DefectInfo};
use crate::raft;

macro_rules! defects {
    ($($variant:ident $(= raft::$in_raft:ident)?, $name:literal in $mode:literal, $difficulty:literal: $wrong:literal ($source:literal);)*) => {
        /// A planted bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each is described in LIST")]
        pub enum Bug { $($variant),* }

        /// The bugs, as the command line knows them.
        pub const LIST: &[Defect<Bug>] = &[$(Defect {
            info: DefectInfo { name: $name, wrong: $wrong, source: $source, mode: $mode, difficulty: $difficulty },
            bug: Bug::$variant,
        }),*];

        impl Bug {
            /// The same bug as consensus knows it, if it is one of consensus.
            pub fn in_raft(self) -> Option<raft::Bug> {
                match self {
                    $($(Bug::$variant => Some(raft::Bug::$in_raft),)?)*
                    _ => None,
                }
            }
        }
    };
}

defects! {
    NoClientSessions, "no-client-sessions" in "log", 1:
        "a retried write is applied twice" ("etcd#14890; cockroachdb/cockroach#10023");
    MaybeReportedAsFail, "maybe-reported-as-fail" in "log", 1:
        "a deposed leader answers `fail` for an entry that may still commit" ("Jepsen: Aerospike 3.99.0.3");
    AckBeforeSync, "ack-before-sync" in "log", 2:
        "entries are acknowledged before they are synced" ("Jepsen: NATS 2.12.1");
    ReadWithoutQuorum = raft::ReadWithoutQuorum, "read-without-quorum" in "read-index", 2:
        "a read index is served without confirming leadership" ("deventlab/d-engine#381");
    LeaseOnWallClock = raft::LeaseOnWallClock, "lease-on-wall-clock" in "lease", 2:
        "a lease is measured by a clock that can be set" ("vesoft-inc/nebula#2723");
    VoteIgnoresLog = raft::VoteIgnoresLog, "vote-ignores-log" in "log", 2:
        "a vote is given without asking whose log is newer" ("rule of thesis §3.6.1");
    AmnesiacVotes, "amnesiac-votes" in "log", 3:
        "a node whose disk was wiped takes part under its old name" ("warned of in etcd#6982");
    VotesCountedTwice = raft::VotesCountedTwice, "votes-counted-twice" in "log", 3:
        "a candidate counts replies, not voters" ("ktoso/akka-raft#45; xnnyygn/xraft#27");
    ReadBeforeOwnCommit = raft::ReadBeforeOwnCommit, "read-before-own-commit" in "read-index", 3:
        "a read index is served before the leader has committed in its own term" ("etcd#7331");
    LeaseCountsTicks = raft::LeaseCountsTicks, "lease-counts-ticks" in "lease", 3:
        "a lease is measured in ticks of the leader's own timer, which a pause stops" ("tikv/tikv#964");
    CommitPastVerified = raft::CommitPastVerified, "commit-past-verified" in "log", 3:
        "a follower commits up to the end of its log instead of what was verified" ("atomix/copycat#265; scylladb#9965");
    AppliedIndexApart, "applied-index-apart" in "log", 3:
        "the state and the index up to which it is applied are not saved together" ("etcd#13766");
    PrevoteTermStuck = raft::PrevoteTermStuck, "prevote-term-stuck" in "log", 3:
        "a pre-vote never lifts a lower term" ("etcd#8243; canonical/raft#279");
    NoDirectorySync, "no-directory-sync" in "log", 3:
        "the name of a new log segment is not synced" ("etcd#6368");
    AppendAfterTorn, "append-after-torn" in "log", 3:
        "recovery stops at a torn record, then appends behind it" ("pmcfadin/cqlite#1418");
    AppendTruncatesAlways = raft::AppendTruncatesAlways, "append-truncates-always" in "log", 4:
        "an append that comes late cuts off entries that match" ("ktoso/akka-raft#66");
    VoteNotPersisted = raft::VoteNotPersisted, "vote-not-persisted" in "log", 4:
        "the vote is kept in memory only" ("rule of thesis §3.8; datatechnology/cornerstone#65");
    VoteClearedOnStepDown = raft::VoteClearedOnStepDown, "vote-cleared-on-step-down" in "log", 4:
        "who steps back within a term forgets whom it voted for" ("hazelcast#16643; camunda/camunda#5356");
    LastIndexOnly = raft::LastIndexOnly, "last-index-only" in "log", 4:
        "whose log is newer is told by its length, not by its last term" ("rule of thesis §3.6.1");
    StaleRoundConfirms = raft::StaleRoundConfirms, "stale-round-confirms" in "read-index", 4:
        "the answers to an earlier round of heartbeats confirm a later read" ("rule of thesis §6.4");
    LeaseFromAck = raft::LeaseFromAck, "lease-from-ack" in "lease", 4:
        "a lease begins when the answers arrive, not when the round was sent" ("rule of thesis §6.4.1");
    LeaseSurvivesTransfer = raft::LeaseSurvivesTransfer, "lease-survives-transfer" in "lease", 4:
        "a leader that hands over keeps its lease" ("tikv/tikv#1593; tikv/raft-rs#234");
    MatchFromHeartbeat = raft::MatchFromHeartbeat, "match-from-heartbeat" in "log", 4:
        "a heartbeat is answered with the end of the log, which the leader takes for matching" ("apache/ratis#1519");
    SnapshotCutsTail = raft::SnapshotCutsTail, "snapshot-cuts-tail" in "log", 4:
        "a snapshot that comes late drops what is newer" ("etcd#1763; camunda/camunda#6092");
    SnapshotKeepsConflict = raft::SnapshotKeepsConflict, "snapshot-keeps-conflict" in "log", 4:
        "a log that conflicts with a snapshot is kept behind it" ("databendlabs/openraft#559; hashicorp/raft#704");
    SessionsNotInSnapshot, "sessions-not-in-snapshot" in "log", 4:
        "a snapshot holds no sessions" ("rule of thesis §6.3; SERVER-55305");
    SessionExpiryLocal, "session-expiry-local" in "log", 4:
        "each node ends sessions by its own clock" ("rule of thesis §6.3");
    SuccessOnTermChange, "success-on-term-change" in "log", 4:
        "a client is told success although another leader's entry took its place" ("redpanda-data/redpanda#3003");
    RotCutAsTorn, "rot-cut-as-torn" in "log", 4:
        "a record that has rotted is cut off like one that was torn" ("Alagappan et al., FAST 2018");
    SyncErrorRetried, "sync-error-retried" in "log", 4:
        "a failed sync is repeated and believed" ("PostgreSQL's fsyncgate");
    RemovedLeaderCountsItself = raft::RemovedLeaderCountsItself, "removed-leader-counts-itself" in "log", 4:
        "a leader that is no member any more counts its own copy" ("rule of thesis §4.2.2; RedisLabs/raft#13");
    LearnerRefusesVote = raft::LearnerRefusesVote, "learner-refuses-vote" in "log", 4:
        "a promoted node that has not heard of it does not vote" ("etcd#10998");
    CommitOlderTerm = raft::CommitOlderTerm, "commit-older-term" in "log", 5:
        "entries of older terms are committed by counting copies (figure 8 of the paper)" ("logcabin/logcabin#44; bakwc/PySyncObj#169");
    ChangeBeforeNoop = raft::ChangeBeforeNoop, "change-before-noop" in "log", 5:
        "a change of members begins before the leader has committed in its term" ("raft-dev 2015; atomix/copycat#23");
    ConfigSurvivesTruncation = raft::ConfigSurvivesTruncation, "config-survives-truncation" in "log", 5:
        "a change of members that is cut off the log stays in force" ("camunda/camunda#57393");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_defect_runs_in_a_mode_that_there_is() {
        for defect in LIST {
            let modes = <crate::RaftKv as crate::door::Family>::MODES;
            assert!(modes.iter().any(|mode| mode.name == defect.info.mode), "{}", defect.info.name);
        }
        assert_eq!(LIST.len(), 35);
    }
}
