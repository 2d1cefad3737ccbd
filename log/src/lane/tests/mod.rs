//! Lanes on the in-memory log, on simulated time.

mod handing_over;
mod watched;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Before, Handler, LaneConfig, LaneError, LaneGroup, Lease, Repeat, Slot, Source, Unwatched, Watch};
use crate::clock::{Ids, SystemClock};
use crate::memory::{MemoryLog, SESSION, spec};
use crate::{Committed, Fetched, Headers, Ledger, Log, Position, Record, TopicName, TopicPartition};

/// Remembers what it handled, and keeps a key waiting while its gate is closed.
#[derive(Default)]
struct Recorder {
    handled: Mutex<Vec<(String, i64)>>,
    prepared: Mutex<Vec<(i32, Before)>>,
    gaps: Mutex<Vec<(i64, i64)>>,
    closed: Mutex<Option<Bytes>>,
    /// Whether a call that is kept waiting keeps its share of the lane.
    busy: bool,
    /// For how long what a call that is kept waiting has sent may act.
    acts_for: Option<Duration>,
    /// The key whose records are given back.
    refused: Mutex<Option<Bytes>>,
    /// For how long a write may act, which is waited out.
    expiry: Duration,
    again: Mutex<Option<mpsc::Sender<Repeat>>>,
    changed: Notify,
}

#[async_trait]
impl Handler for Recorder {
    fn order_key(&self, record: &Fetched) -> Bytes {
        record.key.clone().unwrap_or_default()
    }

    async fn prepare(&self, lane: i32, before: Before) {
        self.prepared.lock().unwrap().push((lane, before));
        self.changed.notify_waiters();
        tokio::time::sleep(before.wait(self.expiry)).await;
    }

    async fn gap(&self, _: &TopicPartition, from: i64, to: i64) {
        self.gaps.lock().unwrap().push((from, to));
    }

    fn may_repeat(&self, again: mpsc::Sender<Repeat>) {
        *self.again.lock().unwrap() = Some(again);
    }

    async fn handle(&self, slot: &mut Slot, records: &[Fetched]) {
        for record in records {
            let key = self.order_key(record);
            if *self.refused.lock().unwrap() == Some(key.clone()) {
                slot.give_back();
                return;
            }
            while *self.closed.lock().unwrap() == Some(key.clone()) {
                if let Some(long) = self.acts_for {
                    slot.may_act(Instant::now() + long);
                }
                if self.busy {
                    self.changed.notified().await;
                } else {
                    slot.rest(self.changed.notified()).await;
                }
            }
            let name = String::from_utf8_lossy(&key).into_owned();
            self.handled.lock().unwrap().push((name, record.position.offset));
            self.changed.notify_waiters();
        }
    }
}

impl Recorder {
    /// Waits until so many lanes have been prepared.
    async fn prepared(&self, count: usize) -> Vec<(i32, Before)> {
        loop {
            let changed = self.changed.notified();
            let prepared = self.prepared.lock().unwrap().clone();
            if prepared.len() >= count {
                return prepared;
            }
            changed.await;
        }
    }

    /// How many records have been handled so far.
    fn so_far(&self) -> usize {
        self.handled.lock().unwrap().len()
    }

    /// Waits until a record of this key has been handled.
    async fn handles(&self, key: &str) {
        loop {
            let changed = self.changed.notified();
            if self.handled.lock().unwrap().iter().any(|(handled, _)| handled == key) {
                return;
            }
            changed.await;
        }
    }

    /// Waits until so many records have been handled.
    async fn handled(&self, count: usize) -> Vec<(String, i64)> {
        loop {
            let changed = self.changed.notified();
            let handled = self.handled.lock().unwrap().clone();
            if handled.len() >= count {
                return handled;
            }
            changed.await;
        }
    }
}

fn topic(name: &str) -> TopicName {
    TopicName::new(name).unwrap()
}

fn data(partition: i32) -> TopicPartition {
    TopicPartition { topic: topic("data"), partition }
}

async fn log_with(partitions: i32) -> MemoryLog {
    let log = MemoryLog::new();
    for (name, partitions) in [("lanes", 2), ("data", partitions)] {
        log.create_topic(&spec(topic(name), partitions)).await.unwrap();
    }
    log
}

