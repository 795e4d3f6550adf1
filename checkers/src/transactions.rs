//! **Isolation of transactions**: which consistency levels a history of transactions still allows, and which cycles rule out the others.
//!
//! ```text
//!   T1: r x → [1]   append y 1 ──┐ rw: T1 did not see T2's append to y's list before…
//!          ▲ wr                  ▼
//!   T2: append x 1  ◄──────── T3: …                   a cycle of dependencies: no order of T1, T2, T3 explains it
//! ```
//!
//! *When to ask for it rather than for linearizability:* when an operation touches several keys at once.
//!
//! *Method:* Adya's (1999), as Elle applies it (Kingsbury & Alvaro, VLDB 2020). Micro-operations become columns (`micro.rs`); the reads
//! of a list (`list_append.rs`) or a register (`rw_register.rs`) tell in which order its versions came, and direct anomalies; from the orders follow
//! dependencies (ww, wr, rw), and sessions and real time add theirs (`order.rs`). Cycles lie in strongly connected components; the
//! shortest of each kind is named (`cycles.rs`, `search.rs`) and told edge by edge (`explain.rs`). Where the levels with atomic
//! visibility ask for more than Adya's names tell, `atomic.rs` and `shapes.rs` look for it. Which levels fall is in `levels.rs`.
//!
//! An anomaly named is there. Where the order of versions is wholly known (lists, each append of which was read), a level holds if no cycle that forbids it
//! is there. Where it is not, of registers above all, `polygraph.rs` puts the writers of each key into an order, or finds that there is none: of every level
//! but three of Adya's views, monotonic view, monotonic snapshot read and forward consistent view, which are only known by their neighbours (`standing.rs`).
//! Of each kind of cycle one is named, of each direct anomaly the first few. What was not decided, since a budget ran out, is said.
//!
//! *Cost:* linear in the micro-operations and in the elements of the lists read, whatever the number of clients; a search for short cycles
//! only inside components, bounded.

use thiserror::Error;

use crate::History;
use crate::history::{OperationId, Outcome, Value};
use crate::levels::{self, Level};
use crate::verdict::{Anomaly, Budget, Undecided, Verdict};

mod allowance;
mod atomic;
mod components;
mod cycles;
mod dependencies;
mod explain;
mod fans;
mod list_append;
mod micro;
mod order;
mod polygraph;
mod rw_register;
mod search;
mod shapes;
mod standing;

use allowance::Allowance;
use polygraph::versions::KnownOrder;
use standing::Standing;

/// What the objects of the transactions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Lists, to which transactions append: `["append", key, value]`, `["r", key, [values]]`.
    ListAppend,
    /// Registers, which transactions write: `["w", key, value]`, `["r", key, value]`.
    RwRegister,
}

impl Workload {
    /// Both.
    pub const ALL: [Workload; 2] = [Workload::ListAppend, Workload::RwRegister];

    /// The name by which it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Workload::ListAppend => "list-append",
            Workload::RwRegister => "rw-register",
        }
    }

    /// The workload with this name.
    pub fn from_name(name: &str) -> Option<Workload> {
        Workload::ALL.into_iter().find(|workload| workload.name() == name)
    }

    /// What the first micro-operation that tells it apart tells; nothing if there is none.
    pub fn guess(history: &History) -> Option<Workload> {
        let transactions = || history.operations().filter(|operation| operation.function() == "txn");
        let of = |value: &Value, told: fn(&str, Option<&Value>) -> Option<Workload>| {
            let Value::List(items) = value else { return None };
            items.iter().find_map(|item| match item {
                Value::List(parts) => match parts.first() {
                    Some(Value::Text(word)) => told(word, parts.get(2)),
                    _ => None,
                },
                _ => None,
            })
        };
        let by_writes = |word: &str, _: Option<&Value>| match word {
            "append" => Some(Workload::ListAppend),
            "w" => Some(Workload::RwRegister),
            _ => None,
        };
        // Where nobody writes, what is read may tell.
        let by_reads = |word: &str, value: Option<&Value>| match value {
            Some(Value::List(_)) if word == "r" => Some(Workload::ListAppend),
            Some(value) if word == "r" && *value != Value::Nil => Some(Workload::RwRegister),
            _ => None,
        };
        let by_writes = transactions().find_map(|operation| of(operation.argument(), by_writes));
        by_writes.or_else(|| transactions().find_map(|operation| of(operation.result(), by_reads)))
    }
}

