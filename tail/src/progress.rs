//! How far each partition has been merged, and who waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use twinlog_log::TopicPartition;

/// The next offset of each partition, as a watched value.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    next: Arc<watch::Sender<BTreeMap<TopicPartition, i64>>>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { next: Arc::new(watch::Sender::new(BTreeMap::new())) }
    }
}

impl Progress {
    /// Everything below `next` has been merged.
    pub(crate) fn tell(&self, partition: &TopicPartition, next: i64) {
        self.next.send_modify(|all| match all.get_mut(partition) {
            Some(known) => *known = next,
            None => drop(all.insert(partition.clone(), next)),
        });
    }

    /// Waits until everything below `next` has been merged.
    pub(crate) async fn reaches(&self, partition: &TopicPartition, next: i64) {
        let mut changes = self.next.subscribe();
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = changes.wait_for(|all| all.get(partition).is_some_and(|at| *at >= next)).await;
    }
}
