//! What the in-memory store keeps of one key: its versions, newest first.

use std::collections::BTreeMap;

use bytes::Bytes;
use twinlog_schemas::{Checksum, ContentHeaders, Encryption, Part, Retention, Tags, VersionId};

/// One version of a key.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) id: VersionId,
    pub(super) modified_ns: i64,
    pub(super) content: Content,
}

/// What a version is.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Marker,
    Object(Box<StoredObject>),
}

/// An object with all that a client can see of it, and the two times that guard its lock.
#[derive(Debug, Clone)]
pub(super) struct StoredObject {
    pub(super) body: Bytes,
    pub(super) etag: String,
    pub(super) headers: ContentHeaders,
    pub(super) user_metadata: BTreeMap<String, String>,
    pub(super) tags: Tags,
    pub(super) retention: Option<Retention>,
    /// When the retention last changed here, or at the source by the replica write that brought it.
    pub(super) retention_at_ns: i64,
    pub(super) legal_hold: bool,
    /// Likewise for the legal hold.
    pub(super) legal_hold_at_ns: i64,
    pub(super) storage_class: Option<String>,
    pub(super) encryption: Encryption,
    pub(super) checksums: Vec<Checksum>,
    pub(super) parts: Vec<Part>,
    pub(super) replication_status: Option<String>,
}

impl Stored {
    pub(super) fn object(&self) -> Option<&StoredObject> {
        match &self.content {
            Content::Object(object) => Some(object),
            Content::Marker => None,
        }
    }

    pub(super) fn is_marker(&self) -> bool {
        matches!(self.content, Content::Marker)
    }
}

/// The versions of one key.
///
/// Invariant: newest first by nanoseconds; an id stands at most once.
#[derive(Debug, Clone, Default)]
pub(super) struct Versions(Vec<Stored>);

impl Versions {
    pub(super) fn iter(&self) -> std::slice::Iter<'_, Stored> {
        self.0.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn latest(&self) -> Option<&Stored> {
        self.0.first()
    }

    pub(super) fn get(&self, id: &VersionId) -> Option<&Stored> {
        self.0.iter().find(|stored| stored.id == *id)
    }

    pub(super) fn object_mut(&mut self, id: &VersionId) -> Option<&mut StoredObject> {
        self.0.iter_mut().find(|stored| stored.id == *id).and_then(|stored| match &mut stored.content {
            Content::Object(object) => Some(object.as_mut()),
            Content::Marker => None,
        })
    }

    pub(super) fn remove(&mut self, id: &VersionId) -> Option<Stored> {
        let at = self.0.iter().position(|stored| stored.id == *id)?;
        Some(self.0.remove(at))
    }

    /// Puts a version in its place, instead of the one with the same id.
    pub(super) fn place(&mut self, version: Stored, last_arrival_first: bool) {
        self.remove(&version.id);
        let newer = |stored: &Stored| {
            stored.modified_ns > version.modified_ns
                || (stored.modified_ns == version.modified_ns && !last_arrival_first)
        };
        let at = self.0.iter().position(|stored| !newer(stored)).unwrap_or(self.0.len());
        self.0.insert(at, version);
        debug_assert!(self.0.windows(2).all(|pair| pair[0].modified_ns >= pair[1].modified_ns));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marker(id: u8, modified_ns: i64) -> Stored {
        let id = VersionId::normal(Some(&format!("v{id}"))).unwrap_or_else(|_| VersionId::null());
        Stored { id, modified_ns, content: Content::Marker }
    }

    proptest! {
        /// Whatever the order of arrival: newest first, each id once, the last written time wins.
        #[test]
        fn versions_stay_sorted_and_unique(writes in proptest::collection::vec((0u8..6, 0i64..8), 0..40), last in any::<bool>()) {
            let mut versions = Versions::default();
            let mut expected = BTreeMap::new();
            for (id, at) in writes {
                versions.place(marker(id, at), last);
                expected.insert(marker(id, at).id, at);
            }
            let found: BTreeMap<_, _> = versions.iter().map(|stored| (stored.id.clone(), stored.modified_ns)).collect();
            prop_assert_eq!(versions.iter().count(), expected.len());
            prop_assert_eq!(found, expected);
        }
    }
}
