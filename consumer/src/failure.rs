//! The one table that decides what an error means. Nothing else in the consumer looks at error kinds to choose what
//! happens next.

use twinlog_control::Reason;
use twinlog_site::{SiteError, SiteErrorKind};

/// Which end of a link a store error came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
    /// The bucket, or for some reasons the link, is held in this direction.
    HoldBucket(Reason),
    /// Access is refused: to the bucket, if a trial of the permissions says so; else to this key, which is a dead letter
    /// if it is refused again after a look at the target.
    Denied,
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
        (_, K::Unreachable | K::Untrusted | K::TimedOut | K::Throttled | K::Server) => Verdict::Retry,
        (_, K::StorageFull | K::Expired | K::Malformed) => Verdict::Retry,
        (_, K::ClockSkew) => Verdict::HoldBucket(Reason::ClockSkew),
        (_, K::Credentials) => Verdict::HoldBucket(Reason::Credentials),
        (_, K::NoSuchBucket) => Verdict::HoldBucket(Reason::NoSuchBucket),
        (_, K::AccessDenied) => Verdict::Denied,
        (_, K::BucketState) => Verdict::HoldBucket(Reason::BucketState),
        (End::Source, K::NoSuchVersion | K::Precondition) => Verdict::Superseded,
        (End::Target, K::NoSuchVersion | K::Precondition | K::NoSuchUpload) => Verdict::Replan,
        (End::Target, K::LockAbsent) => Verdict::HoldBucket(Reason::ObjectLockMissing),
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
