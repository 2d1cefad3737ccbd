//! [`MemoryClient`]: what a client of the in-memory store does. Its writes are ordinary S3 writes, and raise notices.

use std::collections::BTreeMap;

use bytes::Bytes;
use twinlog_schemas::{BucketName, Checksum, ContentHeaders, ObjectKey, Retention, Tags, VersionId, VersionRef};

use crate::error::SiteError;
use crate::reading::{BodyWish, Reading};

use super::client_acts::Caller;
use super::site::MemorySite;

/// An object as a client puts it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientPut {
    /// The bytes.
    pub body: Bytes,
    /// Content headers.
    pub headers: ContentHeaders,
    /// User metadata, names in lower case.
    pub user_metadata: BTreeMap<String, String>,
    /// Tags.
    pub tags: Tags,
    /// Retention; without one the bucket's default is taken.
    pub retention: Option<Retention>,
    /// Legal hold.
    pub legal_hold: bool,
    /// Checksums; kept as they are.
    pub checksums: Vec<Checksum>,
}

/// What a client was told of its write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientWritten {
    /// The version; `null` where the bucket is not versioned.
    pub version_id: VersionId,
    /// The ETag without quotes.
    pub etag: String,
}

/// What a client was told of its DELETE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientDeleted {
    /// The marker made, or the version removed; `None` where there was nothing.
    pub version_id: Option<VersionId>,
    /// Whether that is a delete marker.
    pub marker: bool,
}

/// A client with an access key. Calls act at once; an error is the store's refusal.
#[derive(Clone)]
pub struct MemoryClient {
    site: MemorySite,
    access_key: String,
}

impl MemoryClient {
    pub(super) fn new(site: MemorySite, access_key: String) -> Self {
        Self { site, access_key }
    }

    /// The store that it is a client of.
    #[must_use]
    pub fn site(&self) -> &MemorySite {
        &self.site
    }

    fn caller<'a>(&'a self, bucket: &'a BucketName, key: &'a ObjectKey) -> Caller<'a> {
        Caller { bucket, key, access_key: &self.access_key }
    }

    /// Puts an object.
    pub fn put(&self, bucket: &BucketName, key: &ObjectKey, put: &ClientPut) -> Result<ClientWritten, SiteError> {
        let caller = self.caller(bucket, key);
        self.site.act("PutObject", caller.subject(), |store, now| store.client_put(&caller, put, now))
    }

    /// Uploads parts under their numbers and completes; the put's own body is not looked at.
    pub fn multipart(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        put: &ClientPut,
        parts: &[(i32, Bytes)],
    ) -> Result<ClientWritten, SiteError> {
        let caller = self.caller(bucket, key);
        self.site.act("CompleteMultipartUpload", caller.subject(), |store, now| {
            store.client_multipart(&caller, put, parts, now)
        })
    }

    /// Copies a version (the latest where `None`); `replace` gives new headers, metadata and tags, else they are copied.
    pub fn copy(
        &self,
        bucket: &BucketName,
        from: (&ObjectKey, Option<&VersionId>),
        key: &ObjectKey,
        replace: Option<&ClientPut>,
    ) -> Result<ClientWritten, SiteError> {
        let caller = self.caller(bucket, key);
        self.site.act("CopyObject", caller.subject(), |store, now| store.client_copy(&caller, from, replace, now))
    }

    /// Deletes without a version id: a marker in a versioned bucket.
    pub fn delete(&self, bucket: &BucketName, key: &ObjectKey) -> Result<ClientDeleted, SiteError> {
        let caller = self.caller(bucket, key);
        self.site
            .act("DeleteObject", caller.subject(), |store, now| store.client_delete(&caller, None, false, false, now))
    }

    /// Removes a version or marker by its id.
    pub fn delete_version(&self, version: &VersionRef, bypass_governance: bool) -> Result<ClientDeleted, SiteError> {
        let caller = self.caller(&version.bucket, &version.key);
        self.site.act("DeleteObject", caller.subject(), |store, now| {
            store.client_delete(&caller, Some(&version.version_id), bypass_governance, false, now)
        })
    }

    /// The multi-delete call: one outcome for each, in order.
    pub fn delete_many(
        &self,
        bucket: &BucketName,
        objects: &[(ObjectKey, Option<VersionId>)],
    ) -> Vec<Result<ClientDeleted, SiteError>> {
        let one = |(key, id): &(ObjectKey, Option<VersionId>)| {
            let caller = self.caller(bucket, key);
            self.site.act("DeleteObjects", caller.subject(), |store, now| {
                store.client_delete(&caller, id.as_ref(), false, true, now)
            })
        };
        objects.iter().map(one).collect()
    }

    /// Replaces the tags of a version (the latest where `None`); empty removes them.
    pub fn tag(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        id: Option<&VersionId>,
        tags: &Tags,
    ) -> Result<(), SiteError> {
        let caller = self.caller(bucket, key);
        self.site.act("PutObjectTagging", caller.subject(), |store, now| store.client_tag(&caller, id, tags, now))
    }

    /// Sets or lifts the retention of a version (the latest where `None`).
    pub fn retain(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        id: Option<&VersionId>,
        retention: Option<Retention>,
        bypass_governance: bool,
    ) -> Result<(), SiteError> {
        let caller = self.caller(bucket, key);
        self.site.act("PutObjectRetention", caller.subject(), |store, now| {
            store.client_retain(&caller, id, retention, bypass_governance, now)
        })
    }

    /// Sets the legal hold of a version (the latest where `None`).
    pub fn legal_hold(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        id: Option<&VersionId>,
        on: bool,
    ) -> Result<(), SiteError> {
        let caller = self.caller(bucket, key);
        self.site
            .act("PutObjectLegalHold", caller.subject(), |store, now| store.client_legal_hold(&caller, id, on, now))
    }

    /// Reads a version with its body.
    pub fn get(&self, version: &VersionRef) -> Result<Reading, SiteError> {
        let subject = version.to_string();
        self.site.act("GetObject", subject, |store, _| store.reading(version, true, BodyWish::UpTo(u64::MAX)))
    }
}
