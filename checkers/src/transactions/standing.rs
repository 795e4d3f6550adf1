//! Which levels hold, which do not, and of which nobody knows: from anomalies by their names, and from decisions level by level.
//!
//! ```text
//!   ruled out   an anomaly of that name forbids it, or a decision found that it, or a level that it implies, has no order
//!   proved      an order was found of it, or of a level that implies it; or all cycles that could forbid it were looked for
//!   open        neither: the verdict is `unknown`
//! ```
//!
//! Where the order of all versions is known, a level is proved by the absence of cycles ([`BY_CYCLES`]). Where it is not, a
//! [polygraph](super::polygraph) decides. Three of Adya's views are between others, and only known by these.

use crate::History;
use crate::levels::{self, Level};
use crate::verdict::{Anomaly, Undecided};

use super::allowance::{Allowance, Late};
use super::dependencies::{self, Dependency};
use super::explain::Teller;
use super::micro::{self, MicroOperations};
use super::polygraph::schedule::{self, Kind};
use super::polygraph::shape::{Overwritten, Shape, Time};
use super::polygraph::versions::Versions;
use super::polygraph::{self, Case, Decision};
use super::{Inferred, Workload, order};

/// The levels of which the cycles that forbid them are all known, where the order of versions is.
const BY_CYCLES: [Level; 22] = {
    use Level::*;
    [
        ReadUncommitted,
        ReadCommitted,
        CursorStability,
        MonotonicAtomicView,
        ConsistentView,
        RepeatableRead,
        ReadAtomic,
        UpdateAtomic,
        CausalCerone,
        Prefix,
        ParallelSnapshotIsolation,
        SnapshotIsolation,
        UpdateSerializable,
        Serializable,
        StrongSessionReadUncommitted,
        StrongSessionReadCommitted,
        StrongSessionSnapshotIsolation,
        StrongSessionSerializable,
        StrongReadUncommitted,
        StrongReadCommitted,
        StrongSnapshotIsolation,
        StrictSerializable,
    ]
};

/// Those of which this is so even where the order of versions is not known, as long as it is known whose write a read shows: some order always keeps what they ask for.
const BY_READS: [Level; 8] = {
    use Level::*;
    [
        ReadUncommitted,
        ReadCommitted,
        MonotonicAtomicView,
        ReadAtomic,
        StrongSessionReadUncommitted,
        StrongSessionReadCommitted,
        StrongReadUncommitted,
        StrongReadCommitted,
    ]
};

/// Those of lists, some appends to which nobody read: where these stand among each other matters only to who sees both, and nobody does.
const OF_LISTS: [Level; 11] = {
    use Level::*;
    [
        ReadUncommitted,
        ReadCommitted,
        MonotonicAtomicView,
        ReadAtomic,
        StrongSessionReadUncommitted,
        StrongSessionReadCommitted,
        StrongReadUncommitted,
        StrongReadCommitted,
        Serializable,
        StrongSessionSerializable,
        StrictSerializable,
    ]
};

/// Those that hold whatever is read, if they are not ruled out by the order in which versions are promised to be.
const UNREAD: [Level; 3] = [Level::ReadUncommitted, Level::StrongSessionReadUncommitted, Level::StrongReadUncommitted];

/// Those that hold of transactions that contradict themselves, too. What such a transaction depends on, beyond whom it read from, is not known.
const WITHOUT_AGREEMENT: [Level; 4] =
    [Level::CursorStability, Level::ConsistentView, Level::RepeatableRead, Level::UpdateSerializable];

/// In the order in which they are decided: the ones that tell most first.
const DECIDED: [Level; 19] = {
    use Level::*;
    [
        SnapshotIsolation,
        Serializable,
        StrongSessionSnapshotIsolation,
        StrongSessionSerializable,
        StrongSnapshotIsolation,
        StrictSerializable,
        ParallelSnapshotIsolation,
        Prefix,
        CausalCerone,
        UpdateAtomic,
        ReadAtomic,
        CursorStability,
        MonotonicAtomicView,
        ConsistentView,
        RepeatableRead,
        UpdateSerializable,
        ReadCommitted,
        StrongSessionReadCommitted,
        StrongReadCommitted,
    ]
};

/// Levels by which weaker ones are tried first.
const ABOVE: [Level; 2] = [Level::StrongSnapshotIsolation, Level::StrictSerializable];

/// Such a trial may take one in so many parts of what an analysis may cost.
const PART: u32 = 4;

