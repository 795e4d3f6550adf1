//! Small random histories of transactions, on stores that are more or less isolated.

use shakedown_checkers::Outcome;
use shakedown_checkers::transactions::Workload;

/// Numbers that look random (SplitMix64).
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

pub const KEYS: usize = 3;
pub type Store = [Vec<i64>; KEYS];

#[derive(Clone, Debug)]
pub struct Micro {
    pub key: usize,
    /// Nothing for a read.
    pub written: Option<i64>,
    /// What a read saw.
    pub seen: Vec<i64>,
}

#[derive(Clone, Debug)]
pub struct Txn {
    pub process: usize,
    pub invoked: usize,
    pub completed: usize,
    pub outcome: Outcome,
    pub micro: Vec<Micro>,
}

/// Runs a transaction on a store: the reads, and what it leaves.
pub fn run(workload: Workload, micro: &[Micro], store: &mut Store) -> Vec<Vec<i64>> {
    let mut seen = Vec::new();
    for micro in micro {
        let object = &mut store[micro.key];
        match micro.written {
            Some(value) if workload == Workload::ListAppend => object.push(value),
            Some(value) => *object = vec![value],
            None => seen.push(object.clone()),
        }
    }
    seen
}

/// How a store isolates transactions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Each at once.
    Serial,
    /// On the state of its begin.
    Begin,
    /// Each micro-operation by itself.
    Micro,
    /// On a random earlier state.
    Past,
    /// Each key in a random earlier state.
    PastKeys,
    /// On what some of the earlier ones wrote: any, those that they saw too, or all before those; and perhaps all that wrote the same keys.
    Visible { closure: usize, updates: bool },
}

/// What was committed: what each wrote in the order of commits, the state after it, and what it saw.
#[derive(Default)]
struct Committed(Vec<(u32, Store, u64)>);

impl Committed {
    fn snapshot(&self, chance: &mut Chance, written: u32, closure: usize, updates: bool) -> (Store, u64) {
        let mut visible = chance.below(1 << self.0.len().min(16)) as u64;
        loop {
            let before = visible;
            for (at, (keys, _, saw)) in self.0.iter().enumerate() {
                if updates && keys & written != 0 {
                    visible |= 1 << at;
                }
                if visible & 1 << at != 0 {
                    visible |= [0, *saw, (1 << at) - 1][closure];
                }
            }
            if visible == before {
                break;
            }
        }
        let mut store = Store::default();
        for (at, (keys, after, _)) in self.0.iter().enumerate().filter(|(at, _)| visible & 1 << at != 0) {
            let _ = at;
            (0..KEYS).filter(|key| keys & 1 << key != 0).for_each(|key| store[key].clone_from(&after[key]));
        }
        (store, visible)
    }
}

fn keys_written(micro: &[Micro]) -> u32 {
    micro.iter().filter(|micro| micro.written.is_some()).fold(0, |keys, micro| keys | 1 << micro.key)
}

