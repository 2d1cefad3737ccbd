//! The real client of a store, made for tests: short deadlines, one version, one body.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::TryStreamExt;
use md5::{Digest, Md5};
use twinlog_schemas::{BucketName, ContentHeaders, Encryption, ObjectKey, SiteName, VersionId, VersionRef};
use twinlog_site::{
    Body, DialectName, NotifyTargets, Precondition, Replica, S3Credentials, S3Site, S3SiteConfig, S3Timeouts,
    SecretKey, Site, SiteError, WallClock, Written,
};

/// The bucket of every test here.
pub const BUCKET: &str = "bucket";
/// The body of every object.
pub const BODY: &[u8] = b"what the object holds, long enough to be cut in the middle";
/// How long an answer is waited for.
pub const PATIENCE: Duration = Duration::from_millis(700);

pub fn config(endpoint: &str) -> S3SiteConfig {
    S3SiteConfig {
        name: SiteName::new("east").unwrap(),
        endpoint: endpoint.to_owned(),
        region: "us-east-1".to_owned(),
        dialect: DialectName::MinIo,
        credentials: S3Credentials { access_key: "key".to_owned(), secret_key: SecretKey::new("secret") },
        ca_file: None,
        write_expiry: Duration::from_secs(5),
        timeouts: S3Timeouts { connect: PATIENCE, answer: PATIENCE, idle: PATIENCE, slowest: 1024 * 1024 },
        notify: NotifyTargets::default(),
    }
}

pub fn site(config: S3SiteConfig) -> S3Site {
    S3Site::new(config, wall_clock(Duration::ZERO)).unwrap()
}

/// A clock of ours that is ahead of the system's.
pub fn wall_clock(ahead: Duration) -> WallClock {
    Arc::new(move || SystemTime::now() + ahead)
}

/// A store whose certificates are checked against our own authority.
pub fn trusting(endpoint: &str) -> S3Site {
    let ca_file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/tls/ca.pem"));
    site(S3SiteConfig { ca_file: Some(ca_file), ..config(endpoint) })
}

pub fn version(key: &str) -> VersionRef {
    VersionRef {
        bucket: BucketName::new(BUCKET).unwrap(),
        key: ObjectKey::new(key).unwrap(),
        version_id: VersionId::new("7e57c0de-0000-4000-8000-000000000001").unwrap(),
    }
}

pub fn digest(body: &[u8]) -> String {
    hex::encode(Md5::digest(body))
}

/// A plain replica of [`BODY`].
pub fn replica(version: &VersionRef) -> Replica {
    Replica {
        version: version.clone(),
        modified_at_ns: 1_772_323_200_123_456_789,
        etag: digest(BODY),
        send_etag: false,
        headers: ContentHeaders::default(),
        user_metadata: Default::default(),
        tags: Default::default(),
        retention: None,
        legal_hold: false,
        tags_at_ns: 0,
        retention_at_ns: 0,
        legal_hold_at_ns: 0,
        storage_class: None,
        encryption: Encryption::None,
        checksums: Vec::new(),
    }
}

pub async fn put(site: &S3Site, replica: &Replica) -> Result<Written, SiteError> {
    site.put_object(replica, Body::Bytes(Bytes::from_static(BODY)), &Precondition::Absent).await
}

/// The whole body, as a transfer reads it.
pub async fn read(site: &S3Site, version: &VersionRef) -> Result<Vec<u8>, SiteError> {
    let chunks: Vec<Bytes> = site.open(version, None, &digest(BODY)).await?.try_collect().await?;
    Ok(chunks.concat())
}
