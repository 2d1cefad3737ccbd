//! The breaker of one end of a link: after failures it stops everybody, and one look at a time finds out whether that
//! end is back. An end that answers such looks and lets nothing else succeed stops nobody, and is told of: a full disk, a
//! store that is read-only. Pure: whoever drives it gives the time and does the looking.

use std::collections::BTreeSet;

/// Failures without a success in between from which on somebody has to look.
const FAILURES: u32 = 3;

/// An end at which no object was written or read for so long, in microseconds, while this many records were tried, is told
/// of.
const FAILING_US: i64 = 60_000_000;
const FAILING: usize = 3;
/// After so long without a failure, in microseconds, nothing is known to fail any more: what was tried may be gone.
const QUIET_US: i64 = 5 * FAILING_US;
/// An end at which something worked again is told of no sooner than so long after, in microseconds.
const REST_US: i64 = 10 * FAILING_US;

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Wait and try again.
    TryAgain,
    /// Look whether the end answers at all, and tell [`Breaker::looked`].
    Look,
    /// Wait until it closes.
    Wait,
}

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It has opened: nobody tries from now on.
    Opened,
    /// It has closed: everybody goes on at once.
    Closed,
    /// The end answers, and no object can be written or read there.
    Failing,
    /// One was, or none is tried any more.
    Works,
}

/// One end of a link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Breaker {
    /// Failures since the last success.
    failures: u32,
    /// Since when it is open, microseconds since the Unix epoch.
    open_since_us: Option<i64>,
    /// Successes ever, by which a key that always fails knows that others do not.
    successes: u64,
    /// What failed since an object was last written or read there.
    failing: Failing,
    /// Before then it is not told of once more that nothing works.
    rest_until_us: i64,
}

/// A time in which no object was written or read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Failing {
    /// When the first failure was, microseconds since the Unix epoch.
    since_us: Option<i64>,
    /// When the last one was.
    last_us: i64,
    /// Some of the records that failed, as numbers that tell them apart; no more than matter.
    records: BTreeSet<u64>,
    /// Whether it was told of.
    told: bool,
}

impl Failing {
    fn failed(&mut self, record: u64, now_us: i64) {
        if !self.told && self.is_over(now_us) {
            *self = Self::default();
        }
        self.since_us.get_or_insert(now_us);
        self.last_us = now_us;
        if self.records.len() < FAILING {
            self.records.insert(record);
        }
    }

    fn is_over(&self, now_us: i64) -> bool {
        self.since_us.is_some() && now_us - self.last_us >= QUIET_US
    }

    fn is_to_be_told(&self, now_us: i64) -> bool {
        let long = self.since_us.is_some_and(|since_us| now_us - since_us >= FAILING_US);
        long && self.records.len() >= FAILING && !self.told
    }
}