async fn put(log: &MemoryLog, partition: i32, key: &str) {
    let record = Record {
        topic: topic("data"),
        partition,
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        value: None,
        headers: Headers::default(),
        timestamp_ms: 0,
    };
    log.append(record).await.unwrap();
}

fn run(log: &MemoryLog, member: &str, handler: &Arc<Recorder>, config: LaneConfig) -> Running {
    watched(log, member, handler, Arc::new(Unwatched), config)
}

fn run_under(log: &MemoryLog, member: &str, handler: &Arc<Recorder>, lease: Lease) -> Running {
    let group = group(log, member, handler, Arc::new(Unwatched), LaneConfig::default());
    Running::start(LaneGroup { lease, ..group })
}

fn watched(
    log: &MemoryLog,
    member: &str,
    handler: &Arc<Recorder>,
    watch: Arc<dyn Watch>,
    config: LaneConfig,
) -> Running {
    Running::start(group(log, member, handler, watch, config))
}

/// Counts runs of processes: each has ids of its own.
static RUNS: AtomicU64 = AtomicU64::new(0);

fn group(
    log: &MemoryLog,
    member: &str,
    handler: &Arc<Recorder>,
    watch: Arc<dyn Watch>,
    config: LaneConfig,
) -> LaneGroup {
    let home: Arc<dyn Log> = Arc::new(log.clone());
    LaneGroup {
        home: Arc::clone(&home),
        group: "lanes-group".to_owned(),
        member: member.to_owned(),
        ids: Ids::new(Arc::new(SystemClock), RUNS.fetch_add(1, Ordering::SeqCst)),
        lanes_topic: topic("lanes"),
        sources: vec![Source::of(home, "apply".to_owned(), Arc::new(|name| name.as_str() == "data"))],
        handler: Arc::clone(handler) as Arc<dyn Handler>,
        watch,
        config,
        discover_every: Duration::from_secs(5),
        discover_now: Arc::default(),
        owned: watch::Sender::default(),
        lease: Lease::endless(),
    }
}

struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), LaneError>>,
}

impl Running {
    fn start(group: LaneGroup) -> Self {
        let stop = CancellationToken::new();
        Self { stop: stop.clone(), task: tokio::spawn(group.run(stop)) }
    }

