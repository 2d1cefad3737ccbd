//! HEAD: what is there, without its bytes.

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::ChecksumMode;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use twinlog_schemas::{BucketName, Tags, VersionRef};

use crate::error::{SiteError, SiteErrorKind};
use crate::reading::{ObjectReading, Reading};

use super::S3Site;
use super::shown::{millis, shown};
use super::signing::Amend;

/// What one GET or HEAD found.
pub(super) enum Found<T> {
    /// An object.
    Object(T),
    /// Something else, or nothing.
    Other(Reading),
}

impl S3Site {
    /// The version without body and parts; its checksums if wished.
    pub(super) async fn look_at(&self, version: &VersionRef, checksums: bool) -> Result<Reading, SiteError> {
        let output = match self.head(version, checksums).await? {
            Found::Object(output) => output,
            Found::Other(reading) => return Ok(reading),
        };
        let mut object = shown!(output);
        if output.tag_count().is_some_and(|count| count > 0) && !self.read_tags(version, &mut object).await? {
            return Ok(Reading::Absent);
        }
        Ok(Reading::Object(Box::new(object)))
    }

    async fn head(&self, version: &VersionRef, checksums: bool) -> Result<Found<HeadObjectOutput>, SiteError> {
        let sent = self
            .client
            .head_object()
            .bucket(version.bucket.as_str())
            .key(version.key.as_str())
            .version_id(version.version_id.as_str())
            .set_checksum_mode(checksums.then_some(ChecksumMode::Enabled))
            .customize()
            .interceptor(Amend::local_read())
            .send()
            .await;
        let found = match sent {
            Ok(output) => return Ok(Found::Object(output)),
            Err(error) => match marker(&error) {
                Some(marker) => marker,
                None => {
                    let error = self.reads_version("HeadObject", version).failed(error);
                    self.absent_or(version, self.worded(version, error).await).await?
                }
            },
        };
        Ok(Found::Other(found))
    }

    /// A refusal of a HEAD has no body, and so no words: where the store's headers do not tell either, a GET of a byte is
    /// refused for the same reason, in words.
    async fn worded(&self, version: &VersionRef, error: SiteError) -> SiteError {
        if error.kind != SiteErrorKind::Refused || error.code.is_some() || self.dialect.head_tells_code() {
            return error;
        }
        let sent = self
            .client
            .get_object()
            .bucket(version.bucket.as_str())
            .key(version.key.as_str())
            .version_id(version.version_id.as_str())
            .range("bytes=0-0")
            .customize()
            .interceptor(Amend::local_read())
            .send()
            .await;
        sent.map_or_else(|refused| self.reads_version("GetObject", version).failed(refused), |_| error)
    }

    /// A 404 to a HEAD has no body: where the store's headers do not tell either, the bucket may be what is missing.
    async fn absent_or(&self, version: &VersionRef, error: SiteError) -> Result<Reading, SiteError> {
        if error.kind != SiteErrorKind::NoSuchVersion {
            return Err(error);
        }
        if !self.dialect.head_tells_code() {
            self.bucket_is_there(&version.bucket).await?;
        }
        Ok(Reading::Absent)
    }

    /// An error of kind [`SiteErrorKind::NoSuchBucket`] if it is not.
    pub(super) async fn bucket_is_there(&self, bucket: &BucketName) -> Result<(), SiteError> {
        let sent = self.client.head_bucket().bucket(bucket.as_str()).send().await;
        let Err(error) = sent else { return Ok(()) };
        let mut error = self.reads("HeadBucket", bucket).failed(error);
        if error.status == Some(404) {
            error.kind = SiteErrorKind::NoSuchBucket;
        }
        Err(error)
    }

    /// Reads the tags into the object; `false` if the version vanished meanwhile.
    pub(super) async fn read_tags(&self, version: &VersionRef, object: &mut ObjectReading) -> Result<bool, SiteError> {
        match self.tags_of(version).await {
            Ok(tags) => object.tags = tags,
            Err(error) if error.kind == SiteErrorKind::NoSuchVersion => return Ok(false),
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// The tags of a version that is there.
    pub(super) async fn tags_of(&self, version: &VersionRef) -> Result<Tags, SiteError> {
        let sent = self
            .client
            .get_object_tagging()
            .bucket(version.bucket.as_str())
            .key(version.key.as_str())
            .version_id(version.version_id.as_str())
            .customize()
            .interceptor(Amend::local_read())
            .send()
            .await;
        let output = sent.map_err(|error| self.reads_version("GetObjectTagging", version).failed(error))?;
        Ok(output.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect())
    }
}

/// The delete marker that this refusal speaks of.
pub(super) fn marker<E>(error: &SdkError<E, HttpResponse>) -> Option<Reading> {
    let raw = error.raw_response()?;
    let header = |name| raw.headers().get(name);
    let is_marker = raw.status().as_u16() == 405 && header("x-amz-delete-marker") == Some("true");
    let modified = || header("last-modified").and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
    is_marker.then(|| Reading::Marker { modified_s_ms: modified().as_ref().map(millis) })
}