/// From what else the order of the versions of a register may be taken: promises of the system that the history alone cannot tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Each key by itself is linearizable: what one transaction did to it before another began came before.
    pub linearizable_keys: bool,
    /// Each key by itself is sequentially consistent: what a session did to it, it did in that order.
    pub sequential_keys: bool,
    /// What a transaction read from a key came right before what it wrote to it.
    pub wfr_keys: bool,
}

/// Why a history is no history of such transactions.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DoesNotFit {
    /// Only `txn` is known.
    #[error("operation {index} is {function:?}: expected `txn` alone")]
    OtherFunction {
        /// Its index in the file.
        index: u64,
        /// What it is.
        function: String,
    },
    /// A value that is no list of micro-operations.
    #[error("operation {index} holds {found}: expected {expected}")]
    Malformed {
        /// Its index in the file.
        index: u64,
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// What was written twice tells nobody whose write was read.
    #[error(
        "operations {first} and {second} both write {value} to key {key}: expected each value to be written to a key once"
    )]
    Repeated {
        /// The key.
        key: Value,
        /// The value.
        value: Value,
        /// The index of one of them.
        first: u64,
        /// The index of the other one.
        second: u64,
    },
    /// Levels of single objects.
    #[error("{} is a level of single operations: expected one of transactions, such as serializable", .0.name())]
    OtherLevel(Level),
}

/// All that a history of transactions shows.
#[derive(Clone, Debug, Default)]
pub struct Analysis {
    /// What was found: direct anomalies, then cycles. Not all of them: of each kind a few.
    pub anomalies: Vec<Anomaly>,
    /// The levels that are ruled out, the weakest first.
    pub ruled_out: Vec<Level>,
    /// The levels of which nobody knows, as nothing was found and nothing proved.
    pub open: Vec<Level>,
    /// Whether no transaction was seen to depend on another.
    pub no_dependency: bool,
    /// Of the levels of transactions that were proved to hold, those that no other one implies.
    pub strongest: Vec<Level>,
    /// Why levels are open, if any is that was asked for.
    pub undecided: Option<Undecided>,
    standing: Standing,
}

impl Analysis {
    fn of(mut anomalies: Vec<Anomaly>, no_dependency: bool, standing: Standing, asked: Option<Level>) -> Analysis {
        for anomaly in standing.anomalies() {
            if !anomalies.contains(&anomaly) {
                anomalies.push(anomaly);
            }
        }
        let levels = || Level::ALL.into_iter().filter(|level| level.is_transactional());
        let is_ruled_out = |level: &Level| standing.is_ruled_out(*level);
        let proved: Vec<Level> = levels().filter(|level| standing.is_proved(*level)).collect();
        let open: Vec<Level> =
            levels().filter(|level| !standing.is_ruled_out(*level) && !proved.contains(level)).collect();
        let first = asked.or_else(|| open.first().copied());
        Analysis {
            ruled_out: Level::ALL.into_iter().filter(is_ruled_out).collect(),
            no_dependency,
            strongest: levels::strongest(&proved),
            undecided: first.and_then(|level| standing.undecided(level)),
            anomalies,
            open,
            standing,
        }
    }

