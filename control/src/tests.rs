//! Every kind of record survives the topic; the view follows, whoever writes, in whatever order it learns.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use twinlog_log::clock::{Clock, Ids, SystemClock};
use twinlog_log::fault::{Fault, FaultyLog};
use twinlog_log::{Cleanup, Log, LogError, LogErrorKind, MemoryLog, TopicName, TopicPartition, TopicSpec, Topics};
use twinlog_schemas::{BucketName, SiteName};

use crate::entry::{
    Away, DirtyBucket, Entry, Hold, Identity, Late, Pause, Release, Rewind, Skipped, Slice, Standing, Stretch, Stuck,
    Swept, TopicSeen, Unbroken,
};
use crate::key::{Direction, Key, Scope, StandingKey};
use crate::{Control, Reason, Sweep, Why};

fn direction() -> impl Strategy<Value = Direction> {
    ("[a-z0-9][a-z0-9-]{0,30}", "[a-z0-9][a-z0-9.-]{1,30}[a-z0-9]")
        .prop_filter_map("a bucket's name", |(s, b)| Some((SiteName::new(s).ok()?, BucketName::new(b).ok()?)))
}

fn partition() -> impl Strategy<Value = TopicPartition> {
    ("[a-zA-Z0-9._-]{3,60}", 0i32..10_000).prop_filter_map("a topic's name", |(topic, partition)| {
        Some(TopicPartition { topic: TopicName::new(topic).ok()?, partition })
    })
}

