//! All records of a topic, read from its beginning to where it ends now.

use std::time::{Duration, Instant};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::OwnedMessage,
};

/// How long the broker may take to hand out what it says it has.
const PATIENCE: Duration = Duration::from_secs(20);

/// Reads a topic whose partitions have these first and next offsets, and no gaps.
///
/// # Errors
/// What the broker answers; [`RDKafkaErrorCode::OperationTimedOut`] where it does not hand out all.
pub(super) fn read(brokers: &str, topic: &str, ends: &[(i64, i64)]) -> Result<Vec<OwnedMessage>, KafkaError> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "records")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut partitions = TopicPartitionList::new();
    for (partition, (first, _)) in (0..).zip(ends) {
        partitions.add_partition_offset(topic, partition, Offset::Offset(*first))?;
    }
    consumer.assign(&partitions)?;
    let left = |read: &[OwnedMessage]| {
        let wanted: i64 = ends.iter().map(|(first, next)| next - first).sum();
        wanted - i64::try_from(read.len()).unwrap_or(i64::MAX)
    };
    let mut records = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while left(&records) > 0 {
        if Instant::now() > deadline {
            return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut));
        }
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            records.push(message?.detach());
        }
    }
    Ok(records)
}
