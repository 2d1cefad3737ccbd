//! Holding a bucket of which too much would be dead.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::Apply;
use crate::deaths::{DeathLimits, Deaths, TooMany};
use crate::hold::{Direction, Reason};

/// What this process has counted.
#[derive(Default)]
pub(super) struct Counted(Mutex<BTreeMap<Direction, Deaths>>);

impl Counted {
    fn with<T>(&self, direction: &Direction, count: impl FnOnce(&mut Deaths) -> T) -> T {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counted.get_mut(direction) {
            Some(deaths) => count(deaths),
            None => count(counted.entry(direction.clone()).or_default()),
        }
    }
}

impl Apply {
    fn death_limits(&self, direction: &Direction) -> Option<DeathLimits> {
        self.link(&direction.0).map(|link| link.deaths).filter(|limits| limits.letters > 0)
    }

    /// Counts a record that was done.
    pub(super) fn count_done(&self, direction: &Direction) {
        if let Some(limits) = self.death_limits(direction) {
            let now_us = self.parts.clock.now_us();
            self.deaths.with(direction, |deaths| deaths.done(&limits, now_us));
        }
    }

    /// A record would be dead for this reason. Whether it is one too many: then its bucket is held, and it is not to be
    /// buried; it is tried again once a person has let the bucket go on.
    pub(super) async fn too_many_dead(&self, direction: &Direction, reason: &str) -> bool {
        let Some(limits) = self.death_limits(direction) else { return false };
        if self.parts.holds.reason(direction) == Some(Reason::TooManyDeadLetters) {
            return true;
        }
        let released = self.parts.holds.control().release(direction).map(|release| release.at_us);
        let now_us = self.parts.clock.now_us();
        let Some(TooMany { dead, all }) = self.deaths.with(direction, |deaths| deaths.dead(&limits, now_us, released))
        else {
            return false;
        };
        let minutes = limits.window.as_secs().div_ceil(60);
        let message = format!("{dead} of {all} records within {minutes} minutes would be dead, the last: {reason}");
        self.hold(direction, Reason::TooManyDeadLetters, &message).await;
        true
    }
}
