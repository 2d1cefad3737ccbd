//! Capture as a whole: clients act at an in-memory store, its notices go through the notices topic of an in-memory
//! log, and what stands in the facts and change topics afterwards is compared with what the clients did.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use twinlog_index::{Index, Merge};
use twinlog_log::clock::Clock;
use twinlog_log::fault::Fault;
use twinlog_log::memory::spec;
use twinlog_log::{Log, LogErrorKind, TopicPartition};
use twinlog_schemas::{
    ContentHeaders, ExamineCause, Fact, FactBody, NullRegister, NullState, ObjectKey, Receipt, Retention,
    RetentionMode, Told, VersionId, VersionKind, Wrote,
};
use twinlog_site::memory::{ClientPut, Quirks};
use twinlog_site::{Reading, Site};

use super::world::{PARTITIONS, World, both, tags, told};
use super::*;
use crate::CaptureConfig;
use crate::notice::Door;

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_life_is_told_whole_and_to_the_nanosecond() {
    for quirks in both() {
        let world = World::new(quirks).await;
        let put = ClientPut { body: Bytes::from_static(b"hello"), tags: tags("a"), ..ClientPut::default() };
        let first = world.put_as(&put);
        world.settle().await;
        world.client.tag(&world.bucket, &world.key, Some(&first), &tags("b")).unwrap();
        world.settle().await;
        world.put(b"again");
        world.client.delete(&world.bucket, &world.key).unwrap();
        let times = world.true_times();
        world.settle().await;
        world.client.delete_version(&world.version(&first), false).unwrap();
        world.settle().await;
        let events = world.events();
        assert_eq!(
            told(&events),
            [
                (Told::Born, VersionKind::Object),
                (Told::Tags, VersionKind::Object),
                (Told::Born, VersionKind::Object),
                (Told::Born, VersionKind::DeleteMarker),
                (Told::Removed, VersionKind::Removed),
            ]
        );
        for event in events.iter().filter(|event| event.told == Told::Born) {
            assert_eq!(event.modified_at_ns, times[&event.version_id]);
        }
        assert_eq!(events[0].object.as_ref().unwrap().body.as_deref(), Some(&b"hello"[..]));
        let state = world.index.version(&world.version(&first)).unwrap();
        assert_eq!(state.tags().map(|stamp| (stamp.value, stamp.basis)), Some((tags("b"), Basis::Known)));
        assert!(state.removed().is_some(), "what was written is in the index at once");
        for fact in world.facts() {
            assert!(events.iter().any(|event| event.event_id == fact.event_id), "{fact:?}");
        }
    }
}

