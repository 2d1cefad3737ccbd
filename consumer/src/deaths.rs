//! The guard against too many dead letters: when so many of a bucket's records would be dead that the bucket is at fault
//! and not they, it is held instead. Pure.
//!
//! Counted is by the clock, not by event time: what matters is what the target refuses now, whenever it was written. A
//! process counts what it handles itself, from its start on: each may bury as many as the limit before it stops.

use std::collections::VecDeque;
use std::time::Duration;

/// Into how many stretches a window is divided.
const STRETCHES: i64 = 10;

/// What is too many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeathLimits {
    /// The window.
    pub window: Duration,
    /// Dead letters in a window from which on it may be too many; 0 switches the guard off.
    pub letters: u64,
    /// Their share of all records done in the window from which on it is.
    pub share: f64,
}

impl Default for DeathLimits {
    fn default() -> Self {
        Self { window: Duration::from_secs(600), letters: 100, share: 0.5 }
    }
}

/// So many of so many records would be dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany {
    /// Dead ones, the last included.
    pub dead: u64,
    /// All.
    pub all: u64,
}

/// What a process counts of one bucket of one link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deaths {
    stretches: VecDeque<Stretch>,
    /// The last time when a person let the bucket go on: what was before is seen.
    released_us: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    number: i64,
    dead: u64,
    done: u64,
}

impl Deaths {
    /// Counts a record that was done.
    pub fn done(&mut self, limits: &DeathLimits, now_us: i64) {
        if let Some(stretch) = self.now(limits, now_us) {
            stretch.done += 1;
        }
    }

    /// A record would be dead. It is counted, unless it makes too many: then it is not to be buried, and comes again
    /// once a person has let the bucket go on, which begins the count anew.
    pub fn dead(&mut self, limits: &DeathLimits, now_us: i64, released_us: Option<i64>) -> Option<TooMany> {
        if released_us != self.released_us {
            self.released_us = released_us;
            self.stretches.clear();
        }
        self.now(limits, now_us)?;
        let dead = 1 + self.stretches.iter().map(|stretch| stretch.dead).sum::<u64>();
        let all = dead + self.stretches.iter().map(|stretch| stretch.done).sum::<u64>();
        #[expect(clippy::cast_precision_loss, reason = "counts of a window are far below 2^52")]
        let share = dead as f64 / all as f64;
        if dead >= limits.letters && share >= limits.share {
            return Some(TooMany { dead, all });
        }
        if let Some(stretch) = self.stretches.back_mut() {
            stretch.dead += 1;
        }
        None
    }

    /// The stretch of now, with those forgotten that are out of its window; `None` where the guard is off. A clock that
    /// was set back counts into the newest.
    fn now(&mut self, limits: &DeathLimits, now_us: i64) -> Option<&mut Stretch> {
        if limits.letters == 0 {
            return None;
        }
        let length = i64::try_from(limits.window.as_micros()).unwrap_or(i64::MAX).max(STRETCHES) / STRETCHES;
        let number = now_us.div_euclid(length);
        if self.stretches.back().is_none_or(|stretch| stretch.number < number) {
            self.stretches.push_back(Stretch { number, dead: 0, done: 0 });
        }
        while self.stretches.front().is_some_and(|stretch| stretch.number <= number - STRETCHES) {
            self.stretches.pop_front();
        }
        self.stretches.back_mut()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000;

    fn limits() -> DeathLimits {
        DeathLimits { window: Duration::from_secs(100), letters: 10, share: 0.5 }
    }

    proptest! {
        /// Against a plain count of all that happened in the window's stretches.
        #[test]
        fn it_counts_what_is_in_the_window(steps in prop::collection::vec((0i64..40, any::<bool>()), 0..200)) {
            let (limits, mut deaths) = (limits(), Deaths::default());
            let (mut now, mut seen): (i64, Vec<(i64, bool)>) = (0, Vec::new());
            for (later, dead) in steps {
                now += later * SECOND;
                let number = now / (10 * SECOND);
                seen.retain(|(at, _)| *at > number - 10);
                if !dead {
                    deaths.done(&limits, now);
                    seen.push((number, false));
                    continue;
                }
                let count = 1 + seen.iter().filter(|(_, dead)| *dead).count() as u64;
                let all = 1 + seen.len() as u64;
                let too_many = count >= 10 && count * 2 >= all;
                prop_assert_eq!(deaths.dead(&limits, now, None), too_many.then_some(TooMany { dead: count, all }));
                if !too_many {
                    seen.push((number, true));
                }
                prop_assert!(deaths.stretches.len() <= 10);
            }
        }

        #[test]
        fn fewer_than_the_limit_are_never_too_many(times in prop::collection::vec(-1_000i64..1_000, 0..10)) {
            let mut deaths = Deaths::default();
            let none = times.iter().take(9).all(|at| deaths.dead(&limits(), at * SECOND, None).is_none());
            prop_assert!(none);
        }
    }

    #[test]
    fn a_release_begins_anew_and_zero_switches_it_off() {
        let mut deaths = Deaths::default();
        let mut bury = |released| (0..20).filter(|_| deaths.dead(&limits(), 0, released).is_none()).count();
        assert_eq!((bury(None), bury(None), bury(Some(5)), bury(Some(5)), bury(Some(6))), (9, 0, 9, 0, 9));
        let off = DeathLimits { letters: 0, ..limits() };
        let mut deaths = Deaths::default();
        assert!((0..1_000).all(|_| deaths.dead(&off, 0, None).is_none()));
        assert_eq!(deaths, Deaths::default());
    }
}
