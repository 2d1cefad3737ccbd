//! What an answer, or the lack of one, means: the one table from the stores' codes to [`SiteErrorKind`].

use std::error::Error;
use std::fmt::Display;
use std::io;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use twinlog_schemas::SiteName;

use crate::dialect::Dialect;
use crate::error::{SiteError, SiteErrorKind};
use crate::leave::Withheld;

use SiteErrorKind as Kind;

/// Codes that say what they mean, whatever the status.
const CODES: &[(&str, SiteErrorKind)] = &[
    ("NoSuchBucket", Kind::NoSuchBucket),
    ("NoSuchKey", Kind::NoSuchVersion),
    ("NoSuchVersion", Kind::NoSuchVersion),
    ("NotFound", Kind::NoSuchVersion),
    ("NoSuchUpload", Kind::NoSuchUpload),
    ("InvalidPart", Kind::Digest),
    ("SlowDown", Kind::Throttled),
    ("SlowDownRead", Kind::Throttled),
    ("SlowDownWrite", Kind::Throttled),
    ("TooManyRequests", Kind::Throttled),
    ("Throttling", Kind::Throttled),
    ("ThrottlingException", Kind::Throttled),
    ("RequestLimitExceeded", Kind::Throttled),
    ("OperationAborted", Kind::Throttled),
    ("ConditionalRequestConflict", Kind::Throttled),
    ("InsufficientStorage", Kind::StorageFull),
    ("StorageFull", Kind::StorageFull),
    ("QuotaExceeded", Kind::StorageFull),
    ("InvalidAccessKeyId", Kind::Credentials),
    ("SignatureDoesNotMatch", Kind::Credentials),
    ("ExpiredToken", Kind::Credentials),
    ("InvalidToken", Kind::Credentials),
    ("InvalidClientTokenId", Kind::Credentials),
    ("AuthorizationHeaderMalformed", Kind::Credentials),
    ("AuthorizationQueryParametersError", Kind::Credentials),
    ("RequestTimeTooSkewed", Kind::ClockSkew),
    ("RequestExpired", Kind::Expired),
    ("PreconditionFailed", Kind::Precondition),
    ("ObjectLocked", Kind::Locked),
    ("ObjectLockConfigurationNotFoundError", Kind::LockAbsent),
    ("ObjectLockConfigurationNotFound", Kind::LockAbsent),
    ("InvalidBucketObjectLockConfiguration", Kind::LockAbsent),
    ("BadDigest", Kind::Digest),
    ("InvalidDigest", Kind::Digest),
    ("XAmzContentSHA256Mismatch", Kind::Digest),
    ("XAmzContentChecksumMismatch", Kind::Digest),
    ("InvalidObjectName", Kind::NameRefused),
    ("KeyTooLongError", Kind::NameRefused),
    ("KeyTooLong", Kind::NameRefused),
    ("InvalidBucketName", Kind::NameRefused),
    ("InvalidURI", Kind::NameRefused),
    ("EntityTooLarge", Kind::TooLarge),
    ("MetadataTooLarge", Kind::TooLarge),
    ("RequestHeaderSectionTooLarge", Kind::TooLarge),
    ("MaxMessageLengthExceeded", Kind::TooLarge),
    ("InvalidBucketState", Kind::BucketState),
    ("RequestTimeout", Kind::TimedOut),
    // What the stores say of a connection that was half closed: MinIO of whatever it was doing, both of a body that they
    // have not got whole. A body that is too short where it comes from breaks off here already.
    ("ClientDisconnected", Kind::TimedOut),
    ("IncompleteBody", Kind::TimedOut),
    ("SSEEncryptedObject", Kind::CustomerKey),
    ("InvalidSSECustomerAlgorithm", Kind::CustomerKey),
    ("MissingSSECustomerKey", Kind::CustomerKey),
];

/// Words that make one code mean several things, lower case: code, words in the message, meaning.
const WORDS: &[(&str, &str, SiteErrorKind)] = &[
    ("AccessDenied", "request has expired", Kind::Expired),
    ("AccessDenied", "not valid yet", Kind::ClockSkew),
    ("AccessDenied", "worm protected", Kind::Locked),
    ("AccessDenied", "object lock", Kind::Locked),
    ("AccessDenied", "retention", Kind::Locked),
    ("AccessDenied", "legal hold", Kind::Locked),
    ("InvalidRequest", "worm protected", Kind::Locked),
    ("MethodNotAllowed", "worm protected", Kind::Locked),
    ("InvalidRequest", "server side encryption", Kind::CustomerKey),
    ("InvalidRequest", "server-side encryption", Kind::CustomerKey),
    ("InvalidRequest", "sse-c", Kind::CustomerKey),
    ("InvalidRequest", "customer", Kind::CustomerKey),
    ("InvalidRequest", "missing object lock", Kind::LockAbsent),
    ("InvalidRequest", "missing objectlock", Kind::LockAbsent),
    ("InvalidRequest", "object lock", Kind::LockAbsent),
    ("InvalidArgument", "control characters", Kind::NameRefused),
    ("InvalidArgument", "retain until date must be in the future", Kind::Expired),
    ("InvalidRequest", "retain until date must be in the future", Kind::Expired),
    ("MalformedXML", "retain until date must be in the future", Kind::Expired),
];

