//! Tests of merging a listing.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn line(key: &str, id: u32, kind: VersionKind, modified_ms: i64, is_latest: bool) -> ListedVersion {
    ListedVersion {
        key: ObjectKey::new(key).unwrap(),
        version_id: VersionId::new(id.to_string()).unwrap(),
        kind,
        modified_ms,
        is_latest,
        etag: None,
        size: None,
    }
}

fn ids(lines: &[ListedVersion]) -> Vec<String> {
    lines.iter().map(|line| line.version_id.to_string()).collect()
}

#[test]
fn by_key_then_newest_first() {
    let objects = vec![line("a", 2, VersionKind::Object, 20, false), line("b", 4, VersionKind::Object, 5, true)];
    let markers = vec![
        line("a", 1, VersionKind::DeleteMarker, 30, true),
        line("a", 3, VersionKind::DeleteMarker, 10, false),
        line("c", 5, VersionKind::DeleteMarker, 99, true),
    ];
    assert_eq!(ids(&merge(objects, markers)), ["1", "2", "3", "4", "5"]);
}

#[test]
fn among_equal_times_the_latest_comes_first() {
    let objects = || vec![line("a", 1, VersionKind::Object, 10, false)];
    let marker = |latest| vec![line("a", 2, VersionKind::DeleteMarker, 10, latest)];
    assert_eq!(ids(&merge(objects(), marker(true))), ["2", "1"]);
    assert_eq!(ids(&merge(objects(), marker(false))), ["1", "2"]);
}

#[test]
fn both_ways_of_writing_a_space() {
    assert_eq!(form_decoded("a%20b").unwrap(), "a b");
    assert_eq!(form_decoded("a+b%2Bc%252F").unwrap(), "a b+c%2F");
    assert_eq!(form_decoded("%FF"), None);
}

proptest! {
    /// However a sorted listing is split into objects and markers, merging gives it back.
    #[test]
    fn splitting_and_merging_change_nothing(keys in proptest::collection::vec((0u8..4, any::<bool>()), 0..40)) {
        let mut all: Vec<_> = keys
            .iter()
            .enumerate()
            .map(|(at, (key, marker))| {
                let kind = if *marker { VersionKind::DeleteMarker } else { VersionKind::Object };
                line(&format!("k{key}"), u32::try_from(at).unwrap(), kind, -i64::try_from(at).unwrap(), false)
            })
            .collect();
        all.sort_by(|one, other| (&one.key, -one.modified_ms).cmp(&(&other.key, -other.modified_ms)));
        let (markers, objects) = all.iter().cloned().partition(|line| line.kind == VersionKind::DeleteMarker);
        prop_assert_eq!(merge(objects, markers), all);
    }
}
