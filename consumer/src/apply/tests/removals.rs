//! Removed is terminal, from any site; locks that a client set at the target refuse.

use std::time::Duration;

use bytes::Bytes;
use twinlog_schemas::{
    Basis, ChangeEvent, FactBody, LocksSeen, Removal, Retention, RetentionMode, Told, VersionRef, Wrote,
};
use twinlog_site::Reading;
use twinlog_site::memory::ClientPut;

use super::lab::{Lab, Setup, both, tags};
use crate::observe::Outcome;

fn held() -> ClientPut {
    ClientPut { body: Bytes::from_static(b"hello"), legal_hold: true, ..ClientPut::default() }
}

/// Removes a version at the source and applies that.
async fn remove(lab: &Lab, version: &VersionRef) {
    lab.at_east.legal_hold(&lab.bucket, &lab.key, Some(&version.version_id), false).unwrap();
    lab.at_east.delete_version(version, true).unwrap();
    lab.apply(&lab.event(version, Told::Removed).await).await;
}

#[tokio::test(start_paused = true)]
async fn removed_is_terminal() {
    for quirks in both() {
        let lab = Lab::with(Setup { quirks, ..Setup::default() }).await;
        let version = lab.put_body("hello");
        let birth = lab.event(&version, Told::Born).await;
        lab.apply(&birth).await;
        lab.at_east.tag(&lab.bucket, &lab.key, None, &tags("later")).unwrap();
        let tagged = lab.event(&version, Told::Tags).await;
        remove(&lab, &version).await;
        assert_eq!(lab.seen.last(), (Outcome::Applied, "removal-acts"));
        assert_eq!(lab.at_target(&version).await, Reading::Absent);
        for late in [&birth, &tagged, &lab.event(&version, Told::Removed).await] {
            lab.apply(late).await;
            assert_eq!(lab.seen.last(), (Outcome::Superseded, "removed-is-terminal"));
            assert_eq!(lab.at_target(&version).await, Reading::Absent);
        }
        assert_eq!(lab.receipts().iter().map(|r| r.wrote).collect::<Vec<_>>(), [Wrote::Object, Wrote::Removal]);
    }
}

/// Scenario: the removal is planned at a target that never had the version, before anybody has read its fact; then the
/// version's birth arrives (from another site's topic it may well come later).
/// Guarantee: it is not created.
#[tokio::test(start_paused = true)]
async fn a_removal_planned_before_the_birth_is_not_forgotten() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    let birth = lab.event(&version, Told::Born).await;
    lab.at_east.delete_version(&version, false).unwrap();
    lab.apply(&lab.event(&version, Told::Removed).await).await;
    assert_eq!(lab.seen.last(), (Outcome::Superseded, "removed-is-terminal"));
    lab.apply(&birth).await;
    assert_eq!(lab.at_target(&version).await, Reading::Absent);
    assert!(lab.receipts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_removed_marker_is_removed() {
    for quirks in both() {
        let lab = Lab::with(Setup { quirks, ..Setup::default() }).await;
        lab.put_body("hello");
        let marker = lab.version(&lab.at_east.delete(&lab.bucket, &lab.key).unwrap().version_id.unwrap());
        lab.born(&marker).await;
        lab.at_east.delete_version(&marker, false).unwrap();
        lab.apply(&lab.event(&marker, Told::Removed).await).await;
        assert_eq!(lab.at_target(&marker).await, Reading::Absent);
    }
}

/// Guarantee: the target's own removals are told by its own facts, and bring nothing else about.
#[tokio::test(start_paused = true)]
async fn the_targets_own_removal_stays() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    let birth = lab.event(&version, Told::Born).await;
    lab.apply(&birth).await;
    lab.at_west.delete_version(&version, false).unwrap();
    let removal = Removal { removed_at_ns: 7, cause: "test".into(), lifecycle: false, locks_seen: None };
    lab.apply_fact(&lab.fact("west", &version, FactBody::Removed(removal))).await;
    assert_eq!(lab.seen.last_fact(), Outcome::Superseded);
    lab.apply(&birth).await;
    assert_eq!(lab.at_target(&version).await, Reading::Absent);
}

