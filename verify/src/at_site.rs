//! A bucket read through the contract that all of Twinlog has with a store.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use sha2::{Digest, Sha256};
use twinlog_schemas::{BucketName, ChecksumType, Encryption, RetentionMode, VersionRef};
use twinlog_site::{
    BodyWish, ListFrom, ListedVersion, ObjectReading, Reading, Site, SiteError, SiteErrorKind, VersionPage,
};

use crate::side::{Described, Description, Side};

/// How often a read is tried before a store counts as away.
const ATTEMPTS: u32 = 4;
/// The wait before the second attempt; each further one waits twice as long.
const PAUSE: Duration = Duration::from_millis(200);

/// A clock: milliseconds since the Unix epoch.
pub type NowMs = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What a look at an object version found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// The object.
    Object(Box<ObjectReading>),
    /// It is not there any more, or not an object.
    Gone,
    /// The store does not let it be read.
    Unreadable,
}

/// A bucket at a site. Reads are tried a few times; what stays away is an error.
pub struct AtSite {
    site: Arc<dyn Site>,
    bucket: BucketName,
    now_ms: NowMs,
}

impl AtSite {
    /// The clock decides which retention has run out.
    #[must_use]
    pub fn new(site: Arc<dyn Site>, bucket: BucketName, now_ms: NowMs) -> Self {
        Self { site, bucket, now_ms }
    }

    async fn read(&self, version: &VersionRef, bodies_up_to: Option<u64>) -> Result<Described, SiteError> {
        let object = match self.site.read(version, BodyWish::No).await? {
            Reading::Object(object) => object,
            Reading::Marker { .. } | Reading::Absent => return Ok(Described::Gone),
        };
        let mut description = describe(&object, (self.now_ms)());
        if bodies_up_to.is_some_and(|most| object.size <= most) {
            let (read, digest) = self.digest(version, &object.etag).await?;
            description.put("body", Some(format!("{read} bytes, sha256 {digest}")));
            description.body_read = Some(read);
        }
        Ok(Described::Object(description))
    }

    /// What is needed to compare tags and locks: one cheap read, tried a few times.
    ///
    /// # Errors
    /// Where the store or the bucket cannot be read; what concerns the version alone is [`Looked::Unreadable`].
    pub async fn look(&self, version: &ListedVersion) -> Result<Looked, SiteError> {
        let version = self.named(version);
        let mut attempts = Attempts(1);
        loop {
            match self.site.look(&version).await {
                Ok(Reading::Object(object)) => return Ok(Looked::Object(object)),
                Ok(Reading::Marker { .. } | Reading::Absent) => return Ok(Looked::Gone),
                Err(error) if attempts.again(&error).await => {}
                Err(error) if error.kind == SiteErrorKind::NoSuchVersion => return Ok(Looked::Gone),
                Err(error) if of_one_version(error.kind) => return Ok(Looked::Unreadable),
                Err(error) => return Err(error),
            }
        }
    }

    fn named(&self, version: &ListedVersion) -> VersionRef {
        VersionRef { bucket: self.bucket.clone(), key: version.key.clone(), version_id: version.version_id.clone() }
    }

    async fn digest(&self, version: &VersionRef, etag: &str) -> Result<(u64, String), SiteError> {
        let mut body = self.site.open(version, None, etag).await?;
        let (mut digest, mut read) = (Sha256::new(), 0_u64);
        while let Some(chunk) = body.next().await {
            let chunk = chunk?;
            digest.update(&chunk);
            read += chunk.len() as u64;
        }
        Ok((read, hex::encode(digest.finalize())))
    }
}

#[async_trait]
impl Side for AtSite {
    type Error = SiteError;

    fn label(&self) -> &str {
        self.site.name().as_str()
    }

    async fn page(&self, from: &ListFrom) -> Result<VersionPage, SiteError> {
        let mut attempts = Attempts(1);
        loop {
            match self.site.list_versions(&self.bucket, from).await {
                Err(error) if attempts.again(&error).await => {}
                outcome => return outcome,
            }
        }
    }

