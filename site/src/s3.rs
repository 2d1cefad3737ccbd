//! A real store behind the contract, on `aws-sdk-s3`.
//!
//! One client per site: one connection pool, path-style addresses, no retries inside. Every replica write carries its
//! signature and expiry in the query and is judged by the store's own clock (`signing.rs`, `clock.rs`). What
//! differs between stores is asked of the [`Dialect`].

mod attributes;
mod bucket;
mod clock;
mod config;
mod connect;
mod error;
mod headers;
mod incoming;
mod list;
mod listen;
mod look;
mod marker;
mod multipart;
mod notification;
mod outgoing;
mod packages;
mod permissions;
mod put;
mod read;
mod remove;
mod shown;
mod signing;

use std::fmt;
use std::fmt::Display;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use twinlog_schemas::{BucketName, ObjectKey, Part, Retention, SiteName, Tags, VersionId, VersionRef};

use crate::bucket::BucketState;
use crate::contract::{BodyStream, NoticeStream, Site};
use crate::dialect::Dialect;
use crate::error::SiteError;
use crate::leave::Leave;
use crate::notify::{Subscription, SubscriptionChange};
use crate::reading::{BodyWish, ListFrom, ListedVersion, Reading, VersionPage};
use crate::replica::{Body, PartWritten, Precondition, Replica, Upload, Written};

pub use clock::WallClock;
pub use config::{S3Credentials, S3SetUpError, S3SiteConfig, S3Timeouts, SecretKey};

use clock::StoreClock;
use error::Attempt;
use headers::HeaderLines;
use signing::Amend;

/// One real store.
pub struct S3Site {
    config: S3SiteConfig,
    dialect: &'static dyn Dialect,
    client: Client,
    clock: StoreClock,
    leave: Leave,
}

impl S3Site {
    /// Sets the site up; nothing is sent yet. `now` is this process's wall clock.
    ///
    /// # Errors
    /// A field out of range, or certificates that cannot be read.
    pub fn new(config: S3SiteConfig, now: WallClock) -> Result<Self, S3SetUpError> {
        let clock = StoreClock::new(now);
        let client = connect::client(&config, clock.clone())?;
        Ok(Self { dialect: config.dialect.dialect(), config, client, clock, leave: Leave::always() })
    }

    /// The same, but replica writes go out only while there is leave; without, they fail as
    /// [`SiteErrorKind::Expired`](crate::SiteErrorKind::Expired) and did not act.
    #[must_use]
    pub fn with_leave(self, leave: Leave) -> Self {
        Self { leave, ..self }
    }

    /// A call that only reads.
    fn reads<'a>(&'a self, operation: &'static str, subject: &'a (dyn Display + Sync)) -> Attempt<'a> {
        Attempt { site: &self.config.name, dialect: self.dialect, operation, subject, key: None, acts: false }
    }

    /// A call about one version that only reads.
    fn reads_version<'a>(&'a self, operation: &'static str, version: &'a VersionRef) -> Attempt<'a> {
        Attempt { key: Some(version.key.as_str()), ..self.reads(operation, version) }
    }

    /// A call that changes a version.
    fn writes<'a>(&'a self, operation: &'static str, version: &'a VersionRef) -> Attempt<'a> {
        Attempt { acts: true, ..self.reads_version(operation, version) }
    }

    fn expiring(&self, headers: HeaderLines) -> Amend {
        Amend::expiring_write(headers, self.config.write_expiry, self.leave.clone())
    }

    /// A longer deadline for a request that carries much.
    fn patience(&self, bytes: u64) -> aws_sdk_s3::config::Builder {
        let deadline = self.config.timeouts.answer_for(bytes);
        let timeouts = aws_sdk_s3::config::timeout::TimeoutConfig::builder()
            .connect_timeout(self.config.timeouts.connect)
            .operation_attempt_timeout(deadline)
            .operation_timeout(deadline)
            .build();
        aws_sdk_s3::config::Builder::new().timeout_config(timeouts)
    }
}

/// A version id as a query value.
fn query_value(version: &VersionId) -> String {
    utf8_percent_encode(version.as_str(), NON_ALPHANUMERIC).to_string()
}

/// An ETag without the quotes that HTTP puts around it.
fn unquoted(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}

