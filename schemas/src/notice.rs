//! Twinlog's own notices: how a sweep, a replay or a consumer in doubt asks a site's capture to look at a version.
//!
//! The notices topic holds records as received: a store's JSON, or one of these. An own notice is JSON with the one
//! top-level member `twinlog`, so that the two can never be confused.

use serde::{Deserialize, Serialize};

use crate::event_id::EventId;
use crate::name::{BucketName, ObjectKey, SiteName};
use crate::version::VersionId;

/// Asks capture to read a version (or, without a version id, all versions of a key) afresh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnNotice {
    /// The id that an ANSWER repeats.
    pub id: EventId,
    /// Who asks.
    pub cause: ExamineCause,
    /// The bucket.
    pub bucket: BucketName,
    /// The object key.
    pub key: ObjectKey,
    /// The version; `None` asks for all versions of the key.
    pub version_id: Option<VersionId>,
    /// Leave to create where a target lacks the version.
    pub may_create: bool,
    /// The site that asks.
    pub asked_by: SiteName,
    /// When it was asked, microseconds since the Unix epoch.
    pub asked_at_us: i64,
}

/// Why somebody asks for an examination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExamineCause {
    /// A sweep found a difference.
    Sweep,
    /// An operator replays a dead letter.
    Replay,
    /// A consumer met a value that nothing explains; answered by an ANSWER fact.
    Doubt,
    /// A person says of a version that vanished from the site that it was removed there: where it is not there, capture
    /// tells its removal.
    Removed,
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    twinlog: OwnNotice,
}

impl OwnNotice {
    /// The notice as the record value of a notices topic.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Envelope { twinlog: self.clone() })
    }

    /// Reads a record value; an error if it is not one of Twinlog's own.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice::<Envelope>(json).map(|envelope| envelope.twinlog)
    }
}
