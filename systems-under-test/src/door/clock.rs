//! A machine's clock, which may be wrong.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// The clock of a machine. It outlives the machine's processes, may be ahead or behind, and may run fast or slow; what it
/// shows and how long it sleeps agree. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    elapsed: fn() -> Duration,
    course: Mutex<Course>,
    changed: Notify,
}

/// How the clock has run since it was last touched.
#[derive(Clone, Copy, Debug)]
struct Course {
    /// When that was, in true time.
    since: Duration,
    /// What it showed then.
    shown: Duration,
    /// How much faster than true time it runs.
    rate: f64,
}

impl Course {
    fn at(&self, now: Duration) -> Duration {
        let passed = now.saturating_sub(self.since);
        let shown = match self.rate {
            1.0 => passed,
            rate => Duration::try_from_secs_f64(passed.as_secs_f64() * rate).unwrap_or(Duration::MAX),
        };
        self.shown.saturating_add(shown)
    }
}

impl Clock {
    /// A right clock, over the time since the simulation began.
    pub fn new(elapsed: fn() -> Duration) -> Clock {
        let course = Course { since: Duration::ZERO, shown: Duration::ZERO, rate: 1.0 };
        Clock(Arc::new(Inner { elapsed, course: Mutex::new(course), changed: Notify::new() }))
    }

    /// The time that this clock shows, since the simulation began.
    pub fn now(&self) -> Duration {
        self.course().at((self.0.elapsed)())
    }

    /// Waits until this much time has passed on this clock. A clock that is touched meanwhile wakes its sleepers as it then runs.
    pub async fn sleep(&self, duration: Duration) {
        let until = self.now().saturating_add(duration);
        loop {
            let (left, rate) = (until.saturating_sub(self.now()), self.course().rate);
            if left.is_zero() && !duration.is_zero() {
                return;
            }
            tokio::select! {
                biased;
                () = tokio::time::sleep(true_time(left, rate)) => return,
                () = self.0.changed.notified() => {}
            }
        }
    }

    /// Moves the clock, in nanoseconds: forward, or back as far as the beginning.
    pub fn jump(&self, nanoseconds: i64) {
        self.touch(|course| {
            let by = Duration::from_nanos(nanoseconds.unsigned_abs());
            course.shown =
                if nanoseconds < 0 { course.shown.saturating_sub(by) } else { course.shown.saturating_add(by) };
        });
    }

    /// Lets the clock run so many times as fast as it does now. What it shows does not jump.
    ///
    /// # Panics
    /// If the factor is not above zero.
    pub fn speed_up(&self, factor: f64) {
        assert!(factor > 0.0, "a clock runs forward");
        self.touch(|course| {
            let rate = course.rate * factor;
            // What was slowed down and sped up as much is right again.
            course.rate = if (rate - 1.0).abs() < 1e-9 { 1.0 } else { rate };
        });
    }

    fn touch(&self, change: impl FnOnce(&mut Course)) {
        let now = (self.0.elapsed)();
        let mut course = self.0.course.lock().unwrap_or_else(PoisonError::into_inner);
        (course.shown, course.since) = (course.at(now), now);
        change(&mut course);
        drop(course);
        self.0.changed.notify_waiters();
    }

    fn course(&self) -> Course {
        *self.0.course.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long it takes until so much time has passed on a clock of this rate; on one that all but stands still, that may be for ever.
fn true_time(left: Duration, rate: f64) -> Duration {
    if rate == 1.0 { left } else { Duration::try_from_secs_f64(left.as_secs_f64() / rate).unwrap_or(Duration::MAX) }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static TRUE_TIME: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }

    fn at(milliseconds: u64) {
        TRUE_TIME.set(Duration::from_millis(milliseconds));
    }

    #[test]
    fn a_change_of_rate_or_a_jump_changes_only_what_comes_after_it() {
        at(0);
        let clock = Clock::new(|| TRUE_TIME.get());
        at(100);
        clock.speed_up(2.0);
        assert_eq!(clock.now(), Duration::from_millis(100));
        at(150);
        assert_eq!(clock.now(), Duration::from_millis(200));
        clock.jump(-50_000_000);
        assert_eq!(clock.now(), Duration::from_millis(150));
        clock.speed_up(0.5);
        at(160);
        assert_eq!(clock.clone().now(), Duration::from_millis(160));
    }

    #[test]
    fn on_a_clock_that_stands_still_one_sleeps_for_ever() {
        assert_eq!(true_time(Duration::from_secs(3), 0.5), Duration::from_secs(6));
        assert_eq!(true_time(Duration::MAX, 1e-6), Duration::MAX);
    }

    #[test]
    fn sleepers_wake_when_the_clock_is_moved_past_their_time() {
        at(0);
        let clock = Clock::new(|| TRUE_TIME.get());
        let mover = clock.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("there are threads");
        let real = std::time::Instant::now();
        runtime.block_on(async move {
            let move_it = async {
                tokio::task::yield_now().await;
                mover.jump(3_600_000_000_000);
            };
            tokio::join!(clock.sleep(Duration::from_secs(3600)), move_it);
        });
        assert!(real.elapsed() < Duration::from_secs(60));
    }
}
