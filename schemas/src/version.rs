//! Which version of which object: its id, its full address, and what it is.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::{BucketName, NameError, ObjectKey, name};

name!(
    /// A version id as the store spells it; the null version is always spelled `null`.
    ///
    /// Listings may show the null version as the nil UUID or as nothing: [`VersionId::normal`] folds both.
    VersionId,
    check_version
);

const NIL_UUID: &str = "00000000-0000-0000-0000-000000000000";

impl VersionId {
    /// The null version: from before versioning, or a key ending in `/` on some stores.
    #[must_use]
    pub fn null() -> Self {
        Self("null".to_owned())
    }

    /// Whether this is the null version.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.0 == "null"
    }

    /// Reads a version id as stores write it: nothing, the empty text and the nil UUID all mean `null`.
    pub fn normal(raw: Option<&str>) -> Result<Self, NameError> {
        match raw {
            None | Some("" | NIL_UUID) => Ok(Self::null()),
            Some(id) => Self::new(id),
        }
    }
}

fn check_version(id: &str) -> Result<(), NameError> {
    let allowed = (1..=1024).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    if allowed { Ok(()) } else { Err(NameError::Version(id.to_owned())) }
}

/// The full address of one version, the same at every site.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VersionRef {
    /// The bucket; buckets have the same name at both ends of a link.
    pub bucket: BucketName,
    /// The object key.
    pub key: ObjectKey,
    /// The version.
    pub version_id: VersionId,
}

impl fmt::Display for VersionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}?versionId={}", self.bucket, self.key, self.version_id)
    }
}

/// What a version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VersionKind {
    /// An object with a body.
    Object,
    /// A delete marker.
    DeleteMarker,
    /// Permanently removed.
    Removed,
    /// A symbol that a newer release wrote: the link is held ("upgrade me").
    #[serde(other)]
    Unknown,
}
