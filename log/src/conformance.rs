//! What every log must do: one suite that the in-memory log and Kafka both run. For tests only.
//!
//! Each check uses topics and groups of its own under the prefix given, so that several runs share one cluster.

mod appending;
mod membership;
mod reading;
mod topics;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::try_join4;

use crate::contract::{Log, PartitionReader};
use crate::error::LogError;
use crate::record::{Fetched, Headers, Record};
use crate::topic::{Cleanup, TopicName, TopicPartition, TopicSpec};

/// How a check ends: an error fails it, as a failed assertion does.
pub type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Nothing in the suite takes this long unless it is broken.
const DEADLINE: Duration = Duration::from_secs(60);

/// A log under test, with what the contract has no call for.
#[async_trait]
pub trait Subject: Send + Sync {
    /// A client of the log. Each call may give another one.
    fn log(&self) -> Arc<dyn Log>;

    /// Deletes the records of a partition below `before`, as retention does.
    async fn trim(&self, partition: &TopicPartition, before: i64) -> Result<(), LogError>;

    /// Deletes a topic.
    async fn delete_topic(&self, topic: &TopicName) -> Result<(), LogError>;
}

/// Runs every check. `prefix` begins all topic and group names.
pub async fn run(subject: &dyn Subject, prefix: &str) -> Outcome {
    let case = |name: &str| Case { subject, prefix: format!("{prefix}.{name}") };
    let topics = async {
        topics::topics_are_created_once_and_described(&case("created")).await?;
        topics::nothing_is_created_by_asking(&case("asked")).await?;
        topics::a_topic_made_anew_is_another_one(&case("anew")).await?;
        topics::retention_is_what_the_topic_has(&case("kept")).await
    };
    let appending = async {
        appending::appends_stand_in_the_order_of_their_first_poll(&case("order")).await?;
        appending::an_append_that_is_answered_can_be_read(&case("durable")).await?;
        appending::a_dropped_append_is_not_taken_back(&case("dropped")).await?;
        appending::a_record_that_is_too_large_is_told_apart(&case("large")).await
    };
    let reading = async {
        reading::a_reader_waits_for_records_and_gets_each_in_order(&case("waits")).await?;
        reading::an_assignment_begins_where_it_is_told(&case("begins")).await?;
        reading::an_assignment_that_is_given_up_leaves_its_partition_free(&case("given-up")).await?;
        reading::several_are_assigned_at_once(&case("at-once")).await?;
        reading::the_ends_of_many_are_those_of_each(&case("ends")).await?;
        reading::ends_are_never_older_than_the_question(&case("fresh")).await?;
        reading::offsets_out_of_range_are_errors(&case("range")).await?;
        reading::an_unread_partition_does_not_stop_another(&case("unread")).await?;
        reading::commits_are_kept_with_their_metadata(&case("commits")).await?;
        reading::a_time_is_found(&case("times")).await
    };
    // These wait for sessions to end and for members that drain: the others have their turn meanwhile.
    let (handed, leaving, left, draining) = (case("handed"), case("leaving"), case("left"), case("draining"));
    let membership = try_join4(
        membership::lanes_are_handed_over(&handed),
        membership::leaving_waits_for_nobody(&leaving),
        membership::a_member_that_leaves_gives_its_lanes_up(&left),
        membership::a_member_dropped_while_it_drains_gives_everything_up(&draining),
    );
    try_join4(topics, appending, reading, membership).await.map(|_| ())
}

struct Case<'a> {
    subject: &'a dyn Subject,
    prefix: String,
}

impl Case<'_> {
    fn log(&self) -> Arc<dyn Log> {
        self.subject.log()
    }

    /// A new topic of this check.
    async fn topic(&self, partitions: i32) -> Result<TopicSpec, LogError> {
        let spec = spec(&self.prefix, partitions);
        self.log().create_topic(&spec).await?;
        Ok(spec)
    }
}

/// A topic of plain settings, unreplicated. Names that Kafka refuses panic.
#[must_use]
#[expect(clippy::expect_used, reason = "a test's own topic names")]
pub fn spec(name: &str, partitions: i32) -> TopicSpec {
    TopicSpec {
        name: TopicName::new(name).expect("an allowed topic name"),
        partitions,
        replication_factor: 1,
        min_insync_replicas: 1,
        cleanup: Cleanup::Delete,
        retention_ms: 3_600_000,
        retention_bytes: -1,
        max_message_bytes: 1_048_588,
    }
}

/// A record with one header.
#[must_use]
pub fn record(at: &TopicPartition, key: &str, value: &str) -> Record {
    Record {
        topic: at.topic.clone(),
        partition: at.partition,
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: Headers::default().with("site", "east"),
        timestamp_ms: 1_700_000_000_123,
    }
}

fn partition(spec: &TopicSpec, partition: i32) -> TopicPartition {
    TopicPartition { topic: spec.name.clone(), partition }
}

/// Waits for something that must come.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: nothing within {DEADLINE:?}"),
    }
}

/// The next `count` records.
async fn take(reader: &mut dyn PartitionReader, count: usize) -> Result<Vec<Fetched>, LogError> {
    let mut taken = Vec::with_capacity(count);
    for _ in 0..count {
        taken.push(soon("the next record", reader.next()).await?);
    }
    Ok(taken)
}

fn values(records: &[Fetched]) -> Vec<String> {
    records.iter().map(|r| String::from_utf8_lossy(r.value.as_deref().unwrap_or_default()).into_owned()).collect()
}

fn numbers(range: std::ops::Range<i32>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}