/// Levels that nothing in particular is looked for, each with those by which it is known to stand.
const BETWEEN: [(Level, &[Level]); 3] = [
    (Level::MonotonicView, &[Level::ConsistentView]),
    (Level::MonotonicSnapshotRead, &[Level::SnapshotIsolation]),
    (Level::ForwardConsistentView, &[Level::SnapshotIsolation, Level::UpdateSerializable]),
];

/// What is known of the levels of a history.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// The weakest levels that anomalies rule out by their names.
    named: Vec<Level>,
    /// Levels that a decision found to have no order.
    broken: Vec<(Level, Anomaly)>,
    /// Levels of which there is a proof that they hold.
    proved: Vec<Level>,
    /// Levels of which nobody knows, and why.
    reasons: Vec<(Level, String)>,
}

impl Standing {
    /// Nothing is known but what anomalies rule out by their names, for one reason.
    pub fn unknown(named: Vec<Level>, reason: &str) -> Standing {
        let all = Level::ALL.into_iter().filter(|level| level.is_transactional());
        Standing { named, reasons: all.map(|level| (level, reason.to_owned())).collect(), ..Standing::default() }
    }

    pub fn is_ruled_out(&self, level: Level) -> bool {
        self.named.iter().any(|weak| level.implies(*weak))
            || self.broken.iter().any(|(broken, _)| level.implies(*broken))
    }

    pub fn is_proved(&self, level: Level) -> bool {
        self.proved.iter().any(|proved| proved.implies(level)) && !self.is_ruled_out(level)
    }

    /// By decision, what breaks a level that no anomaly rules out by its name.
    pub fn anomaly(&self, level: Level) -> Option<&Anomaly> {
        let own = self.broken.iter().find(|(broken, _)| *broken == level);
        let any = || self.broken.iter().find(|(broken, _)| level.implies(*broken));
        own.or_else(any).map(|(_, anomaly)| anomaly)
    }

    /// All that decisions found, each once.
    pub fn anomalies(&self) -> Vec<Anomaly> {
        let mut all: Vec<Anomaly> = Vec::new();
        for (_, anomaly) in &self.broken {
            if !all.contains(anomaly) {
                all.push(anomaly.clone());
            }
        }
        all
    }

    /// Why nobody knows whether a level holds.
    pub fn undecided(&self, level: Level) -> Option<Undecided> {
        if self.is_ruled_out(level) || self.is_proved(level) {
            return None;
        }
        let own = self.reasons.iter().find(|(other, _)| *other == level);
        let any = || self.reasons.iter().find(|(other, _)| level.implies(*other) || other.implies(level));
        let reason = own.or_else(any).map_or(NOT_TOLD_APART, |(_, reason)| reason.as_str());
        Some(Undecided { reason: reason.to_owned() })
    }
}

const NOT_TOLD_APART: &str = "what it allows and the level above it forbids is not told apart here";

/// What all decisions start from.
pub(super) struct Evidence<'a, 'h> {
    pub history: &'h History,
    pub micro: &'a MicroOperations<'h>,
    pub workload: Workload,
    pub inferred: &'a Inferred,
    pub teller: &'a Teller<'a, 'h>,
    /// The weakest levels that anomalies rule out.
    pub named: Vec<Level>,
    /// Whether a transaction contradicts itself.
    pub is_internal: bool,
}

