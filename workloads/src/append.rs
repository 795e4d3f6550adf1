//! Strings by key that only grow: get and append. A lost, doubled or misplaced write shows in every later read.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shakedown_checkers::{ModelName, Subject, Value};

use crate::workload::{fresh, fresh_for_probe, last_looks};
use crate::{Check, Invocation, Look, Workload};

/// Clients read strings under a few keys and append to them; no piece is appended twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// How many keys there are.
    pub keys: u32,
}

impl Default for Append {
    /// Six keys.
    fn default() -> Append {
        Append { keys: 6 }
    }
}

/// An operation, in a plan too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "f", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Operation {
    /// The string under a key.
    Get {
        /// The key.
        key: u32,
    },
    /// Puts a piece behind the string under a key.
    Append {
        /// The key.
        key: u32,
        /// The piece: a number, which the string shows behind a space.
        piece: i64,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    keys: u32,
}

/// How a string of these pieces is written.
fn text(pieces: &[i64]) -> String {
    pieces.iter().map(|piece| format!(" {piece}")).collect()
}

impl Workload for Append {
    type Planned = Operation;
    type Operation = Operation;
    /// The pieces of a string, in their order.
    type Value = Vec<i64>;
    type Memory = ();

    fn name(&self) -> &'static str {
        "append"
    }

    fn summary(&self) -> &'static str {
        "get and append on six strings; no piece is appended twice"
    }

    fn parameters(&self) -> serde_json::Value {
        json!({"keys": self.keys})
    }

    fn with_parameters(&self, parameters: &serde_json::Value) -> Result<Append, String> {
        let Parameters { keys } = Parameters::deserialize(parameters).map_err(|error| error.to_string())?;
        if keys == 0 { Err("expected `keys` from 1".to_owned()) } else { Ok(Append { keys }) }
    }

    fn plan(&self, client: u32, clients: u32, operations: usize, chance: &mut impl Rng) -> Vec<Operation> {
        (0..operations)
            .map(|nth| {
                let key = chance.random_range(0..self.keys);
                let piece = fresh(client, clients, nth);
                if chance.random_bool(0.5) { Operation::Get { key } } else { Operation::Append { key, piece } }
            })
            .collect()
    }

    fn probe(&self, client: u32, attempt: u32) -> Vec<Operation> {
        vec![Operation::Append { key: client % self.keys, piece: fresh_for_probe(client, attempt) }]
    }

    /// All clients together read every key at every node.
    fn last_look(&self, client: u32, clients: u32, nodes: &[String]) -> Vec<Look<Operation>> {
        let look = |key, node: &String| Look { operation: Operation::Get { key }, at: Some(node.clone()) };
        last_looks(client, clients, nodes).flat_map(|node| (0..self.keys).map(move |key| look(key, node))).collect()
    }

    fn resolve(planned: &Operation, (): &()) -> Operation {
        planned.clone()
    }

    fn invocation(operation: &Operation) -> Invocation {
        let (function, key, value) = match operation {
            Operation::Get { key } => ("get", key, Value::Nil),
            Operation::Append { key, piece } => ("append", key, Value::text(&text(&[*piece]))),
        };
        Invocation { function, key: Some(Value::Int(i64::from(*key))), value }
    }

    fn completion(operation: &Operation, pieces: &Vec<i64>) -> Value {
        match operation {
            Operation::Get { .. } => Value::text(&text(pieces)),
            Operation::Append { .. } => Append::invocation(operation).value,
        }
    }

    fn checks(&self) -> Vec<Check> {
        vec![Check::Levels(Subject::Objects(ModelName::StringKv))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    #[test]
    fn no_piece_is_appended_twice_and_each_is_seen_as_itself() {
        let mut pieces = std::collections::BTreeSet::new();
        for client in 0..4 {
            for operation in Append::default().plan(client, 4, 200, &mut Xoshiro256PlusPlus::seed_from_u64(7)) {
                if let Operation::Append { piece, .. } = operation {
                    assert!(pieces.insert(piece), "{piece} is appended twice");
                }
            }
        }
        assert!(pieces.len() > 300);
        let get = Operation::Get { key: 1 };
        assert_eq!(Append::completion(&get, &vec![1, 12]), Value::text(" 1 12"));
        assert_eq!(Append::invocation(&Operation::Append { key: 1, piece: 12 }).value, Value::text(" 12"));
    }

    #[test]
    fn parameters_come_back_from_a_plan_and_nonsense_does_not() {
        let append = Append { keys: 3 };
        assert_eq!(Append::default().with_parameters(&append.parameters()), Ok(append));
        assert!(Append::default().with_parameters(&json!({"keys": 0})).unwrap_err().contains("from 1"));
    }
}
