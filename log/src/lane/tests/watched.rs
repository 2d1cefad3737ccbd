//! What a lane group does when the log is not what it was, on the in-memory log and simulated time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::super::{LaneConfig, LaneGroup, Lost, TopicNow, Watch};
use super::{Recorder, Running, committed, data, group, log_with, put, topic, until_committed, watched};
use crate::memory::{MemoryLog, spec};
use crate::topic::{TopicName, TopicPartition};
use crate::{Committed, Log};

/// Remembers what it is told, lets topics be read whose partitions fit, and asks for what a test wants read once more.
#[derive(Default)]
struct Looker {
    lost: Mutex<Vec<Lost>>,
    topics: Mutex<Vec<TopicNow>>,
    known: Mutex<BTreeSet<TopicName>>,
    gone: Mutex<BTreeSet<TopicName>>,
    rewinds: Mutex<BTreeMap<TopicPartition, i64>>,
    rewound: Mutex<Vec<Option<i64>>>,
}

#[async_trait]
impl Watch for Looker {
    async fn topic(&self, name: &TopicName, now: TopicNow) -> bool {
        self.gone.lock().unwrap().remove(name);
        self.topics.lock().unwrap().push(now);
        now.partitions % now.lanes == 0
    }

    async fn known(&self) -> BTreeSet<TopicName> {
        self.known.lock().unwrap().clone()
    }

    fn misses(&self, topic: &TopicName) -> bool {
        self.gone.lock().unwrap().contains(topic)
    }

    async fn gone(&self, topic: &TopicName) {
        self.gone.lock().unwrap().insert(topic.clone());
    }

    async fn lost(&self, lost: &Lost) {
        self.lost.lock().unwrap().push(lost.clone());
    }

    fn rewind(&self, partition: &TopicPartition) -> Option<i64> {
        self.rewinds.lock().unwrap().get(partition).copied()
    }

    async fn rewound(&self, partition: &TopicPartition, offset: Option<i64>) {
        self.rewinds.lock().unwrap().remove(partition);
        self.rewound.lock().unwrap().push(offset);
    }
}

/// Longer than a discovery.
const A_WHILE: Duration = Duration::from_secs(10);

fn both() -> (Arc<Recorder>, Arc<Looker>) {
    (Arc::default(), Arc::default())
}

async fn offsets(handler: &Recorder, count: usize) -> Vec<i64> {
    handler.handled(count).await.into_iter().map(|(_, offset)| offset).collect()
}

async fn make(log: &MemoryLog, partitions: i32) {
    log.create_topic(&spec(topic("data"), partitions)).await.unwrap();
}

/// Scenario: retention deletes records while they are read, further than a slow reader has come.
/// Guarantee: it is told with what was not done, and reading goes on at the first record that is left.
#[tokio::test(start_paused = true)]
async fn what_is_deleted_under_a_running_reader_is_told() {
    let log = log_with(2).await;
    let (handler, watch) = both();
    *handler.closed.lock().unwrap() = Some(Bytes::from_static(b"stuck"));
    put(&log, 0, "stuck").await;
    let config = LaneConfig { pending_per_partition: 1, ..LaneConfig::default() };
    let running = watched(&log, "one", &handler, watch.clone(), config);
    tokio::time::sleep(A_WHILE).await;
    for _ in 1..10 {
        put(&log, 0, "a").await;
    }
    tokio::time::sleep(A_WHILE).await;
    log.trim(&data(0), 8).unwrap();
    *handler.closed.lock().unwrap() = None;
    handler.changed.notify_waiters();
    assert_eq!(offsets(&handler, 3).await, [0, 8, 9]);
    assert_eq!(*watch.lost.lock().unwrap(), [Lost { partition: data(0), from: 1, to: 8, records: 7 }]);
    running.stopped().await;
    assert_eq!(committed(&log, 0).await.start(), 10);
}

/// Scenario: a commit stands below what the log still has, with finished records above it.
/// Guarantee: those count as done.
#[tokio::test(start_paused = true)]
async fn what_was_done_above_the_commit_is_not_lost() {
    let log = log_with(2).await;
    let (handler, watch) = both();
    *handler.closed.lock().unwrap() = Some(Bytes::from_static(b"stuck"));
    for key in ["stuck", "a", "a", "stuck", "a"] {
        put(&log, 0, key).await;
    }
    let config = LaneConfig { drain: Duration::from_secs(1), ..LaneConfig::default() };
    let running = watched(&log, "one", &handler, watch.clone(), config.clone());
    handler.handled(3).await;
    running.stopped().await;
    log.trim(&data(0), 4).unwrap();
    let (handler, watch) = both();
    let running = watched(&log, "one", &handler, watch.clone(), config);
    tokio::time::sleep(A_WHILE).await;
    let lost = Lost { partition: data(0), from: 0, to: 4, records: 2 };
    assert_eq!(*watch.lost.lock().unwrap(), [lost]);
    running.stopped().await;
}