/// Codes that say that the request is at fault, whatever the status: the body of a 200 may hold one.
const OF_THE_CLIENT: &[&str] =
    &["EntityTooSmall", "InvalidArgument", "InvalidPart", "InvalidPartOrder", "InvalidRequest", "MalformedXML"];

/// The meaning of an answer.
pub(super) fn classify(dialect: &dyn Dialect, status: u16, code: Option<&str>, message: &str) -> SiteErrorKind {
    if let Some(code) = code {
        let lower = message.to_ascii_lowercase();
        let worded = WORDS.iter().find(|(known, words, _)| *known == code && lower.contains(words));
        let plain = || CODES.iter().find(|(known, _)| *known == code).map(|(_, kind)| *kind);
        let found = worded.map(|(_, _, kind)| *kind).or_else(|| dialect.error_kind(code, message)).or_else(plain);
        if let Some(kind) = found {
            return kind;
        }
    }
    match status {
        // An error in the body of a 200, as of a completed upload.
        200..=299 if code == Some("AccessDenied") => Kind::AccessDenied,
        200..=299 if code.is_some_and(|code| OF_THE_CLIENT.contains(&code)) => Kind::Refused,
        // Nothing that its status promises could be read from it.
        200..=299 => Kind::Malformed,
        401 | 403 => Kind::AccessDenied,
        404 => Kind::NoSuchVersion,
        408 | CLIENT_CLOSED => Kind::TimedOut,
        409 => Kind::BucketState,
        412 => Kind::Precondition,
        413 | 431 => Kind::TooLarge,
        429 => Kind::Throttled,
        507 => Kind::StorageFull,
        501 => Kind::Refused,
        500..=599 => Kind::Server,
        _ => Kind::Refused,
    }
}

/// No status of HTTP: servers and proxies answer it to a client that they believe to be gone.
const CLIENT_CLOSED: u16 = 499;

/// Whether a write that was answered so may have acted nevertheless.
fn may_have_acted(status: u16, kind: SiteErrorKind) -> bool {
    if (200..=299).contains(&status) {
        return kind == Kind::Malformed;
    }
    let harmless = [Kind::Throttled, Kind::StorageFull, Kind::NameRefused, Kind::NoSuchVersion];
    if status == CLIENT_CLOSED {
        return true;
    }
    status != 501 && (500..=599).contains(&status) && !harmless.contains(&kind)
}

/// One call, for the error that it may end in.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) site: &'a SiteName,
    pub(super) dialect: &'static dyn Dialect,
    pub(super) operation: &'static str,
    pub(super) subject: &'a (dyn Display + Sync),
    /// The key concerned, to explain a refusal that does not explain itself.
    pub(super) key: Option<&'a str>,
    /// Whether the call changes something, so that its outcome can be unknown.
    pub(super) acts: bool,
}

