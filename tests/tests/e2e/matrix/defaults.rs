//! The bucket's default retention: the same at both ends, and not; and retention that runs out while nobody applies it.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::{
    primitives::{ByteStream, DateTime},
    types::{
        DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockMode, ObjectLockRetentionMode,
        ObjectLockRule,
    },
};
use twinlog_tests::{
    compare::{Bucket, describe, list},
    lab::Stage,
    site::Site,
    until::until,
};

use crate::scenario::{Failure, Outcome, scenarios};

scenarios!(running: default_retention, retention_runs_out_during_an_outage);

const CROSSED: Duration = Duration::from_secs(120);

async fn set_default(at: &Bucket, days: i32) -> Outcome {
    let default = DefaultRetention::builder().mode(ObjectLockRetentionMode::Governance).days(days).build();
    let rule = ObjectLockRule::builder().default_retention(default).build();
    let configuration =
        ObjectLockConfiguration::builder().object_lock_enabled(ObjectLockEnabled::Enabled).rule(rule).build();
    let put = at.client.put_object_lock_configuration().bucket(&at.name);
    put.object_lock_configuration(configuration).send().await?;
    Ok(())
}

async fn put(at: &Bucket, key: &str) -> Result<String, Failure> {
    let put = at.client.put_object().bucket(&at.name).key(key).body(ByteStream::from_static(b"by default"));
    Ok(put.send().await?.version_id().ok_or("no version id")?.to_owned())
}

/// What retention a client reads.
async fn retention(at: &Bucket, key: &str) -> Result<Option<String>, Failure> {
    let listing = list(at).await?;
    let listed = listing.get(key).and_then(|versions| versions.first()).ok_or("the key is not listed")?;
    Ok(describe(at, listed, 0).await?.attributes.get("retention").cloned())
}

/// Scenario: the bucket has the same default retention at both ends, and objects without locks of their own are born at
/// both; then the ends' defaults differ, and then not. Guarantees: an object has the retention that its birth gave it;
/// while the defaults differ the bucket is held, for that reason, and it goes on by itself.
async fn default_retention(stage: &mut Stage) -> Outcome {
    let (east, west) = (stage.at(Site::East), stage.at(Site::West));
    for bucket in [&east, &west] {
        set_default(bucket, 2).await?;
    }
    for bucket in [&east, &west] {
        put(bucket, &bucket.label).await?;
    }
    stage.deployment.equal(&stage.bucket, u64::MAX, CROSSED).await?;
    for key in ["east", "west"] {
        let [one, other] = [retention(&east, key).await?, retention(&west, key).await?];
        assert!(one.as_deref().is_some_and(|shown| shown.starts_with("GOVERNANCE until")), "{key}: {one:?}");
        assert_eq!(one, other, "{key}");
    }
    // A process looks at the set-up before its first write, and then every half minute.
    stage.deployment.stop(Site::West).await?;
    set_default(&west, 5).await?;
    put(&east, "held back").await?;
    stage.deployment.start(Site::West)?;
    stage.deployment.ready(Site::West).await?;
    let held = [("bucket", stage.bucket.as_str()), ("reason", "default-retention-differs")];
    until("the bucket was not held", CROSSED, async || {
        let value = stage.deployment.metrics(Site::West).await?.sum("twinlog_hold", &held);
        Ok(if value > 0.0 { Ok(()) } else { Err(format!("twinlog_hold is {value}")) })
    })
    .await?;
    assert!(!list(&west).await?.contains_key("held back"), "applied although the defaults differ");
    set_default(&west, 2).await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, CROSSED).await?;
    assert_eq!(retention(&east, "held back").await?, retention(&west, "held back").await?);
    Ok(())
}

/// Scenario: an object is born under a retention that has run out when the target's outage ends; and one whose retention
/// ran out at both. Guarantees: both cross without a retention, since one that has run out equals none.
async fn retention_runs_out_during_an_outage(stage: &mut Stage) -> Outcome {
    const SHORT: Duration = Duration::from_secs(4);
    let (east, west) = (stage.at(Site::East), stage.at(Site::West));
    stage.deployment.stop(Site::West).await?;
    let runs_out = DateTime::from_secs(DateTime::from(SystemTime::now() + SHORT).secs());
    for (key, mode) in [("governance", ObjectLockMode::Governance), ("compliance", ObjectLockMode::Compliance)] {
        let put = east.client.put_object().bucket(&east.name).key(key).body(ByteStream::from_static(b"for seconds"));
        put.object_lock_mode(mode).object_lock_retain_until_date(runs_out).send().await?;
    }
    until("the retention did not run out", SHORT * 3, async || {
        let over = DateTime::from(SystemTime::now()) > runs_out;
        Ok(if over { Ok(()) } else { Err(format!("until {runs_out:?}")) })
    })
    .await?;
    stage.deployment.start(Site::West)?;
    stage.deployment.ready(Site::West).await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, CROSSED).await?;
    for key in ["governance", "compliance"] {
        assert_eq!(retention(&west, key).await?, None, "{key}");
        let listing = list(&west).await?;
        let delete = east.client.delete_object().bucket(&east.name).key(key).version_id(&listing[key][0].id);
        delete.send().await?;
    }
    let compared = stage.deployment.equal(&stage.bucket, u64::MAX, CROSSED).await?;
    assert_eq!(compared.versions, 0, "a version whose retention has run out can be removed");
    Ok(())
}
