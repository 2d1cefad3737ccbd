//! The one table that decides what an error means. Nothing else in the consumer looks at error kinds to choose what
//! happens next.

use twinlog_site::{SiteError, SiteErrorKind};

/// Which end of a link a store error came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Reading the source.
    Source,
    /// Reading or writing the target.
    Target,
}

/// What happens after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Wait with backoff and do it again; nothing is wrong with the record.
    Retry,
    /// The answer is at odds with what was known: read the target and plan again.
    Replan,
    /// The source no longer has the version: its removal has a record of its own.
    Superseded,
    /// The bucket is held in this direction; this record is the probe.
    HoldBucket(&'static str),
    /// This record cannot be applied: a dead letter with this reason.
    Dead(&'static str),
    /// Likewise, but only if it is refused again after a look at the target: what refuses may have come in between, or
    /// be the version itself, already there.
    DeadOnceRead(&'static str),
}

/// The table.
#[must_use]
pub fn verdict(end: End, error: &SiteError) -> Verdict {
    use SiteErrorKind as K;
    match (end, error.kind) {
        (_, K::Unreachable | K::TimedOut | K::Throttled | K::Server | K::StorageFull | K::Expired | K::Malformed) => {
            Verdict::Retry
        }
        (_, K::ClockSkew) => Verdict::HoldBucket("clock-skew"),
        (_, K::Credentials) => Verdict::HoldBucket("credentials"),
        (_, K::NoSuchBucket) => Verdict::HoldBucket("no-such-bucket"),
        (_, K::AccessDenied) => Verdict::HoldBucket("access-denied"),
        (_, K::BucketState) => Verdict::HoldBucket("bucket-state"),
        (End::Source, K::NoSuchVersion | K::Precondition) => Verdict::Superseded,
        (End::Target, K::NoSuchVersion | K::Precondition | K::NoSuchUpload) => Verdict::Replan,
        (End::Target, K::LockAbsent) => Verdict::HoldBucket("object-lock-missing"),
        (End::Target, K::Locked) => Verdict::DeadOnceRead("locked-at-target"),
        // A body that arrives broken from the source or at the target is tried again: the wire may have been at fault.
        // The caller counts, and gives up as `digest` when it stays broken.
        (_, K::Digest) => Verdict::Retry,
        (_, K::NameRefused) => Verdict::Dead("name-refused"),
        (_, K::TooLarge) => Verdict::Dead("too-large"),
        (_, K::CustomerKey) => Verdict::Dead("customer-key"),
        (_, K::Refused) => Verdict::Dead("refused"),
        (End::Source, K::NoSuchUpload | K::LockAbsent | K::Locked) => Verdict::Dead("refused"),
    }
}