fn entry() -> impl Strategy<Value = Entry> {
    let hold = (proptest::sample::select(Reason::ALL), ".*", any::<i64>(), proptest::option::of("[0-9a-f]{16}"))
        .prop_map(|(reason, message, since_us, schema)| Hold { reason, message, since_us, schema });
    let stretch = (any::<i64>(), any::<u64>(), any::<u64>()).prop_map(|(number, removed, other)| Stretch {
        number,
        removed,
        other,
    });
    let slice = (any::<i64>(), proptest::collection::vec(stretch, 0..5))
        .prop_map(|(counted_to, stretches)| Slice { counted_to, stretches });
    let times = (any::<Option<i64>>(), any::<Option<i64>>());
    prop_oneof![
        (direction(), hold.clone()).prop_map(|(at, hold)| Entry::Hold(Scope::Bucket(at), hold)),
        (direction(), hold).prop_map(|(at, hold)| Entry::Hold(Scope::Link(at.0), hold)),
        (direction(), ".*", any::<i64>()).prop_map(|(at, by, since_us)| Entry::Pause(at, Pause { by, since_us })),
        (direction(), ".*", any::<i64>(), any::<Option<i64>>())
            .prop_map(|(at, by, at_us, removals_to_us)| { Entry::Release(at, Release { by, at_us, removals_to_us }) }),
        (direction(), ".*", any::<i64>()).prop_map(|(at, message, since_us)| {
            Entry::Away(at.0.clone(), at.0, Away { message, since_us, seen_us: since_us / 2 })
        }),
        (direction(), times)
            .prop_map(|(at, (source_ms, target_ms))| Entry::Identity(at, Identity { source_ms, target_ms })),
        (partition(), direction(), any::<i64>()).prop_map(|(p, at, from)| Entry::Skipped(p, at, Skipped { from })),
        (partition(), direction(), slice).prop_map(|(p, at, slice)| Entry::Guard(p, at, slice)),
        (direction(), any::<i64>(), ".*")
            .prop_map(|((_, bucket), since_us, reason)| { Entry::Dirty(DirtyBucket { bucket, since_us, reason }) }),
        (direction(), any::<Option<i64>>(), any::<i64>())
            .prop_map(|((_, bucket), since_us, first_us)| Entry::Unbroken(bucket, Unbroken { since_us, first_us })),
        (direction(), any::<(i64, Option<i64>, u64, bool)>(), "[a-z/\n]{1,9}", ".*").prop_map(
            |(at, (begun_us, ended_us, asked, filled), key, how)| {
                let (done_to, vanished) = (key.parse().ok(), [(at.0.clone(), asked)].into());
                Entry::Swept(at, Swept { begun_us, ended_us, done_to, how, compared: asked, asked, vanished, filled })
            },
        ),
        ("[a-z-]+", "[a-z0-9-]{0,32}", "[a-z0-9.-]{0,63}", "[a-zA-Z0-9:.-]+", any::<(i64, u64)>(), ".*").prop_map(
            |(kind, source, bucket, reason, (at, count), words)| {
                let key = StandingKey { kind, source, bucket, reason };
                let (message, remedy) = (words.clone(), words);
                Entry::Standing(key, Standing { id: "id".into(), since_us: at, told_ms: at, count, message, remedy })
            }
        ),
        (direction(), proptest::sample::select(Why::ALL), ".*", any::<i64>(), any::<i64>()).prop_map(
            |(at, why, message, since_us, records)| Entry::Sweep(
                at,
                Sweep { why, message, since_us, last_us: since_us, records }
            )
        ),
        (partition(), proptest::option::of("[0-9a-f]{32}"), any::<i32>(), any::<i32>()).prop_map(
            |(p, id, partitions, now)| Entry::Topic(
                p.topic,
                TopicSeen { id, partitions, now, given_up: now == 7, gone: None }
            )
        ),
        (direction(), any::<i64>()).prop_map(|(at, since_us)| Entry::Late(at, Late { since_us })),
        (partition(), direction(), any::<bool>(), any::<i64>(), ".*", any::<i64>()).prop_map(
            |(p, at, of_bucket, offset, message, since_us)| {
                let (source, bucket) = (at.0, of_bucket.then_some(at.1));
                Entry::Stuck(p, Stuck { offset, message, since_us, source, bucket })
            }
        ),
        (partition(), any::<i64>(), ".*", any::<i64>())
            .prop_map(|(p, to, by, at_us)| Entry::Rewind(p, Rewind { to, by, at_us })),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(entry in entry()) {
        let (key, value) = (entry.key().to_string(), entry.to_json().unwrap());
        let read = Entry::read(&key, &value).unwrap();
        prop_assert_eq!(format!("{read:?}"), format!("{entry:?}"));
        prop_assert_eq!(key.parse::<Key>().unwrap(), entry.key());
    }

    #[test]
    fn no_key_or_value_makes_it_panic(key in ".*", value in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = Entry::read(&key, &value);
        let _ = Entry::read("hold/east/bucket", &value);
    }
}

struct World {
    log: MemoryLog,
    topics: Topics,
}

impl World {
    async fn new() -> Self {
        let world = Self { log: MemoryLog::new(), topics: Topics::new("t").unwrap() };
        world.make().await;
        world
    }

    async fn make(&self) {
        let spec = TopicSpec {
            name: self.topics.control(&site("west")),
            partitions: 1,
            replication_factor: 1,
            min_insync_replicas: 1,
            cleanup: Cleanup::Compact,
            retention_ms: -1,
            retention_bytes: -1,
            max_message_bytes: 1 << 20,
        };
        self.log.create_topic(&spec).await.unwrap();
    }

    fn control(&self, seed: u64) -> Arc<Control> {
        self.control_on(Arc::new(self.log.clone()), seed)
    }

    fn control_on(&self, log: Arc<dyn Log>, seed: u64) -> Arc<Control> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ids = Ids::new(Arc::clone(&clock), seed);
        Arc::new(Control::new(log, &self.topics, &site("west"), clock, ids))
    }
}

fn site(name: &str) -> SiteName {
    name.parse().unwrap()
}

fn bucket() -> Direction {
    (site("east"), "bucket".parse().unwrap())
}

fn of_link(message: &str) -> Entry {
    let (reason, message) = (Reason::Credentials, message.to_owned());
    Entry::Hold(Scope::Link(site("east")), Hold { reason, message, since_us: 1, schema: None })
}

fn hold(reason: Reason) -> Entry {
    Entry::Hold(Scope::Bucket(bucket()), Hold { reason, message: "seen".into(), since_us: 7, schema: None })
}

