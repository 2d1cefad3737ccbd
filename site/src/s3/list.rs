//! ListObjectVersions: pages of versions and markers in one order.

use std::iter::Peekable;

use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{DeleteMarkerEntry, EncodingType, ObjectVersion};
use percent_encoding::percent_decode_str;
use twinlog_schemas::{BucketName, ObjectKey, VersionId, VersionKind};

use crate::error::{SiteError, SiteErrorKind};
use crate::reading::{ListFrom, ListedVersion, VersionPage};

use super::S3Site;
use super::error::Attempt;
use super::shown::millis;
use super::unquoted;

impl S3Site {
    pub(super) async fn list_page(&self, bucket: &BucketName, from: &ListFrom) -> Result<VersionPage, SiteError> {
        let attempt = self.reads("ListObjectVersions", bucket);
        let sent = self
            .client
            .list_object_versions()
            .bucket(bucket.as_str())
            .prefix(&from.prefix)
            .set_key_marker(from.key_marker.clone())
            .set_version_id_marker(from.version_marker.clone())
            .set_max_keys(from.limit.and_then(|limit| i32::try_from(limit).ok()))
            // Keys may hold characters that XML cannot; some stores fail on them without this.
            .encoding_type(EncodingType::Url)
            .send()
            .await;
        let output = sent.map_err(|error| attempt.failed(error))?;
        let next = next_page(attempt, from, &output)?;
        let versions = objects(attempt, &output)?;
        let markers = markers(attempt, &output)?;
        Ok(VersionPage { versions: merge(versions, markers), next })
    }

    pub(super) async fn list_key(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Vec<ListedVersion>, SiteError> {
        let mut all = Vec::new();
        let mut from = ListFrom { prefix: key.as_str().to_owned(), ..ListFrom::default() };
        loop {
            let page = self.list_page(bucket, &from).await?;
            // The key itself is the first of all keys that begin so.
            let past = page.versions.iter().any(|listed| listed.key != *key);
            all.extend(page.versions.into_iter().filter(|listed| listed.key == *key));
            match page.next {
                Some(next) if !past => from = next,
                _ => return Ok(all),
            }
        }
    }
}

fn next_page(
    attempt: Attempt<'_>,
    from: &ListFrom,
    output: &ListObjectVersionsOutput,
) -> Result<Option<ListFrom>, SiteError> {
    if output.is_truncated() != Some(true) {
        return Ok(None);
    }
    let key_marker = output.next_key_marker().map(|key| decoded(attempt, output, key)).transpose()?;
    if key_marker.is_none() {
        return Err(attempt.error(SiteErrorKind::Malformed, "a truncated page without a marker for the next"));
    }
    let version_marker = output.next_version_id_marker().filter(|marker| !marker.is_empty()).map(str::to_owned);
    Ok(Some(ListFrom { prefix: from.prefix.clone(), key_marker, version_marker, limit: from.limit }))
}

fn objects(attempt: Attempt<'_>, output: &ListObjectVersionsOutput) -> Result<Vec<ListedVersion>, SiteError> {
    let listed = |version: &ObjectVersion| {
        Ok(ListedVersion {
            key: key(attempt, output, version.key())?,
            version_id: version_id(attempt, version.version_id())?,
            kind: VersionKind::Object,
            modified_ms: version.last_modified().map_or(0, millis),
            is_latest: version.is_latest() == Some(true),
            etag: version.e_tag().map(unquoted),
            size: version.size().and_then(|size| u64::try_from(size).ok()),
        })
    };
    output.versions().iter().map(listed).collect()
}

fn markers(attempt: Attempt<'_>, output: &ListObjectVersionsOutput) -> Result<Vec<ListedVersion>, SiteError> {
    let listed = |marker: &DeleteMarkerEntry| {
        Ok(ListedVersion {
            key: key(attempt, output, marker.key())?,
            version_id: version_id(attempt, marker.version_id())?,
            kind: VersionKind::DeleteMarker,
            modified_ms: marker.last_modified().map_or(0, millis),
            is_latest: marker.is_latest() == Some(true),
            etag: None,
            size: None,
        })
    };
    output.delete_markers().iter().map(listed).collect()
}

fn key(attempt: Attempt<'_>, output: &ListObjectVersionsOutput, key: Option<&str>) -> Result<ObjectKey, SiteError> {
    let text = decoded(attempt, output, key.unwrap_or_default())?;
    ObjectKey::new(text).map_err(|error| attempt.error(SiteErrorKind::Malformed, error.to_string()))
}

fn version_id(attempt: Attempt<'_>, id: Option<&str>) -> Result<VersionId, SiteError> {
    VersionId::normal(id).map_err(|error| attempt.error(SiteErrorKind::Malformed, error.to_string()))
}

/// A key as it is, where the answer says that it is encoded.
fn decoded(attempt: Attempt<'_>, output: &ListObjectVersionsOutput, key: &str) -> Result<String, SiteError> {
    if output.encoding_type() != Some(&EncodingType::Url) {
        return Ok(key.to_owned());
    }
    form_decoded(key).ok_or_else(|| attempt.error(SiteErrorKind::Malformed, "a key in the listing is not UTF-8"))
}

/// Some stores write a space as `+`, all write a plus as `%2B`.
pub(super) fn form_decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', "%20");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// One list from two, each of which is in the store's order: by key, then newest first.
fn merge(objects: Vec<ListedVersion>, markers: Vec<ListedVersion>) -> Vec<ListedVersion> {
    let mut merged = Vec::with_capacity(objects.len() + markers.len());
    let mut objects = objects.into_iter().peekable();
    let mut markers = markers.into_iter().peekable();
    while let Some(next) = earlier(&mut objects, &mut markers) {
        merged.push(next);
    }
    merged
}

type Lines = Peekable<std::vec::IntoIter<ListedVersion>>;

fn earlier(objects: &mut Lines, markers: &mut Lines) -> Option<ListedVersion> {
    let marker_first = match (objects.peek(), markers.peek()) {
        (Some(object), Some(marker)) => before(marker, object),
        (None, _) => true,
        (_, None) => false,
    };
    if marker_first { markers.next() } else { objects.next() }
}

/// Whether `one` is listed before `other`. Of equal times only the latest is known to come first.
fn before(one: &ListedVersion, other: &ListedVersion) -> bool {
    let place = |listed: &ListedVersion| (std::cmp::Reverse(listed.modified_ms), !listed.is_latest);
    (&one.key, place(one)) < (&other.key, place(other))
}

#[cfg(test)]
#[path = "list_test.rs"]
mod tests;
