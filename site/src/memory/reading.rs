//! Reads and listings of the in-memory store.

use bytes::Bytes;
use twinlog_schemas::{BucketName, ContentHeaders, ObjectKey, Tags, VersionKind, VersionRef};

use crate::reading::{BodyWish, ListFrom, ListedVersion, ObjectReading, Reading, VersionPage};

use super::refusal::Refusal;
use super::store::{Bucket, Store};
use super::stored::{Stored, StoredObject, Versions};

const PAGE: u32 = 1000;

fn whole_seconds_ms(ns: i64) -> i64 {
    ns.div_euclid(1_000_000_000) * 1000
}

fn object_reading(object: &StoredObject, modified_ns: i64, whole: bool, body: BodyWish) -> ObjectReading {
    let size = object.body.len() as u64;
    let wished = body.most().is_some_and(|most| size <= most);
    let reading = ObjectReading {
        size,
        etag: object.etag.clone(),
        modified_s_ms: whole_seconds_ms(modified_ns),
        headers: object.headers.clone(),
        user_metadata: object.user_metadata.clone(),
        tags: object.tags.clone(),
        retention: object.retention,
        legal_hold: object.legal_hold,
        storage_class: object.storage_class.clone(),
        encryption: object.encryption,
        checksums: if whole { object.checksums.clone() } else { Vec::new() },
        parts: if whole { object.parts.clone() } else { Vec::new() },
        replication_status: object.replication_status.clone(),
        body: wished.then(|| object.body.clone()),
    };
    if matches!(body, BodyWish::Plain(_)) { without_what_get_hides(reading) } else { reading }
}

/// A GET of RustFS: see its dialect. Of a plain object it hides nothing.
fn without_what_get_hides(reading: ObjectReading) -> ObjectReading {
    let headers = ContentHeaders { expires: None, content_language: None, website_redirect: None, ..reading.headers };
    let tags = Tags::new();
    ObjectReading { headers, tags, retention: None, legal_hold: false, replication_status: None, ..reading }
}

fn listed(key: &ObjectKey, versions: &Versions) -> Vec<ListedVersion> {
    let line = |(at, stored): (usize, &Stored)| ListedVersion {
        key: key.clone(),
        version_id: stored.id.clone(),
        kind: if stored.is_marker() { VersionKind::DeleteMarker } else { VersionKind::Object },
        modified_ms: stored.modified_ns.div_euclid(1_000_000),
        is_latest: at == 0,
        etag: stored.object().map(|object| object.etag.clone()),
        size: stored.object().map(|object| object.body.len() as u64),
    };
    versions.iter().enumerate().map(line).collect()
}

impl Store {
    /// `whole`: with checksums and parts.
    pub(super) fn reading(&self, version: &VersionRef, whole: bool, body: BodyWish) -> Result<Reading, Refusal> {
        let Some(stored) = self.get(version)? else { return Ok(Reading::Absent) };
        Ok(match stored.object() {
            Some(object) => Reading::Object(Box::new(object_reading(object, stored.modified_ns, whole, body))),
            None => {
                let told = !self.quirks.markers_without_time;
                Reading::Marker { modified_s_ms: told.then(|| whole_seconds_ms(stored.modified_ns)) }
            }
        })
    }

    pub(super) fn body_of(&self, version: &VersionRef, etag: &str) -> Result<Bytes, Refusal> {
        let object = self.get(version)?.and_then(Stored::object).ok_or(Refusal::NO_SUCH_VERSION)?;
        if object.etag == etag { Ok(object.body.clone()) } else { Err(Refusal::PRECONDITION) }
    }

    pub(super) fn list(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Vec<ListedVersion>, Refusal> {
        let bucket = self.bucket(bucket)?;
        if self.hides(bucket, key) {
            return Ok(Vec::new());
        }
        Ok(bucket.keys.get(key).map(|versions| listed(key, versions)).unwrap_or_default())
    }

    /// Whether the listing leaves the key out, because it is below another key.
    fn hides(&self, bucket: &Bucket, key: &ObjectKey) -> bool {
        // A slash at the end is part of the name.
        let name = key.as_str().strip_suffix('/').unwrap_or(key.as_str());
        let mut above = name.match_indices('/').filter_map(|(at, _)| ObjectKey::new(&name[..at]).ok());
        self.quirks.hides_below_keys && above.any(|above| bucket.keys.contains_key(&above))
    }

    pub(super) fn list_page(&self, bucket: &BucketName, from: &ListFrom) -> Result<VersionPage, Refusal> {
        let limit = from.limit.unwrap_or(PAGE).clamp(1, PAGE) as usize;
        let after_marker = |line: &ListedVersion| match &from.key_marker {
            Some(marker) => line.key.as_str() > marker.as_str(),
            None => true,
        };
        let mut lines = Vec::new();
        let bucket = self.bucket(bucket)?;
        for (key, versions) in &bucket.keys {
            if !key.as_str().starts_with(&from.prefix) || self.hides(bucket, key) {
                continue;
            }
            let of_key = listed(key, versions);
            if from.key_marker.as_deref() == Some(key.as_str()) {
                // A marker that was removed meanwhile: the key is listed again, rather twice than not.
                if let Some(marker) = from.version_marker.as_deref() {
                    let at = of_key.iter().position(|line| line.version_id.as_str() == marker);
                    lines.extend_from_slice(&of_key[at.map_or(0, |at| at + 1)..]);
                }
            } else {
                lines.extend(of_key.into_iter().filter(after_marker));
            }
            if lines.len() > limit {
                break;
            }
        }
        let more = lines.len() > limit;
        lines.truncate(limit);
        let next = lines.last().filter(|_| more).map(|last| ListFrom {
            prefix: from.prefix.clone(),
            key_marker: Some(last.key.as_str().to_owned()),
            version_marker: Some(last.version_id.as_str().to_owned()),
            limit: from.limit,
        });
        Ok(VersionPage { versions: lines, next })
    }
}
