//! One violation, planted somewhere in 10,000 operations, is found, named, and proved by the few operations that make it.
//!
//! Each violation is one by construction. Where values do not repeat, it stands among whatever else is going on; where they do, at a
//! quiet moment, with values around it that nobody else writes. Without what was planted, the history is linearizable, which is checked
//! too. `SHAKEDOWN_HISTORIES` tells how many histories there are of each kind and mixture.

use crate::definition;
use crate::registers;

use definition::{Op, history};
use registers::{Chance, Mixture, Simulation, simulate};
use shakedown_checkers::{Budget, ModelName, Outcome, Verdict, linearizability};

fn histories() -> u64 {
    std::env::var("SHAKEDOWN_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(2)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A read of a value that nobody ever wrote.
    Garbage,
    /// A read of a value whose only write failed.
    Aborted,
    /// A read of a value that is written only later.
    Future,
    /// A read of a value that was overwritten.
    Stale,
    /// Two compare-and-sets, at one time, that both replace the same value.
    LostUpdate,
    /// A read of the old value, after another process has read the new one.
    GoesBack,
    /// Two compare-and-sets, one after the other, that happen once more.
    ChainTwice,
}

const KINDS: [Kind; 7] =
    [Kind::Garbage, Kind::Aborted, Kind::Future, Kind::Stale, Kind::LostUpdate, Kind::GoesBack, Kind::ChainTwice];

impl Kind {
    fn needs_cas(self) -> bool {
        matches!(self, Kind::LostUpdate | Kind::ChainTwice)
    }

    /// What the anomaly may be called, and how many operations prove it at most.
    fn expected(self) -> (&'static [&'static str], usize) {
        match self {
            Kind::Garbage => (&["garbage-read"], 1),
            Kind::Aborted => (&["aborted-read"], 1),
            Kind::Future => (&["future-read"], 1),
            Kind::LostUpdate => (&["lost-update"], 2),
            Kind::ChainTwice => (&["stale-read"], 4),
            // Reads of the two values that overlap can prove it too, and are not called stale.
            Kind::Stale | Kind::GoesBack => (&["stale-read", "nonlinearizable"], 4),
        }
    }
}

/// Greater than every value of a simulation, and every process.
const UNIQUE: i64 = 1_000_000;
const STRANGERS: u32 = 1_000_000;

/// A history, and the processes' operations that make it invalid, as places in it.
struct Planted {
    ops: Vec<Op>,
    culprits: Vec<usize>,
}

/// Lets strangers work on one register, one operation at a time.
struct Quiet<'a> {
    simulation: &'a mut Simulation,
    key: i64,
}

impl Quiet<'_> {
    fn does(&mut self, function: &'static str, argument: &[i64], outcome: Outcome) -> usize {
        let ops = &mut self.simulation.ops;
        let position = self.simulation.position;
        self.simulation.position += 2;
        if outcome == Outcome::Ok && function != "read" {
            self.simulation.registers[self.key as usize] = argument[argument.len() - 1..].to_vec();
        }
        ops.push(Op {
            process: STRANGERS + ops.len() as u32,
            function,
            key: self.key,
            argument: if function == "read" { Vec::new() } else { argument.to_vec() },
            answer: argument.to_vec(),
            outcome,
            invoked: position,
            completed: position + 1,
        });
        ops.len() - 1
    }

    fn writes(&mut self, value: i64) -> usize {
        self.does("write", &[value], Outcome::Ok)
    }

    fn replaces(&mut self, expected: i64, new: i64) -> usize {
        self.does("cas", &[expected, new], Outcome::Ok)
    }

    fn reads(&mut self, value: i64) -> usize {
        self.does("read", &[value], Outcome::Ok)
    }
}