    /// Whether the history satisfies a level: `valid` exactly where that was proved, `invalid` where it is ruled out, and else `unknown`.
    pub fn verdict(&self, level: Level) -> Verdict {
        if let Some(undecided) = self.standing.undecided(level) {
            return Verdict::Unknown(undecided);
        }
        if self.standing.is_proved(level) {
            return Verdict::Valid;
        }
        let breaks =
            |anomaly: &&Anomaly| levels::weakest_ruled_out(anomaly.name).iter().any(|weak| level.implies(*weak));
        let decided = self.standing.anomalies();
        let by_name = self.anomalies.iter().filter(|anomaly| !decided.contains(anomaly));
        let mut anomalies: Vec<Anomaly> = by_name.filter(breaks).cloned().collect();
        if anomalies.is_empty() {
            anomalies.extend(self.standing.anomaly(level).cloned());
        }
        if self.no_dependency {
            anomalies.push(Anomaly {
                name: NO_DEPENDENCY,
                sentence: "no transaction was seen to depend on another, so that there was no cycle to look for"
                    .to_owned(),
                ..Anomaly::default()
            });
        }
        Verdict::Invalid(anomalies)
    }
}

/// That there was nothing to look for cycles in, told beside what was found. It breaks nothing by itself.
pub(crate) const NO_DEPENDENCY: &str = "empty-transaction-graph";

/// Decides whether a history of transactions satisfies a level.
///
/// # Errors
/// If it holds other operations, or if the level is of single objects.
pub fn check(
    history: &History,
    workload: Workload,
    level: Level,
    options: &Options,
    budget: &Budget,
) -> Result<Verdict, DoesNotFit> {
    Ok(analyse_for(history, workload, level, options, budget)?.verdict(level))
}

/// Finds anomalies, and decides all levels of transactions. When the budget runs out, what was found stays, and
/// [`Analysis::undecided`] says what was not.
///
/// # Errors
/// If the history holds other operations.
pub fn analyse(
    history: &History,
    workload: Workload,
    options: &Options,
    budget: &Budget,
) -> Result<Analysis, DoesNotFit> {
    analysed(history, workload, None, options, budget)
}

/// The same, but of the levels that only an order of versions decides, this one alone.
///
/// # Errors
/// If the history holds other operations, or if the level is of single objects.
pub fn analyse_for(
    history: &History,
    workload: Workload,
    level: Level,
    options: &Options,
    budget: &Budget,
) -> Result<Analysis, DoesNotFit> {
    if !level.is_transactional() {
        return Err(DoesNotFit::OtherLevel(level));
    }
    analysed(history, workload, Some(level), options, budget)
}

fn analysed(
    history: &History,
    workload: Workload,
    asked: Option<Level>,
    options: &Options,
    budget: &Budget,
) -> Result<Analysis, DoesNotFit> {
    let mut allowance = Allowance::of(budget);
    // Of what it does, its key, its value, and where it stood before: some three accesses each.
    if !allowance.may_begin("the list of accesses", 60 * history.len(), ALL) {
        return Ok(out_of_budget(&allowance, asked));
    }
    let micro = match micro::MicroOperations::read(history, workload) {
        Ok(micro) => micro,
        Err(repeated @ DoesNotFit::Repeated { .. }) => {
            return Ok(Analysis::of(Vec::new(), false, Standing::unknown(Vec::new(), &repeated.to_string()), asked));
        }
        Err(error) => return Err(error),
    };
    allowance.hold(micro.bytes());
    // By micro-operation: its row, its place, an edge or two.
    if !allowance.may_begin("the comparison of reads", 64 * micro.kind.len(), ALL) {
        return Ok(out_of_budget(&allowance, asked));
    }
    let mut inferred = match workload {
        Workload::ListAppend => list_append::infer(history, &micro, &allowance),
        Workload::RwRegister => rw_register::infer(history, &micro, options, &allowance),
    };
    allowance.hold(inferred.bytes());
    let mut anomalies = std::mem::take(&mut inferred.anomalies);
    if !inferred.is_whole {
        let late = "time ran out while the reads were compared: expected more time";
        let named = standing::named(anomalies.iter().map(|anomaly| anomaly.name));
        return Ok(Analysis::of(anomalies, false, Standing::unknown(named, late), asked));
    }
    let teller = explain::Teller { history, micro: &micro, workload };
    anomalies.extend(atomic::find(history, &micro, &inferred.dependencies, &teller, &mut allowance));
    let Inferred { dependencies, happened, nodes, .. } = &inferred;
    if let Some(cyclic) = cycles::cyclic(history, &micro, dependencies, happened, *nodes, &mut allowance) {
        anomalies.extend(cycles::find(&cyclic, &mut allowance).iter().map(|cycle| teller.cycle(cycle)));
        let ruled_out = levels::ruled_out(anomalies.iter().map(|anomaly| anomaly.name));
        let more = shapes::find(&cyclic, &ruled_out, &mut allowance);
        anomalies.extend(more.iter().map(|cycle| teller.cycle(cycle)));
    }
    let evidence = standing::Evidence {
        history,
        micro: &micro,
        workload,
        inferred: &inferred,
        teller: &teller,
        named: standing::named(anomalies.iter().map(|anomaly| anomaly.name)),
        is_internal: anomalies.iter().any(|anomaly| anomaly.name == "internal"),
    };
    let standing = standing::decide(&evidence, asked, &allowance);
    Ok(Analysis::of(anomalies, inferred.dependencies.is_empty(), standing, asked))
}

