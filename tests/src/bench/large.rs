//! One large object, uploaded in parts.

use std::time::{Duration, Instant};

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use rand::{SeedableRng, rngs::SmallRng};

use super::lag::arrived;
use crate::{compare::Bucket, lab_error::LabError, refused::Refused, workload::body};

/// The size of a part, as common clients choose it for objects of gigabytes.
const PART: u64 = 64 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(3_600);
const KEY: &str = "large";

/// Uploads an object of so many bytes and returns how long it took to arrive after that.
pub(super) async fn measure(between: &[Bucket; 2], bytes: u64) -> Result<Duration, LabError> {
    let [source, target] = between;
    let create = source.client.create_multipart_upload().bucket(&source.name).key(KEY).send();
    let upload = create.await.map_err(Refused::doing("creating the large upload"))?;
    let id = upload.upload_id().unwrap_or_default();
    let mut completed = CompletedMultipartUpload::builder();
    let (mut number, mut left) = (1, bytes);
    while left > 0 {
        let size = usize::try_from(left.min(PART)).unwrap_or(usize::MAX);
        let bytes = body(&mut SmallRng::seed_from_u64(number as u64), size);
        let part = source.client.upload_part().bucket(&source.name).key(KEY).upload_id(id).part_number(number);
        let part = part.body(ByteStream::from(bytes)).send().await;
        let part = part.map_err(Refused::doing(format!("part {number} of the large upload")))?;
        completed = completed.parts(CompletedPart::builder().part_number(number).set_e_tag(part.e_tag).build());
        (number, left) = (number + 1, left - size as u64);
    }
    let complete = source.client.complete_multipart_upload().bucket(&source.name).key(KEY).upload_id(id);
    let complete = complete.multipart_upload(completed.build()).send().await;
    complete.map_err(Refused::doing("completing the large upload"))?;
    let began = Instant::now();
    arrived_slowly(target).await?;
    Ok(began.elapsed())
}

/// It takes a while: looking without pause would take the processor from those who carry it.
async fn arrived_slowly(target: &Bucket) -> Result<(), LabError> {
    let until = Instant::now() + PATIENCE;
    loop {
        match arrived(target, KEY, Duration::ZERO).await {
            Err(LabError::Refused(refused)) if refused.status == Some(404) && Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            other => return other,
        }
    }
}
