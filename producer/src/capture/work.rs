//! The work on one key: for each subject read, decide, write.

use std::sync::atomic::Ordering;

use twinlog_failure::bug;
use twinlog_log::Fetched;
use twinlog_log::lane::Slot;
use twinlog_schemas::{BucketName, Category, FactBody, ObjectKey, VersionId, VersionKind};

use super::Capture;
use super::decide::{Wanted, decide, wanted, wish};
use super::found::Found;
use super::outcome::{Circumstances, Outcome};
use super::reads::{Source, sequencers};
use super::stop::Stop;
use super::time::{Modified, markers_within};
use super::waiting::{Job, Subject, Telling, Waiting, merge};
use super::{audit, null};
use crate::copies::CopyId;
use crate::notice::{Examination, Hint, Notice};
use crate::observe::{InFlight, Settled};

/// Over so many keys in a row capture may break before that is no longer about keys.
pub(super) const BUGS_IN_A_ROW: u32 = 8;

impl Capture {
    /// Captures everything that waits about one key, of these records; returns once all that it causes is acknowledged.
    /// A bucket that cannot be captured is marked dirty instead; of a key that cannot, the notices become dead letters.
    pub(super) async fn capture_key(
        &self,
        slot: &mut Slot,
        records: &[Fetched],
        (bucket, key): (&BucketName, &ObjectKey),
        waiting: Vec<Waiting>,
    ) {
        let Some(settings) = self.parts.selection.settings(bucket) else { return };
        let _in_flight = InFlight::begun(self.parts.observer.as_ref(), waiting.len());
        let jobs = merge(waiting);
        let source = Source { capture: self, bucket, key, settings, sequencers: sequencers(&jobs) };
        for job in &jobs {
            match source.guarded(slot, job).await {
                Err(Stop::Bucket(reason)) => {
                    self.mark_dirty(slot, bucket, &reason).await;
                    job.waiting.iter().for_each(|_| self.parts.observer.settled(bucket, Settled::Dirty));
                }
                Err(Stop::Key { reason, message }) => {
                    self.bury(slot, records, (bucket, &job.waiting), (reason, &message)).await;
                    self.remember_copies(job);
                    job.waiting.iter().for_each(|_| self.parts.observer.settled(bucket, Settled::Dead));
                }
                Ok(()) => {
                    self.succeeded(bucket);
                    self.remember_copies(job);
                    job.waiting.iter().for_each(|_| self.parts.observer.captured(bucket));
                    job.waiting.iter().skip(1).for_each(|_| self.parts.observer.settled(bucket, Settled::Merged));
                }
            }
        }
    }

    /// What the other doors tell of the same is not captured once more.
    fn remember_copies(&self, job: &Job) {
        job.waiting.iter().filter_map(|one| CopyId::of(&one.notice)).for_each(|id| self.remember_copy(id));
    }
}