#[tokio::test(start_paused = true)]
async fn locks_that_replication_placed_are_lifted() {
    let lab = Lab::new().await;
    let until_ms = lab.east.now_ns() / 1_000_000 + 3_600_000;
    let retention = Some(Retention { mode: RetentionMode::Governance, until_ms });
    let version = lab.put(&ClientPut { retention, ..held() });
    lab.born(&version).await;
    tokio::join!(remove(&lab, &version), lab.answers(1, &version));
    assert_eq!(lab.at_target(&version).await, Reading::Absent);
    assert_eq!(lab.seen.told().writes, ["object", "legal-hold", "removal"]);
}

/// Scenario: a client at the target sets a hold, and it reaches the source; a client there lifts it and removes the
/// version at once, so that no notice can tell of the lift.
/// Guarantee: the removal overcomes the hold here too, since it says that its site had it; not one that a client has set
/// here since, even if it looks the same.
#[tokio::test(start_paused = true)]
async fn a_lock_that_had_reached_the_removing_site_is_lifted() {
    for again in [false, true] {
        let lab = Lab::new().await;
        let version = lab.put_body("hello");
        lab.born(&version).await;
        lab.at_west.legal_hold(&lab.bucket, &lab.key, Some(&version.version_id), true).unwrap();
        let held = lab.stamp("west", true, Basis::Known);
        lab.apply_fact(&lab.fact("west", &version, FactBody::LegalHold(held.clone()))).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        if again {
            let since = FactBody::LegalHold(lab.stamp("west", true, Basis::Known));
            lab.apply_fact(&lab.fact("west", &version, since)).await;
        }
        lab.at_east.delete_version(&version, false).unwrap();
        let locks_seen = Some(LocksSeen { retention: None, legal_hold: Some(held.named()) });
        let removed = ChangeEvent { locks_seen, ..lab.event(&version, Told::Removed).await };
        tokio::join!(lab.apply(&removed), lab.answers(1, &version));
        let ended = if again { (Outcome::Dead, "lock-refuses-removal") } else { (Outcome::Applied, "removal-acts") };
        assert_eq!(lab.seen.last(), ended);
        assert_eq!(lab.at_target(&version).await == Reading::Absent, !again);
    }
}

/// Scenario: as before with a GOVERNANCE retention that the client at the source bypassed.
#[tokio::test(start_paused = true)]
async fn a_retention_bypassed_at_the_removing_site_is_bypassed_here() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    let until_ms = lab.east.now_ns() / 1_000_000 + 3_600_000;
    let retention = Some(Retention { mode: RetentionMode::Governance, until_ms });
    lab.at_west.retain(&lab.bucket, &lab.key, Some(&version.version_id), retention, false).unwrap();
    let latest = lab.stamp("west", retention, Basis::Known);
    let seen = Some(latest.named());
    lab.apply_fact(&lab.fact("west", &version, FactBody::Retention { latest, compliance: None })).await;
    lab.at_east.delete_version(&version, false).unwrap();
    let unknown = lab.event(&version, Told::Removed).await;
    tokio::join!(lab.apply(&unknown), lab.answers(1, &version));
    assert_eq!(lab.seen.last(), (Outcome::Dead, "lock-refuses-removal"), "nothing says that east had it");
    let locks_seen = Some(LocksSeen { retention: seen, legal_hold: None });
    let removed = ChangeEvent { locks_seen, ..lab.event(&version, Told::Removed).await };
    tokio::join!(lab.apply(&removed), lab.answers(2, &version));
    assert_eq!(lab.seen.last(), (Outcome::Applied, "removal-acts"));
    assert_eq!(lab.at_target(&version).await, Reading::Absent);
}

