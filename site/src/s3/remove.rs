//! Permanent removal of a version.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use aws_smithy_types::error::operation::BuildError;
use twinlog_schemas::VersionRef;

use crate::error::{SiteError, SiteErrorKind};

use super::S3Site;
use super::headers;

impl S3Site {
    pub(super) async fn remove(
        &self,
        version: &VersionRef,
        bypass_governance: bool,
        if_match: Option<&str>,
    ) -> Result<(), SiteError> {
        // With an ETag it is an object that is to go, which DeleteObject removes, and it alone knows preconditions.
        if version.version_id.is_null() && if_match.is_none() && !self.dialect.removes_null_markers() {
            return self.remove_by_list(version, bypass_governance).await;
        }
        // No REPLICA status: with it a store removes what its locks protect.
        let sent = self
            .client
            .delete_object()
            .bucket(version.bucket.as_str())
            .key(version.key.as_str())
            .version_id(version.version_id.as_str())
            .set_bypass_governance_retention(bypass_governance.then_some(true))
            .set_if_match(if_match.map(|etag| format!("\"{etag}\"")))
            .customize()
            .interceptor(self.expiring(headers::silent()))
            .send()
            .await;
        let Err(error) = sent else { return Ok(()) };
        let error = self.writes("DeleteObject", version).failed(error);
        if error.kind == SiteErrorKind::NoSuchVersion { Ok(()) } else { Err(error) }
    }

    /// DeleteObjects with a list of one. It knows no precondition.
    async fn remove_by_list(&self, version: &VersionRef, bypass_governance: bool) -> Result<(), SiteError> {
        let attempt = self.writes("DeleteObjects", version);
        let invalid = |error: BuildError| attempt.error(SiteErrorKind::Refused, error.to_string());
        let this = ObjectIdentifier::builder().key(version.key.as_str()).version_id(version.version_id.as_str());
        let list = Delete::builder().objects(this.build().map_err(invalid)?).build().map_err(invalid)?;
        let sent = self
            .client
            .delete_objects()
            .bucket(version.bucket.as_str())
            .delete(list)
            .set_bypass_governance_retention(bypass_governance.then_some(true))
            .customize()
            .interceptor(self.expiring(headers::silent()))
            .send()
            .await;
        let output = sent.map_err(|error| attempt.failed(error))?;
        let Some(refused) = output.errors().first() else { return Ok(()) };
        let code = refused.code().map(str::to_owned);
        let status = if code.as_deref() == Some("AccessDenied") { 403 } else { 400 };
        let error = attempt.answered(status, code, refused.message().unwrap_or_default().to_owned());
        if error.kind == SiteErrorKind::NoSuchVersion { Ok(()) } else { Err(error) }
    }
}
