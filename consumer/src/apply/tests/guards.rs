//! A bucket whose ends are not set up alike is held, loudly, and goes on by itself.

use std::time::Duration;

use tokio::time::Instant;
use twinlog_control::{Entry, Key, Pause};
use twinlog_log::lane::{Handler, Slot};
use twinlog_schemas::{Basis, EventType, Told};
use twinlog_site::fault::Fault;
use twinlog_site::memory::{BucketSetup, Quirks};
use twinlog_site::{Reading, Site, SiteErrorKind, Versioning};

use super::lab::{Lab, Setup, both, tags};
use crate::hold::{Reason, Scope};
use crate::observe::Outcome;

#[tokio::test(start_paused = true)]
async fn suspended_versioning_holds_until_it_is_mended() {
    for quirks in both() {
        let lab = Lab::with(Setup { quirks, ..Setup::default() }).await;
        let version = lab.put_body("hello");
        let birth = lab.event(&version, Told::Born).await;
        lab.west.set_versioning(&lab.bucket, Versioning::Suspended).unwrap();
        let mending = async {
            tokio::time::sleep(Duration::from_secs(120)).await;
            assert_eq!(lab.held(), Some(Reason::TargetVersioningOff));
            assert_eq!(lab.at_target(&version).await, Reading::Absent, "nothing is written while held");
            lab.west.set_versioning(&lab.bucket, Versioning::Enabled).unwrap();
        };
        tokio::join!(lab.apply(&birth), mending);
        assert_eq!(lab.seen.last().0, Outcome::Applied);
        lab.assert_same(&version).await;
        assert_eq!(lab.holds.all().len(), 0);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let told: Vec<_> = lab.heard.events().into_iter().filter_map(|event| event.event_type()).collect();
        assert_eq!(told, [EventType::HoldBegun, EventType::HoldEnded]);
        assert_eq!(lab.seen.told().holds, [Some("target-versioning-off".to_owned()), None]);
        assert!(lab.letters().is_empty());
    }
}

/// Scenario: versioning is suspended after the guard has looked.
/// Guarantee: the next look holds the bucket; MinIO refuses by itself meanwhile.
#[tokio::test(start_paused = true)]
async fn the_guard_looks_again_and_again() {
    let lab = Lab::with(Setup { quirks: Quirks::minio(), ..Setup::default() }).await;
    let first = lab.put_body("hello");
    lab.born(&first).await;
    lab.west.set_versioning(&lab.bucket, Versioning::Suspended).unwrap();
    let second = lab.put_body("again");
    let birth = lab.event(&second, Told::Born).await;
    let mending = async {
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert!(lab.held().is_some());
        lab.west.set_versioning(&lab.bucket, Versioning::Enabled).unwrap();
    };
    tokio::join!(lab.apply(&birth), mending);
    lab.assert_same(&second).await;
    assert!(lab.letters().is_empty());
}

/// The target's bucket, which is gone, is made anew once it is missed, and let go by a person.
async fn made_anew(lab: &Lab) {
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(lab.held(), Some(Reason::NoSuchBucket));
    lab.west.create_bucket(&lab.bucket, BucketSetup::REPLICATED);
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(lab.held(), Some(Reason::TargetRecreated));
    lab.release().await;
}

/// Scenario: the target's bucket is deleted and made anew, empty.
/// Guarantee: what it had is missed: the bucket stays held, under another reason, until a person says so.
#[tokio::test(start_paused = true)]
async fn a_bucket_made_anew_waits_for_a_person() {
    let lab = Lab::new().await;
    lab.born(&lab.put_body("before")).await;
    let version = lab.put_body("hello");
    let birth = lab.event(&version, Told::Born).await;
    lab.west.delete_bucket(&lab.bucket);
    tokio::join!(lab.apply(&birth), made_anew(&lab));
    lab.assert_same(&version).await;
}

