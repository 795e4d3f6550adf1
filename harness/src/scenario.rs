//! How a seed becomes a plan.

use std::time::Duration;

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_xoshiro::Xoshiro256PlusPlus;
use shakedown_systems::door::{ModeInfo, Recovery, SystemInfo};
use shakedown_workloads::Workload;

use crate::chance::Seed;
use crate::faults::{Draw, Group, Kill, OneWay, Partition, largest_minority, one_of};
use crate::plan::{ClientPlan, Fault, FaultKind, LASTING_MS, Moment, PLAN_SCHEMA, Plan, Step};

/// What is wanted of a run, apart from its seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The system under test.
    pub system: String,
    /// Its mode.
    pub mode: String,
    /// The defect to plant, if any.
    pub defect: Option<String>,
    /// How many nodes; without it, mostly three, sometimes more.
    pub nodes: Option<u32>,
    /// How many clients.
    pub clients: u32,
    /// How many operations each client plans; without it, as many as fill the time.
    pub operations: Option<usize>,
    /// When clients stop, at the latest, and faults with them: simulated milliseconds.
    pub stop_ms: u64,
    /// The kinds of faults to draw from, by name; without it, all that the mode endures and can meet.
    pub faults: Option<Vec<&'static str>>,
    /// Whether all nodes are healed in the end, and not only as many as the system must recover from.
    pub heal_all: bool,
}

impl Scenario {
    /// Mostly three nodes, ten clients over six simulated seconds at the most, all kinds of faults that the mode endures.
    ///
    /// ```
    /// use shakedown::scenario::Scenario;
    ///
    /// let faults = Some(vec!["kill", "partition"]);
    /// let scenario = Scenario { nodes: Some(3), faults, ..Scenario::new("raft-kv", "log") };
    /// assert_eq!(scenario.operations_per_client(), 240);
    /// ```
    pub fn new(system: &str, mode: &str) -> Scenario {
        Scenario {
            system: system.to_owned(),
            mode: mode.to_owned(),
            defect: None,
            nodes: None,
            clients: 10,
            operations: None,
            stop_ms: 6_000,
            faults: None,
            heal_all: false,
        }
    }

    /// How many operations each client plans.
    pub fn operations_per_client(&self) -> usize {
        self.operations.unwrap_or((self.stop_ms * OPERATIONS_PER_SECOND).div_ceil(1_000) as usize)
    }

    /// What is to be typed after system, mode and workload for all that is not as [`Scenario::new`] has it: ` --nodes 3`.
    pub fn arguments(&self) -> String {
        let usual = Scenario::new(&self.system, &self.mode);
        let mut typed = String::new();
        let mut option = |differs: bool, text: String| {
            if differs {
                typed.push_str(&text);
            }
        };
        option(self.defect.is_some(), format!(" --defect {}", self.defect.as_deref().unwrap_or_default()));
        option(self.nodes.is_some(), format!(" --nodes {}", self.nodes.unwrap_or_default()));
        option(self.clients != usual.clients, format!(" --clients {}", self.clients));
        option(self.operations.is_some(), format!(" --operations {}", self.operations_per_client()));
        option(self.stop_ms != usual.stop_ms, format!(" --time {}ms", self.stop_ms));
        option(
            self.faults.is_some(),
            format!(" --faults {}", fault_names(self.faults.as_deref().unwrap_or_default(), ",")),
        );
        option(self.heal_all, " --heal-all".to_owned());
        typed
    }

