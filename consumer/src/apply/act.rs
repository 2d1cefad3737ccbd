//! Executing a plan's actions at the target, each with its receipt.

use std::time::Duration;

use tokio::time::Instant;
use twinlog_index::VersionState;
use twinlog_log::lane::Slot;
use twinlog_schemas::{Category, Encryption, Receipt, RetentionWritten, StampRef, Wrote};
use twinlog_site::{Precondition, Reading, SiteError, SiteErrorKind, Written};

use super::Apply;
use super::settle::Job;
use crate::failure::End;
use crate::plan::{Action, Attributes};
use crate::transfer::{Transfer, Trouble, replica};

/// What an action left behind, for the receipt.
struct Left {
    wrote: Wrote,
    attributes: Receipted,
}

#[derive(Default)]
struct Receipted {
    tags: Option<twinlog_schemas::Tags>,
    retention: Option<RetentionWritten>,
    legal_hold: Option<bool>,
}

impl Apply {
    /// For how long at most a write can act after it was begun.
    pub(super) fn acts_for(&self) -> Duration {
        self.parts.here.write_expiry() + Duration::from_secs(1)
    }

    /// Executes actions in order and stops at the first that fails; each is idempotent with a read before it. Says
    /// whether one took longer than a write stays acceptable: somebody else may own the version by now.
    pub(super) async fn act(
        &self,
        slot: &mut Slot,
        job: &Job<'_>,
        actions: Vec<Action>,
        index: &VersionState,
        target_encrypts: bool,
    ) -> Result<bool, Trouble> {
        let mut outlived = false;
        for action in actions {
            let what = label(&action);
            let began = Instant::now();
            let left = self.execute(slot, job, action, target_encrypts).await?;
            outlived |= began.elapsed() > self.parts.here.write_expiry();
            self.parts.observer.replica_write(self.stream(job), what);
            self.receipt(slot, job, left, index).await;
        }
        Ok(outlived)
    }

    /// The target was found to be as the index says: where that is by a stamp of another site which no receipt tells of
    /// yet, one does now. So it is known later that the value had reached this site.
    pub(super) async fn found(&self, slot: &mut Slot, job: &Job<'_>, index: &VersionState) {
        let here = self.parts.here.name();
        let news = |category, stamp: Option<StampRef>| {
            stamp.filter(|stamp| index.reached(here, category).is_none_or(|reached| !reached.covers(stamp)))
        };
        let receipt = Receipt {
            tags_stamp: news(Category::Tags, index.tags().map(|stamp| stamp.named())),
            retention_stamp: news(Category::Retention, index.retention().map(|stamp| stamp.named())),
            legal_hold_stamp: news(Category::LegalHold, index.legal_hold().map(|stamp| stamp.named())),
            ..self.blank(job, Wrote::Nothing)
        };
        if receipt.tags_stamp.is_some() || receipt.retention_stamp.is_some() || receipt.legal_hold_stamp.is_some() {
            self.received(slot, receipt).await;
        }
    }

    async fn execute(
        &self,
        slot: &mut Slot,
        job: &Job<'_>,
        action: Action,
        target_encrypts: bool,
    ) -> Result<Left, Trouble> {
        let (here, version) = (&self.parts.here, &job.version);
        let left = |wrote, attributes| Ok(Left { wrote, attributes });
        match action {
            Action::Put(precondition, attributes) => {
                self.put(slot, job, &precondition, &attributes, target_encrypts).await?;
                let retention = Some(RetentionWritten { value: attributes.retention });
                let (tags, legal_hold) = (Some(attributes.tags), Some(attributes.legal_hold));
                left(Wrote::Object, Receipted { tags, retention, legal_hold })
            }
            Action::PutMarker => {
                self.put_marker(job).await?;
                left(Wrote::DeleteMarker, Receipted::default())
            }
            Action::Remove { bypass_governance, if_match } => {
                let removed = here.remove_version(version, bypass_governance, if_match.as_deref()).await;
                removed.map_err(Trouble::target)?;
                left(Wrote::Removal, Receipted::default())
            }
            Action::SetTags(tags) => {
                here.put_tags(version, &tags).await.map_err(Trouble::target)?;
                left(Wrote::Attributes, Receipted { tags: Some(tags), ..Receipted::default() })
            }
            Action::SetRetention(value) => {
                here.put_retention(version, value).await.map_err(Trouble::target)?;
                let retention = Some(RetentionWritten { value });
                left(Wrote::Attributes, Receipted { retention, ..Receipted::default() })
            }
            Action::SetLegalHold(on) => {
                here.put_legal_hold(version, on).await.map_err(Trouble::target)?;
                left(Wrote::Attributes, Receipted { legal_hold: Some(on), ..Receipted::default() })
            }
        }
    }

