//! Receipts: what Twinlog wrote into a site, and why.

use serde::{Deserialize, Serialize};

use crate::event_id::EventId;
use crate::fact::NullRegister;
use crate::name::{BucketName, ObjectKey, SiteName};
use crate::stamp::{Retention, StampRef, Tags};
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
    /// The stamp that the site now holds of the tags, where there is one.
    #[serde(default)]
    pub tags_stamp: Option<StampRef>,
    /// The stamp that the site now holds of the retention, where there is one.
    #[serde(default)]
    pub retention_stamp: Option<StampRef>,
    /// The stamp that the site now holds of the legal hold, where there is one.
    #[serde(default)]
    pub legal_hold_stamp: Option<StampRef>,
    /// The register that a null version was brought to.
    #[serde(default)]
    pub null_register: Option<NullRegister>,
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
    /// Nothing: the site had what it should have, and only the stamps that it came to hold are told.
    Nothing,
    /// A symbol that a newer release wrote.
    #[serde(other)]
    Unknown,
}

impl Receipt {
    /// A receipt that tells of no values yet.
    #[must_use]
    pub fn of(wrote: Wrote, version: VersionRef, event_id: EventId, [source, site]: [SiteName; 2], at_ns: i64) -> Self {
        Self {
            event_id,
            site,
            source,
            bucket: version.bucket,
            key: version.key,
            version_id: version.version_id,
            written_at_ns: at_ns,
            wrote,
            tags: None,
            retention: None,
            legal_hold: None,
            upload: None,
            tags_stamp: None,
            retention_stamp: None,
            legal_hold_stamp: None,
            null_register: None,
        }
    }

    /// The version's full address.
    #[must_use]
    pub fn version(&self) -> VersionRef {
        VersionRef { bucket: self.bucket.clone(), key: self.key.clone(), version_id: self.version_id.clone() }
    }
}
