//! Registers by key: read, write, compare-and-set.

use std::collections::BTreeMap;

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shakedown_checkers::{ModelName, Subject, Value};

use crate::workload::{fresh, fresh_for_probe, last_looks};
use crate::{Check, Invocation, Look, Outcome, Workload};

/// Clients read, write and compare-and-set integers under a few keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kv {
    name: &'static str,
    summary: &'static str,
    /// How many keys there are.
    pub keys: u32,
    /// Written values are drawn from `0..values`; without it, no value is written twice.
    pub values: Option<i64>,
}

impl Default for Kv {
    /// Eight keys, and every written value is new: the cheapest to check, and a lost write cannot hide behind an equal one.
    fn default() -> Kv {
        Kv {
            name: "kv",
            summary: "read, write and cas on eight keys; no value is written twice",
            keys: 8,
            values: None,
        }
    }
}

impl Kv {
    /// The same on so many keys.
    pub fn with_keys(self, keys: u32) -> Kv {
        Kv { keys: keys.max(1), ..self }
    }

    /// One key, five values, many compare-and-sets: all clients get in each other's way.
    pub fn register() -> Kv {
        Kv { name: "register", summary: "read, write and cas of five values on one key", keys: 1, values: Some(5) }
    }
}

/// What a plan may change of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    keys: u32,
    values: Option<i64>,
}

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// The value under a key.
    Read {
        /// The key.
        key: u32,
    },
    /// Sets the value under a key.
    Write {
        /// The key.
        key: u32,
        /// The new value.
        value: i64,
    },
    /// Sets the value under a key if it is what is expected.
    Cas {
        /// The key.
        key: u32,
        /// What the key must hold; `None` for nothing.
        expected: Option<i64>,
        /// The new value.
        new: i64,
    },
}

/// An operation as it stands in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "f", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Planned {
    /// Read the key.
    Read {
        /// The key.
        key: u32,
    },
    /// Write the value.
    Write {
        /// The key.
        key: u32,
        /// The value.
        value: i64,
    },
    /// Replace a given value.
    Cas {
        /// The key.
        key: u32,
        /// What the key must hold.
        expected: i64,
        /// The new value.
        new: i64,
    },
    /// Replace the value that this client saw last under the key.
    CasLast {
        /// The key.
        key: u32,
        /// The new value.
        new: i64,
    },
}

/// What a client saw last under each key.
pub type Memory = BTreeMap<u32, Option<i64>>;

impl Workload for Kv {
    type Planned = Planned;
    type Operation = Operation;
    type Value = Option<i64>;
    type Memory = Memory;

