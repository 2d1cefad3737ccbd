//! Acts that make versions: puts, uploads, copies.

use std::time::Duration;

use aws_sdk_s3::{
    operation::put_object::builders::PutObjectFluentBuilder,
    primitives::ByteStream,
    types::{
        ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, MetadataDirective, ObjectLockLegalHoldStatus,
        ObjectLockMode, TaggingDirective,
    },
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rand::{Rng, rngs::SmallRng};

use super::{
    Act,
    changes::{DAY, until},
    client::{Came, Client},
};
use crate::{refused::Refused, workload::body};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

impl Client {
    pub(super) async fn put(&self, act: Act, rng: &mut SmallRng) -> Result<Came, Refused> {
        let key = self.key(rng);
        let size = match act {
            Act::PutEmpty => 0,
            Act::PutLarge => rng.random_range(64 * KIB..MIB),
            Act::PutSmall => rng.random_range(1..=16 * KIB),
            _ => rng.random_range(1..=2 * KIB),
        };
        let bytes = body(rng, size);
        let put = self.at.client.put_object().bucket(&self.at.name).key(key);
        let put = described(put, rng).body(ByteStream::from(bytes));
        let put = match act {
            Act::PutTagged => put.tagging(tags(rng)),
            Act::PutGoverned => {
                let time = if rng.random() { DAY } else { Duration::from_secs(rng.random_range(2..6)) };
                put.object_lock_mode(ObjectLockMode::Governance).object_lock_retain_until_date(until(time))
            }
            Act::PutComplied => {
                let time = Duration::from_secs(rng.random_range(2..6));
                put.object_lock_mode(ObjectLockMode::Compliance).object_lock_retain_until_date(until(time))
            }
            Act::PutHeld => put.object_lock_legal_hold_status(ObjectLockLegalHoldStatus::On),
            _ => put,
        };
        put.send().await.map_err(Refused::doing(format!("PUT {key:?}")))?;
        Ok(Came::Done)
    }

    pub(super) async fn upload(&self, act: Act, rng: &mut SmallRng) -> Result<Came, Refused> {
        // Neither store keeps an upload under a key that ends in `/`.
        let key = self.versioned_key(rng);
        let layout = match act {
            Act::OnePart => vec![(rng.random_range(1..10), rng.random_range(1..64 * KIB))],
            _ if rng.random() => vec![(1, 5 * MIB), (2, 5 * MIB + rng.random_range(1..KIB)), (3, 17)],
            _ => vec![(2, 5 * MIB), (9, rng.random_range(1..MIB))],
        };
        let create = self.at.client.create_multipart_upload().bucket(&self.at.name).key(key);
        let create = create.content_type("application/x-parts").metadata("parts", layout.len().to_string());
        let create = if rng.random() { create.tagging(tags(rng)) } else { create };
        let upload = create.send().await.map_err(Refused::doing(format!("creating an upload of {key:?}")))?;
        let id = upload.upload_id().unwrap_or_default();
        let mut completed = CompletedMultipartUpload::builder();
        for (number, size) in layout {
            let part = self.at.client.upload_part().bucket(&self.at.name).key(key).upload_id(id).part_number(number);
            let part = part.body(ByteStream::from(body(rng, size)));
            let part = part.send().await.map_err(Refused::doing(format!("part {number} of {key:?}")))?;
            completed = completed.parts(CompletedPart::builder().part_number(number).set_e_tag(part.e_tag).build());
        }
        let complete = self.at.client.complete_multipart_upload().bucket(&self.at.name).key(key).upload_id(id);
        let complete = complete.multipart_upload(completed.build());
        complete.send().await.map_err(Refused::doing(format!("completing the upload of {key:?}")))?;
        Ok(Came::Done)
    }

    pub(super) async fn copy(&self, act: Act, rng: &mut SmallRng) -> Result<Came, Refused> {
        let key = self.key(rng);
        let Some(source) = self.object(rng).await? else { return Ok(Came::Idle) };
        let from = utf8_percent_encode(&source.key, NON_ALPHANUMERIC);
        let from = format!("{}/{from}?versionId={}", self.at.name, source.id);
        let mut copy = self.at.client.copy_object().bucket(&self.at.name).key(key).copy_source(from);
        // Onto itself a copy has to change something.
        if act == Act::CopyReplace || key == source.key {
            copy =
                copy.metadata_directive(MetadataDirective::Replace).metadata("copied", rng.random::<u8>().to_string());
            copy = copy.tagging_directive(TaggingDirective::Replace).tagging(tags(rng)).content_type("text/copied");
        }
        copy.send().await.map_err(Refused::doing(format!("copying {:?} to {key:?}", source.key)))?;
        Ok(Came::Done)
    }
}

/// Some content headers, user metadata and a checksum, drawn anew for each object.
fn described(mut put: PutObjectFluentBuilder, rng: &mut SmallRng) -> PutObjectFluentBuilder {
    let some: u8 = rng.random();
    if some & 1 != 0 {
        put = put.content_type("text/plain; charset=utf-8");
    }
    if some & 2 != 0 {
        put = put.cache_control("max-age=60, private").content_encoding("gzip");
    }
    if some & 4 != 0 {
        put = put.content_disposition("attachment; filename=\"a b.txt\"").content_language("de, en");
    }
    if some & 8 != 0 {
        put = put.metadata("colour", format!("blue {}", rng.random::<u32>())).metadata("x-y-z", "1");
    }
    if some & 16 != 0 {
        put = put.expires(until(DAY));
    }
    match some >> 5 {
        0 => put.checksum_algorithm(ChecksumAlgorithm::Sha256),
        1 => put.checksum_algorithm(ChecksumAlgorithm::Crc32C),
        _ => put,
    }
}

/// One to ten tags, as a header has them.
fn tags(rng: &mut SmallRng) -> String {
    let many = rng.random_range(1..=10);
    (0..many).map(|tag| format!("tag{tag}=value+{}", rng.random::<u16>())).collect::<Vec<_>>().join("&")
}
