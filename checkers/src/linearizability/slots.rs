//! Sets of open operations. Each open operation has a slot, a small number that is free again when it closes.

use std::hash::Hash;

/// A set of slots.
pub(super) trait Slots: Clone + Eq + Hash {
    /// The empty set that has room for this many slots.
    fn empty(slots: usize) -> Self;
    /// Whether the slot is in.
    fn has(&self, slot: u32) -> bool;
    /// Puts it in.
    fn insert(&mut self, slot: u32);
    /// Takes it out.
    fn remove(&mut self, slot: u32);
}

impl Slots for u64 {
    fn empty(slots: usize) -> u64 {
        debug_assert!(slots <= 64);
        0
    }
    fn has(&self, slot: u32) -> bool {
        self >> slot & 1 == 1
    }
    fn insert(&mut self, slot: u32) {
        *self |= 1 << slot;
    }
    fn remove(&mut self, slot: u32) {
        *self &= !(1 << slot);
    }
}

/// Any number of slots.
impl Slots for Box<[u64]> {
    fn empty(slots: usize) -> Box<[u64]> {
        vec![0; slots.div_ceil(64)].into()
    }
    fn has(&self, slot: u32) -> bool {
        self[slot as usize / 64].has(slot % 64)
    }
    fn insert(&mut self, slot: u32) {
        self[slot as usize / 64].insert(slot % 64);
    }
    fn remove(&mut self, slot: u32) {
        self[slot as usize / 64].remove(slot % 64);
    }
}

impl Slots for [u64; 4] {
    fn empty(slots: usize) -> [u64; 4] {
        debug_assert!(slots <= 256);
        [0; 4]
    }
    fn has(&self, slot: u32) -> bool {
        self[slot as usize / 64].has(slot % 64)
    }
    fn insert(&mut self, slot: u32) {
        self[slot as usize / 64].insert(slot % 64);
    }
    fn remove(&mut self, slot: u32) {
        self[slot as usize / 64].remove(slot % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_a_set<S: Slots + std::fmt::Debug>(slots: usize) {
        let mut set = S::empty(slots);
        for slot in 0..slots as u32 {
            assert!(!set.has(slot));
            set.insert(slot);
            assert!(set.has(slot));
        }
        for slot in (0..slots as u32).step_by(3) {
            set.remove(slot);
        }
        for slot in 0..slots as u32 {
            assert_eq!(set.has(slot), slot % 3 != 0);
        }
    }

    #[test]
    fn every_width_is_a_set() {
        is_a_set::<u64>(64);
        is_a_set::<[u64; 4]>(256);
        is_a_set::<Box<[u64]>>(1000);
    }
}
