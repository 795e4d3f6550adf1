//! **Bank**: money moves between accounts, so every snapshot of all of them has the same total.
//!
//! ```text
//!   p0  ├─ transfer 5 from a to b ─┤
//!   p1      ├─ read a=5 b=0 ─┤                    forbidden: 5 of 10 are in neither account
//! ```
//!
//! *When to ask for it:* of stores that promise snapshots of several objects; it breaks under read skew and lost updates, and needs no
//! order of anything. Without a total that is given, it does not see money that is lost before the first read.
//!
//! *Method:* the sum of each read, held against the given total or else against the total of most reads. All reads must show the
//! same accounts: those that are given, or else those that most reads show. If they are not given, and no read ever shows a balance of
//! 0, accounts may go away when they are empty, and one that is missing counts as empty.
//! *Source:* `jepsen.tests.bank`, which has to be told total and accounts, and lets accounts be missing as long as the total is right.
//! *Cost:* linear in what is read.

use std::fmt;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::History;
use crate::history::{Operation, Outcome, Value};

use super::objects::{Object, anomaly, ended, objects, others};
use super::{Findings, Options};

pub(super) fn judge(history: &History, options: &Options) -> Findings {
    let mut findings = Findings::default();
    for object in objects(history) {
        judge_object(&object, options, &mut findings);
    }
    if findings.judged == 0 && !history.is_empty() {
        findings.undecided = Some("no read of the accounts succeeded".to_owned());
    }
    findings
}

/// Who holds money. Accounts that are numbers are the places of a list, too.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Account<'a> {
    Number(i64),
    Named(&'a Value),
}

impl<'a> Account<'a> {
    fn of(name: &'a Value) -> Account<'a> {
        match name {
            Value::Int(number) => Account::Number(*number),
            name => Account::Named(name),
        }
    }
}

impl fmt::Display for Account<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Account::Number(number) => number.fmt(f),
            Account::Named(name) => name.fmt(f),
        }
    }
}

/// The balances of a read: of a map, or of the accounts 0, 1, 2 … in a list. `None` for nil.
fn balances(read: Operation<'_>) -> impl Iterator<Item = (Account<'_>, Option<i64>)> {
    let (entries, items): (&[(Value, Value)], &[Value]) = match read.result() {
        Value::Map(entries) => (entries, &[]),
        Value::List(items) => (&[], items),
        _ => (&[], &[]),
    };
    let named = entries.iter().map(|(name, balance)| (Account::of(name), balance));
    let listed = (0..).map(Account::Number).zip(items);
    named.chain(listed).map(|(account, balance)| match balance {
        Value::Int(balance) => (account, Some(*balance)),
        _ => (account, None),
    })
}

/// A read of all accounts.
#[derive(Clone, Copy)]
struct Snapshot<'a> {
    read: Operation<'a>,
    /// `None` where a balance is unknown: then a total says nothing.
    total: Option<i128>,
    /// Which set of accounts it shows.
    accounts: usize,
}

/// What the reads of one bank show.
#[derive(Default)]
struct Snapshots<'a> {
    all: Vec<Snapshot<'a>>,
    /// Each set of accounts that some read shows, in the order of the first of these.
    accounts: Vec<Vec<Account<'a>>>,
    /// The first read with a balance of 0.
    empty: Option<Snapshot<'a>>,
    nil: Vec<(Operation<'a>, Account<'a>)>,
    negative: Vec<(Operation<'a>, Account<'a>, i64)>,
}

