//! A letter's cause: which record it is about. That, and not its own place, is what a letter goes by.

use std::fmt;

use bytes::Bytes;
use twinlog_log::{Fetched, Headers, Position, Record, TopicName, TopicPartition};

/// Where the record stood that a letter is about.
///
/// As text, which is also the key of its state, it is topic, partition and offset, separated by `/`. A topic that was
/// deleted and made anew numbers its records from 0 again: the record's own time tells the two apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause {
    /// The place.
    pub at: Position,
    /// The record's time, milliseconds since the Unix epoch, where it had one.
    pub recorded_ms: Option<i64>,
}

/// What is no letter's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no dead letter: write <topic>/<partition>/<offset> as `twinlog dlq list` shows it")]
pub struct NoCause(pub String);

impl Cause {
    /// The cause of the letter that this record would have.
    #[must_use]
    pub fn of(record: &Fetched) -> Self {
        Self { at: record.position.clone(), recorded_ms: record.timestamp_ms }
    }

    /// Reads the text of a place.
    ///
    /// # Errors
    /// [`NoCause`] for anything else.
    pub fn place(text: &str) -> Result<Position, NoCause> {
        let parse = || {
            let mut parts = text.split('/');
            let (topic, partition, offset) = (parts.next()?, parts.next()?, parts.next()?);
            let topic = TopicName::new(topic).ok().filter(|_| parts.next().is_none())?;
            let partition = TopicPartition { topic, partition: partition.parse().ok().filter(|n| *n >= 0)? };
            Some(Position { partition, offset: offset.parse().ok().filter(|n| *n >= 0)? })
        };
        parse().ok_or_else(|| NoCause(text.to_owned()))
    }

    /// The partition of a topic with so many that is about this record: the letters' and the states' topics alike, so
    /// that what concerns a key stays in its lane.
    #[must_use]
    pub fn partition(&self, partitions: i32) -> i32 {
        partition(&self.at, partitions)
    }

    /// The record that puts a letter's state on record: a history, as JSON.
    #[must_use]
    pub fn state_record(&self, topic: TopicName, partitions: i32, history: Bytes, now_ms: i64) -> Record {
        Record {
            topic,
            partition: self.partition(partitions),
            key: Some(Bytes::from(self.to_string())),
            value: Some(history),
            headers: Headers::default(),
            timestamp_ms: now_ms,
        }
    }
}

/// As [`Cause::partition`], of a place alone.
#[must_use]
pub fn partition(at: &Position, partitions: i32) -> i32 {
    at.partition.partition.rem_euclid(partitions.max(1))
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.at.partition, self.at.offset)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(topic in "[a-zA-Z0-9_-][a-zA-Z0-9._-]{2,60}", partition in 0i32.., offset in 0i64..) {
            let partition = TopicPartition { topic: TopicName::new(topic).unwrap(), partition };
            let cause = Cause { at: Position { partition, offset }, recorded_ms: None };
            prop_assert_eq!(Cause::place(&cause.to_string()), Ok(cause.at));
        }

        #[test]
        fn nothing_makes_it_panic(text in ".*") {
            let _ = Cause::place(&text);
        }

        #[test]
        fn a_letters_lane_is_its_causes(n in 0i32..1_000, lanes in 1i32..9, times in 1i32..9) {
            let partition = TopicPartition { topic: TopicName::new("t").unwrap(), partition: n };
            let cause = Cause { at: Position { partition, offset: 0 }, recorded_ms: None };
            prop_assert_eq!(cause.partition(lanes * times) % lanes, n % lanes);
        }
    }

    #[test]
    fn half_a_place_is_refused() {
        for text in ["", "a", "a/1", "a/1/", "a/1/2/3", "a/-1/2", "a/1/-2", "a b/1/2", "a/x/2"] {
            assert_eq!(Cause::place(text), Err(NoCause(text.to_owned())));
        }
    }
}