/// Scenario: one process holds a bucket and lets it go on; another follows, a third begins later.
#[tokio::test(start_paused = true)]
async fn every_process_sees_what_one_writes() {
    let world = World::new().await;
    let (writer, other) = (world.control(1), world.control(2));
    let following = Arc::clone(&other);
    tokio::spawn(async move { following.follow(|_| ()).await });
    other.loaded().await;

    let seen = other.changed();
    writer.put(hold(Reason::TargetVersioningOff)).await;
    assert_eq!(writer.stopped(&bucket()), Some(Reason::TargetVersioningOff), "own writes are seen at once");
    seen.await;
    assert_eq!(other.stopped(&bucket()), Some(Reason::TargetVersioningOff));

    let late = world.control(3);
    late.load().await.unwrap();
    assert_eq!(late.holds().len(), 1, "it survives a restart");

    let seen = other.changed();
    writer.remove(Key::Hold(Scope::Bucket(bucket()))).await;
    seen.await;
    assert_eq!(other.stopped(&bucket()), None);
    late.load().await.unwrap();
    assert_eq!(late.stopped(&bucket()), None);
}

/// Scenario: a process writes, and its follower reads older records of the same key afterwards.
#[tokio::test(start_paused = true)]
async fn an_older_record_learnt_later_changes_nothing() {
    let world = World::new().await;
    world.control(1).put(hold(Reason::AccessDenied)).await;
    let late = world.control(2);
    late.remove(Key::Hold(Scope::Bucket(bucket()))).await;
    late.load().await.unwrap();
    assert_eq!(late.stopped(&bucket()), None);
}

/// Scenario: the control topic is deleted and made anew; what a process puts there again does not arrive, or its answer does
/// not, and another process writes what is newer meanwhile.
/// Guarantees: what is newer stays, and what nobody wrote meanwhile is there again.
#[tokio::test(start_paused = true)]
async fn what_is_put_again_and_fails_never_stands_over_what_is_newer() {
    for fault in [Fault::Reject(LogErrorKind::Transient), Fault::FailAfterWrite(LogErrorKind::Transient)] {
        for newer in [true, false] {
            let world = World::new().await;
            let faulty = Arc::new(FaultyLog::new(Arc::new(world.log.clone())));
            let control = world.control_on(Arc::clone(&faulty) as Arc<dyn Log>, 1);
            control.put(of_link("old")).await;
            let following = Arc::clone(&control);
            tokio::spawn(async move { following.follow(|_| ()).await });
            control.loaded().await;
            let topic = world.topics.control(&site("west"));
            world.log.delete_topic(&topic);
            tokio::time::sleep(Duration::from_secs(60)).await;
            faulty.inject(Some(topic), fault.clone());
            world.make().await;
            while faulty.unused() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            if newer {
                world.control(2).put(of_link("new")).await;
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
            let fresh = world.control(3);
            fresh.load().await.unwrap();
            let expected = if newer { "new" } else { "old" };
            for view in [&control, &fresh] {
                assert_eq!(view.hold(&Scope::Link(site("east"))).unwrap().message, expected, "{fault:?}");
            }
        }
    }
}

/// Scenario: the control topic is deleted and made anew while a process follows it; another one has written there already.
/// Guarantees: what the process knew is on record again, but not over what is newer; what comes later is seen.
#[tokio::test(start_paused = true)]
async fn a_topic_made_anew_is_given_what_was_known() {
    let world = World::new().await;
    let control = world.control(1);
    let link = Scope::Link(site("east"));
    for _ in 0..3 {
        control.put(hold(Reason::AccessDenied)).await;
        control.put(of_link("old")).await;
    }
    let following = Arc::clone(&control);
    tokio::spawn(async move { following.follow(|_| ()).await });
    control.loaded().await;

    let topic = world.topics.control(&site("west"));
    world.log.delete_topic(&topic);
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.make().await;
    let other = world.control(2);
    other.put(of_link("new")).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(control.hold(&link).unwrap().message, "new");
    let fresh = world.control(3);
    fresh.load().await.unwrap();
    assert_eq!(fresh.holds().len(), 2, "{:?}", fresh.holds());
    assert_eq!(fresh.hold(&link).unwrap().message, "new");

    other.remove(Key::Hold(Scope::Bucket(bucket()))).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(control.hold(&Scope::Bucket(bucket())), None, "it hears of what comes later");
}

#[tokio::test(start_paused = true)]
async fn links_and_pauses_stop_their_buckets_too_and_what_cannot_be_read_does_not() {
    let world = World::new().await;
    let control = world.control(1);
    let link = |reason| {
        Entry::Hold(Scope::Link(site("east")), Hold { reason, message: String::new(), since_us: 1, schema: None })
    };
    control.put(link(Reason::UnknownSchema)).await;
    assert_eq!(control.stopped(&bucket()), None);
    control.put(link(Reason::Credentials)).await;
    assert_eq!(control.stopped(&bucket()), Some(Reason::Credentials));
    control.remove(Key::Hold(Scope::Link(site("east")))).await;
    control.put(Entry::Pause(bucket(), Pause { by: "ann".into(), since_us: 3 })).await;
    assert_eq!(control.stopped(&bucket()), Some(Reason::Paused));
    assert_eq!(control.holds().get(&Scope::Bucket(bucket())).map(|hold| hold.since_us), Some(3));
}

/// Scenario: the topic is deleted while a command reads it.
#[tokio::test(start_paused = true)]
async fn a_topic_deleted_while_it_is_read_holds_nothing() {
    let world = World::new().await;
    let log = Arc::new(FaultyLog::new(Arc::new(world.log.clone())));
    world.control(1).put(of_link("old")).await;
    log.hold_ends();
    let reading = world.control_on(log.clone(), 2);
    let loaded = async {
        let loaded = reading.load().await;
        assert_eq!((loaded.map_err(|error| error.to_string()), reading.holds().len()), (Ok(()), 0));
    };
    tokio::join!(loaded, async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.log.delete_topic(reading.topic());
        log.release_held();
    });
}

