//! How fast a sweep may go.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Lets so many steps through in a second, evenly. Those that wait go in the order in which they came.
#[derive(Debug)]
pub struct Pace {
    every: Duration,
    /// When the next step may be made; moved on by whoever takes it.
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// At most so many steps in a second.
    #[must_use]
    pub fn new(per_second: NonZeroU32) -> Self {
        Self { every: Duration::from_secs(1) / per_second.get(), next: Mutex::new(None) }
    }

    /// Waits for its turn.
    pub async fn step(&self) {
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let turn = next.map_or(now, |next| next.max(now));
            *next = Some(turn + self.every);
            turn
        };
        sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn steps_are_spread_over_the_second() {
        let pace = Pace::new(NonZeroU32::MIN.saturating_add(9));
        let begun = Instant::now();
        for _ in 0..21 {
            pace.step().await;
        }
        assert_eq!(begun.elapsed(), Duration::from_secs(2));
    }
}
