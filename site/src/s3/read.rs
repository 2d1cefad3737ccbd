//! GET: a version whole, or its bytes.

use std::ops::Range;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::types::{ChecksumMode, ObjectAttributes};
use bytes::Bytes;
use md5::{Digest as _, Md5};
use twinlog_schemas::{Encryption, Part, VersionRef};

use crate::contract::BodyStream;
use crate::error::{SiteError, SiteErrorKind};
use crate::reading::{BodyWish, ObjectReading, Reading};

use super::S3Site;
use super::error::Attempt;
use super::incoming::Incoming;
use super::look::{Found, marker};
use super::packages::in_clear;
use super::shown::shown;
use super::signing::Amend;

/// How often a version that changes while it is read is read again.
const LOOKS: u32 = 3;

impl S3Site {
    pub(super) async fn read_whole(&self, version: &VersionRef, body: BodyWish) -> Result<Reading, SiteError> {
        let reading = match body {
            BodyWish::No => self.look_at(version, true).await?,
            BodyWish::UpTo(most) if !self.dialect.get_shows_all() => self.look_then_get(version, most).await?,
            BodyWish::UpTo(most) | BodyWish::Plain(most) => self.get_whole(version, most).await?,
        };
        let Reading::Object(mut object) = reading else { return Ok(reading) };
        if parts_count(&object.etag).is_some() {
            object.parts = match self.parts(version).await {
                Ok(parts) => parts,
                Err(error) if error.kind == SiteErrorKind::NoSuchVersion => return Ok(Reading::Absent),
                Err(error) => return Err(error),
            };
            if object.encryption != Encryption::None {
                object.parts = in_clear(object.parts, object.size).ok_or_else(|| {
                    let message = format!("the encrypted parts do not make the object's {} bytes", object.size);
                    self.reads_version("GetObjectAttributes", version).error(SiteErrorKind::Malformed, message)
                })?;
            }
        }
        Ok(Reading::Object(object))
    }

    async fn get_whole(&self, version: &VersionRef, most: u64) -> Result<Reading, SiteError> {
        let output = match self.get(version).await? {
            Found::Object(output) => output,
            Found::Other(reading) => return Ok(reading),
        };
        let tagged = output.tag_count().is_some_and(|count| count > 0);
        let mut object = self.take_body(version, output, most).await?;
        if tagged && !self.read_tags(version, &mut object).await? {
            return Ok(Reading::Absent);
        }
        Ok(Reading::Object(Box::new(object)))
    }

    /// For stores whose GET shows less than their HEAD. The GET is pinned to what the HEAD saw.
    async fn look_then_get(&self, version: &VersionRef, most: u64) -> Result<Reading, SiteError> {
        let mut looks = 0;
        loop {
            let mut object = match self.look_at(version, true).await? {
                Reading::Object(object) => object,
                other => return Ok(other),
            };
            if object.size > most || object.encryption == Encryption::SseC {
                return Ok(Reading::Object(object));
            }
            looks += 1;
            match self.bytes(version, &object).await {
                Ok(body) => object.body = Some(body),
                Err(error) if error.kind == SiteErrorKind::NoSuchVersion => return Ok(Reading::Absent),
                // A null version that was overwritten in between.
                Err(error) if error.kind == SiteErrorKind::Precondition && looks < LOOKS => continue,
                Err(error) => return Err(error),
            }
            return Ok(Reading::Object(object));
        }
    }

    async fn bytes(&self, version: &VersionRef, object: &ObjectReading) -> Result<Bytes, SiteError> {
        let attempt = self.reads_version("GetObject", version);
        if object.size == 0 {
            return Ok(Bytes::new());
        }
        let sent = self
            .client
            .get_object()
            .bucket(version.bucket.as_str())
            .key(version.key.as_str())
            .version_id(version.version_id.as_str())
            .if_match(format!("\"{}\"", object.etag))
            .customize()
            .interceptor(Amend::local_read())
            .send()
            .await;
        let output = sent.map_err(|error| attempt.failed(error))?;
        let body = Incoming::new(output.body, Some(object.size), self.config.timeouts.idle, attempt).collect().await?;
        verify(attempt, object, &body)?;
        Ok(body)
    }

    pub(super) async fn get(&self, version: &VersionRef) -> Result<Found<GetObjectOutput>, SiteError> {
        let sent = self
            .client
            .get_object()
            .bucket(version.bucket.as_str())
            .key(version.key.as_str())
            .version_id(version.version_id.as_str())
            .checksum_mode(ChecksumMode::Enabled)
            .customize()
            .interceptor(Amend::local_read())
            .send()
            .await;
        let error = match sent {
            Ok(output) => return Ok(Found::Object(output)),
            Err(error) => error,
        };
        if let Some(marker) = marker(&error) {
            return Ok(Found::Other(marker));
        }
        let error = self.reads_version("GetObject", version).failed(error);
        if error.kind == SiteErrorKind::NoSuchVersion { Ok(Found::Other(Reading::Absent)) } else { Err(error) }
    }

