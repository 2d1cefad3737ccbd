//! Tags, retention and legal hold of a version that is there.

use twinlog_schemas::{RetentionMode, Tags, VersionRef};

use crate::error::SiteErrorKind;

use super::bench::{Bench, Failure, Outcome, SAMPLE_NS, bare, ensure, ensure_eq, refused, tags};

async fn sample(bench: &Bench, key: &str) -> Result<VersionRef, Failure> {
    let version = bench.fresh(key)?;
    bench.put_absent(&bare(&version, b"x"), b"x").await?;
    Ok(version)
}

async fn unmoved(bench: &Bench, version: &VersionRef) -> Outcome {
    let listed = bench.site.versions_of(&version.bucket, &version.key).await?;
    let times: Vec<_> = listed.iter().map(|line| line.modified_ms).collect();
    ensure_eq!(times, vec![SAMPLE_NS / 1_000_000], "modification time after a change of attributes");
    Ok(())
}

pub(super) async fn tags_are_replaced_and_removed(bench: &Bench) -> Outcome {
    let version = sample(bench, "attributes/tags").await?;
    let ten: Tags = (0..10).map(|n| (format!("key-{n}"), "v".repeat(256))).collect();
    for wanted in
        [tags(&[("a", "1"), ("spaced key", "x+y=z/@_-.:")]), tags(&[("b", "2")]), ten, Tags::new(), Tags::new()]
    {
        bench.site.put_tags(&version, &wanted).await?;
        ensure_eq!(bench.object(&version).await?.tags, wanted, "tags");
    }
    unmoved(bench, &version).await
}

pub(super) async fn tags_beyond_ascii(bench: &Bench) -> Outcome {
    let version = sample(bench, "attributes/tags beyond ascii").await?;
    let wanted = tags(&[("é", "日本")]);
    let put = bench.site.put_tags(&version, &wanted).await;
    if bench.quirks.ascii_tags_only {
        return refused(put, SiteErrorKind::Refused, "tags beyond ASCII");
    }
    put?;
    ensure_eq!(bench.object(&version).await?.tags, wanted, "tags");
    Ok(())
}

pub(super) async fn retention_is_set_shortened_and_lifted(bench: &Bench) -> Outcome {
    let version = sample(bench, "attributes/retention").await?;
    let long = bench.retained(RetentionMode::Governance, 7200);
    let short = bench.retained(RetentionMode::Governance, 3600);
    for wanted in [Some(long), Some(short), None] {
        bench.site.put_retention(&version, wanted).await?;
        ensure_eq!(bench.object(&version).await?.retention, wanted, "retention");
    }
    let past = bench.retained(RetentionMode::Governance, -3600);
    refused(bench.site.put_retention(&version, Some(past)).await, SiteErrorKind::Expired, "a date in the past")?;
    unmoved(bench, &version).await
}

pub(super) async fn compliance_is_only_extended(bench: &Bench) -> Outcome {
    let version = sample(bench, "attributes/compliance").await?;
    let short = bench.retained(RetentionMode::Compliance, 3600);
    let long = bench.retained(RetentionMode::Compliance, 7200);
    bench.site.put_retention(&version, Some(short)).await?;
    bench.site.put_retention(&version, Some(long)).await?;
    let governance = bench.retained(RetentionMode::Governance, 9000);
    for wanted in [Some(short), None, Some(governance)] {
        let outcome = bench.site.put_retention(&version, wanted).await;
        refused(outcome, SiteErrorKind::Locked, &format!("COMPLIANCE to {wanted:?}"))?;
    }
    ensure_eq!(bench.object(&version).await?.retention, Some(long), "retention");
    Ok(())
}

pub(super) async fn legal_hold_goes_on_and_off(bench: &Bench) -> Outcome {
    let version = sample(bench, "attributes/hold").await?;
    for on in [true, true, false, false] {
        bench.site.put_legal_hold(&version, on).await?;
        ensure_eq!(bench.object(&version).await?.legal_hold, on, "legal hold");
    }
    unmoved(bench, &version).await
}

pub(super) async fn changes_need_a_version(bench: &Bench) -> Outcome {
    let absent = bench.fresh("attributes/absent")?;
    let retention = Some(bench.retained(RetentionMode::Governance, 3600));
    refused(bench.site.put_tags(&absent, &tags(&[("a", "1")])).await, SiteErrorKind::NoSuchVersion, "tags")?;
    refused(bench.site.put_tags(&absent, &Tags::new()).await, SiteErrorKind::NoSuchVersion, "no tags")?;
    refused(bench.site.put_retention(&absent, retention).await, SiteErrorKind::NoSuchVersion, "retention")?;
    let hold = bench.site.put_legal_hold(&absent, true).await;
    ensure!(hold.is_err(), "a legal hold of an absent version succeeds");
    if !bench.quirks.legal_hold_absent_is_server_error {
        refused(hold, SiteErrorKind::NoSuchVersion, "legal hold")?;
    }
    ensure!(bench.is_absent(&absent).await?, "a change of attributes made a version");
    Ok(())
}