    /// What a run of a seed is called: what it is of, and whatever is not as [`Scenario::new`] has it.
    fn name(&self, workload: &str, seed: u64) -> String {
        let usual = Scenario::new(&self.system, &self.mode);
        let mut name = format!("{}-{}-{workload}-{seed}", self.system, self.mode);
        let mut option = |differs: bool, text: String| {
            if differs {
                name.push('-');
                name.push_str(&text);
            }
        };
        option(self.defect.is_some(), self.defect.clone().unwrap_or_default());
        option(self.nodes.is_some(), format!("n{}", self.nodes.unwrap_or_default()));
        option(self.clients != usual.clients, format!("c{}", self.clients));
        option(self.operations.is_some(), format!("o{}", self.operations_per_client()));
        let seconds = self.stop_ms.is_multiple_of(1_000).then(|| format!("{}s", self.stop_ms / 1_000));
        option(self.stop_ms != usual.stop_ms, seconds.unwrap_or_else(|| format!("{}ms", self.stop_ms)));
        let faults = match self.faults.as_deref() {
            Some([]) => "no-faults".to_owned(),
            faults => fault_names(faults.unwrap_or_default(), "+"),
        };
        option(self.faults.is_some(), faults);
        option(self.heal_all, "heal-all".to_owned());
        name
    }

    /// The plan that a seed draws.
    pub fn plan<W: Workload>(&self, workload: &W, seed: u64, system: &SystemInfo) -> Plan {
        // A mode that there is not is told of when the plan is held against its system.
        let mode = system.mode(&self.mode).unwrap_or(&system.modes[0]);
        let seed = Seed(seed);
        let count = self.nodes.unwrap_or_else(|| *NODES.choose(&mut seed.stream("nodes")).unwrap_or(&3));
        let nodes: Vec<String> = (1..=count).map(|n| format!("n{n}")).collect();
        let recovery = if self.heal_all { Recovery::All } else { mode.recovery };
        let mut healed = healed(&nodes, recovery, &mut seed.stream("heal"));
        let faults = self.faults(&nodes, &healed, mode, seed);
        // Where nothing lasts for the others, all are healed: a leader that is sound but alone in having no client would lead for ever.
        if faults.iter().all(|fault| fault.lasts_ms != LASTING_MS) {
            healed.clone_from(&nodes);
        }
        let clients = (0..self.clients).map(|client| self.client(workload, seed, client)).collect();
        let plan = Plan {
            schema: PLAN_SCHEMA.to_owned(),
            name: self.name(workload.name(), seed.0),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            hash: String::new(),
            system: self.system.clone(),
            mode: self.mode.clone(),
            defect: self.defect.clone(),
            workload: workload.name().to_owned(),
            parameters: workload.parameters(),
            seed: seed.0,
            latency_ms: [1, 3],
            sync_ms: [0, 1],
            stop_ms: self.stop_ms,
            recovery_ms: 5_000,
            quiet_ms: 800,
            faults,
            healed,
            nodes,
            clients,
        };
        plan.sealed()
    }

    fn client<W: Workload>(&self, workload: &W, seed: Seed, client: u32) -> ClientPlan {
        let mut chance = seed.stream(&format!("client/{client}"));
        let planned = workload.plan(client, self.clients, self.operations_per_client(), &mut chance);
        let mut rests = seed.stream(&format!("rest/{client}"));
        let steps = planned.iter().map(|operation| Step {
            after_ms: rests.random_range(0..=18),
            operation: serde_json::to_value(operation).expect("a planned operation has a JSON form"),
        });
        ClientPlan { operations: steps.collect() }
    }