/// Scenario: no broker leads the topic's partition when a process begins to follow it.
/// Guarantees: that is told, and the topic does not count as read; it is read once a broker leads it.
#[tokio::test(start_paused = true)]
async fn a_topic_without_a_leader_is_not_taken_for_an_empty_one() {
    let world = World::new().await;
    let log = Arc::new(FaultyLog::new(Arc::new(world.log.clone())));
    world.control(1).put(of_link("old")).await;
    let control = world.control_on(log.clone(), 2);
    let at = TopicPartition { topic: control.topic().clone(), partition: 0 };
    log.set_led(&at, false);
    assert!(control.load().await.unwrap_err().is_transient());
    let (tell, mut told) = tokio::sync::watch::channel(None);
    let following = Arc::clone(&control);
    tokio::spawn(async move { following.follow(|error| drop(tell.send_replace(error.cloned()))).await });
    told.changed().await.unwrap();
    assert!(told.borrow().as_ref().is_some_and(LogError::is_transient));
    assert!(tokio::time::timeout(Duration::from_secs(60), control.loaded()).await.is_err());
    log.set_led(&at, true);
    control.loaded().await;
    assert_eq!(control.holds().len(), 1);
}

/// Scenario: the topic is made only after the process has begun to follow it.
#[tokio::test(start_paused = true)]
async fn a_topic_that_comes_late_is_followed() {
    let world = World { log: MemoryLog::new(), topics: Topics::new("late").unwrap() };
    let control = world.control(1);
    let following = Arc::clone(&control);
    tokio::spawn(async move { following.follow(|_| ()).await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(tokio::time::timeout(Duration::from_secs(5), control.loaded()).await.is_err());
    let spec = TopicSpec {
        name: control.topic().clone(),
        partitions: 1,
        replication_factor: 1,
        min_insync_replicas: 1,
        cleanup: Cleanup::Compact,
        retention_ms: -1,
        retention_bytes: -1,
        max_message_bytes: 1 << 20,
    };
    world.log.create_topic(&spec).await.unwrap();
    control.loaded().await;
}
