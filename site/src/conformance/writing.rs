//! A replica PUT makes the same version, and only where it may.

use bytes::Bytes;
use futures::{StreamExt, stream};
use md5::{Digest, Md5};
use twinlog_schemas::{RetentionMode, VersionRef};

use crate::error::SiteErrorKind;
use crate::replica::{Body, Precondition};

use super::bench::{Bench, Outcome, SAMPLE_NS, bare, crc32, ensure, ensure_eq, full_headers, md5_hex, refused, tags};

pub(super) async fn makes_the_same_version(bench: &Bench) -> Outcome {
    let version = bench.fresh("writing/same")?;
    let mut replica = bare(&version, b"the same");
    replica.headers = full_headers();
    replica.user_metadata = tags(&[("color", "blue"), ("number", "1 2")]);
    replica.tags = tags(&[("k", "v"), ("spaced key", "a+b=c/d")]);
    replica.retention = Some(bench.retained(RetentionMode::Governance, 3600));
    replica.legal_hold = true;
    let written = bench.put_absent(&replica, b"the same").await?;
    ensure_eq!(written.version_id, Some(version.version_id.clone()), "answered version id");
    ensure_eq!(written.etag, Some(replica.etag.clone()), "answered etag");
    let md5: [u8; 16] = Md5::digest(b"the same").into();
    ensure_eq!(written.sent_md5, Some(md5), "digest of what was sent");
    let read = bench.object(&version).await?;
    ensure_eq!(read.body.as_deref(), Some(&b"the same"[..]), "body");
    ensure_eq!(read.etag, replica.etag, "etag");
    ensure_eq!(read.modified_s_ms, SAMPLE_NS / 1_000_000_000 * 1000, "modification time");
    ensure_eq!(read.headers, replica.headers, "headers");
    ensure_eq!(read.user_metadata, replica.user_metadata, "user metadata");
    ensure_eq!(read.tags, replica.tags, "tags");
    ensure_eq!(read.retention, replica.retention, "retention");
    ensure!(read.legal_hold, "legal hold is lost");
    Ok(())
}

pub(super) async fn keeps_empty_bodies(bench: &Bench) -> Outcome {
    let version = bench.fresh("writing/empty")?;
    bench.put_absent(&bare(&version, b""), b"").await?;
    let read = bench.object(&version).await?;
    ensure_eq!((read.size, read.etag), (0, md5_hex(b"")), "size and etag");
    Ok(())
}

pub(super) async fn keeps_checksums_and_adds_none(bench: &Bench) -> Outcome {
    let (with, without) = (bench.fresh("writing/crc")?, bench.fresh("writing/no-crc")?);
    let mut replica = bare(&with, b"summed");
    replica.checksums = vec![crc32(b"summed")];
    bench.put_absent(&replica, b"summed").await?;
    ensure_eq!(bench.object(&with).await?.checksums, replica.checksums, "checksums");
    bench.put_absent(&bare(&without, b"summed"), b"summed").await?;
    ensure_eq!(bench.object(&without).await?.checksums, vec![], "checksums that nobody sent");
    Ok(())
}

pub(super) async fn refuses_a_version_that_is_there(bench: &Bench) -> Outcome {
    let version = bench.fresh("writing/there")?;
    bench.put_absent(&bare(&version, b"first"), b"first").await?;
    for body in [&b"first"[..], b"second"] {
        let again = bench.put_absent(&bare(&version, body), body).await;
        refused(again, SiteErrorKind::Precondition, "the same id again")?;
    }
    ensure_eq!(bench.object(&version).await?.etag, md5_hex(b"first"), "etag after refused PUTs");
    Ok(())
}

pub(super) async fn stands_beside_other_versions(bench: &Bench) -> Outcome {
    let first = bench.fresh("writing/beside")?;
    let second = bench.fresh("writing/beside")?;
    bench.put_absent(&bare(&first, b"1"), b"1").await?;
    let mut newer = bare(&second, b"2");
    newer.modified_at_ns += 1;
    bench.put_absent(&newer, b"2").await?;
    ensure_eq!(bench.ids(&first).await?, vec![second.version_id, first.version_id.clone()], "both versions");
    Ok(())
}

pub(super) async fn refuses_wrong_digests_and_lengths(bench: &Bench) -> Outcome {
    let version = bench.fresh("writing/digest")?;
    let replica = bare(&version, b"right");
    let md5: [u8; 16] = Md5::digest(b"right").into();
    let stream = |bytes: &'static [u8]| stream::iter([Ok(Bytes::from_static(bytes))]).boxed();
    let wrong = Body::Stream { stream: stream(b"wrong"), length: 5, md5: Some(md5) };
    let outcome = bench.site.put_object(&replica, wrong, &Precondition::Absent).await;
    refused(outcome, SiteErrorKind::Digest, "other bytes than announced")?;
    let short = Body::Stream { stream: stream(b"rig"), length: 5, md5: Some(md5) };
    ensure!(bench.site.put_object(&replica, short, &Precondition::Absent).await.is_err(), "a short body was taken");
    ensure!(bench.is_absent(&version).await?, "a refused body left a version");
    let right = Body::Stream { stream: stream(b"right"), length: 5, md5: Some(md5) };
    let written = bench.site.put_object(&replica, right, &Precondition::Absent).await?;
    ensure_eq!(written.sent_md5, Some(md5), "digest of what was streamed");
    Ok(())
}

