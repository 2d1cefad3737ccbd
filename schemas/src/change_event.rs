//! The change event: what one object version *is* at its source, and what the notice told.

use serde::{Deserialize, Serialize};

use crate::event_id::EventId;
use crate::fact::NullRegister;
use crate::name::{BucketName, ObjectKey, SiteName};
use crate::object::{ObjectState, TimePrecision};
use crate::stamp::LocksSeen;
use crate::version::{VersionId, VersionKind, VersionRef};

/// One record of a bucket's change topic. State, not a delta: applying it twice, late, or after a newer one does no harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeEvent {
    /// Shared with the facts that were written for the same capture.
    pub event_id: EventId,
    /// Where the state was read.
    pub site: SiteName,
    /// The bucket, the same name at every site.
    pub bucket: BucketName,
    /// The object key.
    pub key: ObjectKey,
    /// The version, `null` spelled so.
    pub version_id: VersionId,
    /// What the version is.
    pub kind: VersionKind,
    /// What the notice told.
    pub told: Told,
    /// Why capture looked: the store's event name, `audit:<trigger>`, `sweep`, `replay`, `doubt`.
    pub cause: String,
    /// Whether the store's own lifecycle did it.
    #[serde(default)]
    pub lifecycle: bool,
    /// Leave to create where `told` is EXAMINED: given by a sweep or replay, never by a doubt (null versions apart).
    #[serde(default)]
    pub may_create: bool,
    /// The principal that the notice named.
    pub actor: Option<String>,
    /// The version's modification time in nanoseconds since the Unix epoch; for REMOVED the time of the removal.
    pub modified_at_ns: i64,
    /// How exact that is.
    pub modified_precision: TimePrecision,
    /// The time that the notice gave, microseconds since the Unix epoch.
    pub event_time_us: Option<i64>,
    /// When intake had the notice, microseconds since the Unix epoch.
    pub noticed_at_us: i64,
    /// When capture had read the state, microseconds since the Unix epoch.
    pub observed_at_us: i64,
    /// Present exactly if `kind` is OBJECT.
    pub object: Option<ObjectState>,
    /// The locks that the removal overcame, if `kind` is REMOVED; `None` if none had ever been there.
    #[serde(default)]
    pub locks_seen: Option<LocksSeen>,
    /// Of a null version: the register that this event stands for.
    #[serde(default)]
    pub null_register: Option<NullRegister>,
}

impl ChangeEvent {
    /// The version's full address.
    #[must_use]
    pub fn version(&self) -> VersionRef {
        VersionRef { bucket: self.bucket.clone(), key: self.key.clone(), version_id: self.version_id.clone() }
    }

    /// Whether the plan may create the version at a target that lacks it: births, and examinations with leave.
    #[must_use]
    pub fn creates(&self) -> bool {
        match self.told {
            Told::Born => true,
            Told::Examined => self.may_create,
            _ => false,
        }
    }
}

/// What a notice told of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Told {
    /// It was created.
    Born,
    /// Its tags changed.
    Tags,
    /// Its retention changed.
    Retention,
    /// Its legal hold changed.
    LegalHold,
    /// It was permanently removed.
    Removed,
    /// Somebody asked to look at it: a sweep, a replay, a doubt.
    Examined,
    /// A symbol that a newer release wrote.
    #[serde(other)]
    Unknown,
}
