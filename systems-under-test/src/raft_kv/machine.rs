//! The state machine that the log drives: values by key, and the sessions that keep a retried write from happening twice (thesis §6.3).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::defects::Bug;
use super::message::{Answer, Command, Operation, Value};

/// A session that has been idle for so long, in milliseconds by the leaders' clocks, is over.
const SESSION_ENDS: u64 = 3_000;
/// There are no more sessions than this; the one that has been idle longest goes first.
const SESSIONS: usize = 256;

/// Keys, values and sessions. Equal logs make equal machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    state: State,
    without_sessions: bool,
    bug: Option<Bug>,
}

/// What a snapshot holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    values: BTreeMap<u32, Value>,
    sessions: BTreeMap<u64, Session>,
    /// The latest time that an entry told.
    clock: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Session {
    /// The latest operation.
    sequence: u64,
    answer: Answer,
    /// When that was.
    active: u64,
}

/// What an entry did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// What the client is to be told; `None` for an operation that its client has given up (a later one was applied already).
    pub answer: Option<Answer>,
    /// The key that changed, and a digest of its new value.
    pub change: Option<(u32, i64)>,
    /// The entry was a retry, and did nothing.
    pub repeated: bool,
    /// How many sessions ended with it.
    pub expired: usize,
    /// A planted defect changed what it did.
    pub defect_bit: bool,
}

impl Machine {
    /// An empty machine. Without sessions, a retried operation is applied again.
    pub fn new(without_sessions: bool, bug: Option<Bug>) -> Machine {
        let without_sessions = without_sessions || bug == Some(Bug::NoClientSessions);
        Machine { state: State::default(), without_sessions, bug }
    }

    /// The value under a key.
    pub fn read(&self, key: u32) -> Option<&Value> {
        self.state.values.get(&key)
    }

    /// Applies the entry at a place of the log: a session's operation once, and its answer is kept. The time on this machine's own clock is
    /// not to matter.
    pub fn apply(&mut self, index: u64, command: &Command, local: u64) -> Applied {
        let Command { session, sequence, operation, at } = command;
        self.state.clock = self.state.clock.max(*at);
        let clock = self.state.clock;
        let (expired, defect_bit) = if self.bug == Some(Bug::SessionExpiryLocal) {
            let right = self.ended_at(clock);
            let expired = self.expire(local);
            (expired, expired != right)
        } else {
            (self.expire(clock), false)
        };
        let applied = Applied { expired, defect_bit, ..Applied::default() };
        if *operation == Operation::OpenSession {
            return Applied { answer: Some(self.open(index)), ..applied };
        }
        let known = self.state.sessions.get_mut(session);
        if known.is_none() && !self.without_sessions {
            return Applied { answer: Some(Answer::NoSession), ..applied };
        }
        let latest = known.map(|known| {
            known.active = clock;
            (known.sequence, known.answer.clone())
        });
        // A read may be repeated as it is: its answer, which can be long, need not be kept.
        if let Operation::Read { .. } = operation {
            return Applied { answer: Some(self.perform(operation).0), ..applied };
        }
        let retried = latest.filter(|(last, _)| last >= sequence);
        if let (Some((last, answer)), false) = (&retried, self.without_sessions) {
            return Applied { answer: (last == sequence).then(|| answer.clone()), repeated: true, ..applied };
        }
        let (answer, change) = self.perform(operation);
        if let Some(known) = self.state.sessions.get_mut(session) {
            (known.sequence, known.answer) = (*sequence, answer.clone());
        }
        let defect_bit = defect_bit || retried.is_some() && self.bug == Some(Bug::NoClientSessions);
        Applied { answer: Some(answer), change, defect_bit, ..applied }
    }

    fn open(&mut self, index: u64) -> Answer {
        if self.state.sessions.len() >= SESSIONS {
            let idle = self.state.sessions.iter().min_by_key(|(_, session)| session.active).map(|(id, _)| *id);
            idle.map(|id| self.state.sessions.remove(&id));
        }
        let session = Session { sequence: 0, answer: Answer::Session(index), active: self.state.clock };
        self.state.sessions.insert(index, session);
        Answer::Session(index)
    }

    /// How many sessions have been idle for too long at this time.
    fn ended_at(&self, now: u64) -> usize {
        self.state.sessions.values().filter(|session| session.active + SESSION_ENDS < now).count()
    }

    fn expire(&mut self, now: u64) -> usize {
        let ended = self.ended_at(now);
        if ended > 0 {
            self.state.sessions.retain(|_, session| session.active + SESSION_ENDS >= now);
        }
        ended
    }

    fn perform(&mut self, operation: &Operation) -> (Answer, Option<(u32, i64)>) {
        let values = &mut self.state.values;
        match operation {
            Operation::Read { key } => (Answer::Done(values.get(key).cloned()), None),
            Operation::Write { key, value } => {
                values.insert(*key, value.clone());
                (Answer::Done(None), Some((*key, value.digest())))
            }
            Operation::Cas { key, expected, new } if values.get(key) == expected.as_ref() => {
                values.insert(*key, new.clone());
                (Answer::Done(None), Some((*key, new.digest())))
            }
            Operation::Cas { .. } | Operation::OpenSession => (Answer::Mismatch, None),
            Operation::Append { key, element } => {
                let list = values.entry(*key).or_insert_with(|| Value::List(Vec::new()));
                match list {
                    Value::List(elements) => elements.push(*element),
                    Value::Int(_) => return (Answer::Mismatch, None),
                }
                (Answer::Done(None), Some((*key, list.digest())))
            }
        }
    }

