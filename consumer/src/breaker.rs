//! The breaker of one end of a link: after failures it stops everybody, and one look at a time finds out whether that
//! end is back. An end that answers such looks and lets nothing else succeed stops nobody, and is told of: a full disk, a
//! store that is read-only. Pure: whoever drives it gives the time and does the looking.

use std::collections::BTreeSet;

/// Failures without a success in between from which on somebody has to look.
const FAILURES: u32 = 3;

/// An end at which nothing succeeded for so long, in microseconds, while this many records were tried, is told of.
const FAILING_US: i64 = 60_000_000;
const FAILING: usize = 3;

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
    /// The end answers, and nothing that is tried there succeeds.
    Failing,
    /// Something has succeeded there again.
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
    /// What failed since the last success.
    failing: Failing,
}

/// A time without a success.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Failing {
    /// When the first failure was, microseconds since the Unix epoch.
    since_us: Option<i64>,
    /// Some of the records that failed, as numbers that tell them apart; no more than matter.
    records: BTreeSet<u64>,
    /// Whether it was told of.
    told: bool,
}

impl Breaker {
    /// Whether everybody waits.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open_since_us.is_some()
    }

    /// Since when it is open.
    #[must_use]
    pub fn open_since_us(&self) -> Option<i64> {
        self.open_since_us
    }

    /// Successes so far.
    #[must_use]
    pub fn successes(&self) -> u64 {
        self.successes
    }

    /// Whether the end answers, and it was told that nothing succeeds there.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.failing.told
    }

    /// A call has succeeded. One that was under way when it opened changes nothing: a look closes it.
    pub fn succeeded(&mut self) -> Option<Change> {
        self.successes += 1;
        self.failures = 0;
        std::mem::take(&mut self.failing).told.then_some(Change::Works)
    }

    /// A call for a record, of this number, has failed in a way that may pass.
    pub fn failed(&mut self, record: u64, now_us: i64) -> After {
        if self.is_open() {
            return After::Wait;
        }
        self.failing.since_us.get_or_insert(now_us);
        if self.failing.records.len() < FAILING {
            self.failing.records.insert(record);
        }
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
                let Failing { since_us, records, told } = &mut self.failing;
                let long = since_us.is_some_and(|since_us| now_us - since_us >= FAILING_US);
                let tells = long && records.len() >= FAILING && !*told;
                *told |= tells;
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
                        prop_assert_eq!(breaker.succeeded(), None, "so short a time is not told of");
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
                            prop_assert_eq!(breaker.open_since_us(), before.open_since_us());
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

        /// A time without success is told of once, if it is long and not of two records only, and so is its end.
        #[test]
        fn an_end_that_answers_and_fails_is_told_of(story in proptest::collection::vec((happens(), 1i64..40), 0..80)) {
            let mut breaker = Breaker::default();
            let (mut now_us, mut since_us, mut records, mut told) = (0, None, BTreeSet::new(), false);
            for (what, seconds) in story {
                now_us += seconds * 1_000_000;
                let change = match what {
                    Happens::Success => {
                        let over = told.then_some(Change::Works);
                        (since_us, records, told) = (None, BTreeSet::new(), false);
                        prop_assert_eq!(breaker.succeeded(), over);
                        over
                    }
                    Happens::Failure(record) => {
                        if !breaker.is_open() {
                            since_us.get_or_insert(now_us);
                            records.insert(record);
                        }
                        breaker.failed(record, now_us);
                        None
                    }
                    Happens::Looked(answers) => {
                        let due = since_us.is_some_and(|since_us| now_us - since_us >= FAILING_US)
                            && records.len() >= FAILING && !told && answers && !breaker.is_open();
                        if !answers && !breaker.is_open() {
                            (since_us, records, told) = (None, BTreeSet::new(), false);
                        }
                        let change = breaker.looked(answers, now_us);
                        prop_assert_eq!(change == Some(Change::Failing), due);
                        change
                    }
                };
                told |= change == Some(Change::Failing);
                prop_assert_eq!(breaker.is_failing(), told);
                prop_assert!(!(told && breaker.is_open()));
            }
        }
    }
}
