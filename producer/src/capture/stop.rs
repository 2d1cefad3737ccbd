//! What an error of a store or the log means to capture: the one table, and the loop that goes by it.

use std::future::Future;

use twinlog_log::backoff::{Backoff, Delays};
use twinlog_log::lane::Slot;
use twinlog_log::{LogError, LogErrorKind};
use twinlog_site::{SiteError, SiteErrorKind};

use super::Capture;

/// Waits between attempts: sources are in the same machine room.
const AGAIN: Backoff = Backoff::PROMPT;
/// How often an answer that makes no sense is asked again before the bucket counts as one that cannot be captured.
const ODD_ATTEMPTS: u32 = 8;

/// Why the notices at hand cannot be captured now, nor by trying again: the bucket is marked dirty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Stop(pub String);

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// For as long as it takes.
    Again,
    /// A few times, then as `Dirty`.
    Odd,
    /// The bucket cannot be captured.
    Dirty,
}

/// An error that the table knows.
pub(super) trait Failure: std::fmt::Display {
    /// What to do about it.
    fn policy(&self) -> Policy;
    /// What was being done.
    fn operation(&self) -> &'static str;
}

impl Failure for SiteError {
    fn policy(&self) -> Policy {
        use SiteErrorKind as Kind;
        match self.kind {
            Kind::Unreachable | Kind::TimedOut | Kind::Throttled | Kind::Server | Kind::StorageFull => Policy::Again,
            // Everywhere, not in this bucket: a person mends it, and nothing is lost meanwhile.
            Kind::Untrusted | Kind::Credentials | Kind::ClockSkew => Policy::Again,
            Kind::NoSuchBucket | Kind::AccessDenied | Kind::BucketState => Policy::Dirty,
            Kind::NoSuchVersion
            | Kind::NoSuchUpload
            | Kind::Expired
            | Kind::Precondition
            | Kind::Locked
            | Kind::LockAbsent
            | Kind::Digest
            | Kind::NameRefused
            | Kind::TooLarge
            | Kind::CustomerKey
            | Kind::Refused
            | Kind::Malformed => Policy::Odd,
        }
    }

    fn operation(&self) -> &'static str {
        self.operation
    }
}

impl Failure for LogError {
    fn policy(&self) -> Policy {
        match self.kind {
            LogErrorKind::Transient | LogErrorKind::Refused | LogErrorKind::Fatal => Policy::Again,
            LogErrorKind::UnknownTopic | LogErrorKind::TooLarge => Policy::Dirty,
            LogErrorKind::TopicExists | LogErrorKind::OffsetOutOfRange => Policy::Odd,
        }
    }

    fn operation(&self) -> &'static str {
        self.operation
    }
}

impl Capture {
    /// Attempts something until it succeeds, or fails with what trying again does not mend. Waits without taking up
    /// the lane's concurrency.
    pub(super) async fn persist<T, E, F, Fut>(&self, slot: &mut Slot, mut attempt: F) -> Result<T, E>
    where
        E: Failure,
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let mut delays: Option<Delays> = None;
        let mut odd = 0;
        loop {
            let error = match attempt().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            match error.policy() {
                Policy::Dirty => return Err(error),
                Policy::Odd => odd += 1,
                Policy::Again => {}
            }
            if odd >= ODD_ATTEMPTS {
                return Err(error);
            }
            self.parts.observer.retried(error.operation());
            tracing::warn!(%error, "capture waits and tries again");
            let delays = delays.get_or_insert_with(|| AGAIN.delays(self.parts.ids.seed()));
            slot.idle(delays.wait()).await;
        }
    }
}

impl From<SiteError> for Stop {
    fn from(error: SiteError) -> Self {
        Self(error.to_string())
    }
}

impl From<LogError> for Stop {
    fn from(error: LogError) -> Self {
        Self(error.to_string())
    }
}