    fn name(&self) -> &'static str {
        self.name
    }

    fn summary(&self) -> &'static str {
        self.summary
    }

    fn parameters(&self) -> serde_json::Value {
        json!({"keys": self.keys, "values": self.values})
    }

    fn with_parameters(&self, parameters: &serde_json::Value) -> Result<Kv, String> {
        let Parameters { keys, values } = Parameters::deserialize(parameters).map_err(|error| error.to_string())?;
        if keys == 0 || values.is_some_and(|values| values < 1) {
            return Err("expected `keys` from 1, and `values` from 1 or null".to_owned());
        }
        Ok(Kv { keys, values, ..self.clone() })
    }

    fn plan(&self, client: u32, clients: u32, operations: usize, chance: &mut impl Rng) -> Vec<Planned> {
        // Every third client hardly does anything but read: it stays with a node that answers reads, even if nobody else does.
        let reads = if client % 3 == 2 { 95 } else { 45 };
        let writes = reads + (100 - reads) * 3 / 5;
        (0..operations)
            .map(|nth| {
                let key = chance.random_range(0..self.keys);
                let kind = chance.random_range(0..100);
                let fresh = fresh(client, clients, nth);
                let drawn =
                    |chance: &mut _| self.values.map_or(fresh, |values| RngExt::random_range(chance, 0..values));
                match (kind, self.values) {
                    (kind, _) if kind < reads => Planned::Read { key },
                    (kind, _) if kind < writes => Planned::Write { key, value: drawn(chance) },
                    (_, None) => Planned::CasLast { key, new: fresh },
                    (_, Some(_)) => Planned::Cas { key, expected: drawn(chance), new: drawn(chance) },
                }
            })
            .collect()
    }

    fn probe(&self, client: u32, attempt: u32) -> Vec<Planned> {
        let fresh = fresh_for_probe(client, attempt);
        let value = self.values.map_or(fresh, |values| fresh % values);
        vec![Planned::Write { key: client % self.keys, value }]
    }

    /// Each client reads every key, and all together at every node.
    fn last_look(&self, client: u32, clients: u32, nodes: &[String]) -> Vec<Look<Planned>> {
        let mine = last_looks(client, clients, nodes);
        let look = |key, node: &String| Look { operation: Planned::Read { key }, at: Some(node.clone()) };
        mine.flat_map(|node| (0..self.keys).map(move |key| look(key, node))).collect()
    }

    fn resolve(planned: &Planned, memory: &Memory) -> Operation {
        match *planned {
            Planned::Read { key } => Operation::Read { key },
            Planned::Write { key, value } => Operation::Write { key, value },
            Planned::Cas { key, expected, new } => Operation::Cas { key, expected: Some(expected), new },
            Planned::CasLast { key, new } => Operation::Cas { key, expected: memory.get(&key).copied().flatten(), new },
        }
    }

    fn remember(memory: &mut Memory, operation: &Operation, outcome: &Outcome<Option<i64>>) {
        let Outcome::Ok(result) = outcome else { return };
        match *operation {
            Operation::Read { key } => memory.insert(key, *result),
            Operation::Write { key, value } => memory.insert(key, Some(value)),
            Operation::Cas { key, new, .. } => memory.insert(key, Some(new)),
        };
    }

    fn invocation(operation: &Operation) -> Invocation {
        let (function, key, value) = match *operation {
            Operation::Read { key } => ("read", key, Value::Nil),
            Operation::Write { key, value } => ("write", key, Value::Int(value)),
            Operation::Cas { key, expected, new } => {
                ("cas", key, Value::pair(expected.map_or(Value::Nil, Value::Int), Value::Int(new)))
            }
        };
        Invocation { function, key: Some(Value::Int(i64::from(key))), value }
    }

    fn completion(operation: &Operation, value: &Option<i64>) -> Value {
        match operation {
            Operation::Read { .. } => value.map_or(Value::Nil, Value::Int),
            Operation::Write { .. } | Operation::Cas { .. } => Kv::invocation(operation).value,
        }
    }

    fn checks(&self) -> Vec<Check> {
        vec![Check::Levels(Subject::Objects(ModelName::Kv))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn plan(workload: &Kv, client: u32) -> Vec<Planned> {
        workload.plan(client, 4, 300, &mut Xoshiro256PlusPlus::seed_from_u64(7))
    }

    #[test]
    fn no_two_clients_write_the_same_value() {
        let mut written = std::collections::BTreeSet::new();
        for client in 0..4 {
            for planned in plan(&Kv::default(), client) {
                if let Planned::Write { value, .. } | Planned::CasLast { new: value, .. } = planned {
                    assert!(written.insert(value), "{value} is written twice");
                }
            }
        }
        assert!(written.len() > 400);
    }

    #[test]
    fn the_register_is_one_key_with_few_values() {
        for planned in plan(&Kv::register(), 0) {
            match planned {
                Planned::Read { key } => assert_eq!(key, 0),
                Planned::Write { key, value } => assert!(key == 0 && (0..5).contains(&value)),
                Planned::Cas { key, expected, new } => {
                    assert!(key == 0 && (0..5).contains(&expected) && (0..5).contains(&new));
                }
                Planned::CasLast { .. } => panic!("the register's cas names its values"),
            }
        }
    }

    #[test]
    fn cas_last_expects_what_the_client_saw() {
        let mut memory = Memory::default();
        let cas = Planned::CasLast { key: 3, new: 9 };
        assert_eq!(Kv::resolve(&cas, &memory), Operation::Cas { key: 3, expected: None, new: 9 });
        Kv::remember(&mut memory, &Operation::Read { key: 3 }, &Outcome::Ok(Some(5)));
        assert_eq!(Kv::resolve(&cas, &memory), Operation::Cas { key: 3, expected: Some(5), new: 9 });
        Kv::remember(&mut memory, &Operation::Write { key: 3, value: 6 }, &Outcome::Info("timeout".to_owned()));
        assert_eq!(Kv::resolve(&cas, &memory), Operation::Cas { key: 3, expected: Some(5), new: 9 });
    }

    #[test]
    fn all_clients_together_look_at_every_key_at_every_node() {
        let nodes: Vec<String> = (1..=5).map(|n| format!("n{n}")).collect();
        for clients in [1, 2, 5, 7] {
            let mut seen = std::collections::BTreeSet::new();
            for client in 0..clients {
                let looks = Kv::default().last_look(client, clients, &nodes);
                assert!(looks.len() >= 8, "each client reads every key");
                seen.extend(looks.into_iter().map(|look| (look.at, format!("{:?}", look.operation))));
            }
            assert_eq!(seen.len(), 5 * 8, "{clients} clients");
        }
    }

    #[test]
    fn parameters_come_back_from_a_plan_and_nonsense_does_not() {
        let kv = Kv { keys: 3, ..Kv::default() };
        assert_eq!(Kv::default().with_parameters(&kv.parameters()), Ok(kv));
        for (bad, expected) in [(json!({"keys": 0, "values": null}), "from 1"), (json!({"key": 1}), "unknown field")] {
            assert!(Kv::default().with_parameters(&bad).unwrap_err().contains(expected));
        }
    }

    #[test]
    fn planned_operations_survive_json() {
        for planned in plan(&Kv::default(), 1).into_iter().chain(plan(&Kv::register(), 1)) {
            let text = serde_json::to_string(&planned).unwrap();
            assert_eq!(serde_json::from_str::<Planned>(&text).unwrap(), planned);
        }
    }
}
