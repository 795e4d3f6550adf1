//! **The one way in**: a question about a history, and the answer to it.
//!
//! ```text
//!   Question                                  check                    Answer
//!   what it is about      cas-register  ──► linearizability ──┐        what was decided, level by level
//!                         rw-register   ──► transactions    ──┼──►     and, of what was asked: valid, invalid or unknown
//!                                       ──► causal          ──┤
//!                         bank          ──► invariants      ──┘
//!   what it is held       a level, the invariant, or
//!   against               the fingerprint: the strongest levels that hold
//! ```
//!
//! The command line and runs both ask here, so that a level has one verdict, whoever asks, and whether it is asked for alone or with all others. An
//! answer is valid only where something was decided: it cannot be made otherwise.
//!
//! *Method of a fingerprint:* down and up the lattice of [`levels`](crate::levels). Of objects, linearizability first: where it holds, all below it does.
//! Otherwise from the weakest level upwards, and never one that implies a broken one. Of transactions, all levels that cycles of dependencies
//! decide come from one analysis; of registers also the levels of sessions, as for objects. *Cost:* that of each level that had to be decided.

use thiserror::Error;

use crate::history::{EventPosition, Value};
use crate::invariants::{self, Invariant};
use crate::levels::Level;
use crate::model::{self, ModelName};
use crate::transactions::{self, Workload};
use crate::verdict::{Anomaly, Budget, Undecided, Verdict};
use crate::{Fingerprint, History, causal, convergence, linearizability};

/// What a history is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Operations on objects of this model.
    Objects(ModelName),
    /// Transactions.
    Transactions(Workload),
    /// A workload whose answers keep a rule.
    Invariant(Invariant),
}

/// What it is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// One level of the lattice.
    Level(Level),
    /// The rule of a workload.
    Invariant,
    /// All levels that can be decided of it: which hold, and what breaks the ones just above them.
    Fingerprint,
}

/// What is asked of a history.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// What it is about.
    pub subject: Subject,
    /// What it is held against.
    pub consistency: Consistency,
    /// What registers hold at first: nil where it is not given.
    pub initial: Option<Value>,
    /// Promises about the order of versions in transactions.
    pub transactions: transactions::Options,
    /// What invariants are told.
    pub invariants: invariants::Options,
    /// From where on all replicas have had time to converge. Where it is not given, that is after the last fault, and fingerprints leave convergence out.
    pub quiet: Option<EventPosition>,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    verdict: Verdict,
    fingerprint: Fingerprint,
    figures: Vec<(&'static str, u64)>,
    unrecorded_reads: usize,
}

