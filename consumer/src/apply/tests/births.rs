//! Births create, once; nothing else does.

use std::time::Duration;

use bytes::Bytes;
use twinlog_schemas::{Basis, ContentHeaders, Retention, RetentionMode, Told, Wrote};
use twinlog_site::Reading;
use twinlog_site::fault::Fault;
use twinlog_site::memory::ClientPut;

use super::lab::{Lab, Setup, both, tags};
use crate::observe::Outcome;

fn full() -> ClientPut {
    ClientPut {
        body: Bytes::from_static(b"hello"),
        headers: ContentHeaders {
            content_type: Some("text/plain".into()),
            cache_control: Some("no-store".into()),
            expires: Some("never".into()),
            ..ContentHeaders::default()
        },
        user_metadata: [("colour".to_owned(), "grün".to_owned())].into(),
        tags: tags("birth"),
        retention: Some(Retention { mode: RetentionMode::Governance, until_ms: 2_000_000_000_000 }),
        legal_hold: true,
        ..ClientPut::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_birth_is_written_once_and_repeated_changes_nothing() {
    for quirks in both() {
        let lab = Lab::with(Setup { quirks, ..Setup::default() }).await;
        let version = lab.put(&full());
        let event = lab.event(&version, Told::Born).await;
        lab.apply(&event).await;
        assert_eq!(lab.seen.last(), (Outcome::Applied, "birth-creates"));
        lab.assert_same(&version).await;
        for _ in 0..3 {
            lab.apply(&event).await;
            assert_eq!(lab.seen.last(), (Outcome::Unchanged, "already-there"));
        }
        assert_eq!(lab.seen.told().writes, ["object"], "one write");
        assert_eq!(lab.seen.told().in_flight, (0, 1), "one after the other, and none is left");
        let receipts = lab.receipts();
        assert_eq!(receipts.len(), 1);
        let receipt = &receipts[0];
        assert_eq!((receipt.event_id, receipt.wrote), (event.event_id, Wrote::Object));
        assert_eq!((receipt.tags.clone(), receipt.legal_hold), (Some(tags("birth")), Some(true)));
        assert!(lab.west.take_notices().is_empty(), "a replica write is silent");
        assert!(lab.letters().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_marker_repeated_does_not_remove_itself() {
    for quirks in both() {
        let lab = Lab::with(Setup { quirks, ..Setup::default() }).await;
        lab.put_body("x");
        let marker = lab.at_east.delete(&lab.bucket, &lab.key).unwrap().version_id.unwrap();
        let marker = lab.version(&marker);
        let event = lab.event(&marker, Told::Born).await;
        for n in 0..4 {
            lab.apply(&event).await;
            assert!(matches!(lab.at_target(&marker).await, Reading::Marker { .. }), "after {n}");
        }
        lab.assert_same(&marker).await;
        assert_eq!(lab.seen.told().writes, ["delete-marker"]);
        assert_eq!(lab.receipts()[0].wrote, Wrote::DeleteMarker);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_birth_creates_nothing() {
    let lab = Lab::new().await;
    let version = lab.put(&full());
    for told in [Told::Tags, Told::Retention, Told::LegalHold, Told::Examined] {
        lab.apply(&lab.event(&version, told).await).await;
        assert_eq!(lab.seen.last(), (Outcome::Unborn, "only-births-create"), "{told:?}");
    }
    lab.apply_fact(&lab.tags_fact("east", &version, "later", Basis::Known)).await;
    assert_eq!(lab.seen.last_fact(), Outcome::Unborn);
    assert_eq!(lab.at_target(&version).await, Reading::Absent);
    assert!(lab.receipts().is_empty());
}

/// Guarantee: a sweep or a replay with leave to create does; a doubt's event never has it.
#[tokio::test(start_paused = true)]
async fn an_examination_with_leave_creates() {
    let lab = Lab::new().await;
    let version = lab.put(&full());
    let mut event = lab.event(&version, Told::Born).await;
    (event.told, event.may_create) = (Told::Examined, true);
    lab.apply(&event).await;
    assert_eq!(lab.seen.last(), (Outcome::Applied, "birth-creates"));
    lab.assert_same(&version).await;
}

/// Scenario: the version's tags were changed, and that fact is known, before its birth is applied.
/// Guarantee: the one write of the birth has what the index says, not what the event carries.
#[tokio::test(start_paused = true)]
async fn a_birth_is_written_as_the_index_says() {
    let lab = Lab::new().await;
    let version = lab.put(&full());
    let event = lab.event(&version, Told::Born).await;
    lab.say(&lab.tags_fact("east", &version, "later", Basis::Known)).await;
    lab.apply(&event).await;
    assert_eq!(lab.object(&version).await.tags, tags("later"));
    assert_eq!(lab.seen.told().writes, ["object"]);
}

/// Scenario: a change of tags arrives before the version's birth, because their notices came in that order, and the
/// lane has planned the event before anybody has read its fact.
/// Guarantee: the birth is written with the change.
#[tokio::test(start_paused = true)]
async fn a_change_planned_before_the_birth_is_not_forgotten() {
    let lab = Lab::new().await;
    let version = lab.put(&full());
    let birth = lab.event(&version, Told::Born).await;
    lab.at_east.tag(&lab.bucket, &lab.key, None, &tags("later")).unwrap();
    lab.apply(&lab.event(&version, Told::Tags).await).await;
    lab.apply(&birth).await;
    assert_eq!(lab.object(&version).await.tags, tags("later"));
}

/// Scenario: the retention of a birth runs out while the write is on its way, and RustFS refuses a date that is past.
/// Guarantees: the version is written without it; it is no dead letter.
#[tokio::test(start_paused = true)]
async fn retention_that_runs_out_on_the_way_is_left_out() {
    let lab = Lab::new().await;
    let until_ms = lab.east.now_ns() / 1_000_000 + 1_000;
    let retention = Some(Retention { mode: RetentionMode::Compliance, until_ms });
    let version = lab.put(&ClientPut { retention, ..ClientPut::default() });
    let event = lab.event(&version, Told::Born).await;
    lab.target.push("put_object", Fault::RespondSlowly(Duration::from_secs(2)));
    lab.apply(&event).await;
    assert!(lab.letters().is_empty());
    assert_eq!(lab.seen.last().0, Outcome::Applied);
}