    /// Some of the kinds (swarm testing, Groce et al. 2012: kinds suppress each other), mostly one to four faults of them; and where only
    /// some nodes are healed, one that lasts for the others.
    fn faults(&self, nodes: &[String], healed: &[String], mode: &ModeInfo, seed: Seed) -> Vec<Fault> {
        let mut chance = seed.stream("faults");
        let endured = |kind: &&str| !FaultKind::is_beyond_most(kind) || mode.endures.contains(kind);
        let all = || FaultKind::ALL.iter().map(|(name, _)| *name).filter(endured).collect();
        let wanted: Vec<&str> = self.faults.clone().unwrap_or_else(all);
        let can_meet = |kind: &&str| {
            let is_offered = FaultKind::group(kind) != Some(Group::Cluster) || mode.operator.contains(kind);
            FaultKind::is_felt_by(kind, nodes.len()) && !mode.never_meets.contains(kind) && is_offered
        };
        // A clock that stands still keeps within no bound.
        let is_excluded =
            |kind: &str| mode.excludes.contains(&kind) || kind == "clock-freeze" && mode.drift_bound.is_some();
        let wants_only_excluded = wanted.iter().all(|kind| is_excluded(kind));
        let possible: Vec<&str> = wanted
            .iter()
            .copied()
            .filter(|kind| can_meet(kind) && (wants_only_excluded || !is_excluded(kind)))
            .collect();
        let is_allowed = |kind: &str| possible.contains(&kind);
        // Where a disk is damaged, the others must be enough: then nobody is taken out of the cluster as well.
        let spares = if chance.random_bool(0.5) { is_damaging } else { changes_members };
        let gentle: Vec<&str> = possible.iter().copied().filter(|kind| !spares(kind)).collect();
        let gentle = if gentle.is_empty() { possible.clone() } else { gentle };
        let kinds: Vec<&str> = gentle.iter().copied().filter(|_| chance.random_bool(0.5)).collect();
        let kinds = if kinds.is_empty() { gentle } else { kinds };
        if kinds.is_empty() {
            return Vec::new();
        }
        // Groups are drawn first, so that the many kinds of one do not drown those of another.
        let groups: Vec<Group> = WEIGHTS
            .into_iter()
            .filter(|(group, _)| kinds.iter().any(|kind| FaultKind::group(kind) == Some(*group)))
            .flat_map(|(group, weight)| std::iter::repeat_n(group, weight))
            .collect();
        let frail = frail(nodes, &mut seed.stream("frail"));
        let incidents = self.incidents(&mut seed.stream("incidents"));
        let count = if chance.random_ratio(1, 8) { chance.random_range(5..=8) } else { chance.random_range(1..=4) };
        let mut faults: Vec<Fault> = (0..count)
            .filter_map(|id| {
                let own = seed.below(&format!("fault/{id}"));
                let mut chance = own.stream("what");
                let group = groups.choose(&mut chance);
                let of_group: Vec<&str> =
                    kinds.iter().copied().filter(|kind| FaultKind::group(kind).as_ref() == group).collect();
                let kind = *of_group.choose(&mut chance)?;
                let begins = self.moment(mode, &incidents, &mut chance);
                let lasts_ms = if FaultKind::is_instant(kind) { 0 } else { duration(mode.timeouts, &mut chance) };
                let fault = FaultKind::draw(
                    kind,
                    Draw {
                        nodes,
                        frail: &frail,
                        roles: mode.roles,
                        drift_bound: mode.drift_bound,
                        chance: &mut chance,
                    },
                )?;
                Some(Fault { id, seed: own.0, begins, lasts_ms, fault })
            })
            .collect();
        if mode.drift_bound.is_some() {
            // Two on one clock could be more than the bound.
            let mut first = true;
            faults.retain(|fault| fault.fault.name() != "clock-drift" || std::mem::take(&mut first));
        }
        let others: Vec<String> = nodes.iter().filter(|node| !healed.contains(node)).cloned().collect();
        // A node whose disk is damaged for good, or that is no member, may be missing from those that are healed.
        let must_heal_all = |fault: &Fault| is_damaging(fault.fault.name()) || changes_members(fault.fault.name());
        if !others.is_empty() && !faults.iter().any(must_heal_all) {
            let own = seed.below("fault/lasting");
            let mut chance = own.stream("what");
            let begins = Moment::At { at_ms: chance.random_range(self.stop_ms / 2..=self.stop_ms * 3 / 4) };
            let fault = match chance.random_range(0..4) {
                0 => FaultKind::Partition(Partition { sides: vec![others, healed.to_vec()] }),
                1 => FaultKind::OneWay(OneWay { from: others, to: healed.to_vec() }),
                2 => FaultKind::OneWay(OneWay { from: healed.to_vec(), to: others }),
                _ => FaultKind::Kill(Kill { nodes: others }),
            };
            if is_allowed(fault.name()) {
                faults.push(Fault { id: count, seed: own.0, begins, lasts_ms: LASTING_MS, fault });
            }
        }
        faults
    }

