//! How one register is judged: zones; if it is small, a short search; then what time tells of sources, and zones again; then the search.

use crate::History;
use crate::history::{NEVER, OperationId};
use crate::verdict::{Anomaly, Budget, Zone};

use super::automaton::{Automaton, State};
use super::case::Case;
use super::explain::{Suspects, Suspicion};
use super::object::Object;
use super::registers::{Register, Registers};
use super::search::{Found, search};
use super::sources::{Sources, separate};
use super::zones::{Clash, Zones};
use super::{Finding, Judge, sentence, zones};

/// Zones say nothing more of a proof of so few operations.
const PLAIN: usize = 2;

impl Judge for Registers<'_> {
    fn judge(&self, history: &History, object: &Object, budget: &Budget) -> Finding {
        let register = self.register(object);
        let case = Judged { registers: self, history, object, register: &register, budget };
        let states = register.values.len();
        match zones::judge(&register.accesses, states) {
            Zones::Legal => return Finding::Legal,
            Zones::Illegal(clash) => return Finding::Illegal(vec![case.explain_clash(&clash)]),
            Zones::Undecided => {}
        }
        if let Some(finding) = case.decide_quickly() {
            return finding;
        }
        let (accesses, olds) = match separate(&register.accesses, states) {
            Sources::Separated { accesses, states } => (accesses, states),
            Sources::None { access, over } => {
                let suspects: Vec<u32> = over.into_iter().chain([access]).map(|at| at as u32).collect();
                return Finding::Illegal(vec![
                    case.explain(case.these(vec![case.suspicion(&suspects, true)], &suspects)),
                ]);
            }
        };
        let apart = register.with(accesses, &olds);
        match zones::judge(&apart.accesses, apart.values.len()) {
            Zones::Legal => return Finding::Legal,
            Zones::Illegal(clash) => {
                let end = clash.suspects.iter().map(|&at| apart.certain_by(at as usize)).max().unwrap_or(NEVER);
                return Finding::Illegal(vec![case.explain(Suspects::UpTo(end))]);
            }
            Zones::Undecided => {}
        }
        let (calls, mut automaton) = apart.calls();
        match search(&calls, &[automaton.initial()], &mut automaton, budget).found {
            Found::Order => Finding::Legal,
            Found::NoOrder { deepest } => Finding::Illegal(vec![case.explain(Suspects::UpTo(deepest))]),
            Found::GaveUp { deepest, spent } => Finding::Undecided { deepest, spent },
        }
    }
}

/// A register that is being judged.
struct Judged<'a> {
    registers: &'a Registers<'a>,
    history: &'a History,
    object: &'a Object,
    register: &'a Register<'a>,
    budget: &'a Budget,
}

/// Registers with fewer operations are searched at once, as most of them cost less than to tell their values apart.
const SMALL: usize = 1_000;

impl Judged<'_> {
    /// What a short search finds, if it finds anything.
    fn decide_quickly(&self) -> Option<Finding> {
        let accesses = self.register.accesses.len();
        if accesses > SMALL {
            return None;
        }
        let (calls, mut automaton) = self.register.calls();
        let budget = Budget { configurations: 4 * accesses as u64, ..*self.budget };
        match search(&calls, &[automaton.initial()], &mut automaton, &budget).found {
            Found::Order => Some(Finding::Legal),
            Found::NoOrder { deepest } => Some(Finding::Illegal(vec![self.explain(Suspects::UpTo(deepest))])),
            Found::GaveUp { .. } => None,
        }
    }

    fn explain(&self, suspects: Suspects) -> Anomaly {
        let (calls, mut automaton) = self.register.calls();
        let writers = |state: State| {
            let writers = self.registers.writers_of(self.object, self.register.values[state as usize]);
            writers.map(|operation| operation.id()).collect()
        };
        let case = Case {
            history: self.history,
            key: self.object.key,
            calls: &calls,
            automaton: &mut automaton,
            writers: &writers,
            budget: self.budget,
        };
        case.explain(suspects)
    }

    fn explain_clash(&self, clash: &Clash) -> Anomaly {
        let nearer = self.register.written_over_before(&clash.suspects).map(|pair| self.suspicion(&pair, false));
        let among = self.register.leading_to(&clash.states);
        let itself = Suspicion { among, ..self.suspicion(&clash.suspects, true) };
        let suspicions = nearer.into_iter().chain([itself]).collect();
        let anomaly = self.explain(self.these(suspicions, &clash.suspects));
        let zones = clash.zones.filter(|_| anomaly.proof.len() > PLAIN).map(|zones| zones.map(|zone| self.told(zone)));
        Anomaly { zones, ..anomaly }
    }

    /// These accesses, among all that have to do with their values. What only may have happened is never certain.
    fn suspicion(&self, suspects: &[u32], certain: bool) -> Suspicion {
        let accesses = suspects.iter().map(|&at| self.register.accesses[at as usize]);
        Suspicion {
            suspects: accesses.clone().map(|access| access.operation).collect(),
            among: self.register.leading_to(&self.register.shown_by(suspects)),
            certain: certain && accesses.clone().all(|access| access.must),
        }
    }

    fn these(&self, suspicions: Vec<Suspicion>, suspects: &[u32]) -> Suspects {
        let certain_by = suspects.iter().map(|&at| self.register.certain_by(at as usize));
        Suspects::These { suspicions, until: certain_by.max().unwrap_or(NEVER) }
    }

    /// A zone as people and pages see it.
    fn told(&self, zone: zones::Zone) -> Zone {
        let operation = |at: u32| self.register.accesses.get(at as usize).map(|access| access.operation);
        let first = operation(zone.completed.1);
        let last = operation(zone.invoked.1);
        let event = |later: u32| later.checked_sub(1).filter(|_| later != NEVER);
        let (completed, invoked) = (event(zone.completed.0), event(zone.invoked.0));
        let (from, to) = if zone.is_forward() { (completed, invoked) } else { (invoked, completed) };
        let value = self.register.describe(zone.root);
        let sentence = sentence::of_zone(self.history, &value, zone.is_forward(), first, last);
        let mut operations: Vec<OperationId> = first.into_iter().chain(last).collect();
        operations.sort_unstable();
        operations.dedup();
        Zone { value, forward: zone.is_forward(), from, to, operations, sentence }
    }
}
