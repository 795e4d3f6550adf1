//! **Bank**: money moves between accounts, so every snapshot of all of them has the same total.
//!
//! ```text
//!   p0  ├─ transfer 5 from a to b ─┤
//!   p1      ├─ read a=5 b=0 ─┤                    forbidden: 5 of 10 are in neither account
//! ```
//!
//! *When to ask for it:* of stores that promise snapshots of several objects; it breaks under read skew and lost updates, and needs no
//! order of anything.
//!
//! *Method:* the sum of each read, held against the given total or else against the total of most reads. An account that no
//! account list asks for and no read shows counts as empty. *Source:* `jepsen.tests.bank`. *Cost:* linear.

use rustc_hash::FxHashMap;

use crate::History;
use crate::history::{Operation, Outcome, Value};

use super::objects::{Object, anomaly, ended, objects, others};
use super::{Findings, Options};

pub(super) fn judge(history: &History, options: &Options) -> Findings {
    let mut findings = Findings::default();
    for object in objects(history) {
        let reads: Vec<(Operation<'_>, Balances<'_>)> =
            object.completed("read").filter_map(|read| Some((read, balances(read.result())?))).collect();
        findings.count("reads", reads.len());
        judge_reads(&object, &reads, options, &mut findings);
    }
    if findings.figures.iter().all(|(_, count)| *count == 0) && !history.is_empty() {
        findings.undecided = Some("no read of the accounts succeeded".to_owned());
    }
    findings
}

/// Each account with its balance; `None` for nil.
type Balances<'a> = Vec<(Value, Option<i64>)>;

/// The accounts of a read: a map, or the balances of the accounts 0, 1, 2 … in a list. `None` if nothing was recorded.
fn balances(result: &Value) -> Option<Vec<(Value, Option<i64>)>> {
    let number = |value: &Value| match value {
        Value::Int(number) => Some(*number),
        _ => None,
    };
    match result {
        Value::Map(entries) => Some(entries.iter().map(|(name, value)| (name.clone(), number(value))).collect()),
        Value::List(items) => {
            Some(items.iter().enumerate().map(|(at, value)| (Value::Int(at as i64), number(value))).collect())
        }
        _ => None,
    }
}

fn judge_reads(
    object: &Object<'_>,
    reads: &[(Operation<'_>, Balances<'_>)],
    options: &Options,
    findings: &mut Findings,
) {
    let name = object.name();
    let mut found = |kind, wrong: &[usize], proof: Vec<Operation<'_>>, sentence: String| {
        findings.anomalies.push(anomaly(kind, proof, sentence + &others(wrong.len(), "read")));
    };
    let wrong = |is_wrong: &dyn Fn(&Balances<'_>) -> bool| -> Vec<usize> {
        (0..reads.len()).filter(|&at| is_wrong(&reads[at].1)).collect()
    };
    let said = |read: Operation<'_>| format!("process {} read the accounts{name} {}", read.process(), ended(read));

    let nil = wrong(&|accounts| accounts.iter().any(|(_, balance)| balance.is_none()));
    if let Some(&first) = nil.first() {
        let (read, accounts) = &reads[first];
        let account = accounts.iter().find(|(_, balance)| balance.is_none()).map(|(account, _)| account);
        let account = account.expect("it was found to be there");
        found("nil-balance", &nil, vec![*read], format!("{}, and account {account} had no balance", said(*read)));
    }
    if let Some(expected) = &options.accounts {
        let lacks = |accounts: &Balances<'_>| {
            expected.iter().find(|wanted| !accounts.iter().any(|(name, _)| name == *wanted)).cloned()
        };
        let extra = |accounts: &Balances<'_>| {
            accounts.iter().find(|(name, _)| !expected.contains(name)).map(|(name, _)| name.clone())
        };
        for (kind, verb, which) in [
            ("missing-account", "was missing", &lacks as &dyn Fn(&Balances<'_>) -> Option<Value>),
            ("unexpected-account", "is none that there should be", &extra),
        ] {
            let all = wrong(&|accounts| which(accounts).is_some());
            if let Some((read, account)) = all.first().and_then(|&at| Some((reads[at].0, which(&reads[at].1)?))) {
                found(kind, &all, vec![read], format!("{}, and account {account} {verb}", said(read)));
            }
        }
    }
    let overdrawn =
        |accounts: &Balances<'_>| accounts.iter().find_map(|(n, b)| b.filter(|b| *b < 0).map(|b| (n.clone(), b)));
    if !options.negative_balances {
        let all = wrong(&|accounts| overdrawn(accounts).is_some());
        if let Some((read, (account, balance))) =
            all.first().and_then(|&at| Some((reads[at].0, overdrawn(&reads[at].1)?)))
        {
            found("negative-value", &all, vec![read], format!("{}, and account {account} held {balance}", said(read)));
        }
    }
    let total = |accounts: &Balances<'_>| -> i128 { accounts.iter().filter_map(|(_, b)| *b).map(i128::from).sum() };
    // A total says nothing where a balance is unknown.
    let whole = |accounts: &Balances<'_>| accounts.iter().all(|(_, balance)| balance.is_some());
    let Some((expected, witness)) = expected_total(reads, options, &total, &whole) else { return };
    let all = wrong(&|accounts| whole(accounts) && total(accounts) != expected);
    if let Some(&first) = all.first() {
        let (read, accounts) = &reads[first];
        let against = match witness {
            Some(other) => format!("where process {} saw {expected} {}", other.process(), ended(other)),
            None => format!("where there are {expected}"),
        };
        let sentence = format!("{}, and they held {} together, {against}", said(*read), total(accounts));
        found("wrong-total", &all, [Some(*read), witness].into_iter().flatten().collect(), sentence);
    }
}

/// What the accounts hold together, and which read says so if it was not given.
fn expected_total<'a>(
    reads: &[(Operation<'a>, Balances<'_>)],
    options: &Options,
    total: &dyn Fn(&Balances<'_>) -> i128,
    whole: &dyn Fn(&Balances<'_>) -> bool,
) -> Option<(i128, Option<Operation<'a>>)> {
    if let Some(given) = options.total {
        return Some((given.into(), None));
    }
    let mut votes: FxHashMap<i128, (usize, usize)> = FxHashMap::default();
    for (at, (_, accounts)) in reads.iter().enumerate().filter(|(_, (_, accounts))| whole(accounts)) {
        votes.entry(total(accounts)).or_insert((0, at)).0 += 1;
    }
    // Of equals, the one that was seen first.
    let (total, (_, first)) = votes.into_iter().max_by_key(|(_, (votes, first))| (*votes, usize::MAX - first))?;
    Some((total, Some(reads[first].0)))
}

pub(super) fn refuses(operation: Operation<'_>) -> Option<String> {
    if operation.function() != "read" || operation.outcome() != Outcome::Ok {
        return None;
    }
    let numbers = |mut values: Box<dyn Iterator<Item = &Value> + '_>| {
        values.all(|value| matches!(value, Value::Int(_) | Value::Nil))
    };
    let fine = match operation.result() {
        Value::Nil => true,
        Value::Map(entries) => numbers(Box::new(entries.iter().map(|(_, value)| value))),
        Value::List(items) => numbers(Box::new(items.iter())),
        _ => false,
    };
    (!fine).then(|| format!("expected a map of accounts to whole numbers as its result, found {}", operation.result()))
}
