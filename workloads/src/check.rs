//! What judges a workload.

use std::fmt;
use std::sync::Arc;

use shakedown_checkers::{
    Budget, Claim, Consistency, History, Model, Question, Rule, Subject, Undecided, Verdict, check, invariants,
    linearizability,
};

/// One way to judge the history of a run.
#[derive(Clone)]
pub enum Check {
    /// All levels that can be decided of this subject: how strong the history is.
    Levels(Subject),
    /// One claim, by a judge of its own.
    Claim(Claim, Judge),
}

/// Decides whether a history keeps a claim.
pub type Judge = Arc<dyn Fn(&History, &Budget) -> Verdict + Send + Sync>;

impl Check {
    /// A claim, by a judge that needs nothing but the history.
    ///
    /// ```
    /// use shakedown_checkers::{Rule, Verdict};
    /// use shakedown_workloads::Check;
    ///
    /// const SOME: Rule = Rule { name: "something-happened", summary: "some operation was invoked" };
    /// let check = Check::claim(SOME, |history, _| {
    ///     assert!(!history.is_empty());
    ///     Verdict::Valid
    /// });
    /// ```
    pub fn claim(
        claim: impl Into<Claim>,
        judge: impl Fn(&History, &Budget) -> Verdict + Send + Sync + 'static,
    ) -> Check {
        Check::Claim(claim.into(), Arc::new(judge))
    }

    /// A claim that holds where each key of the history is linearizable under this model.
    pub fn model<M: Model + Send + Sync + 'static>(claim: impl Into<Claim>, model: M) -> Check {
        Check::claim(claim, move |history, budget| {
            linearizability::check_keys_with(history, &model, *budget).unwrap_or_else(misfit)
        })
    }

    /// A claim that holds where the history answers this question with yes.
    pub fn question(claim: impl Into<Claim>, question: Question) -> Check {
        Check::claim(claim, move |history, budget| match check(history, &question, budget) {
            Ok(answer) => answer.verdict().clone(),
            Err(error) => misfit(error),
        })
    }

    /// A rule that is an invariant of the checkers': a constant total, no lost element.
    pub fn invariant(rule: Rule, invariant: invariants::Invariant, options: invariants::Options) -> Check {
        let question = Question::new(Subject::Invariant(invariant), Consistency::Invariant);
        Check::question(rule, Question { invariants: options, ..question })
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Check::Levels(subject) => write!(f, "levels of {}", subject.name()),
            Check::Claim(claim, _) => write!(f, "{claim}"),
        }
    }
}

/// What cannot be judged is not decided.
fn misfit(error: impl fmt::Display) -> Verdict {
    Verdict::Unknown(Undecided { reason: error.to_string() })
}
