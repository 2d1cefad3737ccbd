//! Every row of the one table of failures, provoked at the wire: by a scripted store or a scripted Kafka behind the real
//! clients, and by real stores where they can be brought to it.
//!
//! Guarantees: what comes over the wire is of the kind that `site` and `log` name, with the right word on whether a write
//! may have acted, and the table says of that kind what ARCHITECTURE.md shows.

mod kafka;
mod real;
mod scripted;
mod store;
mod tls;
mod way;

use std::collections::BTreeSet;
use std::sync::Mutex;

use twinlog_failure::{AtCapture, Row, Verdict, of_store};
use twinlog_site::{SiteError, SiteErrorKind};

/// Every failure of a request that Twinlog was asked to know. Suspended versioning is none: a replica is written all the
/// same, so that it is the bucket's state which tells (e2e `holds::versioning_suspended_and_a_bucket_made_anew`).
const ASKED: [&str; 23] = [
    "refused",
    "reset",
    "half-closed",
    "time-out before effect",
    "time-out after effect",
    "no such host",
    "TLS",
    "500 that passes",
    "500 for ever for one key",
    "503 SlowDown",
    "507",
    "403 for one key",
    "403 for all",
    "expired credentials",
    "clock skew refused",
    "NoSuchBucket",
    "NoSuchVersion",
    "lock missing",
    "locked version",
    "InvalidObjectName",
    "EntityTooLarge",
    "digest mismatch",
    "truncated body",
];

/// What was provoked so far: what it was called, and of which kind it was.
static PROVOKED: Mutex<BTreeSet<(String, SiteErrorKind)>> = Mutex::new(BTreeSet::new());

/// Guarantee: all that was asked for, and every kind that the table knows, is provoked by a store or a wire of a script,
/// which need no real one.
#[test]
fn everything_is_provoked() {
    scripted::access_is_refused_to_one_key_and_to_all();
    scripted::an_answer_is_not_understood();
    scripted::bodies_are_not_what_they_should_be();
    scripted::nobody_is_there();
    scripted::one_key_fails_for_ever();
    scripted::reads_go_wrong();
    scripted::writes_go_wrong();
    tls::certificates_are_checked();
    let provoked = PROVOKED.lock().unwrap().clone();
    let named = |asked: &&str| provoked.iter().any(|(name, _)| name == asked);
    let unnamed: Vec<_> = ASKED.into_iter().filter(|asked| !named(asked)).collect();
    assert!(unnamed.is_empty(), "{unnamed:?}");
    let known = |kind: &SiteErrorKind| provoked.iter().any(|(_, provoked)| provoked == kind);
    let unknown: Vec<_> = SiteErrorKind::ALL.into_iter().filter(|kind| !known(kind)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// The error is of this kind, and the table says so of it.
#[track_caller]
fn means(name: &str, error: &SiteError, kind: SiteErrorKind, (capture, source, target): (AtCapture, Verdict, Verdict)) {
    assert_eq!(error.kind, kind, "{name}: {error}");
    assert_eq!(of_store(kind), Row { capture, source, target }, "{name}");
    PROVOKED.lock().unwrap().insert((name.to_owned(), kind));
}

/// Everything waits and is tried again.
const AGAIN: (AtCapture, Verdict, Verdict) = (AtCapture::Retry, Verdict::Retry, Verdict::Retry);

/// The row of what becomes a dead letter wherever it is met.
const fn dead(reason: &'static str) -> (AtCapture, Verdict, Verdict) {
    (AtCapture::AFewTimes(reason), Verdict::Dead(reason), Verdict::Dead(reason))
}