impl Breaker {
    /// Whether everybody waits.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open_since_us.is_some()
    }

    /// Since when it is open, or nothing works there, as was told: microseconds since the Unix epoch.
    #[must_use]
    pub fn away_since_us(&self) -> Option<i64> {
        self.open_since_us.or(self.failing.since_us.filter(|_| self.failing.told))
    }

    /// Successes so far.
    #[must_use]
    pub fn successes(&self) -> u64 {
        self.successes
    }

    /// A call has succeeded. One that was under way when it opened changes nothing: a look closes it.
    pub fn succeeded(&mut self) {
        self.successes += 1;
        self.failures = 0;
    }

    /// An object was written there, or read: more than a full disk allows, on which one can still remove.
    pub fn carried(&mut self, now_us: i64) -> Option<Change> {
        let told = std::mem::take(&mut self.failing).told;
        if told {
            self.rest_until_us = now_us + REST_US;
        }
        told.then_some(Change::Works)
    }

    /// Some time has passed: where nothing has failed in it for long, that is over too.
    pub fn passes(&mut self, now_us: i64) -> Option<Change> {
        if self.failing.is_over(now_us) { self.carried(now_us) } else { None }
    }

    /// A call for a record, of this number, has failed in a way that may pass.
    pub fn failed(&mut self, record: u64, now_us: i64) -> After {
        if self.is_open() {
            return After::Wait;
        }
        self.failing.failed(record, now_us);
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES { After::Look } else { After::TryAgain }
    }

    /// Somebody has looked whether the end answers.
    pub fn looked(&mut self, answers: bool, now_us: i64) -> Option<Change> {
        match (answers, self.is_open()) {
            (true, true) => {
                (self.open_since_us, self.failures) = (None, 0);
                Some(Change::Closed)
            }
            (true, false) => {
                self.failures = 0;
                let tells = now_us >= self.rest_until_us && self.failing.is_to_be_told(now_us);
                self.failing.told |= tells;
                tells.then_some(Change::Failing)
            }
            (false, false) => {
                (self.open_since_us, self.failing) = (Some(now_us), Failing::default());
                Some(Change::Opened)
            }
            (false, true) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone, Copy)]
    enum Happens {
        Success,
        Failure(u64),
        Looked(bool),
    }

    fn happens() -> impl Strategy<Value = Happens> {
        prop_oneof![
            Just(Happens::Success),
            (0u64..5).prop_map(Happens::Failure),
            any::<bool>().prop_map(Happens::Looked)
        ]
    }

    proptest! {
        #[test]
        fn only_a_failed_look_opens_it_and_only_a_good_one_closes_it(story in proptest::collection::vec(happens(), 0..60)) {
            let mut breaker = Breaker::default();
            for (now, what) in (0..).zip(story) {
                let before = breaker.clone();
                match what {
                    Happens::Success => {
                        breaker.succeeded();
                        prop_assert_eq!(breaker.is_open(), before.is_open());
                        prop_assert_eq!(breaker.successes(), before.successes() + 1);
                    }
                    Happens::Failure(record) => {
                        let after = breaker.failed(record, now);
                        prop_assert_eq!(after == After::Wait, before.is_open());
                        prop_assert_eq!(breaker.is_open(), before.is_open());
                    }
                    Happens::Looked(answers) => {
                        let change = breaker.looked(answers, now);
                        prop_assert_eq!(breaker.is_open(), !answers);
                        let expected = match (before.is_open(), answers) {
                            (false, false) => Some(Change::Opened),
                            (true, true) => Some(Change::Closed),
                            _ => None,
                        };
                        prop_assert_eq!(change, expected);
                        if before.is_open() && !answers {
                            prop_assert_eq!(breaker.away_since_us(), before.away_since_us());
                        }
                    }
                }
            }
        }

        #[test]
        fn failures_in_a_row_lead_to_a_look_and_one_success_forgets_them(successes in 0u64..5, failures in 0u32..8) {
            let mut breaker = Breaker::default();
            for _ in 0..successes {
                breaker.succeeded();
            }
            for n in 1..=failures {
                prop_assert_eq!(breaker.failed(1, 0) == After::Look, n >= FAILURES);
            }
            breaker.succeeded();
            prop_assert_eq!(breaker.failed(1, 0), After::TryAgain);
        }

        /// A time in which nothing was carried over is told of once, if it is long and not of two records only, and so is
        /// its end; again only after a rest. Where nothing is tried any more, it ends by itself.
        #[test]
        fn an_end_that_answers_and_fails_is_told_of(story in proptest::collection::vec((0u8..4, 0u64..5, 1i64..200), 0..80)) {
            let mut breaker = Breaker::default();
            let (mut now_us, mut told_at, mut ended_at) = (0, None, None);
            let mut failures: Vec<(i64, u64)> = Vec::new();
            for (what, record, seconds) in story {
                now_us += seconds * 1_000_000;
                let quiet = failures.last().is_some_and(|(at, _)| now_us - at >= QUIET_US);
                let change = match what {
                    0 => {
                        failures.clear();
                        breaker.carried(now_us)
                    }
                    1 => {
                        if quiet {
                            failures.clear();
                        }
                        breaker.passes(now_us)
                    }
                    2 => {
                        if quiet && told_at.is_none() {
                            failures.clear();
                        }
                        failures.push((now_us, record));
                        breaker.failed(record, now_us);
                        None
                    }
                    _ => breaker.looked(true, now_us),
                };
                match change {
                    Some(Change::Failing) => {
                        prop_assert!(told_at.is_none() && ended_at.is_none_or(|at| now_us - at >= REST_US));
                        prop_assert!(now_us - failures[0].0 >= FAILING_US);
                        let records: BTreeSet<u64> = failures.iter().map(|(_, record)| *record).collect();
                        prop_assert!(records.len() >= FAILING);
                        told_at = Some(failures[0].0);
                    }
                    Some(Change::Works) => {
                        prop_assert!(told_at.is_some() && failures.is_empty());
                        (told_at, ended_at) = (None, Some(now_us));
                    }
                    None => prop_assert!(what > 1 || told_at.is_none() || !failures.is_empty()),
                    Some(other) => prop_assert!(false, "{other:?}"),
                }
                prop_assert_eq!(breaker.away_since_us(), told_at);
            }
        }
    }
}
