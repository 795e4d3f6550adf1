//! What breaks things: it begins and ends each fault of the plan at its moment.
//!
//! A fault of the network is a rule that the fabric asks about every message; all others are actions on processes, disks and clocks. Faults
//! stack: each begins and ends by itself, and what one does no other undoes.

use std::collections::{BTreeMap, BTreeSet};

use shakedown_results::FaultRecord;
use shakedown_systems::door::Command;

use crate::faults::{ClockFault, Cluster, DiskFault, DiskLoss, Effect, FaultKind, LinkRule};
use crate::plan::{Fault, LASTING_MS, Moment};
use crate::simulation::ground::Host;

mod links;

use links::ActiveRule;

/// What is to be done to the machines.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The process dies, and its disk may lose something.
    Stop {
        /// Whose.
        node: Host,
        /// What of its disk is lost.
        loss: DiskLoss,
        /// Which fault does it.
        fault: u32,
    },
    /// The process begins again.
    Start {
        /// Whose.
        node: Host,
    },
    /// The process stands still, or goes on.
    Pause {
        /// Whose.
        node: Host,
        /// Whether it stands still.
        still: bool,
    },
    /// The disk does what it should not; without a fault, it stops doing so.
    Disk {
        /// Whose.
        node: Host,
        /// Which fault does it.
        fault: u32,
        /// What it does.
        what: Option<DiskFault>,
    },
    /// The clock is moved, in nanoseconds.
    MoveClock {
        /// Whose.
        node: Host,
        /// By how much.
        by: i64,
    },
    /// The clock runs so many times as fast as it did.
    SpeedClock {
        /// Whose.
        node: Host,
        /// How many times.
        factor: f64,
    },
    /// All clients begin new sessions.
    Churn,
    /// An operator asks for something.
    Operate {
        /// Which fault does it.
        fault: u32,
        /// What, and of which node.
        command: Command,
    },
    /// Something to write into the history.
    Note {
        /// `start-partition`, `stop-partition`.
        function: String,
        /// In words.
        value: String,
    },
}

/// All faults of a plan, and where each stands.
pub struct Nemesis {
    cluster: Cluster,
    faults: Vec<ActiveFault>,
    rules: Vec<ActiveRule>,
    /// How many faults hold each node down.
    down: Vec<u32>,
    /// How many faults hold each node still.
    still: Vec<u32>,
    /// How many faults hold each node's clock, and since when.
    frozen: Vec<(u32, u64)>,
    /// Processes that gave up over a fault that was just over: they begin again.
    begins_again: Vec<Host>,
    /// The nodes that are healed, once healing has begun.
    healed: Option<Vec<bool>>,
    /// The step.
    now: u64,
}

struct ActiveFault {
    plan: Fault,
    /// The moment, if it is known.
    due: Option<u64>,
    /// How often its event has been seen.
    seen: u32,
    began: Option<u64>,
    ended: Option<u64>,
    /// What it does, while it does.
    effect: Option<Effect>,
    /// The nodes that it holds: down, still, or with a clock or disk that is wrong.
    held: Vec<Host>,
    /// The processes that gave up over it.
    gave_up: Vec<Host>,
    description: String,
    targets: Vec<String>,
    effects: BTreeMap<String, u64>,
    /// The nodes whose disks did what they should not.
    bitten: BTreeSet<Host>,
}

impl Nemesis {
    /// A nemesis with these faults before it.
    pub fn new(nodes: &[String], faults: &[Fault]) -> Nemesis {
        let cluster = Cluster { nodes: nodes.to_vec(), holders: BTreeMap::new() };
        let standing = |plan: &Fault| ActiveFault {
            due: match plan.begins {
                Moment::At { at_ms } => Some(at_ms),
                Moment::On { .. } => None,
            },
            plan: plan.clone(),
            seen: 0,
            began: None,
            ended: None,
            effect: None,
            held: Vec::new(),
            gave_up: Vec::new(),
            description: plan.fault.describe(&cluster),
            targets: Vec::new(),
            effects: BTreeMap::new(),
            bitten: BTreeSet::new(),
        };
        Nemesis {
            faults: faults.iter().map(standing).collect(),
            cluster,
            rules: Vec::new(),
            down: vec![0; nodes.len()],
            still: vec![0; nodes.len()],
            frozen: vec![(0, 0); nodes.len()],
            begins_again: Vec::new(),
            healed: None,
            now: 0,
        }
    }

