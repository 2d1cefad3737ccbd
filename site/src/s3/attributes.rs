//! Tags, retention and legal hold of a version that is there.

use aws_sdk_s3::types::{
    ObjectLockLegalHold, ObjectLockLegalHoldStatus, ObjectLockRetention, ObjectLockRetentionMode, Tag, Tagging,
};
use twinlog_schemas::{Retention, Tags, VersionRef};

use crate::error::{SiteError, SiteErrorKind};

use super::S3Site;
use super::headers::{self, mode_name};
use super::shown::date_time;

impl S3Site {
    pub(super) async fn set_tags(&self, version: &VersionRef, tags: &Tags) -> Result<(), SiteError> {
        if tags.is_empty() {
            return self.clear_tags(version).await;
        }
        let attempt = self.writes("PutObjectTagging", version);
        let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
        let set: Result<Vec<_>, _> = tags.iter().map(tag).collect();
        let tagging = set.and_then(|set| Tagging::builder().set_tag_set(Some(set)).build());
        let tagging = tagging.map_err(|error| attempt.error(SiteErrorKind::Refused, error.to_string()))?;
        let sent = self
            .client
            .put_object_tagging()
            .bucket(version.bucket.as_str())
            .key(version.key.as_str())
            .version_id(version.version_id.as_str())
            .tagging(tagging)
            .customize()
            .interceptor(self.expiring(headers::silent()))
            .send()
            .await;
        sent.map(drop).map_err(|error| attempt.failed(error))
    }

    async fn clear_tags(&self, version: &VersionRef) -> Result<(), SiteError> {
        let sent = self
            .client
            .delete_object_tagging()
            .bucket(version.bucket.as_str())
            .key(version.key.as_str())
            .version_id(version.version_id.as_str())
            .customize()
            .interceptor(self.expiring(headers::silent()))
            .send()
            .await;
        sent.map(drop).map_err(|error| self.writes("DeleteObjectTagging", version).failed(error))
    }

    pub(super) async fn set_retention(
        &self,
        version: &VersionRef,
        retention: Option<Retention>,
    ) -> Result<(), SiteError> {
        let wanted = ObjectLockRetention::builder();
        let wanted = match retention {
            Some(Retention { mode, until_ms }) => {
                wanted.mode(ObjectLockRetentionMode::from(mode_name(mode))).retain_until_date(date_time(until_ms))
            }
            None => wanted,
        };
        let sent = self
            .client
            .put_object_retention()
            .bucket(version.bucket.as_str())
            .key(version.key.as_str())
            .version_id(version.version_id.as_str())
            .bypass_governance_retention(true)
            .retention(wanted.build())
            .customize()
            .interceptor(self.expiring(headers::silent()))
            .send()
            .await;
        sent.map(drop).map_err(|error| self.writes("PutObjectRetention", version).failed(error))
    }

    pub(super) async fn set_legal_hold(&self, version: &VersionRef, on: bool) -> Result<(), SiteError> {
        let status = if on { ObjectLockLegalHoldStatus::On } else { ObjectLockLegalHoldStatus::Off };
        let sent = self
            .client
            .put_object_legal_hold()
            .bucket(version.bucket.as_str())
            .key(version.key.as_str())
            .version_id(version.version_id.as_str())
            .legal_hold(ObjectLockLegalHold::builder().status(status).build())
            .customize()
            .interceptor(self.expiring(headers::silent()))
            .send()
            .await;
        sent.map(drop).map_err(|error| self.writes("PutObjectLegalHold", version).failed(error))
    }
}
