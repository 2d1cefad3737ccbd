//! What is asked for, on the in-memory log.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use twinlog_log::memory::spec;
use twinlog_log::{Committed, Headers, Log, MemoryLog, Record, TopicPartition};

use super::*;
use crate::config::EXAMPLE;

const TIME: &str = "2026-11-25T08:00:00Z";

fn options(dry_run: bool) -> RewindOptions {
    RewindOptions {
        at: "west".parse().unwrap(),
        from: None,
        bucket: "photos".parse().unwrap(),
        to: OffsetDateTime::parse(TIME, &Rfc3339).unwrap(),
        dry_run,
        by: "ann".to_owned(),
        json: false,
    }
}

struct World {
    deployment: Deployment,
    log: MemoryLog,
    topic: TopicName,
}

impl World {
    /// Four partitions of ten events a second apart, the sixth of each at the time asked for.
    async fn new() -> Self {
        let config = Arc::new(Config::parse(EXAMPLE, &BTreeMap::new()).unwrap());
        let log = MemoryLog::new();
        let names = &config.topics.names;
        let topic = names.changes(&"east".parse().unwrap(), &"photos".parse().unwrap());
        log.create_topic(&spec(topic.clone(), 4)).await.unwrap();
        log.create_topic(&spec(names.control(&"west".parse().unwrap()), 1)).await.unwrap();
        let asked_ms = OffsetDateTime::parse(TIME, &Rfc3339).unwrap().unix_timestamp() * 1_000;
        for partition in 0..4 {
            for n in 0..10 {
                let record = Record {
                    topic: topic.clone(),
                    partition,
                    key: None,
                    value: None,
                    headers: Headers::default(),
                    timestamp_ms: asked_ms + (n - 5) * 1_000,
                };
                log.append(record).await.unwrap();
            }
        }
        let clusters = BTreeMap::from([("main".to_owned(), Arc::new(log.clone()) as Arc<dyn Log>)]);
        Self { deployment: Deployment { config, clusters, sites: BTreeMap::new() }, log, topic }
    }

    fn at(&self, partition: i32) -> TopicPartition {
        TopicPartition { topic: self.topic.clone(), partition }
    }

    async fn commit(&self, partition: i32, offset: i64) {
        let group = self.deployment.config.topics.names.group(&"west".parse().unwrap(), "apply");
        let committed = Committed { offset, metadata: String::new() };
        self.log.reader(&group).await.unwrap().commit(&self.at(partition), &committed).await.unwrap();
    }

    async fn asked(&self) -> BTreeMap<TopicPartition, i64> {
        let control = control(&self.deployment, &"west".parse().unwrap()).await.unwrap();
        control.rewinds().into_iter().map(|(partition, rewind)| (partition, rewind.to)).collect()
    }
}

/// Scenario: of four partitions one is done, one is done to before that time, one is nearly done with its beginning gone
/// from the log, one was never read.
/// Guarantee: what was done since then is asked for, said and counted, partition by partition, and never anything ahead;
/// a trial asks for nothing, and asking twice is asking once.
#[tokio::test]
async fn what_was_done_since_then_is_asked_for() {
    let world = World::new().await;
    for (partition, offset) in [(0, 10), (1, 4), (2, 9)] {
        world.commit(partition, offset).await;
    }
    world.log.trim(&world.at(2), 7).unwrap();
    let rows = ask(&world.deployment, &options(true)).await.unwrap();
    assert!(world.asked().await.is_empty());
    let again: Vec<_> = rows.iter().map(|row| (row.to, row.again, row.beginning_is_gone)).collect();
    assert_eq!(again, [(5, 5, false), (7, 2, true)]);
    let shown = text(&rows, &options(true));
    assert!(shown.contains("7 change events would be read once more"), "{shown}");
    for _ in 0..2 {
        assert_eq!(ask(&world.deployment, &options(false)).await.unwrap(), rows);
        assert_eq!(world.asked().await, [(world.at(0), 5), (world.at(2), 7)].into());
    }
    assert!(text(&rows, &options(false)).contains("7 change events are read once more"));
}

#[tokio::test]
async fn where_nothing_was_done_since_nothing_is_asked_for() {
    let world = World::new().await;
    let rows = ask(&world.deployment, &options(false)).await.unwrap();
    assert!(rows.is_empty() && world.asked().await.is_empty());
    assert!(text(&rows, &options(false)).starts_with("nothing"));
    let nowhere = RewindOptions { at: "nowhere".parse().unwrap(), ..options(false) };
    assert!(ask(&world.deployment, &nowhere).await.unwrap_err().to_string().contains("no link into nowhere"));
}
