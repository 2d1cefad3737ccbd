//! Waiting at the gate of a bucket: while it is held, or while its two ends are not set up alike.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use twinlog_control::{Entry, Identity, Reason};
use twinlog_log::lane::Slot;
use twinlog_schemas::BucketName;
use twinlog_site::{BucketState, SiteError, SiteErrorKind};

use super::Apply;
use super::settle::Job;
use crate::failure::{End, Verdict, verdict};
use crate::guard::{fault, identified, recreated};
use crate::hold::{Direction, Holds};

/// What was last seen of the two ends of each direction.
pub(super) struct Guards {
    every: Duration,
    seen: Mutex<BTreeMap<Direction, Arc<tokio::sync::Mutex<Option<Seen>>>>>,
}

/// One look at both ends that found no fault.
#[derive(Clone, Copy)]
struct Seen {
    /// When the look began.
    at: Instant,
    target_encrypts: bool,
}

/// What a look at both ends found.
pub(super) struct Look {
    pub fault: Option<(Reason, String)>,
    pub target_encrypts: bool,
}

/// Whether a record may act.
pub(super) enum Gate {
    /// It may; whether the target encrypts by default.
    Open { target_encrypts: bool },
    /// Its direction is held, and not for a moment only.
    Held,
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

impl Apply {
    /// Returns when the bucket may be written into, or when its hold lasts. A fact of the target's own site has no
    /// source to compare with, and passes.
    pub(super) async fn guarded(&self, slot: &mut Slot, job: &Job<'_>) -> Gate {
        let direction = job.direction();
        loop {
            if self.parts.holds.reason(&direction).is_some() {
                if !self.released_soon(slot, job, &direction).await {
                    return Gate::Held;
                }
                continue;
            }
            let cell = self.guards.of(&direction);
            let mut seen = slot.rest(cell.lock_owned()).await;
            if let Some(fresh) = seen.filter(|seen| seen.at.elapsed() < self.guards.every) {
                return Gate::Open { target_encrypts: fresh.target_encrypts };
            }
            match self.looked(&direction, &mut seen).await {
                Ok(Some(target_encrypts)) => return Gate::Open { target_encrypts },
                Ok(None) => {}
                Err(error) => {
                    drop(seen);
                    tracing::debug!(%error, "the bucket's set-up could not be looked at; trying again");
                    slot.rest(sleep(self.parts.config.backoff.first.max(Duration::from_secs(1)))).await;
                }
            }
        }
    }

    /// Facts never wait: their topic carries other buckets too. Change events wait for a moment, in case it is mended.
    async fn released_soon(&self, slot: &mut Slot, job: &Job<'_>, direction: &Direction) -> bool {
        if job.event.is_none() {
            return false;
        }
        let released = self.parts.holds.released(direction);
        match self.parts.config.park_after {
            Some(patience) => slot.rest(timeout(patience, released)).await.is_ok(),
            None => {
                slot.rest(released).await;
                true
            }
        }
    }

    /// Looks at both ends and remembers it, or holds what is at fault (`None`). Errors are those that pass.
    async fn looked(&self, direction: &Direction, seen: &mut Option<Seen>) -> Result<Option<bool>, SiteError> {
        let at = Instant::now();
        *seen = None;
        match self.inspect(direction).await {
            Ok(Look { fault: None, target_encrypts }) => {
                *seen = Some(Seen { at, target_encrypts });
                Ok(Some(target_encrypts))
            }
            Ok(Look { fault: Some((reason, message)), .. }) => {
                self.hold(direction, reason, &message).await;
                Ok(None)
            }
            Err(error) => match verdict(End::Target, &error) {
                Verdict::HoldBucket(reason) => {
                    self.hold(direction, reason, &error.to_string()).await;
                    Ok(None)
                }
                Verdict::Denied => {
                    self.hold(direction, Reason::AccessDenied, &error.to_string()).await;
                    Ok(None)
                }
                _ => Err(error),
            },
        }
    }

    pub(super) async fn hold(&self, direction: &Direction, reason: Reason, message: &str) {
        self.parts.holds.begin(Holds::scope(direction, reason), reason, message, None).await;
    }

    /// A version is gone from the source. Whether that can be believed: the bucket there is the one that it was.
    pub(super) async fn source_is_itself(&self, slot: &mut Slot, job: &Job<'_>) -> bool {
        if job.link.is_none() {
            return true;
        }
        let (direction, since) = (job.direction(), Instant::now());
        let cell = self.guards.of(&direction);
        let mut seen = slot.rest(cell.lock_owned()).await;
        // Many are gone at the same time; one look after the last of them is enough.
        if seen.is_some_and(|seen| seen.at >= since) {
            return true;
        }
        matches!(self.looked(&direction, &mut seen).await, Ok(Some(_)))
    }

