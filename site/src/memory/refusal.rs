//! Why the in-memory store refuses, in the words of the store; [`Refusal::at`] gives it the address that a
//! [`SiteError`] carries.

use twinlog_schemas::SiteName;

use crate::error::{SiteError, SiteErrorKind};

/// A refusal without its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) kind: SiteErrorKind,
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: &'static str,
}

impl Refusal {
    const fn new(kind: SiteErrorKind, status: u16, code: &'static str, message: &'static str) -> Self {
        Self { kind, status, code, message }
    }

    pub(super) const NO_SUCH_BUCKET: Self =
        Self::new(SiteErrorKind::NoSuchBucket, 404, "NoSuchBucket", "the bucket does not exist");
    pub(super) const NO_SUCH_VERSION: Self =
        Self::new(SiteErrorKind::NoSuchVersion, 404, "NoSuchVersion", "the version does not exist");
    pub(super) const NO_SUCH_UPLOAD: Self =
        Self::new(SiteErrorKind::NoSuchUpload, 404, "NoSuchUpload", "the multipart upload does not exist");
    pub(super) const IS_MARKER: Self =
        Self::new(SiteErrorKind::Refused, 405, "MethodNotAllowed", "not allowed against a delete marker");
    pub(super) const PRECONDITION: Self =
        Self::new(SiteErrorKind::Precondition, 412, "PreconditionFailed", "a precondition did not hold");
    pub(super) const MARKER_THERE: Self =
        Self::new(SiteErrorKind::Precondition, 405, "MethodNotAllowed", "a delete marker has this version id");
    pub(super) const LOCKED: Self =
        Self::new(SiteErrorKind::Locked, 403, "AccessDenied", "the object is locked and cannot be changed so");
    pub(super) const LOCK_ABSENT: Self =
        Self::new(SiteErrorKind::LockAbsent, 400, "InvalidRequest", "bucket is missing ObjectLockConfiguration");
    pub(super) const PAST: Self =
        Self::new(SiteErrorKind::Expired, 400, "InvalidArgument", "the retain until date must be in the future");
    pub(super) const UNVERSIONED: Self =
        Self::new(SiteErrorKind::BucketState, 400, "InvalidArgument", "version id given but versioning not enabled");
    pub(super) const DIGEST: Self =
        Self::new(SiteErrorKind::Digest, 400, "BadDigest", "the bytes are not what was announced");
    pub(super) const PART_TOO_SMALL: Self =
        Self::new(SiteErrorKind::Refused, 400, "EntityTooSmall", "a part but the last is below the minimum size");
    pub(super) const NAME: Self =
        Self::new(SiteErrorKind::NameRefused, 400, "InvalidArgument", "the key has an empty or dotted path segment");
    pub(super) const TAG: Self =
        Self::new(SiteErrorKind::Refused, 400, "InvalidTag", "the tag value you have provided is invalid");
    pub(super) const INVALID_PART: Self =
        Self::new(SiteErrorKind::Digest, 400, "InvalidPart", "a part is missing or its ETag differs");
    pub(super) const CORRUPTED: Self = Self::new(SiteErrorKind::Server, 500, "InternalError", "file is corrupted");
    pub(super) const EXPIRED: Self = Self::new(SiteErrorKind::Expired, 403, "AccessDenied", "request has expired");

    /// The error of an operation on a subject at a site. A refusal is an answer: the request did not act.
    pub(super) fn at(self, site: &SiteName, operation: &'static str, subject: String) -> SiteError {
        SiteError {
            operation,
            subject,
            site: site.clone(),
            kind: self.kind,
            status: Some(self.status),
            code: Some(self.code.to_owned()),
            message: self.message.to_owned(),
            outcome_unknown: false,
        }
    }
}