    /// Takes note of what a node said: some faults wait for it, and some are aimed at the holder of a role.
    pub fn observe(&mut self, host: Host, event: &str, role: Option<&str>, epoch: Option<u64>, now: u64) {
        let holders = &mut self.cluster.holders;
        if matches!(event, "role" | "stopped") {
            holders.retain(|held, (_, holder)| *holder != host || event == "role" && role == Some(held));
        }
        if let ("role", Some(role), true) = (event, role, host < self.cluster.nodes.len()) {
            let epoch = epoch.unwrap_or(0);
            if holders.get(role).is_none_or(|(known, _)| epoch >= *known) {
                holders.insert(role.to_owned(), (epoch, host));
            }
        }
        for fault in self.faults.iter_mut().filter(|fault| fault.due.is_none()) {
            let Moment::On { on, node, nth, plus_ms } = &fault.plan.begins else { continue };
            let name = self.cluster.nodes.get(host);
            if on == event && (node.is_none() || node.as_ref() == name) {
                fault.seen += 1;
                if fault.seen == *nth {
                    fault.due = Some(now + plus_ms);
                }
            }
        }
    }

    /// Begins and ends what is due, and lets what comes and goes do so; tells what is to be done to the machines.
    pub fn advance(&mut self, now: u64) -> Vec<Action> {
        self.now = now;
        let mut actions = Vec::new();
        for node in std::mem::take(&mut self.begins_again) {
            self.let_up(node, &mut actions);
        }
        if self.healed.is_some() {
            return actions;
        }
        for at in 0..self.faults.len() {
            let fault = &self.faults[at];
            // A fault that is aimed at a role waits for somebody to hold it.
            let aimless = || fault.plan.fault.groups().into_iter().flatten().any(|name| !self.cluster.knows(name));
            if fault.began.is_none() && fault.due.is_some_and(|due| due <= now) && !aimless() {
                self.begin(at, &mut actions);
            }
            let fault = &self.faults[at];
            let Some(began) = fault.began.filter(|_| fault.ended.is_none()) else { continue };
            if began + fault.plan.lasts_ms <= now {
                self.end(at, &mut actions);
            } else {
                self.go_on(at, now - began, &mut actions);
            }
        }
        actions
    }

    /// Heals these nodes: nothing that only befalls others ends. What has not begun never does. Where nothing that is to last has begun, all
    /// nodes are healed: a leader that is sound but alone in having no client would lead for ever.
    pub fn heal(&mut self, healed: &[String], now: u64) -> Vec<Action> {
        self.now = now;
        let mut actions = Vec::new();
        let mask: Vec<bool> = self.cluster.nodes.iter().map(|name| healed.contains(name)).collect();
        let lasts = |fault: &ActiveFault| fault.began.is_some() && fault.plan.lasts_ms >= LASTING_MS;
        let mask = if self.faults.iter().any(lasts) { mask } else { vec![true; mask.len()] };
        let all = mask.iter().all(|healed| *healed);
        for at in 0..self.faults.len() {
            if self.faults[at].began.is_none() || self.faults[at].ended.is_some() {
                continue;
            }
            if all {
                self.end(at, &mut actions);
            } else {
                // Of the nodes that it holds, it lets go of those that are healed.
                let (free, kept) = self.faults[at].held.iter().partition(|node| mask[**node]);
                self.faults[at].held = kept;
                self.let_go(at, free, &mut actions);
            }
        }
        for (node, healed) in mask.iter().enumerate() {
            if *healed && self.down[node] > 0 {
                self.down[node] = 0;
                actions.push(Action::Start { node });
            }
        }
        if !all {
            // Clients leave the others alone: what those answer, nobody promised.
            let mut rows = self.cluster.rows();
            let clients = self.cluster.nodes.len();
            for (node, _) in mask.iter().enumerate().filter(|(_, healed)| !**healed) {
                rows[node] |= 1 << clients;
                rows[clients] |= 1 << node;
            }
            self.rules.push(ActiveRule { fault: u32::MAX, seed: 0, began: now, rule: LinkRule::Cut(rows) });
        }
        let value = if all { "all nodes".to_owned() } else { format!("only {}", healed.join(" ")) };
        actions.push(Action::Note { function: "heal".to_owned(), value });
        self.healed = Some(mask);
        actions
    }

