//! A gate in front of everything that a process does to the world: closed, it is a process that was stopped (SIGSTOP)
//! between deciding and acting, and that goes on where it was once it is woken.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// After so long, at most, a process that was woken hears from its group what it has lost meanwhile.
pub(super) const HEARD: Duration = Duration::from_millis(1_500);

/// The gate of one process. Clones are the same gate.
///
/// Made of `Notify`, which wakes in the order of waiting: a watch channel wakes in an order of chance.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<Inner>);

#[derive(Default)]
struct Inner {
    stopped_at: Mutex<Option<Instant>>,
    opened: Notify,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.stopped_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn close(&self) {
        *self.state() = Some(Instant::now());
    }

    pub(super) fn open(&self) {
        *self.state() = None;
        self.0.opened.notify_waiters();
    }

    /// For how long the process has been stopped, if it is.
    pub(super) fn stopped(&self) -> Option<Duration> {
        self.state().map(|since| since.elapsed())
    }

    /// Returns at once while the gate is open, else when it opens; whether it had to wait.
    pub(super) async fn pass(&self) -> bool {
        let mut waited = false;
        loop {
            let mut opened = std::pin::pin!(self.0.opened.notified());
            // Registered before looking, so that an opening in between is not missed.
            opened.as_mut().enable();
            if self.state().is_none() {
                return waited;
            }
            waited = true;
            opened.await;
        }
    }
}
