//! The state of a bucket, and which buckets there are.

use aws_sdk_s3::types::{BucketVersioningStatus, ObjectLockEnabled, ObjectLockRetentionMode, ObjectLockRule};
use twinlog_schemas::{BucketName, RetentionMode};

use crate::bucket::{BucketState, DefaultRetention, Versioning};
use crate::error::{SiteError, SiteErrorKind};

use super::S3Site;
use super::shown::millis;

/// Codes that say that a bucket has no such configuration.
const NOT_CONFIGURED: [&str; 4] = [
    "ServerSideEncryptionConfigurationNotFoundError",
    "ReplicationConfigurationNotFoundError",
    "ObjectLockConfigurationNotFoundError",
    "ObjectLockConfigurationNotFound",
];

impl S3Site {
    pub(super) async fn state_of(&self, bucket: &BucketName) -> Result<BucketState, SiteError> {
        let (created_ms, versioning, lock, default_encryption, own_replication) = tokio::try_join!(
            self.created_ms(bucket),
            self.versioning(bucket),
            self.lock(bucket),
            self.encrypts(bucket),
            self.replicates(bucket),
        )?;
        let (object_lock, default_retention) = lock;
        Ok(BucketState { created_ms, versioning, object_lock, default_retention, default_encryption, own_replication })
    }

    /// Only the list of buckets tells. A principal that may not list leaves the identity unknown.
    async fn created_ms(&self, bucket: &BucketName) -> Result<Option<i64>, SiteError> {
        let sent = self.client.list_buckets().prefix(bucket.as_str()).send().await;
        let output = match sent.map_err(|error| self.reads("ListBuckets", bucket).failed(error)) {
            Ok(output) => output,
            Err(error) if error.kind == SiteErrorKind::AccessDenied => return Ok(None),
            Err(error) => return Err(error),
        };
        let this = output.buckets().iter().find(|listed| listed.name() == Some(bucket.as_str()));
        Ok(this.and_then(|listed| listed.creation_date()).map(millis))
    }

    pub(super) async fn versioning(&self, bucket: &BucketName) -> Result<Versioning, SiteError> {
        let sent = self.client.get_bucket_versioning().bucket(bucket.as_str()).send().await;
        let output = sent.map_err(|error| self.reads("GetBucketVersioning", bucket).failed(error))?;
        Ok(match output.status() {
            Some(BucketVersioningStatus::Enabled) => Versioning::Enabled,
            Some(_) => Versioning::Suspended,
            None => Versioning::Never,
        })
    }

    pub(super) async fn lock(&self, bucket: &BucketName) -> Result<(bool, Option<DefaultRetention>), SiteError> {
        let sent = self.client.get_object_lock_configuration().bucket(bucket.as_str()).send().await;
        let sent = sent.map_err(|error| self.reads("GetObjectLockConfiguration", bucket).failed(error));
        let Some(output) = configured(sent)? else { return Ok((false, None)) };
        let lock = output.object_lock_configuration();
        let on = lock.is_some_and(|lock| lock.object_lock_enabled() == Some(&ObjectLockEnabled::Enabled));
        Ok((on, lock.and_then(|lock| lock.rule()).and_then(default_retention)))
    }

    pub(super) async fn encrypts(&self, bucket: &BucketName) -> Result<bool, SiteError> {
        let sent = self.client.get_bucket_encryption().bucket(bucket.as_str()).send().await;
        let sent = sent.map_err(|error| self.reads("GetBucketEncryption", bucket).failed(error));
        let rules = configured(sent)?.and_then(|output| output.server_side_encryption_configuration);
        Ok(rules.is_some_and(|rules| !rules.rules.is_empty()))
    }

    pub(super) async fn replicates(&self, bucket: &BucketName) -> Result<bool, SiteError> {
        let sent = self.client.get_bucket_replication().bucket(bucket.as_str()).send().await;
        let sent = sent.map_err(|error| self.reads("GetBucketReplication", bucket).failed(error));
        let rules = configured(sent)?.and_then(|output| output.replication_configuration);
        Ok(rules.is_some_and(|rules| !rules.rules.is_empty()))
    }

    pub(super) async fn all_buckets(&self) -> Result<Vec<BucketName>, SiteError> {
        let attempt = self.reads("ListBuckets", &"all buckets");
        let mut names = Vec::new();
        let mut more = None;
        loop {
            let sent = self.client.list_buckets().set_continuation_token(more.take()).send().await;
            let output = sent.map_err(|error| attempt.failed(error))?;
            for bucket in output.buckets() {
                let name = BucketName::new(bucket.name().unwrap_or_default());
                names.push(name.map_err(|error| attempt.error(SiteErrorKind::Malformed, error.to_string()))?);
            }
            match output.continuation_token {
                Some(token) if !token.is_empty() => more = Some(token),
                _ => return Ok(names),
            }
        }
    }

    pub(super) async fn ask_clock(&self) -> Result<i64, SiteError> {
        let sent = self.client.list_buckets().max_buckets(1).send().await;
        match sent.map_err(|error| self.reads("ListBuckets", &"the clock").failed(error)) {
            Ok(_) => {}
            // A refusal has a Date as well, and a skewed clock is what is asked for.
            Err(error) if matches!(error.kind, SiteErrorKind::AccessDenied | SiteErrorKind::ClockSkew) => {}
            Err(error) => return Err(error),
        }
        Ok(self.clock.offset_ms())
    }
}

/// The configuration, or `None` where the store says that there is none.
fn configured<T>(sent: Result<T, SiteError>) -> Result<Option<T>, SiteError> {
    match sent {
        Ok(output) => Ok(Some(output)),
        Err(error) if error.code.as_deref().is_some_and(|code| NOT_CONFIGURED.contains(&code)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn default_retention(rule: &ObjectLockRule) -> Option<DefaultRetention> {
    let default = rule.default_retention()?;
    let mode = match default.mode()? {
        ObjectLockRetentionMode::Compliance => RetentionMode::Compliance,
        _ => RetentionMode::Governance,
    };
    let days = default.days().or_else(|| default.years().map(|years| years.saturating_mul(365)))?;
    Some(DefaultRetention { mode, days: u32::try_from(days).ok()? })
}
