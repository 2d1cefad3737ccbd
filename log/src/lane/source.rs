//! What a lane group reads.

use std::sync::Arc;

use crate::contract::Log;
use crate::topic::TopicName;

/// Which topics of one cluster the lanes read, and under which group their offsets are committed.
#[derive(Clone)]
pub struct Source {
    /// The cluster.
    pub log: Arc<dyn Log>,
    /// The group of the commits. It never has members, so its lag shows in every Kafka tool.
    pub group: String,
    /// The topics concerned; asked of every topic at every discovery.
    pub wants: Select,
    /// Which of them are not read for now, but watched all the same.
    pub waits: Select,
}

/// Chooses topics by their names.
pub type Select = Arc<dyn Fn(&TopicName) -> bool + Send + Sync>;

impl Source {
    /// All of the topics concerned are read.
    #[must_use]
    pub fn of(log: Arc<dyn Log>, group: String, wants: Select) -> Self {
        Self { log, group, wants, waits: Arc::new(|_| false) }
    }
}
