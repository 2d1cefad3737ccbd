//! What is remembered of multipart uploads at the target, so that whoever does a version next, on whichever machine,
//! goes on with its upload or ends it: a receipt when one begins, before its first part, and when one ends without
//! becoming the version. The receipt of the object itself ends it too.

use tokio::time::Instant;
use twinlog_log::lane::Slot;
use twinlog_schemas::{Receipt, UploadBegun, Wrote};
use twinlog_site::{PartWritten, Upload, Written};

use super::Apply;
use super::settle::Job;
use crate::failure::{End, Verdict, verdict};
use crate::transfer::{Transfer, Trouble, spent};

impl Apply {
    /// Moves an object part by part: goes on with the upload that was begun before if there is one, and leaves one that
    /// does not get done for the next try.
    pub(super) async fn upload(
        &self,
        slot: &mut Slot,
        job: &Job<'_>,
        transfer: &Transfer<'_>,
    ) -> Result<Written, Trouble> {
        let moved = match self.begun(slot, job, transfer).await {
            Ok((upload, found)) => transfer.finish(&upload, found).await,
            Err(trouble) => Err(trouble),
        };
        if moved.as_ref().is_err_and(spent) {
            self.end_upload(slot, job).await;
        }
        moved
    }

    async fn begun(
        &self,
        slot: &mut Slot,
        job: &Job<'_>,
        transfer: &Transfer<'_>,
    ) -> Result<(Upload, Vec<PartWritten>), Trouble> {
        let known = self.version(slot, &job.version).await.upload(self.parts.here.name()).cloned();
        if let Some(begun) = known.filter(|begun| transfer.goes_on_with(begun)) {
            let (upload, found) = transfer.found(&begun).await?;
            tracing::info!(bucket = %job.version.bucket, parts = found.len(), "going on with an unfinished upload");
            return Ok((upload, found));
        }
        self.end_upload(slot, job).await;
        let (upload, begun) = transfer.begin().await?;
        self.remember(slot, job, Some(begun)).await;
        Ok((upload, Vec::new()))
    }

    /// Aborts the upload that is remembered of the job's version, if there is one: nobody will go on with it.
    pub(super) async fn end_upload(&self, slot: &mut Slot, job: &Job<'_>) {
        let here = &self.parts.here;
        let Some(begun) = self.version(slot, &job.version).await.upload(here.name()).cloned() else { return };
        let upload =
            Upload { version: job.version.clone(), upload_id: begun.upload_id, initiated_ms: None, checksum: None };
        let mut waits = self.parts.config.backoff.delays(self.parts.ids.seed());
        while let Err(error) = here.abort_upload(&upload).await {
            if error.outcome_unknown {
                slot.may_act(Instant::now() + self.acts_for());
            }
            if verdict(End::Target, &error) != Verdict::Retry {
                tracing::warn!(%error, "an unfinished upload cannot be aborted: the store's lifecycle must end it");
                break;
            }
            slot.rest(waits.wait()).await;
        }
        self.remember(slot, job, None).await;
    }

    /// Writes the receipt of an upload that began, or of one that ended without becoming the version.
    async fn remember(&self, slot: &mut Slot, job: &Job<'_>, upload: Option<UploadBegun>) {
        let here = self.parts.here.name();
        // Later than what it takes the place of, even if that was written by a machine whose clock is ahead.
        let state = self.version(slot, &job.version).await;
        let after = state.uploads.get(here).map_or(i64::MIN, |before| before.at_ns.saturating_add(1));
        let blank = self.blank(job, Wrote::Upload);
        let receipt = Receipt { written_at_ns: blank.written_at_ns.max(after), upload, ..blank };
        self.received(slot, receipt).await;
    }
}
