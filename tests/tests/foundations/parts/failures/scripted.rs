//! What a scripted store answers, or does not.

use twinlog_control::Reason;
use twinlog_failure::{AtCapture, Verdict};
use twinlog_site::{BodyWish, Site, SiteErrorKind as Kind};

use super::store::{Fault, ScriptedStore};
use super::way::{BODY, config, put, read, replica, site, version};
use super::{AGAIN, dead, means};

/// What a request can end in.
struct Row {
    name: &'static str,
    fault: Fault,
    kind: Kind,
    verdicts: (AtCapture, Verdict, Verdict),
    /// Whether the write was done.
    acted: bool,
    /// Whether its sender must believe that it may have been.
    unknown: bool,
}

const fn row(
    name: &'static str,
    fault: Fault,
    kind: Kind,
    verdicts: (AtCapture, Verdict, Verdict),
    (acted, unknown): (bool, bool),
) -> Row {
    Row { name, fault, kind, verdicts, acted, unknown }
}

const fn held(capture: AtCapture, reason: Reason) -> (AtCapture, Verdict, Verdict) {
    (capture, Verdict::HoldBucket(reason), Verdict::HoldBucket(reason))
}

const fn few(capture: &'static str, source: Verdict, target: Verdict) -> (AtCapture, Verdict, Verdict) {
    (AtCapture::AFewTimes(capture), source, target)
}

/// A write that is not answered, or refused.
fn rows() -> Vec<Row> {
    use Fault::{FailAfterWrite, HalfClose, HoldRequest, HoldResponse, Reject, Reset};
    let denied = (AtCapture::Denied, Verdict::Denied, Verdict::Denied);
    let not_acted = (false, false);
    let unknown = (false, true);
    let lock_absent = few("refused", Verdict::Dead("refused"), Verdict::HoldBucket(Reason::ObjectLockMissing));
    let locked = few("refused", Verdict::Dead("refused"), Verdict::DeadOnceRead("locked-at-target"));
    let gone = few("no-such-version", Verdict::Superseded, Verdict::Replan);
    let no_upload = few("refused", Verdict::Dead("refused"), Verdict::Replan);
    let precondition = few("precondition", Verdict::Superseded, Verdict::Replan);
    let expired = few("expired", Verdict::Retry, Verdict::Retry);
    vec![
        row("reset", Reset, Kind::Unreachable, AGAIN, unknown),
        row("half-closed", HalfClose, Kind::TimedOut, AGAIN, unknown),
        row("cut off after effect", FailAfterWrite, Kind::TimedOut, AGAIN, (true, true)),
        row("time-out before effect", HoldRequest, Kind::TimedOut, AGAIN, unknown),
        row("time-out after effect", HoldResponse, Kind::TimedOut, AGAIN, (true, true)),
        row("500 that passes", Reject(500, "InternalError", "try again"), Kind::Server, AGAIN, unknown),
        row("503 without a code of its own", Reject(503, "ServiceUnavailable", ""), Kind::Server, AGAIN, unknown),
        row("499", Reject(499, "ClientDisconnected", "Client disconnected"), Kind::TimedOut, AGAIN, unknown),
        row("half a body", Reject(400, "IncompleteBody", "fewer bytes"), Kind::TimedOut, AGAIN, not_acted),
        row("503 SlowDown", Reject(503, "SlowDown", "slow down"), Kind::Throttled, AGAIN, not_acted),
        row("429", Reject(429, "TooManyRequests", ""), Kind::Throttled, AGAIN, not_acted),
        row("507", Reject(507, "XMinioStorageFull", "full"), Kind::StorageFull, AGAIN, not_acted),
        row("403 for one key", Reject(403, "AccessDenied", "Access Denied."), Kind::AccessDenied, denied, not_acted),
        row(
            "expired credentials",
            Reject(403, "ExpiredToken", "the token has expired"),
            Kind::Credentials,
            held(AtCapture::Retry, Reason::Credentials),
            not_acted,
        ),
        row(
            "clock skew refused",
            Reject(403, "RequestTimeTooSkewed", "clocks differ"),
            Kind::ClockSkew,
            held(AtCapture::Retry, Reason::ClockSkew),
            not_acted,
        ),
        row("too late", Reject(403, "AccessDenied", "Request has expired"), Kind::Expired, expired, not_acted),
        row(
            "NoSuchBucket",
            Reject(404, "NoSuchBucket", ""),
            Kind::NoSuchBucket,
            held(AtCapture::Dirty, Reason::NoSuchBucket),
            not_acted,
        ),
        row("NoSuchVersion", Reject(404, "NoSuchVersion", ""), Kind::NoSuchVersion, gone, not_acted),
        row("NoSuchUpload", Reject(404, "NoSuchUpload", ""), Kind::NoSuchUpload, no_upload, not_acted),
        row("412", Reject(412, "PreconditionFailed", ""), Kind::Precondition, precondition, not_acted),
        row(
            "lock missing",
            Reject(400, "InvalidRequest", "Bucket is missing Object Lock Configuration"),
            Kind::LockAbsent,
            lock_absent,
            not_acted,
        ),
        row("locked version", Reject(400, "ObjectLocked", "WORM protected"), Kind::Locked, locked, not_acted),
        row(
            "InvalidObjectName",
            Reject(400, "InvalidObjectName", ""),
            Kind::NameRefused,
            dead("name-refused"),
            not_acted,
        ),
        row("EntityTooLarge", Reject(400, "EntityTooLarge", ""), Kind::TooLarge, dead("too-large"), not_acted),
        row(
            "409",
            Reject(409, "InvalidBucketState", ""),
            Kind::BucketState,
            held(AtCapture::Dirty, Reason::BucketState),
            not_acted,
        ),
        row(
            "customer's key",
            Reject(400, "InvalidRequest", "encrypted with a customer key"),
            Kind::CustomerKey,
            dead("customer-key"),
            not_acted,
        ),
        row("any other refusal", Reject(418, "Teapot", ""), Kind::Refused, dead("refused"), not_acted),
    ]
}

