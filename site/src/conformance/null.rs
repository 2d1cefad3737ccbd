//! The null version: one register for each key.

use bytes::Bytes;
use twinlog_schemas::{BucketName, VersionKind, VersionRef};

use crate::bucket::Versioning;
use crate::error::SiteErrorKind;
use crate::memory::{BucketSetup, ClientPut};
use crate::replica::{Body, Precondition};

use super::bench::{Bench, Outcome, SAMPLE_NS, bare, ensure, ensure_eq, md5_hex, refused};

pub(super) async fn is_put_guarded(bench: &Bench) -> Outcome {
    let version = bench.null("null/guarded")?;
    bench.put_absent(&bare(&version, b"first"), b"first").await?;
    refused(bench.put_absent(&bare(&version, b"second"), b"second").await, SiteErrorKind::Precondition, "absent")?;
    let body = || Body::Bytes(Bytes::from_static(b"second"));
    let second = bare(&version, b"second");
    let other = Precondition::Etag(md5_hex(b"other"));
    refused(bench.site.put_object(&second, body(), &other).await, SiteErrorKind::Precondition, "another etag")?;
    ensure_eq!(bench.object(&version).await?.etag, md5_hex(b"first"), "etag after refused PUTs");
    let right = Precondition::Etag(md5_hex(b"first"));
    bench.site.put_object(&second, body(), &right).await?;
    ensure_eq!(bench.object(&version).await?.etag, md5_hex(b"second"), "etag after a guarded PUT");
    ensure_eq!(bench.ids(&version).await?, vec![version.version_id.clone()], "one null version");
    Ok(())
}

/// The reason why the plan decides before it writes: the store does not.
pub(super) async fn older_overwrites_newer(bench: &Bench) -> Outcome {
    let version = bench.null("null/older")?;
    bench.put_absent(&bare(&version, b"newer"), b"newer").await?;
    let mut older = bare(&version, b"older");
    older.modified_at_ns -= 5_000_000_000;
    let guard = Precondition::Etag(md5_hex(b"newer"));
    bench.site.put_object(&older, Body::Bytes(Bytes::from_static(b"older")), &guard).await?;
    let listed = bench.site.versions_of(&version.bucket, &version.key).await?;
    let times: Vec<_> = listed.iter().map(|line| line.modified_ms).collect();
    ensure_eq!(times, vec![older.modified_at_ns / 1_000_000], "time of the null version");
    Ok(())
}

pub(super) async fn marker_follows_the_store(bench: &Bench) -> Outcome {
    let version = bench.null("null/marker")?;
    bench.put_absent(&bare(&version, b"x"), b"x").await?;
    let _told = bench.site.put_marker(&version, SAMPLE_NS + 1_000_000).await;
    ensure!(bench.is_absent(&version).await?, "a marker over a null object should purge it and make none");
    let marker = bench.site.put_marker(&version, SAMPLE_NS + 1_000_000).await;
    if !bench.quirks.null_markers {
        ensure!(marker.is_err(), "a null marker can be made after all");
        ensure!(bench.is_absent(&version).await?, "the refused null marker is there");
        return Ok(());
    }
    marker?;
    for at_ns in [SAMPLE_NS + 1_000_000, SAMPLE_NS + 2_000_000] {
        bench.site.put_marker(&version, at_ns).await?;
        let listed = bench.site.versions_of(&version.bucket, &version.key).await?;
        let lines: Vec<_> = listed.iter().map(|line| (line.kind, line.modified_ms)).collect();
        ensure_eq!(lines, vec![(VersionKind::DeleteMarker, at_ns / 1_000_000)], "a null marker is replaced");
    }
    bench.site.remove_version(&version, false, None).await?;
    ensure!(bench.is_absent(&version).await?, "the null marker is still there");
    Ok(())
}

/// A marker from a time when versioning was suspended; a client's single DELETE does not remove it on either store.
pub(super) async fn native_markers_are_removed(bench: &Bench) -> Outcome {
    let bucket = BucketName::new(format!("{}-past", bench.prefix))?;
    let plain = BucketSetup { object_lock: false, ..BucketSetup::REPLICATED };
    bench.client.create_bucket(&bucket, plain).await?;
    bench.client.set_versioning(&bucket, Versioning::Suspended).await?;
    let version = VersionRef { bucket, ..bench.null("null/native marker")? };
    bench.client.put(&version.bucket, &version.key, &ClientPut::default()).await?;
    bench.client.delete(&version.bucket, &version.key).await?;
    bench.client.set_versioning(&version.bucket, Versioning::Enabled).await?;
    ensure!(bench.is_marker(&version).await?, "there should be a null marker");
    let told = bench.client.delete_version(&version, false).await;
    ensure_eq!(told.is_ok(), bench.quirks.null_marker_restamped, "a client's DELETE of a null marker");
    ensure!(bench.is_marker(&version).await?, "a client's DELETE removes the null marker after all");
    bench.site.remove_version(&version, false, None).await?;
    ensure!(bench.is_absent(&version).await?, "the null marker is still there");
    Ok(())
}

pub(super) async fn keys_ending_in_slash_are_null(bench: &Bench) -> Outcome {
    let version = bench.null("null/slash/")?;
    let put = ClientPut::default();
    let written = bench.client.put(&version.bucket, &version.key, &put).await?;
    ensure!(written.version_id.is_null(), "the client was told version {}", written.version_id);
    bench.object(&version).await?;
    ensure_eq!(bench.ids(&version).await?, vec![version.version_id.clone()], "listed as the null version");
    let replica = VersionRef { ..bench.null("null/slash replica/")? };
    bench.put_absent(&bare(&replica, b""), b"").await?;
    ensure_eq!(bench.ids(&replica).await?, vec![replica.version_id.clone()], "a replica of a null version");
    bench.site.remove_version(&replica, false, None).await?;
    ensure!(bench.is_absent(&replica).await?, "the null version is still there");
    Ok(())
}
