//! What breaks things: it begins and ends each fault of the plan at its moment.
//!
//! A partition, a loss or a delay is a rule that the fabric asks about every message; a crash, a kill or a power loss is done
//! to processes. Rules stack: each begins and ends by itself, and what one does to a message no other undoes.

use std::collections::BTreeMap;

use shakedown_results::FaultRecord;

use crate::chance::{fraction, mix};
use crate::faults::{Cluster, Effect, LinkRule};
use crate::plan::{Fault, Moment};
use crate::simulation::ground::{Fate, Host, LinkRules};

/// What is to be done to processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessAction {
    /// The process dies; if the power fails, the disk forgets what was not synced.
    Stop {
        /// Whose.
        node: Host,
        /// Whether its power fails too.
        power: bool,
        /// Which fault does it.
        fault: u32,
    },
    /// The process begins again.
    Start {
        /// Whose.
        node: Host,
    },
    /// Something to write into the history.
    Note {
        /// `start-partition`, `stop-partition`.
        function: String,
        /// In words.
        value: String,
    },
}

/// A fault that is going on in the network.
#[derive(Clone, Debug)]
struct ActiveRule {
    fault: u32,
    seed: u64,
    rule: LinkRule,
}

/// All faults of a plan, and where each stands.
pub struct Nemesis {
    cluster: Cluster,
    faults: Vec<ActiveFault>,
    rules: Vec<ActiveRule>,
    /// How many faults hold each node down.
    down: Vec<u32>,
    /// The nodes that are healed, once healing has begun.
    healed: Option<Vec<bool>>,
}

