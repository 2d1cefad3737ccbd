//! What the suite asks of a client of the store under test: ordinary S3 writes, with the outcome that a client is told.

use async_trait::async_trait;
use bytes::Bytes;
use twinlog_schemas::{BucketName, ObjectKey, Retention, Tags, VersionId, VersionRef};

use crate::bucket::Versioning;
use crate::memory::{BucketSetup, ClientDeleted, ClientPut, ClientWritten, MemoryClient};

/// A refusal or failure as a client sees it, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("client: {0}")]
pub struct ClientError(pub String);

type Told<T> = Result<T, ClientError>;

/// A client of one store. Every call is one S3 request (a multipart upload: several) without replication headers.
#[async_trait]
pub trait Client: Send + Sync {
    /// Makes a bucket.
    async fn create_bucket(&self, bucket: &BucketName, setup: BucketSetup) -> Told<()>;
    /// Changes a bucket's versioning; [`Versioning::Never`] is not asked for.
    async fn set_versioning(&self, bucket: &BucketName, versioning: Versioning) -> Told<()>;
    /// Puts an object.
    async fn put(&self, bucket: &BucketName, key: &ObjectKey, put: &ClientPut) -> Told<ClientWritten>;
    /// Uploads parts under their numbers and completes.
    async fn multipart(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        put: &ClientPut,
        parts: &[(i32, Bytes)],
    ) -> Told<ClientWritten>;
    /// Copies the latest version to another key of the bucket, with its metadata and tags.
    async fn copy(&self, bucket: &BucketName, from: &ObjectKey, key: &ObjectKey) -> Told<ClientWritten>;
    /// Deletes without a version id.
    async fn delete(&self, bucket: &BucketName, key: &ObjectKey) -> Told<ClientDeleted>;
    /// Removes a version or marker by its id.
    async fn delete_version(&self, version: &VersionRef, bypass_governance: bool) -> Told<ClientDeleted>;
    /// The multi-delete call; the first refusal of one of them is the error.
    async fn delete_many(
        &self,
        bucket: &BucketName,
        objects: &[(ObjectKey, Option<VersionId>)],
    ) -> Told<Vec<ClientDeleted>>;
    /// Replaces the tags of a version; empty removes them.
    async fn tag(&self, version: &VersionRef, tags: &Tags) -> Told<()>;
    /// Sets or lifts the retention of a version.
    async fn retain(&self, version: &VersionRef, retention: Option<Retention>, bypass_governance: bool) -> Told<()>;
    /// Sets the legal hold of a version.
    async fn legal_hold(&self, version: &VersionRef, on: bool) -> Told<()>;
}

fn told<T>(outcome: Result<T, crate::SiteError>) -> Told<T> {
    outcome.map_err(|error| ClientError(error.to_string()))
}

#[async_trait]
impl Client for MemoryClient {
    async fn create_bucket(&self, bucket: &BucketName, setup: BucketSetup) -> Told<()> {
        self.site().create_bucket(bucket, setup);
        Ok(())
    }

    async fn set_versioning(&self, bucket: &BucketName, versioning: Versioning) -> Told<()> {
        told(self.site().set_versioning(bucket, versioning))
    }

    async fn put(&self, bucket: &BucketName, key: &ObjectKey, put: &ClientPut) -> Told<ClientWritten> {
        told(Self::put(self, bucket, key, put))
    }

    async fn multipart(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        put: &ClientPut,
        parts: &[(i32, Bytes)],
    ) -> Told<ClientWritten> {
        told(Self::multipart(self, bucket, key, put, parts))
    }

    async fn copy(&self, bucket: &BucketName, from: &ObjectKey, key: &ObjectKey) -> Told<ClientWritten> {
        told(Self::copy(self, bucket, (from, None), key, None))
    }

    async fn delete(&self, bucket: &BucketName, key: &ObjectKey) -> Told<ClientDeleted> {
        told(Self::delete(self, bucket, key))
    }

    async fn delete_version(&self, version: &VersionRef, bypass_governance: bool) -> Told<ClientDeleted> {
        told(Self::delete_version(self, version, bypass_governance))
    }

    async fn delete_many(
        &self,
        bucket: &BucketName,
        objects: &[(ObjectKey, Option<VersionId>)],
    ) -> Told<Vec<ClientDeleted>> {
        told(Self::delete_many(self, bucket, objects).into_iter().collect())
    }

    async fn tag(&self, version: &VersionRef, tags: &Tags) -> Told<()> {
        told(Self::tag(self, &version.bucket, &version.key, Some(&version.version_id), tags))
    }

    async fn retain(&self, version: &VersionRef, retention: Option<Retention>, bypass_governance: bool) -> Told<()> {
        let id = Some(&version.version_id);
        told(Self::retain(self, &version.bucket, &version.key, id, retention, bypass_governance))
    }

    async fn legal_hold(&self, version: &VersionRef, on: bool) -> Told<()> {
        told(Self::legal_hold(self, &version.bucket, &version.key, Some(&version.version_id), on))
    }
}
