//! A run: a pure function from a plan to what happened.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::Arc;

use shakedown_checkers::history::{EventPosition, write_json_lines};
use shakedown_checkers::{Claim, History};
use shakedown_results::{FaultRecord, Messages, Phases};
use shakedown_systems::door::{Chance, Client, Clock, Disk, Invariant, Node, Observation, System};
use shakedown_workloads::{Invoke, Workload};
use xxhash_rust::xxh3::Xxh3;

use crate::chance::Seed;
use crate::clients::{self, Phase, Shared, Task};
use crate::faults::DiskLoss;
use crate::nemesis::{Action, Nemesis};
use crate::plan::{Plan, PlanError};
use crate::simulation::disk::SimulatedDisk;
use crate::simulation::engine::{self, Engine, HostBackend, Process, Turmoil};
use crate::simulation::fabric::Fabric;
use crate::simulation::ground::{Exit, Host, LinkRules};
use crate::simulation::mailboxes::Mailboxes;
pub use crate::simulation::stage::TraceEvent;
use crate::simulation::stage::{self, FieldValue, Recording};

/// The host on which all clients live.
pub const CLIENTS: &str = "clients";

/// What happened in a run.
#[derive(Debug)]
pub struct Execution {
    /// What clients saw.
    pub history: History,
    /// What nodes and clients said, in order.
    pub trace: Vec<TraceEvent>,
    /// What went wrong inside: panics, failures, broken invariants, no recovery.
    pub findings: Vec<Finding>,
    /// What became of each fault.
    pub faults: Vec<FaultRecord>,
    /// The claims of which the system's own invariants judged something.
    pub judged_inside: Vec<Claim>,
    /// When the run passed from one phase to the next.
    pub phases: Phases,
    /// The first event after the cluster was left alone, if the run came that far.
    pub quiet: Option<EventPosition>,
    /// What the network did.
    pub messages: Messages,
    /// How often each kind of event was said.
    pub reach: BTreeMap<&'static str, u64>,
    /// A digest of all that happened, in order.
    pub hash: u64,
}

/// Something that went wrong inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name: `panic`, `no-recovery`, or that of an invariant.
    pub name: &'static str,
    /// The claim that it breaks, if it is part of one; else no mode allows it.
    pub claim: Option<Claim>,
    /// One sentence.
    pub sentence: String,
    /// Simulated nanoseconds.
    pub at: u64,
}

/// The name of a host in reports.
pub fn host_name(nodes: &[String], host: Host) -> &str {
    nodes.get(host).map_or(CLIENTS, String::as_str)
}

/// Runs a plan, which must be [valid](Plan::validate), against a system.
///
/// # Errors
/// If the workload does not know an operation of the plan.
pub fn run<S, W>(plan: &Plan, workload: &W, system: S) -> Result<Execution, PlanError>
where
    S: System,
    W: Workload,
    S::Client: Invoke<W>,
{
    let operations = plan.operations_of::<W::Planned>()?;
    let system = Rc::new(system);
    let shared = Rc::new(Shared::new(plan.clients.len() as u32, plan.nodes.len(), plan.stop_ms));
    let names: Arc<[Arc<str>]> = plan.nodes.iter().map(String::as_str).chain([CLIENTS]).map(Arc::from).collect();
    let recording = Recording::begin(names.to_vec());
    let mailboxes = Arc::new(Mailboxes::new(names));
    let machine = |name: &String| Machine {
        disk: Arc::new(SimulatedDisk::new(plan.sync_ms, Seed(plan.seed).stream(&format!("disk/{name}")))),
        clock: Clock::new(engine::elapsed),
    };
    let machines: Vec<Machine> = plan.nodes.iter().map(machine).collect();
    let hosts = hosts(plan, operations, workload, &system, &shared, &mailboxes, &machines);
    let engine = Turmoil::new(plan.seed, hosts);
    let run = Run {
        recording,
        shared,
        machines,
        mailboxes,
        engine,
        fabric: Fabric::new(Seed(plan.seed).below("fabric").0, plan.nodes.len() + 1, plan.latency_ms),
        nemesis: Nemesis::new(&plan.nodes, &plan.faults),
        invariants: system.invariants().into_iter().map(|invariant| (invariant, false)).collect(),
        nodes: &plan.nodes,
        clients: plan.clients.len(),
        step: 0,
        trace: Vec::new(),
        findings: Vec::new(),
        reach: BTreeMap::new(),
        digest: Xxh3::new(),
        broken: false,
    };
    Ok(run.through_all_phases(plan, !workload.setup().is_empty()))
}

