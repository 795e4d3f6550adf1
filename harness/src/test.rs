//! The door for a test: a system, what clients do, what it promises, and seeds.

use std::cell::Cell;
use std::env;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use shakedown_checkers::Claim;
use shakedown_results::{RunRecord, VerdictWord, directory};
use shakedown_systems::door::System;
use shakedown_workloads::{Invoke, Workload};

use crate::campaign::{Campaign, Job};
use crate::catalogue::{JudgedRun, Pairing, pair_of};
use crate::determinism::{self, Recorded};
use crate::plan::{FaultKind, Plan, nonsense, offered, refusal};
use crate::scenario::Scenario;

/// The plan that is to be run instead of any seed: a run's directory, or a `plan.json`.
const REPLAY: &str = "SHAKEDOWN_REPLAY";
/// Which of the tests that one function runs is to do so, from 1.
const CALL: &str = "SHAKEDOWN_CALL";
/// Where another process leaves the run of that plan.
const OUT: &str = "SHAKEDOWN_OUT";

/// A test of a system: three nodes, five clients, six simulated seconds and seeds 0 to 39, unless told otherwise.
///
/// ```
/// use std::collections::BTreeMap;
/// use shakedown::prelude::*;
/// use shakedown::kv::Operation;
///
/// /// Each node keeps what it is told, and tells no other.
/// struct Islands;
///
/// impl System for Islands {
///     type Client = Islander;
///
///     fn node(&self, node: Node) -> impl Future<Output = Result<(), Failure>> + 'static {
///         async move {
///             let (socket, mut values) = (node.bind(7000)?, BTreeMap::new());
///             loop {
///                 let (from, bytes) = socket.receive().await;
///                 let operation: Operation = serde_json::from_slice(&bytes)?;
///                 let answer: Option<i64> = match operation {
///                     Operation::Read { key } => values.get(&key).copied(),
///                     Operation::Write { key, value } | Operation::Cas { key, new: value, .. } => values.insert(key, value),
///                 };
///                 socket.send(&from, &serde_json::to_vec(&answer)?);
///             }
///         }
///     }
///
///     fn client(&self, client: Client) -> Islander {
///         Islander(client)
///     }
/// }
///
/// struct Islander(Client);
///
/// impl Invoke<Kv> for Islander {
///     async fn invoke(&mut self, operation: &Operation) -> Outcome<Option<i64>> {
///         let Ok(socket) = self.0.bind(0) else { return Outcome::Fail("no port is free".to_owned()) };
///         let home = Address { host: self.0.home().clone(), port: 7000 };
///         socket.send(&home, &serde_json::to_vec(operation).expect("it has a JSON form"));
///         let answer = tokio::time::timeout(Duration::from_millis(200), socket.receive()).await;
///         match answer.map(|(_, bytes)| serde_json::from_slice(&bytes)) {
///             Ok(Ok(value)) => Outcome::Ok(value),
///             _ => Outcome::Info("no answer".to_owned()),
///         }
///     }
/// }
///
/// # let out = tempfile::tempdir().expect("there is room");
/// let failure = shakedown::test(Islands)
///     .nodes(2)
///     .workload(Kv::default())
///     .claim(Linearizable)
///     .seeds(0..5)
/// #   .out(out.path())
///     .check()
///     .expect_err("nobody tells the other island");
/// assert!(failure.to_string().contains("linearizable is broken"));
/// ```
#[must_use = "a test does nothing until it is run"]
#[derive(Clone)]
pub struct Test<S, W> {
    system: S,
    workload: W,
    claims: Vec<Claim>,
    seeds: Range<u64>,
    nodes: u32,
    clients: u32,
    operations: Option<usize>,
    time: Duration,
    faults: Option<Vec<String>>,
    heal_all: bool,
    verify_determinism: bool,
    out: Option<PathBuf>,
}

/// A test of a system. What clients do is still to be said: [`Test::workload`].
pub fn test<S: System + Send + Sync>(system: S) -> Test<S, ()> {
    Test {
        system,
        workload: (),
        claims: Vec::new(),
        seeds: 0..40,
        nodes: 3,
        clients: 5,
        operations: None,
        time: Duration::from_secs(6),
        faults: None,
        heal_all: false,
        verify_determinism: false,
        out: None,
    }
}