/// A history of some processes; `largest` is how many transactions there may be.
pub fn generate(workload: Workload, seed: u64, largest: usize) -> Vec<Txn> {
    let mut chance = Chance(seed);
    let style = match chance.below(10) {
        0 => Style::Serial,
        1 => Style::Begin,
        2 => Style::Micro,
        3 => Style::Past,
        4 => Style::PastKeys,
        _ => Style::Visible { closure: chance.below(3), updates: chance.below(2) == 0 },
    };
    let (processes, count) = (2 + chance.below(3), 3 + chance.below(largest - 3));
    let (keys, most) = (2 + chance.below(2), 2 + chance.below(3));
    // Transactions of any kind, of single writes and of many reads, or of reads and then one write.
    let kind = chance.below(4);
    let is_read_at_the_end = chance.below(4) != 0;
    let (mut failed, mut crashed) = (1, 2);
    if chance.below(2) == 0 {
        (failed, crashed) = (0, 0);
    }
    let mut store: Store = Default::default();
    let mut past = vec![store.clone()];
    let mut committed = Committed::default();
    let mut txns: Vec<Txn> = Vec::new();
    // By process: the open transaction, its snapshot, and how far it is.
    let mut open: Vec<Option<(usize, Store, usize)>> = vec![None; processes];
    let mut names: Vec<usize> = (0..processes).collect();
    let (mut event, mut value) = (0, 0);
    while txns.len() < count || open.iter().any(Option::is_some) {
        let p = chance.below(processes);
        let Some((at, mut snapshot, step)) = open[p].take() else {
            if txns.len() < count {
                let micro = (0..1 + chance.below(most)).map(|_| {
                    let written = (chance.below(2) == 0).then(|| {
                        value += 1;
                        value
                    });
                    Micro { key: chance.below(keys), written, seen: Vec::new() }
                });
                let mut micro: Vec<Micro> = micro.collect();
                if kind >= 2 {
                    let begin = chance.below(keys);
                    let reads =
                        (0..keys).map(|key| Micro { key: (begin + key) % keys, written: None, seen: Vec::new() });
                    let reads: Vec<Micro> = reads.take(2 + chance.below(2)).collect();
                    micro.retain(|micro| micro.written.is_some());
                    micro.truncate(1 + chance.below(2));
                    micro = match kind {
                        2 if chance.below(2) == 0 && !micro.is_empty() => micro,
                        2 => reads,
                        _ => [reads, micro].concat(),
                    };
                }
                let mut snapshot = store.clone();
                match style {
                    Style::Past => snapshot.clone_from(&past[chance.below(past.len())]),
                    Style::PastKeys => {
                        (0..keys).for_each(|key| snapshot[key].clone_from(&past[chance.below(past.len())][key]));
                    }
                    _ => {}
                }
                let (outcome, process) = (Outcome::Ok, names[p]);
                txns.push(Txn { process, invoked: event, completed: usize::MAX, outcome, micro });
                open[p] = Some((txns.len() - 1, snapshot, 0));
                event += 1;
            }
            continue;
        };
        let micro = &mut txns[at].micro;
        let steps = if style == Style::Micro { micro.len() } else { 1 };
        if step < steps {
            if style == Style::Micro {
                let seen = run(workload, &micro[step..=step], &mut store);
                seen.into_iter().for_each(|seen| micro[step].seen = seen);
            } else {
                let mut saw = 0;
                if let Style::Visible { closure, updates } = style {
                    (snapshot, saw) = committed.snapshot(&mut chance, keys_written(micro), closure, updates);
                }
                let seen = if style == Style::Serial {
                    run(workload, micro, &mut store)
                } else {
                    let seen = run(workload, micro, &mut snapshot);
                    run(workload, micro, &mut store);
                    seen
                };
                committed.0.push((keys_written(micro), store.clone(), saw));
                let mut seen = seen.into_iter();
                for micro in micro.iter_mut().filter(|micro| micro.written.is_none()) {
                    micro.seen = seen.next().expect("each read saw something");
                }
            }
            past.push(store.clone());
            open[p] = Some((at, snapshot, step + 1));
            continue;
        }
        txns[at].outcome = match chance.below(20) {
            n if n < failed => Outcome::Fail,
            n if n < failed + crashed => Outcome::Info,
            _ => Outcome::Ok,
        };
        txns[at].completed = event;
        event += 1;
        if txns[at].outcome == Outcome::Info {
            names[p] += processes;
        }
    }
    if is_read_at_the_end {
        let micro = (0..keys).map(|key| Micro { key, written: None, seen: store[key].clone() }).collect();
        let process = names[0] + 10 * processes;
        txns.push(Txn { process, invoked: event, completed: event + 1, outcome: Outcome::Ok, micro });
    }
    txns
}

/// The history in Jepsen's JSON.
pub fn text(workload: Workload, txns: &[Txn]) -> String {
    let mut lines = Vec::new();
    for txn in txns {
        let value = |is_known: bool| {
            let micro = txn.micro.iter().map(|micro| match micro.written {
                Some(value) if workload == Workload::ListAppend => format!("[\"append\",{},{value}]", micro.key),
                Some(value) => format!("[\"w\",{},{value}]", micro.key),
                None if !is_known => format!("[\"r\",{},null]", micro.key),
                None if workload == Workload::ListAppend => format!("[\"r\",{},{:?}]", micro.key, micro.seen),
                None => match micro.seen.last() {
                    Some(value) => format!("[\"r\",{},{value}]", micro.key),
                    None => format!("[\"r\",{},null]", micro.key),
                },
            });
            format!("[{}]", micro.collect::<Vec<_>>().join(","))
        };
        let line = |kind: &str, value: String| {
            format!("{{\"process\":{},\"type\":\"{kind}\",\"f\":\"txn\",\"value\":{value}}}\n", txn.process)
        };
        lines.push((txn.invoked, line("invoke", value(false))));
        let (kind, is_known) = match txn.outcome {
            Outcome::Ok => ("ok", true),
            Outcome::Fail => ("fail", false),
            Outcome::Info => ("info", false),
        };
        lines.push((txn.completed, line(kind, value(is_known))));
    }
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

/// Whether the reads tell the place of each write: then nothing can be missed.
pub fn is_told(txns: &[Txn]) -> bool {
    let reads = || txns.iter().filter(|txn| txn.outcome == Outcome::Ok).flat_map(|txn| &txn.micro);
    let writes = txns.iter().filter(|txn| txn.outcome == Outcome::Ok).flat_map(|txn| &txn.micro);
    writes.filter_map(|micro| micro.written).all(|value| reads().any(|micro| micro.seen.contains(&value)))
}

/// The same with so many different values of a key.
pub fn repeated(mut txns: Vec<Txn>, values: i64) -> Vec<Txn> {
    for micro in txns.iter_mut().flat_map(|txn| &mut txn.micro) {
        micro.written.iter_mut().chain(&mut micro.seen).for_each(|value| *value = 1 + *value % values);
    }
    txns
}