    async fn describe(&self, version: &ListedVersion, bodies_up_to: Option<u64>) -> Result<Described, SiteError> {
        let version = self.named(version);
        let mut attempts = Attempts(1);
        loop {
            match self.read(&version, bodies_up_to).await {
                Err(error) if attempts.again(&error).await => {}
                Err(error) if error.kind == SiteErrorKind::NoSuchVersion => return Ok(Described::Gone),
                Err(error) if of_one_version(error.kind) => return Ok(Described::Unreadable(error.message)),
                outcome => return outcome,
            }
        }
    }
}

/// Whether the error is about the version, and not about the store or the bucket.
fn of_one_version(kind: SiteErrorKind) -> bool {
    use SiteErrorKind::{
        AccessDenied, CustomerKey, Digest, Malformed, NameRefused, Precondition, Refused, Server, TooLarge,
    };
    let of_one = [AccessDenied, CustomerKey, Digest, Malformed, NameRefused, Precondition, Refused, Server, TooLarge];
    of_one.contains(&kind)
}

/// The attempts at one read.
struct Attempts(u32);

impl Attempts {
    /// Whether to read again, after the wait that is due.
    async fn again(&mut self, error: &SiteError) -> bool {
        use SiteErrorKind::{Digest, Precondition, Server, Throttled, TimedOut, Unreachable};
        let passing = matches!(error.kind, Digest | Precondition | Server | Throttled | TimedOut | Unreachable);
        if !passing || self.0 == ATTEMPTS {
            return false;
        }
        tokio::time::sleep(PAUSE * 2_u32.pow(self.0 - 1)).await;
        self.0 += 1;
        true
    }
}

pub(crate) fn describe(object: &ObjectReading, now_ms: i64) -> Description {
    let replica = object.replication_status.as_deref() == Some("REPLICA");
    let mut to = Description { replica, ..Description::default() };
    to.put("Content-Length", Some(object.size));
    to.put("ETag", Some(&object.etag));
    let headers = &object.headers;
    to.put("Content-Type", headers.content_type.as_ref());
    to.put("Cache-Control", headers.cache_control.as_ref());
    to.put("Content-Disposition", headers.content_disposition.as_ref());
    to.put("Content-Encoding", headers.content_encoding.as_ref());
    to.put("Content-Language", headers.content_language.as_ref());
    to.put("Expires", headers.expires.as_ref());
    to.put("website redirect", headers.website_redirect.as_ref());
    for (name, value) in &object.user_metadata {
        to.put(&format!("metadata {name}"), Some(value));
    }
    for (name, value) in &object.tags {
        to.put(&format!("tag {name}"), Some(value));
    }
    // Retention that has run out equals none: a store may show it or not.
    let retention = object.retention.filter(|retention| retention.in_force(now_ms));
    to.put("retention", retention.map(|retention| format!("{} until {} ms", mode(retention.mode), retention.until_ms)));
    to.put("legal hold", object.legal_hold.then_some("on"));
    to.put("storage class", object.storage_class.as_ref());
    to.put("encryption", encryption(object.encryption));
    for checksum in &object.checksums {
        let kind = match checksum.kind {
            ChecksumType::FullObject => "of all bytes",
            ChecksumType::Composite => "of the parts",
            ChecksumType::Unknown => "of an unknown type",
        };
        to.put(&checksum.algorithm, Some(format!("{} {kind}", checksum.value)));
    }
    let parts: Vec<String> = object.parts.iter().map(|part| format!("{}:{}", part.number, part.size)).collect();
    to.put("parts", (!parts.is_empty()).then(|| parts.join(" ")));
    to
}

fn mode(mode: RetentionMode) -> &'static str {
    match mode {
        RetentionMode::Governance => "GOVERNANCE",
        RetentionMode::Compliance => "COMPLIANCE",
    }
}

fn encryption(class: Encryption) -> Option<&'static str> {
    match class {
        Encryption::None => None,
        Encryption::SseS3 => Some("SSE-S3"),
        Encryption::SseKms => Some("SSE-KMS"),
        Encryption::SseC => Some("SSE-C"),
        Encryption::Unknown => Some("of an unknown class"),
    }
}
