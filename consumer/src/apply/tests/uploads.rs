//! Multipart uploads that do not get done in one go: gone on with, or ended, and never left behind.

use std::time::Duration;

use bytes::Bytes;
use twinlog_schemas::{ChangeEvent, Told, VersionRef};
use twinlog_site::fault::Fault;
use twinlog_site::memory::ClientPut;
use twinlog_site::{Body, PartWritten, Reading, Replica, Site, SiteErrorKind, Upload};

use super::lab::{Lab, Setup, both, tags};
use crate::observe::Outcome;

const AT_ONCE: Fault = Fault::RespondSlowly(Duration::ZERO);
const NEVER: Fault = Fault::RespondSlowly(Duration::from_secs(100_000));
/// More calls than any scenario makes.
const MANY: usize = 50;

fn bytes(of: u8, count: usize) -> Bytes {
    Bytes::from(vec![of; count])
}

fn parts() -> [(i32, Bytes); 3] {
    [(1, bytes(1, 1_000)), (2, bytes(2, 70_000)), (7, bytes(3, 3))]
}

async fn born(quirks: twinlog_site::memory::Quirks) -> (Lab, VersionRef, ChangeEvent) {
    let lab = Lab::with(Setup { quirks, inline: 0, ..Setup::default() }).await;
    let put = ClientPut { tags: tags("birth"), ..ClientPut::default() };
    let version = lab.version(&lab.at_east.multipart(&lab.bucket, &lab.key, &put, &parts()).unwrap().version_id);
    let event = lab.event(&version, Told::Born).await;
    (lab, version, event)
}

/// Handles the event with the last part stuck, until the process is killed.
async fn interrupted(lab: &Lab, event: &ChangeEvent) {
    for fault in [AT_ONCE, AT_ONCE, NEVER] {
        lab.target.push("put_part", fault);
    }
    let record = lab.change_record(lab.codec.encode_change(event).unwrap().into());
    assert!(lab.waits(&record, Duration::from_secs(60)).await, "it is interrupted");
    assert_eq!(lab.target.left(), 0);
    assert_eq!(lab.west.parts_of(&only(lab).await).await.unwrap().len(), 2);
}

async fn unfinished(lab: &Lab) -> Vec<Upload> {
    lab.west.uploads_of(&lab.bucket, &lab.key).await.unwrap()
}

async fn only(lab: &Lab) -> Upload {
    let [upload] = unfinished(lab).await.try_into().unwrap();
    upload
}

