//! Buckets, subscriptions, permissions, the clock.

use twinlog_schemas::BucketName;

use crate::bucket::Versioning;
use crate::error::SiteErrorKind;
use crate::notify::SubscriptionChange;
use crate::reading::ListFrom;

use super::bench::{Bench, Outcome, bare, ensure, ensure_eq, refused};

pub(super) async fn state_is_told(bench: &Bench) -> Outcome {
    let expected = [
        (bench.bucket()?, Versioning::Enabled, true),
        (bench.plain()?, Versioning::Enabled, false),
        (bench.suspended()?, Versioning::Suspended, false),
        (bench.never()?, Versioning::Never, false),
    ];
    let known = bench.site.buckets().await?;
    for (bucket, versioning, object_lock) in expected {
        let state = bench.site.bucket_state(&bucket).await?;
        ensure_eq!((state.versioning, state.object_lock), (versioning, object_lock), format!("state of {bucket}"));
        ensure!(!state.own_replication && !state.default_encryption, "{bucket}: {state:?}");
        ensure_eq!(state.default_retention, None, format!("default retention of {bucket}"));
        ensure!(state.created_ms.is_some(), "{bucket}: no creation time");
        ensure!(known.contains(&bucket), "{bucket} is not listed");
    }
    Ok(())
}

pub(super) async fn subscription_is_merged_once(bench: &Bench) -> Outcome {
    let bucket = bench.plain()?;
    let before = bench.site.subscription(&bucket).await?;
    ensure!(before.present.is_empty() && !before.missing.is_empty(), "before: {before:?}");
    let first = bench.site.subscribe(&bucket).await?;
    ensure!(matches!(first, SubscriptionChange::Changed(_)), "the first time: {first:?}");
    let during = bench.site.subscription(&bucket).await?;
    ensure!(!during.present.is_empty() && during.missing.is_empty(), "while subscribed: {during:?}");
    ensure_eq!(bench.site.subscribe(&bucket).await?, SubscriptionChange::Unchanged, "the second time");
    let out = bench.site.unsubscribe(&bucket).await?;
    ensure!(matches!(out, SubscriptionChange::Changed(_)), "taking it out: {out:?}");
    ensure_eq!(bench.site.unsubscribe(&bucket).await?, SubscriptionChange::Unchanged, "taking it out again");
    ensure_eq!(bench.site.subscription(&bucket).await?, before, "afterwards");
    Ok(())
}

pub(super) async fn absent_bucket_is_named(bench: &Bench) -> Outcome {
    let bucket = BucketName::new(format!("{}-absent", bench.prefix))?;
    let none = SiteErrorKind::NoSuchBucket;
    refused(bench.site.bucket_state(&bucket).await, none, "bucket_state")?;
    refused(bench.site.list_versions(&bucket, &ListFrom::default()).await, none, "list_versions")?;
    let mut version = bench.fresh("bucket/absent")?;
    version.bucket = bucket;
    let put = bench.put_absent(&bare(&version, b"x"), b"x").await;
    if bench.quirks.put_into_unversioned {
        refused(put, none, "put_object")?;
    } else {
        ensure!(put.is_err(), "a PUT into a bucket that is not there succeeds");
    }
    refused(bench.site.remove_version(&version, false, None).await, none, "remove_version")
}

pub(super) async fn permissions_and_clock(bench: &Bench) -> Outcome {
    let bucket = bench.bucket()?;
    let before = bench.site.list_versions(&bucket, &ListFrom::default()).await?;
    ensure_eq!(bench.site.missing_permissions(&bucket).await?, Vec::<String>::new(), "missing permissions");
    let after = bench.site.list_versions(&bucket, &ListFrom::default()).await?;
    ensure_eq!(after.versions.len(), before.versions.len(), "versions after the proof of permissions");
    let offset = bench.site.clock_offset_ms().await?;
    ensure!(offset.abs() <= 2_000, "a clock offset of {offset} ms on one machine");
    Ok(())
}
