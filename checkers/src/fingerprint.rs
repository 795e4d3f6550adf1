//! The **fingerprint** of a history: the strongest guarantees that it still satisfies, and what rules out each one just above them.
//!
//! ```text
//!   linearizable        ✗ stale-read: process 3 read 4 from key 7 …          just above what held: here it breaks
//!   sequential          ✓                                                    the strongest that held
//!   causal-memory …     ✓ implied
//! ```
//!
//! *When to ask for it rather than for one level:* when nobody promised anything yet, or when a promise was broken and the question
//! is what is left of it.
//!
//! *What it means:* that a level holds: an order was found. Levels that
//! are about real time are left out where a history holds none. How it is taken stands in [`check`](mod@crate::check).

use crate::History;
use crate::levels::{self, Level};
use crate::transactions::Analysis;
use crate::verdict::{Anomaly, Undecided, Verdict};

/// The levels that were decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    decided: Vec<(Level, Verdict)>,
}

impl Fingerprint {
    /// Adds what an analysis says of each level of transactions; of real time only where the history holds it.
    pub fn add_analysis(&mut self, history: &History, analysis: &Analysis) {
        let decided =
            |level: &Level| level.is_transactional() && (history.has_real_time() || !level.is_about_real_time());
        for level in Level::ALL.into_iter().filter(decided) {
            self.add(level, analysis.verdict(level));
        }
    }

    /// Adds what was judged elsewhere: convergence, or what a system knows about itself.
    pub fn add(&mut self, level: Level, verdict: Verdict) {
        self.decided.push((level, verdict));
    }

    /// Adds all that another knows: of the same history, as another subject.
    pub fn extend(&mut self, other: Fingerprint) {
        self.decided.extend(other.decided);
    }

    /// The verdict on a level, if it was decided by itself and not by its neighbours.
    pub fn verdict(&self, level: Level) -> Option<&Verdict> {
        self.decided.iter().find(|(decided, _)| *decided == level).map(|(_, verdict)| verdict)
    }

    /// Whether a level holds, by its own verdict and by those of its neighbours.
    pub fn judged(&self, level: Level) -> Verdict {
        let is_below = |(broken, _): &(Level, &Anomaly)| level.implies(*broken);
        match self.verdict(level) {
            Some(verdict @ Verdict::Invalid(_)) => verdict.clone(),
            _ if self.holds(level) => Verdict::Valid,
            Some(verdict @ Verdict::Unknown(_)) if !self.is_ruled_out(level) => verdict.clone(),
            _ => match self.invalid().find(is_below) {
                Some((_, anomaly)) => Verdict::Invalid(vec![anomaly.clone()]),
                None => Verdict::Unknown(Undecided { reason: "it was not looked at".to_owned() }),
            },
        }
    }

    /// Whether a level, or one that implies it, was found to hold.
    pub fn holds(&self, level: Level) -> bool {
        !self.is_ruled_out(level) && self.valid().any(|held| held.implies(level))
    }

    /// Whether a level, or one that it implies, is broken.
    pub fn is_ruled_out(&self, level: Level) -> bool {
        self.invalid().any(|(broken, _)| level.implies(broken))
    }

    /// All levels that are ruled out, the weakest first.
    pub fn ruled_out(&self) -> Vec<Level> {
        Level::ALL.into_iter().filter(|level| self.is_ruled_out(*level)).collect()
    }

    /// Of the levels that hold, those that no other one implies.
    pub fn strongest(&self) -> Vec<Level> {
        levels::strongest(&self.valid().filter(|level| !self.is_ruled_out(*level)).collect::<Vec<_>>())
    }

    /// What is just above: the broken levels that imply no other broken one, each with the anomaly that rules it out.
    pub fn just_above(&self) -> Vec<(Level, &Anomaly)> {
        let is_lowest = |level: Level| self.invalid().all(|(other, _)| other == level || !level.implies(other));
        let mut lowest: Vec<(Level, &Anomaly)> = self.invalid().filter(|(level, _)| is_lowest(*level)).collect();
        lowest.sort_by_key(|(level, _)| *level);
        lowest
    }

    /// What was not decided, and why.
    pub fn undecided(&self) -> impl Iterator<Item = (Level, &Undecided)> {
        self.decided.iter().filter_map(|(level, verdict)| match verdict {
            Verdict::Unknown(undecided) if !self.holds(*level) && !self.is_ruled_out(*level) => {
                Some((*level, undecided))
            }
            _ => None,
        })
    }

