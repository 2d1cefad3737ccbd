//! The order and the bytes of an entry's key: bucket, object key, version id, separated by NUL.
//!
//! Only the object key may hold a NUL, so the bucket ends at the first and the version id begins after the last: no
//! two versions share a key, and all versions of one object key stand in one range.

use twinlog_schemas::{BucketName, ObjectKey, VersionId, VersionRef};

pub(crate) fn of(version: &VersionRef) -> Vec<u8> {
    let mut bytes = prefix(&version.bucket, &version.key);
    bytes.extend_from_slice(version.version_id.as_str().as_bytes());
    bytes
}

/// What the keys of all versions of an object key begin with; other object keys' may too, see [`version_id`].
pub(crate) fn prefix(bucket: &BucketName, key: &ObjectKey) -> Vec<u8> {
    [bucket.as_str().as_bytes(), b"\0", key.as_str().as_bytes(), b"\0"].concat()
}

/// The version id of a key that begins with `prefix`; `None` if it belongs to a longer object key with a NUL inside.
pub(crate) fn version_id(key: &[u8], prefix: &[u8]) -> Option<VersionId> {
    let rest = key.strip_prefix(prefix)?;
    std::str::from_utf8(rest).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;
    use twinlog_schemas::arbitrary;

    use super::*;

    proptest! {
        #[test]
        fn versions_have_keys_of_their_own(
            bucket in arbitrary::bucket(),
            keys in prop::array::uniform2("[ab\0]{1,4}"),
            ids in prop::array::uniform2("[ab]{1,2}"),
        ) {
            let version = |n: usize| VersionRef {
                bucket: bucket.clone(),
                key: keys[n].parse().unwrap(),
                version_id: ids[n].parse().unwrap(),
            };
            let (one, other) = (version(0), version(1));
            prop_assert_eq!(of(&one) == of(&other), one == other);
            let found = version_id(&of(&other), &prefix(&bucket, &one.key));
            prop_assert_eq!(found, (one.key == other.key).then(|| other.version_id.clone()));
        }
    }
}
