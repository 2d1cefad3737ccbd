//! How many partitions each topic has, looked up once and remembered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use twinlog_schemas::{BucketName, ObjectKey};

use crate::contract::Log;
use crate::error::{LogError, LogErrorKind};
use crate::partition::{partition_of, record_key};
use crate::record::{Headers, Record};
use crate::topic::TopicName;

/// The log with the partition counts of the topics written to. Counts are fixed when a topic is made; one that
/// vanished is forgotten and looked up again.
pub struct Partitions {
    log: Arc<dyn Log>,
    counts: Mutex<BTreeMap<TopicName, i32>>,
}

/// What a record is about and carries, apart from where it stands.
pub struct Outgoing<'a> {
    /// The topic.
    pub topic: &'a TopicName,
    /// The bucket.
    pub bucket: &'a BucketName,
    /// The object key.
    pub key: &'a ObjectKey,
    /// The record key where it is not `bucket/key`: on compacted topics.
    pub record_key: Option<Bytes>,
    /// The value.
    pub value: Bytes,
    /// The headers.
    pub headers: Headers,
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
}

impl Partitions {
    /// Of this log; nothing is looked up yet.
    #[must_use]
    pub fn new(log: Arc<dyn Log>) -> Self {
        Self { log, counts: Mutex::default() }
    }

    /// The topic's partition count; an error of kind `UnknownTopic` if there is no such topic.
    pub async fn count(&self, topic: &TopicName) -> Result<i32, LogError> {
        let known = self.counts.lock().unwrap_or_else(PoisonError::into_inner).get(topic).copied();
        if let Some(count) = known {
            return Ok(count);
        }
        let info = self.log.topic(topic).await?.ok_or_else(|| LogError {
            operation: "look up topic",
            subject: topic.to_string(),
            kind: LogErrorKind::UnknownTopic,
            message: "there is no such topic; `twinlog bucket enable` creates it".to_owned(),
        })?;
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).insert(topic.clone(), info.partitions);
        Ok(info.partitions)
    }

    /// The record in its place: partition and key by `bucket/key`.
    pub async fn place(&self, outgoing: Outgoing<'_>) -> Result<Record, LogError> {
        let (bucket, key) = (outgoing.bucket.as_str(), outgoing.key.as_str());
        let count = self.count(outgoing.topic).await?;
        Ok(Record {
            topic: outgoing.topic.clone(),
            partition: partition_of(bucket, key, count),
            key: Some(outgoing.record_key.unwrap_or_else(|| record_key(bucket, key))),
            value: Some(outgoing.value),
            headers: outgoing.headers,
            timestamp_ms: outgoing.timestamp_ms,
        })
    }

    /// Appends, and forgets the topic's count if it turns out to be gone.
    pub async fn append(&self, record: Record) -> Result<(), LogError> {
        let topic = record.topic.clone();
        let outcome = self.log.append(record).await;
        if outcome.as_ref().is_err_and(|error| error.kind == LogErrorKind::UnknownTopic) {
            self.counts.lock().unwrap_or_else(PoisonError::into_inner).remove(&topic);
        }
        outcome.map(|_| ())
    }
}
