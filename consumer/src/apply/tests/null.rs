//! Null versions: one register for each key, over what the target holds.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use twinlog_schemas::{
    Answer, Basis, ChangeEvent, ExamineCause, Fact, FactBody, NullRegister, NullState, Retention, RetentionMode,
    StoreReading, Told, VersionRef,
};
use twinlog_site::memory::{ClientPut, MemoryClient, Quirks};
use twinlog_site::{Reading, Site, Versioning};

use super::lab::{Lab, Setup, both, tags};
use crate::observe::Outcome;

/// A key whose versions are null ones: it ends in a slash.
async fn lab(quirks: Quirks) -> Lab {
    let mut lab = Lab::with(Setup { quirks, ..Setup::default() }).await;
    lab.key = "folder/".parse().unwrap();
    lab
}

/// A null version at east.
fn put(lab: &Lab, body: &'static str, held: bool) -> VersionRef {
    lab.put(&ClientPut { body: Bytes::from_static(body.as_bytes()), legal_hold: held, ..ClientPut::default() })
}

/// What east's capture says of its null version, with the register that it gives it.
async fn event(lab: &Lab, version: &VersionRef, told: Told) -> ChangeEvent {
    let event = lab.event(version, told).await;
    let register = NullRegister {
        state: if event.object.is_some() { NullState::Object } else { NullState::Removed },
        at_ns: event.modified_at_ns,
        site: event.site.clone(),
        etag: event.object.as_ref().map(|object| object.etag.clone()),
        over: None,
    };
    ChangeEvent { null_register: Some(register), ..event }
}

/// An object without attributes, in answers.
const THERE: StoreReading = StoreReading { present: true, tags: BTreeMap::new(), retention: None, legal_hold: false };

/// West's client puts a null version there, a second later; returns the register that west's capture gives it.
async fn replaced_at_west(lab: &Lab, body: &'static str) -> NullRegister {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let put = ClientPut { body: Bytes::from_static(body.as_bytes()), ..ClientPut::default() };
    let written = lab.at_west.put(&lab.bucket, &lab.key, &put).unwrap();
    let (site, etag) = (lab.west.name().clone(), Some(written.etag));
    NullRegister { state: NullState::Object, at_ns: lab.west.now_ns(), site, etag, over: None }
}

/// An upload of two parts to the key, from before versioning.
fn upload(lab: &Lab, at: &MemoryClient) -> VersionRef {
    at.site().set_versioning(&lab.bucket, Versioning::Suspended).unwrap();
    let parts = [(1, Bytes::from_static(b"one")), (2, Bytes::from_static(b"two"))];
    let written = at.multipart(&lab.bucket, &lab.key, &ClientPut::default(), &parts).unwrap();
    at.site().set_versioning(&lab.bucket, Versioning::Enabled).unwrap();
    lab.version(&written.version_id)
}

/// Scenario: both sites were filled with the same upload before versioning; then east tells of its own, the later one.
/// Guarantees: west is brought to it, though MinIO refuses an ETag that it holds already.
#[tokio::test(start_paused = true)]
async fn the_same_parts_with_another_time_are_written() {
    for quirks in both() {
        let lab = Lab::with(Setup { quirks, ..Setup::default() }).await;
        upload(&lab, &lab.at_west);
        tokio::time::sleep(Duration::from_secs(5)).await;
        let version = upload(&lab, &lab.at_east);
        let event = event(&lab, &version, Told::Tags).await;
        tokio::join!(lab.apply(&event), lab.answers(1, &version));
        assert_eq!(lab.seen.last(), (Outcome::Applied, "null-register-wins"));
        lab.assert_same(&version).await;
    }
}