    /// All of it, for a snapshot.
    pub fn encode(&self) -> Vec<u8> {
        let mut state = self.state.clone();
        if self.bug == Some(Bug::SessionsNotInSnapshot) {
            state.sessions.clear();
        }
        postcard::to_stdvec(&state).expect("every state has an encoding")
    }

    /// Takes the state of a snapshot instead of its own. Tells whether it was one.
    pub fn restore(&mut self, state: &[u8]) -> bool {
        match postcard::from_bytes(state) {
            Ok(state) => self.state = state,
            Err(_) => return false,
        }
        true
    }

    /// The keys that hold something, each with a digest of its value.
    pub fn digests(&self) -> impl Iterator<Item = (u32, i64)> {
        self.state.values.iter().map(|(key, value)| (*key, value.digest()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(session: u64, sequence: u64, at: u64, operation: Operation) -> Command {
        Command { session, sequence, operation, at }
    }

    fn write(session: u64, sequence: u64, value: i64) -> Command {
        command(session, sequence, 0, Operation::Write { key: 1, value: Value::Int(value) })
    }

    fn machine(bug: Option<Bug>) -> Machine {
        let mut machine = Machine::new(false, bug);
        for index in [7, 8] {
            machine.apply(index, &command(0, 0, 0, Operation::OpenSession), 0);
        }
        machine
    }

    #[test]
    fn thesis_6_3_a_retried_write_is_applied_once_and_answered_alike() {
        let mut machine = machine(None);
        assert_eq!(machine.apply(10, &write(7, 1, 10), 0).change, Some((1, 10)));
        machine.apply(11, &write(8, 1, 20), 0);
        let retried = machine.apply(12, &write(7, 1, 10), 0);
        assert_eq!(retried, Applied { answer: Some(Answer::Done(None)), repeated: true, ..Applied::default() });
        assert_eq!(machine.read(1), Some(&Value::Int(20)));
    }

    #[test]
    fn a_retried_read_reads_again_and_keeps_nothing() {
        let mut machine = machine(None);
        let read = command(7, 1, 0, Operation::Read { key: 1 });
        let before = machine.encode().len();
        assert_eq!(machine.apply(10, &read, 0).answer, Some(Answer::Done(None)));
        assert_eq!(machine.encode().len(), before);
        machine.apply(11, &write(8, 1, 20), 0);
        assert_eq!(machine.apply(12, &read, 0).answer, Some(Answer::Done(Some(Value::Int(20)))));
    }

    #[test]
    fn thesis_6_3_an_operation_that_its_client_gave_up_does_nothing_when_it_comes_late() {
        let mut machine = machine(None);
        machine.apply(10, &write(7, 2, 10), 0);
        let late = machine.apply(11, &write(7, 1, 5), 0);
        assert_eq!(late, Applied { answer: None, repeated: true, ..Applied::default() });
        assert_eq!(machine.read(1), Some(&Value::Int(10)));
    }

    #[test]
    fn thesis_6_3_sessions_end_by_the_times_of_the_log_whatever_the_nodes_own_clock_says() {
        let idle = |local| command(8, 1, SESSION_ENDS + 1, Operation::Read { key: local });
        for (bug, local, expired) in [
            (None, 0, 2),
            (None, 9_999_999, 2),
            (Some(Bug::SessionExpiryLocal), 0, 0),
            (Some(Bug::SessionExpiryLocal), 9_999_999, 2),
        ] {
            let mut machine = machine(bug);
            assert_eq!(machine.apply(10, &idle(1), local).expired, expired, "{bug:?} at {local}");
            let told = machine.apply(11, &write(7, 1, 10), local).answer;
            assert_eq!(told == Some(Answer::NoSession), expired > 0);
        }
    }

    #[test]
    fn thesis_6_3_sessions_are_in_the_snapshot() {
        for (bug, repeated) in [(None, true), (Some(Bug::SessionsNotInSnapshot), false)] {
            let mut one = machine(bug);
            one.apply(10, &write(7, 1, 10), 0);
            let mut other = Machine::new(false, bug);
            assert!(other.restore(&one.encode()));
            assert_eq!(other.read(1), Some(&Value::Int(10)));
            assert_eq!(other.apply(11, &write(7, 1, 10), 0).repeated, repeated, "{bug:?}");
        }
        assert!(!Machine::new(false, None).restore(&[255; 3]));
    }

    #[test]
    fn cas_changes_what_it_expects_and_nothing_else() {
        let mut machine = machine(None);
        let mut cas = |sequence, expected: Option<i64>, new| {
            let operation = Operation::Cas { key: 1, expected: expected.map(Value::Int), new: Value::Int(new) };
            machine.apply(10 + sequence, &command(7, sequence, 0, operation), 0)
        };
        assert_eq!(cas(1, None, 3).answer, Some(Answer::Done(None)));
        assert_eq!(cas(2, None, 4).answer, Some(Answer::Mismatch));
        assert_eq!(cas(3, Some(3), 4).change, Some((1, 4)));
    }

    #[test]
    fn appends_keep_their_order() {
        let mut machine = machine(None);
        for (sequence, element) in [(1, 5), (2, 3)] {
            machine.apply(10, &command(7, sequence, 0, Operation::Append { key: 2, element }), 0);
        }
        assert_eq!(machine.read(2), Some(&Value::List(vec![5, 3])));
    }
}