impl fmt::Debug for S3Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Site").field("config", &self.config).finish_non_exhaustive()
    }
}

#[async_trait]
impl Site for S3Site {
    fn name(&self) -> &SiteName {
        &self.config.name
    }

    fn write_expiry(&self) -> Duration {
        self.config.write_expiry
    }

    async fn read(&self, version: &VersionRef, body: BodyWish) -> Result<Reading, SiteError> {
        self.read_whole(version, body).await
    }

    async fn look(&self, version: &VersionRef) -> Result<Reading, SiteError> {
        self.look_at(version, false).await
    }

    async fn open(&self, version: &VersionRef, range: Option<Range<u64>>, etag: &str) -> Result<BodyStream, SiteError> {
        self.open_body(version, range, etag).await
    }

    async fn list_versions(&self, bucket: &BucketName, from: &ListFrom) -> Result<VersionPage, SiteError> {
        self.list_page(bucket, from).await
    }

    async fn versions_of(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Vec<ListedVersion>, SiteError> {
        self.list_key(bucket, key).await
    }

    async fn put_object(&self, replica: &Replica, body: Body, when: &Precondition) -> Result<Written, SiteError> {
        self.put_whole(replica, body, when).await
    }

    async fn create_upload(&self, replica: &Replica) -> Result<Upload, SiteError> {
        self.begin_upload(replica).await
    }

    async fn put_part(&self, upload: &Upload, part: Part, body: Body) -> Result<PartWritten, SiteError> {
        self.send_part(upload, part, body).await
    }

    async fn complete_upload(
        &self,
        upload: &Upload,
        replica: &Replica,
        parts: &[PartWritten],
    ) -> Result<Written, SiteError> {
        self.finish_upload(upload, replica, parts).await
    }

    async fn abort_upload(&self, upload: &Upload) -> Result<(), SiteError> {
        self.drop_upload(upload).await
    }

    async fn uploads_of(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Vec<Upload>, SiteError> {
        self.list_uploads(bucket, key).await
    }

    async fn parts_of(&self, upload: &Upload) -> Result<Vec<PartWritten>, SiteError> {
        self.list_parts(upload).await
    }

    async fn put_marker(&self, version: &VersionRef, modified_at_ns: i64) -> Result<Written, SiteError> {
        self.make_marker(version, modified_at_ns).await
    }

    async fn remove_version(
        &self,
        version: &VersionRef,
        bypass_governance: bool,
        if_match: Option<&str>,
    ) -> Result<(), SiteError> {
        self.remove(version, bypass_governance, if_match).await
    }

    async fn put_tags(&self, version: &VersionRef, tags: &Tags) -> Result<(), SiteError> {
        self.set_tags(version, tags).await
    }

    async fn put_retention(&self, version: &VersionRef, retention: Option<Retention>) -> Result<(), SiteError> {
        self.set_retention(version, retention).await
    }

    async fn put_legal_hold(&self, version: &VersionRef, on: bool) -> Result<(), SiteError> {
        self.set_legal_hold(version, on).await
    }

    async fn bucket_state(&self, bucket: &BucketName) -> Result<BucketState, SiteError> {
        self.state_of(bucket).await
    }

    async fn buckets(&self) -> Result<Vec<BucketName>, SiteError> {
        self.all_buckets().await
    }

    async fn subscription(&self, bucket: &BucketName) -> Result<Subscription, SiteError> {
        self.subscribed(bucket).await
    }

    async fn subscribe(&self, bucket: &BucketName) -> Result<SubscriptionChange, SiteError> {
        self.change_subscription(bucket, true).await
    }

    async fn unsubscribe(&self, bucket: &BucketName) -> Result<SubscriptionChange, SiteError> {
        self.change_subscription(bucket, false).await
    }

    async fn listen(&self, buckets: &[BucketName]) -> Result<Option<NoticeStream>, SiteError> {
        self.open_listen(buckets).await
    }

    async fn clock_offset_ms(&self) -> Result<i64, SiteError> {
        self.ask_clock().await
    }

    async fn missing_permissions(&self, bucket: &BucketName) -> Result<Vec<String>, SiteError> {
        self.try_permissions(bucket).await
    }
}
