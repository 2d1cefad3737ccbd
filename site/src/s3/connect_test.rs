//! Tests of setting a site up.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::SystemTime;

use super::*;
use crate::dialect::{DialectName, NotifyTargets};
use crate::s3::{S3Credentials, S3Site, S3Timeouts, SecretKey};
use crate::{Leave, Site, SiteErrorKind};

fn config() -> S3SiteConfig {
    S3SiteConfig {
        name: twinlog_schemas::SiteName::new("east").unwrap(),
        endpoint: "http://127.0.0.1:9000".into(),
        region: "us-east-1".into(),
        dialect: DialectName::RustFs,
        credentials: S3Credentials { access_key: "AK".into(), secret_key: SecretKey::new("SK") },
        ca_file: None,
        write_expiry: S3SiteConfig::DEFAULT_WRITE_EXPIRY,
        timeouts: S3Timeouts::default(),
        notify: NotifyTargets::default(),
    }
}

fn refusal(config: S3SiteConfig) -> String {
    S3Site::new(config, Arc::new(|| SystemTime::UNIX_EPOCH)).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn a_good_configuration_is_taken() {
    assert!(S3Site::new(config(), Arc::new(|| SystemTime::UNIX_EPOCH)).is_ok());
}

#[test]
fn faults_name_the_field() {
    for endpoint in ["", "east:9000", "ftp://east", "http://east/base"] {
        assert!(refusal(S3SiteConfig { endpoint: endpoint.into(), ..config() }).contains("endpoint"), "{endpoint}");
    }
    for write_expiry in [Duration::ZERO, Duration::from_millis(1500), Duration::from_secs(8 * 24 * 3600)] {
        assert!(refusal(S3SiteConfig { write_expiry, ..config() }).contains("write_expiry"));
    }
    assert!(refusal(S3SiteConfig { region: String::new(), ..config() }).contains("region"));
}

#[test]
fn certificates_that_are_none_are_refused() {
    let missing = refusal(S3SiteConfig { ca_file: Some("/nowhere/ca.pem".into()), ..config() });
    assert!(missing.contains("/nowhere/ca.pem"), "{missing}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "hello").unwrap();
    let empty = refusal(S3SiteConfig { ca_file: Some(file.path().into()), ..config() });
    assert!(empty.contains("no PEM"), "{empty}");
}

/// Nobody listens at the address: a write that is sent cannot connect, and one that is withheld does not even try.
#[tokio::test]
async fn a_write_without_leave_is_not_sent() {
    let config = S3SiteConfig { endpoint: "http://127.0.0.1:1".into(), ..config() };
    let site = S3Site::new(config, Arc::new(|| SystemTime::UNIX_EPOCH)).unwrap();
    let version = twinlog_schemas::VersionRef {
        bucket: twinlog_schemas::BucketName::new("bucket").unwrap(),
        key: twinlog_schemas::ObjectKey::new("key").unwrap(),
        version_id: twinlog_schemas::VersionId::null(),
    };
    let sent = site.remove_version(&version, false, None).await.unwrap_err();
    assert_eq!(sent.kind, SiteErrorKind::Unreachable, "{sent}");
    let site = site.with_leave(Leave::while_true(|| false));
    let withheld = site.remove_version(&version, false, None).await.unwrap_err();
    assert_eq!((withheld.kind, withheld.outcome_unknown), (SiteErrorKind::Expired, false), "{withheld}");
}
