//! Totals and accounts.

use shakedown_checkers::Value;
use shakedown_checkers::invariants::{self, Invariant, Options};

use super::definition::{agrees_with_the_definition, collect};
use super::histories::{Chance, Op, int, number, sequence};

/// What the operations of a small history do.
pub fn fill(chance: &mut Chance, ops: &mut [Op]) {
    for op in ops {
        op.function = if chance.one_in(3) { "transfer" } else { "read" };
        let first = chance.below(4) as i64 * 5 - 3 * i64::from(chance.one_in(9));
        let second = 10 - first + i64::from(chance.one_in(9));
        let mut balances = vec![(number(0), Value::Int(first)), (number(1), Value::Int(second))];
        match chance.below(20) {
            0 => balances[1].1 = Value::Nil,
            1 => drop(balances.pop()),
            2 => balances.push((number(2), number(0))),
            // As where accounts go away when they are empty.
            3..=5 => balances.retain(|(_, balance)| *balance != number(0)),
            _ => {}
        }
        if op.function == "read" {
            op.result = Value::Map(balances.into_boxed_slice());
        }
    }
}

#[test]
fn bank_totals_are_as_defined() {
    let accounts = Some(vec![number(0), number(1)]);
    let options = [
        Options::default(),
        Options { total: Some(10), ..Options::default() },
        Options { negative_balances: true, accounts, ..Options::default() },
    ];
    agrees_with_the_definition(Invariant::Bank, &options, fill, |ops, options| {
        let reads: Vec<Vec<(Value, Option<i64>)>> = ops
            .iter()
            .filter(|op| op.is("read"))
            .map(|op| match &op.result {
                Value::Map(entries) => entries.iter().map(|(name, value)| (name.clone(), int(value))).collect(),
                _ => Vec::new(),
            })
            .collect();
        let whole = reads.iter().filter(|read| read.iter().all(|(_, balance)| balance.is_some()));
        let totals: Vec<i64> = whole.map(|read| read.iter().filter_map(|(_, balance)| *balance).sum()).collect();
        let names = |read: &Vec<(Value, Option<i64>)>| read.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        let sets: Vec<Vec<Value>> = reads.iter().map(names).collect();
        // Of all sets that reads show, the most frequent, and of these the first: the last of the maxima, from the end.
        let usual = sets.iter().rev().max_by_key(|set| sets.iter().filter(|other| other == set).count());
        let stay = options.accounts.is_some() || reads.iter().flatten().any(|(_, balance)| *balance == Some(0));
        let expected = options.accounts.as_ref().or(usual);
        collect([
            ("nil-balance", reads.iter().flatten().any(|(_, balance)| balance.is_none())),
            (
                "negative-value",
                !options.negative_balances && reads.iter().flatten().any(|(_, b)| b.is_some_and(|b| b < 0)),
            ),
            ("wrong-total", totals.iter().any(|total| *total != options.total.unwrap_or(totals[0]))),
            ("different-accounts", stay && sets.iter().any(|set| Some(set) != expected)),
        ])
    });
}

fn told(reads: &[&[(usize, i64)]], options: &Options) -> Vec<(&'static str, String)> {
    let read = |balances: &&[(usize, i64)]| {
        let balances = balances.iter().map(|(account, balance)| (number(*account), Value::Int(*balance)));
        ("read", Value::Nil, Value::Map(balances.collect()))
    };
    let history = sequence(&reads.iter().map(read).collect::<Vec<_>>());
    let verdict = invariants::check(&history, Invariant::Bank, options).expect("it is a bank");
    verdict.anomalies().iter().map(|anomaly| (anomaly.name, anomaly.sentence.clone())).collect()
}

#[test]
fn it_is_told_which_read_broke_the_total_and_by_how_much() {
    let reads: [&[_]; 4] = [&[(0, 5), (1, 5)], &[(0, 4), (1, 5)], &[(0, 5), (1, 5)], &[(0, 15), (1, 5)]];
    let (name, sentence) = &told(&reads, &Options::default())[0];
    assert_eq!(*name, "wrong-total");
    let expected = "process 1 read the accounts at 0.000 s, and they held 9 together, 1 less than process 0 found at 0.000 s; the same \
                    is true of 1 more read; the worst is that of process 3 at 0.000 s: 20 together, 10 more";
    assert_eq!(sentence, expected);
    let given = &told(&reads[..2], &Options { total: Some(9), ..Options::default() })[0].1;
    assert!(given.ends_with("they held 10 together, 1 more than the 9 there are"), "{given}");
}

#[test]
fn balances_near_the_largest_number_add_up() {
    let reads: [&[_]; 2] = [&[(0, i64::MAX), (1, i64::MAX)], &[(0, i64::MAX), (1, i64::MAX - 1)]];
    assert_eq!(told(&reads, &Options::default())[0].0, "wrong-total");
    assert_eq!(told(&reads[..1], &Options::default()), []);
    let sums: [&[_]; 2] = [&[(0, i64::MIN), (1, -1)], &[(0, i64::MAX), (1, 0)]];
    let options = Options { negative_balances: true, ..Options::default() };
    assert_eq!(told(&sums, &options)[0].0, "wrong-total", "the sum of the first does not wrap round to the second");
}

#[test]
fn an_account_may_be_missing_where_accounts_go_away_when_they_are_empty() {
    let reads: [&[_]; 3] = [&[(0, 5), (1, 5)], &[(0, 10)], &[(0, 4), (1, 6)]];
    assert_eq!(told(&reads, &Options::default()), []);
    let empty: [&[_]; 4] = [reads[0], reads[1], reads[2], &[(0, 0), (1, 10)]];
    let (name, sentence) = &told(&empty, &Options::default())[0];
    assert_eq!(*name, "different-accounts");
    assert!(sentence.contains("account 1 was missing, where process 3 found it"), "{sentence}");
    let given = Options { accounts: Some(vec![number(0), number(1)]), ..Options::default() };
    assert_eq!(told(&reads, &given)[0].0, "different-accounts");
}
