//! Scenario: a lane group on a real broker, whose topics are trimmed, deleted, made anew and given more partitions while
//! they are read.
//!
//! Guarantees: records that are gone unread are told with their offsets, and reading goes on at the first that is left; a
//! topic that was made anew is known as another one and read from its beginning, although commits of the old one stand
//! above it; added partitions are read; a partition is read once more from where a person wants it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use twinlog_log::clock::{Clock, Ids, SystemClock};
use twinlog_log::conformance::{record, spec};
use twinlog_log::lane::{Handler, LaneConfig, LaneGroup, Lease, Lost, Slot, Source, TopicNow, Watch};
use twinlog_log::{Fetched, KafkaConfig, KafkaLog, Log, TopicName, TopicPartition};
use twinlog_tests::server::{Kafka, Life};

const PATIENCE: Duration = Duration::from_secs(60);

/// Remembers what it is given and told.
#[derive(Default)]
struct Reader {
    read: Mutex<Vec<(TopicPartition, i64, String)>>,
    lost: Mutex<Vec<Lost>>,
    topics: Mutex<Vec<TopicNow>>,
    rewinds: Mutex<BTreeMap<TopicPartition, i64>>,
}

#[async_trait]
impl Handler for Reader {
    fn order_key(&self, record: &Fetched) -> Bytes {
        record.key.clone().unwrap_or_default()
    }

    async fn gap(&self, _: &TopicPartition, _: i64, _: i64) {}

    async fn handle(&self, _: &mut Slot, records: &[Fetched]) {
        for record in records {
            let value = String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned();
            let at = &record.position;
            self.read.lock().unwrap().push((at.partition.clone(), at.offset, value));
        }
    }
}

#[async_trait]
impl Watch for Reader {
    async fn topic(&self, _: &TopicName, now: TopicNow) -> bool {
        self.topics.lock().unwrap().push(now);
        true
    }

    async fn known(&self) -> BTreeSet<TopicName> {
        BTreeSet::new()
    }

    fn misses(&self, _: &TopicName) -> bool {
        false
    }

    async fn gone(&self, _: &TopicName) {}

    async fn lost(&self, lost: &Lost) {
        self.lost.lock().unwrap().push(lost.clone());
    }

    fn rewind(&self, partition: &TopicPartition) -> Option<i64> {
        self.rewinds.lock().unwrap().get(partition).copied()
    }

    async fn rewound(&self, partition: &TopicPartition, _: Option<i64>) {
        self.rewinds.lock().unwrap().remove(partition);
    }
}

impl Reader {
    fn offsets(&self, value: &str) -> Vec<i64> {
        let read = self.read.lock().unwrap();
        read.iter().filter(|(_, _, read)| read == value).map(|(_, offset, _)| *offset).collect()
    }
}

async fn until(what: &str, mut come: impl FnMut() -> bool) {
    let coming = async {
        while !come() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, coming).await.is_ok(), "{what}");
}

async fn put(log: &KafkaLog, at: &TopicPartition, value: &str, count: usize) {
    for _ in 0..count {
        log.append(record(at, "k", value)).await.unwrap();
    }
}

async fn committed(log: &KafkaLog, at: &TopicPartition, offset: i64) {
    let coming = async {
        while log.committed("apply", std::slice::from_ref(at)).await.unwrap().get(at).is_none_or(|c| c.offset < offset)
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, coming).await.is_ok(), "{at} was not committed to {offset}");
}

