//! Who carries messages.
//!
//! Every message of a direction has a number. Its fate is a function of the seed, the direction, the number and the faults that
//! are going on when it is sent: one message more or less in one direction changes nothing in another. What is under way when a cut
//! begins still arrives.

use shakedown_results::Messages;
use xxhash_rust::xxh3::Xxh3;

use crate::chance::mix;

use super::ground::{Extra, Fate, Host, LinkRules};

/// What a host sends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carriage {
    /// A datagram: it may be lost.
    Datagram,
    /// A part of a stream: it may be late, but it comes, and in order.
    Stream,
    /// The end of a stream whose process died: it comes after all else, and no two at once.
    LastWord,
}

/// When a message is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// At this step.
    At(u64),
    /// When the cut ends that holds it; it is asked again at every step.
    Held,
    /// Never.
    Never,
}

/// The network between the hosts.
pub struct Fabric {
    seed: u64,
    hosts: usize,
    latency_ms: [u64; 2],
    /// How many messages each direction has carried.
    numbers: Vec<u64>,
    /// When the last part of each direction's streams is due.
    streams: Vec<u64>,
    /// What happened to all messages.
    pub counts: Messages,
    /// A digest of all fates, in order.
    pub digest: Xxh3,
}

impl Fabric {
    /// A network between this many hosts.
    pub fn new(seed: u64, hosts: usize, latency_ms: [u64; 2]) -> Fabric {
        Fabric {
            seed,
            hosts,
            latency_ms,
            numbers: vec![0; hosts * hosts],
            streams: vec![0; hosts * hosts],
            counts: Messages::default(),
            digest: Xxh3::new(),
        }
    }

    /// Takes a message that was sent at this step, and says when it is due.
    pub fn take(&mut self, rules: &mut impl LinkRules, from: Host, to: Host, carriage: Carriage, step: u64) -> Due {
        let direction = from * self.hosts + to;
        let number = self.numbers[direction];
        self.numbers[direction] += 1;
        self.counts.sent += 1;
        let [least, most] = self.latency_ms;
        let latency = least + mix(&[self.seed, direction as u64, number]) % (most - least + 1);
        let due = match (carriage, rules.fate(from, to, number)) {
            (Carriage::Stream | Carriage::LastWord, _) if rules.holds(from, to) => Due::Held,
            (Carriage::Stream | Carriage::LastWord, Fate::Lost(_)) => {
                self.in_order(direction, step + latency + RETRANSMISSION_MS, carriage)
            }
            (Carriage::Stream | Carriage::LastWord, Fate::Late(more)) => {
                self.in_order(direction, step + latency + more, carriage)
            }
            (Carriage::Datagram, Fate::Lost(_)) => {
                self.counts.lost += 1;
                Due::Never
            }
            (Carriage::Datagram, Fate::Late(more)) => Due::At(step + latency + more),
        };
        let code = match due {
            Due::At(at) => at,
            Due::Held => u64::MAX - 1,
            Due::Never => u64::MAX,
        };
        self.digest.update(&mix(&[direction as u64, number, code]).to_le_bytes());
        due
    }

    /// Takes a datagram that was sent at this step, and says when it is due and what else becomes of it.
    pub fn take_datagram(&mut self, rules: &mut impl LinkRules, from: Host, to: Host, step: u64) -> (Due, Extra) {
        let number = self.numbers[from * self.hosts + to];
        let due = self.take(rules, from, to, Carriage::Datagram, step);
        let extra = if due == Due::Never { Extra::default() } else { rules.extra(from, to, number) };
        if extra != Extra::default() {
            let code = [extra.copy_after.unwrap_or(0), extra.altered_by.unwrap_or(0)];
            self.digest.update(&mix(&code).to_le_bytes());
        }
        (due, extra)
    }

    /// Asks again for a message that was held.
    pub fn ask_again(
        &mut self,
        rules: &mut impl LinkRules,
        from: Host,
        to: Host,
        carriage: Carriage,
        step: u64,
    ) -> Due {
        if rules.holds(from, to) {
            return Due::Held;
        }
        self.in_order(from * self.hosts + to, step + self.latency_ms[0], carriage)
    }

    /// A message is handed over; nobody may be there to take it.
    pub fn deliver(&mut self, rules: &impl LinkRules, to: Host) {
        if rules.is_down(to) {
            self.counts.lost += 1;
        } else {
            self.counts.delivered += 1;
        }
    }

    fn in_order(&mut self, direction: usize, due: u64, carriage: Carriage) -> Due {
        let last = &mut self.streams[direction];
        *last = due.max(*last + u64::from(carriage == Carriage::LastWord));
        Due::At(*last)
    }
}

/// What a stream waits before it sends a lost part again.
const RETRANSMISSION_MS: u64 = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Loss;
    use crate::nemesis::Nemesis;
    use crate::plan::{Fault, FaultKind, Moment};

    fn loss(probability: f64) -> Nemesis {
        let fault = Fault {
            id: 0,
            seed: 1,
            begins: Moment::At { at_ms: 0 },
            lasts_ms: 1000,
            fault: FaultKind::Loss(Loss { probability }),
        };
        let mut nemesis = Nemesis::new(&["n1".to_owned(), "n2".to_owned()], &[fault]);
        nemesis.advance(0);
        nemesis
    }

    #[test]
    fn a_message_more_in_one_direction_changes_no_other() {
        let carry = |extra: bool| {
            let (mut fabric, mut nemesis) = (Fabric::new(9, 3, [1, 20]), loss(0.3));
            (0..50)
                .map(|step| {
                    if extra {
                        fabric.take(&mut nemesis, 0, 1, Carriage::Datagram, step);
                    }
                    fabric.take(&mut nemesis, 1, 0, Carriage::Datagram, step)
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(carry(false), carry(true));
    }

    #[test]
    fn a_stream_loses_nothing_and_keeps_its_order() {
        let (mut fabric, mut nemesis) = (Fabric::new(9, 3, [1, 20]), loss(0.5));
        let mut last = 0;
        for step in 0..100 {
            let Due::At(due) = fabric.take(&mut nemesis, 0, 1, Carriage::Stream, step) else { panic!("lost") };
            assert!(due >= last && due > step);
            last = due;
        }
    }
}