fn hosts<S, W>(
    plan: &Plan,
    operations: Vec<Vec<(u64, W::Planned)>>,
    workload: &W,
    system: &Rc<S>,
    shared: &Rc<Shared>,
    mailboxes: &Arc<Mailboxes>,
    machines: &[Machine],
) -> Vec<(Arc<str>, Process)>
where
    S: System,
    W: Workload,
    S::Client: Invoke<W>,
{
    let cluster: Arc<[Arc<str>]> = plan.nodes.iter().map(|name| Arc::from(name.as_str())).collect();
    let seed = Seed(plan.seed);
    let mut hosts: Vec<(Arc<str>, Process)> = Vec::new();
    for (host, name) in cluster.iter().enumerate() {
        let (system, cluster, machine) = (Rc::clone(system), cluster.clone(), machines[host].clone());
        let (name, mailboxes, starts) = (name.clone(), Arc::clone(mailboxes), Cell::new(0));
        let own_name = name.clone();
        let process = move || {
            starts.set(starts.get() + 1);
            let node = Node::new(
                (name.clone(), starts.get()),
                cluster.clone(),
                machine.clock.clone(),
                Disk::new(machine.disk.clone()),
                Chance::new(seed.stream(&format!("node/{name}/{}", starts.get()))),
                Arc::new(HostBackend::new(host, Arc::clone(&mailboxes))),
            );
            let system = Rc::clone(&system);
            engine::process(host, async move { system.node(node).await })
        };
        hosts.push((own_name, Box::new(process)));
    }
    let host = cluster.len();
    let (system, shared, mailboxes) = (Rc::clone(system), Rc::clone(shared), Arc::clone(mailboxes));
    let (healed, workload): (Arc<[String]>, W) = (plan.healed.clone().into(), workload.clone());
    // Their process begins once only.
    let operations = RefCell::new(operations);
    let process = move || {
        for (number, operations) in (0..).zip(operations.take()) {
            let sessions = Cell::new(0);
            let context = {
                let (cluster, mailboxes) = (cluster.clone(), Arc::clone(&mailboxes));
                move || {
                    // A new session of a client draws from a stream of its own.
                    let session = sessions.replace(sessions.get() + 1);
                    let stream = match session {
                        0 => format!("client-run/{number}"),
                        session => format!("client-run/{number}/{session}"),
                    };
                    Client::new(
                        number,
                        session,
                        cluster.clone(),
                        Clock::new(engine::elapsed),
                        Chance::new(seed.stream(&stream)),
                        Arc::new(HostBackend::new(host, Arc::clone(&mailboxes))),
                    )
                }
            };
            let task = Task { number, operations, nodes: Arc::clone(&healed), workload: workload.clone() };
            let (system, shared) = (system.clone(), shared.clone());
            let client = async move {
                clients::client::<W, _>(shared, task, || system.client(context())).await;
            };
            tokio::task::spawn_local(stage::on_stage(host, client));
        }
        if !system.operator().is_empty() {
            let (cluster, mailboxes) = (cluster.clone(), Arc::clone(&mailboxes));
            let begin = move || {
                let backend = Arc::new(HostBackend::new(host, Arc::clone(&mailboxes)));
                let chance = Chance::new(seed.stream("operator"));
                Client::new(u32::MAX, 0, cluster.clone(), Clock::new(engine::elapsed), chance, backend)
            };
            let operator = clients::operator(Rc::clone(&shared), Rc::clone(&system), begin);
            tokio::task::spawn_local(stage::on_stage(host, operator));
        }
        Box::pin(std::future::pending()) as _
    };
    hosts.push((Arc::from(CLIENTS), Box::new(process)));
    hosts
}

