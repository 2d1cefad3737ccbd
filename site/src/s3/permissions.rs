//! Which permissions are missing, proved by calls that ask for nothing that is there and leave nothing behind.

use std::future::Future;

use bytes::Bytes;
use twinlog_schemas::{BucketName, ObjectKey, Retention, RetentionMode, Tags, VersionId, VersionRef};

use crate::error::{SiteError, SiteErrorKind};
use crate::reading::ListFrom;
use crate::replica::Upload;

use super::S3Site;
use super::headers;
use super::look::Found;
use super::signing::Amend;

/// A key and a version id that nobody has.
const KEY: &str = ".twinlog/permission-probe";
const VERSION: &str = "7f3c1d2a-54b8-4e0f-9a61-0c2d7e91b3f5";
/// Base64 of sixteen zero bytes: the digest of no body that anybody will send.
const WRONG_MD5: &str = "AAAAAAAAAAAAAAAAAAAAAA==";

impl S3Site {
    pub(super) async fn try_permissions(&self, bucket: &BucketName) -> Result<Vec<String>, SiteError> {
        let mut denied = Denied(Vec::new());
        self.try_bucket(bucket, &mut denied).await?;
        let attempt = self.reads("permissions", bucket);
        let invalid = |error: twinlog_schemas::NameError| attempt.error(SiteErrorKind::Malformed, error.to_string());
        let probe = VersionRef {
            bucket: bucket.clone(),
            key: ObjectKey::new(KEY).map_err(invalid)?,
            version_id: VersionId::new(VERSION).map_err(invalid)?,
        };
        self.try_reads(&probe, &mut denied).await?;
        self.try_writes(&probe, &mut denied).await?;
        Ok(denied.0)
    }

    async fn try_bucket(&self, bucket: &BucketName, denied: &mut Denied) -> Result<(), SiteError> {
        let first = ListFrom { limit: Some(1), ..ListFrom::default() };
        denied.note("s3:ListBucketVersions", self.list_page(bucket, &first)).await?;
        denied.note("s3:ListBucket", self.bucket_is_there(bucket)).await?;
        denied.note("s3:GetBucketVersioning", self.versioning(bucket)).await?;
        denied.note("s3:GetBucketObjectLockConfiguration", self.lock(bucket)).await?;
        denied.note("s3:GetEncryptionConfiguration", self.encrypts(bucket)).await?;
        denied.note("s3:GetReplicationConfiguration", self.replicates(bucket)).await?;
        denied.note("s3:GetBucketNotification", self.subscribed(bucket)).await?;
        denied.note("s3:ListAllMyBuckets", self.all_buckets()).await?;
        if self.dialect.has_fast_listen() {
            denied.note("s3:ListenBucketNotification", self.open_listen(std::slice::from_ref(bucket))).await?;
        }
        Ok(())
    }

    async fn try_reads(&self, probe: &VersionRef, denied: &mut Denied) -> Result<(), SiteError> {
        denied.note("s3:GetObjectVersion", async { self.get(probe).await.map(drop::<Found<_>>) }).await?;
        denied.note("s3:GetObjectVersionTagging", self.tags_of(probe)).await?;
        denied.note("s3:GetObjectRetention", self.retention_of(probe)).await?;
        denied.note("s3:GetObjectLegalHold", self.legal_hold_of(probe)).await?;
        denied.note("s3:GetObjectVersionAttributes", self.parts(probe)).await
    }