/// Plants a violation at a quiet moment.
fn at_a_quiet_moment(mixture: Mixture, kind: Kind, chance: &mut Chance) -> Planted {
    let mut simulation = Simulation::new(mixture);
    let place = chance.of_range(mixture.operations / 10..mixture.operations);
    simulation.run(place, chance);
    let key = chance.below(mixture.keys as u64) as i64;
    let (one, two, three) = (UNIQUE, UNIQUE + 1, UNIQUE + 2);
    let mut quiet = Quiet { simulation: &mut simulation, key };
    let mut later = None;
    let culprits = match kind {
        Kind::Garbage => vec![quiet.reads(one)],
        Kind::Aborted => {
            quiet.does("write", &[one], Outcome::Fail);
            vec![quiet.reads(one)]
        }
        Kind::Future => {
            later = Some(one);
            vec![quiet.reads(one)]
        }
        Kind::Stale => {
            // Of a value that others use too, where nothing is left that could bring it back.
            let common = mixture
                .values
                .filter(|&values| values < 10 && mixture.info == 0)
                .map(|values| chance.below(values as u64) as i64);
            quiet.writes(one);
            quiet.writes(two);
            vec![quiet.reads(common.unwrap_or(one))]
        }
        Kind::LostUpdate => {
            quiet.writes(one);
            let first = quiet.replaces(one, two);
            let second = quiet.replaces(one, three);
            // The second begins before the first ends.
            let ops = &mut quiet.simulation.ops;
            (ops[first].completed, ops[second].invoked) = (ops[second].invoked, ops[first].completed);
            quiet.simulation.registers[key as usize] = vec![two];
            vec![second]
        }
        Kind::GoesBack => {
            quiet.writes(one);
            let write = quiet.writes(two);
            quiet.reads(two);
            let back = quiet.reads(one);
            // The write ends after both reads.
            let ops = &mut quiet.simulation.ops;
            let end = ops[back].completed;
            for op in &mut ops[write + 1..] {
                op.invoked -= 1;
                op.completed -= 1;
            }
            ops[write].completed = end;
            vec![back]
        }
        Kind::ChainTwice => {
            quiet.writes(one);
            quiet.replaces(one, two);
            quiet.replaces(two, three);
            vec![quiet.replaces(one, two), quiet.replaces(two, three)]
        }
    };
    if let Some(value) = later {
        let middle = place + (mixture.operations - place) / 2;
        simulation.run(middle, chance);
        Quiet { simulation: &mut simulation, key }.writes(value);
    }
    simulation.run(mixture.operations, chance);
    Planted { ops: simulation.ops, culprits }
}

/// Plants a violation among whatever is going on, by another answer or by operations of strangers. For values that do not repeat.
fn in_the_crowd(mixture: Mixture, kind: Kind, chance: &mut Chance) -> Planted {
    let mut ops = simulate(mixture, chance);
    // Room for events between events.
    for op in &mut ops {
        op.invoked *= 8;
        op.completed = op.completed.saturating_mul(8);
    }
    let is = |op: &Op, function, outcome| op.function == function && op.outcome == outcome;
    for _ in 0..1_000_000 {
        let at = chance.of_range(0..ops.len());
        let other = chance.of_range(at.saturating_sub(100)..(at + 100).min(ops.len()));
        let third = chance.of_range(at.saturating_sub(100)..at + 1);
        let [one, two, three] = [&ops[at], &ops[other], &ops[third]];
        if [one, two, three].iter().any(|op| op.key != one.key) {
            continue;
        }
        let is_read = is(one, "read", Outcome::Ok);
        let answer = match kind {
            Kind::Garbage if is_read => UNIQUE,
            Kind::Aborted if is_read && is(two, "write", Outcome::Fail) => two.argument[0],
            Kind::Future if is_read && is(two, "write", Outcome::Ok) && two.invoked > one.completed => two.argument[0],
            // The third wrote before the second began, which wrote before the read began.
            Kind::Stale
                if is_read
                    && is(two, "write", Outcome::Ok)
                    && is(three, "write", Outcome::Ok)
                    && three.completed < two.invoked
                    && two.completed < one.invoked =>
            {
                three.argument[0]
            }
            // The third wrote before the second began, which read another value, before the read began.
            Kind::GoesBack
                if is_read
                    && is(two, "read", Outcome::Ok)
                    && is(three, "write", Outcome::Ok)
                    && three.completed < two.invoked
                    && two.completed < one.invoked
                    && two.answer != three.argument =>
            {
                three.argument[0]
            }
            Kind::LostUpdate if is(one, "cas", Outcome::Ok) => {
                let second = Op { process: STRANGERS, argument: vec![one.argument[0], UNIQUE], ..one.clone() };
                let (invoked, completed) = (second.invoked + 1, second.completed - 1);
                ops.insert(at + 1, Op { answer: second.argument.clone(), invoked, completed, ..second });
                return Planted { ops, culprits: vec![at + 1] };
            }
            Kind::ChainTwice
                if is(one, "cas", Outcome::Ok) && is(two, "cas", Outcome::Ok) && one.argument[1] == two.argument[0] =>
            {
                let begin = one.completed.max(two.completed) + 1;
                let again = |op: &Op, invoked| Op { process: STRANGERS, invoked, completed: invoked + 1, ..op.clone() };
                let twice = [again(one, begin), again(two, begin + 2)];
                let place = ops.iter().position(|op| op.invoked > begin).unwrap_or(ops.len());
                ops.splice(place..place, twice);
                return Planted { ops, culprits: vec![place, place + 1] };
            }
            _ => continue,
        };
        if ops[at].answer != [answer] {
            ops[at].answer = vec![answer];
            return Planted { ops, culprits: vec![at] };
        }
    }
    panic!("there is no place for {kind:?} in {mixture:?}");
}

