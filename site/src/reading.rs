//! What was read from a store.

use std::collections::BTreeMap;

use bytes::Bytes;
use twinlog_schemas::{Checksum, ContentHeaders, Encryption, ObjectKey, Part, Retention, Tags, VersionId, VersionKind};

/// Whether the body is wanted along with a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyWish {
    /// No body: one HEAD.
    No,
    /// The body if it has at most this many bytes and is not encrypted with a customer's key: one GET, and a HEAD
    /// where the store's GET shows less than that.
    UpTo(u64),
    /// The same of a plain version: its birth's notice showed that it has nothing of what a GET may leave out (tags,
    /// lock, Expires, Content-Language, website redirect). One GET, and what that leaves out is read as empty.
    Plain(u64),
}

impl BodyWish {
    /// The largest body that is wished for.
    #[must_use]
    pub fn most(self) -> Option<u64> {
        match self {
            Self::No => None,
            Self::UpTo(most) | Self::Plain(most) => Some(most),
        }
    }
}

/// What a store holds under one version id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// An object.
    Object(Box<ObjectReading>),
    /// A delete marker.
    Marker {
        /// Its Last-Modified in milliseconds since the Unix epoch, whole seconds; `None` where the store did not say.
        modified_s_ms: Option<i64>,
    },
    /// Nothing.
    Absent,
}

/// An object version as the store shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectReading {
    /// Bytes of the body as a client reads it.
    pub size: u64,
    /// The ETag without quotes.
    pub etag: String,
    /// Last-Modified, milliseconds since the Unix epoch, but of whole seconds: reads show no more.
    pub modified_s_ms: i64,
    /// Content headers.
    pub headers: ContentHeaders,
    /// User metadata, names without `x-amz-meta-`, lower case.
    pub user_metadata: BTreeMap<String, String>,
    /// The tags.
    pub tags: Tags,
    /// The retention; one that has expired is still shown as stored.
    pub retention: Option<Retention>,
    /// The legal hold; OFF and never set are both `false`.
    pub legal_hold: bool,
    /// The storage class where the store names one.
    pub storage_class: Option<String>,
    /// The encryption class.
    pub encryption: Encryption,
    /// Checksums (only by [`crate::Site::read`]).
    pub checksums: Vec<Checksum>,
    /// Part numbers and sizes of a multipart object (only by [`crate::Site::read`]); empty for a single PUT.
    pub parts: Vec<Part>,
    /// `x-amz-replication-status`. Tells nothing about who wrote.
    pub replication_status: Option<String>,
    /// The body, where wished and small enough.
    pub body: Option<Bytes>,
}

/// One line of a version listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedVersion {
    /// The key.
    pub key: ObjectKey,
    /// The version id, `null` spelled so.
    pub version_id: VersionId,
    /// OBJECT or DELETE_MARKER.
    pub kind: VersionKind,
    /// The modification time in milliseconds since the Unix epoch.
    pub modified_ms: i64,
    /// Whether the store calls it the latest.
    pub is_latest: bool,
    /// The ETag of an object.
    pub etag: Option<String>,
    /// The listed size of an object; can be the stored size.
    pub size: Option<u64>,
}

/// Where a listing begins; the markers are passed back verbatim from a [`VersionPage`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListFrom {
    /// Only keys that begin so.
    pub prefix: String,
    /// The key marker of the page before.
    pub key_marker: Option<String>,
    /// The version-id marker of the page before.
    pub version_marker: Option<String>,
    /// At most so many lines; the store's own limit (1,000) where `None`.
    pub limit: Option<u32>,
}

/// One page of a version listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionPage {
    /// The lines, by key, then newest first.
    pub versions: Vec<ListedVersion>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<ListFrom>,
}
