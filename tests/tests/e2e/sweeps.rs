//! Sweeps: what no notice told is found, what was removed stays removed, and what vanished waits for a person.

use std::time::{Duration, Instant};

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Tag, Tagging};
use twinlog_tests::{
    door::Rule,
    lab::{Own, Stage, StageOptions},
    lab_error::LabError,
    pair::twinlog_principal,
    refused::Refused,
    server::principal::twinlog_policy,
    site::Site,
    until::until,
};

use crate::scenario::{Failure, Outcome, scenarios};

mod first {
    use super::*;

    scenarios!(prepared: contents_from_before);
}

/// A principal's policy is the store's own, so nobody else may be at it.
const ALONE: StageOptions = StageOptions { lock: twinlog_tests::bucket::Lock::On, own: Own::Stores, proxies: false };

scenarios!(running: what_no_door_told, a_bucket_that_could_not_be_captured(ALONE));

const SOON: Duration = Duration::from_secs(60);

/// Writes an object; its version id.
async fn put(stage: &Stage, site: Site, key: &str, body: &'static str) -> Result<String, Refused> {
    let at = stage.at(site);
    let put = at.client.put_object().bucket(&at.name).key(key).tagging("from=before");
    let put = put.body(ByteStream::from_static(body.as_bytes())).send().await;
    let put = put.map_err(Refused::doing(format!("writing {key}")))?;
    Ok(put.version_id().unwrap_or_default().to_owned())
}

/// Removes a version for good, or makes a marker.
async fn delete(stage: &Stage, site: Site, key: &str, version: Option<&str>) -> Outcome {
    let at = stage.at(site);
    let delete = at.client.delete_object().bucket(&at.name).key(key).set_version_id(version.map(str::to_owned));
    delete.send().await?;
    Ok(())
}

async fn is_there(stage: &Stage, site: Site, key: &str, version: &str) -> bool {
    let at = stage.at(site);
    at.client.head_object().bucket(&at.name).key(key).version_id(version).send().await.is_ok()
}

/// `twinlog sweep` of the stage's bucket: its exit code and what it printed.
async fn sweep(stage: &Stage, more: &[&str]) -> Result<(i32, String), LabError> {
    let mut arguments = vec!["sweep", "--bucket", &stage.bucket, "--settle", "1s"];
    arguments.extend(more);
    match stage.deployment.run(&arguments).await {
        Ok(said) => Ok((0, said)),
        Err(LabError::Command { code: Some(1), said, .. }) => Ok((1, said)),
        Err(error) => Err(error),
    }
}

/// Sweeps, expecting this exit code and these words.
async fn swept(stage: &Stage, more: &[&str], code: i32, words: &[&str]) -> Outcome {
    let (exit, said) = sweep(stage, more).await?;
    assert_eq!(exit, code, "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in\n{said}");
    }
    Ok(())
}

/// Scenario: buckets with contents from before they were enabled, of the same and of other keys, with tags and a marker;
/// swept twice; then a version is removed and all is swept again.
/// Guarantees: the first sweep asks for everything and both sites become equal; the second finds nothing; the removed
/// version does not come back.
async fn contents_from_before(stage: &mut Stage) -> Outcome {
    let removed = put(stage, Site::East, "both", "east's").await?;
    put(stage, Site::West, "both", "west's").await?;
    put(stage, Site::East, "of east", "one").await?;
    put(stage, Site::East, "of east", "two").await?;
    put(stage, Site::West, "of west", "three").await?;
    delete(stage, Site::West, "of west", None).await?;
    let name = stage.bucket.clone();
    let enabled = stage.deployment.enable(&name).await?;
    assert!(enabled.contains(&format!("`twinlog sweep --bucket {name}`")), "{enabled}");
    stage.deployment.start_both().await?;
    swept(stage, &["--dry-run"], 0, &["6 versions compared, would be asked for: 6 missing"]).await?;
    swept(stage, &[], 0, &["6 versions compared, asked for: 6 missing"]).await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;
    swept(stage, &[], 0, &["6 versions compared, nothing asked for"]).await?;

    delete(stage, Site::West, "both", Some(&removed)).await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;
    swept(stage, &[], 0, &["5 versions compared, nothing asked for"]).await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;
    assert!(!is_there(stage, Site::East, "both", &removed).await, "a removed version came back");
    let status = stage.deployment.run(&["status"]).await?;
    assert!(status.contains(&format!("bucket {name}: swept ")), "{status}");
    Ok(())
}

async fn tag(stage: &Stage, site: Site, key: &str, version: &str) -> Outcome {
    let at = stage.at(site);
    let tags = Tagging::builder().tag_set(Tag::builder().key("changed").value("yes").build()?).build()?;
    at.client.put_object_tagging().bucket(&at.name).key(key).version_id(version).tagging(tags).send().await?;
    Ok(())
}

