//! The state machine that the log drives: integers by key, and the sessions that keep a retried write from happening twice.

use std::collections::BTreeMap;

use shakedown_workloads::kv::Operation;

use super::message::{Answer, Command};

/// Keys, values and sessions. Equal logs make equal machines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    values: BTreeMap<u32, i64>,
    sessions: BTreeMap<u64, (u64, Answer)>,
    without_sessions: bool,
}

/// What an entry did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// What the client is to be told; `None` for an operation that its client has given up (a later one was applied already).
    pub answer: Option<Answer>,
    /// The key that changed, and its new value.
    pub change: Option<(u32, i64)>,
    /// The entry was a retry, and did nothing.
    pub repeated: bool,
}

impl Machine {
    /// An empty machine. Without sessions, a retried operation is applied again.
    pub fn new(without_sessions: bool) -> Machine {
        Machine { without_sessions, ..Machine::default() }
    }

    /// The value under a key.
    pub fn read(&self, key: u32) -> Option<i64> {
        self.values.get(&key).copied()
    }

    /// Applies an entry of the log (thesis §6.3: a session's operation is applied once, and its answer kept).
    pub fn apply(&mut self, command: &Command) -> Applied {
        let Command { session, sequence, operation } = command;
        if let Some((last, answer)) = self.sessions.get(session)
            && last >= sequence
            && !self.without_sessions
        {
            return Applied { answer: (last == sequence).then(|| answer.clone()), change: None, repeated: true };
        }
        let (answer, change) = self.perform(*operation);
        self.sessions.insert(*session, (*sequence, answer.clone()));
        Applied { answer: Some(answer), change, repeated: false }
    }

    fn perform(&mut self, operation: Operation) -> (Answer, Option<(u32, i64)>) {
        match operation {
            Operation::Read { key } => (Answer::Done(self.read(key)), None),
            Operation::Write { key, value } => {
                self.values.insert(key, value);
                (Answer::Done(None), Some((key, value)))
            }
            Operation::Cas { key, expected, new } if self.read(key) == expected => {
                self.values.insert(key, new);
                (Answer::Done(None), Some((key, new)))
            }
            Operation::Cas { .. } => (Answer::Mismatch, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(session: u64, sequence: u64, value: i64) -> Command {
        Command { session, sequence, operation: Operation::Write { key: 1, value } }
    }

    #[test]
    fn a_retried_write_is_applied_once_and_answered_alike() {
        let mut machine = Machine::new(false);
        assert_eq!(machine.apply(&write(7, 1, 10)).change, Some((1, 10)));
        machine.apply(&write(8, 1, 20));
        let retried = machine.apply(&write(7, 1, 10));
        assert_eq!(retried, Applied { answer: Some(Answer::Done(None)), change: None, repeated: true });
        assert_eq!(machine.read(1), Some(20));
    }

    #[test]
    fn an_operation_that_its_client_gave_up_does_nothing_when_it_comes_late() {
        let mut machine = Machine::new(false);
        machine.apply(&write(7, 2, 10));
        let late = machine.apply(&write(7, 1, 5));
        assert_eq!(late, Applied { answer: None, change: None, repeated: true });
        assert_eq!(machine.read(1), Some(10));
    }

    #[test]
    fn cas_changes_what_it_expects_and_nothing_else() {
        let mut machine = Machine::new(false);
        let cas = |sequence, expected, new| Command {
            session: 1,
            sequence,
            operation: Operation::Cas { key: 1, expected, new },
        };
        assert_eq!(machine.apply(&cas(1, None, 3)).answer, Some(Answer::Done(None)));
        assert_eq!(machine.apply(&cas(2, None, 4)).answer, Some(Answer::Mismatch));
        assert_eq!(machine.apply(&cas(3, Some(3), 4)).change, Some((1, 4)));
    }
}
