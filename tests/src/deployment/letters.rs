//! The dead letters of a deployment, read from their topic.

use std::time::{Duration, Instant};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::{BorrowedMessage, Headers},
};
use twinlog_consumer::dead::REASON;

/// How long the broker may take to hand out what it says it has.
const PATIENCE: Duration = Duration::from_secs(20);

/// One dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Twinlog's reason code.
    pub reason: String,
    /// The record's key: bucket and object key, and more for facts. As text, as far as it is one.
    pub record: String,
}

impl Letter {
    /// Whether it speaks of this version: a change event's key names bucket and object key, a fact's the version too.
    #[must_use]
    pub fn is_of(&self, bucket: &str, key: &str, version: &str) -> bool {
        self.record == format!("{bucket}/{key}") || self.record.starts_with(&format!("{bucket}\0{key}\0{version}\0"))
    }
}

/// Reads all letters of a topic that has these first and next offsets.
pub(super) fn read(brokers: &str, topic: &str, ends: &[(i64, i64)]) -> Result<Vec<Letter>, KafkaError> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "letters")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut partitions = TopicPartitionList::new();
    for (partition, (first, _)) in (0..).zip(ends) {
        partitions.add_partition_offset(topic, partition, Offset::Offset(*first))?;
    }
    consumer.assign(&partitions)?;
    let wanted: i64 = ends.iter().map(|(first, next)| next - first).sum();
    let mut letters = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while i64::try_from(letters.len()).unwrap_or(i64::MAX) < wanted && Instant::now() < deadline {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            letters.push(letter(&message?));
        }
    }
    Ok(letters)
}

fn letter(message: &BorrowedMessage<'_>) -> Letter {
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let reason = message.headers().into_iter().flat_map(Headers::iter).find(|header| header.key == REASON);
    Letter { reason: text(reason.and_then(|header| header.value)), record: text(message.key()) }
}
