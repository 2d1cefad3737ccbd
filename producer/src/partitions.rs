//! How many partitions each topic has, looked up once and remembered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use twinlog_log::partition::{partition_of, record_key};
use twinlog_log::{Headers, Log, LogError, LogErrorKind, Record, TopicName};
use twinlog_schemas::{BucketName, ObjectKey};

/// The log with the partition counts of the topics written to. Counts are fixed when a topic is made; one that
/// vanished is forgotten and looked up again.
pub(crate) struct Partitions {
    log: Arc<dyn Log>,
    counts: Mutex<BTreeMap<TopicName, i32>>,
}

/// What a record is about and carries, apart from where it stands.
pub(crate) struct Outgoing<'a> {
    pub topic: &'a TopicName,
    pub bucket: &'a BucketName,
    pub key: &'a ObjectKey,
    /// The record key where it is not `bucket/key`: on compacted topics.
    pub record_key: Option<Bytes>,
    pub value: Bytes,
    pub headers: Headers,
    pub timestamp_ms: i64,
}

impl Partitions {
    pub(crate) fn new(log: Arc<dyn Log>) -> Self {
        Self { log, counts: Mutex::default() }
    }

    /// The topic's partition count; an error of kind `UnknownTopic` if there is no such topic.
    pub(crate) async fn count(&self, topic: &TopicName) -> Result<i32, LogError> {
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
    pub(crate) async fn place(&self, outgoing: Outgoing<'_>) -> Result<Record, LogError> {
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
    pub(crate) async fn append(&self, record: Record) -> Result<(), LogError> {
        let topic = record.topic.clone();
        let outcome = self.log.append(record).await;
        if outcome.as_ref().is_err_and(|error| error.kind == LogErrorKind::UnknownTopic) {
            self.counts.lock().unwrap_or_else(PoisonError::into_inner).remove(&topic);
        }
        outcome.map(|_| ())
    }
}