    async fn try_writes(&self, probe: &VersionRef, denied: &mut Denied) -> Result<(), SiteError> {
        let far = Retention { mode: RetentionMode::Governance, until_ms: 4_102_444_800_000 };
        let tags: Tags = [("twinlog".to_owned(), "probe".to_owned())].into();
        let upload =
            Upload { version: probe.clone(), upload_id: "none".to_owned(), initiated_ms: None, checksum: None };
        denied.note("s3:PutObject and s3:ReplicateObject", self.put_wrong(probe)).await?;
        denied.note("s3:ReplicateDelete", self.delete_as_replica(probe)).await?;
        denied.note("s3:DeleteObjectVersion", self.remove(probe, false, None)).await?;
        denied.note("s3:PutObjectVersionTagging", self.set_tags(probe, &tags)).await?;
        denied.note("s3:DeleteObjectVersionTagging", self.set_tags(probe, &Tags::new())).await?;
        denied.note("s3:PutObjectRetention", self.set_retention(probe, Some(far))).await?;
        denied.note("s3:PutObjectLegalHold", self.set_legal_hold(probe, false)).await?;
        denied.note("s3:AbortMultipartUpload", self.drop_upload(&upload)).await?;
        denied.note("s3:ListMultipartUploadParts", self.list_parts(&upload)).await?;
        denied.note("s3:ListBucketMultipartUploads", self.list_uploads(&probe.bucket, &probe.key)).await
    }

    /// A replica whose bytes are not what is announced: allowed, it is refused for that.
    async fn put_wrong(&self, probe: &VersionRef) -> Result<(), SiteError> {
        let lines = headers::identity(probe);
        let sent = self
            .client
            .put_object()
            .bucket(probe.bucket.as_str())
            .key(probe.key.as_str())
            .content_md5(WRONG_MD5)
            .body(Bytes::from_static(b"probe").into())
            .customize()
            .interceptor(self.expiring(lines).query("versionId", VERSION))
            .send()
            .await;
        sent.map(drop).map_err(|error| self.writes("PutObject", probe).failed(error))
    }

    /// A replica's removal of a version that is not there.
    async fn delete_as_replica(&self, probe: &VersionRef) -> Result<(), SiteError> {
        let request =
            self.client.delete_object().bucket(probe.bucket.as_str()).key(probe.key.as_str()).version_id(VERSION);
        let sent = request.customize().interceptor(self.expiring(headers::identity(probe))).send().await;
        sent.map(drop).map_err(|error| self.writes("DeleteObject", probe).failed(error))
    }

    async fn retention_of(&self, probe: &VersionRef) -> Result<(), SiteError> {
        let request = self.client.get_object_retention().bucket(probe.bucket.as_str()).key(probe.key.as_str());
        let sent = request.version_id(VERSION).customize().interceptor(Amend::local_read()).send().await;
        sent.map(drop).map_err(|error| self.reads_version("GetObjectRetention", probe).failed(error))
    }

    async fn legal_hold_of(&self, probe: &VersionRef) -> Result<(), SiteError> {
        let request = self.client.get_object_legal_hold().bucket(probe.bucket.as_str()).key(probe.key.as_str());
        let sent = request.version_id(VERSION).customize().interceptor(Amend::local_read()).send().await;
        sent.map(drop).map_err(|error| self.reads_version("GetObjectLegalHold", probe).failed(error))
    }
}

/// What was denied so far.
struct Denied(Vec<String>);

impl Denied {
    /// Tries one thing. Any answer but "denied" proves the permission; no answer proves nothing and ends the trial.
    async fn note<T>(
        &mut self,
        permission: &str,
        tried: impl Future<Output = Result<T, SiteError>>,
    ) -> Result<(), SiteError> {
        match tried.await {
            Ok(_) => {}
            Err(error) if error.kind == SiteErrorKind::AccessDenied => self.0.push(permission.to_owned()),
            Err(error) if proves_nothing(&error) => return Err(error),
            Err(_) => {}
        }
        Ok(())
    }
}

fn proves_nothing(error: &SiteError) -> bool {
    match error.kind {
        // Some stores say so of a version that is not there: whoever looked for it was let in.
        SiteErrorKind::Server => error.status != Some(500),
        SiteErrorKind::Unreachable
        | SiteErrorKind::Untrusted
        | SiteErrorKind::TimedOut
        | SiteErrorKind::Throttled
        | SiteErrorKind::NoSuchBucket
        | SiteErrorKind::Credentials
        | SiteErrorKind::ClockSkew
        | SiteErrorKind::Expired => true,
        _ => false,
    }
}
