//! Records and lists between Twinlog's words and librdkafka's.

use bytes::Bytes;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Header, Headers as _, Message, OwnedHeaders, Timestamp};
use rdkafka::{Offset, TopicPartitionList};

use crate::record::{Fetched, Headers, Position};
use crate::topic::TopicPartition;

/// A copy of a message of `partition` that lives apart from the client's memory.
pub(super) fn fetched(message: &BorrowedMessage<'_>, partition: &TopicPartition) -> Fetched {
    let headers = message.headers().map_or_else(Headers::default, |headers| {
        let copy = |h: Header<'_, &[u8]>| (h.key.to_owned(), Bytes::copy_from_slice(h.value.unwrap_or_default()));
        Headers(headers.iter().map(copy).collect())
    });
    Fetched {
        position: Position { partition: partition.clone(), offset: message.offset() },
        key: message.key().map(Bytes::copy_from_slice),
        value: message.payload().map(Bytes::copy_from_slice),
        headers,
        timestamp_ms: match message.timestamp() {
            Timestamp::NotAvailable => None,
            Timestamp::CreateTime(ms) | Timestamp::LogAppendTime(ms) => Some(ms),
        },
    }
}

pub(super) fn native_headers(headers: &Headers) -> OwnedHeaders {
    let native = OwnedHeaders::new_with_capacity(headers.0.len());
    headers.0.iter().fold(native, |native, (key, value)| native.insert(Header { key, value: Some(value.as_ref()) }))
}

/// A list with one offset for each partition.
pub(super) fn list<'a>(
    partitions: impl IntoIterator<Item = (&'a TopicPartition, Offset)>,
) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for (at, offset) in partitions {
        list.add_partition_offset(at.topic.as_str(), at.partition, offset)?;
    }
    Ok(list)
}
