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
    bench::own,
    bucket::{self, Lock},
    lab::{Own, Stage, StageOptions},
    pair::twinlog_principal,
    refused::Refused,
    server::principal::twinlog_policy,
    site::Site,
    until::until,
};

use crate::{
    scenario::{Outcome, scenarios},
    writes::{crosses, other_bucket, put_at},
};

const VERSIONED: StageOptions = StageOptions { lock: Lock::Off, own: Own::Nothing, proxies: false };

scenarios!(
    running:
    versioning_suspended_and_a_bucket_made_anew(VERSIONED),
    default_retention_and_access_taken_away,
    a_locked_bucket_made_anew_at_either_end,
    the_stores_own_replication_and_a_source_closed,
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

async fn restart(stage: &mut Stage, site: Site) -> Outcome {
    stage.deployment.stop(site).await?;
    stage.deployment.start(site)?;
    stage.deployment.ready(site).await?;
    Ok(())
}

/// What is written at east crosses only after a pause, in which something else is done.
async fn paused(stage: &Stage, name: &str, key: &str, meanwhile: impl AsyncFnOnce() -> Result<(), Refused>) -> Outcome {
    stage.deployment.run(&["bucket", "pause", name, "--from", "east"]).await?;
    put_at(stage, Site::East, name, key).await?;
    held(stage, name, Some("paused")).await?;
    Ok(meanwhile().await?)
}

/// Removes every version of the bucket, at both sites.
async fn emptied(stage: &Stage, name: &str) -> Outcome {
    for site in Site::BOTH {
        emptied_at(stage, site, name).await?;
    }
    Ok(())
}

async fn emptied_at(stage: &Stage, site: Site, name: &str) -> Outcome {
    let client = stage.at(site).client;
    let listed = client.list_object_versions().bucket(name).send().await?;
    let versions = listed.versions().iter().map(|version| (version.key(), version.version_id()));
    let markers = listed.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
    for (key, id) in versions.chain(markers) {
        let delete = client.delete_object().bucket(name).key(key.unwrap_or_default());
        delete.version_id(id.unwrap_or_default()).send().await?;
    }
    Ok(())
}

/// Scenario: versioning is suspended at the target; at the source; then the target's bucket is deleted and made anew,
/// first without versioning. Guarantees: each is a hold under its own name, kept over a restart; the other bucket goes
/// on; mended, everything crosses; a bucket made anew asks for a person.
async fn versioning_suspended_and_a_bucket_made_anew(stage: &mut Stage) -> Outcome {
    let name = stage.bucket.clone();
    let (other, _lease) = other_bucket(stage, Lock::Off).await?;
    crosses(stage, &name, "first").await?;
    crosses(stage, &other, "first").await?;
    let west = stage.at(Site::West).client;

    // Looked at again at the start, and every half minute.
    stage.deployment.run(&["bucket", "pause", &name, "--from", "east"]).await?;
    put_at(stage, Site::East, &name, "while suspended").await?;
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

    paused(stage, &name, "while the source is suspended", async || {
        bucket::versioning(&stage.at(Site::East).client, &name, BucketVersioningStatus::Suspended).await
    })
    .await?;
    restart(stage, Site::West).await?;
    stage.deployment.run(&["bucket", "resume", &name, "--from", "east"]).await?;
    held(stage, &name, Some("source-versioning-off")).await?;
    crosses(stage, &other, "with the source suspended").await?;
    bucket::versioning(&stage.at(Site::East).client, &name, BucketVersioningStatus::Enabled).await?;
    held(stage, &name, None).await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;

    // Nothing is to be lost with the bucket that is deleted.
    emptied(stage, &name).await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;
    west.delete_bucket().bucket(&name).send().await?;
    put_at(stage, Site::East, &name, "while away").await?;
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

/// The policy that Twinlog needs, but for this in the stage's bucket.
fn denied(stage: &Stage, actions: &[&str]) -> Result<String, serde_json::Error> {
    let mut policy: serde_json::Value = serde_json::from_str(twinlog_policy(stage.kind()))?;
    let deny = serde_json::json!({
        "Effect": "Deny", "Action": actions, "Resource": [format!("arn:aws:s3:::{}/*", stage.bucket)],
    });
    policy["Statement"].as_array_mut().into_iter().for_each(|statements| statements.push(deny.clone()));
    Ok(policy.to_string())
}

/// Scenario: the target's default retention is changed, then Twinlog's permission to write there is taken away.
/// Guarantees: a hold each, kept over a restart, with what is missing by name; mended, everything crosses.
async fn default_retention_and_access_taken_away(stage: &mut Stage) -> Outcome {
    let name = stage.bucket.clone();
    let (other, _lease) = other_bucket(stage, Lock::On).await?;
    crosses(stage, &other, "first").await?;
    let west = stage.at(Site::West).client;
    let set = west.put_object_lock_configuration().bucket(&name).object_lock_configuration(default_retention(Some(1)));
    set.send().await?;
    put_at(stage, Site::East, &name, "while unlike").await?;
    held(stage, &name, Some("default-retention-differs")).await?;
    restart(stage, Site::West).await?;
    held(stage, &name, Some("default-retention-differs")).await?;
    crosses(stage, &other, "second").await?;
    let set = west.put_object_lock_configuration().bucket(&name).object_lock_configuration(default_retention(None));
    set.send().await?;
    held(stage, &name, None).await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;

    let (who, less) = (twinlog_principal(), denied(stage, &["s3:PutObject"])?);
    stage.store(Site::West).await.change_policy(&who, &less).await?;
    put_at(stage, Site::East, &name, "while refused").await?;
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

/// Scenario: a bucket with object lock is deleted at the target and made anew without lock, then with it; then the same at
/// the source, while a change of the old bucket waits. Guarantees: a hold each, under its name; the other bucket goes on;
/// nothing of the waiting change counts as superseded before a person says so.
async fn a_locked_bucket_made_anew_at_either_end(stage: &mut Stage) -> Outcome {
    let name = stage.bucket.clone();
    let (other, _lease) = other_bucket(stage, Lock::On).await?;
    crosses(stage, &name, "first").await?;
    crosses(stage, &other, "first").await?;
    emptied(stage, &name).await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;

    for (at, without, anew) in [
        (Site::West, "object-lock-missing", "target-recreated"),
        (Site::East, "object-lock-missing-at-source", "source-recreated"),
    ] {
        let client = stage.at(at).client;
        // Too large to travel in the log: its body is to be read at the source.
        stage.deployment.run(&["bucket", "pause", &name, "--from", "east"]).await?;
        put_large(stage, &name, "waits").await?;
        captured(stage, &name).await?;
        emptied_at(stage, at, &name).await?;
        client.delete_bucket().bucket(&name).send().await?;
        bucket::make(&client, &name, Lock::Off).await?;
        restart(stage, Site::West).await?;
        stage.deployment.run(&["bucket", "resume", &name, "--from", "east"]).await?;
        held(stage, &name, Some(without)).await?;
        crosses(stage, &other, without).await?;
        client.delete_bucket().bucket(&name).send().await?;
        bucket::make(&client, &name, Lock::On).await?;
        held(stage, &name, Some(anew)).await?;
        let metrics = stage.deployment.metrics(Site::West).await?;
        let superseded = [("bucket", name.as_str()), ("outcome", "superseded")];
        assert_eq!(metrics.sum("twinlog_events_done_total", &superseded), 0.0, "{anew}");
        stage.deployment.enable(&name).await?;
        stage.deployment.run(&["bucket", "release", &name]).await?;
        held(stage, &name, None).await?;
        if at == Site::West {
            stage.deployment.equal(&name, u64::MAX, SOON).await?;
            emptied_at(stage, Site::East, &name).await?;
            stage.deployment.equal(&name, u64::MAX, SOON).await?;
        }
    }
    crosses(stage, &name, "at last").await?;
    assert_eq!(stage.deployment.progress().written_to("dead.west").await?, 0);
    Ok(())
}

async fn put_large(stage: &Stage, name: &str, key: &str) -> Result<(), Refused> {
    let client = stage.at(Site::East).client;
    let put = client.put_object().bucket(name).key(key).body(ByteStream::from(vec![7; 100_000]));
    put.send().await.map(|_| ()).map_err(Refused::doing(format!("writing {key}")))
}

/// Waits until the notices of east are captured, so that a change event of each waits.
async fn captured(stage: &Stage, name: &str) -> Outcome {
    until("nothing was captured", SOON, async || {
        let topic = format!(".changes.east.{name}");
        let waiting = stage.deployment.progress().backlog().await?.of(&topic);
        Ok(if waiting > 0 { Ok(()) } else { Err("no change event waits".to_owned()) })
    })
    .await?;
    Ok(())
}

/// Scenario: the store's own replication of the bucket is switched on at the source, then at the target; then Twinlog may
/// not read the bucket at the source any more. Guarantees: the first two are holds; the third marks the bucket dirty at its producer, with no dead letter.
/// Other buckets go on, and both end by themselves.
async fn the_stores_own_replication_and_a_source_closed(stage: &mut Stage) -> Outcome {
    let name = stage.bucket.clone();
    let (other, _lease) = other_bucket(stage, Lock::On).await?;
    let aside = format!("{name}-aside");
    for site in Site::BOTH {
        bucket::make(&stage.at(site).client, &aside, Lock::On).await?;
    }
    crosses(stage, &name, "first").await?;
    for site in Site::BOTH {
        let key = format!("while {site} replicates too");
        stage.deployment.run(&["bucket", "pause", &name, "--from", "east"]).await?;
        put_at(stage, Site::East, &name, &key).await?;
        {
            // In this order always: two tests may want both.
            let (east, west) = (stage.store(Site::East).await, stage.store(Site::West).await);
            let (here, there) = if site == Site::East { (&*east, &*west) } else { (&*west, &*east) };
            own::replicate((here, &name), (there, &aside)).await?;
        }
        restart(stage, Site::West).await?;
        stage.deployment.run(&["bucket", "resume", &name, "--from", "east"]).await?;
        held(stage, &name, Some("own-replication-on")).await?;
        crosses(stage, &other, &key).await?;
        stage.at(site).client.delete_bucket_replication().bucket(&name).send().await?;
        held(stage, &name, None).await?;
        stage.deployment.equal(&name, u64::MAX, SOON).await?;
    }

    let who = twinlog_principal();
    let closed = denied(stage, &["s3:GetObject", "s3:GetObjectVersion"])?;
    stage.store(Site::East).await.change_policy(&who, &closed).await?;
    let outcome = async {
        put_at(stage, Site::East, &name, "while closed").await?;
        dirty(stage, &name).await?;
        crosses(stage, &other, "second").await
    }
    .await;
    // Every other test needs the permission back, whatever came of this one.
    stage.store(Site::East).await.change_policy(&who, twinlog_policy(stage.kind())).await?;
    outcome?;
    until("the bucket was not captured again", SOON, async || {
        put_at(stage, Site::East, &name, "opened").await?;
        let metrics = stage.deployment.metrics(Site::East).await?;
        let now = metrics.sum("twinlog_bucket_dirty", &[("bucket", name.as_str())]);
        Ok(if now == 0.0 { Ok(()) } else { Err(format!("dirty: {now}")) })
    })
    .await?;
    crosses(stage, &name, "at last").await?;
    for site in Site::BOTH {
        assert_eq!(stage.deployment.progress().written_to(&format!("dead.{site}")).await?, 0, "dead letters at {site}");
    }
    Ok(())
}

/// Waits until the producer at east says that it cannot capture the bucket.
async fn dirty(stage: &Stage, name: &str) -> Outcome {
    until("the bucket was not marked dirty", SOON, async || {
        let metrics = stage.deployment.metrics(Site::East).await?;
        let now = metrics.sum("twinlog_bucket_dirty", &[("bucket", name)]);
        Ok(if now > 0.0 { Ok(()) } else { Err(format!("dirty: {now}")) })
    })
    .await?;
    Ok(())
}