/// Scenario: while Twinlog is stopped and the stores' notices are lost, versions are written, tagged, hidden by a marker
/// and removed; then the bucket is disabled, written to, and enabled again.
/// Guarantees: a sweep finds all of it. What was removed vanished, and stays where it is until a person says that it was
/// removed; so does what was written while the bucket was off, until a person says that it never came.
async fn what_no_door_told(stage: &mut Stage) -> Outcome {
    let name = stage.bucket.clone();
    let tagged = put(stage, Site::East, "tagged", "t").await?;
    let kept = put(stage, Site::East, "kept", "k").await?;
    let gone = put(stage, Site::East, "gone", "g").await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;
    for site in Site::BOTH {
        stage.deployment.stop(site).await?;
        stage.lease.rule(site, Rule::Lose);
    }
    put(stage, Site::East, "written at east", "e").await?;
    put(stage, Site::West, "written at west", "w").await?;
    tag(stage, Site::West, "tagged", &tagged).await?;
    delete(stage, Site::West, "kept", None).await?;
    delete(stage, Site::East, "gone", Some(&gone)).await?;
    stage.deployment.start_both().await?;
    swept(stage, &[], 1, &["vanished: gone version", "at west only", "1 VANISHED", "3 missing", "1 differing"]).await?;
    assert!(is_there(stage, Site::West, "gone", &gone).await, "removed on absence alone");
    assert!(!is_there(stage, Site::East, "gone", &gone).await, "created without a record");
    assert!(is_there(stage, Site::West, "kept", &kept).await);
    let status = stage.deployment.run(&["status", "--json"]).await?;
    assert!(status.contains("\"vanished\": 1"), "{status}");
    swept(stage, &["--remove", "--by", "a person"], 0, &["1 given up"]).await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;
    assert!(!is_there(stage, Site::West, "gone", &gone).await);

    for site in Site::BOTH {
        // The fast door of a running Twinlog stays open for some seconds more.
        stage.deployment.stop(site).await?;
    }
    stage.deployment.run(&["bucket", "disable", &name]).await?;
    let off = put(stage, Site::East, "written while off", "o").await?;
    stage.deployment.enable(&name).await?;
    stage.deployment.start_both().await?;
    swept(stage, &[], 1, &["vanished: written while off version", "at east only"]).await?;
    swept(stage, &["--create-missing", "--by", "a person"], 0, &["1 missing"]).await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;
    assert!(is_there(stage, Site::West, "written while off", &off).await);
    Ok(())
}

/// The policy that Twinlog needs, but for reading objects of the stage's bucket.
fn without_reads(stage: &Stage) -> Result<String, Failure> {
    let mut policy: serde_json::Value = serde_json::from_str(twinlog_policy(stage.kind()))?;
    let objects = format!("arn:aws:s3:::{}/*", stage.bucket);
    let deny = serde_json::json!({
        "Effect": "Deny", "Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": [objects],
    });
    policy["Statement"].as_array_mut().into_iter().for_each(|statements| statements.push(deny.clone()));
    Ok(policy.to_string())
}

/// Waits until the bucket is dirty at east, or not.
async fn dirty(stage: &Stage, expected: bool) -> Outcome {
    until("the bucket was not as expected", SOON, async || {
        let status = match stage.deployment.run(&["status", "--json"]).await {
            Ok(said) | Err(LabError::Command { code: Some(1), said, .. }) => said,
            Err(error) => return Err(error),
        };
        let status: serde_json::Value = serde_json::from_str(&status).unwrap_or_default();
        let buckets = status["sites"].as_array().into_iter().flatten().map(|site| &site["dirty_buckets"]);
        let dirty = buckets.flat_map(|buckets| buckets.as_array().into_iter().flatten()).next().is_some();
        Ok(if dirty == expected { Ok(()) } else { Err(status.to_string()) })
    })
    .await?;
    Ok(())
}

/// Scenario: Twinlog may not read the bucket for a while, in which it is written to; then it may again.
/// Guarantees: the bucket is marked dirty; once it is mended it is swept by itself, what was written crosses, and the
/// mark is taken back.
async fn a_bucket_that_could_not_be_captured(stage: &mut Stage) -> Outcome {
    let name = stage.bucket.clone();
    // What a bucket tells is whole from two seconds after it was enabled on.
    let enabled = Instant::now();
    until("the record of the bucket had not begun", SOON, async || {
        put(stage, Site::East, "early", "e").await?;
        let age = enabled.elapsed();
        Ok(if age > Duration::from_secs(3) { Ok(()) } else { Err(format!("for {age:?}")) })
    })
    .await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;
    let (who, less) = (twinlog_principal(), without_reads(stage)?);
    stage.store(Site::East).await.change_policy(&who, &less).await?;
    let put = put(stage, Site::East, "unreadable", "u").await;
    let marked = dirty(stage, true).await;
    stage.store(Site::East).await.change_policy(&who, twinlog_policy(stage.kind())).await?;
    put?;
    marked?;
    dirty(stage, false).await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;
    Ok(())
}
