//! The delete-storm guard: how much of what happened to a bucket lately was removal by clients. Pure.
//!
//! Counted is by *event time*, so that days of ordinary removals which drain after an outage are no storm; by partition,
//! each of which one process counts, so that the sum is right whoever reads them; and by offset, so that a record read
//! twice counts once. Change events and facts tell of the same removals: the larger of the two counts stands.

use std::collections::BTreeSet;
use std::time::Duration;

use twinlog_control::{Slice, Stretch};

/// Into how many stretches a window is divided.
const STRETCHES: i64 = 10;

/// What is a storm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StormLimits {
    /// The window of event time.
    pub window: Duration,
    /// Removals in a window from which on it may be one; 0 switches the guard off.
    pub removals: u64,
    /// Their share of all changes in the window from which on it is one.
    pub share: f64,
}

impl Default for StormLimits {
    fn default() -> Self {
        Self { window: Duration::from_secs(600), removals: 1_000, share: 0.9 }
    }
}

/// What a record says to the guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// A client removed something.
    Removed,
    /// Anything else.
    Other,
}

impl StormLimits {
    fn stretch_us(&self) -> i64 {
        i64::try_from(self.window.as_micros()).unwrap_or(i64::MAX).max(STRETCHES) / STRETCHES
    }

    /// Whether the window that ends at `at_us` is a storm, by the slices of a bucket's change partitions and of the
    /// facts partitions. Nothing of the stretch of `released_us` or before counts: a person has seen it.
    #[must_use]
    pub fn storm(&self, at_us: i64, changes: &[&Slice], facts: &[&Slice], released_us: Option<i64>) -> Option<Storm> {
        if self.removals == 0 {
            return None;
        }
        let last = at_us.div_euclid(self.stretch_us());
        let before = released_us.map_or(i64::MIN, |released| released.div_euclid(self.stretch_us()));
        let before = before.max(last.saturating_sub(STRETCHES));
        let sum = |slices: &[&Slice], of: fn(&Stretch) -> u64| -> u64 {
            let stretches = slices.iter().flat_map(|slice| &slice.stretches);
            stretches.filter(|s| s.number <= last && s.number > before).map(of).sum()
        };
        let removed = sum(changes, |s| s.removed).max(sum(facts, |s| s.removed));
        let all = removed + sum(changes, |s| s.other);
        #[expect(clippy::cast_precision_loss, reason = "counts of a window are far below 2^52")]
        let share = if all == 0 { 0.0 } else { removed as f64 / all as f64 };
        (removed >= self.removals && share >= self.share).then_some(Storm { removed, all })
    }
}

/// How many offsets a counter remembers one by one: more than can be in flight in a partition.
const REMEMBERED: usize = 4_096;

/// What one process counts of one partition. Records of different keys are counted in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counter {
    slice: Slice,
    /// Everything before is counted.
    floor: i64,
    /// The offsets from there on that are counted.
    counted: BTreeSet<i64>,
}

impl Counter {
    /// Goes on from what is on record.
    #[must_use]
    pub fn resume(slice: Slice) -> Self {
        Self { floor: slice.counted_to, slice, counted: BTreeSet::new() }
    }

    /// What is to be put on record.
    #[must_use]
    pub fn slice(&self) -> &Slice {
        &self.slice
    }

    /// The removals that are not forgotten yet.
    #[must_use]
    pub fn removed(&self) -> u64 {
        self.slice.stretches.iter().map(|stretch| stretch.removed).sum()
    }

    /// Counts a record, unless it was counted before.
    pub fn count(&mut self, limits: &StormLimits, offset: i64, at_us: i64, seen: Seen) {
        if offset < self.floor || !self.counted.insert(offset) {
            return;
        }
        if self.counted.len() > REMEMBERED
            && let Some(lowest) = self.counted.pop_first()
        {
            self.floor = lowest + 1;
        }
        let slice = &mut self.slice;
        slice.counted_to = slice.counted_to.max(offset + 1);
        let number = at_us.div_euclid(limits.stretch_us());
        let at = slice.stretches.partition_point(|stretch| stretch.number < number);
        if slice.stretches.get(at).is_none_or(|stretch| stretch.number != number) {
            slice.stretches.insert(at, Stretch { number, ..Stretch::default() });
        }
        let stretch = &mut slice.stretches[at];
        match seen {
            Seen::Removed => stretch.removed += 1,
            Seen::Other => stretch.other += 1,
        }
        // What is older than a window before the newest can be part of no storm that is still to come.
        let newest = slice.stretches.last().map_or(number, |stretch| stretch.number);
        slice.stretches.retain(|stretch| stretch.number > newest - 2 * STRETCHES);
    }
}

