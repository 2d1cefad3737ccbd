//! Until when the lanes of this process are known to be its own.
//!
//! The group may give a process's lanes away once it has not heard from it for the time of its session. A process that
//! was stopped, or cut off, does not know how long it has been. So it acts only while it knows that the group has heard
//! from it a moment ago: each sign of life that the group has answered extends the lease, by the session's time from the
//! moment in which the sign was *sent*. Whoever owns the lanes next begins at the end of that time at the earliest, and
//! then waits until what was signed before can act no longer ([`Before`](super::Before)).

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::contract::Pulse;

/// How many signs of life a session's time has room for: so many may go unanswered in a row.
const BEATS: u32 = 5;

/// A clock for spans of time. It must go on while the process is stopped.
pub type Uptime = Arc<dyn Fn() -> Duration + Send + Sync>;

/// A lease over the lanes of one group in this process. Clones are the same lease.
#[derive(Clone)]
pub struct Lease(Arc<Inner>);

struct Inner {
    now: Uptime,
    /// Grows with each sign of life that was answered.
    until: Mutex<Duration>,
    extended: Notify,
}

impl Lease {
    /// One that does not hold before its group has been heard from.
    #[must_use]
    pub fn new(now: Uptime) -> Self {
        Self(Arc::new(Inner { now, until: Mutex::default(), extended: Notify::new() }))
    }

    /// One that always holds, for whoever owns no lanes.
    #[must_use]
    pub fn endless() -> Self {
        let lease = Self::new(Arc::new(Duration::default));
        lease.extend(Duration::MAX);
        lease
    }

    /// Whether nobody else can own the lanes at this moment.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.now() < *self.until()
    }

    /// Returns once it holds; at once if it does.
    pub async fn held(&self) {
        loop {
            let mut extended = std::pin::pin!(self.0.extended.notified());
            // Registered before looking, so that an extension in between is not missed.
            extended.as_mut().enable();
            if self.holds() {
                return;
            }
            extended.await;
        }
    }

    /// Gives signs of life and extends the lease by those that are answered, until dropped.
    pub(super) async fn keep(&self, pulse: Arc<dyn Pulse>, session: Duration) -> Infallible {
        let mut beats = interval(session / BEATS);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            let asked = self.now();
            // An answer that takes as long as it would be good for is not waited for.
            match timeout(session, pulse.beat()).await {
                Ok(Ok(true)) => self.extend(asked.saturating_add(session)),
                Ok(Ok(false)) => {}
                Ok(Err(error)) => tracing::debug!(%error, "the group does not answer whether the lanes are still ours"),
                Err(_) => tracing::debug!("the group is silent about whether the lanes are still ours"),
            }
        }
    }

    pub(super) fn now(&self) -> Duration {
        (self.0.now)()
    }

    /// It never gets shorter: an answer that comes late says no less than it said.
    pub(super) fn extend(&self, until: Duration) {
        let mut current = self.until();
        *current = (*current).max(until);
        drop(current);
        self.0.extended.notify_waiters();
    }

    fn until(&self) -> MutexGuard<'_, Duration> {
        // A plain assignment is all that happens under the lock, so a poisoned one is whole.
        self.0.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("holds", &self.holds()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures::FutureExt;

    use super::*;

    const SESSION: Duration = Duration::from_secs(10);

    fn lab() -> (Arc<AtomicU64>, Lease) {
        let seconds = Arc::new(AtomicU64::new(100));
        let clock = Arc::clone(&seconds);
        (seconds, Lease::new(Arc::new(move || Duration::from_secs(clock.load(Ordering::SeqCst)))))
    }

    #[test]
    fn it_lasts_from_the_moment_of_asking() {
        let (seconds, lease) = lab();
        assert!(!lease.holds(), "nobody was heard from yet");
        let asked = lease.now();
        seconds.store(107, Ordering::SeqCst);
        lease.extend(asked + SESSION);
        seconds.store(109, Ordering::SeqCst);
        assert!(lease.holds());
        seconds.store(110, Ordering::SeqCst);
        assert!(!lease.holds(), "the answer came seven seconds after the question");
    }

    #[test]
    fn an_answer_that_was_overtaken_takes_nothing_back() {
        let (seconds, lease) = lab();
        lease.extend(Duration::from_secs(120));
        lease.extend(Duration::from_secs(112));
        seconds.store(119, Ordering::SeqCst);
        assert!(lease.holds());
    }

    #[test]
    fn who_waits_goes_on_with_the_next_sign_of_life() {
        let (_, lease) = lab();
        let mut waiting = Box::pin(lease.held());
        assert!(waiting.as_mut().now_or_never().is_none());
        lease.extend(lease.now() + SESSION);
        assert!(waiting.now_or_never().is_some());
    }

    #[test]
    fn an_endless_one_holds() {
        assert!(Lease::endless().holds());
    }
}