    /// The object with its body if that is small enough; a larger one is not read, which costs its connection.
    async fn take_body(
        &self,
        version: &VersionRef,
        output: GetObjectOutput,
        most: u64,
    ) -> Result<ObjectReading, SiteError> {
        let mut object = shown!(output);
        if object.size > most || object.encryption == Encryption::SseC {
            return Ok(object);
        }
        let attempt = self.reads_version("GetObject", version);
        let body = Incoming::new(output.body, Some(object.size), self.config.timeouts.idle, attempt).collect().await?;
        verify(attempt, &object, &body)?;
        object.body = Some(body);
        Ok(object)
    }

    pub(super) async fn parts(&self, version: &VersionRef) -> Result<Vec<Part>, SiteError> {
        let attempt = self.reads_version("GetObjectAttributes", version);
        let mut parts: Vec<Part> = Vec::new();
        let mut after = None;
        loop {
            let sent = self
                .client
                .get_object_attributes()
                .bucket(version.bucket.as_str())
                .key(version.key.as_str())
                .version_id(version.version_id.as_str())
                .object_attributes(ObjectAttributes::ObjectParts)
                .max_parts(1000)
                .set_part_number_marker(after.take())
                .customize()
                .interceptor(Amend::local_read())
                .send()
                .await;
            let output = sent.map_err(|error| attempt.failed(error))?;
            let listed = output
                .object_parts()
                .ok_or_else(|| attempt.error(SiteErrorKind::Malformed, "no parts in the answer"))?;
            let before = parts.len();
            for part in listed.parts() {
                let number = part.part_number().unwrap_or_default();
                if parts.last().is_none_or(|last| last.number < number) {
                    parts.push(Part { number, size: part.size().unwrap_or_default() });
                }
            }
            let total = listed.total_parts_count().and_then(|total| usize::try_from(total).ok()).unwrap_or(0);
            // "Truncated" is also said of lists that are whole, where part numbers have gaps.
            if parts.len() >= total || parts.len() == before {
                return Ok(parts);
            }
            after = parts.last().map(|last| last.number.to_string());
        }
    }

    pub(super) async fn open_body(
        &self,
        version: &VersionRef,
        range: Option<Range<u64>>,
        etag: &str,
    ) -> Result<BodyStream, SiteError> {
        if range.as_ref().is_some_and(Range::is_empty) {
            return Ok(Box::pin(futures::stream::empty()));
        }
        let attempt = self.reads_version("GetObject", version);
        let sent = self
            .client
            .get_object()
            .bucket(version.bucket.as_str())
            .key(version.key.as_str())
            .version_id(version.version_id.as_str())
            .if_match(format!("\"{etag}\""))
            .set_range(range.as_ref().map(|range| format!("bytes={}-{}", range.start, range.end - 1)))
            // A checksum is of the whole; the client compares it.
            .set_checksum_mode(range.is_none().then_some(ChecksumMode::Enabled))
            .customize()
            .interceptor(Amend::local_read())
            .send()
            .await;
        let output = match sent {
            Ok(output) => output,
            Err(error) if marker(&error).is_some() => {
                return Err(attempt.error(SiteErrorKind::NoSuchVersion, "a delete marker has this id"));
            }
            Err(error) => return Err(attempt.failed(error)),
        };
        let length = output.content_length().and_then(|length| u64::try_from(length).ok());
        let wanted = range.map(|range| range.end - range.start);
        if wanted.is_some_and(|wanted| length != Some(wanted)) {
            return Err(
                attempt.error(SiteErrorKind::Digest, format!("{wanted:?} bytes asked for, {length:?} announced"))
            );
        }
        Ok(Incoming::new(output.body, length, self.config.timeouts.idle, attempt).stream())
    }
}

/// How many parts the ETag of a multipart object counts.
fn parts_count(etag: &str) -> Option<u32> {
    etag.rsplit_once('-')?.1.parse().ok()
}

/// Compares the body with the ETag where that is the digest of the bytes.
fn verify(attempt: Attempt<'_>, object: &ObjectReading, body: &Bytes) -> Result<(), SiteError> {
    let is_digest = object.encryption == Encryption::None && object.etag.len() == 32;
    if is_digest && hex::encode(Md5::digest(body)) != object.etag {
        return Err(attempt.error(SiteErrorKind::Digest, "the bytes read do not have the ETag's digest"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::parts_count;

    #[test]
    fn etags_that_count_parts() {
        assert_eq!(parts_count("5d41402abc4b2a76b9719d911017c592"), None);
        assert_eq!(parts_count("5d41402abc4b2a76b9719d911017c592-12"), Some(12));
        assert_eq!(parts_count("abc-"), None);
    }
}
