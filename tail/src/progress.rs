//! How far each partition has been merged, and who waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use twinlog_log::TopicPartition;

/// The next offset of each partition. A `Notify`, because a watch channel wakes those who wait in random order, which a
/// simulation must not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next: Mutex<BTreeMap<TopicPartition, i64>>,
    changed: Notify,
}

impl Progress {
    /// Everything below `next` has been merged.
    pub(crate) fn tell(&self, partition: &TopicPartition, next: i64) {
        self.0.next.lock().unwrap_or_else(PoisonError::into_inner).insert(partition.clone(), next);
        self.0.changed.notify_waiters();
    }

    /// Waits until everything below `next` has been merged.
    pub(crate) async fn reaches(&self, partition: &TopicPartition, next: i64) {
        loop {
            // Registered before looking, so that a change in between is not missed.
            let mut changed = std::pin::pin!(self.0.changed.notified());
            changed.as_mut().enable();
            if self.reached(partition, next) {
                return;
            }
            changed.await;
        }
    }

    fn reached(&self, partition: &TopicPartition, next: i64) -> bool {
        let known = self.0.next.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(partition).is_some_and(|at| *at >= next)
    }
}
