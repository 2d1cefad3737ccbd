//! Large objects: verified whatever way they go, and carried on with after an interruption.

mod corrupted;
mod interrupted;

use std::time::Duration;

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use rand::{SeedableRng, rngs::SmallRng};
use twinlog_tests::{
    bucket::Lock,
    compare::Bucket,
    lab::{Own, Stage, StageOptions},
    proxy::Proxy,
    site::Site,
    workload::body,
};

use crate::scenario::{Failure, Outcome};

pub(crate) const MIB: usize = 1024 * 1024;
const LATER: Duration = Duration::from_secs(120);
const PROXIES: StageOptions = StageOptions { own: Own::Nothing, lock: Lock::On, proxies: true };

/// The way of Twinlog to a store.
pub(crate) fn way(stage: &Stage, site: Site) -> Result<&Proxy, Failure> {
    Ok(stage.proxies.as_ref().map(|proxies| &proxies[site.index()]).ok_or("the stage has no proxies")?)
}

/// Uploads an object in parts of these numbers and sizes; its version id.
pub(crate) async fn upload(at: &Bucket, key: &str, layout: &[(i32, usize)]) -> Result<Option<String>, Failure> {
    let (client, bucket) = (&at.client, &at.name);
    let upload = client.create_multipart_upload().bucket(bucket).key(key).tagging("in=parts").send().await?;
    let id = upload.upload_id().unwrap_or_default();
    let mut completed = CompletedMultipartUpload::builder();
    for (number, size) in layout {
        let bytes = body(&mut SmallRng::seed_from_u64(u64::from(number.unsigned_abs())), *size);
        let part = client.upload_part().bucket(bucket).key(key).upload_id(id).part_number(*number);
        let part = part.body(ByteStream::from(bytes)).send().await?;
        completed = completed.parts(CompletedPart::builder().part_number(*number).set_e_tag(part.e_tag).build());
    }
    let complete = client.complete_multipart_upload().bucket(bucket).key(key).upload_id(id);
    Ok(complete.multipart_upload(completed.build()).send().await?.version_id)
}

/// The ids of the unfinished uploads of a key.
pub(crate) async fn unfinished(at: &Bucket, key: &str) -> Result<Vec<String>, Failure> {
    // MinIO lists the uploads of one key only where it is given whole.
    let listed = at.client.list_multipart_uploads().bucket(&at.name).prefix(key).send().await?;
    Ok(listed.uploads().iter().filter_map(|upload| upload.upload_id.clone()).collect())
}

/// Both sites agree, nothing is dead, and no upload is left.
async fn ended_well(stage: &Stage, keys: &[&str]) -> Outcome {
    stage.deployment.equal(&stage.bucket, u64::MAX, LATER).await?;
    for site in Site::BOTH {
        assert_eq!(stage.deployment.progress().written_to(&format!("dead.{site}")).await?, 0, "dead letters at {site}");
        for key in keys {
            assert_eq!(unfinished(&stage.at(site), key).await?, Vec::<String>::new(), "uploads of {key} at {site}");
        }
    }
    Ok(())
}
