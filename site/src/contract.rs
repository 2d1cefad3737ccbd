//! The contract that the rest of Twinlog has with a store.

use std::ops::Range;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;
use twinlog_schemas::{BucketName, ObjectKey, Part, Retention, SiteName, Tags, VersionRef};

use crate::bucket::BucketState;
use crate::error::SiteError;
use crate::notify::{Subscription, SubscriptionChange};
use crate::reading::{BodyWish, ListFrom, ListedVersion, Reading, VersionPage};
use crate::replica::{Body, PartWritten, Precondition, Replica, Upload, Written};

/// The bytes of a body, in order; an error ends the stream. The sum of the chunks is checked by the reader.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, SiteError>> + Send>>;

/// Notices as the store wrote them, one JSON document each (never empty; pings are left out); ends when the connection ends.
pub type NoticeStream = Pin<Box<dyn Stream<Item = Result<Bytes, SiteError>> + Send>>;

/// One object store.
///
/// - **Retries**: none inside. A call is one attempt with a time-out; the caller decides what an error means.
/// - **Reads** never ask the store's peers (`source-proxy-request: false`).
/// - **Writes** are replica writes: silent (no notice follows), and signed to expire within [`Site::write_expiry`] by
///   the store's own clock, so a request that outlived its sender is refused with [`crate::SiteErrorKind::Expired`].
///   A site may be given a [`Leave`](crate::Leave), asked after signing and before sending.
/// - **Unknown outcomes**: [`SiteError::outcome_unknown`] says whether a failed write may have acted. The caller waits
///   out the expiry and reads before it writes again.
/// - **Cancellation**: dropping a write's future leaves its outcome unknown.
#[async_trait]
pub trait Site: Send + Sync + 'static {
    /// The site's name.
    fn name(&self) -> &SiteName;

    /// How long a signed write stays acceptable to the store.
    fn write_expiry(&self) -> Duration;

    // --- reading -------------------------------------------------------------------------------------------------

    /// Reads one version whole: headers, metadata, lock, tags, checksums, parts, and the body if wished and small
    /// enough. One GET (or HEAD) for a small untagged object, of a store whose GET shows less than its HEAD if the
    /// object is known to be plain; further calls only where the answer says there is more.
    async fn read(&self, version: &VersionRef, body: BodyWish) -> Result<Reading, SiteError>;

    /// What is needed to compare: like [`Site::read`] without body, checksums and part sizes. One HEAD, and
    /// GetObjectTagging where the answer counts tags.
    async fn look(&self, version: &VersionRef) -> Result<Reading, SiteError>;

    /// Opens a body, or a byte range of it (end exclusive), pinned to `etag`: if the version's ETag is another by now,
    /// [`crate::SiteErrorKind::Precondition`].
    async fn open(&self, version: &VersionRef, range: Option<Range<u64>>, etag: &str) -> Result<BodyStream, SiteError>;

    /// One page of a bucket's versions and markers, by key, then newest first (the store's order among equal times).
    async fn list_versions(&self, bucket: &BucketName, from: &ListFrom) -> Result<VersionPage, SiteError>;

    /// All versions and markers of exactly this key, newest first.
    async fn versions_of(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Vec<ListedVersion>, SiteError>;

    // --- replica writes ------------------------------------------------------------------------------------------

    /// Writes an object version with the source's version id, time, ETag and attributes in one PUT.
    async fn put_object(
        &self,
        replica: &Replica,
        body: Body,
        precondition: &Precondition,
    ) -> Result<Written, SiteError>;

    /// Begins a multipart replica; the upload is found again by [`Site::uploads_of`].
    async fn create_upload(&self, replica: &Replica) -> Result<Upload, SiteError>;

    /// Writes one part, by its source's number and size.
    async fn put_part(&self, upload: &Upload, part: Part, body: Body) -> Result<PartWritten, SiteError>;

    /// Completes a multipart replica; this is the write that counts.
    async fn complete_upload(
        &self,
        upload: &Upload,
        replica: &Replica,
        parts: &[PartWritten],
    ) -> Result<Written, SiteError>;

    /// Aborts an upload; one that is gone is no error.
    async fn abort_upload(&self, upload: &Upload) -> Result<(), SiteError>;

    /// Unfinished uploads of a key, oldest first.
    async fn uploads_of(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Vec<Upload>, SiteError>;

    /// The parts that an unfinished upload holds already.
    async fn parts_of(&self, upload: &Upload) -> Result<Vec<PartWritten>, SiteError>;

    /// Creates a delete marker. **Sent twice it removes itself** on real stores: look first, and look after.
    async fn put_marker(&self, version: &VersionRef, modified_at_ns: i64) -> Result<Written, SiteError>;

    /// Removes a version permanently, without REPLICA status, so that the store enforces its locks: a locked version is
    /// [`crate::SiteErrorKind::Locked`]. Idempotent: a version that is not there is no error. `if_match` guards a null
    /// version where the store honours it.
    async fn remove_version(
        &self,
        version: &VersionRef,
        bypass_governance: bool,
        if_match: Option<&str>,
    ) -> Result<(), SiteError>;

    /// Replaces the tags of a version that is there; empty removes them all.
    async fn put_tags(&self, version: &VersionRef, tags: &Tags) -> Result<(), SiteError>;

    /// Sets or (with `None`) lifts the retention of a version that is there, with the bypass header. COMPLIANCE in force
    /// can only be extended: otherwise [`crate::SiteErrorKind::Locked`].
    async fn put_retention(&self, version: &VersionRef, retention: Option<Retention>) -> Result<(), SiteError>;

    /// Sets the legal hold of a version that is there.
    async fn put_legal_hold(&self, version: &VersionRef, on: bool) -> Result<(), SiteError>;

    // --- bucket, notices, clock ----------------------------------------------------------------------------------

    /// Creation time, versioning, object lock and its default, default encryption, the store's own replication.
    async fn bucket_state(&self, bucket: &BucketName) -> Result<BucketState, SiteError>;

    /// All buckets that the principal may see.
    async fn buckets(&self) -> Result<Vec<BucketName>, SiteError>;

    /// What of Twinlog's subscription stands in the bucket's notification configuration.
    async fn subscription(&self, bucket: &BucketName) -> Result<Subscription, SiteError>;

    /// Merges Twinlog's subscription into the bucket's notification configuration; other entries stay untouched.
    async fn subscribe(&self, bucket: &BucketName) -> Result<SubscriptionChange, SiteError>;

    /// Takes Twinlog's subscription out again; other entries stay untouched.
    async fn unsubscribe(&self, bucket: &BucketName) -> Result<SubscriptionChange, SiteError>;

    /// Opens the fast door: a stream of notices of these buckets, where the store has one that is fast; `None` where
    /// its fast door is a webhook. Whatever happens while not connected is lost to this door.
    async fn listen(&self, buckets: &[BucketName]) -> Result<Option<NoticeStream>, SiteError>;

    /// The store's clock minus this process's clock, in milliseconds (from a signed request's `Date`, precise to
    /// about a second), besides what writes are signed with.
    async fn clock_offset_ms(&self) -> Result<i64, SiteError>;

    /// Proves by explicit calls which permissions are missing for this bucket; each is named as IAM names it. Leaves
    /// nothing behind.
    async fn missing_permissions(&self, bucket: &BucketName) -> Result<Vec<String>, SiteError>;
}
