//! What a lane that is to end and its calls say to each other: what only waits never goes on, and holds nobody up.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

/// The end of a lane. Clones are of the same lane.
#[derive(Clone)]
pub(super) struct Ending(Arc<watch::Sender<State>>);

#[derive(Clone, Copy)]
struct State {
    begun: bool,
    /// Calls that will do nothing any more.
    resting: usize,
    /// Until when a write may act of which nobody knows what became of it.
    acts_until: Option<Instant>,
}

impl Ending {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State { begun: false, resting: 0, acts_until: None })))
    }

    /// From now on, no wait ends that has not ended yet.
    pub(super) fn begin(&self) {
        self.0.send_modify(|state| state.begun = true);
    }

    /// What `wait` yields. Where the lane is to end before it does, `wait` is dropped and this never returns: the call rests.
    pub(super) async fn unless_begun<T>(&self, wait: impl Future<Output = T>) -> T {
        let begun = async {
            // The sender is ours, so this cannot fail.
            let _ = self.0.subscribe().wait_for(|state| state.begun).await;
        };
        tokio::select! {
            biased;
            result = wait => return result,
            () = begun => {}
        }
        let _resting = Resting::one_more(self);
        std::future::pending().await
    }

    /// Waits until so many calls rest.
    pub(super) async fn all_rest(&self, calls: usize) {
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

/// A call that rests, while this lives.
struct Resting<'a>(&'a Ending);

impl<'a> Resting<'a> {
    fn one_more(ending: &'a Ending) -> Self {
        ending.0.send_modify(|state| state.resting += 1);
        Self(ending)
    }
}

impl Drop for Resting<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.resting -= 1);
    }
}
