//! What a decision of capture leads to: facts, then change events, and how the notices ended. Pure data, with the
//! circumstances of the capture that all of them share.

use twinlog_schemas::{
    BucketName, ChangeEvent, EventId, FactBody, ObjectKey, SiteName, Told, VersionId, VersionKind, VersionRef,
};

use super::found::{Found, Stamps, object_state};
use super::time::Modified;
use super::waiting::Waiting;
use crate::observe::Settled;

/// The circumstances of one capture of one version.
#[derive(Debug, Clone)]
pub struct Circumstances {
    /// The id that the event and its facts share.
    pub event_id: EventId,
    /// The site that is read.
    pub site: SiteName,
    /// The bucket.
    pub bucket: BucketName,
    /// The key.
    pub key: ObjectKey,
    /// The version.
    pub version_id: VersionId,
    /// When the state had been read, nanoseconds since the Unix epoch.
    pub now_ns: i64,
}

impl Circumstances {
    /// The version's address.
    #[must_use]
    pub fn version(&self) -> VersionRef {
        VersionRef { bucket: self.bucket.clone(), key: self.key.clone(), version_id: self.version_id.clone() }
    }

    /// A change event of what was found, caused by this notice.
    #[must_use]
    pub fn event(&self, cause: &Waiting, told: Told, found: &Found, stamps: Stamps) -> ChangeEvent {
        let (kind, modified) = match found {
            Found::Object(_, modified) => (VersionKind::Object, *modified),
            Found::Marker(modified) => (VersionKind::DeleteMarker, *modified),
            Found::Absent | Found::Unread => (VersionKind::Removed, super::found::removed_at(cause.time_ns())),
        };
        // A body is of use only where a target may lack the version.
        let with_body = matches!(told, Told::Born | Told::Examined);
        let object = found.object().map(|(object, _)| object_state(object, stamps, with_body));
        self.event_of(cause, told, kind, modified, object)
    }

    /// The event that says that the version is gone.
    #[must_use]
    pub fn removal(&self, cause: &Waiting, told: Told, modified: Modified) -> ChangeEvent {
        self.event_of(cause, told, VersionKind::Removed, modified, None)
    }

    fn event_of(
        &self,
        cause: &Waiting,
        told: Told,
        kind: VersionKind,
        modified: Modified,
        object: Option<twinlog_schemas::ObjectState>,
    ) -> ChangeEvent {
        ChangeEvent {
            event_id: self.event_id,
            site: self.site.clone(),
            bucket: self.bucket.clone(),
            key: self.key.clone(),
            version_id: self.version_id.clone(),
            kind,
            told,
            cause: cause.notice.cause.clone(),
            lifecycle: cause.notice.lifecycle,
            may_create: false,
            actor: cause.notice.actor.clone(),
            modified_at_ns: modified.ns,
            modified_precision: modified.precision,
            event_time_us: cause.notice.time_ns.map(|ns| ns / 1_000),
            noticed_at_us: cause.noticed_at_us,
            observed_at_us: self.now_ns / 1_000,
            object,
            locks_seen: None,
            null_register: None,
        }
    }
}

/// What follows from one capture: the facts first, then the events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What this site says; before it is written, each is joined with all that the site has said.
    pub facts: Vec<FactBody>,
    /// The change events, in order.
    pub events: Vec<ChangeEvent>,
    /// How it ended, where no event follows.
    pub settled: Option<Settled>,
}

impl Outcome {
    /// Nothing follows.
    #[must_use]
    pub fn settled(how: Settled) -> Self {
        Self { settled: Some(how), ..Self::default() }
    }
}
