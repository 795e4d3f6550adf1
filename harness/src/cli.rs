//! The command line: what is typed, what is printed, and how the process ends.

mod check;
mod doctor;
mod list;
mod replay;
mod run;

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All claims held.
    Held = 0,
    /// An anomaly breaks a claim.
    Broken = 1,
    /// Bad usage, or input that cannot be read.
    Bad = 2,
    /// Undecided: a budget ran out.
    Undecided = 3,
    /// A replayed run is not what was recorded.
    Differs = 4,
}

/// What is wrong with what was typed, or with what was to be read or written.
#[derive(Debug)]
pub struct CliError(String);

impl<E: fmt::Display> From<E> for CliError {
    fn from(error: E) -> CliError {
        CliError(error.to_string())
    }
}

/// Breaks distributed systems on purpose, and decides from what clients saw which guarantees held.
#[derive(Parser)]
#[command(name = "shakedown", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// What is printed: text for people, or one JSON object a line
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a system under faults and judges it; with no SYSTEM, the default suite
    Run(RunArguments),
    /// Decides which guarantees recorded histories satisfy: linearizable, serializable, causal …
    Check(CheckArguments),
    /// Runs a recorded plan again, and compares byte for byte
    Replay(ReplayArguments),
    /// Runs plans twice in this process and once in another, and names the first event that differs
    Doctor(DoctorArguments),
    /// Lists what there is: systems, modes, workloads, faults, models, consistency levels, defects, marks
    List(ListArguments),
}

/// What is run, apart from the seeds.
#[derive(Args)]
struct ScenarioArguments {
    /// The system under test
    system: Option<String>,
    /// Its mode; without it, all of them
    #[arg(long)]
    mode: Option<String>,
    /// What clients do; without it, all that the system serves
    #[arg(long)]
    workload: Option<String>,
    /// The kinds of faults to draw from: a list of names and groups (network, process, disk, clock, clients) with commas, `all` or `none`
    #[arg(long, default_value = "all", value_name = "LIST")]
    faults: String,
    /// How many nodes [default: mostly 3, sometimes more]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=63))]
    nodes: Option<u32>,
    /// How many clients
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    clients: u32,
    /// How many operations each client plans [default: 40 for each second of --time]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    operations: Option<u32>,
    /// How long clients go on at the most, in simulated time: 6s, 1500ms
    #[arg(long, default_value = "6s", value_name = "D")]
    time: String,
    /// Heals all nodes in the end; without it, in some seeds only as many as the system must recover from
    #[arg(long)]
    heal_all: bool,
    /// Plants a defect; the run is expected to fail
    #[arg(long, value_name = "NAME")]
    defect: Option<String>,
}

#[derive(Args)]
struct RunArguments {
    #[command(flatten)]
    what: ScenarioArguments,
    /// One seed
    #[arg(long, conflicts_with = "seeds", value_name = "N")]
    seed: Option<u64>,
    /// Seeds from A up to but not including B [default: 0..12; with --defect 0..200]
    #[arg(long, value_name = "A..B")]
    seeds: Option<String>,
    /// How many runs at once [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    jobs: Option<u32>,
    /// Where runs are written
    #[arg(long, default_value = "results/runs", value_name = "DIR")]
    out: PathBuf,
    /// Which runs are written: those that fail and the first of each kind, all, or none
    #[arg(long, value_enum, default_value_t = Keep::Failing)]
    keep: Keep,
    /// Ends after so many failing runs [default: 3 with --defect]
    #[arg(long, value_name = "N")]
    stop_after: Option<usize>,
    /// Runs each plan twice, and compares
    #[arg(long)]
    verify_determinism: bool,
}

#[derive(Args)]
struct DoctorArguments {
    #[command(flatten)]
    what: ScenarioArguments,
    /// The seed whose plan is run
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Keep {
    Failing,
    All,
    None,
}

#[derive(Args)]
struct CheckArguments {
    /// Histories: JSON Lines, JSON arrays, EDN, old Jepsen logs or the text of Plume and AWDIT, also with gzip or zstd; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The sequential specification; without it, it is guessed
    #[arg(long)]
    model: Option<String>,
    /// A level of `shakedown list consistency`; `fingerprint`, for the strongest ones that hold; `invariant`, for the rule of a workload
    /// [default: linearizable; of transactions strict-serializable]
    #[arg(long)]
    consistency: Option<String>,
    /// What registers hold at first, as JSON (0, true, "a"), or text as it is [default: nil]
    #[arg(long, value_name = "V", allow_hyphen_values = true)]
    initial: Option<String>,
    /// Of rw-register: each key by itself is linearizable, which orders its versions
    #[arg(long)]
    linearizable_keys: bool,
    /// Of rw-register: each key by itself is sequentially consistent, which orders its versions
    #[arg(long)]
    sequential_keys: bool,
    /// Of rw-register: what a transaction read from a key came before what it wrote to it
    #[arg(long)]
    wfr_keys: bool,
    /// How much memory a check may take, all files together: 512MiB, 4GiB; past it the verdict is unknown [default: half the machine]
    #[arg(long, value_name = "SIZE")]
    max_memory: Option<bytesize::ByteSize>,
    /// How long the check of one file may take; past it the verdict is unknown
    #[arg(long, default_value_t = 60.0, value_name = "SECONDS")]
    max_seconds: f64,
    #[command(flatten)]
    invariants: check::InvariantArguments,
}

#[derive(Args)]
struct ReplayArguments {
    /// A run's directory, its name under --out, or a plan.json
    run: PathBuf,
    /// Where runs are
    #[arg(long, default_value = "results/runs", value_name = "DIR")]
    out: PathBuf,
}

#[derive(Args)]
struct ListArguments {
    /// What to list; without it, everything
    #[arg(value_enum)]
    what: Option<list::What>,
}

/// Parses the command line and does what it says.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Status::Bad as u8 } else { Status::Held as u8 });
        }
    };
    let json = arguments.format == Format::Json;
    let done = match arguments.command {
        Command::Run(arguments) => run::run(&arguments, json),
        Command::Check(arguments) => check::check(&arguments, json),
        Command::Replay(arguments) => replay::replay(&arguments, json),
        Command::Doctor(arguments) => doctor::doctor(&arguments, json),
        Command::List(arguments) => list::list(&arguments, json),
    };
    match done {
        Ok(status) => ExitCode::from(status as u8),
        Err(CliError(trouble)) => {
            anstream::eprintln!("error: {trouble}");
            ExitCode::from(Status::Bad as u8)
        }
    }
}

/// Prints a line on standard output. Whoever reads it may have gone: that is no error.
fn print(line: impl fmt::Display) {
    use std::io::Write;
    let _ = writeln!(anstream::stdout(), "{line}");
}

/// The command by which this program is called, to be copied: cargo's own if it was called by cargo.
fn program() -> &'static str {
    if std::env::var_os("CARGO_MANIFEST_DIR").is_some() { "cargo run --release --" } else { "shakedown" }
}

/// How a name that is not known is refused.
fn unknown(what: &str, name: &str, known: &[&str]) -> CliError {
    CliError(format!("there is no {what} {name:?}; {}", crate::plan::offered(name, known)))
}
