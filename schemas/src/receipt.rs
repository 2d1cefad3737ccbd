//! Receipts: what Twinlog wrote into a site, and why.

use serde::{Deserialize, Serialize};

use crate::event_id::EventId;
use crate::name::{BucketName, ObjectKey, SiteName};
use crate::stamp::{Retention, Tags};
use crate::version::{VersionId, VersionRef};

/// One record of a site's receipts topic: one write *into* that site. Written after the store answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The event or fact that caused the write.
    pub event_id: EventId,
    /// The site written into.
    pub site: SiteName,
    /// The site whose event or fact caused it.
    pub source: SiteName,
    /// The bucket.
    pub bucket: BucketName,
    /// The object key.
    pub key: ObjectKey,
    /// The version.
    pub version_id: VersionId,
    /// When the store had answered, nanoseconds since the Unix epoch.
    pub written_at_ns: i64,
    /// What was written.
    pub wrote: Wrote,
    /// The tags written, where tags were.
    pub tags: Option<Tags>,
    /// The retention written, where it was.
    pub retention: Option<RetentionWritten>,
    /// The legal hold written.
    pub legal_hold: Option<bool>,
    /// The multipart upload that was begun, with [`Wrote::Upload`] only.
    #[serde(default)]
    pub upload: Option<UploadBegun>,
}

/// A multipart upload under way, so that whoever does the version next goes on with it or aborts it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UploadBegun {
    /// The store's upload id.
    pub upload_id: String,
    /// Digest, in hex, of what it was begun with: attributes and layout. It is gone on with only where these are still
    /// the same.
    pub begun_with: String,
}

/// A retention that was written, or lifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionWritten {
    /// `None`: no retention, or one lifted.
    pub value: Option<Retention>,
}

/// What a receipt's write was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Wrote {
    /// An object version.
    Object,
    /// A delete marker.
    DeleteMarker,
    /// A removal.
    Removal,
    /// One or more of tags, retention and legal hold of a version that was there.
    Attributes,
    /// A multipart upload was begun; or, without [`Receipt::upload`], the one begun before has ended without becoming
    /// the version.
    Upload,
    /// A symbol that a newer release wrote.
    #[serde(other)]
    Unknown,
}

impl Receipt {
    /// The version's full address.
    #[must_use]
    pub fn version(&self) -> VersionRef {
        VersionRef { bucket: self.bucket.clone(), key: self.key.clone(), version_id: self.version_id.clone() }
    }
}