/// What outlives the processes of a node.
#[derive(Clone)]
struct Machine {
    disk: Arc<SimulatedDisk>,
    clock: Clock,
}

struct Run<'a, E> {
    recording: Recording,
    shared: Rc<Shared>,
    machines: Vec<Machine>,
    mailboxes: Arc<Mailboxes>,
    engine: E,
    fabric: Fabric,
    nemesis: Nemesis,
    /// Each with whether it is broken already: the first time tells most.
    invariants: Vec<(Box<dyn Invariant>, bool)>,
    nodes: &'a [String],
    clients: usize,
    /// Simulated milliseconds.
    step: u64,
    trace: Vec<TraceEvent>,
    findings: Vec<Finding>,
    reach: BTreeMap<&'static str, u64>,
    digest: Xxh3,
    /// The simulation itself failed: nothing more can be learnt.
    broken: bool,
}

impl<E: Engine> Run<'_, E> {
    fn through_all_phases(mut self, plan: &Plan, has_setup: bool) -> Execution {
        let Plan { stop_ms, recovery_ms, quiet_ms, healed, .. } = plan;
        if has_setup {
            while !self.broken && self.step < *recovery_ms && !self.all_done() {
                self.advance();
            }
            if !self.broken && !self.all_done() {
                let sentence = format!("what all clients need was not there after {:.1} s", *recovery_ms as f64 / 1e3);
                self.findings.push(Finding { name: "no-setup", claim: None, sentence, at: self.step * MILLISECOND });
                self.broken = true;
            }
        }
        self.shared.enter(Phase::Strain);
        // Faults end with the clients: what befalls an idle cluster tells nothing.
        while !self.broken && self.step < *stop_ms && !self.all_done() {
            self.advance();
        }
        let actions = self.nemesis.heal(healed, self.step);
        self.carry_out(actions);
        let mut phases = Phases { healed: self.step * MILLISECOND, ..Phases::default() };
        let mut quiet = None;
        // Operations that were under way get to their end first.
        self.shared.phase.set(Phase::Recovery);
        let until = self.step + *recovery_ms;
        while !self.broken && self.step < until && !self.has_recovered(healed) {
            self.advance();
        }
        if self.has_recovered(healed) {
            phases.recovered = Some(self.step * MILLISECOND);
            self.shared.enter(Phase::Quiet);
            let until = self.step + *quiet_ms;
            while !self.broken && self.step < until {
                self.advance();
            }
            self.shared.note("last-look".to_owned(), "all clients");
            quiet = Some(self.shared.history.borrow().next_position());
            self.shared.enter(Phase::LastLook);
            let until = self.step + LAST_LOOK_MS;
            while !self.broken && self.step < until && !self.all_done() {
                self.advance();
            }
        } else if !self.broken {
            self.findings.push(Finding {
                name: "no-recovery",
                claim: None,
                sentence: self.why_no_recovery(*recovery_ms),
                at: self.step * MILLISECOND,
            });
        }
        phases.ended = self.step * MILLISECOND;
        self.finish(phases, quiet)
    }

    /// Every client has had an answer; and where all nodes are healed, operators have done what they were asked for.
    fn has_recovered(&self, healed: &[String]) -> bool {
        let waits = healed.len() == self.nodes.len() && self.shared.is_operating();
        self.shared.done.get() >= 2 * self.clients && !waits
    }

    /// A millisecond of the run.
    fn advance(&mut self) {
        self.recording.set_time(self.step * MILLISECOND);
        if self.shared.phase.get() != Phase::Setup {
            let actions = self.nemesis.advance(self.step);
            self.carry_out(actions);
        }
        match panic::catch_unwind(AssertUnwindSafe(|| self.engine.step())) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.fails(error),
            // A process that took the step with it is a finding; the others go on.
            Err(_) if self.recording.has_exits() => {
                self.recording.sort_since_panic();
                self.engine.broke_off(&mut self.fabric, &mut self.nemesis, self.step);
                self.mailboxes.sort_last_words();
            }
            Err(panicked) => self.fails(stage::message_of(panicked.as_ref())),
        }
        for (fault, done) in self.shared.operated.take() {
            self.nemesis.felt(fault, if done { "commands done" } else { "commands refused" }, 1);
        }
        for (node, machine) in self.machines.iter().enumerate() {
            for (fault, effect, times) in machine.disk.take_felt() {
                self.nemesis.bit(node, fault, effect, times);
            }
        }
        if !self.broken {
            self.engine.carry(&mut self.fabric, &mut self.nemesis, self.step);
            self.mailboxes.carry(&mut self.fabric, &mut self.nemesis, self.step);
        }
        self.listen();
        self.step += 1;
    }

    fn why_no_recovery(&self, recovery_ms: u64) -> String {
        let waiting = (2 * self.clients).saturating_sub(self.shared.done.get()).min(self.clients);
        let nodes: Vec<String> = (0..self.nodes.len())
            .map(|host| {
                let role = self.trace.iter().rev().find(|said| said.host == host && said.event == "role");
                let epoch = |word| role.and_then(|said| Some((said.text("role")?, word, said.number(word)?)));
                let is = match (role.and_then(|said| said.text("role")), epoch("term").or_else(|| epoch("epoch"))) {
                    _ if self.nemesis.is_down(host) => "down".to_owned(),
                    (_, Some((role, word, epoch))) => format!("{role} in {word} {epoch}"),
                    (Some(role), None) => role.to_owned(),
                    (None, None) => "up".to_owned(),
                };
                format!("{} {is}", self.nodes[host])
            })
            .collect();
        format!(
            "{waiting} of {} clients got no answer within {:.1} s after healing ({})",
            self.clients,
            recovery_ms as f64 / 1000.0,
            nodes.join(", ")
        )
    }

    fn fails(&mut self, error: String) {
        self.broken = true;
        let at = self.step * MILLISECOND;
        self.findings.push(Finding { name: "panic", claim: None, sentence: format!("the run broke off: {error}"), at });
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Stop { node, loss, fault } => {
                    self.stop(node);
                    self.said(node, "stopped", Vec::new());
                    let disk = &self.machines[node].disk;
                    let (event, lost) = match loss {
                        DiskLoss::Nothing => continue,
                        DiskLoss::Unsynced => ("lost-power", disk.lose_power()),
                        DiskLoss::Everything => ("wiped", disk.lose_everything()),
                    };
                    self.nemesis.felt(fault, "bytes lost", lost);
                    self.said(node, event, vec![("bytes", FieldValue::Number(lost))]);
                }
                Action::Start { node } => {
                    self.engine.start(node);
                    self.said(node, "started", Vec::new());
                }
                Action::Pause { node, still } => {
                    stage::pause(node, still);
                    self.said(node, if still { "paused" } else { "resumed" }, Vec::new());
                }
                Action::Disk { node, fault, what } => match what {
                    Some(what) => self.machines[node].disk.break_down(fault, what),
                    None => self.machines[node].disk.mend(fault),
                },
                Action::MoveClock { node, by } => self.machines[node].clock.jump(by),
                Action::SpeedClock { node, factor } => self.machines[node].clock.speed_up(factor),
                Action::Operate { fault, command } => {
                    self.shared.commands.borrow_mut().push_back((fault, command));
                }
                Action::Churn => self.shared.churns.set(self.shared.churns.get() + 1),
                Action::Note { function, value } => self.shared.note(function, &value),
            }
        }
    }

    fn stop(&mut self, node: Host) {
        self.engine.stop(node, &mut self.fabric, &mut self.nemesis, self.step);
        self.mailboxes.sort_last_words();
    }

    fn said(&mut self, host: Host, event: &'static str, fields: Vec<(&'static str, FieldValue)>) {
        let said = TraceEvent { time: self.step * MILLISECOND, host, event, fields };
        self.hear(said);
    }

    /// Takes what was said in this step to the nemesis, the invariants and the trace.
    fn listen(&mut self) {
        for said in self.recording.take_said() {
            self.hear(said);
        }
        for exit in self.recording.take_exits() {
            let name = host_name(self.nodes, exit.host).to_owned();
            let what = match exit.how {
                Exit::Panic => "panicked",
                Exit::Failure => "gave up",
            };
            let sentence = format!("{name} {what}: {}", exit.message);
            // Who refuses to go on with a broken disk does right.
            let is_right = exit.how == Exit::Failure && exit.host < self.nodes.len() && self.nemesis.gave_up(exit.host);
            if !is_right {
                self.findings.push(Finding { name: exit.how.name(), claim: None, sentence, at: exit.time });
            }
            if exit.host < self.nodes.len() {
                if exit.how == Exit::Panic {
                    self.nemesis.died(exit.host);
                }
                self.stop(exit.host);
                let how = ("how", FieldValue::Text(exit.how.name().to_owned()));
                self.said(exit.host, "stopped", vec![how, ("message", FieldValue::Text(exit.message))]);
            }
        }
    }

    fn hear(&mut self, said: TraceEvent) {
        let epoch = said.number("term").or_else(|| said.number("epoch"));
        self.nemesis.observe(said.host, said.event, said.text("role"), epoch, self.step);
        let observed = Observed { said: &said, nodes: self.nodes };
        for (invariant, broken) in &mut self.invariants {
            if !*broken && let Err(violation) = invariant.observe(&observed) {
                *broken = true;
                self.findings.push(Finding {
                    name: invariant.name(),
                    claim: invariant.claim(),
                    sentence: violation.0,
                    at: said.time,
                });
            }
        }
        *self.reach.entry(said.event).or_default() += 1;
        digest(&mut self.digest, &said);
        self.trace.push(said);
    }

    fn all_done(&self) -> bool {
        self.shared.done.get() >= self.clients
    }

    fn finish(mut self, phases: Phases, quiet: Option<EventPosition>) -> Execution {
        // Processes end before their surroundings do: some still hold what they were given.
        drop(self.engine);
        let history = self.shared.history.take().finish();
        let judged = self.invariants.iter().filter(|(invariant, _)| invariant.judged() > 0);
        let judged_inside = judged.filter_map(|(invariant, _)| invariant.claim()).collect();
        let mut bytes = Vec::new();
        write_json_lines(&history, &mut bytes).expect("memory takes it");
        self.digest.update(&bytes);
        self.digest.update(&self.fabric.digest.digest().to_le_bytes());
        Execution {
            history,
            trace: self.trace,
            findings: self.findings,
            judged_inside,
            faults: self.nemesis.records(),
            phases,
            quiet,
            messages: self.fabric.counts,
            reach: self.reach,
            hash: self.digest.digest(),
        }
    }
}

/// In nanoseconds.
const MILLISECOND: u64 = 1_000_000;
/// How long the last look may take, in milliseconds.
const LAST_LOOK_MS: u64 = 10_000;

fn digest(digest: &mut Xxh3, said: &TraceEvent) {
    digest.update(&said.time.to_le_bytes());
    digest.update(&(said.host as u64).to_le_bytes());
    digest.update(said.event.as_bytes());
    for (name, datum) in &said.fields {
        digest.update(name.as_bytes());
        match datum {
            FieldValue::Number(number) => digest.update(&number.to_le_bytes()),
            FieldValue::Negative(number) => digest.update(&number.to_le_bytes()),
            FieldValue::Truth(truth) => digest.update(&[u8::from(*truth)]),
            FieldValue::Text(text) => digest.update(text.as_bytes()),
        }
    }
}

struct Observed<'a> {
    said: &'a TraceEvent,
    nodes: &'a [String],
}

impl Observation for Observed<'_> {
    fn node(&self) -> &str {
        host_name(self.nodes, self.said.host)
    }

    fn event(&self) -> &str {
        self.said.event
    }

    fn number(&self, field: &str) -> Option<u64> {
        self.said.number(field)
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.said.text(field)
    }
}
