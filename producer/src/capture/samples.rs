//! Notices and readings for tests.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use twinlog_site::ObjectReading;

use super::waiting::Waiting;
use crate::notice::{Hint, Notice};

/// A notice of the key `bucket/key` with this hint.
pub(crate) fn notice(hint: Hint) -> Notice {
    Notice {
        bucket: "bucket".parse().unwrap(),
        key: "key".parse().unwrap(),
        hint,
        cause: "s3:ObjectCreated:Put".to_owned(),
        lifecycle: false,
        actor: Some("client".to_owned()),
        time_ns: Some(0),
        sequencer_ns: None,
        size: None,
        etag: None,
        plain: false,
        request_id: None,
    }
}

/// The notice, of this time.
pub(crate) fn waiting(notice: Notice, time_ns: i64) -> Waiting {
    Waiting { notice: Notice { time_ns: Some(time_ns), ..notice }, noticed_at_us: time_ns / 1_000 }
}

/// An object of five bytes, untagged and unlocked.
pub(crate) fn object() -> ObjectReading {
    ObjectReading {
        size: 5,
        etag: "5d41402abc4b2a76b9719d911017c592".to_owned(),
        modified_s_ms: 5_000,
        headers: Default::default(),
        user_metadata: Default::default(),
        tags: Default::default(),
        retention: None,
        legal_hold: false,
        storage_class: None,
        encryption: twinlog_schemas::Encryption::None,
        checksums: Vec::new(),
        parts: Vec::new(),
        replication_status: None,
        body: Some(bytes::Bytes::from_static(b"hello")),
    }
}
