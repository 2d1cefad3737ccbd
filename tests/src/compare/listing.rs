//! The version listing of a bucket, and how two of them differ.

use std::collections::{BTreeMap, BTreeSet};

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

/// Versions of one key that stand in different orders at the two sites because their times tie.
pub(super) struct Tie {
    pub(super) key: String,
    pub(super) ids: Vec<String>,
    /// What to say if it turns out that no exemption holds.
    pub(super) difference: String,
}

/// How two listings differ.
#[derive(Default)]
pub(super) struct Found {
    pub(super) versions: usize,
    pub(super) differences: Vec<String>,
    pub(super) ties: Vec<Tie>,
    /// Object versions that both have.
    pub(super) objects: Vec<Listed>,
}

/// Lists all versions of a bucket.
///
/// # Errors
/// What the store refused.
pub async fn list(bucket: &Bucket) -> Result<Listing, Refused> {
    let mut listing = Listing::new();
    let (mut key_marker, mut id_marker) = (None, None);
    loop {
        let page = bucket
            .client
            .list_object_versions()
            .bucket(&bucket.name)
            .set_key_marker(key_marker)
            .set_version_id_marker(id_marker)
            .send()
            .await
            .map_err(Refused::doing(format!("listing the versions of {} at {}", bucket.name, bucket.label)))?;
        for version in page.versions() {
            let listed = Listed {
                key: version.key().unwrap_or_default().to_owned(),
                id: plain(version.version_id()),
                marker: false,
                modified_ms: millis(version.last_modified()),
                latest: version.is_latest().unwrap_or(false),
                etag: version.e_tag().map(str::to_owned),
                size: version.size(),
            };
            listing.entry(listed.key.clone()).or_default().push(listed);
        }
        for marker in page.delete_markers() {
            let listed = Listed {
                key: marker.key().unwrap_or_default().to_owned(),
                id: plain(marker.version_id()),
                marker: true,
                modified_ms: millis(marker.last_modified()),
                latest: marker.is_latest().unwrap_or(false),
                etag: None,
                size: None,
            };
            listing.entry(listed.key.clone()).or_default().push(listed);
        }
        if !page.is_truncated().unwrap_or(false) {
            break;
        }
        key_marker = page.next_key_marker;
        id_marker = page.next_version_id_marker;
    }
    for versions in listing.values_mut() {
        // The client shows objects and markers as two lists, each in the store's order: a stable sort keeps it.
        versions.sort_by_key(|version| (std::cmp::Reverse(version.modified_ms), !version.latest));
    }
    Ok(listing)
}

fn plain(id: Option<&str>) -> String {
    const NIL: &str = "00000000-0000-0000-0000-000000000000";
    match id {
        None | Some("" | "null" | NIL) => "null".to_owned(),
        Some(id) => id.to_owned(),
    }
}

fn millis(time: Option<&aws_sdk_s3::primitives::DateTime>) -> i64 {
    time.and_then(|time| time.to_millis().ok()).unwrap_or(0)
}

/// How two listings differ.
pub(super) fn differences(left: &Bucket, one: &Listing, right: &Bucket, other: &Listing) -> Found {
    let mut found = Found::default();
    let none = Vec::new();
    let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    for key in keys {
        let one = one.get(key).unwrap_or(&none);
        let other = other.get(key).unwrap_or(&none);
        of_key(key, (left, one), (right, other), &mut found);
    }
    found
}

fn of_key(key: &str, left: (&Bucket, &[Listed]), right: (&Bucket, &[Listed]), found: &mut Found) {
    fn by_id(versions: &[Listed]) -> BTreeMap<&str, &Listed> {
        versions.iter().map(|version| (version.id.as_str(), version)).collect()
    }
    let (one, other) = (by_id(left.1), by_id(right.1));
    let ids: BTreeSet<&str> = one.keys().chain(other.keys()).copied().collect();
    found.versions += ids.len();
    let before = found.differences.len();
    for id in ids {
        match (one.get(id), other.get(id)) {
            (Some(one), Some(other)) => {
                of_version(left.0, one, right.0, other, &mut found.differences);
                if !one.marker && !other.marker {
                    found.objects.push((*one).clone());
                }
            }
            (only, another) => {
                let place = if only.is_some() { left.0 } else { right.0 };
                found.differences.extend(only.or(another).map(|version| {
                    format!(
                        "{key:?} version {id}: {} of {} ms is at {} only",
                        kind(version),
                        version.modified_ms,
                        place.label
                    )
                }));
            }
        }
    }
    if found.differences.len() == before {
        found.ties.extend(order(key, left, right));
    }
}

