//! Notices: hints that a key changed, in the words of a store or of Twinlog itself, parsed into one shape. Pure.
//!
//! A notice is believed in what it names (bucket, key, version, which category, when), never in what it says about
//! content: capture reads that. [`parse`] is total: whatever bytes come, the answer is notices or a [`NoticeError`]
//! that says what is wrong and where.

mod audit;
mod document;
mod door;
mod error;
mod key;
mod store;

use twinlog_schemas::{BucketName, Category, EventId, ExamineCause, ObjectKey, OwnNotice, SiteName, VersionId};

pub use document::{Piece, parse, split};
pub use door::{Door, received_at_us};
pub use error::NoticeError;

/// One hint about one object key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The bucket.
    pub bucket: BucketName,
    /// The object key, decoded.
    pub key: ObjectKey,
    /// What is said to have happened.
    pub hint: Hint,
    /// The store's event name, `audit:<trigger>`, `sweep`, `replay` or `doubt`: the cause in events and facts.
    pub cause: String,
    /// Whether the store's own lifecycle did it.
    pub lifecycle: bool,
    /// The principal that the store names; none where it names nobody.
    pub actor: Option<String>,
    /// When, by the store's clock, nanoseconds since the Unix epoch: the end of the client's request.
    pub time_ns: Option<i64>,
    /// The sequencer as nanoseconds: a modification time for births, single markers and tags, else the time of the call.
    pub sequencer_ns: Option<i64>,
    /// The size that a birth names.
    pub size: Option<u64>,
    /// The ETag that a birth names, without quotes.
    pub etag: Option<String>,
    /// A birth that is shown to have nothing but what any GET shows: no tags, no lock, no header that some stores' GET
    /// leaves out. A hint that there is nothing more to ask; what is not known to be plain is `false`.
    pub plain: bool,
    /// The store's id of the client's request, the same at every door.
    pub request_id: Option<String>,
}

/// What a notice says has happened, as far as its name can be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// An object version was born.
    Born(VersionId),
    /// A delete marker was made, or removed: this name lies on some builds. Without an id: one of the key's newest.
    Marker(Option<VersionId>),
    /// This version was removed for good.
    Removed(VersionId),
    /// One category of a version changed.
    Changed(VersionId, Category),
    /// One category of some version of the key changed, nobody says of which.
    ChangedSomewhere(Category),
    /// Twinlog itself asks.
    Examine(Examination),
    /// Nothing that replication cares for: a read, a removal of what was not there.
    Nothing,
}

/// What one of Twinlog's own notices asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// What an ANSWER repeats.
    pub id: EventId,
    /// Who asks.
    pub cause: ExamineCause,
    /// Which version; none asks for all of the key.
    pub version_id: Option<VersionId>,
    /// Leave to create where a target lacks it.
    pub may_create: bool,
    /// The site that asks.
    pub asked_by: SiteName,
}

impl Notice {
    /// The version that the notice names.
    #[must_use]
    pub fn version_id(&self) -> Option<&VersionId> {
        match &self.hint {
            Hint::Born(id) | Hint::Removed(id) | Hint::Changed(id, _) => Some(id),
            Hint::Marker(id) => id.as_ref(),
            Hint::Examine(examination) => examination.version_id.as_ref(),
            Hint::ChangedSomewhere(_) | Hint::Nothing => None,
        }
    }

    /// Whether the store says that a client took all tags off: the one change whose name says what it left.
    #[must_use]
    pub fn took_tags_off(&self) -> bool {
        store::takes_tags_off(&self.cause)
    }
}

impl From<OwnNotice> for Notice {
    fn from(own: OwnNotice) -> Self {
        let cause = match own.cause {
            ExamineCause::Sweep | ExamineCause::Removed => "sweep",
            ExamineCause::Replay => "replay",
            ExamineCause::Doubt => "doubt",
        };
        Self {
            bucket: own.bucket,
            key: own.key,
            cause: cause.to_owned(),
            lifecycle: false,
            actor: None,
            time_ns: Some(own.asked_at_us.saturating_mul(1_000)),
            sequencer_ns: None,
            size: None,
            etag: None,
            plain: false,
            request_id: None,
            hint: Hint::Examine(Examination {
                id: own.id,
                cause: own.cause,
                version_id: own.version_id,
                may_create: own.may_create,
                asked_by: own.asked_by,
            }),
        }
    }
}

#[cfg(test)]
mod fixtures;
