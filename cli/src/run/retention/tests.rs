//! The alarm on the in-memory log.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use twinlog_log::memory::spec;
use twinlog_log::{Committed, Headers, Heard, MemoryLog, Record, TopicPartition, TopicSpec};

use super::*;
use crate::config::{Config, EXAMPLE};
use crate::telemetry::Metrics;

const HOUR_MS: i64 = 3_600_000;

struct Hands(AtomicI64);

impl Clock for Hands {
    fn now_ns(&self) -> i64 {
        self.0.load(Ordering::SeqCst) * 1_000_000
    }
}

struct World {
    alarm: Alarm,
    log: MemoryLog,
    heard: Arc<Heard>,
    hands: Arc<Hands>,
    metrics: Metrics,
    at: TopicPartition,
}

impl World {
    /// East's bucket into west; its topic keeps ten hours and ten thousand bytes.
    async fn new() -> Self {
        let config = Config::parse(EXAMPLE, &BTreeMap::new()).unwrap();
        let (log, topics, west): (_, _, SiteName) =
            (MemoryLog::new(), config.topics.names.clone(), "west".parse().unwrap());
        let topic = topics.changes(&"east".parse().unwrap(), &"photos".parse().unwrap());
        let kept = TopicSpec { retention_ms: 10 * HOUR_MS, retention_bytes: 10_000, ..spec(topic.clone(), 4) };
        log.create_topic(&kept).await.unwrap();
        log.create_topic(&spec(topics.control(&west), 1)).await.unwrap();
        let home: Arc<dyn Log> = Arc::new(log.clone());
        let hands = Arc::new(Hands(AtomicI64::new(1_000 * HOUR_MS)));
        let (clock, heard): (Arc<dyn Clock>, _) = (Arc::<Hands>::clone(&hands), Arc::<Heard>::default());
        let ids = Ids::new(Arc::clone(&clock), 3);
        let metrics = Metrics::start().unwrap();
        let control = Control::new(Arc::clone(&home), &topics, &west, Arc::clone(&clock), ids.clone());
        let alarm = Alarm {
            links: config.links_into(&west).map(|link| (link.clone(), Arc::clone(&home))).collect(),
            here: west,
            topics,
            control: Arc::new(control),
            tell: Arc::<Heard>::clone(&heard),
            clock,
            ids,
            shown: metrics.gauge(names::RETENTION_USED_RATIO),
        };
        Self { alarm, log, heard, hands, metrics, at: TopicPartition { topic, partition: 2 } }
    }

    async fn put(&self, bytes: usize) {
        let record = Record {
            topic: self.at.topic.clone(),
            partition: self.at.partition,
            key: None,
            value: Some(vec![0; bytes].into()),
            headers: Headers::default(),
            timestamp_ms: self.alarm.clock.now_ms(),
        };
        self.log.append(record).await.unwrap();
    }

    async fn commit(&self, offset: i64) {
        let group = self.alarm.topics.group(&self.alarm.here, "apply");
        let committed = Committed { offset, metadata: String::new() };
        self.log.reader(&group).await.unwrap().commit(&self.at, &committed).await.unwrap();
    }

    /// Looks after so many hours more; what was told since the last time.
    async fn after(&self, hours: i64, keeper: bool) -> Vec<EventType> {
        self.hands.0.fetch_add(hours * HOUR_MS, Ordering::SeqCst);
        let before = self.heard.events().len();
        self.alarm.look(keeper).await;
        self.heard.events()[before..].iter().filter_map(CloudEvent::event_type).collect()
    }

    fn shown(&self) -> String {
        let text = self.metrics.render().unwrap();
        let line = text.lines().find(|line| line.starts_with("twinlog_retention_used_ratio{")).unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    }
}

/// Scenario: a change event waits for hours, and is done at last.
/// Guarantee: at half of what the topic keeps, and not before, it is told, once, also by a process that starts anew; when
/// it is over that is told too; only the keeper tells, everybody shows.
#[tokio::test]
async fn half_of_the_retention_is_told_once_and_when_it_is_over() {
    let world = World::new().await;
    assert_eq!(world.after(0, true).await, []);
    world.put(10).await;
    world.put(10).await;
    assert_eq!(world.after(4, true).await, []);
    assert_eq!(world.shown(), "0.4");
    assert_eq!(world.after(2, false).await, [], "not its turn");
    assert_eq!(world.shown(), "0.6");
    assert_eq!(world.after(0, true).await, [EventType::RetentionBegun]);
    let told: RetentionTold = serde_json::from_value(world.heard.events()[0].data.clone()).unwrap();
    assert_eq!((told.used_percent, told.waiting, told.bucket.as_str()), (60, 2, "photos"));
    assert_eq!(world.after(1, true).await, [], "it stands");
    world.commit(2).await;
    assert_eq!(world.after(0, true).await, [EventType::RetentionEnded]);
    assert_eq!(world.shown(), "0");
    assert_eq!(world.after(9, true).await, []);
}

/// Scenario: little time passes, but much is written.
/// Guarantee: the bound by size counts as the bound by age does.
#[tokio::test]
async fn the_bound_by_size_counts_too() {
    let world = World::new().await;
    for _ in 0..4 {
        world.put(1_000).await;
    }
    assert_eq!(world.after(0, true).await, []);
    world.put(1_000).await;
    assert_eq!(world.after(0, true).await, [EventType::RetentionBegun]);
    assert_eq!(world.shown(), "0.5");
}