    async fn stopped(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

/// Waits until a partition has been committed so far.
async fn until_committed(log: &MemoryLog, partition: i32, offset: i64) {
    let at = data(partition);
    let reached = |commit: &Committed| commit.offset >= offset;
    let waiting = async {
        while !log.committed("apply", std::slice::from_ref(&at)).await.unwrap().get(&at).is_some_and(reached) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap();
}

async fn committed(log: &MemoryLog, partition: i32) -> Ledger {
    let commits = log.committed("apply", &[data(partition)]).await.unwrap();
    Ledger::restore(&commits[&data(partition)]).unwrap()
}

/// Scenario: two keys in one partition; the first record of one cannot be done yet.
/// Guarantee: the other key goes on, the stuck key keeps its order, the commit stays below the stuck record, and a
/// restart repeats the stuck records only.
#[tokio::test(start_paused = true)]
async fn a_stuck_key_holds_back_itself_and_the_commit_but_nothing_else() {
    let log = log_with(2).await;
    for key in ["a", "b", "a", "b", "b"] {
        put(&log, 0, key).await;
    }
    let stuck = Arc::new(Recorder::default());
    *stuck.closed.lock().unwrap() = Some(Bytes::from_static(b"a"));
    let config = LaneConfig { concurrency: 1, ..LaneConfig::default() };
    let running = run(&log, "one", &stuck, config.clone());
    let handled = stuck.handled(3).await;
    assert_eq!(handled, [("b".to_owned(), 1), ("b".to_owned(), 3), ("b".to_owned(), 4)]);
    running.stopped().await;
    assert_eq!(committed(&log, 0).await.start(), 0);

    let fresh = Arc::new(Recorder::default());
    let running = run(&log, "one", &fresh, config);
    let handled = fresh.handled(2).await;
    assert_eq!(handled, [("a".to_owned(), 0), ("a".to_owned(), 2)], "what was finished is not repeated");
    running.stopped().await;
    assert_eq!(committed(&log, 0).await.start(), 5);
}

/// Scenario: a record comes to one lane after a quiet time, one to another lane a moment later, and again one to each.
/// Guarantee: the first of each is committed as soon as it is finished, the second of each with the other's.
#[tokio::test(start_paused = true)]
async fn commits_are_made_at_once_after_a_quiet_time_and_then_together() {
    let log = log_with(2).await;
    let handler = Arc::new(Recorder::default());
    let config = LaneConfig { commit_every: Duration::from_secs(7), ..LaneConfig::default() };
    let running = run(&log, "one", &handler, config);
    handler.prepared(2).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let mut since = Vec::new();
    for partition in [0, 1] {
        put(&log, partition, "a").await;
        let began = Instant::now();
        until_committed(&log, partition, 1).await;
        since.push(began.elapsed());
        put(&log, partition, "a").await;
    }
    assert!(since.iter().all(|waited| *waited < Duration::from_millis(100)), "{since:?}");
    let began = Instant::now();
    let both = [0, 1].map(async |partition| {
        until_committed(&log, partition, 2).await;
        began.elapsed()
    });
    let waited = futures::future::join_all(both).await;
    assert!(waited[0] == waited[1] && waited[0] > Duration::from_secs(1), "{waited:?}");
    running.stopped().await;
}

/// Scenario: a member is heard from for long, then expelled, then let in again.
/// Guarantee: its lease holds all the while, ends at the latest a session's time after the loss, and holds again only with
/// the lanes.
#[tokio::test(start_paused = true)]
async fn a_lease_holds_while_the_group_hears_from_its_member() {
    let log = log_with(2).await;
    let began = Instant::now();
    let lease = Lease::new(Arc::new(move || began.elapsed()));
    assert!(!lease.holds());
    let running = run_under(&log, "one", &Arc::default(), lease.clone());
    lease.held().await;
    tokio::time::sleep(10 * SESSION).await;
    assert!(lease.holds());
    log.expel("lanes-group", "one");
    tokio::time::sleep(SESSION).await;
    assert!(!lease.holds(), "nothing that it says any more is a sign of life of the lanes' owner");
    tokio::time::sleep(10 * SESSION).await;
    assert!(!lease.holds());
    log.readmit("lanes-group", "one");
    lease.held().await;
    running.stopped().await;
}

/// Scenario: a second process joins, and the first one leaves.
/// Guarantee: every record is handled exactly once when lanes change hands cleanly.
#[tokio::test(start_paused = true)]
async fn lanes_change_hands_without_repeating() {
    let log = log_with(4).await;
    let handler = Arc::new(Recorder::default());
    let one = run(&log, "one", &handler, LaneConfig::default());
    for n in 0..20 {
        put(&log, n % 4, &format!("k{n}")).await;
    }
    handler.handled(20).await;
    let two = run(&log, "two", &handler, LaneConfig::default());
    for n in 20..40 {
        put(&log, n % 4, &format!("k{n}")).await;
    }
    handler.handled(40).await;
    one.stopped().await;
    for n in 40..60 {
        put(&log, n % 4, &format!("k{n}")).await;
    }
    let mut keys: Vec<_> = handler.handled(60).await.into_iter().map(|(key, _)| key).collect();
    two.stopped().await;
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 60, "no key was handled twice");
}

/// Scenario: a process is thrown out of its group (the broker was away) and let in again, first with nobody in between,
/// then after another process that was thrown out in turn.
/// Guarantee: it knows how long it has done nothing itself, and does not take the other's unclean end for its own.
#[tokio::test(start_paused = true)]
async fn a_process_that_gets_its_lanes_back_knows_whether_another_had_them() {
    let log = log_with(2).await;
    let (one, two) = (Arc::new(Recorder::default()), Arc::new(Recorder::default()));
    let running = run(&log, "one", &one, LaneConfig::default());
    assert!(one.prepared(2).await.iter().all(|(_, before)| *before == Before::Clean), "nobody owned them before");
    put(&log, 0, "a").await;
    put(&log, 1, "a").await;
    one.handled(2).await;

    log.expel("lanes-group", "one");
    tokio::time::sleep(Duration::from_secs(5)).await;
    log.readmit("lanes-group", "one");
    let again = one.prepared(4).await;
    assert!(again[2..].iter().all(|(_, before)| *before == Before::Ourselves(Duration::from_secs(5))), "{again:?}");

    log.expel("lanes-group", "one");
    let other = run(&log, "two", &two, LaneConfig::default());
    let taken = two.prepared(2).await;
    assert!(taken.iter().all(|(_, before)| matches!(before, Before::Unclean(_))), "{taken:?}");
    log.expel("lanes-group", "two");
    log.readmit("lanes-group", "one");
    let last = one.prepared(6).await;
    assert!(last[4..].iter().all(|(_, before)| matches!(before, Before::Unclean(_))), "another had them: {last:?}");
    running.stopped().await;
    other.stopped().await;
}

/// Scenario: a process is thrown out of its group and let in again; while it waits out its own writes of before, the same
/// happens to it again and again. At last it is told to stop while it waits.
/// Guarantee: each time it goes by what is the case now, so that it is at work as soon as its writes of before can act no
/// more, and not only once it has waited for each time; it stops at once.
#[tokio::test(start_paused = true)]
async fn a_lane_that_comes_and_goes_begins_as_soon_as_it_may() {
    let expiry = Duration::from_secs(60);
    let log = log_with(2).await;
    let handler = Arc::new(Recorder { expiry, ..Recorder::default() });
    let running = run(&log, "one", &handler, LaneConfig::default());
    put(&log, 0, "a").await;
    put(&log, 1, "a").await;
    handler.handled(2).await;
    let mut thrown_out = Instant::now();
    for _ in 0..5 {
        log.expel("lanes-group", "one");
        tokio::time::sleep(Duration::from_secs(5)).await;
        log.readmit("lanes-group", "one");
        tokio::time::sleep(Duration::from_secs(4)).await;
    }
    put(&log, 0, "b").await;
    handler.handles("b").await;
    assert_eq!(thrown_out.elapsed(), expiry);

    // Another process has the lanes meanwhile, and ends without a word.
    let other = Arc::new(Recorder::default());
    log.expel("lanes-group", "one");
    let _killed = run(&log, "two", &other, LaneConfig::default());
    put(&log, 0, "c").await;
    other.handles("c").await;
    log.expel("lanes-group", "two");
    let back = Instant::now();
    for _ in 0..5 {
        log.readmit("lanes-group", "one");
        tokio::time::sleep(Duration::from_secs(4)).await;
        log.expel("lanes-group", "one");
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    log.readmit("lanes-group", "one");
    put(&log, 0, "d").await;
    handler.handles("d").await;
    assert_eq!(back.elapsed(), expiry);

    log.expel("lanes-group", "one");
    thrown_out = Instant::now();
    log.readmit("lanes-group", "one");
    tokio::time::sleep(Duration::from_secs(1)).await;
    running.stopped().await;
    assert!(thrown_out.elapsed() < Duration::from_secs(2), "{:?}", thrown_out.elapsed());
}

/// Scenario: a lane begins while its topics cannot be seen, and they come in sight; whoever read them before ended without a
/// word.
/// Guarantee: the lane waits out what was begun then before it reads them.
#[tokio::test(start_paused = true)]
async fn what_comes_in_sight_later_is_waited_out_too() {
    let expiry = Duration::from_secs(60);
    let log = log_with(2).await;
    let (one, two) = (Arc::new(Recorder::default()), Arc::new(Recorder { expiry, ..Recorder::default() }));
    let _killed = run(&log, "one", &one, LaneConfig::default());
    put(&log, 0, "a").await;
    put(&log, 1, "a").await;
    one.handled(2).await;
    log.expel("lanes-group", "one");

    let seen = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let group = group(&log, "two", &two, Arc::new(Unwatched), LaneConfig::default());
    let (look, shown) = (Arc::clone(&group.discover_now), Arc::clone(&seen));
    let wants =
        Arc::new(move |name: &TopicName| shown.load(std::sync::atomic::Ordering::SeqCst) && name.as_str() == "data");
    let sources = vec![Source::of(Arc::new(log.clone()), "apply".to_owned(), wants)];
    let began = Instant::now();
    let running = Running::start(LaneGroup { sources, ..group });
    assert!(two.prepared(2).await.iter().all(|(_, before)| *before == Before::Clean), "nothing is to be read");
    tokio::time::sleep(Duration::from_secs(7)).await;
    seen.store(true, std::sync::atomic::Ordering::SeqCst);
    look.notify_one();
    put(&log, 0, "b").await;
    two.handles("b").await;
    assert_eq!(began.elapsed(), expiry);
    running.stopped().await;
}

/// Scenario: the log's retention deleted records that nobody had read.
/// Guarantee: it is told, and reading goes on at the first record that is left.
#[tokio::test(start_paused = true)]
async fn a_gap_is_told() {
    let log = log_with(2).await;
    for _ in 0..3 {
        put(&log, 0, "a").await;
    }
    log.trim(&data(0), 2).unwrap();
    let handler = Arc::new(Recorder::default());
    let running = run(&log, "one", &handler, LaneConfig::default());
    assert_eq!(handler.handled(1).await, [("a".to_owned(), 2)]);
    assert_eq!(*handler.gaps.lock().unwrap(), [(0, 2)]);
    running.stopped().await;
}

/// Scenario: a record is given back, because its topic is not to be read for now.
/// Guarantee: other partitions go on, what was done stays done, and once the topic is wanted again the rest follows in
/// order.
#[tokio::test(start_paused = true)]
async fn what_is_given_back_comes_again_when_it_is_wanted() {
    let log = log_with(4).await;
    for key in ["b", "a", "b", "a"] {
        put(&log, 0, key).await;
    }
    put(&log, 2, "c").await;
    let handler = Arc::new(Recorder::default());
    *handler.refused.lock().unwrap() = Some(Bytes::from_static(b"a"));
    let running = run(&log, "one", &handler, LaneConfig::default());
    let handled = handler.handled(2).await;
    assert!(handled.contains(&("c".to_owned(), 0)) && handled.contains(&("b".to_owned(), 0)), "{handled:?}");
    *handler.refused.lock().unwrap() = None;
    let mut handled = handler.handled(5).await;
    handled.retain(|(key, _)| key == "a");
    assert_eq!(handled, [("a".to_owned(), 1), ("a".to_owned(), 3)]);
    running.stopped().await;
    assert_eq!(committed(&log, 0).await.start(), 4);
}

/// Scenario: a record that was done is asked for once more, while its key is stuck.
/// Guarantee: it waits for its turn, its asker is told, and nothing is committed twice. What belongs to no lane of ours
/// is answered by silence.
#[tokio::test(start_paused = true)]
async fn a_record_is_repeated_in_turn_with_its_key() {
    let log = log_with(2).await;
    put(&log, 0, "a").await;
    let handler = Arc::new(Recorder::default());
    let running = run(&log, "one", &handler, LaneConfig::default());
    handler.handled(1).await;
    *handler.closed.lock().unwrap() = Some(Bytes::from_static(b"a"));
    put(&log, 0, "a").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let again = handler.again.lock().unwrap().clone().unwrap();
    let repeat = |partition, offset| {
        let (done, answer) = oneshot::channel();
        let record = Fetched {
            position: Position { partition: data(partition), offset },
            key: Some(Bytes::from_static(b"a")),
            value: None,
            headers: Headers::default(),
            timestamp_ms: None,
        };
        (Repeat { record, done }, answer)
    };
    let (repeated, answer) = repeat(0, 0);
    again.send(repeated).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    *handler.closed.lock().unwrap() = None;
    handler.changed.notify_waiters();
    answer.await.unwrap();
    let offsets: Vec<i64> = handler.handled(3).await.into_iter().map(|(_, offset)| offset).collect();
    assert_eq!(offsets, [0, 1, 0]);
    running.stopped().await;
    assert_eq!(committed(&log, 0).await.start(), 2);
    let (repeated, answer) = repeat(0, 0);
    assert!(again.send(repeated).await.is_err() && answer.await.is_err(), "the group has ended");
}
