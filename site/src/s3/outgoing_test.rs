//! Tests of bodies on their way out.
#![allow(clippy::unwrap_used, reason = "tests")]

use twinlog_schemas::SiteName;

use super::*;
use crate::dialect::DialectName;

fn outgoing(chunks: &[&'static [u8]], length: u64) -> Outgoing {
    let site = SiteName::new("west").unwrap();
    let attempt = Attempt {
        site: &site,
        dialect: DialectName::RustFs.dialect(),
        operation: "PutObject",
        subject: &"b/k",
        key: None,
        acts: true,
    };
    let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk))).collect();
    let stream: BodyStream = Box::pin(futures::stream::iter(chunks));
    Outgoing::new(Body::Stream { stream, length, md5: None }, attempt)
}

fn otherwise() -> SiteError {
    SiteError {
        operation: "PutObject",
        subject: String::new(),
        site: SiteName::new("west").unwrap(),
        kind: SiteErrorKind::TimedOut,
        status: None,
        code: None,
        message: String::new(),
        outcome_unknown: true,
    }
}

#[tokio::test]
async fn all_bytes_are_hashed() {
    let out = outgoing(&[b"hel", b"lo"], 5);
    assert_eq!(out.body.collect().await.unwrap().into_bytes(), "hello");
    assert_eq!(hex::encode(out.sent.md5().unwrap()), "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(out.sent.blame(otherwise()).kind, SiteErrorKind::TimedOut);
}

#[tokio::test]
async fn a_length_that_differs_breaks_off() {
    for length in [4, 6] {
        let out = outgoing(&[b"hel", b"lo"], length);
        assert!(out.body.collect().await.is_err());
        assert_eq!(out.sent.md5(), None);
        let blamed = out.sent.blame(otherwise());
        assert_eq!((blamed.kind, blamed.outcome_unknown), (SiteErrorKind::Digest, false));
    }
}

#[test]
fn bytes_know_their_digest_beforehand() {
    let site = SiteName::new("west").unwrap();
    let attempt = Attempt {
        site: &site,
        dialect: DialectName::RustFs.dialect(),
        operation: "PutObject",
        subject: &"b/k",
        key: None,
        acts: true,
    };
    let out = Outgoing::new(Body::Bytes(Bytes::from_static(b"hello")), attempt);
    assert_eq!(out.content_md5.as_deref(), Some("XUFAKrxLKna5cZ2REBfFkg=="));
    assert_eq!(out.length, 5);
}
