//! What can go wrong with a store, in the kinds that the one table of failures speaks of.

use std::fmt;

use twinlog_schemas::SiteName;

/// An error of a store call: what was being done, where, and of which kind the failure is.
///
/// In words it is all of that in one line: `PutObject photos/k at site west: 403 AccessDenied: Access Denied.`, with as
/// much of the answer as there was; to a `HEAD` it is the status alone.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{operation} {subject} at site {site}: {}", Answer(self))]
pub struct SiteError {
    /// The S3 operation, e.g. `PutObject`.
    pub operation: &'static str,
    /// The bucket or version concerned.
    pub subject: String,
    /// The site.
    pub site: SiteName,
    /// The kind, which decides what the caller does.
    pub kind: SiteErrorKind,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The store's error code, e.g. `NoSuchVersion`.
    pub code: Option<String>,
    /// The store's or client's words, without secrets.
    pub message: String,
    /// Whether the request may have acted, or may still act until it expires.
    pub outcome_unknown: bool,
}

/// What the store said, in words: status, code and message, those that there are.
struct Answer<'a>(&'a SiteError);

impl fmt::Display for Answer<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SiteError { status, code, message, .. } = self.0;
        let status = status.map(|status| status.to_string());
        let head: Vec<&str> = [status.as_deref(), code.as_deref()].into_iter().flatten().collect();
        to.write_str(&head.join(" "))?;
        to.write_str(if head.is_empty() || message.is_empty() { "" } else { ": " })?;
        to.write_str(message)
    }
}

/// Kinds of store errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SiteErrorKind {
    /// Connection refused or reset, DNS, a TLS handshake that failed.
    Unreachable,
    /// TLS: the store's certificate is not signed by an authority that we trust, or is for another name, or has expired.
    Untrusted,
    /// No answer in time, or half of one.
    TimedOut,
    /// 503 SlowDown, 429.
    Throttled,
    /// Other 5xx.
    Server,
    /// 507, or the store says that it is full.
    StorageFull,
    /// The bucket does not exist.
    NoSuchBucket,
    /// The key or version does not exist.
    NoSuchVersion,
    /// The upload does not exist (any more).
    NoSuchUpload,
    /// 403 on this request.
    AccessDenied,
    /// The credentials are unknown, expired or sign wrongly.
    Credentials,
    /// The store's clock and ours differ too much.
    ClockSkew,
    /// The request came after its signed expiry, or after the retention that it carries had run out, or there was no leave
    /// to send it: it did not act.
    Expired,
    /// 412: a precondition did not hold.
    Precondition,
    /// A lock on the version refuses.
    Locked,
    /// The bucket has no object lock.
    LockAbsent,
    /// The bytes are not what was announced: 400 BadDigest, a digest or a length that differs, on the way in or out.
    Digest,
    /// A name or argument that the store refuses.
    NameRefused,
    /// A size or header limit of the store.
    TooLarge,
    /// The bucket is not in a state for this (409, versioning).
    BucketState,
    /// Encrypted with a customer's key that we do not have.
    CustomerKey,
    /// Anything else that the store refuses.
    Refused,
    /// An answer that cannot be understood.
    Malformed,
}

impl SiteErrorKind {
    /// Whether the store was not reached, or did not answer: nothing is said of what was asked for.
    #[must_use]
    pub fn is_of_the_way(self) -> bool {
        matches!(self, Self::Unreachable | Self::Untrusted | Self::TimedOut)
    }

    /// Every kind.
    pub const ALL: [Self; 23] = [
        Self::Unreachable,
        Self::Untrusted,
        Self::TimedOut,
        Self::Throttled,
        Self::Server,
        Self::StorageFull,
        Self::NoSuchBucket,
        Self::NoSuchVersion,
        Self::NoSuchUpload,
        Self::AccessDenied,
        Self::Credentials,
        Self::ClockSkew,
        Self::Expired,
        Self::Precondition,
        Self::Locked,
        Self::LockAbsent,
        Self::Digest,
        Self::NameRefused,
        Self::TooLarge,
        Self::BucketState,
        Self::CustomerKey,
        Self::Refused,
        Self::Malformed,
    ];

    /// The word in metrics, and in the table of ARCHITECTURE.md.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Untrusted => "untrusted",
            Self::TimedOut => "timed-out",
            Self::Throttled => "throttled",
            Self::Server => "server",
            Self::StorageFull => "storage-full",
            Self::NoSuchBucket => "no-such-bucket",
            Self::NoSuchVersion => "no-such-version",
            Self::NoSuchUpload => "no-such-upload",
            Self::AccessDenied => "access-denied",
            Self::Credentials => "credentials",
            Self::ClockSkew => "clock-skew",
            Self::Expired => "expired",
            Self::Precondition => "precondition",
            Self::Locked => "locked",
            Self::LockAbsent => "lock-absent",
            Self::Digest => "digest",
            Self::NameRefused => "name-refused",
            Self::TooLarge => "too-large",
            Self::BucketState => "bucket-state",
            Self::CustomerKey => "customer-key",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn said(status: Option<u16>, code: Option<&str>, message: &str) -> String {
        let error = SiteError {
            operation: "HeadObject",
            subject: "b/k".to_owned(),
            site: SiteName::new("west").unwrap(),
            kind: SiteErrorKind::Server,
            status,
            code: code.map(str::to_owned),
            message: message.to_owned(),
            outcome_unknown: false,
        };
        error.to_string().strip_prefix("HeadObject b/k at site west: ").unwrap().to_owned()
    }

    #[test]
    fn words_are_never_empty_where_the_store_said_anything() {
        assert_eq!(said(Some(503), Some("SlowDown"), "Reduce your rate."), "503 SlowDown: Reduce your rate.");
        assert_eq!(said(Some(403), Some("AccessDenied"), ""), "403 AccessDenied");
        assert_eq!(said(Some(503), None, ""), "503");
        assert_eq!(said(Some(400), None, "broken on its way"), "400: broken on its way");
        assert_eq!(said(None, None, "connection refused"), "connection refused");
    }
}