/// Scenario: tags of east's null object are on their way into west as west's client replaces it, without tags; west's
/// capture has read the new object by the time they land on it. Guarantee: west is asked what it holds, once it has told
/// of the object, so that the tags are told of; no site holds what another does not know of.
#[tokio::test(start_paused = true)]
async fn tags_that_land_on_the_next_null_object_are_asked_about() {
    for quirks in both() {
        let lab = lab(quirks).await;
        let version = put(&lab, "first", false);
        lab.apply(&event(&lab, &version, Told::Born).await).await;
        let register = replaced_at_west(&lab, "second").await;
        lab.at_west.tag(&lab.bucket, &lab.key, None, &tags("firsts")).unwrap();
        let fact = lab.fact("west", &version, FactBody::Null(register.clone()));
        let answering = async {
            let doubt_id = lab.doubted(1).await;
            let of = Some(register.clone());
            lab.say(&Fact { of, ..lab.tags_fact("west", &version, "firsts", Basis::Unknown) }).await;
            let reading = StoreReading { tags: tags("firsts"), ..THERE };
            lab.say(&lab.fact("west", &version, FactBody::Answer(Answer { doubt_id, reading }))).await;
        };
        tokio::join!(lab.apply_fact(&fact), answering);
        assert_eq!(lab.seen.last_fact(), Outcome::Unchanged);
        assert_eq!((lab.doubts().len(), lab.object(&version).await.tags), (1, tags("firsts")));
    }
}

/// Scenario: west holds a null object that nobody has told of as east's comes; west answers that it has an object, and by
/// then its client has put the next one in its place. Guarantee: the answer is not taken for one about that.
#[tokio::test(start_paused = true)]
async fn an_answer_is_about_the_object_that_was_doubted() {
    for quirks in both() {
        let lab = lab(quirks).await;
        replaced_at_west(&lab, "untold").await;
        let version = put(&lab, "east's", false);
        let event = event(&lab, &version, Told::Born).await;
        let answering = async {
            let doubt_id = lab.doubted(1).await;
            let register = replaced_at_west(&lab, "next").await;
            lab.say(&lab.fact("west", &version, FactBody::Answer(Answer { doubt_id, reading: THERE }))).await;
            let doubt_id = lab.doubted(2).await;
            lab.say(&lab.fact("west", &version, FactBody::Null(register))).await;
            lab.say(&lab.fact("west", &version, FactBody::Answer(Answer { doubt_id, reading: THERE }))).await;
        };
        tokio::join!(lab.apply(&event), answering);
        assert_eq!(lab.object(&version).await.body, Some(Bytes::from_static(b"next")));
        assert_eq!(lab.seen.told().writes, [""; 0]);
    }
}

/// Scenario: a null object of west is gone from there, since a removal of ours met it, and east is asked for it before
/// it has come to east. Guarantees: all are asked for it until one has it, ever more rarely, by a record that survives the
/// process; nothing else of the key waits meanwhile.
#[tokio::test(start_paused = true)]
async fn a_null_object_is_asked_for_until_a_site_has_it() {
    let lab = lab(Quirks::minio()).await;
    let version = put(&lab, "west's", false);
    let told = event(&lab, &version, Told::Examined).await;
    let register = NullRegister { site: lab.west.name().clone(), ..told.null_register.clone().unwrap() };
    let asked = || (lab.notices(lab.east.name()).len(), lab.notices(lab.west.name()).len());
    lab.apply_fact(&lab.fact("west", &version, FactBody::Null(register.clone()))).await;
    assert_eq!(asked(), (1, 0));
    let doubt_id = lab.notices(lab.east.name())[0].id;
    let nothing = FactBody::Answer(Answer { doubt_id, reading: StoreReading { present: false, ..THERE } });
    for times in 0..12 {
        let wait = Duration::from_secs((1 << times) + 2);
        lab.apply_fact(&lab.fact("east", &version, nothing.clone())).await;
        lab.apply_fact(&lab.fact("west", &version, nothing.clone())).await;
        lab.removals_due(wait - Duration::from_millis(500)).await;
        assert_eq!(asked(), (1 + times, times), "not yet");
        lab.removals_due(Duration::from_secs(1)).await;
        assert_eq!(asked(), (2 + times, 1 + times), "west too: it may have another by now");
        assert!(lab.notices(lab.east.name()).iter().all(|one| one.cause == ExamineCause::Doubt), "which is answered");
    }
    let told = ChangeEvent { null_register: Some(register), may_create: true, ..told };
    lab.apply(&told).await;
    assert_eq!(lab.seen.last(), (Outcome::Applied, "null-register-wins"));
    lab.assert_same(&version).await;
}