impl<S> Test<S, ()> {
    /// What clients do.
    pub fn workload<W: Workload>(self, workload: W) -> Test<S, W> {
        let Test { system, workload: (), claims, seeds, nodes, clients, operations, time, faults, .. } = self;
        let Test { heal_all, verify_determinism, out, .. } = self;
        Test {
            system,
            workload,
            claims,
            seeds,
            nodes,
            clients,
            operations,
            time,
            faults,
            heal_all,
            verify_determinism,
            out,
        }
    }
}

impl<S, W> Test<S, W> {
    /// What the system promises: a level, or a rule that the workload judges. Without any, only panics, invariants and recovery are.
    pub fn claim(mut self, claim: impl Into<Claim>) -> Test<S, W> {
        self.claims.push(claim.into());
        self
    }

    /// The seeds; each draws a plan.
    pub fn seeds(self, seeds: Range<u64>) -> Test<S, W> {
        Test { seeds, ..self }
    }

    /// How many nodes.
    pub fn nodes(self, nodes: u32) -> Test<S, W> {
        Test { nodes, ..self }
    }

    /// How many clients.
    pub fn clients(self, clients: u32) -> Test<S, W> {
        Test { clients, ..self }
    }

    /// How many operations each client plans; unless told, as many as fill the time.
    pub fn operations(self, operations: usize) -> Test<S, W> {
        Test { operations: Some(operations), ..self }
    }

    /// How long clients go on at the most, and faults with them: simulated time.
    pub fn time(self, time: Duration) -> Test<S, W> {
        Test { time, ..self }
    }

    /// The kinds of faults to draw from, by name, as `shakedown list faults` has them; unless told, all that the system endures. None at all is a test too.
    pub fn faults(self, faults: &[&str]) -> Test<S, W> {
        Test { faults: Some(faults.iter().map(|name| (*name).to_owned()).collect()), ..self }
    }

    /// Heals all nodes in the end, and never only as many as the system must recover from.
    pub fn heal_all(self) -> Test<S, W> {
        Test { heal_all: true, ..self }
    }

    /// Runs each plan twice, and the first one in another process too: a service that does not repeat is told so, with the first event
    /// that differs.
    pub fn verify_determinism(self) -> Test<S, W> {
        Test { verify_determinism: true, ..self }
    }

    /// Where the first failing run is written; unless told, below `target/shakedown`.
    pub fn out(self, out: impl Into<PathBuf>) -> Test<S, W> {
        Test { out: Some(out.into()), ..self }
    }
}

/// What a test that passed has seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// All runs, in the order of their seeds.
    pub runs: Vec<RunRecord>,
    /// How long they took.
    pub took: Duration,
}

/// Why a test failed: as it is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct TestFailure(String);

impl fmt::Display for TestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As it is told: who unwraps it reads it.
impl fmt::Debug for TestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for TestFailure {}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.runs.first() else { return f.write_str("nothing was run") };
        let count = |of: fn(&RunRecord) -> usize| self.runs.iter().map(of).sum::<usize>();
        let claims: Vec<&str> = first.claims.iter().map(|claim| claim.claim.as_str()).collect();
        let claims = if claims.is_empty() { "nothing was claimed".to_owned() } else { claims.join(", ") };
        write!(
            f,
            "{}: {} runs held ({claims}), {} operations of which {} succeeded, {} of {} faults felt, {:.1} s",
            first.system,
            self.runs.len(),
            count(|run| run.operations.ok + run.operations.fail + run.operations.info),
            count(|run| run.operations.ok),
            count(|run| run.applied_faults.iter().filter(|fault| fault.was_felt()).count()),
            count(|run| run.faults),
            self.took.as_secs_f64(),
        )?;
        for mark in first.reach.keys().filter(|mark| self.runs.iter().all(|run| run.reach.get(*mark) == Some(&0))) {
            write!(f, "\n  never reached: {mark}")?;
        }
        Ok(())
    }
}

