//! How far a facts or receipts partition has been read into the index.

use std::fmt;

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// The topic's whole name. No two clusters have a topic of one name: names end in the site.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// A partition and the offset of the first record that the index does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The partition.
    pub partition: Partition,
    /// The next offset to read.
    pub next: i64,
}

impl Position {
    /// A position by its parts.
    #[must_use]
    pub fn new(topic: impl Into<String>, partition: i32, next: i64) -> Self {
        Self { partition: Partition { topic: topic.into(), partition }, next }
    }
}

/// Where reading begins after a restart: the lower of the committed offset and the index's own position, for what is
/// above either has to be planned again or merged again. `None` is the partition's beginning.
#[must_use]
pub fn resume_at(committed: Option<i64>, own: Option<i64>) -> Option<i64> {
    committed.zip(own).map(|(committed, own)| committed.min(own))
}
