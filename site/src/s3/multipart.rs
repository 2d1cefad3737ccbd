//! Multipart replicas: begin, parts, completion; and what stands unfinished.

use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, EncodingType, MultipartUpload, Part as ListedPart,
};
use twinlog_schemas::{BucketName, Checksum, ChecksumType, ObjectKey, Part, VersionId, VersionRef};

use crate::error::{SiteError, SiteErrorKind};
use crate::replica::{Body, PartWritten, Replica, Upload, UploadChecksum, Written};

use super::headers::{Stage, clear_size, silent};
use super::list::form_decoded;
use super::outgoing::Outgoing;
use super::put::{same_version, written};
use super::shown::{checksums, millis};
use super::signing::Amend;
use super::{S3Site, query_value, unquoted};

impl S3Site {
    pub(super) async fn begin_upload(&self, replica: &Replica) -> Result<Upload, SiteError> {
        let version = &replica.version;
        let attempt = self.writes("CreateMultipartUpload", version);
        if version.version_id.is_null() && !self.dialect.holds_null_uploads() {
            let message = "the store makes no null version of an upload, but another one beside it";
            return Err(attempt.error(SiteErrorKind::Refused, message));
        }
        let (lines, _) = self.object_headers(attempt, replica, Stage::Create)?;
        let amend = self.expiring(lines).query("versionId", &query_value(&version.version_id));
        let request = self.client.create_multipart_upload().bucket(version.bucket.as_str()).key(version.key.as_str());
        let output = request.customize().interceptor(amend).send().await.map_err(|error| attempt.failed(error))?;
        let upload_id = output.upload_id.ok_or_else(|| attempt.error(SiteErrorKind::Malformed, "no upload id"))?;
        Ok(replica.upload(&upload_id))
    }

    pub(super) async fn send_part(&self, upload: &Upload, part: Part, body: Body) -> Result<PartWritten, SiteError> {
        let version = &upload.version;
        let attempt = self.writes("UploadPart", version);
        let streamed = matches!(body, Body::Stream { length: 1.., .. });
        let out = Outgoing::new(body, attempt);
        if i64::try_from(out.length) != Ok(part.size) {
            return Err(attempt.error(
                SiteErrorKind::Digest,
                format!("part {} has {} bytes, not {}", part.number, out.length, part.size),
            ));
        }
        let algorithm = upload.checksum.as_ref().map(|checksum| ChecksumAlgorithm::from(checksum.algorithm.as_str()));
        // The checksum of streamed bytes follows them in a trailer, which a signature in the query cannot announce. A
        // part may do without expiry: only the completion makes anything of it.
        let trailer = streamed && algorithm.is_some();
        // Parts raise no notice, and with the headers of a replica a store does not see their checksums.
        let amend = if trailer { Amend::default() } else { self.expiring(Vec::new()) };
        let mut settings = self.patience(out.length);
        if algorithm.is_some() {
            settings = settings.request_checksum_calculation(RequestChecksumCalculation::WhenSupported);
        }
        let sent = out.sent.clone();
        let request = self
            .client
            .upload_part()
            .bucket(version.bucket.as_str())
            .key(version.key.as_str())
            .upload_id(&upload.upload_id)
            .part_number(part.number)
            .content_length(part.size)
            .set_content_md5(out.content_md5)
            .set_checksum_algorithm(algorithm)
            .body(out.body)
            .customize()
            .interceptor(amend)
            .config_override(settings);
        let output = request.send().await.map_err(|error| sent.blame(attempt.failed(error)))?;
        let kind = upload.checksum.as_ref().map(|checksum| kind_of(checksum.kind));
        let etag = unquoted(output.e_tag().unwrap_or_default());
        Ok(PartWritten { part, etag, sent_md5: sent.md5(), checksums: checksums!(output, kind.as_ref()) })
    }

    pub(super) async fn finish_upload(
        &self,
        upload: &Upload,
        replica: &Replica,
        parts: &[PartWritten],
    ) -> Result<Written, SiteError> {
        let version = &upload.version;
        let attempt = self.writes("CompleteMultipartUpload", version);
        let (mut lines, tags_follow) = self.object_headers(attempt, replica, Stage::Complete)?;
        let completed = CompletedMultipartUpload::builder().set_parts(Some(parts.iter().map(completed).collect()));
        // A store joins the parts while it answers.
        let joined = parts.iter().map(|part| part.part.size.unsigned_abs()).sum();
        clear_size(&mut lines, joined);
        let request = self
            .client
            .complete_multipart_upload()
            .bucket(version.bucket.as_str())
            .key(version.key.as_str())
            .upload_id(&upload.upload_id)
            .multipart_upload(completed.build())
            .customize()
            .interceptor(self.expiring(lines).query("versionId", &query_value(&version.version_id)))
            .config_override(self.patience(joined));
        let output = request.send().await.map_err(|error| attempt.failed(error))?;
        let written = written(attempt, output.version_id(), output.e_tag(), None)?;
        same_version(attempt, version, &written)?;
        if tags_follow || self.tags_left_out(attempt, replica)? {
            self.set_tags(version, &replica.tags)
                .await
                .map_err(|error| SiteError { outcome_unknown: true, ..error })?;
        }
        Ok(written)
    }