impl<S, W> Test<S, W>
where
    S: System + Send + Sync,
    W: Workload,
    S::Client: Invoke<W>,
{
    /// Runs the test.
    ///
    /// # Panics
    /// At the first seed that breaks a claim, with what a person needs to see, where its page is and how to run it again. Also if what
    /// the test asks for makes no sense.
    #[track_caller]
    #[expect(clippy::print_stdout, reason = "the output of a test is its own")]
    pub fn run(self) {
        match self.check() {
            Ok(summary) => println!("{summary}"),
            // The message of a panic is printed as it is; what `unwrap` adds would be in the way.
            Err(failure) => panic!("{failure}"),
        }
    }

    /// The same, for a test that wants to say something about it.
    ///
    /// # Errors
    /// At the first seed that breaks a claim.
    pub fn check(self) -> Result<Summary, TestFailure> {
        let Test { system, workload, claims, seeds, nodes, clients, operations, time, .. } = self;
        let known: Vec<&'static str> = FaultKind::ALL.iter().map(|(name, _)| *name).collect();
        let kind = |name: &String| {
            let unknown = || nonsense("faults", format!("there is no fault {name:?}; {}", offered(name, &known)));
            known.iter().copied().find(|known| known == name).ok_or_else(unknown)
        };
        let kinds = |names: &Vec<String>| names.iter().map(kind).collect::<Result<Vec<_>, _>>();
        let faults = self.faults.as_ref().map(kinds).transpose().map_err(told)?;
        let pairing = pair_of(system, &claims, workload);
        let (info, mode) = (pairing.system(), &pairing.system().modes[0]);
        if let Some(problem) = faults.iter().flatten().find_map(|kind| refusal(kind, info, mode)) {
            return Err(told(nonsense("faults", problem)));
        }
        if seeds.is_empty() {
            return Err(told(nonsense("seeds", format!("{seeds:?} holds none"))));
        }
        if nodes == 0 {
            return Err(told(nonsense("nodes", "there must be one".to_owned())));
        }
        let scenario = Scenario {
            nodes: Some(nodes),
            clients,
            operations,
            stop_ms: time.as_millis() as u64,
            faults,
            heal_all: self.heal_all,
            ..Scenario::new(&pairing.system().name, "only")
        };
        let name = name_of_the_test();
        let out = self.out.unwrap_or_else(|| target().join("shakedown").join(folder_of(&name)));
        let call = CALLS.replace(CALLS.get() + 1) + 1;
        let running = Running { pairing: &*pairing, scenario, out, name, call };
        let wanted = env::var(CALL).ok().and_then(|call| call.parse().ok()).unwrap_or(1);
        if let Some(path) = env::var_os(REPLAY).filter(|_| call == wanted) {
            return running.replay(Path::new(&path));
        }
        if self.verify_determinism {
            running.diagnose(seeds.start)?;
        }
        running.seeds(seeds, self.verify_determinism)
    }
}

thread_local! {
    /// How many tests this thread's function has run.
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

/// A test whose types no longer matter.
struct Running<'a> {
    pairing: &'a dyn Pairing,
    scenario: Scenario,
    out: PathBuf,
    name: String,
    call: u32,
}

