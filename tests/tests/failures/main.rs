//! Every row of the one table of failures, provoked at the wire: by a scripted store or a scripted Kafka behind the real
//! clients, and by real stores where they can be brought to it.
//!
//! Guarantees: what comes over the wire is of the kind that `site` and `log` name, with the right word on whether a write
//! may have acted, and the table says of that kind what ARCHITECTURE.md shows.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod kafka;
mod real;
mod scripted;
mod store;
mod tls;
mod way;

use twinlog_failure::{AtCapture, Row, Verdict, of_store};
use twinlog_site::{SiteError, SiteErrorKind};

/// What has to have a test: every failure that Twinlog was asked to know.
const ASKED: [&str; 25] = [
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
    "versioning suspended at target",
    "versioning suspended at source",
    "lock missing",
    "locked version",
    "InvalidObjectName",
    "EntityTooLarge",
    "digest mismatch",
    "truncated body",
];

#[test]
fn everything_that_was_asked_for_has_a_test() {
    let shown: Vec<&str> = [scripted::SHOWN, tls::SHOWN, real::SHOWN].concat();
    let missing: Vec<_> = ASKED.iter().filter(|asked| !shown.contains(asked)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The error is of this kind, and the table says so of it.
#[track_caller]
fn means(name: &str, error: &SiteError, kind: SiteErrorKind, (capture, source, target): (AtCapture, Verdict, Verdict)) {
    assert_eq!(error.kind, kind, "{name}: {error}");
    assert_eq!(of_store(kind), Row { capture, source, target }, "{name}");
}

/// Everything waits and is tried again.
const AGAIN: (AtCapture, Verdict, Verdict) = (AtCapture::Retry, Verdict::Retry, Verdict::Retry);

/// The row of what becomes a dead letter wherever it is met.
const fn dead(reason: &'static str) -> (AtCapture, Verdict, Verdict) {
    (AtCapture::AFewTimes(reason), Verdict::Dead(reason), Verdict::Dead(reason))
}
