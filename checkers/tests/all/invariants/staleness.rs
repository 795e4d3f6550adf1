//! How far reads are behind.

use shakedown_checkers::Value;
use shakedown_checkers::invariants::{self, Invariant, Options, staleness};

use super::definition::{agrees_with_the_definition, collect};
use super::histories::{Chance, Op, histories, history, intervals, number, sequence};

/// Writes of 0, 1, 2 …, and reads of what was written lately.
pub fn fill(chance: &mut Chance, ops: &mut [Op]) {
    let mut written = 0;
    for op in ops {
        if chance.one_in(2) {
            op.function = "write";
            op.argument = number(written);
            op.result = op.argument.clone();
            written += 1;
        } else {
            op.function = "read";
            let back = chance.below(4) / 2;
            op.result = if written > back { number(written - 1 - back) } else { Value::Nil };
        }
    }
}

/// By how many versions, and for how long, a read is behind; `None` if nobody wrote what it read.
fn behind(ops: &[Op], read: &Op) -> Option<(u64, u64)> {
    let writes = |op: &&Op| op.function == "write" && op.may_have_happened();
    let source = ops.iter().filter(writes).find(|write| write.argument == read.result);
    let settled = match source {
        None if read.result == Value::Nil => None,
        None => return None,
        Some(source) => {
            let acknowledged = Some(source).filter(|source| source.happened());
            let readers = ops.iter().filter(|op| op.is("read") && op.result == read.result);
            acknowledged.into_iter().chain(readers).map(|op| op.completed).min()
        }
    };
    let newer = ops.iter().filter(|op| op.is("write") && Some(op.invoked) > settled && op.completed < read.invoked);
    let ends: Vec<u32> = newer.map(|write| write.completed).collect();
    let since = ends.iter().min().map_or(0, |first| u64::from(read.invoked - first) * 10);
    Some((ends.len() as u64, since))
}

#[test]
fn staleness_is_bounded_as_defined() {
    let options = [
        Options { max_versions: Some(0), ..Options::default() },
        Options { max_versions: Some(1), ..Options::default() },
        Options { max_nanoseconds: Some(30), ..Options::default() },
    ];
    agrees_with_the_definition(Invariant::Staleness, &options, fill, |ops, options| {
        let all: Vec<(u64, u64)> = ops.iter().filter(|op| op.is("read")).filter_map(|read| behind(ops, read)).collect();
        let over = |(versions, time): &(u64, u64)| {
            options.max_versions.is_some_and(|most| *versions > most)
                || options.max_nanoseconds.is_some_and(|most| *time > most)
        };
        collect([("stale-read", all.iter().any(over))])
    });
}

#[test]
fn staleness_is_measured_as_defined() {
    for seed in 0..histories() {
        let mut chance = Chance::of(seed);
        let mut ops = intervals(&mut chance);
        fill(&mut chance, &mut ops);
        let reads = ops.iter().filter(|op| op.is("read"));
        let (mut versions, mut times): (Vec<u64>, Vec<u64>) = reads.filter_map(|read| behind(&ops, read)).unzip();
        versions.sort_unstable();
        times.sort_unstable();
        let measured = staleness::measure(&history(&ops)).expect("values are distinct");
        assert_eq!(measured.versions.samples(), versions, "seed {seed}: {ops:#?}");
        assert_eq!(measured.nanoseconds.samples(), times, "seed {seed}: {ops:#?}");
    }
}

#[test]
fn a_read_is_told_with_versions_and_time_once() {
    let ops = [("write", number(1), number(1)), ("write", number(2), number(2)), ("read", Value::Nil, number(1))];
    let options = Options { max_versions: Some(0), max_nanoseconds: Some(0), ..Options::default() };
    let report = invariants::judge(&sequence(&ops), Invariant::Staleness, &options).expect("it fits");
    let [stale] = report.verdict.anomalies() else { panic!("{report:?}") };
    let sentence = "process 2 read 1 at 0.000 s, 1 version and 0.000 s behind: process 1 had completed the first newer write, of 2, at 0.000 s";
    assert_eq!(stale.sentence, sentence);
    let names: Vec<&str> = report.figures.iter().map(|(name, _)| *name).collect();
    let expected = [
        "reads",
        "stale",
        "unwritten",
        "versions-p50",
        "versions-p90",
        "versions-p99",
        "versions-max",
        "time-p50-ns",
        "time-p90-ns",
        "time-p99-ns",
        "time-max-ns",
    ];
    assert_eq!(names, expected);
}

#[test]
fn what_registers_hold_at_first_may_be_given() {
    let ops = [("read", Value::Nil, number(0)), ("write", number(1), number(1)), ("read", Value::Nil, number(0))];
    let judged = |initial| {
        let options = Options { initial, max_versions: Some(0), ..Options::default() };
        invariants::check(&sequence(&ops), Invariant::Staleness, &options).expect("it fits").word()
    };
    assert_eq!((judged(Some(0)), judged(None)), ("invalid", "unknown"));
}