    /// The first and last time at which a fault begins, in milliseconds.
    fn span(&self) -> (u64, u64) {
        let first = (self.stop_ms / 4).min(300);
        (first, (self.stop_ms * 3 / 4).max(first))
    }

    /// When several things go wrong together: what a system stands by itself, it may not stand with another.
    fn incidents(&self, chance: &mut Xoshiro256PlusPlus) -> Vec<u64> {
        let (first, last) = self.span();
        (0..chance.random_range(1..=3)).map(|_| chance.random_range(first..=last)).collect()
    }

    /// A time, often one at which other things go wrong; sometimes just after an event of the system's, where it has any.
    fn moment(&self, mode: &ModeInfo, incidents: &[u64], chance: &mut Xoshiro256PlusPlus) -> Moment {
        if !mode.moments.is_empty() && chance.random_bool(0.25) {
            let nth = chance.random_range(1..=3);
            let on = one_of(mode.moments, chance);
            return Moment::On { on, node: None, nth, plus_ms: chance.random_range(0..=60) };
        }
        let (first, last) = self.span();
        let incident = incidents.choose(chance).filter(|_| chance.random_bool(0.5));
        let at_ms = match incident {
            Some(incident) => (incident + chance.random_range(0..=200)).min(last),
            None => chance.random_range(first..=last),
        };
        Moment::At { at_ms }
    }
}

/// How many operations a client gets done in a simulated second, if nothing hinders it.
const OPERATIONS_PER_SECOND: u64 = 40;

/// All nodes, or in a third of the seeds only as many as the system must recover from: total healing hides livelocks.
fn healed(nodes: &[String], recovery: Recovery, chance: &mut Xoshiro256PlusPlus) -> Vec<String> {
    let mut healed: Vec<usize> = (0..nodes.len()).collect();
    // How many may be spared at the most.
    let most = (0..nodes.len()).rev().find(|spared| recovery.admits(nodes.len(), &healed[*spared..])).unwrap_or(0);
    if most > 0 && nodes.len() > 2 && chance.random_ratio(1, 3) {
        for _ in 0..chance.random_range(1..=most) {
            let without = |at: usize| -> Vec<usize> { healed.iter().copied().filter(|node| *node != at).collect() };
            let spared = healed[chance.random_range(0..healed.len())];
            let rest = without(spared);
            if recovery.admits(nodes.len(), &rest) {
                healed = rest;
            }
        }
    }
    healed.into_iter().map(|node| nodes[node].clone()).collect()
}

/// Half to twice of a timeout of the system, where it names any; else from a moment up to some seconds, short ones more often.
fn duration(timeouts: &[Duration], chance: &mut Xoshiro256PlusPlus) -> u64 {
    if let (Some(timeout), true) = (timeouts.choose(chance), chance.random_bool(0.5)) {
        let milliseconds = (timeout.as_millis() as u64).max(2);
        return chance.random_range(milliseconds / 2..=2 * milliseconds);
    }
    let exponent = chance.random_range((80f64).ln()..(2_000f64).ln());
    exponent.exp() as u64
}

/// Whether a fault of this name takes from a disk what was durable.
fn is_damaging(kind: &str) -> bool {
    FaultKind::is_beyond_most(kind) && FaultKind::group(kind) == Some(Group::Disk)
}

/// Whether a fault of this name takes nodes out of the cluster.
fn changes_members(kind: &str) -> bool {
    matches!(kind, "remove" | "reconfigure")
}

/// The nodes whose disks may be damaged: fewer than half, if there are as many as that.
fn frail(nodes: &[String], chance: &mut Xoshiro256PlusPlus) -> Vec<String> {
    let mut frail = nodes.to_vec();
    frail.shuffle(chance);
    frail.truncate(largest_minority(nodes));
    frail
}

