//! When a bucket's lag misses its link's threshold, and when that is regained. Pure.

use twinlog_schemas::EventType;

/// It is regained at half of the threshold, so that a lag about the threshold is not told again and again.
const REGAINED: u64 = 2;

/// What was told last of one link and bucket by this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lag {
    missed: Option<bool>,
}

impl Lag {
    /// Looks at the age of the oldest waiting change. `standing` says whether it stands as missed on record, which a
    /// process that has just begun goes by. What to tell, if anything.
    pub fn look(&mut self, oldest_seconds: u64, threshold_seconds: u64, standing: bool) -> Option<EventType> {
        let missed = self.missed.unwrap_or(standing);
        if !missed && oldest_seconds >= threshold_seconds.max(1) {
            self.missed = Some(true);
            return Some(EventType::ThresholdMissed);
        }
        if missed && oldest_seconds <= threshold_seconds / REGAINED {
            self.missed = Some(false);
            return Some(EventType::ThresholdRegained);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn missed_and_regained_take_turns_with_room_between(ages in proptest::collection::vec(0u64..40, 0..60), threshold in 1u64..30, standing: bool) {
            let mut lag = Lag::default();
            let mut missed = standing;
            for age in ages {
                match lag.look(age, threshold, standing) {
                    Some(EventType::ThresholdMissed) => {
                        prop_assert!(!missed && age >= threshold);
                        missed = true;
                    }
                    Some(EventType::ThresholdRegained) => {
                        prop_assert!(missed && age <= threshold / 2);
                        missed = false;
                    }
                    Some(other) => prop_assert!(false, "{other:?}"),
                    None => {
                        let between = if missed { age > threshold / 2 } else { age < threshold };
                        prop_assert!(between);
                    }
                }
            }
        }
    }
}
