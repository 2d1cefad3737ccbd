//! A set-up that goes wrong while Twinlog runs: the bucket is held under the right name, others go on, a restart keeps
//! it, and once it is mended everything crosses.

use std::time::Duration;

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{
        BucketVersioningStatus, DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetentionMode,
        ObjectLockRule,
    },
};
use twinlog_tests::{
    bucket::{self, Lock},
    door::Lease,
    lab::{Alone, Stage, StageOptions},
    pair::twinlog_principal,
    refused::Refused,
    server::principal::twinlog_policy,
    site::Site,
    until::until,
};

use crate::scenario::{Failure, Outcome, scenarios};

const VERSIONED: StageOptions = StageOptions { lock: Lock::Off, alone: Alone::Nothing, proxies: false };

scenarios!(
    running:
    versioning_suspended_and_a_bucket_made_anew(VERSIONED),
    default_retention_and_access_taken_away,
);

const SOON: Duration = Duration::from_secs(60);
const LINK: &str = "east>west";

/// Waits until the bucket is held at west for this reason, or not held at all.
async fn held(stage: &Stage, name: &str, reason: Option<&str>) -> Outcome {
    until("the hold was not as expected", SOON, async || {
        let metrics = stage.deployment.metrics(Site::West).await?;
        let labels = [("link", LINK), ("bucket", name)];
        let mut now = metrics.of("twinlog_hold", &labels).filter(|sample| sample.value > 0.0);
        let now = now.next().map(|sample| sample.labels.get("reason").cloned().unwrap_or_default());
        Ok(if now.as_deref() == reason { Ok(()) } else { Err(format!("{name} is held: {now:?}, not {reason:?}")) })
    })
    .await?;
    Ok(())
}

async fn put(stage: &Stage, site: Site, name: &str, key: &str) -> Result<(), Refused> {
    let client = stage.at(site).client;
    let put = client.put_object().bucket(name).key(key).body(ByteStream::from_static(b"content"));
    put.send().await.map(|_| ()).map_err(Refused::doing(format!("writing {key}")))
}

/// A write at east comes to west while something else is held.
async fn crosses(stage: &Stage, name: &str, key: &str) -> Outcome {
    put(stage, Site::East, name, key).await?;
    until("another bucket was stalled", SOON, async || {
        let head = stage.at(Site::West).client.head_object().bucket(name).key(key).send().await;
        Ok(head.map(drop).map_err(|_| format!("{key} is not at west")))
    })
    .await?;
    Ok(())
}

async fn restart(stage: &mut Stage, site: Site) -> Outcome {
    stage.deployment.stop(site).await?;
    stage.deployment.start(site)?;
    stage.deployment.ready(site).await?;
    Ok(())
}

/// A second bucket on the same links, with its notices.
async fn other(stage: &Stage, lock: Lock) -> Result<(String, Lease), Failure> {
    let name = format!("{}-other", stage.bucket);
    for site in Site::BOTH {
        bucket::make(&stage.at(site).client, &name, lock).await?;
    }
    let lease = stage.lease_too(&name);
    stage.deployment.enable(&name).await?;
    Ok((name, lease))
}