/// Scenario: a client at the target holds the version; its fact is known.
/// Guarantee: the removal becomes a dead letter and the version stays; it goes once the client lets it go.
#[tokio::test(start_paused = true)]
async fn a_clients_hold_at_the_target_refuses() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    lab.at_west.legal_hold(&lab.bucket, &lab.key, Some(&version.version_id), true).unwrap();
    let hold = |on| FactBody::LegalHold(lab.stamp("west", on, Basis::Known));
    lab.apply_fact(&lab.fact("west", &version, hold(true))).await;
    lab.at_east.delete_version(&version, false).unwrap();
    let removal = lab.event(&version, Told::Removed).await;
    tokio::join!(lab.apply(&removal), lab.answers(1, &version));
    assert_eq!(lab.seen.last(), (Outcome::Dead, "lock-refuses-removal"));
    assert!(lab.object(&version).await.legal_hold);
    assert_eq!(lab.letters().len(), 1);
    // Its fact is read by the lane too, but says nothing else.
    let said = Removal {
        removed_at_ns: removal.modified_at_ns,
        cause: removal.cause.clone(),
        lifecycle: false,
        locks_seen: None,
    };
    let mut fact = lab.fact("east", &version, FactBody::Removed(said));
    fact.event_id = removal.event_id;
    lab.apply_fact(&fact).await;
    assert_eq!(lab.seen.last_fact(), Outcome::Merged);
    lab.at_west.legal_hold(&lab.bucket, &lab.key, Some(&version.version_id), false).unwrap();
    lab.apply_fact(&lab.fact("west", &version, hold(false))).await;
    assert_eq!(lab.at_target(&version).await, Reading::Absent);
}

/// Scenario: the source's lifecycle removes a version, and its removals stay there; then a client at the target tags it,
/// the target's own lifecycle removes it, and its birth is told once more.
/// Guarantee: it stays until the target's own lifecycle removes it, and is not brought back after that.
#[tokio::test(start_paused = true)]
async fn a_lifecycles_removals_may_stay_at_their_site() {
    let lab = Lab::with(Setup { lifecycle_stays: true, ..Setup::default() }).await;
    let version = lab.put_body("hello");
    let birth = lab.event(&version, Told::Born).await;
    lab.apply(&birth).await;
    lab.at_east.delete_version(&version, false).unwrap();
    let expired = ChangeEvent { lifecycle: true, ..lab.event(&version, Told::Removed).await };
    lab.apply(&expired).await;
    assert_eq!(lab.seen.last(), (Outcome::Unchanged, "lifecycle-stays"));
    lab.at_west.tag(&lab.bucket, &lab.key, None, &tags("later")).unwrap();
    lab.apply_fact(&lab.tags_fact("west", &version, "later", Basis::Known)).await;
    assert_eq!(lab.object(&version).await.tags, tags("later"));
    lab.at_west.delete_version(&version, false).unwrap();
    let removal = Removal { removed_at_ns: 7, cause: "test".into(), lifecycle: true, locks_seen: None };
    lab.apply_fact(&lab.fact("west", &version, FactBody::Removed(removal))).await;
    lab.apply(&birth).await;
    assert_eq!(lab.seen.last(), (Outcome::Superseded, "removed-is-terminal"));
    assert_eq!(lab.at_target(&version).await, Reading::Absent);
}

#[tokio::test(start_paused = true)]
async fn running_compliance_refuses() {
    let lab = Lab::new().await;
    let until_ms = lab.east.now_ns() / 1_000_000 + 5_000;
    let retention = Some(Retention { mode: RetentionMode::Compliance, until_ms });
    let version = lab.put(&ClientPut { retention, ..ClientPut::default() });
    lab.born(&version).await;
    let removal =
        Removal { removed_at_ns: lab.east.now_ns(), cause: "test".into(), lifecycle: false, locks_seen: None };
    lab.apply_fact(&lab.fact("east", &version, FactBody::Removed(removal))).await;
    assert_eq!(lab.seen.last_fact(), Outcome::Dead);
    assert_eq!(lab.seen.told().letters, ["lock-refuses-removal"]);
    assert!(matches!(lab.at_target(&version).await, Reading::Object(_)));
}
