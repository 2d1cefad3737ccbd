//! What a lane group tells of the log itself, apart from its records: topics that are not what they were, records that
//! are gone unread. And what it is told to read once more.

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::topic::{TopicId, TopicName, TopicPartition};

/// A topic as it is when it is about to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicNow {
    /// Which it is; `None` on a cluster that has no ids.
    pub id: Option<TopicId>,
    /// How many partitions it has.
    pub partitions: i32,
    /// How many lanes share them.
    pub lanes: i32,
}

/// Records that the log has no more, and of which nobody said that they were done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Where they stood.
    pub partition: TopicPartition,
    /// The first offset that may be missing.
    pub from: i64,
    /// The offset after the last.
    pub to: i64,
    /// How many of these offsets were not done.
    pub records: i64,
}

/// Keeps watch over the topics that a lane group reads. Calls may be slow: the group waits for what it tells to be on
/// record before it commits anything that would hide it.
#[async_trait]
pub trait Watch: Send + Sync + 'static {
    /// A topic is about to be read: for the first time in this process, or because it is not what it was. Whether it may
    /// be read as it is.
    async fn topic(&self, topic: &TopicName, now: TopicNow) -> bool;

    /// The topics that are on record as read, by this process or an earlier one, and not given up.
    async fn known(&self) -> BTreeSet<TopicName>;

    /// Whether a topic is on record as gone.
    fn misses(&self, topic: &TopicName) -> bool;

    /// A topic that was read is not there any more. Called at every discovery for as long as that is so.
    async fn gone(&self, topic: &TopicName);

    /// Records were deleted unread. Returns once that is on record; a crash before the next commit tells it again.
    async fn lost(&self, lost: &Lost);

    /// From which offset on a partition is to be read once more, if somebody asked for that.
    fn rewind(&self, partition: &TopicPartition) -> Option<i64>;

    /// The partition is read once more from `offset` on, and committed so; `None` where nothing from there on was read
    /// before. A crash before this is on record does it again.
    async fn rewound(&self, partition: &TopicPartition, offset: Option<i64>);
}

/// Sees nothing and asks for nothing: for tests of what reads.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

#[async_trait]
impl Watch for Unwatched {
    async fn topic(&self, _: &TopicName, _: TopicNow) -> bool {
        true
    }

    async fn known(&self) -> BTreeSet<TopicName> {
        BTreeSet::new()
    }

    fn misses(&self, _: &TopicName) -> bool {
        false
    }

    async fn gone(&self, _: &TopicName) {}

    async fn lost(&self, _: &Lost) {}

    fn rewind(&self, _: &TopicPartition) -> Option<i64> {
        None
    }

    async fn rewound(&self, _: &TopicPartition, _: Option<i64>) {}
}