/// Scenario: a bucket that is held for its versioning is deleted.
/// Guarantee: the hold says so from then on: who looks at it mends what is wrong now.
#[tokio::test(start_paused = true)]
async fn a_hold_says_what_is_wrong_by_now() {
    let lab = Lab::new().await;
    lab.born(&lab.put_body("before")).await;
    let version = lab.put_body("hello");
    let birth = lab.event(&version, Told::Born).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    lab.west.set_versioning(&lab.bucket, Versioning::Suspended).unwrap();
    let mending = async {
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(lab.held(), Some(Reason::TargetVersioningOff));
        lab.west.delete_bucket(&lab.bucket);
        made_anew(&lab).await;
    };
    tokio::join!(lab.apply(&birth), mending);
    lab.assert_same(&version).await;
}

/// Scenario: the source's bucket is deleted and made anew while changes of the old one wait.
/// Guarantee: what is not there any more does not count as superseded.
#[tokio::test(start_paused = true)]
async fn a_source_made_anew_does_not_make_its_backlog_superseded() {
    let lab = Lab::with(Setup { inline: 0, ..Setup::default() }).await;
    lab.born(&lab.put_body("before")).await;
    let birth = lab.event(&lab.put_body("hello"), Told::Born).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    lab.east.delete_bucket(&lab.bucket);
    lab.east.create_bucket(&lab.bucket, BucketSetup::REPLICATED);
    let released = async {
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!(lab.held(), Some(Reason::SourceRecreated));
        assert_eq!(lab.seen.told().events.len(), 1, "only the first is done");
        lab.release().await;
    };
    tokio::join!(lab.apply(&birth), released);
    assert_eq!(lab.seen.last(), (Outcome::Superseded, "source-gone"), "a person said so");
}

/// Scenario: facts of the target's own site are applied before and after its bucket was made anew.
/// Guarantee: they are not held: nobody could let them go.
#[tokio::test(start_paused = true)]
async fn own_facts_of_a_bucket_made_anew_are_not_held() {
    let lab = Lab::new().await;
    let version = lab.put_body("before");
    lab.born(&version).await;
    lab.at_west.tag(&lab.bucket, &lab.key, None, &tags("first")).unwrap();
    lab.apply_fact(&lab.tags_fact("west", &version, "first", Basis::Known)).await;
    lab.west.delete_bucket(&lab.bucket);
    lab.west.create_bucket(&lab.bucket, BucketSetup::REPLICATED);
    tokio::time::sleep(Duration::from_secs(120)).await;
    lab.apply_fact(&lab.tags_fact("west", &version, "later", Basis::Known)).await;
    assert_ne!(lab.seen.last_fact(), Outcome::Held);
    assert!(lab.holds.all().is_empty(), "{:?}", lab.holds.all());
}

/// Scenario: the target refuses everything, whatever the bucket: credentials, clocks.
/// Guarantee: the link is held and goes on by itself.
#[tokio::test(start_paused = true)]
async fn what_is_refused_everywhere_holds_the_link() {
    for kind in [SiteErrorKind::Credentials, SiteErrorKind::ClockSkew] {
        let lab = Lab::new().await;
        let version = lab.put_body("hello");
        for _ in 0..3 {
            lab.target.push("put_object", Fault::Reject(kind));
        }
        lab.born(&version).await;
        lab.assert_same(&version).await;
        let begun = lab.heard.events().iter().filter(|event| event.event_type() == Some(EventType::HoldBegun)).count();
        assert_eq!(begun, 3, "{kind:?}");
        assert!(lab.letters().is_empty() && lab.holds.all().is_empty());
    }
}

/// Scenario: access to the bucket is taken away and given again.
/// Guarantee: held, with what is missing by name; it goes on by itself.
#[tokio::test(start_paused = true)]
async fn revoked_access_holds_the_bucket() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    lab.target.push("put_object", Fault::Reject(SiteErrorKind::AccessDenied));
    for _ in 0..3 {
        lab.target.push("missing_permissions", Fault::Reject(SiteErrorKind::AccessDenied));
    }
    lab.born(&version).await;
    lab.assert_same(&version).await;
    assert_eq!(lab.heard.events()[0].data["reason"], "access-denied");
    assert_eq!(lab.heard.events().len(), 2, "one hold, begun and ended");
    assert!(lab.letters().is_empty());
}