    async fn put(
        &self,
        slot: &mut Slot,
        job: &Job<'_>,
        precondition: &Precondition,
        attributes: &Attributes,
        target_encrypts: bool,
    ) -> Result<(), Trouble> {
        // Only events of an object that came by a link plan a put.
        let Some((event, link)) = job.event.zip(job.link) else { return Ok(()) };
        let Some(object) = &event.object else { return Ok(()) };
        let mut replica = replica(event, object, attributes, target_encrypts);
        // A store refuses an ETag that it holds under this id already, whatever the time (412). Of parts in clear the
        // same one comes about without it.
        replica.send_etag &= *precondition != Precondition::Etag(object.etag.clone());
        let transfer = Transfer {
            source: link.source.as_ref(),
            target: self.parts.here.as_ref(),
            budget: &self.budget,
            replica,
            object,
            clear: object.encryption == Encryption::None && !target_encrypts,
            spool: &self.parts.config.spool,
        };
        let written = if object.parts.is_empty() {
            transfer.single(precondition).await?
        } else {
            self.upload(slot, job, &transfer).await?
        };
        if object.body.is_none() && object.size > 0 {
            self.answered(job.source, End::Source);
            self.carried(job.source, End::Source).await;
        }
        self.carried(job.source, End::Target).await;
        if !transfer.proves(&written) {
            self.parts.observer.unproved(self.stream(job));
        }
        let etag = (object.encryption == Encryption::None).then_some(object.etag.as_str());
        self.verify(job, etag, &written)?;
        let known = transfer.clear || object.parts.is_empty();
        if known { Ok(()) } else { self.verify_size(job, object.size).await }
    }

    /// Of an object that the target encrypted part by part, the ETag says nothing of what can be read of it.
    async fn verify_size(&self, job: &Job<'_>, size: i64) -> Result<(), Trouble> {
        match self.parts.here.look(&job.version).await.map_err(Trouble::target)? {
            Reading::Object(held) if i64::try_from(held.size) != Ok(size) => {
                let message = format!("{} of {size} bytes can be read of what was written", held.size);
                Err(self.refused(job, "CompleteMultipartUpload", SiteErrorKind::Digest, message))
            }
            // One that is gone again has been removed meanwhile: its own record follows.
            _ => Ok(()),
        }
    }

    /// The answer must name the version, and the ETag unless encryption changes it.
    fn verify(&self, job: &Job<'_>, etag: Option<&str>, written: &Written) -> Result<(), Trouble> {
        let other_id = written.version_id.as_ref().filter(|id| **id != job.version.version_id);
        let other_etag = written.etag.as_deref().zip(etag).filter(|(written, etag)| written != etag);
        let message = match (other_id, other_etag) {
            (Some(id), _) => format!("the store wrote version {id} instead"),
            (None, Some((other, etag))) => format!("the store's ETag is {other}, the source's {etag}"),
            (None, None) => return Ok(()),
        };
        Err(self.refused(job, "PutObject", SiteErrorKind::Digest, message))
    }

    /// Creates a marker and looks at it: the request sent twice removes it again.
    async fn put_marker(&self, job: &Job<'_>) -> Result<(), Trouble> {
        let modified_at_ns = match (job.event, job.version.version_id.is_null()) {
            (Some(event), false) => event.modified_at_ns,
            _ => self.null_time(job),
        };
        self.parts.here.put_marker(&job.version, modified_at_ns).await.map_err(Trouble::target)?;
        match self.parts.here.look(&job.version).await.map_err(Trouble::target)? {
            Reading::Marker { .. } => Ok(()),
            _ => {
                let message = "the marker is not there after it was created".to_owned();
                Err(self.refused(job, "DeleteObject", SiteErrorKind::Malformed, message))
            }
        }
    }

    /// The time of the null version's deciding register.
    fn null_time(&self, job: &Job<'_>) -> i64 {
        let state = self.parts.index.version(&job.version).unwrap_or_default();
        state.null().map_or_else(|| self.parts.clock.now_ns(), |register| register.at_ns)
    }

    fn refused(&self, job: &Job<'_>, operation: &'static str, kind: SiteErrorKind, message: String) -> Trouble {
        Trouble::target(SiteError {
            operation,
            subject: job.version.to_string(),
            site: self.parts.here.name().clone(),
            kind,
            status: None,
            code: None,
            message,
            outcome_unknown: true,
        })
    }

    /// What was written comes with the stamp that said so, where it is what the index says: a lock lifted for a removal
    /// is not.
    async fn receipt(&self, slot: &mut Slot, job: &Job<'_>, left: Left, index: &VersionState) {
        let Left { wrote, attributes: Receipted { tags, retention, legal_hold } } = left;
        let held = index.legal_hold().filter(|stamp| Some(stamp.value) == legal_hold);
        let receipt = Receipt {
            tags_stamp: tags.as_ref().and(index.tags()).map(|stamp| stamp.named()),
            retention_stamp: retention.and(index.retention()).map(|stamp| stamp.named()),
            legal_hold_stamp: held.map(|stamp| stamp.named()),
            null_register: index.null().filter(|_| matches!(wrote, Wrote::Object | Wrote::DeleteMarker)),
            tags,
            retention,
            legal_hold,
            ..self.blank(job, wrote)
        };
        self.received(slot, receipt).await;
    }

    /// A receipt of this job that tells of no values yet.
    pub(super) fn blank(&self, job: &Job<'_>, wrote: Wrote) -> Receipt {
        let ends = [job.source.clone(), self.parts.here.name().clone()];
        Receipt::of(wrote, job.version.clone(), job.id, ends, self.parts.clock.now_ns())
    }
}

const fn label(action: &Action) -> &'static str {
    match action {
        Action::Put(..) => "object",
        Action::PutMarker => "delete-marker",
        Action::Remove { .. } => "removal",
        Action::SetTags(_) => "tags",
        Action::SetRetention(_) => "retention",
        Action::SetLegalHold(_) => "legal-hold",
    }
}
