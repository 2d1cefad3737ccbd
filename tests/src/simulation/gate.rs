//! A gate in front of everything that a process does to the world: closed, it is a process that was stopped (SIGSTOP)
//! between deciding and acting, and that goes on where it was once it is woken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// The gate of one process. Clones are the same gate.
///
/// Made of `Notify`, which wakes in the order of waiting: a watch channel wakes in an order of chance.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<Inner>);

#[derive(Default)]
struct Inner {
    closed: AtomicBool,
    opened: Notify,
}

impl Gate {
    pub(super) fn close(&self) {
        self.0.closed.store(true, Ordering::SeqCst);
    }

    pub(super) fn open(&self) {
        self.0.closed.store(false, Ordering::SeqCst);
        self.0.opened.notify_waiters();
    }

    /// Returns at once while the gate is open, else when it opens; whether it had to wait.
    pub(super) async fn pass(&self) -> bool {
        let mut waited = false;
        loop {
            let mut opened = std::pin::pin!(self.0.opened.notified());
            // Registered before looking, so that an opening in between is not missed.
            opened.as_mut().enable();
            if !self.0.closed.load(Ordering::SeqCst) {
                return waited;
            }
            waited = true;
            opened.await;
        }
    }
}
