//! A set that only grows: what was added must be there in the end.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use shakedown_checkers::invariants::{Invariant, Options};
use shakedown_checkers::{ModelName, Rule, Subject, Value};

use crate::workload::{fresh, fresh_for_probe, last_looks};
use crate::{Check, Invocation, Look, Workload};

/// What every system promises that keeps what it has acknowledged.
pub const WRITES_KEPT: Rule =
    Rule { name: "writes-kept", summary: "what was acknowledged is never lost, nor replaced by something else" };

/// Clients add elements to one set and read it; no element is added twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Set;

/// An operation, in a plan too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "f", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Operation {
    /// All elements.
    Read,
    /// Puts an element in.
    Add {
        /// The element.
        element: i64,
    },
}

impl Workload for Set {
    type Planned = Operation;
    type Operation = Operation;
    /// The elements of a set.
    type Value = Vec<i64>;
    type Memory = ();

    fn name(&self) -> &'static str {
        "set"
    }

    fn summary(&self) -> &'static str {
        "add to one set, read it now and then, and in the end at every node"
    }

    fn plan(&self, client: u32, clients: u32, operations: usize, chance: &mut impl Rng) -> Vec<Operation> {
        (0..operations)
            .map(|nth| match chance.random_bool(0.9) {
                true => Operation::Add { element: fresh(client, clients, nth) },
                false => Operation::Read,
            })
            .collect()
    }

    fn probe(&self, client: u32, attempt: u32) -> Vec<Operation> {
        vec![Operation::Add { element: fresh_for_probe(client, attempt) }]
    }

    /// All clients together read the set at every node.
    fn last_look(&self, client: u32, clients: u32, nodes: &[String]) -> Vec<Look<Operation>> {
        last_looks(client, clients, nodes)
            .map(|node| Look { operation: Operation::Read, at: Some(node.clone()) })
            .collect()
    }

    fn resolve(planned: &Operation, (): &()) -> Operation {
        planned.clone()
    }

    fn invocation(operation: &Operation) -> Invocation {
        match operation {
            Operation::Read => Invocation { function: "read", key: None, value: Value::Nil },
            Operation::Add { element } => Invocation { function: "add", key: None, value: Value::Int(*element) },
        }
    }

    fn completion(operation: &Operation, elements: &Vec<i64>) -> Value {
        match operation {
            Operation::Read => Value::List(elements.iter().copied().map(Value::Int).collect()),
            Operation::Add { .. } => Set::invocation(operation).value,
        }
    }

    fn checks(&self) -> Vec<Check> {
        vec![
            Check::Levels(Subject::Objects(ModelName::Set)),
            Check::invariant(WRITES_KEPT, Invariant::Set, Options::default()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    #[test]
    fn no_element_is_added_twice_and_every_node_is_read_in_the_end() {
        let mut elements = std::collections::BTreeSet::new();
        let nodes: Vec<String> = (1..=5).map(|n| format!("n{n}")).collect();
        let mut looked = std::collections::BTreeSet::new();
        for client in 0..3 {
            for operation in Set.plan(client, 3, 200, &mut Xoshiro256PlusPlus::seed_from_u64(7)) {
                if let Operation::Add { element } = operation {
                    assert!(elements.insert(element), "{element} is added twice");
                }
            }
            looked.extend(Set.last_look(client, 3, &nodes).into_iter().filter_map(|look| look.at));
        }
        assert!(elements.len() > 400);
        assert_eq!(looked.len(), 5);
    }
}
