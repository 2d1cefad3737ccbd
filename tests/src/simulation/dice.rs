//! Randomness from the seed: every part of a run has dice of its own, so that one part's throws do not shift another's.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};

/// Dice of one part of a run.
pub(super) struct Dice(SmallRng);

impl Dice {
    pub(super) fn new(seed: u64, part: &str) -> Self {
        // FNV-1a: any fixed hash will do, as long as it never changes.
        let hash = part
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(SmallRng::seed_from_u64(seed ^ hash))
    }

    /// A seed for something else.
    pub(super) fn seed(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// True in so many of a hundred cases.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.0.random_range(0..100) < percent
    }

    /// A number below `bound`; 0 where there is none.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { self.0.random_range(0..bound) }
    }

    /// One of a slice; `None` of an empty one.
    pub(super) fn one<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }

    /// Up to `longest`, in whole milliseconds.
    pub(super) fn up_to(&mut self, longest: Duration) -> Duration {
        let ms = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.0.random_range(0..=ms))
    }
}