/// Scenario: nobody has committed yet, and the log does not begin at 0.
/// Guarantee: that is told too.
#[tokio::test(start_paused = true)]
async fn a_log_that_never_was_read_and_lacks_its_beginning_is_told() {
    let log = log_with(2).await;
    for _ in 0..5 {
        put(&log, 1, "a").await;
    }
    log.trim(&data(1), 5).unwrap();
    let (handler, watch) = both();
    let running = watched(&log, "one", &handler, watch.clone(), LaneConfig::default());
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(*watch.lost.lock().unwrap(), [Lost { partition: data(1), from: 0, to: 5, records: 5 }]);
    running.stopped().await;
    let (handler, watch) = both();
    let running = watched(&log, "one", &handler, watch.clone(), LaneConfig::default());
    tokio::time::sleep(A_WHILE).await;
    assert!(watch.lost.lock().unwrap().is_empty(), "once is enough");
    running.stopped().await;
}

/// Scenario: the topic is deleted under a running reader, and made anew with more records than were committed before.
/// Guarantee: its disappearance is told, the new one is known as another one, and no record of it is skipped, neither
/// while running nor by what was committed of the old one.
#[tokio::test(start_paused = true)]
async fn a_topic_made_anew_is_read_from_its_beginning() {
    for restarted in [false, true] {
        let log = log_with(2).await;
        for _ in 0..3 {
            put(&log, 0, "old").await;
        }
        let (handler, watch) = both();
        let mut running = Some(watched(&log, "one", &handler, watch.clone(), LaneConfig::default()));
        handler.handled(3).await;
        if restarted {
            running.take().unwrap().stopped().await;
        }
        let of_old = log.committed("apply", &[data(0)]).await.unwrap();
        log.delete_topic(&topic("data"));
        tokio::time::sleep(A_WHILE).await;
        assert_eq!(watch.gone.lock().unwrap().len(), usize::from(!restarted));
        make(&log, 2).await;
        // A cluster may keep the commits, or a process that is late may make them again.
        let reader = log.reader("apply").await.unwrap();
        if let Some(commit) = of_old.get(&data(0)) {
            reader.commit(&data(0), commit).await.unwrap();
        }
        for _ in 0..5 {
            put(&log, 0, "new").await;
        }
        let running = running.unwrap_or_else(|| watched(&log, "one", &handler, watch.clone(), LaneConfig::default()));
        tokio::time::sleep(A_WHILE).await;
        let mut handled = handler.handled(8).await;
        handled.retain(|(key, _)| key == "new");
        let offsets: Vec<i64> = handled.iter().map(|(_, offset)| *offset).collect();
        assert_eq!(offsets, [0, 1, 2, 3, 4], "restarted: {restarted}");
        let ids: Vec<_> = watch.topics.lock().unwrap().iter().map(|now| now.id).collect();
        assert_eq!(ids.len(), 2, "{ids:?}");
        assert_ne!(ids[0], ids[1]);
        running.stopped().await;
        assert_eq!(committed(&log, 0).await.start(), 5);
    }
}

/// Scenario: a topic is deleted while nobody runs.
/// Guarantee: what is on record as read, and is to be read, is told as gone by the next process.
#[tokio::test(start_paused = true)]
async fn a_topic_that_went_while_nobody_ran_is_told() {
    let log = log_with(2).await;
    let (handler, watch) = both();
    watch.known.lock().unwrap().extend([topic("data"), topic("unwanted")]);
    log.delete_topic(&topic("data"));
    let running = watched(&log, "one", &handler, watch.clone(), LaneConfig::default());
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(*watch.gone.lock().unwrap(), [topic("data")].into());
    running.stopped().await;
}

/// Scenario: a topic that is not read for now is deleted, and made anew while it is still not read.
/// Guarantee: both is noticed, and nothing of it is read.
#[tokio::test(start_paused = true)]
async fn a_topic_that_waits_is_watched_too() {
    let log = log_with(2).await;
    let (handler, watch) = both();
    let mut waiting = group(&log, "one", &handler, watch.clone(), LaneConfig::default());
    waiting.sources[0].waits = Arc::new(|_| true);
    watch.known.lock().unwrap().insert(topic("data"));
    let running = Running::start(waiting);
    log.delete_topic(&topic("data"));
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(*watch.gone.lock().unwrap(), [topic("data")].into());
    make(&log, 2).await;
    put(&log, 0, "a").await;
    tokio::time::sleep(A_WHILE).await;
    assert!(watch.gone.lock().unwrap().is_empty() && handler.so_far() == 0);
    running.stopped().await;
}

