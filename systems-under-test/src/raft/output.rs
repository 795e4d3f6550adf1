//! What a step asks the driver to do, and what it tells those who watch.

use super::{Entry, HardState, Index, Message, NodeId, Snapshot, Term};

/// What a step asks the driver to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<C> {
    /// Write term, vote and life.
    WriteState(HardState),
    /// Cut the log from here on.
    WriteTruncation(Index),
    /// Put an entry behind the log. The digest of the log up to there is told for those who watch.
    WriteEntry(Index, u32, Entry<C>),
    /// Keep a snapshot. The log that is kept begins behind this place; `None` if all of the log before was given up.
    WriteSnapshot(Snapshot, Option<Index>),
    /// Send a message, after all that was written is durable.
    Send(NodeId, Message<C>),
    /// Tell the observers, and in which term it happened.
    Tell(Term, Event),
}

/// Something worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The node became a follower.
    Follows,
    /// The node stands for election.
    Stands,
    /// The node stands again, for nobody won.
    StandsAgain,
    /// The node leads. The end of its log at that moment, which must hold all that is committed.
    Leads(Index),
    /// The node gave up leading.
    StepsDown,
    /// A leader was told of another one in its own term.
    TwoLeaders(NodeId),
    /// Entries that were in the log are there no more: from where, how many, and how far the log was committed.
    Truncates(Index, usize, Index),
    /// Those of them that were changes of members are in force no more.
    ConfigurationTruncated,
    /// A snapshot took the place of the log up to an entry; that entry's digest.
    SnapshotInstalled(Index, u32),
    /// A snapshot came that is older than what is committed here.
    SnapshotStale,
    /// A follower needs entries that are gone, and is sent a snapshot.
    SnapshotSent(NodeId),
    /// The cluster has other members, from an entry on.
    Configuration(Index),
    /// Two majorities are asked, from an entry on.
    JointConfiguration(Index),
    /// A learner has caught up, and gets a vote.
    LearnerPromoted(NodeId),
    /// A leader that is no member any more goes.
    LeaderRemoved,
    /// A node that is no member any more, and does not know it, was refused.
    RemovedNodeCampaigns(NodeId),
    /// A node with an empty disk was let in.
    Joined,
    /// A leader told another node to take over.
    HandsOver(NodeId),
    /// Nobody took over in time.
    TransferFailed,
    /// A leader was deposed while its lease ran.
    DeposedInsideLease,
    /// An entry of an older term is on a majority of disks, and not committed for that.
    OlderTermOnMajority,
    /// A leader lost its office with a change of members uncommitted.
    ChangeLeftOpen,
    /// A planted defect changed what happens.
    DefectBit,
}
