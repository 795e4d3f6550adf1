//! What can be planted in consensus: each variant is asked about in one place, where the rule stands that it breaks.

/// A bug that can be planted in consensus. One flag, one branch each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A vote is given without asking whose log is newer.
    VoteIgnoresLog,
    /// Whose log is newer is told by its length alone.
    LastIndexOnly,
    /// A candidate counts replies, not voters.
    VotesCountedTwice,
    /// The vote is kept in memory only.
    VoteNotPersisted,
    /// Who steps back within a term forgets whom it voted for.
    VoteClearedOnStepDown,
    /// Neither a pre-vote nor its answer lifts a lower term.
    PrevoteTermStuck,
    /// A follower commits up to the end of its log instead of what was verified.
    CommitPastVerified,
    /// An append cuts off all that comes behind it, matching or not.
    AppendTruncatesAlways,
    /// A heartbeat is answered with the end of the log, verified or not.
    MatchFromHeartbeat,
    /// Entries of older terms are committed by counting copies.
    CommitOlderTerm,
    /// A snapshot that comes late drops what is newer.
    SnapshotCutsTail,
    /// A log that conflicts with a snapshot is kept behind it.
    SnapshotKeepsConflict,
    /// A change of members begins before the leader has committed in its term.
    ChangeBeforeNoop,
    /// A configuration that is cut off the log stays in force.
    ConfigSurvivesTruncation,
    /// A leader that is no member any more counts its own copy.
    RemovedLeaderCountsItself,
    /// A node does not vote as long as it has not heard that it may.
    LearnerRefusesVote,
    /// A read index is served without confirming leadership.
    ReadWithoutQuorum,
    /// A read index is served before the leader has committed in its own term.
    ReadBeforeOwnCommit,
    /// The answers to an earlier round confirm a later read.
    StaleRoundConfirms,
    /// A lease begins when the answers arrive.
    LeaseFromAck,
    /// A lease is measured by a clock that can be set.
    LeaseOnWallClock,
    /// A lease is measured in ticks of the leader's own timer.
    LeaseCountsTicks,
    /// A leader that hands over keeps its lease.
    LeaseSurvivesTransfer,
}