fn check(ops: &[Op], keyed: bool) -> Verdict {
    let history = history(ModelName::Kv, ops, keyed);
    linearizability::check(&history, ModelName::Kv, None, Budget::default()).expect("the generator fits")
}

fn is_found(mixtures: &[Mixture], plant: impl Fn(Mixture, Kind, &mut Chance) -> Planted) {
    for mixture in mixtures {
        for kind in KINDS.into_iter().filter(|kind| mixture.cas > 0 || !kind.needs_cas()) {
            for seed in 0..histories() {
                let Planted { ops, culprits } = plant(*mixture, kind, &mut Chance::of(seed));
                let keyed = mixture.keys > 1;
                let verdict = check(&ops, keyed);
                let told = || {
                    let found = verdict.anomalies().first();
                    let found = found.map(|found| (found.impossible_by, found.proof.len(), &found.sentence));
                    format!("seed {seed} of {kind:?} at {culprits:?} in {mixture:?}: {} {found:?}", verdict.word())
                };
                let [anomaly] = verdict.anomalies() else { panic!("{}", told()) };
                let (names, most) = kind.expected();
                assert!(names.contains(&anomaly.name), "{}: {}", anomaly.name, told());
                assert!(anomaly.proof.len() <= most, "{}", told());
                assert!(anomaly.proof.iter().any(|id| culprits.contains(&id.row())), "{}", told());

                let mut without = ops.clone();
                culprits.iter().rev().for_each(|&culprit| drop(without.remove(culprit)));
                assert_eq!(check(&without, keyed), Verdict::Valid, "without what was planted: {}", told());
            }
        }
    }
}

const FEW: Mixture = Mixture { fail: 3, writes: 30, ..Mixture::of(10_000, 10) };
const MANY: Mixture = Mixture { processes: 30, ..FEW };

#[test]
fn in_the_crowd_where_values_do_not_repeat() {
    let mixtures = [
        FEW,
        MANY,
        Mixture { cas: 30, ..FEW },
        Mixture { cas: 30, ..MANY },
        Mixture { cas: 30, info: 5, ..FEW },
        Mixture { cas: 30, info: 5, ..MANY },
        Mixture { cas: 30, info: 5, keys: 10, ..MANY },
        Mixture { cas: 30, skewed: true, ..MANY },
    ];
    is_found(&mixtures, in_the_crowd);
}

#[test]
fn at_a_quiet_moment_where_values_do_not_repeat() {
    is_found(&[Mixture { cas: 30, ..FEW }, Mixture { cas: 30, info: 5, ..MANY }], at_a_quiet_moment);
}

#[test]
fn at_a_quiet_moment_among_five_values() {
    let few = Mixture { values: Some(5), ..FEW };
    let mixtures = [
        few,
        Mixture { cas: 30, ..few },
        Mixture { cas: 30, info: 1, ..few },
        Mixture { cas: 30, info: 5, keys: 20, ..few },
        Mixture { cas: 30, processes: 30, keys: 5, ..few },
    ];
    is_found(&mixtures, at_a_quiet_moment);
}

#[test]
fn at_a_quiet_moment_among_five_values_of_thirty_clients() {
    is_found(&[Mixture { values: Some(5), ..MANY }], at_a_quiet_moment);
}

#[test]
fn at_a_quiet_moment_among_five_values_and_compare_and_set_of_thirty_clients() {
    is_found(&[Mixture { values: Some(5), cas: 30, ..MANY }], at_a_quiet_moment);
}

#[test]
fn at_a_quiet_moment_among_a_thousand_values() {
    let few = Mixture { values: Some(1_000), ..FEW };
    let mixtures = [
        few,
        Mixture { cas: 30, ..few },
        Mixture { cas: 30, info: 2, ..few },
        Mixture { cas: 30, processes: 30, ..few },
        Mixture { cas: 30, info: 5, keys: 20, processes: 30, ..few },
    ];
    is_found(&mixtures, at_a_quiet_moment);
}
