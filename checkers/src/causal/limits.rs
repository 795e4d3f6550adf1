//! What a check may **cost**: looked at in every phase that can be long.
//!
//! Bytes and configurations are counted, so that a verdict does not depend on the machine. The clock is only looked at where there is
//! a deadline.

use std::time::Instant;

use crate::verdict::Budget;

/// How much may be spent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub configurations: u64,
    pub bytes: u64,
    pub threads: usize,
    deadline: Option<Instant>,
}

/// What ran out, and how far the phase came in which it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Over {
    what: Resource,
    phase: &'static str,
    done: u64,
    of: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource {
    Time,
    Bytes { needed: u64, most: u64 },
    Configurations(u64),
}

impl Limits {
    pub fn of(budget: &Budget) -> Limits {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        Limits {
            configurations: budget.configurations,
            bytes: budget.bytes.unwrap_or(u64::MAX),
            threads: budget.threads.unwrap_or_else(cores).max(1),
            deadline: budget.deadline,
        }
    }

    /// Whether the time is over.
    pub fn late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() > deadline)
    }

    /// Begins a phase of `of` steps, which is said in a message as "while ...".
    pub fn begin(&self, phase: &'static str, of: usize) -> Pace<'_> {
        Pace { limits: self, phase, of: of as u64, done: 0, left: 1 }
    }
}

/// How far a phase has come.
pub(super) struct Pace<'a> {
    limits: &'a Limits,
    phase: &'static str,
    of: u64,
    done: u64,
    /// Steps until the clock is looked at.
    left: u32,
}

impl Pace<'_> {
    /// One step done.
    pub fn step(&mut self) -> Result<(), Over> {
        self.done += 1;
        self.pause()
    }

    /// Looks at the clock now and then.
    pub fn pause(&mut self) -> Result<(), Over> {
        self.left -= 1;
        if self.left > 0 { Ok(()) } else { self.look() }
    }

    #[cold]
    fn look(&mut self) -> Result<(), Over> {
        self.left = 256;
        if self.limits.late() { Err(self.over(Resource::Time)) } else { Ok(()) }
    }

    /// Whether so many bytes are allowed.
    pub fn afford(&self, bytes: u64) -> Result<(), Over> {
        let most = self.limits.bytes;
        if bytes <= most { Ok(()) } else { Err(self.over(Resource::Bytes { needed: bytes, most })) }
    }

    /// Whether so many configurations are allowed.
    pub fn afford_configurations(&self, configurations: u64) -> Result<(), Over> {
        let most = self.limits.configurations;
        if configurations <= most { Ok(()) } else { Err(self.over(Resource::Configurations(most))) }
    }

    /// How far it came.
    pub fn reach(&mut self, done: usize) {
        self.done = done as u64;
    }

    fn over(&self, what: Resource) -> Over {
        Over { what, phase: self.phase, done: self.done.min(self.of), of: self.of }
    }
}

impl Over {
    /// What ran out, how far it came, and what would help.
    pub fn reason(&self) -> String {
        let mebibytes = |bytes: u64| format!("{} MiB", bytes.div_ceil(1 << 20));
        let (what, helps) = match self.what {
            Resource::Time => ("the time was over".to_owned(), "more time (--max-seconds)"),
            Resource::Bytes { needed, most } => (
                format!("at least {} of memory were needed, and {} are allowed", mebibytes(needed), mebibytes(most)),
                "more memory (--max-memory), or fewer sessions",
            ),
            Resource::Configurations(most) => {
                (format!("{most} configurations had been tried"), "a larger budget of configurations")
            }
        };
        format!(
            "{what} while {}, at {} of {}. What would help: {helps}, or a shorter history",
            self.phase, self.done, self.of
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_deadline_time_never_runs_out() {
        let limits = Limits::of(&Budget::of_configurations(1));
        let mut pace = limits.begin("counting", 100_000);
        assert!((0..100_000).all(|_| pace.step().is_ok()));
        assert!(pace.afford(u64::MAX).is_ok());
    }

    #[test]
    fn what_ran_out_is_said_with_how_far_it_came_and_what_would_help() {
        let late = Budget { deadline: Some(Instant::now()), bytes: Some(1 << 20), ..Budget::of_configurations(1) };
        std::hint::black_box(std::iter::repeat_n(0, 1_000_000).sum::<u64>());
        let limits = Limits::of(&late);
        let mut pace = limits.begin("counting sheep", 7);
        let over = (0..1_000_000_u32).find_map(|_| pace.step().err()).expect("the deadline is over");
        assert!(over.reason().starts_with("the time was over while counting sheep, at "), "{}", over.reason());
        assert!(over.reason().contains("--max-seconds"));
        let over = pace.afford(2 << 20).expect_err("twice of what is allowed");
        assert!(over.reason().starts_with("at least 2 MiB of memory were needed, and 1 MiB are allowed"));
        let over = pace.afford_configurations(2).expect_err("one is allowed");
        assert!(over.reason().starts_with("1 configurations had been tried"), "{}", over.reason());
    }
}