/// How often each group is drawn from.
const WEIGHTS: [(Group, usize); 6] = [
    (Group::Network, 4),
    (Group::Process, 3),
    (Group::Disk, 3),
    (Group::Clock, 2),
    (Group::Clients, 1),
    (Group::Cluster, 2),
];

/// How many nodes there are: nearly all failures need no more than three (Yuan et al., OSDI 2014).
const NODES: [u32; 10] = [3, 3, 3, 3, 3, 3, 5, 5, 5, 4];

/// The names of kinds, those of a whole group by its name.
fn fault_names(kinds: &[&str], between: &str) -> String {
    if kinds.is_empty() {
        return "none".to_owned();
    }
    let mut names: Vec<&str> = Vec::new();
    for (name, group) in Group::ALL {
        let of_group = |kind: &&str| FaultKind::group(kind) == Some(group);
        let mine: Vec<&str> = kinds.iter().copied().filter(of_group).collect();
        let ordinary = FaultKind::ordinary().into_iter().filter(of_group).count();
        match mine.len() {
            count if count > 1 && count == ordinary && mine.iter().all(|kind| !FaultKind::is_beyond_most(kind)) => {
                names.push(name);
            }
            _ => names.extend(mine),
        }
    }
    names.join(between)
}

#[cfg(test)]
mod tests {
    use shakedown_systems::RaftKv;

    use super::*;

    #[test]
    fn only_where_something_lasts_for_the_others_are_they_not_healed() {
        let plan = |faults: &[&'static str], seed| {
            let faults = Some(faults.to_vec());
            let scenario = Scenario { faults, nodes: Some(5), ..Scenario::new("raft-kv", "log") };
            scenario.plan(&shakedown_workloads::Kv::default(), seed, &SystemInfo::of_family::<RaftKv>())
        };
        let all = FaultKind::ordinary();
        let mut spared = 0;
        for seed in 0..100 {
            for faults in [&all[..], &["kill"], &["delay"], &[]] {
                let plan = plan(faults, seed);
                let lasts = plan.faults.iter().any(|fault| fault.lasts_ms == LASTING_MS);
                assert_eq!(plan.healed.len() < plan.nodes.len(), lasts, "{faults:?} seed {seed}");
                spared += usize::from(lasts);
            }
        }
        assert!(spared > 30, "only {spared} plans heal a majority alone");
    }

