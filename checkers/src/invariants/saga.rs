//! **Sagas**: all steps are done, or exactly the done ones are compensated, in reverse, once each.
//!
//! ```text
//!   done 0 ── done 1 ── (2 fails) ── undone 1 ── undone 0 ── aborted      right
//!   done 0 ── done 1 ── (2 fails) ── undone 0 ── aborted                  wrong: 1 stays
//! ```
//!
//! *When to ask for it rather than for atomic commitment:* of long transactions that never lock. Others can see the steps in between: for how
//! long is told, and not forbidden.
//!
//! *Method:* the done steps of a saga are a stack. A step must be the next one, a compensation that of the top. At the end the stack
//! holds all steps, or none. *Source:* Garcia-Molina & Salem 1987. *Cost:* n log n in the entries.

use std::collections::BTreeMap;

use super::atomic_commitment::Breach;
use super::staleness::Distribution;

/// Something that happened to a saga, in the order of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, in nanoseconds.
    pub at: u64,
    /// Which saga.
    pub saga: u64,
    /// What.
    pub event: Event,
}

/// What a saga is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It begins, and has so many steps.
    Began(usize),
    /// This step, from 0, took effect.
    Done(usize),
    /// The compensation of this step took effect.
    Compensated(usize),
    /// Its end was announced, with all steps done.
    Completed,
    /// Its end was announced, with all steps compensated.
    Aborted,
}

/// What a trace shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sagas {
    /// The rules that it breaks, of each saga the first: what follows a breach is not to be judged.
    pub breaches: Vec<Breach>,
    /// How many were announced as completed.
    pub completed: usize,
    /// How many were announced as aborted.
    pub aborted: usize,
    /// For each saga that did something, and ended as it should or not at all: for how many nanoseconds others could see a part of it, from its first
    /// step to its end, or to that of the trace.
    pub partly_visible: Distribution,
    /// For each step that was compensated, for how many nanoseconds others could see what was then taken back.
    pub taken_back_after: Distribution,
}

/// Holds a trace against the rules.
///
/// A saga that has not ended is `unfinished`: give the trace up to a time at which all should have.
pub fn check(trace: &[Entry]) -> Sagas {
    let mut sagas: BTreeMap<u64, Saga> = BTreeMap::new();
    let mut found = Sagas::default();
    let (mut visible, mut taken_back) = (Vec::new(), Vec::new());
    for (place, entry) in trace.iter().enumerate() {
        let saga = sagas.entry(entry.saga).or_default();
        if saga.breach.is_some() {
            continue;
        }
        let (since, ended) = (|place: usize| entry.at.saturating_sub(trace[place].at), saga.ended);
        let undone = saga.done.last().copied();
        saga.breach = saga.step(place, entry.event);
        match entry.event {
            Event::Compensated(_) if saga.breach.is_none() => taken_back.extend(undone.map(since)),
            Event::Completed if !ended => found.completed += 1,
            Event::Aborted if !ended => found.aborted += 1,
            _ => {}
        }
        if saga.ended && saga.breach.is_none() {
            visible.extend(saga.first.map(since));
        }
    }
    let end = trace.last().map_or(0, |entry| entry.at);
    for (name, mut saga) in sagas {
        if saga.breach.is_none() && !saga.ended {
            visible.extend(saga.first.map(|first| end.saturating_sub(trace[first].at)));
            let sentence = format!("it has not ended, and {} of its steps stay done", saga.done.len());
            saga.breach = Some(breach("unfinished", saga.done, sentence));
        }
        let named = |breach: Breach| Breach { sentence: format!("saga {name}: {}", breach.sentence), ..breach };
        found.breaches.extend(saga.breach.map(named));
    }
    found.partly_visible = Distribution::of(visible);
    found.taken_back_after = Distribution::of(taken_back);
    found
}

#[derive(Default)]
struct Saga {
    steps: Option<usize>,
    /// The place in the trace of each step that is done and not compensated: of the first, the second, and so on without a gap.
    done: Vec<usize>,
    /// The place of the first step.
    first: Option<usize>,
    /// The places of the compensations, from that of the last step that was done downwards without a gap.
    compensated: Vec<usize>,
    ended: bool,
    breach: Option<Breach>,
}

fn breach(rule: &'static str, mut entries: Vec<usize>, sentence: String) -> Breach {
    entries.sort_unstable();
    Breach { rule, entries, sentence }
}

impl Saga {
    fn step(&mut self, place: usize, event: Event) -> Option<Breach> {
        if self.ended {
            return Some(breach("after-the-end", vec![place], "something happened to it after its end".to_owned()));
        }
        match event {
            Event::Began(steps) => {
                let known = *self.steps.get_or_insert(steps);
                (known != steps).then(|| {
                    let sentence = format!("it began with {known} steps, and then with {steps}");
                    breach("two-beginnings", vec![place], sentence)
                })
            }
            Event::Done(step) => self.does(place, step),
            Event::Compensated(step) => self.undoes(place, step),
            Event::Completed => {
                self.ended = true;
                let all = self.steps.unwrap_or(self.done.len() + self.compensated.len());
                (all != self.done.len()).then(|| {
                    let sentence = format!("it is announced as completed with {} of {all} steps done", self.done.len());
                    breach("half-done", vec![place], sentence)
                })
            }
            Event::Aborted => {
                self.ended = true;
                let done = *self.done.last()?;
                let sentence =
                    format!("it is announced as aborted, but step {} was never compensated", self.done.len() - 1);
                Some(breach("uncompensated-step", vec![done, place], sentence))
            }
        }
    }

