//! Multipart replicas.

use bytes::Bytes;
use md5::{Digest, Md5};
use twinlog_schemas::{Part, RetentionMode, VersionRef};

use crate::error::SiteErrorKind;
use crate::replica::{Body, PartWritten, Replica, Upload};

use super::bench::{Bench, Failure, Outcome, bare, ensure, ensure_eq, full_headers, md5_hex, refused, tags};

const MIB5: usize = 5 << 20;

fn parts() -> Vec<(i32, Bytes)> {
    vec![
        (2, Bytes::from(vec![b'a'; MIB5 + 3])),
        (7, Bytes::from(vec![b'b'; MIB5])),
        (9, Bytes::from_static(b"the last one")),
    ]
}

fn multipart_etag(parts: &[(i32, Bytes)]) -> String {
    let mut digests = Md5::new();
    for (_, bytes) in parts {
        digests.update(Md5::digest(bytes));
    }
    format!("{}-{}", hex::encode(digests.finalize()), parts.len())
}

fn sample(version: &VersionRef, parts: &[(i32, Bytes)]) -> Replica {
    let mut replica = bare(version, b"");
    replica.etag = multipart_etag(parts);
    replica.send_etag = true;
    replica
}

async fn send(bench: &Bench, upload: &Upload, (number, bytes): &(i32, Bytes)) -> Result<PartWritten, Failure> {
    let part = Part { number: *number, size: bytes.len() as i64 };
    let written = bench.site.put_part(upload, part, Body::Bytes(bytes.clone())).await?;
    ensure_eq!(written.part, part, "answered part");
    ensure_eq!(written.etag, md5_hex(bytes), "answered part etag");
    let md5: [u8; 16] = Md5::digest(bytes).into();
    ensure_eq!(written.sent_md5, Some(md5), "digest of the part as sent");
    Ok(written)
}

pub(super) async fn makes_the_same_version(bench: &Bench) -> Outcome {
    let (version, parts) = (bench.fresh("multipart/same")?, parts());
    let mut replica = sample(&version, &parts);
    replica.headers = full_headers();
    replica.user_metadata = tags(&[("m", "p")]);
    replica.tags = tags(&[("t", "1")]);
    replica.retention = Some(bench.retained(RetentionMode::Governance, 3600));
    let upload = bench.site.create_upload(&replica).await?;
    let mut written = Vec::new();
    for part in &parts {
        written.push(send(bench, &upload, part).await?);
    }
    ensure!(bench.is_absent(&version).await?, "the version is there before Complete");
    let completed = bench.site.complete_upload(&upload, &replica, &written).await?;
    ensure_eq!(completed.etag, Some(replica.etag.clone()), "answered etag");
    let read = bench.object(&version).await?;
    let layout: Vec<_> =
        parts.iter().map(|(number, bytes)| Part { number: *number, size: bytes.len() as i64 }).collect();
    ensure_eq!(read.parts, layout, "parts");
    ensure_eq!(read.etag, replica.etag, "etag");
    ensure_eq!(read.modified_s_ms, replica.modified_at_ns / 1_000_000_000 * 1000, "modification time");
    ensure_eq!(read.headers, replica.headers, "headers");
    ensure_eq!(read.user_metadata, replica.user_metadata, "user metadata");
    ensure_eq!(read.tags, replica.tags, "tags");
    ensure_eq!(read.retention, replica.retention, "retention");
    let body = parts.iter().map(|(_, bytes)| bytes.as_ref()).collect::<Vec<&[u8]>>().concat();
    ensure!(read.body.as_deref() == Some(&body[..]), "the body differs");
    let listed = bench.site.versions_of(&version.bucket, &version.key).await?;
    let times: Vec<_> = listed.iter().map(|line| line.modified_ms).collect();
    ensure_eq!(times, vec![replica.modified_at_ns / 1_000_000], "listed milliseconds");
    ensure_eq!(bench.site.uploads_of(&version.bucket, &version.key).await?, vec![], "uploads after Complete");
    Ok(())
}

pub(super) async fn lists_and_resumes(bench: &Bench) -> Outcome {
    let (version, parts) = (bench.fresh("multipart/resume")?, parts());
    let replica = sample(&version, &parts);
    let upload = bench.site.create_upload(&replica).await?;
    send(bench, &upload, &parts[0]).await?;
    let found = bench.site.uploads_of(&version.bucket, &version.key).await?;
    let ids: Vec<_> = found.iter().map(|upload| upload.upload_id.clone()).collect();
    ensure_eq!(ids, vec![upload.upload_id.clone()], "unfinished uploads");
    let held = bench.site.parts_of(&upload).await?;
    let seen: Vec<_> = held.iter().map(|part| (part.part, part.etag.clone())).collect();
    let first = Part { number: 2, size: parts[0].1.len() as i64 };
    ensure_eq!(seen, vec![(first, md5_hex(&parts[0].1))], "parts held");
    let mut written = held;
    written.push(send(bench, &upload, &parts[1]).await?);
    written.push(send(bench, &upload, &parts[2]).await?);
    bench.site.complete_upload(&upload, &replica, &written).await?;
    ensure_eq!(bench.object(&version).await?.etag, replica.etag, "etag of the resumed upload");
    Ok(())
}

pub(super) async fn aborts_idempotently(bench: &Bench) -> Outcome {
    let (version, parts) = (bench.fresh("multipart/abort")?, parts());
    let replica = sample(&version, &parts);
    let upload = bench.site.create_upload(&replica).await?;
    let written = send(bench, &upload, &parts[0]).await?;
    bench.site.abort_upload(&upload).await?;
    bench.site.abort_upload(&upload).await?;
    ensure_eq!(bench.site.uploads_of(&version.bucket, &version.key).await?, vec![], "uploads after Abort");
    let complete = bench.site.complete_upload(&upload, &replica, &[written]).await;
    refused(complete, SiteErrorKind::NoSuchUpload, "Complete after Abort")?;
    refused(bench.site.parts_of(&upload).await, SiteErrorKind::NoSuchUpload, "parts after Abort")?;
    ensure!(bench.is_absent(&version).await?, "an aborted upload left a version");
    Ok(())
}

pub(super) async fn keeps_one_part_uploads(bench: &Bench) -> Outcome {
    let version = bench.fresh("multipart/one")?;
    let parts = vec![(1, Bytes::from_static(b"only"))];
    let replica = sample(&version, &parts);
    let upload = bench.site.create_upload(&replica).await?;
    let written = send(bench, &upload, &parts[0]).await?;
    bench.site.complete_upload(&upload, &replica, &[written]).await?;
    let read = bench.object(&version).await?;
    ensure_eq!(read.etag, replica.etag, "etag");
    ensure_eq!(read.parts, vec![Part { number: 1, size: 4 }], "parts");
    Ok(())
}
