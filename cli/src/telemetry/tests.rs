#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use twinlog_consumer::observe::{Observer as _, Outcome, Stream};
use twinlog_log::clock::SystemClock;
use twinlog_log::memory::{MemoryLog, spec};
use twinlog_log::{Committed, Headers, Log, Record, TopicName, TopicPartition};
use twinlog_schemas::{BucketName, SiteName};

use super::*;

fn site(name: &str) -> SiteName {
    SiteName::new(name).unwrap()
}

#[test]
fn names_are_exported_as_they_are_written_down() {
    let metrics = Metrics::start().unwrap();
    let consumer = ConsumerMetrics::new(&metrics, &site("west"));
    let (source, target, bucket) = (site("east"), site("west"), BucketName::new("photos").unwrap());
    let stream = Stream { source: &source, target: &target, bucket: &bucket };
    consumer.event_done(stream, Outcome::Applied, "birth");
    consumer.replicated(stream, 0.02, 4_096);
    consumer.held(stream, Some("target-versioning-off"));
    consumer.held(stream, None);
    for change in [1, 1, -1] {
        consumer.in_flight(stream, change);
    }
    let text = metrics.render().unwrap();
    for line in [
        "twinlog_events_done_total{bucket=\"photos\",link=\"east>west\",outcome=\"applied\"} 1",
        "twinlog_replication_lag_seconds_bucket{bucket=\"photos\",link=\"east>west\",le=\"0.025\"} 1",
        "twinlog_replicated_bytes_total{bucket=\"photos\",link=\"east>west\"} 4096",
        "twinlog_events_in_flight{link=\"east>west\"} 1",
        "twinlog_hold{bucket=\"photos\",link=\"east>west\",reason=\"target-versioning-off\"} 0",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    assert!(text.contains("twinlog_build_info{"), "{text}");
}

#[test]
fn many_buckets_stay_apart() {
    let metrics = Metrics::start().unwrap();
    let consumer = ConsumerMetrics::new(&metrics, &site("west"));
    let (source, target) = (site("east"), site("west"));
    for number in 0..5_000 {
        let bucket = BucketName::new(format!("bucket-{number}")).unwrap();
        consumer.doubted(Stream { source: &source, target: &target, bucket: &bucket });
    }
    let text = metrics.render().unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("twinlog_doubts_total{bucket")).count(), 5_000);
    assert!(!text.contains("otel_metric_overflow"));
}

/// Every constant of `names.rs` says its labels in the line of documentation above it.
#[test]
fn what_is_counted_by_bucket_or_topic_has_room_for_many() {
    let items = include_str!("names.rs").split(";\n").filter(|item| item.contains(": Name"));
    let mut seen = 0;
    for item in items {
        let labels = item.lines().find(|line| line.starts_with("///")).unwrap();
        let many = labels.contains("bucket") || labels.contains("topic");
        assert_eq!(many, item.contains("many("), "{item}");
        seen += usize::from(many);
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn ready_only_when_everything_needed_is() {
    let readiness = Readiness::new(&Metrics::start().unwrap());
    assert_eq!(readiness.report(), (false, "WAIT start: not yet\n".to_owned()));
    let (cluster, door) = (readiness.needs("cluster main"), readiness.shows("listen stream"));
    cluster.ready("reachable");
    assert!(!readiness.report().0, "what is still to be started may need more");
    cluster.not_ready("gone");
    readiness.started();
    let (start, door_line) = ("ok   start: everything runs\n", "warn listen stream: not yet\n");
    assert_eq!(readiness.report(), (false, format!("WAIT cluster main: gone\n{door_line}{start}")));
    cluster.ready("reachable");
    assert_eq!(readiness.report(), (true, format!("ok   cluster main: reachable\n{door_line}{start}")));
    door.ready("connected");
    cluster.not_ready("gone");
    assert!(!readiness.report().0);
    cluster.ready("back");
    let once = readiness.needs_once("fast door");
    assert!(!readiness.report().0);
    once.ready("connected");
    once.not_ready("gone for now");
    assert!(readiness.report().0, "once it was there, its absence takes nothing out of service");
}

#[tokio::test]
async fn the_backlog_is_what_offsets_say() {
    let log = Arc::new(MemoryLog::new());
    let topic = TopicName::new("twinlog.notices.east").unwrap();
    log.create_topic(&spec(topic.clone(), 2)).await.unwrap();
    for _ in 0..5 {
        let record = Record {
            topic: topic.clone(),
            partition: 1,
            key: None,
            value: None,
            headers: Headers::default(),
            timestamp_ms: 1_000,
        };
        log.append(record).await.unwrap();
    }
    let partition = TopicPartition { topic: topic.clone(), partition: 1 };
    let reader = log.reader("g").await.unwrap();
    reader.commit(&partition, &Committed { offset: 2, metadata: String::new() }).await.unwrap();
    let metrics = Metrics::start().unwrap();
    let follows = Follows::notices(&metrics, log, "g".to_owned(), "east", topic);
    Backlog::new(vec![follows], Arc::new(SystemClock)).refresh().await;
    let text = metrics.render().unwrap();
    assert!(text.contains("twinlog_notices_backlog{site=\"east\"} 3"), "{text}");
    let oldest = text.lines().find(|line| line.starts_with("twinlog_notices_oldest_seconds{")).unwrap();
    let seconds: f64 = oldest.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(seconds > 1e9, "the record is of 1970: {oldest}");
}
