//! Chance, drawn from a seed by name.
//!
//! Each source of chance (one client's operations, one fault, one node) has a stream of its own, so that removing one item of a
//! plan leaves what the others draw as it was.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A seed from which streams are derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// The seed with this name below this one.
    pub fn below(self, name: &str) -> Seed {
        Seed(xxh3_64_with_seed(name.as_bytes(), self.0))
    }

    /// The stream with this name.
    pub fn stream(self, name: &str) -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(self.below(name).0)
    }
}

/// A number that looks random, from a few that do not: the same on every machine. (The finaliser of SplitMix64, Steele,
/// Lea & Flood 2014.)
pub fn mix(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0x9e37_79b9_7f4a_7c15, |state: u64, number| {
        let mut z = (state ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// A number from 0 up to but not including 1, from 64 random bits.
pub fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn streams_of_different_names_differ_and_repeat() {
        let draw = |name| Seed(4).stream(name).next_u64();
        assert_eq!(draw("node/n1"), draw("node/n1"));
        assert_ne!(draw("node/n1"), draw("node/n2"));
        assert_ne!(Seed(4).below("a"), Seed(5).below("a"));
    }

    #[test]
    fn mixed_numbers_fill_the_unit_interval_evenly() {
        let mean: f64 = (0..10_000).map(|n| fraction(mix(&[1, n]))).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        assert_ne!(mix(&[1, 2]), mix(&[2, 1]));
    }
}