/// Scenario: a replica is put, and the store does what each row says, once; then it is put again.
/// Guarantees: kind, verdicts, and whether it may have acted; nothing of a fault stays with the client.
#[tokio::test]
pub async fn writes_go_wrong() {
    for Row { name, fault, kind, verdicts, acted, unknown } in rows() {
        let store = ScriptedStore::open().await;
        let site = site(config(store.endpoint()));
        store.strike("PUT", "/key", fault, Some(1));
        let replica = replica(&version("key"));
        let error = put(&site, &replica).await.map(drop).unwrap_err();
        means(name, &error, kind, verdicts);
        assert_eq!((error.outcome_unknown, store.kept("key").is_some()), (unknown, acted), "{name}: {error}");
        put(&site, &replica).await.unwrap();
        assert_eq!(store.kept("key").as_deref(), Some(BODY), "{name}");
    }
}

/// Scenario: the same while a body is read. Guarantees: the same kinds, and a read never counts as one that may have acted.
#[tokio::test]
pub async fn reads_go_wrong() {
    for Row { name, fault, kind, verdicts, .. } in rows() {
        let store = ScriptedStore::open().await;
        let site = site(config(store.endpoint()));
        store.keep("key", BODY);
        store.strike("GET", "/key", fault, Some(1));
        let error = read(&site, &version("key")).await.unwrap_err();
        means(name, &error, kind, verdicts);
        assert!(!error.outcome_unknown, "{name}: {error}");
        assert_eq!(read(&site, &version("key")).await.unwrap(), BODY, "{name}");
    }
}

/// Scenario: nobody listens; the host has no address. Guarantees: nothing can have acted.
#[tokio::test]
pub async fn nobody_is_there() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    // A label of 64 letters no resolver asks anybody for.
    let nowhere = format!("http://{}.example:9000", "x".repeat(64));
    for (name, endpoint) in [("refused", closed), ("no such host", nowhere)] {
        let site = site(config(&endpoint));
        let error = put(&site, &replica(&version("key"))).await.map(drop).unwrap_err();
        means(name, &error, Kind::Unreachable, AGAIN);
        assert!(!error.outcome_unknown, "{name}: {error}");
        means(name, &read(&site, &version("key")).await.unwrap_err(), Kind::Unreachable, AGAIN);
    }
}

