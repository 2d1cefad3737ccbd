//! The loop that goes by the one table of failures: what is tried again, and where it stops.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;
use twinlog_failure::alone::Alone;
use twinlog_failure::{AtCapture, of_log, of_store};
use twinlog_log::LogError;
use twinlog_log::backoff::{Backoff, Delays};
use twinlog_log::lane::Slot;
use twinlog_schemas::BucketName;
use twinlog_site::SiteError;

use super::Capture;

/// Waits between attempts: sources are in the same machine room.
const AGAIN: Backoff = Backoff::PROMPT;
/// How often what may be the wire's fault is asked again.
const FEW: u32 = 8;
/// How often a key that is refused, in a bucket that is open, is asked again.
const REFUSALS: u32 = 3;

/// Why the notices at hand cannot be captured now, nor by trying again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// The bucket cannot be captured, with the error's words: it is marked dirty.
    Bucket(String),
    /// This key cannot: its notices become dead letters.
    Key {
        /// Twinlog's reason code.
        reason: &'static str,
        /// The error's words.
        message: String,
    },
}

/// An error that the table knows.
pub(super) trait Failure: std::fmt::Display {
    /// What to do about it.
    fn means(&self) -> AtCapture;
    /// What was being done.
    fn operation(&self) -> &'static str;
    /// How often calls of this kind have succeeded, where a key that fails while others succeed is given up.
    fn successes(capture: &Capture) -> Option<&AtomicU64>;
}

impl Failure for SiteError {
    fn means(&self) -> AtCapture {
        of_store(self.kind).capture
    }

    fn operation(&self) -> &'static str {
        self.operation
    }

    fn successes(capture: &Capture) -> Option<&AtomicU64> {
        Some(&capture.successes)
    }
}

impl Failure for LogError {
    fn means(&self) -> AtCapture {
        of_log(self.kind)
    }

    fn operation(&self) -> &'static str {
        self.operation
    }

    /// A dead letter would have to go the same way.
    fn successes(_: &Capture) -> Option<&AtomicU64> {
        None
    }
}

/// The last trial of a bucket's permissions.
pub(super) struct Trial {
    /// Calls that were refused before it began go by it.
    begun: Instant,
    /// What it missed; nothing, where the bucket is open.
    missing: Option<String>,
}

/// What is remembered between the attempts of one call.
#[derive(Default)]
struct Attempts {
    delays: Option<Delays>,
    few: u32,
    refusals: u32,
    alone: Alone,
    first: Option<Instant>,
}

impl Capture {
    /// Attempts something about a key of this bucket until it succeeds, or fails with what trying again does not mend.
    /// Waits without taking up the lane's concurrency.
    pub(super) async fn persist<T, E, F, Fut>(
        &self,
        slot: &mut Slot,
        bucket: &BucketName,
        mut attempt: F,
    ) -> Result<T, Stop>
    where
        E: Failure,
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let mut attempts = Attempts::default();
        loop {
            let begun = Instant::now();
            let error = match attempt().await {
                Ok(done) => {
                    if let Some(successes) = E::successes(self) {
                        successes.fetch_add(1, Ordering::Relaxed);
                    }
                    return Ok(done);
                }
                Err(error) => error,
            };
            if let Some(stop) = self.stops(slot, bucket, begun, &error, &mut attempts).await {
                return Err(stop);
            }
            self.parts.observer.retried(error.operation());
            tracing::warn!(%error, "capture waits and tries again");
            let delays = attempts.delays.get_or_insert_with(|| AGAIN.delays(self.parts.ids.seed()));
            slot.rest(delays.wait()).await;
        }
    }

    /// Whether an attempt was the last one.
    async fn stops<E: Failure>(
        &self,
        slot: &mut Slot,
        bucket: &BucketName,
        begun: Instant,
        error: &E,
        attempts: &mut Attempts,
    ) -> Option<Stop> {
        let key = |over: bool, reason| over.then(|| Stop::Key { reason, message: error.to_string() });
        match error.means() {
            AtCapture::Retry => {
                let first = *attempts.first.get_or_insert(begun);
                let successes = E::successes(self)?.load(Ordering::Relaxed);
                let alone = attempts.alone.failed(first.elapsed(), successes);
                key(alone >= self.config.give_up_after, "fails-alone")
            }
            AtCapture::AFewTimes(reason) => {
                attempts.few += 1;
                key(attempts.few >= FEW, reason)
            }
            AtCapture::Dirty => Some(Stop::Bucket(error.to_string())),
            AtCapture::Denied => match self.closed(slot, bucket, begun).await {
                Ok(Some(missing)) => Some(Stop::Bucket(format!("{error}; missing: {missing}"))),
                Ok(None) => {
                    attempts.refusals += 1;
                    key(attempts.refusals > REFUSALS, "access-denied")
                }
                Err(untried) => {
                    tracing::debug!(error = %untried, "the permissions could not be tried");
                    None
                }
            },
            AtCapture::Dead(reason) => key(true, reason),
        }
    }

    /// Access was refused to a call that began then. The permissions that capture misses of the whole bucket, if it is
    /// that which is closed; else it is one key. Of many that are refused at the same time one tries.
    async fn closed(&self, slot: &mut Slot, bucket: &BucketName, begun: Instant) -> Result<Option<String>, SiteError> {
        if self.dirty.is_failing(bucket) {
            return Ok(Some("on record".to_owned()));
        }
        let mut trials = slot.rest(self.trials.lock()).await;
        if let Some(trial) = trials.get(bucket).filter(|trial| trial.begun >= begun) {
            return Ok(trial.missing.clone());
        }
        let begun = Instant::now();
        let missing = match slot.idle(self.parts.site.missing_permissions(bucket)).await {
            Err(refused) if refused.means() == AtCapture::Denied => vec![refused.to_string()],
            tried => tried?.into_iter().filter(|permission| needed(permission)).collect(),
        };
        let missing = (!missing.is_empty()).then(|| missing.join(", "));
        trials.insert(bucket.clone(), Trial { begun, missing: missing.clone() });
        Ok(missing)
    }
}

/// Whether a capture needs this permission; the trial names those of replica writes too.
fn needed(permission: &str) -> bool {
    permission.starts_with("s3:GetObject") || permission == "s3:ListBucketVersions"
}
