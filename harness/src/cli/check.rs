//! `shakedown check`: histories from anywhere.
//!
//! What is asked ([`Question`]) is settled once for all files; each file is read within its limits, held against it, and told ([`Told`]).

mod question;
mod told;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use shakedown_checkers::history::{ReadError, ReadOptions, read_file_with};
use shakedown_checkers::{Answer, Budget, History};

use super::{CheckArguments, CliError, Status, print};
use question::Question;
use told::Told;

pub(super) use question::InvariantArguments;

pub(super) fn check(arguments: &CheckArguments, json: bool) -> Result<Status, CliError> {
    let question = Question::of(arguments)?;
    let limits = Limits::of(arguments)?;
    let mut worst = Status::Held;
    in_order(
        &arguments.files,
        limits.at_once,
        |file| {
            let told = answer(&question, &limits, file)?;
            Ok((told.status(), if json { told.json()? } else { told.text() }))
        },
        |told: Result<_, CliError>| match told {
            Ok((status, text)) => {
                print(text);
                worst = graver(worst, status);
            }
            Err(CliError(trouble)) => {
                anstream::eprintln!("error: {trouble}");
                worst = Status::Bad;
            }
        },
    );
    Ok(worst)
}

fn answer(question: &Question, limits: &Limits, file: &Path) -> Result<Told, CliError> {
    let begun = Instant::now();
    let deadline = begun.checked_add(limits.time);
    let options = ReadOptions { threads: limits.threads, max_bytes: Some(limits.memory), deadline };
    let mut told = match read_file_with(file, &options) {
        Ok(history) => {
            let itself = PROGRAM.min(limits.memory / 4);
            let rest = limits.memory.saturating_sub(history.bytes() as u64 + itself);
            let budget =
                Budget { configurations: u64::MAX, bytes: Some(rest), deadline, threads: Some(limits.threads) };
            question.answer(file, history, budget)?
        }
        Err(over @ ReadError::OverBudget { .. }) => Told {
            file: file.display().to_string(),
            history: History::default(),
            model: question.model(),
            consistency: question.consistency(),
            guessed: question.guessed(),
            answer: Answer::undecided(over.to_string()),
            seconds: 0.0,
        },
        Err(error) => return Err(error.into()),
    };
    told.seconds = begun.elapsed().as_secs_f64();
    Ok(told)
}

/// What the program takes before it holds anything.
const PROGRAM: u64 = 8 << 20;

/// What the check of one file may cost, and how many are checked at once.
struct Limits {
    at_once: usize,
    /// Bytes, for each file.
    memory: u64,
    /// For each file.
    threads: usize,
    /// For each file.
    time: Duration,
}

impl Limits {
    fn of(arguments: &CheckArguments) -> Result<Limits, CliError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let at_once = cores.min(arguments.files.len()).max(1);
        let memory = arguments.max_memory.unwrap_or_else(half_the_machine);
        let time = Duration::try_from_secs_f64(arguments.max_seconds)
            .map_err(|error| CliError(format!("--max-seconds {}: {error}", arguments.max_seconds)))?;
        Ok(Limits { at_once, memory: memory.as_u64() / at_once as u64, threads: cores / at_once, time })
    }
}

/// Does something with each file, several at once, and takes the answers in the order of the files.
fn in_order<T: Send>(files: &[PathBuf], at_once: usize, work: impl Fn(&Path) -> T + Sync, mut take: impl FnMut(T)) {
    if at_once == 1 {
        return files.iter().for_each(|file| take(work(file)));
    }
    let next = AtomicUsize::new(0);
    let (answers, answered) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            let answers = answers.clone();
            scope.spawn(|| {
                let answers = answers;
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(at) else { return };
                    if answers.send((at, work(file))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(answers);
        let mut early = BTreeMap::new();
        let mut due = 0;
        for (at, answer) in answered {
            early.insert(at, answer);
            while let Some(answer) = early.remove(&due) {
                take(answer);
                due += 1;
            }
        }
    });
}

/// Half of the memory that this process may use: of the machine, or of the control group that it runs in. Where the system does not
/// tell, 2 GiB.
fn half_the_machine() -> ByteSize {
    let Ok(mut system) = sysinfo::System::new() else { return ByteSize::gib(2) };
    system.refresh_memory();
    let group = system.cgroup_limits().map_or(u64::MAX, |limits| limits.total_memory);
    ByteSize(system.total_memory().min(group) / 2)
}

/// What was unreadable is graver than what is broken, and that than what is undecided.
fn graver(one: Status, other: Status) -> Status {
    let gravity = |status| match status {
        Status::Held => 0,
        Status::Undecided => 1,
        Status::Broken | Status::Differs => 2,
        Status::Bad => 3,
    };
    if gravity(other) > gravity(one) { other } else { one }
}