/// Scenario: partitions are added to a topic that is read, first as many as fit the lanes, then one more.
/// Guarantee: the new ones are read; where they do not fit, nothing of the topic is read until they do, and nothing is lost.
#[tokio::test(start_paused = true)]
async fn added_partitions_are_read_as_soon_as_they_fit() {
    let log = log_with(2).await;
    let (handler, watch) = both();
    let running = watched(&log, "one", &handler, watch.clone(), LaneConfig::default());
    put(&log, 0, "a").await;
    handler.handled(1).await;
    log.add_partitions(&topic("data"), 4);
    put(&log, 3, "b").await;
    handler.handled(2).await;
    log.add_partitions(&topic("data"), 5);
    tokio::time::sleep(A_WHILE).await;
    put(&log, 0, "c").await;
    put(&log, 4, "d").await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(handler.handled.lock().unwrap().len(), 2, "not read");
    log.add_partitions(&topic("data"), 6);
    let mut keys: Vec<_> = handler.handled(4).await.into_iter().map(|(key, _)| key).collect();
    keys.sort();
    assert_eq!(keys, ["a", "b", "c", "d"]);
    running.stopped().await;
}

/// Scenario: a person asks for a partition to be read once more, while a call of one of its keys runs.
/// Guarantee: it is read again from there, each key in order and behind its running call, once; other partitions are not;
/// it never goes forward, and the commit says where it stands.
#[tokio::test(start_paused = true)]
async fn a_partition_is_read_once_more_from_where_it_is_told() {
    let log = log_with(4).await;
    let (handler, watch) = both();
    for key in ["a", "b", "a", "b"] {
        put(&log, 0, key).await;
    }
    put(&log, 2, "c").await;
    let running = watched(&log, "one", &handler, watch.clone(), LaneConfig::default());
    handler.handled(5).await;
    *handler.closed.lock().unwrap() = Some(Bytes::from_static(b"a"));
    put(&log, 0, "a").await;
    tokio::time::sleep(A_WHILE).await;
    watch.rewinds.lock().unwrap().insert(data(0), 1);
    tokio::time::sleep(A_WHILE).await;
    let handled = handler.handled(7).await[5..].to_vec();
    assert_eq!(handled, [("b".to_owned(), 1), ("b".to_owned(), 3)], "`a` waits for its running call");
    *handler.closed.lock().unwrap() = None;
    handler.changed.notify_waiters();
    let handled: Vec<i64> = offsets(&handler, 10).await[7..].to_vec();
    assert_eq!(handled, [4, 2, 4], "the running call ends, then `a` again in order");
    assert_eq!(*watch.rewound.lock().unwrap(), [Some(1)]);
    tokio::time::sleep(A_WHILE).await;
    watch.rewinds.lock().unwrap().insert(data(0), 40);
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(*watch.rewound.lock().unwrap(), [Some(1), None], "nothing is skipped");
    assert_eq!(handler.handled.lock().unwrap().len(), 10, "once, and nothing else");
    running.stopped().await;
    assert_eq!(committed(&log, 0).await.start(), 5);
}

/// Scenario: nobody runs when a person asks for a partition to be read once more.
/// Guarantee: whoever begins does so.
#[tokio::test(start_paused = true)]
async fn what_is_asked_while_nobody_runs_is_done_at_the_start() {
    let log = log_with(2).await;
    let (handler, watch) = both();
    for _ in 0..3 {
        put(&log, 0, "a").await;
    }
    let running = watched(&log, "one", &handler, watch.clone(), LaneConfig::default());
    handler.handled(3).await;
    running.stopped().await;
    watch.rewinds.lock().unwrap().insert(data(0), 2);
    let running = watched(&log, "one", &handler, watch.clone(), LaneConfig::default());
    assert_eq!(offsets(&handler, 4).await, [0, 1, 2, 2]);
    assert_eq!(*watch.rewound.lock().unwrap(), [Some(2)]);
    running.stopped().await;
}

/// Scenario: nothing happens in a partition for longer than Kafka keeps the commits of a group without members, and the
/// commit is lost.
/// Guarantee: it is repeated in time, so that what was read is not taken for lost later.
#[tokio::test(start_paused = true)]
async fn the_commit_of_a_quiet_partition_is_repeated() {
    let log = log_with(2).await;
    let (handler, watch) = both();
    put(&log, 0, "a").await;
    // Nor does anything else that would look at what stands.
    let discover_every = Duration::from_secs(100 * 3_600);
    let group = group(&log, "one", &handler, watch.clone(), LaneConfig::default());
    let running = Running::start(LaneGroup { discover_every, ..group });
    until_committed(&log, 0, 1).await;
    let lost = Committed { offset: 0, metadata: String::new() };
    log.reader("apply").await.unwrap().commit(&data(0), &lost).await.unwrap();
    tokio::time::sleep(Duration::from_secs(13 * 3_600)).await;
    assert_eq!(committed(&log, 0).await.start(), 1);
    running.stopped().await;
}
