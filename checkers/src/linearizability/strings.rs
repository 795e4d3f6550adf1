//! Strings that grow (`get`, `put`, `append`): what a `get` shows is also the order of all that was appended before it.
//!
//! ```text
//!   p0  ─[ append a ]────────────[ append c ]─────────────
//!   p1  ────────[ append b ]──────────────────────────────
//!   p2  ────────────────────────────────────[ get → "ac" ]──     not linearizable: b had been appended before the get began
//! ```
//!
//! *Method:* each string that was shown falls into texts that somebody put or appended (`pieces.rs`). Where it does so in one way, and each of these
//! texts was put or appended once, the history is one of a register whose values are the strings: an append that was shown replaced one of
//! them by another, a put that was shown wrote one, and what nobody was shown wrote a string that nobody saw. No value of this register is
//! written twice, so zones decide (`blocks.rs`, [zones](super::zones)). A string that falls into no pieces, a text that stands in two places, and two strings of
//! which none goes on from the other are violations at once; what proves them is cut down by leaving out operations (`proof.rs`, `words.rs`).
//!
//! Everything else is searched, over the beginnings of the strings that were shown and one state for all others (`beginnings.rs`).
//!
//! *A proof* binds few operations: gets that are not bound showed nothing, and puts and appends that are not bound may have happened or not.
//!
//! *Cost:* as much as to read the strings once, and O(n log n).

mod beginnings;
mod blocks;
mod pieces;
mod proof;
mod words;

use crate::History;
use crate::history::{EventPosition, NEVER, OperationId, Outcome, Value, ValueId};
use crate::model::{DoesNotFit, StringKv};
use crate::verdict::Budget;

use super::case::Case;
use super::explain::Suspects;
use super::object::Object;
use super::search::{Found, search};
use super::{Finding, Judge};

use beginnings::Beginnings;
use blocks::{Blocks, Judged};
use pieces::Pieces;

/// The strings of a history, by key.
pub(super) struct Strings;

impl Strings {
    /// Looks whether strings can be judged.
    ///
    /// # Errors
    /// The first operation that is none of strings, or a history without an order in real time.
    pub fn compile(history: &History) -> Result<Strings, DoesNotFit> {
        match DoesNotFit::without_real_time(history).or_else(|| DoesNotFit::first(history, &StringKv)) {
            Some(problem) => Err(problem),
            None => Ok(Strings),
        }
    }
}

impl Judge for Strings {
    fn judge(&self, history: &History, object: &Object, budget: &Budget) -> Finding {
        let string = GrowingString::of(history, object);
        let pieces = Pieces::of(&string.changes);
        match Blocks::of(&string, &pieces, None) {
            Judged::Legal => Finding::Legal,
            Judged::Illegal(blocks, violation) => {
                Finding::Illegal(vec![proof::explain(&string, &pieces, &blocks, violation)])
            }
            Judged::Undecided => string.search(object, budget),
        }
    }
}

/// An operation that changes a string, or may have.
#[derive(Clone, Copy, Debug)]
struct Change<'a> {
    operation: OperationId,
    text: &'a str,
    /// Whether it puts the text; else it appends it.
    is_put: bool,
    invoked: EventPosition,
    /// [`NEVER`], if it is not known to have happened.
    completed: EventPosition,
    /// Whether it is known to have happened.
    must: bool,
}

/// An operation that was shown a string.
#[derive(Clone, Copy, Debug)]
struct Get {
    operation: OperationId,
    /// Which of the shown strings.
    shown: u32,
    invoked: EventPosition,
    completed: EventPosition,
}

/// One object, with all operations that happened or may have and that do or show anything. Both lists are in the order of invocations.
struct GrowingString<'a> {
    history: &'a History,
    key: Option<ValueId>,
    changes: Vec<Change<'a>>,
    gets: Vec<Get>,
    /// The strings that were shown, each once.
    shown: Vec<&'a str>,
}

