//! Tests of the header lists.
#![allow(clippy::unwrap_used, reason = "tests")]

use twinlog_schemas::{BucketName, Checksum, ContentHeaders, ObjectKey, VersionId};

use super::*;
use crate::dialect::DialectName;

fn replica() -> Replica {
    Replica {
        version: VersionRef {
            bucket: BucketName::new("bkt").unwrap(),
            key: ObjectKey::new("k").unwrap(),
            version_id: VersionId::new("00000000-1111-4222-8333-444444444444").unwrap(),
        },
        modified_at_ns: 1_700_000_000_123_456_789,
        etag: "abc-2".into(),
        send_etag: false,
        headers: ContentHeaders {
            content_type: Some("text/plain".into()),
            expires: Some("never, really".into()),
            website_redirect: Some("/x".into()),
            ..ContentHeaders::default()
        },
        user_metadata: [("colour".to_owned(), "grün".to_owned())].into(),
        tags: [("a b".to_owned(), "c+d&e=é".to_owned()), ("z".to_owned(), String::new())].into(),
        retention: Some(Retention { mode: RetentionMode::Governance, until_ms: 1_800_000_000_000 }),
        legal_hold: true,
        tags_at_ns: 1,
        retention_at_ns: 2,
        legal_hold_at_ns: 3,
        storage_class: Some("STANDARD".into()),
        encryption: Encryption::SseS3,
        checksums: vec![Checksum { algorithm: "CRC32C".into(), value: "AAAA".into(), kind: ChecksumType::FullObject }],
    }
}

fn value<'a>(lines: &'a HeaderLines, name: &str) -> Option<&'a str> {
    lines.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn put(replica: &Replica) -> HeaderLines {
    object(replica, Stage::Put, DialectName::RustFs.dialect()).unwrap()
}

#[test]
fn a_put_says_everything_in_both_spellings() {
    let lines = put(&replica());
    for family in ["rustfs", "minio"] {
        let source = |name: &str| value(&lines, &format!("x-{family}-source-{name}")).map(str::to_owned);
        assert_eq!(source("mtime").unwrap(), "2023-11-14T22:13:20.123456789Z");
        assert_eq!(source("version-id").unwrap(), "00000000-1111-4222-8333-444444444444");
        assert_eq!(source("replication-request").unwrap(), "true");
        assert_eq!(source("etag"), None);
        for stamp in ["tagging", "retention", "legalhold"] {
            assert!(
                source(&format!("replication-{stamp}-timestamp")).unwrap().starts_with("1970-01-01T00:00:00.00000000")
            );
        }
    }
    assert_eq!(value(&lines, "x-amz-replication-status"), Some("REPLICA"));
    assert_eq!(value(&lines, "expires"), Some("never, really"));
    assert_eq!(value(&lines, "x-amz-meta-colour"), Some("grün"));
    assert_eq!(value(&lines, TAGGING), Some("a%20b=c%2Bd%26e%3D%C3%A9&z="));
    assert_eq!(value(&lines, "x-amz-object-lock-mode"), Some("GOVERNANCE"));
    assert_eq!(value(&lines, "x-amz-object-lock-retain-until-date"), Some("2027-01-15T08:00:00Z"));
    assert_eq!(value(&lines, "x-amz-object-lock-legal-hold"), Some("ON"));
    assert_eq!(value(&lines, "x-amz-server-side-encryption"), Some("AES256"));
    assert_eq!(value(&lines, "x-amz-checksum-crc32c"), Some("AAAA"));
}

#[test]
fn the_etag_goes_out_only_when_asked() {
    let lines = put(&Replica { send_etag: true, ..replica() });
    assert_eq!(value(&lines, "x-rustfs-source-etag"), Some("abc-2"));
}

#[test]
fn names_of_tiers_are_not_sent() {
    let lines = put(&Replica { storage_class: Some("WARM-TIER".into()), ..replica() });
    assert_eq!(value(&lines, "x-amz-storage-class"), None);
}

#[test]
fn completing_repeats_identity_and_times_but_no_lock() {
    let lines = object(&replica(), Stage::Complete, DialectName::RustFs.dialect()).unwrap();
    assert!(value(&lines, "x-minio-source-mtime").is_some());
    assert!(value(&lines, "x-minio-source-replication-retention-timestamp").is_some());
    for absent in ["x-amz-object-lock-mode", "x-amz-object-lock-legal-hold", TAGGING, "content-type"] {
        assert_eq!(value(&lines, absent), None);
    }
}

#[test]
fn creating_on_minio_has_no_time() {
    let lines = |name: DialectName| object(&replica(), Stage::Create, name.dialect()).unwrap();
    assert_eq!(value(&lines(DialectName::MinIo), "x-minio-source-mtime"), None);
    assert!(value(&lines(DialectName::RustFs), "x-rustfs-source-mtime").is_some());
    assert_eq!(value(&lines(DialectName::MinIo), "x-amz-checksum-algorithm"), Some("CRC32C"));
    assert_eq!(value(&lines(DialectName::MinIo), "x-amz-website-redirect-location"), None);
}

#[test]
fn customer_keys_cannot_be_written() {
    let written =
        object(&Replica { encryption: Encryption::SseC, ..replica() }, Stage::Put, DialectName::RustFs.dialect());
    assert_eq!(written, Err(Unwritable::CustomerKey));
}

#[test]
fn a_marker_names_itself() {
    let lines = marker(&replica().version, 1_000_000_000).unwrap();
    assert_eq!(value(&lines, "x-rustfs-source-deletemarker"), Some("true"));
    assert_eq!(value(&lines, "x-minio-source-mtime"), Some("1970-01-01T00:00:01Z"));
    assert_eq!(value(&lines, "x-amz-replication-status"), Some("REPLICA"));
}

#[test]
fn removals_and_reads_are_no_replicas() {
    assert_eq!(value(&silent(), "x-amz-replication-status"), None);
    assert_eq!(value(&silent(), "x-rustfs-source-replication-request"), Some("true"));
    assert_eq!(value(&local_read(), "x-minio-source-proxy-request"), Some("false"));
}
