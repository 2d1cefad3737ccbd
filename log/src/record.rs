//! What is appended to the log and what is read from it.

use bytes::Bytes;

use crate::topic::{TopicName, TopicPartition};

/// Record headers in order; names may repeat, as in Kafka.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, Bytes)>);

impl Headers {
    /// Adds one header.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    /// The last value of a header, as Kafka's `lastHeader`.
    #[must_use]
    pub fn last(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_ref())
    }
}

/// A record to append. The partition is always chosen by the caller (see [`crate::partition`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The topic.
    pub topic: TopicName,
    /// The partition.
    pub partition: i32,
    /// The key; on compacted topics what compaction goes by.
    pub key: Option<Bytes>,
    /// The value; `None` is a tombstone on a compacted topic.
    pub value: Option<Bytes>,
    /// The headers.
    pub headers: Headers,
    /// Milliseconds since the Unix epoch (Kafka's CreateTime); given by the caller's clock.
    pub timestamp_ms: i64,
}

/// Where a record stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Topic and partition.
    pub partition: TopicPartition,
    /// The record's own offset.
    pub offset: i64,
}

/// A record as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where it stands.
    pub position: Position,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
    /// The headers.
    pub headers: Headers,
    /// Milliseconds since the Unix epoch, where the broker told one.
    pub timestamp_ms: Option<i64>,
}

impl Fetched {
    /// Bytes of key, value and headers.
    #[must_use]
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.0.iter().map(|(name, value)| name.len() + value.len()).sum();
        let of = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        of(&self.key) + of(&self.value) + headers
    }
}