    #[test]
    fn plans_of_different_options_have_different_names() {
        let usual = Scenario::new("raft-kv", "log");
        let others = [
            Scenario { nodes: Some(3), ..usual.clone() },
            Scenario { clients: 3, ..usual.clone() },
            Scenario { operations: Some(3), ..usual.clone() },
            Scenario { stop_ms: 3_000, ..usual.clone() },
            Scenario { stop_ms: 2_500, ..usual.clone() },
            Scenario { faults: Some(vec!["kill", "loss"]), ..usual.clone() },
            Scenario { faults: Some(Vec::new()), ..usual.clone() },
            Scenario { heal_all: true, ..usual.clone() },
            Scenario { defect: Some("ack-before-sync".to_owned()), ..usual.clone() },
        ];
        let mut names: Vec<String> = others.iter().chain([&usual]).map(|scenario| scenario.name("kv", 7)).collect();
        assert_eq!(names.last().map(String::as_str), Some("raft-kv-log-kv-7"));
        assert_eq!(names[5], "raft-kv-log-kv-7-loss+kill");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), others.len() + 1);
    }

    #[test]
    fn what_can_do_nothing_is_not_drawn() {
        let system = SystemInfo::of_family::<RaftKv>();
        for (nodes, never) in [
            (1, vec!["partition", "one-way", "ring", "bridge", "flapping", "stall"]),
            (2, vec!["ring", "bridge", "stall"]),
        ] {
            let scenario = Scenario { nodes: Some(nodes), operations: Some(1), ..Scenario::new("raft-kv", "log") };
            for seed in 0..60 {
                let plan = scenario.plan(&shakedown_workloads::Kv::default(), seed, &system);
                assert!(plan.faults.iter().all(|fault| !never.contains(&fault.fault.name())), "{nodes} nodes");
            }
        }
    }

    #[test]
    fn what_a_mode_excludes_is_drawn_only_for_who_asks_for_it_and_every_name_is_one() {
        let system = SystemInfo::of_family::<RaftKv>();
        let plan = |mode: &str, faults: Option<Vec<&'static str>>, seed| {
            let scenario = Scenario { faults, ..Scenario::new("raft-kv", mode) };
            scenario.plan(&shakedown_workloads::Kv::default(), seed, &system)
        };
        for mode in &system.modes {
            let named = mode.excludes.iter().chain(mode.endures).chain(mode.never_meets);
            for name in named {
                assert!(FaultKind::group(name).is_some(), "{} names {name}, which is no fault", mode.name);
            }
            for seed in 0..40 {
                let faults = plan(&mode.name, None, seed).faults;
                assert!(faults.iter().all(|fault| !mode.excludes.contains(&fault.fault.name())), "{}", mode.name);
            }
        }
        let asked = plan("lazy-sync", Some(vec!["power-loss"]), 1).faults;
        assert!(!asked.is_empty() && asked.iter().all(|fault| fault.fault.name() == "power-loss"));
    }

    #[test]
    fn what_lasts_for_the_others_is_what_the_system_meets_and_clocks_keep_within_their_bound() {
        let mut system = SystemInfo::of_family::<RaftKv>();
        system.modes[0].never_meets = &["one-way", "partition", "stall"];
        system.modes[0].excludes = &["kill"];
        system.modes[0].drift_bound = Some(0.1);
        for seed in 0..200 {
            let plan = Scenario::new("raft-kv", "log").plan(&shakedown_workloads::Kv::default(), seed, &system);
            let refused = ["one-way", "partition", "kill", "clock-freeze"];
            assert!(plan.faults.iter().all(|fault| !refused.contains(&fault.fault.name())), "{:?}", plan.faults);
            assert!(plan.check_system(&system).is_ok());
            let drifts = plan.faults.iter().filter_map(|fault| match &fault.fault {
                FaultKind::ClockDrift(drift) => Some(drift.rate),
                _ => None,
            });
            let drifts: Vec<f64> = drifts.collect();
            assert!(drifts.len() < 2 && drifts.iter().all(|rate| (0.9..=1.1).contains(rate)), "{drifts:?}");
        }
    }

    #[test]
    fn where_disks_are_damaged_no_more_than_a_minority_is_and_nobody_is_taken_out() {
        let system = SystemInfo::of_family::<RaftKv>();
        let (mut damaged, mut changed) = (0, 0);
        for seed in 0..300 {
            let scenario = Scenario::new("raft-kv", "log");
            let plan = scenario.plan(&shakedown_workloads::Kv::default(), seed, &system);
            let of = |is: fn(&str) -> bool| plan.faults.iter().filter(move |fault| is(fault.fault.name()));
            let mut nodes: Vec<&String> = of(is_damaging).flat_map(|fault| fault.fault.groups()).flatten().collect();
            nodes.sort_unstable();
            nodes.dedup();
            assert!(nodes.len() <= (plan.nodes.len() - 1) / 2, "{nodes:?} of {}", plan.nodes.len());
            assert!(nodes.is_empty() || of(changes_members).count() == 0);
            damaged += usize::from(!nodes.is_empty());
            changed += usize::from(of(changes_members).count() > 0);
        }
        assert!(damaged > 20 && changed > 15, "{damaged} and {changed} of 300");
    }

    #[test]
    fn who_runs_longer_does_more() {
        let scenario = Scenario { stop_ms: 30_000, ..Scenario::new("raft-kv", "log") };
        assert_eq!(scenario.operations_per_client(), 1_200);
        assert_eq!(Scenario { operations: Some(7), ..scenario }.operations_per_client(), 7);
    }
}
