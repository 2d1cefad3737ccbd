//! A gate in front of everything that a process does to the world: closed, it is a process that was stopped (SIGSTOP)
//! between deciding and acting, and that goes on where it was once it is woken.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Until so long after waking, a process has heard from its group what it has lost meanwhile.
pub(super) const HEARD: Duration = Duration::from_millis(200);

/// The gate of one process. Clones are the same gate.
///
/// Made of `Notify`, which wakes in the order of waiting: a watch channel wakes in an order of chance.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    opened: Notify,
}

#[derive(Default, Clone, Copy)]
struct State {
    stopped_at: Option<Instant>,
    woken_at: Option<Instant>,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn close(&self) {
        self.state().stopped_at = Some(Instant::now());
    }

    pub(super) fn open(&self) {
        let mut state = self.state();
        if state.stopped_at.take().is_some() {
            state.woken_at = Some(Instant::now());
        }
        drop(state);
        self.0.opened.notify_waiters();
    }

    /// Returns at once while the gate is open, else when it opens; whether it had to wait.
    pub(super) async fn pass(&self) -> bool {
        let mut waited = false;
        loop {
            let mut opened = std::pin::pin!(self.0.opened.notified());
            // Registered before looking, so that an opening in between is not missed.
            opened.as_mut().enable();
            if self.state().stopped_at.is_none() {
                return waited;
            }
            waited = true;
            opened.await;
        }
    }

    /// The gate of a write: who has been stopped sends what was signed before, and signs nothing new until it has heard
    /// from its group. Returns how old the signature is.
    pub(super) async fn pass_signed(&self) -> Duration {
        let State { stopped_at, woken_at } = *self.state();
        if let Some(stopped_at) = stopped_at {
            self.pass().await;
            return stopped_at.elapsed();
        }
        if let Some(heard_at) = woken_at.map(|woken| woken + HEARD).filter(|heard| *heard > Instant::now()) {
            sleep_until(heard_at + Duration::from_millis(1)).await;
            self.pass().await;
        }
        Duration::ZERO
    }
}
