//! Calls that rest: once their lane is to end, what only waits never goes on.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

/// What a lane and its calls tell each other about the lane's end.
#[derive(Clone)]
pub(super) struct Rest(Arc<watch::Sender<State>>);

#[derive(Clone, Copy)]
struct State {
    /// The lane is to end.
    ending: bool,
    /// Calls that will do nothing any more.
    resting: usize,
    /// Until when a write may act of which nobody knows what became of it.
    acts_until: Option<Instant>,
}

impl Rest {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State { ending: false, resting: 0, acts_until: None })))
    }

    /// From now on, waits do not end.
    pub(super) fn begin(&self) {
        self.0.send_modify(|state| state.ending = true);
    }

    /// What `wait` yields; for a lane that is to end before it does, nothing ever.
    pub(super) async fn unless_ending<T>(&self, wait: impl Future<Output = T>) -> T {
        let ending = async {
            // The sender is ours, so this cannot fail.
            let _ = self.0.subscribe().wait_for(|state| state.ending).await;
        };
        tokio::select! {
            biased;
            result = wait => return result,
            () = ending => {}
        }
        self.0.send_modify(|state| state.resting += 1);
        std::future::pending().await
    }

    /// Waits until so many calls rest.
    pub(super) async fn reached(&self, calls: usize) {
        let _ = self.0.subscribe().wait_for(|state| state.resting >= calls).await;
    }

    /// A write was begun of which it is not known what became of it, and which may act until then.
    pub(super) fn may_act(&self, until: Instant) {
        self.0.send_if_modified(|state| {
            state.acts_until = state.acts_until.max(Some(until));
            false
        });
    }

    /// Until when such a write may act.
    pub(super) fn acts_until(&self) -> Option<Instant> {
        self.0.borrow().acts_until
    }
}
