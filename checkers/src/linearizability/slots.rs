//! Sets of open operations. Each open operation has a slot, a small number that is free again when it closes.

use std::hash::Hash;

/// A set of slots, as words of 64 bits.
pub(super) trait Slots: Clone + Eq + Hash {
    /// The empty set that has room for this many slots.
    fn empty(slots: usize) -> Self;
    /// The words: slot 0 is the lowest bit of the first.
    fn words(&self) -> &[u64];
    /// The words, to change them.
    fn words_mut(&mut self) -> &mut [u64];

    /// Whether the slot is in.
    fn has(&self, slot: u32) -> bool {
        self.words()[slot as usize / 64] >> (slot % 64) & 1 == 1
    }
    /// Puts it in.
    fn insert(&mut self, slot: u32) {
        self.words_mut()[slot as usize / 64] |= 1 << (slot % 64);
    }
    /// Takes it out.
    fn remove(&mut self, slot: u32) {
        self.words_mut()[slot as usize / 64] &= !(1 << (slot % 64));
    }
    /// Puts in what is in `others`.
    fn insert_all(&mut self, others: &Self) {
        for (word, other) in self.words_mut().iter_mut().zip(others.words()) {
            *word |= other;
        }
    }
    /// The slots that are in, but not in `others`, from the lowest on.
    fn without<'s>(&'s self, others: &'s Self) -> impl Iterator<Item = u32> + 's {
        let words = self.words().iter().zip(others.words()).enumerate();
        words.flat_map(|(at, (word, other))| bits(at, word & !other))
    }
}

fn bits(at: usize, mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let slot = (word != 0).then(|| at as u32 * 64 + word.trailing_zeros())?;
        word &= word - 1;
        Some(slot)
    })
}

impl Slots for u64 {
    fn empty(slots: usize) -> u64 {
        debug_assert!(slots <= 64);
        0
    }
    fn words(&self) -> &[u64] {
        std::slice::from_ref(self)
    }
    fn words_mut(&mut self) -> &mut [u64] {
        std::slice::from_mut(self)
    }
}

impl Slots for [u64; 4] {
    fn empty(slots: usize) -> [u64; 4] {
        debug_assert!(slots <= 256);
        [0; 4]
    }
    fn words(&self) -> &[u64] {
        self
    }
    fn words_mut(&mut self) -> &mut [u64] {
        self
    }
}

/// Any number of slots.
impl Slots for Box<[u64]> {
    fn empty(slots: usize) -> Box<[u64]> {
        vec![0; slots.div_ceil(64)].into()
    }
    fn words(&self) -> &[u64] {
        self
    }
    fn words_mut(&mut self) -> &mut [u64] {
        self
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
        let mut thirds = S::empty(slots);
        for slot in (0..slots as u32).step_by(3) {
            set.remove(slot);
            thirds.insert(slot);
        }
        for slot in 0..slots as u32 {
            assert_eq!(set.has(slot), slot % 3 != 0);
        }
        let listed: Vec<u32> = set.without(&thirds).collect();
        assert_eq!(listed, (0..slots as u32).filter(|slot| slot % 3 != 0).collect::<Vec<_>>());
        assert_eq!(set.without(&set).count(), 0);
        set.insert_all(&thirds);
    }

    #[test]
    fn every_width_is_a_set() {
        is_a_set::<u64>(64);
        is_a_set::<[u64; 4]>(256);
        is_a_set::<Box<[u64]>>(1000);
    }
}
