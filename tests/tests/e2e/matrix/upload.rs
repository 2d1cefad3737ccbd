//! How a case is written: one PUT, or a multipart upload.

use aws_sdk_s3::{
    config::{Builder, RequestChecksumCalculation},
    primitives::ByteStream,
    types::{ChecksumType, CompletedMultipartUpload, CompletedPart},
};
use bytes::Bytes;
use rand::{SeedableRng, rngs::SmallRng};
use sha2::{Digest, Sha256};
use twinlog_tests::{compare::Bucket, refused::Refused, workload::body};

use super::case::{Body, Case};

/// What came of it.
pub struct Born {
    /// The version's id; `null` where the store gives none.
    pub id: String,
    /// What is read as the body.
    pub body: String,
}

/// Writes a case under this key.
pub async fn write(bucket: &Bucket, key: &str, case: &Case) -> Result<Born, Refused> {
    let mut rng = SmallRng::seed_from_u64(case.name.bytes().map(u64::from).sum());
    match &case.body {
        Body::Whole(size) => put(bucket, key, case, body(&mut rng, *size)).await,
        Body::Text(text) => put(bucket, key, case, Bytes::from_static(text.as_bytes())).await,
        Body::Parts(layout) => parts(bucket, key, case, layout, &mut rng).await,
    }
}

async fn put(bucket: &Bucket, key: &str, case: &Case, bytes: Bytes) -> Result<Born, Refused> {
    let digest = described(bytes.len(), &Sha256::digest(&bytes));
    let request = bucket.client.put_object().bucket(&bucket.name).key(key);
    let request = request.set_checksum_algorithm(case.checksum.as_ref().map(|(algorithm, _)| algorithm.clone()));
    let headers = case.headers.clone();
    let request = request.body(ByteStream::from(bytes)).customize().mutate_request(move |request| {
        for (name, value) in headers.clone() {
            request.headers_mut().insert(name, value);
        }
    });
    let request = request.config_override(sums(case));
    let answer = request.send().await.map_err(Refused::doing(format!("PUT {}", case.name)))?;
    Ok(Born { id: id(answer.version_id()), body: digest })
}

async fn parts(
    bucket: &Bucket,
    key: &str,
    case: &Case,
    layout: &[(i32, usize)],
    rng: &mut SmallRng,
) -> Result<Born, Refused> {
    let (client, name) = (&bucket.client, &bucket.name);
    let headers = case.headers.clone();
    let algorithm = case.checksum.as_ref().map(|(algorithm, _)| algorithm.clone());
    let kind = case.checksum.as_ref().map(|(_, kind)| kind.clone());
    let create = client.create_multipart_upload().bucket(name).key(key);
    let create = create.set_checksum_algorithm(algorithm.clone()).set_checksum_type(kind.clone());
    let create = create.customize().mutate_request(move |request| {
        for (name, value) in headers.clone() {
            request.headers_mut().insert(name, value);
        }
    });
    let upload = create.send().await.map_err(Refused::doing(format!("beginning {}", case.name)))?;
    let upload = upload.upload_id().unwrap_or_default();
    let mut completed = CompletedMultipartUpload::builder();
    let mut whole = Sha256::new();
    let mut size = 0;
    for (number, length) in layout {
        let bytes = body(rng, *length);
        whole.update(&bytes);
        size += length;
        let part = client.upload_part().bucket(name).key(key).upload_id(upload).part_number(*number);
        let part = part.set_checksum_algorithm(algorithm.clone()).body(ByteStream::from(bytes));
        let part = part.customize().config_override(sums(case)).send().await;
        let part = part.map_err(Refused::doing(format!("part {number} of {}", case.name)))?;
        let done = CompletedPart::builder().part_number(*number).set_e_tag(part.e_tag);
        let done = done.set_checksum_crc32(part.checksum_crc32).set_checksum_crc32_c(part.checksum_crc32_c);
        let done = done.set_checksum_crc64_nvme(part.checksum_crc64_nvme);
        let done = done.set_checksum_sha1(part.checksum_sha1).set_checksum_sha256(part.checksum_sha256);
        completed = completed.parts(done.build());
    }
    let complete = client.complete_multipart_upload().bucket(name).key(key).upload_id(upload);
    let complete = complete.set_checksum_type(kind.filter(|kind| *kind == ChecksumType::FullObject));
    let complete = complete.multipart_upload(completed.build()).send().await;
    let answer = complete.map_err(Refused::doing(format!("completing {}", case.name)))?;
    Ok(Born { id: id(answer.version_id()), body: described(size, &whole.finalize()) })
}

/// The client computes no checksum but one that it is told to.
fn sums(case: &Case) -> Builder {
    let when = match case.checksum {
        Some(_) => RequestChecksumCalculation::WhenSupported,
        None => RequestChecksumCalculation::WhenRequired,
    };
    Builder::new().request_checksum_calculation(when)
}

fn id(id: Option<&str>) -> String {
    id.unwrap_or("null").to_owned()
}

fn described(size: usize, digest: &[u8]) -> String {
    format!("{size} bytes, sha256 {}", hex::encode(digest))
}
