//! The records of one topic, read from its beginning to its end.

use std::time::{Duration, Instant};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::BorrowedMessage,
};

/// How long the broker may take to hand out what it says it has.
const PATIENCE: Duration = Duration::from_secs(20);

/// Reads all records of a topic that has these first and next offsets, each as `take` makes of it.
pub(super) fn read<T>(
    brokers: &str,
    topic: &str,
    ends: &[(i64, i64)],
    take: impl Fn(&BorrowedMessage<'_>) -> T,
) -> Result<Vec<T>, KafkaError> {
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
    let wanted: i64 = ends.iter().map(|(first, next)| next - first).sum();
    let mut records = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while i64::try_from(records.len()).unwrap_or(i64::MAX) < wanted && Instant::now() < deadline {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            records.push(take(&message?));
        }
    }
    Ok(records)
}
