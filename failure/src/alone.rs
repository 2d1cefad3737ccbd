//! A key that fails while others succeed: after so long the fault is its own. Pure: whoever drives it gives the time.

use std::time::Duration;

/// How long one key has failed by itself. Time counts only where other keys succeeded in it, so an outage never adds up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alone {
    so_far: Duration,
    /// When it failed last, by a clock that never goes back, and how many calls had succeeded by then.
    last: Option<(Duration, u64)>,
}

impl Alone {
    /// It has failed, at `now`, when so many calls of others had succeeded. Returns for how long it has failed alone.
    pub fn failed(&mut self, now: Duration, successes: u64) -> Duration {
        if let Some((at, before)) = self.last.replace((now, successes))
            && successes > before
        {
            self.so_far += now.saturating_sub(at);
        }
        self.so_far
    }

    /// Something else was waited for since it failed last: the time until it fails next does not count.
    pub fn waited(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// It is the sum of the times in which others succeeded, and nothing of the rest.
        #[test]
        fn only_time_in_which_others_succeed_counts(story in proptest::collection::vec((1u64..100, 0u64..3), 0..50)) {
            let (mut alone, mut now, mut successes, mut expected) = (Alone::default(), 0, 0, 0);
            alone.failed(Duration::ZERO, 0);
            for (seconds, more) in story {
                now += seconds;
                successes += more;
                expected += if more > 0 { seconds } else { 0 };
                prop_assert_eq!(alone.failed(Duration::from_secs(now), successes), Duration::from_secs(expected));
            }
        }

        /// What was waited for between two failures leaves no time behind, whoever succeeded meanwhile.
        #[test]
        fn time_in_which_something_else_was_waited_for_does_not_count(before in 1u64..100, waited in 1u64..1_000) {
            let mut alone = Alone::default();
            alone.failed(Duration::ZERO, 0);
            alone.failed(Duration::from_secs(before), 1);
            alone.waited();
            let counted = alone.failed(Duration::from_secs(before + waited), 9);
            prop_assert_eq!(counted, Duration::from_secs(before));
        }
    }
}
