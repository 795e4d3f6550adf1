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
    /// How long it had run then.
    run: Duration,
    /// How much faster than true time it runs.
    rate: f64,
    /// How far it has been set ahead, in nanoseconds; what is set back and then ahead by as much is right again.
    ahead: i64,
}

impl Course {
    /// How long it has run, at whatever rate.
    fn run_at(&self, now: Duration) -> Duration {
        let passed = now.saturating_sub(self.since);
        let run = match self.rate {
            1.0 => passed,
            rate => Duration::try_from_secs_f64(passed.as_secs_f64() * rate).unwrap_or(Duration::MAX),
        };
        self.run.saturating_add(run)
    }
}

impl Clock {
    /// A right clock, over the time since the simulation began.
    pub fn new(elapsed: fn() -> Duration) -> Clock {
        let course = Course { since: Duration::ZERO, run: Duration::ZERO, rate: 1.0, ahead: 0 };
        Clock(Arc::new(Inner { elapsed, course: Mutex::new(course), changed: Notify::new() }))
    }

    /// The time of day that this clock shows, since the simulation began. It can be set, also back, but shows nothing before that.
    pub fn now(&self) -> Duration {
        let course = self.course();
        let (run, ahead) = (course.run_at((self.0.elapsed)()), Duration::from_nanos(course.ahead.unsigned_abs()));
        if course.ahead < 0 { run.saturating_sub(ahead) } else { run.saturating_add(ahead) }
    }

    /// How long it has run, at whatever rate. Nobody sets this: timeouts and leases are measured by it.
    pub fn monotonic(&self) -> Duration {
        self.course().run_at((self.0.elapsed)())
    }

    /// Waits until the clock has [run](Clock::monotonic) for so long. That it is set meanwhile changes nothing; its rate does.
    pub async fn sleep(&self, duration: Duration) {
        let until = self.monotonic().saturating_add(duration);
        loop {
            let (left, rate) = (until.saturating_sub(self.monotonic()), self.course().rate);
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

    /// Sets the clock, so many nanoseconds ahead or back.
    pub fn jump(&self, nanoseconds: i64) {
        self.touch(|course| course.ahead = course.ahead.saturating_add(nanoseconds));
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
        (course.run, course.since) = (course.run_at(now), now);
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
        assert_eq!(clock.monotonic(), Duration::from_millis(200));
        clock.speed_up(0.5);
        at(160);
        assert_eq!(clock.clone().now(), Duration::from_millis(160));
    }

    #[test]
    fn a_clock_that_was_set_before_the_beginning_is_right_again_when_it_is_set_back() {
        at(2_000);
        let clock = Clock::new(|| TRUE_TIME.get());
        clock.jump(-5_000_000_000);
        assert_eq!(clock.now(), Duration::ZERO);
        at(3_000);
        clock.jump(5_000_000_000);
        assert_eq!(clock.now(), Duration::from_secs(3));
    }

    #[test]
    fn on_a_clock_that_stands_still_one_sleeps_for_ever() {
        assert_eq!(true_time(Duration::from_secs(3), 0.5), Duration::from_secs(6));
        assert_eq!(true_time(Duration::MAX, 1e-6), Duration::MAX);
    }

    #[test]
    fn sleepers_wake_by_the_rate_of_the_clock_whatever_it_is_set_to() {
        at(0);
        let clock = Clock::new(|| TRUE_TIME.get());
        let mover = clock.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("there are threads");
        let real = std::time::Instant::now();
        runtime.block_on(async move {
            let move_it = async {
                tokio::task::yield_now().await;
                mover.jump(7_200_000_000_000);
                mover.speed_up(1e9);
            };
            tokio::join!(clock.sleep(Duration::from_secs(3600)), move_it);
            assert!(clock.monotonic() < Duration::from_secs(3600), "{:?}", clock.monotonic());
        });
        assert!(real.elapsed() < Duration::from_secs(60));
    }
}