/// Decides what the anomalies leave: of all levels, or of those asked for alone.
pub(super) fn decide(evidence: &Evidence<'_, '_>, asked: Option<Level>, allowance: &Allowance) -> Standing {
    let (skipped, undecided) = allowance.open(&evidence.named);
    let mut standing = Standing { named: evidence.named.clone(), ..Standing::default() };
    let reason = undecided.map(|undecided| undecided.reason).unwrap_or_default();
    standing.reasons.extend(skipped.iter().map(|level| (*level, reason.clone())));
    let is_open = |level: &Level| skipped.contains(level);
    let is_about_itself =
        |level: &Level| evidence.is_internal && (WITHOUT_AGREEMENT.contains(level) || !is_read_alone(evidence, *level));
    let by_absence: &[Level] = match (&evidence.inferred.orders, evidence.micro.repeats()) {
        (None, _) => &BY_CYCLES,
        (Some(_), false) if evidence.workload == Workload::ListAppend => &OF_LISTS,
        (Some(_), false) => &BY_READS,
        (Some(_), true) => &UNREAD,
    };
    let proved = by_absence.iter().copied().filter(|level| !is_open(level) && !is_about_itself(level));
    standing.proved = proved.filter(|level| !standing.is_ruled_out(*level)).collect();
    if evidence.is_internal {
        let reason = "a transaction contradicts itself: what it depends on is not known";
        standing.reasons.extend(WITHOUT_AGREEMENT.map(|level| (level, reason.to_owned())));
    }
    let Some(orders) = &evidence.inferred.orders else { return standing };
    let wanted: Vec<Level> = match asked {
        None => DECIDED.to_vec(),
        Some(level) => {
            // By those around it, where it is not decided itself.
            let above = BETWEEN.iter().find(|(between, _)| *between == level).map(|(_, above)| *above);
            let is_skipped = evidence.is_internal && WITHOUT_AGREEMENT.contains(&level);
            let is_near = |other: &Level| above.is_some_and(|above| above.contains(other)) || level.implies(*other);
            match above.is_some() || is_skipped {
                true => DECIDED.into_iter().filter(is_near).collect(),
                false => vec![level],
            }
        }
    };
    let mut deciding = Deciding { evidence, allowance, standing, decisions: Vec::new(), tried: Vec::new() };
    let left = |deciding: &Deciding<'_, '_, '_>| -> Vec<Level> {
        let standing = &deciding.standing;
        let is_left = |level: &&Level| !standing.is_ruled_out(**level) && !standing.is_proved(**level);
        wanted.iter().filter(is_left).copied().collect()
    };
    let mut remaining = left(&deciding);
    remaining.retain(|level| !(evidence.is_internal && WITHOUT_AGREEMENT.contains(level)));
    if remaining.is_empty() {
        return deciding.standing;
    }
    // Versions, readers, nodes.
    let bytes = 40 * evidence.micro.kind.len() + 16 * evidence.history.len();
    if bytes as u64 > allowance.bytes() || allowance.is_late() {
        let reason = format!("to put writes into an order takes about {} MB: more than the budget", bytes >> 20);
        let reason = if allowance.is_late() { "time ran out: expected more time".to_owned() } else { reason };
        deciding.standing.reasons.extend(remaining.into_iter().map(|level| (level, reason.clone())));
        return deciding.standing;
    }
    let happened = &evidence.inferred.happened;
    let versions = Versions::of(evidence.history, evidence.micro, evidence.workload, happened, orders);
    let is_list = evidence.workload == Workload::ListAppend;
    if !is_list && deciding.schedule(&versions, &remaining).is_err() {
        return deciding.standing;
    }
    let writes: Vec<bool> = (0..evidence.micro.rows())
        .map(|row| evidence.micro.of(row).any(|at| evidence.micro.kind[at] == micro::Kind::Write))
        .collect();
    if asked.is_none() {
        deciding.is_found_above(&[Level::StrictSerializable], Level::Serializable, &versions, &writes);
    }
    for level in remaining {
        if !deciding.standing.is_ruled_out(level) && !deciding.standing.is_proved(level) {
            deciding.level(level, &versions, &writes);
        }
    }
    deciding.standing
}

/// Whether, if it is one of those, a level is told by who read from whom alone, which is known of registers even where a transaction contradicts itself.
fn is_read_alone(evidence: &Evidence<'_, '_>, level: Level) -> bool {
    let of_reads = [
        Level::ReadCommitted,
        Level::MonotonicAtomicView,
        Level::StrongSessionReadCommitted,
        Level::StrongReadCommitted,
    ];
    !of_reads.contains(&level) || evidence.workload == Workload::RwRegister && !evidence.micro.repeats()
}

struct Deciding<'a, 'e, 'h> {
    evidence: &'a Evidence<'e, 'h>,
    allowance: &'a Allowance,
    standing: Standing,
    decisions: Vec<(Shape, Decision)>,
    /// Whose order was looked for on behalf of weaker levels.
    tried: Vec<Shape>,
}