    fn valid(&self) -> impl Iterator<Item = Level> {
        self.decided.iter().filter(|(_, verdict)| *verdict == Verdict::Valid).map(|(level, _)| *level)
    }

    fn invalid(&self) -> impl Iterator<Item = (Level, &Anomaly)> {
        self.decided.iter().filter_map(|(level, verdict)| verdict.anomalies().first().map(|anomaly| (*level, anomaly)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Consistency, Question, Subject, check};
    use crate::{Budget, ModelName, transactions::Workload};

    fn fingerprint(subject: Subject, lines: &str) -> Fingerprint {
        let history = crate::history::read("test", lines.as_bytes()).expect("a history");
        let question = Question::new(subject, Consistency::Fingerprint);
        check(&history, &question, &Budget::default()).expect("it fits").into_fingerprint()
    }

    /// `process type f value` a line: read and write of one register.
    fn of_register(lines: &str) -> Fingerprint {
        let event = |line: &str| {
            let parts: Vec<&str> = line.split_whitespace().collect();
            format!(r#"{{"process":{},"type":"{}","f":"{}","value":{}}}"#, parts[0], parts[1], parts[2], parts[3])
        };
        let events: Vec<String> = lines.lines().map(|line| event(line.trim())).collect();
        fingerprint(Subject::Objects(ModelName::Register), &events.join("\n"))
    }

    fn names(levels: &[Level]) -> Vec<&'static str> {
        levels.iter().map(|level| level.name()).collect()
    }

    #[test]
    fn what_is_linearizable_needs_no_other_verdict() {
        let held = of_register("0 invoke write 1\n0 ok write 1\n1 invoke read null\n1 ok read 1");
        assert_eq!(names(&held.strongest()), ["linearizable"]);
        assert_eq!((held.just_above(), held.ruled_out(), held.decided.len()), (vec![], vec![], 1));
        assert!(held.holds(Level::Causal) && held.holds(Level::ReadCommitted));
    }

    #[test]
    fn a_late_read_is_sequential_and_says_what_rules_out_more() {
        let late = of_register("0 invoke write 1\n0 ok write 1\n1 invoke read null\n1 ok read null");
        assert_eq!(names(&late.strongest()), ["sequential"]);
        let above: Vec<_> =
            late.just_above().into_iter().map(|(level, anomaly)| (level.name(), anomaly.name)).collect();
        assert_eq!(above, [("linearizable", "stale-read")]);
        assert_eq!(names(&late.ruled_out()), ["strict-serializable", "linearizable"]);
    }

    #[test]
    fn a_lost_own_write_leaves_the_guarantees_beside_it() {
        let lost = of_register("0 invoke write 1\n0 ok write 1\n0 invoke read null\n0 ok read null");
        assert_eq!(names(&lost.strongest()), ["monotonic-reads", "monotonic-writes", "writes-follow-reads"]);
        let above: Vec<_> = lost.just_above().into_iter().map(|(level, _)| level.name()).collect();
        assert_eq!(above, ["read-your-writes"]);
        assert!(lost.is_ruled_out(Level::Pram) && lost.verdict(Level::Pram).is_none());
    }

    #[test]
    fn transactions_have_both_kinds_of_levels() {
        let skew = fingerprint(
            Subject::Transactions(Workload::RwRegister),
            r#"{"process":0,"type":"invoke","f":"txn","value":[["r","x",null],["w","y",1]]}
               {"process":1,"type":"invoke","f":"txn","value":[["r","y",null],["w","x",1]]}
               {"process":0,"type":"ok","f":"txn","value":[["r","x",null],["w","y",1]]}
               {"process":1,"type":"ok","f":"txn","value":[["r","y",null],["w","x",1]]}"#,
        );
        assert_eq!(names(&skew.strongest()), ["strong-snapshot-isolation", "causal-memory"]);
        let above: Vec<_> =
            skew.just_above().into_iter().map(|(level, anomaly)| (level.name(), anomaly.name)).collect();
        assert_eq!(above, [("repeatable-read", "G2-item"), ("update-serializable", "G-update")]);
    }

    #[test]
    fn without_real_time_nothing_is_said_about_it() {
        let completions = r#"{"process":0,"type":"ok","f":"txn","value":[["w","x",1]]}
                             {"process":1,"type":"ok","f":"txn","value":[["r","x",null]]}"#;
        let held = fingerprint(Subject::Transactions(Workload::RwRegister), completions);
        assert_eq!(names(&held.strongest()), ["strong-session-serializable"]);
        assert_eq!((held.ruled_out(), held.verdict(Level::StrictSerializable)), (vec![], None));
    }
}