    /// A process died by itself: it stays down until it is healed.
    pub fn died(&mut self, node: Host) {
        self.down[node] += 1;
    }

    /// A process gave up. Where a fault that its own disk has met explains it, that is right. It begins again when the fault ends, or at once if
    /// it has just ended; one whose data is damaged stays down.
    pub fn gave_up(&mut self, node: Host) -> bool {
        self.died(node);
        let now = self.now;
        let explains = |fault: &&mut ActiveFault| {
            let Effect::Disk { fault: what, .. } = fault.plan.fault.begin(&self.cluster) else { return false };
            let until = fault.ended.map(|ended| ended + AFTERMATH_MS);
            fault.bitten.contains(&node)
                && match what {
                    DiskFault::SlowSync(_) => false,
                    DiskFault::FailingSync(_) | DiskFault::Full => until.is_none_or(|until| now <= until),
                    DiskFault::LyingSync | DiskFault::Misread(_) | DiskFault::Rot(_) | DiskFault::LostEntry => true,
                }
        };
        let Some(fault) = self.faults.iter_mut().find(explains) else { return false };
        if fault.ended.is_none() {
            fault.gave_up.push(node);
        } else if !FaultKind::is_instant(fault.plan.fault.name()) {
            self.begins_again.push(node);
        }
        true
    }

    /// Adds to what a fault of a disk did to a node.
    pub fn bit(&mut self, node: Host, fault: u32, effect: &str, times: u64) {
        if let Some(active) = self.faults.iter_mut().find(|active| active.plan.id == fault) {
            active.bitten.insert(node);
        }
        self.felt(fault, effect, times);
    }

    /// Adds to what a fault did.
    pub fn felt(&mut self, fault: u32, effect: &str, times: u64) {
        count(&mut self.faults, fault, effect, times);
    }

    /// Where each fault stands. Times are in nanoseconds.
    pub fn records(&self) -> Vec<FaultRecord> {
        let nanoseconds = |time: Option<u64>| time.map(|milliseconds| milliseconds * 1_000_000);
        self.faults
            .iter()
            .map(|fault| FaultRecord {
                id: fault.plan.id,
                kind: fault.plan.fault.name().to_owned(),
                description: fault.description.clone(),
                targets: fault.targets.clone(),
                began: nanoseconds(fault.began),
                ended: nanoseconds(fault.ended),
                effects: fault.effects.clone(),
                operations: 0,
            })
            .collect()
    }

    fn begin(&mut self, at: usize, actions: &mut Vec<Action>) {
        let now = self.now;
        let Fault { id, seed, fault: kind, .. } = self.faults[at].plan.clone();
        let description = kind.describe(&self.cluster);
        let targets = kind.targets(&self.cluster).into_iter().map(|host| self.cluster.name(host)).collect();
        let effect = kind.begin(&self.cluster);
        let nodes: Vec<Host> = match &effect {
            Effect::Stop { nodes, .. }
            | Effect::Pause { nodes, .. }
            | Effect::Disk { nodes, .. }
            | Effect::Clock { nodes, .. } => nodes.clone(),
            Effect::Network(_) | Effect::Repeat { .. } | Effect::Rolling { .. } => Vec::new(),
            Effect::Churn | Effect::Operate { .. } => Vec::new(),
        };
        match &effect {
            Effect::Network(rule) => self.rules.push(ActiveRule { fault: id, seed, began: now, rule: rule.clone() }),
            Effect::Stop { nodes, loss } => nodes.iter().for_each(|&node| self.hold_down(node, *loss, id, actions)),
            Effect::Pause { nodes, .. } => nodes.iter().for_each(|&node| self.hold_still(node, actions)),
            Effect::Disk { nodes, fault } => {
                actions.extend(nodes.iter().map(|&node| Action::Disk { node, fault: id, what: Some(*fault) }));
            }
            Effect::Clock { nodes, fault } => {
                for &node in nodes {
                    match fault {
                        ClockFault::Jump(by) | ClockFault::Strobe(by, _) => {
                            actions.push(Action::MoveClock { node, by: by * MILLISECOND });
                        }
                        ClockFault::Drift(rate) => actions.push(Action::SpeedClock { node, factor: *rate }),
                        ClockFault::Freeze => self.hold_clock(node, actions),
                    }
                }
                if let ClockFault::Jump(by) | ClockFault::Strobe(by, _) = fault {
                    self.felt(id, "milliseconds of skew", by.unsigned_abs() * nodes.len() as u64);
                }
            }
            Effect::Churn => {
                actions.push(Action::Churn);
                self.felt(id, "sessions begun anew", 1);
            }
            Effect::Operate { command, nodes, .. } => {
                actions.push(Action::Operate { fault: id, command: Command { name: command, nodes: nodes.clone() } });
            }
            Effect::Repeat { .. } | Effect::Rolling { .. } => {}
        }
        actions.push(Action::Note { function: format!("start-{}", kind.name()), value: description.clone() });
        let fault = &mut self.faults[at];
        (fault.began, fault.held, fault.effect) = (Some(now), nodes, Some(effect));
        (fault.description, fault.targets) = (description, targets);
        self.go_on(at, 0, actions);
    }

