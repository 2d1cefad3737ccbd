//! Waiting at the gate of a bucket: while it is held, or while its two ends are not set up alike.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use twinlog_log::lane::Slot;
use twinlog_site::{BucketState, SiteError};

use super::Apply;
use super::settle::Job;
use crate::failure::{End, Verdict, verdict};
use crate::guard::fault;
use crate::hold::{Direction, Holds};

/// What was last seen of the two ends of each direction.
pub(super) struct Guards {
    every: Duration,
    seen: Mutex<BTreeMap<Direction, Arc<tokio::sync::Mutex<Option<Seen>>>>>,
}

/// One look at both ends that found no fault.
#[derive(Clone, Copy)]
struct Seen {
    at: Instant,
    target_encrypts: bool,
}

impl Guards {
    pub(super) fn new(every: Duration) -> Self {
        Self { every, seen: Mutex::default() }
    }

    fn of(&self, direction: &Direction) -> Arc<tokio::sync::Mutex<Option<Seen>>> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(seen.entry(direction.clone()).or_default())
    }
}

/// Keeps a hold that this call placed until the call ends or is dropped, so that no hold outlives its probe.
struct Probe<'a> {
    holds: &'a Holds,
    direction: Direction,
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        self.holds.release(&self.direction);
    }
}

impl Apply {
    /// Returns when the bucket may be written into; says whether the target encrypts by default. A fact of the target's
    /// own site has no source to compare with, and passes.
    pub(super) async fn guarded(&self, slot: &mut Slot, job: &Job<'_>) -> bool {
        let direction = job.direction();
        loop {
            while self.parts.holds.reason(&direction).is_some() {
                slot.idle(self.parts.holds.released(&direction)).await;
            }
            let cell = self.guards.of(&direction);
            let mut seen = slot.idle(cell.lock_owned()).await;
            if let Some(fresh) = seen.filter(|seen| seen.at.elapsed() < self.guards.every) {
                return fresh.target_encrypts;
            }
            match self.inspect(job).await {
                Ok((None, target_encrypts)) => {
                    *seen = Some(Seen { at: Instant::now(), target_encrypts });
                    return target_encrypts;
                }
                Ok((Some(reason), _)) => {
                    drop(seen);
                    self.held(slot, job, reason, "the two ends of the bucket are not set up alike").await;
                }
                Err(error) => {
                    drop(seen);
                    match verdict(End::Target, &error) {
                        Verdict::HoldBucket(reason) => self.held(slot, job, reason, &error.to_string()).await,
                        _ => slot.idle(sleep(self.parts.config.backoff.first.max(Duration::from_secs(1)))).await,
                    }
                }
            }
        }
    }

    /// Looks at both ends. A source that cannot be reached is no reason to stop: what travelled along can be applied.
    async fn inspect(&self, job: &Job<'_>) -> Result<(Option<&'static str>, bool), SiteError> {
        let bucket = &job.version.bucket;
        let target = self.parts.here.bucket_state(bucket).await?;
        let source: Option<BucketState> = match job.link {
            None => None,
            Some(link) => match link.source.bucket_state(bucket).await {
                Ok(state) => Some(state),
                Err(error) if matches!(verdict(End::Source, &error), Verdict::HoldBucket(_)) => return Err(error),
                Err(error) => {
                    tracing::debug!(%error, "the source's set-up could not be looked at");
                    None
                }
            },
        };
        Ok((fault(source.as_ref().unwrap_or(&target), &target), target.default_encryption))
    }

    /// Holds the job's direction and waits until it is time to probe, or, if another call holds it, until that one is
    /// through. The hold ends when this returns; if nothing was mended the next refusal places it again.
    pub(super) async fn held(&self, slot: &mut Slot, job: &Job<'_>, reason: &str, message: &str) {
        let direction = job.direction();
        if !self.parts.holds.hold(&direction, reason) {
            slot.idle(self.parts.holds.released(&direction)).await;
            return;
        }
        tracing::error!(source = %direction.0, bucket = %direction.1, reason, message, "bucket held");
        let stream = self.stream(job);
        self.parts.observer.held(stream, Some(reason));
        let probe = Probe { holds: &self.parts.holds, direction: direction.clone() };
        slot.idle(self.mended(job, reason)).await;
        *self.guards.of(&direction).lock().await = None;
        drop(probe);
        self.parts.observer.held(stream, None);
        tracing::info!(source = %direction.0, bucket = %direction.1, reason, "bucket goes on: probing with the refused record");
    }

    /// Waits until the ends look right. A refusal that the set-up does not explain is probed with the record itself.
    async fn mended(&self, job: &Job<'_>, reason: &str) {
        loop {
            sleep(self.parts.config.probe_every).await;
            match timeout(Duration::from_secs(30), self.inspect(job)).await {
                Ok(Ok((None, _))) => return,
                Ok(Ok((Some(still), _))) => tracing::debug!(still, reason, "bucket is still held"),
                Ok(Err(error)) => tracing::debug!(%error, reason, "bucket is still held"),
                Err(_) => tracing::debug!(reason, "bucket is still held: no answer"),
            }
        }
    }
}