pub(super) async fn stores_a_given_etag_unchecked(bench: &Bench) -> Outcome {
    let version = bench.fresh("writing/etag")?;
    let mut replica = bare(&version, b"body");
    replica.etag = format!("{}-3", md5_hex(b"something else"));
    replica.send_etag = true;
    let written = bench.put_absent(&replica, b"body").await?;
    ensure_eq!(written.etag, Some(replica.etag.clone()), "answered etag");
    ensure_eq!(bench.object(&version).await?.etag, replica.etag, "etag");
    Ok(())
}

pub(super) async fn meets_a_marker_of_the_same_id(bench: &Bench) -> Outcome {
    let version = bench.fresh("writing/over-marker")?;
    bench.site.put_marker(&version, SAMPLE_NS).await?;
    let put = bench.put_absent(&bare(&version, b"x"), b"x").await;
    if bench.quirks.put_replaces_marker {
        put?;
        bench.object(&version).await?;
        return Ok(());
    }
    refused(put, SiteErrorKind::Precondition, "a marker of the same id")?;
    ensure!(bench.is_marker(&version).await?, "the marker is gone");
    Ok(())
}

pub(super) async fn refuses_locks_without_object_lock(bench: &Bench) -> Outcome {
    let version = VersionRef { bucket: bench.plain()?, ..bench.fresh("writing/no-lock")? };
    let mut retained = bare(&version, b"x");
    retained.retention = Some(bench.retained(RetentionMode::Governance, 3600));
    refused(bench.put_absent(&retained, b"x").await, SiteErrorKind::LockAbsent, "retention")?;
    let mut held = bare(&version, b"x");
    held.legal_hold = true;
    refused(bench.put_absent(&held, b"x").await, SiteErrorKind::LockAbsent, "legal hold")?;
    let retention = retained.retention;
    bench.put_absent(&bare(&version, b"x"), b"x").await?;
    refused(bench.site.put_retention(&version, retention).await, SiteErrorKind::LockAbsent, "retention afterwards")
}

pub(super) async fn treats_expired_retention(bench: &Bench) -> Outcome {
    let version = bench.fresh("writing/past")?;
    let mut replica = bare(&version, b"x");
    replica.retention = Some(bench.retained(RetentionMode::Governance, -3600));
    let put = bench.put_absent(&replica, b"x").await;
    if bench.quirks.refuses_past_retention {
        refused(put, SiteErrorKind::Expired, "a retention in the past")?;
    } else {
        put?;
    }
    bench.site.remove_version(&version, false, None).await?;
    ensure!(bench.is_absent(&version).await?, "an expired retention keeps the version");
    Ok(())
}

pub(super) async fn meets_unversioned_buckets(bench: &Bench) -> Outcome {
    for bucket in [bench.suspended()?, bench.never()?] {
        let version = VersionRef { bucket, ..bench.fresh("writing/unversioned")? };
        let put = bench.put_absent(&bare(&version, b"x"), b"x").await;
        if bench.quirks.put_into_unversioned {
            put?;
            ensure_eq!(bench.ids(&version).await?, vec![version.version_id.clone()], "the id in the listing");
        } else {
            refused(put, SiteErrorKind::BucketState, "an id where versioning is not enabled")?;
        }
        let marker = VersionRef { version_id: bench.fresh_id()?, ..version };
        let _told = bench.site.put_marker(&marker, SAMPLE_NS).await;
        ensure!(bench.is_absent(&marker).await?, "a marker is made where versioning is not enabled");
    }
    Ok(())
}

pub(super) async fn keeps_ids_of_keys_ending_in_slash(bench: &Bench) -> Outcome {
    let version = bench.fresh("writing/slash/")?;
    bench.put_absent(&bare(&version, b""), b"").await?;
    ensure_eq!(bench.ids(&version).await?, vec![version.version_id.clone()], "the id of a replica");
    Ok(())
}

/// The stores keep keys as paths; a client cannot write such a key either.
pub(super) async fn refuses_keys_that_are_no_path(bench: &Bench) -> Outcome {
    for key in ["writing//empty segment", "writing/../dots", "writing/./dot"] {
        let version = bench.fresh(key)?;
        refused(bench.put_absent(&bare(&version, b"x"), b"x").await, SiteErrorKind::NameRefused, key)?;
    }
    Ok(())
}