    /// What comes and goes while a fault lasts, so many milliseconds after it began.
    fn go_on(&mut self, at: usize, since: u64, actions: &mut Vec<Action>) {
        let id = self.faults[at].plan.id;
        let Some(effect) = self.faults[at].effect.clone() else { return };
        match effect {
            Effect::Repeat { nodes, every_ms } if since.is_multiple_of(every_ms) => {
                for node in nodes {
                    self.hold_down(node, DiskLoss::Nothing, id, actions);
                    self.let_up(node, actions);
                }
            }
            Effect::Rolling { nodes, each_ms } if since.is_multiple_of(each_ms) => {
                for node in std::mem::take(&mut self.faults[at].held) {
                    self.let_up(node, actions);
                }
                if let Some(&node) = nodes.get((since / each_ms) as usize) {
                    self.hold_down(node, DiskLoss::Nothing, id, actions);
                    self.faults[at].held.push(node);
                }
            }
            Effect::Pause { nodes, rhythm_ms } => {
                if let Some((still, running)) = rhythm_ms {
                    match since % (still + running) {
                        0 if since > 0 => nodes.iter().for_each(|&node| self.hold_still(node, actions)),
                        phase if phase == still => nodes.iter().for_each(|&node| self.let_run(node, actions)),
                        _ => {}
                    }
                }
                let is_still = rhythm_ms.is_none_or(|(still, running)| since % (still + running) < still);
                self.felt(id, "milliseconds of standing still", if is_still { nodes.len() as u64 } else { 0 });
            }
            Effect::Clock { nodes, fault: ClockFault::Strobe(by, each_ms) }
                if since > 0 && since.is_multiple_of(each_ms) =>
            {
                let by = if (since / each_ms).is_multiple_of(2) { by } else { -by };
                actions.extend(nodes.iter().map(|&node| Action::MoveClock { node, by: by * MILLISECOND }));
                self.felt(id, "milliseconds of skew", by.unsigned_abs() * nodes.len() as u64);
            }
            _ => {}
        }
    }

    fn end(&mut self, at: usize, actions: &mut Vec<Action>) {
        let fault = &mut self.faults[at];
        fault.ended = Some(self.now);
        let (id, held, gave_up) = (fault.plan.id, std::mem::take(&mut fault.held), std::mem::take(&mut fault.gave_up));
        let (name, description) = (fault.plan.fault.name(), fault.description.clone());
        self.rules.retain(|active| active.fault != id);
        self.let_go(at, held, actions);
        for node in gave_up {
            self.let_up(node, actions);
        }
        if let Some(Effect::Operate { undo: Some((name, nodes)), .. }) = self.faults[at].effect.take() {
            actions.push(Action::Operate { fault: id, command: Command { name, nodes } });
        }
        actions.push(Action::Note { function: format!("stop-{name}"), value: description });
    }

