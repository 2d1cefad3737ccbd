//! The version listing of a bucket through a client of the tests' own.

use std::collections::BTreeMap;

use aws_sdk_s3::{operation::list_object_versions::ListObjectVersionsOutput, primitives::DateTime};
use twinlog_schemas::{ObjectKey, VersionId, VersionKind};
use twinlog_site::{ListFrom, ListedVersion, VersionPage};

use super::Bucket;
use crate::refused::Refused;

/// One version or marker as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The key.
    pub key: String,
    /// The version id; the null version is `null` however the store spells it.
    pub id: String,
    /// Whether it is a delete marker.
    pub marker: bool,
    /// The modification time in milliseconds.
    pub modified_ms: i64,
    /// Whether the store calls it the latest.
    pub latest: bool,
    /// The ETag, quotes and all; markers have none.
    pub etag: Option<String>,
    /// The size in bytes; markers have none.
    pub size: Option<i64>,
}

/// All versions of a bucket by key, newest first.
pub type Listing = BTreeMap<String, Vec<Listed>>;

/// Lists all versions of a bucket.
///
/// # Errors
/// What the store refused.
pub async fn list(bucket: &Bucket) -> Result<Listing, Refused> {
    list_from(bucket, "").await
}

/// Lists all versions of the keys that begin so.
///
/// # Errors
/// What the store refused.
pub async fn list_from(bucket: &Bucket, prefix: &str) -> Result<Listing, Refused> {
    let mut listing = Listing::new();
    let mut from = ListFrom { prefix: prefix.to_owned(), ..ListFrom::default() };
    loop {
        let answer = ask(bucket, &from).await?;
        for listed in lines(&answer) {
            listing.entry(listed.key.clone()).or_default().push(listed);
        }
        match next(&from, &answer) {
            Some(next) => from = next,
            None => return Ok(listing),
        }
    }
}

/// One page, as the comparison wants it.
pub(super) async fn page(bucket: &Bucket, from: &ListFrom) -> Result<VersionPage, Refused> {
    let answer = ask(bucket, from).await?;
    let versions = lines(&answer).into_iter().map(|listed| line(bucket, listed)).collect::<Result<_, _>>()?;
    Ok(VersionPage { versions, next: next(from, &answer) })
}

async fn ask(bucket: &Bucket, from: &ListFrom) -> Result<ListObjectVersionsOutput, Refused> {
    let doing = format!("listing the versions of {} at {}", bucket.name, bucket.label);
    let request = bucket.client.list_object_versions().bucket(&bucket.name).prefix(&from.prefix);
    let request = request.set_key_marker(from.key_marker.clone()).set_version_id_marker(from.version_marker.clone());
    request.send().await.map_err(Refused::doing(doing))
}

fn next(from: &ListFrom, answer: &ListObjectVersionsOutput) -> Option<ListFrom> {
    let (key_marker, version_marker) = (answer.next_key_marker.clone(), answer.next_version_id_marker.clone());
    answer.is_truncated().unwrap_or(false).then(|| ListFrom { key_marker, version_marker, ..from.clone() })
}

/// The lines by key, newest first. The client shows objects and markers as two lists, each in the store's order: a
/// stable sort keeps it.
fn lines(answer: &ListObjectVersionsOutput) -> Vec<Listed> {
    let objects = answer.versions().iter().map(|version| Listed {
        key: version.key().unwrap_or_default().to_owned(),
        id: plain(version.version_id()),
        marker: false,
        modified_ms: millis(version.last_modified()),
        latest: version.is_latest().unwrap_or(false),
        etag: version.e_tag().map(str::to_owned),
        size: version.size(),
    });
    let markers = answer.delete_markers().iter().map(|marker| Listed {
        key: marker.key().unwrap_or_default().to_owned(),
        id: plain(marker.version_id()),
        marker: true,
        modified_ms: millis(marker.last_modified()),
        latest: marker.is_latest().unwrap_or(false),
        etag: None,
        size: None,
    });
    let mut lines: Vec<Listed> = objects.chain(markers).collect();
    lines.sort_by(|one, other| {
        let place = |of: &Listed| (std::cmp::Reverse(of.modified_ms), !of.latest);
        one.key.cmp(&other.key).then_with(|| place(one).cmp(&place(other)))
    });
    lines
}

/// The line as the comparison wants it.
pub(super) fn line(bucket: &Bucket, listed: Listed) -> Result<ListedVersion, Refused> {
    let strange = |error: twinlog_schemas::name::NameError| Refused {
        doing: format!("reading the listing of {} at {}", bucket.name, bucket.label),
        code: None,
        status: None,
        answer: error.to_string(),
    };
    Ok(ListedVersion {
        key: ObjectKey::new(listed.key).map_err(strange)?,
        version_id: VersionId::new(listed.id).map_err(strange)?,
        kind: if listed.marker { VersionKind::DeleteMarker } else { VersionKind::Object },
        modified_ms: listed.modified_ms,
        is_latest: listed.latest,
        etag: listed.etag,
        size: listed.size.and_then(|size| u64::try_from(size).ok()),
    })
}

fn plain(id: Option<&str>) -> String {
    const NIL: &str = "00000000-0000-0000-0000-000000000000";
    match id {
        None | Some("" | "null" | NIL) => "null".to_owned(),
        Some(id) => id.to_owned(),
    }
}

fn millis(time: Option<&DateTime>) -> i64 {
    time.and_then(|time| time.to_millis().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{DeleteMarkerEntry, ObjectVersion};

    use super::*;

    #[test]
    fn objects_and_markers_are_one_list_newest_first_and_the_latest_before_its_equals() {
        let at = DateTime::from_millis;
        let object = |id: &str, ms| ObjectVersion::builder().key("k").version_id(id).last_modified(at(ms)).build();
        let marker = DeleteMarkerEntry::builder().key("k").version_id("m").last_modified(at(5)).is_latest(true).build();
        let answer = ListObjectVersionsOutput::builder()
            .versions(object("b", 5))
            .versions(object("a", 1))
            .delete_markers(marker)
            .build();
        let ids: Vec<String> = lines(&answer).into_iter().map(|listed| listed.id).collect();
        assert_eq!(ids, ["m", "b", "a"]);
    }

    #[test]
    fn null_has_one_spelling() {
        assert_eq!(plain(None), "null");
        assert_eq!(plain(Some("00000000-0000-0000-0000-000000000000")), "null");
        assert_eq!(plain(Some("x")), "x");
    }
}