fn kind(version: &Listed) -> &'static str {
    if version.marker { "a marker" } else { "an object" }
}

fn of_version(left: &Bucket, one: &Listed, right: &Bucket, other: &Listed, into: &mut Vec<String>) {
    let mut differ = |what: &str, here: String, there: String| {
        if here != there {
            let (key, id) = (&one.key, &one.id);
            into.push(format!(
                "{key:?} version {id}: {what} is {here} at {} and {there} at {}",
                left.label, right.label
            ));
        }
    };
    differ("the listed kind", kind(one).to_owned(), kind(other).to_owned());
    differ("the listed time in ms", one.modified_ms.to_string(), other.modified_ms.to_string());
    differ("the listed ETag", format!("{:?}", one.etag), format!("{:?}", other.etag));
    differ("the listed size", format!("{:?}", one.size), format!("{:?}", other.size));
}

/// Versions in another order, or another latest one. The times are equal at both, so only ties can be the reason.
fn order(key: &str, left: (&Bucket, &[Listed]), right: (&Bucket, &[Listed])) -> Vec<Tie> {
    let mut ties = Vec::new();
    let differing = left.1.iter().zip(right.1).filter(|(one, other)| one.id != other.id || one.latest != other.latest);
    let times: BTreeSet<i64> = differing.flat_map(|(one, other)| [one.modified_ms, other.modified_ms]).collect();
    for time in times {
        let ids = |of: &[Listed]| {
            of.iter()
                .filter(|version| version.modified_ms == time)
                .map(|version| version.id.clone())
                .collect::<Vec<_>>()
        };
        let (one, other) = (ids(left.1), ids(right.1));
        let (here, there) = (&left.0.label, &right.0.label);
        let difference = format!("{key:?} at {time} ms: the order is {one:?} at {here} and {other:?} at {there}");
        ties.push(Tie { key: key.to_owned(), ids: one, difference });
    }
    ties
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{Credentials, client::connect};

    fn bucket(label: &str) -> Bucket {
        let client = connect("http://127.0.0.1:1", &Credentials::new("a", "b"));
        Bucket { label: label.to_owned(), client, name: "b".to_owned() }
    }

    fn listed(id: &str, modified_ms: i64, latest: bool) -> Listed {
        Listed {
            key: "k".to_owned(),
            id: id.to_owned(),
            marker: false,
            modified_ms,
            latest,
            etag: Some("e".to_owned()),
            size: Some(1),
        }
    }

    fn found(one: Vec<Listed>, other: Vec<Listed>) -> Found {
        let listing = |versions: Vec<Listed>| Listing::from([("k".to_owned(), versions)]);
        differences(&bucket("east"), &listing(one), &bucket("west"), &listing(other))
    }

    #[test]
    fn equal_listings_do_not_differ() {
        let versions = vec![listed("b", 2, true), listed("a", 1, false)];
        let found = found(versions.clone(), versions);
        assert_eq!((found.versions, found.differences.len(), found.ties.len(), found.objects.len()), (2, 0, 0, 2));
    }

    #[test]
    fn a_missing_version_is_told() {
        let found = found(vec![listed("b", 2, true), listed("a", 1, false)], vec![listed("b", 2, true)]);
        assert_eq!(found.differences, ["\"k\" version a: an object of 1 ms is at east only"]);
    }

    #[test]
    fn a_marker_is_no_object_and_times_count() {
        let marker = Listed { marker: true, modified_ms: 3, etag: None, size: None, ..listed("a", 3, true) };
        let found = found(vec![marker], vec![listed("a", 1, true)]);
        assert_eq!(found.differences.len(), 4, "{:?}", found.differences);
        assert!(found.objects.is_empty());
    }

    #[test]
    fn another_order_needs_a_tie() {
        let found =
            found(vec![listed("b", 2, true), listed("a", 2, false)], vec![listed("a", 2, true), listed("b", 2, false)]);
        assert!(found.differences.is_empty());
        assert_eq!(found.ties.len(), 1);
        assert_eq!(found.ties[0].ids, ["b", "a"]);
    }

    #[test]
    fn null_has_one_spelling() {
        assert_eq!(plain(None), "null");
        assert_eq!(plain(Some("00000000-0000-0000-0000-000000000000")), "null");
        assert_eq!(plain(Some("x")), "x");
    }
}
