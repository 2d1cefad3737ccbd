//! Dead letters: the causing record byte for byte, with where it stood and why it could not be applied in headers that
//! Kafka Connect's and Spring's tools understand too.

use bytes::Bytes;

use crate::record::{Fetched, Record};
use crate::topic::TopicName;

/// Why a record is dead, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death<'a> {
    /// Twinlog's reason code, e.g. `identity-differs`.
    pub reason: &'a str,
    /// The error's words.
    pub message: &'a str,
    /// The source site, where the record could be read that far.
    pub source: Option<&'a str>,
    /// The bucket, likewise.
    pub bucket: Option<&'a str>,
    /// When, milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// The header with Twinlog's reason code.
pub const REASON: &str = "twinlog-reason";
/// The header with the source site.
pub const SOURCE: &str = "twinlog-source";
/// The header with the bucket.
pub const BUCKET: &str = "twinlog-bucket";

/// The dead letter of a record. Its partition is the record's own, folded into the dead-letter topic's: both are
/// multiples of the lanes, so the letters of a key stay in its lane.
#[must_use]
pub fn letter(topic: TopicName, partitions: i32, record: &Fetched, death: &Death<'_>) -> Record {
    let at = &record.position;
    let from = &at.partition;
    let text = |value: &str| Bytes::copy_from_slice(value.as_bytes());
    let mut headers = record.headers.clone();
    let connect = [
        ("__connect.errors.topic", from.topic.to_string()),
        ("__connect.errors.partition", from.partition.to_string()),
        ("__connect.errors.offset", at.offset.to_string()),
        ("__connect.errors.connector.name", "twinlog".to_owned()),
        ("__connect.errors.stage", "TASK_PUT".to_owned()),
        ("__connect.errors.exception.class.name", format!("twinlog.{}", death.reason)),
        ("__connect.errors.exception.message", death.message.to_owned()),
        ("kafka_dlt-original-topic", from.topic.to_string()),
        ("kafka_dlt-exception-fqcn", format!("twinlog.{}", death.reason)),
        ("kafka_dlt-exception-message", death.message.to_owned()),
        (REASON, death.reason.to_owned()),
        (SOURCE, death.source.unwrap_or_default().to_owned()),
        (BUCKET, death.bucket.unwrap_or_default().to_owned()),
    ];
    for (name, value) in connect {
        headers = headers.with(name, text(&value));
    }
    // Spring writes these as big-endian numbers.
    headers = headers
        .with("kafka_dlt-original-partition", Bytes::copy_from_slice(&from.partition.to_be_bytes()))
        .with("kafka_dlt-original-offset", Bytes::copy_from_slice(&at.offset.to_be_bytes()));
    if let Some(timestamp) = record.timestamp_ms {
        headers = headers.with("kafka_dlt-original-timestamp", Bytes::copy_from_slice(&timestamp.to_be_bytes()));
    }
    Record {
        topic,
        partition: from.partition.rem_euclid(partitions.max(1)),
        key: record.key.clone(),
        value: record.value.clone(),
        headers,
        timestamp_ms: death.at_ms,
    }
}
