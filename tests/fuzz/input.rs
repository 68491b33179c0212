//! Making inputs: chance that a seed repeats, texts, JSON as it is written, bodies, and damage to bytes.
//!
//! Nothing here knows what must hold for an input.

pub(crate) mod body;
mod damage;
mod json;
pub(crate) mod text;

pub(crate) use damage::damage;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

/// Stands in texts of every kind. No answer and no error may repeat it.
pub(crate) const CANARY: &str = "Quillfeather";

/// Chance of one input. The same seed and number give the same input, on whatever thread.
pub(crate) struct Chance(SmallRng);

impl Chance {
    pub(crate) fn of(seed: u64, number: u64) -> Self {
        // Numbers in a row must not give seeds in a row: 2^64 divided by the golden ratio spreads them.
        Self(SmallRng::seed_from_u64(seed.rotate_left(32) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }

    pub(crate) fn one_in(&mut self, count: u32) -> bool {
        self.0.random_ratio(1, count)
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.0.random()
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        self.0.random()
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0.random()
    }

    /// A length: mostly small, at times up to `most`.
    pub(crate) fn length(&mut self, most: usize) -> usize {
        let most = if self.one_in(8) { most } else { most.min(8) };
        self.below(most + 1)
    }
}
