//! Delete markers.

use twinlog_schemas::VersionRef;

use crate::error::{SiteError, SiteErrorKind};
use crate::replica::Written;

use super::S3Site;
use super::headers;
use super::put::{same_version, unwritable, written};

impl S3Site {
    pub(super) async fn make_marker(&self, version: &VersionRef, modified_at_ns: i64) -> Result<Written, SiteError> {
        let attempt = self.writes("DeleteObject", version);
        let lines = headers::marker(version, modified_at_ns).map_err(|error| unwritable(attempt, &error))?;
        let sent = self
            .client
            .delete_object()
            .bucket(version.bucket.as_str())
            .key(version.key.as_str())
            .version_id(version.version_id.as_str())
            .customize()
            .interceptor(self.expiring(lines))
            .send()
            .await;
        let output = sent.map_err(|error| self.explained(version, attempt.failed(error)))?;
        let written = written(attempt, output.version_id(), None, None)?;
        same_version(attempt, version, &written)?;
        if output.delete_marker() == Some(false) {
            let mut error = attempt.error(SiteErrorKind::BucketState, "the store made no delete marker");
            error.outcome_unknown = true;
            return Err(error);
        }
        Ok(written)
    }
    /// A store that cannot hold a null marker fails on it each time anew, and makes nothing.
    fn explained(&self, version: &VersionRef, error: SiteError) -> SiteError {
        let never = version.version_id.is_null() && !self.dialect.holds_null_markers();
        if !never || error.kind != SiteErrorKind::Server {
            return error;
        }
        let message = format!("the store holds no delete marker as a null version ({})", error.message);
        SiteError { kind: SiteErrorKind::Refused, message, outcome_unknown: false, ..error }
    }
}