/// How often these calls were made while `work` was done.
async fn counted<const N: usize>(lab: &Lab, calls: [&'static str; N], work: impl Future<Output = ()>) -> usize {
    for call in calls {
        (0..MANY).for_each(|_| lab.target.push(call, AT_ONCE));
    }
    work.await;
    N * MANY - lab.target.left()
}

/// Scenario: the process is killed between two parts. Guarantee: the next one sends the missing part alone.
#[tokio::test(start_paused = true)]
async fn an_interrupted_upload_is_gone_on_with() {
    for quirks in both() {
        let (lab, version, event) = born(quirks).await;
        interrupted(&lab, &event).await;
        let calls = counted(&lab, ["put_part", "create_upload"], lab.apply(&event)).await;
        assert_eq!(calls, 1);
        lab.assert_same(&version).await;
        assert_eq!(lab.seen.last().0, Outcome::Applied);
        assert!(unfinished(&lab).await.is_empty());
    }
}

/// Scenario: parts fail once, or more often than they are tried. Guarantee: what was sent is not sent again.
#[tokio::test(start_paused = true)]
async fn a_failed_part_is_sent_again_alone() {
    for failures in [1, 2, 7] {
        let (lab, version, event) = born(both()[0].clone()).await;
        for _ in 0..failures {
            lab.source.push("open", Fault::Reject(SiteErrorKind::Unreachable));
        }
        let calls = counted(&lab, ["put_part", "create_upload"], lab.apply(&event)).await;
        assert_eq!(calls, 1 + 3, "after {failures} failures");
        lab.assert_same(&version).await;
    }
}

/// Scenario: the version's tags change between the two tries. Guarantee: what an upload becomes is fixed when it begins,
/// so a new one is begun and the old one ended.
#[tokio::test(start_paused = true)]
async fn an_upload_begun_with_other_attributes_is_not_gone_on_with() {
    let (lab, version, event) = born(both()[0].clone()).await;
    interrupted(&lab, &event).await;
    let before = only(&lab).await;
    let fact = lab.tags_fact("east", &version, "later", twinlog_schemas::Basis::Known);
    lab.apply_fact(&fact).await;
    assert_eq!(only(&lab).await, before, "a fact of its tags leaves the upload to the birth");
    lab.apply(&event).await;
    assert_eq!(lab.object(&version).await.tags, tags("later"));
    assert!(unfinished(&lab).await.is_empty());
}

/// Scenario: between the two tries the version vanishes at the source, or its removal is told.
/// Guarantee: superseded, and the upload is ended.
#[tokio::test(start_paused = true)]
async fn an_upload_that_nobody_goes_on_with_is_ended() {
    for (told, kind) in
        [(false, SiteErrorKind::NoSuchVersion), (false, SiteErrorKind::Precondition), (true, SiteErrorKind::Server)]
    {
        let (lab, version, event) = born(both()[1].clone()).await;
        interrupted(&lab, &event).await;
        if told {
            lab.at_east.delete_version(&version, false).unwrap();
            lab.apply(&lab.event(&version, Told::Removed).await).await;
        } else {
            lab.source.push("open", Fault::Reject(kind));
        }
        lab.target.push("abort_upload", Fault::Reject(SiteErrorKind::Unreachable));
        lab.apply(&event).await;
        assert_eq!(lab.seen.last().0, Outcome::Superseded, "{kind:?}");
        assert!(unfinished(&lab).await.is_empty(), "{kind:?}");
        assert_eq!(lab.at_target(&version).await, Reading::Absent);
        assert!(lab.letters().is_empty());
    }
}

/// Scenario: a client at the target, or its lifecycle, aborts the upload. Guarantee: a new one is begun.
#[tokio::test(start_paused = true)]
async fn an_upload_that_is_gone_is_begun_anew() {
    for quirks in both() {
        let (lab, version, event) = born(quirks).await;
        interrupted(&lab, &event).await;
        lab.west.abort_upload(&only(&lab).await).await.unwrap();
        lab.apply(&event).await;
        lab.assert_same(&version).await;
        assert!(unfinished(&lab).await.is_empty());
        assert!(lab.letters().is_empty());
    }
}

/// Scenario: a part found at the target is of the right size and of other bytes. Guarantee: that shows before the version
/// comes to be; the upload is ended and everything is sent anew.
#[tokio::test(start_paused = true)]
async fn a_damaged_part_found_is_never_completed_with() {
    let (lab, version, event) = born(both()[0].clone()).await;
    interrupted(&lab, &event).await;
    let upload = only(&lab).await;
    let held: PartWritten = lab.west.parts_of(&upload).await.unwrap().remove(0);
    let size = usize::try_from(held.part.size).unwrap();
    lab.west.put_part(&upload, held.part, Body::Bytes(bytes(9, size))).await.unwrap();
    lab.apply(&event).await;
    lab.assert_same(&version).await;
    assert_eq!(lab.seen.told().retries, ["digest"]);
    assert!(unfinished(&lab).await.is_empty());
}

/// Scenario: a client's own upload of the same key stands unfinished. Guarantee: it is never touched.
#[tokio::test(start_paused = true)]
async fn a_clients_upload_is_left_alone() {
    let (lab, version, event) = born(both()[0].clone()).await;
    let theirs = VersionRef { version_id: "v-of-a-client".parse().unwrap(), ..version.clone() };
    let object = event.object.as_ref().unwrap();
    let replica: Replica = crate::transfer::replica(&event, object, &crate::plan::Attributes::default(), false);
    let upload = lab.west.create_upload(&Replica { version: theirs, ..replica }).await.unwrap();
    interrupted_beside(&lab, &event).await;
    lab.apply(&event).await;
    lab.assert_same(&version).await;
    assert_eq!(only(&lab).await.upload_id, upload.upload_id);
}

async fn interrupted_beside(lab: &Lab, event: &ChangeEvent) {
    lab.target.push("put_part", NEVER);
    let record = lab.change_record(lab.codec.encode_change(event).unwrap().into());
    assert!(lab.waits(&record, Duration::from_secs(60)).await);
}

/// Scenario: a write takes longer than it stays acceptable, so that another owner may have acted meanwhile.
/// Guarantee: the version is looked at again, and that is counted as one write.
#[tokio::test(start_paused = true)]
async fn a_slow_write_is_looked_at_again() {
    let lab = Lab::with(Setup { inline: 0, ..Setup::default() }).await;
    let version = lab.put_body("slow");
    lab.source.push("open", Fault::RespondSlowly(Duration::from_secs(60)));
    let event = lab.event(&version, Told::Born).await;
    let looks = counted(&lab, ["look"], lab.apply(&event)).await;
    assert_eq!((looks, lab.seen.last().0), (1, Outcome::Applied));
    assert_eq!(lab.seen.told().writes, ["object"]);
    lab.assert_same(&version).await;
}