/// A storm: so many of so many changes were removals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storm {
    /// Removals by clients.
    pub removed: u64,
    /// All changes.
    pub all: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000_000;

    fn limits() -> StormLimits {
        StormLimits { window: Duration::from_secs(600), removals: 50, share: 0.5 }
    }

    fn count(counter: &mut Counter, records: &[(i64, Seen)]) {
        for (offset, (at, seen)) in (0..).zip(records) {
            counter.count(&limits(), offset, *at, *seen);
        }
    }

    fn counted(records: &[(i64, Seen)]) -> Slice {
        let mut counter = Counter::default();
        count(&mut counter, records);
        counter.slice
    }

    fn record() -> impl Strategy<Value = (i64, Seen)> {
        (0..60 * MINUTE, any::<bool>())
            .prop_map(|(at, removed)| (at, if removed { Seen::Removed } else { Seen::Other }))
    }

    proptest! {
        #[test]
        fn reading_again_counts_nothing_again(records in proptest::collection::vec(record(), 0..80)) {
            let mut counter = Counter::default();
            count(&mut counter, &records);
            let once = counter.slice.clone();
            count(&mut counter, &records);
            prop_assert_eq!(&once, &counter.slice, "in the same process");
            let mut later = Counter::resume(once.clone());
            count(&mut later, &records);
            prop_assert_eq!(once, later.slice, "after a restart");
        }

        #[test]
        fn fewer_removals_than_the_limit_are_no_storm(records in proptest::collection::vec(record(), 0..49), at in 0..60 * MINUTE) {
            let limits = limits();
            prop_assert_eq!(limits.storm(at, &[&counted(&records)], &[], None), None);
        }

        #[test]
        fn how_the_records_lie_in_partitions_does_not_matter(
            records in proptest::collection::vec((0..9 * MINUTE, any::<bool>(), 0usize..3), 0..200),
        ) {
            let limits = limits();
            let seen = |removed| if removed { Seen::Removed } else { Seen::Other };
            let whole: Vec<_> = records.iter().map(|(at, removed, _)| (*at, seen(*removed))).collect();
            let parts: Vec<Slice> = (0..3)
                .map(|n| {
                    let of = records.iter().filter(|(.., part)| *part == n);
                    counted(&of.map(|(at, removed, _)| (*at, seen(*removed))).collect::<Vec<_>>())
                })
                .collect();
            let whole = counted(&whole);
            prop_assert_eq!(
                limits.storm(9 * MINUTE, &[&whole], &[], None),
                limits.storm(9 * MINUTE, &parts.iter().collect::<Vec<_>>(), &[], None)
            );
        }

        #[test]
        fn what_was_released_is_no_storm(records in proptest::collection::vec(record(), 0..200), at in 0..60 * MINUTE) {
            let limits = limits();
            prop_assert_eq!(limits.storm(at, &[&counted(&records)], &[], Some(60 * MINUTE)), None);
        }

        #[test]
        fn facts_and_events_of_the_same_removals_count_once(removals in 0u64..100) {
            let limits = limits();
            let records: Vec<_> = (0..removals).map(|_| (MINUTE, Seen::Removed)).collect();
            let slice = counted(&records);
            let storm = limits.storm(MINUTE, &[&slice], &[&slice], None);
            prop_assert_eq!(storm.map(|storm| storm.removed), (removals >= 50).then_some(removals));
        }
    }

    #[test]
    fn a_burst_is_a_storm_and_days_of_ordinary_removals_that_drain_at_once_are_none() {
        let limits = limits();
        let burst: Vec<_> = (0..60).map(|n| (n * 1_000_000, Seen::Removed)).collect();
        let storm = limits.storm(MINUTE, &[&counted(&burst)], &[], None);
        assert_eq!(storm, Some(Storm { removed: 60, all: 60 }));

        let mut counter = Counter::default();
        for n in 0..5_000 {
            // One removal a minute, for more than three days, all read within a second.
            counter.count(&limits, n, n * MINUTE, Seen::Removed);
            assert_eq!(limits.storm(n * MINUTE, &[counter.slice()], &[], None), None);
        }
        assert!(counter.slice().stretches.len() <= 20, "its record stays small");
    }

    #[test]
    fn removals_beside_as_many_writes_are_ordinary_work() {
        let limits = StormLimits { share: 0.9, ..limits() };
        let records: Vec<_> =
            (0..400).map(|n| (MINUTE, if n % 2 == 0 { Seen::Removed } else { Seen::Other })).collect();
        assert_eq!(limits.storm(MINUTE, &[&counted(&records)], &[], None), None);
        assert_eq!(StormLimits { removals: 0, ..limits }.storm(MINUTE, &[], &[], None), None);
    }
}
