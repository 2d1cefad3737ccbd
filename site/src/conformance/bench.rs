//! What a store is put on for the suite, and how a check says what is wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::TryStreamExt;
use md5::{Digest, Md5};
use twinlog_schemas::{
    BucketName, Checksum, ChecksumType, ContentHeaders, Encryption, ObjectKey, Retention, RetentionMode, Tags,
    VersionId, VersionRef,
};

use crate::bucket::Versioning;
use crate::contract::Site;
use crate::error::{SiteError, SiteErrorKind};
use crate::memory::{BucketSetup, Quirks};
use crate::reading::{BodyWish, ObjectReading, Reading};
use crate::replica::{Body, Precondition, Replica, Written};

use super::client::{Client, ClientError};

/// Why a check did not pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl From<SiteError> for Failure {
    fn from(error: SiteError) -> Self {
        Self(format!("unexpected: {error} ({:?}, status {:?}, code {:?})", error.kind, error.status, error.code))
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self(format!("unexpected: {error}"))
    }
}

impl From<twinlog_schemas::NameError> for Failure {
    fn from(error: twinlog_schemas::NameError) -> Self {
        Self(error.to_string())
    }
}

/// The outcome of one check.
pub type Outcome = Result<(), Failure>;

/// Fails the check unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($said:tt)+) => {
        if !$condition {
            return Err($crate::conformance::bench::Failure(format!($($said)+)));
        }
    };
}
pub(super) use ensure;

/// Fails the check unless both are equal.
macro_rules! ensure_eq {
    ($left:expr, $right:expr, $what:expr) => {{
        let (left, right) = (&$left, &$right);
        if left != right {
            return Err($crate::conformance::bench::Failure(format!("{}: {left:?} is not {right:?}", $what)));
        }
    }};
}
pub(super) use ensure_eq;

/// The modification time of samples: its nanoseconds are worth keeping.
pub(super) const SAMPLE_NS: i64 = 1_772_323_200_123_456_789;

/// A store under test.
pub struct Bench {
    /// The store, behind the contract.
    pub site: Arc<dyn Site>,
    /// A client of the same store, allowed everything.
    pub client: Arc<dyn Client>,
    /// The same store over a way so slow that every write arrives after its expiry, where there is such a way.
    pub late_site: Option<Arc<dyn Site>>,
    /// The same store, reached directly, with writes that expire after a second or two.
    pub brief_site: Option<Arc<dyn Site>>,
    /// Where this store differs from the contract. Every difference is asserted, not tolerated.
    pub quirks: Quirks,
    /// The clock that retentions are counted from, milliseconds since the Unix epoch.
    pub now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// How the names of this run's buckets begin: fresh for each run on one store.
    pub prefix: String,
    drawn: AtomicU64,
}

impl Bench {
    /// A bench without a late way and without brief writes.
    pub fn new(
        site: Arc<dyn Site>,
        client: Arc<dyn Client>,
        quirks: Quirks,
        now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
        prefix: impl Into<String>,
    ) -> Self {
        Self {
            site,
            client,
            late_site: None,
            brief_site: None,
            quirks,
            now_ms,
            prefix: prefix.into(),
            drawn: AtomicU64::new(0),
        }
    }

    /// Makes the buckets that the checks use.
    pub async fn prepare(&self) -> Outcome {
        let plain = BucketSetup { object_lock: false, ..BucketSetup::REPLICATED };
        let never = BucketSetup { versioning: Versioning::Never, ..plain };
        self.client.create_bucket(&self.bucket()?, BucketSetup::REPLICATED).await?;
        self.client.create_bucket(&self.plain()?, plain).await?;
        self.client.create_bucket(&self.never()?, never).await?;
        self.client.create_bucket(&self.suspended()?, plain).await?;
        Ok(self.client.set_versioning(&self.suspended()?, Versioning::Suspended).await?)
    }

    /// Versioned, with object lock.
    pub(super) fn bucket(&self) -> Result<BucketName, Failure> {
        Ok(BucketName::new(self.prefix.clone())?)
    }

    /// Versioned, without object lock.
    pub(super) fn plain(&self) -> Result<BucketName, Failure> {
        Ok(BucketName::new(format!("{}-plain", self.prefix))?)
    }

    /// Never versioned.
    pub(super) fn never(&self) -> Result<BucketName, Failure> {
        Ok(BucketName::new(format!("{}-never", self.prefix))?)
    }

    /// Versioning suspended.
    pub(super) fn suspended(&self) -> Result<BucketName, Failure> {
        Ok(BucketName::new(format!("{}-suspended", self.prefix))?)
    }

    /// An id that was not drawn before.
    pub(super) fn fresh_id(&self) -> Result<VersionId, Failure> {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(VersionId::new(format!("7e57c0de-0000-4000-8000-{drawn:012x}"))?)
    }