    /// Whether the upload was begun without its tags because they did not fit among the headers.
    fn tags_left_out(&self, attempt: super::error::Attempt<'_>, replica: &Replica) -> Result<bool, SiteError> {
        Ok(self.object_headers(attempt, replica, Stage::Create)?.1)
    }

    pub(super) async fn drop_upload(&self, upload: &Upload) -> Result<(), SiteError> {
        let version = &upload.version;
        let sent = self
            .client
            .abort_multipart_upload()
            .bucket(version.bucket.as_str())
            .key(version.key.as_str())
            .upload_id(&upload.upload_id)
            .customize()
            .interceptor(self.expiring(silent()))
            .send()
            .await;
        let Err(error) = sent else { return Ok(()) };
        let error = self.writes("AbortMultipartUpload", version).failed(error);
        let gone = matches!(error.kind, SiteErrorKind::NoSuchUpload | SiteErrorKind::NoSuchVersion);
        if gone { Ok(()) } else { Err(error) }
    }

    pub(super) async fn list_uploads(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Vec<Upload>, SiteError> {
        let attempt = self.reads("ListMultipartUploads", bucket);
        let mut uploads = Vec::new();
        let (mut key_marker, mut upload_marker) = (None, None);
        loop {
            let sent = self
                .client
                .list_multipart_uploads()
                .bucket(bucket.as_str())
                .prefix(key.as_str())
                .encoding_type(EncodingType::Url)
                .set_key_marker(key_marker.take())
                .set_upload_id_marker(upload_marker.take())
                .send()
                .await;
            let output = sent.map_err(|error| attempt.failed(error))?;
            let encoded = output.encoding_type() == Some(&EncodingType::Url);
            let plain = |text: &str| if encoded { form_decoded(text) } else { Some(text.to_owned()) };
            let of_key = |upload: &&MultipartUpload| upload.key().and_then(plain).as_deref() == Some(key.as_str());
            uploads.extend(output.uploads().iter().filter(of_key).map(|upload| listed_upload(bucket, key, upload)));
            key_marker = output.next_key_marker().and_then(plain).filter(|marker| marker == key.as_str());
            upload_marker = output.next_upload_id_marker().map(str::to_owned);
            if output.is_truncated() != Some(true) || key_marker.is_none() || upload_marker.is_none() {
                uploads.sort_by_key(|upload| upload.initiated_ms);
                return Ok(uploads);
            }
        }
    }

    pub(super) async fn list_parts(&self, upload: &Upload) -> Result<Vec<PartWritten>, SiteError> {
        let version = &upload.version;
        let mut parts = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let sent = self
                .client
                .list_parts()
                .bucket(version.bucket.as_str())
                .key(version.key.as_str())
                .upload_id(&upload.upload_id)
                .set_part_number_marker(after.take())
                .send()
                .await;
            let output = sent.map_err(|error| self.reads_version("ListParts", version).failed(error))?;
            let before = parts.len();
            parts.extend(output.parts().iter().map(|part| listed_part(upload, part)));
            if output.is_truncated() != Some(true) || parts.len() == before {
                return Ok(parts);
            }
            after = parts.last().map(|last| last.part.number.to_string());
        }
    }
}

fn listed_upload(bucket: &BucketName, key: &ObjectKey, listed: &MultipartUpload) -> Upload {
    let kind = match listed.checksum_type() {
        Some(aws_sdk_s3::types::ChecksumType::FullObject) => ChecksumType::FullObject,
        _ => ChecksumType::Composite,
    };
    let checksum = listed.checksum_algorithm().filter(|algorithm| !algorithm.as_str().is_empty());
    Upload {
        version: VersionRef { bucket: bucket.clone(), key: key.clone(), version_id: VersionId::null() },
        upload_id: listed.upload_id().unwrap_or_default().to_owned(),
        initiated_ms: listed.initiated().map(millis),
        checksum: checksum.map(|algorithm| UploadChecksum { algorithm: algorithm.as_str().to_owned(), kind }),
    }
}

fn listed_part(upload: &Upload, listed: &ListedPart) -> PartWritten {
    let kind = upload.checksum.as_ref().map(|checksum| kind_of(checksum.kind));
    PartWritten {
        part: Part { number: listed.part_number().unwrap_or_default(), size: listed.size().unwrap_or_default() },
        etag: unquoted(listed.e_tag().unwrap_or_default()),
        sent_md5: None,
        checksums: checksums!(listed, kind.as_ref()),
    }
}

fn kind_of(kind: ChecksumType) -> aws_sdk_s3::types::ChecksumType {
    match kind {
        ChecksumType::Composite => aws_sdk_s3::types::ChecksumType::Composite,
        _ => aws_sdk_s3::types::ChecksumType::FullObject,
    }
}

fn completed(part: &PartWritten) -> CompletedPart {
    let value = |algorithm: &str| {
        part.checksums
            .iter()
            .find(|checksum: &&Checksum| checksum.algorithm == algorithm)
            .map(|checksum| checksum.value.clone())
    };
    CompletedPart::builder()
        .part_number(part.part.number)
        .e_tag(format!("\"{}\"", part.etag))
        .set_checksum_crc32(value("CRC32"))
        .set_checksum_crc32_c(value("CRC32C"))
        .set_checksum_crc64_nvme(value("CRC64NVME"))
        .set_checksum_sha1(value("SHA1"))
        .set_checksum_sha256(value("SHA256"))
        .build()
}
