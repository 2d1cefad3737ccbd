//! All that a client can read of one object version, by plain S3 calls: nothing here is Twinlog's own reading.

use std::{collections::BTreeMap, time::SystemTime};

use aws_sdk_s3::{
    operation::head_object::HeadObjectOutput,
    types::{ChecksumMode, ObjectAttributes, ObjectLockLegalHoldStatus, ReplicationStatus},
};
use sha2::{Digest, Sha256};

use twinlog_site::ListedVersion;
use twinlog_verify::Description;

use super::Bucket;
use crate::refused::Refused;

/// Reads one version; its body where it has at most `bodies_up_to` bytes.
pub(super) async fn describe(
    bucket: &Bucket,
    version: &ListedVersion,
    bodies_up_to: Option<u64>,
) -> Result<Description, Refused> {
    let head = bucket
        .client
        .head_object()
        .bucket(&bucket.name)
        .key(version.key.as_str())
        .version_id(version.version_id.as_str())
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .map_err(Refused::doing("HEAD"))?;
    let replica = matches!(head.replication_status(), Some(ReplicationStatus::Replica));
    let mut description = Description { replica, ..Description::default() };
    headers(&mut description, &head);
    checksums(&mut description, &head);
    locks(&mut description, &head);
    tags(&mut description, bucket, version).await?;
    if version.etag.as_deref().is_some_and(|etag| etag.contains('-')) {
        parts(&mut description, bucket, version).await?;
    }
    let size = version.size.unwrap_or(0);
    if bodies_up_to.is_some_and(|most| size <= most) {
        body(&mut description, bucket, version).await?;
    }
    Ok(description)
}

fn headers(into: &mut Description, head: &HeadObjectOutput) {
    into.put("Content-Length", head.content_length());
    into.put("ETag", head.e_tag());
    into.put("Last-Modified", head.last_modified().map(aws_sdk_s3::primitives::DateTime::secs));
    into.put("Content-Type", head.content_type());
    into.put("Cache-Control", head.cache_control());
    into.put("Content-Disposition", head.content_disposition());
    into.put("Content-Encoding", head.content_encoding());
    into.put("Content-Language", head.content_language());
    into.put("Expires", head.expires_string());
    into.put("website redirect", head.website_redirect_location());
    into.put("storage class", head.storage_class());
    into.put("encryption", head.server_side_encryption());
    for (name, value) in head.metadata().into_iter().flatten() {
        into.put(&format!("metadata {name}"), Some(value));
    }
}

fn checksums(into: &mut Description, head: &HeadObjectOutput) {
    into.put("CRC32", head.checksum_crc32());
    into.put("CRC32C", head.checksum_crc32_c());
    into.put("CRC64NVME", head.checksum_crc64_nvme());
    into.put("SHA1", head.checksum_sha1());
    into.put("SHA256", head.checksum_sha256());
    into.put("checksum type", head.checksum_type());
}

/// Retention that has run out is none, and so is a legal hold that is off: a store may show either or nothing.
fn locks(into: &mut Description, head: &HeadObjectOutput) {
    let now = aws_sdk_s3::primitives::DateTime::from(SystemTime::now());
    let until = head.object_lock_retain_until_date().filter(|until| **until > now);
    if let (Some(until), Some(mode)) = (until, head.object_lock_mode()) {
        into.put("retention", Some(format!("{mode} until {}", until.secs())));
    }
    let held = head.object_lock_legal_hold_status() == Some(&ObjectLockLegalHoldStatus::On);
    into.put("legal hold", held.then_some("on"));
}

async fn tags(into: &mut Description, bucket: &Bucket, version: &ListedVersion) -> Result<(), Refused> {
    let request = bucket
        .client
        .get_object_tagging()
        .bucket(&bucket.name)
        .key(version.key.as_str())
        .version_id(version.version_id.as_str());
    let tags = request.send().await.map_err(Refused::doing("GetObjectTagging"))?;
    for tag in tags.tag_set() {
        into.put(&format!("tag {}", tag.key()), Some(tag.value()));
    }
    Ok(())
}

/// Part numbers and sizes. Checksums of parts are left out: RustFS repeats the whole object's at every part.
async fn parts(into: &mut Description, bucket: &Bucket, version: &ListedVersion) -> Result<(), Refused> {
    let mut layout = BTreeMap::new();
    let mut marker = None;
    loop {
        let answer = bucket
            .client
            .get_object_attributes()
            .bucket(&bucket.name)
            .key(version.key.as_str())
            .version_id(version.version_id.as_str())
            .object_attributes(ObjectAttributes::ObjectParts)
            .set_part_number_marker(marker)
            .send()
            .await
            .map_err(Refused::doing("GetObjectAttributes"))?;
        let Some(parts) = answer.object_parts() else { break };
        let before = layout.len();
        layout.extend(parts.parts().iter().map(|part| (part.part_number().unwrap_or(0), part.size().unwrap_or(0))));
        let total = parts.total_parts_count().and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        // MinIO says that there is more when there is none.
        if layout.len() == before || layout.len() >= total {
            break;
        }
        marker = layout.keys().next_back().map(ToString::to_string);
    }
    let words: Vec<String> = layout.iter().map(|(number, size)| format!("{number}:{size}")).collect();
    into.put("parts", Some(words.join(" ")));
    Ok(())
}

async fn body(into: &mut Description, bucket: &Bucket, version: &ListedVersion) -> Result<(), Refused> {
    let request = bucket
        .client
        .get_object()
        .bucket(&bucket.name)
        .key(version.key.as_str())
        .version_id(version.version_id.as_str());
    let mut body = request.send().await.map_err(Refused::doing("GET"))?.body;
    let mut digest = Sha256::new();
    let mut read = 0_u64;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| Refused {
            doing: "GET".to_owned(),
            code: None,
            status: None,
            answer: format!("the body ended after {read} bytes: {error}"),
        })?;
        digest.update(&chunk);
        read += chunk.len() as u64;
    }
    into.put("body", Some(format!("{read} bytes, sha256 {}", hex::encode(digest.finalize()))));
    into.body_read = Some(read);
    Ok(())
}