/// Scenario: west's client removes a null version, and before anybody has told of that, east's next one comes, under
/// COMPLIANCE for ten seconds; the removal is the later change. Guarantee: it is made once the lock has run out.
#[tokio::test(start_paused = true)]
async fn a_removal_of_this_site_is_made_when_the_lock_has_run_out() {
    for quirks in both() {
        let lab = lab(quirks).await;
        let until_ms = lab.west.now_ns() / 1_000_000 + 10_000;
        let retention = Some(Retention { mode: RetentionMode::Compliance, until_ms });
        let version = lab.put(&ClientPut { retention, ..ClientPut::default() });
        lab.apply(&event(&lab, &version, Told::Born).await).await;
        let removed = NullRegister {
            state: NullState::Removed,
            at_ns: lab.west.now_ns() + 1_000_000_000,
            site: lab.west.name().clone(),
            etag: None,
            over: None,
        };
        let fact = lab.fact("west", &version, FactBody::Null(removed));
        lab.apply_fact(&fact).await;
        assert_eq!(lab.seen.last_fact(), Outcome::Dead);
        lab.removals_due(Duration::from_secs(13)).await;
        assert_eq!(lab.notices(lab.west.name()).len(), 1, "this site is asked for it");
        lab.apply_fact(&fact).await;
        assert_eq!(lab.at_target(&version).await, Reading::Absent);
    }
}

/// Scenario: west's clients retain its null version for ten seconds, or hold it; then east's replace theirs.
/// Guarantees: the lock is not broken, also where the store itself would let it be. A retention's end is waited for.
#[tokio::test(start_paused = true)]
async fn a_clients_lock_keeps_a_null_version() {
    for quirks in both() {
        let lab = lab(quirks).await;
        let version = put(&lab, "first", false);
        lab.apply(&event(&lab, &version, Told::Born).await).await;
        let until_ms = lab.west.now_ns() / 1_000_000 + 10_000;
        let short = Some(Retention { mode: RetentionMode::Governance, until_ms });
        lab.at_west.retain(&lab.bucket, &lab.key, Some(&version.version_id), short, false).unwrap();
        put(&lab, "second", false);
        lab.apply(&event(&lab, &version, Told::Born).await).await;
        assert_eq!(lab.seen.last(), (Outcome::Dead, "locked-at-target"));
        assert_eq!(lab.object(&version).await.body, Some(Bytes::from_static(b"first")));
        lab.removals_due(Duration::from_secs(9)).await;
        assert!(lab.notices(lab.east.name()).is_empty(), "the lock still runs");
        lab.removals_due(Duration::from_secs(9)).await;
        assert_eq!(lab.notices(lab.east.name()).len(), 1, "asked for once it has ended");
        lab.apply(&event(&lab, &version, Told::Examined).await).await;
        assert_eq!(lab.seen.last(), (Outcome::Applied, "null-register-wins"));
        lab.assert_same(&version).await;

        lab.at_west.legal_hold(&lab.bucket, &lab.key, Some(&version.version_id), true).unwrap();
        lab.at_east.delete_version(&version, false).unwrap();
        lab.apply(&event(&lab, &version, Told::Removed).await).await;
        assert_eq!(lab.seen.last(), (Outcome::Dead, "locked-at-target"));
        lab.at_west.legal_hold(&lab.bucket, &lab.key, Some(&version.version_id), false).unwrap();
        lab.apply(&event(&lab, &version, Told::Removed).await).await;
        assert_eq!(lab.at_target(&version).await, Reading::Absent);
    }
}

/// Scenario: a null version is born under a legal hold, which comes with it to west; at east the hold is lifted and the
/// version replaced so quickly that nothing tells of the lifting. Guarantees: west is brought to the next one.
#[tokio::test(start_paused = true)]
async fn a_lock_that_replication_placed_is_lifted_for_the_next_null_version() {
    for quirks in both() {
        let lab = lab(quirks).await;
        let version = put(&lab, "first", true);
        lab.apply(&event(&lab, &version, Told::Born).await).await;
        assert!(lab.object(&version).await.legal_hold);
        lab.at_east.legal_hold(&lab.bucket, &lab.key, None, false).unwrap();
        put(&lab, "second", false);
        lab.apply(&event(&lab, &version, Told::Born).await).await;
        assert_eq!(lab.seen.last(), (Outcome::Applied, "null-register-wins"));
        lab.assert_same(&version).await;
    }
}