struct Running {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(log: &Arc<KafkaLog>, reader: &Arc<Reader>) -> Self {
        let home: Arc<dyn Log> = Arc::<KafkaLog>::clone(log);
        let group = LaneGroup {
            home: Arc::clone(&home),
            group: "lanes-group".to_owned(),
            member: "one".to_owned(),
            ids: Ids::new(Arc::new(SystemClock), SystemClock.now_ns().unsigned_abs()),
            lanes_topic: spec("lanes", 1).name,
            sources: vec![Source::of(home, "apply".into(), Arc::new(|name| name.as_str() == "data"))],
            handler: Arc::<Reader>::clone(reader),
            watch: Arc::<Reader>::clone(reader),
            config: LaneConfig { commit_every: Duration::from_millis(100), ..LaneConfig::default() },
            discover_every: Duration::from_secs(1),
            discover_now: Arc::default(),
            lease: Lease::endless(),
            owned: watch::Sender::new(BTreeSet::new()),
        };
        let stop = CancellationToken::new();
        let until = stop.clone();
        let task = tokio::spawn(async move { group.run(until).await.unwrap() });
        Self { stop, task }
    }

    async fn stopped(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_not_what_it_was_is_noticed_and_read_on() {
    let folder = tempfile::tempdir().unwrap();
    let kafka = Kafka::start(folder.path(), Life::Bound).await.unwrap();
    let log = Arc::new(KafkaLog::connect(KafkaConfig::new(kafka.brokers(), "dangers")).await.unwrap());
    let data = spec("data", 1);
    let at = TopicPartition { topic: data.name.clone(), partition: 0 };
    log.create_topic(&spec("lanes", 1)).await.unwrap();
    log.create_topic(&data).await.unwrap();

    // Never read, and its beginning is gone.
    put(&log, &at, "early", 5).await;
    log.trim(&at, 3).await.unwrap();
    let reader = Arc::<Reader>::default();
    let running = Running::start(&log, &reader);
    until("what was left is read", || reader.offsets("early") == [3, 4]).await;
    assert_eq!(*reader.lost.lock().unwrap(), [Lost { partition: at.clone(), from: 0, to: 3, records: 3 }]);
    committed(&log, &at, 5).await;
    running.stopped().await;

    // Deleted below and above the commit while nobody reads.
    put(&log, &at, "middle", 5).await;
    log.trim(&at, 8).await.unwrap();
    let running = Running::start(&log, &reader);
    until("what was left is read", || reader.offsets("middle") == [8, 9]).await;
    assert_eq!(reader.lost.lock().unwrap()[1], Lost { partition: at.clone(), from: 5, to: 8, records: 3 });

    // Read once more.
    committed(&log, &at, 10).await;
    reader.rewinds.lock().unwrap().insert(at.clone(), 9);
    until("it is read once more", || reader.offsets("middle") == [8, 9, 9]).await;
    assert!(reader.rewinds.lock().unwrap().is_empty());

    // Made anew under a running reader, with more records than were ever committed.
    log.delete_topic(&data.name).await.unwrap();
    while log.topic(&data.name).await.unwrap().is_some() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    log.create_topic(&data).await.unwrap();
    put(&log, &at, "anew", 15).await;
    until("all of the new one is read", || {
        let offsets: BTreeSet<i64> = reader.offsets("anew").into_iter().collect();
        offsets == (0..15).collect()
    })
    .await;
    let ids: BTreeSet<_> = reader.topics.lock().unwrap().iter().map(|now| now.id).collect();
    assert!(ids.len() == 2 && !ids.contains(&None), "{ids:?}");
    committed(&log, &at, 15).await;

    // More partitions.
    log.add_partitions(&data.name, 3).await.unwrap();
    let added = TopicPartition { partition: 2, ..at.clone() };
    let added_is_there = async {
        while log.topic(&data.name).await.unwrap().is_none_or(|info| info.partitions < 3) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, added_is_there).await.unwrap();
    // A client that has written to the topic before learns of its new partitions only in a while.
    let fresh = KafkaLog::connect(KafkaConfig::new(kafka.brokers(), "fresh")).await.unwrap();
    put(&fresh, &added, "added", 2).await;
    until("the added partition is read", || reader.offsets("added") == [0, 1]).await;
    assert_eq!(reader.topics.lock().unwrap().last().unwrap().partitions, 3);
    running.stopped().await;
}