/// A history does not fit the question.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DoesNotFit {
    /// An operation is none of the model.
    #[error(transparent)]
    Object(#[from] model::DoesNotFit),
    /// A transaction is none of the workload.
    #[error(transparent)]
    Transaction(#[from] transactions::DoesNotFit),
    /// An operation is none of the workload that an invariant is about.
    #[error(transparent)]
    Invariant(#[from] invariants::DoesNotFit),
    /// That is decided of other subjects.
    #[error("{} is not decided of {}: expected {}", .1.name(), .0.name(), .0.decided())]
    NotDecided(Subject, Consistency),
    /// Registers and lists of transactions are empty at first.
    #[error("registers and lists of {} are empty at first: expected no other initial value", .0.name())]
    Initial(Workload),
}

/// Answers a question about a history. Everything that the answer says was decided within the budget; what was not is `unknown`.
///
/// # Errors
/// If the history does not fit the subject, or the subject not what it is held against.
pub fn check(history: &History, question: &Question, budget: &Budget) -> Result<Answer, DoesNotFit> {
    question.check()?;
    let initial = question.initial.as_ref();
    let mut known = Fingerprint::default();
    let verdict = match (question.subject, question.consistency) {
        (Subject::Invariant(invariant), _) => {
            let report = invariants::judge(history, invariant, &question.invariants)?;
            return Ok(Answer { figures: report.figures, ..Answer::of(report.verdict) });
        }
        (subject, Consistency::Level(level)) => {
            known.add_level(history, subject, level, question, budget)?;
            known.judged(level)
        }
        (Subject::Objects(model), _) => {
            known.add_objects(history, model, question, budget)?;
            known.whole()
        }
        (Subject::Transactions(workload), _) => {
            known.add_transactions(history, workload, question, budget)?;
            known.whole()
        }
    };
    let unrecorded_reads = match question.subject {
        Subject::Objects(model) => linearizability::unrecorded_reads(history, model, initial),
        _ => 0,
    };
    Ok(Answer { fingerprint: known, unrecorded_reads, ..Answer::of(verdict) })
}

impl Fingerprint {
    fn add_level(
        &mut self,
        history: &History,
        subject: Subject,
        level: Level,
        question: &Question,
        budget: &Budget,
    ) -> Result<(), DoesNotFit> {
        let initial = question.initial.as_ref();
        match subject {
            Subject::Transactions(workload) if level.is_transactional() => {
                let analysis = transactions::analyse_for(history, workload, level, &question.transactions, budget)?;
                self.add_analysis(history, &analysis);
                // Where there is no real time, a level that is about it says what sessions say.
                if self.verdict(level).is_none() {
                    self.add(level, analysis.verdict(level));
                }
            }
            Subject::Objects(model) if level == Level::Linearizable => {
                self.add(level, linearizability::check(history, model, initial, *budget)?);
            }
            _ if level == Level::Eventual => {
                let quiet = question.quiet.unwrap_or_else(|| convergence::after_faults(history));
                self.add(level, convergence::check(history, initial, quiet));
            }
            _ => self.add(level, causal::check(history, level, initial, *budget)?),
        }
        Ok(())
    }

    fn add_objects(
        &mut self,
        history: &History,
        model: ModelName,
        question: &Question,
        budget: &Budget,
    ) -> Result<(), DoesNotFit> {
        let initial = question.initial.as_ref();
        if history.has_real_time() {
            self.add(Level::Linearizable, linearizability::check(history, model, initial, *budget)?);
        }
        if model.is_register() {
            self.add_sessions(history, initial, budget)?;
        }
        if let Some(quiet) = question.quiet {
            self.add(Level::Eventual, convergence::check(history, initial, quiet));
        }
        Ok(())
    }

    fn add_transactions(
        &mut self,
        history: &History,
        workload: Workload,
        question: &Question,
        budget: &Budget,
    ) -> Result<(), DoesNotFit> {
        let analysis = transactions::analyse(history, workload, &question.transactions, budget)?;
        self.add_analysis(history, &analysis);
        if workload == Workload::RwRegister {
            self.add_sessions(history, question.initial.as_ref(), budget)?;
        }
        Ok(())
    }

    /// Decides what sessions see, from the weakest level upwards, as far as nothing is known yet.
    fn add_sessions(
        &mut self,
        history: &History,
        initial: Option<&Value>,
        budget: &Budget,
    ) -> Result<(), model::DoesNotFit> {
        let mut case = None;
        for level in causal::DECIDED {
            if self.holds(level) || self.is_ruled_out(level) {
                continue;
            }
            let case = match &case {
                Some(case) => case,
                None => case.insert(causal::Case::of(history, initial, *budget)?),
            };
            self.add(level, case.check(level));
        }
        Ok(())
    }

    /// Of all levels together: valid if all that can be decided hold.
    fn whole(&self) -> Verdict {
        let mut anomalies: Vec<Anomaly> = Vec::new();
        for (_, anomaly) in self.just_above() {
            if !anomalies.contains(anomaly) {
                anomalies.push(anomaly.clone());
            }
        }
        match self.undecided().next() {
            _ if !anomalies.is_empty() => Verdict::Invalid(anomalies),
            Some((level, Undecided { reason })) => {
                Verdict::Unknown(Undecided { reason: format!("{}: {reason}", level.name()) })
            }
            None => Verdict::Valid,
        }
    }
}

impl Question {
    /// Whether a history of a subject is such as this, with nothing else told.
    pub fn new(subject: Subject, consistency: Consistency) -> Question {
        Question {
            subject,
            consistency,
            initial: None,
            transactions: transactions::Options::default(),
            invariants: invariants::Options::default(),
            quiet: None,
        }
    }

    /// Whether it can be asked of any history.
    ///
    /// # Errors
    /// If what it is held against is not decided of its subject, or its subject has another initial value.
    pub fn check(&self) -> Result<(), DoesNotFit> {
        let is_nil = self.initial.as_ref().is_none_or(|initial| *initial == Value::Nil);
        match self.subject {
            Subject::Transactions(workload) if !is_nil => Err(DoesNotFit::Initial(workload)),
            subject if subject.decides(self.consistency) => Ok(()),
            subject => Err(DoesNotFit::NotDecided(subject, self.consistency)),
        }
    }
}

impl Answer {
    fn of(verdict: Verdict) -> Answer {
        Answer { verdict, fingerprint: Fingerprint::default(), figures: Vec::new(), unrecorded_reads: 0 }
    }

    /// Nothing was decided, for this reason.
    pub fn undecided(reason: String) -> Answer {
        Answer::of(Verdict::Unknown(Undecided { reason }))
    }

    /// On what was asked. A fingerprint is valid if all levels hold that can be decided of its subject.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// All levels that were decided on the way.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// The same, to be added to.
    pub fn into_fingerprint(self) -> Fingerprint {
        self.fingerprint
    }

    /// Of an invariant: counts by name. Those that end in `-ns` are nanoseconds.
    pub fn figures(&self) -> &[(&'static str, u64)] {
        &self.figures
    }

    /// Reads that were not judged, as their values count as not recorded.
    pub fn unrecorded_reads(&self) -> usize {
        self.unrecorded_reads
    }
}

/// What a history is about cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unclear {
    /// No model has its operations, or several have.
    #[error(transparent)]
    Objects(#[from] model::NoModel),
    /// Its transactions, if there are any, neither append nor write.
    #[error("no transaction appends or writes")]
    Transactions,
    /// No invariant, or more than one, is about its operations.
    #[error("which invariant it is for is not clear")]
    Invariant,
}

impl Subject {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Objects(model) => model.name(),
            Subject::Transactions(workload) => workload.name(),
            Subject::Invariant(invariant) => invariant.name(),
        }
    }

    /// What is asked of it where nothing is.
    pub fn usual(self, has_real_time: bool) -> Consistency {
        match self {
            Subject::Objects(_) => Consistency::Level(Level::Linearizable),
            Subject::Transactions(_) if !has_real_time => Consistency::Level(Level::StrongSessionSerializable),
            Subject::Transactions(_) => Consistency::Level(Level::StrictSerializable),
            Subject::Invariant(_) => Consistency::Invariant,
        }
    }

    /// Whether that can be decided of it.
    pub fn decides(self, consistency: Consistency) -> bool {
        match (self, consistency) {
            (Subject::Invariant(_), Consistency::Invariant) => true,
            (Subject::Objects(_) | Subject::Transactions(_), Consistency::Fingerprint) => true,
            (Subject::Objects(model), Consistency::Level(level)) => {
                matches!(level, Level::Linearizable | Level::Eventual)
                    || model.is_register() && causal::DECIDED.contains(&level)
            }
            (Subject::Transactions(workload), Consistency::Level(level)) => {
                level.is_transactional() || workload == Workload::RwRegister && causal::DECIDED.contains(&level)
            }
            // A long fork is what this level allows: it is asked for under that name too.
            (Subject::Invariant(invariant), Consistency::Level(level)) => {
                invariant == Invariant::LongFork && level == Level::ParallelSnapshotIsolation
            }
            _ => false,
        }
    }

    /// What can be decided of it, in words.
    pub fn decided(self) -> &'static str {
        match self {
            Subject::Objects(model) if model.is_register() => {
                "linearizable, sequential, one of the causal family or the session guarantees, eventual, or fingerprint"
            }
            Subject::Objects(_) => "linearizable, eventual or fingerprint",
            Subject::Transactions(Workload::ListAppend) => {
                "a level of transactions, such as serializable, or fingerprint"
            }
            Subject::Transactions(Workload::RwRegister) => {
                "a level of transactions, such as serializable, one of the causal family, or fingerprint"
            }
            Subject::Invariant(_) => Consistency::Invariant.name(),
        }
    }

    /// By its operations, and by what is asked of it, if that is known.
    ///
    /// # Errors
    /// If that is not clear.
    pub fn guess(history: &History, consistency: Option<Consistency>) -> Result<Subject, Unclear> {
        let transactions = || Workload::guess(history).map(Subject::Transactions);
        let invariant = || Invariant::guess(history).map(Subject::Invariant);
        let objects = || ModelName::fit(history).map(Subject::Objects).map_err(Unclear::from);
        match consistency {
            Some(Consistency::Invariant) => invariant().ok_or(Unclear::Invariant),
            Some(Consistency::Level(level)) if level.is_transactional() => match transactions() {
                Some(subject) => Ok(subject),
                None if history.is_empty() => Ok(Subject::Transactions(Workload::ListAppend)),
                None => Err(Unclear::Transactions),
            },
            Some(Consistency::Level(level)) if level != Level::Linearizable => {
                Ok(transactions().unwrap_or(Subject::Objects(ModelName::Kv)))
            }
            // Of a history in which nothing was done, every model says the same.
            _ if history.is_empty() => Ok(Subject::Objects(ModelName::Register)),
            Some(_) => transactions().map_or_else(objects, Ok),
            None => {
                let before = || Invariant::guess_before_models(history).map(Subject::Invariant);
                let some = transactions().or_else(before).or_else(|| objects().ok()).or_else(invariant);
                some.map_or_else(objects, Ok)
            }
        }
    }
}

impl Consistency {
    /// By its name on the command line.
    pub fn from_name(name: &str) -> Option<Consistency> {
        match name {
            "invariant" => Some(Consistency::Invariant),
            "fingerprint" => Some(Consistency::Fingerprint),
            level => Level::from_name(level).map(Consistency::Level),
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Consistency::Level(level) => level.name(),
            Consistency::Invariant => "invariant",
            Consistency::Fingerprint => "fingerprint",
        }
    }

    /// The names of all that there are.
    pub fn names() -> Vec<&'static str> {
        let levels = Level::ALL.iter().map(|level| level.name());
        levels.chain([Consistency::Invariant.name(), Consistency::Fingerprint.name()]).collect()
    }
}