/// Scenario: objects with one attribute each, of those that RustFS's GET leaves out, and one with none. Guarantees: the
/// birth's event has each of them.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_birth_has_what_a_get_leaves_out() {
    for quirks in both() {
        let world = World::new(quirks).await;
        let until_ms = world.clock.now_ms() + 3_600_000;
        let retention = Retention { mode: RetentionMode::Governance, until_ms };
        let headers = |set: fn(&mut ContentHeaders, Option<String>)| {
            let mut headers = ContentHeaders::default();
            set(&mut headers, Some("value".to_owned()));
            ClientPut { headers, ..ClientPut::default() }
        };
        let puts = [
            ClientPut::default(),
            headers(|headers, value| headers.expires = value),
            headers(|headers, value| headers.content_language = value),
            headers(|headers, value| headers.website_redirect = value),
            ClientPut { tags: tags("a"), ..ClientPut::default() },
            ClientPut { retention: Some(retention), ..ClientPut::default() },
            ClientPut { legal_hold: true, ..ClientPut::default() },
        ];
        for put in &puts {
            let id = world.put_as(put);
            world.settle().await;
            let event = world.events().pop().unwrap();
            let object = event.object.unwrap();
            assert_eq!(event.version_id, id);
            let Reading::Object(read) = world.store.look(&world.version(&id)).await.unwrap() else {
                panic!("{id} is no object");
            };
            assert_eq!((&object.headers, object.size), (&read.headers, 0), "{put:?}");
            assert_eq!(object.tags.map(|stamp| stamp.value).unwrap_or_default(), put.tags);
            assert_eq!(object.retention.and_then(|stamp| stamp.value), put.retention);
            assert_eq!(object.legal_hold.is_some_and(|stamp| stamp.value), put.legal_hold);
        }
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn the_copies_of_other_doors_cost_nothing() {
    let world = World::new(Quirks::minio()).await;
    world.put(b"a");
    world.client.tag(&world.bucket, &world.key, None, &tags("b")).unwrap();
    let doors = world.store.take_notices();
    assert_eq!(doors.len(), 4, "each notice by two doors");
    for notice in &doors {
        world.tell(&notice.json, Door::Fast).await;
        world.capture_all().await;
    }
    assert_eq!(told(&world.events()).len(), 2);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_multi_deletes_marker_is_found_by_its_time() {
    for quirks in both() {
        let world = World::new(quirks).await;
        world.put(b"a");
        world.settle().await;
        world.client.delete_many(&world.bucket, &[(world.key.clone(), None)]).pop().unwrap().unwrap();
        let times = world.true_times();
        world.settle().await;
        let events = world.events();
        assert_eq!(told(&events[1..]), [(Told::Born, VersionKind::DeleteMarker)]);
        let marker = &events[1];
        assert_eq!(marker.modified_at_ns / 1_000_000, times[&marker.version_id] / 1_000_000);
        assert!(marker.modified_at_ns > events[0].modified_at_ns);
    }
}

/// Scenario: the log refuses what is told of a multi-delete's marker, and the call is dropped before it tries again, as when
/// its lane is lost; then the lane comes back to the same process.
/// Guarantee: the marker is told.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_marker_whose_telling_was_given_up_is_told() {
    for quirks in both() {
        let world = World::new(quirks).await;
        world.put(b"a");
        world.settle().await;
        world.client.delete_many(&world.bucket, &[(world.key.clone(), None)]).pop().unwrap().unwrap();
        world.take_in().await;
        world.log.inject(None, Fault::Reject(LogErrorKind::Transient));
        assert!(timeout(Duration::from_millis(1), world.capture_all()).await.is_err());
        assert_eq!(world.log.unused(), 0);
        world.capture_all().await;
        assert_eq!(told(&world.events()[1..]), [(Told::Born, VersionKind::DeleteMarker)]);
    }
}

/// Scenario: two multi-deletes of one key within seconds, on stores whose notices of them name no version, and a marker
/// that replication put there in between.
/// Guarantee: each marker that was made here is told once, the other one not at all.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_multi_delete_tells_no_other_ones_markers() {
    for quirks in both() {
        let world = World::new(quirks).await;
        let delete = || world.client.delete_many(&world.bucket, &[(world.key.clone(), None)]).pop().unwrap().unwrap();
        world.put(b"a");
        let first = delete().version_id.unwrap();
        world.settle().await;
        world.put(b"b");
        let replica = world.version(&"replica".parse().unwrap());
        world.store.put_marker(&replica, world.clock.now_ns()).await.unwrap();
        let ends = [site("west"), site("east")];
        let put = Receipt::of(Wrote::DeleteMarker, replica, here(id()).event_id, ends, world.clock.now_ns());
        world.index.merge(&[Merge::Receipt(put)], None).unwrap();
        let second = delete().version_id;
        world.settle().await;
        let markers = world.events().into_iter().filter(|event| event.kind == VersionKind::DeleteMarker);
        let told: Vec<_> = markers.map(|event| event.version_id).collect();
        // MinIO makes no second marker where one is the latest already.
        let made = second.filter(|second| *second != first && second.as_str() != "replica");
        assert_eq!(told, [first].into_iter().chain(made).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn markers_removed_by_id_are_removed_whatever_the_notice_is_called() {
    for quirks in both() {
        let world = World::new(quirks).await;
        world.put(b"a");
        let marker = world.client.delete(&world.bucket, &world.key).unwrap().version_id.unwrap();
        world.settle().await;
        world.client.delete_version(&world.version(&marker), false).unwrap();
        world.settle().await;
        assert_eq!(
            world.events().last().map(|event| (event.told, event.version_id.clone())),
            Some((Told::Removed, marker.clone()))
        );
        assert!(world.index.version(&world.version(&marker)).unwrap().removed().is_some());
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn locks_are_told_on_both_stores() {
    for quirks in both() {
        let world = World::new(quirks).await;
        let (one, other) = (world.put(b"a"), world.put(b"b"));
        world.settle().await;
        let until_ms = world.clock.now_ms() + 3_600_000;
        let retention = Retention { mode: RetentionMode::Governance, until_ms };
        world.client.retain(&world.bucket, &world.key, Some(&one), Some(retention), false).unwrap();
        world.settle().await;
        world.client.legal_hold(&world.bucket, &world.key, Some(&other), true).unwrap();
        world.settle().await;
        world.client.legal_hold(&world.bucket, &world.key, Some(&other), false).unwrap();
        world.settle().await;
        let events = world.events();
        let locks: Vec<_> = events[2..].iter().map(|event| (event.told, event.version_id.clone())).collect();
        assert_eq!(
            locks,
            [(Told::Retention, one.clone()), (Told::LegalHold, other.clone()), (Told::LegalHold, other.clone())]
        );
        let state = world.index.version(&world.version(&other)).unwrap();
        assert_eq!(state.legal_hold().map(|stamp| (stamp.value, stamp.basis)), Some((false, Basis::Known)));
        let state = world.index.version(&world.version(&one)).unwrap();
        assert_eq!(state.retention().and_then(|stamp| stamp.value), Some(retention));
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_doubt_has_its_answer_and_creates_nothing() {
    let world = World::new(Quirks::rustfs()).await;
    let there = world.put_as(&ClientPut { tags: tags("x"), ..ClientPut::default() });
    let _ = world.store.take_notices();
    let doubt = world.ask(ExamineCause::Doubt, Some(there.clone()), false).await;
    let state = world.index.version(&world.version(&there)).unwrap();
    let answer = &state.answer(&site("east")).unwrap().answer;
    assert_eq!((answer.doubt_id, answer.reading.present, &answer.reading.tags), (doubt, true, &tags("x")));
    assert_eq!(state.tags().map(|stamp| stamp.basis), Some(Basis::Unknown));
    world.ask(ExamineCause::Doubt, Some("gone".parse().unwrap()), false).await;
    let state = world.index.version(&world.version(&"gone".parse().unwrap())).unwrap();
    assert!(!state.answer(&site("east")).unwrap().answer.reading.present);
    assert!(world.events().is_empty());
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_sweep_of_a_whole_key_examines_every_version_oldest_first() {
    let world = World::new(Quirks::rustfs()).await;
    let (one, two) = (world.put(b"a"), world.put(b"b"));
    world.client.delete(&world.bucket, &world.key).unwrap();
    let _ = world.store.take_notices();
    world.ask(ExamineCause::Sweep, None, true).await;
    let events = world.events();
    assert!(events.iter().all(|event| event.told == Told::Examined && event.creates()));
    assert_eq!(events.iter().map(|event| event.version_id.clone()).take(2).collect::<Vec<_>>(), [one, two]);
    assert_eq!(events[2].kind, VersionKind::DeleteMarker);
    assert!(events.is_sorted_by_key(|event| event.modified_at_ns), "times keep the listing's order");
    assert_eq!(events[1].object.as_ref().unwrap().body.as_deref(), Some(&b"b"[..]));
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn null_versions_are_registered() {
    for quirks in both() {
        let mut world = World::new(quirks).await;
        world.key = "folder/".parse().unwrap();
        let id = world.put(b"");
        assert!(id.is_null());
        world.settle().await;
        world.client.delete(&world.bucket, &world.key).unwrap();
        world.settle().await;
        assert_eq!(told(&world.events()), [(Told::Born, VersionKind::Object), (Told::Removed, VersionKind::Removed)]);
        let register = world.index.version(&world.version(&id)).unwrap().null().unwrap();
        assert_eq!(register.state, NullState::Removed);
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_version_gone_before_it_was_read_is_superseded_by_its_removal() {
    let world = World::new(Quirks::rustfs()).await;
    let id = world.put(b"a");
    let birth = world.store.take_notices();
    world.client.delete_version(&world.version(&id), false).unwrap();
    let removal = world.store.take_notices();
    for notice in birth.into_iter().chain(removal) {
        world.tell(&notice.json, Door::Sure).await;
        world.capture_all().await;
    }
    assert_eq!(told(&world.events()), [(Told::Removed, VersionKind::Removed)]);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn twinlogs_own_principal_is_filtered_and_nobody_elses() {
    let config = CaptureConfig { own_principals: ["client".to_owned()].into(), ..CaptureConfig::default() };
    let world = World::with(Quirks::rustfs(), config, true).await;
    world.put(b"a");
    world.settle().await;
    assert!(world.events().is_empty());
    world.store.client("else").put(&world.bucket, &world.key, &ClientPut::default()).unwrap();
    world.settle().await;
    assert_eq!(world.events().len(), 1);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn transient_faults_of_the_log_lose_nothing_and_keep_facts_first() {
    let world = World::new(Quirks::rustfs()).await;
    world.put_as(&ClientPut { tags: tags("a"), ..ClientPut::default() });
    let facts = world.topics.facts(&site("east"));
    let changes = world.topics.changes(&site("east"), &world.bucket);
    for topic in [facts, changes] {
        world.log.inject(Some(topic.clone()), Fault::Reject(LogErrorKind::Transient));
        world.log.inject(Some(topic), Fault::FailAfterWrite(LogErrorKind::Transient));
    }
    world.settle().await;
    assert_eq!(world.log.unused(), 0);
    assert_eq!((world.facts().len(), world.events().len()), (2, 2), "written again where it was not known");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_bucket_that_cannot_be_captured_is_marked_dirty_once_and_blocks_nothing() {
    let world = World::with(Quirks::rustfs(), CaptureConfig::default(), false).await;
    world.put(b"a");
    world.put(b"b");
    world.settle().await;
    assert_eq!(world.control(), ["dirty/bucket"]);
    let topic = world.topics.changes(&site("east"), &world.bucket);
    world.memory.create_topic(&spec(topic, PARTITIONS)).await.unwrap();
    world.put(b"c");
    world.settle().await;
    assert_eq!(world.events().len(), 1, "it goes on by itself once it is mended");
    world.store.delete_bucket(&world.bucket);
    world.ask(ExamineCause::Sweep, None, true).await;
    assert_eq!(world.control(), ["dirty/bucket"], "on record since it began");
}

/// Scenario: a version is not there and nothing tells why; a sweep asks, then a person says that it was removed here.
/// Guarantee: absence alone tells nothing; the person's word makes it a removal, of what is absent only.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn what_vanished_is_removed_by_a_persons_word_alone() {
    let world = World::new(Quirks::rustfs()).await;
    let gone: VersionId = "11111111-2222-4333-8444-555555555555".parse().unwrap();
    world.ask(ExamineCause::Sweep, Some(gone.clone()), true).await;
    assert_eq!((world.facts().len(), world.events().len()), (0, 0));
    world.ask(ExamineCause::Removed, Some(gone.clone()), false).await;
    let (facts, events) = (world.facts(), world.events());
    assert!(matches!(&facts[0].body, FactBody::Removed(removal) if removal.cause == "sweep"), "{facts:?}");
    assert_eq!((events.len(), events[0].told, events[0].kind), (1, Told::Removed, VersionKind::Removed));
    world.put(b"here");
    world.settle().await;
    let (before, here) = (world.facts().len(), world.events().pop().unwrap().version_id);
    world.ask(ExamineCause::Removed, Some(here), false).await;
    assert_eq!(world.facts().len(), before, "what is there was not removed");
    let last = world.events().pop().unwrap();
    assert_eq!((last.told, last.may_create), (Told::Examined, false));
}

/// Scenario: a dirty bucket is swept while capture fails once more; then again, in peace.
/// Guarantee: what failed since the sweep began is on record when the mark is taken back.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_mark_taken_back_comes_again_where_capture_failed_meanwhile() {
    let world = World::with(Quirks::rustfs(), CaptureConfig::default(), false).await;
    world.put(b"a");
    world.settle().await;
    let begun_us = world.clock.now_us();
    world.put(b"b");
    world.settle().await;
    world.capture.taken_back(&world.bucket, begun_us).await;
    assert_eq!(world.control(), ["dirty/bucket"; 2], "on record anew");
    world.capture.taken_back(&world.bucket, world.clock.now_us() + 1).await;
    assert_eq!(world.control().len(), 2);
    world.put(b"c");
    world.settle().await;
    assert_eq!(world.control(), ["dirty/bucket"; 3], "the next failure goes on record");
}

/// Scenario: a null object is locked and freed, which RustFS tells by audit records that name no version.
/// Guarantees: each change is a stamp of that register, and an event with it; a record that comes again tells nothing.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn locks_of_a_null_version_are_told_with_its_register() {
    let world = World::new(Quirks::rustfs()).await;
    let key = "folder/".parse().unwrap();
    let put = ClientPut { body: Bytes::from_static(b"a"), ..ClientPut::default() };
    assert!(world.client.put(&world.bucket, &key, &put).unwrap().version_id.is_null());
    world.settle().await;
    for (on, stamps) in [(true, vec![true]), (true, vec![true]), (false, vec![true, false])] {
        tokio::time::sleep(Duration::from_secs(2)).await;
        world.client.legal_hold(&world.bucket, &key, None, on).unwrap();
        world.settle().await;
        let said: Vec<_> = world.facts().into_iter().filter(|fact| fact.category().is_some()).collect();
        assert!(said.iter().all(|fact| fact.of.as_ref().is_some_and(|register| register.state == NullState::Object)));
        let holds = said.iter().filter_map(|fact| match &fact.body {
            FactBody::LegalHold(stamp) => Some(stamp.value),
            _ => None,
        });
        assert_eq!(holds.collect::<Vec<_>>(), stamps);
        let events = world.events();
        let held: Vec<_> = events.iter().filter(|event| event.told == Told::LegalHold).collect();
        assert!(held.len() == stamps.len() && held.iter().all(|event| event.null_register.is_some()), "{held:?}");
    }
}

/// Scenario: another site's null object is greater than the one here, which a lock kept; the lock is lifted.
/// Guarantee: the site's own consumer is told to look, though of what is here nothing can be told any more.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn the_lifting_of_an_overtaken_null_versions_lock_is_a_look() {
    let world = World::new(Quirks::rustfs()).await;
    let key: ObjectKey = "folder/".parse().unwrap();
    let put = ClientPut { body: Bytes::from_static(b"a"), ..ClientPut::default() };
    world.client.put(&world.bucket, &key, &put).unwrap();
    world.settle().await;
    let (at_ns, etag) = (world.clock.now_ns() + 1, Some("later".to_owned()));
    let register = NullRegister { state: NullState::Object, at_ns, site: site("west"), etag, over: None };
    let own = world.facts().remove(0);
    let fact = Fact { site: site("west"), body: FactBody::Null(register), ..own };
    world.index.merge(&[Merge::Fact(fact)], None).unwrap();
    let before = world.facts().len();
    world.client.legal_hold(&world.bucket, &key, None, false).unwrap();
    world.settle().await;
    let said: Vec<_> = world.facts().into_iter().skip(before).map(|fact| fact.body).collect();
    assert_eq!(said, [FactBody::Look]);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn records_that_are_no_notices_do_not_stop_the_lane() {
    let world = World::new(Quirks::rustfs()).await;
    let at = TopicPartition { topic: world.topics.notices(&site("east")), partition: 0 };
    let record = twinlog_log::Record {
        topic: at.topic.clone(),
        partition: 0,
        key: None,
        value: Some(Bytes::from_static(b"no notice")),
        headers: Default::default(),
        timestamp_ms: 0,
    };
    world.memory.append(record).await.unwrap();
    world.put(b"a");
    world.settle().await;
    assert_eq!(world.events().len(), 1);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn the_fast_door_is_heard_and_heard_again_after_it_closed() {
    let world = World::new(Quirks::rustfs()).await;
    let (buckets, watching) = watch::channel(BTreeSet::from([world.bucket.clone()]));
    let (lanes, owned) = watch::channel(BTreeSet::new());
    let stop = CancellationToken::new();
    let listening = tokio::spawn(world.producer.listen(watching, owned).run(stop.clone()));
    let heard = || world.all(&world.topics.notices(&site("east"))).len();
    tokio::task::yield_now().await;
    world.put(b"nobody owns the lane yet");
    lanes.send_replace(BTreeSet::from([0]));
    let until = |wanted: usize| async move {
        for _ in 0..1_000 {
            if heard() == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("heard {} of {wanted}", heard());
    };
    // Connecting shows only by what is heard: write until something is.
    while heard() == 0 {
        world.put(b"a");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let before = heard();
    world.put(b"b");
    until(before + 1).await;
    world.store.disconnect_listeners();
    tokio::time::sleep(Duration::from_secs(10)).await;
    world.put(b"c");
    until(before + 2).await;
    buckets.send_replace(BTreeSet::new());
    stop.cancel();
    listening.await.unwrap();
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn schemas_are_published_by_fingerprint() {
    let world = World::new(Quirks::rustfs()).await;
    world.producer.publish_schemas().await.unwrap();
    let keys = world.control();
    assert!(keys.len() >= 3 && keys.iter().all(|key| key.starts_with("schema/")), "{keys:?}");
}

/// Scenario: on MinIO a key stands below another key, so no listing shows it; its tags change. Guarantees: the change is
/// told, and the bucket is not given up for it.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_version_that_no_listing_shows_is_told() {
    for key in ["above/below", "above/below/"] {
        let mut world = World::new(Quirks::minio()).await;
        let above = "above".parse().unwrap();
        world.client.put(&world.bucket, &above, &ClientPut::default()).unwrap();
        world.key = key.parse().unwrap();
        let id = world.put(b"hidden");
        world.settle().await;
        world.client.tag(&world.bucket, &world.key, Some(&id), &tags("b")).unwrap();
        world.settle().await;
        let events = world.events();
        let told: Vec<_> = events.iter().filter(|event| event.key == world.key).collect();
        assert_eq!(told.iter().map(|event| event.told).collect::<Vec<_>>(), [Told::Born, Told::Tags], "{key}");
        let last = told.last().unwrap().object.as_ref().unwrap();
        assert_eq!(last.tags.as_ref().map(|stamp| &stamp.value), Some(&tags("b")));
        assert_eq!(world.control().iter().filter(|key| key.contains("dirty")).count(), 0);
    }
}

/// Scenario: likewise a marker, of which MinIO's read tells no time. Guarantees: it is told, to the nanosecond.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_marker_that_no_listing_shows_is_told() {
    let mut world = World::new(Quirks::minio()).await;
    let above = "above".parse().unwrap();
    world.client.put(&world.bucket, &above, &ClientPut::default()).unwrap();
    world.key = "above/below".parse().unwrap();
    world.put(b"hidden");
    world.client.delete(&world.bucket, &world.key).unwrap();
    let times = world.true_times();
    world.settle().await;
    let events = world.events();
    let marker = events.iter().find(|event| event.kind == VersionKind::DeleteMarker).unwrap();
    assert_eq!((marker.told, marker.modified_at_ns), (Told::Born, times[&marker.version_id]));
    assert_eq!(world.control().iter().filter(|key| key.contains("dirty")).count(), 0);
}
