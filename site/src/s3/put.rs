//! PutObject: one replica in one request.

use twinlog_schemas::{Encryption, VersionId, VersionRef};

use crate::error::{SiteError, SiteErrorKind};
use crate::replica::{Body, Precondition, Replica, Written};

use super::error::Attempt;
use super::headers::{self, HeaderLines, Stage, TAGGING, Unwritable};
use super::outgoing::Outgoing;
use super::{S3Site, query_value, unquoted};

/// Bodies over this get a deadline of their own; below, the site's is long enough.
const LARGE: u64 = 1024 * 1024;

impl S3Site {
    pub(super) async fn put_whole(
        &self,
        replica: &Replica,
        body: Body,
        when: &Precondition,
    ) -> Result<Written, SiteError> {
        let version = &replica.version;
        let attempt = self.writes("PutObject", version);
        let (lines, tags_follow) = self.object_headers(attempt, replica, Stage::Put)?;
        let out = Outgoing::new(body, attempt);
        let sent = out.sent.clone();
        let length = out.length;
        let request = self
            .client
            .put_object()
            .bucket(version.bucket.as_str())
            .key(version.key.as_str())
            .content_length(i64::try_from(length).unwrap_or(i64::MAX))
            .set_content_md5(out.content_md5)
            .body(out.body);
        let request = match when {
            Precondition::Absent => request.if_none_match("*"),
            Precondition::Etag(etag) => request.if_match(format!("\"{etag}\"")),
        };
        let amend = self.expiring(lines).query("versionId", &query_value(&version.version_id));
        let mut request = request.customize().interceptor(amend);
        if length > LARGE {
            request = request.config_override(self.patience(length));
        }
        let output = request.send().await.map_err(|error| sent.blame(stands(attempt.failed(error))))?;
        let written = written(attempt, output.version_id(), output.e_tag(), sent.md5())?;
        verify(attempt, replica, &written)?;
        if tags_follow {
            // The object is there without its tags until this is done: whatever fails here, the version is to be read.
            self.set_tags(version, &replica.tags)
                .await
                .map_err(|error| SiteError { outcome_unknown: true, ..error })?;
        }
        Ok(written)
    }

    /// The headers, and whether the tags did not fit among them.
    pub(super) fn object_headers(
        &self,
        attempt: Attempt<'_>,
        replica: &Replica,
        stage: Stage,
    ) -> Result<(HeaderLines, bool), SiteError> {
        let mut lines = headers::object(replica, stage, self.dialect).map_err(|error| unwritable(attempt, &error))?;
        if self.dialect.header_budget().is_some_and(|most| headers::wire_size(&lines) > most) {
            lines.retain(|(name, _)| name != TAGGING);
            return Ok((lines, !replica.tags.is_empty()));
        }
        Ok((lines, false))
    }
}

/// A store that finds a delete marker of this id answers "method not allowed": the version is not absent.
fn stands(error: SiteError) -> SiteError {
    let marker = error.status == Some(405);
    if marker { SiteError { kind: SiteErrorKind::Precondition, ..error } } else { error }
}

/// Why nothing was sent.
pub(super) fn unwritable(attempt: Attempt<'_>, error: &Unwritable) -> SiteError {
    let kind = if *error == Unwritable::CustomerKey { SiteErrorKind::CustomerKey } else { SiteErrorKind::Refused };
    attempt.error(kind, error.to_string())
}

/// What the store says it wrote, if that is the version that was asked for.
pub(super) fn written(
    attempt: Attempt<'_>,
    version_id: Option<&str>,
    etag: Option<&str>,
    sent_md5: Option<[u8; 16]>,
) -> Result<Written, SiteError> {
    let version_id = version_id.map(|id| VersionId::normal(Some(id))).transpose();
    let version_id = version_id.map_err(|error| attempt.error(SiteErrorKind::Malformed, error.to_string()))?;
    Ok(Written { version_id, etag: etag.map(unquoted), sent_md5 })
}

/// Another version than the one that was asked for is a fault of the store or of its set-up.
pub(super) fn same_version(attempt: Attempt<'_>, version: &VersionRef, written: &Written) -> Result<(), SiteError> {
    match &written.version_id {
        Some(id) if *id != version.version_id => {
            let mut error = attempt.error(SiteErrorKind::BucketState, format!("the store wrote version {id} instead"));
            error.outcome_unknown = true;
            Err(error)
        }
        _ => Ok(()),
    }
}

fn verify(attempt: Attempt<'_>, replica: &Replica, written: &Written) -> Result<(), SiteError> {
    same_version(attempt, &replica.version, written)?;
    let (Some(etag), Some(md5)) = (&written.etag, written.sent_md5) else { return Ok(()) };
    let is_digest = !replica.send_etag && replica.encryption == Encryption::None && etag.len() == 32;
    if is_digest && *etag != hex::encode(md5) && *etag != replica.etag {
        let mut error = attempt.error(SiteErrorKind::Digest, "the store's ETag is not the digest of what was sent");
        error.outcome_unknown = true;
        return Err(error);
    }
    Ok(())
}