impl Source<'_> {
    /// The work, in which a bug is about its key alone as long as other keys succeed; else it is about the bucket, so that not
    /// all of its notices become dead letters.
    async fn guarded(&self, slot: &mut Slot, job: &Job) -> Result<(), Stop> {
        let done = match bug::caught(self.job(slot, job)).await {
            Ok(done) => done,
            Err(message) if self.capture.bugs.fetch_add(1, Ordering::Relaxed) < BUGS_IN_A_ROW => {
                return Err(Stop::Key { reason: "bug", message });
            }
            Err(message) => {
                return Err(Stop::Bucket(format!("capture breaks over one key after the other: {message}")));
            }
        };
        if done.is_ok() {
            self.capture.bugs.store(0, Ordering::Relaxed);
        }
        done
    }

    async fn job(&self, slot: &mut Slot, job: &Job) -> Result<(), Stop> {
        match &job.subject {
            Subject::Version(id) => self.one_version(slot, id, &job.waiting).await,
            Subject::Markers => self.markers(slot, &job.waiting).await,
            Subject::Locks => self.locks(slot, &job.waiting).await,
            Subject::AllVersions => self.all_versions(slot, &job.waiting).await,
            Subject::Nothing => Ok(()),
        }
    }

    async fn one_version(&self, slot: &mut Slot, id: &VersionId, waiting: &[Waiting]) -> Result<(), Stop> {
        let telling = Telling::of(waiting);
        let found = if id.is_null() {
            self.find_null(slot, &telling).await?
        } else {
            self.find(slot, id, &telling, wish(&telling)).await?
        };
        let known = self.capture.state(slot, &self.version(id)).await;
        match wanted(&telling, &found, &known) {
            Wanted::Nothing if !id.is_null() => {}
            Wanted::Own if !id.is_null() => slot.idle(self.capture.parts.freshness.own()).await,
            _ => slot.idle(self.capture.parts.freshness.all()).await,
        }
        let here = self.here(id);
        let state = self.capture.state(slot, &here.version()).await;
        let outcome = if id.is_null() {
            null::decide(&here, &telling, &found, &state)
        } else {
            decide(&here, &telling, &found, &state)
        };
        self.write(slot, &here, outcome, &state).await
    }

    /// Markers made by a multi-delete whose notice names none: those that the listing shows in its time, but not those
    /// that were put here by replication or told before. Told as born once more, a marker might come back to a site that
    /// has removed it.
    async fn markers(&self, slot: &mut Slot, waiting: &[Waiting]) -> Result<(), Stop> {
        slot.idle(self.capture.parts.freshness.own()).await;
        let known = self.capture.times(self.bucket, self.key);
        let listing = self.list(slot).await?;
        let longest = self.capture.config.longest_request_ms;
        let mut told: Vec<(&VersionId, &Waiting)> = Vec::new();
        for one in waiting {
            for listed in markers_within(&listing, one.time_ns(), longest) {
                if !told.iter().any(|(id, _)| *id == &listed.version_id) {
                    told.push((&listed.version_id, one));
                }
            }
        }
        told.sort_by_key(|(id, _)| std::cmp::Reverse(listing.iter().position(|listed| listed.version_id == **id)));
        if told.is_empty() {
            self.capture.parts.observer.settled(self.bucket, Settled::Untold);
        }
        for (id, cause) in told {
            if id.is_null() {
                self.one_version(slot, id, std::slice::from_ref(&named(cause, id))).await?;
                continue;
            }
            let Some(found) = self.listed_marker(&listing, id) else { continue };
            let here = self.here(id);
            let state = self.capture.state(slot, &here.version()).await;
            if known.contains_key(id) || state.written.contains_key(&here.site) {
                continue;
            }
            let notice = named(cause, id);
            let outcome = decide(&here, &Telling::of(std::slice::from_ref(&notice)), &found, &state);
            self.write(slot, &here, outcome, &state).await?;
            self.remember(id, &found);
        }
        Ok(())
    }

    /// A lock of some version has changed: every version of the key is compared with what this site last had.
    async fn locks(&self, slot: &mut Slot, waiting: &[Waiting]) -> Result<(), Stop> {
        slot.idle(self.capture.parts.freshness.all()).await;
        let telling = Telling::of(waiting);
        let listing = self.list(slot).await?;
        let mut anything = false;
        for listed in listing.iter().rev().filter(|listed| listed.kind == VersionKind::Object) {
            let id = &listed.version_id;
            let found = self.find(slot, id, &telling, super::decide::Wish::Look).await?;
            let here = self.here(id);
            let state = self.capture.state(slot, &here.version()).await;
            if id.is_null() {
                anything |= self.locks_of_null(slot, &here, &telling, &found, &state).await?;
                continue;
            }
            let outcome = audit::decide(&here, &telling, &found, &state);
            anything |= !outcome.facts.is_empty();
            self.write(slot, &here, outcome, &state).await?;
        }
        if !anything {
            self.capture.parts.observer.settled(self.bucket, Settled::Untold);
        }
        Ok(())
    }

    /// Captures what the record tells of the null version as if it had named it: its stamps are told with the register that
    /// they are of. Of one that a lock has kept here against a later register nothing can be told; it may be free by now,
    /// and is looked at. Returns whether anything had changed.
    async fn locks_of_null(
        &self,
        slot: &mut Slot,
        here: &Circumstances,
        telling: &Telling<'_>,
        found: &Found,
        state: &twinlog_index::VersionState,
    ) -> Result<bool, Stop> {
        let changed = audit::changed(here, telling, found, state).into_iter();
        let told: Vec<Waiting> = changed.map(|(category, by)| changed_by(by, &here.version_id, category)).collect();
        if !told.is_empty() {
            self.one_version(slot, &here.version_id, &told).await?;
        } else if null::is_overtaken(here, found, state) {
            let look = Outcome { facts: vec![FactBody::Look], ..Outcome::default() };
            self.write(slot, here, look, state).await?;
        }
        Ok(!told.is_empty())
    }

    /// Every version of the key that the store lists or the index knows, oldest first.
    async fn all_versions(&self, slot: &mut Slot, waiting: &[Waiting]) -> Result<(), Stop> {
        let listing = self.list(slot).await?;
        let index = &self.capture.parts.index;
        let known = self.capture.indexed(slot, || index.versions_of(self.bucket, self.key)).await;
        let listed: Vec<VersionId> = listing.into_iter().rev().map(|listed| listed.version_id).collect();
        let unlisted: Vec<VersionId> = known.into_keys().filter(|id| !listed.contains(id)).collect();
        for id in unlisted.iter().chain(&listed) {
            let waiting: Vec<Waiting> = waiting.iter().map(|one| named(one, id)).collect();
            self.one_version(slot, id, &waiting).await?;
        }
        Ok(())
    }

    async fn write(
        &self,
        slot: &mut Slot,
        here: &Circumstances,
        outcome: Outcome,
        state: &twinlog_index::VersionState,
    ) -> Result<(), Stop> {
        if let Some(how) = outcome.settled {
            self.capture.parts.observer.settled(self.bucket, how);
        }
        let created = outcome.events.iter().filter(|event| event.kind != VersionKind::Removed && event.creates());
        let told = created.map(|event| Modified { ns: event.modified_at_ns, precision: event.modified_precision });
        let told: Vec<_> = told.collect();
        self.capture.emit(slot, here, outcome, state).await?;
        // Not before: a call that is given up meanwhile may have told nothing. Where it had, the version may be told once more
        // with a time that differs by less than a millisecond, as after a restart.
        for time in told {
            self.capture.remember_time(self.bucket, self.key, &here.version_id, time);
        }
        Ok(())
    }

    fn remember(&self, id: &VersionId, found: &Found) {
        if let Found::Object(_, modified) | Found::Marker(modified) = found {
            self.capture.remember_time(self.bucket, self.key, id, *modified);
        }
    }

    fn here(&self, id: &VersionId) -> Circumstances {
        let parts = &self.capture.parts;
        Circumstances {
            event_id: parts.ids.event_id(),
            site: parts.site.name().clone(),
            bucket: self.bucket.clone(),
            key: self.key.clone(),
            version_id: id.clone(),
            now_ns: parts.clock.now_ns(),
        }
    }
}

/// The notice of a change, which named no version, about one.
fn changed_by(waiting: &Waiting, id: &VersionId, category: Category) -> Waiting {
    let notice = Notice { hint: Hint::Changed(id.clone(), category), ..waiting.notice.clone() };
    Waiting { notice, noticed_at_us: waiting.noticed_at_us }
}

/// A notice that named no version, as one that names this.
fn named(waiting: &Waiting, id: &VersionId) -> Waiting {
    let hint = match &waiting.notice.hint {
        Hint::Marker(None) => Hint::Marker(Some(id.clone())),
        Hint::Examine(asked) => Hint::Examine(Examination { version_id: Some(id.clone()), ..asked.clone() }),
        other => other.clone(),
    };
    Waiting { notice: Notice { hint, ..waiting.notice.clone() }, noticed_at_us: waiting.noticed_at_us }
}
