//! A stream of chance.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use rand::{Rng, TryRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A stream of chance of a node or a client, drawn from the seed of the run. Clones share the stream. It is a random number
/// generator as `rand` knows them.
#[derive(Clone, Debug)]
pub struct Chance(Arc<Mutex<Xoshiro256PlusPlus>>);

impl Chance {
    /// A stream over a generator.
    pub fn new(generator: Xoshiro256PlusPlus) -> Chance {
        Chance(Arc::new(Mutex::new(generator)))
    }

    /// The next 64 bits.
    pub fn next_u64(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
    }
}

impl TryRng for Chance {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((Chance::next_u64(self) >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(Chance::next_u64(self))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
        Ok(())
    }
}
