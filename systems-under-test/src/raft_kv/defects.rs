//! The bugs that can be planted. One flag, one branch each.

use crate::door::{Defect, DefectInfo};
use crate::raft;

macro_rules! defects {
    ($($variant:ident = $name:literal in $mode:literal, $difficulty:literal: $wrong:literal ($source:literal);)*) => {
        /// A planted bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each is described in LIST")]
        pub enum Bug { $($variant),* }

        /// The bugs, as the command line knows them.
        pub const LIST: &[Defect<Bug>] = &[$(Defect {
            info: DefectInfo { name: $name, wrong: $wrong, source: $source, mode: $mode, difficulty: $difficulty },
            bug: Bug::$variant,
        }),*];
    };
}

defects! {
    NoClientSessions = "no-client-sessions" in "log", 1:
        "a retried write is applied twice" ("etcd#14890; cockroachdb/cockroach#10023");
    MaybeReportedAsFail = "maybe-reported-as-fail" in "log", 1:
        "a deposed leader answers `fail` for an entry that may still commit" ("Jepsen: Aerospike 3.99.0.3");
    AckBeforeSync = "ack-before-sync" in "log", 2:
        "entries are acknowledged before they are synced" ("Jepsen: NATS 2.12.1");
    ReadWithoutQuorum = "read-without-quorum" in "read-index", 2:
        "a read index is served without confirming leadership" ("deventlab/d-engine#381");
    VoteIgnoresLog = "vote-ignores-log" in "log", 2:
        "a vote is given without asking whose log is newer" ("rule of thesis §3.6.1");
    VotesCountedTwice = "votes-counted-twice" in "log", 3:
        "a candidate counts replies, not voters" ("ktoso/akka-raft#45; xnnyygn/xraft#27");
    ReadBeforeOwnCommit = "read-before-own-commit" in "read-index", 3:
        "a read index is served before the leader has committed in its own term" ("etcd#7331");
    CommitPastVerified = "commit-past-verified" in "log", 3:
        "a follower commits up to the end of its log instead of what was verified" ("atomix/copycat#265; scylladb#9965");
    NoDirectorySync = "no-directory-sync" in "log", 3:
        "the name of a new log segment is not synced" ("etcd#6368");
    AppendAfterTorn = "append-after-torn" in "log", 3:
        "recovery stops at a torn record, then appends behind it" ("pmcfadin/cqlite#1418");
}

impl Bug {
    /// The same bug as consensus knows it, if it is one of consensus.
    pub fn in_raft(self) -> Option<raft::Bug> {
        match self {
            Bug::VoteIgnoresLog => Some(raft::Bug::VoteIgnoresLog),
            Bug::VotesCountedTwice => Some(raft::Bug::VotesCountedTwice),
            Bug::CommitPastVerified => Some(raft::Bug::CommitPastVerified),
            _ => None,
        }
    }
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
    }
}
