//! A dead letter as it is read from its topic.

use bytes::Bytes;
use twinlog_log::{Fetched, Headers, Position, TopicName, TopicPartition, Topics};
use twinlog_schemas::codec::{Codec, DecodeError};
use twinlog_schemas::{BucketName, ChangeEvent, Fact, SiteName, VersionRef};

use crate::cause::Cause;
use crate::header;

/// A dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its own place.
    pub position: Position,
    /// Which record it is about.
    pub cause: Cause,
    /// Twinlog's reason code.
    pub reason: String,
    /// The error's words.
    pub message: String,
    /// Whether the record is a notice, which its own site could not capture; else it could not be applied there.
    pub notice: bool,
    /// The site that wrote the record: by the letter, else by the name of the record's topic.
    pub source: Option<SiteName>,
    /// The bucket, likewise; of an unreadable record of a facts topic nobody knows it.
    pub bucket: Option<BucketName>,
    /// When it was written, milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The record's key, byte for byte.
    pub key: Option<Bytes>,
    /// The record's value, byte for byte.
    pub value: Option<Bytes>,
    /// The record's own headers and the letter's.
    pub headers: Headers,
}

/// What the record says that a letter is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A change event.
    Event(Box<ChangeEvent>),
    /// A fact.
    Fact(Box<Fact>),
    /// A notice, of which only its record's key is looked at: the object key to be read afresh.
    Notice,
    /// No record of Twinlog's, or one of a newer release.
    Unreadable(DecodeError),
}

impl Letter {
    /// Reads a record of a dead-letter topic; `None` for one that somebody else has put there.
    #[must_use]
    pub fn read(record: Fetched, topics: &Topics) -> Option<Self> {
        let headers = &record.headers;
        let text = |name| headers.last(name).map(String::from_utf8_lossy);
        let number = |name| text(name)?.parse::<i64>().ok();
        let topic = TopicName::new(text(header::TOPIC)?).ok()?;
        let partition = i32::try_from(number(header::PARTITION)?).ok()?;
        let recorded = headers.last(header::TIMESTAMP).and_then(|bytes| bytes.try_into().ok()).map(i64::from_be_bytes);
        let (by_topic, bucket_by_topic) = match topics.source_of(&topic) {
            Some((source, bucket)) => (Some(source), bucket),
            None => (None, None),
        };
        let at = Position { partition: TopicPartition { topic, partition }, offset: number(header::OFFSET)? };
        Some(Self {
            notice: topics.notified(&at.partition.topic).is_some(),
            cause: Cause { at, recorded_ms: recorded },
            reason: text(header::REASON)?.into_owned(),
            message: text(header::MESSAGE).unwrap_or_default().into_owned(),
            source: text(header::SOURCE).and_then(|name| SiteName::new(name).ok()).or(by_topic),
            bucket: text(header::BUCKET).and_then(|name| BucketName::new(name).ok()).or(bucket_by_topic),
            at_ms: record.timestamp_ms.unwrap_or_default(),
            position: record.position,
            key: record.key,
            value: record.value,
            headers: record.headers,
        })
    }

    /// The record's own headers: those before the letter's.
    #[must_use]
    pub fn record_headers(&self) -> Headers {
        let own = self.headers.0.iter().rposition(|(name, _)| name == header::TOPIC).unwrap_or(self.headers.0.len());
        Headers(self.headers.0[..own].to_vec())
    }

    /// What the record says.
    #[must_use]
    pub fn content(&self, codec: &Codec) -> Content {
        if self.notice { Content::Notice } else { Content::of(codec, self.value.as_deref()) }
    }
}

impl Content {
    /// What a record of a change or facts topic says.
    #[must_use]
    pub fn of(codec: &Codec, value: Option<&[u8]>) -> Self {
        let value = value.unwrap_or_default();
        match codec.decode_change(value) {
            Ok(event) => Self::Event(Box::new(event)),
            Err(DecodeError::WrongRecord { .. }) => match codec.decode_fact(value) {
                Ok(fact) => Self::Fact(Box::new(fact)),
                Err(error) => Self::Unreadable(error),
            },
            Err(error) => Self::Unreadable(error),
        }
    }