/// Nothing was looked for.
fn out_of_budget(allowance: &Allowance, asked: Option<Level>) -> Analysis {
    let (_, undecided) = allowance.open(&[]);
    let reason = undecided.map(|undecided| undecided.reason).unwrap_or_default();
    Analysis::of(Vec::new(), false, Standing::unknown(Vec::new(), &reason), asked)
}

/// All levels of transactions imply this one.
const ALL: &[Level] = &[Level::ReadUncommitted];

/// What the reads of a workload tell.
struct Inferred {
    anomalies: Vec<Anomaly>,
    dependencies: Vec<dependencies::Dependency>,
    /// By row, whether the transaction took effect.
    happened: Vec<bool>,
    /// How many nodes the dependencies lead among: the transactions, and nodes of [`fans`].
    nodes: u32,
    /// What is known of the order of the writers of each key; nothing if all of it is among the dependencies.
    orders: Option<Vec<KnownOrder>>,
    /// Whether time was enough; if not, there are no dependencies to speak of.
    is_whole: bool,
}

impl Inferred {
    /// About how much memory it takes.
    fn bytes(&self) -> usize {
        let orders: usize = self.orders.iter().flatten().map(|order| order.capacity() * size_of::<u32>()).sum();
        self.dependencies.capacity() * size_of::<dependencies::Dependency>() + self.happened.capacity() + orders
    }
}

/// Direct anomalies: the first few of each name.
#[derive(Default)]
struct Found(Vec<Anomaly>);

/// So many direct anomalies of one name are told.
const TOLD: usize = 5;

impl Found {
    fn add(&mut self, name: &'static str, rows: &[u32], sentence: impl FnOnce() -> String) {
        if self.0.iter().filter(|anomaly| anomaly.name == name).count() >= TOLD {
            return;
        }
        let mut proof: Vec<OperationId> = rows.iter().map(|&row| OperationId(row)).collect();
        proof.sort_unstable();
        proof.dedup();
        self.0.push(Anomaly { name, proof, sentence: sentence(), ..Anomaly::default() });
    }
}

/// No row, no write, no version.
const NONE: u32 = u32::MAX;

/// By row, whether the transaction took effect: it completed, or somebody read what it wrote.
fn happened(history: &History, observed: impl Iterator<Item = u32>) -> Vec<bool> {
    let mut happened: Vec<bool> = history.operations().map(|operation| operation.outcome() == Outcome::Ok).collect();
    for row in observed {
        if history.operation(OperationId(row)).outcome() == Outcome::Info {
            happened[row as usize] = true;
        }
    }
    happened
}
