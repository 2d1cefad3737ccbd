//! Changes of tags and locks after a version's birth, at the site of its birth and at the other.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::{
    primitives::{ByteStream, DateTime},
    types::{
        ObjectLockLegalHold, ObjectLockLegalHoldStatus, ObjectLockRetention, ObjectLockRetentionMode, Tag, Tagging,
    },
};
use twinlog_tests::{compare::Bucket, lab::Stage, site::Site};

use crate::scenario::{Failure, Outcome, scenarios};

scenarios!(running: tags_change_later, locks_change_later, locks_lifted_and_removed_at_once, compliance_is_never_broken);

const SOON: Duration = Duration::from_secs(60);

async fn born(bucket: &Bucket, key: &str) -> Result<String, Failure> {
    let put = bucket.client.put_object().bucket(&bucket.name).key(key).tagging("born=1");
    let answer = put.body(ByteStream::from_static(b"attributes")).send().await?;
    Ok(answer.version_id().ok_or("no version id")?.to_owned())
}

async fn tag(bucket: &Bucket, key: &str, id: &str, value: &str) -> Outcome {
    let tag = Tag::builder().key("later").value(value).build()?;
    let put = bucket.client.put_object_tagging().bucket(&bucket.name).key(key).version_id(id);
    put.tagging(Tagging::builder().tag_set(tag).build()?).send().await?;
    Ok(())
}

/// Scenario: versions born at each site are tagged and untagged there, and at the other site. Guarantees: the last
/// change, wherever it was made, holds at both.
async fn tags_change_later(stage: &mut Stage) -> Outcome {
    let (east, west) = (stage.at(Site::East), stage.at(Site::West));
    let mut versions = Vec::new();
    for (home, away) in [(&east, &west), (&west, &east)] {
        for key in ["here", "there", "cleared", "back and forth"] {
            let key = format!("{}/{key}", home.label);
            versions.push((home, away, born(home, &key).await?, key));
        }
    }
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    for (home, away, id, key) in &versions {
        match key.split_once('/').map(|(_, kind)| kind) {
            Some("here") => tag(home, key, id, "home").await?,
            Some("there") => tag(away, key, id, "away").await?,
            Some("cleared") => {
                away.client.delete_object_tagging().bucket(&away.name).key(key).version_id(id).send().await?;
            }
            _ => tag(home, key, id, "first").await?,
        }
    }
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    for (_, away, id, key) in versions.iter().filter(|(.., key)| key.ends_with("forth")) {
        tag(away, key, id, "second").await?;
    }
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    for (home, _, id, key) in versions.iter().filter(|(.., key)| key.ends_with("forth")) {
        let tags = home.client.get_object_tagging().bucket(&home.name).key(key).version_id(id).send().await?;
        assert_eq!(tags.tag_set().first().map(|tag| tag.value().to_owned()).as_deref(), Some("second"), "{key}");
    }
    Ok(())
}

fn days(days: i64) -> DateTime {
    DateTime::from_secs(DateTime::from(SystemTime::now()).secs() + days * 86_400)
}

async fn retain(bucket: &Bucket, key: &str, id: &str, mode: ObjectLockRetentionMode, until: DateTime) -> Outcome {
    let retention = ObjectLockRetention::builder().mode(mode).retain_until_date(until).build();
    let put = bucket.client.put_object_retention().bucket(&bucket.name).key(key).version_id(id);
    put.retention(retention).bypass_governance_retention(true).send().await?;
    Ok(())
}

async fn hold(bucket: &Bucket, key: &str, id: &str, status: ObjectLockLegalHoldStatus) -> Outcome {
    let hold = ObjectLockLegalHold::builder().status(status).build();
    let put = bucket.client.put_object_legal_hold().bucket(&bucket.name).key(key).version_id(id);
    put.legal_hold(hold).send().await?;
    Ok(())
}

