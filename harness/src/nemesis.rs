//! What breaks things: it begins and ends each fault of the plan at its moment.
//!
//! A partition, a loss or a delay is a rule that the fabric asks about every message; a crash, a kill or a power loss is done
//! to processes. Rules stack: each begins and ends by itself, and what one does to a message no other undoes.

use std::collections::BTreeMap;

use shakedown_results::FaultRecord;

use crate::chance::{fraction, mix};
use crate::plan::{Fault, FaultKind, Moment};
use crate::simulation::ground::{Fate, Host, LinkRules};

/// What is to be done to processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
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
struct Rule {
    fault: u32,
    seed: u64,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// Who is not heard by whom: a row of bits for each sender.
    Cut(Vec<u64>),
    Loss(f64),
    Delay(u64),
}

/// All faults of a plan, and where each stands.
pub struct Nemesis {
    nodes: Vec<String>,
    faults: Vec<Standing>,
    rules: Vec<Rule>,
    /// How many faults hold each node down.
    down: Vec<u32>,
    /// By role: its newest holder, and in which epoch. A role of which a holder is not known is held by nobody.
    holders: BTreeMap<String, (u64, Host)>,
    /// The nodes that are healed, once healing has begun.
    healed: Option<Vec<bool>>,
}

struct Standing {
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
        let standing = |plan: &Fault| Standing {
            due: match plan.begins {
                Moment::At { at_ms } => Some(at_ms),
                Moment::On { .. } => None,
            },
            plan: plan.clone(),
            seen: 0,
            began: None,
            ended: None,
            victims: Vec::new(),
            description: describe(&plan.fault, nodes, &BTreeMap::new()),
            targets: Vec::new(),
            effects: BTreeMap::new(),
        };
        Nemesis {
            nodes: nodes.to_vec(),
            faults: faults.iter().map(standing).collect(),
            rules: Vec::new(),
            down: vec![0; nodes.len()],
            holders: BTreeMap::new(),
            healed: None,
        }
    }

    /// Takes note of what a node said: some faults wait for it, and some are aimed at the holder of a role.
    pub fn observe(&mut self, host: Host, event: &str, role: Option<&str>, epoch: Option<u64>, now: u64) {
        if matches!(event, "role" | "stopped") {
            self.holders.retain(|held, (_, holder)| *holder != host || event == "role" && role == Some(held));
        }
        if let ("role", Some(role), true) = (event, role, host < self.nodes.len()) {
            let epoch = epoch.unwrap_or(0);
            if self.holders.get(role).is_none_or(|(known, _)| epoch >= *known) {
                self.holders.insert(role.to_owned(), (epoch, host));
            }
        }
        for fault in self.faults.iter_mut().filter(|fault| fault.due.is_none()) {
            let Moment::On { on, node, nth, plus_ms } = &fault.plan.begins else { continue };
            let name = self.nodes.get(host);
            if on == event && (node.is_none() || node.as_ref() == name) {
                fault.seen += 1;
                if fault.seen == *nth {
                    fault.due = Some(now + plus_ms);
                }
            }
        }
    }

    /// Begins and ends what is due; tells what is to be done to processes.
    pub fn advance(&mut self, now: u64) -> Vec<Deed> {
        let mut deeds = Vec::new();
        if self.healed.is_some() {
            return deeds;
        }
        for at in 0..self.faults.len() {
            let fault = &self.faults[at];
            // A fault that is aimed at a role waits for somebody to hold it.
            let is_there = |name: &String| self.nodes.contains(name) || self.holders.contains_key(name);
            let aimless = !fault.plan.fault.names().all(is_there);
            if fault.began.is_none() && fault.due.is_some_and(|due| due <= now) && !aimless {
                self.begin(at, now, &mut deeds);
            }
            let fault = &self.faults[at];
            if fault.ended.is_none() && fault.began.is_some_and(|began| began + fault.plan.lasts_ms <= now) {
                self.end(at, now, &mut deeds);
            }
        }
        deeds
    }

    /// Heals these nodes: nothing that only befalls others ends. What has not begun never does.
    pub fn heal(&mut self, healed: &[String], now: u64) -> Vec<Deed> {
        let mut deeds = Vec::new();
        let mask: Vec<bool> = self.nodes.iter().map(|name| healed.contains(name)).collect();
        let all = mask.iter().all(|healed| *healed);
        if all {
            for at in 0..self.faults.len() {
                if self.faults[at].began.is_some() && self.faults[at].ended.is_none() {
                    self.end(at, now, &mut deeds);
                }
            }
        }
        for (node, healed) in mask.iter().enumerate() {
            if *healed && self.down[node] > 0 {
                self.down[node] = 0;
                deeds.push(Deed::Start { node });
            }
        }
        if !all {
            // Clients leave the others alone: what those answer, nobody promised.
            let mut rows = self.rows();
            let clients = self.nodes.len();
            for (node, _) in mask.iter().enumerate().filter(|(_, healed)| !**healed) {
                rows[node] |= 1 << clients;
                rows[clients] |= 1 << node;
            }
            self.rules.push(Rule { fault: u32::MAX, seed: 0, what: What::Cut(rows) });
        }
        let value = if all { "all nodes".to_owned() } else { format!("only {}", healed.join(" ")) };
        deeds.push(Deed::Note { function: "heal".to_owned(), value });
        self.healed = Some(mask);
        deeds
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

    fn begin(&mut self, at: usize, now: u64, deeds: &mut Vec<Deed>) {
        let plan = self.faults[at].plan.clone();
        let description = describe(&plan.fault, &self.nodes, &self.holders);
        let targets = self.targets(&plan.fault);
        let mut victims = Vec::new();
        let cut = |rows| Some(What::Cut(rows));
        let what = match &plan.fault {
            FaultKind::Partition { sides } => cut(self.partition(sides)),
            FaultKind::OneWay { from, to } => cut(self.one_way(from, to)),
            FaultKind::Ring { order } => cut(self.ring(order)),
            FaultKind::Loss { probability } => Some(What::Loss(*probability)),
            FaultKind::Delay { at_most_ms } => Some(What::Delay(*at_most_ms)),
            FaultKind::Crash { nodes } | FaultKind::Kill { nodes } | FaultKind::PowerLoss { nodes } => {
                victims = self.hosts(nodes);
                None
            }
        };
        if let Some(what) = what {
            self.rules.push(Rule { fault: plan.id, seed: plan.seed, what });
        }
        let power = matches!(plan.fault, FaultKind::PowerLoss { .. });
        for &node in &victims {
            if self.down[node] == 0 || power {
                count(&mut self.faults, plan.id, "processes stopped", u64::from(self.down[node] == 0));
                deeds.push(Deed::Stop { node, power, fault: plan.id });
            }
            self.down[node] += 1;
        }
        deeds.push(Deed::Note { function: format!("start-{}", plan.fault.name()), value: description.clone() });
        let fault = &mut self.faults[at];
        (fault.began, fault.victims, fault.description, fault.targets) = (Some(now), victims, description, targets);
    }

    fn end(&mut self, at: usize, now: u64, deeds: &mut Vec<Deed>) {
        let fault = &mut self.faults[at];
        fault.ended = Some(now);
        let id = fault.plan.id;
        let (name, description) = (fault.plan.fault.name(), fault.description.clone());
        self.rules.retain(|rule| rule.fault != id);
        for node in std::mem::take(&mut self.faults[at].victims) {
            if self.down[node] == 1 {
                deeds.push(Deed::Start { node });
            }
            self.down[node] = self.down[node].saturating_sub(1);
        }
        deeds.push(Deed::Note { function: format!("stop-{name}"), value: description });
    }

    /// The nodes behind the names of nodes and roles. A role that nobody holds is nobody.
    fn hosts(&self, names: &[String]) -> Vec<Host> {
        let host = |name: &String| {
            let node = self.nodes.iter().position(|node| node == name);
            node.or_else(|| self.holders.get(name).map(|(_, holder)| *holder))
        };
        let mut hosts: Vec<Host> = names.iter().filter_map(host).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    fn targets(&self, fault: &FaultKind) -> Vec<String> {
        let named = |hosts: Vec<Host>| hosts.into_iter().map(|host| self.nodes[host].clone()).collect();
        match fault {
            FaultKind::Partition { sides } => named(self.hosts(sides.first().map_or(&[], Vec::as_slice))),
            FaultKind::OneWay { from, .. } => named(self.hosts(from)),
            FaultKind::Ring { order } => order.clone(),
            FaultKind::Crash { nodes } | FaultKind::Kill { nodes } | FaultKind::PowerLoss { nodes } => {
                named(self.hosts(nodes))
            }
            FaultKind::Loss { .. } | FaultKind::Delay { .. } => self.nodes.clone(),
        }
    }

    fn rows(&self) -> Vec<u64> {
        vec![0; self.nodes.len() + 1]
    }

    fn partition(&self, sides: &[Vec<String>]) -> Vec<u64> {
        let mut sides: Vec<Vec<Host>> = sides.iter().map(|side| self.hosts(side)).collect();
        if sides.len() == 1 {
            let rest = (0..self.nodes.len()).filter(|host| !sides[0].contains(host)).collect();
            sides.push(rest);
        }
        let mut rows = self.rows();
        for (one, side) in sides.iter().enumerate() {
            for (other, far) in sides.iter().enumerate() {
                if one != other {
                    side.iter().for_each(|&from| far.iter().for_each(|&to| rows[from] |= 1 << to));
                }
            }
        }
        rows
    }

    fn one_way(&self, from: &[String], to: &[String]) -> Vec<u64> {
        let mut rows = self.rows();
        let to = self.hosts(to);
        for from in self.hosts(from) {
            to.iter().filter(|to| **to != from).for_each(|to| rows[from] |= 1 << to);
        }
        rows
    }

    /// Each node hears as many neighbours to either side as make a majority with itself. Three nodes make no ring: there, two of
    /// them hear each other only by way of the third.
    fn ring(&self, order: &[String]) -> Vec<u64> {
        let order = order.iter().filter_map(|name| self.nodes.iter().position(|node| node == name)).collect::<Vec<_>>();
        let count = order.len();
        let reach = (count / 2).div_ceil(2);
        let mut rows = self.rows();
        for (one, &from) in order.iter().enumerate() {
            for (other, &to) in order.iter().enumerate() {
                let apart = one.abs_diff(other);
                if apart.min(count - apart) > reach || count == 3 && apart == 2 {
                    rows[from] |= 1 << to;
                }
            }
        }
        rows
    }
}

impl LinkRules for Nemesis {
    fn is_down(&self, host: Host) -> bool {
        self.down.get(host).is_some_and(|down| *down > 0)
    }

    fn fate(&mut self, from: Host, to: Host, number: u64) -> Fate {
        let mut late = 0;
        for rule in &self.rules {
            if self.healed.as_ref().is_some_and(|healed| is_healed(healed, from) && is_healed(healed, to)) {
                break;
            }
            let chance = || mix(&[rule.seed, from as u64, to as u64, number]);
            match &rule.what {
                What::Cut(rows) if rows[from] >> to & 1 == 1 => {
                    count(&mut self.faults, rule.fault, "messages cut off", 1);
                    return Fate::Lost(rule.fault);
                }
                What::Cut(_) => {}
                What::Loss(probability) => {
                    if fraction(chance()) < *probability {
                        count(&mut self.faults, rule.fault, "messages lost", 1);
                        return Fate::Lost(rule.fault);
                    }
                }
                What::Delay(at_most) => {
                    let more = chance() % (at_most + 1);
                    count(&mut self.faults, rule.fault, "messages delayed", u64::from(more > 0));
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
        self.rules.iter().any(|rule| matches!(&rule.what, What::Cut(rows) if rows[from] >> to & 1 == 1))
    }
}

/// The host of the clients is always healed.
fn is_healed(healed: &[bool], host: Host) -> bool {
    healed.get(host).copied().unwrap_or(true)
}

fn count(faults: &mut [Standing], id: u32, effect: &str, times: u64) {
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

fn describe(fault: &FaultKind, nodes: &[String], holders: &BTreeMap<String, (u64, Host)>) -> String {
    let name = |name: &String| match holders.get(name).filter(|_| !nodes.contains(name)) {
        Some((_, host)) => format!("{} ({name})", nodes[*host]),
        None => name.clone(),
    };
    let list = |names: &[String]| {
        if names.len() == nodes.len() { "all".to_owned() } else { names.iter().map(name).collect::<Vec<_>>().join(" ") }
    };
    match fault {
        FaultKind::Partition { sides } if sides.len() == 1 => format!("{} | the others", list(&sides[0])),
        FaultKind::Partition { sides } => sides.iter().map(|side| list(side)).collect::<Vec<_>>().join(" | "),
        FaultKind::OneWay { from, to } => format!("{} not heard by {}", list(from), list(to)),
        FaultKind::Ring { order } => order.join(" – "),
        FaultKind::Crash { nodes } | FaultKind::Kill { nodes } | FaultKind::PowerLoss { nodes } => list(nodes),
        FaultKind::Loss { probability } => format!("{:.0} % of all messages", probability * 100.0),
        FaultKind::Delay { at_most_ms } => format!("up to {at_most_ms} ms more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let one = FaultKind::Partition { sides: vec![names(&["n1"]), names(&["n2", "n3", "n4", "n5"])] };
        let two = FaultKind::Partition { sides: vec![names(&["n1", "n2"]), names(&["n3", "n4", "n5"])] };
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
        let mut nemesis = Nemesis::new(&nodes(), &[fault(0, 0, 9, FaultKind::Ring { order: nodes() })]);
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
        let cut = FaultKind::OneWay { from: names(&["n1"]), to: names(&["n2"]) };
        let mut nemesis = Nemesis::new(&nodes(), &[fault(0, 0, 9, cut)]);
        nemesis.advance(0);
        assert!(lost(&mut nemesis, 0, 1) && !lost(&mut nemesis, 1, 0));
    }

    #[test]
    fn the_fate_of_a_message_depends_on_no_other() {
        let loss = || vec![fault(0, 0, 9, FaultKind::Loss { probability: 0.5 })];
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
        let kill = FaultKind::Kill { nodes: names(&["leader"]) };
        let begins = Moment::On { on: "elected".to_owned(), node: None, nth: 2, plus_ms: 5 };
        let mut nemesis = Nemesis::new(&nodes(), &[Fault { begins, ..fault(0, 0, 10, kill) }]);
        for (host, term, at) in [(2, 1, 100), (4, 2, 200)] {
            nemesis.observe(host, "role", Some("leader"), Some(term), at);
            nemesis.observe(host, "elected", None, Some(term), at);
        }
        assert!(nemesis.advance(204).is_empty());
        assert_eq!(nemesis.advance(205)[0], Deed::Stop { node: 4, power: false, fault: 0 });
        assert!(nemesis.is_down(4));
        assert_eq!(nemesis.advance(215)[0], Deed::Start { node: 4 });
    }

    #[test]
    fn a_role_is_held_by_its_newest_holder_until_that_node_says_otherwise_or_stops() {
        let mut nemesis = Nemesis::new(&nodes(), &[]);
        nemesis.observe(1, "role", Some("primary"), Some(3), 0);
        nemesis.observe(2, "role", Some("primary"), Some(2), 0);
        assert_eq!(nemesis.hosts(&names(&["primary"])), [1]);
        // What a host says that is no node, or that has no epoch, hurts nobody.
        nemesis.observe(usize::MAX, "role", Some("primary"), None, 1);
        assert_eq!(nemesis.hosts(&names(&["primary"])), [1]);
        nemesis.observe(1, "stopped", None, None, 2);
        assert!(nemesis.hosts(&names(&["primary"])).is_empty());
    }

    #[test]
    fn a_node_that_two_faults_hold_down_begins_again_when_both_have_ended() {
        let kill = |id, at, lasts| fault(id, at, lasts, FaultKind::Kill { nodes: names(&["n1"]) });
        let mut nemesis = Nemesis::new(&nodes(), &[kill(0, 0, 20), kill(1, 10, 20)]);
        nemesis.advance(0);
        nemesis.advance(10);
        assert!(!nemesis.advance(20).contains(&Deed::Start { node: 0 }));
        assert!(nemesis.advance(30).contains(&Deed::Start { node: 0 }));
    }

    #[test]
    fn healing_a_majority_leaves_the_others_as_they_are() {
        let cut = FaultKind::Partition { sides: vec![names(&["n1", "n2"]), names(&["n3", "n4", "n5"])] };
        let mut nemesis = Nemesis::new(&nodes(), &[fault(0, 0, 1000, cut)]);
        nemesis.advance(0);
        nemesis.heal(&names(&["n2", "n3", "n4", "n5"]), 10);
        assert!(!lost(&mut nemesis, 1, 2) && lost(&mut nemesis, 0, 2));
    }
}