impl<'a> Snapshots<'a> {
    fn of(object: &Object<'a>) -> Snapshots<'a> {
        let mut found = Snapshots::default();
        let mut places: FxHashMap<Vec<Account<'a>>, usize> = FxHashMap::default();
        let mut last = 0;
        for read in object.completed("read").filter(|read| *read.result() != Value::Nil) {
            let like_last = found
                .accounts
                .get(last)
                .is_some_and(|known| balances(read).map(|(account, _)| account).eq(known.iter().copied()));
            if !like_last {
                let shown: Vec<Account<'a>> = balances(read).map(|(account, _)| account).collect();
                last = *places.entry(shown).or_insert_with_key(|shown| {
                    found.accounts.push(shown.clone());
                    found.accounts.len() - 1
                });
            }
            let total = balances(read).try_fold(0, |sum, (_, balance)| Some(sum + i128::from(balance?)));
            let snapshot = Snapshot { read, total, accounts: last };
            found.all.push(snapshot);
            if found.empty.is_none() && balances(read).any(|(_, balance)| balance == Some(0)) {
                found.empty = Some(snapshot);
            }
            found.nil.extend(balances(read).find(|(_, balance)| balance.is_none()).map(|(account, _)| (read, account)));
            let below = |(account, balance): (_, Option<i64>)| Some((read, account, balance.filter(|b| *b < 0)?));
            found.negative.extend(balances(read).find_map(below));
        }
        found
    }

    /// The first of the reads that agree with most others in this.
    fn usual<T: Copy + Eq + std::hash::Hash>(&self, of: impl Fn(&Snapshot<'a>) -> Option<T>) -> Option<Snapshot<'a>> {
        let mut votes: FxHashMap<T, (usize, usize)> = FxHashMap::default();
        for (at, which) in self.all.iter().enumerate().filter_map(|(at, read)| Some((at, of(read)?))) {
            votes.entry(which).or_insert((0, at)).0 += 1;
        }
        let (_, first) = votes.into_values().max_by_key(|(votes, first)| (*votes, usize::MAX - first))?;
        Some(self.all[first])
    }
}

fn judge_object(object: &Object<'_>, options: &Options, findings: &mut Findings) {
    let name = object.name();
    let snapshots = Snapshots::of(object);
    let said = |read: Operation<'_>| format!("process {} read the accounts{name} {}", read.process(), ended(read));
    findings.judged += snapshots.all.len();
    findings.count("reads", snapshots.all.len());
    findings.count("nil-balances", snapshots.nil.len());
    if let Some((read, account)) = snapshots.nil.first() {
        let rest = others(snapshots.nil.len(), "read");
        let sentence = format!("{}, and account {account} had no balance{rest}", said(*read));
        findings.anomalies.push(anomaly("nil-balance", [*read], sentence));
    }
    findings.count("negative-balances", snapshots.negative.len());
    if let (Some((read, account, balance)), false) = (snapshots.negative.first(), options.negative_balances) {
        let rest = others(snapshots.negative.len(), "read");
        let sentence = format!("{}, and account {account} held {balance}{rest}", said(*read));
        findings.anomalies.push(anomaly("negative-value", [*read], sentence));
    }
    judge_accounts(&snapshots, options, &said, findings);
    judge_totals(&snapshots, options, &said, findings);
}

fn judge_accounts<'a>(
    snapshots: &Snapshots<'a>,
    options: &'a Options,
    said: &dyn Fn(Operation<'a>) -> String,
    findings: &mut Findings,
) {
    let usual = snapshots.usual(|read| Some(read.accounts));
    let expected: FxHashSet<Account<'a>> = match (&options.accounts, usual) {
        (Some(given), _) => given.iter().map(Account::of).collect(),
        (None, Some(usual)) => snapshots.accounts[usual.accounts].iter().copied().collect(),
        (None, None) => return,
    };
    let differs = |shown: &Vec<Account<'a>>| {
        shown.len() != expected.len() || shown.iter().any(|account| !expected.contains(account))
    };
    let wrong: Vec<bool> = snapshots.accounts.iter().map(differs).collect();
    let all: Vec<&Snapshot<'a>> = snapshots.all.iter().filter(|read| wrong[read.accounts]).collect();
    let Some(first) = all.first().copied().copied() else { return };
    // A read with an empty account is half of the proof: nothing else shows that accounts stay when they are empty.
    let (read, witness) = match (&options.accounts, snapshots.empty, usual) {
        (Some(_), ..) => (first, None),
        (None, Some(empty), Some(usual)) if wrong[empty.accounts] => (empty, Some(usual.read)),
        (None, Some(empty), _) => (first, Some(empty.read)),
        (None, None, _) => return,
    };
    findings.count("different-accounts", all.len());
    let shown = &snapshots.accounts[read.accounts];
    let set: FxHashSet<Account<'a>> = shown.iter().copied().collect();
    let lacking = expected.iter().filter(|account| !set.contains(account)).min_by_key(|account| account.to_string());
    let strange = || shown.iter().find(|account| !expected.contains(account));
    let problem = match (lacking, strange()) {
        (Some(account), _) => format!("account {account} was missing"),
        (None, Some(account)) => format!("there was an account {account}"),
        (None, None) => return,
    };
    let against = match witness {
        Some(other) => {
            let verb = if lacking.is_some() { "found it" } else { "did not find it" };
            format!(", where process {} {verb} {}", other.process(), ended(other))
        }
        None => " against the accounts that are given".to_owned(),
    };
    let sentence = format!("{}, and {problem}{against}{}", said(read.read), others(all.len(), "read"));
    findings.anomalies.push(anomaly("different-accounts", [read.read].into_iter().chain(witness), sentence));
}

fn judge_totals<'a>(
    snapshots: &Snapshots<'a>,
    options: &Options,
    said: &dyn Fn(Operation<'a>) -> String,
    findings: &mut Findings,
) {
    let usual = snapshots.usual(|read| read.total);
    let (expected, witness) = match (options.total, usual) {
        (Some(given), _) => (i128::from(given), None),
        (None, Some(usual)) => (usual.total.unwrap_or_default(), Some(usual.read)),
        (None, None) => return,
    };
    let off = |read: &Snapshot<'a>| read.total.map_or(0, |total| total - expected);
    let wrong: Vec<&Snapshot<'a>> = snapshots.all.iter().filter(|read| off(read) != 0).collect();
    findings.count("wrong-totals", wrong.len());
    let Some(first) = wrong.first() else { return };
    let worst = wrong.iter().rev().max_by_key(|read| off(read).unsigned_abs()).unwrap_or(first);
    findings.at_least("off-by-max", u64::try_from(off(worst).unsigned_abs()).unwrap_or(u64::MAX));
    let by = |read: &Snapshot<'a>| {
        let (amount, how) = (off(read).unsigned_abs(), if off(read) < 0 { "less" } else { "more" });
        format!("{} together, {amount} {how}", expected + off(read))
    };
    let against = match witness {
        Some(other) => format!("than process {} found {}", other.process(), ended(other)),
        None => format!("than the {expected} there are"),
    };
    let rest = match wrong.len() {
        1 => String::new(),
        all => {
            let (process, ended) = (worst.read.process(), ended(worst.read));
            format!("{}; the worst is that of process {process} {ended}: {}", others(all, "read"), by(worst))
        }
    };
    let sentence = format!("{}, and they held {} {against}{rest}", said(first.read), by(first));
    findings.anomalies.push(anomaly("wrong-total", [first.read].into_iter().chain(witness), sentence));
}

pub(super) fn refuses(operation: Operation<'_>) -> Option<String> {
    if operation.function() != "read" || operation.outcome() != Outcome::Ok {
        return None;
    }
    let is_balance = |value: &Value| matches!(value, Value::Int(_) | Value::Nil);
    let fine = match operation.result() {
        Value::Nil => true,
        Value::Map(entries) => entries.iter().all(|(_, balance)| is_balance(balance)),
        Value::List(items) => items.iter().all(is_balance),
        _ => false,
    };
    (!fine).then(|| format!("expected a map of accounts to whole numbers as its result, found {}", operation.result()))
}