impl<'a> GrowingString<'a> {
    fn of(history: &'a History, object: &Object) -> GrowingString<'a> {
        let mut string =
            GrowingString { history, key: object.key, changes: Vec::new(), gets: Vec::new(), shown: Vec::new() };
        let mut places: rustc_hash::FxHashMap<&'a str, u32> = rustc_hash::FxHashMap::default();
        let mut known: rustc_hash::FxHashMap<ValueId, u32> = rustc_hash::FxHashMap::default();
        for &id in &object.operations {
            let operation = history.operation(id);
            let must = match operation.outcome() {
                Outcome::Ok => true,
                Outcome::Info => false,
                Outcome::Fail => continue,
            };
            let completed = if must { operation.completed() } else { NEVER };
            let invoked = operation.invoked();
            if operation.function() == "get" {
                if must {
                    let shown = *known.entry(operation.result_id()).or_insert_with(|| {
                        *places.entry(text_of(operation.result())).or_insert_with(|| {
                            string.shown.push(text_of(operation.result()));
                            string.shown.len() as u32 - 1
                        })
                    });
                    string.gets.push(Get { operation: id, shown, invoked, completed });
                }
                continue;
            }
            let (text, is_put) = (text_of(operation.argument()), operation.function() == "put");
            // To append nothing does nothing.
            if is_put || !text.is_empty() {
                string.changes.push(Change { operation: id, text, is_put, invoked, completed, must });
            }
        }
        string
    }

    /// What the search says, where the strings alone do not tell.
    fn search(&self, object: &Object, budget: &Budget) -> Finding {
        let (calls, mut automaton) = Beginnings::of(self);
        match search(&calls, &[super::automaton::Automaton::initial(&automaton)], &mut automaton, budget).found {
            Found::Order => Finding::Legal,
            Found::NoOrder { deepest } => {
                let writers = |_| Vec::new();
                let case = Case {
                    history: self.history,
                    key: object.key,
                    calls: &calls,
                    automaton: &mut automaton,
                    writers: &writers,
                    budget,
                };
                Finding::Illegal(vec![case.explain(Suspects::UpTo(deepest))])
            }
            Found::GaveUp { deepest, spent } => Finding::Undecided { deepest, spent },
        }
    }
}

/// Nothing is the empty string.
fn text_of(value: &Value) -> &str {
    match value {
        Value::Text(text) => text,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::super::definition::{Op, Shape, generate, history, is_linearizable};
    use super::*;
    use crate::ModelName;
    use crate::linearizability::memoised::Modelled;

    fn histories() -> u64 {
        std::env::var("SHAKEDOWN_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(20_000)
    }

    const SHAPE: Shape = Shape {
        model: ModelName::StringKv,
        operations: 9,
        processes: 4,
        keys: 1,
        distinct: true,
        unknown: 2,
        without: &[],
    };

    /// What the strings alone tell of a history.
    fn judged(history: &History) -> Option<Finding> {
        let string = GrowingString::of(history, &Object::whole(history)[0]);
        let pieces = Pieces::of(&string.changes);
        match Blocks::of(&string, &pieces, None) {
            Judged::Legal => Some(Finding::Legal),
            Judged::Illegal(blocks, violation) => {
                Some(Finding::Illegal(vec![proof::explain(&string, &pieces, &blocks, violation)]))
            }
            Judged::Undecided => None,
        }
    }

    /// What the history is if only these operations are known to have happened as they say.
    fn bound(ops: &[Op], is_bound: impl Fn(usize) -> bool) -> Vec<Op> {
        let mut kept = Vec::new();
        for (at, op) in ops.iter().enumerate() {
            let mut op = op.clone();
            if op.outcome == Outcome::Ok && !is_bound(at) {
                if op.function == "get" {
                    continue;
                }
                op.outcome = Outcome::Info;
            }
            kept.push(op);
        }
        kept
    }

    /// Holds the method against the definition, and gives in how many of a hundred histories it decided.
    fn decided(shape: Shape, histories: u64) -> u64 {
        let (mut legal, mut illegal) = (0, 0);
        for seed in 0..histories {
            let ops = generate(shape, seed);
            let Some(finding) = judged(&history(shape.model, &ops, false)) else { continue };
            let told = |anomaly: &str| format!("seed {seed} of {shape:?}: {anomaly}\n{ops:#?}");
            let Finding::Illegal(anomalies) = finding else {
                assert!(is_linearizable(shape.model, &ops), "{}", told("legal"));
                legal += 1;
                continue;
            };
            illegal += 1;
            let proof: Vec<usize> = anomalies[0].proof.iter().map(|id| id.row()).collect();
            let told = || told(&format!("{anomalies:?}"));
            assert!(!is_linearizable(shape.model, &bound(&ops, |at| proof.contains(&at))), "no proof: {}", told());
            for spared in &proof {
                let fewer = bound(&ops, |at| at != *spared && proof.contains(&at));
                assert!(is_linearizable(shape.model, &fewer), "{spared} is not needed: {}", told());
            }
        }
        assert!(legal > histories / 40 && illegal > histories / 40, "{shape:?}: {legal} legal, {illegal} illegal");
        100 * (legal + illegal) / histories
    }

    #[test]
    fn strings_of_distinct_pieces_are_always_decided_as_the_definition_does() {
        for unknown in [0, 2, 6] {
            assert_eq!(decided(Shape { unknown, ..SHAPE }, histories() / 3), 100);
            assert_eq!(decided(Shape { unknown, without: &["put"], ..SHAPE }, histories() / 3), 100);
        }
    }

    #[test]
    fn strings_whose_pieces_repeat_are_decided_now_and_then_and_as_the_definition_does() {
        for processes in [3, 5] {
            assert!(decided(Shape { distinct: false, processes, ..SHAPE }, histories()) > 10);
        }
    }

    /// What the search says of a history.
    fn searched(history: &History) -> Finding {
        let object = &Object::whole(history)[0];
        GrowingString::of(history, object).search(object, &Budget::default())
    }

    #[test]
    fn the_search_decides_as_the_definition_does() {
        for seed in 0..histories() {
            let unknown = [0, 2, 6][seed as usize % 3];
            let without: &[&str] = if seed % 5 == 0 { &["put"] } else { &[] };
            let shape = Shape { distinct: seed % 2 == 0, processes: 3 + seed % 4, unknown, without, ..SHAPE };
            let ops = generate(shape, seed);
            let found = matches!(searched(&history(shape.model, &ops, false)), Finding::Legal);
            assert_eq!(found, is_linearizable(shape.model, &ops), "seed {seed} of {shape:?}\n{ops:#?}");
        }
    }

    #[test]
    fn longer_histories_are_searched_as_without_what_is_known_of_strings() {
        let (mut legal, mut illegal) = (0, 0);
        for seed in 0..histories() / 10 {
            let shape = Shape {
                distinct: false,
                operations: 20 + seed % 30,
                processes: 3 + seed % 6,
                unknown: seed % 3,
                ..SHAPE
            };
            let history = history(shape.model, &generate(shape, seed), false);
            let object = &Object::whole(&history)[0];
            let modelled = Modelled::compile(&history, &StringKv).expect("it fits");
            let (calls, mut automaton) = (modelled.calls_of(&history, object), modelled.automaton());
            let plainly = search(&calls, &[0], &mut automaton, &Budget::of_configurations(200_000)).found;
            let found = searched(&history);
            match plainly {
                Found::Order => assert!(matches!(found, Finding::Legal), "seed {seed} of {shape:?}"),
                Found::NoOrder { .. } => assert!(matches!(found, Finding::Illegal(_)), "seed {seed} of {shape:?}"),
                Found::GaveUp { .. } => continue,
            }
            *if plainly == Found::Order { &mut legal } else { &mut illegal } += 1;
        }
        assert!(legal > histories() / 100 && illegal > histories() / 100, "{legal} legal, {illegal} illegal");
    }
}