    /// Access was refused at one end. Whether it is the bucket that is closed, which is then held; else it is this key.
    pub(super) async fn closed(&self, slot: &mut Slot, job: &Job<'_>, end: End) -> Result<bool, SiteError> {
        let direction = job.direction();
        let cell = self.guards.of(&direction);
        let mut seen = slot.rest(cell.lock_owned()).await;
        if self.parts.holds.reason(&direction).is_some() {
            return Ok(true);
        }
        let missing = self.denied(&direction, Some(end)).await?;
        if missing.is_empty() {
            return Ok(false);
        }
        *seen = None;
        let site = if end == End::Source { &direction.0 } else { self.parts.here.name() };
        self.hold(&direction, Reason::AccessDenied, &format!("missing at {site}: {}", missing.join(", "))).await;
        Ok(true)
    }

    /// The permissions that replication in this direction needs and does not have, at one end or both.
    pub(super) async fn denied(&self, direction: &Direction, end: Option<End>) -> Result<Vec<String>, SiteError> {
        let (source, bucket) = direction;
        let mut missing = Vec::new();
        if end != Some(End::Source) {
            missing.extend(tried(self.parts.here.missing_permissions(bucket).await)?);
        }
        if let Some(link) = self.link(source).filter(|_| end != Some(End::Target)) {
            let reads = |name: &String| name.starts_with("s3:Get") || name.starts_with("s3:List");
            missing.extend(tried(link.source.missing_permissions(bucket).await)?.into_iter().filter(reads));
        }
        Ok(missing)
    }

    /// Looks at both ends. A source that cannot be reached is no reason to stop: what travelled along can be applied.
    pub(super) async fn inspect(&self, direction: &Direction) -> Result<Look, SiteError> {
        let (source, bucket) = direction;
        let target = self.parts.here.bucket_state(bucket).await?;
        let source = match self.link(source) {
            None => None,
            Some(link) => match link.source.bucket_state(bucket).await {
                Ok(state) => Some(state),
                Err(error) if matches!(verdict(End::Source, &error), Verdict::HoldBucket(_) | Verdict::Denied) => {
                    return Err(error);
                }
                Err(error) => {
                    tracing::debug!(%error, "the source's set-up could not be looked at");
                    None
                }
            },
        };
        let unlike = fault(source.as_ref().unwrap_or(&target), &target);
        let fault = match unlike {
            Some(reason) => Some((reason, self.describe(bucket, source.as_ref(), &target))),
            None => self.another(direction, source.as_ref(), &target).await,
        };
        Ok(Look { fault, target_encrypts: target.default_encryption })
    }

    /// Compares the buckets with those of before, and puts them on record when they are seen for the first time. What
    /// the target's own site says comes by no link, and no link's release would let it go.
    async fn another(
        &self,
        direction: &Direction,
        source: Option<&BucketState>,
        target: &BucketState,
    ) -> Option<(Reason, String)> {
        self.link(&direction.0)?;
        let control = self.parts.holds.control();
        let seen = Identity { source_ms: source.and_then(|state| state.created_ms), target_ms: target.created_ms };
        let known = control.identity(direction);
        if let Some(reason) = known.and_then(|known| recreated(known, seen)) {
            let message = format!("bucket {} is not the one that was replicated before", direction.1);
            return Some((reason, message));
        }
        let now = identified(known, seen);
        if known != Some(now) && (now.source_ms.is_some() || now.target_ms.is_some()) {
            control.put(Entry::Identity(direction.clone(), now)).await;
        }
        None
    }

    fn describe(&self, bucket: &BucketName, source: Option<&BucketState>, target: &BucketState) -> String {
        let shown = |state: &BucketState| {
            let default = state.default_retention.map_or_else(String::new, |default| format!(", default {default:?}"));
            let own = if state.own_replication { ", its own replication on" } else { "" };
            let lock = if state.object_lock { "object lock" } else { "no object lock" };
            format!("versioning {:?}, {lock}{default}{own}", state.versioning)
        };
        let source = source.map_or_else(|| "not known".to_owned(), shown);
        format!("bucket {bucket}: source {source}; {} {}", self.parts.here.name(), shown(target))
    }
}

/// A trial that is itself refused names what it was refused.
fn tried(missing: Result<Vec<String>, SiteError>) -> Result<Vec<String>, SiteError> {
    match missing {
        Err(error) if error.kind == SiteErrorKind::AccessDenied => Ok(vec![format!("s3:Get… ({})", error.operation)]),
        other => other,
    }
}
