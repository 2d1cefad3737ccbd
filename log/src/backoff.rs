//! The one exponential backoff with jitter that every crate waits by: a thin layer over `backon` in which the
//! randomness is a seed given by the caller and the waiting is `tokio::time`, so that simulated time works.

use std::future::Future;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// How waits grow: from `first`, by `factor`, up to `longest`. Jitter adds up to as much again to each wait, so the
/// longest wait of all is twice `longest`. There is no limit on the number of attempts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// The first wait without jitter.
    pub first: Duration,
    /// The longest wait without jitter.
    pub longest: Duration,
    /// What each wait is multiplied by to give the next; at least 1.
    pub factor: f32,
}

impl Backoff {
    /// For requests within one machine room: 50 ms doubling to 5 s.
    pub const PROMPT: Self = Self::new(Duration::from_millis(50), Duration::from_secs(5));
    /// For peers that may be away for hours: 200 ms doubling to 30 s.
    pub const PATIENT: Self = Self::new(Duration::from_millis(200), Duration::from_secs(30));

    /// Doubling from `first` to `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, factor: 2.0 }
    }

    /// The endless sequence of waits; the same seed gives the same sequence.
    #[must_use]
    pub fn delays(&self, seed: u64) -> Delays {
        let builder = ExponentialBuilder::new()
            .with_min_delay(self.first)
            .with_max_delay(self.longest)
            .with_factor(self.factor.max(1.0))
            .without_max_times()
            .with_jitter()
            .with_jitter_seed(seed);
        Delays { waits: builder.build(), longest: self.longest }
    }
}

/// The waits of one run of attempts; make a new one after a success.
#[derive(Debug)]
pub struct Delays {
    waits: backon::ExponentialBackoff,
    longest: Duration,
}

impl Delays {
    /// The next wait.
    pub fn next_delay(&mut self) -> Duration {
        self.waits.next().unwrap_or(self.longest)
    }

    /// Waits for the next wait's time.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next_delay()).await;
    }
}

/// Calls `attempt` until it succeeds or fails with something not `again`, waiting in between. `told` sees every error
/// that is tried again, with the wait that follows it. Dropping the future gives up.
pub async fn retry<T, E, F, Fut>(
    mut delays: Delays,
    again: impl Fn(&E) -> bool,
    mut told: impl FnMut(&E, Duration),
    mut attempt: F,
) -> Result<T, E>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    loop {
        match attempt().await {
            Err(error) if again(&error) => {
                let delay = delays.next_delay();
                told(&error, delay);
                tokio::time::sleep(delay).await;
            }
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_grow_to_the_longest_and_stay_within_twice_of_it(seed: u64) {
            let backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(400));
            let mut delays = backoff.delays(seed);
            let waits: Vec<Duration> = (0..50).map(|_| delays.next_delay()).collect();
            prop_assert!(waits.iter().all(|w| *w >= backoff.first && *w <= backoff.longest * 2));
            prop_assert!(waits[20..].iter().all(|w| *w >= backoff.longest));
            let mut again = backoff.delays(seed);
            prop_assert!(waits.iter().all(|w| *w == again.next_delay()));
        }
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn retry_ends_with_success_or_the_first_error_that_is_not_to_be_tried_again() {
        let mut left = 3;
        let mut seen = 0;
        let outcome: Result<u8, bool> = retry(
            Backoff::PATIENT.delays(1),
            |again| *again,
            |_, _| seen += 1,
            || {
                left -= 1;
                let done = left == 0;
                async move { if done { Ok(7) } else { Err(true) } }
            },
        )
        .await;
        assert_eq!((outcome, seen), (Ok(7), 2));
        let refused: Result<u8, bool> =
            retry(Backoff::PATIENT.delays(1), |a| *a, |_, _| (), || async { Err(false) }).await;
        assert_eq!(refused, Err(false));
    }
}