/// Scenario: versioning is suspended at the target; at the source; then the target's bucket is deleted and made anew,
/// first without versioning. Guarantees: each is a hold under its own name, kept over a restart; the other bucket goes
/// on; mended, everything crosses; a bucket made anew asks for a person.
async fn versioning_suspended_and_a_bucket_made_anew(stage: &mut Stage) -> Outcome {
    let name = stage.bucket.clone();
    let (other, _lease) = other(stage, Lock::Off).await?;
    crosses(stage, &name, "first").await?;
    crosses(stage, &other, "first").await?;
    let west = stage.at(Site::West).client;

    // Looked at again at the start, and every half minute.
    stage.deployment.run(&["bucket", "pause", &name, "--from", "east"]).await?;
    put(stage, Site::East, &name, "while suspended").await?;
    bucket::versioning(&west, &name, BucketVersioningStatus::Suspended).await?;
    held(stage, &name, Some("paused")).await?;
    restart(stage, Site::West).await?;
    held(stage, &name, Some("paused")).await?;
    stage.deployment.run(&["bucket", "resume", &name, "--from", "east"]).await?;
    held(stage, &name, Some("target-versioning-off")).await?;
    crosses(stage, &other, "second").await?;
    restart(stage, Site::West).await?;
    held(stage, &name, Some("target-versioning-off")).await?;
    let listed = stage.deployment.run(&["bucket", "list"]).await?;
    assert!(listed.contains("held: target-versioning-off"), "{listed}");
    bucket::versioning(&west, &name, BucketVersioningStatus::Enabled).await?;
    held(stage, &name, None).await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;

    // Nothing is to be lost with the bucket that is deleted.
    for site in Site::BOTH {
        let client = stage.at(site).client;
        let versions = client.list_object_versions().bucket(&name).send().await?;
        for version in versions.versions() {
            let (key, id) = (version.key().unwrap_or_default(), version.version_id().unwrap_or_default());
            client.delete_object().bucket(&name).key(key).version_id(id).send().await?;
        }
    }
    stage.deployment.equal(&name, u64::MAX, SOON).await?;
    west.delete_bucket().bucket(&name).send().await?;
    put(stage, Site::East, &name, "while away").await?;
    restart(stage, Site::West).await?;
    held(stage, &name, Some("no-such-bucket")).await?;
    bucket::make(&west, &name, Lock::Unversioned).await?;
    held(stage, &name, Some("target-versioning-off")).await?;
    bucket::versioning(&west, &name, BucketVersioningStatus::Enabled).await?;
    held(stage, &name, Some("target-recreated")).await?;
    crosses(stage, &other, "third").await?;
    stage.deployment.enable(&name).await?;
    stage.deployment.run(&["bucket", "release", &name, "--from", "east"]).await?;
    held(stage, &name, None).await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;
    assert_eq!(stage.deployment.progress().written_to("dead.west").await?, 0);
    Ok(())
}

fn default_retention(days: Option<i32>) -> ObjectLockConfiguration {
    let rule = days.map(|days| {
        let default = DefaultRetention::builder().mode(ObjectLockRetentionMode::Governance).days(days).build();
        ObjectLockRule::builder().default_retention(default).build()
    });
    ObjectLockConfiguration::builder().object_lock_enabled(ObjectLockEnabled::Enabled).set_rule(rule).build()
}

/// The policy that Twinlog needs, but for writes into this bucket.
fn without_writes(stage: &Stage) -> Result<String, serde_json::Error> {
    let mut policy: serde_json::Value = serde_json::from_str(twinlog_policy(stage.kind()))?;
    let deny = serde_json::json!({
        "Effect": "Deny", "Action": ["s3:PutObject"], "Resource": [format!("arn:aws:s3:::{}/*", stage.bucket)],
    });
    policy["Statement"].as_array_mut().into_iter().for_each(|statements| statements.push(deny.clone()));
    Ok(policy.to_string())
}

/// Scenario: the target's default retention is changed, then Twinlog's permission to write there is taken away.
/// Guarantees: a hold each, kept over a restart, with what is missing by name; mended, everything crosses.
async fn default_retention_and_access_taken_away(stage: &mut Stage) -> Outcome {
    let name = stage.bucket.clone();
    let (other, _lease) = other(stage, Lock::On).await?;
    crosses(stage, &other, "first").await?;
    let west = stage.at(Site::West).client;
    let set = west.put_object_lock_configuration().bucket(&name).object_lock_configuration(default_retention(Some(1)));
    set.send().await?;
    put(stage, Site::East, &name, "while unlike").await?;
    held(stage, &name, Some("default-retention-differs")).await?;
    restart(stage, Site::West).await?;
    held(stage, &name, Some("default-retention-differs")).await?;
    crosses(stage, &other, "second").await?;
    let set = west.put_object_lock_configuration().bucket(&name).object_lock_configuration(default_retention(None));
    set.send().await?;
    held(stage, &name, None).await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;

    let (who, less) = (twinlog_principal(), without_writes(stage)?);
    stage.store(Site::West).await.change_policy(&who, &less).await?;
    put(stage, Site::East, &name, "while refused").await?;
    let refused = held(stage, &name, Some("access-denied")).await;
    let status = stage.deployment.run(&["status"]).await;
    let again = restart(stage, Site::West).await;
    let kept = held(stage, &name, Some("access-denied")).await;
    let beside = crosses(stage, &other, "third").await;
    // Every other test needs the permission back, whatever came of this one.
    stage.store(Site::West).await.change_policy(&who, twinlog_policy(stage.kind())).await?;
    refused.and(again).and(kept).and(beside)?;
    let status = status.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(status.contains("held: access-denied") && status.contains("s3:PutObject"), "{status}");
    held(stage, &name, None).await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;
    assert_eq!(stage.deployment.progress().written_to("dead.west").await?, 0);
    Ok(())
}
