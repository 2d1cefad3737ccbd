//! What cannot be captured: notices that become dead letters, and buckets that are dirty instead.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use twinlog_log::fault::Fault;
use twinlog_log::{Log, LogErrorKind, Record};
use twinlog_schemas::{Told, VersionKind};
use twinlog_site::SiteErrorKind;
use twinlog_site::fault::Fault as SiteFault;
use twinlog_site::memory::{ClientPut, Quirks};

use super::world::{World, told};
use super::*;

/// Scenario: a store refuses one key of a bucket, for good, and a client writes to it and to another one.
/// Guarantees: the notice is a dead letter, once for all doors; the bucket is not dirty, and the other key is captured.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn one_key_that_is_refused_is_a_dead_letter_and_its_bucket_is_not_dirty() {
    for (kind, reason) in [(SiteErrorKind::AccessDenied, "access-denied"), (SiteErrorKind::CustomerKey, "customer-key")]
    {
        let world = World::new(Quirks::rustfs()).await;
        world.faults.fail("bucket/key", kind);
        world.put(b"a");
        let other = ClientPut { body: Bytes::from_static(b"b"), ..ClientPut::default() };
        world.client.put(&world.bucket, &"other".parse().unwrap(), &other).unwrap();
        world.settle().await;
        assert_eq!(world.letters(), [reason]);
        assert_eq!(world.events().len(), 1, "{kind:?}: the other key");
        assert!(world.control().is_empty(), "{kind:?}: {:?}", world.control());
    }
}

/// Scenario: a notice became a dead letter; what was in the way is mended, and an operator has it told once more.
/// Guarantees: it is captured, and is no copy of itself; told by another door meanwhile, it would be.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_replayed_notice_is_no_copy_of_itself() {
    let world = World::new(Quirks::rustfs()).await;
    world.faults.fail("bucket/key", SiteErrorKind::AccessDenied);
    world.put(b"a");
    world.settle().await;
    assert_eq!((world.letters().len(), world.events().len()), (1, 0));
    world.faults.mend();
    let topic = world.topics.notices(&site("east"));
    let told = world.all(&world.topics.dead(&site("east"))).remove(0);
    for (headers, events) in
        [(told.headers.clone(), 0), (told.headers.clone().with(twinlog_log::header::REPLAYED, "ann"), 1)]
    {
        let record = Record {
            topic: topic.clone(),
            partition: told.position.partition.partition,
            key: told.key.clone(),
            value: told.value.clone(),
            headers,
            timestamp_ms: 0,
        };
        world.memory.append(record).await.unwrap();
        world.capture_all().await;
        assert_eq!(world.events().len(), events);
    }
}

/// Scenario: capture has a bug that shows over one key, and a client writes to it and to another one.
/// Guarantees: the notice is a dead letter, and the other key is captured.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_bug_that_shows_over_one_key_is_a_dead_letter() {
    let world = World::new(Quirks::rustfs()).await;
    world.faults.strike("bucket/key", SiteFault::Panic);
    world.put(b"a");
    let other = ClientPut { body: Bytes::from_static(b"b"), ..ClientPut::default() };
    world.client.put(&world.bucket, &"other".parse().unwrap(), &other).unwrap();
    world.settle().await;
    assert_eq!((world.letters(), world.events().len()), (vec!["bug".to_owned()], 1));
    assert!(world.control().is_empty(), "{:?}", world.control());
}

/// Scenario: capture has a bug that shows over every key.
/// Guarantees: a few notices are dead letters, and then the bucket is dirty instead; mended, it captures what comes.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_bug_that_shows_over_all_keys_makes_the_bucket_dirty() {
    let world = World::new(Quirks::rustfs()).await;
    world.faults.strike("bucket/", SiteFault::Panic);
    for number in 0..30 {
        let put = ClientPut { body: Bytes::from_static(b"b"), ..ClientPut::default() };
        world.client.put(&world.bucket, &format!("key {number}").parse().unwrap(), &put).unwrap();
    }
    world.settle().await;
    let most = usize::try_from(crate::capture::work::BUGS_IN_A_ROW).unwrap();
    assert_eq!((world.letters().len(), world.events().len()), (most, 0));
    assert_eq!(world.control().len(), 1, "{:?}", world.control());
    world.faults.mend();
    world.put(b"a");
    world.settle().await;
    assert_eq!(world.events().len(), 1);
}

/// Scenario: the whole bucket is closed to Twinlog, then opened again.
/// Guarantees: it is marked dirty, once, and nothing is a dead letter.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_bucket_that_is_closed_is_dirty_and_has_no_dead_letters() {
    let world = World::new(Quirks::rustfs()).await;
    world.faults.fail("bucket", SiteErrorKind::AccessDenied);
    world.put(b"a");
    world.put(b"b");
    world.settle().await;
    assert_eq!((world.control(), world.letters().len()), (vec!["dirty/bucket".to_owned()], 0));
}

/// Scenario: a store fails for ever at one key, as it does at an object whose disk is broken; others are read, or none.
/// Guarantees: after an hour in which others were read its notice is a dead letter; while none is, it is tried again.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_key_that_fails_alone_is_given_up() {
    for others in [false, true] {
        let world = World::new(Quirks::rustfs()).await;
        world.faults.fail("bucket/key", SiteErrorKind::Server);
        world.put(b"a");
        let going_on = async {
            for _ in 0..2_500 {
                tokio::time::sleep(Duration::from_secs(2)).await;
                if others {
                    world.capture.successes.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        tokio::select! {
            () = world.settle() => assert!(others),
            () = going_on => assert!(!others),
        }
        assert_eq!(world.letters().len(), usize::from(others));
        assert!(world.control().is_empty());
    }
}

/// Scenario: a change event is larger than its topic takes, with its body; then even without.
/// Guarantees: the first is written without the body, which is read from the source later; the second's notices are a
/// dead letter, and others go on.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_event_that_is_too_large_goes_without_its_body_or_is_a_dead_letter() {
    let world = World::new(Quirks::rustfs()).await;
    let topic = world.topics.changes(&site("east"), &world.bucket);
    let refuse = || world.log.inject(Some(topic.clone()), Fault::Reject(LogErrorKind::TooLarge));
    refuse();
    world.put(b"inline");
    world.settle().await;
    let events = world.events();
    assert_eq!(told(&events), [(Told::Born, VersionKind::Object)]);
    assert!(events[0].object.as_ref().unwrap().body.is_none());
    assert!(world.control().is_empty());
    refuse();
    refuse();
    world.put(b"larger");
    world.settle().await;
    assert_eq!((world.events().len(), world.control(), world.letters()), (1, Vec::new(), vec!["too-large".to_owned()]));
    world.put(b"small");
    world.settle().await;
    let events = world.events();
    assert_eq!(events.len(), 2);
    assert_eq!(events[1].object.as_ref().unwrap().body.as_deref(), Some(&b"small"[..]));
}