    /// Undoes for these nodes what the fault does to them.
    fn let_go(&mut self, at: usize, nodes: Vec<Host>, actions: &mut Vec<Action>) {
        let ActiveFault { plan, effect, began, .. } = &self.faults[at];
        let (id, effect) = (plan.id, effect.clone());
        let since = self.now - began.unwrap_or(self.now);
        for node in nodes {
            match &effect {
                Some(Effect::Stop { .. } | Effect::Rolling { .. }) => self.let_up(node, actions),
                Some(Effect::Pause { rhythm_ms, .. }) => {
                    if rhythm_ms.is_none_or(|(still, running)| since == 0 || (since - 1) % (still + running) < still) {
                        self.let_run(node, actions);
                    }
                }
                Some(Effect::Disk { .. }) => actions.push(Action::Disk { node, fault: id, what: None }),
                Some(Effect::Clock { fault, .. }) => match *fault {
                    ClockFault::Jump(by) => actions.push(Action::MoveClock { node, by: -by * MILLISECOND }),
                    ClockFault::Strobe(by, each_ms) => {
                        if (since.saturating_sub(1) / each_ms).is_multiple_of(2) {
                            actions.push(Action::MoveClock { node, by: -by * MILLISECOND });
                        }
                    }
                    ClockFault::Drift(rate) => {
                        actions.push(Action::SpeedClock { node, factor: 1.0 / rate });
                        self.felt(id, "milliseconds of skew", ((rate - 1.0).abs() * since as f64) as u64);
                    }
                    ClockFault::Freeze => {
                        self.let_clock_run(node, actions);
                        self.felt(id, "milliseconds of skew", since);
                    }
                },
                Some(Effect::Network(_) | Effect::Repeat { .. } | Effect::Churn | Effect::Operate { .. }) | None => {}
            }
        }
    }

    fn hold_down(&mut self, node: Host, loss: DiskLoss, fault: u32, actions: &mut Vec<Action>) {
        if self.down[node] == 0 || loss != DiskLoss::Nothing {
            self.felt(fault, "processes stopped", u64::from(self.down[node] == 0));
            actions.push(Action::Stop { node, loss, fault });
        }
        self.down[node] += 1;
    }

    fn let_up(&mut self, node: Host, actions: &mut Vec<Action>) {
        if self.down[node] == 1 {
            actions.push(Action::Start { node });
        }
        self.down[node] = self.down[node].saturating_sub(1);
    }

    fn hold_still(&mut self, node: Host, actions: &mut Vec<Action>) {
        if self.still[node] == 0 {
            actions.push(Action::Pause { node, still: true });
        }
        self.still[node] += 1;
    }

    fn hold_clock(&mut self, node: Host, actions: &mut Vec<Action>) {
        let (holders, since) = &mut self.frozen[node];
        if *holders == 0 {
            *since = self.now;
            actions.push(Action::SpeedClock { node, factor: FROZEN });
        }
        *holders += 1;
    }

    /// A clock that nothing holds any more runs, and is right again.
    fn let_clock_run(&mut self, node: Host, actions: &mut Vec<Action>) {
        let (holders, since) = &mut self.frozen[node];
        if *holders == 1 {
            let stood = (self.now - *since) as i64 * MILLISECOND;
            actions.push(Action::SpeedClock { node, factor: 1.0 / FROZEN });
            actions.push(Action::MoveClock { node, by: stood });
        }
        *holders = holders.saturating_sub(1);
    }

    fn let_run(&mut self, node: Host, actions: &mut Vec<Action>) {
        if self.still[node] == 1 {
            actions.push(Action::Pause { node, still: false });
        }
        self.still[node] = self.still[node].saturating_sub(1);
    }
}

/// A sync that was under way when a fault ended may fail so much later.
const AFTERMATH_MS: u64 = 1_000;
/// In nanoseconds.
const MILLISECOND: i64 = 1_000_000;
/// How fast a clock runs that stands still: it must run.
const FROZEN: f64 = 1e-6;

