//! What the nemesis says of each message: the rules of the network that are going on, asked by the fabric.

use super::{Nemesis, count};
use crate::chance::{fraction, mix};
use crate::faults::LinkRule;
use crate::simulation::ground::{Extra, Fate, Host, LinkRules};

/// A fault that is going on in the network.
#[derive(Clone, Debug)]
pub(super) struct ActiveRule {
    pub fault: u32,
    pub seed: u64,
    pub began: u64,
    pub rule: LinkRule,
}

impl ActiveRule {
    /// Whether it cuts what goes from one host to another at this step.
    fn cuts(&self, from: Host, to: Host, now: u64) -> bool {
        match &self.rule {
            LinkRule::Cut(rows) => rows[from] >> to & 1 == 1,
            LinkRule::Flap { rows, each_ms } => {
                rows[from] >> to & 1 == 1 && (now.saturating_sub(self.began) / each_ms).is_multiple_of(2)
            }
            _ => false,
        }
    }
}

impl LinkRules for Nemesis {
    fn fate(&mut self, from: Host, to: Host, number: u64) -> Fate {
        let mut late = 0;
        if self.is_healed(from, to) {
            return Fate::Late(0);
        }
        for active in &self.rules {
            let chance = || mix(&[active.seed, from as u64, to as u64, number]);
            let mut delay = |more: u64| {
                count(&mut self.faults, active.fault, "messages delayed", u64::from(more > 0));
                late += more;
            };
            match &active.rule {
                LinkRule::Cut(_) | LinkRule::Flap { .. } if active.cuts(from, to, self.now) => {
                    count(&mut self.faults, active.fault, "messages cut off", 1);
                    return Fate::Lost(active.fault);
                }
                LinkRule::Loss(probability) if fraction(chance()) < *probability => {
                    count(&mut self.faults, active.fault, "messages lost", 1);
                    return Fate::Lost(active.fault);
                }
                LinkRule::Delay(at_most) => delay(chance() % (at_most + 1)),
                LinkRule::Reorder { probability, at_most_ms } if fraction(chance()) < *probability => {
                    delay(1 + mix(&[chance(), 1]) % at_most_ms);
                }
                LinkRule::Slow { hosts, by_ms } if (hosts >> from | hosts >> to) & 1 == 1 => delay(*by_ms),
                _ => {}
            }
        }
        Fate::Late(late)
    }

    fn extra(&mut self, from: Host, to: Host, number: u64) -> Extra {
        let mut extra = Extra::default();
        if self.is_healed(from, to) {
            return extra;
        }
        for active in &self.rules {
            let chance = mix(&[active.seed, from as u64, to as u64, number]);
            match &active.rule {
                LinkRule::Duplicate(probability) if fraction(chance) < *probability => {
                    count(&mut self.faults, active.fault, "messages duplicated", 1);
                    extra.copy_after = Some(1 + mix(&[chance, 1]) % 50);
                }
                LinkRule::Corrupt(probability) if fraction(chance) < *probability => {
                    count(&mut self.faults, active.fault, "messages altered", 1);
                    extra.altered_by = Some(mix(&[chance, 2]));
                }
                _ => {}
            }
        }
        extra
    }

    fn holds(&mut self, from: Host, to: Host) -> bool {
        if [from, to].iter().any(|host| self.still.get(*host).is_some_and(|still| *still > 0)) {
            return true;
        }
        if self.is_healed(from, to) {
            return false;
        }
        for active in &self.rules {
            let stalls = matches!(&active.rule, LinkRule::Stall(hosts) if (hosts >> from | hosts >> to) & 1 == 1);
            if stalls {
                count(&mut self.faults, active.fault, "milliseconds of parts held", 1);
            }
            if stalls || active.cuts(from, to, self.now) {
                return true;
            }
        }
        false
    }

    fn is_down(&self, host: Host) -> bool {
        self.down.get(host).is_some_and(|down| *down > 0)
    }
}

impl Nemesis {
    /// Whether all that is between two hosts is healed.
    fn is_healed(&self, from: Host, to: Host) -> bool {
        // The host of the clients is always healed.
        let is_healed = |healed: &[bool], host: Host| healed.get(host).copied().unwrap_or(true);
        self.healed.as_ref().is_some_and(|healed| is_healed(healed, from) && is_healed(healed, to))
    }
}