impl Attempt<'_> {
    /// An error that did not come from an answer.
    pub(super) fn error(&self, kind: SiteErrorKind, message: impl Into<String>) -> SiteError {
        SiteError {
            operation: self.operation,
            subject: self.subject.to_string(),
            site: self.site.clone(),
            kind,
            status: None,
            code: None,
            message: message.into(),
            outcome_unknown: false,
        }
    }

    /// What the SDK's error means.
    pub(super) fn failed<E>(&self, error: SdkError<E, HttpResponse>) -> SiteError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        if let Some(withheld) = causes(&error).find_map(|cause| cause.downcast_ref::<Withheld>()) {
            return self.error(Kind::Expired, withheld.to_string());
        }
        match &error {
            SdkError::ServiceError(context) => {
                let raw = context.raw();
                let header = |name| raw.headers().get(name).map(str::to_owned);
                // The SDK makes up "NotFound" for a HEAD, whose answer has no body: what a header says is better.
                let code = header("x-minio-error-code").or_else(|| context.err().code().map(str::to_owned));
                let told = header("x-minio-error-desc").or_else(|| context.err().message().map(str::to_owned));
                self.answered(raw.status().as_u16(), code, told.unwrap_or_default())
            }
            SdkError::TimeoutError(_) => self.unanswered(Kind::TimedOut, true, &error),
            SdkError::DispatchFailure(failure) => {
                let cause = Cause::of(&error);
                let kind = match cause {
                    _ if failure.is_timeout() => Kind::TimedOut,
                    Cause::Cut => Kind::TimedOut,
                    Cause::NotUtf8 => Kind::Malformed,
                    Cause::Untrusted => Kind::Untrusted,
                    Cause::NeverConnected | Cause::Other => Kind::Unreachable,
                };
                let connected = !matches!(cause, Cause::NeverConnected | Cause::Untrusted);
                self.unanswered(kind, connected, &error)
            }
            SdkError::ResponseError(_) => {
                let kind = if find_io(&error).is_some() { Kind::TimedOut } else { Kind::Malformed };
                self.unanswered(kind, true, &error)
            }
            // Construction failures and whatever a later SDK adds: nothing was sent.
            _ => self.unanswered(Kind::Refused, false, &error),
        }
    }

    /// What an answer means that was read outside of the SDK's own error types.
    pub(super) fn answered(&self, status: u16, code: Option<String>, message: String) -> SiteError {
        let mut kind = classify(self.dialect, status, code.as_deref(), &message);
        let mut message = message;
        let unexplained = matches!(kind, Kind::Refused | Kind::Server);
        if let Some(why) = self.key.filter(|_| unexplained).and_then(|key| self.dialect.cannot_hold(key)) {
            kind = Kind::NameRefused;
            message = format!("the key has {why} ({message})");
        } else if kind == Kind::Refused && self.broken_on_its_way(status, code.as_deref()) {
            kind = Kind::Malformed;
            message = format!("no error code of a store: the request was broken on its way ({message})");
        }
        let mut error = self.error(kind, message);
        error.status = Some(status);
        error.outcome_unknown = self.acts && may_have_acted(status, kind);
        error.code = code;
        error
    }

    /// Whether not the store refused, but whatever speaks HTTP for it, a proxy or its own server: it got no whole request,
    /// which says nothing of what was asked. A store's own refusal has a code; to a HEAD, whose answer has no body, not
    /// every store's.
    fn broken_on_its_way(&self, status: u16, code: Option<&str>) -> bool {
        status == 400 && code.is_none() && (!self.operation.starts_with("Head") || self.dialect.head_tells_code())
    }

    fn unanswered(&self, kind: SiteErrorKind, may_have_acted: bool, error: &(dyn Error + 'static)) -> SiteError {
        let mut failed = self.error(kind, chain(error));
        failed.outcome_unknown = self.acts && may_have_acted;
        failed
    }
}

/// Why there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// The connection never stood: nothing was sent.
    NeverConnected,
    /// It was given up before anything was sent, because of the store's certificate.
    Untrusted,
    /// The connection ended before the whole answer was there.
    Cut,
    /// A header of the answer is not UTF-8.
    NotUtf8,
    /// Anything else.
    Other,
}

impl Cause {
    fn of(error: &(dyn Error + 'static)) -> Self {
        let words = chain(error);
        let refused = find_io(error).is_some_and(|io| {
            matches!(
                io.kind(),
                io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable
            )
        });
        // The HTTP client's error types are private; their words are what tells a failed connect from a cut one.
        if words.contains("invalid peer certificate") {
            Self::Untrusted
        } else if refused
            || words.contains("client error (Connect)")
            || words.contains("HTTP connect")
            || words.contains("dns error")
        {
            Self::NeverConnected
        } else if words.contains("connection closed before message completed")
            || words.contains("unexpected end of file")
        {
            Self::Cut
        } else if words.contains("UTF-8") {
            Self::NotUtf8
        } else {
            Self::Other
        }
    }
}

fn find_io<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    causes(error).find_map(|error| error.downcast_ref::<io::Error>())
}

/// The error itself and what caused it, outermost first.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let this = next?;
        next = this.source();
        Some(this)
    })
}