    /// The version concerned.
    #[must_use]
    pub fn version(&self) -> Option<VersionRef> {
        match self {
            Self::Event(event) => Some(event.version()),
            Self::Fact(fact) => Some(fact.version()),
            Self::Notice | Self::Unreadable(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;
    use twinlog_log::Record;
    use twinlog_schemas::arbitrary;

    use super::*;
    use crate::death::{Death, letter};

    fn topics() -> Topics {
        Topics::new("t").unwrap()
    }

    /// The record as the dead-letter topic gives it back.
    fn fetched(record: Record) -> Fetched {
        let partition = TopicPartition { topic: record.topic, partition: record.partition };
        Fetched {
            position: Position { partition, offset: 8 },
            key: record.key,
            value: record.value,
            headers: record.headers,
            timestamp_ms: Some(record.timestamp_ms),
        }
    }

    fn record(topic: TopicName, value: Vec<u8>, timestamp_ms: Option<i64>) -> Fetched {
        Fetched {
            position: Position { partition: TopicPartition { topic, partition: 7 }, offset: 41 },
            key: Some(Bytes::from_static(b"k")),
            value: Some(value.into()),
            headers: Headers::default().with("traceparent", "00-abc").with(header::REASON, "an older letter's"),
            timestamp_ms,
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(event in arbitrary::change_event(), fact in arbitrary::fact(), time in any::<Option<i64>>()) {
            let (codec, topics) = (Codec::new().unwrap(), topics());
            let of_event = record(topics.changes(&event.site, &event.bucket), codec.encode_change(&event).unwrap(), time);
            let of_fact = record(topics.facts(&fact.site), codec.encode_fact(&fact).unwrap(), time);
            for (record, source, bucket) in [(of_event, &event.site, &event.bucket), (of_fact, &fact.site, &fact.bucket)] {
                let (from, of) = (source.as_str(), bucket.as_str());
                let death = Death { reason: "refused", message: "no", source: Some(from), bucket: Some(of), at_ms: 5 };
                let dead = topics.dead(&"west".parse().unwrap());
                let read = Letter::read(fetched(letter(dead, 4, &record, &death)), &topics).unwrap();
                prop_assert_eq!(&read.cause, &Cause::of(&record));
                prop_assert_eq!((read.reason.as_str(), read.message.as_str(), read.at_ms), ("refused", "no", 5));
                prop_assert_eq!((read.source.as_ref(), read.bucket.as_ref()), (Some(source), Some(bucket)));
                prop_assert_eq!((&read.key, &read.value), (&record.key, &record.value));
                prop_assert_eq!(read.position.partition.partition, read.cause.partition(4));
                let version = read.content(&codec).version().unwrap();
                prop_assert_eq!(&version.bucket, bucket);
            }
        }
    }

    #[test]
    fn an_unreadable_records_source_and_bucket_are_its_topics() {
        let (east, photos) = ("east".parse().unwrap(), "my.photos".parse().unwrap());
        let nonsense = record(topics().changes(&east, &photos), b"nonsense".to_vec(), None);
        let death = Death { reason: "not-avro", message: "", source: None, bucket: None, at_ms: 5 };
        let read = Letter::read(fetched(letter(topics().dead(&east), 4, &nonsense, &death)), &topics()).unwrap();
        assert_eq!((read.source, read.bucket), (Some(east), Some(photos)));
        assert_eq!(read.cause, Cause::of(&nonsense));
    }

    #[test]
    fn a_notice_is_told_from_a_record_that_cannot_be_read() {
        let east: SiteName = "east".parse().unwrap();
        let notice = record(topics().notices(&east), b"{}".to_vec(), None);
        let death = Death { reason: "refused", message: "", source: Some("east"), bucket: Some("photos"), at_ms: 5 };
        let read = Letter::read(fetched(letter(topics().dead(&east), 4, &notice, &death)), &topics()).unwrap();
        assert_eq!(read.content(&Codec::new().unwrap()), Content::Notice);
        assert_eq!(read.record_headers(), notice.headers);
    }

    #[test]
    fn what_somebody_else_put_there_is_no_letter() {
        let strange = record(topics().dead(&"east".parse().unwrap()), Vec::new(), None);
        assert_eq!(Letter::read(strange, &topics()), None);
    }
}
