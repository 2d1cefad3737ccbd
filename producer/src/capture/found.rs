//! What capture found at the store, and how it is put into a change event. Pure.

use twinlog_schemas::{Encryption, ObjectState, Retention, Stamp, StoreReading, Tags, TimePrecision};
use twinlog_site::{ListedVersion, ObjectReading};

use super::time::Modified;

/// What the store holds under a version id, with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// An object.
    Object(Box<ObjectReading>, Modified),
    /// A delete marker.
    Marker(Modified),
    /// Nothing.
    Absent,
    /// It was not looked at, because what was told is believed as it stands.
    Unread,
}

impl Found {
    /// The object and its time, if there is one.
    #[must_use]
    pub fn object(&self) -> Option<(&ObjectReading, Modified)> {
        match self {
            Self::Object(object, modified) => Some((object, *modified)),
            _ => None,
        }
    }

    /// What an ANSWER says of it.
    #[must_use]
    pub fn answer(&self) -> StoreReading {
        match self {
            Self::Object(object, _) => StoreReading {
                present: true,
                tags: object.tags.clone(),
                retention: object.retention,
                legal_hold: object.legal_hold,
            },
            other => StoreReading {
                present: matches!(other, Self::Marker(_)),
                tags: Tags::new(),
                retention: None,
                legal_hold: false,
            },
        }
    }
}

/// The stamps that an event carries, where it speaks of a category.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamps {
    /// Of the tags.
    pub tags: Option<Stamp<Tags>>,
    /// Of the retention.
    pub retention: Option<Stamp<Option<Retention>>>,
    /// Of the legal hold.
    pub legal_hold: Option<Stamp<bool>>,
}

/// The object part of a change event.
#[must_use]
pub fn object_state(object: &ObjectReading, stamps: Stamps, with_body: bool) -> ObjectState {
    ObjectState {
        size: i64::try_from(object.size).unwrap_or(i64::MAX),
        etag: object.etag.clone(),
        headers: object.headers.clone(),
        user_metadata: object.user_metadata.clone(),
        tags: stamps.tags,
        retention: stamps.retention,
        legal_hold: stamps.legal_hold,
        storage_class: object.storage_class.clone(),
        encryption: object.encryption,
        checksums: object.checksums.clone(),
        parts: object.parts.clone(),
        body: object.body.as_ref().filter(|_| with_body && travels(object)).map(|body| body.to_vec()),
    }
}

/// Whether a body may travel in an event: never one that its source encrypts, and only a whole one.
fn travels(object: &ObjectReading) -> bool {
    object.encryption == Encryption::None && object.body.as_ref().is_some_and(|body| body.len() as u64 == object.size)
}

/// What can be said of an object that only its customer's key can read: what the listing shows. Its event cannot be
/// applied without the key, and says so by its encryption class.
#[must_use]
pub fn customer_encrypted(listed: &ListedVersion) -> ObjectReading {
    ObjectReading {
        size: listed.size.unwrap_or_default(),
        etag: listed.etag.clone().unwrap_or_default(),
        modified_s_ms: listed.modified_ms - listed.modified_ms.rem_euclid(1_000),
        headers: Default::default(),
        user_metadata: Default::default(),
        tags: Tags::new(),
        retention: None,
        legal_hold: false,
        storage_class: None,
        encryption: Encryption::SseC,
        checksums: Vec::new(),
        parts: Vec::new(),
        replication_status: None,
        body: None,
    }
}

/// The time of something removed: as exact as notices are.
#[must_use]
pub fn removed_at(ns: i64) -> Modified {
    Modified { ns, precision: TimePrecision::Milliseconds }
}