/// Scenario: one key is refused, though every permission is there.
/// Guarantee: a dead letter, and no hold.
#[tokio::test(start_paused = true)]
async fn one_key_that_is_refused_is_a_dead_letter() {
    let lab = Lab::new().await;
    for _ in 0..4 {
        lab.target.push("put_object", Fault::Reject(SiteErrorKind::AccessDenied));
    }
    lab.born(&lab.put_body("hello")).await;
    assert_eq!(lab.seen.last(), (Outcome::Dead, "access-denied"));
    assert!(lab.heard.events().is_empty());
}

/// Scenario: a bucket is held while a fact and a change event of it come.
/// Guarantee: the fact is merged and committed at once, the event gives its partition back, and both are done when the
/// bucket goes on.
#[tokio::test(start_paused = true)]
async fn a_held_bucket_stalls_nobody_and_misses_nothing() {
    let lab = Lab::with(Setup { park_after: Some(Duration::from_secs(5)), ..Setup::default() }).await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    let pause = Pause { by: "ann".to_owned(), since_us: 1 };
    lab.holds.control().put(Entry::Pause(lab.direction(), pause)).await;

    let before = Instant::now();
    lab.apply_fact(&lab.tags_fact("east", &version, "later", Basis::Known)).await;
    assert!(before.elapsed() < Duration::from_secs(1), "facts do not wait");
    assert_eq!(lab.seen.last_fact(), Outcome::Held);
    let second = lab.put_body("second");
    let birth = lab.event(&second, Told::Born).await;
    let record = lab.change_record(lab.codec.encode_change(&birth).unwrap().into());
    let mut slot = Slot::free();
    lab.apply.handle(&mut slot, std::slice::from_ref(&record)).await;
    assert!(slot.given_back() && lab.at_target(&second).await == Reading::Absent);
    assert!(lab.object(&version).await.tags.is_empty());

    lab.holds.control().remove(Key::Pause(lab.direction())).await;
    lab.handle(&record).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    lab.assert_same(&second).await;
    assert_eq!(lab.object(&version).await.tags, tags("later"));
    assert!(lab.holds.control().skipped().is_empty(), "nothing is left undone");
}

/// Scenario: a client removes everything; then days pass.
/// Guarantee: the bucket stops before the removal that makes it a storm; a person lets it through.
#[tokio::test(start_paused = true)]
async fn a_storm_of_removals_stops_the_bucket_until_a_person_says_so() {
    let lab = Lab::new().await;
    let mut versions = Vec::new();
    for n in 0..8 {
        let version = lab.put_body(format!("{n}"));
        lab.born(&version).await;
        versions.push(version);
    }
    tokio::time::sleep(Duration::from_secs(7_200)).await;
    let mut removals = Vec::new();
    for version in &versions {
        lab.at_east.delete_version(version, false).unwrap();
        removals.push(lab.event(version, Told::Removed).await);
    }
    for removal in &removals[..4] {
        lab.apply(removal).await;
    }
    // Released for another reason: that says nothing of removals, though they were made before.
    lab.hold(Reason::TargetRecreated).await;
    lab.release().await;
    let person = async {
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(lab.held(), Some(Reason::DeleteStorm));
        assert!(matches!(lab.at_target(&versions[4]).await, Reading::Object(_)), "the fifth is not removed");
        lab.release().await;
    };
    tokio::join!(lab.apply(&removals[4]), person);
    for removal in &removals[5..] {
        lab.apply(removal).await;
    }
    assert_eq!(lab.at_target(&versions[7]).await, Reading::Absent);
    assert!(lab.letters().is_empty() && lab.held().is_none());
}

/// Scenario: a newer release wrote a record; its schema comes with the control topic later.
/// Guarantee: the link is held under that reason, nothing is a dead letter, and it goes on once the schema is known.
#[tokio::test(start_paused = true)]
async fn a_record_of_a_newer_release_waits_for_its_schema() {
    let lab = Lab::new().await;
    let newer = [&[0xc3, 0x01][..], &[7; 8], b"anything"].concat();
    let record = lab.change_record(newer.into());
    assert!(lab.waits(&record, Duration::from_secs(600)).await);
    let scope = Scope::Link(lab.east.name().clone());
    let hold = lab.holds.all().remove(&scope).unwrap();
    assert_eq!((hold.reason, hold.schema.as_deref()), (Reason::UnknownSchema, Some("0707070707070707")));
    assert!(lab.letters().is_empty() && lab.held().is_none(), "others go on");
}