/// Scenario: retention and legal hold are set, extended, shortened with bypass and lifted, at both ends. Guarantees:
/// both ends agree. (On RustFS such changes raise no notice but an audit record.)
async fn locks_change_later(stage: &mut Stage) -> Outcome {
    let (east, west) = (stage.at(Site::East), stage.at(Site::West));
    let mut versions = Vec::new();
    for (home, away) in [(&east, &west), (&west, &east)] {
        for key in ["retained", "retained there", "held", "held there", "on and off"] {
            let key = format!("{}/{key}", home.label);
            versions.push((home, away, born(home, &key).await?, key));
        }
    }
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    for (home, away, id, key) in &versions {
        match key.split_once('/').map(|(_, kind)| kind) {
            Some("retained") => retain(home, key, id, ObjectLockRetentionMode::Governance, days(5)).await?,
            Some("retained there") => retain(away, key, id, ObjectLockRetentionMode::Governance, days(5)).await?,
            Some("held") => hold(home, key, id, ObjectLockLegalHoldStatus::On).await?,
            Some("held there") => hold(away, key, id, ObjectLockLegalHoldStatus::On).await?,
            _ => hold(home, key, id, ObjectLockLegalHoldStatus::On).await?,
        }
    }
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    for (home, away, id, key) in &versions {
        match key.split_once('/').map(|(_, kind)| kind) {
            Some("retained") => retain(home, key, id, ObjectLockRetentionMode::Governance, days(2)).await?,
            Some("retained there") => retain(away, key, id, ObjectLockRetentionMode::Governance, days(9)).await?,
            Some("on and off") => hold(away, key, id, ObjectLockLegalHoldStatus::Off).await?,
            _ => {}
        }
    }
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    for (home, away, id, key) in &versions {
        for bucket in [home, away] {
            let head = bucket.client.head_object().bucket(&bucket.name).key(key).version_id(id).send().await?;
            let held = head.object_lock_legal_hold_status() == Some(&ObjectLockLegalHoldStatus::On);
            assert_eq!(held, key.contains("/held"), "{key} at {}", bucket.label);
            let retained = head.object_lock_retain_until_date().is_some();
            assert_eq!(retained, key.contains("/retained"), "{key} at {}", bucket.label);
        }
    }
    Ok(())
}

/// Scenario: a lock that a client set at one site is lifted (legal hold) or bypassed (GOVERNANCE) at the other, and the
/// version removed there at once, so that the lifting is never told. Guarantees: it is removed at both.
async fn locks_lifted_and_removed_at_once(stage: &mut Stage) -> Outcome {
    let (east, west) = (stage.at(Site::East), stage.at(Site::West));
    let mut versions = Vec::new();
    for (home, away) in [(&east, &west), (&west, &east)] {
        for key in ["held", "retained"] {
            let key = format!("{}/{key}", home.label);
            versions.push((home, away, born(home, &key).await?, key));
        }
    }
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    for (home, _, id, key) in &versions {
        if key.ends_with("held") {
            hold(home, key, id, ObjectLockLegalHoldStatus::On).await?;
        } else {
            retain(home, key, id, ObjectLockRetentionMode::Governance, days(5)).await?;
        }
    }
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    for (_, away, id, key) in &versions {
        if key.ends_with("held") {
            hold(away, key, id, ObjectLockLegalHoldStatus::Off).await?;
        }
        let delete = away.client.delete_object().bucket(&away.name).key(key).version_id(id);
        delete.bypass_governance_retention(true).send().await?;
    }
    let compared = stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    assert_eq!(compared.versions, 0);
    Ok(())
}

/// Scenario: a version under running COMPLIANCE at both sites, which a client tries to remove at each. Guarantees: both
/// stores refuse, it stays at both, and an extension crosses.
async fn compliance_is_never_broken(stage: &mut Stage) -> Outcome {
    let (east, west) = (stage.at(Site::East), stage.at(Site::West));
    let id = born(&east, "complied").await?;
    retain(&east, "complied", &id, ObjectLockRetentionMode::Compliance, days(1)).await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    for bucket in [&east, &west] {
        let delete = bucket.client.delete_object().bucket(&bucket.name).key("complied").version_id(&id);
        assert!(delete.bypass_governance_retention(true).send().await.is_err(), "removed at {}", bucket.label);
    }
    retain(&west, "complied", &id, ObjectLockRetentionMode::Compliance, days(3)).await?;
    let compared = stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    assert_eq!(compared.versions, 1);
    Ok(())
}
