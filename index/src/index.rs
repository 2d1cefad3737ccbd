//! The contract of an index.

use std::collections::BTreeMap;

use twinlog_schemas::{BucketName, Fact, ObjectKey, Receipt, VersionId, VersionRef};

use crate::error::IndexError;
use crate::position::{Partition, Position};
use crate::state::VersionState;

/// One record to be merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merge {
    /// A fact of any site.
    Fact(Fact),
    /// A receipt of any site.
    Receipt(Receipt),
}

impl Merge {
    /// The version that it is about.
    #[must_use]
    pub fn version(&self) -> VersionRef {
        match self {
            Self::Fact(fact) => fact.version(),
            Self::Receipt(receipt) => receipt.version(),
        }
    }

    /// Merges it into that version's state; whether that said anything new.
    pub fn into_state(&self, state: &mut VersionState) -> bool {
        match self {
            Self::Fact(fact) => state.merge_fact(fact),
            Self::Receipt(receipt) => state.merge_receipt(receipt),
        }
    }
}

/// The result of one step of expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expired {
    /// Entries looked at.
    pub looked_at: usize,
    /// Entries dropped.
    pub dropped: usize,
    /// Whether the step reached the end; the next one begins at the front again.
    pub round_done: bool,
}

/// What all facts together say of each version, and how far they have been read.
///
/// - **Order and repetition** do not matter: merging is a join.
/// - **Atomic**: the records of one call and its position become visible, and survive a crash of the process, together
///   or not at all.
/// - **Not durable**: a power cut may lose the newest calls, with their positions; they are then read again.
/// - **Shared**: callers may be many; calls that merge run one after the other, reads do not wait for them.
/// - **Blocking**: microseconds as a rule; a stored index may read its disk.
pub trait Index: Send + Sync {
    /// Merges records, and moves their partition's position forward to `position` (never back) if one is given. An
    /// empty slice moves the position only.
    fn merge(&self, records: &[Merge], position: Option<&Position>) -> Result<(), IndexError>;

    /// What is known of a version; the empty state if nothing is.
    fn version(&self, version: &VersionRef) -> Result<VersionState, IndexError>;

    /// What is known of all versions of a key, the null version among them, by version id.
    fn versions_of(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<BTreeMap<VersionId, VersionState>, IndexError>;

    /// How far each partition has been read: the next offset.
    fn positions(&self) -> Result<BTreeMap<Partition, i64>, IndexError>;

    /// Sets a position, also backwards: the topic was made anew, or is to be read again.
    fn set_position(&self, position: &Position) -> Result<(), IndexError>;

    /// One step of dropping what was last said before `before_ns` (nanoseconds since the Unix epoch): looks at up to
    /// `limit` entries, in order, going on where the last step ended.
    fn expire(&self, before_ns: i64, limit: usize) -> Result<Expired, IndexError>;
}