struct ActiveFault {
    plan: Fault,
    /// The moment, if it is known.
    due: Option<u64>,
    /// How often its event has been seen.
    seen: u32,
    began: Option<u64>,
    ended: Option<u64>,
    /// The nodes that a process fault hit.
    victims: Vec<Host>,
    description: String,
    targets: Vec<String>,
    effects: BTreeMap<String, u64>,
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
            victims: Vec::new(),
            description: plan.fault.describe(&cluster),
            targets: Vec::new(),
            effects: BTreeMap::new(),
        };
        Nemesis {
            faults: faults.iter().map(standing).collect(),
            cluster,
            rules: Vec::new(),
            down: vec![0; nodes.len()],
            healed: None,
        }
    }

    /// Takes note of what a node said: some faults wait for it, and some are aimed at the holder of a role.
    pub fn observe(&mut self, host: Host, event: &str, role: Option<&str>, epoch: Option<u64>, now: u64) {
        if matches!(event, "role" | "stopped") {
            self.cluster.holders.retain(|held, (_, holder)| *holder != host || event == "role" && role == Some(held));
        }
        if let ("role", Some(role), true) = (event, role, host < self.cluster.nodes.len()) {
            let epoch = epoch.unwrap_or(0);
            if self.cluster.holders.get(role).is_none_or(|(known, _)| epoch >= *known) {
                self.cluster.holders.insert(role.to_owned(), (epoch, host));
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

    /// Begins and ends what is due; tells what is to be done to processes.
    pub fn advance(&mut self, now: u64) -> Vec<ProcessAction> {
        let mut actions = Vec::new();
        if self.healed.is_some() {
            return actions;
        }
        for at in 0..self.faults.len() {
            let fault = &self.faults[at];
            // A fault that is aimed at a role waits for somebody to hold it.
            let aimless = fault.plan.fault.groups().into_iter().flatten().any(|name| !self.cluster.knows(name));
            if fault.began.is_none() && fault.due.is_some_and(|due| due <= now) && !aimless {
                self.begin(at, now, &mut actions);
            }
            let fault = &self.faults[at];
            if fault.ended.is_none() && fault.began.is_some_and(|began| began + fault.plan.lasts_ms <= now) {
                self.end(at, now, &mut actions);
            }
        }
        actions
    }

    /// Heals these nodes: nothing that only befalls others ends. What has not begun never does.
    pub fn heal(&mut self, healed: &[String], now: u64) -> Vec<ProcessAction> {
        let mut actions = Vec::new();
        let mask: Vec<bool> = self.cluster.nodes.iter().map(|name| healed.contains(name)).collect();
        let all = mask.iter().all(|healed| *healed);
        if all {
            for at in 0..self.faults.len() {
                if self.faults[at].began.is_some() && self.faults[at].ended.is_none() {
                    self.end(at, now, &mut actions);
                }
            }
        }
        for (node, healed) in mask.iter().enumerate() {
            if *healed && self.down[node] > 0 {
                self.down[node] = 0;
                actions.push(ProcessAction::Start { node });
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
            self.rules.push(ActiveRule { fault: u32::MAX, seed: 0, rule: LinkRule::Cut(rows) });
        }
        let value = if all { "all nodes".to_owned() } else { format!("only {}", healed.join(" ")) };
        actions.push(ProcessAction::Note { function: "heal".to_owned(), value });
        self.healed = Some(mask);
        actions
    }

    /// A process died by itself: it stays down until it is healed.
    pub fn died(&mut self, node: Host) {
        self.down[node] += 1;
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

    fn begin(&mut self, at: usize, now: u64, actions: &mut Vec<ProcessAction>) {
        let plan = self.faults[at].plan.clone();
        let description = plan.fault.describe(&self.cluster);
        let targets =
            plan.fault.targets(&self.cluster).into_iter().map(|host| self.cluster.nodes[host].clone()).collect();
        let mut victims = Vec::new();
        match plan.fault.begin(&self.cluster) {
            Effect::Network(rule) => self.rules.push(ActiveRule { fault: plan.id, seed: plan.seed, rule }),
            Effect::Stop { nodes, power } => {
                for &node in &nodes {
                    if self.down[node] == 0 || power {
                        count(&mut self.faults, plan.id, "processes stopped", u64::from(self.down[node] == 0));
                        actions.push(ProcessAction::Stop { node, power, fault: plan.id });
                    }
                    self.down[node] += 1;
                }
                victims = nodes;
            }
        }
        actions
            .push(ProcessAction::Note { function: format!("start-{}", plan.fault.name()), value: description.clone() });
        let fault = &mut self.faults[at];
        (fault.began, fault.victims, fault.description, fault.targets) = (Some(now), victims, description, targets);
    }

    fn end(&mut self, at: usize, now: u64, actions: &mut Vec<ProcessAction>) {
        let fault = &mut self.faults[at];
        fault.ended = Some(now);
        let id = fault.plan.id;
        let (name, description) = (fault.plan.fault.name(), fault.description.clone());
        self.rules.retain(|active| active.fault != id);
        for node in std::mem::take(&mut self.faults[at].victims) {
            if self.down[node] == 1 {
                actions.push(ProcessAction::Start { node });
            }
            self.down[node] = self.down[node].saturating_sub(1);
        }
        actions.push(ProcessAction::Note { function: format!("stop-{name}"), value: description });
    }
}

impl LinkRules for Nemesis {
    fn is_down(&self, host: Host) -> bool {
        self.down.get(host).is_some_and(|down| *down > 0)
    }

    fn fate(&mut self, from: Host, to: Host, number: u64) -> Fate {
        let mut late = 0;
        for active in &self.rules {
            if self.healed.as_ref().is_some_and(|healed| is_healed(healed, from) && is_healed(healed, to)) {
                break;
            }
            let chance = || mix(&[active.seed, from as u64, to as u64, number]);
            match &active.rule {
                LinkRule::Cut(rows) if rows[from] >> to & 1 == 1 => {
                    count(&mut self.faults, active.fault, "messages cut off", 1);
                    return Fate::Lost(active.fault);
                }
                LinkRule::Cut(_) => {}
                LinkRule::Loss(probability) => {
                    if fraction(chance()) < *probability {
                        count(&mut self.faults, active.fault, "messages lost", 1);
                        return Fate::Lost(active.fault);
                    }
                }
                LinkRule::Delay(at_most) => {
                    let more = chance() % (at_most + 1);
                    count(&mut self.faults, active.fault, "messages delayed", u64::from(more > 0));
                    late += more;
                }
            }
        }
        Fate::Late(late)
    }

    fn holds(&self, from: Host, to: Host) -> bool {
        if self.healed.as_ref().is_some_and(|healed| is_healed(healed, from) && is_healed(healed, to)) {
            return false;
        }
        self.rules.iter().any(|active| matches!(&active.rule, LinkRule::Cut(rows) if rows[from] >> to & 1 == 1))
    }
}

/// The host of the clients is always healed.
fn is_healed(healed: &[bool], host: Host) -> bool {
    healed.get(host).copied().unwrap_or(true)
}

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
    use crate::faults::{FaultKind, Kill, Loss, OneWay, Partition, Ring};

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
        assert_eq!(nemesis.advance(205)[0], ProcessAction::Stop { node: 4, power: false, fault: 0 });
        assert!(nemesis.is_down(4));
        assert_eq!(nemesis.advance(215)[0], ProcessAction::Start { node: 4 });
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
        assert!(!nemesis.advance(20).contains(&ProcessAction::Start { node: 0 }));
        assert!(nemesis.advance(30).contains(&ProcessAction::Start { node: 0 }));
    }

    #[test]
    fn healing_a_majority_leaves_the_others_as_they_are() {
        let cut = FaultKind::Partition(Partition { sides: vec![names(&["n1", "n2"]), names(&["n3", "n4", "n5"])] });
        let mut nemesis = Nemesis::new(&nodes(), &[fault(0, 0, 1000, cut)]);
        nemesis.advance(0);
        nemesis.heal(&names(&["n2", "n3", "n4", "n5"]), 10);
        assert!(!lost(&mut nemesis, 1, 2) && lost(&mut nemesis, 0, 2));
    }
}
