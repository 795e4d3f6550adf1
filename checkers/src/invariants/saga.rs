//! **Sagas**: all steps are done, or exactly the done ones are compensated, in reverse, once each.
//!
//! ```text
//!   done 0 ── done 1 ── (2 fails) ── undone 1 ── undone 0 ── aborted      right
//!   done 0 ── done 1 ── (2 fails) ── undone 0 ── aborted                  wrong: 1 stays
//! ```
//!
//! *When to ask for it rather than for atomic commitment:* of long transactions that never lock: others see the steps in between, which is told
//! and not forbidden.
//!
//! *Method:* the done steps of a saga are a stack. A step must be the next one, a compensation that of the top. At the end the stack
//! holds all steps, or none. *Source:* Garcia-Molina & Salem 1987. *Cost:* linear.

use std::collections::BTreeMap;

use super::atomic_commitment::Breach;

/// Something that happened to a saga, in the order of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
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

/// Holds a trace against the rules. Of each saga the first breach is told: what follows one is not to be judged.
///
/// A saga that has not ended is `unfinished`: give the trace up to a time at which all should have.
pub fn check(trace: &[Entry]) -> Vec<Breach> {
    let mut sagas: BTreeMap<u64, Saga> = BTreeMap::new();
    for (place, entry) in trace.iter().enumerate() {
        let saga = sagas.entry(entry.saga).or_default();
        if saga.breach.is_none() {
            saga.breach = saga.step(place, entry.event);
        }
    }
    let told = |(name, saga): (u64, Saga)| {
        let breach = saga.breach.or_else(|| {
            (!saga.ended).then(|| {
                let open = saga.done.iter().map(|(_, place)| *place).collect();
                breach("unfinished", open, format!("it has not ended, and {} of its steps stay done", saga.done.len()))
            })
        });
        breach.map(|breach| Breach { sentence: format!("saga {name}: {}", breach.sentence), ..breach })
    };
    sagas.into_iter().filter_map(told).collect()
}

#[derive(Default)]
struct Saga {
    steps: Option<usize>,
    /// Each step that is done and not compensated, with its place in the trace.
    done: Vec<(usize, usize)>,
    /// The place of the first compensation.
    turned: Option<usize>,
    compensated: Vec<(usize, usize)>,
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
                self.steps = Some(steps);
                None
            }
            Event::Done(step) => self.does(place, step),
            Event::Compensated(step) => self.undoes(place, step),
            Event::Completed => {
                self.ended = true;
                let missing = self.steps.filter(|steps| *steps != self.done.len())?;
                let sentence = format!("it is announced as completed with {} of {missing} steps done", self.done.len());
                Some(breach("half-done", vec![place], sentence))
            }
            Event::Aborted => {
                self.ended = true;
                let (step, done) = *self.done.last()?;
                let sentence = format!("it is announced as aborted, but step {step} was never compensated");
                Some(breach("uncompensated-step", vec![done, place], sentence))
            }
        }
    }

    fn does(&mut self, place: usize, step: usize) -> Option<Breach> {
        if let Some(turned) = self.turned {
            let sentence = format!("step {step} was done after a compensation");
            return Some(breach("step-after-compensation", vec![turned, place], sentence));
        }
        if let Some((_, before)) = self.done.iter().find(|(done, _)| *done == step) {
            return Some(breach("repeated-step", vec![*before, place], format!("step {step} was done twice")));
        }
        if step != self.done.len() || self.steps.is_some_and(|steps| step >= steps) {
            let sentence = format!("step {step} was done where step {} was next", self.done.len());
            return Some(breach("skipped-step", vec![place], sentence));
        }
        self.done.push((step, place));
        None
    }

    fn undoes(&mut self, place: usize, step: usize) -> Option<Breach> {
        self.turned = self.turned.or(Some(place));
        if let Some((_, before)) = self.compensated.iter().find(|(undone, _)| *undone == step) {
            let sentence = format!("step {step} was compensated twice");
            return Some(breach("repeated-compensation", vec![*before, place], sentence));
        }
        let Some(at) = self.done.iter().position(|(done, _)| *done == step) else {
            let sentence = format!("step {step} was compensated, but never done");
            return Some(breach("needless-compensation", vec![place], sentence));
        };
        let (last, done) = self.done[self.done.len() - 1];
        if at + 1 != self.done.len() {
            let sentence = format!("step {step} was compensated before step {last}, which was done after it");
            return Some(breach("compensation-out-of-order", vec![done, place], sentence));
        }
        self.done.pop();
        self.compensated.push((step, place));
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
        let trace: Vec<Entry> = events.map(|event| Entry { saga: 7, event }).collect();
        let breaches = check(&trace);
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
        ] {
            assert_eq!(rule(wrong), Some(name), "{wrong}");
        }
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