impl Running<'_> {
    fn seeds(&self, seeds: Range<u64>, verify_determinism: bool) -> Result<Summary, TestFailure> {
        let begun = Instant::now();
        // What makes no sense is told before anything is run.
        self.pairing.draw(&self.scenario, seeds.start).map_err(told)?;
        let _root = directory::prepare(&self.out).map_err(told)?;
        let jobs: Vec<Job<'_>> =
            seeds.map(|seed| Job { pairing: self.pairing, scenario: &self.scenario, seed, keep: false }).collect();
        let campaign = Campaign {
            out: Some(&self.out),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            verify_determinism,
            stop_after: Some(1),
            replay: &|folder| self.again(folder),
            interrupted: &AtomicBool::new(false),
        };
        let mut failure = None;
        let runs = campaign.run(&jobs, |judged, unwritten| {
            if judged.record.verdict != VerdictWord::Valid && failure.is_none() {
                let unwritten = unwritten.map(|error| format!("  it is not kept: {error}\n")).unwrap_or_default();
                failure = Some(format!("{}{unwritten}", self.block(judged)));
            }
        });
        match failure {
            None => Ok(Summary { runs, took: begun.elapsed() }),
            Some(block) => {
                let before = runs.iter().take_while(|run| run.verdict == VerdictWord::Valid).count();
                let runs = if before == 1 { "run" } else { "runs" };
                Err(TestFailure(format!("after {before} {runs} that held\n{block}")))
            }
        }
    }

    /// Runs the plan that is asked for, and holds it against what was recorded of it.
    fn replay(&self, path: &Path) -> Result<Summary, TestFailure> {
        let begun = Instant::now();
        let file = if path.is_dir() { path.join("plan.json") } else { path.to_owned() };
        let plan = Plan::read(&file).map_err(told)?;
        if let Some(out) = env::var_os(OUT) {
            determinism::run_for_another(self.pairing, plan, Path::new(&out)).map_err(told)?;
            // Nothing else was asked for.
            std::process::exit(0);
        }
        let is_edited = plan.is_edited();
        let mut judged = self.pairing.run(plan).map_err(told)?;
        let folder = file.parent().unwrap_or(Path::new("."));
        let mut note = "there is no recorded run to compare with\n".to_owned();
        if is_edited || !folder.join("history.jsonl").is_file() {
            let _root = directory::prepare(&self.out).map_err(told)?;
            self.keep(&mut judged, &self.out)?;
        } else {
            let recorded = Recorded::read(folder).map_err(told)?;
            judged.settle(folder, self.again(folder));
            note = match recorded.differs_from(&Recorded::of(&judged)) {
                Some(differs) => format!("replayed: DIFFERS from the recorded run: {differs}\n"),
                None => "replayed: the same as the recorded run, event by event\n".to_owned(),
            };
        }
        match judged.record.verdict {
            VerdictWord::Valid => Ok(Summary { runs: vec![judged.record], took: begun.elapsed() }),
            _ => Err(TestFailure(format!("\n{}{note}", self.block(&judged)))),
        }
    }

    fn keep(&self, judged: &mut JudgedRun, out: &Path) -> Result<(), TestFailure> {
        let folder = out.join(&judged.record.run);
        judged.settle(&folder, self.again(&folder));
        judged.write(out).map(|_| ()).map_err(told)
    }

    fn diagnose(&self, seed: u64) -> Result<(), TestFailure> {
        let plan = self.pairing.draw(&self.scenario, seed).map_err(told)?;
        let elsewhere = |plan: &Path, out: &Path| {
            let mut command = Command::new(env::current_exe()?);
            command.env(REPLAY, plan).env(OUT, out).env(CALL, self.call.to_string());
            if self.name != MAIN {
                command.args([&self.name, "--exact"]);
            }
            Ok(command)
        };
        match determinism::diagnose(self.pairing, plan, elsewhere).map_err(told)?.differs {
            None => Ok(()),
            Some(differs) => Err(TestFailure(format!("the plan of seed {seed} does not repeat: {differs}"))),
        }
    }

    /// What a person reads of a run that failed.
    fn block(&self, judged: &JudgedRun) -> String {
        let block = judged.block("shakedown");
        let plain = anstream::adapter::strip_str(&block).to_string();
        let says_roles = judged.execution.reach.contains_key("role");
        let hint = match says_roles || self.pairing.system().modes.iter().all(|mode| mode.roles.is_empty()) {
            true => String::new(),
            false => "  note     no node said which role it has: faults aimed at roles never began\n".to_owned(),
        };
        format!("{plain}{hint}")
    }

    /// How what is kept in a directory is run again.
    fn again(&self, folder: &Path) -> String {
        let call = if self.call > 1 { format!("{CALL}={} ", self.call) } else { String::new() };
        format!("{call}{REPLAY}={} {}", folder.display(), self.command())
    }

    /// How this test is run by itself.
    fn command(&self) -> String {
        if self.name != MAIN {
            return format!("cargo test {}", self.name);
        }
        let program = env::current_exe().unwrap_or_default();
        let folder = program.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        match (folder.as_str(), program.file_stem()) {
            ("examples", Some(name)) => format!("cargo run --example {}", name.to_string_lossy()),
            ("debug", Some(name)) => format!("cargo run --bin {}", name.to_string_lossy()),
            ("release", Some(name)) => format!("cargo run --release --bin {}", name.to_string_lossy()),
            _ => program.display().to_string(),
        }
    }
}

/// What a thread is called that is no test's.
const MAIN: &str = "main";

/// Tests run on threads of their names.
fn name_of_the_test() -> String {
    std::thread::current().name().unwrap_or(MAIN).to_owned()
}

/// Below which the runs of a test are written: its name, or the program's.
fn folder_of(test: &str) -> String {
    let program = env::current_exe().unwrap_or_default();
    match program.file_stem() {
        Some(stem) if test == MAIN => stem.to_string_lossy().into_owned(),
        _ => test.replace("::", "-"),
    }
}

/// cargo's directory for what it makes, or one of that name here.
fn target() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    let is_target = |folder: &&Path| folder.join("CACHEDIR.TAG").is_file();
    let Some(found) = program.ancestors().find(is_target) else { return PathBuf::from("target") };
    // From where tests run, if that is above it: what is printed is read.
    let here = env::current_dir().unwrap_or_default();
    found.strip_prefix(here).unwrap_or(found).to_owned()
}

fn told(error: impl fmt::Display) -> TestFailure {
    TestFailure(error.to_string())
}
