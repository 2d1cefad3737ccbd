//! Facts: small records about a version, without its body. All facts together are the state of convergence.

use serde::{Deserialize, Serialize};

use crate::event_id::EventId;
use crate::name::{BucketName, ObjectKey, SiteName};
use crate::stamp::{Category, LocksSeen, Retention, Stamp, Tags};
use crate::version::{VersionId, VersionRef};

/// One record of a site's facts topic. Compacted by [`Fact::compaction_key`], so each fact holds the join of all
/// that its site has said of that version in that kind and category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The change event that it belongs to.
    pub event_id: EventId,
    /// The site that says so: the only writer of its facts is its own capture.
    pub site: SiteName,
    /// The bucket.
    pub bucket: BucketName,
    /// The object key.
    pub key: ObjectKey,
    /// The version.
    pub version_id: VersionId,
    /// When it was said, nanoseconds since the Unix epoch.
    pub said_at_ns: i64,
    /// With a stamp of a null version: the register that it is of, since another one begins without stamps.
    pub of: Option<NullRegister>,
    /// What is said.
    pub body: FactBody,
}

/// The five kinds of fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FactBody {
    /// The version was permanently removed. Terminal.
    Removed(Removal),
    /// The tags' stamp.
    Tags(Stamp<Tags>),
    /// The retention's two registers: the winning stamp, and the COMPLIANCE stamp with the latest date.
    Retention {
        /// The winner by basis, time and site.
        latest: Stamp<Option<Retention>>,
        /// The COMPLIANCE stamp with the latest date, if there ever was one.
        compliance: Option<Stamp<Option<Retention>>>,
    },
    /// The legal hold's stamp.
    LegalHold(Stamp<bool>),
    /// The null version's register.
    Null(NullRegister),
    /// Compare this version at your site with the index.
    Look,
    /// What capture found when a doubt asked; always given, whatever was found.
    Answer(Answer),
}

/// A permanent removal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// When, nanoseconds since the Unix epoch.
    pub removed_at_ns: i64,
    /// The event name or `sweep`.
    pub cause: String,
    /// Whether the store's lifecycle did it.
    #[serde(default)]
    pub lifecycle: bool,
    /// The locks that the removal overcame; `None` if none had ever been there.
    #[serde(default)]
    pub locks_seen: Option<LocksSeen>,
}

/// What the null version of a key is, as one register over all sites.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NullRegister {
    /// The state.
    pub state: NullState,
    /// Modification time of an object or marker; for REMOVED the end of the removal's millisecond. Nanoseconds since the Unix epoch.
    pub at_ns: i64,
    /// The site where that state arose (kept when another site's capture reads the replica).
    pub site: SiteName,
    /// The object's ETag, to tell which register a store's null version is.
    pub etag: Option<String>,
    /// The register that this one took the place of at its site, as far as that site knew.
    #[serde(default)]
    pub over: Option<RegisterRef>,
}

/// A null version's register, named by what decides between two of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RegisterRef {
    /// Its time, nanoseconds since the Unix epoch.
    pub at_ns: i64,
    /// The site where it arose.
    pub site: SiteName,
}

impl NullRegister {
    /// The register by name.
    #[must_use]
    pub fn named(&self) -> RegisterRef {
        RegisterRef { at_ns: self.at_ns, site: self.site.clone() }
    }
}

/// What a null version can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NullState {
    /// Gone.
    Removed,
    /// A delete marker.
    Marker,
    /// An object.
    Object,
}

/// The answer to a doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The doubt notice's id.
    pub doubt_id: EventId,
    /// What the store held when capture looked.
    pub reading: StoreReading,
}

/// What a store held of a version, in short: what a doubt is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreReading {
    /// Whether an object or marker was there at all.
    pub present: bool,
    /// The tags read.
    #[serde(default)]
    pub tags: Tags,
    /// The retention read.
    pub retention: Option<Retention>,
    /// The legal hold read.
    #[serde(default)]
    pub legal_hold: bool,
}

impl Fact {
    /// The version's full address.
    #[must_use]
    pub fn version(&self) -> VersionRef {
        VersionRef { bucket: self.bucket.clone(), key: self.key.clone(), version_id: self.version_id.clone() }
    }

    /// The category of a stamp fact.
    #[must_use]
    pub fn category(&self) -> Option<Category> {
        match self.body {
            FactBody::Tags(_) => Some(Category::Tags),
            FactBody::Retention { .. } => Some(Category::Retention),
            FactBody::LegalHold(_) => Some(Category::LegalHold),
            _ => None,
        }
    }

    /// The record key in the compacted facts topic: bucket, key, version, kind and category, separated by NUL.
    ///
    /// No two different addresses or kinds share one: of the five parts only the object key may hold a NUL, so the
    /// bucket ends at the first and the others are found from the end.
    #[must_use]
    pub fn compaction_key(&self) -> Vec<u8> {
        let category = match self.category() {
            Some(Category::Tags) => "TAGS",
            Some(Category::Retention) => "RETENTION",
            Some(Category::LegalHold) => "LEGAL_HOLD",
            Some(Category::Unknown) | None => "",
        };
        let parts = [self.bucket.as_str(), self.key.as_str(), self.version_id.as_str(), self.kind(), category];
        parts.join("\0").into_bytes()
    }

    /// The kind's name, as in the schema.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.body {
            FactBody::Removed(_) => "REMOVED",
            FactBody::Tags(_) | FactBody::Retention { .. } | FactBody::LegalHold(_) => "STAMP",
            FactBody::Null(_) => "NULL",
            FactBody::Look => "LOOK",
            FactBody::Answer(_) => "ANSWER",
        }
    }
}