/// Scenario: one key answers 500 for ever. Guarantees: every try is of the kind that is tried again, and the next key is
/// read and written meanwhile; when the key is given up, `a_key_that_fails_alone_is_given_up` says, at both ends.
#[tokio::test]
pub async fn one_key_fails_for_ever() {
    let store = ScriptedStore::open().await;
    let site = site(config(store.endpoint()));
    for method in ["GET", "PUT"] {
        store.strike(method, "/broken", Fault::Reject(500, "InternalError", "file is corrupted"), None);
    }
    for _ in 0..5 {
        let error = put(&site, &replica(&version("broken"))).await.map(drop).unwrap_err();
        means("500 for ever for one key", &error, Kind::Server, AGAIN);
        means("500 for ever for one key", &read(&site, &version("broken")).await.unwrap_err(), Kind::Server, AGAIN);
        put(&site, &replica(&version("whole"))).await.unwrap();
        assert_eq!(read(&site, &version("whole")).await.unwrap(), BODY);
    }
}

/// Scenario: access is refused to one key, then to all. Guarantees: the trial tells one from the other.
#[tokio::test]
pub async fn access_is_refused_to_one_key_and_to_all() {
    const DENIED: Fault = Fault::Reject(403, "AccessDenied", "Access Denied.");
    let store = ScriptedStore::open().await;
    let site = site(config(store.endpoint()));
    for method in ["GET", "HEAD", "PUT"] {
        store.strike(method, "/secret", DENIED, None);
    }
    store.keep("", b"the bucket is there");
    let bucket = version("secret").bucket;
    let denied = (AtCapture::Denied, Verdict::Denied, Verdict::Denied);
    means("403 for one key", &read(&site, &version("secret")).await.unwrap_err(), Kind::AccessDenied, denied);
    assert_eq!(site.look(&version("secret")).await.unwrap_err().kind, Kind::AccessDenied);
    assert_eq!(site.missing_permissions(&bucket).await.unwrap(), Vec::<String>::new());
    for method in ["GET", "HEAD", "PUT", "DELETE", "POST"] {
        store.strike(method, "", DENIED, None);
    }
    means("403 for all", &read(&site, &version("open")).await.unwrap_err(), Kind::AccessDenied, denied);
    let missing = site.missing_permissions(&bucket).await.unwrap();
    for needed in ["s3:GetObjectVersion", "s3:ListBucketVersions", "s3:PutObject and s3:ReplicateObject"] {
        assert!(missing.iter().any(|permission| permission == needed), "403 for all: {missing:?}");
    }
}

/// Scenario: the store lies about what it wrote; a byte of a body is another one; a body ends early.
/// Guarantees: no lie is a success; a body that is cut is tried again like any time-out.
#[tokio::test]
pub async fn bodies_are_not_what_they_should_be() {
    const FEW: (AtCapture, Verdict, Verdict) =
        (AtCapture::AFewTimes("digest"), Verdict::AFewTimes("digest"), Verdict::AFewTimes("digest"));
    let store = ScriptedStore::open().await;
    let site = site(config(store.endpoint()));
    store.strike("PUT", "/key", Fault::Corrupt, Some(1));
    let error = put(&site, &replica(&version("key"))).await.map(drop).unwrap_err();
    means("digest mismatch", &error, Kind::Digest, FEW);
    assert!(error.outcome_unknown, "it was written: the version is to be read");
    store.strike("PUT", "/key", Fault::Reject(400, "BadDigest", ""), Some(1));
    means("digest mismatch", &put(&site, &replica(&version("key"))).await.map(drop).unwrap_err(), Kind::Digest, FEW);

    store.strike("GET", "/key", Fault::Corrupt, Some(1));
    let error = site.read(&version("key"), BodyWish::UpTo(1024)).await.unwrap_err();
    means("digest mismatch", &error, Kind::Digest, FEW);
    store.strike("GET", "/key", Fault::Cut, Some(2));
    means("truncated body", &read(&site, &version("key")).await.unwrap_err(), Kind::TimedOut, AGAIN);
    let error = site.read(&version("key"), BodyWish::UpTo(1024)).await.unwrap_err();
    means("truncated body", &error, Kind::TimedOut, AGAIN);
    assert_eq!(read(&site, &version("key")).await.unwrap(), BODY);
}

/// Scenario: a store answers what no store would, as a proxy with a page of its own does. Guarantee: everybody waits.
#[tokio::test]
pub async fn an_answer_is_not_understood() {
    let store = ScriptedStore::open().await;
    let site = site(config(store.endpoint()));
    store.keep("", b"this is no listing");
    let listed = site.versions_of(&version("key").bucket, &version("key").key).await;
    means("no XML", &listed.unwrap_err(), Kind::Malformed, AGAIN);
}
