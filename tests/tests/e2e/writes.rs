//! What the clients of many scenarios do: they write an object, in the stage's bucket or in one beside it, and see it cross.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use twinlog_tests::{
    bucket::{self, Lock},
    door::Lease,
    lab::Stage,
    refused::Refused,
    site::Site,
    until::until,
};

use crate::scenario::{Failure, Outcome};

const SOON: Duration = Duration::from_secs(60);

/// Writes an object at a site.
pub async fn put_at(stage: &Stage, site: Site, name: &str, key: &str) -> Result<(), Refused> {
    let client = stage.at(site).client;
    let put = client.put_object().bucket(name).key(key).body(ByteStream::from_static(b"content"));
    put.send().await.map(drop).map_err(Refused::doing(format!("writing {key}")))
}

/// Writes an object in the stage's bucket at east.
pub async fn put(stage: &Stage, key: &str) -> Result<(), Refused> {
    put_at(stage, Site::East, &stage.bucket, key).await
}

/// A write at east comes to west, whatever else is held.
pub async fn crosses(stage: &Stage, name: &str, key: &str) -> Outcome {
    put_at(stage, Site::East, name, key).await?;
    until("a bucket was stalled", SOON, async || {
        let head = stage.at(Site::West).client.head_object().bucket(name).key(key).send().await;
        Ok(head.map(drop).map_err(|_| format!("{key} is not at west")))
    })
    .await?;
    Ok(())
}

/// A second bucket on the same links, with its notices.
pub async fn other_bucket(stage: &Stage, lock: Lock) -> Result<(String, Lease), Failure> {
    let name = format!("{}-other", stage.bucket);
    for site in Site::BOTH {
        bucket::make(&stage.at(site).client, &name, lock).await?;
    }
    let lease = stage.lease_too(&name);
    stage.deployment.enable(&name).await?;
    Ok((name, lease))
}
