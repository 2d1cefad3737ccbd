//! Null versions: one register for each key, over what the target holds.

use std::time::Duration;

use bytes::Bytes;
use twinlog_schemas::{ChangeEvent, NullRegister, NullState, Retention, RetentionMode, Told, VersionRef};
use twinlog_site::memory::{ClientPut, MemoryClient, Quirks};
use twinlog_site::{Reading, Site, Versioning};

use super::lab::{Lab, Setup, both};
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
