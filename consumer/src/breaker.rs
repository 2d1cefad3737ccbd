//! The breaker of one end of a link: after failures it stops everybody, and one look at a time finds out whether that
//! end is back. Pure: whoever drives it gives the time and does the looking.

/// Failures without a success in between from which on somebody has to look.
const FAILURES: u32 = 3;

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

/// What a look has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It has opened: nobody tries from now on.
    Opened,
    /// It has closed: everybody goes on at once.
    Closed,
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

    /// A call has succeeded. One that was under way when it opened changes nothing: a look closes it.
    pub fn succeeded(&mut self) {
        self.successes += 1;
        self.failures = 0;
    }

    /// A call has failed in a way that may pass.
    pub fn failed(&mut self) -> After {
        if self.is_open() {
            return After::Wait;
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
                None
            }
            (false, false) => {
                self.open_since_us = Some(now_us);
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
        Failure,
        Looked(bool),
    }

    fn happens() -> impl Strategy<Value = Happens> {
        prop_oneof![Just(Happens::Success), Just(Happens::Failure), any::<bool>().prop_map(Happens::Looked)]
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
                    Happens::Failure => {
                        let after = breaker.failed();
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
            (0..successes).for_each(|_| breaker.succeeded());
            for n in 1..=failures {
                prop_assert_eq!(breaker.failed() == After::Look, n >= FAILURES);
            }
            breaker.succeeded();
            prop_assert_eq!(breaker.failed(), After::TryAgain);
        }
    }
}