fn count(faults: &mut [ActiveFault], id: u32, effect: &str, times: u64) {
    if times == 0 {
        return;
    }
    if let Some(fault) = faults.iter_mut().find(|fault| fault.plan.id == id) {
        match fault.effects.get_mut(effect) {
            Some(known) => *known += times,
            None => {
                fault.effects.insert(effect.to_owned(), times);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::{ClockFreeze, FailingSync, Kill, Loss, OneWay, Partition, Ring, SlowSync};
    use crate::simulation::ground::{Fate, LinkRules};

    fn nodes() -> Vec<String> {
        (1..=5).map(|n| format!("n{n}")).collect()
    }

    fn fault(id: u32, at_ms: u64, lasts_ms: u64, fault: FaultKind) -> Fault {
        Fault { id, seed: 7 + u64::from(id), begins: Moment::At { at_ms }, lasts_ms, fault }
    }

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    fn lost(nemesis: &mut Nemesis, from: Host, to: Host) -> bool {
        matches!(nemesis.fate(from, to, 0), Fate::Lost(_))
    }

    #[test]
    fn overlapping_partitions_end_each_by_itself() {
        let one = FaultKind::Partition(Partition { sides: vec![names(&["n1"]), names(&["n2", "n3", "n4", "n5"])] });
        let two = FaultKind::Partition(Partition { sides: vec![names(&["n1", "n2"]), names(&["n3", "n4", "n5"])] });
        let mut nemesis = Nemesis::new(&nodes(), &[fault(0, 10, 20, one), fault(1, 20, 20, two)]);
        nemesis.advance(10);
        assert!(lost(&mut nemesis, 0, 1) && !lost(&mut nemesis, 1, 2));
        nemesis.advance(20);
        assert!(lost(&mut nemesis, 0, 1) && lost(&mut nemesis, 1, 2) && !lost(&mut nemesis, 5, 0));
        nemesis.advance(30);
        assert!(!lost(&mut nemesis, 0, 1) && lost(&mut nemesis, 0, 2));
        nemesis.advance(40);
        assert!(!lost(&mut nemesis, 0, 2));
    }

    #[test]
    fn on_a_ring_every_node_hears_a_majority_but_no_two_the_same() {
        let mut nemesis = Nemesis::new(&nodes(), &[fault(0, 0, 9, FaultKind::Ring(Ring { order: nodes() }))]);
        nemesis.advance(0);
        let heard: Vec<Vec<Host>> =
            (0..5).map(|to| (0..5).filter(|&from| from == to || !lost(&mut nemesis, from, to)).collect()).collect();
        for (at, one) in heard.iter().enumerate() {
            assert_eq!(one.len(), 3);
            assert!(heard[..at].iter().all(|other| other != one));
        }
    }

    #[test]
    fn a_one_way_cut_leaves_the_way_back_open() {
        let cut = FaultKind::OneWay(OneWay { from: names(&["n1"]), to: names(&["n2"]) });
        let mut nemesis = Nemesis::new(&nodes(), &[fault(0, 0, 9, cut)]);
        nemesis.advance(0);
        assert!(lost(&mut nemesis, 0, 1) && !lost(&mut nemesis, 1, 0));
    }

    #[test]
    fn the_fate_of_a_message_depends_on_no_other() {
        let loss = || vec![fault(0, 0, 9, FaultKind::Loss(Loss { probability: 0.5 }))];
        let (mut one, mut two) = (Nemesis::new(&nodes(), &loss()), Nemesis::new(&nodes(), &loss()));
        one.advance(0);
        two.advance(0);
        two.fate(3, 4, 0);
        let fates = |nemesis: &mut Nemesis| (0..100).map(|n| nemesis.fate(0, 1, n)).collect::<Vec<_>>();
        let fates = (fates(&mut one), fates(&mut two));
        assert_eq!(fates.0, fates.1);
        let lost = fates.0.iter().filter(|fate| matches!(fate, Fate::Lost(_))).count();
        assert!((30..70).contains(&lost), "{lost} of 100");
    }

    #[test]
    fn a_fault_waits_for_its_event_and_finds_the_leader() {
        let kill = FaultKind::Kill(Kill { nodes: names(&["leader"]) });
        let begins = Moment::On { on: "elected".to_owned(), node: None, nth: 2, plus_ms: 5 };
        let mut nemesis = Nemesis::new(&nodes(), &[Fault { begins, ..fault(0, 0, 10, kill) }]);
        for (host, term, at) in [(2, 1, 100), (4, 2, 200)] {
            nemesis.observe(host, "role", Some("leader"), Some(term), at);
            nemesis.observe(host, "elected", None, Some(term), at);
        }
        assert!(nemesis.advance(204).is_empty());
        assert_eq!(nemesis.advance(205)[0], Action::Stop { node: 4, loss: DiskLoss::Nothing, fault: 0 });
        assert!(nemesis.is_down(4));
        assert_eq!(nemesis.advance(215)[0], Action::Start { node: 4 });
    }

    #[test]
    fn a_role_is_held_by_its_newest_holder_until_that_node_says_otherwise_or_stops() {
        let mut nemesis = Nemesis::new(&nodes(), &[]);
        nemesis.observe(1, "role", Some("primary"), Some(3), 0);
        nemesis.observe(2, "role", Some("primary"), Some(2), 0);
        assert_eq!(nemesis.cluster.hosts(&names(&["primary"])), [1]);
        // What a host says that is no node, or that has no epoch, hurts nobody.
        nemesis.observe(usize::MAX, "role", Some("primary"), None, 1);
        assert_eq!(nemesis.cluster.hosts(&names(&["primary"])), [1]);
        nemesis.observe(1, "stopped", None, None, 2);
        assert!(nemesis.cluster.hosts(&names(&["primary"])).is_empty());
    }

    #[test]
    fn a_node_that_two_faults_hold_down_begins_again_when_both_have_ended() {
        let kill = |id, at, lasts| fault(id, at, lasts, FaultKind::Kill(Kill { nodes: names(&["n1"]) }));
        let mut nemesis = Nemesis::new(&nodes(), &[kill(0, 0, 20), kill(1, 10, 20)]);
        nemesis.advance(0);
        nemesis.advance(10);
        assert!(!nemesis.advance(20).contains(&Action::Start { node: 0 }));
        assert!(nemesis.advance(30).contains(&Action::Start { node: 0 }));
    }

    #[test]
    fn healing_a_majority_leaves_the_others_as_they_are() {
        let cut = FaultKind::Partition(Partition { sides: vec![names(&["n1", "n2"]), names(&["n3", "n4", "n5"])] });
        for (lasts_ms, all) in [(LASTING_MS, false), (1000, true)] {
            let mut nemesis = Nemesis::new(&nodes(), &[fault(0, 0, lasts_ms, cut.clone())]);
            nemesis.advance(0);
            nemesis.heal(&names(&["n2", "n3", "n4", "n5"]), 10);
            assert!(!lost(&mut nemesis, 1, 2));
            assert_eq!(lost(&mut nemesis, 0, 2), !all, "where nothing is to last, all are healed");
        }
    }

    #[test]
    fn two_faults_that_hold_one_clock_set_it_right_once_when_the_last_ends() {
        let freeze =
            |id, at, lasts| fault(id, at, lasts, FaultKind::ClockFreeze(ClockFreeze { nodes: names(&["n1"]) }));
        let mut nemesis = Nemesis::new(&nodes(), &[freeze(0, 0, 100), freeze(1, 50, 100)]);
        let clock = |actions: Vec<Action>| -> Vec<Action> {
            actions.into_iter().filter(|action| !matches!(action, Action::Note { .. })).collect()
        };
        assert_eq!(clock(nemesis.advance(0)).len(), 1);
        assert_eq!(clock(nemesis.advance(50)), []);
        assert_eq!(clock(nemesis.advance(100)), []);
        let moved = Action::MoveClock { node: 0, by: 150 * MILLISECOND };
        assert!(clock(nemesis.advance(150)).contains(&moved));
    }

    #[test]
    fn an_exit_is_excused_by_what_the_nodes_own_disk_has_met_while_it_lasts() {
        let failing = FaultKind::FailingSync(FailingSync { nodes: names(&["n1", "n2"]), probability: 1.0 });
        let slow = FaultKind::SlowSync(SlowSync { nodes: names(&["n3"]), by_ms: 5 });
        let mut nemesis = Nemesis::new(&nodes(), &[fault(0, 10, 20, failing), fault(1, 10, 20, slow)]);
        nemesis.advance(10);
        nemesis.bit(0, 0, "syncs failed", 1);
        nemesis.bit(2, 1, "milliseconds of syncs", 5);
        assert!(nemesis.gave_up(0) && !nemesis.gave_up(1) && !nemesis.gave_up(2));
        assert!(nemesis.advance(30).contains(&Action::Start { node: 0 }));
        // What was under way when the fault ended.
        nemesis.advance(40);
        assert!(nemesis.gave_up(0));
        assert_eq!(nemesis.advance(41), [Action::Start { node: 0 }]);
        nemesis.advance(40 + AFTERMATH_MS);
        assert!(!nemesis.gave_up(0));
    }
}
