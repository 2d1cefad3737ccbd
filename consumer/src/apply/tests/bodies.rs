//! Bodies: inline, streamed and part by part, verified on the way.

use bytes::Bytes;
use twinlog_schemas::{Encryption, Told, VersionRef, Wrote};
use twinlog_site::fault::Fault;
use twinlog_site::memory::ClientPut;
use twinlog_site::{Reading, Site, SiteErrorKind};

use super::lab::{Lab, Setup, both, tags};
use crate::observe::Outcome;

fn bytes(count: usize) -> Bytes {
    (0..count).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

/// Parts with a gap in their numbers and uneven sizes.
fn multipart(lab: &Lab) -> VersionRef {
    let parts = [(1, bytes(1_000)), (2, bytes(70_000)), (7, bytes(3))];
    let put = ClientPut { tags: tags("birth"), ..ClientPut::default() };
    lab.version(&lab.at_east.multipart(&lab.bucket, &lab.key, &put, &parts).unwrap().version_id)
}

#[tokio::test(start_paused = true)]
async fn every_size_arrives_whole() {
    for quirks in both() {
        for size in [0, 1, 99, 100, 101, 200_000] {
            let lab = Lab::with(Setup { quirks: quirks.clone(), inline: 100, ..Setup::default() }).await;
            let version = lab.put_body(bytes(size));
            let event = lab.event(&version, Told::Born).await;
            assert_eq!(event.object.as_ref().unwrap().body.is_some(), size <= 100);
            lab.apply(&event).await;
            lab.assert_same(&version).await;
            assert_eq!(lab.receipts().len(), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn multipart_objects_keep_their_parts() {
    for (quirks, inline) in both().into_iter().flat_map(|quirks| [(quirks.clone(), 0), (quirks, 1 << 20)]) {
        let lab = Lab::with(Setup { quirks, inline, ..Setup::default() }).await;
        let version = multipart(&lab);
        lab.born(&version).await;
        lab.assert_same(&version).await;
        assert!(lab.object(&version).await.etag.ends_with("-3"));
        assert!(lab.west.uploads_of(&lab.bucket, &lab.key).await.unwrap().is_empty());
        let wrote: Vec<_> = lab.receipts().iter().map(|receipt| receipt.wrote).collect();
        assert_eq!(wrote, [Wrote::Upload, Wrote::Object]);
    }
}

/// Scenario: a multipart object's birth is repeated after a client has tagged the replica; no notice of that has come.
/// Guarantee: CompleteMultipartUpload knows no precondition, so the target is looked at before: nothing is moved again,
/// and the client's tags stay.
#[tokio::test(start_paused = true)]
async fn a_multipart_birth_repeated_overwrites_nothing() {
    let lab = Lab::with(Setup { inline: 0, ..Setup::default() }).await;
    let version = multipart(&lab);
    let event = lab.event(&version, Told::Born).await;
    lab.apply(&event).await;
    lab.at_west.tag(&lab.bucket, &lab.key, None, &tags("mine")).unwrap();
    let record = lab.change_record(lab.codec.encode_change(&event).unwrap().into());
    assert!(lab.waits(&record, std::time::Duration::from_secs(20)).await, "the tags are in doubt");
    assert_eq!(lab.object(&version).await.tags, tags("mine"));
    assert_eq!(lab.seen.told().writes, ["object"]);
}

#[tokio::test(start_paused = true)]
async fn a_multipart_birth_ends_right_whatever_fails() {
    let operations = ["create_upload", "put_part", "complete_upload"];
    for operation in operations {
        for fault in [Fault::Reject(SiteErrorKind::Server), Fault::FailAfterWrite, Fault::Corrupt, Fault::Cut] {
            let lab = Lab::with(Setup { inline: 0, ..Setup::default() }).await;
            let version = multipart(&lab);
            lab.target.push(operation, fault);
            lab.born(&version).await;
            lab.assert_same(&version).await;
            assert!(lab.letters().is_empty(), "{operation} {fault:?}");
        }
    }
}

/// Whatever way the body goes, and wherever it is damaged once: tried again, and right in the end.
#[tokio::test(start_paused = true)]
async fn a_damaged_body_is_sent_again() {
    for damage in [Fault::Corrupt, Fault::Cut] {
        for (inline, at_source) in [(1 << 20, false), (0, false), (0, true)] {
            let lab = Lab::with(Setup { inline, ..Setup::default() }).await;
            let version = lab.put_body(bytes(5_000));
            if at_source {
                lab.source.push("open", damage)
            } else {
                lab.target.push("put_object", damage)
            }
            lab.born(&version).await;
            assert_eq!(lab.seen.last().0, Outcome::Applied);
            lab.assert_same(&version).await;
            assert_eq!(lab.seen.told().writes.len(), 1);
            assert!(!lab.seen.told().retries.is_empty(), "{damage:?} {inline} {at_source}");
        }
    }
}

/// Guarantee: a body that stays broken is a dead letter and leaves nothing at the target; never a success.
#[tokio::test(start_paused = true)]
async fn a_body_that_stays_broken_is_never_a_success() {
    let cases = [(1 << 20, "put_object", false), (0, "put_object", false), (0, "put_part", false)];
    for (inline, operation, at_source) in cases.into_iter().chain([(0, "open", true)]) {
        for with_parts in [false, true] {
            let lab = Lab::with(Setup { inline, ..Setup::default() }).await;
            let version = if with_parts { multipart(&lab) } else { lab.put_body(bytes(5_000)) };
            let plan = if at_source { &lab.source } else { &lab.target };
            let strikes = !((operation == "put_part") ^ with_parts) || at_source;
            if !strikes {
                continue;
            }
            for _ in 0..200 {
                plan.push(operation, Fault::Corrupt);
            }
            lab.born(&version).await;
            assert_eq!(lab.seen.last(), (Outcome::Dead, "digest"), "{operation} {with_parts}");
            assert_eq!(lab.at_target(&version).await, Reading::Absent);
            assert!(lab.receipts().iter().all(|receipt| receipt.wrote == Wrote::Upload));
            assert_eq!(lab.letters().len(), 1);
            assert!(lab.west.uploads_of(&lab.bucket, &lab.key).await.unwrap().is_empty(), "uploads are aborted");
        }
    }
}

/// Scenario: the body inside the event is not the one that its ETag is the digest of.
/// Guarantee: it is never written; the source is asked for the right one.
#[tokio::test(start_paused = true)]
async fn an_inline_body_that_is_not_the_etags_is_never_written() {
    for with_parts in [false, true] {
        let lab = Lab::with(Setup { inline: 1 << 20, ..Setup::default() }).await;
        let version = if with_parts { multipart(&lab) } else { lab.put_body(bytes(50)) };
        let mut event = lab.event(&version, Told::Born).await;
        event.object.as_mut().unwrap().body.as_mut().unwrap()[0] ^= 1;
        lab.apply(&event).await;
        assert_eq!(lab.seen.last().0, Outcome::Applied);
        lab.assert_same(&version).await;
        assert_eq!(lab.seen.told().writes, ["object"]);
    }
}

/// Scenario: the source is encrypted, so that its ETag need not be the digest of the bytes, and a body is damaged on the
/// way to the target; bodies of either side of what is kept in memory. Guarantee: it is never a success.
#[tokio::test(start_paused = true)]
async fn a_body_without_a_digest_etag_is_verified_too() {
    for (size, damage) in [(5_000, Fault::Corrupt), (5_000, Fault::Cut), ((8 << 20) + 1, Fault::Corrupt)] {
        let lab = Lab::with(Setup { inline: 0, ..Setup::default() }).await;
        let version = lab.put_body(bytes(size));
        let mut event = lab.event(&version, Told::Born).await;
        event.object.as_mut().unwrap().encryption = Encryption::SseS3;
        lab.target.push("put_object", damage);
        lab.apply(&event).await;
        assert_eq!(lab.seen.last().0, Outcome::Applied);
        assert_eq!(lab.seen.told().retries, ["digest"], "{damage:?} of {size}");
        assert_eq!(lab.object(&version).await.body, Some(bytes(size)));
        assert_eq!(lab.seen.told().unproved, 0, "the digest of what was sent is the ETag after all");
    }
}