    /// The address of a version of a key in the main bucket, with a fresh id.
    pub(super) fn fresh(&self, key: &str) -> Result<VersionRef, Failure> {
        Ok(VersionRef { bucket: self.bucket()?, key: ObjectKey::new(key)?, version_id: self.fresh_id()? })
    }

    /// The address of the null version of a key in the main bucket.
    pub(super) fn null(&self, key: &str) -> Result<VersionRef, Failure> {
        Ok(VersionRef { version_id: VersionId::null(), ..self.fresh(key)? })
    }

    /// A retention that ends in so many seconds.
    pub(super) fn retained(&self, mode: RetentionMode, seconds: i64) -> Retention {
        let now_s = (self.now_ms)().div_euclid(1000);
        Retention { mode, until_ms: (now_s + seconds) * 1000 }
    }

    pub(super) async fn object(&self, version: &VersionRef) -> Result<ObjectReading, Failure> {
        match self.site.read(version, BodyWish::UpTo(u64::MAX)).await? {
            Reading::Object(object) => Ok(*object),
            other => Err(Failure(format!("{version} should be an object, but is {other:?}"))),
        }
    }

    pub(super) async fn is_absent(&self, version: &VersionRef) -> Result<bool, Failure> {
        Ok(self.site.look(version).await? == Reading::Absent)
    }

    pub(super) async fn is_marker(&self, version: &VersionRef) -> Result<bool, Failure> {
        Ok(matches!(self.site.look(version).await?, Reading::Marker { .. }))
    }

    /// The ids of a key's versions, newest first.
    pub(super) async fn ids(&self, version: &VersionRef) -> Result<Vec<VersionId>, Failure> {
        let versions = self.site.versions_of(&version.bucket, &version.key).await?;
        Ok(versions.into_iter().map(|listed| listed.version_id).collect())
    }

    pub(super) async fn body(
        &self,
        version: &VersionRef,
        range: Option<std::ops::Range<u64>>,
        etag: &str,
    ) -> Result<Vec<u8>, Failure> {
        let chunks: Vec<Bytes> = self.site.open(version, range, etag).await?.try_collect().await?;
        Ok(chunks.concat())
    }

    /// Puts a replica where none is.
    pub(super) async fn put_absent(&self, replica: &Replica, body: &[u8]) -> Result<Written, SiteError> {
        let body = Body::Bytes(Bytes::copy_from_slice(body));
        self.site.put_object(replica, body, &Precondition::Absent).await
    }
}

/// The MD5 of bytes in hex.
pub(super) fn md5_hex(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}

/// A replica with nothing but a body.
pub(super) fn bare(version: &VersionRef, body: &[u8]) -> Replica {
    Replica {
        version: version.clone(),
        modified_at_ns: SAMPLE_NS,
        etag: md5_hex(body),
        send_etag: false,
        headers: ContentHeaders { content_type: Some("text/plain".to_owned()), ..ContentHeaders::default() },
        user_metadata: BTreeMap::new(),
        tags: Tags::new(),
        retention: None,
        legal_hold: false,
        tags_at_ns: SAMPLE_NS,
        retention_at_ns: SAMPLE_NS,
        legal_hold_at_ns: SAMPLE_NS,
        storage_class: None,
        encryption: Encryption::None,
        checksums: Vec::new(),
    }
}

/// Content headers with something in each that both stores keep.
pub(super) fn full_headers() -> ContentHeaders {
    ContentHeaders {
        content_type: Some("text/x-sample; charset=utf-8".to_owned()),
        cache_control: Some("max-age=60, private".to_owned()),
        content_disposition: Some("attachment; filename=\"a b.txt\"".to_owned()),
        content_encoding: Some("gzip".to_owned()),
        content_language: Some("de-AT".to_owned()),
        expires: Some("Thu, 01 Dec 2033 16:00:00 GMT".to_owned()),
        website_redirect: None,
    }
}

pub(super) fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The CRC32 of bytes, as S3 shows it.
pub(super) fn crc32(bytes: &[u8]) -> Checksum {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc));
    let crc = !bytes.iter().fold(u32::MAX, byte);
    Checksum {
        algorithm: "CRC32".to_owned(),
        value: STANDARD.encode(crc.to_be_bytes()),
        kind: ChecksumType::FullObject,
    }
}

/// Fails unless the call was refused with this kind, and surely did not act.
pub(super) fn refused<T>(outcome: Result<T, SiteError>, kind: SiteErrorKind, what: &str) -> Outcome {
    match outcome {
        Ok(_) => Err(Failure(format!("{what}: should be refused with {kind:?}"))),
        Err(error) if error.kind == kind && !error.outcome_unknown => Ok(()),
        Err(error) => Err(Failure(format!("{what}: should be refused with {kind:?}, but: {}", Failure::from(error)))),
    }
}
