//! What the producer tells of itself: plain calls, turned into metrics by whoever runs it. Never an object key.

use std::time::Duration;

use twinlog_schemas::{BucketName, Told};

use crate::notice::Door;

/// Receives what happens; every method has an empty default, so an observer names only what it counts. Calls must be
/// quick and must not block: they stand on the path of every notice.
pub trait Observer: Send + Sync + 'static {
    /// A notice has been acknowledged by the log.
    fn received(&self, door: Door, bucket: &BucketName) {
        let _ = (door, bucket);
    }

    /// A notice was taken and dropped, because nothing follows from it.
    fn dropped(&self, door: Door, why: Dropped) {
        let _ = (door, why);
    }

    /// A body could not be read as notices.
    fn malformed(&self, door: Door) {
        let _ = door;
    }

    /// A caller had the wrong token, or none.
    fn unauthorised(&self) {}

    /// A body was not taken now (answered 503): the store keeps it, or, at a fast door, another door has to bring it.
    fn refused(&self, door: Door) {
        let _ = door;
    }

    /// The quarantine dropped its oldest body to keep its bound.
    fn quarantine_overflowed(&self) {}

    /// The listen stream is connected, or is not.
    fn listening(&self, connected: bool) {
        let _ = connected;
    }

    /// The listen stream is connected again after so long.
    fn deaf(&self, how_long: Duration) {
        let _ = how_long;
    }

    /// So many more notices are being captured (fewer, where it is negative).
    fn in_flight(&self, change: i64) {
        let _ = change;
    }

    /// Capture has done with a notice: everything that it caused is acknowledged.
    fn captured(&self, bucket: &BucketName) {
        let _ = bucket;
    }

    /// A notice led to nothing of its own.
    fn settled(&self, bucket: &BucketName, how: Settled) {
        let _ = (bucket, how);
    }

    /// A change event was acknowledged by the log, so long after its notice had been received.
    fn change_produced(&self, bucket: &BucketName, told: Told, since_noticed: Duration) {
        let _ = (bucket, told, since_noticed);
    }

    /// A fact was acknowledged by the log; `kind` as in [`twinlog_schemas::Fact::kind`].
    fn fact_produced(&self, bucket: &BucketName, kind: &'static str) {
        let _ = (bucket, kind);
    }

    /// A read of the store for capture took so long.
    fn read(&self, bucket: &BucketName, took: Duration) {
        let _ = (bucket, took);
    }

    /// A call of the store or the log failed and is tried again.
    fn retried(&self, operation: &'static str) {
        let _ = operation;
    }

    /// A bucket cannot be captured: its notices are acknowledged and a sweep has to find what they told.
    fn dirty(&self, bucket: &BucketName) {
        let _ = bucket;
    }

    /// A dirty bucket can be captured again. It stays on record until it was swept.
    fn mended(&self, bucket: &BucketName) {
        let _ = bucket;
    }

    /// Unread notices were lost with the log's retention; so many.
    fn gap(&self, records: i64) {
        let _ = records;
    }
}

/// Why a notice was dropped on its way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dropped {
    /// It tells nothing that replication cares for.
    Irrelevant,
    /// Its bucket is not replicated.
    NotSelected,
    /// Its bucket is disabled: its subscription does not stand, but the audit log tells of every bucket.
    Disabled,
}

impl Dropped {
    /// The word in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Irrelevant => "irrelevant",
            Self::NotSelected => "not_selected",
            Self::Disabled => "disabled",
        }
    }
}

/// How a notice ended that led to no change event of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Settled {
    /// An exact copy of one that was captured already.
    Copy,
    /// Waited together with another of its version, and was captured with it.
    Merged,
    /// The version is gone from the store: its removal's own notice follows.
    Superseded,
    /// Twinlog's own principal caused it.
    Own,
    /// It named nothing that capture could find or tell: a sweep's business.
    Untold,
    /// It tells nothing that replication cares for, or its bucket is not replicated.
    Irrelevant,
    /// Its record cannot be read as a notice.
    Malformed,
    /// Its bucket cannot be captured now.
    Dirty,
    /// Its key cannot be captured: it is a dead letter.
    Dead,
}

impl Settled {
    /// The word in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Merged => "merged",
            Self::Superseded => "superseded",
            Self::Own => "own",
            Self::Untold => "untold",
            Self::Irrelevant => "irrelevant",
            Self::Malformed => "malformed",
            Self::Dirty => "dirty",
            Self::Dead => "dead",
        }
    }
}

/// Sees nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}

/// Notices that are being captured, for as long as this lives: a call may be dropped at any await.
pub(crate) struct InFlight<'a> {
    observer: &'a dyn Observer,
    notices: i64,
}

impl<'a> InFlight<'a> {
    pub(crate) fn begun(observer: &'a dyn Observer, notices: usize) -> Self {
        let notices = i64::try_from(notices).unwrap_or(0);
        observer.in_flight(notices);
        Self { observer, notices }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.observer.in_flight(-self.notices);
    }
}
