//! Permanent removals, and the locks that the store itself enforces.

use twinlog_schemas::{RetentionMode, VersionRef};

use crate::error::SiteErrorKind;

use super::bench::{Bench, Failure, Outcome, bare, ensure, md5_hex, refused};

async fn plain(bench: &Bench, key: &str) -> Result<VersionRef, Failure> {
    let version = bench.fresh(key)?;
    bench.put_absent(&bare(&version, b"x"), b"x").await?;
    Ok(version)
}

pub(super) async fn is_idempotent(bench: &Bench) -> Outcome {
    let version = plain(bench, "removal/plain").await?;
    for _ in 0..2 {
        bench.site.remove_version(&version, false, None).await?;
        ensure!(bench.is_absent(&version).await?, "the version is still there");
    }
    bench.site.remove_version(&bench.fresh("removal/no such key")?, false, None).await?;
    Ok(())
}

pub(super) async fn respects_governance(bench: &Bench) -> Outcome {
    let version = plain(bench, "removal/governance").await?;
    bench.site.put_retention(&version, Some(bench.retained(RetentionMode::Governance, 3600))).await?;
    refused(bench.site.remove_version(&version, false, None).await, SiteErrorKind::Locked, "without bypass")?;
    bench.object(&version).await?;
    bench.site.remove_version(&version, true, None).await?;
    ensure!(bench.is_absent(&version).await?, "the bypass did not remove it");
    Ok(())
}

pub(super) async fn respects_compliance(bench: &Bench) -> Outcome {
    let version = plain(bench, "removal/compliance").await?;
    bench.site.put_retention(&version, Some(bench.retained(RetentionMode::Compliance, 3600))).await?;
    for bypass in [false, true] {
        refused(bench.site.remove_version(&version, bypass, None).await, SiteErrorKind::Locked, "COMPLIANCE")?;
    }
    bench.object(&version).await?;
    Ok(())
}

pub(super) async fn respects_legal_hold(bench: &Bench) -> Outcome {
    let version = plain(bench, "removal/hold").await?;
    bench.site.put_legal_hold(&version, true).await?;
    for bypass in [false, true] {
        refused(bench.site.remove_version(&version, bypass, None).await, SiteErrorKind::Locked, "a legal hold")?;
    }
    bench.site.put_legal_hold(&version, false).await?;
    bench.site.remove_version(&version, false, None).await?;
    ensure!(bench.is_absent(&version).await?, "the version is still there");
    Ok(())
}

pub(super) async fn meets_if_match(bench: &Bench) -> Outcome {
    let version = bench.null("removal/if-match")?;
    bench.put_absent(&bare(&version, b"x"), b"x").await?;
    let other = bench.site.remove_version(&version, false, Some(&md5_hex(b"other"))).await;
    if !bench.quirks.if_match_on_delete {
        other?;
        ensure!(bench.is_absent(&version).await?, "If-Match is ignored, so it should be gone");
        return Ok(());
    }
    refused(other, SiteErrorKind::Precondition, "another etag")?;
    bench.object(&version).await?;
    bench.site.remove_version(&version, false, Some(&md5_hex(b"x"))).await?;
    ensure!(bench.is_absent(&version).await?, "the right etag did not remove it");
    Ok(())
}