    fn does(&mut self, place: usize, step: usize) -> Option<Breach> {
        if let Some(turned) = self.compensated.first() {
            let sentence = format!("step {step} was done after a compensation");
            return Some(breach("step-after-compensation", vec![*turned, place], sentence));
        }
        if let Some(before) = self.done.get(step) {
            return Some(breach("repeated-step", vec![*before, place], format!("step {step} was done twice")));
        }
        if let Some(steps) = self.steps.filter(|steps| step >= *steps) {
            let sentence = format!("step {step} was done, but the last of its {steps} steps is before that");
            return Some(breach("unknown-step", vec![place], sentence));
        }
        if step != self.done.len() {
            let sentence = format!("step {step} was done where step {} was next", self.done.len());
            return Some(breach("skipped-step", vec![place], sentence));
        }
        self.first = self.first.or(Some(place));
        self.done.push(place);
        None
    }

    fn undoes(&mut self, place: usize, step: usize) -> Option<Breach> {
        let top = self.done.len() + self.compensated.len();
        if (self.done.len()..top).contains(&step) {
            let before = self.compensated[top - 1 - step];
            let sentence = format!("step {step} was compensated twice");
            return Some(breach("repeated-compensation", vec![before, place], sentence));
        }
        if step >= top {
            let sentence = format!("step {step} was compensated, but never done");
            return Some(breach("needless-compensation", vec![place], sentence));
        }
        let last = self.done.len() - 1;
        if step != last {
            let sentence = format!("step {step} was compensated before step {last}, which was done after it");
            return Some(breach("compensation-out-of-order", vec![self.done[last], place], sentence));
        }
        self.done.pop();
        self.compensated.push(place);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A saga of three steps; `0 1 2` do, `-1` compensates, `ok` and `no` end it.
    fn rule(trace: &str) -> Option<&'static str> {
        let event = |word: &str| match word {
            "ok" => Event::Completed,
            "no" => Event::Aborted,
            word => match word.strip_prefix('-') {
                Some(step) => Event::Compensated(step.parse().unwrap()),
                None => Event::Done(word.parse().unwrap()),
            },
        };
        let events = [Event::Began(3)].into_iter().chain(trace.split_whitespace().map(event));
        let trace: Vec<Entry> = events.zip(0..).map(|(event, at)| Entry { at, saga: 7, event }).collect();
        let breaches = check(&trace).breaches;
        assert!(breaches.iter().all(|breach| breach.sentence.starts_with("saga 7: ")));
        breaches.first().map(|breach| breach.rule)
    }

    #[test]
    fn a_saga_does_all_its_steps_or_undoes_what_it_did_in_reverse() {
        for right in ["0 1 2 ok", "0 1 -1 -0 no", "0 1 2 -2 -1 -0 no", "no"] {
            assert_eq!(rule(right), None, "{right}");
        }
    }

    #[test]
    fn each_rule_is_broken_by_its_own_name() {
        for (wrong, name) in [
            ("0 1 ok", "half-done"),
            ("0 1 -1 no", "uncompensated-step"),
            ("0 1 -0 no", "compensation-out-of-order"),
            ("0 1 -1 -1 -0 no", "repeated-compensation"),
            ("0 -1 -0 no", "needless-compensation"),
            ("0 2 ok", "skipped-step"),
            ("0 0 1 2 ok", "repeated-step"),
            ("0 -0 1 no", "step-after-compensation"),
            ("0 -0 no -0", "after-the-end"),
            ("0 1", "unfinished"),
            ("0 1 2 3", "unknown-step"),
        ] {
            assert_eq!(rule(wrong), Some(name), "{wrong}");
        }
    }

    #[test]
    fn it_is_told_how_long_others_could_see_a_part() {
        let entry = |(at, event)| Entry { at, saga: 7, event };
        let trace = [(0, Event::Began(2)), (10, Event::Done(0)), (40, Event::Compensated(0)), (60, Event::Aborted)];
        let found = check(&trace.map(entry));
        assert_eq!((found.completed, found.aborted), (0, 1));
        assert_eq!((found.partly_visible.samples(), found.taken_back_after.samples()), (&[50][..], &[30][..]));
    }

    #[test]
    fn without_a_beginning_a_saga_that_turned_back_has_not_completed() {
        let entry = |event| Entry { at: 0, saga: 7, event };
        let found = check(&[Event::Done(0), Event::Compensated(0), Event::Completed].map(entry));
        assert_eq!(found.breaches[0].rule, "half-done");
    }

    /// The definition, read off the whole trace at once.
    fn is_right(trace: &str) -> bool {
        let done = ["", "0 ", "0 1 ", "0 1 2 "];
        let undone = ["", "-0 ", "-1 -0 ", "-2 -1 -0 "];
        let aborted = (0..4).map(|steps| format!("{}{}no", done[steps], undone[steps]));
        aborted.chain(["0 1 2 ok".to_owned()]).any(|right| right == trace)
    }

    #[test]
    fn all_short_traces_are_judged_as_defined() {
        let words = ["0", "1", "2", "-0", "-1", "-2", "ok", "no"];
        let mut traces = vec![String::new()];
        for _ in 0..5 {
            traces =
                traces.iter().flat_map(|trace| words.map(|word| format!("{trace} {word}").trim().to_owned())).collect();
            for trace in &traces {
                assert_eq!(rule(trace).is_none(), is_right(trace), "{trace}");
            }
        }
        assert!(is_right("0 1 2 -2 -1 -0 no"));
    }
}