impl Deciding<'_, '_, '_> {
    /// Tries to put all transactions into an order as it goes, which may prove all levels at once.
    fn schedule(&mut self, versions: &Versions, wanted: &[Level]) -> Result<(), Late> {
        let (history, happened) = (self.evidence.history, &self.evidence.inferred.happened);
        let orders = [
            (Level::StrictSerializable, Kind::Serial, Time::Real),
            (Level::StrongSessionSerializable, Kind::Serial, Time::Sessions),
            (Level::Serializable, Kind::Serial, Time::None),
            (Level::StrongSnapshotIsolation, Kind::Snapshot, Time::Real),
            (Level::StrongSessionSnapshotIsolation, Kind::Snapshot, Time::Sessions),
            (Level::SnapshotIsolation, Kind::Snapshot, Time::None),
        ];
        for (level, kind, time) in orders {
            let is_wanted = wanted.iter().any(|wanted| level.implies(*wanted) && !self.standing.is_proved(*wanted));
            let is_there = time != Time::Real || history.has_real_time();
            if !is_wanted || !is_there || self.standing.is_ruled_out(level) {
                continue;
            }
            match schedule::is_found(history, versions, happened, (kind, time), self.allowance) {
                Ok(true) => {
                    self.standing.proved.push(level);
                }
                Ok(false) => {}
                Err(Late) => {
                    let reason = "time ran out while transactions were put into an order: expected more time";
                    self.standing.reasons.extend(wanted.iter().map(|level| (*level, reason.to_owned())));
                    return Err(Late);
                }
            }
        }
        Ok(())
    }

    fn level(&mut self, level: Level, versions: &Versions, writes: &[bool]) {
        let Some(shape) = self.shape(level) else { return };
        let is_read_alone = shape.is_free && shape.overwritten == Overwritten::Nothing;
        if !is_read_alone && self.is_found_above(&ABOVE, level, versions, writes) {
            return;
        }
        let known = self.decisions.iter().find(|(other, _)| *other == shape).map(|(_, decision)| decision.clone());
        let decision = known.unwrap_or_else(|| {
            self.with_case(shape, versions, writes, self.allowance, |case, rest| polygraph::decide(case, shape, rest))
                .unwrap_or_else(Decision::Unknown)
        });
        self.decisions.push((shape, decision.clone()));
        match decision {
            Decision::Valid => self.standing.proved.push(level),
            Decision::Invalid(anomaly) => self.standing.broken.push((level, *anomaly)),
            Decision::Unknown(reason) => self.standing.reasons.push((level, reason)),
        }
    }

    /// That of a level, in the time that this history has.
    fn shape(&self, level: Level) -> Option<Shape> {
        let mut shape = Shape::of(level)?;
        if shape.time == Time::Real && !self.evidence.history.has_real_time() {
            shape.time = Time::Sessions;
        }
        Some(shape)
    }

    /// Whether an order is found of one of these levels that implies this one: less is left to choose, and stores that keep a level mostly keep that in time, too.
    fn is_found_above(&mut self, above: &[Level], level: Level, versions: &Versions, writes: &[bool]) -> bool {
        for &above in above.iter().filter(|above| above.implies(level)) {
            let Some(shape) = self.shape(above).filter(|shape| Some(*shape) != self.shape(level)) else { continue };
            if self.standing.is_ruled_out(above) || self.tried.contains(&shape) {
                continue;
            }
            self.tried.push(shape);
            let part = self.allowance.part(PART);
            let is_found = |case: &Case<'_, '_>, rest: &Allowance| polygraph::is_found(case, shape, rest);
            if self.with_case(shape, versions, writes, &part, is_found) == Ok(true) {
                self.standing.proved.push(above);
                return true;
            }
        }
        false
    }

    /// What is to be said of a level, or why that takes too much.
    fn with_case<T>(
        &self,
        shape: Shape,
        versions: &Versions,
        writes: &[bool],
        allowance: &Allowance,
        say: impl FnOnce(&Case<'_, '_>, &Allowance) -> T,
    ) -> Result<T, String> {
        let Evidence { history, micro, inferred, teller, .. } = *self.evidence;
        let (times, nodes) = match shape.time {
            Time::None => (Vec::new(), inferred.nodes),
            Time::Sessions => order::process(history, &inferred.happened, inferred.nodes),
            Time::Real => order::real_time(history, &inferred.happened, inferred.nodes),
        };
        // Each edge as it is known, in the graph with its reason, and by both of its ends.
        let needed = 80 * (inferred.dependencies.len() + times.len());
        if needed as u64 > allowance.bytes() {
            return Err(format!("the edges take about {} MB: expected more memory", needed >> 20));
        }
        let known: Vec<Dependency> = inferred.dependencies.iter().chain(&times).copied().collect();
        let is_promised = |dependency: &&Dependency| {
            matches!(dependency.kind, dependencies::Kind::WriteWrite | dependencies::Kind::ReadWrite)
                && dependency.from < micro.rows()
                && dependency.to < micro.rows()
        };
        let promised: Vec<Dependency> = match self.evidence.workload {
            Workload::ListAppend => Vec::new(),
            Workload::RwRegister => inferred.dependencies.iter().filter(is_promised).copied().collect(),
        };
        let case = Case {
            history,
            versions,
            writes,
            known: &known,
            instants: inferred.nodes,
            nodes,
            promised: &promised,
            teller,
        };
        Ok(say(&case, &allowance.beside(needed)))
    }
}

/// Levels that anomalies of these names rule out: the weakest.
pub(super) fn named<'a>(anomalies: impl Iterator<Item = &'a str>) -> Vec<Level> {
    let mut named: Vec<Level> = anomalies.flat_map(levels::weakest_ruled_out).copied().collect();
    named.sort_unstable();
    named.dedup();
    named
}
