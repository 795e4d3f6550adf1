//! Events whose `index` says another order than that of their lines, as where the files of several clients were merged.
//!
//! ```text
//!   line 1   index 2   p1 invokes read            line 3   index 0   p0 invokes write
//!   line 2   index 3   p1 read 1                  line 4   index 1   p0 has written 1
//!   line 3   index 0   p0 invokes write     ──►   line 1   index 2   p1 invokes read
//!   line 4   index 1   p0 has written 1           line 2   index 3   p1 read 1
//! ```
//!
//! The index counts where all events have one and no two have the same; otherwise the order is that of the lines. As long as it
//! rises, events become part of the history at once. Where it falls, or where an event breaks a rule that one with a lower
//! index may mend, the events so far and all that follow are kept, and become a history at the end, in the order of their
//! index. *Cost:* nothing where the index is that of the line; 8 bytes an event where it rises otherwise; a sort where it falls.

use rustc_hash::FxHashSet;

use super::build::ClientEvent;
use super::{EventType, History, NEVER, NO_KEY, NO_TIME, NemesisEvent, OperationId, Outcome, Place};

/// What an assembly knows of the order of its events.
pub(super) enum Order {
    /// That of the lines.
    Lines,
    /// Every event has an index, and its place is that index.
    Places,
    /// Every event has an index, higher than the one before.
    Rising(Vec<u64>),
    /// The index fell.
    Fallen(Fallen),
}

/// Events that wait for their order.
#[derive(Clone)]
pub(super) struct Fallen {
    pub events: Vec<Waiting>,
    known: FxHashSet<u64>,
}

/// An event and its index.
#[derive(Clone)]
pub(super) struct Waiting {
    pub index: u64,
    /// Where it stands; for those before the first that waits, where that one stands.
    pub place: Place,
    pub event: Said,
}

/// An event as its line says it.
#[derive(Clone)]
pub(super) enum Said {
    /// A client's; whether the line says which.
    Client(ClientEvent, bool),
    /// The nemesis's.
    Nemesis(NemesisEvent),
}

impl Order {
    /// Whether the event at a place has that index, or none counts, so that nothing need be noted.
    pub fn is_in_place(&self, place: u32, index: Option<u64>) -> bool {
        match self {
            Order::Lines => true,
            Order::Places => index == Some(u64::from(place)),
            Order::Rising(_) | Order::Fallen(_) => false,
        }
    }

    /// Takes note of the index of the event at a place, unless it falls, or may have to wait.
    pub fn keeps(&mut self, place: u32, index: Option<u64>, may_wait: impl Fn() -> bool) -> bool {
        match (&mut *self, index) {
            (Order::Lines, _) => {}
            (Order::Fallen(_), _) => return false,
            (_, None) => *self = Order::Lines,
            (Order::Places, Some(index)) if index == u64::from(place) => {}
            (Order::Places, Some(index)) => {
                let mut indices: Vec<u64> = (0..u64::from(place)).collect();
                if index < u64::from(place) {
                    *self = Order::Lines;
                    return true;
                }
                if may_wait() {
                    *self = Order::Rising(indices);
                    return false;
                }
                indices.push(index);
                *self = Order::Rising(indices);
            }
            (Order::Rising(indices), Some(index)) => match indices.last().copied() {
                Some(last) if index == last => *self = Order::Lines,
                Some(last) if index < last || may_wait() => return false,
                _ => indices.push(index),
            },
        }
        true
    }

    /// How many bytes it takes.
    pub fn bytes(&self) -> usize {
        match self {
            Order::Lines | Order::Places => 0,
            Order::Rising(indices) => indices.capacity() * size_of::<u64>(),
            Order::Fallen(fallen) => {
                // And half an operation for what each is to become.
                let event = size_of::<Waiting>() + 32;
                fallen.events.capacity() * event + fallen.known.capacity() * (size_of::<u64>() + 1)
            }
        }
    }
}

impl Fallen {
    /// The events of a history, whose indices these are.
    pub fn of(history: &History, indices: &[u64], is_process_said: bool, place: Place) -> Fallen {
        let mut events: Vec<Waiting> = Vec::with_capacity(indices.len());
        let index = |position: u32| indices[position as usize];
        let time = |time: u64| Some(time).filter(|&time| time != NO_TIME);
        let mut errors = history.errors.clone();
        errors.sort_unstable_by_key(|(id, _)| *id);
        for row in 0..history.len() {
            let event = |position: u32, event_type, value| ClientEvent {
                index: Some(index(position)),
                time: None,
                process: history.process[row],
                event_type,
                function: history.function[row],
                key: Some(history.key[row]).filter(|&key| key != NO_KEY),
                value,
                error: None,
            };
            let (invoked, completed) = (history.invoked[row], history.completed[row]);
            let mut wait = |position, event| {
                events.push(Waiting { index: index(position), place, event: Said::Client(event, is_process_said) });
            };
            if !history.completions_alone {
                let invocation = event(invoked, EventType::Invoke, history.argument[row]);
                wait(invoked, ClientEvent { time: time(history.invoked_at[row]), ..invocation });
            }
            if completed != NEVER {
                let event_type = match history.outcome[row] {
                    Outcome::Ok => EventType::Ok,
                    Outcome::Fail => EventType::Fail,
                    Outcome::Info => EventType::Info,
                };
                let error = errors.binary_search_by_key(&OperationId(row as u32), |(id, _)| *id).ok();
                let error = error.map(|at| history.value(errors[at].1).clone());
                let completion = event(completed, event_type, history.result[row]);
                wait(completed, ClientEvent { time: time(history.completed_at[row]), error, ..completion });
            }
        }
        let nemesis = history.nemesis.iter().cloned();
        events.extend(nemesis.map(|event| Waiting {
            index: index(event.position),
            place,
            event: Said::Nemesis(event),
        }));
        // In the order of the lines, in which the index rose.
        events.sort_unstable_by_key(|waiting| waiting.index);
        Fallen { events, known: indices.iter().copied().collect() }
    }

    /// Puts the events into the order of their index.
    pub fn sort(&mut self) {
        self.events.sort_unstable_by_key(|waiting| waiting.index);
    }

    /// Lets another event wait, unless the index cannot tell the order any more.
    pub fn wait(&mut self, index: Option<u64>, event: Said, place: Place) -> Result<(), Said> {
        match index.filter(|&index| self.known.insert(index)) {
            Some(index) => self.events.push(Waiting { index, place, event }),
            None => return Err(event),
        }
        Ok(())
    }
}