/// The error and its causes in one line, without repetitions.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut words = String::new();
    for cause in causes(error) {
        let said = cause.to_string();
        if !words.contains(&said) {
            if !words.is_empty() {
                words.push_str(": ");
            }
            words.push_str(&said);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::DialectName;

    fn kind(status: u16, code: &str, message: &str) -> SiteErrorKind {
        let code = (!code.is_empty()).then_some(code);
        classify(DialectName::MinIo.dialect(), status, code, message)
    }

    #[test]
    fn no_code_stands_twice() {
        for (at, (code, _)) in CODES.iter().enumerate() {
            assert!(CODES[at + 1..].iter().all(|(other, _)| other != code), "{code}");
        }
    }

    #[test]
    fn answers_of_the_stores() {
        for (status, code, message, wanted) in [
            (403, "AccessDenied", "Access Denied.", Kind::AccessDenied),
            (403, "AccessDenied", "Request has expired", Kind::Expired),
            (400, "InvalidArgument", "The retain until date must be in the future", Kind::Expired),
            (400, "InvalidRequest", "the retain until date must be in the future!", Kind::Expired),
            (400, "MalformedXML", "the retain until date must be in the future", Kind::Expired),
            (400, "InvalidRequest", "Object is WORM protected and cannot be overwritten", Kind::Locked),
            (400, "ObjectLocked", "Object is WORM protected and cannot be overwritten", Kind::Locked),
            (400, "InvalidRequest", "Bucket is missing Object Lock Configuration", Kind::LockAbsent),
            (404, "", "", Kind::NoSuchVersion),
            (404, "NoSuchBucket", "", Kind::NoSuchBucket),
            (409, "", "", Kind::BucketState),
            (412, "", "", Kind::Precondition),
            (400, "XMinioInvalidObjectName", "", Kind::NameRefused),
            (507, "XMinioStorageFull", "", Kind::StorageFull),
            (503, "SlowDownWrite", "", Kind::Throttled),
            (503, "ServiceUnavailable", "", Kind::Server),
            (500, "InternalError", "", Kind::Server),
            (200, "InternalError", "", Kind::Malformed),
            (200, "AccessDenied", "", Kind::AccessDenied),
            (200, "EntityTooSmall", "", Kind::Refused),
            (501, "NotImplemented", "KMS not configured", Kind::Refused),
            (418, "Teapot", "", Kind::Refused),
            (499, "ClientDisconnected", "Client disconnected before response was ready", Kind::TimedOut),
            (499, "", "", Kind::TimedOut),
            (400, "IncompleteBody", "You did not provide the number of bytes specified", Kind::TimedOut),
            (400, "BadDigest", "The Content-Md5 you specified did not match", Kind::Digest),
            (200, "", "", Kind::Malformed),
        ] {
            assert_eq!(kind(status, code, message), wanted, "{status} {code} {message}");
        }
    }

    fn attempt<'a>(site: &'a SiteName, key: &'a str, acts: bool) -> Attempt<'a> {
        Attempt {
            site,
            dialect: DialectName::RustFs.dialect(),
            operation: "PutObject",
            subject: &"b/k",
            key: Some(key),
            acts,
        }
    }

    #[test]
    #[expect(clippy::unwrap_used, reason = "test")]
    fn outcomes() {
        let site = SiteName::new("east").unwrap();
        let answered =
            |acts, status, code: &str| attempt(&site, "k", acts).answered(status, Some(code.into()), String::new());
        assert!(answered(true, 500, "InternalError").outcome_unknown);
        assert!(!answered(false, 500, "InternalError").outcome_unknown);
        assert!(!answered(true, 503, "SlowDown").outcome_unknown);
        assert!(!answered(true, 403, "AccessDenied").outcome_unknown);
        assert!(answered(true, 200, "Nonsense").outcome_unknown);
        assert!(!answered(true, 200, "InvalidPart").outcome_unknown);
    }

    /// Scenario: a connection that ends within a request's head is answered 400 by the HTTP server, in no words of S3's.
    /// Guarantees: that is no refusal of what was asked.
    #[test]
    #[expect(clippy::unwrap_used, reason = "test")]
    fn a_request_broken_on_its_way_is_not_refused() {
        let site = SiteName::new("east").unwrap();
        let asked = |operation, code: Option<&str>| {
            Attempt { operation, ..attempt(&site, "k", true) }.answered(400, code.map(str::to_owned), String::new())
        };
        let broken = asked("DeleteObject", None);
        assert_eq!((broken.kind, broken.outcome_unknown), (Kind::Malformed, false));
        assert_eq!(asked("DeleteObject", Some("Teapot")).kind, Kind::Refused);
        // RustFS refuses a HEAD without a code, MinIO with one.
        assert_eq!(asked("HeadObject", None).kind, Kind::Refused);
        let dialect = DialectName::MinIo.dialect();
        let of_minio = Attempt { operation: "HeadObject", dialect, ..attempt(&site, "k", false) };
        assert_eq!(of_minio.answered(400, None, String::new()).kind, Kind::Malformed);
    }

    #[test]
    #[expect(clippy::unwrap_used, reason = "test")]
    fn a_key_that_cannot_be_held_explains_the_refusal() {
        let site = SiteName::new("east").unwrap();
        let refused =
            |key| attempt(&site, key, true).answered(400, Some("InvalidArgument".into()), "Invalid argument".into());
        assert_eq!(refused("a//b").kind, Kind::NameRefused);
        assert_eq!(refused("a/b").kind, Kind::Refused);
        let crashed = attempt(&site, &"x".repeat(300), true).answered(500, Some("InternalError".into()), String::new());
        assert_eq!((crashed.kind, crashed.outcome_unknown), (Kind::NameRefused, false));
    }
}
